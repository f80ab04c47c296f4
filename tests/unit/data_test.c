/* Values, their binary form, JSON and documents. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "data/document.h"
#include "data/json.h"

static weir_value *read_json(const char *text) {
    weir_error error;
    weir_value *value = NULL;
    char problem[1024];
    if (!weir_json_parse(weir_str_from(text), WEIR_STR("t"), &value, &error))
        fail_msg("%s: %s", text, weir_error_format(&error, problem, sizeof problem));
    return value;
}

static void values_are_ordered_counted_and_compared(void **state) {
    (void)state;
    weir_value *object = weir_object_new();
    char key[8];
    for (int i = 0; i < 40; i++) {
        snprintf(key, sizeof key, "k%d", i);
        weir_member_put(object, key, weir_int_new(i));
    }
    weir_member_put(object, "k7", weir_string_from(WEIR_STR("seven")));
    assert_int_equal(weir_value_count(object), 40);
    assert_string_equal(weir_member_text(object, "k7").data, "seven");
    assert_int_equal(weir_int_get(weir_member_named(object, "k39")), 39);
    assert_null(weir_member_named(object, "k40"));
    assert_true(weir_str_is(weir_object_key(object, 39), "k39"));
    weir_value *copy = weir_value_own(weir_value_ref(object));
    assert_ptr_not_equal(copy, object);
    assert_true(weir_value_equal(copy, object));
    weir_member_put(copy, "k0", weir_float_new(0));
    assert_false(weir_value_equal(copy, object));
    weir_value_unref(copy);
    weir_value_unref(object);
}

static void truth_is_pythons(void **state) {
    (void)state;
    static const char *const falses[] = {"null", "false", "0", "0.0", "-0.0", "\"\"", "[]", "{}"};
    static const char *const trues[] = {"true", "1", "-1", "0.5", "\"0\"", "[0]", "{\"a\":null}"};
    for (size_t i = 0; i < sizeof falses / sizeof *falses; i++) {
        weir_value *value = read_json(falses[i]);
        assert_false(weir_value_truth(value));
        weir_value_unref(value);
    }
    for (size_t i = 0; i < sizeof trues / sizeof *trues; i++) {
        weir_value *value = read_json(trues[i]);
        assert_true(weir_value_truth(value));
        weir_value_unref(value);
    }
}

static const char every_type[] =
    "{\"null\":null,\"no\":false,\"yes\":true,\"least\":-9223372036854775808,"
    "\"most\":9223372036854775807,\"float\":-1.5e-300,\"text\":\"a\\u00e9\\n\",\"empty\":\"\","
    "\"array\":[1,[2,[3]],{}],\"object\":{\"\":{\"b\":[]}}}";

static void secrets_are_told_from_other_objects(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool is, has;
    } cases[] = {
        {"{\"secret\": \"a\"}", true, false},
        {"{\"before\": \"b\", \"secret\": \"a\"}", true, false},
        {"{\"secret\": \"a\", \"name\": \"b\"}", false, false}, /* a member of that name */
        {"{\"secret\": \"\"}", false, false},
        {"{\"secret\": {\"secret\": \"a\"}}", false, true},
        {"[1, {\"a\": [{\"secret\": \"a\"}]}]", false, true},
        {"[1, {\"a\": [{\"secret\": 1}]}, \"secret\", null]", false, false},
        {"\"secret\"", false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_error error;
        weir_value *value;
        assert_true(weir_json_parse(weir_str_from(cases[i].text), WEIR_STR("t"), &value, &error));
        assert_int_equal(weir_value_secret(value).length, cases[i].is);
        assert_int_equal(weir_value_has_secret(value), cases[i].has);
        weir_value_unref(value);
    }
    assert_false(weir_value_has_secret(NULL) || weir_value_secret(NULL).length);
}

static void binary_form_round_trips_and_detects_truncation(void **state) {
    (void)state;
    weir_value *value = read_json(every_type), *decoded = NULL;
    weir_buffer bytes = {0};
    weir_value_encode(value, &bytes);
    size_t offset = 0;
    assert_true(weir_value_decode(weir_buffer_str(&bytes), &offset, &decoded, NULL));
    assert_int_equal(offset, bytes.length);
    assert_true(weir_value_equal(value, decoded));
    weir_value_unref(decoded);
    for (size_t length = 0; length < bytes.length; length++) {
        /* A copy of that size, so that a sanitizer sees a read beyond it. */
        char *cut = weir_str_dup(weir_str_slice(weir_buffer_str(&bytes), 0, length));
        offset = 0;
        decoded = NULL;
        assert_false(weir_value_decode((weir_str){cut, length}, &offset, &decoded, NULL));
        assert_int_equal(offset, 0);
        assert_null(decoded);
        weir_free(cut);
    }
    weir_buffer_deinit(&bytes);
    weir_value_unref(value);
}

static void binary_form_is_canonical(void **state) {
    (void)state;
    static const weir_str damaged[] = {
        {"\x08", 1},                         /* an unknown tag */
        {"\x03\x80\x00", 3},                 /* a padded number */
        {"\x07\x02\x01k\x00\x01k\x00", 8},   /* a key that is there twice */
        {"\x06\xff\xff\xff\xff\x0f\x00", 7}, /* more items than bytes */
    };
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        size_t offset = 0;
        weir_value *value;
        assert_false(weir_value_decode(damaged[i], &offset, &value, NULL));
    }
    static const uint64_t numbers[] = {0, 1, 127, 128, 1u << 31, UINT64_MAX - 1, UINT64_MAX};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        weir_buffer bytes = {0};
        uint64_t number = 0;
        size_t offset = 0;
        weir_varint_encode(numbers[i], &bytes);
        assert_true(weir_varint_decode(weir_buffer_str(&bytes), &offset, &number));
        assert_true(number == numbers[i] && offset == bytes.length);
        weir_buffer_deinit(&bytes);
    }
}

/* Formats the text's value; checks that it reads back equal. */
static void reformat(const char *text, int indent, weir_buffer *out) {
    weir_value *value = read_json(text);
    weir_buffer_clear(out);
    weir_json_format(value, indent, out);
    weir_value *again = read_json(out->data);
    assert_true(weir_value_equal(value, again));
    weir_value_unref(again);
    weir_value_unref(value);
}

static void json_is_parsed_and_formatted(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {" [ ] ", "[]"},
        {"{}\n", "{}"},
        {"-0", "0"},
        {"-0.0", "-0.0"},
        {"1e2", "100.0"},
        {"0.1", "0.1"},
        {"1e300", "1e+300"},
        {"0.30000000000000004", "0.30000000000000004"},
        {"12345678901234567890.0", "1.2345678901234567e+19"},
        {"-9223372036854775808", "-9223372036854775808"},
        {"\"\\u0001\\ud83d\\ude00\\/\\b\\\"\\\\\"", "\"\\u0001\xf0\x9f\x98\x80/\\b\\\"\\\\\""},
        {"{\"b\":1,\"a\":2,\"b\":3}", "{\"b\":3,\"a\":2}"},
    };
    weir_buffer out = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        reformat(cases[i][0], 0, &out);
        assert_string_equal(out.data, cases[i][1]);
    }
    reformat(every_type, 0, &out);
    reformat("{\"a\":[1,[],{\"b\":null}]}", 2, &out);
    assert_string_equal(out.data,
                        "{\n  \"a\": [\n    1,\n    [],\n    {\n      \"b\": null\n    }\n  ]\n}");
    weir_value *nan = weir_float_new((double)NAN);
    weir_buffer_clear(&out);
    weir_json_format(nan, 0, &out);
    assert_string_equal(out.data, "null");
    weir_value_unref(nan);
    weir_buffer_deinit(&out);
}

static void json_errors_have_places(void **state) {
    (void)state;
    const struct {
        weir_str text;
        unsigned line, column;
    } cases[] = {
        {WEIR_STR(""), 1, 1},
        {WEIR_STR(" \n "), 2, 2},
        {WEIR_STR("01"), 1, 1},
        {WEIR_STR("1."), 1, 1},
        {WEIR_STR("+1"), 1, 1},
        {WEIR_STR("[\n 9223372036854775808]"), 2, 2},
        {WEIR_STR("[-9223372036854775809]"), 1, 2},
        {WEIR_STR("1e400"), 1, 1},
        {WEIR_STR("NaN"), 1, 1},
        {WEIR_STR("-Infinity"), 1, 1},
        {WEIR_STR("tru"), 1, 1},
        {WEIR_STR("True"), 1, 1},
        {WEIR_STR("[1,]"), 1, 4},
        {WEIR_STR("[1 2]"), 1, 4},
        {WEIR_STR("{\"a\":1,\n}"), 2, 1},
        {WEIR_STR("{'a':1}"), 1, 2},
        {WEIR_STR("[/**/]"), 1, 2},
        {WEIR_STR("[1]\n\n ]"), 3, 2},
        {WEIR_STR("\"a"), 1, 3},
        {WEIR_STR("\"\\q\""), 1, 3},
        {WEIR_STR("\"\t\""), 1, 2},
        {WEIR_STR("[\"\xc3\xa9\\u0000\"]"), 1, 4},
        {WEIR_STR("{\"\\u0000\":1}"), 1, 3},
        {WEIR_STR("\"\\ud800\""), 1, 2},
        {WEIR_STR("\"\\ude00\\ud83d\""), 1, 2},
        {WEIR_STR("\"\xc0\x80\""), 1, 2},
        {WEIR_STR("\"\xed\xa0\x80\""), 1, 2},
        {WEIR_STR("\"\xf4\x90\x80\x80\""), 1, 2},
        {WEIR_STR("[1,\0]"), 1, 4},
        {WEIR_STR("\"\0\""), 1, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_value *untouched = NULL;
        weir_error error;
        if (weir_json_parse(cases[i].text, WEIR_STR("t"), &untouched, &error))
            fail_msg("%s was taken", cases[i].text.data);
        assert_null(untouched);
        assert_string_equal(error.file, "t");
        if (error.line != cases[i].line || error.column != cases[i].column)
            fail_msg("%s: %u:%u", cases[i].text.data, error.line, error.column);
    }
}

/* As in YAML: an error with its place, or told with all the others, and the first counts. In data the last counts. */
static void keys_of_files_of_json_are_there_once(void **state) {
    (void)state;
    const char *const texts[] = {
        "{\"a\": 1,\n  \"b\": [{\"c\": 1, \"\\u0063\": {\"d\": 3}}], \"a\": [2]}",
        "{\"1\":1,\"2\":2,\"3\":3,\"4\":4,\"5\":5,\"6\":6,\"7\":7,\"8\":8,\n\"9\":9,\"2\":0,\"10\":"
        "1,"
        "\"9\":{},\"a\": 1}"};
    const unsigned places[][2] = {{2, 18}, {2, 40}, {2, 7}, {2, 20}};
    for (size_t i = 0; i < 2; i++) {
        weir_document document;
        weir_error error;
        weir_problems repeated = {0};
        weir_str text = weir_str_from(texts[i]);
        assert_false(weir_document_parse(&document, "f.json", text, WEIR_YAML_CORE, &error));
        assert_non_null(strstr(error.message, "is there twice"));
        assert_int_equal(error.line, places[2 * i][0]);
        assert_int_equal(error.column, places[2 * i][1]);
        assert_false(weir_document_parse(&document, "f", text, WEIR_YAML_CORE, &error));
        assert_int_equal(error.line, places[2 * i][0]);
        assert_true(
            weir_document_parse_on(&document, "f.json", text, WEIR_YAML_CORE, &repeated, &error));
        assert_int_equal(repeated.count, 2);
        for (size_t k = 0; k < 2; k++) {
            assert_int_equal(repeated.items[k].line, places[2 * i + k][0]);
            assert_int_equal(repeated.items[k].column, places[2 * i + k][1]);
        }
        assert_int_equal(weir_int_get(weir_member_named(document.roots.items[0], "a")), 1);
        weir_problems_deinit(&repeated);
        weir_document_deinit(&document);
        weir_value *data = read_json(texts[i]);
        assert_int_equal(weir_value_type(weir_member_named(data, i ? "9" : "a")),
                         i ? WEIR_OBJECT : WEIR_ARRAY);
        weir_value_unref(data);
    }
}

/* Of many, and of one after the other in an object that gets an index. */
static void large_objects_are_read(void **state) {
    (void)state;
    weir_buffer text = {0};
    for (int i = 0; i < 5000; i++)
        weir_buffer_printf(&text, "%c\"key %d\":{\"same\":\"text\",\"number\":[%d]}", i ? ',' : '{',
                           i, i);
    weir_buffer_byte(&text, '}');
    weir_value *all = read_json(text.data);
    assert_int_equal(weir_value_count(all), 5000);
    for (int i = 0; i < 5000; i++) {
        char key[16];
        snprintf(key, sizeof key, "key %d", i);
        const weir_value *member = weir_member_named(all, key);
        assert_ptr_equal(member, weir_object_at(all, (size_t)i));
        assert_int_equal(weir_int_get(weir_array_at(weir_member_named(member, "number"), 0)), i);
        assert_string_equal(weir_member_text(member, "same").data, "text");
    }
    assert_null(weir_member_named(all, "key 5000"));
    weir_value_unref(all);
    weir_buffer_clear(&text);
    for (int i = 0; i < 3; i++) weir_buffer_text(&text, "[{\"a\":");
    for (int i = 0; i < 200; i++) weir_buffer_byte(&text, '[');
    weir_value *none;
    weir_error error;
    assert_false(weir_json_parse(weir_buffer_str(&text), WEIR_STR("t"), &none, &error));
    assert_int_equal(error.code, WEIR_LIMIT);
    weir_json_file few = {WEIR_STR("t"), 3, NULL};
    assert_false(weir_json_parse_file(WEIR_STR("[1, 2, 3]"), &few, &none, &error));
    assert_int_equal(error.code, WEIR_LIMIT);
    assert_int_equal(error.column, 8);
    weir_buffer_deinit(&text);
}

static void places_in_json_are_found(void **state) {
    (void)state;
    weir_str text =
        WEIR_STR(" {\"a\": [1, {\"b]\\\"\": \"}\"},\n [[], {\"~/\": -1.5}]], \"\\u00e9\": null }");
    static const struct {
        const char *path;
        unsigned line, column;
    } cases[] = {{"", 1, 2},           {"a", 1, 3},         {"a/0", 1, 9},         {"a/1", 1, 12},
                 {"a/1/b]\"", 1, 13},  {"a/2", 2, 2},       {"a/2/0", 2, 3},       {"a/2/1", 2, 7},
                 {"a/2/1/~0~1", 2, 8}, {"\xc3\xa9", 2, 23}, {"a/1/none/1", 1, 12}, {"a/3", 1, 3},
                 {"a/x", 1, 3},        {"none", 1, 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t line, column;
        weir_json_locate(text, weir_str_from(cases[i].path), &line, &column);
        if (line != cases[i].line || column != cases[i].column)
            fail_msg("%s: %u:%u", cases[i].path, line, column);
    }
}

static void documents_know_their_places(void **state) {
    (void)state;
    weir_document document;
    weir_error error;
    weir_problems problems = {0};
    assert_true(weir_document_parse(&document, "f.yaml", WEIR_STR("a: 1\n---\nb:\n  c: yes\n"),
                                    WEIR_YAML_1_1, &error));
    assert_int_equal(document.roots.count, 2);
    weir_document_problem(&document, 1, "b/c", WEIR_INVALID, &problems, "%s is wrong", "c");
    char text[256];
    assert_string_equal(weir_error_format(&problems.items[0], text, sizeof text),
                        "f.yaml:4:3: c is wrong");
    weir_problems_deinit(&problems);
    weir_document_deinit(&document);

    /* Flow style is YAML too. */
    assert_true(
        weir_document_parse(&document, "f.yaml", WEIR_STR(" {a: 1}"), WEIR_YAML_CORE, &error));
    weir_document_deinit(&document);

    const struct {
        const char *file;
        weir_str text;
    } refused[] = {
        {"f.json", WEIR_STR("a: 1")}, {"f.json", WEIR_STR(" {a: 1}")}, {"f.yaml", WEIR_STR(" \n")}};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        assert_false(weir_document_parse(&document, refused[i].file, refused[i].text,
                                         WEIR_YAML_CORE, &error));
        assert_string_equal(error.file, refused[i].file);
    }
}

static void files_are_read_within_limits(void **state) {
    (void)state;
    char file[] = "/tmp/weir-data-test-XXXXXX";
    int fd = mkstemp(file);
    assert_int_equal(write(fd, "[1]", 3), 3);
    close(fd);
    weir_buffer out = {0};
    weir_error error;
    weir_buffer_text(&out, "+");
    assert_false(weir_file_read(file, 2, &out, &error));
    assert_int_equal(error.code, WEIR_LIMIT);
    assert_string_equal(out.data, "+");
    assert_true(weir_file_read(file, 3, &out, &error));
    assert_string_equal(out.data, "+[1]");
    weir_document document;
    assert_true(weir_document_load(&document, file, WEIR_YAML_CORE, &error));
    assert_int_equal(weir_value_count(document.roots.items[0]), 1);
    weir_document_deinit(&document);
    unlink(file);
    assert_false(weir_document_load(&document, file, WEIR_YAML_CORE, &error));
    assert_int_equal(error.code, WEIR_NOT_FOUND);
    assert_string_equal(error.file, file);
    assert_false(weir_file_read("/tmp", 3, &out, &error));
    assert_int_equal(error.code, WEIR_INVALID);
    weir_buffer_deinit(&out);
}

static void write_file(const char *file, const char *text) {
    FILE *f = fopen(file, "w");
    assert_non_null(f);
    assert_int_equal(fputs(text, f) < 0, 0);
    fclose(f);
}

static void a_file_is_parsed_again_when_it_changed(void **state) {
    (void)state;
    char file[] = "/tmp/weir-data-test-XXXXXX";
    static const char *const texts[] = {"[1]", "[1]", "[2]", "[", "[2]"};
    weir_document last = {0}, document;
    weir_error error;
    weir_value *before = NULL; /* borrowed of `last` */
    close(mkstemp(file));
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        write_file(file, texts[i]);
        bool whole = strlen(texts[i]) > 1, same = i && strcmp(texts[i], texts[i - 1]) == 0;
        assert_int_equal(weir_document_load_again(&document, file, WEIR_YAML_CORE, &last, &error),
                         whole);
        if (!whole) continue; /* what was whole stays */
        weir_value *root = document.roots.items[0];
        assert_int_equal(weir_int_get(weir_array_at(root, 0)), texts[i][1] - '0');
        assert_int_equal(root == before, same || i == 4);
        assert_ptr_equal(root, last.roots.items[0]);
        assert_string_equal(document.text.data, texts[i]);
        before = root;
        weir_document_deinit(&document);
    }
    unlink(file);
    assert_false(weir_document_load_again(&document, file, WEIR_YAML_CORE, &last, &error));
    assert_int_equal(error.code, WEIR_NOT_FOUND);
    weir_document_deinit(&last);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_ordered_counted_and_compared),
        cmocka_unit_test(truth_is_pythons),
        cmocka_unit_test(secrets_are_told_from_other_objects),
        cmocka_unit_test(binary_form_round_trips_and_detects_truncation),
        cmocka_unit_test(binary_form_is_canonical),
        cmocka_unit_test(json_is_parsed_and_formatted),
        cmocka_unit_test(json_errors_have_places),
        cmocka_unit_test(keys_of_files_of_json_are_there_once),
        cmocka_unit_test(large_objects_are_read),
        cmocka_unit_test(places_in_json_are_found),
        cmocka_unit_test(documents_know_their_places),
        cmocka_unit_test(files_are_read_within_limits),
        cmocka_unit_test(a_file_is_parsed_again_when_it_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
