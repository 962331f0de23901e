// operators.c - what the operators of the language do: expression-language.md 4.3 to 4.5, with the
// deviations of design §20: 64-bit integers that fail on overflow, exact comparison of integers and
// floats, undefined passes through, lists and maps print as JSON.
#include "leaf/machine.h"

#include <math.h>
#include <string.h>

enum { RANGE_MAX = 1000000 };

typedef enum Arithmetic { ADD, SUB, MUL, DIV, MOD } Arithmetic;

static const char *const arithmetic_names[] = {"add", "sub", "mul", "div", "mod"};
static const char *const arithmetic_signs[] = {"+", "-", "*", "/", "%"};

// Of an operator with operands at 1 and 2 and the site at 3: true where the result is pushed
// already, since an operand is undefined or a secret.
static bool passes(lua_State *L, Kind a, Kind b, const char *name) {
    if (a == KIND_UNDEFINED || b == KIND_UNDEFINED) {
        lua_pushvalue(L, a == KIND_UNDEFINED ? 1 : 2);
        return true;
    }
    bool is_secret =
        a == KIND_SECRET || b == KIND_SECRET || leaf_holds_secret(L, 1) || leaf_holds_secret(L, 2);
    if (is_secret) leaf_secret_call(L, "operator", name, 1);
    return is_secret;
}

static void begin(lua_State *L, int operands) {
    vm_of(L)->site = (uint32_t)lua_tointeger(L, operands + 1);
    lua_settop(L, operands);
}

// --- arithmetic ---------------------------------------------------------------------------------

// What Java's parseDouble reads beyond the language's numbers, once a point or an exponent says
// that it is asked: blanks around it, a letter f or d behind it.
static bool parse_java_float(Str text, Number *out) {
    if (str_find_char(text, '.', 0) == STR_NOT_FOUND &&
        str_find_char(text, 'e', 0) == STR_NOT_FOUND &&
        str_find_char(text, 'E', 0) == STR_NOT_FOUND) {
        return false;
    }
    text = str_trim(text);
    if (text.len > 1 && strchr("fFdD", text.ptr[text.len - 1]) != NULL) text.len--;
    return leaf_parse_number(text, out) && out->is_float;
}

static Number operand(lua_State *L, int index, const char *sign) {
    char text[96];
    Number number = {0};
    switch (leaf_kind(L, index)) {
    case KIND_INT:
        number.integer = lua_tointeger(L, index);
        return number;
    case KIND_FLOAT:
        number.is_float = true;
        number.real = lua_tonumber(L, index);
        return number;
    case KIND_TEXT:
        if (leaf_parse_number(leaf_str(L, index), &number)) return number;
        if (parse_java_float(leaf_str(L, index), &number)) return number;
        leaf_raise(L, LEAF_ERROR_TYPE, "'%s' needs numbers, and the text %s is none", sign,
                   leaf_quote(L, index, text));
    case KIND_BIGNUM:
        leaf_raise(L, LEAF_ERROR_VALUE, "integers beyond 64 bits cannot be calculated with");
    case KIND_ABSENT:
    case KIND_NULL:
    case KIND_UNDEFINED:
    case KIND_BOOL:
    case KIND_LIST:
    case KIND_MAP:
    case KIND_SECRET:
    case KIND_OTHER:
        break;
    }
    leaf_raise(L, LEAF_ERROR_TYPE, "'%s' needs numbers, not %s", sign,
               leaf_kind_text(leaf_kind(L, index)));
}

static void push_int_result(lua_State *L, Arithmetic op, int64_t a, int64_t b) {
    int64_t result = 0;
    bool overflow = false;
    switch (op) {
    case ADD:
        overflow = __builtin_add_overflow(a, b, &result);
        break;
    case SUB:
        overflow = __builtin_sub_overflow(a, b, &result);
        break;
    case MUL:
        overflow = __builtin_mul_overflow(a, b, &result);
        break;
    case DIV:
    case MOD:
        if (b == 0) leaf_raise(L, LEAF_ERROR_VALUE, "division by zero");
        if (b == -1) {  // the one quotient that overflows
            overflow = op == DIV && a == INT64_MIN;
            result = op == DIV && !overflow ? -a : 0;
        } else {
            result = op == DIV ? a / b : a % b;
        }
        break;
    }
    if (overflow) {
        leaf_raise(L, LEAF_ERROR_VALUE, "the result of '%s' does not fit into 64 bits",
                   arithmetic_signs[op]);
    }
    lua_pushinteger(L, result);
}

static void push_float_result(lua_State *L, Arithmetic op, double a, double b) {
    switch (op) {
    case ADD:
        lua_pushnumber(L, a + b);
        return;
    case SUB:
        lua_pushnumber(L, a - b);
        return;
    case MUL:
        lua_pushnumber(L, a * b);
        return;
    case DIV:
        lua_pushnumber(L, a / b);
        return;
    case MOD:
        lua_pushnumber(L, fmod(a, b));
        return;
    }
}

static int calculate(lua_State *L, Arithmetic op) {
    Number a = operand(L, 1, arithmetic_signs[op]), b = operand(L, 2, arithmetic_signs[op]);
    if (!a.is_float && !b.is_float) {
        push_int_result(L, op, a.integer, b.integer);
    } else {
        push_float_result(L, op, a.is_float ? a.real : (double)a.integer,
                          b.is_float ? b.real : (double)b.integer);
    }
    return 1;
}

static void copy_items(lua_State *L, int from, int to) {
    size_t count = leaf_count(L, from);
    leaf_charge(L, count);
    for (size_t i = 0; i < count; i++) {
        leaf_push_item(L, from, i);
        leaf_list_add(L, to);
    }
}

// list + x: a new list; of a list its items are added, anything else is added itself.
static int list_plus(lua_State *L) {
    leaf_new_list(L, leaf_count(L, 1) + 1);
    int result = lua_gettop(L);
    copy_items(L, 1, result);
    if (leaf_kind(L, 2) == KIND_LIST) {
        copy_items(L, 2, result);
    } else {
        lua_pushvalue(L, 2);
        leaf_list_add(L, result);
    }
    return 1;
}

static bool list_has(lua_State *L, int list, int item) {
    size_t count = leaf_count(L, list);
    leaf_charge(L, count);
    for (size_t i = 0; i < count; i++) {
        leaf_push_item(L, list, i);
        bool found = leaf_equal(L, lua_gettop(L), item);
        lua_pop(L, 1);
        if (found) return true;
    }
    return false;
}

// list - x removes the first equal item, list - list every item that the right one has.
static int list_minus(lua_State *L) {
    size_t count = leaf_count(L, 1);
    bool is_list = leaf_kind(L, 2) == KIND_LIST, is_removed = false;
    leaf_charge(L, count);
    leaf_new_list(L, count);
    for (size_t i = 0; i < count; i++) {
        leaf_push_item(L, 1, i);
        bool remove = is_list ? list_has(L, 2, lua_gettop(L))
                              : !is_removed && leaf_equal(L, lua_gettop(L), 2);
        if (remove) {
            is_removed = true;
            lua_pop(L, 1);
        } else {
            leaf_list_add(L, 3);
        }
    }
    return 1;
}

static void print_operand(lua_State *L, int index, Buffer *out) {
    if (leaf_kind(L, index) == KIND_NULL) {
        buffer_add(out, STR("null"));
    } else {
        leaf_print(L, index, out);
    }
}

static int text_plus(lua_State *L) {
    Buffer *out = leaf_scratch(L);
    print_operand(L, 1, out);
    print_operand(L, 2, out);
    leaf_push_scratch(L);
    return 1;
}

static int rt_add(lua_State *L) {
    begin(L, 2);
    Kind a = leaf_kind(L, 1), b = leaf_kind(L, 2);
    if (a == KIND_INT && b == KIND_INT) return calculate(L, ADD);
    if (passes(L, a, b, "add")) return 1;
    if (a == KIND_TEXT || b == KIND_TEXT) return text_plus(L);
    if (a == KIND_LIST) return list_plus(L);
    return calculate(L, ADD);
}

static int rt_sub(lua_State *L) {
    begin(L, 2);
    Kind a = leaf_kind(L, 1), b = leaf_kind(L, 2);
    if (passes(L, a, b, "sub")) return 1;
    return a == KIND_LIST ? list_minus(L) : calculate(L, SUB);
}

static int plain_arithmetic(lua_State *L, Arithmetic op) {
    begin(L, 2);
    if (passes(L, leaf_kind(L, 1), leaf_kind(L, 2), arithmetic_names[op])) return 1;
    return calculate(L, op);
}

static int rt_mul(lua_State *L) {
    return plain_arithmetic(L, MUL);
}

static int rt_div(lua_State *L) {
    return plain_arithmetic(L, DIV);
}

static int rt_mod(lua_State *L) {
    return plain_arithmetic(L, MOD);
}

static bool passes_one(lua_State *L, const char *name) {
    Kind kind = leaf_kind(L, 1);
    if (kind == KIND_UNDEFINED) {
        lua_pushvalue(L, 1);
        return true;
    }
    if (kind != KIND_SECRET) return false;
    leaf_secret_call(L, "operator", name, 1);
    return true;
}

static int rt_neg(lua_State *L) {
    begin(L, 1);
    if (passes_one(L, "neg")) return 1;
    Number a = operand(L, 1, "-");
    if (a.is_float) {
        lua_pushnumber(L, -a.real);
    } else {
        push_int_result(L, SUB, 0, a.integer);
    }
    return 1;
}

static int rt_pos(lua_State *L) {
    begin(L, 1);
    if (passes_one(L, "pos")) return 1;
    Number a = operand(L, 1, "+");
    if (a.is_float) {
        lua_pushnumber(L, a.real);
    } else {
        lua_pushinteger(L, a.integer);
    }
    return 1;
}

// Lua prints these as the language does.
static bool is_text_or_int(lua_State *L, int index) {
    return lua_type(L, index) == LUA_TSTRING || lua_isinteger(L, index);
}

// Joins the two values at the top.
static void concat_pair(lua_State *L) {
    int a = lua_gettop(L) - 1, b = a + 1;
    Kind left = leaf_kind(L, a), right = leaf_kind(L, b);
    if (left == KIND_UNDEFINED || right == KIND_UNDEFINED) {
        lua_pushvalue(L, left == KIND_UNDEFINED ? a : b);
    } else if (leaf_holds_secret(L, a) || leaf_holds_secret(L, b)) {
        leaf_secret_concat(L, a);
    } else {
        Buffer *out = leaf_scratch(L);
        leaf_print(L, a, out);
        leaf_print(L, b, out);
        leaf_push_scratch(L);
    }
    lua_replace(L, a);
    lua_settop(L, a);
}

// rt.concat(a, b, …, site of the first `~`, …): from left to right.
static int rt_concat(lua_State *L) {
    int count = (lua_gettop(L) + 1) / 2, plain = 0;
    while (plain < count && is_text_or_int(L, plain + 1)) plain++;
    if (plain == count) {
        lua_settop(L, count);
        lua_concat(L, count);
        return 1;
    }
    lua_pushvalue(L, 1);
    for (int i = 2; i <= count; i++) {
        vm_of(L)->site = (uint32_t)lua_tointeger(L, count + i - 1);
        lua_pushvalue(L, i);
        concat_pair(L);
    }
    return 1;
}

// --- comparison ---------------------------------------------------------------------------------

static int compare_int_float(int64_t a, double b) {
    if (isnan(b)) return 2;
    if (b >= 9223372036854775808.0) return -1;
    if (b < -9223372036854775808.0) return 1;
    double whole = floor(b);
    int64_t integer = (int64_t)whole;
    if (a != integer) return a < integer ? -1 : 1;
    return b > whole ? -1 : 0;
}

int leaf_compare_numbers(lua_State *L, int a, int b) {
    bool a_int = lua_isinteger(L, a), b_int = lua_isinteger(L, b);
    if (a_int && b_int) {
        int64_t x = lua_tointeger(L, a), y = lua_tointeger(L, b);
        return (x > y) - (x < y);
    }
    if (a_int) return compare_int_float(lua_tointeger(L, a), lua_tonumber(L, b));
    if (b_int) {
        int order = compare_int_float(lua_tointeger(L, b), lua_tonumber(L, a));
        return order == 2 ? 2 : -order;
    }
    double x = lua_tonumber(L, a), y = lua_tonumber(L, b);
    if (isnan(x) || isnan(y)) return 2;
    return (x > y) - (x < y);
}

static bool equal(lua_State *L, int a, int b, int depth);

static bool lists_equal(lua_State *L, int a, int b, int depth) {
    size_t count = leaf_count(L, a);
    if (count != leaf_count(L, b)) return false;
    leaf_charge(L, count);
    bool same = true;
    for (size_t i = 0; i < count && same; i++) {
        leaf_push_item(L, a, i);
        leaf_push_item(L, b, i);
        same = equal(L, lua_gettop(L) - 1, lua_gettop(L), depth + 1);
        lua_pop(L, 2);
    }
    return same;
}

static bool maps_equal(lua_State *L, int a, int b, int depth) {
    size_t count = leaf_count(L, a);
    if (count != leaf_count(L, b)) return false;
    leaf_charge(L, count);
    leaf_force(L, a);
    leaf_force(L, b);
    bool same = true;
    for (size_t i = 0; i < count && same; i++) {
        leaf_push_member(L, a, i);
        lua_pushvalue(L, -2);
        same =
            lua_rawget(L, b) != LUA_TNIL && equal(L, lua_gettop(L) - 1, lua_gettop(L), depth + 1);
        lua_pop(L, 3);
    }
    return same;
}

static bool equal(lua_State *L, int a, int b, int depth) {
    Kind x = leaf_kind(L, a), y = leaf_kind(L, b);
    if ((x & KINDS_NUMBER) != 0 && (y & KINDS_NUMBER) != 0) {
        return leaf_compare_numbers(L, a, b) == 0;
    }
    if (x != y) return false;
    if (depth > VALUE_DEPTH_MAX) {
        leaf_raise(L, LEAF_ERROR_LIMIT, "a value is nested deeper than %d levels", VALUE_DEPTH_MAX);
    }
    luaL_checkstack(L, 8, NULL);
    switch (x) {
    case KIND_NULL:
    case KIND_ABSENT:
        return true;
    case KIND_BOOL:
        return lua_toboolean(L, a) == lua_toboolean(L, b);
    case KIND_TEXT:
        return lua_rawequal(L, a, b);
    case KIND_BIGNUM:
        return str_eq(leaf_bignum(L, a), leaf_bignum(L, b));
    case KIND_LIST:
        return lists_equal(L, a, b, depth);
    case KIND_MAP:
        return maps_equal(L, a, b, depth);
    case KIND_SECRET:
        return str_eq(leaf_secret_recipe(L, a), leaf_secret_recipe(L, b));
    case KIND_INT:
    case KIND_FLOAT:
    case KIND_UNDEFINED:
    case KIND_OTHER:
        return lua_rawequal(L, a, b);
    }
    return false;
}

bool leaf_equal(lua_State *L, int a, int b) {
    return equal(L, lua_absindex(L, a), lua_absindex(L, b), 0);
}

static int rt_eq(lua_State *L) {
    begin(L, 2);
    if (passes(L, leaf_kind(L, 1), leaf_kind(L, 2), "eq")) return 1;
    lua_pushboolean(L, leaf_equal(L, 1, 2));
    return 1;
}

static int rt_ne(lua_State *L) {
    begin(L, 2);
    if (passes(L, leaf_kind(L, 1), leaf_kind(L, 2), "ne")) return 1;
    lua_pushboolean(L, !leaf_equal(L, 1, 2));
    return 1;
}

typedef enum Order { ORDER_LT, ORDER_GT, ORDER_LE, ORDER_GE } Order;

static const char *const order_names[] = {"lt", "gt", "le", "ge"};
static const char *const order_signs[] = {"<", ">", "<=", ">="};

static bool holds(Order order, int compared) {
    switch (order) {
    case ORDER_LT:
        return compared == -1;
    case ORDER_GT:
        return compared == 1;
    case ORDER_LE:
        return compared == -1 || compared == 0;
    case ORDER_GE:
        return compared == 1 || compared == 0;
    }
    return false;
}

static int compare(lua_State *L, Order order) {
    begin(L, 2);
    Kind a = leaf_kind(L, 1), b = leaf_kind(L, 2);
    if (passes(L, a, b, order_names[order])) return 1;
    if (a == KIND_NULL || b == KIND_NULL) {
        lua_pushboolean(L, 0);
        return 1;
    }
    if ((a & KINDS_NUMBER) != 0 && (b & KINDS_NUMBER) != 0) {
        lua_pushboolean(L, holds(order, leaf_compare_numbers(L, 1, 2)));
        return 1;
    }
    if (leaf_is_2_0(L) && a == KIND_TEXT && b == KIND_TEXT) {
        int compared = str_cmp(leaf_str(L, 1), leaf_str(L, 2));
        lua_pushboolean(L, holds(order, compared < 0 ? -1 : compared > 0));
        return 1;
    }
    const char *advice = "";
    if (a == KIND_TEXT && b == KIND_TEXT) advice = ": order dates with 'timestamp'";
    if (a == KIND_TEXT && (b & KINDS_NUMBER) != 0) advice = ": convert the text with 'number'";
    if (b == KIND_TEXT && (a & KINDS_NUMBER) != 0) advice = ": convert the text with 'number'";
    leaf_raise(L, LEAF_ERROR_TYPE, "'%s' orders numbers, not %s and %s%s", order_signs[order],
               leaf_kind_text(a), leaf_kind_text(b), advice);
}

static int rt_lt(lua_State *L) {
    return compare(L, ORDER_LT);
}

static int rt_gt(lua_State *L) {
    return compare(L, ORDER_GT);
}

static int rt_le(lua_State *L) {
    return compare(L, ORDER_LE);
}

static int rt_ge(lua_State *L) {
    return compare(L, ORDER_GE);
}

// --- membership ---------------------------------------------------------------------------------

static bool map_has(lua_State *L, int map, int key) {
    if (leaf_kind(L, key) != KIND_TEXT) return false;
    leaf_force(L, map);
    lua_pushvalue(L, key);
    bool found = lua_rawget(L, map) != LUA_TNIL;
    lua_pop(L, 1);
    return found;
}

static bool list_has_all(lua_State *L, int list, int items) {
    size_t count = leaf_count(L, items);
    for (size_t i = 0; i < count; i++) {
        leaf_push_item(L, items, i);
        bool found = list_has(L, list, lua_gettop(L));
        lua_pop(L, 1);
        if (!found) return false;
    }
    return true;
}

static int rt_contains(lua_State *L) {
    begin(L, 2);
    Kind a = leaf_kind(L, 1), b = leaf_kind(L, 2);
    bool found = false;
    if (a == KIND_NULL) {  // whatever is asked for
        lua_pushboolean(L, 0);
        return 1;
    }
    if (passes(L, a, b, "contains")) return 1;
    if (a == KIND_LIST) {
        found = b == KIND_LIST ? list_has_all(L, 1, 2) : list_has(L, 1, 2);
    } else if (a == KIND_MAP) {
        found = map_has(L, 1, 2);
    } else if (a == KIND_TEXT) {
        Str wanted = b == KIND_NULL ? STR("null") : leaf_to_str(L, 2);  // its text form, as in `+`
        found = str_find(leaf_str(L, 1), wanted, 0) != STR_NOT_FOUND;
    } else {
        leaf_raise(L, LEAF_ERROR_TYPE, "'contains' looks into lists, maps and texts, not into %s",
                   leaf_kind_text(a));
    }
    lua_pushboolean(L, found);
    return 1;
}

// Compares text forms; nulls inside never match.
static bool form_in(lua_State *L, int list, Str wanted, bool has_keys) {
    if (has_keys) leaf_force(L, list);
    size_t count = leaf_count(L, list);
    leaf_charge(L, count);
    bool found = false;
    for (size_t i = 0; i < count && !found; i++) {
        if (has_keys) {
            leaf_push_member(L, list, i);
            found = str_eq(leaf_str(L, -2), wanted);
        } else {
            leaf_push_item(L, list, i);
        }
        if (!found && leaf_kind(L, -1) != KIND_NULL) found = str_eq(leaf_to_str(L, -1), wanted);
        lua_pop(L, has_keys ? 2 : 1);
    }
    return found;
}

static int rt_is_in(lua_State *L) {
    begin(L, 2);
    Kind a = leaf_kind(L, 1), b = leaf_kind(L, 2);
    if (passes(L, a, b, "is_in")) return 1;
    bool found = false;
    if (a != KIND_NULL && (b == KIND_LIST || b == KIND_MAP)) {
        found = form_in(L, 2, leaf_to_str(L, 1), b == KIND_MAP);
    }
    lua_pushboolean(L, found);
    return 1;
}

// --- ranges -------------------------------------------------------------------------------------

static int64_t bound(lua_State *L, int index) {
    if (lua_isinteger(L, index)) return lua_tointeger(L, index);
    double real = trunc(lua_tonumber(L, index));
    if (!(real >= -9.2e18 && real <= 9.2e18)) {
        leaf_raise(L, LEAF_ERROR_VALUE, "a bound of a range is no integer of 64 bits");
    }
    return (int64_t)real;
}

static void push_int_range(lua_State *L, int64_t from, int64_t to, int64_t step) {
    uint64_t distance = step > 0 ? (uint64_t)to - (uint64_t)from : (uint64_t)from - (uint64_t)to;
    uint64_t stride = step > 0 ? (uint64_t)step : 0 - (uint64_t)step;
    uint64_t count = distance / stride + 1;
    if (step > 0 ? to < from : to > from) {
        // 2.0 counts them before it looks at the direction.
        count = leaf_is_2_0(L) ? (0 - distance) / stride + 1 : 0;
        if (count <= RANGE_MAX) count = 0;
    }
    if (count > RANGE_MAX) {
        leaf_raise(L, LEAF_ERROR_LIMIT, "a range has at most %d items, this one has %llu",
                   RANGE_MAX, (unsigned long long)count);
    }
    leaf_charge(L, count);
    leaf_new_list(L, (size_t)count);
    for (uint64_t i = 0; i < count; i++) {
        lua_pushinteger(L, (lua_Integer)((uint64_t)from + i * (uint64_t)step));
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

static void push_letter_range(lua_State *L, unsigned char from, unsigned char to, int64_t step) {
    leaf_new_list(L, 0);
    if (step > 255 || step < -255) step = step > 0 ? 256 : -256;
    for (int64_t c = from; step > 0 ? c <= to : c >= to; c += step) {
        char letter = (char)c;
        lua_pushlstring(L, &letter, 1);
        leaf_list_add(L, -2);
    }
}

void leaf_push_range(lua_State *L, int from, int to, int step) {
    Kind a = leaf_kind(L, from), b = leaf_kind(L, to);
    int64_t stride = 1;
    if (step != 0 && leaf_kind(L, step) != KIND_ABSENT) {
        if ((leaf_kind(L, step) & KINDS_NUMBER) == 0) {
            leaf_raise(L, LEAF_ERROR_TYPE, "the increment of a range is a number, not %s",
                       leaf_kind_text(leaf_kind(L, step)));
        }
        stride = bound(L, step);
    }
    if (stride == 0) leaf_raise(L, LEAF_ERROR_VALUE, "the increment of a range cannot be 0");
    if ((a & KINDS_NUMBER) != 0 && (b & KINDS_NUMBER) != 0) {
        push_int_range(L, bound(L, from), bound(L, to), stride);
        return;
    }
    bool are_letters =
        a == KIND_TEXT && b == KIND_TEXT && leaf_str(L, from).len == 1 && leaf_str(L, to).len == 1;
    if (!are_letters) {
        leaf_raise(L, LEAF_ERROR_TYPE,
                   "a range goes from integer to integer or from letter to "
                   "letter, not from %s to %s",
                   leaf_kind_text(a), leaf_kind_text(b));
    }
    push_letter_range(L, (unsigned char)leaf_str(L, from).ptr[0],
                      (unsigned char)leaf_str(L, to).ptr[0], stride);
}

static int rt_range(lua_State *L) {
    begin(L, 2);
    if (passes(L, leaf_kind(L, 1), leaf_kind(L, 2), "range")) return 1;
    leaf_push_range(L, 1, 2, 0);
    return 1;
}

// --- truth --------------------------------------------------------------------------------------

typedef enum Sink { SINK_LOGIC, SINK_NOT, SINK_TERNARY, SINK_IF } Sink;

static const char *const sink_names[] = {"'and' and 'or' need", "'not' needs", "'?' needs",
                                         "'if' needs"};

// Pushes true, false or, where it may pass, undefined.
static int truth(lua_State *L, Sink sink) {
    begin(L, 1);
    bool is_true = false;
    Kind kind = leaf_kind(L, 1);
    switch (kind) {
    case KIND_BOOL:
        is_true = lua_toboolean(L, 1);
        break;
    case KIND_INT:
        is_true = lua_tointeger(L, 1) != 0;
        break;
    case KIND_FLOAT:
        is_true = lua_tonumber(L, 1) != 0 && !isnan(lua_tonumber(L, 1));
        break;
    case KIND_BIGNUM:
        is_true = true;
        break;
    case KIND_TEXT:
        is_true = lua_rawlen(L, 1) > 0;
        break;
    case KIND_UNDEFINED:
        if (sink == SINK_IF) leaf_raise_undefined(L, 1);
        return 1;
    case KIND_NULL:
        if (sink != SINK_TERNARY) {
            leaf_raise(L, LEAF_ERROR_TYPE,
                       "%s true or false, not null: guard it with '\?\?' or 'is null'",
                       sink_names[sink]);
        }
        break;
    case KIND_SECRET:
        leaf_secret_call(L, "operator", "truth_not", 1);
        is_true = !lua_toboolean(L, -1);
        break;
    case KIND_ABSENT:
    case KIND_LIST:
    case KIND_MAP:
    case KIND_OTHER:
        leaf_raise(L, LEAF_ERROR_TYPE, "%s true or false, not %s: compare it, or use 'is empty'",
                   sink_names[sink], leaf_kind_text(kind));
    }
    lua_pushboolean(L, sink == SINK_NOT ? !is_true : is_true);
    return 1;
}

static int rt_truth(lua_State *L) {
    return truth(L, SINK_LOGIC);
}

static int rt_truth_not(lua_State *L) {
    return truth(L, SINK_NOT);
}

static int rt_truth_if(lua_State *L) {
    return truth(L, SINK_IF);
}

static int rt_truth_ternary(lua_State *L) {
    return truth(L, SINK_TERNARY);
}

const luaL_Reg leaf_operators[] = {
    {"add",           rt_add          },
    {"sub",           rt_sub          },
    {"mul",           rt_mul          },
    {"div",           rt_div          },
    {"mod",           rt_mod          },
    {"neg",           rt_neg          },
    {"pos",           rt_pos          },
    {"concat",        rt_concat       },
    {"range",         rt_range        },
    {"eq",            rt_eq           },
    {"ne",            rt_ne           },
    {"lt",            rt_lt           },
    {"gt",            rt_gt           },
    {"le",            rt_le           },
    {"ge",            rt_ge           },
    {"contains",      rt_contains     },
    {"is_in",         rt_is_in        },
    {"truth",         rt_truth        },
    {"truth_not",     rt_truth_not    },
    {"truth_if",      rt_truth_if     },
    {"truth_ternary", rt_truth_ternary},
    {"get",           rt_get          },
    {"root",          rt_root         },
    {NULL,            NULL            },
};
