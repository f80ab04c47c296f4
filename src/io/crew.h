/* A crew: threads that do jobs for several leaders. Each leader has a desk, where jobs wait for the crew and come back
 * when they are done; desks are served in turn. */
#ifndef WEIR_IO_CREW_H
#define WEIR_IO_CREW_H

#include "base/job.h"

typedef struct weir_crew weir_crew;
typedef struct weir_desk weir_desk;

/* `threads` in all, a leader counted: 1 to 256. With fewer where the system gives no more. */
weir_crew *weir_crew_open(uint32_t threads);
/* No desk may be open. */
void weir_crew_close(weir_crew *crew);

/* `ready(arg)` is called on a thread of the crew when a job was done and no other lay there done. */
weir_desk *weir_desk_open(weir_crew *crew, void (*ready)(void *arg), void *arg);
/* Waits for the jobs under way; nobody begins another. Whose jobs they are still has them all. */
void weir_desk_close(weir_desk *desk);
/* Valid as long as the desk. */
const weir_helpers *weir_desk_helpers(const weir_desk *desk);

#endif
