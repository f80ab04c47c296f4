#include "workflow/template.h"

#include <stdio.h>

#include "base/time.h"
#include "data/json.h"

/* A text of the source at `key`, its tags checked; an empty one counts as absent. */
static bool checked_text(weir__compiler *c, const weir__site *site, const weir_value *source,
                         const char *key, weir_str *out) {
    if (!weir__text_field(c, source, key, out) || !out->length) return false;
    size_t mark = weir__enter(c, "%s", key);
    weir__check_text(c, site, *out, NULL);
    weir__leave(c, mark);
    return true;
}

static void put_text(weir__compiler *c, const weir__site *site, const weir_value *source,
                     const char *key, weir_value *config, const char *name) {
    weir_str text;
    if (checked_text(c, site, source, key, &text))
        weir_member_put(config, name, weir_string_from(text));
}

static void append_texts(weir__compiler *c, const weir__site *site, const weir_value *source,
                         const char *key, weir_value *out) {
    const weir_value *list = weir__field(c, source, key, WEIR_ARRAY);
    for (size_t i = 0; list && i < weir_value_count(list); i++) {
        size_t mark = weir__enter(c, "%s/%zu", key, i);
        weir_str text;
        if (weir__any_text(c, weir_array_at(list, i), &text)) {
            weir__check_text(c, site, text, NULL);
            weir_array_append(out, weir_string_from(text));
        }
        weir__leave(c, mark);
    }
}

/* Limits and requests, until they are numbers. */
static void put_resources(weir__compiler *c, const weir__site *site, const weir_value *source,
                          weir_value *config) {
    static const char *const kinds[] = {"limits", "requests"};
    const weir_value *resources = weir__field(c, source, "resources", WEIR_OBJECT);
    size_t mark = weir__enter(c, "resources");
    weir_value *kept = weir_object_new();
    for (size_t k = 0; resources && k < 2; k++) {
        weir_value *amounts = weir__field(c, resources, kinds[k], WEIR_OBJECT);
        for (size_t i = 0; amounts && i < weir_value_count(amounts); i++) {
            const weir_value *amount = weir_object_at(amounts, i);
            if (weir_is(amount, WEIR_STRING))
                weir__check_text(c, site, weir_string_get(amount), NULL);
        }
        if (amounts) weir_member_put(kept, kinds[k], weir_value_ref(amounts));
    }
    weir__leave(c, mark);
    c->incomplete |= weir_value_count(kept) > 0;
    if (weir_value_count(kept))
        weir_member_put(config, "resources", kept);
    else
        weir_value_unref(kept);
}

/* Whether a text in it may name variables, as $(NAME), once its tags are rendered. */
static bool may_name(const weir_value *texts) {
    bool object = weir_is(texts, WEIR_OBJECT), any = false;
    for (size_t i = 0; texts && i < weir_value_count(texts) && !any; i++) {
        const weir_value *item = object ? weir_object_at(texts, i) : weir_array_at(texts, i);
        weir_str text = weir_is(item, WEIR_STRING) ? weir_string_get(item) : WEIR_STR("");
        any = text.length && (memchr(text.data, '$', text.length) ||
                              weir_str_find(text, WEIR_STR("{{"), 0) != SIZE_MAX);
    }
    return any;
}

/* Whether its image is fetched: as whoever runs it says, else as the file does. What Kubernetes does when a file says nothing (always, of what is
 * tagged `latest`) would ask a registry for each run. */
static void put_pull(weir__compiler *c, const weir__site *site, const weir_value *source,
                     weir_value *sandbox) {
    static const char *const words[][2] = {
        {"Always", "always"}, {"IfNotPresent", "missing"}, {"Never", "never"}};
    weir_value *said = weir_object_new();
    put_text(c, site, source, "imagePullPolicy", said, "policy");
    weir_str policy = weir_member_text(said, "policy"), pull = c->workflow->pull;
    for (size_t i = 0; i < sizeof words / sizeof *words && !pull.length; i++)
        if (weir_str_is(policy, words[i][0])) pull = weir_str_from(words[i][1]);
    if (pull.length) weir_member_put_text(sandbox, "pull", pull);
    weir_value_unref(said);
}

/* Who it runs as, in an image: as the container says, else its template, else the workflow. */
static void put_identity(const weir__compiler *c, const weir_value *source, weir_value *sandbox) {
    static const char *const members[][2] = {{"runAsUser", "run_as_user"},
                                             {"runAsGroup", "run_as_group"}};
    const weir_value *places[] = {
        weir_member_named(source, "securityContext"),
        weir_member_named(c->template_source, "securityContext"),
        weir_member_named(weir_member_named(c->workflow->source, "spec"), "securityContext")};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        const weir_value *said = NULL;
        for (size_t k = 0; k < sizeof places / sizeof *places && !said; k++)
            said = weir_member_named(places[k], members[i][0]);
        if (weir_is(said, WEIR_INT) && weir_int_get(said) >= 0 && weir_int_get(said) < UINT32_MAX)
            weir_member_put(sandbox, members[i][1], weir_int_new(weir_int_get(said)));
    }
}

/* The source is what a script's arguments are given to; but what runs a module, as `python -m MODULE …` does, is given the source. */
static bool is_module_run(const weir_value *command, int64_t args_at) {
    const weir_value *first = weir_array_at(command, (size_t)args_at);
    return weir_is(first, WEIR_STRING) && weir_str_is(weir_string_get(first), "-m");
}

weir_value *weir__compile_container(weir__compiler *c, const weir__site *site,
                                    const weir_value *source, bool script) {
    weir_value *config = weir_object_new(), *command = weir_array_new();
    weir_value *sandbox = weir_object_new();
    append_texts(c, site, source, "command", command);
    int64_t source_at = (int64_t)weir_value_count(command);
    bool of_image = !source_at && !script; /* its command, then, is what the configuration says */
    append_texts(c, site, source, "args", command);
    weir_member_put(config, of_image ? "arguments" : "command", command);
    put_text(c, site, source, "image", sandbox, "image");
    if (c->workflow->executor.length)
        weir_member_put_text(sandbox, "executor", c->workflow->executor);
    if (c->workflow->network.length) weir_member_put_text(sandbox, "network", c->workflow->network);
    put_pull(c, site, source, sandbox);
    put_identity(c, source, sandbox);
    weir_member_put(config, "sandbox", sandbox);
    if (script && source_at < (int64_t)weir_value_count(command) &&
        !is_module_run(command, source_at))
        weir_member_put(config, "source_at", weir_int_new(source_at));
    weir__compile_environment(c, site, source, config);
    weir__compile_mounts(c, site, source, sandbox);
    if (may_name(command) || may_name(weir_member_named(config, "environment")))
        weir_member_put(config, "expand", weir_bool_new(true));
    put_resources(c, site, source, config);
    put_text(c, site, source, "workingDir", config, "directory");
    if (script) {
        put_text(c, site, source, "source", config, "source");
        if (!source_at)
            weir__problem(c, WEIR_INVALID, "templates.%.*s.script.command is required",
                          WEIR_ARG(site->template->name));
        if (!weir_member_named(config, "source"))
            weir__problem(c, WEIR_INVALID, "templates.%.*s.script.source is required",
                          WEIR_ARG(site->template->name));
    }
    return config;
}

static weir_value *compile_plugin(weir__compiler *c, const weir__site *site,
                                  const weir_value *source) {
    weir_value *config = weir_object_new(), *inputs = weir_object_new();
    const weir_value *run = weir__field(c, source, "weir", WEIR_OBJECT);
    if (!run || weir_value_count(source) != 1)
        weir__problem(c, WEIR_UNSUPPORTED,
                      "a plugin other than `weir: {run: FILE, inputs: …}` is not supported yet");
    size_t mark = weir__enter(c, "weir");
    put_text(c, site, run, "run", config, "file");
    if (run && !weir_member_named(config, "file"))
        weir__problem(c, WEIR_INVALID, "templates.%.*s.plugin.weir.run is required",
                      WEIR_ARG(site->template->name));
    const weir_value *given = run ? weir__field(c, run, "inputs", WEIR_OBJECT) : NULL;
    for (size_t i = 0; given && i < weir_value_count(given); i++) {
        weir_str key = weir_object_key(given, i), text;
        size_t inner = weir__enter(c, "inputs");
        weir_path_append(&c->path, key);
        if (weir__any_text(c, weir_object_at(given, i), &text)) {
            weir__check_text(c, site, text, NULL);
            weir_member_set(inputs, key, weir_string_from(text));
        }
        weir__leave(c, inner);
    }
    weir_member_put(config, "inputs", inputs);
    weir__leave(c, mark);
    return config;
}

static bool is_whole(weir_str text) {
    size_t digits = 0;
    while (digits < text.length && text.data[digits] >= '0' && text.data[digits] <= '9') digits++;
    return text.length && digits == text.length;
}

/* A template's own limits; the shorter one counts. */
static void compile_timeout(weir__compiler *c, const weir__site *site, weir__template *t,
                            const weir_value *source) {
    static const char *const fields[] = {"timeout", "activeDeadlineSeconds"};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        weir_str text;
        weir_error error;
        uint64_t us;
        if (!checked_text(c, site, source, fields[i], &text)) continue;
        size_t mark = weir__enter(c, "%s", fields[i]);
        if (weir_str_find(text, WEIR_STR("{{"), 0) != SIZE_MAX)
            t->timeouts[i] = text;
        else if (i == 0 && is_whole(text))
            weir__problem(c, WEIR_INVALID, "%.*s has invalid duration format in timeout",
                          WEIR_ARG(t->name));
        else if (i == 1 && !is_whole(text))
            weir__problem(c, WEIR_INVALID,
                          "templates.%.*s.activeDeadlineSeconds must be a positive integer > 0 or "
                          "an argo variable",
                          WEIR_ARG(t->name));
        else if (!weir_duration_parse(text, &us, &error))
            weir__problem(c, WEIR_INVALID, "%s", error.message);
        else if (!t->spec.timeout_us || us < t->spec.timeout_us)
            t->spec.timeout_us = us;
        weir__leave(c, mark);
    }
}

/* The files that its output parameters are read from. */
static void compile_files(weir__compiler *c, const weir__site *site, weir__template *t) {
    weir_value *outputs = weir_array_new();
    for (size_t i = 0; i < t->outputs.count; i++) {
        const weir__parameter *p = &t->outputs.items[i];
        if (!p->path.length) continue;
        size_t mark = weir__enter(c, "outputs/parameters/%zu/valueFrom/path", i);
        weir__check_text(c, site, p->path, NULL);
        weir__leave(c, mark);
        weir_value *output = weir_object_new();
        weir_member_put_text(output, "name", p->name);
        weir_member_put(output, "path", weir_string_from(p->path));
        weir_array_append(outputs, output);
    }
    if (weir_value_count(outputs))
        weir_member_put(weir_member_named(t->config, "sandbox"), "outputs", outputs);
    else
        weir_value_unref(outputs);
}

/* The one that says what it is. */
static const char *leaf_field(const weir__template *t, const weir_value *source) {
    static const char *const fields[] = {"container", "script", "containerSet"};
    if (t->kind == WEIR__HTTP) return "http";
    for (size_t i = 0; t->kind != WEIR__PLUGIN && i < sizeof fields / sizeof *fields; i++)
        if (weir_is(weir_member_named(source, fields[i]), WEIR_OBJECT)) return fields[i];
    return "plugin";
}

void weir__compile_pod(weir__compiler *c, weir__template *t, const weir_value *source) {
    char what[256];
    snprintf(what, sizeof what, "templates.%.*s:", WEIR_ARG(t->name));
    weir__site site = {.template = t, .step = WEIR__NONE, .what = what};
    const char *field = leaf_field(t, source);
    const weir_value *body = weir_member_named(source, field);
    c->template_source = source;
    c->own_volumes = weir__compile_own_volumes(c, source);
    c->incomplete = false;
    size_t mark = weir__enter(c, "%s", field);
    if (strcmp(field, "containerSet") == 0)
        weir__compile_set(c, &site, t, source);
    else
        t->config = weir__compile_container(c, &site, body, field[0] == 's');
    weir__leave(c, mark);
    weir__compile_beside(c, &site, t, source);
    if (c->incomplete) weir__compile_about(c, &site, source, t->config);
    t->incomplete = c->incomplete;
    weir_value_unref(c->own_volumes);
    c->own_volumes = NULL;
}

/* What Argo calls a template that has the field. */
static const char *kind_name(const char *field) {
    static const char *const names[][2] = {{"container", "Container"},
                                           {"script", "Script"},
                                           {"containerSet", "ContainerSet"},
                                           {"http", "HTTP"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(field, names[i][0]) == 0) return names[i][1];
    return "Plugin";
}

void weir__compile_leaf(weir__compiler *c, weir__template *t, const weir_value *source) {
    char what[256];
    snprintf(what, sizeof what, "templates.%.*s:", WEIR_ARG(t->name));
    weir__site site = {.template = t, .step = WEIR__NONE, .what = what};
    if (weir_is(weir_member_named(source, "data"), WEIR_OBJECT)) {
        weir__compile_data(c, t, source);
        compile_timeout(c, &site, t, source);
        return;
    }
    bool http = t->kind == WEIR__HTTP, plugin = t->kind == WEIR__PLUGIN, pod = !http && !plugin;
    const char *field = leaf_field(t, source);
    const weir_value *body = weir_member_named(source, field);
    size_t mark = weir__enter(c, "%s", field);
    if (http)
        t->config = weir__compile_http(c, &site, t, body);
    else if (plugin && !weir_member_named(body, "weir"))
        t->config = weir__compile_plugin_call(c, &site, t, (weir_value *)body);
    else if (plugin)
        t->config = compile_plugin(c, &site, body);
    weir__leave(c, mark);
    if (pod) {
        weir__compile_pod(c, t, source);
        weir__compile_patches(c, &site, t, source);
        compile_files(c, &site, t);
    }
    const weir_value *mock = weir_member_named(weir_member_named(source, "weir"), "mock");
    if (mock && t->config) weir_member_put(t->config, "mock", weir_value_ref((weir_value *)mock));
    for (size_t i = 0; i < t->outputs.count; i++) {
        if (!t->outputs.items[i].given) continue;
        mark = weir__enter(c, "outputs/parameters/%zu/valueFrom/parameter", i);
        weir__problem(c, WEIR_INVALID,
                      "templates.%.*s.outputs.parameters.%.*s.path must be specified for %s "
                      "templates",
                      WEIR_ARG(t->name), WEIR_ARG(t->outputs.items[i].name), kind_name(field));
        weir__leave(c, mark);
    }
    static const char *const no_service[] = {"daemon", NULL};
    if (!pod) weir__refuse(c, source, no_service);
    weir_str operation = pod                  ? WEIR_STR("process.run")
                         : http || t->is_call ? WEIR_STR("http.request")
                                              : WEIR_STR("weir.run");
    bool service = pod && weir__bool_field(c, source, "daemon", false);
    mark = weir__enter(c, "%s", field);
    weir_value *probe = service ? weir__compile_probe(c, &site, body) : NULL;
    if (probe) weir_member_put(t->config, "probe", probe);
    weir__leave(c, mark);
    t->spec = (weir_task_spec){.name = t->name,
                               .operation = operation,
                               .code = weir_registry_find(c->registry, operation),
                               .executor = weir_str_from(weir_executor_of(operation)),
                               .kind = service ? WEIR_TASK_SERVICE : WEIR_TASK_WORK,
                               .resources = weir__resources_of(t->config),
                               .slot = !service};
    compile_timeout(c, &site, t, source);
}
