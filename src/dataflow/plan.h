/* A dataflow's plan: a DFFML dataflow, checked and compiled to integers. Immutable once made.
 *
 * An origin is where an input comes from: a text ("seed", …) or (instance, output). Every origin and every definition
 * has a number. For each origin the plan lists its consumers: the parameters and conditions that read from it. */
#ifndef WEIR_DATAFLOW_PLAN_H
#define WEIR_DATAFLOW_PLAN_H

#include "data/document.h"
#include "task/coordinator.h"
#include "task/registry.h"

/* Compiles the first root of the document, in linked or unlinked form. `request` is the run's (see weir.h). All that
 * is wrong goes to `problems`, with its place; NULL then. */
weir_plan *weir_dataflow_compile(const weir_document *document, const weir_value *request,
                                 const weir_registry *registry, weir_problems *problems);

/* A parameter or output of an operation; definitions are numbered in their order. */
typedef struct weir_dataflow_port {
    weir_str name;
    uint32_t definition;
} weir_dataflow_port;

/* An operation that is in no value: what its members would say. All is borrowed but the ports, which are whose vectors these are. */
typedef struct weir_dataflow_made {
    weir_str name;
    const weir_operation *operation;
    weir_value *said;   /* the other members of an operation: object */
    weir_value *config; /* NULL: not said */
    WEIR_VECTOR(weir_dataflow_port) inputs, outputs;
} weir_dataflow_made;

/* Definitions and operations of which there may be a million, and which nobody needs as values. Names differ. The last operation is what
 * gathers outputs, and is none of the document. */
typedef struct weir_dataflow_parts {
    size_t definitions, operations;
    void (*definition)(void *arg, size_t at, weir_str *name, weir_str *primitive);
    void (*operation)(void *arg, size_t at, weir_dataflow_made *out); /* its ports are empty */
} weir_dataflow_parts;

/* Compiles a dataflow that is at hand as a value and was made from `document`: `place` gives the path in the document
 * for a path in the value (see weir_yaml_locate). For pipelines. */
typedef struct weir_dataflow_source {
    const weir_document *document;
    size_t root;      /* which of the document's roots the paths are in */
    weir_value *flow; /* linked form */
    const weir_dataflow_parts
        *parts;       /* instead of its definitions and operations; NULL: they are there */
    const char *kind; /* of the plan: "dataflow", "pipeline" */
    /* The path in the document for an instance (and one of its parameters, or ""); into `out`. */
    void (*place)(void *arg, weir_str instance, weir_str parameter, weir_buffer *out);
    void *arg;
    const char *
        gatherer; /* the instance that gathers outputs, and is none of the document; NULL: there is none */
} weir_dataflow_source;

weir_plan *weir_dataflow_compile_source(const weir_dataflow_source *source,
                                        const weir_value *request, const weir_registry *registry,
                                        weir_problems *problems);

/* Of a dataflow's (or pipeline's) coordinator. */
/* Whether the run is open for contexts; and whether so many wait that no more should be given now. */
bool weir_dataflow_takes_contexts(const weir_coordinator *coordinator);
bool weir_dataflow_is_full(const weir_coordinator *coordinator);
/* Whether a context that is held has the name, be it open or waiting. */
bool weir_dataflow_has_context(const weir_coordinator *coordinator, weir_str name);
/* Whether one of them may be sent to: it was not closed or stopped. `context` is its number, 0 while it waits: then an
 * event for it says its name. */
WEIR_CHECKED bool weir_dataflow_find_context(const weir_coordinator *coordinator, weir_str name,
                                             uint32_t *context);
/* The name of an open context of the number. */
weir_str weir_dataflow_context_name(const weir_coordinator *coordinator, uint32_t context);
/* Gives a context where no events are made. */
WEIR_CHECKED bool weir_dataflow_give(weir_coordinator *coordinator, weir_str name,
                                     const weir_value *inputs, bool held, weir_error *error);
/* Whether the list of inputs can be given. Those of a context that is given `next` are not read again then. */
WEIR_CHECKED bool weir_dataflow_check_inputs(weir_coordinator *coordinator,
                                             const weir_value *inputs, bool next,
                                             weir_error *error);

/* --- for who shortens its journal (engine/shorten.h) */

/* What the next of each will be, from 0; `given`: how many contexts came from outside. */
typedef struct weir_dataflow_numbers {
    uint64_t contexts, tasks, planned, given, chunks;
} weir_dataflow_numbers;
/* Of the run's own contexts: those that were opened, and are over; what their operations did and what failed of it, as far as they
 * are gone. */
typedef struct weir_dataflow_totals {
    uint64_t opened, over, done, failed;
} weir_dataflow_totals;

weir_dataflow_numbers weir_dataflow_numbers_of(const weir_coordinator *coordinator);
weir_dataflow_totals weir_dataflow_totals_of(const weir_coordinator *coordinator);
/* How many contexts were given and wait. */
size_t weir_dataflow_waiting(const weir_coordinator *coordinator);
/* Whether it neither failed nor was cancelled nor is over. */
bool weir_dataflow_goes_on(const weir_coordinator *coordinator);
/* It will only apply events, and decide nothing. A context is gone as soon as it is over, be it one of the first, and so are
 * results. Before the first event. */
void weir_dataflow_only_follow(weir_coordinator *coordinator);
/* The data of run.shortened; the next context and the next task are in the event itself. `totals` may be NULL. */
weir_value *weir_dataflow_shortened(const weir_dataflow_numbers *numbers,
                                    const weir_dataflow_totals *totals);

#endif
