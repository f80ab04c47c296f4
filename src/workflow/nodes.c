#include "workflow/coordinator.h"

/* --- names ----------------------------------------------------------------------------------------- */

/* What the node's name has behind its parent's. */
static void append_part(const weir__run *run, weir__place place, weir_buffer *out) {
    const weir__node *parent = weir__node_at(run, place.parent);
    const weir__step *step = weir__step_at(run, place);
    if (place.hook) {
        weir_buffer_text(out, weir__is_exit(step) ? ".onExit" : ".hooks.");
        if (!weir__is_exit(step)) weir_buffer_str_append(out, step->name);
        return;
    }
    switch (parent->type) {
    case WEIR__TYPE_STEPS: weir_buffer_printf(out, "[%u]", place.at); return;
    case WEIR__TYPE_RETRY: weir_buffer_printf(out, "(%u)", place.at); return;
    case WEIR__TYPE_ITEMS: {
        weir_value *item = weir__loop_item(parent->start, place.at);
        weir_buffer_printf(out, "(%u:", place.at);
        weir__loop_item_text(item, out);
        weir_buffer_byte(out, ')');
        weir_value_unref(item);
        return;
    }
    default: weir_buffer_byte(out, '.'); weir_buffer_str_append(out, step->name);
    }
}

static weir_str name_of(const weir__run *run, uint32_t node) {
    return weir_member_text(weir__node_at(run, node)->start, "name");
}

void weir__node_name(const weir__run *run, weir__place place, weir_buffer *out) {
    if (place.parent == WEIR__NONE) {
        weir_buffer_str_append(out, run->workflow->name);
        return;
    }
    weir_buffer_str_append(out, name_of(run, place.parent));
    append_part(run, place, out);
}

void weir__node_display_name(const weir__run *run, uint32_t node, weir_buffer *out) {
    const weir__node *n = weir__node_at(run, node);
    weir_str name = name_of(run, node), shown = weir_member_text(n->start, "display");
    if (shown.length) { /* what its template says */
        weir_buffer_str_append(out, shown);
        return;
    }
    if (n->boundary != WEIR__NONE) {
        name = weir_str_slice(name, name_of(run, n->boundary).length, name.length);
        size_t group = weir_str_find(name, WEIR_STR("]."), 0);
        if (name.data[0] == '[' && group != SIZE_MAX)
            name = weir_str_slice(name, group + 2, name.length);
        else if (name.data[0] == '.')
            name = weir_str_slice(name, 1, name.length);
    }
    weir_buffer_str_append(out, name);
}

bool weir__is_display_name(weir_str name) {
    bool valid = name.length >= 2 && name.length <= 63;
    for (size_t i = 0; i < name.length && valid; i++) {
        char ch = name.data[i], low = (char)(ch | 32);
        bool letter = (low >= 'a' && low <= 'z') || (ch >= '0' && ch <= '9');
        valid = letter || (i > 0 && i + 1 < name.length && (ch == '-' || ch == '.'));
    }
    return valid;
}

void weir__node_id(const weir__run *run, uint32_t node, weir_buffer *out) {
    weir_buffer_str_append(out, run->workflow->name);
    if (node) weir_buffer_printf(out, "-%u", weir_hash_fnv32(name_of(run, node)));
}

void weir__pod_name(const weir__run *run, weir__place place, weir_buffer *out) {
    enum { PREFIX_MAX = 242 };
    weir_str name = run->workflow->name;
    weir_buffer full = {0};
    if (place.parent == WEIR__NONE) {
        weir_buffer_str_append(out, name);
        return;
    }
    weir__node_name(run, place, &full);
    size_t from = out->length;
    weir_buffer_printf(out, "%.*s-%.*s", WEIR_ARG(name),
                       WEIR_ARG(weir__called(run->workflow, weir__step_at(run, place))->name));
    if (out->length - from > PREFIX_MAX) out->length = from + PREFIX_MAX;
    weir_buffer_printf(out, "-%u", weir_hash_fnv32(weir_buffer_str(&full)));
    weir_buffer_deinit(&full);
}

/* --- status ------------------------------------------------------------------------------------------ */

bool weir__node_is_hidden(const weir__run *run, const weir__node *n) {
    return n->type == WEIR__TYPE_ITEMS && weir__node_at(run, n->parent)->type == WEIR__TYPE_GROUP;
}

/* What a status is made with: for each node its id, its children's ids, and its outbound nodes: those that what comes
 * after it hangs on, as Argo has it, in `pool` from `from` to `to`. Behind the nodes the containers of sets have places, too. */
typedef struct view {
    const weir__run *run;
    struct item {
        weir_value *id, *children;
        size_t from, to;
        uint32_t first_child, next; /* in the tree of who started whom */
        uint32_t members;           /* of a pod that is a container set: the place of its first */
    } * items;
    size_t count;
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
    } else if (n->type == WEIR__TYPE_STEPS && n->slots && n->unstarted < t->group_count) {
        add_outbound_of(v, n->slots[t->step_count + t->group_count - n->unstarted - 1]);
    } else if (n->type == WEIR__TYPE_DAG && n->slots) { /* one that began */
        for (size_t i = 0; i < t->step_count; i++)
            if (t->steps[i].target) add_outbound_of(v, n->slots[i]);
    } else if (n->type == WEIR__TYPE_ITEMS) {
        for (uint32_t i = 0; i < n->count; i++) add_outbound_of(v, n->slots[i]);
        for (size_t i = 0; n->hooks && i < n->step->hook_count; i++)
            if (n->hooks[i] < WEIR__DUE) *weir_vector_push(&v->pool) = n->hooks[i];
    } else if (n->type == WEIR__TYPE_RETRY) {
        uint32_t last = weir__retry_last(n);
        if (last != WEIR__NONE) *weir_vector_push(&v->pool) = last;
    } else if (n->type == WEIR__TYPE_POD) {
        for (uint32_t i = 0; i < t->member_count; i++)
            if (!t->members[i].dependents.count)
                *weir_vector_push(&v->pool) = v->items[node].members + i;
    }
    if (v->pool.count == v->items[node].from) *weir_vector_push(&v->pool) = node;
    v->items[node].to = v->pool.count;
}

static void hang_on(view *v, uint32_t parent, uint32_t child) {
    weir_array_append(v->items[parent].children, weir_value_ref(v->items[child].id));
}

/* A hook that began later is nothing that it came after. */
static void hang_on_outbound(view *v, uint32_t before, uint32_t child) {
    for (size_t i = v->items[before].from; i < v->items[before].to; i++) {
        uint32_t outbound = v->pool.items[i];
        if (outbound < child || outbound >= v->run->nodes.count) hang_on(v, outbound, child);
    }
}

/* Makes it a child of what came before it. */
static void link_node(view *v, uint32_t node) {
    const weir__node *n = &v->run->nodes.items[node];
    if (n->parent == WEIR__NONE || weir__node_is_hidden(v->run, n)) return;
    const weir__node *parent = &v->run->nodes.items[n->parent];
    if (n->hook) {
        if (n->parent || !weir__is_exit(n->step))
            hang_on(v, n->parent, node); /* the run's exit handler stands for itself */
        return;
    }
    bool task = parent->type == WEIR__TYPE_DAG;
    const weir__indexes *on = task ? &n->step->dependencies : NULL;
    if (parent->type == WEIR__TYPE_STEPS && n->at)
        hang_on_outbound(v, parent->slots[n->template->step_count + n->at - 1], node);
    else if (!task || !on->count)
        hang_on(v, weir__node_is_hidden(v->run, parent) ? parent->parent : n->parent, node);
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

static void put_inputs_and_outputs(const weir__run *run, const weir__node *n, weir_value *out) {
    const weir_value *inputs = n->inputs;
    const weir_value *artifacts = n->step ? weir__artifacts_of(run, n) : NULL;
    const weir_value *outputs = weir_member_named(n->end, "outputs");
    if (inputs || artifacts) {
        weir_value *object = weir_object_new();
        if (inputs) weir_member_put(object, "parameters", parameter_list(inputs));
        if (artifacts)
            weir_member_put(object, "artifacts", weir_value_ref((weir_value *)artifacts));
        weir_member_put(out, "inputs", object);
    }
    if (!outputs) return;
    weir_value *object = weir_object_new();
    for (size_t i = 0; i < weir_value_count(outputs); i++) {
        weir_str key = weir_object_key(outputs, i);
        weir_value *value = weir_object_at(outputs, i);
        bool texts = weir_is(value, WEIR_OBJECT);
        if (weir_str_is(key, "artifacts") && n->type == WEIR__TYPE_POD && run->finished)
            weir_member_set(object, key, weir__garbage_mark(run, value));
        else
            weir_member_set(object, key, texts ? parameter_list(value) : weir_value_ref(value));
    }
    weir_member_put(out, "outputs", object);
}

weir_str weir__node_host(const weir__run *run, const weir__node *n) {
    return n->host ? run->hosts.items[n->host - 1] : WEIR_STR("");
}

const char *weir__node_phase(const weir__run *run, const weir__node *n) {
    bool waits =
        weir__node_pends(n) ||
        (n->look != WEIR_NO_TASK && weir_tasks_state(run->tasks, n->look) == WEIR_STATE_READY) ||
        (n->task != WEIR_NO_TASK && weir_tasks_state(run->tasks, n->task) == WEIR_STATE_READY);
    return waits ? "Pending" : weir__phase_texts[n->phase];
}

static void put_text(weir_value *out, const char *key, weir_str text) {
    if (text.length) weir_member_put(out, key, weir_string_from(text));
}

/* Of what is made of templates of its own, as Argo has them. */
static void put_outbound(const view *v, uint32_t node, weir_value *out) {
    weir__type type = v->run->nodes.items[node].type;
    if (type != WEIR__TYPE_STEPS && type != WEIR__TYPE_DAG) return;
    const weir__node *n = weir__node_at(v->run, node);
    if (n->look != WEIR_NO_TASK && weir_tasks_was_found(v->run->tasks, n->look)) return;
    weir_value *list = weir_array_new();
    for (size_t i = v->items[node].from; i < v->items[node].to; i++)
        weir_array_append(list, weir_value_ref(v->items[v->pool.items[i]].id));
    weir_member_put(out, "outboundNodes", list);
}

/* Whether what it gave was remembered. */
static bool was_found(const weir__run *run, const weir__node *n) {
    weir_task_id task = n->look != WEIR_NO_TASK ? n->look : n->task;
    return task != WEIR_NO_TASK && weir_tasks_was_found(run->tasks, task);
}

/* Of a template that is memoized: whether its outcome was there. */
static void put_memo(const weir__run *run, const weir__node *n, weir_value *out) {
    weir_str key = weir_member_text(n->start, "memo_key");
    bool attempt = n->parent != WEIR__NONE && !n->hook &&
                   weir__node_at(run, n->parent)->type == WEIR__TYPE_RETRY;
    if (attempt) key = weir_member_text(weir__node_at(run, n->parent)->start, "memo_key");
    if (!key.length || n->type == WEIR__TYPE_SKIPPED) return;
    const weir_memo *of = n->template->look.memo ? n->template->look.memo : n->template->spec.memo;
    weir_value *memo = weir_object_new();
    weir_member_put(memo, "hit", weir_bool_new(was_found(run, n)));
    weir_member_put_text(memo, "key", key);
    weir_member_put_text(memo, "cacheName", of->cache);
    weir_member_put(out, "memoizationStatus", memo);
}

void weir__node_describe(const weir__run *run, uint32_t node, weir_value *id, weir_value *out) {
    const weir__node *n = weir__node_at(run, node);
    weir_buffer text = {0};
    weir__node_display_name(run, node, &text);
    weir_member_put(out, "id", id);
    put_text(out, "name", weir_member_text(n->start, "name"));
    put_text(out, "displayName", weir_buffer_str(&text));
    put_text(out, "type", weir_str_from(weir__type_texts[n->type]));
    put_text(out, "phase", weir_str_from(weir__node_phase(run, n)));
    put_text(out, "message", weir_member_text(n->end, "message"));
    if (n->step) put_text(out, "template", n->template->name);
    weir_buffer_deinit(&text);
}

void weir__node_describe_times(const weir__node *n, weir_value *out) {
    if (weir__node_waits(n)) weir__lock_describe(n, out);
    if (n->daemoned && !n->end) weir_member_put(out, "daemoned", weir_bool_new(true));
    weir_member_put(out, "started", weir_int_new((int64_t)n->started_us));
    if (n->end) weir_member_put(out, "finished", weir_int_new((int64_t)n->finished_us));
}

static weir_value *describe_node(const view *v, uint32_t node) {
    const weir__node *n = &v->run->nodes.items[node];
    const struct item *item = &v->items[node];
    weir_value *out = weir_object_new();
    weir__node_describe(v->run, node, weir_value_ref(item->id), out);
    if (n->parent != WEIR__NONE) {
        const weir__node *parent = weir__node_at(v->run, n->parent);
        uint32_t shown = weir__node_is_hidden(v->run, parent) ? parent->parent : n->parent;
        weir_member_put(out, "parent", weir_value_ref(v->items[shown].id));
    }
    if (n->boundary != WEIR__NONE)
        weir_member_put(out, "boundaryID", weir_value_ref(v->items[n->boundary].id));
    weir_member_put(out, "children", weir_value_ref(item->children));
    put_outbound(v, node, out);
    put_inputs_and_outputs(v->run, n, out);
    if (n->task != WEIR_NO_TASK) weir_member_put(out, "task", weir_int_new(n->task));
    if (was_found(v->run, n)) weir_member_put(out, "cached", weir_int_new(1));
    put_memo(v->run, n, out);
    if (n->daemoned) weir_member_put_text(out, "podIP", WEIR_STR("127.0.0.1"));
    if (n->type == WEIR__TYPE_POD) put_text(out, "hostNodeName", weir__node_host(v->run, n));
    uint64_t progress;
    if (weir_notes_find(&v->run->progress, node, &progress)) {
        weir_member_put(out, "work_done", weir_int_new((int64_t)(progress & UINT32_MAX)));
        weir_member_put(out, "work", weir_int_new((int64_t)(progress >> 32)));
    }
    weir__node_describe_times(n, out);
    return out;
}

/* The places of the containers of sets. */
static void place_members(view *v, size_t count) {
    v->count = count;
    for (size_t i = 0; i < count; i++) {
        const weir__node *n = &v->run->nodes.items[i];
        if (n->type == WEIR__TYPE_POD) v->count += n->template->member_count;
    }
    v->items = weir_alloc((v->count + 1) * sizeof *v->items);
    uint32_t next = (uint32_t)count;
    for (size_t i = 0; v->count > count && i < count; i++) {
        const weir__node *n = &v->run->nodes.items[i];
        v->items[i].members = next;
        if (n->type == WEIR__TYPE_POD) next += (uint32_t)n->template->member_count;
    }
}

/* Of a pod that is a container set. */
static void link_members(view *v, uint32_t node) {
    const weir__node *n = &v->run->nodes.items[node];
    const weir__template *t = n->template;
    uint32_t first = v->items[node].members;
    for (size_t i = 0; n->type == WEIR__TYPE_POD && i < t->member_count; i++) {
        weir_buffer name = {0}, id = {0};
        weir_buffer_printf(&name, "%.*s.%.*s", WEIR_ARG(name_of(v->run, node)),
                           WEIR_ARG(t->members[i].name));
        weir_buffer_printf(&id, "%.*s-%u", WEIR_ARG(v->run->workflow->name),
                           weir_hash_fnv32(weir_buffer_str(&name)));
        v->items[first + i].id = weir_string_from(weir_buffer_str(&id));
        v->items[first + i].children = weir_array_new();
        weir_buffer_deinit(&name);
        weir_buffer_deinit(&id);
    }
    for (uint32_t i = 0; n->type == WEIR__TYPE_POD && i < t->member_count; i++) {
        const weir__indexes *on = &t->members[i].dependencies;
        if (!on->count) hang_on(v, node, first + i);
        for (size_t k = 0; k < on->count; k++) hang_on(v, first + on->items[k], first + i);
    }
}

static void append_members(const view *v, uint32_t node, weir_value *nodes) {
    const weir__node *n = &v->run->nodes.items[node];
    for (uint32_t i = 0; n->type == WEIR__TYPE_POD && i < n->template->member_count; i++) {
        const struct item *item = &v->items[v->items[node].members + i];
        weir_value *member = weir__describe_member(v->run, node, i);
        weir_member_put(member, "id", weir_value_ref(item->id));
        weir_member_put(member, "parent", weir_value_ref(v->items[node].id));
        weir_member_put(member, "boundaryID", weir_value_ref(v->items[node].id));
        weir_member_put(member, "children", weir_value_ref(item->children));
        weir_array_append(nodes, member);
    }
}

static void view_init(view *v, size_t count) {
    place_members(v, count);
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
    for (uint32_t i = 0; i < count; i++) link_members(v, i);
    for (uint32_t i = 0; i < count; i++) link_node(v, i);
}

/* The folders of `volumeClaimTemplates`, as long as they are there. */
static void put_claims(const weir__run *run, weir_value *status) {
    const weir_value *spec = weir_member_named(run->workflow->source, "spec"),
                     *list = weir_member_named(spec, "volumeClaimTemplates");
    bool stay = run->workflow->plan.keeps_failed_volumes && run->nodes.count &&
                weir__is_failure(weir__workflow_phase(run));
    if (!weir_is(list, WEIR_ARRAY) || !weir_value_count(list) || (run->finished && !stay)) return;
    weir_value *claims = weir_array_new();
    for (size_t i = 0; i < weir_value_count(list); i++) {
        weir_value *volume = weir_object_new(), *claim = weir_object_new();
        weir_str name =
            weir_member_text(weir_member_named(weir_array_at(list, i), "metadata"), "name");
        weir_buffer text = {0};
        weir_buffer_printf(&text, "%.*s-%.*s", WEIR_ARG(run->workflow->name), WEIR_ARG(name));
        weir_member_put_text(claim, "claimName", weir_buffer_str(&text));
        weir_member_put_text(volume, "name", name);
        weir_member_put(volume, "persistentVolumeClaim", claim);
        weir_array_append(claims, volume);
        weir_buffer_deinit(&text);
    }
    weir_member_put(status, "persistentVolumeClaims", claims);
}

weir_value *weir__status(const weir_coordinator *coordinator) {
    const weir__run *run = (const weir__run *)coordinator;
    weir_value *nodes = weir_array_new(), *status = weir_object_new();
    view v = {.run = run};
    view_init(&v, run->nodes.count);
    for (uint32_t i = 0; run->nodes.count;) {
        if (!weir__node_is_hidden(run, weir__node_at(run, i)))
            weir_array_append(nodes, describe_node(&v, i));
        append_members(&v, i, nodes);
        uint32_t next = v.items[i].first_child;
        while (!next && i) {
            next = v.items[i].next;
            i = run->nodes.items[i].parent;
        }
        if (!next) break;
        i = next;
    }
    for (size_t i = 0; i < v.count; i++) {
        weir_value_unref(v.items[i].id);
        weir_value_unref(v.items[i].children);
    }
    weir_free(v.items);
    weir_vector_deinit(&v.pool);
    weir_member_put(status, "nodes", nodes);
    put_claims(run, status);
    if (run->locking) weir__lock_status(run, status);
    weir__metrics_status(run, status);
    if (run->finished && run->workflow->collects) {
        weir_value *gc = weir_object_new(), *done = weir_object_new();
        weir_member_put(done, "OnWorkflowCompletion", weir_bool_new(true));
        weir_member_put(gc, "strategiesProcessed", done);
        weir_member_put(status, "artifactGCStatus", gc);
    }
    if (run->globals || run->global_artifacts) {
        weir_value *outputs = weir_object_new(), *artifacts = weir_array_new();
        const weir_value *all = run->global_artifacts;
        for (size_t i = 0; all && i < weir_value_count(all); i++)
            weir_array_append(artifacts, weir_value_ref(weir_object_at(all, i)));
        if (run->globals) weir_member_put(outputs, "parameters", parameter_list(run->globals));
        if (all) weir_member_put(outputs, "artifacts", weir_value_ref(artifacts));
        weir_value_unref(artifacts);
        weir_member_put(status, "outputs", outputs);
    }
    return status;
}
