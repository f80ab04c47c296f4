/* What output operations see of a context: values by definition, and what they were made from. */
#include "dataflow/context.h"

static bool is_indexed(const weir__context *context) {
    return context->indexed == context->inputs.count + 1;
}

static void drop_index(weir__context *context) {
    weir_free(context->index);
    weir_free(context->index_starts);
    context->index = context->index_starts = NULL;
}

/* Of one definition only: mostly nobody asks for another. */
static void make_index_of(weir__context *context, uint32_t definition) {
    WEIR_VECTOR(uint32_t) places = {0};
    for (size_t i = 0; i < context->inputs.count; i++) {
        const weir__input *input = &context->inputs.items[i];
        if (input->definition == definition && input->value)
            *weir_vector_push(&places) = (uint32_t)i;
    }
    drop_index(context);
    context->index = places.items;
    context->index_count = (uint32_t)places.count;
    context->index_definition = definition;
    context->indexed = context->inputs.count + 1;
}

/* Places of inputs, grouped by definition, in the order in which they came. */
static void make_index(weir__context *context) {
    size_t definitions = context->flow->definitions.count, inputs = context->inputs.count;
    drop_index(context);
    context->index = weir_alloc((inputs + 1) * sizeof *context->index);
    context->index_starts = weir_alloc((definitions + 2) * sizeof *context->index_starts);
    context->indexed = inputs + 1;
    uint32_t *starts = context->index_starts;
    for (size_t i = 0; i < inputs; i++) {
        const weir__input *input = &context->inputs.items[i];
        if (input->value && input->definition != WEIR__NONE) starts[input->definition + 2]++;
    }
    for (size_t d = 2; d < definitions + 2; d++) starts[d] += starts[d - 1];
    for (size_t i = 0; i < inputs; i++) {
        const weir__input *input = &context->inputs.items[i];
        if (input->value && input->definition != WEIR__NONE)
            context->index[starts[input->definition + 1]++] = (uint32_t)i;
    }
}

static weir__context *context_of(const weir_collector *collector) {
    return ((const weir__context_collector *)collector)->context;
}

/* The inputs of a definition: a part of the index. */
static bool find(weir__context *context, const char *name, const uint32_t **items, size_t *count,
                 uint32_t *definition) {
    uint64_t at;
    if (!weir__definition_find(context->flow, weir_str_from(name), &at)) return false;
    *definition = (uint32_t)at;
    if (!is_indexed(context))
        make_index_of(context, *definition);
    else if (!context->index_starts && context->index_definition != *definition)
        make_index(context);
    bool all = context->index_starts != NULL;
    *items = all ? context->index + context->index_starts[at] : context->index;
    *count = all ? context->index_starts[at + 1] - context->index_starts[at] : context->index_count;
    return *count > 0;
}

static weir_value *collected(const weir_collector *collector, const char *name) {
    weir__context *context = context_of(collector);
    const uint32_t *items;
    size_t count;
    uint32_t definition;
    if (!find(context, name, &items, &count, &definition)) return NULL;
    weir_value *values = weir_array_new();
    for (size_t i = 0; i < count; i++)
        weir_array_append(values, weir_value_ref(context->inputs.items[items[i]].value));
    return values;
}

/* --- ancestors --------------------------------------------------------------------------------- */

/* For each input the ancestors of one definition: a list of ordinals. Inputs stand behind what they were made from, so one
 * pass is enough. */
typedef struct ascent {
    weir__context *context;
    uint32_t *lists, *ordinals; /* by input; ordinal among the definition's, or WEIR__NONE */
    weir__lists pool;
} ascent;

/* The list of just one ordinal: they are made first, in their order. */
static uint32_t single(uint32_t ordinal) {
    return 1 + 2 * ordinal;
}

static void ascend(ascent *a, uint32_t ordinals) {
    const weir__context *context = a->context;
    weir__lists_begin(&a->pool);
    for (uint32_t i = 0; i < ordinals; i++) weir__lists_single(&a->pool, i);
    if (a->pool.full) return;
    for (size_t i = 0; i < context->inputs.count; i++) {
        uint32_t set = context->inputs.items[i].set, list = 0;
        for (uint32_t p = 1; set != WEIR__NONE && p <= context->sets.items[set]; p++) {
            uint32_t parent = context->sets.items[set + p];
            if (parent == WEIR__DEFAULT) continue;
            list = weir__lists_unite(&a->pool, list, a->lists[parent]);
            if (a->ordinals[parent] != WEIR__NONE)
                list = weir__lists_unite(&a->pool, list, single(a->ordinals[parent]));
        }
        a->lists[i] = list;
    }
}

static weir_value *list_value(const uint32_t *list) {
    weir_value *value = weir_array_new();
    for (uint32_t i = 1; i <= list[0]; i++) weir_array_append(value, weir_int_new(list[i]));
    return value;
}

static weir_value *ancestors(const weir_collector *collector, const char *name,
                             const char *ancestor) {
    weir__context *context = context_of(collector);
    const uint32_t *items, *of;
    size_t count, of_count;
    uint32_t definition;
    if (!is_indexed(context) || !context->index_starts) make_index(context); /* for both */
    if (!find(context, ancestor, &of, &of_count, &definition)) of_count = 0;
    if (!find(context, name, &items, &count, &definition)) return NULL;
    ascent a = {.context = context};
    a.lists = weir_alloc((context->inputs.count + 1) * sizeof *a.lists);
    a.ordinals = weir_alloc((context->inputs.count + 1) * sizeof *a.ordinals);
    for (size_t i = 0; i < context->inputs.count; i++) a.ordinals[i] = WEIR__NONE;
    for (size_t i = 0; i < of_count; i++) a.ordinals[of[i]] = (uint32_t)i;
    ascend(&a, (uint32_t)of_count);
    weir_value *lists = weir_array_new(), *last = NULL;
    for (size_t i = 0; i < count && !a.pool.full; i++) {
        bool same = i && a.lists[items[i]] == a.lists[items[i - 1]];
        last = same ? weir_value_ref(last) : list_value(a.pool.numbers.items + a.lists[items[i]]);
        weir_array_append(lists, last);
    }
    if (a.pool.full) {
        ((weir__context_collector *)collector)->full = true;
        weir_value_unref(lists);
        lists = NULL;
    }
    weir__lists_deinit(&a.pool);
    weir_free(a.lists);
    weir_free(a.ordinals);
    return lists;
}

static weir_value *contexts(const weir_collector *collector) {
    return weir__context_names(context_of(collector));
}

weir__context_collector weir__context_collector_of(weir__context *context) {
    return (weir__context_collector){{collected, ancestors, contexts}, context, false};
}
