#include "engine/schedules.h"

#include <time.h>

#include "data/json.h"
#include "store/register.h"

int64_t weir__schedule_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec;
}

void weir__schedule_moment(int64_t time, weir_buffer *out) {
    x_time t = weir__gotime_in(time, 0, &weir__gotime_utc);
    weir__gotime_format(&t, WEIR_STR("2006-01-02T15:04:05Z"), out);
}

bool weir__schedule_zone(void *zones, weir_str name, const x_zone **out, weir_error *error) {
    return weir__zones_find(zones, name, out, error);
}

/* --- one of them ------------------------------------------------------------------------------- */

void weir__schedule_deinit(weir__schedule *s) {
    if (s->is_read) {
        weir_schedule_deinit(&s->schedule);
        weir_schedule_state_deinit(&s->state);
    }
    weir_value_unref(s->record);
    *s = (weir__schedule){0};
}

bool weir__schedules_kept(const weir_engine *engine, weir_error *error) {
    return engine->state ||
           weir_fail(error, WEIR_USAGE, "schedules are kept in a state: this engine has none");
}

static const weir_value *object_of(const weir__schedule *s) {
    return weir_member_named(s->record, "object");
}

const weir_value *weir__schedule_metadata(const weir__schedule *s) {
    return weir_member_named(object_of(s), "metadata");
}

weir_str weir__schedule_name(const weir__schedule *s) {
    return weir_member_text(weir__schedule_metadata(s), "name");
}

bool weir__schedule_parse(weir__zones *zones, weir_str key, weir_str value, uint64_t version,
                          weir__schedule *out, weir_error *error) {
    const weir_schedule_zones of = {weir__schedule_zone, zones};
    weir__schedule s = {.version = version};
    bool ok =
        weir_json_parse(value, key, &s.record, error) &&
        weir_schedule_read(weir_member_named(object_of(&s), "spec"), &of, &s.schedule, NULL, error);
    if (ok) {
        s.state = weir_schedule_state_read(weir_member_named(s.record, "state"));
        s.is_read = true;
        *out = s;
        return true;
    }
    weir_error_context(error, "the schedule `%.*s`",
                       WEIR_ARG(weir_str_slice(key, WEIR_SCHEDULE_KEYS.length, key.length)));
    weir__schedule_deinit(&s);
    return false;
}

static void make_key(weir_str name, weir_buffer *key) {
    weir_buffer_str_append(key, WEIR_SCHEDULE_KEYS);
    weir_buffer_str_append(key, name);
}

bool weir__schedule_load(weir_engine *engine, weir__zones *zones, weir_str name,
                         weir__schedule *out, weir_error *error) {
    weir_buffer key = {0}, value = {0};
    uint64_t version = 0;
    make_key(name, &key);
    bool ok =
        name.length > WEIR_SCHEDULE_NAME_MAX ||
        weir_store_register_get(engine->store, weir_buffer_str(&key), &value, &version, error);
    if (ok && !version) {
        ok = weir_fail(error, WEIR_NOT_FOUND, "there is no schedule `%.*s`",
                       (int)(name.length > 100 ? 100 : name.length), name.data);
        weir_error_hint(error, "`weir cron list` shows them");
    }
    ok = ok && weir__schedule_parse(zones, weir_buffer_str(&key), weir_buffer_str(&value), version,
                                    out, error);
    weir_buffer_deinit(&key);
    weir_buffer_deinit(&value);
    return ok;
}

bool weir__schedule_store(weir_engine *engine, weir__schedule *s, const char *condition,
                          bool *written, weir_error *error) {
    weir_buffer key = {0}, text = {0};
    make_key(weir__schedule_name(s), &key);
    s->record = weir_value_own(s->record);
    weir_member_put(s->record, "state", weir_schedule_state_write(&s->state));
    if (condition && (*condition || weir_member_named(s->record, "condition")))
        weir_member_put_text(s->record, "condition", weir_str_from(condition));
    weir_json_format(s->record, 0, &text);
    bool ok = weir_store_register_put(engine->store, weir_buffer_str(&key), weir_buffer_str(&text),
                                      s->version, written, error);
    if (ok && *written) s->version++;
    weir_buffer_deinit(&key);
    weir_buffer_deinit(&text);
    return ok;
}

/* --- what people see --------------------------------------------------------------------------- */

static void put_moment(weir_value *object, const char *name, int64_t time) {
    weir_buffer text = {0};
    weir__schedule_moment(time, &text);
    if (time) weir_member_put_text(object, name, weir_buffer_str(&text));
    weir_buffer_deinit(&text);
}

weir_value *weir__schedule_show(const weir__schedule *s, int64_t now) {
    weir_value *status = weir_object_new(), *active = weir_array_new();
    for (size_t i = 0; i < s->state.active.count; i++) {
        const weir_schedule_run *run = &s->state.active.items[i];
        weir_value *entry = weir_object_new();
        weir_member_put_text(entry, "kind", WEIR_STR("Workflow"));
        weir_member_put_text(entry, "name", weir_str_from(run->name));
        put_moment(entry, "scheduledTime", run->time);
        weir_array_append(active, entry);
    }
    weir_member_put(status, "active", active);
    put_moment(status, "lastScheduledTime", s->state.last);
    if (!s->schedule.suspended && !s->state.stopped)
        put_moment(status, "nextScheduledTime",
                   weir_schedule_next(&s->schedule, s->state.anchor, now));
    weir_member_put(status, "succeeded", weir_int_new(s->state.succeeded));
    weir_member_put(status, "failed", weir_int_new(s->state.failed));
    weir_member_put_text(status, "phase",
                         s->state.stopped ? WEIR_STR("Stopped") : WEIR_STR("Active"));
    weir_str condition = weir_member_text(s->record, "condition");
    weir_value *conditions = weir_array_new();
    if (condition.length) {
        weir_value *entry = weir_object_new();
        weir_member_put_text(entry, "type", WEIR_STR("SubmissionError"));
        weir_member_put_text(entry, "status", WEIR_STR("True"));
        weir_member_put_text(entry, "message", condition);
        weir_array_append(conditions, entry);
    }
    weir_member_put(status, "conditions", conditions);
    weir_value *shown = weir_value_own(weir_value_ref((weir_value *)(uintptr_t)object_of(s)));
    weir_member_put(shown, "status", status);
    return shown;
}

/* --- its runs ---------------------------------------------------------------------------------- */

static weir_value *member_copy(const weir_value *object, const char *name) {
    return weir_object_merge(weir_member_named(object, name), NULL);
}

/* The file of a workflow's run: the CronWorkflow, whose runs say when they were due, and what it may refer to. */
static void put_workflow(const weir__schedule *s, weir_str moment, weir_value *request) {
    weir_value *object = weir_object_merge(object_of(s), NULL), *spec = member_copy(object, "spec"),
               *metadata = member_copy(spec, "workflowMetadata"),
               *annotations = member_copy(metadata, "annotations");
    const weir_value *others = weir_member_named(s->record, "others");
    weir_buffer text = {0};
    weir_member_put_text(annotations, "workflows.argoproj.io/scheduled-time", moment);
    weir_member_put(metadata, "annotations", annotations);
    weir_member_put(spec, "workflowMetadata", metadata);
    weir_member_put(object, "spec", spec);
    weir_json_format(object, 2, &text);
    for (size_t i = 0; weir_is(others, WEIR_ARRAY) && i < weir_value_count(others); i++) {
        weir_buffer_text(&text, "\n---\n");
        weir_json_format(weir_array_at(others, i), 2, &text);
    }
    weir_buffer_byte(&text, '\n');
    weir_member_put_text(request, "document", weir_buffer_str(&text));
    weir_member_put_text(request, "scheduled_time", moment);
    weir_buffer_deinit(&text);
    weir_value_unref(object);
}

weir_value *weir__schedule_request(const weir__schedule *s, int64_t time, const char *name,
                                   const char *argument) {
    weir_value *request = member_copy(s->record, "request");
    weir_value *labels = member_copy(request, "labels");
    bool workflow = weir_str_is(weir_member_text(request, "kind"), "workflow");
    weir_buffer moment = {0};
    weir__schedule_moment(time, &moment);
    weir_member_put_text(labels, WEIR_SCHEDULE_LABEL, weir__schedule_name(s));
    weir_member_put(request, "labels", labels);
    weir_member_put_text(request, "name", weir_str_from(name));
    if (workflow) put_workflow(s, weir_buffer_str(&moment), request);
    if (argument) {
        const char *where = workflow ? "parameters" : "texts";
        weir_value *given = member_copy(request, where);
        weir_member_put_text(given, argument, weir_buffer_str(&moment));
        weir_member_put(request, where, given);
    }
    weir_buffer_deinit(&moment);
    return request;
}
