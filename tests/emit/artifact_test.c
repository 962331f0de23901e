// artifact_test.c - whole flows to artifacts: leaves as golden files, folding, sections, same
// bytes.
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "emit/emit.h"
#include "leaf/leaf.h"
#include "support/test.h"

typedef struct Fixture {
    Arena arena;
    Sources sources;
    Diags diags;
    Catalog *catalog;
    PlanDraft *draft;
    Buffer artifact;
} Fixture;

static int setup(void **state) {
    static Fixture fixture;
    fixture = (Fixture){0};
    fixture.sources.arena = fixture.diags.arena = &fixture.arena;
    fixture.catalog = catalog_new(&fixture.arena);
    *state = &fixture;
    return crypto_init().code;
}

static int teardown(void **state) {
    Fixture *fixture = *state;
    if (fixture->draft != NULL) plan_draft_release(fixture->draft);
    buffer_release(&fixture->artifact);
    arena_release(&fixture->arena);
    return 0;
}

static void show(const Fixture *fixture) {
    for (uint32_t i = 0; i < fixture->diags.list.count; i++) {
        const Diag *diag = fixture->diags.list.items[i];
        print_message("%s " STR_FMT "\n", diag->code, STR_ARG(diag->message));
    }
}

static PlanDraft *plan(Fixture *fixture, Str name, Str text) {
    static const Str externals[] = {
        {"io.kestra.plugin.", 17}
    };
    uint32_t file = sources_add(&fixture->sources, name, text);
    Tree *tree = syntax_read(&fixture->sources, file, &fixture->arena, &fixture->diags);
    FlowOptions flow_options = {.targets = TARGET_1_3};
    Flow *flow = flow_build(tree, &tree->documents.items[0], fixture->catalog, &flow_options,
                            &fixture->arena, &fixture->diags);
    assert_non_null(flow);
    PlanOptions options = {.targets = TARGET_1_3, .externals = externals, .external_count = 1};
    if (fixture->draft != NULL) plan_draft_release(fixture->draft);
    fixture->draft = plan_build(flow, fixture->catalog, &options, &fixture->arena, &fixture->diags);
    if (diags_count(&fixture->diags, DIAG_ERROR) > 0) show(fixture);
    assert_int_equal(diags_count(&fixture->diags, DIAG_ERROR), 0);
    return fixture->draft;
}

static Str compile(Fixture *fixture, Str name, Str text, bool no_source) {
    PlanDraft *draft = plan(fixture, name, text);
    EmitOptions options = {.sources = &fixture->sources, .no_source = no_source};
    buffer_clear(&fixture->artifact);
    Err err = emit_artifact(draft, &options, fixture->catalog, &fixture->arena, &fixture->diags,
                            &fixture->artifact);
    if (err.code != ERR_NONE) show(fixture);
    assert_ok(err);
    return buffer_str(&fixture->artifact);
}

static Str read_text(Fixture *fixture, const char *path) {
    Str text;
    assert_ok(file_read(path, 1 << 20, &fixture->arena, &text));
    return text;
}

static void leaves_of_a_flow_are_those_of_the_golden_file(void **state) {
    Fixture *fixture = *state;
    const char *golden = FLOW_SOURCE_DIR "/tests/emit/flows/properties.lua";
    Str text = read_text(fixture, FLOW_SOURCE_DIR "/tests/emit/flows/properties.yaml");
    PlanDraft *draft = plan(fixture, STR("properties.yaml"), text);
    EmittedLeaf *leaves = NULL;
    uint32_t count = 0;
    SourceMap map = {0};
    Buffer out = {0};
    emit_leaves(draft, &fixture->sources, &fixture->arena, &fixture->diags, &leaves, &count, &map);
    for (uint32_t i = 0; i < count; i++) {
        PlanLeaf leaf = *draft->leaves.items[i].target;
        buffer_printf(&out, "-- " STR_FMT "\n", STR_ARG(draft->leaves.items[i].what));
        if ((leaf & PLAN_CONSTANT) != 0) {
            buffer_printf(&out, "-- constant " STR_FMT "\n",
                          STR_ARG(plan_text(&draft->plan, leaf & ~PLAN_CONSTANT)));
        } else {
            buffer_add(&out, leaves[i].lua);
        }
        buffer_add_char(&out, '\n');
    }
    show(fixture);
    assert_int_equal(diags_count(&fixture->diags, DIAG_ERROR), 0);
    if (getenv("FLOW_UPDATE") != NULL) {
        assert_ok(file_write(golden, buffer_str(&out), 0644));
    } else {
        assert_str_equal(buffer_str(&out), read_text(fixture, golden));
    }
    buffer_release(&out);
}

static void what_reads_no_context_becomes_a_constant(void **state) {
    static const struct {
        const char *format, *constant;  // NULL: stays a leaf
    } rows[] = {
        {"plain",                                                       "{\"format\":\"plain\"}"},
        {"{{ 1 + 2 }}",                                                 "{\"format\":\"3\"}"    },
        {"{{ [3,1] | sort | first }}",                                  "{\"format\":\"1\"}"    },
        {"{{ inputs.x ?? 1 }}",                                         NULL                    },
        {"{{ secret('A') }}",                                           NULL                    },
        {"{{ kv('a') }}",                                               NULL                    },
        {"{{ read('a') }}",                                             NULL                    },
        {"{{ now() }}",                                                 NULL                    },
        {"{{ uuid() }}",                                                NULL                    },
        {"{{ '2024-01-01' | date('yyyy') }}",                           NULL                    },
        {"{{ '2024-01-01T00:00:00Z' | date('yyyy', timeZone='UTC') }}", "{\"format\":\"2024\"}" },
        {"{{ 1 / 0 }}",                                                 NULL                    },
        {"{% for i in 1..100000 %}{{ i }}{% endfor %}",                 NULL                    },
    };
    Fixture *fixture = *state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        Str text = str_printf(&fixture->arena,
                              "id: f\nnamespace: n\ntasks:\n  - id: t\n    type: "
                              "io.kestra.plugin.core.debug.Return\n    format: \"%s\"\n",
                              rows[i].format);
        compile(fixture, STR("f.yaml"), text, false);
        const PlanDraft *draft = fixture->draft;
        PlanLeaf leaf = draft->nodes.items[1].leaf_props;
        bool is_constant = (leaf & PLAN_CONSTANT) != 0;
        if (is_constant != (rows[i].constant != NULL)) test_row(i);
        assert_int_equal(is_constant, rows[i].constant != NULL);
        if (!is_constant) continue;
        assert_str_equal(plan_text(&draft->plan, leaf & ~PLAN_CONSTANT),
                         str_from(rows[i].constant));
    }
}

static void the_same_flow_gives_the_same_bytes(void **state) {
    Fixture *fixture = *state;
    Str text = read_text(fixture, FLOW_SOURCE_DIR "/tests/emit/flows/properties.yaml");
    Str first = compile(fixture, STR("/one/properties.yaml"), text, false);
    Str copy = str_dup(&fixture->arena, first);
    Str second = compile(fixture, STR("/another/folder/properties.yaml"), text, false);
    assert_int_equal(copy.len, second.len);
    assert_memory_equal(copy.ptr, second.ptr, copy.len);
}

static void an_artifact_opens_and_says_what_it_needs(void **state) {
    Fixture *fixture = *state;
    Str text = read_text(fixture, FLOW_SOURCE_DIR "/tests/emit/flows/properties.yaml");
    Str bytes = compile(fixture, STR("properties.yaml"), text, false);
    Artifact artifact;
    assert_ok(artifact_open(bytes, &artifact));
    assert_ok(artifact_decode(&artifact, leaf_bytecode_version(), LEAF_ABI, &fixture->arena));
    assert_str_equal(artifact_section(&artifact, "FLOW"), text);
    assert_str_equal(value_map_get_text(artifact.manifest, STR("id"), (Str){0}), STR("properties"));
    static const struct {
        const char *key, *json;
    } rows[] = {
        {"secrets",  "[\"TOKEN\"]"                                                            },
        {"hosts",    "[\"example.com\"]"                                                      },
        {"commands", "[\"curl\"]"                                                             },
        {"images",   "[]"                                                                     },
        {"inputs",   "[{\"id\":\"name\",\"type\":\"STRING\",\"required\":true},"
                   "{\"id\":\"count\",\"type\":\"INT\",\"required\":false}]"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        Buffer json = {0};
        const Value *value = value_map_get(artifact.manifest, str_from(rows[i].key));
        assert_non_null(value);
        Value want;
        assert_ok(json_parse(str_from(rows[i].json), (JsonLimits){0}, &fixture->arena, &want));
        json_write(&json, *value, JSON_CANONICAL, 0);
        if (!value_equal(*value, want)) {
            print_error("%s: " STR_FMT "\n", rows[i].key, STR_ARG(buffer_str(&json)));
        }
        assert_true(value_equal(*value, want));
        buffer_release(&json);
    }
    Buffer json = {0};
    emit_plan_json(&artifact.plan, &json);
    Value plan_value;
    assert_ok(json_parse(buffer_str(&json), (JsonLimits){0}, &fixture->arena, &plan_value));
    buffer_release(&json);
}

static void without_source_the_text_is_not_in_it(void **state) {
    Fixture *fixture = *state;
    Str text = read_text(fixture, FLOW_SOURCE_DIR "/tests/emit/flows/properties.yaml");
    Str bytes = compile(fixture, STR("properties.yaml"), text, true);
    Artifact artifact;
    assert_ok(artifact_open(bytes, &artifact));
    assert_int_equal(artifact_section(&artifact, "FLOW").len, 0);
    assert_int_equal(str_find(bytes, STR("tasks:"), 0), STR_NOT_FOUND);
}

static void a_flow_that_cannot_be_compiled_gives_findings_and_no_bytes(void **state) {
    Fixture *fixture = *state;
    PlanDraft *draft = plan(fixture, STR("f.yaml"),
                            STR("id: f\nnamespace: n\ntasks:\n  - id: t\n    type: "
                                "io.kestra.plugin.core.debug.Return\n"
                                "    format: \"{{ render(inputs.x) }}\"\n"));
    EmitOptions options = {.sources = &fixture->sources};
    assert_ok(emit_artifact(draft, &options, fixture->catalog, &fixture->arena, &fixture->diags,
                            &fixture->artifact));
    assert_int_equal(fixture->artifact.len, 0);
    assert_int_equal(diags_count(&fixture->diags, DIAG_ERROR), 1);
    assert_str_equal(str_from(fixture->diags.list.items[0]->code), STR("E0401"));
}

static void the_main_job_is_small(void **state) {
    Fixture *fixture = *state;
    const char *path = FLOW_SOURCE_DIR "/samples/multi_cloud/flow.yaml";
    if (access(path, R_OK) != 0) skip();
    Str bytes = compile(fixture, STR("flow.yaml"), read_text(fixture, path), false);
    print_message("%zu bytes\n", bytes.len);
    assert_true(bytes.len <= 64 * 1024);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(leaves_of_a_flow_are_those_of_the_golden_file, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_reads_no_context_becomes_a_constant, setup, teardown),
        cmocka_unit_test_setup_teardown(the_same_flow_gives_the_same_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(an_artifact_opens_and_says_what_it_needs, setup, teardown),
        cmocka_unit_test_setup_teardown(without_source_the_text_is_not_in_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_flow_that_cannot_be_compiled_gives_findings_and_no_bytes,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(the_main_job_is_small, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
