/* Python functions as operations of the engine. A call takes the interpreter's lock, which the thread of the engine has while it
 * does what is ready, so that a function without waits costs little more than a call. */
#include "extension.h"

#include <string.h>

#include "data/value.h"
#include "executor/inline.h"

/* Those behind GENERATOR begin with what their call is ended by, or asked. */
enum kind {
    CALL,
    POOL,
    GENERATOR,
    ASYNCHRONOUS,
    ASYNCHRONOUS_GENERATOR,
    CONTEXTUAL,
    CONTEXTUAL_GENERATOR,
    COLLECTOR,
    KINDS
};

static const uint32_t hints_of[KINDS] = {
    [CALL] = WEIR_PURE | WEIR_CHEAP,
    [POOL] = WEIR_BLOCKING,
    [GENERATOR] = WEIR_GENERATOR,
    [ASYNCHRONOUS] = WEIR_ASYNC,
    [ASYNCHRONOUS_GENERATOR] = WEIR_GENERATOR | WEIR_ASYNC,
    [CONTEXTUAL] = WEIR_ASYNC | WEIR_CONTEXTUAL,
    [CONTEXTUAL_GENERATOR] = WEIR_GENERATOR | WEIR_ASYNC | WEIR_CONTEXTUAL,
    [COLLECTOR] = WEIR_PURE | WEIR_CHEAP | WEIR_COLLECTS | WEIR_ANCESTORS,
};

typedef struct python_operation {
    weir_operation base; /* first */
    python_operations *all;
    PyObject *names; /* the tuple that the ports' names are borrowed from */
    PyObject *callable;
    weir_port *inputs, *outputs;
    size_t input_count;
    bool single; /* what it gives is its only output */
} python_operation;

struct python_operations {
    PyObject *failed;
    python_operation *items;
    const weir_operation **list;
    size_t count;
    weir_plugin plugin;
    const weir_plugin *plugins[2];
};

/* What this thread is in. */
static _Thread_local weir_call *current;
static const weir_host *the_host;

static const python_operation *operation_of(weir_call *call) {
    return (const python_operation *)(const void *)the_host->operation(call);
}

/* --- what comes of a call ---------------------------------------------------------------------- */

/* The exception that is set, which becomes the call's failure. */
static bool fail_with_exception(weir_call *call) {
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    if (trace && value) PyException_SetTraceback(value, trace);
    PyObject *text = PyObject_CallFunctionObjArgs(operation_of(call)->all->failed,
                                                  value ? value : Py_None, NULL);
    const char *said = text ? PyUnicode_AsUTF8AndSize(text, NULL) : NULL;
    the_host->fail(call, NULL, "%s", said ? said : "an exception that cannot be told");
    Py_XDECREF(text);
    if (PyErr_Occurred()) PyErr_Clear();
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(trace);
    return false;
}

/* The members of a dict, each an output of that name. */
static bool give_named(weir_call *call, PyObject *result) {
    if (result == Py_None) return true;
    if (!PyDict_Check(result)) {
        PyErr_Format(PyExc_TypeError,
                     "an operation with several outputs gives a dict of them or None, not %R",
                     result);
        return false;
    }
    weir_value *named = value_with_objects(result);
    for (size_t i = 0; named && i < weir_value_count(named); i++)
        the_host->output(call, weir_object_key(named, i).data,
                         weir_value_ref(weir_object_at(named, i)));
    weir_value_unref(named);
    return named != NULL;
}

static bool give(weir_call *call, const python_operation *operation, PyObject *result) {
    if (!operation->single) return give_named(call, result);
    weir_value *value = value_with_objects(result);
    if (value) the_host->give(call, 0, value);
    return value != NULL;
}

/* The parameters as a tuple, behind `first` if there is one. */
static PyObject *parameters_of(weir_call *call, const python_operation *operation,
                               PyObject *first) {
    Py_ssize_t before = first != NULL;
    PyObject *tuple = PyTuple_New((Py_ssize_t)operation->input_count + before);
    if (tuple && first) {
        Py_INCREF(first);
        PyTuple_SetItem(tuple, 0, first);
    }
    for (size_t i = 0; tuple && i < operation->input_count; i++) {
        weir_value *value = the_host->input(call, i);
        PyObject *item = value ? value_to_python(value) : Py_None;
        if (!value) Py_INCREF(item);
        if (!item || PyTuple_SetItem(tuple, (Py_ssize_t)i + before, item) < 0) Py_CLEAR(tuple);
    }
    return tuple;
}

static PyObject *call_function(weir_call *call, const python_operation *operation,
                               PyObject *first) {
    PyObject *parameters = parameters_of(call, operation, first);
    PyObject *result = parameters ? PyObject_CallObject(operation->callable, parameters) : NULL;
    Py_XDECREF(parameters);
    return result;
}

static bool run_function(const weir_host *host, weir_call *call) {
    (void)host;
    const python_operation *operation = operation_of(call);
    PyGILState_STATE lock = PyGILState_Ensure();
    weir_call *outer = current;
    current = call;
    PyObject *result = call_function(call, operation, NULL);
    current = outer;
    bool ok = result && give(call, operation, result);
    Py_XDECREF(result);
    if (!ok) fail_with_exception(call);
    PyGILState_Release(lock);
    return ok;
}

/* --- generators -------------------------------------------------------------------------------- */

/* Waits while too much is under way: then others have the interpreter. */
static weir_emit emit(weir_call *call) {
    weir_emit said;
    Py_BEGIN_ALLOW_THREADS said = the_host->emit(call);
    Py_END_ALLOW_THREADS return said;
}

static bool run_generator(const weir_host *host, weir_call *call) {
    (void)host;
    const python_operation *operation = operation_of(call);
    PyGILState_STATE lock = PyGILState_Ensure();
    weir_emit said = WEIR_EMIT_OK;
    current = call;
    PyObject *made = call_function(call, operation, NULL);
    PyObject *iterator = made ? PyObject_GetIter(made) : NULL, *item = NULL;
    while (iterator && said == WEIR_EMIT_OK && (item = PyIter_Next(iterator))) {
        bool ok = give(call, operation, item);
        Py_DECREF(item);
        if (!ok) break;
        said = emit(call);
    }
    bool ok = !PyErr_Occurred();
    if (!ok) fail_with_exception(call);
    Py_XDECREF(iterator); /* closes it: its `finally` runs here */
    Py_XDECREF(made);
    if (PyErr_Occurred()) PyErr_Clear();
    current = NULL;
    PyGILState_Release(lock);
    return ok;
}

/* --- asynchronous functions -------------------------------------------------------------------- */

/* What such a function ends its call with, from any thread. */
typedef struct handle {
    PyObject_HEAD weir_call *call; /* NULL: it is over */
} handle;

static PyObject *handle_type;

static weir_call *call_of(PyObject *self) {
    weir_call *call = ((handle *)self)->call;
    if (!call) PyErr_SetString(PyExc_RuntimeError, "the call is over");
    return call;
}

static PyObject *end_call(PyObject *self, weir_call *call, bool ok) {
    ((handle *)self)->call = NULL;
    the_host->complete(call, ok);
    Py_RETURN_NONE;
}

static PyObject *handle_complete(PyObject *self, PyObject *result) {
    weir_call *call = call_of(self);
    if (!call) return NULL;
    bool ok = give(call, operation_of(call), result);
    if (!ok) fail_with_exception(call);
    return end_call(self, call, ok);
}

static PyObject *handle_finish(PyObject *self, PyObject *none) {
    (void)none;
    weir_call *call = call_of(self);
    return call ? end_call(self, call, true) : NULL;
}

static PyObject *handle_fail(PyObject *self, PyObject *exception) {
    weir_call *call = call_of(self);
    if (!call) return NULL;
    PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
    return end_call(self, call, fail_with_exception(call));
}

static const char *const emits[] = {"ok", "full", "cancelled"};

static PyObject *handle_emit(PyObject *self, PyObject *item) {
    weir_call *call = call_of(self);
    if (!call || !give(call, operation_of(call), item)) return NULL;
    return PyUnicode_FromString(emits[the_host->emit(call)]);
}

static PyObject *handle_emit_again(PyObject *self, PyObject *none) {
    (void)none;
    weir_call *call = call_of(self);
    return call ? PyUnicode_FromString(emits[the_host->emit(call)]) : NULL;
}

static PyObject *handle_cancelled(PyObject *self, PyObject *none) {
    (void)none;
    const weir_call *call = ((handle *)self)->call;
    return PyBool_FromLong(call && the_host->cancelled(call));
}

static PyObject *give_python(weir_value *value) {
    if (value) return value_to_python(value);
    Py_RETURN_NONE;
}

static PyObject *handle_contexts(PyObject *self, PyObject *none) {
    (void)none;
    weir_call *call = call_of(self);
    return call ? give_python(the_host->contexts(call)) : NULL;
}

static PyObject *handle_collected(PyObject *self, PyObject *definition) {
    weir_call *call = call_of(self);
    const char *name = call ? PyUnicode_AsUTF8AndSize(definition, NULL) : NULL;
    return name ? give_python(the_host->collected(call, name)) : NULL;
}

static PyObject *handle_ancestors(PyObject *self, PyObject *arguments) {
    const char *name, *ancestor;
    weir_call *call = call_of(self);
    if (!call || !PyArg_ParseTuple(arguments, "ss:ancestors", &name, &ancestor)) return NULL;
    return give_python(the_host->ancestors(call, name, ancestor));
}

static PyObject *handle_report(PyObject *self, PyObject *arguments) {
    const char *name, *unit = "";
    double value;
    if (!PyArg_ParseTuple(arguments, "sd|s:report", &name, &value, &unit)) return NULL;
    weir_call *call = ((handle *)self)->call;
    if (call) the_host->report(call, name, value, unit);
    return PyBool_FromLong(call != NULL);
}

static bool run_asynchronous(const weir_host *host, weir_call *call) {
    (void)host;
    const python_operation *operation = operation_of(call);
    PyGILState_STATE lock = PyGILState_Ensure();
    handle *made = PyObject_New(handle, (PyTypeObject *)handle_type);
    PyObject *result = NULL;
    if (made) {
        made->call = call;
        result = call_function(call, operation, (PyObject *)made);
    }
    /* It may have ended the call before it failed: then there is nobody to tell. */
    bool ok = result || (made && !made->call);
    if (!ok) fail_with_exception(call);
    if (!ok && made) made->call = NULL;
    if (PyErr_Occurred()) PyErr_WriteUnraisable(operation->callable);
    Py_XDECREF(result);
    Py_XDECREF((PyObject *)made);
    PyGILState_Release(lock);
    return ok;
}

/* An output operation, which may ask for what its context has while it runs. */
static bool run_collector(const weir_host *host, weir_call *call) {
    (void)host;
    const python_operation *operation = operation_of(call);
    PyGILState_STATE lock = PyGILState_Ensure();
    handle *made = PyObject_New(handle, (PyTypeObject *)handle_type);
    if (made) made->call = call;
    PyObject *result = made ? call_function(call, operation, (PyObject *)made) : NULL;
    if (made) made->call = NULL;
    bool ok = result && give(call, operation, result);
    if (!ok) fail_with_exception(call);
    Py_XDECREF(result);
    Py_XDECREF((PyObject *)made);
    PyGILState_Release(lock);
    return ok;
}

static void free_handle(PyObject *self) {
    handle *h = (handle *)self;
    if (h->call) { /* it was forgotten: nobody would ever end it */
        the_host->fail(h->call, NULL, "the function went without an end");
        the_host->complete(h->call, false);
    }
    PyObject_Free(self);
}

static PyMethodDef handle_methods[] = {
    {"complete", handle_complete, METH_O, "Ends the call with what the function gave."},
    {"finish", handle_finish, METH_NOARGS, "Ends the call of a generator."},
    {"fail", handle_fail, METH_O, "Ends the call with an exception."},
    {"emit", handle_emit, METH_O,
     "Gives a set of outputs: 'ok', 'full' (see emit_again) or 'cancelled'."},
    {"emit_again", handle_emit_again, METH_NOARGS, "The set for which there was no room."},
    {"cancelled", handle_cancelled, METH_NOARGS, "Whether the call is to end."},
    {"report", handle_report, METH_VARARGS, "A metric of the call."},
    {"contexts", handle_contexts, METH_NOARGS,
     "The names of the contexts it is in, from the run's own; None: it is no contextual call."},
    {"collected", handle_collected, METH_O,
     "Of a collector: the values of a definition in its context, or None."},
    {"ancestors", handle_ancestors, METH_VARARGS,
     "Of a collector: for each value of a definition the places of those of another it was made "
     "from."},
    {NULL, NULL, 0, NULL},
};

bool operations_add_types(PyObject *module) {
    static PyType_Slot slots[] = {
        {Py_tp_doc, "A call of an asynchronous function, to be ended once, from any thread."},
        {Py_tp_dealloc, free_handle},
        {Py_tp_methods, handle_methods},
        {0, NULL},
    };
    static PyType_Spec spec = {.name = "weir._weir.Call",
                               .basicsize = sizeof(handle),
                               .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                               .slots = slots};
    handle_type = PyType_FromSpec(&spec);
    return handle_type && PyModule_AddObjectRef(module, "Call", handle_type) == 0;
}

/* --- what a function says while it runs -------------------------------------------------------- */

PyObject *operations_report(PyObject *module, PyObject *arguments) {
    (void)module;
    const char *name, *unit = "";
    double value;
    if (!PyArg_ParseTuple(arguments, "sd|s:report", &name, &value, &unit)) return NULL;
    if (current) the_host->report(current, name, value, unit);
    return PyBool_FromLong(current != NULL);
}

PyObject *operations_log(PyObject *module, PyObject *text) {
    (void)module;
    const char *said = PyUnicode_AsUTF8AndSize(text, NULL);
    if (!said) return NULL;
    if (current) the_host->log(current, WEIR_INFO, "%s", said);
    return PyBool_FromLong(current != NULL);
}

/* --- a run's ----------------------------------------------------------------------------------- */

/* Ports of the names in a tuple, which the caller keeps; NULL and an exception. */
static weir_port *ports_of(PyObject *names, size_t *count) {
    *count = PyTuple_Check(names) ? (size_t)PyTuple_Size(names) : 0;
    weir_port *ports = PyMem_Calloc(*count + 1, sizeof *ports);
    if (!ports) return (weir_port *)PyErr_NoMemory();
    for (size_t i = 0; i < *count; i++) {
        ports[i] = (weir_port){
            .name = PyUnicode_AsUTF8AndSize(PyTuple_GetItem(names, (Py_ssize_t)i), NULL),
            .primitive = "generic",
            .about = ""};
        if (!ports[i].name) {
            PyMem_Free(ports);
            return NULL;
        }
    }
    return ports;
}

static bool make_operation(python_operations *all, python_operation *operation,
                           PyObject *function) {
    static bool (*const runs[KINDS])(const weir_host *, weir_call *) = {
        run_function,     run_function,     run_generator,    run_asynchronous,
        run_asynchronous, run_asynchronous, run_asynchronous, run_collector};
    const char *name;
    int kind, single;
    PyObject *callable, *inputs, *outputs;
    size_t ignored;
    if (!PyArg_ParseTuple(function, "siOO!O!p:operation", &name, &kind, &callable, &PyTuple_Type,
                          &inputs, &PyTuple_Type, &outputs, &single))
        return false;
    if (kind < 0 || kind >= KINDS) {
        PyErr_SetString(PyExc_ValueError, "no such kind of operation");
        return false;
    }
    Py_INCREF(function);
    Py_INCREF(callable);
    operation->names = function;
    operation->callable = callable;
    operation->all = all;
    operation->single = single;
    operation->inputs = ports_of(inputs, &operation->input_count);
    operation->outputs = operation->inputs ? ports_of(outputs, &ignored) : NULL;
    operation->base = (weir_operation){.size = sizeof(weir_operation),
                                       .name = name,
                                       .about = "",
                                       .inputs = operation->inputs,
                                       .outputs = operation->outputs,
                                       .hints = hints_of[kind],
                                       .run = runs[kind]};
    return operation->outputs != NULL;
}

python_operations *operations_new(PyObject *functions, PyObject *failed) {
    Py_ssize_t count = PyList_Size(functions);
    python_operations *all = count < 0 ? NULL : PyMem_Calloc(1, sizeof *all);
    if (!all) return PyErr_Occurred() ? NULL : (python_operations *)PyErr_NoMemory();
    the_host = weir_host_get();
    Py_INCREF(failed);
    all->failed = failed;
    all->count = (size_t)count;
    all->items = PyMem_Calloc(all->count + 1, sizeof *all->items);
    all->list = PyMem_Calloc(all->count + 1, sizeof *all->list);
    bool ok = all->items && all->list;
    for (size_t i = 0; ok && i < all->count; i++) {
        ok = make_operation(all, &all->items[i], PyList_GetItem(functions, (Py_ssize_t)i));
        all->list[i] = &all->items[i].base;
    }
    all->plugin = (weir_plugin){.abi = WEIR_ABI,
                                .size = sizeof(weir_plugin),
                                .name = "python",
                                .version = weir_version(),
                                .operations = all->list};
    all->plugins[0] = &all->plugin;
    if (ok) return all;
    operations_free(all);
    return NULL;
}

void operations_free(python_operations *all) {
    if (!all) return;
    for (size_t i = 0; all->items && i < all->count; i++) {
        PyMem_Free(all->items[i].inputs);
        PyMem_Free(all->items[i].outputs);
        Py_XDECREF(all->items[i].callable);
        Py_XDECREF(all->items[i].names);
    }
    PyMem_Free(all->items);
    PyMem_Free(all->list);
    Py_DECREF(all->failed);
    PyMem_Free(all);
}

const weir_plugin *const *operations_plugins(const python_operations *all) {
    return all->plugins;
}
