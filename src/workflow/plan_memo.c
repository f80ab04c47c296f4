/* `memoize` of a template: {key, maxAge?, cache: {configMap: {name}}}. */
#include <stdio.h>

#include "base/time.h"
#include "workflow/template.h"

static void read_age(weir__compiler *c, const weir_value *source, weir_memo *memo) {
    weir_str text;
    weir_error error;
    if (!weir__text_field(c, source, "maxAge", &text) || !text.length) return;
    size_t mark = weir__enter(c, "maxAge");
    if (!weir_duration_parse(text, &memo->max_age_us, &error))
        weir__problem(c, WEIR_INVALID, "%s", error.message);
    else if (!memo->max_age_us)
        weir__problem(c, WEIR_INVALID, "maxAge must be more than nothing");
    weir__leave(c, mark);
}

static void read_cache(weir__compiler *c, const weir_value *source, weir_memo *memo) {
    size_t mark = weir__enter(c, "cache");
    const weir_value *map =
        weir__field(c, weir_member_named(source, "cache"), "configMap", WEIR_OBJECT);
    weir_str name = {0};
    if (map) weir__enter(c, "configMap");
    if (map) (void)weir__text_field(c, map, "name", &name);
    if (!name.length || name.length > WEIR_MEMO_TEXT_MAX)
        weir__problem(c, WEIR_INVALID,
                      "memoize.cache.configMap.name is required: a text of 1 to %d bytes",
                      WEIR_MEMO_TEXT_MAX);
    memo->cache = name;
    weir__leave(c, mark);
}

/* One that waits for somebody would never be asked; a daemon never comes to its end. */
static bool is_looked_for(const weir__template *t) {
    return t->kind != WEIR__SUSPEND && t->kind != WEIR__UNKNOWN &&
           t->spec.kind != WEIR_TASK_SERVICE;
}

void weir__compile_memo(weir__compiler *c, weir__template *t, const weir_value *source) {
    const weir_value *given = weir__field(c, source, "memoize", WEIR_OBJECT);
    if (!given) return;
    char what[256];
    snprintf(what, sizeof what, "templates.%.*s:", WEIR_ARG(t->name));
    weir__site site = {.template = t, .step = WEIR__NONE, .what = what};
    weir_memo *memo = weir_arena_alloc(&c->workflow->arena, sizeof *memo);
    weir_str key = WEIR_STR("");
    memo->exact = true;
    size_t mark = weir__enter(c, "memoize");
    if (!weir__text_field(c, given, "key", &key) || !key.length) {
        weir__problem(c, WEIR_INVALID, "memoize.key is required");
    } else {
        size_t inner = weir__enter(c, "key");
        weir__check_text(c, &site, key, NULL);
        weir__leave(c, inner);
    }
    read_age(c, given, memo);
    read_cache(c, given, memo);
    weir__leave(c, mark);
    if (!is_looked_for(t)) return;
    t->memo_key = key;
    if (t->kind == WEIR__POD && !t->retry)
        t->spec.memo = memo;
    else
        t->look = (weir_task_spec){.name = t->name, .operation = WEIR_STR("memoize"), .memo = memo};
}
