#include "oracle.h"

#include <stdio.h>

#include "canonical.h"
#include "simulation.h"

enum {
    CHECKS = 3,           /* orders by chance, of an orderly flow */
    BY_CHANCE_MAX = 3000, /* orders that are tried for a context */
    ONE_BY_ONE_MAX = 30000
};

/* --- choosers ------------------------------------------------------------------------------------- */

uint32_t chooser_choose(chooser *c, uint32_t count) {
    uint32_t choice = c->by_chance ? (uint32_t)chance_draw(&c->chance, count) : 0;
    if (c->at < c->taken.count) {
        choice = c->taken.items[c->at++];
        return choice;
    }
    *weir_vector_push(&c->taken) = choice;
    *weir_vector_push(&c->counts) = count;
    c->at++;
    return choice;
}

bool chooser_next(chooser *c) {
    while (c->taken.count) {
        size_t last = c->taken.count - 1;
        if (++c->taken.items[last] < c->counts.items[last]) break;
        c->taken.count--;
        c->counts.count--;
    }
    c->at = 0;
    return c->taken.count > 0;
}

void chooser_restart(chooser *c) {
    c->at = c->taken.count = c->counts.count = 0;
}

void chooser_deinit(chooser *c) {
    weir_vector_deinit(&c->taken);
    weir_vector_deinit(&c->counts);
}

/* --- what is possible ----------------------------------------------------------------------------- */

static bool has(const text_list *list, weir_str text) {
    for (size_t i = 0; i < list->count; i++)
        if (weir_str_is(text, list->items[i])) return true;
    return false;
}

/* Lets the model run once. */
static void learn(oracle *o, oracle_context *context, chooser *c) {
    model_end end;
    model_run(o->scenario, weir_str_from(context->name), c, &end);
    weir_str result = weir_buffer_str(&end.result);
    if (end.failed)
        context->may_fail = true;
    else if (!has(&context->possible, result))
        text_list_add(&context->possible, result);
    model_end_deinit(&end);
}

static bool is_possible(const oracle_context *context, const weir_str *result) {
    return result ? has(&context->possible, *result) : context->may_fail;
}

/* Looks for an order that gives the result; NULL: that the context fails. What the orders before gave is known, so each
 * search goes on where the last one found what it looked for. */
static bool search(oracle *o, oracle_context *context, const weir_str *result) {
    chooser c = {.by_chance = true, .chance = o->scenario->seed + context->tried};
    if (is_possible(context, result) || context->complete) return is_possible(context, result);
    for (; context->tried < BY_CHANCE_MAX && !is_possible(context, result); context->tried++) {
        chooser_restart(&c);
        learn(o, context, &c);
    }
    chooser_deinit(&c);
    while (!is_possible(context, result) && !context->complete &&
           context->walked++ < ONE_BY_ONE_MAX) {
        learn(o, context, &context->walk);
        context->complete = !chooser_next(&context->walk);
    }
    return is_possible(context, result);
}

/* --- judging -------------------------------------------------------------------------------------- */

static void judge_result(oracle *o, oracle_context *context, const weir_value *value, char *problem,
                         size_t size) {
    weir_buffer text = {0};
    canonical_value(value, &text);
    weir_str result = weir_buffer_str(&text);
    o->judged++;
    if (has(&context->unjudged, result)) {
        o->unjudged++;
    } else if (!search(o, context, &result)) {
        if (context->complete || o->scenario->orderly) {
            const char *wanted = context->possible.count ? context->possible.items[0] : "none";
            size_t same = 0;
            while (wanted[same] && wanted[same] == result.data[same]) same++;
            same = same > 60 ? same - 60 : 0;
            snprintf(problem, size, "context %s: no order gives %.300s, but %zu others, as %.300s",
                     context->name, result.data + same, context->possible.count, wanted + same);
        } else {
            o->unjudged++;
            text_list_add(&context->unjudged, result);
        }
    }
    weir_buffer_deinit(&text);
}

static void judge_results(oracle *o, const world_end *end, bool all, char *problem, size_t size) {
    for (size_t i = 0; i < o->contexts.count && !problem[0]; i++) {
        oracle_context *context = &o->contexts.items[i];
        const weir_value *result = weir_member(end->by_context, weir_str_from(context->name));
        if (result)
            judge_result(o, context, result, problem, size);
        else if (all)
            snprintf(problem, size, "context %s has no result", context->name);
    }
}

static void judge_failure(oracle *o, char *problem, size_t size) {
    bool complete = true;
    for (size_t i = 0; i < o->contexts.count; i++) {
        if (search(o, &o->contexts.items[i], NULL)) return;
        complete &= o->contexts.items[i].complete;
    }
    if (complete || o->scenario->orderly)
        snprintf(problem, size, "it failed, which no order makes it");
    else
        o->unjudged++;
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

static void add_context(oracle *o, const char *name) {
    *weir_vector_push(&o->contexts) = (oracle_context){.name = name};
}

static void append(text_list *to, const text_list *from) {
    for (size_t i = 0; i < from->count; i++) text_list_add(to, weir_str_from(from->items[i]));
}

/* The one order of an orderly flow, and some that have to give the same. */
static void check_orders(oracle *o, oracle_context *context, text_list *sets, text_list *tasks,
                         char *problem, size_t size) {
    chooser c = {.chance = o->scenario->seed};
    model_end end;
    model_run(o->scenario, weir_str_from(context->name), &c, &end);
    append(sets, &end.sets);
    append(tasks, &end.tasks);
    model_end_deinit(&end);
    for (int i = 0; i <= CHECKS; i++) {
        chooser_restart(&c);
        learn(o, context, &c);
        c.by_chance = true;
    }
    chooser_deinit(&c);
    context->complete = true;
    if (context->possible.count + context->may_fail != 1)
        snprintf(problem, size, "the flow is not orderly: in context %s %.300s, or %.300s",
                 context->name, context->possible.items[0],
                 context->may_fail ? "it fails" : context->possible.items[1]);
}

void oracle_init(oracle *o, const scenario *s, char *problem, size_t size) {
    *o = (oracle){.scenario = s};
    text_list sets = {0}, tasks = {0};
    problem[0] = '\0';
    const weir_value *planned = weir_member_named(s->request, "contexts");
    for (size_t i = 0; i < weir_value_count(planned); i++)
        add_context(o, weir_object_key(planned, i).data);
    for (size_t i = 0; i < s->gifts.count; i++)
        if (s->gifts.items[i].type == WEIR_CONTEXT_GIVEN) add_context(o, s->gifts.items[i].context);
    for (size_t i = 0; i < o->contexts.count && s->orderly && !problem[0]; i++)
        check_orders(o, &o->contexts.items[i], &sets, &tasks, problem, size);
    canonical_lines(sets.items, sets.count, &o->sets);
    canonical_lines(tasks.items, tasks.count, &o->tasks);
    text_list_deinit(&sets);
    text_list_deinit(&tasks);
}

void oracle_deinit(oracle *o) {
    for (size_t i = 0; i < o->contexts.count; i++) {
        text_list_deinit(&o->contexts.items[i].possible);
        text_list_deinit(&o->contexts.items[i].unjudged);
        chooser_deinit(&o->contexts.items[i].walk);
    }
    weir_vector_deinit(&o->contexts);
    weir_buffer_deinit(&o->sets);
    weir_buffer_deinit(&o->tasks);
}
