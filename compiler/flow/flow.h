// flow.h - the typed model of a flow: every construct of the language, with where it stands.
//
// Built from the tree and the catalog; what is unknown is reported and stepped over. Everything
// lives in one arena.
#ifndef FLOW_FLOW_FLOW_H
#define FLOW_FLOW_FLOW_H

#include "catalog/catalog.h"
#include "expr/expr.h"
#include "value/convert.h"

typedef struct Flow Flow;
typedef struct Task Task;
typedef struct InputDecl InputDecl;

// One property as written (or supplied by a plugin default), with its schema.
typedef struct Property {
    Str name;
    Span name_span;
    Node *node;          // its value
    const Prop *schema;  // NULL: unknown or open
    bool is_default;     // from pluginDefaults or the project file
} Property;

typedef LIST_OF(Property) Properties;

typedef enum TaskList {
    TASKS_BODY,
    TASKS_ERRORS,
    TASKS_FINALLY,
    TASKS_AFTER,
    TASKS_ELSE,
    TASKS_DEFAULTS,
    TASKS_CASE,
    TASKS_ON_PAUSE,
    TASKS_LISTENER
} TaskList;

typedef struct TaskGroup {
    TaskList list;
    Str key;  // of a case
    Span key_span;
    Node *node;  // the YAML list
    LIST_OF(Task *) tasks;
} TaskGroup;

typedef struct Retry {
    Node *node;
    Str type, behavior;
    int64_t interval, min_interval, max_interval, max_duration;  // milliseconds, 0: absent
    int64_t max_attempts;                                        // 0: absent
    double delay_factor;                                         // 0: absent
    bool warning_on_retry;
} Retry;

struct Task {
    Str id;
    Span id_span;
    Str type_name;  // as written
    Span type_span;
    const TaskType *type;  // NULL: unknown
    Node *node;
    Task *parent;           // NULL at the top
    TaskGroup *group;       // the list it stands in
    uint32_t index;         // in pre-order over the flow
    Properties properties;  // without child lists, id, type
    LIST_OF(TaskGroup *) groups;
    LIST_OF(Str) depends_on;  // in a Dag
    LIST_OF(Span) depends_spans;
    LIST_OF(InputDecl *) on_resume;  // inputs a Pause asks for
    Retry *retry;
    bool is_disabled, allow_failure, allow_warning;
    bool has_version;  // `version:` given: the catalog may not fit
    Flow *flow;
};

struct InputDecl {
    Str id;
    Span id_span;
    InputType type;
    bool has_type;  // a known type was given
    Span type_span;
    InputType item_type;
    bool is_required;
    Node *node;
    Node *defaults, *prefill, *expression, *values, *validator, *min, *max, *after, *before,
        *condition;
    LIST_OF(Str) depends_on;
    LIST_OF(Span) depends_spans;
    LIST_OF(InputDecl *) children;  // FORM
    bool allow_custom, auto_first;
    Str display_name;
    LIST_OF(Str) extensions;
};

typedef struct OutputDecl {
    Str id;
    Span id_span;
    InputType type;
    bool has_type, is_required;
    Node *node, *value;
} OutputDecl;

typedef struct TriggerDecl {
    Str id;
    Span id_span, type_span;
    Str type_name;
    const TaskType *type;
    Node *node;
    Properties properties;
    bool is_disabled;
} TriggerDecl;

struct Flow {
    const Tree *tree;
    Node *node;
    uint32_t file;
    Str id, flow_namespace, description;
    Span id_span, namespace_span;
    bool is_disabled;
    LIST_OF(InputDecl *) inputs;
    LIST_OF(OutputDecl *) outputs;
    LIST_OF(TriggerDecl *) triggers;
    LIST_OF(TaskGroup *) groups;  // body, errors, finally, afterExecution, listeners
    LIST_OF(Task *) all_tasks;    // pre-order
    Task **by_id;                 // open addressing over their ids; the first of an id
    uint32_t by_id_size;
    Node *variables, *labels, *concurrency, *sla, *checks, *plugin_defaults, *retry_node;
    Retry *retry;
    uint32_t targets;         // of its options
    bool has_holes;           // a piece could not be read: what is missing may stand there
    bool has_gaps;            // what has to be given is not: what reads a name may be missing
    LIST_OF(Str) hole_ids;    // ids found in such pieces
    struct Checked *checked;  // the check module's, once it has run
};

typedef struct FlowOptions {
    uint32_t targets;  // bits of TARGET_; 0: the base language, in which 2.0 spellings are synonyms
    bool unknown_types_warn;
    const Node *project_defaults;  // `defaults:` of the project file; NULL: none
    const Str *externals;          // prefixes of types that handlers of the host run: not unknown
    uint32_t external_count;
} FlowOptions;

// Whether a document is a flow: it has tasks, or next to its id and namespace a list under a key
// that was meant to be `tasks`.
bool flow_is_meant(const Node *root);
// NULL where the document is no flow at all.
Flow *flow_build(const Tree *tree, const Document *document, Catalog *catalog,
                 const FlowOptions *options, Arena *arena, Diags *diags);
const Task *flow_find_task(const Flow *flow, Str id);  // the first of that id
const InputDecl *flow_find_input(const Flow *flow, Str id);
const Property *task_property(const Task *task, Str name);
const Property *properties_find(const Properties *properties, Str name);
// The group of that list, or NULL; of cases the first.
const TaskGroup *task_group(const Task *task, TaskList list);
const TaskGroup *flow_group(const Flow *flow, TaskList list);
// The condition of a task as the engine asks it before a run: `runIf`, or 2.0's `when`. NULL: none.
const Node *task_run_if(const Task *task);
// True where a piece of text came from plugin defaults, not from the place it is used at.
bool flow_span_is_default(const Flow *flow, Span span);
// What the type is called without its package: "ForEach".
Str type_short_name(Str type);
// True for types whose direct children run once a value: ForEach, EachSequential, EachParallel,
// Loop.
bool task_is_loop(const Task *task);
// True for the types of `io.kestra.plugin.core`, by their name behind it: task_is(task, "flow.If").
bool task_is(const Task *task, const char *core_name);

// The nearest of several names: nearest_offer() each, then `name` is the best or empty.
typedef struct Nearest {
    Str wanted, name;
    size_t best;
} Nearest;
Nearest nearest_to(Str wanted);
void nearest_offer(Nearest *nearest, Str candidate);
// The zone that was probably meant, or empty.
Str zone_meant(Str text);
// The ISO-8601 form of `5m`, `10 sec`, `1h30m`, `P1W`; empty where nothing can be guessed.
Str duration_meant(Arena *arena, Str text);

// --- for editors --------------------------------------------------------------------------------

// The language with the catalog as a JSON schema (draft 07).
void flow_json_schema(Catalog *catalog, const FlowOptions *options, Arena *arena, Buffer *out);

#endif
