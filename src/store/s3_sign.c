#include <stdio.h>
#include <time.h>

#include "store/s3.h"

void weir__s3_encode(weir_str text, bool slash_kept, weir_buffer *out) {
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '.' || c == '_' || c == '~' || (slash_kept && c == '/');
        if (plain)
            weir_buffer_byte(out, c);
        else
            weir_buffer_printf(out, "%%%02X", (unsigned char)c);
    }
}

/* The path, encoded once: S3 does not normalize it. */
static void put_path(const weir__s3_transfer *t, weir_buffer *out) {
    weir_buffer_text(out, t->s3->folder);
    if (!*t->key) return;
    weir__s3_encode(weir_str_from(t->s3->prefix), true, out);
    weir__s3_encode(weir_str_from(t->key), true, out);
}

void weir__s3_url(const weir__s3_transfer *t, weir_buffer *out) {
    weir_buffer_text(out, t->s3->origin);
    put_path(t, out);
    if (t->query.length) weir_buffer_printf(out, "?%s", t->query.data);
}

static void hash_text(weir_str text, char out[static WEIR__SHA256_LETTERS + 1]) {
    unsigned char digest[WEIR__SHA256_BYTES];
    weir__sha256 *hash = weir__sha256_by.begin();
    weir__sha256_by.add(hash, text.data, text.length);
    weir__sha256_by.take(hash, digest);
    weir__sha256_by.end(hash);
    weir__sha256_format(digest, out);
}

/* What is signed of the request, its parts a line each. */
static void put_request(const weir__s3_transfer *t, const char *time, const char *body,
                        weir_buffer *out) {
    weir_buffer_printf(out, "%s\n", t->method);
    put_path(t, out);
    weir_buffer_printf(out, "\n%s\nhost:%s\nx-amz-content-sha256:%s\nx-amz-date:%s\n",
                       t->query.length ? t->query.data : "", t->s3->host, body, time);
    if (t->s3->token) weir_buffer_printf(out, "x-amz-security-token:%s\n", t->s3->token);
    weir_buffer_printf(out, "\nhost;x-amz-content-sha256;x-amz-date%s\n%s",
                       t->s3->token ? ";x-amz-security-token" : "", body);
}

static void sign_text(const weir__s3 *s3, const char *day, weir_str text,
                      char out[static WEIR__SHA256_LETTERS + 1]) {
    unsigned char key[WEIR__SHA256_BYTES];
    weir_buffer first = {0};
    weir_buffer_printf(&first, "AWS4%s", s3->secret);
    const char *const steps[] = {day, s3->region, "s3", "aws4_request"};
    weir__sha256_hmac(first.data, first.length, weir_str_from(steps[0]), key);
    for (size_t i = 1; i < sizeof steps / sizeof *steps; i++)
        weir__sha256_hmac(key, sizeof key, weir_str_from(steps[i]), key);
    weir__sha256_hmac(key, sizeof key, text, key);
    weir__sha256_format(key, out);
    weir_buffer_deinit(&first);
}

static struct curl_slist *add_line(struct curl_slist *lines, const weir_buffer *line) {
    struct curl_slist *longer = curl_slist_append(lines, line->data);
    weir_assert(longer);
    return longer;
}

struct curl_slist *weir__s3_sign(const weir__s3_transfer *t, struct curl_slist *lines) {
    char moment[32], day[16], body[WEIR__SHA256_LETTERS + 1], hash[WEIR__SHA256_LETTERS + 1],
        signature[WEIR__SHA256_LETTERS + 1];
    time_t now = (time_t)(weir__s3_now_us(false) / 1000000);
    struct tm parts;
    gmtime_r(&now, &parts);
    strftime(moment, sizeof moment, "%Y%m%dT%H%M%SZ", &parts);
    strftime(day, sizeof day, "%Y%m%d", &parts);
    weir__sha256_format(t->body_hash, body);
    weir_buffer text = {0}, line = {0};
    put_request(t, moment, body, &text);
    hash_text(weir_buffer_str(&text), hash);
    weir_buffer_clear(&text);
    weir_buffer_printf(&text, "AWS4-HMAC-SHA256\n%s\n%s/%s/s3/aws4_request\n%s", moment, day,
                       t->s3->region, hash);
    sign_text(t->s3, day, weir_buffer_str(&text), signature);
    weir_buffer_printf(&line, "x-amz-date: %s", moment);
    lines = add_line(lines, &line);
    weir_buffer_clear(&line);
    weir_buffer_printf(&line, "x-amz-content-sha256: %s", body);
    lines = add_line(lines, &line);
    if (t->s3->token) {
        weir_buffer_clear(&line);
        weir_buffer_printf(&line, "x-amz-security-token: %s", t->s3->token);
        lines = add_line(lines, &line);
    }
    weir_buffer_clear(&line);
    weir_buffer_printf(&line,
                       "Authorization: AWS4-HMAC-SHA256 Credential=%s/%s/%s/s3/aws4_request, "
                       "SignedHeaders=host;x-amz-content-sha256;x-amz-date%s, Signature=%s",
                       t->s3->access, day, t->s3->region,
                       t->s3->token ? ";x-amz-security-token" : "", signature);
    lines = add_line(lines, &line);
    weir_buffer_deinit(&text);
    weir_buffer_deinit(&line);
    return lines;
}
