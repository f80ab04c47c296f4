#include "workflow/coordinator.h"

static void display_name(const weir__run *run, uint32_t parent, uint32_t at, weir_buffer *out) {
    if (parent == WEIR__NONE)
        weir_buffer_str_append(out, run->workflow->name);
    else if (run->nodes.items[parent].type == WEIR__TYPE_STEPS)
        weir_buffer_printf(out, "[%u]", at);
    else
        weir_buffer_str_append(out, run->nodes.items[parent].template->steps[at].name);
}

void weir__node_name(const weir__run *run, uint32_t parent, uint32_t at, weir_buffer *out) {
    if (parent != WEIR__NONE) {
        weir_buffer_str_append(out, weir_member_text(run->nodes.items[parent].start, "name"));
        if (run->nodes.items[parent].type != WEIR__TYPE_STEPS) weir_buffer_byte(out, '.');
    }
    display_name(run, parent, at, out);
}

void weir__node_display_name(const weir__run *run, uint32_t node, weir_buffer *out) {
    display_name(run, run->nodes.items[node].parent, run->nodes.items[node].at, out);
}

void weir__node_id(const weir__run *run, uint32_t node, weir_buffer *out) {
    weir_str name = weir_member_text(run->nodes.items[node].start, "name");
    weir_buffer_str_append(out, run->workflow->name);
    if (node) weir_buffer_printf(out, "-%u", weir_hash_fnv32(name));
}

/* What a status is made with: for each node its id, its children's ids, and its outbound nodes: those that what comes
 * after it hangs on, as Argo has it, in `pool` from `from` to `to`. */
typedef struct view {
    const weir__run *run;
    struct item {
        weir_value *id, *children;
        size_t from, to;
        uint32_t first_child, next; /* in the tree of who started whom */
    } * items;
    WEIR_VECTOR(uint32_t) pool;
} view;

static void add_outbound_of(view *v, uint32_t node) {
    if (node == WEIR__NONE) return;
    size_t count = v->items[node].to - v->items[node].from;
    weir_vector_reserve(&v->pool, count);
    for (size_t i = 0; i < count; i++)
        v->pool.items[v->pool.count++] = v->pool.items[v->items[node].from + i];
}

/* Those of its children are known. */
static void find_outbound(view *v, uint32_t node) {
    const weir__node *n = &v->run->nodes.items[node];
    const weir__template *t = n->template;
    v->items[node].from = v->pool.count;
    if (n->type == WEIR__TYPE_GROUP) {
        const uint32_t *slots = v->run->nodes.items[n->parent].slots;
        for (uint32_t i = t->groups[n->at]; i < t->groups[n->at + 1]; i++)
            add_outbound_of(v, slots[i]);
    } else if (n->type == WEIR__TYPE_STEPS && n->unstarted < t->group_count) {
        add_outbound_of(v, n->slots[t->step_count + t->group_count - n->unstarted - 1]);
    } else if (n->type == WEIR__TYPE_DAG) {
        for (size_t i = 0; i < t->step_count; i++)
            if (t->steps[i].target) add_outbound_of(v, n->slots[i]);
    }
    if (v->pool.count == v->items[node].from) *weir_vector_push(&v->pool) = node;
    v->items[node].to = v->pool.count;
}

static void hang_on(view *v, uint32_t parent, uint32_t child) {
    weir_array_append(v->items[parent].children, weir_value_ref(v->items[child].id));
}

static void hang_on_outbound(view *v, uint32_t before, uint32_t child) {
    for (size_t i = v->items[before].from; i < v->items[before].to; i++)
        hang_on(v, v->pool.items[i], child);
}

/* Makes it a child of what came before it. */
static void link_node(view *v, uint32_t node) {
    const weir__node *n = &v->run->nodes.items[node];
    if (n->parent == WEIR__NONE) return;
    const weir__node *parent = &v->run->nodes.items[n->parent];
    bool task = parent->type == WEIR__TYPE_DAG;
    const weir__indexes *on = task ? &n->step->dependencies : NULL;
    if (parent->type == WEIR__TYPE_STEPS && n->at)
        hang_on_outbound(v, parent->slots[n->template->step_count + n->at - 1], node);
    else if (!task || !on->count)
        hang_on(v, n->parent, node);
    for (size_t i = 0; task && i < on->count; i++)
        hang_on_outbound(v, parent->slots[on->items[i]], node);
}

/* Argo's form of {name: text}. */
static weir_value *parameter_list(const weir_value *parameters) {
    weir_value *list = weir_array_new();
    for (size_t i = 0; i < weir_value_count(parameters); i++) {
        weir_value *parameter = weir_object_new();
        weir_member_put_text(parameter, "name", weir_object_key(parameters, i));
        weir_member_put(parameter, "value", weir_value_ref(weir_object_at(parameters, i)));
        weir_array_append(list, parameter);
    }
    return list;
}

static void put_inputs_and_outputs(const weir__node *n, weir_value *out) {
    const weir_value *inputs = weir_member_named(n->start, "inputs");
    const weir_value *outputs = weir_member_named(n->end, "outputs");
    if (inputs) {
        weir_value *object = weir_object_new();
        weir_member_put(object, "parameters", parameter_list(inputs));
        weir_member_put(out, "inputs", object);
    }
    if (!outputs) return;
    weir_value *object = weir_object_new();
    for (size_t i = 0; i < weir_value_count(outputs); i++) {
        weir_str key = weir_object_key(outputs, i);
        weir_value *value = weir_object_at(outputs, i);
        bool texts = weir_is(value, WEIR_OBJECT);
        weir_member_set(object, key, texts ? parameter_list(value) : weir_value_ref(value));
    }
    weir_member_put(out, "outputs", object);
}

static const char *phase_text(const weir__run *run, const weir__node *n) {
    bool waits =
        n->task != WEIR_NO_TASK && weir_tasks_state(run->tasks, n->task) == WEIR_STATE_READY;
    return waits ? "Pending" : weir__phase_texts[n->phase];
}

static void put_text(weir_value *out, const char *key, weir_str text) {
    if (text.length) weir_member_put(out, key, weir_string_from(text));
}

static weir_value *describe_node(const view *v, uint32_t node) {
    const weir__node *n = &v->run->nodes.items[node];
    const struct item *item = &v->items[node];
    weir_value *out = weir_object_new();
    weir_buffer text = {0};
    display_name(v->run, n->parent, n->at, &text);
    weir_member_put(out, "id", weir_value_ref(item->id));
    put_text(out, "name", weir_member_text(n->start, "name"));
    put_text(out, "displayName", weir_buffer_str(&text));
    put_text(out, "type", weir_str_from(weir__type_texts[n->type]));
    put_text(out, "phase", weir_str_from(phase_text(v->run, n)));
    put_text(out, "message", weir_member_text(n->end, "message"));
    if (n->type != WEIR__TYPE_GROUP) put_text(out, "template", n->template->name);
    if (n->parent != WEIR__NONE) {
        weir_member_put(out, "parent", weir_value_ref(v->items[n->parent].id));
        weir_member_put(out, "boundaryID", weir_value_ref(v->items[n->boundary].id));
    }
    weir_member_put(out, "children", weir_value_ref(item->children));
    put_inputs_and_outputs(n, out);
    if (n->task != WEIR_NO_TASK) weir_member_put(out, "task", weir_int_new(n->task));
    if (n->task != WEIR_NO_TASK && weir_tasks_was_found(v->run->tasks, n->task))
        weir_member_put(out, "cached", weir_int_new(1));
    if (n->daemoned && !n->end) weir_member_put(out, "daemoned", weir_bool_new(true));
    weir_member_put(out, "started", weir_int_new((int64_t)n->started_us));
    if (n->end) weir_member_put(out, "finished", weir_int_new((int64_t)n->finished_us));
    weir_buffer_deinit(&text);
    return out;
}

static void view_init(view *v, size_t count) {
    v->items = weir_alloc((count + 1) * sizeof *v->items);
    for (uint32_t i = (uint32_t)count; i-- > 0;) {
        struct item *item = &v->items[i];
        weir_buffer id = {0};
        weir__node_id(v->run, i, &id);
        item->id = weir_string_from(weir_buffer_str(&id));
        item->children = weir_array_new();
        weir_buffer_deinit(&id);
        find_outbound(v, i);
        uint32_t parent = v->run->nodes.items[i].parent;
        /* 0 stands for none: the root is nobody's child */
        item->next = parent == WEIR__NONE ? 0 : v->items[parent].first_child;
        if (parent != WEIR__NONE) v->items[parent].first_child = i;
    }
    for (uint32_t i = 0; i < count; i++) link_node(v, i);
}

weir_value *weir__status(const weir_coordinator *coordinator) {
    const weir__run *run = (const weir__run *)coordinator;
    weir_value *nodes = weir_array_new(), *status = weir_object_new();
    view v = {.run = run};
    view_init(&v, run->nodes.count);
    for (uint32_t i = 0; run->nodes.count;) {
        weir_array_append(nodes, describe_node(&v, i));
        uint32_t next = v.items[i].first_child;
        while (!next && i) {
            next = v.items[i].next;
            i = run->nodes.items[i].parent;
        }
        if (!next) break;
        i = next;
    }
    for (size_t i = 0; i < run->nodes.count; i++) {
        weir_value_unref(v.items[i].id);
        weir_value_unref(v.items[i].children);
    }
    weir_free(v.items);
    weir_vector_deinit(&v.pool);
    weir_member_put(status, "nodes", nodes);
    return status;
}
