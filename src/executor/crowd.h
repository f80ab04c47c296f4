/* Generators wait while their run has too much to do: each set that was taken stands here until the run has less, and then the next may
 * come. The loop's thread. */
#ifndef WEIR_EXECUTOR_CROWD_H
#define WEIR_EXECUTOR_CROWD_H

#include "io/loop.h"

typedef struct weir_crowd weir_crowd;

weir_crowd *weir_crowd_open(weir_loop *loop);
/* Nobody waits any more: see weir_crowd_dismiss. */
void weir_crowd_close(weir_crowd *crowd);

/* `crowded` says whether a run has so much to do that its generators had better wait; NULL: never. */
void weir_crowd_watch(weir_crowd *crowd, bool (*crowded)(void *arg, const char *run), void *arg);
/* Calls `let_on` once the run has less to do, perhaps at once. `run` stays until then. */
void weir_crowd_wait(weir_crowd *crowd, const char *run, void (*let_on)(void *arg), void *arg);
/* Lets on whoever waits, and from now on everybody at once. */
void weir_crowd_dismiss(weir_crowd *crowd);

#endif
