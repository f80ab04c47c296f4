/* The executor "python": calls of Python functions, in worker processes that stay. Each environment (an interpreter, where it works, and
 * where it looks for modules) has workers of its own, as many as there are processors at most, and one more for each generator. They are
 * started when there is something to do, and get many calls in one message. What a worker's end leaves undone goes to another.
 *
 * Values travel as `data/marshal.h` has them, over io/channel.h; what the messages are stands in python_internal.h. The loop's thread. */
#ifndef WEIR_EXECUTOR_PYTHON_H
#define WEIR_EXECUTOR_PYTHON_H

#include "executor/log.h"
#include "io/loop.h"

/* Where functions run. Texts are copied. */
typedef struct weir_python_site {
    const char
        *interpreter; /* a path, or a command to be looked up; NULL: see weir_interpreter_find */
    const char *directory; /* where workers work, absolute */
    const char
        *beside; /* the folder of the file that names functions: looked into for modules first */
    /* What has to be installed: {requirements: a list or a text as in sdk/python/weir/environments.py, folder} as JSON; NULL: nothing. */
    const char *requirements;
    uint32_t
        generation; /* counts how often files of modules changed: workers keep what they imported */
} weir_python_site;

typedef struct weir_python_environment weir_python_environment;

/* An operation that is a Python function: `operation.executor` is "python". */
typedef struct weir_python_operation {
    weir_operation operation; /* first */
    weir_python_environment *environment;
    weir_value *where;    /* {interpreter?, requirements?}; NULL: nobody says */
    weir_value *files;    /* that were imported for it: path → how it was; NULL: unknown */
    const char *own_code; /* changes when the function does; NULL: unknown */
    const char *code;     /* the same, or when what is installed for it does */
} weir_python_operation;

weir_executor *weir_python_open(weir_loop *loop, weir_reporter *reporter, weir_logs *logs);

/* As weir_inline_watch. */
void weir_python_watch(weir_executor *executor, bool (*crowded)(void *arg, const char *run),
                       void *arg);

/* The environment of a site, until the executor is closed. */
weir_python_environment *weir_python_environment_of(weir_executor *executor,
                                                    const weir_python_site *site);
/* What `module:function` is, as weir_operations says it, with `code`; a new reference. Starts a worker, which imports the module, and
 * waits for it, for two minutes at most (and for an hour while what it requires is installed). With {elsewhere, why, hint}: this environment has not what its module imports; the
 * function says {interpreter?, requirements?} of one that may. UNKNOWN_OPERATION when there is no such function or its module cannot be imported, with the traceback
 * as hint; NOT_FOUND or IO when no worker can be started, PLUGIN when it ends instead of answering. */
WEIR_CHECKED bool weir_python_describe(weir_python_environment *environment, weir_str name,
                                       weir_value **out, weir_error *error);
/* `module:function`, both dotted names, the module perhaps the path of a file ending in .py. */
bool weir_python_is_name(weir_str name);

#endif
