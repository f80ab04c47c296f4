#include "engine/restart.h"

#include "dataflow/plan.h"
#include "engine/gift.h"
#include "executor/inline.h"
#include "workflow/suspend.h"

enum {
    NAMED_MAX = 8,                      /* in an error */
    KEPT_BYTES_MAX = 512 * 1024 * 1024, /* in the one batch that a restart is */
    REST_BYTES = 64                     /* of an event, beside its data */
};

/* A task of the generation that is read last. */
typedef struct record {
    weir_value *data; /* {key, path, task, outcome?, sets?}; NULL: it never began */
    bool
        succeeded; /* has an outcome then, unless its coordinator does it, or it is a service: that is decided anew */
} record;

struct weir_restart {
    weir_machine *machine;
    bool workflow;
    WEIR_VECTOR(record) records; /* by task */
    WEIR_VECTOR(weir_value *) stay;
    weir_value *path;        /* that somebody named; NULL: what did not succeed */
    weir_value *suspensions; /* of a workflow, that stay; NULL: none */
    weir_value *parameters;  /* of a workflow, that are new; NULL: none */
    weir_plan *(*replan)(void *arg, const weir_value *request);
    void *replan_arg;
    weir__gifts gifts;
    bool shortened; /* what is over was forgotten */
};

static void drop_records(weir_restart *r) {
    for (size_t i = 0; i < r->records.count; i++) weir_value_unref(r->records.items[i].data);
    r->records.count = 0;
}

/* --- reading ---------------------------------------------------------------------------------- */

static record *record_of(weir_restart *r, weir_task_id task) {
    while (r->records.count <= task) *weir_vector_push(&r->records) = (record){0};
    return &r->records.items[task];
}

static void note(weir_restart *r, weir_task_id task) {
    record *found = record_of(r, task);
    char key[WEIR__KEY_LENGTH + 1];
    if (found->data) return;
    found->data = weir_object_new();
    weir_value *path = weir_machine_identify(r->machine, task, key);
    weir_member_put_text(found->data, "key", weir_str_from(key));
    weir_member_put(found->data, "path", path);
    weir_member_put(found->data, "task", weir_int_new(task));
}

/* Work that was told to stop may say that all went well, and have given half of what it would have. A service ends no other
 * way, and has no outcome to be kept: what depends on it needs it alive, so it begins again. */
static void note_success(weir_restart *r, weir_task_id task) {
    const weir_tasks *tasks = weir_machine_tasks(r->machine);
    const weir_outcome *outcome = weir_tasks_outcome(tasks, task);
    const weir_task_spec *spec = weir_tasks_spec(tasks, task);
    record *of = record_of(r, task);
    of->succeeded = outcome->kind == WEIR_OUTCOME_SUCCEEDED &&
                    (spec->kind == WEIR_TASK_SERVICE || weir_tasks_may_keep(tasks, task));
    if (of->succeeded && spec->executor.length && spec->kind != WEIR_TASK_SERVICE)
        weir_member_put(of->data, "outcome", weir_outcome_to_value(outcome));
}

/* Of a generator: what it gave stays with its outcome. */
static void note_set(weir_value *data, weir_value *outputs) {
    weir_value *sets = weir_member_named(data, "sets");
    if (!outputs) return;
    if (!sets) weir_member_put(data, "sets", sets = weir_array_new());
    weir_array_append(sets, weir_value_ref(outputs));
}

/* The coordinator has not seen the event yet, so it knows the task still. */
static void see_task(void *arg, const weir_event *event) {
    weir_restart *r = arg;
    weir_task_id task = (weir_task_id)event->subject;
    note(r, task);
    weir_value *data = record_of(r, task)->data;
    if (event->type == WEIR_TASK_FINISHED) note_success(r, task);
    if (event->type == WEIR_ATTEMPT_YIELDED)
        note_set(data, weir_member_named(event->data, "outputs"));
    if (event->type != WEIR_TASK_RECALLED) return;
    weir_value *sets = weir_member_named(event->data, "sets");
    if (sets) weir_member_put(data, "sets", weir_value_ref(sets));
    /* Its log is the first one's. */
    weir_task_id origin = weir_tasks_origin(weir_machine_tasks(r->machine), task);
    weir_member_put(data, "task", weir_int_new(origin));
}

static void observe(void *arg, const weir_event *event) {
    weir_restart *r = arg;
    weir__gifts_note(&r->gifts, weir_machine_coordinator(r->machine), event);
    r->shortened |= event->type == WEIR_RUN_SHORTENED;
    if (event->type == WEIR_RUN_RESTARTED) drop_records(r);
}

static weir_plan *plan_again(void *arg, const weir_value *request) {
    weir_restart *r = arg;
    return r->replan(r->replan_arg, request);
}

weir_restart *weir_restart_new(weir_plan *plan, const char *run, weir_parts *parts,
                               weir_plan *(*replan)(void *arg, const weir_value *request),
                               void *arg) {
    weir_restart *r = weir_alloc(sizeof *r);
    r->replan = replan;
    r->replan_arg = arg;
    r->workflow = strcmp(plan->kind, "workflow") == 0;
    r->machine =
        weir_machine_new(plan, &(weir_machine_options){.run = run,
                                                       .recorded = true,
                                                       .parts = parts,
                                                       .call = weir_inline_make_call,
                                                       .replan = replan ? plan_again : NULL,
                                                       .observe = observe,
                                                       .task = see_task,
                                                       .arg = r});
    return r;
}

void weir_restart_free(weir_restart *r) {
    if (!r) return;
    weir_value_unref(r->suspensions);
    weir_value_unref(r->parameters);
    drop_records(r);
    weir_vector_deinit(&r->records);
    for (size_t i = 0; i < r->stay.count; i++) weir_value_unref(r->stay.items[i]);
    weir_vector_deinit(&r->stay);
    weir_value_unref(r->path);
    weir__gifts_deinit(&r->gifts);
    weir_machine_free(r->machine);
    weir_free(r);
}

bool weir_restart_read(weir_restart *r, weir_str bytes, weir_error *error) {
    return weir_machine_replay(r->machine, bytes, error);
}

/* --- choosing --------------------------------------------------------------------------------- */

static const weir_value *path_of(const weir_value *data) {
    return weir_member_named(data, "path");
}

/* A dataflow's task is named by its instance, and by its context; a workflow's by any of its names. */
static bool is_named(const weir_value *path, bool workflow, weir_str task, weir_str context) {
    size_t count = weir_value_count(path);
    if (workflow) {
        for (size_t i = 0; i < count; i++)
            if (weir_str_equal(weir_string_get(weir_array_at(path, i)), task)) return true;
        return false;
    }
    return weir_str_equal(weir_string_get(weir_array_at(path, count - 1)), task) &&
           (!context.length ||
            weir_str_equal(weir_string_get(weir_array_at(path, count - 2)), context));
}

static void describe(const weir_value *path, bool workflow, weir_buffer *out) {
    if (workflow) {
        weir_buffer_str_append(out, weir_string_get(weir_array_at(path, 0)));
        return;
    }
    for (size_t i = 0; i + 1 < weir_value_count(path); i += 2)
        weir_buffer_printf(out, "%s%.*s in %.*s", i ? " / " : "",
                           WEIR_ARG(weir_string_get(weir_array_at(path, i + 1))),
                           WEIR_ARG(weir_string_get(weir_array_at(path, i))));
}

bool weir_restart_names(const weir_value *path, bool workflow, const weir_value *what) {
    return is_named(path, workflow, weir_member_text(what, "task"),
                    weir_member_text(what, "context"));
}

void weir_restart_fail_name(const weir_value *what, const weir_value *found, bool workflow,
                            weir_error *error) {
    weir_str task = weir_member_text(what, "task"), context = weir_member_text(what, "context");
    size_t count = weir_value_count(found);
    if (!count) {
        weir_fail(error, WEIR_NOT_FOUND, "the run has no task `%.*s`%s%.*s%s", WEIR_ARG(task),
                  context.length ? " in a context `" : "", WEIR_ARG(context),
                  context.length ? "`" : "");
        weir_error_hint(error, "`weir get RUN` shows them; an operation that only makes calls is "
                               "no task: restart one before it");
        return;
    }
    weir_buffer names = {0};
    for (size_t i = 0; i < count && i < NAMED_MAX; i++) {
        if (i) weir_buffer_text(&names, ", ");
        describe(weir_array_at(found, i), workflow, &names);
    }
    weir_fail(error, WEIR_INVALID, "`%.*s` is not one task: %s%s", WEIR_ARG(task), names.data,
              count > NAMED_MAX ? ", …" : "");
    weir_error_hint(error, workflow ? "name a node by its whole name" : "name the context too");
    weir_buffer_deinit(&names);
}

static bool has_path(const weir_value *paths, const weir_value *path) {
    for (size_t i = 0; i < weir_value_count(paths); i++)
        if (weir_value_equal(weir_array_at(paths, i), path)) return true;
    return false;
}

/* Finds the one path that is named. */
static bool find_path(weir_restart *r, const weir_value *what, weir_error *error) {
    weir_str task = weir_member_text(what, "task"), context = weir_member_text(what, "context");
    weir_value *found = weir_array_new();
    for (size_t i = 0; i < r->records.count && weir_value_count(found) <= NAMED_MAX; i++) {
        const weir_value *path = path_of(r->records.items[i].data);
        if (path && is_named(path, r->workflow, task, context) && !has_path(found, path))
            weir_array_append(found, weir_value_ref((weir_value *)path));
    }
    bool ok = weir_value_count(found) == 1;
    if (ok)
        r->path = weir_value_ref(weir_array_at(found, 0));
    else
        weir_restart_fail_name(what, found, r->workflow, error);
    weir_value_unref(found);
    return ok;
}

static weir_value *choose_failed(const weir_restart *r) {
    weir_value *chosen = weir_array_new();
    for (size_t i = 0; i < r->records.count; i++) {
        const weir_value *data = r->records.items[i].data;
        if (data && !r->records.items[i].succeeded)
            weir_array_append(chosen, weir_value_ref((weir_value *)path_of(data)));
    }
    return chosen;
}

static bool add_successful(const weir_restart *r, weir_str selector, weir_value *chosen,
                           weir_error *error) {
    if (r->workflow)
        return weir_workflow_select_nodes(weir_machine_coordinator(r->machine), selector, chosen,
                                          error);
    return weir_fail(error, WEIR_INVALID, "only nodes of workflows can be selected");
}

/* All outcomes that could stay: of this generation's tasks, and those of before that no task asked for yet. */
static void collect(weir_restart *r) {
    for (size_t i = 0; i < r->records.count; i++)
        if (weir_member_named(r->records.items[i].data, "outcome"))
            *weir_vector_push(&r->stay) = weir_value_ref(r->records.items[i].data);
    const weir__recall *recall = weir_machine_recall(r->machine);
    for (size_t i = 0; i < recall->items.count; i++)
        if (!recall->items.items[i].used)
            *weir_vector_push(&r->stay) = weir_value_ref(recall->items.items[i].data);
}

/* Only the tasks of the paths themselves: what depends on them stays, as far as it is given the same again. */
static void undo_alone(const weir_value *chosen, weir_value *const *paths, size_t count,
                       bool *undone) {
    for (size_t i = 0; i < count; i++) undone[i] = has_path(chosen, paths[i]);
}

static void undo(weir_restart *r, const weir_value *chosen, bool failed, bool alone) {
    const weir_coordinator *coordinator = weir_machine_coordinator(r->machine);
    size_t count = r->stay.count, left = 0;
    weir_value **paths = weir_alloc((count + 1) * sizeof *paths);
    bool *undone = weir_alloc((count + 1) * sizeof *undone);
    for (size_t i = 0; i < count; i++) paths[i] = (weir_value *)path_of(r->stay.items[i]);
    if (alone)
        undo_alone(chosen, paths, count, undone);
    else
        coordinator->class->undo(coordinator, chosen, failed, paths, count, undone);
    for (size_t i = 0; i < count; i++)
        if (undone[i])
            weir_value_unref(r->stay.items[i]);
        else
            r->stay.items[left++] = r->stay.items[i];
    r->stay.count = left;
    weir_free(paths);
    weir_free(undone);
}

/* Whether there is room for an event with the value, as well. */
static bool has_room(const weir_value *value, size_t *total) {
    if (*total > KEPT_BYTES_MAX) return false;
    weir_buffer bytes = {0};
    weir_value_encode(value, &bytes);
    *total += bytes.length + REST_BYTES;
    weir_buffer_deinit(&bytes);
    return *total <= KEPT_BYTES_MAX;
}

static bool check_size(const weir_restart *r, weir_error *error) {
    size_t total = 0;
    bool fits = true;
    for (size_t i = 0; i < r->stay.count && fits; i++) fits = has_room(r->stay.items[i], &total);
    for (size_t i = 0; i < r->gifts.items.count && fits; i++)
        fits = has_room(r->gifts.items.items[i].inputs, &total);
    return fits || weir_fail(error, WEIR_LIMIT,
                             "the outcomes that would stay, and what the run was given while it "
                             "went on, are larger than %d MiB, so it cannot be restarted",
                             KEPT_BYTES_MAX / 1024 / 1024);
}

static bool take_parameters(weir_restart *r, const weir_value *what, weir_error *error) {
    weir_value *parameters = weir_member_named(what, "parameters");
    if (parameters && !r->workflow)
        return weir_fail(error, WEIR_INVALID, "only workflows have parameters");
    r->parameters = parameters ? weir_value_ref(parameters) : NULL;
    return true;
}

bool weir_restart_choose(weir_restart *r, const weir_value *what, weir_error *error) {
    const weir_value *finished = weir_machine_finished(r->machine);
    if (r->shortened)
        return weir_fail(
            error, WEIR_UNSUPPORTED,
            "a run that has forgotten contexts cannot be restarted: they would run anew");
    bool one = weir_member_text(what, "task").length > 0;
    if (one && !find_path(r, what, error)) return false;
    weir_value *chosen = one ? weir_array_new() : choose_failed(r);
    if (one) weir_array_append(chosen, weir_value_ref(r->path));
    weir_str successful = weir_member_text(what, "successful");
    if ((successful.length && !add_successful(r, successful, chosen, error)) ||
        !take_parameters(r, what, error)) {
        weir_value_unref(chosen);
        return false;
    }
    bool nothing =
        !weir_value_count(chosen) && weir_str_is(weir_member_text(finished, "phase"), "Succeeded");
    if (nothing) {
        weir_fail(error, WEIR_CONFLICT, "nothing failed in the run");
        weir_error_hint(error, "`weir restart RUN TASK` does a task again that succeeded");
    } else {
        collect(r);
        const weir_value *alone = weir_member_named(what, "alone");
        undo(r, chosen, !one, one && alone && weir_value_truth(alone));
        weir_value_unref(r->suspensions);
        r->suspensions =
            r->workflow ? weir_workflow_suspensions(weir_machine_coordinator(r->machine), chosen)
                        : NULL;
    }
    weir_value_unref(chosen);
    return !nothing && check_size(r, error);
}

static void put_if(weir_value *object, const char *member, weir_value *value) {
    if (value) weir_member_put(object, member, weir_value_ref(value));
}

/* The outcome is that of the node of this name, whatever it is made of by then. */
static void name_by_node(weir_value *data, const weir_value *path) {
    char key[WEIR__KEY_LENGTH + 1];
    weir__recall_name_key(weir_string_get(weir_array_at(path, 0)), key);
    weir_member_put_text(data, "key", weir_str_from(key));
    weir_member_put(data, "by_name", weir_bool_new(true));
}

void weir_restart_apply(weir_restart *r, weir_machine *machine, uint64_t now_us) {
    weir_value *how = weir_object_new();
    put_if(how, "task", r->path);
    put_if(how, "suspensions", r->suspensions);
    put_if(how, "parameters", r->parameters);
    for (size_t i = 0; i < r->stay.count; i++) {
        weir_value *data = weir_value_ref(r->stay.items[i]);
        if (r->parameters) {
            data = weir_value_own(data);
            name_by_node(data, path_of(data));
        }
        weir_machine_kept(machine, now_us, (uint32_t)i, data);
    }
    weir_machine_restarted(machine, now_us, (uint32_t)r->stay.count, how);
    bool open = !r->workflow && weir_dataflow_takes_contexts(weir_machine_coordinator(machine));
    bool over = weir_machine_finished(r->machine) != NULL;
    if (open) weir__gifts_give(&r->gifts, over, machine, now_us);
}

/* The path of a node of the other run; its name begins with that run's. */
static weir_value *rename_path(const weir_value *path, size_t name_length, weir_str name) {
    weir_value *renamed = weir_array_new();
    weir_str node = weir_string_get(weir_array_at(path, 0));
    weir_buffer text = {0};
    weir_buffer_str_append(&text, name);
    weir_buffer_str_append(&text, weir_str_slice(node, name_length, node.length));
    weir_array_append(renamed, weir_string_from(weir_buffer_str(&text)));
    weir_array_append(renamed, weir_value_ref(weir_array_at(path, 1)));
    weir_buffer_deinit(&text);
    return renamed;
}

void weir_restart_inherit(weir_restart *r, weir_machine *machine, weir_str name, uint64_t now_us) {
    size_t length = weir_member_text(weir_machine_request(r->machine), "name").length;
    for (size_t i = 0; i < r->stay.count; i++) {
        const weir_value *kept = r->stay.items[i];
        weir_value *data = weir_object_new(), *path = rename_path(path_of(kept), length, name);
        name_by_node(data, path);
        weir_member_put(data, "path", path);
        weir_member_put(data, "task", weir_int_new(-1)); /* it has no log here */
        weir_member_put(data, "outcome", weir_value_ref(weir_member_named(kept, "outcome")));
        weir_machine_kept(machine, now_us, (uint32_t)i, data);
    }
    weir_machine_restarted(machine, now_us, (uint32_t)r->stay.count, NULL);
}
