// print.c - a template as an S-expression: what the grammar's tests compare.
//
//   a {{ b.c | f(1, k=2) }}
//   (template (text "a ") (print (filter f (. c (name b)) 1 (k= 2))))
#include "expr/expr.h"

static void print_expr(const Expr *expr, Buffer *out);

static void print_args(const Expr *expr, uint32_t from, Buffer *out) {
    for (uint32_t i = from; i < expr->args.count; i++) {
        const ExprArg *arg = &expr->args.items[i];
        buffer_add_char(out, ' ');
        if (arg->name.len > 0) buffer_printf(out, "(" STR_FMT "= ", STR_ARG(arg->name));
        print_expr(arg->value, out);
        if (arg->name.len > 0) buffer_add_char(out, ')');
    }
}

static void print_list(const Expr *expr, const char *head, Str text, Buffer *out) {
    buffer_printf(out, "(%s%s" STR_FMT, head, *head != '\0' && text.len > 0 ? " " : "",
                  STR_ARG(text));
    print_args(expr, 0, out);
    buffer_add_char(out, ')');
}

static void print_expr(const Expr *expr, Buffer *out) {
    switch (expr->kind) {
    case EXPR_ERROR:
        buffer_add(out, STR("error"));
        return;
    case EXPR_BODY:
        buffer_add(out, STR("body"));
        return;
    case EXPR_NULL:
        buffer_add(out, STR("null"));
        return;
    case EXPR_BOOL:
        buffer_add(out, expr->boolean ? STR("true") : STR("false"));
        return;
    case EXPR_INT:
    case EXPR_FLOAT:
        buffer_add(out, expr->text);
        return;
    case EXPR_TEXT:
        buffer_add_json(out, expr->text);
        return;
    case EXPR_NAME:
        buffer_add(out, expr->text);
        return;
    case EXPR_INTERPOLATION:
        print_list(expr, "join", (Str){0}, out);
        return;
    case EXPR_LIST:
        print_list(expr, "list", (Str){0}, out);
        return;
    case EXPR_MAP:
        print_list(expr, "map", (Str){0}, out);
        return;
    case EXPR_MEMBER:
        print_list(expr, ".", expr->text, out);
        return;
    case EXPR_INDEX:
        print_list(expr, "[]", (Str){0}, out);
        return;
    case EXPR_METHOD:
        print_list(expr, "method", expr->text, out);
        return;
    case EXPR_CALL:
        print_list(expr, "call", expr->text, out);
        return;
    case EXPR_FILTER:
        print_list(expr, "filter", expr->text, out);
        return;
    case EXPR_TEST:
        print_list(expr, expr->is_negated ? "is-not" : "is", expr->text, out);
        return;
    case EXPR_UNARY:
    case EXPR_BINARY:
        print_list(expr, "", str_from(expr_op_text(expr->op)), out);
        return;
    case EXPR_TERNARY:
        print_list(expr, "?:", (Str){0}, out);
        return;
    }
}

static void print_parts(const Parts *parts, Buffer *out);

static void print_if(const Part *part, Buffer *out) {
    buffer_add(out, STR("(if"));
    for (uint32_t i = 0; i < part->branches.count; i++) {
        const PartBranch *branch = &part->branches.items[i];
        buffer_add(out, STR(" ("));
        if (branch->condition != NULL) {
            print_expr(branch->condition, out);
        } else {
            buffer_add(out, STR("else"));
        }
        print_parts(&branch->body, out);
        buffer_add_char(out, ')');
    }
    buffer_add_char(out, ')');
}

static void print_macro(const Part *part, Buffer *out) {
    buffer_printf(out, "(macro " STR_FMT " (", STR_ARG(part->text));
    for (uint32_t i = 0; i < part->params.count; i++) {
        const PartParam *param = &part->params.items[i];
        if (i > 0) buffer_add_char(out, ' ');
        if (param->otherwise == NULL) {
            buffer_add(out, param->name);
            continue;
        }
        buffer_printf(out, "(" STR_FMT "= ", STR_ARG(param->name));
        print_expr(param->otherwise, out);
        buffer_add_char(out, ')');
    }
    buffer_add_char(out, ')');
    print_parts(&part->body, out);
    buffer_add_char(out, ')');
}

static void print_part(const Part *part, Buffer *out) {
    switch (part->kind) {
    case PART_ERROR:
        buffer_add(out, STR("error"));
        return;
    case PART_IF:
        print_if(part, out);
        return;
    case PART_MACRO:
        print_macro(part, out);
        return;
    case PART_TEXT:
        buffer_add(out, STR("(text "));
        buffer_add_json(out, part->text);
        break;
    case PART_PRINT:
        buffer_add(out, STR("(print "));
        print_expr(part->expr, out);
        break;
    case PART_SET:
        buffer_printf(out, "(set " STR_FMT " ", STR_ARG(part->text));
        print_expr(part->expr, out);
        break;
    case PART_FOR:
        buffer_printf(out, "(for " STR_FMT " ", STR_ARG(part->text));
        print_expr(part->expr, out);
        print_parts(&part->body, out);
        if (part->otherwise.count > 0) {
            buffer_add(out, STR(" (else"));
            print_parts(&part->otherwise, out);
            buffer_add_char(out, ')');
        }
        break;
    case PART_BLOCK:
        buffer_printf(out, "(block " STR_FMT, STR_ARG(part->text));
        print_parts(&part->body, out);
        break;
    case PART_FILTER:
        buffer_add(out, STR("(filter-tag "));
        print_expr(part->expr, out);
        print_parts(&part->body, out);
        break;
    }
    buffer_add_char(out, ')');
}

static void print_parts(const Parts *parts, Buffer *out) {
    for (uint32_t i = 0; i < parts->count; i++) {
        buffer_add_char(out, ' ');
        print_part(parts->items[i], out);
    }
}

void template_print(const Template *template, Buffer *out) {
    buffer_add(out, STR("(template"));
    print_parts(&template->parts, out);
    buffer_add_char(out, ')');
}
