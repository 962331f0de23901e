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
    Decimal decimal = decimal_of(real);
    int precision = spec->precision < 0 ? 6 : spec->precision;
    Buffer text = {0};
    if (spec->conversion == 'f') {
        print_fixed(&text, decimal, precision);
    } else {
        print_scientific(&text, decimal, precision, spec->conversion);
        plain.group = false;
    }
    print_signed(out, buffer_str(&text), decimal.is_negative, &plain);
    buffer_release(&text);
}

static void print_text(lua_State *L, int index, const Spec *spec, Buffer *out) {
    bool is_upper = spec->conversion == 'S' || spec->conversion == 'B';
    Kind kind = leaf_kind(L, index);
    lua_pushvalue(L, index);
    if (spec->conversion == 'b' || spec->conversion == 'B') {
        bool is_true = kind == KIND_BOOL ? lua_toboolean(L, index) : kind != KIND_NULL;
        lua_pushstring(L, is_true ? "true" : "false");
        lua_replace(L, -2);
    } else if (kind == KIND_NULL) {
        lua_pushliteral(L, "null");
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

static void print_spec(lua_State *L, Str pattern, const Spec *spec, int index, Buffer *out) {
    switch (spec->conversion) {
    case 's':
    case 'S':
    case 'b':
    case 'B':
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
        print_real(L, index, spec, out);
        return;
    default:
        break;
    }
    bool is_known = strchr("cCgGaAhHtT", spec->conversion) != NULL;
    leaf_raise(L, is_known ? LEAF_ERROR_UNKNOWN : LEAF_ERROR_VALUE,
               is_known ? "'%%%c' of 'format' is not supported"
                        : "'%%%c' means nothing in a pattern of 'format'",
               isprint((unsigned char)spec->conversion) ? spec->conversion : '?');
    (void)pattern;
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
            print_spec(L, pattern, &spec, index, out);
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
                 "{{ '%2$s-%1$s' | format('x', 'y') }} => y-x"},
    {.name = NULL},
};
