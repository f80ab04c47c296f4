/* html.select, html.links and html.extract: what they are. They are done by the module weir-html.so, which is loaded with its
 * libxml2 when one of them is first called. */
#include "operations.h"

#define HTML_PORT                                                                                  \
    { "html", "generic", "The page: a text, or a `response` of http.get, whose URL counts then." }
#define URL_PORT                                                                                   \
    { "url", "str", "The page's URL, which its links are relative to.", NULL, "null" }
#define PORTS_OF(...)                                                                              \
    (const weir_port[]) {                                                                          \
        __VA_ARGS__, {                                                                             \
            0                                                                                      \
        }                                                                                          \
    }

static const weir_operation select_operation = {
    .size = sizeof(weir_operation),
    .name = "html.select",
    .about = "Finds the elements of a page that a CSS selector matches.",
    .inputs = PORTS_OF(
        HTML_PORT, {"selector", "str", "Such as h1, a.next or input[name=token].", NULL, "null"}),
    .outputs =
        PORTS_OF({"matches", "array", "{tag, text, html, attributes} of each, in their order."},
                 {"values", "array", "The text of each, or its attribute when one is asked for."},
                 {"value", "str", "The first of them; not given when there is none."},
                 {"count", "int", "How many elements match."}),
    .config =
        PORTS_OF({"selector", "str", "The selector, when it is no parameter."},
                 {"attribute", "str", "The attribute that values are, instead of the text."},
                 {"first", "bool", "Whether only the first match is wanted.", NULL, "false"},
                 {"required", "bool", "Whether it fails when there is no value.", NULL, "false"}),
    .hints = WEIR_PURE,
    .example =
        "operations:\n"
        "  token:\n"
        "    name: html.select\n"
        "    inputs: {html: page}\n"
        "    outputs: {value: token}\n"
        "configs:\n"
        "  token: {selector: 'input[name=authenticity_token]', attribute: value, required: true}\n",
    .module = "html",
};
static const char *const expand_links[] = {"links", NULL};
static const weir_operation links_operation = {
    .size = sizeof(weir_operation),
    .name = "html.links",
    .about = "Lists where a page's links lead: absolute URLs of http and https, without fragments, "
             "each once.",
    .inputs = PORTS_OF(HTML_PORT, URL_PORT),
    .outputs = PORTS_OF({"links", "array", "The URLs, in the order of the page."}),
    .config = PORTS_OF(
        {"selector", "str", "Which elements with a href are meant.", NULL,
         "\"a[href], area[href]\""},
        {"same_host", "bool", "Whether only links to the page's host are wanted.", NULL, "false"}),
    .hints = WEIR_PURE,
    .module = "html",
    .expand = expand_links,
};
static const weir_operation extract_operation = {
    .size = sizeof(weir_operation),
    .name = "html.extract",
    .about = "Makes one record of a page, by a selector for each of its fields.",
    .inputs = PORTS_OF(HTML_PORT, URL_PORT),
    .outputs = PORTS_OF({"record", "map",
                         "The page's url, if known, and the fields; null or [] "
                         "where nothing matches."}),
    .config = PORTS_OF({"fields", "map",
                        "By name: a selector for a text, or {selector, attribute, html, absolute, "
                        "all}; with `absolute` the attribute is a link, with `all` an array."}),
    .hints = WEIR_PURE,
    .example = "operations:\n"
               "  page:\n"
               "    name: html.extract\n"
               "    inputs: {html: page}\n"
               "    outputs: {record: record}\n"
               "configs:\n"
               "  page:\n"
               "    fields:\n"
               "      title: title\n"
               "      links: {selector: 'a[href]', attribute: href, absolute: true, all: true}\n",
    .module = "html",
};

static const weir_plugin plugin = {
    .abi = WEIR_ABI,
    .size = sizeof(weir_plugin),
    .name = "html",
    .version = "1",
    .operations = (const weir_operation *const[]){&select_operation, &links_operation,
                                                  &extract_operation, NULL},
};

const weir_plugin *weir_html_plugin(const weir_host *host) {
    return host->abi == WEIR_ABI ? &plugin : NULL;
}
