/* What the ladder came to: a table and plots for people, JSON and CSV for programs, pictures. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "base/time.h"
#include "cli/ladder.h"
#include "cli/tabs.h"
#include "cli/view.h"
#include "data/plot.h"

enum { COLUMNS = 78, COLUMNS_MAX = 110, ROWS = 18, PLOTS = 3 };

/* --- medians -------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t count) {
    qsort(values, count, sizeof *values, compare);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

/* Of the counts it has those of the round in which fewest came. */
bool weir_ladder_median(const weir_ladder *ladder, const weir_ladder_rung *rung, uint32_t downloads,
                        weir_ladder_measurement *out) {
    size_t count = 0;
    double *values = weir_alloc(3 * (ladder->rounds + 1) * sizeof *values);
    double *seconds = values, *cpu = values + ladder->rounds, *memory = cpu + ladder->rounds;
    for (size_t i = 0; i < ladder->measurements.count; i++) {
        const weir_ladder_measurement *m = &ladder->measurements.items[i];
        if (!m->done || m->rung != rung || m->downloads != downloads) continue;
        if (!count || m->got < out->got) *out = *m;
        seconds[count] = m->seconds;
        cpu[count] = m->cpu_seconds;
        memory[count++] = (double)m->memory_bytes;
    }
    if (count) {
        out->seconds = median(seconds, count);
        out->cpu_seconds = median(cpu, count);
        out->memory_bytes = (uint64_t)median(memory, count);
    }
    weir_free(values);
    return count > 0;
}

static uint32_t most_downloads(const weir_ladder *ladder) {
    return ladder->downloads.items[ladder->downloads.count - 1];
}

static uint32_t errors_lost(const weir_ladder_measurement *m) {
    uint32_t missing = m->downloads > m->got ? m->downloads - m->got : 0;
    return missing > m->errors_told ? missing - m->errors_told : 0;
}

/* --- for programs --------------------------------------------------------------------------- */

static void put_float(weir_value *object, const char *name, double value) {
    weir_member_put(object, name, weir_float_new(value));
}

static void put_count(weir_value *object, const char *name, uint64_t value) {
    weir_member_put(object, name, weir_int_new((int64_t)value));
}

static weir_value *value_of(const weir_ladder_measurement *m, bool round) {
    weir_value *value = weir_object_new();
    weir_output_member(value, "rung", m->rung->name);
    put_count(value, "downloads", m->downloads);
    if (round) put_count(value, "round", m->round);
    put_float(value, "seconds", m->seconds);
    put_float(value, "cpu_seconds", m->cpu_seconds);
    put_count(value, "memory_bytes", m->memory_bytes);
    put_count(value, "got", m->got);
    put_count(value, "errors_told", m->errors_told);
    put_count(value, "errors_lost", errors_lost(m));
    if (m->run && round) weir_output_member(value, "run", m->run);
    return value;
}

static void print_value(const weir_ladder *ladder) {
    weir_value *all = weir_object_new(), *medians = weir_array_new(), *each = weir_array_new();
    weir_ladder_measurement m;
    for (size_t r = 0; r < ladder->rungs.count; r++)
        for (size_t d = 0; d < ladder->downloads.count; d++)
            if (weir_ladder_median(ladder, ladder->rungs.items[r], ladder->downloads.items[d], &m))
                weir_array_append(medians, value_of(&m, false));
    for (size_t i = 0; i < ladder->measurements.count; i++)
        weir_array_append(each, value_of(&ladder->measurements.items[i], true));
    weir_output_member(all, "run", ladder->run);
    put_float(all, "latency_seconds", (double)ladder->latency_us / 1e6);
    put_count(all, "at_once", ladder->at_once);
    put_count(all, "rounds", ladder->rounds);
    put_count(all, "requests_per_download", 2);
    weir_member_put(all, "medians", medians);
    weir_member_put(all, "measurements", each);
    weir_cli_print(ladder->cli, all);
    weir_value_unref(all);
}

static void print_csv(const weir_ladder *ladder) {
    weir_buffer *out = &ladder->cli->out.text;
    weir_buffer_text(out, "rung,downloads,round,seconds,cpu_seconds,memory_bytes,got,errors_told,"
                          "errors_lost\n");
    for (size_t i = 0; i < ladder->measurements.count; i++) {
        const weir_ladder_measurement *m = &ladder->measurements.items[i];
        weir_buffer_printf(out, "%s,%u,%u,%.6f,%.6f,%llu,%u,%u,%u\n", m->rung->name, m->downloads,
                           m->round, m->seconds, m->cpu_seconds,
                           (unsigned long long)m->memory_bytes, m->got, m->errors_told,
                           errors_lost(m));
    }
}

/* --- plots ---------------------------------------------------------------------------------- */

typedef enum which_plot { TIME, MEMORY, TRADE_OFFS } which_plot;

static weir_plot make_plot(const weir_ladder *ladder, which_plot which, const char *title) {
    static const weir_plot_axis downloads = {"downloads", WEIR_PLOT_NUMBER, true},
                                seconds = {"time from start to finish", WEIR_PLOT_SECONDS, true},
                                memory = {"memory of all processes at most", WEIR_PLOT_BYTES, true};
    weir_plot plot = {.title = title,
                      .x = which == TRADE_OFFS ? memory : downloads,
                      .y = which == MEMORY ? memory : seconds};
    for (size_t r = 0; r < ladder->rungs.count; r++) {
        weir_plot_series *series = weir_plot_add(&plot, ladder->rungs.items[r]->name);
        for (size_t d = 0; d < ladder->downloads.count; d++) {
            weir_ladder_measurement m;
            if (!weir_ladder_median(ladder, ladder->rungs.items[r], ladder->downloads.items[d], &m))
                continue;
            double bytes = (double)m.memory_bytes;
            weir_plot_point_add(series, which == TRADE_OFFS ? bytes : m.downloads,
                                which == MEMORY ? bytes : m.seconds);
        }
    }
    return plot;
}

static const struct {
    which_plot which;
    const char *title, *file;
} plots[PLOTS] = {
    {TIME, "Time", "time.svg"},
    {MEMORY, "Memory", "memory.svg"},
    {TRADE_OFFS, "Time against memory, from few downloads to many", "trade-offs.svg"},
};

static uint32_t terminal_columns(int fd) {
    struct winsize size;
    if (ioctl(fd, TIOCGWINSZ, &size) != 0 || !size.ws_col) return COLUMNS;
    return size.ws_col < COLUMNS_MAX ? size.ws_col : COLUMNS_MAX;
}

static void print_plots(const weir_ladder *ladder) {
    weir_view view;
    weir_cli *cli = ladder->cli;
    weir_view_init(&view, cli->out.fd, weir_cli_has(cli, WEIR_FLAG_NO_COLOR));
    weir_plot_terminal terminal = {.columns = terminal_columns(cli->out.fd),
                                   .rows = ROWS,
                                   .color = view.color,
                                   .ascii = weir_cli_has(cli, WEIR_FLAG_NO_UTF8)};
    for (size_t i = 0; i < PLOTS; i++) {
        weir_plot plot = make_plot(ladder, plots[i].which, plots[i].title);
        weir_buffer_byte(&cli->out.text, '\n');
        weir_plot_text(&plot, &terminal, &cli->out.text);
        weir_plot_deinit(&plot);
    }
    weir_view_deinit(&view);
}

/* Whoever looks at a picture has the whole of one. */
static bool write_picture(const char *folder, const char *name, weir_str text, weir_error *error) {
    weir_buffer file = {0}, part = {0};
    weir_buffer_printf(&file, "%s/%s", folder, name);
    weir_buffer_printf(&part, "%s.part", file.data);
    int fd = open(part.data, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    bool ok = fd >= 0 && weir_descriptor_write(fd, text);
    ok = fd >= 0 && close(fd) == 0 && ok;
    ok = ok && rename(part.data, file.data) == 0;
    if (!ok) weir_fail(error, WEIR_IO, "cannot write `%s`: %s", file.data, strerror(errno));
    weir_buffer_deinit(&file);
    weir_buffer_deinit(&part);
    return ok;
}

static bool write_pictures(const weir_ladder *ladder, const char *folder, weir_error *error) {
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return weir_fail(error, WEIR_IO, "cannot make `%s`: %s", folder, strerror(errno));
    bool ok = true;
    for (size_t i = 0; ok && i < PLOTS; i++) {
        weir_buffer text = {0};
        weir_plot plot = make_plot(ladder, plots[i].which, plots[i].title);
        weir_plot_svg(&plot, &text);
        ok = write_picture(folder, plots[i].file, weir_buffer_str(&text), error);
        weir_plot_deinit(&plot);
        weir_buffer_deinit(&text);
    }
    return ok;
}

/* --- for people ----------------------------------------------------------------------------- */

static void add_cell(weir_tabs *tabs, const char *format, ...) WEIR_PRINTF(2, 3);
static void add_cell(weir_tabs *tabs, const char *format, ...) {
    char text[64];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    weir_tabs_add(tabs, weir_str_from(text));
}

static void print_table(const weir_ladder *ladder) {
    static const char *const heads[] = {"RUNG", "TIME", "CPU TIME", "MEMORY", "GOT", "ERRORS"};
    weir_buffer *out = &ladder->cli->out.text;
    weir_tabs tabs = {.padding = 3};
    char latency[24];
    weir_buffer_printf(out,
                       "%u downloads, two requests each that take %s, %u at once; median of %u\n\n",
                       most_downloads(ladder), weir_duration_format(ladder->latency_us, latency),
                       (unsigned)ladder->at_once, (unsigned)ladder->rounds);
    weir_tabs_line(&tabs);
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        weir_tabs_add(&tabs, weir_str_from(heads[i]));
    for (size_t r = 0; r < ladder->rungs.count; r++) {
        weir_ladder_measurement m;
        if (!weir_ladder_median(ladder, ladder->rungs.items[r], most_downloads(ladder), &m))
            continue;
        weir_tabs_line(&tabs);
        add_cell(&tabs, "%s", m.rung->name);
        add_cell(&tabs, "%.3f s", m.seconds);
        add_cell(&tabs, "%.3f s", m.cpu_seconds);
        add_cell(&tabs, "%.1f MB", (double)m.memory_bytes / 1e6);
        add_cell(&tabs, "%u", m.got);
        if (errors_lost(&m))
            add_cell(&tabs, "%u told, %u lost", m.errors_told, errors_lost(&m));
        else
            add_cell(&tabs, "%u told", m.errors_told);
    }
    weir_tabs_print(&tabs, out);
    weir_tabs_deinit(&tabs);
}

static void print_text(const weir_ladder *ladder) {
    print_table(ladder);
    print_plots(ladder);
    weir_buffer_printf(&ladder->cli->out.text,
                       "\n%s is the run with all figures: `weir get %s`, `weir events %s`\n",
                       ladder->run, ladder->run, ladder->run);
}

/* Figures of rungs that did not do the same are not to be compared. */
static bool check_same(const weir_ladder *ladder, weir_error *error) {
    for (size_t i = 0; i < ladder->measurements.count; i++) {
        const weir_ladder_measurement *a = &ladder->measurements.items[i];
        for (size_t k = 0; k < i; k++) {
            const weir_ladder_measurement *b = &ladder->measurements.items[k];
            if (a->downloads != b->downloads || a->got == b->got) continue;
            return weir_fail(error, WEIR_OPERATION_FAILED,
                             "the rungs do not compare: of %u downloads `%s` got %u, `%s` %u",
                             a->downloads, b->rung->name, b->got, a->rung->name, a->got);
        }
    }
    return true;
}

bool weir_ladder_show(const weir_ladder *ladder, weir_error *error) {
    const char *folder = weir_cli_text(ladder->cli, WEIR_FLAG_PICTURES);
    if (weir_cli_whole(ladder->cli))
        print_value(ladder);
    else if (weir_cli_form(ladder->cli, "csv"))
        print_csv(ladder);
    else
        print_text(ladder);
    return (!folder || write_pictures(ladder, folder, error)) && check_same(ladder, error);
}
