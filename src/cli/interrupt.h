/* Interrupts of commands that take long and end cleanly: what is half is given up, or left for the next to go on with. A second one ends
 * the process, but not of a command that serves until it is told to stop. */
#ifndef WEIR_CLI_INTERRUPT_H
#define WEIR_CLI_INTERRUPT_H

#include <stdbool.h>

/* From now on SIGINT and SIGTERM are remembered. */
void weir_interrupt_catch(void);
void weir_interrupt_serve(void);
/* Whether one came. Any thread. */
bool weir_interrupt_came(void);

#endif
