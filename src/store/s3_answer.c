#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "store/s3.h"

/* --- XML ------------------------------------------------------------------------------------ */

/* What S3 writes is flat and without attributes where it matters: an element is found by its tags. */
bool weir__s3_section(weir_str xml, const char *name, size_t *from, weir_str *out) {
    char begin[64], end[64];
    int length = snprintf(begin, sizeof begin, "<%s>", name);
    snprintf(end, sizeof end, "</%s>", name);
    size_t first = weir_str_find(xml, weir_str_from(begin), *from);
    if (first == SIZE_MAX) return false;
    first += (size_t)length;
    size_t last = weir_str_find(xml, weir_str_from(end), first);
    if (last == SIZE_MAX) return false;
    *out = weir_str_slice(xml, first, last);
    *from = last + (size_t)length + 1;
    return true;
}

bool weir__s3_element(weir_str xml, const char *name, size_t *from, weir_buffer *out) {
    static const struct {
        const char *entity;
        char byte;
    } entities[] = {{"&amp;", '&'},   {"&lt;", '<'},  {"&gt;", '>'},  {"&quot;", '"'},
                    {"&apos;", '\''}, {"&#34;", '"'}, {"&#39;", '\''}};
    weir_str raw;
    if (!weir__s3_section(xml, name, from, &raw)) return false;
    weir_buffer_clear(out);
    weir_buffer_reserve(out, raw.length);
    for (size_t i = 0; i < raw.length; i++) {
        weir_str rest = weir_str_slice(raw, i, raw.length);
        char byte = raw.data[i];
        for (size_t e = 0; byte == '&' && e < sizeof entities / sizeof *entities; e++) {
            if (!weir_str_starts(rest, weir_str_from(entities[e].entity))) continue;
            byte = entities[e].byte;
            i += strlen(entities[e].entity) - 1;
            break;
        }
        weir_buffer_byte(out, byte);
    }
    return true;
}

uint64_t weir__s3_time(const char *text) {
    struct tm parts = {0};
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
    time_t seconds = end ? timegm(&parts) : 0;
    return seconds > 0 ? (uint64_t)seconds * 1000000 : 0;
}

/* --- errors --------------------------------------------------------------------------------- */

typedef struct refusal {
    const weir__s3_transfer *t;
    char code[64], message[160], region[40];
} refusal;

/* What is said of S3 is no longer than a line and commands no terminal. */
static void read_element(weir_str xml, const char *name, char *out, size_t size) {
    weir_buffer text = {0};
    size_t from = 0;
    if (weir__s3_element(xml, name, &from, &text) && text.length) {
        snprintf(out, size, "%s", text.data);
        weir_text_end_whole(out, size);
        for (char *at = out; *at; at++)
            if ((unsigned char)*at < ' ' || *at == 127) *at = ' ';
    }
    weir_buffer_deinit(&text);
}

static bool fail_skew(const refusal *r, weir_error *error) {
    const weir__s3_transfer *t = r->t;
    int64_t off_s = ((int64_t)weir__s3_now_us(false) - (int64_t)t->date_us) / 1000000;
    if (t->date_us)
        weir_fail(error, WEIR_STORE,
                  "this machine's clock is %" PRId64 " s %s that of S3 at %.120s",
                  off_s < 0 ? -off_s : off_s, off_s < 0 ? "behind" : "ahead of", t->s3->host);
    else
        weir_fail(error, WEIR_STORE, "this machine's clock is not that of S3 at %.120s",
                  t->s3->host);
    weir_error_hint(error, "set the clock of this machine");
    return false;
}

static bool fail_region(const refusal *r, weir_error *error) {
    const weir__s3 *s3 = r->t->s3;
    const char *region = *r->region ? r->region : r->t->region;
    weir_fail(error, WEIR_INVALID, "the bucket `%.80s` at %.120s is not in the region `%.40s`%s%s",
              s3->bucket, s3->host, s3->region, *region ? ", but in " : "", region);
    weir_error_hint(error, "add region=%s to its URL", *region ? region : "NAME");
    return false;
}

static bool fail_bucket(const refusal *r, weir_error *error) {
    weir_fail(error, WEIR_NOT_FOUND, "S3 at %.120s has no bucket `%.80s`", r->t->s3->host,
              r->t->s3->bucket);
    weir_error_hint(error, "make the bucket, or look at the URL's endpoint and region");
    return false;
}

static bool fail_key(const refusal *r, weir_error *error) {
    weir_fail(error, WEIR_STORE, "S3 at %.120s does not know the access key", r->t->s3->host);
    weir_error_hint(error, "AWS_ACCESS_KEY_ID, or the profile in ~/.aws/credentials, has it");
    return false;
}

static bool fail_signature(const refusal *r, weir_error *error) {
    weir_fail(error, WEIR_STORE, "S3 at %.120s refuses the signature: the secret key is wrong",
              r->t->s3->host);
    weir_error_hint(error, "AWS_SECRET_ACCESS_KEY, or the profile in ~/.aws/credentials, has it");
    return false;
}

static bool fail_token(const refusal *r, weir_error *error) {
    weir_fail(error, WEIR_STORE, "S3 at %.120s refuses the session token: it is wrong or too old",
              r->t->s3->host);
    weir_error_hint(error, "AWS_SESSION_TOKEN has it; get new temporary credentials");
    return false;
}

static bool fail_rights(const refusal *r, weir_error *error) {
    const weir__s3_transfer *t = r->t;
    const char *what = strcmp(t->method, "GET") == 0 || strcmp(t->method, "HEAD") == 0 ? "read"
                       : strcmp(t->method, "DELETE") == 0                              ? "remove"
                                                                                       : "write";
    weir_fail(error, WEIR_STORE, "these credentials may not %s in the bucket `%.80s` at %.120s",
              what, t->s3->bucket, t->s3->host);
    weir_error_hint(error, "weir needs s3:ListBucket, s3:GetObject, s3:PutObject, s3:DeleteObject, "
                           "s3:ListBucketMultipartUploads and s3:AbortMultipartUpload");
    return false;
}

static bool fail_changed(const refusal *r, weir_error *error) {
    return weir_fail(error, WEIR_CONFLICT,
                     "what arrived at S3 at %.120s is not what was read: the file changed while it "
                     "was put, or the connection is faulty",
                     r->t->s3->host);
}

static const struct known {
    const char *code;
    bool (*fail)(const refusal *r, weir_error *error);
    bool again;
} known[] = {
    {"RequestTimeTooSkewed", fail_skew},
    {"AuthorizationHeaderMalformed", fail_region},
    {"PermanentRedirect", fail_region},
    {"TemporaryRedirect", fail_region},
    {"IllegalLocationConstraintException", fail_region},
    {"InvalidRegionName", fail_region},
    {"NoSuchBucket", fail_bucket},
    {"InvalidAccessKeyId", fail_key},
    {"XAdminUserNotFound", fail_key}, /* as versitygw says it */
    {"SignatureDoesNotMatch", fail_signature},
    {"InvalidToken", fail_token},
    {"ExpiredToken", fail_token},
    {"AccessDenied", fail_rights},
    {"AllAccessDisabled", fail_rights},
    {"XAmzContentSHA256Mismatch", fail_changed, true},
    {"BadDigest", fail_changed, true},
    {"SlowDown", NULL, true},
    {"InternalError", NULL, true},
    {"RequestTimeout", NULL, true},
    {"ServiceUnavailable", NULL, true},
    {"OperationAborted", NULL, true},
};

static bool is_passing(long status) {
    return status == 408 || status == 409 || status == 429 || status == 500 || status == 502 ||
           status == 503 || status == 504;
}

static weir__s3_verdict refuse(weir__s3_transfer *t, weir_error *error) {
    refusal r = {.t = t};
    weir_str xml = weir_buffer_str(&t->answer);
    read_element(xml, "Code", r.code, sizeof r.code);
    read_element(xml, "Message", r.message, sizeof r.message);
    read_element(xml, "Region", r.region, sizeof r.region);
    if (!*r.code && t->status == 301) snprintf(r.code, sizeof r.code, "PermanentRedirect");
    if (!*r.code && t->status == 403) snprintf(r.code, sizeof r.code, "AccessDenied");
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(r.code, known[i].code) != 0) continue;
        if (known[i].fail) {
            known[i].fail(&r, error);
            return known[i].again ? WEIR__S3_AGAIN : WEIR__S3_BAD;
        }
        weir_fail(error, WEIR_IO, "S3 at %.120s is not well: %s", t->s3->host, r.code);
        return WEIR__S3_AGAIN;
    }
    weir_fail(error, WEIR_IO, "S3 at %.120s answers %ld%s%s to %s%s%s", t->s3->host, t->status,
              *r.code ? " " : "", r.code, t->method, *r.message ? ": " : "", r.message);
    if (t->status >= 300 && t->status < 400)
        weir_error_hint(error, "redirects are not followed: name the place itself as endpoint");
    return is_passing(t->status) ? WEIR__S3_AGAIN : WEIR__S3_BAD;
}

static weir__s3_verdict fail_transfer(const weir__s3_transfer *t, CURLcode result,
                                      weir_error *error) {
    const char *why = *t->problem ? t->problem : curl_easy_strerror(result);
    bool certificate = result == CURLE_PEER_FAILED_VERIFICATION ||
                       result == CURLE_SSL_CACERT_BADFILE || result == CURLE_SSL_CONNECT_ERROR;
    weir_fail(error, WEIR_IO, "S3 at %.120s: %.200s", t->s3->host, why);
    if (certificate)
        weir_error_hint(error, "AWS_CA_BUNDLE names a file with the certificates to trust");
    else
        weir_error_hint(error, "is it running, and is the URL's endpoint right?");
    return certificate || result == CURLE_URL_MALFORMAT || result == CURLE_UNSUPPORTED_PROTOCOL
               ? WEIR__S3_BAD
               : WEIR__S3_AGAIN;
}

weir__s3_verdict weir__s3_judge(weir__s3_transfer *t, CURLcode result, bool accept,
                                weir_error *error) {
    weir_str answer = weir_buffer_str(&t->answer);
    if (t->stopped) {
        if (error) *error = t->error;
        return WEIR__S3_BAD;
    }
    /* A server that refuses need not wait for the whole body, which then cannot be sent. */
    if (result != CURLE_OK && (t->status < 400 || result != CURLE_SEND_ERROR))
        return fail_transfer(t, result, error);
    if (accept && (t->status == 404 || t->status == 416)) return WEIR__S3_GOOD;
    if (t->sink && t->range && t->status == 200) {
        weir_fail(error, WEIR_UNSUPPORTED, "S3 at %.120s does not know ranges", t->s3->host);
        return WEIR__S3_BAD;
    }
    /* Who puts parts together answers 200 before it is done, and what it came to in the text. */
    bool late = t->status == 200 && weir_str_find(answer, WEIR_STR("<Error>"), 0) != SIZE_MAX;
    return t->status >= 200 && t->status < 300 && !late ? WEIR__S3_GOOD : refuse(t, error);
}
