/* A run's incidents, for people. */
#include <string.h>

#include "base/time.h"
#include "cli/commands.h"
#include "cli/view.h"

enum { CAUSES_MAX = 8 };

typedef struct style {
    const char *item, *log_begin, *log_line, *log_end; /* in front of a line */
} style;

static const style plain = {"   ", "", "     | ", ""},
                   markdown = {"- ", "\n```text\n", "", "```\n"};

static long long number_of(const weir_value *object, const char *key) {
    const weir_value *value = weir_member_named(object, key);
    return weir_is(value, WEIR_INT) ? (long long)weir_int_get(value) : 0;
}

static void write_text(weir_buffer *out, const char *before, weir_str text) {
    if (!text.length) return;
    weir_buffer_text(out, before);
    weir_output_plain(out, text);
}

static void write_number(weir_buffer *out, const char *before, const weir_value *object,
                         const char *key) {
    if (weir_is(weir_member_named(object, key), WEIR_INT))
        weir_buffer_printf(out, "%s%lld", before, number_of(object, key));
}

static void write_count(weir_buffer *out, const weir_value *figures, const char *key,
                        const char *one, const char *many) {
    long long count = number_of(figures, key);
    if (count) weir_buffer_printf(out, ", %lld %s", count, count == 1 ? one : many);
}

static void write_estimate(weir_buffer *out, const weir_value *report) {
    const weir_value *seconds = weir_member_named(weir_member_named(report, "estimate"), "seconds");
    char text[24];
    if (weir_is(seconds, WEIR_FLOAT) && weir_number_get(seconds) >= 0)
        weir_buffer_printf(out, " (%s estimated)",
                           weir_duration_format((uint64_t)(weir_number_get(seconds) * 1e6), text));
}

static void write_head(weir_buffer *out, const weir_value *report) {
    const weir_value *figures = weir_member_named(report, "figures");
    char took[24];
    weir_output_plain(out, weir_member_text(report, "name"));
    write_text(out, " (", weir_member_text(report, "kind"));
    write_text(out, "): ", weir_member_text(report, "phase"));
    if (weir_member_named(report, "took_us"))
        weir_buffer_printf(out, " after %s",
                           weir_duration_format((uint64_t)number_of(report, "took_us"), took));
    write_estimate(out, report);
    write_count(out, figures, "contexts", "context", "contexts");
    write_count(out, figures, "tasks", "task", "tasks");
    write_count(out, figures, "attempts", "attempt", "attempts");
    write_count(out, figures, "retries", "retry", "retries");
    write_count(out, figures, "calls", "call", "calls");
    long long found = number_of(report, "found");
    if (found)
        weir_buffer_printf(out, "; %lld incident%s\n", found, found == 1 ? "" : "s");
    else
        weir_buffer_text(out, "; no incidents\n");
}

static void write_where(weir_buffer *out, const style *s, const weir_value *where) {
    const weir_value *path = weir_member_named(where, "path");
    weir_buffer_printf(out, "%swhere: run ", s->item);
    weir_output_plain(out, weir_member_text(where, "run"));
    write_text(out, ", context ", weir_member_text(where, "context"));
    for (size_t i = 0; path && i < weir_value_count(path); i++)
        write_text(out, i ? "/" : " of ", weir_string_get(weir_array_at(path, i)));
    write_text(out, ", ", weir_member_text(where, "instance"));
    write_text(out, ", node ", weir_member_text(where, "node"));
    write_text(out, " of template ", weir_member_text(where, "template"));
    write_number(out, ", task ", where, "task");
    write_number(out, ", attempt ", where, "attempt");
    write_text(out, ", executor ", weir_member_text(where, "executor"));
    write_text(out, " on ", weir_member_text(where, "host"));
    write_number(out, ", process ", where, "pid");
    weir_buffer_byte(out, '\n');
}

/* The last lines that it wrote. */
static void write_log(weir_buffer *out, const style *s, weir_str log) {
    if (!log.length) return;
    weir_buffer_text(out, s->log_begin);
    for (size_t from = 0, end; from < log.length; from = end + 1) {
        end = weir_str_find(log, WEIR_STR("\n"), from);
        if (end == SIZE_MAX) end = log.length;
        weir_buffer_text(out, s->log_line);
        weir_output_plain(out, weir_str_slice(log, from, end));
        weir_buffer_byte(out, '\n');
    }
    weir_buffer_text(out, s->log_end);
}

/* A number that the message does not say already. */
static void write_unsaid(weir_buffer *out, const char *before, weir_str message,
                         const weir_value *how, const char *key) {
    weir_str word = weir_str_from(before + strlen(", "));
    if (weir_str_find(message, word, 0) == SIZE_MAX) write_number(out, before, how, key);
}

/* What happened, and below it what that was caused by; an error of a context or a run says in its `how` what it is of. */
static void write_how(weir_buffer *out, const style *s, const weir_value *how) {
    for (int depth = 0; how && depth < CAUSES_MAX; depth++) {
        weir_str message = weir_member_text(how, "message");
        if (!message.length) message = weir_member_text(how, "what");
        weir_buffer_printf(out, "%s%s: ", s->item, depth ? "cause" : "how");
        weir_output_plain(out, weir_member_text(how, "code"));
        write_text(out, ": ", message);
        write_unsaid(out, ", exit code ", message, how, "exit_code");
        write_unsaid(out, ", signal ", message, how, "signal");
        const weir_value *memory = weir_member_named(how, "out_of_memory");
        if (memory && weir_value_truth(memory)) weir_buffer_text(out, ", out of memory");
        weir_buffer_byte(out, '\n');
        write_log(out, s, weir_member_text(how, "log"));
        const weir_value *cause = weir_member_named(how, "cause");
        how = cause ? cause : weir_member_named(how, "how");
        if (how && !weir_is(how, WEIR_OBJECT)) how = NULL;
    }
}

static void write_incident(weir_buffer *out, const style *s, size_t number,
                           const weir_value *incident) {
    weir_buffer_printf(out, "\n%s%zu. ", s == &markdown ? "## " : "", number);
    weir_output_plain(out, weir_member_text(incident, "what"));
    write_text(out, ", ", weir_member_text(incident, "when"));
    weir_buffer_text(out, s == &markdown ? "\n\n" : "\n");
    write_where(out, s, weir_member_named(incident, "where"));
    write_how(out, s, weir_member_named(incident, "how"));
    weir_buffer_printf(out, "%sthen: ", s->item);
    weir_output_plain(out, weir_member_text(incident, "then"));
    weir_buffer_byte(out, '\n');
}

static void write_report(weir_cli *cli, const style *s, const weir_value *report) {
    const weir_value *incidents = weir_member_named(report, "incidents");
    weir_buffer *out = &cli->out.text;
    if (s == &markdown) weir_buffer_text(out, "# ");
    write_head(out, report);
    for (size_t i = 0; i < weir_value_count(incidents) && weir_output_more(&cli->out); i++)
        write_incident(out, s, i + 1, weir_array_at(incidents, i));
    long long more = number_of(report, "found") - (long long)weir_value_count(incidents);
    if (more > 0) weir_buffer_printf(out, "\n… and %lld more\n", more);
}

bool weir_report_command(weir_cli *cli, weir_engine *engine, weir_error *error) {
    weir_value *report;
    if (!weir_read_report(engine, cli->words.items[0], &report, error)) return false;
    if (weir_cli_whole(cli))
        weir_cli_print(cli, report);
    else
        write_report(cli, weir_cli_form(cli, "markdown") ? &markdown : &plain, report);
    weir_value_unref(report);
    return true;
}
