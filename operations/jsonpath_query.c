/* JSONPath: walking a value along a path. Results come in the order of RFC 9535: a value before what is in it. */
#include <stdio.h>

#include "jsonpath.h"
#include "order.h"
#include "parameter.h"
#include "pattern.h"

/* Values looked at, also by filters, and compared. */
enum { STEPS_MAX = 20000000, STEPS_BETWEEN_QUESTIONS = 4096 };

/* A value, and the step that led to it from the place above; a member when the key has data. */
typedef struct place {
    const struct place *up;
    weir_value *value;
    weir_str key;
    size_t index;
} place;

/* The pattern that an expression used last. */
typedef struct compiled {
    const weir__expression *expression;
    weir_str source;
    bool valid;
    weir__pattern pattern;
    struct compiled *next;
} compiled;

typedef struct walk {
    const weir_host *host;
    weir_call *call;
    weir_value *root;
    uint64_t steps;
    bool failed;
    compiled *patterns;
} walk;

/* Who gets the values that a path leads to; `found` returns false when it has enough. */
typedef struct sink {
    bool (*found)(struct sink *to, walk *w, const place *at);
    weir_value *first; /* borrowed */
    int64_t count;
    weir_value *values, *paths;
    weir__text path; /* used again and again */
} sink;

static bool walk_segments(walk *w, const weir__segment *segment, const place *at, sink *to);
static bool holds(walk *w, const weir__expression *e, const place *at);

/* Counts work; false when the walk is over. */
static bool step(walk *w, size_t count) {
    uint64_t before = w->steps / STEPS_BETWEEN_QUESTIONS;
    w->steps += count;
    if (w->steps > STEPS_MAX && !w->failed) {
        w->host->fail(w->call, "limit_exceeded",
                      "`path` looks at more than %d values; make it more exact", STEPS_MAX);
        w->failed = true;
    }
    if (w->steps / STEPS_BETWEEN_QUESTIONS != before && w->host->cancelled(w->call))
        w->failed = true;
    return !w->failed;
}

static bool is_container(const walk *w, const weir_value *value) {
    weir_type type = w->host->value_type(value);
    return type == WEIR_ARRAY || type == WEIR_OBJECT;
}

static place child_at(const walk *w, const place *at, size_t i) {
    bool object = w->host->value_type(at->value) == WEIR_OBJECT;
    place child = {.up = at, .index = i};
    child.value = object ? w->host->object_at(at->value, i) : w->host->array_at(at->value, i);
    if (object) child.key = w->host->object_key(at->value, i);
    return child;
}

/* --- selectors ------------------------------------------------------------------------------ */

static bool select_name(walk *w, const weir__segment *segment, weir_str name, const place *at,
                        sink *to) {
    if (w->host->value_type(at->value) != WEIR_OBJECT) return true;
    const char *data = name.data ? name.data : "";
    place child = {.up = at, .key = {data, name.length}};
    child.value = w->host->object_get(at->value, data, name.length);
    return !child.value || walk_segments(w, segment->next, &child, to);
}

static bool select_index(walk *w, const weir__segment *segment, int64_t index, const place *at,
                         sink *to) {
    if (w->host->value_type(at->value) != WEIR_ARRAY) return true;
    int64_t count = (int64_t)w->host->value_count(at->value);
    if (index < 0) index += count;
    if (index < 0 || index >= count) return true;
    place child = child_at(w, at, (size_t)index);
    return walk_segments(w, segment->next, &child, to);
}

static int64_t bounded(int64_t number, int64_t least, int64_t most) {
    return number < least ? least : number > most ? most : number;
}

/* Section 2.3.4.2.2. */
static bool select_slice(walk *w, const weir__segment *segment, const weir__selector *selector,
                         const place *at, sink *to) {
    if (w->host->value_type(at->value) != WEIR_ARRAY || selector->step == 0) return true;
    int64_t count = (int64_t)w->host->value_count(at->value), by = selector->step;
    int64_t start = selector->has_start ? selector->index : by > 0 ? 0 : count - 1;
    int64_t end = selector->has_end ? selector->end : by > 0 ? count : -count - 1;
    if (start < 0 && selector->has_start) start += count;
    if (end < 0) end += count;
    int64_t least = by > 0 ? 0 : -1, most = by > 0 ? count : count - 1;
    start = bounded(start, least, most);
    end = bounded(end, least, most);
    for (int64_t i = start; by > 0 ? i < end : i > end; i += by) {
        place child = child_at(w, at, (size_t)i);
        if (!walk_segments(w, segment->next, &child, to)) return false;
    }
    return true;
}

/* All children, or those for which the filter holds. */
static bool select_children(walk *w, const weir__segment *segment, const weir__expression *filter,
                            const place *at, sink *to) {
    size_t count = is_container(w, at->value) ? w->host->value_count(at->value) : 0;
    for (size_t i = 0; i < count; i++) {
        place child = child_at(w, at, i);
        if (!step(w, 1)) return false;
        if (filter && !holds(w, filter, &child)) {
            if (w->failed) return false;
            continue;
        }
        if (!walk_segments(w, segment->next, &child, to)) return false;
    }
    return true;
}

static bool apply_selectors(walk *w, const weir__segment *segment, const place *at, sink *to) {
    for (const weir__selector *selector = segment->selectors; selector; selector = selector->next) {
        bool more = true;
        switch (selector->kind) {
        case WEIR__SELECT_NAME: more = select_name(w, segment, selector->name, at, to); break;
        case WEIR__SELECT_ALL: more = select_children(w, segment, NULL, at, to); break;
        case WEIR__SELECT_INDEX: more = select_index(w, segment, selector->index, at, to); break;
        case WEIR__SELECT_SLICE: more = select_slice(w, segment, selector, at, to); break;
        case WEIR__SELECT_FILTER:
            more = select_children(w, segment, selector->filter, at, to);
            break;
        }
        if (!more) return false;
    }
    return true;
}

static bool descend(walk *w, const weir__segment *segment, const place *at, sink *to) {
    if (!step(w, 1) || !apply_selectors(w, segment, at, to)) return false;
    size_t count = is_container(w, at->value) ? w->host->value_count(at->value) : 0;
    for (size_t i = 0; i < count; i++) {
        place child = child_at(w, at, i);
        if (!descend(w, segment, &child, to)) return false;
    }
    return true;
}

static bool walk_segments(walk *w, const weir__segment *segment, const place *at, sink *to) {
    if (!step(w, 1)) return false;
    if (!segment) return to->found(to, w, at);
    return segment->descendants ? descend(w, segment, at, to) : apply_selectors(w, segment, at, to);
}

static void walk_path(walk *w, const weir__path *path, const place *at, sink *to) {
    place root = {.value = w->root};
    walk_segments(w, path->segments, path->relative ? at : &root, to);
}

/* --- expressions ---------------------------------------------------------------------------- */

static bool take_first(sink *to, walk *w, const place *at) {
    (void)w;
    to->first = at->value;
    return false;
}

static bool count_all(sink *to, walk *w, const place *at) {
    (void)w;
    to->first = at->value;
    to->count++;
    return true;
}

/* A value to compare; NULL is what RFC 9535 calls Nothing. Given back with value_unref. */
static weir_value *length_of(const walk *w, weir_value *value) {
    weir_type type = value ? w->host->value_type(value) : WEIR_NULL;
    if (type == WEIR_STRING)
        return w->host->int_new((int64_t)weir__characters(w->host->string_get(value)));
    if (type == WEIR_ARRAY || type == WEIR_OBJECT)
        return w->host->int_new((int64_t)w->host->value_count(value));
    return NULL;
}

static weir_value *evaluate(walk *w, const weir__expression *e, const place *at) {
    sink one = {.found = take_first}, all = {.found = count_all};
    weir_value *inner, *result;
    switch (e->kind) {
    case WEIR__LITERAL: return w->host->value_ref(e->literal);
    case WEIR__PATH: walk_path(w, &e->path, at, &one); return w->host->value_ref(one.first);
    case WEIR__LENGTH:
        inner = evaluate(w, e->left, at);
        result = length_of(w, inner);
        w->host->value_unref(inner);
        return result;
    case WEIR__COUNT: walk_path(w, &e->left->path, at, &all); return w->host->int_new(all.count);
    default: /* WEIR__VALUE: of just one */
        walk_path(w, &e->left->path, at, &all);
        return all.count == 1 ? w->host->value_ref(all.first) : NULL;
    }
}

/* Counts what comparing the value takes. */
static bool weigh(walk *w, const weir_value *value) {
    if (w->host->value_type(value) == WEIR_STRING)
        return step(w, w->host->string_get(value).length / 256);
    if (!is_container(w, value)) return true;
    size_t count = w->host->value_count(value);
    bool object = w->host->value_type(value) == WEIR_OBJECT;
    if (!step(w, count)) return false;
    for (size_t i = 0; i < count; i++)
        if (!weigh(w, object ? w->host->object_at(value, i) : w->host->array_at(value, i)))
            return false;
    return true;
}

/* Section 2.3.5.2.2: only numbers, and only texts, come before one another. */
static bool compare(walk *w, char relation, const weir_value *a, const weir_value *b) {
    int order;
    bool equal = a == b;
    if (a && b && !equal) equal = weigh(w, a) && weigh(w, b) && weir__equal(w->host, a, b);
    if (relation == '=') return equal;
    if (relation == '!') return !equal;
    if (equal) return relation == 'l' || relation == 'g';
    if (!a || !b || !weir__compare(w->host, a, b, &order)) return false;
    return relation == '<' || relation == 'l' ? order < 0 : order > 0;
}

static bool comparison_holds(walk *w, const weir__expression *e, const place *at) {
    weir_value *a = evaluate(w, e->left, at), *b = evaluate(w, e->right, at);
    bool result = compare(w, e->relation, a, b);
    w->host->value_unref(a);
    w->host->value_unref(b);
    return result;
}

/* --- patterns ------------------------------------------------------------------------------- */

/* I-Regexp (RFC 9485, section 5.4) in PCRE's terms: a dot matches no line end; all of the text, or a part. */
static weir_str translate(walk *w, weir_str source, bool whole) {
    weir__text out = {w->host, w->call};
    bool class = false;
    weir__text_add(&out, whole ? TEXT("\\A(?:") : TEXT("(?:"));
    for (size_t i = 0; i < source.length; i++) {
        char c = source.data[i];
        if (c == '\\' && i + 1 < source.length) {
            weir__text_add(&out, weir__part(source, i, i + 2));
            i++;
            continue;
        }
        if (c == '[') class = true;
        if (c == ']') class = false;
        weir__text_add(&out, c == '.' && !class ? TEXT("[^\\n\\r]") : weir__part(source, i, i + 1));
    }
    weir__text_add(&out, whole ? TEXT(")\\z") : TEXT(")"));
    return weir__text_str(&out);
}

static compiled *pattern_of(walk *w, const weir__expression *e, weir_str source) {
    char problem[256];
    compiled *c = w->patterns;
    while (c && c->expression != e) c = c->next;
    if (c && weir__same_text(c->source, source)) return c;
    if (c) {
        weir__pattern_deinit(&c->pattern);
    } else {
        c = w->host->alloc(w->call, sizeof *c);
        c->expression = e;
        c->next = w->patterns;
        w->patterns = c;
    }
    /* The value that has it lives as long as the call's value. */
    c->source = source;
    c->valid = weir__pattern_init(&c->pattern, translate(w, source, e->kind == WEIR__MATCH), false,
                                  TEXT(""), problem);
    return c;
}

static bool text_matches(walk *w, const weir__expression *e, weir_str text, weir_str source) {
    char problem[256];
    compiled *c = pattern_of(w, e, source);
    if (!c->valid || !step(w, 16 + text.length / 16 + source.length)) return false;
    c->pattern.text = text;
    c->pattern.checked = false;
    weir__found found = weir__pattern_find(&c->pattern, 0, 0, problem);
    if (found == WEIR__FOUND_PROBLEM) {
        w->host->fail(w->call, "limit_exceeded", "%s", problem);
        w->failed = true;
    }
    return found == WEIR__FOUND;
}

static bool match_holds(walk *w, const weir__expression *e, const place *at) {
    weir_value *text = evaluate(w, e->left, at), *source = evaluate(w, e->right, at);
    bool result = text && source && w->host->value_type(text) == WEIR_STRING &&
                  w->host->value_type(source) == WEIR_STRING &&
                  text_matches(w, e, w->host->string_get(text), w->host->string_get(source));
    w->host->value_unref(text);
    w->host->value_unref(source);
    return result;
}

static bool holds(walk *w, const weir__expression *e, const place *at) {
    sink one = {.found = take_first};
    for (; e->kind == WEIR__OR || e->kind == WEIR__AND; e = e->right)
        if (w->failed || holds(w, e->left, at) == (e->kind == WEIR__OR)) return e->kind == WEIR__OR;
    switch (e->kind) {
    case WEIR__NOT: return !holds(w, e->left, at);
    case WEIR__COMPARISON: return comparison_holds(w, e, at);
    case WEIR__PATH: walk_path(w, &e->path, at, &one); return one.first != NULL;
    default: return match_holds(w, e, at);
    }
}

/* --- the operation -------------------------------------------------------------------------- */

static void add_name(weir__text *out, weir_str name) {
    static const char short_escapes[0x20] = {
        ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
    for (size_t i = 0; i < name.length; i++) {
        unsigned char c = (unsigned char)name.data[i];
        char escape[8];
        int length = 0;
        if (c < 0x20 && !short_escapes[c])
            length = snprintf(escape, sizeof escape, "\\u%04x", c);
        else if (c < 0x20 || c == '\'' || c == '\\')
            length = snprintf(escape, sizeof escape, "\\%c", c < 0x20 ? short_escapes[c] : (char)c);
        weir__text_add(out,
                       length ? (weir_str){escape, (size_t)length} : weir__part(name, i, i + 1));
    }
}

/* A normalized path (section 2.7). */
static void add_path(weir__text *out, const place *at) {
    char index[32];
    if (!at->up) {
        weir__text_byte(out, '$');
        return;
    }
    add_path(out, at->up);
    if (at->key.data) {
        weir__text_add(out, TEXT("['"));
        add_name(out, at->key);
        weir__text_add(out, TEXT("']"));
    } else {
        int length = snprintf(index, sizeof index, "[%zu]", at->index);
        weir__text_add(out, (weir_str){index, (size_t)length});
    }
}

static bool keep(sink *to, walk *w, const place *at) {
    to->path.length = 0;
    add_path(&to->path, at);
    weir_value *text = weir__text_take(&to->path);
    bool room = text && w->host->value_count(to->values) < ITEMS_MAX;
    if (!room) {
        if (text) w->host->fail(w->call, "limit_exceeded", "more than %d values", ITEMS_MAX);
        w->host->value_unref(text);
        w->failed = true;
        return false;
    }
    w->host->array_append(to->values, w->host->value_ref(at->value));
    w->host->array_append(to->paths, text);
    return step(w, 1 + to->path.length / 4); /* it takes memory */
}

bool weir__jsonpath_query(const weir_host *host, weir_call *call) {
    weir_str text;
    weir__jsonpath path;
    walk w = {.host = host, .call = call, .root = weir__needed(host, call, "value")};
    if (!w.root || !weir__text_needed(host, call, "path", &text)) return false;
    sink all = {.found = keep, .path = {host, call}};
    w.failed = !weir__jsonpath_parse(host, call, text, &path);
    if (!w.failed) {
        all.values = host->array_new();
        all.paths = host->array_new();
        walk_path(&w, &path.path, &(place){.value = w.root}, &all);
    }
    if (w.failed) {
        host->value_unref(all.values);
        host->value_unref(all.paths);
    } else {
        host->output(call, "values", all.values);
        host->output(call, "paths", all.paths);
    }
    for (compiled *c = w.patterns; c; c = c->next) weir__pattern_deinit(&c->pattern);
    weir__jsonpath_free(host, &path);
    return !w.failed;
}
