#include <stdio.h>
#include <unistd.h>

#include "base/size.h"
#include "base/time.h"
#include "cli/house.h"
#include "cli/view.h"

enum { PROGRESS_US = 100 * 1000 };

typedef struct pruning {
    weir_cli *cli;
    weir_value *list; /* of runs; NULL: nobody wants it */
    bool dry, terminal;
    uint64_t began_us, said_us, bytes;
    bool drawn;
} pruning;

/* --- while it goes on ----------------------------------------------------------------------- */

static void draw(pruning *p, const weir_value *run) {
    uint64_t now_us = weir_view_now(), done = weir_member_count(run, "done"),
             total = weir_member_count(run, "total");
    char size[24], left[24];
    if (now_us < p->said_us + PROGRESS_US || now_us < p->began_us) return;
    p->said_us = now_us;
    p->drawn = true;
    weir_duration_format((now_us - p->began_us) / (done ? done : 1) * (total - done), left);
    fprintf(stderr, "\r\x1b[K%llu of at most %llu runs, %s; at most %s left",
            (unsigned long long)done, (unsigned long long)total, weir_size_format(p->bytes, size),
            left);
}

static void erase(const pruning *p) {
    if (p->drawn) fprintf(stderr, "\r\x1b[K");
}

static bool take_run(void *arg, const weir_value *run) {
    pruning *p = arg;
    weir_output *out = &p->cli->out;
    p->bytes += weir_member_count(run, "bytes");
    if (p->terminal) draw(p, run);
    if (weir_cli_form(p->cli, "name")) {
        size_t from = out->text.length;
        weir_buffer_str_append(&out->text, weir_member_text(run, "name"));
        weir_output_line(&out->text, from);
        return weir_output_more(out);
    }
    if (!p->list) return true;
    weir_value *item = weir_object_new();
    for (size_t i = 0; i < weir_value_count(run); i++) {
        weir_str key = weir_object_key(run, i);
        if (!weir_str_is(key, "done") && !weir_str_is(key, "total"))
            weir_member_set(item, key, weir_value_ref(weir_object_at(run, i)));
    }
    weir_array_append(p->list, item);
    return true;
}

/* --- what came of it ------------------------------------------------------------------------ */

static void print_table(const weir_value *list, weir_buffer *out) {
    int width = 4;
    for (size_t i = 0; i < weir_value_count(list); i++) {
        int length = (int)weir_member_text(weir_array_at(list, i), "name").length;
        if (length > width) width = length;
    }
    if (weir_value_count(list))
        weir_buffer_printf(out, "%-*s  %-24s  %8s  WHY\n", width, "NAME", "ENDED", "SIZE");
    for (size_t i = 0; i < weir_value_count(list); i++) {
        const weir_value *run = weir_array_at(list, i);
        char moment[32], size[24];
        size_t from = out->length;
        weir_buffer_printf(out, "%-*.*s  %-24s  %8s  %.*s", width,
                           WEIR_ARG(weir_member_text(run, "name")),
                           weir_moment_format(weir_member_count(run, "finished"), moment),
                           weir_size_format(weir_member_count(run, "bytes"), size),
                           WEIR_ARG(weir_member_text(run, "why")));
        weir_output_line(out, from);
    }
}

static void print_sum(const pruning *p, const weir_value *sum, weir_buffer *out) {
    static const struct {
        const char *count, *bytes, *name;
    } kinds[] = {{"runs", "bytes", "run"},
                 {"results", "result_bytes", "kept result"},
                 {"blobs", "blob_bytes", "blob"}};
    weir_buffer_text(out, p->dry ? "would remove" : "removed");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char size[24];
        uint64_t count = weir_member_count(sum, kinds[i].count);
        weir_buffer_printf(out, "%s %llu %s%s (%s)", i ? "," : "", (unsigned long long)count,
                           kinds[i].name, count == 1 ? "" : "s",
                           weir_size_format(weir_member_count(sum, kinds[i].bytes), size));
    }
    weir_buffer_byte(out, '\n');
}

static void print(pruning *p, weir_value *sum) {
    weir_buffer *out = &p->cli->out.text;
    if (weir_cli_whole(p->cli)) {
        weir_member_put(sum, "pruned", weir_value_ref(p->list));
        weir_cli_print(p->cli, sum);
    } else if (!weir_cli_form(p->cli, "name")) {
        if (p->list) print_table(p->list, out);
        print_sum(p, sum, out);
    }
}

/* --- which ---------------------------------------------------------------------------------- */

/* What is said; else what is configured. */
static bool read_limits(const weir_cli *cli, weir_pruning *out, weir_error *error) {
    const char *age = weir_cli_text(cli, WEIR_FLAG_OLDER_THAN),
               *size = weir_cli_text(cli, WEIR_FLAG_MAX_SIZE);
    if (!age && !size) {
        weir_cli_retention(cli, &out->age_us, &out->bytes_max);
        if (out->age_us || out->bytes_max) return true;
        weir_fail(error, WEIR_USAGE, "how old, or how much? The configuration keeps all");
        weir_error_hint(error, "write `weir prune --older-than 30d`, or --max-size 10GB");
        return false;
    }
    if (age && !weir_duration_parse(weir_str_from(age), &out->age_us, error)) {
        error->code = WEIR_USAGE;
        weir_error_context(error, "`--older-than`");
        return false;
    }
    if (size && !weir_size_parse(weir_str_from(size), &out->bytes_max, error)) {
        error->code = WEIR_USAGE;
        weir_error_context(error, "`--max-size`");
        return false;
    }
    if (age && !out->age_us) out->age_us = 1; /* a zero would be "of any age" */
    if (size && !out->bytes_max) out->bytes_max = 1;
    return true;
}

static bool check_auto(const weir_cli *cli, weir_error *error) {
    bool more = weir_cli_has(cli, WEIR_FLAG_OLDER_THAN) || weir_cli_has(cli, WEIR_FLAG_MAX_SIZE) ||
                weir_cli_has(cli, WEIR_FLAG_DRY_RUN) || weir_cli_filters(cli);
    return !more ||
           weir_fail(error, WEIR_USAGE, "`--auto` does what the configuration says, no more");
}

bool weir_prune_command(weir_cli *cli, weir_engine *engine, weir_error *error) {
    weir_run_filter filter;
    weir_pruning pruned = {.size = sizeof pruned, .visit = take_run};
    weir_view view;
    if (weir_cli_has(cli, WEIR_FLAG_AUTO))
        return check_auto(cli, error) && weir_cli_prune_auto(cli, engine, error);
    if (!read_limits(cli, &pruned, error)) return false;
    if (weir_cli_filters(cli) && !weir_cli_filter(cli, &filter, error)) return false;
    if (weir_cli_filters(cli)) pruned.filter = &filter;
    weir_view_init(&view, STDERR_FILENO, true);
    pruning p = {.cli = cli,
                 .dry = weir_cli_has(cli, WEIR_FLAG_DRY_RUN),
                 .terminal = view.terminal,
                 .began_us = weir_view_now()};
    if (weir_cli_whole(cli) || (p.dry && !weir_cli_form(cli, "name"))) p.list = weir_array_new();
    pruned.dry = p.dry;
    pruned.arg = &p;
    weir_value *sum = NULL;
    bool ok = weir_prune(engine, &pruned, &sum, error);
    erase(&p);
    if (ok) print(&p, sum);
    weir_value_unref(sum);
    weir_value_unref(p.list);
    return ok;
}

bool weir_keep_command(weir_cli *cli, weir_engine *engine, weir_error *error) {
    bool keep = !weir_cli_has(cli, WEIR_FLAG_UNDO), ok = true;
    for (size_t i = 0; ok && i < cli->words.count; i++)
        ok = weir_run_keep(engine, cli->words.items[i], keep, error);
    return ok;
}
