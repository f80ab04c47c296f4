/* The book of memory that processes share, on a computer that is a folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/remove.h"
#include "io/room.h"

enum { MB = 1000 * 1024 };

static char root[] = "/tmp/weir-room-XXXXXX", book[64];

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

static void put_available(int megabytes) {
    char text[96];
    snprintf(text, sizeof text, "MemTotal:  100000 kB\nMemAvailable:  %d kB\n", megabytes * 1000);
    put("/proc/meminfo", text);
}

static void put_process(int pid, int parent, int pages) {
    char path[64], text[192];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    snprintf(text, sizeof text,
             "%d (sh) S %d 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 100 9999 %d 1844\n", pid,
             parent, pages);
    put(path, text);
}

static int set_up(void **state) {
    (void)state;
    memcpy(root + sizeof root - 7, "XXXXXX", 6);
    if (!mkdtemp(root)) return -1;
    snprintf(book, sizeof book, "%s/book", root);
    put_available(100);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    return weir__remove_within(root, SIZE_MAX) && rmdir(root) == 0 ? 0 : -1;
}

static weir_room *open_room(void) {
    weir_hardware here;
    weir_room *room = weir_room_open(book, root);
    assert_non_null(room);
    weir_room_look(room, &here);
    return room;
}

static void look(weir_room *room) {
    weir_hardware here;
    weir_room_look(room, &here);
}

static void two_do_not_promise_the_same(void **state) {
    (void)state;
    weir_room *a = open_room(), *b = open_room();
    assert_true(weir_room_promise(a, 60 * MB, 60 * MB, true));
    assert_false(weir_room_promise(b, 60 * MB, 60 * MB, true));
    assert_int_equal(weir_room_bytes(b), 40 * MB);
    assert_int_equal(weir_room_others(b), 60 * MB);
    assert_true(weir_room_promise(b, 40 * MB, 40 * MB, false));
    assert_false(weir_room_promise(b, 41 * MB, 1 * MB, false));
    (void)weir_room_changed(b);
    weir_room_keep(a, 0);
    assert_true(weir_room_changed(b));
    assert_false(weir_room_changed(b));
    assert_true(weir_room_promise(b, 100 * MB, 60 * MB, true));
    weir_room_close(a);
    weir_room_close(b);
}

static void more_than_there_is_is_had_by_who_is_alone(void **state) {
    (void)state;
    weir_room *a = open_room(), *b = open_room();
    assert_true(weir_room_promise(a, 500 * MB, 500 * MB, true));
    assert_false(weir_room_promise(a, 501 * MB, 1 * MB, false));
    assert_false(weir_room_promise(b, 1, 1, true));
    assert_int_equal(weir_room_bytes(b), 1);
    weir_room_close(a);
    assert_true(weir_room_promise(b, 500 * MB, 500 * MB, true));
    weir_room_close(b);
}

/* What tasks took of their promises is not available any more, and promised once. */
static void what_is_taken_counts_once(void **state) {
    (void)state;
    int page = (int)sysconf(_SC_PAGESIZE);
    weir_room *a = open_room(), *b = open_room();
    assert_true(weir_room_promise(a, 60 * MB, 60 * MB, true));
    put_available(50);
    put_process(getpid() + 1, getpid(), 50 * MB / page); /* of both, as they are one process */
    look(b);
    assert_int_equal(weir_room_bytes(b), 40 * MB);
    put_available(20); /* another program took 30 */
    look(b);
    assert_int_equal(weir_room_bytes(b), 10 * MB);
    assert_true(weir_room_promise(b, 10 * MB, 10 * MB, true));
    look(a);
    assert_int_equal(weir_room_bytes(a), 60 * MB);
    weir_room_close(a);
    weir_room_close(b);
}

static void the_large_one_is_not_passed_for_ever(void **state) {
    (void)state;
    weir_room *a = open_room(), *b = open_room(), *c = open_room();
    assert_true(weir_room_promise(a, 10 * MB, 10 * MB, true));
    assert_false(weir_room_promise(b, 95 * MB, 95 * MB, true));
    for (int i = 0; i < WEIR_ROOM_PASSES; i++) {
        weir_room_keep(a, 0);
        weir_room_keep(a, 1);
        assert_true(weir_room_promise(a, 10 * MB, 10 * MB, true));
    }
    assert_false(weir_room_promise(a, 20 * MB, 10 * MB, true)); /* it waits now, behind the other */
    assert_false(weir_room_promise(c, 1 * MB, 1 * MB, true));
    weir_room_keep(a, 0);
    assert_false(weir_room_promise(a, 10 * MB, 10 * MB, true));
    assert_true(weir_room_promise(b, 95 * MB, 95 * MB, true));
    assert_true(weir_room_promise(c, 1 * MB, 1 * MB, true));
    weir_room_keep(b, 0);
    assert_true(weir_room_promise(a, 10 * MB, 10 * MB, true));
    /* Who wishes nothing any more keeps nobody waiting. */
    assert_false(weir_room_promise(b, 95 * MB, 95 * MB, true));
    for (int i = 0; i < WEIR_ROOM_PASSES; i++)
        assert_true(weir_room_promise(c, (uint64_t)(2 + i) * MB, MB, true));
    assert_false(weir_room_promise(c, 30 * MB, 1 * MB, true));
    weir_room_rest(b);
    assert_true(weir_room_promise(c, 30 * MB, 1 * MB, true));
    weir_room_close(a);
    weir_room_close(b);
    weir_room_close(c);
}

/* It takes 60 MB, and waits to be killed. */
static pid_t start_process(void) {
    int told[2];
    char byte;
    assert_int_equal(pipe(told), 0);
    pid_t pid = fork();
    if (pid == 0) {
        weir_hardware here;
        weir_room *room = weir_room_open(book, root);
        if (room) weir_room_look(room, &here);
        if (!room || !weir_room_promise(room, 60 * MB, 60 * MB, true)) _exit(1);
        if (write(told[1], "x", 1) == 1) pause();
        _exit(1);
    }
    close(told[1]);
    assert_int_equal(read(told[0], &byte, 1), 1);
    close(told[0]);
    return pid;
}

static void what_was_killed_has_nothing(void **state) {
    (void)state;
    pid_t other = start_process();
    weir_room *room = open_room();
    assert_false(weir_room_promise(room, 60 * MB, 60 * MB, true));
    kill(other, SIGKILL);
    assert_int_equal(waitpid(other, NULL, 0), other);
    assert_true(weir_room_promise(room, 60 * MB, 60 * MB, true));
    weir_room_close(room);
}

/* A task that runs weir: what that promises is a part of what the task was promised. */
static void who_is_above_counts_nothing(void **state) {
    (void)state;
    pid_t other = start_process();
    put_process(getpid(), other, 1);
    weir_room *room = open_room();
    assert_true(weir_room_promise(room, 60 * MB, 60 * MB, true));
    assert_int_equal(weir_room_others(room), 0);
    weir_room_close(room);
    kill(other, SIGKILL);
    assert_int_equal(waitpid(other, NULL, 0), other);
}

static void groups_share_the_machine_only(void **state) {
    (void)state;
    weir_room *a = open_room();
    assert_true(weir_room_promise(a, 30 * MB, 30 * MB, true));
    put("/proc/self/cgroup", "0::/a\n");
    put("/sys/fs/cgroup/a/memory.max", "41943040\n");
    put("/sys/fs/cgroup/a/memory.current", "0\n");
    weir_room *b = open_room(), *c = open_room();
    assert_int_equal(weir_room_bytes(b), 40 << 20);
    assert_true(weir_room_promise(b, 40 * MB, 40 * MB, true));
    assert_false(weir_room_promise(c, 10 * MB, 10 * MB, true));
    assert_true(weir_room_bytes(c) < 2 * MB);
    weir_room_close(a);
    weir_room_close(b);
    weir_room_close(c);
}

static void a_book_of_others_is_not_used(void **state) {
    (void)state;
    put("/book", "something else");
    assert_null(weir_room_open(book, root));
    unlink(book);
    assert_int_equal(symlink("/dev/null", book), 0);
    assert_null(weir_room_open(book, root));
    unlink(book);
    int file = open(book, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    assert_int_equal(fchmod(file, 0666), 0);
    close(file);
    assert_null(weir_room_open(book, root));
    unlink(book);
    weir_room *one = open_room();
    file = open(book, O_RDWR | O_CLOEXEC);
    for (off_t at = 128; at < 4096; at += 8) /* what stands in slots that nobody holds is nothing */
        assert_int_equal(pwrite(file, "\377\377\377\377\377\377\377\377", 8, at), 8);
    close(file);
    assert_true(weir_room_promise(one, 60 * MB, 60 * MB, true));
    weir_room_close(one);
    weir_room_close(NULL);
}

/* Many processes take and give at once: never more than there is. */
static void take_and_give(int number, atomic_ullong *total) {
    weir_room *room = weir_room_open(book, root);
    unsigned seed = (unsigned)number;
    if (!room) _exit(1);
    look(room);
    for (int i = 0; i < 300; i++) {
        uint64_t wanted = (uint64_t)(1 + rand_r(&seed) % 60) * MB;
        if (!weir_room_promise(room, wanted, wanted, true)) continue;
        if (atomic_fetch_add(total, wanted) + wanted > 100 * MB) _exit(2);
        nanosleep(&(struct timespec){.tv_nsec = 1000 * (rand_r(&seed) % 100)}, NULL);
        (void)atomic_fetch_sub(total, wanted);
        weir_room_keep(room, 0);
    }
    weir_room_close(room);
    _exit(0);
}

static void never_more_than_there_is(void **state) {
    (void)state;
    enum { PROCESSES = 6 };
    pid_t pids[PROCESSES];
    atomic_ullong *total =
        mmap(NULL, sizeof *total, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(total != MAP_FAILED);
    for (int i = 0; i < PROCESSES; i++) {
        pids[i] = fork();
        if (pids[i] == 0) take_and_give(i, total);
    }
    for (int i = 0, status; i < PROCESSES; i++) {
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(atomic_load(total), 0);
    assert_int_equal(munmap(total, sizeof *total), 0);
    weir_room *room = open_room();
    assert_int_equal(weir_room_others(room), 0);
    weir_room_close(room);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    static const struct CMUnitTest tests[] = {
        TEST(two_do_not_promise_the_same),   TEST(more_than_there_is_is_had_by_who_is_alone),
        TEST(what_is_taken_counts_once),     TEST(the_large_one_is_not_passed_for_ever),
        TEST(what_was_killed_has_nothing),   TEST(who_is_above_counts_nothing),
        TEST(groups_share_the_machine_only), TEST(a_book_of_others_is_not_used),
        TEST(never_more_than_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
