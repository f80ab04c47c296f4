/* The operations of HTML, in their module. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../operations/operations.h"
#include "module_host.h"

static const char page[] =
    "<!doctype html><html><head><title> A &amp;\n page </title></head><body>"
    "<div id=top class='a  big'><p id=p1>one<br>two</p><p id=p2 lang=en-GB>three <b>bold</b>er</p>"
    "<!-- no --><span id=s1>s</span><p id=p3 class=B>four</p></div>"
    "<form id=f action=/in><input id=i1 name=authenticity_token value='a&quot;b&lt;' type=hidden>"
    "<input id=i2 name=user><input id=i3 disabled data-x=''></form>"
    "<ul id=u><li id=l1>1<li id=l2>2<li id=l3>3<li id=l4>4<li id=l5>5</ul>"
    "<DIV id=d2><div id=d3><p id=p4 class='a.b x:y'>&eacute;\u4f60</p></div></DIV>"
    "<script id=js>if (a < b) x('<p>');</script></body></html>";

static weir_value *put(weir_value *object, const char *name, const char *text) {
    weir_member_put(object, name, weir_string_new(text, strlen(text)));
    return object;
}

/* Takes parameters and config over; fills a call that has ended. */
static bool run(weir_call *call, const char *name, weir_value *parameters, weir_value *config) {
    fake_begin(call, fake_find(weir_html_plugin(fake_host()), name), parameters, config);
    return fake_wait(call);
}

static void format(const weir_value *value, weir_buffer *out) {
    weir_buffer_clear(out);
    if (value)
        weir_json_format(value, 0, out);
    else
        weir_buffer_text(out, "none");
}

/* The ids of what a selector matches, or the failure. */
static void select_ids(const char *selector, weir_buffer *out) {
    weir_call call = {0};
    weir_buffer_clear(out);
    weir_buffer_text(out, "");
    weir_value *config = fake_parse("{\"attribute\":\"id\"}");
    if (run(&call, "html.select", put(put(weir_object_new(), "html", page), "selector", selector),
            config)) {
        const weir_value *ids = weir_member_named(call.outputs, "values");
        for (size_t i = 0; i < weir_value_count(ids); i++)
            weir_buffer_printf(out, "%s%s", i ? " " : "",
                               weir_string_get(weir_array_at(ids, i)).data);
        assert_true(weir_int_get(weir_member_named(call.outputs, "count")) >=
                    (int64_t)weir_value_count(ids));
    } else {
        weir_buffer_text(out, call.failure);
    }
    fake_end(&call);
}

static void selectors_match(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"p", "p1 p2 p3 p4"},
        {"P", "p1 p2 p3 p4"},
        {"#p2", "p2"},
        {"p#p2", "p2"},
        {"#P2", ""},
        {".big", "top"},
        {".a.big", "top"},
        {".b", ""},
        {".B", "p3"},
        {"*[id^=p]", "p1 p2 p3 p4"},
        {"[id$='1']", "p1 s1 i1 l1"},
        {"[id*=\"s\"]", "s1 js"},
        {"[class~=big]", "top"},
        {"[lang|=en]", "p2"},
        {"[lang=en]", ""},
        {"[disabled]", "i3"},
        {"[ name = user ]", "i2"},
        {"[data-x='']", "i3"},
        {"[data-x^='']", ""},
        {"input[name=authenticity_token]", "i1"},
        {"div p", "p1 p2 p3 p4"},
        {"div > p", "p1 p2 p3 p4"},
        {"div>div>p", "p4"},
        {"body div div p", "p4"},
        {"form > p", ""},
        {"p + p", "p2"},
        {"p + span", "s1"},
        {"p ~ p", "p2 p3"},
        {"span ~ p", "p3"},
        {"br ~ p", ""},
        {"#top ~ div p", "p4"},
        {"#top + form + ul > li", "l1 l2 l3 l4 l5"},
        {"p:first-child", "p1 p4"},
        {"p:last-child", "p3 p4"},
        {"p:only-child", "p4"},
        {"li:nth-child(2)", "l2"},
        {"li:nth-child(odd)", "l1 l3 l5"},
        {"li:nth-child(EVEN)", "l2 l4"},
        {"li:nth-child( 3n + 1 )", "l1 l4"},
        {"li:nth-child(3n-1)", "l2 l5"},
        {"li:nth-child(-n+2)", "l1 l2"},
        {"li:nth-child(n+4)", "l4 l5"},
        {"li:nth-child(n)", "l1 l2 l3 l4 l5"},
        {"li:nth-child(0n+3)", "l3"},
        {"li:nth-child(-3)", ""},
        {"li:not(:first-child)", "l2 l3 l4 l5"},
        {"li:not(#l2):not(:nth-child(odd))", "l4"},
        {"p:not([lang]):not(.B)", "p1 p4"},
        {"div:not(.a) p", "p4"},
        {":not(p):not(li)[id^=p]", ""},
        {"body > *:not(div)", "f u js"},
        {"form :not(input)", ""},
        {"p, li", "p1 p2 p3 l1 l2 l3 l4 l5 p4"},
        {"p,p , p", "p1 p2 p3 p4"},
        {"span,div > div", "s1 d3"},
        {".a\\.b", "p4"},
        {".x\\3a y", "p4"},
        {"#\\70 4", "p4"},
        {"[id=\"p\\34\"]", "p4"},
        {" \n p#p1 \t", "p1"},
    };
    weir_buffer found = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        select_ids(cases[i][0], &found);
        if (strcmp(found.data, cases[i][1]) != 0) print_error("selector %s\n", cases[i][0]);
        assert_string_equal(found.data, cases[i][1]);
    }
    weir_buffer_deinit(&found);
}

static void bad_selectors_are_refused(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"", "character 1: an element is missing, such as div, #id or .class"},
        {"p,", "character 3: an element is missing"},
        {"p >", "character 4: an element is missing"},
        {"> p", "character 1: an element is missing"},
        {"p[", "character 3: a name is missing"},
        {"p[a", "character 4: `=` or `]` is missing"},
        {"p[a=b", "character 6: `]` is missing"},
        {"p[a=\"b]", "character 8: the string does not end"},
        {"p[a!=b]", "character 4: `=` or `]` is missing"},
        {"p:hover", "character 2: this is not known"},
        {"p::before", "character 2: this is not known"},
        {":nth-child(x)", "character 12: an+b, odd or even is missing"},
        {":nth-child(2n+)", "character 15: a number is missing"},
        {":nth-child(99999999)", "the number is too large"},
        {":nth-child(2", "character 13: `)` is missing"},
        {":not(p q)", "`)` is missing"},
        {":not(:not(p))", "character 6: this is not known within :not()"},
        {":not()", "character 6: :not() holds one condition"},
        {"p/q", "character 2: this does not belong into a selector"},
        {"..a", "character 2: a name is missing"},
        {"a\\", "character 3: there is nothing to escape"},
    };
    weir_buffer found = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        select_ids(cases[i][0], &found);
        if (!strstr(found.data, cases[i][1])) print_error("%s: %s\n", cases[i][0], found.data);
        assert_non_null(strstr(found.data, cases[i][1]));
        assert_memory_equal(found.data, "invalid: selector `", 19);
    }
    weir_buffer large = {0};
    for (size_t i = 0; i < 65; i++) weir_buffer_text(&large, "p ");
    select_ids(large.data, &found);
    assert_non_null(strstr(found.data, "it is longer than 64 elements"));
    weir_buffer_clear(&large);
    for (size_t i = 0; i < 257; i++) weir_buffer_text(&large, ".a");
    select_ids(large.data, &found);
    assert_non_null(strstr(found.data, "it has more than 256 conditions"));
    for (size_t i = 0; i < 4096; i++) weir_buffer_text(&large, "\\0");
    select_ids(large.data, &found);
    assert_non_null(strstr(found.data, "it is longer than 4,096 characters"));
    weir_buffer_clear(&large);
    for (size_t i = 0; i < 2047; i++) weir_buffer_text(&large, "\\0");
    select_ids(large.data, &found);
    assert_string_equal(found.data, "");
    weir_buffer_deinit(&large);
    weir_buffer_deinit(&found);
}

/* An output of the operation as JSON, or its failure. */
static void expect_given(const char *name, weir_value *parameters, const char *config,
                         const char *output, const char *wanted) {
    weir_call call = {0};
    weir_buffer found = {0};
    if (run(&call, name, parameters, fake_parse(config)))
        format(weir_member_named(call.outputs, output), &found);
    else
        weir_buffer_text(&found, call.failure);
    assert_string_equal(found.data, wanted);
    weir_buffer_deinit(&found);
    fake_end(&call);
}

/* Of html.select, with the page. */
static void expect_selected(const char *config, const char *output, const char *wanted) {
    expect_given("html.select", put(weir_object_new(), "html", page), config, output, wanted);
}

static void matches_are_given(void **state) {
    (void)state;
    expect_selected("{\"selector\":\"title\"}", "value", "\"A & page\"");
    expect_selected("{\"selector\":\"#p1, #p2, #js, #p4\"}", "values",
                    "[\"one two\",\"three bolder\",\"é你\",\"if (a < b) x('<p>');\"]");
    expect_selected("{\"selector\":\"#top\"}", "values", "[\"one two three bolder s four\"]");
    expect_selected("{\"selector\":\"#p2\"}", "matches",
                    "[{\"tag\":\"p\",\"text\":\"three bolder\",\"html\":\"<p id=\\\"p2\\\" "
                    "lang=\\\"en-GB\\\">three <b>bold</b>er</p>\",\"attributes\":{\"id\":\"p2\","
                    "\"lang\":\"en-GB\"}}]");
    expect_selected("{\"selector\":\"#p4 , #i3\"}", "matches",
                    "[{\"tag\":\"input\",\"text\":\"\",\"html\":\"<input id=\\\"i3\\\" disabled "
                    "data-x=\\\"\\\">\",\"attributes\":{\"id\":\"i3\",\"disabled\":\"disabled\","
                    "\"data-x\":\"\"}},{\"tag\":\"p\",\"text\":\"é你\",\"html\":\"<p id=\\\"p4\\\" "
                    "class=\\\"a.b x:y\\\">é你</p>\",\"attributes\":{\"id\":\"p4\","
                    "\"class\":\"a.b x:y\"}}]");
    expect_selected("{\"selector\":\"input\",\"attribute\":\"value\"}", "values", "[\"a\\\"b<\"]");
    expect_selected("{\"selector\":\"input\",\"attribute\":\"value\"}", "count", "3");
    expect_selected("{\"selector\":\"li\",\"first\":true}", "values", "[\"1\"]");
    expect_selected("{\"selector\":\"h1\"}", "value", "none");
    expect_selected("{\"selector\":\"h1\"}", "matches", "[]");
    expect_selected("{\"selector\":\"h1\",\"required\":true}", "value",
                    "not_found: nothing on the page is `h1`");
    expect_selected("{\"selector\":\"li\",\"attribute\":\"no\",\"required\":true}", "value",
                    "not_found: what `li` selects has no attribute `no`");
    expect_selected(NULL, "value",
                    "invalid: a `selector` is missing, such as \"h1\" or \"a.next\"");
    expect_selected("{\"selector\":7}", "value",
                    "invalid: `selector` must be of type string, found int");
}

/* Any operation, its parameters as JSON. */
static void expect(const char *name, const char *parameters, const char *config, const char *output,
                   const char *wanted) {
    expect_given(name, fake_parse(parameters), config, output, wanted);
}

static void pages_come_as_texts_and_responses(void **state) {
    (void)state;
    static const char select[] = "html.select", title[] = "{\"selector\":\"title\"}";
    expect(select, "{\"html\":{\"body\":\"<title>x\",\"encoding\":\"text\"}}", title, "value",
           "\"x\"");
    expect(select, "{\"html\":\"\"}", title, "matches", "[]");
    expect(select, "{\"html\":\"<\"}", "{\"selector\":\"*\"}", "count", "0");
    expect(select, "{\"html\":\"just words\"}", "{\"selector\":\"p\"}", "value", "\"just words\"");
    expect(select, "{\"html\":\"<?xml version='1.0' encoding='latin1'?><p>é<p>\"}",
           "{\"selector\":\"p\"}", "value", "\"é\"");
    expect(select, "{\"html\":\"<meta charset=latin1><p>é<p>\"}", "{\"selector\":\"p\"}", "value",
           "\"é\"");
    expect(select, "{\"html\":\"<p>&#0;&#xd800;&#99999999;&lol;&amp;\"}", "{\"selector\":\"p\"}",
           "value", "\"&lol;&\"");
    expect(select, "{\"html\":{\"body\":\"QQ==\",\"encoding\":\"base64\"}}", title, "value",
           "invalid: the response is no text");
    expect(select, "{\"html\":1}", title, "value",
           "invalid: parameter `html` must be a text, or a response of http.get with a body");
    expect(select, "{\"html\":{}}", title, "value",
           "invalid: parameter `html` must be a text, or a response of http.get with a body");
    expect(select, "{\"html\":\"x\",\"url\":\"/rel\"}", title, "value",
           "invalid: the page's `url` must be absolute");
    expect(select, "{\"html\":\"x\",\"url\":\"http://a:b/\"}", title, "value",
           "invalid: the page's `url` is no URL: its host is not one");
}

/* What an XML parser would read, expand or fetch, this one does not. */
static void nothing_is_expanded_or_fetched(void **state) {
    (void)state;
    expect("html.select",
           "{\"html\":\"<!DOCTYPE x [<!ENTITY a 'boom'><!ENTITY b SYSTEM 'file:///etc/passwd'>"
           "<!ENTITY % c SYSTEM 'http://127.0.0.1:1/'> %c;]><p>&a;&b;\"}",
           "{\"selector\":\"p:last-child\"}", "value", "\"&a;&b;\"");
}

static void links_are_absolute(void **state) {
    (void)state;
    static const char links[] = "html.links";
    static const char body[] =
        "<a href=x>1</a><a href='x#frag'>again</a><a href='//H:80/y?q'></a><a "
        "href='mailto:a@b'></a>"
        "<a href='javascript:void(0)'></a><a name=n></a><a href=''></a><a href=' ../z z '></a>"
        "<area href=http://u:p@h2/><link href=style.css><a href='http://a:b'></a><a "
        "href=HTTPS://E></a>";
    char parameters[1000];
    snprintf(parameters, sizeof parameters, "{\"html\":{\"url\":\"http://h/d/e\",\"body\":\"%s\"}}",
             body);
    expect(links, parameters, NULL, "links",
           "[\"http://h/d/x\",\"http://h/y?q\",\"http://h/d/e\",\"http://h/z%20z\",\"http://h2/\","
           "\"https://e/\"]");
    expect(links, parameters, "{\"same_host\":true}", "links",
           "[\"http://h/d/x\",\"http://h/y?q\",\"http://h/d/e\",\"http://h/z%20z\"]");
    expect(links, parameters, "{\"selector\":\"link\"}", "links", "[\"http://h/d/style.css\"]");
    snprintf(parameters, sizeof parameters, "{\"html\":\"%s\"}", body);
    expect(links, parameters, NULL, "links", "[\"http://h2/\",\"https://e/\"]");
    expect(links, parameters, "{\"same_host\":true}", "links",
           "invalid: `same_host` needs the page's `url`");
    expect(links, "{\"url\":\"http://h/\",\"html\":\"<head><base href='/b/'></head><a href=c>\"}",
           NULL, "links", "[\"http://h/b/c\"]");
}

static void records_are_extracted(void **state) {
    (void)state;
    static const char extract[] = "html.extract";
    static const char response[] =
        "{\"html\":{\"url\":\"http://h/d\",\"body\":\"<title>T</title><a href=x>A</a><a "
        "href='x#y'>B</a>\",\"encoding\":\"text\"}}";
    expect(extract, response,
           "{\"fields\":{\"title\":\"title\",\"links\":{\"selector\":\"a\",\"attribute\":\"href\","
           "\"absolute\":true,\"all\":true},\"raw\":{\"selector\":\"a\",\"attribute\":\"href\","
           "\"all\":true},\"html\":{\"selector\":\"title\",\"html\":true},\"none\":\"h1\","
           "\"nothing\":{\"selector\":\"h1\",\"all\":true}}}",
           "record",
           "{\"url\":\"http://h/d\",\"title\":\"T\",\"links\":[\"http://h/x\"],"
           "\"raw\":[\"x\",\"x#y\"],\"html\":\"<title>T</title>\",\"none\":null,\"nothing\":[]}");
    expect(extract, "{\"html\":\"<b>x\"}", "{\"fields\":{\"b\":\"b\"}}", "record", "{\"b\":\"x\"}");
    expect(extract, response, NULL, "record",
           "invalid: `fields` must be of type object, found nothing");
    expect(extract, response, "{\"fields\":{\"a\":{\"attribute\":\"x\"}}}", "record",
           "invalid: field `a`: its selector must be a text");
    expect(extract, response, "{\"fields\":{\"a\":{\"selector\":\"p\",\"atribute\":\"x\"}}}",
           "record", "invalid: field `a`: it has selector, attribute, html, absolute and all");
    expect(extract, response, "{\"fields\":{\"a\":\"p[\"}}", "record",
           "invalid: selector `p[`, character 3: a name is missing");
}

/* Called with a page of `count` times the text. */
static char *select_repeated(const char *text, size_t count, const char *selector) {
    weir_buffer large = {0}, out = {0};
    for (size_t i = 0; i < count; i++) weir_buffer_text(&large, text);
    weir_call call = {0};
    weir_value *parameters = put(put(weir_object_new(), "html", large.data), "selector", selector);
    if (run(&call, "html.select", parameters, fake_parse(NULL)))
        format(weir_member_named(call.outputs, "count"), &out);
    else
        weir_buffer_text(&out, call.failure);
    fake_end(&call);
    weir_buffer_deinit(&large);
    return out.data;
}

static void limits_hold(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t count;
        const char *selector, *wanted;
    } cases[] = {
        {"<b>", 200, "b", "200"},
        {"<div>", 5000, "div", "limit_exceeded: the page's elements are nested more than 256 deep"},
        {"<p>", 100001, "p", "limit_exceeded: more than 100000 elements match"},
        {"0123456789abcdef", 2097153, "p",
         "limit_exceeded: the page is larger than 33554432 bytes"},
        {"<p>0123456789abcdef</p>", 90000, "p,body,html", "90002"},
        /* Selectors that make others try again and again. */
        {"<p>a</p>", 20000, "p ~ p ~ p ~ p ~ p ~ p ~ p ~ b", "0"},
        {"<i><u>", 100, "i i i i i i i i i i i i i i i i i i i i i i i i i i i b", "0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *found = select_repeated(cases[i].text, cases[i].count, cases[i].selector);
        assert_string_equal(found, cases[i].wanted);
        weir_free(found);
    }
    char *found = select_repeated("<u>0123456789abcdef0123456789abcdef", 100, "no");
    assert_string_equal(found, "0");
    weir_free(found);
}

static void what_is_given_is_limited(void **state) {
    (void)state;
    weir_buffer large = {0};
    for (size_t i = 0; i < 100; i++) weir_buffer_text(&large, "<u>");
    for (size_t i = 0; i < 100000; i++) weir_buffer_text(&large, "0123456789abcdef");
    char *found = select_repeated(large.data, 1, "u");
    assert_memory_equal(found, "limit_exceeded: what matches is larger than 67108864 bytes", 58);
    weir_free(found);
    weir_buffer_deinit(&large);
}

static void a_cancelled_call_ends(void **state) {
    (void)state;
    weir_call call = {0};
    atomic_store(&call.cancelled, true);
    assert_false(run(&call, "html.select", put(weir_object_new(), "html", page),
                     fake_parse("{\"selector\":\"p\"}")));
    assert_int_equal(weir_value_count(call.outputs), 0);
    fake_end(&call);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(selectors_match),
        cmocka_unit_test(bad_selectors_are_refused),
        cmocka_unit_test(matches_are_given),
        cmocka_unit_test(pages_come_as_texts_and_responses),
        cmocka_unit_test(nothing_is_expanded_or_fetched),
        cmocka_unit_test(links_are_absolute),
        cmocka_unit_test(records_are_extracted),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(what_is_given_is_limited),
        cmocka_unit_test(a_cancelled_call_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
