// render_gitlab.c - findings as GitLab's code quality report: a list of objects.
//
// GitLab compares reports of two branches by fingerprint, so it must not change with the line
// number and must be different for each finding of a report.
#include <inttypes.h>
#include <stdio.h>

#include "base/attributes.h"
#include "base/buffer.h"
#include "diag/diag.h"

static const char *severity_of(DiagLevel level) {
    switch (level) {
    case DIAG_NOTE:
        return "info";
    case DIAG_WARNING:
        return "minor";
    case DIAG_ERROR:
        break;
    }
    return "major";
}

// 64-bit FNV-1a, carried on.
static uint64_t mix(uint64_t hash, Str bytes) {
    for (size_t i = 0; i < bytes.len; i++) {
        hash = (hash ^ (unsigned char)bytes.ptr[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

// `count`: findings of the same key before this one.
static void add_fingerprint(Buffer *out, DiagKey key, uint32_t count) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    const Str parts[] = {key.code, key.file, key.line};
    for (size_t i = 0; i < COUNT(parts); i++) {
        hash = mix(hash, parts[i]);
        hash = mix(hash, (Str){"", 1});  // what stands between cannot run together
    }
    char number[16];
    hash = mix(hash, (Str){number, (size_t)snprintf(number, sizeof number, "%u", count)});
    buffer_printf(out, "%016" PRIx64, hash);
}

void diags_render_gitlab(const Diags *diags, const Sources *sources, Buffer *out) {
    Arena scratch = {0};
    DiagCounter counter = {.arena = &scratch};
    buffer_add_char(out, '[');
    for (uint32_t i = 0; i < diags->list.count; i++) {
        const Diag *diag = diags->list.items[i];
        const Source *source = sources_get(sources, diag->span.file);
        const Position start = source_position(source, diag->span.start, POSITION_POINTS);
        const Position end =
            source_position(source, diag->span.start + diag->span.len, POSITION_POINTS);
        buffer_printf(out, "%s\n {\"check_name\":\"%s\",\"description\":", i == 0 ? "" : ",",
                      diag->code);
        Buffer text = {0};
        buffer_add(&text, diag->message);
        if (diag->suggestions.count > 0) {
            buffer_add(&text, STR("; "));
            buffer_add(&text, diag->suggestions.items[0].message);
        }
        buffer_add_json(out, buffer_str(&text));
        buffer_release(&text);
        buffer_add(out, STR(",\"fingerprint\":\""));
        const DiagKey key = diag_key(diag, sources);
        add_fingerprint(out, key, (*diag_counter_at(&counter, key))++);
        buffer_printf(out,
                      "\",\"severity\":\"%s\",\"location\":{\"path\":", severity_of(diag->level));
        buffer_add_json(out, diag_report_path(source->name));
        buffer_printf(out, ",\"lines\":{\"begin\":%u,\"end\":%u}}}", start.line, end.line);
    }
    buffer_add(out, diags->list.count == 0 ? STR("]\n") : STR("\n]\n"));
    arena_release(&scratch);
}
