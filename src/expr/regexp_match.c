#include "expr/regexp_internal.h"
#include "expr/unicode.h"

/* The steps where a thread stands, the preferred one first, each at most once; and what each saved. */
typedef struct threads {
    uint32_t *steps, *where;
    size_t *places;
    size_t count;
} threads;

typedef struct matcher {
    const weir__regexp *r;
    weir_str text;
    size_t saved; /* numbers a thread has */
    threads now, later;
    struct todo {
        uint32_t step;
        uint32_t slot; /* to be set back to `value`, when it is not UINT32_MAX */
        size_t value;
    } * todo;
} matcher;

static bool in_ranges(const re_class *class, uint32_t c) {
    for (size_t i = 0; i < class->ranges.count; i++)
        if (c >= class->ranges.items[i].low && c <= class->ranges.items[i].high) return true;
    return false;
}

static bool in_class(const re_class *class, uint32_t c) {
    bool in = in_ranges(class, c);
    if (!in && class->fold)
        for (uint32_t other = weir__unicode_fold(c); other != c && !in;
             other = weir__unicode_fold(other))
            in = in_ranges(class, other);
    return in != class->negated;
}

static bool is_same(uint32_t wanted, bool fold, uint32_t c) {
    if (wanted == c) return true;
    if (fold)
        for (uint32_t other = weir__unicode_fold(c); other != c; other = weir__unicode_fold(other))
            if (other == wanted) return true;
    return false;
}

static bool is_word(weir_str text, size_t at) {
    if (at >= text.length) return false;
    char c = text.data[at];
    return c == '_' || (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
}

static bool holds(re_assert what, weir_str text, size_t at) {
    bool border = (at > 0 && is_word(text, at - 1)) != is_word(text, at);
    switch (what) {
    case RE_LINE_BEGIN: return at == 0 || text.data[at - 1] == '\n';
    case RE_LINE_END: return at == text.length || text.data[at] == '\n';
    case RE_TEXT_BEGIN: return at == 0;
    case RE_TEXT_END: return at == text.length;
    case RE_WORD: return border;
    case RE_NO_WORD: return !border;
    }
    return false;
}

/* Follows jumps from a step, with what was saved so far, to those that want a character. */
static void follow(matcher *m, threads *list, uint32_t first, size_t *places, size_t at) {
    size_t depth = 0;
    m->todo[depth++] = (struct todo){.step = first, .slot = UINT32_MAX};
    while (depth > 0) {
        struct todo next = m->todo[--depth];
        if (next.slot != UINT32_MAX) {
            places[next.slot] = next.value;
            continue;
        }
        uint32_t where = list->where[next.step];
        if (where < list->count && list->steps[where] == next.step) continue;
        list->where[next.step] = (uint32_t)list->count;
        list->steps[list->count] = next.step;
        if (m->saved)
            memcpy(list->places + list->count * m->saved, places, m->saved * sizeof *places);
        list->count++;
        const re_step *s = &m->r->steps.items[next.step];
        if (s->code == RE_JUMP) {
            m->todo[depth++] = (struct todo){.step = s->to, .slot = UINT32_MAX};
        } else if (s->code == RE_SPLIT) {
            m->todo[depth++] = (struct todo){.step = s->other, .slot = UINT32_MAX};
            m->todo[depth++] = (struct todo){.step = s->to, .slot = UINT32_MAX};
        } else if (s->code == RE_ASSERT) {
            if (holds((re_assert)s->to, m->text, at))
                m->todo[depth++] = (struct todo){.step = next.step + 1, .slot = UINT32_MAX};
        } else if (s->code == RE_SAVE) {
            if (s->to < m->saved) {
                m->todo[depth++] = (struct todo){.slot = s->to, .value = places[s->to]};
                places[s->to] = at;
            }
            m->todo[depth++] = (struct todo){.step = next.step + 1, .slot = UINT32_MAX};
        }
    }
}

static bool takes(const matcher *m, const re_step *s, uint32_t c) {
    switch ((re_code)s->code) {
    case RE_CHARACTER: return is_same(s->to, s->flag, c);
    case RE_CLASS: return in_class(&m->r->classes.items[s->to], c);
    case RE_ANY: return s->flag || c != '\n';
    default: return false;
    }
}

/* Every thread takes a character, or ends; a match cuts off those that are less preferred. */
static bool advance(matcher *m, size_t at, size_t length, uint32_t c, size_t *out) {
    bool matched = false;
    m->later.count = 0;
    for (size_t i = 0; i < m->now.count && !matched; i++) {
        const re_step *s = &m->r->steps.items[m->now.steps[i]];
        size_t *places = m->saved ? m->now.places + i * m->saved : NULL;
        if (s->code == RE_MATCH) {
            matched = true;
            if (m->saved && out) {
                memcpy(out, places, m->saved * sizeof *out);
                out[1] = at;
            }
        } else if (length > 0 && takes(m, s, c)) {
            follow(m, &m->later, m->now.steps[i] + 1, places, at + length);
        }
    }
    threads swap = m->now;
    m->now = m->later;
    m->later = swap;
    return matched;
}

static void threads_init(threads *t, size_t steps, size_t saved) {
    *t = (threads){.steps = weir_alloc(steps * sizeof *t->steps),
                   .where = weir_alloc(steps * sizeof *t->where),
                   .places = saved ? weir_alloc(steps * saved * sizeof *t->places) : NULL};
}

static void threads_deinit(threads *t) {
    weir_free(t->steps);
    weir_free(t->where);
    weir_free(t->places);
}

bool weir__regexp_find(const weir__regexp *r, weir_str text, size_t from, size_t *out) {
    size_t steps = r->steps.count;
    matcher m = {.r = r, .text = text, .saved = out ? 2 * (r->groups + 1) : 0};
    size_t *begin = weir_alloc((m.saved + 1) * sizeof *begin);
    threads_init(&m.now, steps, m.saved);
    threads_init(&m.later, steps, m.saved);
    m.todo = weir_alloc((2 * steps + 2) * sizeof *m.todo);
    bool found = false;
    for (size_t at = from, length; at <= text.length; at += length) {
        uint32_t c = 0;
        length = 0;
        if (at < text.length)
            c = weir__unicode_decode(weir_str_slice(text, at, text.length), &length);
        if (!found) { /* a match may begin here, too */
            for (size_t i = 0; i < m.saved; i++) begin[i] = SIZE_MAX;
            begin[0] = at;
            follow(&m, &m.now, 0, begin, at);
        }
        if (advance(&m, at, length, c, out)) found = true;
        if ((found && (m.now.count == 0 || !out)) || length == 0) break;
    }
    threads_deinit(&m.now);
    threads_deinit(&m.later);
    weir_free(m.todo);
    weir_free(begin);
    return found;
}

size_t weir__regexp_cost(const weir__regexp *r, size_t length) {
    return (length + 1) * (r->steps.count + 4) / 8 + 1;
}
