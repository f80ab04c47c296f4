/* An explanation for people. */
#include <inttypes.h>
#include <stdio.h>

#include "base/time.h"
#include "cli/explanation.h"
#include "cli/output.h"

enum { VALUE_BYTES_MAX = 160 };

static const char RED[] = "\033[31m", GREEN[] = "\033[32m", YELLOW[] = "\033[33m",
                  DIM[] = "\033[2m", BOLD[] = "\033[1m", RESET[] = "\033[0m";

typedef struct writer {
    weir_buffer *out;
    bool color, all;
} writer;

static void put(const writer *w, const char *color, weir_str text) {
    bool colored = w->color && color;
    if (colored) weir_buffer_text(w->out, color);
    weir_output_plain(w->out, text);
    if (colored) weir_buffer_text(w->out, RESET);
}

static void put_words(const writer *w, const char *color, const char *text) {
    put(w, color, weir_str_from(text));
}

static void begin_line(const writer *w, const char *head) {
    weir_buffer_text(w->out, "    ");
    put_words(w, DIM, head);
    weir_buffer_text(w->out, "  ");
}

static void end_line(const writer *w) {
    weir_buffer_byte(w->out, '\n');
}

/* JSON, cut when it is long. */
static void put_value(const writer *w, const weir_value *value) {
    weir_buffer text = {0};
    weir_json_format(value, 0, &text);
    if (weir_buffer_cut(&text, VALUE_BYTES_MAX)) weir_buffer_text(&text, "…");
    put(w, NULL, weir_buffer_str(&text));
    weir_buffer_deinit(&text);
}

/* "a = 1, b = "x"". */
static void put_parameters(const writer *w, const weir_value *parameters) {
    if (!weir_is(parameters, WEIR_OBJECT) || !weir_value_count(parameters)) {
        put_words(w, NULL, "no parameters");
        return;
    }
    for (size_t i = 0; i < weir_value_count(parameters); i++) {
        if (i) put_words(w, NULL, ", ");
        put(w, NULL, weir_object_key(parameters, i));
        put_words(w, DIM, " = ");
        put_value(w, weir_object_at(parameters, i));
    }
}

static size_t count_of(const weir_value *object, const char *key) {
    const weir_value *list = weir_member_named(object, key);
    return weir_is(list, WEIR_ARRAY) ? weir_value_count(list) : 0;
}

/* Whether there was anything to do: a template that only holds others is not called. */
static bool has_run(const weir_value *operation) {
    weir_str phase = weir_member_text(operation, "phase");
    return weir_member_count(operation, "calls") || weir_str_is(phase, "Succeeded") ||
           weir_str_is(phase, "Failed") || weir_str_is(phase, "Error") ||
           weir_str_is(phase, "Running");
}

static void put_counts(const writer *w, const weir_value *operation) {
    uint64_t calls = weir_member_count(operation, "calls"),
             failed = weir_member_count(operation, "failed"),
             attempts = weir_member_count(operation, "attempts");
    char text[128];
    if (!calls) return;
    snprintf(text, sizeof text, "  %" PRIu64 " call%s", calls, calls == 1 ? "" : "s");
    put_words(w, DIM, text);
    if (attempts > calls) {
        snprintf(text, sizeof text, ", %" PRIu64 " attempts", attempts);
        put_words(w, DIM, text);
    }
    if (!failed) return;
    snprintf(text, sizeof text, ", %" PRIu64 " failed", failed);
    put_words(w, RED, text);
}

static void put_because(const writer *w, const weir_value *operation) {
    const weir_value *because = weir_member_named(operation, "because");
    if (!count_of(operation, "because")) return;
    begin_line(w, "because of");
    for (size_t i = 0; i < weir_value_count(because); i++) {
        if (i) put_words(w, NULL, ", ");
        put(w, NULL, weir_string_get(weir_array_at(because, i)));
    }
    end_line(w);
}

/* "the run's thread: 12µs there, 48µs in the pool, as in earlier runs" */
static void put_chosen(const writer *w, const weir_value *operation) {
    static const char *const reasons[][2] = {
        {"unmeasured", "not measured often enough yet"},
        {"long", "it takes too long for the run's thread, as in earlier runs"},
        {"trial", "to measure it there; it is brief in the pool"}};
    static const char *const names[] = {"pool", "thread"};
    const weir_value *chosen = weir_member_named(operation, "chosen");
    weir_str why = weir_member_text(chosen, "for");
    bool any = false;
    if (!chosen) return;
    bool thread = weir_str_is(weir_member_text(chosen, "executor"), "thread");
    begin_line(w, "runs");
    put_words(w, NULL, thread ? "on the run's thread: " : "in the pool: ");
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        if (!weir_str_is(why, reasons[i][0])) continue;
        put_words(w, NULL, reasons[i][1]);
        any = true;
    }
    bool energy = weir_str_is(why, "energy"), cpu = weir_str_is(why, "cpu");
    for (size_t i = 0; i < 2 && !any; i++) {
        char text[96];
        snprintf(text, sizeof text, "%s%" PRIu64 " µ%s%s %s", i ? ", " : "",
                 weir_member_count(chosen, names[i]), energy ? "J" : "s",
                 cpu ? " of a processor" : "", i ? "there" : "in the pool");
        put_words(w, NULL, text);
    }
    if (!any) put_words(w, NULL, ", as in earlier runs");
    end_line(w);
}

static void put_energy(const writer *w, const weir_value *operation) {
    uint64_t uj = weir_member_count(operation, "energy_uj");
    char text[48];
    if (!uj) return;
    begin_line(w, "energy");
    snprintf(text, sizeof text, "%.3g J", (double)uj / 1e6);
    put_words(w, NULL, text);
    end_line(w);
}

static void put_waited(const writer *w, const weir_value *operation) {
    const weir_value *waited = weir_member_named(operation, "waited");
    uint64_t us = weir_member_count(waited, "us");
    char text[24];
    if (us < 1000) return;
    begin_line(w, "waited");
    put_words(w, NULL, weir_duration_format(us / 1000 * 1000, text));
    put_words(w, NULL, " for ");
    put(w, NULL, weir_member_text(waited, "for"));
    end_line(w);
}

static void put_failures(const writer *w, const weir_value *operation) {
    const weir_value *failures = weir_member_named(operation, "failures");
    for (size_t i = 0; i < count_of(operation, "failures"); i++) {
        const weir_value *failure = weir_array_at(failures, i);
        const weir_value *parameters = weir_member_named(failure, "parameters");
        weir_str code = weir_member_text(failure, "code");
        begin_line(w, "failed");
        put(w, RED, weir_member_text(failure, "message"));
        if (code.length) {
            put_words(w, DIM, " (");
            put(w, DIM, code);
            put_words(w, DIM, ")");
        }
        if (parameters) put_words(w, DIM, " with ");
        if (parameters) put_parameters(w, parameters);
        end_line(w);
    }
}

static void put_sets(const writer *w, const weir_value *operation) {
    const weir_value *sets = weir_member_named(operation, "sets");
    size_t count = count_of(operation, "sets");
    for (size_t i = 0; i < count; i++) {
        const weir_value *set = weir_array_at(sets, i);
        begin_line(w, "with");
        put_parameters(w, weir_member_named(set, "parameters"));
        put_words(w, DIM, ": ");
        put(w, NULL, weir_member_text(set, "outcome"));
        end_line(w);
    }
    if (!count || weir_member_count(operation, "attempts") <= count) return;
    weir_buffer_printf(w->out, "    … and %" PRIu64 " more\n",
                       weir_member_count(operation, "attempts") - count);
}

static void put_why(const writer *w, const weir_value *operation) {
    const weir_value *why = weir_member_named(operation, "why");
    weir_str message = weir_member_text(operation, "message");
    for (size_t i = 0; i < count_of(operation, "why"); i++) {
        const weir_value *reason = weir_array_at(why, i);
        if (!weir_is(reason, WEIR_STRING)) continue;
        begin_line(w, "because");
        put(w, NULL, weir_string_get(reason));
        end_line(w);
    }
    if (count_of(operation, "why") || message.length) return;
    begin_line(w, "because");
    put_words(w, NULL,
              "nothing came that it waits for, or its condition was not true; `weir graph FILE` "
              "shows what that is");
    end_line(w);
}

static void put_operation(const writer *w, const weir_value *operation) {
    bool ran = has_run(operation), failed = count_of(operation, "failures") > 0;
    weir_str phase = weir_member_text(operation, "phase"),
             message = weir_member_text(operation, "message"),
             context = weir_member_text(operation, "context");
    bool bad = weir_str_is(phase, "Failed") || weir_str_is(phase, "Error");
    put_words(w, bad ? RED : ran ? GREEN : YELLOW, bad ? "✖ " : ran ? "✔ " : "○ ");
    put(w, BOLD, weir_member_text(operation, "name"));
    if (context.length && !weir_str_is(context, "default")) {
        put_words(w, DIM, "  in ");
        put(w, DIM, context);
    }
    if (ran)
        put_counts(w, operation);
    else
        put_words(w, YELLOW, weir_str_is(phase, "Pending") ? "  has not run" : "  did not run");
    if (message.length) {
        weir_buffer_text(w->out, "  ");
        put(w, bad ? RED : DIM, message);
    }
    end_line(w);
    if (!ran) put_why(w, operation);
    if (ran) put_because(w, operation);
    put_waited(w, operation);
    put_chosen(w, operation);
    put_energy(w, operation);
    if (failed) put_failures(w, operation);
    if (ran && w->all) put_sets(w, operation);
}

void weir_explanation_print(const weir_value *made, bool all, bool color, weir_buffer *out) {
    const writer w = {out, color, all};
    const weir_value *operations = weir_member_named(made, "operations");
    put(&w, BOLD, weir_member_text(made, "name"));
    weir_buffer_text(out, "  ");
    put(&w, NULL, weir_member_text(made, "kind"));
    weir_buffer_text(out, "  ");
    put(&w, NULL, weir_member_text(made, "phase"));
    end_line(&w);
    for (size_t i = 0; i < weir_value_count(operations); i++)
        put_operation(&w, weir_array_at(operations, i));
    if (!weir_value_count(operations))
        weir_buffer_text(out,
                         "nothing is left to explain: of many contexts only results are kept\n");
}
