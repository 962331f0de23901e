// inputs.c - from what was given to what a flow sees: flow-language.md 2.3 to 2.5, and flow
// outputs, which follow the same rules.
//
// An input is resolved once, those it depends on first; its expressions see these and no others.
// What is wrong is told with input, rule, bound and what was received; a SECRET's value never is.
#include <stdio.h>
#include <string.h>

#include "base/codec.h"
#include "base/file.h"
#include "run/driver.h"
#include "value/convert.h"
#include "value/regex.h"
#include "value/time.h"

typedef enum Standing { UNSEEN, UNDER_WAY, RESOLVED, DISABLED } Standing;

typedef struct Resolver {
    const InputRequest *request;
    const Plan *plan;
    Arena *arena;
    Standing *standing;
    Value *values;
} Resolver;

static Err fault(const Resolver *resolver, const PlanInput *input, const char *rule, Str bound,
                 Value received, Str message) {
    InputFault *out = resolver->request->fault;
    Str id = plan_text(resolver->plan, input->id);
    Str shown = {0};
    if (input->type != INPUT_SECRET && received.kind != VALUE_NULL) {
        shown = value_to_text(resolver->arena, received);
    }
    if (shown.len > 200) {
        shown = str_printf(resolver->arena, STR_FMT "…", STR_ARG(str_slice(shown, 0, 200)));
    }
    if (out != NULL) {
        // The plan's texts go with the execution that does not come to be.
        *out = (InputFault){.input = str_dup(resolver->arena, id),
                            .rule = str_from(rule),
                            .bound = str_dup(resolver->arena, bound),
                            .received = shown,
                            .message = message};
    }
    if (input->type == INPUT_SECRET || received.kind == VALUE_NULL) {
        return err_make(ERR_INPUT, "input '" STR_FMT "': " STR_FMT, STR_ARG(id), STR_ARG(message));
    }
    return err_make(ERR_INPUT, "input '" STR_FMT "': " STR_FMT ", received '" STR_FMT "'",
                    STR_ARG(id), STR_ARG(message), STR_ARG(shown));
}

// --- rules --------------------------------------------------------------------------------------

static int compare(double a, double b) {
    return a < b ? -1 : a > b;
}

static double number_of(Value value) {
    if (value.kind == VALUE_INT) return (double)value.as.integer;
    return value.kind == VALUE_FLOAT ? value.as.real : 0;
}

// How a value stands to a bound that is written as text; false where the bound cannot be read.
static bool order_of(const Resolver *resolver, const PlanInput *input, Value value, Str bound,
                     int *out) {
    InputType type = (InputType)input->type;
    Value limit = value_null();
    Err err = value_convert_input(value_text(bound), type, INPUT_STRING, resolver->arena, &limit);
    if (err.code != ERR_NONE) return false;
    if (type == INPUT_INT || type == INPUT_FLOAT) {
        *out = compare(number_of(value), number_of(limit));
        return true;
    }
    if (value.kind != VALUE_TEXT || limit.kind != VALUE_TEXT) return false;
    if (type == INPUT_DURATION) {
        int64_t a = 0;
        int64_t b = 0;
        if (duration_parse(value.as.text, false, &a).code != ERR_NONE) return false;
        if (duration_parse(limit.as.text, false, &b).code != ERR_NONE) return false;
        *out = a < b ? -1 : a > b;
        return true;
    }
    if (type == INPUT_DATETIME) {
        Instant a;
        Instant b;
        if (instant_parse(value.as.text, &a).code != ERR_NONE) return false;
        if (instant_parse(limit.as.text, &b).code != ERR_NONE) return false;
        *out = a.seconds != b.seconds
                   ? (a.seconds < b.seconds ? -1 : 1)
                   : (a.nanoseconds > b.nanoseconds) - (a.nanoseconds < b.nanoseconds);
        return true;
    }
    *out = str_cmp(value.as.text, limit.as.text);  // dates and times in their canonical form
    return true;
}

// `received` is the value as it was given.
static Err check_bounds(const Resolver *resolver, const PlanInput *input, Value value,
                        Value received) {
    bool is_point =
        input->type == INPUT_DATETIME || input->type == INPUT_DATE || input->type == INPUT_TIME;
    Str min = plan_text(resolver->plan, input->min);
    Str max = plan_text(resolver->plan, input->max);
    int order = 0;
    if ((input->flags & INPUT_HAS_MIN) != 0 && order_of(resolver, input, value, min, &order) &&
        order < 0) {
        return fault(resolver, input, is_point ? "after" : "min", min, received,
                     str_printf(resolver->arena, "must be %s " STR_FMT,
                                is_point ? "at or after" : "at least", STR_ARG(min)));
    }
    if ((input->flags & INPUT_HAS_MAX) != 0 && order_of(resolver, input, value, max, &order) &&
        order > 0) {
        return fault(resolver, input, is_point ? "before" : "max", max, received,
                     str_printf(resolver->arena, "must be %s " STR_FMT,
                                is_point ? "at or before" : "at most", STR_ARG(max)));
    }
    return err_none();
}

static Err check_pattern(const Resolver *resolver, const PlanInput *input, Value value, Str plain) {
    Str pattern = plan_text(resolver->plan, input->validator);
    if (pattern.len == 0) return err_none();
    Regex *regex = NULL;
    bool matches = false;
    TRY(regex_compile(pattern, &regex));
    Err err = regex_matches(regex, plain, &matches);
    regex_free(regex);
    if (err.code != ERR_NONE) return err;
    if (matches) return err_none();
    return fault(
        resolver, input, "validator", pattern, value,
        str_printf(resolver->arena, "must match the pattern `" STR_FMT "`", STR_ARG(pattern)));
}

// The values a SELECT or MULTISELECT may have: static, or what its expression gives.
static Err allowed_values(const Resolver *resolver, const PlanInput *input, Scope *scope,
                          Value *out) {
    *out = value_list(resolver->arena);
    const Plan *plan = resolver->plan;
    for (uint32_t i = 0; i < input->value_count; i++) {
        PlanText text = plan->texts[input->values - 1 + i];
        value_list_add(resolver->arena, *out, value_text(plan_text(plan, text)));
    }
    if (input->expression == PLAN_NONE) return err_none();
    Evaluated result = run_evaluate(resolver->request->execution, input->expression, scope);
    if (!result.is_ok) {
        return fault(resolver, input, "expression", (Str){0}, value_null(),
                     str_printf(resolver->arena, "cannot render 'expression': " STR_FMT,
                                STR_ARG(result.message)));
    }
    Value list = result.value;
    if (list.kind == VALUE_TEXT) {
        Err err = value_convert(list, CONVERT_LIST, resolver->arena, &list);
        if (err.code != ERR_NONE) list = value_null();
    }
    if (list.kind != VALUE_LIST) {
        return fault(resolver, input, "expression", (Str){0}, value_null(),
                     str_printf(resolver->arena, "'expression' must give a list of texts, not %s",
                                value_kind_name(result.value.kind)));
    }
    for (uint32_t i = 0; i < list.as.list->count; i++) {
        Value item = list.as.list->items[i];
        if (item.kind == VALUE_NULL) continue;
        value_list_add(resolver->arena, *out, value_text(value_to_text(resolver->arena, item)));
    }
    return err_none();
}

static bool has_value(Value list, Value value, Arena *arena) {
    Str text = value_to_text(arena, value);
    for (uint32_t i = 0; i < list.as.list->count; i++) {
        if (str_eq(list.as.list->items[i].as.text, text)) return true;
    }
    return false;
}

static Err check_values(const Resolver *resolver, const PlanInput *input, Scope *scope,
                        Value value) {
    InputType type = (InputType)input->type;
    bool is_choice = type == INPUT_SELECT || type == INPUT_ENUM || type == INPUT_MULTISELECT;
    if (!is_choice || (input->flags & INPUT_ALLOW_CUSTOM) != 0) return err_none();
    if (type != INPUT_MULTISELECT && (input->flags & INPUT_REQUIRED) == 0) return err_none();
    Value allowed;
    TRY(allowed_values(resolver, input, scope, &allowed));
    Value one = value_list(resolver->arena);
    value_list_add(resolver->arena, one, value);
    Value items = type == INPUT_MULTISELECT && value.kind == VALUE_LIST ? value : one;
    for (uint32_t i = 0; i < items.as.list->count; i++) {
        if (has_value(allowed, items.as.list->items[i], resolver->arena)) continue;
        Str bound = value_to_text(resolver->arena, allowed);
        return fault(resolver, input, "values", bound, items.as.list->items[i],
                     str_printf(resolver->arena, "must be one of " STR_FMT, STR_ARG(bound)));
    }
    return err_none();
}

static Err check_extension(const Resolver *resolver, const PlanInput *input, Value value) {
    if (input->type != INPUT_FILE || input->extension_count == 0) return err_none();
    if (value.kind != VALUE_TEXT) return err_none();
    Buffer all = {0};
    for (uint32_t i = 0; i < input->extension_count; i++) {
        Str extension = plan_text(resolver->plan, resolver->plan->texts[input->extensions - 1 + i]);
        Str text = value.as.text;
        if (text.len >= extension.len &&
            str_eq_ignore_case(str_slice(text, text.len - extension.len, text.len), extension)) {
            buffer_release(&all);
            return err_none();
        }
        buffer_printf(&all, "%s" STR_FMT, i > 0 ? ", " : "", STR_ARG(extension));
    }
    Str bound = buffer_to_str(&all, resolver->arena);
    buffer_release(&all);
    return fault(
        resolver, input, "extension", bound, value,
        str_printf(resolver->arena, "must be a file with extension " STR_FMT, STR_ARG(bound)));
}

// --- one input ----------------------------------------------------------------------------------

static Err resolve(Resolver *resolver, uint32_t number);

static Err resolve_dependencies(Resolver *resolver, const PlanInput *input, bool *is_enabled,
                                Value *inputs) {
    const Plan *plan = resolver->plan;
    *is_enabled = true;
    Value flat = value_map(resolver->arena);
    for (uint32_t i = 0; i < input->depend_count; i++) {
        Str id = plan_text(plan, plan->texts[input->depends - 1 + i]);
        for (uint32_t k = 0; k < resolver->request->count; k++) {
            if (!str_eq(plan_text(plan, resolver->request->inputs[k].id), id)) continue;
            TRY(resolve(resolver, k));
            if (resolver->standing[k] == DISABLED) *is_enabled = false;
            if (resolver->standing[k] != RESOLVED) continue;
            value_map_set(resolver->arena, flat, id, resolver->values[k]);
        }
    }
    *inputs = run_nest(resolver->arena, flat, false);
    return err_none();
}

static Err take_file(const Resolver *resolver, const PlanInput *input, Value *value) {
    Str path = {0};
    if (value->kind == VALUE_TEXT && str_starts_with(value->as.text, STR("@"))) {
        path = str_slice(value->as.text, 1, value->as.text.len);
    } else if (value->kind == VALUE_TEXT && !str_starts_with(value->as.text, STR("kestra://")) &&
               !str_starts_with(value->as.text, STR("nsfile://")) &&
               !str_starts_with(value->as.text, STR("file://"))) {
        path = value->as.text;
    }
    if (path.len == 0) return err_none();
    TRY(check_extension(resolver, input, value_text(path)));
    if (resolver->request->execution->planner != NULL) {
        *value =
            value_text(str_printf(resolver->arena, "kestra:///" STR_FMT, STR_ARG(path_name(path))));
        return err_none();
    }
    Str uri = {0};
    Str name = str_printf(resolver->arena, "inputs/" STR_FMT "/" STR_FMT,
                          STR_ARG(plan_text(resolver->plan, input->id)), STR_ARG(path_name(path)));
    Err err = files_put(resolver->request->execution, name, path, resolver->arena, &uri);
    if (err.code == ERR_STORE) return err;
    if (err.code != ERR_NONE) {
        return fault(resolver, input, "file", (Str){0}, value_null(),
                     str_dup(resolver->arena, str_from(err.text)));
    }
    *value = value_text(uri);
    return err_none();
}

static Value secret_of_input(Str id, Arena *arena) {
    Value recipe = value_map(arena);
    value_map_set(arena, recipe, STR("op"), value_text(STR("input")));
    value_map_set(arena, recipe, STR("name"), value_text(id));
    Value *kept = arena_new(arena, Value);
    *kept = recipe;
    return (Value){.kind = VALUE_SECRET, .as.secret = kept};
}

// Secrets are a type: the value goes into the table, the input is a reference.
static Err take_secret(const Resolver *resolver, const PlanInput *input, Value *value) {
    if (value->kind == VALUE_SECRET) return err_none();  // handed on by a parent
    Str plain = value_to_text(resolver->arena, *value);
    TRY(check_pattern(resolver, input, *value, plain));
    if (plain.len > 0 && plain.len < MASK_VALUE_MIN) {
        return fault(resolver, input, "secret", STR("4"), value_null(),
                     STR("is shorter than 4 bytes, which cannot be masked"));
    }
    *value = secret_of_input(plan_text(resolver->plan, input->id), resolver->arena);
    secrets_add(resolver->request->execution->secrets, value->as.secret, plain);
    masker_add(resolver->request->execution->runtime->masker, plain);
    return err_none();
}

static Err convert_and_check(const Resolver *resolver, const PlanInput *input, Scope *scope,
                             Value *value) {
    InputType type = (InputType)input->type;
    if (type == INPUT_FILE) TRY(take_file(resolver, input, value));
    if (type == INPUT_SECRET) return take_secret(resolver, input, value);
    Value converted;
    Err err =
        value_convert_input(*value, type, (InputType)input->item_type, resolver->arena, &converted);
    if (err.code == ERR_INPUT) {
        Str message = str_printf(resolver->arena, "must be of type %s", input_type_name(type));
        // The text of the conversion says what was expected and repeats what was received.
        Str text = str_from(err.text);
        size_t cut = str_find(text, STR(", received"), 0);
        if (str_starts_with(text, STR("expected"))) {
            message = str_dup(resolver->arena, str_slice(text, 0, cut));
        }
        bool is_item = type == INPUT_ARRAY && str_starts_with(text, STR("element "));
        InputType wanted = is_item ? (InputType)input->item_type : type;
        if (is_item) message = str_dup(resolver->arena, text);
        return fault(resolver, input, is_item ? "itemType" : "type",
                     str_from(input_type_name(wanted)), *value, message);
    }
    if (err.code != ERR_NONE) return err;
    Value received = *value;
    *value = converted;
    TRY(check_bounds(resolver, input, converted, received));
    if (converted.kind == VALUE_TEXT) {
        TRY(check_pattern(resolver, input, converted, converted.as.text));
    }
    return check_values(resolver, input, scope, converted);
}

static Err default_of(const Resolver *resolver, const PlanInput *input, Scope *scope,
                      Value *value) {
    if (input->defaults != PLAN_NONE) {
        Evaluated result = run_evaluate(resolver->request->execution, input->defaults, scope);
        if (!result.is_ok) {
            return fault(resolver, input, "defaults", (Str){0}, value_null(),
                         str_printf(resolver->arena, "cannot render its default: " STR_FMT,
                                    STR_ARG(result.message)));
        }
        *value = result.value;
    } else if ((input->flags & INPUT_AUTO_FIRST) != 0 && input->value_count > 0) {
        *value = value_text(plan_text(resolver->plan, resolver->plan->texts[input->values - 1]));
    }
    return err_none();
}

// The value with which it was called, else its default.
static Err value_of(const Resolver *resolver, const PlanInput *input, Scope *scope, Value *value) {
    const Value *given =
        value_map_get(resolver->request->given, plan_text(resolver->plan, input->id));
    *value = given == NULL ? value_null() : *given;
    if (value->kind == VALUE_NULL) TRY(default_of(resolver, input, scope, value));
    return err_none();
}

static Err resolve(Resolver *resolver, uint32_t number) {
    if (resolver->standing[number] != UNSEEN) return err_none();
    resolver->standing[number] = UNDER_WAY;  // a cycle was refused at compile time
    const PlanInput *input = &resolver->request->inputs[number];
    Execution *execution = resolver->request->execution;
    bool is_enabled = true;
    Value roots = value_map(resolver->arena);
    Value inputs = value_null();
    TRY(resolve_dependencies(resolver, input, &is_enabled, &inputs));
    if (resolver->request->roots != NULL)
        roots = value_copy(resolver->arena, *resolver->request->roots);
    value_map_set(resolver->arena, roots, STR("inputs"), inputs);
    Scope scope = {.execution = execution, .arena = resolver->arena, .roots = &roots};
    if (is_enabled && input->condition != PLAN_NONE) {
        Evaluated result = run_evaluate(execution, input->condition, &scope);
        if (!result.is_ok) {
            return fault(resolver, input, "condition", (Str){0}, value_null(),
                         str_printf(resolver->arena,
                                    "cannot render 'dependsOn.condition': " STR_FMT,
                                    STR_ARG(result.message)));
        }
        is_enabled = result.value.kind == VALUE_BOOL && result.value.as.boolean;
    }
    resolver->standing[number] = is_enabled ? RESOLVED : DISABLED;
    if (!is_enabled) return err_none();
    Value value;
    TRY(value_of(resolver, input, &scope, &value));
    if (value.kind == VALUE_NULL) {
        if ((input->flags & INPUT_REQUIRED) != 0) {
            return fault(resolver, input, "required", (Str){0}, value,
                         str_printf(resolver->arena, "is required: give it with -i " STR_FMT "=…",
                                    STR_ARG(plan_text(resolver->plan, input->id))));
        }
    } else {
        TRY(convert_and_check(resolver, input, &scope, &value));
    }
    resolver->values[number] = value;
    return err_none();
}

Err inputs_resolve(const InputRequest *request, Value *out) {
    Arena *arena = request->arena;
    Resolver resolver = {.request = request,
                         .plan = &request->execution->artifact->plan,
                         .arena = arena,
                         .standing = arena_array(arena, Standing, request->count),
                         .values = arena_array(arena, Value, request->count)};
    Value flat = value_map(arena);
    for (uint32_t i = 0; i < request->count; i++) TRY(resolve(&resolver, i));
    for (uint32_t i = 0; i < request->count; i++) {
        if (resolver.standing[i] != RESOLVED) continue;
        value_map_set(arena, flat, plan_text(resolver.plan, request->inputs[i].id),
                      resolver.values[i]);
    }
    *out = run_nest(arena, flat, false);
    return err_none();
}

// --- outputs ------------------------------------------------------------------------------------

Err outputs_resolve(Execution *execution, Scope *scope, Value *out) {
    const Plan *plan = &execution->artifact->plan;
    Arena *arena = scope->arena;
    *out = value_map(arena);
    for (uint32_t i = 0; i < plan->output_count; i++) {
        const PlanOutput *output = &plan->outputs[i];
        Str id = plan_text(plan, output->id);
        Evaluated result = run_evaluate(execution, output->value, scope);
        if (!result.is_ok && execution->planner != NULL && result.touched) continue;
        if (!result.is_ok) {
            return err_make(ERR_INPUT, "output '" STR_FMT "': " STR_FMT, STR_ARG(id),
                            STR_ARG(result.message));
        }
        Value value = result.value;
        if (value.kind == VALUE_NULL && (output->flags & INPUT_REQUIRED) != 0) {
            return err_make(ERR_INPUT, "output '" STR_FMT "' is required, and its value is null",
                            STR_ARG(id));
        }
        bool is_plain = value.kind != VALUE_NULL && value.kind != VALUE_SECRET;
        if (is_plain && !(execution->planner != NULL && result.touched)) {
            Value converted;
            Err err = value_convert_input(value, (InputType)output->type,
                                          (InputType)output->item_type, arena, &converted);
            if (err.code != ERR_NONE) {
                return err_wrap(err, "output '" STR_FMT "'", STR_ARG(id));
            }
            value = converted;
        }
        value_map_set(arena, *out, id, value);
    }
    return err_none();
}
