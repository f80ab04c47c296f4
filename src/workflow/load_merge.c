/* Kubernetes' strategic merge patch (k8s.io/apimachinery, "strategic merge patch" in its API conventions), with the merge keys that
 * Argo's types have. */
#include "data/yaml.h"
#include "workflow/load_internal.h"

static const struct {
    const char *list, *key;
} merge_keys[] = {
    {"templates", "name"},
    {"parameters", "name"},
    {"artifacts", "name"},
    {"volumes", "name"},
    {"env", "name"},
    {"volumeMounts", "mountPath"},
    {"sidecars", "name"},
    {"initContainers", "name"},
    {"tasks", "name"},
    {"ports", "containerPort"},
    {"imagePullSecrets", "name"},
    {"hostAliases", "ip"},
    {"tolerations", "key"},
};

typedef struct merging {
    weir__taken *taken;
    void *arg;
    weir_buffer whole, over; /* paths, where somebody listens */
} merging;

static weir_value *merge(merging *m, const weir_value *base, const weir_value *over,
                         const char *key);

static size_t enter(const merging *m, weir_buffer *path, weir_str key) {
    size_t mark = path->length;
    if (m->taken) weir_path_append(path, key);
    return mark;
}

static size_t enter_item(const merging *m, weir_buffer *path, size_t index) {
    size_t mark = path->length;
    if (m->taken) weir_buffer_printf(path, "%s%zu", mark ? "/" : "", index);
    return mark;
}

static void leave(weir_buffer *path, size_t mark) {
    path->length = mark;
    if (path->data) path->data[mark] = '\0';
}

static weir_value *take(merging *m, const weir_value *over) {
    if (m->taken) m->taken(m->arg, weir_buffer_str(&m->whole).data, weir_buffer_str(&m->over).data);
    return weir_value_ref((weir_value *)over);
}

static weir_value *merge_objects(merging *m, const weir_value *base, const weir_value *over) {
    weir_value *out = weir_value_own(weir_value_ref((weir_value *)base));
    for (size_t i = 0; i < weir_value_count(over); i++) {
        weir_str key = weir_object_key(over, i);
        const weir_value *value = weir_object_at(over, i), *before = weir_member(base, key);
        if (weir_is(value, WEIR_NULL)) continue;
        size_t whole = enter(m, &m->whole, key), mine = enter(m, &m->over, key);
        weir_member_set(out, key, before ? merge(m, before, value, key.data) : take(m, value));
        leave(&m->whole, whole);
        leave(&m->over, mine);
    }
    return out;
}

static weir_str key_of(const weir_value *item, const char *key) {
    const weir_value *value = weir_member_named(item, key);
    return weir_is(value, WEIR_STRING) ? weir_string_get(value) : WEIR_STR("");
}

static weir_value *merge_lists(merging *m, const weir_value *base, const weir_value *over,
                               const char *key) {
    weir_map at = {0};
    weir_value *out = weir_array_new();
    size_t count = weir_value_count(base);
    for (size_t i = 0; i < weir_value_count(over); i++) {
        weir_str name = key_of(weir_array_at(over, i), key);
        if (name.length) weir_map_set(&at, name, i);
    }
    bool *merged = weir_alloc(weir_value_count(over) + 1);
    for (size_t i = 0; i < count; i++) {
        const weir_value *item = weir_array_at(base, i);
        uint64_t other;
        if (!weir_map_get(&at, key_of(item, key), &other)) {
            weir_array_append(out, weir_value_ref((weir_value *)item));
            continue;
        }
        size_t whole = enter_item(m, &m->whole, i), mine = enter_item(m, &m->over, other);
        weir_array_append(out, merge(m, item, weir_array_at(over, other), ""));
        merged[other] = true;
        leave(&m->whole, whole);
        leave(&m->over, mine);
    }
    for (size_t i = 0; i < weir_value_count(over); i++) {
        if (merged[i]) continue;
        size_t whole = enter_item(m, &m->whole, weir_value_count(out));
        size_t mine = enter_item(m, &m->over, i);
        weir_array_append(out, take(m, weir_array_at(over, i)));
        leave(&m->whole, whole);
        leave(&m->over, mine);
    }
    weir_free(merged);
    weir_map_deinit(&at);
    return out;
}

static const char *merge_key(const char *list) {
    for (size_t i = 0; i < sizeof merge_keys / sizeof *merge_keys; i++)
        if (strcmp(list, merge_keys[i].list) == 0) return merge_keys[i].key;
    return NULL;
}

static weir_value *merge(merging *m, const weir_value *base, const weir_value *over,
                         const char *key) {
    if (weir_is(base, WEIR_OBJECT) && weir_is(over, WEIR_OBJECT)) {
        weir_value *out = merge_objects(m, base, over);
        /* A parameter has its text from one place. */
        if (weir_member_named(over, "value") && !weir_member_named(over, "valueFrom"))
            out = weir__without(out, "valueFrom");
        return out;
    }
    const char *by = merge_key(key);
    if (by && weir_is(base, WEIR_ARRAY) && weir_is(over, WEIR_ARRAY))
        return merge_lists(m, base, over, by);
    return take(m, over);
}

weir_value *weir__merge(const weir_value *base, const weir_value *over, weir__taken *taken,
                        void *arg) {
    merging m = {.taken = taken, .arg = arg};
    weir_value *out = merge(&m, base, over, "");
    weir_buffer_deinit(&m.whole);
    weir_buffer_deinit(&m.over);
    return out;
}
