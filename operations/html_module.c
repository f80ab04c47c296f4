/* The module weir-html.so: html.select, html.links and html.extract. What they are is said in html.c. */
#include "html_page.h"
#include "parameter.h"
#include "selector.h"

enum { FIELDS_MAX = 200 };

/* What to take of each match. */
typedef enum taken { TAKE_TEXT, TAKE_HTML, TAKE_ATTRIBUTE, TAKE_LINK, TAKE_ALL } taken;

typedef struct collector {
    weir__page *page;
    taken take;
    weir_str attribute;
    weir_value *matches; /* for TAKE_ALL; else NULL */
    weir_value *values;
    weir_value *seen; /* for links, which are given once; else NULL */
    weir_str host;    /* of the page, when only its own links are wanted; else without data */
    bool first, failed;
} collector;

/* A parameter, else the configuration of that name; NULL when there is neither, or null. */
static weir_value *given(const weir_host *host, const weir_call *call, const char *name) {
    weir_value *value = host->parameter(call, name);
    if (!value || host->value_type(value) == WEIR_NULL) value = host->config(call, name);
    return value && host->value_type(value) != WEIR_NULL ? value : NULL;
}

/* Leaves `*out` alone when there is none. */
static bool given_text(const weir_host *host, weir_call *call, const char *name, weir_str *out) {
    const weir_value *value = given(host, call, name);
    if (!value) return true;
    if (host->value_type(value) != WEIR_STRING)
        return host->fail(call, "invalid", "`%s` must be of type string, found %s", name,
                          type_name(host, value));
    *out = host->string_get(value);
    return true;
}

static bool flag(const weir_host *host, const weir_value *value) {
    return value && host->value_truth(value);
}

/* In the memory of the call; NULL: it has failed. */
static weir__selector *compile(const weir_host *host, weir_call *call, weir_str text) {
    weir__selector_problem problem;
    void *memory = host->alloc(call, weir__selector_bytes(text));
    weir__selector *selector = weir__selector_compile(text, memory, &problem);
    if (selector) return selector;
    int shown = (int)(text.length < 200 ? text.length : 200);
    host->fail(call, "invalid", "selector `%.*s`, character %zu: %s", shown, text.data,
               problem.column, problem.text);
    return NULL;
}

/* --- collecting --- */

static bool put(const weir_host *host, weir_value *object, const char *name, weir_value *value) {
    if (value) host->object_set(object, name, strlen(name), value);
    return value;
}

static bool add_match(collector *c, xmlNode *element) {
    const weir_host *host = c->page->host;
    weir_value *match = host->object_new();
    weir_str tag = weir__str((const char *)element->name);
    host->array_append(c->matches, match);
    return put(host, match, "tag", host->string_new(tag.data, tag.length)) &&
           put(host, match, "text", weir__page_text(c->page, element)) &&
           put(host, match, "html", weir__page_html(c->page, element)) &&
           put(host, match, "attributes", weir__page_attributes(c->page, element));
}

/* False when the link is not wanted: it came before, or leads away. */
static bool is_new_link(collector *c, const weir_value *link) {
    const weir_host *host = c->page->host;
    weir_str text = host->string_get(link);
    if (c->host.data) {
        weir__reference parts;
        const char *problem;
        weir__bytes name = {0};
        bool same = weir__reference_split(text, &parts, &problem);
        if (same) weir__reference_host(&parts, &name);
        same = same && weir__str_equal(weir__bytes_str(&name), c->host);
        weir__bytes_deinit(&name);
        if (!same) return false;
    }
    if (host->object_get(c->seen, text.data, text.length)) return false;
    host->object_set(c->seen, text.data, text.length, host->null_new());
    return true;
}

static bool take_value(collector *c, xmlNode *element, weir_value **out) {
    switch (c->take) {
    case TAKE_ATTRIBUTE: return weir__page_attribute(c->page, element, c->attribute, out);
    case TAKE_LINK: return weir__page_link(c->page, element, c->attribute, out);
    case TAKE_HTML: return (*out = weir__page_html(c->page, element));
    default: return (*out = weir__page_text(c->page, element));
    }
}

static weir__walk collect(xmlNode *element, void *arg) {
    collector *c = arg;
    const weir_host *host = c->page->host;
    weir_value *value = NULL;
    size_t count = host->value_count(c->matches ? c->matches : c->values);
    if (host->cancelled(c->page->call)) {
        c->failed = true;
    } else if (count == WEIR__MATCHES_MAX) {
        c->failed = !host->fail(c->page->call, "limit_exceeded", "more than %d elements match",
                                WEIR__MATCHES_MAX);
    } else if (c->matches && c->take == TAKE_ALL) {
        /* The text is there already. */
        c->failed = !add_match(c, element);
        const weir_value *match = host->array_at(c->matches, count);
        value = host->value_ref(host->object_get(match, "text", 4));
    } else {
        c->failed = (c->matches && !add_match(c, element)) || !take_value(c, element, &value);
    }
    if (value && c->seen && !is_new_link(c, value)) {
        host->value_unref(value);
        value = NULL;
    }
    if (value) host->array_append(c->values, value);
    bool done = c->first && (c->matches || host->value_count(c->values));
    return c->failed || done ? WEIR__WALK_STOP : WEIR__WALK_ON;
}

static bool collect_all(collector *c, const weir__selector *selector) {
    weir__page *page = c->page;
    if (!weir__selector_each(selector, (xmlNode *)page->document, collect, c))
        return page->host->fail(page->call, "limit_exceeded",
                                "the page's elements are nested more than %d deep",
                                WEIR__ELEMENT_DEPTH_MAX);
    return !c->failed;
}

/* --- html.select --- */

static bool give_selected(const weir_host *host, weir_call *call, collector *c, weir_str text) {
    size_t count = host->value_count(c->matches);
    weir_value *first = host->value_count(c->values) ? host->array_at(c->values, 0) : NULL;
    if (flag(host, host->config(call, "required")) && !first)
        return host->fail(
            call, "not_found",
            count ? "what `%.*s` selects has no attribute `%.*s`" : "nothing on the page is `%.*s`",
            (int)(text.length < 200 ? text.length : 200), text.data,
            (int)(c->attribute.length < 200 ? c->attribute.length : 200), c->attribute.data);
    if (first) host->output(call, "value", host->value_ref(first));
    host->output(call, "count", host->int_new((int64_t)count));
    host->output(call, "values", host->value_ref(c->values));
    host->output(call, "matches", host->value_ref(c->matches));
    return true;
}

static bool select_elements(const weir_host *host, weir_call *call) {
    weir_str text = {0}, attribute = {0};
    if (!given_text(host, call, "selector", &text) ||
        !given_text(host, call, "attribute", &attribute))
        return false;
    if (!text.data)
        return host->fail(call, "invalid", "a `selector` is missing, such as \"h1\" or \"a.next\"");
    const weir__selector *selector = compile(host, call, text);
    weir__page page;
    if (!selector) return false;
    bool ok = weir__page_open(&page, host, call);
    collector c = {.page = &page,
                   .take = attribute.data ? TAKE_ATTRIBUTE : TAKE_ALL,
                   .attribute = attribute.data ? attribute : weir__str(""),
                   .matches = host->array_new(),
                   .values = host->array_new(),
                   .first = flag(host, given(host, call, "first"))};
    ok = ok && collect_all(&c, selector) && give_selected(host, call, &c, text);
    host->value_unref(c.matches);
    host->value_unref(c.values);
    weir__page_close(&page);
    return ok;
}

/* --- html.links --- */

static bool find_links(const weir_host *host, weir_call *call) {
    weir_str text = weir__str("a[href], area[href]");
    if (!given_text(host, call, "selector", &text)) return false;
    const weir__selector *selector = compile(host, call, text);
    weir__page page;
    weir__bytes name = {0};
    if (!selector) return false;
    bool ok = weir__page_open(&page, host, call);
    collector c = {.page = &page,
                   .take = TAKE_LINK,
                   .attribute = weir__str("href"),
                   .values = host->array_new(),
                   .seen = host->object_new()};
    if (ok && flag(host, given(host, call, "same_host"))) {
        if (!page.url.data) ok = host->fail(call, "invalid", "`same_host` needs the page's `url`");
        weir__reference parts = page.base;
        const char *problem;
        if (ok && weir__reference_split(weir__bytes_str(&page.url), &parts, &problem))
            weir__reference_host(&parts, &name);
        c.host = weir__bytes_str(&name);
    }
    ok = ok && collect_all(&c, selector);
    if (ok) host->output(call, "links", host->value_ref(c.values));
    host->value_unref(c.values);
    host->value_unref(c.seen);
    weir__bytes_deinit(&name);
    weir__page_close(&page);
    return ok;
}

/* --- html.extract --- */

typedef struct field {
    weir_str name;
    const weir__selector *selector;
    taken take;
    weir_str attribute;
    bool all;
} field;

static bool field_problem(const weir_host *host, weir_call *call, const field *f,
                          const char *problem) {
    return host->fail(call, "invalid", "field `%.*s`: %s",
                      (int)(f->name.length < 100 ? f->name.length : 100), f->name.data, problem);
}

static weir_value *member(const weir_host *host, const weir_value *object, const char *name) {
    return host->object_get(object, name, strlen(name));
}

/* A selector, or {selector, attribute, html, absolute, all}. */
static bool read_field(const weir_host *host, weir_call *call, const weir_value *value, field *f) {
    const weir_value *selector = value, *attribute = NULL;
    if (host->value_type(value) == WEIR_OBJECT) {
        static const char *const known[] = {"selector", "attribute", "html", "absolute", "all"};
        for (size_t i = 0; i < host->value_count(value); i++) {
            bool is_known = false;
            for (size_t k = 0; k < sizeof known / sizeof *known; k++)
                is_known |= weir__str_is(host->object_key(value, i), known[k]);
            if (!is_known)
                return field_problem(host, call, f,
                                     "it has selector, attribute, html, absolute and all");
        }
        selector = member(host, value, "selector");
        attribute = member(host, value, "attribute");
        f->all = flag(host, member(host, value, "all"));
        f->take = flag(host, member(host, value, "html")) ? TAKE_HTML : TAKE_TEXT;
        if (attribute && host->value_type(attribute) != WEIR_STRING)
            return field_problem(host, call, f, "`attribute` must be a text");
        if (attribute) {
            f->attribute = host->string_get(attribute);
            f->take = flag(host, member(host, value, "absolute")) ? TAKE_LINK : TAKE_ATTRIBUTE;
        }
    }
    if (!selector || host->value_type(selector) != WEIR_STRING)
        return field_problem(host, call, f, "its selector must be a text");
    return (f->selector = compile(host, call, host->string_get(selector)));
}

static bool extract_field(weir__page *page, const field *f, weir_value *record) {
    const weir_host *host = page->host;
    collector c = {.page = page,
                   .take = f->take,
                   .attribute = f->attribute,
                   .values = host->array_new(),
                   .seen = f->take == TAKE_LINK ? host->object_new() : NULL,
                   .first = !f->all};
    bool ok = collect_all(&c, f->selector);
    if (ok) {
        weir_value *value = f->all ? host->value_ref(c.values)
                            : host->value_count(c.values)
                                ? host->value_ref(host->array_at(c.values, 0))
                                : host->null_new();
        host->object_set(record, f->name.data, f->name.length, value);
    }
    host->value_unref(c.values);
    host->value_unref(c.seen);
    return ok;
}

static bool extract_record(const weir_host *host, weir_call *call) {
    const weir_value *wanted = given(host, call, "fields");
    if (!wanted || host->value_type(wanted) != WEIR_OBJECT)
        return host->fail(call, "invalid", "`fields` must be of type object, found %s",
                          type_name(host, wanted));
    size_t count = host->value_count(wanted);
    if (count > FIELDS_MAX)
        return host->fail(call, "limit_exceeded", "more than %d fields", FIELDS_MAX);
    field *fields = host->alloc(call, (count + 1) * sizeof *fields);
    for (size_t i = 0; i < count; i++) {
        fields[i].name = host->object_key(wanted, i);
        if (!read_field(host, call, host->object_at(wanted, i), &fields[i])) return false;
    }
    weir__page page;
    bool ok = weir__page_open(&page, host, call);
    weir_value *record = host->object_new();
    if (ok && page.url.data)
        put(host, record, "url", host->string_new(page.url.data, page.url.length));
    for (size_t i = 0; ok && i < count; i++) ok = extract_field(&page, &fields[i], record);
    if (ok) host->output(call, "record", host->value_ref(record));
    host->value_unref(record);
    weir__page_close(&page);
    return ok;
}

/* --- the module --- */

static const weir_operation select_operation = {
    .size = sizeof(weir_operation), .name = "html.select", .run = select_elements};
static const weir_operation links_operation = {
    .size = sizeof(weir_operation), .name = "html.links", .run = find_links};
static const weir_operation extract_operation = {
    .size = sizeof(weir_operation), .name = "html.extract", .run = extract_record};

static const weir_plugin plugin = {
    .abi = WEIR_ABI,
    .size = sizeof(weir_plugin),
    .name = "html",
    .version = "1",
    .operations = (const weir_operation *const[]){&select_operation, &links_operation,
                                                  &extract_operation, NULL},
};

WEIR_API const weir_plugin *weir_plugin_open(const weir_host *host);

const weir_plugin *weir_plugin_open(const weir_host *host) {
    if (host->abi != WEIR_ABI) return NULL;
    xmlInitParser();
    return &plugin;
}
