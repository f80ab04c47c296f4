/* Values of weir and of Python, each made of the other. */
#include "extension.h"

#include "data/value.h"

/* Where a conversion is: what holds it, so that an error can say the place. */
typedef struct place {
    const struct place *outer;
    PyObject *key; /* of a dict; NULL: see `index` */
    Py_ssize_t index;
    int depth;
    bool objects; /* what is no data is there as the object that it is */
} place;

static weir_value *convert(PyObject *object, const place *at);

/* "[3]['name']", from the outside to the inside; a new text, or NULL. */
static PyObject *path_of(const place *at) {
    if (!at || !at->outer) return PyUnicode_FromString("");
    PyObject *before = path_of(at->outer);
    if (!before) return NULL;
    PyObject *path = at->key ? PyUnicode_FromFormat("%U[%R]", before, at->key)
                             : PyUnicode_FromFormat("%U[%zd]", before, at->index);
    Py_DECREF(before);
    return path;
}

/* Raises what is wrong with the value at the place; always NULL. */
static weir_value *refuse(PyObject *exception, const place *at, const char *what) {
    PyObject *path = path_of(at);
    if (!path) return NULL;
    PyErr_Format(exception, "value%U: %s", path, what);
    Py_DECREF(path);
    return NULL;
}

static weir_value *convert_int(PyObject *object, const place *at) {
    int overflow = 0;
    long long number = PyLong_AsLongLongAndOverflow(object, &overflow);
    if (overflow) return refuse(PyExc_OverflowError, at, "an int of more than 64 bits");
    return number == -1 && PyErr_Occurred() ? NULL : weir_int_new(number);
}

static weir_value *convert_text(PyObject *object, const place *at) {
    Py_ssize_t length;
    const char *text = PyUnicode_AsUTF8AndSize(object, &length);
    if (text) return weir_string_new(text, (size_t)length);
    if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) return NULL;
    PyErr_Clear();
    return refuse(PyExc_ValueError, at, "a str with lone surrogates, which no UTF-8 has");
}

/* Items are looked at by their index each time: another thread may change a list while one of its items is converted. */
static weir_value *convert_list(PyObject *object, const place *at) {
    bool list = PyList_Check(object);
    weir_value *array = weir_array_new();
    place inner = {at, NULL, 0, at->depth + 1, at->objects};
    for (; inner.index < (list ? PyList_Size(object) : PyTuple_Size(object)); inner.index++) {
        PyObject *item =
            list ? PyList_GetItem(object, inner.index) : PyTuple_GetItem(object, inner.index);
        weir_value *value = NULL;
        if (item) {
            Py_INCREF(item);
            value = convert(item, &inner);
            Py_DECREF(item);
        }
        if (!value) {
            weir_value_unref(array);
            return NULL;
        }
        weir_array_append(array, value);
    }
    return array;
}

static bool convert_member(weir_value *into, PyObject *key, PyObject *item, const place *at) {
    place inner = {at, key, 0, at->depth + 1, at->objects};
    if (!PyUnicode_Check(key)) {
        refuse(PyExc_TypeError, &inner, "a key that is no str");
        return false;
    }
    weir_value *name = convert_text(key, &inner);
    weir_value *value = name ? convert(item, &inner) : NULL;
    if (value) weir_member_set(into, weir_string_get(name), value);
    weir_value_unref(name);
    return value != NULL;
}

static weir_value *convert_dict(PyObject *object, const place *at) {
    weir_value *into = weir_object_new();
    Py_ssize_t next = 0, count = PyDict_Size(object);
    PyObject *key, *item;
    bool ok = true;
    while (ok && PyDict_Next(object, &next, &key, &item)) {
        Py_INCREF(key);
        Py_INCREF(item);
        ok = convert_member(into, key, item, at);
        if (ok && PyDict_Size(object) != count)
            ok = refuse(PyExc_RuntimeError, at, "a dict that changed meanwhile") != NULL;
        Py_DECREF(key);
        Py_DECREF(item);
    }
    if (ok) return into;
    weir_value_unref(into);
    return NULL;
}

/* A member of `into` for each field that is named, in their order. */
static weir_value *convert_fields(PyObject *object, PyObject *names, const place *at) {
    weir_value *into = weir_object_new();
    PyObject *iterator = PyObject_GetIter(names), *name = NULL;
    bool ok = iterator != NULL;
    while (ok && (name = PyIter_Next(iterator))) {
        PyObject *item = PyObject_GetAttr(object, name);
        ok = item && convert_member(into, name, item, at);
        Py_XDECREF(item);
        Py_DECREF(name);
    }
    Py_XDECREF(iterator);
    if (ok && !PyErr_Occurred()) return into;
    weir_value_unref(into);
    return NULL;
}

/* The names of a dataclass's or a named tuple's fields; NULL without an exception: it is neither. */
static PyObject *fields_of(PyObject *object) {
    const char *attribute = PyTuple_Check(object) ? "_fields" : "__dataclass_fields__";
    PyObject *fields = PyObject_GetAttrString((PyObject *)Py_TYPE(object), attribute);
    if (!fields && PyErr_ExceptionMatches(PyExc_AttributeError)) PyErr_Clear();
    return fields;
}

/* Sorted, where that can be: a set has no order that would be the same in another process. */
static weir_value *convert_set(PyObject *object, const place *at) {
    PyObject *list = PySequence_List(object);
    if (list && PyList_Sort(list) < 0) PyErr_Clear();
    weir_value *value = list ? convert_list(list, at) : NULL;
    Py_XDECREF(list);
    return value;
}

static weir_value *refuse_type(PyObject *object, const place *at) {
    PyObject *type = PyType_GetName(Py_TYPE(object)), *path = type ? path_of(at) : NULL;
    if (path)
        PyErr_Format(PyExc_TypeError, "value%U: no value can be made of the type %U", path, type);
    Py_XDECREF(type);
    Py_XDECREF(path);
    return NULL;
}

/* A number by what it says of itself; NULL, without an exception: it is none. */
static weir_value *convert_number(PyObject *object, const place *at) {
    weir_value *value = NULL;
    if (PyObject_HasAttrString((PyObject *)Py_TYPE(object), "__len__")) return NULL; /* an array */
    if (PyIndex_Check(object)) {
        PyObject *number = PyNumber_Index(object);
        value = number ? convert_int(number, at) : NULL;
        Py_XDECREF(number);
    } else if (PyObject_HasAttrString(object, "__float__")) {
        double number = PyFloat_AsDouble(object);
        value = PyErr_Occurred() ? NULL : weir_float_new(number);
    }
    if (!value && at->objects) PyErr_Clear();
    return value;
}

/* Other kinds of numbers, as numpy's, say what they are by __index__ and __float__. */
static weir_value *convert_other(PyObject *object, const place *at) {
    PyObject *fields = PyType_Check(object) ? NULL : fields_of(object);
    if (fields) {
        weir_value *value = convert_fields(object, fields, at);
        Py_DECREF(fields);
        return value;
    }
    if (PyErr_Occurred()) return NULL;
    weir_value *value = convert_number(object, at);
    if (value || PyErr_Occurred()) return value;
    return at->objects ? object_wrap(object) : refuse_type(object, at);
}

static weir_value *convert_bytes(PyObject *object) {
    Py_buffer view;
    if (PyObject_GetBuffer(object, &view, PyBUF_SIMPLE) < 0) return NULL;
    weir_value *value = weir_bytes_new(view.buf, (size_t)view.len);
    PyBuffer_Release(&view);
    return value;
}

static bool has_text_keys(PyObject *dict) {
    Py_ssize_t next = 0;
    PyObject *key, *item;
    while (PyDict_Next(dict, &next, &key, &item))
        if (!PyUnicode_Check(key)) return false;
    return true;
}

static weir_value *convert(PyObject *object, const place *at) {
    if (object == Py_None) return weir_null_new();
    if (PyUnicode_Check(object)) return convert_text(object, at);
    if (PyBool_Check(object)) return weir_bool_new(object == Py_True);
    if (PyLong_Check(object)) return convert_int(object, at);
    if (PyFloat_Check(object)) return weir_float_new(PyFloat_AsDouble(object));
    if (at->depth >= WEIR_DEPTH_MAX)
        return refuse(PyExc_ValueError, at, "nested deeper than 128 levels");
    if (PyList_Check(object) || PyTuple_CheckExact(object)) return convert_list(object, at);
    if (PyDict_Check(object))
        return at->objects && !has_text_keys(object) ? object_wrap(object)
                                                     : convert_dict(object, at);
    if (PyBytes_Check(object) || PyByteArray_Check(object) ||
        (PyMemoryView_Check(object) && at->objects))
        return convert_bytes(object);
    if (PyAnySet_Check(object)) return convert_set(object, at);
    if (PyTuple_Check(object) && !PyObject_HasAttrString(object, "_fields"))
        return convert_list(object, at);
    return convert_other(object, at);
}

weir_value *value_from_python(PyObject *object) {
    return convert(object, &(place){0});
}

weir_value *value_with_objects(PyObject *object) {
    return convert(object, &(place){.objects = true});
}

/* --- and back ---------------------------------------------------------------------------------- */

static PyObject *list_of(const weir_value *array) {
    size_t count = weir_value_count(array);
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; list && i < count; i++) {
        PyObject *item = value_to_python(weir_array_at(array, i));
        if (!item || PyList_SetItem(list, (Py_ssize_t)i, item) < 0) Py_CLEAR(list);
    }
    return list;
}

static PyObject *dict_of(const weir_value *object) {
    PyObject *dict = PyDict_New();
    for (size_t i = 0; dict && i < weir_value_count(object); i++) {
        weir_str name = weir_object_key(object, i);
        PyObject *key = PyUnicode_DecodeUTF8(name.data, (Py_ssize_t)name.length, "surrogateescape");
        PyObject *item = key ? value_to_python(weir_object_at(object, i)) : NULL;
        bool ok = item && PyDict_SetItem(dict, key, item) == 0;
        Py_XDECREF(key);
        Py_XDECREF(item);
        if (!ok) Py_CLEAR(dict);
    }
    return dict;
}

PyObject *value_to_python(const weir_value *value) {
    switch (weir_value_type(value)) {
    case WEIR_NULL: Py_RETURN_NONE;
    case WEIR_BOOL: return PyBool_FromLong(weir_bool_get(value));
    case WEIR_INT: return PyLong_FromLongLong(weir_int_get(value));
    case WEIR_FLOAT: return PyFloat_FromDouble(weir_number_get(value));
    case WEIR_STRING: {
        weir_str text = weir_string_get(value);
        return PyUnicode_DecodeUTF8(text.data, (Py_ssize_t)text.length, "surrogateescape");
    }
    case WEIR_ARRAY: return list_of(value);
    case WEIR_OBJECT: return dict_of(value);
    case WEIR_BYTES: {
        weir_str bytes = weir_bytes_get(value);
        return PyBytes_FromStringAndSize(bytes.data, (Py_ssize_t)bytes.length);
    }
    case WEIR_FOREIGN: return object_unwrap(value);
    }
    PyErr_SetString(PyExc_SystemError, "a value of no known type");
    return NULL;
}
