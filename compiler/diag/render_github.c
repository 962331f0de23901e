// render_github.c - findings as workflow commands of GitHub Actions, which shows them at the lines
// of a change.
//
// The runner cuts a command at the end of its line and undoes %25, %0D, %0A in the text, and %3A,
// %2C in properties too.
#include "base/buffer.h"
#include "diag/diag.h"

static void add_escaped(Buffer *out, Str text, bool is_property) {
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.ptr[i];
        const bool is_special =
            c == '%' || c == '\r' || c == '\n' || (is_property && (c == ':' || c == ','));
        if (is_special) {
            buffer_printf(out, "%%%02X", (unsigned)(unsigned char)c);
        } else {
            buffer_add_char(out, c);
        }
    }
}

static const char *command_of(DiagLevel level) {
    switch (level) {
    case DIAG_NOTE:
        return "notice";
    case DIAG_WARNING:
        return "warning";
    case DIAG_ERROR:
        break;
    }
    return "error";
}

static void add_place(Buffer *out, const Source *source, Span span) {
    const Position start = source_position(source, span.start, POSITION_POINTS);
    const Position end = source_position(source, span.start + span.len, POSITION_POINTS);
    buffer_printf(out, ",line=%u,endLine=%u", start.line, end.line);
    // Columns count only where both are of one line.
    if (start.line == end.line) {
        buffer_printf(out, ",col=%u,endColumn=%u", start.column, end.column);
    }
}

void diags_render_github(const Diags *diags, const Sources *sources, Buffer *out) {
    for (uint32_t i = 0; i < diags->list.count; i++) {
        const Diag *diag = diags->list.items[i];
        const Source *source = sources_get(sources, diag->span.file);
        const DiagCode *row = diag_code_find(str_from(diag->code));
        buffer_printf(out, "::%s file=", command_of(diag->level));
        add_escaped(out, diag_report_path(source->name), true);
        add_place(out, source, diag->span);
        buffer_printf(out, ",title=%s %s::", diag->code, row == NULL ? "" : row->name);
        add_escaped(out, diag->message, false);
        for (uint32_t k = 0; k < diag->suggestions.count; k++) {
            buffer_add(out, STR("%0A"));
            add_escaped(out, diag->suggestions.items[k].message, false);
        }
        for (uint32_t k = 0; k < diag->notes.count; k++) {
            buffer_add(out, STR("%0Anote: "));
            add_escaped(out, diag->notes.items[k], false);
        }
        buffer_add_char(out, '\n');
    }
}
