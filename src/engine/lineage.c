/* Where values of a run came from, and what came of them: the run's own part, and those of its child runs. */
#include <stdio.h>

#include "dataflow/trace.h"
#include "engine/engine_internal.h"
#include "workflow/lineage.h"

enum { DEPTH_MAX = 1000, NODES_MAX = 100000, NODES_USUAL = 1000 };

typedef struct tracing {
    weir_lineage_query query;
    weir_trace *trace;
    char *node; /* of a workflow, that the query means by an event's id; NULL: it does not */
    bool again; /* for values that are missing */
    unsigned restarts, passed; /* the run was; those of them that this reading has passed */
    bool ahead;                /* there are calls without events */
} tracing;

/* An event of a workflow that the query names stands for its node. */
static void note_node(tracing *t, const weir_run *run, const weir_event *event) {
    char id[48];
    snprintf(id, sizeof id, "%u:%llu", event->id.context, (unsigned long long)event->id.sequence);
    if (t->node || strcmp(t->query.what, id) != 0) return;
    const weir_coordinator *coordinator = weir_machine_coordinator(run->machine);
    weir_value *data = weir_object_new();
    coordinator->class->describe(coordinator, event, data);
    t->node = weir_member_named(data, "node") ? weir_str_dup(weir_member_text(data, "node")) : NULL;
    weir_value_unref(data);
    if (t->node) t->query.what = t->node;
}

static void take(void *arg, weir_run *run, const weir_event *event) {
    tracing *t = arg;
    if (strcmp(run->plan->kind, "workflow") == 0) {
        note_node(t, run, event);
        return;
    }
    if (event->type ==
        WEIR_RUN_RESTARTED) { /* what was before is the past: its outcomes come again where they were kept */
        t->passed++;
        if (t->again) return;
        t->restarts++;
        t->ahead = false;
        weir_trace_free(t->trace);
        t->trace = weir_trace_new(&t->query);
        return;
    }
    if (t->passed < t->restarts) return;
    t->ahead |= event->type == WEIR_CONTEXT_AHEAD || event->type == WEIR_CONTEXTS_TAKEN;
    weir_trace_take(t->trace, weir_machine_coordinator(run->machine), event);
    run->enough |= t->again && !weir_trace_misses(t->trace);
}

static void put_head(const weir_run *run, bool forward, weir_value *answer) {
    weir_str parent = weir_member_text(weir_machine_request(run->machine), "parent");
    weir_member_put_text(answer, "run", weir_str_from(run->name));
    weir_member_put_text(answer, "kind", weir_str_from(run->plan->kind));
    if (parent.length) weir_member_put_text(answer, "parent", parent);
    weir_member_put(answer, "forward", weir_bool_new(forward));
}

/* What stands in the journal and was too large to be kept while it was read. */
static bool look_up(weir_engine *engine, const char *id, tracing *t, weir_error *error) {
    weir_run *run;
    if (!weir_trace_misses(t->trace)) return true;
    t->again = true;
    t->passed = 0;
    if (!weir__run_load(engine, id, take, t, &run, error)) return false;
    weir_run_close(run);
    return true;
}

/* Of one run, without its children. */
static bool trace_run(weir_engine *engine, const char *name, const weir_lineage_query *query,
                      weir_value **out, weir_error *error) {
    weir_run *run;
    tracing t = {.query = *query};
    t.trace = weir_trace_new(&t.query);
    char id[WEIR_RUN_ID_LENGTH + 1];
    bool ok = weir__run_load(engine, name, take, &t, &run, error);
    if (ok) {
        bool workflow = strcmp(run->plan->kind, "workflow") == 0;
        memcpy(id, run->id, sizeof id);
        *out = workflow ? weir_workflow_lineage(weir_machine_coordinator(run->machine), &t.query)
                        : weir_trace_answer(t.trace);
        put_head(run, query->forward, *out);
        if (t.ahead) weir_member_put(*out, "unrecorded", weir_bool_new(true));
        weir_run_close(run);
        ok = workflow || look_up(engine, id, &t, error);
        if (!ok) weir_value_unref(*out);
    }
    weir_trace_free(t.trace);
    weir_free(t.node);
    return ok;
}

/* --- child runs --------------------------------------------------------------------------------- */

/* "RUN/ID" for ids of a child, which are its own. */
static weir_value *prefixed(const char *run, const weir_value *id) {
    weir_buffer text = {0};
    weir_buffer_printf(&text, "%s/%.*s", run, WEIR_ARG(weir_string_get(id)));
    weir_value *value = weir_string_from(weir_buffer_str(&text));
    weir_buffer_deinit(&text);
    return value;
}

static void append_prefixed(weir_value *to, const weir_value *from, const char *run,
                            const char *const *members) {
    for (size_t i = 0; i < weir_value_count(from); i++) {
        weir_value *item = weir_value_own(weir_value_ref(weir_array_at(from, i)));
        for (const char *const *member = members; *member; member++)
            weir_member_put(item, *member, prefixed(run, weir_member_named(item, *member)));
        weir_array_append(to, item);
    }
}

/* The run that the task of the node had begun, the newest if there are several: "" when there is none. */
static void find_child(weir_engine *engine, weir_str parent, const weir_value *node,
                       weir_buffer *name) {
    const weir_value *task = weir_member_named(node, "task"),
                     *attempt = weir_member_named(node, "attempt");
    if (!weir_str_is(weir_member_text(node, "executor"), "run") || !weir_is(task, WEIR_INT) ||
        !weir_is(attempt, WEIR_INT))
        return;
    for (int64_t number = weir_int_get(attempt); number > 0; number--) {
        weir_error absent;
        weir__child_name(parent, (uint32_t)weir_int_get(task), (uint32_t)number, name);
        if (weir__run_exists(engine, weir_buffer_str(name), &absent)) return;
    }
    weir_buffer_clear(name);
}

typedef struct family {
    weir_engine *engine;
    const weir_lineage_query *query;
    weir_value *nodes, *edges;
    size_t limit;
    bool cut;
} family;

static bool add_children(family *f, weir_str run, size_t from, int depth, weir_error *error);

/* Where the child begins, or forward what it was given, is next to the task. */
static void join_child(family *f, const weir_value *task, size_t first, size_t count) {
    for (size_t i = first; i < first + count; i++) {
        const weir_value *node = weir_array_at(f->nodes, i);
        weir_value *edge = weir_object_new();
        const weir_value *from = f->query->forward ? task : node,
                         *to = f->query->forward ? node : task;
        weir_member_put(edge, "from", weir_value_ref(weir_member_named(from, "id")));
        weir_member_put(edge, "to", weir_value_ref(weir_member_named(to, "id")));
        weir_member_put_text(edge, "name", WEIR_STR("child run"));
        weir_array_append(f->edges, edge);
    }
}

/* How many of the matches stand at the begin of the nodes. */
static size_t count_begins(const weir_value *matches, const weir_value *nodes) {
    size_t count = 0;
    while (count < weir_value_count(matches) && count < weir_value_count(nodes) &&
           weir_str_equal(weir_member_text(weir_array_at(matches, count), "id"),
                          weir_member_text(weir_array_at(nodes, count), "id")))
        count++;
    return count;
}

/* Goes on into the run that the task was. */
static bool add_child(family *f, const char *child, const weir_value *task, int depth,
                      weir_error *error) {
    static const char *const of_node[] = {"id", NULL}, *const of_edge[] = {"from", "to", NULL};
    weir_lineage_query query = {.size = sizeof query,
                                .what = "",
                                .forward = f->query->forward,
                                .depth = f->query->depth,
                                .limit = (uint32_t)(f->limit - weir_value_count(f->nodes))};
    weir_value *answer;
    if (!trace_run(f->engine, child, &query, &answer, error)) return false;
    const weir_value *nodes = weir_member_named(answer, "nodes");
    size_t first = weir_value_count(f->nodes);
    append_prefixed(f->nodes, nodes, child, of_node);
    append_prefixed(f->edges, weir_member_named(answer, "edges"), child, of_edge);
    f->cut |= weir_value_truth(weir_member_named(answer, "cut"));
    join_child(f, task, first, count_begins(weir_member_named(answer, "matches"), nodes));
    weir_value_unref(answer);
    return add_children(f, weir_str_from(child), first, depth + 1, error);
}

/* Says of each task that was a run which, and goes on into it. */
static bool add_children(family *f, weir_str run, size_t from, int depth, weir_error *error) {
    bool ok = true;
    size_t end = weir_value_count(f->nodes);
    for (size_t i = from; ok && i < end; i++) {
        weir_buffer name = {0};
        weir_value *node = weir_array_at(f->nodes, i);
        find_child(f->engine, run, node, &name);
        if (name.length) weir_member_put_text(node, "run", weir_buffer_str(&name));
        bool room = depth < WEIR__CHILD_DEPTH_MAX && weir_value_count(f->nodes) < f->limit;
        if (name.length && room) ok = add_child(f, name.data, node, depth, error);
        f->cut |= name.length && !room;
        weir_buffer_deinit(&name);
    }
    return ok;
}

static bool add_family(weir_engine *engine, const weir_lineage_query *query, weir_value *answer,
                       weir_error *error) {
    family f = {.engine = engine,
                .query = query,
                .nodes = weir_member_named(answer, "nodes"),
                .edges = weir_member_named(answer, "edges"),
                .limit = query->limit ? query->limit : NODES_USUAL,
                .cut = weir_value_truth(weir_member_named(answer, "cut"))};
    bool ok = add_children(&f, weir_member_text(answer, "run"), 0, 0, error);
    weir_member_put(answer, "cut", weir_bool_new(f.cut));
    return ok;
}

/* --- asking ------------------------------------------------------------------------------------- */

/* What the query asks for, within what an answer may have. */
static bool bound(const weir_lineage_query *given, weir_lineage_query *query, weir_error *error) {
    weir_assert(given->size == sizeof *given);
    *query = *given;
    if (query->depth == UINT32_MAX) query->depth = DEPTH_MAX;
    if (query->limit == UINT32_MAX) query->limit = NODES_MAX;
    if (!query->what || !*query->what)
        return weir_fail(error, WEIR_INVALID, "it has to be said which value or task is meant");
    if (query->depth > DEPTH_MAX)
        return weir_fail(error, WEIR_INVALID, "a lineage is at most %d operations deep", DEPTH_MAX);
    if (query->limit > NODES_MAX)
        return weir_fail(error, WEIR_INVALID, "a lineage has at most %d nodes", NODES_MAX);
    return true;
}

bool weir_lineage(weir_engine *engine, const char *name, const weir_lineage_query *given,
                  weir_value **out, weir_error *error) {
    weir_value *answer;
    weir_lineage_query whole, *query = &whole;
    if (!bound(given, query, error) || !trace_run(engine, name, query, &answer, error))
        return false;
    bool ok = weir_int_get(weir_member_named(answer, "found")) > 0;
    if (!ok) {
        weir_fail(error, WEIR_NOT_FOUND, "run %.*s has no value or task `%.200s`%s%.200s%s",
                  WEIR_ARG(weir_member_text(answer, "run")), query->what,
                  query->context ? " in a context `" : "", query->context ? query->context : "",
                  query->context ? "`" : "");
        weir_error_hint(
            error, "%s",
            weir_member_named(answer, "unrecorded")
                ? "many calls of this run have no events: `weir run --record all` keeps each"
                : "name a definition, DEFINITION=VALUE, an output, an operation or node, or an id "
                  "that "
                  "`weir events` shows");
    }
    ok = ok && add_family(engine, query, answer, error);
    if (!ok) {
        weir_value_unref(answer);
        return false;
    }
    *out = engine->secrets.count ? weir_secrets_mask_value(&engine->secrets, answer) : answer;
    return true;
}
