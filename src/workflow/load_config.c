/* Config maps and secrets: parameters that come from them, and which of them a workflow refers to. */
#include <stdlib.h>

#include "data/json.h"
#include "workflow/load_internal.h"
#include "workflow/template.h"

/* --- their texts ----------------------------------------------------------------------------- */

static const signed char *base64_digits(void) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static signed char values[256];
    if (values['B']) return values;
    memset(values, -1, sizeof values);
    for (size_t i = 0; i < 64; i++) values[(unsigned char)digits[i]] = (signed char)i;
    return values;
}

bool weir__decode_base64(weir_str text, weir_buffer *out) {
    const signed char *values = base64_digits();
    uint32_t bits = 0;
    size_t have = 0, padding = 0;
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (strchr(" \t\r\n", c) && c) continue;
        if (c == '=') {
            padding++;
            continue;
        }
        if (values[c] < 0 || padding) return false;
        bits = (bits << 6) | (uint8_t)values[c];
        if (++have % 4) continue;
        weir_buffer_append(out, (char[]){(char)(bits >> 16), (char)(bits >> 8), (char)bits}, 3);
    }
    if (have % 4 == 1 || padding > 2 || (padding && (have + padding) % 4)) return false;
    if (have % 4 == 2) weir_buffer_byte(out, (char)(bits >> 4));
    if (have % 4 == 3) weir_buffer_append(out, (char[]){(char)(bits >> 10), (char)(bits >> 2)}, 2);
    return true;
}

bool weir_workflow_secret(const weir_value *root, weir_value **out, weir_error *error) {
    static const char *const members[] = {"data", "stringData"};
    weir_str name = weir_member_text(weir_member_named(root, "metadata"), "name");
    weir_value *all = weir_object_new();
    bool ok = true;
    for (size_t m = 0; m < 2; m++) {
        const weir_value *data = weir__object_member(root, members[m]);
        for (size_t i = 0; ok && data && i < weir_value_count(data); i++) {
            weir_buffer text = {0};
            const weir_value *value = weir_object_at(data, i);
            weir_str given = weir_is(value, WEIR_STRING) ? weir_string_get(value) : WEIR_STR("");
            if (m == 1)
                weir_buffer_str_append(&text, given);
            else
                ok = weir__decode_base64(given, &text);
            if (!ok)
                weir_fail(error, WEIR_INVALID, "the key `%.*s` of the Secret `%.*s` is no base64",
                          WEIR_ARG(weir_object_key(data, i)), WEIR_ARG(name));
            weir_member_set(all, weir_object_key(data, i),
                            weir_string_from(weir_buffer_str(&text)));
            weir_buffer_deinit(&text);
        }
    }
    if (ok)
        *out = all;
    else
        weir_value_unref(all);
    return ok;
}

/* A config map's text; keys whose values are no texts have none. */
static bool find_text(const weir__source *map, weir_str key, weir_str *out) {
    const weir_value *data = weir__object_member(map->value, "data");
    const weir_value *text = data ? weir_member(data, key) : NULL;
    if (!weir_is(text, WEIR_STRING)) return false;
    *out = weir_string_get(text);
    return true;
}

/* --- parameters ------------------------------------------------------------------------------ */

typedef struct filling {
    weir__loader *l;
    const weir_value *given;
    const weir__source *source;
    const char *path;
} filling;

static weir_value *say_missing(const filling *f, size_t index, weir_value *parameter,
                               const weir__source *map, weir_str name, weir_str key) {
    const char *path = weir__load_text(f->l, "%s/%zu/valueFrom/configMapKeyRef", f->path, index);
    size_t before = f->l->problems->count;
    weir_nearest nearest = weir_nearest_to(key);
    const weir_value *data = map ? weir__object_member(map->value, "data") : NULL;
    for (size_t i = 0; weir__load_tells(f->l) && data && i < weir_value_count(data); i++)
        weir_nearest_try(&nearest, weir_object_key(data, i));
    if (map)
        weir__load_problem(f->l, f->source, path, nearest.best,
                           "ConfigMap '%.*s' does not have the key '%.*s'", WEIR_ARG(name),
                           WEIR_ARG(key));
    else
        weir__load_problem(f->l, f->source, path, weir__source_near(f->l, "ConfigMap", name),
                           "ConfigMap '%.*s' does not exist", WEIR_ARG(name));
    if (f->l->problems->count > before && !f->l->problems->items[before].hint[0])
        weir_error_hint(&f->l->problems->items[before], "--library FILE gives weir a file with it");
    return weir__with(weir_value_ref(parameter), "value", weir_string_from(WEIR_STR("")));
}

/* What a parameter of the workflow has; false: nothing. */
static bool find_argument(const weir__loader *l, weir_str name, weir_str *out) {
    const weir_value *given = weir_member_named(l->request, "parameters"), *value = NULL;
    if (weir_is(given, WEIR_OBJECT)) value = weir_member(given, name);
    for (size_t i = 0; !value && l->arguments && i < weir_value_count(l->arguments); i++) {
        const weir_value *parameter = weir_array_at(l->arguments, i);
        if (!weir_str_equal(weir_member_text(parameter, "name"), name)) continue;
        value = weir_member_named(parameter, "value");
        if (!value || weir_is(value, WEIR_NULL)) value = weir_member_named(parameter, "default");
    }
    if (!weir_is(value, WEIR_STRING)) return false;
    *out = weir_string_get(value);
    return true;
}

/* Argo puts a global parameter where the name of a config map, or of its key, is one tag; other tags it leaves. */
static bool replace_tag(const weir__loader *l, weir_str *text) {
    weir_str prefix = WEIR_STR("workflow.parameters."), tag = weir_str_trim(*text);
    if (!weir__has_tag(*text)) return true;
    if (!weir_str_starts(tag, WEIR_STR("{{")) || !weir_str_ends(tag, WEIR_STR("}}"))) return false;
    tag = weir_str_trim(weir_str_slice(tag, 2, tag.length - 2));
    return weir_str_starts(tag, prefix) &&
           find_argument(l, weir_str_slice(tag, prefix.length, tag.length), text);
}

static weir_value *say_unknown_tag(const filling *f, size_t index, weir_value *parameter,
                                   weir_str text) {
    const char *path = weir__load_text(f->l, "%s/%zu/valueFrom/configMapKeyRef", f->path, index);
    weir__load_problem(f->l, f->source, path, WEIR_STR(""),
                       "`%.*s` names no ConfigMap, nor a key of one: here a text may be a tag of "
                       "one of the workflow's parameters, as a whole",
                       WEIR_ARG(text));
    return weir__with(weir_value_ref(parameter), "value", weir_string_from(WEIR_STR("")));
}

static weir_value *fill(void *arg, weir_value *parameter, size_t index) {
    const filling *f = arg;
    const weir_value *from = weir__object_member(parameter, "valueFrom");
    const weir_value *ref = weir__object_member(from, "configMapKeyRef");
    const weir_value *value = weir_member_named(parameter, "value");
    weir_str name = weir_member_text(ref, "name"), key = weir_member_text(ref, "key"), text;
    bool has = value && !weir_is(value, WEIR_NULL);
    bool given = weir_is(f->given, WEIR_OBJECT) &&
                 weir_member(f->given, weir_member_text(parameter, "name"));
    if (!ref || has || given) return weir_value_ref(parameter);
    if (!replace_tag(f->l, &name)) return say_unknown_tag(f, index, parameter, name);
    if (!replace_tag(f->l, &key)) return say_unknown_tag(f, index, parameter, key);
    const weir__source *map = weir__source_find(f->l, "ConfigMap", name);
    weir_value *fallback = weir_member_named(from, "default");
    const weir_value *optional = weir_member_named(ref, "optional");
    if (!fallback) fallback = weir_member_named(parameter, "default");
    if (map && find_text(map, key, &text))
        value = weir_string_from(text);
    else if (fallback)
        value = weir_value_ref(fallback);
    else if (weir_is(optional, WEIR_BOOL) && weir_bool_get(optional))
        value = weir_string_from(WEIR_STR(""));
    else
        return say_missing(f, index, parameter, map, name, key);
    return weir__with(weir_value_ref(parameter), "value", (weir_value *)value);
}

weir_value *weir__fill_parameters(weir__loader *l, const weir_value *list, const weir_value *given,
                                  const weir__source *source, const char *path) {
    filling f = {l, given, source, path};
    return weir__map_items(list, fill, &f);
}

weir_value *weir__pluralize(weir_value *holder) {
    static const char *const names[][2] = {{"mutex", "mutexes"}, {"semaphore", "semaphores"}};
    const weir_value *locks = weir__object_member(holder, "synchronization");
    if (!locks) return holder;
    weir_value *out = weir_value_ref((weir_value *)locks);
    for (size_t i = 0; i < 2; i++) {
        weir_value *one = weir_member_named(out, names[i][0]), *all = weir_array_new();
        const weir_value *list = weir_member_named(out, names[i][1]);
        if (!weir_is(one, WEIR_OBJECT)) {
            weir_value_unref(all);
            continue;
        }
        weir_array_append(all, weir_value_ref(one));
        weir_array_append_all(all, list);
        out = weir__with(weir__without(out, names[i][0]), names[i][1], all);
    }
    return weir__with(holder, "synchronization", out);
}

/* --- what is referred to --------------------------------------------------------------------- */

static void keep_map(weir__loader *l, const weir__source *map) {
    weir_value *texts = weir_object_new();
    const weir_value *data = weir__object_member(map->value, "data");
    size_t bytes = 0;
    for (size_t i = 0; data && i < weir_value_count(data); i++) {
        weir_value *text = weir_object_at(data, i);
        if (!weir_is(text, WEIR_STRING)) {
            weir__load_problem(l, map, "data", WEIR_STR(""),
                               "the key '%.*s' of the ConfigMap '%.*s' must be a text",
                               WEIR_ARG(weir_object_key(data, i)), WEIR_ARG(map->name));
            continue;
        }
        bytes += weir_string_get(text).length;
        weir_member_set(texts, weir_object_key(data, i), weir_value_ref(text));
    }
    if (bytes > WEIR__CONFIG_MAP_BYTES_MAX)
        weir__load_problem(l, map, "data", WEIR_STR(""),
                           "the ConfigMap '%.*s' is larger than %d bytes", WEIR_ARG(map->name),
                           WEIR__CONFIG_MAP_BYTES_MAX);
    weir_member_set(l->config_maps, map->name, texts);
}

static void keep_secret(weir__loader *l, const weir__source *secret) {
    weir_value *where = weir_object_new();
    char *path = realpath(secret->document->file, NULL);
    weir_member_put_text(where, "file", weir_str_from(secret->document->file));
    if (path) weir_member_put_text(where, "path", weir_str_from(path));
    free(path);
    weir_member_set(l->secrets, secret->name, where);
}

static void keep(weir__loader *l, const weir__source *source) {
    bool secret = source->kind.data[0] == 'S';
    if (weir_member(secret ? l->secrets : l->config_maps, source->name)) return;
    if (secret)
        keep_secret(l, source);
    else
        keep_map(l, source);
}

/* A name with tags may be any. */
static void refer(weir__loader *l, const char *kind, weir_str name) {
    bool tags = weir__has_tag(name), *all = kind[0] == 'S' ? &l->all_secrets : &l->all_maps;
    const weir__source *one = tags ? NULL : weir__source_find(l, kind, name);
    if (one) keep(l, one);
    if (!tags || *all) return;
    *all = true;
    for (size_t i = 0; i < l->source_count; i++)
        if (weir_str_is(l->sources[i].kind, kind) && l->sources[i].name.length)
            keep(l, &l->sources[i]);
}

static void refer_member(weir__loader *l, weir_str key, const weir_value *value) {
    weir_str name =
        weir_is(value, WEIR_STRING) ? weir_string_get(value) : weir_member_text(value, "name");
    if (weir_str_is(key, "podSpecPatch")) { /* it may refer to any */
        refer(l, "ConfigMap", WEIR_STR("{{any}}"));
        refer(l, "Secret", WEIR_STR("{{any}}"));
    } else if (weir_str_starts(key, WEIR_STR("configMap")))
        refer(l, "ConfigMap", name);
    else if (weir_str_is(key, "secretName") || weir_str_starts(key, WEIR_STR("secret")) ||
             weir_str_ends(key, WEIR_STR("Secret")))
        refer(l, "Secret", name);
}

static void gather(weir__loader *l, const weir_value *value) {
    bool object = weir_is(value, WEIR_OBJECT);
    if (!object && !weir_is(value, WEIR_ARRAY)) return;
    for (size_t i = 0; i < weir_value_count(value); i++) {
        const weir_value *item = object ? weir_object_at(value, i) : weir_array_at(value, i);
        if (object) refer_member(l, weir_object_key(value, i), item);
        gather(l, item);
    }
}

void weir__gather(weir__loader *l, const weir_value *value) {
    bool any = false;
    for (size_t i = 0; i < l->source_count && !any; i++)
        any = weir_str_is(l->sources[i].kind, "ConfigMap") ||
              weir_str_is(l->sources[i].kind, "Secret");
    l->config_maps = weir_object_new();
    l->secrets = weir_object_new();
    if (any) gather(l, value);
}

/* --- repositories of artifacts ----------------------------------------------------------------- */

/* How keys are made, of a repository as Argo's controller has it. */
static weir_str format_of(const weir_value *repository) {
    static const char *const kinds[][2] = {{"s3", "keyFormat"},    {"gcs", "keyFormat"},
                                           {"oss", "keyFormat"},   {"artifactory", "keyFormat"},
                                           {"hdfs", "pathFormat"}, {"azure", "blobNameFormat"}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const weir_value *kind = weir_member_named(repository, kinds[i][0]);
        weir_str format = weir_member_text(kind, kinds[i][1]);
        if (format.length) return format;
    }
    return WEIR_STR("");
}

/* Argo's names where the reference says none. One that is not there is the local repository as it is. */
void weir__find_key_format(weir__loader *l, const weir_value *spec) {
    const weir_value *ref = weir__object_member(spec, "artifactRepositoryRef");
    if (!ref) return;
    weir_str name = weir_member_text(ref, "configMap"), key = weir_member_text(ref, "key"), text;
    if (!name.length) name = WEIR_STR("artifact-repositories");
    const weir__source *map = weir__source_find(l, "ConfigMap", name);
    if (!map) return;
    const weir_value *annotations =
        weir_member_named(weir_member_named(map->value, "metadata"), "annotations");
    if (!key.length)
        key = weir_member_text(annotations, "workflows.argoproj.io/default-artifact-repository");
    weir_document document = {0};
    weir_error error;
    if (!key.length || !find_text(map, key, &text)) return;
    if (!weir_document_parse(&document, "repository", text, WEIR_YAML_1_1, &error)) {
        weir__load_problem(l, map, "data", WEIR_STR(""), "ConfigMap '%.*s' key '%.*s': %s",
                           WEIR_ARG(name), WEIR_ARG(key), error.message);
        return;
    }
    if (document.roots.count) {
        weir_str format = format_of(document.roots.items[0]);
        l->key_format = weir_str_from(weir_str_copy(&l->arena, format));
    }
    weir_document_deinit(&document);
}
