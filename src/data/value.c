#include "data/value.h"

#include "base/map.h"
#include "base/vector.h"
#include "data/value_build.h"
#include "data/value_internal.h"

typedef weir_value_pair member;

/* From key to place: open addressing in a power of two of slots, at most three of four in use. */
typedef struct slot {
    uint32_t hash; /* its lower half */
    uint32_t at;   /* 1 + the member's; 0: free */
} slot;

typedef struct scalar_value {
    weir_value base;
    union {
        bool boolean;
        int64_t integer;
        double number;
    } as;
} scalar_value;

typedef struct string_value {
    weir_value base;
    size_t length;
    char data[]; /* and a NUL */
} string_value;

/* Items and members of which there are to be no more stand within, as most do: a file may have millions of them. */
typedef struct array_value {
    weir_value base;
    uint32_t count, capacity;
    weir_value **items;
    weir_value *within[];
} array_value;

typedef struct object_value {
    weir_value base;
    uint32_t count, capacity;
    member *members;
    struct index *index; /* NULL while the object is small */
    member within[];
} object_value;

typedef struct index {
    size_t slots;
    slot items[];
} index_of_members;

weir_value *weir__value_new(weir_type type, size_t size) {
    weir_value *value = weir_realloc(NULL, size);
    value->type = type;
    atomic_init(&value->refs, 1);
    return value;
}

static const scalar_value *scalar_of(const weir_value *value) {
    return (const scalar_value *)value;
}

static const array_value *array_of(const weir_value *value) {
    return (const array_value *)value;
}

static const object_value *object_of(const weir_value *value) {
    return (const object_value *)value;
}

weir_value *weir_value_ref(weir_value *value) {
    if (value) atomic_fetch_add_explicit(&value->refs, 1, memory_order_relaxed);
    return value;
}

static void free_object(object_value *o) {
    for (size_t i = 0; i < o->count; i++) {
        weir_value_unref(o->members[i].key);
        weir_value_unref(o->members[i].value);
    }
    if (o->members != o->within) weir_free(o->members);
    weir_free(o->index);
}

static void free_array(array_value *a) {
    for (size_t i = 0; i < a->count; i++) weir_value_unref(a->items[i]);
    if (a->items != a->within) weir_free(a->items);
}

void weir_value_unref(weir_value *value) {
    if (!value || atomic_fetch_sub_explicit(&value->refs, 1, memory_order_acq_rel) != 1) return;
    if (value->type == WEIR_ARRAY) free_array((array_value *)value);
    if (value->type == WEIR_OBJECT) free_object((object_value *)value);
    if (value->type >= WEIR_BYTES) weir__bytes_end(value);
    weir_free(value);
}

weir_value *weir_null_new(void) {
    return weir__value_new(WEIR_NULL, sizeof(weir_value));
}

weir_value *weir_bool_new(bool boolean) {
    scalar_value *value = (scalar_value *)weir__value_new(WEIR_BOOL, sizeof *value);
    value->as.boolean = boolean;
    return &value->base;
}

weir_value *weir_int_new(int64_t integer) {
    scalar_value *value = (scalar_value *)weir__value_new(WEIR_INT, sizeof *value);
    value->as.integer = integer;
    return &value->base;
}

weir_value *weir_float_new(double number) {
    scalar_value *value = (scalar_value *)weir__value_new(WEIR_FLOAT, sizeof *value);
    value->as.number = number;
    return &value->base;
}

weir_value *weir_string_new(const char *data, size_t length) {
    string_value *value = (string_value *)weir__value_new(WEIR_STRING, sizeof *value + length + 1);
    value->length = length;
    if (length) memcpy(value->data, data, length);
    value->data[length] = '\0';
    return &value->base;
}

/* With room for so many within. */
static array_value *new_array(size_t room) {
    weir_assert(room <= UINT32_MAX);
    array_value *a =
        (array_value *)weir__value_new(WEIR_ARRAY, sizeof *a + room * sizeof *a->within);
    a->count = 0;
    a->capacity = (uint32_t)room;
    a->items = a->within;
    return a;
}

static object_value *new_object(size_t room) {
    weir_assert(room <= UINT32_MAX);
    object_value *o =
        (object_value *)weir__value_new(WEIR_OBJECT, sizeof *o + room * sizeof *o->within);
    o->count = 0;
    o->capacity = (uint32_t)room;
    o->members = o->within;
    o->index = NULL;
    return o;
}

weir_value *weir_array_new(void) {
    return &new_array(0)->base;
}

weir_value *weir_object_new(void) {
    return &new_object(0)->base;
}

/* What a list of so many items has room for when it grows: as a vector has it. */
static uint32_t grown(uint32_t capacity, size_t size) {
    weir_assert(capacity < UINT32_MAX / 2);
    return capacity ? capacity * 2 : (uint32_t)(WEIR__VECTOR_BYTES / size);
}

/* Makes room for one more; `within` is where the first ones may stand. */
static void *make_room(void *items, const void *within, uint32_t count, uint32_t *capacity,
                       size_t size) {
    if (count < *capacity) return items;
    *capacity = grown(*capacity, size);
    bool moves = items == within;
    void *room = weir_realloc(moves ? NULL : items, *capacity * size);
    if (moves && count) memcpy(room, items, count * size);
    return room;
}

static bool is_unshared(const weir_value *value) {
    return atomic_load_explicit(&value->refs, memory_order_acquire) == 1;
}

bool weir_value_is_shared(const weir_value *value) {
    return !is_unshared(value);
}

void weir_array_append(weir_value *array, weir_value *item) {
    weir_assert(array->type == WEIR_ARRAY && is_unshared(array) && item);
    array_value *a = (array_value *)array;
    a->items = make_room(a->items, a->within, a->count, &a->capacity, sizeof *a->items);
    a->items[a->count++] = item;
}

static member *push_member(object_value *o) {
    o->members = make_room(o->members, o->within, o->count, &o->capacity, sizeof *o->members);
    return &o->members[o->count++];
}

static weir_str key_of(const object_value *o, size_t at) {
    return weir_string_get(o->members[at].key);
}

/* The key's slot, or the free one that it would get. */
static slot *find_slot(const object_value *o, weir_str key, uint32_t hash) {
    slot *slots = o->index->items;
    size_t mask = o->index->slots - 1, i = hash & mask;
    while (slots[i].at &&
           !(slots[i].hash == hash && weir_str_equal(key_of(o, slots[i].at - 1), key)))
        i = (i + 1) & mask;
    return &slots[i];
}

static uint32_t hash_of(weir_str key) {
    return (uint32_t)weir_hash_seeded(key.data, key.length);
}

/* Room for one more. Keys differ, so nothing is compared when they move. */
static void grow_index(object_value *o) {
    index_of_members *old = o->index, *new;
    size_t before = old ? old->slots : 0, slots = before ? before : 16;
    while (slots * 3 <= (size_t)o->count * 4) slots *= 2;
    new = weir_alloc(sizeof *new + slots * sizeof *new->items);
    new->slots = slots;
    for (size_t i = 0; i < (old ? before : o->count); i++) {
        slot moved = old ? old->items[i] : (slot){hash_of(key_of(o, i)), (uint32_t)i + 1};
        if (!moved.at) continue;
        size_t to = moved.hash & (slots - 1);
        while (new->items[to].at) to = (to + 1) & (slots - 1);
        new->items[to] = moved;
    }
    weir_free(old);
    o->index = new;
}

/* The place of the member, or SIZE_MAX. */
static size_t find_member(const object_value *o, weir_str key) {
    if (o->index) return (size_t)find_slot(o, key, hash_of(key))->at - 1;
    for (size_t i = 0; i < o->count; i++)
        if (weir_str_equal(key_of(o, i), key)) return i;
    return SIZE_MAX;
}

/* The place of the member, or of a new one at the end, whose key and value are to be filled in. */
static member *place_member(object_value *o, weir_str key, bool *fresh) {
    size_t count = o->count;
    *fresh = true;
    if (!o->index && count + 1 < WEIR_INDEX_FROM) {
        size_t at = find_member(o, key);
        *fresh = at == SIZE_MAX;
        return *fresh ? push_member(o) : &o->members[at];
    }
    if (!o->index || count * 4 >= o->index->slots * 3) grow_index(o); /* or make it */
    uint32_t hash = hash_of(key);
    slot *found = find_slot(o, key, hash);
    *fresh = !found->at;
    if (!*fresh) return &o->members[found->at - 1];
    *found = (slot){hash, (uint32_t)count + 1};
    return push_member(o);
}

void weir_object_set(weir_value *object, const char *key, size_t length, weir_value *value) {
    weir_assert(object->type == WEIR_OBJECT && is_unshared(object) && value);
    bool fresh;
    member *m = place_member((object_value *)object, (weir_str){key, length}, &fresh);
    if (fresh)
        m->key = weir_string_new(key, length);
    else
        weir_value_unref(m->value);
    m->value = value;
}

weir_value **weir_object_place(weir_value *object, weir_value *key, bool *fresh) {
    member *m = place_member((object_value *)object, weir_string_get(key), fresh);
    if (*fresh) m->key = key;
    return &m->value;
}

weir_value *weir_object_of(const member *members, size_t count) {
    object_value *o = new_object(count);
    if (count) memcpy(o->members, members, count * sizeof *members);
    o->count = (uint32_t)count;
    if (count >= WEIR_INDEX_FROM) grow_index(o);
    return &o->base;
}

weir_value *weir_array_of(weir_value *const *items, size_t count) {
    array_value *a = new_array(count);
    if (count) memcpy(a->items, items, count * sizeof(weir_value *));
    a->count = (uint32_t)count;
    return &a->base;
}

weir_type weir_value_type(const weir_value *value) {
    return value->type;
}

const char *weir_type_text(weir_type type) {
    static const char *const texts[] = {"null",  "boolean", "integer", "number",        "string",
                                        "array", "object",  "bytes",   "foreign object"};
    return texts[type];
}

bool weir_bool_get(const weir_value *value) {
    weir_assert(value->type == WEIR_BOOL);
    return scalar_of(value)->as.boolean;
}

int64_t weir_int_get(const weir_value *value) {
    weir_assert(value->type == WEIR_INT);
    return scalar_of(value)->as.integer;
}

double weir_number_get(const weir_value *value) {
    weir_assert(value->type == WEIR_INT || value->type == WEIR_FLOAT);
    return value->type == WEIR_INT ? (double)scalar_of(value)->as.integer
                                   : scalar_of(value)->as.number;
}

weir_str weir_string_get(const weir_value *value) {
    weir_assert(value->type == WEIR_STRING);
    const string_value *s = (const string_value *)value;
    return (weir_str){s->data, s->length};
}

size_t weir_value_count(const weir_value *value) {
    weir_assert(value->type == WEIR_ARRAY || value->type == WEIR_OBJECT);
    return value->type == WEIR_ARRAY ? array_of(value)->count : object_of(value)->count;
}

weir_value *weir_array_at(const weir_value *value, size_t index) {
    weir_assert(value->type == WEIR_ARRAY && index < array_of(value)->count);
    return array_of(value)->items[index];
}

weir_str weir_object_key(const weir_value *value, size_t index) {
    weir_assert(value->type == WEIR_OBJECT && index < object_of(value)->count);
    return weir_string_get(object_of(value)->members[index].key);
}

weir_value *weir_object_at(const weir_value *value, size_t index) {
    weir_assert(value->type == WEIR_OBJECT && index < object_of(value)->count);
    return object_of(value)->members[index].value;
}

weir_value *weir_object_get(const weir_value *value, const char *key, size_t length) {
    weir_assert(value->type == WEIR_OBJECT);
    size_t at = find_member(object_of(value), (weir_str){key, length});
    return at == SIZE_MAX ? NULL : object_of(value)->members[at].value;
}

size_t weir_object_find(const weir_value *object, weir_str key) {
    weir_assert(object->type == WEIR_OBJECT);
    return find_member(object_of(object), key);
}

static bool arrays_equal(const weir_value *a, const weir_value *b) {
    if (weir_value_count(a) != weir_value_count(b)) return false;
    for (size_t i = 0; i < weir_value_count(a); i++)
        if (!weir_value_equal(weir_array_at(a, i), weir_array_at(b, i))) return false;
    return true;
}

static bool objects_equal(const weir_value *a, const weir_value *b) {
    if (weir_value_count(a) != weir_value_count(b)) return false;
    for (size_t i = 0; i < weir_value_count(a); i++) {
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
    case WEIR_BOOL: return weir_bool_get(a) == weir_bool_get(b);
    case WEIR_INT: return weir_int_get(a) == weir_int_get(b);
    case WEIR_FLOAT: return weir_number_get(a) == weir_number_get(b);
    case WEIR_STRING: return weir_str_equal(weir_string_get(a), weir_string_get(b));
    case WEIR_ARRAY: return arrays_equal(a, b);
    case WEIR_OBJECT: return objects_equal(a, b);
    case WEIR_BYTES: return weir__bytes_equal(a, b);
    case WEIR_FOREIGN: return weir__foreign_equal(a, b);
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
    case WEIR_BOOL: return weir_bool_get(value);
    case WEIR_INT: return weir_int_get(value) != 0;
    case WEIR_FLOAT: return weir_number_get(value) != 0;
    case WEIR_STRING: return weir_string_get(value).length > 0;
    case WEIR_BYTES: return weir_bytes_length(value) > 0;
    case WEIR_FOREIGN: return true;
    default: return weir_value_count(value) > 0;
    }
}

weir_value *weir_member_named(const weir_value *object, const char *key) {
    return weir_is(object, WEIR_OBJECT) ? weir_member(object, weir_str_from(key)) : NULL;
}

weir_str weir_value_secret(const weir_value *value) {
    size_t others = weir_member_named(value, "before") != NULL;
    weir_str name = weir_member_text(value, "secret");
    return name.length && weir_value_count(value) == 1 + others ? name : (weir_str){0};
}

bool weir_value_has_secret(const weir_value *value) {
    bool object = weir_is(value, WEIR_OBJECT);
    if (!object && !weir_is(value, WEIR_ARRAY)) return false;
    for (size_t i = 0; i < weir_value_count(value); i++) {
        const weir_value *item = object ? weir_object_at(value, i) : weir_array_at(value, i);
        if (weir_value_secret(item).length || weir_value_has_secret(item)) return true;
    }
    return false;
}

weir_value *weir_member_object(weir_value *object, weir_str key) {
    weir_value *found = weir_member(object, key);
    if (!found) weir_member_set(object, key, found = weir_object_new());
    return found;
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

void weir_array_append_all(weir_value *list, const weir_value *more) {
    for (size_t i = 0; weir_has_items(more) && i < weir_value_count(more); i++)
        weir_array_append(list, weir_value_ref(weir_array_at(more, i)));
}

weir_value *weir_object_merge(const weir_value *below, const weir_value *above) {
    const weir_value *both[] = {below, above};
    weir_value *all = weir_object_new();
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; weir_is(both[k], WEIR_OBJECT) && i < weir_value_count(both[k]); i++)
            weir_member_set(all, weir_object_key(both[k], i),
                            weir_value_ref(weir_object_at(both[k], i)));
    return all;
}

weir_value *weir_value_own(weir_value *value) {
    weir_assert(value->type == WEIR_ARRAY || value->type == WEIR_OBJECT);
    if (is_unshared(value)) return value;
    weir_value *copy = value->type == WEIR_ARRAY ? weir_array_new() : weir_object_new();
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
