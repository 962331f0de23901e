// render_junit.c - findings as JUnit's XML, which every CI server can show: a suite per file with
// findings, a case per finding.
//
// Errors and warnings are failures. A note is no failure: its case passes and says it as output. A
// run without findings has one suite with one passing case, since some servers take an empty report
// for a broken one.
#include "base/buffer.h"
#include "base/utf8.h"
#include "diag/diag.h"

// What XML 1.0 cannot hold, not even as a reference, becomes U+FFFD.
static bool is_xml(uint32_t point) {
    if (point == UTF8_INVALID || point == 0xFFFE || point == 0xFFFF) return false;
    return point >= 0x20 || point == '\t' || point == '\n' || point == '\r';
}

static void add_escaped(Buffer *out, Str text) {
    for (size_t at = 0; at < text.len;) {
        const size_t start = at;
        const uint32_t point = utf8_next(text, &at);
        if (!is_xml(point)) {
            buffer_add(out, STR("\xEF\xBF\xBD"));
        } else if (point == '&') {
            buffer_add(out, STR("&amp;"));
        } else if (point == '<') {
            buffer_add(out, STR("&lt;"));
        } else if (point == '>') {
            buffer_add(out, STR("&gt;"));
        } else if (point == '"') {
            buffer_add(out, STR("&quot;"));
        } else if (point < 0x20) {
            buffer_printf(out, "&#%u;", point);
        } else {
            buffer_add(out, str_slice(text, start, at));
        }
    }
}

static void add_case(Buffer *out, const Diag *diag, const Source *source) {
    const DiagCode *row = diag_code_find(str_from(diag->code));
    const Position at = source_position(source, diag->span.start, POSITION_POINTS);
    buffer_printf(out, "    <testcase name=\"%s %s:%u:%u\" classname=\"", diag->code,
                  row == NULL ? "" : row->name, at.line, at.column);
    add_escaped(out, diag_report_path(source->name));
    buffer_add(out, STR("\" time=\"0\">\n"));
    const bool is_failure = diag->level != DIAG_NOTE;
    if (is_failure) {
        buffer_printf(out, "      <failure type=\"%s\" message=\"", diag_level_name(diag->level));
        add_escaped(out, diag->message);
        buffer_add(out, STR("\">"));
    } else {
        buffer_add(out, STR("      <system-out>"));
    }
    add_escaped(out, source->name);
    buffer_printf(out, ":%u:%u: %s[%s]: ", at.line, at.column, diag_level_name(diag->level),
                  diag->code);
    add_escaped(out, diag->message);
    for (uint32_t i = 0; i < diag->suggestions.count; i++) {
        buffer_add_char(out, '\n');
        add_escaped(out, diag->suggestions.items[i].message);
    }
    for (uint32_t i = 0; i < diag->notes.count; i++) {
        buffer_add(out, STR("\nnote: "));
        add_escaped(out, diag->notes.items[i]);
    }
    buffer_add(out, is_failure ? STR("</failure>\n") : STR("</system-out>\n"));
    buffer_add(out, STR("    </testcase>\n"));
}

// The suite of the file of finding `first`; gives the number of the first finding behind it.
static uint32_t add_suite(Buffer *out, const Diags *diags, const Sources *sources, uint32_t first) {
    const uint32_t file = diags->list.items[first]->span.file;
    const Source *source = sources_get(sources, file);
    uint32_t end = first;
    uint32_t failures = 0;
    for (; end < diags->list.count && diags->list.items[end]->span.file == file; end++) {
        if (diags->list.items[end]->level != DIAG_NOTE) failures++;
    }
    buffer_add(out, STR("  <testsuite name=\""));
    add_escaped(out, diag_report_path(source->name));
    buffer_printf(out, "\" tests=\"%u\" failures=\"%u\" errors=\"0\" skipped=\"0\" time=\"0\">\n",
                  end - first, failures);
    for (uint32_t i = first; i < end; i++) add_case(out, diags->list.items[i], source);
    buffer_add(out, STR("  </testsuite>\n"));
    return end;
}

void diags_render_junit(const Diags *diags, const Sources *sources, const DiagSummary *summary,
                        Buffer *out) {
    const uint32_t count = diags->list.count;
    const uint32_t failures = diags_count(diags, DIAG_ERROR) + diags_count(diags, DIAG_WARNING);
    buffer_printf(out,
                  "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                  "<testsuites name=\"flowc\" tests=\"%u\" failures=\"%u\" errors=\"0\" "
                  "time=\"0\">\n",
                  count == 0 ? 1 : count, failures);
    for (uint32_t at = 0; at < count;) at = add_suite(out, diags, sources, at);
    if (count == 0) {
        buffer_printf(out,
                      "  <testsuite name=\"flowc\" tests=\"1\" failures=\"0\" errors=\"0\" "
                      "skipped=\"0\" time=\"0\">\n"
                      "    <testcase name=\"no findings in %u file%s\" classname=\"flowc\" "
                      "time=\"0\"/>\n"
                      "  </testsuite>\n",
                      summary->files, summary->files == 1 ? "" : "s");
    }
    buffer_add(out, STR("</testsuites>\n"));
}
