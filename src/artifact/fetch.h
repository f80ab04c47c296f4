/* Files over HTTP, by libcurl. Its code is in the module weir-fetch.so, which is opened when one is first wanted. Any thread; a fetch
 * blocks the one that asks. */
#ifndef WEIR_ARTIFACT_FETCH_H
#define WEIR_ARTIFACT_FETCH_H

#include "base/error.h"
#include "store/archive.h"

typedef struct weir__fetch_request {
    const char *url;             /* http or https, and what it redirects to */
    const char *const *headers;  /* "Name: value", NULL-terminated; may be NULL */
    const char *user, *password; /* basic authentication; NULL: none */
    const char *form;            /* what is posted, as a form; NULL: it is a GET */
    weir_str certificate, key;   /* of the client, as PEM; empty: none */
    weir__archive_sink sink;     /* for the body of an answer of 2xx; others are dropped */
    bool (*goes_on)(void *arg);  /* asked now and then; false ends it */
    void *arg;
} weir__fetch_request;

typedef struct weir__fetch_answer {
    long status;       /* 0: there was none */
    bool transient;    /* the same may go well later */
    bool stopped;      /* by the sink or by goes_on */
    char problem[256]; /* why there was no answer, or no end of it; else "" */
} weir__fetch_answer;

/* What the module exports, as `weir_fetch_functions`. */
typedef struct weir__fetch_functions {
    const char *version; /* of weir: a module of another is refused */
    /* False: there is no answer of 2xx, or it was not taken to its end. */
    bool (*fetch)(const weir__fetch_request *request, weir__fetch_answer *out);
} weir__fetch_functions;

/* Opens the module. Errors: PLUGIN. */
WEIR_CHECKED bool weir__fetch_open(const weir__fetch_functions **out, weir_error *error);

#endif
