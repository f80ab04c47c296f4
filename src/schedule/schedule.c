#include "schedule/schedule.h"

/* --- what it says ------------------------------------------------------------------------------ */

enum { SUCCEEDED_MAX = 3, FAILED_MAX = 1 }; /* Argo's */

typedef struct spec_reader {
    const weir_value *spec;
    const char *member;
    weir_error *error;
} spec_reader;

static bool read_text(spec_reader *r, const char *name, weir_str *out) {
    const weir_value *value = weir_member_named(r->spec, name);
    if (!value || weir_is(value, WEIR_NULL)) return true;
    r->member = name;
    if (!weir_is(value, WEIR_STRING))
        return weir_fail(r->error, WEIR_INVALID, "`%s` must be a text", name);
    *out = weir_string_get(value);
    return true;
}

static bool read_count(spec_reader *r, const char *name, int64_t *out) {
    const weir_value *value = weir_member_named(r->spec, name);
    if (!value || weir_is(value, WEIR_NULL)) return true;
    r->member = name;
    if (!weir_is(value, WEIR_INT) || weir_int_get(value) < 0 || weir_int_get(value) > INT32_MAX)
        return weir_fail(r->error, WEIR_INVALID, "`%s` must be a whole number from 0 on", name);
    *out = weir_int_get(value);
    return true;
}

static bool read_policy(spec_reader *r, weir_schedule *out) {
    static const char *const names[] = {"Allow", "Forbid", "Replace"};
    weir_str text = {0};
    if (!read_text(r, "concurrencyPolicy", &text)) return false;
    for (int i = 0; i < 3; i++)
        if (weir_str_is(text, names[i])) out->policy = (weir_schedule_policy)i;
    if (!text.length || weir_str_is(text, names[out->policy])) return true;
    weir_fail(r->error, WEIR_INVALID, "`concurrencyPolicy` cannot be `%.*s`",
              (int)(text.length > 60 ? 60 : text.length), text.data);
    weir_error_hint(r->error, "Allow, Forbid or Replace");
    return false;
}

static bool read_stop(spec_reader *r, weir_schedule *out) {
    const weir_value *value = weir_member_named(r->spec, "stopStrategy");
    if (!value || weir_is(value, WEIR_NULL)) return true;
    r->member = "stopStrategy";
    out->stop = weir_is(value, WEIR_OBJECT) ? weir_member_text(value, "expression") : out->stop;
    if (out->stop.length) return true;
    return weir_fail(r->error, WEIR_INVALID, "`stopStrategy` must be {expression: TEXT}");
}

static bool add_clock(weir_schedule *out, const weir_value *text, weir_str zone,
                      const weir_schedule_zones *zones, weir_error *error) {
    struct weir_schedule_clock *clock = &out->clocks[out->count++];
    if (!weir_is(text, WEIR_STRING))
        return weir_fail(error, WEIR_INVALID, "a schedule must be a text, as \"30 4 * * *\"");
    if (!weir_cron_parse(weir_string_get(text), &clock->cron, error)) return false;
    clock->zone = &weir__gotime_utc;
    return !zones || zones->find(zones->arg, clock->cron.has_zone ? clock->cron.zone : zone,
                                 &clock->zone, error);
}

static bool read_clocks(spec_reader *r, const weir_schedule_zones *zones, weir_schedule *out) {
    static const char *const names[] = {"schedules", "schedule", "cron"};
    const weir_value *value = NULL;
    weir_str zone = WEIR_STR("Local");
    if (!read_text(r, "timezone", &zone)) return false;
    for (size_t i = 0; i < 3 && !value; i++) {
        value = weir_member_named(r->spec, names[i]);
        if (weir_is(value, WEIR_NULL)) value = NULL;
        if (value) r->member = names[i];
    }
    bool list = weir_is(value, WEIR_ARRAY);
    size_t count = list ? weir_value_count(value) : value != NULL;
    if (!count) return weir_fail(r->error, WEIR_INVALID, "a schedule is missing: `schedules`");
    if (count > WEIR_SCHEDULES_MAX)
        return weir_fail(r->error, WEIR_LIMIT, "there may be at most %d schedules",
                         WEIR_SCHEDULES_MAX);
    out->clocks = weir_alloc(count * sizeof *out->clocks);
    for (size_t i = 0; i < count; i++)
        if (!add_clock(out, list ? weir_array_at(value, i) : value,
                       zone.length ? zone : WEIR_STR("Local"), zones, r->error))
            return false;
    return true;
}

bool weir_schedule_read(const weir_value *spec, const weir_schedule_zones *zones,
                        weir_schedule *out, const char **member, weir_error *error) {
    spec_reader r = {spec, "", error};
    weir_schedule s = {.succeeded_max = SUCCEEDED_MAX, .failed_max = FAILED_MAX};
    const weir_value *suspend = weir_member_named(spec, "suspend");
    s.suspended = weir_is(suspend, WEIR_BOOL) && weir_bool_get(suspend);
    bool ok = read_clocks(&r, zones, &s) && read_policy(&r, &s) &&
              read_count(&r, "startingDeadlineSeconds", &s.deadline) &&
              read_count(&r, "successfulJobsHistoryLimit", &s.succeeded_max) &&
              read_count(&r, "failedJobsHistoryLimit", &s.failed_max) &&
              read_text(&r, "when", &s.when) && read_stop(&r, &s);
    if (ok)
        *out = s;
    else
        weir_schedule_deinit(&s);
    if (!ok && member) *member = r.member;
    return ok;
}

void weir_schedule_deinit(weir_schedule *schedule) {
    weir_free(schedule->clocks);
    schedule->clocks = NULL;
}

/* --- what was done ----------------------------------------------------------------------------- */

static int64_t number_of(const weir_value *object, const char *name) {
    const weir_value *value = weir_member_named(object, name);
    return weir_is(value, WEIR_INT) ? weir_int_get(value) : 0;
}

static bool truth_of(const weir_value *object, const char *name) {
    const weir_value *value = weir_member_named(object, name);
    return weir_is(value, WEIR_BOOL) && weir_bool_get(value);
}

weir_schedule_state weir_schedule_state_read(const weir_value *value) {
    weir_schedule_state state = {.anchor = number_of(value, "anchor"),
                                 .handled = number_of(value, "handled"),
                                 .late = number_of(value, "late"),
                                 .last = number_of(value, "last"),
                                 .failed = number_of(value, "failed"),
                                 .succeeded = number_of(value, "succeeded"),
                                 .stopped = truth_of(value, "stopped")};
    const weir_value *active = weir_member_named(value, "active");
    for (size_t i = 0; weir_is(active, WEIR_ARRAY) && i < weir_value_count(active); i++) {
        const weir_value *run = weir_array_at(active, i);
        *weir_vector_push(&state.active) =
            (weir_schedule_run){.name = weir_str_dup(weir_member_text(run, "name")),
                                .time = number_of(run, "time"),
                                .claimed = number_of(run, "claimed"),
                                .starting = truth_of(run, "starting"),
                                .replaced = truth_of(run, "replaced")};
    }
    return state;
}

static void put_number(weir_value *object, const char *name, int64_t number) {
    if (number) weir_member_put(object, name, weir_int_new(number));
}

static void put_truth(weir_value *object, const char *name, bool truth) {
    if (truth) weir_member_put(object, name, weir_bool_new(true));
}

weir_value *weir_schedule_state_write(const weir_schedule_state *state) {
    weir_value *value = weir_object_new(), *active = weir_array_new();
    put_number(value, "anchor", state->anchor);
    put_number(value, "handled", state->handled);
    put_number(value, "late", state->late);
    put_number(value, "last", state->last);
    put_number(value, "failed", state->failed);
    put_number(value, "succeeded", state->succeeded);
    put_truth(value, "stopped", state->stopped);
    for (size_t i = 0; i < state->active.count; i++) {
        const weir_schedule_run *run = &state->active.items[i];
        weir_value *entry = weir_object_new();
        weir_member_put_text(entry, "name", weir_str_from(run->name));
        put_number(entry, "time", run->time);
        put_number(entry, "claimed", run->claimed);
        put_truth(entry, "starting", run->starting);
        put_truth(entry, "replaced", run->replaced);
        weir_array_append(active, entry);
    }
    weir_member_put(value, "active", active);
    return value;
}

void weir_schedule_state_deinit(weir_schedule_state *state) {
    for (size_t i = 0; i < state->active.count; i++) weir_free(state->active.items[i].name);
    weir_vector_deinit(&state->active);
}

bool weir_schedule_settle(weir_schedule_state *state) {
    size_t kept = 0, count = state->active.count;
    for (size_t i = 0; i < count; i++) {
        weir_schedule_run *run = &state->active.items[i];
        if (run->over) *(run->failed ? &state->failed : &state->succeeded) += 1;
        if (run->over || run->gone)
            weir_free(run->name);
        else
            state->active.items[kept++] = *run;
    }
    state->active.count = kept;
    return kept < count;
}

/* --- what follows ------------------------------------------------------------------------------ */

static int64_t next_of(const struct weir_schedule_clock *clock, int64_t anchor, int64_t after) {
    int64_t next, every = clock->cron.every_seconds;
    if (every) return after < anchor ? anchor + every : after + every - (after - anchor) % every;
    return weir_cron_next(&clock->cron, clock->zone, after, &next) ? next : 0;
}

int64_t weir_schedule_next(const weir_schedule *schedule, int64_t anchor, int64_t after) {
    int64_t first = 0;
    for (size_t i = 0; i < schedule->count; i++) {
        int64_t next = next_of(&schedule->clocks[i], anchor, after);
        if (next && (!first || next < first)) first = next;
    }
    return first;
}

/* The last time in (from, to]; 0: there is none. Looks at the last hour first, then ever further back: years of minutes are many. */
static int64_t last_of(const struct weir_schedule_clock *clock, int64_t anchor, int64_t from,
                       int64_t to) {
    static const int64_t spans[] = {3600, 86400, 32 * 86400, 400 * 86400, INT64_MAX};
    int64_t every = clock->cron.every_seconds, last = 0;
    if (every) {
        last = to - (to - anchor) % every;
        return last > from && last > anchor ? last : 0;
    }
    for (size_t i = 0; i < sizeof spans / sizeof *spans && !last; i++) {
        int64_t at = spans[i] < to - from ? to - spans[i] : from;
        while ((at = next_of(clock, anchor, at)) && at <= to) last = at;
        if (spans[i] >= to - from) break;
    }
    return last;
}

static int64_t larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* The last time that is due; those before it are missed for good. */
static int64_t due(const weir_schedule *s, const weir_schedule_state *state, int64_t now,
                   int64_t served_from) {
    int64_t from = larger(served_from, state->late), last = 0;
    if (s->deadline && now - s->deadline < from) from = now - s->deadline;
    from = larger(from, larger(state->anchor, state->handled));
    for (size_t i = 0; i < s->count && from < now; i++)
        last = larger(last, last_of(&s->clocks[i], state->anchor, from, now));
    return last;
}

static size_t active_runs(const weir_schedule_state *state) {
    size_t count = 0;
    for (size_t i = 0; i < state->active.count; i++) count += !state->active.items[i].replaced;
    return count;
}

void weir_schedule_decide(const weir_schedule *s, const weir_schedule_state *state,
                          const weir_schedule_facts *facts, int64_t now, int64_t served_from,
                          weir_schedule_decision *out) {
    bool goes = true, stops = false;
    *out = (weir_schedule_decision){0};
    if (state->stopped) return;
    if (!s->suspended) out->next = weir_schedule_next(s, state->anchor, now);
    if (!weir_schedule_stops(s->stop, state, facts, &stops, &out->error)) stops = false;
    out->stop = stops;
    out->time = stops || s->suspended ? 0 : due(s, state, now, served_from);
    if (!out->time) return;
    out->wait = s->deadline > 0;
    if (!weir_schedule_when(s->when, state, facts, &goes, &out->error)) {
        out->skipped = "its `when` cannot be evaluated";
        out->wait = false;
    } else if (!goes) {
        out->skipped = "its `when` is false";
        out->wait = false;
    } else if (s->policy == WEIR_SCHEDULE_FORBID && active_runs(state)) {
        out->skipped = "another run of it goes on (concurrencyPolicy: Forbid)";
    } else if (state->active.count >= WEIR_SCHEDULE_ACTIVE_MAX) {
        out->skipped = "too many runs of it go on";
    } else {
        out->start = true;
        out->replace = s->policy == WEIR_SCHEDULE_REPLACE && active_runs(state);
    }
}

bool weir_schedule_apply(weir_schedule_state *state, const weir_schedule_decision *decision,
                         const char *name, int64_t now) {
    bool stopped = decision->stop && !state->stopped;
    if (decision->stop) state->stopped = true;
    if (!decision->time) return stopped;
    if (decision->skipped && decision->wait) { /* looked at again, as long as the deadline allows */
        bool told = state->late >= decision->time;
        state->late = larger(state->late, decision->time);
        return stopped || !told;
    }
    state->handled = decision->time;
    for (size_t i = 0; decision->replace && i < state->active.count; i++)
        state->active.items[i].replaced = true;
    if (decision->start) {
        state->last = decision->time;
        *weir_vector_push(&state->active) =
            (weir_schedule_run){.name = weir_str_dup(weir_str_from(name)),
                                .time = decision->time,
                                .claimed = now,
                                .starting = true};
    }
    return true;
}
