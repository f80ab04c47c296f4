#include <stdio.h>
#include <unistd.h>

#include "base/time.h"
#include "cli/commands.h"
#include "cli/view.h"

enum { SLICE_MS = 1000, FAILED = 1, EXPIRED = 3, AWAY_US = 60 * 1000 * 1000 };
/* In which an engine begins with what was left to it. */
enum { ENGINE_US = 10 * 1000 * 1000 };

void weir_cli_say_undriven(const weir_cli *cli, const weir_value *run, weir_undriven *seen) {
    uint64_t now_us = weir_view_now();
    if (cli->submitted_us && now_us < cli->submitted_us + ENGINE_US) return;
    const weir_value *driven = weir_member_named(run, "driven");
    bool undriven = weir_is(driven, WEIR_BOOL) && !weir_bool_get(driven);
    if (!undriven || !seen->since_us) seen->since_us = undriven ? now_us : 0;
    if (seen->said || !undriven || now_us < seen->since_us + seen->most_us) return;
    seen->said = true;
    weir_str name = weir_member_text(run, "name");
    weir_output out = {.fd = STDERR_FILENO};
    weir_buffer_printf(&out.text, "weir: nobody drives %.*s; `weir recover %.*s` goes on with it",
                       WEIR_ARG(name), WEIR_ARG(name));
    weir_output_line(&out.text, 0);
    weir_output_flush(&out);
    weir_buffer_deinit(&out.text);
}

typedef struct awaited {
    char *run; /* as it was named, then its id */
    weir_undriven seen;
} awaited;

typedef struct waits {
    weir_cli *cli;
    WEIR_VECTOR(awaited) runs; /* that go on */
    weir_value *ended;         /* of a form that is one value */
    size_t count;              /* of those that ended */
    bool failed;
} waits;

static void print_ended(waits *w, weir_value *run) {
    weir_buffer *out = &w->cli->out.text;
    weir_str phase = weir_member_text(run, "phase");
    w->count++;
    w->failed = w->failed || !weir_str_is(phase, "Succeeded");
    if (weir_cli_whole(w->cli)) {
        weir_array_append(w->ended, weir_value_ref(run));
    } else if (weir_cli_form(w->cli, "jsonl")) {
        weir_output_value(&w->cli->out, run, 0);
    } else {
        size_t from = out->length;
        weir_buffer_str_append(out, weir_member_text(run, "name"));
        if (weir_cli_form(w->cli, "text")) weir_buffer_printf(out, ": %.*s", WEIR_ARG(phase));
        weir_output_line(out, from);
    }
    weir_output_flush(&w->cli->out);
}

/* Takes those out that have ended. */
static void sort_out(waits *w, const weir_value *list) {
    size_t left = 0;
    for (size_t i = 0; i < w->runs.count; i++) {
        awaited *at = &w->runs.items[i];
        weir_value *run = weir_array_at(list, i);
        if (weir_member_named(run, "finished")) {
            print_ended(w, run);
            weir_free(at->run);
            continue;
        }
        weir_free(at->run);
        at->run = weir_str_dup(weir_member_text(run, "run"));
        weir_cli_say_undriven(w->cli, run, &at->seen);
        w->runs.items[left++] = *at;
    }
    w->runs.count = left;
}

/* Takes those out that are not there. */
static bool drop_missing(waits *w, weir_engine *engine, weir_error *error) {
    size_t left = 0;
    for (size_t i = 0; i < w->runs.count; i++) {
        awaited *at = &w->runs.items[i];
        const char *name = at->run;
        weir_value *list;
        bool there = weir_wait(engine, &name, 1, true, 0, &list, error);
        if (there) weir_value_unref(list);
        if (there || error->code != WEIR_NOT_FOUND)
            w->runs.items[left++] = *at;
        else
            weir_free(at->run);
    }
    bool dropped = left < w->runs.count;
    w->runs.count = left;
    return dropped;
}

/* One turn; false when something went wrong. */
static bool wait_on(waits *w, weir_engine *engine, uint32_t slice_ms, weir_error *error) {
    const char **names = weir_alloc(w->runs.count * sizeof *names);
    weir_value *list;
    for (size_t i = 0; i < w->runs.count; i++) names[i] = w->runs.items[i].run;
    bool ok = weir_wait(engine, names, w->runs.count, true, slice_ms, &list, error);
    weir_free(names);
    if (!ok && error->code == WEIR_NOT_FOUND && weir_cli_has(w->cli, WEIR_FLAG_IGNORE_NOT_FOUND))
        return drop_missing(w, engine, error);
    if (!ok) return false;
    sort_out(w, list);
    weir_value_unref(list);
    return true;
}

static int wait_for_all(waits *w, weir_engine *engine, uint64_t timeout_us, weir_error *error) {
    uint64_t begun_us = weir_view_now(), seen_us = begun_us;
    bool any = weir_cli_has(w->cli, WEIR_FLAG_ANY);
    uint32_t slice_ms = 0; /* a first look, which also turns names into ids */
    for (;;) {
        bool ok = wait_on(w, engine, slice_ms, error);
        uint64_t now_us = weir_view_now(), passed_us = now_us - begun_us;
        if (ok) seen_us = now_us;
        /* A server that is away for a while comes back. */
        if (!ok && (error->code != WEIR_EXPIRED || now_us - seen_us > AWAY_US))
            return weir_cli_fail(error);
        if (!w->runs.count || (any && w->count)) return w->failed ? FAILED : 0;
        if (passed_us >= timeout_us) break;
        uint64_t left_ms = (timeout_us - passed_us + 999) / 1000;
        slice_ms = left_ms < SLICE_MS ? (uint32_t)left_ms : SLICE_MS;
    }
    weir_fail(error, WEIR_EXPIRED, "%zu run%s still under way", w->runs.count,
              w->runs.count == 1 ? " is" : "s are");
    weir_output_problem(error);
    return EXPIRED;
}

int weir_wait_command(weir_cli *cli) {
    weir_error error;
    weir_engine *engine;
    uint64_t timeout_us = UINT64_MAX;
    const char *timeout = weir_cli_text(cli, WEIR_FLAG_TIMEOUT);
    if ((timeout && !weir_duration_parse(weir_str_from(timeout), &timeout_us, &error)) ||
        !weir_cli_open(cli, true, NULL, &engine, &error))
        return weir_cli_fail(&error);
    waits w = {.cli = cli, .ended = weir_array_new()};
    const weir_undriven seen = {.most_us = timeout_us < WEIR_HANDS_US ? timeout_us : WEIR_HANDS_US};
    for (size_t i = 0; i < cli->words.count; i++)
        *weir_vector_push(&w.runs) =
            (awaited){.run = weir_str_dup(weir_str_from(cli->words.items[i])), .seen = seen};
    int code = wait_for_all(&w, engine, timeout_us, &error);
    if (weir_cli_whole(cli)) weir_cli_print(cli, w.ended);
    for (size_t i = 0; i < w.runs.count; i++) weir_free(w.runs.items[i].run);
    weir_vector_deinit(&w.runs);
    weir_value_unref(w.ended);
    weir_close(engine);
    return code;
}
