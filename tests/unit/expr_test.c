/* Tags and conditions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "data/json.h"
#include "expr/condition.h"
#include "expr/tag.h"

/* Knows `x` as 1, `tag` as a tag, `none` as nothing; `bad` writes and fails. */
static bool lookup(void *arg, weir_str name, weir_buffer *out) {
    (void)arg;
    if (weir_str_is(name, "x")) weir_buffer_text(out, "1");
    if (weir_str_is(name, "tag")) weir_buffer_text(out, "{{x}}");
    if (weir_str_is(name, "bad")) weir_buffer_text(out, "half");
    return weir_str_is(name, "x") || weir_str_is(name, "tag") || weir_str_is(name, "none");
}

static void tags_are_replaced(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"", ""},
        {"plain } }} { text", "plain } }} { text"},
        {"{{x}}", "1"},
        {"a{{ x }}{{\tx\n}}b{{none}}", "a11b"},
        {"{{tag}}", "{{x}}"},
        {"{\"a\":{\"b\":{{x}}}}", "{\"a\":{\"b\":1}}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_buffer out = {0};
        assert_true(weir_tag_render(weir_str_from(cases[i][0]), lookup, NULL, &out, NULL));
        assert_string_equal(weir_buffer_str(&out).data, cases[i][1]);
        weir_buffer_deinit(&out);
    }
}

static void tags_that_are_wrong_leave_nothing(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
        weir_code code;
    } cases[] = {
        {"a{{x}}{{ y.z }}", "nothing is named `{{y.z}}`", WEIR_INVALID},
        {"{{}}", "nothing is named `{{}}`", WEIR_INVALID},
        {"{{bad}}", "nothing is named `{{bad}}`", WEIR_INVALID},
        {"{{x", "the tag `{{x` has no end", WEIR_SYNTAX},
        {"{{=1+1}}", "nothing is named `{{=1+1}}`", WEIR_INVALID},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_buffer out = {0};
        weir_error error;
        weir_buffer_text(&out, "kept");
        assert_false(weir_tag_render(weir_str_from(cases[i].text), lookup, NULL, &out, &error));
        assert_string_equal(error.message, cases[i].message);
        assert_int_equal(error.code, cases[i].code);
        assert_string_equal(out.data, "kept");
        weir_buffer_deinit(&out);
    }
}

static void values_are_rendered(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"{\"a{{x}}\":[\"{{x}}\",{\"b\":\"-{{x}}-\"},1,null]}",
         "{\"a1\":[\"1\",{\"b\":\"-1-\"},1,null]}"},
        {"\"text\"", "\"text\""},
        {"[[[\"{{y}}\"]]]", NULL},
        {"{\"a\":1,\"{{y}}\":2}", NULL},
        {"{\"1\":1,\"{{x}}\":2}", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_value *value, *rendered = NULL;
        assert_true(weir_json_parse(weir_str_from(cases[i][0]), WEIR_STR(""), &value, NULL));
        assert_int_equal(weir_tag_render_value(value, lookup, NULL, &rendered, NULL),
                         cases[i][1] != NULL);
        weir_buffer out = {0};
        if (rendered) weir_json_format(rendered, 0, &out);
        if (cases[i][1]) assert_string_equal(out.data, cases[i][1]);
        weir_buffer_deinit(&out);
        weir_value_unref(rendered);
        weir_value_unref(value);
    }
}

static bool join_until_stop(void *arg, weir_str name) {
    weir_buffer_str_append(arg, name);
    weir_buffer_byte(arg, ',');
    return !weir_str_is(name, "stop");
}

static void tags_are_listed(void **state) {
    (void)state;
    weir_buffer names = {0};
    weir_tag_each(WEIR_STR("{{ a }} {{=b}}{{stop}}{{c}}"), join_until_stop, &names);
    weir_tag_each(WEIR_STR("{{d}} {{e"), join_until_stop, &names);
    assert_string_equal(names.data, "a,=b,stop,d,");
    weir_buffer_deinit(&names);
}

static void conditions_are_evaluated(void **state) {
    (void)state;
    static const char *const trues[] = {
        "true",
        "heads == heads",
        " 'a' != \"b\" ",
        "3 > 2.5 && !(x == y)",
        "10 > 9",
        "\"10\" < '9'",
        "1 == 1.0",
        "1000 >= 999.5 && -1 < 0 && -0.1 <= 0",
        "'1' != 1",
        "\"true\" != true",
        "true == (1 < 2)",
        "!(!true)",
        "!false == true",
        "false && false || true",
        "true || false && false",
        "false||true&&true",
        "f_g1 == 'f_g1'",
        "'a' in ('b', a) && !('a' in ('b', 'c'))",
        "abc =~ '^a.c$' && abc !~ 'b$' && 'x' =~ x",
        "1 + 2 * 3 == 7 && 10 - 3 - 2 == 5 && 2 ** 3 == 8 && 7 % 4 == 3",
        "a + 1 == 'a1' && (6 & 3) == 2 && (6 | 3) == 7 && (6 ^ 3) == 5 && 1 << 4 == 16 && ~5 == -6",
        "(1 > 2 ? a : b) == b && (1 < 2 ? a : b) == a",
        "'2026-01-02' > '2026-01-01T23:00:00Z'",
        "[a b] == 'a b' && 'a\\'b' == \"a\\'b\"",
        "m\xc3\xbcller == 'm\xc3\xbcller'",
        "2026-11-21 < 2026-12-01", /* a difference */
        "'' == \"\"",
        "true || none > 3",
        "!(false && none)",
        "false && 3 > x || true",
    };
    static const char *const falses[] = {
        "false",          "a == b",      "1 != 1", "3 > 3",    "(true && (false))",
        "1 == '1'",       "no == false", "a == A", "abc < ab", "none != none && none > 3",
        "!true || !true",
    };
    for (size_t i = 0; i < sizeof trues / sizeof *trues; i++) {
        bool result = false;
        if (!weir_condition_evaluate(weir_str_from(trues[i]), &result, NULL) || !result)
            fail_msg("%s", trues[i]);
    }
    for (size_t i = 0; i < sizeof falses / sizeof *falses; i++) {
        bool result = true;
        if (!weir_condition_evaluate(weir_str_from(falses[i]), &result, NULL) || result)
            fail_msg("%s", falses[i]);
    }
}

static void wrong_conditions_have_columns(void **state) {
    (void)state;
    static const struct {
        const char *text;
        unsigned column;
        weir_code code;
    } cases[] = {
        {"", 1, WEIR_SYNTAX},
        {" == heads", 2, WEIR_SYNTAX},
        {"a ==", 5, WEIR_SYNTAX},
        {"a = b", 3, WEIR_SYNTAX},
        {"a & b", 3, WEIR_INVALID},
        {"true &&", 8, WEIR_SYNTAX},
        {"true || == 1", 9, WEIR_SYNTAX},
        {"(a == b", 8, WEIR_SYNTAX},
        {"a == b)", 8, WEIR_SYNTAX},
        {"a == 'b", 6, WEIR_SYNTAX},
        {"'\xc3\xa9' == {", 8, WEIR_SYNTAX},
        {"a==-1", 2, WEIR_SYNTAX},
        {"1.2.3 == 1", 1, WEIR_SYNTAX},
        {"1e3 == 1", 2, WEIR_SYNTAX},
        {"!foo", 2, WEIR_SYNTAX},
        {"f(1)", 1, WEIR_SYNTAX},
        {"[a", 1, WEIR_SYNTAX},
        {"a =~ '('", 3, WEIR_SYNTAX},
        {"heads", 1, WEIR_INVALID},
        {"foo-bar == x", 4, WEIR_INVALID},
        {"true && 3", 6, WEIR_INVALID},
        {"!3", 1, WEIR_INVALID},
        {"(3)", 1, WEIR_INVALID},
        {"true && 3 < x", 11, WEIR_INVALID},
        {"true < false", 6, WEIR_INVALID},
        {"1 in 1", 3, WEIR_INVALID},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool result;
        weir_error error;
        if (weir_condition_evaluate(weir_str_from(cases[i].text), &result, &error))
            fail_msg("%s was taken", cases[i].text);
        if (error.column != cases[i].column || error.code != cases[i].code)
            fail_msg("%s: %u %s", cases[i].text, error.column, error.message);
    }
}

static void logic_is_evaluated(void **state) {
    (void)state;
    static const char *const cases[] = {"true",
                                        "!false",
                                        " true &&!false||( false )",
                                        "!!true",
                                        "false || true && true",
                                        "!(false || !true)"};
    static const char *const wrong[] = {"",      "true &&",      "(true",    "true true",
                                        "maybe", "true & false", "truefalse"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool result = false;
        if (!weir_logic_evaluate(weir_str_from(cases[i]), &result, NULL) || !result)
            fail_msg("%s", cases[i]);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        bool result;
        weir_error error;
        if (weir_logic_evaluate(weir_str_from(wrong[i]), &result, &error)) fail_msg("%s", wrong[i]);
        assert_int_equal(error.code, WEIR_SYNTAX);
    }
}

static void conditions_are_explained_as_argo_does(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"foo-bar == x", "Failed to evaluate 'when' expresion 'foo-bar == x': Value 'foo' cannot "
                         "be used with the modifier '-', it is not a number"},
        {"a@b == 1", "Invalid 'when' expression 'a@b == 1': Invalid token: '@' (hint: try wrapping "
                     "the affected expression in quotes (\"))"},
        {"!foo", "Failed to parse 'when' expression '!foo': Cannot transition token types from "
                 "PREFIX [!] to STRING [foo]"},
        {"a b", "Invalid 'when' expression 'a b': Cannot transition token types from VARIABLE [a] "
                "to VARIABLE [b]"},
        {"1 + 1", "Expected boolean evaluation for '1 + 1'. Got 2"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool result;
        weir_error error;
        weir_buffer out = {0};
        assert_false(weir_condition_evaluate(weir_str_from(cases[i][0]), &result, &error));
        weir_condition_explain(weir_str_from(cases[i][0]), &error, &out);
        assert_string_equal(out.data, cases[i][1]);
        weir_buffer_deinit(&out);
    }
}

static bool comes_later(void *arg, weir_str name) {
    (void)arg;
    return weir_str_is(name, "retries") || weir_str_starts(name, WEIR_STR("pod."));
}

/* Fills `text`; gives the text, or the error's message. */
static void fill(const char *text, bool json, bool late, const weir_value *env, weir_buffer *out) {
    weir_expr_options options = {.env = env};
    weir_expr_world world = {0};
    memcpy(&world.env, &env, sizeof env);
    weir_tag_scope scope = {.lookup = lookup,
                            .options = &options,
                            .world = &world,
                            .late = late ? comes_later : NULL,
                            .json = json};
    weir_error error;
    weir_buffer_clear(out);
    if (!weir_tag_fill(weir_str_from(text), &scope, out, &error)) {
        weir_buffer_clear(out);
        weir_buffer_text(out, error.message);
    }
}

static void tags_have_expressions(void **state) {
    (void)state;
    static const struct {
        const char *text, *gives;
        bool json, late;
    } cases[] = {
        {"a{{=1 + 2}}b{{= s }}{{x}}", "a3bsay \"hi\"1", false, false},
        {"{{=[1, 2.5, s]}} {{=1 < 2}} {{={\"k\": 7.0} }}",
         "[1,2.5,\"say \\\"hi\\\"\"] true {\"k\":7}", false, false},
        {"{\"a\": \"{{=s + \\\"!\\\"}} {{tag}}\"}", "{\"a\": \"say \\\"hi\\\"! {{x}}\"}", true,
         false},
        {"{{=string([1, 2])}}", "[1 2]", false, false},
        {"{{=n}}", "the expression `{{=n}}`: it gives nil", false, false},
        {"{{=1 +}}", "the expression `{{=1 +}}`: the expression ends too early", false, false},
        {"{{=zz}}", "the expression `{{=zz}}`: nothing is named `zz`", false, false},
        {"{{=asInt(retries) + 1}} {{pod.name}} {{x}}", "{{=asInt(retries) + 1}} {{pod.name}} 1",
         false, true},
        {"{{=zz + retries}}", "{{=zz + retries}}", false, true},
        {"{{zz}}", "nothing is named `{{zz}}`", false, true},
        {"{{=zz}}", "the expression `{{=zz}}`: nothing is named `zz`", false, true}};
    weir_value *env;
    weir_buffer out = {0};
    assert_true(weir_json_parse(WEIR_STR("{\"s\":\"say \\\"hi\\\"\",\"n\":null}"), WEIR_STR(""),
                                &env, NULL));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fill(cases[i].text, cases[i].json, cases[i].late, env, &out);
        if (strcmp(out.data, cases[i].gives) != 0)
            fail_msg("%s: %s instead of %s", cases[i].text, out.data, cases[i].gives);
    }
    weir_buffer_deinit(&out);
    weir_value_unref(env);
}

static void condition_depth_is_limited(void **state) {
    (void)state;
    for (int levels = WEIR_CONDITION_DEPTH_MAX - 1; levels <= WEIR_CONDITION_DEPTH_MAX; levels++) {
        weir_buffer text = {0};
        for (int i = 0; i < levels; i++) weir_buffer_byte(&text, '(');
        weir_buffer_text(&text, "true");
        for (int i = 0; i < levels; i++) weir_buffer_byte(&text, ')');
        bool result = false;
        weir_error error = {0};
        bool allowed = levels < WEIR_CONDITION_DEPTH_MAX;
        assert_int_equal(weir_condition_evaluate(weir_buffer_str(&text), &result, &error), allowed);
        assert_int_equal(error.code, allowed ? WEIR_OK : WEIR_LIMIT);
        assert_int_equal(result, allowed);
        weir_buffer_deinit(&text);
    }
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(tags_are_replaced),
        cmocka_unit_test(tags_that_are_wrong_leave_nothing),
        cmocka_unit_test(values_are_rendered),
        cmocka_unit_test(tags_are_listed),
        cmocka_unit_test(conditions_are_evaluated),
        cmocka_unit_test(wrong_conditions_have_columns),
        cmocka_unit_test(logic_is_evaluated),
        cmocka_unit_test(conditions_are_explained_as_argo_does),
        cmocka_unit_test(tags_have_expressions),
        cmocka_unit_test(condition_depth_is_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
