// render_sarif.c - findings as SARIF 2.1.0, for code scanning and editors.
//
// One run. The rules are those that have a result, in the order of the registry. Paths are URI
// references as the user gave them, so that whoever uploads the log decides what they are relative
// to. Braces in messages stand as they are: readers replace `{0}` only where a message has
// arguments, and ours have none; what would be read as a link is escaped.
#include <string.h>

#include "base/buffer.h"
#include "diag/diag.h"

static bool is_unreserved(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~/", c) != NULL);
}

static void add_uri(Buffer *out, Str name) {
    const Str path = diag_report_path(name);
    buffer_add(out, STR("{\"uri\":\""));
    if (str_starts_with(path, STR("/"))) buffer_add(out, STR("file://"));
    for (size_t i = 0; i < path.len; i++) {
        const char c = path.ptr[i];
        if (is_unreserved(c)) {
            buffer_add_char(out, c);
        } else {
            buffer_printf(out, "%%%02X", (unsigned)(unsigned char)c);
        }
    }
    buffer_add(out, STR("\"}"));
}

// `[text](target)` is a link in a plain message; a backslash takes the meaning away.
static void add_message_text(Buffer *text, Str message) {
    for (size_t i = 0; i < message.len; i++) {
        const char c = message.ptr[i];
        if (c == '[' && str_find(message, STR("]("), i) != STR_NOT_FOUND) {
            buffer_add_char(text, '\\');
        }
        buffer_add_char(text, c);
    }
}

static void add_message(Buffer *out, Str message) {
    Buffer text = {0};
    add_message_text(&text, message);
    buffer_add(out, STR("{\"text\":"));
    buffer_add_json(out, buffer_str(&text));
    buffer_add_char(out, '}');
    buffer_release(&text);
}

static void add_region(Buffer *out, const Source *source, Span span) {
    const Position start = source_position(source, span.start, POSITION_POINTS);
    const Position end = source_position(source, span.start + span.len, POSITION_POINTS);
    buffer_printf(out,
                  "{\"startLine\":%u,\"startColumn\":%u,\"endLine\":%u,\"endColumn\":%u,"
                  "\"byteOffset\":%u,\"byteLength\":%u}",
                  start.line, start.column, end.line, end.column, span.start, span.len);
}

static void add_place(Buffer *out, const Sources *sources, Span span) {
    const Source *source = sources_get(sources, span.file);
    buffer_add(out, STR("\"physicalLocation\":{\"artifactLocation\":"));
    add_uri(out, source->name);
    buffer_add(out, STR(",\"region\":"));
    add_region(out, source, span);
    buffer_add_char(out, '}');
}

static void add_fix(Buffer *out, const Sources *sources, const DiagSuggestion *suggestion) {
    buffer_add(out, STR("{\"description\":"));
    add_message(out, suggestion->message);
    const uint32_t file = suggestion->edits.items[0].span.file;
    const Source *source = sources_get(sources, file);
    buffer_add(out, STR(",\"artifactChanges\":[{\"artifactLocation\":"));
    add_uri(out, source->name);
    buffer_add(out, STR(",\"replacements\":["));
    for (uint32_t i = 0; i < suggestion->edits.count; i++) {
        const DiagEdit *edit = &suggestion->edits.items[i];
        buffer_add(out, i == 0 ? STR("{\"deletedRegion\":") : STR(",{\"deletedRegion\":"));
        add_region(out, source, edit->span);
        buffer_add(out, STR(",\"insertedContent\":{\"text\":"));
        buffer_add_json(out, edit->text);
        buffer_add(out, STR("}}"));
    }
    buffer_add(out, STR("]}]}"));
}

static void add_fixes(Buffer *out, const Sources *sources, const Diag *diag) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < diag->suggestions.count; i++) {
        // A fix without a change is no fix for SARIF.
        if (diag->suggestions.items[i].edits.count == 0) continue;
        buffer_add(out, count++ == 0 ? STR(",\"fixes\":[") : STR(","));
        add_fix(out, sources, &diag->suggestions.items[i]);
    }
    if (count > 0) buffer_add_char(out, ']');
}

static void add_fingerprint(Buffer *out, DiagKey key, uint32_t count) {
    Buffer print = {0};
    buffer_printf(&print, STR_FMT ":" STR_FMT ":%u", STR_ARG(key.code), STR_ARG(key.line), count);
    buffer_add(out, STR(",\"partialFingerprints\":{\"flowcLine/v1\":"));
    buffer_add_json(out, buffer_str(&print));
    buffer_add_char(out, '}');
    buffer_release(&print);
}

static void add_result(Buffer *out, const Diag *diag, const Sources *sources, uint32_t rule) {
    buffer_printf(out,
                  "{\"ruleId\":\"%s\",\"ruleIndex\":%u,\"level\":\"%s\",\"message\":", diag->code,
                  rule, diag_level_name(diag->level));
    Buffer text = {0};
    buffer_add(&text, diag->message);
    for (uint32_t i = 0; i < diag->notes.count; i++) {
        buffer_add(&text, STR("\nnote: "));
        buffer_add(&text, diag->notes.items[i]);
    }
    add_message(out, buffer_str(&text));
    buffer_release(&text);
    buffer_add(out, STR(",\"locations\":[{"));
    add_place(out, sources, diag->span);
    buffer_add(out, STR("}]"));
    for (uint32_t i = 0; i < diag->labels.count; i++) {
        buffer_printf(out, "%s{\"id\":%u,", i == 0 ? ",\"relatedLocations\":[" : ",", i + 1);
        add_place(out, sources, diag->labels.items[i].span);
        buffer_add(out, STR(",\"message\":"));
        add_message(out, diag->labels.items[i].message);
        buffer_add_char(out, '}');
    }
    if (diag->labels.count > 0) buffer_add_char(out, ']');
    add_fixes(out, sources, diag);
}

static Str first_paragraph(Str text) {
    const size_t end = str_find(text, STR("\n\n"), 0);
    return str_trim(end == STR_NOT_FOUND ? text : str_slice(text, 0, end));
}

static void add_rule(Buffer *out, const DiagCode *row) {
    buffer_printf(out, "{\"id\":\"%s\",\"name\":\"%s\",\"shortDescription\":", row->code,
                  row->name);
    add_message(out, str_from(row->what));
    // GitHub shows a rule by its full description, and refuses one without.
    const bool has_explanation = row->explain != NULL && row->explain[0] != '\0';
    buffer_add(out, STR(",\"fullDescription\":"));
    add_message(out, first_paragraph(str_from(has_explanation ? row->explain : row->what)));
    if (has_explanation) {
        buffer_add(out, STR(",\"help\":{\"text\":"));
        buffer_add_json(out, str_from(row->explain));
        buffer_add(out, STR(",\"markdown\":"));
        buffer_add_json(out, str_from(row->explain));
        buffer_add_char(out, '}');
    }
    buffer_printf(out,
                  ",\"defaultConfiguration\":{\"level\":\"%s\"},\"properties\":{\"tags\":[%s]}}",
                  diag_level_name(row->level), row->code[0] == 'S' ? "\"security\"" : "");
}

static bool is_used(const Diags *diags, const DiagCode *row) {
    for (uint32_t i = 0; i < diags->list.count; i++) {
        if (strcmp(diags->list.items[i]->code, row->code) == 0) return true;
    }
    return false;
}

void diags_render_sarif(const Diags *diags, const Sources *sources, Buffer *out) {
    size_t count = 0;
    const DiagCode *rows = diag_codes(&count);
    Arena scratch = {0};
    uint32_t *index = arena_array(&scratch, uint32_t, count);
    DiagCounter counter = {.arena = &scratch};
    buffer_add(out, STR("{\"$schema\":\"https://json.schemastore.org/sarif-2.1.0.json\","
                        "\"version\":\"2.1.0\",\"runs\":[{\"tool\":{\"driver\":{\"name\":\"flowc\","
                        "\"version\":\"" FLOW_VERSION "\",\"rules\":["));
    uint32_t used = 0;
    for (size_t i = 0; i < count; i++) {
        if (!is_used(diags, &rows[i])) continue;
        buffer_add(out, used == 0 ? STR("\n ") : STR(",\n "));
        add_rule(out, &rows[i]);
        index[i] = used++;
    }
    buffer_add(out, STR("]}},\n\"columnKind\":\"unicodeCodePoints\","
                        "\"invocations\":[{\"executionSuccessful\":true}],\"results\":["));
    for (uint32_t i = 0; i < diags->list.count; i++) {
        const Diag *diag = diags->list.items[i];
        const DiagCode *row = diag_code_find(str_from(diag->code));
        buffer_add(out, i == 0 ? STR("\n ") : STR(",\n "));
        add_result(out, diag, sources, row == NULL ? 0 : index[row - rows]);
        const DiagKey key = diag_key(diag, sources);
        add_fingerprint(out, key, (*diag_counter_at(&counter, key))++);
        buffer_add_char(out, '}');
    }
    buffer_add(out, STR("]}]}\n"));
    arena_release(&scratch);
}
