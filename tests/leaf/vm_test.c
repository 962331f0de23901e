// vm_test.c - the machine: running, limits, the sandbox, waiting for answers.
#include <lauxlib.h>
#include <lua.h>

#include "leaf/fixture.h"

static const char *const context =
    "{\"inputs\":{\"name\":\"web\",\"n\":null,\"l\":[10,20],\"m\":{\"a\":1}},\"nil\":null}";

static void a_leaf_renders_text_from_its_context(void **state) {
    Fixture *fixture = *state;
    fixture_context(fixture, context);
    assert_str_equal(
        fixture_eval(fixture, "rt.text('x-', rt.get(rt.root('inputs', 1), 'name', 2))"),
        STR("x-web"));
}

static void a_value_keeps_its_type(void **state) {
    Fixture *fixture = *state;
    fixture_context(fixture, context);
    fixture_run(fixture, "return rt.value(rt.get(rt.root('inputs', 1), 'l', 2))");
    assert_int_equal(fixture->run.value.kind, VALUE_LIST);
    assert_int_equal(fixture->run.value.as.list->items[1].as.integer, 20);
}

static void what_is_missing_is_named_with_what_is_there(void **state) {
    static const struct {
        const char *expression, *message, *name;
    } rows[] = {
        {"rt.text(rt.root('nope', 1))",
         "undefined: 'nope' is not defined: defined here are inputs, nil",                           "nope"   },
        {"rt.text(rt.get(rt.root('trigger', 1), 'date', 2))",
         "undefined: 'trigger' is not defined: no trigger started this execution",                   "trigger"},
        {"rt.text(rt.get(rt.root('inputs', 1), 'nam', 2))",
         "undefined: 'inputs.nam' is not defined: 'inputs' has the keys 'name', 'n', 'l', 'm'",      "nam"    },
        {"rt.text(rt.get(rt.get(rt.root('inputs', 1), 'l', 2), 2, 3))",
         "undefined: 'inputs.l[2]' is not defined: 'inputs.l' is a list of 2 items",                 "2"      },
        {"rt.text(rt.get(rt.get(rt.root('inputs', 1), 'n', 2), 'x', 3))",
         "undefined: 'inputs.n.x' is not defined: 'inputs.n' is null",                               "x"      },
        {"rt.text(rt.get(rt.root('nil', 1), 'x', 3))",
         "undefined: 'nil' is null and has no attributes",                                           "nil"    },
        {"rt.text(rt.get(rt.get(rt.root('inputs', 1), 'name', 2), 'x', 3))",
         "undefined: 'inputs.name.x' is not defined: 'inputs.name' is a text and has no attributes", "x"      },
    };
    Fixture *fixture = *state;
    fixture_context(fixture, context);
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        assert_str_equal(fixture_eval(fixture, rows[i].expression), str_from(rows[i].message));
        assert_str_equal(fixture->run.error.name, str_from(rows[i].name));
        assert_int_not_equal(fixture->run.error.site, 0);
    }
}

static void undefined_travels_until_it_is_used(void **state) {
    Fixture *fixture = *state;
    assert_str_equal(
        fixture_eval(fixture, "rt.filter.default(1, rt.concat(rt.root('a', 1), 'x', 2), 'd')"),
        STR("d"));
    assert_str_equal(fixture_eval(fixture, "rt.is_nothing(rt.list(2, 1, rt.root('a', 1)))"),
                     STR("true"));
}

static void an_endless_loop_ends_with_the_limit_named(void **state) {
    Fixture *fixture = *state;
    assert_str_equal(fixture_eval(fixture, "(function() while true do end end)()"),
                     STR("limit: the expression needs more than 10000000 steps"));
}

static void the_budget_counts_work_done_in_c(void **state) {
    Fixture *fixture = *state;
    Str result =
        fixture_eval(fixture, "(function() while true do rt.range(1, 1000000, 1) end end)()");
    assert_true(str_starts_with(result, STR("limit: the expression needs more than")));
}

static void memory_ends_with_the_limit_named(void **state) {
    Fixture *fixture = *state;
    Str result = fixture_eval(fixture, "(function() local t, s = {}, 'x' for i = 1, 1e6 do s = "
                                       "s .. s t[i] = s end end)()");
    assert_true(str_starts_with(result, STR("limit: ")));
    assert_str_equal(fixture_eval(fixture, "rt.text('still alive')"), STR("still alive"));
}

static void endless_recursion_ends(void **state) {
    Fixture *fixture = *state;
    Str result = fixture_eval(fixture, "(function() local function f() return 1 + f() end "
                                       "return f() end)()");
    assert_true(str_starts_with(result, STR("limit: ")));
    assert_str_equal(fixture_eval(fixture, "rt.text('still alive')"), STR("still alive"));
}

static void a_leaf_sees_no_global(void **state) {
    static const char *const names[] = {"print", "load",   "require", "io",
                                        "os",    "debug",  "dofile",  "collectgarbage",
                                        "pcall", "string", "_G",      "rawset"};
    Fixture *fixture = *state;
    for (size_t i = 0; i < COUNT(names); i++) {
        test_row(i);
        char body[64];
        snprintf(body, sizeof body, "rt.text(%s == nil)", names[i]);
        assert_str_equal(fixture_eval(fixture, body), STR("true"));
    }
}

static void text_methods_have_no_patterns(void **state) {
    Fixture *fixture = *state;
    assert_str_equal(fixture_eval(fixture, "rt.text(('').match == nil and ('').gsub == nil and "
                                           "('').dump == nil and ('').gmatch == nil)"),
                     STR("true"));
    assert_str_equal(fixture_eval(fixture, "rt.text((('a.b'):find('.')))"), STR("2"));
}

static void a_need_waits_for_its_answer(void **state) {
    Fixture *fixture = *state;
    assert_int_equal(fixture_run(fixture, "return rt.text('v=', rt.func.kv(7, 'limit'))"),
                     LEAF_NEEDS);
    assert_int_equal(fixture->run.need, LEAF_NEED_KV);
    assert_str_equal(value_map_get_text(fixture->run.arguments, STR("key"), (Str){0}),
                     STR("limit"));
    assert_int_equal(leaf_answer(&fixture->run, value_int(5)), LEAF_DONE);
    assert_str_equal(fixture->run.value.as.text, STR("v=5"));
}

static void a_refused_need_fails_at_its_site(void **state) {
    Fixture *fixture = *state;
    assert_int_equal(fixture_run(fixture, "return rt.text(rt.func.kv(7, 'limit'))"), LEAF_NEEDS);
    assert_int_equal(leaf_refuse(&fixture->run, LEAF_ERROR_KV, STR("no key 'limit'")), LEAF_FAILED);
    assert_int_equal(fixture->run.error.kind, LEAF_ERROR_KV);
    assert_int_equal(fixture->run.error.site, 7);
}

static void waiting_leaves_do_not_disturb_others(void **state) {
    Fixture *fixture = *state;
    LeafRun waiting;
    fixture_run(fixture, "return rt.text(rt.func.kv(7, 'a'))");
    uint32_t leaf = fixture->leaves - 1;
    leaf_stop(&fixture->run);
    assert_int_equal(leaf_start(&waiting, fixture->vm, leaf, leaf_context_of_map(&fixture->context),
                                &fixture->arena),
                     LEAF_NEEDS);
    assert_str_equal(fixture_eval(fixture, "rt.text('other')"), STR("other"));
    assert_int_equal(leaf_answer(&waiting, value_text(STR("mine"))), LEAF_DONE);
    assert_str_equal(waiting.value.as.text, STR("mine"));
}

static void an_unknown_builtin_says_so(void **state) {
    Fixture *fixture = *state;
    assert_str_equal(fixture_eval(fixture, "rt.filter.nope(1, 'x')"),
                     STR("unknown: this runtime has no filter 'nope'"));
}

static void typed_mode_keeps_one_piece_and_joins_several(void **state) {
    static const struct {
        const char *expression, *text;
    } rows[] = {
        {"rt.typed()",                             ""                                                                                            },
        {"rt.typed(rt.null, 5)",                   "5"                                                                                           },
        {"rt.typed(5, 5)",                         "55"                                                                                          },
        {"rt.typed('x', rt.list(2, 1, 2))",        "x[1,2]"                                                                                      },
        {"rt.typed(rt.map(1, 'k', 'v'), ' tail')", "type: a map keeps its type only where nothing "
                                                   "else is printed: remove the text around it"},
    };
    Fixture *fixture = *state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        assert_str_equal(fixture_eval(fixture, rows[i].expression), str_from(rows[i].text));
    }
}

// A task module has pcall; its budget must end it all the same.
static void pcall_cannot_catch_the_budget(void **state) {
    Fixture *fixture = *state;
    static const char source[] = "local pcall = ... while true do pcall(function() while true do "
                                 "end end) end";
    Buffer bytecode = {0};
    assert_ok(leaf_compile_lua(str_from(source), STR("module"), &bytecode));
    lua_State *L = leaf_vm_lua(fixture->vm), *thread = lua_newthread(L);
    assert_int_equal(luaL_loadbufferx(thread, bytecode.ptr, bytecode.len, "=m", "b"), LUA_OK);
    lua_getglobal(thread, "pcall");
    LeafBudget budget = leaf_budget(&(LeafLimits){.steps = 100000});
    assert_int_equal(leaf_resume(fixture->vm, thread, 1, NULL, &budget), LUA_YIELD);
    assert_int_equal(budget.spent, LEAF_SPENT_STEPS);
    assert_true(budget.steps < 200000);
    lua_resetthread(thread);
    lua_pop(L, 1);
    buffer_release(&bytecode);
}

// table.sort cannot be yielded out of: there the budget is an error, again and again.
static void the_budget_ends_calls_back_from_c(void **state) {
    Fixture *fixture = *state;
    static const char source[] =
        "local pcall, sort = ... while true do pcall(function() sort({3, 2, 1}, function(a, b) "
        "while true do end end) end) end";
    Buffer bytecode = {0};
    assert_ok(leaf_compile_lua(str_from(source), STR("module"), &bytecode));
    lua_State *L = leaf_vm_lua(fixture->vm), *thread = lua_newthread(L);
    assert_int_equal(luaL_loadbufferx(thread, bytecode.ptr, bytecode.len, "=m", "b"), LUA_OK);
    lua_getglobal(thread, "pcall");
    lua_getglobal(thread, "table");
    lua_getfield(thread, -1, "sort");
    lua_remove(thread, -2);
    LeafBudget budget = leaf_budget(&(LeafLimits){.steps = 100000});
    assert_int_equal(leaf_resume(fixture->vm, thread, 2, NULL, &budget), LUA_YIELD);
    assert_int_equal(budget.spent, LEAF_SPENT_STEPS);
    lua_resetthread(thread);
    lua_pop(L, 1);
    buffer_release(&bytecode);
}

static void time_of_the_processor_is_limited(void **state) {
    Fixture *fixture = *state;
    (void)fixture_teardown(state);
    (void)fixture_open(state, (LeafLimits){.steps = UINT64_MAX / 2, .milliseconds = 20});
    fixture = *state;
    assert_str_equal(fixture_eval(fixture, "(function() while true do end end)()"),
                     STR("limit: the expression needs more than 20 ms of CPU time"));
}

static void maps_keep_their_order_in_modules(void **state) {
    Fixture *fixture = *state;
    Buffer bytecode = {0};
    static const char source[] =
        "local pairs, t = ... t.new = 3 t.b = nil local s = '' for k, v in "
        "pairs(t) do s = s .. k .. v end return s, t";
    assert_ok(leaf_compile_lua(str_from(source), STR("module"), &bytecode));
    lua_State *L = leaf_vm_lua(fixture->vm);
    Value map, back;
    assert_ok(json_parse(STR("{\"z\":1,\"b\":2,\"a\":0}"), (JsonLimits){0}, &fixture->arena, &map));
    assert_int_equal(luaL_loadbufferx(L, bytecode.ptr, bytecode.len, "=m", "b"), LUA_OK);
    lua_getglobal(L, "pairs");
    leaf_push_value(L, map);
    assert_int_equal(lua_pcall(L, 2, 2, 0), LUA_OK);
    assert_string_equal(lua_tostring(L, -2), "z1a0new3");
    assert_ok(leaf_to_value(L, -1, &fixture->arena, &back));
    assert_str_equal(value_to_text(&fixture->arena, back), STR("{\"z\":1,\"a\":0,\"new\":3}"));
    lua_pop(L, 2);
    buffer_release(&bytecode);
}

static void tables_of_modules_become_values(void **state) {
    static const struct {
        const char *lua, *json;
    } rows[] = {
        {"return {3, 2}",                  "[3,2]"                       },
        {"return {b = 1, a = {x = true}}", "{\"a\":{\"x\":true},\"b\":1}"},
        {"return {}",                      "{}"                          },
        {"return {1, x = 2}",              NULL                          },
        {"return {[1.5] = 2}",             NULL                          },
        {"return function() end",          NULL                          },
        {"local t = {} t.t = t return t",  NULL                          },
    };
    Fixture *fixture = *state;
    lua_State *L = leaf_vm_lua(fixture->vm);
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row(i);
        Buffer bytecode = {0};
        Value value;
        assert_ok(leaf_compile_lua(str_from(rows[i].lua), STR("module"), &bytecode));
        assert_int_equal(luaL_loadbufferx(L, bytecode.ptr, bytecode.len, "=m", "b"), LUA_OK);
        assert_int_equal(lua_pcall(L, 0, 1, 0), LUA_OK);
        Err err = leaf_to_value(L, -1, &fixture->arena, &value);
        lua_pop(L, 1);
        buffer_release(&bytecode);
        assert_true((err.code == ERR_NONE) == (rows[i].json != NULL));
        if (rows[i].json == NULL) continue;
        assert_str_equal(value_to_text(&fixture->arena, value), str_from(rows[i].json));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
        TEST(a_leaf_renders_text_from_its_context),
        TEST(a_value_keeps_its_type),
        TEST(what_is_missing_is_named_with_what_is_there),
        TEST(undefined_travels_until_it_is_used),
        TEST(an_endless_loop_ends_with_the_limit_named),
        TEST(the_budget_counts_work_done_in_c),
        TEST(pcall_cannot_catch_the_budget),
        TEST(the_budget_ends_calls_back_from_c),
        TEST(time_of_the_processor_is_limited),
        TEST(maps_keep_their_order_in_modules),
        TEST(tables_of_modules_become_values),
        TEST(memory_ends_with_the_limit_named),
        TEST(endless_recursion_ends),
        TEST(a_leaf_sees_no_global),
        TEST(text_methods_have_no_patterns),
        TEST(a_need_waits_for_its_answer),
        TEST(a_refused_need_fails_at_its_site),
        TEST(waiting_leaves_do_not_disturb_others),
        TEST(an_unknown_builtin_says_so),
        TEST(typed_mode_keeps_one_piece_and_joins_several),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
