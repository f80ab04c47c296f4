/* A plan that no file can express yet, made by chance: jobs that wait for other jobs, among them gangs, services,
 * backoffs and heartbeats; with a coordinator of its own. A job goes on when those it needs are over, or ready when
 * they are services; services are drained once all other jobs are over. */
#ifndef WEIR_SIMULATION_JOBS_H
#define WEIR_SIMULATION_JOBS_H

#include "task/coordinator.h"

weir_plan *jobs_plan_new(uint64_t *chance);

#endif
