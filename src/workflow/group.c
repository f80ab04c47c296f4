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

static bool say_unresolved(weir__verdict *v, const char *why) {
    weir__say(v, WEIR__PHASE_ERROR, "failed to resolve references: ");
    weir_buffer_text(&v->message, why);
    return false;
}

static bool can_ask(weir__scope *scope, const weir__step *step, weir__verdict *v) {
    weir_buffer text = {0};
    weir_error error;
    bool result, good = true;
    if (!step->when.length || step->loop) return true;
    if (!weir__render(scope, step->when, &text, &error)) {
        good = !scope->absent || say_unresolved(v, error.message);
    } else if (!weir_condition_evaluate(weir_buffer_str(&text), &result, &error)) {
        good = say_unresolved(v, "");
        weir_condition_explain(weir_buffer_str(&text), &error, &v->message);
    }
    weir_buffer_deinit(&text);
    return good;
}

/* Arguments that name outputs of what did not run, or whose expressions give nothing; one that is nothing but such an output is its step's
 * own matter. */
static bool can_name(weir__scope *scope, const weir__step *step, weir__verdict *v) {
    bool good = true;
    if (step->loop || weir__is_passed_over(scope, step)) return true;
    for (size_t i = 0; good && i < step->arguments.count; i++) {
        const weir__parameter *argument = &step->arguments.items[i];
        weir_buffer text = {0};
        weir_error error;
        if (argument->given && !weir__render(scope, argument->text, &text, &error) &&
            (scope->nothing || (scope->absent && !weir__is_one_tag(argument->text))))
            good = say_unresolved(v, error.message);
        weir_buffer_deinit(&text);
    }
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
        if (!can_ask(&scope, &t->steps[i], v) || !can_name(&scope, &t->steps[i], v)) return false;
    for (uint32_t i = t->groups[group]; i < t->groups[group + 1]; i++)
        if (!can_expand(&scope, &t->steps[i], v)) return false;
    return true;
}
