#include "workers.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    JOBS_MAX = 64,
    SEED_S_MAX = 600, /* of one seed: what takes longer does not come to its end */
    LOOK_MS = 100,
    SAY_S = 30 /* between two words of how far it came */
};

/* One worker's, written by it alone but for `process`; the worker that takes its place goes on with it. */
typedef struct slot {
    pid_t process; /* 0: none */
    uint64_t seed;
    totals total;
} slot;

/* What the processes share. */
typedef struct board {
    _Atomic uint64_t next;
    slot slots[JOBS_MAX];
} board;

static volatile sig_atomic_t stopped;

static void stop(int signal_number) {
    (void)signal_number;
    stopped = 1;
}

static void work_on(const work *w, board *b, slot *mine) {
    uint64_t end = w->first + w->count;
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* the first process does not leave any behind */
    signal(SIGINT, SIG_IGN);          /* it is that which says when to stop */
    signal(SIGTERM, SIG_DFL);
    while ((mine->seed = atomic_fetch_add(&b->next, 1)) < end) {
        uint64_t failed = mine->total.failed;
        alarm(SEED_S_MAX);
        w->run(w->arg, mine->seed, &mine->total);
        mine->total.seeds++;
        if (w->only_first && mine->total.failed > failed) atomic_store(&b->next, end);
    }
    alarm(0);
    w->deinit(w->arg);
}

static void start(const work *w, board *b, slot *s) {
    fflush(stdout);
    pid_t process = fork();
    if (process < 0) {
        perror("simulate: no process");
        exit(3);
    }
    if (process) {
        s->process = process;
        return;
    }
    work_on(w, b, s);
    exit(0);
}

static void add(totals *sum, const totals *part) {
    sum->seeds += part->seeds;
    sum->crashed += part->crashed;
    sum->restarted += part->restarted;
    sum->disk_crashed += part->disk_crashed;
    sum->faults += part->faults;
    sum->cuts += part->cuts;
    sum->leases += part->leases;
    sum->failed += part->failed;
    sum->judged += part->judged;
    sum->unjudged += part->unjudged;
}

static totals sum_of(const board *b, uint32_t jobs) {
    totals sum = {0};
    for (uint32_t i = 0; i < jobs; i++) add(&sum, &b->slots[i].total);
    return sum;
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void say(const work *w, const totals *sum, double took) {
    double rate = (double)sum->seeds / took;
    uint64_t left_s = rate > 0 ? (uint64_t)((double)(w->count - sum->seeds) / rate) : 0;
    fprintf(stderr,
            "simulate: %" PRIu64 " of %" PRIu64 " seeds, %" PRIu64
            " failed, %.1f a second, %" PRIu64 ":%02" PRIu64 ":%02" PRIu64 " left\n",
            sum->seeds, w->count, sum->failed, rate, left_s / 3600, left_s / 60 % 60, left_s % 60);
}

/* One that died did so of its seed; another takes its place. */
static void see_to_dead(const work *w, board *b, slot *s, int status) {
    s->process = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
    s->total.seeds++;
    s->total.failed++;
    printf("seed %" PRIu64 ": its process ended with %s %d\n  again: ./dev simulate --seed %" PRIu64
           " -v\n",
           s->seed, WIFSIGNALED(status) ? "signal" : "exit code",
           WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), s->seed);
    if (w->only_first) atomic_store(&b->next, w->first + w->count);
    start(w, b, s);
}

/* Whether any is left. */
static bool look(const work *w, board *b, uint32_t jobs) {
    bool any = false;
    for (uint32_t i = 0; i < jobs; i++) {
        int status;
        slot *s = &b->slots[i];
        if (s->process && waitpid(s->process, &status, WNOHANG) == s->process)
            see_to_dead(w, b, s, status);
        any |= s->process != 0;
    }
    return any;
}

uint64_t work_do(const work *w, totals *out) {
    board *b = mmap(NULL, sizeof *b, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    uint64_t end = w->first + w->count, next = end;
    uint32_t jobs = w->jobs < JOBS_MAX ? w->jobs : JOBS_MAX;
    if (b == MAP_FAILED) {
        perror("simulate: no memory");
        exit(3);
    }
    if (jobs > w->count) jobs = (uint32_t)w->count;
    double begun = seconds(), said = begun;
    sigaction(SIGINT, &(struct sigaction){.sa_handler = stop}, NULL);
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = stop}, NULL);
    atomic_store(&b->next, w->first);
    for (uint32_t i = 0; i < jobs; i++) start(w, b, &b->slots[i]);
    while (look(w, b, jobs)) {
        if (stopped && next == end) next = atomic_exchange(&b->next, end);
        if (seconds() - said >= SAY_S) {
            totals sum = sum_of(b, jobs);
            said = seconds();
            say(w, &sum, said - begun);
        }
        nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000 * 1000}, NULL);
    }
    *out = sum_of(b, jobs);
    munmap(b, sizeof *b);
    return next < end ? next : end;
}
