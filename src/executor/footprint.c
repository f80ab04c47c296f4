#include "executor/footprint.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/time.h"
#include "executor/family.h"

enum { SHARE_OF_TIME = 10, FIRST_US = 2000, LINE_BYTES = 256 };

struct weir_footprint {
    pid_t pid;
    uint64_t period_us, peak;
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

uint64_t weir_footprint_now(pid_t pid) {
    uint64_t sum = 0, bytes;
    weir_family family = weir_family_of(pid);
    for (size_t i = 0; i < family.members.count; i++)
        if (proportional(family.members.items[i], &bytes) ||
            resident(family.members.items[i], &bytes))
            sum += bytes;
    weir_family_deinit(&family);
    return sum;
}

static void look(void *arg) {
    weir_footprint *footprint = arg;
    uint64_t from_us = weir_clock_steady_us(), now = weir_footprint_now(footprint->pid);
    uint64_t rest_us = (weir_clock_steady_us() - from_us) * (SHARE_OF_TIME - 1);
    if (now > footprint->peak) footprint->peak = now;
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
