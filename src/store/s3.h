/* Blobs in S3: the inside of the module `weir-s3.so`.
 *
 * s3.c is the kind (see blob_kind.h); s3_open.c reads where and who; s3_sign.c signs; s3_transfer.c sends requests and
 * tries them again; s3_answer.c says what an answer means; s3_upload.c puts blobs, in parts when they are large.
 *
 * A request is a transfer: filled by whoever asks, carried out by weir__s3_send or, several at a time, by weir__s3_run,
 * on the thread that calls. Secrets are in the struct here and in the signature, and in no message. */
#ifndef WEIR_STORE_S3_H
#define WEIR_STORE_S3_H

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "store/blob_kind.h"

enum {
    WEIR__S3_ANSWER_MAX = 8 * 1024 * 1024, /* bytes of an answer that is no blob */
    WEIR__S3_PARTS_MAX = 10000,            /* S3's own limit */
    WEIR__S3_PART_BYTES = 8 * 1024 * 1024,
    WEIR__S3_SPARES_MAX = 8
};

typedef struct weir__s3 {
    weir_blobs base;             /* first */
    weir_arena arena;            /* of the texts */
    const char *bucket, *prefix; /* the prefix is "" or ends with '/' */
    const char *origin, *host;   /* "https://host:port", "host:port" */
    const char *folder;          /* what stands before a key in the path: "/" or "/BUCKET/" */
    const char *region, *access, *secret, *token; /* token NULL: none */
    const char *ca_file;                          /* NULL: the system's */
    unsigned attempts_max;
    uint64_t leftover_us; /* an upload that began longer ago is of a dead process */
    atomic_bool answered; /* the bucket is there: something in it was done */
    pthread_mutex_t lock;
    CURLM *spares[WEIR__S3_SPARES_MAX]; /* with their connections; under the lock */
    size_t spare_count;
} weir__s3;

typedef enum weir__s3_state { WEIR__S3_IDLE, WEIR__S3_RUNNING, WEIR__S3_SLEEPING } weir__s3_state;

typedef struct weir__s3_transfer {
    /* The request. */
    const char *method, *key; /* without the prefix; "": the bucket itself */
    weir_buffer query;        /* sorted by name, encoded; may be empty */
    weir_str body;
    uint64_t body_from, body_size; /* which bytes of body_fd; the size also of `body` */
    unsigned char body_hash[WEIR__SHA256_BYTES];
    const weir__sink *sink; /* for a blob; NULL: `answer` */
    uint64_t range_from, range_length;
    int body_fd; /* -1: the body is `body` */
    bool range;  /* the answer has to be a part: set by the attempt */
    /* The answer. */
    long status;
    weir_buffer answer;
    char etag[128], region[40];          /* the region is the bucket's when it is another one */
    uint64_t size, modified_us, date_us; /* date: the server's clock; 0: not said */
    uint64_t got;                        /* bytes of the blob, of all attempts */
    /* The attempt. */
    weir__s3 *s3;
    CURL *easy;
    struct curl_slist *lines;
    char problem[CURL_ERROR_SIZE];
    uint64_t sent, got_before, wake_us;
    unsigned attempts;
    weir__s3_state state;
    bool stopped; /* by the sink or the body, which filled: */
    weir_error error;
} weir__s3_transfer;

/* Zeroed but for what there is no other way to say; to be ended by deinit. */
void weir__s3_transfer_init(weir__s3_transfer *t, weir__s3 *s3, const char *method,
                            const char *key);
void weir__s3_transfer_deinit(weir__s3_transfer *t);
/* Adds "&name=value" with what is not plain encoded. In the order of the names. */
void weir__s3_query(weir__s3_transfer *t, const char *name, weir_str value);
/* A body in memory; borrowed. */
void weir__s3_body(weir__s3_transfer *t, weir_str body);
/* Bytes of a file, whose hash is known; read when they are sent. */
void weir__s3_body_file(weir__s3_transfer *t, int fd, uint64_t from, uint64_t size,
                        const unsigned char hash[static WEIR__SHA256_BYTES]);

/* Until it succeeds, or fails for good. A status of 404 and 416 is left to the caller when `accept` is set. */
WEIR_CHECKED bool weir__s3_send(weir__s3_transfer *t, bool accept, weir_error *error);

/* Whoever has several requests: `next` fills a slot and returns true, or false when there are no more; `done` sees one
 * that succeeded. */
typedef struct weir__s3_source {
    bool (*next)(void *arg, weir__s3_transfer *slot);
    void (*done)(void *arg, weir__s3_transfer *slot);
    void *arg;
} weir__s3_source;
WEIR_CHECKED bool weir__s3_run(weir__s3 *s3, weir__s3_transfer *slots, size_t count,
                               const weir__s3_source *source, bool accept, weir_error *error);

/* --- s3_open.c */
WEIR_CHECKED bool weir__s3_open(const char *where, weir__s3 *s3, weir_error *error);

/* --- s3_sign.c: AWS Signature Version 4 (AWS General Reference, "Signing AWS API requests") */
/* The header lines of the request, signed for this moment. */
struct curl_slist *weir__s3_sign(const weir__s3_transfer *t, struct curl_slist *lines);
/* The request's URL. */
void weir__s3_url(const weir__s3_transfer *t, weir_buffer *out);
/* RFC 3986: all but letters, digits and "-._~", and '/' when it is `kept`. */
void weir__s3_encode(weir_str text, bool slash_kept, weir_buffer *out);

/* --- s3_answer.c */
typedef enum weir__s3_verdict { WEIR__S3_GOOD, WEIR__S3_AGAIN, WEIR__S3_BAD } weir__s3_verdict;
/* What an attempt came to; fills the error unless it is good. */
weir__s3_verdict weir__s3_judge(weir__s3_transfer *t, CURLcode result, bool accept,
                                weir_error *error);
/* The text of the next element of that name at or behind *from, entities decoded; *from moves behind it. False: there
 * is none. `out` is replaced. */
bool weir__s3_element(weir_str xml, const char *name, size_t *from, weir_buffer *out);
/* The part of the next element of that name, tags within. */
bool weir__s3_section(weir_str xml, const char *name, size_t *from, weir_str *out);
/* Of "2026-11-21T13:30:00.000Z"; 0: it is none. */
uint64_t weir__s3_time(const char *text);

/* --- s3_upload.c */
WEIR_CHECKED bool weir__s3_receive(weir_blobs *blobs, int fd, weir__incoming **out,
                                   weir_error *error);
WEIR_CHECKED bool weir__s3_keep(weir_blobs *blobs, weir__incoming *incoming, const char *name,
                                weir_error *error);
void weir__s3_drop(weir_blobs *blobs, weir__incoming *incoming);
/* Ends uploads of dead processes. */
WEIR_CHECKED bool weir__s3_sweep(weir_blobs *blobs, uint64_t *count, weir_error *error);

/* Microseconds since 1970, and of a clock that never jumps. */
uint64_t weir__s3_now_us(bool steady);

#endif
