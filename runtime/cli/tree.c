// tree.c - see tree.h. What is shown is chosen first, in a list that stays small however many task
// runs there are; then its lines are drawn from the top down.
#include "cli/tree.h"

#include <stdlib.h>
#include <string.h>

#include "base/columns.h"
#include "base/utf8.h"
#include "cli/cli.h"

typedef struct Row {
    TaskRunView view;
    uint32_t number;  // order of creation
    bool is_bad;
    bool is_open;  // not terminal
} Row;

typedef struct Tree {
    const Engine *engine;
    const TreeStyle *style;
    Buffer *out;
    Arena arena;
    LIST_OF(Row) rows;
    uint32_t hidden, hidden_open;
    uint32_t done, open, failed;
    int64_t start_ms, end_ms;
    uint32_t name_columns;
    uint32_t lines;
} Tree;

bool tree_has_unicode(void) {
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < COUNT(names); i++) {
        const char *value = getenv(names[i]);
        if (value == NULL || value[0] == '\0') continue;
        return strstr(value, "UTF-8") != NULL || strstr(value, "utf8") != NULL;
    }
    return false;
}

void tree_add_plain(Buffer *out, Str text, bool has_unicode) {
    for (size_t at = 0; at < text.len;) {
        size_t start = at;
        uint32_t point = utf8_next(text, &at);
        bool is_shown = point != UTF8_INVALID && point >= 0x20 && point != 0x7f &&
                        (point < 0x80 || (has_unicode && point >= 0xa0));
        if (is_shown) {
            buffer_add(out, str_slice(text, start, at));
        } else {
            buffer_add(out, has_unicode ? STR("\xEF\xBF\xBD") : STR("?"));
        }
    }
}

// --- choosing -----------------------------------------------------------------------------------

static bool is_bad(const TaskRunView *view) {
    return view->state == STATE_FAILED || view->state == STATE_KILLED ||
           view->state == STATE_WARNING || view->is_unknown;
}

static bool is_same(RunId a, RunId b) {
    return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

static bool has_row(const Tree *tree, RunId id) {
    for (uint32_t i = 0; i < tree->rows.count; i++) {
        if (is_same(tree->rows.items[i].view.id, id)) return true;
    }
    return false;
}

static void add_row(Tree *tree, const TaskRunView *view, uint32_t number) {
    if (view->task.len == 0 || has_row(tree, view->id)) return;
    *LIST_ADD(&tree->arena, &tree->rows, Row) =
        (Row){*view, number, is_bad(view), !state_is_terminal(view->state)};
}

typedef enum Wanted { WANT_OPEN, WANT_BAD, WANT_GOOD } Wanted;

static bool is_wanted(const TaskRunView *view, Wanted wanted) {
    bool is_open = !state_is_terminal(view->state);
    if (wanted == WANT_OPEN) return is_open;
    return !is_open && is_bad(view) == (wanted == WANT_BAD);
}

enum { ITERATIONS_SHOWN = 5 };

// The newest of a kind, as long as there is room. Ancestors are added later and may need some.
static void choose(Tree *tree, Wanted wanted, uint32_t count, uint32_t room) {
    TaskRunView view;
    uint32_t iterations = 0;
    for (uint32_t i = count; i-- > 0 && tree->rows.count < room;) {
        if (!engine_run_at(tree->engine, i, &view) || !is_wanted(&view, wanted)) continue;
        // Of what went well in loops the last few tell enough.
        if (wanted == WANT_GOOD && view.has_value && iterations++ >= ITERATIONS_SHOWN) continue;
        add_row(tree, &view, i);
    }
}

static void choose_ancestors(Tree *tree) {
    TaskRunView view;
    for (uint32_t i = 0; i < tree->rows.count; i++) {
        RunId parent = tree->rows.items[i].view.parent;
        if (engine_run(tree->engine, parent, &view)) add_row(tree, &view, 0);
    }
}

static bool has_child(const Tree *tree, RunId id) {
    for (uint32_t i = 0; i < tree->rows.count; i++) {
        if (is_same(tree->rows.items[i].view.parent, id)) return true;
    }
    return false;
}

// The oldest iteration that ended well and has nothing below it goes first, then other such task
// runs, then bad ones, then any.
static bool drop_one(Tree *tree) {
    uint32_t worst = UINT32_MAX;
    for (uint32_t pass = 0; pass < 4 && worst == UINT32_MAX; pass++) {
        for (uint32_t i = 0; i < tree->rows.count; i++) {
            const Row *row = &tree->rows.items[i];
            bool is_kept = (pass < 1 && !row->view.has_value) || (pass < 2 && row->is_bad) ||
                           (pass < 3 && row->is_open);
            if (is_kept || has_child(tree, row->view.id)) continue;
            if (worst == UINT32_MAX || row->number < tree->rows.items[worst].number) worst = i;
        }
    }
    if (worst == UINT32_MAX) return false;
    tree->rows.items[worst] = tree->rows.items[--tree->rows.count];
    return true;
}

static void count_all(Tree *tree, uint32_t count) {
    TaskRunView view;
    for (uint32_t i = 0; i < count; i++) {
        if (!engine_run_at(tree->engine, i, &view) || view.task.len == 0) continue;
        if (!state_is_terminal(view.state)) {
            tree->open++;
        } else {
            tree->done++;
            if (view.state == STATE_FAILED || view.state == STATE_KILLED) tree->failed++;
        }
    }
}

static int by_number(const void *a, const void *b) {
    uint32_t left = ((const Row *)a)->number;
    uint32_t right = ((const Row *)b)->number;
    return left < right ? -1 : left > right;
}

static void choose_rows(Tree *tree) {
    uint32_t count = engine_run_count(tree->engine);
    uint32_t room = tree->style->rows == 0 ? TREE_ROWS_MAX : tree->style->rows;
    count_all(tree, count);
    choose(tree, WANT_OPEN, count, room);
    choose(tree, WANT_BAD, count, room);
    choose(tree, WANT_GOOD, count, room);
    choose_ancestors(tree);
    uint32_t all = tree->done + tree->open;
    // The line that counts what is left out needs room, too.
    while (tree->rows.count > (tree->rows.count < all ? room - 1 : room) && drop_one(tree)) {
    }
    qsort(tree->rows.items, tree->rows.count, sizeof(Row), by_number);
    tree->hidden = all - tree->rows.count;
    tree->hidden_open = tree->open;
    for (uint32_t i = 0; i < tree->rows.count; i++) {
        if (tree->rows.items[i].is_open) tree->hidden_open--;
    }
}

// --- drawing ------------------------------------------------------------------------------------

static const char *colour_of(State state) {
    switch (state) {
    case STATE_SUCCESS:
        return "32";
    case STATE_FAILED:
    case STATE_KILLED:
    case STATE_KILLING:
    case STATE_CANCELLED:
        return "31";
    case STATE_WARNING:
    case STATE_PAUSED:
    case STATE_RETRYING:
    case STATE_QUEUED:
        return "33";
    case STATE_RUNNING:
    case STATE_RESTARTED:
        return "36";
    case STATE_NONE:
    case STATE_CREATED:
    case STATE_RETRIED:
    case STATE_SKIPPED:
    case STATE_COUNT:
        break;
    }
    return "2";
}

static void add_coloured(const Tree *tree, const char *colour, Str text) {
    if (tree->style->has_colour) buffer_printf(tree->out, "\x1b[%sm", colour);
    buffer_add(tree->out, text);
    if (tree->style->has_colour) buffer_add(tree->out, STR("\x1b[0m"));
}

// The text in exactly `columns`, cut with a mark where it is longer.
static void add_padded(const Tree *tree, Str text, uint32_t columns) {
    uint32_t all = columns_of(text);
    if (all > columns) {
        text = columns_cut(text, columns - 1);
        buffer_add(tree->out, text);
        buffer_add(tree->out, tree->style->has_unicode ? STR("…") : STR("~"));
        all = columns_of(text) + 1;
    } else {
        buffer_add(tree->out, text);
    }
    if (all < columns) buffer_add_repeat(tree->out, ' ', columns - all);
}

static void add_many(Buffer *out, Str text, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) buffer_add(out, text);
}

// `filled` of `columns`, from column `from`.
static void add_bar(const Tree *tree, const char *colour, uint32_t from, uint32_t filled,
                    uint32_t columns) {
    bool has_unicode = tree->style->has_unicode;
    Buffer bar = {0};
    add_many(tree->out, has_unicode ? STR("·") : STR("."), from);
    add_many(&bar, has_unicode ? STR("━") : STR("="), filled);
    add_coloured(tree, colour, buffer_str(&bar));
    add_many(tree->out, has_unicode ? STR("·") : STR("."), columns - from - filled);
    buffer_release(&bar);
}

static int64_t end_of(const Tree *tree, const Row *row) {
    return row->is_open ? tree->style->now_ms : row->view.ended_ms;
}

enum { BAR_COLUMNS_MIN = 8 };

static void add_timeline(const Tree *tree, const Row *row, uint32_t columns) {
    int64_t span = tree->end_ms - tree->start_ms;
    int64_t from = row->view.created_ms - tree->start_ms;
    int64_t to = end_of(tree, row) - tree->start_ms;
    if (columns < BAR_COLUMNS_MIN || span <= 0 || from < 0 || to < from) return;
    if (columns > 60) columns = 60;
    int64_t first = from * columns / span;
    int64_t last = to * columns / span;
    if (first >= columns) first = columns - 1;
    if (last > columns) last = columns;
    if (last <= first) last = first + 1;
    add_bar(tree, colour_of(row->view.state), (uint32_t)first, (uint32_t)(last - first), columns);
}

// `120/1000` and, where there is room, a bar of it.
static uint32_t add_progress(const Tree *tree, const Row *row, uint32_t columns) {
    LoopProgress progress;
    if (!engine_loop_progress(tree->engine, row->view.id, &progress)) return 0;
    Buffer text = {0};
    buffer_printf(&text, "%u/%u", progress.ended, progress.total);
    uint32_t used = (uint32_t)text.len;
    if (used <= columns) {
        buffer_add(tree->out, buffer_str(&text));
        bool has_bar = !tree->style->is_timeline && row->is_open && columns >= used + 11;
        if (has_bar && progress.total > 0) {
            uint32_t size = columns - used - 1 > 30 ? 30 : columns - used - 1;
            uint64_t filled = (uint64_t)progress.ended * size / progress.total;
            buffer_add_char(tree->out, ' ');
            add_bar(tree, colour_of(row->view.state), 0, (uint32_t)filled, size);
            used += 1 + size;
        }
    } else {
        used = 0;
    }
    buffer_release(&text);
    return used;
}

static uint32_t add_remark(const Tree *tree, const Row *row, uint32_t columns) {
    Buffer text = {0};
    if (row->view.is_unknown) {
        buffer_add(&text, STR("outcome unknown"));
    } else if (row->view.attempts > 1) {
        buffer_printf(&text, row->is_open ? "attempt %d" : "%d attempts", row->view.attempts);
    }
    uint32_t used = text.len > 0 && text.len <= columns ? (uint32_t)text.len : 0;
    if (used > 0) add_coloured(tree, row->view.is_unknown ? "33" : "2", buffer_str(&text));
    buffer_release(&text);
    return used;
}

enum {
    STATE_COLUMNS = 9,
    TIME_COLUMNS = 10,
    REMARK_COLUMNS = 12,  // beside a timeline: attempts, how far a loop is
    NAME_COLUMNS_MIN = 12
};

static Str name_of(Tree *tree, const Row *row, Str prefix) {
    Buffer name = {0};
    buffer_add(&name, prefix);
    tree_add_plain(&name, row->view.task, tree->style->has_unicode);
    if (row->view.has_value) {
        buffer_add_char(&name, '[');
        tree_add_plain(&name, row->view.value, tree->style->has_unicode);
        buffer_add_char(&name, ']');
    }
    Str text = buffer_to_str(&name, &tree->arena);
    buffer_release(&name);
    return text;
}

// Beside a bar remarks have a column of their own; where there is no room for that, a remark stands
// in the bar's place.
static void add_rest(const Tree *tree, const Row *row, uint32_t columns) {
    bool is_timeline = tree->style->is_timeline;
    bool has_both = is_timeline && columns >= REMARK_COLUMNS + 1 + BAR_COLUMNS_MIN;
    uint32_t room = has_both ? REMARK_COLUMNS : columns;
    uint32_t used = add_progress(tree, row, room);
    if (used > 0 && used + 1 < room) {
        buffer_add_char(tree->out, ' ');
        used++;
    }
    used += add_remark(tree, row, room - used);
    if (has_both) {
        buffer_add_repeat(tree->out, ' ', room - used + 1);
        add_timeline(tree, row, columns - room - 1);
    } else if (is_timeline && used == 0) {
        add_timeline(tree, row, columns);
    }
}

static void add_line(Tree *tree, const Row *row, Str prefix) {
    uint32_t columns = tree->style->columns;
    add_padded(tree, name_of(tree, row, prefix), tree->name_columns);
    uint32_t left = columns - tree->name_columns;
    if (left >= STATE_COLUMNS + 1) {
        buffer_add_char(tree->out, ' ');
        Str state = str_from(state_name(row->view.state));
        add_coloured(tree, colour_of(row->view.state), state);
        if (state.len < STATE_COLUMNS) {
            buffer_add_repeat(tree->out, ' ', STATE_COLUMNS - state.len);
        }
        left -= STATE_COLUMNS + 1;
    }
    if (left >= TIME_COLUMNS + 1) {
        Buffer time = {0};
        cli_duration(&time, end_of(tree, row) - row->view.created_ms);
        buffer_printf(tree->out, " %*.*s", TIME_COLUMNS, (int)time.len, time.ptr);
        buffer_release(&time);
        left -= TIME_COLUMNS + 1;
    }
    if (left > 2) {
        buffer_add(tree->out, STR("  "));
        add_rest(tree, row, left - 2);
    }
    // Nothing hangs behind a line.
    while (tree->out->len > 0 && tree->out->ptr[tree->out->len - 1] == ' ') tree->out->len--;
    buffer_add_char(tree->out, '\n');
    tree->lines++;
}

static bool has_parent_row(const Tree *tree, const Row *row) {
    return has_row(tree, row->view.parent);
}

// Rows are in the order of creation: a parent stands before what is below it.
static const Row *next_below(const Tree *tree, const Row *parent, uint32_t *from) {
    for (; *from < tree->rows.count; (*from)++) {
        const Row *row = &tree->rows.items[*from];
        bool is_below = parent == NULL ? !has_parent_row(tree, row)
                                       : is_same(row->view.parent, parent->view.id);
        if (is_below) {
            (*from)++;
            return row;
        }
    }
    return NULL;
}

enum { DEPTH_SHOWN = 40 };

typedef void (*RowCall)(Tree *tree, const Row *row, Str prefix);

// Depth is bounded by DEPTH_SHOWN: what is nested deeper stays away.
static void walk(Tree *tree, const Row *parent, Str indent, uint32_t depth, RowCall call) {
    bool has_unicode = tree->style->has_unicode;
    uint32_t at = 0;
    const Row *row = depth > DEPTH_SHOWN ? NULL : next_below(tree, parent, &at);
    while (row != NULL) {
        const Row *next = next_below(tree, parent, &at);
        bool is_last = next == NULL;
        Str fork =
            has_unicode ? (is_last ? STR("└─ ") : STR("├─ ")) : (is_last ? STR("`- ") : STR("|- "));
        Str line = is_last ? STR("   ") : has_unicode ? STR("│  ") : STR("|  ");
        call(tree, row, str_concat(&tree->arena, indent, fork));
        walk(tree, row, str_concat(&tree->arena, indent, line), depth + 1, call);
        row = next;
    }
}

static void measure(Tree *tree, const Row *row, Str prefix) {
    uint32_t columns = columns_of(name_of(tree, row, prefix));
    if (columns > tree->name_columns) tree->name_columns = columns;
}

static void add_head(Tree *tree) {
    const Plan *plan = engine_plan(tree->engine);
    Buffer title = {0};
    Buffer rest = {0};
    const char *state = state_name(engine_state(tree->engine));
    tree_add_plain(&title, plan_text(plan, plan->flow.id), tree->style->has_unicode);
    buffer_printf(&rest, "  %u done, %u running", tree->done, tree->open);
    if (tree->failed > 0) buffer_printf(&rest, ", %u failed", tree->failed);
    buffer_add(&rest, STR("  "));
    cli_duration(&rest, tree->end_ms - tree->start_ms);
    uint32_t room = tree->style->columns;
    Str name = columns_cut(buffer_str(&title), room);
    room -= columns_of(name);
    add_coloured(tree, "1", name);
    if (room > strlen(state) + 1) {
        buffer_add_char(tree->out, ' ');
        add_coloured(tree, colour_of(engine_state(tree->engine)), str_from(state));
        room -= (uint32_t)strlen(state) + 1;
        buffer_add(tree->out, columns_cut(buffer_str(&rest), room));
    }
    buffer_add_char(tree->out, '\n');
    tree->lines++;
    buffer_release(&title);
    buffer_release(&rest);
}

static void add_hidden(Tree *tree) {
    Buffer text = {0};
    if (tree->hidden == 0) return;
    buffer_printf(&text, "%s and %u more", tree->style->has_unicode ? "…" : "...", tree->hidden);
    if (tree->hidden_open > 0) buffer_printf(&text, ", %u of them running", tree->hidden_open);
    add_coloured(tree, "2", columns_cut(buffer_str(&text), tree->style->columns));
    buffer_add_char(tree->out, '\n');
    tree->lines++;
    buffer_release(&text);
}

uint32_t tree_draw(const Engine *engine, const TreeStyle *style, Buffer *out) {
    Tree tree = {.engine = engine, .style = style, .out = out};
    const StateChange *changes = NULL;
    uint32_t count = engine_history(engine, (RunId){0}, &changes);
    if (count > 0) {
        tree.start_ms = changes[0].time_ms;
        bool is_over = state_is_terminal(changes[count - 1].state);
        tree.end_ms = is_over ? changes[count - 1].time_ms : style->now_ms;
    }
    choose_rows(&tree);
    if (!style->is_timeline) add_head(&tree);
    walk(&tree, NULL, (Str){0}, 0, measure);
    uint32_t widest = style->columns * 2 / 5;
    if (widest < NAME_COLUMNS_MIN) widest = NAME_COLUMNS_MIN;
    if (widest > style->columns) widest = style->columns;
    if (tree.name_columns > widest) tree.name_columns = widest;
    walk(&tree, NULL, (Str){0}, 0, add_line);
    add_hidden(&tree);
    arena_release(&tree.arena);
    return tree.lines;
}
