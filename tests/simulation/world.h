/* A world in which one scenario is run: an engine that may die, driven as the real one drives a machine, and outside of
 * it a store, an executor, a clock and somebody who cancels, all of them virtual. */
#ifndef WEIR_SIMULATION_WORLD_H
#define WEIR_SIMULATION_WORLD_H

#include "scenario.h"
#include "virtual_disk.h"
#include "virtual_server.h"

/* What is done to a run. */
typedef struct world_faults {
    uint64_t crash_at; /* the write at which the engine dies; 0: none */
    bool crash_after;  /* when it is durable, rather than before */
    bool mixed;        /* several crashes, and all that executors and clocks get wrong */
    bool
        prefixes; /* afterwards, compares a replay of every prefix of the journal with what the run was then */
    bool restarts; /* it is restarted at some task, or what failed is tried again, a few times */
    bool verbose;
    uint64_t cancel_us; /* 0: never */
    uint64_t
        shuffle; /* 0: things take the time that follows from what they are; else by this chance */
    bool unrecorded;    /* without events, so without crashes */
    uint32_t scheduler; /* 1: the first, and so on, instead of the scenario's; 0: that */
    uint64_t ahead;     /* calls after which contexts run ahead of the journal; 0: never */

    bool
        on_disk; /* the journal is weir's own store on a virtual disk; of what follows the rest needs it, but effects and echoes */
    uint64_t disk_at;  /* the operation of the disk at which the engine dies; 0: none */
    bool disk_after;   /* when it is done */
    bool power;        /* with the engine the power goes */
    disk_fault fault;  /* there from this operation on until the engine has ended */
    uint64_t fault_at; /* 0: none */
    bool old;          /* there is a state of version 1 */
    bool slow;         /* the disk */
    bool batch; /* durability is `batch`: a power cut may take what was told in the last 20 ms */
    uint64_t pause_at;  /* the write after which the engine is stopped, and another takes its run */
    uint64_t effect_at; /* the effect before which the engine dies; 0: none */
    bool echoes;        /* every outcome comes again after each write */
    uint64_t leases;    /* several engines on one server, with faults by this chance; 0: one */
    uint64_t span_us;   /* in which those faults come */
} world_faults;

typedef struct world_end {
    char phase[16];
    weir_value *by_context; /* the results; NULL: none */
    weir_value *status;     /* its coordinator's; NULL: there was a problem */
    weir_buffer tasks;      /* that began: a line "instance parameters" each, sorted */
    weir_buffer sets;       /* parameter sets made: a line "instance" each, sorted; of a dataflow */
    bool cancelled;
    uint32_t restarts;
    uint64_t writes, effects, operations, ended_us;
    uint64_t opened;   /* operations when there was a store for the first time */
    uint64_t cuts;     /* of the power */
    char problem[512]; /* "": none */
} world_end;

void world_run(const scenario *s, const world_faults *faults, world_end *end);
void world_end_deinit(world_end *end);

#endif
