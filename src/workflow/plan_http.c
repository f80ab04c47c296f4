/* `http` templates, and `plugin` templates that an executor plugin does, by Argo's protocol: both are a request that the operation
 * http.request makes. */
#include <stdio.h>

#include "workflow/template.h"

enum { BODY_BYTES_MAX = 1024 * 1024, TIMEOUT_S = 30, PLUGIN_TIMEOUT_S = 60 };

static weir_str checked(weir__compiler *c, const weir__site *site, const weir_value *source,
                        const char *key) {
    weir_str text = WEIR_STR("");
    if (!source || !weir__text_field(c, source, key, &text) || !text.length) return text;
    size_t mark = weir__enter(c, "%s", key);
    weir__check_text(c, site, text, NULL);
    weir__leave(c, mark);
    return text;
}

/* What every request has: one attempt, and any status is an answer. */
static weir_value *request_new(int64_t timeout_s) {
    weir_value *config = weir_object_new();
    weir_member_put(config, "retries", weir_int_new(0));
    weir_member_put(config, "fail_on_status", weir_bool_new(false));
    weir_member_put(config, "max_bytes", weir_int_new(BODY_BYTES_MAX));
    weir_member_put(config, "timeout", weir_int_new(timeout_s));
    return config;
}

static weir_value *secret_value(weir_str name, const char *before) {
    weir_value *secret = weir_object_new();
    weir_member_put_text(secret, "secret", name);
    if (*before) weir_member_put_text(secret, "before", weir_str_from(before));
    return secret;
}

static weir_value *header_secret(weir__compiler *c, const weir_value *from) {
    const weir_value *ref = weir__field(c, from, "secretKeyRef", WEIR_OBJECT);
    weir_str name = WEIR_STR(""), key = WEIR_STR("");
    if (ref) (void)weir__text_field(c, ref, "name", &name);
    if (ref) (void)weir__text_field(c, ref, "key", &key);
    if (!name.length || !key.length) {
        weir__problem(c, WEIR_INVALID, "valueFrom of a header needs `secretKeyRef: {name, key}`");
        return NULL;
    }
    weir_buffer text = {0};
    weir_buffer_printf(&text, "%.*s.%.*s", WEIR_ARG(name), WEIR_ARG(key));
    weir_value *secret = secret_value(weir_buffer_str(&text), "");
    weir_buffer_deinit(&text);
    return secret;
}

static void put_headers(weir__compiler *c, const weir__site *site, const weir_value *source,
                        weir_value *config) {
    const weir_value *list = weir__field(c, source, "headers", WEIR_ARRAY);
    weir_value *headers = weir_object_new();
    for (size_t i = 0; list && i < weir_value_count(list); i++) {
        size_t mark = weir__enter(c, "headers/%zu", i);
        const weir_value *header = weir_array_at(list, i);
        weir_str name = checked(c, site, header, "name");
        const weir_value *from = weir__field(c, header, "valueFrom", WEIR_OBJECT);
        if (!name.length) weir__problem(c, WEIR_INVALID, "a header needs a name");
        weir_value *value =
            from ? header_secret(c, from) : weir_string_from(checked(c, site, header, "value"));
        if (value) weir_member_set(headers, name, value);
        weir__leave(c, mark);
    }
    weir_member_put(config, "headers", headers);
}

static void put_body(weir__compiler *c, const weir__site *site, const weir_value *source,
                     weir_value *config) {
    const weir_value *from = weir__field(c, source, "bodyFrom", WEIR_OBJECT);
    weir_str body = checked(c, site, source, "body"), bytes = WEIR_STR("");
    if (from && weir__text_field(c, from, "bytes", &bytes)) {
        weir_buffer decoded = {0};
        size_t mark = weir__enter(c, "bodyFrom/bytes");
        if (!weir__decode_base64(bytes, &decoded))
            weir__problem(c, WEIR_INVALID, "bodyFrom.bytes is no base64");
        weir_member_put(config, "body", weir_string_from(weir_buffer_str(&decoded)));
        weir_buffer_deinit(&decoded);
        weir__leave(c, mark);
    } else if (body.length) {
        weir_member_put(config, "body", weir_string_from(body));
    }
}

weir_value *weir__compile_http(weir__compiler *c, const weir__site *site, weir__template *t,
                               const weir_value *source) {
    const weir_value *timeout = weir__field(c, source, "timeoutSeconds", WEIR_INT);
    bool given = timeout && weir_int_get(timeout) > 0 && weir_int_get(timeout) <= 86400;
    weir_value *config = request_new(given ? weir_int_get(timeout) : TIMEOUT_S);
    weir_str url = checked(c, site, source, "url"), method = checked(c, site, source, "method");
    if (!url.length)
        weir__problem(c, WEIR_INVALID, "templates.%.*s.http.url is required", WEIR_ARG(t->name));
    weir_member_put(config, "url", weir_string_from(url));
    weir_member_put(config, "method", weir_string_from(method.length ? method : WEIR_STR("GET")));
    if (weir__bool_field(c, source, "insecureSkipVerify", false))
        weir_member_put(config, "verify", weir_bool_new(false));
    put_headers(c, site, source, config);
    put_body(c, site, source, config);
    /* It may name the request and the response, which are not there yet. */
    (void)weir__text_field(c, source, "successCondition", &t->success);
    return config;
}

/* --- executor plugins ----------------------------------------------------------------------------- */

static weir_value *tag_value(const char *prefix, weir_str name) {
    weir_buffer text = {0};
    weir_buffer_printf(&text, "{{%s%.*s}}", prefix, WEIR_ARG(name));
    weir_value *value = weir_string_from(weir_buffer_str(&text));
    weir_buffer_deinit(&text);
    return value;
}

/* What Argo's agent sends: {workflow: {metadata: {name, namespace, uid}}, template}. */
static weir_value *execute_arguments(const weir__template *t, weir_value *plugin) {
    static const char *const facts[] = {"name", "namespace", "uid"};
    weir_value *metadata = weir_object_new(), *workflow = weir_object_new(),
               *template = weir_object_new(), *all = weir_object_new(), *list = weir_array_new();
    for (size_t i = 0; i < 3; i++)
        weir_member_put(metadata, facts[i], tag_value("workflow.", weir_str_from(facts[i])));
    weir_member_put(workflow, "metadata", metadata);
    for (size_t i = 0; i < t->inputs.count; i++) {
        weir_value *parameter = weir_object_new();
        weir_member_put_text(parameter, "name", t->inputs.items[i].name);
        weir_member_put(parameter, "value",
                        tag_value("inputs.parameters.", t->inputs.items[i].name));
        weir_array_append(list, parameter);
    }
    weir_value *inputs = weir_object_new();
    weir_member_put(inputs, "parameters", list);
    weir_member_put_text(template, "name", t->name);
    weir_member_put(template, "inputs", inputs);
    weir_member_put(template, "plugin", weir_value_ref(plugin));
    weir_member_put(all, "workflow", workflow);
    weir_member_put(all, "template", template);
    return all;
}

weir_value *weir__compile_plugin_call(weir__compiler *c, const weir__site *site, weir__template *t,
                                      weir_value *source) {
    weir_value *config = request_new(PLUGIN_TIMEOUT_S), *headers = weir_object_new();
    weir_str name = weir_value_count(source) ? weir_object_key(source, 0) : WEIR_STR("");
    const weir_value *known = c->workflow->plugins,
                     *plugin = known ? weir_member(known, name) : NULL;
    weir_str address = weir_member_text(plugin, "address"),
             token = weir_member_text(plugin, "token");
    if (weir_value_count(source) != 1)
        weir__problem(c, WEIR_INVALID, "templates.%.*s.plugin must name one plugin",
                      WEIR_ARG(t->name));
    else if (!address.length)
        weir__problem(c, WEIR_NOT_FOUND,
                      "the plugin `%.*s` has no address: weir.yaml says it, `workflow: {plugins: "
                      "{%.*s: {address: http://localhost:4355}}}`",
                      WEIR_ARG(name), WEIR_ARG(name));
    weir__check_texts(c, site, source);
    while (address.length && address.data[address.length - 1] == '/') address.length--;
    weir_buffer url = {0};
    weir_buffer_printf(&url, "%.*s/api/v1/template.execute", WEIR_ARG(address));
    weir_member_put_text(config, "url", weir_buffer_str(&url));
    weir_buffer_deinit(&url);
    weir_member_put_text(config, "method", WEIR_STR("POST"));
    if (token.length) weir_member_put(headers, "Authorization", secret_value(token, "Bearer "));
    weir_member_put(config, "headers", headers);
    weir_member_put(config, "json", execute_arguments(t, source));
    t->is_call = true;
    return config;
}
