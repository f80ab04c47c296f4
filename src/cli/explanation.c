#include "cli/explanation.h"

enum {
    KEPT_MAX = 10,             /* parameter sets, failures and causes of an operation */
    UNDER_WAY_MAX = 10 * 1000, /* attempts whose parameters are remembered */
    EVENTS_MAX = 200 * 1000    /* that are remembered as causes */
};

static weir_str keep(weir_explanation *e, weir_str text) {
    return (weir_str){weir_str_copy(&e->arena, text), text.length};
}

/* --- events --------------------------------------------------------------------------------- */

/* A name is what stands between NULs, which no name has. */
static void make_key(weir_str context, weir_str name, weir_buffer *out) {
    weir_buffer_str_append(out, context);
    weir_buffer_byte(out, '\0');
    weir_buffer_str_append(out, name);
}

static weir_explained *operation_of(weir_explanation *e, const weir_value *data, size_t *at) {
    weir_str name = weir_member_text(data, "instance");
    weir_buffer key = {0};
    uint64_t known;
    if (!name.length) name = weir_member_text(data, "node");
    if (!name.length) return NULL;
    make_key(weir_member_text(data, "context"), name, &key);
    if (!weir_map_get(&e->by_key, weir_buffer_str(&key), &known)) {
        known = e->operations.count;
        weir_explained *new = weir_vector_push(&e->operations);
        *new = (weir_explained){.key = keep(e, weir_buffer_str(&key)),
                                .because = weir_array_new(),
                                .sets = weir_array_new(),
                                .failures = weir_array_new()};
        weir_map_set(&e->by_key, new->key, known);
    }
    weir_buffer_deinit(&key);
    *at = (size_t)known;
    return &e->operations.items[known];
}

static void add_cause(weir_explained *operation, weir_str text) {
    size_t count = weir_value_count(operation->because);
    for (size_t i = 0; i < count; i++)
        if (weir_str_equal(weir_string_get(weir_array_at(operation->because, i)), text)) return;
    if (count < KEPT_MAX) weir_array_append(operation->because, weir_string_from(text));
}

/* What the events behind the firing came from. */
static void add_causes(const weir_explanation *e, weir_explained *operation,
                       const weir_value *event) {
    const weir_value *causes = weir_member_named(event, "prev");
    for (size_t i = 0; weir_is(causes, WEIR_ARRAY) && i < weir_value_count(causes); i++) {
        const weir_value *id = weir_array_at(causes, i);
        uint64_t from;
        if (!weir_is(id, WEIR_STRING) || !weir_map_get(&e->by_event, weir_string_get(id), &from))
            continue;
        if (from == SIZE_MAX) {
            add_cause(operation, WEIR_STR("the inputs of the context"));
            continue;
        }
        weir_str key = e->operations.items[from].key;
        add_cause(operation,
                  weir_str_slice(key, weir_str_find(key, WEIR_STR("\0"), 0) + 1, key.length));
    }
}

static void remember(weir_explanation *e, const weir_value *event, size_t operation) {
    weir_str id = weir_member_text(event, "id");
    if (id.length && e->by_event.count < EVENTS_MAX)
        weir_map_set(&e->by_event, keep(e, id), operation);
}

static int64_t number_of(const weir_value *object, const char *key) {
    const weir_value *value = weir_member_named(object, key);
    return weir_is(value, WEIR_INT) ? weir_int_get(value) : 0;
}

static void start_attempt(weir_explanation *e, weir_explained *operation, const weir_value *data) {
    weir_value *parameters = weir_member_named(data, "parameters");
    operation->attempts++;
    operation->calls += number_of(data, "attempt") <= 1;
    if (parameters && e->attempts.count < UNDER_WAY_MAX)
        *weir_vector_push(&e->attempts) =
            (weir_explained_attempt){number_of(data, "task"), weir_value_ref(parameters)};
}

/* The longest that one of its attempts waited for room. */
static void take_waited(weir_explanation *e, weir_explained *operation, const weir_value *data) {
    const weir_value *waited = weir_member_named(data, "waited");
    uint64_t us = weir_member_count(waited, "us");
    if (us <= operation->waited_us) return;
    operation->waited_us = us;
    operation->waited_for = weir_str_copy(&e->arena, weir_member_text(waited, "for"));
}

/* The parameters of the attempt that ends (a reference), or NULL. */
static weir_value *take_attempt(weir_explanation *e, const weir_value *data) {
    for (size_t i = e->attempts.count; i-- > 0;) {
        if (e->attempts.items[i].task != number_of(data, "task")) continue;
        weir_value *parameters = e->attempts.items[i].parameters;
        e->attempts.items[i] = e->attempts.items[--e->attempts.count];
        return parameters;
    }
    return NULL;
}

/* What was remembered has no attempt. */
static void add_found(weir_explained *operation, const weir_value *data) {
    weir_value *parameters = weir_member_named(data, "parameters");
    operation->calls++;
    if (!parameters || weir_value_count(operation->sets) >= KEPT_MAX) return;
    weir_value *entry = weir_object_new();
    weir_member_put(entry, "parameters", weir_value_ref(parameters));
    weir_member_put_text(entry, "outcome", WEIR_STR("cached"));
    weir_array_append(operation->sets, entry);
}

static void take_cost(weir_explained *operation, const weir_value *usage) {
    weir_value *chosen = weir_member_named(usage, "chosen");
    operation->energy_uj += weir_member_count(usage, "energy_uj");
    if (!weir_is(chosen, WEIR_OBJECT)) return;
    weir_value_unref(operation->chosen);
    operation->chosen = weir_value_ref(chosen);
}

static void end_attempt(weir_explanation *e, weir_explained *operation, const weir_value *data) {
    weir_value *parameters = take_attempt(e, data);
    const weir_value *failure = weir_member_named(data, "failure");
    weir_str message = weir_member_text(failure, "message");
    bool failed = !weir_str_is(weir_member_text(data, "outcome"), "succeeded");
    operation->failed += failed;
    take_cost(operation, weir_member_named(data, "usage"));
    if (failed && weir_value_count(operation->failures) < KEPT_MAX) {
        weir_value *entry = weir_object_new();
        if (parameters) weir_member_put(entry, "parameters", weir_value_ref(parameters));
        weir_member_put_text(entry, "code", weir_member_text(failure, "code"));
        weir_member_put_text(entry, "message", message);
        weir_array_append(operation->failures, entry);
    }
    if (parameters && weir_value_count(operation->sets) < KEPT_MAX) {
        weir_value *entry = weir_object_new();
        weir_member_put(entry, "parameters", weir_value_ref(parameters));
        weir_member_put_text(entry, "outcome", weir_member_text(data, "outcome"));
        if (message.length) weir_member_put_text(entry, "message", message);
        weir_array_append(operation->sets, entry);
    }
    weir_value_unref(parameters);
}

void weir_explanation_add(weir_explanation *e, const weir_value *event) {
    const weir_value *data = weir_member_named(event, "data");
    weir_str type = weir_member_text(event, "type");
    size_t at = SIZE_MAX;
    weir_explained *operation = operation_of(e, data, &at);
    if (operation && (weir_str_is(type, "operation.fired") || weir_str_is(type, "node.started")))
        add_causes(e, operation, event);
    else if (operation && weir_str_is(type, "attempt.started"))
        start_attempt(e, operation, data);
    else if (operation && weir_str_is(type, "attempt.scheduled"))
        take_waited(e, operation, data);
    else if (operation && weir_str_is(type, "attempt.finished"))
        end_attempt(e, operation, data);
    else if (operation && weir_str_is(type, "memo.found"))
        add_found(operation, data);
    else if (operation && weir_str_is(type, "task.retried"))
        operation->again++;
    if (operation || weir_str_starts(type, WEIR_STR("context."))) remember(e, event, at);
}

void weir_explanation_deinit(weir_explanation *e) {
    for (size_t i = 0; i < e->operations.count; i++) {
        weir_value_unref(e->operations.items[i].because);
        weir_value_unref(e->operations.items[i].sets);
        weir_value_unref(e->operations.items[i].failures);
        weir_value_unref(e->operations.items[i].chosen);
    }
    for (size_t i = 0; i < e->attempts.count; i++)
        weir_value_unref(e->attempts.items[i].parameters);
    weir_vector_deinit(&e->operations);
    weir_vector_deinit(&e->attempts);
    weir_map_deinit(&e->by_key);
    weir_map_deinit(&e->by_event);
    weir_arena_deinit(&e->arena);
}

/* --- with the status ------------------------------------------------------------------------ */

static bool is_named(const weir_value *node, const char *wanted) {
    static const char *const names[] = {"name", "displayName", "id"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (weir_str_is(weir_member_text(node, names[i]), wanted)) return true;
    return false;
}

/* The value with another owner's arrays in it: they may still grow there. */
static weir_value *copy_array(const weir_value *array) {
    weir_value *copy = weir_array_new();
    for (size_t i = 0; i < weir_value_count(array); i++)
        weir_array_append(copy, weir_value_ref(weir_array_at(array, i)));
    return copy;
}

static weir_value *make_operation(const weir_explanation *e, const weir_value *node,
                                  weir_str context) {
    static const char *const copied[] = {"phase", "message", "why"};
    weir_value *out = weir_object_new();
    weir_str name = weir_member_text(node, "name"), shown = weir_member_text(node, "displayName");
    weir_buffer key = {0};
    uint64_t at;
    make_key(context, name, &key);
    bool known = weir_map_get(&e->by_key, weir_buffer_str(&key), &at);
    weir_buffer_deinit(&key);
    const weir_explained none = {0}, *said = known ? &e->operations.items[at] : &none;
    weir_member_put_text(out, "name", shown.length ? shown : name);
    if (context.length) weir_member_put_text(out, "context", context);
    for (size_t i = 0; i < sizeof copied / sizeof *copied; i++) {
        weir_value *member = weir_member_named(node, copied[i]);
        if (member) weir_member_put(out, copied[i], weir_value_ref(member));
    }
    /* Events that nobody kept are at least counted. */
    int64_t calls = said->calls ? (int64_t)said->calls : number_of(node, "tasks");
    weir_member_put(out, "calls", weir_int_new(calls));
    weir_member_put(out, "attempts", weir_int_new((int64_t)said->attempts));
    uint64_t failed = said->failed > said->again ? said->failed - said->again : 0;
    weir_member_put(out, "failed", weir_int_new((int64_t)failed));
    if (said->waited_us) {
        weir_value *waited = weir_object_new();
        weir_member_put(waited, "us", weir_int_new((int64_t)said->waited_us));
        weir_member_put_text(waited, "for", weir_str_from(said->waited_for));
        weir_member_put(out, "waited", waited);
    }
    if (said->energy_uj) weir_member_put(out, "energy_uj", weir_int_new((int64_t)said->energy_uj));
    if (said->chosen) weir_member_put(out, "chosen", weir_value_ref(said->chosen));
    weir_member_put(out, "because", known ? copy_array(said->because) : weir_array_new());
    weir_member_put(out, "sets", known ? copy_array(said->sets) : weir_array_new());
    weir_member_put(out, "failures", known ? copy_array(said->failures) : weir_array_new());
    return out;
}

/* A dataflow's operation is in the context that is its parent; a workflow's groups of steps explain nothing. */
static weir_value *make_operations(const weir_explanation *e, const weir_value *status,
                                   const char *operation) {
    weir_value *list = weir_array_new();
    const weir_value *nodes = weir_member_named(status, "nodes");
    weir_str context = {0}, context_id = {0};
    for (size_t i = 0; weir_is(nodes, WEIR_ARRAY) && i < weir_value_count(nodes); i++) {
        const weir_value *node = weir_array_at(nodes, i);
        weir_str type = weir_member_text(node, "type");
        if (weir_str_is(type, "Context")) {
            context = weir_member_text(node, "name");
            context_id = weir_member_text(node, "id");
            continue;
        }
        bool within =
            context_id.length && weir_str_equal(weir_member_text(node, "parent"), context_id);
        if (weir_str_is(type, "StepGroup") || (operation && !is_named(node, operation))) continue;
        weir_array_append(list, make_operation(e, node, within ? context : WEIR_STR("")));
    }
    return list;
}

bool weir_explanation_make(const weir_explanation *e, const weir_value *status,
                           const char *operation, weir_value **out, weir_error *error) {
    static const char *const copied[] = {"run", "name", "kind", "phase", "message"};
    weir_value *operations = make_operations(e, status, operation);
    if (operation && !weir_value_count(operations)) {
        weir_value_unref(operations);
        weir_str name = weir_member_text(status, "name");
        weir_fail(error, WEIR_NOT_FOUND, "run %.*s has no operation `%.200s`", WEIR_ARG(name),
                  operation);
        weir_error_hint(error, "`weir explain %.*s` explains all", WEIR_ARG(name));
        return false;
    }
    weir_value *made = weir_object_new();
    for (size_t i = 0; i < sizeof copied / sizeof *copied; i++) {
        weir_value *member = weir_member_named(status, copied[i]);
        if (member) weir_member_put(made, copied[i], weir_value_ref(member));
    }
    weir_member_put(made, "operations", operations);
    *out = made;
    return true;
}
