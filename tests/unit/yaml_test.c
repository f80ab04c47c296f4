/* YAML to values, its limits, and places. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "data/json.h"
#include "data/yaml.h"
#include "data/yaml_plain.h"

/* The JSON of all documents of the YAML text, a blank between them; or "line:column". */
static void read_yaml(const char *text, weir_yaml_booleans booleans, weir_buffer *out) {
    weir_values values = {0};
    weir_error error;
    weir_buffer_clear(out);
    if (!weir_yaml_parse(weir_str_from(text), WEIR_STR("t"), booleans, &values, &error)) {
        assert_int_equal(values.count, 0);
        assert_string_equal(error.file, "t");
        weir_buffer_printf(out, "%u:%u", error.line, error.column);
    }
    for (size_t i = 0; i < values.count; i++) {
        if (i) weir_buffer_byte(out, ' ');
        weir_json_format(values.items[i], 0, out);
    }
    weir_values_deinit(&values);
}

static void yaml_becomes_values(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"", ""},
        {"# nothing\n", ""},
        {"---\na\n---\n...\n---\n- 1", "\"a\" null [1]"},
        {"[1, -2, +3, 0x1F, -0x10, 0o17, 0777]", "[1,-2,3,31,-16,15,777]"},
        {"[1_0, 0b1, 0x, 0o8, -, +, ., 1e, 1:30]",
         "[\"1_0\",\"0b1\",\"0x\",\"0o8\",\"-\",\"+\",\".\",\"1e\",\"1:30\"]"},
        {"[1.5, 1., .5, -1e3, 99999999999999999999.0]", "[1.5,1.0,0.5,-1000.0,1e+20]"},
        {"[.inf, -.INF, .nan]", "[null,null,null]"},
        {"[~, null, Null, NULL, nULL, '']", "[null,null,null,null,\"nULL\",\"\"]"},
        {"[true, False, TRUE, tRUE, 'true']", "[true,false,true,\"tRUE\",\"true\"]"},
        {"[yes, on, y, n]", "[\"yes\",\"on\",\"y\",\"n\"]"},
        {"2026-11-21T06:30:00Z", "\"2026-11-21T06:30:00Z\""},
        {"a: |\n  x\n  y\nb: >-\n  1\n", "{\"a\":\"x\\ny\\n\",\"b\":\"1\"}"},
        {"[!!str 1, !!int '5', !!float 1, !!bool 'true', !!null '', ! 12]",
         "[\"1\",5,1.0,true,null,\"12\"]"},
        {"[!!seq [], !!map {}]", "[[],{}]"},
        {"1: a\ntrue: b\n~: c", "{\"1\":\"a\",\"true\":\"b\",\"~\":\"c\"}"},
        {"a: &x [1]\nb: *x\nc: &x 2\nd: *x", "{\"a\":[1],\"b\":[1],\"c\":2,\"d\":2}"},
        {"&k a: *k", "{\"a\":\"a\"}"},
        {"b: &b {x: 1, y: 2}\nc: {<<: *b, y: 3}",
         "{\"b\":{\"x\":1,\"y\":2},\"c\":{\"y\":3,\"x\":1}}"},
        {"<<: [{x: 1}, {x: 2, y: 3}]\nz: 0", "{\"z\":0,\"x\":1,\"y\":3}"},
        {"'<<': 1", "{\"<<\":1}"},
    };
    weir_buffer out = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        read_yaml(cases[i][0], WEIR_YAML_CORE, &out);
        assert_string_equal(weir_buffer_str(&out).data, cases[i][1]);
    }
    read_yaml("[yes, No, ON, off, y, N, 'yes', nO, true]", WEIR_YAML_1_1, &out);
    assert_string_equal(out.data, "[true,false,true,false,true,false,\"yes\",\"nO\",true]");
    read_yaml("[0O17, 0B1, 0X1f, 1_0.5, 685.230_15e+03, -1_0.5, _1, ._5, 1_e, 08, 0x1_F]",
              WEIR_YAML_1_1, &out);
    assert_string_equal(out.data, "[15,1,31,10.5,685230.15,-10.5,\"_1\",\"._5\",\"1_e\",8.0,31]");
    read_yaml("[0O17, 0B1, 0X1f, 1_0.5]", WEIR_YAML_CORE, &out);
    assert_string_equal(out.data, "[\"0O17\",\"0B1\",\"0X1f\",\"1_0.5\"]");
    weir_buffer_deinit(&out);
}

static void yaml_errors_have_places(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"a: 9223372036854775808", "1:4"},
        {"- 1e999", "1:3"},
        {"- 1\n- !!int abc", "2:3"},
        {"!!binary abc", "1:1"},
        {"a: !foo {}", "1:4"},
        {"a: !!seq {}", "1:4"},
        {"a: 1\nb: 2\na: 3", "3:1"},
        {"{1: a, '1': b}", "1:8"},
        {"? [a]\n: 1", "1:3"},
        {"a: {{inputs.x}}", "1:5"},
        {"a: *x", "1:4"},
        {"--- &x a\n--- *x", "2:5"},
        {"a: &x [1, *x]", "1:11"},
        {"c: {<<: 1}", "1:5"},
        {"c: {<<: {}, <<: {}}", "1:13"},
        {"a: \"\\0\"", "1:4"},
        {"a:\n\t- b", "2:1"},
        {"a: b: c", "1:5"},
        {"\xc3\xa9: \xc0\x80", "1:4"},
    };
    weir_buffer out = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        read_yaml(cases[i][0], WEIR_YAML_CORE, &out);
        assert_string_equal(out.data, cases[i][1]);
    }
    weir_buffer_deinit(&out);
}

static void depth_is_limited(void **state) {
    (void)state;
    char text[2 * WEIR_DEPTH_MAX + 4];
    for (int levels = WEIR_DEPTH_MAX; levels <= WEIR_DEPTH_MAX + 1; levels++) {
        int n = snprintf(text, sizeof text, "%0*d1%0*d", levels, 0, levels, 0);
        memset(text, '[', (size_t)levels);
        memset(text + levels + 1, ']', (size_t)levels);
        weir_value *value = NULL;
        weir_values values = {0};
        weir_error error = {0};
        bool allowed = levels == WEIR_DEPTH_MAX;
        weir_str all = {text, (size_t)n};
        assert_int_equal(weir_json_parse(all, WEIR_STR(""), &value, &error), allowed);
        assert_int_equal(error.code, allowed ? WEIR_OK : WEIR_LIMIT);
        assert_int_equal(weir_yaml_parse(all, WEIR_STR(""), WEIR_YAML_CORE, &values, &error),
                         allowed);
        assert_int_equal(error.code, allowed ? WEIR_OK : WEIR_LIMIT);
        weir_value_unref(value);
        weir_values_deinit(&values);
    }
}

static void yaml_aliases_cannot_blow_up(void **state) {
    (void)state;
    for (int deep = 0; deep < 2; deep++) {
        weir_buffer text = {0};
        weir_buffer_text(&text, "- &a0 [x]\n");
        for (int i = 1; i < 30; i++) {
            const char *const formats[] = {"- &a%d [*a%d,*a%d,*a%d]\n", "- &a%d [[[[[*a%d]]]]]\n"};
            char line[64];
            snprintf(line, sizeof line, formats[deep], i, i - 1, i - 1, i - 1);
            weir_buffer_text(&text, line);
        }
        weir_values values = {0};
        weir_error error;
        assert_false(
            weir_yaml_parse(weir_buffer_str(&text), WEIR_STR(""), WEIR_YAML_CORE, &values, &error));
        assert_int_equal(error.code, WEIR_LIMIT);
        weir_buffer_deinit(&text);
    }
}

static void nodes_are_located(void **state) {
    (void)state;
    static const char yaml[] =
        "a: 1\n---\nspec:\n  templates:\n  - name: x\n    a/b~: {k: [1, 22]}\n"
        "  - *y\n";
    static const char json[] = "{\n\t\"a\": [1,\n\t{\"b\":\"c\"}]}";
    static const struct {
        const char *text, *path;
        size_t document;
        unsigned line, column;
    } cases[] = {
        {yaml, "", 0, 1, 1},
        {yaml, "a", 0, 1, 1},
        {yaml, "", 1, 3, 1},
        {yaml, "spec/templates", 1, 4, 3},
        {yaml, "spec/templates/0", 1, 5, 5},
        {yaml, "spec/templates/0/name", 1, 5, 5},
        {yaml, "spec/templates/0/a~1b~0/k/1", 1, 6, 19},
        {yaml, "spec/templates/1/name", 1, 7, 5},
        {yaml, "spec/templates/7/name", 1, 4, 3},
        {yaml, "spec/nothing", 1, 3, 1},
        {json, "a/0", 0, 2, 8},
        {json, "a/1/b", 0, 3, 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t line = 0, column = 0;
        assert_true(weir_yaml_locate(weir_str_from(cases[i].text), cases[i].document,
                                     weir_str_from(cases[i].path), &line, &column));
        if (line != cases[i].line || column != cases[i].column)
            fail_msg("%s: %u:%u", cases[i].path, line, column);
    }
    uint32_t line = 7, column = 8;
    assert_false(weir_yaml_locate(weir_str_from(yaml), 2, WEIR_STR(""), &line, &column));
    assert_false(weir_yaml_locate(WEIR_STR("a: ["), 0, WEIR_STR("b"), &line, &column));
    assert_true(line == 7 && column == 8);
}

/* Each place of the node and of those within, and of one that there is not, is libyaml's. */
static void assert_places(weir_str text, const weir_value *value, weir_buffer *path) {
    uint32_t line = 0, column = 0, plain_line, plain_column;
    bool object = weir_is(value, WEIR_OBJECT), array = weir_is(value, WEIR_ARRAY);
    size_t count = object || array ? weir_value_count(value) : 0, mark = path->length;
    weir_buffer_byte(path, 'x'); /* a text in any case */
    path->data[path->length = mark] = '\0';
    if (weir__yaml_plain_locate(text, weir_buffer_str(path), &plain_line, &plain_column)) {
        assert_true(weir_yaml_locate(text, 0, weir_buffer_str(path), &line, &column));
        if (line != plain_line || column != plain_column)
            fail_msg("%s: %u:%u, not %u:%u", path->data, plain_line, plain_column, line, column);
    }
    for (size_t i = 0; i < count; i++) {
        char index[24];
        snprintf(index, sizeof index, "%zu", i);
        weir_path_append(path, object ? weir_object_key(value, i) : weir_str_from(index));
        assert_places(text, object ? weir_object_at(value, i) : weir_array_at(value, i), path);
        path->length = mark;
    }
    if (path->length) path->data[path->length] = '\0';
}

static void plain_texts_mean_what_they_mean(void **state) {
    (void)state;
    static const char *const texts[] = {
        "a: 1\n",
        "---\n# x\n\na: 1 # y\nb:   # z\n\n  c: d\n",
        "- a\n-\n- - b\n  - c\n- d: 1\n  e:\n  - f\n  - g: h\n  i: j\n-   k: l\n",
        "a:\n- b\n- c:\nd: ''\ne: \"x: y # z\"\n",
        "a: b c  d   # e\nf#g: h:i\nhttp://x: -y\n",
        "[a, 'b', \"c d\", [1, 2.5], {e: f, 'g h': [ ]}, { }, -1, x y z]\n",
        "{a: [b]} # c",
        "a: null\nb: ~\nc: yes\nd: 017\ne: 1e3\nf: nope\ng: .5\nh: /x\n",
        "a: 0x1F\nb: 12:30\nc: 1.2.3\nd: -.inf\ne: 2026-11-21T06:30:00Z\nf: no-one\ng: true\n",
        "1: a\n'1 ': b\n",
        "x",
        "'x y'",
        "a : b\n\"c\" : d\n",
        "-\n-\n  a\n-\n",
        "a: 1\nb: 2\nc: 3\nd: 4\ne: 5\nf: 6\ng: 7\nh: 8\ni: {a: 1}\nj: 10\nk: [11]\n"};
    static const char *const others[] = {"",
                                         "# x\n",
                                         "--- \na: 1",
                                         "a: 1\n...\n",
                                         "a: 1\n---\nb: 2\n",
                                         "a: &x 1\n",
                                         "a: !!str 1\n",
                                         "a: |\n  b\n",
                                         "a: b\n  c\n",
                                         "a: \"b\n  c\"\n",
                                         "a: 'it''s'\n",
                                         "a: \"\\n\"\n",
                                         "a: [1,\n 2]\n",
                                         "a:\tb\n",
                                         "a: b\r\n",
                                         "a: \xc3\xa9\n",
                                         "<<: {a: 1}\n",
                                         "a: 1\na: 2\n",
                                         "a: b: c\n",
                                         "? a\n: b\n",
                                         "a: {{b}}\n",
                                         "a: {b}\n",
                                         "a: [b: c]\n",
                                         "  a: 1\n b: 2\n",
                                         "a:\n  - b\n c: d\n",
                                         "%YAML 1.1\n---\na: 1\n",
                                         "a: [b]c\n",
                                         "a: [b]#c\n",
                                         "a: 99999999999999999999\n",
                                         "- a\nb: c\n",
                                         "a:\n  -\n  b: 1",
                                         "a: @b\n",
                                         "a: [,]\n",
                                         "a: \"b\"\n  c: d\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        weir_str text = weir_str_from(texts[i]);
        weir_values values = {0};
        weir_buffer path = {0};
        weir_error error;
        weir_value *plain = weir__yaml_plain(text, WEIR_YAML_1_1);
        if (!plain) fail_msg("it is plain: %s", texts[i]);
        assert_true(weir_yaml_parse(text, WEIR_STR(""), WEIR_YAML_1_1, &values, &error));
        if (!weir_value_equal(plain, values.items[0])) fail_msg("%s", texts[i]);
        assert_places(text, plain, &path);
        weir_value_unref(plain);
        weir_values_deinit(&values);
        weir_buffer_deinit(&path);
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        weir_value *plain = weir__yaml_plain(weir_str_from(others[i]), WEIR_YAML_1_1);
        if (plain) fail_msg("it is not plain: %s", others[i]);
    }
}

static void a_key_that_is_there_twice_need_not_end_it(void **state) {
    (void)state;
    static const char text[] = "a: 1\nb: {c: 1, c: {d: 1, d: 2}}\na: [x]\nz: 3\n";
    static const uint32_t places[][2] = {{2, 11}, {2, 21}, {3, 1}};
    weir_values values = {0};
    weir_problems repeated = {0};
    weir_error error;
    weir_buffer out = {0};
    assert_true(weir_yaml_parse_on(weir_str_from(text), WEIR_STR("t"), WEIR_YAML_CORE, &values,
                                   &repeated, &error));
    weir_json_format(values.items[0], 0, &out);
    assert_string_equal(out.data, "{\"a\":1,\"b\":{\"c\":1},\"z\":3}");
    assert_int_equal(repeated.count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(repeated.items[i].line, places[i][0]);
        assert_int_equal(repeated.items[i].column, places[i][1]);
    }
    /* What cannot be read at all ends it. */
    assert_false(weir_yaml_parse_on(WEIR_STR("a: 1\na: 2\nb: [\n"), WEIR_STR("t"), WEIR_YAML_CORE,
                                    &values, &repeated, &error));
    assert_int_equal(repeated.count, 4);
    weir_buffer_deinit(&out);
    weir_problems_deinit(&repeated);
    weir_values_deinit(&values);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_that_is_there_twice_need_not_end_it),
        cmocka_unit_test(yaml_becomes_values),
        cmocka_unit_test(yaml_errors_have_places),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(yaml_aliases_cannot_blow_up),
        cmocka_unit_test(nodes_are_located),
        cmocka_unit_test(plain_texts_mean_what_they_mean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
