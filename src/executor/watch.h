/* What the files of an attempt that runs say, looked at now and then: how far it is, by its ARGO_PROGRESS_FILE, and whether a volume of
 * its own became larger than it may be. The loop's thread; volumes are measured by the pool. */
#ifndef WEIR_EXECUTOR_WATCH_H
#define WEIR_EXECUTOR_WATCH_H

#include "io/loop.h"
#include "task/task.h"

typedef struct weir_watch weir_watch;

typedef struct weir_watch_wish {
    const weir_value *config; /* of the attempt, as it is when this is opened */
    const char *scratch; /* its folder of volumes, as long as this is open; NULL: it has none */
    /* Where its progress file is now: below a folder, which it gives; NULL: nowhere. */
    const char *(*progress)(void *arg, weir_buffer *folder);
    void (*progressed)(void *arg, uint32_t done, uint32_t total);
    void (*exceeded)(void *arg); /* called once: it is to end */
    void *arg;
} weir_watch_wish;

weir_watch *weir_watch_open(weir_loop *loop, const weir_watch_wish *wish);
/* The attempt has ended: measures the last time, and makes a failure of the outcome when a volume is, or was, too large. NULL is
 * allowed. */
void weir_watch_judge(const weir_watch *watch, weir_outcome *outcome);
/* NULL is allowed. */
void weir_watch_close(weir_watch *watch);

/* N/M of the text's last line, as Argo has it: N is at most M, and M not 0. */
bool weir__progress_read(weir_str text, uint32_t *done, uint32_t *total);

#endif
