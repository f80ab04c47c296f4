/* A pipeline in plain style: every list of one-entry mappings that stands for a mapping becomes one. */
#include "pipeline/pipeline_internal.h"

/* Of a file that was read without problems, so each entry has one name. Values within are as they are. New reference. */
static weir_value *mapping_of(const weir_value *value) {
    weir_value *mapping = weir_object_new();
    bool list = weir_is(value, WEIR_ARRAY), object = weir_is(value, WEIR_OBJECT);
    for (size_t i = 0; (list || object) && i < weir_value_count(value); i++) {
        const weir_value *from = list ? weir_array_at(value, i) : value;
        size_t at = list ? 0 : i;
        if (!weir_is(from, WEIR_OBJECT) || at >= weir_value_count(from)) continue;
        weir_member_set(mapping, weir_object_key(from, at),
                        weir_value_ref(weir_object_at(from, at)));
    }
    return mapping;
}

/* Replaces the member by its mapping, when it is one. */
static void make_plain(weir_value *object, const char *name) {
    const weir_value *member = weir_member_named(object, name);
    if (weir_is(member, WEIR_ARRAY)) weir_member_put(object, name, mapping_of(member));
}

static weir_value *component_of(const weir_value *body) {
    weir_value *component = mapping_of(body);
    make_plain(component, "config");
    const weir_value *runner = weir_member_named(component, "runner");
    if (weir_is(runner, WEIR_ARRAY)) make_plain(component, "runner");
    return component;
}

weir_value *weir__pipeline_to_plain(const weir__pipeline *p) {
    const weir_value *root = p->document->roots.items[p->root];
    weir_value *body = mapping_of(weir_member_named(root, "pipeline"));
    weir_value *given = mapping_of(weir_member_named(body, "components")),
               *components = weir_array_new(), *file = weir_object_new();
    for (size_t i = 0; i < weir_value_count(given); i++) {
        weir_value *entry = weir_object_new();
        weir_member_set(entry, weir_object_key(given, i), component_of(weir_object_at(given, i)));
        weir_array_append(components, entry);
    }
    weir_value_unref(given);
    weir_member_put(body, "components", components);
    weir_member_put(file, "pipeline", body);
    return file;
}
