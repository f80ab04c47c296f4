#include "executor/footprint.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "executor/family.h"

enum { SHARE_OF_TIME = 5, FIRST_US = 2000, LINE_BYTES = 256 };

struct weir_footprint {
    pid_t pid;
    uint64_t period_us, peak;
    uint64_t
        resident; /* in the last exact look: such a look is worth its time when there is more by now */
    weir_timer *timer;
};

/* Its part of what it shares; false when we may not know, or it is over. */
static bool proportional(pid_t pid, uint64_t *bytes) {
    char path[64], line[LINE_BYTES];
    uint64_t kibibytes;
    bool found = false;
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
    FILE *file = fopen(path, "re");
    while (file && !found && fgets(line, sizeof line, file))
        found = sscanf(line, "Pss: %" SCNu64, &kibibytes) == 1;
    if (file) fclose(file);
    if (found) *bytes = kibibytes * 1024;
    return found;
}

static bool resident(pid_t pid, uint64_t *bytes) {
    char path[64];
    uint64_t all, pages;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    FILE *file = fopen(path, "re");
    bool found = file && fscanf(file, "%" SCNu64 " %" SCNu64, &all, &pages) == 2;
    if (file) fclose(file);
    if (found) *bytes = pages * (uint64_t)sysconf(_SC_PAGESIZE);
    return found;
}

typedef bool measure(pid_t pid, uint64_t *bytes);

static bool exact(pid_t pid, uint64_t *bytes) {
    return proportional(pid, bytes) || resident(pid, bytes);
}

static uint64_t sum_of(const weir_family *family, measure *of) {
    uint64_t sum = 0, bytes;
    for (size_t i = 0; i < family->members.count; i++)
        if (of(family->members.items[i], &bytes)) sum += bytes;
    return sum;
}

uint64_t weir_footprint_now(pid_t pid) {
    weir_family family = weir_family_of(pid);
    uint64_t now = sum_of(&family, exact);
    weir_family_deinit(&family);
    return now;
}

static uint64_t thread_cpu_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void look(void *arg) {
    weir_footprint *footprint = arg;
    uint64_t from_us = thread_cpu_us();
    weir_family family = weir_family_of(footprint->pid);
    uint64_t now = sum_of(&family, resident);
    if (now > footprint->resident) {
        uint64_t together = sum_of(&family, exact);
        if (together > footprint->peak) footprint->peak = together;
        footprint->resident = now + now / 100;
    }
    weir_family_deinit(&family);
    uint64_t rest_us = (thread_cpu_us() - from_us) * (SHARE_OF_TIME - 1);
    weir_timer_start(footprint->timer,
                     rest_us > footprint->period_us ? rest_us : footprint->period_us);
}

weir_footprint *weir_footprint_open(weir_loop *loop, pid_t pid, uint64_t period_us) {
    if (!period_us) return NULL;
    if (period_us < WEIR_FOOTPRINT_MIN_US) period_us = WEIR_FOOTPRINT_MIN_US;
    weir_footprint *footprint = weir_alloc(sizeof *footprint);
    *footprint = (weir_footprint){.pid = pid, .period_us = period_us};
    footprint->timer = weir_timer_open(loop, look, footprint);
    weir_timer_start(footprint->timer, period_us < FIRST_US ? period_us : FIRST_US);
    return footprint;
}

uint64_t weir_footprint_peak(const weir_footprint *footprint) {
    return footprint ? footprint->peak : 0;
}

void weir_footprint_close(weir_footprint *footprint) {
    if (!footprint) return;
    weir_timer_close(footprint->timer);
    weir_free(footprint);
}
