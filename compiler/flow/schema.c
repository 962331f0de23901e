// schema.c - what is written against what the catalog says: unknown, misplaced, missing, old,
// mistyped.
//
// A finding is an error only where every fact it rests on is certain (Level.is_certain). What came
// from plugin defaults is judged where the defaults stand, not at each place that uses them. Holes
// and absent values give no finding.
#include "flow/internal.h"

const char *kind_word(TypeKind kind) {
    switch (kind) {
    case KIND_TASK:
        return "task";
    case KIND_TRIGGER:
        return "trigger";
    case KIND_CONDITION:
        return "condition";
    case KIND_RUNNER:
        return "task runner";
    case KIND_ASSET:
        return "asset";
    case KIND_ADDITIONAL:
        return "plugin";
    case KIND_CHART:
        return "chart";
    case KIND_FILTER:
        return "data filter";
    case KIND_STORAGE:
        return "storage";
    case KIND_LOG_EXPORTER:
        return "log exporter";
    case KIND_ASSET_EXPORTER:
        return "asset exporter";
    case KIND_COUNT:
        break;
    }
    return "type";
}

DiagLevel level_weight(const Level *level) {
    return level->is_certain ? DIAG_ERROR : DIAG_WARNING;
}

static bool prop_answers_to(const Prop *prop, Str name) {
    if (str_eq(prop->name, name)) return true;
    for (uint32_t i = 0; i < prop->alias_count; i++) {
        if (str_eq(prop->aliases[i], name)) return true;
    }
    return false;
}

const Prop *level_prop(const Level *level, Str name) {
    for (uint32_t i = 0; i < level->prop_count; i++) {
        if (prop_answers_to(&level->props[i], name)) return &level->props[i];
    }
    return NULL;
}

Level level_of_type(const TaskType *type, bool is_versioned, const Level *up) {
    uint32_t doubtful = TYPE_INFERRED | TYPE_AS_OF | TYPE_OPEN;
    return (Level){
        .up = up,
        .props = type->props,
        .prop_count = type->prop_count,
        .name = type->name,
        .is_certain =
            (type->flags & doubtful) == 0 && !is_versioned && (up == NULL || up->is_certain),
        .is_enforced = true,
        .is_open = (type->flags & TYPE_OPEN) != 0,
    };
}

// An object one level down that knows the name: where it was probably meant to stand.
static const Prop *prop_with_member(const Level *level, Str name) {
    for (uint32_t i = 0; i < level->prop_count; i++) {
        const PropType *type = &level->props[i].type;
        if (type->kind != T_OBJECT || (level->props[i].flags & PROP_HIDDEN) != 0) continue;
        if (type->def != NULL && def_prop(type->def, name) != NULL) return &level->props[i];
    }
    return NULL;
}

// A type below `node` that knows the name: the property stands further out than it should.
static const TaskType *inner_type(Builder *builder, const Node *node, Str name, uint32_t depth) {
    if (depth > SYNTAX_DEPTH_MAX) return NULL;
    const TaskType *found = NULL;
    const Node *type_node = depth == 0 ? NULL : node_get(node, STR("type"));
    if (type_node != NULL && type_node->type == YAML_SCALAR) {
        const TaskType *type = catalog_find(builder->catalog, type_node->text, &(bool){false});
        if (type != NULL && node_get(node, name) == NULL) {
            Level level = level_of_type(type, false, NULL);
            if (level_prop(&level, name) != NULL) return type;
        }
    }
    for (uint32_t i = 0; i < node->items.count && found == NULL; i++) {
        found = inner_type(builder, node->items.items[i], name, depth + 1);
    }
    for (uint32_t i = 0; i < node->entries.count && found == NULL; i++) {
        found = inner_type(builder, node->entries.items[i].value, name, depth + 1);
    }
    return found;
}

// What an unknown key was meant to be: another name, or the same one elsewhere.
typedef struct Meant {
    Str name;         // of a property that is not there yet; "" where none is near
    Str owner;        // of the object that knows the key; "" where there is none
    const char *way;  // to it
} Meant;

static Meant what_was_meant(Builder *builder, const Node *map, const Node *key,
                            const Level *level) {
    if (builder->guesses++ >= GUESSES_MAX) return (Meant){0};
    Nearest nearest = nearest_to(key->text);
    for (uint32_t i = 0; i < level->prop_count; i++) {
        const Prop *prop = &level->props[i];
        if ((prop->flags & PROP_HIDDEN) == 0 && node_get(map, prop->name) == NULL) {
            nearest_offer(&nearest, prop->name);
        }
    }
    Meant meant = {.name = nearest.name};
    // One letter away is a slip; further away, what bears the very name is more likely.
    if (nearest.best <= 1) return meant;
    for (const Level *up = level->up; up != NULL; up = up->up) {
        if (level_prop(up, key->text) == NULL) continue;
        return (Meant){.owner = up->name, .way = "further out"};
    }
    const Prop *inner = prop_with_member(level, key->text);
    if (inner != NULL) return (Meant){.owner = inner->name, .way = "one level down"};
    const TaskType *type = inner_type(builder, map, key->text, 0);
    if (type != NULL) return (Meant){.owner = type->name, .way = "further in"};
    return meant;
}

static Diag *report_unknown(Builder *builder, const Node *key, const Level *level) {
    return diag_add(builder->diags, "E0101", level_weight(level), key->span,
                    "unknown property '" STR_FMT "' of '" STR_FMT "'", STR_ARG(key->text),
                    STR_ARG(level->name));
}

// `mesage` next to `message`.
static void note_given(Diag *diag, const Node *map, const Node *key, const Level *level) {
    Nearest nearest = nearest_to(key->text);
    for (uint32_t i = 0; i < level->prop_count; i++) nearest_offer(&nearest, level->props[i].name);
    const NodeEntry *given = nearest.best > 1 ? NULL : node_entry(map, nearest.name);
    if (given == NULL) return;
    diag_label(diag, given->key->span, "'" STR_FMT "' is given here already",
               STR_ARG(nearest.name));
}

void schema_unknown(Builder *builder, const Node *map, const Node *key, const Level *level) {
    if (level->is_open || flow_span_is_default(builder->flow, key->span)) return;
    if (moved_out(builder, map, key, level)) return;
    Diag *diag = report_unknown(builder, key, level);
    Meant meant = what_was_meant(builder, map, key, level);
    if (meant.owner.len > 0) {
        diag_note(diag, "'" STR_FMT "' belongs to '" STR_FMT "', %s", STR_ARG(key->text),
                  STR_ARG(meant.owner), meant.way);
    } else {
        diag_suggest(diag, meant.name);
        if (meant.name.len == 0) note_given(diag, map, key, level);
    }
    *LIST_ADD(builder->arena, &builder->strays, Str) = key->text;
}

static void read_as(Builder *builder, Node *key, Str name, const Level *level) {
    diag_suggest(report_unknown(builder, key, level), name);
    key->text = name;
}

void schema_mend(Builder *builder, const Node *map, const Level *level) {
    if (level->is_open || !level->is_certain) return;
    for (uint32_t i = 0; i < map->entries.count; i++) {
        Node *key = map->entries.items[i].key;
        if (level_prop(level, key->text) != NULL || moved_out(builder, map, key, level)) continue;
        if (flow_span_is_default(builder->flow, key->span)) continue;
        Meant meant = what_was_meant(builder, map, key, level);
        if (meant.name.len > 0) read_as(builder, key, meant.name, level);
    }
}

void schema_mend_word(Builder *builder, const Node *map, Str owner, Str name) {
    const Level level = {.name = owner, .is_certain = true};
    if (node_get(map, name) != NULL) return;
    for (uint32_t i = 0; i < map->entries.count; i++) {
        Node *key = map->entries.items[i].key;
        Nearest nearest = nearest_to(key->text);
        nearest_offer(&nearest, name);
        if (nearest.name.len == 0 || map->entries.items[i].value->type != YAML_SCALAR) continue;
        if (flow_span_is_default(builder->flow, key->span)) continue;
        read_as(builder, key, name, &level);
        return;
    }
}

void schema_mend_head(Builder *builder, const Node *map, Str owner) {
    schema_mend_word(builder, map, owner, STR("id"));
    schema_mend_word(builder, map, owner, STR("type"));
}

void schema_settle(Builder *builder) {
    for (uint32_t i = 0; i < builder->missing.count; i++) {
        const Missing *missing = &builder->missing.items[i];
        bool is_stray = false;
        for (uint32_t k = 0; k < builder->strays.count && !is_stray; k++) {
            is_stray = str_eq(builder->strays.items[k], missing->name);
        }
        if (is_stray) diag_take_back(missing->diag);
        // What is written there, or would be, reads who knows what.
        if (missing->is_dynamic) builder->flow->has_gaps = true;
    }
}

static void renamed(Builder *builder, const Node *key, const Prop *prop) {
    Diag *diag = diag_add(builder->diags, "W0109", DIAG_WARNING, key->span,
                          "property '" STR_FMT "' is now called '" STR_FMT "'", STR_ARG(key->text),
                          STR_ARG(prop->name));
    DiagSuggestion *fix = diag_suggestion(diag, true, "write '" STR_FMT "'", STR_ARG(prop->name));
    diag_edit(diag, fix, key->span, prop->name);
}

// 2.0's name of a property that the base language spells otherwise.
static const char *new_name_of(Str type, Str name) {
    static const struct {
        const char *type, *old, *now;
    } renames[] = {
        {"",       "maxAttempt",   "maxAttempts"   },
        {"",       "minLogLevel",  "logLevel"      },
        {"flow",   "taskDefaults", "pluginDefaults"},
        {".Pause", "delay",        "pauseDuration" },
        {"Input",  "name",         "id"            },
        {"Input",  "options",      "values"        },
    };
    for (size_t i = 0; i < COUNT(renames); i++) {
        if (str_eq(name, str_from(renames[i].old)) &&
            str_ends_with(type, str_from(renames[i].type))) {
            return renames[i].now;
        }
    }
    return NULL;
}

// What stands under an old name is fine under the new one in every target.
static void offer_name(Builder *builder, Diag *diag, const Node *key, Str type, Str now) {
    if (now.len == 0) return;
    if ((catalog_absent_in(builder->catalog, type, now) & builder->options->targets) != 0) return;
    DiagSuggestion *fix = diag_suggestion(diag, true, "write '" STR_FMT "'", STR_ARG(now));
    diag_edit(diag, fix, key->span, now);
}

// 2.0 has no old names: what is a warning for others is an error there. False where no target says
// so.
static bool is_gone(Builder *builder, const Node *key, const Level *level, const char *now) {
    if ((builder->options->targets & TARGET_2_0) == 0) return false;
    // The flow's own are reported with it.
    if (str_eq(key->text, STR("taskDefaults"))) return true;
    Diag *diag = diag_add(builder->diags, "E0111", DIAG_ERROR, key->span,
                          "property '" STR_FMT "' is called '%s' in 2.0", STR_ARG(key->text), now);
    diag->targets = TARGET_2_0;
    offer_name(builder, diag, key, level->name, str_from(now));
    return true;
}

// Still taken in 2.0, under another name from then on: only who writes for 2.0 alone can change it.
static void is_old_in_target(Builder *builder, const Node *key, const Prop *prop,
                             const Level *level) {
    const uint32_t targets = builder->options->targets;
    const uint32_t old = catalog_deprecated_in(builder->catalog, level->name, prop->name);
    if (targets == 0 || (old & targets) != targets) return;
    Str now = catalog_replacement(builder->catalog, level->name, prop->name);
    const size_t blank = str_find_char(now, ' ', 0);
    if (blank != STR_NOT_FOUND) now = str_slice(now, 0, blank);
    Diag *diag = diag_add(builder->diags, "W0109", DIAG_WARNING, key->span,
                          "property '" STR_FMT "' of '" STR_FMT "' is called '" STR_FMT
                          "' in the target version",
                          STR_ARG(prop->name), STR_ARG(level->name), STR_ARG(now));
    // Another name for the same, not another way to say it; Kestra 2.0.0 itself knows the old one
    // only, so no fix that is applied unasked.
    if (!str_eq(prop->name, STR("runIf"))) return;
    DiagSuggestion *fix = diag_suggestion(diag, false, "write '" STR_FMT "'", STR_ARG(now));
    diag_edit(diag, fix, key->span, now);
}

// A value that a target no longer takes.
static void check_old_value(Builder *builder, const Node *node, const Prop *prop,
                            const Level *level) {
    if (node->type != YAML_SCALAR) return;
    const uint32_t absent =
        builder->options->targets &
        catalog_value_absent_in(builder->catalog, level->name, prop->name, node->text);
    if (absent == 0) return;
    Diag *diag =
        diag_add(builder->diags, "E0111", DIAG_ERROR, node->span,
                 "'" STR_FMT "' does not exist in the target version", STR_ARG(node->text));
    diag->targets = absent;
    const Str use = catalog_replacement(builder->catalog, level->name, prop->name);
    if (use.len == 0) return;
    DiagSuggestion *fix = diag_suggestion(diag, true, "write '" STR_FMT "'", STR_ARG(use));
    diag_edit(diag, fix, scalar_span(node, 0, (uint32_t)node->text.len), use);
}

// `extension: .csv` of a FILE: one of `allowedFileExtensions`.
static void offer_extensions(const NodeEntry *entry, Diag *diag) {
    const Node *value = entry->value;
    if (!str_eq(entry->key->text, STR("extension")) || value->type != YAML_SCALAR) return;
    if (value->style != SCALAR_PLAIN && value->style != SCALAR_DOUBLE &&
        value->style != SCALAR_SINGLE) {
        return;
    }
    DiagSuggestion *fix = diag_suggestion(diag, true, "write 'allowedFileExtensions'");
    diag_edit(diag, fix, entry->key->span, STR("allowedFileExtensions"));
    const Span at = value->span;
    diag_edit(diag, fix, (Span){at.file, at.start, 0}, STR("["));
    diag_edit(diag, fix, (Span){at.file, at.start + at.len, 0}, STR("]"));
}

// "exists from 2.0 on" where a target lacks what a later one has, else that it is gone.
static const char *absence(uint32_t absent, uint32_t targets) {
    bool comes_later = (absent & TARGET_2_0) == 0 && (targets & absent & TARGET_1_3) != 0;
    return comes_later ? "exists from 2.0 on" : "does not exist in the target version";
}

void schema_known(Builder *builder, const NodeEntry *entry, const Prop *prop, const Level *level) {
    const Node *key = entry->key;
    if (flow_span_is_default(builder->flow, key->span)) return;
    uint32_t absent = catalog_absent_in(builder->catalog, level->name, prop->name);
    Str owner = level->name;
    if (absent == 0 && level->def.len > 0) {
        owner = level->def;
        absent = catalog_absent_in(builder->catalog, owner, prop->name);
    }
    if ((absent & builder->options->targets) != 0) {
        Diag *diag =
            diag_add(builder->diags, "E0111", DIAG_ERROR, key->span, "property '" STR_FMT "' %s",
                     STR_ARG(prop->name), absence(absent, builder->options->targets));
        diag->targets = absent & builder->options->targets;
        const char *now = new_name_of(level->name, key->text);
        if (now != NULL) {
            offer_name(builder, diag, key, level->name, str_from(now));
            return;
        }
        Str use = catalog_replacement(builder->catalog, owner, prop->name);
        if (use.len > 0) diag_note(diag, "use instead: " STR_FMT, STR_ARG(use));
        migrate_property(builder, entry, prop, level, diag);
        return;
    }
    check_old_value(builder, entry->value, prop, level);
    if ((prop->flags & PROP_EXTENSION) != 0) {
        diag_add(builder->diags, "W0114", DIAG_WARNING, key->span,
                 "property '" STR_FMT "' of '" STR_FMT "' is an extension that only flowc knows",
                 STR_ARG(prop->name), STR_ARG(level->name));
    }
    if (!str_eq(key->text, prop->name)) {
        renamed(builder, key, prop);
        return;
    }
    const char *now = new_name_of(level->name, key->text);
    if (now != NULL && is_gone(builder, key, level, now)) return;
    if (now != NULL) {
        Prop as = {.name = str_from(now)};
        renamed(builder, key, &as);
    } else if ((prop->flags & PROP_DEPRECATED) != 0) {
        const bool is_input = str_eq(level->name, STR("Input"));
        const bool is_removed = is_input && (builder->options->targets & TARGET_2_0) != 0;
        Diag *diag = diag_add(builder->diags, is_removed ? "E0111" : "W0109",
                              is_removed ? DIAG_ERROR : DIAG_WARNING, key->span,
                              is_removed ? "property '" STR_FMT "' of '" STR_FMT "' is gone in 2.0"
                                         : "property '" STR_FMT "' of '" STR_FMT "' is deprecated",
                              STR_ARG(prop->name), STR_ARG(level->name));
        if (is_removed) diag->targets = TARGET_2_0;
        if (is_input) offer_extensions(entry, diag);
    } else {
        is_old_in_target(builder, key, prop, level);
    }
}

// `key:` without a value where any text will do.
static bool is_empty_text(const Node *node, const Prop *prop, const Level *level) {
    if (!node_is_nothing(node) || (prop->flags & PROP_NON_BLANK) != 0) return false;
    // What names something is never empty.
    if (str_eq(prop->name, STR("id")) || str_eq(prop->name, STR("type"))) return false;
    if (str_eq(prop->name, STR("namespace")) && str_eq(level->name, STR("flow"))) return false;
    if (prop->type.kind == T_STRING) return true;
    if (prop->type.kind != T_ANY) return false;
    bool is_text = prop->any_of_count == 0;
    for (uint32_t i = 0; i < prop->any_of_count; i++) {
        const PropType *type = &prop->any_of[i];
        is_text = is_text || (type->kind == T_LIST && type->item->kind == T_STRING);
    }
    return is_text;
}

void schema_missing(Builder *builder, const Level *level, Span at, Str owner,
                    const Node *(*find)(const void *self, Str name), const void *self) {
    if (builder->flow->has_holes) return;
    for (uint32_t i = 0; i < level->prop_count; i++) {
        const Prop *prop = &level->props[i];
        const uint32_t targets = builder->options->targets & TARGET_2_0;
        const bool is_required = (prop->flags & PROP_REQUIRED) != 0;
        const uint32_t due =
            is_required || targets == 0
                ? 0
                : targets & catalog_required_in(builder->catalog, level->name, prop->name);
        if (!is_required && due == 0) continue;
        bool found = !node_is_absent(find(self, prop->name));
        for (uint32_t k = 0; k < prop->alias_count && !found; k++) {
            found = !node_is_absent(find(self, prop->aliases[k]));
        }
        if (found) continue;
        if (is_required && is_empty_text(find(self, prop->name), prop, level)) {
            Node *node = (Node *)find(self, prop->name);
            node->resolved = YAML_SCALAR_TEXT;  // as the server reads it, and runs it
            node->value = value_text((Str){0});
            diag_add(builder->diags, "E0102", DIAG_WARNING, node->span,
                     "property '" STR_FMT "' of " STR_FMT " has no value: it is an empty text",
                     STR_ARG(prop->name), STR_ARG(owner));
            continue;
        }
        DiagLevel severity = level->is_certain && level->is_enforced ? DIAG_ERROR : DIAG_WARNING;
        Missing *missing = LIST_ADD(builder->arena, &builder->missing, Missing);
        missing->name = prop->name;
        missing->is_dynamic = prop->mode != MODE_STATIC;
        missing->diag = diag_add(builder->diags, "E0102", severity, at,
                                 "property '" STR_FMT "' of " STR_FMT " is missing",
                                 STR_ARG(prop->name), STR_ARG(owner));
        missing->diag->targets = due;
    }
}

static const Node *map_value(const void *self, Str name) {
    return node_get(self, name);
}

void schema_members(Builder *builder, const Node *map, const Level *level, const char *const *skip,
                    uint32_t skip_count) {
    schema_mend(builder, map, level);
    for (uint32_t i = 0; i < map->entries.count; i++) {
        const NodeEntry *entry = &map->entries.items[i];
        const Prop *prop = level_prop(level, entry->key->text);
        if (prop == NULL) {
            schema_unknown(builder, map, entry->key, level);
            continue;
        }
        schema_known(builder, entry, prop, level);
        bool is_skipped = false;
        for (uint32_t k = 0; k < skip_count; k++) {
            is_skipped = is_skipped || str_eq(entry->key->text, str_from(skip[k]));
        }
        if (!is_skipped) schema_value(builder, entry->value, prop, &prop->type, level);
    }
    Span at = map->entries.count > 0 && !map->is_flow ? map->entries.items[0].key->span : map->span;
    Str owner = str_printf(builder->arena, "'" STR_FMT "'", STR_ARG(level->name));
    schema_missing(builder, level, at, owner, map_value, map);
}

// --- types --------------------------------------------------------------------------------------

// The loops of 1.x that 2.0 made one.
static bool type_is_loop(const TaskType *type) {
    return str_eq(type->name, STR("io.kestra.plugin.core.flow.ForEach")) ||
           str_eq(type->name, STR("io.kestra.plugin.core.flow.EachSequential")) ||
           str_eq(type->name, STR("io.kestra.plugin.core.flow.EachParallel"));
}

static void type_is_old(Builder *builder, const Node *node, const TaskType *type, bool is_alias) {
    uint32_t absent = catalog_absent_in(builder->catalog, type->name, (Str){0});
    // Loops are rewritten with what reads their values: by a rule.
    if (type_is_loop(type) && builder->flow != NULL && (absent & builder->options->targets) != 0) {
        return;
    }
    const uint32_t gone = absent;
    if (is_alias) absent |= TARGET_2_0;
    const char *how = absence(absent, builder->options->targets);
    absent &= builder->options->targets;
    if (absent != 0) {
        Diag *diag = diag_add(builder->diags, "E0111", DIAG_ERROR, node->span,
                              "type '" STR_FMT "' %s", STR_ARG(node->text), how);
        diag->targets = absent;
        Str use =
            is_alias ? type->name : catalog_replacement(builder->catalog, type->name, (Str){0});
        if (is_alias && (gone & builder->options->targets) == 0) {
            DiagSuggestion *fix = diag_suggestion(diag, true, "write the new name");
            diag_edit(diag, fix, scalar_span(node, 0, (uint32_t)node->text.len), type->name);
        } else if (use.len > 0) {
            diag_note(diag, "use instead: " STR_FMT, STR_ARG(use));
        }
        return;
    }
    if (is_alias) {
        Diag *diag = diag_add(builder->diags, "W0108", DIAG_WARNING, node->span,
                              "'" STR_FMT "' is an old name of '" STR_FMT "'", STR_ARG(node->text),
                              STR_ARG(type->name));
        DiagSuggestion *fix = diag_suggestion(diag, true, "write the new name");
        diag_edit(diag, fix, scalar_span(node, 0, (uint32_t)node->text.len), type->name);
    } else if ((type->flags & TYPE_DEPRECATED) != 0) {
        diag_add(builder->diags, "W0108", DIAG_WARNING, node->span,
                 "type '" STR_FMT "' is deprecated", STR_ARG(type->name));
    }
    if ((type->flags & TYPE_EXTENSION) != 0) {
        diag_add(builder->diags, "W0114", DIAG_WARNING, node->span,
                 "type '" STR_FMT "' is an extension that only flowc knows", STR_ARG(type->name));
    }
}

static bool is_external(const Builder *builder, Str type) {
    for (uint32_t i = 0; i < builder->options->external_count; i++) {
        if (str_starts_with(type, builder->options->externals[i])) return true;
    }
    return false;
}

const TaskType *schema_type(Builder *builder, const Node *node, TypeKind kind) {
    if (node_is_absent(node)) return NULL;
    bool is_alias = false;
    bool is_quiet = flow_span_is_default(builder->flow, node->span);
    const bool is_word = node->type == YAML_SCALAR;
    if (!is_quiet && (!is_word || template_has_code(node->text))) {
        const char *why = is_word
                              ? "is read when the flow is saved: a template is not rendered here"
                              : "must be the name of a type";
        diag_add(builder->diags, "E0104", DIAG_ERROR, node->span, "'type' %s", why);
    }
    if (!is_word) return NULL;
    const TaskType *type = catalog_find(builder->catalog, node->text, &is_alias);
    if (type == NULL) {
        if (template_has_code(node->text) || is_quiet || is_external(builder, node->text)) {
            return NULL;
        }
        DiagLevel severity = builder->options->unknown_types_warn ? DIAG_WARNING : DIAG_ERROR;
        Diag *diag =
            diag_add(builder->diags, "E0103", severity, node->span, "unknown %s type '" STR_FMT "'",
                     kind_word(kind), STR_ARG(node->text));
        if (builder->guesses++ < GUESSES_MAX) {
            diag_suggest(diag, catalog_nearest(builder->catalog, kind, node->text));
        }
        return NULL;
    }
    if (is_quiet) return type;
    if ((type->flags & TYPE_INTERNAL) != 0) {
        diag_add(builder->diags, "E0103", DIAG_ERROR, node->span,
                 "type '" STR_FMT "' is internal and may not be written in a flow",
                 STR_ARG(node->text));
        return NULL;
    }
    if (kind != KIND_COUNT && type->kind != kind) {
        diag_add(builder->diags, "E0112", DIAG_ERROR, node->span,
                 "'" STR_FMT "' is a %s, a %s is needed here", STR_ARG(node->text),
                 kind_word(type->kind), kind_word(kind));
        return NULL;
    }
    type_is_old(builder, node, type, is_alias);
    return type;
}
