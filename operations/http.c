/* http.get, http.request and http.session: what they are. The first two are done by the module weir-http.so, which is
 * loaded with its libcurl when one of them is first called. */
#include "http_cookie.h"
#include "parameter.h"

/* --- http.session --- */

/* As lines and back: so each cookie has all its members. */
static bool make_session(const weir_host *host, weir_call *call) {
    const weir_value *given = host->parameter(call, "cookies");
    bool none = !given || host->value_type(given) == WEIR_NULL;
    if (!none && !weir__cookies_check(host, call, given)) return false;
    weir_value *session = host->object_new(), *cookies = host->array_new();
    weir__bytes line = {0};
    for (size_t i = 0; !none && i < host->value_count(given); i++) {
        weir__bytes_cut(&line, 0);
        weir__cookie_line(host, host->array_at(given, i), &line);
        weir_value *cookie = weir__cookie_new(host, weir__bytes_str(&line));
        if (cookie) host->array_append(cookies, cookie);
    }
    weir__bytes_deinit(&line);
    host->object_set(session, "cookies", 7, cookies);
    host->output(call, "session", session);
    return true;
}

/* --- what they are --- */

#define QUERY_PORT                                                                                 \
    {                                                                                              \
        "query", "map",                                                                            \
            "Fields for the URL's query; an array is its items; also as parameters query.NAME.",   \
            NULL, "{}"                                                                             \
    }
#define HEADERS_PORT                                                                               \
    { "headers", "map", "Headers to send; also as parameters headers.NAME.", NULL, "{}" }
#define SESSION_PORT                                                                               \
    { "session", "map", "Cookies, from http.session or another call.", "http.session", "null" }

/* What may be a parameter may be configured too; the parameter wins, and of maps member by member. */
#define COMMON_CONFIG                                                                              \
    {"headers", "map", "Headers to send; those of the parameter win."},                            \
        {"query", "map", "Fields for the URL's query; those of the parameter win."},               \
        {"timeout", "float", "Seconds that one attempt may take.", NULL, "30"},                    \
        {"connect_timeout", "float", "Seconds of it to connect.", NULL, "10"},                     \
        {"retries", "int",                                                                         \
         "Attempts after the first, when it could not connect, broke off, took too long, or the "  \
         "status is one of retry_on. Of POST and PATCH only when nothing was sent.",               \
         NULL, "2"},                                                                               \
        {"retry_on", "array", "Statuses that are tried again.", NULL,                              \
         "[408, 425, 429, 500, 502, 503, 504]"},                                                   \
        {"retry_all_methods", "bool", "Tries POST and PATCH again as the others.", NULL, "false"}, \
        {"backoff", "float",                                                                       \
         "Seconds before the second attempt; doubles with each, to 60; up to half is cut by "      \
         "chance.",                                                                                \
         NULL, "0.5"},                                                                             \
        {"retry_after_max", "float",                                                               \
         "The longest Retry-After, in seconds, that is waited for; beyond it there is no other "   \
         "attempt.",                                                                               \
         NULL, "60"},                                                                              \
        {"follow_redirects", "bool", "Whether redirects are followed; to http and https only.",    \
         NULL, "true"},                                                                            \
        {"max_redirects", "int", "How many.", NULL, "10"},                                         \
        {"max_bytes", "int", "The largest body, decompressed.", NULL, "67108864"},                 \
        {"connections_per_host", "int", "How many go to one host and port at a time.", NULL, "6"}, \
        {"user_agent", "str", "The User-Agent.", NULL, "\"weir/VERSION\""},                        \
        {"ca_file", "str", "Certificates to trust, as PEM, instead of the system's."},             \
        {"verify", "bool", "Whether the server's certificate is checked.", NULL, "true"},          \
        {"proxy", "str",                                                                           \
         "Its URL; \"\" for none; else what http_proxy, https_proxy and no_proxy say."},           \
        {"circuit_breaker", "map",                                                                 \
         "{failures, reset}: after so many failures of a host in a row calls fail at once, and "   \
         "after `reset` seconds (30) one finds out whether it is well again."},                    \
        {"fail_on_status", "bool", "Whether a status from 400 on fails the call.", NULL, "true"},  \
        {"error_output", "bool",                                                                   \
         "A failure becomes the output `error`, and the call succeeds without the others.", NULL,  \
         "false"},                                                                                 \
        {"one_response", "bool",                                                                   \
         "Gives url, status, headers, body, encoding, json and elapsed as one map, `response`: "   \
         "so "                                                                                     \
         "what belongs together stays together where many are fetched.",                           \
         NULL, "false"},                                                                           \
    {                                                                                              \
        "expect", "str", "json: a body that is no JSON fails the call, whatever its type.", NULL,  \
            "\"any\""                                                                              \
    }

#define PORTS_OF(...)                                                                              \
    (const weir_port[]) {                                                                          \
        __VA_ARGS__, {                                                                             \
            0                                                                                      \
        }                                                                                          \
    }

static const weir_port outputs[] = {
    {"status", "int", "Such as 200."},
    {"headers", "map", "By name in lower case; set-cookie is an array."},
    {"body", "str", "The text, from UTF-8 or Latin-1; of anything else base64."},
    {"encoding", "str", "What body is: text or base64."},
    {"json", "generic", "What is in a body of JSON; not given when there is none."},
    {"url", "str", "Where it came from at last, without user and password."},
    {"session", "map", "The cookies after the call.", "http.session"},
    {"elapsed", "float", "Seconds, waiting and all attempts included."},
    {"response", "map", "All but session in one, with one_response."},
    {"error", "map", "{url, code, message, status, attempts}, with error_output."},
    {0},
};

static const weir_operation get_operation = {
    .size = sizeof(weir_operation),
    .name = "http.get",
    .about = "Fetches a URL of http or https; hundreds at once.",
    .inputs = PORTS_OF({"url", "str", "The URL."}, QUERY_PORT, HEADERS_PORT, SESSION_PORT),
    .outputs = outputs,
    .config = PORTS_OF(COMMON_CONFIG),
    .hints = WEIR_ASYNC | WEIR_ANY_INPUTS,
    .module = "http",
};
static const weir_operation request_operation = {
    .size = sizeof(weir_operation),
    .name = "http.request",
    .about = "Sends a request to a URL of http or https; hundreds at once.",
    .inputs = PORTS_OF(
        {"url", "str", "The URL."}, {"method", "str", "Such as POST or PUT.", NULL, "\"GET\""},
        QUERY_PORT, HEADERS_PORT, {"body", "str", "A text to send.", NULL, "null"},
        {"json", "generic", "A value to send as JSON; members also as parameters json.NAME.", NULL,
         "null"},
        {"form", "map", "Fields to send as a form; also as parameters form.NAME.", NULL, "null"},
        SESSION_PORT),
    .outputs = outputs,
    .config = PORTS_OF(
        {"method", "str", "Such as POST or PUT."}, {"body", "str", "A text to send."},
        {"json", "generic", "A value to send as JSON."},
        {"form", "map", "Fields to send as a form; those of the parameter win."}, COMMON_CONFIG),
    .hints = WEIR_ASYNC | WEIR_ANY_INPUTS,
    .example = "operations:\n"
               "  login:\n"
               "    name: http.request\n"
               "    inputs: {url: login_url, session: session}\n"
               "    outputs: {session: logged_in}\n"
               "configs:\n"
               "  login: {method: POST, form: {user: me}}\n",
    .module = "http",
};
static const weir_operation session_operation = {
    .size = sizeof(weir_operation),
    .name = "http.session",
    .about = "Makes a session: the cookies that calls are given, and give back as they are then. A "
             "definition with lock lets only one call at a time have it.",
    .inputs = PORTS_OF({"cookies", "array",
                        "Cookies to begin with: {name, value, domain} and path, secure, http_only, "
                        "host_only, expires.",
                        NULL, "[]"}),
    .outputs = PORTS_OF({"session", "map", "{cookies: […]}.", "http.session"}),
    .config = (const weir_port[]){{0}},
    .hints = WEIR_PURE | WEIR_CHEAP,
    .run = make_session,
};

static const weir_plugin plugin = {
    .abi = WEIR_ABI,
    .size = sizeof(weir_plugin),
    .name = "http",
    .version = "1",
    .operations = (const weir_operation *const[]){&get_operation, &request_operation,
                                                  &session_operation, NULL},
};

const weir_plugin *weir_http_plugin(const weir_host *host) {
    return host->abi == WEIR_ABI ? &plugin : NULL;
}
