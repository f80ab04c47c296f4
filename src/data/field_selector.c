#include "data/field_selector.h"

static bool fail_term(weir_str text, weir_error *error) {
    weir_fail(error, WEIR_INVALID, "`%.*s` is no field selector", WEIR_ARG(text));
    weir_error_hint(error, "write for example phase=Failed,displayName!=setup");
    return false;
}

/* Reads up to a comma, or up to `=` or `!=` when `field`; nothing else may stand there unescaped. */
static bool read_part(weir_str text, size_t *at, bool field, weir_buffer *out) {
    weir_buffer_clear(out);
    for (; *at < text.length && text.data[*at] != ','; ++*at) {
        char c = text.data[*at];
        if (c == '=' || (field && c == '!')) return field;
        if (c == '\\') {
            if (++*at == text.length || !strchr(",=\\", text.data[*at])) return false;
            c = text.data[*at];
        }
        weir_buffer_byte(out, c);
    }
    return !field;
}

static bool read_term(weir_str text, size_t *at, weir_buffer *part, struct weir_field_term *term) {
    if (!read_part(text, at, true, part) || !part->length) return false;
    term->field = weir_str_dup(weir_str_trim(weir_buffer_str(part)));
    term->differs = text.data[*at] == '!';
    *at += term->differs;
    if (*at == text.length || text.data[*at] != '=') return false;
    ++*at;
    if (!term->differs && *at < text.length && text.data[*at] == '=') ++*at;
    if (!read_part(text, at, false, part)) return false;
    term->value = weir_str_dup(weir_str_trim(weir_buffer_str(part)));
    return true;
}

bool weir_field_selector_parse(weir_str text, weir_field_selector *out, weir_error *error) {
    *out = (weir_field_selector){0};
    weir_buffer part = {0};
    bool ok = true;
    for (size_t at = 0; ok && at < text.length; at++) { /* over the comma */
        struct weir_field_term *term = weir_vector_push(&out->terms);
        *term = (struct weir_field_term){0};
        ok = read_term(text, &at, &part, term) && at + 1 != text.length;
    }
    weir_buffer_deinit(&part);
    return ok || fail_term(text, error);
}

static weir_str parameter_of(const weir_value *node, weir_str name) {
    const weir_value *list = weir_member_named(weir_member_named(node, "inputs"), "parameters");
    for (size_t i = 0; weir_is(list, WEIR_ARRAY) && i < weir_value_count(list); i++) {
        const weir_value *parameter = weir_array_at(list, i);
        if (weir_str_equal(weir_member_text(parameter, "name"), name))
            return weir_member_text(parameter, "value");
    }
    return (weir_str){0};
}

static weir_str field_of(const weir_value *node, weir_str field) {
    const weir_str before = WEIR_STR("inputs.parameters."), behind = WEIR_STR(".value");
    if (weir_str_starts(field, before) && weir_str_ends(field, behind) &&
        field.length > before.length + behind.length)
        return parameter_of(node,
                            weir_str_slice(field, before.length, field.length - behind.length));
    const weir_value *reference = weir_member_named(node, "templateRef");
    if (reference && weir_str_is(field, "templateName"))
        return weir_member_text(reference, "template");
    size_t dot = weir_str_find(field, WEIR_STR("."), 0);
    if (dot != SIZE_MAX && weir_is(node, WEIR_OBJECT)) {
        node = weir_member(node, weir_str_slice(field, 0, dot));
        field = weir_str_slice(field, dot + 1, field.length);
    }
    const weir_value *value = weir_is(node, WEIR_OBJECT) ? weir_member(node, field) : NULL;
    return weir_is(value, WEIR_STRING) ? weir_string_get(value) : (weir_str){0};
}

bool weir_field_selector_matches(const weir_field_selector *selector, const weir_value *node) {
    for (size_t i = 0; i < selector->terms.count; i++) {
        const struct weir_field_term *term = &selector->terms.items[i];
        if (weir_str_is(field_of(node, weir_str_from(term->field)), term->value) == term->differs)
            return false;
    }
    return true;
}

void weir_field_selector_deinit(weir_field_selector *selector) {
    for (size_t i = 0; i < selector->terms.count; i++) {
        weir_free(selector->terms.items[i].field);
        weir_free(selector->terms.items[i].value);
    }
    weir_vector_deinit(&selector->terms);
}
