/* The C extension `weir._weir`: weir's engine for Python, by the limited API of Python 3.11.
 *
 * Functions that give a `PyObject *` give a new reference, or NULL with an exception set; those that give a `weir_value *` do
 * the same. All of them want the interpreter's lock unless they say otherwise. */
#ifndef WEIR_PYTHON_EXTENSION_H
#define WEIR_PYTHON_EXTENSION_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <weir/weir.h>

/* --- value.c */

/* A value of what Python has: None, bool, int of 64 bits, float, str, bytes, list, tuple, set, dict with text as keys, named tuples and
 * dataclasses (objects of their fields), what has __index__ or __float__, at most WEIR_DEPTH_MAX deep. TypeError, OverflowError and
 * ValueError (too deep, or not UTF-8) say where in it. */
weir_value *value_from_python(PyObject *object);
/* The same, but an object that is no data becomes a foreign object, which is it as long as it stays in this interpreter. */
weir_value *value_with_objects(PyObject *object);
PyObject *value_to_python(const weir_value *value);

/* --- object.c: objects of Python that are values */

weir_value *object_wrap(PyObject *object);
/* The object itself, or one that is unpickled. */
PyObject *object_unwrap(const weir_value *value);
/* The type of what an object that is unpickled has its buffers from. */
bool objects_add_types(PyObject *module);

/* --- module.c */

/* weir.Error, with the code's text, from the engine's error; always NULL. */
PyObject *raise_error(const weir_error *error);

/* --- operation.c: Python functions as operations */

/* Of a run; NULL and an exception. `functions` is a list of (name, kind, callable, inputs, outputs, only output or None), `failed` is
 * called with each exception that ends a call and the text that the engine was given of it. */
typedef struct python_operations python_operations;
python_operations *operations_new(PyObject *functions, PyObject *failed);
void operations_free(python_operations *operations);
/* For weir_options.own_plugins. */
const weir_plugin *const *operations_plugins(const python_operations *operations);
/* The type of what an asynchronous function is given to end its call. */
bool operations_add_types(PyObject *module);
/* report(name, value, unit) and log(text) of the operation that this thread is in; False: it is in none. */
PyObject *operations_report(PyObject *module, PyObject *arguments);
PyObject *operations_log(PyObject *module, PyObject *text);

/* --- graph.c: graph(request, functions, format) -> text */

PyObject *graph_of(PyObject *module, PyObject *arguments);

/* --- run.c: the type Run */

bool run_add_type(PyObject *module);

#endif
