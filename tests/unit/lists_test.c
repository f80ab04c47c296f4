/* Shared lists of numbers: what a union has, that equal ones are one, and where they end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dataflow/context.h"

enum { NUMBERS = 24, UNIONS = 20000 };

/* The numbers of a list as bits; they ascend. */
static uint32_t bits_of(const weir__lists *lists, uint32_t list) {
    uint32_t count, bits = 0;
    const uint32_t *numbers = weir__lists_numbers(lists, list, &count);
    for (uint32_t i = 0; i < count; i++) {
        if (i) assert_true(numbers[i - 1] < numbers[i]);
        bits |= 1u << numbers[i];
    }
    return bits;
}

static void a_union_has_what_is_in_either(void **state) {
    (void)state;
    weir__lists lists = {0};
    uint32_t made[UNIONS], bits[UNIONS], random = 1;
    for (int round = 0; round < 2; round++) { /* the second in memory of the first */
        weir__lists_begin(&lists);
        for (uint32_t i = 0; i < NUMBERS; i++) {
            made[i] = weir__lists_single(&lists, i);
            bits[i] = 1u << i;
        }
        for (uint32_t i = NUMBERS; i < UNIONS; i++) {
            random = random * 1664525u + 1013904223u;
            uint32_t a = (random >> 8) % i, b = (random >> 20) % NUMBERS;
            made[i] = weir__lists_unite(&lists, made[a], made[b]);
            bits[i] = bits[a] | bits[b];
            assert_int_equal(bits_of(&lists, made[i]), bits[i]);
            assert_int_equal(weir__lists_unite(&lists, made[b], made[a]), made[i]);
            assert_int_equal(weir__lists_unite(&lists, made[i], 0), made[i]);
            assert_int_equal(weir__lists_unite(&lists, 0, made[i]), made[i]);
        }
        for (uint32_t i = 0; i < UNIONS; i += 97)
            for (uint32_t j = 0; j < UNIONS; j += 101)
                assert_int_equal(bits[i] == bits[j], made[i] == made[j]);
    }
    weir__lists_deinit(&lists);
}

static void beyond_the_limit_no_list_is_made(void **state) {
    (void)state;
    weir__lists lists = {0};
    uint32_t places = weir__limits.places;
    weir__limits.places = 1000;
    weir__lists_begin(&lists);
    uint32_t list = 0, number = 0;
    while (!lists.full)
        list = weir__lists_unite(&lists, list, weir__lists_single(&lists, number++));
    assert_in_range(lists.numbers.count, 900, 1000);
    assert_in_range(number, 40, 45); /* sums to the limit */
    assert_int_equal(weir__lists_single(&lists, number), 0);
    assert_in_range(weir__lists_unite(&lists, list, 1), 1, 1000);
    weir__lists_begin(&lists);
    assert_false(lists.full);
    weir__limits.places = places;
    weir__lists_deinit(&lists);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_union_has_what_is_in_either),
        cmocka_unit_test(beyond_the_limit_no_list_is_made),
    };
    return cmocka_run_group_tests_name("lists", tests, NULL, NULL);
}
