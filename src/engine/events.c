/* The events of a run, as its journal has them: all, a part of them, or as they come. */
#include <fnmatch.h>
#include <stdio.h>

#include "engine/engine_internal.h"

/* How often whoever follows is asked whether he still wants to, though nothing happens. */
enum { VISIT_AGAIN_MS = 1000 };

typedef struct reading {
    weir_events_query query;
    bool (*visit)(void *arg, const weir_value *event);
    void *arg;
    weir_run *run;
    uint64_t seen;
    bool begun; /* what is to come `after` was met */
    bool stopped;
} reading;

/* --- which ones ------------------------------------------------------------------------------- */

static bool matches(const char *patterns, const char *type) {
    enum { PATTERN_MAX = 128 };
    for (const char *at = patterns; at; at = *at ? at + 1 : NULL) {
        char pattern[PATTERN_MAX];
        size_t length = strcspn(at, ",");
        if (length < sizeof pattern) {
            snprintf(pattern, sizeof pattern, "%.*s", (int)length, at);
            if (fnmatch(pattern, type, 0) == 0) return true;
        }
        at += length;
    }
    return false;
}

/* A call is two events for those who look. */
static bool may_match(const reading *r, weir_event_type type) {
    if (!r->query.type) return true;
    if (type != WEIR_CALL_FINISHED) return matches(r->query.type, weir_event_text(type));
    return matches(r->query.type, weir_event_text(WEIR_ATTEMPT_STARTED)) ||
           matches(r->query.type, weir_event_text(WEIR_ATTEMPT_FINISHED));
}

/* --- CloudEvents 1.0, https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md ------- */

/* What in the run it is about: a node, an instance in its context, or a context. */
static void write_subject(const weir_value *data, weir_buffer *out) {
    weir_str node = weir_member_text(data, "node"), instance = weir_member_text(data, "instance");
    weir_str context = weir_member_text(data, "context"), name = weir_member_text(data, "name");
    weir_buffer_str_append(out, node.length ? node : context.length ? context : name);
    if (!node.length && instance.length) weir_buffer_printf(out, "/%.*s", WEIR_ARG(instance));
}

static void put_buffer(weir_value *value, const char *key, weir_buffer *text) {
    if (text->length) weir_member_put_text(value, key, weir_buffer_str(text));
    weir_buffer_clear(text);
}

static weir_value *cloud_event(const weir_run *run, const weir_value *event) {
    weir_value *cloud = weir_object_new();
    const weir_value *data = weir_member_named(event, "data"),
                     *prev = weir_member_named(event, "prev");
    weir_buffer text = {0};
    weir_member_put_text(cloud, "specversion", WEIR_STR("1.0"));
    weir_member_put_text(cloud, "id", weir_member_text(event, "id"));
    weir_buffer_printf(&text, "/weir/runs/%s", run->id);
    put_buffer(cloud, "source", &text);
    weir_buffer_printf(&text, "dev.weir.%.*s", WEIR_ARG(weir_member_text(event, "type")));
    put_buffer(cloud, "type", &text);
    write_subject(data, &text);
    put_buffer(cloud, "subject", &text);
    weir_member_put_text(cloud, "time", weir_member_text(event, "time"));
    weir_member_put_text(cloud, "datacontenttype", WEIR_STR("application/json"));
    weir_member_put_text(cloud, "weirrun", weir_str_from(run->name));
    for (size_t i = 0; i < weir_value_count(prev); i++)
        weir_buffer_printf(&text, "%s%.*s", i ? " " : "",
                           WEIR_ARG(weir_string_get(weir_array_at(prev, i))));
    put_buffer(cloud, "weirprev", &text);
    weir_member_put(cloud, "data", weir_value_ref((weir_value *)data));
    weir_buffer_deinit(&text);
    return cloud;
}

/* --- reading ---------------------------------------------------------------------------------- */

static void visit_value(void *arg, weir_value *value) {
    reading *r = arg;
    if (r->stopped) return;
    if (!r->begun) {
        r->begun = weir_str_is(weir_member_text(value, "id"), r->query.after);
        return;
    }
    if (r->query.type && !matches(r->query.type, weir_member_text(value, "type").data)) return;
    weir_value *cloud = r->query.cloudevents ? cloud_event(r->run, value) : NULL;
    r->stopped = !r->visit(r->arg, cloud ? cloud : value) || ++r->seen == r->query.limit;
    weir_value_unref(cloud);
    r->run->enough = r->stopped;
}

static void visit_event(void *arg, weir_run *run, const weir_event *event) {
    reading *r = arg;
    r->run = run;
    if (!r->stopped && (!r->begun || may_match(r, event->type)))
        weir__event_show(run, event, visit_value, r);
}

static bool follow(reading *r, weir_run *run, weir_error *error) {
    while (!run->over && !r->stopped && r->visit(r->arg, NULL))
        (void)weir__run_look_on(run, VISIT_AGAIN_MS);
    if (run->failed) *error = run->error;
    return !run->failed;
}

bool weir_read_events(weir_engine *engine, const char *name, const weir_events_query *query,
                      bool (*visit)(void *arg, const weir_value *event), void *arg,
                      weir_error *error) {
    reading r = {.visit = visit, .arg = arg};
    weir_run *run;
    weir_assert(!query || query->size <= sizeof *query);
    if (query) memcpy(&r.query, query, query->size);
    r.begun = !r.query.after;
    if (!weir__run_load(engine, name, visit_event, &r, &run, error)) return false;
    bool ok = !r.query.follow || follow(&r, run, error);
    if (ok && !r.begun && (run->over || !r.query.follow)) {
        ok = weir_fail(error, WEIR_NOT_FOUND, "run %s has no event `%s`", run->name, r.query.after);
        weir_error_hint(error, "`weir events %s` shows its events and their ids", run->name);
    }
    weir_run_close(run);
    return ok;
}

bool weir_events(weir_engine *engine, const char *name,
                 bool (*visit)(void *arg, const weir_value *event), void *arg, weir_error *error) {
    return weir_read_events(engine, name, NULL, visit, arg, error);
}
