/* The simulator: runs scenarios made from seeds, crashes each at its writes, and compares how they end (trial.h).
 *
 *     simulate [--seeds N] [--from N] [--seed N] [--again FILE] [--jobs N] [--first] [-v] */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "disk_store.h"
#include "lease_store.h"
#include "operations.h"
#include "trial.h"

enum { JUDGED_MIN = 10000, JUDGED_FOR_EACH_UNJUDGED = 1000 };

static char
    seed_text[96]; /* what the end of the program by an assertion or a sanitizer is told with */

static void say_seed(void) {
    (void)!write(STDERR_FILENO, seed_text, strlen(seed_text));
}

static void die(int signal_number) {
    say_seed();
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

/* Only there when a sanitizer is linked. */
__attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)(void));

typedef struct settings {
    work work;
    bool verbose;
    const char *again; /* a file; NULL: none */
    weir_registry registry;
} settings;

static void take_seed(void *arg, uint64_t seed, totals *total) {
    settings *s = arg;
    snprintf(seed_text, sizeof seed_text,
             "seed %" PRIu64 " ends the program: ./dev simulate --seed %" PRIu64 " -v\n", seed,
             seed);
    total->failed += !trial_run(seed, &s->registry, s->verbose, total);
    fflush(stdout);
}

/* In this process. Returns how many there were. */
static uint64_t take_listed(settings *s, totals *total) {
    FILE *file = fopen(s->again, "r");
    char line[256];
    if (!file) {
        perror(s->again);
        exit(2);
    }
    while (fgets(line, sizeof line, file)) {
        uint64_t seed = strtoull(line, NULL, 10);
        if (!seed) continue;
        take_seed(s, seed, total);
        total->seeds++;
    }
    fclose(file);
    return total->seeds;
}

static void free_all(void *arg) {
    weir_registry_deinit(&((settings *)arg)->registry);
    disk_store_end();
    lease_store_end();
}

static uint64_t number_of(const char *text) {
    char *end;
    uint64_t number = text ? strtoull(text, &end, 10) : 0;
    if (text && *text && !*end && number) return number;
    fprintf(stderr, "simulate: a number from 1 is wanted\n");
    exit(2);
}

static void say_usage(void) {
    fprintf(stderr,
            "usage: simulate [--seeds N] [--from N] [--seed N] [--again FILE] [--jobs N] [--first] "
            "[-v]\n"
            "N seeds (300) from the one given (1), or one; on as many processes as there are "
            "processors, or N;\nor those that a file has, "
            "at the beginning of a line each; with --first until one fails\n");
}

static void read_arguments(settings *s, int argc, char **argv) {
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    s->work = (work){.first = 1,
                     .count = 300,
                     .jobs = processors > 0 ? (uint32_t)processors : 1,
                     .run = take_seed,
                     .deinit = free_all,
                     .arg = s};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--seeds") == 0) {
            s->work.count = number_of(argv[++i]);
        } else if (strcmp(argv[i], "--from") == 0) {
            s->work.first = number_of(argv[++i]);
        } else if (strcmp(argv[i], "--seed") == 0) {
            s->work.first = number_of(argv[++i]);
            s->work.count = 1;
        } else if (strcmp(argv[i], "--again") == 0 && argv[i + 1]) {
            s->again = argv[++i];
        } else if (strcmp(argv[i], "--jobs") == 0) {
            uint64_t jobs = number_of(argv[++i]);
            s->work.jobs = jobs < UINT32_MAX ? (uint32_t)jobs : UINT32_MAX;
        } else if (strcmp(argv[i], "--first") == 0) {
            s->work.only_first = true;
        } else if (strcmp(argv[i], "-v") == 0) {
            s->verbose = true;
        } else {
            say_usage();
            exit(strcmp(argv[i], "--help") == 0 ? 0 : 2);
        }
    }
}

static void say_totals(const totals *t) {
    printf("simulate: %" PRIu64 " seeds, %" PRIu64 " crashes at writes and effects, %" PRIu64
           " within writes, %" PRIu64 " power cuts, %" PRIu64 " other faults, %" PRIu64
           " runs with leases, %" PRIu64 " restarts, %" PRIu64
           " results of dataflows judged, %" PRIu64 " not, %" PRIu64 " failed\n",
           t->seeds, t->crashed, t->disk_crashed, t->cuts, t->faults, t->leases, t->restarted,
           t->judged - t->unjudged, t->unjudged, t->failed);
}

int main(int argc, char **argv) {
    settings s = {0};
    totals total = {0};
    read_arguments(&s, argc, argv);
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(say_seed);
    else
        for (size_t i = 0; i < 3; i++) signal((int[]){SIGABRT, SIGSEGV, SIGFPE}[i], die);
    signal(SIGALRM, die);
    operations_register(&s.registry);
    uint64_t end = s.work.first + s.work.count, next = end;
    if (s.again) {
        if (!take_listed(&s, &total)) total.failed++;
    } else if (s.work.count == 1) { /* in this process, for a debugger */
        take_seed(&s, s.work.first, &total);
        total.seeds = 1;
    } else {
        next = work_do(&s.work, &total);
    }
    free_all(&s);
    say_totals(&total);
    if (next < end)
        printf("simulate: stopped; `./dev simulate --seeds %" PRIu64 " --from %" PRIu64
               "` goes on\n",
               end - next, next);
    /* That no order was found for so many means that results are wrong, or that flows are too large to be judged. */
    bool unsure =
        total.judged >= JUDGED_MIN && total.unjudged > total.judged / JUDGED_FOR_EACH_UNJUDGED;
    if (unsure) printf("simulate: too many results stayed unjudged\n");
    return total.failed || unsure || next < end ? 1 : 0;
}
