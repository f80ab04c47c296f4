/* Large parts of values: what goes out, that it comes back, and what is remembered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "data/json.h"
#include "data/parts.h"

enum { LIMIT = 100, LETTERS = 150, KEPT_MAX = 64 };

/* Where parts are put: found by what stands for their digest. */
static struct {
    unsigned char digest[WEIR_PART_DIGEST_BYTES];
    weir_buffer bytes;
} kept[KEPT_MAX];
static size_t kept_count, fetched;
static weir_error error;

static bool fetch(void *arg, const unsigned char digest[WEIR_PART_DIGEST_BYTES], uint64_t size,
                  weir_buffer *out, weir_error *e) {
    assert_ptr_equal(arg, kept);
    fetched++;
    for (size_t i = 0; i < kept_count; i++) {
        if (memcmp(kept[i].digest, digest, WEIR_PART_DIGEST_BYTES) != 0) continue;
        assert_true(size > LIMIT);
        weir_buffer_str_append(out, weir_buffer_str(&kept[i].bytes));
        return true;
    }
    return weir_fail(e, WEIR_NOT_FOUND, "it is gone");
}

static int forget_kept(void **state) {
    (void)state;
    for (size_t i = 0; i < kept_count; i++) weir_buffer_deinit(&kept[i].bytes);
    kept_count = fetched = 0;
    return 0;
}

static void name(weir_part *part) {
    if (part->named) return;
    for (size_t i = 0; i < part->inner.count; i++) name(part->inner.items[i].part);
    weir_str content = weir_part_content(part);
    memset(part->name.digest, 7, WEIR_PART_DIGEST_BYTES);
    uint64_t hash = weir_hash(content.data, content.length);
    memcpy(part->name.digest, &hash, sizeof hash);
    part->named = true;
}

static void put(weir_parts *parts, weir_part *part) {
    if (part->kept) return;
    for (size_t i = 0; i < part->inner.count; i++) put(parts, part->inner.items[i].part);
    if (!weir_parts_note(parts, part)) {
        assert_true(kept_count < KEPT_MAX);
        memcpy(kept[kept_count].digest, part->name.digest, WEIR_PART_DIGEST_BYTES);
        kept[kept_count].bytes = (weir_buffer){0};
        weir_buffer_str_append(&kept[kept_count++].bytes, weir_part_content(part));
    }
    weir_part_note_kept(part);
}

static void put_all(weir_parts *parts, weir_places *places, weir_buffer *bytes) {
    for (size_t i = 0; i < places->count; i++) name(places->items[i].part);
    for (size_t i = 0; i < places->count; i++) put(parts, places->items[i].part);
    weir_places_fill(places, bytes);
    weir_places_deinit(places);
}

static weir_value *parse(const char *text) {
    weir_value *value;
    assert_true(weir_json_parse(weir_str_from(text), WEIR_STR(""), &value, &error));
    return value;
}

/* Each L is a text of 150 letters. */
static weir_value *parse_large(const char *pattern) {
    weir_buffer text = {0};
    for (; *pattern; pattern++) {
        if (*pattern != 'L')
            weir_buffer_byte(&text, *pattern);
        else
            for (int i = 0; i < LETTERS; i++) weir_buffer_byte(&text, (char)('a' + i % 26));
    }
    weir_value *value = parse(text.data);
    weir_buffer_deinit(&text);
    return value;
}

static bool decode(weir_parts *parts, weir_str bytes, weir_value **out) {
    size_t offset = 0;
    return weir_value_decode_parts(bytes, &offset, parts, false, out, &error) &&
           offset == bytes.length;
}

static const struct {
    const char *value;
    unsigned whole;
    size_t parts; /* that are put */
    size_t size_max;
} cases[] = {
    {"{\"a\": 1, \"b\": [true, null]}", 1, 0, 20},
    {"{\"a\": \"L\", \"small\": \"xyz\"}", 1, 1, 70},
    {"{\"a\": {\"b\": {\"c\": \"L\", \"d\": 1}, \"e\": 2}}", 1, 1, 80},
    {"[\"L\"]", 1, 1, 50},
    {"[\"L\"]", 2, 0, 170},
    {"\"L\"", 0, 1, 40},
    {"\"L\"", 1, 0, 160},
    /* Small things that are large together. */
    {"{\"rows\": [1, 2, \"some thirty letters to be counted\", \"some thirty letters to be "
     "counted\","
     " \"some thirty letters to be counted\"]}",
     1, 1, 50},
    {"{\"rows\": [1, 2, \"some thirty letters to be counted\", \"some thirty letters to be "
     "counted\","
     " \"some thirty letters to be counted\"]}",
     2, 0, 130},
    /* What is large by itself goes first, and what is left is large again by its references. */
    {"{\"rows\": [\"L\", \"-L\", \"--L\"]}", 1, 4, 50},
    /* Equal ones are one. */
    {"{\"a\": \"L\", \"b\": \"L\", \"c\": [\"L\"]}", 1, 1, 130},
    /* The root stays, however large it is. */
    {"{\"a\": \"some thirty letters to be counted\", \"b\": \"some thirty letters to be counted\","
     " \"c\": \"some thirty letters to be counted\"}",
     1, 0, 130},
};

static void what_is_large_goes_out_and_comes_back(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_parts *parts = weir_parts_new(LIMIT, fetch, kept);
        weir_parts *others = weir_parts_new(LIMIT, fetch, kept);
        weir_value *value = parse_large(cases[i].value), *back = NULL, *again = NULL;
        weir_buffer bytes = {0};
        weir_places places = {0};
        forget_kept(NULL);
        bool referred = weir_value_encode_parts(value, cases[i].whole, parts, &places, &bytes);
        put_all(parts, &places, &bytes);
        if (kept_count != cases[i].parts || bytes.length > cases[i].size_max)
            fail_msg("%s: %zu parts, %zu bytes", cases[i].value, kept_count, bytes.length);
        assert_int_equal(referred, cases[i].parts > 0);
        assert_true(decode(parts, weir_buffer_str(&bytes), &back));
        assert_true(decode(others, weir_buffer_str(&bytes), &again));
        assert_true(weir_value_equal(back, value));
        assert_true(weir_value_equal(again, value));
        assert_true(fetched <= cases[i].parts); /* by the other only */
        weir_value *members[] = {value, back, again};
        for (size_t k = 0; k < 3; k++) weir_value_unref(members[k]);
        weir_buffer_deinit(&bytes);
        weir_parts_free(others);
        weir_parts_free(parts);
    }
}

static void without_parts_the_form_is_the_plain_one(void **state) {
    (void)state;
    weir_value *value = parse_large("{\"a\": \"L\", \"b\": [1, \"L\"]}");
    weir_buffer plain = {0}, parted = {0};
    weir_value_encode(value, &plain);
    assert_false(weir_value_encode_parts(value, 1, NULL, NULL, &parted));
    assert_int_equal(plain.length, parted.length);
    assert_memory_equal(plain.data, parted.data, plain.length);
    weir_buffer_deinit(&plain);
    weir_buffer_deinit(&parted);
    weir_value_unref(value);
}

static void a_value_is_named_once(void **state) {
    (void)state;
    weir_parts *parts = weir_parts_new(LIMIT, fetch, kept);
    weir_value *value = parse_large(
        "{\"text\": \"L\", \"rows\": [[1, 2, 3, 4, 5, 6, 7], \"L-\", \"-L\", \"-L-\"]}");
    weir_buffer first = {0}, second = {0}, third = {0};
    weir_places places = {0}, more = {0};
    weir_value_encode_parts(value, 1, parts, &places, &first);
    weir_value_encode_parts(value, 1, parts, &more, &second); /* while the first is on its way */
    assert_int_equal(places.count, more.count);
    for (size_t i = 0; i < places.count; i++)
        assert_ptr_equal(places.items[i].part, more.items[i].part);
    put_all(parts, &places, &first);
    put_all(parts, &more, &second);
    assert_true(weir_value_encode_parts(value, 1, parts, &places, &third));
    assert_int_equal(places.count, 0);
    weir_str all[] = {weir_buffer_str(&first), weir_buffer_str(&second), weir_buffer_str(&third)};
    assert_true(weir_str_equal(all[0], all[1]) && weir_str_equal(all[0], all[2]));
    weir_buffer_deinit(&first);
    weir_buffer_deinit(&second);
    weir_buffer_deinit(&third);
    weir_value_unref(value);
    weir_parts_free(parts);
}

static void what_nobody_has_is_forgotten(void **state) {
    (void)state;
    enum { MIB = 1024 * 1024, VALUES = 40 };
    weir_parts *parts = weir_parts_new(MIB / 2, fetch, kept);
    char *text = malloc(MIB);
    assert_non_null(text);
    memset(text, 'x', MIB);
    weir_value *stays = weir_string_new(text, MIB);
    weir_buffer bytes = {0};
    weir_places places = {0};
    size_t named = 0;
    for (size_t i = 0; i < VALUES; i++) {
        snprintf(text, 20, "%zu", i);
        weir_value *value = weir_string_new(text, MIB);
        weir_value_encode_parts(value, 0, parts, &places, &bytes);
        weir_value_encode_parts(stays, 0, parts, &places, &bytes);
        for (size_t k = 0; k < places.count; k++) {
            named += !places.items[k].part->named;
            name(places.items[k].part);
            weir_part_note_kept(places.items[k].part);
        }
        weir_places_deinit(&places);
        weir_value_unref(value);
    }
    /* The one that stays was named once; of the others at most some 16 MiB are held, which a leak checker cannot see. */
    assert_int_equal(named, VALUES + 1);
    weir_buffer_deinit(&bytes);
    weir_value_unref(stays);
    weir_parts_free(parts);
    free(text);
}

static weir_buffer parted(const char *pattern, weir_parts *parts) {
    weir_buffer bytes = {0};
    weir_places places = {0};
    weir_value *value = parse_large(pattern);
    weir_value_encode_parts(value, 1, parts, &places, &bytes);
    put_all(parts, &places, &bytes);
    weir_value_unref(value);
    return bytes;
}

static void what_cannot_be_had_is_said(void **state) {
    (void)state;
    weir_parts *parts = weir_parts_new(LIMIT, fetch, kept);
    weir_buffer bytes = parted("{\"a\": \"L\", \"b\": [\"L+\", \"L++\", \"L+++\"]}", parts);
    weir_str all = weir_buffer_str(&bytes);
    weir_value *value = NULL;
    size_t offset = 0;
    assert_false(decode(NULL, all, &value));
    assert_non_null(strstr(error.message, "kept as a blob"));
    assert_false(weir_value_decode(all, &offset, &value, &error));
    assert_true(weir_value_decode_parts(all, &offset, NULL, true, &value, &error));
    assert_true(weir_is(weir_member_named(value, "a"), WEIR_NULL));
    assert_int_equal(fetched, 0);
    weir_value_unref(value);
    value = NULL;
    for (size_t i = 0; i < kept_count; i++) { /* any of them is cut, or gone */
        kept[i].bytes.length--;
        weir_parts *third = weir_parts_new(LIMIT, fetch, kept);
        assert_false(decode(third, all, &value));
        kept[i].bytes.length++;
        kept[i].digest[0] ^= 1;
        assert_false(decode(third, all, &value));
        assert_string_equal(error.message, "it is gone");
        kept[i].digest[0] ^= 1;
        weir_parts_free(third);
    }
    for (size_t length = 0; length < all.length; length++) {
        char *cut = weir_str_dup(weir_str_slice(all, 0, length));
        assert_false(decode(parts, (weir_str){cut, length}, &value));
        weir_free(cut);
    }
    weir_buffer_deinit(&bytes);
    weir_parts_free(parts);
}

/* A journal that somebody made: parts within parts, each once more as deep as may be, also of those that are remembered. */
static void nobody_makes_it_too_deep(void **state) {
    (void)state;
    weir_parts *parts = weir_parts_new(LIMIT, fetch, kept);
    weir_buffer bytes = {0};
    weir_value *value = NULL;
    bool ok = true;
    int rounds = 0;
    for (; ok && rounds < 10; rounds++) {
        weir_buffer next = {0};
        for (int i = 0; i < 60; i++) weir_buffer_append(&next, "\x06\x01", 2); /* [[[…]]] */
        if (!bytes.length) weir_buffer_append(&bytes, "\x00", 1);
        weir_buffer_str_append(&next, weir_buffer_str(&bytes));
        kept[kept_count].bytes = next;
        memset(kept[kept_count].digest, rounds + 1, WEIR_PART_DIGEST_BYTES);
        weir_buffer_clear(&bytes);
        weir_buffer_byte(&bytes, 9); /* an array that is a part */
        weir_varint_encode(next.length, &bytes);
        weir_buffer_append(&bytes, kept[kept_count++].digest, WEIR_PART_DIGEST_BYTES);
        ok = decode(parts, weir_buffer_str(&bytes), &value);
        if (ok) weir_value_unref(value);
    }
    assert_int_equal(rounds, 3);
    assert_non_null(strstr(error.message, "is damaged"));
    weir_buffer_deinit(&bytes);
    weir_parts_free(parts);
}

static void what_is_remembered_moves(void **state) {
    (void)state;
    weir_parts *parts = weir_parts_new(LIMIT, fetch, kept);
    weir_parts *first = weir_parts_new(LIMIT, fetch, kept);
    weir_parts *second = weir_parts_new(LIMIT, fetch, kept);
    weir_buffer bytes = parted("{\"a\": \"L\"}", parts);
    weir_value *value = NULL, *again = NULL;
    assert_true(decode(first, weir_buffer_str(&bytes), &value));
    weir_parts_move(first, second);
    weir_parts_move(NULL, second);
    weir_parts_free(first);
    assert_true(decode(second, weir_buffer_str(&bytes), &again));
    assert_int_equal(fetched, 1);
    assert_ptr_equal(weir_member_named(value, "a"), weir_member_named(again, "a"));
    weir_value_unref(value);
    weir_value_unref(again);
    weir_buffer_deinit(&bytes);
    weir_parts_free(second);
    weir_parts_free(parts);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(what_is_large_goes_out_and_comes_back, forget_kept),
        cmocka_unit_test_teardown(without_parts_the_form_is_the_plain_one, forget_kept),
        cmocka_unit_test_teardown(a_value_is_named_once, forget_kept),
        cmocka_unit_test_teardown(what_nobody_has_is_forgotten, forget_kept),
        cmocka_unit_test_teardown(what_cannot_be_had_is_said, forget_kept),
        cmocka_unit_test_teardown(nobody_makes_it_too_deep, forget_kept),
        cmocka_unit_test_teardown(what_is_remembered_moves, forget_kept),
    };
    return cmocka_run_group_tests_name("parts", tests, NULL, NULL);
}
