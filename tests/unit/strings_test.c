/* Texts, numbers in texts, JSON and Python literals. */
#include "operation_call.h"

static void texts_are_cut_and_joined(void **state) {
    (void)state;
    static const operation_case cases[] = {
        {"string.upper", "{\"text\":\"Grüße, ǆ x1\"}", NULL, "{\"text\":\"GRÜSSE, Ǆ X1\"}"},
        {"string.lower", "{\"text\":\"ÀB İ\"}", NULL, "{\"text\":\"àb i\"}"},
        {"string.upper", "{\"text\":\"\"}", NULL, "{\"text\":\"\"}"},
        {"string.upper", "{\"text\":1}", NULL, "invalid: `text` must be of type string, found int"},
        {"string.trim", "{\"text\":\" \\u00a0a b\\u3000\\n\"}", NULL, "{\"text\":\"a b\"}"},
        {"string.trim", "{\"text\":\" \\t \"}", NULL, "{\"text\":\"\"}"},
        {"string.trim", "{\"text\":\"xéaxé\"}", "{\"characters\":\"éx\"}", "{\"text\":\"a\"}"},
        {"string.split", "{\"text\":\"  a b\\u2003 c \"}", NULL, "{\"parts\":[\"a\",\"b\",\"c\"]}"},
        {"string.split", "{\"text\":\" a b  c \"}", "{\"most\":2}", "{\"parts\":[\"a\",\"b  c\"]}"},
        {"string.split", "{\"text\":\"\"}", NULL, "{\"parts\":[]}"},
        {"string.split", "{\"text\":\",a,,b\"}", "{\"separator\":\",\"}",
         "{\"parts\":[\"\",\"a\",\"\",\"b\"]}"},
        {"string.split", "{\"text\":\"a::b::c\",\"separator\":\"::\"}", "{\"most\":2}",
         "{\"parts\":[\"a\",\"b::c\"]}"},
        {"string.split", "{\"text\":\"\"}", "{\"separator\":\",\"}", "{\"parts\":[\"\"]}"},
        {"string.split", "{\"text\":\"ab\"}", "{\"separator\":\"\"}",
         "invalid: `separator` must not be empty"},
        {"string.split", "{\"text\":\"ab\"}", "{\"most\":-1}",
         "invalid: `most` must be from 0 to 4000000, found -1"},
        {"string.join", "{\"parts\":[\"a\",1,2.5,true,null]}", "{\"separator\":\"-\"}",
         "{\"text\":\"a-1-2.5-true-null\"}"},
        {"string.join", "{\"parts\":[]}", NULL, "{\"text\":\"\"}"},
        {"string.join", "{\"parts\":[[1]]}", NULL, "invalid: `parts`: item 0 must be no array"},
        {"string.replace", "{\"text\":\"aaa\",\"old\":\"aa\",\"new\":\"b\"}", NULL,
         "{\"text\":\"ba\"}"},
        {"string.replace", "{\"text\":\"a.a.a\"}", "{\"old\":\".\",\"new\":\"\",\"most\":1}",
         "{\"text\":\"aa.a\"}"},
        {"string.replace", "{\"text\":\"a\"}", "{\"old\":\"\",\"new\":\"x\"}",
         "invalid: `old` must not be empty"},
        {"string.slice", "{\"text\":\"äöü€𝄞\"}", "{\"start\":1,\"end\":-1}", "{\"text\":\"öü€\"}"},
        {"string.slice", "{\"text\":\"äöü\"}", "{\"start\":-2}", "{\"text\":\"öü\"}"},
        {"string.slice", "{\"text\":\"abc\"}", "{\"start\":-9,\"end\":9}", "{\"text\":\"abc\"}"},
        {"string.slice", "{\"text\":\"abc\"}", "{\"start\":2,\"end\":1}", "{\"text\":\"\"}"},
        {"string.slice", "{\"text\":\"abc\"}",
         "{\"start\":-9223372036854775808,\"end\":9223372036854775807}", "{\"text\":\"abc\"}"},
        {"string.slice", "{\"text\":\"abc\"}", "{\"start\":9223372036854775807}",
         "{\"text\":\"\"}"},
    };
    EXPECT_CALLS(cases);
}

static void texts_are_asked(void **state) {
    (void)state;
    static const operation_case cases[] = {
        {"string.contains", "{\"text\":\"hello\",\"part\":\"ell\"}", NULL, "{\"result\":true}"},
        {"string.contains", "{\"text\":\"hello\"}", "{\"part\":\"\"}", "{\"result\":true}"},
        {"string.contains", "{\"text\":\"\",\"part\":\"a\"}", NULL, "{\"result\":false}"},
        {"string.contains", "{\"text\":\"a\"}", NULL,
         "invalid: `part` must be of type string, found nothing"},
        {"string.starts_with", "{\"text\":\"hello\",\"part\":\"he\"}", NULL, "{\"result\":true}"},
        {"string.starts_with", "{\"text\":\"h\",\"part\":\"he\"}", NULL, "{\"result\":false}"},
        {"string.ends_with", "{\"text\":\"hello\",\"part\":\"lo\"}", NULL, "{\"result\":true}"},
        {"string.ends_with", "{\"text\":\"o\",\"part\":\"lo\"}", NULL, "{\"result\":false}"},
        {"string.length", "{\"text\":\"äöü€𝄞\"}", NULL, "{\"length\":5}"},
        {"string.length", "{\"text\":\"\"}", NULL, "{\"length\":0}"},
    };
    EXPECT_CALLS(cases);
}

static void texts_are_filled_in_and_read(void **state) {
    (void)state;
    static const operation_case cases[] = {
        {"string.format", "{\"a\":\"x\",\"b\":[1,{\"c\":null}]}",
         "{\"template\":\"{{{a}}} {b}{a}\"}", "{\"text\":\"{x} [1,{\\\"c\\\":null}]x\"}"},
        {"string.format", "{\"template\":\"no names\"}", NULL, "{\"text\":\"no names\"}"},
        {"string.format", NULL, "{\"template\":\"{a}\"}",
         "not_found: `template` has {a}, which is no parameter"},
        {"string.format", NULL, "{\"template\":\"{}\"}",
         "not_found: `template` has {}, which is no parameter"},
        {"string.format", NULL, "{\"template\":\"{a\"}",
         "invalid: `template`: a { without its partner; a plain one is written twice"},
        {"string.format", NULL, "{\"template\":\"a}\"}",
         "invalid: `template`: a } without its partner; a plain one is written twice"},
        {"string.to_number", "{\"text\":\" -42\\n\"}", NULL, "{\"number\":-42}"},
        {"string.to_number", "{\"text\":\"+1.50e1\"}", NULL, "{\"number\":15.0}"},
        {"string.to_number", "{\"text\":\".5\"}", NULL, "{\"number\":0.5}"},
        {"string.to_number", "{\"text\":\"-9223372036854775808\"}", NULL,
         "{\"number\":-9223372036854775808}"},
        {"string.to_number", "{\"text\":\"9223372036854775808\"}", NULL,
         "invalid: `9223372036854775808` does not fit an int of 64 bits"},
        {"string.to_number", "{\"text\":\"1e400\"}", NULL,
         "invalid: `1e400` is beyond the range of floats"},
        {"string.to_number", "{\"text\":\"0x10\"}", NULL, "invalid: `0x10` is no number"},
        {"string.to_number", "{\"text\":\"nan\"}", NULL, "invalid: `nan` is no number"},
        {"string.to_number", "{\"text\":\"\"}", NULL, "invalid: `` is no number"},
        {"string.to_number", "{\"text\":\"1 2\"}", NULL, "invalid: `1 2` is no number"},
        {"string.from", "{\"value\":{\"a\":[1,0.1,\"\\\"\"]}}", NULL,
         "{\"text\":\"{\\\"a\\\":[1,0.1,\\\"\\\\\\\"\\\"]}\"}"},
        {"string.from", "{\"value\":\"a\"}", NULL, "{\"text\":\"a\"}"},
        {"string.from", "{\"value\":1e300}", NULL, "{\"text\":\"1e+300\"}"},
        {"string.from", NULL, NULL, "invalid: `value` is missing"},
    };
    EXPECT_CALLS(cases);
}

static void json_is_read_and_written(void **state) {
    (void)state;
    static const operation_case cases[] = {
        {"json.format", "{\"value\":{\"b\":[],\"a\":{\"d\":1,\"c\":2}}}", "{\"sorted\":true}",
         "{\"text\":\"{\\\"a\\\":{\\\"c\\\":2,\\\"d\\\":1},\\\"b\\\":[]}\"}"},
        {"json.format", "{\"value\":[1,{\"a\":null},{}]}", "{\"indent\":1}",
         "{\"text\":\"[\\n 1,\\n {\\n  \\\"a\\\": null\\n },\\n {}\\n]\"}"},
        {"json.format", "{\"value\":\"\\u0001\\t\\\\\"}", NULL,
         "{\"text\":\"\\\"\\\\u0001\\\\t\\\\\\\\\\\"\"}"},
        {"json.format", "{\"value\":1}", "{\"indent\":17}",
         "invalid: `indent` must be from 0 to 16, found 17"},
    };
    EXPECT_CALLS(cases);
    static const char *const texts[][2] = {
        {"[1,-2.5e3,true,false,null]", "{\"value\":[1,-2500.0,true,false,null]}"},
        {" {\"a\" : {} , \"b\":[ ] ,\"a\":1}\n", "{\"value\":{\"a\":1,\"b\":[]}}"},
        {"\"\\u00e9\\ud834\\udd1e\\n\\/\"", "{\"value\":\"é𝄞\\n/\"}"},
        {"0", "{\"value\":0}"},
        {"-0", "{\"value\":0}"},
        {"", "invalid: `text`, line 1, column 1: the JSON text ends too early"},
        {"[1,\n2", "invalid: `text`, line 2, column 2: a , or ] should stand here"},
        {"[1,]",
         "invalid: `text`, line 1, column 4: this is not a JSON value; a text needs quotes"},
        {"{a:1}", "invalid: `text`, line 1, column 2: a name in quotes should stand here"},
        {"{\"a\" 1}", "invalid: `text`, line 1, column 6: a : should stand here"},
        {"01", "invalid: `text`, line 1, column 1: is no number of JSON"},
        {"+1", "invalid: `text`, line 1, column 1: this is not a JSON value; a text needs quotes"},
        {"1.", "invalid: `text`, line 1, column 1: is no number of JSON"},
        {"1e999", "invalid: `text`, line 1, column 1: is beyond the range of floats"},
        {"99999999999999999999",
         "invalid: `text`, line 1, column 1: does not fit an int of 64 bits"},
        {"\"\\ud834\"", "invalid: `text`, line 1, column 8: a surrogate is no character"},
        {"\"\\udd1e\\ud834\"", "invalid: `text`, line 1, column 8: a surrogate is no character"},
        {"\"\\u0000\"", "invalid: `text`, line 1, column 8: a NUL is not allowed in a string"},
        {"\"\\u12\"", "invalid: `text`, line 1, column 6: \\u needs four hexadecimal digits"},
        {"\"\\x\"", "invalid: `text`, line 1, column 3: this escape means nothing"},
        {"\"a\nb\"",
         "invalid: `text`, line 1, column 3: a control character must be escaped in a string"},
        {"\"a", "invalid: `text`, line 1, column 3: the string has no end"},
        {"\"a\\", "invalid: `text`, line 1, column 4: this escape means nothing"},
        {"nul", "invalid: `text`, line 1, column 1: this is not a JSON value; a text needs quotes"},
        {"1 2", "invalid: `text`, line 1, column 3: something stands behind the value"},
        {"truefalse", "invalid: `text`, line 1, column 5: something stands behind the value"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        weir_value *parameters = weir_object_new();
        weir_member_put_text(parameters, "text", weir_str_from(texts[i][0]));
        expect_call("json.parse", parameters, NULL, texts[i][1]);
    }
}

static weir_value *named_text(const char *name, const char *data, size_t length) {
    weir_value *parameters = weir_object_new();
    weir_member_put(parameters, name, weir_string_new(data, length));
    return parameters;
}

static void python_is_read(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"[1,2,3]", "[1,2,3]"},
        {"  {'a': (1, 2.5, None), \"b\": {True, False}}  ",
         "{\"a\":[1,2.5,null],\"b\":[true,false]}"},
        {"1, 'x'", "[1,\"x\"]"},
        {"1,", "[1]"},
        {"()", "[]"},
        {"(1)", "1"},
        {"(1,)", "[1]"},
        {"{}", "{}"},
        {"set()", "[]"},
        {"{1, 2, 1.0, 'a', 'a'}", "[1,2,\"a\"]"},
        {"{1: 'a', 2.5: 'b', None: 'c', True: 'd', 1: 'e'}",
         "{\"1\":\"e\",\"2.5\":\"b\",\"null\":\"c\",\"true\":\"d\"}"},
        {"-1_000", "-1000"},
        {"+.5e-1", "0.05"},
        {"5.", "5.0"},
        {"00", "0"},
        {"0x_ff", "255"},
        {"-0x8000000000000000", "-9223372036854775808"},
        {"0b101", "5"},
        {"0o17", "15"},
        {"'a' \"b\" '''c\nd'''", "\"abc\\nd\""},
        {"['a'\n 'b', # comment\n 'c']", "[\"ab\",\"c\"]"},
        {"'\\x41\\u00e9\\U0001d11e\\n\\101\\q\\\n'", "\"Aé𝄞\\nA\\\\q\""},
        {"r'\\n\\''", "\"\\\\n\\\\'\""},
        {"U'x'", "\"x\""},
        {"''", "\"\""},
        {"'''a'b'''", "\"a'b\""},
        {"\n7\n", "7"},
        {"7 # seven", "7"},
        {"# seven\n\n # and again\n7", "7"},
        {"", "the literal ends too early"},
        {"hello", "this is not a Python literal; a text needs quotes, and names mean nothing"},
        {"Nonex", "this is not a Python literal; a text needs quotes, and names mean nothing"},
        {"__import__('os')",
         "this is not a Python literal; a text needs quotes, and names mean nothing"},
        {"b'x'", "bytes have no form in JSON; leave out the b"},
        {"rb'x'", "bytes have no form in JSON; leave out the b"},
        {"f'{x}'", "an f-string is no literal"},
        {"1j", "complex numbers have no form in JSON"},
        {"1+2j", "something stands behind the literal"},
        {"1e999", "is beyond the range of floats"},
        {"9223372036854775808", "does not fit an int of 64 bits"},
        {"0x8000000000000000", "does not fit an int of 64 bits"},
        {"1__0", "is no number"},
        {"1_", "is no number"},
        {"0x", "is no number"},
        {"0b12", "is no number"},
        {"012", "an int does not begin with 0"},
        {"1abc", "is no number"},
        {"-'a'", "a sign needs a number behind it"},
        {"'a", "the string has no end"},
        {"'a\nb'", "the string has no end"},
        {"'\\", "the string has no end"},
        {"'\\x4'", "the escape has too few hexadecimal digits"},
        {"'\\ud800'", "a surrogate is no character"},
        {"'\\U00110000'", "this escape names no character"},
        {"'\\0'", "a NUL is not allowed in a string"},
        {"'\\N{DASH}'", "\\N{…} is not known here; write the character"},
        {"[1 2]", "a , or the closing bracket should stand here"},
        {"[1", "a , or the closing bracket should stand here"},
        {"[,]", "this is not a Python literal; a text needs quotes, and names mean nothing"},
        {"{1: 2, 3}", "a : should stand here"},
        {"{1, 2: 3}", "a , or the closing bracket should stand here"},
        {"{(1,): 2}", "a tuple or a list cannot be a key here"},
        {"{[1]}", "[[1]]"},
        {"1 if 1 else 2", "something stands behind the literal"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_call call;
        open_call(&call, "literal_eval",
                  named_text("str_to_eval", cases[i][0], strlen(cases[i][0])), from_json(NULL));
        bool ok = run_call(&call);
        weir_buffer found = {0};
        if (ok) weir_json_format(weir_object_at(call.outputs, 0), 0, &found);
        const char *problem = strstr(call.failure, ": `str_to_eval`, line ");
        problem = problem ? strstr(problem + 2, ": ") : NULL;
        const char *got = ok ? found.data : problem ? problem + 2 : call.failure;
        check_text(cases[i][0], got, cases[i][1]);
        weir_buffer_deinit(&found);
        close_call(&call);
    }
    expect_none_wrong();
}

/* Deep, long and broken ones: a failure, and no crash. */
static void hostile_texts_are_refused(void **state) {
    (void)state;
    static const char *const operations[][2] = {{"literal_eval", "str_to_eval"},
                                                {"json.parse", "text"}};
    enum { LONG = 100000 };
    char *text = weir_alloc(LONG + 1);
    for (size_t k = 0; k < 2; k++) {
        static const char openers[] = "[{(";
        for (const char *opener = openers; *opener; opener++) {
            memset(text, *opener, LONG);
            weir_call call;
            open_call(&call, operations[k][0], named_text(operations[k][1], text, LONG),
                      from_json(NULL));
            assert_false(run_call(&call));
            close_call(&call);
        }
        memset(text, '[', 128);
        memset(text + 128, ']', 128);
        weir_call call;
        open_call(&call, operations[k][0], named_text(operations[k][1], text, 256),
                  from_json(NULL));
        assert_true(run_call(&call));
        close_call(&call);
        static const char with_nul[] = "'a\0b'";
        open_call(&call, operations[k][0],
                  named_text(operations[k][1], with_nul, sizeof with_nul - 1), from_json(NULL));
        assert_false(run_call(&call));
        close_call(&call);
    }
    weir_free(text);
    weir_buffer many = {0};
    weir_buffer_byte(&many, '{');
    for (int i = 0; i < 200000; i++) weir_buffer_printf(&many, "%d,", i);
    weir_buffer_byte(&many, '}');
    weir_call call;
    open_call(&call, "literal_eval", named_text("str_to_eval", many.data, many.length),
              from_json(NULL));
    assert_true(run_call(&call));
    assert_int_equal(weir_value_count(weir_object_at(call.outputs, 0)), 200000);
    close_call(&call);
    weir_buffer_deinit(&many);
}

static void large_texts_have_a_limit(void **state) {
    (void)state;
    expect_call("multiply", from_json("{\"multiplicand\":\"ab\",\"multiplier\":33554433}"), NULL,
                "limit_exceeded: the text is larger than 67108864 bytes");
    expect_call("multiply",
                from_json("{\"multiplicand\":\"ab\",\"multiplier\":9223372036854775807}"), NULL,
                "limit_exceeded: the text is larger than 67108864 bytes");
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_cut_and_joined),
        cmocka_unit_test(texts_are_asked),
        cmocka_unit_test(texts_are_filled_in_and_read),
        cmocka_unit_test(json_is_read_and_written),
        cmocka_unit_test(python_is_read),
        cmocka_unit_test(hostile_texts_are_refused),
        cmocka_unit_test(large_texts_have_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
