/* What the steps of a run write, on its way to the output: with --log all of it as it comes, each line with its step's
 * name; else only that of a run which has but one step. One thread. */
#ifndef WEIR_CLI_STEPS_H
#define WEIR_CLI_STEPS_H

#include <weir/weir.h>

#include "base/vector.h"
#include "data/value.h"

typedef struct weir_steps {
    bool all;          /* --log */
    weir_buffer lines; /* since the last print: task, length, bytes */
    weir_buffer only;  /* what the first task wrote, as long as it is the only one */
    uint32_t task;     /* the first */
    enum { WEIR_STEPS_NONE, WEIR_STEPS_ONE, WEIR_STEPS_MANY } count;
    WEIR_VECTOR(char *) names; /* of tasks, as far as they are known */
} weir_steps;

/* Takes a line; may be called while the engine is at work. */
void weir_steps_add(weir_steps *steps, uint32_t task, weir_str line);
/* Whether weir_steps_print has something to show now. */
bool weir_steps_waiting(const weir_steps *steps);
/* Appends what is to be shown now; asks the run for the names of its tasks. */
void weir_steps_print(weir_steps *steps, const weir_run *run, weir_buffer *out);
/* Forgets what it knows of a run, before the next. */
void weir_steps_deinit(weir_steps *steps);

#endif
