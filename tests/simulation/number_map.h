/* A map from numbers, which are hashes, to numbers. One thread. */
#ifndef WEIR_SIMULATION_NUMBER_MAP_H
#define WEIR_SIMULATION_NUMBER_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct number_map {
    struct number_slot {
        uint64_t key, value; /* a key of 0: free */
    } * slots;
    size_t count, capacity; /* capacity is 0 or a power of two */
} number_map;

void number_map_deinit(number_map *map);
/* The value of the key; it is `value` from now on when the key was not there: then *is_new. */
uint64_t number_map_take(number_map *map, uint64_t key, uint64_t value, bool *is_new);

#endif
