/* What a request's file looks like. */
#include "extension.h"

#include "base/text.h"

typedef struct wanted {
    weir_value *request;
    const char *format;
    python_operations *operations;
} wanted;

/* In an engine of its own, which knows the functions. */
static bool draw(const wanted *w, weir_value **out, weir_error *error) {
    weir_options options = {.size = sizeof options,
                            .durability = WEIR_DURABILITY_NONE,
                            .own_plugins = operations_plugins(w->operations)};
    weir_engine *engine;
    if (!weir_open(&options, &engine, error)) return false;
    bool ok = weir_graph(engine, w->request, w->format, NULL, NULL, NULL, out, error);
    weir_close(engine);
    return ok;
}

static PyObject *draw_text(const wanted *w) {
    weir_value *text = NULL;
    weir_error error;
    if (!draw(w, &text, &error)) return raise_error(&error);
    PyObject *object = value_to_python(text);
    weir_value_unref(text);
    return object;
}

PyObject *graph_of(PyObject *module, PyObject *arguments) {
    (void)module;
    PyObject *request, *functions;
    wanted w = {0};
    if (!PyArg_ParseTuple(arguments, "OO!s:graph", &request, &PyList_Type, &functions, &w.format))
        return NULL;
    w.request = value_from_python(request);
    w.operations = w.request ? operations_new(functions, Py_None) : NULL;
    PyObject *text = w.operations ? draw_text(&w) : NULL;
    operations_free(w.operations);
    weir_value_unref(w.request);
    return text;
}
