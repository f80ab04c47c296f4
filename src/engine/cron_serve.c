/* Who starts runs at set times. Several processes may serve one store. What is to be started is written into the schedule first, and only
 * if nobody else wrote it meanwhile; the run's name is made of the schedule's and the time, and names are taken once. So a time has one
 * run: whoever dies after the first step leaves a note that others, or itself when it is back, act on. */
#include "engine/schedules.h"

#include <stdio.h>
#include <stdlib.h>

#include "store/register.h"

enum {
    LOOK_US = 500 * 1000, /* at most so long between two looks */
    PAUSE_S = 60,         /* after a longer pause what came meanwhile is missed */
    HELP_S = 3,           /* so long a run that was noted has to be there; then others start it */
    TURN_RUNS_MAX = 100   /* that one turn deletes of a schedule */
};

typedef struct item {
    char *key;
    weir__schedule s;
    int64_t next; /* when to look again though nothing changed; 0: never */
    bool seen;
    bool tidy; /* there is nothing to delete, as far as is known */
} item;

typedef struct server {
    weir_engine *engine;
    const weir_schedule_serving *options;
    weir__zones zones;
    WEIR_VECTOR(item) items; /* by key */
    int64_t served_from, looked;
    uint64_t version; /* of the store, when it was looked at last */
    bool unserved;    /* runs wait for an engine */
} server;

static void say(const server *s, const char *name, const char *what, const char *run,
                const weir_error *error) {
    if (s->options->said) s->options->said(s->options->arg, name, what, run, error);
}

/* --- what schedules there are ------------------------------------------------------------------ */

static void item_deinit(item *i) {
    weir_free(i->key);
    weir__schedule_deinit(&i->s);
}

/* One that cannot be read is told once, and looked at again when it changes. */
static bool note_schedule(void *arg, weir_str key, weir_str value, uint64_t version) {
    server *s = arg;
    item *found = NULL;
    weir_error error;
    for (size_t i = 0; i < s->items.count && !found; i++)
        if (weir_str_is(key, s->items.items[i].key)) found = &s->items.items[i];
    if (!found) {
        found = weir_vector_push(&s->items);
        *found = (item){.key = weir_str_dup(key)};
    }
    found->seen = true;
    if (found->s.version == version) return true;
    weir__schedule_deinit(&found->s);
    if (!weir__schedule_parse(&s->zones, key, value, version, &found->s, &error))
        say(s, found->key + WEIR_SCHEDULE_KEYS.length, "cannot be read", NULL, &error);
    found->s.version = version;
    found->next = 1;
    return true;
}

static bool list(server *s, weir_error *error) {
    for (size_t i = 0; i < s->items.count; i++) s->items.items[i].seen = false;
    if (!weir_store_register_list(s->engine->store, WEIR_SCHEDULE_KEYS, note_schedule, s, error))
        return false;
    size_t kept = 0;
    for (size_t i = 0; i < s->items.count; i++)
        if (s->items.items[i].seen)
            s->items.items[kept++] = s->items.items[i];
        else
            item_deinit(&s->items.items[i]);
    s->items.count = kept;
    return true;
}

/* --- its runs ---------------------------------------------------------------------------------- */

typedef struct fact {
    bool found, over, failed;
} fact;

static void note_fact(void *arg, const weir_run_record *record) {
    fact *f = arg;
    f->found = true;
    f->over = record->finished_us != 0;
    f->failed = f->over && !weir_str_is(record->phase, "Succeeded");
}

/* What became of those that were started; false: the store cannot say. *changed: a run that was noted is there. */
static bool find_facts(const server *s, weir__schedule *of, bool *changed, weir_error *error) {
    for (size_t i = 0; i < of->state.active.count; i++) {
        weir_schedule_run *run = &of->state.active.items[i];
        fact f = {0};
        if (!weir_store_find(s->engine->store, weir_str_from(run->name), note_fact, &f, error) &&
            error->code != WEIR_NOT_FOUND)
            return false;
        run->over = f.over;
        run->failed = f.failed;
        run->gone = !f.found && !run->starting;
        if (f.found && run->starting) {
            run->starting = false;
            *changed = true;
        }
    }
    return true;
}

/* Starts what was noted. A run that cannot be is forgotten, and the schedule says why; *changed then. */
static void start_noted(server *s, weir__schedule *of, int64_t now, bool mine, const char **why,
                        weir_error *error) {
    const char *name = weir__schedule_name(of).data;
    for (size_t i = 0; i < of->state.active.count; i++) {
        weir_schedule_run *run = &of->state.active.items[i];
        weir_value *told = NULL;
        bool due = run->starting && (run->claimed + HELP_S <= now || (mine && run->claimed == now));
        if (weir__schedule_now() >= now + HELP_S)
            return; /* stopped meanwhile: others may have done it */
        if (!due || run->gone) continue;
        weir_value *request = weir__schedule_request(of, run->time, run->name, NULL);
        bool ok = weir_submit(s->engine, request, NULL, NULL, &told, error);
        weir_value_unref(request);
        if (ok) {
            s->unserved = s->unserved || !weir_value_truth(weir_member_named(told, "served"));
            weir_value_unref(told);
            say(s, name, "started", run->name, NULL);
            if (!*why && weir_member_text(of->record, "condition").length) *why = "";
        } else if (!weir__run_exists(s->engine, weir_str_from(run->name), &(weir_error){0}) &&
                   error->code != WEIR_STORE && error->code != WEIR_IO) {
            say(s, name, "could not start", run->name, error);
            run->gone = true;
            *why = error->message;
        }
    }
}

static void end_replaced(server *s, const weir__schedule *of) {
    weir_error error;
    for (size_t i = 0; i < of->state.active.count; i++) {
        const weir_schedule_run *run = &of->state.active.items[i];
        if (run->replaced && !run->over && !run->starting &&
            weir_cancel(s->engine, run->name, true, &error))
            say(s, weir__schedule_name(of).data, "replaced", run->name, NULL);
    }
}

/* --- those that are over ----------------------------------------------------------------------- */

typedef struct finished {
    char *name;
    uint64_t finished_us;
    bool failed;
} finished;

typedef struct history {
    WEIR_VECTOR(finished) runs;
} history;

static bool note_finished(void *arg, const weir_run_record *record) {
    history *h = arg;
    if (record->finished_us)
        *weir_vector_push(&h->runs) = (finished){weir_str_dup(record->name), record->finished_us,
                                                 !weir_str_is(record->phase, "Succeeded")};
    return true;
}

static int newest_first(const void *a, const void *b) {
    uint64_t first = ((const finished *)a)->finished_us,
             second = ((const finished *)b)->finished_us;
    return first < second ? 1 : first > second ? -1 : 0;
}

/* Deletes the oldest of its runs that are more than it keeps of their kind; those with the label `keep` stay, and do not count. False: some are to be
 * deleted later, as whoever drove them has not let go. */
static bool keep_history(server *s, const weir__schedule *of) {
    const weir_schedule *schedule = &of->schedule;
    history h = {0};
    weir_error error;
    weir_selection wanted = {.by_parent = true, .label_count = 2};
    wanted.labels[0] =
        (weir_label_term){WEIR_STR(WEIR_SCHEDULE_LABEL), weir__schedule_name(of), WEIR_LABEL_IS};
    wanted.labels[1] = (weir_label_term){WEIR_STR("keep"), {0}, WEIR_LABEL_HAS_NOT};
    int64_t kept[2] = {0}, most[2] = {schedule->succeeded_max, schedule->failed_max};
    size_t deleted = 0, failed = 0;
    if (weir_store_select(s->engine->store, &wanted, note_finished, &h, &error) && h.runs.count)
        qsort(h.runs.items, h.runs.count, sizeof *h.runs.items, newest_first);
    for (size_t i = 0; i < h.runs.count; i++) {
        const finished *run = &h.runs.items[i];
        if (++kept[run->failed] <= most[run->failed]) continue;
        if (deleted == TURN_RUNS_MAX || !weir_delete(s->engine, run->name, false, &error)) {
            failed += deleted == TURN_RUNS_MAX || error.code != WEIR_NOT_FOUND;
        } else {
            say(s, weir__schedule_name(of).data, "deleted", run->name, NULL);
            deleted++;
        }
    }
    for (size_t i = 0; i < h.runs.count; i++) weir_free(h.runs.items[i].name);
    weir_vector_deinit(&h.runs);
    return failed == 0;
}

/* --- a turn ------------------------------------------------------------------------------------ */

/* Writes what was decided; false when somebody else was faster, or the store cannot. */
static bool write_it(server *s, weir__schedule *of, const char *condition) {
    bool written = false;
    weir_error error;
    if (!weir__schedule_store(s->engine, of, condition, &written, &error))
        say(s, weir__schedule_name(of).data, "cannot be written", NULL, &error);
    if (!written) of->version = 0; /* read it again */
    return written;
}

static void say_decision(server *s, const char *name, const weir_schedule_decision *decision) {
    const weir_error *error = decision->error.code == WEIR_OK ? NULL : &decision->error;
    if (decision->stop) say(s, name, "stopped by its stop strategy", NULL, NULL);
    if (decision->skipped) say(s, name, decision->skipped, NULL, error);
}

static void turn_of(server *s, item *i, int64_t now) {
    weir__schedule *of = &i->s;
    const weir_schedule_facts facts = {weir__schedule_metadata(of), now * 1000000000,
                                       weir__zone_file};
    weir_schedule_decision decision;
    weir_error error;
    weir_buffer run = {0};
    const char *why = NULL;
    weir_str name = weir__schedule_name(of);
    bool changed = false;
    i->next = now + 1; /* where the store fails */
    if (!find_facts(s, of, &changed, &error)) return;
    bool settled = weir_schedule_settle(&of->state);
    weir_schedule_decide(&of->schedule, &of->state, &facts, now, s->served_from, &decision);
    weir_buffer_printf(&run, "%.*s-%lld", WEIR_ARG(name), (long long)decision.time);
    bool applied = weir_schedule_apply(&of->state, &decision, run.data, now);
    if (decision.error.code != WEIR_OK) why = decision.error.message;
    weir_buffer_deinit(&run);
    if ((changed || settled || applied) && !write_it(s, of, why)) return;
    if (applied) say_decision(s, name.data, &decision);
    end_replaced(s, of);
    why = NULL;
    start_noted(s, of, now, applied && decision.start, &why, &error);
    if ((why || weir_schedule_settle(&of->state)) && !write_it(s, of, why)) return;
    if (settled) i->tidy = false;
    i->tidy = i->tidy || keep_history(s, of);
    i->next = of->state.active.count || !i->tidy ? now + 1 : decision.next;
}

/* Until when to wait. */
static int64_t turn(server *s, int64_t now) {
    int64_t next = now + 3600;
    for (size_t i = 0; i < s->items.count; i++) {
        item *it = &s->items.items[i];
        if (it->s.is_read && it->next && it->next <= now) turn_of(s, it, now);
        if (!it->s.version) s->version = 0;
        if (it->next && it->next < next) next = it->next;
    }
    return next;
}

/* Whether the store may have changed since. */
static bool is_written(server *s) {
    uint64_t version = weir_store_version(s->engine->store);
    bool written = !version || version != s->version;
    s->version = version;
    return written;
}

static void look(server *s) {
    weir_error error;
    int64_t now = weir__schedule_now();
    if (now - s->looked > PAUSE_S) s->served_from = now;
    s->looked = now;
    if (is_written(s) && !list(s, &error)) {
        s->version = 0;
        say(s, "", "the store does not answer", NULL, &error);
    }
    turn(s, now);
    if (s->unserved && s->options->unserved) s->options->unserved(s->options->arg);
    s->unserved = false;
}

static uint64_t wait_us(const server *s) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t wait = LOOK_US;
    for (size_t i = 0; i < s->items.count; i++) {
        int64_t in = s->items.items[i].next - now.tv_sec;
        if (!s->items.items[i].next || in > 1) continue;
        uint64_t us = in <= 0 ? 1000 : 1000000 - (uint64_t)now.tv_nsec / 1000;
        if (us < wait) wait = us;
    }
    return wait;
}

bool weir_serve_schedules(weir_engine *engine, const weir_schedule_serving *options,
                          weir_error *error) {
    server s = {.engine = engine, .options = options};
    if (!weir__schedules_kept(engine, error)) return false;
    weir__zones_init(&s.zones);
    s.served_from = s.looked = weir__schedule_now();
    if (!list(&s, error)) {
        weir__zones_deinit(&s.zones);
        return false;
    }
    if (options->unserved) options->unserved(options->arg);
    while (!options->stop(options->arg)) {
        look(&s);
        weir_timer_start(engine->waiting, wait_us(&s));
        weir_loop_once(engine->loop, true);
    }
    weir_timer_cancel(engine->waiting);
    for (size_t i = 0; i < s.items.count; i++) item_deinit(&s.items.items[i]);
    weir_vector_deinit(&s.items);
    weir__zones_deinit(&s.zones);
    return true;
}
