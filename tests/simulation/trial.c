#include "trial.h"

#include <inttypes.h>
#include <stdio.h>

#include "canonical.h"
#include "oracle.h"
#include "world.h"

enum {
    WRITES_MAX = 60,
    EFFECTS_MAX = 12,
    OPENINGS = 6, /* of one seed in four */
    OPERATIONS_MAX = 14,
    FAULTS_MAX = 5,
    PAUSES_MAX = 3,
    LEASES = 6,
    BATCHES = 6,
    LEASES_MORE_US = 3 * 1000 * 1000,
    CONTEXT = 60,
    SHUFFLES = 4,
    RESTARTS = 4
};

typedef struct verdict {
    char text[1024]; /* "": all is well */
    world_faults faults;
    oracle *oracle; /* NULL: every run has to end as the one without faults */
} verdict;

static void say_other(const char *what, const char *wanted, const char *got, verdict *v) {
    size_t same = 0;
    while (wanted[same] && wanted[same] == got[same]) same++;
    same = same > CONTEXT ? same - CONTEXT : 0;
    snprintf(v->text, sizeof v->text, "other %s: %.400s, not %.400s", what, got + same,
             wanted + same);
}

typedef void canonical(const weir_value *value, weir_buffer *out);

static void say_values(const char *what, const weir_value *wanted, const weir_value *got,
                       canonical *write, verdict *v) {
    weir_buffer a = {0}, b = {0};
    write(wanted, &a);
    write(got, &b);
    say_other(what, a.data, b.data, v);
    weir_buffer_deinit(&a);
    weir_buffer_deinit(&b);
}

static void expect_results(const weir_value *wanted, const weir_value *got, verdict *v) {
    if (wanted != got && canonical_hash(wanted) != canonical_hash(got))
        say_values("results", wanted, got, canonical_value, v);
}

static void expect_nodes(const weir_value *wanted, const weir_value *got, verdict *v) {
    if (wanted != got && canonical_status_hash(wanted) != canonical_status_hash(got))
        say_values("nodes", wanted, got, canonical_status, v);
}

static void compare(const scenario *s, const world_end *wanted, const world_end *got, verdict *v) {
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
    if (strcmp(wanted->phase, got->phase) != 0) say_other("phase", wanted->phase, got->phase, v);
    if (v->text[0] || uncertain) return;
    expect_results(wanted->by_context, got->by_context, v);
    if (!v->text[0] && !numbered) expect_nodes(wanted->status, got->status, v);
    if (!v->text[0] && got->restarts && strcmp(wanted->tasks.data, got->tasks.data) != 0)
        say_other("tasks", wanted->tasks.data, got->tasks.data, v);
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

/* How a store is made is the same for every seed, so something happens meanwhile in one of four. */
static bool looks_at_opening(const scenario *s) {
    return s->seed / 4 % 4 == 0;
}

/* An operation of the disk, by chance: while the store is made, or after that. */
static uint64_t draw_operation(const world_end *sound, bool opening, uint64_t *chance) {
    uint64_t left = sound->operations - sound->opened;
    return 1 + (opening ? chance_draw(chance, sound->opened)
                        : sound->opened + chance_draw(chance, left + 1));
}

/* The engine dies at operations of the disk, which are evenly chosen, and chance says how. */
static void crash_disk(const scenario *s, world_faults faults, const world_end *wanted,
                       const world_end *sound, totals *total, verdict *v) {
    uint64_t left = sound->operations - sound->opened;
    uint64_t chance = s->seed, count = left < OPERATIONS_MAX ? left : OPERATIONS_MAX;
    uint64_t first = sound->opened + (count ? chance_draw(&chance, left / count) : 0);
    uint64_t openings = looks_at_opening(s) ? OPENINGS : 0;
    for (uint64_t i = 0; i < openings + count; i++) {
        faults.disk_at = i < openings ? draw_operation(sound, true, &chance)
                                      : 1 + first + (i - openings) * left / count;
        faults.disk_after = chance_draw(&chance, 2);
        faults.ahead = i % 3;
        faults.power = chance_draw(&chance, 3);
        if (!try_again(s, faults, wanted, total, v)) return;
        total->disk_crashed++;
    }
}

static void fail_disk(const scenario *s, world_faults faults, const world_end *wanted,
                      const world_end *sound, totals *total, verdict *v) {
    uint64_t chance = s->seed + 1;
    uint64_t opening = looks_at_opening(s) ? chance_draw(&chance, FAULTS_MAX) : FAULTS_MAX;
    world_faults usual = faults;
    for (uint64_t i = 0; i < FAULTS_MAX; i++) {
        faults.fault = i ? (disk_fault)i : DISK_FULL;
        faults.fault_at = draw_operation(sound, i == opening, &chance);
        faults.power = chance_draw(&chance, 2);
        if (!try_again(s, faults, wanted, total, v)) return;
        total->faults++;
    }
    faults = usual;
    faults.slow = true;
    try_again(s, faults, wanted, total, v);
    faults = usual;
    for (uint64_t i = 0; i < PAUSES_MAX; i++) {
        faults.pause_at = 1 + chance_draw(&chance, sound->writes);
        if (!try_again(s, faults, wanted, total, v)) return;
        total->faults++;
    }
    faults = usual;
    faults.mixed = true;
    try_again(s, faults, wanted, total, v);
}

/* A write does not wait for the disk: the power may take what was told to be durable just before. */
static void try_batch(const scenario *s, world_faults faults, const world_end *wanted,
                      totals *total, verdict *v) {
    uint64_t chance = s->seed + 2;
    world_end sound;
    faults.batch = true;
    faults.old = false;
    if (v->text[0]) return;
    bool ok = try(s, faults, wanted, &sound, v);
    for (uint64_t i = 0; ok && i < BATCHES; i++) {
        faults.disk_at = draw_operation(&sound, i == 0 && looks_at_opening(s), &chance);
        faults.disk_after = chance_draw(&chance, 2);
        faults.power = i % 4;
        faults.mixed = i == BATCHES - 1;
        ok = try_again(s, faults, wanted, total, v);
        total->disk_crashed++;
    }
    faults.disk_at = 0;
    faults.mixed = faults.power = false;
    faults.fault = DISK_SYNCS_FAIL;
    faults.fault_at = draw_operation(&sound, false, &chance);
    if (ok) try_again(s, faults, wanted, total, v);
    total->faults++;
    world_end_deinit(&sound);
}

static void try_disk(const scenario *s, world_faults faults, const world_end *wanted, totals *total,
                     verdict *v) {
    world_end end;
    faults.on_disk = true;
    faults.old = s->seed % 4 == 0;
    faults.prefixes = false;
    if (v->text[0]) return;
    bool ok = try(s, faults, wanted, &end, v);
    if (ok) crash_disk(s, faults, wanted, &end, total, v);
    if (ok) fail_disk(s, faults, wanted, &end, total, v);
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

/* In the order of each scheduler: the run has to end as it did. */
static void reschedule(const scenario *s, const world_end *wanted, verdict *v) {
    for (uint32_t i = 0; i < WEIR_SCHEDULERS && !v->text[0]; i++) {
        world_end end;
        world_faults faults = {.scheduler = 1 + i, .mixed = i % 2, .prefixes = !(i % 2)};
        try(s, faults, wanted, &end, v);
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
    faults.prefixes = false;
    crash_between_effects(s, faults, &wanted, total, v);
    try_disk(s, faults, &wanted, total, v);
    try_leases(s, &wanted, total, v);
    faults.mixed = true;
    if (!v->text[0]) try(s, faults, &wanted, &mixed, v);
    if (!v->text[0] && v->oracle) shuffle(s, &wanted, v);
    if (!v->text[0]) restart(s, &wanted, &total->restarted, v);
    if (!v->text[0]) reschedule(s, &wanted, v);
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
    say_number("with scheduler", f->scheduler);
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

bool trial_run(uint64_t seed, const weir_registry *registry, bool verbose, totals *total) {
    scenario s;
    oracle o = {0};
    verdict v = {0};
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
