#include <unistd.h>

#include "cli/commands.h"
#include "cli/explanation.h"
#include "cli/view.h"

static bool take_event(void *arg, const weir_value *event) {
    weir_explanation_add(arg, event);
    return true;
}

/* Of one operation, or of all (NULL). */
static bool explain(weir_engine *engine, const char *run, const char *operation, weir_value **out,
                    weir_error *error) {
    weir_explanation explanation = {0};
    weir_value *status = NULL;
    weir_arena_init(&explanation.arena);
    bool ok = weir_events(engine, run, take_event, &explanation, error) &&
              weir_get(engine, run, &status, error) &&
              weir_explanation_make(&explanation, status, operation, out, error);
    weir_value_unref(status);
    weir_explanation_deinit(&explanation);
    return ok;
}

bool weir_explain_command(weir_cli *cli, weir_engine *engine, weir_error *error) {
    const char *operation = cli->words.count > 1 ? cli->words.items[1] : NULL;
    weir_value *made;
    weir_view view;
    if (!explain(engine, cli->words.items[0], operation, &made, error)) return false;
    weir_view_init(&view, cli->out.fd, weir_cli_has(cli, WEIR_FLAG_NO_COLOR));
    if (weir_cli_whole(cli))
        weir_cli_print(cli, made);
    else
        weir_explanation_print(made, operation != NULL, view.color, &cli->out.text);
    weir_value_unref(made);
    return true;
}

bool weir_explain_run(weir_cli *cli, weir_engine *engine, const char *run, weir_error *error) {
    weir_value *made;
    weir_view view;
    weir_output out = {.fd = STDERR_FILENO};
    if (!explain(engine, run, NULL, &made, error)) return false;
    weir_view_init(&view, out.fd, weir_cli_has(cli, WEIR_FLAG_NO_COLOR));
    weir_explanation_print(made, false, view.color, &out.text);
    weir_output_flush(&out);
    weir_buffer_deinit(&out.text);
    weir_value_unref(made);
    return true;
}
