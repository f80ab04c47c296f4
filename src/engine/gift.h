/* What a dataflow's run was given from outside while it went on: contexts, inputs sent to them, and that no more come. A run
 * that begins anew is given the same again, in the same order, each context whole: what was sent to it is with its first
 * inputs, as it is for a context that waits. One thread. */
#ifndef WEIR_ENGINE_GIFT_H
#define WEIR_ENGINE_GIFT_H

#include "engine/machine.h"

typedef struct weir__gift {
    weir_value *name, *inputs; /* a text, an array */
    bool held;                 /* more may be sent to it */
} weir__gift;

typedef struct weir__gifts {
    WEIR_VECTOR(weir__gift) items;
    weir_map held; /* those that are, by their names */
    bool ended;    /* no more contexts come */
} weir__gifts;

/* A zeroed one has none. */
void weir__gifts_deinit(weir__gifts *gifts);
/* Takes note of an event of the run that its coordinator just applied: most are no gifts. */
void weir__gifts_note(weir__gifts *gifts, const weir_coordinator *coordinator,
                      const weir_event *event);
/* Gives them to a machine whose generation was given nothing yet. With `last` nobody gives more: contexts that are held
 * are closed. */
void weir__gifts_give(const weir__gifts *gifts, bool last, weir_machine *machine, uint64_t now_us);

#endif
