/* What a pod's config still needs when its tags are rendered: texts of config maps, what the pod knows of itself, limits as numbers.
 * What only the executor knows (secrets, the machine) stays. Pure: the run's events say the rest. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "workflow/coordinator.h"

typedef struct pod {
    weir__scope *scope;
    const weir_value *about; /* {labels, annotations} of its own; NULL: nobody asks */
    const weir_value *limits, *requests;
    weir_error *error;
} pod;

/* --- what a pod knows of itself ---------------------------------------------------------------- */

/* Its value; {machine: "name"}: the executor's to say. */
static const struct {
    const char *path, *tag, *text;
} fields[] = {{"metadata.name", "pod.name", NULL},
              {"metadata.namespace", "workflow.namespace", NULL},
              {"metadata.uid", NULL, NULL},
              {"metadata.labels", NULL, NULL},
              {"metadata.annotations", NULL, NULL},
              {"spec.nodeName", NULL, NULL},
              {"spec.serviceAccountName", "workflow.serviceAccountName", NULL},
              {"status.podIP", NULL, "127.0.0.1"},
              {"status.podIPs", NULL, "127.0.0.1"},
              {"status.hostIP", NULL, "127.0.0.1"},
              {"status.hostIPs", NULL, "127.0.0.1"}};
enum { FIELDS = sizeof fields / sizeof *fields };

/* `metadata.labels['KEY']`, or of annotations. */
static bool split_key(weir_str path, bool *label, weir_str *key) {
    static const char *const starts[] = {"metadata.annotations['", "metadata.labels['"};
    for (size_t i = 0; i < 2; i++) {
        weir_str start = weir_str_from(starts[i]);
        if (!weir_str_starts(path, start) || !weir_str_ends(path, WEIR_STR("']")) ||
            path.length < start.length + 2)
            continue;
        *label = i == 1;
        *key = weir_str_slice(path, start.length, path.length - 2);
        return true;
    }
    return false;
}

bool weir__pod_has_field(weir_str path) {
    bool label;
    weir_str key;
    if (split_key(path, &label, &key)) return true;
    for (size_t i = 0; i < FIELDS; i++)
        if (weir_str_is(path, fields[i].path)) return true;
    return false;
}

/* The pod's labels or annotations, with those that Argo gives it. */
static weir_value *all_of(const pod *p, bool label) {
    const weir_value *own = weir_member_named(p->about, label ? "labels" : "annotations");
    const weir__run *run = p->scope->run;
    weir_value *all = weir_object_new();
    weir_buffer text = {0};
    for (size_t i = 0; weir_is(own, WEIR_OBJECT) && i < weir_value_count(own); i++)
        weir_member_set(all, weir_object_key(own, i), weir_value_ref(weir_object_at(own, i)));
    if (label) {
        weir_member_put_text(all, "workflows.argoproj.io/completed", WEIR_STR("false"));
        weir_member_put_text(all, "workflows.argoproj.io/workflow", run->workflow->name);
    } else {
        weir__node_name(run, p->scope->self, &text);
        weir_member_put_text(all, "workflows.argoproj.io/node-name", weir_buffer_str(&text));
    }
    weir_buffer_deinit(&text);
    return all;
}

/* Of all labels a line each, as a volume shows them. */
static void append_lines(const weir_value *all, weir_buffer *out) {
    for (size_t i = 0; i < weir_value_count(all); i++)
        weir_buffer_printf(out, "%s%.*s=\"%.*s\"", i ? "\n" : "", WEIR_ARG(weir_object_key(all, i)),
                           WEIR_ARG(weir_string_get(weir_object_at(all, i))));
}

static void append_uid(const pod *p, weir_buffer *out) {
    weir_buffer name = {0};
    weir__pod_name(p->scope->run, p->scope->self, &name);
    weir_buffer_printf(out, "%08" PRIx32 "-0000-4000-9000-%012" PRIx64,
                       weir_hash_fnv32(weir_buffer_str(&name)),
                       p->scope->run->created_us & UINT64_C(0xffffffffffff));
    weir_buffer_deinit(&name);
}

static weir_value *field_value(const pod *p, weir_str path) {
    bool label = weir_str_is(path, "metadata.labels");
    weir_str key;
    weir_buffer text = {0};
    if (split_key(path, &label, &key)) {
        weir_value *all = all_of(p, label), *found = weir_member(all, key);
        if (found) weir_buffer_str_append(&text, weir_string_get(found));
        weir_value_unref(all);
    } else if (label || weir_str_is(path, "metadata.annotations")) {
        weir_value *all = all_of(p, label);
        append_lines(all, &text);
        weir_value_unref(all);
    } else if (weir_str_is(path, "metadata.uid")) {
        append_uid(p, &text);
    } else if (weir_str_is(path, "spec.nodeName")) {
        weir_value *machine = weir_object_new();
        weir_member_put_text(machine, "machine", WEIR_STR("name"));
        return machine;
    }
    for (size_t i = 0; i < FIELDS; i++) {
        if (!weir_str_is(path, fields[i].path)) continue;
        if (fields[i].text) weir_buffer_text(&text, fields[i].text);
        if (fields[i].tag) /* one that is not known is empty, as in Kubernetes */
            (void)weir__look_up(p->scope, weir_str_from(fields[i].tag), &text);
    }
    weir_value *value = weir_string_from(weir_buffer_str(&text));
    weir_buffer_deinit(&text);
    return value;
}

/* What it may use: its limit, or {machine: what it has}. In units of the divisor, rounded up. */
static weir_value *resource_value(const pod *p, const weir_value *ref) {
    weir_str name = weir_member_text(ref, "resource"), limits = WEIR_STR("limits."),
             requests = WEIR_STR("requests.");
    const weir_value *divisor = weir_member_named(ref, "divisor"), *found = NULL;
    bool limit = weir_str_starts(name, limits);
    double amount, unit = 1;
    if (!limit && !weir_str_starts(name, requests)) {
        weir_fail(p->error, WEIR_INVALID,
                  "`%.*s` is neither `limits.` nor `requests.` of a resource", WEIR_ARG(name));
        return NULL;
    }
    weir_str what = weir_str_slice(name, limit ? limits.length : requests.length, name.length);
    if (!limit && p->requests) found = weir_member(p->requests, what);
    if (!found && p->limits) found = weir_member(p->limits, what);
    if (divisor && (!weir__quantity_read(divisor, &unit) || unit <= 0)) unit = 1;
    weir_value *value = weir_object_new();
    if (!found || !weir__quantity_read(found, &amount)) {
        weir_member_put_text(value, "machine", what);
        weir_member_put(value, "divisor", weir_float_new(unit));
        return value;
    }
    char text[64];
    weir_value_unref(value);
    snprintf(text, sizeof text, "%.0f", ceil(amount / unit - 1e-9));
    return weir_string_from(weir_str_from(text));
}

/* --- config maps -------------------------------------------------------------------------------- */

static bool is_optional(const weir_value *ref) {
    const weir_value *value = weir_member_named(ref, "optional");
    return weir_is(value, WEIR_BOOL) && weir_bool_get(value);
}

/* NULL when it is not there; an error unless it is optional. */
static const weir_value *find_map(const pod *p, const weir_value *ref, bool *good) {
    const weir_value *root = p->scope->run->workflow->source,
                     *maps = weir_member_named(weir_member_named(root, "weir"), "configMaps");
    weir_str name = weir_member_text(ref, "configMap");
    const weir_value *map = maps ? weir_member(maps, name) : NULL;
    *good = map || is_optional(ref) ||
            weir_fail(p->error, WEIR_NOT_FOUND,
                      "ConfigMap '%.*s' does not exist: --library FILE gives weir a file with it",
                      WEIR_ARG(name));
    return map;
}

/* The same of a key of it. */
static weir_value *find_key(const pod *p, const weir_value *ref, const weir_value *map,
                            weir_str key, bool *good) {
    weir_value *text = map ? weir_member(map, key) : NULL;
    *good = text || is_optional(ref) ||
            weir_fail(p->error, WEIR_NOT_FOUND, "ConfigMap '%.*s' does not have the key '%.*s'",
                      WEIR_ARG(weir_member_text(ref, "configMap")), WEIR_ARG(key));
    return weir_value_ref(text);
}

/* Of anything that stands for a text: its value, a new reference; NULL and `good`: it is left out. */
static weir_value *complete_text(const pod *p, weir_value *value, bool *good) {
    weir_str field = weir_member_text(value, "field");
    *good = true;
    if (field.length) return field_value(p, field);
    if (weir_member_named(value, "resource")) {
        weir_value *made = resource_value(p, value);
        *good = made;
        return made;
    }
    if (!weir_member_named(value, "configMap")) return weir_value_ref(value);
    const weir_value *map = find_map(p, value, good);
    return *good ? find_key(p, value, map, weir_member_text(value, "key"), good) : NULL;
}

/* --- variables ---------------------------------------------------------------------------------- */

static void add_all(const weir_value *map, weir_str prefix, weir_value *out) {
    for (size_t i = 0; map && i < weir_value_count(map); i++) {
        weir_buffer name = {0};
        weir_buffer_str_append(&name, prefix);
        weir_buffer_str_append(&name, weir_object_key(map, i));
        if (!memchr(name.data, '=', name.length))
            weir_member_set(out, weir_buffer_str(&name), weir_value_ref(weir_object_at(map, i)));
        weir_buffer_deinit(&name);
    }
}

/* Secrets are left for the executor. */
static bool complete_environment_from(const pod *p, weir_value *container, weir_value *out) {
    const weir_value *list = weir_member_named(container, "environment_from");
    weir_value *left = weir_array_new();
    bool good = true;
    for (size_t i = 0; good && list && i < weir_value_count(list); i++) {
        weir_value *from = weir_array_at(list, i);
        if (weir_member_named(from, "secret")) {
            weir_array_append(left, weir_value_ref(from));
            continue;
        }
        add_all(find_map(p, from, &good), weir_member_text(from, "prefix"), out);
    }
    if (list) weir_member_put(container, "environment_from", left);
    if (!list) weir_value_unref(left);
    return good;
}

static bool complete_environment(const pod *p, weir_value *container) {
    const weir_value *own = weir_member_named(container, "environment");
    if (!own && !weir_member_named(container, "environment_from")) return true;
    weir_value *all = weir_object_new();
    bool good = complete_environment_from(p, container, all);
    for (size_t i = 0; good && own && i < weir_value_count(own); i++) {
        weir_value *value = complete_text(p, weir_object_at(own, i), &good);
        if (value) weir_member_set(all, weir_object_key(own, i), value);
    }
    weir_member_put(container, "environment", all);
    return good;
}

/* --- mounts ------------------------------------------------------------------------------------- */

static void put_file(weir_value *files, weir_str path, const weir_value *mode,
                     weir_value *content) {
    weir_value *file = weir_object_new();
    weir_member_put_text(file, "path", path);
    weir_member_put(file, "content", content);
    if (mode) weir_member_put(file, "mode", weir_value_ref((weir_value *)mode));
    weir_array_append(files, file);
}

/* One of the keys of a config map or a secret. */
static bool add_item(const pod *p, const weir_value *source, const weir_value *map,
                     const weir_value *item, const weir_value *mode, weir_value *files) {
    weir_str secret = weir_member_text(source, "secret"), key = weir_member_text(item, "key");
    const weir_value *own = weir_member_named(item, "mode");
    weir_value *content;
    bool good = true;
    if (secret.length) {
        weir_buffer name = {0};
        weir_buffer_printf(&name, "%.*s.%.*s", WEIR_ARG(secret), WEIR_ARG(key));
        content = weir_object_new();
        weir_member_put_text(content, "secret", weir_buffer_str(&name));
        if (is_optional(source)) weir_member_put(content, "optional", weir_bool_new(true));
        weir_buffer_deinit(&name);
    } else {
        content = find_key(p, source, map, key, &good);
    }
    if (content) put_file(files, weir_member_text(item, "path"), own ? own : mode, content);
    return good;
}

static bool add_source(const pod *p, weir_value *source, const weir_value *mode,
                       weir_value *files) {
    const weir_value *items = weir_member_named(source, "items"), *map = NULL;
    const weir_value *own = weir_member_named(source, "mode");
    bool good = true;
    if (weir_member_named(source, "content")) {
        weir_value *content = complete_text(p, weir_member_named(source, "content"), &good);
        if (content) put_file(files, weir_member_text(source, "path"), own ? own : mode, content);
        return good;
    }
    if (weir_member_named(source, "configMap")) map = find_map(p, source, &good);
    for (size_t i = 0; good && items && i < weir_value_count(items); i++)
        good = add_item(p, source, map, weir_array_at(items, i), mode, files);
    for (size_t i = 0; good && !items && map && i < weir_value_count(map); i++)
        put_file(files, weir_object_key(map, i), mode, weir_value_ref(weir_object_at(map, i)));
    if (!items && weir_member_named(source, "secret")) { /* which keys it has the executor knows */
        weir_value *all = weir_value_own(weir_value_ref(source));
        if (mode) weir_member_put(all, "mode", weir_value_ref((weir_value *)mode));
        weir_array_append(files, all);
    }
    return good;
}

/* subPathExpr: $(NAME) of the container's variables. */
static bool expand_path(const pod *p, const weir_value *container, weir_str text,
                        weir_buffer *out) {
    const weir_value *environment = weir_member_named(container, "environment");
    for (size_t at = 0; at < text.length;) {
        weir_str rest = weir_str_slice(text, at, text.length);
        size_t end = weir_str_starts(rest, WEIR_STR("$(")) ? weir_str_find(rest, WEIR_STR(")"), 2)
                                                           : SIZE_MAX;
        if (end == SIZE_MAX) {
            weir_buffer_byte(out, text.data[at++]);
            continue;
        }
        weir_str name = weir_str_slice(rest, 2, end);
        const weir_value *value = environment ? weir_member(environment, name) : NULL;
        if (!weir_is(value, WEIR_STRING))
            return weir_fail(p->error, WEIR_INVALID,
                             "subPathExpr names the variable `%.*s`, which is no text of `env`",
                             WEIR_ARG(name));
        weir_buffer_str_append(out, weir_string_get(value));
        at += end + 1;
    }
    return true;
}

/* The volume whose name is known only now. */
static bool choose_volume(const pod *p, weir_value *mount) {
    const weir_value *among = weir_member_named(mount, "among");
    weir_str name = weir_member_text(mount, "named");
    weir_value *volume = among ? weir_value_ref(weir_member(among, name)) : NULL;
    bool found = !among || volume ||
                 weir_fail(p->error, WEIR_INVALID, "volume '%.*s' not found in workflow spec",
                           WEIR_ARG(name));
    for (size_t i = 0; volume && i < weir_value_count(volume); i++)
        weir_member_set(mount, weir_object_key(volume, i),
                        weir_value_ref(weir_object_at(volume, i)));
    if (volume) weir_member_put(mount, "among", weir_null_new());
    weir_value_unref(volume);
    return found;
}

static bool put_size(const pod *p, weir_value *mount) {
    const weir_value *size = weir_member_named(mount, "size");
    double bytes;
    if (!size) return true;
    if (!weir__quantity_read(size, &bytes) || bytes >= 9e18)
        return weir_fail(p->error, WEIR_INVALID,
                         "`sizeLimit` is no quantity, such as 500Mi or 1.5Gi");
    if (bytes > 0) weir_member_put(mount, "size_bytes", weir_int_new((int64_t)bytes));
    return true;
}

static bool complete_mount(const pod *p, const weir_value *container, weir_value *mount) {
    bool good = choose_volume(p, mount) && put_size(p, mount);
    const weir_value *from = weir_member_named(mount, "from"),
                     *mode = weir_member_named(mount, "mode");
    weir_str path = weir_member_text(mount, "sub_path_of");
    if (good && path.length) {
        weir_buffer text = {0};
        good = expand_path(p, container, path, &text);
        weir_member_put_text(mount, "sub_path", weir_buffer_str(&text));
        weir_buffer_deinit(&text);
    }
    if (!good || !from) return good;
    weir_value *files = weir_array_new();
    for (size_t i = 0; good && i < weir_value_count(from); i++)
        good = add_source(p, weir_array_at(from, i), mode, files);
    weir_member_put(mount, "files", files);
    weir_member_put(mount, "from", weir_null_new());
    weir_member_put(mount, "read_only", weir_bool_new(true));
    return good;
}

static bool complete_mounts(const pod *p, const weir_value *container, weir_value *holder) {
    const weir_value *mounts = weir_member_named(holder, "mounts");
    if (!mounts) return true;
    weir_value *made = weir_array_new();
    bool good = true;
    for (size_t i = 0; good && i < weir_value_count(mounts); i++) {
        weir_value *mount = weir_value_own(weir_value_ref(weir_array_at(mounts, i)));
        good = complete_mount(p, container, mount);
        weir_array_append(made, mount);
    }
    weir_member_put(holder, "mounts", made);
    return good;
}

/* --- limits ------------------------------------------------------------------------------------- */

static bool put_amount(const pod *p, const weir_value *resources, const char *resource,
                       double factor, weir_value *holder, const char *name) {
    const weir_value *value = weir_member_named(resources, resource);
    double amount;
    if (!value || weir_is(value, WEIR_NULL)) return true;
    if (!weir__quantity_read(value, &amount))
        return weir_fail(p->error, WEIR_INVALID,
                         "resources: `%s` is no quantity, such as 500m, 2 or 1.5Gi", resource);
    if (amount > 0) weir_member_put(holder, name, weir_int_new((int64_t)ceil(amount * factor)));
    return true;
}

static bool complete_limits(const pod *p, weir_value *holder) {
    return put_amount(p, p->limits, "cpu", 1000, holder, "cpu_milli") &&
           put_amount(p, p->limits, "memory", 1, holder, "memory_bytes") &&
           put_amount(p, p->limits, "ephemeral-storage", 1, holder, "file_bytes") &&
           put_amount(p, p->requests, "cpu", 1000, holder, "cpu_milli_asked") &&
           put_amount(p, p->requests, "memory", 1, holder, "memory_bytes_asked");
}

/* Of the container's own members, and of those of its sandbox. */
static bool complete_container(pod *p, weir_value *container) {
    const weir_value *resources = weir_member_named(container, "resources"),
                     *sandbox = weir_member_named(container, "sandbox");
    weir_value *kept = weir_value_ref((weir_value *)resources);
    weir_value *own = sandbox ? weir_value_own(weir_value_ref((weir_value *)sandbox)) : container;
    p->limits = weir_member_named(kept, "limits");
    p->requests = weir_member_named(kept, "requests");
    bool good = complete_environment(p, container) && complete_mounts(p, container, own) &&
                complete_limits(p, own);
    if (sandbox) weir_member_put(container, "sandbox", own);
    if (kept) weir_member_put(container, "resources", weir_null_new());
    weir_value_unref(kept);
    return good;
}

weir_value *weir__complete_pod(weir__scope *scope, weir_value *config, weir_error *error) {
    pod p = {.scope = scope, .error = error};
    weir_value *about = weir_value_ref(weir_member_named(config, "pod"));
    config = weir_value_own(config);
    p.about = about;
    bool good = complete_container(&p, config);
    const weir_value *others = weir_member_named(config, "containers");
    if (good && weir_is(others, WEIR_ARRAY)) {
        weir_value *made = weir_array_new();
        for (size_t i = 0; good && i < weir_value_count(others); i++) {
            weir_value *container = weir_value_own(weir_value_ref(weir_array_at(others, i)));
            good = complete_container(&p, container);
            weir_array_append(made, container);
        }
        weir_member_put(config, "containers", made);
    }
    if (about) weir_member_put(config, "pod", weir_null_new());
    weir_value_unref(about);
    if (good) return config;
    weir_value_unref(config);
    return NULL;
}
