/* Writes a dataflow by chance, and remembers of each definition what can be said of its values. */
#ifndef WEIR_SIMULATION_FLOW_WRITER_H
#define WEIR_SIMULATION_FLOW_WRITER_H

#include "scenario.h"
#include "simulation.h"

enum { DEFINITIONS_MAX = 32, VALUES_MAX = 6, DEPTH_MAX = 2, GIVEN_VALUES_MAX = 4 };

/* What a flow that is not orderly has more of. */
typedef enum theme { THEME_NONE, THEME_CONDITIONS, THEME_DEFAULTS, THEME_WITHIN } theme;

/* A definition. The first come from outside, each of the others from one operation. */
typedef struct made {
    char name[12];
    uint32_t values; /* as many as there may be */
    bool certain;    /* there is one at least */
    bool truth;      /* a truth value */
    bool text;
    bool record;    /* made by a spec */
    bool flat;      /* may be a key */
    bool hidden;    /* nobody reads it: it goes to a validator */
    bool defaulted; /* it has a default; nobody but the outside makes it, or order matters */
    bool locked, seeded;
    bool
        loose; /* it may carry names of locks that it does not have: what was forwarded to the dataflow that made it */
    uint32_t validator; /* the number of its operation, of a hidden one */
    uint32_t maker;     /* the number of its operation; UINT32_MAX: the outside */
    const char *output;
    char parents
        [2]
        [24]; /* of what it is made: the sources of its operation's parameters; "": none, or several */
} made;

typedef struct flow_writer {
    uint64_t *chance;
    char prefix
        [24]; /* of its operations' names; a dataflow within has that of the operation around it, and more */
    char letter; /* of its definitions */
    uint32_t depth;
    bool orderly; /* what it means does not depend on the order of arrival */
    theme theme;
    bool locking;                 /* has locks, so values may be objects */
    bool fancy;                   /* has sources that auto flow does not find */
    bool loose;                   /* a parameter of the operation that is being written is */
    weir_value *loose_operations; /* their names, in an array of the scenario's */
    made made[DEFINITIONS_MAX];
    uint32_t given, count, operation_count;
    weir_buffer definitions, operations, wires, configs, seeds, forwards;
} flow_writer;

void flow_writer_deinit(flow_writer *f);
uint32_t flow_draw(flow_writer *f, uint32_t count);
/* A definition whose values come from outside. */
made *flow_add_given(flow_writer *f);
/* Operations, in a number by chance. */
void flow_add_operations(flow_writer *f, uint32_t count);
/* What comes after the processing, and the definitions. */
void flow_add_ends(flow_writer *f);
/* One output operation: its result is {r: …} of the last definition that surely has a value; false: there is none.
 * *many is how many values there may be, for then it is a list. */
bool flow_add_result(flow_writer *f, uint32_t *many);
/* The whole file; `wired` with its flow. */
void flow_format(const flow_writer *f, bool wired, weir_buffer *out);
/* The operation of this name may be given names of locks that it does not take. */
void flow_note_loose(flow_writer *f, const char *name);
/* A source: "seed", or {"operation": "output"}. */
void flow_format_source(const flow_writer *f, const made *m, weir_buffer *out);
/* A value of a definition from outside, the `number`-th of `whose`, which no other has the locks of. */
void flow_format_value(flow_writer *f, const made *m, const char *whose, uint32_t number,
                       weir_buffer *out);

#endif
