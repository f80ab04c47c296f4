/* What of a dataflow's run is undone when it is restarted: by the flow, an instance and all that it leads to, in the
 * context that is meant; and there what looks at all of the context, in its later stages. */
#include "dataflow/coordinator_internal.h"

weir_value *weir__dataflow_locate(const weir_coordinator *base, weir_task_id task) {
    const weir__dataflow *c = (const weir__dataflow *)base;
    const weir__context *context = weir__dataflow_task(c, task)->context;
    const weir__instance *instance =
        &context->flow->instances.items[weir__dataflow_task(c, task)->instance];
    weir_value *path =
        context->parent ? weir__dataflow_locate(base, context->task) : weir_array_new();
    weir_array_append(path, weir_string_from(context->name));
    weir_array_append(path, weir_string_from(instance->name));
    return path;
}

/* --- what an instance leads to ---------------------------------------------------------------- */

static weir_str text_at(const weir_value *path, size_t at) {
    return weir_string_get(weir_array_at(path, at));
}

/* The instance that a path names at this level, counted from 0, in the flow there; NULL: the plan has none. */
static const weir__instance *instance_at(const weir__dataflow *c, const weir_value *path,
                                         size_t level, const weir__flow **out) {
    const weir__flow *flow = c->plan->flows.items[0];
    for (size_t at = 0;; at++) {
        uint64_t number;
        if (weir_value_count(path) < 2 * at + 2 ||
            !weir__instance_find(flow, text_at(path, 2 * at + 1), &number))
            return NULL;
        const weir__instance *instance = &flow->instances.items[number];
        *out = flow;
        if (at == level) return instance;
        if (instance->nested == WEIR__NESTED_NOT) return NULL;
        flow = c->plan->flows.items[instance->flow];
    }
}

typedef struct reach {
    const weir__flow *flow;
    bool *has; /* by instance */
    WEIR_VECTOR(uint32_t) todo;
} reach;

static void reach_instance(reach *r, uint32_t instance) {
    if (r->has[instance]) return;
    r->has[instance] = true;
    *weir_vector_push(&r->todo) = instance;
}

/* What a forwarded definition brings into the dataflow that an instance runs. */
static void reach_by_forward(reach *r, uint32_t definition) {
    for (size_t i = 0; i < r->flow->forwards.count; i++)
        if (r->flow->forwards.items[i].definition == definition)
            reach_instance(r, r->flow->forwards.items[i].instance);
}

/* Marks all that the instance leads to: itself too when that is so. */
static void follow(reach *r, uint32_t from) {
    const weir__flow *flow = r->flow;
    *weir_vector_push(&r->todo) = from;
    while (r->todo.count) {
        const weir__instance *instance = &flow->instances.items[r->todo.items[--r->todo.count]];
        for (size_t o = 0; o < instance->outputs.count; o++) {
            const weir__origin *origin = &flow->origins.items[instance->outputs.items[o].origin];
            for (size_t i = 0; i < origin->consumers.count; i++)
                reach_instance(r, origin->consumers.items[i].instance);
            reach_by_forward(r, instance->outputs.items[o].definition);
        }
        for (uint32_t i = 0; i < flow->instances.count; i++)
            if (flow->instances.items[i].stage > instance->stage) reach_instance(r, i);
    }
}

/* --- what is undone --------------------------------------------------------------------------- */

/* Of the chosen path: what depends on its instance at each level. */
typedef struct undoing {
    const weir_value *chosen;
    WEIR_VECTOR(reach) levels;
} undoing;

static void undoing_init(undoing *u, const weir__dataflow *c, const weir_value *chosen) {
    *u = (undoing){.chosen = chosen};
    for (size_t level = 0; level < weir_value_count(chosen) / 2; level++) {
        const weir__flow *flow;
        const weir__instance *instance = instance_at(c, chosen, level, &flow);
        if (!instance) return;
        reach r = {.flow = flow, .has = weir_alloc((flow->instances.count + 1) * sizeof *r.has)};
        follow(&r, (uint32_t)(instance - flow->instances.items));
        *weir_vector_push(&u->levels) = r;
    }
}

static void undoing_deinit(undoing *u) {
    for (size_t i = 0; i < u->levels.count; i++) {
        weir_free(u->levels.items[i].has);
        weir_vector_deinit(&u->levels.items[i].todo);
    }
    weir_vector_deinit(&u->levels);
}

static bool is_undone(const undoing *u, const weir_value *path) {
    size_t own = weir_value_count(path) / 2;
    for (size_t level = 0; level < u->levels.count && level < own; level++) {
        const reach *r = &u->levels.items[level];
        weir_str instance = text_at(path, 2 * level + 1);
        uint64_t number;
        if (!weir_str_equal(text_at(path, 2 * level), text_at(u->chosen, 2 * level)) ||
            !weir__instance_find(r->flow, instance, &number))
            return false;
        if (r->has[number]) return true;
        if (!weir_str_equal(instance, text_at(u->chosen, 2 * level + 1))) return false;
        /* It is the chosen one or within it; or runs the dataflow that that is in. */
        if (level + 1 == u->levels.count || level + 1 == own) return true;
    }
    return false;
}

/* --- of what failed --------------------------------------------------------------------------- */

/* The context that a path is in, as bytes that no other has. */
static void context_key(const weir_value *path, weir_buffer *out) {
    weir_buffer_clear(out);
    for (size_t i = 0; i + 1 < weir_value_count(path); i++)
        weir_value_encode(weir_array_at(path, i), out);
}

/* What failed gave nothing; so only what looks at all of a context's inputs is undone. */
static void undo_failed(const weir__dataflow *c, const weir_value *chosen, weir_value *const *paths,
                        size_t count, bool *undone) {
    weir_map contexts = {0};
    weir_arena names;
    weir_buffer key = {0};
    weir_arena_init(&names);
    for (size_t i = 0; i < weir_value_count(chosen); i++) {
        context_key(weir_array_at(chosen, i), &key);
        weir_str found = weir_buffer_str(&key);
        if (!weir_map_get(&contexts, found, NULL))
            weir_map_set(&contexts, (weir_str){weir_str_copy(&names, found), found.length}, i);
    }
    for (size_t i = 0; i < count; i++) {
        const weir__flow *flow;
        const weir__instance *instance =
            instance_at(c, paths[i], weir_value_count(paths[i]) / 2 - 1, &flow);
        context_key(paths[i], &key);
        undone[i] = !instance || (instance->stage != WEIR_STAGE_PROCESSING &&
                                  weir_map_get(&contexts, weir_buffer_str(&key), NULL));
    }
    weir_buffer_deinit(&key);
    weir_map_deinit(&contexts);
    weir_arena_deinit(&names);
}

void weir__dataflow_undo(const weir_coordinator *base, const weir_value *chosen, bool failed,
                         weir_value *const *paths, size_t count, bool *undone) {
    const weir__dataflow *c = (const weir__dataflow *)base;
    if (failed) {
        undo_failed(c, chosen, paths, count, undone);
        return;
    }
    for (size_t i = 0; i < weir_value_count(chosen); i++) {
        undoing u;
        undoing_init(&u, c, weir_array_at(chosen, i));
        for (size_t p = 0; p < count; p++) undone[p] = undone[p] || is_undone(&u, paths[p]);
        undoing_deinit(&u);
    }
}
