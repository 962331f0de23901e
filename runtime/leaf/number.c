// number.c - filters and functions on numbers; number formats as Java's DecimalFormat reads them.
#include "leaf/machine.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// --- number formats -----------------------------------------------------------------------------

enum { FRACTION_MAX = 340, SHORTEST = -1, EXPONENT_MAX = 10, AFFIX_MAX = 64, DIGITS_MAX = 800 };

typedef struct Affix {
    char text[AFFIX_MAX];
    size_t len;
} Affix;

typedef struct NumberPattern {
    Affix prefix, suffix, minus_prefix, minus_suffix;
    bool has_minus;
    int min_whole, max_whole, min_fraction, max_fraction, group;
    int min_exponent;  // digits of the exponent; 0: none is written
    int scale;         // 1, 100 (%), 1000 (‰)
} NumberPattern;

typedef struct Digits {
    int left, zero, right, decimal, group;  // as DecimalFormat.applyPattern counts
    int exponent;
} Digits;

static void add_affix(lua_State *L, Affix *affix, Str bytes) {
    if (affix->len + bytes.len >= AFFIX_MAX) {
        leaf_raise(L, LEAF_ERROR_VALUE, "a number format has too much text around the number");
    }
    memcpy(affix->text + affix->len, bytes.ptr, bytes.len);
    affix->len += bytes.len;
}

// Text before or behind the number; ends at the first character of the other kind.
static size_t read_affix(lua_State *L, Str pattern, size_t at, Affix *affix, int *scale) {
    while (at < pattern.len) {
        char c = pattern.ptr[at];
        if (strchr("#0,.;", c) != NULL) break;
        if (c == '\'') {
            size_t end = str_find_char(pattern, '\'', at + 1);
            if (end == STR_NOT_FOUND) {
                leaf_raise(L, LEAF_ERROR_VALUE, "a number format has a quote without its end");
            }
            add_affix(L, affix, end == at + 1 ? STR("'") : str_slice(pattern, at + 1, end));
            at = end + 1;
            continue;
        }
        if (c == '%') *scale = 100;
        if (str_starts_with(str_slice(pattern, at, pattern.len), STR("\xe2\x80\xb0"))) {
            *scale = 1000;
        }
        if (str_starts_with(str_slice(pattern, at, pattern.len), STR("\xc2\xa4"))) {
            leaf_raise(L, LEAF_ERROR_VALUE, "currencies in number formats are not supported");
        }
        add_affix(L, affix, str_slice(pattern, at, at + 1));
        at++;
    }
    return at;
}

static bool same_affix(const Affix *a, const Affix *b) {
    return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

static size_t read_digits(lua_State *L, Str pattern, size_t at, Digits *digits) {
    *digits = (Digits){.decimal = -1, .group = -1};
    for (; at < pattern.len; at++) {
        char c = pattern.ptr[at];
        if (c == '#') {
            if (digits->zero > 0) {
                digits->right++;
            } else {
                digits->left++;
            }
            if (digits->group >= 0 && digits->decimal < 0) digits->group++;
        } else if (c == '0') {
            if (digits->right > 0)
                leaf_raise(L, LEAF_ERROR_VALUE,
                           "a number format has a '0' "
                           "behind a '#'");
            digits->zero++;
            if (digits->group >= 0 && digits->decimal < 0) digits->group++;
        } else if (c == ',') {
            digits->group = 0;
        } else if (c == '.') {
            if (digits->decimal >= 0) {
                leaf_raise(L, LEAF_ERROR_VALUE, "a number format has two points");
            }
            digits->decimal = digits->left + digits->zero + digits->right;
        } else if (c == 'E') {
            while (at + 1 < pattern.len && pattern.ptr[at + 1] == '0') {
                digits->exponent++;
                at++;
            }
            if (digits->left + digits->zero < 1 || digits->exponent < 1) {
                leaf_raise(L, LEAF_ERROR_VALUE,
                           "a number format has an 'E' without a digit before it or behind it");
            }
            return at + 1;
        } else {
            break;
        }
        if (digits->left + digits->zero + digits->right > FRACTION_MAX) {
            leaf_raise(L, LEAF_ERROR_VALUE, "a number format has more than %d digits",
                       FRACTION_MAX);
        }
    }
    return at;
}

static void read_pattern(lua_State *L, Str pattern, NumberPattern *out) {
    *out = (NumberPattern){.scale = 1};
    Digits d;
    size_t at = read_affix(L, pattern, 0, &out->prefix, &out->scale);
    if (at < pattern.len && pattern.ptr[at] == ';') {
        leaf_raise(L, LEAF_ERROR_VALUE, "a number format has a ';' before its digits");
    }
    at = read_digits(L, pattern, at, &d);
    at = read_affix(L, pattern, at, &out->suffix, &out->scale);
    if (at < pattern.len && pattern.ptr[at] == ';') {
        Digits ignored;
        out->has_minus = true;
        at = read_affix(L, pattern, at + 1, &out->minus_prefix, &out->scale);
        at = read_digits(L, pattern, at, &ignored);
        at = read_affix(L, pattern, at, &out->minus_suffix, &out->scale);
        // What does not differ from the positive form gets a minus sign.
        if (same_affix(&out->prefix, &out->minus_prefix) &&
            same_affix(&out->suffix, &out->minus_suffix)) {
            out->has_minus = false;
        }
    }
    if (at < pattern.len) {
        leaf_raise(L, LEAF_ERROR_VALUE,
                   "a number format has a digit behind its number: '" STR_FMT "'",
                   STR_ARG(str_slice(pattern, 0, 60)));
    }
    // "#.##" means a digit before the point all the same, ".##" one behind it.
    if (d.zero == 0 && d.left > 0 && d.decimal >= 0) {
        int n = d.decimal == 0 ? 1 : d.decimal;
        d.right = d.left - n;
        d.left = n - 1;
        d.zero = 1;
    }
    int total = d.left + d.zero + d.right;
    int point = d.decimal >= 0 ? d.decimal : total;
    out->min_whole = point - d.left;
    out->max_fraction = d.decimal >= 0 ? total - d.decimal : 0;
    out->min_fraction = d.decimal >= 0 ? d.left + d.zero - d.decimal : 0;
    if (out->min_fraction < 0) out->min_fraction = 0;
    out->max_whole = d.left + out->min_whole;
    out->min_exponent = d.exponent < EXPONENT_MAX ? d.exponent : EXPONENT_MAX;
    if (total == 0) out->max_fraction = 0;
    if (pattern.len == 0) {  // all digits, grouped as English does
        out->max_fraction = SHORTEST;
        out->min_whole = 0;
        d.group = 3;
    }
    out->group = d.group > 0 ? d.group : 0;
}

// `digits` is the absolute value as digits with a point; writes it grouped and padded.
static void write_number(Buffer *out, const NumberPattern *pattern, Str digits) {
    size_t point = str_find_char(digits, '.', 0);
    Str whole = str_slice(digits, 0, point == STR_NOT_FOUND ? digits.len : point);
    Str fraction = point == STR_NOT_FOUND ? (Str){0} : str_slice(digits, point + 1, digits.len);
    while (whole.len > 0 && whole.ptr[0] == '0') whole = str_slice(whole, 1, whole.len);
    while (fraction.len > (size_t)pattern->min_fraction && fraction.ptr[fraction.len - 1] == '0') {
        fraction.len--;
    }
    size_t places = whole.len;
    if (places < (size_t)pattern->min_whole) places = (size_t)pattern->min_whole;
    if (places == 0 && fraction.len == 0 && pattern->min_fraction == 0) places = 1;
    for (size_t left = places; left > 0; left--) {
        buffer_add_char(out, left > whole.len ? '0' : whole.ptr[whole.len - left]);
        bool is_edge = pattern->group > 0 && left > 1 && (left - 1) % (size_t)pattern->group == 0;
        if (is_edge) buffer_add_char(out, ',');
    }
    if (fraction.len > 0 || pattern->min_fraction > 0) {
        buffer_add_char(out, '.');
        buffer_add(out, fraction);
    }
    for (size_t i = fraction.len; i < (size_t)pattern->min_fraction; i++) buffer_add_char(out, '0');
}

// --- with an exponent
// -----------------------------------------------------------------------------

// The digits of a number without zeros around them, and how many of them stand before the point.
typedef struct Significant {
    char digits[DIGITS_MAX];
    int count, point;
} Significant;

// Keeps `keep` digits, half-even.
static void round_half_even(Significant *number, int keep) {
    if (keep <= 0 || number->count <= keep) return;
    bool is_half = number->digits[keep] == '5';
    for (int i = keep + 1; i < number->count && is_half; i++) is_half = number->digits[i] == '0';
    bool is_odd = (number->digits[keep - 1] - '0') % 2 == 1;
    bool carry = is_half ? is_odd : number->digits[keep] >= '5';
    number->count = keep;
    for (int i = keep - 1; i >= 0 && carry; i--) {
        carry = number->digits[i] == '9';
        number->digits[i] = carry ? '0' : (char)(number->digits[i] + 1);
    }
    if (!carry) return;
    number->digits[0] = '1';
    number->point++;
}

// Of digits with a point, or as `%e` writes them.
static Significant significant_of(Str text) {
    Significant out = {.point = -1};
    int exponent = 0, leading = 0, seen = 0;
    for (size_t i = 0; i < text.len && out.count < DIGITS_MAX; i++) {
        char c = text.ptr[i];
        if (c == 'e') {
            exponent = atoi(text.ptr + i + 1);
            break;
        }
        if (c == '.') {
            out.point = seen;
            continue;
        }
        seen++;
        if (out.count == 0 && c == '0') {
            leading++;
        } else {
            out.digits[out.count++] = c;
        }
    }
    if (out.point < 0) out.point = seen;
    out.point += exponent - leading;
    while (out.count > 0 && out.digits[out.count - 1] == '0') out.count--;
    if (out.count == 0) out.point = 0;
    return out;
}

// As DecimalFormat does: where more digits than the least may stand before the point, the exponent
// is a multiple of their number.
static void write_scientific(Buffer *out, const NumberPattern *pattern, Significant number) {
    round_half_even(&number, pattern->max_whole + pattern->max_fraction);
    while (number.count > 0 && number.digits[number.count - 1] == '0') number.count--;
    int exponent = number.point, least = pattern->min_whole, step = pattern->max_whole;
    if (step > 1 && step > least) {
        exponent = (exponent >= 1 ? exponent - 1 : exponent - step) / step * step;
        least = 1;
    } else {
        exponent -= least;
    }
    bool is_zero = number.count == 0;
    int whole = is_zero ? least : number.point - exponent;
    int total = pattern->min_whole + pattern->min_fraction;
    if (total < whole) total = whole;
    if (total < number.count) total = number.count;
    for (int i = 0; i < total; i++) {
        if (i == whole) buffer_add_char(out, '.');
        buffer_add_char(out, i < number.count ? number.digits[i] : '0');
    }
    if (is_zero) exponent = 0;
    buffer_printf(out, "E%s%0*d", exponent < 0 ? "-" : "", pattern->min_exponent, abs(exponent));
}

// As many digits behind the point as tell the number from all others.
static void print_shortest(double real, char out[DIGITS_MAX]) {
    for (int places = 0; places <= FRACTION_MAX; places++) {
        snprintf(out, DIGITS_MAX, "%.*f", places, real);
        if (strtod(out, NULL) == real) return;
    }
}

static void affix_to(Buffer *out, const Affix *affix) {
    buffer_add_bytes(out, affix->text, affix->len);
}

static int number_format(lua_State *L) {
    NumberPattern pattern;
    Str text = lua_isnil(L, FIRST_PARAM) ? STR("#,##0.###") : leaf_str(L, FIRST_PARAM);
    read_pattern(L, text, &pattern);
    char digits[DIGITS_MAX];
    Kind kind = leaf_kind(L, FIRST_ARG);
    bool is_negative = false;
    int64_t integer = lua_tointeger(L, FIRST_ARG), scaled = 0;
    if (kind == KIND_BIGNUM) {
        Str number = leaf_bignum(L, FIRST_ARG);
        is_negative = number.ptr[0] == '-';
        snprintf(digits, sizeof digits, STR_FMT "%s", STR_ARG(str_slice(number, is_negative, 700)),
                 pattern.scale == 1     ? ""
                 : pattern.scale == 100 ? "00"
                                        : "000");
    } else if (kind == KIND_INT && !__builtin_mul_overflow(integer, pattern.scale, &scaled)) {
        is_negative = scaled < 0;
        snprintf(digits, sizeof digits, "%llu",
                 is_negative ? 0 - (unsigned long long)scaled : (unsigned long long)scaled);
    } else {
        double real = lua_tonumber(L, FIRST_ARG) * pattern.scale;
        is_negative = signbit(real) && !isnan(real);
        if (isnan(real)) {
            lua_pushliteral(L, "NaN");
            return 1;
        }
        // With an exponent all digits count, those before the point too; rounding happens once.
        if (pattern.min_exponent > 0) {
            int places = pattern.max_whole + pattern.max_fraction - 1;
            snprintf(digits, sizeof digits, "%.*e", places, fabs(real));
        } else if (pattern.max_fraction == SHORTEST) {
            print_shortest(fabs(real), digits);
        } else {
            snprintf(digits, sizeof digits, "%.*f", pattern.max_fraction, fabs(real));
        }
    }
    Buffer *out = leaf_scratch(L);
    if (is_negative && !pattern.has_minus) buffer_add_char(out, '-');
    affix_to(out, is_negative && pattern.has_minus ? &pattern.minus_prefix : &pattern.prefix);
    if (str_eq(str_from(digits), STR("inf"))) {
        buffer_add(out, STR("\xe2\x88\x9e"));
    } else if (pattern.min_exponent > 0) {
        write_scientific(out, &pattern, significant_of(str_from(digits)));
    } else {
        write_number(out, &pattern, str_from(digits));
    }
    affix_to(out, is_negative && pattern.has_minus ? &pattern.minus_suffix : &pattern.suffix);
    leaf_push_scratch(L);
    return 1;
}

// --- number -------------------------------------------------------------------------------------

static bool parse_hexadecimal(Str text, int64_t *out) {
    bool is_negative = text.len > 0 && text.ptr[0] == '-';
    Str rest = is_negative ? str_slice(text, 1, text.len) : text;
    if (!str_starts_with(rest, STR("0x")) && !str_starts_with(rest, STR("0X")) &&
        !str_starts_with(rest, STR("#"))) {
        return false;
    }
    rest = str_slice(rest, rest.ptr[0] == '#' ? 1 : 2, rest.len);
    uint64_t value = 0;
    if (rest.len == 0 || rest.len > 16) return false;
    for (size_t i = 0; i < rest.len; i++) {
        char c = (char)(rest.ptr[i] | 32);
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0) return false;
        value = value * 16 + (uint64_t)digit;
    }
    if (value > INT64_MAX) return false;
    *out = is_negative ? -(int64_t)value : (int64_t)value;
    return true;
}

typedef enum Wanted { GUESS, INT32, INT64, FLOATING } Wanted;

static Wanted wanted_type(lua_State *L, Str type) {
    static const struct {
        const char *name;
        Wanted wanted;
    } types[] = {
        {"INT",    INT32   },
        {"LONG",   INT64   },
        {"FLOAT",  FLOATING},
        {"DOUBLE", FLOATING}
    };
    if (type.ptr == NULL) return GUESS;
    for (size_t i = 0; i < COUNT(types); i++) {
        if (str_eq_ignore_case(type, str_from(types[i].name))) return types[i].wanted;
    }
    bool is_big =
        str_eq_ignore_case(type, STR("BIGDECIMAL")) || str_eq_ignore_case(type, STR("BIGINTEGER"));
    leaf_raise(L, LEAF_ERROR_VALUE,
               is_big ? "'number' cannot make a '" STR_FMT "' here: use LONG or DOUBLE"
                      : "'type' of 'number' is INT, LONG, FLOAT or DOUBLE, not '" STR_FMT "'",
               STR_ARG(str_slice(type, 0, 60)));
}

NO_RETURN static void no_number(lua_State *L, const char *what) {
    char quoted[96];
    leaf_raise(L, LEAF_ERROR_VALUE, "%s is %s", leaf_quote(L, FIRST_ARG, quoted), what);
}

static int number(lua_State *L) {
    Kind kind = leaf_kind(L, FIRST_ARG);
    Str type = lua_isnil(L, FIRST_PARAM) ? (Str){0} : leaf_str(L, FIRST_PARAM);
    Wanted wanted = wanted_type(L, type);
    Str text = leaf_str(L, FIRST_ARG);
    Number parsed = {0};
    if (kind == KIND_INT) {
        parsed.integer = lua_tointeger(L, FIRST_ARG);
    } else if (kind == KIND_FLOAT) {
        parsed.is_float = true;
        parsed.real = lua_tonumber(L, FIRST_ARG);
    } else if (wanted == INT64 || wanted == INT32) {
        if (!parse_hexadecimal(text, &parsed.integer) && !leaf_parse_int(text, &parsed.integer)) {
            no_number(L, "no integer");
        }
    } else {
        // Java's parseDouble, other than its guess, takes blanks around the number.
        if (wanted == FLOATING) text = str_trim(text);
        const char *suffixes = wanted == GUESS ? "LlFfDd" : "FfDd";
        bool has_suffix = text.len > 1 && strchr(suffixes, text.ptr[text.len - 1]) != NULL;
        Str bare = has_suffix ? str_slice(text, 0, text.len - 1) : text;
        bool is_hexadecimal = wanted == GUESS && parse_hexadecimal(text, &parsed.integer);
        if (!is_hexadecimal && !leaf_parse_number(bare, &parsed)) no_number(L, "no number");
    }
    if (wanted == INT32 && (parsed.integer > INT32_MAX || parsed.integer < INT32_MIN)) {
        no_number(L, "out of the range of INT: use LONG");
    }
    if (wanted == FLOATING && !parsed.is_float) {
        parsed.is_float = true;
        parsed.real = (double)parsed.integer;
    }
    if ((wanted == INT32 || wanted == INT64) && parsed.is_float) {
        parsed.integer = leaf_check_int(L, FIRST_ARG, "input");
        parsed.is_float = false;
    }
    if (parsed.is_float) {
        lua_pushnumber(L, parsed.real);
    } else {
        lua_pushinteger(L, parsed.integer);
    }
    return 1;
}

// --- the rest -----------------------------------------------------------------------------------

static int absolute(lua_State *L) {
    if (leaf_kind(L, FIRST_ARG) == KIND_BIGNUM) {
        Str digits = leaf_bignum(L, FIRST_ARG);
        leaf_push_bignum(L, digits.ptr[0] == '-' ? str_slice(digits, 1, digits.len) : digits);
    } else if (lua_isinteger(L, FIRST_ARG)) {
        int64_t integer = lua_tointeger(L, FIRST_ARG);
        if (integer == INT64_MIN) {
            leaf_raise(L, LEAF_ERROR_VALUE, "the result of 'abs' does not fit into 64 bits");
        }
        lua_pushinteger(L, integer < 0 ? -integer : integer);
    } else {
        lua_pushnumber(L, fabs(lua_tonumber(L, FIRST_ARG)));
    }
    return 1;
}

static int extreme(lua_State *L, int wanted) {
    int best = 0;
    for (int i = FIRST_ARG, top = lua_gettop(L); i <= top; i++) {
        Kind kind = leaf_kind(L, i);
        if (kind == KIND_NULL || kind == KIND_ABSENT) continue;
        // One value alone is compared with nothing.
        if (best == 0) {
            best = i;
            continue;
        }
        Kind other = leaf_kind(L, best);
        if ((kind & KINDS_NUMBER) == 0 || (other & KINDS_NUMBER) == 0) {
            leaf_raise(L, LEAF_ERROR_TYPE, "'%s()' compares numbers, not %s", vm_of(L)->builtin,
                       leaf_kind_text((kind & KINDS_NUMBER) == 0 ? kind : other));
        }
        if (leaf_compare_numbers(L, i, best) == wanted) best = i;
    }
    if (best == 0) {
        leaf_push_null(L);
    } else {
        lua_pushvalue(L, best);
    }
    return 1;
}

static int maximum(lua_State *L) {
    return extreme(L, 1);
}

static int minimum(lua_State *L) {
    return extreme(L, -1);
}

static int range(lua_State *L) {
    leaf_push_range(L, FIRST_ARG, FIRST_ARG + 1, FIRST_ARG + 2);
    return 1;
}

const Builtin leaf_builtins_number[] = {
    {.kind = BUILTIN_FILTER,
     .name = "abs",
     .input = "number",
     .result = "number",
     .flags = BUILTIN_NO_ARGUMENTS,
     .run = absolute,
     .text = "The number without its sign.",
     .examples = "{{ -3 | abs }} => 3"},
    {.kind = BUILTIN_FUNCTION,
     .name = "max",
     .params = {{"number", "any?"}},
     .result = "number|null",
     .flags = BUILTIN_ANY_COUNT,
     .run = maximum,
     .text = "The greatest of its arguments; nulls are skipped.",
     .examples = "{{ max(3, 9, 4) }} => 9"},
    {.kind = BUILTIN_FUNCTION,
     .name = "min",
     .params = {{"number", "any?"}},
     .result = "number|null",
     .flags = BUILTIN_ANY_COUNT,
     .run = minimum,
     .text = "The smallest of its arguments; nulls are skipped.",
     .examples = "{{ min(3, 9, 4) }} => 3"},
    {.kind = BUILTIN_FILTER,
     .name = "number",
     .params = {{"type", "text?"}},
     .input = "text|number",
     .result = "number",
     .flags = BUILTIN_NULL_PASSES,
     .run = number,
     .text = "The number a text stands for; `type` is INT, LONG, FLOAT or DOUBLE. Leading zeros "
             "are decimal, `0x` is hexadecimal.", .examples = "{{ '12' | number }} => 12\n{{ '0x1F' | number }} => 31"},
    {.kind = BUILTIN_FILTER,
     .name = "numberFormat",
     .params = {{"format", "text?"}},
     .input = "number",
     .result = "text",
     .flags = BUILTIN_NULL_PASSES,
     .run = number_format,
     .text = "A number as text by a pattern of `0 # , . % ; E`, rounded half-even.",
     .examples = "{{ 1234567.891 | numberFormat('#,##0.00') }} => 1,234,567.89\n"
                 "{{ 0.256 | numberFormat('0.0%') }} => 25.6%\n"
                 "{{ 12345.678 | numberFormat('0.00E0') }} => 1.23E4"},
    {.kind = BUILTIN_FUNCTION,
     .name = "range",
     .params = {{"start", "any"}, {"end", "any"}, {"increment", "any?"}},
     .result = "list",
     .run = range,
     .text = "Integers, or letters, from `start` to `end`, both included.",
     .examples = "{{ range(1, 4) }} => [1,2,3,4]\n{{ range(1, 9, 4) }} => [1,5,9]"},
    {.name = NULL               },
};
