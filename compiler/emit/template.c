// template.c - parts of a template: what prints is collected, tags become Lua statements.
//
// A template without control flow is one call of its sink. Others collect what they print in a
// table. Variables of `set` are slots that are nil until they are set; where it is not certain that
// they are, a nil falls through to the scope outside, at last to the context
// (expression-language.md 3, "Scopes").
#include "emit/emitter.h"

// A table that collects what is printed, and the slot that counts it.
typedef struct Collector {
    Str table, count;
} Collector;

static void emit_parts(Emitter *emitter, const Parts *parts, Collector out);

// --- scopes -------------------------------------------------------------------------------------

static Variable *find_variable(Scope *scope, Str name) {
    for (uint32_t i = 0; i < scope->variables.count; i++) {
        if (str_eq(scope->variables.items[i].name, name)) return &scope->variables.items[i];
    }
    return NULL;
}

// A variable that a `set` here would assign to: one that is visible by now.
static Variable *visible_variable(Emitter *emitter, Str name) {
    for (Scope *scope = emitter->scope; scope != NULL; scope = scope->outer) {
        Variable *variable = find_variable(scope, name);
        if (variable != NULL && variable->is_seen) return variable;
        if (scope->is_macro) break;
    }
    return NULL;
}

static Variable *add_variable(Emitter *emitter, Scope *scope, Str name) {
    Variable *variable = LIST_ADD(emitter->arena, &scope->variables, Variable);
    *variable = (Variable){.name = name, .slot = slot_new(emitter)};
    return variable;
}

// Slots for what is first set in this scope: its parts, branches and blocks, not its loops.
static void declare(Emitter *emitter, Scope *scope, const Parts *parts) {
    for (uint32_t i = 0; i < parts->count; i++) {
        const Part *part = parts->items[i];
        const Variable *variable = NULL;
        Str name;
        switch (part->kind) {
        case PART_SET:
            if (find_variable(scope, part->text) != NULL) break;
            if (visible_variable(emitter, part->text) != NULL) break;
            variable = add_variable(emitter, scope, part->text);
            name = slot_name(emitter, variable->slot);
            emit_line(emitter, STR_FMT " = nil", STR_ARG(name));
            break;
        case PART_IF:
            for (uint32_t b = 0; b < part->branches.count; b++) {
                declare(emitter, scope, &part->branches.items[b].body);
            }
            break;
        case PART_FOR:
            declare(emitter, scope, &part->otherwise);
            break;
        case PART_BLOCK:
        case PART_FILTER:
            declare(emitter, scope, &part->body);
            break;
        case PART_TEXT:
        case PART_PRINT:
        case PART_MACRO:
        case PART_ERROR:
            break;
        }
    }
}

static void emit_set(Emitter *emitter, const Part *part) {
    static const char *const roots[] = {
        "inputs", "outputs", "vars",   "flow",    "execution", "taskrun", "task",    "parent",
        "envs",   "trigger", "labels", "globals", "tasks",     "kestra",  "parents", "item"};
    for (size_t i = 0; i < COUNT(roots); i++) {
        if (!str_eq(part->text, str_from(roots[i]))) continue;
        emit_error(emitter, "E0315", part->name_span,
                   "'" STR_FMT "' is given by the execution and cannot be set; take another name",
                   STR_ARG(part->text));
        return;
    }
    uint32_t mark = emitter->frame->at;
    Operand value = emit_expr(emitter, part->expr);
    Variable *variable = visible_variable(emitter, part->text);
    for (Scope *scope = emitter->scope; variable == NULL; scope = scope->outer) {
        variable = find_variable(scope, part->text);  // declare() has seen to it that there is one
    }
    emit_line(emitter, STR_FMT " = rt.value(" STR_FMT ")",
              STR_ARG(slot_name(emitter, variable->slot)), STR_ARG(value.lua));
    variable->is_seen = true;
    if (find_variable(emitter->scope, part->text) == variable &&
        emitter->branches == emitter->scope->branches) {
        variable->is_certain = true;
    }
    emitter->frame->at = mark;
}

// --- what is printed ----------------------------------------------------------------------------

static bool is_straight(const Parts *parts) {
    for (uint32_t i = 0; i < parts->count; i++) {
        PartKind kind = parts->items[i]->kind;
        if (kind != PART_TEXT && kind != PART_PRINT && kind != PART_MACRO) return false;
    }
    return parts->count <= CALL_OPERANDS_MAX;
}

static const char *sink_function(Sink sink) {
    switch (sink) {
    case SINK_TEXT:
        return "rt.text";
    case SINK_TYPED:
        return "rt.typed";
    case SINK_OBJECT:
        return "rt.object";
    }
    return "";
}

// One text, where nothing but text is printed.
static bool constant_text(Emitter *emitter, const Parts *parts, Sink sink, Operand *out) {
    Buffer text = {0};
    uint32_t count = 0;
    bool is_constant = true;
    for (uint32_t i = 0; i < parts->count && is_constant; i++) {
        if (parts->items[i]->kind == PART_MACRO) continue;
        is_constant = parts->items[i]->kind == PART_TEXT;
        if (is_constant) buffer_add(&text, parts->items[i]->text);
        count++;
    }
    if (is_constant) {
        *out = count == 0 && sink != SINK_TEXT ? operand_lua(emitter, "rt.null")
                                               : operand_text(emitter, buffer_str(&text));
        out->is_constant = true;
    }
    buffer_release(&text);
    return is_constant;
}

static Collector output_open(Emitter *emitter) {
    Str table = slot_name(emitter, slot_new(emitter));
    Str count = slot_name(emitter, slot_new(emitter));
    emit_line(emitter, STR_FMT ", " STR_FMT " = {}, 0", STR_ARG(table), STR_ARG(count));
    return (Collector){table, count};
}

static Operand output_close(Emitter *emitter, Collector out, const char *sink) {
    Operand result = operand_lua(emitter, "%s(rt.all(" STR_FMT "))", sink, STR_ARG(out.table));
    result.depth = 2;
    return result;
}

static Operand printed(Emitter *emitter, const Parts *parts, Sink sink) {
    Operand result;
    uint32_t mark = emitter->frame->at;
    if (constant_text(emitter, parts, sink, &result)) return result;
    if (is_straight(parts)) {
        Operands operands = {0};
        for (uint32_t i = 0; i < parts->count; i++) {
            const Part *part = parts->items[i];
            if (part->kind == PART_MACRO) continue;
            operands_add(emitter, &operands,
                         part->kind == PART_TEXT ? operand_text(emitter, part->text)
                                                 : emit_expr(emitter, part->expr));
        }
        return operand_call(emitter, mark, sink_function(sink), &operands);
    }
    Collector out = output_open(emitter);
    emit_parts(emitter, parts, out);
    return output_close(emitter, out, sink_function(sink));
}

// --- tags ---------------------------------------------------------------------------------------

// Branches are tried one after the other, not inside each other: Lua's nesting is limited. `done`
// says that one was taken.
static void emit_if(Emitter *emitter, const Part *part, Collector out) {
    uint32_t mark = emitter->frame->at;
    Str done = {0};
    if (part->branches.count > 1) {
        done = slot_name(emitter, slot_new(emitter));
        emit_line(emitter, STR_FMT " = false", STR_ARG(done));
    }
    for (uint32_t i = 0; i < part->branches.count; i++) {
        const PartBranch *branch = &part->branches.items[i];
        uint32_t inner = emitter->frame->at;
        if (i > 0) emit_line(emitter, "if not " STR_FMT " then", STR_ARG(done));
        emitter->branches++;
        if (branch->condition != NULL) {
            Operands operands = {0};
            operands_add(emitter, &operands, emit_expr(emitter, branch->condition));
            operands_add_site(emitter, &operands, branch->condition->span);
            Operand truth = operand_call(emitter, inner, "rt.truth_if", &operands);
            emit_line(emitter, "if " STR_FMT " then", STR_ARG(truth.lua));
        }
        emitter->frame->at = inner;
        if (done.len > 0) emit_line(emitter, STR_FMT " = true", STR_ARG(done));
        emit_parts(emitter, &branch->body, out);
        emitter->branches--;
        if (branch->condition != NULL) emit_line(emitter, "end");
        if (i > 0) emit_line(emitter, "end");
        emitter->frame->at = inner;
    }
    emitter->frame->at = mark;
}

static void emit_for(Emitter *emitter, const Part *part, Collector out) {
    uint32_t mark = emitter->frame->at;
    uint32_t count = slot_new(emitter), item = slot_new(emitter), at = slot_new(emitter);
    Str count_name = slot_name(emitter, count), item_name = slot_name(emitter, item);
    Str at_name = slot_name(emitter, at);
    uint32_t inner = emitter->frame->at;
    Operand over = emit_expr(emitter, part->expr);
    emit_line(emitter, STR_FMT ", " STR_FMT " = rt.iter(" STR_FMT ", %u)", STR_ARG(count_name),
              STR_ARG(item_name), STR_ARG(over.lua), emit_site(emitter, part->expr->span));
    emitter->frame->at = inner;
    emitter->branches++;
    emit_line(emitter, "if " STR_FMT " ~= nil then", STR_ARG(count_name));
    if (part->otherwise.count > 0) {
        emit_line(emitter, "if " STR_FMT " == 0 then", STR_ARG(count_name));
        emit_parts(emitter, &part->otherwise, out);
        emit_line(emitter, "end");
    }
    Scope scope = {.outer = emitter->scope,
                   .is_loop = true,
                   .loop_at = at,
                   .loop_count = count,
                   .branches = emitter->branches};
    Variable *variable = add_variable(emitter, &scope, part->text);
    variable->is_seen = variable->is_certain = true;
    emit_line(emitter, STR_FMT " = 0", STR_ARG(at_name));
    emit_line(emitter, "while " STR_FMT " < " STR_FMT " do", STR_ARG(at_name), STR_ARG(count_name));
    emit_line(emitter, STR_FMT " = " STR_FMT " + 1", STR_ARG(at_name), STR_ARG(at_name));
    emit_line(emitter, STR_FMT " = " STR_FMT "(" STR_FMT ")",
              STR_ARG(slot_name(emitter, variable->slot)), STR_ARG(item_name), STR_ARG(at_name));
    emitter->scope = &scope;
    declare(emitter, &scope, &part->body);
    emit_parts(emitter, &part->body, out);
    emitter->scope = scope.outer;
    emit_line(emitter, "end");
    emit_line(emitter, "end");
    emitter->branches--;
    emitter->frame->at = mark;
}

static void append(Emitter *emitter, Collector out, Operand operand) {
    emit_line(emitter, STR_FMT " = " STR_FMT " + 1", STR_ARG(out.count), STR_ARG(out.count));
    emit_line(emitter, STR_FMT "[" STR_FMT "] = " STR_FMT, STR_ARG(out.table), STR_ARG(out.count),
              STR_ARG(operand.lua));
}

static void emit_filter(Emitter *emitter, const Part *part, Collector out) {
    uint32_t mark = emitter->frame->at;
    Operand outer = emitter->body;
    emitter->body = operand_spill(emitter, printed(emitter, &part->body, SINK_TEXT), mark);
    append(emitter, out, emit_expr(emitter, part->expr));
    emitter->body = outer;
    emitter->frame->at = mark;
}

static void emit_block(Emitter *emitter, const Part *part, Collector out) {
    for (uint32_t i = 0; i < emitter->open_blocks.count; i++) {
        if (emitter->open_blocks.items[i] != part) continue;
        emit_error(emitter, "E0316", part->span, "the block '" STR_FMT "' contains itself",
                   STR_ARG(part->text));
        return;
    }
    *LIST_ADD(emitter->arena, &emitter->open_blocks, const Part *) = part;
    emit_parts(emitter, &part->body, out);
    emitter->open_blocks.count--;
}

static void emit_parts(Emitter *emitter, const Parts *parts, Collector out) {
    for (uint32_t i = 0; i < parts->count; i++) {
        const Part *part = parts->items[i];
        uint32_t mark = emitter->frame->at;
        switch (part->kind) {
        case PART_TEXT:
            append(emitter, out, operand_text(emitter, part->text));
            break;
        case PART_PRINT:
            append(emitter, out, emit_expr(emitter, part->expr));
            emitter->frame->at = mark;
            break;
        case PART_IF:
            emit_if(emitter, part, out);
            break;
        case PART_FOR:
            emit_for(emitter, part, out);
            break;
        case PART_SET:
            emit_set(emitter, part);
            break;
        case PART_BLOCK:
            emit_block(emitter, part, out);
            break;
        case PART_FILTER:
            emit_filter(emitter, part, out);
            break;
        case PART_ERROR:
            emitter->has_error = true;
            break;
        case PART_MACRO:
            break;  // known from the start
        }
    }
}

// --- blocks and macros --------------------------------------------------------------------------

static const Part *find_block(const Parts *parts, Str name) {
    const Part *found = NULL;
    for (uint32_t i = 0; i < parts->count && found == NULL; i++) {
        const Part *part = parts->items[i];
        if (part->kind == PART_BLOCK && str_eq(part->text, name)) return part;
        found = find_block(&part->body, name);
        if (found == NULL) found = find_block(&part->otherwise, name);
        for (uint32_t b = 0; b < part->branches.count && found == NULL; b++) {
            found = find_block(&part->branches.items[b].body, name);
        }
    }
    return found;
}

Operand emit_block_call(Emitter *emitter, const Expr *expr) {
    if (expr->args.count != 1 || expr->args.items[0].value->kind != EXPR_TEXT) {
        emit_error(emitter, "E0311", expr->span, "'block' needs one constant text, a block's name");
        return operand_lua(emitter, "rt.null");
    }
    const Part *part = find_block(&emitter->template->parts, expr->args.items[0].value->text);
    if (part == NULL) return operand_text(emitter, STR(""));
    Collector out = output_open(emitter);
    emitter->branches++;
    emit_block(emitter, part, out);
    emitter->branches--;
    return output_close(emitter, out, "rt.text");
}

static void find_macros(Emitter *emitter, const Parts *parts) {
    for (uint32_t i = 0; i < parts->count; i++) {
        const Part *part = parts->items[i];
        if (part->kind == PART_MACRO) {
            *LIST_ADD(emitter->arena, &emitter->macros, Macro) =
                (Macro){part->text, part, slot_new(emitter), emitter->frame->letter};
        }
        for (uint32_t b = 0; b < part->branches.count; b++) {
            find_macros(emitter, &part->branches.items[b].body);
        }
        find_macros(emitter, &part->body);
        find_macros(emitter, &part->otherwise);
    }
}

static void emit_macro(Emitter *emitter, Macro macro) {
    if (macro.part->params.count > MACRO_PARAMS_MAX) {
        emit_error(emitter, "E0315", macro.part->name_span, "a macro takes at most %d parameters",
                   MACRO_PARAMS_MAX);
        return;
    }
    Frame *outer = emitter->frame;
    Scope *outer_scope = emitter->scope;
    Frame frame = {.letter = (char)(outer->letter + 1)};
    Scope scope = {.is_macro = true, .branches = emitter->branches};
    emitter->frame = &frame;
    emitter->scope = &scope;
    Buffer params = {0};
    for (uint32_t i = 0; i < macro.part->params.count; i++) {
        buffer_printf(&params, "%sp%u", i > 0 ? ", " : "", i + 1);
        const PartParam *param = &macro.part->params.items[i];
        Variable *variable = add_variable(emitter, &scope, param->name);
        Str name = slot_name(emitter, variable->slot);
        emit_line(emitter, STR_FMT " = p%u", STR_ARG(name), i + 1);
        emit_line(emitter, "if " STR_FMT " == nil then", STR_ARG(name));
        Operand otherwise = param->otherwise != NULL ? emit_expr(emitter, param->otherwise)
                                                     : operand_lua(emitter, "rt.null");
        emit_line(emitter, STR_FMT " = " STR_FMT, STR_ARG(name), STR_ARG(otherwise.lua));
        emit_line(emitter, "end");
        variable = &scope.variables.items[scope.variables.count - 1];
        variable->is_seen = variable->is_certain = true;
        frame.at = variable->slot + 1;
    }
    declare(emitter, &scope, &macro.part->body);
    Operand result = printed(emitter, &macro.part->body, SINK_TEXT);
    emitter->frame = outer;
    emitter->scope = outer_scope;
    Str function = emit_function(emitter, &frame, result, buffer_str(&params));
    emit_line(emitter, STR_FMT " = " STR_FMT, STR_ARG(slot_name(emitter, macro.slot)),
              STR_ARG(function));
    buffer_release(&params);
    buffer_release(&frame.code);
}

Operand emit_template_value(Emitter *emitter, const Template *template, Sink sink) {
    if (template->has_error) emitter->has_error = true;
    const Template *outer_template = emitter->template;
    uint32_t first_macro = emitter->macros.count, branches = emitter->branches;
    // A rendered text sees the variables around it; a property's template has none around it.
    Scope scope = {.outer = emitter->scope, .branches = branches};
    emitter->scope = &scope;
    emitter->template = template;
    find_macros(emitter, &template->parts);
    for (uint32_t i = first_macro; i < emitter->macros.count; i++) {
        emit_macro(emitter, emitter->macros.items[i]);
    }
    declare(emitter, &scope, &template->parts);
    Operand result = printed(emitter, &template->parts, sink);
    emitter->macros.count = first_macro;
    emitter->template = outer_template;
    emitter->scope = scope.outer;
    return result;
}
