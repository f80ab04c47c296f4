/* `retry`, `timeout_us` and `freeze_us` of an operation: how often it is tried, and for how long. */
#include "base/time.h"
#include "data/json.h"
#include "dataflow/plan_internal.h"

static uint64_t positive_member(weir__compiler *c, const weir__instance *instance,
                                const weir_value *value, const char *key, uint64_t max) {
    const weir_value *member = weir_member_named(value, key);
    if (!member) return 0;
    if (weir_is(member, WEIR_INT) && weir_int_get(member) >= 0 &&
        (uint64_t)weir_int_get(member) <= max)
        return (uint64_t)weir_int_get(member);
    weir__dataflow_problem(c, instance->name, weir_str_from(key), "", WEIR_INVALID,
                           "operation `%.*s`: `%s` is no number from 0 to %llu",
                           WEIR_ARG(instance->name), key, (unsigned long long)max);
    return 0;
}

/* --- retries ------------------------------------------------------------------------------------- */

static void say(weir__compiler *c, const weir__instance *instance, const char *what) {
    weir__dataflow_problem(c, instance->name, WEIR_STR("retry"), "", WEIR_INVALID,
                           "operation `%.*s`: `retry`: %s", WEIR_ARG(instance->name), what);
    weir__dataflow_hint(
        c, "attempts in all, or {limit: retries, backoff: {duration, factor, cap}} as in Argo's "
           "retryStrategy");
}

static bool read_duration(const weir_value *value, uint64_t *us) {
    weir_buffer text = {0};
    weir_error error;
    bool scalar =
        weir_is(value, WEIR_STRING) || weir_is(value, WEIR_INT) || weir_is(value, WEIR_FLOAT);
    if (scalar) weir_json_plain(value, &text);
    bool ok = scalar && weir_duration_parse(weir_buffer_str(&text), us, &error) && *us <= INT64_MAX;
    weir_buffer_deinit(&text);
    return ok;
}

/* {duration, factor, cap}, or the duration alone. */
static bool read_backoff(const weir_value *backoff, weir_task_spec *spec) {
    if (!weir_is(backoff, WEIR_OBJECT)) return read_duration(backoff, &spec->backoff_us);
    bool ok = true;
    for (size_t i = 0; ok && i < weir_value_count(backoff); i++) {
        weir_str key = weir_object_key(backoff, i);
        const weir_value *value = weir_object_at(backoff, i);
        bool number = weir_is(value, WEIR_INT) || weir_is(value, WEIR_FLOAT);
        if (weir_str_is(key, "duration"))
            ok = read_duration(value, &spec->backoff_us);
        else if (weir_str_is(key, "cap"))
            ok = read_duration(value, &spec->backoff_max_us);
        else if ((ok = weir_str_is(key, "factor") && number && weir_number_get(value) >= 1))
            spec->backoff_factor = weir_number_get(value);
    }
    return ok;
}

/* {limit, backoff}. */
static void read_retry(weir__compiler *c, const weir__instance *instance, const weir_value *retry,
                       weir_task_spec *spec) {
    const weir_value *limit = weir_member_named(retry, "limit");
    const weir_value *backoff = weir_member_named(retry, "backoff");
    if (!weir_is(limit, WEIR_INT) || weir_int_get(limit) < 0 ||
        weir_int_get(limit) >= WEIR_ATTEMPTS_MAX)
        say(c, instance, "`limit` is no number of retries");
    else
        spec->attempts_max = (uint32_t)weir_int_get(limit) + 1;
    if (backoff && !read_backoff(backoff, spec)) say(c, instance, "`backoff` is none");
    if (weir_value_count(retry) > (backoff ? 2u : 1u))
        say(c, instance, "it has `limit` and `backoff` only");
}

void weir__dataflow_compile_attempts(weir__compiler *c, weir__instance *instance,
                                     const weir_value *value) {
    weir_task_spec *spec = instance->spec;
    const weir_value *retry = weir_member_named(value, "retry");
    if (weir_is(retry, WEIR_OBJECT))
        read_retry(c, instance, retry, spec);
    else
        spec->attempts_max =
            (uint32_t)positive_member(c, instance, value, "retry", WEIR_ATTEMPTS_MAX);
    /* What a generator yielded stays, so a second attempt would give it twice. */
    if ((instance->operation->hints & WEIR_GENERATOR) && spec->attempts_max) spec->attempts_max = 1;
    spec->timeout_us = positive_member(c, instance, value, "timeout_us", INT64_MAX);
    spec->freeze_us = positive_member(c, instance, value, "freeze_us", INT64_MAX);
    if (spec->freeze_us && !c->plan->pipeline && weir_operation_has_code(instance->operation))
        weir__dataflow_problem(c, instance->name, WEIR_STR("freeze_us"), "", WEIR_OK,
                               "operation `%.*s`: `%s` runs in weir itself, and nothing tells "
                               "whether it still does anything: only its timeout ends it",
                               WEIR_ARG(instance->name), instance->operation->name);
}
