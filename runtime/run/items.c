// items.c - ForEachItem: the file is split into batches, and their outputs are merged.
//
// A batch closes when its bytes or rows reach the limit, or lines are dealt out over a number of
// files (flow-language.md 4.2). Splitting again gives the same content; who reads a batch after a
// crash reads the new files.
#include <string.h>

#include "base/file.h"
#include "run/driver.h"

typedef struct Split {
    Execution *execution;
    Arena *arena;
    Str extension;
    Value uris;
    uint32_t number;
} Split;

static Err end_batch(Split *split, Buffer *batch) {
    if (batch->len == 0) return err_none();
    Str uri = {0};
    Str name = str_printf(split->arena, "items/batch-%u" STR_FMT, split->number++,
                          STR_ARG(split->extension));
    TRY(files_write(split->execution, name, buffer_str(batch), split->arena, &uri));
    value_list_add(split->arena, split->uris, value_text(uri));
    buffer_clear(batch);
    return err_none();
}

// `10MB`, `200KB`, or a number of bytes.
static int64_t bytes_of(Value value) {
    if (value.kind == VALUE_INT) return value.as.integer;
    if (value.kind != VALUE_TEXT) return 0;
    Str text = str_trim(value.as.text);
    int64_t factor = 1;
    static const struct {
        const char *unit;
        int64_t factor;
    } units[] = {
        {"GB", 1 << 30},
        {"MB", 1 << 20},
        {"KB", 1 << 10},
        {"B",  1      }
    };
    for (size_t i = 0; i < COUNT(units); i++) {
        Str unit = str_from(units[i].unit);
        if (text.len <= unit.len) continue;
        if (!str_eq_ignore_case(str_slice(text, text.len - unit.len, text.len), unit)) continue;
        text = str_trim(str_slice(text, 0, text.len - unit.len));
        factor = units[i].factor;
        break;
    }
    int64_t number = 0;
    return str_to_int(text, &number) ? number * factor : 0;
}

static int64_t number_in(Value map, Str key) {
    const Value *value = value_map_get(map, key);
    int64_t number = 0;
    if (value == NULL) return 0;
    if (value->kind == VALUE_TEXT && str_to_int(value->as.text, &number)) return number;
    return value->kind == VALUE_INT ? value->as.integer : 0;
}

// The next line with its end.
static bool next_line(Str *rest, Str separator, Str *line) {
    if (rest->len == 0) return false;
    size_t at = separator.len == 0 ? STR_NOT_FOUND : str_find(*rest, separator, 0);
    size_t end = at == STR_NOT_FOUND ? rest->len : at + separator.len;
    *line = str_slice(*rest, 0, end);
    *rest = str_slice(*rest, end, rest->len);
    return true;
}

static Err split_text(Split *split, Str text, Value batch) {
    Str separator = value_map_get_text(batch, STR("separator"), STR("\n"));
    const Value *bytes = value_map_get(batch, STR("bytes"));
    int64_t byte_limit = bytes == NULL ? 0 : bytes_of(*bytes);
    int64_t partitions = number_in(batch, STR("partitions"));
    int64_t rows = number_in(batch, STR("rows"));
    if (byte_limit <= 0 && partitions > 0) {
        Buffer *parts = arena_array(split->arena, Buffer, (size_t)partitions);
        Str line = {0};
        for (int64_t i = 0; next_line(&text, separator, &line); i++) {
            buffer_add(&parts[i % partitions], line);
        }
        Err err = err_none();
        for (int64_t i = 0; i < partitions; i++) {
            if (err.code == ERR_NONE) err = end_batch(split, &parts[i]);
            buffer_release(&parts[i]);
        }
        return err;
    }
    if (byte_limit <= 0 && rows <= 0) rows = 1;
    Buffer part = {0};
    Str line = {0};
    int64_t count = 0;
    Err err = err_none();
    while (err.code == ERR_NONE && next_line(&text, separator, &line)) {
        buffer_add(&part, line);
        count++;
        bool is_full = byte_limit > 0 ? (int64_t)part.len >= byte_limit : count >= rows;
        if (!is_full) continue;
        err = end_batch(split, &part);
        count = 0;
    }
    if (err.code == ERR_NONE) err = end_batch(split, &part);
    buffer_release(&part);
    return err;
}

static Event *report_end(Execution *execution, const Action *action, Err err) {
    Event *event = turn_report(execution, EVENT_ENDED, action->run);
    event->attempt = action->attempt;
    event->exit_code = -1;
    event->state = err.code == ERR_NONE ? STATE_SUCCESS : STATE_FAILED;
    event->begun = BEGUN_FAILED;
    event->error_class = err.code == ERR_NONE ? STR("ok") : STR("permanent");
    event->text = run_mask_text(execution, str_from(err.text), turn_arena(execution));
    turn_schedule(execution);
    return event;
}

static Str extension_of(Str uri) {
    Str name = path_name(uri);
    size_t dot = str_find_last_char(name, '.');
    return dot == STR_NOT_FOUND || dot == 0 ? STR(".tmp") : str_slice(name, dot, name.len);
}

void items_split(Execution *execution, const Action *action) {
    Arena *arena = turn_arena(execution);
    const Value *items = value_map_get(action->value, STR("items"));
    const Value *batch = value_map_get(action->value, STR("batch"));
    Str uri = items == NULL ? (Str){0} : value_to_text(arena, *items);
    Split split = {.execution = execution,
                   .arena = arena,
                   .extension = extension_of(uri),
                   .uris = value_list(arena)};
    Str text = {0};
    Err err = err_none();
    if (execution->planner != NULL) {
        value_list_add(arena, split.uris, value_text(STR("<batch>")));
    } else if (!str_starts_with(uri, STR("kestra:///"))) {
        err = err_make(ERR_INPUT,
                       "unable to split the items from '" STR_FMT
                       "', this is not an internal storage URI",
                       STR_ARG(uri));
    } else if (!files_find(execution, uri, arena, &text)) {
        err = err_make(ERR_NOT_FOUND, "cannot read '" STR_FMT "'", STR_ARG(uri));
    } else {
        err = split_text(&split, text, batch == NULL ? value_null() : *batch);
    }
    Str splits = {0};
    if (err.code == ERR_NONE && execution->planner == NULL) {
        Buffer list = {0};
        for (uint32_t i = 0; i < split.uris.as.list->count; i++) {
            buffer_add(&list, split.uris.as.list->items[i].as.text);
            buffer_add_char(&list, '\n');
        }
        err = files_write(execution, STR("items/splits.txt"), buffer_str(&list), arena, &splits);
        buffer_release(&list);
    }
    Event *event = report_end(execution, action, err);
    if (err.code != ERR_NONE) return;
    event->value = value_map(arena);
    value_map_set(arena, event->value, STR("splits"), value_text(splits));
    event->more = value_map(arena);
    value_map_set(arena, event->more, STR("batches"), split.uris);
}

void items_merge(Execution *execution, const Action *action) {
    Arena *arena = turn_arena(execution);
    Buffer merged = {0};
    ChildView child;
    TaskRunView merge;
    TaskRunView other;
    bool is_known = engine_run(execution->engine, action->run, &merge);
    for (uint32_t i = 0; engine_child_at(execution->engine, i, &child); i++) {
        // Batches of the same task in the same place.
        if (!is_known || !engine_run(execution->engine, child.run, &other)) continue;
        if (other.node != merge.node || child.outputs == NULL) continue;
        if (memcmp(other.frame.bytes, merge.frame.bytes, sizeof merge.frame.bytes) != 0) continue;
        json_write(&merged, run_mask_value(execution, *child.outputs, arena), JSON_COMPACT, 0);
        buffer_add_char(&merged, '\n');
    }
    Str uri = STR("<outputs>");
    Err err = err_none();
    if (execution->planner == NULL) {
        err = files_write(execution, STR("items/outputs.jsonl"), buffer_str(&merged), arena, &uri);
    }
    buffer_release(&merged);
    Event *event = report_end(execution, action, err);
    if (err.code != ERR_NONE) return;
    event->value = value_map(arena);
    value_map_set(arena, event->value, STR("subflowOutputs"), value_text(uri));
}
