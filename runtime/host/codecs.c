// codecs.c - texts to values and back: JSON, YAML, CSV, regular expressions, hashes, Base64, URLs.
#include "host/internal.h"

#include <string.h>

#include "base/codec.h"
#include "base/crypto.h"
#include "value/regex.h"

static int push_buffer(lua_State *L, HostTask *task, Buffer *buffer) {
    Str text = buffer_to_str(buffer, &task->call);  // pushing may raise, and would lose the buffer
    buffer_release(buffer);
    push_str(L, text);
    return 1;
}

static Value options_at(lua_State *L, int index, HostTask *task, const char *call,
                        const char *const *known) {
    if (lua_isnoneornil(L, index)) return value_map(&task->call);
    return check_fields(L, index, &task->call, call, known);
}

// --- JSON and YAML ------------------------------------------------------------------------------

static int decode_json(lua_State *L) {
    HostTask *task = call_begin(L);
    Value value = {0};
    Err err = json_parse(check_text(L, 1, "JSON"), (JsonLimits){0}, &task->call, &value);
    if (err.code != ERR_NONE) return push_failure(L, &err, "permanent");
    leaf_push_value(L, value);
    return 1;
}

static int encode_json(lua_State *L) {
    static const char *const known[] = {"pretty", "canonical", "drop_nulls", NULL};
    HostTask *task = call_begin(L);
    Value value = check_value(L, 1, &task->call, "json.encode");
    Value options = options_at(L, 2, task, "json.encode", known);
    JsonStyle style = JSON_COMPACT;
    if (value_map_get_bool(options, STR("pretty"), false)) style = JSON_PRETTY;
    if (value_map_get_bool(options, STR("canonical"), false)) style = JSON_CANONICAL;
    bool drops = value_map_get_bool(options, STR("drop_nulls"), false);
    if (value_has_secret(value)) {  // in clear only where the handle goes
        Value args = value_list(&task->call);
        value_list_add(&task->call, args, value);
        leaf_push_value(L, make_call(&task->call, STR("toJson"), args));
        return 1;
    }
    Buffer text = {0};
    json_write(&text, value, style, drops ? JSON_DROP_NULLS : 0);
    return push_buffer(L, task, &text);
}

static int decode_yaml(lua_State *L) {
    HostTask *task = call_begin(L);
    Value value = {0};
    Err err = yaml_parse(check_text(L, 1, "YAML"), &task->call, &value);
    if (err.code != ERR_NONE) return push_failure(L, &err, "permanent");
    leaf_push_value(L, value);
    return 1;
}

// `---` and `...` at the beginning of a line end a document wherever they stand: YAML forbids them
// inside of scalars.
static bool is_marker(Str line, const char *marker) {
    return line.len >= 3 && memcmp(line.ptr, marker, 3) == 0 &&
           (line.len == 3 || strchr(" \t\r", line.ptr[3]) != NULL);
}

static bool is_blank(Str text) {
    Str rest = text, line = {0};
    while (str_split(&rest, '\n', &line)) {
        line = str_trim(line);
        if (line.len > 0 && line.ptr[0] != '#' && line.ptr[0] != '%') return false;
    }
    return true;
}

static Err add_document(Arena *arena, Value out, Str text, uint32_t first_line) {
    Value value = {0};
    if (is_blank(text)) return err_none();
    // Lines of messages count from the beginning of the whole text.
    Buffer padded = {0};
    buffer_add_repeat(&padded, '\n', first_line);
    buffer_add(&padded, text);
    Str whole = buffer_to_str(&padded, arena);
    buffer_release(&padded);
    TRY(yaml_parse(whole, arena, &value));
    if (value.kind != VALUE_NULL) value_list_add(arena, out, value);
    return err_none();
}

static Err split_documents(Arena *arena, Str text, Value out) {
    size_t from = 0;
    uint32_t line_number = 0, first_line = 0;
    for (size_t at = 0; at <= text.len; line_number++) {
        size_t end = str_find_char(text, '\n', at);
        if (end == STR_NOT_FOUND) end = text.len;
        Str line = str_slice(text, at, end);
        if (is_marker(line, "---") || is_marker(line, "...")) {
            TRY(add_document(arena, out, str_slice(text, from, at), first_line));
            // What stands behind `---` on its line belongs to the next document.
            from = line.ptr[0] == '-' ? at : end;
            first_line = line_number;
        }
        at = end + 1;
    }
    return add_document(arena, out, str_slice(text, from, text.len), first_line);
}

static int decode_all_yaml(lua_State *L) {
    HostTask *task = call_begin(L);
    Value documents = value_list(&task->call);
    Err err = split_documents(&task->call, check_text(L, 1, "YAML"), documents);
    if (err.code != ERR_NONE) return push_failure(L, &err, "permanent");
    leaf_push_value(L, documents);
    return 1;
}

static int encode_yaml(lua_State *L) {
    HostTask *task = call_begin(L);
    Value value = check_value(L, 1, &task->call, "yaml.encode");
    Buffer text = {0};
    yaml_write(&text, value);
    return push_buffer(L, task, &text);
}

// --- CSV (RFC 4180) -----------------------------------------------------------------------------

typedef struct Csv {
    Str text;
    size_t at;
    char separator, quote;
} Csv;

static Err csv_field(Csv *csv, Arena *arena, Str *out, bool *ends_row) {
    Buffer field = {0};
    bool is_quoted = csv->at < csv->text.len && csv->text.ptr[csv->at] == csv->quote;
    if (is_quoted) csv->at++;
    while (csv->at < csv->text.len) {
        char c = csv->text.ptr[csv->at];
        if (is_quoted && c == csv->quote) {
            csv->at++;
            if (csv->at >= csv->text.len || csv->text.ptr[csv->at] != csv->quote) {
                is_quoted = false;
                continue;
            }
        } else if (!is_quoted && (c == csv->separator || c == '\n' || c == '\r')) {
            break;
        }
        buffer_add_char(&field, c);
        csv->at++;
    }
    *out = buffer_to_str(&field, arena);
    buffer_release(&field);
    if (is_quoted) return err_make(ERR_INPUT, "a quoted field of the CSV is not closed");
    *ends_row = csv->at >= csv->text.len || csv->text.ptr[csv->at] != csv->separator;
    if (csv->at < csv->text.len && csv->text.ptr[csv->at] == '\r') csv->at++;
    if (csv->at < csv->text.len &&
        (csv->text.ptr[csv->at] == '\n' || csv->text.ptr[csv->at] == csv->separator)) {
        csv->at++;
    }
    return err_none();
}

static Err csv_row(Csv *csv, Arena *arena, Value *out) {
    *out = value_list(arena);
    for (bool ends_row = false; !ends_row;) {
        Str field = {0};
        TRY(csv_field(csv, arena, &field, &ends_row));
        value_list_add(arena, *out, value_text(field));
    }
    return err_none();
}

static int decode_csv(lua_State *L) {
    static const char *const known[] = {"separator", "header", "quote", NULL};
    HostTask *task = call_begin(L);
    Arena *arena = &task->call;
    Value options = options_at(L, 2, task, "csv.decode", known);
    Str quote = value_map_get_text(options, STR("quote"), STR("\""));
    if (quote.len != 1) return luaL_error(L, "csv: the quote must be one character");
    Str separator = value_map_get_text(options, STR("separator"), STR(","));
    if (separator.len != 1) return luaL_error(L, "csv: the separator must be one character");
    Csv csv = {
        .text = check_text(L, 1, "CSV"), .separator = separator.ptr[0], .quote = quote.ptr[0]};
    Value rows = value_list(arena), header = {0};
    bool has_header = value_map_get_bool(options, STR("header"), false);
    while (csv.at < csv.text.len) {
        Value row = {0};
        Err err = csv_row(&csv, arena, &row);
        if (err.code != ERR_NONE) return push_failure(L, &err, "permanent");
        if (has_header && header.kind == VALUE_NULL) {
            header = row;
            continue;
        }
        if (has_header) {
            Value map = value_map(arena);
            for (uint32_t i = 0; i < header.as.list->count; i++) {
                value_map_set(arena, map, header.as.list->items[i].as.text,
                              i < row.as.list->count ? row.as.list->items[i] : value_null());
            }
            row = map;
        }
        value_list_add(arena, rows, row);
    }
    leaf_push_value(L, rows);
    return 1;
}

static void csv_write(Buffer *out, Str field, char separator) {
    bool needs_quotes = str_find_char(field, separator, 0) != STR_NOT_FOUND ||
                        str_find_char(field, '"', 0) != STR_NOT_FOUND ||
                        str_find_char(field, '\n', 0) != STR_NOT_FOUND ||
                        str_find_char(field, '\r', 0) != STR_NOT_FOUND;
    if (!needs_quotes) {
        buffer_add(out, field);
        return;
    }
    buffer_add_char(out, '"');
    for (size_t i = 0; i < field.len; i++) {
        if (field.ptr[i] == '"') buffer_add_char(out, '"');
        buffer_add_char(out, field.ptr[i]);
    }
    buffer_add_char(out, '"');
}

// One row: a list, or a map in the order of the header's names.
static void csv_write_row(Buffer *out, Value row, Value header, char separator, Arena *arena) {
    uint32_t count = row.kind == VALUE_LIST ? row.as.list->count : header.as.list->count;
    for (uint32_t i = 0; i < count; i++) {
        const Value *value = row.kind == VALUE_LIST
                                 ? &row.as.list->items[i]
                                 : value_map_get(row, header.as.list->items[i].as.text);
        if (i > 0) buffer_add_char(out, separator);
        if (value != NULL) csv_write(out, value_to_text(arena, *value), separator);
    }
    buffer_add(out, STR("\n"));
}

static int encode_csv(lua_State *L) {
    static const char *const known[] = {"separator", "header", NULL};
    HostTask *task = call_begin(L);
    Arena *arena = &task->call;
    Value rows = check_value(L, 1, arena, "csv.encode");
    Value options = options_at(L, 2, task, "csv.encode", known);
    Str separator = value_map_get_text(options, STR("separator"), STR(","));
    if (separator.len != 1) return luaL_error(L, "csv: the separator must be one character");
    if (rows.kind != VALUE_LIST) return luaL_error(L, "csv.encode: a list of rows is needed");
    Value header = value_list(arena);
    Buffer text = {0};
    for (uint32_t i = 0; i < rows.as.list->count; i++) {
        Value row = rows.as.list->items[i];
        if (row.kind != VALUE_LIST && row.kind != VALUE_MAP) {
            buffer_release(&text);
            return luaL_error(L, "csv.encode: a row must be a list or a map");
        }
        if (row.kind == VALUE_MAP && header.as.list->count == 0) {
            for (uint32_t at = 0; at < row.as.map->count; at++) {
                value_list_add(arena, header, value_text(row.as.map->members[at].key));
            }
            if (value_map_get_bool(options, STR("header"), true)) {
                csv_write_row(&text, header, header, separator.ptr[0], arena);
            }
        }
        csv_write_row(&text, row, header, separator.ptr[0], arena);
    }
    return push_buffer(L, task, &text);
}

// --- regular expressions ------------------------------------------------------------------------

enum { GROUPS_MAX = 20 };

static int re_matches(lua_State *L) {
    call_begin(L);
    Str pattern = check_text(L, 1, "pattern"), text = check_text(L, 2, "text");
    Regex *regex = NULL;
    bool found = false;
    Err err = regex_compile(pattern, &regex);
    if (err.code == ERR_NONE) err = regex_matches(regex, text, &found);
    regex_free(regex);
    if (err.code != ERR_NONE) return push_failure(L, &err, "permanent");
    lua_pushboolean(L, found);
    return 1;
}

static int re_find(lua_State *L) {
    call_begin(L);
    Str pattern = check_text(L, 1, "pattern"), text = check_text(L, 2, "text");
    lua_Integer from = luaL_optinteger(L, 3, 1);
    Str groups[GROUPS_MAX] = {{0}};
    Regex *regex = NULL;
    bool found = false;
    Err err = regex_compile(pattern, &regex);
    if (err.code == ERR_NONE && from >= 1 && (size_t)from <= text.len + 1) {
        err = regex_find(regex, text, (size_t)from - 1, groups, GROUPS_MAX, &found);
    }
    regex_free(regex);
    if (err.code != ERR_NONE) return push_failure(L, &err, "permanent");
    if (!found) {
        lua_pushnil(L);
        return 1;
    }
    lua_newtable(L);
    for (lua_Integer i = 0; i < GROUPS_MAX && groups[i].ptr != NULL; i++) {
        push_str(L, groups[i]);
        lua_rawseti(L, -2, i + 1);
    }
    lua_pushinteger(L, (lua_Integer)(groups[0].ptr - text.ptr) + 1);
    lua_setfield(L, -2, "start");
    lua_pushinteger(L, (lua_Integer)(groups[0].ptr - text.ptr) + (lua_Integer)groups[0].len);
    lua_setfield(L, -2, "finish");
    return 1;
}

static int re_replace(lua_State *L) {
    HostTask *task = call_begin(L);
    Str pattern = check_text(L, 1, "pattern"), text = check_text(L, 2, "text");
    Str replacement = check_text(L, 3, "replacement");
    Regex *regex = NULL;
    Buffer out = {0};
    Err err = regex_compile(pattern, &regex);
    if (err.code == ERR_NONE) err = regex_replace(regex, text, replacement, &out);
    regex_free(regex);
    if (err.code == ERR_NONE) return push_buffer(L, task, &out);
    buffer_release(&out);
    return push_failure(L, &err, "permanent");
}

// --- hashes, Base64, URLs -----------------------------------------------------------------------

static int push_hex(lua_State *L, HostTask *task, const uint8_t *bytes, size_t len) {
    Buffer text = {0};
    hex_encode(&text, bytes, len);
    return push_buffer(L, task, &text);
}

static int hash(lua_State *L) {
    HostTask *task = call_begin(L);
    Str name = check_text(L, 1, "name of a hash"), text = {0};
    uint8_t bytes[64];
    Err err = reveal(task, check_value(L, 2, &task->call, "text"), &task->call, &text);
    if (err.code != ERR_NONE) return push_failure(L, &err, "permanent");
    if (str_eq(name, STR("sha256"))) {
        sha256(text, bytes);
        return push_hex(L, task, bytes, 32);
    }
    if (str_eq(name, STR("sha512"))) {
        sha512(text, bytes);
        return push_hex(L, task, bytes, 64);
    }
    if (str_eq(name, STR("blake2b"))) {
        Hash whole = hash_bytes(text);
        return push_hex(L, task, whole.bytes, sizeof whole.bytes);
    }
    return luaL_error(L, "hash: unknown hash '%s' (sha256, sha512, blake2b)", lua_tostring(L, 1));
}

// hmac(name, key, text, …): with several texts each is hashed with what came before as the key.
static int hmac(lua_State *L) {
    HostTask *task = call_begin(L);
    if (!str_eq(check_text(L, 1, "name of a hash"), STR("sha256"))) {
        return luaL_error(L, "hmac: unknown hash '%s' (sha256)", lua_tostring(L, 1));
    }
    Str key = {0}, text = {0};
    uint8_t bytes[32] = {0};
    Err err = reveal(task, check_value(L, 2, &task->call, "key"), &task->call, &key);
    for (int i = 3; err.code == ERR_NONE && (i == 3 || !lua_isnoneornil(L, i)); i++) {
        err = reveal(task, check_value(L, i, &task->call, "text"), &task->call, &text);
        if (err.code != ERR_NONE) break;
        uint8_t last[32];
        memcpy(last, bytes, sizeof last);
        hmac_sha256(i == 3 ? key : (Str){(const char *)last, sizeof last}, text, bytes);
        wipe(last, sizeof last);
    }
    if (key.len > 0) wipe((char *)(uintptr_t)key.ptr, key.len);
    if (err.code != ERR_NONE) return push_failure(L, &err, "permanent");
    return push_hex(L, task, bytes, sizeof bytes);
}

static int encode_base64(lua_State *L) {
    HostTask *task = call_begin(L);
    bool is_text = lua_type(L, 1) == LUA_TSTRING;  // bytes of a file need be no text
    Value value = is_text ? value_null() : check_value(L, 1, &task->call, "base64.encode");
    bool is_url = lua_toboolean(L, 2) != 0;
    if (value.kind == VALUE_SECRET) {
        if (is_url)
            return luaL_error(L, "base64.encode: a secret goes in the standard alphabet only");
        Value args = value_list(&task->call);
        value_list_add(&task->call, args, value);
        leaf_push_value(L, make_call(&task->call, STR("base64encode"), args));
        return 1;
    }
    Buffer text = {0};
    Str plain = check_text(L, 1, "base64.encode");
    if (is_url) {
        base64url_encode(&text, plain);
    } else {
        base64_encode(&text, plain);
    }
    return push_buffer(L, task, &text);
}

static int decode_base64(lua_State *L) {
    HostTask *task = call_begin(L);
    Buffer text = {0};
    if (base64_decode(&text, check_text(L, 1, "base64.decode"))) {
        return push_buffer(L, task, &text);
    }
    buffer_release(&text);
    return push_failure_text(L, STR("this is not Base64"), STR("permanent"));
}

static int encode_url(lua_State *L) {
    HostTask *task = call_begin(L);
    Buffer text = {0};
    percent_encode(&text, check_text(L, 1, "url.encode"));
    return push_buffer(L, task, &text);
}

static int decode_url(lua_State *L) {
    HostTask *task = call_begin(L);
    Buffer text = {0};
    if (percent_decode(&text, check_text(L, 1, "url.decode"))) return push_buffer(L, task, &text);
    buffer_release(&text);
    return push_failure_text(L, STR("this is not percent-encoded"), STR("permanent"));
}

static int make_query(lua_State *L) {
    HostTask *task = call_begin(L);
    Value map = check_value(L, 1, &task->call, "url.query");
    if (map.kind != VALUE_MAP || value_has_secret(map)) {
        return luaL_error(L, "url.query: a map of plain values is needed");
    }
    Buffer text = {0};
    for (uint32_t i = 0; i < map.as.map->count; i++) {
        const ValueMember *member = &map.as.map->members[i];
        bool is_list = member->value.kind == VALUE_LIST;
        uint32_t count = is_list ? member->value.as.list->count : 1;
        for (uint32_t at = 0; at < count; at++) {
            Value item = is_list ? member->value.as.list->items[at] : member->value;
            if (text.len > 0) buffer_add_char(&text, '&');
            percent_encode(&text, member->key);
            buffer_add_char(&text, '=');
            percent_encode(&text, value_to_text(&task->call, item));
        }
    }
    return push_buffer(L, task, &text);
}

static int split_lines(lua_State *L) {
    call_begin(L);
    Str rest = check_text(L, 1, "lines"), line = {0};
    if (str_ends_with(rest, STR("\n"))) rest.len--;
    lua_newtable(L);
    for (lua_Integer i = 1; str_split(&rest, '\n', &line); i++) {
        if (str_ends_with(line, STR("\r"))) line.len--;
        push_str(L, line);
        lua_rawseti(L, -2, i);
    }
    return 1;
}

void add_codec_functions(lua_State *L) {
    static const luaL_Reg json[] = {
        {"decode", decode_json},
        {"encode", encode_json},
        {NULL,     NULL       }
    };
    static const luaL_Reg yaml[] = {
        {"decode",     decode_yaml    },
        {"decode_all", decode_all_yaml},
        {"encode",     encode_yaml    },
        {NULL,         NULL           }
    };
    static const luaL_Reg csv[] = {
        {"decode", decode_csv},
        {"encode", encode_csv},
        {NULL,     NULL      }
    };
    static const luaL_Reg re[] = {
        {"matches", re_matches},
        {"find",    re_find   },
        {"replace", re_replace},
        {NULL,      NULL      }
    };
    static const luaL_Reg base64[] = {
        {"encode", encode_base64},
        {"decode", decode_base64},
        {NULL,     NULL         }
    };
    static const luaL_Reg url[] = {
        {"encode", encode_url},
        {"decode", decode_url},
        {"query",  make_query},
        {NULL,     NULL      }
    };
    static const luaL_Reg single[] = {
        {"hash",  hash       },
        {"hmac",  hmac       },
        {"lines", split_lines},
        {NULL,    NULL       }
    };
    add_table(L, "json", json);
    add_table(L, "yaml", yaml);
    add_table(L, "csv", csv);
    add_table(L, "re", re);
    add_table(L, "base64", base64);
    add_table(L, "url", url);
    luaL_setfuncs(L, single, 0);
}
