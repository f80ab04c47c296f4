/* The model: looks among all orders for one that ends in a certain way.
 *
 * States that come to the same are visited once. What surely leads away from the result is left: what was stored, and what
 * is going to be, stays, and all of it is in the result. And an event before or after which all others do and mean the same
 * is let happen at once, with no other choice beside it. */
#include "canonical.h"
#include "model_internal.h"
#include "simulation.h"

/* How many states are visited before the search begins again and chooses otherwise: early choices may lead astray for long. */
static const uint64_t states_max[] = {100, 1000, 40000};

/* Values of a definition in the result. */
typedef struct wanted {
    weir_str definition;
    uint64_t value;
    uint32_t count;
} wanted;

typedef struct search {
    model_memory *memory;
    const weir_value *result; /* NULL: a failure */
    weir_buffer text;         /* the result's */
    const weir_value *all;    /* names of the definitions of which it has all values; NULL: none */
    WEIR_VECTOR(wanted) values;
    WEIR_VECTOR(wanted) last; /* of those of which it has the last */
    WEIR_VECTOR(uint32_t) used;
    number_map seen;
    uint64_t states, limit, chance;
} search;

/* --- what is looked for --------------------------------------------------------------------------- */

static void add_value(search *s, weir_str definition, const weir_value *value) {
    uint64_t hash = canonical_hash(value);
    for (size_t i = 0; i < s->values.count; i++) {
        wanted *w = &s->values.items[i];
        if (w->value == hash && weir_str_equal(w->definition, definition)) {
            w->count++;
            return;
        }
    }
    *weir_vector_push(&s->values) = (wanted){definition, hash, 1};
}

/* Of one output operation alone the result is what it gave. */
static void read_result(search *s, const weir_value *flow) {
    const weir_value *parts = weir_member(s->result, WEIR_STR("all"));
    const weir_value *all = parts ? parts : s->result;
    s->all = model_spec_of(flow, model_at(flow, "operations", WEIR_STR("all")));
    for (size_t i = 0; all && i < weir_value_count(all); i++) {
        const weir_value *values = weir_object_at(all, i);
        for (size_t k = 0; k < weir_value_count(values); k++)
            add_value(s, weir_object_key(all, i), weir_array_at(values, k));
    }
    const weir_value *single = parts ? weir_member(s->result, WEIR_STR("single")) : NULL;
    for (size_t i = 0; single && i < weir_value_count(single); i++)
        *weir_vector_push(&s->last) =
            (wanted){weir_object_key(single, i), canonical_hash(weir_object_at(single, i)), 1};
    weir_vector_reserve(&s->used, s->values.count + 1);
}

/* Takes a value out of those that are wanted; false: there is none left. */
static bool use(search *s, weir_str definition, const weir_value *value) {
    if (!model_lists(s->all, definition)) return true;
    uint64_t hash = canonical_hash(value);
    for (size_t i = 0; i < s->values.count; i++) {
        const wanted *w = &s->values.items[i];
        if (w->value == hash && weir_str_equal(w->definition, definition))
            return s->used.items[i]++ < w->count;
    }
    return false;
}

static bool use_sets(search *s, const work *w) {
    const weir_value *outputs = weir_member_named(w->operation, "outputs");
    const weir_value *expand = weir_member_named(w->operation, "expand");
    for (size_t i = w->at; i < weir_value_count(w->sets); i++)
        for (size_t k = 0; k < weir_value_count(outputs); k++) {
            const weir_value *value =
                weir_member(weir_array_at(w->sets, i), weir_object_key(outputs, k));
            weir_str definition = weir_string_get(weir_object_at(outputs, k));
            if (!value) continue;
            if (!expand && !use(s, definition, value)) return false;
            for (size_t n = 0; expand && n < weir_value_count(value); n++)
                if (!use(s, definition, weir_array_at(value, n))) return false;
        }
    return true;
}

/* What the contexts that are done with will give, unless another one fails. */
static bool use_children(search *s, const work *w) {
    const weir_value *outputs = weir_member_named(w->operation, "outputs");
    weir_str key = weir_object_key(outputs, 0),
             definition = weir_string_get(weir_object_at(outputs, 0));
    bool custom = model_is_custom(w), ok = true;
    for (size_t i = 0; ok && i < w->children.count; i++) {
        const process *inner = w->children.items[i];
        if (!inner->done || inner->failed) continue;
        weir_value *whole = weir_object_new();
        weir_member_set(whole, inner->name, weir_value_ref(inner->result));
        const weir_value *value = custom ? weir_member(inner->result, key) : whole;
        ok = !value || use(s, definition, value);
        weir_value_unref(whole);
    }
    return ok;
}

/* Whether the result may still come of it. */
static bool is_hopeful(search *s, const model *m) {
    const process *p = m->top;
    memset(s->used.items, 0, s->values.count * sizeof *s->used.items);
    for (size_t i = 0; i < p->items.count; i++)
        if (!use(s, p->items.items[i].definition, p->items.items[i].value)) return false;
    for (size_t i = 0; i < p->works.count; i++) {
        const work *w = p->works.items[i];
        if (w->fails && m->scenario->strict) return false;
        if (!w->nested && !use_sets(s, w)) return false;
        if (w->nested && !m->scenario->may_fail && !use_children(s, w)) return false;
    }
    return true;
}

/* --- what may happen at once ---------------------------------------------------------------------- */

static bool is_wanted_last(const search *s, weir_str definition, const weir_value *value) {
    for (size_t i = 0; i < s->last.count; i++)
        if (weir_str_equal(s->last.items[i].definition, definition))
            return s->last.items[i].value == canonical_hash(value);
    return false;
}

/* Whether it is the same when the value comes, the last of those that come at once. A value that is not the last of all may
 * as well come now. */
static bool may_come(const search *s, const process *p, weir_str definition,
                     const weir_value *value) {
    const definition_rules *rules = model_rules_for(model_rules_of(s->memory, p->flow), definition);
    bool top = p == p->model->top;
    if (!rules || (top && !s->result)) return !rules || !rules->timed;
    if (rules->timed || rules->ordered) return false;
    return !rules->last || (top && !is_wanted_last(s, definition, value));
}

static bool may_take(const search *s, const process *p, const work *w, const weir_value *set) {
    const weir_value *outputs = weir_member_named(w->operation, "outputs");
    const weir_value *expand = weir_member_named(w->operation, "expand");
    for (size_t i = 0; i < weir_value_count(outputs); i++) {
        const weir_value *value = set ? weir_member(set, weir_object_key(outputs, i)) : NULL;
        size_t count = value && expand ? weir_value_count(value) : 0;
        if (count) value = weir_array_at(value, count - 1);
        if (value && !may_come(s, p, weir_string_get(weir_object_at(outputs, i)), value))
            return false;
    }
    return true;
}

static bool may_finish(const search *s, const process *p, const work *w) {
    weir_value *set = model_nested_set(w);
    bool may = may_take(s, p, w, set);
    weir_value_unref(set);
    return may;
}

static bool may_give(const search *s, const process *p, const gift *g) {
    const weir_value *inputs = weir_member_named(g->data, "inputs");
    if (g->type == WEIR_CONTEXT_CLOSED) return true;
    for (size_t i = 0; i < weir_value_count(inputs); i++) {
        const weir_value *input = weir_array_at(inputs, i);
        weir_str definition = weir_member_text(input, "definition");
        weir_value *value = model_shape(p, definition, weir_member_named(input, "value"));
        bool may = may_come(s, p, definition, value);
        weir_value_unref(value);
        if (!may) return false;
    }
    return true;
}

/* A dataflow that nothing is forwarded to is done with before anything else happens: it begins when it may end. */
static bool may_begin(const process *p) {
    return weir_member_named(p->flow, "forward") != NULL;
}

static bool may_happen(const search *s, const move *m) {
    const process *p = m->process;
    const work *w = m->at < p->works.count ? p->works.items[m->at] : NULL;
    switch (m->kind) {
    case SET: return may_take(s, p, w, weir_array_at(w->sets, w->at));
    case BEGIN: return may_begin(p);
    case OPEN: return !model_is_fed(p, w->name);
    case FINISH: return may_finish(s, p, w);
    case GIFT: return may_give(s, p, model_next_gift(p));
    case LEAVE: return !p->around || !model_may_be_fed(p);
    default: return true; /* END: a failure, which comes sooner or later */
    }
}

/* --- the search ----------------------------------------------------------------------------------- */

static void copy(model *to, const model *from) {
    *to = *from;
    to->top = model_copy_process(to, from->top, NULL);
}

static bool is_found(const search *s, const model *m) {
    weir_buffer text = {0};
    if (m->top->failed || !s->result) return m->top->failed && !s->result;
    canonical_value(m->top->result, &text);
    bool same = weir_str_equal(weir_buffer_str(&text), weir_buffer_str(&s->text));
    weir_buffer_deinit(&text);
    return same;
}

static model_answer explore(search *s, model *m);

/* A copy, with one of its moves made. */
static model_answer explore_move(search *s, const model *m, size_t at) {
    model other;
    moves list = {0};
    copy(&other, m);
    model_list_moves(other.top, &list);
    model_make_move(list.items[at]);
    weir_vector_deinit(&list);
    model_answer answer = explore(s, &other);
    model_end_run(&other);
    return answer;
}

static bool is_within(const process *p, const process *around) {
    while (p && p != around) p = p->around;
    return p;
}

/* What runs within, and is fed no more, has nothing to do with the rest, which can wait. NULL: there is none. */
static const process *find_apart(const moves *list) {
    for (size_t i = 0; i < list->count; i++) {
        const process *p = list->items[i].process;
        if (p->around && !model_may_be_fed(p)) return p;
    }
    return NULL;
}

static model_answer explore_all(search *s, const model *m, const moves *list) {
    const process *apart = find_apart(list);
    size_t count = list->count, first = chance_draw(&s->chance, count);
    bool is_new, unsure = false;
    number_map_take(&s->seen, model_state(m), 0, &is_new);
    if (!is_new) return MODEL_NO;
    if (s->states++ >= s->limit) return MODEL_UNSURE;
    for (size_t i = 0; i < count; i++) {
        size_t at = (first + i) % count;
        if (apart && !is_within(list->items[at].process, apart)) continue;
        model_answer answer = explore_move(s, m, at);
        if (answer == MODEL_YES) return answer;
        unsure |= answer == MODEL_UNSURE;
    }
    return unsure ? MODEL_UNSURE : MODEL_NO;
}

static model_answer explore(search *s, model *m) {
    moves list = {0};
    model_answer answer = MODEL_NO;
    while (true) {
        if (m->top->done || m->top->failed) {
            answer = is_found(s, m) ? MODEL_YES : MODEL_NO;
            break;
        }
        if (s->result && !is_hopeful(s, m)) break;
        list.count = 0;
        model_list_moves(m->top, &list);
        size_t at = 0;
        while (at < list.count && !may_happen(s, &list.items[at])) at++;
        if (list.count == 1) at = 0;
        if (at == list.count) {
            answer = explore_all(s, m, &list);
            break;
        }
        model_make_move(list.items[at]);
    }
    weir_vector_deinit(&list);
    return answer;
}

/* As many gifts as there are may wait for it to open. */
static model_answer search_once(search *s, weir_str context) {
    model begun;
    bool unsure = false;
    model_answer answer = MODEL_NO;
    model_begin(&begun, s->memory, context);
    while (answer != MODEL_YES) {
        model m;
        copy(&m, &begun);
        model_open(m.top);
        answer = explore(s, &m);
        unsure |= answer == MODEL_UNSURE;
        model_end_run(&m);
        if (!model_next_gift(begun.top)) break;
        model_take_gift_that_waited(begun.top);
    }
    model_end_run(&begun);
    return answer == MODEL_YES ? answer : unsure ? MODEL_UNSURE : MODEL_NO;
}

model_answer model_search(model_memory *memory, weir_str context, const weir_value *result) {
    search s = {.memory = memory, .result = result, .chance = memory->scenario->seed};
    model_answer answer = MODEL_UNSURE;
    if (result) read_result(&s, memory->scenario->flow);
    if (result) canonical_value(result, &s.text);
    for (size_t i = 0; answer == MODEL_UNSURE && i < sizeof states_max / sizeof *states_max; i++) {
        s.limit = states_max[i];
        s.states = 0;
        answer = search_once(&s, context);
        number_map_deinit(&s.seen);
    }
    weir_buffer_deinit(&s.text);
    weir_vector_deinit(&s.values);
    weir_vector_deinit(&s.last);
    weir_vector_deinit(&s.used);
    return answer;
}
