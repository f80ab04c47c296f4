/* Volumes: what a file says of them becomes what an attempt's mounts say (executor/sandbox_spec.h). A volume is compiled to the
 * members that each of its mounts has beside its own; of config maps, secrets and fields of the pod, which make a folder of files, that
 * is {from: [...], mode}, until the tags are rendered and weir__complete_pod knows what they are. */
#include <stdio.h>

#include "workflow/coordinator.h"
#include "workflow/load_internal.h"

enum { FILE_MODE = 0644 };

/* Every text in it, keys apart. */
static void check_texts(weir__compiler *c, const weir__site *site, const weir_value *value) {
    bool object = weir_is(value, WEIR_OBJECT);
    if (weir_is(value, WEIR_STRING)) weir__check_text(c, site, weir_string_get(value), NULL);
    if (!object && !weir_is(value, WEIR_ARRAY)) return;
    for (size_t i = 0; i < weir_value_count(value); i++)
        check_texts(c, site, object ? weir_object_at(value, i) : weir_array_at(value, i));
}

/* A problem when the member is not there; else it is put as `name`. */
static void require_text(weir__compiler *c, const weir_value *source, const char *key,
                         weir_value *out, const char *name) {
    weir_str text = WEIR_STR("");
    if (!weir__text_field(c, source, key, &text) || !text.length)
        weir__problem(c, WEIR_INVALID, "`%s` is required", key);
    else
        weir_member_put_text(out, name, text);
}

static void put_mode(weir__compiler *c, const weir_value *source, const char *key,
                     weir_value *out) {
    enum { MODE_MAX = 0777 };
    const weir_value *mode = weir__field(c, source, key, WEIR_INT);
    if (!mode) return;
    int64_t bits = weir_int_get(mode);
    if (bits < 0 || bits > MODE_MAX)
        weir__problem(c, WEIR_INVALID, "`%s` must be from 0 to 0777", key);
    else
        weir_member_put(out, "mode", weir_int_new(bits));
}

static void put_flag(weir__compiler *c, const weir_value *source, const char *key,
                     weir_value *out) {
    if (weir__bool_field(c, source, key, false)) weir_member_put(out, key, weir_bool_new(true));
}

/* --- folders of files ------------------------------------------------------------------------- */

/* Each of the list, compiled by `one` to what `out` gets. */
static void compile_list(weir__compiler *c, const weir_value *source, const char *key,
                         void (*one)(weir__compiler *c, const weir_value *item, weir_value *out),
                         weir_value *out) {
    const weir_value *list = weir__field(c, source, key, WEIR_ARRAY);
    for (size_t i = 0; list && i < weir_value_count(list); i++) {
        size_t mark = weir__enter(c, "%s/%zu", key, i);
        weir_value *made = weir_object_new();
        one(c, weir_array_at(list, i), made);
        weir_array_append(out, made);
        weir__leave(c, mark);
    }
}

static void compile_key(weir__compiler *c, const weir_value *item, weir_value *out) {
    require_text(c, item, "key", out, "key");
    require_text(c, item, "path", out, "path");
    put_mode(c, item, "mode", out);
}

/* What a config map or a secret gives: {configMap | secret: NAME, items?, optional?}. */
static void compile_source(weir__compiler *c, const weir_value *source, const char *name,
                           const char *kind, weir_value *out) {
    require_text(c, source, name, out, kind);
    put_flag(c, source, "optional", out);
    if (!weir__field(c, source, "items", WEIR_ARRAY)) return;
    weir_value *items = weir_array_new();
    compile_list(c, source, "items", compile_key, items);
    weir_member_put(out, "items", items);
}

static void compile_field(weir__compiler *c, const weir_value *item, weir_value *out) {
    require_text(c, item, "path", out, "path");
    put_mode(c, item, "mode", out);
    weir_value *value = weir__compile_field_ref(c, item);
    if (value) weir_member_put(out, "content", value);
}

/* All files are of one source of that kind, which the member `name` names. */
static void compile_only_source(weir__compiler *c, const weir_value *source, const char *name,
                                const char *kind, weir_value *out) {
    weir_value *from = weir_array_new(), *one = weir_object_new();
    compile_source(c, source, name, kind, one);
    weir_array_append(from, one);
    weir_member_put(out, "from", from);
    put_mode(c, source, "defaultMode", out);
}

static void compile_config_map(weir__compiler *c, const weir_value *source, weir_value *out) {
    compile_only_source(c, source, "name", "configMap", out);
}

static void compile_secret(weir__compiler *c, const weir_value *source, weir_value *out) {
    compile_only_source(c, source, "secretName", "secret", out);
}

static void compile_downward(weir__compiler *c, const weir_value *source, weir_value *out) {
    weir_value *from = weir_array_new();
    compile_list(c, source, "items", compile_field, from);
    weir_member_put(out, "from", from);
    put_mode(c, source, "defaultMode", out);
}

static void compile_projected(weir__compiler *c, const weir_value *source, weir_value *out) {
    const weir_value *list = weir__field(c, source, "sources", WEIR_ARRAY);
    weir_value *from = weir_array_new();
    for (size_t i = 0; list && i < weir_value_count(list); i++) {
        size_t mark = weir__enter(c, "sources/%zu", i);
        const weir_value *item = weir_array_at(list, i);
        const weir_value *map = weir__field(c, item, "configMap", WEIR_OBJECT),
                         *secret = weir__field(c, item, "secret", WEIR_OBJECT),
                         *fields = weir__field(c, item, "downwardAPI", WEIR_OBJECT);
        weir__enter(c, map ? "configMap" : secret ? "secret" : "downwardAPI");
        if (map || secret) {
            weir_value *one = weir_object_new();
            compile_source(c, map ? map : secret, "name", map ? "configMap" : "secret", one);
            weir_array_append(from, one);
        } else if (fields) {
            compile_list(c, fields, "items", compile_field, from);
        } else {
            weir__problem(
                c, WEIR_UNSUPPORTED,
                "a source of a projected volume is one of configMap, secret, downwardAPI; "
                "others need Kubernetes");
        }
        weir__leave(c, mark);
    }
    weir_member_put(out, "from", from);
    put_mode(c, source, "defaultMode", out);
}

/* --- folders ---------------------------------------------------------------------------------- */

static void compile_empty(weir__compiler *c, const weir_value *source, weir_value *out) {
    weir_str text;
    double bytes;
    const weir_value *limit = weir_member_named(source, "sizeLimit");
    bool given = limit && !weir_is(limit, WEIR_NULL);
    if (given && weir__any_text(c, limit, &text) && text.length) {
        weir_value *size = weir_string_from(text);
        if (!weir__has_tag(text) && !weir__quantity_read(size, &bytes)) {
            size_t mark = weir__enter(c, "sizeLimit");
            weir__problem(c, WEIR_INVALID, "`sizeLimit` is no quantity, such as 500Mi or 1.5Gi");
            weir__leave(c, mark);
        }
        weir_member_put(out, "size", size);
    }
    if (weir__text_field(c, source, "medium", &text) && weir_str_is(text, "Memory"))
        weir_member_put(out, "memory", weir_bool_new(true));
}

static void compile_claim(weir__compiler *c, const weir_value *source, weir_value *out) {
    require_text(c, source, "claimName", out, "claim");
    if (weir__bool_field(c, source, "readOnly", false))
        weir_member_put(out, "read_only", weir_bool_new(true));
}

static void compile_host(weir__compiler *c, const weir_value *source, weir_value *out) {
    weir_str type = WEIR_STR("");
    if (!c->workflow->allow_host_path) {
        size_t before = c->problems->count;
        weir__problem(c, WEIR_INVALID,
                      "a hostPath volume shows files of this machine: it needs --allow-host-path");
        if (c->problems->count > before)
            weir_error_hint(&c->problems->items[before],
                            "a persistentVolumeClaim is a folder that weir keeps");
    }
    require_text(c, source, "path", out, "host");
    if (weir__text_field(c, source, "type", &type) && weir_str_is(type, "DirectoryOrCreate"))
        weir_member_put(out, "create", weir_bool_new(true));
}

/* A claim that Kubernetes would make for the pod alone: an empty folder. */
static void compile_ephemeral(weir__compiler *c, const weir_value *source, weir_value *out) {
    (void)c, (void)source, (void)out;
}

/* --- volumes ---------------------------------------------------------------------------------- */

static const struct kind {
    const char *field;
    void (*compile)(weir__compiler *c, const weir_value *source, weir_value *out);
    bool scratch; /* a folder of the attempt's own */
} kinds[] = {
    {"emptyDir", compile_empty, true},        {"persistentVolumeClaim", compile_claim, false},
    {"configMap", compile_config_map, false}, {"secret", compile_secret, false},
    {"projected", compile_projected, false},  {"downwardAPI", compile_downward, false},
    {"hostPath", compile_host, false},        {"ephemeral", compile_ephemeral, true}};

/* What is of this volume beside its name; NULL: nothing, which is an empty folder. */
static const struct kind *kind_of(weir__compiler *c, const weir_value *source,
                                  const weir_value **body) {
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        *body = weir_member_named(source, kinds[i].field);
        if (*body) return &kinds[i];
    }
    for (size_t i = 0; i < weir_value_count(source); i++) {
        weir_str key = weir_object_key(source, i);
        if (weir_str_is(key, "name") || weir_is(weir_object_at(source, i), WEIR_NULL)) continue;
        weir__problem(c, WEIR_UNSUPPORTED,
                      "a volume of the kind `%.*s` needs Kubernetes; here there are emptyDir, "
                      "persistentVolumeClaim, configMap, secret, projected, downwardAPI, ephemeral "
                      "and hostPath",
                      WEIR_ARG(key));
        break;
    }
    return &kinds[0];
}

static void compile_volume(weir__compiler *c, const weir_value *source, weir_value *out) {
    weir_str name = WEIR_STR("");
    const weir_value *body = NULL;
    if (!weir__text_field(c, source, "name", &name) || !name.length) {
        weir__problem(c, WEIR_INVALID, "volumes.name is required");
        return;
    }
    const struct kind *kind = kind_of(c, source, &body);
    weir_value *volume = weir_object_new();
    size_t mark = weir__enter(c, "%s", kind->field);
    if (weir_is(body, WEIR_OBJECT)) kind->compile(c, body, volume);
    weir__leave(c, mark);
    if (kind->scratch) weir_member_put_text(volume, "scratch", name);
    weir_member_set(out, name, volume);
}

static weir_value *compile_volumes(weir__compiler *c, const weir_value *holder) {
    weir_value *volumes = weir_object_new();
    const weir_value *list = weir__field(c, holder, "volumes", WEIR_ARRAY);
    for (size_t i = 0; list && i < weir_value_count(list); i++) {
        size_t mark = weir__enter(c, "volumes/%zu", i);
        compile_volume(c, weir_array_at(list, i), volumes);
        weir__leave(c, mark);
    }
    return volumes;
}

static void compile_claim_templates(weir__compiler *c, const weir_value *spec, weir_value *out) {
    const weir_value *list = weir__field(c, spec, "volumeClaimTemplates", WEIR_ARRAY);
    for (size_t i = 0; list && i < weir_value_count(list); i++) {
        size_t mark = weir__enter(c, "volumeClaimTemplates/%zu/metadata", i);
        weir_str name = WEIR_STR("");
        const weir_value *metadata = weir_member_named(weir_array_at(list, i), "metadata");
        if (!weir__text_field(c, metadata, "name", &name) || !name.length) {
            weir__problem(c, WEIR_INVALID, "volumeClaimTemplates[%zu].metadata.name is required",
                          i);
        } else {
            weir_value *volume = weir_object_new();
            weir_member_put_text(volume, "volume", name);
            weir_member_set(out, name, volume);
        }
        weir__leave(c, mark);
    }
}

void weir__compile_volumes(weir__compiler *c, const weir_value *spec) {
    const weir_value *gc = weir__field(c, spec, "volumeClaimGC", WEIR_OBJECT);
    c->workflow->volumes = compile_volumes(c, spec);
    compile_claim_templates(c, spec, c->workflow->volumes);
    c->workflow->plan.keeps_failed_volumes =
        weir_member_named(spec, "volumeClaimTemplates") &&
        !weir_str_is(weir_member_text(gc, "strategy"), "OnWorkflowCompletion");
}

/* --- mounts ----------------------------------------------------------------------------------- */

/* The workflow's tags are looked at where a template's attempt will render them. */
static void check_volume(weir__compiler *c, const weir__site *site, const weir_value *volume,
                         bool own) {
    weir_buffer path = c->path;
    if (!own) {
        c->path = (weir_buffer){0};
        weir__enter(c, "spec/volumes");
    }
    check_texts(c, site, volume);
    if (own) return;
    weir_buffer_deinit(&c->path);
    c->path = path;
}

static void say_unknown(weir__compiler *c, weir_str name) {
    size_t before = c->problems->count;
    weir__problem(c, WEIR_INVALID, "volume '%.*s' not found in workflow spec", WEIR_ARG(name));
    if (c->problems->count == before) return;
    weir_nearest nearest = weir_nearest_to(name);
    const weir_value *lists[] = {c->own_volumes, c->workflow->volumes};
    for (size_t l = 0; l < 2; l++)
        for (size_t i = 0; lists[l] && i < weir_value_count(lists[l]); i++)
            weir_nearest_try(&nearest, weir_object_key(lists[l], i));
    weir_error_hint_near(&c->problems->items[before], nearest.best, "");
}

/* A name with tags says only at the node's start which volume it is: one of all that there are. */
static weir_value *volume_to_be(weir__compiler *c, weir_str name) {
    weir_value *among = weir_object_new(), *volume = weir_object_new();
    const weir_value *lists[] = {c->workflow->volumes, c->own_volumes};
    for (size_t l = 0; l < 2; l++)
        for (size_t i = 0; lists[l] && i < weir_value_count(lists[l]); i++)
            weir_member_set(among, weir_object_key(lists[l], i),
                            weir_value_ref(weir_object_at(lists[l], i)));
    weir_member_put_text(volume, "named", name);
    weir_member_put(volume, "among", among);
    return volume;
}

/* What its mounts have; NULL, and a problem: there is none. */
static weir_value *find_volume(weir__compiler *c, weir_str name, bool *of_template) {
    weir_value *volume = c->own_volumes ? weir_member(c->own_volumes, name) : NULL;
    *of_template = volume || weir__has_tag(name);
    if (!volume) volume = weir_member(c->workflow->volumes, name);
    if (volume) return weir_value_ref(volume);
    if (weir__has_tag(name)) return volume_to_be(c, name);
    say_unknown(c, name);
    return NULL;
}

static void compile_mount(weir__compiler *c, const weir__site *site, const weir_value *source,
                          weir_value *mounts) {
    static const char *const texts[][2] = {
        {"mountPath", "at"}, {"subPath", "sub_path"}, {"subPathExpr", "sub_path_of"}};
    weir_str name = WEIR_STR(""), text;
    if (!weir__text_field(c, source, "name", &name) || !name.length) {
        weir__problem(c, WEIR_INVALID, "volumeMounts.name is required");
        return;
    }
    bool of_template;
    weir_value *volume = find_volume(c, name, &of_template);
    if (!volume) return;
    weir_error error;
    if (c->scope && !of_template) {
        weir_value *rendered = weir__render_value(c->scope, volume, &error);
        weir_value_unref(volume);
        volume = rendered;
    }
    if (!volume) {
        weir__problem(c, WEIR_INVALID, "%s", error.message);
        return;
    }
    check_volume(c, site, volume, of_template);
    weir_value *mount = weir_object_new();
    for (size_t i = 0; i < weir_value_count(volume); i++)
        weir_member_set(mount, weir_object_key(volume, i),
                        weir_value_ref(weir_object_at(volume, i)));
    weir_value_unref(volume);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (!weir__text_field(c, source, texts[i][0], &text) || !text.length) continue;
        size_t mark = weir__enter(c, "%s", texts[i][0]);
        weir__check_text(c, site, text, NULL);
        weir__leave(c, mark);
        weir_member_put_text(mount, texts[i][1], text);
    }
    c->incomplete |= weir_member_named(mount, "from") || weir_member_named(mount, "sub_path_of") ||
                     weir_member_named(mount, "named") || weir_member_named(mount, "size");
    if (!weir_member_named(mount, "at"))
        weir__problem(c, WEIR_INVALID, "volumeMounts.mountPath is required");
    if (weir__bool_field(c, source, "readOnly", false))
        weir_member_put(mount, "read_only", weir_bool_new(true));
    weir_array_append(mounts, mount);
}

weir_value *weir__compile_own_volumes(weir__compiler *c, const weir_value *template) {
    return weir_member_named(template, "volumes") ? compile_volumes(c, template) : NULL;
}

void weir__compile_mounts(weir__compiler *c, const weir__site *site, const weir_value *container,
                          weir_value *sandbox) {
    const weir_value *list = weir__field(c, container, "volumeMounts", WEIR_ARRAY);
    size_t own = list ? weir_value_count(list) : 0,
           all = own + (c->set_mounts ? weir_value_count(c->set_mounts) : 0);
    if (!all) return;
    weir_value *mounts = weir_array_new();
    for (size_t i = 0; i < all; i++) {
        size_t mark = weir__enter(c, "volumeMounts/%zu", i < own ? i : i - own);
        compile_mount(c, site,
                      i < own ? weir_array_at(list, i) : weir_array_at(c->set_mounts, i - own),
                      mounts);
        /* Not each container of a set has to want what all have. */
        if (i >= own && weir_value_count(mounts))
            weir_member_put(weir_array_at(mounts, weir_value_count(mounts) - 1), "provided",
                            weir_bool_new(true));
        weir__leave(c, mark);
    }
    weir_member_put(sandbox, "mounts", mounts);
}
