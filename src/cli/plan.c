/* `weir plan`: what a run of a file will take. */
#include <inttypes.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "base/size.h"
#include "base/time.h"
#include "cli/commands.h"
#include "cli/view.h"

enum { LINES_MAX = 20 };

static uint64_t us_of(const weir_value *object, const char *name) {
    const weir_value *seconds = weir_member_named(object, name);
    return seconds ? (uint64_t)(weir_number_get(seconds) * 1e6 + 0.5) : 0;
}

static bool is_set(const weir_value *object, const char *name) {
    const weir_value *flag = weir_member_named(object, name);
    return flag && weir_value_truth(flag);
}

/* "about 12.3s, 15.1s if all take long": the second only where it differs. */
static void append_time(const weir_value *object, weir_buffer *out) {
    char text[24], high[24];
    uint64_t us = us_of(object, "seconds"), high_us = us_of(object, "high");
    if (!us && !high_us) return;
    weir_duration_format(us ? us : high_us, text);
    weir_buffer_text(out, text);
    weir_duration_format(high_us, high);
    if (us && high_us > us && strcmp(text, high) != 0) weir_buffer_printf(out, " (to %s)", high);
}

static void append_count(const weir_value *step, weir_buffer *out) {
    uint64_t tasks = weir_member_count(step, "tasks");
    bool more = is_set(step, "at_least");
    if (tasks != 1 || more)
        weir_buffer_printf(out, " ×%" PRIu64 "%s", tasks, more ? " or more" : "");
}

static void print_steps(weir_buffer *out, const char *title, const weir_value *list,
                        bool with_time) {
    if (!weir_value_count(list)) return;
    weir_buffer_printf(out, "%s\n", title);
    for (size_t i = 0; i < weir_value_count(list) && i < LINES_MAX; i++) {
        const weir_value *step = weir_array_at(list, i);
        weir_str basis = weir_member_text(step, "basis");
        size_t from = out->length, length;
        weir_buffer_printf(out, "  %.*s", WEIR_ARG(weir_member_text(step, "name")));
        append_count(step, out);
        length = out->length - from;
        if (with_time) weir_buffer_printf(out, "%*s", length < 36 ? (int)(36 - length) : 2, "");
        if (with_time) append_time(step, out);
        if (with_time && weir_str_is(basis, "unknown")) weir_buffer_text(out, "not known");
        if (with_time && weir_str_is(basis, "history"))
            weir_buffer_text(out, ", as in earlier runs");
        if (is_set(step, "may_not_run")) weir_buffer_text(out, ", if it runs");
        weir_output_line(out, from);
    }
    size_t more = weir_value_count(list) > LINES_MAX ? weir_value_count(list) - LINES_MAX : 0;
    if (more) weir_buffer_printf(out, "  and %zu more\n", more);
}

static const char *hint_of(const weir_value *plan) {
    return weir_str_is(weir_member_text(plan, "kind"), "workflow")
               ? "the annotation `weir.estimate/seconds` of a template says it, or a run does"
               : "`estimate: {seconds: …, memory: …}` says it, or a run does";
}

static void print_totals(weir_buffer *out, const char *file, const weir_value *plan) {
    char text[24];
    uint64_t tasks = weir_member_count(plan, "tasks"), memory = weir_member_count(plan, "memory");
    uint64_t unknown = weir_member_count(plan, "unknown");
    const weir_value *path = weir_member_named(plan, "critical_path");
    size_t from = out->length;
    weir_buffer_printf(out, "%s: a %.*s of %s%" PRIu64 " task%s", file,
                       WEIR_ARG(weir_member_text(plan, "kind")),
                       is_set(plan, "at_least") ? "at least " : "", tasks, tasks == 1 ? "" : "s");
    weir_output_line(out, from);
    if (us_of(plan, "seconds") || us_of(plan, "high")) {
        from = out->length;
        weir_buffer_printf(out, "  time      %s",
                           unknown || is_set(plan, "at_least") ? "at least " : "about ");
        append_time(plan, out);
        weir_buffer_printf(out, ", %" PRIu64 " at once at most",
                           weir_member_count(plan, "at_once"));
        weir_output_line(out, from);
        weir_buffer_printf(out, "  work      %s\n",
                           weir_duration_format(us_of(plan, "work"), text));
        weir_buffer_printf(out, "  longest   %s, of %" PRIu64 " behind each other\n",
                           weir_duration_format(us_of(path, "seconds"), text),
                           weir_member_count(path, "length"));
    }
    if (memory) weir_buffer_printf(out, "  memory    %s\n", weir_size_format(memory, text));
}

static void print_plan(weir_buffer *out, const char *file, const weir_value *plan) {
    const weir_value *path = weir_member_named(plan, "critical_path");
    uint64_t unknown = weir_member_count(plan, "unknown");
    char title[160];
    print_totals(out, file, plan);
    if (us_of(path, "seconds"))
        print_steps(out, "the longest way", weir_member_named(path, "steps"), true);
    snprintf(title, sizeof title, "how long is not known of %" PRIu64 ": %s", unknown,
             hint_of(plan));
    print_steps(out, title, weir_member_named(plan, "not_known"), false);
    print_steps(out, "how many is known once it runs", weir_member_named(plan, "not_counted"),
                false);
    print_steps(out, "wait until somebody resumes the run", weir_member_named(plan, "waits"),
                false);
}

/* What the output is drawn as; NULL: it is told. */
static const char *picture_of(const weir_cli *cli) {
    static const char *const pictures[] = {"dot", "mermaid", "svg", "gantt", "gantt-svg"};
    const char *output = weir_cli_text(cli, WEIR_FLAG_OUTPUT);
    for (size_t i = 0; output && i < sizeof pictures / sizeof *pictures; i++)
        if (strcmp(output, pictures[i]) == 0) return pictures[i];
    return NULL;
}

static int64_t columns_of(int fd) {
    enum { COLUMNS_ELSE = 100 };
    struct winsize size;
    bool known = ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col;
    return known ? size.ws_col : COLUMNS_ELSE;
}

static bool draw(weir_cli *cli, weir_engine *engine, const weir_value *request, const char *picture,
                 size_t *said, weir_error *error) {
    weir_view view;
    weir_value *options = weir_object_new(), *text;
    const char *display = weir_cli_text(cli, WEIR_FLAG_DISPLAY);
    weir_view_init(&view, cli->out.fd, weir_cli_has(cli, WEIR_FLAG_NO_COLOR));
    if (display) weir_output_member(options, "display", display);
    weir_member_put(options, "color", weir_bool_new(view.color));
    weir_member_put(options, "ascii", weir_bool_new(weir_cli_has(cli, WEIR_FLAG_NO_UTF8)));
    weir_member_put(options, "columns", weir_int_new(columns_of(cli->out.fd)));
    bool ok = weir_foresee_picture(engine, request, picture, options, weir_output_problem_counted,
                                   said, &text, error);
    weir_value_unref(options);
    if (!ok) return false;
    weir_buffer_str_append(&cli->out.text, weir_string_get(text));
    weir_value_unref(text);
    return true;
}

static bool tell(weir_cli *cli, weir_engine *engine, const weir_value *request, size_t *said,
                 weir_error *error) {
    weir_value *plan;
    if (!weir_foresee(engine, request, weir_output_problem_counted, said, &plan, error))
        return false;
    if (weir_cli_whole(cli)) {
        weir_output_member(plan, "file", weir_member_text(request, "file").data);
        weir_cli_print(cli, plan);
    } else {
        print_plan(&cli->out.text, weir_member_text(request, "file").data, plan);
    }
    weir_value_unref(plan);
    return true;
}

int weir_plan_command(weir_cli *cli) {
    weir_error error;
    weir_value *request;
    weir_engine *engine;
    const char *picture = picture_of(cli);
    size_t said = 0;
    if (!weir_cli_request(cli, &request, &error)) return weir_cli_fail(&error);
    bool opened = weir_cli_open(cli, true, NULL, &engine, &error);
    if (!opened && error.code == WEIR_NOT_FOUND) /* no state: nothing ran here */
        opened = weir_cli_open_memory(cli, &engine, &error);
    bool ok = opened && (picture ? draw(cli, engine, request, picture, &said, &error)
                                 : tell(cli, engine, request, &said, &error));
    if (opened) weir_close(engine);
    weir_value_unref(request);
    return ok ? 0 : said ? weir_code_exit(error.code) : weir_cli_fail(&error);
}
