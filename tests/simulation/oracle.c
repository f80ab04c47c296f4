#include "oracle.h"

#include <stdio.h>

#include "canonical.h"
#include "simulation.h"

enum { CHECKS = 3 }; /* orders by chance */

/* --- what is possible ----------------------------------------------------------------------------- */

static bool has(const text_list *list, weir_str text) {
    for (size_t i = 0; i < list->count; i++)
        if (weir_str_is(text, list->items[i])) return true;
    return false;
}

/* Lets the model run once. */
static void learn(oracle *o, oracle_context *context, uint64_t *chance) {
    model_end end;
    model_run(&o->memory, context->name, chance, &end);
    weir_str result = weir_buffer_str(&end.result);
    if (end.failed) {
        context->may_fail = MODEL_YES;
        context->failure_known = true;
    } else if (!has(&context->possible, result)) {
        text_list_add(&context->possible, result);
    }
    model_end_deinit(&end);
}

static model_answer may_fail(oracle *o, oracle_context *context) {
    if (!context->failure_known)
        context->may_fail =
            o->scenario->orderly ? MODEL_NO : model_search(&o->memory, context->name, NULL);
    context->failure_known = true;
    return context->may_fail;
}

/* What is found once need not be looked for again. */
static model_answer may_give(oracle *o, oracle_context *context, const weir_value *value,
                             weir_str text) {
    if (has(&context->possible, text)) return MODEL_YES;
    if (has(&context->unjudged, text)) return MODEL_UNSURE;
    if (o->scenario->orderly) return MODEL_NO;
    model_answer answer = model_search(&o->memory, context->name, value);
    if (answer == MODEL_YES) text_list_add(&context->possible, text);
    if (answer == MODEL_UNSURE) text_list_add(&context->unjudged, text);
    return answer;
}

/* --- judging -------------------------------------------------------------------------------------- */

static void judge_result(oracle *o, oracle_context *context, const weir_value *value, char *problem,
                         size_t size) {
    uint64_t hash = canonical_hash(value);
    o->judged++;
    for (size_t i = 0; i < context->hashes.count; i++)
        if (context->hashes.items[i] == hash) return;
    weir_buffer text = {0};
    canonical_value(value, &text);
    weir_str result = weir_buffer_str(&text);
    model_answer answer = may_give(o, context, value, result);
    if (answer == MODEL_YES) *weir_vector_push(&context->hashes) = hash;
    o->unjudged += answer == MODEL_UNSURE;
    if (answer == MODEL_NO) {
        if (!context->possible.count) learn(o, context, NULL);
        const char *other = context->possible.count ? context->possible.items[0] : "a failure";
        size_t same = 0;
        while (other[same] && other[same] == result.data[same]) same++;
        same = same > 60 ? same - 60 : 0;
        snprintf(problem, size, "context %.*s: no order gives %.300s, but others, as %.300s",
                 WEIR_ARG(context->name), result.data + same, other + same);
    }
    weir_buffer_deinit(&text);
}

static void judge_results(oracle *o, const world_end *end, bool all, char *problem, size_t size) {
    for (size_t i = 0; i < o->contexts.count && !problem[0]; i++) {
        oracle_context *context = &o->contexts.items[i];
        const weir_value *result = weir_member(end->by_context, context->name);
        if (result)
            judge_result(o, context, result, problem, size);
        else if (all)
            snprintf(problem, size, "context %.*s has no result", WEIR_ARG(context->name));
    }
}

static void judge_failure(oracle *o, char *problem, size_t size) {
    bool unsure = false;
    for (size_t i = 0; i < o->contexts.count; i++) {
        model_answer answer = may_fail(o, &o->contexts.items[i]);
        if (answer == MODEL_YES) return;
        unsure |= answer == MODEL_UNSURE;
    }
    if (unsure)
        o->unjudged++;
    else
        snprintf(problem, size, "it failed, which no order makes it");
}

static void expect_same(const char *what, const weir_buffer *wanted, const weir_buffer *got,
                        char *problem, size_t size) {
    weir_str a = weir_buffer_str(wanted), b = weir_buffer_str(got);
    if (weir_str_equal(a, b) || problem[0]) return;
    size_t same = 0, line = 0;
    for (; same < a.length && same < b.length && a.data[same] == b.data[same]; same++)
        if (a.data[same] == '\n') line = same + 1;
    snprintf(problem, size, "other %s: %.300s\nnot %.300s", what, b.length ? b.data + line : "",
             a.length ? a.data + line : "");
}

void oracle_judge(oracle *o, const world_end *end, char *problem, size_t size) {
    bool failed = strcmp(end->phase, "Failed") == 0;
    problem[0] = '\0';
    judge_results(o, end, !failed, problem, size);
    if (failed && !end->cancelled && !problem[0]) judge_failure(o, problem, size);
    bool certain = !failed && o->scenario->orderly && !o->scenario->may_fail;
    if (!certain) return;
    expect_same("parameter sets", &o->sets, &end->sets, problem, size);
    expect_same("tasks", &o->tasks, &end->tasks, problem, size);
}

/* --- life ----------------------------------------------------------------------------------------- */

static void add_context(oracle *o, weir_str name) {
    *weir_vector_push(&o->contexts) = (oracle_context){.name = name};
}

static void append(text_list *to, const text_list *from) {
    for (size_t i = 0; i < from->count; i++) text_list_add(to, weir_str_from(from->items[i]));
}

/* The one order of an orderly flow, and some that have to give the same. */
static void check_orders(oracle *o, oracle_context *context, text_list *sets, text_list *tasks,
                         char *problem, size_t size) {
    uint64_t chance = o->scenario->seed;
    model_end end;
    model_run(&o->memory, context->name, NULL, &end);
    append(sets, &end.sets);
    append(tasks, &end.tasks);
    model_end_deinit(&end);
    for (int i = 0; i <= CHECKS; i++) learn(o, context, i ? &chance : NULL);
    if (context->possible.count + (context->may_fail == MODEL_YES) != 1)
        snprintf(problem, size, "the flow is not orderly: in context %.*s %.300s, or %.300s",
                 WEIR_ARG(context->name), context->possible.items[0],
                 context->may_fail == MODEL_YES ? "it fails" : context->possible.items[1]);
}

/* What an order by chance gives is found. */
static void check_search(oracle *o, const oracle_context *context, char *problem, size_t size) {
    uint64_t chance = o->scenario->seed;
    for (int i = 0; i < CHECKS; i++) {
        model_end end;
        model_run(&o->memory, context->name, &chance, &end);
        if (model_search(&o->memory, context->name, end.value) == MODEL_NO)
            snprintf(problem, size, "the model's search does not find %.300s in context %.*s",
                     end.failed ? "the failure" : end.result.data, WEIR_ARG(context->name));
        model_end_deinit(&end);
    }
}

void oracle_init(oracle *o, const scenario *s, char *problem, size_t size) {
    *o = (oracle){.scenario = s, .memory = {.scenario = s}};
    text_list sets = {0}, tasks = {0};
    problem[0] = '\0';
    const weir_value *planned = weir_member_named(s->request, "contexts");
    for (size_t i = 0; i < weir_value_count(planned); i++)
        add_context(o, weir_object_key(planned, i));
    for (size_t i = 0; i < s->gifts.count; i++)
        if (s->gifts.items[i].type == WEIR_CONTEXT_GIVEN)
            add_context(o, weir_str_from(s->gifts.items[i].context));
    for (size_t i = 0; i < o->contexts.count && !problem[0]; i++) {
        if (s->orderly)
            check_orders(o, &o->contexts.items[i], &sets, &tasks, problem, size);
        else
            check_search(o, &o->contexts.items[i], problem, size);
    }
    canonical_lines(sets.items, sets.count, &o->sets);
    canonical_lines(tasks.items, tasks.count, &o->tasks);
    text_list_deinit(&sets);
    text_list_deinit(&tasks);
}

void oracle_deinit(oracle *o) {
    for (size_t i = 0; i < o->contexts.count; i++) {
        text_list_deinit(&o->contexts.items[i].possible);
        text_list_deinit(&o->contexts.items[i].unjudged);
        weir_vector_deinit(&o->contexts.items[i].hashes);
    }
    weir_vector_deinit(&o->contexts);
    model_memory_deinit(&o->memory);
    weir_buffer_deinit(&o->sets);
    weir_buffer_deinit(&o->tasks);
}
