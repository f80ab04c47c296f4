/* Objects of Python that are no data, as values: the object itself, while it stays in this interpreter; pickled (protocol 5, large
 * buffers beside it) when it has to be kept, or goes to a worker. weir/values.py does the pickling. */
#include "extension.h"

#include "data/marshal.h"

/* --- out -------------------------------------------------------------------------------------- */

/* Any thread may let go of a value, also when the interpreter is at its end. */
static void release_object(void *handle) {
    if (!Py_IsInitialized()) return;
    PyGILState_STATE lock = PyGILState_Ensure();
    Py_DECREF((PyObject *)handle);
    PyGILState_Release(lock);
}

static void release_buffer(void *arg) {
    Py_buffer *view = arg;
    if (Py_IsInitialized()) {
        PyGILState_STATE lock = PyGILState_Ensure();
        PyBuffer_Release(view);
        PyGILState_Release(lock);
    }
    weir_free(view);
}

static PyObject *call_values(const char *function, PyObject *argument) {
    PyObject *module = PyImport_ImportModule("weir.values");
    PyObject *result = module ? PyObject_CallMethod(module, function, "O", argument) : NULL;
    Py_XDECREF(module);
    return result;
}

/* Bytes where they are in the buffer. */
static weir_value *piece_of(PyObject *buffer) {
    Py_buffer *view = weir_alloc(sizeof *view);
    if (PyObject_GetBuffer(buffer, view, PyBUF_SIMPLE) < 0) {
        weir_free(view);
        return NULL;
    }
    return weir_bytes_wrap(view->buf, (size_t)view->len, release_buffer, view);
}

/* Of a list of buffers. */
static weir_value *pieces_of(PyObject *buffers) {
    weir_value *pieces = weir_array_new(), *piece;
    Py_ssize_t count = PyList_Size(buffers);
    for (Py_ssize_t i = 0; i < count; i++) {
        if (!(piece = piece_of(PyList_GetItem(buffers, i)))) break;
        weir_array_append(pieces, piece);
    }
    if (!PyErr_Occurred()) return pieces;
    weir_value_unref(pieces);
    return NULL;
}

/* The exception that is set, as weir's error. */
static void take_exception(weir_error *error) {
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    PyObject *text = value ? PyObject_Str(value) : NULL;
    const char *said = text ? PyUnicode_AsUTF8AndSize(text, NULL) : NULL;
    weir_fail(error, WEIR_INVALID, "%s", said ? said : "an object that cannot be pickled");
    PyErr_Clear();
    Py_XDECREF(text);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(trace);
}

static weir_value *freeze(void *handle, weir_error *error) {
    PyGILState_STATE lock = PyGILState_Ensure();
    PyObject *buffers = call_values("freeze", handle);
    weir_value *pieces = buffers ? pieces_of(buffers) : NULL;
    Py_XDECREF(buffers);
    if (!pieces) take_exception(error);
    PyGILState_Release(lock);
    return pieces;
}

static const weir_foreign_class python = {
    .form = WEIR_PYTHON_FORM, .freeze = freeze, .release = release_object};

weir_value *object_wrap(PyObject *object) {
    PyObject *about = call_values("about", object);
    Py_ssize_t length = 0;
    const char *text = about ? PyUnicode_AsUTF8AndSize(about, &length) : NULL;
    weir_value *value = NULL;
    if (text) {
        Py_INCREF(object);
        value = weir_foreign_wrap(&python, object, (weir_str){text, (size_t)length});
    }
    Py_XDECREF(about);
    return value;
}

/* --- in --------------------------------------------------------------------------------------- */

/* A piece of a value, which is there as long as somebody looks at it: read-only. */
typedef struct piece {
    PyObject_HEAD weir_value *bytes;
} piece;

static PyObject *piece_type;

static int get_buffer(PyObject *self, Py_buffer *view, int flags) {
    weir_str bytes = weir_bytes_get(((piece *)self)->bytes);
    return PyBuffer_FillInfo(view, self, (void *)(uintptr_t)bytes.data, (Py_ssize_t)bytes.length, 1,
                             flags);
}

static void free_piece(PyObject *self) {
    weir_value_unref(((piece *)self)->bytes);
    PyObject_Free(self);
}

bool objects_add_types(PyObject *module) {
    static PyType_Slot slots[] = {
        {Py_tp_doc, "Bytes of a value, where they are."},
        {Py_tp_dealloc, free_piece},
        {Py_bf_getbuffer, get_buffer},
        {0, NULL},
    };
    static PyType_Spec spec = {.name = "weir._weir.Piece",
                               .basicsize = sizeof(piece),
                               .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                               .slots = slots};
    piece_type = PyType_FromSpec(&spec);
    return piece_type && PyModule_AddObjectRef(module, "Piece", piece_type) == 0;
}

static PyObject *list_pieces(const weir_value *pieces) {
    size_t count = weir_value_count(pieces);
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; list && i < count; i++) {
        piece *made = PyObject_New(piece, (PyTypeObject *)piece_type);
        if (made) made->bytes = weir_value_ref(weir_array_at(pieces, i));
        if (!made || PyList_SetItem(list, (Py_ssize_t)i, (PyObject *)made) < 0) Py_CLEAR(list);
    }
    return list;
}

PyObject *object_unwrap(const weir_value *value) {
    PyObject *object = weir_foreign_handle(value, &python);
    if (object) {
        Py_INCREF(object);
        return object;
    }
    weir_error error;
    const weir_value *pieces = weir_str_is(weir_foreign_form(value), WEIR_PYTHON_FORM)
                                   ? weir_foreign_pieces(value, &error)
                                   : NULL;
    if (!pieces) {
        PyErr_SetString(PyExc_TypeError, "an object of another language");
        return NULL;
    }
    PyObject *list = list_pieces(pieces), *made = list ? call_values("thaw", list) : NULL;
    Py_XDECREF(list);
    return made;
}
