/* What a schedule's `when` and stop strategy say. */
#include "expr/condition.h"
#include "data/json.h"
#include "expr/tag.h"
#include "schedule/schedule.h"

#define LAST "cronworkflow.lastScheduledTime"

static void put_json(weir_value *object, const char *name, const weir_value *value) {
    weir_buffer text = {0};
    if (value)
        weir_json_format(value, 0, &text);
    else
        weir_buffer_text(&text, "{}");
    weir_member_put_text(object, name, weir_buffer_str(&text));
    weir_buffer_deinit(&text);
}

static weir_value *map_with_json(const weir_value *map) {
    weir_value *out = weir_object_merge(map, NULL);
    put_json(out, "json", weir_is(map, WEIR_OBJECT) ? map : NULL);
    return out;
}

static weir_value *make_env(const weir_schedule_state *state, const weir_schedule_facts *facts) {
    weir_value *env = weir_object_new(), *cron = weir_object_new();
    weir_member_put_text(cron, "name", weir_member_text(facts->metadata, "name"));
    weir_member_put_text(cron, "namespace", WEIR_STR("default"));
    weir_member_put(cron, "labels", map_with_json(weir_member_named(facts->metadata, "labels")));
    weir_member_put(cron, "annotations",
                    map_with_json(weir_member_named(facts->metadata, "annotations")));
    weir_member_put(cron, "failed", weir_int_new(state->failed));
    weir_member_put(cron, "succeeded", weir_int_new(state->succeeded));
    weir_member_put(cron, "lastScheduledTime", weir_null_new());
    weir_member_put(env, "cronworkflow", cron);
    return env;
}

/* The last time is a moment, which an environment of values cannot have: its name becomes what makes one of a text. */
static void put_last(weir_str text, const weir_schedule_state *state, weir_buffer *out) {
    size_t from = 0, at;
    weir_str name = WEIR_STR(LAST);
    while (state->last && (at = weir_str_find(text, name, from)) != SIZE_MAX) {
        x_time t = weir__gotime_in(state->last, 0, &weir__gotime_utc);
        weir_buffer_str_append(out, weir_str_slice(text, from, at));
        weir_buffer_text(out, "date(\"");
        weir__gotime_format(&t, WEIR_STR("2006-01-02T15:04:05Z"), out);
        weir_buffer_text(out, "\")");
        from = at + name.length;
    }
    weir_buffer_str_append(out, weir_str_slice(text, from, text.length));
}

static bool look_up(void *env, weir_str name, weir_buffer *out) {
    const weir_value *value = env;
    for (size_t from = 0, to; value && from <= name.length; from = to + 1) {
        to = weir_str_find(name, WEIR_STR("."), from);
        if (to == SIZE_MAX) to = name.length;
        value =
            weir_is(value, WEIR_OBJECT) ? weir_member(value, weir_str_slice(name, from, to)) : NULL;
    }
    if (!value || weir_is(value, WEIR_OBJECT)) return false;
    weir_json_plain(value, out);
    return true;
}

bool weir_schedule_when(weir_str text, const weir_schedule_state *state,
                        const weir_schedule_facts *facts, bool *result, weir_error *error) {
    *result = true;
    if (!text.length) return true;
    weir_buffer made = {0}, filled = {0};
    weir_value *env = make_env(state, facts);
    weir_expr_options options = {.env = env};
    weir_expr_world world = {.env = env, .now_ns = facts->now_ns, .zone = facts->zone};
    weir_tag_scope scope = {.lookup = look_up, .arg = env, .options = &options, .world = &world};
    put_last(text, state, &made);
    bool ok = weir_tag_fill(weir_buffer_str(&made), &scope, &filled, error) &&
              weir_condition_evaluate(weir_buffer_str(&filled), result, error);
    if (!ok) weir_error_context(error, "`when`");
    weir_value_unref(env);
    weir_buffer_deinit(&made);
    weir_buffer_deinit(&filled);
    return ok;
}

bool weir_schedule_stops(weir_str text, const weir_schedule_state *state,
                         const weir_schedule_facts *facts, bool *result, weir_error *error) {
    *result = false;
    if (!text.length) return true;
    weir_buffer made = {0};
    weir_value *env = make_env(state, facts);
    weir_expr_options options = {.env = env};
    weir_expr_world world = {.env = env, .now_ns = facts->now_ns, .zone = facts->zone};
    put_last(text, state, &made);
    weir_expr *expr = weir_expr_compile(weir_buffer_str(&made), &options, error);
    bool ok = expr && weir_expr_test(expr, &world, result, error);
    if (!ok) weir_error_context(error, "`stopStrategy`");
    weir_expr_free(expr);
    weir_value_unref(env);
    weir_buffer_deinit(&made);
    return ok;
}
