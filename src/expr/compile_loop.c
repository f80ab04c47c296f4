#include "expr/compile_internal.h"

static void back(compiler *c, size_t to, const x_node *node) {
    weir__x_emit(c, X_BACK_CODE, to, node);
}

/* Takes the value that is left there away when it is false, and goes on. */
static size_t unless(compiler *c, const x_node *node) {
    size_t skip = weir__x_emit(c, X_IF_FALSE_CODE, 0, node);
    weir__x_emit(c, X_POP_CODE, 0, node);
    return skip;
}

static void end_unless(compiler *c, size_t skip, const x_node *node) {
    size_t jump = weir__x_emit(c, X_JUMP_CODE, 0, node);
    weir__x_land(c, skip);
    weir__x_emit(c, X_POP_CODE, 0, node);
    weir__x_land(c, jump);
}

static void loop_quantifier(compiler *c, const x_node *node, const x_node *test) {
    bool any = weir_str_is(node->text, "any"), none = weir_str_is(node->text, "none");
    size_t begin = c->out->steps.count, end = weir__x_emit(c, X_IF_END_CODE, 0, node);
    weir__x_compile_node(c, test);
    if (none) weir__x_emit(c, X_NOT_CODE, 0, test);
    size_t out = weir__x_emit(c, any ? X_IF_TRUE_CODE : X_IF_FALSE_CODE, 0, test);
    weir__x_emit(c, X_POP_CODE, 0, node);
    weir__x_emit(c, X_NEXT_CODE, 0, node);
    back(c, begin, node);
    weir__x_land(c, end);
    weir__x_push_constant(c, x_bool(!any), node);
    weir__x_land(c, out);
}

/* one, count: how many; filter: which. */
static void loop_count(compiler *c, const x_node *node, const x_node *test) {
    bool filter = weir_str_is(node->text, "filter");
    size_t begin = c->out->steps.count, end = weir__x_emit(c, X_IF_END_CODE, 0, node);
    if (test)
        weir__x_compile_node(c, test);
    else
        weir__x_emit(c, X_ITEM_CODE, 0, node);
    size_t skip = unless(c, test ? test : node);
    weir__x_emit(c, filter ? X_ITEM_CODE : X_COUNT_ONE_CODE, 0, node);
    end_unless(c, skip, node);
    weir__x_emit(c, X_NEXT_CODE, 0, node);
    back(c, begin, node);
    weir__x_land(c, end);
    weir__x_emit(c, filter ? X_TAKE_CODE : X_COUNT_CODE, 0, node);
    if (weir_str_is(node->text, "one")) {
        weir__x_push_constant(c, x_int(1), node);
        weir__x_emit(c, X_EQUAL_CODE, 0, node);
    }
}

static void loop_find(compiler *c, const x_node *node, const x_node *test) {
    bool last = weir_str_starts(node->text, WEIR_STR("findLast"));
    bool index = weir_str_ends(node->text, WEIR_STR("Index"));
    if (last) weir__x_emit(c, X_TO_LAST_CODE, 0, node);
    size_t begin = c->out->steps.count,
           end = weir__x_emit(c, last ? X_IF_START_CODE : X_IF_END_CODE, 0, node);
    weir__x_compile_node(c, test);
    size_t skip = unless(c, test);
    weir__x_emit(c, index ? X_INDEX_CODE : X_ITEM_CODE, 0, node);
    size_t out = weir__x_emit(c, X_JUMP_CODE, 0, node);
    weir__x_land(c, skip);
    weir__x_emit(c, X_POP_CODE, 0, node);
    weir__x_emit(c, last ? X_PREVIOUS_CODE : X_NEXT_CODE, 0, node);
    back(c, begin, node);
    weir__x_land(c, end);
    weir__x_push_constant(c, x_nil(), node);
    weir__x_land(c, out);
}

/* A loop whose every turn gives a value, which `each` takes, or which stays where it is. */
static void loop_each(compiler *c, const x_node *node, const x_node *body, x_code each,
                      x_code result) {
    size_t begin = c->out->steps.count, end = weir__x_emit(c, X_IF_END_CODE, 0, node);
    if (body)
        weir__x_compile_node(c, body);
    else
        weir__x_emit(c, X_ITEM_CODE, 0, node);
    if (each != X_ITEM_CODE) weir__x_emit(c, each, 0, node);
    weir__x_emit(c, X_NEXT_CODE, 0, node);
    back(c, begin, node);
    weir__x_land(c, end);
    weir__x_emit(c, result, 0, node);
}

static void loop_reduce(compiler *c, const x_node *node, const x_node *body, const x_node *first) {
    if (first) {
        weir__x_compile_node(c, first);
    } else {
        weir__x_emit(c, X_EMPTY_CODE, 0, node);
        weir__x_emit(c, X_ITEM_CODE, 0, node);
        weir__x_emit(c, X_NEXT_CODE, 0, node);
    }
    weir__x_emit(c, X_ACCUMULATE_CODE, 0, node);
    loop_each(c, node, body, X_ACCUMULATE_CODE, X_ACCUMULATOR_CODE);
}

bool weir__x_compile_loop(compiler *c, const x_node *node) {
    weir_str name = node->text;
    const x_node *body = node->first->next, *more = body ? body->next : NULL;
    weir__x_compile_node(c, node->first);
    weir__x_emit(c, X_BEGIN_CODE, 0, node);
    if (weir_str_is(name, "all") || weir_str_is(name, "any") || weir_str_is(name, "none")) {
        loop_quantifier(c, node, body);
    } else if (weir_str_is(name, "count") || weir_str_is(name, "one") ||
               weir_str_is(name, "filter")) {
        loop_count(c, node, body);
    } else if (weir_str_starts(name, WEIR_STR("find"))) {
        loop_find(c, node, body);
    } else if (weir_str_is(name, "reduce")) {
        loop_reduce(c, node, body, more);
    } else if (weir_str_is(name, "map")) {
        loop_each(c, node, body, X_ITEM_CODE, X_TAKE_CODE);
    } else if (weir_str_is(name, "sum")) {
        weir__x_push_constant(c, x_int(0), node);
        weir__x_emit(c, X_ACCUMULATE_CODE, 0, node);
        loop_each(c, node, body, X_ADD_TO_CODE, X_ACCUMULATOR_CODE);
    } else if (weir_str_is(name, "groupBy")) {
        weir__x_emit(c, X_GROUPS_CODE, 0, node);
        loop_each(c, node, body, X_GROUP_CODE, X_ACCUMULATOR_CODE);
    } else {
        if (more)
            weir__x_compile_node(c, more);
        else
            weir__x_push_constant(c, x_str(WEIR_STR("asc")), node);
        weir__x_emit(c, X_SORTS_CODE, 0, node);
        loop_each(c, node, body, X_ITEM_CODE, X_SORTED_CODE);
    }
    weir__x_emit(c, X_END_CODE, 0, node);
    return c->ok;
}
