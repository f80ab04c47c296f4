/* One place that images come from: a registry, or a mirror of one, by the OCI distribution protocol (version 1.1; Docker's registries speak the same), and
 * Docker's tokens. Its functions block, and are one thread's; but weir__registry_blob, which several threads may call meanwhile, each with a client of its own.
 *
 * Errors: CANCELLED; NOT_FOUND: it has no such thing; INVALID: it does not want to give it to us; IO: it cannot be reached, or does not answer as it should. */
#ifndef WEIR_IMAGE_REGISTRY_H
#define WEIR_IMAGE_REGISTRY_H

#include "artifact/fetch.h"
#include "image/certificates.h"
#include "image/challenge.h"
#include "image/credentials.h"

typedef struct weir__registry {
    const weir__fetch_functions *library;
    weir__fetch_client *client;
    char said[512]; /* what it is called in messages and files of credentials: HOST[:PORT][/PATH] */
    char host[256]; /* whom it is asked of */
    char repository[768];       /* with the path of a mirror before it */
    bool insecure;              /* http, and certificates that nobody vouches for, will do */
    bool loopback;              /* http will do */
    bool plain;                 /* http it is */
    bool probed;                /* whether it speaks https, on loopback */
    bool (*goes_on)(void *arg); /* may be NULL */
    void *arg;
    weir__certificates certificates;
    weir__credentials credentials;
    bool looked; /* for credentials */
    weir__challenge challenge;
    char *authorization; /* a header; NULL: none is needed, as far as is known */
    int64_t expires_ms;  /* of it, by the steady clock */
    uint32_t renewed;    /* how often */
} weir__registry;

typedef struct weir__reply {
    char media_type[128];
    char digest[128]; /* Docker-Content-Digest, which is only a saying */
    weir_buffer body;
} weir__reply;

/* `place`: HOST[:PORT], for a mirror with a path behind it. Errors: PLUGIN. */
WEIR_CHECKED bool weir__registry_open(const char *place, const char *repository, bool insecure,
                                      bool (*goes_on)(void *arg), void *arg, weir__registry *out,
                                      weir_error *error);
void weir__registry_close(weir__registry *registry);

/* A manifest by its tag or digest; `head`: no body. */
WEIR_CHECKED bool weir__registry_manifest(weir__registry *registry, const char *reference,
                                          bool head, weir__reply *out, weir_error *error);
/* A small blob, such as a configuration. Its digest is not looked at. */
WEIR_CHECKED bool weir__registry_small(weir__registry *registry, const char *digest,
                                       size_t bytes_max, weir__reply *out, weir_error *error);
/* The tags of the repository that are like the one that is not there, as a hint. */
void weir__registry_hint_tags(weir__registry *registry, const char *tag, weir_error *error);
void weir__reply_deinit(weir__reply *reply);

/* A large blob, in pieces. */
typedef struct weir__blob_sink {
    uint64_t offset;            /* how much of it is here: kept up to date */
    bool (*restart)(void *arg); /* what is here is of no use */
    bool (*write)(void *arg, const void *data, size_t length);
    void *arg;
} weir__blob_sink;

typedef enum weir__blob_end {
    WEIR__BLOB_WHOLE,
    WEIR__BLOB_UNAUTHORIZED, /* `weir__registry_renew`, and again */
    WEIR__BLOB_STOPPED,      /* by the sink */
    WEIR__BLOB_FAILED
} weir__blob_end;

/* Goes on at the sink's offset where the connection broke, as long as some of it comes. `authorization` is a copy of the registry's. */
weir__blob_end weir__registry_blob(const weir__registry *registry, weir__fetch_client *client,
                                   const char *authorization, const char *digest,
                                   weir__blob_sink *sink, weir__challenge *challenge,
                                   weir_error *error);
/* Another token; by the challenge of a blob, where it says something. */
WEIR_CHECKED bool weir__registry_renew(weir__registry *registry, const weir__challenge *challenge,
                                       weir_error *error);

/* What an error's body says, in one line that may be printed: "MANIFEST_UNKNOWN: manifest unknown"; "" else. Pure. */
void weir__registry_saying(weir_str body, char out[static 160]);

#endif
