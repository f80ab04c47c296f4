/* Time, memory, and the end when something is wrong. */
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dataflow.h"

void bench_die(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("dataflow: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(2);
}

void *bench_alloc(size_t count, size_t size) {
    void *memory = calloc(count ? count : 1, size);
    if (!memory) bench_die("no memory for %zu × %zu bytes", count, size);
    return memory;
}

static double seconds_of(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* The number behind "VmHWM:" and its like, which is in KiB. */
static size_t status_bytes(const char *name) {
    char line[256];
    unsigned long long kib = 0;
    FILE *file = fopen("/proc/self/status", "re");
    if (!file) bench_die("there is no /proc/self/status");
    while (fgets(line, sizeof line, file))
        if (strncmp(line, name, strlen(name)) == 0) kib = strtoull(line + strlen(name), NULL, 10);
    fclose(file);
    return (size_t)kib * 1024;
}

/* From statm, which is quicker to make than status: this is also asked while a clock runs. */
size_t bench_resident(void) {
    char line[256];
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file || !fgets(line, sizeof line, file)) bench_die("there is no /proc/self/statm");
    fclose(file);
    char *resident = strchr(line, ' ');
    if (!resident) bench_die("/proc/self/statm is not understood");
    return (size_t)strtoull(resident, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE);
}

/* The peak is counted from here on. */
static void forget_peak(void) {
    FILE *file = fopen("/proc/self/clear_refs", "we");
    if (!file || fputs("5", file) < 0 || fclose(file) != 0)
        bench_die("/proc/self/clear_refs cannot be written: the peak of memory is not to be had");
}

void bench_meter_start(bench_meter *meter, bool warm) {
    if (!warm) malloc_trim(0);
    forget_peak();
    meter->peak = bench_resident();
    meter->cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
    meter->seconds = seconds_of(CLOCK_MONOTONIC);
}

void bench_meter_stop(bench_meter *meter) {
    meter->seconds = seconds_of(CLOCK_MONOTONIC) - meter->seconds;
    meter->cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - meter->cpu;
    size_t peak = status_bytes("VmHWM:");
    meter->peak = peak > meter->peak ? peak - meter->peak : 0;
}

double bench_value_bytes(void) {
    enum { COUNT = 1000000 };
    weir_value **values = bench_alloc(COUNT, sizeof *values);
    memset(values, 1, COUNT * sizeof *values); /* its pages are there before */
    size_t before = bench_resident();
    for (int64_t i = 0; i < COUNT; i++) values[i] = weir_int_new(i);
    size_t after = bench_resident();
    for (size_t i = 0; i < COUNT; i++) weir_value_unref(values[i]);
    free(values);
    return after > before ? (double)(after - before) / COUNT : 0;
}
