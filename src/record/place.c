#include <stdlib.h>
#include <sys/stat.h>

#include "record/record_internal.h"

static const char *const kinds[] = {"csv", "json", "sqlite", "postgresql"};

/* "csv:people.csv": the kind, and what is behind it. */
static bool take_kind(weir_record_place *place, weir_str *rest) {
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        weir_str name = weir_str_from(kinds[i]);
        if (!weir_str_starts(*rest, name) || rest->length == name.length ||
            rest->data[name.length] != ':')
            continue;
        place->kind = (weir_record_kind)i;
        if (i == WEIR_RECORDS_POSTGRESQL) return true; /* all of it is the URL */
        *rest = weir_str_slice(*rest, name.length + 1, rest->length);
        if (weir_str_starts(*rest, WEIR_STR("//"))) *rest = weir_str_slice(*rest, 2, rest->length);
        return true;
    }
    return false;
}

static bool guess_kind(weir_record_place *place, weir_str path) {
    static const struct {
        const char *end;
        weir_record_kind kind;
    } ends[] = {{".csv", WEIR_RECORDS_CSV},       {".tsv", WEIR_RECORDS_CSV},
                {".json", WEIR_RECORDS_JSON},     {".db", WEIR_RECORDS_SQLITE},
                {".sqlite", WEIR_RECORDS_SQLITE}, {".sqlite3", WEIR_RECORDS_SQLITE}};
    if (weir_str_starts(path, WEIR_STR("postgres://"))) {
        place->kind = WEIR_RECORDS_POSTGRESQL;
        return true;
    }
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        if (!weir_str_ends(path, weir_str_from(ends[i].end))) continue;
        place->kind = ends[i].kind;
        return true;
    }
    return false;
}

static int digit_of(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Without %XX. */
static char *decode(weir_str text) {
    char *out = weir_alloc(text.length + 1);
    size_t length = 0;
    for (size_t i = 0; i < text.length; i++) {
        int high = i + 2 < text.length && text.data[i] == '%' ? digit_of(text.data[i + 1]) : -1;
        int low = high >= 0 ? digit_of(text.data[i + 2]) : -1;
        bool coded = low >= 0 && high * 16 + low > 0;
        out[length++] = coded ? (char)(high * 16 + low) : text.data[i];
        if (coded) i += 2;
    }
    out[length] = '\0';
    return out;
}

static bool set_delimiter(weir_record_place *place, weir_str value, weir_error *error) {
    char *decoded = decode(value);
    char c = strlen(decoded) == 1 ? decoded[0] : '\0';
    weir_free(decoded);
    if (!c || (unsigned char)c >= 0x80 || c == '"' || c == '\r' || c == '\n')
        return weir_fail(error, WEIR_USAGE,
                         "`delimiter` is one ASCII character, no quote and no line end");
    place->delimiter = c;
    return true;
}

/* One of NAME=VALUE; what is not ours stays in the URL of a PostgreSQL. */
static bool set_parameter(weir_record_place *place, weir_str parameter, weir_buffer *others,
                          weir_error *error) {
    size_t equals = weir_str_find(parameter, WEIR_STR("="), 0);
    weir_str name = equals == SIZE_MAX ? parameter : weir_str_slice(parameter, 0, equals);
    weir_str value =
        equals == SIZE_MAX ? WEIR_STR("") : weir_str_slice(parameter, equals + 1, parameter.length);
    if (weir_str_is(name, "delimiter")) return set_delimiter(place, value, error);
    char **out = weir_str_is(name, "table") ? &place->table
                 : weir_str_is(name, "key") ? &place->key
                 : weir_str_is(name, "tag") ? &place->tag
                                            : NULL;
    if (out) {
        weir_free(*out);
        *out = decode(value);
        if (**out) return true;
        return weir_fail(error, WEIR_USAGE, "`%.*s` has no value", WEIR_ARG(name));
    }
    if (place->kind == WEIR_RECORDS_POSTGRESQL) {
        weir_buffer_byte(others, others->length ? '&' : '?');
        weir_buffer_str_append(others, parameter);
        return true;
    }
    weir_fail(error, WEIR_USAGE, "`%.*s` says nothing of records", WEIR_ARG(name));
    weir_error_hint(error, "there are table, key, tag and delimiter; a `?` of the path is %%3F");
    return false;
}

static bool set_parameters(weir_record_place *place, weir_str all, weir_buffer *others,
                           weir_error *error) {
    for (size_t at = 0; at < all.length;) {
        size_t end = weir_str_find(all, WEIR_STR("&"), at);
        if (end == SIZE_MAX) end = all.length;
        if (!set_parameter(place, weir_str_slice(all, at, end), others, error)) return false;
        at = end + 1;
    }
    return true;
}

/* Without what stands between the user's name and the host. */
static char *show(const weir_record_place *place) {
    const char *at = strchr(place->path, '@'), *from = strstr(place->path, "://");
    const char *colon = at && from ? strchr(from + 3, ':') : NULL;
    weir_buffer text = {0};
    if (place->kind == WEIR_RECORDS_POSTGRESQL && colon && colon < at) {
        weir_buffer_append(&text, place->path, (size_t)(colon - place->path));
        weir_buffer_text(&text, at);
    } else {
        weir_buffer_text(&text, place->path);
    }
    if (place->kind == WEIR_RECORDS_POSTGRESQL) { /* the rest may have a password, too */
        char *rest = strchr(text.data, '?');
        if (rest) *rest = '\0';
    }
    return text.data;
}

static bool check(weir_record_place *place, weir_error *error) {
    bool database = place->kind == WEIR_RECORDS_SQLITE || place->kind == WEIR_RECORDS_POSTGRESQL;
    if (!*place->path) return weir_fail(error, WEIR_USAGE, "the source names no file");
    if (database && !place->table) {
        weir_fail(error, WEIR_USAGE, "%s: which table?", place->shown);
        weir_error_hint(error, "write `…?table=NAME`");
        return false;
    }
    if (place->kind == WEIR_RECORDS_JSON && !place->tag)
        place->tag = weir_str_dup(WEIR_STR("untagged"));
    return true;
}

bool weir_record_place_parse(weir_record_place *place, const char *text, weir_error *error) {
    weir_str rest = weir_str_from(text);
    weir_buffer others = {0};
    *place = (weir_record_place){0};
    size_t mark = weir_str_find(rest, WEIR_STR("?"), 0);
    weir_str parameters =
        mark == SIZE_MAX ? WEIR_STR("") : weir_str_slice(rest, mark + 1, rest.length);
    if (mark != SIZE_MAX) rest = weir_str_slice(rest, 0, mark);
    bool ok = take_kind(place, &rest) || guess_kind(place, rest);
    if (!ok) {
        weir_fail(error, WEIR_USAGE, "`%.*s`: of what kind are the records?", WEIR_ARG(rest));
        weir_error_hint(error, "write csv:, json: or sqlite: before the path, or postgresql://…");
        return false;
    }
    place->delimiter = ',';
    if (weir_str_ends(rest, WEIR_STR(".tsv"))) place->delimiter = '\t';
    ok = set_parameters(place, parameters, &others, error);
    if (place->kind == WEIR_RECORDS_POSTGRESQL) {
        weir_buffer url = {0};
        weir_buffer_str_append(&url, rest);
        weir_buffer_str_append(&url, weir_buffer_str(&others));
        place->path = url.data;
    } else {
        place->path = decode(rest);
    }
    weir_buffer_deinit(&others);
    place->shown = show(place);
    ok = ok && check(place, error);
    if (!ok) weir_record_place_deinit(place);
    return ok;
}

void weir_record_place_beneath(weir_record_place *place, weir_str folder) {
    if (!folder.length || place->kind == WEIR_RECORDS_POSTGRESQL || *place->path == '/') return;
    weir_buffer path = {0};
    weir_buffer_printf(&path, "%.*s/%s", WEIR_ARG(folder), place->path);
    weir_free(place->path);
    place->path = path.data;
}

void weir_record_place_without_password(weir_str text, weir_buffer *out) {
    size_t from = weir_str_find(text, WEIR_STR("://"), 0), mark, at, colon;
    if (from == SIZE_MAX) {
        weir_buffer_str_append(out, text);
        return;
    }
    mark = weir_str_find(text, WEIR_STR("?"), from);
    if (mark == SIZE_MAX) mark = text.length;
    at = weir_str_find(text, WEIR_STR("@"), from);
    colon = weir_str_find(text, WEIR_STR(":"), from + 3);
    bool has = at < mark && colon < at;
    weir_buffer_str_append(out, weir_str_slice(text, 0, has ? colon : mark));
    if (has) weir_buffer_str_append(out, weir_str_slice(text, at, mark));
    for (char between = '?'; mark < text.length;) {
        size_t end = weir_str_find(text, WEIR_STR("&"), mark + 1);
        if (end == SIZE_MAX) end = text.length;
        weir_str parameter = weir_str_slice(text, mark + 1, end);
        mark = end;
        if (weir_str_find(parameter, WEIR_STR("password="), 0) != SIZE_MAX) continue;
        weir_buffer_byte(out, between);
        weir_buffer_str_append(out, parameter);
        between = '&';
    }
}

void weir_record_place_deinit(weir_record_place *place) {
    weir_free(place->path);
    weir_free(place->shown);
    weir_free(place->table);
    weir_free(place->key);
    weir_free(place->tag);
    *place = (weir_record_place){0};
}

static bool same_text(const char *a, const char *b) {
    return a == b || (a && b && strcmp(a, b) == 0);
}

bool weir_record_place_equal(const weir_record_place *a, const weir_record_place *b) {
    struct stat one, other;
    if (a->kind != b->kind || !same_text(a->table, b->table) || !same_text(a->tag, b->tag))
        return false;
    if (strcmp(a->path, b->path) == 0) return true;
    return a->kind != WEIR_RECORDS_POSTGRESQL && stat(a->path, &one) == 0 &&
           stat(b->path, &other) == 0 && one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

weir_str weir__record_key(const weir_record_place *place) {
    return weir_str_from(place->key ? place->key : "key");
}
