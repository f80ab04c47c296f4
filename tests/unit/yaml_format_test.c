/* Values as YAML: what is written, and that our reader gives the equal value back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include "data/json.h"
#include "data/yaml.h"
#include "data/yaml_format.h"

static void write_yaml(const char *json, weir_buffer *out) {
    weir_value *value;
    weir_error error;
    if (!weir_json_parse(weir_str_from(json), WEIR_STR("t"), &value, &error))
        fail_msg("%s: %s", json, error.message);
    weir_yaml_format(value, out);
    weir_value_unref(value);
}

static void yaml_is_written(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"null", "null\n"},
        {"[]", "[]\n"},
        {"{}", "{}\n"},
        {"-7", "-7\n"},
        {"\"some text\"", "some text\n"},
        {"{\"a\": 1, \"b\": [true, {\"c\": null, \"d\": {}}, [1, [2]], []]}",
         "a: 1\nb:\n  - true\n  - c: null\n    d: {}\n  -\n    - 1\n    -\n      - 2\n  - []\n"},
        {"[1.0, 1e20, 1.5e-7]", "- 1.0\n- 1.0e+20\n- 1.5e-07\n"},
        {"[\"\", \"1\", \"yes\", \"Off\", \"~\", \"null\", \"2026-01-01\", \"1:30\", \"0o7\", "
         "\".5\"]",
         "- \"\"\n- \"1\"\n- \"yes\"\n- \"Off\"\n- \"~\"\n- \"null\"\n- \"2026-01-01\"\n- "
         "\"1:30\"\n"
         "- \"0o7\"\n- \".5\"\n"},
        {"[\"a: b\", \"a:b\", \"a #b\", \" a\", \"a \", \"- a\", \"[a\", \"*a\", \"x:\", \"it's\"]",
         "- \"a: b\"\n- a:b\n- \"a #b\"\n- \" a\"\n- \"a \"\n- \"- a\"\n- \"[a\"\n- \"*a\"\n- "
         "\"x:\"\n- \"it's\"\n"},
        {"{\"<<\": 1, \"1\": 2, \"y\": 3, \"a b\": 4}", "\"<<\": 1\n\"1\": 2\n\"y\": 3\na b: 4\n"},
        {"{\"t\": \"one\\ntwo\\n\"}", "t: |\n  one\n  two\n"},
        {"[\"one\\n  two\"]", "- |-\n  one\n    two\n"},
        {"{\"a\": {\"b\": \" x\\n\\ny\\n\\n\"}, \"c\": 1}",
         "a:\n  b: |2+\n     x\n\n    y\n\nc: 1\n"},
        {"\"a\\nb\"", "|-\n  a\n  b\n"},
        {"[\"a\\n \\nb\", \"\\n\", \"a\\r\\n\", \"\\u0001\\u0085\\u2028\\ufeff\\uffff\"]",
         "- \"a\\n \\nb\"\n- \"\\n\"\n- \"a\\r\\n\"\n- \"\\x01\\u0085\\u2028\\ufeff\\uffff\"\n"},
        {"[\"grün\", \"日本\", \"\\ud83d\\ude00\"]", "- grün\n- 日本\n- \xf0\x9f\x98\x80\n"},
    };
    weir_buffer out = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_buffer_clear(&out);
        write_yaml(cases[i][0], &out);
        assert_string_equal(out.data, cases[i][1]);
    }
    weir_buffer_deinit(&out);
}

static void numbers_that_are_none(void **state) {
    (void)state;
    weir_value *list = weir_array_new();
    weir_array_append(list, weir_float_new((double)INFINITY));
    weir_array_append(list, weir_float_new(-(double)INFINITY));
    weir_array_append(list, weir_float_new((double)NAN));
    weir_buffer out = {0};
    weir_yaml_format(list, &out);
    assert_string_equal(out.data, "- .inf\n- -.inf\n- .nan\n");
    weir_buffer_deinit(&out);
    weir_value_unref(list);
}

static void bytes_that_are_no_text(void **state) {
    (void)state;
    weir_value *text = weir_string_new("a\xff\0b", 4);
    weir_buffer out = {0};
    weir_yaml_format(text, &out);
    assert_string_equal(out.data, "\"a\\ufffd\\0b\"\n");
    weir_buffer_deinit(&out);
    weir_value_unref(text);
}

/* --- any value ------------------------------------------------------------------------------ */

static uint64_t seed;

static uint32_t draw(uint32_t below) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % below;
}

static weir_value *draw_text(void) {
    static const char *const pieces[] = {
        "a",
        "b",
        " ",
        "  ",
        "\n",
        "\n\n",
        "\t",
        ":",
        ": ",
        "#",
        " #",
        "-",
        "- ",
        "?",
        "'",
        "\"",
        "\\",
        "{",
        "}",
        "[",
        "]",
        ",",
        "&",
        "*",
        "!",
        "|",
        ">",
        "%",
        "@",
        "`",
        "~",
        "=",
        "<<",
        "yes",
        "NO",
        "null",
        "true",
        "1",
        "0x1",
        ".5",
        "e5",
        "+1",
        "é",
        "日",
        "\r",
        "---",
        "...",
        "\x01",
        "\x7f",
        "\xc2\x85",
        "\xe2\x80\xa8",
        "\xef\xbb\xbf",
        "\xef\xbf\xbf",
        "😀",
        "\xc2\xa0",
    };
    weir_buffer text = {0};
    for (uint32_t n = draw(8) == 0 ? draw(400) : draw(7); n > 0; n--)
        weir_buffer_text(&text, pieces[draw(sizeof pieces / sizeof *pieces)]);
    weir_value *value = weir_string_from(weir_buffer_str(&text));
    weir_buffer_deinit(&text);
    return value;
}

static weir_value *draw_value(int depth) {
    uint32_t count = draw(5);
    weir_value *value;
    switch (draw(depth > 0 ? 9 : 6)) {
    case 0: return weir_null_new();
    case 1: return weir_bool_new(draw(2));
    case 2: return weir_int_new((int64_t)((uint64_t)draw(UINT32_MAX) << draw(33)) - 1000);
    case 3: return weir_float_new(ldexp((double)draw(UINT32_MAX), (int)draw(200) - 100));
    case 4:
    case 5: return draw_text();
    case 6:
        value = weir_array_new();
        while (count--) weir_array_append(value, draw_value(depth - 1));
        return value;
    default:
        value = weir_object_new();
        while (count--) {
            weir_value *key = draw_text();
            weir_member_set(value, weir_string_get(key), draw_value(depth - 1));
            weir_value_unref(key);
        }
        return value;
    }
}

static void any_value_is_read_back(void **state) {
    (void)state;
    for (seed = 1; seed < 4000; seed++) {
        uint64_t before = seed;
        weir_value *value = draw_value(5);
        weir_buffer out = {0};
        weir_error error;
        weir_yaml_format(value, &out);
        for (int booleans = WEIR_YAML_CORE; booleans <= WEIR_YAML_1_1; booleans++) {
            weir_values again = {0};
            if (!weir_yaml_parse(weir_buffer_str(&out), WEIR_STR("t"), (weir_yaml_booleans)booleans,
                                 &again, &error))
                fail_msg("seed %lu, %u:%u: %s in\n%s", (unsigned long)before, error.line,
                         error.column, error.message, out.data);
            if (again.count != 1 || !weir_value_equal(value, again.items[0]))
                fail_msg("seed %lu is another value in\n%s", (unsigned long)before, out.data);
            weir_values_deinit(&again);
        }
        weir_buffer_deinit(&out);
        weir_value_unref(value);
        seed = before;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(yaml_is_written),
        cmocka_unit_test(numbers_that_are_none),
        cmocka_unit_test(bytes_that_are_no_text),
        cmocka_unit_test(any_value_is_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
