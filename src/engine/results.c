/* The results that a run's journal has, one after the other. Neither the plan nor the plugins of the run are needed. */
#include "engine/engine_internal.h"

typedef struct reading {
    bool (*visit)(void *arg, const weir__result *result);
    bool (*given)(void *arg, weir_str context); /* instead of results */
    void *arg;
    weir_error *error;
    bool ok, stopped, workflow;
    weir_parts *parts;
} reading;

/* Of what else happened no large value is fetched. */
static const uint64_t RESULTS = UINT64_C(1) << WEIR_RUN_FINISHED |
                                UINT64_C(1) << WEIR_CONTEXT_FINISHED |
                                UINT64_C(1) << WEIR_CONTEXTS_FINISHED;

static const uint64_t GIVEN = UINT64_C(1) << WEIR_CONTEXT_GIVEN;

/* --- reading ---------------------------------------------------------------------------------- */

static void tell_one(reading *r, const weir_value *data) {
    const weir__result result = {.context = weir_member_named(data, "name"),
                                 .result = weir_member_named(data, "results"),
                                 .error = weir_member_named(data, "error")};
    r->stopped = !r->visit(r->arg, &result);
}

/* Of contexts that ran ahead together. The journal is not replayed here, so nobody looked whether the event fits. */
static void tell_many(reading *r, const weir_value *data) {
    const weir_value *names = weir_member_named(data, "names");
    const weir_value *results = weir_member_named(data, "results");
    if (!weir_is(names, WEIR_ARRAY) || !weir_is(results, WEIR_ARRAY)) return;
    size_t count = weir_value_count(names);
    for (size_t i = 0; !r->stopped && i < count && i < weir_value_count(results); i++) {
        const weir__result result = {.context = weir_array_at(names, i),
                                     .result = weir_array_at(results, i)};
        if (weir_is(result.context, WEIR_STRING)) r->stopped = !r->visit(r->arg, &result);
    }
}

/* A workflow has one result, at its end. A dataflow has one of each context, as it ends; those of its subflows are its
 * own business. */
static void take_result(reading *r, const weir_event *event) {
    weir_event_type wanted = r->workflow ? WEIR_RUN_FINISHED : WEIR_CONTEXT_FINISHED;
    if (event->type == WEIR_RUN_CREATED)
        r->workflow = weir_str_is(weir_member_text(event->data, "kind"), "workflow");
    else if (event->type == WEIR_CONTEXTS_FINISHED)
        tell_many(r, event->data);
    else if (event->type == wanted && event->data && !weir_member_named(event->data, "parent"))
        tell_one(r, event->data);
}

static void take_event(reading *r, const weir_event *event) {
    if (!r->given)
        take_result(r, event);
    else if (event->type == WEIR_CONTEXT_GIVEN)
        r->stopped = !r->given(r->arg, weir_member_text(event->data, "name"));
}

static bool take_batch(void *arg, uint64_t sequence, weir_str bytes) {
    reading *r = arg;
    weir_batch_reader reader;
    const weir_event *event = NULL;
    if (!bytes.length) return true; /* of a run whose events nobody wanted */
    r->ok = weir_batch_open(&reader, bytes, r->error);
    if (r->ok) {
        reader.parts = r->parts;
        reader.wanted = r->given ? GIVEN : RESULTS;
        while (!r->stopped && (r->ok = weir_batch_next(&reader, &event, r->error)) && event)
            take_event(r, event);
        weir_batch_close(&reader);
    }
    if (!r->ok) weir_error_context(r->error, "batch %llu", (unsigned long long)sequence);
    return r->ok && !r->stopped;
}

static bool read_journal(weir_engine *engine, const char *id, reading *r) {
    weir__values values;
    weir__values_init(&values, engine, id);
    r->ok = true;
    r->parts = values.parts;
    bool ok =
        weir_store_read(engine->store, weir_str_from(id), 1, take_batch, r, r->error) && r->ok;
    weir__values_deinit(&values);
    return ok;
}

bool weir__results_read(weir_engine *engine, const char *id,
                        bool (*visit)(void *arg, const weir__result *result), void *arg,
                        weir_error *error) {
    reading r = {.visit = visit, .arg = arg, .error = error};
    return read_journal(engine, id, &r);
}

bool weir__contexts_given_read(weir_engine *engine, const char *id,
                               bool (*visit)(void *arg, weir_str context), void *arg,
                               weir_error *error) {
    reading r = {.given = visit, .arg = arg, .error = error};
    return read_journal(engine, id, &r);
}

/* --- as embedders see it ---------------------------------------------------------------------- */

typedef struct showing {
    const char *context; /* NULL: all */
    bool (*visit)(void *arg, const weir_value *entry);
    void *arg;
    uint64_t told;
} showing;

static void put(weir_value *entry, const char *key, weir_value *value) {
    if (value) weir_member_put(entry, key, weir_value_ref(value));
}

static bool show(void *arg, const weir__result *result) {
    showing *s = arg;
    if (s->context &&
        !(result->context && weir_str_is(weir_string_get(result->context), s->context)))
        return true;
    weir_value *entry = weir_object_new();
    put(entry, "context", result->context);
    weir_member_put(entry, "result",
                    result->result ? weir_value_ref(result->result) : weir_null_new());
    put(entry, "error", result->error);
    s->told++;
    bool more = s->visit(s->arg, entry);
    weir_value_unref(entry);
    return more;
}

bool weir_results(weir_engine *engine, const char *run, const char *context,
                  bool (*visit)(void *arg, const weir_value *entry), void *arg, weir_error *error) {
    char id[WEIR_RUN_ID_LENGTH + 1] = "";
    showing s = {.context = context, .visit = visit, .arg = arg};
    if (!weir__run_id(engine, weir_str_from(run), id, error)) return false;
    bool ok = weir__results_read(engine, id, show, &s, error);
    if (!ok) weir_error_context(error, "the results of %s", run);
    if (!ok || s.told || !context) return ok;
    weir_fail(error, WEIR_NOT_FOUND, "no context `%s` of %s has ended", context, run);
    weir_error_hint(error, "`weir results %s` prints those that have", run);
    return false;
}
