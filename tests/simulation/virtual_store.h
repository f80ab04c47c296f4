/* A store in virtual time: batches become durable in order, some time after they were appended, and are done a moment
 * later. It is where crashes happen: before a write is durable, so that it is lost, or after, so that nobody heard. */
#ifndef WEIR_SIMULATION_VIRTUAL_STORE_H
#define WEIR_SIMULATION_VIRTUAL_STORE_H

#include "engine/machine.h"
#include "journal.h"

typedef struct virtual_store {
    simulation *sim;
    journal *journal;
    WEIR_VECTOR(weir_batch) batches; /* the first `durable` of them survive a crash */
    size_t durable, done;
    uint64_t written;      /* writes that came to their end, lost ones too */
    bool unrecorded;       /* batches have no events */
    uint64_t crash_at;     /* this write, from 1; 0: none */
    bool crash_after;      /* once it is durable */
    uint32_t crashes_left; /* at writes that chance picks */
    uint64_t last_us;      /* when the last one becomes durable */
    uint64_t life;         /* of the engine; what an earlier one waits for never comes */
    void (*on_done)(void *arg, const weir_batch *batch);
    void (*on_crash)(void *arg); /* must call virtual_store_crash */
    void *arg;
} virtual_store;

void virtual_store_deinit(virtual_store *store);
/* Takes the batch over. */
void virtual_store_append(virtual_store *store, weir_batch batch);
/* What is not durable is lost. */
void virtual_store_crash(virtual_store *store);

#endif
