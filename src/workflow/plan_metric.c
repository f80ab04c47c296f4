/* `metrics: {prometheus: [...]}` of a template or a workflow: what Argo checks of them before anything runs; the rest shows when they are
 * given. */
#include <stdlib.h>

#include "workflow/template.h"

/* As Prometheus has it, without colons, as Argo's metrics. */
static bool is_name(weir_str name, bool label) {
    for (size_t i = 0; i < name.length; i++) {
        char ch = name.data[i];
        bool letter = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || ch == '_';
        if (!letter && !(ch >= '0' && ch <= '9' && (i || !label))) return false;
    }
    return name.length > 0 && name.length <= WEIR__METRIC_NAME_MAX;
}

static weir_str text_of(weir__compiler *c, const weir_value *source, const char *key) {
    weir_str text = WEIR_STR("");
    (void)weir__text_field(c, source, key, &text);
    return text;
}

static void compile_labels(weir__compiler *c, const weir_value *source, weir__metric *m) {
    const weir_value *list = weir__field(c, source, "labels", WEIR_ARRAY);
    size_t count = list ? weir_value_count(list) : 0;
    m->labels = weir_arena_alloc(&c->workflow->arena, (count + 1) * sizeof *m->labels);
    for (size_t i = 0; i < count; i++) {
        size_t mark = weir__enter(c, "labels/%zu", i);
        weir__parameter *label = &m->labels[m->label_count++];
        label->name = text_of(c, weir_array_at(list, i), "key");
        label->text = text_of(c, weir_array_at(list, i), "value");
        if (!is_name(label->name, true))
            weir__problem(c, WEIR_INVALID,
                          "metric '%.*s' has a label `%.*s`: a key is of letters, digits and '_'",
                          WEIR_ARG(m->name), WEIR_ARG(label->name));
        weir__leave(c, mark);
    }
}

static void compile_buckets(weir__compiler *c, const weir_value *source, weir__metric *m) {
    const weir_value *list = weir__field(c, source, "buckets", WEIR_ARRAY);
    size_t count = list ? weir_value_count(list) : 0;
    m->buckets = weir_arena_alloc(&c->workflow->arena, (count + 1) * sizeof *m->buckets);
    for (size_t i = 0; i < count; i++) {
        size_t mark = weir__enter(c, "buckets/%zu", i);
        weir_str text;
        char *end;
        if (weir__any_text(c, weir_array_at(list, i), &text)) {
            m->buckets[m->bucket_count++] = strtod(text.data, &end);
            if (end == text.data || *end)
                weir__problem(c, WEIR_INVALID, "metric '%.*s': a bucket is a number",
                              WEIR_ARG(m->name));
        }
        weir__leave(c, mark);
    }
    if (!count)
        weir__problem(c, WEIR_INVALID, "metric '%.*s': a histogram needs `buckets`",
                      WEIR_ARG(m->name));
}

static void compile_kind(weir__compiler *c, const weir_value *source, weir__metric *m) {
    static const char *const kinds[] = {"gauge", "counter", "histogram"};
    size_t found = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const weir_value *body = weir__field(c, source, kinds[i], WEIR_OBJECT);
        if (!body) continue;
        size_t mark = weir__enter(c, "%s", kinds[i]);
        m->kind = kinds[i];
        m->value = text_of(c, body, "value");
        m->operation = text_of(c, body, "operation");
        if (!m->value.length)
            weir__problem(c, WEIR_INVALID, "metric '%.*s' must have a value", WEIR_ARG(m->name));
        m->realtime = i == 0 && weir__bool_field(c, body, "realtime", false);
        if (i == 2) compile_buckets(c, body, m);
        weir__leave(c, mark);
        found++;
    }
    if (found != 1)
        weir__problem(c, WEIR_INVALID,
                      "metric '%.*s' must have one of gauge, counter and histogram",
                      WEIR_ARG(m->name));
}

void weir__compile_metrics(weir__compiler *c, const weir_value *holder, weir__metrics *out) {
    const weir_value *source = weir__field(c, holder, "metrics", WEIR_OBJECT);
    if (!source) return;
    size_t mark = weir__enter(c, "metrics");
    const weir_value *list = weir__field(c, source, "prometheus", WEIR_ARRAY);
    size_t count = list ? weir_value_count(list) : 0;
    out->items = weir_arena_alloc(&c->workflow->arena, (count + 1) * sizeof *out->items);
    if (count > WEIR__METRICS_MAX)
        weir__problem(c, WEIR_LIMIT, "more than %d metrics at one place", WEIR__METRICS_MAX);
    for (size_t i = 0; i < count && i < WEIR__METRICS_MAX; i++) {
        size_t inner = weir__enter(c, "prometheus/%zu", i);
        const weir_value *one = weir_array_at(list, i);
        weir__metric *m = &out->items[out->count++];
        m->name = text_of(c, one, "name");
        m->help = text_of(c, one, "help");
        m->when = text_of(c, one, "when");
        if (!is_name(m->name, false))
            weir__problem(c, WEIR_INVALID,
                          "metric name '%.*s' is invalid. Metric names must contain alphanumeric "
                          "characters or '_'",
                          WEIR_ARG(m->name));
        else if (!m->help.length)
            weir__problem(c, WEIR_INVALID,
                          "metric '%.*s' must contain a help string under 'help: ' field",
                          WEIR_ARG(m->name));
        compile_labels(c, one, m);
        compile_kind(c, one, m);
        weir__leave(c, inner);
    }
    weir__leave(c, mark);
}
