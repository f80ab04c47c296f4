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
    NAMED = 12,          /* members of a cycle that are named */
    LISTED_MAX = 1000    /* and that a program is told */
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

/* The shortest cycle through `at` and the maker that it waits for, as "a → b → a" and as a list; nothing when there is none. */
static void find_cycle(const weir__pipeline *p, search *s, size_t at, size_t maker,
                       weir_buffer *out, weir_value *members) {
    size_t length = 0;
    if (!reach(p, s, maker, at)) return;
    for (size_t member = at;; member = s->before[member] - 1) {
        s->queue[length++] = member;
        if (!s->before[member]) break;
    }
    weir_buffer_printf(out, "%.*s", WEIR_ARG(p->components[at].name));
    weir_array_append(members, weir_string_from(p->components[at].name));
    for (size_t named = 0; length-- > 0; named++) {
        weir_str name = p->components[s->queue[length]].name;
        if (named == NAMED && length > 1) weir_buffer_printf(out, " → … (%zu more)", length);
        if (named < NAMED || length == 0) weir_buffer_printf(out, " → %.*s", WEIR_ARG(name));
        if (length && named < LISTED_MAX) weir_array_append(members, weir_string_from(name));
    }
}

/* --- what is said ------------------------------------------------------------------------------- */

/* As check says it of dataflows, too. */
static weir_value *new_detail(const weir__component *c, const weir__entry *input,
                              const char *reason) {
    weir_value *detail = weir_object_new();
    weir_member_put_text(detail, "component", c->name);
    weir_member_put_text(detail, "reason", weir_str_from(reason));
    weir_member_put_text(detail, "input", input->name);
    return detail;
}

/* Takes the detail over; `why` goes on behind "is missing: ". */
static void say(weir__pipeline *p, const weir__component *c, const weir__entry *input,
                weir_code code, weir_value *detail, const char *hint, const char *why) {
    if (p->proof) {
        weir_proof_add(p->proof, p->root, weir__pipeline_path(p, input), code, detail, hint,
                       "%.*s: %.*s is missing: %s", WEIR_ARG(c->name), WEIR_ARG(input->name), why);
        return;
    }
    weir_error *told = weir__pipeline_problem(p, input, code, "%.*s: %.*s is missing: %s",
                                              WEIR_ARG(c->name), WEIR_ARG(input->name), why);
    if (*hint) weir_error_hint(told, "%s", hint);
    weir_value_unref(detail);
}

static void say_unmade(weir__pipeline *p, const weir__component *c, const weir__entry *input,
                       weir_code code) {
    weir_error near = {0};
    weir__pipeline_hint_value(p, &near, input->name);
    say(p, c, input, code, new_detail(c, input, "nobody"), near.hint, "nobody makes it");
}

static void say_waiting(weir__pipeline *p, search *s, size_t at, const weir__entry *input,
                        weir_code code) {
    const weir__component *c = &p->components[at];
    size_t maker = input->maker - p->inputs.count;
    const weir__component *m = &p->components[maker];
    weir_buffer cycle = {0}, why = {0};
    weir_value *members = weir_array_new();
    find_cycle(p, s, at, maker, &cycle, members);
    weir_value *detail = new_detail(c, input, cycle.length ? "cycle" : "waits");
    weir_member_put_text(detail, "maker", m->name);
    if (cycle.length) {
        weir_buffer_printf(&why, "a cycle, each waits for the next: %s", cycle.data);
        weir_member_put(detail, "cycle", weir_value_ref(members));
    } else {
        size_t first = 0;
        while (!is_lacking(p, &m->inputs.items[first])) first++;
        weir_str lack = m->inputs.items[first].name;
        weir_buffer_printf(&why, "its maker `%.*s` waits in turn for %.*s", WEIR_ARG(m->name),
                           WEIR_ARG(lack));
        weir_member_put_text(detail, "waits_for", lack);
    }
    say(p, c, input, code, detail, "", why.data);
    weir_value_unref(members);
    weir_buffer_deinit(&cycle);
    weir_buffer_deinit(&why);
}

static bool has_room(const weir__pipeline *p, weir_code code) {
    const weir_problems *all = p->problems;
    if (p->proof) return weir_proof_has_room(p->proof, code);
    return (code ? all->count : all->warnings.count) < WEIR_PROBLEMS_MAX;
}

static void only_count(weir__pipeline *p, weir_code code) {
    if (code != WEIR_OK)
        ++*(p->proof ? &p->proof->errors : &p->problems->total);
    else if (p->proof)
        p->proof->warnings++;
}

static void say_stuck(weir__pipeline *p, weir_code code) {
    search s = {.queue = weir_alloc((p->count + 1) * sizeof *s.queue),
                .before = weir_alloc((p->count + 1) * sizeof *s.before),
                .round = weir_alloc((p->count + 1) * sizeof *s.round)};
    for (size_t i = 0; i < p->count; i++)
        for (size_t j = 0; j < p->components[i].inputs.count; j++) {
            const weir__entry *input = &p->components[i].inputs.items[j];
            if (!is_lacking(p, input)) continue;
            if (!has_room(p, code))
                only_count(p, code);
            else if (input->maker == WEIR__NOBODY)
                say_unmade(p, &p->components[i], input, code);
            else
                say_waiting(p, &s, i, input, code);
        }
    weir_free(s.queue);
    weir_free(s.before);
    weir_free(s.round);
}

static void put_number(weir_value *summary, const char *key, size_t number) {
    const weir_value *before = weir_member_named(summary, key);
    weir_member_put(summary, key,
                    weir_int_new((before ? weir_int_get(before) : 0) + (int64_t)number));
}

/* Of a pipeline that cannot finish: what a proof of its dataflow would say. */
static void summarize(weir__pipeline *p) {
    enum { NEVER_MAX = 100 };
    weir_value *summary = p->proof->summary, *names = weir_member_named(summary, "never");
    size_t wanted = 0, stuck = 0;
    if (!names) weir_member_put(summary, "never", names = weir_array_new());
    for (size_t i = 0; i < p->count; i++) {
        const weir__component *c = &p->components[i];
        wanted += c->wanted;
        stuck += c->wanted && c->lacking;
        if (c->wanted && c->lacking && weir_value_count(names) < NEVER_MAX)
            weir_array_append(names, weir_string_from(c->name));
    }
    put_number(summary, "operations", wanted);
    put_number(summary, "run", wanted - stuck);
    put_number(summary, "may_not_run", 0);
    put_number(summary, "never_run", stuck);
}

/* Who is stuck hinders nobody when nothing that is wanted needs it: it is left out then, and said all the same. */
bool weir__pipeline_fake_run(weir__pipeline *p) {
    bool stuck = false, wanted = false;
    run(p);
    for (size_t i = 0; i < p->count; i++) {
        stuck |= p->components[i].lacking > 0;
        wanted |= p->components[i].lacking > 0 && p->components[i].wanted;
    }
    if (stuck) say_stuck(p, wanted ? WEIR_INVALID : WEIR_OK);
    if (wanted && p->proof) summarize(p);
    return !wanted;
}
