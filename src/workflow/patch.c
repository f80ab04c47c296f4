/* podSpecPatch: what it says of containers and volumes is merged into a pod's as Kubernetes would, when the node starts, since it
 * has tags; then the containers are compiled again. */
#include "data/json.h"
#include "data/yaml.h"
#include "workflow/coordinator.h"
#include "workflow/load_internal.h"

/* What of a template makes its pod. */
static const char *const parts[] = {"container",      "script",  "containerSet", "sidecars",
                                    "initContainers", "volumes", "metadata",     NULL};

/* An object, or absent. A new reference. */
static bool parse_patch(weir_str text, weir_value **out, weir_error *error) {
    weir_values roots = {0};
    weir_str name = WEIR_STR("podSpecPatch");
    *out = NULL;
    if (weir_str_starts(weir_str_trim(text), WEIR_STR("{"))) {
        if (!weir_json_parse(text, name, out, error)) return false;
    } else if (!weir_yaml_parse(text, name, WEIR_YAML_1_1, &roots, error)) {
        return false;
    }
    if (roots.count) *out = weir_value_ref(roots.items[0]);
    bool one = roots.count < 2 && (!*out || weir_is(*out, WEIR_OBJECT) || weir_is(*out, WEIR_NULL));
    weir_values_deinit(&roots);
    if (one) return true;
    weir_value_unref(*out);
    *out = NULL;
    return weir_fail(error, WEIR_INVALID, "podSpecPatch must be an object of a pod's fields");
}

/* --- compiling ---------------------------------------------------------------------------------- */

/* What is not of containers or volumes is named once a workflow. */
static void warn_of_rest(weir__compiler *c, const weir_value *patch) {
    for (size_t i = 0; weir_is(patch, WEIR_OBJECT) && i < weir_value_count(patch); i++) {
        weir_str key = weir_object_key(patch, i);
        if (weir_str_is(key, "containers") || weir_str_is(key, "initContainers") ||
            weir_str_is(key, "volumes") || weir_map_get(&c->patched, key, NULL))
            continue;
        weir_str kept = {weir_str_copy(&c->workflow->arena, key), key.length};
        weir_map_set(&c->patched, kept, 0);
        weir__problem(c, WEIR_OK, "podSpecPatch: `%.*s` has no effect without Kubernetes",
                      WEIR_ARG(key));
    }
}

static void compile_patch(weir__compiler *c, const weir__site *site, const weir_value *holder,
                          bool own, weir_value *patches) {
    weir_str text;
    weir_buffer path = c->path, sample = {0};
    weir_value *patch = NULL;
    weir_error error;
    if (!own) {
        c->path = (weir_buffer){0};
        weir__enter(c, "spec");
    }
    size_t mark = weir__enter(c, "podSpecPatch");
    bool given = weir_member_named(holder, "podSpecPatch") &&
                 weir__any_text(c, weir_member_named(holder, "podSpecPatch"), &text) && text.length;
    if (given) {
        weir__check_text(c, site, text, &sample);
        weir_array_append(patches, weir_string_from(text));
        if (parse_patch(weir_buffer_str(&sample), &patch, &error))
            warn_of_rest(c, patch);
        else if (!weir__has_tag(text))
            weir__problem(c, WEIR_INVALID, "podSpecPatch: %s", error.message);
    }
    weir__leave(c, mark);
    if (!own) {
        weir_buffer_deinit(&c->path);
        c->path = path;
    }
    weir_buffer_deinit(&sample);
    weir_value_unref(patch);
}

void weir__compile_patches(weir__compiler *c, const weir__site *site, weir__template *t,
                           const weir_value *source) {
    const weir_value *spec = weir_member_named(c->workflow->source, "spec");
    if (!weir_member_named(spec, "podSpecPatch") && !weir_member_named(source, "podSpecPatch"))
        return;
    weir_value *patches = weir_array_new(), *pod = weir_object_new();
    compile_patch(c, site, spec, false, patches);
    compile_patch(c, site, source, true, patches);
    for (const char *const *part = parts; *part; part++) {
        weir_value *value = weir_member_named(source, *part);
        if (value) weir_member_put(pod, *part, weir_value_ref(value));
    }
    t->patched = weir_object_new();
    weir_member_put(t->patched, "pod", pod);
    weir_member_put(t->patched, "patches", patches);
}

/* --- merging ------------------------------------------------------------------------------------- */

/* The lists are merged by name under the name of one that is; a pod's `containers` are not a container set's. */
#define CONTAINERS "sidecars"

static void append_named(weir_value *list, const weir_value *container, const char *name) {
    weir_value *named = weir_value_own(weir_value_ref((weir_value *)container));
    if (name) weir_member_put_text(named, "name", weir_str_from(name));
    weir_array_append(list, named);
}

static void append_all(weir_value *list, const weir_value *more) {
    for (size_t i = 0; weir_is(more, WEIR_ARRAY) && i < weir_value_count(more); i++)
        append_named(list, weir_array_at(more, i), NULL);
}

static const char *main_of(const weir_value *pod) {
    return weir_is(weir_member_named(pod, "script"), WEIR_OBJECT) ? "script" : "container";
}

/* As Kubernetes has it: all containers in one list. */
static weir_value *spec_of(const weir_value *pod) {
    static const char *const kept[] = {"initContainers", "volumes"};
    const weir_value *set = weir_member_named(pod, "containerSet"),
                     *own = weir_member_named(pod, main_of(pod));
    weir_value *spec = weir_object_new(), *all = weir_array_new();
    if (weir_is(set, WEIR_OBJECT))
        append_all(all, weir_member_named(set, "containers"));
    else if (own)
        append_named(all, own, "main");
    append_all(all, weir_member_named(pod, "sidecars"));
    weir_member_put(spec, CONTAINERS, all);
    for (size_t i = 0; i < 2; i++) {
        weir_value *list = weir_member_named(pod, kept[i]);
        if (list) weir_member_put(spec, kept[i], weir_value_ref(list));
    }
    return spec;
}

static bool is_in(const weir_value *list, weir_str name) {
    for (size_t i = 0; weir_is(list, WEIR_ARRAY) && i < weir_value_count(list); i++)
        if (weir_str_equal(weir_member_text(weir_array_at(list, i), "name"), name)) return true;
    return false;
}

/* Without Argo's own: there is none to change. */
static weir_value *without_own(const weir_value *list) {
    weir_value *out = weir_array_new();
    for (size_t i = 0; weir_is(list, WEIR_ARRAY) && i < weir_value_count(list); i++) {
        weir_value *container = weir_array_at(list, i);
        if (!weir_str_is(weir_member_text(container, "name"), "init"))
            weir_array_append(out, weir_value_ref(container));
    }
    return out;
}

/* The pod with what became of its containers; one that nobody knew runs beside the others. */
static weir_value *pod_of(const weir_value *pod, const weir_value *spec) {
    const weir_value *set = weir_member_named(pod, "containerSet"),
                     *all = weir_member_named(spec, CONTAINERS),
                     *before = weir_member_named(spec, "initContainers");
    weir_value *out = weir_value_own(weir_value_ref((weir_value *)pod)),
               *members = weir_array_new(), *beside = weir_array_new();
    bool is_set = weir_is(set, WEIR_OBJECT);
    for (size_t i = 0; i < weir_value_count(all); i++) {
        weir_value *container = weir_value_ref(weir_array_at(all, i));
        weir_str name = weir_member_text(container, "name");
        if (is_set && is_in(weir_member_named(set, "containers"), name))
            weir_array_append(members, container);
        else if (!is_set && weir_str_is(name, "main"))
            weir_member_put(out, main_of(pod), container);
        else if (weir_str_is(name, "wait"))
            weir_value_unref(container); /* Argo's own */
        else
            weir_array_append(beside, container);
    }
    if (is_set) {
        weir_value *changed = weir_value_own(weir_value_ref((weir_value *)set));
        weir_member_put(changed, "containers", weir_value_ref(members));
        weir_member_put(out, "containerSet", changed);
    }
    weir_value_unref(members);
    weir_member_put(out, "sidecars", beside);
    if (before) weir_member_put(out, "initContainers", without_own(before));
    weir_value *volumes = weir_member_named(spec, "volumes");
    if (volumes) weir_member_put(out, "volumes", weir_value_ref(volumes));
    return out;
}

/* The pod with all patches; a new reference, NULL and an error. */
static weir_value *merge_patches(const weir_value *pod, const weir_value *patches,
                                 weir_error *error) {
    weir_value *spec = spec_of(pod), *patch = NULL;
    bool good = true;
    for (size_t i = 0; good && i < weir_value_count(patches); i++) {
        good = parse_patch(weir_string_get(weir_array_at(patches, i)), &patch, error);
        if (!good || !weir_is(patch, WEIR_OBJECT)) continue;
        weir_value *over = weir_object_new();
        for (size_t k = 0; k < weir_value_count(patch); k++) {
            weir_str key = weir_object_key(patch, k);
            bool containers = weir_str_is(key, "containers");
            weir_member_set(over, containers ? WEIR_STR(CONTAINERS) : key,
                            weir_value_ref(weir_object_at(patch, k)));
        }
        weir_value *merged = weir__merge(spec, over, NULL, NULL);
        weir_value_unref(over);
        weir_value_unref(patch);
        weir_value_unref(spec);
        spec = merged;
        patch = NULL;
    }
    weir_value_unref(patch);
    weir_value *out = good ? pod_of(pod, spec) : NULL;
    weir_value_unref(spec);
    return out;
}

/* --- at a node's start ---------------------------------------------------------------------------- */

/* What a container's compiler makes is its alone; all else of the config stays. */
static void keep_rest(const weir_value *before, weir_value *config) {
    static const char *const made[] = {"command", "arguments",  "source_at", "environment",
                                       "expand",  "resources",  "directory", "source",
                                       "sandbox", "containers", "pod",       "environment_from",
                                       "image",   "mounts",     NULL};
    for (size_t i = 0; i < weir_value_count(before); i++) {
        weir_str key = weir_object_key(before, i);
        const char *const *name = made;
        while (*name && !weir_str_is(key, *name)) name++;
        if (!*name) weir_member_set(config, key, weir_value_ref(weir_object_at(before, i)));
    }
}

weir_value *weir__patch_pod(weir__scope *scope, const weir__template *leaf, weir_value *config,
                            bool *incomplete, weir_error *error) {
    weir_value *rendered = weir__render_value(scope, leaf->patched, error), *out = NULL;
    const weir__workflow *of = scope->run->workflow;
    weir__workflow workflow = {.source = of->source,
                               .volumes = of->volumes,
                               .executor = of->executor,
                               .allow_host_path = of->allow_host_path};
    weir__template template = {.name = leaf->name, .kind = leaf->kind};
    char none[] = "";
    weir_document nowhere = {.file = none};
    weir_problems problems = {0};
    weir__compiler c = {
        .document = &nowhere, .problems = &problems, .workflow = &workflow, .scope = scope};
    weir_value *pod = rendered ? merge_patches(weir_member_named(rendered, "pod"),
                                               weir_member_named(rendered, "patches"), error)
                               : NULL;
    weir_arena_init(&workflow.arena);
    if (pod) weir__compile_pod(&c, &template, pod);
    if (pod && problems.count) {
        weir_fail(error, problems.items[0].code, "podSpecPatch: %s", problems.items[0].message);
    } else if (pod) {
        out = weir_value_own(template.config);
        template.config = NULL;
        keep_rest(config, out);
        weir_value *sandbox = weir_value_own(weir_value_ref(weir_member_named(out, "sandbox")));
        keep_rest(weir_member_named(config, "sandbox"), sandbox);
        weir_member_put(out, "sandbox", sandbox);
        *incomplete = template.incomplete;
    }
    weir_value_unref(template.config);
    weir_value_unref(config);
    weir_value_unref(pod);
    weir_value_unref(rendered);
    weir_problems_deinit(&problems);
    weir_arena_deinit(&workflow.arena);
    weir_buffer_deinit(&c.path);
    return out;
}
