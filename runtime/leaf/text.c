// text.c - filters on text: case, cutting, replacing, indenting.
#include "leaf/machine.h"

#include <string.h>

#include "base/utf8.h"
#include "leaf/unicode.h"
#include "value/regex.h"

// --- case ---------------------------------------------------------------------------------------

static int upper(lua_State *L) {
    Str text = leaf_to_str(L, FIRST_ARG);
    Buffer *out = leaf_scratch(L);
    unicode_upper(out, text);
    leaf_push_scratch(L);
    return 1;
}

static int lower(lua_State *L) {
    Str text = leaf_to_str(L, FIRST_ARG);
    Buffer *out = leaf_scratch(L);
    unicode_lower(out, text);
    leaf_push_scratch(L);
    return 1;
}

// The first character that is no white space.
static int capitalize(lua_State *L) {
    Str text = leaf_str(L, FIRST_ARG);
    Buffer *out = leaf_scratch(L);
    size_t at = 0;
    while (at < text.len) {
        size_t start = at;
        uint32_t point = utf8_next(text, &at);
        if (!unicode_is_blank(point)) {
            unicode_title_point(out, point);
            break;
        }
        buffer_add(out, str_slice(text, start, at));
    }
    buffer_add(out, str_slice(text, at, text.len));
    leaf_push_scratch(L);
    return 1;
}

static int title(lua_State *L) {
    Str text = leaf_str(L, FIRST_ARG);
    Buffer *out = leaf_scratch(L);
    bool is_start = true;
    for (size_t at = 0; at < text.len;) {
        size_t start = at;
        uint32_t point = utf8_next(text, &at);
        if (is_start && !unicode_is_blank(point)) {
            unicode_title_point(out, point);
        } else {
            buffer_add(out, str_slice(text, start, at));
        }
        is_start = unicode_is_blank(point);
    }
    leaf_push_scratch(L);
    return 1;
}

// --- cutting ------------------------------------------------------------------------------------

static int trim(lua_State *L) {
    Str text = leaf_str(L, FIRST_ARG);
    while (text.len > 0 && (unsigned char)text.ptr[0] <= ' ') text = str_slice(text, 1, text.len);
    while (text.len > 0 && (unsigned char)text.ptr[text.len - 1] <= ' ') text.len--;
    leaf_push_str(L, text);
    return 1;
}

static int abbreviate(lua_State *L) {
    Str text = leaf_str(L, FIRST_ARG), cut = text;
    int64_t limit = lua_tointeger(L, FIRST_PARAM);
    if (limit < 0) leaf_raise(L, LEAF_ERROR_VALUE, "'length' of 'abbreviate' cannot be negative");
    uint64_t units = utf8_count_utf16(text);
    bool dots = limit > 3;
    // Texts of up to three characters stay as they are.
    if (units < (uint64_t)limit || units <= 3) {
        lua_settop(L, FIRST_ARG);
        return 1;
    }
    if (!unicode_slice_utf16(text, 0, (uint64_t)(dots ? limit - 3 : limit), &cut)) {
        leaf_raise(L, LEAF_ERROR_VALUE, "'abbreviate' would cut a character in two");
    }
    Buffer *out = leaf_scratch(L);
    buffer_add(out, cut);
    if (dots) buffer_add(out, STR("..."));
    leaf_push_scratch(L);
    return 1;
}

typedef enum Side { BEFORE, BEFORE_LAST, AFTER, AFTER_LAST } Side;

static size_t find_last(Str text, Str needle) {
    size_t last = STR_NOT_FOUND;
    for (size_t at = text.len < needle.len ? STR_NOT_FOUND : text.len - needle.len + 1;
         at != STR_NOT_FOUND && at-- > 0;) {
        if (memcmp(text.ptr + at, needle.ptr, needle.len) == 0) return at;
    }
    return last;
}

static int substring(lua_State *L, Side side) {
    bool is_before = side == BEFORE || side == BEFORE_LAST;
    if (leaf_kind(L, FIRST_PARAM) == KIND_NULL) {
        if (!is_before) lua_pushliteral(L, "");
        lua_settop(L, is_before ? FIRST_ARG : FIRST_PARAM + 1);
        if (is_before) leaf_to_str(L, FIRST_ARG);
        return 1;
    }
    Str text = leaf_to_str(L, FIRST_ARG), separator = leaf_to_str(L, FIRST_PARAM);
    size_t at =
        side == BEFORE || side == AFTER ? str_find(text, separator, 0) : find_last(text, separator);
    // An empty separator: Before gives nothing, After all; the Last variants find none.
    if (separator.len == 0) at = side == BEFORE || side == AFTER ? 0 : STR_NOT_FOUND;
    if (at == STR_NOT_FOUND) {
        leaf_push_str(L, is_before ? text : (Str){0});
    } else if (is_before) {
        leaf_push_str(L, str_slice(text, 0, at));
    } else {
        leaf_push_str(L, str_slice(text, at + separator.len, text.len));
    }
    return 1;
}

static int substring_before(lua_State *L) {
    return substring(L, BEFORE);
}

static int substring_before_last(lua_State *L) {
    return substring(L, BEFORE_LAST);
}

static int substring_after(lua_State *L) {
    return substring(L, AFTER);
}

static int substring_after_last(lua_State *L) {
    return substring(L, AFTER_LAST);
}

// Null asks for nothing, other than of null.
static void check_value(lua_State *L) {
    if (leaf_kind(L, FIRST_PARAM) != KIND_NULL) return;
    leaf_raise(L, LEAF_ERROR_TYPE, "'%s' takes a value as 'value', not null", vm_of(L)->builtin);
}

static int starts_with(lua_State *L) {
    if (leaf_kind(L, FIRST_ARG) == KIND_NULL) {
        lua_pushboolean(L, 0);
        return 1;
    }
    check_value(L);
    Str text = leaf_to_str(L, FIRST_ARG), prefix = leaf_to_str(L, FIRST_PARAM);
    lua_pushboolean(L, str_starts_with(text, prefix));
    return 1;
}

static int ends_with(lua_State *L) {
    if (leaf_kind(L, FIRST_ARG) == KIND_NULL) {
        lua_pushboolean(L, 0);
        return 1;
    }
    check_value(L);
    Str text = leaf_to_str(L, FIRST_ARG), suffix = leaf_to_str(L, FIRST_PARAM);
    lua_pushboolean(L, str_ends_with(text, suffix));
    return 1;
}

// --- leaf by leaf -------------------------------------------------------------------------------

typedef void (*LeafText)(lua_State *L, Str text, Buffer *out);

// Pushes the value at `index` with every scalar in it as text that went through `change`.
static void change_leaves(lua_State *L, int index, LeafText change, int depth) {
    index = lua_absindex(L, index);
    Kind kind = leaf_kind(L, index);
    luaL_checkstack(L, 8, NULL);
    if (kind == KIND_MAP && leaf_has_meta(L, index, META_ENTRY)) kind = KIND_TEXT;  // as key=value
    if (kind == KIND_LIST || kind == KIND_MAP) leaf_force(L, index);
    if (depth > VALUE_DEPTH_MAX) leaf_raise(L, LEAF_ERROR_LIMIT, "a value is nested too deeply");
    if (kind == KIND_LIST) {
        size_t count = lua_rawlen(L, index);
        leaf_charge(L, count);
        leaf_new_list(L, count);
        int list = lua_gettop(L);
        for (size_t i = 0; i < count; i++) {
            leaf_push_item(L, index, i);
            change_leaves(L, -1, change, depth + 1);
            lua_rawseti(L, list, (lua_Integer)i + 1);
            lua_settop(L, list);
        }
    } else if (kind == KIND_MAP) {
        size_t count = lua_rawlen(L, index);
        leaf_charge(L, count);
        leaf_new_map(L, count);
        int map = lua_gettop(L);
        for (size_t i = 0; i < count; i++) {
            leaf_push_member(L, index, i);
            change_leaves(L, -1, change, depth + 1);
            lua_remove(L, -2);
            leaf_map_put(L, map);
        }
    } else if (kind == KIND_NULL) {
        lua_pushvalue(L, index);
    } else {
        lua_pushvalue(L, index);
        Str text = leaf_to_str(L, -1);
        Buffer *out = leaf_scratch(L);
        change(L, text, out);
        leaf_push_scratch(L);
        lua_remove(L, -2);
    }
}

static void replace_plain(Buffer *out, Str text, Str from, Str to) {
    size_t at = 0;
    if (from.len == 0) {  // between all characters, as Java does
        while (at < text.len) {
            size_t start = at;
            (void)utf8_next(text, &at);
            buffer_add(out, to);
            buffer_add(out, str_slice(text, start, at));
        }
        buffer_add(out, to);
        return;
    }
    for (;;) {
        size_t found = str_find(text, from, at);
        if (found == STR_NOT_FOUND) break;
        buffer_add(out, str_slice(text, at, found));
        buffer_add(out, to);
        at = found + from.len;
    }
    buffer_add(out, str_slice(text, at, text.len));
}

// The pairs stand at FIRST_PARAM as a map, `regexp` behind it.
static void replace_pairs(lua_State *L, Str text, Buffer *out) {
    bool is_regex = lua_toboolean(L, FIRST_PARAM + 1);
    buffer_add(out, text);
    size_t count = lua_rawlen(L, FIRST_PARAM);
    for (size_t i = 0; i < count; i++) {
        leaf_push_member(L, FIRST_PARAM, i);
        if (leaf_kind(L, -1) == KIND_NULL) {
            leaf_raise(L, LEAF_ERROR_TYPE, "'replace' has null as replacement of '" STR_FMT "'",
                       STR_ARG(str_slice(leaf_str(L, -2), 0, 60)));
        }
        leaf_to_str(L, -1);
        Str from = leaf_str(L, -2), to = leaf_str(L, -1);
        Buffer *next = leaf_scratch(L);
        leaf_charge(L, out->len / 64 + 1);
        if (is_regex) {
            leaf_regex_replace(L, buffer_str(out), from, to, next);
        } else {
            replace_plain(next, buffer_str(out), from, to);
        }
        leaf_check_size(L, next);
        buffer_clear(out);
        buffer_add(out, buffer_str(next));
        leaf_scratch_end(L);
        lua_pop(L, 2);
    }
}

static int replace(lua_State *L) {
    change_leaves(L, FIRST_ARG, replace_pairs, 0);
    return 1;
}

static void escape_text(lua_State *L, Str text, Buffer *out) {
    Str type = leaf_str(L, FIRST_PARAM);
    bool is_double = str_eq_ignore_case(type, STR("double"));
    Str quote = is_double ? STR("\"") : STR("'");
    Str by = STR("\\'");
    if (is_double) by = STR("\\\"");
    if (str_eq_ignore_case(type, STR("shell"))) by = STR("'\\''");
    replace_plain(out, text, quote, by);
}

static int escape_char(lua_State *L) {
    static const char *const types[] = {"single", "double", "shell"};
    Str type = leaf_str(L, FIRST_PARAM);
    for (size_t i = 0; i < COUNT(types); i++) {
        if (!str_eq_ignore_case(type, str_from(types[i]))) continue;
        change_leaves(L, FIRST_ARG, escape_text, 0);
        return 1;
    }
    leaf_raise(L, LEAF_ERROR_VALUE,
               "'type' of 'escapeChar' is 'single', 'double' or 'shell', not '" STR_FMT "'",
               STR_ARG(str_slice(type, 0, 60)));
}

// --- lines --------------------------------------------------------------------------------------

// The one line break of a text: what looks like another is text.
static Str line_break_of(Str text) {
    if (str_find(text, STR("\r\n"), 0) != STR_NOT_FOUND) return STR("\r\n");
    bool has_cr = str_find_char(text, '\r', 0) != STR_NOT_FOUND;
    return has_cr && str_find_char(text, '\n', 0) == STR_NOT_FOUND ? STR("\r") : STR("\n");
}

// Copies `text` with `prefix` times `amount` behind every line break; the break is kept.
static void indent_lines(Buffer *out, Str text, Str prefix, int64_t amount) {
    Str line_break = line_break_of(text);
    for (size_t at = 0; at < text.len;) {
        size_t end = str_find(text, line_break, at);
        if (end == STR_NOT_FOUND) {
            buffer_add(out, str_slice(text, at, text.len));
            return;
        }
        buffer_add(out, str_slice(text, at, end + line_break.len));
        for (int64_t n = 0; n < amount; n++) buffer_add(out, prefix);
        at = end + line_break.len;
    }
}

static int indent_by(lua_State *L, bool has_break) {
    Str text = leaf_to_str(L, FIRST_ARG);
    int64_t amount = lua_tointeger(L, FIRST_PARAM);
    Str prefix = lua_isnil(L, FIRST_PARAM + 1) ? STR(" ") : leaf_to_str(L, FIRST_PARAM + 1);
    if (amount < 0) {
        leaf_raise(L, LEAF_ERROR_VALUE, "'amount' of '%s' cannot be negative", vm_of(L)->builtin);
    }
    if (text.len == 0) {
        leaf_push_str(L, text);
        return 1;
    }
    size_t breaks = 1;
    for (size_t i = 0; i < text.len; i++) breaks += text.ptr[i] == '\n' || text.ptr[i] == '\r';
    if ((uint64_t)amount > TEXT_MAX ||
        (prefix.len > 0 && breaks * (uint64_t)amount > TEXT_MAX / prefix.len)) {
        leaf_raise(L, LEAF_ERROR_LIMIT, "a text would have more than %d MiB", TEXT_MAX >> 20);
    }
    Buffer *out = leaf_scratch(L);
    if (has_break) {
        buffer_add(out, line_break_of(text));
        for (int64_t n = 0; n < amount; n++) buffer_add(out, prefix);
    }
    indent_lines(out, text, prefix, amount);
    leaf_check_size(L, out);
    leaf_push_scratch(L);
    return 1;
}

static int indent(lua_State *L) {
    return indent_by(L, false);
}

static int nindent(lua_State *L) {
    return indent_by(L, true);
}

static int nl2br(lua_State *L) {
    Str text = leaf_str(L, FIRST_ARG);
    Buffer *out = leaf_scratch(L);
    for (size_t i = 0; i < text.len; i++) {
        bool is_pair = text.ptr[i] == '\r' && i + 1 < text.len && text.ptr[i + 1] == '\n';
        if (text.ptr[i] == '\n' || text.ptr[i] == '\r') {
            buffer_add(out, STR("<br />"));
        } else {
            buffer_add_char(out, text.ptr[i]);
        }
        if (is_pair) i++;
    }
    leaf_push_scratch(L);
    return 1;
}

// --- the rest -----------------------------------------------------------------------------------

static int string(lua_State *L) {
    leaf_to_str(L, FIRST_ARG);
    lua_settop(L, FIRST_ARG);
    return 1;
}

static bool is_word(uint32_t point) {
    return (point >= '0' && point <= '9') || (point >= 'a' && point <= 'z') ||
           (point >= 'A' && point <= 'Z') || point == '-' || point == '_';
}

static int slugify(lua_State *L) {
    Str text = leaf_to_str(L, FIRST_ARG);
    Buffer *out = leaf_scratch(L);
    for (size_t at = 0; at < text.len;) {
        uint32_t point = utf8_next(text, &at);
        if (point < 0x80 && (point == ' ' || (point >= 9 && point <= 13))) point = '-';
        if (point >= 0x80 && point != UTF8_INVALID) {
            point = (unsigned char)unicode_base_letter(point);
        }
        if (!is_word(point)) continue;
        if (point == '_') point = '-';
        if (point == '-' && (out->len == 0 || out->ptr[out->len - 1] == '-')) continue;
        buffer_add_char(out, (char)(point >= 'A' && point <= 'Z' ? point + 32 : point));
    }
    while (out->len > 0 && out->ptr[out->len - 1] == '-') out->len--;
    leaf_push_scratch(L);
    return 1;
}

// Java's split: the delimiter is a regular expression; trailing empty parts go unless the limit is
// negative.
static void drop_empty_tail(lua_State *L, int list) {
    for (size_t n = lua_rawlen(L, list); n > 0; n--) {
        lua_rawgeti(L, list, (lua_Integer)n);
        size_t len = lua_rawlen(L, -1);
        lua_pop(L, 1);
        if (len > 0) return;
        lua_pushnil(L);
        lua_rawseti(L, list, (lua_Integer)n);
    }
}

static bool is_plain_delimiter(Str delimiter) {
    for (size_t i = 0; i < delimiter.len; i++) {
        if (strchr("\\^$.|?*+()[]{}", delimiter.ptr[i]) != NULL) return false;
    }
    return delimiter.len > 0;
}

static int split(lua_State *L) {
    Str text = leaf_str(L, FIRST_ARG), delimiter = leaf_str(L, FIRST_PARAM);
    int64_t limit = lua_isnil(L, FIRST_PARAM + 1) ? 0 : lua_tointeger(L, FIRST_PARAM + 1);
    bool is_plain = is_plain_delimiter(delimiter);
    leaf_new_list(L, 4);
    int list = lua_gettop(L);
    size_t at = 0, from = 0;
    for (uint64_t parts = 1; limit <= 0 || parts < (uint64_t)limit;) {
        Str found = {0};
        leaf_charge(L, 2);
        bool is_found;
        if (is_plain) {
            size_t place = str_find(text, delimiter, from);
            is_found = place != STR_NOT_FOUND;
            if (is_found) found = (Str){text.ptr + place, delimiter.len};
        } else {
            is_found = leaf_regex_find(L, delimiter, text, from, &found, 1);
        }
        if (!is_found) break;
        size_t start = (size_t)(found.ptr - text.ptr), end = start + found.len;
        if (end == 0) {  // no empty first part for an empty match at the beginning
            if (text.len == 0) break;
            from = start;
            (void)utf8_next(text, &from);
            continue;
        }
        leaf_push_str(L, str_slice(text, at, start));
        leaf_list_add(L, list);
        parts++;
        at = end;
        from = end;
        if (found.len == 0 && from >= text.len) break;
        if (found.len == 0) (void)utf8_next(text, &from);
    }
    bool was_split = lua_rawlen(L, list) > 0;
    leaf_push_str(L, str_slice(text, at, text.len));
    leaf_list_add(L, list);
    if (limit == 0 && was_split) drop_empty_tail(L, list);
    return 1;
}

const Builtin leaf_builtins_text[] = {
    {.kind = BUILTIN_FILTER,
     .name = "abbreviate",
     .params = {{"length", "int"}},
     .input = "text",
     .result = "text",
     .flags = BUILTIN_NULL_PASSES,
     .run = abbreviate,
     .text = "Cuts a text to `length` characters, the last three of them dots. A text exactly as "
             "long as `length` is cut too.", .examples = "{{ 'hello world' | abbreviate(8) }} => hello...\n"
                 "{{ 'hello world' | abbreviate(12) }} => hello world\n"
                 "{{ 'hello' | abbreviate(3) }} => hel"},
    {.kind = BUILTIN_FILTER,
     .name = "capitalize",
     .input = "text",
     .result = "text",
     .flags = BUILTIN_NULL_PASSES | BUILTIN_NO_ARGUMENTS,
     .run = capitalize,
     .text = "Makes the first letter a capital and leaves the rest.",
     .examples = "{{ '  eu west' | capitalize }} =>   Eu west"},
    {.kind = BUILTIN_FILTER,
     .name = "endsWith",
     .params = {{"value", "some|null"}},
     .input = "any",
     .result = "bool",
     .flags = BUILTIN_NULL_TAKEN,
     .run = ends_with,
     .text = "Whether the text ends with `value`.",
     .examples = "{{ 'a.csv' | endsWith('.csv') }} => true"},
    {.kind = BUILTIN_FILTER,
     .name = "escapeChar",
     .params = {{"type", "text"}},
     .input = "any",
     .result = "any",
     .flags = BUILTIN_NULL_PASSES,
     .run = escape_char,
     .text = "Escapes quotes for use inside `single` or `double` quotes, or inside single quotes "
             "of a `shell`. In lists and maps every leaf.", .examples = "{{ \"it's\" | escapeChar('single') }} => it\\'s\n"
                 "{{ \"it's\" | escapeChar('shell') }} => it'\\''s"},
    {.kind = BUILTIN_FILTER,
     .name = "indent",
     .params = {{"amount", "int"}, {"prefix", "text?"}},
     .input = "any",
     .result = "text",
     .flags = BUILTIN_NULL_PASSES,
     .run = indent,
     .text = "Puts `prefix` (a blank) `amount` times in front of every line but the first.",
     .examples = "{{ 'a\\nb' | indent(1, '-') }} => a\\n-b"},
    {.kind = BUILTIN_FILTER,
     .name = "lower",
     .input = "any",
     .result = "text",
     .flags = BUILTIN_NULL_PASSES | BUILTIN_NO_ARGUMENTS,
     .run = lower,
     .text = "The text in small letters.",
     .examples = "{{ 'AbC' | lower }} => abc"},
    {.kind = BUILTIN_FILTER,
     .name = "nindent",
     .params = {{"amount", "int"}, {"prefix", "text?"}},
     .input = "any",
     .result = "text",
     .flags = BUILTIN_NULL_PASSES,
     .run = nindent,
     .text = "As `indent`, with a line break in front, so that the first line is indented too.",
     .examples = "{{ 'a' | nindent(2, '.') }} => \\n..a"},
    {.kind = BUILTIN_FILTER,
     .name = "nl2br",
     .input = "text",
     .result = "text",
     .flags = BUILTIN_NULL_PASSES | BUILTIN_NO_ARGUMENTS,
     .run = nl2br,
     .text = "Replaces line breaks by `<br />`.",
     .examples = "{{ 'a\\nb' | nl2br }} => a<br />b"},
    {.kind = BUILTIN_FILTER,
     .name = "replace",
     .params = {{"replace_pairs", "map"}, {"regexp", "bool?"}},
     .input = "any",
     .result = "any",
     .flags = BUILTIN_NULL_PASSES,
     .run = replace,
     .text = "Replaces each key of `replace_pairs` by its value, one pair after the other; with "
             "`regexp` keys are regular expressions and values may name groups (`$1`). In lists "
             "and maps every leaf.", .examples = "{{ 'a-b' | replace({'-': '_'}) }} => a_b\n"
                 "{{ 'id 12' | replace({'[0-9]+': '#'}, regexp=true) }} => id #"},
    {.kind = BUILTIN_FILTER,
     .name = "slugify",
     .input = "any",
     .result = "text",
     .flags = BUILTIN_NULL_PASSES | BUILTIN_NO_ARGUMENTS,
     .run = slugify,
     .text = "A text for addresses: small letters and digits, joined by dashes.",
     .examples = "{{ 'Café Déjà_Vu -- 2024! ' | slugify }} => cafe-deja-vu-2024"},
    {.kind = BUILTIN_FILTER,
     .name = "split",
     .params = {{"delimiter", "text"}, {"limit", "int?"}},
     .input = "text",
     .result = "list",
     .flags = BUILTIN_NULL_PASSES,
     .run = split,
     .text = "Splits at a regular expression. Empty parts at the end are dropped unless `limit` is "
             "negative; a positive `limit` is the greatest number of parts.", .examples = "{{ 'a,b,,' | split(',') }} => [\"a\",\"b\"]\n"
                 "{{ 'a,b,,' | split(',', -1) }} => [\"a\",\"b\",\"\",\"\"]"},
    {.kind = BUILTIN_FILTER,
     .name = "startsWith",
     .params = {{"value", "some|null"}},
     .input = "any",
     .result = "bool",
     .flags = BUILTIN_NULL_TAKEN,
     .run = starts_with,
     .text = "Whether the text starts with `value`.",
     .examples = "{{ 's3://b/k' | startsWith('s3://') }} => true"},
    {.kind = BUILTIN_FILTER,
     .name = "string",
     .input = "any",
     .result = "text",
     .flags = BUILTIN_NULL_PASSES | BUILTIN_NO_ARGUMENTS,
     .run = string,
     .text = "The text form; lists and maps as JSON.",
     .examples = "{{ (5 | string) + 1 }} => 51"},
    {.kind = BUILTIN_FILTER,
     .name = "substringAfter",
     .params = {{"separator", "text|null"}},
     .input = "any",
     .result = "text",
     .flags = BUILTIN_NULL_PASSES,
     .run = substring_after,
     .text = "What stands behind the first `separator`; nothing where there is none.",
     .examples = "{{ 'a/b/c' | substringAfter('/') }} => b/c"},
    {.kind = BUILTIN_FILTER,
     .name = "substringAfterLast",
     .params = {{"separator", "text|null"}},
     .input = "any",
     .result = "text",
     .flags = BUILTIN_NULL_PASSES,
     .run = substring_after_last,
     .text = "What stands behind the last `separator`; nothing where there is none.",
     .examples = "{{ 'a/b/c' | substringAfterLast('/') }} => c"},
    {.kind = BUILTIN_FILTER,
     .name = "substringBefore",
     .params = {{"separator", "text|null"}},
     .input = "any",
     .result = "text",
     .flags = BUILTIN_NULL_PASSES,
     .run = substring_before,
     .text = "What stands before the first `separator`; the whole text where there is none.",
     .examples = "{{ 'a/b/c' | substringBefore('/') }} => a"},
    {.kind = BUILTIN_FILTER,
     .name = "substringBeforeLast",
     .params = {{"separator", "text|null"}},
     .input = "any",
     .result = "text",
     .flags = BUILTIN_NULL_PASSES,
     .run = substring_before_last,
     .text = "What stands before the last `separator`; the whole text where there is none.",
     .examples = "{{ 'a/b/c' | substringBeforeLast('/') }} => a/b"},
    {.kind = BUILTIN_FILTER,
     .name = "title",
     .input = "text",
     .result = "text",
     .flags = BUILTIN_NULL_PASSES | BUILTIN_NO_ARGUMENTS,
     .run = title,
     .text = "Makes the first letter of every word a capital.",
     .examples = "{{ 'eu west' | title }} => Eu West"},
    {.kind = BUILTIN_FILTER,
     .name = "trim",
     .input = "text",
     .result = "text",
     .flags = BUILTIN_NULL_PASSES | BUILTIN_NO_ARGUMENTS,
     .run = trim,
     .text = "Without white space at both ends.",
     .examples = "{{ '  x y ' | trim }} => x y"},
    {.kind = BUILTIN_FILTER,
     .name = "upper",
     .input = "any",
     .result = "text",
     .flags = BUILTIN_NULL_PASSES | BUILTIN_NO_ARGUMENTS,
     .run = upper,
     .text = "The text in capitals.",
     .examples = "{{ 'straße' | upper }} => STRASSE"},
    {.name = NULL                                               },
};
