#include "image/pull.h"

#include <stdio.h>

#include "data/json.h"
#include "image/manifest.h"
#include "image/pull_layers.h"
#include "image/registry.h"
#include "image/store_internal.h"
#include "store/sha256.h"

enum { PLACES_MAX = 16, INDEXES_MAX = 4 /* one within another */ };

typedef struct pull {
    weir_image_store *store;
    const weir_image_name *name;
    const weir_image_pull_options *options;
    const weir__sha256_functions *sha256;
    char platform[WEIR__PLATFORM_MAX];
    weir__registry registry;
    char pinned[72];   /* the digest of what the name means */
    char manifest[72]; /* the digest of the image's */
    weir__manifest image;
    weir_value *config;
} pull;

bool weir_image_policy_read(weir_str text, weir_image_policy *out) {
    static const char *const words[] = {[WEIR_PULL_MISSING] = "missing",
                                        [WEIR_PULL_ALWAYS] = "always",
                                        [WEIR_PULL_NEVER] = "never"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!weir_str_is(text, words[i])) continue;
        *out = (weir_image_policy)i;
        return true;
    }
    return false;
}

static void name_text(const weir_image_name *name, char out[static 512]) {
    weir_buffer text = {0};
    weir_image_name_append(name, &text);
    snprintf(out, 512, "%s", text.data);
    weir_buffer_deinit(&text);
}

/* --- what is asked for, by digests ------------------------------------------------------------ */

static void digest_of(const pull *p, weir_str bytes, char out[static 72]) {
    unsigned char digest[WEIR__SHA256_BYTES];
    weir__sha256 *hash = p->sha256->begin();
    p->sha256->add(hash, bytes.data, bytes.length);
    p->sha256->take(hash, digest);
    p->sha256->end(hash);
    memcpy(out, "sha256:", 7);
    weir__sha256_format(digest, out + 7);
}

/* A digest that was asked for must be that of what came; one that the registry only says must at least not be another. */
static bool check_digest(const char *wanted, const weir__reply *reply, const char *digest,
                         weir_error *error) {
    bool says = weir_image_digest_ok(weir_str_from(reply->digest));
    if (*wanted && strcmp(wanted, digest) != 0)
        return weir_fail(error, WEIR_INVALID, "it was asked for %s, and gave %s", wanted, digest);
    if (says && strcmp(reply->digest, digest) != 0)
        return weir_fail(error, WEIR_INVALID, "it calls %s what is %s", reply->digest, digest);
    return true;
}

/* `reference` is a tag or a digest; `digest` becomes what it is. */
static bool get_manifest(pull *p, const char *reference, char digest[static 72],
                         weir__manifest *out, weir_error *error) {
    weir__reply reply = {0};
    bool by_digest = weir_image_digest_ok(weir_str_from(reference));
    if (!weir__registry_manifest(&p->registry, reference, false, &reply, error)) return false;
    digest_of(p, weir_buffer_str(&reply.body), digest);
    bool ok = check_digest(by_digest ? reference : "", &reply, digest, error) &&
              weir__manifest_read(weir_buffer_str(&reply.body), weir_str_from(reply.media_type),
                                  out, error);
    if (ok && !weir__image_put(p->store, weir_buffer_str(&reply.body), digest, error)) {
        weir__manifest_deinit(out);
        ok = false;
    }
    weir__reply_deinit(&reply);
    return ok;
}

/* From the name to the manifest of one image, through indexes. */
static bool find_manifest(pull *p, weir_error *error) {
    const char *reference = *p->name->digest ? p->name->digest : p->name->tag;
    char digest[72];
    if (!get_manifest(p, reference, p->pinned, &p->image, error)) {
        if (error && error->code == WEIR_NOT_FOUND && !*error->hint && *p->name->tag &&
            !*p->name->digest)
            weir__registry_hint_tags(&p->registry, p->name->tag, error);
        return false;
    }
    snprintf(p->manifest, sizeof p->manifest, "%s", p->pinned);
    for (int depth = 0; p->image.is_index; depth++) {
        weir__described chosen;
        if (depth == INDEXES_MAX)
            return weir_fail(error, WEIR_LIMIT, "its indexes are nested too deeply");
        bool ok = weir__platform_choose(p->image.entries, p->platform, &chosen, error);
        weir__manifest_deinit(&p->image);
        if (!ok || !get_manifest(p, chosen.digest, digest, &p->image, error)) return false;
        snprintf(p->manifest, sizeof p->manifest, "%s", digest);
    }
    return true;
}

static bool get_config(pull *p, weir_error *error) {
    const weir__described *config = &p->image.config;
    weir_buffer text = {0};
    weir__reply reply = {0};
    char digest[72];
    bool ok = true;
    if (weir__image_has_blob(p->store, config->digest)) {
        ok = weir__image_get(p->store, config->digest, WEIR__IMAGE_MANIFEST_MAX, &text, error);
    } else {
        ok = weir__registry_small(&p->registry, config->digest, WEIR__IMAGE_MANIFEST_MAX, &reply,
                                  error);
        if (ok) digest_of(p, weir_buffer_str(&reply.body), digest);
        ok = ok && check_digest(config->digest, &reply, digest, error) &&
             weir__image_put(p->store, weir_buffer_str(&reply.body), digest, error);
        weir_buffer_str_append(&text, weir_buffer_str(&reply.body));
    }
    ok = ok &&
         weir_json_parse(weir_buffer_str(&text), WEIR_STR("the image's configuration"), &p->config,
                         error) &&
         weir__config_check(p->config, p->platform, p->image.layers.count, error);
    weir__reply_deinit(&reply);
    weir_buffer_deinit(&text);
    return ok;
}

/* --- what is here ----------------------------------------------------------------------------- */

/* Whether it is of the platform; one that was not said to be wanted may be any. */
static bool is_wanted(const pull *p, const weir_image *image) {
    weir_error ignored;
    return !p->options->platform ||
           weir__config_check(image->config, p->platform, image->layer_count, &ignored);
}

static bool find_here(const pull *p, const weir_image_name *name, weir_image **out,
                      weir_error *error) {
    weir_image *image;
    if (!weir_image_find_for(p->store, name, p->platform, &image, error)) return false;
    if (is_wanted(p, image)) {
        *out = image;
        return true;
    }
    weir_image_free(image);
    char text[512];
    name_text(p->name, text);
    return weir_fail(error, WEIR_NOT_FOUND, "%.300s is here for another platform than %s", text,
                     p->platform);
}

/* Whether the tag still means what is here: that costs registries less than to give it, and many count what they give. */
static bool is_current(pull *p, weir_image **out) {
    weir__reply reply = {0};
    weir_error ignored;
    weir_image *image, *said = NULL;
    if (!*p->name->tag || *p->name->digest || !find_here(p, p->name, &image, &ignored))
        return false;
    bool same = weir__registry_manifest(&p->registry, p->name->tag, true, &reply, &ignored) &&
                weir_image_digest_ok(weir_str_from(reply.digest));
    if (same) {
        weir_image_name pinned = *p->name;
        *pinned.tag = '\0';
        snprintf(pinned.digest, sizeof pinned.digest, "%.71s", reply.digest);
        same = weir_image_find(p->store, &pinned, &said, &ignored) &&
               strcmp(said->digest, image->digest) == 0;
    }
    weir_image_free(said);
    weir__reply_deinit(&reply);
    if (same)
        *out = image;
    else
        weir_image_free(image);
    return same;
}

/* --- one place -------------------------------------------------------------------------------- */

static bool take_image(pull *p, weir_image **out, weir_error *error) {
    weir__image_work *work;
    weir_image_name found = *p->name;
    if (!weir__image_enter(p->store, &work, error)) return false;
    bool ok = find_manifest(p, error) && get_config(p, error) &&
              weir__pull_layers(p->store, &p->registry, &p->image, p->config, &p->options->watch,
                                error) &&
              weir__image_name_it(p->store, p->name, p->manifest, p->pinned, error);
    /* Whatever the name means by now: it is this one that was pulled. */
    *found.tag = '\0';
    snprintf(found.digest, sizeof found.digest, "%s", p->manifest);
    ok = ok && weir_image_find(p->store, &found, out, error);
    weir__image_leave(work);
    return ok;
}

static const weir_value *said_of(const pull *p, const char *host) {
    return weir_member_named(p->options->registries, host);
}

static bool is_insecure(const pull *p, const char *place) {
    char host[256];
    snprintf(host, sizeof host, "%.*s", (int)strcspn(place, "/"), place);
    const weir_value *insecure = weir_member_named(said_of(p, host), "insecure");
    return weir_is(insecure, WEIR_BOOL) && weir_bool_get(insecure);
}

static bool pull_from(pull *p, const char *place, weir_image **out, weir_error *error) {
    if (!weir__registry_open(place, p->name->repository, is_insecure(p, place),
                             p->options->watch.goes_on, p->options->watch.arg, &p->registry, error))
        return false;
    bool ok =
        (p->options->policy == WEIR_PULL_ALWAYS && is_current(p, out)) || take_image(p, out, error);
    weir__manifest_deinit(&p->image);
    weir_value_unref(p->config);
    p->config = NULL;
    weir__registry_close(&p->registry);
    return ok;
}

/* --- all places ------------------------------------------------------------------------------- */

static size_t list_places(const pull *p, const char *places[static PLACES_MAX + 1]) {
    size_t count = 0;
    const weir_value *mirrors = weir_member_named(said_of(p, p->name->registry), "mirrors");
    for (size_t i = 0; weir_is(mirrors, WEIR_ARRAY) && i < weir_value_count(mirrors); i++) {
        const weir_value *mirror = weir_array_at(mirrors, i);
        if (count < PLACES_MAX && weir_is(mirror, WEIR_STRING))
            places[count++] = weir_string_get(mirror).data;
    }
    places[count++] = p->name->registry;
    return count;
}

/* What nobody else can mend: it was told to end, or the disk is full. */
static bool ends_all(const weir_image_pull_options *options, const weir_error *error) {
    return error->code == WEIR_CANCELLED || error->code == WEIR_PLUGIN ||
           (options->watch.goes_on && !options->watch.goes_on(options->watch.arg));
}

static bool pull_from_all(pull *p, weir_image **out, weir_error *error) {
    const char *places[PLACES_MAX + 1];
    size_t count = list_places(p, places);
    weir_buffer tried = {0};
    weir_error last = {0};
    char text[512];
    for (size_t i = 0; i < count; i++) {
        last = (weir_error){0};
        if (pull_from(p, places[i], out, &last)) {
            weir_buffer_deinit(&tried);
            return true;
        }
        if (ends_all(p->options, &last)) break;
        weir_buffer_printf(&tried, "%s%.100s: %.300s", i ? "; " : "", places[i], last.message);
    }
    name_text(p->name, text);
    if (ends_all(p->options, &last))
        weir_fail(error, last.code, "pulling %.200s: %.200s", text, last.message);
    else
        weir_fail(error, last.code, "%.160s cannot be pulled: %s", text, tried.data);
    if (*last.hint) weir_error_hint(error, "%s", last.hint);
    weir_buffer_deinit(&tried);
    return false;
}

bool weir_image_pull(weir_image_store *store, const weir_image_name *name,
                     const weir_image_pull_options *options, weir_image **out, weir_error *error) {
    pull p = {.store = store, .name = name, .options = options};
    weir_error here = {0};
    weir__platform_of_machine(p.platform);
    if (options->platform &&
        !weir__platform_read(weir_str_from(options->platform), p.platform, error))
        return false;
    /* What a digest names never changes. */
    if (options->policy != WEIR_PULL_ALWAYS || *name->digest) {
        if (find_here(&p, name, out, &here)) return true;
        weir_error lacks = {0};
        if (here.code == WEIR_NOT_FOUND &&
            weir__image_complete(store, name, &options->watch, &lacks) &&
            find_here(&p, name, out, &here))
            return true;
        if (lacks.code && lacks.code != WEIR_NOT_FOUND) here = lacks;
        bool missing = here.code == WEIR_NOT_FOUND;
        if (!missing || options->policy == WEIR_PULL_NEVER) {
            weir_fail(error, here.code, "%s", here.message);
            if (missing)
                weir_error_hint(
                    error, "nothing is pulled with the policy `never`; `weir image pull` does");
            else
                weir_error_hint(error, "%s", here.hint);
            return false;
        }
    }
    return weir__sha256_open(&p.sha256, error) && pull_from_all(&p, out, error);
}
