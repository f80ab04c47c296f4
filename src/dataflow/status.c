/* What others see of a dataflow's run. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "dataflow/coordinator_internal.h"

/* --- events -------------------------------------------------------------------------------------- */

static void describe_set(const weir__context *context, uint32_t instance, weir_value *data) {
    weir_member_put_text(data, "instance", context->flow->instances.items[instance].name);
    weir_member_put(data, "path", weir_value_ref(context->flow->path));
    weir_member_put_text(data, "context", context->name);
}

void weir__dataflow_describe(const weir_coordinator *base, const weir_event *event,
                             weir_value *data) {
    const weir__dataflow *c = (const weir__dataflow *)base;
    if (!event->id.context) return;
    const weir__context *context = weir__dataflow_context(c, event->id.context);
    if (event->type == WEIR_OPERATION_FIRED) {
        describe_set(context, (uint32_t)event->subject, data);
    } else if (event->type == WEIR_CALL_FINISHED) {
        describe_set(context, (uint32_t)event->subject, data);
        weir_member_put(
            data, "parameters",
            weir__context_parameters(context, context->ended.instance, context->ended.set));
    } else if (weir_event_has_task(event->type)) {
        const weir__flow_task *t = weir__dataflow_task(c, event->subject);
        describe_set(t->context, t->instance, data);
        if (event->type == WEIR_ATTEMPT_STARTED || event->type == WEIR_MEMO_FOUND)
            weir_member_put(data, "parameters",
                            weir__context_parameters(t->context, t->instance, t->set));
    }
}

/* --- why an operation did not run ---------------------------------------------------------------- */

static void append_origin(const weir__flow *flow, uint32_t origin, weir_buffer *out) {
    const weir__origin *from = &flow->origins.items[origin];
    if (from->instance != WEIR__NONE)
        weir_buffer_printf(out, "%.*s.", WEIR_ARG(flow->instances.items[from->instance].name));
    weir_buffer_str_append(out, from->text);
}

/* Where inputs for the parameter or condition would come from: "DEFINITION from ORIGIN, …". */
static void append_sources(const weir__flow *flow, uint32_t instance, uint32_t slot, bool condition,
                           weir_buffer *out) {
    enum { SOURCES_MAX = 8 };
    int found = 0;
    for (uint32_t o = 0; o < flow->origins.count; o++) {
        const weir__origin *origin = &flow->origins.items[o];
        for (size_t i = 0; i < origin->consumers.count; i++) {
            const weir__consumer *consumer = &origin->consumers.items[i];
            if (consumer->instance != instance || consumer->slot != slot ||
                consumer->condition != condition || ++found > SOURCES_MAX)
                continue;
            weir_buffer_text(out, found == 1 ? "`" : ", `");
            if (consumer->definition != WEIR__NONE)
                weir_buffer_str_append(out, flow->definitions.items[consumer->definition].name);
            weir_buffer_text(out, "` from ");
            append_origin(flow, o, out);
        }
    }
    if (found > SOURCES_MAX) weir_buffer_text(out, ", …");
    if (!found) weir_buffer_text(out, "nowhere: the flow names no source that can give one");
}

static void add_reason(weir_value *reasons, weir_buffer *text) {
    weir_array_append(reasons, weir_string_from(weir_buffer_str(text)));
    weir_buffer_deinit(text);
}

static void explain_parameters(const weir__context *context, uint32_t at, weir_value *reasons) {
    const weir__flow *flow = context->flow;
    const weir__instance *instance = &flow->instances.items[at];
    for (uint32_t p = 0; p < instance->parameters.count; p++) {
        const weir__parameter *parameter = &instance->parameters.items[p];
        if (weir__slot_count(weir__slots_of(context, at, p)) ||
            flow->definitions.items[parameter->definition].default_value)
            continue;
        weir_buffer text = {0};
        weir_buffer_printf(&text, "parameter `%.*s` had no value: ", WEIR_ARG(parameter->name));
        append_sources(flow, at, p, false, &text);
        add_reason(reasons, &text);
    }
}

static void explain_conditions(const weir__context *context, uint32_t at, weir_value *reasons) {
    const weir__instance *instance = &context->flow->instances.items[at];
    if (!instance->condition_sources || weir__firing_of(context, at)->conditions_true) return;
    for (uint32_t s = 0; s < instance->condition_sources; s++) {
        bool absent = context->conditions[instance->first_condition + s] < 0;
        weir_buffer text = {0};
        weir_buffer_text(&text, absent ? "condition had no value: " : "condition was false: ");
        append_sources(context->flow, at, s, true, &text);
        add_reason(reasons, &text);
    }
}

/* Texts; NULL when there is nothing to explain. */
static weir_value *explain(const weir__context *context, uint32_t at) {
    const weir__instance *instance = &context->flow->instances.items[at];
    if (!context->cells || weir__firing_of(context, at)->sets) return NULL;
    weir_value *reasons = weir_array_new();
    weir_buffer text = {0};
    if (instance->validator) {
        weir_buffer_text(&text, "no input of a definition that names it as validator came");
        add_reason(reasons, &text);
        return reasons;
    }
    if (instance->parameters.count && !instance->in_flow) {
        weir_buffer_text(&text, "the flow does not mention it");
        add_reason(reasons, &text);
        return reasons;
    }
    explain_parameters(context, at, reasons);
    explain_conditions(context, at, reasons);
    if (!weir_value_count(reasons) && context->cut_short) {
        weir_buffer_text(&text, "the context was cut short before its turn");
        add_reason(reasons, &text);
    }
    return reasons;
}

/* --- nodes --------------------------------------------------------------------------------------- */

static const char *firing_phase(const weir__context *context, const weir__firing *firing,
                                uint32_t done, uint32_t failed) {
    bool over = context->stage == WEIR_STAGE_DONE;
    if (failed) return "Failed";
    if (over || done == firing->sets)
        return firing->sets ? "Succeeded" : over ? "Omitted" : "Pending";
    return "Running";
}

static weir_value *new_node(const char *id, weir_str name, const char *type, const char *phase) {
    weir_value *node = weir_object_new();
    weir_member_put_text(node, "id", weir_str_from(id));
    weir_member_put_text(node, "name", name);
    weir_member_put_text(node, "type", weir_str_from(type));
    weir_member_put_text(node, "phase", weir_str_from(phase));
    return node;
}

/* The contexts at hand that are within others, in the order of those, and then of their own numbers. */
typedef struct family {
    WEIR_VECTOR(const weir__context *) inner;
} family;

static int compare_inner(const void *left, const void *right) {
    const weir__context *a = *(weir__context *const *)left, *b = *(weir__context *const *)right;
    if (a->parent != b->parent) return a->parent < b->parent ? -1 : 1;
    return (a->id > b->id) - (a->id < b->id);
}

static family family_of(const weir__dataflow *c) {
    family f = {0};
    for (const weir__context *context = weir__dataflow_next_at_hand(c, 0); context;
         context = weir__dataflow_next_at_hand(c, context->id + 1))
        if (context->parent) *weir_vector_push(&f.inner) = context;
    if (f.inner.count) qsort(f.inner.items, f.inner.count, sizeof *f.inner.items, compare_inner);
    return f;
}

/* Where those within the context begin. */
static size_t find_inner(const family *f, uint32_t parent) {
    size_t low = 0, high = f->inner.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (f->inner.items[middle]->parent < parent)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void add_context(const weir__dataflow *c, const weir__context *context, const family *f,
                        weir_value *nodes);

/* The contexts of the dataflow that the instance runs within this context. */
static void add_inner(const weir__dataflow *c, const weir__context *context, uint32_t instance,
                      const family *f, weir_value *nodes) {
    for (size_t i = find_inner(f, context->id);
         i < f->inner.count && f->inner.items[i]->parent == context->id; i++) {
        const weir__context *inner = f->inner.items[i];
        if (weir__dataflow_task(c, inner->task)->instance == instance)
            add_context(c, inner, f, nodes);
    }
}

/* In the order of the tree: what runs within an instance stands behind it. */
static void add_instances(const weir__dataflow *c, const weir__context *context, const char *parent,
                          const family *f, weir_value *nodes) {
    weir_array_append_all(nodes, context->nodes);
    if (context->ahead && context->finished) return;
    for (uint32_t i = 0; context->cells && i < context->flow->instances.count; i++) {
        const weir__firing *firing = weir__firing_of(context, i);
        uint32_t done = *weir__done_of(context, i);
        uint32_t failed = context->failed ? context->failed[i] : 0;
        char id[40];
        snprintf(id, sizeof id, "%" PRIu32 ".%" PRIu32, context->id, i);
        weir_value *node = new_node(id, context->flow->instances.items[i].name, "Operation",
                                    firing_phase(context, firing, done, failed));
        weir_member_put_text(node, "parent", weir_str_from(parent));
        weir_member_put(node, "tasks", weir_int_new(firing->sets));
        weir_member_put(node, "done", weir_int_new(done));
        if (failed) weir_member_put(node, "failed", weir_int_new(failed));
        if (context->found && context->found[i])
            weir_member_put(node, "cached", weir_int_new(context->found[i]));
        weir_value *reasons = explain(context, i);
        if (reasons) weir_member_put(node, "why", reasons);
        weir_array_append(nodes, node);
        if (context->flow->instances.items[i].nested != WEIR__NESTED_NOT)
            add_inner(c, context, i, f, nodes);
    }
}

weir_value *weir__dataflow_nodes(const weir__dataflow *c, const weir__context *context) {
    weir_value *nodes = weir_array_new();
    char id[16];
    snprintf(id, sizeof id, "%" PRIu32, context->id);
    add_instances(c, context, id, &(family){0}, nodes);
    return nodes;
}

static void add_context(const weir__dataflow *c, const weir__context *context, const family *f,
                        weir_value *nodes) {
    char id[16], parent[40];
    snprintf(id, sizeof id, "%" PRIu32, context->id);
    const char *phase = context->failure || context->cut_short ? "Failed"
                        : context->finished                    ? "Succeeded"
                                                               : "Running";
    weir_value *node = new_node(id, context->name, "Context", phase);
    if (context->parent) {
        snprintf(parent, sizeof parent, "%" PRIu32 ".%" PRIu32, context->parent,
                 weir__dataflow_task(c, context->task)->instance);
        weir_member_put_text(node, "parent", weir_str_from(parent));
    }
    weir_member_put(node, "started", weir_int_new((int64_t)context->opened_us));
    if (context->finished)
        weir_member_put(node, "finished", weir_int_new((int64_t)context->finished_us));
    if (context->failure)
        weir_member_put_text(node, "message", weir_member_text(context->failure, "what"));
    weir_array_append(nodes, node);
    add_instances(c, context, id, f, nodes);
}

/* What is not among the nodes any more, or never was. */
static void add_totals(const weir__dataflow *c, weir_value *status) {
    uint64_t total = c->plan->contexts.count + c->given;
    if (total <= WEIR__CONTEXTS_SHOWN_MAX && !c->gone_done) return;
    weir_value *contexts = weir_object_new(), *unlisted = weir_object_new();
    weir_member_put(contexts, "total", weir_int_new((int64_t)total));
    weir_member_put(contexts, "finished", weir_int_new((int64_t)c->over));
    weir_member_put(unlisted, "done", weir_int_new((int64_t)c->gone_done));
    weir_member_put(unlisted, "failed", weir_int_new((int64_t)c->gone_failed));
    weir_member_put(status, "contexts", contexts);
    weir_member_put(status, "unlisted", unlisted);
}

weir_value *weir__dataflow_status(const weir_coordinator *base) {
    const weir__dataflow *c = (const weir__dataflow *)base;
    weir_value *nodes = weir_array_new();
    family f = family_of(c);
    for (const weir__context *context = weir__dataflow_next_at_hand(c, 0); context;
         context = weir__dataflow_next_at_hand(c, context->id + 1))
        if (context->open && !context->parent) add_context(c, context, &f, nodes);
    weir_vector_deinit(&f.inner);
    weir_value *value = weir_object_new();
    weir_member_put(value, "nodes", nodes);
    add_totals(c, value);
    return value;
}
