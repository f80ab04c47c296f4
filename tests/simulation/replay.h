/* Replays: state is nothing but what the application of the journal's events gives. */
#ifndef WEIR_SIMULATION_REPLAY_H
#define WEIR_SIMULATION_REPLAY_H

#include "engine/machine.h"
#include "virtual_store.h"

/* What a run was when a batch was taken. */
typedef struct snapshot {
    uint64_t now_us;
    char *state;
} snapshot;

typedef struct snapshots {
    snapshot *items;
    size_t count, capacity;
} snapshots;

weir_value *machine_status(const weir_machine *machine);
void snapshots_add(snapshots *all, const weir_machine *machine, uint64_t now_us);
void snapshots_deinit(snapshots *all);

/* Applies what is durable; false and a problem when it cannot be read. */
bool replay_all(const virtual_store *store, weir_machine *machine);
/* Whether the journal gives what the finished run is, and leaves nothing to decide. `status` is the live one's, `again` a
 * new machine. */
void replay_check_end(const virtual_store *store, const weir_machine *live,
                      const weir_value *status, weir_machine *again, uint64_t now_us);
/* The same of every prefix; `beats` when machines know of heartbeats, of which the journal knows nothing. */
void replay_check_prefixes(const virtual_store *store, const snapshots *all, weir_machine *again,
                           bool beats);

#endif
