/* Keeping house by itself: at most once an hour a command that drives runs has another process prune what the configuration
 * does not want to keep. One thread. */
#ifndef WEIR_CLI_HOUSE_H
#define WEIR_CLI_HOUSE_H

#include "cli/commands.h"

/* What is to be kept, by the configuration or else the defaults: 0: there is no such limit. */
void weir_cli_retention(const weir_cli *cli, uint64_t *age_us, uint64_t *bytes_max);
/* To be called when the state is there, and every now and then: it costs nothing but once a minute, and little then. Before anything goes
 * for the first time it says so. */
void weir_cli_keep_house(weir_cli *cli);
/* Runs whose own time to live has passed are not there for who looks. */
void weir_cli_remove_expired(weir_engine *engine);
/* `weir prune --auto`, in that process. */
WEIR_CHECKED bool weir_cli_prune_auto(weir_cli *cli, weir_engine *engine, weir_error *error);

#endif
