/* What all runs of an engine may take together, and what the host has of it at the moment. The loop's thread. */
#ifndef WEIR_ENGINE_LIMITS_H
#define WEIR_ENGINE_LIMITS_H

#include <weir/weir.h>

#include "data/document.h"
#include "task/coordinator.h"

/* Of a new engine; behind its loop. */
void weir__limits_open(weir_engine *engine);
void weir__limits_close(weir_engine *engine);
/* For the machine of a run. */
/* How many attempts there may be at once: fewer where energy is to be saved. */
uint32_t weir__limits_attempts(const weir_engine *engine, const weir_value *request);
weir_task_limits weir__limits_of(weir_run *run, const weir_value *request);
/* The highest is first. A workflow's own, else that of the run whose task it is. */
int32_t weir__run_priority(const weir_plan *plan, const weir_value *request);
/* The run is driven here: what its attempts take counts from now on. */
void weir__limits_join(weir_run *run, const weir_value *request);
/* Warns of tasks that declare more than the limits that were chosen. */
void weir__limits_warn(const weir_engine *engine, const weir_plan *plan,
                       const weir_document *document, weir_problems *problems);
/* Puts those that were chosen into the request of a run, for who looks at it elsewhere. */
void weir__limits_tell(const weir_engine *engine, weir_value *request);
/* Puts `waiting` into a run's status: what waits for room, the next first, at most 100; nothing when nothing does. See weir_get. */
void weir__limits_put_waiting(const weir_run *run, weir_value *status);
/* After a run was pumped, or goes: others go on that waited for what it gave back, and as long as tasks wait the host is asked. */
void weir__limits_look(weir_engine *engine);

#endif
