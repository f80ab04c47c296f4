/* What is tried with one seed.
 *
 * The scenario is run without faults first: that is how it must end. Then it is run again for each write
 * to the journal (at most 60, evenly chosen), with a crash just before the write is durable, and with one just after;
 * then once with several crashes, lost attempts, late and double reports, and a clock that jumps. It is run with a crash
 * before effects, and with every outcome coming again after every write. Then its journal is weir's own store on a disk
 * (virtual_disk.h): the engine dies at operations of the disk, alone or with the power, the disk is full, broken, or slow,
 * and the engine is stopped while another takes its run. How a dataflow may end its oracle says (oracle.h); it is run in
 * schedules by chance too, with events and without. One thread. */
#ifndef WEIR_SIMULATION_TRIAL_H
#define WEIR_SIMULATION_TRIAL_H

#include "task/registry.h"
#include "workers.h"

/* Says what went wrong, and how to repeat it; false when something did. Adds to the totals, but for the seed. */
bool trial_run(uint64_t seed, const weir_registry *registry, bool verbose, totals *total);

#endif
