/* `retryStrategy` of a template, and how many of its children run at once. */
#include <stdio.h>

#include "base/time.h"
#include "workflow/template.h"

/* A text that may have tags; without, it must be a duration. */
static weir_str read_duration(weir__compiler *c, const weir__site *site, const weir_value *source,
                              const char *key) {
    weir_str text = WEIR_STR("");
    weir_error error;
    uint64_t us;
    if (!weir__text_field(c, source, key, &text) || !text.length) return text;
    size_t mark = weir__enter(c, "%s", key), before = c->problems->total;
    weir__check_text(c, site, text, NULL);
    if (c->problems->total == before && weir_str_find(text, WEIR_STR("{{"), 0) == SIZE_MAX &&
        !weir_duration_parse(text, &us, &error))
        weir__problem(c, WEIR_INVALID, "%s", error.message);
    weir__leave(c, mark);
    return text;
}

static weir_str read_number(weir__compiler *c, const weir__site *site, const weir_value *source,
                            const char *key) {
    weir_str text = WEIR_STR("");
    if (!weir__text_field(c, source, key, &text)) return text;
    size_t mark = weir__enter(c, "%s", key);
    weir__check_text(c, site, text, NULL);
    bool tags = weir_str_find(text, WEIR_STR("{{"), 0) != SIZE_MAX;
    for (size_t i = 0; !tags && i < text.length; i++)
        if (text.data[i] < '0' || text.data[i] > '9') {
            weir__problem(c, WEIR_INVALID, "`%s` must be a number of 0 or more, and is `%.*s`", key,
                          WEIR_ARG(text));
            break;
        }
    weir__leave(c, mark);
    return text;
}

static void read_policy(weir__compiler *c, const weir_value *source, weir__retry *retry) {
    weir_str policy = WEIR_STR("");
    if (!weir__text_field(c, source, "retryPolicy", &policy) || !policy.length)
        policy = retry->expression.length ? WEIR_STR("Always") : WEIR_STR("OnFailure");
    bool always = weir_str_is(policy, "Always");
    retry->on_failed = always || weir_str_is(policy, "OnFailure");
    retry->on_error = always || weir_str_is(policy, "OnError");
    if (retry->on_failed || retry->on_error || weir_str_is(policy, "OnTransientError")) return;
    size_t mark = weir__enter(c, "retryPolicy");
    weir__problem(c, WEIR_INVALID,
                  "%.*s is not a valid RetryPolicy: Always, OnFailure, OnError or OnTransientError",
                  WEIR_ARG(policy));
    weir__leave(c, mark);
}

void weir__compile_retry(weir__compiler *c, weir__template *t, const weir_value *source) {
    const weir_value *given = weir__field(c, source, "retryStrategy", WEIR_OBJECT);
    if (!given || t->kind == WEIR__SUSPEND) return;
    char what[256];
    snprintf(what, sizeof what, "templates.%.*s.retryStrategy", WEIR_ARG(t->name));
    weir__site site = {.template = t, .step = WEIR__NONE, .what = what};
    weir__retry *retry = weir_arena_alloc(&c->workflow->arena, sizeof *retry);
    size_t mark = weir__enter(c, "retryStrategy");
    if (weir__text_field(c, given, "expression", &retry->expression)) {
        size_t inner = weir__enter(c, "expression");
        weir__check_expression(c, &site, retry->expression);
        weir__leave(c, inner);
    }
    retry->limit = read_number(c, &site, given, "limit");
    read_policy(c, given, retry);
    const weir_value *backoff = weir__field(c, given, "backoff", WEIR_OBJECT);
    if (backoff) {
        size_t inner = weir__enter(c, "backoff");
        retry->duration = read_duration(c, &site, backoff, "duration");
        retry->factor = read_number(c, &site, backoff, "factor");
        retry->cap = read_duration(c, &site, backoff, "cap");
        retry->max_duration = read_duration(c, &site, backoff, "maxDuration");
        if (!retry->duration.length)
            weir__problem(c, WEIR_INVALID, "no base duration specified for retryStrategy");
        weir__leave(c, inner);
    }
    weir__leave(c, mark);
    t->retry = retry;
    if (!weir__is_leaf(t)) return;
    weir_error ignored; /* with tags it is known only when it runs */
    t->spec.retried = true;
    if (retry->duration.length)
        (void)!weir_duration_parse(retry->duration, &t->spec.backoff_us, &ignored);
}

uint32_t weir__compile_parallelism(weir__compiler *c, const weir_value *source) {
    const weir_value *given = weir__field(c, source, "parallelism", WEIR_INT);
    if (!given) return 0;
    int64_t most = weir_int_get(given);
    if (most > 0 && most < WEIR__NONE) return (uint32_t)most;
    size_t mark = weir__enter(c, "parallelism");
    weir__problem(c, WEIR_INVALID, "parallelism must be a number of at least 1");
    weir__leave(c, mark);
    return 0;
}

int32_t weir__compile_priority(weir__compiler *c, const weir_value *source, const char *field,
                               int32_t otherwise) {
    const weir_value *given = weir__field(c, source, field, WEIR_INT);
    if (!given) return otherwise;
    int64_t priority = weir_int_get(given);
    if (priority >= INT32_MIN && priority <= INT32_MAX) return (int32_t)priority;
    size_t mark = weir__enter(c, "%s", field);
    weir__problem(c, WEIR_INVALID, "%s must be an integer of 32 bits", field);
    weir__leave(c, mark);
    return otherwise;
}
