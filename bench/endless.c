/* What a run without end costs, and whether it stays as small as it is: messages come each second, each a context of its own, and are
 * forgotten soon after they are over. The engine is told that time goes by, so a day takes as long as its messages do.
 *
 * usage: endless SECONDS EACH REMEMBERED DIR [--pool]
 *        EACH messages in each of SECONDS seconds, REMEMBERED for so many; the state is in DIR. With --pool a message is a task on
 *        another thread, with its rows in the tables, instead of a call. Beside all that one context stays open.
 * Prints a line of JSON: how long it took, and what the journal, the file and the memory were after a tenth and at most since then.
 * Exit code 1: a result is missing; 2: the benchmark itself could not. */
#include <weir/weir.h>

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "data/json.h"
#include "engine/engine_internal.h"

typedef struct size {
    uint64_t journal, file, memory; /* bytes */
} size;

static weir_engine *engine;
static weir_error error;
static uint64_t told;

static int fail(const char *what) {
    fprintf(stderr, "endless: %s\n", what);
    return 2;
}

static bool take(const weir_host *host, weir_call *call) {
    int64_t number = host->int_get(host->input(call, 0));
    host->output(call, "result", host->int_new(number < 0 ? -number : number));
    return true;
}
static const weir_port in[] = {{"number", "generic", "A number."}, {0}},
                       out[] = {{"result", "generic", "Its size."}, {0}}, none[] = {{0}};
static const weir_operation take_operation = {.size = sizeof take_operation,
                                              .name = "bench.take",
                                              .about = "The size of a number, on the pool.",
                                              .inputs = in,
                                              .outputs = out,
                                              .config = none,
                                              .run = take};
static const weir_operation *const operations[] = {&take_operation, NULL};
static const weir_plugin plugin = {WEIR_ABI, sizeof plugin, "bench", "1", operations};

static void hear(void *arg, weir_run *run, weir_str context, const weir_value *result) {
    (void)arg, (void)run, (void)context, (void)result;
    told++;
}

static weir_run *start(const char *operation, unsigned long remembered) {
    static const char form[] =
        "{\"open\": true, \"name\": \"endless\", \"forget_after_us\": %lu000000, \"flow\": "
        "{\"definitions\": {\"A\": {}, \"B\": {}, \"S\": {}, \"O\": {}}, \"operations\": "
        "{\"n\": {\"name\": \"%s\", \"inputs\": {\"number\": \"A\"}, \"outputs\": {\"result\": "
        "\"B\"}}, \"get\": {\"name\": \"get_single\", \"inputs\": {\"spec\": \"S\"}, \"outputs\": "
        "{\"output\": \"O\"}, \"stage\": \"output\"}}, \"seed\": [{\"value\": [\"B\"], "
        "\"definition\": \"S\"}]}}";
    char text[2048];
    weir_value *request;
    weir_run *run = NULL;
    snprintf(text, sizeof text, form, remembered, operation);
    if (!weir_json_parse(weir_str_from(text), WEIR_STR(""), &request, &error)) return NULL;
    bool ok = weir_run_start(engine, request, NULL, NULL, &run, &error);
    weir_value_unref(request);
    return ok ? run : NULL;
}

static bool give(weir_run *run, const char *name, bool hold, int64_t number) {
    weir_value *entry = weir_object_new(), *inputs = weir_array_new();
    weir_member_put(entry, "value", weir_int_new(number));
    weir_member_put_text(entry, "definition", WEIR_STR("A"));
    weir_array_append(inputs, entry);
    bool ok;
    while (!(ok = weir_context_open(run, name, inputs, hold, &error)) && error.code == WEIR_LIMIT)
        if (weir_run_wait(run, 0)) break; /* as many wait as may */
    weir_value_unref(inputs);
    return ok;
}

static bool live(weir_run *run, uint64_t second, uint64_t each) {
    uint64_t wanted = told + each;
    for (uint64_t i = 0; i < each; i++) {
        char name[32];
        int64_t number = (int64_t)(second * each + i);
        snprintf(name, sizeof name, "m%lld", (long long)number);
        if (!give(run, name, false, -number)) return false;
    }
    while (told < wanted)
        if (weir_run_wait(run, 1)) return false;
    engine->opened_us += 1000 * 1000;
    return true;
}

static uint64_t journal_bytes(const char *file) {
    sqlite3 *db;
    sqlite3_stmt *statement = NULL;
    uint64_t bytes = 0;
    if (sqlite3_open_v2(file, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(db, "SELECT sum(length(bytes)) FROM journal", -1, &statement, NULL) ==
            SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        bytes = (uint64_t)sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return bytes;
}

static uint64_t resident_bytes(void) {
    unsigned long all, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file && fscanf(file, "%lu %lu", &all, &resident) != 2) resident = 0;
    if (file) fclose(file);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static size measure(const char *directory) {
    char file[4096], log[4200];
    struct stat info;
    snprintf(file, sizeof file, "%s/weir.db", directory);
    snprintf(log, sizeof log, "%s-wal", file);
    size now = {.journal = journal_bytes(file), .memory = resident_bytes()};
    if (stat(file, &info) == 0) now.file = (uint64_t)info.st_size;
    if (stat(log, &info) == 0) now.file += (uint64_t)info.st_size;
    return now;
}

static uint64_t larger(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

static double seconds_of(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* What it was after a tenth, and at most after that. */
static bool live_all(weir_run *run, uint64_t seconds, uint64_t each, const char *directory,
                     size *tenth, size *most) {
    uint64_t step = seconds / 200 + 1;
    bool warm = false;
    for (uint64_t s = 0; s < seconds; s++) {
        if (!live(run, s, each)) return false;
        if (s + 1 < seconds / 10 || ((s + 1) % step && warm)) continue;
        size now = measure(directory);
        if (!warm) *tenth = now;
        warm = true;
        most->journal = larger(most->journal, now.journal);
        most->file = larger(most->file, now.file);
        most->memory = larger(most->memory, now.memory);
    }
    return true;
}

int main(int argc, char **argv) {
    bool pool = argc == 6 && strcmp(argv[5], "--pool") == 0;
    if (argc != 5 && !pool) return fail("usage: endless SECONDS EACH REMEMBERED DIR [--pool]");
    uint64_t seconds = strtoull(argv[1], NULL, 10), each = strtoull(argv[2], NULL, 10);
    const char *directory = argv[4];
    weir_options options = {.size = sizeof options,
                            .state = directory,
                            .durability = WEIR_DURABILITY_BATCH,
                            .result = hear};
    if (!weir_open(&options, &engine, &error) ||
        !weir_registry_add(&engine->registry, &plugin, &error))
        return fail(error.message);
    weir_run *run = start(pool ? "bench.take" : "math.absolute", strtoul(argv[3], NULL, 10));
    if (!run || !give(run, "keeper", true, 1)) return fail(error.message);
    size tenth = {0}, most = {0};
    double wall = seconds_of(CLOCK_MONOTONIC), cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
    bool all = live_all(run, seconds, each, directory, &tenth, &most);
    wall = seconds_of(CLOCK_MONOTONIC) - wall;
    cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    printf("{\"messages\": %llu, \"told\": %llu, \"wall_s\": %.3f, \"cpu_s\": %.3f, "
           "\"journal_bytes\": [%llu, %llu], \"file_bytes\": [%llu, %llu], \"memory_bytes\": "
           "[%llu, %llu]}\n",
           (unsigned long long)(seconds * each), (unsigned long long)told, wall, cpu,
           (unsigned long long)tenth.journal, (unsigned long long)most.journal,
           (unsigned long long)tenth.file, (unsigned long long)most.file,
           (unsigned long long)tenth.memory, (unsigned long long)most.memory);
    weir_run_close(run);
    weir_close(engine);
    return all && told == seconds * each ? 0 : 1;
}
