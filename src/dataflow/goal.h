/* Goals of a dataflow: what of it is wanted, which operations lead to that, and the dataflow without the others. Private to
 * this folder. */
#ifndef WEIR_DATAFLOW_GOAL_H
#define WEIR_DATAFLOW_GOAL_H

#include "dataflow/plan_internal.h"

#define WEIR__OF_ALL                                                                               \
    "weir.goals" /* the operation that asks for what no operation of the file asks for */

/* One result that is wanted. */
typedef struct weir__goal {
    weir_str key;     /* its name in the results, and of a definition that is made for it */
    uint32_t asker;   /* the output operation whose result has it; WEIR__NONE: none asks for it */
    weir_value *item; /* of the asker's spec; borrowed */
    uint32_t definition; /* of which it is */
    uint32_t origin;     /* the only output that is meant, or WEIR__NONE */
    bool apart;          /* others give values of that definition, too */
} weir__goal;

typedef struct weir__goals {
    const weir_dataflow_plan *plan;
    const weir__flow *flow;
    WEIR_VECTOR(weir__goal) items;
    bool *wanted;   /* by instance: it runs */
    bool *narrowed; /* by instance: an output operation that gives some of its results only */
    bool *asked;    /* by definition: all values of it are wanted */
    bool any;       /* nobody can say before the run what is asked for */
    /* Private. */
    weir_arena arena;
    uint32_t *by_definition, *next;        /* lists of origins */
    uint32_t *makers;                      /* by origin: who gives it, or WEIR__NONE */
    uint32_t *first, *origins, *consumers; /* by instance: what it reads */
    WEIR_VECTOR(uint32_t) todo;
} weir__goals;

/* Finds what leads to request.goals in the plan's first flow, whose request names some. What is wrong with them goes to
 * `problems`; false then. To be deinitialised in any case. */
WEIR_CHECKED bool weir__goals_find(weir__goals *goals, const weir_dataflow_plan *plan,
                                   const weir_value *request, const char *file,
                                   weir_problems *problems);
void weir__goals_deinit(weir__goals *goals);

/* The dataflow with what leads to the goals, and operations that ask for them, in linked form; a new reference. Errors, without a place: LIMIT. */
WEIR_CHECKED bool weir__goals_prune(const weir__goals *goals, const weir_value *flow,
                                    weir_value **out, weir_error *error);

#endif
