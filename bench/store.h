/* The parts of bench/store. */
#ifndef BENCH_STORE_H
#define BENCH_STORE_H

#include <stdint.h>

/* Ends the program. */
void bench_die(const char *what);

/* Of this process and those that it waited for. */
double bench_cpu_seconds(void);

/* Cases of runs; `words` are FLOW STATE PLUGIN NAME=TEXT…, NULL-terminated. `runs:K`: COUNT runs, K at once; `contexts:K`: COUNT
 * contexts of one run, K open at once; `recover`: the newest run is read and replayed, COUNT times. */
void bench_runs(const char *which, const char *url, uint64_t count, char **words);

#endif
