/* Files that are built into the command, as data: made by embed.py. Immutable. */
#ifndef WEIR_CLI_EXAMPLE_H
#define WEIR_CLI_EXAMPLE_H

#include <stddef.h>

typedef struct weir_embedded {
    const char *name; /* "calculator" */
    const char
        *file; /* of an example "calculator/calculator.json", of a template "dataflow.yaml" */
    const char *text; /* not terminated */
    size_t length;
    const char *about;            /* of an example: its idea */
    const char *const *arguments; /* of an example: what it is run with; ends with NULL */
} weir_embedded;

/* End with a NULL name. The parts are files that an example needs beside it, in its folder. */
extern const weir_embedded weir_templates[], weir_examples[], weir_example_parts[],
    weir_ladder_files[];

#endif
