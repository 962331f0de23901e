// list.c - filters on lists and maps.
#include "leaf/machine.h"

#include "base/utf8.h"
#include "leaf/unicode.h"

NO_RETURN static void wants(lua_State *L, const char *what, int index) {
    char quoted[96];
    leaf_raise(L, LEAF_ERROR_TYPE, "'%s' takes %s, not %s", vm_of(L)->builtin, what,
               leaf_quote(L, index, quoted));
}

// --- parts --------------------------------------------------------------------------------------

static int end_of(lua_State *L, bool is_last) {
    if (leaf_kind(L, FIRST_ARG) == KIND_LIST) {
        size_t count = leaf_count(L, FIRST_ARG);
        if (count == 0) {
            leaf_push_null(L);
        } else {
            leaf_push_item(L, FIRST_ARG, is_last ? count - 1 : 0);
        }
        return 1;
    }
    Str text = leaf_str(L, FIRST_ARG);
    if (text.len == 0) {
        leaf_raise(L, LEAF_ERROR_VALUE,
                   "'%s' of an empty text is nothing: guard it with "
                   "'is empty'",
                   vm_of(L)->builtin);
    }
    size_t at = is_last ? text.len - 1 : 0, end = 0;
    while (is_last && at > 0 && ((unsigned char)text.ptr[at] & 0xc0) == 0x80) at--;
    end = at;
    (void)utf8_next(text, &end);
    leaf_push_str(L, str_slice(text, at, end));
    return 1;
}

static int first(lua_State *L) {
    return end_of(L, false);
}

static int last(lua_State *L) {
    return end_of(L, true);
}

static int length(lua_State *L) {
    Kind kind = leaf_kind(L, FIRST_ARG);
    size_t count = 0;
    if (kind == KIND_TEXT) count = utf8_count_utf16(leaf_str(L, FIRST_ARG));
    if (kind == KIND_LIST || kind == KIND_MAP) count = leaf_count(L, FIRST_ARG);
    if (leaf_has_meta(L, FIRST_ARG, META_ENTRY)) count = 0;  // one member of a map is no map
    lua_pushinteger(L, (lua_Integer)count);
    return 1;
}

static int slice(lua_State *L) {
    bool is_text = leaf_kind(L, FIRST_ARG) == KIND_TEXT;
    Str text = leaf_str(L, FIRST_ARG);
    int64_t count = (int64_t)(is_text ? utf8_count_utf16(text) : leaf_count(L, FIRST_ARG));
    int64_t from = lua_isnil(L, FIRST_PARAM) ? 0 : lua_tointeger(L, FIRST_PARAM);
    bool has_end = !lua_isnil(L, FIRST_PARAM + 1);
    int64_t to = has_end ? lua_tointeger(L, FIRST_PARAM + 1) : count;
    if (from < 0 || from > count || to < 0 || to > count || (has_end && from >= to)) {
        leaf_raise(L, LEAF_ERROR_VALUE,
                   "'slice' from %lld to %lld does not fit a %s of length %lld", (long long)from,
                   (long long)to, is_text ? "text" : "list", (long long)count);
    }
    if (is_text) {
        Str cut;
        if (!unicode_slice_utf16(text, (uint64_t)from, (uint64_t)to, &cut)) {
            leaf_raise(L, LEAF_ERROR_VALUE, "'slice' would cut a character in two");
        }
        leaf_push_str(L, cut);
        return 1;
    }
    leaf_new_list(L, (size_t)(to - from));
    leaf_charge(L, (uint64_t)(to - from));
    for (int64_t i = from; i < to; i++) {
        leaf_push_item(L, FIRST_ARG, (size_t)i);
        lua_rawseti(L, -2, i - from + 1);
    }
    return 1;
}

static int chunk(lua_State *L) {
    Kind kind = leaf_kind(L, FIRST_PARAM);
    double size = kind == KIND_BIGNUM ? 0 : lua_tonumber(L, FIRST_PARAM);
    if (size < 1) leaf_raise(L, LEAF_ERROR_VALUE, "'size' of 'chunk' is at least 1");
    size_t count = lua_rawlen(L, FIRST_ARG);
    size_t step = size > 1e9 ? 1000000000 : (size_t)size;
    leaf_charge(L, count);
    leaf_new_list(L, count / step + 1);
    int result = lua_gettop(L);
    for (size_t at = 0; at < count; at += step) {
        leaf_new_list(L, step < count - at ? step : count - at);
        for (size_t i = at; i < count && i < at + step; i++) {
            lua_rawgeti(L, FIRST_ARG, (lua_Integer)i + 1);
            lua_rawseti(L, -2, (lua_Integer)(i - at) + 1);
        }
        leaf_list_add(L, result);
    }
    return 1;
}

static int flatten(lua_State *L) {
    size_t count = lua_rawlen(L, FIRST_ARG);
    leaf_new_list(L, count);
    int result = lua_gettop(L);
    for (size_t i = 1; i <= count; i++) {
        lua_rawgeti(L, FIRST_ARG, (lua_Integer)i);
        if (leaf_kind(L, -1) != KIND_LIST) {
            leaf_list_add(L, result);
            continue;
        }
        leaf_force(L, -1);
        size_t inner = lua_rawlen(L, -1);
        leaf_charge(L, inner);
        for (size_t k = 1; k <= inner; k++) {
            lua_rawgeti(L, -1, (lua_Integer)k);
            leaf_list_add(L, result);
        }
        lua_pop(L, 1);
    }
    return 1;
}

static int reverse(lua_State *L) {
    size_t count = lua_rawlen(L, FIRST_ARG);
    leaf_new_list(L, count);
    leaf_charge(L, count);
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, FIRST_ARG, (lua_Integer)(count - i));
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

// Keeps the first of equal items; 1 and 1.0 are two. Scalars are found by a key in a table, so that
// a long list of them costs no comparison of each with each.
static int distinct(lua_State *L) {
    size_t count = lua_rawlen(L, FIRST_ARG);
    leaf_new_list(L, count);
    int result = lua_gettop(L);
    lua_createtable(L, 0, 0);
    int seen = result + 1;
    for (size_t i = 1; i <= count; i++) {
        leaf_charge(L, 1);
        lua_rawgeti(L, FIRST_ARG, (lua_Integer)i);
        Buffer *key = leaf_scratch(L);
        leaf_print_json(L, -1, key);
        leaf_push_scratch(L);
        lua_pushvalue(L, -1);
        bool is_new = lua_rawget(L, seen) == LUA_TNIL;
        lua_pop(L, 1);
        if (is_new) {
            lua_pushboolean(L, 1);
            lua_rawset(L, seen);
            leaf_list_add(L, result);
        } else {
            lua_pop(L, 2);
        }
    }
    lua_settop(L, result);
    return 1;
}

// --- order --------------------------------------------------------------------------------------

static int compare_items(lua_State *L, int a, int b) {
    Kind kind = leaf_kind(L, a);
    if (kind == KIND_TEXT) {
        // Java orders by UTF-16 units; bytes of UTF-8 agree but above U+FFFF.
        return str_cmp(leaf_str(L, a), leaf_str(L, b));
    }
    if (kind == KIND_BOOL) return lua_toboolean(L, a) - lua_toboolean(L, b);
    int order = leaf_compare_numbers(L, a, b);
    if (order != 2) return order;
    // NaN is greater than all.
    lua_Number x = lua_tonumber(L, a);
    return x != x ? (lua_tonumber(L, b) != lua_tonumber(L, b) ? 0 : 1) : -1;
}

static void check_sortable(lua_State *L, int list, size_t count) {
    Kind kind = KIND_ABSENT;
    if (count < 2) return;  // nothing is compared
    for (size_t i = 1; i <= count; i++) {
        lua_rawgeti(L, list, (lua_Integer)i);
        Kind item = leaf_kind(L, -1);
        lua_pop(L, 1);
        if (item == KIND_FLOAT) item = KIND_INT;
        if ((item & (KIND_INT | KIND_TEXT | KIND_BOOL)) == 0) {
            leaf_raise(L, LEAF_ERROR_TYPE, "'%s' orders numbers, texts or booleans, not %s",
                       vm_of(L)->builtin, leaf_kind_text(item));
        }
        if (kind != KIND_ABSENT && item != kind) {
            leaf_raise(L, LEAF_ERROR_TYPE, "'%s' cannot order %s and %s", vm_of(L)->builtin,
                       leaf_kind_text(kind), leaf_kind_text(item));
        }
        kind = item;
    }
}

// Bottom-up merge sort between two tables: stable, and without recursion or calls back.
static void merge_runs(lua_State *L, int from, int to, size_t count, size_t width) {
    for (size_t start = 0; start < count; start += 2 * width) {
        size_t middle = start + width < count ? start + width : count;
        size_t end = start + 2 * width < count ? start + 2 * width : count;
        size_t a = start, b = middle;
        for (size_t k = start; k < end; k++) {
            bool takes_a = a < middle;
            if (takes_a && b < end) {
                lua_rawgeti(L, from, (lua_Integer)a + 1);
                lua_rawgeti(L, from, (lua_Integer)b + 1);
                takes_a = compare_items(L, lua_gettop(L) - 1, lua_gettop(L)) <= 0;
                lua_pop(L, 2);
            }
            lua_rawgeti(L, from, (lua_Integer)(takes_a ? a++ : b++) + 1);
            lua_rawseti(L, to, (lua_Integer)k + 1);
        }
    }
    leaf_charge(L, count);
}

static int sort(lua_State *L) {
    size_t count = lua_rawlen(L, FIRST_ARG);
    check_sortable(L, FIRST_ARG, count);
    reverse(L);
    int from = lua_gettop(L);
    leaf_new_list(L, count);
    int to = from + 1;
    for (size_t i = 1; i <= count; i++) {
        lua_rawgeti(L, FIRST_ARG, (lua_Integer)i);
        lua_rawseti(L, from, (lua_Integer)i);
    }
    for (size_t width = 1; width < count; width *= 2) {
        merge_runs(L, from, to, count, width);
        int swap = from;
        from = to;
        to = swap;
    }
    lua_pushvalue(L, from);
    return 1;
}

static int rsort(lua_State *L) {
    sort(L);
    lua_replace(L, FIRST_ARG);
    lua_settop(L, FIRST_ARG);
    return reverse(L);
}

// --- joining ------------------------------------------------------------------------------------

static int join(lua_State *L) {
    size_t count = lua_rawlen(L, FIRST_ARG);
    Str separator = leaf_str(L, FIRST_PARAM);
    Buffer *out = leaf_scratch(L);
    leaf_charge(L, count);
    for (size_t i = 1; i <= count; i++) {
        if (i > 1) buffer_add(out, separator);
        lua_rawgeti(L, FIRST_ARG, (lua_Integer)i);
        if (leaf_kind(L, -1) == KIND_NULL) {
            buffer_add(out, STR("null"));
        } else {
            leaf_print(L, -1, out);
        }
        leaf_check_size(L, out);
        lua_pop(L, 1);
    }
    leaf_push_scratch(L);
    return 1;
}

static int merge_lists(lua_State *L) {
    leaf_new_list(L, lua_rawlen(L, FIRST_ARG) + lua_rawlen(L, FIRST_PARAM));
    int result = lua_gettop(L);
    for (int source = FIRST_ARG; source <= FIRST_PARAM; source++) {
        size_t count = lua_rawlen(L, source);
        bool is_map = leaf_kind(L, source) == KIND_MAP;
        leaf_charge(L, count);
        for (size_t i = 0; i < count; i++) {
            if (is_map) {
                // Members of a map are added as such.
                leaf_push_member(L, source, i);
                lua_createtable(L, 2, 2);
                leaf_set_meta(L, META_ENTRY);
                lua_pushliteral(L, "key");
                lua_pushvalue(L, -4);
                leaf_map_put(L, -3);
                lua_pushliteral(L, "value");
                lua_pushvalue(L, -3);
                leaf_map_put(L, -3);
                leaf_list_add(L, result);
                lua_pop(L, 2);
            } else {
                lua_rawgeti(L, source, (lua_Integer)i + 1);
                leaf_list_add(L, result);
            }
        }
    }
    return 1;
}

static int merge_maps(lua_State *L) {
    leaf_new_map(L, lua_rawlen(L, FIRST_ARG) + lua_rawlen(L, FIRST_PARAM));
    int result = lua_gettop(L);
    for (int source = FIRST_ARG; source <= FIRST_PARAM; source++) {
        size_t count = lua_rawlen(L, source);
        leaf_charge(L, count);
        for (size_t i = 0; i < count; i++) {
            if (leaf_kind(L, source) == KIND_MAP) {
                leaf_push_member(L, source, i);
            } else {
                lua_rawgeti(L, source, (lua_Integer)i + 1);
                if (leaf_kind(L, -1) == KIND_NULL) {
                    lua_pushliteral(L, "null");
                    lua_insert(L, -2);
                    leaf_map_put(L, result);
                    continue;
                }
                lua_pushvalue(L, -1);
                leaf_to_str(L, -2);
            }
            leaf_map_put(L, result);
        }
    }
    return 1;
}

static int merge(lua_State *L) {
    Kind a = leaf_kind(L, FIRST_ARG), b = leaf_kind(L, FIRST_PARAM);
    if (a == KIND_NULL && b == KIND_NULL) wants(L, "lists or maps", FIRST_ARG);
    if (a == KIND_NULL || b == KIND_NULL) {
        lua_pushvalue(L, a == KIND_NULL ? FIRST_PARAM : FIRST_ARG);
        return 1;
    }
    return a == KIND_MAP ? merge_maps(L) : merge_lists(L);
}

static int keys(lua_State *L) {
    size_t count = leaf_count(L, FIRST_ARG);
    bool is_map = leaf_kind(L, FIRST_ARG) == KIND_MAP;
    if (is_map) leaf_force(L, FIRST_ARG);
    leaf_charge(L, count);
    leaf_new_list(L, count);
    for (size_t i = 0; i < count; i++) {
        if (is_map) {
            lua_rawgeti(L, FIRST_ARG, (lua_Integer)i + 1);
        } else {
            lua_pushinteger(L, (lua_Integer)i);
        }
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static int values(lua_State *L) {
    size_t count = lua_rawlen(L, FIRST_ARG);
    leaf_charge(L, count);
    leaf_new_list(L, count);
    for (size_t i = 0; i < count; i++) {
        leaf_push_member(L, FIRST_ARG, i);
        lua_rawseti(L, -3, (lua_Integer)i + 1);
        lua_pop(L, 1);
    }
    return 1;
}

// --- default ------------------------------------------------------------------------------------

static bool is_blank(Str text) {
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] > ' ') return false;
    }
    return true;
}

static int default_filter(lua_State *L) {
    Kind kind = leaf_kind(L, FIRST_ARG);
    bool is_empty = kind == KIND_UNDEFINED || kind == KIND_NULL ||
                    (kind == KIND_TEXT && is_blank(leaf_str(L, FIRST_ARG))) ||
                    ((kind & (KIND_LIST | KIND_MAP)) != 0 && leaf_count(L, FIRST_ARG) == 0);
    if (!is_empty) {
        lua_pushvalue(L, FIRST_ARG);
    } else if (lua_isnil(L, FIRST_PARAM)) {
        leaf_push_null(L);
    } else {
        lua_pushvalue(L, FIRST_PARAM);
    }
    return 1;
}

const Builtin leaf_builtins_list[] = {
    {.kind = BUILTIN_FILTER,
     .name = "chunk",
     .params = {{"size", "number"}},
     .input = "list",
     .result = "list",
     .flags = BUILTIN_NULL_PASSES,
     .run = chunk,
     .text = "Cuts a list into lists of `size` items; the last may be shorter.",
     .examples = "{{ [1,2,3] | chunk(2) }} => [[1,2],[3]]"},
    {.kind = BUILTIN_FILTER,
     .name = "default",
     .params = {{"default", "any?"}},
     .input = "any",
     .result = "any",
     .flags = BUILTIN_NULL_TAKEN | BUILTIN_UNDEFINED | BUILTIN_LAZY,
     .run = default_filter,
     .text = "The input, or `default` where it is undefined, null, a blank text or an empty list "
             "or map.", .examples = "{{ nope | default('d') }} => d\n{{ '' | default('d') }} => d\n"
                 "{{ 0 | default('d') }} => 0"},
    {.kind = BUILTIN_FILTER,
     .name = "distinct",
     .input = "list",
     .result = "list",
     .flags = BUILTIN_NULL_PASSES | BUILTIN_NO_ARGUMENTS,
     .run = distinct,
     .text = "The list without repeated items; the first of equal ones stays.",
     .examples = "{{ ['b','a','b'] | distinct }} => [\"b\",\"a\"]"},
    {.kind = BUILTIN_FILTER,
     .name = "first",
     .input = "list|text",
     .result = "any",
     .flags = BUILTIN_NULL_PASSES | BUILTIN_NO_ARGUMENTS | BUILTIN_LAZY,
     .run = first,
     .text = "The first item of a list (null where it is empty) or character of a text.",
     .examples = "{{ [30,4] | first }} => 30"},
    {.kind = BUILTIN_FILTER,
     .name = "flatten",
     .input = "list",
     .result = "list",
     .flags = BUILTIN_NULL_PASSES | BUILTIN_NO_ARGUMENTS,
     .run = flatten,
     .text = "The items of lists in a list, one level deep.",
     .examples = "{{ [[1],[2,[3]],4] | flatten }} => [1,2,[3],4]"},
    {.kind = BUILTIN_FILTER,
     .name = "join",
     .params = {{"separator", "text?"}},
     .input = "list",
     .result = "text",
     .flags = BUILTIN_NULL_PASSES,
     .run = join,
     .text = "The text forms of the items with `separator` between them; null prints `null`.",
     .examples = "{{ ['a','b'] | join(', ') }} => a, b"},
    {.kind = BUILTIN_FILTER,
     .name = "keys",
     .input = "map|list",
     .result = "list",
     .flags = BUILTIN_NULL_PASSES | BUILTIN_NO_ARGUMENTS | BUILTIN_LAZY,
     .run = keys,
     .text = "The keys of a map in its order, or the indexes of a list.",
     .examples = "{{ {'zone': 1, 'a': 2} | keys }} => [\"zone\",\"a\"]"},
    {.kind = BUILTIN_FILTER,
     .name = "last",
     .input = "list|text",
     .result = "any",
     .flags = BUILTIN_NULL_PASSES | BUILTIN_NO_ARGUMENTS | BUILTIN_LAZY,
     .run = last,
     .text = "The last item of a list (null where it is empty) or character of a text.",
     .examples = "{{ 'abc' | last }} => c"},
    {.kind = BUILTIN_FILTER,
     .name = "length",
     .input = "any",
     .result = "int",
     .flags = BUILTIN_NULL_TAKEN | BUILTIN_NO_ARGUMENTS | BUILTIN_LAZY | BUILTIN_PLAIN,
     .run = length,
     .text = "Characters of a text (UTF-16 units), items of a list, members of a map; else 0.",
     .examples = "{{ [1,2] | length }} => 2\n{{ 'hello' | length }} => 5"},
    {.kind = BUILTIN_FILTER,
     .name = "merge",
     .params = {{"items", "list|map|null"}},
     .input = "list|map",
     .result = "any",
     .flags = BUILTIN_NULL_TAKEN,
     .run = merge,
     .text = "Two lists one after the other, or two maps in one; on equal keys the argument wins.",
     .examples = "{{ {'a': 1, 'b': 2} | merge({'b': 3}) }} => {\"a\":1,\"b\":3}"},
    {.kind = BUILTIN_FILTER,
     .name = "reverse",
     .input = "list",
     .result = "list",
     .flags = BUILTIN_NULL_PASSES | BUILTIN_NO_ARGUMENTS,
     .run = reverse,
     .text = "The list from back to front.",
     .examples = "{{ [1,2,3] | reverse }} => [3,2,1]"},
    {.kind = BUILTIN_FILTER,
     .name = "rsort",
     .input = "list",
     .result = "list",
     .flags = BUILTIN_NULL_PASSES | BUILTIN_NO_ARGUMENTS,
     .run = rsort,
     .text = "The list in descending order; its items are of one kind.",
     .examples = "{{ [30,4,100] | rsort }} => [100,30,4]"},
    {.kind = BUILTIN_FILTER,
     .name = "slice",
     .params = {{"fromIndex", "int?"}, {"toIndex", "int?"}},
     .input = "list|text",
     .result = "any",
     .flags = BUILTIN_NULL_PASSES | BUILTIN_LAZY,
     .run = slice,
     .text = "The part from `fromIndex` (0) to before `toIndex` (the end) of a list or text.",
     .examples = "{{ 'hello world' | slice(0, 5) }} => hello\n{{ [1,2,3] | slice(1) }} => [2,3]"},
    {.kind = BUILTIN_FILTER,
     .name = "sort",
     .input = "list",
     .result = "list",
     .flags = BUILTIN_NULL_PASSES | BUILTIN_NO_ARGUMENTS,
     .run = sort,
     .text = "The list in ascending order; its items are of one kind.",
     .examples = "{{ ['pear','fig'] | sort }} => [\"fig\",\"pear\"]"},
    {.kind = BUILTIN_FILTER,
     .name = "values",
     .input = "map",
     .result = "list",
     .flags = BUILTIN_NULL_PASSES | BUILTIN_NO_ARGUMENTS,
     .run = values,
     .text = "The values of a map in its order.",
     .examples = "{{ {'zone': 'eu', 'size': 2} | values }} => [\"eu\",2]"},
    {.name = NULL                                                          },
};
