/* Values in Python's marshal form: what the interpreter writes is read, what is written reads back, and bytes that are neither are
 * refused. The bytes here are what `marshal.dumps(…, 2)` of Python 3.11 gives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "data/json.h"
#include "data/marshal.h"

#define BYTES(literal) ((weir_str){literal, sizeof(literal) - 1})

static weir_value *read(weir_str bytes, weir_error *error) {
    weir_marshal in = {.bytes = bytes};
    weir_value *value = NULL;
    *error = (weir_error){0};
    if (!weir_marshal_read_value(&in, &value, error)) return NULL;
    assert_int_equal(in.at, bytes.length);
    return value;
}

static void expect(weir_str bytes, const char *json) {
    weir_error error;
    weir_value *value = read(bytes, &error);
    weir_buffer text = {0};
    assert_non_null(value);
    weir_json_format(value, 0, &text);
    assert_string_equal(text.data, json);
    weir_buffer_deinit(&text);
    weir_value_unref(value);
}

static void expect_refused(weir_str bytes, weir_code code, const char *part) {
    weir_error error;
    assert_null(read(bytes, &error));
    assert_int_equal(error.code, code);
    assert_non_null(strstr(error.message, part));
}

static void test_what_python_writes_is_read(void **state) {
    (void)state;
    expect(BYTES("N"), "null");
    expect(BYTES("T"), "true");
    expect(BYTES("F"), "false");
    expect(BYTES("i\x01\0\0\0"), "1");
    expect(BYTES("i\xfb\xff\xff\xff"), "-5");
    expect(BYTES("l\x03\0\0\0\0\0\0\0\0\x04"), "1099511627776");
    expect(BYTES("l\xfd\xff\xff\xff\0\0\0\0\0\x04"), "-1099511627776");
    expect(BYTES("l\x05\0\0\0\xff\x7f\xff\x7f\xff\x7f\xff\x7f\x07\0"), "9223372036854775807");
    expect(BYTES("l\xfb\xff\xff\xff\0\0\0\0\0\0\0\0\x08\0"), "-9223372036854775808");
    expect(BYTES("g\0\0\0\0\0\0\xf8\x3f"), "1.5");
    expect(BYTES("u\x02\0\0\0\xc3\xa9"), "\"é\"");
    expect(BYTES("[\x01\0\0\0i\x01\0\0\0"), "[1]");
    expect(BYTES("(\x02\0\0\0i\x01\0\0\0N"), "[1,null]");
    expect(BYTES("{u\x01\0\0\0ai\x01\0\0\0000"), "{\"a\":1}");
}

static void test_what_is_no_value_is_refused_and_passed_over(void **state) {
    (void)state;
    expect_refused(BYTES("l\x05\0\0\0\0\0\0\0\0\0\0\0\x08\0"), WEIR_LIMIT, "64 bits");
    expect_refused(BYTES("l\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0"), WEIR_LIMIT, "64 bits");
    expect_refused(BYTES("u\x03\0\0\0\xed\xa0\x80"), WEIR_INVALID, "surrogates");
    expect_refused(BYTES("{i\x01\0\0\0N0"), WEIR_INVALID, "key");
    weir_marshal in = {.bytes = BYTES("(\x02\0\0\0u\x03\0\0\0\xed\xa0\x80Ni\x07\0\0\0")};
    weir_value *value;
    int64_t number;
    assert_false(weir_marshal_read_value(&in, &value, NULL));
    assert_true(weir_marshal_read_int(&in, &number)); /* what comes behind it is there */
    assert_int_equal(number, 7);
}

static void test_what_is_no_marshal_is_refused(void **state) {
    (void)state;
    static const weir_str wrong[] = {{"", 0},
                                     {"x", 1},
                                     {"i\x01", 2},
                                     {"[\xff\xff\xff\x7f", 5},
                                     {"u\x05\0\0\0ab", 7},
                                     {"{N", 2},
                                     {"l\xff\xff\xff\x7f", 5},
                                     {"l\x01\0\0\0\xff\xff", 7},
                                     {"s\x02\0\0\0a", 6},
                                     {"<\0\0\0\0", 5},
                                     {"c", 1}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        expect_refused(wrong[i], WEIR_IO, "no values");
    weir_buffer deep = {0};
    for (int i = 0; i < 100000; i++) weir_marshal_list(1, &deep);
    weir_marshal_none(&deep);
    expect_refused(weir_buffer_str(&deep), WEIR_IO, "no values");
    deep.length = (size_t)5 * (WEIR_DEPTH_MAX + 1);
    weir_marshal_none(&deep);
    expect_refused(weir_buffer_str(&deep), WEIR_LIMIT, "too deep");
    weir_buffer_deinit(&deep);
}

static void test_what_is_written_reads_back(void **state) {
    (void)state;
    static const char *const values[] = {"null",
                                         "true",
                                         "[]",
                                         "{}",
                                         "-1",
                                         "2147483647",
                                         "2147483648",
                                         "-2147483649",
                                         "9223372036854775807",
                                         "-9223372036854775808",
                                         "1e300",
                                         "\"\"",
                                         "\"aé😀\"",
                                         "{\"a\":[1,2.5,{\"b\":null}],\"\":false}"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        weir_value *value;
        weir_error error;
        weir_buffer bytes = {0};
        assert_true(weir_json_parse(weir_str_from(values[i]), WEIR_STR(""), &value, &error));
        weir_marshal_value(value, &bytes);
        weir_value *again = read(weir_buffer_str(&bytes), &error);
        assert_true(again && weir_value_equal(value, again));
        weir_value_unref(value);
        weir_value_unref(again);
        weir_buffer_deinit(&bytes);
    }
}

static void test_parts_of_messages(void **state) {
    (void)state;
    weir_buffer bytes = {0};
    weir_marshal_tuple(3, &bytes);
    weir_marshal_int(-(1LL << 40), &bytes);
    weir_marshal_text(WEIR_STR("name"), &bytes);
    weir_marshal_int(3, &bytes);
    weir_marshal in = {.bytes = weir_buffer_str(&bytes)};
    uint32_t count;
    int64_t number;
    double real;
    weir_str text;
    assert_true(weir_marshal_read_items(&in, &count) && count == 3);
    assert_true(weir_marshal_read_int(&in, &number) && number == -(1LL << 40));
    assert_false(weir_marshal_read_int(&(weir_marshal){in.bytes, in.at}, &number));
    assert_true(weir_marshal_read_text(&in, &text) && weir_str_is(text, "name"));
    assert_true(weir_marshal_read_float(&in, &real) && real > 2.9 && real < 3.1);
    assert_false(weir_marshal_read_float(&in, &real));
    weir_buffer_deinit(&bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_python_writes_is_read),
        cmocka_unit_test(test_what_is_no_value_is_refused_and_passed_over),
        cmocka_unit_test(test_what_is_no_marshal_is_refused),
        cmocka_unit_test(test_what_is_written_reads_back),
        cmocka_unit_test(test_parts_of_messages),
    };
    return cmocka_run_group_tests_name("marshal", tests, NULL, NULL);
}
