// scripts.c - the scripts of a flow: which texts are programs, of which language, and what they
// look like once templates are replaced.
//
// A template prints a word nobody knows: `x` as often as it has bytes. Tags print nothing; of
// branches the first is taken, of loops one pass.
#include <string.h>

#include "embed/internal.h"
#include "expr/piece.h"

// A program longer than that is no script; it bounds what a tool is given.
enum { SCRIPT_SIZE_MAX = 256 << 10, OPEN_TAGS_MAX = 64 };

// --- languages ----------------------------------------------------------------------------------

static ScriptLanguage language_of_program(Str program) {
    const size_t slash = str_find_last_char(program, '/');
    if (slash != STR_NOT_FOUND) program = str_slice(program, slash + 1, program.len);
    static const struct {
        const char *name;
        ScriptLanguage language;
    } known[] = {
        {"sh",   SCRIPT_SH  },
        {"dash", SCRIPT_SH  },
        {"ash",  SCRIPT_SH  },
        {"bash", SCRIPT_BASH},
        {"ksh",  SCRIPT_KSH },
    };
    for (size_t i = 0; i < COUNT(known); i++) {
        if (str_eq(program, str_from(known[i].name))) return known[i].language;
    }
    return SCRIPT_NONE;
}

// `#!/bin/bash -e`, `#!/usr/bin/env bash`: what the author had in mind. SCRIPT_NONE: no such line.
static ScriptLanguage language_of_shebang(Str text, bool *is_known) {
    *is_known = true;
    if (!str_starts_with(text, STR("#!"))) {
        *is_known = false;
        return SCRIPT_NONE;
    }
    Str rest = str_slice(text, 2, text.len);
    const size_t end = str_find_char(rest, '\n', 0);
    if (end != STR_NOT_FOUND) rest = str_slice(rest, 0, end);
    rest = str_trim(rest);
    Str word = {0};
    while (str_split(&rest, ' ', &word)) {
        if (word.len == 0 || word.ptr[0] == '-' || str_ends_with(word, STR("/env"))) continue;
        return language_of_program(word);
    }
    return SCRIPT_NONE;
}

static ScriptLanguage language_of_value(const Value *value) {
    if (value->kind == VALUE_TEXT) return language_of_program(value->as.text);
    if (value->kind != VALUE_LIST || value->as.list->count == 0) return SCRIPT_NONE;
    const Value first = value->as.list->items[0];
    return first.kind == VALUE_TEXT ? language_of_program(first.as.text) : SCRIPT_NONE;
}

static ScriptLanguage language_of_node(const Node *node) {
    if (node->type == YAML_LIST && node->items.count > 0) node = node->items.items[0];
    return node->type == YAML_SCALAR ? language_of_program(node->text) : SCRIPT_NONE;
}

// What a task's commands are read by.
static ScriptLanguage shell_of(const Task *task) {
    const Property *os = task_property(task, STR("targetOS"));
    if (os != NULL && !(os->node->type == YAML_SCALAR && (str_eq(os->node->text, STR("AUTO")) ||
                                                          str_eq(os->node->text, STR("LINUX"))))) {
        return SCRIPT_NONE;
    }
    const Property *given = task_property(task, STR("interpreter"));
    if (given != NULL) return language_of_node(given->node);
    const Prop *interpreter = type_prop(task->type, STR("interpreter"));
    if (interpreter != NULL) return language_of_value(&interpreter->default_value);
    // Tools with commands around them run these by `/bin/sh -c`.
    const bool is_shell = type_prop(task->type, STR("beforeCommands")) != NULL;
    return is_shell ? SCRIPT_SH : SCRIPT_NONE;
}

// --- text ---------------------------------------------------------------------------------------

typedef struct Writer {
    Arena *arena;
    Script *script;
    Buffer text;
} Writer;

typedef struct Branches {
    bool is_left_out[OPEN_TAGS_MAX];
    uint32_t count;
} Branches;

static bool is_left_out(const Branches *branches) {
    for (uint32_t i = 0; i < branches->count; i++) {
        if (branches->is_left_out[i]) return true;
    }
    return false;
}

static Str tag_name(Str inside) {
    inside = str_trim(inside);
    size_t end = 0;
    while (end < inside.len && inside.ptr[end] >= 'a' && inside.ptr[end] <= 'z') end++;
    return str_slice(inside, 0, end);
}

static bool opens(Str name) {
    static const char *const names[] = {"if", "for", "macro", "block", "filter", "autoescape"};
    for (size_t i = 0; i < COUNT(names); i++) {
        if (str_eq(name, str_from(names[i]))) return true;
    }
    return false;
}

// False where there are more open tags than anybody writes.
static bool step_tag(Branches *branches, Str name) {
    if (opens(name)) {
        if (branches->count == OPEN_TAGS_MAX) return false;
        branches->is_left_out[branches->count++] = str_eq(name, STR("macro"));
    } else if (str_eq(name, STR("else")) || str_eq(name, STR("elseif"))) {
        if (branches->count > 0) branches->is_left_out[branches->count - 1] = true;
    } else if (str_starts_with(name, STR("end")) && branches->count > 0) {
        branches->count--;
    }
    return true;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// In Python a word may not stand beside a digit; a number may.
static char placeholder(const Writer *writer, Str text, const Piece *piece) {
    if (writer->script->language != SCRIPT_PYTHON) return 'x';
    const bool is_behind = piece->start > 0 && is_digit(text.ptr[piece->start - 1]);
    const bool is_before = piece->end + 1 < text.len && text.ptr[piece->end] == '.' &&
                           is_digit(text.ptr[piece->end + 1]);
    return is_behind || is_before ? '1' : 'x';
}

static void add_blank(Writer *writer, Str text) {
    for (size_t i = 0; i < text.len; i++) {
        buffer_add_char(&writer->text, text.ptr[i] == '\n' ? '\n' : ' ');
    }
}

static void add_gap(Writer *writer, const Piece *piece, char with) {
    const uint32_t at = (uint32_t)writer->text.len;
    *LIST_ADD(writer->arena, &writer->script->gaps, ScriptGap) =
        (ScriptGap){at, at + piece->end - piece->start};
    buffer_add_repeat(&writer->text, with, piece->end - piece->start);
}

static void add_piece(Writer *writer, Str text, const Piece *piece, bool is_out) {
    const Str whole = str_slice(text, piece->start, piece->end);
    switch (piece->kind) {
    case PIECE_TEXT:
        if (is_out) {
            add_blank(writer, whole);
        } else {
            buffer_add(&writer->text, whole);
        }
        break;
    case PIECE_LITERAL:
        if (is_out) {
            add_blank(writer, whole);
            break;
        }
        add_blank(writer, str_slice(text, piece->start, piece->from));
        buffer_add(&writer->text, str_slice(text, piece->from, piece->to));
        add_blank(writer, str_slice(text, piece->to, piece->end));
        break;
    case PIECE_PRINT:
        add_gap(writer, piece, is_out ? ' ' : placeholder(writer, text, piece));
        break;
    case PIECE_TAG:
    case PIECE_COMMENT:
        add_gap(writer, piece, ' ');
        break;
    }
}

// `inputs.x }}`: the braces at its start are missing, which is said already.
static bool has_half_template(Str text) {
    static const char *const roots[] = {"inputs.", "outputs.", "vars.", "trigger.", "taskrun."};
    for (size_t end = str_find(text, STR("}}"), 0); end != STR_NOT_FOUND;
         end = str_find(text, STR("}}"), end + 2)) {
        size_t start = end;
        while (start > 0 && text.ptr[start - 1] != '\n' && text.ptr[start - 1] != '}') start--;
        for (size_t i = 0; i < COUNT(roots); i++) {
            Str line = str_slice(text, start, end);
            if (str_find(line, str_from(roots[i]), 0) != STR_NOT_FOUND) return true;
        }
    }
    return false;
}

// False where the text cannot be read as a template: that is another finding.
static bool add_template(Writer *writer, Str text) {
    Pieces pieces = {0};
    split(text, writer->arena, &pieces);
    Branches branches = {0};
    for (uint32_t i = 0; i < pieces.count; i++) {
        const Piece *piece = &pieces.items[i];
        if (piece->fault != FAULT_NONE) return false;
        if (piece->kind == PIECE_TEXT &&
            has_half_template(str_slice(text, piece->start, piece->end))) {
            return false;
        }
        if (piece->kind == PIECE_TAG) {
            const Str name = tag_name(str_slice(text, piece->from, piece->to));
            if (opens(name)) writer->script->is_sample = true;
            if (!step_tag(&branches, name)) return false;
        }
        add_piece(writer, text, piece, is_left_out(&branches));
    }
    return branches.count == 0;
}

// A copy of a scalar that outlives the tree; `text` is set once all of the script is there.
static Node *copy_scalar(Arena *arena, const Node *node) {
    Node *copy = arena_new(arena, Node);
    copy->type = node->type;
    copy->span = node->span;
    copy->style = node->style;
    copy->text = node->text;
    for (uint32_t i = 0; i < node->runs.count; i++) {
        *LIST_ADD(arena, &copy->runs, ScalarRun) = node->runs.items[i];
    }
    return copy;
}

static bool add_scalar(Writer *writer, const Node *node) {
    if (node->type != YAML_SCALAR) return false;
    if (writer->script->parts.count > 0) buffer_add_char(&writer->text, '\n');
    *LIST_ADD(writer->arena, &writer->script->parts, ScriptPart) =
        (ScriptPart){(uint32_t)writer->text.len, copy_scalar(writer->arena, node)};
    if (!template_has_code(node->text)) {
        if (has_half_template(node->text)) return false;
        buffer_add(&writer->text, node->text);
        return true;
    }
    return add_template(writer, node->text);
}

// The texts of a property: all of them, or none.
static bool add_property(Writer *writer, const Property *property) {
    if (property == NULL) return true;
    if (property->is_default) return false;
    const Node *node = property->node;
    if (node->type == YAML_SCALAR && !node_is_null(node)) return add_scalar(writer, node);
    for (uint32_t i = 0; i < node->items.count; i++) {
        if (!add_scalar(writer, node->items.items[i])) return false;
    }
    return node->type == YAML_LIST;
}

// --- the scripts of a task ----------------------------------------------------------------------

static void finish(Scripts *scripts, Writer *writer) {
    Script *script = writer->script;
    const size_t size = writer->text.len;
    bool is_known = false;
    script->text = buffer_to_str(&writer->text, scripts->arena);
    const ScriptLanguage shebang = language_of_shebang(script->text, &is_known);
    if (is_known && script->language != SCRIPT_PYTHON) script->language = shebang;
    if (size == 0 || size > SCRIPT_SIZE_MAX || script->language == SCRIPT_NONE) return;
    for (uint32_t i = 0; i < script->parts.count; i++) {
        ScriptPart *part = &script->parts.items[i];
        part->scalar->text = str_slice(script->text, part->at, part->at + part->scalar->text.len);
    }
    *LIST_ADD(scripts->arena, &scripts->list, Script *) = script;
}

static void collect(Scripts *scripts, const Task *task, ScriptLanguage language,
                    const char *const *names, size_t count) {
    if (language == SCRIPT_NONE) return;
    Writer writer = {.arena = scripts->arena, .script = arena_new(scripts->arena, Script)};
    writer.script->file = task->id_span.file;
    writer.script->language = language;
    const Property *fast = task_property(task, STR("failFast"));
    writer.script->fails_fast = fast == NULL || !str_eq(fast->node->text, STR("false"));
    writer.script->has_image = task_property(task, STR("containerImage")) != NULL ||
                               task_property(task, STR("docker")) != NULL ||
                               !str_starts_with(task->type->name, STR("io.kestra.plugin.scripts."));
    bool is_whole = true;
    for (size_t i = 0; i < count && is_whole; i++) {
        is_whole = add_property(&writer, task_property(task, str_from(names[i])));
    }
    if (is_whole) finish(scripts, &writer);
    buffer_release(&writer.text);
}

void scripts_collect(Scripts *scripts, const Flow *flow) {
    static const char *const shell[] = {"beforeCommands", "commands", "script"};
    static const char *const before[] = {"beforeCommands"};
    static const char *const script[] = {"script"};
    for (uint32_t i = 0; i < flow->all_tasks.count; i++) {
        const Task *task = flow->all_tasks.items[i];
        if (task->type == NULL) continue;
        const Str name = task->type->name;
        const bool has_commands = type_prop(task->type, STR("commands")) != NULL;
        const bool is_shell_script = str_ends_with(name, STR(".shell.Script"));
        if (has_commands || is_shell_script) {
            collect(scripts, task, shell_of(task), shell, COUNT(shell) - !is_shell_script);
        } else if (type_prop(task->type, STR("beforeCommands")) != NULL) {
            collect(scripts, task, shell_of(task), before, COUNT(before));
        }
        if (str_ends_with(name, STR(".scripts.python.Script"))) {
            collect(scripts, task, SCRIPT_PYTHON, script, COUNT(script));
        }
    }
}

EmbedTools embed_tools(Arena *arena) {
    return (EmbedTools){.shellcheck = tool_find(arena, "shellcheck"),
                        .python = tool_find(arena, "python3")};
}

const char *scripts_missing_tool(const Scripts *scripts, const EmbedTools *tools) {
    for (uint32_t i = 0; i < scripts->list.count; i++) {
        const bool is_python = scripts->list.items[i]->language == SCRIPT_PYTHON;
        if (is_python && tools->python == NULL) return "python3";
        if (!is_python && tools->shellcheck == NULL) return "shellcheck";
    }
    return NULL;
}

Err scripts_check(const Scripts *scripts, const EmbedTools *tools, uint32_t jobs, Diags *diags) {
    if (tools->shellcheck != NULL) TRY(shell_check(scripts, tools->shellcheck, jobs, diags));
    if (tools->python != NULL) TRY(python_check(scripts, tools->python, diags));
    return err_none();
}
