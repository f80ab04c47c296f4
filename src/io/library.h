/* Weir's own shared objects: weir-NAME.so, with code whose libraries a plain run does not need. One is opened when
 * something of it is first wanted, and stays. Any thread. */
#ifndef WEIR_IO_LIBRARY_H
#define WEIR_IO_LIBRARY_H

#include "base/error.h"
#include "base/text.h"

/* Where weir-NAME.so is; false: it is not installed. */
bool weir_library_find(const char *name, weir_buffer *path);
/* The same of a program that is a part of weir, by its file's name. */
bool weir_library_program(const char *name, weir_buffer *path);
/* The folder that has weir's Python package: `weir` is in it. */
bool weir_library_python(weir_buffer *folder);
/* The address of what weir-NAME.so exports. It is looked for in $WEIR_MODULES, beside this program and where weir is
 * installed. Errors: PLUGIN. */
WEIR_CHECKED bool weir_library_symbol(const char *name, const char *symbol, void **out,
                                      weir_error *error);

#endif
