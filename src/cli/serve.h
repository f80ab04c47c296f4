/* The process that drives runs which were left to it: `weir engine`. One thread. */
#ifndef WEIR_CLI_SERVE_H
#define WEIR_CLI_SERVE_H

#include "cli/commands.h"

/* Starts it in a session of its own, with the settings of this command; its output goes to `engine.log` in the state. When
 * there is one already the new one ends at once. */
WEIR_CHECKED bool weir_cli_start_engine(weir_cli *cli, weir_error *error);
/* The same of another command of weir, with one more argument (may be NULL). */
WEIR_CHECKED bool weir_cli_start(weir_cli *cli, const char *command, const char *more,
                                 weir_error *error);

#endif
