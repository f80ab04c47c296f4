/* One task of a run that goes on: it is cancelled, or its attempt begins again. */
#include "data/json.h"
#include "engine/engine_internal.h"
#include "engine/restart.h"

typedef struct finding {
    weir_run *run;
    const weir_value *what; /* {task, context?} */
    bool under_way;         /* only those with an attempt under way */
    weir_value *paths;      /* of those that were found */
    weir_task_id task;      /* the last of them */
} finding;

static void look_at(finding *f, weir_task_id task) {
    const weir_tasks *tasks = weir_machine_tasks(f->run->machine);
    const weir_coordinator *coordinator = weir_machine_coordinator(f->run->machine);
    weir_task_state state = weir_tasks_state(tasks, task);
    const weir_task_spec *spec = weir_tasks_spec(tasks, task);
    bool runs = state == WEIR_STATE_RUNNING || state == WEIR_STATE_STOPPING;
    bool waits = state == WEIR_STATE_READY || state == WEIR_STATE_BACKOFF;
    if (!spec || !spec->executor.length || !(runs || (waits && !f->under_way))) return;
    weir_value *path = coordinator->class->locate(coordinator, task);
    if (weir_restart_names(path, strcmp(f->run->plan->kind, "workflow") == 0, f->what)) {
        weir_array_append(f->paths, weir_value_ref(path));
        f->task = task;
    }
    weir_value_unref(path);
}

/* The one that is named; false, with the error when there is room for it, when it is none or not one. */
static bool find(weir_run *run, const weir_value *what, bool under_way, weir_task_id *task,
                 weir_error *error) {
    const weir_tasks *tasks = weir_machine_tasks(run->machine);
    finding f = {.run = run, .what = what, .under_way = under_way, .paths = weir_array_new()};
    bool can = weir_machine_coordinator(run->machine)->class->locate != NULL;
    for (weir_task_id id = weir_tasks_next(tasks, 0); can && id < weir_tasks_count(tasks);
         id = weir_tasks_next(tasks, id + 1))
        look_at(&f, id);
    bool one = weir_value_count(f.paths) == 1;
    if (one)
        *task = f.task;
    else if (error && weir_value_count(f.paths))
        weir_restart_fail_name(what, f.paths, strcmp(run->plan->kind, "workflow") == 0, error);
    else if (error)
        weir_fail(error, WEIR_NOT_FOUND, "no task `%.*s` of the run %s is under way or waits",
                  WEIR_ARG(weir_member_text(what, "task")), run->name);
    weir_value_unref(f.paths);
    return one;
}

bool weir__task_cancel(weir_run *run, weir_str text, weir_error *error) {
    weir_value *what;
    weir_task_id task;
    if (weir_machine_finished(run->machine))
        return weir_fail(error, WEIR_CONFLICT, "the run %s is over", run->name);
    if (!weir_json_parse(text, WEIR_STR("command"), &what, error)) return false;
    const weir_value *terminate = weir_member_named(what, "terminate");
    bool ok = find(run, what, false, &task, error);
    if (ok)
        weir_machine_cancel_task(run->machine, weir__now_us(run->engine), task,
                                 terminate && weir_value_truth(terminate));
    weir_value_unref(what);
    return ok;
}

bool weir__task_begin_again(weir_run *run, const weir_value *what) {
    weir_task_id task;
    const weir_value *alone = weir_member_named(what, "alone");
    if (!alone || !weir_value_truth(alone) || !find(run, what, true, &task, NULL)) return false;
    weir_machine_begin_again(run->machine, weir__now_us(run->engine), task);
    return true;
}
