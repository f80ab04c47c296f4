/* Which Python is meant where one is wanted. Any thread. */
#ifndef WEIR_BASE_INTERPRETER_H
#define WEIR_BASE_INTERPRETER_H

#include "base/error.h"
#include "base/text.h"

/* The path of the interpreter that is named (a path, or a command as in a shell; may be NULL), else that of WEIR_PYTHON, of the virtual
 * environment that is active, of "python3". NOT_FOUND: it is not there, or is no program; `path` is what was looked for. */
WEIR_CHECKED bool weir_interpreter_find(const char *named, weir_buffer *path, weir_error *error);
/* The folder where what is installed for functions is kept, without a '/' at its end: WEIR_PYTHON_ENVIRONMENTS, or one of the user's. */
void weir_interpreter_environments(weir_buffer *out);

#endif
