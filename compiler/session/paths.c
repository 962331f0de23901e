// paths.c - from what the user names to the files meant.
//
// Folders are walked without following links, so there are no circles. Names are ordered bytewise,
// whatever the file system's order is.
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "session/session.h"

enum { WALK_DEPTH_MAX = 64 };

typedef struct Walk {
    Arena *arena;
    Str root;  // as named
    const Texts *excludes;
    const Project *project;
    IgnoreRules ignores;
    FoundFiles *found;
    bool only_yaml;
} Walk;

typedef struct Entry {
    Str name;
    bool is_folder;
} Entry;

typedef struct Entries {
    LIST_OF(Entry) list;
} Entries;

static int by_name(const void *a, const void *b) {
    return str_cmp(((const Entry *)a)->name, ((const Entry *)b)->name);
}

static bool is_yaml(Str name) {
    return str_ends_with(name, STR(".yaml")) || str_ends_with(name, STR(".yml"));
}

static Err list_folder(Walk *walk, Str folder, Entries *entries) {
    DIR *dir = opendir(str_to_c(walk->arena, folder));
    if (dir == NULL) return err_system("cannot open '" STR_FMT "'", STR_ARG(folder));
    const struct dirent *entry = NULL;
    while ((entry = readdir(dir)) != NULL) {
        const Str name = str_from(entry->d_name);
        if (str_eq(name, STR(".")) || str_eq(name, STR(".."))) continue;
        struct stat status;
        if (fstatat(dirfd(dir), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
        bool is_folder = S_ISDIR(status.st_mode);
        // A link to a file is the file; a link to a folder is not walked.
        if (S_ISLNK(status.st_mode) &&
            (fstatat(dirfd(dir), entry->d_name, &status, 0) != 0 || S_ISDIR(status.st_mode))) {
            continue;
        }
        if (!is_folder && !S_ISREG(status.st_mode)) continue;
        *LIST_ADD(walk->arena, &entries->list, Entry) =
            (Entry){str_dup(walk->arena, name), is_folder};
    }
    closedir(dir);
    if (entries->list.count > 0) {
        qsort(entries->list.items, entries->list.count, sizeof *entries->list.items, by_name);
    }
    return err_none();
}

static bool is_excluded(const Walk *walk, Str relative, Str name) {
    for (uint32_t i = 0; walk->excludes != NULL && i < walk->excludes->count; i++) {
        const Str pattern = str_from(walk->excludes->items[i]);
        if (glob_matches(pattern, relative) || glob_matches(pattern, name)) return true;
    }
    for (uint32_t i = 0; walk->project != NULL && i < walk->project->excludes.count; i++) {
        const Str pattern = walk->project->excludes.items[i];
        if (glob_matches(pattern, relative) || glob_matches(pattern, name)) return true;
    }
    return false;
}

static Err walk_folder(Walk *walk, Str relative, uint32_t depth) {
    if (depth > WALK_DEPTH_MAX) return err_none();
    const Str folder =
        relative.len == 0 ? walk->root : path_join(walk->arena, walk->root, relative);
    Entries entries = {0};
    TRY(list_folder(walk, folder, &entries));
    Str rules = {0};
    const Str ignore = path_join(walk->arena, folder, STR(".gitignore"));
    if (walk->only_yaml &&
        file_read(str_to_c(walk->arena, ignore), 1 << 20, walk->arena, &rules).code == ERR_NONE) {
        ignore_add(walk->arena, &walk->ignores, relative, rules);
    }
    for (uint32_t i = 0; i < entries.list.count; i++) {
        const Entry *entry = &entries.list.items[i];
        const Str path =
            relative.len == 0 ? entry->name : path_join(walk->arena, relative, entry->name);
        if (walk->only_yaml) {
            if (entry->is_folder && entry->name.ptr[0] == '.') continue;
            if (!entry->is_folder && (!is_yaml(entry->name) || entry->name.ptr[0] == '.')) continue;
            if (ignore_matches(&walk->ignores, path, entry->is_folder)) continue;
            if (is_excluded(walk, path, entry->name)) continue;
        }
        if (entry->is_folder) {
            TRY(walk_folder(walk, path, depth + 1));
        } else {
            FoundFile *found = LIST_ADD(walk->arena, &walk->found->list, FoundFile);
            found->path = walk->only_yaml ? path_join(walk->arena, walk->root, path) : path;
        }
    }
    return err_none();
}

Err paths_expand(Session *session, const char *path, FoundFiles *found) {
    struct stat status;
    if (strcmp(path, "-") == 0 || stat(path, &status) != 0 || !S_ISDIR(status.st_mode)) {
        *LIST_ADD(&session->arena, &found->list, FoundFile) =
            (FoundFile){.path = str_dup(&session->arena, str_from(path)), .is_named = true};
        return err_none();
    }
    Walk walk = {.arena = &session->arena,
                 .root = str_dup(&session->arena, str_from(path)),
                 .excludes = &session->options.excludes,
                 .project = &session->project,
                 .found = found,
                 .only_yaml = true};
    return walk_folder(&walk, (Str){0}, 0);
}

Err paths_below(Arena *arena, Str folder, FoundFiles *found) {
    Walk walk = {.arena = arena, .root = folder, .found = found};
    return walk_folder(&walk, (Str){0}, 0);
}
