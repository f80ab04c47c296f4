/* A store in virtual time. It is where crashes happen: before a write is durable, so that it is lost, or after, so that
 * nobody heard.
 *
 * Large values of a batch are put before it, in a write of their own.
 *
 * Without a disk it is a model: batches become durable in order, some time after they were appended, and are done a moment
 * later. With one it is weir's own store on it: batches that wait are written together, what is read after a crash is
 * what counts, and it has to be all that anybody was told is durable. With a server it is weir's store on PostgreSQL, one for
 * each engine; its thread is moved by the world (world_lease.c). */
#ifndef WEIR_SIMULATION_VIRTUAL_STORE_H
#define WEIR_SIMULATION_VIRTUAL_STORE_H

#include "disk_store.h"
#include "engine/machine.h"
#include "journal.h"
#include "lease_store.h"
#include "virtual_blobs.h"

typedef struct virtual_store {
    simulation *sim;
    journal *journal;
    virtual_blobs *blobs;
    WEIR_VECTOR(weir_batch) batches; /* the first `durable` of them survive a crash */
    size_t durable, done;
    uint64_t written;      /* writes that came to their end, lost ones too */
    bool unrecorded;       /* batches have no events */
    uint64_t crash_at;     /* this write, from 1; 0: none */
    bool crash_after;      /* once it is durable */
    uint32_t crashes_left; /* at writes that chance picks */
    uint64_t last_us;      /* when the last one becomes durable */
    uint64_t life;         /* of the engine; what an earlier one waits for never comes */
    bool crash_wanted;     /* at the next moment */

    virtual_disk *disk; /* NULL: a model */
    weir_store *real;   /* NULL: nobody has it open */
    bool is_old;        /* the disk had a state of version 1 */
    bool batch;         /* what was told is durable may be lost with the power for 20 ms */
    bool cut;           /* the power was, since the store was opened last */
    bool unwell;        /* the disk was slow, or had a fault, since then */
    uint64_t died_us;   /* when the engine did */
    uint64_t look_until_us;
    WEIR_VECTOR(uint64_t) done_us; /* when each batch was told to be durable */
    bool turn_asked;               /* on the agenda */
    uint64_t left;                 /* the life of an engine that was left; UINT64_MAX: none */
    size_t read;                   /* batches, so far */
    weir_error *failure;           /* owned; NULL: none. What an append came to. */

    virtual_server *server; /* NULL: none */
    uint32_t engine;
    char owner[SERVER_TEXT_MAX];
    void (*on_append)(void *arg); /* there is something to be written */

    void (*on_done)(void *arg, const weir_batch *batch);
    void (*on_crash)(void *arg); /* must call virtual_store_crash */
    void (*on_lost)(
        void *
            arg); /* batches that were told are lost, as they may: only the first `read` are there */
    void (*on_failed)(void *arg, const weir_error *why); /* the same */
    void *arg;
} virtual_store;

void virtual_store_deinit(virtual_store *store);
/* On a disk: opens it, and reads what is there. False when the process died or the disk would not; else what is wrong is a
 * problem of the simulation. */
bool virtual_store_open(virtual_store *store);
/* With a server: opens it, reads what is there, and takes the run's lease; then what came in between. `process` is
 * another's number after each start. False when the lease is another's, or the server away: then, too, what is open is closed
 * by virtual_store_close. */
WEIR_CHECKED bool virtual_store_lease(virtual_store *store, uint64_t process, weir_error *error);
/* Takes the batch over. `phase` is the run's after it, where the list of runs is to have it; else NULL. */
void virtual_store_append(virtual_store *store, weir_batch batch, const char *phase);
/* What is not durable is lost. With `cut` the power goes, too. */
void virtual_store_crash(virtual_store *store, bool cut);
/* The engine ends by itself, and closes the store. */
void virtual_store_close(virtual_store *store);
/* The engine is stopped, and its run is another's from now on: what it wrote nobody hears of. The store is its own. */
weir_store *virtual_store_leave(virtual_store *store);
/* It goes on: what it still had to write, and this batch, must be refused. Ends its store. */
void virtual_store_wake(virtual_store *store, weir_store *own, uint64_t sequence, weir_batch batch);
/* At the end: whether what is on the disk, after a power cut, is all that was done, and the list of runs has this phase. */
void virtual_store_check(virtual_store *store, const char *phase);

#endif
