/* The type Run: an engine with one run, which the thread that made it drives. What happens is put into a list, from which Python
 * takes it. */
#include "extension.h"

#include <string.h>

#include "data/value.h"

typedef struct run {
    PyObject_HEAD weir_engine *engine;
    weir_run *run;
    python_operations *operations;
    PyObject *
        inbox; /* of ("result", context, value), ("event", value), ("problem", text), ("log", text) */
    unsigned long thread;
    bool busy; /* the engine runs: nothing of it may be asked */
} run;

static run *run_of(PyObject *self) {
    return (run *)self;
}

/* --- what the engine tells --------------------------------------------------------------------- */

/* Within the engine an exception has nowhere to go. */
static void put(run *r, PyObject *item) {
    if (!item || PyList_Append(r->inbox, item) < 0) PyErr_WriteUnraisable(r->inbox);
    Py_XDECREF(item);
}

static void told_result(void *arg, weir_run *ignored, weir_str context, const weir_value *result) {
    (void)ignored;
    PyGILState_STATE lock = PyGILState_Ensure();
    PyObject *value = value_to_python(result);
    put(arg, value
                 ? Py_BuildValue("ss#N", "result", context.data, (Py_ssize_t)context.length, value)
                 : NULL);
    PyGILState_Release(lock);
}

static void told_event(void *arg, weir_run *ignored, const weir_value *event) {
    (void)ignored;
    PyGILState_STATE lock = PyGILState_Ensure();
    PyObject *value = value_to_python(event);
    put(arg, value ? Py_BuildValue("sN", "event", value) : NULL);
    PyGILState_Release(lock);
}

static void told_line(void *arg, weir_run *ignored, uint32_t task, weir_str line) {
    (void)ignored;
    PyGILState_STATE lock = PyGILState_Ensure();
    PyObject *text = PyUnicode_DecodeUTF8(line.data, (Py_ssize_t)line.length, "replace");
    put(arg, text ? Py_BuildValue("skN", "log", (unsigned long)task, text) : NULL);
    PyGILState_Release(lock);
}

static void told_problem(void *arg, const weir_error *error) {
    char text[2048];
    weir_error_format(error, text, sizeof text);
    PyGILState_STATE lock = PyGILState_Ensure();
    put(arg, Py_BuildValue("sss", error->code == WEIR_OK ? "warning" : "problem", text,
                           weir_code_text(error->code)));
    PyGILState_Release(lock);
}

/* --- life -------------------------------------------------------------------------------------- */

/* Functions that run on other threads may want the interpreter's lock to end. */
static void close_engine(run *r) {
    weir_engine *engine = r->engine;
    weir_run *open = r->run;
    r->engine = NULL;
    r->run = NULL;
    if (engine) {
        Py_BEGIN_ALLOW_THREADS weir_run_close(open);
        weir_close(engine);
        Py_END_ALLOW_THREADS
    }
    /* What was left behind uses its operation. */
    if (!weir_left_behind()) operations_free(r->operations);
    r->operations = NULL;
}

static PyObject *run_new(PyTypeObject *type, PyObject *arguments, PyObject *named) {
    (void)arguments;
    (void)named;
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    run *r = (run *)allocate(type, 0);
    if (r && !(r->inbox = PyList_New(0))) Py_CLEAR(r);
    if (r) r->thread = PyThread_get_thread_ident();
    return (PyObject *)r;
}

static void run_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    /* Only its own thread may end it; else it stays, as what is left behind does. */
    run *r = run_of(self);
    if (r->thread == PyThread_get_thread_ident() && !r->busy) close_engine(r);
    Py_CLEAR(r->inbox);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

static int run_traverse(PyObject *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(run_of(self)->inbox);
    return 0;
}

static int run_clear(PyObject *self) {
    (void)
        self; /* the list has values only, and the functions are the engine's until it is closed */
    return 0;
}

/* Whether the engine may be asked now, here. */
static bool may(run *r) {
    const char *why = r->busy ? "the engine is in a turn"
                      : r->thread != PyThread_get_thread_ident()
                          ? "a run belongs to the thread that began it"
                      : !r->engine ? "the run is closed"
                                   : NULL;
    if (why) PyErr_SetString(PyExc_RuntimeError, why);
    return !why;
}

/* A new reference to a member that is a text, or NULL. */
static const char *text_option(PyObject *options, const char *name) {
    PyObject *text = PyDict_GetItemString(options, name); /* borrowed */
    return text && PyUnicode_Check(text) ? PyUnicode_AsUTF8AndSize(text, NULL) : NULL;
}

static bool flag_option(PyObject *options, const char *name) {
    PyObject *flag = PyDict_GetItemString(options, name);
    return flag && PyObject_IsTrue(flag) == 1;
}

static unsigned long count_option(PyObject *options, const char *name) {
    PyObject *count = PyDict_GetItemString(options, name);
    unsigned long number = count && PyLong_Check(count) ? PyLong_AsUnsignedLong(count) : 0;
    if (PyErr_Occurred()) PyErr_Clear();
    return number;
}

static weir_options options_of(run *r, PyObject *options) {
    const char *durability = text_option(options, "durability");
    weir_options given = {
        .size = sizeof(weir_options),
        .state = text_option(options, "state"),
        .durability = WEIR_DURABILITY_NONE,
        .store = text_option(options, "store"),
        .attempts_max = (uint32_t)count_option(options, "attempts_max"),
        .threads = (uint32_t)count_option(options, "threads"),
        .log = flag_option(options, "log") ? told_line : NULL,
        .event = flag_option(options, "events") ? told_event : NULL,
        .arg = r,
        .result = told_result,
        .results_go = true,
        .record_all = flag_option(options, "events"),
        .own_plugins = r->operations ? operations_plugins(r->operations) : NULL,
    };
    if (given.state && (!durability || strcmp(durability, "full") == 0))
        given.durability = WEIR_DURABILITY_FULL;
    else if (given.state && strcmp(durability, "batch") == 0)
        given.durability = WEIR_DURABILITY_BATCH;
    return given;
}

/* Options and a request with texts that Python holds meanwhile. */
static bool open_and_start(run *r, PyObject *options, const weir_value *request,
                           weir_error *error) {
    weir_options given = options_of(r, options);
    bool ok;
    r->busy = true;
    Py_BEGIN_ALLOW_THREADS ok = weir_open(&given, &r->engine, error);
    if (!ok) r->engine = NULL;
    ok = ok && weir_run_start(r->engine, request, told_problem, r, &r->run, error);
    Py_END_ALLOW_THREADS r->busy = false;
    return ok;
}

static PyObject *run_start(PyObject *self, PyObject *arguments) {
    run *r = run_of(self);
    PyObject *request, *functions, *failed, *options;
    if (!PyArg_ParseTuple(arguments, "OO!OO!:start", &request, &PyList_Type, &functions, &failed,
                          &PyDict_Type, &options))
        return NULL;
    if (r->engine || r->operations || r->busy) {
        PyErr_SetString(PyExc_RuntimeError, "it has begun");
        return NULL;
    }
    weir_value *value = value_with_objects(request);
    if (!value) return NULL;
    r->operations = operations_new(functions, failed);
    weir_error error = {.code = WEIR_OK};
    bool ok = r->operations && open_and_start(r, options, value, &error);
    weir_value_unref(value);
    if (ok) Py_RETURN_NONE;
    if (r->operations) raise_error(&error);
    return NULL;
}

/* What there is to do is done with the interpreter's lock held: calls of Python functions then need not ask for it. Only then is it
 * given to others, to wait. */
static PyObject *run_turn(PyObject *self, PyObject *argument) {
    run *r = run_of(self);
    unsigned long timeout_ms = PyLong_AsUnsignedLong(argument);
    if (PyErr_Occurred() || !may(r)) return NULL;
    r->busy = true;
    bool over = weir_run_turn(r->run, 0);
    if (!over && !PyList_Size(r->inbox) && timeout_ms) {
        Py_BEGIN_ALLOW_THREADS over = weir_run_turn(r->run, (uint32_t)timeout_ms);
        Py_END_ALLOW_THREADS
    }
    r->busy = false;
    if (PyErr_CheckSignals() < 0) return NULL;
    return PyBool_FromLong(over);
}

static PyObject *run_take(PyObject *self, PyObject *none) {
    (void)none;
    run *r = run_of(self);
    PyObject *empty = PyList_New(0), *taken = r->inbox;
    if (!empty) return NULL;
    r->inbox = empty;
    return taken;
}

static PyObject *run_descriptor(PyObject *self, PyObject *none) {
    (void)none;
    run *r = run_of(self);
    if (!may(r)) return NULL;
    uint32_t timeout_ms;
    int descriptor = weir_descriptor(r->engine, &timeout_ms);
    return Py_BuildValue("il", descriptor, timeout_ms == UINT32_MAX ? -1L : (long)timeout_ms);
}

static PyObject *run_cancel(PyObject *self, PyObject *terminate) {
    run *r = run_of(self);
    if (!may(r)) return NULL;
    r->busy = true;
    weir_run_cancel(r->run, PyObject_IsTrue(terminate) == 1);
    r->busy = false;
    Py_RETURN_NONE;
}

static PyObject *value_and_end(weir_value *value) {
    PyObject *object = value_to_python(value);
    weir_value_unref(value);
    return object;
}

static PyObject *run_result(PyObject *self, PyObject *none) {
    (void)none;
    run *r = run_of(self);
    return may(r) ? value_and_end(weir_run_result(r->run)) : NULL;
}

static PyObject *run_status(PyObject *self, PyObject *none) {
    (void)none;
    run *r = run_of(self);
    return may(r) ? value_and_end(weir_run_status(r->run)) : NULL;
}

static PyObject *run_code(PyObject *self, PyObject *none) {
    (void)none;
    run *r = run_of(self);
    return may(r) ? PyUnicode_FromString(weir_code_text(weir_run_code(r->run))) : NULL;
}

/* One of weir_context_open, _send and _close. */
static PyObject *tell_context(run *r, const char *name, PyObject *inputs, int how) {
    weir_value *value = inputs ? value_with_objects(inputs) : NULL;
    weir_error error;
    if ((inputs && !value) || !may(r)) {
        weir_value_unref(value);
        return NULL;
    }
    r->busy = true;
    bool ok = how == 's'   ? weir_context_send(r->run, name, value, &error)
              : how == 'c' ? weir_context_close(r->run, name, &error)
                           : weir_context_open(r->run, name, value, how == 'h', &error);
    r->busy = false;
    weir_value_unref(value);
    if (!ok) return raise_error(&error);
    Py_RETURN_NONE;
}

static PyObject *run_open_context(PyObject *self, PyObject *arguments) {
    const char *name;
    PyObject *inputs;
    int hold;
    if (!PyArg_ParseTuple(arguments, "sOp:open_context", &name, &inputs, &hold)) return NULL;
    return tell_context(run_of(self), name, inputs, hold ? 'h' : 'o');
}

static PyObject *run_send(PyObject *self, PyObject *arguments) {
    const char *name;
    PyObject *inputs;
    if (!PyArg_ParseTuple(arguments, "sO:send", &name, &inputs)) return NULL;
    return tell_context(run_of(self), name, inputs, 's');
}

static PyObject *run_close_context(PyObject *self, PyObject *name) {
    const char *text = PyUnicode_AsUTF8AndSize(name, NULL);
    return text ? tell_context(run_of(self), text, NULL, 'c') : NULL;
}

static PyObject *run_has_room(PyObject *self, PyObject *none) {
    (void)none;
    run *r = run_of(self);
    return may(r) ? PyBool_FromLong(weir_run_has_room(r->run)) : NULL;
}

static PyObject *run_end(PyObject *self, PyObject *none) {
    (void)none;
    run *r = run_of(self);
    if (!may(r)) return NULL;
    r->busy = true;
    weir_run_end(r->run);
    r->busy = false;
    Py_RETURN_NONE;
}

static PyObject *run_close(PyObject *self, PyObject *none) {
    (void)none;
    run *r = run_of(self);
    if (r->busy || r->thread != PyThread_get_thread_ident()) {
        PyErr_SetString(PyExc_RuntimeError,
                        "a run is closed by the thread that began it, between turns");
        return NULL;
    }
    close_engine(r);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"start", run_start, METH_VARARGS, "Opens an engine and starts the request's run in it."},
    {"turn", run_turn, METH_O,
     "Does what is ready, or waits so many milliseconds; whether it is over."},
    {"take", run_take, METH_NOARGS, "What happened since the last time."},
    {"descriptor", run_descriptor, METH_NOARGS,
     "(descriptor, milliseconds or -1) for an event loop."},
    {"cancel", run_cancel, METH_O, "Asks the run to stop."},
    {"result", run_result, METH_NOARGS, "{run, phase, error, …}."},
    {"status", run_status, METH_NOARGS, "{run, phase, nodes, …}."},
    {"code", run_code, METH_NOARGS, "'ok', or the word for what went wrong."},
    {"open_context", run_open_context, METH_VARARGS, "Adds a context to an open run."},
    {"send", run_send, METH_VARARGS, "Sends inputs to a context that is held."},
    {"close_context", run_close_context, METH_O, "Nothing more will be sent to it."},
    {"has_room", run_has_room, METH_NOARGS, "Whether another context has a place to wait."},
    {"end", run_end, METH_NOARGS, "No more contexts will be added."},
    {"close", run_close, METH_NOARGS, "Ends the engine."},
    {NULL, NULL, 0, NULL},
};

bool run_add_type(PyObject *module) {
    static PyType_Slot slots[] = {
        {Py_tp_doc, "An engine with one run."},
        {Py_tp_new, run_new},
        {Py_tp_dealloc, run_dealloc},
        {Py_tp_traverse, run_traverse},
        {Py_tp_clear, run_clear},
        {Py_tp_methods, methods},
        {0, NULL},
    };
    static PyType_Spec spec = {.name = "weir._weir.Run",
                               .basicsize = sizeof(run),
                               .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
                               .slots = slots};
    PyObject *type = PyType_FromSpec(&spec);
    bool ok = type && PyModule_AddObjectRef(module, "Run", type) == 0;
    Py_XDECREF(type);
    return ok;
}
