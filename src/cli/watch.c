/* `weir watch`: a run that another process drives. On a terminal its tree; else a line whenever the run or one of its nodes
 * has another phase, message or number of failures. */
#include "base/map.h"
#include "base/time.h"
#include "cli/commands.h"
#include "cli/failure.h"
#include "cli/view.h"
#include "cli/waiting.h"

enum {
    WAIT_MS = 1000,
    TICK_MS = 100,       /* on a terminal, where durations count */
    REST = 2,            /* times as long as a drawing took */
    ASK_US = 1000 * 1000 /* whether anybody drives it */
};

typedef struct watching {
    weir_cli *cli;
    weir_engine *engine;
    weir_run *run;
    weir_view view;
    weir_map places; /* in what follows, of the run ("") and of each node by its id */
    WEIR_VECTOR(uint64_t) said_states; /* what was last said of it, as a hash */
    weir_arena arena;
    uint64_t next_us; /* not before this a status is made */
    char *id;
    uint64_t asked_us; /* when somebody was last looked for who drives it */
    weir_undriven seen;
} watching;

static uint64_t state_of(const weir_value *value) {
    weir_buffer text = {0};
    weir_buffer_printf(&text, "%.*s %llu ", WEIR_ARG(weir_member_text(value, "phase")),
                       (unsigned long long)weir_member_count(value, "failed"));
    weir_buffer_str_append(&text, weir_member_text(value, "message"));
    uint64_t hash = weir_hash(text.data, text.length);
    weir_buffer_deinit(&text);
    return hash;
}

static void put_line(watching *w, const weir_value *value, bool is_run) {
    weir_buffer *out = &w->cli->out.text;
    size_t from = out->length;
    char now[32];
    weir_str message = weir_member_text(value, "message");
    uint64_t tasks = weir_member_count(value, "tasks");
    weir_buffer_printf(out, "%s  %.*s", weir_moment_format(weir_view_now(), now),
                       WEIR_ARG(weir_member_text(value, "name")));
    if (is_run) weir_buffer_printf(out, " (%.*s)", WEIR_ARG(weir_member_text(value, "kind")));
    weir_buffer_printf(out, "  %.*s", WEIR_ARG(weir_member_text(value, "phase")));
    if (tasks)
        weir_buffer_printf(out, "  %llu/%llu", (unsigned long long)weir_member_count(value, "done"),
                           (unsigned long long)tasks);
    if (message.length) weir_buffer_printf(out, "  %.*s", WEIR_ARG(message));
    weir_output_line(out, from);
}

/* {time, run, name, phase, message?} or {time, node} */
static void put_json(watching *w, const weir_value *value, bool is_run) {
    static const char *const members[] = {"run", "name", "phase", "message"};
    char now[32];
    weir_value *line = weir_object_new();
    weir_output_member(line, "time", weir_moment_format(weir_view_now(), now));
    for (size_t i = 0; is_run && i < sizeof members / sizeof *members; i++) {
        weir_value *member = weir_member_named(value, members[i]);
        if (member) weir_member_put(line, members[i], weir_value_ref(member));
    }
    if (!is_run) weir_member_put(line, "node", weir_value_ref((weir_value *)value));
    weir_output_value(&w->cli->out, line, 0);
    weir_value_unref(line);
}

static void say_change(watching *w, const weir_value *value, bool is_run) {
    weir_str key = is_run ? WEIR_STR("") : weir_member_text(value, "id");
    uint64_t state = state_of(value), place;
    if (!weir_map_get(&w->places, key, &place)) {
        place = w->said_states.count;
        *weir_vector_push(&w->said_states) = ~state;
        key.data = weir_str_copy(&w->arena, key);
        weir_map_set(&w->places, key, place);
    }
    if (w->said_states.items[place] == state) return;
    w->said_states.items[place] = state;
    if (weir_cli_form(w->cli, "jsonl"))
        put_json(w, value, is_run);
    else
        put_line(w, value, is_run);
}

/* The nodes first, so that the last line is of the run's end. */
static void show(watching *w, bool over) {
    uint64_t begun_us = weir_view_now();
    weir_value *status = !w->view.terminal ? weir_run_status(w->run)
                         : over            ? weir_view_status(w->run)
                                           : weir_view_glance(&w->view, w->run);
    if (!w->view.terminal) {
        weir_value *told = weir_waiting_tell(status, false);
        weir_value_unref(status);
        status = told;
    }
    const weir_value *nodes = weir_member_named(status, "nodes");
    if (w->view.terminal && over)
        weir_view_keep(&w->view, status, &w->cli->out.text);
    else if (w->view.terminal)
        weir_view_draw(&w->view, status, &w->cli->out.text);
    for (size_t i = 0;
         !w->view.terminal && weir_is(nodes, WEIR_ARRAY) && i < weir_value_count(nodes); i++)
        say_change(w, weir_array_at(nodes, i), false);
    if (!w->view.terminal) say_change(w, status, true);
    weir_value_unref(status);
    weir_output_flush(&w->cli->out);
    /* A status that is slow to make is made less often. */
    uint64_t rest_us = REST * (weir_view_now() - begun_us);
    w->next_us = begun_us + (rest_us > WEIR_VIEW_APART_US ? rest_us : WEIR_VIEW_APART_US);
}

static void look_for_driver(watching *w) {
    const char *id = w->id;
    uint64_t now_us = weir_view_now();
    weir_value *list;
    weir_error ignored;
    if (w->seen.said || now_us - w->asked_us < ASK_US) return;
    w->asked_us = now_us;
    if (!weir_wait(w->engine, &id, 1, false, 0, &list, &ignored)) return;
    weir_cli_say_undriven(w->cli, weir_array_at(list, 0), &w->seen);
    weir_value_unref(list);
}

/* A change that came too early to be shown is shown when its time has come. */
static void follow(watching *w) {
    uint64_t shown = 0, now_us;
    uint32_t rest_ms = w->view.terminal ? TICK_MS : WAIT_MS, wait_ms = 0;
    while (!weir_run_wait(w->run, wait_ms)) {
        bool changed = weir_run_changes(w->run) != shown;
        now_us = weir_view_now();
        wait_ms = rest_ms;
        if (now_us < w->next_us) {
            uint64_t left_ms = (w->next_us - now_us) / 1000 + 1;
            if (changed && left_ms < rest_ms) wait_ms = (uint32_t)left_ms;
        } else if (changed || w->view.terminal) {
            shown = weir_run_changes(w->run);
            show(w, false);
        }
        look_for_driver(w);
    }
    show(w, true);
}

int weir_watch_command(weir_cli *cli) {
    weir_error error;
    watching w = {.seen = {.most_us = WEIR_HANDS_US}, .cli = cli};
    if (!weir_cli_open(cli, true, NULL, &w.engine, &error)) return weir_cli_fail(&error);
    if (!weir_run_watch(w.engine, cli->words.items[0], &w.run, &error)) {
        weir_close(w.engine);
        return weir_cli_fail(&error);
    }
    weir_view_init(&w.view, cli->out.fd, weir_cli_has(cli, WEIR_FLAG_NO_COLOR));
    if (!weir_cli_form(cli, "text")) w.view.terminal = false;
    weir_value *result = weir_run_result(w.run);
    w.id = weir_str_dup(weir_member_text(result, "run"));
    weir_value_unref(result);
    follow(&w);
    weir_code code = weir_run_code(w.run);
    result = weir_run_result(w.run);
    if (code != WEIR_OK) weir_failure_print(result);
    weir_value_unref(result);
    weir_view_deinit(&w.view);
    weir_map_deinit(&w.places);
    weir_vector_deinit(&w.said_states);
    weir_arena_deinit(&w.arena);
    weir_free(w.id);
    weir_run_close(w.run);
    weir_close(w.engine);
    return weir_code_exit(code);
}
