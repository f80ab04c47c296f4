/* The repository of artifacts: which keys are there, and whose. It is on the disk before an attempt says that it succeeded, so it
 * survives everything; what an attempt puts there that nobody heard of stays, too. */
#ifndef WEIR_SIMULATION_VIRTUAL_REPOSITORY_H
#define WEIR_SIMULATION_VIRTUAL_REPOSITORY_H

#include "simulation.h"
#include "task/task.h"

typedef struct virtual_repository {
    simulation *sim;
    WEIR_VECTOR(struct artifact {
        char *key;
        uint64_t what; /* whoever made it */
    })
    artifacts;
} virtual_repository;

void virtual_repository_deinit(virtual_repository *repository);
/* The attempt, which is `what`, succeeded: its artifacts are kept, and said in its outputs. */
void virtual_repository_keep(virtual_repository *repository, const weir_attempt *attempt,
                             uint64_t what, weir_value *outputs);
/* It begins: what it is given has to be there. */
void virtual_repository_check(const virtual_repository *repository, const weir_attempt *attempt);

#endif
