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

/* Secrets are found by "name.key", as weir's own are by name. */
static weir_value *secret_of(weir__compiler *c, const weir_value *from) {
    static const char *const unsupported[] = {"configMapKeyRef", "fieldRef", "resourceFieldRef",
                                              NULL};
    size_t mark = weir__enter(c, "valueFrom"), before = c->problems->total;
    weir__refuse(c, from, unsupported);
    weir_value *secret = NULL;
    const weir_value *ref = weir__field(c, from, "secretKeyRef", WEIR_OBJECT);
    weir_str name, key;
    if (ref && weir__text_field(c, ref, "name", &name)) {
        weir_buffer text = {0};
        weir_buffer_str_append(&text, name);
        if (weir__text_field(c, ref, "key", &key) && key.length)
            weir_buffer_printf(&text, ".%.*s", WEIR_ARG(key));
        secret = weir_object_new();
        weir_member_put_text(secret, "secret", weir_buffer_str(&text));
        weir_buffer_deinit(&text);
    } else if (ref) {
        weir__problem(c, WEIR_INVALID, "secretKeyRef.name is required");
    } else if (c->problems->total == before) {
        weir__problem(c, WEIR_INVALID, "valueFrom needs `secretKeyRef: {name, key}`");
    }
    static const char *const optional[] = {"optional", NULL};
    size_t inner = weir__enter(c, "secretKeyRef");
    if (ref) weir__refuse(c, ref, optional);
    weir__leave(c, inner);
    weir__leave(c, mark);
    return secret;
}

static void put_environment(weir__compiler *c, const weir__site *site, const weir_value *source,
                            weir_value *config) {
    static const char *const unsupported[] = {"envFrom", NULL};
    weir__refuse(c, source, unsupported);
    const weir_value *list = weir__field(c, source, "env", WEIR_ARRAY);
    if (!list) return;
    weir_value *environment = weir_object_new();
    for (size_t i = 0; i < weir_value_count(list); i++) {
        size_t mark = weir__enter(c, "env/%zu", i);
        const weir_value *variable = weir_array_at(list, i);
        weir_str name, text = WEIR_STR("");
        weir_value *value = NULL;
        const weir_value *from = weir__field(c, variable, "valueFrom", WEIR_OBJECT);
        if (from)
            value = secret_of(c, from);
        else if (checked_text(c, site, variable, "value", &text) || !text.length)
            value = weir_string_from(text);
        if (!weir__text_field(c, variable, "name", &name) || !name.length)
            weir__problem(c, WEIR_INVALID, "env[%zu].name is required", i);
        else if (value)
            weir_member_set(environment, name, weir_value_ref(value));
        weir_value_unref(value);
        weir__leave(c, mark);
    }
    weir_member_put(config, "environment", environment);
}

static weir_value *compile_container(weir__compiler *c, const weir__site *site,
                                     const weir_value *source, bool script) {
    weir_value *config = weir_object_new(), *command = weir_array_new();
    size_t total = c->problems->total, before = c->problems->count;
    append_texts(c, site, source, "command", command);
    if (weir_value_count(command) == 0 && c->problems->total == total) {
        weir__problem(c, WEIR_INVALID,
                      "template %.*s has no command; weir cannot ask the image for it",
                      WEIR_ARG(site->template->name));
        if (c->problems->count > before)
            weir_error_hint(&c->problems->items[before], "give `command:`");
    }
    int64_t source_at = (int64_t)weir_value_count(command);
    append_texts(c, site, source, "args", command);
    weir_member_put(config, "command", command);
    if (script && source_at < (int64_t)weir_value_count(command))
        weir_member_put(config, "source_at", weir_int_new(source_at));
    put_environment(c, site, source, config);
    put_text(c, site, source, "workingDir", config, "directory");
    if (script) {
        put_text(c, site, source, "source", config, "source");
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
        if (weir_str_find(text, WEIR_STR("{{"), 0) != SIZE_MAX) {
            if (t->spec.timeout_us || t->timeout.length)
                weir__problem(c, WEIR_UNSUPPORTED,
                              "two limits of which one has tags are not supported yet");
            t->timeout = text;
        } else if (!weir_duration_parse(text, &us, &error)) {
            weir__problem(c, WEIR_INVALID, "%s", error.message);
        } else if (!t->spec.timeout_us || us < t->spec.timeout_us) {
            t->spec.timeout_us = us;
            if (t->timeout.length)
                weir__problem(c, WEIR_UNSUPPORTED,
                              "two limits of which one has tags are not supported yet");
        }
        weir__leave(c, mark);
    }
}

void weir__compile_leaf(weir__compiler *c, weir__template *t, const weir_value *source) {
    char what[256];
    snprintf(what, sizeof what, "templates.%.*s:", WEIR_ARG(t->name));
    weir__site site = {t, WEIR__NONE, what};
    bool plugin = t->kind == WEIR__PLUGIN;
    const char *field = plugin ? "plugin" : "container";
    if (!plugin && !weir_is(weir_member_named(source, field), WEIR_OBJECT)) field = "script";
    const weir_value *body = weir_member_named(source, field);
    size_t mark = weir__enter(c, "%s", field);
    t->config = plugin ? compile_plugin(c, &site, body)
                       : compile_container(c, &site, body, field[0] == 's');
    weir__leave(c, mark);
    for (size_t i = 0; i < t->outputs.count; i++) {
        if (!t->outputs.items[i].given) continue;
        mark = weir__enter(c, "outputs/parameters/%zu/valueFrom/parameter", i);
        weir__problem(c, WEIR_INVALID,
                      "templates.%.*s.outputs.parameters.%.*s.path must be specified",
                      WEIR_ARG(t->name), WEIR_ARG(t->outputs.items[i].name));
        weir__leave(c, mark);
    }
    static const char *const no_service[] = {"daemon", NULL};
    if (plugin) weir__refuse(c, source, no_service);
    weir_str operation = plugin ? WEIR_STR("weir.run") : WEIR_STR("process.run");
    bool service = !plugin && weir__bool_field(c, source, "daemon", false);
    static const char *const probes[] = {"readinessProbe", NULL};
    mark = weir__enter(c, "%s", field);
    if (service) weir__refuse(c, body, probes);
    weir__leave(c, mark);
    t->spec = (weir_task_spec){.name = t->name,
                               .operation = operation,
                               .code = weir_registry_find(c->registry, operation),
                               .executor = weir_str_from(weir_operation_executor(operation)),
                               .kind = service ? WEIR_TASK_SERVICE : WEIR_TASK_WORK,
                               .slot = !service};
    compile_timeout(c, &site, t, source);
}
