/* Operations in modules, called through a host of the test's own: cancelled at every moment at which they ask, they end
 * and leave nothing. And how weir finds a module. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_host.h"

#include "executor/module.h"

static char folder[] = "/tmp/weir-module-XXXXXX";

/* --- files --- */

static size_t count_files(void) {
    size_t count = 0;
    DIR *stream = opendir(".");
    assert_non_null(stream);
    while (readdir(stream)) count++;
    closedir(stream);
    return count - 2;
}

static void write_noise(const char *path, size_t size) {
    FILE *file = fopen(path, "wb");
    uint32_t state = 1;
    assert_non_null(file);
    for (size_t i = 0; i < size; i++) {
        state = state * 1664525u + 1013904223u;
        fputc((int)(state >> 24), file);
    }
    fclose(file);
}

static int set_up(void **state) {
    (void)state;
    if (!mkdtemp(folder) || chdir(folder) != 0 || mkdir("tree", 0700) != 0) return -1;
    write_noise("plain", 200000);
    write_noise("tree/a", 100000);
    write_noise("tree/b", 100000);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    static const char *const made[] = {"tree/a", "tree/b", "tree", "plain"};
    for (size_t i = 0; i < sizeof made / sizeof *made; i++)
        if (remove(made[i]) != 0) return -1;
    return chdir("/") | rmdir(folder);
}

/* --- the tests --- */

static const weir_operation *find(const char *module, const char *name) {
    const weir_operation wanted = {.name = name, .module = module};
    bool (*run)(const weir_host *host, weir_call *call);
    weir_error error;
    if (!weir_module_function(&wanted, &run, &error)) fail_msg("%s", error.message);
    static weir_operation found;
    found = (weir_operation){.name = name, .run = run};
    return &found;
}

static bool call_once(const weir_operation *operation, const char *const parameters[4],
                      unsigned looks) {
    const weir_host host = fake_host();
    weir_call call = fake_call_init(weir_object_new());
    call.looks_left = looks;
    for (size_t i = 0; i < 4; i += 2)
        weir_object_set(call.parameters, parameters[i], strlen(parameters[i]),
                        weir_string_new(parameters[i + 1], strlen(parameters[i + 1])));
    bool ok = operation->run(&host, &call);
    assert_int_equal(weir_value_count(call.outputs), ok);
    assert_string_equal(call.failure, "");
    fake_call_deinit(&call);
    return ok;
}

static void cancelled_calls_leave_nothing(void **state) {
    (void)state;
    static const struct {
        const char *module, *operation, *parameters[4];
    } steps[] = {
        {"compress", "gz_compress", {"input_file_path", "plain", "output_file_path", "1.gz"}},
        {"compress", "gz_decompress", {"input_file_path", "1.gz", "output_file_path", "1"}},
        {"compress", "bz2_compress", {"input_file_path", "1", "output_file_path", "2.bz2"}},
        {"compress", "bz2_decompress", {"input_file_path", "2.bz2", "output_file_path", "2"}},
        {"compress", "xz_compress", {"input_file_path", "2", "output_file_path", "3.xz"}},
        {"compress", "xz_decompress", {"input_file_path", "3.xz", "output_file_path", "3"}},
        {"archive", "make_zip_archive", {"input_directory_path", "tree", "output_file_path", "z"}},
        {"archive", "make_tar_archive", {"input_directory_path", "tree", "output_file_path", "t"}},
        {"archive", "extract_zip_archive", {"input_file_path", "z", "output_directory_path", "y"}},
        {"archive", "extract_tar_archive", {"input_file_path", "t", "output_directory_path", "s"}},
    };
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        const weir_operation *operation = find(steps[i].module, steps[i].operation);
        unsigned looks = 1;
        size_t before = count_files();
        while (!call_once(operation, steps[i].parameters, looks)) {
            assert_int_equal(count_files(), before);
            assert_true(++looks < 1000);
        }
        assert_true(looks > 3);
        assert_int_equal(count_files(), before + 1);
    }
    static const char *const made[] = {"1.gz", "1",   "2.bz2", "2",   "3.xz", "3", "z",
                                       "t",    "y/a", "y/b",   "s/a", "s/b",  "y", "s"};
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) assert_int_equal(remove(made[i]), 0);
}

static void what_is_no_module_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *module, *operation, *message;
    } cases[] = {
        {"none", "x", "the module weir-none.so is not installed"},
        {"archive", "make_rar_archive", "weir-archive.so has no operation `make_rar_archive`"},
        {"text", "x", "the module weir-text.so does not load"},
    };
    write_noise("weir-text.so", 100);
    setenv("WEIR_MODULES", folder, 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const weir_operation wanted = {.name = cases[i].operation, .module = cases[i].module};
        bool (*run)(const weir_host *host, weir_call *call) = NULL;
        weir_error error = {0};
        assert_false(weir_module_function(&wanted, &run, &error));
        assert_int_equal(error.code, WEIR_PLUGIN);
        assert_non_null(strstr(error.message, cases[i].message));
        assert_null(run);
    }
    unsetenv("WEIR_MODULES");
    assert_int_equal(remove("weir-text.so"), 0);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(cancelled_calls_leave_nothing),
        cmocka_unit_test(what_is_no_module_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
