/* The fake run: proves that a pipeline can finish, or says what each component that never runs would wait for. */
#include "pipeline/pipeline_internal.h"

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

/* The shortest chain of components of which each waits for the next; nothing when there is none. */
static void find_chain(const weir__pipeline *p, size_t from, size_t to, weir_buffer *out) {
    size_t *queue = weir_alloc(p->count * sizeof *queue), done = 0, ready = 1;
    size_t *before = weir_alloc(p->count * sizeof *before); /* 1 + whom it was reached from */
    queue[0] = from;
    before[from] = from + 1;
    for (; done < ready && !before[to]; done++) {
        const weir__component *c = &p->components[queue[done]];
        for (size_t i = 0; i < c->inputs.count; i++) {
            if (!is_component(p, &c->inputs.items[i]) || !is_lacking(p, &c->inputs.items[i]))
                continue;
            size_t maker = c->inputs.items[i].maker - p->inputs.count;
            if (before[maker]) continue;
            before[maker] = queue[done] + 1;
            queue[ready++] = maker;
        }
    }
    size_t length = 0;
    for (size_t at = to; before[to] && (length == 0 || queue[length - 1] != from);
         at = before[at] - 1)
        queue[length++] = at;
    while (length-- > 0)
        weir_buffer_printf(out, "%.*s%s", WEIR_ARG(p->components[queue[length]].name),
                           length ? " → " : "");
    weir_free(queue);
    weir_free(before);
}

static void say_unmade(weir__pipeline *p, const weir__component *c, const weir__entry *input) {
    weir_error *error = weir__pipeline_problem(p, input->path, WEIR_INVALID,
                                               "%.*s: %.*s is missing: nobody makes it",
                                               WEIR_ARG(c->name), WEIR_ARG(input->name));
    uint64_t maker;
    if (weir_map_get(&p->plain, input->name, &maker))
        weir_error_hint(error, "did you mean `%.*s.%.*s`?", WEIR_ARG(p->components[maker].name),
                        WEIR_ARG(input->name));
}

static void say_waiting(weir__pipeline *p, size_t at, const weir__entry *input) {
    const weir__component *c = &p->components[at];
    size_t maker = input->maker - p->inputs.count;
    const weir__component *m = &p->components[maker];
    weir_buffer chain = {0};
    find_chain(p, maker, at, &chain);
    if (chain.length) {
        weir__pipeline_problem(p, input->path, WEIR_INVALID,
                               "%.*s: %.*s is missing: a cycle, each waits for the next: %.*s → %s",
                               WEIR_ARG(c->name), WEIR_ARG(input->name), WEIR_ARG(c->name),
                               chain.data);
    } else {
        size_t first = 0;
        while (!is_lacking(p, &m->inputs.items[first])) first++;
        weir__pipeline_problem(p, input->path, WEIR_INVALID,
                               "%.*s: %.*s is missing: its maker `%.*s` waits in turn for %.*s",
                               WEIR_ARG(c->name), WEIR_ARG(input->name), WEIR_ARG(m->name),
                               WEIR_ARG(m->inputs.items[first].name));
    }
    weir_buffer_deinit(&chain);
}

void weir__pipeline_fake_run(weir__pipeline *p) {
    run(p);
    for (size_t i = 0; i < p->count; i++)
        for (size_t j = 0; j < p->components[i].inputs.count; j++) {
            const weir__entry *input = &p->components[i].inputs.items[j];
            if (p->problems->count == WEIR_PROBLEMS_MAX) return;
            if (input->maker == WEIR__NOBODY)
                say_unmade(p, &p->components[i], input);
            else if (is_lacking(p, input))
                say_waiting(p, i, input);
        }
}
