#include "cli/interrupt.h"

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>

static atomic_bool interrupted;

static void interrupt(int signal_number) {
    atomic_store(&interrupted, true);
    signal(signal_number, SIG_DFL);
}

void weir_interrupt_catch(void) {
    struct sigaction caught = {.sa_handler = interrupt};
    sigaction(SIGINT, &caught, NULL);
    sigaction(SIGTERM, &caught, NULL);
}

bool weir_interrupt_came(void) {
    return atomic_load(&interrupted);
}
