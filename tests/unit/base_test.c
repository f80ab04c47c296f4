/* Text, maps, heaps, queues, times, errors, arenas and descriptors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "base/heap.h"
#include "base/map.h"
#include "base/notes.h"
#include "base/open.h"
#include "base/pages.h"
#include "base/pass.h"
#include "base/queue.h"
#include "base/size.h"
#include "base/time.h"

static void text_is_searched_and_cut(void **state) {
    (void)state;
    weir_str text = WEIR_STR("one,two,,two");
    assert_true(weir_str_starts(text, WEIR_STR("one")) && weir_str_starts(text, WEIR_STR("")));
    assert_true(weir_str_ends(text, WEIR_STR(",two")) && weir_str_ends(text, text));
    assert_false(weir_str_starts(WEIR_STR("on"), WEIR_STR("one")));
    assert_int_equal(weir_str_find(text, WEIR_STR("two"), 0), 4);
    assert_int_equal(weir_str_find(text, WEIR_STR("two"), 5), 9);
    assert_int_equal(weir_str_find(text, WEIR_STR("two"), 10), SIZE_MAX);
    assert_int_equal(weir_str_find(text, WEIR_STR(""), 12), 12);
    assert_int_equal(weir_str_find(text, WEIR_STR(""), 13), SIZE_MAX);
    assert_true(weir_str_is(weir_str_slice(text, 4, 7), "two"));
    assert_true(weir_str_is(weir_str_slice(text, 9, SIZE_MAX), "two"));
    assert_true(weir_str_is(weir_str_slice(text, 40, 50), ""));
    assert_true(weir_str_is(weir_str_trim(WEIR_STR(" \t a b\r\n")), "a b"));
    assert_true(weir_str_is(weir_str_trim(WEIR_STR(" \n")), ""));
    assert_true(weir_str_equal(weir_str_from(NULL), WEIR_STR("")));
}

static void texts_are_cut_between_characters(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t size, kept;
    } cases[] = {{"", 1, 0},          {"abc", 4, 3},          {"ab\xc3", 4, 2},
                 {"a\xc3\xa9", 4, 3}, {"a\xe2\x82", 4, 1},    {"\xe2\x82\xac", 4, 3},
                 {"\xf0\x9f", 3, 0},  {"\xf0\x9f\x98", 4, 0}, {"\xf0\x9f\x98\x80", 5, 4},
                 {"ab\xc3", 9, 3} /* nothing was cut */};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[16];
        memcpy(text, cases[i].text, strlen(cases[i].text) + 1);
        weir_text_end_whole(text, cases[i].size);
        assert_int_equal(strlen(text), cases[i].kept);
    }
}

static void edit_distance_is_levenshteins(void **state) {
    (void)state;
    static const struct {
        const char *a, *b;
        size_t distance;
    } cases[] = {{"", "", 0},       {"abc", "", 3},           {"", "ab", 2},
                 {"abc", "abc", 0}, {"kitten", "sitting", 3}, {"flaw", "lawn", 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(weir_str_distance(weir_str_from(cases[i].a), weir_str_from(cases[i].b)),
                         cases[i].distance);
}

static void buffers_grow_and_stay_terminated(void **state) {
    (void)state;
    weir_buffer buffer = {0};
    assert_string_equal(weir_buffer_str(&buffer).data, "");
    for (int i = 0; i < 1000; i++) weir_buffer_printf(&buffer, "%03d", i);
    assert_int_equal(buffer.length, 3000);
    assert_int_equal(strlen(buffer.data), 3000);
    assert_memory_equal(buffer.data + 2997, "999", 4);
    weir_buffer_clear(&buffer);
    weir_buffer_byte(&buffer, 'a');
    weir_buffer_str_append(&buffer, WEIR_STR("b"));
    weir_buffer_append(&buffer, NULL, 0);
    assert_string_equal(buffer.data, "ab");
    weir_buffer_deinit(&buffer);
    assert_null(buffer.data);
}

static void buffers_are_cut_between_characters(void **state) {
    (void)state;
    weir_buffer buffer = {0};
    assert_false(weir_buffer_cut(&buffer, 0));
    weir_buffer_text(&buffer, "aé€");
    assert_false(weir_buffer_cut(&buffer, 6));
    assert_true(weir_buffer_cut(&buffer, 5));
    assert_string_equal(buffer.data, "aé");
    assert_true(weir_buffer_cut(&buffer, 2));
    assert_string_equal(buffer.data, "a");
    assert_true(weir_buffer_cut(&buffer, 0));
    assert_int_equal(buffer.length, 0);
    assert_string_equal(buffer.data, "");
    weir_buffer_deinit(&buffer);
}

static void maps_keep_what_was_set(void **state) {
    (void)state;
    enum { COUNT = 5000 };
    static char keys[COUNT][8];
    weir_map map = {0};
    uint64_t value = 7;
    assert_false(weir_map_get(&map, WEIR_STR("0"), &value));
    for (size_t i = 0; i < COUNT; i++) {
        snprintf(keys[i], sizeof keys[i], "%zu", i);
        weir_map_set(&map, weir_str_from(keys[i]), i);
    }
    for (size_t i = 0; i < COUNT; i += 2) weir_map_set(&map, weir_str_from(keys[i]), i * 10);
    assert_int_equal(map.count, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(weir_map_get(&map, weir_str_from(keys[i]), &value));
        assert_int_equal(value, i % 2 ? i : i * 10);
    }
    value = 7;
    assert_false(weir_map_get(&map, WEIR_STR("-1"), &value));
    assert_int_equal(value, 7);
    weir_map_set(&map, WEIR_STR(""), 1);
    assert_true(weir_map_get(&map, WEIR_STR(""), NULL));
    assert_false(weir_map_add(&map, WEIR_STR("3"), 5));
    assert_true(weir_map_get(&map, WEIR_STR("3"), &value) && value == 3);
    assert_true(weir_map_add(&map, WEIR_STR("-1"), 5));
    assert_true(weir_map_get(&map, WEIR_STR("-1"), &value) && value == 5);
    weir_map_deinit(&map);
}

static void hashes_are_the_published_ones(void **state) {
    (void)state;
    assert_int_equal(weir_hash_fnv32(WEIR_STR("")), 0x811c9dc5);
    assert_int_equal(weir_hash_fnv32(WEIR_STR("foobar")), 0xbf9cf968);
    assert_true(weir_hash("", 0) == 0x2d06800538d394c2u);
}

/* Whatever is put to either end, in any order, beside an array that has room at both. */
static void queues_have_two_ends(void **state) {
    (void)state;
    enum { STEPS = 20000 };
    static uint64_t wanted[2 * STEPS];
    size_t from = STEPS, to = STEPS;
    uint32_t random = 1;
    weir_queue queue = {0};
    for (uint64_t i = 0; i < STEPS; i++) {
        random = random * 1664525u + 1013904223u;
        uint64_t item = 0;
        switch (random >> 30) {
        case 0: weir_queue_put_first(&queue, wanted[--from] = i); break;
        case 1:
            assert_int_equal(weir_queue_take(&queue, &item), from < to);
            if (from < to) assert_int_equal(item, wanted[from++]);
            break;
        default: weir_queue_put(&queue, wanted[to++] = i); break;
        }
        assert_int_equal(queue.count, to - from);
        assert_int_equal(weir_queue_first(&queue, &item), from < to);
        if (from < to) assert_int_equal(item, wanted[from]);
    }
    weir_queue_deinit(&queue);
}

static void heaps_give_the_earliest_first(void **state) {
    (void)state;
    weir_heap heap = {0};
    uint64_t number = 1;
    assert_null(weir_heap_first(&heap));
    for (uint64_t i = 0; i < 1000; i++) {
        number = number * 48271 % 2147483647;
        weir_heap_add(&heap, (weir_moment){number % 100, i});
    }
    weir_moment last = {0};
    for (size_t i = 0; i < 1000; i++) {
        weir_moment first = *weir_heap_first(&heap), taken = weir_heap_take(&heap);
        assert_true(first.item == taken.item);
        /* Of moments that are due together, the one with the lower number. */
        assert_true(i == 0 || taken.due_us > last.due_us ||
                    (taken.due_us == last.due_us && taken.item > last.item));
        last = taken;
    }
    assert_null(weir_heap_first(&heap));
    weir_vector_deinit(&heap);
}

static void moments_are_parsed(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint64_t us;
    } cases[] = {
        {"1970-01-01", 0},
        {"2026-11-21", 1795219200000000},
        {"2026-11-21T06:30", 1795242600000000},
        {"2026-11-21 06:30:15", 1795242615000000},
        {"2026-11-21t06:30:15.25z", 1795242615250000},
        {"2026-11-21T06:30:15.1234567Z", 1795242615123456},
        {"2026-11-21T06:30+01:30", 1795237200000000},
        {"2026-11-21T06:30-0130", 1795248000000000},
        {"2026-11-21T06:30-01", 1795246200000000},
        {"2024-02-29", 1709164800000000},
    };
    static const char *const wrong[] = {"",
                                        "2026",
                                        "2026-11",
                                        "2026-13-01",
                                        "2026-02-29",
                                        "2026-11-21T",
                                        "2026-11-21T6:30",
                                        "2026-11-21T24:00",
                                        "2026-11-21T06:30:",
                                        "2026-11-21T06:30:15.",
                                        "1969-12-31",
                                        "2026-11-21T06:30X",
                                        "2026-11-21Z1",
                                        "1970-01-01T00:00+01",
                                        "2026-11-21T06:30+",
                                        "99999-01-01",
                                        "2h"};
    uint64_t us;
    weir_error error;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (!weir_moment_parse(weir_str_from(cases[i].text), &us, NULL))
            fail_msg("%s", cases[i].text);
        assert_int_equal(us, cases[i].us);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (weir_moment_parse(weir_str_from(wrong[i]), &us, &error)) fail_msg("%s", wrong[i]);
        assert_int_equal(error.code, WEIR_INVALID);
    }
}

static void durations_are_parsed(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint64_t us;
    } cases[] = {{"250ms", 250000},    {"1.5s", 1500000}, {"2m", 120000000}, {"1h30m", 5400000000},
                 {"3d", 259200000000}, {"10", 10000000},  {"0.5", 500000},   {"7us", 7},
                 {"7µs", 7},           {"0", 0},          {".5s", 500000}};
    static const char *const wrong[] = {"", "s", "-1s", "1x", "1.2.3s", "1s ", "1e3s", "99999999d"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t us = 1;
        assert_true(weir_duration_parse(weir_str_from(cases[i].text), &us, NULL));
        assert_true(us == cases[i].us);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        uint64_t us = 1;
        weir_error error;
        assert_false(weir_duration_parse(weir_str_from(wrong[i]), &us, &error));
        assert_true(us == 1);
        assert_int_equal(error.code, WEIR_INVALID);
    }
}

static void processors_are_parsed(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint32_t milli;
    } cases[] = {{"2", 2000},   {"0.5", 500}, {"1500m", 1500}, {"8.06", 8060},
                 {"0.0001", 1}, {"1m", 1},    {"1.0001", 1001}};
    static const char *const wrong[] = {"", "m", "0", "-1", "2 m", "1e3", "two", "1000001"};
    weir_error error;
    uint32_t milli;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_true(weir_cpu_parse(weir_str_from(cases[i].text), &milli, NULL));
        assert_int_equal(milli, cases[i].milli);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_false(weir_cpu_parse(weir_str_from(wrong[i]), &milli, &error));
        assert_int_equal(error.code, WEIR_INVALID);
    }
}

static void sizes_are_parsed_and_formatted(void **state) {
    (void)state;
    static const struct {
        const char *text, *formatted;
        uint64_t bytes;
    } cases[] = {{"0", "0 B", 0},
                 {"950", "950 B", 950},
                 {"950B", "950 B", 950},
                 {"10GB", "10.0 GB", 10000000000},
                 {"10 gb", "10.0 GB", 10000000000},
                 {"1.5k", "1.5 kB", 1500},
                 {"512MiB", "536.9 MB", 536870912},
                 {"2TiB", "2.2 TB", 2199023255552},
                 {"1P", "1.0 PB", 1000000000000000},
                 {"999950", "1.0 MB", 999950},
                 {"8000PB", "8.0 EB", 8000000000000000000}};
    static const char *const wrong[] = {"",     "GB",    "-1",    "1.2.3M", "10 apples", "1e3",
                                        "10XB", "10GiX", "9999P", "1 0",    "MB10",      "1KiBB"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t bytes = 1;
        char out[24];
        assert_true(weir_size_parse(weir_str_from(cases[i].text), &bytes, NULL));
        assert_true(bytes == cases[i].bytes);
        assert_string_equal(weir_size_format(bytes, out), cases[i].formatted);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        uint64_t bytes = 1;
        weir_error error;
        assert_false(weir_size_parse(weir_str_from(wrong[i]), &bytes, &error));
        assert_true(bytes == 1);
        assert_int_equal(error.code, WEIR_INVALID);
    }
}

static void times_are_formatted(void **state) {
    (void)state;
    static const struct {
        uint64_t us;
        const char *text;
    } cases[] = {{0, "0µs"},          {950, "950µs"},
                 {12345, "12ms"},     {3400000, "3.4s"},
                 {125000000, "2m5s"}, {3720000000, "1h2m"},
                 {59999999, "59.9s"}, {UINT64_MAX, "5124095576h1m"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[24];
        assert_string_equal(weir_duration_format(cases[i].us, out), cases[i].text);
    }
    char out[32];
    assert_string_equal(weir_moment_format(0, out), "1970-01-01T00:00:00.000Z");
    assert_string_equal(weir_moment_format(951782400125999, out), "2000-02-29T00:00:00.125Z");
}

static void errors_say_where_and_what(void **state) {
    (void)state;
    weir_error error;
    char out[2048];
    assert_false(weir_fail(&error, WEIR_NOT_FOUND, "no %s", "node"));
    assert_string_equal(weir_error_format(&error, out, sizeof out), "no node");
    weir_error_context(&error, "run %d", 7);
    weir_error_hint(&error, "try %s", "more");
    assert_string_equal(weir_error_format(&error, out, sizeof out), "run 7: no node (try more)");
    weir_error_place(&error, WEIR_STR("f"), 0, 0);
    assert_string_equal(weir_error_format(&error, out, sizeof out), "f: run 7: no node (try more)");
    weir_error_place(&error, WEIR_STR(""), 3, 4);
    assert_string_equal(weir_error_format(&error, out, sizeof out),
                        "f:3:4: run 7: no node (try more)");
    assert_string_equal(weir_code_text(error.code), "not_found");
    assert_int_equal(weir_code_exit(error.code), 2);
    assert_false(weir_fail(NULL, WEIR_IO, "nobody asks"));
    weir_error_place(NULL, WEIR_STR("f"), 1, 1);

    assert_false(weir_error_hint_near(&error, WEIR_STR(""), "there are more"));
    assert_string_equal(error.hint, "try more");
    assert_true(weir_error_hint_near(&error, WEIR_STR("node"), ""));
    assert_string_equal(error.hint, "did you mean `node`?");
    assert_true(weir_error_hint_near(&error, WEIR_STR("node"), "there are more"));
    assert_string_equal(error.hint, "did you mean `node`? there are more");

    memset(out, 'x', sizeof out - 1);
    out[sizeof out - 1] = '\0';
    weir_fail(&error, WEIR_IO, "%s", out);
    weir_error_context(&error, "context");
    assert_int_equal(strlen(error.message), sizeof error.message - 1);
    assert_memory_equal(error.message, "context: x", 10);
}

static void problems_are_counted_beyond_the_limit(void **state) {
    (void)state;
    weir_problems problems = {0};
    weir_error error;
    for (int i = 0; i < WEIR_PROBLEMS_MAX + 5; i++) {
        weir_fail(&error, WEIR_INVALID, "%d", i);
        weir_problems_add(&problems, &error);
    }
    assert_int_equal(problems.count, WEIR_PROBLEMS_MAX);
    assert_int_equal(problems.total, WEIR_PROBLEMS_MAX + 5);
    assert_string_equal(problems.items[WEIR_PROBLEMS_MAX - 1].message, "99");
    weir_problems_deinit(&problems);
}

static void arenas_give_zeroed_aligned_memory(void **state) {
    (void)state;
    weir_arena arena;
    weir_arena_init(&arena);
    for (int round = 0; round < 2; round++) {
        for (size_t size = 0; size < 10000; size = size * 2 + 1) {
            unsigned char *memory = weir_arena_alloc(&arena, size);
            assert_int_equal((uintptr_t)memory % _Alignof(max_align_t), 0);
            for (size_t i = 0; i < size; i++) assert_int_equal(memory[i], 0);
            memset(memory, 0xff, size);
        }
        assert_string_equal(weir_str_copy(&arena, weir_str_slice(WEIR_STR("abc"), 0, 2)), "ab");
        weir_arena_deinit(&arena);
    }
}

/* Reads to the end; gives how much came as it was written, or 0 when some did not. */
static void *drain(void *arg) {
    unsigned char part[1000];
    size_t got = 0;
    for (ssize_t n; (n = read(*(int *)arg, part, sizeof part)) > 0; got += (size_t)n)
        for (ssize_t i = 0; i < n; i++)
            if (part[i] != (unsigned char)((got + (size_t)i) % 251)) return NULL;
    return (void *)got;
}

/* Against a plain array: 0 is nothing noted. Numbers that share their lower bits come too. */
static void notes_are_of_what_they_were_set_of(void **state) {
    (void)state;
    enum { COUNT = 3000 };
    static uint64_t plain[COUNT];
    weir_notes notes = {0};
    uint64_t found;
    uint32_t random = 1;
    size_t noted = 0;
    memset(plain, 0, sizeof plain);
    assert_false(weir_notes_drop(&notes, 7, &found));
    for (uint32_t i = 1; i <= 100000; i++) {
        random = random * 1664525 + 1013904223;
        size_t at = (random >> 8) % COUNT;
        uint64_t of = at % 3 ? at : (uint64_t)at << 40;
        if (random >> 31) {
            weir_notes_set(&notes, of, i);
            noted += !plain[at];
            plain[at] = i;
        } else {
            uint64_t seen;
            assert_int_equal(weir_notes_find(&notes, of, &seen), plain[at] != 0);
            assert_int_equal(weir_notes_has(&notes, of), plain[at] != 0);
            assert_int_equal(weir_notes_drop(&notes, of, &found), plain[at] != 0);
            assert_int_equal(seen, found);
            assert_int_equal(found, plain[at]);
            noted -= plain[at] != 0;
            plain[at] = 0;
        }
        assert_int_equal(notes.items.count, noted);
    }
    for (size_t i = 0; i < notes.items.count; i++) {
        uint64_t of = notes.items.items[i].of;
        assert_int_equal(notes.items.items[i].number, plain[of >> 40 ? of >> 40 : of]);
    }
    weir_notes_clear(&notes);
    assert_false(weir_notes_drop(&notes, 1, NULL));
    weir_notes_deinit(&notes);
}

/* Against a plain array: numbers that went are 0 there. */
static void pages_go_with_their_items(void **state) {
    (void)state;
    enum { COUNT = 20000 };
    static uint32_t plain[3 * COUNT];
    static size_t places[COUNT + 1];
    const uint32_t like = 7;
    weir_pages pages = {.size = sizeof(uint32_t)};
    uint32_t random = 1, live = 0;
    memset(plain, 0, sizeof plain);
    for (uint32_t i = 1; i <= COUNT; i++) {
        random = random * 1664525 + 1013904223;
        if (random >> 23 == 0) weir_pages_skip(&pages, pages.count + (random >> 8) % 1000, &like);
        places[i] = pages.count;
        plain[places[i]] = i;
        *(uint32_t *)weir_pages_push(&pages) = i;
        live++;
        const uint32_t old[] = {i - (random >> 8) % (i < 600 ? i : 600), i < 600 ? i : i - 599};
        for (size_t k = 0; k < 2; k++) {
            if (plain[places[old[k]]] != old[k] || old[k] == 5) continue; /* that one stays */
            weir_pages_drop(&pages, places[old[k]]);
            plain[places[old[k]]] = 0;
            live--;
        }
    }
    assert_int_equal(pages.live, live);
    size_t at_hand = 0;
    for (size_t i = weir_pages_next(&pages, 0); i < pages.count;
         i = weir_pages_next(&pages, i + 1)) {
        assert_non_null(weir_pages_at(&pages, i));
        at_hand++;
    }
    assert_true(at_hand <= 8 * WEIR_PAGE_ITEMS);
    for (size_t i = 0; i < pages.count; i++)
        if (plain[i]) assert_int_equal(*(uint32_t *)weir_pages_at(&pages, i), plain[i]);
    assert_null(weir_pages_at(&pages, pages.count));
    for (size_t i = 0; i < pages.count; i++)
        if (plain[i]) weir_pages_drop(&pages, i);
    weir_pages_skip(&pages, pages.count + 3 * WEIR_PAGE_ITEMS, &like);
    assert_int_equal(pages.live, 0);
    assert_true(pages.count - weir_pages_next(&pages, 0) < WEIR_PAGE_ITEMS);
    weir_pages_deinit(&pages);
    assert_int_equal(pages.count, 0);
}

static void all_bytes_are_written(void **state) {
    (void)state;
    enum { BYTES = 300 * 1000 }; /* more than a pipe takes at once */
    unsigned char *bytes = weir_alloc(BYTES);
    for (size_t i = 0; i < BYTES; i++) bytes[i] = (unsigned char)(i % 251);
    int ends[2];
    pthread_t thread;
    void *got;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(pthread_create(&thread, NULL, drain, &ends[0]), 0);
    assert_true(weir_descriptor_write(ends[1], (weir_str){(const char *)bytes, BYTES}));
    assert_true(weir_descriptor_write(ends[1], WEIR_STR("")));
    close(ends[1]);
    pthread_join(thread, &got);
    assert_int_equal((uintptr_t)got, BYTES);
    assert_false(weir_descriptor_write(ends[0], WEIR_STR("not for writing")));
    assert_int_equal(errno, EBADF);
    close(ends[0]);
    weir_free(bytes);
}

static void numbers_are_nothing_but_digits(void **state) {
    uint32_t number = 7;
    (void)state;
    assert_true(weir_str_number(WEIR_STR("0"), &number));
    assert_int_equal(number, 0);
    assert_true(weir_str_number(WEIR_STR("4294967294"), &number));
    assert_int_equal(number, UINT32_MAX - 1);
    const char *const others[] = {"",   "-1",  "+1",         " 1",
                                  "1 ", "0x1", "4294967295", "18446744073709551617"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(weir_str_number(weir_str_from(others[i]), &number));
}

static void paths_are_opened_beneath_a_folder(void **state) {
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_BENEATH};
    (void)state;
    int folder = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int within = weir__open_how(folder, "fd/..", &how);
    assert_true(within >= 0);
    assert_int_equal(weir__open_how(folder, "..", &how), -1);
    assert_int_equal(errno, EXDEV);
    assert_int_equal(weir__open_how(folder, "absent", &how), -1);
    assert_int_equal(errno, ENOENT);
    close(within);
    close(folder);
}

static void descriptors_are_passed(void **state) {
    int ends[2], ours[2], taken = 0;
    char bytes[4] = "abc", got[4] = {0};
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(pipe(ours), 0);
    assert_int_equal(weir__pass_take(ends[1], &taken, got, sizeof got), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(taken, -1);
    assert_int_equal(weir__pass_send(ends[0], ours[1], bytes, sizeof bytes), 4);
    assert_int_equal(weir__pass_take(ends[1], &taken, got, sizeof got), 4);
    assert_string_equal(got, "abc");
    assert_int_equal(fcntl(taken, F_GETFD), FD_CLOEXEC);
    assert_int_equal(write(taken, "x", 1), 1);
    assert_int_equal(read(ours[0], got, sizeof got), 1);
    assert_int_equal(got[0], 'x');
    /* Bytes alone bring none. */
    assert_int_equal(write(ends[0], "y", 1), 1);
    close(taken);
    assert_int_equal(weir__pass_take(ends[1], &taken, got, sizeof got), 1);
    assert_int_equal(taken, -1);
    for (size_t i = 0; i < 2; i++) {
        close(ends[i]);
        close(ours[i]);
    }
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_searched_and_cut),
        cmocka_unit_test(texts_are_cut_between_characters),
        cmocka_unit_test(edit_distance_is_levenshteins),
        cmocka_unit_test(buffers_grow_and_stay_terminated),
        cmocka_unit_test(buffers_are_cut_between_characters),
        cmocka_unit_test(maps_keep_what_was_set),
        cmocka_unit_test(notes_are_of_what_they_were_set_of),
        cmocka_unit_test(pages_go_with_their_items),
        cmocka_unit_test(hashes_are_the_published_ones),
        cmocka_unit_test(heaps_give_the_earliest_first),
        cmocka_unit_test(queues_have_two_ends),
        cmocka_unit_test(durations_are_parsed),
        cmocka_unit_test(moments_are_parsed),
        cmocka_unit_test(times_are_formatted),
        cmocka_unit_test(processors_are_parsed),
        cmocka_unit_test(sizes_are_parsed_and_formatted),
        cmocka_unit_test(errors_say_where_and_what),
        cmocka_unit_test(problems_are_counted_beyond_the_limit),
        cmocka_unit_test(arenas_give_zeroed_aligned_memory),
        cmocka_unit_test(all_bytes_are_written),
        cmocka_unit_test(numbers_are_nothing_but_digits),
        cmocka_unit_test(paths_are_opened_beneath_a_folder),
        cmocka_unit_test(descriptors_are_passed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
