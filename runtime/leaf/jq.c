// jq.c - the filter `jq`: path programs, the greater part of what flows use.
//
// Paths (`.a.b[0]`, `.[]`, slices, `?`, `..`), pipes, commas, brackets, literals and collections
// are evaluated here on the language's own values. Whatever else a program holds (functions,
// operators, variables) makes it one for libjq in its own process (jq_whole.c); nothing is guessed.
#include <math.h>
#include <string.h>

#include "base/utf8.h"
#include "leaf/jq_program.h"
#include "leaf/machine.h"

enum { NODE_MAX = 400, DEPTH_MAX = 60 };

typedef enum NodeKind {
    NODE_IDENTITY,
    NODE_RECURSE,  // ..
    NODE_LITERAL,  // text, number, true, false, null
    NODE_FIELD,    // left . name
    NODE_INDEX,    // left [ number ]
    NODE_SLICE,    // left [ from : to ]
    NODE_ITERATE,  // left []
    NODE_TRY,      // left ?
    NODE_PIPE,     // left | right
    NODE_COMMA,    // left , right
    NODE_COLLECT,  // [ left ]; left may be absent
} NodeKind;

typedef struct JqNode JqNode;

struct JqNode {
    NodeKind kind;
    JqNode *left, *right;
    Value value;    // of LITERAL; the name of FIELD
    double number;  // of INDEX
    double from, to;
    bool has_from, has_to;
};

typedef struct Parser {
    Arena *arena;
    Str text;
    size_t at;
    int nodes, depth;
    Err err;
} Parser;

// --- parsing ------------------------------------------------------------------------------------

static JqNode *fail(Parser *parser, ErrCode code, const char *what, Str subject) {
    if (parser->err.code == ERR_NONE) {
        parser->err = err_make(code, "%s '" STR_FMT "' at character %zu of the jq program", what,
                               STR_ARG(str_slice(subject, 0, 60)),
                               utf8_count(str_slice(parser->text, 0, parser->at)) + 1);
    }
    return NULL;
}

static JqNode *new_node(Parser *parser, NodeKind kind, JqNode *left, JqNode *right) {
    if (parser->err.code != ERR_NONE) return NULL;
    if (++parser->nodes > NODE_MAX) {
        parser->err = err_make(ERR_LIMIT, "a jq program has more than %d parts", NODE_MAX);
        return NULL;
    }
    JqNode *node = arena_new(parser->arena, JqNode);
    *node = (JqNode){.kind = kind, .left = left, .right = right};
    return node;
}

static char peek(const Parser *parser) {
    return parser->at < parser->text.len ? parser->text.ptr[parser->at] : '\0';
}

static char peek_next(const Parser *parser) {
    return parser->at + 1 < parser->text.len ? parser->text.ptr[parser->at + 1] : '\0';
}

static void skip(Parser *parser) {
    for (;;) {
        char c = peek(parser);
        if (c == '#') {
            while (parser->at < parser->text.len && peek(parser) != '\n') parser->at++;
        } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
            parser->at++;
        } else {
            return;
        }
    }
}

static bool take(Parser *parser, char c) {
    skip(parser);
    if (peek(parser) != c) return false;
    parser->at++;
    return true;
}

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static Str read_name(Parser *parser) {
    size_t start = parser->at;
    while (is_letter(peek(parser)) || is_digit(peek(parser))) parser->at++;
    return str_slice(parser->text, start, parser->at);
}

// What stands here and is not understood, for messages.
static Str read_odd(Parser *parser) {
    Str name = read_name(parser);
    if (name.len > 0) return name;
    size_t end = parser->at;
    if (end < parser->text.len) (void)utf8_next(parser->text, &end);
    Str odd = str_slice(parser->text, parser->at, end);
    return odd.len > 0 ? odd : STR("the end");
}

static bool read_number(Parser *parser, double *out) {
    skip(parser);
    size_t start = parser->at;
    if (peek(parser) == '-') parser->at++;
    while (is_digit(peek(parser)) || peek(parser) == '.' ||
           ((peek(parser) == 'e' || peek(parser) == 'E') && parser->at > start)) {
        parser->at++;
    }
    Number number;
    Str text = str_slice(parser->text, start, parser->at);
    if (!leaf_parse_number(text, &number)) {
        parser->at = start;
        return false;
    }
    *out = number.is_float ? number.real : (double)number.integer;
    return true;
}

// A JSON text; the reader stands at its quote. Interpolation needs the whole of jq.
static bool read_text(Parser *parser, Value *out) {
    size_t start = parser->at++;
    while (parser->at < parser->text.len && peek(parser) != '"') {
        if (peek(parser) == '\\' && peek_next(parser) == '(') {
            fail(parser, ERR_UNSUPPORTED, "text interpolation is not supported:", STR("\\("));
            return false;
        }
        parser->at += peek(parser) == '\\' ? 2 : 1;
    }
    if (parser->at >= parser->text.len) {
        fail(parser, ERR_INPUT, "a text does not end:", str_slice(parser->text, start, start + 20));
        return false;
    }
    parser->at++;
    Err err =
        json_parse(str_slice(parser->text, start, parser->at), (JsonLimits){0}, parser->arena, out);
    if (err.code != ERR_NONE) {
        fail(parser, ERR_INPUT, "a text is not valid:", str_slice(parser->text, start, parser->at));
    }
    return err.code == ERR_NONE;
}

// What stands behind a whole program or bracket: an operator or keyword is jq, but no path.
static JqNode *odd(Parser *parser) {
    skip(parser);
    char c = peek(parser);
    if (c != '\0' && strchr("+-*/%=<>!|aoi", c) != NULL) {
        return fail(parser, ERR_UNSUPPORTED, "this is no path:", read_odd(parser));
    }
    return fail(parser, ERR_INPUT, "unexpected", read_odd(parser));
}

static JqNode *parse_pipe(Parser *parser);

static JqNode *field(Parser *parser, JqNode *left, Value name) {
    JqNode *node = new_node(parser, NODE_FIELD, left, NULL);
    if (node != NULL) node->value = name;
    return node;
}

// Behind `[`: nothing, a number, a slice or a text.
static JqNode *parse_brackets(Parser *parser, JqNode *left) {
    if (take(parser, ']')) return new_node(parser, NODE_ITERATE, left, NULL);
    skip(parser);
    if (peek(parser) == '"') {
        Value name;
        if (!read_text(parser, &name)) return NULL;
        if (!take(parser, ']')) {
            return fail(parser, ERR_UNSUPPORTED, "expected ']' instead of", read_odd(parser));
        }
        return field(parser, left, name);
    }
    double from = 0, to = 0;
    bool has_from = read_number(parser, &from), is_slice = take(parser, ':');
    bool has_to = is_slice && read_number(parser, &to);
    if ((!has_from && !has_to) || !take(parser, ']')) {
        skip(parser);
        bool is_end = parser->at >= parser->text.len;
        return fail(parser, is_end ? ERR_INPUT : ERR_UNSUPPORTED, "expected an index instead of",
                    read_odd(parser));
    }
    JqNode *node = new_node(parser, is_slice ? NODE_SLICE : NODE_INDEX, left, NULL);
    if (node == NULL) return NULL;
    node->number = from;
    node->from = from;
    node->to = to;
    node->has_from = has_from;
    node->has_to = has_to;
    return node;
}

// `.name`, `."name"`, `[…]`, `?`, as many as there are.
static JqNode *parse_suffixes(Parser *parser, JqNode *node) {
    while (node != NULL) {
        skip(parser);
        char c = peek(parser), next = peek_next(parser);
        if (c == '[') {
            parser->at++;
            node = parse_brackets(parser, node);
        } else if (c == '?') {
            parser->at++;
            node = new_node(parser, NODE_TRY, node, NULL);
        } else if (c == '.' && is_letter(next)) {
            parser->at++;
            node = field(parser, node, value_text(read_name(parser)));
        } else if (c == '.' && next == '"') {
            Value name;
            parser->at++;
            node = read_text(parser, &name) ? field(parser, node, name) : NULL;
        } else if (c == '.' && next == '[') {
            parser->at += 2;
            node = parse_brackets(parser, node);
        } else {
            return node;
        }
    }
    return NULL;
}

static JqNode *parse_dot(Parser *parser) {
    parser->at++;
    JqNode *identity = new_node(parser, NODE_IDENTITY, NULL, NULL);
    char c = peek(parser);
    if (c == '.') {
        parser->at++;
        return new_node(parser, NODE_RECURSE, NULL, NULL);
    }
    if (is_letter(c)) return field(parser, identity, value_text(read_name(parser)));
    if (c == '"') {
        Value name;
        return read_text(parser, &name) ? field(parser, identity, name) : NULL;
    }
    return identity;
}

static JqNode *literal(Parser *parser, Value value) {
    JqNode *node = new_node(parser, NODE_LITERAL, NULL, NULL);
    if (node != NULL) node->value = value;
    return node;
}

static JqNode *parse_word(Parser *parser) {
    size_t start = parser->at;
    Str name = read_name(parser);
    if (str_eq(name, STR("true"))) return literal(parser, value_bool(true));
    if (str_eq(name, STR("false"))) return literal(parser, value_bool(false));
    if (str_eq(name, STR("null"))) return literal(parser, value_null());
    parser->at = start;
    return fail(parser, ERR_UNSUPPORTED, "this is no path:", name);
}

static JqNode *parse_primary(Parser *parser) {
    skip(parser);
    char c = peek(parser);
    double number;
    if (c == '.' && is_digit(peek_next(parser))) {
        return fail(parser, ERR_UNSUPPORTED, "this is no path:", read_odd(parser));
    }
    if (c == '.') return parse_dot(parser);
    if (c == '"') {
        Value text;
        return read_text(parser, &text) ? literal(parser, text) : NULL;
    }
    if (is_digit(c) && read_number(parser, &number)) {
        bool is_whole = number == floor(number) && fabs(number) < 9e15;
        return literal(parser, is_whole ? value_int((int64_t)number) : value_float(number));
    }
    if (c == '(' || c == '[') {
        parser->at++;
        if (c == '[' && take(parser, ']')) return new_node(parser, NODE_COLLECT, NULL, NULL);
        JqNode *inner = parse_pipe(parser);
        if (inner == NULL) return NULL;
        if (!take(parser, c == '(' ? ')' : ']')) return odd(parser);
        return c == '(' ? inner : new_node(parser, NODE_COLLECT, inner, NULL);
    }
    if (is_letter(c)) return parse_word(parser);
    if (c == '$') {
        parser->at++;
        Str name = read_name(parser);
        bool is_defined = str_starts_with(name, STR("__")) || str_eq(name, STR("ENV"));
        return fail(parser, is_defined ? ERR_UNSUPPORTED : ERR_INPUT, "unknown variable", name);
    }
    if (c == '{' || c == '@' || c == '-') {
        return fail(parser, ERR_UNSUPPORTED, "this is no path:", read_odd(parser));
    }
    return fail(parser, ERR_INPUT, "expected a path instead of", read_odd(parser));
}

static JqNode *parse_comma(Parser *parser) {
    JqNode *left = parse_suffixes(parser, parse_primary(parser));
    while (left != NULL && take(parser, ',')) {
        left = new_node(parser, NODE_COMMA, left, parse_suffixes(parser, parse_primary(parser)));
    }
    return left;
}

static JqNode *parse_pipe(Parser *parser) {
    if (++parser->depth > DEPTH_MAX) {
        parser->err = err_make(ERR_LIMIT, "a jq program is nested deeper than %d", DEPTH_MAX);
        return NULL;
    }
    JqNode *left = parse_comma(parser);
    while (left != NULL) {
        skip(parser);
        if (peek(parser) != '|' || peek_next(parser) == '=') break;
        parser->at++;
        left = new_node(parser, NODE_PIPE, left, parse_comma(parser));
    }
    parser->depth--;
    return parser->err.code == ERR_NONE ? left : NULL;
}

static Err parse(Str program, Arena *arena, const JqNode **out) {
    Parser parser = {.arena = arena, .text = program};
    *out = NULL;
    if (program.len > JQ_PROGRAM_MAX) {
        return err_make(ERR_LIMIT, "a jq program has more than %d bytes", JQ_PROGRAM_MAX);
    }
    skip(&parser);
    if (parser.at == program.len) {
        *out = new_node(&parser, NODE_IDENTITY, NULL, NULL);
        return parser.err;
    }
    *out = parse_pipe(&parser);
    skip(&parser);
    if (parser.err.code == ERR_NONE && parser.at < program.len) (void)odd(&parser);
    return parser.err;
}

Err jq_check(Str program) {
    Arena arena = {0};
    const JqNode *node;
    bool uses_clock;
    Err err = parse(program, &arena, &node);
    arena_release(&arena);
    if (err.code == ERR_NONE || err.code == ERR_LIMIT) return err;
    TRY(jq_scan(program, &uses_clock));
    return err;
}

Err leaf_check_jq(LeafVm *vm, Str program) {
    Err err = jq_check(program);
    bool is_path = err.code != ERR_INPUT && err.code != ERR_UNSUPPORTED;
    return is_path ? err : jq_whole_check(vm, program, &err);
}

// --- evaluating ---------------------------------------------------------------------------------

// Every result of `node` on the value at `input` is added to the list at `out`. False on an error,
// which `parser`-free code raises or, inside `?`, swallows.
typedef struct Run {
    lua_State *L;
    int tries;  // how many `?` surround
    bool is_failed;
    bool drops_nulls;  // of maps: of the JSON that Kestra makes of a value
} Run;

static bool evaluate(Run *run, const JqNode *node, int input, int out);

static bool wrong(Run *run, const char *what, int index) {
    run->is_failed = true;
    if (run->tries > 0) return false;
    leaf_raise(run->L, LEAF_ERROR_VALUE, "jq: %s %s", what,
               leaf_kind_text(leaf_kind(run->L, index)));
}

static void add(Run *run, int out) {
    leaf_charge(run->L, 1);
    leaf_list_add(run->L, out);
}

static bool eval_field(Run *run, const JqNode *node, int input, int out) {
    lua_State *L = run->L;
    Kind kind = leaf_kind(L, input);
    if (kind != KIND_MAP && kind != KIND_NULL) return wrong(run, "a name cannot index", input);
    if (kind == KIND_MAP) leaf_map_at(L, input, node->value.as.text);
    if (kind == KIND_NULL || lua_isnil(L, -1)) {
        if (kind == KIND_MAP) lua_pop(L, 1);
        leaf_push_null(L);
    }
    add(run, out);
    return true;
}

static bool eval_index(Run *run, const JqNode *node, int input, int out) {
    lua_State *L = run->L;
    Kind kind = leaf_kind(L, input);
    if (kind != KIND_LIST && kind != KIND_NULL) return wrong(run, "a number cannot index", input);
    double at = floor(node->number);
    double count = kind == KIND_LIST ? (double)lua_rawlen(L, input) : 0;
    if (at < 0) at += count;
    if (at >= 0 && at < count) {
        lua_rawgeti(L, input, (lua_Integer)at + 1);
    } else {
        leaf_push_null(L);
    }
    add(run, out);
    return true;
}

static double clamp(double at, double count) {
    if (at < 0) at += count;
    return at < 0 ? 0 : at > count ? count : at;
}

static bool eval_slice(Run *run, const JqNode *node, int input, int out) {
    lua_State *L = run->L;
    Kind kind = leaf_kind(L, input);
    if (kind == KIND_NULL) {
        leaf_push_null(L);
        add(run, out);
        return true;
    }
    if (kind != KIND_LIST && kind != KIND_TEXT)
        return wrong(run, "a slice cannot be taken of", input);
    Str text = leaf_str(L, input);
    double count = kind == KIND_LIST ? (double)lua_rawlen(L, input) : (double)utf8_count(text);
    double from = node->has_from ? clamp(floor(node->from), count) : 0;
    double to = node->has_to ? clamp(ceil(node->to), count) : count;
    if (kind == KIND_TEXT) {  // code points
        size_t at = 0, start = text.len, end = text.len;
        for (double i = 0; i <= to; i++) {
            if (i == from) start = at;
            if (i == to) end = at;
            if (at < text.len) (void)utf8_next(text, &at);
        }
        leaf_push_str(L, start < end ? str_slice(text, start, end) : (Str){0});
    } else {
        leaf_new_list(L, to > from ? (size_t)(to - from) : 0);
        int list = lua_gettop(L);
        for (double i = from; i < to; i++) {
            lua_rawgeti(L, input, (lua_Integer)i + 1);
            add(run, list);
        }
    }
    add(run, out);
    return true;
}

static bool eval_iterate(Run *run, int input, int out) {
    lua_State *L = run->L;
    Kind kind = leaf_kind(L, input);
    if (kind != KIND_LIST && kind != KIND_MAP)
        return wrong(run, "there is nothing to go over in", input);
    for (size_t i = 0, count = lua_rawlen(L, input); i < count; i++) {
        if (kind == KIND_LIST) {
            lua_rawgeti(L, input, (lua_Integer)i + 1);
            add(run, out);
        } else {
            leaf_push_member(L, input, i);
            if (run->drops_nulls && leaf_kind(L, -1) == KIND_NULL) {
                lua_pop(L, 2);
                continue;
            }
            add(run, out);
            lua_pop(L, 1);
        }
    }
    return true;
}

static void eval_recurse(Run *run, int input, int out, int depth) {
    lua_State *L = run->L;
    luaL_checkstack(L, 8, NULL);
    lua_pushvalue(L, input);
    add(run, out);
    Kind kind = leaf_kind(L, input);
    if ((kind != KIND_LIST && kind != KIND_MAP) || depth > VALUE_DEPTH_MAX) return;
    for (size_t i = 0, count = lua_rawlen(L, input); i < count; i++) {
        if (kind == KIND_LIST) {
            lua_rawgeti(L, input, (lua_Integer)i + 1);
        } else {
            leaf_push_member(L, input, i);
        }
        bool is_dropped = kind == KIND_MAP && run->drops_nulls && leaf_kind(L, -1) == KIND_NULL;
        if (!is_dropped) eval_recurse(run, lua_gettop(L), out, depth + 1);
        lua_pop(L, kind == KIND_LIST ? 1 : 2);
    }
}

// The results of the left side, each as input of `step`.
typedef bool Step(Run *run, const JqNode *node, int input, int out);

static bool eval_each(Run *run, const JqNode *node, int input, int out, Step *step) {
    lua_State *L = run->L;
    leaf_new_list(L, 1);
    int list = lua_gettop(L);
    bool is_good = evaluate(run, node->left, input, list);
    for (size_t i = 1, count = lua_rawlen(L, list); i <= count && (is_good || run->tries > 0);
         i++) {
        lua_rawgeti(L, list, (lua_Integer)i);
        leaf_force(L, -1);
        if (!step(run, node, lua_gettop(L), out)) {
            is_good = false;
            lua_settop(L, list);
            break;
        }
        lua_settop(L, list);
    }
    lua_settop(L, list - 1);
    return is_good;
}

static bool step_right(Run *run, const JqNode *node, int input, int out) {
    return evaluate(run, node->right, input, out);
}

static bool step_iterate(Run *run, const JqNode *node, int input, int out) {
    (void)node;
    return eval_iterate(run, input, out);
}

static bool eval_try(Run *run, const JqNode *node, int input, int out) {
    run->tries++;
    (void)evaluate(run, node->left, input, out);
    run->tries--;
    run->is_failed = false;
    return true;
}

static bool eval_collect(Run *run, const JqNode *node, int input, int out) {
    leaf_new_list(run->L, 1);
    bool is_good = node->left == NULL || evaluate(run, node->left, input, lua_gettop(run->L));
    if (is_good) {
        add(run, out);
    } else {
        lua_pop(run->L, 1);
    }
    return is_good;
}

static bool evaluate(Run *run, const JqNode *node, int input, int out) {
    luaL_checkstack(run->L, 12, NULL);
    switch (node->kind) {
    case NODE_IDENTITY:
        lua_pushvalue(run->L, input);
        add(run, out);
        return true;
    case NODE_RECURSE:
        eval_recurse(run, input, out, 0);
        return true;
    case NODE_LITERAL:
        leaf_push_value(run->L, node->value);
        add(run, out);
        return true;
    case NODE_FIELD:
        return eval_each(run, node, input, out, eval_field);
    case NODE_INDEX:
        return eval_each(run, node, input, out, eval_index);
    case NODE_SLICE:
        return eval_each(run, node, input, out, eval_slice);
    case NODE_ITERATE:
        return eval_each(run, node, input, out, step_iterate);
    case NODE_PIPE:
        return eval_each(run, node, input, out, step_right);
    case NODE_COMMA:
        return evaluate(run, node->left, input, out) && evaluate(run, node->right, input, out);
    case NODE_TRY:
        return eval_try(run, node, input, out);
    case NODE_COLLECT:
        return eval_collect(run, node, input, out);
    }
    return false;
}

static int jq(lua_State *L) {
    LeafVm *vm = vm_of(L);
    Arena *arena = vm->run != NULL ? vm->run->arena : &vm->arena;
    const JqNode *program = NULL;
    Err err = parse(leaf_str(L, FIRST_PARAM), arena, &program);
    if (err.code == ERR_LIMIT) leaf_raise_err(L, LEAF_ERROR_VALUE, &err);
    // A value becomes JSON first, without the members of maps that are null; a text is JSON.
    bool is_text = leaf_kind(L, FIRST_ARG) == KIND_TEXT;
    if (is_text) {
        leaf_push_json(L, leaf_str(L, FIRST_ARG), LEAF_ERROR_VALUE,
                       "'jq' takes a value or JSON text, and this text is not JSON");
        lua_replace(L, FIRST_ARG);
    }
    if (err.code != ERR_NONE) return jq_whole(L, FIRST_ARG, FIRST_PARAM, !is_text, &err);
    lua_settop(L, FIRST_PARAM);  // the nodes' names are bytes of the program
    leaf_new_list(L, 1);
    Run run = {.L = L, .drops_nulls = !is_text};
    (void)evaluate(&run, program, FIRST_ARG, FIRST_PARAM + 1);
    lua_settop(L, FIRST_PARAM + 1);
    return 1;
}

const Builtin leaf_builtins_jq[] = {
    {.kind = BUILTIN_FILTER,
     .name = "jq",
     .params = {{"expression", "text"}},
     .input = "any",
     .result = "list",
     .flags = BUILTIN_NULL_PASSES,
     .run = jq,
     .text =
         "All results of a jq program, as a list; a text is read as JSON first. Programs beyond "
         "paths are run by the library libjq in a process of their own: they calculate with "
         "floating-point numbers, see nothing but their input, and take no secrets.", .examples = "{{ {'a': [{'id': 1}, {'id': 2}]} | jq('.a[].id') }} => [1,2]\n"
                 "{{ '{\"k\":[5,6]}' | jq('.k[-1]') | first }} => 6\n"
                 "{{ [1,2,3] | jq('.[1:]') | first }} => [2,3]\n"
                 "{{ [1,2,3] | jq('map(. * 2) | add') | first }} => 12"},
    {.name = NULL},
};
