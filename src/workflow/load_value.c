#include "workflow/load_internal.h"

weir_value *weir__with(weir_value *value, const char *key, weir_value *member) {
    if (weir_member_named(value, key) == member) {
        weir_value_unref(member);
        return value;
    }
    value = weir_value_own(value);
    weir_member_put(value, key, member);
    return value;
}

weir_value *weir__without(weir_value *value, const char *key) {
    if (!weir_member_named(value, key)) return value;
    weir_value *rest = weir_object_new();
    for (size_t i = 0; i < weir_value_count(value); i++)
        if (!weir_str_is(weir_object_key(value, i), key))
            weir_member_set(rest, weir_object_key(value, i),
                            weir_value_ref(weir_object_at(value, i)));
    weir_value_unref(value);
    return rest;
}

static weir_value *item_at(const weir_value *value, size_t index) {
    return weir_is(value, WEIR_ARRAY) ? weir_array_at(value, index) : weir_object_at(value, index);
}

static void put_item(weir_value *out, const weir_value *value, size_t index, weir_value *item) {
    if (weir_is(value, WEIR_ARRAY))
        weir_array_append(out, item);
    else
        weir_member_set(out, weir_object_key(value, index), item);
}

weir_value *weir__map_items(const weir_value *value, weir__change *change, void *arg) {
    weir_value *out = NULL;
    for (size_t i = 0; i < weir_value_count(value); i++) {
        weir_value *item = item_at(value, i), *changed = change(arg, item, i);
        if (!out && changed != item) {
            out = weir_is(value, WEIR_ARRAY) ? weir_array_new() : weir_object_new();
            for (size_t k = 0; k < i; k++)
                put_item(out, value, k, weir_value_ref(item_at(value, k)));
        }
        if (out)
            put_item(out, value, i, changed);
        else
            weir_value_unref(changed);
    }
    return out ? out : weir_value_ref((weir_value *)value);
}

const weir_value *weir__object_member(const weir_value *value, const char *key) {
    const weir_value *member = weir_member_named(value, key);
    return weir_is(member, WEIR_OBJECT) ? member : NULL;
}

bool weir__has_tag(weir_str text) {
    return weir_str_find(text, WEIR_STR("{{"), 0) != SIZE_MAX;
}
