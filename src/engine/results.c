/* The results that a run's journal has, one after the other. Neither the plan nor the plugins of the run are needed. */
#include "engine/engine_internal.h"

typedef struct reading {
    const char *context; /* NULL: all */
    bool (*visit)(void *arg, const weir_value *entry);
    void *arg;
    weir_error *error;
    bool ok, stopped, workflow;
    uint64_t told;
} reading;

static void put(weir_value *entry, const char *key, weir_value *value) {
    if (value) weir_member_put(entry, key, weir_value_ref(value));
}

static void tell(reading *r, const weir_event *event) {
    weir_value *entry = weir_object_new(), *name = weir_member_named(event->data, "name");
    if (!r->context || (name && weir_str_is(weir_string_get(name), r->context))) {
        r->told++;
        put(entry, "context", name);
        weir_value *results = weir_member_named(event->data, "results");
        weir_member_put(entry, "result", results ? weir_value_ref(results) : weir_null_new());
        put(entry, "error", weir_member_named(event->data, "error"));
        r->stopped = !r->visit(r->arg, entry);
    }
    weir_value_unref(entry);
}

/* A workflow has one result, at its end. A dataflow has one of each context, as it ends; those of its subflows are its
 * own business. */
static void take_event(reading *r, const weir_event *event) {
    weir_event_type wanted = r->workflow ? WEIR_RUN_FINISHED : WEIR_CONTEXT_FINISHED;
    if (event->type == WEIR_RUN_CREATED)
        r->workflow = weir_str_is(weir_member_text(event->data, "kind"), "workflow");
    else if (event->type == wanted && event->data && !weir_member_named(event->data, "parent"))
        tell(r, event);
}

static bool take_batch(void *arg, uint64_t sequence, weir_str bytes) {
    reading *r = arg;
    weir_batch_reader reader;
    const weir_event *event = NULL;
    if (!bytes.length) return true; /* of a run whose events nobody wanted */
    r->ok = weir_batch_open(&reader, bytes, r->error);
    if (r->ok) {
        while (!r->stopped && (r->ok = weir_batch_next(&reader, &event, r->error)) && event)
            take_event(r, event);
        weir_batch_close(&reader);
    }
    if (!r->ok) weir_error_context(r->error, "batch %llu", (unsigned long long)sequence);
    return r->ok && !r->stopped;
}

bool weir_results(weir_engine *engine, const char *run, const char *context,
                  bool (*visit)(void *arg, const weir_value *entry), void *arg, weir_error *error) {
    char id[WEIR_RUN_ID_LENGTH + 1] = "";
    if (!weir__run_id(engine, weir_str_from(run), id, error)) return false;
    reading r = {.context = context, .visit = visit, .arg = arg, .error = error, .ok = true};
    bool ok = weir_store_read(engine->store, weir_str_from(id), 1, take_batch, &r, error) && r.ok;
    if (!ok) weir_error_context(error, "the results of %s", run);
    if (!ok || r.told || !context) return ok;
    weir_fail(error, WEIR_NOT_FOUND, "no context `%s` of %s has ended", context, run);
    weir_error_hint(error, "`weir results %s` prints those that have", run);
    return false;
}
