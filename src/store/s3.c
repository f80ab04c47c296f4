/* The module "s3": blobs as objects of a bucket. The gate is made of objects too: who removes blobs puts one into gates/
 * first, and who puts blobs looks there after writing its reference. Whatever comes first, one sees the other. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "store/s3.h"

static const uint64_t SECOND_US = 1000 * 1000;

enum {
    GATE_RENEW_S = 60,  /* who is in it says so that often, */
    GATE_TRUST_S = 300, /* believes for so long to be in it, */
    GATE_STALE_S = 600, /* and is dead when nothing was heard for so long */
    GATE_WAIT_S = 900   /* how long others wait */
};

/* --- open and close ------------------------------------------------------------------------- */

static void s3_close(weir_blobs *blobs) {
    weir__s3 *s3 = (weir__s3 *)blobs;
    while (s3->spare_count) curl_multi_cleanup(s3->spares[--s3->spare_count]);
    pthread_mutex_destroy(&s3->lock);
    weir_arena_deinit(&s3->arena);
    weir_free(s3);
}

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void begin_curl(void) {
    weir_assert(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
}

WEIR_API extern const weir__blob_kind weir_blob_kind_s3;

static bool s3_open(const char *where, bool make, weir_blobs **out, weir_error *error) {
    (void)make;
    pthread_once(&curl_once, begin_curl);
    weir__s3 *s3 = weir_alloc(sizeof *s3);
    s3->base.kind = &weir_blob_kind_s3;
    pthread_mutex_init(&s3->lock, NULL);
    bool ok = weir__s3_open(where, s3, error);
    if (ok)
        *out = &s3->base;
    else
        s3_close(&s3->base);
    return ok;
}

/* --- single objects ------------------------------------------------------------------------- */

/* A request without a body in it or in its answer. */
static bool ask(weir__s3 *s3, const char *method, const char *name, bool accept,
                weir__s3_transfer *t, weir_error *error) {
    weir__s3_transfer_init(t, s3, method, name);
    bool ok = weir__s3_send(t, accept, error);
    weir__s3_transfer_deinit(t);
    return ok;
}

static bool s3_mark(weir_blobs *blobs, const char *name, weir_error *error) {
    weir__s3_transfer t;
    return ask((weir__s3 *)blobs, "PUT", name, false, &t, error);
}

static bool s3_remove(weir_blobs *blobs, const char *name, weir_error *error) {
    weir__s3_transfer t;
    return ask((weir__s3 *)blobs, "DELETE", name, true, &t, error);
}

/* An answer to HEAD does not say what is wrong. One to a list does: whether there is a bucket, and whose. */
static bool explain(weir__s3 *s3, weir_error *error) {
    weir__s3_transfer t;
    weir__s3_transfer_init(&t, s3, "GET", "");
    weir__s3_query(&t, "list-type", WEIR_STR("2"));
    weir__s3_query(&t, "max-keys", WEIR_STR("1"));
    bool ok = weir__s3_send(&t, false, error);
    weir__s3_transfer_deinit(&t);
    return ok;
}

static bool s3_look(weir_blobs *blobs, const char *name, weir__object *out, bool *found,
                    weir_error *error) {
    weir__s3 *s3 = (weir__s3 *)blobs;
    weir__s3_transfer t;
    if (!ask(s3, "HEAD", name, true, &t, error)) {
        weir_error better;
        if (t.status >= 300 && t.status < 500 && !explain(s3, &better) && error) *error = better;
        return false;
    }
    if (t.status == 404 && !atomic_load(&s3->answered) && !explain(s3, error)) return false;
    *found = t.status != 404;
    if (!*found) return true;
    *out = (weir__object){.size = t.size, .modified_us = t.modified_us};
    snprintf(out->name, sizeof out->name, "%s", name);
    return true;
}

static bool s3_read(weir_blobs *blobs, const char *name, uint64_t from, uint64_t length,
                    const weir__sink *sink, weir_error *error) {
    weir__s3 *s3 = (weir__s3 *)blobs;
    weir__s3_transfer t;
    weir__s3_transfer_init(&t, s3, "GET", name);
    t.sink = sink;
    t.range_from = from;
    t.range_length = length;
    bool ok = weir__s3_send(&t, true, error);
    if (ok && t.status == 404) {
        /* Or there is no bucket, or nobody of that name. */
        bool key =
            weir_str_find(weir_buffer_str(&t.answer), WEIR_STR("<Code>NoSuchKey<"), 0) != SIZE_MAX;
        ok = (key || explain(s3, error)) && weir_fail(error, WEIR_NOT_FOUND, "no such blob");
    } else if (ok && t.status == 416) {
        weir__object object;
        bool found;
        ok = s3_look(blobs, name, &object, &found, error) &&
             (found || weir_fail(error, WEIR_NOT_FOUND, "no such blob")) &&
             (t.range_from + t.got == object.size || weir__range_beyond(from, object.size, error));
    }
    weir__s3_transfer_deinit(&t);
    return ok;
}

/* --- lists ---------------------------------------------------------------------------------- */

typedef struct listing {
    weir__object_visit *visit;
    void *arg;
    size_t ours;
    char last[2 * WEIR__OBJECT_NAME_MAX]; /* the last key, ours or not */
    bool more;
    uint64_t date_us;
} listing;

static void list_section(const weir__s3 *s3, weir_str section, listing *l) {
    weir_buffer key = {0}, text = {0};
    size_t a = 0, b = 0, c = 0, prefix = strlen(s3->prefix);
    if (weir__s3_element(section, "Key", &a, &key) && key.length > prefix &&
        memcmp(key.data, s3->prefix, prefix) == 0) {
        weir__object object = {0};
        const char *name = key.data + prefix;
        snprintf(l->last, sizeof l->last, "%s", name);
        snprintf(object.name, sizeof object.name, "%s", name);
        if (weir__s3_element(section, "Size", &b, &text))
            object.size = strtoull(text.data, NULL, 10);
        if (weir__s3_element(section, "LastModified", &c, &text))
            object.modified_us = weir__s3_time(text.data);
        bool gate = strncmp(name, "gates/", 6) == 0;
        if (strlen(name) < sizeof object.name &&
            (gate || weir__object_is_ours(weir_str_from(name)))) {
            l->ours++;
            l->visit(l->arg, &object);
        }
    }
    weir_buffer_deinit(&key);
    weir_buffer_deinit(&text);
}

static bool list_page(weir__s3 *s3, const char *prefix, const char *after, listing *l,
                      weir_error *error) {
    weir__s3_transfer t;
    weir_buffer text = {0};
    weir__s3_transfer_init(&t, s3, "GET", "");
    weir__s3_query(&t, "list-type", WEIR_STR("2"));
    weir_buffer_printf(&text, "%s%s", s3->prefix, prefix);
    weir__s3_query(&t, "prefix", weir_buffer_str(&text));
    if (*after) {
        weir_buffer_clear(&text);
        weir_buffer_printf(&text, "%s%s", s3->prefix, after);
        weir__s3_query(&t, "start-after", weir_buffer_str(&text));
    }
    bool ok = weir__s3_send(&t, false, error);
    weir_str xml = weir_buffer_str(&t.answer), section;
    size_t at = 0;
    l->last[0] = '\0';
    l->more = ok && weir__s3_element(xml, "IsTruncated", &at, &text) &&
              weir_str_is(weir_buffer_str(&text), "true");
    for (at = 0; ok && weir__s3_section(xml, "Contents", &at, &section);)
        list_section(s3, section, l);
    l->date_us = t.date_us;
    weir__s3_transfer_deinit(&t);
    weir_buffer_deinit(&text);
    return ok;
}

static bool s3_list(weir_blobs *blobs, const char *prefix, const char *after,
                    weir__object_visit *visit, void *arg, weir_error *error) {
    listing l = {.visit = visit, .arg = arg};
    char from[sizeof l.last];
    snprintf(from, sizeof from, "%s", after);
    do {
        if (!list_page((weir__s3 *)blobs, prefix, from, &l, error)) return false;
        if (l.more && !*l.last)
            return weir_fail(error, WEIR_IO, "S3 at %.120s cuts a list with nothing in it",
                             ((weir__s3 *)blobs)->host);
        snprintf(from, sizeof from, "%s", l.last);
    } while (!l.ours && l.more); /* what is not ours may fill pages */
    return true;
}

/* --- the gate ------------------------------------------------------------------------------- */

static void note_youngest(void *arg, const weir__object *object) {
    uint64_t *youngest_us = arg;
    if (object->modified_us > *youngest_us) *youngest_us = object->modified_us;
}

static void sleep_us(uint64_t us) {
    nanosleep(&(struct timespec){(time_t)(us / SECOND_US), (long)(us % SECOND_US) * 1000}, NULL);
}

/* Waits until nobody living is alone in the gate. */
static bool wait_outside(weir__s3 *s3, weir_error *error) {
    uint64_t until_us = weir__s3_now_us(true) + GATE_WAIT_S * SECOND_US, delay_us = SECOND_US / 20;
    for (;;) {
        uint64_t youngest_us = 0;
        listing l = {.visit = note_youngest, .arg = &youngest_us};
        if (!list_page(s3, "gates/", "", &l, error)) return false;
        if (!youngest_us || youngest_us + GATE_STALE_S * SECOND_US < l.date_us) return true;
        if (weir__s3_now_us(true) > until_us)
            return weir_fail(error, WEIR_CONFLICT,
                             "another process removes blobs of `%.80s` at %.120s, for %d minutes",
                             s3->bucket, s3->host, GATE_WAIT_S / 60);
        sleep_us(delay_us);
        if (delay_us < SECOND_US) delay_us *= 2;
    }
}

static bool s3_enter(weir_blobs *blobs, bool alone, weir__gate *gate, weir_error *error) {
    uint64_t number = 0;
    *gate = (weir__gate){.alone = alone, .renewed_us = weir__s3_now_us(true)};
    if (!alone) return wait_outside((weir__s3 *)blobs, error);
    weir_assert(getrandom(&number, sizeof number, 0) == sizeof number);
    snprintf(gate->name, sizeof gate->name, "gates/%016" PRIx64, number);
    return s3_mark(blobs, gate->name, error);
}

/* Between two removals it may have been stopped, and others have taken it for dead. */
static bool s3_renew(weir_blobs *blobs, weir__gate *gate, weir_error *error) {
    uint64_t now_us = weir__s3_now_us(true), for_us = now_us - gate->renewed_us;
    if (for_us > GATE_TRUST_S * SECOND_US)
        return weir_fail(error, WEIR_CONFLICT,
                         "removing blobs stood still for too long; nothing is lost, do it again");
    if (for_us < GATE_RENEW_S * SECOND_US) return true;
    if (!s3_mark(blobs, gate->name, error)) return false;
    gate->renewed_us = now_us;
    return true;
}

/* One that stays is taken for dead in time. */
static void s3_leave(weir_blobs *blobs, weir__gate *gate) {
    if (gate->alone) (void)!s3_remove(blobs, gate->name, NULL);
}

/* --- the kind ------------------------------------------------------------------------------- */

const weir__blob_kind weir_blob_kind_s3 = {
    .version = WEIR_VERSION,
    .open = s3_open,
    .close = s3_close,
    .receive = weir__s3_receive,
    .keep = weir__s3_keep,
    .drop = weir__s3_drop,
    .mark = s3_mark,
    .look = s3_look,
    .read = s3_read,
    .remove = s3_remove,
    .list = s3_list,
    .enter = s3_enter,
    .renew = s3_renew,
    .leave = s3_leave,
    .sweep = weir__s3_sweep,
};
