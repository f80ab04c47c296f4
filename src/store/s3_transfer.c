#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "store/s3.h"

enum { BACKOFF_US = 200 * 1000, BACKOFF_US_MAX = 10 * 1000 * 1000 };

uint64_t weir__s3_now_us(bool steady) {
    struct timespec now;
    clock_gettime(steady ? CLOCK_MONOTONIC : CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* --- a request ------------------------------------------------------------------------------ */

void weir__s3_body(weir__s3_transfer *t, weir_str body) {
    weir__sha256 *hash = weir__sha256_by.begin();
    weir__sha256_by.add(hash, body.data, body.length);
    weir__sha256_by.take(hash, t->body_hash);
    weir__sha256_by.end(hash);
    t->body = body;
    t->body_size = body.length;
}

void weir__s3_body_file(weir__s3_transfer *t, int fd, uint64_t from, uint64_t size,
                        const unsigned char hash[static WEIR__SHA256_BYTES]) {
    t->body_fd = fd;
    t->body_from = from;
    t->body_size = size;
    memcpy(t->body_hash, hash, WEIR__SHA256_BYTES);
}

void weir__s3_transfer_init(weir__s3_transfer *t, weir__s3 *s3, const char *method,
                            const char *key) {
    *t = (weir__s3_transfer){.s3 = s3, .method = method, .key = key, .body_fd = -1};
    weir__s3_body(t, WEIR_STR(""));
}

void weir__s3_transfer_deinit(weir__s3_transfer *t) {
    curl_slist_free_all(t->lines);
    if (t->easy) curl_easy_cleanup(t->easy);
    weir_buffer_deinit(&t->query);
    weir_buffer_deinit(&t->answer);
}

void weir__s3_query(weir__s3_transfer *t, const char *name, weir_str value) {
    weir_buffer_printf(&t->query, "%s%s=", t->query.length ? "&" : "", name);
    weir__s3_encode(value, false, &t->query);
}

/* --- what curl calls ------------------------------------------------------------------------ */

static size_t give_body(char *to, size_t size, size_t count, void *arg) {
    weir__s3_transfer *t = arg;
    uint64_t left = t->body_size - t->sent;
    size_t wanted = size * count < left ? size * count : (size_t)left;
    if (!wanted) return 0;
    if (t->body_fd < 0) {
        memcpy(to, t->body.data + t->sent, wanted);
    } else {
        ssize_t got;
        do got = pread(t->body_fd, to, wanted, (off_t)(t->body_from + t->sent));
        while (got < 0 && errno == EINTR);
        if (got <= 0) {
            t->stopped = true;
            if (got < 0)
                weir_fail(&t->error, WEIR_IO, "cannot read: %s", strerror(errno));
            else
                weir_fail(&t->error, WEIR_CONFLICT, "the file changed while it was put");
            return CURL_READFUNC_ABORT;
        }
        wanted = (size_t)got;
    }
    t->sent += wanted;
    return wanted;
}

static int seek_body(void *arg, curl_off_t offset, int origin) {
    weir__s3_transfer *t = arg;
    if (origin != SEEK_SET) return CURL_SEEKFUNC_CANTSEEK;
    t->sent = (uint64_t)offset;
    return CURL_SEEKFUNC_OK;
}

/* The body of a blob goes to its sink, of anything else, errors too, into `answer`. */
static size_t take_answer(char *data, size_t size, size_t count, void *arg) {
    weir__s3_transfer *t = arg;
    size_t length = size * count;
    long status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    if (t->sink && status == (t->range ? 206 : 200)) {
        t->got += length;
        t->stopped = !t->sink->take(t->sink->arg, data, length, &t->error);
        return t->stopped ? 0 : length;
    }
    if (length > WEIR__S3_ANSWER_MAX - t->answer.length) {
        t->stopped = true;
        weir_fail(&t->error, WEIR_IO, "S3 at %s answers with more than %d bytes", t->s3->host,
                  WEIR__S3_ANSWER_MAX);
        return 0;
    }
    weir_buffer_append(&t->answer, data, length);
    return length;
}

static void keep_text(weir_str value, char *out, size_t size) {
    snprintf(out, size, "%.*s", (int)(value.length < size ? value.length : size - 1), value.data);
}

static size_t take_header(char *data, size_t size, size_t count, void *arg) {
    weir__s3_transfer *t = arg;
    weir_str line = {data, size * count};
    size_t colon = weir_str_find(line, WEIR_STR(":"), 0);
    if (colon == SIZE_MAX) return line.length;
    weir_str name = weir_str_slice(line, 0, colon),
             value = weir_str_trim(weir_str_slice(line, colon + 1, line.length));
    char text[80];
    keep_text(value, text, sizeof text);
    if (name.length == 4 && strncasecmp(name.data, "etag", 4) == 0)
        keep_text(value, t->etag, sizeof t->etag);
    else if (name.length == 19 && strncasecmp(name.data, "x-amz-bucket-region", 19) == 0)
        keep_text(value, t->region, sizeof t->region);
    else if (name.length == 4 && strncasecmp(name.data, "date", 4) == 0)
        t->date_us = (uint64_t)curl_getdate(text, NULL) * 1000000;
    else if (name.length == 13 && strncasecmp(name.data, "last-modified", 13) == 0)
        t->modified_us = (uint64_t)curl_getdate(text, NULL) * 1000000;
    else if (name.length == 14 && strncasecmp(name.data, "content-length", 14) == 0)
        t->size = strtoull(text, NULL, 10);
    return line.length;
}

/* --- an attempt ----------------------------------------------------------------------------- */

static void set_what(weir__s3_transfer *t) {
    CURL *easy = t->easy;
    bool get = strcmp(t->method, "GET") == 0, head = strcmp(t->method, "HEAD") == 0;
    bool send = strcmp(t->method, "PUT") == 0 || strcmp(t->method, "POST") == 0;
    curl_easy_setopt(easy, CURLOPT_NOBODY, head ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_UPLOAD, send ? 1L : 0L);
    if (get) curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, get || head ? NULL : t->method);
    curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)t->body_size);
    char range[64];
    uint64_t from = t->range_from + t->got;
    t->range = t->sink && (from || t->range_length != UINT64_MAX);
    if (t->range && t->range_length == UINT64_MAX)
        snprintf(range, sizeof range, "%llu-", (unsigned long long)from);
    else
        snprintf(range, sizeof range, "%llu-%llu", (unsigned long long)from,
                 (unsigned long long)(t->range_from + t->range_length - 1));
    curl_easy_setopt(easy, CURLOPT_RANGE, t->range ? range : NULL);
}

static void set_how(weir__s3_transfer *t) {
    CURL *easy = t->easy;
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, 10L);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L); /* bytes a second, */
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, 60L); /* for so many seconds */
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 256 * 1024L);
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 1024 * 1024L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "weir/" WEIR_VERSION);
    if (t->s3->ca_file) curl_easy_setopt(easy, CURLOPT_CAINFO, t->s3->ca_file);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->problem);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, t);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, give_body);
    curl_easy_setopt(easy, CURLOPT_READDATA, t);
    curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, seek_body);
    curl_easy_setopt(easy, CURLOPT_SEEKDATA, t);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_answer);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
}

static void begin_attempt(weir__s3_transfer *t, CURLM *multi) {
    weir_buffer url = {0};
    if (!t->easy) {
        t->easy = curl_easy_init();
        weir_assert(t->easy);
        set_how(t);
    }
    curl_slist_free_all(t->lines);
    t->lines = weir__s3_sign(t, curl_slist_append(NULL, "Expect:"));
    weir__s3_url(t, &url);
    curl_easy_setopt(t->easy, CURLOPT_URL, url.data);
    curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->lines);
    weir_buffer_deinit(&url);
    set_what(t);
    t->sent = 0;
    t->status = 0;
    t->size = t->modified_us = t->date_us = 0;
    t->got_before = t->got;
    t->etag[0] = t->region[0] = t->problem[0] = '\0';
    t->attempts++;
    t->state = WEIR__S3_RUNNING;
    weir_buffer_clear(&t->answer);
    weir_assert(curl_multi_add_handle(multi, t->easy) == CURLM_OK);
}

/* Doubles with each attempt; up to half is cut by chance, so that those that failed together do not come together. */
static uint64_t backoff_us(unsigned attempts) {
    uint32_t chance = 0;
    uint64_t delay_us = BACKOFF_US;
    for (unsigned i = 1; i < attempts && delay_us < BACKOFF_US_MAX; i++) delay_us *= 2;
    if (delay_us > BACKOFF_US_MAX) delay_us = BACKOFF_US_MAX;
    (void)!getrandom(&chance, sizeof chance, 0);
    return delay_us - delay_us / 2 * (chance % 1024) / 1024;
}

/* --- several --------------------------------------------------------------------------------- */

typedef struct crowd {
    weir__s3 *s3;
    CURLM *multi;
    weir__s3_transfer *slots;
    size_t count, busy;
    const weir__s3_source *source;
    bool accept;
} crowd;

static bool end_attempt(crowd *c, weir__s3_transfer *t, CURLcode result, weir_error *error) {
    curl_multi_remove_handle(c->multi, t->easy);
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &t->status);
    weir__s3_verdict verdict = weir__s3_judge(t, result, c->accept, error);
    if (t->got > t->got_before) t->attempts = 1; /* it gets on */
    if (verdict == WEIR__S3_BAD ||
        (verdict == WEIR__S3_AGAIN && t->attempts >= c->s3->attempts_max)) {
        t->state = WEIR__S3_IDLE;
        return false;
    }
    if (verdict == WEIR__S3_AGAIN) {
        t->state = WEIR__S3_SLEEPING;
        t->wake_us = weir__s3_now_us(true) + backoff_us(t->attempts);
        return true;
    }
    t->state = WEIR__S3_IDLE;
    c->busy--;
    if (t->status < 300) atomic_store(&c->s3->answered, true);
    if (c->source) c->source->done(c->source->arg, t);
    return true;
}

static bool take_ended(crowd *c, weir_error *error) {
    int left;
    const CURLMsg *message;
    while ((message = curl_multi_info_read(c->multi, &left))) {
        if (message->msg != CURLMSG_DONE) continue;
        char *owner = NULL;
        CURLcode result = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &owner);
        if (!end_attempt(c, (weir__s3_transfer *)(void *)owner, result, error)) return false;
    }
    return true;
}

/* Begins what may begin; how long the next waits, in milliseconds. */
static int begin_some(crowd *c) {
    uint64_t now_us = weir__s3_now_us(true);
    int wait_ms = 1000;
    for (size_t i = 0; i < c->count; i++) {
        weir__s3_transfer *t = &c->slots[i];
        if (t->state == WEIR__S3_IDLE && c->source && c->source->next(c->source->arg, t)) {
            t->attempts = 0;
            c->busy++;
            begin_attempt(t, c->multi);
        } else if (t->state == WEIR__S3_SLEEPING && t->wake_us <= now_us) {
            begin_attempt(t, c->multi);
        } else if (t->state == WEIR__S3_SLEEPING && (t->wake_us - now_us) / 1000 < 1000) {
            int ms = (int)((t->wake_us - now_us) / 1000) + 1;
            if (ms < wait_ms) wait_ms = ms;
        }
    }
    return wait_ms;
}

static CURLM *take_multi(weir__s3 *s3) {
    pthread_mutex_lock(&s3->lock);
    CURLM *multi = s3->spare_count ? s3->spares[--s3->spare_count] : curl_multi_init();
    pthread_mutex_unlock(&s3->lock);
    weir_assert(multi);
    return multi;
}

static void give_multi(weir__s3 *s3, CURLM *multi) {
    pthread_mutex_lock(&s3->lock);
    bool kept = s3->spare_count < WEIR__S3_SPARES_MAX;
    if (kept) s3->spares[s3->spare_count++] = multi;
    pthread_mutex_unlock(&s3->lock);
    if (!kept) curl_multi_cleanup(multi);
}

static bool drive(crowd *c, weir_error *error) {
    int running;
    for (;;) {
        int wait_ms = begin_some(c);
        if (!c->busy) return true;
        curl_multi_poll(c->multi, NULL, 0, wait_ms, NULL);
        if (curl_multi_perform(c->multi, &running) != CURLM_OK)
            return weir_fail(error, WEIR_INTERNAL, "curl refuses to work");
        if (!take_ended(c, error)) return false;
    }
}

bool weir__s3_run(weir__s3 *s3, weir__s3_transfer *slots, size_t count,
                  const weir__s3_source *source, bool accept, weir_error *error) {
    crowd c = {s3, take_multi(s3), slots, count, 0, source, accept};
    if (!source) {
        c.busy = 1;
        slots->attempts = 0;
        begin_attempt(slots, c.multi);
    }
    bool ok = drive(&c, error);
    for (size_t i = 0; i < count; i++)
        if (slots[i].state == WEIR__S3_RUNNING) curl_multi_remove_handle(c.multi, slots[i].easy);
    give_multi(s3, c.multi);
    weir__sha256_thread_end(); /* of TLS too */
    return ok;
}

bool weir__s3_send(weir__s3_transfer *t, bool accept, weir_error *error) {
    return weir__s3_run(t->s3, t, 1, NULL, accept, error);
}
