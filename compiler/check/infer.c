// infer.c - the type, the taint and the mistakes of one expression; what conditions say about what
// stands behind them (expression-language.md 12.2).
#include "check/internal.h"

ExprType *new_type(Env *env, const Type *type) {
    ExprType *out = arena_new(env->check->arena, ExprType);
    out->typed = typed_of(type, SOURCE_LITERAL);
    return out;
}

ExprType *new_place(Env *env, const Place *place) {
    ExprType *out = new_type(env, type_record(env->check->arena, NULL, 0, true));
    out->place = place;
    out->typed.source = SOURCE_DECLARED;
    return out;
}

void join_taint(ExprType *into, const ExprType *from) {
    if (from == NULL) return;
    bool is_worse = from->typed.taint > into->typed.taint;
    if (into->taint_source.len == 0 || is_worse) into->taint_source = from->taint_source;
    into->typed = typed_carry(into->typed, from->typed);
    into->is_foreign = into->is_foreign || from->is_foreign;
}

void add_ref(Env *env, RefKind kind, Str name, Span span) {
    Ref *ref = LIST_ADD(env->check->arena, &env->check->out->refs, Ref);
    *ref = (Ref){kind, name, span, env->site};
}

Str expr_path(Arena *arena, const Expr *expr) {
    if (expr->kind == EXPR_NAME) return expr->text;
    Str key = {0};
    if (expr->kind == EXPR_MEMBER) {
        key = expr->text;
    } else if (expr->kind == EXPR_INDEX) {
        const Expr *index = expr->args.items[1].value;
        if (index->kind == EXPR_TEXT) key = index->text;
        if (index->kind == EXPR_INT) key = str_printf(arena, "%lld", (long long)index->integer);
        if (key.len == 0) {
            Str inner = expr_path(arena, index);
            if (inner.len > 0) key = str_printf(arena, "[" STR_FMT "]", STR_ARG(inner));
        }
    }
    if (key.len == 0) return (Str){0};
    Str base = expr_path(arena, expr->args.items[0].value);
    if (base.len == 0) return base;
    return str_printf(arena, STR_FMT "." STR_FMT, STR_ARG(base), STR_ARG(key));
}

// --- facts --------------------------------------------------------------------------------------

// `a.b.c` is defined where a fact says so about it or about something inside it.
bool fact_holds(const Env *env, Str path) {
    if (path.len == 0) return false;
    for (const Fact *fact = env->facts; fact != NULL; fact = fact->up) {
        if (str_eq(fact->path, path)) return true;
        if (str_starts_with(fact->path, path) && fact->path.ptr[path.len] == '.') return true;
    }
    return false;
}

static const Fact *add_fact(Env *env, const Expr *expr, const Fact *up) {
    Str path = expr_path(env->check->arena, expr);
    if (path.len == 0) return up;
    Fact *fact = arena_new(env->check->arena, Fact);
    *fact = (Fact){up, path};
    return fact;
}

static const Fact *facts_of_test(Env *env, const Expr *test, bool truth, const Fact *up) {
    bool holds = truth != test->is_negated;
    bool is_positive = str_eq(test->text, STR("defined")) || str_eq(test->text, STR("map")) ||
                       str_eq(test->text, STR("iterable"));
    bool is_negative = str_eq(test->text, STR("null")) || str_eq(test->text, STR("empty"));
    if ((is_positive && holds) || (is_negative && !holds)) {
        return add_fact(env, test->args.items[0].value, up);
    }
    return up;
}

const Fact *facts_of(Env *env, const Expr *condition, bool truth, const Fact *up) {
    if (condition == NULL) return up;
    if (condition->kind == EXPR_TEST) return facts_of_test(env, condition, truth, up);
    if (condition->kind == EXPR_UNARY && condition->op == OP_NOT) {
        return facts_of(env, condition->args.items[0].value, !truth, up);
    }
    if (condition->kind == EXPR_BINARY) {
        bool is_both = (condition->op == OP_AND && truth) || (condition->op == OP_OR && !truth);
        if (!is_both) return up;
        up = facts_of(env, condition->args.items[0].value, truth, up);
        return facts_of(env, condition->args.items[1].value, truth, up);
    }
    return up;
}

// --- dashes -------------------------------------------------------------------------------------

// `outputs.my-task.x` is read as `outputs.my - task.x`. Gives the text from the last member of the
// left side on when that is what happened: nothing stands between the names but dashes.
static bool dashed(Env *env, const Expr *expr, Str *name, const Expr **base, Span *span) {
    Arena *arena = env->check->arena;
    const Expr *left = expr->args.items[0].value;
    const Expr *right = expr->args.items[1].value;
    while (right->kind == EXPR_MEMBER || right->kind == EXPR_INDEX)
        right = right->args.items[0].value;
    if (right->is_parenthesised || left->is_parenthesised) return false;
    bool is_name = right->kind == EXPR_NAME || right->kind == EXPR_INT;
    if (!is_name || left->span.start + left->span.len + 1 != right->span.start) return false;
    Str tail = right->text;
    if (left->kind == EXPR_BINARY && left->op == OP_SUB) {
        if (!dashed(env, left, name, base, span)) return false;
        *name = str_printf(arena, STR_FMT "-" STR_FMT, STR_ARG(*name), STR_ARG(tail));
    } else if (left->kind == EXPR_MEMBER) {
        *base = left->args.items[0].value;
        *name = str_printf(arena, STR_FMT "-" STR_FMT, STR_ARG(left->text), STR_ARG(tail));
        *span = left->name_span;
    } else {
        return false;
    }
    *span = span_to(*span, right->span);
    return true;
}

static bool check_dash(Env *env, const Expr *expr) {
    Str name = {0};
    const Expr *base = NULL;
    Span span = {0};
    if (!dashed(env, expr, &name, &base, &span)) return false;
    Str root = expr_path(env->check->arena, base);
    bool is_task = (str_eq(root, STR("outputs")) || str_eq(root, STR("tasks"))) &&
                   flow_find_task(env->check->flow, name) != NULL;
    bool is_input = str_eq(root, STR("inputs")) && flow_find_input(env->check->flow, name) != NULL;
    bool is_variable =
        str_eq(root, STR("vars")) && place_field(env->check->variables, name) != NULL;
    if (!is_task && !is_input && !is_variable) return false;
    if (is_input) add_ref(env, REF_INPUT, name, span);
    if (is_variable) add_ref(env, REF_VARIABLE, name, span);
    if (env->site->is_static) return true;
    Diag *diag = diag_add(
        env->check->diags, "E0317", DIAG_ERROR, span,
        "a name with a dash needs brackets: '" STR_FMT "' is read as a subtraction", STR_ARG(name));
    Str text =
        str_printf(env->check->arena, STR_FMT "['" STR_FMT "']", STR_ARG(root), STR_ARG(name));
    DiagSuggestion *fix = diag_suggestion(diag, true, "write '" STR_FMT "'", STR_ARG(text));
    diag_edit(diag, fix, span_to(base->span, span), text);
    return true;
}

// --- operators ----------------------------------------------------------------------------------

static bool is_int(const Type *type) {
    return type_must_be(type, TYPE_TAG_INT);
}

static bool is_number(const Type *type) {
    return type_accepts(type_number(), type);
}

static const Type *sum_of(const Type *a, const Type *b) {
    if (type_must_be(a, TYPE_TAG_TEXT) || type_must_be(b, TYPE_TAG_TEXT)) {
        return type_text(TEXT_PLAIN);
    }
    if (is_int(a) && is_int(b)) return type_int();
    return is_number(a) && is_number(b) ? type_number() : type_any();
}

// Arithmetic other than `+`: numbers, or a list from which something is taken.
static const Type *difference_of(const Type *a, const Type *b) {
    if (is_int(a) && is_int(b)) return type_int();
    if (type_must_be(a, TYPE_TAG_LIST)) return a;
    return type_may_be(a, TYPE_TAG_LIST) ? type_any() : type_number();
}

static ExprType *infer_guarded(Env *env, Expr *expr) {
    bool was = env->is_guarded;
    env->is_guarded = true;
    ExprType *type = infer(env, expr);
    env->is_guarded = was;
    return type;
}

// The tasks whose outputs an operand of `??` is, or one of them is.
static void add_instead(Env *env, const Expr *expr) {
    if (expr->kind == EXPR_BINARY &&
        (expr->op == OP_COALESCE || expr->op == OP_COALESCE_UNDEFINED)) {
        add_instead(env, expr->args.items[0].value);
        add_instead(env, expr->args.items[1].value);
        return;
    }
    while (expr->kind == EXPR_MEMBER || expr->kind == EXPR_INDEX) {
        const Expr *base = expr->args.items[0].value;
        const bool is_root = base->kind == EXPR_NAME && str_eq(base->text, STR("outputs"));
        const Expr *key = expr->kind == EXPR_INDEX ? expr->args.items[1].value : expr;
        if (is_root && (key == expr || key->kind == EXPR_TEXT)) {
            const Task *task = flow_find_task(env->check->flow, key->text);
            if (task != NULL && env->instead_count < COUNT(env->instead_of)) {
                env->instead_of[env->instead_count++] = task;
            }
        }
        expr = base;
    }
}

// `a ?? b`, `a ??? b`.
static ExprType *infer_coalesce(Env *env, Expr *expr) {
    ExprType *left = infer_guarded(env, expr->args.items[0].value);
    const uint32_t instead_count = env->instead_count;
    add_instead(env, expr->args.items[0].value);
    ExprType *right = infer(env, expr->args.items[1].value);
    env->instead_count = instead_count;
    Arena *arena = env->check->arena;
    const Type *kept =
        expr->op == OP_COALESCE ? type_without_null(arena, left->typed.type) : left->typed.type;
    const Type *result = left->typed.undef == CERTAINLY ? right->typed.type
                                                        : type_join(arena, kept, right->typed.type);
    ExprType *type = new_type(env, result);
    join_taint(type, left);
    join_taint(type, right);
    type->typed.undef = right->typed.undef;
    return type;
}

static ExprType *infer_logic(Env *env, Expr *expr) {
    ExprType *left = infer(env, expr->args.items[0].value);
    const Fact *facts = env->facts;
    env->facts = facts_of(env, expr->args.items[0].value, expr->op == OP_AND, facts);
    ExprType *right = infer(env, expr->args.items[1].value);
    env->facts = facts;
    check_truth(env, expr->args.items[0].value, left, expr->text);
    check_truth(env, expr->args.items[1].value, right, expr->text);
    ExprType *type = new_type(env, type_bool());
    join_taint(type, left);
    join_taint(type, right);
    return type;
}

// What a comparison says about a secret is not the secret, and no text that could do harm.
static void weaken(ExprType *type) {
    if (type->typed.taint == TAINT_SECRET) type->typed.taint = TAINT_DERIVED;
    type->is_foreign = false;
}

// An operand that is undefined makes the whole so.
static Certainty worse_undef(const ExprType *a, const ExprType *b) {
    if (a->typed.undef == CERTAINLY || b->typed.undef == CERTAINLY) return CERTAINLY;
    return a->typed.undef == MAYBE || b->typed.undef == MAYBE ? MAYBE : CERTAINLY_NOT;
}

// `inputs..x`: a range from a map to a name that nothing bears, where one dot was meant.
static bool check_double_dot(Env *env, Expr *expr) {
    Expr *left = expr->args.items[0].value;
    const Expr *right = expr->args.items[1].value;
    // `a ?? b..c`: the range binds less than what stands before it.
    while (left->kind == EXPR_BINARY) left = left->args.items[1].value;
    while (right->kind == EXPR_MEMBER || right->kind == EXPR_INDEX) {
        right = right->args.items[0].value;
    }
    bool is_reference = left->kind == EXPR_NAME || left->kind == EXPR_MEMBER;
    if (!is_reference || right->kind != EXPR_NAME) return false;
    // Written without blanks; a range of two values usually has numbers or blanks.
    if (left->span.start + left->span.len + 2 != right->span.start) return false;
    bool was = env->is_base;
    env->is_base = true;
    const ExprType *type = infer(env, left);
    env->is_base = was;
    bool is_map = left->kind == EXPR_NAME && type->place != NULL;
    if (type_must_be(type->typed.type, TYPE_TAG_INT)) return false;
    if (!is_map && root_is_known(env, right)) return false;
    Span dots = {left->span.file, left->span.start + left->span.len, 2};
    Diag *diag = diag_add(env->check->diags, "E0315", DIAG_ERROR, dots,
                          "two dots make a range; a member is written with one");
    diag_suggest(diag, STR("."));
    // What was meant is used.
    if (left->kind == EXPR_NAME && str_eq(left->text, STR("inputs"))) {
        add_ref(env, REF_INPUT, right->text, right->span);
    } else if (left->kind == EXPR_NAME && str_eq(left->text, STR("vars"))) {
        add_ref(env, REF_VARIABLE, right->text, right->span);
    }
    return true;
}

static ExprType *infer_binary(Env *env, Expr *expr) {
    if (expr->op == OP_COALESCE || expr->op == OP_COALESCE_UNDEFINED) {
        check_precedence(env, expr);
        return infer_coalesce(env, expr);
    }
    if (expr->op == OP_AND || expr->op == OP_OR) {
        ExprType *type = infer_logic(env, expr);
        weaken(type);
        return type;
    }
    if (expr->op == OP_SUB && check_dash(env, expr)) return new_type(env, type_any());
    if (expr->op == OP_RANGE && check_double_dot(env, expr)) return new_type(env, type_any());
    ExprType *left = infer(env, expr->args.items[0].value);
    ExprType *right = infer(env, expr->args.items[1].value);
    ExprType *type = new_type(env, type_any());
    join_taint(type, left);
    join_taint(type, right);
    type->typed.undef = worse_undef(left, right);
    check_comparison(env, expr, left, right);
    check_operands(env, expr, left, right);
    check_null_in_text(env, expr, left, right);
    check_precedence(env, expr);
    switch (expr->op) {
    case OP_EQ:
    case OP_NE:
    case OP_LT:
    case OP_GT:
    case OP_LE:
    case OP_GE:
    case OP_CONTAINS:
    case OP_IS_IN:
        type->typed.type = type_bool();
        weaken(type);
        return type;
    case OP_ADD:
        type->typed.type = sum_of(left->typed.type, right->typed.type);
        return type;
    case OP_SUB:
    case OP_MUL:
    case OP_DIV:
    case OP_MOD:
        type->typed.type = difference_of(left->typed.type, right->typed.type);
        return type;
    case OP_CONCAT:
        type->typed.type = type_text(TEXT_PLAIN);
        return type;
    case OP_RANGE:
        type->typed.type = type_list(env->check->arena, type_int());
        return type;
    case OP_NONE:
    case OP_NOT:
    case OP_NEGATE:
    case OP_PLUS_SIGN:
    case OP_OR:
    case OP_AND:
    case OP_COALESCE:
    case OP_COALESCE_UNDEFINED:
        return type;
    }
    return type;
}

static ExprType *infer_ternary(Env *env, Expr *expr) {
    Expr *condition = expr->args.items[0].value;
    ExprType *asked = infer(env, condition);
    check_truth(env, condition, asked, STR("?"));
    const Fact *facts = env->facts;
    bool was = env->is_in_arm;
    env->is_in_arm = true;
    env->facts = facts_of(env, condition, true, facts);
    ExprType *yes = infer(env, expr->args.items[1].value);
    env->facts = facts_of(env, condition, false, facts);
    ExprType *no = infer(env, expr->args.items[2].value);
    env->facts = facts;
    env->is_in_arm = was;
    ExprType *type = new_type(env, type_join(env->check->arena, yes->typed.type, no->typed.type));
    type->typed.effects = asked->typed.effects;
    join_taint(type, yes);
    join_taint(type, no);
    type->typed.undef = yes->typed.undef == no->typed.undef ? yes->typed.undef : MAYBE;
    return type;
}

// --- literals -----------------------------------------------------------------------------------

static ExprType *infer_list(Env *env, Expr *expr) {
    ExprType *type = new_type(env, type_any());
    const Type *item = type_never();
    for (uint32_t i = 0; i < expr->args.count; i++) {
        ExprType *part = infer(env, expr->args.items[i].value);
        join_taint(type, part);
        item = type_join(env->check->arena, item, part->typed.type);
    }
    type->typed.type =
        expr->kind == EXPR_LIST ? type_list(env->check->arena, item) : type_text(TEXT_PLAIN);
    return type;
}

static ExprType *infer_map(Env *env, Expr *expr) {
    ExprType *type = new_type(env, type_any());
    TypeField *fields = arena_array(env->check->arena, TypeField, expr->args.count / 2);
    uint32_t count = 0;
    for (uint32_t i = 0; i + 1 < expr->args.count; i += 2) {
        ExprType *key = infer(env, expr->args.items[i].value);
        ExprType *value = infer(env, expr->args.items[i + 1].value);
        join_taint(type, key);
        join_taint(type, value);
        if (expr->args.items[i].value->kind != EXPR_TEXT) continue;
        fields[count++] =
            (TypeField){.name = expr->args.items[i].value->text, .type = value->typed.type};
    }
    type->typed.type = type_record(env->check->arena, fields, count, count * 2 < expr->args.count);
    return type;
}

static ExprType *infer_method(Env *env, Expr *expr) {
    for (uint32_t i = 0; i < expr->args.count; i++) infer(env, expr->args.items[i].value);
    if (env->site->is_static) return new_type(env, type_any());
    Diag *diag = diag_add(env->check->diags, "E0323", DIAG_ERROR, expr->name_span,
                          "method '" STR_FMT "' cannot be called: values have no methods",
                          STR_ARG(expr->text));
    Str instead = method_replacement(expr->text);
    if (instead.len > 0) diag_note(diag, "write " STR_FMT, STR_ARG(instead));
    return new_type(env, type_any());
}

static ExprType *infer_base(Env *env, Expr *expr) {
    env->is_base = expr->kind == EXPR_NAME;
    ExprType *type = infer(env, expr);
    env->is_base = false;
    return type;
}

static ExprType *infer_kind(Env *env, Expr *expr) {
    ExprType *type = NULL;
    switch (expr->kind) {
    case EXPR_ERROR:
        return new_type(env, type_any());
    case EXPR_NULL:
        return new_type(env, type_null());
    case EXPR_BOOL:
        return new_type(env, type_bool());
    case EXPR_INT:
        return new_type(env, type_int());
    case EXPR_FLOAT:
        return new_type(env, type_float());
    case EXPR_TEXT:
        return new_type(env, type_literal(env->check->arena, expr->text));
    case EXPR_INTERPOLATION:
    case EXPR_LIST:
        return infer_list(env, expr);
    case EXPR_MAP:
        return infer_map(env, expr);
    case EXPR_NAME:
        return root_type(env, expr);
    case EXPR_MEMBER:
        type = infer_base(env, expr->args.items[0].value);
        return member_type(env, expr, type, expr->text, expr->name_span);
    case EXPR_INDEX:
        type = infer_base(env, expr->args.items[0].value);
        return index_type(env, expr, type);
    case EXPR_METHOD:
        return infer_method(env, expr);
    case EXPR_CALL:
        return infer_call(env, expr);
    case EXPR_FILTER:
        return infer_filter(env, expr);
    case EXPR_TEST:
        type = infer_test(env, expr);
        weaken(type);
        return type;
    case EXPR_UNARY:
        type = new_type(env, type_any());
        *type = *infer(env, expr->args.items[0].value);
        if (expr->op == OP_NOT) {
            check_truth(env, expr->args.items[0].value, type, expr->text);
            type->typed.type = type_bool();
            weaken(type);
            return type;
        }
        check_sign(env, expr, type);
        if (!is_number(type->typed.type)) type->typed.type = type_number();
        return type;
    case EXPR_BINARY:
        return infer_binary(env, expr);
    case EXPR_TERNARY:
        return infer_ternary(env, expr);
    case EXPR_BODY:
        return new_type(env, type_text(TEXT_PLAIN));
    }
    return new_type(env, type_any());
}

ExprType *infer(Env *env, Expr *expr) {
    if (expr == NULL || env->depth > CHECK_DEPTH_MAX) return new_type(env, type_any());
    env->depth++;
    ExprType *type = infer_kind(env, expr);
    env->depth--;
    expr->type = type;
    return type;
}

// --- the parts of a template --------------------------------------------------------------------

static Local *bind(Env *env, Str name, const ExprType *type) {
    Local *local = arena_new(env->check->arena, Local);
    *local = (Local){.up = env->locals, .name = name, .type = type};
    env->locals = local;
    return local;
}

static ExprType *loop_record(Env *env) {
    static const char *const names[] = {"index", "length", "first", "last", "revindex"};
    Place *place = place_new(env->check->arena, ORIGIN_FIXED, STR("loop"));
    for (size_t i = 0; i < COUNT(names); i++) {
        bool is_bool = i == 2 || i == 3;
        place_add(env->check->arena, place, str_from(names[i]), is_bool ? type_bool() : type_int(),
                  NULL);
    }
    return new_place(env, place);
}

static void infer_for(Env *env, const Part *part) {
    ExprType *over = infer(env, part->expr);
    check_walk(env, part->expr, over);
    const Local *locals = env->locals;
    // The items of a map are pairs.
    bool is_list = type_must_be(over->typed.type, TYPE_TAG_LIST);
    const Type *item = is_list ? type_element(env->check->arena, over->typed.type) : type_any();
    ExprType *element = new_type(env, item->tag == TYPE_TAG_NEVER ? type_any() : item);
    join_taint(element, over);
    bind(env, part->text, element);
    bind(env, STR("loop"), loop_record(env));
    infer_parts(env, &part->body);
    env->locals = locals;
    infer_parts(env, &part->otherwise);
}

static void infer_macro(Env *env, const Part *part) {
    const Local *locals = env->locals;
    bind(env, (Str){0}, NULL)->is_wall = true;
    for (uint32_t i = 0; i < part->params.count; i++) {
        if (part->params.items[i].otherwise != NULL) infer(env, part->params.items[i].otherwise);
        bind(env, part->params.items[i].name, new_type(env, type_any()));
    }
    infer_parts(env, &part->body);
    env->locals = locals;
}

static void infer_part(Env *env, const Part *part) {
    const Fact *facts = env->facts;
    switch (part->kind) {
    case PART_TEXT:
    case PART_ERROR:
        return;
    case PART_PRINT:
        infer(env, part->expr);
        *LIST_ADD(env->check->arena, &env->check->out->prints, Print) =
            (Print){env->site, part->expr};
        return;
    case PART_IF:
        for (uint32_t i = 0; i < part->branches.count; i++) {
            PartBranch *branch = &part->branches.items[i];
            if (branch->condition != NULL) {
                check_truth(env, branch->condition, infer(env, branch->condition), STR("if"));
            }
            const Fact *before = env->facts;
            env->facts = facts_of(env, branch->condition, true, before);
            infer_parts(env, &branch->body);
            env->facts = facts_of(env, branch->condition, false, before);
        }
        env->facts = facts;
        return;
    case PART_FOR:
        infer_for(env, part);
        return;
    case PART_SET:
        bind(env, part->text, infer(env, part->expr));
        return;
    case PART_MACRO:
        infer_macro(env, part);
        return;
    case PART_BLOCK:
        infer_parts(env, &part->body);
        return;
    case PART_FILTER:
        infer_parts(env, &part->body);
        infer(env, part->expr);
        return;
    }
}

void infer_parts(Env *env, const Parts *parts) {
    if (env->depth > CHECK_DEPTH_MAX) return;
    env->depth++;
    for (uint32_t i = 0; i < parts->count; i++) infer_part(env, parts->items[i]);
    env->depth--;
}
