/* Child runs: the executor of `weir.run`. A child has a journal of its own and a name made from its parent's, so that
 * after a crash the parent's next attempt finds it and goes on with it. */
#include <libgen.h>
#include <stdio.h>

#include "engine/engine_internal.h"

typedef struct child {
    struct children *owner;
    weir_engine *engine; /* outlives the owner, for what is still posted */
    weir_attempt_id attempt;
    weir_run *run;
    bool shared; /* somebody else opened the run, and closes it */
} child;

typedef struct children {
    weir_executor base; /* first */
    weir_engine *engine;
    WEIR_VECTOR(child *) items;
} children;

static void report(children *all, const weir_attempt_id *attempt, weir_report_kind kind,
                   weir_outcome outcome) {
    weir_reporter *reporter = &all->engine->reporter.base;
    reporter->report(reporter,
                     &(weir_report){.attempt = *attempt, .kind = kind, .outcome = outcome});
}

static weir_outcome outcome_of(const weir_run *run) {
    weir_value *result = weir_run_result(run);
    weir_outcome outcome = {0};
    const weir_value *error = weir_member_named(result, "error");
    if (weir_is(error, WEIR_OBJECT)) {
        weir_str code = weir_member_text(error, "code"), what = weir_member_text(error, "what");
        outcome =
            weir_outcome_failed(run->failed ? WEIR_OUTCOME_ERRORED : WEIR_OUTCOME_FAILED,
                                "operation_failed", "run %s: %.*s", run->name, WEIR_ARG(what));
        weir_member_put(outcome.failure, "cause", weir_value_ref((weir_value *)error));
        if (weir_str_is(code, "cancelled")) outcome.kind = WEIR_OUTCOME_CANCELLED;
    }
    outcome.outputs = weir_object_new();
    weir_member_put(outcome.outputs, "results",
                    weir_value_ref(weir_member_named(result, "results")));
    weir_member_put(outcome.outputs, "phase", weir_value_ref(weir_member_named(result, "phase")));
    weir_value_unref(result);
    uint64_t created_us = weir_machine_created_us(run->machine),
             finished_us = weir_machine_finished_us(run->machine);
    if (finished_us > created_us) {
        outcome.usage = weir_object_new();
        weir_member_put(outcome.usage, "wall_us",
                        weir_int_new((int64_t)(finished_us - created_us)));
    }
    return outcome;
}

void weir__children_leave(weir_run *run) {
    children *all = (children *)run->engine->executors[WEIR__EXECUTOR_RUN];
    for (size_t i = 0; all && i < all->items.count;) {
        child *c = all->items.items[i];
        bool parent = strcmp(c->attempt.run, run->id) == 0;
        if (!parent && c->run != run) {
            i++;
            continue;
        }
        all->items.items[i] = all->items.items[--all->items.count];
        weir_run *left = c->run;
        bool ours = parent && !c->shared;
        weir_free(c);
        left->ended = NULL;
        if (!ours) continue;
        weir__run_free(left); /* which may take others out of the list */
        i = 0;
    }
}

static void free_later(void *arg) {
    child *c = arg;
    if (!c->engine->closing) weir__run_free(c->run);
    weir_free(c);
}

static void ended(void *arg, weir_run *run) {
    child *c = arg;
    children *all = c->owner;
    for (size_t i = 0; i < all->items.count; i++)
        if (all->items.items[i] == c) all->items.items[i] = all->items.items[--all->items.count];
    report(all, &c->attempt, WEIR_REPORT_FINISHED, outcome_of(run));
    run->ended = NULL;
    if (c->shared) {
        weir_free(c);
        return;
    }
    weir_loop_post(all->engine->loop, free_later, c); /* the run is still being pumped */
}

void weir__children_suspend(const weir_run *run, bool suspended) {
    children *all = (children *)run->engine->executors[WEIR__EXECUTOR_RUN];
    for (size_t i = 0; i < all->items.count; i++) {
        weir_run *within = all->items.items[i]->run;
        if (strcmp(all->items.items[i]->attempt.run, run->id) != 0 || within->over) continue;
        weir_machine_suspended(within->machine, weir__now_us(run->engine), suspended);
        weir__children_suspend(within, suspended);
        weir__run_pump_soon(within);
    }
}

static int64_t depth_of(const weir_run *run) {
    const weir_value *depth = weir_member_named(weir_machine_request(run->machine), "depth");
    return weir_is(depth, WEIR_INT) ? weir_int_get(depth) : 0;
}

/* What the parent's file may refer to, its child may, too. */
static void pass_library(const weir_run *parent, weir_value *request) {
    const weir_value *given = weir_member_named(weir_machine_request(parent->machine), "library");
    if (!weir_is(given, WEIR_ARRAY)) return;
    weir_value *paths = weir_array_new();
    for (size_t i = 0; i < weir_value_count(given); i++) {
        const weir_value *item = weir_array_at(given, i);
        weir_str path = weir_is(item, WEIR_STRING) ? weir_string_get(item) : WEIR_STR("");
        weir_buffer whole = {0};
        if (!weir_str_starts(path, WEIR_STR("/")))
            weir_buffer_printf(&whole, "%s/", parent->folder);
        weir_buffer_str_append(&whole, path);
        weir_array_append(paths, weir_string_from(weir_buffer_str(&whole)));
        weir_buffer_deinit(&whole);
    }
    weir_member_put(request, "library", paths);
}

/* The request of the child: its file is found from the folder of its parent's file. */
static weir_value *request_for(const weir_run *parent, const weir_attempt *attempt, weir_str name) {
    weir_value *request = weir_object_new();
    weir_str file = weir_member_text(attempt->config, "file");
    weir_buffer path = {0};
    if (file.length && file.data[0] != '/') {
        char *folder = weir_str_dup(weir_str_from(parent->file));
        if (parent->file[0] != '/') weir_buffer_printf(&path, "%s/", parent->folder);
        weir_buffer_printf(&path, "%s/", dirname(folder));
        weir_free(folder);
    }
    weir_buffer_str_append(&path, file);
    weir_member_put_text(request, "file", weir_buffer_str(&path));
    weir_buffer_deinit(&path);
    weir_member_put_text(request, "folder", weir_str_from(parent->folder));
    weir_member_put_text(request, "name", name);
    weir_member_put_text(request, "parent", weir_str_from(parent->name));
    weir_member_put(request, "depth", weir_int_new(depth_of(parent) + 1));
    int32_t priority = weir__run_priority(parent->plan, weir_machine_request(parent->machine));
    if (priority) weir_member_put(request, "parent_priority", weir_int_new(priority));
    weir_value *cache = weir_member_named(weir_machine_request(parent->machine), "cache");
    if (cache) weir_member_put(request, "cache", weir_value_ref(cache));
    weir_value *around = weir_member_named(weir_machine_request(parent->machine), "workflow");
    if (around) weir_member_put(request, "workflow", weir_value_ref(around));
    weir_value *inputs = weir_member_named(attempt->config, "inputs");
    if (inputs) weir_member_put(request, "values", weir_value_ref(inputs));
    pass_library(parent, request);
    return request;
}

void weir__child_name(weir_str parent, uint32_t task, uint32_t number, weir_buffer *name) {
    weir_buffer_clear(name);
    weir_buffer_printf(name, "%.*s.%u.%u", WEIR_ARG(parent), task, number);
}

/* The child that a lost attempt had begun, the newest if there are several; NULL: none. False when there is one that
 * cannot be gone on with. */
static bool adopt(const weir_run *parent, const weir_attempt *attempt, child *c,
                  weir_error *error) {
    weir_engine *engine = parent->engine;
    weir_buffer name = {0};
    bool ok = true;
    uint32_t first = attempt->lost_since ? attempt->lost_since : attempt->id.number;
    for (uint32_t number = attempt->id.number; !c->run && ok && number-- > first;) {
        char id[WEIR_RUN_ID_LENGTH + 1];
        weir_error absent;
        weir__child_name(weir_str_from(parent->name), attempt->id.task, number, &name);
        if (!weir__run_id(engine, weir_buffer_str(&name), id, &absent)) continue;
        c->run = weir__run_find(engine, id);
        c->shared = c->run != NULL;
        if (c->shared) break;
        ok = weir__run_load_recorded(engine, id, &c->run, error);
        if (ok) c->run->hidden = true;
        ok = ok && weir__run_resume(c->run, error);
    }
    weir_buffer_deinit(&name);
    return ok;
}

static bool begin(weir_engine *engine, const weir_run *parent, const weir_attempt *attempt,
                  weir_run **out, weir_error *error) {
    if (depth_of(parent) >= WEIR__CHILD_DEPTH_MAX)
        return weir_fail(error, WEIR_LIMIT, "runs are nested more than %d deep",
                         WEIR__CHILD_DEPTH_MAX);
    weir_buffer name = {0};
    weir__child_name(weir_str_from(parent->name), attempt->id.task, attempt->id.number, &name);
    weir_value *request = request_for(parent, attempt, weir_buffer_str(&name));
    bool ok = weir__run_start(engine, request, WEIR__START_CHILD, NULL, NULL, out, error);
    weir_value_unref(request);
    weir_buffer_deinit(&name);
    return ok;
}

static void start(weir_executor *executor, const weir_attempt *attempt) {
    children *all = (children *)executor;
    weir_engine *engine = all->engine;
    const weir_run *parent = weir__run_find(engine, attempt->id.run);
    child *c = weir_alloc(sizeof *c);
    *c = (child){.owner = all, .engine = engine, .attempt = attempt->id};
    weir_error error;
    if (!adopt(parent, attempt, c, &error) ||
        (!c->run && !begin(engine, parent, attempt, &c->run, &error))) {
        char line[1024];
        report(all, &attempt->id, WEIR_REPORT_FINISHED,
               weir_outcome_failed(WEIR_OUTCOME_ERRORED, weir_code_text(error.code), "%s",
                                   weir_error_format(&error, line, sizeof line)));
        if (c->run) weir__run_free(c->run);
        weir_free(c);
        return;
    }
    *weir_vector_push(&all->items) = c;
    report(all, &attempt->id, WEIR_REPORT_STARTED, (weir_outcome){0});
    c->run->ended = ended;
    c->run->ended_arg = c;
    if (!c->run->over && !c->shared) { /* it may have been suspended with its parent */
        weir_machine_suspended(c->run->machine, weir__now_us(engine), false);
        weir__run_pump_soon(c->run);
    }
    if (c->run->over) ended(c, c->run);
}

static void stop(weir_executor *executor, const weir_attempt_id *attempt, weir_stop how,
                 uint64_t grace_us) {
    (void)grace_us; /* the child's own tasks have theirs */
    children *all = (children *)executor;
    for (size_t i = 0; i < all->items.count; i++)
        if (weir_attempt_equal(&all->items.items[i]->attempt, attempt)) {
            weir_run_cancel(all->items.items[i]->run, how >= WEIR_STOP_KILL);
            return;
        }
}

static void close_children(weir_executor *executor) {
    children *all = (children *)executor;
    for (size_t i = 0; i < all->items.count; i++) weir_free(all->items.items[i]);
    weir_vector_deinit(&all->items);
    weir_free(all);
}

weir_executor *weir__child_executor_new(weir_engine *engine) {
    static const weir_executor_class class = {"run", start, stop, close_children};
    children *all = weir_alloc(sizeof *all);
    all->base.class = &class;
    all->engine = engine;
    return &all->base;
}
