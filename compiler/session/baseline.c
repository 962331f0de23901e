// baseline.c - findings that a project lives with for now: written to a file once, taken off the
// list from then on, so that only new ones count.
//
// A finding is known by code, file and the text of its line, so that lines may move; equal ones are
// counted, so that one more of them is new. Files are named relative to the folder of the baseline,
// so that it does not matter where flowc is started. A file that cannot be read is never known.
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/utf8.h"
#include "session/session.h"

enum { BASELINE_SIZE_MAX = 64 << 20 };

// --- names --------------------------------------------------------------------------------------

// `path` from the root on, without "." and "..", as it is written: links are not looked at.
static Str absolute(Arena *arena, Str path) {
    char here[PATH_MAX];
    if (getcwd(here, sizeof here) == NULL) here[0] = '\0';
    Str rest = path_join(arena, str_from(here), path);
    Buffer out = {0};
    Str part = {0};
    while (str_split(&rest, '/', &part)) {
        if (part.len == 0 || str_eq(part, STR("."))) continue;
        if (str_eq(part, STR(".."))) {
            const size_t slash = str_find_last_char(buffer_str(&out), '/');
            out.len = slash == STR_NOT_FOUND ? 0 : slash;
            continue;
        }
        buffer_add_char(&out, '/');
        buffer_add(&out, part);
    }
    const Str made = buffer_to_str(&out, arena);
    buffer_release(&out);
    return made;
}

static Str relative(Arena *arena, Str folder, Str path) {
    const Str full = absolute(arena, path);
    if (!str_starts_with(full, folder) || full.len <= folder.len || full.ptr[folder.len] != '/') {
        return full;
    }
    return str_slice(full, folder.len + 1, full.len);
}

typedef struct Naming {
    const Session *session;
    Arena *arena;
    Str folder;  // of the baseline, absolute
    uint32_t file;
    Str name;  // of `file`
    bool has_name;
} Naming;

static DiagKey key_of(Naming *naming, const Diag *diag) {
    const Sources *sources = &naming->session->sources;
    if (!naming->has_name || naming->file != diag->span.file) {
        naming->file = diag->span.file;
        naming->name =
            relative(naming->arena, naming->folder, sources_get(sources, naming->file)->name);
        naming->has_name = true;
    }
    DiagKey key = diag_key(diag, sources);
    key.file = naming->name;
    // JSON cannot hold what is no UTF-8.
    key.line = str_slice(key.line, 0, utf8_find_invalid(key.line));
    return key;
}

static Naming naming_of(Session *session, const char *path) {
    Arena *arena = &session->arena;
    return (Naming){
        .session = session, .arena = arena, .folder = absolute(arena, path_folder(str_from(path)))};
}

static bool can_be_known(const Diag *diag) {
    return strcmp(diag->code, "E0001") != 0 && strcmp(diag->code, "E0002") != 0;
}

// --- reading ------------------------------------------------------------------------------------

static Err broken(const char *path) {
    return err_make(ERR_USAGE, "'%s' is no baseline; write one with --write-baseline", path);
}

static Err read_known(Session *session, const char *path, DiagCounter *known) {
    Str text = {0};
    TRY(file_read(path, BASELINE_SIZE_MAX, &session->arena, &text));
    Value document = {0};
    if (json_parse(text, (JsonLimits){0}, &session->arena, &document).code != ERR_NONE ||
        document.kind != VALUE_MAP) {
        return broken(path);
    }
    const Value *list = value_map_get(document, STR("findings"));
    if (list == NULL || list->kind != VALUE_LIST) return broken(path);
    if (value_map_get_int(document, STR("version"), 0) != 1) {
        return err_make(ERR_USAGE, "the baseline '%s' is of another version; write it anew", path);
    }
    for (uint32_t i = 0; i < list->as.list->count; i++) {
        const Value item = list->as.list->items[i];
        if (item.kind != VALUE_MAP) return broken(path);
        const DiagKey key = {.code = value_map_get_text(item, STR("code"), (Str){0}),
                             .file = value_map_get_text(item, STR("file"), (Str){0}),
                             .line = value_map_get_text(item, STR("line"), (Str){0})};
        const int64_t count = value_map_get_int(item, STR("count"), 1);
        if (count > 0 && count < INT32_MAX) *diag_counter_at(known, key) += (uint32_t)count;
    }
    return err_none();
}

Err baseline_apply(Session *session, const char *path) {
    DiagCounter known = {.arena = &session->arena};
    TRY(read_known(session, path, &known));
    Naming naming = naming_of(session, path);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < session->diags.list.count; i++) {
        Diag *diag = session->diags.list.items[i];
        uint32_t *left = can_be_known(diag) ? diag_counter_at(&known, key_of(&naming, diag)) : NULL;
        if (left != NULL && *left > 0) {
            (*left)--;
            session->summary.baselined++;
        } else {
            session->diags.list.items[kept++] = diag;
        }
    }
    session->diags.list.count = kept;
    return err_none();
}

// --- writing ------------------------------------------------------------------------------------

static int by_key(const void *a, const void *b) {
    const struct DiagCount *left = a;
    const struct DiagCount *right = b;
    const int by_file = str_cmp(left->key.file, right->key.file);
    if (by_file != 0) return by_file;
    const int by_code = str_cmp(left->key.code, right->key.code);
    return by_code != 0 ? by_code : str_cmp(left->key.line, right->key.line);
}

static void add_entry(Buffer *out, const struct DiagCount *entry) {
    buffer_add(out, STR("{\"file\":"));
    buffer_add_json(out, entry->key.file);
    buffer_add(out, STR(",\"code\":"));
    buffer_add_json(out, entry->key.code);
    buffer_add(out, STR(",\"line\":"));
    buffer_add_json(out, entry->key.line);
    buffer_printf(out, ",\"count\":%u}", entry->count);
}

Err baseline_write(Session *session, const char *path) {
    DiagCounter counter = {.arena = &session->arena};
    Naming naming = naming_of(session, path);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < session->diags.list.count; i++) {
        Diag *diag = session->diags.list.items[i];
        if (can_be_known(diag)) {
            (*diag_counter_at(&counter, key_of(&naming, diag)))++;
            session->summary.baselined++;
        } else {
            session->diags.list.items[kept++] = diag;
        }
    }
    session->diags.list.count = kept;
    // A line a finding, in an order that does not hang on the order of lines: small diffs.
    struct DiagCount *entries = arena_array(&session->arena, struct DiagCount, counter.used);
    uint32_t count = 0;
    for (uint32_t i = 0; i < counter.capacity; i++) {
        if (counter.slots[i].hash != 0) entries[count++] = counter.slots[i];
    }
    if (count > 0) qsort(entries, count, sizeof *entries, by_key);
    Buffer out = {0};
    buffer_add(&out, STR("{\"version\":1,\"findings\":["));
    for (uint32_t i = 0; i < count; i++) {
        buffer_add(&out, i == 0 ? STR("\n ") : STR(",\n "));
        add_entry(&out, &entries[i]);
    }
    buffer_add(&out, STR("\n]}\n"));
    const Err err = file_write(path, buffer_str(&out), 0644);
    buffer_release(&out);
    return err;
}
