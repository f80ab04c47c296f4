/* Files over HTTP, by libcurl. Its code is in the module weir-fetch.so, which is opened when one is first wanted. Any thread; a fetch
 * blocks the one that asks. */
#ifndef WEIR_ARTIFACT_FETCH_H
#define WEIR_ARTIFACT_FETCH_H

#include "base/error.h"
#include "store/archive.h"

typedef struct weir__fetch_request {
    const char *url; /* http or https, and what it redirects to */
    const char *const *
        headers; /* "Name: value", NULL-terminated; may be NULL. Authorization stays with the host of the URL */
    const char *user, *password; /* basic authentication; NULL: none */
    const char *form;            /* what is posted, as a form; NULL: it is a GET */
    weir_str certificate, key;   /* of the client, as PEM; empty: none */
    weir_str
        authorities; /* who may vouch for the server beside those that the system trusts, as PEM; empty: none */
    weir__archive_sink sink;    /* for the body of an answer of 2xx; others are dropped */
    bool (*goes_on)(void *arg); /* asked 20 times a second and more; false ends it. May be NULL */
    void *arg;
    /* What few want. */
    bool head;        /* the headers alone */
    bool unverified;  /* a certificate that nobody vouches for will do */
    bool stay_secure; /* https does not redirect to http */
    bool direct;      /* by no proxy */
    uint64_t offset;  /* where the body is to begin */
    /* Before the body of an answer of 2xx: where it begins, 0 where the sender begins anew. False ends it. */
    bool (*begin)(void *arg, uint64_t offset);
    /* Each header, without its line end; an empty name: those before were of an answer that another follows. */
    void (*header)(void *arg, weir_str name, weir_str value);
    weir__archive_sink
        refusal; /* for the body of the last answer when it is not of 2xx; false: enough of it */
    uint32_t connect_s, stalled_s; /* 0: as it is usual */
} weir__fetch_request;

/* Why there is no answer. */
typedef enum weir__fetch_trouble {
    WEIR__FETCH_NONE,
    WEIR__FETCH_NO_NAME,     /* the host's name has no address */
    WEIR__FETCH_NO_HOST,     /* nobody takes the connection */
    WEIR__FETCH_NO_TLS,      /* https is not spoken there */
    WEIR__FETCH_CERTIFICATE, /* nobody vouches for it */
    WEIR__FETCH_BROKEN,      /* it began, and did not end */
    WEIR__FETCH_OTHER
} weir__fetch_trouble;

typedef struct weir__fetch_answer {
    long status;       /* 0: there was none */
    bool transient;    /* the same may go well later */
    bool stopped;      /* by the sink or by goes_on */
    char problem[256]; /* why there was no answer, or no end of it; else "" */
    weir__fetch_trouble trouble;
    int reason;             /* errno of a connection that nobody took; 0: not known */
    uint64_t retry_after_s; /* what the answer says; 0: nothing */
} weir__fetch_answer;

/* Keeps its connections from one request to the next. One thread at a time. */
typedef struct weir__fetch_client weir__fetch_client;

/* What the module exports, as `weir_fetch_functions`. */
typedef struct weir__fetch_functions {
    const char *version; /* of weir: a module of another is refused */
    /* False: there is no answer of 2xx, or it was not taken to its end. */
    bool (*fetch)(const weir__fetch_request *request, weir__fetch_answer *out);
    weir__fetch_client *(*open)(void);
    /* The same as `fetch`. */
    bool (*ask)(weir__fetch_client *client, const weir__fetch_request *request,
                weir__fetch_answer *out);
    void (*close)(weir__fetch_client *client); /* NULL is allowed */
} weir__fetch_functions;

/* Opens the module. Errors: PLUGIN. */
WEIR_CHECKED bool weir__fetch_open(const weir__fetch_functions **out, weir_error *error);

#endif
