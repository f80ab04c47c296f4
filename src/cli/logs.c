#include <stdio.h>

#include "cli/commands.h"

typedef struct log_printer {
    weir_cli *cli;
    bool named;  /* lines say whose they are */
    bool follow; /* others wait for each line */
    bool any;
} log_printer;

static void take_lines(void *arg, const weir_value *node, size_t nodes, weir_str lines) {
    log_printer *p = arg;
    weir_output *out = &p->cli->out;
    p->any = true;
    for (size_t from = 0, end; from < lines.length && weir_output_more(out); from = end + 1) {
        end = weir_str_find(lines, WEIR_STR("\n"), from);
        if (end == SIZE_MAX) end = lines.length;
        if (p->named || nodes > 1) {
            weir_output_plain(&out->text, weir_member_text(node, "name"));
            weir_buffer_text(&out->text, ": ");
        }
        weir_buffer_str_append(&out->text, weir_str_slice(lines, from, end));
        weir_buffer_byte(&out->text, '\n');
    }
    if (p->follow) weir_output_flush(out);
}

bool weir_logs_command(weir_cli *cli, weir_engine *engine, weir_error *error) {
    weir_log_wanted wanted = {.size = sizeof wanted,
                              .node = cli->words.count > 1 ? cli->words.items[1] : NULL,
                              .follow = weir_cli_has(cli, WEIR_FLAG_FOLLOW)};
    log_printer printer = {.cli = cli, .follow = wanted.follow};
    printer.named = wanted.follow && !wanted.node; /* more may come of others */
    if (!weir_cli_number(cli, WEIR_FLAG_TAIL, UINT32_MAX, UINT64_MAX, &wanted.tail, error) ||
        !weir_read_logs(engine, cli->words.items[0], &wanted, take_lines, &printer, error))
        return false;
    if (!printer.any && wanted.tail) fprintf(stderr, "weir: nothing was written\n");
    return true;
}
