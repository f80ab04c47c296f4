/* What a template's annotations say that its tasks take: weir.estimate/seconds, high, cpu and memory. Argo leaves annotations that
 * it does not know alone, so such a file is as good for it as before. */
#include "workflow/template.h"

static const char prefix[] = "weir.estimate/";

static void read_annotation(weir__compiler *c, weir__template *t, weir_str key,
                            const weir_value *value) {
    weir_error error;
    weir_str name = weir_str_slice(key, sizeof prefix - 1, key.length);
    if (!weir_str_starts(key, weir_str_from(prefix)) ||
        weir_estimate_read_member(name, value, &t->spec.estimate, &error))
        return;
    size_t mark = weir__enter(c, "annotations");
    weir_path_append(&c->path, key);
    size_t before = c->problems->count;
    weir__problem(c, error.code, "templates.%.*s: `%.*s`: %s", WEIR_ARG(t->name), WEIR_ARG(key),
                  error.message);
    if (c->problems->count > before) weir_error_hint(&c->problems->items[before], "%s", error.hint);
    weir__leave(c, mark);
}

static void read_annotations(weir__compiler *c, weir__template *t, const weir_value *object) {
    const weir_value *annotations = weir_member_named(object, "annotations");
    for (size_t i = 0; weir_is(annotations, WEIR_OBJECT) && i < weir_value_count(annotations); i++)
        read_annotation(c, t, weir_object_key(annotations, i), weir_object_at(annotations, i));
}

void weir__compile_estimate(weir__compiler *c, weir__template *t, const weir_value *source) {
    size_t mark = weir__enter(c, "metadata");
    read_annotations(c, t, weir_member_named(source, "metadata"));
    weir__leave(c, mark);
    read_annotations(c, t, source);
    const weir_estimate *known = &t->spec.estimate;
    if (known->wall_high_us && known->wall_high_us < known->wall_us)
        weir__problem(c, WEIR_INVALID, "templates.%.*s: `%shigh` is less than `%sseconds`",
                      WEIR_ARG(t->name), prefix, prefix);
}
