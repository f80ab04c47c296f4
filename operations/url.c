/* URLs: taken apart, put together, listed and grouped. */
#include "parameter.h"
#include "reference.h"

enum { URLS_MAX = 1000000 };

static weir_value *text_new(const weir_host *host, weir_str text) {
    return host->string_new(text.data, text.length);
}

static bool fail_url(const weir_host *host, weir_call *call, weir_str text, const char *problem) {
    return host->fail(call, "invalid", "`%.*s%s` is no URL: %s",
                      (int)(text.length < 200 ? text.length : 200), text.data,
                      text.length < 200 ? "" : "…", problem);
}

/* Cleans the text into `bytes`, which `out` borrows from. */
static bool read_reference(const weir_host *host, weir_call *call, weir_str text,
                           weir__bytes *bytes, weir__reference *out) {
    const char *problem = "";
    if (!weir__reference_clean(text, bytes, &problem) ||
        !weir__reference_split(weir__bytes_str(bytes), out, &problem))
        return fail_url(host, call, text, problem);
    return true;
}

static bool read_web(const weir_host *host, weir_call *call, weir_str text, weir__bytes *bytes,
                     weir__reference *out) {
    if (!read_reference(host, call, text, bytes, out)) return false;
    return weir__reference_is_web(out) ||
           fail_url(host, call, text, "it does not begin with http:// or https:// and a host");
}

/* --- url.parse --- */

static void give_part(const weir_host *host, weir_call *call, const char *name, weir_str part) {
    host->output(call, name, part.data ? text_new(host, part) : host->null_new());
}

/* A name that comes again makes its value an array. */
static void add_field(const weir_host *host, weir_value *fields, weir_str name, weir_value *value) {
    weir_value *before = host->object_get(fields, name.data, name.length);
    if (before && host->value_type(before) == WEIR_ARRAY) {
        host->array_append(before, value);
        return;
    }
    if (before) {
        weir_value *all = host->array_new();
        host->array_append(all, host->value_ref(before));
        host->array_append(all, value);
        value = all;
    }
    host->object_set(fields, name.data, name.length, value);
}

/* What does not decode to a text stays encoded. */
static weir_str decode(weir_str part, weir__bytes *out) {
    weir__bytes_cut(out, 0);
    weir__form_decode(part, out);
    return weir__utf8_until(weir__bytes_str(out)) == out->length ? weir__bytes_str(out) : part;
}

static weir_value *query_fields(const weir_host *host, weir_str query) {
    weir_value *fields = host->object_new();
    weir__bytes name = {0}, value = {0};
    for (size_t at = 0, end; at < query.length; at = end + 1) {
        for (end = at; end < query.length && query.data[end] != '&';) end++;
        size_t equals = at;
        while (equals < end && query.data[equals] != '=') equals++;
        weir_str behind = equals < end ? weir__str_part(query, equals + 1, end) : weir__str("");
        if (end > at)
            add_field(host, fields, decode(weir__str_part(query, at, equals), &name),
                      text_new(host, decode(behind, &value)));
    }
    weir__bytes_deinit(&name);
    weir__bytes_deinit(&value);
    return fields;
}

static bool parse_url(const weir_host *host, weir_call *call) {
    const weir_value *url = parameter(host, call, "url", WEIR_STRING);
    if (!url) return false;
    weir__bytes bytes = {0}, name = {0};
    weir__reference parts = {0};
    bool ok = read_reference(host, call, host->string_get(url), &bytes, &parts);
    if (ok) {
        unsigned port = weir__reference_port(&parts);
        weir__reference_host(&parts, &name);
        give_part(host, call, "scheme", parts.scheme);
        give_part(host, call, "user", parts.user);
        give_part(host, call, "host", parts.host.data ? weir__bytes_str(&name) : parts.host);
        host->output(call, "port", port ? host->int_new((int64_t)port) : host->null_new());
        give_part(host, call, "path", parts.path);
        give_part(host, call, "query", parts.query);
        give_part(host, call, "fragment", parts.fragment);
        host->output(call, "fields", query_fields(host, parts.query));
    }
    weir__bytes_deinit(&bytes);
    weir__bytes_deinit(&name);
    return ok;
}

/* --- url.join --- */

static bool join_url(const weir_host *host, weir_call *call) {
    const weir_value *base = parameter(host, call, "base", WEIR_STRING);
    const weir_value *reference = base ? parameter(host, call, "reference", WEIR_STRING) : NULL;
    if (!reference) return false;
    weir__bytes texts[2] = {0}, joined = {0};
    weir__reference parts[2] = {0};
    bool ok = read_reference(host, call, host->string_get(base), &texts[0], &parts[0]) &&
              read_reference(host, call, host->string_get(reference), &texts[1], &parts[1]);
    if (ok && !parts[0].scheme.data)
        ok = fail_url(host, call, host->string_get(base), "a base has a scheme, such as https");
    if (ok) {
        weir__reference_resolve(&parts[0], &parts[1], &joined);
        host->output(call, "url", text_new(host, weir__bytes_str(&joined)));
    }
    weir__bytes_deinit(&texts[0]);
    weir__bytes_deinit(&texts[1]);
    weir__bytes_deinit(&joined);
    return ok;
}

/* --- url.list, url.hosts, url.of_host --- */

/* Without a fragment, normalized. */
static bool append_url(const weir_host *host, weir_call *call, weir_str text, weir_value *urls) {
    weir__bytes bytes = {0}, url = {0};
    weir__reference parts = {0};
    bool ok = read_web(host, call, text, &bytes, &parts);
    if (ok && host->value_count(urls) == URLS_MAX)
        ok = host->fail(call, "limit_exceeded", "more than %d URLs", URLS_MAX);
    if (ok) {
        weir__reference_normalize(&parts, true, false, &url);
        host->array_append(urls, text_new(host, weir__bytes_str(&url)));
    }
    weir__bytes_deinit(&bytes);
    weir__bytes_deinit(&url);
    return ok;
}

static bool list_urls(const weir_host *host, weir_call *call) {
    const weir_value *value = parameter(host, call, "text", WEIR_STRING);
    if (!value) return false;
    weir_str text = host->string_get(value);
    weir_value *urls = host->array_new();
    bool ok = true, begins = true;
    for (size_t at = 0; ok && at < text.length;) {
        size_t end = at;
        if (begins && text.data[at] == '#') {
            while (at < text.length && text.data[at] != '\n') at++;
        } else if (weir__is_blank(text.data[at])) {
            begins |= text.data[at++] == '\n';
        } else {
            while (end < text.length && !weir__is_blank(text.data[end])) end++;
            ok = append_url(host, call, weir__str_part(text, at, end), urls);
            begins = false;
            at = end;
        }
    }
    if (ok)
        host->output(call, "urls", urls);
    else
        host->value_unref(urls);
    return ok;
}

/* Calls `visit` for each URL of the parameter `urls` with its host, which ends with the visit. */
static bool each_host(const weir_host *host, weir_call *call,
                      void (*visit)(const weir_host *host, weir_value *url, weir_str name,
                                    void *arg),
                      void *arg) {
    const weir_value *urls = parameter(host, call, "urls", WEIR_ARRAY);
    if (!urls) return false;
    weir__bytes bytes = {0}, name = {0};
    bool ok = true;
    for (size_t i = 0; ok && i < host->value_count(urls); i++) {
        weir_value *url = host->array_at(urls, i);
        weir__reference parts = {0};
        weir__bytes_cut(&bytes, 0);
        weir__bytes_cut(&name, 0);
        if (host->value_type(url) != WEIR_STRING) {
            ok = host->fail(call, "invalid",
                            "parameter `urls`: item %zu must be of type string, found %s", i,
                            type_name(host, url));
        } else if ((ok = read_web(host, call, host->string_get(url), &bytes, &parts))) {
            weir__reference_host(&parts, &name);
            visit(host, url, weir__bytes_str(&name), arg);
        }
    }
    weir__bytes_deinit(&bytes);
    weir__bytes_deinit(&name);
    return ok;
}

static void note_host(const weir_host *host, weir_value *url, weir_str name, void *arg) {
    (void)url;
    host->object_set(arg, name.data, name.length, host->null_new());
}

static bool list_hosts(const weir_host *host, weir_call *call) {
    weir_value *seen = host->object_new(), *hosts = host->array_new();
    bool ok = each_host(host, call, note_host, seen);
    for (size_t i = 0; i < host->value_count(seen); i++)
        host->array_append(hosts, text_new(host, host->object_key(seen, i)));
    host->value_unref(seen);
    if (ok)
        host->output(call, "hosts", hosts);
    else
        host->value_unref(hosts);
    return ok;
}

typedef struct host_filter {
    weir_str wanted;
    weir_value *urls;
} host_filter;

static void keep_url(const weir_host *host, weir_value *url, weir_str name, void *arg) {
    const host_filter *filter = arg;
    if (weir__str_equal(name, filter->wanted))
        host->array_append(filter->urls, host->value_ref(url));
}

static bool list_of_host(const weir_host *host, weir_call *call) {
    const weir_value *wanted = parameter(host, call, "host", WEIR_STRING);
    if (!wanted) return false;
    host_filter filter = {host->string_get(wanted), host->array_new()};
    bool ok = each_host(host, call, keep_url, &filter);
    if (ok)
        host->output(call, "urls", filter.urls);
    else
        host->value_unref(filter.urls);
    return ok;
}

/* --- what they are --- */

#define URL_OPERATION(identifier, operation_name, function, about_text, ...)                       \
    static const weir_operation identifier = {.size = sizeof(weir_operation),                      \
                                              .name = operation_name,                              \
                                              .about = about_text,                                 \
                                              .config = no_ports,                                  \
                                              .hints = WEIR_PURE | WEIR_CHEAP,                     \
                                              .run = function,                                     \
                                              __VA_ARGS__}
#define PORTS_OF(...)                                                                              \
    (const weir_port[]) {                                                                          \
        __VA_ARGS__, {                                                                             \
            0                                                                                      \
        }                                                                                          \
    }

static const weir_port no_ports[] = {{0}};
static const char *const expand_urls[] = {"urls", NULL}, *const expand_hosts[] = {"hosts", NULL};

URL_OPERATION(parse_operation, "url.parse", parse_url, "Takes a URL apart (RFC 3986).",
              .inputs = PORTS_OF({"url", "str", "The URL, or a reference such as ../a?b=c."}),
              .outputs = PORTS_OF({"scheme", "str",
                                   "Such as https; null when there is none, as with all others."},
                                  {"user", "str", "What is before the @."},
                                  {"host", "str", "In lower case; IPv6 without its brackets."},
                                  {"port", "int", "The port; else that of http or https."},
                                  {"path", "str", "As it stands there; may be empty."},
                                  {"query", "str", "What is behind the ?, as it stands there."},
                                  {"fragment", "str", "What is behind the #."},
                                  {"fields", "map",
                                   "The query's fields, decoded; an array when one comes again."}));
URL_OPERATION(join_operation, "url.join", join_url,
              "Says what a reference means in a document (RFC 3986, section 5).",
              .inputs = PORTS_OF({"base", "str", "The URL of the document."},
                                 {"reference", "str", "Such as ../a?b=c."}),
              .outputs = PORTS_OF({"url", "str", "The URL."}));
URL_OPERATION(list_operation, "url.list", list_urls,
              "Reads URLs of http and https from a text; # begins a line that is passed over.",
              .inputs = PORTS_OF({"text", "str", "URLs with blanks or line ends between them."}),
              .outputs = PORTS_OF({"urls", "array", "In their order, without fragments."}));
URL_OPERATION(hosts_operation, "url.hosts", list_hosts, "Lists the hosts of URLs.",
              .inputs = PORTS_OF({"urls", "array", "URLs of http and https."}),
              .outputs = PORTS_OF({"hosts", "array", "Each once, in the order of the URLs."}),
              .expand = expand_hosts);
URL_OPERATION(
    of_host_operation, "url.of_host", list_of_host,
    "Lists those of the URLs that are at a host; what is made from them has the host as an "
    "ancestor, by which it can be grouped.",
    .inputs = PORTS_OF({"urls", "array", "URLs of http and https."},
                       {"host", "str", "The host, in lower case."}),
    .outputs = PORTS_OF({"urls", "array", "In their order."}), .expand = expand_urls);

static const weir_plugin plugin = {
    .abi = WEIR_ABI,
    .size = sizeof(weir_plugin),
    .name = "url",
    .version = "1",
    .operations =
        (const weir_operation *const[]){&parse_operation, &join_operation, &list_operation,
                                        &hosts_operation, &of_host_operation, NULL},
};

const weir_plugin *weir_url_plugin(const weir_host *host) {
    return host->abi == WEIR_ABI ? &plugin : NULL;
}
