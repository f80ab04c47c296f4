#include "number_map.h"

#include "base/memory.h"

enum { CAPACITY_MIN = 256 };

void number_map_deinit(number_map *map) {
    weir_free(map->slots);
    *map = (number_map){0};
}

static struct number_slot *find(const number_map *map, uint64_t key) {
    size_t at = key & (map->capacity - 1);
    while (map->slots[at].key && map->slots[at].key != key) at = (at + 1) & (map->capacity - 1);
    return &map->slots[at];
}

/* At most half of the slots are taken. */
static void grow(number_map *map) {
    number_map before = *map;
    map->capacity = before.capacity ? 2 * before.capacity : CAPACITY_MIN;
    map->slots = weir_alloc(map->capacity * sizeof *map->slots);
    for (size_t i = 0; i < before.capacity; i++)
        if (before.slots[i].key) *find(map, before.slots[i].key) = before.slots[i];
    weir_free(before.slots);
}

uint64_t number_map_take(number_map *map, uint64_t key, uint64_t value, bool *is_new) {
    key += !key;
    if (2 * map->count >= map->capacity) grow(map);
    struct number_slot *slot = find(map, key);
    *is_new = !slot->key;
    if (*is_new) {
        *slot = (struct number_slot){key, value};
        map->count++;
    }
    return slot->value;
}
