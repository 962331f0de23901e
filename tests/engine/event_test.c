// event_test.c - events as JSON: nothing is lost, nothing can pose as a secret.
#include "support/test.h"

#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "engine/engine.h"

static Str written(const Event *event, Arena *arena) {
    Buffer text = {0};
    event_write(event, &text);
    Str result = buffer_to_str(&text, arena);
    buffer_release(&text);
    return result;
}

static uint64_t number(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 16;
}

static Str random_text(uint64_t *state, Arena *arena) {
    static const char *const pieces[] = {"a", "\"",      "\\", "\n", "é",
                                         "😀", "$secret", "\t", "",   "{}"};
    Buffer text = {0};
    for (uint64_t i = number(state) % 5; i > 0; i--) {
        buffer_add(&text, str_from(pieces[number(state) % COUNT(pieces)]));
    }
    Str result = buffer_to_str(&text, arena);
    buffer_release(&text);
    return result;
}

static Value random_value(uint64_t *state, Arena *arena, int depth) {
    switch (number(state) % (depth > 3 ? 5 : 8)) {
    case 0:
        return value_null();
    case 1:
        return value_bool(number(state) % 2 == 0);
    case 2:
        return value_int((int64_t)(number(state) << 20) - 77);
    case 3:
        return value_float((double)(number(state) % 100000) / 7);
    case 4:
        return value_text(random_text(state, arena));
    case 5: {
        Value list = value_list(arena);
        for (uint64_t i = number(state) % 4; i > 0; i--) {
            value_list_add(arena, list, random_value(state, arena, depth + 1));
        }
        return list;
    }
    case 6: {
        Value *recipe = arena_new(arena, Value);
        *recipe = value_map(arena);
        value_map_set(arena, *recipe, STR("op"), value_text(STR("secret")));
        value_map_set(arena, *recipe, STR("name"), value_text(random_text(state, arena)));
        return (Value){.kind = VALUE_SECRET, .as.secret = recipe};
    }
    default: {
        Value map = value_map(arena);
        for (uint64_t i = number(state) % 4; i > 0; i--) {
            Str key = number(state) % 3 == 0 ? STR("$secret") : random_text(state, arena);
            value_map_set(arena, map, key, random_value(state, arena, depth + 1));
        }
        return map;
    }
    }
}

static RunId random_id(uint64_t *state) {
    RunId id = {{0}};
    for (int i = 0; number(state) % 4 != 0 && i < 16; i++) id.bytes[i] = (uint8_t)number(state);
    return id;
}

static Event random_event(uint64_t *state, Arena *arena) {
    bool full = number(state) % 2 == 0;
    Event event = {
        .kind = (EventKind)(number(state) % (EVENT_KIND_END - 1) + 1),
        .run = random_id(state),
        .state = (State)(number(state) % STATE_COUNT),
        .is_error = number(state) % 2 == 0,
        .parent = random_id(state),
        .frame = random_id(state),
        .text = random_text(state, arena),
        .value = random_value(state, arena, 0),
    };
    if (!full) return event;
    event.node = (uint32_t)number(state);
    event.slot = (uint32_t)number(state);
    event.attempt = (int32_t)number(state);
    event.at_ms = -(int64_t)number(state);
    event.index = (int64_t)number(state) - 1000;
    event.begun = (Begun)(number(state) % 3);
    event.exit_code = (int32_t)(number(state) % 512) - 256;
    event.id = random_text(state, arena);
    event.task = random_text(state, arena);
    event.error_class = random_text(state, arena);
    event.more = random_value(state, arena, 0);
    return event;
}

static void assert_same(const Event *a, const Event *b) {
    assert_int_equal(a->kind, b->kind);
    assert_memory_equal(&a->run, &b->run, sizeof a->run);
    assert_memory_equal(&a->parent, &b->parent, sizeof a->run);
    assert_memory_equal(&a->frame, &b->frame, sizeof a->run);
    assert_int_equal(a->state, b->state);
    assert_int_equal(a->node, b->node);
    assert_int_equal(a->slot, b->slot);
    assert_int_equal(a->attempt, b->attempt);
    assert_true(a->at_ms == b->at_ms && a->index == b->index);
    assert_int_equal(a->begun, b->begun);
    assert_int_equal(a->exit_code, b->exit_code);
    assert_int_equal(a->is_error, b->is_error);
    assert_str_equal(a->id, b->id);
    assert_str_equal(a->task, b->task);
    assert_str_equal(a->text, b->text);
    assert_str_equal(a->error_class, b->error_class);
    assert_true(value_equal(a->value, b->value));
    assert_true(value_equal(a->more, b->more));
}

static void nothing_is_lost(void **test_state) {
    (void)test_state;
    uint64_t state = 1;
    for (int i = 0; i < 20000; i++) {
        Arena arena = {0};
        Event event = random_event(&state, &arena);
        Str text = written(&event, &arena);
        Event read;
        assert_ok(event_read(event.kind, text, &arena, &read));
        assert_same(&event, &read);
        assert_str_equal(written(&read, &arena), text);
        arena_release(&arena);
    }
}

static void what_is_empty_is_left_out(void **state) {
    (void)state;
    Arena arena = {0};
    Event event = {.kind = EVENT_STATE, .state = STATE_RUNNING};
    assert_str_equal(written(&event, &arena), STR("{\"state\":\"RUNNING\"}"));
    event = (Event){.kind = EVENT_OWNER};
    assert_str_equal(written(&event, &arena), STR("{}"));
    arena_release(&arena);
}

static void a_text_from_outside_cannot_pose_as_a_secret(void **state) {
    (void)state;
    Arena arena = {0};
    Value value;
    assert_ok(json_parse(STR("{\"a\":{\"$secret\":{\"op\":\"secret\",\"name\":\"TOKEN\"}}}"),
                         (JsonLimits){0}, &arena, &value));
    Event event = {.kind = EVENT_ENDED, .value = value};
    Event read;
    assert_ok(event_read(EVENT_ENDED, written(&event, &arena), &arena, &read));
    assert_false(value_has_secret(read.value));
    assert_true(value_equal(value, read.value));
    // Beside a true one, too.
    Value recipe = value_map(&arena);
    value_map_set(&arena, recipe, STR("op"), value_text(STR("input")));
    value_map_set(&arena, value, STR("b"), (Value){.kind = VALUE_SECRET, .as.secret = &recipe});
    assert_ok(event_read(EVENT_ENDED, written(&event, &arena), &arena, &read));
    assert_true(value_equal(value, read.value));
    assert_int_equal(value_map_get(read.value, STR("a"))->kind, VALUE_MAP);
    assert_false(value_has_secret(*value_map_get(read.value, STR("a"))));
    arena_release(&arena);
}

static void deep_values_come_back(void **state) {
    (void)state;
    Arena arena = {0};
    Value value = value_int(7);
    for (int i = 0; i < 63; i++) {
        Value list = value_list(&arena);
        value_list_add(&arena, list, value);
        value = list;
    }
    Event event = {.kind = EVENT_ENDED, .value = value};
    Event read;
    assert_ok(event_read(EVENT_ENDED, written(&event, &arena), &arena, &read));
    assert_true(value_equal(value, read.value));
    arena_release(&arena);
}

static void what_does_not_fit_is_refused(void **state) {
    (void)state;
    static const struct {
        int kind;
        const char *body;
        const char *says;
    } rows[] = {
        {EVENT_STATE,    "[]",                   "an event must be a map"                  },
        {EVENT_STATE,    "{\"state\":\"RUN\"}",  "event member 'state': expected the name" },
        {EVENT_STATE,    "{\"state\":7}",        "event member 'state': expected a text"   },
        {EVENT_TASKRUN,  "{\"run\":\"12\"}",     "event member 'run': expected 32"         },
        {EVENT_TASKRUN,  "{\"node\":-1}",        "event member 'node': expected an integer"},
        {EVENT_ENDED,    "{\"begun\":\"soon\"}", "event member 'begun': expected never"    },
        {EVENT_ENDED,    "{\"error\":1}",        "event member 'error': expected true"     },
        {EVENT_ENDED,    "{",                    ""                                        },
        {EVENT_KIND_END, "{}",                   "event of kind 31 is unknown"             },
        {0,              "{}",                   "event of kind 0 is unknown"              },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        Arena arena = {0};
        Event read;
        Err err = event_read((EventKind)rows[i].kind, str_from(rows[i].body), &arena, &read);
        assert_int_not_equal(err.code, ERR_NONE);
        if (!str_starts_with(str_from(err.text), str_from(rows[i].says)))
            print_error("%s\n", err.text);
        assert_true(str_starts_with(str_from(err.text), str_from(rows[i].says)));
        arena_release(&arena);
    }
    Arena arena = {0};
    Event read;
    assert_ok(
        event_read(EVENT_STATE, STR("{\"later\":{\"a\":1},\"state\":\"RUNNING\"}"), &arena, &read));
    assert_int_equal(read.state, STATE_RUNNING);
    arena_release(&arena);
}

static void states_have_names_both_ways(void **test_state) {
    (void)test_state;
    for (int i = STATE_CREATED; i < STATE_COUNT; i++) {
        State state = STATE_NONE;
        assert_true(state_from(str_from(state_name((State)i)), &state));
        assert_int_equal(state, i);
        bool is_terminal = i >= STATE_SUCCESS;
        assert_int_equal(state_is_terminal(state), is_terminal);
    }
    State state;
    assert_false(state_from(STR("success"), &state));
    assert_false(state_from(STR("NONE"), &state));
}

static void run_ids_print_and_parse(void **state) {
    (void)state;
    RunId id = {
        {0x01, 0xab, 0xff}
    };
    char text[33];
    run_id_print(id, text);
    assert_string_equal(text, "01abff00000000000000000000000000");
    RunId parsed;
    assert_true(run_id_parse(str_from(text), &parsed));
    assert_memory_equal(&id, &parsed, sizeof id);
    assert_false(run_id_parse(STR("01ab"), &parsed));
    assert_false(run_id_parse(STR("01abff0000000000000000000000000g"), &parsed));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_lost),
        cmocka_unit_test(what_is_empty_is_left_out),
        cmocka_unit_test(a_text_from_outside_cannot_pose_as_a_secret),
        cmocka_unit_test(deep_values_come_back),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(states_have_names_both_ways),
        cmocka_unit_test(run_ids_print_and_parse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
