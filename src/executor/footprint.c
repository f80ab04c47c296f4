#include "executor/footprint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "executor/family.h"

enum { SHARE_OF_TIME = 5, FIRST_US = 2000, LINE_BYTES = 256 };

struct weir_footprint {
    pid_t pid;
    uint64_t period_us, peak;
    uint64_t anonymous; /* in the last exact look: when there is more, another is worth its time */
    weir_timer *timer;
};

/* Its part of what it shares; false when we may not know, or it is over. */
static bool proportional(pid_t pid, uint64_t *bytes) {
    char path[64], line[LINE_BYTES], *end = line;
    uint64_t kibibytes = 0;
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
    FILE *file = fopen(path, "re");
    while (file && end == line && fgets(line, sizeof line, file)) {
        end = line;
        if (strncmp(line, "Pss:", 4) == 0) kibibytes = strtoull(line + 4, &end, 10);
    }
    if (file) fclose(file);
    *bytes = kibibytes * 1024;
    return kibibytes > 0;
}

/* proc(5): the second number is what is resident, the third what of that is files' or may be others', too. */
static bool read_pages(pid_t pid, uint64_t *all, uint64_t *shared) {
    char path[64], line[LINE_BYTES], *next = line;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    FILE *file = fopen(path, "re");
    bool any = file && fgets(line, sizeof line, file);
    if (file) fclose(file);
    if (!any) return false;
    (void)strtoull(line, &next, 10);
    *all = strtoull(next, &next, 10);
    *shared = strtoull(next, &next, 10);
    return true;
}

static bool resident(pid_t pid, uint64_t *bytes) {
    uint64_t all, shared;
    if (!read_pages(pid, &all, &shared)) return false;
    *bytes = all * (uint64_t)sysconf(_SC_PAGESIZE);
    return true;
}

/* Nearly what it has alone, and quick to know: processes that come and go with their libraries change nothing in it. */
static bool anonymous(pid_t pid, uint64_t *bytes) {
    uint64_t all, shared;
    if (!read_pages(pid, &all, &shared) || shared > all) return false;
    *bytes = (all - shared) * (uint64_t)sysconf(_SC_PAGESIZE);
    return true;
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
    uint64_t now = sum_of(&family, anonymous);
    if (now > footprint->anonymous) {
        uint64_t together = sum_of(&family, exact);
        if (together > footprint->peak) footprint->peak = together;
        footprint->anonymous = now + now / 100;
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
