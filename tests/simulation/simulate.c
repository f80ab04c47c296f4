/* The simulator: runs scenarios made from seeds, crashes each at its writes, and compares how they end.
 *
 *     simulate [--seeds N] [--seed N] [-v]
 *
 * For a seed, the scenario is run without faults first: that is how it must end. Then it is run again for each write
 * to the journal (at most 60, evenly chosen), with a crash just before the write is durable, and with one just after;
 * then once with several crashes, lost attempts, late and double reports, and a clock that jumps. How a dataflow may end
 * its oracle says (oracle.h); it is run in schedules by chance too, with events and without. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "operations.h"
#include "oracle.h"

enum {
    WRITES_MAX = 60,
    CONTEXT = 60,
    SHUFFLES = 4,
    RESTARTS = 4,
    JUDGED_MIN = 10000,
    JUDGED_FOR_EACH_UNJUDGED = 1000
};

typedef struct verdict {
    char text[1024]; /* "": all is well */
    world_faults faults;
    oracle *oracle; /* NULL: every run has to end as the one without faults */
} verdict;

typedef struct totals {
    uint64_t crashed, restarted, failed, judged, unjudged;
} totals;

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

static void compare(const scenario *s, const world_end *wanted, const world_end *got, verdict *v) {
    const char *what = NULL, *a = "", *b = "";
    if (got->problem[0]) {
        snprintf(v->text, sizeof v->text, "%s", got->problem);
        return;
    }
    if (v->oracle) {
        oracle_judge(v->oracle, got, v->text, sizeof v->text);
        return;
    }
    if (got->cancelled && strcmp(got->phase, "Failed") == 0) return;
    /* After a restart contexts have other numbers, which nodes of a dataflow are named by. */
    bool numbered = got->restarts && strcmp(s->plan->kind, "workflow") != 0;
    bool uncertain = s->fails_fast && strcmp(wanted->phase, "Failed") == 0;
    if (strcmp(wanted->phase, got->phase) != 0) {
        what = "phase", a = wanted->phase, b = got->phase;
    } else if (!uncertain && strcmp(wanted->results.data, got->results.data) != 0) {
        what = "results", a = wanted->results.data, b = got->results.data;
    } else if (!uncertain && !numbered && strcmp(wanted->nodes.data, got->nodes.data) != 0) {
        what = "nodes", a = wanted->nodes.data, b = got->nodes.data;
    } else if (got->restarts && !uncertain && strcmp(wanted->tasks.data, got->tasks.data) != 0) {
        what = "tasks", a = wanted->tasks.data, b = got->tasks.data;
    }
    size_t same = 0;
    while (a[same] && a[same] == b[same]) same++;
    same = same > CONTEXT ? same - CONTEXT : 0;
    if (what)
        snprintf(v->text, sizeof v->text, "other %s: %.400s, not %.400s", what, b + same, a + same);
}

/* False when it went wrong. */
static bool try(const scenario *s, world_faults faults, const world_end *wanted, world_end *end,
                verdict *v) {
    world_run(s, &faults, end);
    compare(s, wanted ? wanted : end, end, v);
    v->faults = faults;
    return !v->text[0];
}

static void crash_everywhere(const scenario *s, world_faults faults, const world_end *wanted,
                             uint64_t writes, uint64_t *crashed, verdict *v) {
    uint64_t count = writes < WRITES_MAX ? writes : WRITES_MAX;
    faults.prefixes = false;
    for (uint64_t i = 0; i < 2 * count && !v->text[0]; i++) {
        world_end end;
        faults.crash_at = 1 + i / 2 * writes / count;
        faults.crash_after = i % 2;
        faults.ahead = i / 2 % 3;
        try(s, faults, wanted, &end, v);
        world_end_deinit(&end);
        *crashed += i % 2;
    }
}

/* Schedules by chance: without faults, with all of them, and without events. */
static void shuffle(const scenario *s, const world_end *wanted, verdict *v) {
    for (uint64_t i = 0; i < 2 * SHUFFLES && !v->text[0]; i++) {
        world_end end;
        world_faults faults = {
            .shuffle = 1 + i, .mixed = i % 2, .unrecorded = i / 2 % 2, .ahead = i};
        try(s, faults, wanted, &end, v);
        world_end_deinit(&end);
    }
}

/* Restarts, of tasks and of what failed, at moments by chance: the run has to end as without. */
static void restart(const scenario *s, const world_end *wanted, uint64_t *restarted, verdict *v) {
    bool suits = !s->gifts.count && strcmp(s->plan->kind, "jobs") != 0;
    for (uint64_t i = 0; i < RESTARTS && suits && !v->text[0]; i++) {
        world_end end;
        world_faults faults = {
            .restarts = true, .prefixes = !i, .shuffle = i > 1 ? i : 0, .mixed = i % 2};
        try(s, faults, wanted, &end, v);
        *restarted += end.restarts;
        world_end_deinit(&end);
    }
}

static void try_seed(const scenario *s, totals *total, verdict *v) {
    world_end wanted, cancelled = {0}, mixed = {0};
    world_faults faults = {.prefixes = true};
    bool ok = try(s, faults, NULL, &wanted, v);
    uint64_t writes = wanted.writes, chance = s->seed;
    if (ok && s->cancels) {
        faults.cancel_us = 1 + chance_draw(&chance, wanted.ended_us + 1);
        ok = try(s, faults, &wanted, &cancelled, v);
        writes = cancelled.writes;
    }
    if (ok) crash_everywhere(s, faults, &wanted, writes, &total->crashed, v);
    faults.mixed = true;
    faults.prefixes = false;
    if (!v->text[0]) try(s, faults, &wanted, &mixed, v);
    if (!v->text[0] && v->oracle) shuffle(s, &wanted, v);
    if (!v->text[0]) restart(s, &wanted, &total->restarted, v);
    world_end_deinit(&wanted);
    world_end_deinit(&cancelled);
    world_end_deinit(&mixed);
}

static void say_faults(const world_faults *f) {
    printf("  in the run with");
    if (f->shuffle)
        printf(" schedule %" PRIu64 "%s and", f->shuffle, f->unrecorded ? ", no events" : "");
    if (f->restarts) printf(" restarts and");
    if (f->crash_at)
        printf(" a crash %s write %" PRIu64 "%s", f->crash_after ? "after" : "before", f->crash_at,
               f->cancel_us ? " and" : "");
    else if (f->mixed)
        printf(" all faults%s", f->cancel_us ? " and" : "");
    else if (!f->cancel_us)
        printf("out faults");
    if (f->cancel_us) printf(" a cancel at %" PRIu64 " us", f->cancel_us);
    putchar('\n');
}

/* False when the seed failed. */
static bool run_seed(uint64_t seed, const weir_registry *registry, bool verbose, totals *total) {
    scenario s;
    oracle o = {0};
    verdict v = {0};
    snprintf(seed_text, sizeof seed_text,
             "seed %" PRIu64 " ends the program: simulate --seed %" PRIu64 " -v\n", seed, seed);
    scenario_init(&s, seed, registry);
    if (verbose) printf("%s, %s\n", s.plan->kind, s.text.length ? s.text.data : "");
    fflush(stdout);
    if (s.flow) oracle_init(v.oracle = &o, &s, v.text, sizeof v.text);
    bool strange = v.text[0];
    if (!strange) try_seed(&s, total, &v);
    bool failed = v.text[0];
    if (verbose && !strange) {
        world_end end;
        v.faults.verbose = true;
        world_run(&s, &v.faults, &end);
        world_end_deinit(&end);
    }
    if (failed) {
        printf("seed %" PRIu64 " (%s): %s\n", seed, s.plan->kind, v.text);
        say_faults(&v.faults);
        printf("  again: simulate --seed %" PRIu64 " -v\n", seed);
    }
    total->judged += o.judged;
    total->unjudged += o.unjudged;
    oracle_deinit(&o);
    scenario_deinit(&s);
    return !failed;
}

static uint64_t number_of(const char *text) {
    char *end;
    uint64_t number = text ? strtoull(text, &end, 10) : 0;
    if (text && *text && !*end && number) return number;
    fprintf(stderr, "simulate: a number from 1 is wanted\n");
    exit(2);
}

int main(int argc, char **argv) {
    uint64_t first = 1, last = 300;
    totals total = {0};
    bool verbose = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--seeds") == 0) {
            last = number_of(argv[++i]);
        } else if (strcmp(argv[i], "--seed") == 0) {
            first = last = number_of(argv[++i]);
        } else if (strcmp(argv[i], "-v") == 0) {
            verbose = true;
        } else {
            fprintf(stderr,
                    "usage: simulate [--seeds N] [--seed N] [-v]\n"
                    "N seeds from 1 (300), or the one; each run is crashed at up to %d of its "
                    "writes\n",
                    WRITES_MAX);
            return strcmp(argv[i], "--help") == 0 ? 0 : 2;
        }
    }
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(say_seed);
    else
        for (size_t i = 0; i < 3; i++) signal((int[]){SIGABRT, SIGSEGV, SIGFPE}[i], die);
    weir_registry registry = {0};
    operations_register(&registry);
    for (uint64_t seed = first; seed <= last; seed++)
        total.failed += !run_seed(seed, &registry, verbose, &total);
    weir_registry_deinit(&registry);
    printf("simulate: %" PRIu64 " seeds, %" PRIu64 " writes crashed, %" PRIu64 " restarts, %" PRIu64
           " results of dataflows judged, %" PRIu64 " not, %" PRIu64 " failed\n",
           last - first + 1, total.crashed, total.restarted, total.judged - total.unjudged,
           total.unjudged, total.failed);
    /* That no order was found for so many means that results are wrong, or that flows are too large to be judged. */
    bool unsure =
        total.judged >= JUDGED_MIN && total.unjudged > total.judged / JUDGED_FOR_EACH_UNJUDGED;
    if (unsure) printf("simulate: too many results stayed unjudged\n");
    return total.failed || unsure ? 1 : 0;
}
