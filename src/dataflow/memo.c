/* `cache` of an operation: true, or how long, under which key and in which cache its outcomes are remembered. */
#include "base/time.h"
#include "data/json.h"
#include "dataflow/plan_internal.h"

static const weir_str where = {"cache", sizeof "cache" - 1};

static void say(weir__compiler *c, const weir__instance *instance, weir_code code,
                const char *what) {
    weir__dataflow_problem(c, instance->name, where, "", code, "operation `%.*s`: %s",
                           WEIR_ARG(instance->name), what);
}

/* Why the operation's outcomes cannot be remembered; NULL: they can. */
static const char *obstacle(const weir__instance *instance) {
    uint32_t hints = instance->operation->hints;
    weir_str executor = instance->spec->executor;
    if (hints & WEIR_GENERATOR) return "what a generator gives cannot be cached";
    if (hints & WEIR_COLLECTS)
        return "an output operation looks at its context, so what it gives cannot be cached";
    if (!executor.length || weir_str_is(executor, "run"))
        return "a dataflow or a file that is run cannot be cached as a whole: cache operations in "
               "it";
    if (instance->stage == WEIR_STAGE_CLEANUP) return "what cleans up has to run, so no `cache`";
    return NULL;
}

/* Whether a variable of its environment, or something in a Python function's configuration, is a secret: what it gives may depend on
 * it, and a key must not have it. */
static bool has_secret(const weir__instance *instance) {
    if (weir_str_is(instance->spec->executor, "python"))
        return weir_value_has_secret(instance->config);
    const weir_value *environment = weir_member_named(instance->config, "environment");
    for (size_t i = 0; weir_is(environment, WEIR_OBJECT) && i < weir_value_count(environment); i++)
        if (weir_member_named(weir_object_at(environment, i), "secret")) return true;
    return false;
}

static void read_age(weir__compiler *c, const weir__instance *instance, const weir_value *value,
                     weir_memo *memo) {
    weir_buffer text = {0};
    weir_error error;
    weir_json_plain(value, &text);
    if (!weir_duration_parse(weir_buffer_str(&text), &memo->max_age_us, &error)) {
        weir_buffer what = {0};
        weir_buffer_printf(&what, "`maxAge`: %s", error.message);
        say(c, instance, WEIR_INVALID, what.data);
        weir__dataflow_hint(c, error.hint);
        weir_buffer_deinit(&what);
    } else if (!memo->max_age_us) {
        say(c, instance, WEIR_INVALID,
            "`maxAge` must be more than nothing; `cache: false` is that");
    }
    weir_buffer_deinit(&text);
}

static bool is_text(const weir_value *value) {
    return weir_is(value, WEIR_STRING) && weir_string_get(value).length &&
           weir_string_get(value).length <= WEIR_MEMO_TEXT_MAX;
}

static bool are_texts(const weir_value *value) {
    bool ok = weir_is(value, WEIR_ARRAY) && weir_value_count(value) &&
              weir_value_count(value) <= WEIR_MEMO_FILES_MAX;
    for (size_t i = 0; ok && i < weir_value_count(value); i++)
        ok = is_text(weir_array_at(value, i));
    return ok;
}

static void read_member(weir__compiler *c, const weir__instance *instance, weir_str key,
                        const weir_value *value, weir_memo *memo) {
    if (weir_str_is(key, "maxAge")) {
        read_age(c, instance, value, memo);
    } else if (weir_str_is(key, "name")) {
        if (is_text(value))
            memo->cache = weir__dataflow_keep(c->plan, weir_string_get(value));
        else
            say(c, instance, WEIR_INVALID, "`name` of its cache is no text of 1 to 1,024 bytes");
    } else if (weir_str_is(key, "key")) {
        if (!is_text(value)) say(c, instance, WEIR_INVALID, "`key` is no text of 1 to 1,024 bytes");
    } else if (weir_str_is(key, "files")) {
        if (!are_texts(value))
            say(c, instance, WEIR_INVALID, "`files` is no list of 1 to 1,000 paths");
    } else {
        weir__dataflow_problem(c, instance->name, where, "", WEIR_INVALID,
                               "operation `%.*s`: a cache has no `%.*s`", WEIR_ARG(instance->name),
                               WEIR_ARG(key));
        weir__dataflow_hint(c, "it has maxAge, key, name and files");
    }
}

void weir__dataflow_compile_memo(weir__compiler *c, weir__instance *instance,
                                 const weir_value *given) {
    if (!instance->operation) return;
    bool said = given && !weir_is(given, WEIR_NULL);
    bool wanted = said ? weir_value_truth(given) : (instance->operation->hints & WEIR_REMEMBERED);
    if (said && !weir_is(given, WEIR_BOOL) && !weir_is(given, WEIR_OBJECT)) {
        say(c, instance, WEIR_INVALID, "`cache` is true, false or {maxAge, key, name, files}");
        return;
    }
    if (!wanted) return;
    const char *why = obstacle(instance);
    bool keyed = weir_member_named(given, "key") != NULL, secret = !keyed && has_secret(instance);
    if (said && why) say(c, instance, WEIR_INVALID, why);
    if (said && !why && secret) {
        say(c, instance, WEIR_INVALID,
            "it is given a secret, which no key may have in it, so `cache` needs a `key`");
        weir__dataflow_hint(c, "say what its outcome depends on, as in {key: \"{{inputs.day}}\"}");
    }
    if (why || secret) return;
    weir_memo *memo = weir_arena_alloc(&c->plan->arena, sizeof *memo);
    for (size_t i = 0; weir_is(given, WEIR_OBJECT) && i < weir_value_count(given); i++)
        read_member(c, instance, weir_object_key(given, i), weir_object_at(given, i), memo);
    if (keyed || weir_member_named(given, "files")) {
        weir__dataflow_check_tags(c, instance, given, where);
        memo->said = weir_value_ref((weir_value *)(void *)given);
    }
    instance->spec->memo = memo;
    instance->call = false; /* which is never looked for: it takes less than looking */
}
