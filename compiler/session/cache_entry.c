// cache_entry.c - findings as bytes: numbers of 32 bits as this machine has them, texts behind
// their length. Spans name their file by its place in a table of names with digests, of which the
// first is the file itself.
#include "session/cache_entry.h"

#include <string.h>

enum { FILES_MAX = 64 };

// --- writing ------------------------------------------------------------------------------------

typedef struct Writer {
    const Session *session;
    Buffer *out;
    uint32_t files[FILES_MAX];
    uint32_t file_count;
    bool is_full;
} Writer;

static void put_number(Writer *writer, uint32_t number) {
    buffer_add_bytes(writer->out, &number, sizeof number);
}

static void put_text(Writer *writer, Str text) {
    put_number(writer, (uint32_t)text.len);
    buffer_add(writer->out, text);
}

static void put_span(Writer *writer, Span span) {
    uint32_t at = 0;
    while (at < writer->file_count && writer->files[at] != span.file) at++;
    if (at == FILES_MAX) {
        writer->is_full = true;
        at = 0;
    }
    if (at == writer->file_count) writer->files[writer->file_count++] = span.file;
    put_number(writer, at);
    put_number(writer, span.start);
    put_number(writer, span.len);
}

static void put_diag(Writer *writer, const Diag *diag) {
    put_text(writer, str_from(diag->code));
    put_number(writer, (uint32_t)diag->level);
    put_number(writer, diag->targets);
    put_span(writer, diag->span);
    put_text(writer, diag->message);
    put_number(writer, diag->labels.count);
    for (uint32_t i = 0; i < diag->labels.count; i++) {
        put_span(writer, diag->labels.items[i].span);
        put_text(writer, diag->labels.items[i].message);
    }
    put_number(writer, diag->notes.count);
    for (uint32_t i = 0; i < diag->notes.count; i++) put_text(writer, diag->notes.items[i]);
    put_number(writer, diag->suggestions.count);
    for (uint32_t i = 0; i < diag->suggestions.count; i++) {
        const DiagSuggestion *suggestion = &diag->suggestions.items[i];
        put_text(writer, suggestion->message);
        put_number(writer, suggestion->is_safe);
        put_number(writer, suggestion->edits.count);
        for (uint32_t k = 0; k < suggestion->edits.count; k++) {
            put_span(writer, suggestion->edits.items[k].span);
            put_text(writer, suggestion->edits.items[k].text);
        }
    }
}

const EntryFindings *cache_entry_findings(const Session *session, Arena *arena) {
    const uint32_t count = session->misses.count;
    EntryFindings *all = arena_array(arena, EntryFindings, count);
    uint32_t *of_file = arena_array(arena, uint32_t, session->sources.list.count + 1);
    for (uint32_t i = 0; i < count; i++) of_file[session->misses.items[i].file] = i + 1;
    for (uint32_t i = 0; i < session->diags.list.count; i++) {
        const Diag *diag = session->diags.list.items[i];
        const uint32_t at = of_file[diag->span.file];
        if (at > 0) *LIST_ADD(arena, &all[at - 1].list, const Diag *) = diag;
    }
    for (uint32_t i = 0; i < session->late.ignored.count; i++) {
        const uint32_t at = of_file[session->late.ignored.items[i]];
        if (at > 0) all[at - 1].ignored++;
    }
    return all;
}

bool cache_entry_write(const Session *session, const CacheMiss *miss, const EntryFindings *findings,
                       Buffer *out) {
    Buffer body = {0};
    Writer writer = {.session = session, .out = &body, .files = {miss->file}, .file_count = 1};
    put_number(&writer, miss->counts.files);
    put_number(&writer, miss->counts.skipped);
    put_number(&writer, miss->counts.ignored + findings->ignored);
    put_number(&writer, findings->list.count);
    for (uint32_t i = 0; i < findings->list.count; i++) put_diag(&writer, findings->list.items[i]);
    writer.out = out;
    put_number(&writer, writer.file_count);
    for (uint32_t i = 1; i < writer.file_count; i++) {
        const Source *source = sources_get(&session->sources, writer.files[i]);
        const Hash128 digest = hash128_bytes(source->bytes);
        put_text(&writer, source->name);
        buffer_add_bytes(out, digest.bytes, sizeof digest.bytes);
    }
    buffer_add(out, buffer_str(&body));
    buffer_release(&body);
    return !writer.is_full;
}

// --- reading ------------------------------------------------------------------------------------

typedef struct Reader {
    Session *session;
    Str bytes;
    size_t at;
    uint32_t files[FILES_MAX];
    uint32_t file_count;
    bool is_broken;
} Reader;

static uint32_t get_number(Reader *reader) {
    uint32_t number = 0;
    if (reader->bytes.len - reader->at < sizeof number) {
        reader->is_broken = true;
        return 0;
    }
    memcpy(&number, reader->bytes.ptr + reader->at, sizeof number);
    reader->at += sizeof number;
    return number;
}

static Str get_bytes(Reader *reader, size_t len) {
    if (reader->bytes.len - reader->at < len) {
        reader->is_broken = true;
        return (Str){0};
    }
    reader->at += len;
    return str_slice(reader->bytes, reader->at - len, reader->at);
}

static Str get_text(Reader *reader) {
    return get_bytes(reader, get_number(reader));
}

static Span get_span(Reader *reader) {
    const uint32_t at = get_number(reader);
    Span span = {.start = get_number(reader), .len = get_number(reader)};
    if (reader->is_broken || at >= reader->file_count) {
        reader->is_broken = true;
        return (Span){0};
    }
    span.file = reader->files[at];
    const size_t size = sources_get(&reader->session->sources, span.file)->bytes.len;
    if (span.start > size || span.len > size - span.start) reader->is_broken = true;
    return span;
}

// A list cannot have more items than there are bytes left: nothing large is made of nonsense.
static uint32_t get_count(Reader *reader) {
    const uint32_t count = get_number(reader);
    if (count > reader->bytes.len - reader->at) reader->is_broken = true;
    return reader->is_broken ? 0 : count;
}

static bool find_source(Reader *reader, Str name, Str digest, uint32_t *out) {
    const Sources *sources = &reader->session->sources;
    for (uint32_t i = 0; i < sources->list.count; i++) {
        const Source *source = &sources->list.items[i];
        if (!str_eq(source->name, name)) continue;
        const Hash128 found = hash128_bytes(source->bytes);
        if (digest.len != sizeof found.bytes ||
            memcmp(found.bytes, digest.ptr, sizeof found.bytes) != 0) {
            continue;
        }
        *out = i;
        return true;
    }
    return false;
}

static void get_files(Reader *reader, uint32_t file) {
    const uint32_t count = get_count(reader);
    if (count == 0 || count > FILES_MAX) reader->is_broken = true;
    reader->files[0] = file;
    reader->file_count = 1;
    while (!reader->is_broken && reader->file_count < count) {
        const Str name = get_text(reader);
        const Str digest = get_bytes(reader, HASH128_SIZE);
        if (!find_source(reader, name, digest, &reader->files[reader->file_count])) {
            reader->is_broken = true;
        }
        reader->file_count++;
    }
}

static void get_suggestion(Reader *reader, Diag *diag) {
    DiagSuggestion *suggestion =
        LIST_ADD(&reader->session->arena, &diag->suggestions, DiagSuggestion);
    suggestion->message = get_text(reader);
    suggestion->is_safe = get_number(reader) != 0;
    const uint32_t count = get_count(reader);
    for (uint32_t i = 0; i < count && !reader->is_broken; i++) {
        DiagEdit *edit = LIST_ADD(&reader->session->arena, &suggestion->edits, DiagEdit);
        edit->span = get_span(reader);
        edit->text = get_text(reader);
    }
}

static void get_diag(Reader *reader, Diags *diags) {
    Arena *arena = &reader->session->arena;
    const DiagCode *code = diag_code_find(get_text(reader));
    const uint32_t level = get_number(reader);
    const uint32_t targets = get_number(reader);
    const Span span = get_span(reader);
    const Str message = get_text(reader);
    if (code == NULL || level > DIAG_ERROR) reader->is_broken = true;
    if (reader->is_broken) return;
    Diag *diag = arena_new(arena, Diag);
    *LIST_ADD(arena, &diags->list, Diag *) = diag;
    *diag = (Diag){.code = code->code,
                   .level = (DiagLevel)level,
                   .span = span,
                   .message = message,
                   .targets = targets,
                   .owner = diags};
    for (uint32_t i = get_count(reader); i > 0 && !reader->is_broken; i--) {
        DiagLabel *label = LIST_ADD(arena, &diag->labels, DiagLabel);
        label->span = get_span(reader);
        label->message = get_text(reader);
    }
    for (uint32_t i = get_count(reader); i > 0 && !reader->is_broken; i--) {
        *LIST_ADD(arena, &diag->notes, Str) = get_text(reader);
    }
    for (uint32_t i = get_count(reader); i > 0 && !reader->is_broken; i--) {
        get_suggestion(reader, diag);
    }
}

bool cache_entry_read(Session *session, uint32_t file, Str bytes) {
    Reader reader = {.session = session, .bytes = bytes};
    get_files(&reader, file);
    const DiagSummary counts = {.files = get_number(&reader),
                                .skipped = get_number(&reader),
                                .ignored = get_number(&reader)};
    const uint32_t first = session->diags.list.count;
    for (uint32_t i = get_count(&reader); i > 0 && !reader.is_broken; i--) {
        get_diag(&reader, &session->diags);
    }
    if (reader.is_broken || reader.at != bytes.len) {
        session->diags.list.count = first;
        return false;
    }
    session->summary.files += counts.files;
    session->summary.skipped += counts.skipped;
    session->summary.ignored += counts.ignored;
    return true;
}
