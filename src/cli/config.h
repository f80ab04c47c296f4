/* The configuration: the user's file, the project's, --config, the environment, --set, options; what comes later wins.
 * One thread. */
#ifndef WEIR_CLI_CONFIG_H
#define WEIR_CLI_CONFIG_H

#include "cli/commands.h"

/* Fills cli->settings. All that is wrong goes to `problems`. */
void weir_config_load(weir_cli *cli, weir_problems *problems);

/* "", "../" or so: the nearest directory from the current one upwards that has a `.weir` of this user's, else the
 * current one. In the arena. */
const char *weir_config_project(weir_arena *arena);

#endif
