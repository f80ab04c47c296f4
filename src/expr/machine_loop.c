/* Functions with predicates: loops, each with a scope. */
#include <stdint.h>

#include "expr/expr_internal.h"

static x_scope *scope(x_machine *m) {
    return &m->scopes.items[m->scopes.count - 1];
}

/* The bytes of a text, which loops go through. */
static bool bytes_of(x_machine *m, x *v) {
    if (!weir__x_items_room(m, v->length)) return false;
    x *items = weir__x_list_new(m, v->length);
    for (size_t i = 0; i < v->length; i++)
        items[i] = (x){.kind = X_INT, .sub = X_GO_UINT8, .integer = (unsigned char)v->text[i]};
    *v = weir__x_list(items, v->length, X_OF_ANY);
    return true;
}

static bool begin(x_machine *m) {
    x list = m->stack[--m->top];
    if (list.kind == X_STRING && !bytes_of(m, &list)) return false;
    if (list.kind == X_MAP)
        list.length = (uint32_t)weir__x_count(&list); /* has no items, but may be counted */
    if (list.kind != X_LIST && list.kind != X_MAP)
        return weir__x_fail(m, WEIR_INVALID, "an array is wanted, not a value of type %s",
                            weir__x_go_type(&list));
    *weir_vector_push(&m->scopes) = (x_scope){.list = list, .length = list.length, .base = m->top};
    return true;
}

static bool item_at(x_machine *m, const x_scope *s, size_t index, x *out) {
    if (s->list.kind != X_LIST)
        return weir__x_fail(m, WEIR_INVALID, "an array is wanted, not a map");
    *out = weir__x_at(&s->list, index);
    return true;
}

static bool group(x_machine *m) {
    x_scope *s = scope(m);
    x key = m->stack[--m->top], list = {0}, item;
    if (!item_at(m, s, (size_t)s->index, &item)) return false;
    if (key.kind == X_LIST || key.kind == X_MAP)
        return weir__x_fail(m, WEIR_INVALID, "a value of type %s cannot be a key",
                            weir__x_go_type(&key));
    if (!weir__x_get(&s->accumulator, &key, &list)) list = weir__x_list(NULL, 0, X_OF_ANY);
    bool full = (list.length & (list.length - 1)) ==
                0; /* room grows by doubling, and nobody else has the list yet */
    x *items = full ? weir__x_list_new(m, list.length * 2 + 1) : NULL;
    if (items && list.length) memcpy(items, list.items, list.length * sizeof *items);
    if (!items) memcpy(&items, &list.items, sizeof items);
    items[list.length] = item;
    weir__x_put(m, &s->accumulator, key, weir__x_list(items, list.length + 1, X_OF_ANY));
    return true;
}

static bool start_sort(x_machine *m) {
    x order_text = m->stack[--m->top];
    bool descending = order_text.kind == X_STRING && weir_str_is(x_text(&order_text), "desc");
    if (!descending && (order_text.kind != X_STRING || !weir_str_is(x_text(&order_text), "asc")))
        return weir__x_fail(m, WEIR_INVALID, "the order is \"asc\" or \"desc\"");
    scope(m)->descending = descending;
    return true;
}

static bool end_sort(x_machine *m) {
    x_scope *s = scope(m);
    size_t count = s->list.length;
    if (!weir__x_items_room(m, count)) return false;
    x *items = weir__x_list_new(m, count);
    for (size_t i = 0; i < count; i++)
        if (!item_at(m, s, i, &items[i])) return false;
    if (!weir__x_sort(m, items, m->stack + s->base, count, s->descending)) return false;
    m->top = s->base;
    weir__x_push(m, weir__x_list(items, count, X_OF_ANY));
    return true;
}

bool weir__x_step_loop(x_machine *m, const x_step *step, uint32_t *at) {
    x value;
    x_scope *s = step->code == X_BEGIN_CODE ? NULL : scope(m);
    switch ((x_code)step->code) {
    case X_BEGIN_CODE: return begin(m);
    case X_END_CODE: m->scopes.count--; break;
    case X_IF_END_CODE:
        if (s->index >= s->length) *at = step->argument;
        break;
    case X_IF_START_CODE:
        if (s->index < 0) *at = step->argument;
        break;
    case X_NEXT_CODE: s->index++; break;
    case X_PREVIOUS_CODE: s->index--; break;
    case X_TO_LAST_CODE: s->index = s->length - 1; break;
    case X_INDEX_CODE: weir__x_push(m, x_int(s->index)); break;
    case X_ACCUMULATOR_CODE: weir__x_push(m, s->accumulator); break;
    case X_ACCUMULATE_CODE: s->accumulator = m->stack[--m->top]; break;
    case X_ITEM_CODE:
        if (!item_at(m, s, (size_t)s->index, &value)) return false;
        weir__x_push(m, value);
        break;
    case X_COUNT_ONE_CODE: s->count++; break;
    case X_COUNT_CODE: weir__x_push(m, x_int(s->count)); break;
    case X_TAKE_CODE: return weir__x_make_list(m, m->top - s->base);
    case X_ADD_TO_CODE:
        value = m->stack[--m->top];
        return weir__x_operate(m, '+', &value, &s->accumulator, &s->accumulator);
    case X_EMPTY_CODE:
        return s->length > 0 ||
               weir__x_fail(m, WEIR_INVALID,
                            "an empty array is reduced, and there is no first value");
    case X_GROUPS_CODE: s->accumulator = weir__x_map_new(m, X_OF_LISTS); break;
    case X_GROUP_CODE: return group(m);
    case X_SORTS_CODE: return start_sort(m);
    case X_SORTED_CODE: return end_sort(m);
    default: break;
    }
    return true;
}
