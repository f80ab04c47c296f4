/* Dataflows as files have them, as values: from one form to the other, merged, checked. Pure; any thread. Every function
 * takes any value, however wrong, and leaves alone what it does not know.
 *
 * DFFML has two forms. In the linked one (`linked: true`) definitions stand in `definitions` and are named where they are
 * used; in the other they are nested whole where they are used: in inputs, outputs and conditions of operations, in seeds,
 * and in the book of `forward`. weir's unlinked form keeps in `definitions` those that are used nowhere, so that either
 * form gives the other exactly. A dataflow in `configs.INSTANCE.dataflow` goes the same way as the one around it. */
#ifndef WEIR_DATAFLOW_FILE_H
#define WEIR_DATAFLOW_FILE_H

#include "data/value.h"

/* The linked form of a dataflow in either form, or of a part of one (an overlay). Every definition has its `name`, every
 * operation too; an `instance_name` that repeats the key goes. Of two definitions with one name the first counts (see
 * weir_dataflow_file_check). New reference. */
weir_value *weir_dataflow_file_link(const weir_value *flow);
/* The other form. New reference. */
weir_value *weir_dataflow_file_unlink(const weir_value *flow);

enum { WEIR_DATAFLOW_SOURCES_MAX = 1000000 }; /* of conditions, in a flow that is written out */

/* The flow that a linked dataflow without `flow` has: an input comes from all outputs of its definition, or from the seed
 * when there is none. Conditions too, but one that nobody makes takes the place of those before it, and of several there
 * is but one "seed" (DFFML's auto flow). New reference; NULL: it is too large. */
weir_value *weir_dataflow_file_auto_flow(const weir_value *linked);
/* The linked form with the flow in effect written out, in dataflows of configurations too. New reference. Errors, without a
 * place: INVALID when it is no object, LIMIT. */
WEIR_CHECKED bool weir_dataflow_file_whole(const weir_value *flow, weir_value **out,
                                           weir_error *error);

/* `over` merged over `base`, both linked: objects member by member, lists behind each other, anything else is replaced.
 * What a list of sources, conditions, `expand`, or of the book has already is not put there again, and lists in
 * definitions that are equal stay as they are. When only one of them has a `flow`, operations of the other keep the flow
 * that they have by auto flow in the merged dataflow. Where one has a list or an object and the other does not, in a place
 * that has a fixed form: false, with the path in `where` and the error without a place. New reference. */
WEIR_CHECKED bool weir_dataflow_file_merge(const weir_value *base, const weir_value *over,
                                           weir_value **out, weir_buffer *where, weir_error *error);

/* Calls `problem` with the path (see weir_yaml_locate) and the error, without a place, of each thing that is wrong with the
 * form of a dataflow. With `whole`, also for definitions and instances that there are not: an overlay may name those of
 * what it lies over. */
void weir_dataflow_file_check(const weir_value *flow, bool whole,
                              void (*problem)(void *arg, const char *path, const weir_error *error),
                              void *arg);

/* --- private across files */

/* The name of a definition that stands in full or by name; empty when it is neither. */
weir_str weir__dataflow_definition_name(const weir_value *use);
/* An object with the same members, which may be changed; of anything else an empty one. */
weir_value *weir__dataflow_copy(const weir_value *object);

#endif
