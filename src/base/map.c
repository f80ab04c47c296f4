#include "base/map.h"

#include <pthread.h>
#include <sys/random.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static uint64_t process_seed;
static pthread_once_t process_seed_once = PTHREAD_ONCE_INIT;

static void draw_process_seed(void) {
    if (getrandom(&process_seed, sizeof process_seed, 0) != sizeof process_seed)
        process_seed = (uint64_t)(uintptr_t)&process_seed;
}

uint64_t weir_hash_seeded(const void *data, size_t length) {
    pthread_once(&process_seed_once, draw_process_seed);
    return XXH3_64bits_withSeed(data, length, process_seed);
}

uint64_t weir_hash(const void *data, size_t length) {
    return XXH3_64bits(data, length);
}

uint32_t weir_hash_fnv32(weir_str text) {
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < text.length; i++)
        hash = (hash ^ (unsigned char)text.data[i]) * 16777619u;
    return hash;
}

void weir_map_deinit(weir_map *map) {
    weir_free(map->slots);
    *map = (weir_map){0};
}

static uint32_t hash_of(weir_str key) {
    return (uint32_t)weir_hash_seeded(key.data, key.length);
}

static struct weir__map_slot *find_slot(const weir_map *map, weir_str key, uint32_t hash) {
    size_t mask = map->capacity - 1, i = hash & mask;
    for (;; i = (i + 1) & mask) {
        struct weir__map_slot *slot = &map->slots[i];
        if (!slot->key ||
            (slot->hash == hash && weir_str_equal((weir_str){slot->key, slot->length}, key)))
            return slot;
    }
}

/* Of a key that is in another map: no other is like it. */
static struct weir__map_slot *free_slot(const weir_map *map, uint32_t hash) {
    size_t mask = map->capacity - 1, i = hash & mask;
    while (map->slots[i].key) i = (i + 1) & mask;
    return &map->slots[i];
}

static void grow(weir_map *map, size_t capacity) {
    weir_map bigger = {.count = map->count, .capacity = capacity};
    bigger.slots = weir_alloc(bigger.capacity * sizeof *bigger.slots);
    for (size_t i = 0; i < map->capacity; i++)
        if (map->slots[i].key) *free_slot(&bigger, map->slots[i].hash) = map->slots[i];
    weir_free(map->slots);
    *map = bigger;
}

void weir_map_reserve(weir_map *map, size_t more) {
    size_t capacity = map->capacity ? map->capacity : 16;
    while ((map->count + more) * 4 >= capacity * 3) capacity *= 2;
    if (capacity > map->capacity) grow(map, capacity);
}

/* The key's slot, and whether it has it only now. */
static struct weir__map_slot *take_slot(weir_map *map, weir_str key, bool *fresh) {
    weir_assert(key.data && key.length <= UINT32_MAX);
    if (map->count * 4 >= map->capacity * 3) grow(map, map->capacity ? map->capacity * 2 : 16);
    uint32_t hash = hash_of(key);
    struct weir__map_slot *slot = find_slot(map, key, hash);
    *fresh = !slot->key;
    if (*fresh) *slot = (struct weir__map_slot){key.data, (uint32_t)key.length, hash, 0};
    map->count += *fresh;
    return slot;
}

void weir_map_set(weir_map *map, weir_str key, uint64_t value) {
    bool fresh;
    struct weir__map_slot *slot = take_slot(map, key, &fresh);
    slot->key = key.data; /* as long as this one is there */
    slot->value = value;
}

bool weir_map_add(weir_map *map, weir_str key, uint64_t value) {
    bool fresh;
    struct weir__map_slot *slot = take_slot(map, key, &fresh);
    if (fresh) slot->value = value;
    return fresh;
}

/* Linear probing: what stands behind the gap moves up unless it would come before its own place (Knuth, The Art of
 * Computer Programming, volume 3, 6.4, algorithm R). */
void weir_map_remove(weir_map *map, weir_str key) {
    if (!map->count || !key.data) return;
    struct weir__map_slot *slot = find_slot(map, key, hash_of(key));
    if (!slot->key) return;
    size_t mask = map->capacity - 1, gap = (size_t)(slot - map->slots);
    for (size_t i = (gap + 1) & mask; map->slots[i].key; i = (i + 1) & mask) {
        size_t home = map->slots[i].hash & mask;
        if (((i - home) & mask) < ((i - gap) & mask)) continue;
        map->slots[gap] = map->slots[i];
        gap = i;
    }
    map->slots[gap] = (struct weir__map_slot){0};
    map->count--;
}

void weir_map_expect(const weir_map *map, weir_str key) {
    if (map->count) __builtin_prefetch(&map->slots[hash_of(key) & (map->capacity - 1)]);
}

bool weir_map_get(const weir_map *map, weir_str key, uint64_t *value) {
    if (!map->count || !key.data) return false;
    const struct weir__map_slot *slot = find_slot(map, key, hash_of(key));
    if (!slot->key) return false;
    if (value) *value = slot->value;
    return true;
}
