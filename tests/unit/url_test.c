/* The operations of URLs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../operations/operations.h"
#include "module_host.h"

/* What an operation gives, as JSON, or its failure; the caller frees. */
static char *call(const char *name, weir_value *parameters) {
    weir_call made = {0};
    weir_buffer out = {0};
    fake_begin(&made, fake_find(weir_url_plugin(fake_host()), name), parameters, fake_parse(NULL));
    if (fake_wait(&made))
        weir_json_format(made.outputs, 0, &out);
    else
        weir_buffer_text(&out, made.failure);
    fake_end(&made);
    return out.data;
}

static weir_value *text(const char *data) {
    return weir_string_new(data, strlen(data));
}

static void expect(const char *name, const char *parameters, const char *wanted) {
    char *found = call(name, fake_parse(parameters));
    assert_string_equal(found, wanted);
    weir_free(found);
}

/* RFC 3986, section 5.4, all of it; and what is beside it. */
static void references_are_resolved(void **state) {
    (void)state;
    static const struct {
        const char *base, *reference, *wanted;
    } cases[] = {
        {NULL, "g:h", "g:h"},
        {NULL, "g", "http://a/b/c/g"},
        {NULL, "./g", "http://a/b/c/g"},
        {NULL, "g/", "http://a/b/c/g/"},
        {NULL, "/g", "http://a/g"},
        {NULL, "//g", "http://g"},
        {NULL, "?y", "http://a/b/c/d;p?y"},
        {NULL, "g?y", "http://a/b/c/g?y"},
        {NULL, "#s", "http://a/b/c/d;p?q#s"},
        {NULL, "g#s", "http://a/b/c/g#s"},
        {NULL, "g?y#s", "http://a/b/c/g?y#s"},
        {NULL, ";x", "http://a/b/c/;x"},
        {NULL, "g;x", "http://a/b/c/g;x"},
        {NULL, "g;x?y#s", "http://a/b/c/g;x?y#s"},
        {NULL, "", "http://a/b/c/d;p?q"},
        {NULL, ".", "http://a/b/c/"},
        {NULL, "./", "http://a/b/c/"},
        {NULL, "..", "http://a/b/"},
        {NULL, "../", "http://a/b/"},
        {NULL, "../g", "http://a/b/g"},
        {NULL, "../..", "http://a/"},
        {NULL, "../../", "http://a/"},
        {NULL, "../../g", "http://a/g"},
        {NULL, "../../../g", "http://a/g"},
        {NULL, "../../../../g", "http://a/g"},
        {NULL, "/./g", "http://a/g"},
        {NULL, "/../g", "http://a/g"},
        {NULL, "g.", "http://a/b/c/g."},
        {NULL, ".g", "http://a/b/c/.g"},
        {NULL, "g..", "http://a/b/c/g.."},
        {NULL, "..g", "http://a/b/c/..g"},
        {NULL, "./../g", "http://a/b/g"},
        {NULL, "./g/.", "http://a/b/c/g/"},
        {NULL, "g/./h", "http://a/b/c/g/h"},
        {NULL, "g/../h", "http://a/b/c/h"},
        {NULL, "g;x=1/./y", "http://a/b/c/g;x=1/y"},
        {NULL, "g;x=1/../y", "http://a/b/c/y"},
        {NULL, "g?y/./x", "http://a/b/c/g?y/./x"},
        {NULL, "g?y/../x", "http://a/b/c/g?y/../x"},
        {NULL, "g#s/./x", "http://a/b/c/g#s/./x"},
        {NULL, "g#s/../x", "http://a/b/c/g#s/../x"},
        {NULL, "http:g", "http:g"},
        {"http://a", "b", "http://a/b"},
        {"http://a?q", "", "http://a?q"},
        {"http://u:p@a:81/x/", "y", "http://u:p@a:81/x/y"},
        {"http://[::1]:8080/x", "../y?", "http://[::1]:8080/y?"},
        {"mailto:me@x", "", "mailto:me@x"},
        {"http://a/b", " \n c d\t/é?<\"> ", "http://a/c%20d/%C3%A9?%3C%22%3E"},
        {"http://a/b", "%41%zz%4", "http://a/%41%25zz%254"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_value *parameters = weir_object_new(), *given;
        const char *base = cases[i].base ? cases[i].base : "http://a/b/c/d;p?q";
        weir_member_put(parameters, "base", text(base));
        weir_member_put(parameters, "reference", text(cases[i].reference));
        char *found = call("url.join", parameters);
        given = fake_parse(found);
        assert_string_equal(weir_member_text(given, "url").data, cases[i].wanted);
        weir_value_unref(given);
        weir_free(found);
    }
}

static void urls_are_taken_apart(void **state) {
    (void)state;
    expect("url.parse",
           "{\"url\":\"HTTPS://me:pw@Example.ORG:8443/a/b?x=1&y=%C3%A4+b&x=2&z&=&%ff=%00#top\"}",
           "{\"scheme\":\"HTTPS\",\"user\":\"me:pw\",\"host\":\"example.org\",\"port\":8443,"
           "\"path\":\"/a/b\",\"query\":\"x=1&y=%C3%A4+b&x=2&z&=&%ff=%00\",\"fragment\":\"top\","
           "\"fields\":{\"x\":[\"1\",\"2\"],\"y\":\"ä b\",\"z\":\"\",\"\":\"\",\"%ff\":\"%00\"}}");
    expect("url.parse", "{\"url\":\"http://[2001:DB8::1]\"}",
           "{\"scheme\":\"http\",\"user\":null,\"host\":\"2001:db8::1\",\"port\":80,\"path\":\"\","
           "\"query\":null,\"fragment\":null,\"fields\":{}}");
    expect("url.parse", "{\"url\":\"../a?#\"}",
           "{\"scheme\":null,\"user\":null,\"host\":null,\"port\":null,\"path\":\"../a\","
           "\"query\":\"\",\"fragment\":\"\",\"fields\":{}}");
    expect("url.parse", "{\"url\":\"mailto:a@b\"}",
           "{\"scheme\":\"mailto\",\"user\":null,\"host\":null,\"port\":null,\"path\":\"a@b\","
           "\"query\":null,\"fragment\":null,\"fields\":{}}");
}

static void what_is_no_url_is_refused(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"http://a:99999/", "its port is not one"},
        {"http://a:80x/", "its host is not one"},
        {"http://[::1/", "its host is not one"},
        {"http://[g]/", "its host is not one"},
        {"http://a b/", "it has a blank or a control character in it"},
        {"http://a<b/", "its host is not one"},
        {"http://a/\\u0001", "it has a control character in it"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char parameters[100];
        snprintf(parameters, sizeof parameters, "{\"url\":\"%s\"}", cases[i][0]);
        char *found = call("url.parse", fake_parse(parameters));
        assert_memory_equal(found, "invalid: `", 10);
        assert_non_null(strstr(found, cases[i][1]));
        weir_free(found);
    }
    weir_value *parameters = weir_object_new();
    weir_buffer large = {0};
    for (size_t i = 0; i < 70000; i++) weir_buffer_byte(&large, 'a');
    weir_member_put(parameters, "url", text(large.data));
    weir_buffer_deinit(&large);
    char *found = call("url.parse", parameters);
    assert_non_null(strstr(found, "it is longer than 64 KiB"));
    weir_free(found);
    expect("url.parse", "{\"url\":1}",
           "invalid: parameter `url` must be of type string, found int");
    expect("url.join", "{\"base\":\"/a\",\"reference\":\"b\"}",
           "invalid: `/a` is no URL: a base has a scheme, such as https");
}

static void urls_are_listed_and_grouped(void **state) {
    (void)state;
    expect(
        "url.list",
        "{\"text\":\"# pages\\nhttp://B/x#top http://b:80\\n\\n# http://c\\n https://a/#\\r\\n\"}",
        "{\"urls\":[\"http://b/x\",\"http://b/\",\"https://a/\"]}");
    expect("url.list", "{\"text\":\" \\n\"}", "{\"urls\":[]}");
    expect(
        "url.list", "{\"text\":\"http://a file:///etc/passwd\"}",
        "invalid: `file:///etc/passwd` is no URL: it does not begin with http:// or https:// and "
        "a host");
    static const char urls[] = "[\"http://b/1\",\"http://A/2\",\"https://b:81/3\"]";
    char parameters[200];
    snprintf(parameters, sizeof parameters, "{\"urls\":%s}", urls);
    expect("url.hosts", parameters, "{\"hosts\":[\"b\",\"a\"]}");
    snprintf(parameters, sizeof parameters, "{\"host\":\"b\",\"urls\":%s}", urls);
    expect("url.of_host", parameters, "{\"urls\":[\"http://b/1\",\"https://b:81/3\"]}");
    expect("url.hosts", "{\"urls\":[1]}",
           "invalid: parameter `urls`: item 0 must be of type string, found int");
    expect("url.of_host", "{\"urls\":[\"x\"],\"host\":\"b\"}",
           "invalid: `x` is no URL: it does not begin with http:// or https:// and a host");
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(references_are_resolved),
        cmocka_unit_test(urls_are_taken_apart),
        cmocka_unit_test(what_is_no_url_is_refused),
        cmocka_unit_test(urls_are_listed_and_grouped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
