/* The model: what a dataflow means, said a second time and as plainly as possible, with none of the code that is tested
 * but its JSON values. One context is run alone, one set of inputs after the other: whenever one was stored, every
 * operation is looked at, and every parameter set that is there and was not made yet is made. What may happen next
 * (which operation ends or yields, what the outside gives, whether a context ends) is left open: the model's runs are the
 * sequential orders that there are. One is drawn by chance, or all of them are searched for one that ends in a certain way. */
#ifndef WEIR_SIMULATION_MODEL_H
#define WEIR_SIMULATION_MODEL_H

#include "number_map.h"
#include "scenario.h"

/* What the runs of a scenario have in common. */
typedef struct model_memory {
    const scenario *scenario;
    number_map known; /* parameter sets: places in `courses` */
    WEIR_VECTOR(struct known_course {
        weir_value *sets; /* that the operation gives, one after the other */
        bool fails;       /* behind them */
    })
    courses;
    WEIR_VECTOR(struct flow_rules *) rules; /* model_rules.c's */
} model_memory;

void model_memory_deinit(model_memory *memory);

typedef WEIR_VECTOR(char *) text_list;

void text_list_add(text_list *list, weir_str text);
void text_list_deinit(text_list *list);

typedef struct model_end {
    bool failed;        /* in a strict run, or its cleanup did: it has no result then */
    weir_value *value;  /* the result; NULL: it has none */
    weir_buffer result; /* canonical */
    text_list tasks;    /* that began: "instance parameters" */
    text_list sets;     /* parameter sets made: "instance" */
} model_end;

/* Runs the context of that name in an order by chance, or, when `chance` is NULL, always does what may happen first. */
void model_run(model_memory *memory, weir_str context, uint64_t *chance, model_end *end);
void model_end_deinit(model_end *end);

typedef enum model_answer { MODEL_NO, MODEL_YES, MODEL_UNSURE } model_answer;

/* Whether the context may end with this result; NULL: whether it may fail. UNSURE: it is too large to say. */
model_answer model_search(model_memory *memory, weir_str context, const weir_value *result);

#endif
