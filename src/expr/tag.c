#include "expr/tag.h"

#include <stdint.h>

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

static bool render_tag(const tag *found, weir_tag_lookup *lookup, void *arg, weir_buffer *out,
                       weir_error *error) {
    if (found->end == SIZE_MAX) {
        weir_fail(error, WEIR_SYNTAX, "the tag `{{%.*s` has no end", WEIR_ARG(found->name));
        weir_error_hint(error, "close it with }}");
        return false;
    }
    if (weir_str_starts(found->name, WEIR_STR("=")))
        return weir_fail(error, WEIR_UNSUPPORTED, "the expression `{{%.*s}}` is not supported yet",
                         WEIR_ARG(found->name));
    if (lookup(arg, found->name, out)) return true;
    return weir_fail(error, WEIR_INVALID, "nothing is named `{{%.*s}}`", WEIR_ARG(found->name));
}

bool weir_tag_render(weir_str text, weir_tag_lookup *lookup, void *arg, weir_buffer *out,
                     weir_error *error) {
    size_t before = out->length, at = 0;
    tag found;
    while (find_tag(text, at, &found)) {
        weir_buffer_str_append(out, weir_str_slice(text, at, found.begin));
        if (!render_tag(&found, lookup, arg, out, error)) {
            out->length = before;
            if (out->data) out->data[before] = '\0';
            return false;
        }
        at = found.end;
    }
    weir_buffer_str_append(out, weir_str_slice(text, at, text.length));
    return true;
}

typedef struct renderer {
    weir_tag_lookup *lookup;
    void *arg;
    weir_buffer scratch; /* the text rendered last */
} renderer;

static bool render_text(renderer *r, weir_str text, weir_error *error) {
    weir_buffer_clear(&r->scratch);
    return weir_tag_render(text, r->lookup, r->arg, &r->scratch, error);
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

bool weir_tag_render_value(weir_value *value, weir_tag_lookup *lookup, void *arg, weir_value **out,
                           weir_error *error) {
    renderer r = {.lookup = lookup, .arg = arg};
    weir_value *rendered = render(&r, value, error);
    weir_buffer_deinit(&r.scratch);
    if (rendered) *out = rendered;
    return rendered != NULL;
}

void weir_tag_each(weir_str text, bool (*visit)(void *arg, weir_str name), void *arg) {
    tag found;
    for (size_t at = 0; find_tag(text, at, &found) && found.end != SIZE_MAX; at = found.end)
        if (!visit(arg, found.name)) return;
}
