// cache.c - keys, and the file in which results lie.
//
// The file: a magic, then entries of key, length, digest, result; an entry whose digest does not
// fit is skipped, and whatever follows a broken length. It is read as a whole at the start and
// written anew at the end, under a lock, with what others have added meanwhile.
#include "session/cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "session/cache_entry.h"
#include "session/flows.h"

#define MAGIC "flowc results 1\n"

enum {
    ENTRY_HEAD = HASH128_SIZE + 4 + HASH128_SIZE,
    READ_SIZE_MAX = 32 << 20,
    KEEP_SIZE_MAX = 8 << 20,  // beyond it the oldest results go
    LOCK_TRIES = 50,          // of 2 ms: a run never waits long for another
    UNUSED_DAYS = 30,
};

struct Cache {
    Str folder, path;
    Hash settings;
    Str bytes;  // of the file
    uint32_t *slots;
    uint32_t slot_count;
};

// --- settings -----------------------------------------------------------------------------------

static void add_number(Hasher *hasher, uint64_t number) {
    hasher_add(hasher, (Str){(const char *)&number, sizeof number});
}

static void add_text(Hasher *hasher, Str text) {
    add_number(hasher, text.len);
    hasher_add(hasher, text);
}

static void add_words(Hasher *hasher, const Texts *texts) {
    add_number(hasher, texts->count);
    for (uint32_t i = 0; i < texts->count; i++) add_text(hasher, str_from(texts->items[i]));
}

// A file or folder that a verdict rests on and that is too large to be read: which one it is.
static void add_identity(Hasher *hasher, const char *path) {
    struct stat status;
    if (path == NULL || stat(path, &status) != 0) {
        add_number(hasher, 0);
        return;
    }
    add_text(hasher, str_from(path));
    add_number(hasher, (uint64_t)status.st_dev);
    add_number(hasher, (uint64_t)status.st_ino);
    add_number(hasher, (uint64_t)status.st_size);
    add_number(hasher, (uint64_t)status.st_mtim.tv_sec);
    add_number(hasher, (uint64_t)status.st_mtim.tv_nsec);
}

static void add_tools(Hasher *hasher, Session *session) {
    add_number(hasher, session->options.embedded);
    if (session->options.embedded == EMBED_OFF) return;
    const EmbedTools tools = embed_tools(&session->arena);
    add_identity(hasher, tools.shellcheck);
    add_identity(hasher, tools.python);
    const char *options = getenv("SHELLCHECK_OPTS");
    add_text(hasher, options == NULL ? (Str){0} : str_from(options));
}

static Hash settings_of(Session *session) {
    Hasher hasher;
    hasher_init(&hasher, HASH_SIZE);
    add_text(&hasher, STR(FLOW_VERSION));
    add_identity(&hasher, "/proc/self/exe");
    add_identity(&hasher, "/usr/share/zoneinfo");
    add_identity(&hasher, "/usr/share/zoneinfo/tzdata.zi");
    add_text(&hasher, catalog_digest(session->catalog));
    const SessionOptions *options = &session->options;
    const FlowOptions flow_options = session_flow_options(session);
    add_number(&hasher, flow_options.targets);
    add_number(&hasher, session->targets);
    add_number(&hasher, flow_options.unknown_types_warn);
    add_number(&hasher, options->is_strict);
    add_number(&hasher, options->is_any_yaml);
    add_words(&hasher, &options->externals);
    add_text(&hasher, options->files == NULL ? (Str){0} : str_from(options->files));
    // The project file and private catalogs: all that was read so far.
    add_number(&hasher, session->project.exists);
    for (uint32_t i = 0; i < session->sources.list.count; i++) {
        add_text(&hasher, session->sources.list.items[i].name);
        add_text(&hasher, session->sources.list.items[i].bytes);
    }
    add_tools(&hasher, session);
    Hash hash;
    hasher_end(&hasher, hash.bytes, sizeof hash.bytes);
    return hash;
}

// --- keys ---------------------------------------------------------------------------------------

static Hash128 key_of(const Session *session, const Source *source, const FoundFile *found) {
    Hasher hasher;
    hasher_init(&hasher, HASH128_SIZE);
    hasher_add(&hasher, (Str){(const char *)session->cache->settings.bytes,
                              sizeof session->cache->settings});
    add_text(&hasher, source->name);
    add_text(&hasher, source->bytes);
    add_number(&hasher, found->is_named);
    add_number(&hasher, session->flows != NULL && found->rests_on_flows);
    if (session->flows != NULL && found->rests_on_flows) {
        const Hash *known = &session->flows->digest;
        hasher_add(&hasher, (Str){(const char *)known->bytes, sizeof known->bytes});
    }
    Hash128 key;
    hasher_end(&hasher, key.bytes, sizeof key.bytes);
    return key;
}

// --- the file -----------------------------------------------------------------------------------

typedef struct Entry {
    Str key, text, all;
} Entry;

static uint32_t number_at(Str bytes, size_t at) {
    uint32_t number;
    memcpy(&number, bytes.ptr + at, sizeof number);
    return number;
}

// The entry at *at, which moves behind it; false at the end, and where the rest makes no sense.
static bool next_entry(Str bytes, size_t *at, Entry *out) {
    if (bytes.len - *at < ENTRY_HEAD) return false;
    const uint32_t length = number_at(bytes, *at + HASH128_SIZE);
    if (length > bytes.len - *at - ENTRY_HEAD) return false;
    out->key = str_slice(bytes, *at, *at + HASH128_SIZE);
    out->text = str_slice(bytes, *at + ENTRY_HEAD, *at + ENTRY_HEAD + length);
    out->all = str_slice(bytes, *at, *at + ENTRY_HEAD + length);
    *at += ENTRY_HEAD + length;
    return true;
}

static bool is_whole(const Entry *entry) {
    const Hash128 digest = hash128_bytes(entry->text);
    return memcmp(digest.bytes, entry->all.ptr + HASH128_SIZE + 4, sizeof digest.bytes) == 0;
}

static uint32_t slot_of(const Cache *cache, Str key) {
    uint32_t at = number_at(key, 0) & (cache->slot_count - 1);
    while (
        cache->slots[at] != 0 &&
        !str_eq(str_slice(cache->bytes, cache->slots[at], cache->slots[at] + HASH128_SIZE), key)) {
        at = (at + 1) & (cache->slot_count - 1);
    }
    return at;
}

static void read_entries(Cache *cache, Arena *arena) {
    cache->bytes = (Str){0};
    cache->slot_count = 0;
    const char *path = str_to_c(arena, cache->path);
    if (file_read(path, READ_SIZE_MAX, arena, &cache->bytes).code != ERR_NONE ||
        !str_starts_with(cache->bytes, STR(MAGIC))) {
        cache->bytes = (Str){0};
        return;
    }
    uint32_t count = 0;
    Entry entry;
    for (size_t at = strlen(MAGIC); next_entry(cache->bytes, &at, &entry);) count++;
    cache->slot_count = 16;
    while (cache->slot_count < count * 2) cache->slot_count *= 2;
    cache->slots = arena_array(arena, uint32_t, cache->slot_count);
    size_t before = strlen(MAGIC);
    for (size_t at = before; next_entry(cache->bytes, &at, &entry); before = at) {
        cache->slots[slot_of(cache, entry.key)] = (uint32_t)before;
    }
}

static bool find_entry(const Cache *cache, const Hash128 *key, Str *out) {
    if (cache->slot_count == 0) return false;
    size_t at = cache->slots[slot_of(cache, (Str){(const char *)key->bytes, sizeof key->bytes})];
    Entry entry;
    if (at == 0 || !next_entry(cache->bytes, &at, &entry) || !is_whole(&entry)) return false;
    *out = entry.text;
    return true;
}

static Str cache_folder(Arena *arena) {
    const char *base = getenv("XDG_CACHE_HOME");
    if (base != NULL && base[0] == '/') {
        return path_join(arena, str_from(base), STR("flowc/results"));
    }
    const char *home = getenv("HOME");
    if (home == NULL || home[0] != '/') return (Str){0};
    return path_join(arena, str_from(home), STR(".cache/flowc/results"));
}

Cache *cache_open(Session *session) {
    const Str folder = cache_folder(&session->arena);
    if (folder.len == 0 || crypto_init().code != ERR_NONE) return NULL;
    Cache *cache = arena_new(&session->arena, Cache);
    cache->folder = folder;
    cache->settings = settings_of(session);
    Str name = {0};
    for (size_t i = 0; i < 8; i++) {
        name = str_printf(&session->arena, STR_FMT "%02x", STR_ARG(name), cache->settings.bytes[i]);
    }
    cache->path = path_join(&session->arena, folder, name);
    read_entries(cache, &session->arena);
    return cache;
}

bool cache_take(Session *session, uint32_t file, const FoundFile *found, Hash128 *key) {
    *key = key_of(session, sources_get(&session->sources, file), found);
    Str entry = {0};
    return find_entry(session->cache, key, &entry) && cache_entry_read(session, file, entry);
}

// --- keeping ------------------------------------------------------------------------------------

// Other settings, other versions of this program: what nobody has written to for long.
static void remove_unused(const Cache *cache, Arena *arena) {
    DIR *folder = opendir(str_to_c(arena, cache->folder));
    if (folder == NULL) return;
    const time_t oldest = time(NULL) - (time_t)UNUSED_DAYS * 24 * 3600;
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        struct stat status;
        const int at = dirfd(folder);
        if (entry->d_name[0] == '.' ||
            fstatat(at, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        if (S_ISREG(status.st_mode) && status.st_mtime < oldest) unlinkat(at, entry->d_name, 0);
    }
    closedir(folder);
}

static int lock(const Cache *cache, Arena *arena) {
    const char *path = str_to_c(arena, path_join(arena, cache->folder, STR(".lock")));
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return -1;
    for (int i = 0; i < LOCK_TRIES; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    close(fd);
    return -1;
}

static void add_entry(Buffer *out, const Hash128 *key, Str text) {
    const Hash128 digest = hash128_bytes(text);
    buffer_add_bytes(out, key->bytes, sizeof key->bytes);
    const uint32_t length = (uint32_t)text.len;
    buffer_add_bytes(out, &length, sizeof length);
    buffer_add_bytes(out, digest.bytes, sizeof digest.bytes);
    buffer_add(out, text);
}

static bool is_missed(const Session *session, Str key) {
    for (uint32_t i = 0; i < session->misses.count; i++) {
        if (memcmp(session->misses.items[i].key.bytes, key.ptr, HASH128_SIZE) == 0) return true;
    }
    return false;
}

static void add_new(Session *session, Arena *scratch, Buffer *out) {
    const EntryFindings *all = cache_entry_findings(session, scratch);
    Buffer text = {0};
    for (uint32_t i = 0; i < session->misses.count; i++) {
        buffer_clear(&text);
        if (cache_entry_write(session, &session->misses.items[i], &all[i], &text)) {
            add_entry(out, &session->misses.items[i].key, buffer_str(&text));
        }
    }
    buffer_release(&text);
}

void cache_keep(Session *session) {
    Cache *cache = session->cache;
    if (session->misses.count == 0 || session->embed_error.code != ERR_NONE) return;
    Arena scratch = {0};
    if (dir_make(str_to_c(&scratch, cache->folder), 0700).code == ERR_NONE) {
        const int fd = lock(cache, &scratch);
        if (fd >= 0) {
            Buffer out = {0};
            buffer_add(&out, STR(MAGIC));
            add_new(session, &scratch, &out);
            Cache now = *cache;
            read_entries(&now, &scratch);
            if (now.bytes.len == 0) remove_unused(cache, &scratch);
            Entry entry;
            for (size_t at = strlen(MAGIC);
                 now.bytes.len > 0 && next_entry(now.bytes, &at, &entry);) {
                if (out.len + entry.all.len > KEEP_SIZE_MAX) break;
                if (!is_missed(session, entry.key) && is_whole(&entry)) buffer_add(&out, entry.all);
            }
            // It is only a cache: what cannot be written is found again.
            const Err err = file_write(str_to_c(&scratch, cache->path), buffer_str(&out), 0600);
            (void)err;
            buffer_release(&out);
            close(fd);
        }
    }
    arena_release(&scratch);
}
