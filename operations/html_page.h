/* A page of HTML as a tree, and what an operation takes out of it. A page belongs to one thread, from `open` to `close`.
 * Nothing is ever fetched for it, and no entity expands but HTML's own. */
#ifndef WEIR_OPERATIONS_HTML_PAGE_H
#define WEIR_OPERATIONS_HTML_PAGE_H

#include <libxml/HTMLtree.h>

#include "bytes.h"
#include "reference.h"
#include <weir/operation.h>

enum {
    WEIR__HTML_BYTES_MAX = 32 * 1024 * 1024,
    WEIR__MATCHES_MAX = 100000,
    WEIR__GIVEN_BYTES_MAX = 64 * 1024 * 1024 /* of all that one call gives */
};

typedef struct weir__page {
    const weir_host *host;
    weir_call *call;
    htmlDocPtr document;
    weir__bytes url;      /* cleaned; what `base` borrows from */
    weir__bytes base_url; /* what <base> made of it */
    weir__reference base; /* no scheme when there is no URL */
    size_t given_bytes;
} weir__page;

/* Parses the parameter `html`: a text, or a `response` of http.get, whose URL is then the page's; the parameter `url` wins.
 * False: the call has failed. `close` in either case. */
WEIR_CHECKED bool weir__page_open(weir__page *page, const weir_host *host, weir_call *call);
void weir__page_close(weir__page *page);

/* New values; NULL when too much was given: the call has failed then. The text is what a reader sees, with one blank between
 * words; of a script or a style it is its source. */
weir_value *weir__page_text(weir__page *page, const xmlNode *element);
weir_value *weir__page_html(weir__page *page, xmlNode *element);
weir_value *weir__page_attributes(weir__page *page, const xmlNode *element);
/* `*out` stays NULL when the element has no such attribute. */
WEIR_CHECKED bool weir__page_attribute(weir__page *page, const xmlNode *element, weir_str name,
                                       weir_value **out);
/* The attribute as an absolute URL of http or https without its fragment; `*out` stays NULL when it is none. */
WEIR_CHECKED bool weir__page_link(weir__page *page, const xmlNode *element, weir_str name,
                                  weir_value **out);

#endif
