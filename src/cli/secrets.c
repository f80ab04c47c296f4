/* Secrets of the settings: NAME from a file or a variable, NAME.* from a file of several. No message repeats what may be one. */
#include <stdlib.h>

#include "cli/config.h"
#include "data/document.h"
#include "data/json.h"

enum { SECRET_BYTES_MAX = 1024 * 1024, SECRETS_MAX = 10000 };

/* Names and values, one behind the other, in the settings' arena. */
typedef WEIR_VECTOR(const char *) pairs;

static void add(weir_settings *settings, weir_str name, weir_str value, pairs *out) {
    *weir_vector_push(out) = weir_str_copy(&settings->arena, name);
    *weir_vector_push(out) = weir_str_copy(&settings->arena, value);
}

static bool read_file(weir_settings *settings, const weir_secret_source *secret, pairs *out,
                      weir_error *error) {
    weir_buffer text = {0};
    bool ok = weir_file_read(secret->file, SECRET_BYTES_MAX, &text, error);
    weir_str value = weir_buffer_str(&text);
    if (ok && memchr(value.data, '\0', value.length))
        ok = weir_fail(error, WEIR_INVALID, "the secret has a NUL byte in it");
    if (weir_str_ends(value, WEIR_STR("\n"))) value.length--;
    if (ok) add(settings, weir_str_from(secret->name), value, out);
    weir_buffer_deinit(&text);
    return ok;
}

/* The members of an object, those within it as NAME.MEMBER.MEMBER. `name` ends with a point, or is empty. */
static bool add_members(weir_settings *settings, weir_buffer *name, const weir_value *object,
                        pairs *out, weir_error *error) {
    size_t length = name->length;
    bool ok = true;
    for (size_t i = 0; i < weir_value_count(object) && ok; i++) {
        const weir_value *value = weir_object_at(object, i);
        weir_buffer_str_append(name, weir_object_key(object, i));
        if (weir_is(value, WEIR_OBJECT)) {
            weir_buffer_byte(name, '.');
            ok = add_members(settings, name, value, out, error);
        } else if (weir_is(value, WEIR_ARRAY)) {
            ok = weir_fail(error, WEIR_INVALID, "`%s` is a list", name->data);
        } else if (out->count >= 2 * SECRETS_MAX) {
            ok = weir_fail(error, WEIR_LIMIT, "there are more than %d secrets", SECRETS_MAX);
        } else if (!weir_is(value, WEIR_NULL)) {
            weir_buffer text = {0};
            weir_json_plain(value, &text);
            add(settings, weir_buffer_str(name), weir_buffer_str(&text), out);
            weir_buffer_deinit(&text);
        }
        name->length = length;
    }
    return ok;
}

/* A file of JSON or YAML, {KEY: value}: each is NAME.KEY. */
static bool read_several(weir_settings *settings, const weir_secret_source *secret, pairs *out,
                         weir_error *error) {
    weir_document document = {0};
    weir_buffer text = {0}, name = {0};
    bool ok = weir_file_read(secret->file, SECRET_BYTES_MAX, &text, error);
    weir_error why; /* which may repeat some of it */
    if (ok &&
        !weir_document_parse(&document, secret->file, weir_buffer_str(&text), WEIR_YAML_CORE, &why))
        ok = weir_fail(error, WEIR_INVALID, "line %u of `%s` is neither JSON nor YAML", why.line,
                       secret->file);
    const weir_value *root = ok && document.roots.count == 1 ? document.roots.items[0] : NULL;
    if (ok && !weir_is(root, WEIR_OBJECT))
        ok = weir_fail(error, WEIR_INVALID, "`%s` is no object {KEY: value}", secret->file);
    weir_buffer_text(&name, secret->name);
    name.length--; /* the asterisk */
    ok = ok && add_members(settings, &name, root, out, error);
    weir_buffer_deinit(&name);
    weir_buffer_deinit(&text);
    weir_document_deinit(&document);
    return ok;
}

static bool read_one(weir_settings *settings, const weir_secret_source *secret, pairs *out,
                     weir_error *error) {
    weir_str name = weir_str_from(secret->name);
    if (!secret->variable)
        return weir_str_is(name, "*") || weir_str_ends(name, WEIR_STR(".*"))
                   ? read_several(settings, secret, out, error)
                   : read_file(settings, secret, out, error);
    const char *value = getenv(secret->variable);
    if (!value)
        return weir_fail(error, WEIR_NOT_FOUND, "there is no environment variable `%s`",
                         secret->variable);
    add(settings, name, weir_str_from(value), out);
    return true;
}

bool weir_settings_secrets(weir_settings *settings, const char ***out, weir_error *error) {
    pairs found = {0};
    bool ok = true;
    for (size_t i = 0; i < settings->secrets.count && ok; i++) {
        ok = read_one(settings, &settings->secrets.items[i], &found, error);
        if (!ok) weir_error_context(error, "the secret `%s`", settings->secrets.items[i].name);
    }
    if (ok) {
        *out = weir_arena_alloc(&settings->arena, (found.count + 1) * sizeof **out);
        if (found.count) memcpy(*out, found.items, found.count * sizeof *found.items);
    }
    weir_vector_deinit(&found);
    return ok;
}
