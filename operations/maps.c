/* Maps: members by name. A map is never changed: what changes it gives a new one, its members in the order in which they
 * came. */
#include "operations.h"
#include "parameter.h"
#include "text.h"

static weir_value *take_map(const weir_host *host, weir_call *call, const char *name) {
    return weir__typed(host, call, name, WEIR_OBJECT);
}

static bool give(const weir_host *host, weir_call *call, const char *name, weir_value *value) {
    host->output(call, name, value);
    return true;
}

static void set_member(const weir_host *host, weir_value *map, weir_str key, weir_value *value) {
    host->object_set(map, key.data, key.length, value);
}

/* New: the members, without the one of that name; `without` may have no data. */
static weir_value *copy(const weir_host *host, const weir_value *map, weir_str without) {
    weir_value *made = host->object_new();
    for (size_t i = 0; i < host->value_count(map); i++) {
        weir_str key = host->object_key(map, i);
        if (!without.data || !weir__same_text(key, without))
            set_member(host, made, key, host->value_ref(host->object_at(map, i)));
    }
    return made;
}

static bool get(const weir_host *host, weir_call *call) {
    weir_str key;
    const weir_value *map = take_map(host, call, "map");
    if (!map || !weir__text_needed(host, call, "key", &key)) return false;
    weir_value *value = host->object_get(map, key.data, key.length);
    if (!value) value = weir__given(host, call, "default");
    if (!value) return host->fail(call, "not_found", "the map has no member `%.*s`", SHOWN(key));
    return give(host, call, "value", host->value_ref(value));
}

static bool has(const weir_host *host, weir_call *call) {
    weir_str key;
    const weir_value *map = take_map(host, call, "map");
    return map && weir__text_needed(host, call, "key", &key) &&
           give(host, call, "result",
                host->bool_new(host->object_get(map, key.data, key.length) != NULL));
}

static bool set(const weir_host *host, weir_call *call) {
    weir_str key;
    const weir_value *map = take_map(host, call, "map");
    if (!map || !weir__text_needed(host, call, "key", &key)) return false;
    weir_value *value = weir__needed(host, call, "value");
    if (!value) return false;
    weir_value *made = copy(host, map, (weir_str){NULL, 0});
    set_member(host, made, key, host->value_ref(value));
    return give(host, call, "map", made);
}

static bool remove_member(const weir_host *host, weir_call *call) {
    weir_str key;
    const weir_value *map = take_map(host, call, "map");
    return map && weir__text_needed(host, call, "key", &key) &&
           give(host, call, "map", copy(host, map, key));
}

static bool keys(const weir_host *host, weir_call *call) {
    const weir_value *map = take_map(host, call, "map");
    if (!map) return false;
    weir_value *list = host->array_new();
    for (size_t i = 0; i < host->value_count(map); i++)
        host->array_append(list, weir__string(host, host->object_key(map, i)));
    return give(host, call, "keys", list);
}

static bool values(const weir_host *host, weir_call *call) {
    const weir_value *map = take_map(host, call, "map");
    if (!map) return false;
    weir_value *list = host->array_new();
    for (size_t i = 0; i < host->value_count(map); i++)
        host->array_append(list, host->value_ref(host->object_at(map, i)));
    return give(host, call, "values", list);
}

static bool items(const weir_host *host, weir_call *call) {
    const weir_value *map = take_map(host, call, "map");
    if (!map) return false;
    weir_value *list = host->array_new();
    for (size_t i = 0; i < host->value_count(map); i++) {
        weir_value *pair = host->array_new();
        host->array_append(pair, weir__string(host, host->object_key(map, i)));
        host->array_append(pair, host->value_ref(host->object_at(map, i)));
        host->array_append(list, pair);
    }
    return give(host, call, "items", list);
}

static bool from_items(const weir_host *host, weir_call *call) {
    const weir_value *list = weir__typed(host, call, "items", WEIR_ARRAY);
    if (!list) return false;
    weir_value *made = host->object_new();
    for (size_t i = 0; i < host->value_count(list); i++) {
        const weir_value *pair = host->array_at(list, i);
        if (host->value_type(pair) != WEIR_ARRAY || host->value_count(pair) != 2 ||
            host->value_type(host->array_at(pair, 0)) != WEIR_STRING) {
            host->value_unref(made);
            return host->fail(call, "invalid", "item %zu must be [name, value], the name a text",
                              i);
        }
        set_member(host, made, host->string_get(host->array_at(pair, 0)),
                   host->value_ref(host->array_at(pair, 1)));
    }
    return give(host, call, "map", made);
}

/* New: with `deep`, maps that both have are merged too. */
static weir_value *merged(const weir_host *host, const weir_value *first, const weir_value *second,
                          bool deep) {
    weir_value *made = copy(host, first, (weir_str){NULL, 0});
    for (size_t i = 0; i < host->value_count(second); i++) {
        weir_str key = host->object_key(second, i);
        weir_value *value = host->object_at(second, i);
        const weir_value *before = host->object_get(first, key.data, key.length);
        bool both = deep && before && host->value_type(before) == WEIR_OBJECT &&
                    host->value_type(value) == WEIR_OBJECT;
        set_member(host, made, key,
                   both ? merged(host, before, value, true) : host->value_ref(value));
    }
    return made;
}

static bool merge(const weir_host *host, weir_call *call) {
    const weir_value *first = take_map(host, call, "first");
    const weir_value *second = first ? take_map(host, call, "second") : NULL;
    bool deep = false;
    return second && weir__bool_given(host, call, "deep", &deep) &&
           give(host, call, "map", merged(host, first, second, deep));
}

enum { HINTS = WEIR_PURE | WEIR_CHEAP };
#define MAP_IN                                                                                     \
    { "map", "map", "The map." }
#define MAP_OUT PORTS({"map", "map", "The new map."})
#define MAP_AND_KEY PORTS(MAP_IN, {"key", "str", "The member's name."})
#define KEY                                                                                        \
    { "key", "str", "The name, when it is no parameter." }

static const weir_operation *const operations[] = {
    OPERATION(.name = "map.get", .about = "Takes the member of a name.", .inputs = MAP_AND_KEY,
              .outputs = PORTS({"value", "generic", "The member's value."}),
              .config =
                  PORTS(KEY, {"default", "generic",
                              "What is given when there is no such member; else that fails."}),
              .hints = HINTS, .run = get,
              .example = "operations:\n"
                         "  total: {name: map.get, inputs: {map: order}, outputs: {value: total}}\n"
                         "configs:\n"
                         "  total: {key: total, default: 0}\n"),
    OPERATION(.name = "map.has", .about = "Whether a map has a member of a name.",
              .inputs = MAP_AND_KEY, .outputs = PORTS({"result", "bool", "Whether it is so."}),
              .config = PORTS(KEY), .hints = HINTS, .run = has),
    OPERATION(.name = "map.set", .about = "Sets or replaces a member.",
              .inputs = PORTS(MAP_IN, {"key", "str", "The member's name."},
                              {"value", "generic", "Its value."}),
              .outputs = MAP_OUT,
              .config = PORTS(KEY, {"value", "generic", "The value, when it is no parameter."}),
              .hints = HINTS, .run = set),
    OPERATION(.name = "map.remove",
              .about = "Leaves out a member; that there is none is no failure.",
              .inputs = MAP_AND_KEY, .outputs = MAP_OUT, .config = PORTS(KEY), .hints = HINTS,
              .run = remove_member),
    OPERATION(.name = "map.keys", .about = "Lists the names of the members.",
              .inputs = PORTS(MAP_IN), .outputs = PORTS({"keys", "array", "The names."}),
              .config = NO_PORTS, .hints = HINTS, .run = keys),
    OPERATION(.name = "map.values", .about = "Lists the values of the members.",
              .inputs = PORTS(MAP_IN), .outputs = PORTS({"values", "array", "The values."}),
              .config = NO_PORTS, .hints = HINTS, .run = values),
    OPERATION(.name = "map.items", .about = "Lists the members as [name, value].",
              .inputs = PORTS(MAP_IN), .outputs = PORTS({"items", "array", "The pairs."}),
              .config = NO_PORTS, .hints = HINTS, .run = items),
    OPERATION(.name = "map.from_items",
              .about = "Makes a map of [name, value]; the last of a name counts.",
              .inputs = PORTS({"items", "array", "The pairs."}), .outputs = MAP_OUT,
              .config = NO_PORTS, .hints = HINTS, .run = from_items),
    OPERATION(.name = "map.merge", .about = "Puts the members of one map over those of another.",
              .inputs = PORTS({"first", "map", "A map."},
                              {"second", "map", "Another, whose members count."}),
              .outputs = MAP_OUT,
              .config = PORTS({"deep", "bool", "Whether maps that both have are merged too.",
                               .otherwise = "false"}),
              .hints = HINTS, .run = merge),
    NULL};

PLUGIN(weir_map_plugin, "map", operations)
