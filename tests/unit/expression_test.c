/* Expressions: the interface, errors and their places, limits. What the language means, conformance/expressions says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "data/json.h"
#include "expr/expr.h"
#include "expr/regexp.h"

static weir_value *parse(const char *json) {
    weir_value *value;
    assert_true(weir_json_parse(weir_str_from(json), WEIR_STR(""), &value, NULL));
    return value;
}

/* What the expression gives in an environment, as JSON, or "code line:column message". */
static void evaluate(const char *text, const weir_expr_options *options,
                     const weir_expr_world *world, weir_buffer *out) {
    weir_error error = {0};
    weir_buffer_clear(out);
    weir_expr *expr = weir_expr_compile(weir_str_from(text), options, &error);
    weir_value *value = expr ? weir_expr_eval(expr, world, &error) : NULL;
    if (value)
        weir_json_format(value, 0, out);
    else
        weir_buffer_printf(out, "%s %u:%u %s", weir_code_text(error.code), error.line, error.column,
                           error.message);
    weir_value_unref(value);
    weir_expr_free(expr);
}

typedef struct expected {
    const char *text, *gives;
} expected;

static void compare(const expected *cases, size_t count, const char *json) {
    weir_value *env = parse(json);
    weir_expr_options options = {.env = env};
    weir_expr_world world = {.env = env, .now_ns = 1700000000123456789};
    weir_buffer out = {0};
    for (size_t i = 0; i < count; i++) {
        evaluate(cases[i].text, &options, &world, &out);
        if (strcmp(out.data, cases[i].gives) != 0)
            fail_msg("%s: %s instead of %s", cases[i].text, out.data, cases[i].gives);
    }
    weir_buffer_deinit(&out);
    weir_value_unref(env);
}

static void integers_of_the_environment_stay_integers(void **state) {
    (void)state;
    static const expected cases[] = {
        {"n % 2", "1"},
        {"n / 2", "3.5"},
        {"list[1] + 1", "3"},
        {"string(n)", "\"7\""},
        {"type(f)", "\"float\""},
        {"n == 7.0", "true"},
        {"$env.n", "7"},
        {"$env[\"f\"]", "1.0"},
        {"now().Unix()", "1700000000"},
        {"now().Nanosecond()", "123456789"},
        {"1 / 0", "\"+Inf\""},
        {"-1 / 0", "\"-Inf\""},
        {"0 / 0", "\"NaN\""},
        {"jsonpath(\"{\\\"a\\\":[1,{\\\"b\\\":2}]}\", \"$.a[1].b\")", "2.0"},
        {"jsonpath(\"{\\\"a\\\":[{\\\"n\\\":1},{\\\"n\\\":2}]}\", \"$.a[?(@.n > 1)]\")",
         "[{\"n\":2.0}]"},
        {"jsonpath(\"[1,2,3,4]\", \"$[1:3]\")", "[2.0,3.0]"},
        {"jsonpath(\"{\\\"a\\\":{\\\"b\\\":1},\\\"b\\\":2}\", \"$..b\")", "[2.0,1.0]"},
        {"jsonpath(\"{\\\"a b\\\":1}\", \"$['a b']\")", "1.0"},
        {"jsonpath(\"[1,2]\", \"$[-1]\")", "2.0"},
        {"{}?.k?.f(1, 2)", "null"},
        {"{\"j\": {}?.k?.f(1)}?.z", "null"},
        {"[0, {}?.k?.f(1, n).a?.b, 2]", "[0,null,2]"},
        {"map(list, ({})?.k?.f(#))", "[null,null]"},
        {"asInt(\"42\") + 1", "43"},
        {"asFloat(\"1.5\")", "1.5"},
        {"toJson({\"b\": [1, 2.5], \"a\": \"<\"})",
         "\"{\\\"a\\\":\\\"\\\\u003c\\\",\\\"b\\\":[1,2.5]}\""}};
    compare(cases, sizeof cases / sizeof *cases, "{\"n\":7,\"f\":1.0,\"list\":[1,2]}");
}

static void errors_say_where(void **state) {
    (void)state;
    static const expected cases[] = {
        {"", "invalid_syntax 1:1 the expression ends too early"},
        {"1 +", "invalid_syntax 1:4 the expression ends too early"},
        {"a +\n  %", "invalid_syntax 2:3 unexpected `%`"},
        {"\"x", "invalid_syntax 1:1 a text without end"},
        {"\"\\q\"", "invalid_syntax 1:3 an invalid escape in a text"},
        {"/* x", "invalid_syntax 1:1 a comment without end"},
        {"12ab", "invalid_syntax 1:1 a number that ends in letters"},
        {"99999999999999999999", "invalid_syntax 1:1 a number that is none, or too large"},
        {"a ?? a + 1",
         "invalid_syntax 1:8 `??` cannot be mixed with other operators: put it into parentheses"},
        {"\"é\" + 1", "invalid 1:5 `+` cannot be applied to values of types string and int"},
        {"b", "invalid 1:1 nothing is named `b`"},
        {"len(1)", "invalid 1:5 len: an array, a map or a text is wanted, not a value of type int"},
        {"len()", "invalid 1:1 len: it does not take 0 arguments"},
        {"a.x.y", "invalid 1:5 nil has no `y`"},
        {"a[\"x\"] + 1", "invalid 1:8 `+` cannot be applied to values of types <nil> and int"},
        {"[1][3]", "invalid 1:4 there is no place 3 in what has 1"},
        {"1 % 0", "invalid 1:3 an integer is divided by zero"},
        {"\"a\" matches \"[\"", "invalid 1:13 the pattern is wrong: missing closing ]: `[`"},
        {"a.f()", "invalid 1:3 what is called here is nil"},
        {"#", "invalid_syntax 1:1 unexpected `#`"},
        {"let a = 1; a", "invalid 1:5 `a` is already the name of something"},
        {"sprig.nope()", "invalid 1:7 sprig has no function `nope`"},
        {"fromJSON(\"[\")", "invalid 1:1 this is no JSON: the JSON text ends too early"},
        {"int(\"x\")", "invalid 1:1 int: `x` is no integer"},
        {"b'x'", "not_supported 1:1 literals of bytes are not supported: write a text"},
        {"timezone(\"Nowhere\")", "invalid 1:1 no time zone is named `Nowhere`"},
        {"jsonpath(\"{}\", \"$.a\")", "not_found 1:1 jsonpath: there is no `a`"}};
    compare(cases, sizeof cases / sizeof *cases, "{\"a\":{}}");
}

static void wrong_names_have_a_hint(void **state) {
    (void)state;
    weir_value *env = parse("{\"inputs\":1}");
    weir_expr_options options = {.env = env};
    weir_error error = {0};
    assert_null(weir_expr_compile(WEIR_STR("input"), &options, &error));
    assert_string_equal(error.hint, "did you mean `inputs`?");
    assert_null(weir_expr_compile(WEIR_STR("uper(\"a\")"), &options, &error));
    assert_string_equal(error.hint, "did you mean `upper`?");
    weir_value_unref(env);
}

/* Without an environment any name may be there. */
static weir_value *look_up(void *arg, weir_str name) {
    return weir_str_is(name, "steps") ? arg : NULL;
}

static void names_may_be_looked_up(void **state) {
    (void)state;
    weir_value *steps = parse("{\"a\":{\"status\":\"Succeeded\",\"n\":3}}");
    weir_expr_world world = {.lookup = look_up, .lookup_arg = steps};
    weir_error error = {0};
    bool result = false;
    weir_expr *expr =
        weir_expr_compile(WEIR_STR("steps.a.status == 'Succeeded' && steps.a.n > 2"), NULL, &error);
    assert_non_null(expr);
    assert_true(weir_expr_test(expr, &world, &result, &error) && result);
    weir_expr_free(expr);
    expr = weir_expr_compile(WEIR_STR("true || other"), NULL, &error);
    assert_true(weir_expr_test(expr, &world, &result, &error) && result);
    weir_expr_free(expr);
    expr = weir_expr_compile(WEIR_STR("other.x"), NULL, &error);
    assert_false(weir_expr_test(expr, &world, &result, &error));
    assert_int_equal(error.code, WEIR_NOT_FOUND);
    weir_expr_free(expr);
    expr = weir_expr_compile(WEIR_STR("steps.a.n"), NULL, &error);
    assert_false(weir_expr_test(expr, &world, &result, &error));
    assert_int_equal(error.code, WEIR_INVALID);
    weir_expr_free(expr);
    weir_value_unref(steps);
}

static void results_are_rendered(void **state) {
    (void)state;
    static const expected cases[] = {{"\"a\\\"b\"", "a\"b"}, {"[1, 2.5, \"x\"]", "[1,2.5,\"x\"]"},
                                     {"1 < 2", "true"},      {"nil", "<nil>"},
                                     {"10.0", "10"},         {"string([1, 2])", "[1 2]"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_buffer out = {0};
        bool is_nil = false;
        weir_expr *expr = weir_expr_compile(weir_str_from(cases[i].text), NULL, NULL);
        assert_true(weir_expr_render(expr, NULL, &out, &is_nil, NULL));
        assert_string_equal(out.data, cases[i].gives);
        assert_int_equal(is_nil, strcmp(cases[i].text, "nil") == 0);
        weir_buffer_deinit(&out);
        weir_expr_free(expr);
    }
}

static bool join(void *arg, weir_str name) {
    weir_buffer_printf(arg, "%.*s ", WEIR_ARG(name));
    return !weir_str_is(name, "stop");
}

static void names_are_told(void **state) {
    (void)state;
    static const expected cases[] = {{"inputs.parameters.a + steps['x-y'].outputs.result",
                                      "inputs.parameters.a steps.x-y.outputs.result "},
                                     {"let a = b.c; a + d?.e[f].g", "b.c d.e f "},
                                     {"map(list, .x + #.y + z)", "list z "},
                                     {"sprig.upper(asInt(n)) + f(o.p)", "n o.p "},
                                     {"t.Format(l) + g", "t l g "},
                                     {"a + stop + b", "a stop "}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_buffer out = {0};
        weir_expr *expr = weir_expr_compile(weir_str_from(cases[i].text), NULL, NULL);
        assert_non_null(expr);
        weir_expr_names(expr, join, &out);
        assert_string_equal(out.data, cases[i].gives);
        weir_buffer_deinit(&out);
        weir_expr_free(expr);
    }
}

/* Whatever is asked for, it ends. */
static void limits_hold(void **state) {
    (void)state;
    static const char *const cases[] = {
        "len(1..1000000)",
        "repeat(\"abcdefghij\", 1000000)",
        "reduce(1..900000, #acc + \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\", \"\")",
        "count(1..900000, any(1..900, # < 0))",
        "let a = 1..900000; concat(a, a)",
        "reduce(1..9000, [#acc])",
        "uniq(1..200000)",
        "let a = [1,1,1,1,1,1,1,1,1,1]; let b = [a,a,a,a,a,a,a,a,a,a]; let c = "
        "[b,b,b,b,b,b,b,b,b,b]; let d = [c,c,c,c,c,c,c,c,c,c]; let e = "
        "[d,d,d,d,d,d,d,d,d,d]; let g = [e,e,e,e,e,e,e,e,e,e]; let h = [g,g,g,g,g,g,g,g,g,g]; "
        "[h,h,h,h]",
        "repeat(\"a\", 900000) matches \"(a?){500}b\""};
    weir_buffer out = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        evaluate(cases[i], NULL, NULL, &out);
        if (strncmp(out.data, "limit_exceeded", 14) != 0)
            fail_msg("%s: %.100s", cases[i], out.data);
    }
    static const char *const parts[][2] = {{"(", ")"},   {"[", "]"}, {"-", ""},      {"!", ""},
                                           {"{a:", "}"}, {"1+", ""}, {"true?1:", ""}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        weir_buffer text = {0};
        for (int k = 0; k < 20000; k++) weir_buffer_text(&text, parts[i][0]);
        weir_buffer_text(&text, "1");
        for (int k = 0; k < 20000; k++) weir_buffer_text(&text, parts[i][1]);
        evaluate(text.data, NULL, NULL, &out);
        if (strncmp(out.data, "limit_exceeded", 14) != 0)
            fail_msg("%s: %.100s", parts[i][0], out.data);
        weir_buffer_deinit(&text);
    }
    weir_buffer_deinit(&out);
}

static bool fixed_zone(void *arg, weir_str name, weir_buffer *out) {
    (void)arg;
    if (weir_str_is(name, "Bad")) weir_buffer_text(out, "TZif2 but no more");
    return !weir_str_is(name, "Gone");
}

static void zones_come_from_the_caller(void **state) {
    (void)state;
    weir_expr_world world = {.zone = fixed_zone};
    weir_buffer out = {0};
    evaluate("timezone('Bad')", NULL, &world, &out);
    assert_string_equal(out.data, "invalid 1:1 no time zone is named `Bad`");
    evaluate("timezone('Gone')", NULL, &world, &out);
    assert_string_equal(out.data, "invalid 1:1 no time zone is named `Gone`");
    evaluate("string(timezone('UTC'))", NULL, &world, &out);
    assert_string_equal(out.data, "\"UTC\"");
    weir_buffer_deinit(&out);
}

static void chance_comes_from_the_seed(void **state) {
    (void)state;
    static const char *const cases[] = {"sprig.uuidv4()",
                                        "sprig.randAlphaNum(12)",
                                        "sprig.randInt(0, 1000000)",
                                        "sprig.shuffle(\"abcdefghij\")",
                                        "sprig.randBytes(9)",
                                        "sprig.randAscii(20)",
                                        "sprig.randNumeric(9)",
                                        "sprig.randAlpha(9)"};
    weir_buffer first = {0}, again = {0}, other = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_expr_world world = {.seed = 7};
        evaluate(cases[i], NULL, &world, &first);
        evaluate(cases[i], NULL, &world, &again);
        world.seed = 8;
        evaluate(cases[i], NULL, &world, &other);
        assert_string_equal(first.data, again.data);
        assert_string_not_equal(first.data, other.data);
    }
    evaluate("sprig.genCA(\"a\", 1)", NULL, NULL, &first);
    assert_int_equal(strncmp(first.data, "not_supported 1:7 ", 18), 0);
    evaluate("sprig.ago(sprig.now()) + sprig.date(\"15:04\", sprig.now())", NULL,
             &(weir_expr_world){.now_ns = 3600000000000}, &first);
    assert_string_equal(first.data, "\"0s01:00\"");
    weir_buffer_deinit(&first);
    weir_buffer_deinit(&again);
    weir_buffer_deinit(&other);
}

/* --- patterns */

static void patterns_match_as_in_go(void **state) {
    (void)state;
    static const struct {
        const char *pattern, *text, *gives; /* the places; "-": no match; "!": no pattern */
    } cases[] = {{"a+b", "xaab", "1-4"},
                 {"(a|ab)(c|bcd)", "abcd", "0-4 0-1 1-4"},
                 {"(a*)*", "b", "0-0 0-0"},
                 {"a*?b", "aab", "0-3"},
                 {"^$", "", "0-0"},
                 {"(?i)straSSE", "STRAsse", "0-7"},
                 {"\\bfoo\\b", "a foo b", "2-5"},
                 {"[^a-c]+", "abcxyz", "3-6"},
                 {"(?P<n>\\d{2,3})", "a1234", "1-4 1-4"},
                 {"x{0}y", "xy", "1-2"},
                 {"(?s)a.b", "a\nb", "0-3"},
                 {"a.b", "a\nb", "-"},
                 {"(?m)^b$", "a\nb\nc", "2-3"},
                 {"\\Qa.b\\E", "a.b", "0-3"},
                 {"[[:alpha:]_]+", "1ab_", "1-4"},
                 {"\\p{Lu}", "aÉ", "1-3"},
                 {"\\PL", "éa1", "3-4"},
                 {"(a)|(b)", "b", "0-1 - 0-1"},
                 {"[\\d\\-x]+", "1-x", "0-3"},
                 {"\\x{263a}|\\x41", "A", "0-1"},
                 {"(?U)a+", "aaa", "0-1"},
                 {"a{,2}", "a{,2}", "0-5"},
                 {"(?i)k", "\xe2\x84\xaa", "0-3"},
                 {"(|a)+", "aaa", "0-0 0-0"},
                 {"é*", "éé", "0-4"},
                 {"(", "", "!"},
                 {")", "", "!"},
                 {"a**", "", "!"},
                 {"*", "", "!"},
                 {"[b-a]", "", "!"},
                 {"\\8", "", "!"},
                 {"a{1001}", "", "!"},
                 {"(?=a)", "", "!"},
                 {"\\", "", "!"},
                 {"[a", "", "!"},
                 {"(?P<1>a)(?P<1>b)", "", "!"},
                 {"((a{100}){100}){100}", "", "!"},
                 {"\\pX", "", "!"},
                 {"[[:foo:]]", "", "!"},
                 {"(?z)", "", "!"},
                 {"a{2,1}", "", "!"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char why[160], got[200] = "";
        size_t places[2 * (WEIR__REGEXP_GROUPS_MAX + 1)];
        weir__regexp *r = weir__regexp_new(weir_str_from(cases[i].pattern), why);
        if (!r) {
            snprintf(got, sizeof got, "!");
            assert_true(why[0]);
        } else if (!weir__regexp_find(r, weir_str_from(cases[i].text), 0, places)) {
            snprintf(got, sizeof got, "-");
        } else {
            for (size_t g = 0; g <= weir__regexp_groups(r); g++) {
                size_t used = strlen(got);
                if (places[2 * g] == SIZE_MAX)
                    snprintf(got + used, sizeof got - used, "%s-", g ? " " : "");
                else
                    snprintf(got + used, sizeof got - used, "%s%zu-%zu", g ? " " : "",
                             places[2 * g], places[2 * g + 1]);
            }
            assert_true(weir__regexp_find(r, weir_str_from(cases[i].text), 0, NULL));
        }
        if (strcmp(got, cases[i].gives) != 0)
            fail_msg("%s on %s: %s instead of %s", cases[i].pattern, cases[i].text, got,
                     cases[i].gives);
        weir__regexp_free(r);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_of_the_environment_stay_integers),
        cmocka_unit_test(errors_say_where),
        cmocka_unit_test(wrong_names_have_a_hint),
        cmocka_unit_test(names_may_be_looked_up),
        cmocka_unit_test(results_are_rendered),
        cmocka_unit_test(names_are_told),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(zones_come_from_the_caller),
        cmocka_unit_test(chance_comes_from_the_seed),
        cmocka_unit_test(patterns_match_as_in_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
