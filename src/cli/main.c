/* The command `weir`. */
#include "cli/commands.h"

int main(int argc, char **argv) {
    weir_crash_report();
    return weir_command_main(argc, argv);
}
