#include "cli/targets.h"

typedef struct gathering {
    weir_targets *out;
    weir_targeted wanted;
    uint64_t before_us; /* only runs that ended before; 0: all */
} gathering;

static void add(weir_targets *targets, weir_str run, weir_str name) {
    *weir_vector_push(&targets->items) = (weir_target){weir_str_dup(run), weir_str_dup(name)};
}

static bool take_run(void *arg, const weir_value *run) {
    gathering *g = arg;
    uint64_t finished_us = weir_member_count(run, "finished");
    bool over = weir_member_named(run, "finished") != NULL;
    if (g->before_us && (!finished_us || finished_us > g->before_us)) return true;
    if (g->wanted == WEIR_TARGETS_ANY || over == (g->wanted == WEIR_TARGETS_OVER))
        add(g->out, weir_member_text(run, "run"), weir_member_text(run, "name"));
    else
        g->out->left++;
    return true;
}

bool weir_targets_gather(weir_cli *cli, weir_engine *engine, weir_targeted wanted,
                         weir_targets *out, weir_error *error) {
    weir_run_filter filter;
    gathering g = {.out = out, .wanted = wanted};
    bool filtered = weir_cli_filters(cli);
    for (size_t i = 0; i < cli->words.count; i++) {
        weir_str word = weir_str_from(cli->words.items[i]);
        add(out, word, word);
    }
    if (filtered == (cli->words.count > 0)) {
        weir_fail(error, WEIR_USAGE, filtered ? "runs by name, or by a filter?" : "which runs?");
        weir_error_hint(error, "write `weir %s RUN…`, or say which with %s", cli->command->name,
                        weir_command_has(cli->command, WEIR_FLAG_PHASE) ? "--older, --status, …"
                                                                        : "--label");
        return false;
    }
    if (!filtered) return true;
    if (!weir_cli_filter(cli, &filter, error) ||
        !weir_cli_moment(cli, WEIR_FLAG_OLDER, &g.before_us, error))
        return false;
    if (!filter.parent) filter.parent = "";
    return weir_run_list(engine, &filter, take_run, &g, error);
}

void weir_targets_deinit(weir_targets *targets) {
    for (size_t i = 0; i < targets->items.count; i++) {
        weir_free(targets->items.items[i].run);
        weir_free(targets->items.items[i].name);
    }
    weir_vector_deinit(&targets->items);
}

static void say_only(weir_cli *cli, const char *name) {
    size_t from = cli->out.text.length;
    weir_buffer_printf(&cli->out.text, "%s: would %s", name,
                       strcmp(cli->command->name, "delete") == 0 ? "go" : cli->command->name);
    weir_output_line(&cli->out.text, from);
}

int weir_targets_each(weir_cli *cli, weir_engine *engine, const weir_targets *targets,
                      bool (*act)(weir_cli *cli, weir_engine *engine, const weir_target *target,
                                  void *arg, weir_error *error),
                      void *arg) {
    int code = 0;
    weir_error error;
    bool only = weir_cli_has(cli, WEIR_FLAG_DRY_RUN);
    for (size_t i = 0; i < targets->items.count; i++) {
        const weir_target *target = &targets->items.items[i];
        if (only && weir_cli_form(cli, "text")) {
            say_only(cli, target->name);
            continue;
        }
        if (act(cli, engine, target, arg, &error)) continue;
        int failed = weir_cli_fail(&error);
        if (failed > code) code = failed;
        if (error.code == WEIR_STORE || error.code == WEIR_IO) break;
    }
    return code;
}
