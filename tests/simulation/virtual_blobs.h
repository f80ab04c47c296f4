/* Blobs in virtual time: large values of the journal, for which a few bytes are large here. What was put survives every crash;
 * a batch that refers to what was not is found when the journal is read. One thread. */
#ifndef WEIR_SIMULATION_VIRTUAL_BLOBS_H
#define WEIR_SIMULATION_VIRTUAL_BLOBS_H

#include "data/parts.h"
#include "simulation.h"

typedef struct virtual_blobs {
    simulation *sim;
    size_t limit; /* bytes of a value that stays */
    struct {
        struct virtual_blob *items;
        size_t count, capacity;
    } all;
    WEIR_VECTOR(weir_parts *) parts; /* that were given */
} virtual_blobs;

void virtual_blobs_deinit(virtual_blobs *blobs);
/* For a new engine, or whoever else reads; it lives as long as the blobs. */
weir_parts *virtual_blobs_parts(virtual_blobs *blobs);
/* Gives the values their names, also in the bytes that refer to them. */
void virtual_blobs_name(const weir_places *places, weir_buffer *bytes);
/* Puts them; durable at once. */
void virtual_blobs_put(virtual_blobs *blobs, const weir_places *places);

#endif
