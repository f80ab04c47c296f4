#include "data/value.h"

#include <stdatomic.h>

#include "base/map.h"
#include "base/vector.h"

typedef struct member {
    weir_value *key;
    weir_value *value;
} member;

enum { INDEX_FROM = 9 }; /* objects with fewer members are searched one by one */

struct weir_value {
    atomic_uint refs;
    weir_type type;
    union {
        bool boolean;
        int64_t integer;
        double number;
        struct {
            size_t length;
            char *data;
        } string;
        WEIR_VECTOR(weir_value *) array;
        struct {
            member *items;
            size_t count, capacity;
            weir_map *index; /* key to place; NULL while the object is small */
        } object;
    } as;
};

static weir_value *new_value(weir_type type) {
    /* Zeroed here: glibc's calloc passes its cache of small blocks by. */
    weir_value *value = weir_realloc(NULL, sizeof *value);
    *value = (weir_value){.type = type};
    atomic_init(&value->refs, 1);
    return value;
}

weir_value *weir_value_ref(weir_value *value) {
    if (value) atomic_fetch_add_explicit(&value->refs, 1, memory_order_relaxed);
    return value;
}

static void free_object(weir_value *value) {
    for (size_t i = 0; i < value->as.object.count; i++) {
        weir_value_unref(value->as.object.items[i].key);
        weir_value_unref(value->as.object.items[i].value);
    }
    weir_free(value->as.object.items);
    if (value->as.object.index) weir_map_deinit(value->as.object.index);
    weir_free(value->as.object.index);
}

void weir_value_unref(weir_value *value) {
    if (!value || atomic_fetch_sub_explicit(&value->refs, 1, memory_order_acq_rel) != 1) return;
    switch (value->type) {
    case WEIR_STRING: weir_free(value->as.string.data); break;
    case WEIR_ARRAY:
        for (size_t i = 0; i < value->as.array.count; i++)
            weir_value_unref(value->as.array.items[i]);
        weir_free(value->as.array.items);
        break;
    case WEIR_OBJECT: free_object(value); break;
    default: break;
    }
    weir_free(value);
}

weir_value *weir_null_new(void) {
    return new_value(WEIR_NULL);
}

weir_value *weir_bool_new(bool boolean) {
    weir_value *value = new_value(WEIR_BOOL);
    value->as.boolean = boolean;
    return value;
}

weir_value *weir_int_new(int64_t integer) {
    weir_value *value = new_value(WEIR_INT);
    value->as.integer = integer;
    return value;
}

weir_value *weir_float_new(double number) {
    weir_value *value = new_value(WEIR_FLOAT);
    value->as.number = number;
    return value;
}

weir_value *weir_string_new(const char *data, size_t length) {
    weir_value *value = new_value(WEIR_STRING);
    value->as.string.data = weir_str_dup((weir_str){data, length});
    value->as.string.length = length;
    return value;
}

weir_value *weir_array_new(void) {
    return new_value(WEIR_ARRAY);
}

weir_value *weir_object_new(void) {
    return new_value(WEIR_OBJECT);
}

static bool is_unshared(const weir_value *value) {
    return atomic_load_explicit(&value->refs, memory_order_acquire) == 1;
}

bool weir_value_is_shared(const weir_value *value) {
    return !is_unshared(value);
}

void weir_array_append(weir_value *array, weir_value *item) {
    weir_assert(array->type == WEIR_ARRAY && is_unshared(array) && item);
    *weir_vector_push(&array->as.array) = item;
}

/* The place of the member, or SIZE_MAX. */
static size_t find_member(const weir_value *object, weir_str key) {
    if (object->as.object.index) {
        uint64_t at;
        return weir_map_get(object->as.object.index, key, &at) ? (size_t)at : SIZE_MAX;
    }
    for (size_t i = 0; i < object->as.object.count; i++)
        if (weir_str_equal(weir_string_get(object->as.object.items[i].key), key)) return i;
    return SIZE_MAX;
}

static void index_member(weir_value *object, size_t at) {
    weir_map_set(object->as.object.index, weir_string_get(object->as.object.items[at].key), at);
}

void weir_object_set(weir_value *object, const char *key, size_t length, weir_value *value) {
    weir_assert(object->type == WEIR_OBJECT && is_unshared(object) && value);
    size_t at = find_member(object, (weir_str){key, length});
    if (at != SIZE_MAX) {
        weir_value_unref(object->as.object.items[at].value);
        object->as.object.items[at].value = value;
        return;
    }
    *weir_vector_push(&object->as.object) = (member){weir_string_new(key, length), value};
    size_t count = object->as.object.count;
    if (object->as.object.index) {
        index_member(object, count - 1);
    } else if (count >= INDEX_FROM) {
        object->as.object.index = weir_alloc(sizeof *object->as.object.index);
        for (size_t i = 0; i < count; i++) index_member(object, i);
    }
}

weir_type weir_value_type(const weir_value *value) {
    return value->type;
}

const char *weir_type_text(weir_type type) {
    static const char *const texts[] = {"null",   "boolean", "integer", "number",
                                        "string", "array",   "object"};
    return texts[type];
}

bool weir_bool_get(const weir_value *value) {
    weir_assert(value->type == WEIR_BOOL);
    return value->as.boolean;
}

int64_t weir_int_get(const weir_value *value) {
    weir_assert(value->type == WEIR_INT);
    return value->as.integer;
}

double weir_number_get(const weir_value *value) {
    weir_assert(value->type == WEIR_INT || value->type == WEIR_FLOAT);
    return value->type == WEIR_INT ? (double)value->as.integer : value->as.number;
}

weir_str weir_string_get(const weir_value *value) {
    weir_assert(value->type == WEIR_STRING);
    return (weir_str){value->as.string.data, value->as.string.length};
}

size_t weir_value_count(const weir_value *value) {
    weir_assert(value->type == WEIR_ARRAY || value->type == WEIR_OBJECT);
    return value->type == WEIR_ARRAY ? value->as.array.count : value->as.object.count;
}

weir_value *weir_array_at(const weir_value *array, size_t index) {
    weir_assert(array->type == WEIR_ARRAY && index < array->as.array.count);
    return array->as.array.items[index];
}

weir_str weir_object_key(const weir_value *object, size_t index) {
    weir_assert(object->type == WEIR_OBJECT && index < object->as.object.count);
    return weir_string_get(object->as.object.items[index].key);
}

weir_value *weir_object_at(const weir_value *object, size_t index) {
    weir_assert(object->type == WEIR_OBJECT && index < object->as.object.count);
    return object->as.object.items[index].value;
}

weir_value *weir_object_get(const weir_value *object, const char *key, size_t length) {
    weir_assert(object->type == WEIR_OBJECT);
    size_t at = find_member(object, (weir_str){key, length});
    return at == SIZE_MAX ? NULL : object->as.object.items[at].value;
}

static bool arrays_equal(const weir_value *a, const weir_value *b) {
    if (a->as.array.count != b->as.array.count) return false;
    for (size_t i = 0; i < a->as.array.count; i++)
        if (!weir_value_equal(a->as.array.items[i], b->as.array.items[i])) return false;
    return true;
}

static bool objects_equal(const weir_value *a, const weir_value *b) {
    if (a->as.object.count != b->as.object.count) return false;
    for (size_t i = 0; i < a->as.object.count; i++) {
        const weir_value *other = weir_member(b, weir_object_key(a, i));
        if (!other || !weir_value_equal(weir_object_at(a, i), other)) return false;
    }
    return true;
}

bool weir_value_equal(const weir_value *a, const weir_value *b) {
    if (a == b) return true;
    if (a->type != b->type) return false;
    switch (a->type) {
    case WEIR_NULL: return true;
    case WEIR_BOOL: return a->as.boolean == b->as.boolean;
    case WEIR_INT: return a->as.integer == b->as.integer;
    case WEIR_FLOAT: return a->as.number == b->as.number;
    case WEIR_STRING: return weir_str_equal(weir_string_get(a), weir_string_get(b));
    case WEIR_ARRAY: return arrays_equal(a, b);
    case WEIR_OBJECT: return objects_equal(a, b);
    }
    return false;
}

bool weir_value_is_flat(const weir_value *value, int max) {
    bool object = value->type == WEIR_OBJECT;
    if (!object && value->type != WEIR_ARRAY) return true;
    if (max < 1) return false;
    for (size_t i = 0; i < weir_value_count(value); i++)
        if (!weir_value_is_flat(object ? weir_object_at(value, i) : weir_array_at(value, i),
                                max - 1))
            return false;
    return true;
}

bool weir_value_truth(const weir_value *value) {
    switch (value->type) {
    case WEIR_NULL: return false;
    case WEIR_BOOL: return value->as.boolean;
    case WEIR_INT: return value->as.integer != 0;
    case WEIR_FLOAT: return value->as.number != 0;
    case WEIR_STRING: return value->as.string.length > 0;
    default: return weir_value_count(value) > 0;
    }
}

weir_value *weir_member_named(const weir_value *object, const char *key) {
    return weir_is(object, WEIR_OBJECT) ? weir_member(object, weir_str_from(key)) : NULL;
}

uint64_t weir_member_count(const weir_value *object, const char *key) {
    const weir_value *value = weir_member_named(object, key);
    return weir_is(value, WEIR_INT) && weir_int_get(value) > 0 ? (uint64_t)weir_int_get(value) : 0;
}

weir_str weir_member_text(const weir_value *object, const char *key) {
    const weir_value *value = weir_member_named(object, key);
    return weir_is(value, WEIR_STRING) ? weir_string_get(value) : WEIR_STR("");
}

void weir_member_put(weir_value *object, const char *key, weir_value *value) {
    weir_object_set(object, key, strlen(key), value);
}

void weir_member_put_text(weir_value *object, const char *key, weir_str text) {
    weir_member_put(object, key, weir_string_from(text));
}

weir_value *weir_value_own(weir_value *value) {
    weir_assert(value->type == WEIR_ARRAY || value->type == WEIR_OBJECT);
    if (is_unshared(value)) return value;
    weir_value *copy = new_value(value->type);
    for (size_t i = 0; i < weir_value_count(value); i++) {
        if (value->type == WEIR_ARRAY)
            weir_array_append(copy, weir_value_ref(weir_array_at(value, i)));
        else
            weir_member_set(copy, weir_object_key(value, i),
                            weir_value_ref(weir_object_at(value, i)));
    }
    weir_value_unref(value);
    return copy;
}
