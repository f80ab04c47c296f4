/* Variables of containers. Those that come from elsewhere are objects, until the tags are rendered and weir__complete_pod knows
 * more: {configMap, key, optional?}, {field: PATH}, {resource: NAME, divisor?, limits?...}; {secret: "NAME.KEY", optional?} stays, as
 * only the executor knows secrets. */
#include "workflow/template.h"

static void put_optional(weir__compiler *c, const weir_value *ref, weir_value *out) {
    if (weir__bool_field(c, ref, "optional", false))
        weir_member_put(out, "optional", weir_bool_new(true));
}

/* Secrets are found by "name.key", as weir's own are by name. */
static weir_value *compile_secret(weir__compiler *c, const weir_value *ref) {
    weir_str name, key;
    if (!weir__text_field(c, ref, "name", &name) || !name.length) {
        weir__problem(c, WEIR_INVALID, "secretKeyRef.name is required");
        return NULL;
    }
    weir_buffer text = {0};
    weir_buffer_str_append(&text, name);
    if (weir__text_field(c, ref, "key", &key) && key.length)
        weir_buffer_printf(&text, ".%.*s", WEIR_ARG(key));
    weir_value *secret = weir_object_new();
    weir_member_put_text(secret, "secret", weir_buffer_str(&text));
    weir_buffer_deinit(&text);
    put_optional(c, ref, secret);
    return secret;
}

static weir_value *compile_map_key(weir__compiler *c, const weir_value *ref) {
    weir_str name, key;
    if (!weir__text_field(c, ref, "name", &name) || !name.length ||
        !weir__text_field(c, ref, "key", &key) || !key.length) {
        weir__problem(c, WEIR_INVALID, "configMapKeyRef needs `name` and `key`");
        return NULL;
    }
    weir_value *value = weir_object_new();
    weir_member_put_text(value, "configMap", name);
    weir_member_put_text(value, "key", key);
    put_optional(c, ref, value);
    return value;
}

weir_value *weir__compile_field_ref(weir__compiler *c, const weir_value *from) {
    static const char *const members[][2] = {{"fieldRef", "fieldPath"},
                                             {"resourceFieldRef", "resource"}};
    for (size_t i = 0; i < 2; i++) {
        const weir_value *ref = weir__field(c, from, members[i][0], WEIR_OBJECT);
        weir_str text, divisor;
        if (!ref) continue;
        size_t mark = weir__enter(c, "%s", members[i][0]);
        weir_value *value = NULL;
        if (!weir__text_field(c, ref, members[i][1], &text) || !text.length) {
            weir__problem(c, WEIR_INVALID, "`%s` is required", members[i][1]);
        } else if (i == 0 && !weir__pod_has_field(text)) {
            weir__problem(c, WEIR_UNSUPPORTED, "the field `%.*s` of a pod is not known here",
                          WEIR_ARG(text));
        } else {
            value = weir_object_new();
            weir_member_put_text(value, i ? "resource" : "field", text);
            if (i && weir__text_field(c, ref, "divisor", &divisor))
                weir_member_put_text(value, "divisor", divisor);
        }
        weir__leave(c, mark);
        c->incomplete = true;
        return value;
    }
    weir__problem(c, WEIR_INVALID, "there must be a `fieldRef` or a `resourceFieldRef`");
    return NULL;
}

/* Those of the template win over the workflow's `podMetadata`. */
void weir__compile_about(weir__compiler *c, const weir__site *site, const weir_value *template,
                         weir_value *config) {
    static const char *const kinds[] = {"labels", "annotations"};
    const weir_value *spec = weir_member_named(c->workflow->source, "spec");
    const weir_value *own = weir_member_named(template, "metadata");
    const weir_value *holders[] = {weir_member_named(spec, "podMetadata"), own};
    weir_value *about = weir_object_new();
    for (size_t k = 0; k < 2; k++) {
        weir_value *all = weir_object_new();
        for (size_t h = 0; h < 2; h++) {
            const weir_value *texts = weir_member_named(holders[h], kinds[k]);
            for (size_t i = 0; weir_is(texts, WEIR_OBJECT) && i < weir_value_count(texts); i++) {
                weir_str text;
                if (!weir__any_text(c, weir_object_at(texts, i), &text)) continue;
                weir__check_text(c, site, text, NULL);
                weir_member_set(all, weir_object_key(texts, i), weir_string_from(text));
            }
        }
        weir_member_put(about, kinds[k], all);
    }
    weir_member_put(config, "pod", about);
}

static weir_value *compile_from(weir__compiler *c, const weir_value *from) {
    static const char *const unsupported[] = {"fileKeyRef", NULL};
    size_t mark = weir__enter(c, "valueFrom"), before = c->problems->total;
    const weir_value *secret = weir__field(c, from, "secretKeyRef", WEIR_OBJECT),
                     *map = weir__field(c, from, "configMapKeyRef", WEIR_OBJECT);
    weir_value *value = NULL;
    weir__refuse(c, from, unsupported);
    if (secret || map) {
        size_t inner = weir__enter(c, secret ? "secretKeyRef" : "configMapKeyRef");
        value = secret ? compile_secret(c, secret) : compile_map_key(c, map);
        c->incomplete |= map != NULL;
        weir__leave(c, inner);
    } else if (weir_member_named(from, "fieldRef") || weir_member_named(from, "resourceFieldRef")) {
        value = weir__compile_field_ref(c, from);
    } else if (c->problems->total == before) {
        weir__problem(c, WEIR_INVALID,
                      "valueFrom needs one of secretKeyRef, configMapKeyRef, fieldRef, "
                      "resourceFieldRef");
    }
    weir__leave(c, mark);
    return value;
}

static void compile_variable(weir__compiler *c, const weir__site *site, const weir_value *variable,
                             size_t index, weir_value *environment) {
    weir_str name, text = WEIR_STR("");
    weir_value *value = NULL;
    const weir_value *from = weir__field(c, variable, "valueFrom", WEIR_OBJECT);
    if (from) {
        value = compile_from(c, from);
        for (size_t i = 0; value && i < weir_value_count(value); i++)
            if (weir_is(weir_object_at(value, i), WEIR_STRING))
                weir__check_text(c, site, weir_string_get(weir_object_at(value, i)), NULL);
    } else {
        size_t mark = weir__enter(c, "value");
        const weir_value *given = weir_member_named(variable, "value");
        if (!given || weir_is(given, WEIR_NULL) || weir__any_text(c, given, &text))
            value = weir_string_from(text);
        weir__check_text(c, site, text, NULL);
        weir__leave(c, mark);
    }
    if (!weir__text_field(c, variable, "name", &name) || !name.length)
        weir__problem(c, WEIR_INVALID, "env[%zu].name is required", index);
    else if (value)
        weir_member_set(environment, name, weir_value_ref(value));
    weir_value_unref(value);
}

/* [{configMap | secret: NAME, prefix?, optional?}]. */
static void compile_all_from(weir__compiler *c, const weir__site *site, const weir_value *source,
                             weir_value *out) {
    weir_str name, prefix;
    const weir_value *map = weir__field(c, source, "configMapRef", WEIR_OBJECT),
                     *secret = weir__field(c, source, "secretRef", WEIR_OBJECT);
    if (!map == !secret) {
        weir__problem(c, WEIR_INVALID, "envFrom needs one of configMapRef and secretRef");
        return;
    }
    size_t mark = weir__enter(c, map ? "configMapRef" : "secretRef");
    weir_value *all = weir_object_new();
    if (!weir__text_field(c, map ? map : secret, "name", &name) || !name.length) {
        weir__problem(c, WEIR_INVALID, "`name` is required");
    } else {
        weir__check_text(c, site, name, NULL);
        weir_member_put_text(all, map ? "configMap" : "secret", name);
    }
    put_optional(c, map ? map : secret, all);
    weir__leave(c, mark);
    if (weir__text_field(c, source, "prefix", &prefix)) weir_member_put_text(all, "prefix", prefix);
    c->incomplete |= map != NULL;
    weir_array_append(out, all);
}

void weir__compile_environment(weir__compiler *c, const weir__site *site, const weir_value *source,
                               weir_value *config) {
    const weir_value *list = weir__field(c, source, "env", WEIR_ARRAY),
                     *all = weir__field(c, source, "envFrom", WEIR_ARRAY);
    weir_value *environment = weir_object_new(), *from = weir_array_new();
    for (size_t i = 0; list && i < weir_value_count(list); i++) {
        size_t mark = weir__enter(c, "env/%zu", i);
        compile_variable(c, site, weir_array_at(list, i), i, environment);
        weir__leave(c, mark);
    }
    for (size_t i = 0; all && i < weir_value_count(all); i++) {
        size_t mark = weir__enter(c, "envFrom/%zu", i);
        compile_all_from(c, site, weir_array_at(all, i), from);
        weir__leave(c, mark);
    }
    if (list)
        weir_member_put(config, "environment", environment);
    else
        weir_value_unref(environment);
    if (all)
        weir_member_put(config, "environment_from", from);
    else
        weir_value_unref(from);
}
