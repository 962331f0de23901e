// format.c - the filter `format`: Java's %-patterns on the text form of the input.
//
// Rounding is Java's: half-up on the shortest decimal digits of a float, not on its binary value.
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "leaf/machine.h"
#include "leaf/unicode.h"

enum { WIDTH_MAX = 10000, PRECISION_MAX = 400, DIGITS_MAX = 40 };

typedef struct Spec {
    bool left, zero, plus, blank, group, brackets, alternate;
    int width, precision;  // -1: none
    char conversion;
} Spec;

typedef struct Decimal {
    bool is_negative;
    char digits[DIGITS_MAX];  // without leading zeros
    int count;
    int point;  // digits before the decimal point; may be negative
} Decimal;

NO_RETURN static void bad_pattern(lua_State *L, Str pattern, const char *why) {
    leaf_raise(L, LEAF_ERROR_VALUE, "the pattern '" STR_FMT "' of 'format' %s",
               STR_ARG(str_slice(pattern, 0, 80)), why);
}

// --- floats -------------------------------------------------------------------------------------

// The shortest digits that give the number back.
static Decimal decimal_of(double real) {
    Decimal out = {.is_negative = signbit(real) != 0};
    char text[64];
    for (int precision = 1; precision <= 17; precision++) {
        snprintf(text, sizeof text, "%.*e", precision - 1, fabs(real));
        if (strtod(text, NULL) == fabs(real)) break;
    }
    const char *at = text;
    for (; *at != '\0' && *at != 'e'; at++) {
        if (*at != '.') out.digits[out.count++] = *at;
    }
    out.point = atoi(*at == 'e' ? at + 1 : "0") + 1;
    if (real == 0) {
        out.count = 0;
        out.point = 0;
    }
    return out;
}

// Keeps `keep` digits (none or fewer: all are cut), half-up.
static void round_half_up(Decimal *decimal, int keep) {
    if (keep >= decimal->count) return;
    bool carry = keep >= 0 && decimal->digits[keep] >= '5';
    decimal->count = keep < 0 ? 0 : keep;
    for (int i = decimal->count - 1; i >= 0 && carry; i--) {
        carry = decimal->digits[i] == '9';
        decimal->digits[i] = carry ? '0' : (char)(decimal->digits[i] + 1);
    }
    if (carry) {
        memmove(decimal->digits + 1, decimal->digits, (size_t)decimal->count);
        decimal->digits[0] = '1';
        decimal->count++;
        decimal->point++;
    }
}

static char digit_at(const Decimal *decimal, int place) {
    return place >= 0 && place < decimal->count ? decimal->digits[place] : '0';
}

static void print_fixed(Buffer *out, Decimal decimal, int precision) {
    round_half_up(&decimal, decimal.point + precision);
    if (decimal.point <= 0) buffer_add_char(out, '0');
    for (int i = 0; i < decimal.point; i++) buffer_add_char(out, digit_at(&decimal, i));
    if (precision > 0) buffer_add_char(out, '.');
    for (int i = 0; i < precision; i++) {
        buffer_add_char(out, digit_at(&decimal, decimal.point + i));
    }
}

static void print_scientific(Buffer *out, Decimal decimal, int precision, char letter) {
    round_half_up(&decimal, precision + 1);
    int exponent = decimal.count == 0 ? 0 : decimal.point - 1;
    buffer_add_char(out, digit_at(&decimal, 0));
    if (precision > 0) buffer_add_char(out, '.');
    for (int i = 1; i <= precision; i++) buffer_add_char(out, digit_at(&decimal, i));
    buffer_printf(out, "%c%c%02d", letter, exponent < 0 ? '-' : '+', abs(exponent));
}

// --- one specifier ------------------------------------------------------------------------------

static void pad(Buffer *out, Str text, const Spec *spec) {
    size_t units = utf8_count_utf16(text);
    size_t fill = spec->width > 0 && (size_t)spec->width > units ? (size_t)spec->width - units : 0;
    if (!spec->left) buffer_add_repeat(out, ' ', fill);
    buffer_add(out, text);
    if (spec->left) buffer_add_repeat(out, ' ', fill);
}

// `digits` is a number without sign; adds grouping, sign, zeros to the width.
static void print_signed(Buffer *out, Str digits, bool is_negative, const Spec *spec) {
    Buffer grouped = {0};
    size_t point = str_find_char(digits, '.', 0);
    size_t whole = point == STR_NOT_FOUND ? digits.len : point;
    for (size_t i = 0; i < digits.len; i++) {
        bool is_edge = spec->group && i > 0 && i < whole && (whole - i) % 3 == 0;
        if (is_edge) buffer_add_char(&grouped, ',');
        buffer_add_char(&grouped, digits.ptr[i]);
    }
    Buffer text = {0};
    bool has_brackets = is_negative && spec->brackets;
    if (has_brackets) {
        buffer_add_char(&text, '(');
    } else if (is_negative) {
        buffer_add_char(&text, '-');
    } else if (spec->plus || spec->blank) {
        buffer_add_char(&text, spec->plus ? '+' : ' ');
    }
    size_t taken = text.len + grouped.len + has_brackets;
    if (spec->zero && spec->width > 0 && (size_t)spec->width > taken) {
        buffer_add_repeat(&text, '0', (size_t)spec->width - taken);
    }
    buffer_add(&text, buffer_str(&grouped));
    if (has_brackets) buffer_add_char(&text, ')');
    pad(out, buffer_str(&text), spec);
    buffer_release(&grouped);
    buffer_release(&text);
}

NO_RETURN static void wrong_argument(lua_State *L, int index, char conversion) {
    char quoted[96];
    leaf_raise(L, LEAF_ERROR_TYPE, "'%%%c' of 'format' does not take %s", conversion,
               leaf_quote(L, index, quoted));
}

static void print_integer(lua_State *L, int index, const Spec *spec, Buffer *out) {
    char text[32];
    if (!lua_isinteger(L, index)) wrong_argument(L, index, spec->conversion);
    int64_t integer = lua_tointeger(L, index);
    uint64_t size = integer < 0 ? 0 - (uint64_t)integer : (uint64_t)integer;
    if (spec->conversion == 'd') {
        snprintf(text, sizeof text, "%llu", (unsigned long long)size);
        print_signed(out, str_from(text), integer < 0, spec);
        return;
    }
    const char *prefix = !spec->alternate ? "" : spec->conversion == 'o' ? "0" : "0x";
    snprintf(text, sizeof text, spec->conversion == 'o' ? "%s%llo" : "%s%llx", prefix,
             (unsigned long long)integer);
    if (spec->conversion == 'X') {
        for (char *c = text; *c != '\0'; c++) *c = (char)toupper((unsigned char)*c);
    }
    print_signed(out, str_from(text), false, spec);
}

// A number in general form: digits where its size allows, else an exponent.
static void print_general(Buffer *out, Decimal decimal, const Spec *spec, bool *has_exponent) {
    int precision = spec->precision < 0 ? 6 : spec->precision == 0 ? 1 : spec->precision;
    round_half_up(&decimal, precision);
    *has_exponent = decimal.count > 0 && (decimal.point < -3 || decimal.point > precision);
    if (*has_exponent) {
        print_scientific(out, decimal, precision - 1, spec->conversion == 'G' ? 'E' : 'e');
    } else {
        print_fixed(out, decimal, precision - (decimal.count == 0 ? 1 : decimal.point));
    }
}

// Java's form of `%a`: no plus in the exponent, one digit behind the point at least.
static void print_hexadecimal(double real, const Spec *spec, Buffer *out) {
    char text[PRECISION_MAX + 64];
    int precision = spec->precision == 0 ? 1 : spec->precision;
    if (precision < 0) {
        snprintf(text, sizeof text, "%a", fabs(real));
    } else {
        snprintf(text, sizeof text, "%.*a", precision, fabs(real));
    }
    Str rest = str_from(text);
    size_t exponent = str_find_char(rest, 'p', 0);
    Buffer digits = {0}, number = {0};
    buffer_add(&digits, str_slice(rest, 2, exponent));
    if (str_find_char(rest, '.', 0) == STR_NOT_FOUND) buffer_add(&digits, STR(".0"));
    buffer_add_char(&digits, 'p');
    Str power = str_slice(rest, exponent + 1, rest.len);
    buffer_add(&digits, power.ptr[0] == '+' ? str_slice(power, 1, power.len) : power);
    Str sign = signbit(real) ? STR("-") : spec->plus ? STR("+") : spec->blank ? STR(" ") : (Str){0};
    buffer_add(&number, sign);
    buffer_add(&number, STR("0x"));
    size_t taken = number.len + digits.len;
    if (spec->zero && spec->width > 0 && (size_t)spec->width > taken) {
        buffer_add_repeat(&number, '0', (size_t)spec->width - taken);
    }
    buffer_add(&number, buffer_str(&digits));
    for (size_t i = 0; spec->conversion == 'A' && i < number.len; i++) {
        number.ptr[i] = (char)toupper((unsigned char)number.ptr[i]);
    }
    pad(out, buffer_str(&number), spec);
    buffer_release(&digits);
    buffer_release(&number);
}

static void print_real(lua_State *L, int index, const Spec *spec, Buffer *out) {
    if (leaf_kind(L, index) != KIND_FLOAT) wrong_argument(L, index, spec->conversion);
    double real = lua_tonumber(L, index);
    Spec plain = *spec;
    if (!isfinite(real)) {
        plain.zero = plain.group = false;
        print_signed(out, isnan(real) ? STR("NaN") : STR("Infinity"), !isnan(real) && real < 0,
                     &plain);
        return;
    }
    if (spec->conversion == 'a' || spec->conversion == 'A') {
        print_hexadecimal(real, spec, out);
        return;
    }
    Decimal decimal = decimal_of(real);
    int precision = spec->precision < 0 ? 6 : spec->precision;
    Buffer text = {0};
    if (spec->conversion == 'f') {
        print_fixed(&text, decimal, precision);
    } else if (spec->conversion == 'g' || spec->conversion == 'G') {
        bool has_exponent = false;
        print_general(&text, decimal, spec, &has_exponent);
        if (has_exponent) plain.group = false;
    } else {
        print_scientific(&text, decimal, precision, spec->conversion);
        plain.group = false;
    }
    print_signed(out, buffer_str(&text), decimal.is_negative, &plain);
    buffer_release(&text);
}

// Java's hash code: what `%h` shows.
static uint32_t hash_of_text(Str text) {
    uint32_t hash = 0;
    for (size_t at = 0; at < text.len;) {
        uint32_t point = utf8_next(text, &at);
        if (point >= 0x10000) {
            hash = hash * 31 + (0xd800 + ((point - 0x10000) >> 10));
            point = 0xdc00 + ((point - 0x10000) & 0x3ff);
        }
        hash = hash * 31 + point;
    }
    return hash;
}

static uint32_t fold_bits(uint64_t bits) {
    return (uint32_t)(bits ^ bits >> 32);
}

static uint32_t hash_of(lua_State *L, int index, int depth) {
    index = lua_absindex(L, index);
    luaL_checkstack(L, 6, NULL);
    if (depth > VALUE_DEPTH_MAX) leaf_raise(L, LEAF_ERROR_LIMIT, "a value is nested too deeply");
    Kind kind = leaf_kind(L, index);
    if (kind == KIND_BOOL) return lua_toboolean(L, index) ? 1231 : 1237;
    if (kind == KIND_INT) return fold_bits((uint64_t)lua_tointeger(L, index));
    if (kind == KIND_NULL) return 0;
    if (kind == KIND_FLOAT) {
        double real = lua_tonumber(L, index);
        uint64_t bits;
        memcpy(&bits, &real, sizeof bits);
        return fold_bits(bits);
    }
    if (kind != KIND_LIST && kind != KIND_MAP) {
        lua_pushvalue(L, index);
        uint32_t hash = hash_of_text(leaf_to_str(L, -1));
        lua_pop(L, 1);
        return hash;
    }
    leaf_force(L, index);
    size_t count = lua_rawlen(L, index);
    leaf_charge(L, count);
    uint32_t hash = kind == KIND_LIST;
    for (size_t i = 0; i < count; i++) {
        int top = lua_gettop(L);
        if (kind == KIND_LIST) {
            leaf_push_item(L, index, i);
            hash = hash * 31 + hash_of(L, -1, depth + 1);
        } else {
            leaf_push_member(L, index, i);
            hash += hash_of(L, -2, depth + 1) ^ hash_of(L, -1, depth + 1);
        }
        lua_settop(L, top);
    }
    return hash;
}

static const char *hexadecimal(uint32_t number, char out[9]) {
    snprintf(out, 9, "%x", number);
    return out;
}

// Of a code point, or a text of one character.
static void push_character(lua_State *L, int index, char conversion) {
    Kind kind = leaf_kind(L, index);
    if (kind == KIND_INT) {
        int64_t point = lua_tointeger(L, index);
        if (point < 0 || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) {
            wrong_argument(L, index, conversion);
        }
        Buffer *out = leaf_scratch(L);
        char bytes[4];
        buffer_add_bytes(out, bytes, utf8_put((uint32_t)point, bytes));
        leaf_push_scratch(L);
        return;
    }
    size_t end = 0;
    if (kind != KIND_TEXT || leaf_str(L, index).len == 0) wrong_argument(L, index, conversion);
    (void)utf8_next(leaf_str(L, index), &end);
    if (end != leaf_str(L, index).len) wrong_argument(L, index, conversion);
    lua_pushvalue(L, index);
}

static void print_text(lua_State *L, int index, const Spec *spec, Buffer *out) {
    bool is_upper = strchr("SBHC", spec->conversion) != NULL;
    Kind kind = leaf_kind(L, index);
    lua_pushvalue(L, index);
    if (spec->conversion == 'b' || spec->conversion == 'B') {
        bool is_true = kind == KIND_BOOL ? lua_toboolean(L, index) : kind != KIND_NULL;
        lua_pushstring(L, is_true ? "true" : "false");
        lua_replace(L, -2);
    } else if (kind == KIND_NULL) {
        lua_pushliteral(L, "null");
        lua_replace(L, -2);
    } else if (spec->conversion == 'h' || spec->conversion == 'H') {
        lua_pushfstring(L, "%s", hexadecimal(hash_of(L, index, 0), (char[9]){0}));
        lua_replace(L, -2);
    } else if (spec->conversion == 'c' || spec->conversion == 'C') {
        push_character(L, index, spec->conversion);
        lua_replace(L, -2);
    }
    Str text = leaf_to_str(L, -1), cut = text;
    if (spec->precision >= 0 && !unicode_slice_utf16(text, 0, (uint64_t)spec->precision, &cut)) {
        leaf_raise(L, LEAF_ERROR_VALUE, "'format' would cut a character in two");
    }
    if (is_upper) {
        Buffer *upper = leaf_scratch(L);
        unicode_upper(upper, cut);
        pad(out, buffer_str(upper), spec);
        leaf_scratch_end(L);
    } else {
        pad(out, cut, spec);
    }
    lua_pop(L, 1);
}

// --- the pattern --------------------------------------------------------------------------------

static int read_count(Str pattern, size_t *at) {
    int value = 0;
    while (*at < pattern.len && isdigit((unsigned char)pattern.ptr[*at]) && value <= WIDTH_MAX) {
        value = value * 10 + (pattern.ptr[(*at)++] - '0');
    }
    return value;
}

static bool read_flag(Spec *spec, char c) {
    switch (c) {
    case '-':
        spec->left = true;
        return true;
    case '0':
        spec->zero = true;
        return true;
    case '+':
        spec->plus = true;
        return true;
    case ' ':
        spec->blank = true;
        return true;
    case ',':
        spec->group = true;
        return true;
    case '(':
        spec->brackets = true;
        return true;
    case '#':
        spec->alternate = true;
        return true;
    default:
        return false;
    }
}

// Reads what stands behind `%`. *argument: 0 the next one, -1 the last one (`<`), else its number.
static void read_spec(lua_State *L, Str pattern, size_t *at, Spec *spec, int *argument) {
    *spec = (Spec){.width = -1, .precision = -1};
    *argument = 0;
    size_t start = *at;
    if (*at < pattern.len && pattern.ptr[*at] == '<') {
        *argument = -1;
        (*at)++;
    } else if (*at < pattern.len && pattern.ptr[*at] >= '1' && pattern.ptr[*at] <= '9') {
        int number = read_count(pattern, at);
        if (*at < pattern.len && pattern.ptr[*at] == '$') {
            *argument = number;
            (*at)++;
        } else {
            *at = start;
        }
    }
    while (*at < pattern.len && read_flag(spec, pattern.ptr[*at])) (*at)++;
    if (*at < pattern.len && pattern.ptr[*at] >= '1' && pattern.ptr[*at] <= '9') {
        spec->width = read_count(pattern, at);
    }
    if (*at < pattern.len && pattern.ptr[*at] == '.') {
        (*at)++;
        if (*at >= pattern.len || !isdigit((unsigned char)pattern.ptr[*at])) {
            bad_pattern(L, pattern, "has a '.' without digits");
        }
        spec->precision = read_count(pattern, at);
    }
    if (*at >= pattern.len) bad_pattern(L, pattern, "ends inside a '%'");
    if (spec->width > WIDTH_MAX || spec->precision > PRECISION_MAX) {
        bad_pattern(L, pattern, "has a width or precision that is too large");
    }
    spec->conversion = pattern.ptr[(*at)++];
}

// What Java refuses: flags and precisions that mean nothing for a conversion.
static void check_spec(lua_State *L, Str pattern, const Spec *spec) {
    static const struct {
        const char *conversions, *flags;
        bool has_precision;
    } rows[] = {
        {"sSbBhH", "-",       true },
        {"cC",     "-",       false},
        {"d",      "-0+ ,(",  false},
        {"oxX",    "-0#",     false},
        {"eE",     "-0+ (#",  true },
        {"f",      "-0+ ,(#", true },
        {"gG",     "-0+ ,(",  true },
        {"aA",     "-0+ #",   true },
        {"%",      "-",       false},
        {"n",      "",        false},
    };
    const struct {
        char flag;
        bool is_set;
    } flags[] = {
        {'-', spec->left     },
        {'0', spec->zero     },
        {'+', spec->plus     },
        {' ', spec->blank    },
        {',', spec->group    },
        {'(', spec->brackets },
        {'#', spec->alternate}
    };
    if ((spec->left || spec->zero) && spec->width < 0) {
        bad_pattern(L, pattern, "has a flag '-' or '0' without a width");
    }
    if ((spec->left && spec->zero) || (spec->plus && spec->blank)) {
        bad_pattern(L, pattern, "has two flags that exclude each other");
    }
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (strchr(rows[i].conversions, spec->conversion) == NULL) continue;
        for (size_t k = 0; k < COUNT(flags); k++) {
            if (flags[k].is_set && strchr(rows[i].flags, flags[k].flag) == NULL) {
                bad_pattern(L, pattern, "has a flag that means nothing for its conversion");
            }
        }
        if (spec->precision >= 0 && !rows[i].has_precision) {
            bad_pattern(L, pattern, "has a precision for a conversion that takes none");
        }
        if (spec->conversion == 'n' && spec->width >= 0) {
            bad_pattern(L, pattern, "has a width for '%n'");
        }
    }
}

static void print_spec(lua_State *L, const Spec *spec, int index, Buffer *out) {
    if (leaf_kind(L, index) == KIND_NULL && isalpha((unsigned char)spec->conversion) &&
        strchr("bB", spec->conversion) == NULL) {
        Spec plain = *spec;
        plain.conversion = isupper((unsigned char)spec->conversion) ? 'S' : 's';
        print_text(L, index, &plain, out);
        return;
    }
    switch (spec->conversion) {
    case 's':
    case 'S':
    case 'b':
    case 'B':
    case 'h':
    case 'H':
    case 'c':
    case 'C':
        print_text(L, index, spec, out);
        return;
    case 'd':
    case 'x':
    case 'X':
    case 'o':
        print_integer(L, index, spec, out);
        return;
    case 'f':
    case 'e':
    case 'E':
    case 'g':
    case 'G':
    case 'a':
    case 'A':
        print_real(L, index, spec, out);
        return;
    default:
        break;
    }
    if (spec->conversion == 't' || spec->conversion == 'T') {
        leaf_raise(L, LEAF_ERROR_UNKNOWN, "'format' writes no dates: use the filter 'date'");
    }
    leaf_raise(L, LEAF_ERROR_VALUE, "'%%%c' means nothing in a pattern of 'format'",
               isprint((unsigned char)spec->conversion) ? spec->conversion : '?');
}

static int format(lua_State *L) {
    leaf_to_str(L, FIRST_ARG);
    Str pattern = leaf_str(L, FIRST_ARG);
    int top = lua_gettop(L), next = FIRST_PARAM, last = 0;
    Buffer *out = leaf_scratch(L);
    for (size_t at = 0; at < pattern.len;) {
        char c = pattern.ptr[at++];
        if (c != '%') {
            buffer_add_char(out, c);
            continue;
        }
        Spec spec;
        int argument;
        read_spec(L, pattern, &at, &spec, &argument);
        leaf_charge(L, 4);
        check_spec(L, pattern, &spec);
        if (spec.conversion == 'n') {
            buffer_add_char(out, '\n');
        } else if (spec.conversion == '%') {
            pad(out, STR("%"), &spec);
        } else {
            int index = argument == 0 ? next++ : argument == -1 ? last : FIRST_PARAM + argument - 1;
            if (index < FIRST_PARAM || index > top) {
                bad_pattern(L, pattern, "needs more arguments than were given");
            }
            last = index;
            print_spec(L, &spec, index, out);
        }
        leaf_check_size(L, out);
    }
    leaf_push_scratch(L);
    return 1;
}

const Builtin leaf_builtins_format[] = {
    {.kind = BUILTIN_FILTER,
     .name = "format",
     .params = {{"arguments", "any?"}},
     .input = "any",
     .result = "text",
     .flags = BUILTIN_NULL_PASSES | BUILTIN_ANY_COUNT,
     .run = format,
     .text = "The input as a pattern (`%s`, `%05d`, `%.2f`, …), filled with the arguments.",
     .examples = "{{ '%s has %05.1f' | format('a', 2.25) }} => a has 002.3\n"
                 "{{ '%2$s-%1$s' | format('x', 'y') }} => y-x\n"
                 "{{ '%,d %.3g %c %h' | format(12345, 0.1, 65, 'a') }} => 12,345 0.100 A 61"},
    {.name = NULL},
};
