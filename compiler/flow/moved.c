// moved.c - a line in a column between two levels: to which of them it belongs, the schema knows.
//
// Recovery puts it into the nearer one (E0012). Where that does not know the key and one around it
// does, the finding is turned to that one, and nothing is said of the key where it stands now.
#include "flow/internal.h"

static Diag *finding_at(const Builder *builder, Span key) {
    const Diags *diags = builder->diags;
    for (uint32_t i = diags->list.count; i-- > 0;) {
        Diag *diag = diags->list.items[i];
        if (str_eq(str_from(diag->code), STR("E0012")) && diag->span.file == key.file &&
            diag->span.start == key.start) {
            return diag;
        }
    }
    return NULL;
}

static uint32_t column_of(const Tree *tree, uint32_t at) {
    uint32_t start = at;
    while (start > 0 && tree->bytes.ptr[start - 1] != '\n') start--;
    return at - start;
}

static void turn(const Builder *builder, Diag *diag, const Node *outer) {
    if (diag->suggestions.count == 0 || diag->labels.count == 0) return;
    const Span beside = outer->entries.items[0].key->span;
    const uint32_t column = column_of(builder->flow->tree, beside.start);
    DiagSuggestion *suggestion = &diag->suggestions.items[0];
    suggestion->message = str_printf(builder->diags->arena, "indent it by %u blank%s", column,
                                     column == 1 ? "" : "s");
    suggestion->edits.items[0].text = str_printf(builder->diags->arena, "%*s", (int)column, "");
    diag->labels.items[0].span = beside;
    diag->labels.items[0].message =
        str_printf(builder->diags->arena, "what it belongs to begins in column %u", column + 1);
}

// `from` is the map around, `level` what it is.
static bool belongs_to(Builder *builder, const Node *from, const Node *key, const Level *level) {
    Diag *diag = finding_at(builder, key->span);
    if (diag == NULL) return false;
    const uint32_t column = column_of(builder->flow->tree, key->span.start);
    for (const Node *map = from; map != NULL && level != NULL; map = map->parent) {
        if (map->type != YAML_MAP) continue;
        const bool is_free = node_get(map, key->text) == NULL && !map->is_flow;
        if (is_free && level_prop(level, key->text) != NULL && map->entries.count > 0 &&
            column_of(builder->flow->tree, map->entries.items[0].key->span.start) < column) {
            turn(builder, diag, map);
            *LIST_ADD(builder->arena, &builder->strays, Str) = key->text;
            return true;
        }
        level = level->up;
    }
    return false;
}

bool moved_out(Builder *builder, const Node *map, const Node *key, const Level *level) {
    if (builder->flow == NULL || !builder->flow->tree->has_moved) return false;
    return belongs_to(builder, map->parent, key, level->up);
}

void moved_out_of_free(Builder *builder, const Node *map, const Level *level) {
    if (map->type != YAML_MAP || !builder->flow->tree->has_moved) return;
    for (uint32_t i = 0; i < map->entries.count; i++) {
        belongs_to(builder, map->parent, map->entries.items[i].key, level);
    }
}
