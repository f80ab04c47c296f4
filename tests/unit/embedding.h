/* An embedder's program, for tests: a folder of its own, one engine, values, and a workflow that takes its time. Nothing
 * of weir is included but weir.h. Include it in one file of a program. */
#ifndef WEIR_TESTS_EMBEDDING_H
#define WEIR_TESTS_EMBEDDING_H

#include <weir/weir.h>

#include <dirent.h>
#include <dlfcn.h>
#include <ftw.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "folder.h"

static char state_folder[96], programs[4096];
static weir_engine *engine;
static weir_error error;

/* --- folders and files --- */

static int set_up(void **state) {
    (void)state;
    memset(&error, 0, sizeof error);
    if (make_folder() != 0) return -1;
    snprintf(state_folder, sizeof state_folder, "%s/state", folder);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    weir_close(engine);
    engine = NULL;
    return remove_folder();
}

static const char *in_folder(const char *name) {
    static char paths[4][160];
    static size_t next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static const char *write_file(const char *name, const char *text) {
    const char *path = in_folder(name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    return path;
}

static void read_text(const char *path, char *out, size_t size) {
    FILE *file = fopen(path, "r");
    out[0] = '\0';
    if (!file) return;
    out[fread(out, 1, size - 1, file)] = '\0';
    fclose(file);
}

static size_t files_seen;
static const char *searched;

static int look_into(const char *path, const struct stat *info, int kind, struct FTW *place) {
    (void)place;
    if (kind != FTW_F) return 0;
    files_seen++;
    size_t size = (size_t)info->st_size;
    char *data = malloc(size + 1);
    FILE *file = fopen(path, "r");
    size_t got = file ? fread(data, 1, size, file) : 0;
    bool found = searched && memmem(data, got, searched, strlen(searched));
    if (file) fclose(file);
    free(data);
    if (found) print_message("%s\n", path);
    return found;
}

/* How many files there are below the folder; none has the text (NULL: any). */
static inline size_t files_without(const char *path, const char *text) {
    files_seen = 0;
    searched = text;
    assert_int_equal(nftw(path, look_into, 16, FTW_PHYS), 0);
    return files_seen;
}

/* A file of the source tree, which is where the tests run, or where WEIR_SOURCE says. */
static inline const char *source_file(const char *name) {
    static char source[4096], path[4200];
    const char *given = getenv("WEIR_SOURCE");
    if (!source[0] && !realpath(given ? given : ".", source)) fail_msg("no source");
    snprintf(path, sizeof path, "%s/%s", source, name);
    return path;
}

/* What the build made beside this program. */
static inline const char *built(const char *name) {
    static char path[4200];
    if (!programs[0]) {
        ssize_t length = readlink("/proc/self/exe", programs, sizeof programs - 1);
        assert_true(length > 0);
        *strrchr(programs, '/') = '\0';
    }
    snprintf(path, sizeof path, "%s/%s", programs, name);
    return path;
}

/* --- values --- */

static void put_text(weir_value *object, const char *key, const char *text) {
    weir_object_set(object, key, strlen(key), weir_string_new(text, strlen(text)));
}

static weir_value *member(const weir_value *object, const char *key) {
    assert_non_null(object);
    assert_int_equal(weir_value_type(object), WEIR_OBJECT);
    return weir_object_get(object, key, strlen(key));
}

static const char *text_of(const weir_value *object, const char *key) {
    const weir_value *value = member(object, key);
    if (!value || weir_value_type(value) != WEIR_STRING) return "";
    return weir_string_get(value).data;
}

static inline bool has_text(const weir_value *value, const char *text) {
    weir_type type = weir_value_type(value);
    if (type == WEIR_STRING) return strstr(weir_string_get(value).data, text);
    if (type != WEIR_ARRAY && type != WEIR_OBJECT) return false;
    for (size_t i = 0; i < weir_value_count(value); i++) {
        if (type == WEIR_OBJECT && strstr(weir_object_key(value, i).data, text)) return true;
        if (has_text(type == WEIR_ARRAY ? weir_array_at(value, i) : weir_object_at(value, i), text))
            return true;
    }
    return false;
}

static weir_value *request_for(const char *file, const char *name) {
    weir_value *request = weir_object_new();
    put_text(request, "file", file);
    if (name) put_text(request, "name", name);
    return request;
}

/* --- engines and runs --- */

static bool open_with(weir_options options) {
    options.size = sizeof options;
    options.not_isolated = true; /* steps write where tests look */
    return weir_open(&options, &engine, &error);
}

static void open_engine(weir_durability durability) {
    if (!open_with((weir_options){.state = state_folder, .durability = durability}))
        fail_msg("%s", error.message);
}

static inline void reopen(void) {
    weir_close(engine);
    engine = NULL;
    open_engine(WEIR_DURABILITY_FULL);
}

static void print_problem(void *arg, const weir_error *problem) {
    char line[1200];
    (void)arg;
    print_message("%s\n", weir_error_format(problem, line, sizeof line));
}

/* Takes the request over. */
static weir_run *start(weir_value *request) {
    weir_run *run = NULL;
    if (!weir_run_start(engine, request, print_problem, NULL, &run, &error))
        fail_msg("%s", error.message);
    weir_value_unref(request);
    return run;
}

static void finish(weir_run *run) {
    for (int i = 0; i < 60; i++)
        if (weir_run_wait(run, 1000)) return;
    fail_msg("the run does not end");
}

/* What the run gives; it is closed. */
static weir_value *result_of(weir_run *run, const char *phase) {
    finish(run);
    weir_value *result = weir_run_result(run);
    if (strcmp(text_of(result, "phase"), phase) != 0 &&
        weir_value_type(member(result, "error")) == WEIR_OBJECT)
        print_message("%s\n", text_of(member(result, "error"), "what"));
    assert_string_equal(text_of(result, "phase"), phase);
    bool good = strcmp(phase, "Succeeded") == 0;
    assert_int_equal(weir_value_type(member(result, "error")), good ? WEIR_NULL : WEIR_OBJECT);
    assert_int_equal(weir_run_code(run) == WEIR_OK, good);
    weir_run_close(run);
    return result;
}

static void succeed(weir_run *run) {
    weir_value_unref(result_of(run, "Succeeded"));
}

static inline uint64_t now_ms(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

static void sleep_ms(long ms) {
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&time, &time) != 0) continue;
}

/* Until the file has the text. */
static inline void wait_for_text(weir_run *run, const char *path, const char *text) {
    char content[4096];
    for (int i = 0; i < 2000; i++) {
        read_text(path, content, sizeof content);
        if (strstr(content, text)) return;
        if (run)
            assert_false(weir_run_wait(run, 5));
        else
            sleep_ms(5);
    }
    fail_msg("no `%s` in %s", text, path);
}

/* Three steps that note in `folder`/log when they begin and end, and in `folder`/pid-STEP who they are; the second takes
 * `seconds`, unless the log says that it began before. */
static inline const char *slow_workflow(const char *seconds) {
    char text[4096];
    snprintf(text, sizeof text,
             "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {generateName: slow-}\n"
             "spec:\n  entrypoint: main\n  templates:\n"
             "  - name: main\n    steps:\n"
             "    - - {name: one, template: step, arguments: {parameters: "
             "[{name: who, value: one}, {name: s, value: '0'}]}}\n"
             "    - - {name: two, template: step, arguments: {parameters: "
             "[{name: who, value: two}, {name: s, value: '%s'}]}}\n"
             "    - - {name: three, template: step, arguments: {parameters: "
             "[{name: who, value: three}, {name: s, value: '0'}]}}\n"
             "  - name: step\n    inputs: {parameters: [{name: who}, {name: s}]}\n"
             "    container:\n      image: busybox\n      command: [sh, -c]\n"
             "      args: ['cd %s; w={{inputs.parameters.who}}; echo $$ > pid-$w; "
             "echo begin-$w >> log; test $(grep -c begin-$w log) -gt 1 || "
             "sleep {{inputs.parameters.s}}; echo end-$w >> log; echo said-$w']\n",
             seconds, folder);
    return write_file("slow.yaml", text);
}

static inline size_t occurrences(const char *path, const char *text) {
    char content[4096];
    read_text(path, content, sizeof content);
    size_t count = 0;
    for (const char *at = content; (at = strstr(at, text)); at++) count++;
    return count;
}

#endif
