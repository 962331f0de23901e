// call.c - calls: builtins with their arguments in the row's order, macros, render().
#include <string.h>

#include "emit/emitter.h"

static const char *kind_word(BuiltinKind kind) {
    return kind == BUILTIN_FILTER ? "filter" : kind == BUILTIN_TEST ? "test" : "function";
}

static const char *kind_code(BuiltinKind kind) {
    return kind == BUILTIN_FILTER ? "E0308" : kind == BUILTIN_TEST ? "E0310" : "E0309";
}

static Str nearest_builtin(BuiltinKind kind, Str name) {
    Str nearest = {0};
    size_t best = name.len > 4 ? 2 : 1;
    for (const Builtin *row = builtins_next(NULL); row != NULL; row = builtins_next(row)) {
        if (row->kind != kind || (row->flags & BUILTIN_REFUSED) != 0) continue;
        size_t distance = str_distance(name, str_from(row->name), best);
        if (distance > best || (distance == best && nearest.len > 0)) continue;
        nearest = str_from(row->name);
        best = distance;
    }
    return nearest;
}

// The row of a call, or NULL with a finding.
static const Builtin *find_row(Emitter *emitter, const Expr *expr, BuiltinKind kind) {
    const Builtin *row = builtin_find(kind, expr->text);
    if (row == NULL) {
        Diag *diag = emit_error(emitter, kind_code(kind), expr->name_span,
                                "unknown %s '" STR_FMT "'", kind_word(kind), STR_ARG(expr->text));
        diag_suggest(diag, nearest_builtin(kind, expr->text));
        return NULL;
    }
    if ((row->flags & BUILTIN_REFUSED) != 0) {
        Diag *diag = emit_error(emitter, kind_code(kind), expr->name_span,
                                "the %s '" STR_FMT "' cannot be used here", kind_word(kind),
                                STR_ARG(expr->text));
        diag_note(diag, "%s", row->text);
        return NULL;
    }
    // In a flow the check has said so.
    if ((row->flags & BUILTIN_NOT_2_0) != 0 && emitter->is_2_0 && emitter->flow == NULL) {
        emit_error(emitter, kind_code(kind), expr->name_span, "the %s '" STR_FMT "' is gone in 2.0",
                   kind_word(kind), STR_ARG(expr->text));
        return NULL;
    }
    if (row->run == NULL) {
        emit_error(emitter, kind_code(kind), expr->name_span,
                   "the %s '" STR_FMT "' cannot be evaluated yet", kind_word(kind),
                   STR_ARG(expr->text));
        return NULL;
    }
    return row;
}

static uint32_t param_count(const Builtin *row) {
    uint32_t count = 0;
    while (count < BUILTIN_PARAMS_MAX && row->params[count].name != NULL) count++;
    return count;
}

static bool is_optional(const BuiltinParam *param) {
    return str_ends_with(str_from(param->type), STR("?"));
}

static bool find_param(const Builtin *row, Str name, uint32_t *index) {
    for (uint32_t i = 0; i < param_count(row); i++) {
        if (!str_eq(str_from(row->params[i].name), name)) continue;
        *index = i;
        return true;
    }
    return false;
}

static void unknown_argument(Emitter *emitter, const Builtin *row, const ExprArg *arg) {
    Diag *diag = emit_error(emitter, "E0312", arg->name_span, "'%s' has no argument '" STR_FMT "'",
                            row->name, STR_ARG(arg->name));
    for (uint32_t i = 0; i < param_count(row); i++) {
        Str name = str_from(row->params[i].name);
        if (str_distance(name, arg->name, 2) > 2) continue;
        diag_suggest(diag, name);
        return;
    }
    Buffer names = {0};
    for (uint32_t i = 0; i < param_count(row); i++) {
        buffer_printf(&names, "%s%s", i > 0 ? ", " : "", row->params[i].name);
    }
    if (names.len > 0) diag_note(diag, "it takes " STR_FMT, STR_ARG(buffer_str(&names)));
    buffer_release(&names);
}

typedef LIST_OF(const ExprArg *) Arguments;

// Puts the arguments of a call, from number `first` on, into the row's order; absent ones are NULL.
// False with a finding.
static bool place(Emitter *emitter, const Expr *expr, const Builtin *row, uint32_t first,
                  Arguments *out) {
    uint32_t count = param_count(row);
    bool takes_more = (row->flags & BUILTIN_ANY_COUNT) != 0;
    for (uint32_t i = 0; i < count; i++) *LIST_ADD(emitter->arena, out, const ExprArg *) = NULL;
    for (uint32_t i = first; i < expr->args.count; i++) {
        const ExprArg *arg = &expr->args.items[i];
        uint32_t index = i - first;
        if (arg->name.len > 0 && !find_param(row, arg->name, &index)) {
            unknown_argument(emitter, row, arg);
            return false;
        }
        if (index >= out->count && takes_more) {
            *LIST_ADD(emitter->arena, out, const ExprArg *) = arg;
        } else if (index >= out->count) {
            emit_error(emitter, "E0311", arg->value->span,
                       count == 0   ? "'%s' takes no argument"
                       : count == 1 ? "'%s' takes one argument"
                                    : "'%s' takes at most %u arguments",
                       row->name, count);
            return false;
        } else {
            out->items[index] = arg;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        if (out->items[i] != NULL || is_optional(&row->params[i])) continue;
        if (takes_more && i + 1 == count) continue;
        emit_error(emitter, "E0311", expr->name_span, "'%s' needs the argument '%s'", row->name,
                   row->params[i].name);
        return false;
    }
    return true;
}

// A call whose result is not the same everywhere and always.
static bool is_of_the_world(const Builtin *row, const Arguments *arguments) {
    if ((row->flags & (BUILTIN_EFFECT | BUILTIN_RANDOM | BUILTIN_MAKES_SECRET)) != 0) return true;
    uint32_t zone = 0;
    return find_param(row, STR("timeZone"), &zone) && arguments->items[zone] == NULL;
}

// The program of the filter `jq`: checked where it is a constant. One that is put together may ask
// for the time.
static void read_jq(Emitter *emitter, const ExprArg *argument) {
    if (argument == NULL) return;
    const Expr *program = argument->value;
    if (program->kind != EXPR_TEXT || leaf_jq_uses_clock(program->text)) emitter->uses_world = true;
    if (program->kind == EXPR_TEXT) check_jq(emitter, program);
}

Operand emit_builtin(Emitter *emitter, const Expr *expr, BuiltinKind kind, const Operand *input) {
    uint32_t mark = emitter->frame->at;
    Operand nothing = operand_lua(emitter, "rt.null");
    const Builtin *row = find_row(emitter, expr, kind);
    Arguments arguments = {0};
    if (row == NULL || !place(emitter, expr, row, input != NULL ? 1 : 0, &arguments)) {
        return nothing;
    }
    if (is_of_the_world(row, &arguments)) emitter->uses_world = true;
    if (kind == BUILTIN_FUNCTION && arguments.count > 0 && arguments.items[0] != NULL) {
        bool has_second = arguments.count > 1 && arguments.items[1] != NULL;
        facts_add(emitter->arena, &emitter->facts, row, arguments.items[0]->value,
                  has_second ? arguments.items[1]->value : NULL);
    }

    if (kind == BUILTIN_FILTER && strcmp(row->name, "jq") == 0) {
        read_jq(emitter, arguments.count > 0 ? arguments.items[0] : NULL);
    }
    uint32_t given = arguments.count;
    while (given > 0 && arguments.items[given - 1] == NULL) given--;
    Operands operands = {0};
    operands_add_site(emitter, &operands, expr->span);
    // The input's own slots lie before `mark`; what is spilled must not reuse them.
    if (input != NULL) operands_add(emitter, &operands, *input);
    for (uint32_t i = 0; i < given; i++) {
        const ExprArg *arg = arguments.items[i];
        Operand absent = {.lua = STR("nil")};
        operands_add(emitter, &operands, arg == NULL ? absent : emit_expr(emitter, arg->value));
    }
    const char *table = kind == BUILTIN_FILTER ? "filter" : kind == BUILTIN_TEST ? "test" : "func";
    Str function = str_printf(emitter->arena, "rt.%s.%s", table, row->name);
    if (operands.count > CALL_OPERANDS_MAX) {
        // nil cannot stand in a table: only functions without names get this many.
        return operand_variadic(emitter, mark, function.ptr, -1, &operands);
    }
    return operand_call(emitter, mark, function.ptr, &operands);
}

// --- macros -------------------------------------------------------------------------------------

const Macro *find_macro(const Emitter *emitter, Str name) {
    for (uint32_t i = emitter->macros.count; i > 0; i--) {
        if (str_eq(emitter->macros.items[i - 1].name, name)) return &emitter->macros.items[i - 1];
    }
    return NULL;
}

static Str macro_name(Emitter *emitter, const Macro *macro) {
    // Macros live in slots of the leaf's own function, whichever function calls them.
    if (macro->slot < SLOTS_MAX) {
        return str_printf(emitter->arena, "%c%u", macro->letter, macro->slot + 1);
    }
    return str_printf(emitter->arena, "%ct[%u]", macro->letter, macro->slot + 1);
}

Operand emit_macro_call(Emitter *emitter, const Expr *expr, const Macro *macro) {
    uint32_t mark = emitter->frame->at;
    uint32_t count = macro->part->params.count;
    const ExprArg **ordered = arena_array(emitter->arena, const ExprArg *, count + 1);
    for (uint32_t i = 0; i < expr->args.count; i++) {
        const ExprArg *arg = &expr->args.items[i];
        uint32_t index = i;
        if (arg->name.len > 0) {
            for (index = 0; index < count; index++) {
                if (str_eq(macro->part->params.items[index].name, arg->name)) break;
            }
            if (index == count) {
                emit_error(emitter, "E0312", arg->name_span,
                           "the macro '" STR_FMT "' has no parameter '" STR_FMT "'",
                           STR_ARG(macro->name), STR_ARG(arg->name));
                return operand_lua(emitter, "rt.null");
            }
        }
        if (index >= count) {
            emit_error(emitter, "E0311", arg->value->span,
                       "the macro '" STR_FMT "' takes %u argument%s at most", STR_ARG(macro->name),
                       count, count == 1 ? "" : "s");
            return operand_lua(emitter, "rt.null");
        }
        ordered[index] = arg;
    }
    Operands operands = {0};
    for (uint32_t i = 0; i < count; i++) {
        Operand absent = {.lua = STR("nil")};
        operands_add(emitter, &operands,
                     ordered[i] == NULL ? absent : emit_expr(emitter, ordered[i]->value));
    }
    Str name = macro_name(emitter, macro);
    return operand_call(emitter, mark, name.ptr, &operands);
}

// --- render() -----------------------------------------------------------------------------------

static const Node *child(const Node *node, Str key, const Expr *index) {
    if (node == NULL) return NULL;
    if (node->type == YAML_MAP) return node_get(node, key);
    if (node->type != YAML_LIST || index == NULL || index->kind != EXPR_INT) return NULL;
    bool is_there = index->integer >= 0 && index->integer < node->items.count;
    return is_there ? node->items.items[index->integer] : NULL;
}

// The node a path below `vars` leads to; NULL where the path is not fixed or leads nowhere.
static const Node *variable_node(const Emitter *emitter, const Expr *expr) {
    if (emitter->flow == NULL) return NULL;
    if (expr->kind == EXPR_NAME) {
        return str_eq(expr->text, STR("vars")) ? emitter->flow->variables : NULL;
    }
    if (expr->kind == EXPR_MEMBER) {
        return child(variable_node(emitter, expr->args.items[0].value), expr->text, NULL);
    }
    if (expr->kind != EXPR_INDEX) return NULL;
    const Expr *index = expr->args.items[1].value;
    const Node *node = variable_node(emitter, expr->args.items[0].value);
    return child(node, index->kind == EXPR_TEXT ? index->text : (Str){0}, index);
}

static bool node_has_code(const Node *node) {
    if (node->type == YAML_SCALAR) return node_is_text(node) && template_has_code(node->text);
    for (uint32_t i = 0; i < node->items.count; i++) {
        if (node_has_code(node->items.items[i])) return true;
    }
    for (uint32_t i = 0; i < node->entries.count; i++) {
        if (node_has_code(node->entries.items[i].key)) return true;
        if (node_has_code(node->entries.items[i].value)) return true;
    }
    return false;
}

// A variable's text where it is read: rendered as if it stood here. One that leads back to itself
// stays as it is, as in the reference, where rendering ends when nothing changes.
static Operand rendered_node(Emitter *emitter, const Node *node, bool again) {
    for (uint32_t i = 0; i < emitter->open_renders.count; i++) {
        if (emitter->open_renders.items[i] == node) {
            return emit_literal(emitter, node_to_value(node, emitter->arena));
        }
    }
    bool outer = emitter->renders_again;
    emitter->renders_again = again;
    *LIST_ADD(emitter->arena, &emitter->open_renders, const Node *) = node;
    Operand result = node->type == YAML_SCALAR && node_is_text(node)
                         ? emit_scalar(emitter, node, SINK_TEXT)
                         : emit_object(emitter, node, (Str){0});
    emitter->open_renders.count--;
    emitter->renders_again = outer;
    return result;
}

bool emit_rendered_variable(Emitter *emitter, const Expr *expr, Operand *out) {
    const Node *node = variable_node(emitter, expr);
    if (node == NULL || node == emitter->flow->variables || !node_has_code(node)) return false;
    *out = rendered_node(emitter, node, true);
    return true;
}

static Operand render_constant(Emitter *emitter, const Expr *expr, Str text, bool again) {
    Diags diags = {.arena = emitter->arena};
    Span span = emitter->has_call_span ? emitter->call_span : expr->span;
    Template *template = template_parse_text(emitter->parser, span.file, text, &diags);
    if (template->has_error) {
        emit_error(emitter, "E0315", span, "the text that is rendered: " STR_FMT,
                   STR_ARG(diags.list.items[0]->message));
        return operand_lua(emitter, "rt.null");
    }
    bool had_span = emitter->has_call_span, outer = emitter->renders_again;
    Span outer_span = emitter->call_span;
    emitter->has_call_span = true;
    emitter->call_span = span;
    emitter->renders_again = again;
    Operand result = emit_template_value(emitter, template, SINK_TEXT);
    emitter->has_call_span = had_span;
    emitter->call_span = outer_span;
    emitter->renders_again = outer;
    return result;
}

// `{{ "{{ x }}" }}`: code in the code of a template.
static bool has_nested_code(Str text) {
    bool is_open = false;
    for (size_t at = 0; at + 1 < text.len; at++) {
        bool opens = text.ptr[at] == '{' && (text.ptr[at + 1] == '{' || text.ptr[at + 1] == '%');
        bool closes = text.ptr[at + 1] == '}' && (text.ptr[at] == '}' || text.ptr[at] == '%');
        if (opens && is_open) return true;
        if (opens || closes) {
            is_open = opens;
            at++;
        }
    }
    return false;
}

Operand emit_render(Emitter *emitter, const Expr *expr) {
    const Builtin *row = builtin_find(BUILTIN_FUNCTION, expr->text);
    Arguments arguments = {0};
    if (row == NULL || !place(emitter, expr, row, 0, &arguments)) {
        emitter->has_error = true;
        return operand_lua(emitter, "rt.null");
    }
    const Expr *value = arguments.items[0]->value;
    bool has_mode = arguments.count > 1 && arguments.items[1] != NULL;
    // flowc eval renders when it runs what may give a template again, or not be recursive.
    bool is_known = value->kind == EXPR_TEXT && !has_nested_code(value->text) && !has_mode;
    if (emitter->flow == NULL && row->run != NULL && !is_known) {
        return emit_builtin(emitter, expr, BUILTIN_FUNCTION, NULL);
    }
    bool again = str_eq(expr->text, STR("render"));
    if (arguments.count > 1 && arguments.items[1] != NULL) {
        const Expr *recursive = arguments.items[1]->value;
        if (recursive->kind == EXPR_BOOL) again = recursive->boolean;
    }
    if (value->kind == EXPR_TEXT) return render_constant(emitter, expr, value->text, again);
    if (value->kind == EXPR_INT || value->kind == EXPR_FLOAT || value->kind == EXPR_BOOL ||
        value->kind == EXPR_NULL) {
        return emit_expr(emitter, value);
    }
    const Node *node = variable_node(emitter, value);
    if (node != NULL && node != emitter->flow->variables) {
        return rendered_node(emitter, node, again);
    }
    Diag *diag = emit_error(emitter, "E0401", value->span,
                            "'" STR_FMT "' needs a text that is known when the flow is compiled",
                            STR_ARG(expr->text));
    diag_note(diag, "it can be a constant or a path below 'vars'; text that comes from outside is "
                    "never read as a template");
    return operand_lua(emitter, "rt.null");
}
