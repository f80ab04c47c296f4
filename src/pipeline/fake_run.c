/* The fake run: proves that a pipeline can finish, or says what each component that never runs would wait for. */
#include "pipeline/pipeline_internal.h"

/* What looks for cycles among the components that are stuck. */
typedef struct search {
    size_t *queue;
    size_t *before; /* 1 + whom it was reached from, when it was in this round */
    size_t *round;
    size_t rounds, steps;
} search;

enum {
    STEPS_MAX = 4000000, /* of all searches: then a cycle is not looked for any more */
    NAMED = 12           /* members of a cycle that are named */
};

static bool is_component(const weir__pipeline *p, const weir__entry *input) {
    return input->maker != WEIR__NOBODY && input->maker >= p->inputs.count;
}

static bool is_lacking(const weir__pipeline *p, const weir__entry *input) {
    if (!is_component(p, input)) return input->maker == WEIR__NOBODY;
    return p->components[input->maker - p->inputs.count].lacking > 0;
}

/* Each component "runs" once all its inputs were made (Kahn's topological order). What is left lacks something. */
static void run(weir__pipeline *p) {
    size_t *first = weir_alloc((p->count + 2) * sizeof *first), total = 0;
    for (size_t i = 0; i < p->count; i++)
        for (size_t j = 0; j < p->components[i].inputs.count; j++) {
            const weir__entry *input = &p->components[i].inputs.items[j];
            bool made = is_component(p, input);
            p->components[i].lacking += made || input->maker == WEIR__NOBODY;
            if (made) first[input->maker - p->inputs.count + 2]++, total++;
        }
    /* first[m + 1] begins the readers of component m while they are filled in, and ends them after that. */
    for (size_t i = 2; i <= p->count; i++) first[i] += first[i - 1];
    size_t *readers = weir_alloc((total + 1) * sizeof *readers);
    for (size_t i = 0; i < p->count; i++)
        for (size_t j = 0; j < p->components[i].inputs.count; j++) {
            const weir__entry *input = &p->components[i].inputs.items[j];
            if (is_component(p, input)) readers[first[input->maker - p->inputs.count + 1]++] = i;
        }
    size_t *queue = weir_alloc((p->count + 1) * sizeof *queue), done = 0, ready = 0;
    for (size_t i = 0; i < p->count; i++)
        if (p->components[i].lacking == 0) queue[ready++] = i;
    for (; done < ready; done++)
        for (size_t i = first[queue[done]]; i < first[queue[done] + 1]; i++)
            if (--p->components[readers[i]].lacking == 0) queue[ready++] = readers[i];
    weir_free(queue);
    weir_free(readers);
    weir_free(first);
}

/* Whether `to` was reached from `from` over components of which each waits for the next. */
static bool reach(const weir__pipeline *p, search *s, size_t from, size_t to) {
    size_t done = 0, ready = 1;
    s->rounds++;
    s->queue[0] = from;
    s->before[from] = 0;
    s->round[from] = s->rounds;
    for (; done < ready && s->round[to] != s->rounds && s->steps < STEPS_MAX; done++) {
        const weir__component *c = &p->components[s->queue[done]];
        for (size_t i = 0; i < c->inputs.count; i++, s->steps++) {
            if (!is_component(p, &c->inputs.items[i]) || !is_lacking(p, &c->inputs.items[i]))
                continue;
            size_t maker = c->inputs.items[i].maker - p->inputs.count;
            if (s->round[maker] == s->rounds) continue;
            s->round[maker] = s->rounds;
            s->before[maker] = s->queue[done] + 1;
            s->queue[ready++] = maker;
        }
    }
    return s->round[to] == s->rounds;
}

/* The shortest cycle through `at` and the maker that it waits for, as "a → b → a"; nothing when there is none. */
static void find_cycle(const weir__pipeline *p, search *s, size_t at, size_t maker,
                       weir_buffer *out) {
    size_t length = 0;
    if (!reach(p, s, maker, at)) return;
    for (size_t member = at;; member = s->before[member] - 1) {
        s->queue[length++] = member;
        if (!s->before[member]) break;
    }
    weir_buffer_printf(out, "%.*s", WEIR_ARG(p->components[at].name));
    for (size_t named = 0; length-- > 0; named++) {
        if (named == NAMED && length > 1) {
            weir_buffer_printf(out, " → … (%zu more)", length);
            length = 0;
        }
        weir_buffer_printf(out, " → %.*s", WEIR_ARG(p->components[s->queue[length]].name));
    }
}

static void say_unmade(weir__pipeline *p, const weir__component *c, const weir__entry *input,
                       weir_code code) {
    weir_error *error =
        weir__pipeline_problem(p, input->path, code, "%.*s: %.*s is missing: nobody makes it",
                               WEIR_ARG(c->name), WEIR_ARG(input->name));
    weir__pipeline_hint_value(p, error, input->name);
}

static void say_waiting(weir__pipeline *p, search *s, size_t at, const weir__entry *input,
                        weir_code code) {
    const weir__component *c = &p->components[at];
    size_t maker = input->maker - p->inputs.count;
    const weir__component *m = &p->components[maker];
    weir_buffer cycle = {0};
    find_cycle(p, s, at, maker, &cycle);
    if (cycle.length) {
        weir__pipeline_problem(p, input->path, code,
                               "%.*s: %.*s is missing: a cycle, each waits for the next: %s",
                               WEIR_ARG(c->name), WEIR_ARG(input->name), cycle.data);
    } else {
        size_t first = 0;
        while (!is_lacking(p, &m->inputs.items[first])) first++;
        weir__pipeline_problem(p, input->path, code,
                               "%.*s: %.*s is missing: its maker `%.*s` waits in turn for %.*s",
                               WEIR_ARG(c->name), WEIR_ARG(input->name), WEIR_ARG(m->name),
                               WEIR_ARG(m->inputs.items[first].name));
    }
    weir_buffer_deinit(&cycle);
}

static void say_stuck(weir__pipeline *p, weir_code code) {
    search s = {.queue = weir_alloc((p->count + 1) * sizeof *s.queue),
                .before = weir_alloc((p->count + 1) * sizeof *s.before),
                .round = weir_alloc((p->count + 1) * sizeof *s.round)};
    const weir_problems *all = p->problems;
    for (size_t i = 0; i < p->count; i++)
        for (size_t j = 0; j < p->components[i].inputs.count; j++) {
            const weir__entry *input = &p->components[i].inputs.items[j];
            if (!is_lacking(p, input)) continue;
            if ((code ? all->count : all->warnings.count) == WEIR_PROBLEMS_MAX)
                p->problems->total += code != WEIR_OK; /* it is counted only */
            else if (input->maker == WEIR__NOBODY)
                say_unmade(p, &p->components[i], input, code);
            else
                say_waiting(p, &s, i, input, code);
        }
    weir_free(s.queue);
    weir_free(s.before);
    weir_free(s.round);
}

/* Who is stuck hinders nobody when nothing that is wanted needs it: it is left out then, and said all the same. */
void weir__pipeline_fake_run(weir__pipeline *p) {
    bool stuck = false, wanted = false;
    run(p);
    for (size_t i = 0; i < p->count; i++) {
        stuck |= p->components[i].lacking > 0;
        wanted |= p->components[i].lacking > 0 && p->components[i].wanted;
    }
    if (stuck) say_stuck(p, wanted ? WEIR_INVALID : WEIR_OK);
}
