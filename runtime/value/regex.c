// regex.c - see regex.h. PCRE2 in UTF mode; every match has limits on steps, depth and memory, so
// that no pattern can hold up a run.
#define PCRE2_CODE_UNIT_WIDTH 8
#include "value/regex.h"

#include <pcre2.h>
#include <string.h>

#include "base/utf8.h"

enum {
    PATTERN_SIZE_MAX = 64 * 1024,
    MATCH_LIMIT = 1000000,   // steps of one match: about 20 ms
    DEPTH_LIMIT = 20000,     // nested backtracking points
    HEAP_LIMIT_KIB = 16384,  // what those may take
    OUTPUT_MAX = 64 * 1024 * 1024
};

struct Regex {
    pcre2_code *code;
    pcre2_match_data *match;
    pcre2_match_context *context;
};

void regex_free(Regex *regex) {
    if (regex == NULL) return;
    pcre2_match_data_free(regex->match);
    pcre2_match_context_free(regex->context);
    pcre2_code_free(regex->code);
    heap_free(regex);
}

// Java spells a few things otherwise than Perl: \Z, \h and the like agree, `(?<name>)` too. What is
// left out on purpose: a `\` before a letter without meaning is an error in both.
Err regex_compile(Str pattern, Regex **out) {
    *out = NULL;
    if (pattern.len > PATTERN_SIZE_MAX) {
        return err_make(ERR_LIMIT, "a regular expression has more than %d bytes", PATTERN_SIZE_MAX);
    }
    int number = 0;
    PCRE2_SIZE offset = 0;
    // Java's \d \w \s \b are ASCII; its `$` also matches before a last line break, as PCRE2's.
    uint32_t options = PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)(pattern.len == 0 ? "" : pattern.ptr), pattern.len,
                                     options, &number, &offset, NULL);
    if (code == NULL) {
        char text[160] = "";
        pcre2_get_error_message(number, (PCRE2_UCHAR *)text, sizeof text);
        return err_make(ERR_INPUT, "bad regular expression at character %zu: %s",
                        utf8_count(str_slice(pattern, 0, offset)) + 1, text);
    }
    Regex *regex = heap_alloc(1, sizeof *regex);
    regex->code = code;
    regex->match = pcre2_match_data_create_from_pattern(code, NULL);
    regex->context = pcre2_match_context_create(NULL);
    if (regex->match == NULL || regex->context == NULL) out_of_memory();
    pcre2_set_match_limit(regex->context, MATCH_LIMIT);
    pcre2_set_depth_limit(regex->context, DEPTH_LIMIT);
    pcre2_set_heap_limit(regex->context, HEAP_LIMIT_KIB);
    *out = regex;
    return err_none();
}

// One match from `from`; *found tells.
static Err match(const Regex *regex, Str text, size_t from, uint32_t options, bool *found) {
    *found = false;
    int count = pcre2_match(regex->code, (PCRE2_SPTR)(text.len == 0 ? "" : text.ptr), text.len,
                            from, options, regex->match, regex->context);
    if (count >= 0) {
        *found = true;
        return err_none();
    }
    switch (count) {
    case PCRE2_ERROR_NOMATCH:
        return err_none();
    case PCRE2_ERROR_MATCHLIMIT:
    case PCRE2_ERROR_DEPTHLIMIT:
    case PCRE2_ERROR_HEAPLIMIT:
        return err_make(ERR_LIMIT, "a regular expression needs more than %d steps to match",
                        MATCH_LIMIT);
    case PCRE2_ERROR_NOMEMORY:
        out_of_memory();
    default:
        break;
    }
    char message[160] = "";
    pcre2_get_error_message(count, (PCRE2_UCHAR *)message, sizeof message);
    return err_make(ERR_INPUT, "a regular expression cannot be matched: %s", message);
}

static Str group(const Regex *regex, Str text, uint32_t i) {
    const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(regex->match);
    if (i >= pcre2_get_ovector_count(regex->match) || ends[2 * i] == PCRE2_UNSET ||
        ends[2 * i + 1] < ends[2 * i]) {
        return (Str){0};
    }
    const char *base = text.ptr == NULL ? "" : text.ptr;
    return (Str){base + ends[2 * i], ends[2 * i + 1] - ends[2 * i]};
}

Err regex_matches(const Regex *regex, Str text, bool *out) {
    return match(regex, text, 0, PCRE2_ANCHORED | PCRE2_ENDANCHORED, out);
}

Err regex_find(const Regex *regex, Str text, size_t from, Str groups[], size_t group_count,
               bool *out) {
    *out = false;
    if (from > text.len) return err_none();
    TRY(match(regex, text, from, 0, out));
    for (size_t i = 0; i < group_count; i++) {
        groups[i] = *out ? group(regex, text, (uint32_t)i) : (Str){0};
    }
    return err_none();
}

// --- replacing ----------------------------------------------------------------------------------

uint32_t regex_group_count(const Regex *regex) {
    uint32_t count = 0;
    (void)pcre2_pattern_info(regex->code, PCRE2_INFO_CAPTURECOUNT, &count);
    return count;
}

static bool is_digit(Str text, size_t at) {
    return at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9';
}

// `$12`: as many digits as still name a group, at least one.
static Err numbered_group(const Regex *regex, Str replacement, size_t *at, uint32_t *out) {
    uint32_t total = regex_group_count(regex), number = (uint32_t)(replacement.ptr[*at] - '0');
    if (number > total) {
        return err_make(ERR_INPUT, "the replacement names group $%u, there are %u", number, total);
    }
    for ((*at)++; is_digit(replacement, *at); (*at)++) {
        uint32_t longer = number * 10 + (uint32_t)(replacement.ptr[*at] - '0');
        if (longer > total) break;
        number = longer;
    }
    *out = number;
    return err_none();
}

static Err named_group(const Regex *regex, Str replacement, size_t *at, uint32_t *out) {
    size_t end = str_find_char(replacement, '}', *at);
    Str name = str_slice(replacement, *at + 1, end == STR_NOT_FOUND ? *at + 1 : end);
    char copy[40] = "";
    if (end == STR_NOT_FOUND || name.len == 0 || name.len >= sizeof copy) {
        return err_make(ERR_INPUT, "the replacement has a '${' without a group's name and '}'");
    }
    memcpy(copy, name.ptr, name.len);
    int number = pcre2_substring_number_from_name(regex->code, (PCRE2_SPTR)copy);
    if (number < 0) {
        return err_make(ERR_INPUT, "the replacement names group '%s', which is not there", copy);
    }
    *at = end + 1;
    *out = (uint32_t)number;
    return err_none();
}

// Java's syntax: $n, ${name}, and `\` before a character that is meant itself.
static Err add_replacement(const Regex *regex, Str text, Str replacement, Buffer *out) {
    for (size_t at = 0; at < replacement.len;) {
        char c = replacement.ptr[at];
        if (c == '\\') {
            if (at + 1 == replacement.len) {
                return err_make(ERR_INPUT, "the replacement ends with a '\\'");
            }
            buffer_add_char(out, replacement.ptr[at + 1]);
            at += 2;
        } else if (c == '$') {
            uint32_t number = 0;
            at++;
            if (is_digit(replacement, at)) {
                TRY(numbered_group(regex, replacement, &at, &number));
            } else if (at < replacement.len && replacement.ptr[at] == '{') {
                TRY(named_group(regex, replacement, &at, &number));
            } else {
                return err_make(ERR_INPUT,
                                "a '$' of the replacement names no group: write '\\$' for itself");
            }
            buffer_add(out, group(regex, text, number));
        } else {
            buffer_add_char(out, c);
            at++;
        }
    }
    return err_none();
}

Err regex_replace(const Regex *regex, Str text, Str replacement, Buffer *out) {
    size_t at = 0, from = 0;
    uint32_t options = 0;
    while (from <= text.len) {
        bool found = false;
        TRY(match(regex, text, from, options, &found));
        if (!found) break;
        options = PCRE2_NO_UTF_CHECK;
        const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(regex->match);
        size_t start = ends[0], end = ends[1];
        if (end < start || start < at) break;  // \K can do that
        buffer_add(out, str_slice(text, at, start));
        TRY(add_replacement(regex, text, replacement, out));
        if (out->len > OUTPUT_MAX) {
            return err_make(ERR_LIMIT, "a replacement gives more than %d MiB", OUTPUT_MAX >> 20);
        }
        at = end;
        from = end;
        if (start == end) {  // an empty match: go on behind the next character
            if (from >= text.len) break;
            (void)utf8_next(text, &from);
        }
    }
    buffer_add(out, str_slice(text, at, text.len));
    return err_none();
}
