/* The command `weir`. */
#include <stdio.h>
#include <unistd.h>

#include "cli/commands.h"

int main(int argc, char **argv) {
    weir_crash_report();
    int code = weir_command_main(argc, argv);
    const char *left = weir_left_behind();
    if (!left) return code;
    fprintf(stderr, "weir: operation %s does not end; it is left behind\n", left);
    _exit(code);
}
