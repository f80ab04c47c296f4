/* What goals of a dataflow mean, and which operations lead to them. */
#include "dataflow/goal.h"

/* --- what an instance reads ----------------------------------------------------------------------- */

static void list_sources(weir__goals *g) {
    const weir__flow *flow = g->flow;
    size_t all = 0;
    g->first = weir_alloc((flow->instances.count + 2) * sizeof *g->first);
    for (size_t o = 0; o < flow->origins.count; o++)
        for (size_t c = 0; c < flow->origins.items[o].consumers.count; c++, all++)
            g->first[flow->origins.items[o].consumers.items[c].instance + 2]++;
    for (size_t i = 2; i < flow->instances.count + 2; i++) g->first[i] += g->first[i - 1];
    g->origins = weir_alloc((all + 1) * sizeof *g->origins);
    g->consumers = weir_alloc((all + 1) * sizeof *g->consumers);
    /* first[i + 1] begins those of instance i while they are filled in, and ends them after that. */
    for (uint32_t o = 0; o < flow->origins.count; o++)
        for (uint32_t c = 0; c < flow->origins.items[o].consumers.count; c++) {
            uint32_t at = g->first[flow->origins.items[o].consumers.items[c].instance + 1]++;
            g->origins[at] = o;
            g->consumers[at] = c;
        }
}

static void list_makers(weir__goals *g) {
    const weir__flow *flow = g->flow;
    g->makers = weir_alloc((flow->origins.count + 1) * sizeof *g->makers);
    g->next = weir_alloc((flow->origins.count + 1) * sizeof *g->next);
    g->by_definition = weir_alloc((flow->definitions.count + 1) * sizeof *g->by_definition);
    memset(g->makers, 0xff, flow->origins.count * sizeof *g->makers);
    memset(g->by_definition, 0xff, flow->definitions.count * sizeof *g->by_definition);
    for (uint32_t o = 0; o < flow->origins.count; o++) {
        uint32_t definition = flow->origins.items[o].definition;
        if (definition == WEIR__NONE) continue;
        g->next[o] = g->by_definition[definition];
        g->by_definition[definition] = o;
    }
    for (uint32_t i = 0; i < flow->instances.count; i++)
        for (size_t o = 0; o < flow->instances.items[i].outputs.count; o++)
            g->makers[flow->instances.items[i].outputs.items[o].origin] = i;
}

static const weir__consumer *consumer_at(const weir__goals *g, uint32_t at) {
    return &g->flow->origins.items[g->origins[at]].consumers.items[g->consumers[at]];
}

/* --- what leads to it ------------------------------------------------------------------------------ */

static void want(weir__goals *g, uint32_t instance) {
    if (instance == WEIR__NONE || g->wanted[instance]) return;
    g->wanted[instance] = true;
    *weir_vector_push(&g->todo) = instance;
}

/* All values of it, whoever gives them. */
static void want_definition(weir__goals *g, uint32_t definition) {
    if (g->asked[definition]) return;
    g->asked[definition] = true;
    for (uint32_t o = g->by_definition[definition]; o != WEIR__NONE; o = g->next[o])
        want(g, g->makers[o]);
    want(g, g->flow->definitions.items[definition].validator);
}

static void want_everything(weir__goals *g) {
    for (uint32_t i = 0; i < g->flow->instances.count; i++)
        if (g->flow->instances.items[i].stage != WEIR_STAGE_OUTPUT) want(g, i);
}

/* Any text in the value may be the name of a definition; whether one is. */
static bool want_texts(weir__goals *g, const weir_value *value) {
    bool object = weir_is(value, WEIR_OBJECT), some = false;
    uint64_t at;
    if (weir_is(value, WEIR_STRING)) {
        if (!weir__definition_find(g->flow, weir_string_get(value), &at)) return false;
        want_definition(g, (uint32_t)at);
        return true;
    }
    for (size_t i = 0; (object || weir_is(value, WEIR_ARRAY)) && i < weir_value_count(value); i++) {
        if (object && weir__definition_find(g->flow, weir_object_key(value, i), &at)) {
            want_definition(g, (uint32_t)at);
            some = true;
        }
        some |= want_texts(g, object ? weir_object_at(value, i) : weir_array_at(value, i));
    }
    return some;
}

/* Calls back with each value of the definition that comes from outside, or else its default. */
static void each_value(const weir__goals *g, uint32_t definition,
                       void (*visit)(void *arg, weir_value *value), void *arg) {
    bool some = false;
    for (size_t c = 0; c <= g->plan->contexts.count; c++) {
        const weir__givens *givens = c ? &g->plan->contexts.items[c - 1].inputs : &g->flow->seeds;
        for (size_t i = 0; i < givens->items.count; i++) {
            if (givens->items.items[i].definition != definition) continue;
            some = true;
            visit(arg, givens->items.items[i].value);
        }
    }
    weir_value *otherwise = g->flow->definitions.items[definition].default_value;
    if (!some && otherwise) visit(arg, otherwise);
}

typedef struct telling {
    weir__goals *goals;
    bool some; /* definitions are named */
} telling;

static void look_at_told(void *arg, weir_value *value) {
    telling *t = arg;
    t->some |= want_texts(t->goals, value);
}

/* An operation may ask for any value. */
static void want_any(weir__goals *g) {
    if (g->any) return;
    g->any = true;
    want_everything(g);
}

/* What an operation that collects is told to ask for; where that is not known before the run it may be anything. */
static void want_asked(weir__goals *g, uint32_t at) {
    const weir__instance *instance = &g->flow->instances.items[at];
    telling t = {.goals = g};
    bool known = true;
    t.some = want_texts(g, instance->config);
    for (size_t p = 0; p < instance->parameters.count; p++)
        each_value(g, instance->parameters.items[p].definition, look_at_told, &t);
    for (uint32_t s = g->first[at]; s < g->first[at + 1]; s++)
        known &= g->makers[g->origins[s]] == WEIR__NONE || consumer_at(g, s)->condition;
    if (!t.some || !known || g->plan->open) want_any(g);
}

/* A dataflow within may be forwarded values, and a remap's output operations look at the context around them. */
static void want_within(weir__goals *g, uint32_t at) {
    const weir__instance *instance = &g->flow->instances.items[at];
    for (size_t i = 0; i < g->flow->forwards.count; i++)
        if (g->flow->forwards.items[i].instance == at)
            want_definition(g, g->flow->forwards.items[i].definition);
    if (instance->nested != WEIR__NESTED_REMAP) return;
    const weir__flow *inner = g->plan->flows.items[instance->flow];
    if (inner->keeps_all) want_any(g);
    for (size_t d = 0; d < inner->definitions.count; d++) {
        uint64_t known;
        if (!inner->definitions.items[d].kept) continue;
        if (weir__definition_find(g->flow, inner->definitions.items[d].name, &known))
            want_definition(g, (uint32_t)known);
    }
}

static void want_sources(weir__goals *g, uint32_t at) {
    for (uint32_t s = g->first[at]; s < g->first[at + 1]; s++) {
        const weir__consumer *consumer = consumer_at(g, s);
        want(g, g->makers[g->origins[s]]);
        if (consumer->definition != WEIR__NONE)
            want(g, g->flow->definitions.items[consumer->definition].validator);
        for (uint32_t a = 0; a < consumer->ancestor_count; a++)
            want(g, g->makers[g->flow->ancestors.items[consumer->ancestors + a]]);
    }
}

static void follow(weir__goals *g) {
    while (g->todo.count) {
        uint32_t at = g->todo.items[--g->todo.count];
        const weir__instance *instance = &g->flow->instances.items[at];
        want_sources(g, at);
        if (instance->nested != WEIR__NESTED_NOT) want_within(g, at);
        if (instance->operation && (instance->operation->hints & WEIR_COLLECTS)) want_asked(g, at);
    }
}

/* What cleans up after operations that run has to run too, but is no reason for others to. */
static bool cleans_up(const weir__goals *g, uint32_t at) {
    const weir__instance *instance = &g->flow->instances.items[at];
    bool *fed = weir_alloc(instance->parameters.count + 1), all = true;
    for (uint32_t s = g->first[at]; s < g->first[at + 1]; s++) {
        const weir__consumer *consumer = consumer_at(g, s);
        uint32_t maker = g->makers[g->origins[s]];
        bool comes = maker == WEIR__NONE || g->wanted[maker];
        if (consumer->condition)
            all &= comes;
        else
            fed[consumer->slot] |= comes;
    }
    for (size_t p = 0; p < instance->parameters.count; p++) all &= fed[p];
    weir_free(fed);
    return all;
}

static void want_cleanup(weir__goals *g) {
    const weir__flow *flow = g->flow;
    for (size_t i = 0; i < flow->in_stage[WEIR_STAGE_CLEANUP].count; i++) {
        uint32_t at = flow->in_stage[WEIR_STAGE_CLEANUP].items[i];
        bool simple = flow->instances.items[at].nested == WEIR__NESTED_NOT;
        if (simple && !g->wanted[at]) g->wanted[at] = cleans_up(g, at);
    }
}

/* --- what a goal means ----------------------------------------------------------------------------- */

static weir__goal *add(weir__goals *g, weir_str key, uint32_t definition) {
    weir__goal *goal = weir_vector_push(&g->items);
    *goal = (weir__goal){
        .key = key, .asker = WEIR__NONE, .definition = definition, .origin = WEIR__NONE};
    return goal;
}

typedef struct looking {
    weir__goals *goals;
    weir_str key;
    uint32_t asker;
    bool found;
} looking;

/* An item of a list, [definition or {new name: definition}], or the member of an object, {name: …}, which group_by has. What
 * a list names twice get_multi gives twice. */
static void look_for_key(void *arg, weir_value *spec) {
    looking *l = arg;
    bool object = weir_is(spec, WEIR_OBJECT);
    size_t count = object || weir_is(spec, WEIR_ARRAY) ? weir_value_count(spec) : 0;
    bool before = l->found;
    for (size_t i = 0; i < count && !before; i++) {
        weir_value *item = object ? weir_object_at(spec, i) : weir_array_at(spec, i);
        weir_str name = object                       ? weir_object_key(spec, i)
                        : weir_is(item, WEIR_STRING) ? weir_string_get(item)
                                                     : WEIR_STR("");
        bool renamed = !object && weir_is(item, WEIR_OBJECT);
        for (size_t k = 0; renamed && k < weir_value_count(item); k++)
            if (weir_str_equal(weir_object_key(item, k), l->key)) name = l->key;
        if (!weir_str_equal(name, l->key)) continue;
        weir__goal *goal = add(l->goals, l->key, WEIR__NONE);
        goal->asker = l->asker;
        goal->item = renamed ? weir_member(item, name) : item;
        l->found = true;
    }
}

static const weir__parameter *spec_of(const weir__instance *instance) {
    static const char *const operations[] = {"get_single", "get_multi", "group_by"};
    bool known = false;
    for (size_t i = 0; i < 3; i++) known |= weir_str_is(instance->spec->operation, operations[i]);
    bool one =
        instance->parameters.count == 1 && weir_str_is(instance->parameters.items[0].name, "spec");
    return known && one && instance->stage == WEIR_STAGE_OUTPUT ? instance->parameters.items : NULL;
}

/* A name in the results of an output operation that asks for definitions. */
static bool find_result(weir__goals *g, weir_str name) {
    looking l = {.goals = g, .key = name};
    for (uint32_t i = 0; i < g->flow->instances.count && !l.found; i++) {
        const weir__parameter *spec = spec_of(&g->flow->instances.items[i]);
        l.asker = i;
        if (spec) each_value(g, spec->definition, look_for_key, &l);
    }
    if (!l.found) return false;
    weir__goal *goal = &g->items.items[g->items.count - 1];
    g->narrowed[goal->asker] = true;
    want_sources(g, goal->asker); /* its conditions */
    (void)want_texts(g, goal->item);
    return true;
}

static bool find_definition(weir__goals *g, weir_str name) {
    uint64_t at;
    if (!weir__definition_find(g->flow, name, &at)) return false;
    (void)add(g, name, (uint32_t)at);
    want_definition(g, (uint32_t)at);
    return true;
}

static bool find_output(weir__goals *g, uint32_t instance, weir_str key, weir_str name) {
    const weir__instance *it = &g->flow->instances.items[instance];
    for (size_t o = 0; o < it->outputs.count; o++) {
        if (!weir_str_equal(it->outputs.items[o].key, key)) continue;
        for (size_t i = 0; i < g->items.count; i++)
            if (g->items.items[i].origin == it->outputs.items[o].origin) return true;
        add(g, name, it->outputs.items[o].definition)->origin = it->outputs.items[o].origin;
        want(g, instance);
        return true;
    }
    return false;
}

static weir_str dotted(weir__goals *g, weir_str instance, weir_str output) {
    weir_buffer text = {0};
    weir_buffer_printf(&text, "%.*s.%.*s", WEIR_ARG(instance), WEIR_ARG(output));
    weir_str whole = {weir_str_copy(&g->arena, weir_buffer_str(&text)), text.length};
    weir_buffer_deinit(&text);
    return whole;
}

static bool gives_results(const weir__instance *instance) {
    return instance->stage == WEIR_STAGE_OUTPUT && !instance->validator;
}

/* INSTANCE, of which one with outputs gives each of them, or INSTANCE.output. */
static bool find_instance(weir__goals *g, weir_str name) {
    uint64_t at;
    for (size_t dot = weir_str_find(name, WEIR_STR("."), 0); dot != SIZE_MAX;
         dot = weir_str_find(name, WEIR_STR("."), dot + 1))
        if (weir__instance_find(g->flow, weir_str_slice(name, 0, dot), &at) &&
            !gives_results(&g->flow->instances.items[at]) &&
            find_output(g, (uint32_t)at, weir_str_slice(name, dot + 1, name.length), name))
            return true;
    if (!weir__instance_find(g->flow, name, &at)) return false;
    const weir__instance *instance = &g->flow->instances.items[at];
    want(g, (uint32_t)at);
    for (size_t o = 0; !gives_results(instance) && o < instance->outputs.count; o++) {
        weir_str key = instance->outputs.items[o].key;
        (void)find_output(g, (uint32_t)at, key, dotted(g, name, key));
    }
    return true;
}

static void say_unknown(weir__goals *g, weir_str name, weir_error *error) {
    enum { NEAREST_MAX = 10000 /* operations whose outputs may have been meant */ };
    weir_nearest nearest = weir_nearest_to(name);
    bool dot = weir_str_find(name, WEIR_STR("."), 0) != SIZE_MAX;
    for (size_t i = 0; i < g->flow->instances.count && i < NEAREST_MAX; i++) {
        const weir__instance *it = &g->flow->instances.items[i];
        weir_nearest_try(&nearest, it->name);
        for (size_t o = 0; dot && o < it->outputs.count; o++)
            weir_nearest_try(&nearest, dotted(g, it->name, it->outputs.items[o].key));
    }
    for (size_t d = 0; d < g->flow->definitions.count; d++)
        weir_nearest_try(&nearest, g->flow->definitions.items[d].name);
    weir_fail(error, WEIR_NOT_FOUND, "the dataflow has nothing that is called `%.*s`",
              WEIR_ARG(name));
    if (nearest.best.length)
        weir_error_hint(error, "did you mean `%.*s`?", WEIR_ARG(nearest.best));
    else
        weir_error_hint(error, "a goal is a definition, an operation, OPERATION.OUTPUT, or a name "
                               "in the results");
}

/* --- one output among several of its definition --------------------------------------------------- */

static bool is_given(const weir__goals *g, uint32_t definition) {
    bool given = g->plan->open;
    for (size_t c = 0; c <= g->plan->contexts.count; c++) {
        const weir__givens *givens = c ? &g->plan->contexts.items[c - 1].inputs : &g->flow->seeds;
        for (size_t i = 0; i < givens->items.count; i++)
            given |= givens->items.items[i].definition == definition;
    }
    return given;
}

static bool set_apart(const weir__goals *g, weir__goal *goal, weir_error *error) {
    goal->apart = is_given(g, goal->definition);
    for (uint32_t o = 0; o < g->flow->origins.count; o++) {
        const weir__origin *origin = &g->flow->origins.items[o];
        goal->apart |= o != goal->origin && origin->definition == goal->definition &&
                       g->makers[o] != WEIR__NONE && g->wanted[g->makers[o]];
    }
    if (!goal->apart || !(g->asked[goal->definition] || g->any)) return true;
    weir_str definition = g->flow->definitions.items[goal->definition].name;
    weir_fail(error, WEIR_INVALID,
              "`%.*s` cannot be told from other values of `%.*s`, all of which are needed",
              WEIR_ARG(goal->key), WEIR_ARG(definition));
    weir_error_hint(error, "the goal `%.*s` is all of them", WEIR_ARG(definition));
    return false;
}

/* --- all of it ------------------------------------------------------------------------------------- */

static bool find_goal(weir__goals *g, weir_str name, weir_error *error) {
    if (find_result(g, name) || find_definition(g, name) || find_instance(g, name)) return true;
    say_unknown(g, name, error);
    return false;
}

static bool read_goals(weir__goals *g, const weir_value *names, const char *file,
                       weir_problems *problems) {
    weir_map seen = {0};
    size_t before = problems->total;
    weir_error error;
    for (size_t i = 0; i < weir_value_count(names); i++) {
        const weir_value *item = weir_array_at(names, i);
        weir_str name = weir_is(item, WEIR_STRING) ? weir_string_get(item) : WEIR_STR("");
        if (weir_map_get(&seen, name, NULL)) continue;
        weir_map_set(&seen, name, 0);
        if (!find_goal(g, name, &error)) weir_problems_add_request(problems, "goals", file, &error);
    }
    weir_map_deinit(&seen);
    return problems->total == before;
}

bool weir__goals_find(weir__goals *goals, const weir_dataflow_plan *plan, const weir_value *request,
                      const char *file, weir_problems *problems) {
    const weir_value *all = weir_member_named(request, "keep_all");
    const weir__flow *flow = plan->flows.items[0];
    *goals = (weir__goals){.plan = plan, .flow = flow};
    weir_arena_init(&goals->arena);
    goals->wanted = weir_alloc(flow->instances.count + 1);
    goals->narrowed = weir_alloc(flow->instances.count + 1);
    goals->asked = weir_alloc(flow->definitions.count + 1);
    list_makers(goals);
    list_sources(goals);
    if (!read_goals(goals, weir_member_named(request, "goals"), file, problems)) return false;
    follow(goals);
    if (all && weir_value_truth(all)) want_everything(goals);
    follow(goals);
    want_cleanup(goals);
    size_t before = problems->total;
    for (size_t i = 0; i < goals->items.count; i++) {
        weir_error error;
        weir__goal *goal = &goals->items.items[i];
        if (goal->origin != WEIR__NONE && !set_apart(goals, goal, &error))
            weir_problems_add_request(problems, "goals", file, &error);
    }
    return problems->total == before;
}

void weir__goals_deinit(weir__goals *goals) {
    void *const parts[] = {goals->wanted,    goals->narrowed, goals->asked,
                           goals->makers,    goals->first,    goals->origins,
                           goals->consumers, goals->next,     goals->by_definition};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) weir_free(parts[i]);
    weir_vector_deinit(&goals->items);
    weir_vector_deinit(&goals->todo);
    weir_arena_deinit(&goals->arena);
}
