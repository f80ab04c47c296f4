/* The simulator: runs scenarios made from seeds, crashes each at its writes, and compares how they end.
 *
 *     simulate [--seeds N] [--from N] [--seed N] [--jobs N] [--first] [-v]
 *
 * For a seed, the scenario is run without faults first: that is how it must end. Then it is run again for each write
 * to the journal (at most 60, evenly chosen), with a crash just before the write is durable, and with one just after;
 * then once with several crashes, lost attempts, late and double reports, and a clock that jumps. It is run with a crash
 * before effects, and with every outcome coming again after every write. Then its journal is weir's own store on a disk
 * (virtual_disk.h): the engine dies at operations of the disk, alone or with the power, the disk is full, broken, or slow,
 * and the engine is stopped while another takes its run. How a dataflow may end its oracle says (oracle.h); it is run in
 * schedules by chance too, with events and without. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "disk_store.h"
#include "lease_store.h"
#include "operations.h"
#include "oracle.h"
#include "workers.h"

enum {
    WRITES_MAX = 60,
    EFFECTS_MAX = 12,
    OPERATIONS_MAX = 16,
    FAULTS_MAX = 5,
    PAUSES_MAX = 3,
    LEASES = 6,
    BATCHES = 6,
    LEASES_MORE_US = 3 * 1000 * 1000,
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
    bool suits = strcmp(s->plan->kind, "jobs") != 0;
    for (uint64_t i = 0; i < RESTARTS && suits && !v->text[0]; i++) {
        world_end end;
        world_faults faults = {
            .restarts = true, .prefixes = !i, .shuffle = i > 1 ? i : 0, .mixed = i % 2};
        try(s, faults, wanted, &end, v);
        *restarted += end.restarts;
        world_end_deinit(&end);
    }
}

/* One more run; false when one went wrong. */
static bool try_again(const scenario *s, world_faults faults, const world_end *wanted,
                      totals *total, verdict *v) {
    world_end end;
    if (v->text[0]) return false;
    bool ok = try(s, faults, wanted, &end, v);
    total->cuts += end.cuts;
    world_end_deinit(&end);
    return ok;
}

static void crash_between_effects(const scenario *s, world_faults faults, const world_end *wanted,
                                  totals *total, verdict *v) {
    uint64_t count = wanted->effects < EFFECTS_MAX ? wanted->effects : EFFECTS_MAX;
    for (uint64_t i = 0; i < count; i++) {
        faults.effect_at = 1 + i * wanted->effects / count;
        if (!try_again(s, faults, wanted, total, v)) return;
        total->crashed++;
    }
    faults.effect_at = 0;
    faults.echoes = true;
    for (int i = 0; i < 2; i++, faults.mixed = true) try_again(s, faults, wanted, total, v);
}

/* The engine dies at operations of the disk, which are evenly chosen, and chance says how. */
static void crash_disk(const scenario *s, world_faults faults, const world_end *wanted,
                       uint64_t operations, totals *total, verdict *v) {
    uint64_t chance = s->seed, count = operations < OPERATIONS_MAX ? operations : OPERATIONS_MAX;
    uint64_t first = count ? chance_draw(&chance, operations / count) : 0;
    for (uint64_t i = 0; i < count; i++) {
        faults.disk_at = 1 + first + i * operations / count;
        faults.disk_after = chance_draw(&chance, 2);
        faults.ahead = i % 3;
        faults.power = chance_draw(&chance, 3);
        if (!try_again(s, faults, wanted, total, v)) return;
        total->disk_crashed++;
    }
}

static void fail_disk(const scenario *s, world_faults faults, const world_end *wanted,
                      uint64_t operations, uint64_t writes, totals *total, verdict *v) {
    uint64_t chance = s->seed + 1;
    world_faults sound = faults;
    for (uint64_t i = 0; i < FAULTS_MAX; i++) {
        faults.fault = i ? (disk_fault)i : DISK_FULL;
        faults.fault_at = 1 + chance_draw(&chance, operations + 1);
        faults.power = chance_draw(&chance, 2);
        if (!try_again(s, faults, wanted, total, v)) return;
        total->faults++;
    }
    faults = sound;
    faults.slow = true;
    try_again(s, faults, wanted, total, v);
    faults = sound;
    for (uint64_t i = 0; i < PAUSES_MAX; i++) {
        faults.pause_at = 1 + chance_draw(&chance, writes);
        if (!try_again(s, faults, wanted, total, v)) return;
        total->faults++;
    }
    faults = sound;
    faults.mixed = true;
    try_again(s, faults, wanted, total, v);
}

/* A write does not wait for the disk: the power may take what was told to be durable just before. */
static void try_batch(const scenario *s, world_faults faults, const world_end *wanted,
                      totals *total, verdict *v) {
    uint64_t chance = s->seed + 2;
    world_end end;
    faults.batch = true;
    faults.old = false;
    if (v->text[0]) return;
    bool ok = try(s, faults, wanted, &end, v);
    uint64_t operations = end.operations;
    world_end_deinit(&end);
    for (uint64_t i = 0; ok && i < BATCHES; i++) {
        faults.disk_at = 1 + chance_draw(&chance, operations);
        faults.disk_after = chance_draw(&chance, 2);
        faults.power = i % 4;
        ok = try_again(s, faults, wanted, total, v);
        total->disk_crashed++;
    }
}

static void try_disk(const scenario *s, world_faults faults, const world_end *wanted, totals *total,
                     verdict *v) {
    world_end end;
    faults.on_disk = true;
    faults.old = s->seed % 4 == 0;
    faults.prefixes = false;
    if (v->text[0]) return;
    bool ok = try(s, faults, wanted, &end, v);
    if (ok) crash_disk(s, faults, wanted, end.operations, total, v);
    if (ok) fail_disk(s, faults, wanted, end.operations, end.writes, total, v);
    if (ok) try_batch(s, faults, wanted, total, v);
    world_end_deinit(&end);
}

/* Several engines on one server, who lose the run to each other. */
static void try_leases(const scenario *s, const world_end *wanted, totals *total, verdict *v) {
    for (uint64_t i = 0; i < LEASES; i++) {
        world_faults faults = {.leases = 1 + i,
                               .span_us = wanted->ended_us + LEASES_MORE_US,
                               .mixed = i % 2,
                               .ahead = i % 3};
        if (!try_again(s, faults, wanted, total, v)) return;
        total->leases++;
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
    faults.prefixes = false;
    crash_between_effects(s, faults, &wanted, total, v);
    try_disk(s, faults, &wanted, total, v);
    try_leases(s, &wanted, total, v);
    faults.mixed = true;
    if (!v->text[0]) try(s, faults, &wanted, &mixed, v);
    if (!v->text[0] && v->oracle) shuffle(s, &wanted, v);
    if (!v->text[0]) restart(s, &wanted, &total->restarted, v);
    world_end_deinit(&wanted);
    world_end_deinit(&cancelled);
    world_end_deinit(&mixed);
}

static void say_number(const char *what, uint64_t number) {
    if (number) printf(", %s %" PRIu64, what, number);
}

static void say_faults(const world_faults *f) {
    static const char *const disk_faults[] = {"", "full", "failing to write", "failing to sync",
                                              "failing to read"};
    printf("  in the run %s", f->mixed     ? "with all faults"
                              : f->on_disk ? "on a disk"
                                           : "without a disk");
    if (f->mixed && f->on_disk) printf(", on a disk");
    if (f->old) printf(", with a state of version 1");
    say_number("in schedule", f->shuffle);
    if (f->unrecorded) printf(", no events");
    if (f->restarts) printf(", restarts");
    say_number(f->crash_after ? "a crash after write" : "a crash before write", f->crash_at);
    say_number("a crash before effect", f->effect_at);
    say_number(f->disk_after ? "a crash after operation" : "a crash at operation", f->disk_at);
    if (f->fault_at)
        printf(", the disk %s from operation %" PRIu64, disk_faults[f->fault], f->fault_at);
    if (f->power) printf(", the power cut");
    if (f->slow) printf(", the disk slow");
    if (f->batch) printf(", durability batch");
    say_number("stopped after write", f->pause_at);
    say_number("with leases, chance", f->leases);
    if (f->echoes) printf(", every outcome again and again");
    say_number("a cancel at us", f->cancel_us);
    putchar('\n');
}

/* False when the seed failed. */
static bool run_seed(uint64_t seed, const weir_registry *registry, bool verbose, totals *total) {
    scenario s;
    oracle o = {0};
    verdict v = {0};
    snprintf(seed_text, sizeof seed_text,
             "seed %" PRIu64 " ends the program: ./dev simulate --seed %" PRIu64 " -v\n", seed,
             seed);
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
        printf("  again: ./dev simulate --seed %" PRIu64 " -v\n", seed);
    }
    total->judged += o.judged;
    total->unjudged += o.unjudged;
    oracle_deinit(&o);
    scenario_deinit(&s);
    return !failed;
}

/* --- the program ---------------------------------------------------------------------------- */

typedef struct settings {
    work work;
    bool verbose;
    weir_registry registry;
} settings;

static void take_seed(void *arg, uint64_t seed, totals *total) {
    settings *s = arg;
    total->failed += !run_seed(seed, &s->registry, s->verbose, total);
    fflush(stdout);
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
            "usage: simulate [--seeds N] [--from N] [--seed N] [--jobs N] [--first] [-v]\n"
            "N seeds (300) from the one given (1), or one; on as many processes as there are "
            "processors, or N;\nwith --first until one fails; each run is crashed at up to %d of "
            "its writes\n",
            WRITES_MAX);
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
    if (s.work.count == 1) { /* in this process, for a debugger */
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
