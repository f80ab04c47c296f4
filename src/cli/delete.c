#include <stdio.h>

#include "cli/commands.h"

typedef struct deletion {
    weir_cli *cli;
    weir_engine *engine;
    WEIR_VECTOR(char *) runs; /* ids, and as they were named */
    WEIR_VECTOR(char *) names;
    bool force;
    size_t left; /* under way, so not meant */
} deletion;

static void add(deletion *d, weir_str run, weir_str name) {
    *weir_vector_push(&d->runs) = weir_str_dup(run);
    *weir_vector_push(&d->names) = weir_str_dup(name);
}

/* A filter does not mean what is under way, unless it is forced. */
static bool take_run(void *arg, const weir_value *run) {
    deletion *d = arg;
    if (d->force || weir_member_named(run, "finished"))
        add(d, weir_member_text(run, "run"), weir_member_text(run, "name"));
    else
        d->left++;
    return true;
}

static bool gather(deletion *d, weir_error *error) {
    weir_cli *cli = d->cli;
    weir_run_filter filter;
    bool filtered = weir_cli_filters(cli);
    for (size_t i = 0; i < cli->words.count; i++) {
        weir_str word = weir_str_from(cli->words.items[i]);
        add(d, word, word);
    }
    if (filtered == (cli->words.count > 0)) {
        weir_fail(error, WEIR_USAGE, filtered ? "runs by name, or by a filter?" : "which runs?");
        weir_error_hint(error, "write `weir delete RUN…`, or say which with --until, --phase, …");
        return false;
    }
    if (!filtered) return true;
    if (!weir_cli_filter(cli, &filter, error)) return false;
    if (!filter.parent) filter.parent = "";
    return weir_run_list(d->engine, &filter, take_run, d, error);
}

static void say(deletion *d, const char *name) {
    weir_buffer *out = &d->cli->out.text;
    size_t from = out->length;
    bool only = weir_cli_has(d->cli, WEIR_FLAG_DRY_RUN);
    weir_buffer_text(out, name);
    if (weir_cli_form(d->cli, "text")) weir_buffer_text(out, only ? ": would go" : ": deleted");
    weir_output_line(out, from);
    weir_output_flush(&d->cli->out);
}

/* Those that cannot be deleted do not hold up the others, but for a store that fails. */
static int delete_all(deletion *d) {
    int code = 0;
    weir_error error;
    for (size_t i = 0; i < d->runs.count; i++) {
        if (weir_cli_has(d->cli, WEIR_FLAG_DRY_RUN) ||
            weir_delete(d->engine, d->runs.items[i], d->force, &error)) {
            say(d, d->names.items[i]);
            continue;
        }
        int failed = weir_cli_fail(&error);
        if (failed > code) code = failed;
        if (error.code == WEIR_STORE || error.code == WEIR_IO) break;
    }
    if (d->left)
        fprintf(stderr, "weir: %zu run%s under way %s left; --force cancels and deletes them too\n",
                d->left, d->left == 1 ? "" : "s", d->left == 1 ? "was" : "were");
    return code;
}

int weir_delete_command(weir_cli *cli) {
    weir_error error;
    deletion d = {.cli = cli, .force = weir_cli_has(cli, WEIR_FLAG_FORCE)};
    const weir_options drive = {0}; /* who cancels a run that nobody drives, drives it to its end */
    if (!weir_cli_open(cli, true, d.force ? &drive : NULL, &d.engine, &error))
        return weir_cli_fail(&error);
    int code = gather(&d, &error) ? delete_all(&d) : weir_cli_fail(&error);
    for (size_t i = 0; i < d.runs.count; i++) {
        weir_free(d.runs.items[i]);
        weir_free(d.names.items[i]);
    }
    weir_vector_deinit(&d.runs);
    weir_vector_deinit(&d.names);
    weir_close(d.engine);
    return code;
}
