// leaves.c - every leaf of a draft to Lua and bytecode, or to a constant; the source map.
#include <string.h>

#include "base/file.h"
#include "emit/emit.h"
#include "emit/emitter.h"

// --- one leaf -----------------------------------------------------------------------------------

static Operand as_mode(Emitter *emitter, Operand operand, LeafMode mode, ConvertTo convert,
                       Span span) {
    if (mode == LEAF_CONVERT) return emit_convert(emitter, 0, operand, convert, (Str){0}, span);
    if (mode != LEAF_CONDITION) return operand;
    Operands operands = {0};
    operands_add(emitter, &operands, operand);
    return operand_call(emitter, 0, "rt.condition", &operands);
}

static Sink mode_sink(LeafMode mode) {
    switch (mode) {
    case LEAF_TYPED:
        return SINK_TYPED;
    case LEAF_OBJECT:
    case LEAF_CONVERT:
        return SINK_OBJECT;
    case LEAF_TEXT:
    case LEAF_CONDITION:
    case LEAF_PROPERTIES:
        break;
    }
    return SINK_TEXT;
}

// Text around expressions makes a condition true whatever they are.
static Operand condition_operand(Emitter *emitter, const Template *template, Span span) {
    if (template_is_joined(template)) {
        Diag *diag = emit_error(emitter, "E0401", span,
                                "a condition is one expression; several with text between them "
                                "are a text, which is always true");
        diag_note(diag, "join them inside one pair of braces: {{ a and b }}");
    }
    return as_mode(emitter, emit_template_value(emitter, template, SINK_TEXT), LEAF_CONDITION,
                   CONVERT_ANY, span);
}

static Operand leaf_operand(Emitter *emitter, const LeafSpec *spec) {
    const Node *node = spec->node;
    if (spec->mode == LEAF_PROPERTIES) {
        return emit_properties(emitter, spec->properties.items, spec->properties.count);
    }
    if (node == NULL) return operand_lua(emitter, "rt.null");
    if (spec->mode == LEAF_OBJECT) {
        if (spec->schema == NULL) return emit_object(emitter, node, spec->what);
        return emit_property(emitter, node, &spec->schema->type, spec->schema->mode,
                             spec->schema->name);
    }
    if (node->type != YAML_SCALAR) {
        // A list or map where one text was expected: its texts are rendered, the shape is kept.
        Operand object = emit_object(emitter, node, spec->what);
        return as_mode(emitter, object, spec->mode, spec->convert, node->span);
    }
    if (spec->mode == LEAF_CONDITION && node_is_text(node) && template_has_code(node->text)) {
        Template *template = template_parse(emitter->parser, node, emitter->diags);
        return condition_operand(emitter, template, node->span);
    }
    Sink sink = mode_sink(spec->mode);
    Operand operand = node_is_text(node) || sink == SINK_TEXT || node_is_null(node)
                          ? emit_scalar(emitter, node, sink)
                          : emit_literal(emitter, node->value);
    Str what = spec->what;
    if (spec->mode == LEAF_CONVERT) {
        return emit_convert(emitter, 0, operand, spec->convert, what, node->span);
    }
    return as_mode(emitter, operand, spec->mode, spec->convert, node->span);
}

static void emit_leaf(Emitter *emitter, const LeafSpec *spec, EmittedLeaf *out) {
    Frame frame = {.letter = 's'};
    emitter->frame = &frame;
    emitter->uses_context = emitter->uses_world = emitter->has_error = false;
    Operand result = leaf_operand(emitter, spec);
    out->lua = emit_chunk(emitter, result);
    buffer_release(&frame.code);
    emitter->frame = NULL;
    if (emitter->has_error) return;

    Buffer bytecode = {0};
    Err err = leaf_compile_lua(out->lua, spec->what, &bytecode);
    if (err.code == ERR_NONE) {
        out->bytecode = buffer_to_str(&bytecode, emitter->arena);
    } else {
        Span span = spec->node != NULL   ? spec->node->span
                    : spec->task != NULL ? spec->task->id_span
                                         : (Span){0};
        diag_add(emitter->diags, "E0002", DIAG_ERROR, span,
                 "the expressions of " STR_FMT " are too large to be compiled: %s",
                 STR_ARG(spec->what), err.text);
    }
    buffer_release(&bytecode);
}

// --- the source map -----------------------------------------------------------------------------

static SourceMapEntry map_entry(const Sources *sources, Span span) {
    SourceMapEntry entry = {.start = span.start, .len = span.len};
    if (sources == NULL || span.file >= sources->list.count) return entry;
    Position position =
        source_position(sources_get(sources, span.file), span.start, POSITION_POINTS);
    entry.line = position.line;
    entry.column = position.column;
    return entry;
}

static void map_sources(const Emitter *emitter, const PlanDraft *draft, const Sources *sources,
                        Arena *arena, SourceMap *map) {
    SourceMapEntry *sites = arena_array(arena, SourceMapEntry, emitter->sites.count);
    for (uint32_t i = 0; i < emitter->sites.count; i++) {
        sites[i] = map_entry(sources, emitter->sites.items[i]);
    }
    SourceMapEntry *nodes = arena_array(arena, SourceMapEntry, draft->node_spans.count);
    for (uint32_t i = 0; i < draft->node_spans.count; i++) {
        nodes[i] = map_entry(sources, draft->node_spans.items[i]);
    }
    *map = (SourceMap){.sites = sites,
                       .site_count = emitter->sites.count,
                       .nodes = nodes,
                       .node_count = draft->node_spans.count};
    if (sources != NULL && draft->flow->file < sources->list.count) {
        map->file = path_name(sources_get(sources, draft->flow->file)->name);
    }
}

// --- all leaves ---------------------------------------------------------------------------------

void emit_leaves_with_facts(PlanDraft *draft, const Sources *sources, Arena *arena, Diags *diags,
                            EmittedLeaf **leaves, SourceMap *map, Facts *facts) {
    Emitter emitter = {.arena = arena,
                       .diags = diags,
                       .parser = expr_parser_new(arena),
                       .flow = draft->flow,
                       .literals = draft->literals,
                       .catalog = draft->catalog,
                       .is_2_0 = draft->flow->targets == TARGET_2_0};
    expr_parser_set_2_0(emitter.parser, emitter.is_2_0);
    EmittedLeaf *out = arena_array(arena, EmittedLeaf, draft->leaves.count);
    uint32_t number = 0;
    Buffer json = {0};
    for (uint32_t i = 0; i < draft->leaves.count; i++) {
        const LeafSpec *spec = &draft->leaves.items[i];
        uint32_t sites = emitter.sites.count;
        emitter.facts.is_of_trigger = spec->is_of_trigger;
        emit_leaf(&emitter, spec, &out[i]);
        if (out[i].bytecode.len == 0) continue;
        buffer_clear(&json);
        if (!draft->no_fold && !emitter.uses_context && !emitter.uses_world &&
            fold(&emitter, out[i].bytecode, &json)) {
            *spec->target = PLAN_CONSTANT | draft_text(draft, buffer_to_str(&json, arena));
            out[i].bytecode = (Str){0};
            emitter.sites.count = sites;
            continue;
        }
        *spec->target = ++number;
    }
    draft->plan.leaf_count = number;
    draft->plan.strings = buffer_str(&draft->strings);
    buffer_release(&json);
    leaf_vm_free(emitter.machine);
    expr_parser_free(emitter.parser);
    map_sources(&emitter, draft, sources, arena, map);
    *leaves = out;
    *facts = emitter.facts;
}

void emit_leaves(PlanDraft *draft, const Sources *sources, Arena *arena, Diags *diags,
                 EmittedLeaf **leaves, uint32_t *count, SourceMap *map) {
    Facts facts = {0};
    emit_leaves_with_facts(draft, sources, arena, diags, leaves, map, &facts);
    *count = draft->leaves.count;
}

typedef struct Alone {  // what stands in no flow
    Frame frame;
    Emitter emitter;
    uint32_t before;  // findings
} Alone;

static void alone_init(Alone *alone, Arena *arena, Diags *diags, bool is_2_0) {
    *alone = (Alone){.frame = {.letter = 's'}, .before = diags->list.count};
    alone->emitter = (Emitter){
        .arena = arena, .diags = diags, .parser = expr_parser_new(arena), .frame = &alone->frame};
    alone->emitter.is_2_0 = is_2_0;
    expr_parser_set_2_0(alone->emitter.parser, is_2_0);
}

static Err alone_end(Alone *alone, Operand result, Str *lua) {
    const Diags *diags = alone->emitter.diags;
    *lua = emit_chunk(&alone->emitter, result);
    buffer_release(&alone->frame.code);
    expr_parser_free(alone->emitter.parser);
    leaf_vm_free(alone->emitter.machine);
    if (!alone->emitter.has_error) return err_none();
    if (diags->list.count == alone->before) {
        return err_make(ERR_INPUT, "the template has errors");
    }
    return err_make(ERR_INPUT, STR_FMT, STR_ARG(diags->list.items[alone->before]->message));
}

Err emit_template(const Template *tpl, LeafMode mode, ConvertTo convert, Arena *arena, Diags *diags,
                  Str *lua) {
    Alone alone;
    alone_init(&alone, arena, diags, tpl->is_2_0);
    if (mode == LEAF_CONDITION) {
        Span span = tpl->parts.count > 0 ? tpl->parts.items[0]->span : (Span){0};
        return alone_end(&alone, condition_operand(&alone.emitter, tpl, span), lua);
    }
    Operand operand = emit_template_value(&alone.emitter, tpl, mode_sink(mode));
    return alone_end(&alone, as_mode(&alone.emitter, operand, mode, convert, (Span){0}), lua);
}

Err emit_node(const Node *node, LeafMode mode, ConvertTo convert, bool is_2_0, Arena *arena,
              Diags *diags, Str *lua) {
    Alone alone;
    LeafSpec spec = {.mode = mode, .node = node, .convert = convert};
    alone_init(&alone, arena, diags, is_2_0);
    return alone_end(&alone, leaf_operand(&alone.emitter, &spec), lua);
}
