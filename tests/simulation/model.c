#include "model_internal.h"

#include "canonical.h"

/* --- storing -------------------------------------------------------------------------------------- */

/* Takes value and origin over. */
static uint32_t store(process *p, weir_value *value, weir_str definition, char *origin,
                      const uint32_t *parents, size_t count) {
    item it = {.value = value, .definition = definition, .origin = origin, .parent_count = count};
    const weir_value *lock =
        weir_member_named(model_at(p->flow, "definitions", definition), "lock");
    it.locked = lock && weir_value_truth(lock);
    it.parents = weir_alloc((count + 1) * sizeof *it.parents);
    for (size_t i = 0; i < count; i++) {
        it.parents[i] = parents[i];
        it.locked |= p->items.items[parents[i]].locked;
    }
    *weir_vector_push(&p->items) = it;
    return (uint32_t)p->items.count - 1;
}

static void validate(process *p, weir_str validator, uint32_t input) {
    const weir_value *operation = model_at(p->flow, "operations", validator);
    p->items.items[input].definition = WEIR_STR("");
    model_make_set(p, validator, operation, &input, 1);
}

/* To the contexts that run for an operation, when they are open and not at their end. */
static void forward(process *p, uint32_t at) {
    const item it = p->items.items[at];
    const weir_value *book = weir_member_named(weir_member_named(p->flow, "forward"), "book");
    for (size_t i = 0; book && i < p->works.count; i++) {
        const work *w = p->works.items[i];
        const weir_value *names = weir_member(book, w->name);
        bool named = false;
        for (size_t k = 0; names && k < weir_value_count(names); k++)
            named |= weir_str_equal(weir_string_get(weir_array_at(names, k)), it.definition);
        for (size_t k = 0; named && k < w->children.count; k++) {
            process *inner = w->children.items[k];
            if (!inner->opened || inner->done) continue;
            uint32_t stored = store(inner, weir_value_ref(it.value), it.definition,
                                    weir_str_dup(weir_str_from(it.origin)), NULL, 0);
            inner->items.items[stored].locked |= it.locked;
            model_fire(inner);
        }
    }
}

/* Stored whole before anything is forwarded; the caller fires. */
static void give(process *p, const weir_value *inputs) {
    size_t from = p->items.count;
    for (size_t i = 0; inputs && i < weir_value_count(inputs); i++) {
        const weir_value *input = weir_array_at(inputs, i);
        weir_str definition = weir_member_text(input, "definition");
        weir_str known = WEIR_STR("");
        const weir_value *definitions = weir_member_named(p->flow, "definitions");
        for (size_t d = 0; d < weir_value_count(definitions); d++)
            if (weir_str_equal(weir_object_key(definitions, d), definition))
                known = weir_object_key(definitions, d);
        uint32_t at = store(p, model_shape(p, known, weir_member_named(input, "value")), known,
                            weir_str_dup(WEIR_STR("seed")), NULL, 0);
        p->items.items[at].used_elsewhere = weir_member_named(input, "same_as") != NULL;
    }
    for (size_t i = from; i < p->items.count; i++) {
        weir_str validator = weir_member_text(
            model_at(p->flow, "definitions", p->items.items[i].definition), "validate");
        if (validator.length)
            validate(p, validator, (uint32_t)i);
        else if (!p->items.items[i].used_elsewhere)
            forward(p, (uint32_t)i);
    }
}

static void take_set(process *p, const work *w, const weir_value *set) {
    const weir_value *outputs = weir_member_named(w->operation, "outputs");
    const weir_value *expand = weir_member_named(w->operation, "expand");
    size_t from = p->items.count;
    for (size_t i = 0; i < weir_value_count(outputs); i++) {
        weir_str key = weir_object_key(outputs, i);
        weir_str definition = weir_string_get(weir_object_at(outputs, i));
        weir_value *value = weir_member(set, key);
        for (size_t k = 0; value && expand && k < weir_value_count(value); k++)
            store(p, weir_value_ref(weir_array_at(value, k)), definition,
                  model_origin(w->name, key), w->parents, w->parent_count);
        if (value && !expand)
            store(p, weir_value_ref(value), definition, model_origin(w->name, key), w->parents,
                  w->parent_count);
    }
    for (size_t i = from; i < p->items.count; i++) forward(p, (uint32_t)i);
    model_fire(p);
}

/* --- contexts ------------------------------------------------------------------------------------- */

static process *new_process(model *m, const weir_value *flow, process *around, weir_str name) {
    process *p = weir_alloc(sizeof *p);
    p->model = m;
    p->flow = flow;
    p->around = around;
    p->name = weir_str_dup(name);
    p->stage = "processing";
    return p;
}

static void free_process(process *p);

static void free_work(work *w) {
    for (size_t i = 0; i < w->children.count; i++) free_process(w->children.items[i]);
    weir_vector_deinit(&w->children);
    weir_value_unref(w->parameters);
    weir_value_unref(w->sets);
    weir_free(w->parents);
    weir_free(w);
}

static void free_process(process *p) {
    for (size_t i = 0; i < p->items.count; i++) {
        weir_value_unref(p->items.items[i].value);
        weir_free(p->items.items[i].origin);
        weir_free(p->items.items[i].parents);
    }
    for (size_t i = 0; i < p->made.count; i++) weir_free(p->made.items[i]);
    for (size_t i = 0; i < p->works.count; i++) free_work(p->works.items[i]);
    weir_vector_deinit(&p->items);
    weir_vector_deinit(&p->made);
    weir_vector_deinit(&p->works);
    weir_value_unref(p->own);
    weir_value_unref(p->result);
    weir_free(p->name);
    weir_free(p);
}

static void open(process *p) {
    p->opened = true;
    give(p, p->inputs);
    give(p, weir_member_named(p->flow, "seed"));
    model_fire(p);
}

static void drop_work(process *p, size_t at) {
    free_work(p->works.items[at]);
    memmove(p->works.items + at, p->works.items + at + 1,
            (--p->works.count - at) * sizeof *p->works.items);
}

/* The operation failed. A dataflow within another is strict. */
static void fail(process *p) {
    bool counts = p->model->scenario->strict || p->around || strcmp(p->stage, "cleanup") == 0;
    if (counts) p->failed = p->done = true;
}

/* --- the end of a context ------------------------------------------------------------------------- */

static weir_value *remap(process *p, weir_str name, const weir_value *spec) {
    const weir_value *flow = weir_member_named(model_at(p->flow, "configs", name), "dataflow");
    const weir_value *inner = weir_member_named(flow, "seed");
    weir_value *found =
        model_output(p, WEIR_STR("get_multi"), weir_member_named(weir_array_at(inner, 0), "value"),
                     NULL, &p->items);
    text_list_add(&p->model->end->sets, WEIR_STR("get"));
    weir_value *path = weir_object_at(spec, 0), *outputs = NULL;
    weir_value *part = found ? weir_member(found, weir_string_get(weir_array_at(path, 0))) : NULL;
    if (part) {
        outputs = weir_object_new();
        weir_member_set(outputs, weir_object_key(spec, 0), weir_value_ref(part));
    }
    weir_value_unref(found);
    return outputs;
}

static void output(process *p) {
    const weir_value *operations = weir_member_named(p->flow, "operations");
    weir_value *results = weir_object_new();
    bool over = false; /* after a failure */
    for (size_t i = 0; !over && i < weir_value_count(operations); i++) {
        const weir_value *operation = weir_object_at(operations, i);
        weir_str name = weir_object_key(operations, i),
                 spec = weir_member_text(weir_member_named(operation, "inputs"), "spec");
        if (!weir_str_is(weir_member_text(operation, "stage"), "output")) continue;
        uint32_t found[8];
        weir_assert(model_find(&p->items, spec, found) == 1);
        const weir_value *value = p->items.items[found[0]].value;
        weir_str what = weir_member_text(operation, "name");
        weir_value *outputs =
            weir_str_is(what, "remap")
                ? remap(p, name, value)
                : model_output(p, what, value, model_at(p->flow, "configs", name), &p->items);
        work w = {.name = name, .parameters = weir_object_new()};
        model_log_set(p, &w, false);
        weir_value_unref(w.parameters);
        over = !outputs;
        if (over) fail(p);
        if (outputs) weir_member_set(results, name, outputs);
    }
    p->result =
        weir_value_ref(weir_value_count(results) == 1 ? weir_object_at(results, 0) : results);
    weir_value_unref(results);
}

/* Nothing is under way any more. */
static void leave(process *p) {
    p->done = true;
    p->stage = "cleanup";
    model_fire(p);
    while (p->works.count) {
        if (p->works.items[0]->fails) fail(p);
        drop_work(p, 0);
    }
    if (p->failed) return;
    p->stage = "output";
    output(p);
}

/* --- dataflows within ----------------------------------------------------------------------------- */

static void add_child(process *p, work *w, weir_str name, weir_value *inputs) {
    const weir_value *flow = weir_member_named(model_at(p->flow, "configs", w->name), "dataflow");
    process *inner = new_process(p->model, flow, p, name);
    inner->inputs = inner->own = inputs;
    *weir_vector_push(&w->children) = inner;
}

static void begin_nested(process *p, work *w) {
    w->begun = true;
    const weir_value *inputs = weir_member_named(w->operation, "inputs");
    if (weir_member_named(inputs, "inputs")) {
        const weir_value *contexts = weir_member_named(w->parameters, "inputs");
        for (size_t i = 0; i < weir_value_count(contexts); i++)
            add_child(p, w, weir_object_key(contexts, i),
                      weir_value_ref(weir_object_at(contexts, i)));
        return;
    }
    weir_value *list = weir_array_new();
    for (size_t i = 0; i < weir_value_count(inputs); i++) {
        weir_value *input = weir_object_new();
        weir_member_put(input, "definition", weir_value_ref(weir_object_at(inputs, i)));
        weir_member_put(input, "value", weir_value_ref(weir_object_at(w->parameters, i)));
        weir_array_append(list, input);
    }
    add_child(p, w, weir_string_get(weir_object_at(w->parameters, 0)), list);
}

/* The outputs of the operation that ran them; NULL: it fails. */
static weir_value *nested_set(const work *w) {
    const weir_value *outputs = weir_member_named(w->operation, "outputs");
    weir_value *list = weir_array_new(), *set = weir_object_new();
    bool custom = !weir_member_named(weir_member_named(w->operation, "inputs"), "inputs");
    bool ok = true;
    for (size_t i = 0; i < w->children.count; i++) {
        const process *inner = w->children.items[i];
        ok = ok && !inner->failed;
        if (inner->failed) continue;
        weir_value *one = weir_object_new();
        weir_member_set(one, weir_str_from(inner->name), weir_value_ref(inner->result));
        weir_array_append(list, one);
        weir_value *value = custom ? weir_member(inner->result, weir_object_key(outputs, 0)) : NULL;
        ok = ok && (!custom || value);
        if (value) weir_member_set(set, weir_object_key(outputs, 0), weir_value_ref(value));
    }
    if (!custom) weir_member_put(set, "results", weir_value_ref(list));
    weir_value_unref(list);
    if (ok) return set;
    weir_value_unref(set);
    return NULL;
}

static void end_nested(process *p, size_t at) {
    work *w = p->works.items[at];
    weir_value *set = nested_set(w);
    if (set)
        take_set(p, w, set);
    else
        fail(p);
    weir_value_unref(set);
    drop_work(p, at);
}

/* --- what may happen next ------------------------------------------------------------------------- */

typedef struct move {
    enum { SET, END, BEGIN, OPEN, FINISH, GIFT, LEAVE } kind;
    process *process;
    size_t at;
} move;

typedef WEIR_VECTOR(move) moves;

static void list_moves(process *p, moves *out);

static void list_nested(process *p, size_t at, moves *out) {
    work *w = p->works.items[at];
    bool done = true;
    if (!w->begun) {
        *weir_vector_push(out) = (move){BEGIN, p, at};
        return;
    }
    if (w->opened < w->children.count) *weir_vector_push(out) = (move){OPEN, p, at};
    for (size_t i = 0; i < w->children.count; i++) {
        process *inner = w->children.items[i];
        done &= inner->done;
        if (inner->opened && !inner->done) list_moves(inner, out);
    }
    if (done) *weir_vector_push(out) = (move){FINISH, p, at};
}

/* The gift that this context gets next; NULL: none. */
static const gift *next_gift(const process *p) {
    const gifts *all = &p->model->scenario->gifts;
    if (p != p->model->top) return NULL;
    for (size_t *i = &p->model->gift; *i < all->count; ++*i) {
        const gift *g = &all->items[*i];
        if (g->context && strcmp(g->context, p->name) == 0 && g->type != WEIR_CONTEXT_GIVEN)
            return g;
    }
    return NULL;
}

static void list_moves(process *p, moves *out) {
    /* Where nothing goes into a dataflow within while it runs, it may as well run at once. */
    bool alone = !weir_member_named(p->flow, "forward");
    for (size_t i = 0; i < p->works.count; i++)
        if (alone && p->works.items[i]->begun) {
            list_nested(p, i, out);
            return;
        }
    for (size_t i = 0; i < p->works.count; i++) {
        const work *w = p->works.items[i];
        if (w->nested)
            list_nested(p, i, out);
        else
            *weir_vector_push(out) = (move){w->at < weir_value_count(w->sets) ? SET : END, p, i};
    }
    if (next_gift(p)) *weir_vector_push(out) = (move){GIFT, p, 0};
    if (!p->works.count && !p->held) *weir_vector_push(out) = (move){LEAVE, p, 0};
}

static void take_gift(process *p) {
    const gift *g = next_gift(p);
    p->model->gift++;
    if (g->type == WEIR_CONTEXT_CLOSED) {
        p->held = false;
        return;
    }
    give(p, weir_member_named(g->data, "inputs"));
    model_fire(p);
}

static void make_move(move m) {
    process *p = m.process;
    work *w = m.at < p->works.count ? p->works.items[m.at] : NULL;
    switch (m.kind) {
    case SET:
        take_set(p, w, weir_array_at(w->sets, w->at));
        w->at++;
        /* What only gives one set ends with it. */
        if (w->at == weir_value_count(w->sets) && !w->fails) drop_work(p, m.at);
        break;
    case END:
        if (w->fails) fail(p);
        drop_work(p, m.at);
        break;
    case BEGIN: begin_nested(p, w); break;
    case OPEN: open(w->children.items[w->opened++]); break;
    case FINISH: end_nested(p, m.at); break;
    case GIFT: take_gift(p); break;
    case LEAVE: leave(p); break;
    }
}

/* --- a run ---------------------------------------------------------------------------------------- */

static const weir_value *inputs_of(const scenario *s, weir_str name, bool *held) {
    const weir_value *planned = model_at(s->request, "contexts", name);
    for (size_t i = 0; !planned && i < s->gifts.count; i++) {
        const gift *g = &s->gifts.items[i];
        if (g->type != WEIR_CONTEXT_GIVEN || !weir_str_is(name, g->context)) continue;
        *held = g->number;
        return weir_member_named(g->data, "inputs");
    }
    return planned;
}

/* While it waits for its turn it may be sent more: that is there when it opens. */
static void take_gifts_that_waited(process *p) {
    const gift *g;
    while ((g = next_gift(p)) && chooser_choose(p->model->chooser, 2)) {
        p->model->gift++;
        if (g->type == WEIR_CONTEXT_CLOSED) {
            p->held = false;
            continue;
        }
        const weir_value *more = weir_member_named(g->data, "inputs");
        weir_value *all = weir_array_new();
        for (size_t i = 0; p->inputs && i < weir_value_count(p->inputs); i++)
            weir_array_append(all, weir_value_ref(weir_array_at(p->inputs, i)));
        for (size_t i = 0; i < weir_value_count(more); i++)
            weir_array_append(all, weir_value_ref(weir_array_at(more, i)));
        weir_value_unref(p->own);
        p->inputs = p->own = all;
    }
}

void model_run(const scenario *s, weir_str context, chooser *c, model_end *end) {
    model m = {.scenario = s, .chooser = c, .end = end};
    moves list = {0};
    *end = (model_end){0};
    m.top = new_process(&m, s->flow, NULL, context);
    m.top->inputs = inputs_of(s, context, &m.top->held);
    take_gifts_that_waited(m.top);
    open(m.top);
    while (!m.top->done && !m.top->failed) {
        list.count = 0;
        list_moves(m.top, &list);
        weir_assert(list.count > 0);
        make_move(list.items[chooser_choose(c, (uint32_t)list.count)]);
    }
    end->failed = m.top->failed;
    if (!end->failed) canonical_value(m.top->result, &end->result);
    weir_vector_deinit(&list);
    free_process(m.top);
}

void text_list_add(text_list *list, weir_str text) {
    *weir_vector_push(list) = weir_str_dup(text);
}

void text_list_deinit(text_list *list) {
    for (size_t i = 0; i < list->count; i++) weir_free(list->items[i]);
    weir_vector_deinit(list);
}

void model_end_deinit(model_end *end) {
    text_list_deinit(&end->tasks);
    text_list_deinit(&end->sets);
    weir_buffer_deinit(&end->result);
}
