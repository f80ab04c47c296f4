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

static struct weir__map_slot *find_slot(const weir_map *map, weir_str key, uint64_t hash) {
    size_t mask = map->capacity - 1, i = (size_t)hash & mask;
    while (map->slots[i].key.data &&
           !(map->slots[i].hash == hash && weir_str_equal(map->slots[i].key, key)))
        i = (i + 1) & mask;
    return &map->slots[i];
}

static void grow(weir_map *map, size_t capacity) {
    weir_map bigger = {.count = map->count, .capacity = capacity};
    bigger.slots = weir_alloc(bigger.capacity * sizeof *bigger.slots);
    for (size_t i = 0; i < map->capacity; i++)
        if (map->slots[i].key.data)
            *find_slot(&bigger, map->slots[i].key, map->slots[i].hash) = map->slots[i];
    weir_free(map->slots);
    *map = bigger;
}

void weir_map_reserve(weir_map *map, size_t more) {
    size_t capacity = map->capacity ? map->capacity : 16;
    while ((map->count + more) * 4 >= capacity * 3) capacity *= 2;
    if (capacity > map->capacity) grow(map, capacity);
}

void weir_map_set(weir_map *map, weir_str key, uint64_t value) {
    weir_assert(key.data);
    if (map->count * 4 >= map->capacity * 3) grow(map, map->capacity ? map->capacity * 2 : 16);
    uint64_t hash = weir_hash_seeded(key.data, key.length);
    struct weir__map_slot *slot = find_slot(map, key, hash);
    if (!slot->key.data) map->count++;
    *slot = (struct weir__map_slot){key, hash, value};
}

/* Linear probing: what stands behind the gap moves up unless it would come before its own place (Knuth, The Art of
 * Computer Programming, volume 3, 6.4, algorithm R). */
void weir_map_remove(weir_map *map, weir_str key) {
    if (!map->count || !key.data) return;
    struct weir__map_slot *slot = find_slot(map, key, weir_hash_seeded(key.data, key.length));
    if (!slot->key.data) return;
    size_t mask = map->capacity - 1, gap = (size_t)(slot - map->slots);
    for (size_t i = (gap + 1) & mask; map->slots[i].key.data; i = (i + 1) & mask) {
        size_t home = (size_t)map->slots[i].hash & mask;
        if (((i - home) & mask) < ((i - gap) & mask)) continue;
        map->slots[gap] = map->slots[i];
        gap = i;
    }
    map->slots[gap] = (struct weir__map_slot){0};
    map->count--;
}

bool weir_map_get(const weir_map *map, weir_str key, uint64_t *value) {
    if (!map->count || !key.data) return false;
    const struct weir__map_slot *slot = find_slot(map, key, weir_hash_seeded(key.data, key.length));
    if (!slot->key.data) return false;
    if (value) *value = slot->value;
    return true;
}
