#include <stdio.h>

#include "cli/targets.h"

static bool delete_run(weir_cli *cli, weir_engine *engine, const weir_target *target, void *arg,
                       weir_error *error) {
    (void)arg;
    weir_buffer *out = &cli->out.text;
    size_t from = out->length;
    bool only = weir_cli_has(cli, WEIR_FLAG_DRY_RUN);
    if (!only && !weir_delete(engine, target->run, weir_cli_has(cli, WEIR_FLAG_FORCE), error))
        return false;
    weir_buffer_text(out, target->name);
    if (weir_cli_form(cli, "text")) weir_buffer_text(out, ": deleted");
    weir_output_line(out, from);
    weir_output_flush(&cli->out);
    return true;
}

int weir_delete_command(weir_cli *cli) {
    weir_error error;
    weir_engine *engine;
    weir_targets targets = {0};
    bool force = weir_cli_has(cli, WEIR_FLAG_FORCE);
    const weir_options drive = {0}; /* who cancels a run that nobody drives, drives it to its end */
    if (!weir_cli_open(cli, true, force ? &drive : NULL, &engine, &error))
        return weir_cli_fail(&error);
    /* A filter does not mean what is under way, unless it is forced. */
    int code = weir_targets_gather(cli, engine, force ? WEIR_TARGETS_ANY : WEIR_TARGETS_OVER,
                                   &targets, &error)
                   ? weir_targets_each(cli, engine, &targets, delete_run, NULL)
                   : weir_cli_fail(&error);
    if (targets.left)
        fprintf(stderr, "weir: %zu run%s under way %s left; --force cancels and deletes them too\n",
                targets.left, targets.left == 1 ? "" : "s", targets.left == 1 ? "was" : "were");
    weir_targets_deinit(&targets);
    weir_close(engine);
    return code;
}
