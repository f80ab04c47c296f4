/* The runs that a command is about: those that it names, or those that its filter means. One thread. */
#ifndef WEIR_CLI_TARGETS_H
#define WEIR_CLI_TARGETS_H

#include "cli/commands.h"

typedef enum weir_targeted {
    WEIR_TARGETS_ANY,
    WEIR_TARGETS_UNDER_WAY, /* of a filter only those that go on */
    WEIR_TARGETS_OVER       /* of a filter only those that are over */
} weir_targeted;

typedef struct weir_target {
    char *run;  /* its id, or as it was named */
    char *name; /* for people */
} weir_target;

typedef struct weir_targets {
    WEIR_VECTOR(weir_target) items;
    size_t left; /* that the filter meant, but that are under way, or over */
} weir_targets;

/* Adds what the command's words or its filter mean. USAGE: both, or neither. */
WEIR_CHECKED bool weir_targets_gather(weir_cli *cli, weir_engine *engine, weir_targeted wanted,
                                      weir_targets *out, weir_error *error);
void weir_targets_deinit(weir_targets *targets);

/* Does it to each, or with --dry-run only says which; what cannot be done to one does not hold up the others, but for a store
 * that fails. Returns the exit code, that of the worst. */
int weir_targets_each(weir_cli *cli, weir_engine *engine, const weir_targets *targets,
                      bool (*act)(weir_cli *cli, weir_engine *engine, const weir_target *target,
                                  void *arg, weir_error *error),
                      void *arg);

#endif
