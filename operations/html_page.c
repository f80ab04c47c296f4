#include "html_page.h"

#include <libxml/HTMLparser.h>
#include <libxml/parserInternals.h>

static bool give(weir__page *page, size_t bytes) {
    page->given_bytes += bytes;
    return page->given_bytes <= WEIR__GIVEN_BYTES_MAX ||
           page->host->fail(page->call, "limit_exceeded",
                            "what matches is larger than %d bytes; a narrower selector gives less",
                            WEIR__GIVEN_BYTES_MAX);
}

static weir_value *text_value(weir__page *page, weir_str text) {
    if (!give(page, text.length)) return NULL;
    if (weir__utf8_until(text) == text.length)
        return page->host->string_new(text.data, text.length);
    weir__bytes clean = {0};
    weir__bytes_utf8(&clean, text);
    weir_value *value = page->host->string_new(clean.data, clean.length);
    weir__bytes_deinit(&clean);
    return value;
}

/* --- open and close --- */

static weir_value *member(const weir_host *host, const weir_value *object, const char *name) {
    return host->object_get(object, name, strlen(name));
}

/* The text of the parameter `html`, and the URL when it is a response. */
static bool find_text(weir__page *page, weir_str *text, const weir_value **url) {
    const weir_host *host = page->host;
    const weir_value *html = host->parameter(page->call, "html");
    if (html && host->value_type(html) == WEIR_OBJECT) {
        const weir_value *encoding = member(host, html, "encoding");
        *url = member(host, html, "url");
        html = member(host, html, "body");
        if (encoding && host->value_type(encoding) == WEIR_STRING &&
            weir__str_is(host->string_get(encoding), "base64"))
            return host->fail(page->call, "invalid", "the response is no text");
    }
    if (!html || host->value_type(html) != WEIR_STRING)
        return host->fail(page->call, "invalid",
                          "parameter `html` must be a text, or a response of http.get with a body");
    *text = host->string_get(html);
    return text->length <= WEIR__HTML_BYTES_MAX ||
           host->fail(page->call, "limit_exceeded", "the page is larger than %d bytes",
                      WEIR__HTML_BYTES_MAX);
}

static bool set_url(weir__page *page, const weir_value *url) {
    const weir_host *host = page->host;
    const weir_value *given = host->parameter(page->call, "url");
    if (given && host->value_type(given) != WEIR_NULL) url = given;
    if (!url) return true;
    const char *problem = "it is no text";
    if (host->value_type(url) != WEIR_STRING ||
        !weir__reference_clean(host->string_get(url), &page->url, &problem) ||
        !weir__reference_split(weir__bytes_str(&page->url), &page->base, &problem))
        return host->fail(page->call, "invalid", "the page's `url` is no URL: %s", problem);
    return page->base.scheme.data ||
           host->fail(page->call, "invalid", "the page's `url` must be absolute");
}

static bool parse(weir__page *page, weir_str text) {
    htmlParserCtxtPtr parser = htmlNewParserCtxt();
    if (!parser) return page->host->fail(page->call, "io", "there is no memory for a parser");
    int options = HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING |
                  HTML_PARSE_NONET | HTML_PARSE_COMPACT;
    page->document =
        htmlCtxtReadMemory(parser, text.data, (int)text.length, NULL, "UTF-8", options);
    bool memory = parser->lastError.code == XML_ERR_NO_MEMORY;
    /* The parser stops without a word to its caller when elements are nested too deeply. */
    bool deep = parser->lastError.code == XML_ERR_INTERNAL_ERROR && parser->disableSAX;
    htmlFreeParserCtxt(parser);
    if (memory) return page->host->fail(page->call, "io", "there is no memory for the page");
    if (deep)
        return page->host->fail(page->call, "limit_exceeded",
                                "the page's elements are nested more than %u deep",
                                xmlParserMaxDepth);
    return true;
}

/* The first <base href> says what links are relative to. */
static void apply_base(weir__page *page) {
    const xmlNode *root = xmlDocGetRootElement(page->document);
    const xmlNode *head = root ? root->children : NULL;
    while (head && !(head->name && weir__str_same(weir__str((const char *)head->name), "head")))
        head = head->next;
    for (const xmlNode *node = head ? head->children : NULL; node; node = node->next) {
        weir_value *link = NULL;
        weir__reference base;
        const char *problem;
        if (node->type != XML_ELEMENT_NODE ||
            !weir__str_same(weir__str((const char *)node->name), "base") ||
            !weir__page_link(page, node, weir__str("href"), &link) || !link)
            continue;
        weir__bytes_add(&page->base_url, page->host->string_get(link));
        page->host->value_unref(link);
        if (weir__reference_split(weir__bytes_str(&page->base_url), &base, &problem))
            page->base = base;
        return;
    }
}

bool weir__page_open(weir__page *page, const weir_host *host, weir_call *call) {
    *page = (weir__page){.host = host, .call = call};
    weir_str text = {0};
    const weir_value *url = NULL;
    if (!find_text(page, &text, &url) || !set_url(page, url)) return false;
    /* The parser makes no document of nothing. */
    if (!weir__str_trim(text).length) text = weir__str("<html></html>");
    if (!parse(page, text)) return false;
    if (!page->document) return host->fail(call, "invalid", "the page is no HTML");
    apply_base(page);
    return true;
}

void weir__page_close(weir__page *page) {
    if (page->document) xmlFreeDoc(page->document);
    weir__bytes_deinit(&page->url);
    weir__bytes_deinit(&page->base_url);
}

/* --- text --- */

static bool is_among(const xmlChar *name, const char *const *names) {
    for (; *names; names++)
        if (weir__str_same(weir__str((const char *)name), *names)) return true;
    return false;
}

/* Words on both sides of the element may be one. */
static bool is_inline(const xmlNode *element) {
    static const char *const names[] = {
        "a",      "abbr",   "b",   "bdi",  "bdo",  "cite", "code", "data", "del",   "dfn",  "em",
        "font",   "i",      "ins", "kbd",  "mark", "q",    "s",    "samp", "small", "span", "sub",
        "strong", "strike", "sup", "time", "tt",   "u",    "var",  "wbr",  NULL};
    return is_among(element->name, names);
}

static bool is_hidden(const xmlNode *element) {
    static const char *const names[] = {"script", "style", "template", "noscript", NULL};
    return is_among(element->name, names);
}

/* Blanks become one between words, none at the ends; `*gap` says that one is due. */
static void add_words(weir__bytes *out, const char *text, bool *gap) {
    for (; *text; text++) {
        /* U+00A0, which HTML writes as &nbsp;, is a blank to a reader. */
        bool hard = (unsigned char)text[0] == 0xc2 && (unsigned char)text[1] == 0xa0;
        if (weir__is_blank(*text) || hard) {
            *gap = true;
            text += hard;
            continue;
        }
        if (*gap && out->length) weir__bytes_byte(out, ' ');
        *gap = false;
        weir__bytes_byte(out, *text);
    }
}

static void add_node(weir__bytes *out, const xmlNode *node, bool source, bool *gap) {
    if ((node->type == XML_TEXT_NODE || node->type == XML_CDATA_SECTION_NODE) && node->content) {
        if (source)
            weir__bytes_text(out, (const char *)node->content);
        else
            add_words(out, (const char *)node->content, gap);
    }
}

weir_value *weir__page_text(weir__page *page, const xmlNode *element) {
    weir__bytes text = {0};
    bool gap = false, source = is_hidden(element);
    const xmlNode *node = element->children;
    while (node) {
        bool enter = node->type == XML_ELEMENT_NODE && (source || !is_hidden(node));
        add_node(&text, node, source, &gap);
        if (node->type == XML_ELEMENT_NODE && !is_inline(node)) gap = true;
        if (enter && node->children) {
            node = node->children;
            continue;
        }
        while (node && !node->next) {
            node = node->parent == element ? NULL : node->parent;
            if (node && !is_inline(node)) gap = true;
        }
        if (node) node = node->next;
    }
    weir_value *value = text_value(page, weir__bytes_str(&text));
    weir__bytes_deinit(&text);
    return value;
}

/* --- HTML and attributes --- */

weir_value *weir__page_html(weir__page *page, xmlNode *element) {
    xmlOutputBufferPtr out = xmlAllocOutputBuffer(NULL);
    if (!out) {
        page->host->fail(page->call, "io", "there is no memory for the text");
        return NULL;
    }
    htmlNodeDumpFormatOutput(out, page->document, element, "UTF-8", 0);
    weir_value *value = text_value(page, (weir_str){(const char *)xmlOutputBufferGetContent(out),
                                                    xmlOutputBufferGetSize(out)});
    xmlOutputBufferClose(out);
    return value;
}

static weir_value *attribute_value(weir__page *page, const xmlAttr *attribute) {
    xmlChar *text =
        attribute->children ? xmlNodeListGetString(page->document, attribute->children, 1) : NULL;
    weir_value *value = text_value(page, weir__str(text ? (const char *)text : ""));
    if (text) xmlFree(text);
    return value;
}

weir_value *weir__page_attributes(weir__page *page, const xmlNode *element) {
    weir_value *attributes = page->host->object_new();
    for (const xmlAttr *at = element->properties; at; at = at->next) {
        weir_str name = weir__str((const char *)at->name);
        weir_value *value = give(page, name.length) ? attribute_value(page, at) : NULL;
        if (!value) {
            page->host->value_unref(attributes);
            return NULL;
        }
        page->host->object_set(attributes, name.data, name.length, value);
    }
    return attributes;
}

bool weir__page_attribute(weir__page *page, const xmlNode *element, weir_str name,
                          weir_value **out) {
    const xmlAttr *at = element->properties;
    while (at && !weir__str_equal(weir__str((const char *)at->name), name)) at = at->next;
    return !at || (*out = attribute_value(page, at));
}

bool weir__page_link(weir__page *page, const xmlNode *element, weir_str name, weir_value **out) {
    weir_value *written = NULL;
    if (!weir__page_attribute(page, element, name, &written)) return false;
    if (!written) return true;
    weir__bytes clean = {0}, whole = {0}, url = {0};
    weir__reference reference;
    const char *problem;
    bool ok = weir__reference_clean(page->host->string_get(written), &clean, &problem) &&
              weir__reference_split(weir__bytes_str(&clean), &reference, &problem) &&
              (reference.scheme.data || page->base.scheme.data);
    if (ok) {
        weir__reference_resolve(&page->base, &reference, &whole);
        ok = weir__reference_split(weir__bytes_str(&whole), &reference, &problem) &&
             weir__reference_is_web(&reference);
    }
    if (ok) {
        weir__reference_normalize(&reference, false, false, &url);
        *out = text_value(page, weir__bytes_str(&url));
    }
    page->host->value_unref(written);
    weir__bytes_deinit(&clean);
    weir__bytes_deinit(&whole);
    weir__bytes_deinit(&url);
    return !ok || *out;
}
