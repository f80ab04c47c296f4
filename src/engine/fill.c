/* Secrets in the headers of an attempt's request, and in the configuration of a Python function: {secret: NAME, before?} becomes the
 * text. Nothing that is kept has it. */
#include "engine/engine_internal.h"

static weir_value *filled(const weir_engine *engine, const weir_value *header,
                          weir_outcome *missing) {
    weir_str name = weir_member_text(header, "secret");
    const char *secret = weir_secrets_find(&engine->secrets, name);
    weir_buffer text = {0};
    if (!secret) {
        if (!missing->failure)
            *missing = weir_outcome_failed(WEIR_OUTCOME_ERRORED, weir_code_text(WEIR_NOT_FOUND),
                                           "there is no secret `%.*s`: give it with --secret "
                                           "%.*s=@FILE",
                                           WEIR_ARG(name), WEIR_ARG(name));
        return weir_string_from(WEIR_STR(""));
    }
    weir_buffer_str_append(&text, weir_member_text(header, "before"));
    weir_buffer_text(&text, secret);
    weir_value *value = weir_string_from(weir_buffer_str(&text));
    weir_buffer_deinit(&text);
    return value;
}

static bool fill_headers(const weir_engine *engine, weir_attempt *attempt, weir_outcome *missing) {
    const weir_value *headers = weir_member_named(attempt->config, "headers");
    bool any = false;
    for (size_t i = 0; weir_is(headers, WEIR_OBJECT) && i < weir_value_count(headers); i++)
        any |= weir_is(weir_object_at(headers, i), WEIR_OBJECT);
    if (!any) return true;
    weir_value *all = weir_object_new();
    for (size_t i = 0; i < weir_value_count(headers); i++) {
        weir_value *header = weir_object_at(headers, i);
        weir_member_set(all, weir_object_key(headers, i),
                        weir_is(header, WEIR_OBJECT) ? filled(engine, header, missing)
                                                     : weir_value_ref(header));
    }
    attempt->config = weir_value_own(attempt->config);
    weir_member_put(attempt->config, "headers", all);
    return !missing->failure;
}

/* The value with its secrets: a new reference. */
static weir_value *with_secrets(const weir_engine *engine, weir_value *value,
                                weir_outcome *missing) {
    if (weir_value_secret(value).length) return filled(engine, value, missing);
    if (!weir_value_has_secret(value)) return weir_value_ref(value);
    bool is_object = weir_is(value, WEIR_OBJECT);
    weir_value *all = is_object ? weir_object_new() : weir_array_new();
    for (size_t i = 0; i < weir_value_count(value); i++) {
        weir_value *item = is_object ? weir_object_at(value, i) : weir_array_at(value, i),
                   *made = with_secrets(engine, item, missing);
        if (is_object)
            weir_member_set(all, weir_object_key(value, i), made);
        else
            weir_array_append(all, made);
    }
    return all;
}

static bool fill_config(const weir_engine *engine, weir_attempt *attempt, weir_outcome *missing) {
    if (!weir_value_has_secret(attempt->config)) return true;
    weir_value *all = with_secrets(engine, attempt->config, missing);
    weir_value_unref(attempt->config);
    attempt->config = all;
    return !missing->failure;
}

bool weir__attempt_fill(const weir_engine *engine, weir_attempt *attempt, weir_outcome *missing) {
    if (weir_str_is(attempt->spec->executor, "python"))
        return fill_config(engine, attempt, missing);
    if (weir_str_is(attempt->spec->operation, "http.request"))
        return fill_headers(engine, attempt, missing);
    return true;
}
