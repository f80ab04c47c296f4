#include "image/challenge.h"

#include <stdio.h>
#include <strings.h>

enum { VALUE_MAX = 1024 };

typedef struct reader {
    weir_str text;
    size_t at;
} reader;

static bool is_token(char c) {
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
           (c && strchr("!#$%&'*+-.^_`|~/", c));
}

static void skip(reader *r, const char *what) {
    while (r->at < r->text.length && r->text.data[r->at] && strchr(what, r->text.data[r->at]))
        r->at++;
}

static weir_str take_token(reader *r) {
    size_t from = r->at;
    while (r->at < r->text.length && is_token(r->text.data[r->at])) r->at++;
    return weir_str_slice(r->text, from, r->at);
}

/* False: it is longer than anything that is used. */
static bool take_quoted(reader *r, char out[static VALUE_MAX]) {
    size_t length = 0;
    for (r->at++; r->at < r->text.length && r->text.data[r->at] != '"'; r->at++) {
        if (r->text.data[r->at] == '\\' && r->at + 1 < r->text.length) r->at++;
        if (length + 1 < VALUE_MAX) out[length] = r->text.data[r->at];
        length++;
    }
    r->at++;
    out[length < VALUE_MAX ? length : VALUE_MAX - 1] = '\0';
    return length < VALUE_MAX;
}

static bool take_value(reader *r, char out[static VALUE_MAX]) {
    skip(r, " \t");
    if (r->at < r->text.length && r->text.data[r->at] == '"') return take_quoted(r, out);
    size_t from = r->at;
    while (r->at < r->text.length && !strchr(" \t,", r->text.data[r->at])) r->at++;
    weir_str value = weir_str_slice(r->text, from, r->at);
    snprintf(out, VALUE_MAX, "%.*s", WEIR_ARG(value));
    return value.length < VALUE_MAX;
}

static bool named(weir_str text, const char *name) {
    return text.length == strlen(name) && strncasecmp(text.data, name, text.length) == 0;
}

/* One that does not fit is as good as none: half a place is another place. */
static void set_text(char *out, size_t size, const char *value) {
    for (const char *c = value; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 127) return;
    if (!*out && strlen(value) < size) memcpy(out, value, strlen(value) + 1);
}

static void set_parameter(weir__challenge *out, weir_str name, const char *value) {
    if (named(name, "realm")) set_text(out->realm, sizeof out->realm, value);
    if (named(name, "service")) set_text(out->service, sizeof out->service, value);
    if (named(name, "scope")) set_text(out->scope, sizeof out->scope, value);
}

void weir__challenge_read(weir_str header, weir__challenge *out) {
    reader r = {.text = header};
    bool of_bearer = false;
    for (;;) {
        char value[VALUE_MAX];
        skip(&r, " \t,");
        if (r.at >= r.text.length) return;
        weir_str word = take_token(&r);
        if (!word.length) {
            r.at++; /* nothing that belongs here */
            continue;
        }
        skip(&r, " \t");
        if (r.at < r.text.length && r.text.data[r.at] == '=') {
            r.at++;
            if (take_value(&r, value) && of_bearer) set_parameter(out, word, value);
            continue;
        }
        of_bearer = named(word, "Bearer") && !out->bearer;
        out->bearer = out->bearer || of_bearer;
        out->basic = out->basic || named(word, "Basic");
    }
}
