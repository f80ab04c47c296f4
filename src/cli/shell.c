/* `weir shell`: a shell, or another command, in the file system that a step left. */
#include "cli/commands.h"

int weir_shell_command(weir_cli *cli) {
    weir_error error;
    weir_engine *engine;
    int code = 0;
    if (!weir_cli_open(cli, true, NULL, &engine, &error)) return weir_cli_fail(&error);
    const char **command = NULL;
    if (cli->words.count > 2) {
        size_t count = cli->words.count - 2;
        command = weir_alloc((count + 1) * sizeof *command);
        for (size_t i = 0; i < count; i++) command[i] = cli->words.items[i + 2];
    }
    if (!weir_visit(engine, cli->words.items[0], cli->words.items[1], command, &code, &error))
        code = weir_cli_fail(&error);
    weir_free(command);
    weir_close(engine);
    return code;
}
