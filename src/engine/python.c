/* Operations that are Python functions: `module:function`, found when a file names them. A run keeps what they are, so one that is
 * read again later starts no interpreter for it. */
#include <string.h>

#include "data/json.h"
#include "engine/engine_internal.h"
#include "executor/python.h"

struct weir__pythons {
    weir_arena arena; /* of the operations */
    WEIR_VECTOR(weir_python_operation *) operations;
    weir_python_environment *environment; /* of the file that is compiled */
    weir_value *kept;                     /* what its run keeps of its operations; NULL: nothing */
};

static bool call_nowhere(const weir_host *host, weir_call *call) {
    return host->fail(call, "not_supported", "a Python function is called by its executor only");
}

static weir_python_operation *find(const struct weir__pythons *pythons, weir_str name) {
    for (size_t i = 0; i < pythons->operations.count; i++) {
        weir_python_operation *known = pythons->operations.items[i];
        if (known->environment == pythons->environment && weir_str_is(name, known->operation.name))
            return known;
    }
    return NULL;
}

static const weir_operation *add(struct weir__pythons *pythons, weir_str name,
                                 const weir_value *description) {
    weir_str code = weir_member_text(description, "code");
    weir_python_operation *made = weir_arena_alloc(&pythons->arena, sizeof *made);
    made->operation = weir__operation_from_value(&pythons->arena, name, description);
    made->operation.run = call_nowhere;
    made->operation.executor = "python";
    made->environment = pythons->environment;
    made->code = code.length ? weir_str_copy(&pythons->arena, code) : NULL;
    *weir_vector_push(&pythons->operations) = made;
    return &made->operation;
}

static const weir_operation *resolve(void *arg, weir_str name, weir_error *error) {
    weir_engine *engine = arg;
    struct weir__pythons *pythons = engine->pythons;
    if (!weir_python_is_name(name)) return NULL;
    if (!pythons->environment) /* no file names it */
        pythons->environment =
            weir_python_environment_of(engine->executors[WEIR__EXECUTOR_PYTHON],
                                       &(weir_python_site){.directory = engine->folder});
    weir_python_operation *known = find(pythons, name);
    if (known) return &known->operation;
    const weir_value *kept = pythons->kept ? weir_member(pythons->kept, name) : NULL;
    if (weir_is(kept, WEIR_OBJECT)) return add(pythons, name, kept);
    weir_value *description;
    if (!weir_python_describe(pythons->environment, name, &description, error)) return NULL;
    const weir_operation *made = add(pythons, name, description);
    weir_value_unref(description);
    return made;
}

void weir__pythons_open(weir_engine *engine) {
    engine->pythons = weir_alloc(sizeof *engine->pythons);
    engine->registry.resolve = resolve;
    engine->registry.resolve_arg = engine;
    engine->executors[WEIR__EXECUTOR_PYTHON] = weir_python_open(
        engine->loop, &engine->reporter.base, &engine->logs, &(weir_python_options){0});
}

void weir__pythons_close(weir_engine *engine) {
    struct weir__pythons *pythons = engine->pythons;
    if (!pythons) return;
    weir_value_unref(pythons->kept);
    weir_vector_deinit(&pythons->operations);
    weir_arena_deinit(&pythons->arena);
    weir_free(pythons);
    engine->pythons = NULL;
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

void weir__python_at(weir_engine *engine, const weir_document *document,
                     const weir_value *request) {
    struct weir__pythons *pythons = engine->pythons;
    weir_str directory = weir_member_text(request, "folder"),
             interpreter = weir_member_text(request, "python");
    if (!directory.length) directory = weir_str_from(engine->folder);
    weir_buffer beside = {0}, inside = {0};
    folder_of(document, directory, &beside);
    weir_buffer_str_append(&inside, directory);
    pythons->environment = weir_python_environment_of(
        engine->executors[WEIR__EXECUTOR_PYTHON],
        &(weir_python_site){.interpreter = interpreter.length ? interpreter.data : NULL,
                            .directory = inside.data,
                            .beside = beside.data});
    weir_value_unref(pythons->kept);
    pythons->kept = weir_member_named(request, "text")
                        ? weir_value_ref(weir_member_named(request, "operations"))
                        : NULL;
    weir_buffer_deinit(&beside);
    weir_buffer_deinit(&inside);
}

void weir__python_keep(const weir_engine *engine, const weir_document *document,
                       weir_value *request) {
    const struct weir__pythons *pythons = engine->pythons;
    weir_value *all = NULL;
    for (size_t i = 0; i < pythons->operations.count; i++) {
        const weir_python_operation *known = pythons->operations.items[i];
        weir_str name = weir_str_from(known->operation.name);
        if (known->environment != pythons->environment ||
            weir_str_find(weir_buffer_str(&document->text), name, 0) == SIZE_MAX)
            continue;
        weir_value *value = weir__operation_to_value(&known->operation);
        if (known->code) weir_member_put_text(value, "code", weir_str_from(known->code));
        if (!all) all = weir_object_new();
        weir_member_set(all, name, value);
    }
    if (!all) return;
    weir_value *whole = weir_object_merge(weir_member_named(request, "operations"), all);
    weir_member_put(request, "operations", whole);
    weir_value_unref(all);
}
