/* Operations that are Python functions: `module:function`, found when a file names them. A run keeps what they are, so one that is
 * read again later starts no interpreter for it. */
#include <string.h>

#include "data/json.h"
#include "engine/engine_internal.h"
#include "executor/python.h"

struct weir__pythons {
    weir_engine *engine;
    weir_arena arena; /* of the operations */
    WEIR_VECTOR(weir_python_operation *) operations;
    weir_map places; /* of those, by environment and name; the keys are the arena's */
    /* The file that is compiled and its run's request; NULL: none is. What follows is looked for when the file names a function. */
    const weir_document *document;
    const weir_value *request;
    weir_python_environment *environment;
    weir_buffer key;
    WEIR_VECTOR(const weir_python_operation *) met; /* the functions that it named */
};

static bool call_nowhere(const weir_host *host, weir_call *call) {
    return host->fail(call, "not_supported", "a Python function is called by its executor only");
}

/* What tells the operation from others: until it is asked for again. */
static weir_str key_of(struct weir__pythons *pythons, weir_str name) {
    const weir_python_environment *environment = pythons->environment;
    weir_buffer_clear(&pythons->key);
    weir_buffer_str_append(&pythons->key,
                           (weir_str){(const char *)&environment, sizeof environment});
    weir_buffer_str_append(&pythons->key, name);
    return weir_buffer_str(&pythons->key);
}

/* What stands there is a function's, and may be anything. */
static bool is_declaration(const weir_value *declared) {
    if (!weir_is(declared, WEIR_OBJECT)) return false;
    static const char *const groups[] = {"inputs", "outputs"};
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        const weir_value *ports = weir_member_named(declared, groups[i]);
        if (ports && !weir_is(ports, WEIR_OBJECT)) return false;
        for (size_t j = 0; ports && j < weir_value_count(ports); j++)
            if (!weir_is(weir_object_at(ports, j), WEIR_OBJECT)) return false;
    }
    const weir_value *conditions = weir_member_named(declared, "conditions");
    for (size_t i = 0; weir_is(conditions, WEIR_ARRAY) && i < weir_value_count(conditions); i++)
        if (!weir_is(weir_array_at(conditions, i), WEIR_STRING)) return false;
    return true;
}

static const weir_python_operation *add(struct weir__pythons *pythons, weir_str name,
                                        const weir_value *description) {
    weir_str code = weir_member_text(description, "code");
    weir_value *declared = weir_member_named(description, "declared");
    if (!is_declaration(declared)) declared = NULL;
    weir_python_operation *made = weir_arena_alloc(&pythons->arena, sizeof *made);
    made->operation = weir__operation_from_value(&pythons->arena, name, description);
    made->operation.run = call_nowhere;
    made->operation.executor = "python";
    made->operation.declared = weir_value_ref(declared);
    made->environment = pythons->environment;
    made->code = code.length ? weir_str_copy(&pythons->arena, code) : NULL;
    weir_str key = key_of(pythons, name);
    weir_map_set(&pythons->places, (weir_str){weir_str_copy(&pythons->arena, key), key.length},
                 pythons->operations.count);
    *weir_vector_push(&pythons->operations) = made;
    return made;
}

/* The folder of the file, absolute; "": it is none, or a text that somebody wrote. */
static void folder_of(const weir_document *document, weir_str directory, weir_buffer *out) {
    const char *slash = strrchr(document->file, '/');
    weir_str folder = {document->file, slash ? (size_t)(slash - document->file) : 0};
    if (document->file[0] != '/') weir_buffer_str_append(out, directory);
    if (!slash) return;
    if (document->file[0] != '/') weir_buffer_byte(out, '/');
    weir_buffer_str_append(out, folder);
}

static weir_python_environment *environment_of(const struct weir__pythons *pythons) {
    weir_str directory = weir_member_text(pythons->request, "folder"),
             interpreter = weir_member_text(pythons->request, "python");
    if (!directory.length) directory = weir_str_from(pythons->engine->folder);
    weir_buffer beside = {0}, inside = {0};
    if (pythons->document) folder_of(pythons->document, directory, &beside);
    weir_buffer_str_append(&inside, directory);
    weir_python_environment *found = weir_python_environment_of(
        pythons->engine->executors[WEIR__EXECUTOR_PYTHON],
        &(weir_python_site){.interpreter = interpreter.length ? interpreter.data : NULL,
                            .directory = inside.data,
                            .beside = beside.data});
    weir_buffer_deinit(&beside);
    weir_buffer_deinit(&inside);
    return found;
}

/* What a run kept of its operations; NULL: it is new. */
static const weir_value *kept(const struct weir__pythons *pythons, weir_str name) {
    const weir_value *request = pythons->request;
    bool is_new = !request || !weir_member_named(request, "text");
    const weir_value *all = is_new ? NULL : weir_member_named(request, "operations");
    const weir_value *value = weir_is(all, WEIR_OBJECT) ? weir_member(all, name) : NULL;
    return weir_is(value, WEIR_OBJECT) ? value : NULL;
}

/* What DFFML has under a name of its own. */
static weir_str function_of(weir_str name) {
    return weir_str_is(name, "dffml.model.predict") ? WEIR_STR("weir.models:predict") : name;
}

/* NULL: it cannot be told what it is. */
static const weir_python_operation *find(struct weir__pythons *pythons, weir_str name,
                                         weir_error *error) {
    uint64_t place;
    if (weir_map_get(&pythons->places, key_of(pythons, name), &place))
        return pythons->operations.items[place];
    const weir_value *before = kept(pythons, name);
    if (before) return add(pythons, name, before);
    weir_value *description;
    if (!weir_python_describe(pythons->environment, name, &description, error)) return NULL;
    const weir_python_operation *made = add(pythons, name, description);
    weir_value_unref(description);
    return made;
}

static const weir_operation *resolve(void *arg, weir_str name, weir_error *error) {
    struct weir__pythons *pythons = ((weir_engine *)arg)->pythons;
    name = function_of(name);
    if (!weir_python_is_name(name)) return NULL;
    if (!pythons->environment) pythons->environment = environment_of(pythons);
    const weir_python_operation *found = find(pythons, name, error);
    if (found && pythons->document) *weir_vector_push(&pythons->met) = found;
    return found ? &found->operation : NULL;
}

/* What functions of a module there are. */
static bool list_module(struct weir__pythons *pythons, weir_str name, weir_value *out,
                        weir_error *error) {
    weir_value *described;
    if (!weir_python_describe(pythons->environment, name, &described, error)) return false;
    const weir_value *all = weir_member_named(described, "operations");
    for (size_t i = 0; weir_is(all, WEIR_ARRAY) && i < weir_value_count(all); i++) {
        const weir_value *one = weir_array_at(all, i);
        weir_str full_name = weir_member_text(one, "name");
        if (!full_name.length) continue;
        const weir_python_operation *made = add(pythons, full_name, one);
        weir_array_append(out, weir__operation_to_value(&made->operation));
    }
    const weir_value *others = weir_member_named(described, "others");
    bool some = weir_value_count(out) > 0;
    if (!some) {
        bool one = weir_is(others, WEIR_ARRAY) && weir_value_count(others) &&
                   weir_is(weir_array_at(others, 0), WEIR_STRING);
        weir_str first = one ? weir_string_get(weir_array_at(others, 0)) : WEIR_STR("");
        weir_fail(error, WEIR_UNKNOWN_OPERATION, "`%.*s` has no decorated function",
                  WEIR_ARG(name));
        if (first.length)
            weir_error_hint(error, "each of its functions is an operation all the same: `%.*s`",
                            WEIR_ARG(first));
        else
            weir_error_hint(error, "decorate functions by @weir.operation");
    }
    weir_value_unref(described);
    return some;
}

bool weir_operations_find(weir_engine *engine, weir_str name, const weir_value *request,
                          weir_value **out, weir_error *error) {
    struct weir__pythons *pythons = engine->pythons;
    weir_str prefix = WEIR_STR("python:");
    bool python = weir_str_starts(name, prefix), ok = true;
    if (python) name = weir_str_slice(name, prefix.length, name.length);
    weir_value *list = weir_array_new();
    weir__python_at(engine, NULL, request);
    bool module = !weir_python_is_name(name) && (python || weir_str_ends(name, WEIR_STR(".py")) ||
                                                 !weir_registry_find(&engine->registry, name));
    if (module) {
        pythons->environment = environment_of(pythons);
        ok = list_module(pythons, name, list, error);
    } else {
        const weir_operation *found = weir_registry_resolve(&engine->registry, name, error);
        ok = found != NULL;
        if (found) weir_array_append(list, weir__operation_to_value(found));
    }
    weir__python_at(engine, NULL, NULL);
    if (ok)
        *out = list;
    else
        weir_value_unref(list);
    return ok;
}

void weir__pythons_open(weir_engine *engine) {
    engine->pythons = weir_alloc(sizeof *engine->pythons);
    engine->registry.resolve = resolve;
    engine->registry.resolve_arg = engine;
    engine->pythons->engine = engine;
    engine->executors[WEIR__EXECUTOR_PYTHON] =
        weir_python_open(engine->loop, &engine->reporter.base, &engine->logs);
}

void weir__pythons_close(weir_engine *engine) {
    struct weir__pythons *pythons = engine->pythons;
    if (!pythons) return;
    for (size_t i = 0; i < pythons->operations.count; i++)
        weir_value_unref(pythons->operations.items[i]->operation.declared);
    weir_vector_deinit(&pythons->operations);
    weir_vector_deinit(&pythons->met);
    weir_map_deinit(&pythons->places);
    weir_buffer_deinit(&pythons->key);
    weir_arena_deinit(&pythons->arena);
    weir_free(pythons);
    engine->pythons = NULL;
}

void weir__python_at(weir_engine *engine, const weir_document *document,
                     const weir_value *request) {
    struct weir__pythons *pythons = engine->pythons;
    pythons->document = document;
    pythons->request = request;
    pythons->environment = NULL;
    if (document) pythons->met.count = 0;
}

void weir__python_keep(const weir_engine *engine, weir_value *request) {
    const struct weir__pythons *pythons = engine->pythons;
    if (!pythons->met.count) return;
    weir_value *all = weir_object_new();
    for (size_t i = 0; i < pythons->met.count; i++) {
        const weir_python_operation *known = pythons->met.items[i];
        weir_str name = weir_str_from(known->operation.name);
        if (weir_member(all, name)) continue;
        weir_value *value = weir__operation_to_value(&known->operation);
        if (known->code) weir_member_put_text(value, "code", weir_str_from(known->code));
        weir_member_set(all, name, value);
    }
    weir_value *whole = weir_object_merge(weir_member_named(request, "operations"), all);
    weir_member_put(request, "operations", whole);
    weir_value_unref(all);
}
