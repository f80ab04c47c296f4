/* One dataflow over another. */
#include "base/map.h"
#include "data/yaml.h"
#include "dataflow/file.h"

/* What lists do where the merge is. */
typedef enum lists {
    APPEND,    /* behind each other */
    UNITE,     /* what is there already is not put there again */
    KEEP_EQUAL /* behind each other unless they are equal: a definition that both have is one */
} lists;

typedef struct merging {
    weir_buffer *where;
    weir_error *error;
} merging;

/* Where in a dataflow the merge is: decided by the members that lead there. */
typedef struct spot {
    lists rule;
    bool fixed;    /* an object or a list has to meet its like */
    bool dataflow; /* a dataflow of its own, in a configuration */
    int depth;
    weir_str top, last; /* the first and the last of the members */
} spot;

static spot inside(const spot *outer, weir_str key) {
    spot inner = *outer;
    inner.depth++;
    if (inner.depth == 1) inner.top = key;
    inner.last = key;
    bool flow = weir_str_is(inner.top, "flow"), operations = weir_str_is(inner.top, "operations");
    bool forward = weir_str_is(inner.top, "forward");
    if (flow || operations || forward) inner.rule = UNITE;
    if (weir_str_is(inner.top, "definitions")) inner.rule = KEEP_EQUAL;
    /* A configuration's values, a definition's, and members that nobody knows are what their writer wants. */
    bool known = flow || operations || forward || weir_str_is(inner.top, "seed") ||
                 weir_str_is(inner.top, "definitions") || weir_str_is(inner.top, "configs");
    bool data = weir_str_is(inner.top, "definitions") || weir_str_is(inner.top, "configs");
    inner.fixed = known && (!data || inner.depth <= 2);
    inner.dataflow =
        inner.depth == 3 && weir_str_is(inner.top, "configs") && weir_str_is(key, "dataflow");
    return inner;
}

/* The items that a list has, by their encoded form. */
typedef struct known {
    weir_arena texts;
    weir_map items;
    weir_buffer encoded;
} known;

/* Whether the item is new; then it is known from now on. */
static bool is_new(known *k, const weir_value *item) {
    weir_buffer_clear(&k->encoded);
    weir_value_encode(item, &k->encoded);
    weir_str text = weir_buffer_str(&k->encoded);
    if (weir_map_get(&k->items, text, NULL)) return false;
    weir_map_set(&k->items, (weir_str){weir_str_copy(&k->texts, text), text.length}, 1);
    return true;
}

static weir_value *merge_lists(const weir_value *base, const weir_value *over, lists rule) {
    if (rule == KEEP_EQUAL && weir_value_equal(base, over))
        return weir_value_ref((weir_value *)base);
    known k = {0};
    weir_arena_init(&k.texts);
    weir_value *merged = weir_array_new();
    for (size_t i = 0; i < weir_value_count(base); i++) {
        if (rule == UNITE) (void)is_new(&k, weir_array_at(base, i));
        weir_array_append(merged, weir_value_ref(weir_array_at(base, i)));
    }
    for (size_t i = 0; i < weir_value_count(over); i++)
        if (rule != UNITE || is_new(&k, weir_array_at(over, i)))
            weir_array_append(merged, weir_value_ref(weir_array_at(over, i)));
    weir_map_deinit(&k.items);
    weir_arena_deinit(&k.texts);
    weir_buffer_deinit(&k.encoded);
    return merged;
}

static bool is_container(const weir_value *value) {
    return weir_is(value, WEIR_OBJECT) || weir_is(value, WEIR_ARRAY);
}

static weir_value *merge_values(merging *m, weir_value *base, weir_value *over, const spot *at);
static weir_value *merge_dataflows(merging *m, weir_value *base, weir_value *over);

static weir_value *merge_objects(merging *m, weir_value *base, weir_value *over, const spot *at) {
    weir_value *merged = weir__dataflow_copy(base);
    for (size_t i = 0; i < weir_value_count(over); i++) {
        weir_str key = weir_object_key(over, i);
        weir_value *value = weir_object_at(over, i), *before = weir_member(base, key);
        size_t length = m->where->length;
        weir_path_append(m->where, key);
        spot inner = inside(at, key);
        weir_value *next = before ? merge_values(m, before, value, &inner) : weir_value_ref(value);
        if (!next) {
            weir_value_unref(merged);
            return NULL;
        }
        m->where->length = length;
        m->where->data[length] = '\0';
        weir_member_set(merged, key, next);
    }
    return merged;
}

/* NULL: an error, at where `m` is. */
static weir_value *merge_values(merging *m, weir_value *base, weir_value *over, const spot *at) {
    weir_type type = weir_value_type(over);
    if (at->dataflow && type == WEIR_OBJECT && weir_is(base, WEIR_OBJECT))
        return merge_dataflows(m, base, over);
    if (is_container(base) && weir_value_type(base) == type)
        return type == WEIR_ARRAY ? merge_lists(base, over, at->rule)
                                  : merge_objects(m, base, over, at);
    if (!at->fixed || (!is_container(base) && !is_container(over))) return weir_value_ref(over);
    weir_fail(m->error, WEIR_INVALID,
              "`%.*s` is of type %s here and of type %s in what it is to be "
              "merged over",
              WEIR_ARG(at->last), weir_type_text(type), weir_type_text(weir_value_type(base)));
    return NULL;
}

/* Operations of `part`, which has no flow, keep the one that they have by auto flow. */
static bool keep_flow(weir_value *merged, const weir_value *part) {
    const weir_value *operations = weir_member_named(part, "operations");
    weir_value *automatic = weir_dataflow_file_auto_flow(merged);
    if (!automatic) return false;
    weir_value *flow = weir__dataflow_copy(weir_member_named(merged, "flow"));
    for (size_t i = 0; weir_is(operations, WEIR_OBJECT) && i < weir_value_count(operations); i++) {
        weir_str instance = weir_object_key(operations, i);
        weir_value *entry = weir_member(automatic, instance);
        if (entry && !weir_member(flow, instance))
            weir_member_set(flow, instance, weir_value_ref(entry));
    }
    weir_member_put(merged, "flow", flow);
    weir_value_unref(automatic);
    return true;
}

static weir_value *merge_dataflows(merging *m, weir_value *base, weir_value *over) {
    spot top = {.rule = APPEND};
    weir_value *merged = merge_objects(m, base, over, &top);
    if (!merged) return NULL;
    const weir_value *base_flow = weir_member_named(base, "flow"),
                     *over_flow = weir_member_named(over, "flow");
    bool ok = true;
    if (weir_is(base_flow, WEIR_OBJECT) && !over_flow) ok = keep_flow(merged, over);
    if (weir_is(over_flow, WEIR_OBJECT) && !base_flow) ok = keep_flow(merged, base);
    if (ok) return merged;
    weir_value_unref(merged);
    weir_fail(m->error, WEIR_LIMIT, "conditions read from more than %d sources",
              WEIR_DATAFLOW_SOURCES_MAX);
    return NULL;
}

bool weir_dataflow_file_merge(const weir_value *base, const weir_value *over, weir_value **out,
                              weir_buffer *where, weir_error *error) {
    merging m = {where, error};
    weir_buffer_clear(where);
    if (!weir_is(base, WEIR_OBJECT) || !weir_is(over, WEIR_OBJECT))
        return weir_fail(error, WEIR_INVALID, "a dataflow is an object");
    weir_value *merged = merge_dataflows(&m, (weir_value *)base, (weir_value *)over);
    if (merged) *out = merged;
    return merged != NULL;
}
