/* Bytes and objects of other languages as values: where they are, that they are equal, how they are written and read, what is shown of them; and
 * memory that processes share. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "data/json.h"
#include "data/marshal.h"
#include "data/parts.h"
#include "data/yaml_format.h"

enum { LARGE = WEIR_BYTES_SHARED + 1000 };

static weir_segment *segment_of(size_t size, char fill) {
    char *bytes = weir_alloc(size);
    weir_segment *segment = NULL;
    memset(bytes, fill, size);
    assert_true(weir_segment_new((weir_str){bytes, size}, &segment, NULL));
    weir_free(bytes);
    return segment;
}

static weir_value *bytes_in(weir_segment *segment, size_t offset, size_t length) {
    weir_value *value = weir_bytes_within(segment, offset, length);
    weir_segment_unref(segment);
    return value;
}

static void expect_json(weir_value *value, const char *expected) {
    weir_buffer text = {0};
    weir_json_format(value, 0, &text);
    assert_string_equal(text.data, expected);
    weir_buffer_deinit(&text);
    weir_value_unref(value);
}

/* --- memory that is shared */

static void test_a_segment_goes_to_others(void **state) {
    (void)state;
    weir_error error;
    uint64_t before = weir_segments_bytes();
    weir_segment *segment = segment_of(LARGE, 'x'), *again = NULL, *other = segment_of(LARGE, 'x');
    int fd;
    assert_true(weir_segment_lend(segment, &fd, &error));
    assert_int_equal(write(fd, "y", 1), -1);
    assert_int_equal(ftruncate(fd, 1), -1);
    assert_true(weir_segment_take(fd, &again, &error));
    assert_true(weir_segment_is(segment, again));
    assert_false(weir_segment_is(segment, other));
    assert_int_equal(weir_segment_data(again)[LARGE - 1], 'x');
    assert_true(weir_segments_bytes() == before + 3 * (uint64_t)LARGE);
    weir_segment_unref(segment);
    weir_segment_unref(again);
    weir_segment_unref(other);
    assert_true(weir_segments_bytes() == before);
}

static void test_what_is_not_sealed_is_refused(void **state) {
    (void)state;
    weir_error error;
    weir_segment *segment;
    int half = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING), ends[2];
    assert_int_equal(fcntl(half, F_ADD_SEALS, F_SEAL_WRITE), 0); /* it could still be cut off */
    assert_int_equal(pipe(ends), 0);
    close(ends[1]);
    const int wrong[] = {half, memfd_create("test", MFD_CLOEXEC), ends[0],
                         open("/dev/zero", O_RDONLY), -1};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_false(weir_segment_take(wrong[i], &segment, &error));
        assert_int_equal(error.code, WEIR_INVALID);
        assert_int_equal(fcntl(wrong[i], F_GETFD), -1);
    }
}

static void test_without_descriptors_segments_are_mapped(void **state) {
    (void)state;
    struct rlimit before, few;
    weir_segment *segments[20];
    weir_error error;
    getrlimit(RLIMIT_NOFILE, &before);
    few = before;
    few.rlim_cur = 20; /* ten of which may be of segments */
    setrlimit(RLIMIT_NOFILE, &few);
    for (int i = 0; i < 20; i++) segments[i] = segment_of(5000, (char)('a' + i));
    int fd;
    assert_true(weir_segment_lend(segments[19], &fd, &error));
    char byte;
    assert_int_equal(pread(fd, &byte, 1, 4999), 1);
    assert_int_equal(byte, 'a' + 19);
    close(fd);
    few.rlim_cur = 0;
    setrlimit(RLIMIT_NOFILE, &few);
    assert_false(weir_segment_lend(segments[0], &fd, &error));
    assert_false(weir_segment_new(WEIR_STR("x"), &segments[0], &error));
    assert_non_null(strstr(error.message, "no descriptor"));
    setrlimit(RLIMIT_NOFILE, &before);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(*weir_segment_data(segments[i]), 'a' + i);
        weir_segment_unref(segments[i]);
    }
}

/* --- values */

static void count_release(void *arg) {
    ++*(int *)arg;
}

static void test_bytes_are_the_same_wherever_they_are(void **state) {
    (void)state;
    char *own = weir_alloc(LARGE);
    int released = 0;
    memset(own, 'x', LARGE);
    weir_segment *segment = segment_of(2 * (size_t)LARGE, 'x'), *found;
    weir_value *values[] = {
        weir_bytes_new(own, LARGE), weir_bytes_wrap(own, LARGE, count_release, &released),
        weir_bytes_within(segment, 0, LARGE), weir_bytes_within(segment, 7, LARGE)};
    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j < 4; j++) assert_true(weir_value_equal(values[i], values[j]));
    size_t offset;
    assert_true(weir_bytes_segment(values[3], &found, &offset, NULL));
    assert_ptr_equal(found, segment);
    assert_int_equal(offset, 7);
    assert_null(weir_bytes_segment_known(values[0]));
    assert_true(weir_bytes_segment(values[0], &found, &offset, NULL));
    assert_ptr_equal(weir_bytes_segment_known(values[0]), found);
    assert_int_equal(offset, 0);
    for (size_t i = 0; i < 4; i++) weir_value_unref(values[i]);
    assert_int_equal(released, 1);
    weir_segment_unref(segment);
    weir_free(own);
    weir_value *none = weir_bytes_new(NULL, 0), *some = weir_bytes_new("a", 1),
               *other = weir_bytes_new("b", 1);
    assert_false(weir_value_truth(none));
    assert_true(weir_value_truth(some));
    assert_false(weir_value_equal(none, some) || weir_value_equal(some, other));
    weir_value_unref(none);
    weir_value_unref(some);
    weir_value_unref(other);
}

static weir_value *object_of(const char *form, weir_value *first, weir_value *second) {
    weir_value *pieces = weir_array_new();
    weir_array_append(pieces, first);
    if (second) weir_array_append(pieces, second);
    return weir_foreign_new(weir_str_from(form), WEIR_STR("a.Thing"), pieces);
}

static void test_what_is_shown(void **state) {
    (void)state;
    expect_json(weir_bytes_new("", 0), "{\"$bytes\":\"\"}");
    expect_json(weir_bytes_new("f", 1), "{\"$bytes\":\"Zg==\"}");
    expect_json(weir_bytes_new("fo", 2), "{\"$bytes\":\"Zm8=\"}");
    expect_json(weir_bytes_new("\xff\xfe\xfd", 3), "{\"$bytes\":\"//79\"}");
    expect_json(bytes_in(segment_of(LARGE, 'x'), 0, LARGE),
                "{\"$bytes\":{\"size\":66536,\"xxh3\":\"448b493f47662091\"}}");
    expect_json(object_of("f", weir_bytes_new("ab", 2), weir_bytes_new("", 0)),
                "{\"$object\":{\"type\":\"a.Thing\",\"form\":\"f\",\"size\":2,\"xxh3\":\"8ea87df1040ca839\"}}");
    weir_value *list = weir_array_new();
    weir_array_append(list, weir_bytes_new("f", 1));
    weir_buffer yaml = {0};
    weir_yaml_format(list, &yaml);
    assert_string_equal(yaml.data, "- {\"$bytes\":\"Zg==\"}\n");
    weir_buffer_deinit(&yaml);
    weir_value_unref(list);
}

/* --- the binary form */

static weir_value *nested(void) {
    weir_value *all = weir_object_new();
    weir_member_put(all, "small", weir_bytes_new("\0\xff", 2));
    weir_member_put(all, "large", bytes_in(segment_of(LARGE, 'l'), 0, LARGE));
    weir_member_put(all, "object",
                    object_of(WEIR_PYTHON_FORM, weir_bytes_new("p", 1),
                              bytes_in(segment_of(LARGE, 'o'), 5, LARGE - 5)));
    return all;
}

static void test_it_is_written_and_read(void **state) {
    (void)state;
    weir_value *value = nested(), *back = NULL;
    weir_buffer bytes = {0};
    size_t at = 0;
    weir_value_encode(value, &bytes);
    assert_true(weir_value_decode(weir_buffer_str(&bytes), &at, &back, NULL));
    assert_int_equal(at, bytes.length);
    assert_true(weir_value_equal(value, back));
    weir_value_unref(back);
    for (size_t cut = 0; cut < 60; cut++) { /* of any length it is damaged, or another value */
        at = 0;
        assert_false(weir_value_decode((weir_str){bytes.data, cut}, &at, &back, NULL));
    }
    weir_buffer_deinit(&bytes);
    weir_value_unref(value);
}

static bool fetch(void *arg, const unsigned char *digest, uint64_t size, weir_buffer *out,
                  weir_error *error) {
    (void)error;
    const weir_places *kept = arg;
    for (size_t i = 0; i < kept->count; i++) {
        weir_part *part = kept->items[i].part;
        if (memcmp(part->name.digest, digest, WEIR_PART_DIGEST_BYTES) != 0) continue;
        weir_buffer_str_append(out, weir_part_content(part));
        return out->length == size;
    }
    return false;
}

static void test_large_ones_go_out(void **state) {
    (void)state;
    weir_value *value = nested(), *back = NULL;
    weir_places places = {0};
    weir_parts *parts = weir_parts_new(WEIR_BYTES_SHARED, NULL, NULL),
               *reader = weir_parts_new(WEIR_BYTES_SHARED, fetch, &places);
    weir_buffer bytes = {0};
    size_t at = 0;
    assert_true(weir_value_encode_parts(value, 0, parts, &places, &bytes));
    assert_int_equal(places.count, 2);
    assert_true(bytes.length < 300);
    for (size_t i = 0; i < places.count; i++) {
        places.items[i].part->name.digest[0] = (unsigned char)(i + 1);
        places.items[i].part->named = true;
    }
    weir_places_fill(&places, &bytes);
    assert_true(weir_value_decode_parts(weir_buffer_str(&bytes), &at, reader, false, &back, NULL));
    assert_true(weir_value_equal(value, back));
    weir_value_unref(back);
    at = 0; /* for who only looks through */
    assert_true(weir_value_decode_parts(weir_buffer_str(&bytes), &at, NULL, true, &back, NULL));
    assert_true(weir_is(weir_member_named(back, "object"), WEIR_FOREIGN));
    weir_value_unref(back);
    weir_places_deinit(&places);
    weir_parts_free(parts);
    weir_parts_free(reader);
    weir_buffer_deinit(&bytes);
    weir_value_unref(value);
}

/* --- objects that live here */

static int frozen, freed;

static weir_value *freeze(void *handle, weir_error *error) {
    frozen++;
    if (!*(char *)handle) {
        weir_fail(error, WEIR_INVALID, "it cannot");
        return NULL;
    }
    weir_value *pieces = weir_array_new();
    weir_array_append(pieces, weir_bytes_new(handle, 1));
    return pieces;
}

static void release(void *handle) {
    (void)handle;
    freed++;
}

static void test_an_object_that_lives_here(void **state) {
    (void)state;
    static const weir_foreign_class class = {.form = "f", .freeze = freeze, .release = release},
                                    other = class;
    weir_error error;
    weir_value *a = weir_foreign_wrap(&class, "x", WEIR_STR("t")),
               *b = weir_foreign_wrap(&class, "x", WEIR_STR("t")),
               *kept = object_of("f", weir_bytes_new("x", 1), NULL),
               *cannot = weir_foreign_wrap(&class, "", WEIR_STR("t"));
    assert_string_equal(weir_foreign_handle(a, &class), "x");
    assert_null(weir_foreign_handle(a, &other));
    assert_null(weir_foreign_handle(kept, &class));
    assert_int_equal(frozen, 0);
    assert_int_equal(weir_foreign_size(a), 0);
    assert_true(weir_value_equal(a, kept));
    assert_true(weir_foreign_pieces(a, &error) == weir_foreign_pieces(a, &error));
    assert_int_equal(frozen, 1);
    assert_int_equal(weir_foreign_size(a), 1);
    assert_null(weir_foreign_pieces(cannot, &error));
    assert_string_equal(error.message, "it cannot");
    assert_false(weir_value_equal(cannot, kept));
    expect_json(weir_value_ref(cannot),
                "{\"$object\":{\"type\":\"t\",\"form\":\"f\",\"problem\":\"it cannot\"}}");
    weir_value_unref(a);
    weir_value_unref(b);
    weir_value_unref(kept);
    weir_value_unref(cannot);
    assert_int_equal(freed, 3);
}

/* --- on its way to Python */

static void test_it_goes_beside_the_message(void **state) {
    (void)state;
    weir_value *value = nested(), *back = NULL;
    weir_enclosed sent = {0};
    weir_buffer out = {0};
    weir_marshal_value_with(value, &sent, &out);
    assert_int_equal(sent.segments.count, 2);
    assert_true(sent.used && out.length < 300);
    weir_marshal in = {.bytes = weir_buffer_str(&out), .enclosed = &sent};
    assert_true(weir_marshal_read_value(&in, &back, NULL));
    assert_true(weir_value_equal(value, back));
    assert_ptr_equal(weir_bytes_segment_known(weir_member_named(back, "large")),
                     weir_bytes_segment_known(weir_member_named(value, "large")));
    weir_value_unref(back);
    in = (weir_marshal){.bytes = weir_buffer_str(&out)}; /* without what it refers to it is none */
    assert_false(weir_marshal_read_value(&in, &back, NULL));
    weir_buffer_clear(&out);
    weir_marshal_value(value, &out);
    in = (weir_marshal){.bytes = weir_buffer_str(&out)};
    assert_true(weir_marshal_read_value(&in, &back, NULL));
    assert_true(weir_value_equal(value, back));
    weir_value_unref(back);
    weir_value_unref(value);
    weir_enclosed_clear(&sent);
    weir_buffer_deinit(&out);
}

static void test_places_that_are_not_there_are_refused(void **state) {
    (void)state;
    static const int64_t wrong[][3] = {{1, 0, 1},
                                       {-1, 0, 1},
                                       {0, -1, 1},
                                       {0, 0, -1},
                                       {0, 101, 0},
                                       {0, 1, 100},
                                       {0, INT64_MAX, INT64_MAX}};
    weir_enclosed enclosed = {0};
    weir_value *value;
    weir_error error;
    *weir_vector_push(&enclosed.segments) = segment_of(100, 'x');
    for (size_t i = 0; i <= sizeof wrong / sizeof *wrong; i++) {
        static const int64_t right[3] = {0, 50, 50};
        const int64_t *place = i < sizeof wrong / sizeof *wrong ? wrong[i] : right;
        weir_buffer out = {0};
        weir_marshal_tuple(3, &out);
        weir_buffer_byte(&out, '.');
        weir_marshal_int(0, &out);
        weir_marshal_tuple(3, &out);
        for (size_t j = 0; j < 3; j++) weir_marshal_int(place[j], &out);
        weir_marshal in = {.bytes = weir_buffer_str(&out), .enclosed = &enclosed};
        assert_int_equal(weir_marshal_read_value(&in, &value, &error), place == right);
        if (place == right) weir_value_unref(value);
        weir_buffer_deinit(&out);
    }
    weir_enclosed_clear(&enclosed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_segment_goes_to_others),
        cmocka_unit_test(test_what_is_not_sealed_is_refused),
        cmocka_unit_test(test_without_descriptors_segments_are_mapped),
        cmocka_unit_test(test_bytes_are_the_same_wherever_they_are),
        cmocka_unit_test(test_what_is_shown),
        cmocka_unit_test(test_it_is_written_and_read),
        cmocka_unit_test(test_large_ones_go_out),
        cmocka_unit_test(test_an_object_that_lives_here),
        cmocka_unit_test(test_it_goes_beside_the_message),
        cmocka_unit_test(test_places_that_are_not_there_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
