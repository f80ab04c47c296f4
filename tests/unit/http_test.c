/* http.get and http.request in their module, against a server in this process; http.session. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../operations/operations.h"
#include "module_host.h"
#include "web_server.h"

/* --- calls --- */

/* "@" in texts is the server, "%" another name of it. */
static char *fill_in(const char *text) {
    weir_buffer out = {0};
    for (; *text; text++) {
        if (*text == '@' || *text == '%')
            weir_buffer_printf(&out, "http://%s:%u", *text == '@' ? "127.0.0.1" : "localhost",
                               server_port);
        else
            weir_buffer_byte(&out, *text);
    }
    return out.data;
}

static void begin(weir_call *call, const char *name, const char *parameters, const char *config) {
    char *given = fill_in(parameters), *configured = fill_in(config ? config : "{}");
    weir_value *options = fake_parse(configured);
    /* The environment's proxy is not asked for loopback, and no test waits long. */
    if (!weir_member_named(options, "proxy")) weir_member_put_text(options, "proxy", WEIR_STR(""));
    if (!weir_member_named(options, "backoff"))
        weir_member_put(options, "backoff", weir_float_new(0.001));
    fake_begin(call, fake_find(weir_http_plugin(fake_host()), name), fake_parse(given), options);
    weir_free(given);
    weir_free(configured);
}

/* One output as JSON, with "" all of them, "none" when it is not given; or the failure. The server's place is "@" again. */
static char *result(weir_call *call, const char *output) {
    weir_buffer json = {0}, out = {0};
    if (!fake_wait(call)) {
        weir_buffer_text(&json, call->failure);
    } else {
        const weir_value *value =
            *output ? weir_member_named(call->outputs, output) : call->outputs;
        if (value)
            weir_json_format(value, 0, &json);
        else
            weir_buffer_text(&json, "none");
    }
    assert_int_equal(call->completions, 1);
    char *places[] = {fill_in("@"), fill_in("%")};
    weir_buffer_text(&out, "");
    for (const char *at = json.data; *at;) {
        size_t i = 0;
        while (i < 2 && strncmp(at, places[i], strlen(places[i])) != 0) i++;
        if (i < 2)
            weir_buffer_byte(&out, "@%"[i]);
        else
            weir_buffer_byte(&out, *at);
        at += i < 2 ? strlen(places[i]) : 1;
    }
    weir_free(places[0]);
    weir_free(places[1]);
    weir_buffer_deinit(&json);
    return out.data;
}

static void expect_of(const char *name, const char *parameters, const char *config,
                      const char *output, const char *wanted) {
    weir_call call = {0};
    begin(&call, name, parameters, config);
    char *found = result(&call, output);
    if (strcmp(found, wanted) != 0) print_error("%s %s\n", parameters, config ? config : "");
    assert_string_equal(found, wanted);
    weir_free(found);
    fake_end(&call);
}

static void expect(const char *path, const char *config, const char *output, const char *wanted) {
    char parameters[5000];
    snprintf(parameters, sizeof parameters, "{\"url\":\"@%s\"}", path);
    expect_of("http.get", parameters, config, output, wanted);
}

static void expect_echo(const char *parameters, const char *config, const char *wanted) {
    weir_call call = {0};
    begin(&call, "http.request", parameters, config);
    bool ok = fake_wait(&call);
    weir_str body = ok ? weir_member_text(call.outputs, "body") : weir_str_from(call.failure);
    assert_string_equal(body.data, wanted);
    fake_end(&call);
}

/* --- tests --- */

static void requests_are_sent_as_asked(void **state) {
    (void)state;
    static const char none[] = "{\"user_agent\":\"t\"}";
    expect_echo("{\"url\":\"@/echo/a b?x=1#top\"}", none, "GET /echo/a%20b?x=1\nUser-Agent: t\n\n");
    expect_echo("{\"url\":\"@/echo\",\"query\":{\"b c\":\"d&e\",\"n\":[1,2.5,true],\"no\":null}}",
                none, "GET /echo?b+c=d%26e&n=1&n=2.5&n=true\nUser-Agent: t\n\n");
    expect_echo("{\"url\":\"@/echo?a=1\",\"query.z\":\"é\"}",
                "{\"user_agent\":\"t\",\"query\":{\"y\":0}}",
                "GET /echo?a=1&y=0&z=%C3%A9\nUser-Agent: t\n\n");
    expect_echo("{\"url\":\"@/echo\",\"method\":\"post\",\"body\":\"hi\"}", none,
                "POST /echo\nUser-Agent: t\nContent-Type: text/plain; charset=utf-8\n"
                "Content-Length: 2\n\nhi");
    expect_echo("{\"url\":\"@/echo\",\"method\":\"PUT\",\"json\":{\"a\":[1,\"\\\"\\n\",null,0.1]}}",
                none,
                "PUT /echo\nUser-Agent: t\nContent-Type: application/json\nContent-Length: "
                "29\n\n{\"a\":[1,\"\\\"\\u000a\",null,0.1]}");
    expect_echo(
        "{\"url\":\"@/echo\",\"method\":\"POST\",\"form.user\":\"me\",\"form.token\":\"a+/=\"}",
        "{\"user_agent\":\"t\",\"form\":{\"commit\":\"Sign in\",\"user\":\"x\"}}",
        "POST /echo\nUser-Agent: t\nContent-Type: application/x-www-form-urlencoded\n"
        "Content-Length: 39\n\ncommit=Sign+in&user=me&token=a%2B%2F%3D");
    expect_echo("{\"url\":\"@/echo\",\"method\":\"DELETE\"}", none,
                "DELETE /echo\nUser-Agent: t\n\n");
    expect_echo("{\"url\":\"@/echo\",\"method\":\"POST\"}", none,
                "POST /echo\nUser-Agent: t\nContent-Length: 0\n\n");
    expect_echo(
        "{\"url\":\"@/echo\",\"headers\":{\"X-a\":\" b \",\"user-agent\":\"mine\",\"E\":\"\"},"
        "\"headers.x-A\":7}",
        "{\"headers\":{\"X-A\":\"no\",\"X-C\":\"c\"}}",
        "GET /echo\nX-A: 7\nX-C: c\nuser-agent: mine\nE:\n\n");
    expect_echo(
        "{\"url\":\"@/echo\",\"method\":\"POST\",\"body\":\"x\",\"headers\":{\"content-type\":"
        "\"text/csv\"}}",
        none, "POST /echo\nUser-Agent: t\ncontent-type: text/csv\nContent-Length: 1\n\nx");
}

static void responses_become_outputs(void **state) {
    (void)state;
    expect("/utf8", NULL, "body", "\"ä\xef\xbf\xbd\xef\xbf\xbdz\"");
    expect("/latin", NULL, "body", "\"ä€\"");
    expect("/unsaid", NULL, "body", "\"grüß\"");
    expect("/mark", NULL, "body", "\"ä\"");
    expect("/typeless", NULL, "body", "\"text\"");
    expect("/typeless", NULL, "encoding", "\"text\"");
    expect("/other", NULL, "encoding", "\"base64\"");
    expect("/binary", NULL, "body", "\"iVBORw==\"");
    expect("/json", NULL, "json",
           "{\"a\":[1,-2.5,true,null,\"ä\xef\xbf\xbd\"],\"b\":1.8446744073709552e+19,\"c\":0.1}");
    expect("/problem", NULL, "json", "17");
    expect("/broken", NULL, "json", "none");
    expect("/broken", NULL, "body", "\"{\\\"a\\\":\"");
    expect("/deep", NULL, "json", "none");
    expect("/broken", "{\"expect\":\"json\"}", "json",
           "invalid_json: GET @/broken: the body is no JSON");
    expect("/unlikely", NULL, "json", "none");
    expect("/unlikely", "{\"expect\":\"json\"}", "json", "[1]");
    expect("/many", NULL, "headers",
           "{\"content-length\":\"0\",\"x-a\":\"1, 2\",\"x-b\":\"\xef\xbf\xbd\",\"set-cookie\":"
           "[\"a=1\",\"b=2\"]}");
    expect("/status/204", NULL, "status", "204");
    expect("/echo?a#frag", NULL, "url", "\"@/echo?a#frag\"");
    expect_of("http.request", "{\"url\":\"@/echo\",\"method\":\"HEAD\"}", NULL, "body", "\"\"");
    weir_call call = {0};
    begin(&call, "http.get", "{\"url\":\"@/typeless\"}", "{\"one_response\":true}");
    assert_true(fake_wait(&call));
    assert_int_equal(weir_value_count(call.outputs), 2);
    const weir_value *response = weir_member_named(call.outputs, "response");
    assert_string_equal(weir_member_text(response, "body").data, "text");
    assert_int_equal(weir_int_get(weir_member_named(response, "status")), 200);
    double elapsed_s = weir_number_get(weir_member_named(response, "elapsed"));
    assert_true(elapsed_s > 0 && elapsed_s < 30);
    fake_end(&call);
}

static void bodies_are_limited_also_when_they_are_packed(void **state) {
    (void)state;
    expect("/bytes/100", "{\"max_bytes\":100}", "status", "200");
    expect("/bytes/101", "{\"max_bytes\":100}", "status",
           "limit_exceeded: GET @/bytes/101: the body is larger than 100 bytes");
    expect("/gzip", "{\"max_bytes\":999}", "status",
           "limit_exceeded: GET @/gzip: the body is larger than 999 bytes");
    expect("/gzip", "{\"max_bytes\":1000}", "status", "200");
    expect("/headers", NULL, "status",
           "limit_exceeded: GET @/headers: its headers are larger than 262144 bytes");
    weir_call call = {0};
    begin(&call, "http.get", "{\"url\":\"@/nogzip\"}", NULL);
    assert_false(fake_wait(&call));
    assert_memory_equal(call.failure, "broken_response: ", 17);
    fake_end(&call);
}

static void a_status_is_a_failure_unless_it_is_wanted(void **state) {
    (void)state;
    expect("/status/404", NULL, "status",
           "http_status: GET @/status/404: the server answered 404 Not Found");
    assert_int_equal(requests_of("/status/404"), 1);
    expect("/status/404", "{\"fail_on_status\":false}", "status", "404");
    expect("/status/418?secret", NULL, "status",
           "http_status: GET @/status/418?secret: the server answered 418");
    expect("/status/500", "{\"fail_on_status\":false,\"retries\":1}", "status", "500");
    assert_int_equal(requests_of("/status/500"), 2);
    expect("/status/404?e", "{\"error_output\":true}", "",
           "{\"error\":{\"url\":\"@/status/404?e\",\"code\":\"http_status\",\"message\":\"GET "
           "@/status/404?e: the server answered 404 Not Found\",\"status\":404,\"attempts\":1}}");
    expect_of("http.get", "{\"url\":\"ftp://h/\"}", "{\"error_output\":true}", "",
              "{\"error\":{\"url\":\"ftp://h/\",\"code\":\"invalid\",\"message\":\"`ftp://h/` "
              "cannot be fetched: it does not begin with http:// or https:// and a host\","
              "\"status\":null,\"attempts\":0}}");
}

static void failures_are_tried_again(void **state) {
    (void)state;
    expect("/flaky/2", NULL, "body", "\"well\"");
    assert_int_equal(requests_of("/flaky/2"), 3);
    expect("/flaky/3", NULL, "body",
           "http_status: GET @/flaky/3: the server answered 503 Service Unavailable");
    assert_int_equal(requests_of("/flaky/3"), 3);
    expect("/flaky/1?none", "{\"retries\":0}", "body",
           "http_status: GET @/flaky/1?none: the server answered 503 Service Unavailable");
    expect("/flaky/1?other", "{\"retry_on\":[404]}", "body",
           "http_status: GET @/flaky/1?other: the server answered 503 Service Unavailable");
    expect("/drop/1", NULL, "body", "\"well\"");
    static const char post[] = "{\"url\":\"@/flaky/1?post\",\"method\":\"POST\"}";
    expect_of("http.request", post, NULL, "body",
              "http_status: POST @/flaky/1?post: the server answered 503 Service Unavailable");
    assert_int_equal(requests_of("/flaky/1?post"), 1);
    static const char again[] = "{\"url\":\"@/flaky/1?again\",\"method\":\"POST\",\"body\":\"b\"}";
    expect_of("http.request", again, "{\"retry_all_methods\":true}", "body", "\"well\"");
    /* A kept connection that breaks off tells nobody whether the request came through. */
    expect("/echo", NULL, "status", "200");
    expect_of("http.request", "{\"url\":\"@/drop/9?post\",\"method\":\"POST\"}",
              "{\"error_output\":true}", "status", "none");
    assert_int_equal(requests_of("/drop/9?post"), 1);
    weir_call call = {0};
    begin(&call, "http.get", "{\"url\":\"@/flaky/2?log\"}", NULL);
    assert_true(fake_wait(&call));
    assert_int_equal(call.warnings, 2);
    fake_end(&call);
}

static double seconds_of(const char *path, const char *config, const char *output,
                         const char *wanted) {
    struct timespec begun, ended;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    expect(path, config, output, wanted);
    clock_gettime(CLOCK_MONOTONIC, &ended);
    return (double)(ended.tv_sec - begun.tv_sec) + (double)(ended.tv_nsec - begun.tv_nsec) / 1e9;
}

static void waiting_is_as_long_as_asked(void **state) {
    (void)state;
    double seconds = seconds_of("/later/1/1", NULL, "body", "\"late\"");
    assert_true(seconds > 0.99 && seconds < 10);
    seconds = seconds_of("/later/2/3000", NULL, "body",
                         "http_status: GET @/later/2/3000: the server answered 503 Service "
                         "Unavailable");
    assert_true(seconds < 10);
    assert_int_equal(requests_of("/later/2/3000"), 1);
    /* Half of 0.2 s, and of 0.4 s, is certain. */
    seconds = seconds_of("/flaky/2?backoff", "{\"backoff\":0.2}", "body", "\"well\"");
    assert_true(seconds > 0.29 && seconds < 10);
    seconds = seconds_of("/slow/5000", "{\"timeout\":0.1,\"retries\":1,\"error_output\":true}",
                         "status", "none");
    assert_true(seconds > 0.19 && seconds < 4);
}

static void redirects_are_followed(void **state) {
    (void)state;
    expect("/redirect/3", NULL, "url", "\"@/echo\"");
    expect("/redirect/3#frag", NULL, "url", "\"@/echo#frag\"");
    expect("/redirect/3", "{\"max_redirects\":2}", "url",
           "too_many_redirects: GET @/redirect/1/302: more than 2 redirects");
    expect("/redirect/1", "{\"follow_redirects\":false}", "status", "302");
    expect(
        "/to?file:///etc/passwd", NULL, "url",
        "bad_redirect: GET @/to?file:///etc/passwd: the redirect cannot be followed: it does not "
        "lead to http:// or https://");
    expect("/to?http://a:b/", NULL, "url",
           "bad_redirect: GET @/to?http://a:b/: the redirect cannot be followed: its host is not "
           "one");
    static const struct {
        const char *method, *code, *wanted;
    } cases[] = {
        {"POST", "301", "GET /echo\n\n"},
        {"POST", "302", "GET /echo\n\n"},
        {"POST", "303", "GET /echo\n\n"},
        {"PUT", "303", "GET /echo\n\n"},
        {"PUT", "302",
         "PUT /echo\nContent-Type: text/plain; charset=utf-8\nContent-Length: 1\n\nx"},
        {"POST", "307",
         "POST /echo\nContent-Type: text/plain; charset=utf-8\nContent-Length: 1\n\nx"},
        {"POST", "308",
         "POST /echo\nContent-Type: text/plain; charset=utf-8\nContent-Length: 1\n\nx"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char parameters[200];
        snprintf(parameters, sizeof parameters,
                 "{\"url\":\"@/redirect/1/%s\",\"method\":\"%s\",\"body\":\"x\"}", cases[i].code,
                 cases[i].method);
        expect_echo(parameters, "{\"user_agent\":\"\"}", cases[i].wanted);
    }
}

/* What is for one server only is not told to another. */
static void redirects_keep_secrets(void **state) {
    (void)state;
    static const char headers[] = "\"headers\":{\"Authorization\":\"Bearer x\",\"X-A\":\"1\"}}";
    char parameters[300];
    snprintf(parameters, sizeof parameters, "{\"url\":\"@/to?@/echo\",%s", headers);
    expect_echo(parameters, "{\"user_agent\":\"\"}",
                "GET /echo\nAuthorization: Bearer x\nX-A: 1\n\n");
    snprintf(parameters, sizeof parameters, "{\"url\":\"@/to?%%/echo\",%s", headers);
    expect_echo(parameters, "{\"user_agent\":\"\"}", "GET /echo\nX-A: 1\n\n");
    /* And back again does not bring it back. */
    snprintf(parameters, sizeof parameters, "{\"url\":\"@/to?%%/to?@/echo\",%s", headers);
    expect_echo(parameters, "{\"user_agent\":\"\"}", "GET /echo\nX-A: 1\n\n");
}

static void sessions_carry_cookies(void **state) {
    (void)state;
    static const char jar[] =
        "{\"cookies\":[{\"name\":\"a\",\"value\":\"1 2\",\"domain\":\"127.0.0.1\",\"path\":\"/\","
        "\"secure\":false,\"http_only\":true,\"host_only\":true,\"expires\":0}]}";
    expect("/set?a=1_2;_HttpOnly;_Path=/", NULL, "session", jar);
    expect("/set?a=;_Path=/p", NULL, "session",
           "{\"cookies\":[{\"name\":\"a\",\"value\":\"\",\"domain\":\"127.0.0.1\",\"path\":\"/p\","
           "\"secure\":false,\"http_only\":false,\"host_only\":true,\"expires\":0}]}");
    expect("/set?a=1;_Domain=example.com", NULL, "session", "{\"cookies\":[]}");
    expect("/echo", NULL, "session", "{\"cookies\":[]}");
    char parameters[1000];
    snprintf(parameters, sizeof parameters, "{\"url\":\"@/echo\",\"session\":%s}", jar);
    expect_echo(parameters, "{\"user_agent\":\"\"}", "GET /echo\nCookie: a=1 2\n\n");
    expect_of("http.get", parameters, NULL, "session", jar);
    snprintf(parameters, sizeof parameters, "{\"url\":\"%%/echo\",\"session\":%s}", jar);
    expect_echo(parameters, "{\"user_agent\":\"\"}", "GET /echo\n\n");
    snprintf(parameters, sizeof parameters, "{\"url\":\"@/to?%%/to?@/echo\",\"session\":%s}", jar);
    expect_echo(parameters, "{\"user_agent\":\"\"}", "GET /echo\nCookie: a=1 2\n\n");
    snprintf(parameters, sizeof parameters, "{\"url\":\"@/set?a=0;_Max-Age=0\",\"session\":%s}",
             jar);
    expect_of("http.get", parameters, NULL, "session", "{\"cookies\":[]}");
    snprintf(parameters, sizeof parameters, "{\"url\":\"@/set?b=3;_Path=/\",\"session\":%s}", jar);
    weir_call call = {0};
    begin(&call, "http.get", parameters, NULL);
    assert_true(fake_wait(&call));
    assert_int_equal(
        weir_value_count(weir_member_named(weir_member_named(call.outputs, "session"), "cookies")),
        2);
    fake_end(&call);
}

/* A call may get what curl has of another: nothing of that may be seen, but the same session's cookies. */
static void calls_see_nothing_of_those_before(void **state) {
    (void)state;
    static const char cookie[] =
        "\"session\":{\"cookies\":[{\"name\":\"%s\",\"value\":\"1\",\"domain\":\"127.0.0.1\"}]}";
    static const char plain[] = "{\"url\":\"@/echo\"}", none[] = "{\"user_agent\":\"\"}";
    static const char *const others[] = {
        "{\"url\":\"@/echo\",\"method\":\"PUT\",\"json\":{\"a\":1},\"headers\":{\"X-A\":\"1\"}}",
        "{\"url\":\"@/echo\",\"headers\":{\"Authorization\":\"Bearer x\"}}",
        "{\"url\":\"@/echo\",\"method\":\"HEAD\"}",
        "{\"url\":\"@/set?c=1;_Path=/\"}",
        "{\"url\":\"@/to?@/echo\"}",
    };
    char parameters[1000], jar[300], wanted[100];
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        weir_call call = {0};
        begin(&call, "http.request", others[i], "{\"user_agent\":\"other\"}");
        assert_true(fake_wait(&call));
        fake_end(&call);
        expect_echo(plain, none, "GET /echo\n\n");
    }
    for (size_t i = 0; i < 6; i++) {
        const char *name = i % 3 == 0 ? "a" : "b";
        snprintf(jar, sizeof jar, cookie, name);
        snprintf(parameters, sizeof parameters, "{\"url\":\"@/echo\",%s}", jar);
        snprintf(wanted, sizeof wanted, "GET /echo\nCookie: %s=1\n\n", name);
        expect_echo(parameters, none, wanted);
        if (i % 2) expect_echo(plain, none, "GET /echo\n\n");
    }
}

/* The session is one value, as it is for the pages of a crawl. */
static void the_same_session_goes_with_many_calls(void **state) {
    (void)state;
    weir_value *session =
        fake_parse("{\"cookies\":[{\"name\":\"a\",\"value\":\"1\",\"domain\":\"127.0.0.1\"}]}");
    for (size_t i = 0; i < 20; i++) {
        weir_call call = {0};
        char *url = fill_in(i % 5 ? "{\"url\":\"@/echo\"}" : "{\"url\":\"@/set?b=1;_Path=/\"}");
        weir_value *parameters = fake_parse(url);
        weir_member_put(parameters, "session", weir_value_ref(session));
        fake_begin(&call, fake_find(weir_http_plugin(fake_host()), "http.get"), parameters,
                   fake_parse("{\"user_agent\":\"\",\"proxy\":\"\"}"));
        weir_free(url);
        assert_true(fake_wait(&call));
        if (i % 5)
            assert_string_equal(weir_member_text(call.outputs, "body").data,
                                "GET /echo\nCookie: a=1\n\n");
        fake_end(&call);
    }
    weir_value_unref(session);
}

static void sessions_are_made_and_checked(void **state) {
    (void)state;
    static const char make[] = "http.session";
    expect_of(make, "{}", NULL, "session", "{\"cookies\":[]}");
    expect_of(make, "{\"cookies\":[{\"name\":\"a\",\"domain\":\"h\"}]}", NULL, "session",
              "{\"cookies\":[{\"name\":\"a\",\"value\":\"\",\"domain\":\"h\",\"path\":\"/\","
              "\"secure\":false,\"http_only\":false,\"host_only\":false,\"expires\":0}]}");
    static const char *const cases[][2] = {
        {"7", "the session's `cookies` must be an array"},
        {"[7]", "cookie 0 of the session: it is no object"},
        {"[{\"domain\":\"h\"}]",
         "cookie 0 of the session: its `name` must be a text without blanks, ; and ="},
        {"[{\"name\":\"a\\tb\",\"domain\":\"h\"}]",
         "cookie 0 of the session: its `name` must be a text without blanks, ; and ="},
        {"[{\"name\":\"a\"}]", "cookie 0 of the session: its `domain` must be a host"},
        {"[{\"name\":\"a\",\"domain\":\"#h\"}]",
         "cookie 0 of the session: its `domain` must be a host"},
        {"[{\"name\":\"a\",\"domain\":\"h\",\"value\":\"x\\ny\"}]",
         "cookie 0 of the session: its `value` must be a text without ; and control characters"},
        {"[{\"name\":\"a\",\"domain\":\"h\",\"secure\":1}]",
         "cookie 0 of the session: `secure`, `http_only` and `host_only` are true or false"},
        {"[{\"name\":\"a\",\"domain\":\"h\",\"expires\":-1}]",
         "cookie 0 of the session: its `expires` must be seconds since 1970, or 0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char parameters[300], wanted[300];
        snprintf(wanted, sizeof wanted, "invalid: %s", cases[i][1]);
        snprintf(parameters, sizeof parameters, "{\"cookies\":%s}", cases[i][0]);
        expect_of(make, parameters, NULL, "session", wanted);
        snprintf(parameters, sizeof parameters, "{\"url\":\"@/\",\"session\":{\"cookies\":%s}}",
                 cases[i][0]);
        expect_of("http.get", parameters, NULL, "session", wanted);
    }
}

static void what_is_wrong_is_said(void **state) {
    (void)state;
    static const char *const cases[][3] = {
        {"{}", NULL, "`url` must be of type string, found nothing"},
        {"{\"url\":1}", NULL, "`url` must be of type string, found int"},
        {"{\"url\":\"/a\"}", NULL,
         "`/a` cannot be fetched: it does not begin with http:// or https:// and a host"},
        {"{\"url\":\"file:///etc/passwd\"}", NULL,
         "`file:///etc/passwd` cannot be fetched: it does not begin with http:// or https:// and a "
         "host"},
        {"{\"url\":\"@/\",\"method\":\"CONNECT\"}", NULL,
         "`method` must be one such as GET or POST"},
        {"{\"url\":\"@/\",\"method\":\"G ET\"}", NULL, "`method` must be one such as GET or POST"},
        {"{\"url\":\"@/\",\"headers\":{\"a b\":\"c\"}}", NULL,
         "`headers`: `a b` is no name of a header"},
        {"{\"url\":\"@/\",\"headers\":{\"a\":\"b\\r\\nc: d\"}}", NULL,
         "`headers`: `a` must be one line of text"},
        {"{\"url\":\"@/\",\"headers\":{\"a\":[]}}", NULL,
         "`headers`: `a` must be one line of text"},
        {"{\"url\":\"@/\",\"headers\":{\"Content-Length\":\"9\"}}", NULL,
         "`headers`: `Content-Length` cannot be set"},
        {"{\"url\":\"@/\",\"headers\":[]}", NULL, "`headers` must be of type object, found array"},
        {"{\"url\":\"@/\",\"body\":\"x\",\"json\":1}", NULL,
         "only one of `body`, `json` and `form` can be sent"},
        {"{\"url\":\"@/\",\"body\":1}", NULL, "`body` must be of type string, found int"},
        {"{\"url\":\"@/\",\"form\":{\"a\":{}}}", NULL,
         "`form`: `a` must be a text, a number or a bool"},
        {"{\"url\":\"@/\",\"session\":[]}", NULL, "`session` must be of type object, found array"},
        {"{\"url\":\"@/\",\"session\":{}}", NULL,
         "`session` has no `cookies`; http.session makes one"},
        {"{\"url\":\"@/\"}", "{\"timeout\":0}", "`timeout` must be seconds from 0.001 to 86400"},
        {"{\"url\":\"@/\"}", "{\"timeout\":\"1\"}",
         "`timeout` must be seconds from 0.001 to 86400"},
        {"{\"url\":\"@/\"}", "{\"retries\":1.5}", "`retries` must be an int from 0 to 100"},
        {"{\"url\":\"@/\"}", "{\"retry_on\":[99]}", "`retry_on`: item 0 is no status"},
        {"{\"url\":\"@/\"}", "{\"verify\":1}", "`verify` must be of type bool, found int"},
        {"{\"url\":\"@/\"}", "{\"connections_per_host\":0}",
         "`connections_per_host` must be an int from 1 to 10000"},
        {"{\"url\":\"@/\"}", "{\"proxy\":\"ftp://x\"}",
         "`proxy` must be a URL of http, https, socks5 or socks5h"},
        {"{\"url\":\"@/\"}", "{\"circuit_breaker\":{\"failures\":0}}",
         "`circuit_breaker` is {failures: an int from 1, reset: seconds}"},
        {"{\"url\":\"@/\"}", "{\"expect\":\"xml\"}", "`expect` is json or any"},
        {"{\"url\":\"@/\"}", "{\"user_agent\":\"a\\nb\"}", "`user_agent` must be one line of text"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char wanted[300];
        snprintf(wanted, sizeof wanted, "invalid: %s", cases[i][2]);
        expect_of("http.request", cases[i][0], cases[i][1], "body", wanted);
    }
}

/* The first words of a failure. */
static void expect_failure(const char *parameters, const char *config, const char *wanted) {
    weir_call call = {0};
    begin(&call, "http.get", parameters, config);
    char *found = result(&call, "status");
    if (strncmp(found, wanted, strlen(wanted)) != 0) print_error("%s\n", found);
    assert_memory_equal(found, wanted, strlen(wanted));
    weir_free(found);
    fake_end(&call);
}

static void networks_fail(void **state) {
    (void)state;
    static const char no[] = "{\"retries\":0}";
    expect_failure("{\"url\":\"http://127.0.0.1:1/\"}", no,
                   "unreachable: GET http://127.0.0.1:1/: ");
    /* Written so that the @ of the name and password is no server's. */
    expect_failure("{\"url\":\"http://me:secret\\u0040127.0.0.1:1/x\"}", no,
                   "unreachable: GET http://127.0.0.1:1/x: ");
    expect_failure("{\"url\":\"http://no.invalid/\"}", no,
                   "unknown_host: GET http://no.invalid/: ");
    expect_failure("{\"url\":\"@/drop/9\"}", no, "broken_response: GET @/drop/9: ");
    expect_failure("{\"url\":\"@/slow/3000\"}", "{\"retries\":0,\"timeout\":0.05}",
                   "timeout: GET @/slow/3000: ");
    expect_failure("{\"url\":\"http://no.invalid/echo\"}", "{\"proxy\":\"@\"}",
                   "http_status: GET http://no.invalid/echo: the server answered 404");
}

static void hundreds_are_under_way_at_once(void **state) {
    (void)state;
    enum { CALLS = 300 };
    weir_call *calls = calloc(CALLS, sizeof *calls);
    assert_non_null(calls);
    for (size_t i = 0; i < CALLS; i++)
        begin(&calls[i], "http.get", "{\"url\":\"@/gather/300\"}",
              "{\"connections_per_host\":1000,\"timeout\":60}");
    for (size_t i = 0; i < CALLS; i++) {
        char *found = result(&calls[i], "body");
        assert_string_equal(found, "\"there\"");
        weir_free(found);
        fake_end(&calls[i]);
    }
    assert_int_equal(gathered_most, CALLS);
    free(calls);
}

static void no_host_gets_more_than_its_connections(void **state) {
    (void)state;
    enum { CALLS = 40 };
    weir_call *calls = calloc(CALLS, sizeof *calls);
    assert_non_null(calls);
    pthread_mutex_lock(&server_lock);
    gathered_most = 0;
    pthread_mutex_unlock(&server_lock);
    for (size_t i = 0; i < CALLS; i++)
        begin(&calls[i], "http.get", "{\"url\":\"@/gather/4\"}", "{\"connections_per_host\":4}");
    for (size_t i = 0; i < CALLS; i++) {
        assert_true(fake_wait(&calls[i]));
        fake_end(&calls[i]);
    }
    assert_int_equal(gathered_most, 4);
    free(calls);
}

static void calls_are_cancelled_and_expire(void **state) {
    (void)state;
    weir_call running = {0}, queued = {0}, sleeping = {0}, expired = {0}, late = {0};
    static const char slow[] = "{\"url\":\"%/slow/20000\"}";
    static const char one[] = "{\"connections_per_host\":1,\"error_output\":true}";
    struct timespec now;
    begin(&running, "http.get", slow, one);
    begin(&queued, "http.get", slow, one);
    begin(&sleeping, "http.get", "{\"url\":\"@/flaky/9?cancel\"}", "{\"backoff\":60}");
    clock_gettime(CLOCK_REALTIME, &now);
    expired.deadline_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000 + 200000;
    begin(&expired, "http.get", "{\"url\":\"@/slow/20000\"}", NULL);
    late.deadline_us = 1;
    begin(&late, "http.get", "{\"url\":\"@/slow/20000\"}", NULL);
    while (!requests_of("/flaky/9?cancel") || !requests_of("/slow/20000")) sleep_ms(1);
    sleep_ms(50);
    atomic_store(&running.cancelled, true);
    atomic_store(&queued.cancelled, true);
    atomic_store(&sleeping.cancelled, true);
    weir_call *const ended[] = {&running, &queued, &sleeping};
    for (size_t i = 0; i < 3; i++) {
        assert_false(fake_wait(ended[i]));
        assert_string_equal(ended[i]->failure, "cancelled: it was told to end");
        fake_end(ended[i]);
    }
    assert_false(fake_wait(&expired));
    assert_memory_equal(expired.failure, "expired: ", 9);
    assert_false(fake_wait(&late));
    assert_memory_equal(late.failure, "expired: ", 9);
    fake_end(&expired);
    fake_end(&late);
}

static void circuits_open_and_close(void **state) {
    (void)state;
    /* The other name of the server, so that no other test counts. */
    static const char config[] =
        "{\"retries\":0,\"circuit_breaker\":{\"failures\":2,\"reset\":0.3}}";
    static const char bad[] = "{\"url\":\"%/status/500?breaker\"}";
    static const char good[] = "{\"url\":\"%/status/200?breaker\"}";
    static const char failed[] = "http_status: GET %/status/500?breaker: ";
    expect_failure(good, config, "200");
    expect_failure(bad, config, failed);
    expect_failure(good, config, "200");
    expect_failure(bad, config, failed);
    expect_failure(bad, config, failed);
    expect_failure(good, config,
                   "circuit_open: % failed 2 times in a row; it is asked again in 0.");
    expect_failure(good, "{\"retries\":0}",
                   "200"); /* who has no breaker is not stopped, and tells */
    expect_failure(bad, config, failed);
    expect_failure(bad, config, failed);
    assert_int_equal(requests_of("/status/500?breaker"), 5);
    sleep_ms(350);
    expect_failure(bad, config, failed);
    expect_failure(good, config, "circuit_open: ");
    sleep_ms(350);
    expect_failure(good, config, "200");
    expect_failure(bad, config, failed);
    expect_failure(good, config, "200");
}

static int start(void **state) {
    (void)state;
    server_start();
    return 0;
}

static int stop(void **state) {
    (void)state;
    server_stop();
    return 0;
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_sent_as_asked),
        cmocka_unit_test(responses_become_outputs),
        cmocka_unit_test(bodies_are_limited_also_when_they_are_packed),
        cmocka_unit_test(a_status_is_a_failure_unless_it_is_wanted),
        cmocka_unit_test(failures_are_tried_again),
        cmocka_unit_test(waiting_is_as_long_as_asked),
        cmocka_unit_test(redirects_are_followed),
        cmocka_unit_test(redirects_keep_secrets),
        cmocka_unit_test(sessions_carry_cookies),
        cmocka_unit_test(calls_see_nothing_of_those_before),
        cmocka_unit_test(the_same_session_goes_with_many_calls),
        cmocka_unit_test(sessions_are_made_and_checked),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(networks_fail),
        cmocka_unit_test(hundreds_are_under_way_at_once),
        cmocka_unit_test(no_host_gets_more_than_its_connections),
        cmocka_unit_test(calls_are_cancelled_and_expire),
        cmocka_unit_test(circuits_open_and_close),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
