/* Values as texts that are equal when the values mean the same: arrays are bags here, and objects have no order. */
#ifndef WEIR_SIMULATION_CANONICAL_H
#define WEIR_SIMULATION_CANONICAL_H

#include "data/value.h"

void canonical_value(const weir_value *value, weir_buffer *out);
/* The same number for values whose texts are equal. */
uint64_t canonical_hash(const weir_value *value);
/* A coordinator's status, without what depends on time or on the order of events. */
void canonical_status(const weir_value *status, weir_buffer *out);
/* The same number for such whose texts are equal. */
uint64_t canonical_status_hash(const weir_value *status);

/* The parameter sets that a dataflow's status tells of: a line with the operation's name for each, sorted. */
void canonical_sets(const weir_value *status, weir_buffer *out);
/* Texts as lines, sorted. */
void canonical_lines(char **texts, size_t count, weir_buffer *out);

#endif
