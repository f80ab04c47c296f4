#include "canonical.h"

#include <stdlib.h>

#include "base/map.h"
#include "data/json.h"
#include "simulation.h"

static int compare(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool depends_on_time(weir_str key) {
    static const char *const keys[] = {"started", "finished", "task", "children"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (weir_str_is(key, keys[i])) return true;
    return false;
}

static void write(const weir_value *value, bool status, weir_buffer *out) {
    bool object = weir_is(value, WEIR_OBJECT);
    if (!object && !weir_is(value, WEIR_ARRAY)) {
        weir_json_format(value, 0, out);
        return;
    }
    size_t count = weir_value_count(value), kept = 0;
    char **items = weir_alloc((count + 1) * sizeof *items);
    for (size_t i = 0; i < count; i++) {
        weir_buffer item = {0};
        if (object && status && depends_on_time(weir_object_key(value, i))) continue;
        if (object) {
            weir_buffer_str_append(&item, weir_object_key(value, i));
            weir_buffer_byte(&item, ':');
        }
        write(object ? weir_object_at(value, i) : weir_array_at(value, i), status, &item);
        items[kept++] = item.data;
    }
    qsort(items, kept, sizeof *items, compare);
    weir_buffer_byte(out, object ? '{' : '[');
    for (size_t i = 0; i < kept; i++) {
        weir_buffer_text(out, items[i]);
        weir_buffer_byte(out, ',');
        weir_free(items[i]);
    }
    weir_buffer_byte(out, object ? '}' : ']');
    weir_free(items);
}

void canonical_value(const weir_value *value, weir_buffer *out) {
    write(value, false, out);
}

static uint64_t hash_text(weir_str text) {
    return weir_hash(text.data, text.length);
}

/* What an array, or an object, has is added up: its order is nothing. */
static uint64_t hash(const weir_value *value, bool status) {
    bool object = weir_is(value, WEIR_OBJECT);
    uint64_t sum = object;
    if (weir_is(value, WEIR_STRING)) return hash_text(weir_string_get(value)) + 1;
    if (weir_is(value, WEIR_INT)) return chance_mix((uint64_t)weir_int_get(value));
    if (!object && !weir_is(value, WEIR_ARRAY)) {
        weir_buffer text = {0};
        weir_json_format(value, 0, &text);
        sum = hash_text(weir_buffer_str(&text));
        weir_buffer_deinit(&text);
        return sum;
    }
    for (size_t i = 0; i < weir_value_count(value); i++) {
        const weir_value *item = object ? weir_object_at(value, i) : weir_array_at(value, i);
        if (object && status && depends_on_time(weir_object_key(value, i))) continue;
        uint64_t key = object ? hash_text(weir_object_key(value, i)) : 0;
        sum += chance_mix(hash(item, status) ^ chance_mix(key));
    }
    return chance_mix(sum);
}

uint64_t canonical_hash(const weir_value *value) {
    return hash(value, false);
}

uint64_t canonical_status_hash(const weir_value *status) {
    return hash(status, true);
}

void canonical_status(const weir_value *status, weir_buffer *out) {
    write(status, true, out);
}

void canonical_lines(char **texts, size_t count, weir_buffer *out) {
    if (count) qsort(texts, count, sizeof *texts, compare);
    for (size_t i = 0; i < count; i++) weir_buffer_printf(out, "%s\n", texts[i]);
}

void canonical_sets(const weir_value *status, weir_buffer *out) {
    const weir_value *nodes = weir_member_named(status, "nodes");
    WEIR_VECTOR(char *) names = {0};
    for (size_t i = 0; i < weir_value_count(nodes); i++) {
        const weir_value *node = weir_array_at(nodes, i), *sets = weir_member_named(node, "tasks");
        for (int64_t k = 0; weir_is(sets, WEIR_INT) && k < weir_int_get(sets); k++)
            *weir_vector_push(&names) = weir_str_dup(weir_member_text(node, "name"));
    }
    canonical_lines(names.items, names.count, out);
    for (size_t i = 0; i < names.count; i++) weir_free(names.items[i]);
    weir_vector_deinit(&names);
}
