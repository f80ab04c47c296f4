/* What the model's output operations give, and values by a record type. */
#include "data/json.h"
#include "model_internal.h"

enum { ITEMS_MAX = 4096 };

size_t model_find(const items *all, weir_str definition, uint32_t *out) {
    size_t count = 0;
    for (uint32_t i = 0; i < all->count && count < ITEMS_MAX; i++)
        if (weir_str_equal(all->items[i].definition, definition)) out[count++] = i;
    return count;
}

static weir_str text(const weir_value *value) {
    return weir_is(value, WEIR_STRING) ? weir_string_get(value) : WEIR_STR("");
}

static bool is_listed(const weir_value *names, weir_str name) {
    for (size_t i = 0; names && i < weir_value_count(names); i++)
        if (weir_str_equal(text(weir_array_at(names, i)), name)) return true;
    return false;
}

/* --- get_single, get_multi ------------------------------------------------------------------------ */

static bool get(const items *all, weir_str name, weir_str definition, bool multi,
                const weir_value *config, weir_value *outputs) {
    uint32_t found[ITEMS_MAX];
    size_t count = model_find(all, definition, found);
    if (!count) return is_listed(weir_member_named(config, "nostrict"), definition);
    weir_value *values = weir_array_new();
    for (size_t i = 0; multi && i < count; i++)
        weir_array_append(values, weir_value_ref(all->items[found[i]].value));
    if (!multi) {
        weir_value_unref(values);
        values = weir_value_ref(all->items[found[count - 1]].value);
    }
    weir_member_set(outputs, name, values);
    return true;
}

static bool get_all(const items *all, const weir_value *spec, bool multi, const weir_value *config,
                    weir_value *outputs) {
    bool ok = true;
    for (size_t i = 0; ok && i < weir_value_count(spec); i++) {
        const weir_value *what = weir_array_at(spec, i);
        if (weir_is(what, WEIR_OBJECT))
            ok = get(all, weir_object_key(what, 0), text(weir_object_at(what, 0)), multi, config,
                     outputs);
        else
            ok = get(all, text(what), text(what), multi, config, outputs);
    }
    return ok;
}

/* --- what it was made from ------------------------------------------------------------------------ */

static void mark_ancestors(const items *all, uint32_t at, bool *marked) {
    for (size_t i = 0; i < all->items[at].parent_count; i++) {
        uint32_t parent = all->items[at].parents[i];
        if (marked[parent]) continue;
        marked[parent] = true;
        mark_ancestors(all, parent, marked);
    }
}

/* The places of its ancestors of the definition. */
static size_t find_ancestors(const items *all, uint32_t at, weir_str definition, uint32_t *out) {
    bool marked[ITEMS_MAX] = {false};
    size_t count = 0;
    mark_ancestors(all, at, marked);
    for (uint32_t i = 0; i < all->count; i++)
        if (marked[i] && weir_str_equal(all->items[i].definition, definition)) out[count++] = i;
    return count;
}

static bool is_key(const items *all, uint32_t at) {
    const weir_value *value = all->items[at].value;
    return !weir_is(value, WEIR_ARRAY) && !weir_is(value, WEIR_OBJECT);
}

/* Where there is nothing to group there is no output. False: it fails. */
static bool group(const items *all, weir_str of, weir_str by, weir_str name, weir_value *outputs) {
    uint32_t values[ITEMS_MAX], keys[ITEMS_MAX];
    size_t count = model_find(all, of, values), key_count = model_find(all, by, keys);
    if (!count || !key_count) return true;
    for (size_t i = 0; i < key_count; i++)
        if (!is_key(all, keys[i])) return false;
    weir_value *list = weir_array_new();
    for (size_t i = 0; i < count; i++) {
        size_t found = find_ancestors(all, values[i], by, keys);
        for (size_t k = 0; k < found; k++) {
            bool again = false;
            for (size_t j = 0; j < k; j++)
                again |= weir_value_equal(all->items[keys[j]].value, all->items[keys[k]].value);
            if (!again) weir_array_append(list, weir_value_ref(all->items[values[i]].value));
        }
    }
    weir_member_set(outputs, name, list);
    return true;
}

/* NULL: it fails. */
static weir_value *associate(const items *all, weir_str keys, weir_str of) {
    uint32_t values[ITEMS_MAX], found[ITEMS_MAX];
    size_t count = model_find(all, of, values);
    weir_value *object = weir_object_new();
    for (size_t i = 0; i < count; i++) {
        if (!find_ancestors(all, values[i], keys, found)) continue;
        if (!is_key(all, found[0])) {
            weir_value_unref(object);
            return NULL;
        }
        const weir_value *key = all->items[found[0]].value;
        weir_buffer name = {0};
        if (weir_is(key, WEIR_STRING))
            weir_buffer_str_append(&name, weir_string_get(key));
        else
            weir_json_format(key, 0, &name);
        weir_member_set(object, weir_buffer_str(&name),
                        weir_value_ref(all->items[values[i]].value));
        weir_buffer_deinit(&name);
    }
    return object;
}

static void associate_definition(const items *all, weir_str from, weir_str of,
                                 weir_value *outputs) {
    uint32_t values[ITEMS_MAX], found[ITEMS_MAX];
    size_t count = model_find(all, of, values);
    if (!count || !model_find(all, from, found)) {
        weir_member_set(outputs, from, weir_object_new());
        return;
    }
    for (size_t i = count; i-- > 0;) {
        if (!find_ancestors(all, values[i], from, found)) continue;
        weir_member_set(outputs, from, weir_value_ref(all->items[values[i]].value));
        return;
    }
}

static bool put(weir_value *outputs, weir_str name, weir_value *value) {
    if (value) weir_member_set(outputs, name, value);
    return value != NULL;
}

weir_value *model_output(const process *p, weir_str operation, const weir_value *spec,
                         const weir_value *config, const items *all) {
    (void)p;
    weir_value *outputs = weir_object_new();
    bool multi = weir_str_is(operation, "get_multi"), ok = true;
    if (multi || weir_str_is(operation, "get_single")) {
        ok = get_all(all, spec, multi, config, outputs);
    } else if (weir_str_is(operation, "group_by")) {
        const weir_value *what = weir_object_at(spec, 0);
        ok = group(all, weir_member_text(what, "group"), weir_member_text(what, "by"),
                   weir_object_key(spec, 0), outputs);
    } else if (weir_str_is(operation, "associate")) {
        weir_str of = text(weir_array_at(spec, 1));
        ok = put(outputs, of, associate(all, text(weir_array_at(spec, 0)), of));
    } else {
        associate_definition(all, weir_object_key(spec, 0), text(weir_object_at(spec, 0)), outputs);
    }
    if (ok) return outputs;
    weir_value_unref(outputs);
    return NULL;
}

/* --- records -------------------------------------------------------------------------------------- */

static void add_fields(const weir_value *spec, const weir_value *value, bool with_default,
                       weir_value *out) {
    const weir_value *types = weir_member_named(spec, "types");
    const weir_value *defaults = weir_member_named(spec, "defaults");
    for (size_t i = 0; i < weir_value_count(types); i++) {
        weir_str name = weir_object_key(types, i);
        weir_value *otherwise = weir_member(defaults, name), *given = weir_member(value, name);
        if ((otherwise != NULL) == with_default)
            weir_array_append(out, weir_value_ref(given ? given : otherwise));
    }
}

weir_value *model_shape(const process *p, weir_str definition, weir_value *value) {
    const weir_value *spec =
        weir_member_named(model_at(p->flow, "definitions", definition), "spec");
    if (!spec || !weir_is(value, WEIR_OBJECT)) return weir_value_ref(value);
    weir_value *record = weir_array_new();
    add_fields(spec, value, false, record);
    add_fields(spec, value, true, record);
    return record;
}
