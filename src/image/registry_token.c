#include <stdio.h>
#include <strings.h>

#include "base/base64.h"
#include "data/json.h"
#include "image/registry.h"
#include "image/registry_internal.h"

enum {
    TOKEN_BYTES_MAX = 256 * 1024,
    EXPIRES_S = 60,      /* where nothing is said */
    EXPIRES_EARLY_S = 5, /* for the way there */
    EXPIRES_S_MAX = 24 * 3600
};

void weir__registry_look_for_credentials(weir__registry *r) {
    if (r->looked) return;
    r->looked = true;
    /* A mirror has its own; its path is a part of the name that the files know. */
    char host[sizeof r->said];
    snprintf(host, sizeof host, "%.*s", (int)strcspn(r->said, "/"), r->said);
    (void)weir__credentials_find(host, r->repository, r->goes_on, r->arg, &r->credentials);
}

static void set_authorization(weir__registry *r, const char *scheme, weir_str secret,
                              uint64_t for_s) {
    weir_buffer line = {0};
    weir_buffer_printf(&line, "Authorization: %s ", scheme);
    weir_buffer_str_append(&line, secret);
    if (r->authorization) explicit_bzero(r->authorization, strlen(r->authorization));
    weir_free(r->authorization);
    r->authorization = weir_str_dup(weir_buffer_str(&line));
    r->expires_ms = weir__registry_now_ms() + (int64_t)for_s * 1000;
    r->renewed++;
    explicit_bzero(line.data, line.length);
    weir_buffer_deinit(&line);
}

static bool use_basic(weir__registry *r, weir_error *error) {
    const weir__credentials *c = &r->credentials;
    weir_buffer both = {0}, text = {0};
    if (!c->user || !c->password) {
        weir_fail(error, WEIR_INVALID, "it wants a name and a password");
        weir_error_hint(error, "%s%s`docker login %s` writes them into ~/.docker/config.json",
                        c->note, *c->note ? "; " : "", r->said);
        return false;
    }
    weir_buffer_printf(&both, "%s:%s", c->user, c->password);
    weir_base64_append(weir_buffer_str(&both), &text);
    set_authorization(r, "Basic", weir_buffer_str(&text), EXPIRES_S_MAX);
    explicit_bzero(both.data, both.length);
    explicit_bzero(text.data, text.length);
    weir_buffer_deinit(&both);
    weir_buffer_deinit(&text);
    return true;
}

/* --- tokens ----------------------------------------------------------------------------------- */

static void append_encoded(weir_buffer *out, const char *text) {
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        bool plain = (byte >= '0' && byte <= '9') || ((byte | 32) >= 'a' && (byte | 32) <= 'z') ||
                     strchr("-._~", byte);
        if (plain)
            weir_buffer_byte(out, (char)byte);
        else
            weir_buffer_printf(out, "%%%02X", byte);
    }
}

static void append_pair(weir_buffer *out, const char *key, const char *value) {
    if (out->length) weir_buffer_byte(out, '&');
    weir_buffer_printf(out, "%s=", key);
    append_encoded(out, value);
}

static void append_service(const weir__registry *r, const weir__challenge *challenge,
                           weir_buffer *out) {
    if (*challenge->service) append_pair(out, "service", challenge->service);
    if (*challenge->scope) {
        append_pair(out, "scope", challenge->scope);
        return;
    }
    weir_buffer scope = {0};
    weir_buffer_printf(&scope, "repository:%s:pull", r->repository);
    append_pair(out, "scope", scope.data);
    weir_buffer_deinit(&scope);
}

/* Whether credentials may be sent there: who is asked by https does not have them sent in the clear. */
static bool is_safe(const weir__registry *r, const char *realm) {
    return strncasecmp(realm, "https://", 8) == 0 || r->insecure || r->plain ||
           weir__registry_is_loopback(realm + strlen("http://"));
}

static bool read_token(weir__registry *r, const weir__reply *reply, weir_error *error) {
    weir_value *value = NULL;
    weir_error ignored;
    if (!weir_json_parse(weir_buffer_str(&reply->body), WEIR_STR("the token"), &value, &ignored))
        return weir_fail(error, WEIR_IO, "what gives its tokens does not answer as it should");
    weir_str token = weir_member_text(value, "token");
    if (!token.length) token = weir_member_text(value, "access_token");
    uint64_t for_s = weir_member_count(value, "expires_in");
    bool ok = token.length > 0;
    for (size_t i = 0; i < token.length; i++)
        if (token.data[i] <= ' ' || token.data[i] == 127) ok = false;
    if (for_s < EXPIRES_S) for_s = EXPIRES_S; /* as the protocol has it, for old clients */
    if (for_s > EXPIRES_S_MAX) for_s = EXPIRES_S_MAX;
    if (ok) set_authorization(r, "Bearer", token, for_s - EXPIRES_EARLY_S);
    weir_value_unref(value);
    return ok || weir_fail(error, WEIR_IO, "what gives its tokens gave none");
}

static bool fetch_token(weir__registry *r, const weir__challenge *challenge, bool post,
                        weir__asking *a) {
    const weir__credentials *c = &r->credentials;
    weir_buffer pairs = {0}, url = {0};
    if (post) {
        append_pair(&pairs, "grant_type", "refresh_token");
        append_pair(&pairs, "refresh_token", c->identity);
        append_pair(&pairs, "client_id", "weir");
    } else if (c->user && c->password) {
        append_pair(&pairs, "account", c->user);
        a->request.user = c->user;
        a->request.password = c->password;
    }
    append_service(r, challenge, &pairs);
    weir_buffer_text(&url, challenge->realm);
    if (!post) {
        weir_buffer_byte(&url, strchr(challenge->realm, '?') ? '&' : '?');
        weir_buffer_str_append(&url, weir_buffer_str(&pairs));
    }
    a->request.url = url.data;
    a->request.form = post ? pairs.data : NULL;
    bool ok = weir__asking_try(a, r->client);
    a->request.url = a->request.form = a->request.user = a->request.password = NULL;
    explicit_bzero(pairs.data, pairs.length);
    weir_buffer_deinit(&pairs);
    weir_buffer_deinit(&url);
    return ok;
}

static bool fail_token(const weir__asking *a, weir_error *error) {
    const weir__credentials *c = &a->registry->credentials;
    weir__asking_failed(a, error);
    if (!error) return false;
    bool known = c->user || c->identity;
    if (known && (a->answer.status == 400 || a->answer.status == 401 || a->answer.status == 403)) {
        error->code = WEIR_INVALID;
        weir_error_hint(
            error, "the credentials for %.100s are wrong, or over; `docker login` makes them anew",
            a->registry->said);
    }
    weir_error_context(error, "what gives its tokens");
    return false;
}

static bool use_bearer(weir__registry *r, const weir__challenge *challenge, weir_error *error) {
    weir__asking a;
    weir__reply reply = {0};
    const weir__credentials *c = &r->credentials;
    bool known = c->identity || (c->user && c->password);
    if (strncasecmp(challenge->realm, "https://", 8) != 0 &&
        strncasecmp(challenge->realm, "http://", 7) != 0)
        return weir_fail(error, WEIR_IO, "it does not say where its tokens are given");
    if (known && !is_safe(r, challenge->realm))
        return weir_fail(error, WEIR_INVALID,
                         "it wants our credentials sent by http, where all could read them");
    weir__asking_init(&a, r, &reply, TOKEN_BYTES_MAX);
    bool ok = fetch_token(r, challenge, c->identity != NULL, &a);
    ok = ok ? read_token(r, &reply, error) : fail_token(&a, error);
    if (reply.body.data) explicit_bzero(reply.body.data, reply.body.length);
    weir__asking_deinit(&a);
    weir__reply_deinit(&reply);
    return ok;
}

bool weir__registry_authorize(weir__registry *r, const weir__challenge *challenge,
                              weir_error *error) {
    weir__registry_look_for_credentials(r);
    r->challenge = *challenge;
    bool basic = challenge->basic && (!challenge->bearer || !*challenge->realm);
    return basic ? use_basic(r, error) : use_bearer(r, challenge, error);
}
