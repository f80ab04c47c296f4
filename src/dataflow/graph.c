#include "dataflow/graph.h"

#include "dataflow/plan_internal.h"

typedef struct maker {
    uint32_t item, output; /* of an operation's output; item WEIR_GRAPH_NONE: none in the graph */
    bool foreign;          /* comes from outside */
} maker;

typedef struct builder {
    const weir__flow *flow;
    weir_graph_model *model;
    uint32_t *item;   /* of each instance; WEIR_GRAPH_NONE: its stage is not wanted */
    maker *makers;    /* of each origin */
    uint32_t *source; /* of each definition, for the origin that is looked at */
} builder;

static void add_operation(builder *b, uint32_t at, uint32_t stage) {
    const weir__instance *instance = &b->flow->instances.items[at];
    weir_str name = weir_str_from(instance->operation->name);
    uint32_t number = weir_graph_add(b->model, WEIR_GRAPH_OPERATION, stage, instance->name,
                                     weir_str_equal(name, instance->name) ? WEIR_STR("") : name);
    b->item[at] = number;
    if (number == WEIR_GRAPH_NONE) return;
    weir_graph_item *item = &b->model->items.items[number];
    for (size_t i = 0; i < instance->parameters.count; i++)
        weir_graph_add_port(
            b->model, &item->inputs, instance->parameters.items[i].name,
            b->flow->definitions.items[instance->parameters.items[i].definition].name, false);
    for (size_t i = 0; i < instance->conditions.count; i++)
        weir_graph_add_port(b->model, &item->inputs,
                            b->flow->definitions.items[instance->conditions.items[i]].name,
                            WEIR_STR(""), true);
    for (uint32_t i = 0; i < instance->outputs.count; i++) {
        const weir__output *output = &instance->outputs.items[i];
        weir_graph_add_port(b->model, &item->outputs, output->key,
                            b->flow->definitions.items[output->definition].name, false);
        b->makers[output->origin] = (maker){number, i, false};
    }
}

static void add_stages(builder *b, uint32_t stages) {
    static const char *const names[] = {"Processing", "Cleanup", "Output"};
    for (uint32_t stage = 0; stage < sizeof names / sizeof *names; stage++) {
        uint32_t group = WEIR_GRAPH_NONE;
        for (uint32_t i = 0; i < b->flow->instances.count; i++) {
            if (b->flow->instances.items[i].stage != stage || !(stages & 1u << stage)) continue;
            if (group == WEIR_GRAPH_NONE)
                group = weir_graph_add(b->model, WEIR_GRAPH_STAGE, WEIR_GRAPH_NONE,
                                       weir_str_from(names[stage]), WEIR_STR(""));
            add_operation(b, i, group);
        }
    }
}

/* The item for inputs of a definition from outside, made when the first one wants it. */
static uint32_t source_of(builder *b, const weir__origin *origin, uint32_t definition) {
    weir_str name = b->flow->definitions.items[definition].name;
    if (b->source[definition] == WEIR_GRAPH_NONE)
        b->source[definition] =
            weir_graph_add(b->model, WEIR_GRAPH_SOURCE, WEIR_GRAPH_NONE, name, origin->text);
    return b->source[definition];
}

/* The port that a consumer stands for: a parameter's number, or behind those the condition of that definition. */
static uint32_t port_of(const weir__instance *instance, const weir__consumer *consumer) {
    if (!consumer->condition) return consumer->slot;
    for (uint32_t i = 0; i < instance->conditions.count; i++)
        if (instance->conditions.items[i] == consumer->definition)
            return (uint32_t)instance->parameters.count + i;
    return WEIR_GRAPH_NONE;
}

/* Joins everything that reads from the origin with it. All that this file knows of a flow is here. */
static void join_origin(builder *b, uint32_t at) {
    const weir__origin *origin = &b->flow->origins.items[at];
    const maker *from = &b->makers[at];
    for (size_t i = 0; i < origin->consumers.count && !b->model->too_large; i++) {
        const weir__consumer *consumer = &origin->consumers.items[i];
        uint32_t to = b->item[consumer->instance];
        if (to == WEIR_GRAPH_NONE || consumer->definition == UINT32_MAX) continue;
        uint32_t item = from->foreign ? source_of(b, origin, consumer->definition) : from->item;
        weir_graph_join(
            b->model, (weir_graph_edge){
                          .from = item,
                          .to = to,
                          .output = from->foreign ? WEIR_GRAPH_NONE : from->output,
                          .input = port_of(&b->flow->instances.items[consumer->instance], consumer),
                          .condition = consumer->condition});
    }
    for (size_t i = 0; from->foreign && i < origin->consumers.count; i++)
        if (origin->consumers.items[i].definition != UINT32_MAX)
            b->source[origin->consumers.items[i].definition] = WEIR_GRAPH_NONE;
}

void weir_dataflow_graph(const weir_plan *base, uint32_t stages, weir_graph_model *model) {
    const weir__flow *flow = ((const weir_dataflow_plan *)base)->flows.items[0];
    builder b = {.flow = flow, .model = model};
    b.item = weir_alloc((flow->instances.count + 1) * sizeof *b.item);
    b.makers = weir_alloc((flow->origins.count + 1) * sizeof *b.makers);
    b.source = weir_alloc((flow->definitions.count + 1) * sizeof *b.source);
    for (size_t i = 0; i < flow->instances.count; i++) b.item[i] = WEIR_GRAPH_NONE;
    for (size_t i = 0; i < flow->definitions.count; i++) b.source[i] = WEIR_GRAPH_NONE;
    for (size_t i = 0; i < flow->origins.count; i++)
        b.makers[i] = (maker){WEIR_GRAPH_NONE, WEIR_GRAPH_NONE, true};
    for (size_t i = 0; i < flow->instances.count;
         i++) /* also those that are not wanted make them */
        for (size_t o = 0; o < flow->instances.items[i].outputs.count; o++)
            b.makers[flow->instances.items[i].outputs.items[o].origin].foreign = false;
    add_stages(&b, stages);
    for (uint32_t i = 0; i < flow->origins.count; i++) join_origin(&b, i);
    weir_free(b.item);
    weir_free(b.makers);
    weir_free(b.source);
}
