/* `weir get`: runs as they are now; a workflow as `argo get` shows it. */
#include "cli/commands.h"
#include "cli/view.h"
#include "cli/waiting.h"
#include "cli/workflow_text.h"

/* What --status or --node-field-selector mean. */
static bool read_selector(const weir_cli *cli, weir_field_selector *out, weir_error *error) {
    const char *phase = weir_cli_text(cli, WEIR_FLAG_NODE_STATUS),
               *text = weir_cli_text(cli, WEIR_FLAG_NODES);
    *out = (weir_field_selector){0};
    if (phase && text)
        return weir_fail(error, WEIR_USAGE,
                         "--status and --node-field-selector exclude each other");
    if (!phase) return weir_field_selector_parse(weir_str_from(text ? text : ""), out, error);
    weir_buffer made = {0};
    weir_buffer_printf(&made, "phase=%.64s", phase);
    bool ok = weir_field_selector_parse(weir_buffer_str(&made), out, error);
    weir_buffer_deinit(&made);
    return ok;
}

weir_value *weir_cli_workflow_answer(weir_value *workflow, const weir_value *answer) {
    for (size_t i = 0; i < weir_value_count(answer); i++) {
        weir_str key = weir_object_key(answer, i);
        if (!weir_member(workflow, key) && !weir_str_is(key, "nodes") &&
            !weir_str_is(key, "workflow"))
            weir_member_set(workflow, key, weir_value_ref(weir_object_at(answer, i)));
    }
    return workflow;
}

static void print_workflow(weir_cli *cli, const weir_value *workflow, bool color,
                           const weir_field_selector *selector) {
    weir_workflow_look look = {.form = weir_cli_form(cli, "wide")    ? WEIR_LOOK_WIDE
                                       : weir_cli_form(cli, "short") ? WEIR_LOOK_SHORT
                                                                     : WEIR_LOOK_TEXT,
                               .color = color,
                               .ascii = weir_cli_has(cli, WEIR_FLAG_NO_UTF8),
                               .selector = selector,
                               .now_us = weir_view_now()};
    weir_workflow_print(workflow, &look, &cli->out.text);
}

static void print_run(weir_cli *cli, const weir_value *said, const weir_field_selector *selector) {
    weir_value *status = weir_cli_whole(cli) ? weir_value_ref((weir_value *)(uintptr_t)said)
                                             : weir_waiting_tell(said, true);
    weir_value *workflow = weir_member_named(status, "workflow");
    weir_view view;
    weir_view_init(&view, cli->out.fd, weir_cli_has(cli, WEIR_FLAG_NO_COLOR));
    if (weir_cli_whole(cli) && workflow) {
        weir_value *answer =
            weir_cli_workflow_answer(weir_value_own(weir_value_ref(workflow)), status);
        weir_cli_print(cli, answer);
        weir_value_unref(answer);
    } else if (weir_cli_whole(cli)) {
        weir_cli_print(cli, status);
    } else if (weir_cli_form(cli, "name")) {
        weir_output_plain(&cli->out.text, weir_member_text(status, "name"));
        weir_buffer_byte(&cli->out.text, '\n');
    } else if (workflow) {
        print_workflow(cli, workflow, view.color, selector);
    } else {
        view.terminal = false; /* whoever asks wants all of it */
        weir_view_keep(&view, status, &cli->out.text);
    }
    weir_view_deinit(&view);
    weir_value_unref(status);
}

bool weir_get_command(weir_cli *cli, weir_engine *engine, weir_error *error) {
    weir_field_selector selector;
    bool ok = read_selector(cli, &selector, error);
    for (size_t i = 0; ok && i < cli->words.count; i++) {
        weir_value *status;
        ok = weir_get(engine, cli->words.items[i], &status, error);
        if (!ok) break;
        print_run(cli, status, &selector);
        weir_output_flush(&cli->out);
        weir_value_unref(status);
    }
    weir_field_selector_deinit(&selector);
    return ok;
}
