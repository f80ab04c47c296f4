/* The metrics that workflows gave, from their journals. */
#include "engine/engine_internal.h"
#include "workflow/status.h"

typedef struct gathering {
    weir_engine *engine;
    weir_value *list;
    weir_run *run; /* the one that is replayed */
    weir_error *error;
    bool ok;
} gathering;

/* What an end has, with whose it is. */
static void take_event(void *arg, weir_run *run, const weir_event *event) {
    gathering *g = arg;
    g->run = run;
    bool of_node = event->type == WEIR_NODE_FINISHED;
    if (!of_node && event->type != WEIR_RUN_FINISHED) return;
    const weir_value *metrics = weir_member_named(event->data, "metrics");
    for (size_t i = 0; weir_is(metrics, WEIR_ARRAY) && i < weir_value_count(metrics); i++) {
        weir_value *one = weir_value_own(weir_value_ref(weir_array_at(metrics, i)));
        if (!weir_is(one, WEIR_OBJECT)) {
            weir_value_unref(one);
            continue;
        }
        weir_member_put_text(one, "run", weir_str_from(run->name));
        weir_member_put(one, "time", weir_int_new((int64_t)event->time_us));
        if (of_node) {
            weir_value *data = weir_object_new();
            const weir_coordinator *coordinator = weir_machine_coordinator(run->machine);
            coordinator->class->describe(coordinator, event, data);
            weir_member_put_text(one, "node", weir_member_text(data, "node"));
            weir_value_unref(data);
        }
        weir_array_append(g->list, one);
    }
}

/* What gauges say of it now, while it goes on. */
static void take_moment(gathering *g) {
    uint64_t now_us = weir__now_us(g->engine);
    size_t before = weir_value_count(g->list);
    weir_workflow_realtime(weir_machine_coordinator(g->run->machine), now_us, g->list);
    for (size_t i = before; i < weir_value_count(g->list); i++) {
        weir_value *one = weir_array_at(g->list, i);
        weir_member_put_text(one, "run", weir_str_from(g->run->name));
        weir_member_put(one, "time", weir_int_new((int64_t)now_us));
    }
}

static bool gather_run(gathering *g, const char *name) {
    bool more = true;
    g->run = NULL;
    weir__replay *replay;
    if (!weir__replay_open(g->engine, weir_str_from(name), take_event, g, &replay, g->error))
        return false;
    bool ok = true;
    while (ok && more) ok = weir__replay_more(replay, &more, g->error);
    if (ok && g->run && !weir_machine_finished(g->run->machine) &&
        strcmp(g->run->plan->kind, "workflow") == 0)
        take_moment(g);
    weir__replay_close(replay);
    return ok;
}

static bool note_workflow(void *ids, const weir_run_record *record) {
    return !weir_str_is(record->kind, "workflow") || weir__run_ids_note(ids, record);
}

bool weir_metrics(weir_engine *engine, const char *name, weir_value **out, weir_error *error) {
    gathering g = {.engine = engine, .list = weir_array_new(), .error = error, .ok = true};
    weir__run_ids all = {0};
    if (name)
        g.ok = gather_run(&g, name);
    else
        g.ok = weir_store_list(engine->store, 0, note_workflow, &all, error);
    for (size_t i = all.count; i-- > 0;) { /* the oldest first: a gauge is what was said last */
        weir_error gone;
        g.error = &gone; /* a run may be removed meanwhile, or be damaged: the others count */
        if (g.ok) (void)gather_run(&g, all.items[i]);
    }
    weir__run_ids_deinit(&all);
    if (g.ok)
        *out = g.list;
    else
        weir_value_unref(g.list);
    return g.ok;
}
