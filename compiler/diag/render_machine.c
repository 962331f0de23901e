// render_machine.c - findings for programs: one line each, and the JSON document of version 1.
//
// The JSON is a contract with others; a change of its shape is a change of its version.
#include "base/attributes.h"
#include "base/buffer.h"
#include "diag/diag.h"
#include "diag/display.h"

// Bits of Diag.targets, lowest first.
static const char *const target_names[] = {"0.20", "1.3", "2.0"};

void diags_render_oneline(const Diags *diags, const Sources *sources, Buffer *out) {
    for (uint32_t i = 0; i < diags->list.count; i++) {
        const Diag *diag = diags->list.items[i];
        const Source *source = sources_get(sources, diag->span.file);
        const Position at = source_position(source, diag->span.start, POSITION_POINTS);
        display_inline(out, source->name);
        buffer_printf(out, ":%u:%u: %s[%s]: ", at.line, at.column, diag_level_name(diag->level),
                      diag->code);
        display_inline(out, diag->message);
        for (uint32_t k = 0; k < diag->suggestions.count; k++) {
            buffer_add(out, k == 0 ? STR(" (") : STR("; "));
            display_inline(out, diag->suggestions.items[k].message);
        }
        if (diag->suggestions.count > 0) buffer_add_char(out, ')');
        buffer_add_char(out, '\n');
    }
}

static void add_position(Buffer *out, const Source *source, uint32_t offset) {
    const Position at = source_position(source, offset, POSITION_POINTS);
    buffer_printf(out, "{\"line\":%u,\"column\":%u,\"offset\":%u}", at.line, at.column, at.offset);
}

static void add_place(Buffer *out, const Sources *sources, Span span) {
    const Source *source = sources_get(sources, span.file);
    buffer_add(out, STR("\"file\":"));
    buffer_add_json(out, source->name);
    buffer_add(out, STR(",\"range\":{\"start\":"));
    add_position(out, source, span.start);
    buffer_add(out, STR(",\"end\":"));
    add_position(out, source, span.start + span.len);
    buffer_add_char(out, '}');
}

static void add_targets(Buffer *out, uint32_t targets, const DiagSummary *summary) {
    buffer_add_char(out, '[');
    bool is_first = true;
    for (uint32_t i = 0; targets == 0 && i < summary->target_count; i++) {
        if (i > 0) buffer_add_char(out, ',');
        buffer_add_json(out, summary->targets[i]);
    }
    for (uint32_t i = 0; i < COUNT(target_names); i++) {
        if ((targets & (1U << i)) == 0) continue;
        if (!is_first) buffer_add_char(out, ',');
        is_first = false;
        buffer_add_json(out, str_from(target_names[i]));
    }
    buffer_add_char(out, ']');
}

static void add_suggestion(Buffer *out, const DiagSuggestion *suggestion) {
    buffer_add(out, STR("{\"message\":"));
    buffer_add_json(out, suggestion->message);
    buffer_printf(out, ",\"applicability\":\"%s\",\"edits\":[",
                  suggestion->is_safe ? "safe" : "maybe");
    for (uint32_t i = 0; i < suggestion->edits.count; i++) {
        const DiagEdit *edit = &suggestion->edits.items[i];
        if (i > 0) buffer_add_char(out, ',');
        buffer_printf(out, "{\"start\":%u,\"end\":%u,\"text\":", edit->span.start,
                      edit->span.start + edit->span.len);
        buffer_add_json(out, edit->text);
        buffer_add_char(out, '}');
    }
    buffer_add(out, STR("]}"));
}

static void add_diag(Buffer *out, const Diag *diag, const Sources *sources,
                     const DiagSummary *summary) {
    const DiagCode *row = diag_code_find(str_from(diag->code));
    buffer_printf(out,
                  "{\"code\":\"%s\",\"rule\":\"%s\",\"severity\":\"%s\",\"targets\":", diag->code,
                  row == NULL ? "" : row->name, diag_level_name(diag->level));
    add_targets(out, diag->targets, summary);
    buffer_add(out, STR(",\"message\":"));
    buffer_add_json(out, diag->message);
    buffer_add_char(out, ',');
    add_place(out, sources, diag->span);
    buffer_add(out, STR(",\"labels\":["));
    for (uint32_t i = 0; i < diag->labels.count; i++) {
        buffer_add(out, i == 0 ? STR("{\"message\":") : STR(",{\"message\":"));
        buffer_add_json(out, diag->labels.items[i].message);
        buffer_add_char(out, ',');
        add_place(out, sources, diag->labels.items[i].span);
        buffer_add_char(out, '}');
    }
    buffer_add(out, STR("],\"notes\":["));
    for (uint32_t i = 0; i < diag->notes.count; i++) {
        if (i > 0) buffer_add_char(out, ',');
        buffer_add_json(out, diag->notes.items[i]);
    }
    buffer_add(out, STR("],\"suggestions\":["));
    for (uint32_t i = 0; i < diag->suggestions.count; i++) {
        if (i > 0) buffer_add_char(out, ',');
        add_suggestion(out, &diag->suggestions.items[i]);
    }
    buffer_add(out, STR("]}"));
}

void diags_render_json(const Diags *diags, const Sources *sources, const DiagSummary *summary,
                       Buffer *out) {
    buffer_printf(out,
                  "{\"version\":1,\"files\":%u,\"skipped\":%u,\"errors\":%u,\"warnings\":%u,"
                  "\"ignored\":%u,\"baselined\":%u,\"targets\":",
                  summary->files, summary->skipped, diags_count(diags, DIAG_ERROR),
                  diags_count(diags, DIAG_WARNING), summary->ignored, summary->baselined);
    add_targets(out, 0, summary);
    buffer_add(out, STR(",\"diagnostics\":["));
    for (uint32_t i = 0; i < diags->list.count; i++) {
        buffer_add(out, i == 0 ? STR("\n ") : STR(",\n "));
        add_diag(out, diags->list.items[i], sources, summary);
    }
    buffer_add(out, STR("]}\n"));
}
