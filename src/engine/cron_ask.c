/* What is asked of schedules that are kept: show, list, delete, suspend, start a run at once. */
#include "base/time.h"
#include "engine/schedules.h"
#include "store/register.h"

enum { TRIES = 100 }; /* others may write it in between */

/* --- looking ----------------------------------------------------------------------------------- */

bool weir_cron_get(weir_engine *engine, const char *name, weir_value **out, weir_error *error) {
    weir__zones zones;
    weir__schedule s = {0};
    weir__zones_init(&zones);
    bool ok = weir__schedule_load(engine, &zones, weir_str_from(name), &s, error);
    if (ok) *out = weir__schedule_show(&s, weir__schedule_now());
    weir__schedule_deinit(&s);
    weir__zones_deinit(&zones);
    return ok;
}

typedef struct listing {
    weir__zones zones;
    weir_value *list;
    weir_error *error;
    bool failed;
} listing;

static bool add_shown(void *arg, weir_str key, weir_str value, uint64_t version) {
    listing *l = arg;
    weir__schedule s = {0};
    l->failed = !weir__schedule_parse(&l->zones, key, value, version, &s, l->error);
    if (!l->failed) weir_array_append(l->list, weir__schedule_show(&s, weir__schedule_now()));
    weir__schedule_deinit(&s);
    return !l->failed;
}

bool weir_cron_list(weir_engine *engine, bool (*visit)(void *arg, const weir_value *schedule),
                    void *arg, weir_error *error) {
    listing l = {.list = weir_array_new(), .error = error};
    weir__zones_init(&l.zones);
    bool ok = weir_store_register_list(engine->store, WEIR_SCHEDULE_KEYS, add_shown, &l, error) &&
              !l.failed;
    for (size_t i = 0; ok && i < weir_value_count(l.list); i++)
        if (!visit(arg, weir_array_at(l.list, i))) break;
    weir__zones_deinit(&l.zones);
    weir_value_unref(l.list);
    return ok;
}

bool weir_cron_due(weir_engine *engine, const char *name, uint64_t from_us, uint64_t to_us,
                   size_t limit, weir_value **out, weir_error *error) {
    weir__zones zones;
    weir__schedule s = {0};
    int64_t at = (int64_t)(from_us / 1000000), end = (int64_t)(to_us / 1000000);
    weir__zones_init(&zones);
    bool ok = weir__schedule_load(engine, &zones, weir_str_from(name), &s, error);
    weir_value *times = weir_array_new();
    for (at = ok ? weir_schedule_next(&s.schedule, at - 1, at - 1) : 0; at && at <= end;
         at = weir_schedule_next(&s.schedule, at, at)) {
        weir_buffer text = {0};
        if (weir_value_count(times) == limit) {
            ok = weir_fail(error, WEIR_LIMIT, "there are more than %zu times between these", limit);
            break;
        }
        weir__schedule_moment(at, &text);
        weir_array_append(times, weir_string_from(weir_buffer_str(&text)));
        weir_buffer_deinit(&text);
    }
    if (ok)
        *out = times;
    else
        weir_value_unref(times);
    weir__schedule_deinit(&s);
    weir__zones_deinit(&zones);
    return ok;
}

/* --- changing ---------------------------------------------------------------------------------- */

typedef void change(weir__schedule *s, const void *what);

/* Reads it, changes it, and writes it back; again while others did. */
static bool change_it(weir_engine *engine, const char *name, change *work, const void *what,
                      weir_error *error) {
    weir__zones zones;
    bool ok = true, written = false;
    weir__zones_init(&zones);
    for (int i = 0; ok && !written && i < TRIES; i++) {
        weir__schedule s = {0};
        ok = weir__schedule_load(engine, &zones, weir_str_from(name), &s, error);
        if (ok) {
            work(&s, what);
            ok = weir__schedule_store(engine, &s, NULL, &written, error);
        }
        weir__schedule_deinit(&s);
    }
    weir__zones_deinit(&zones);
    return ok && (written || weir_fail(error, WEIR_CONFLICT, "others change `%.100s`", name));
}

/* What came while it was suspended is missed. */
static void set_suspended(weir__schedule *s, const void *what) {
    bool suspended = *(const bool *)what;
    weir_value *record = weir_value_own(s->record);
    weir_value *object = weir_value_own(weir_value_ref(weir_member_named(record, "object")));
    weir_value *spec = weir_value_own(weir_value_ref(weir_member_named(object, "spec")));
    if (!suspended && s->schedule.suspended) s->state.late = weir__schedule_now();
    weir_member_put(spec, "suspend", weir_bool_new(suspended));
    weir_member_put(object, "spec", spec);
    weir_member_put(record, "object", object);
    s->record = record;
}

bool weir_cron_suspend(weir_engine *engine, const char *name, bool suspended, weir_error *error) {
    return change_it(engine, name, set_suspended, &suspended, error);
}

bool weir_cron_delete(weir_engine *engine, const char *name, weir_error *error) {
    weir_buffer key = {0};
    bool ok = true, removed = false;
    weir_buffer_printf(&key, "%.*s%s", WEIR_ARG(WEIR_SCHEDULE_KEYS), name);
    for (int i = 0; ok && !removed && i < TRIES; i++) {
        weir_buffer value = {0};
        uint64_t version = 0;
        ok = weir_store_register_get(engine->store, weir_buffer_str(&key), &value, &version, error);
        weir_buffer_deinit(&value);
        if (ok && !version) {
            ok = weir_fail(error, WEIR_NOT_FOUND, "there is no schedule `%.100s`", name);
            weir_error_hint(error, "`weir cron list` shows them");
        }
        ok = ok && weir_store_register_remove(engine->store, weir_buffer_str(&key), version,
                                              &removed, error);
    }
    weir_buffer_deinit(&key);
    return ok && (removed || weir_fail(error, WEIR_CONFLICT, "others change `%.100s`", name));
}

/* --- a run at once ----------------------------------------------------------------------------- */

/* It counts as one that goes on, also where that matters to the next. */
static void note_run(weir__schedule *s, const void *run) {
    *weir_vector_push(&s->state.active) = (weir_schedule_run){
        .name = weir_str_dup(weir_member_text(run, "name")), .claimed = weir__schedule_now()};
}

bool weir_cron_start(weir_engine *engine, const char *name, const weir_value *what,
                     void (*problem)(void *arg, const weir_error *error), void *arg,
                     weir_value **out, weir_error *error) {
    weir__zones zones;
    weir__schedule s = {0};
    weir_buffer prefix = {0};
    const weir_value *time = weir_member_named(what, "time");
    weir_str called = weir_member_text(what, "name"), argument = weir_member_text(what, "argument");
    bool backfills = weir_member_named(what, "backfill") != NULL;
    uint64_t us = 0;
    weir__zones_init(&zones);
    bool ok = weir__schedule_load(engine, &zones, weir_str_from(name), &s, error) &&
              (!time || weir_moment_parse(weir_member_text(what, "time"), &us, error));
    if (ok) {
        weir_value *request =
            weir__schedule_request(&s, time ? (int64_t)(us / 1000000) : weir__schedule_now(),
                                   called.data, argument.length ? argument.data : NULL);
        weir_buffer_printf(&prefix, "%s-", name);
        if (!called.length) {
            request = weir_value_own(request);
            weir_member_put_text(request, "name", WEIR_STR(""));
            weir_member_put_text(request, "generate_name", weir_buffer_str(&prefix));
        }
        if (backfills) {
            weir_value *labels = weir_object_new();
            weir_member_put_text(labels, WEIR_SCHEDULE_BACKFILL, weir__schedule_name(&s));
            weir_member_put(request, "labels", labels);
        }
        ok = weir_submit(engine, request, problem, arg, out, error);
        weir_value_unref(request);
    }
    weir__schedule_deinit(&s);
    weir__zones_deinit(&zones);
    weir_buffer_deinit(&prefix);
    weir_error ignored;
    if (ok && !backfills) (void)!change_it(engine, name, note_run, *out, &ignored);
    return ok;
}
