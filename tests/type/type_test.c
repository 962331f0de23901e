// type_test.c - the lattice: order, join, meet, members, printing.
#include "support/test.h"
#include "type/type.h"

typedef struct Fixture {
    Arena arena;
} Fixture;

static int setup(void **state) {
    *state = heap_alloc(1, sizeof(Fixture));
    return 0;
}

static int teardown(void **state) {
    Fixture *fixture = *state;
    arena_release(&fixture->arena);
    heap_free(fixture);
    return 0;
}

static const Type *ab(Arena *arena) {
    const Str texts[] = {STR("b"), STR("a"), STR("b")};
    return type_literals(arena, texts, 3);
}

static const Type *record(Arena *arena, const char *a, const Type *at, const char *b,
                          const Type *bt) {
    TypeField *fields = arena_array(arena, TypeField, 2);
    fields[0] = (TypeField){str_from(a), at, false};
    fields[1] = (TypeField){str_from(b), bt, true};
    return type_record(arena, fields, 2, false);
}

// A few of every make, for the laws of the lattice.
static uint32_t samples(Arena *arena, const Type **out) {
    uint32_t n = 0;
    out[n++] = type_any();
    out[n++] = type_never();
    out[n++] = type_null();
    out[n++] = type_bool();
    out[n++] = type_int();
    out[n++] = type_number();
    for (TextKind kind = TEXT_PLAIN; kind <= TEXT_TEMPLATE; kind++) out[n++] = type_text(kind);
    out[n++] = ab(arena);
    out[n++] = type_literal(arena, STR("c"));
    out[n++] = type_list(arena, type_int());
    out[n++] = type_list(arena, type_text(TEXT_PLAIN));
    out[n++] = type_map(arena, type_any());
    out[n++] = type_map(arena, type_int());
    out[n++] = record(arena, "x", type_int(), "y", type_text(TEXT_DATE));
    out[n++] = record(arena, "x", type_float(), "z", type_bool());
    out[n++] = type_optional(arena, type_text(TEXT_PLAIN));
    out[n++] = type_json(arena, type_int());
    return n;
}

static void a_join_accepts_both_sides(void **state) {
    Fixture *fixture = *state;
    const Type *types[32];
    uint32_t count = samples(&fixture->arena, types);
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = 0; j < count; j++) {
            const Type *joined = type_join(&fixture->arena, types[i], types[j]);
            assert_true(type_accepts(joined, types[i]));
            assert_true(type_accepts(joined, types[j]));
            assert_true(type_equal(joined, type_join(&fixture->arena, types[j], types[i])));
        }
    }
}

static void order_is_reflexive_and_transitive(void **state) {
    Fixture *fixture = *state;
    const Type *types[32];
    uint32_t count = samples(&fixture->arena, types);
    for (uint32_t i = 0; i < count; i++) {
        assert_true(type_accepts(types[i], types[i]));
        assert_true(type_accepts(type_any(), types[i]));
        assert_true(type_accepts(types[i], type_never()));
        for (uint32_t j = 0; j < count; j++) {
            for (uint32_t k = 0; k < count; k++) {
                if (!type_accepts(types[i], types[j]) || !type_accepts(types[j], types[k])) {
                    continue;
                }
                assert_true(type_accepts(types[i], types[k]));
            }
        }
    }
}

static void a_meet_with_what_accepts_it_is_the_narrower(void **state) {
    Fixture *fixture = *state;
    const Type *types[32];
    uint32_t count = samples(&fixture->arena, types);
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = 0; j < count; j++) {
            if (!type_accepts(types[i], types[j])) continue;
            const Type *met = type_meet(&fixture->arena, types[i], types[j]);
            assert_true(type_equal(met, types[j]));
        }
    }
}

static void disjoint_types_have_no_common_value(void **state) {
    Fixture *fixture = *state;
    Arena *arena = &fixture->arena;
    assert_true(type_disjoint(type_bool(), type_text(TEXT_PLAIN)));
    assert_true(type_disjoint(type_int(), type_text(TEXT_PLAIN)));
    assert_true(type_disjoint(ab(arena), type_literal(arena, STR("c"))));
    assert_false(type_disjoint(ab(arena), type_text(TEXT_PLAIN)));
    assert_false(type_disjoint(type_int(), type_float()));
    assert_false(type_disjoint(type_any(), type_bool()));
    assert_false(type_disjoint(type_optional(arena, type_int()), type_null()));
}

static void types_print_in_the_words_of_the_user(void **state) {
    Fixture *fixture = *state;
    Arena *arena = &fixture->arena;
    assert_str_equal(type_to_text(arena, type_number()), STR("number"));
    assert_str_equal(type_to_text(arena, type_optional(arena, type_int())), STR("int?"));
    assert_str_equal(type_to_text(arena, ab(arena)), STR("\"a\" | \"b\""));
    assert_str_equal(type_to_text(arena, type_list(arena, type_text(TEXT_PLAIN))),
                     STR("list<string>"));
    assert_str_equal(type_to_text(arena, record(arena, "x", type_int(), "y", type_text(TEXT_DATE))),
                     STR("{x: int, y?: date}"));
    Buffer out = {0};
    type_print(type_text(TEXT_PLAIN), true, &out);
    assert_str_equal(buffer_str(&out), STR("secret<string>"));
    buffer_release(&out);
}

static void members_say_whether_they_are_there(void **state) {
    Fixture *fixture = *state;
    Arena *arena = &fixture->arena;
    const Type *type = record(arena, "x", type_int(), "y", type_bool());
    assert_int_equal(type_member(arena, type, STR("x")).is_there, CERTAINLY);
    assert_int_equal(type_member(arena, type, STR("y")).is_there, MAYBE);
    assert_int_equal(type_member(arena, type, STR("z")).is_there, CERTAINLY_NOT);
    assert_true(type_member(arena, type_text(TEXT_PLAIN), STR("x")).is_error_always);
    assert_int_equal(type_member(arena, type_list(arena, type_int()), STR("0")).is_there, MAYBE);
    assert_true(type_member(arena, type_list(arena, type_int()), STR("a")).is_error);
    const Type *either = type_join(arena, type, type_int());
    TypeMember member = type_member(arena, either, STR("x"));
    assert_true(member.is_error && !member.is_error_always);
}

static void narrowing_takes_literals_and_null_away(void **state) {
    Fixture *fixture = *state;
    Arena *arena = &fixture->arena;
    assert_true(type_equal(type_without_null(arena, type_optional(arena, type_int())), type_int()));
    const Type *left = type_without(arena, ab(arena), type_literal(arena, STR("a")));
    assert_str_equal(type_to_text(arena, left), STR("\"b\""));
    assert_int_equal(type_without(arena, ab(arena), ab(arena))->tag, TYPE_TAG_NEVER);
}

static void a_union_beyond_its_limit_is_any(void **state) {
    Fixture *fixture = *state;
    Arena *arena = &fixture->arena;
    const Type *type = type_never();
    for (TextKind kind = TEXT_DATETIME; kind <= TEXT_TEMPLATE; kind++) {
        type = type_join(arena, type, type_text(kind));
    }
    type = type_join(arena, type, type_bool());
    type = type_join(arena, type, type_null());
    type = type_join(arena, type, type_int());
    assert_true(type_is_any(type));
}

static void certainty_taint_and_effects_are_joined(void **state) {
    Fixture *fixture = *state;
    Typed a = typed_of(type_int(), SOURCE_LITERAL);
    Typed b = {.type = type_text(TEXT_PLAIN),
               .undef = CERTAINLY,
               .undef_path = STR("outputs.a"),
               .taint = TAINT_SECRET,
               .effects = HAS_SECRET,
               .source = SOURCE_CATALOG};
    Typed joined = typed_join(&fixture->arena, a, b);
    assert_int_equal(joined.undef, MAYBE);
    assert_str_equal(joined.undef_path, STR("outputs.a"));
    assert_int_equal(joined.taint, TAINT_SECRET);
    assert_int_equal(joined.source, SOURCE_CATALOG);
    assert_int_equal(joined.effects, HAS_SECRET);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_join_accepts_both_sides, setup, teardown),
        cmocka_unit_test_setup_teardown(order_is_reflexive_and_transitive, setup, teardown),
        cmocka_unit_test_setup_teardown(a_meet_with_what_accepts_it_is_the_narrower, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(disjoint_types_have_no_common_value, setup, teardown),
        cmocka_unit_test_setup_teardown(types_print_in_the_words_of_the_user, setup, teardown),
        cmocka_unit_test_setup_teardown(members_say_whether_they_are_there, setup, teardown),
        cmocka_unit_test_setup_teardown(narrowing_takes_literals_and_null_away, setup, teardown),
        cmocka_unit_test_setup_teardown(a_union_beyond_its_limit_is_any, setup, teardown),
        cmocka_unit_test_setup_teardown(certainty_taint_and_effects_are_joined, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
