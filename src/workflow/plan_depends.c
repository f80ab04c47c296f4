#include "workflow/template.h"

#include <stdio.h>

#include "expr/condition.h"

typedef WEIR_VECTOR(weir__piece) pieces;

static bool in_name(char ch) {
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
           ch == '-' || ch == '_';
}

static uint32_t bits_of(weir_str result) {
    static const struct {
        const char *name;
        uint32_t bits;
    } results[] = {{"Succeeded", WEIR__SUCCEEDED},
                   {"Failed", WEIR__FAILED},
                   {"Errored", WEIR__ERRORED},
                   {"Skipped", WEIR__SKIPPED},
                   {"Omitted", WEIR__OMITTED},
                   {"Daemoned", WEIR__DAEMONED},
                   {"AnySucceeded", WEIR__ANY_SUCCEEDED},
                   {"AllFailed", WEIR__ALL_FAILED}};
    for (size_t i = 0; i < sizeof results / sizeof *results; i++)
        if (weir_str_is(result, results[i].name)) return results[i].bits;
    return 0;
}

static void add_task(weir__compiler *c, const weir__template *t, weir_str task, weir_str name,
                     uint32_t accepts, pieces *out) {
    uint64_t index;
    if (weir_map_get(&t->step_names, name, &index))
        *weir_vector_push(out) = (weir__piece){.task = (uint32_t)index, .accepts = accepts};
    else
        weir__problem(c, WEIR_INVALID, "templates.%.*s.tasks.%.*s dependency '%.*s' not defined",
                      WEIR_ARG(t->name), WEIR_ARG(task), WEIR_ARG(name));
}

static void add_operator(const char *text, pieces *out) {
    *weir_vector_push(out) = (weir__piece){.task = WEIR__NONE, .text = weir_str_from(text)};
}

/* A name, or a name and a result, at *at. */
static void read_task(weir__compiler *c, const weir__template *t, weir_str task, weir_str text,
                      size_t *at, pieces *out) {
    size_t from = *at;
    while (*at < text.length && in_name(text.data[*at])) ++*at;
    weir_str name = weir_str_slice(text, from, *at);
    uint32_t accepts = WEIR__PASSED;
    if (*at < text.length && text.data[*at] == '.') {
        from = ++*at;
        while (*at < text.length && in_name(text.data[*at])) ++*at;
        weir_str result = weir_str_slice(text, from, *at);
        accepts = bits_of(result);
        uint64_t index;
        bool of_items = accepts & (WEIR__ANY_SUCCEEDED | WEIR__ALL_FAILED);
        if (of_items && weir_map_get(&t->step_names, name, &index) && !t->steps[index].loops)
            weir__problem(c, WEIR_INVALID,
                          "templates.%.*s.tasks.%.*s dependency '%.*s' uses an items-based "
                          "condition such as .AnySucceeded or .AllFailed but does not contain any "
                          "items",
                          WEIR_ARG(t->name), WEIR_ARG(task), WEIR_ARG(name));
        else if (!accepts)
            weir__problem(c, WEIR_INVALID,
                          "templates.%.*s.tasks.%.*s task result '%.*s' for task '%.*s' is invalid",
                          WEIR_ARG(t->name), WEIR_ARG(task), WEIR_ARG(result), WEIR_ARG(name));
    }
    add_task(c, t, task, name, accepts, out);
}

static void read_depends(weir__compiler *c, const weir__template *t, weir_str task, weir_str text,
                         pieces *out) {
    static const char *const operators[] = {"&&", "||", "!", "(", ")", NULL};
    size_t before = c->problems->total;
    for (size_t at = 0; at < text.length;) {
        const char *const *op = operators;
        while (*op && !weir_str_starts(weir_str_slice(text, at, text.length), weir_str_from(*op)))
            op++;
        if (*op) {
            add_operator(*op, out);
            at += strlen(*op);
        } else if (in_name(text.data[at])) {
            read_task(c, t, task, text, &at, out);
        } else if (strchr(" \t\r\n", text.data[at])) {
            at++;
        } else {
            weir__problem(c, WEIR_INVALID, "templates.%.*s.tasks.%.*s invalid 'depends': '%c'",
                          WEIR_ARG(t->name), WEIR_ARG(task), text.data[at]);
            return;
        }
    }
    weir_buffer sample = {0};
    weir_error error;
    bool result;
    if (out->count == 1 && out->items[0].task != WEIR__NONE) return; /* as most are */
    for (size_t i = 0; i < out->count; i++) {
        bool name = out->items[i].task != WEIR__NONE;
        weir_buffer_str_append(&sample, name ? WEIR_STR("true") : out->items[i].text);
        weir_buffer_byte(&sample, ' ');
    }
    if (out->count && c->problems->total == before &&
        !weir_logic_evaluate(weir_buffer_str(&sample), &result, &error))
        weir__problem(c, WEIR_INVALID, "templates.%.*s.tasks.%.*s invalid 'depends' expression",
                      WEIR_ARG(t->name), WEIR_ARG(task));
    weir_buffer_deinit(&sample);
}

/* `dependencies: [a, b]` is `depends: a && b`. */
static void read_dependencies(weir__compiler *c, const weir__template *t, weir_str task,
                              const weir_value *list, pieces *out) {
    for (size_t i = 0; i < weir_value_count(list); i++) {
        size_t mark = weir__enter(c, "dependencies/%zu", i);
        weir_str name;
        if (weir__any_text(c, weir_array_at(list, i), &name)) {
            if (out->count) add_operator("&&", out);
            add_task(c, t, task, name, WEIR__PASSED, out);
        }
        weir__leave(c, mark);
    }
}

static weir__indexes indexes_new(weir__compiler *c, size_t capacity) {
    return (weir__indexes){weir_arena_alloc(&c->workflow->arena, (capacity + 1) * sizeof(uint32_t)),
                           0};
}

/* Keeps the pieces, and each task among them once; `seen` says which task was met last by whom. */
static void keep(weir__compiler *c, weir__step *step, uint32_t index, const pieces *found,
                 uint32_t *seen) {
    step->depends_count = found->count;
    step->depends =
        weir_arena_alloc(&c->workflow->arena, (found->count + 1) * sizeof *step->depends);
    step->dependencies = indexes_new(c, found->count);
    for (size_t i = 0; i < found->count; i++) {
        uint32_t task = found->items[i].task;
        step->depends[i] = found->items[i];
        if (task == WEIR__NONE || seen[task] == index) continue;
        seen[task] = index;
        step->dependencies.items[step->dependencies.count++] = task;
    }
}

static void read_all(weir__compiler *c, weir__template *t, const weir_value *tasks) {
    pieces found = {0};
    uint32_t *seen = weir_alloc(t->step_count * sizeof *seen);
    memset(seen, 0xff, t->step_count * sizeof *seen);
    for (uint32_t i = 0; i < t->step_count; i++) {
        const weir_value *task = weir_array_at(tasks, i);
        size_t mark = weir__enter(c, "tasks/%u", i);
        weir_str text;
        found.count = 0;
        if (weir__text_field(c, task, "depends", &text)) {
            weir__enter(c, "depends");
            read_depends(c, t, t->steps[i].name, text, &found);
        } else {
            const weir_value *list = weir__field(c, task, "dependencies", WEIR_ARRAY);
            if (list) read_dependencies(c, t, t->steps[i].name, list, &found);
        }
        weir__leave(c, mark);
        keep(c, &t->steps[i], i, &found, seen);
    }
    weir_free(seen);
    weir_vector_deinit(&found);
}

static void link_dependents(weir__compiler *c, weir__template *t) {
    uint32_t *counts = weir_alloc((t->step_count + 1) * sizeof *counts);
    for (size_t i = 0; i < t->step_count; i++)
        for (size_t k = 0; k < t->steps[i].dependencies.count; k++)
            counts[t->steps[i].dependencies.items[k]]++;
    for (size_t i = 0; i < t->step_count; i++) t->steps[i].dependents = indexes_new(c, counts[i]);
    for (uint32_t i = 0; i < t->step_count; i++) {
        for (size_t k = 0; k < t->steps[i].dependencies.count; k++) {
            weir__indexes *list = &t->steps[t->steps[i].dependencies.items[k]].dependents;
            list->items[list->count++] = i;
        }
    }
    weir_free(counts);
}

static uint32_t first_open(const weir__indexes *indexes, const uint32_t *waits) {
    size_t i = 0;
    while (!waits[indexes->items[i]]) i++;
    return indexes->items[i];
}

/* What waits for ever waits for something that does, so following it long enough leads into a cycle. */
static void report_cycle(weir__compiler *c, const weir__template *t, const uint32_t *waits) {
    uint32_t at = 0;
    while (!waits[at]) at++;
    for (size_t i = 0; i < t->step_count; i++) at = first_open(&t->steps[at].dependencies, waits);
    weir_buffer text = {0};
    uint32_t first = at;
    do {
        weir_buffer_printf(&text, "%.*s->", WEIR_ARG(t->steps[at].name));
        at = first_open(&t->steps[at].dependencies, waits);
    } while (at != first);
    size_t mark = weir__enter(c, "tasks/%u", at);
    weir__problem(c, WEIR_INVALID, "templates.%.*s.tasks dependency cycle detected: %s%.*s",
                  WEIR_ARG(t->name), text.data, WEIR_ARG(t->steps[at].name));
    weir__leave(c, mark);
    weir_buffer_deinit(&text);
}

/* Kahn, Topological sorting of large networks (1962). */
static bool sort(weir__compiler *c, weir__template *t) {
    t->order = indexes_new(c, t->step_count);
    uint32_t *waits = weir_alloc(t->step_count * sizeof *waits);
    for (uint32_t i = 0; i < t->step_count; i++) {
        waits[i] = (uint32_t)t->steps[i].dependencies.count;
        if (!waits[i]) t->order.items[t->order.count++] = i;
    }
    for (size_t head = 0; head < t->order.count; head++) {
        const weir__indexes *next = &t->steps[t->order.items[head]].dependents;
        for (size_t k = 0; k < next->count; k++)
            if (--waits[next->items[k]] == 0) t->order.items[t->order.count++] = next->items[k];
    }
    bool good = t->order.count == t->step_count;
    if (!good) report_cycle(c, t, waits);
    weir_free(waits);
    return good;
}

static bool constant_tag(void *arg, weir_str name, weir_buffer *out) {
    const weir__workflow *workflow = arg;
    weir__reference r = weir__reference_parse(name, true);
    const weir__parameter *p = weir__parameter_find(&workflow->parameters, r.name);
    bool is_name = r.subject == WEIR__REF_NAME;
    if (!is_name && (r.subject != WEIR__REF_PARAMETER || !p)) return false;
    weir_buffer_str_append(out, is_name ? workflow->name : p->text);
    return true;
}

static void mark_targets(weir__compiler *c, weir__template *t, weir_str names) {
    size_t from = 0, to;
    for (; from < names.length; from = to + 1) {
        to = weir_str_find(names, WEIR_STR(" "), from);
        if (to == SIZE_MAX) to = names.length;
        weir_str name = weir_str_trim(weir_str_slice(names, from, to));
        uint64_t index;
        if (!name.length) continue;
        if (weir_map_get(&t->step_names, name, &index))
            t->steps[index].target = true;
        else
            weir__problem(c, WEIR_INVALID, "templates.%.*s.targets: target '%.*s' is not defined",
                          WEIR_ARG(t->name), WEIR_ARG(name));
    }
}

static void choose_targets(weir__compiler *c, weir__template *t, const weir_value *dag) {
    weir_str target = WEIR_STR("");
    weir_buffer names = {0};
    weir_error error;
    weir__text_field(c, dag, "target", &target);
    size_t mark = weir__enter(c, "target");
    if (!weir_tag_render(target, constant_tag, c->workflow, &names, &error))
        weir__problem(c, error.code, "templates.%.*s.targets %s", WEIR_ARG(t->name), error.message);
    else if (names.length)
        mark_targets(c, t, weir_buffer_str(&names));
    else
        for (size_t i = 0; i < t->step_count; i++)
            t->steps[i].target = t->steps[i].dependents.count == 0;
    weir__leave(c, mark);
    weir_buffer_deinit(&names);
}

bool weir__compile_dependencies(weir__compiler *c, weir__template *t, const weir_value *dag) {
    read_all(c, t, weir_member_named(dag, "tasks"));
    link_dependents(c, t);
    if (!sort(c, t)) return false;
    choose_targets(c, t, dag);
    for (size_t i = t->step_count; i-- > 0;) {
        weir__step *step = &t->steps[t->order.items[i]];
        step->wanted = step->wanted || step->target;
        for (size_t k = 0; step->wanted && k < step->dependencies.count; k++)
            t->steps[step->dependencies.items[k]].wanted = true;
    }
    size_t wanted = 0;
    for (size_t i = 0; i < t->step_count; i++)
        if (t->steps[t->order.items[i]].wanted) t->order.items[wanted++] = t->order.items[i];
    t->order.count = wanted;
    return true;
}

bool weir__is_ancestor(const weir__template *t, uint32_t ancestor, uint32_t task) {
    const weir__indexes *direct = &t->steps[task].dependencies;
    for (size_t k = 0; k < direct->count; k++)
        if (direct->items[k] == ancestor) return true;
    bool *seen = weir_alloc(t->step_count), found = false;
    WEIR_VECTOR(uint32_t) stack = {0};
    *weir_vector_push(&stack) = task;
    while (stack.count && !found) {
        const weir__indexes *on = &t->steps[stack.items[--stack.count]].dependencies;
        for (size_t k = 0; k < on->count && !found; k++) {
            found = on->items[k] == ancestor;
            if (seen[on->items[k]]) continue;
            seen[on->items[k]] = true;
            *weir_vector_push(&stack) = on->items[k];
        }
    }
    weir_vector_deinit(&stack);
    weir_free(seen);
    return found;
}
