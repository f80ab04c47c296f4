#include "canonical.h"
#include "model_internal.h"
#include "simulation.h"

/* --- what may happen next ------------------------------------------------------------------------- */

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
        if (inner->opened && !inner->done) model_list_moves(inner, out);
    }
    if (done) *weir_vector_push(out) = (move){FINISH, p, at};
}

const gift *model_next_gift(const process *p) {
    const gifts *all = &p->model->scenario->gifts;
    if (p != p->model->top) return NULL;
    for (size_t *i = &p->model->gift; *i < all->count; ++*i) {
        const gift *g = &all->items[*i];
        if (g->context && weir_str_is(p->name, g->context) && g->type != WEIR_CONTEXT_GIVEN)
            return g;
    }
    return NULL;
}

void model_list_moves(process *p, moves *out) {
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
    if (model_next_gift(p)) *weir_vector_push(out) = (move){GIFT, p, 0};
    if (!p->works.count && !p->held) *weir_vector_push(out) = (move){LEAVE, p, 0};
}

static void take_gift(process *p) {
    const gift *g = model_next_gift(p);
    p->model->gift++;
    if (g->type == WEIR_CONTEXT_CLOSED) {
        p->held = false;
        return;
    }
    model_give(p, weir_member_named(g->data, "inputs"));
    model_fire(p);
}

static void end_nested(process *p, size_t at) {
    work *w = p->works.items[at];
    weir_value *set = model_nested_set(w);
    if (set)
        model_take_set(p, w, set);
    else
        model_fail(p);
    weir_value_unref(set);
    model_drop_work(p, at);
}

void model_make_move(move m) {
    process *p = m.process;
    work *w = m.at < p->works.count ? p->works.items[m.at] : NULL;
    switch (m.kind) {
    case SET:
        model_take_set(p, w, weir_array_at(w->sets, w->at));
        w->at++;
        /* What only gives one set ends with it. */
        if (w->at == weir_value_count(w->sets) && !w->fails) model_drop_work(p, m.at);
        break;
    case END:
        if (w->fails) model_fail(p);
        model_drop_work(p, m.at);
        break;
    case BEGIN: model_begin_nested(p, w); break;
    case OPEN: model_open(w->children.items[w->opened++]); break;
    case FINISH: end_nested(p, m.at); break;
    case GIFT: take_gift(p); break;
    case LEAVE: model_leave(p); break;
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

void model_take_gift_that_waited(process *p) {
    const gift *g = model_next_gift(p);
    p->model->gift++;
    if (g->type == WEIR_CONTEXT_CLOSED) {
        p->held = false;
        return;
    }
    const weir_value *lists[] = {p->inputs, weir_member_named(g->data, "inputs")};
    weir_value *all = weir_array_new();
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; lists[k] && i < weir_value_count(lists[k]); i++)
            weir_array_append(all, weir_value_ref(weir_array_at(lists[k], i)));
    weir_value_unref(p->inputs);
    p->inputs = all;
}

void model_begin(model *m, model_memory *memory, weir_str context) {
    const scenario *s = memory->scenario;
    *m = (model){.memory = memory, .scenario = s};
    m->top = model_new_process(m, s->flow, NULL, context);
    m->top->inputs = weir_value_ref((weir_value *)inputs_of(s, context, &m->top->held));
}

void model_end_run(model *m) {
    model_free_process(m->top);
}

static size_t choose(uint64_t *chance, size_t count) {
    return chance ? chance_draw(chance, count) : 0;
}

void model_run(model_memory *memory, weir_str context, uint64_t *chance, model_end *end) {
    model m;
    moves list = {0};
    *end = (model_end){0};
    model_begin(&m, memory, context);
    m.end = end;
    /* While it waits for its turn it may be sent more. */
    while (model_next_gift(m.top) && choose(chance, 2)) model_take_gift_that_waited(m.top);
    model_open(m.top);
    while (!m.top->done && !m.top->failed) {
        list.count = 0;
        model_list_moves(m.top, &list);
        weir_assert(list.count > 0);
        model_make_move(list.items[choose(chance, list.count)]);
    }
    end->failed = m.top->failed;
    if (!end->failed) canonical_value(m.top->result, &end->result);
    if (!end->failed) end->value = weir_value_ref(m.top->result);
    weir_vector_deinit(&list);
    model_end_run(&m);
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
    weir_value_unref(end->value);
}

void model_memory_deinit(model_memory *memory) {
    for (size_t i = 0; i < memory->courses.count; i++)
        weir_value_unref(memory->courses.items[i].sets);
    for (size_t i = 0; i < memory->rules.count; i++) model_rules_free(memory->rules.items[i]);
    weir_vector_deinit(&memory->courses);
    weir_vector_deinit(&memory->rules);
    number_map_deinit(&memory->known);
}
