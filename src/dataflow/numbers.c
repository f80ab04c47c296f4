/* The numbers that names of definitions, instances and origins stand for. */
#include "data/value_build.h"
#include "dataflow/plan_internal.h"

bool weir__names_find(const weir__names *names, weir_str name, uint64_t *at) {
    size_t place = names->listed ? weir_object_find(names->listed, name) : SIZE_MAX;
    if (place == SIZE_MAX) return weir_map_get(&names->others, name, at);
    if (at) *at = place;
    return true;
}

void weir__names_add(weir__names *names, weir_str name, size_t at) {
    weir_map_set(&names->others, name, at);
}

void weir__names_list(weir__names *names, weir_value *object) {
    names->listed = weir_value_ref(object);
}

void weir__names_deinit(weir__names *names) {
    weir_value_unref(names->listed);
    weir_map_deinit(&names->others);
    *names = (weir__names){0};
}

/* How many of the first `count` names are in no map yet. */
static size_t drop_list(weir__names *names, size_t count) {
    if (names->listed) count = weir_value_count(names->listed);
    if (!names->listed && names->others.count) return 0;
    weir_value_unref(names->listed);
    names->listed = NULL;
    weir_map_reserve(&names->others, count);
    return count;
}

void weir__flow_own_names(weir__flow *flow) {
    size_t definitions = drop_list(&flow->definition_names, flow->definitions.count);
    size_t instances = drop_list(&flow->instance_names, flow->instances.count);
    for (size_t i = 0; i < definitions; i++)
        weir__names_add(&flow->definition_names, flow->definitions.items[i].name, i);
    for (size_t i = 0; i < instances; i++)
        weir__names_add(&flow->instance_names, flow->instances.items[i].name, i);
}

bool weir__output_find(const weir__flow *flow, weir_str instance, weir_str key, uint32_t *origin) {
    uint64_t at;
    if (!weir__names_find(&flow->instance_names, instance, &at)) return false;
    const weir__instance *found = &flow->instances.items[at];
    for (size_t o = 0; o < found->outputs.count; o++) {
        if (!weir_str_equal(found->outputs.items[o].key, key)) continue;
        *origin = found->outputs.items[o].origin;
        return true;
    }
    return false;
}

uint32_t weir__origin_like(const weir__flow *flow, const weir__flow *other, uint32_t origin) {
    const weir__origin *from = &other->origins.items[origin];
    uint32_t output = WEIR__NONE;
    uint64_t at;
    if (from->instance == WEIR__NONE)
        return weir_map_get(&flow->origin_names, from->text, &at) ? (uint32_t)at : WEIR__NONE;
    weir_str instance = other->instances.items[from->instance].name;
    return weir__output_find(flow, instance, from->text, &output) ? output : WEIR__NONE;
}
