/* Large blocks: what was written stays while they grow, shrink and move, what comes is zero, and nobody else's memory is taken
 * for one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/large.h"

enum { MIB = 1024 * 1024 };

static void expect(const unsigned char *block, size_t from, size_t to, unsigned char byte) {
    for (size_t i = from; i < to; i += 509) assert_int_equal(block[i], byte);
    if (to > from) assert_int_equal(block[to - 1], byte);
}

static void a_new_block_is_zero(void **state) {
    (void)state;
    static const size_t sizes[] = {WEIR__LARGE_BYTES, WEIR__LARGE_BYTES + 1, 6 * MIB - 64,
                                   6 * MIB - 63, 37 * MIB};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned char *block = weir__large_new(sizes[i], true);
        assert_non_null(block);
        assert_true(weir__large_is(block));
        assert_true(weir__large_size(block) >= sizes[i]);
        assert_int_equal((uintptr_t)block % 64, 0);
        expect(block, 0, sizes[i], 0);
        memset(block, 7, sizes[i]);
        weir__large_free(block);
    }
}

static void a_block_keeps_what_is_in_it(void **state) {
    (void)state;
    static const size_t sizes[] = {5 * MIB, 7 * MIB, 64 * MIB, 6 * MIB, 6 * MIB + 1, 40 * MIB};
    size_t filled = 4 * MIB;
    unsigned char *block = weir__large_new(filled, true);
    memset(block, 9, filled);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        block = weir__large_resize(block, sizes[i]);
        assert_non_null(block);
        assert_true(weir__large_is(block));
        assert_true(weir__large_size(block) >= sizes[i]);
        expect(block, 0, filled, 9);
        memset(block + filled, 0, sizes[i] - filled);
    }
    weir__large_free(block);
}

static void too_much_is_refused(void **state) {
    (void)state;
    unsigned char *block = weir__large_new(WEIR__LARGE_BYTES, false);
    block[0] = 3;
    assert_null(weir__large_new(SIZE_MAX, true));
    assert_null(weir__large_new(SIZE_MAX / 4, true));
    assert_null(weir__large_resize(block, SIZE_MAX));
    assert_null(weir__large_resize(block, SIZE_MAX / 4));
    assert_int_equal(block[0], 3);
    weir__large_free(block);
}

/* Memory of others may stand at any address, and have anything before it. */
static void others_are_told_from_blocks(void **state) {
    (void)state;
    assert_false(weir__large_is(NULL));
    unsigned char *block = weir__large_new(WEIR__LARGE_BYTES * 2, false);
    unsigned char *looks_alike = block + 2 * MIB;
    assert_false(weir__large_is(block + 64));
    assert_false(weir__large_is(looks_alike));
    memcpy(looks_alike - 64, block - 64, 64);
    assert_false(weir__large_is(looks_alike));
    memset(looks_alike - 64, 0xff, 64);
    assert_false(weir__large_is(looks_alike));
    weir__large_free(block);
}

/* Larger ones are not kept. */
static void ask_for_others(void) {
    for (size_t i = 0; i < WEIR__LARGE_ASKED_MAX; i++) {
        void *block = weir__large_new(WEIR__LARGE_KEPT_BYTES, false);
        weir__large_free(block);
    }
}

/* Who asks for the size of one that was freed has its pages; others do not, and in the end they are gone. */
static void a_freed_block_is_taken_again(void **state) {
    (void)state;
    ask_for_others();
    unsigned char *block = weir__large_new(21 * MIB, true);
    memset(block, 5, 21 * MIB);
    weir__large_free(block);
    unsigned char *other = weir__large_new(23 * MIB, false);
    assert_ptr_not_equal(other, block);
    assert_ptr_equal(weir__large_new(21 * MIB, false), block);
    expect(block, 0, 21 * MIB, 5);
    weir__large_free(block);
    assert_ptr_equal(weir__large_new(21 * MIB, true), block);
    expect(block, 0, 21 * MIB, 0);
    memset(block, 5, 21 * MIB);
    weir__large_free(block);
    weir__large_free(other);
    ask_for_others();
    block = weir__large_new(21 * MIB, false);
    expect(block, 0, 21 * MIB, 0);
    weir__large_free(block);
}

/* More than there may be at once. */
static void places_come_back(void **state) {
    (void)state;
    for (size_t i = 0; i < WEIR__LARGE_MAX + 10; i++) {
        void *block = weir__large_new(WEIR__LARGE_BYTES, false);
        assert_non_null(block);
        weir__large_free(block);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_block_is_zero),
        cmocka_unit_test(a_block_keeps_what_is_in_it),
        cmocka_unit_test(too_much_is_refused),
        cmocka_unit_test(others_are_told_from_blocks),
        cmocka_unit_test(a_freed_block_is_taken_again),
        cmocka_unit_test(places_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
