/* The simulator's operations: pure functions of parameters, so that the model (model.h) and what is tested compute the
 * same. A digest of the parameters decides everything; arrays are bags in it, as everywhere in the simulator.
 *
 *     mix odd split name     calls: a number, a truth value, a list, a text
 *     wrap                   a call: {context: inputs} for a dataflow that runs within, of config `definition`
 *     work process.run       attempts of the virtual executor: a number
 *     stream                 a generator: up to three sets of a number
 *
 * A value made from one with an `of` (names of locks) is an object {v, of}: whoever gets it knows the locks that it
 * stands for, however weir keeps its own books. */
#ifndef WEIR_SIMULATION_OPERATIONS_H
#define WEIR_SIMULATION_OPERATIONS_H

#include "task/registry.h"

/* The simulator's operations and the standard ones it uses. */
void operations_register(weir_registry *registry);
/* What an operation gives, as an array of sets {output: value}: one, or of a generator those that it yields one by one.
 * New reference. */
weir_value *operations_sets(weir_str operation, const weir_value *parameters,
                            const weir_value *config);
/* Whether the operation is called at once, without an attempt, where nothing else asks for one. */
bool operations_is_call(weir_str operation);
/* Appends the names of locks that a value stands for to the array. */
void operations_add_locks(const weir_value *value, weir_value *names);

#endif
