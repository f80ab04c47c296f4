/* A crew: threads that share the items of a job and wait for each other at its end. One thread leads; all threads of the
 * crew, the leader's too, take the next item until there is none. */
#ifndef WEIR_IO_CREW_H
#define WEIR_IO_CREW_H

#include <stddef.h>
#include <stdint.h>

typedef struct weir_crew weir_crew;

/* `threads` in all, the leader counted: 1 to 256. */
weir_crew *weir_crew_open(uint32_t threads);
void weir_crew_close(weir_crew *crew);
/* Does job(jobs, i) for each i below count, in any order; returns when all are done. By the leader only. */
void weir_crew_run(weir_crew *crew, void (*job)(void *jobs, size_t i), void *jobs, size_t count);

#endif
