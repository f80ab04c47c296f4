#include "image/registry.h"

#include <errno.h>
#include <stdio.h>
#include <strings.h>
#include <time.h>

#include "data/json.h"
#include "image/manifest.h"
#include "image/registry_internal.h"
#include "image/store_internal.h"

enum {
    PAUSE_MS = 250,          /* before the second try; twice as long before each other */
    PAUSE_S_MAX = 30,        /* whoever wants more is not waited for */
    TRIES_IN_ALL = 100,      /* of a blob of which each time something came */
    PATIENCE_MS = 45 * 1000, /* with a server that takes long to fail; then it is not tried again */
    TAGS_BYTES_MAX = 1024 * 1024
};

/* --- places ----------------------------------------------------------------------------------- */

bool weir__registry_is_loopback(const char *host) {
    size_t name = strcspn(host, ":/");
    bool number = strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == name;
    return number || strncmp(host, "[::1]", 5) == 0 ||
           (name == 9 && strncmp(host, "localhost", 9) == 0);
}

/* By what the registry is called, also where its servers have other names. */
static bool find_certificates(const char *said, weir__certificates *out, weir_error *error) {
    char host[256];
    snprintf(host, sizeof host, "%.*s", (int)strcspn(said, "/"), said);
    return weir__certificates_find(host, out, error);
}

bool weir__registry_open(const char *place, const char *repository, bool insecure,
                         bool (*goes_on)(void *arg), void *arg, weir__registry *out,
                         weir_error *error) {
    weir__registry made = {.insecure = insecure, .goes_on = goes_on, .arg = arg};
    const char *path = strchr(place, '/');
    size_t host = path ? (size_t)(path - place) : strlen(place);
    while (path && *path == '/') path++;
    size_t left = path ? strlen(path) : 0;
    while (left && path[left - 1] == '/') left--;
    if (!host || host >= sizeof made.host || strlen(place) >= sizeof made.said ||
        left + strlen(repository) + 2 > sizeof made.repository || strpbrk(place, " \t\r\n@?#"))
        return weir_fail(error, WEIR_INVALID, "'%.100s' is no place of a registry", place);
    snprintf(made.said, sizeof made.said, "%s", place);
    snprintf(made.host, sizeof made.host, "%.*s", (int)host, place);
    snprintf(made.repository, sizeof made.repository, "%.*s%s%s", (int)left, left ? path : "",
             left ? "/" : "", repository);
    made.loopback = weir__registry_is_loopback(made.host);
    if (strcmp(made.host, "docker.io") == 0 || strcmp(made.host, "index.docker.io") == 0)
        snprintf(made.host, sizeof made.host, "registry-1.docker.io");
    if (!weir__fetch_open(&made.library, error) ||
        !find_certificates(made.said, &made.certificates, error))
        return false;
    made.client = made.library->open();
    *out = made;
    return true;
}

static void forget_authorization(weir__registry *registry) {
    if (registry->authorization)
        explicit_bzero(registry->authorization, strlen(registry->authorization));
    weir_free(registry->authorization);
    registry->authorization = NULL;
}

void weir__registry_close(weir__registry *registry) {
    if (registry->library) registry->library->close(registry->client);
    weir__certificates_deinit(&registry->certificates);
    weir__credentials_deinit(&registry->credentials);
    forget_authorization(registry);
    *registry = (weir__registry){0};
}

void weir__reply_deinit(weir__reply *reply) {
    weir_buffer_deinit(&reply->body);
    *reply = (weir__reply){0};
}

bool weir__registry_goes_on(const weir__registry *registry) {
    return !registry->goes_on || registry->goes_on(registry->arg);
}

int64_t weir__registry_now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- one request ------------------------------------------------------------------------------ */

static bool goes_on(void *arg) {
    return weir__registry_goes_on(((weir__asking *)arg)->registry);
}

static bool is_named(weir_str name, const char *wanted) {
    return name.length == strlen(wanted) && strncasecmp(name.data, wanted, name.length) == 0;
}

static void copy_short(char *out, size_t size, weir_str value) {
    snprintf(out, size, "%.*s", WEIR_ARG(value));
}

static void take_header(void *arg, weir_str name, weir_str value) {
    weir__asking *a = arg;
    weir__reply *reply = a->reply;
    if (!name.length) {
        a->challenge = (weir__challenge){0};
        if (reply) *reply->media_type = *reply->digest = '\0';
    } else if (is_named(name, "WWW-Authenticate")) {
        weir__challenge_read(value, &a->challenge);
    } else if (reply && is_named(name, "Content-Type")) {
        copy_short(reply->media_type, sizeof reply->media_type,
                   weir_str_trim(weir_str_slice(value, 0, weir_str_find(value, WEIR_STR(";"), 0))));
    } else if (reply && is_named(name, "Docker-Content-Digest")) {
        copy_short(reply->digest, sizeof reply->digest, value);
    }
}

static bool begin_body(void *arg, uint64_t offset) {
    weir__asking *a = arg;
    (void)offset;
    weir_buffer_clear(&a->reply->body);
    return true;
}

static bool take_body(void *arg, const void *data, size_t length) {
    weir__asking *a = arg;
    a->too_large = length > a->bytes_max - a->reply->body.length;
    if (!a->too_large) weir_buffer_append(&a->reply->body, data, length);
    return !a->too_large;
}

static bool take_refusal(void *arg, const void *data, size_t length) {
    weir_buffer *refusal = &((weir__asking *)arg)->refusal;
    size_t room = WEIR__REFUSAL_BYTES_MAX - refusal->length;
    weir_buffer_append(refusal, data, length < room ? length : room);
    return length <= room;
}

void weir__asking_init(weir__asking *asking, const weir__registry *registry, weir__reply *reply,
                       size_t bytes_max) {
    *asking = (weir__asking){
        .registry = registry, .reply = reply, .bytes_max = bytes_max, .wanted = "image"};
    asking->request = (weir__fetch_request){
        .sink = {reply ? take_body : NULL, asking},
        .begin = reply ? begin_body : NULL,
        .goes_on = goes_on,
        .header = take_header,
        .refusal = {take_refusal, asking},
        .arg = asking,
        .certificate = weir_buffer_str(&registry->certificates.certificate),
        .key = weir_buffer_str(&registry->certificates.key),
        .authorities = weir_buffer_str(&registry->certificates.authorities),
        .unverified = registry->insecure,
        .stay_secure = !registry->insecure,
        .direct = registry->loopback,
        .connect_s = registry->loopback ? WEIR__REGISTRY_LOOPBACK_S : WEIR__REGISTRY_CONNECT_S,
        .stalled_s = WEIR__REGISTRY_STALLED_S,
    };
}

void weir__asking_deinit(weir__asking *asking) {
    weir_buffer_deinit(&asking->refusal);
}

bool weir__asking_pause(const weir__asking *asking, int attempt) {
    int64_t wait_ms = (int64_t)PAUSE_MS << (attempt < 6 ? attempt : 6);
    if (asking->answer.retry_after_s > PAUSE_S_MAX) return false;
    if (asking->answer.retry_after_s) wait_ms = (int64_t)asking->answer.retry_after_s * 1000;
    int64_t until_ms = weir__registry_now_ms() + wait_ms;
    while (weir__registry_now_ms() < until_ms) {
        if (!weir__registry_goes_on(asking->registry)) return false;
        nanosleep(&(struct timespec){.tv_nsec = 20 * 1000 * 1000}, NULL);
    }
    return true;
}

/* A network that is not there is none a second later: who asks is told at once. */
static bool may_go_well_later(const weir__fetch_answer *answer) {
    if (answer->trouble == WEIR__FETCH_BROKEN) return !answer->stopped;
    return answer->transient && answer->trouble == WEIR__FETCH_NONE;
}

bool weir__asking_try(weir__asking *a, weir__fetch_client *client) {
    int64_t begun_ms = weir__registry_now_ms();
    for (int attempt = 0;; attempt++) {
        a->challenge = (weir__challenge){0};
        a->too_large = false;
        weir_buffer_clear(&a->refusal);
        if (a->registry->library->ask(client, &a->request, &a->answer)) return true;
        if (!may_go_well_later(&a->answer) || attempt + 1 == WEIR__REGISTRY_TRIES_MAX ||
            weir__registry_now_ms() - begun_ms > PATIENCE_MS || !weir__asking_pause(a, attempt))
            return false;
    }
}

/* --- what went wrong -------------------------------------------------------------------------- */

static void append_plain(weir_str text, size_t most, weir_buffer *out) {
    for (size_t i = 0; i < text.length && i < most; i++) {
        char c = text.data[i];
        weir_buffer_byte(out, c >= ' ' && c < 127 ? c : '?');
    }
}

void weir__registry_saying(weir_str body, char out[static 160]) {
    weir_value *value = NULL;
    weir_buffer text = {0};
    weir_error error;
    *out = '\0';
    if (!weir_json_parse(body, WEIR_STR("the answer"), &value, &error)) return;
    const weir_value *errors = weir_member_named(value, "errors");
    bool listed = weir_is(errors, WEIR_ARRAY) && weir_value_count(errors);
    const weir_value *first = listed ? weir_array_at(errors, 0) : value;
    weir_str code = weir_member_text(first, "code"), message = weir_member_text(first, "message");
    if (!message.length)
        message = weir_member_text(first, "details"); /* as Docker's tokens say it */
    append_plain(code, 40, &text);
    if (code.length && message.length) weir_buffer_text(&text, ": ");
    append_plain(message, 110, &text);
    snprintf(out, 160, "%s", text.data ? text.data : "");
    weir_buffer_deinit(&text);
    weir_value_unref(value);
}

static bool fail_unreached(const weir__asking *a, weir_error *error) {
    const weir__registry *r = a->registry;
    const weir__fetch_answer *answer = &a->answer;
    switch (answer->trouble) {
    case WEIR__FETCH_NO_NAME:
        weir_fail(error, WEIR_IO, "its name has no address");
        weir_error_hint(error, "is there a network? an image that is here already needs none");
        break;
    case WEIR__FETCH_NO_HOST:
        if (answer->reason && answer->reason != EINPROGRESS)
            weir_fail(error, WEIR_IO, "no connection: %s", strerror(answer->reason));
        else
            weir_fail(error, WEIR_IO, "no connection: %.120s", answer->problem);
        break;
    case WEIR__FETCH_NO_TLS:
        weir_fail(error, WEIR_IO, "it does not speak https (%.120s)", answer->problem);
        weir_error_hint(error, "registries of weir.yaml with `insecure: true` for %s allows http",
                        r->said);
        break;
    case WEIR__FETCH_CERTIFICATE:
        weir_fail(error, WEIR_IO, "nobody vouches for its certificate (%.120s)", answer->problem);
        weir_error_hint(
            error,
            "its authority's certificate may be put in /etc/containers/certs.d/%.*s/ca.crt; "
            "registries of weir.yaml with `insecure: true` for %s takes it as it is",
            (int)strcspn(r->said, "/"), r->said, r->said);
        break;
    case WEIR__FETCH_BROKEN:
        weir_fail(error, WEIR_IO, "the connection broke: %.160s", answer->problem);
        break;
    default: weir_fail(error, WEIR_IO, "it does not answer as it should: %.160s", answer->problem);
    }
    return false;
}

static bool fail_refused(const weir__asking *a, const char *saying, weir_error *error) {
    const weir__registry *r = a->registry;
    const weir__credentials *c = &r->credentials;
    bool known = c->identity || c->user;
    weir_fail(error, WEIR_INVALID, "it refuses (status %ld%s%s)", a->answer.status,
              *saying ? ", " : "", saying);
    if (*c->note)
        weir_error_hint(error, "%s", c->note);
    else if (known)
        weir_error_hint(error,
                        "the credentials of %.120s are not enough, or there is no such image",
                        c->searched);
    else
        weir_error_hint(error,
                        "there is no such image, or it wants to know who asks: `docker login %s` "
                        "writes ~/.docker/config.json",
                        r->said);
    return false;
}

bool weir__asking_failed(const weir__asking *a, weir_error *error) {
    char saying[160] = "";
    long status = a->answer.status;
    if (!weir__registry_goes_on(a->registry))
        return weir_fail(error, WEIR_CANCELLED, "it was told to end");
    if (a->too_large)
        return weir_fail(error, WEIR_LIMIT, "it answers with more than %zu bytes", a->bytes_max);
    if (*a->answer.problem) return fail_unreached(a, error);
    weir__registry_saying(weir_buffer_str(&a->refusal), saying);
    weir__credentials_mask(&a->registry->credentials, saying);
    if (status == 401 || status == 403) return fail_refused(a, saying, error);
    if (status == 404)
        return weir_fail(error, WEIR_NOT_FOUND, "there is no such %s (status 404%s%s)", a->wanted,
                         *saying ? ", " : "", saying);
    weir_fail(error, WEIR_IO, "it answers with status %ld%s%s", status, *saying ? ": " : "",
              saying);
    if (a->answer.retry_after_s)
        weir_error_hint(error, "it wants to be asked again in %llu seconds",
                        (unsigned long long)a->answer.retry_after_s);
    else if (status == 429)
        weir_error_hint(error,
                        "it counts what is asked; who is known (`docker login`) may ask more");
    return false;
}

/* --- asking ----------------------------------------------------------------------------------- */

static void write_url(const weir__registry *r, const char *what, weir_buffer *url) {
    weir_buffer_clear(url);
    weir_buffer_printf(url, "http%s://%s/v2/%s", r->plain ? "" : "s", r->host, what);
}

/* https where it is spoken; http only where that may be. */
static bool try_plain(const weir__registry *r, const weir__fetch_answer *answer) {
    return !r->plain && (r->insecure || r->loopback) &&
           (answer->trouble == WEIR__FETCH_NO_TLS || answer->trouble == WEIR__FETCH_NO_HOST);
}

/* On loopback mostly http is spoken. That is found out without the system's certificates, which take longer to read than all the rest. */
static void probe(weir__registry *r) {
    weir__asking a;
    weir_buffer url = {0};
    r->probed = true;
    weir__asking_init(&a, r, NULL, 0);
    write_url(r, "", &url);
    a.request.url = url.data;
    a.request.head = a.request.unverified = true;
    (void)r->library->ask(r->client, &a.request, &a.answer);
    r->plain = try_plain(r, &a.answer) && a.answer.trouble == WEIR__FETCH_NO_TLS;
    weir__asking_deinit(&a);
    weir_buffer_deinit(&url);
}

static bool try_both(weir__registry *r, weir__asking *a, const char *what, weir_buffer *url) {
    if (r->loopback && !r->insecure && !r->probed) probe(r);
    write_url(r, what, url);
    a->request.url = url->data;
    if (weir__asking_try(a, r->client)) return true;
    if (!try_plain(r, &a->answer)) return false;
    weir__fetch_answer first = a->answer;
    r->plain = true;
    write_url(r, what, url);
    a->request.url = url->data;
    if (weir__asking_try(a, r->client)) return true;
    if (a->answer.trouble == WEIR__FETCH_NO_HOST) a->answer = first;
    if (!a->answer.status) r->plain = false;
    return false;
}

/* Registries that hide what they have say 404 to strangers; those that know us learn who we are by the first of all paths. */
static bool introduce(weir__registry *r, weir__challenge *challenge) {
    weir__asking a;
    weir_buffer url = {0};
    weir__reply reply = {0};
    weir__registry_look_for_credentials(r);
    if (!r->credentials.user && !r->credentials.identity) return false;
    weir__asking_init(&a, r, &reply, WEIR__REFUSAL_BYTES_MAX);
    bool wanted = !try_both(r, &a, "", &url) && a.answer.status == 401;
    *challenge = a.challenge;
    weir__asking_deinit(&a);
    weir__reply_deinit(&reply);
    weir_buffer_deinit(&url);
    return wanted && (challenge->bearer || challenge->basic);
}

/* Whether it makes sense to ask once more, as somebody. */
static bool is_challenged(weir__registry *r, const weir__asking *a, weir__challenge *out) {
    long status = a->answer.status;
    *out = a->challenge;
    if (status == 401) return out->bearer || out->basic;
    return (status == 403 || status == 404) && !r->authorization && introduce(r, out);
}

static bool is_expired(const weir__registry *r) {
    return r->authorization && weir__registry_now_ms() > r->expires_ms;
}

static bool ask(weir__registry *r, const char *what, const char *accept, weir__asking *a,
                weir_error *error) {
    weir_buffer url = {0};
    weir__challenge challenge = r->challenge;
    bool ok = !is_expired(r) || weir__registry_authorize(r, &challenge, error);
    for (int attempt = 0; ok; attempt++) {
        const char *headers[] = {accept, r->authorization, NULL};
        a->request.headers = headers;
        if (try_both(r, a, what, &url)) break;
        ok = attempt == 0 && is_challenged(r, a, &challenge);
        if (!ok)
            weir__asking_failed(a, error);
        else
            ok = weir__registry_authorize(r, &challenge, error);
    }
    a->request.headers = NULL;
    weir_buffer_deinit(&url);
    return ok;
}

static bool get(weir__registry *r, const char *kind, const char *what, const char *accept,
                bool head, size_t bytes_max, weir__reply *out, weir_error *error) {
    weir__asking a;
    weir_buffer path = {0};
    weir__reply reply = {0};
    weir__asking_init(&a, r, &reply, bytes_max);
    a.request.head = head;
    if (strcmp(kind, "blobs") == 0) a.wanted = "configuration";
    weir_buffer_printf(&path, "%s/%s/%s", r->repository, kind, what);
    bool ok = ask(r, path.data, accept, &a, error);
    weir_buffer_deinit(&path);
    weir__asking_deinit(&a);
    if (ok)
        *out = reply;
    else
        weir__reply_deinit(&reply);
    return ok;
}

bool weir__registry_manifest(weir__registry *registry, const char *reference, bool head,
                             weir__reply *out, weir_error *error) {
    return get(registry, "manifests", reference, "Accept: " WEIR__MANIFEST_ACCEPT, head,
               WEIR__IMAGE_MANIFEST_MAX, out, error);
}

bool weir__registry_small(weir__registry *registry, const char *digest, size_t bytes_max,
                          weir__reply *out, weir_error *error) {
    return get(registry, "blobs", digest, "Accept: */*", false, bytes_max, out, error);
}

void weir__registry_hint_tags(weir__registry *registry, const char *tag, weir_error *error) {
    weir__reply reply = {0};
    weir_value *value = NULL;
    weir_error ignored;
    if (!get(registry, "tags", "list?n=1000", "Accept: application/json", false, TAGS_BYTES_MAX,
             &reply, &ignored))
        return;
    if (weir_json_parse(weir_buffer_str(&reply.body), WEIR_STR("tags"), &value, &ignored)) {
        const weir_value *tags = weir_member_named(value, "tags");
        size_t count = weir_is(tags, WEIR_ARRAY) ? weir_value_count(tags) : 0;
        weir_nearest nearest = weir_nearest_to(weir_str_from(tag));
        weir_buffer some = {0};
        for (size_t i = 0; i < count; i++) {
            const weir_value *one = weir_array_at(tags, i);
            if (!weir_is(one, WEIR_STRING)) continue;
            weir_nearest_try(&nearest, weir_string_get(one));
            if (some.length > 160) continue;
            if (some.length) weir_buffer_text(&some, ", ");
            append_plain(weir_string_get(one), 60, &some);
        }
        if (!weir_error_hint_near(error, nearest.best, "") && some.length)
            weir_error_hint(error, "its tags: %s", some.data);
        weir_buffer_deinit(&some);
    }
    weir_value_unref(value);
    weir__reply_deinit(&reply);
}

/* --- blobs ------------------------------------------------------------------------------------ */

typedef struct blob_asking {
    weir__asking asking; /* first: what it does to the request goes for this */
    weir__blob_sink *sink;
    bool restarted; /* as it could not be gone on with */
} blob_asking;

static bool begin_blob(void *arg, uint64_t offset) {
    weir__blob_sink *sink = ((blob_asking *)arg)->sink;
    if (offset == sink->offset) return true;
    sink->offset = 0;
    return sink->restart(sink->arg);
}

static bool take_blob(void *arg, const void *data, size_t length) {
    weir__blob_sink *sink = ((blob_asking *)arg)->sink;
    if (!sink->write(sink->arg, data, length)) return false;
    sink->offset += length;
    return true;
}

/* A server that has no more than what is here, or that goes on elsewhere than it was asked to: then from the beginning. */
static bool cannot_go_on(const weir__asking *a, uint64_t came) {
    return a->request.offset && !came &&
           (a->answer.status == 416 || a->answer.trouble == WEIR__FETCH_OTHER);
}

static bool blob_may_go_on(blob_asking *b, uint64_t came, int *fruitless, int attempt) {
    weir__asking *a = &b->asking;
    if (cannot_go_on(a, came)) {
        if (b->restarted) return false;
        b->restarted = true;
        b->sink->offset = 0;
        return b->sink->restart(b->sink->arg);
    }
    *fruitless = came ? 0 : *fruitless + 1;
    return may_go_well_later(&a->answer) && *fruitless < WEIR__REGISTRY_TRIES_MAX &&
           attempt + 1 < TRIES_IN_ALL && weir__asking_pause(a, *fruitless);
}

weir__blob_end weir__registry_blob(const weir__registry *registry, weir__fetch_client *client,
                                   const char *authorization, const char *digest,
                                   weir__blob_sink *sink, weir__challenge *challenge,
                                   weir_error *error) {
    blob_asking b = {.sink = sink};
    weir__asking *a = &b.asking;
    weir_buffer path = {0}, url = {0};
    const char *headers[] = {"Accept: */*", authorization, NULL};
    weir__blob_end end = WEIR__BLOB_FAILED;
    weir__asking_init(a, registry, NULL, 0);
    a->wanted = "layer";
    weir_buffer_printf(&path, "%s/blobs/%s", registry->repository, digest);
    write_url(registry, path.data, &url);
    a->request.url = url.data;
    a->request.headers = headers;
    a->request.begin = begin_blob;
    a->request.sink = (weir__archive_sink){take_blob, &b};
    for (int attempt = 0, fruitless = 0;; attempt++) {
        a->request.offset = sink->offset;
        a->challenge = (weir__challenge){0};
        weir_buffer_clear(&a->refusal);
        if (registry->library->ask(client, &a->request, &a->answer)) {
            end = WEIR__BLOB_WHOLE;
            break;
        }
        uint64_t came = sink->offset > a->request.offset ? sink->offset - a->request.offset : 0;
        if (a->answer.stopped && weir__registry_goes_on(registry)) {
            end = WEIR__BLOB_STOPPED;
            break;
        }
        if (a->answer.status == 401 && !*a->answer.problem) {
            end = WEIR__BLOB_UNAUTHORIZED;
            weir__asking_failed(a, error);
            break;
        }
        if (!blob_may_go_on(&b, came, &fruitless, attempt)) {
            weir__asking_failed(a, error);
            break;
        }
    }
    *challenge = a->challenge;
    weir__asking_deinit(a);
    weir_buffer_deinit(&path);
    weir_buffer_deinit(&url);
    return end;
}

bool weir__registry_renew(weir__registry *registry, const weir__challenge *challenge,
                          weir_error *error) {
    bool says = challenge->bearer || challenge->basic;
    weir__challenge wanted = says ? *challenge : registry->challenge;
    return weir__registry_authorize(registry, &wanted, error);
}
