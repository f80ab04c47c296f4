/* What follows an attempt of a template with a retryStrategy. */
#include <math.h>
#include <stdlib.h>

#include "base/time.h"
#include "workflow/coordinator.h"

uint32_t weir__tries(const weir_coordinator *coordinator, weir_task_id task) {
    const weir__run *run = (const weir__run *)coordinator;
    uint32_t parent = weir__node_at(run, run->by_task.items[task])->parent;
    const weir__node *above = parent == WEIR__NONE ? NULL : weir__node_at(run, parent);
    return above && above->type == WEIR__TYPE_RETRY ? above->count : 1;
}

/* A text with tags that is a duration; *us stays when it is empty. */
static bool read_duration(weir__scope *scope, weir_str text, uint64_t *us, weir_error *error) {
    weir_buffer rendered = {0};
    bool ok = !text.length || (weir__render(scope, text, &rendered, error) &&
                               weir_duration_parse(weir_buffer_str(&rendered), us, error));
    weir_buffer_deinit(&rendered);
    return ok;
}

/* The same of a number that is not negative; *given: there is one. */
static bool read_count(weir__scope *scope, weir_str text, bool *given, double *out,
                       weir_error *error) {
    weir_buffer rendered = {0};
    *given = text.length != 0;
    bool ok = !*given || weir__render(scope, text, &rendered, error);
    if (ok && *given) {
        char *end;
        *out = strtod(rendered.data, &end);
        if (end == rendered.data || *end || !(*out >= 0) || *out > UINT32_MAX)
            ok = weir_fail(error, WEIR_INVALID, "retryStrategy: `%s` is not a number of 0 or more",
                           rendered.data);
    }
    weir_buffer_deinit(&rendered);
    return ok;
}

/* When the next attempt begins at the earliest, of what the backoff says. */
typedef struct backoff {
    uint64_t due_us, until_us; /* after `until_us` there is none; UINT64_MAX: always */
} backoff;

static bool read_backoff(weir__scope *scope, const weir__retry *retry, const weir__node *node,
                         backoff *out, weir_error *error) {
    const weir__node *last = weir__node_at(scope->run, node->last);
    uint64_t wait_us = 0, cap_us = UINT64_MAX, most_us = UINT64_MAX;
    double factor = 0;
    bool has_factor;
    if (!read_duration(scope, retry->duration, &wait_us, error) ||
        !read_duration(scope, retry->cap, &cap_us, error) ||
        !read_duration(scope, retry->max_duration, &most_us, error) ||
        !read_count(scope, retry->factor, &has_factor, &factor, error))
        return false;
    double wait = (double)wait_us;
    if (has_factor && factor > 0) wait *= pow(factor, node->count - 1);
    if (wait > (double)cap_us) wait = (double)cap_us;
    if (wait > 1e18) wait = 1e18;
    out->due_us = last->finished_us + (uint64_t)wait;
    /* its first attempt begins when it does */
    out->until_us =
        most_us > UINT64_MAX - node->started_us ? UINT64_MAX : node->started_us + most_us;
    return true;
}

uint32_t weir__retry_last(const weir__node *retry) {
    uint32_t last = retry->last;
    for (size_t i = 0; retry->hooks && i < retry->step->hook_count; i++) {
        uint32_t hook = retry->hooks[i];
        if (hook != WEIR__NONE && hook != WEIR__DUE && (last == WEIR__NONE || hook > last))
            last = hook;
    }
    return last;
}

static weir__next_try no_more(weir__verdict *v, weir__phase phase, weir_str message) {
    weir__say(v, phase, "");
    weir_buffer_str_append(&v->message, message);
    return (weir__next_try){.what = WEIR__TRY_NO_MORE};
}

static bool is_wanted(const weir__retry *retry, weir__phase phase) {
    return phase == WEIR__PHASE_ERROR ? retry->on_error : retry->on_failed;
}

/* What its expression says; it counts the attempts after the first. */
static bool is_expected(const weir__scope *scope, const weir__retry *retry, bool *again,
                        weir_error *error) {
    weir__scope before = *scope;
    *again = true;
    before.retry--;
    return !retry->expression.length ||
           weir__expression_test(&before, retry->expression, again, error);
}

/* Of one that failed. */
static weir__next_try judge_failure(const weir__run *run, uint32_t node, uint64_t now_us,
                                    weir__verdict *v) {
    const weir__node *n = weir__node_at(run, node), *last = weir__node_at(run, n->last);
    const weir__retry *retry = n->template->retry;
    weir__scope scope = weir__scope_at(run, (weir__place){node, n->count, false});
    weir_error error;
    backoff wait;
    bool limited, again;
    double limit = 0;
    if (run->cancelled) {
        weir__say(v, last->phase, "");
        if (run->cancelled == WEIR__EXPIRED)
            weir_buffer_text(&v->message, "retry exceeded workflow deadline");
        else
            weir_buffer_printf(&v->message, "Stopped with strategy '%s'", weir__cancel_text(run));
        return (weir__next_try){.what = WEIR__TRY_NO_MORE};
    }
    scope.inputs = n->inputs;
    scope.now_us = now_us;
    if (!read_backoff(&scope, retry, n, &wait, &error) ||
        !read_count(&scope, retry->limit, &limited, &limit, &error))
        return no_more(v, WEIR__PHASE_ERROR, weir_str_from(error.message));
    if (now_us > wait.until_us)
        return no_more(v, last->phase, WEIR_STR("Max duration limit exceeded"));
    if (wait.due_us > wait.until_us)
        return no_more(v, last->phase, WEIR_STR("Backoff would exceed max duration limit"));
    if (!is_wanted(retry, last->phase))
        return no_more(v, last->phase, weir_member_text(last->end, "message"));
    if (limited && n->count > limit)
        return no_more(v, last->phase, WEIR_STR("No more retries left"));
    if (!is_expected(&scope, retry, &again, &error))
        return no_more(v, WEIR__PHASE_ERROR, weir_str_from(error.message));
    if (!again)
        return no_more(v, last->phase, WEIR_STR("retryStrategy.expression evaluated to false"));
    if (now_us < wait.due_us)
        return (weir__next_try){.what = WEIR__TRY_LATER, .due_us = wait.due_us};
    return (weir__next_try){.what = WEIR__TRY_NOW};
}

weir__next_try weir__judge_retry(const weir__run *run, uint32_t node, uint64_t now_us,
                                 weir__verdict *v) {
    const weir__node *n = weir__node_at(run, node);
    bool stopped = weir__has_stopped(run, node);
    if (!n->count && stopped) return no_more(v, WEIR__PHASE_FAILED, WEIR_STR(""));
    if (!n->count) return (weir__next_try){.what = WEIR__TRY_NOW};
    const weir__node *last = weir__node_at(run, n->last);
    weir__next_try next = {.what = WEIR__TRY_NO_MORE};
    if (weir__is_failure(last->phase) && stopped)
        next = no_more(v, last->phase, weir_member_text(last->end, "message"));
    else if (weir__is_failure(last->phase))
        next = judge_failure(run, node, now_us, v);
    else
        v->phase = WEIR__PHASE_SUCCEEDED;
    weir_value *outputs = weir_member_named(last->end, "outputs");
    if (next.what == WEIR__TRY_NO_MORE && outputs) v->outputs = weir_value_ref(outputs);
    return next;
}
