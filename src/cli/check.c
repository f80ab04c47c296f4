#include <stdio.h>

#include "cli/commands.h"

typedef struct checking {
    const char *file;
    weir_value *list; /* NULL: problems are said at once, for people */
    size_t count;
} checking;

static void add_problem(void *arg, const weir_error *error) {
    checking *check = arg;
    weir_error placed = *error;
    if (!placed.file[0]) snprintf(placed.file, sizeof placed.file, "%s", check->file);
    check->count++;
    if (!check->list) {
        weir_output_problem(&placed);
        return;
    }
    weir_value *problem = weir_object_new();
    weir_output_member(problem, "code", weir_code_text(error->code));
    weir_output_member(problem, "file", placed.file);
    weir_member_put(problem, "line", weir_int_new(error->line));
    weir_member_put(problem, "column", weir_int_new(error->column));
    weir_output_member(problem, "message", error->message);
    weir_output_member(problem, "hint", error->hint);
    weir_array_append(check->list, problem);
}

int weir_check_command(weir_cli *cli) {
    weir_error error;
    weir_value *request;
    weir_engine *engine;
    if (!weir_cli_request(cli, &request, &error)) return weir_cli_fail(&error);
    checking check = {.file = weir_member_text(request, "file").data};
    if (!weir_cli_open_memory(cli, &engine, &error)) {
        weir_value_unref(request);
        return weir_cli_fail(&error);
    }
    if (weir_cli_whole(cli)) check.list = weir_array_new();
    char kind[16] = "";
    bool ok = weir_check(engine, request, add_problem, &check, kind, &error);
    if (!ok && !check.count) add_problem(&check, &error);
    if (check.list) {
        weir_value *answer = weir_object_new();
        weir_output_member(answer, "file", check.file);
        weir_output_member(answer, "kind", kind);
        weir_member_put(answer, "problems", check.list);
        weir_cli_print(cli, answer);
        weir_value_unref(answer);
    } else if (ok) {
        weir_buffer_printf(&cli->out.text, "%s: a %s, nothing wrong", check.file, kind);
        weir_output_line(&cli->out.text, 0);
    } else {
        fprintf(stderr, "%zu problem%s\n", check.count, check.count == 1 ? "" : "s");
    }
    weir_value_unref(request);
    weir_close(engine);
    return ok ? 0 : weir_code_exit(error.code);
}
