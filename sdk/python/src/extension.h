/* The C extension `weir._weir`: weir's engine for Python, by the limited API of Python 3.11.
 *
 * Functions that give a `PyObject *` give a new reference, or NULL with an exception set; those that give a `weir_value *` do
 * the same. All of them want the interpreter's lock unless they say otherwise. */
#ifndef WEIR_PYTHON_EXTENSION_H
#define WEIR_PYTHON_EXTENSION_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <weir/weir.h>

/* A value of what Python has: None, bool, int of 64 bits, float, str, list, tuple and dict with text as keys, at most
 * WEIR_DEPTH_MAX deep. TypeError, OverflowError and ValueError (too deep, or not UTF-8) say where in it. */
weir_value *value_from_python(PyObject *object);
PyObject *value_to_python(const weir_value *value);

/* weir.Error, with the code's text, from the engine's error; always NULL. */
PyObject *raise_error(const weir_error *error);

#endif
