// artifacts.c - flowrun inspect, verify, install, remove: artifacts as files and in the store.
#include "base/codec.h"
#include "cli/cli.h"

static const OptionSpec INSPECT_OPTIONS[] = {
    {"digest", 0, "semantic?", "only the digest; =semantic: equal for flows that differ in layout"},
    OPTION_END,
};
static const OptionSpec INSTALL_OPTIONS[] = {OPTION_UNSIGNED, OPTION_END};

static Str hex(Arena *arena, const uint8_t *bytes, size_t len) {
    Buffer text = {0};
    hex_encode(&text, bytes, len);
    Str str = buffer_to_str(&text, arena);
    buffer_release(&text);
    return str;
}

// A key's id as minisign prints it: the number, big end first.
static Str key_id(Arena *arena, const uint8_t *id) {
    uint8_t turned[KEY_ID_SIZE];
    for (int i = 0; i < KEY_ID_SIZE; i++) turned[i] = id[KEY_ID_SIZE - 1 - i];
    Buffer text = {0};
    for (int i = 0; i < KEY_ID_SIZE; i++) buffer_printf(&text, "%02X", turned[i]);
    Str str = buffer_to_str(&text, arena);
    buffer_release(&text);
    return str;
}

// --- inspect ------------------------------------------------------------------------------------

static Err open_file(Cli *cli, Artifact *out) {
    Str bytes = {0};
    const char *path = str_to_c(&cli->arena, cli->arguments[0]);
    Err err = artifact_read(path, &cli->arena, &bytes);
    if (err.code == ERR_NONE) err = artifact_open(bytes, out);
    if (err.code == ERR_NONE) {
        err = artifact_decode(out, leaf_bytecode_version(), LEAF_ABI, &cli->arena);
    }
    if (err.code == ERR_NONE || str_find(str_from(err.text), str_from(path), 0) != STR_NOT_FOUND) {
        return err;
    }
    return err_wrap(err, "'%s'", path);
}

static int show_digest(Cli *cli, const Artifact *artifact) {
    Hash digest = artifact->digest;
    Str kind = cli_option(cli, "digest");
    if (str_eq(kind, STR("semantic"))) {
        Err err = artifact_semantic_digest(artifact, &cli->arena, &digest);
        if (err.code != ERR_NONE) return cli_fail(cli, "artifact", &err, NULL);
    } else if (kind.len > 0) {
        return cli_usage(cli, "'--digest' takes no value but semantic");
    }
    Str text = hex(&cli->arena, digest.bytes, sizeof digest.bytes);
    if (cli->is_json) {
        Value map = value_map(&cli->arena);
        value_map_set(&cli->arena, map, STR("digest"), value_text(text));
        cli_print(cli, map);
    } else {
        cli_write(cli, str_concat(&cli->arena, text, STR("\n")));
    }
    return STATUS_OK;
}

static Value describe(Cli *cli, const Artifact *artifact) {
    Arena *arena = &cli->arena;
    const Plan *plan = &artifact->plan;
    Value map = value_map(arena);
    Value signers = value_list(arena);
    Value sections = value_list(arena);
    for (uint32_t i = 0; i < artifact->signature_count; i++) {
        value_list_add(arena, signers, value_text(key_id(arena, artifact->signatures[i].key_id)));
    }
    for (uint32_t i = 0; i < artifact->section_count; i++) {
        Value section = value_map(arena);
        value_map_set(arena, section, STR("tag"), value_text(str_from(artifact->sections[i].tag)));
        value_map_set(arena, section, STR("size"),
                      value_int((int64_t)artifact->sections[i].bytes.len));
        value_list_add(arena, sections, section);
    }
    value_map_set(arena, map, STR("version"), value_int(1));
    value_map_set(arena, map, STR("namespace"),
                  value_text(plan_text(plan, plan->flow.flow_namespace)));
    value_map_set(arena, map, STR("flowId"), value_text(plan_text(plan, plan->flow.id)));
    value_map_set(arena, map, STR("digest"),
                  value_text(hex(arena, artifact->digest.bytes, sizeof artifact->digest.bytes)));
    value_map_set(arena, map, STR("size"), value_int((int64_t)artifact->bytes.len));
    value_map_set(arena, map, STR("signers"), signers);
    value_map_set(arena, map, STR("nodes"), value_int(plan->node_count));
    value_map_set(arena, map, STR("manifest"), artifact->manifest);
    value_map_set(arena, map, STR("sections"), sections);
    return map;
}

static void add_list(Buffer *out, const char *title, const Value *list) {
    if (list == NULL || list->kind != VALUE_LIST || list->as.list->count == 0) return;
    buffer_printf(out, "%-11s", title);
    for (uint32_t i = 0; i < list->as.list->count; i++) {
        if (i > 0) buffer_add(out, STR(", "));
        value_print(out, list->as.list->items[i]);
    }
    buffer_add_char(out, '\n');
}

static int inspect(Cli *cli) {
    Artifact artifact;
    Err err = open_file(cli, &artifact);
    if (err.code != ERR_NONE) return cli_fail(cli, "artifact", &err, NULL);
    if (cli_has(cli, "digest")) return show_digest(cli, &artifact);
    Value map = describe(cli, &artifact);
    if (cli->is_json) {
        cli_print(cli, map);
        return STATUS_OK;
    }
    static const char *const lists[] = {"effects", "secrets",  "kv",       "hosts",
                                        "images",  "commands", "subflows", "tasks"};
    Buffer out = {0};
    buffer_printf(&out, "flow       " STR_FMT "." STR_FMT "\n",
                  STR_ARG(value_map_get_text(map, STR("namespace"), (Str){0})),
                  STR_ARG(value_map_get_text(map, STR("flowId"), (Str){0})));
    buffer_printf(&out, "digest     " STR_FMT "\n",
                  STR_ARG(value_map_get_text(map, STR("digest"), (Str){0})));
    buffer_printf(&out, "size       %zu bytes, %u nodes\n", artifact.bytes.len,
                  artifact.plan.node_count);
    const Value *signers = value_map_get(map, STR("signers"));
    if (signers->as.list->count == 0) buffer_add(&out, STR("signers    none\n"));
    add_list(&out, "signers", signers);
    for (size_t i = 0; i < COUNT(lists); i++) {
        add_list(&out, lists[i], value_map_get(artifact.manifest, str_from(lists[i])));
    }
    cli_write(cli, buffer_str(&out));
    buffer_release(&out);
    return STATUS_OK;
}

// --- verify -------------------------------------------------------------------------------------

static int verify(Cli *cli) {
    Artifact artifact;
    bool has_trust = cli_has(cli, "trust") || cli->config.trust_path.len > 0;
    Err err = open_file(cli, &artifact);
    if (err.code == ERR_NONE && !has_trust) {
        err = err_make(ERR_REFUSED,
                       "'" STR_FMT "' is undamaged, but without a trust file nobody can say whose "
                       "it is: name one with --trust",
                       STR_ARG(cli->arguments[0]));
    }
    if (err.code == ERR_NONE) err = cli_artifact(cli, cli->arguments[0], &artifact);
    if (err.code != ERR_NONE) return cli_fail(cli, "artifact", &err, NULL);
    Value map = describe(cli, &artifact);
    if (cli->is_json) {
        cli_print(cli, map);
        return STATUS_OK;
    }
    Buffer out = {0};
    buffer_add(&out, STR("ok: signed by "));
    const Value *signers = value_map_get(map, STR("signers"));
    value_print(&out, signers->as.list->items[0]);
    buffer_printf(&out, ", digest " STR_FMT "\n",
                  STR_ARG(value_map_get_text(map, STR("digest"), (Str){0})));
    cli_write(cli, buffer_str(&out));
    buffer_release(&out);
    return STATUS_OK;
}

// --- install and remove -------------------------------------------------------------------------

static Err install_into(Cli *cli, Store *store, const Artifact *artifact, int64_t *revision) {
    const Plan *plan = &artifact->plan;
    TRY(store_begin(store));
    Err err = store_put_artifact(store, &artifact->digest, artifact->bytes);
    if (err.code == ERR_NONE) {
        err = store_put_flow(store, plan_text(plan, plan->flow.flow_namespace),
                             plan_text(plan, plan->flow.id), &artifact->digest, revision);
    }
    if (err.code == ERR_NONE) return store_commit(store);
    store_rollback(store);
    (void)cli;
    return err;
}

static int install(Cli *cli) {
    Artifact artifact;
    Err err = cli_artifact(cli, cli->arguments[0], &artifact);
    if (err.code != ERR_NONE) return cli_fail(cli, "artifact", &err, NULL);
    StoreOptions options = {.folder = cli_state_folder(cli)};
    Store *store = NULL;
    int64_t revision = 0;
    err = store_open(&options, &store);
    if (err.code == ERR_NONE) err = install_into(cli, store, &artifact, &revision);
    store_close(store);
    if (err.code != ERR_NONE) return cli_fail(cli, "store", &err, NULL);
    const Plan *plan = &artifact.plan;
    Str space = plan_text(plan, plan->flow.flow_namespace);
    Str id = plan_text(plan, plan->flow.id);
    if (cli->is_json) {
        Value map = value_map(&cli->arena);
        value_map_set(&cli->arena, map, STR("namespace"), value_text(space));
        value_map_set(&cli->arena, map, STR("flowId"), value_text(id));
        value_map_set(&cli->arena, map, STR("revision"), value_int(revision));
        cli_print(cli, map);
    } else {
        cli_write(cli, str_printf(&cli->arena, STR_FMT "." STR_FMT " revision %lld\n",
                                  STR_ARG(space), STR_ARG(id), (long long)revision));
    }
    return STATUS_OK;
}

static int remove_command(Cli *cli) {
    Str name = cli->arguments[0];
    size_t dot = str_find_last_char(name, '.');
    if (dot == STR_NOT_FOUND) {
        return cli_usage(cli, "'remove' takes NAMESPACE.ID, not '" STR_FMT "'", STR_ARG(name));
    }
    StoreOptions options = {.folder = cli_state_folder(cli)};
    Store *store = NULL;
    Err err = store_open(&options, &store);
    if (err.code == ERR_NONE) {
        err = store_remove_flow(store, str_slice(name, 0, dot), str_slice(name, dot + 1, name.len));
    }
    store_close(store);
    if (err.code == ERR_NONE) return STATUS_OK;
    return cli_fail(cli, err.code == ERR_NOT_FOUND ? "usage" : "store", &err, NULL);
}

const CommandSpec command_inspect = {.name = "inspect",
                                     .arguments = "ARTIFACT",
                                     .min = 1,
                                     .max = 1,
                                     .help = "show what an artifact is and what it may do",
                                     .options = INSPECT_OPTIONS,
                                     .run = inspect};
const CommandSpec command_verify = {.name = "verify",
                                    .arguments = "ARTIFACT",
                                    .min = 1,
                                    .max = 1,
                                    .help = "check signature and digest against a trust file",
                                    .run = verify};
const CommandSpec command_install = {.name = "install",
                                     .arguments = "ARTIFACT",
                                     .min = 1,
                                     .max = 1,
                                     .help = "make a flow known, so that others can call it",
                                     .options = INSTALL_OPTIONS,
                                     .run = install};
const CommandSpec command_remove = {.name = "remove",
                                    .arguments = "NAMESPACE.ID",
                                    .min = 1,
                                    .max = 1,
                                    .help = "forget an installed flow",
                                    .run = remove_command};
