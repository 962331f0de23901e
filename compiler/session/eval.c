// eval.c - a template through parser, emitter and the machine that runs leaves, with a context
// given as data.
//
// What a flow would ask of its host (secrets, key-value pairs, files) is answered from the context;
// HTTP is refused. render() of text known only here goes through the same stages once more.
#include "session/eval.h"

#include <string.h>

#include "emit/emit.h"
#include "leaf/leaf.h"
#include "value/time.h"

enum { RENDER_DEPTH_MAX = 16, RECURSION_MAX = 100 };

typedef struct Eval {
    Session *session;
    Arena *arena;
    const EvalRequest *request;
    EvalAnswer *answer;
    Value vars, env;
    Secrets *secrets;
    Clock clock;
    int64_t now_ms;
    uint32_t depth;  // of render()
} Eval;

bool eval_mode_from(Str name, EvalMode *out) {
    static const char *const names[] = {"string",    "typed",     "object",
                                        "recursive", "condition", "convert"};
    for (uint32_t i = 0; i < COUNT(names); i++) {
        if (!str_eq(name, str_from(names[i]))) continue;
        *out = (EvalMode)i;
        return true;
    }
    return false;
}

// --- the context --------------------------------------------------------------------------------

// As the language prints it: the fraction in groups of three digits.
static Value read_instant(Arena *arena, Value value) {
    Instant instant;
    if (value.kind != VALUE_TEXT || instant_parse(value.as.text, &instant).code != ERR_NONE) {
        return value;
    }
    Buffer text = {0};
    instant_print(&text, instant);
    Value printed = value_text(buffer_to_str(&text, arena));
    buffer_release(&text);
    return printed;
}

// {"$instant": t} and the like stand for what JSON cannot say; the language prints them as text.
static Value read_marked(Arena *arena, Value value, uint32_t depth) {
    if (depth > 64) return value;
    if (value.kind == VALUE_MAP && value.as.map->count == 1) {
        const ValueMember *member = &value.as.map->members[0];
        static const char *const marks[] = {"$instant", "$localdate", "$duration", "$long"};
        for (size_t i = 0; i < COUNT(marks); i++) {
            if (!str_eq(member->key, str_from(marks[i]))) continue;
            return i == 0 ? read_instant(arena, member->value) : member->value;
        }
    }
    if (value.kind == VALUE_LIST) {
        Value list = value_list(arena);
        for (uint32_t i = 0; i < value.as.list->count; i++) {
            value_list_add(arena, list, read_marked(arena, value.as.list->items[i], depth + 1));
        }
        return list;
    }
    if (value.kind == VALUE_MAP) {
        Value map = value_map(arena);
        for (uint32_t i = 0; i < value.as.map->count; i++) {
            const ValueMember *member = &value.as.map->members[i];
            value_map_set(arena, map, member->key, read_marked(arena, member->value, depth + 1));
        }
        return map;
    }
    return value;
}

static int64_t fixed_wall(void *self) {
    return ((const Eval *)self)->now_ms;
}

static int64_t fixed_mono(void *self) {
    return ((const Eval *)self)->now_ms;
}

static void machine_random(void *self, void *out, size_t len) {
    (void)self;
    random_bytes(out, len);
}

static Value member(Value map, const char *key) {
    const Value *found = value_map_get(map, str_from(key));
    return found == NULL ? value_null() : *found;
}

static Str own_namespace(const Eval *eval) {
    return value_map_get_text(member(eval->env, "flow"), STR("namespace"), (Str){0});
}

static void open_context(Eval *eval) {
    const Value given = eval->request->context;
    eval->env = member(given, "env");
    eval->vars = value_map(eval->arena);
    // What the environment brings along; variables of the same name win.
    static const char *const roots[] = {"flow", "envs"};
    for (size_t i = 0; i < COUNT(roots); i++) {
        const Value root = member(eval->env, roots[i]);
        if (root.kind != VALUE_NULL) {
            value_map_set(eval->arena, eval->vars, str_from(roots[i]), root);
        }
    }
    const Value vars = read_marked(eval->arena, member(given, "vars"), 0);
    for (uint32_t i = 0; vars.kind == VALUE_MAP && i < vars.as.map->count; i++) {
        const ValueMember *one = &vars.as.map->members[i];
        value_map_set(eval->arena, eval->vars, one->key, one->value);
    }
    const Clock *system = clock_system();
    eval->clock = *system;
    Instant now;
    const Str text = value_map_get_text(given, STR("now"), (Str){0});
    if (text.len > 0 && instant_parse(text, &now).code == ERR_NONE) {
        eval->now_ms = now.seconds * 1000 + now.nanoseconds / 1000000;
        eval->clock = (Clock){fixed_wall, fixed_mono, machine_random, eval};
    }
}

static Err resolve_secret(void *self, Str name, Str secret_namespace, Str key, Buffer *plain) {
    const Eval *eval = self;
    (void)secret_namespace;
    const Value secrets = member(eval->env, "secrets");
    for (uint32_t i = 0; secrets.kind == VALUE_MAP && i < secrets.as.map->count; i++) {
        const ValueMember *one = &secrets.as.map->members[i];
        if (!str_eq_ignore_case(one->key, name)) continue;
        if (key.len > 0) return secret_subkey(value_to_text(eval->arena, one->value), key, plain);
        value_print(plain, one->value);
        return err_none();
    }
    return err_make(ERR_NOT_FOUND, "there is no secret '" STR_FMT "' in the context",
                    STR_ARG(name));
}

// --- errors -------------------------------------------------------------------------------------

static void fail(Eval *eval, const char *kind, Str name, Str message) {
    EvalAnswer *answer = eval->answer;
    if (answer->is_error) return;
    answer->is_error = true;
    answer->kind = str_from(kind);
    answer->name = str_dup(eval->arena, name);
    answer->message = str_dup(eval->arena, message);
}

static const char *kind_of_code(const char *code) {
    static const struct {
        const char *code, *kind;
    } kinds[] = {
        {"E0308", "unknown-filter"  },
        {"E0309", "unknown-function"},
        {"E0310", "unknown-test"    },
        {"E0311", "arg"             },
        {"E0312", "arg"             },
        {"E0313", "parse"           },
        {"E0405", "value"           },
        {"E0315", "parse"           },
        {"E0316", "parse"           },
        {"E0002", "limit"           },
    };
    for (size_t i = 0; i < COUNT(kinds); i++) {
        if (strcmp(kinds[i].code, code) == 0) return kinds[i].kind;
    }
    return strncmp(code, "E00", 3) == 0 ? "parse" : "reject";
}

// The name of what is unknown: what stands at the finding's place.
static Str unknown_name(const Eval *eval, const Diag *diag) {
    const bool is_unknown = str_starts_with(str_from(kind_of_code(diag->code)), STR("unknown-"));
    return is_unknown ? source_text(&eval->session->sources, diag->span) : (Str){0};
}

// Findings of the template become the answer's; the first error is its error. True: go on.
static bool take_findings(Eval *eval, uint32_t first) {
    const Diags *diags = &eval->session->diags;
    bool is_clean = true;
    for (uint32_t i = first; i < diags->list.count; i++) {
        const Diag *diag = diags->list.items[i];
        if (diag->level == DIAG_ERROR) {
            fail(eval, kind_of_code(diag->code), unknown_name(eval, diag), diag->message);
            is_clean = false;
        } else {
            *LIST_ADD(eval->arena, &eval->answer->findings, EvalFinding) =
                (EvalFinding){diag->code, str_dup(eval->arena, diag->message)};
        }
    }
    return is_clean;
}

// --- running ------------------------------------------------------------------------------------

static bool evaluate(Eval *eval, Value expression, LeafMode mode, ConvertTo convert, Value *out);

static LeafStatus answer_kv(Eval *eval, LeafRun *run) {
    const Str key = value_map_get_text(run->arguments, STR("key"), (Str){0});
    const Str given = value_map_get_text(run->arguments, STR("namespace"), (Str){0});
    Str space = given.len > 0 ? given : own_namespace(eval);
    const Value kv = member(eval->env, "kv");
    for (;;) {
        const Value *pairs = value_map_get(kv, space);
        const Value *found = pairs == NULL ? NULL : value_map_get(*pairs, key);
        if (found != NULL) return leaf_answer(run, *found);
        const size_t dot = str_find_last_char(space, '.');
        // Without a namespace the parents are asked, too.
        if (given.len > 0 || dot == STR_NOT_FOUND) break;
        space = str_slice(space, 0, dot);
    }
    if (!value_map_get_bool(run->arguments, STR("errorOnMissing"), true)) {
        return leaf_answer(run, value_null());
    }
    return leaf_refuse(run, LEAF_ERROR_KV,
                       str_printf(eval->arena, "there is no key '" STR_FMT "'", STR_ARG(key)));
}

static LeafStatus answer_read(Eval *eval, LeafRun *run) {
    const Str function = value_map_get_text(run->arguments, STR("function"), (Str){0});
    Str path = value_map_get_text(run->arguments, STR("path"), (Str){0});
    const Value files = member(eval->env, "files");
    const Value *found = value_map_get(files, path);
    if (found == NULL && path.len > 0 && path.ptr[0] == '/') {
        found = value_map_get(files, str_slice(path, 1, path.len));
    }
    if (str_eq(function, STR("fileExists"))) return leaf_answer(run, value_bool(found != NULL));
    if (found == NULL || found->kind != VALUE_TEXT) {
        return leaf_refuse(
            run, LEAF_ERROR_FILE,
            str_printf(eval->arena, "there is no file '" STR_FMT "'", STR_ARG(path)));
    }
    if (str_eq(function, STR("fileURI"))) {
        return leaf_answer(
            run, value_text(str_printf(eval->arena, "nsfile:///" STR_FMT, STR_ARG(path))));
    }
    if (str_eq(function, STR("fileSize"))) {
        return leaf_answer(run, value_int((int64_t)found->as.text.len));
    }
    if (str_eq(function, STR("isFileEmpty")) || str_eq(function, STR("fileEmpty"))) {
        return leaf_answer(run, value_bool(found->as.text.len == 0));
    }
    return leaf_answer(run, *found);
}

// Raw sections stay as they are from one rendering to the next: a mark that no template is made of
// stands for each of them.
static Str hide_raw(Arena *arena, Str text) {
    Buffer out = {0};
    Str whole, inside;
    size_t from = 0;
    while (template_next_raw(text, from, &whole, &inside)) {
        const size_t at = (size_t)(whole.ptr - text.ptr);
        buffer_add(&out, str_slice(text, from, at));
        buffer_add_char(&out, '\x01');
        for (size_t i = 0; i < inside.len; i++) {
            buffer_printf(&out, "%02x", (unsigned)(unsigned char)inside.ptr[i]);
        }
        buffer_add_char(&out, '\x02');
        from = at + whole.len;
    }
    buffer_add(&out, str_slice(text, from, text.len));
    const Str hidden = buffer_to_str(&out, arena);
    buffer_release(&out);
    return hidden;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static Str show_raw(Arena *arena, Str text) {
    Buffer out = {0};
    for (size_t at = 0; at < text.len; at++) {
        const size_t end = text.ptr[at] == '\x01' ? str_find_char(text, '\x02', at) : STR_NOT_FOUND;
        if (end == STR_NOT_FOUND) {
            buffer_add_char(&out, text.ptr[at]);
            continue;
        }
        for (at++; at + 1 < end; at += 2) {
            const int high = hex_digit(text.ptr[at]), low = hex_digit(text.ptr[at + 1]);
            if (high >= 0 && low >= 0) buffer_add_char(&out, (char)(high * 16 + low));
        }
        at = end;
    }
    const Str shown = buffer_to_str(&out, arena);
    buffer_release(&out);
    return shown;
}

static bool render_recursively(Eval *eval, Value expression, Value *out) {
    Value now = expression;
    Str whole, inside;
    const bool has_raw =
        now.kind == VALUE_TEXT && template_next_raw(now.as.text, 0, &whole, &inside);
    if (has_raw) now = value_text(hide_raw(eval->arena, now.as.text));
    for (uint32_t i = 0; i < RECURSION_MAX; i++) {
        Value next = value_null();
        const bool is_text = now.kind == VALUE_TEXT;
        if (!evaluate(eval, now, is_text ? LEAF_TEXT : LEAF_OBJECT, CONVERT_ANY, &next)) {
            return false;
        }
        const bool is_done =
            value_equal(now, next) ||
            (is_text && (next.kind != VALUE_TEXT || !template_has_code(next.as.text)));
        now = next;
        if (is_done) break;
    }
    if (has_raw && now.kind == VALUE_TEXT) {
        now = value_text(show_raw(eval->arena, now.as.text));
    }
    *out = now;
    return true;
}

static LeafStatus answer_render(Eval *eval, LeafRun *run) {
    const Str function = value_map_get_text(run->arguments, STR("function"), (Str){0});
    const Value *what = NULL;
    for (uint32_t i = 0; i < run->arguments.as.map->count && what == NULL; i++) {
        const ValueMember *one = &run->arguments.as.map->members[i];
        if (!str_eq(one->key, STR("function")) && !str_eq(one->key, STR("recursive"))) {
            what = &one->value;
        }
    }
    if (what == NULL) return leaf_answer(run, value_null());
    if (eval->depth >= RENDER_DEPTH_MAX) {
        return leaf_refuse(run, LEAF_ERROR_LIMIT, STR("render() is nested more than 16 deep"));
    }
    const bool is_recursive = !str_eq(function, STR("renderOnce")) &&
                              value_map_get_bool(run->arguments, STR("recursive"), true);
    Value result = value_null();
    eval->depth++;
    const bool is_text = what->kind == VALUE_TEXT;
    const bool is_done = is_recursive ? render_recursively(eval, *what, &result)
                                      : evaluate(eval, *what, is_text ? LEAF_TEXT : LEAF_OBJECT,
                                                 CONVERT_ANY, &result);
    eval->depth--;
    if (is_done) return leaf_answer(run, result);
    // The inner error is the error of the whole.
    return leaf_refuse(run, LEAF_ERROR_OTHER, eval->answer->message);
}

static LeafStatus answer_need(Eval *eval, LeafRun *run) {
    switch (run->need) {
    case LEAF_NEED_KV:
        return answer_kv(eval, run);
    case LEAF_NEED_READ:
        return answer_read(eval, run);
    case LEAF_NEED_RENDER:
        return answer_render(eval, run);
    case LEAF_NEED_ERROR_LOGS:
        return leaf_answer(run, value_list(eval->arena));
    case LEAF_NEED_HTTP:
        break;
    }
    return leaf_refuse(run, LEAF_ERROR_OTHER, STR("no request is made by eval"));
}

static bool run_chunk(Eval *eval, Str bytecode, Value *out) {
    LeafVm *vm = NULL;
    const bool is_new = eval->session->targets == TARGET_2_0;
    const LeafOptions options = {.clock = &eval->clock,
                                 .secrets = eval->secrets,
                                 .target = is_new ? STR("2.0") : STR("1.3")};
    const Err err = leaf_vm_new(&options, &vm);
    if (err.code != ERR_NONE) {
        fail(eval, "other", (Str){0}, str_from(err.text));
        return false;
    }
    leaf_vm_set_chunk(vm, 0, bytecode);
    LeafRun run = {0};
    LeafStatus status = leaf_start(&run, vm, 0, leaf_context_of_map(&eval->vars), eval->arena);
    while (status == LEAF_NEEDS) status = answer_need(eval, &run);
    if (status == LEAF_DONE) {
        *out = run.value;
    } else {
        fail(eval, leaf_error_kind_name(run.error.kind), run.error.name, run.error.message);
    }
    leaf_vm_free(vm);
    return status == LEAF_DONE;
}

// The Lua of an expression: a text as a template, any other value as a node.
static Err write_lua(Eval *eval, Value expression, LeafMode mode, ConvertTo convert, Str *lua) {
    Session *session = eval->session;
    if (expression.kind == VALUE_TEXT && mode != LEAF_OBJECT) {
        const uint32_t file = sources_add(&session->sources, STR("template"), expression.as.text);
        const Template *tpl =
            template_parse_text(session->parser, file, expression.as.text, &session->diags);
        if (tpl->has_error) return err_make(ERR_INPUT, "the template cannot be read");
        return emit_template(tpl, mode, convert, eval->arena, &session->diags, lua);
    }
    // JSON is YAML, so a value becomes a node by way of its text.
    Buffer json = {0};
    json_write(&json, expression, JSON_COMPACT, JSON_KEEP_SECRETS);
    const Str text = buffer_to_str(&json, eval->arena);
    buffer_release(&json);
    const uint32_t file = sources_add(&session->sources, STR("template"), text);
    const Tree *tree = syntax_read(&session->sources, file, eval->arena, &session->diags);
    return emit_node(tree->documents.items[0].root, mode, convert, session->targets == TARGET_2_0,
                     eval->arena, &session->diags, lua);
}

static bool evaluate(Eval *eval, Value expression, LeafMode mode, ConvertTo convert, Value *out) {
    const uint32_t first = eval->session->diags.list.count;
    Str lua = {0};
    Err err = write_lua(eval, expression, mode, convert, &lua);
    if (!take_findings(eval, first)) return false;
    Buffer bytecode = {0};
    if (err.code == ERR_NONE) err = leaf_compile_lua(lua, STR("template"), &bytecode);
    if (err.code != ERR_NONE) {
        fail(eval, err.code == ERR_LIMIT ? "limit" : "reject", (Str){0}, str_from(err.text));
        buffer_release(&bytecode);
        return false;
    }
    const Str bytes = buffer_to_str(&bytecode, eval->arena);
    buffer_release(&bytecode);
    return run_chunk(eval, bytes, out);
}

// --- modes --------------------------------------------------------------------------------------

static bool convert_to_from(Str name, ConvertTo *out) {
    static const struct {
        const char *name;
        ConvertTo to;
    } names[] = {
        {"any",      CONVERT_ANY     },
        {"text",     CONVERT_TEXT    },
        {"string",   CONVERT_TEXT    },
        {"integer",  CONVERT_INT     },
        {"int",      CONVERT_INT     },
        {"long",     CONVERT_INT     },
        {"float",    CONVERT_FLOAT   },
        {"double",   CONVERT_FLOAT   },
        {"number",   CONVERT_FLOAT   },
        {"boolean",  CONVERT_BOOL    },
        {"bool",     CONVERT_BOOL    },
        {"duration", CONVERT_DURATION},
        {"datetime", CONVERT_DATETIME},
        {"instant",  CONVERT_DATETIME},
        {"date",     CONVERT_DATE    },
        {"time",     CONVERT_TIME    },
        {"uri",      CONVERT_URI     },
        {"list",     CONVERT_LIST    },
        {"map",      CONVERT_MAP     },
    };
    for (size_t i = 0; i < COUNT(names); i++) {
        if (!str_eq_ignore_case(name, str_from(names[i].name))) continue;
        *out = names[i].to;
        return true;
    }
    return false;
}

// enum[A,B]: one of the names, exactly.
static bool convert_enum(Eval *eval, Str text) {
    const Str type = eval->request->type;
    Str names = str_slice(type, 5, type.len - 1);
    Str one = {0};
    while (str_split(&names, ',', &one)) {
        if (!str_eq(str_trim(one), text)) continue;
        eval->answer->value = value_text(text);
        return true;
    }
    fail(eval, "value", (Str){0},
         str_printf(eval->arena, "expected one of " STR_FMT ", received '" STR_FMT "'",
                    STR_ARG(str_slice(type, 5, type.len - 1)), STR_ARG(text)));
    return false;
}

static bool convert_value(Eval *eval) {
    const Str type = eval->request->type;
    const Value in = eval->request->expression;
    if (str_starts_with(type, STR("enum[")) && str_ends_with(type, STR("]"))) {
        return convert_enum(eval, value_to_text(eval->arena, in));
    }
    ConvertTo to = CONVERT_ANY;
    if (!convert_to_from(type, &to)) {
        fail(eval, "input", (Str){0},
             str_printf(eval->arena, "unknown type '" STR_FMT "'", STR_ARG(type)));
        return false;
    }
    Value *out = &eval->answer->value;
    const Err err = value_convert(in, to, eval->arena, out);
    const bool is_long =
        !str_eq_ignore_case(type, STR("integer")) && !str_eq_ignore_case(type, STR("int"));
    if (err.code == ERR_NONE && !is_long && out->kind == VALUE_INT &&
        (out->as.integer > INT32_MAX || out->as.integer < INT32_MIN)) {
        fail(eval, "value", (Str){0},
             STR("the integer does not fit into 32 bits: use the type long"));
        return false;
    }
    if (err.code == ERR_NONE) return true;
    fail(eval, "value", (Str){0}, str_from(err.text));
    return false;
}

static bool run_mode(Eval *eval) {
    const Value expression = eval->request->expression;
    Value *out = &eval->answer->value;
    switch (eval->request->mode) {
    case EVAL_STRING:
        return evaluate(eval, expression, LEAF_TEXT, CONVERT_ANY, out);
    case EVAL_TYPED:
        return evaluate(eval, expression, LEAF_TYPED, CONVERT_ANY, out);
    case EVAL_OBJECT:
        return evaluate(eval, expression, LEAF_OBJECT, CONVERT_ANY, out);
    case EVAL_RECURSIVE:
        return render_recursively(eval, expression, out);
    case EVAL_CONDITION:
        return evaluate(eval, expression, LEAF_CONDITION, CONVERT_ANY, out);
    case EVAL_CONVERT:
        break;
    }
    return convert_value(eval);
}

static void print_answer(Eval *eval) {
    Buffer text = {0};
    EvalAnswer *answer = eval->answer;
    if (!eval->request->reveal || !value_has_secret(answer->value)) {
        value_print(&text, answer->value);
    } else {
        const Err err = secrets_print_revealed(eval->secrets, answer->value, &text);
        if (err.code != ERR_NONE) {
            fail(eval, "secret", (Str){0}, str_from(err.text));
        } else if (answer->value.kind == VALUE_SECRET) {
            answer->value = value_text(buffer_to_str(&text, eval->arena));
        }
    }
    answer->text = buffer_to_str(&text, eval->arena);
    buffer_release(&text);
}

void session_eval(Session *session, const EvalRequest *request, Arena *arena, EvalAnswer *out) {
    *out = (EvalAnswer){0};
    session->diags.list.count = 0;
    session->sources.list.count = 0;
    Eval eval = {.session = session, .arena = arena, .request = request, .answer = out};
    open_context(&eval);
    eval.secrets = secrets_new((SecretSource){.resolve = resolve_secret, .self = &eval});
    if (run_mode(&eval)) print_answer(&eval);
    secrets_free(eval.secrets);
}

void eval_answer_write(const EvalAnswer *answer, const Value *id, Buffer *out) {
    buffer_add_char(out, '{');
    if (id != NULL) {
        buffer_add(out, STR("\"id\":"));
        json_write(out, *id, JSON_COMPACT, 0);
        buffer_add_char(out, ',');
    }
    if (answer->is_error) {
        buffer_add(out, STR("\"error\":{\"kind\":"));
        buffer_add_json(out, answer->kind);
        if (answer->name.len > 0) {
            buffer_add(out, STR(",\"name\":"));
            buffer_add_json(out, answer->name);
        }
        buffer_add(out, STR(",\"message\":"));
        buffer_add_json(out, answer->message);
        buffer_add(out, STR("}}\n"));
        return;
    }
    buffer_add(out, STR("\"value\":"));
    json_write(out, answer->value, JSON_COMPACT, 0);
    buffer_add(out, STR(",\"text\":"));
    buffer_add_json(out, answer->text);
    buffer_add(out, STR(",\"findings\":["));
    for (uint32_t i = 0; i < answer->findings.count; i++) {
        buffer_printf(out, "%s{\"code\":\"%s\",\"message\":", i == 0 ? "" : ",",
                      answer->findings.items[i].code);
        buffer_add_json(out, answer->findings.items[i].message);
        buffer_add_char(out, '}');
    }
    buffer_add(out, STR("]}\n"));
}
