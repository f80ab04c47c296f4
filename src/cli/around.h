/* The section `workflow` of a configuration: what is around workflows here, as a cluster would be. One thread. */
#ifndef WEIR_CLI_AROUND_H
#define WEIR_CLI_AROUND_H

#include "cli/settings.h"

/* Reads {semaphores: {KEY: LIMIT}, plugins: {NAME: {address: URL, token?: SECRET}}} into settings->workflow, which requests have as
 * `workflow`; over what earlier files said. What is wrong goes to the problems, with its place. */
void weir_around_read(weir_settings *settings, const weir_value *value,
                      const weir_setting_place *place);

#endif
