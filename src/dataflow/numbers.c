/* The numbers that names of definitions, instances and origins stand for. */
#include "data/value_build.h"
#include "dataflow/plan_internal.h"

static bool find(const weir__names *names, weir_str name, uint64_t *at) {
    size_t place = names->listed ? weir_object_find(names->listed, name) : SIZE_MAX;
    if (place == SIZE_MAX) return weir_map_get(&names->others, name, at);
    if (at) *at = place;
    return true;
}

void weir__names_add(weir__names *names, weir_str name, size_t at) {
    weir_map_set(&names->others, name, at);
}

/* How many of the first names are in no map yet, of `count` when all of them are loose. */
static size_t take_up(weir__names *names, size_t count) {
    size_t first = names->loose ? count : names->listed ? weir_value_count(names->listed) : 0;
    weir_value_unref(names->listed);
    names->listed = NULL;
    names->loose = false;
    weir_map_reserve(&names->others, first);
    return first;
}

static void own_definitions(weir__flow *flow) {
    size_t count = take_up(&flow->definition_names, flow->definitions.count);
    for (size_t i = 0; i < count; i++)
        weir__names_add(&flow->definition_names, flow->definitions.items[i].name, i);
}

static void own_instances(weir__flow *flow) {
    size_t count = take_up(&flow->instance_names, flow->instances.count);
    for (size_t i = 0; i < count; i++)
        weir__names_add(&flow->instance_names, flow->instances.items[i].name, i);
}

void weir__flow_own_names(weir__flow *flow) {
    own_definitions(flow);
    own_instances(flow);
}

/* Where there is no list and no map yet, a few names are looked for one by one; many are worth a map. */
enum { LOOKED_FOR_MAX = 8 };

bool weir__definition_find(const weir__flow *flow, weir_str name, uint64_t *at) {
    const weir__names *names = &flow->definition_names;
    if (!names->loose) return find(names, name, at);
    weir__flow *own = (weir__flow *)(uintptr_t)flow; /* only who compiles or checks it gets here */
    if (++own->definition_names.asked > LOOKED_FOR_MAX) {
        own_definitions(own);
        return find(names, name, at);
    }
    for (size_t i = 0; i < flow->definitions.count; i++) {
        if (!weir_str_equal(flow->definitions.items[i].name, name)) continue;
        if (at) *at = i;
        return true;
    }
    return false;
}

bool weir__instance_find(const weir__flow *flow, weir_str name, uint64_t *at) {
    weir__flow *own = (weir__flow *)(uintptr_t)flow;
    if (flow->instance_names.loose) own_instances(own);
    return find(&flow->instance_names, name, at);
}

void weir__names_list(weir__names *names, weir_value *object) {
    names->listed = weir_value_ref(object);
}

void weir__names_deinit(weir__names *names) {
    weir_value_unref(names->listed);
    weir_map_deinit(&names->others);
    *names = (weir__names){0};
}

bool weir__output_find(const weir__flow *flow, weir_str instance, weir_str key, uint32_t *origin) {
    uint64_t at;
    if (!weir__instance_find(flow, instance, &at)) return false;
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
