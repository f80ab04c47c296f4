/* The events of a run: printed as they come, so that a run of any length needs no memory here. */
#include "cli/commands.h"
#include "data/yaml_format.h"

enum { EVENT_TEXT_MAX = 200 }; /* of an event's data in a line for people */

static void print_line(weir_buffer *out, const weir_value *event) {
    const weir_value *data = weir_member_named(event, "data");
    size_t from = out->length;
    weir_buffer_printf(out, "%.*s  %-8.*s  %-18.*s", WEIR_ARG(weir_member_text(event, "time")),
                       WEIR_ARG(weir_member_text(event, "id")),
                       WEIR_ARG(weir_member_text(event, "type")));
    if (data && !weir_is(data, WEIR_NULL)) {
        weir_buffer_text(out, "  ");
        size_t begin = out->length;
        weir_json_format(data, 0, out);
        /* A program reads jsonl, which has it whole. */
        if (weir_buffer_cut(out, begin + EVENT_TEXT_MAX)) weir_buffer_text(out, "…");
    }
    weir_output_line(out, from);
}

typedef struct printer {
    weir_cli *cli;
    bool any;
} printer;

/* One more item of an array that is open: what a list of this item alone looks like, without the end, and with a comma
 * instead of the begin where there was one before. */
static void print_item(printer *p, const weir_value *event) {
    weir_buffer *out = &p->cli->out.text;
    weir_value *list = weir_array_new();
    weir_array_append(list, weir_value_ref((weir_value *)event));
    size_t from = out->length;
    if (weir_cli_form(p->cli, "yaml")) {
        weir_yaml_format(list, out);
    } else {
        weir_json_format(list, 2, out);
        if (p->any) out->data[from] = ',';
        out->length -= strlen("\n]");
    }
    weir_value_unref(list);
}

static bool print_event(void *arg, const weir_value *event) {
    printer *p = arg;
    weir_output *out = &p->cli->out;
    if (!event) { /* it has seen all that there is: whoever reads is to see it too */
        weir_output_flush(out);
        return !out->problem;
    }
    if (weir_cli_form(p->cli, "text"))
        print_line(&out->text, event);
    else if (weir_cli_whole(p->cli))
        print_item(p, event);
    else
        weir_output_value(out, event, 0);
    p->any = true;
    return weir_output_more(out);
}

bool weir_events_command(weir_cli *cli, weir_engine *engine, weir_error *error) {
    printer p = {.cli = cli};
    uint64_t limit;
    if (!weir_cli_number(cli, WEIR_FLAG_LIMIT, UINT32_MAX, 0, &limit, error)) return false;
    weir_events_query query = {.size = sizeof query,
                               .follow = weir_cli_has(cli, WEIR_FLAG_FOLLOW),
                               .cloudevents = weir_cli_form(cli, "cloudevents"),
                               .type = weir_cli_text(cli, WEIR_FLAG_TYPE),
                               .after = weir_cli_text(cli, WEIR_FLAG_AFTER),
                               .limit = limit};
    if (!weir_read_events(engine, cli->words.items[0], &query, print_event, &p, error))
        return false;
    if (weir_cli_form(cli, "json")) weir_buffer_text(&cli->out.text, p.any ? "\n]\n" : "[]\n");
    if (weir_cli_form(cli, "yaml") && !p.any) weir_buffer_text(&cli->out.text, "[]\n");
    return true;
}
