/* Files that have several Workflows: each is a run of its own, as with `argo submit`. */
#ifndef WEIR_CLI_SEVERAL_H
#define WEIR_CLI_SEVERAL_H

#include "cli/commands.h"

/* In the place of each request whose file has several there is then one for each, in the order of the file. Errors of the file are left to whoever
 * runs it. */
void weir_cli_split_files(weir_value **requests);

#endif
