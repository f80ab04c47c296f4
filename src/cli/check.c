#include <stdio.h>
#include <unistd.h>

#include "cli/commands.h"
#include "data/yaml_format.h"

typedef struct checking {
    const char *file;
    weir_value *list; /* NULL: problems are said at once, for people */
    size_t count;
} checking;

static void add_problem(void *arg, const weir_error *error) {
    checking *check = arg;
    weir_error placed = *error;
    if (!placed.file[0]) snprintf(placed.file, sizeof placed.file, "%s", check->file);
    check->count += error->code != WEIR_OK;
    if (!check->list) {
        weir_output_problem(&placed);
        return;
    }
    weir_array_append(check->list, weir_output_problem_value(&placed));
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

/* They were said already. */
static void count_problem(void *arg, const weir_error *error) {
    *(size_t *)arg += error->code != WEIR_OK;
}

/* What would run as a tree, beside the file that would. */
static void print_tree(weir_cli *cli, weir_engine *engine, const weir_value *request) {
    weir_value *tree;
    weir_error ignored;
    size_t said = 0;
    weir_output out = {.fd = STDERR_FILENO};
    if (!weir_cli_form(cli, "text") || weir_cli_has(cli, WEIR_FLAG_QUIET) ||
        !weir_graph(engine, request, "text", NULL, count_problem, &said, &tree, &ignored))
        return;
    weir_buffer_str_append(&out.text, weir_string_get(tree));
    weir_output_flush(&out);
    weir_buffer_deinit(&out.text);
    weir_value_unref(tree);
}

int weir_preview_command(weir_cli *cli) {
    weir_error error;
    weir_value *request, *preview;
    weir_engine *engine;
    size_t said = 0;
    if (!weir_cli_request(cli, &request, &error)) return weir_cli_fail(&error);
    bool ok = weir_cli_open_memory(cli, &engine, &error);
    if (ok) {
        ok = weir_preview(engine, request, weir_output_problem_counted, &said, &preview, &error);
        if (ok) print_tree(cli, engine, request);
        weir_close(engine);
    }
    weir_value_unref(request);
    if (!ok) return said ? weir_code_exit(error.code) : weir_cli_fail(&error);
    if (weir_cli_form(cli, "json"))
        weir_output_value(&cli->out, preview, 2);
    else
        weir_yaml_format(preview, &cli->out.text);
    weir_value_unref(preview);
    return 0;
}
