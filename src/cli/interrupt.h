/* Interrupts of commands that take long and end cleanly: what is half is given up, or left for the next to go on with. */
#ifndef WEIR_CLI_INTERRUPT_H
#define WEIR_CLI_INTERRUPT_H

#include <stdbool.h>

/* From now on SIGINT and SIGTERM are remembered; the second one ends the process. */
void weir_interrupt_catch(void);
/* Whether one came. Any thread. */
bool weir_interrupt_came(void);

#endif
