#include "expr/tag.h"

#include <stdint.h>

#include "data/json.h"

typedef struct tag {
    size_t begin, end; /* with the braces; `end` is SIZE_MAX when they are not closed */
    weir_str name;
} tag;

/* The first tag at or after `from`. */
static bool find_tag(weir_str text, size_t from, tag *out) {
    size_t begin = weir_str_find(text, WEIR_STR("{{"), from);
    if (begin == SIZE_MAX) return false;
    size_t close = weir_str_find(text, WEIR_STR("}}"), begin + 2);
    *out = (tag){.begin = begin,
                 .end = close == SIZE_MAX ? SIZE_MAX : close + 2,
                 .name = weir_str_trim(weir_str_slice(text, begin + 2, close))};
    return true;
}

/* --- what stands in JSON */

/* Without the escapes of a JSON string; false: it has wrong ones. */
static bool unescape(weir_str text, weir_buffer *out) {
    weir_buffer quoted = {0};
    weir_value *value = NULL;
    weir_buffer_byte(&quoted, '"');
    weir_buffer_str_append(&quoted, text);
    weir_buffer_byte(&quoted, '"');
    bool ok = weir_json_parse(weir_buffer_str(&quoted), WEIR_STR(""), &value, NULL) &&
              weir_is(value, WEIR_STRING);
    if (ok) weir_buffer_str_append(out, weir_string_get(value));
    weir_value_unref(value);
    weir_buffer_deinit(&quoted);
    return ok;
}

/* What was appended behind `from` becomes what a JSON string has between its quotes. */
static void escape(weir_buffer *out, size_t from) {
    weir_buffer quoted = {0};
    weir_value *value = weir_string_from(weir_str_slice(weir_buffer_str(out), from, out->length));
    weir_json_format(value, 0, &quoted);
    weir_value_unref(value);
    out->length = from;
    weir_buffer_str_append(out, weir_str_slice(weir_buffer_str(&quoted), 1, quoted.length - 1));
    weir_buffer_deinit(&quoted);
}

/* --- expressions */

typedef struct asking {
    const weir_tag_scope *scope;
    bool late;
} asking;

static bool ask_late(void *arg, weir_str name) {
    asking *a = arg;
    a->late = a->scope->late(a->scope->late_arg, name);
    return !a->late;
}

/* Whether the expression refers to something that comes later. */
static bool is_late(const weir_tag_scope *scope, weir_str text) {
    if (!scope->late) return false;
    asking a = {.scope = scope};
    weir_expr *expr = weir_expr_compile(text, NULL, NULL);
    if (expr) weir_expr_names(expr, ask_late, &a);
    weir_expr_free(expr);
    return a.late;
}

static bool evaluate(const weir_tag_scope *scope, weir_str text, weir_buffer *out,
                     weir_error *error) {
    bool is_nil = false;
    weir_expr *expr = weir_expr_compile(text, scope->options, error);
    bool ok = expr && weir_expr_render(expr, scope->world, out, &is_nil, error);
    if (ok && is_nil) ok = weir_fail(error, WEIR_INVALID, "it gives nil");
    weir_expr_free(expr);
    return ok;
}

/* *stays: it refers to something that comes later. */
static bool render_expression(weir_str text, const weir_tag_scope *scope, weir_buffer *out,
                              bool *stays, weir_error *error) {
    weir_buffer plain = {0};
    size_t before = out->length;
    bool ok = true;
    if (scope->json && unescape(text, &plain)) text = weir_buffer_str(&plain);
    if (!evaluate(scope, text, out, error)) {
        out->length = before;
        *stays = is_late(scope, text);
        ok = *stays;
        if (!ok) weir_error_context(error, "the expression `{{=%.*s}}`", WEIR_ARG(text));
    }
    weir_buffer_deinit(&plain);
    return ok;
}

static bool render_tag(const tag *found, weir_str whole, const weir_tag_scope *scope,
                       weir_buffer *out, weir_error *error) {
    size_t before = out->length;
    bool stays = false;
    if (found->end == SIZE_MAX) {
        weir_fail(error, WEIR_SYNTAX, "the tag `{{%.*s` has no end", WEIR_ARG(found->name));
        weir_error_hint(error, "close it with }}");
        return false;
    }
    bool knows = scope->options || scope->world;
    if (knows && weir_str_starts(found->name, WEIR_STR("="))) {
        weir_str text = weir_str_slice(found->name, 1, found->name.length);
        if (!render_expression(text, scope, out, &stays, error)) return false;
    } else if (!scope->lookup(scope->arg, found->name, out)) {
        stays = scope->late && scope->late(scope->late_arg, found->name);
        if (!stays)
            return weir_fail(error, WEIR_INVALID, "nothing is named `{{%.*s}}`",
                             WEIR_ARG(found->name));
    }
    if (stays) {
        out->length = before;
        weir_buffer_str_append(out, weir_str_slice(whole, found->begin, found->end));
    } else if (scope->json) {
        escape(out, before);
    }
    return true;
}

bool weir_tag_fill(weir_str text, const weir_tag_scope *scope, weir_buffer *out,
                   weir_error *error) {
    size_t before = out->length, at = 0;
    tag found;
    while (find_tag(text, at, &found)) {
        weir_buffer_str_append(out, weir_str_slice(text, at, found.begin));
        if (!render_tag(&found, text, scope, out, error)) {
            out->length = before;
            if (out->data) out->data[before] = '\0';
            return false;
        }
        at = found.end;
    }
    weir_buffer_str_append(out, weir_str_slice(text, at, text.length));
    return true;
}

bool weir_tag_render(weir_str text, weir_tag_lookup *lookup, void *arg, weir_buffer *out,
                     weir_error *error) {
    return weir_tag_fill(text, &(weir_tag_scope){.lookup = lookup, .arg = arg}, out, error);
}

typedef struct renderer {
    const weir_tag_scope *scope;
    weir_buffer scratch; /* the text rendered last */
} renderer;

static bool render_text(renderer *r, weir_str text, weir_error *error) {
    weir_buffer_clear(&r->scratch);
    return weir_tag_fill(text, r->scope, &r->scratch, error);
}

static weir_value *render(renderer *r, weir_value *value, weir_error *error);

static bool render_member(renderer *r, weir_str key, weir_value *member, weir_value *object,
                          weir_error *error) {
    weir_value *rendered = render(r, member, error);
    if (!rendered) return false;
    if (!render_text(r, key, error)) {
        weir_value_unref(rendered);
        return false;
    }
    key = weir_buffer_str(&r->scratch);
    if (weir_member(object, key)) {
        weir_value_unref(rendered);
        return weir_fail(error, WEIR_INVALID, "two keys become `%.*s`", WEIR_ARG(key));
    }
    weir_member_set(object, key, rendered);
    return true;
}

static weir_value *render_object(renderer *r, const weir_value *object, weir_error *error) {
    weir_value *copy = weir_object_new();
    for (size_t i = 0; i < weir_value_count(object); i++) {
        if (!render_member(r, weir_object_key(object, i), weir_object_at(object, i), copy, error)) {
            weir_value_unref(copy);
            return NULL;
        }
    }
    return copy;
}

static weir_value *render_array(renderer *r, const weir_value *array, weir_error *error) {
    weir_value *copy = weir_array_new();
    for (size_t i = 0; i < weir_value_count(array); i++) {
        weir_value *item = render(r, weir_array_at(array, i), error);
        if (!item) {
            weir_value_unref(copy);
            return NULL;
        }
        weir_array_append(copy, item);
    }
    return copy;
}

static weir_value *render(renderer *r, weir_value *value, weir_error *error) {
    switch (weir_value_type(value)) {
    case WEIR_OBJECT: return render_object(r, value, error);
    case WEIR_ARRAY: return render_array(r, value, error);
    case WEIR_STRING:
        if (weir_str_find(weir_string_get(value), WEIR_STR("{{"), 0) == SIZE_MAX) break;
        if (!render_text(r, weir_string_get(value), error)) return NULL;
        return weir_string_from(weir_buffer_str(&r->scratch));
    default: break;
    }
    return weir_value_ref(value);
}

bool weir_tag_fill_value(weir_value *value, const weir_tag_scope *scope, weir_value **out,
                         weir_error *error) {
    renderer r = {.scope = scope};
    weir_value *rendered = render(&r, value, error);
    weir_buffer_deinit(&r.scratch);
    if (rendered) *out = rendered;
    return rendered != NULL;
}

bool weir_tag_render_value(weir_value *value, weir_tag_lookup *lookup, void *arg, weir_value **out,
                           weir_error *error) {
    return weir_tag_fill_value(value, &(weir_tag_scope){.lookup = lookup, .arg = arg}, out, error);
}

void weir_tag_each(weir_str text, bool (*visit)(void *arg, weir_str name), void *arg) {
    tag found;
    for (size_t at = 0; find_tag(text, at, &found) && found.end != SIZE_MAX; at = found.end)
        if (!visit(arg, found.name)) return;
}
