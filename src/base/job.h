/* Jobs: work that any thread may do, and the threads that help with it. */
#ifndef WEIR_BASE_JOB_H
#define WEIR_BASE_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Embedded first in what the work needs. */
typedef struct weir_job {
    void (*work)(struct weir_job *job);
    struct weir_job *next; /* in the list that it is in */
} weir_job;

/* Threads that help one leader, who alone calls these. A job that was put belongs to them until it is taken back. */
typedef struct weir_helpers {
    void (*put)(void *arg, weir_job *job);
    /* One that nobody began, to be done by the leader or to be dropped; NULL: there is none. */
    weir_job *(*take_left)(void *arg);
    /* One that was done; NULL: there is none. With `wait` as soon as there is one, if any is under way. */
    weir_job *(*take_done)(void *arg, bool wait);
    size_t (*count_left)(void *arg);
    void *arg;
    uint32_t threads; /* the leader's too */
} weir_helpers;

#endif
