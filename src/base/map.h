/* A map from text to a 64-bit number, seeded so that hostile keys cannot collide on purpose.
 *
 * Keys are borrowed: their bytes must outlive their place in the map. Iteration is not offered; keep a vector beside the
 * map. One thread. */
#ifndef WEIR_BASE_MAP_H
#define WEIR_BASE_MAP_H

#include "base/text.h"

struct weir__map_slot {
    const char *key; /* NULL: free */
    uint32_t length, hash;
    uint64_t value;
};

typedef struct weir_map {
    struct weir__map_slot *slots;
    size_t count, capacity; /* capacity is 0 or a power of two */
} weir_map;

void weir_map_deinit(weir_map *map);
/* Room for so many more keys at once, instead of a doubling each time that it is full. */
void weir_map_reserve(weir_map *map, size_t more);
/* Sets or replaces. */
void weir_map_set(weir_map *map, weir_str key, uint64_t value);
/* Sets what is not there yet; whether it was not. */
bool weir_map_add(weir_map *map, weir_str key, uint64_t value);
/* The key will soon be looked for, or set: its place comes near meanwhile, which in a map of millions takes longer than the search. */
void weir_map_expect(const weir_map *map, weir_str key);
/* Removes the key, if it is there. */
void weir_map_remove(weir_map *map, weir_str key);
/* Whether the key is there; then *value (may be NULL) is its number. */
bool weir_map_get(const weir_map *map, weir_str key, uint64_t *value);

/* The seeded hash that maps and objects use; the seed is drawn once a process. */
uint64_t weir_hash_seeded(const void *data, size_t length);
/* XXH3, 64 bits, unseeded: checksums and content names (xxHash specification 0.2). */
uint64_t weir_hash(const void *data, size_t length);
/* FNV-1a, 32 bits: Argo's node ids (RFC 9923). */
uint32_t weir_hash_fnv32(weir_str text);

#endif
