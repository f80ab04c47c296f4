#include <unistd.h>

#include "cli/commands.h"
#include "cli/explanation.h"
#include "cli/view.h"
#include "cli/waiting.h"
#include "cli/workflow_why.h"

static bool take_event(void *arg, const weir_value *event) {
    weir_explanation_add(arg, event);
    return true;
}

/* A node of a workflow: {run, name, kind, phase, nodes}. */
static bool explain_node(weir_value *status, const weir_value *workflow, const char *node,
                         weir_value **out, weir_error *error) {
    static const char *const copied[] = {"run", "name", "kind", "phase", "message"};
    weir_value *nodes = weir_workflow_why(workflow, node);
    weir_str name = weir_member_text(status, "name");
    if (!weir_value_count(nodes)) {
        weir_value_unref(nodes);
        weir_fail(error, WEIR_NOT_FOUND, "run %.*s has no node, step or task `%.200s`",
                  WEIR_ARG(name), node);
        weir_error_hint(error, "`weir get %.*s` shows its nodes", WEIR_ARG(name));
        return false;
    }
    weir_value *made = weir_object_new();
    for (size_t i = 0; i < sizeof copied / sizeof *copied; i++) {
        weir_value *member = weir_member_named(status, copied[i]);
        if (member) weir_member_put(made, copied[i], weir_value_ref(member));
    }
    weir_member_put(made, "nodes", nodes);
    *out = made;
    return true;
}

/* What waits for room. */
static void take_waiting(const weir_value *status, weir_value *made) {
    static const char *const copied[] = {"scheduler", "waiting", "waiting_more"};
    for (size_t i = 0; i < sizeof copied / sizeof *copied; i++) {
        weir_value *member = weir_member_named(status, copied[i]);
        if (member) weir_member_put(made, copied[i], weir_value_ref(member));
    }
}

/* Of one operation, or of all (NULL). */
static bool explain(weir_engine *engine, const char *run, const char *operation, weir_value **out,
                    weir_error *error) {
    weir_explanation explanation = {0};
    weir_value *status = NULL;
    weir_arena_init(&explanation.arena);
    bool ok = weir_get(engine, run, &status, error);
    const weir_value *workflow = ok ? weir_member_named(status, "workflow") : NULL;
    if (ok && workflow && operation)
        ok = explain_node(status, workflow, operation, out, error);
    else if (ok)
        ok = weir_events(engine, run, take_event, &explanation, error) &&
             weir_explanation_make(&explanation, status, operation, out, error);
    if (ok) take_waiting(status, *out);
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
    else if (weir_member_named(made, "nodes"))
        weir_workflow_why_print(weir_member_named(made, "nodes"), &cli->out.text);
    else
        weir_explanation_print(made, operation != NULL, view.color, &cli->out.text);
    if (!weir_cli_whole(cli)) weir_waiting_print(made, operation, &cli->out.text);
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
