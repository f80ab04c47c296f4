/* Memory of arrays that a Python worker gives others: what is used again and when, and that nobody sees what is written afterwards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../sdk/python/src/memory.h"

enum { SIZE = 3 * 1024 * 1024 + 100, LEAST = 1024 * 1024 };

/* NumPy's; see memory.c. */
typedef struct handler {
    char name[127];
    uint8_t version;
    void *ctx;
    void *(*malloc)(void *ctx, size_t size);
    void *(*calloc)(void *ctx, size_t count, size_t size);
    void *(*realloc)(void *ctx, void *at, size_t size);
    void (*free)(void *ctx, void *at, size_t size);
} handler;

static int made_elsewhere, context;

static void *plain_malloc(void *ctx, size_t size) {
    assert_ptr_equal(ctx, &context);
    made_elsewhere++;
    return malloc(size);
}

static void *plain_calloc(void *ctx, size_t count, size_t size) {
    assert_ptr_equal(ctx, &context);
    made_elsewhere++;
    return !size || count > SIZE_MAX / size ? NULL : calloc(count, size);
}

static void *plain_realloc(void *ctx, void *at, size_t size) {
    assert_ptr_equal(ctx, &context);
    return realloc(at, size);
}

static void plain_free(void *ctx, void *at, size_t size) {
    (void)size;
    assert_ptr_equal(ctx, &context);
    free(at);
}

static const handler *handler_of_numpy(void) {
    static const handler plain = {"default",     1,         &context, plain_malloc, plain_calloc,
                                  plain_realloc, plain_free};
    return weir_memory_handler(&plain);
}

static ino_t memory_of(int fd) {
    struct stat what;
    assert_int_equal(fstat(fd, &what), 0);
    return what.st_ino;
}

static int copy_of(char fill, size_t size) {
    char *bytes = malloc(size);
    memset(bytes, fill, size);
    int fd = weir_memory_copy(bytes, size);
    free(bytes);
    return fd;
}

static void expect_filled(int fd, size_t offset, size_t size, char fill) {
    char *bytes = malloc(size);
    assert_int_equal(pread(fd, bytes, size, (off_t)offset), (ssize_t)size);
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != fill) fail_msg("at %zu is %d", i, bytes[i]);
    free(bytes);
}

/* There is memory that is free. */
static ino_t spare_of(size_t size) {
    weir_memory_drop();
    int fd = copy_of('s', size);
    ino_t memory = memory_of(fd);
    close(fd);
    return memory;
}

static char *array_of(size_t size, char fill) {
    int before = made_elsewhere;
    char *array = handler_of_numpy()->malloc(&context, size);
    assert_int_equal(made_elsewhere, before);
    memset(array, fill, size);
    return array;
}

static void test_a_copy_is_for_reading(void **state) {
    (void)state;
    int fd = copy_of('a', SIZE);
    expect_filled(fd, 0, SIZE, 'a');
    assert_int_equal(write(fd, "x", 1), -1);
    assert_ptr_equal(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
    assert_int_equal(ftruncate(fd, 1), -1);
    int seals = fcntl(fd, F_GET_SEALS);
    assert_true((seals & F_SEAL_SHRINK) && (seals & F_SEAL_GROW) && (seals & F_SEAL_SEAL));
    close(fd);
    assert_int_equal(copy_of('a', LEAST - 1), -1);
    assert_int_equal(weir_memory_copy("", (size_t)1 << 40), -1);
}

static void test_memory_is_used_again_when_nobody_has_it(void **state) {
    (void)state;
    weir_memory_drop();
    int first = copy_of('a', SIZE);
    ino_t memory = memory_of(first);
    int other = copy_of('b', SIZE);
    assert_true(memory_of(other) != memory);
    void *looks = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, first, 0);
    close(first);
    int third = copy_of('c', SIZE);
    assert_true(memory_of(third) != memory); /* it is looked at */
    munmap(looks, SIZE);
    int again = copy_of('d', SIZE - 1000);
    assert_true(memory_of(again) == memory);
    expect_filled(again, 0, SIZE - 1000, 'd');
    expect_filled(other, 0, SIZE, 'b');
    int smaller = copy_of('e', SIZE / 2 - 100); /* for which it would be too much */
    assert_true(memory_of(smaller) != memory);
    int descriptors[] = {other, third, again, smaller};
    for (size_t i = 0; i < 4; i++) close(descriptors[i]);
    weir_memory_drop();
    again = copy_of('f', SIZE);
    assert_true(memory_of(again) != memory);
    close(again);
}

static void test_so_much_is_kept(void **state) {
    (void)state;
    enum { MANY = 20 };
    int descriptors[MANY];
    ino_t memory[MANY];
    weir_memory_drop();
    for (int i = 0; i < MANY; i++) {
        descriptors[i] = copy_of((char)('a' + i), LEAST);
        memory[i] = memory_of(descriptors[i]);
    }
    for (int i = 0; i < MANY; i++) {
        expect_filled(descriptors[i], 0, LEAST, (char)('a' + i));
        close(descriptors[i]);
    }
    int again = copy_of('z', LEAST);
    assert_true(memory_of(again) == memory[MANY - 16]);
    close(again);
}

static void test_an_array_is_given_without_a_copy(void **state) {
    (void)state;
    ino_t memory = spare_of(SIZE);
    size_t offset = 0;
    char *array = array_of(SIZE - 50, 'm');
    int fd = weir_memory_lend(array + 10, SIZE - 100, &offset);
    assert_true(memory_of(fd) == memory);
    assert_int_equal(offset, 10);
    memset(array, 'w', SIZE - 50); /* is its maker's own */
    expect_filled(fd, 0, SIZE - 50, 'm');
    assert_int_equal(array[5], 'w');
    assert_int_equal(weir_memory_lend(array, SIZE - 100, &offset), -1); /* it is another by now */
    handler_of_numpy()->free(&context, array, SIZE - 50);
    int other = copy_of('o', SIZE);
    assert_true(memory_of(other) != memory);
    expect_filled(fd, 0, SIZE - 50, 'm');
    close(fd);
    close(other);
    array = array_of(SIZE, 'n');
    fd = weir_memory_lend(array, SIZE, &offset);
    assert_true(memory_of(fd) == memory);
    close(fd);
    other = copy_of('p', SIZE); /* the array is still there */
    assert_true(memory_of(other) != memory);
    close(other);
    assert_int_equal(array[SIZE - 1], 'n');
    handler_of_numpy()->free(&context, array, SIZE);
}

static void test_what_is_not_given(void **state) {
    (void)state;
    spare_of(SIZE);
    size_t offset;
    char *array = array_of(SIZE, 'm'), elsewhere[10];
    assert_int_equal(weir_memory_lend(elsewhere, sizeof elsewhere, &offset), -1);
    assert_int_equal(weir_memory_lend(array, SIZE / 2 - 10, &offset), -1);
    assert_int_equal(weir_memory_lend(array + 10, SIZE, &offset), -1);
    assert_int_equal(weir_memory_lend(array, (size_t)-1, &offset), -1);
    handler_of_numpy()->free(&context, array, SIZE);
}

static void test_numpy_makes_the_others_itself(void **state) {
    (void)state;
    spare_of(SIZE);
    const handler *all = handler_of_numpy();
    assert_string_equal(all->name, "weir");
    assert_int_equal(all->version, 1);
    assert_ptr_equal(weir_memory_handler(all), all);
    const size_t sizes[] = {10, LEAST - 1, SIZE + 10, 4 * (size_t)SIZE};
    for (size_t i = 0; i < 4; i++) {
        int before = made_elsewhere;
        void *array = all->malloc(&context, sizes[i]);
        assert_int_equal(made_elsewhere, before + 1);
        array = all->realloc(&context, array, sizes[i] + 1);
        all->free(&context, array, sizes[i] + 1);
    }
    all->free(&context, NULL, 0);
    assert_null(all->realloc(&context, all->malloc(&context, 1), 0));
}

static void test_arrays_are_cleared_and_grow(void **state) {
    (void)state;
    spare_of(SIZE);
    const handler *all = handler_of_numpy();
    size_t offset;
    char *dirty = array_of(SIZE, 'd');
    all->free(&context, dirty, SIZE);
    int before = made_elsewhere;
    char *array = all->calloc(&context, SIZE / 4, 4);
    assert_int_equal(made_elsewhere, before);
    for (size_t i = 0; i < SIZE / 4 * 4; i++) assert_int_equal(array[i], 0);
    memset(array, 'g', SIZE);
    array = all->realloc(&context, array, 3 * (size_t)SIZE);
    assert_int_equal(array[SIZE - 1], 'g');
    all->free(&context, array, 3 * (size_t)SIZE);
    array = array_of(SIZE, 'h');
    close(weir_memory_lend(array, SIZE, &offset));
    array = all->realloc(&context, array, LEAST);
    assert_int_equal(array[LEAST - 1], 'h');
    all->free(&context, array, LEAST);
    array = all->calloc(&context, (size_t)1 << 40, (size_t)1 << 40);
    assert_null(array);
}

static void test_what_is_dropped_goes_with_its_array(void **state) {
    (void)state;
    ino_t memory = spare_of(SIZE);
    char *array = array_of(SIZE, 'a');
    weir_memory_drop();
    handler_of_numpy()->free(&context, array, SIZE);
    int fd = copy_of('b', SIZE);
    assert_true(memory_of(fd) != memory);
    close(fd);
    spare_of(SIZE);
    array = array_of(SIZE, 'c');
    weir_memory_drop();
    size_t offset;
    fd = weir_memory_lend(array, SIZE, &offset);
    expect_filled(fd, 0, SIZE, 'c');
    close(fd);
    assert_int_equal(array[0], 'c');
    handler_of_numpy()->free(&context, array, SIZE);
}

static void test_a_child_has_arrays_of_its_own(void **state) {
    (void)state;
    ino_t memory = spare_of(SIZE);
    char *array = array_of(SIZE, 'p');
    int ready[2], status;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (!child) {
        char byte;
        close(ready[1]);
        memset(array, 'c', SIZE / 2);
        ssize_t ended = read(ready[0], &byte, 1); /* meanwhile the parent makes others */
        bool own = array[0] == 'c' && array[SIZE - 1] == 'p';
        handler_of_numpy()->free(&context, array, SIZE);
        int before = made_elsewhere;
        void *other = handler_of_numpy()->malloc(&context, SIZE);
        _exit(ended == 0 && own && other && made_elsewhere == before + 1 ? 0 : 1);
    }
    close(ready[0]);
    assert_int_equal(array[0], 'p');
    memset(array, 'q', SIZE);
    handler_of_numpy()->free(&context, array, SIZE);
    int fd = copy_of('z', SIZE);
    assert_true(memory_of(fd) != memory); /* the child has it */
    close(ready[1]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    int again = copy_of('y', SIZE);
    assert_true(memory_of(again) == memory);
    close(again);
    close(fd);
}

static int drop_all(void **state) {
    (void)state;
    weir_memory_drop();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_copy_is_for_reading),
        cmocka_unit_test(test_memory_is_used_again_when_nobody_has_it),
        cmocka_unit_test(test_so_much_is_kept),
        cmocka_unit_test(test_an_array_is_given_without_a_copy),
        cmocka_unit_test(test_what_is_not_given),
        cmocka_unit_test(test_numpy_makes_the_others_itself),
        cmocka_unit_test(test_arrays_are_cleared_and_grow),
        cmocka_unit_test(test_what_is_dropped_goes_with_its_array),
        cmocka_unit_test(test_a_child_has_arrays_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, drop_all);
}
