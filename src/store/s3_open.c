/* Where the blobs are and who asks for them: the URL, the environment, and the files that other tools of S3 read. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/time.h"
#include "store/s3.h"

enum {
    FILE_BYTES_MAX = 1024 * 1024,
    BUCKET_MAX = 63,
    PREFIX_MAX = 512,
    VALUE_MAX = 4096,
    ATTEMPTS = 7 /* with their waits, about 12 s */
};

/* What the URL says; texts in the arena; NULL: nothing. */
typedef struct place {
    const char *endpoint, *region, *profile, *style, *attempts, *leftover;
} place;

static const char *text_of(const char *name) {
    const char *text = getenv(name);
    return text && *text ? text : NULL;
}

/* --- the URL -------------------------------------------------------------------------------- */

static bool refuse(weir_error *error, const char *what) {
    weir_fail(error, WEIR_INVALID, "the URL of the blobs: %s", what);
    weir_error_hint(error, "write s3://BUCKET/PREFIX?endpoint=URL&region=NAME");
    return false;
}

/* Percent-decoded; NULL when that is wrong or has control characters. */
static const char *decode(weir__s3 *s3, weir_str text) {
    char *out = weir_arena_alloc(&s3->arena, text.length + 1);
    size_t length = 0;
    for (size_t i = 0; i < text.length; i++) {
        char byte = text.data[i];
        if (byte == '%') {
            char digits[3] = {0}, *end;
            if (i + 2 >= text.length) return NULL;
            memcpy(digits, text.data + i + 1, 2);
            byte = (char)strtoul(digits, &end, 16);
            if (end != digits + 2) return NULL;
            i += 2;
        }
        if ((unsigned char)byte < ' ' || byte == 127) return NULL;
        out[length++] = byte;
    }
    return out;
}

static bool read_option(weir__s3 *s3, weir_str option, place *at, weir_error *error) {
    size_t equals = weir_str_find(option, WEIR_STR("="), 0);
    weir_str name = weir_str_slice(option, 0, equals);
    const struct {
        const char *name, **value;
    } options[] = {{"endpoint", &at->endpoint}, {"region", &at->region},
                   {"profile", &at->profile},   {"style", &at->style},
                   {"attempts", &at->attempts}, {"leftover", &at->leftover}};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        if (!weir_str_is(name, options[i].name)) continue;
        *options[i].value = equals == SIZE_MAX
                                ? NULL
                                : decode(s3, weir_str_slice(option, equals + 1, option.length));
        return *options[i].value && **options[i].value ? true
                                                       : refuse(error, "an option has no value");
    }
    return refuse(error, "its options are endpoint, region, profile, style, attempts and leftover");
}

static bool is_bucket(weir_str name) {
    if (name.length < 3 || name.length > BUCKET_MAX || name.data[0] == '.') return false;
    for (size_t i = 0; i < name.length; i++) {
        char c = name.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.'))
            return false;
    }
    return weir_str_find(name, WEIR_STR(".."), 0) == SIZE_MAX;
}

/* No part of it is empty, "." or "..", which servers and proxies on the way would read as paths. */
static bool read_prefix(weir__s3 *s3, weir_str text, weir_error *error) {
    while (weir_str_ends(text, WEIR_STR("/"))) text.length--;
    const char *prefix = decode(s3, text);
    if (!prefix || strlen(prefix) > PREFIX_MAX)
        return refuse(error, "the prefix is no text of at most 512 bytes");
    weir_str all = weir_str_from(prefix);
    for (size_t from = 0, end; from < all.length; from = end + 1) {
        end = weir_str_find(all, WEIR_STR("/"), from);
        if (end == SIZE_MAX) end = all.length;
        weir_str part = weir_str_slice(all, from, end);
        if (!part.length || weir_str_is(part, ".") || weir_str_is(part, ".."))
            return refuse(error, "a part of the prefix is empty, `.` or `..`");
    }
    char *whole = weir_arena_alloc(&s3->arena, all.length + 2);
    snprintf(whole, all.length + 2, "%s%s", prefix, all.length ? "/" : "");
    s3->prefix = whole;
    return true;
}

static bool read_url(weir__s3 *s3, const char *where, place *at, weir_error *error) {
    weir_str url = weir_str_from(where);
    if (url.length > VALUE_MAX) return refuse(error, "it is too long");
    url = weir_str_slice(url, sizeof "s3://" - 1, url.length);
    size_t question = weir_str_find(url, WEIR_STR("?"), 0);
    weir_str path = weir_str_slice(url, 0, question);
    size_t slash = weir_str_find(path, WEIR_STR("/"), 0);
    weir_str bucket = weir_str_slice(path, 0, slash);
    if (!is_bucket(bucket))
        return refuse(error, "a bucket's name is 3 to 63 of a-z, 0-9, `-` and `.`");
    s3->bucket = weir_str_copy(&s3->arena, bucket);
    if (!read_prefix(
            s3, slash == SIZE_MAX ? WEIR_STR("") : weir_str_slice(path, slash + 1, path.length),
            error))
        return false;
    for (size_t from = question, end; from < url.length; from = end) {
        end = weir_str_find(url, WEIR_STR("&"), ++from);
        if (end == SIZE_MAX) end = url.length;
        if (!read_option(s3, weir_str_slice(url, from, end), at, error)) return false;
    }
    return true;
}

/* --- files ---------------------------------------------------------------------------------- */

/* The value of a key in a section of an INI file, as `aws configure` writes it; NULL: there is none. */
static const char *look_up(weir__s3 *s3, weir_str file, const char *section, const char *key) {
    bool inside = false;
    for (size_t from = 0, end; from < file.length; from = end + 1) {
        end = weir_str_find(file, WEIR_STR("\n"), from);
        if (end == SIZE_MAX) end = file.length;
        weir_str line = weir_str_trim(weir_str_slice(file, from, end));
        if (weir_str_starts(line, WEIR_STR("["))) {
            size_t close = weir_str_find(line, WEIR_STR("]"), 0);
            weir_str name = weir_str_trim(weir_str_slice(line, 1, close));
            inside = weir_str_is(name, section);
            continue;
        }
        size_t equals = weir_str_find(line, WEIR_STR("="), 0);
        if (inside && equals != SIZE_MAX &&
            weir_str_is(weir_str_trim(weir_str_slice(line, 0, equals)), key))
            return weir_str_copy(&s3->arena,
                                 weir_str_trim(weir_str_slice(line, equals + 1, line.length)));
    }
    return NULL;
}

/* "" when there is none. */
static void read_file(const char *variable, const char *below_home, weir_buffer *out) {
    const char *named = text_of(variable), *home = text_of("HOME");
    weir_buffer path = {0};
    weir_buffer_printf(&path, "%s%s%s",
                       named  ? ""
                       : home ? home
                              : "",
                       named ? "" : "/", named ? named : below_home);
    int fd = open(path.data, O_RDONLY | O_CLOEXEC);
    weir_buffer_deinit(&path);
    while (fd >= 0 && out->length < FILE_BYTES_MAX) {
        weir_buffer_reserve(out, 4096);
        ssize_t got = read(fd, out->data + out->length, 4096);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        out->length += (size_t)got;
    }
    if (fd >= 0) close(fd);
}

/* --- who ------------------------------------------------------------------------------------ */

/* None would be a line of its own in the request, nor would it be taken. */
static bool is_plain(const char *text) {
    for (; *text; text++)
        if ((unsigned char)*text <= ' ' || (unsigned char)*text > 126) return false;
    return true;
}

static bool read_credentials(weir__s3 *s3, const place *at, weir_error *error) {
    const char *access = text_of("AWS_ACCESS_KEY_ID"), *secret = text_of("AWS_SECRET_ACCESS_KEY"),
               *token = text_of("AWS_SESSION_TOKEN");
    const char *profile = at->profile ? at->profile : text_of("AWS_PROFILE");
    if (!profile) profile = "default";
    if (at->profile || !access || !secret) {
        weir_buffer file = {0};
        read_file("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials", &file);
        access = look_up(s3, weir_buffer_str(&file), profile, "aws_access_key_id");
        secret = look_up(s3, weir_buffer_str(&file), profile, "aws_secret_access_key");
        token = look_up(s3, weir_buffer_str(&file), profile, "aws_session_token");
        weir_buffer_deinit(&file);
    }
    if (!access || !secret) {
        weir_fail(error, WEIR_NOT_FOUND,
                  "there are no credentials for S3: neither in the environment nor in the profile "
                  "`%.80s`",
                  profile);
        weir_error_hint(error, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write them "
                               "into ~/.aws/credentials");
        return false;
    }
    if (!is_plain(access) || !is_plain(secret) || (token && !is_plain(token)))
        return weir_fail(error, WEIR_INVALID,
                         "the credentials for S3 have characters that none has, such as blanks");
    s3->access = weir_str_copy(&s3->arena, weir_str_from(access));
    s3->secret = weir_str_copy(&s3->arena, weir_str_from(secret));
    s3->token = token ? weir_str_copy(&s3->arena, weir_str_from(token)) : NULL;
    return true;
}

static bool read_region(weir__s3 *s3, const place *at, weir_error *error) {
    const char *region = at->region;
    if (!region) region = text_of("AWS_REGION");
    if (!region) region = text_of("AWS_DEFAULT_REGION");
    if (!region) {
        const char *profile = at->profile ? at->profile : text_of("AWS_PROFILE");
        weir_buffer file = {0}, section = {0};
        weir_buffer_printf(&section, "%s%s", profile ? "profile " : "",
                           profile ? profile : "default");
        read_file("AWS_CONFIG_FILE", ".aws/config", &file);
        region = look_up(s3, weir_buffer_str(&file), section.data, "region");
        weir_buffer_deinit(&file);
        weir_buffer_deinit(&section);
    }
    if (!region || !*region) region = "us-east-1";
    if (!is_plain(region) || strlen(region) > 40 || strchr(region, '/'))
        return refuse(error, "its region is no name");
    s3->region = weir_str_copy(&s3->arena, weir_str_from(region));
    return true;
}

/* --- where ---------------------------------------------------------------------------------- */

static const char *join(weir__s3 *s3, const char *a, const char *b, const char *c) {
    size_t size = strlen(a) + strlen(b) + strlen(c) + 1;
    char *out = weir_arena_alloc(&s3->arena, size);
    snprintf(out, size, "%s%s%s", a, b, c);
    return out;
}

/* Scheme and host of an endpoint, which is nothing else: a user or a password in it would be shown. */
static bool read_endpoint(const char *endpoint, weir_str *scheme, weir_str *host,
                          weir_error *error) {
    weir_str url = weir_str_from(endpoint);
    bool tls = weir_str_starts(url, WEIR_STR("https://"));
    if (!tls && !weir_str_starts(url, WEIR_STR("http://")))
        return refuse(error, "its endpoint begins with http:// or https://");
    *scheme = weir_str_slice(url, 0, tls ? 8 : 7);
    *host = weir_str_slice(url, scheme->length, url.length);
    while (weir_str_ends(*host, WEIR_STR("/"))) host->length--;
    weir_str port = tls ? WEIR_STR(":443") : WEIR_STR(":80");
    if (weir_str_ends(*host, port)) host->length -= port.length;
    bool ok = host->length > 0 && host->length <= 255;
    for (size_t i = 0; ok && i < host->length; i++)
        ok = !strchr("/?#@\\ %", host->data[i]) && (unsigned char)host->data[i] > ' ';
    return ok || refuse(error, "its endpoint is a scheme, a host and a port, and nothing else");
}

static bool find_origin(weir__s3 *s3, const place *at, weir_error *error) {
    const char *endpoint = at->endpoint;
    if (!endpoint) endpoint = text_of("AWS_ENDPOINT_URL_S3");
    if (!endpoint) endpoint = text_of("AWS_ENDPOINT_URL");
    bool own = endpoint != NULL;
    if (!own)
        endpoint = join(s3, join(s3, "https://s3.", s3->region, ""), ".amazonaws.com",
                        strncmp(s3->region, "cn-", 3) == 0 ? ".cn" : "");
    weir_str scheme, host;
    if (!read_endpoint(endpoint, &scheme, &host, error)) return false;
    if (at->style && strcmp(at->style, "path") != 0 && strcmp(at->style, "virtual") != 0)
        return refuse(error, "its style is path or virtual");
    /* A certificate of *.s3… does not fit a bucket with dots. */
    bool virtual = at->style ? strcmp(at->style, "virtual") == 0 : !own && !strchr(s3->bucket, '.');
    const char *name = weir_str_copy(&s3->arena, host);
    s3->host = virtual ? join(s3, s3->bucket, ".", name) : name;
    s3->origin = join(s3, weir_str_copy(&s3->arena, scheme), s3->host, "");
    s3->folder = virtual ? "/" : join(s3, "/", s3->bucket, "/");
    return true;
}

static bool read_limits(weir__s3 *s3, const place *at, weir_error *error) {
    char *end = NULL;
    unsigned long attempts = at->attempts ? strtoul(at->attempts, &end, 10) : ATTEMPTS;
    if (at->attempts && (*end || attempts < 1 || attempts > 100))
        return refuse(error, "its attempts are a number from 1 to 100");
    s3->attempts_max = (unsigned)attempts;
    s3->leftover_us = 7ull * 24 * 3600 * 1000000;
    if (at->leftover && !weir_duration_parse(weir_str_from(at->leftover), &s3->leftover_us, NULL))
        return refuse(error, "its leftover is a duration such as 7d");
    return true;
}

bool weir__s3_open(const char *where, weir__s3 *s3, weir_error *error) {
    place at = {0};
    const char *ca_file = text_of("AWS_CA_BUNDLE");
    s3->ca_file = ca_file ? weir_str_copy(&s3->arena, weir_str_from(ca_file)) : NULL;
    return read_url(s3, where, &at, error) && read_region(s3, &at, error) &&
           find_origin(s3, &at, error) && read_limits(s3, &at, error) &&
           read_credentials(s3, &at, error);
}
