// manifest.c - the section MANI: what an artifact is, needs and may touch, without opening its
// code.
//
// Hosts, images and commands are what constants say: what an expression makes of them at run time
// is not in it. They are for people and for `preflight`, not for enforcement.
#include <string.h>

#include "base/codec.h"
#include "base/file.h"
#include "emit/emit.h"
#include "emit/emitter.h"

enum { TZDATA_HEAD_MAX = 16 << 20 };

typedef LIST_OF(Str) Names;

static void add_name(Arena *arena, Names *names, Str name) {
    if (name.len == 0) return;
    for (uint32_t i = 0; i < names->count; i++) {
        if (str_eq(names->items[i], name)) return;
    }
    *LIST_ADD(arena, names, Str) = name;
}

static Names names_without(Arena *arena, const Names *all, const Names *some) {
    Names rest = {0};
    for (uint32_t i = 0; i < all->count; i++) {
        bool is_there = false;
        for (uint32_t j = 0; j < some->count; j++) {
            is_there = is_there || str_eq(all->items[i], some->items[j]);
        }
        if (!is_there) add_name(arena, &rest, all->items[i]);
    }
    return rest;
}

static void sort_names(Names *names) {
    for (uint32_t i = 1; i < names->count; i++) {
        Str name = names->items[i];
        uint32_t at = i;
        for (; at > 0 && str_cmp(names->items[at - 1], name) > 0; at--) {
            names->items[at] = names->items[at - 1];
        }
        names->items[at] = name;
    }
}

static Value names_value(Arena *arena, Names *names) {
    Value list = value_list(arena);
    sort_names(names);
    for (uint32_t i = 0; i < names->count; i++) {
        value_list_add(arena, list, value_text(names->items[i]));
    }
    return list;
}

void facts_add(Arena *arena, Facts *facts, const Builtin *row, const Expr *first,
               const Expr *second) {
    bool is_secret = (row->flags & BUILTIN_MAKES_SECRET) != 0;
    if (!is_secret && strcmp(row->name, "kv") != 0) return;
    if (first->kind != EXPR_TEXT) {
        *(is_secret ? &facts->has_dynamic_secret : &facts->has_dynamic_kv) = true;
        return;
    }
    Names *names = is_secret ? (Names *)&facts->secrets : (Names *)&facts->kv;
    add_name(arena, names, first->text);
    if (is_secret && !facts->is_of_trigger) {
        add_name(arena, (Names *)&facts->run_secrets, first->text);
    }
    if (!is_secret || second == NULL || second->kind == EXPR_NULL) return;
    Value entry = value_map(arena);
    value_map_set(arena, entry, STR("name"), value_text(first->text));
    if (second->kind == EXPR_TEXT) {
        value_map_set(arena, entry, STR("namespace"), value_text(second->text));
    }
    *LIST_ADD(arena, &facts->elsewhere, Value) = entry;
}

// --- what constants name ------------------------------------------------------------------------

typedef struct Touched {
    Arena *arena;
    Names hosts, origins, images, commands, subflows;
} Touched;

static bool is_host_char(char c) {
    return c == '.' || c == '-' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z');
}

// The hosts of all URLs in a text. One that an expression continues is not a constant.
static void find_hosts(Touched *touched, Str text) {
    for (size_t at = str_find(text, STR("://"), 0); at != STR_NOT_FOUND;
         at = str_find(text, STR("://"), at + 3)) {
        Str before = str_slice(text, 0, at);
        if (!str_ends_with(before, STR("http")) && !str_ends_with(before, STR("https"))) continue;
        size_t end = at + 3;
        while (end < text.len && is_host_char(text.ptr[end])) end++;
        bool is_open = end < text.len && (text.ptr[end] == '{' || text.ptr[end] == '$' ||
                                          text.ptr[end] == '@' || text.ptr[end] == '%');
        if (is_open) continue;
        add_name(touched->arena, &touched->hosts, str_slice(text, at + 3, end));
        size_t port = end;
        if (end < text.len && text.ptr[end] == ':') {
            while (++port < text.len && text.ptr[port] >= '0' && text.ptr[port] <= '9') {
            }
        }
        bool is_usual = str_ends_with(before, STR("https")) && port <= end + 1;
        bool is_number = port > end + 1 || port == end;
        if (is_usual || !is_number) continue;
        size_t start = at - (str_ends_with(before, STR("https")) ? 5 : 4);
        add_name(touched->arena, &touched->origins, str_slice(text, start, port));
    }
}

static bool is_shell_word(Str word) {
    static const char *const words[] = {
        "if",    "then",   "else",     "elif",   "fi",       "for",      "while",
        "until", "do",     "done",     "case",   "esac",     "{",        "}",
        "!",     "cd",     "echo",     "printf", "export",   "set",      "unset",
        "test",  "[",      "read",     "exit",   "true",     "false",    "return",
        "local", "source", ".",        ":",      "eval",     "exec",     "trap",
        "wait",  "shift",  "umask",    "pwd",    "type",     "command",  "ulimit",
        "kill",  "in",     "function", "break",  "continue", "readonly", "alias",
    };
    for (size_t i = 0; i < COUNT(words); i++) {
        if (str_eq(word, str_from(words[i]))) return true;
    }
    return false;
}

// The programs that lines of shell begin with. Continued lines and here-documents are not looked
// at.
static void find_commands(Touched *touched, Str text) {
    Str rest = text, line;
    bool is_continued = false;
    while (str_split(&rest, '\n', &line)) {
        bool was_continued = is_continued;
        Str trimmed = str_trim(line);
        is_continued = str_ends_with(trimmed, STR("\\"));
        if (str_find(trimmed, STR("<<"), 0) != STR_NOT_FOUND) {
            rest = (Str){0};
        }
        if (was_continued || trimmed.len == 0) continue;
        size_t end = 0;
        while (end < trimmed.len &&
               (is_host_char(trimmed.ptr[end]) || strchr("_/+", trimmed.ptr[end]) != NULL)) {
            end++;
        }
        bool is_word = end == trimmed.len || trimmed.ptr[end] == ' ' || trimmed.ptr[end] == ';';
        Str word = str_slice(trimmed, 0, end);
        if (is_word && word.len > 0 && word.ptr[0] != '-' && !is_shell_word(word)) {
            add_name(touched->arena, &touched->commands, word);
        }
    }
}

static void find_in_node(Touched *touched, const Node *node) {
    if (node == NULL) return;
    if (node->type == YAML_SCALAR && node_is_text(node)) find_hosts(touched, node->text);
    for (uint32_t i = 0; i < node->items.count; i++) find_in_node(touched, node->items.items[i]);
    for (uint32_t i = 0; i < node->entries.count; i++) {
        const NodeEntry *entry = &node->entries.items[i];
        bool is_image = str_eq(entry->key->text, STR("containerImage")) ||
                        str_eq(entry->key->text, STR("image"));
        if (is_image && node_is_text(entry->value) && !template_has_code(entry->value->text)) {
            add_name(touched->arena, &touched->images, entry->value->text);
        }
        find_in_node(touched, entry->value);
    }
}

static void find_commands_in(Touched *touched, const Node *node) {
    if (node->type == YAML_SCALAR && node_is_text(node)) find_commands(touched, node->text);
    for (uint32_t i = 0; i < node->items.count; i++) {
        find_commands_in(touched, node->items.items[i]);
    }
}

static void find_subflow(Touched *touched, const Task *task) {
    const Property *space = task_property(task, STR("namespace"));
    const Property *id = task_property(task, STR("flowId"));
    if (space == NULL || id == NULL || !node_is_text(space->node) || !node_is_text(id->node))
        return;
    if (template_has_code(space->node->text) || template_has_code(id->node->text)) return;
    add_name(touched->arena, &touched->subflows,
             str_printf(touched->arena, STR_FMT "." STR_FMT, STR_ARG(space->node->text),
                        STR_ARG(id->node->text)));
}

static void find_touched(Touched *touched, const Flow *flow) {
    for (uint32_t t = 0; t < flow->all_tasks.count; t++) {
        const Task *task = flow->all_tasks.items[t];
        if (task->is_disabled) continue;
        if (task->type != NULL && task->type->exec == EXEC_EXECUTABLE) find_subflow(touched, task);
        // Commands are shell where the interpreter is: everywhere but in the script languages.
        bool is_shell =
            task->type != NULL && (str_find(task->type->name, STR(".shell."), 0) != STR_NOT_FOUND ||
                                   str_find(task->type->name, STR(".cli."), 0) != STR_NOT_FOUND ||
                                   str_ends_with(task->type->name, STR("CLI")));
        for (uint32_t i = 0; i < task->properties.count; i++) {
            const Property *property = &task->properties.items[i];
            find_in_node(touched, property->node);
            bool is_image = str_eq(property->name, STR("containerImage"));
            if (is_image && node_is_text(property->node) &&
                !template_has_code(property->node->text)) {
                add_name(touched->arena, &touched->images, property->node->text);
            }
            bool is_lines = str_eq(property->name, STR("commands")) ||
                            str_eq(property->name, STR("beforeCommands")) ||
                            str_eq(property->name, STR("script"));
            if (is_lines && is_shell) find_commands_in(touched, property->node);
        }
    }
}

// --- the rest -----------------------------------------------------------------------------------

static Value effects_value(const PlanDraft *draft, Arena *arena, Names *externals) {
    static const struct {
        uint32_t bit;
        const char *name;
    } rows[] = {
        {EFFECT_CREATE,  "create" },
        {EFFECT_DESTROY, "destroy"},
        {EFFECT_EXEC,    "exec"   },
        {EFFECT_FILE,    "file"   },
        {EFFECT_KV,      "kv"     },
        {EFFECT_NET,     "net"    },
        {EFFECT_NOTIFY,  "notify" },
    };
    uint32_t bits = 0;
    for (uint32_t i = 0; i < draft->modules.count; i++) {
        const PlanModule *module = &draft->modules.items[i];
        bits |= module->effects;
        if (module->code == 0) add_name(arena, externals, plan_text(&draft->plan, module->type));
    }
    Value list = value_list(arena);
    for (size_t i = 0; i < COUNT(rows); i++) {
        if ((bits & rows[i].bit) != 0) {
            value_list_add(arena, list, value_text(str_from(rows[i].name)));
        }
    }
    return list;
}

static Value inputs_value(const PlanDraft *draft, Arena *arena) {
    Value list = value_list(arena);
    const Plan *plan = &draft->plan;
    for (uint32_t i = 0; i < plan->flow_input_count; i++) {
        const PlanInput *input = &draft->inputs.items[i];
        Value row = value_map(arena);
        value_map_set(arena, row, STR("id"), value_text(plan_text(plan, input->id)));
        value_map_set(arena, row, STR("type"),
                      value_text(str_from(input_type_name((InputType)input->type))));
        value_map_set(arena, row, STR("required"),
                      value_bool((input->flags & INPUT_REQUIRED) != 0 && input->defaults == 0));
        if (input->value_count > 0) {
            Value values = value_list(arena);
            for (uint32_t v = 0; v < input->value_count; v++) {
                PlanText text = draft->texts.items[input->values - 1 + v];
                value_list_add(arena, values, value_text(plan_text(plan, text)));
            }
            value_map_set(arena, row, STR("values"), values);
        }
        value_list_add(arena, list, row);
    }
    return list;
}

// The release of the zone data the compiler read, `2025b`; "unknown" where the host does not say.
static Str tzdata_release(Arena *arena) {
    Str text;
    Err err = file_read("/usr/share/zoneinfo/tzdata.zi", TZDATA_HEAD_MAX, arena, &text);
    if (err.code != ERR_NONE || !str_starts_with(text, STR("# version "))) return STR("unknown");
    return str_trim(str_slice(text, 10, str_find_char(text, '\n', 0)));
}

static Str hex(Arena *arena, const void *bytes, size_t len) {
    Buffer out = {0};
    hex_encode(&out, bytes, len);
    Str text = buffer_to_str(&out, arena);
    buffer_release(&out);
    return text;
}

void manifest_write(const PlanDraft *draft, const Facts *facts, Str source, Catalog *catalog,
                    Arena *arena, Buffer *out) {
    Value map = value_map(arena);
    Touched touched = {.arena = arena};
    Names externals = {0}, secrets = {0}, kv = {0};
    for (uint32_t i = 0; i < facts->secrets.count; i++) {
        add_name(arena, &secrets, facts->secrets.items[i]);
    }
    for (uint32_t i = 0; i < facts->kv.count; i++) add_name(arena, &kv, facts->kv.items[i]);
    find_touched(&touched, draft->flow);
    Hash digest = hash_bytes(source);

    value_map_set(arena, map, STR("id"), value_text(draft->flow->id));
    value_map_set(arena, map, STR("namespace"), value_text(draft->flow->flow_namespace));
    value_map_set(arena, map, STR("compiler"), value_text(STR("flowc " FLOW_VERSION)));
    value_map_set(arena, map, STR("bytecode"), value_text(leaf_bytecode_version()));
    value_map_set(arena, map, STR("catalog"), value_text(catalog_digest(catalog)));
    value_map_set(arena, map, STR("tzdata"), value_text(tzdata_release(arena)));
    value_map_set(arena, map, STR("host_api"), value_int(HOST_API));
    value_map_set(arena, map, STR("leaf_abi"), value_int(LEAF_ABI));
    value_map_set(arena, map, STR("source_digest"),
                  value_text(hex(arena, digest.bytes, sizeof digest.bytes)));
    value_map_set(arena, map, STR("effects"), effects_value(draft, arena, &externals));
    value_map_set(arena, map, STR("secrets"), names_value(arena, &secrets));
    value_map_set(arena, map, STR("secrets_dynamic"), value_bool(facts->has_dynamic_secret));
    value_map_set(arena, map, STR("kv"), names_value(arena, &kv));
    value_map_set(arena, map, STR("kv_dynamic"), value_bool(facts->has_dynamic_kv));
    value_map_set(arena, map, STR("hosts"), names_value(arena, &touched.hosts));
    if (touched.origins.count > 0) {
        value_map_set(arena, map, STR("origins"), names_value(arena, &touched.origins));
    }
    if (facts->elsewhere.count > 0) {
        Value list = value_list(arena);
        for (uint32_t i = 0; i < facts->elsewhere.count; i++) {
            value_list_add(arena, list, facts->elsewhere.items[i]);
        }
        value_map_set(arena, map, STR("secrets_elsewhere"), list);
    }
    Names idle =
        names_without(arena, (const Names *)&facts->secrets, (const Names *)&facts->run_secrets);
    if (idle.count > 0) {
        value_map_set(arena, map, STR("secrets_of_triggers"), names_value(arena, &idle));
    }
    value_map_set(arena, map, STR("images"), names_value(arena, &touched.images));
    value_map_set(arena, map, STR("commands"), names_value(arena, &touched.commands));
    value_map_set(arena, map, STR("subflows"), names_value(arena, &touched.subflows));
    value_map_set(arena, map, STR("externals"), names_value(arena, &externals));
    value_map_set(arena, map, STR("inputs"), inputs_value(draft, arena));
    json_write(out, map, JSON_CANONICAL, 0);
}
