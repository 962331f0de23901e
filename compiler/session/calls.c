// calls.c - what is wrong between flows: unknown subflows and their inputs, circles of calls, names
// that two flows have.
//
// What a file says about another is certain only as far as both are those that will be deployed, so
// what may lie outside (an unknown flow) is a warning; a project raises or silences it by its
// rules.
#include <string.h>
#include <sys/stat.h>

#include "rules/rule.h"
#include "session/flows.h"

enum {
    WAY_MAX = 500,  // flows that a circle is looked for among
    SHOWN_MAX = 8,  // flows of a circle that are named
    GUESSES_MAX =
        256,  // names that are compared with one nobody knows: a project may have thousands
};

typedef struct Caller {
    Session *session;
    const Flow *flow;
    uint32_t self;  // its place in the index, or FLOW_NONE
    const Task *task;
    FlowCall call;
} Caller;

// The decoded text, without the quotes around it.
static Span text_span(const Node *scalar) {
    return scalar_span(scalar, 0, (uint32_t)scalar->text.len);
}

static void suggest_maybe(Diag *diag, Str name) {
    if (name.len == 0) return;
    DiagSuggestion *suggestion =
        diag_suggestion(diag, false, "did you mean '" STR_FMT "'?", STR_ARG(name));
    diag_edit(diag, suggestion, diag->span, name);
}

// --- one name, several flows --------------------------------------------------------------------

static bool is_same_file(const KnownFlow *known, Str path) {
    if (str_eq(known->path, path)) return true;
    Arena scratch = {0};
    struct stat status;
    const bool is_same = known->inode != 0 && stat(str_to_c(&scratch, path), &status) == 0 &&
                         (uint64_t)status.st_ino == known->inode &&
                         (uint64_t)status.st_dev == known->device;
    arena_release(&scratch);
    return is_same;
}

static uint32_t find_self(const Session *session, const Flow *flow, uint32_t document) {
    const Str path = sources_get(&session->sources, flow->file)->name;
    uint32_t at = flows_find(session->flows, flow->flow_namespace, flow->id);
    for (; at != FLOW_NONE; at = session->flows->list.items[at].next_same) {
        const KnownFlow *known = &session->flows->list.items[at];
        if (known->document == document && is_same_file(known, path)) return at;
    }
    return FLOW_NONE;
}

// Each pair is reported once: at the later of two that are checked, else at the one that is.
static void check_name(Session *session, const Flow *flow, uint32_t self) {
    if (self == FLOW_NONE) return;
    uint32_t at = flows_find(session->flows, flow->flow_namespace, flow->id);
    for (; at != FLOW_NONE; at = session->flows->list.items[at].next_same) {
        const KnownFlow *other = &session->flows->list.items[at];
        if (at == self || (other->is_given && at > self)) continue;
        const DiagLevel level =
            session->project.exists || session->options.flows.count > 0 ? DIAG_ERROR : DIAG_WARNING;
        Diag *diag = diag_add(&session->diags, "E0201", level, flow->id_span,
                              "flow '" STR_FMT "' is already there in namespace '" STR_FMT "'",
                              STR_ARG(flow->id), STR_ARG(flow->flow_namespace));
        if (other->facts != NULL) diag_label(diag, other->facts->id_span, "first used here");
        diag_note(diag, "of two flows of one name a server keeps the one that comes last");
        return;
    }
}

// --- the flow that is called --------------------------------------------------------------------

static bool is_near(Str wanted, Str name) {
    Nearest nearest = nearest_to(wanted);
    nearest_offer(&nearest, name);
    return nearest.name.len > 0;
}

// Cheaper than a distance: lengths, and how many different bytes there are in one alone.
static bool may_be_near(Str wanted, Str name) {
    const size_t limit = wanted.len / 3 + 1;
    if (wanted.len > name.len + limit || name.len > wanted.len + limit) return false;
    uint64_t in_wanted = 0, in_name = 0;
    for (size_t i = 0; i < wanted.len; i++) in_wanted |= 1ULL << (wanted.ptr[i] & 63);
    for (size_t i = 0; i < name.len; i++) in_name |= 1ULL << (name.ptr[i] & 63);
    return (size_t)__builtin_popcountll(in_wanted ^ in_name) <= limit * 2;
}

// `inputs.x }}`, `a b`: a text that cannot be a name is another mistake.
static bool is_no_name(Str text) {
    for (size_t i = 0; i < text.len; i++) {
        if (strchr(" {}()|'\"", text.ptr[i]) != NULL) return true;
    }
    return false;
}

static void check_unknown(const Caller *caller) {
    const FlowIndex *index = caller->session->flows;
    const FlowCall *call = &caller->call;
    if (is_no_name(call->id) || is_no_name(call->flow_namespace)) return;
    Nearest nearest = nearest_to(call->id);
    Str name_space = {0};
    uint32_t guesses = 0;
    for (uint32_t i = 0; i < index->list.count && guesses < GUESSES_MAX; i++) {
        const KnownFlow *known = &index->list.items[i];
        if (i == caller->self) continue;
        if (str_eq(known->flow_namespace, call->flow_namespace)) {
            if (!may_be_near(call->id, known->id)) continue;
            guesses++;
            nearest_offer(&nearest, known->id);
        } else if (str_eq(known->id, call->id) && name_space.len == 0 &&
                   is_near(call->flow_namespace, known->flow_namespace)) {
            name_space = known->flow_namespace;
        }
    }
    const bool is_namespace = nearest.name.len == 0 && name_space.len > 0 &&
                              !template_has_code(call->namespace_property->node->text);
    const Property *wrong = is_namespace ? call->namespace_property : call->id_property;
    const bool is_guess = nearest.name.len > 0 || is_namespace;
    const DiagLevel level = index->has_places || is_guess ? DIAG_WARNING : DIAG_NOTE;
    Diag *diag = diag_add(&caller->session->diags, "E0209", level, text_span(wrong->node),
                          "no flow '" STR_FMT "' in namespace '" STR_FMT "' is known here",
                          STR_ARG(call->id), STR_ARG(call->flow_namespace));
    suggest_maybe(diag, is_namespace ? name_space : nearest.name);
    if (is_guess) return;
    if (caller->session->project.exists) {
        diag_note(diag, "may flows lie outside of the project? 'unknown-subflow' under 'rules' of "
                        "the project file says how bad that is");
    } else {
        diag_note(diag, "--flows, or 'flows' in a project file, says where flows are found");
    }
}

static void check_disabled(const Caller *caller, const KnownFlow *known) {
    if (!known->facts->is_disabled) return;
    Diag *diag = diag_add(&caller->session->diags, "E0209", DIAG_WARNING,
                          text_span(caller->call.id_property->node),
                          "flow '" STR_FMT "' is disabled: a call of it fails", STR_ARG(known->id));
    diag_label(diag, known->facts->id_span, "this flow is disabled");
}

// --- its inputs ---------------------------------------------------------------------------------

typedef struct Given {
    const Node *map;  // NULL: nothing is given
    bool is_open;     // a key is a template
    Str renamed[16];  // inputs that a misspelt key was meant for
    uint32_t renamed_count;
} Given;

static const InputDecl *find_input(InputDecl *const *inputs, uint32_t count, Str id) {
    for (uint32_t i = 0; i < count; i++) {
        if (str_eq(inputs[i]->id, id)) return inputs[i];
        const InputDecl *child =
            find_input(inputs[i]->children.items, inputs[i]->children.count, id);
        if (child != NULL) return child;
    }
    return NULL;
}

static bool is_renamed(const Given *given, Str id) {
    for (uint32_t i = 0; i < given->renamed_count; i++) {
        if (str_eq(given->renamed[i], id)) return true;
    }
    return false;
}

// By its own name, or inside a map under the name of its form.
static bool is_given(const Given *given, Str id) {
    if (is_renamed(given, id)) return true;
    if (given->map == NULL) return false;
    if (node_entry(given->map, id) != NULL) return true;
    const size_t dot = str_find_char(id, '.', 0);
    if (dot == STR_NOT_FOUND) return false;
    const Node *form = node_get(given->map, str_slice(id, 0, dot));
    return form != NULL &&
           (form->type != YAML_MAP || node_entry(form, str_slice(id, dot + 1, id.len)) != NULL);
}

static bool is_needed(const InputDecl *input) {
    return input->is_required && input->has_type && input->id.len > 0 && input->defaults == NULL &&
           input->prefill == NULL && input->expression == NULL && !input->auto_first &&
           input->condition == NULL && input->depends_on.count == 0;
}

static void offer_inputs(const Given *given, InputDecl *const *inputs, uint32_t count,
                         bool only_needed, Nearest *nearest) {
    for (uint32_t i = 0; i < count; i++) {
        const InputDecl *input = inputs[i];
        offer_inputs(given, input->children.items, input->children.count, only_needed, nearest);
        if (is_given(given, input->id) || (only_needed && !is_needed(input))) continue;
        nearest_offer(nearest, input->id);
    }
}

static void check_unknown_input(const Caller *caller, const FlowFacts *called, Given *given,
                                const Node *key) {
    // A misspelt key leaves the input it was meant for without a value.
    Nearest nearest = nearest_to(key->text);
    offer_inputs(given, called->inputs.items, called->inputs.count, true, &nearest);
    const bool is_needed_one = nearest.name.len > 0;
    if (!is_needed_one) {
        offer_inputs(given, called->inputs.items, called->inputs.count, false, &nearest);
    }
    Diag *diag = diag_add(
        &caller->session->diags, "E0210", is_needed_one ? DIAG_ERROR : DIAG_WARNING, text_span(key),
        "flow '" STR_FMT "' has no input '" STR_FMT "'", STR_ARG(called->id), STR_ARG(key->text));
    if (is_needed_one) {
        diag_suggest(diag, nearest.name);
    } else {
        suggest_maybe(diag, nearest.name);
    }
    if (nearest.name.len > 0) {
        diag_label(diag,
                   find_input(called->inputs.items, called->inputs.count, nearest.name)->id_span,
                   "declared here");
        if (given->renamed_count < COUNT(given->renamed)) {
            given->renamed[given->renamed_count++] = nearest.name;
        }
    } else {
        diag_label(diag, called->id_span, "the flow that is called");
    }
}

// The expression that is all of a text, and a type of which no input of this type can be made.
static const char *impossible_type(InputType type, const Type *given) {
    const bool is_single = type == INPUT_INT || type == INPUT_FLOAT || type == INPUT_DATETIME ||
                           type == INPUT_DATE || type == INPUT_TIME || type == INPUT_DURATION ||
                           type == INPUT_URI;
    if (!is_single && type != INPUT_ARRAY && type != INPUT_MULTISELECT) return NULL;
    if (is_single && type_must_be(given, TYPE_TAG_LIST)) return "list";
    if (type_must_be(given, TYPE_TAG_MAP) || type_must_be(given, TYPE_TAG_RECORD)) return "map";
    if (type_must_be(given, TYPE_TAG_BOOL)) return "boolean";
    const bool is_time = type != INPUT_INT && type != INPUT_FLOAT;
    return is_time && (type_must_be(given, TYPE_TAG_INT) || type_must_be(given, TYPE_TAG_FLOAT))
               ? "number"
               : NULL;
}

static void check_expression(const Caller *caller, const FlowFacts *called, const InputDecl *input,
                             const Node *value) {
    const Checked *checked = caller->flow->checked;
    for (uint32_t i = 0; checked != NULL && i < checked->sites.count; i++) {
        const Site *site = checked->sites.items[i];
        if (site->node != value || site->tpl->sole == NULL) continue;
        const ExprType *type = expr_type(site->tpl->sole);
        if (type == NULL || type->place != NULL || type->typed.source > SOURCE_CATALOG) return;
        const char *word = impossible_type(input->type, type->typed.type);
        if (word == NULL) return;
        Diag *diag =
            diag_add(&caller->session->diags, "E0210", DIAG_ERROR, site->tpl->sole->span,
                     "input '" STR_FMT "' of flow '" STR_FMT "' takes %s, and this is a %s",
                     STR_ARG(input->id), STR_ARG(called->id), input_type_name(input->type), word);
        diag_label(diag, input->type_span, "its type");
        return;
    }
}

static void check_value(const Caller *caller, const FlowFacts *called, const InputDecl *input,
                        const Node *value) {
    Session *session = caller->session;
    if (!input->has_type || node_is_null(value)) return;
    if (value->type == YAML_SCALAR && template_has_code(value->text)) {
        check_expression(caller, called, input, value);
        return;
    }
    ValueFault fault;
    if (!input_type_fault(input, value, &session->arena, &fault) &&
        !input_range_fault(input, value, &session->arena, &fault)) {
        return;
    }
    const bool is_scalar = fault.at->type == YAML_SCALAR;
    Diag *diag = diag_add(&session->diags, "E0210", DIAG_ERROR,
                          is_scalar ? text_span(fault.at) : fault.at->span,
                          "the value of input '" STR_FMT "' of flow '" STR_FMT "' " STR_FMT,
                          STR_ARG(input->id), STR_ARG(called->id), STR_ARG(fault.text));
    diag_suggest(diag, fault.nearest);
    diag_label(diag, fault.because == NULL ? input->type_span : fault.because->span,
               fault.because == NULL ? "its type" : "declared here");
}

// Values under the name of a form are those of its children.
static void check_form(const Caller *caller, const FlowFacts *called, const InputDecl *form,
                       const Node *map) {
    for (uint32_t i = 0; i < form->children.count && map->type == YAML_MAP; i++) {
        const InputDecl *child = form->children.items[i];
        const size_t dot = str_find_char(child->id, '.', 0);
        const Str name =
            dot == STR_NOT_FOUND ? child->id : str_slice(child->id, dot + 1, child->id.len);
        const Node *value = node_get(map, name);
        if (value != NULL) check_value(caller, called, child, value);
    }
}

typedef struct Missing {
    LIST_OF(const InputDecl *) list;
} Missing;

static void gather_missing(const Given *given, InputDecl *const *inputs, uint32_t count,
                           Arena *arena, Missing *out) {
    for (uint32_t i = 0; i < count; i++) {
        const InputDecl *input = inputs[i];
        if (input->children.count > 0) {
            gather_missing(given, input->children.items, input->children.count, arena, out);
        } else if (is_needed(input) && input->type != INPUT_FORM && !is_given(given, input->id)) {
            *LIST_ADD(arena, &out->list, const InputDecl *) = input;
        }
    }
}

static void check_missing(const Caller *caller, const FlowFacts *called, const Given *given,
                          const Property *property) {
    Arena *arena = &caller->session->arena;
    Missing missing = {0};
    gather_missing(given, called->inputs.items, called->inputs.count, arena, &missing);
    if (missing.list.count == 0) return;
    Str names = {0};
    for (uint32_t i = 0; i < missing.list.count; i++) {
        const char *between = i + 1 == missing.list.count ? " and " : ", ";
        if (i == 0) between = "";
        names = str_printf(arena, STR_FMT "%s'" STR_FMT "'", STR_ARG(names), between,
                           STR_ARG(missing.list.items[i]->id));
    }
    const bool is_written = property != NULL && !property->is_default;
    const Span at = is_written ? property->name_span : text_span(caller->call.id_property->node);
    Diag *diag = diag_add(&caller->session->diags, "E0210", DIAG_ERROR, at,
                          "flow '" STR_FMT "' needs the input%s " STR_FMT ", which %s not given",
                          STR_ARG(called->id), missing.list.count > 1 ? "s" : "", STR_ARG(names),
                          missing.list.count > 1 ? "are" : "is");
    for (uint32_t i = 0; i < missing.list.count; i++) {
        diag_label(diag, missing.list.items[i]->id_span, "it has no default");
    }
}

static void check_inputs(const Caller *caller, const FlowFacts *called) {
    const Property *property = task_property(caller->task, STR("inputs"));
    Given given = {.map = property == NULL || node_is_null(property->node) ? NULL : property->node};
    if (called->has_holes || caller->flow->has_holes) return;
    if (given.map != NULL && given.map->type != YAML_MAP) return;
    for (uint32_t i = 0; given.map != NULL && i < given.map->entries.count; i++) {
        const NodeEntry *entry = &given.map->entries.items[i];
        if (template_has_code(entry->key->text)) {
            given.is_open = true;
            continue;
        }
        const InputDecl *input =
            find_input(called->inputs.items, called->inputs.count, entry->key->text);
        if (input == NULL) {
            check_unknown_input(caller, called, &given, entry->key);
        } else if (input->children.count > 0) {
            check_form(caller, called, input, entry->value);
        } else {
            check_value(caller, called, input, entry->value);
        }
    }
    if (!given.is_open) check_missing(caller, called, &given, property);
}

// --- circles ------------------------------------------------------------------------------------

typedef struct Step {
    uint32_t flow, from;  // `from`: of steps; FLOW_NONE at the first
    Span where;           // that calls the flow
} Step;

typedef struct Way {
    LIST_OF(Step) steps;
    bool *is_reached;
} Way;

static void add_step(Arena *arena, Way *way, uint32_t flow, uint32_t from, Span where) {
    if (way->is_reached[flow] || way->steps.count == WAY_MAX) return;
    way->is_reached[flow] = true;
    *LIST_ADD(arena, &way->steps, Step) = (Step){flow, from, where};
}

// The shortest way from the called flow back to this one: the step that closes it, or FLOW_NONE.
static uint32_t find_way(const Caller *caller, uint32_t called, bool only_sure, Arena *arena,
                         Way *way) {
    const FlowIndex *index = caller->session->flows;
    way->is_reached = arena_array(arena, bool, index->list.count);
    add_step(arena, way, called, FLOW_NONE, text_span(caller->call.id_property->node));
    for (uint32_t at = 0; at < way->steps.count; at++) {
        const uint32_t flow = way->steps.items[at].flow;
        if (flow == caller->self) return at;
        const FlowFacts *facts = index->list.items[flow].facts;
        if (facts == NULL || facts->is_disabled) continue;
        for (uint32_t i = 0; i < facts->calls.count; i++) {
            const KnownCall *call = &facts->calls.items[i];
            if (only_sure && !call->is_sure) continue;
            const uint32_t target = flows_find(index, call->flow_namespace, call->id);
            if (target != FLOW_NONE) add_step(arena, way, target, at, call->span);
        }
    }
    return FLOW_NONE;
}

// Each circle is reported once: at the first of its flows that is checked.
static bool is_first_of(const Caller *caller, const Way *way, uint32_t last) {
    for (uint32_t at = last; at != FLOW_NONE; at = way->steps.items[at].from) {
        const uint32_t flow = way->steps.items[at].flow;
        if (caller->session->flows->list.items[flow].is_given && flow < caller->self) return false;
    }
    return true;
}

// 'b', 'c' and 'd', or the ends of a long one.
static Str names_on_way(const Caller *caller, const Way *way, uint32_t last) {
    Arena *arena = &caller->session->arena;
    Str through = {0};
    uint32_t count = 0;
    for (uint32_t at = way->steps.items[last].from; at != FLOW_NONE;
         at = way->steps.items[at].from) {
        const Str id = caller->session->flows->list.items[way->steps.items[at].flow].id;
        const bool is_first = way->steps.items[at].from == FLOW_NONE;
        if (++count > SHOWN_MAX && !is_first) continue;
        const char *between = through.len == 0 ? "" : count > SHOWN_MAX + 1 ? ", …, " : ", ";
        through =
            str_printf(arena, "'" STR_FMT "'%s" STR_FMT, STR_ARG(id), between, STR_ARG(through));
    }
    return through;
}

static void report_circle(const Caller *caller, const Way *way, uint32_t last, DiagLevel level) {
    Session *session = caller->session;
    const FlowIndex *index = session->flows;
    Diag *diag =
        diag_add(&session->diags, "E0208", level, text_span(caller->call.id_property->node),
                 "flow '" STR_FMT "' calls itself through " STR_FMT, STR_ARG(caller->flow->id),
                 STR_ARG(names_on_way(caller, way, last)));
    uint32_t count = 0;
    for (uint32_t at = last; way->steps.items[at].from != FLOW_NONE;
         at = way->steps.items[at].from) {
        const Step *step = &way->steps.items[at];
        if (++count > SHOWN_MAX) continue;
        diag_label(diag, step->where, "'" STR_FMT "' is called here",
                   STR_ARG(index->list.items[step->flow].id));
    }
    if (level == DIAG_WARNING)
        diag_note(diag, "only a condition on the way, or a kill, can end this");
}

static void check_circle(const Caller *caller, uint32_t called) {
    if (caller->self == FLOW_NONE || called == caller->self) return;
    Arena scratch = {0};
    Way way = {0};
    DiagLevel level = DIAG_ERROR;
    uint32_t last = FLOW_NONE;
    if (flow_call_is_sure(caller->task)) last = find_way(caller, called, true, &scratch, &way);
    if (last == FLOW_NONE) {
        way = (Way){0};
        level = DIAG_WARNING;
        last = find_way(caller, called, false, &scratch, &way);
    }
    if (last != FLOW_NONE && is_first_of(caller, &way, last)) {
        report_circle(caller, &way, last, level);
    }
    arena_release(&scratch);
}

// --- all of it ----------------------------------------------------------------------------------

void calls_check(Session *session, const Flow *flow, uint32_t document) {
    if (session->flows == NULL) return;
    const uint32_t self = find_self(session, flow, document);
    check_name(session, flow, self);
    for (uint32_t i = 0; i < flow->all_tasks.count; i++) {
        Caller caller = {
            .session = session, .flow = flow, .self = self, .task = flow->all_tasks.items[i]};
        if (!flow_call_of(caller.task, &caller.call)) continue;
        const bool is_self = str_eq(caller.call.id, flow->id) &&
                             str_eq(caller.call.flow_namespace, flow->flow_namespace);
        if (is_self) continue;  // E0208 of the rules
        const uint32_t called =
            flows_find(session->flows, caller.call.flow_namespace, caller.call.id);
        if (called == FLOW_NONE) {
            check_unknown(&caller);
            continue;
        }
        const KnownFlow *known = &session->flows->list.items[called];
        // Of two flows of a name, or another revision, nobody knows the inputs.
        if (known->facts == NULL || known->next_same != FLOW_NONE) continue;
        check_disabled(&caller, known);
        if (task_property(caller.task, STR("revision")) == NULL) {
            check_inputs(&caller, known->facts);
        }
        check_circle(&caller, called);
    }
}
