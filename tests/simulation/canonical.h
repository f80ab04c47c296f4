/* Values as texts that are equal when the values mean the same: arrays are bags here, and objects have no order. */
#ifndef WEIR_SIMULATION_CANONICAL_H
#define WEIR_SIMULATION_CANONICAL_H

#include "data/value.h"

void canonical_value(const weir_value *value, weir_buffer *out);
/* A coordinator's status, without what depends on time or on the order of events. */
void canonical_status(const weir_value *status, weir_buffer *out);

/* The parameter sets that a dataflow's status tells of: a line with the operation's name for each, sorted. */
void canonical_sets(const weir_value *status, weir_buffer *out);
/* Texts as lines, sorted. */
void canonical_lines(char **texts, size_t count, weir_buffer *out);

#endif
