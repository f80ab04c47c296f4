/* The model: what a dataflow means, said a second time and as plainly as possible, with none of the code that is tested
 * but its JSON values. One context is run alone, one set of inputs after the other: whenever one was stored, every
 * operation is looked at, and every parameter set that is there and was not made yet is made. What may happen next
 * (which operation ends or yields, what the outside gives, whether a context ends) is the chooser's: so the model's runs
 * are the sequential orders that there are. */
#ifndef WEIR_SIMULATION_MODEL_H
#define WEIR_SIMULATION_MODEL_H

#include "scenario.h"

/* Takes choices from `taken` as long as there are some, then the first or any. */
typedef struct chooser {
    WEIR_VECTOR(uint32_t) taken;
    WEIR_VECTOR(uint32_t) counts; /* of what there was to choose from */
    size_t at;
    bool by_chance;
    uint64_t chance;
} chooser;

uint32_t chooser_choose(chooser *c, uint32_t count);
/* Begins again, with the choices up to the last that could be another; false: there is none. */
bool chooser_next(chooser *c);
void chooser_restart(chooser *c);
void chooser_deinit(chooser *c);

typedef WEIR_VECTOR(char *) text_list;

void text_list_add(text_list *list, weir_str text);
void text_list_deinit(text_list *list);

typedef struct model_end {
    bool failed;        /* in a strict run, or its cleanup did: it has no result then */
    weir_buffer result; /* canonical */
    text_list tasks;    /* that began: "instance parameters" */
    text_list sets;     /* parameter sets made: "instance" */
} model_end;

/* Runs the context of that name and place. */
void model_run(const scenario *s, weir_str context, chooser *c, model_end *end);
void model_end_deinit(model_end *end);

#endif
