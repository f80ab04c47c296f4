/* What dataflows of trivial operations cost in weir, beside the bare limit: one case, one line of JSON.
 *
 * usage: dataflow CASE N [--rounds R] [--threads T] [--check] [--warm] [--state DIR]
 *                                                                         weir and the bare loop in turn, R times
 *        dataflow CASE N --repeat R [--threads T] [--warm]                weir alone, R times on one plan: for profilers
 *
 * Everything is made in memory: a flow as a value, no store, no events. A run is `open`: weir_run_start only compiles (its
 * time is `compile`), and the clock runs around what comes then, from the first weir_context_open until weir_run_wait says
 * that the run is over. With --state weir is measured twice more, with runs in SQLite under DIR, durability full: `state`
 * as runs are kept by default, `state_all` with every call recorded. So a round has its contexts' inputs, calls, results and the freeing of it all in it, for the bare
 * loop as well. With --check the operations count their calls, and weir has to make as many as the bare loop, and to give
 * the same numbers. With --warm rounds after the first reuse its memory, which shows what pages cost.
 * Exit code 1: the numbers differ, or weir's run failed; 2: the benchmark itself could not. */
#include <dlfcn.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dataflow.h"

enum { ROUNDS_MAX = 1000, VARIANTS_MAX = 7 };

/* One of what takes turns. */
typedef struct variant {
    const char *name;
    bool weir, huge_pages, durable, all; /* all: every call is recorded */
    unsigned threads;
    double seconds[ROUNDS_MAX], cpu[ROUNDS_MAX];
    double compile; /* seconds, the last round's */
    size_t peak;
    bench_sum sum;
    uint64_t calls, made; /* counted with --check */
} variant;

typedef struct bench {
    const char *name;
    size_t n;
    unsigned rounds, threads, repeat;
    bool check, warm;
    const char *state; /* NULL: no run is kept */
    bench_work *work;
    char plugin_path[4096];
    const weir_plugin *plugin;
    bench_watch *watch;
    double value_bytes;
    variant *variants; /* VARIANTS_MAX */
    size_t count;
} bench;

/* --- weir ----------------------------------------------------------------------------------- */

/* A run of weir while it is measured. */
typedef struct session {
    const bench *bench;
    weir_engine *engine;
    weir_run *run;
    size_t opened;
    bench_sum sum;
} session;

static void note_result(void *arg, weir_run *run, weir_str context, const weir_value *result) {
    session *s = arg;
    (void)run;
    (void)context;
    bench_sum_add(&s->sum, result);
}

/* The run is open, and has no context yet. */
static void begin(session *s, const variant *v) {
    static unsigned states;
    char state[4096];
    const char *plugins[] = {s->bench->plugin_path, NULL};
    snprintf(state, sizeof state, "%s/%u", s->bench->state ? s->bench->state : "", states++);
    weir_options options = {.size = sizeof options,
                            .durability = v->durable ? WEIR_DURABILITY_FULL : WEIR_DURABILITY_NONE,
                            .state = v->durable ? state : NULL,
                            .record_all = v->all,
                            .plugins = plugins,
                            .arg = s,
                            .result = note_result,
                            .results_go = true,
                            .threads = v->threads};
    weir_error error;
    if (!weir_open(&options, &s->engine, &error)) bench_die("weir_open: %s", error.message);
    weir_value *request = weir_object_new();
    weir_object_set(request, "kind", 4, weir_string_new("dataflow", 8));
    weir_object_set(request, "name", 4, weir_string_new("bench", 5));
    weir_object_set(request, "open", 4, weir_bool_new(true));
    weir_object_set(request, "flow", 4, weir_value_ref(s->bench->work->flow));
    if (!weir_run_start(s->engine, request, NULL, NULL, &s->run, &error))
        bench_die("weir_run_start: %s", error.message);
    weir_value_unref(request);
}

/* "c" and the number: snprintf would be a good part of a context. */
static const char *context_name(size_t number, char name[24]) {
    char *at = name + 23;
    *at = '\0';
    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    *--at = 'c';
    return at;
}

/* All contexts of the work; when too many wait, weir works on them first. */
static void open_contexts(session *s) {
    const bench_work *work = s->bench->work;
    char name[24];
    weir_error error;
    for (size_t i = 0; i < work->contexts; i++, s->opened++) {
        const char *context = context_name(s->opened, name);
        const weir_value *inputs = work->inputs[i % work->given];
        while (!weir_context_open(s->run, context, inputs, false, &error)) {
            if (error.code != WEIR_LIMIT) bench_die("weir_context_open: %s", error.message);
            if (weir_run_wait(s->run, 0)) bench_die("the run ended early");
        }
    }
}

static void check_run(const session *s) {
    if (weir_run_code(s->run) == WEIR_OK) return;
    weir_value *result = weir_run_result(s->run);
    weir_value *error = weir_object_get(result, "error", 5);
    weir_value *what =
        error && weir_value_type(error) == WEIR_OBJECT ? weir_object_get(error, "what", 4) : NULL;
    fprintf(stderr, "dataflow: weir's run failed: %s\n",
            what && weir_value_type(what) == WEIR_STRING ? weir_string_get(what).data
                                                         : weir_code_text(weir_run_code(s->run)));
    exit(1);
}

static void end(session *s) {
    weir_run_close(s->run);
    weir_close(s->engine);
}

/* What is resident when the value loop ends: now, in the last run; beyond what was before, at most. */
static size_t resident_at_end, kept_at_end;

static void note_resident(void) {
    resident_at_end = bench_resident();
}

static void run_weir(const bench *b, variant *v, unsigned round) {
    session s = {.bench = b};
    bench_meter compiling, running;
    bench_meter_start(&compiling, b->warm);
    begin(&s, v);
    bench_meter_stop(&compiling);
    v->compile = compiling.seconds;
    bool loop = b->work->kind->shape == BENCH_LOOP;
    b->watch->loop_ends = loop ? note_resident : NULL;
    bench_meter_start(&running, b->warm && round > 0);
    size_t resident = running.peak;
    open_contexts(&s);
    weir_run_end(s.run);
    while (!weir_run_wait(s.run, 1000)) {
    }
    bench_meter_stop(&running);
    b->watch->loop_ends = NULL;
    check_run(&s);
    end(&s);
    v->seconds[round] = running.seconds;
    v->cpu[round] = running.cpu;
    if (running.peak > v->peak) v->peak = running.peak;
    if (resident_at_end > resident + kept_at_end) kept_at_end = resident_at_end - resident;
    v->sum = s.sum;
}

/* --- the bare loop -------------------------------------------------------------------------- */

/* What an input that weir keeps costs beyond its value, by the loop's runs in weir. */
static size_t record_bytes(const bench *b) {
    double bytes = (double)kept_at_end / (double)b->work->stored - b->value_bytes;
    return bytes < (double)sizeof(weir_value *) ? sizeof(weir_value *) : (size_t)bytes;
}

static void run_bare(const bench *b, variant *v, unsigned round) {
    bench_bare bare = {.work = b->work,
                       .plugin = b->plugin,
                       .threads = v->threads,
                       .record_bytes = record_bytes(b),
                       .huge_pages = v->huge_pages};
    bench_meter running;
    bench_meter_start(&running, b->warm && round > 0);
    bench_bare_run(&bare);
    bench_meter_stop(&running);
    v->seconds[round] = running.seconds;
    v->cpu[round] = running.cpu;
    if (running.peak > v->peak) v->peak = running.peak;
    v->sum = bare.sum;
}

/* --- rounds --------------------------------------------------------------------------------- */

static variant *add_variant(bench *b, const char *name, bool weir, unsigned threads,
                            bool huge_pages) {
    variant *v = &b->variants[b->count++];
    v->name = name;
    v->weir = weir;
    v->threads = threads;
    v->huge_pages = huge_pages;
    return v;
}

static void choose_variants(bench *b) {
    add_variant(b, "weir", true, 1, false);
    add_variant(b, "bare", false, 1, false);
    if (b->work->kind->shape == BENCH_LOOP && b->work->kind->output)
        add_variant(b, "bare_huge_pages", false, 1, true);
    if (b->state) {
        add_variant(b, "state", true, b->threads, false)->durable = true;
        variant *all = add_variant(b, "state_all", true, 1, false);
        all->durable = all->all = true;
    }
    if (b->threads < 2) return;
    add_variant(b, "weir_threads", true, b->threads, false);
    add_variant(b, "bare_threads", false, b->threads, false);
}

/* Says what is wrong with what a variant gave. */
static bool agrees(const bench *b, const variant *v, const variant *bare) {
    if (v->sum.contexts != b->work->contexts || v->sum.values != bare->sum.values) {
        fprintf(stderr, "dataflow: %s %zu: %s gave %llu results with sum %llu, not %zu with %llu\n",
                b->name, b->n, v->name, (unsigned long long)v->sum.contexts,
                (unsigned long long)v->sum.values, b->work->contexts,
                (unsigned long long)bare->sum.values);
        return false;
    }
    if (b->check && (v->calls != b->work->calls || v->made != bare->made)) {
        fprintf(stderr, "dataflow: %s %zu: %s made %llu calls with sum %llu, not %llu with %llu\n",
                b->name, b->n, v->name, (unsigned long long)v->calls, (unsigned long long)v->made,
                (unsigned long long)b->work->calls, (unsigned long long)bare->made);
        return false;
    }
    return true;
}

static void run_variant(const bench *b, variant *v, unsigned round) {
    atomic_store(&b->watch->calls, 0);
    atomic_store(&b->watch->sum, 0);
    if (v->weir)
        run_weir(b, v, round);
    else
        run_bare(b, v, round);
    v->calls = atomic_load(&b->watch->calls);
    v->made = atomic_load(&b->watch->sum);
}

/* Whether all variants gave the same in each round. */
static bool run_rounds(bench *b) {
    bool ok = true;
    b->watch->counting = b->check;
    for (unsigned round = 0; round < b->rounds && ok; round++) {
        for (size_t i = 0; i < b->count; i++) run_variant(b, &b->variants[i], round);
        for (size_t i = 0; i < b->count; i++)
            ok = agrees(b, &b->variants[i], &b->variants[1]) && ok;
    }
    return ok;
}

/* Rounds of weir on one plan: a profile of them has little else in it. */
static void repeat(bench *b) {
    session s = {.bench = b};
    begin(&s, add_variant(b, "weir", true, b->threads, false));
    for (unsigned round = 0; round < b->rounds; round++) {
        bench_meter running;
        bench_meter_start(&running, b->warm && round > 0);
        open_contexts(&s);
        while (s.sum.contexts < s.opened)
            if (weir_run_wait(s.run, 0)) bench_die("the run ended early");
        bench_meter_stop(&running);
        b->variants[0].seconds[round] = running.seconds;
        b->variants[0].cpu[round] = running.cpu;
        if (running.peak > b->variants[0].peak) b->variants[0].peak = running.peak;
    }
    weir_run_end(s.run);
    while (!weir_run_wait(s.run, 1000)) {
    }
    check_run(&s);
    end(&s);
}

/* --- the line ------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_figures(const char *name, const bench *b, double seconds, double cpu) {
    printf("\"%s\": {\"seconds\": %.9f, \"cpu\": %.9f, \"rate\": %.0f}", name, seconds, cpu,
           (double)b->work->invocations / seconds);
}

static void print_variant(const bench *b, variant *v) {
    qsort(v->seconds, b->rounds, sizeof *v->seconds, compare);
    qsort(v->cpu, b->rounds, sizeof *v->cpu, compare);
    printf("\"%s\": {", v->name);
    print_figures("best", b, v->seconds[0], v->cpu[0]);
    printf(", ");
    print_figures("median", b, v->seconds[b->rounds / 2], v->cpu[b->rounds / 2]);
    printf(", \"peak_bytes\": %zu, \"peak_bytes_input\": %.1f", v->peak,
           (double)v->peak / (double)b->work->stored);
    if (v->weir) printf(", \"compile_seconds\": %.6f", v->compile);
    printf("}");
}

static void print(bench *b) {
    const bench_work *work = b->work;
    printf("{\"case\": \"%s\", \"n\": %zu, \"invocations\": %llu, \"inputs\": %llu, \"contexts\": "
           "%zu, \"rounds\": %u, \"threads\": %u, \"value_bytes\": %.1f, ",
           b->name, b->n, (unsigned long long)work->invocations, (unsigned long long)work->stored,
           work->contexts, b->rounds, b->threads, b->value_bytes);
    if (work->kind->shape == BENCH_LOOP && !b->repeat)
        printf("\"kept_bytes_input\": %.1f, \"record_bytes\": %zu, ",
               (double)kept_at_end / (double)work->stored, record_bytes(b));
    printf("\"variants\": {");
    for (size_t i = 0; i < b->count; i++) {
        if (i) printf(", ");
        print_variant(b, &b->variants[i]);
    }
    const variant *weir = &b->variants[0], *bare = &b->variants[1];
    printf("}");
    if (!b->repeat)
        printf(", \"of_bare\": {\"best\": %.4f, \"median\": %.4f}",
               bare->seconds[0] / weir->seconds[0],
               bare->seconds[b->rounds / 2] / weir->seconds[b->rounds / 2]);
    printf("}\n");
}

/* --- main ----------------------------------------------------------------------------------- */

/* The plugin stands beside this program. */
static void load_plugin(bench *b) {
    char path[3072];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length < 0) bench_die("where this program is cannot be told");
    path[length] = '\0';
    char *slash = strrchr(path, '/');
    if (slash) *slash = '\0';
    snprintf(b->plugin_path, sizeof b->plugin_path, "%s/dataflow_operations.so", path);
    void *plugin = dlopen(b->plugin_path, RTLD_NOW | RTLD_LOCAL);
    if (!plugin) bench_die("%s", dlerror());
    void *open = dlsym(plugin, "weir_plugin_open"), *watch = dlsym(plugin, "bench_watch_get");
    if (!open || !watch) bench_die("%s is no plugin of this benchmark", b->plugin_path);
    static const weir_host host = {.abi = WEIR_ABI, .size = sizeof(weir_host)};
    weir_plugin_open_function *open_plugin;
    bench_watch_get_function *get_watch;
    memcpy(&open_plugin, &open, sizeof open_plugin);
    memcpy(&get_watch, &watch, sizeof get_watch);
    b->plugin = open_plugin(&host);
    b->watch = get_watch();
    if (!b->plugin) bench_die("%s is for another weir", b->plugin_path);
}

static void usage(void) {
    char names[256];
    bench_case_list(names, sizeof names);
    fprintf(stderr,
            "usage: dataflow CASE N [--rounds R] [--threads T] [--check] [--warm] [--state DIR]\n"
            "       dataflow CASE N --repeat R [--threads T] [--warm]\n"
            "cases: %s\n",
            names);
    exit(2);
}

static unsigned number(const char *text, unsigned long max) {
    char *end_of = NULL;
    unsigned long value = strtoul(text, &end_of, 10);
    if (!value || value > max || *end_of) usage();
    return (unsigned)value;
}

static void parse(bench *b, int argc, char **argv) {
    static const struct option options[] = {{"rounds", required_argument, NULL, 'r'},
                                            {"threads", required_argument, NULL, 't'},
                                            {"repeat", required_argument, NULL, 'p'},
                                            {"check", no_argument, NULL, 'c'},
                                            {"warm", no_argument, NULL, 'w'},
                                            {"state", required_argument, NULL, 's'},
                                            {0}};
    b->rounds = b->threads = 1;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) switch (option) {
        case 'r': b->rounds = number(optarg, ROUNDS_MAX); break;
        case 't': b->threads = number(optarg, BENCH_THREADS_MAX); break;
        case 'p': b->rounds = b->repeat = number(optarg, ROUNDS_MAX); break;
        case 'c': b->check = true; break;
        case 'w': b->warm = true; break;
        case 's': b->state = optarg; break;
        default: usage();
        }
    if (argc - optind != 2) usage();
    b->name = argv[optind];
    b->n = number(argv[optind + 1], 1000000000);
    if (!bench_case_find(b->name)) usage();
}

int main(int argc, char **argv) {
    bench b = {0};
    parse(&b, argc, argv);
    load_plugin(&b);
    b.variants = bench_alloc(VARIANTS_MAX, sizeof *b.variants);
    b.value_bytes = bench_value_bytes();
    b.work = bench_work_new(bench_case_find(b.name), b.n);
    bool ok = true;
    if (b.repeat) {
        repeat(&b);
    } else {
        choose_variants(&b);
        ok = run_rounds(&b);
    }
    if (ok) print(&b);
    bench_work_free(b.work);
    free(b.variants);
    return ok ? 0 : 1;
}
