/* What is wanted of a pipeline, and which components lead to it: others are left out. */
#include "pipeline/pipeline_internal.h"

/* --- goals ------------------------------------------------------------------------------------ */

static const weir__entry *find_output(const weir__pipeline *p, weir_str key) {
    for (size_t i = 0; i < p->outputs.count; i++)
        if (weir_str_equal(p->outputs.items[i].key, key)) return &p->outputs.items[i];
    return NULL;
}

static void say_unknown(weir__pipeline *p, weir_str goal) {
    weir_error error;
    weir_nearest nearest = weir_nearest_to(goal);
    weir_fail(&error, WEIR_NOT_FOUND, "the pipeline has no output `%.*s`", WEIR_ARG(goal));
    for (size_t i = 0; i < p->outputs.count; i++)
        weir_nearest_try(&nearest, p->outputs.items[i].key);
    for (size_t i = 0; i < p->count; i++)
        for (size_t j = 0; j < p->components[i].outputs.count; j++)
            weir_nearest_try(&nearest, p->components[i].outputs.items[j].name);
    if (nearest.best.length)
        weir_error_hint(&error, "did you mean `%.*s`?", WEIR_ARG(nearest.best));
    else
        weir_error_hint(&error, "a goal is one of its `outputs`, or COMPONENT.OUTPUT");
    weir_problems_add_request(p->problems, "goals", p->document->file, &error);
}

/* An output of the pipeline by its name there, else any output of a component. */
static bool read_goal(weir__pipeline *p, weir_str goal, weir__entry *out) {
    const weir__entry *output = find_output(p, goal);
    uint64_t maker;
    if (output) {
        *out = *output;
        return true;
    }
    *out = (weir__entry){.up = p->body, .key = goal, .name = goal, .plain = true};
    if (weir_map_get(&p->makers, goal, &maker) && maker != WEIR__NOBODY) return true;
    if (weir_map_get(&p->plain, goal, &maker) && !weir_map_get(&p->another, goal, NULL)) {
        out->name = weir__pipeline_output(p, p->components[maker].name, goal);
        return true;
    }
    say_unknown(p, goal);
    return false;
}

static void read_goals(weir__pipeline *p, const weir_value *goals) {
    weir__entries out = {weir_arena_alloc(&p->arena, weir_value_count(goals) * sizeof *out.items),
                         0};
    weir_map seen = {0};
    for (size_t i = 0; i < weir_value_count(goals); i++) {
        const weir_value *goal = weir_array_at(goals, i);
        weir_str name = weir_is(goal, WEIR_STRING) ? weir_string_get(goal) : WEIR_STR("");
        if (weir_map_get(&seen, name, NULL)) continue;
        weir_map_set(&seen, name, 0);
        out.count += read_goal(p, name, &out.items[out.count]);
    }
    weir_map_deinit(&seen);
    p->outputs = out;
    p->some = true;
}

/* --- what leads to them ------------------------------------------------------------------------ */

typedef WEIR_VECTOR(size_t) places;

static void want(weir__pipeline *p, uint64_t maker, places *found) {
    if (maker == WEIR__NOBODY) return;
    if (maker < p->inputs.count) {
        p->inputs.items[maker].wanted = true;
        return;
    }
    size_t at = maker - p->inputs.count;
    if (p->components[at].wanted) return;
    p->components[at].wanted = true;
    *weir_vector_push(found) = at;
}

/* A pipeline without outputs is wanted for what its components do. */
void weir__pipeline_choose(weir__pipeline *p) {
    const weir_value *goals = weir_member_named(p->request, "goals"),
                     *all = weir_member_named(p->request, "keep_all");
    if (weir_is(goals, WEIR_ARRAY) && weir_value_count(goals)) read_goals(p, goals);
    bool whole = (all && weir_value_truth(all)) || !p->outputs.count;
    places found = {0};
    for (size_t i = 0; i < p->outputs.count; i++) {
        uint64_t maker;
        if (weir_map_get(&p->makers, p->outputs.items[i].name, &maker)) want(p, maker, &found);
    }
    for (size_t i = 0; whole && i < p->count; i++) want(p, p->inputs.count + i, &found);
    while (found.count) {
        const weir__component *c = &p->components[found.items[--found.count]];
        for (size_t i = 0; i < c->inputs.count; i++) want(p, c->inputs.items[i].maker, &found);
    }
    weir_vector_deinit(&found);
}

/* --- and what does not -------------------------------------------------------------------------- */

weir_value *weir__pipeline_left_out(weir__pipeline *p) {
    enum { NAMED = 10 };
    weir_value *names = NULL;
    weir_buffer text = {0};
    const weir__entry *first = NULL;
    for (size_t i = 0; i < p->count; i++) {
        if (p->components[i].wanted) continue;
        if (!names) first = p->components[i].entry;
        if (!names) names = weir_array_new();
        size_t before = weir_value_count(names);
        weir_array_append(names, weir_string_from(p->components[i].name));
        if (before < NAMED)
            weir_buffer_printf(&text, "%s`%.*s`", before ? ", " : "",
                               WEIR_ARG(p->components[i].name));
    }
    size_t count = names ? weir_value_count(names) : 0;
    if (count > NAMED) weir_buffer_printf(&text, " and %zu more", count - NAMED);
    if (count)
        weir_error_hint(weir__pipeline_problem(p, first, WEIR_OK, "left out: %s lead%s to no %s",
                                               text.data, count == 1 ? "s" : "",
                                               p->some ? "goal" : "output that is wanted"),
                        "--keep-all runs %s too", count == 1 ? "it" : "them");
    weir_buffer_deinit(&text);
    return names;
}
