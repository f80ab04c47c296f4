/* Runs as embedders see them: start, recover, cancel, wait, result. */
#include <stdio.h>
#include <stdlib.h>

#include "data/json.h"
#include "engine/engine_internal.h"
#include "engine/library.h"
#include "workflow/suspend.h"

/* --- start ---------------------------------------------------------------------------------- */

/* What a run gives its child, whose kind it does not know: a workflow's are parameters, whatever they are; for the others
 * texts are read by their definition, and anything else is the value itself. */
static void put_values(weir_value *complete, const weir_value *values, bool workflow) {
    weir_value *texts = weir_object_new(), *inputs = weir_object_new();
    for (size_t i = 0; weir_is(values, WEIR_OBJECT) && i < weir_value_count(values); i++) {
        weir_value *value = weir_object_at(values, i);
        weir_member_set(workflow || weir_is(value, WEIR_STRING) ? texts : inputs,
                        weir_object_key(values, i), weir_value_ref(value));
    }
    weir_member_put(complete, workflow ? "parameters" : "texts", texts);
    weir_member_put(complete, "inputs", inputs);
}

/* What is in the text already, when the request is kept. */
static bool is_in_text(weir_str member) {
    return weir_str_is(member, "flow") || weir_str_is(member, "overlays") ||
           weir_str_is(member, "configure") || weir_str_is(member, "templates") ||
           weir_str_is(member, "only") || weir_str_is(member, "mocks") ||
           weir_str_is(member, "artifacts") || weir_str_is(member, "document") ||
           weir_str_is(member, "limits") || weir_str_is(member, "which");
}

/* The request as it is kept: with the file's text and the run's name, so that a recovery needs nothing else. Takes the labels
 * over. */
static weir_value *complete_request(const weir_engine *engine, const weir_value *request,
                                    const weir_document *document, const char *id, weir_str name,
                                    const char *kind, weir_value *labels) {
    weir_value *complete = weir_object_new();
    for (size_t i = 0; i < weir_value_count(request); i++) {
        weir_str key = weir_object_key(request, i);
        weir_value *value = weir_object_at(request, i);
        if (weir_str_is(key, "values"))
            put_values(complete, value, strcmp(kind, "workflow") == 0);
        else if (!is_in_text(key))
            weir_member_set(complete, key, weir_value_ref(value));
    }
    weir_member_put_text(complete, "file", weir_str_from(document->file));
    weir_member_put_text(complete, "id", weir_str_from(id));
    weir_member_put_text(complete, "name", name);
    weir_member_put_text(complete, "kind", weir_str_from(kind));
    weir_member_put_text(complete, "owner", weir_str_from(engine->owner));
    if (labels) weir_member_put(complete, "labels", labels);
    if (!weir_member_named(request, "folder") && engine->folder)
        weir_member_put_text(complete, "folder", weir_str_from(engine->folder));
    if (engine->plugins.count) {
        weir_str text = weir_buffer_str(&document->text);
        weir_member_put(complete, "plugins", weir__plugins_to_value(engine));
        weir_member_put(complete, "operations", weir__operations_of_plugins(engine, text));
    }
    weir__limits_tell(engine, complete);
    weir_member_put_text(complete, "text", weir_buffer_str(&document->text));
    if (!weir_member_named(request, "seed"))
        weir_member_put(complete, "seed", weir_int_new((int64_t)(weir__random() >> 1)));
    /* What is forgotten is not kept in memory either. */
    if (engine->options.results_go || weir_member_named(request, "forget_after_us"))
        weir_member_put(complete, "results_go", weir_bool_new(true));
    return complete;
}

/* What the options say where the request does not. */
static void complete_executor(const weir_engine *engine, weir_value *request) {
    if (engine->executor && !weir_member_named(request, "executor"))
        weir_member_put_text(request, "executor", weir_str_from(engine->executor));
}

/* What it is expected to take, to be compared with what it took. */
static void put_estimate(const weir_engine *engine, const weir_plan *plan, weir_value **request) {
    weir_value *estimate =
        weir_store_has_tables(engine->store) ? weir__foresee_briefly(engine, plan, *request) : NULL;
    if (!estimate) return;
    *request = weir_value_own(*request);
    weir_member_put(*request, "estimate", estimate);
}

/* As its file says it, for who looks at the run without compiling that. */
static void put_priority(const weir_plan *plan, weir_value **request) {
    int32_t priority = weir__run_priority(plan, NULL);
    if (!priority || weir_member_named(*request, "priority")) return;
    *request = weir_value_own(*request);
    weir_member_put(*request, "priority", weir_int_new(priority));
}

/* Takes the request over. */
static bool begin(weir_engine *engine, const char *id, weir_str name, bool named, weir__start how,
                  weir_value *request, weir_plan *plan, weir_run **out, weir_error *error) {
    put_estimate(engine, plan, &request);
    put_priority(plan, &request);
    weir_run *run = weir__run_new(engine, id, name, request, plan);
    if (!weir__run_own(run, true, error) ||
        (how == WEIR__START_LEFT && !weir__serve_mark(run, error))) {
        weir__run_free(run);
        weir_value_unref(request);
        return false;
    }
    run->named = named;
    run->hidden = how == WEIR__START_CHILD;
    if (weir_store_has_tables(engine->store))
        run->records = weir_records_new(run->machine, run->plan, 0);
    weir__limits_join(run, request);
    weir_machine_created(run->machine, weir__now_us(engine), request);
    bool terminated;
    if (weir_workflow_begins_cancelled(plan, &terminated))
        weir_machine_cancelled(run->machine, weir__now_us(engine), terminated);
    else if (weir_workflow_begins_suspended(plan))
        weir_machine_suspended(run->machine, weir__now_us(engine), true);
    if (engine->inherited)
        weir_restart_inherit(engine->inherited, run->machine, name, weir__now_us(engine));
    if (how == WEIR__START_LEFT)
        weir__run_write(run);
    else
        weir__run_pump(run);
    *out = run;
    return true;
}

bool weir_run_start(weir_engine *engine, const weir_value *request,
                    void (*problem)(void *arg, const weir_error *error), void *arg, weir_run **out,
                    weir_error *error) {
    return weir__run_start(engine, request, WEIR__START_HERE, problem, arg, out, error);
}

bool weir__run_start(weir_engine *engine, const weir_value *given, weir__start how,
                     void (*problem)(void *arg, const weir_error *error), void *arg, weir_run **out,
                     weir_error *error) {
    weir_document document = {0};
    weir_problems problems = {0};
    weir__request whole;
    weir_buffer name = {0};
    weir_plan *plan = NULL;
    weir_value *complete = NULL, *labels = NULL;
    bool ok = false, named = false;
    bool kept = engine->state || engine->options.event || engine->options.record;
    char id[WEIR_RUN_ID_LENGTH + 1];
    weir__new_id(id);
    bool opened = weir__request_open(&whole, given, &problems);
    weir__templates_name(engine, whole.value);
    complete_executor(engine, whole.value);
    const weir__kind *kind =
        opened ? weir__load_file_again(&engine->last_file, whole.value, kept, &document, &problems)
               : NULL;
    const weir_value *request = whole.value;
    if (!kind) {
        weir__say_problems(&problems, problem, arg, error);
        goto done;
    }
    named = weir__has_given_name(request, &document);
    if (named && !weir__names_lock(engine, error)) {
        named = false;
        goto done;
    }
    if (!weir__choose_name(engine, request, &document, &name, error) ||
        !weir__labels_gather(engine,
                             strcmp(kind->name, "workflow") == 0 ? document.roots.items[0] : NULL,
                             request, &labels, error))
        goto done;
    if (!weir__library_secrets(&document, engine, &problems, error)) goto done;
    complete = complete_request(engine, request, &document, id, weir_buffer_str(&name), kind->name,
                                labels);
    plan = weir__compile(kind, &document, complete, &engine->registry, &problems);
    if (plan) weir__limits_warn(engine, plan, &document, &problems);
    weir__say_warnings(&problems, problem, arg);
    if (plan) {
        weir__python_keep(engine, complete);
        ok = begin(engine, id, weir_buffer_str(&name), named, how, complete, plan, out, error);
        complete = NULL;
        if (ok) named = false; /* the run's to unlock now */
    } else {
        weir__say_problems(&problems, problem, arg, error);
    }
done:
    if (named) weir__names_unlock(engine);
    weir__request_close(&whole);
    weir_problems_deinit(&problems);
    weir_document_deinit(&document);
    weir_buffer_deinit(&name);
    weir_value_unref(complete);
    return ok;
}

/* --- load and recover ----------------------------------------------------------------------- */

typedef struct loading {
    weir_engine *engine;
    weir_run *run;
    weir__values values; /* until there is a run that has them */
    char *id, *name;
    void (*replayed)(void *arg, weir_run *run, const weir_event *event);
    void *arg;
    weir_error *error;
    bool ok;
    bool recorded;        /* its rows are wanted, */
    uint64_t recorded_to; /* of batches beyond this one */
    bool rebuilt;         /* instead of those that are there: the run is owned for that */
    bool emptied;
} loading;

static void note_record(void *arg, const weir_run_record *record) {
    loading *l = arg;
    l->id = weir_str_dup(record->id);
    l->name = weir_str_dup(record->name);
}

/* Without its plugins a run can still be read, if it was kept what their operations are; NULL else. */
static weir__stand_ins *stand_in(loading *l, const weir_value *request) {
    const weir_value *operations = weir_member_named(request, "operations");
    return weir_is(operations, WEIR_OBJECT) ? weir__stand_ins_new(l->engine, operations, l->error)
                                            : NULL;
}

static void make_run(loading *l, const weir_value *request, weir__stand_ins *stand_ins,
                     weir_plan *plan) {
    l->run = weir__run_new(l->engine, l->id, weir_str_from(l->name), request, plan);
    l->run->stand_ins = stand_ins;
    l->run->loading = true;
    weir_parts_move(l->values.parts, l->run->values.parts);
    if (l->recorded)
        l->run->records = weir_records_new(l->run->machine, l->run->plan, l->recorded_to);
    l->run->replayed = l->replayed;
    l->run->replayed_arg = l->arg;
}

static bool compile_request(loading *l, const weir_value *request) {
    weir_document document = {0};
    weir_problems problems = {0};
    weir_plan *plan = NULL;
    weir__stand_ins *stand_ins = NULL;
    if (!weir__plugins_from_value(l->engine, weir_member_named(request, "plugins"), l->error) &&
        !(stand_ins = stand_in(l, request)))
        return false;
    const weir__kind *kind = weir__load_file(request, true, &document, &problems);
    weir_error ignored; /* a secret that is wrong now is missed by who needs it */
    if (kind) (void)!weir__library_secrets(&document, l->engine, &problems, &ignored);
    if (kind)
        plan = weir__compile(kind, &document, request,
                             stand_ins ? weir__stand_ins_registry(stand_ins) : &l->engine->registry,
                             &problems);
    if (plan) {
        make_run(l, request, stand_ins, plan);
    } else {
        weir__say_problems(&problems, NULL, NULL, l->error);
        weir__stand_ins_free(stand_ins);
    }
    weir_problems_deinit(&problems);
    weir_document_deinit(&document);
    return plan != NULL;
}

/* The plan comes from the journal's first event: the file may have changed since. */
static bool compile_from_journal(loading *l, weir_str bytes) {
    weir_batch_reader reader;
    const weir_event *event = NULL;
    if (!weir_batch_open(&reader, bytes, l->error)) return false;
    weir__values_init(&l->values, l->engine, l->id);
    reader.parts = l->values.parts;
    bool ok = weir_batch_next(&reader, &event, l->error);
    if (ok && (!event || event->type != WEIR_RUN_CREATED || !event->data))
        ok = weir_fail(l->error, WEIR_STORE, "the journal does not begin with run.created");
    ok = ok && compile_request(l, event->data);
    weir_batch_close(&reader);
    weir__values_deinit(&l->values);
    return ok;
}

enum { REBUILT_BYTES = 4 * 1024 * 1024 }; /* at once */

/* Hands the changes over, when they are many or the `last`. */
static bool rebuild_some(loading *l, bool last) {
    weir_records *records = l->run->records;
    if (!last && weir_records_size(records) < REBUILT_BYTES) return true;
    weir_buffer rows = weir_records_take(records);
    bool ok = weir_store_derive(l->engine->store, weir_str_from(l->run->id), !l->emptied,
                                weir_buffer_str(&rows), l->error);
    l->emptied = true;
    weir_buffer_deinit(&rows);
    return ok;
}

static bool begin_run(loading *l, weir_str bytes) {
    return compile_from_journal(l, bytes) &&
           (!l->rebuilt || weir__run_own(l->run, false, l->error));
}

static bool replay(void *arg, uint64_t sequence, weir_str bytes) {
    loading *l = arg;
    if (!bytes.length) return true; /* of a run whose events nobody wanted */
    l->ok = (l->run || begin_run(l, bytes)) &&
            weir_machine_replay(l->run->machine, bytes, l->error) &&
            (!l->rebuilt || rebuild_some(l, false));
    if (l->run) l->run->sequence = l->run->durable = sequence;
    if (!l->ok)
        weir_error_context(l->error, "run %s, batch %llu", l->name, (unsigned long long)sequence);
    return l->ok && !l->run->enough;
}

/* Of a run that was only looked at: what its dead engine left behind is not ours to end. */
static void release(weir_run *run) {
    if (run->owned) weir_store_disown(run->engine->store, weir_str_from(run->id), true);
    run->owned = false;
    weir__run_free(run);
}

static bool load(loading *l, const char *name, weir_run **out, weir_error *error) {
    weir_store *store = l->engine->store;
    bool ok = weir_store_find(store, weir_str_from(name), note_record, l, error);
    if (ok && weir__run_find(l->engine, l->id))
        ok = weir_fail(error, WEIR_CONFLICT, "the run %s is open in this engine", l->name);
    if (ok && l->recorded && !l->rebuilt)
        ok = weir_store_derived(store, weir_str_from(l->id), &l->recorded_to, error);
    ok = ok && weir_store_read(store, weir_str_from(l->id), 1, replay, l, error) && l->ok;
    if (ok && !l->run) ok = weir_fail(error, WEIR_STORE, "run %s has no journal", l->name);
    if (!ok && l->run) release(l->run);
    if (ok) {
        l->run->loading = false;
        l->run->over = weir_machine_finished(l->run->machine) != NULL;
        *out = l->run;
    }
    weir_free(l->id);
    weir_free(l->name);
    return ok;
}

bool weir__run_load(weir_engine *engine, const char *name,
                    void (*replayed)(void *arg, weir_run *run, const weir_event *event), void *arg,
                    weir_run **out, weir_error *error) {
    loading l = {.engine = engine, .replayed = replayed, .arg = arg, .error = error, .ok = true};
    return load(&l, name, out, error);
}

bool weir__run_load_recorded(weir_engine *engine, const char *name, weir_run **out,
                             weir_error *error) {
    loading l = {.engine = engine, .error = error, .ok = true};
    l.recorded = weir_store_has_tables(engine->store);
    return load(&l, name, out, error);
}

/* --- some batches at a time ------------------------------------------------------------------ */

enum { BATCHES_AT_ONCE = 4 };

struct weir__replay {
    loading l;
    uint64_t next; /* batch */
    uint64_t until;
};

static bool replay_one(void *arg, uint64_t sequence, weir_str bytes) {
    weir__replay *r = arg;
    r->next = sequence + 1;
    return replay(&r->l, sequence, bytes) && r->next < r->until;
}

bool weir__replay_open(weir_engine *engine, weir_str run,
                       void (*replayed)(void *arg, weir_run *run, const weir_event *event),
                       void *arg, weir__replay **out, weir_error *error) {
    weir__replay *r = weir_alloc(sizeof *r);
    r->l = (loading){.engine = engine, .replayed = replayed, .arg = arg, .ok = true};
    r->next = 1;
    if (weir_store_find(engine->store, run, note_record, &r->l, error)) {
        *out = r;
        return true;
    }
    weir__replay_close(r);
    return false;
}

bool weir__replay_more(weir__replay *r, bool *more, weir_error *error) {
    uint64_t before = r->next;
    r->l.error = error;
    r->until = before + BATCHES_AT_ONCE;
    bool ok =
        weir_store_read(r->l.engine->store, weir_str_from(r->l.id), before, replay_one, r, error) &&
        r->l.ok;
    *more = r->next >= r->until;
    return ok;
}

void weir__replay_close(weir__replay *r) {
    if (!r) return;
    if (r->l.run) weir__run_free(r->l.run);
    weir_free(r->l.id);
    weir_free(r->l.name);
    weir_free(r);
}

/* --- recover ---------------------------------------------------------------------------------- */

bool weir__run_catch_up(weir_run *run, weir_error *error) {
    loading l = {.engine = run->engine, .run = run, .name = run->name, .error = error, .ok = true};
    run->loading = true;
    bool ok = weir_store_read(run->engine->store, weir_str_from(run->id), run->sequence + 1, replay,
                              &l, error) &&
              l.ok;
    run->loading = false;
    run->over = weir_machine_finished(run->machine) != NULL;
    return ok;
}

bool weir__run_rebuild(weir_engine *engine, const char *name, weir_error *error) {
    loading l = {.engine = engine, .error = error, .ok = true, .recorded = true, .rebuilt = true};
    weir_run *run = NULL;
    bool ok = load(&l, name, &run, error) && weir__run_catch_up(run, error);
    l.run = run;
    ok = ok && rebuild_some(&l, true);
    if (run) release(run);
    return ok;
}

static bool tell(void *arg, const weir__result *result) {
    if (weir_is(result->context, WEIR_STRING) && result->result)
        weir__run_tell(arg, weir_string_get(result->context), result->result);
    return true;
}

/* Which results the engine that died had told, nobody knows: all that are durable are told again, one batch after the
 * other, since they may be more than memory holds. */
static bool tell_again(weir_run *run, weir_error *error) {
    if ((!run->engine->options.result && !run->sources) || run->hidden) return true;
    return weir__results_read(run->engine, run->id, tell, run, error);
}

/* Of a run that is over, and whose engine died before the last of them were written. Who only looks at a run, as one may
 * where nothing can be written, is not kept from it. */
static void write_late_rows(weir_run *run) {
    weir_engine *engine = run->engine;
    bool locked;
    weir_error ignored;
    if (!run->records || !weir_records_size(run->records)) return;
    weir_buffer rows = weir_records_take(run->records);
    if (weir__run_claim(engine, run->id, &locked, &ignored)) {
        (void)!weir_store_derive(engine->store, weir_str_from(run->id), false,
                                 weir_buffer_str(&rows), &ignored);
        weir__run_release(engine, run->id, locked, false);
    }
    weir_buffer_deinit(&rows);
}

bool weir__run_take_over(weir_run *run, weir_error *error) {
    /* What was read since may have taken longer than a lease lasts: the attempts are another's then. */
    if (!weir_store_holds(run->engine->store, weir_str_from(run->id), error)) return false;
    weir__run_end_leftovers(run);
    run->record_due = true;
    if (weir__locks_want_back(run))
        weir__run_pump(run);
    else
        weir__run_go_on(run);
    return true;
}

void weir__run_go_on(weir_run *run) {
    weir__limits_join(run, weir_machine_request(run->machine));
    weir_machine_recovered(run->machine, weir__now_us(run->engine),
                           weir_str_from(run->engine->owner));
    weir__run_pump(run);
}

bool weir__run_acquire(weir_run *run, weir_error *error) {
    if (run->stand_ins) {
        *error = *weir__stand_ins_why(run->stand_ins);
        return false;
    }
    const weir_value *plugins = weir_member_named(weir_machine_request(run->machine), "plugins");
    return weir__plugins_check(run->engine, plugins, error) && weir__run_own(run, false, error) &&
           weir__run_catch_up(run, error) && weir_store_settle(run->engine->store, error);
}

bool weir__run_resume(weir_run *run, weir_error *error) {
    if (run->over) {
        if (!weir_store_settle(run->engine->store, error)) return false;
        write_late_rows(run);
        return tell_again(run, error);
    }
    if (!weir__run_acquire(run, error) || !tell_again(run, error)) return false;
    return run->over || weir__run_take_over(run, error);
}

bool weir_run_recover(weir_engine *engine, const char *name, weir_run **out, weir_error *error) {
    weir_run *run;
    if (!weir__run_load_recorded(engine, name, &run, error)) return false;
    if (!weir__run_resume(run, error)) {
        weir__run_free(run);
        return false;
    }
    *out = run;
    return true;
}

/* --- while it runs -------------------------------------------------------------------------- */

bool weir_run_wait(weir_run *run, uint32_t timeout_ms) {
    weir_engine *engine = run->engine;
    if (!run->owned && !run->over) return weir__run_look_on(run, timeout_ms);
    if (!timeout_ms) { /* what there is to do, without waiting for more */
        if (!run->over) weir_loop_once(engine->loop, false);
        return run->over;
    }
    engine->waited = false;
    weir_timer_start(engine->waiting, (uint64_t)timeout_ms * 1000);
    while (!run->over && !engine->waited) weir_loop_once(engine->loop, true);
    weir_timer_cancel(engine->waiting);
    return run->over;
}

bool weir_run_turn(weir_run *run, uint32_t timeout_ms) {
    weir_engine *engine = run->engine;
    if (run->over || !run->owned || !timeout_ms) return weir_run_wait(run, timeout_ms);
    weir_timer_start(engine->waiting, (uint64_t)timeout_ms * 1000);
    weir_loop_once(engine->loop, true);
    weir_timer_cancel(engine->waiting);
    return run->over;
}

int weir_descriptor(const weir_engine *engine, uint32_t *timeout_ms) {
    return weir_loop_descriptor(engine->loop, timeout_ms);
}

void weir_run_cancel(weir_run *run, bool terminate) {
    if (run->over || !run->owned) return;
    weir_machine_cancelled(run->machine, weir__now_us(run->engine), terminate);
    weir__run_pump(run);
}

void weir_run_close(weir_run *run) {
    if (run) weir__run_free(run);
}

static void find_id(void *arg, const weir_run_record *record) {
    snprintf(arg, WEIR_RUN_ID_LENGTH + 1, "%.*s", WEIR_ARG(record->id));
}

bool weir__run_id(weir_engine *engine, weir_str name, char id[static WEIR_RUN_ID_LENGTH + 1],
                  weir_error *error) {
    return weir_store_find(engine->store, name, find_id, id, error);
}

bool weir__run_exists(weir_engine *engine, weir_str name, weir_error *error) {
    char ignored[WEIR_RUN_ID_LENGTH + 1];
    return weir__run_id(engine, name, ignored, error);
}
