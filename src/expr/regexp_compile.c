#include "expr/regexp_internal.h"

static uint32_t emit(weir__regexp *r, re_code code, uint32_t to, bool flag) {
    if (r->steps.count <= WEIR__REGEXP_STEPS_MAX)
        *weir_vector_push(&r->steps) = (re_step){.code = (uint8_t)code, .to = to, .flag = flag};
    return (uint32_t)r->steps.count - 1;
}

static void compile(weir__regexp *r, const re_node *n);

static bool may_be_empty(const re_node *n) {
    bool any = n->kind == RN_CHOICE ? false : true;
    switch (n->kind) {
    case RN_CHARACTER:
    case RN_CLASS:
    case RN_ANY: return false;
    case RN_REPEAT: return n->value == 0 || may_be_empty(n->first);
    case RN_GROUP: return may_be_empty(n->first);
    case RN_SEQUENCE:
        for (const re_node *i = n->first; i; i = i->next) any = any && may_be_empty(i);
        return any;
    case RN_CHOICE:
        for (const re_node *i = n->first; i; i = i->next) any = any || may_be_empty(i);
        return any;
    default: return true;
    }
}

/* A split at `at` goes on behind it, or here. */
static void split(weir__regexp *r, uint32_t at, bool greedy, uint32_t inside, uint32_t outside) {
    r->steps.items[at].to = greedy ? inside : outside;
    r->steps.items[at].other = greedy ? outside : inside;
}

static void compile_more(weir__regexp *r, const re_node *n, bool loop) {
    uint32_t begin = (uint32_t)r->steps.count, here;
    if (loop && may_be_empty(n->first)) { /* as (x+)? */
        here = emit(r, RE_SPLIT, 0, false);
        uint32_t inside = (uint32_t)r->steps.count;
        compile(r, n->first);
        uint32_t back = emit(r, RE_SPLIT, 0, false);
        split(r, back, n->flag, inside, (uint32_t)r->steps.count);
        split(r, here, n->flag, inside, (uint32_t)r->steps.count);
        return;
    }
    here = emit(r, RE_SPLIT, 0, false);
    compile(r, n->first);
    if (loop) emit(r, RE_JUMP, begin, false);
    split(r, here, n->flag, here + 1, (uint32_t)r->steps.count);
}

static void compile_repeat(weir__regexp *r, const re_node *n) {
    int least = (int)n->value;
    for (int i = 0; i < least && r->steps.count < WEIR__REGEXP_STEPS_MAX; i++) {
        uint32_t begin = (uint32_t)r->steps.count;
        compile(r, n->first);
        if (n->most < 0 && i == least - 1) {
            uint32_t back = emit(r, RE_SPLIT, 0, false);
            split(r, back, n->flag, begin, (uint32_t)r->steps.count);
            return;
        }
    }
    if (n->most < 0) {
        compile_more(r, n, true);
        return;
    }
    WEIR_VECTOR(uint32_t) open = {0};
    for (int i = least; i < n->most && r->steps.count < WEIR__REGEXP_STEPS_MAX; i++) {
        *weir_vector_push(&open) = emit(r, RE_SPLIT, 0, false);
        compile(r, n->first);
    }
    for (size_t i = 0; i < open.count; i++)
        split(r, open.items[i], n->flag, open.items[i] + 1, (uint32_t)r->steps.count);
    weir_vector_deinit(&open);
}

static void compile_choice(weir__regexp *r, const re_node *n) {
    WEIR_VECTOR(uint32_t) ends = {0};
    for (const re_node *i = n->first; i; i = i->next) {
        uint32_t here = i->next ? emit(r, RE_SPLIT, 0, false) : 0;
        compile(r, i);
        if (!i->next) break;
        *weir_vector_push(&ends) = emit(r, RE_JUMP, 0, false);
        split(r, here, true, here + 1, (uint32_t)r->steps.count);
    }
    for (size_t i = 0; i < ends.count; i++)
        r->steps.items[ends.items[i]].to = (uint32_t)r->steps.count;
    weir_vector_deinit(&ends);
}

static void compile(weir__regexp *r, const re_node *n) {
    if (r->steps.count > WEIR__REGEXP_STEPS_MAX) return;
    switch (n->kind) {
    case RN_EMPTY: break;
    case RN_CHARACTER: emit(r, RE_CHARACTER, n->value, n->flag); break;
    case RN_CLASS: emit(r, RE_CLASS, n->value, false); break;
    case RN_ANY: emit(r, RE_ANY, 0, n->flag); break;
    case RN_ASSERT: emit(r, RE_ASSERT, n->value, false); break;
    case RN_GROUP:
        if (n->value) emit(r, RE_SAVE, 2 * n->value, false);
        compile(r, n->first);
        if (n->value) emit(r, RE_SAVE, 2 * n->value + 1, false);
        break;
    case RN_REPEAT: compile_repeat(r, n); break;
    case RN_SEQUENCE:
        for (const re_node *i = n->first; i; i = i->next) compile(r, i);
        break;
    case RN_CHOICE: compile_choice(r, n); break;
    }
}

void weir__regexp_compile(weir__regexp *r, const re_node *tree) {
    compile(r, tree);
    emit(r, RE_MATCH, 0, false);
}
