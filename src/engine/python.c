/* Operations that are Python functions: `module:function`, found when a file names them. A run keeps what they are, so one that is
 * read again later starts no interpreter for it. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/interpreter.h"
#include "data/json.h"
#include "engine/engine_internal.h"
#include "executor/python.h"

/* A function that a file named, and where it said that it runs; NULL: it said nothing. */
typedef struct meeting {
    const weir_python_operation *operation;
    weir_value *where;
} meeting;

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
    WEIR_VECTOR(meeting) met; /* the functions that it named */
    weir_value *files;        /* of the modules that workers imported: path → how it was */
    uint32_t generation;      /* of the workers of runs that begin now */
};

static bool call_nowhere(const weir_host *host, weir_call *call) {
    return host->fail(call, "not_supported", "a Python function is called by its executor only");
}

/* A function by name, and where the file says that it runs, as the same one may run in several places. */
static void put_name(weir_str name, const weir_value *where, weir_buffer *out) {
    weir_buffer_str_append(out, name);
    if (where) weir_json_format(where, 0, out);
}

/* What tells the operation from others: until it is asked for again. */
static weir_str key_of(struct weir__pythons *pythons, weir_str name, const weir_value *where) {
    const weir_python_environment *environment = pythons->environment;
    weir_buffer_clear(&pythons->key);
    weir_buffer_str_append(&pythons->key,
                           (weir_str){(const char *)&environment, sizeof environment});
    put_name(name, where, &pythons->key);
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

/* The folder of the file, absolute; "": it is none, or a text that somebody wrote. */
static void folder_of(const weir_document *document, weir_str directory, weir_buffer *out) {
    const char *slash = strrchr(document->file, '/');
    weir_str folder = {document->file, slash ? (size_t)(slash - document->file) : 0};
    if (document->file[0] != '/') weir_buffer_str_append(out, directory);
    if (!slash) return;
    if (document->file[0] != '/') weir_buffer_byte(out, '/');
    weir_buffer_str_append(out, folder);
}

/* What is to be installed, as weir_python_site has it. */
static void put_requirements(const weir_value *requirements, weir_str folder, weir_buffer *out) {
    weir_value *said = weir_object_new();
    weir_buffer kept_in = {0};
    weir_interpreter_environments(&kept_in);
    weir_member_put(said, "requirements", weir_value_ref((weir_value *)(uintptr_t)requirements));
    weir_member_put_text(said, "folder", folder);
    weir_member_put_text(said, "cache", weir_buffer_str(&kept_in));
    weir_json_format(said, 0, out);
    weir_buffer_deinit(&kept_in);
    weir_value_unref(said);
}

/* An interpreter that a file names by a relative path is beside the file. */
static void put_interpreter(weir_str said, weir_str folder, weir_buffer *out) {
    bool path = weir_str_find(said, WEIR_STR("/"), 0) != SIZE_MAX;
    if (path && said.data[0] != '/') weir_buffer_printf(out, "%.*s/", WEIR_ARG(folder));
    weir_buffer_str_append(out, said);
}

/* Where functions of the file run; `where` is what is said of one, NULL: nothing. */
static weir_python_environment *environment_in(const struct weir__pythons *pythons,
                                               const weir_value *where) {
    weir_str directory = weir_member_text(pythons->request, "folder"),
             given = weir_member_text(pythons->request, "python"),
             own = weir_member_text(where, "interpreter");
    if (!directory.length) directory = weir_str_from(pythons->engine->folder);
    weir_buffer beside = {0}, inside = {0}, interpreter = {0}, requirements = {0};
    if (pythons->document) folder_of(pythons->document, directory, &beside);
    weir_str folder = beside.length ? weir_buffer_str(&beside) : directory;
    weir_buffer_str_append(&inside, directory);
    if (own.length)
        put_interpreter(own, folder, &interpreter);
    else
        weir_buffer_str_append(&interpreter, given);
    const weir_value *wanted = weir_member_named(where, "requirements");
    if (wanted) put_requirements(wanted, folder, &requirements);
    weir_python_environment *found = weir_python_environment_of(
        pythons->engine->executors[WEIR__EXECUTOR_PYTHON],
        &(weir_python_site){.interpreter = interpreter.length ? interpreter.data : NULL,
                            .directory = inside.data,
                            .beside = beside.data,
                            .requirements = requirements.data,
                            .generation = pythons->generation});
    weir_buffer *const texts[] = {&beside, &inside, &interpreter, &requirements};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) weir_buffer_deinit(texts[i]);
    return found;
}

/* How a file is now; "": it is not there. */
static weir_value *stamp_of(const char *path) {
    struct stat now;
    char stamp[64] = "";
    if (stat(path, &now) == 0)
        snprintf(stamp, sizeof stamp, "%lld%09ld %lld", (long long)now.st_mtim.tv_sec,
                 now.st_mtim.tv_nsec, (long long)now.st_size);
    return weir_string_from(weir_str_from(stamp));
}

/* Workers have these files, as they were when one told of them; or as they are `now`, if those who import them are still to start. */
static void note_files(struct weir__pythons *pythons, const weir_value *files, bool now) {
    weir_value *all = weir_object_merge(pythons->files, NULL);
    for (size_t i = 0; files && i < weir_value_count(files); i++) {
        weir_str path = weir_object_key(files, i);
        if (!weir_member(all, path))
            weir_member_set(all, path,
                            now ? stamp_of(path.data) : weir_value_ref(weir_object_at(files, i)));
    }
    weir_value_unref(pythons->files);
    pythons->files = all;
}

/* Whether a file that workers imported is another now: they keep what they have, so runs from now on want others. */
static bool has_changed(const struct weir__pythons *pythons) {
    bool changed = false;
    for (size_t i = 0; !changed && pythons->files && i < weir_value_count(pythons->files); i++) {
        const weir_value *before = weir_object_at(pythons->files, i);
        weir_value *now = stamp_of(weir_object_key(pythons->files, i).data);
        changed = weir_is(before, WEIR_STRING) &&
                  !weir_str_equal(weir_string_get(before), weir_string_get(now));
        weir_value_unref(now);
    }
    return changed;
}

/* What its results depend on beside its inputs. */
static const char *code_of(weir_arena *arena, weir_str code, const weir_value *where) {
    if (!code.length) return NULL;
    weir_buffer text = {0};
    weir_buffer_str_append(&text, code);
    if (where) weir_json_format(where, 0, &text);
    const char *copy = weir_str_copy(arena, weir_buffer_str(&text));
    weir_buffer_deinit(&text);
    return copy;
}

/* What the file says of where it runs, `where`, is over what the function says itself. */
static const weir_python_operation *add(struct weir__pythons *pythons, weir_str name,
                                        const weir_value *where, const weir_value *description,
                                        bool was_kept) {
    weir_value *declared = weir_member_named(description, "declared");
    if (!is_declaration(declared)) declared = NULL;
    weir_value *said = weir_operation_where(weir_member_named(description, "python"));
    if (where) {
        weir_value *both = weir_object_merge(said, where);
        weir_value_unref(said);
        said = both;
    }
    weir_python_operation *made = weir_arena_alloc(&pythons->arena, sizeof *made);
    made->operation = weir__operation_from_value(&pythons->arena, name, description);
    made->operation.run = call_nowhere;
    made->operation.executor = "python";
    made->operation.declared = weir_value_ref(declared);
    made->environment = said ? environment_in(pythons, said) : pythons->environment;
    weir_str code = weir_member_text(description, "code");
    made->own_code = code.length ? weir_str_copy(&pythons->arena, code) : NULL;
    made->code = code_of(&pythons->arena, code, said);
    made->where = said;
    weir_value *files = weir_member_named(description, "files");
    if (weir_is(files, WEIR_OBJECT)) {
        made->files = weir_value_ref(files);
        note_files(pythons, files, was_kept);
    }
    weir_str key = key_of(pythons, name, where);
    weir_map_set(&pythons->places, (weir_str){weir_str_copy(&pythons->arena, key), key.length},
                 pythons->operations.count);
    *weir_vector_push(&pythons->operations) = made;
    return made;
}

static weir_value *to_value(const weir_python_operation *operation) {
    weir_value *value = weir__operation_to_value(&operation->operation);
    if (operation->where) weir_member_put(value, "python", weir_value_ref(operation->where));
    return value;
}

/* What a run kept of its operations; NULL: it is new. */
static const weir_value *kept(const struct weir__pythons *pythons, weir_str name,
                              const weir_value *where) {
    const weir_value *request = pythons->request;
    bool is_new = !request || !weir_member_named(request, "text");
    const weir_value *all = is_new ? NULL : weir_member_named(request, "operations");
    if (!weir_is(all, WEIR_OBJECT)) return NULL;
    weir_buffer key = {0};
    put_name(name, where, &key);
    const weir_value *value = weir_member(all, weir_buffer_str(&key));
    weir_buffer_deinit(&key);
    return weir_is(value, WEIR_OBJECT) ? value : NULL;
}

/* What DFFML has under a name of its own. */
static weir_str function_of(weir_str name) {
    return weir_str_is(name, "dffml.model.predict") ? WEIR_STR("weir.models:predict") : name;
}

/* Where a function is asked what it is: nothing is installed for that, as long as its module can be imported without. */
static weir_python_environment *asked_in(const struct weir__pythons *pythons,
                                         const weir_value *where) {
    weir_value *interpreter = weir_member_named(where, "interpreter");
    if (!interpreter) return pythons->environment;
    weir_value *only = weir_object_new();
    weir_member_put(only, "interpreter", weir_value_ref(interpreter));
    weir_python_environment *environment = environment_in(pythons, only);
    weir_value_unref(only);
    return environment;
}

static bool fail_import(const weir_value *description, weir_error *error) {
    weir_fail(error, WEIR_UNKNOWN_OPERATION, "%.*s",
              WEIR_ARG(weir_member_text(description, "why")));
    weir_error_hint(error, "%.*s", WEIR_ARG(weir_member_text(description, "hint")));
    return false;
}

/* Asks a worker; where that lacks what the module imports, one of the environment that the file or the function itself names. */
static bool ask(const struct weir__pythons *pythons, weir_str name, const weir_value *where,
                weir_value **out, weir_error *error) {
    weir_python_environment *asked = asked_in(pythons, where);
    weir_value *description, *again = NULL;
    if (!weir_python_describe(asked, name, &description, error)) return false;
    const weir_value *elsewhere = weir_member_named(description, "elsewhere");
    if (!elsewhere) {
        *out = description;
        return true;
    }
    weir_value *both = weir_object_merge(elsewhere, where);
    weir_python_environment *environment = environment_in(pythons, both);
    bool ok = environment == asked ? fail_import(description, error)
                                   : weir_python_describe(environment, name, &again, error);
    if (ok && weir_member_named(again, "elsewhere")) {
        ok = fail_import(again, error);
        weir_value_unref(again);
    }
    if (ok) *out = again;
    weir_value_unref(description);
    weir_value_unref(both);
    return ok;
}

/* NULL: it cannot be told what it is. */
static const weir_python_operation *find(struct weir__pythons *pythons, weir_str name,
                                         const weir_value *where, weir_error *error) {
    uint64_t place;
    if (weir_map_get(&pythons->places, key_of(pythons, name, where), &place))
        return pythons->operations.items[place];
    const weir_value *before = kept(pythons, name, where);
    if (before) return add(pythons, name, where, before, true);
    weir_value *description;
    if (!ask(pythons, name, where, &description, error)) return NULL;
    const weir_python_operation *made = add(pythons, name, where, description, false);
    weir_value_unref(description);
    return made;
}

static bool check_where(const weir_value *where, weir_error *error) {
    const weir_value *interpreter = weir_member_named(where, "interpreter"),
                     *wanted = weir_member_named(where, "requirements");
    bool texts = !wanted || weir_is(wanted, WEIR_STRING) || weir_is(wanted, WEIR_ARRAY);
    for (size_t i = 0; weir_is(wanted, WEIR_ARRAY) && i < weir_value_count(wanted); i++)
        texts = texts && weir_is(weir_array_at(wanted, i), WEIR_STRING);
    if (interpreter && !weir_is(interpreter, WEIR_STRING))
        return weir_fail(error, WEIR_INVALID, "`interpreter` is no text");
    return texts || weir_fail(error, WEIR_INVALID,
                              "`requirements` are a list of texts, or the path of a file");
}

static const weir_operation *resolve(void *arg, weir_str name, const weir_value *where,
                                     weir_error *error) {
    struct weir__pythons *pythons = ((weir_engine *)arg)->pythons;
    name = function_of(name);
    if (!weir_python_is_name(name) || (where && !check_where(where, error))) return NULL;
    if (!pythons->environment) pythons->environment = environment_in(pythons, NULL);
    const weir_python_operation *found = find(pythons, name, where, error);
    if (found && pythons->document)
        *weir_vector_push(&pythons->met) =
            (meeting){found, weir_value_ref((weir_value *)(uintptr_t)where)};
    return found ? &found->operation : NULL;
}

/* What functions of a module there are. */
static bool list_module(struct weir__pythons *pythons, weir_str name, weir_value *out,
                        weir_error *error) {
    weir_value *described;
    if (!ask(pythons, name, NULL, &described, error)) return false;
    const weir_value *all = weir_member_named(described, "operations");
    for (size_t i = 0; weir_is(all, WEIR_ARRAY) && i < weir_value_count(all); i++) {
        const weir_value *one = weir_array_at(all, i);
        weir_str full_name = weir_member_text(one, "name");
        if (!full_name.length) continue;
        weir_array_append(out, to_value(add(pythons, full_name, NULL, one, false)));
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
        pythons->environment = environment_in(pythons, NULL);
        ok = list_module(pythons, name, list, error);
    } else {
        const weir_operation *found = weir_registry_resolve(&engine->registry, name, error);
        ok = found != NULL;
        if (found)
            weir_array_append(list,
                              strcmp(weir_operation_executor(found), "python") == 0
                                  ? to_value((const weir_python_operation *)(const void *)found)
                                  : weir__operation_to_value(found));
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

static void forget_met(struct weir__pythons *pythons) {
    for (size_t i = 0; i < pythons->met.count; i++) weir_value_unref(pythons->met.items[i].where);
    pythons->met.count = 0;
}

void weir__pythons_close(weir_engine *engine) {
    struct weir__pythons *pythons = engine->pythons;
    if (!pythons) return;
    for (size_t i = 0; i < pythons->operations.count; i++) {
        weir_value_unref(pythons->operations.items[i]->operation.declared);
        weir_value_unref(pythons->operations.items[i]->where);
        weir_value_unref(pythons->operations.items[i]->files);
    }
    forget_met(pythons);
    weir_vector_deinit(&pythons->operations);
    weir_vector_deinit(&pythons->met);
    weir_map_deinit(&pythons->places);
    weir_buffer_deinit(&pythons->key);
    weir_arena_deinit(&pythons->arena);
    weir_value_unref(pythons->files);
    weir_free(pythons);
    engine->pythons = NULL;
}

void weir__python_at(weir_engine *engine, const weir_document *document,
                     const weir_value *request) {
    struct weir__pythons *pythons = engine->pythons;
    pythons->document = document;
    pythons->request = request;
    pythons->environment = NULL;
    if (document) forget_met(pythons);
    if (!request || !has_changed(pythons)) return;
    weir_value_unref(pythons->files);
    pythons->files = NULL;
    pythons->generation++;
}

void weir__python_keep(const weir_engine *engine, weir_value *request) {
    const struct weir__pythons *pythons = engine->pythons;
    if (!pythons->met.count) return;
    weir_value *all = weir_object_new();
    weir_buffer key = {0};
    for (size_t i = 0; i < pythons->met.count; i++) {
        const weir_python_operation *known = pythons->met.items[i].operation;
        weir_buffer_clear(&key);
        put_name(weir_str_from(known->operation.name), pythons->met.items[i].where, &key);
        if (weir_member(all, weir_buffer_str(&key))) continue;
        weir_value *value = to_value(known);
        if (known->own_code) weir_member_put_text(value, "code", weir_str_from(known->own_code));
        if (known->files) weir_member_put(value, "files", weir_value_ref(known->files));
        weir_member_set(all, weir_buffer_str(&key), value);
    }
    weir_buffer_deinit(&key);
    weir_value *whole = weir_object_merge(weir_member_named(request, "operations"), all);
    weir_member_put(request, "operations", whole);
    weir_value_unref(all);
}
