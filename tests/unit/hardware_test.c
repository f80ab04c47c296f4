/* What a machine and its control groups allow, read below a folder that stands for the root. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/remove.h"
#include "io/energy.h"
#include "io/hardware.h"

static char root[] = "/tmp/weir-hardware-XXXXXX";

static int set_up(void **state) {
    (void)state;
    memcpy(root + sizeof root - 7, "XXXXXX", 6);
    return mkdtemp(root) ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    return weir__remove_within(root, SIZE_MAX) && rmdir(root) == 0 ? 0 : -1;
}

/* A file of that root, with the folders that lead to it. */
static void put(const char *path, const char *text) {
    char whole[512];
    snprintf(whole, sizeof whole, "%s%s", root, path);
    for (char *at = whole + strlen(root) + 1; (at = strchr(at, '/')); at++) {
        *at = '\0';
        mkdir(whole, 0755);
        *at = '/';
    }
    FILE *file = fopen(whole, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static weir_hardware read_hardware(void) {
    weir_hardware found;
    weir_hardware_read(root, &found);
    return found;
}

static void put_machine(void) {
    put("/proc/meminfo", "MemTotal:       1000 kB\nMemFree:  10 kB\nMemAvailable:    600 kB\n");
}

static void nothing_is_known_of_a_machine_without_files(void **state) {
    (void)state;
    weir_hardware found = read_hardware();
    assert_int_equal(found.memory_bytes, 0);
    assert_int_equal(found.available_bytes, 0);
    assert_true(found.cpu_milli >= 1000);
}

static void a_machine_says_what_it_has(void **state) {
    (void)state;
    put_machine();
    weir_hardware found = read_hardware();
    assert_int_equal(found.memory_bytes, 1000 * 1024);
    assert_int_equal(found.available_bytes, 600 * 1024);
}

static void the_least_limit_of_the_groups_above_counts(void **state) {
    (void)state;
    put_machine();
    put("/proc/self/cgroup", "0::/a/b\n");
    put("/sys/fs/cgroup/a/b/memory.max", "max\n");
    put("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
    put("/sys/fs/cgroup/a/memory.max", "512000\n");
    put("/sys/fs/cgroup/a/memory.current", "400000\n");
    put("/sys/fs/cgroup/a/memory.stat", "anon 1\nactive_file 2\ninactive_file 100000\n");
    put("/sys/fs/cgroup/a/cpu.max", "25000 100000\n");
    weir_hardware found = read_hardware();
    assert_int_equal(found.memory_bytes, 512000);
    assert_int_equal(found.available_bytes, 212000);
    assert_int_equal(found.cpu_milli, 250);
}

static void groups_of_the_first_version_are_read_too(void **state) {
    (void)state;
    put_machine();
    put("/proc/self/cgroup", "5:memory:/docker/x\n4:cpu,cpuacct:/docker/x\n3:cpuset:/\n");
    /* As in a container: the path is the host's, and the mount is the group. */
    put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "300000\n");
    put("/sys/fs/cgroup/memory/memory.usage_in_bytes", "350000\n");
    put("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
    put("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    weir_hardware found = read_hardware();
    assert_int_equal(found.memory_bytes, 300000);
    assert_int_equal(found.available_bytes, 1); /* nothing, but known */
    assert_true(found.cpu_milli >= 1000);
    put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    put("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "150\n");
    put("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "1000\n");
    found = read_hardware();
    assert_int_equal(found.memory_bytes, 1000 * 1024);
    assert_int_equal(found.cpu_milli, 150);
}

static void what_is_wrong_in_them_limits_nothing(void **state) {
    static const char *const groups[] = {"", ":", "::", "0::", "0::/../../etc\n", "nonsense\n0\n"};
    (void)state;
    put_machine();
    put("/etc/memory.max", "1\n");
    put("/sys/fs/cgroup/memory.max", "nonsense\n");
    put("/sys/fs/cgroup/cpu.max", "0 0\n");
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        put("/proc/self/cgroup", groups[i]);
        weir_hardware found = read_hardware();
        assert_int_equal(found.memory_bytes, 1000 * 1024);
        assert_true(found.cpu_milli >= 1000);
    }
}

static uint64_t read_energy(weir_energy *energy, const char *zero, const char *one) {
    put("/sys/class/powercap/intel-rapl:0/energy_uj", zero);
    put("/sys/class/powercap/intel-rapl:1/energy_uj", one);
    return weir_energy_read(energy);
}

/* Two packages; what is within one is in it already, and the whole platform is both again. */
static void energy_is_that_of_the_packages(void **state) {
    (void)state;
    static const char *const names[][2] = {
        {"intel-rapl:0", "package-0\n"}, {"intel-rapl:1", "package-1\n"},
        {"intel-rapl:2", "psys\n"},      {"intel-rapl:0:0", "package-0-core\n"},
        {"intel-rapl", "package\n"},     {"dtpm", "package\n"}};
    char path[128], folder[64];
    weir_energy energy;
    snprintf(folder, sizeof folder, "%s/sys/class/powercap", root);
    assert_false(weir_energy_open(&energy, "/nowhere"));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *const parts[][2] = {
            {"name", names[i][1]}, {"energy_uj", "900\n"}, {"max_energy_range_uj", "1000\n"}};
        for (size_t k = 0; k < 3; k++) {
            snprintf(path, sizeof path, "/sys/class/powercap/%s/%s", names[i][0], parts[k][0]);
            put(path, parts[k][1]);
        }
    }
    assert_true(weir_energy_open(&energy, folder));
    assert_int_equal(energy.counters.count, 2);
    assert_int_equal(weir_energy_read(&energy), 0);
    assert_int_equal(read_energy(&energy, "950\n", "900\n"), 50);
    assert_int_equal(read_energy(&energy, "20\n", "901\n"), 121); /* it began again */
    assert_int_equal(read_energy(&energy, "nonsense\n", "901\n"), 121);
    assert_int_equal(read_energy(&energy, "30\n", ""), 131);
    weir_energy_close(&energy);
}

static void processors_say_how_long_they_worked(void **state) {
    (void)state;
    uint64_t tick_us = 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);
    put("/proc/stat", "cpu  1 2 3 1000 1000 4 5 6 7 8\ncpu0 1 2 3\n");
    assert_int_equal(weir_energy_busy_us(root), 21 * tick_us);
    put("/proc/stat", "cpu  7\n");
    assert_int_equal(weir_energy_busy_us(root), 7 * tick_us);
    put("/proc/stat", "nonsense");
    assert_int_equal(weir_energy_busy_us(root), 0);
    assert_true(weir_energy_busy_us("") > 0);
}

static void put_process(int pid, int parent, const char *name, int pages) {
    char path[64], text[256];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    snprintf(
        text, sizeof text,
        "%d (%s) S %d 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 100 9999 %d 18446744073709551615\n",
        pid, name, parent, pages);
    put(path, text);
}

static void memory_of_descendants_is_added(void **state) {
    (void)state;
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    put_process(10, 1, "weir", 1000);
    put_process(11, 10, "sh", 1);
    put_process(5, 11, "a) S 9 (b", 2); /* numbers went round, and the name is somebody's choice */
    put_process(12, 1, "other", 4);
    put_process(13, 12, "other's", 8);
    put("/proc/14/stat", "nonsense");
    put("/proc/self/stat", "10 (weir) S 1");
    put_process(getpid(), 13, "this one", 16);
    weir_family families[] = {{.pid = 10}, {.pid = 12}, {.pid = 99, .bytes = 7, .has_self = true}};
    weir_hardware_families(root, families, 3);
    assert_int_equal(families[0].bytes, 3 * page);
    assert_false(families[0].has_self);
    assert_int_equal(families[1].bytes, 24 * page);
    assert_true(families[1].has_self);
    assert_int_equal(families[2].bytes, 0);
    assert_false(families[2].has_self);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    static const struct CMUnitTest tests[] = {
        TEST(nothing_is_known_of_a_machine_without_files),
        TEST(a_machine_says_what_it_has),
        TEST(the_least_limit_of_the_groups_above_counts),
        TEST(groups_of_the_first_version_are_read_too),
        TEST(what_is_wrong_in_them_limits_nothing),
        TEST(energy_is_that_of_the_packages),
        TEST(processors_say_how_long_they_worked),
        TEST(memory_of_descendants_is_added),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
