// embed.c - the build tool: catalog files and task modules -> C tables.
//
//   flow_embed STDLIB OUT_TABLES OUT_MODULES
//
// Reads STDLIB/catalog/*.yaml and STDLIB/**/*.lua and writes two C files. The same input gives the
// same bytes. A mistake in a catalog file or module is told with file and line, and the build ends.
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/codec.h"
#include "base/crypto.h"
#include "base/file.h"
#include "embed.h"

enum { FILE_SIZE_MAX = 4 << 20 };

typedef struct CatalogFile {
    Str path, bytes;
} CatalogFile;

typedef struct Input {
    LIST_OF(CatalogFile) files;
    uint32_t mistakes;
} Input;

// --- files --------------------------------------------------------------------------------------

static int compare_texts(const void *a, const void *b) {
    return str_cmp(*(const Str *)a, *(const Str *)b);
}

Str *embed_list(Arena *arena, const char *folder, Str suffix, uint32_t *count) {
    LIST_OF(Str) names = {0};
    DIR *dir = opendir(folder);
    if (dir == NULL) {
        fprintf(stderr, "%s: cannot be read\n", folder);
        exit(1);
    }
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        Str name = str_from(entry->d_name);
        if (name.ptr[0] == '.') continue;
        Str path = path_join(arena, str_from(folder), name);
        bool is_dir = path_is_dir(str_to_c(arena, path));
        if (suffix.len == 0 ? !is_dir : is_dir || !str_ends_with(name, suffix)) continue;
        *LIST_ADD(arena, &names, Str) = str_dup(arena, name);
    }
    closedir(dir);
    if (names.count > 0) qsort(names.items, names.count, sizeof(Str), compare_texts);
    *count = names.count;
    return names.items;
}

// --- where a mistake is -------------------------------------------------------------------------

typedef struct Line {
    Str text;       // without indentation
    size_t indent;  // columns
    size_t next;    // offset of the next line
} Line;

static Line line_at(Str bytes, size_t at) {
    size_t end = str_find_char(bytes, '\n', at);
    if (end == STR_NOT_FOUND) end = bytes.len;
    Str line = str_slice(bytes, at, end);
    Str text = str_trim(line);
    return (Line){text, text.len == 0 ? 0 : (size_t)(text.ptr - line.ptr), end + 1};
}

static Str strip_dash(Str text) {
    return str_starts_with(text, STR("- ")) ? str_trim(str_slice(text, 2, text.len)) : text;
}

static bool line_has_key(Str line, Str key) {
    line = strip_dash(line);
    if (!str_starts_with(line, key)) return false;
    return str_starts_with(str_slice(line, key.len, line.len), STR(":"));
}

// Where the search stands: the offset of a line, and how far in its children are.
typedef struct Place {
    size_t at, indent;
    bool is_found;
} Place;

// The line of a key among the children, or of an item by number; a line further out ends the
// search.
static Place find_child(Str bytes, Place from, Str key, uint32_t number) {
    uint32_t item = 0;
    for (size_t at = from.at; at < bytes.len;) {
        Line line = line_at(bytes, at);
        bool is_item = str_starts_with(line.text, STR("- "));
        size_t indent = line.indent + (is_item && key.len > 0 ? 2 : 0);
        bool is_quiet = line.text.len == 0 || line.text.ptr[0] == '#';
        if (!is_quiet && indent < from.indent) break;
        if (key.len > 0 && indent == from.indent && line_has_key(line.text, key)) {
            Line next = line_at(bytes, line.next);
            bool is_list = str_starts_with(next.text, STR("- "));
            return (Place){line.next, is_list ? next.indent : indent + 2, true};
        }
        if (key.len == 0 && is_item && line.indent == from.indent && item++ == number) {
            return (Place){at, line.indent + 2, true};
        }
        at = line.next;
    }
    return (Place){0};
}

// The line of a path: goes down key by key as far as the keys begin lines; what stands inside a
// flow map is on the line of the last one that did.
static uint32_t line_of(Str bytes, const RowPath *path) {
    Place place = {0};
    size_t end = 0;  // of the line found last
    for (uint32_t i = 0; i < path->depth && i < ROW_PATH_MAX; i++) {
        Place next = find_child(bytes, place, path->keys[i], path->index[i]);
        if (!next.is_found) break;
        place = next;
        end = path->keys[i].len > 0 ? place.at - 1 : place.at;
    }
    uint32_t number = 1;
    for (size_t i = 0; i < end && i < bytes.len; i++) number += bytes.ptr[i] == '\n';
    return number;
}

static void on_mistake(void *self, const RowPath *path, Str message) {
    Input *input = self;
    const CatalogFile *file = &input->files.items[path->file];
    fprintf(stderr, STR_FMT ":%u: " STR_FMT "\n", STR_ARG(file->path), line_of(file->bytes, path),
            STR_ARG(message));
    input->mistakes++;
}

// --- the catalog --------------------------------------------------------------------------------

static const Tables *read_catalog(Arena *arena, Input *input, const char *folder) {
    uint32_t count = 0;
    Str *names = embed_list(arena, folder, STR(".yaml"), &count);
    Hasher hasher;
    hasher_init(&hasher, HASH_SIZE);
    RowBuilder *builder = rows_new(arena, NULL, (RowReport){on_mistake, input});
    for (uint32_t i = 0; i < count; i++) {
        CatalogFile *file = LIST_ADD(arena, &input->files, CatalogFile);
        file->path = path_join(arena, str_from(folder), names[i]);
        Value content = value_null();
        Err err = file_read(str_to_c(arena, file->path), FILE_SIZE_MAX, arena, &file->bytes);
        if (err.code == ERR_NONE) err = yaml_parse(file->bytes, arena, &content);
        if (err.code != ERR_NONE) {
            fprintf(stderr, STR_FMT ": %s\n", STR_ARG(file->path), err.text);
            input->mistakes++;
            continue;
        }
        hasher_add(&hasher, names[i]);
        hasher_add(&hasher, file->bytes);
        if (str_eq(names[i], STR("_versions.yaml"))) {
            rows_add_versions(builder, i, content);
        } else {
            rows_add_file(builder, i, content);
        }
    }
    uint8_t digest[HASH_SIZE];
    hasher_end(&hasher, digest, sizeof digest);
    Buffer hex = {0};
    hex_encode(&hex, digest, sizeof digest);
    const Tables *tables = rows_finish(builder, str_to_c(arena, buffer_str(&hex)));
    buffer_release(&hex);
    return tables;
}

// --- writing ------------------------------------------------------------------------------------

void embed_string(Buffer *out, Str bytes) {
    buffer_add(out, STR("\""));
    size_t column = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t c = (uint8_t)bytes.ptr[i];
        if (column > 110) {
            buffer_add(out, STR("\"\n    \""));
            column = 0;
        }
        size_t before = out->len;
        if (c == '"' || c == '\\') {
            buffer_add_char(out, '\\');
            buffer_add_char(out, (char)c);
        } else if (c < 32 || c > 126 || c == '?') {
            buffer_printf(out, "\\%03o", c);
        } else {
            buffer_add_char(out, (char)c);
        }
        column += out->len - before;
    }
    buffer_add(out, STR("\""));
}

void embed_bytes(Buffer *out, const char *name, Str bytes) {
    buffer_printf(out, "static const char %s[] =\n    ", name);
    embed_string(out, bytes);
    buffer_add(out, STR(";\n\n"));
}

static void write_words(Buffer *out, const char *name, const void *rows, size_t count,
                        size_t row_size) {
    const uint32_t *words = rows;
    size_t total = count * row_size / sizeof *words;
    buffer_printf(out, "static const uint32_t %s[] = {", name);
    for (size_t i = 0; i < total; i++) {
        buffer_printf(out, i % 16 == 0 ? "\n%u," : "%u,", words[i]);
    }
    buffer_add(out, total == 0 ? STR("0};\n\n") : STR("\n};\n\n"));
}

static void write_tables(Buffer *out, const Tables *tables) {
    buffer_add(out, STR("// Generated from stdlib/catalog by stdlib/embed.c.\n"
                        "#include \"catalog/rows.h\"\n\n"
                        "#pragma GCC diagnostic ignored \"-Woverlength-strings\"\n\n"));
    embed_bytes(out, "pool", (Str){tables->pool, tables->pool_size});
#define TABLE(field, count) write_words(out, #field, tables->field, count, sizeof *tables->field)
    TABLE(words, tables->word_count);
    TABLE(names, tables->name_count);
    TABLE(types, tables->type_count);
    TABLE(sets, tables->set_count);
    TABLE(props, tables->prop_count);
    TABLE(outputs, tables->output_count);
    TABLE(defs, tables->def_count);
    TABLE(versions, tables->version_count);
    TABLE(item_types, tables->item_type_count);
    TABLE(displacement, tables->bucket_count);
    TABLE(slots, tables->slot_count);
#undef TABLE
    buffer_add(out, STR("const Tables catalog_builtin = {\n"
                        "    .pool = pool,\n    .words = words,\n"
                        "    .names = (const NameRow *)names,\n"
                        "    .types = (const TypeRow *)types,\n"
                        "    .sets = (const SetRow *)sets,\n"
                        "    .props = (const PropRow *)props,\n"
                        "    .outputs = (const OutputRow *)outputs,\n"
                        "    .defs = (const DefRow *)defs,\n"
                        "    .versions = (const VersionRow *)versions,\n"
                        "    .item_types = item_types,\n    .displacement = displacement,\n"
                        "    .slots = slots,\n"));
#define NUMBER(field) buffer_printf(out, "    ." #field " = %u,\n", tables->field)
    NUMBER(pool_size);
    NUMBER(word_count);
    NUMBER(name_count);
    NUMBER(type_count);
    NUMBER(set_count);
    NUMBER(prop_count);
    NUMBER(output_count);
    NUMBER(def_count);
    NUMBER(version_count);
    NUMBER(item_type_count);
    NUMBER(bucket_count);
    NUMBER(slot_count);
#undef NUMBER
    buffer_printf(out, "    .digest = \"%s\",\n};\n", tables->digest);
}

static bool write_file(const char *path, const Buffer *out) {
    Err err = file_write(path, buffer_str(out), 0644);
    if (err.code == ERR_NONE) return true;
    fprintf(stderr, "%s\n", err.text);
    return false;
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: flow_embed STDLIB OUT_TABLES OUT_MODULES\n");
        return 2;
    }
    Err err = crypto_init();
    if (err.code != ERR_NONE) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    Arena arena = {0};
    Input input = {0};
    Str folder = path_join(&arena, str_from(argv[1]), STR("catalog"));
    const Tables *tables = read_catalog(&arena, &input, str_to_c(&arena, folder));
    Buffer out = {0};
    write_tables(&out, tables);
    bool is_ok = input.mistakes == 0 && write_file(argv[2], &out);
    buffer_clear(&out);
    is_ok = is_ok && embed_modules(&arena, argv[1], tables, &out) && write_file(argv[3], &out);
    buffer_release(&out);
    arena_release(&arena);
    return is_ok ? 0 : 1;
}
