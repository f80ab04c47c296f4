/* What a step group needs before any of its steps is begun: conditions that can be read, and loops that can be made. Where one cannot, the
 * group ends with that, and has no steps, as in Argo. */
#include "expr/condition.h"
#include "workflow/coordinator.h"

bool weir__is_passed_over(weir__scope *scope, const weir__step *step) {
    weir_buffer text = {0};
    weir_error error;
    bool result = true;
    bool known = step->when.length && weir__render(scope, step->when, &text, &error) &&
                 weir_condition_evaluate(weir_buffer_str(&text), &result, &error);
    weir_buffer_deinit(&text);
    return known && !result;
}

/* A condition whose tags cannot be rendered is its step's own trouble. */
static bool can_ask(weir__scope *scope, const weir__step *step, weir__verdict *v) {
    weir_buffer text = {0};
    weir_error error;
    bool result, good = true;
    if (!step->when.length || step->loop) return true;
    if (weir__render(scope, step->when, &text, &error) &&
        !weir_condition_evaluate(weir_buffer_str(&text), &result, &error)) {
        weir__say(v, WEIR__PHASE_ERROR, "Failed to resolve references: ");
        weir_condition_explain(weir_buffer_str(&text), &error, &v->message);
        good = false;
    }
    weir_buffer_deinit(&text);
    return good;
}

static bool can_expand(weir__scope *scope, const weir__step *step, weir__verdict *v) {
    weir_error error;
    if (!step->loop || step->loop->items) return true;
    weir_value *expanded = weir__loop_expand(scope, step->loop, &error);
    weir_value_unref(expanded);
    if (expanded || weir__is_passed_over(scope, step)) return true;
    weir__say(v, WEIR__PHASE_ERROR, error.message);
    return false;
}

bool weir__group_can_begin(const weir__run *run, uint32_t node, uint32_t group, uint64_t now_us,
                           weir__verdict *v) {
    const weir__template *t = weir__node_at(run, node)->template;
    weir__scope scope = weir__scope_within(run, node);
    scope.now_us = now_us;
    for (uint32_t i = t->groups[group]; i < t->groups[group + 1]; i++)
        if (!can_ask(&scope, &t->steps[i], v)) return false;
    for (uint32_t i = t->groups[group]; i < t->groups[group + 1]; i++)
        if (!can_expand(&scope, &t->steps[i], v)) return false;
    return true;
}
