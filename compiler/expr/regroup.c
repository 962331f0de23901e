// regroup.c - the precedences of Kestra 2.0: there `??`, `???` and `isIn` bind like `==`, looser
// than
// `~`, filters and arithmetic, where before they bound closest of all.
//
// The grammar knows one table. A chain of operators without brackets, however it was grouped, is
// laid out in the order of its text and grouped anew.
#include "expr/ast.h"

typedef struct Link {
    Expr *operand;  // of the first link: what stands in front; of a BINARY: its right side
    Expr *node;     // BINARY, FILTER or TEST; NULL: the first link
} Link;

typedef struct Chain {
    LIST_OF(Link) links;
    Arena *arena;
    uint32_t at;
    bool has_late;
} Chain;

static bool is_link(const Expr *expr) {
    bool is_operator =
        expr->kind == EXPR_BINARY || expr->kind == EXPR_FILTER || expr->kind == EXPR_TEST;
    return is_operator && !expr->is_parenthesised && expr->args.count > 0;
}

static bool is_late(const Expr *expr) {
    return expr->kind == EXPR_BINARY &&
           (expr->op == OP_COALESCE || expr->op == OP_IS_IN || expr->op == OP_COALESCE_UNDEFINED);
}

static void add(Chain *chain, Expr *operand, Expr *node) {
    *LIST_ADD(chain->arena, &chain->links, Link) = (Link){operand, node};
    if (node != NULL && is_late(node)) chain->has_late = true;
}

// What stands in front of `node` goes before it, what is grouped to its right behind it.
static void lay_out(Chain *chain, Expr *expr, Expr *before) {
    if (!is_link(expr)) {
        add(chain, expr, before);
        return;
    }
    lay_out(chain, expr->args.items[0].value, before);
    if (expr->kind == EXPR_BINARY && expr->args.count > 1) {
        lay_out(chain, expr->args.items[1].value, expr);
    } else {
        add(chain, NULL, expr);
    }
}

static int level_of(const Expr *expr) {
    if (expr->kind == EXPR_FILTER) return 100;
    if (expr->kind == EXPR_TEST) return 20;
    switch (expr->op) {
    case OP_OR:
        return 10;
    case OP_AND:
        return 15;
    case OP_CONTAINS:
        return 20;
    case OP_EQ:
    case OP_NE:
    case OP_LT:
    case OP_GT:
    case OP_LE:
    case OP_GE:
    case OP_IS_IN:
    case OP_COALESCE:
    case OP_COALESCE_UNDEFINED:
        return 30;
    case OP_ADD:
    case OP_SUB:
        return 40;
    case OP_MUL:
    case OP_DIV:
    case OP_MOD:
        return 60;
    case OP_CONCAT:
        return 110;
    case OP_RANGE:
        return 120;
    case OP_NONE:
    case OP_NOT:
    case OP_NEGATE:
    case OP_PLUS_SIGN:
        break;
    }
    return 0;
}

static Span joined(Span from, Span to) {
    uint32_t end = to.start + to.len;
    return (Span){from.file, from.start, end > from.start ? end - from.start : 0};
}

// All operators associate to the left. Recursion is as deep as there are levels.
static Expr *group(Chain *chain, Expr *left, int least) {
    while (chain->at < chain->links.count) {
        Link link = chain->links.items[chain->at];
        int level = level_of(link.node);
        if (level < least) break;
        chain->at++;
        Span end = link.node->span;
        if (link.operand != NULL) {
            Expr *right = group(chain, link.operand, level + 1);
            link.node->args.items[1].value = right;
            end = right->span;
        }
        link.node->args.items[0].value = left;
        link.node->span = joined(left->span, end);
        left = link.node;
    }
    return left;
}

Expr *regroup(Reader *reader, Expr *expr) {
    Chain chain = {.arena = reader->arena};
    if (!is_link(expr)) return expr;
    lay_out(&chain, expr, NULL);
    if (!chain.has_late) return expr;
    chain.at = 1;
    return group(&chain, chain.links.items[0].operand, 0);
}
