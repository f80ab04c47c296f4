/* The grammar is that of Docker's references and of the OCI distribution specification 1.1 ("Pulling manifests"). */
#include "image/name.h"

#include <stdio.h>

enum { NAME_MAX_BYTES = 255, TAG_MAX_BYTES = 128, TEXT_MAX_BYTES = 1024 };

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
static bool is_lower(char c) {
    return c >= 'a' && c <= 'z';
}
static bool is_upper(char c) {
    return c >= 'A' && c <= 'Z';
}
static bool is_hex(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'f');
}

static bool refuse(weir_str text, const char *why, const char *hint, weir_error *error) {
    weir_fail(error, WEIR_INVALID, "`%.*s` is no name of an image: %s",
              text.length > 200 ? 200 : (int)text.length, text.data, why);
    if (hint) weir_error_hint(error, "%s", hint);
    return false;
}

/* Where the last of that character is, or SIZE_MAX. */
static size_t find_last(weir_str text, char c) {
    for (size_t i = text.length; i > 0; i--)
        if (text.data[i - 1] == c) return i - 1;
    return SIZE_MAX;
}

bool weir_image_digest_ok(weir_str digest) {
    if (digest.length != 71 || !weir_str_starts(digest, WEIR_STR("sha256:"))) return false;
    for (size_t i = 7; i < digest.length; i++)
        if (!is_hex(digest.data[i])) return false;
    return true;
}

static bool tag_ok(weir_str tag) {
    if (!tag.length || tag.length > TAG_MAX_BYTES) return false;
    for (size_t i = 0; i < tag.length; i++) {
        char c = tag.data[i];
        bool word = is_lower(c) || is_upper(c) || is_digit(c) || c == '_';
        if (!word && (i == 0 || (c != '.' && c != '-'))) return false;
    }
    return true;
}

/* Letters and digits, between them one '.', one or two '_', or any number of '-'. */
static bool part_ok(weir_str part) {
    size_t i = 0;
    while (i < part.length) {
        size_t start = i;
        while (i < part.length && (is_lower(part.data[i]) || is_digit(part.data[i]))) i++;
        if (i == start) return false;
        if (i == part.length) return true;
        char c = part.data[i];
        size_t run = 0;
        while (i < part.length && part.data[i] == c) i++, run++;
        if (!(c == '-' || (c == '_' && run <= 2) || (c == '.' && run == 1))) return false;
    }
    return false;
}

static bool path_ok(weir_str path) {
    for (size_t from = 0; from <= path.length;) {
        size_t slash = weir_str_find(path, WEIR_STR("/"), from);
        size_t end = slash == SIZE_MAX ? path.length : slash;
        if (!part_ok(weir_str_slice(path, from, end))) return false;
        from = end + 1;
    }
    return true;
}

static bool port_ok(weir_str port) {
    unsigned number = 0;
    if (!port.length || port.length > 5) return false;
    for (size_t i = 0; i < port.length; i++) {
        if (!is_digit(port.data[i])) return false;
        number = number * 10 + (unsigned)(port.data[i] - '0');
    }
    return number > 0 && number <= 65535;
}

/* An IPv6 address in brackets, as far as its letters tell. */
static bool bracketed_ok(weir_str host) {
    if (host.length < 4 || host.data[host.length - 1] != ']') return false;
    for (size_t i = 1; i + 1 < host.length; i++) {
        char c = host.data[i];
        if (!is_hex(c) && !(c >= 'A' && c <= 'F') && c != ':' && c != '.') return false;
    }
    return true;
}

static bool host_ok(weir_str host) {
    if (host.length && host.data[0] == '[') return bracketed_ok(host);
    bool edge = true; /* whether here a letter or digit must be */
    for (size_t i = 0; i < host.length; i++) {
        char c = host.data[i];
        bool plain = is_lower(c) || is_upper(c) || is_digit(c);
        if (!plain && (edge || (c != '-' && c != '.'))) return false;
        if (c == '.' && host.data[i - 1] == '-') return false;
        edge = c == '.';
    }
    return host.length && !edge && host.data[host.length - 1] != '-';
}

/* The registry, where the text begins with one; *path is what is behind it. */
static bool read_registry(weir_str text, weir_str *registry, weir_str *path, weir_error *error) {
    size_t slash = weir_str_find(*path, WEIR_STR("/"), 0);
    weir_str first = weir_str_slice(*path, 0, slash == SIZE_MAX ? 0 : slash);
    bool host = weir_str_is(first, "localhost");
    for (size_t i = 0; i < first.length; i++)
        host = host || first.data[i] == '.' || first.data[i] == ':' || is_upper(first.data[i]);
    *registry = WEIR_STR("docker.io");
    if (!host) return true;
    *path = weir_str_slice(*path, slash + 1, path->length);
    size_t colon = find_last(first, ':'), bracket = find_last(first, ']');
    weir_str name = first;
    if (colon != SIZE_MAX && (bracket == SIZE_MAX || colon > bracket)) {
        name = weir_str_slice(first, 0, colon);
        if (!port_ok(weir_str_slice(first, colon + 1, first.length)))
            return refuse(text, "the registry's port is no number up to 65535", NULL, error);
    }
    if (!host_ok(name)) return refuse(text, "its first part is no name of a host", NULL, error);
    if (!weir_str_is(first, "index.docker.io")) *registry = first;
    return true;
}

static bool read_path(weir_str text, weir_str path, weir_error *error) {
    if (!path.length) return refuse(text, "the image itself is not named", NULL, error);
    if (path_ok(path)) return true;
    for (size_t i = 0; i < path.length; i++)
        if (is_upper(path.data[i]))
            return refuse(text, "it has capital letters", "names of images are in lower case",
                          error);
    return refuse(text,
                  "it may have lower-case letters, digits, and single `.`, `_`, `__` or `-` "
                  "between them, in parts with `/`",
                  NULL, error);
}

static bool is_bare_digest(weir_str path) {
    if (path.length != 64) return false;
    for (size_t i = 0; i < path.length; i++)
        if (!is_hex(path.data[i])) return false;
    return true;
}

/* Takes what stands behind the name away: a digest, then a tag. */
static bool read_ends(weir_str text, weir_str *name, weir_str *tag, weir_str *digest,
                      weir_error *error) {
    *tag = *digest = (weir_str){"", 0};
    size_t at = weir_str_find(*name, WEIR_STR("@"), 0);
    if (at != SIZE_MAX) {
        *digest = weir_str_slice(*name, at + 1, name->length);
        *name = weir_str_slice(*name, 0, at);
        if (!weir_image_digest_ok(*digest))
            return refuse(text, "its digest is not `sha256:` and 64 hexadecimal digits",
                          "other kinds of digests are not known here", error);
    }
    size_t colon = find_last(*name, ':'), slash = find_last(*name, '/');
    if (colon == SIZE_MAX || (slash != SIZE_MAX && slash > colon)) return true;
    *tag = weir_str_slice(*name, colon + 1, name->length);
    *name = weir_str_slice(*name, 0, colon);
    return tag_ok(*tag) || refuse(text,
                                  "a tag is up to 128 letters, digits, `_`, `.` and `-`, and "
                                  "begins with none of the last two",
                                  NULL, error);
}

bool weir_image_name_read(weir_str text, weir_image_name *out, weir_error *error) {
    weir_image_name found = {0};
    weir_str name = text, registry, tag, digest;
    if (!text.length) return weir_fail(error, WEIR_INVALID, "a name of an image is empty");
    if (text.length > TEXT_MAX_BYTES) return refuse(text, "it is too long", NULL, error);
    if (weir_str_find(text, WEIR_STR("://"), 0) != SIZE_MAX)
        return refuse(text, "it is an address", "leave out what is before the host, and the `//`",
                      error);
    if (!read_ends(text, &name, &tag, &digest, error) ||
        !read_registry(text, &registry, &name, error) || !read_path(text, name, error))
        return false;
    bool library =
        weir_str_is(registry, "docker.io") && weir_str_find(name, WEIR_STR("/"), 0) == SIZE_MAX;
    if (library && is_bare_digest(name))
        return refuse(text, "64 hexadecimal digits could be taken for a digest",
                      "an image by its digest is NAME@sha256:DIGITS", error);
    if (registry.length + 1 + (library ? 8 : 0) + name.length > NAME_MAX_BYTES)
        return refuse(text, "registry and path have more than 255 letters", NULL, error);
    snprintf(found.registry, sizeof found.registry, "%.*s", WEIR_ARG(registry));
    snprintf(found.repository, sizeof found.repository, "%s%.*s", library ? "library/" : "",
             WEIR_ARG(name));
    if (!tag.length && !digest.length) tag = WEIR_STR("latest");
    snprintf(found.tag, sizeof found.tag, "%.*s", WEIR_ARG(tag));
    snprintf(found.digest, sizeof found.digest, "%.*s", WEIR_ARG(digest));
    *out = found;
    return true;
}

void weir_image_name_append(const weir_image_name *name, weir_buffer *out) {
    weir_buffer_printf(out, "%s/%s", name->registry, name->repository);
    if (*name->tag) weir_buffer_printf(out, ":%s", name->tag);
    if (*name->digest) weir_buffer_printf(out, "@%s", name->digest);
}
