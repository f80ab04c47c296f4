/* The module `weir._weir`: its functions, and the exception that the engine's errors become. */
#include "extension.h"

#include "data/value.h"

static PyObject *error_class; /* weir.Error; as the engine, one of the process */

PyObject *raise_error(const weir_error *error) {
    char text[2048];
    weir_error_format(error, text, sizeof text);
    PyObject *exception =
        PyObject_CallFunction(error_class, "ss", text, weir_code_text(error->code));
    if (exception) PyErr_SetObject(error_class, exception);
    Py_XDECREF(exception);
    return NULL;
}

static PyObject *encode(PyObject *module, PyObject *object) {
    (void)module;
    weir_value *value = value_from_python(object);
    if (!value) return NULL;
    weir_buffer bytes = {0};
    weir_value_encode(value, &bytes);
    weir_value_unref(value);
    PyObject *out = PyBytes_FromStringAndSize(bytes.data, (Py_ssize_t)bytes.length);
    weir_buffer_deinit(&bytes);
    return out;
}

static PyObject *decode(PyObject *module, PyObject *object) {
    (void)module;
    Py_buffer view;
    if (PyObject_GetBuffer(object, &view, PyBUF_SIMPLE) < 0) return NULL;
    weir_str bytes = {view.buf, (size_t)view.len};
    size_t offset = 0;
    weir_value *value = NULL;
    weir_error error;
    bool ok = weir_value_decode(bytes, &offset, &value, &error);
    PyObject *out = ok ? value_to_python(value) : raise_error(&error);
    if (out && offset != bytes.length) {
        Py_CLEAR(out);
        PyErr_SetString(PyExc_ValueError, "there is something behind the value");
    }
    if (ok) weir_value_unref(value);
    PyBuffer_Release(&view);
    return out;
}

static PyObject *version(PyObject *module, PyObject *none) {
    (void)module;
    (void)none;
    return PyUnicode_FromString(weir_version());
}

static PyMethodDef functions[] = {
    {"encode", encode, METH_O, "encode(value) -> bytes: weir's binary form of a value."},
    {"decode", decode, METH_O, "decode(bytes) -> value: what encode wrote."},
    {"version", version, METH_NOARGS, "version() -> str: of the engine."},
    {"graph", graph_of, METH_VARARGS,
     "graph(request, functions, format) -> str: 'svg', 'dot', 'mermaid' or 'text'."},
    {"report", operations_report, METH_VARARGS,
     "report(name, value, unit=''): a metric of the operation that runs."},
    {"log", operations_log, METH_O, "log(text): a line of the log of the operation that runs."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "weir._weir", .m_doc = "The engine of weir.",
    .m_size = -1,          .m_methods = functions,
};

PyMODINIT_FUNC PyInit__weir(void) {
    PyObject *errors = PyImport_ImportModule("weir.errors");
    if (!errors) return NULL;
    error_class = PyObject_GetAttrString(errors, "Error");
    Py_DECREF(errors);
    PyObject *module = error_class ? PyModule_Create(&definition) : NULL;
    if (module && operations_add_types(module) && objects_add_types(module) && run_add_type(module))
        return module;
    Py_XDECREF(module);
    return NULL;
}
