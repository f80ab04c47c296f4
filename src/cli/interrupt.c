#include "cli/interrupt.h"

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>

static atomic_bool interrupted;

static void interrupt(int signal_number) {
    atomic_store(&interrupted, true);
    signal(signal_number, SIG_DFL);
}

static void ask_to_stop(int signal_number) {
    (void)signal_number;
    atomic_store(&interrupted, true);
}

static void catch_with(void (*handler)(int signal_number)) {
    struct sigaction caught = {.sa_handler = handler};
    sigaction(SIGINT, &caught, NULL);
    sigaction(SIGTERM, &caught, NULL);
}

void weir_interrupt_catch(void) {
    catch_with(interrupt);
}

void weir_interrupt_serve(void) {
    catch_with(ask_to_stop);
}

bool weir_interrupt_came(void) {
    return atomic_load(&interrupted);
}
