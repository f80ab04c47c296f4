/* Runs commands of a shell in the test's folder. */
#ifndef WEIR_TESTS_SHELL_H
#define WEIR_TESTS_SHELL_H

#include "folder.h"

/* What it says, until the next. */
static const char *shell(const char *command) {
    static char said[4096];
    char line[2048];
    snprintf(line, sizeof line, "cd %s && {\n%s\n} 2>&1", folder, command);
    FILE *stream = popen(line, "r");
    assert_non_null(stream);
    said[fread(said, 1, sizeof said - 1, stream)] = '\0';
    pclose(stream);
    return said;
}

#endif
