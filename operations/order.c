#include "order.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/random.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "number.h"
#include "parameter.h"
#include "text.h"

static bool arrays_equal(const weir_host *host, const weir_value *a, const weir_value *b) {
    size_t count = host->value_count(a);
    if (count != host->value_count(b)) return false;
    for (size_t i = 0; i < count; i++)
        if (!weir__equal(host, host->array_at(a, i), host->array_at(b, i))) return false;
    return true;
}

static bool objects_equal(const weir_host *host, const weir_value *a, const weir_value *b) {
    size_t count = host->value_count(a);
    if (count != host->value_count(b)) return false;
    for (size_t i = 0; i < count; i++) {
        weir_str key = host->object_key(a, i);
        const weir_value *other = host->object_get(b, key.data, key.length);
        if (!other || !weir__equal(host, host->object_at(a, i), other)) return false;
    }
    return true;
}

bool weir__equal(const weir_host *host, const weir_value *a, const weir_value *b) {
    if (a == b) return true;
    weir_type type = host->value_type(a);
    if (is_number(host, a) && is_number(host, b)) return weir__number_compare(host, a, b) == 0;
    if (type != host->value_type(b)) return false;
    if (type == WEIR_ARRAY) return arrays_equal(host, a, b);
    if (type == WEIR_OBJECT) return objects_equal(host, a, b);
    return host->value_equal(a, b);
}

/* Drawn once; two threads that draw at the same time agree on the first. */
static uint64_t process_seed(void) {
    static _Atomic uint64_t drawn;
    uint64_t seed = atomic_load(&drawn), other = 0;
    if (seed) return seed;
    if (getrandom(&seed, sizeof seed, 0) != sizeof seed) seed = (uint64_t)(uintptr_t)&drawn;
    seed |= 1;
    return atomic_compare_exchange_strong(&drawn, &other, seed) ? seed : other;
}

static uint64_t hash_bytes(const void *data, size_t length, uint64_t kind) {
    return XXH3_64bits_withSeed(data, length, process_seed() + kind);
}

static uint64_t hash_described(const weir_host *host, const weir_value *value) {
    weir_value *described = host->bytes_described(value);
    uint64_t hash = weir__hash(host, described);
    host->value_unref(described);
    return hash;
}

uint64_t weir__hash(const weir_host *host, const weir_value *value) {
    weir_type type = host->value_type(value);
    uint64_t hash = (uint64_t)type;
    switch (type) {
    case WEIR_NULL: break;
    case WEIR_BOOL: hash += host->bool_get(value); break;
    case WEIR_INT:
    case WEIR_FLOAT: {
        double number = host->number_get(value) + 0.0; /* -0.0 equals 0 */
        return hash_bytes(&number, sizeof number, WEIR_INT);
    }
    case WEIR_STRING: {
        weir_str text = host->string_get(value);
        return hash_bytes(text.data, text.length, WEIR_STRING);
    }
    case WEIR_ARRAY:
        for (size_t i = 0; i < host->value_count(value); i++) {
            uint64_t pair[] = {hash, weir__hash(host, host->array_at(value, i))};
            hash = hash_bytes(pair, sizeof pair, WEIR_ARRAY);
        }
        break;
    case WEIR_OBJECT: /* in any order */
        for (size_t i = 0; i < host->value_count(value); i++) {
            weir_str key = host->object_key(value, i);
            uint64_t pair[] = {hash_bytes(key.data, key.length, WEIR_STRING),
                               weir__hash(host, host->object_at(value, i))};
            hash += hash_bytes(pair, sizeof pair, WEIR_OBJECT);
        }
        break;
    case WEIR_BYTES:
    case WEIR_FOREIGN: return hash_described(host, value);
    }
    return hash_bytes(&hash, sizeof hash, (uint64_t)type);
}

int weir__text_compare(weir_str a, weir_str b) {
    size_t shorter = a.length < b.length ? a.length : b.length;
    int order = shorter ? memcmp(a.data, b.data, shorter) : 0;
    return order ? order : (a.length > b.length) - (a.length < b.length);
}

bool weir__compare(const weir_host *host, const weir_value *a, const weir_value *b, int *order) {
    if (is_number(host, a) && is_number(host, b))
        *order = weir__number_compare(host, a, b);
    else if (host->value_type(a) == WEIR_STRING && host->value_type(b) == WEIR_STRING)
        *order = weir__text_compare(host->string_get(a), host->string_get(b));
    else
        return false;
    return true;
}

weir_value *weir__unique(const weir_host *host, weir_call *call, const weir_value *array) {
    size_t count = host->value_count(array), size = 16;
    while (size < 2 * count) size *= 2;
    weir_value **seen = host->alloc(call, size * sizeof(weir_value *));
    weir_value *unique = host->array_new();
    for (size_t i = 0; i < count; i++) {
        weir_value *item = host->array_at(array, i);
        size_t at = (size_t)weir__hash(host, item) & (size - 1);
        while (seen[at] && !weir__equal(host, seen[at], item)) at = (at + 1) & (size - 1);
        if (seen[at]) continue;
        seen[at] = item;
        host->array_append(unique, host->value_ref(item));
    }
    return unique;
}
