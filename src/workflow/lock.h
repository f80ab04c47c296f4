/* The locks of a workflow's run, for who asks for them: the run says what its nodes, or it as a whole, want (a wish), somebody asks
 * those who know what other runs have, and the answer comes back as the fact lock.granted. Nodes of one run that want the same lock
 * wish one after the other, in the order of their start. Pure; of the run's thread. */
#ifndef WEIR_WORKFLOW_LOCK_H
#define WEIR_WORKFLOW_LOCK_H

#include "task/claims.h"
#include "task/coordinator.h"

/* Whether anything in it has locks. */
bool weir_workflow_has_locks(const weir_plan *plan);
int64_t weir_workflow_priority(const weir_plan *plan);
/* The next wish, each once, and again after a replay: of a node or WEIR_CLAIM_RUN; the locks are a new reference;
 * *nested: something around it has locks. False: there is none. */
bool weir_workflow_take_wish(weir_coordinator *coordinator, uint32_t *node, weir_value **locks,
                             bool *nested);
/* Whether there is one. */
bool weir_workflow_wishes(const weir_coordinator *coordinator);
/* The next node that neither has nor wants its locks any more; false: there is none. */
bool weir_workflow_take_released(weir_coordinator *coordinator, uint32_t *node);
/* Whether the node, or WEIR_CLAIM_RUN, waits for its locks. */
bool weir_workflow_waits(const weir_coordinator *coordinator, uint32_t node);
/* Calls back with each that has its locks. */
void weir_workflow_each_holder(const weir_coordinator *coordinator,
                               void (*visit)(void *arg, uint32_t node, weir_value *locks),
                               void *arg);

#endif
