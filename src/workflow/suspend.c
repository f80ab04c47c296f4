/* What is said from outside of suspended nodes: that they go on, how they end, what they give. */
#include "workflow/suspend.h"

#include "workflow/coordinator.h"

/* --- which nodes ------------------------------------------------------------------------------- */

static const char *const keys[] = {"displayName", "name", "templateName", "id", "phase"};
enum { KEYS = sizeof keys / sizeof *keys, INPUT = KEYS };

typedef struct term {
    size_t key; /* of `keys`; INPUT: an input parameter of the name */
    weir_str name;
    weir_str value;
    bool differs;
} term;

typedef WEIR_VECTOR(term) terms;

/* "KEY=VALUE" or "KEY!=VALUE". */
static bool read_term(weir_str text, terms *out, weir_error *error) {
    static const weir_str before = {"inputs.parameters.", 18}, behind = {".value", 6};
    size_t equals = weir_str_find(text, WEIR_STR("="), 0);
    if (equals == SIZE_MAX || equals == 0)
        return weir_fail(error, WEIR_USAGE, "`%.*s` is no selector: KEY=VALUE or KEY!=VALUE",
                         WEIR_ARG(text));
    term t = {.differs = text.data[equals - 1] == '!'};
    weir_str key = weir_str_trim(weir_str_slice(text, 0, equals - t.differs));
    size_t from = equals + 1;
    if (from < text.length && text.data[from] == '=') from++;
    t.value = weir_str_trim(weir_str_slice(text, from, text.length));
    while (t.key < KEYS && !weir_str_is(key, keys[t.key])) t.key++;
    if (t.key == INPUT && weir_str_starts(key, before) && weir_str_ends(key, behind) &&
        key.length > before.length + behind.length)
        t.name = weir_str_slice(key, before.length, key.length - behind.length);
    else if (t.key == INPUT)
        return weir_fail(error, WEIR_USAGE,
                         "nodes have no `%.*s` to select by: displayName, name, templateName, id, "
                         "phase or inputs.parameters.NAME.value",
                         WEIR_ARG(key));
    *weir_vector_push(out) = t;
    return true;
}

static bool read_terms(weir_str text, terms *out, weir_error *error) {
    for (size_t from = 0, to; from < text.length; from = to + 1) {
        to = weir_str_find(text, WEIR_STR(","), from);
        if (to == SIZE_MAX) to = text.length;
        weir_str part = weir_str_trim(weir_str_slice(text, from, to));
        if (part.length && !read_term(part, out, error)) return false;
    }
    return true;
}

static bool meets(const weir__run *run, uint32_t node, const term *t) {
    const weir__node *n = weir__node_at(run, node);
    weir_buffer text = {0};
    switch (t->key) {
    case 0: weir__node_display_name(run, node, &text); break;
    case 1: weir_buffer_str_append(&text, weir_member_text(n->start, "name")); break;
    case 2: weir_buffer_str_append(&text, n->template->name); break;
    case 3: weir__node_id(run, node, &text); break;
    case 4: weir_buffer_text(&text, weir__phase_texts[n->phase]); break;
    default: {
        const weir_value *input = n->inputs ? weir_member(n->inputs, t->name) : NULL;
        if (weir_is(input, WEIR_STRING)) weir_buffer_str_append(&text, weir_string_get(input));
    }
    }
    bool same = weir_str_equal(weir_buffer_str(&text), t->value);
    weir_buffer_deinit(&text);
    return same != t->differs;
}

static weir_value *select_nodes(const weir__run *run, const terms *all) {
    weir_value *nodes = weir_array_new();
    for (uint32_t i = 0; i < run->nodes.count; i++) {
        const weir__node *n = weir__node_at(run, i);
        bool chosen = n->type == WEIR__TYPE_SUSPEND && !n->end;
        for (size_t k = 0; chosen && k < all->count; k++) chosen = meets(run, i, &all->items[k]);
        if (chosen) weir_array_append(nodes, weir_int_new(i));
    }
    return nodes;
}

bool weir_workflow_select_nodes(const weir_coordinator *coordinator, weir_str selector,
                                weir_value *paths, weir_error *error) {
    const weir__run *run = (const weir__run *)coordinator;
    terms all = {0};
    bool ok = read_terms(selector, &all, error), any = false;
    for (uint32_t i = 0; ok && i < run->nodes.count; i++) {
        bool chosen = true;
        for (size_t k = 0; chosen && k < all.count; k++) chosen = meets(run, i, &all.items[k]);
        if (!chosen) continue;
        any = true;
        weir_value *path = weir_array_new();
        weir_array_append(path,
                          weir_string_from(weir_member_text(weir__node_at(run, i)->start, "name")));
        weir_array_append(paths, path);
    }
    weir_vector_deinit(&all);
    return ok &&
           (any || weir_fail(error, WEIR_NOT_FOUND, "no node is one of %.*s", WEIR_ARG(selector)));
}

/* --- what is said ---------------------------------------------------------------------------------- */

static bool check_phase(weir_str phase, weir_error *error) {
    if (!phase.length || weir_str_is(phase, "Succeeded") || weir_str_is(phase, "Failed") ||
        weir_str_is(phase, "Error") || weir_str_is(phase, "Skipped"))
        return true;
    return weir_fail(error, WEIR_USAGE,
                     "a node cannot be set to `%.*s`: Succeeded, Failed, Error or Skipped",
                     WEIR_ARG(phase));
}

/* That the template of each node has an output of each name, which is to be supplied. */
static bool check_parameters(const weir__run *run, const weir_value *nodes,
                             const weir_value *parameters, weir_error *error) {
    for (size_t i = 0; parameters && i < weir_value_count(nodes); i++) {
        const weir__node *n = weir__node_at(run, (uint32_t)weir_int_get(weir_array_at(nodes, i)));
        for (size_t k = 0; k < weir_value_count(parameters); k++) {
            weir_str name = weir_object_key(parameters, k);
            const weir__parameter *p = weir__parameter_find(&n->template->outputs, name);
            if (!p || !p->supplied)
                return weir_fail(error, WEIR_INVALID,
                                 "the node %s has no output parameter `%.*s` that is supplied",
                                 weir_member_text(n->start, "name").data, WEIR_ARG(name));
        }
    }
    return true;
}

weir_value *weir_workflow_set_nodes(const weir_coordinator *coordinator, const weir_value *what,
                                    weir_error *error) {
    const weir__run *run = (const weir__run *)coordinator;
    weir_str selector = weir_member_text(what, "selector");
    weir_value *parameters = weir_member_named(what, "parameters");
    terms all = {0};
    weir_value *nodes = NULL, *data = NULL;
    if (read_terms(selector, &all, error) && check_phase(weir_member_text(what, "phase"), error))
        nodes = select_nodes(run, &all);
    if (nodes && !weir_value_count(nodes)) {
        weir_fail(error, WEIR_NOT_FOUND, "no suspended node%s%.*s",
                  selector.length ? " is one of " : " is there", WEIR_ARG(selector));
    } else if (nodes && check_parameters(run, nodes, parameters, error)) {
        static const char *const kept[] = {"resume", "phase", "message", "parameters"};
        data = weir_object_new();
        weir_member_put(data, "nodes", weir_value_ref(nodes));
        for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
            weir_value *member = weir_member_named(what, kept[i]);
            if (member) weir_member_put(data, kept[i], weir_value_ref(member));
        }
    }
    weir_value_unref(nodes);
    weir_vector_deinit(&all);
    return data;
}

/* --- what it does to the state -------------------------------------------------------------------- */

bool weir__fits_set(const weir__run *run, const weir_value *data) {
    const weir_value *nodes = weir_member_named(data, "nodes");
    const weir_value *parameters = weir_member_named(data, "parameters");
    weir_error ignored;
    if (!weir_is(nodes, WEIR_ARRAY) || !weir__is_texts(parameters, false) ||
        !check_phase(weir_member_text(data, "phase"), &ignored))
        return false;
    for (size_t i = 0; i < weir_value_count(nodes); i++) {
        const weir_value *node = weir_array_at(nodes, i);
        if (!weir_is(node, WEIR_INT) || weir_int_get(node) < 0 ||
            weir_int_get(node) >= (int64_t)run->nodes.count ||
            weir__node_at(run, (uint32_t)weir_int_get(node))->type != WEIR__TYPE_SUSPEND)
            return false;
    }
    return true;
}

void weir__apply_set(weir__run *run, const weir_event *event) {
    const weir_value *nodes = weir_member_named(event->data, "nodes");
    const weir_value *parameters = weir_member_named(event->data, "parameters");
    for (size_t i = 0; i < weir_value_count(nodes); i++) {
        uint32_t node = (uint32_t)weir_int_get(weir_array_at(nodes, i));
        weir__node *n = weir__node_at(run, node);
        if (n->end) continue;
        if (n->last == WEIR__NONE) {
            n->last = (uint32_t)run->said.count;
            *weir_vector_push(&run->said) = (weir__said){0};
        }
        weir__said *said = &run->said.items[n->last];
        for (size_t k = 0; parameters && k < weir_value_count(parameters); k++) {
            if (!said->parameters) said->parameters = weir_object_new();
            weir_member_set(said->parameters, weir_object_key(parameters, k),
                            weir_value_ref(weir_object_at(parameters, k)));
        }
        bool ends =
            weir_member_named(event->data, "resume") || weir_member_named(event->data, "phase");
        if (ends && !said->how) said->how = weir_value_ref(event->data);
        n->last_cause = event->id;
        weir__touch(run, node, WEIR__NONE);
    }
}

static const weir__said *said_of(const weir__run *run, const weir__node *n) {
    return n->last == WEIR__NONE ? NULL : &run->said.items[n->last];
}

/* How it ended before the run began anew; NULL: it did not, or is asked again. */
static const weir_value *recalled_end(const weir__run *run, const weir__node *n) {
    return run->recalled ? weir_member(run->recalled, weir_member_text(n->start, "name")) : NULL;
}

bool weir__suspension_is_over(const weir__run *run, const weir__node *n, uint64_t now_us) {
    const weir_value *due = weir_member_named(n->start, "due_us");
    const weir__said *said = said_of(run, n);
    return run->cancelled || (said && said->how) || recalled_end(run, n) ||
           (weir_is(due, WEIR_INT) && (uint64_t)weir_int_get(due) <= now_us);
}

/* Of an output: what was supplied, its default, or the input of its name. */
static const weir_value *supplied_text(const weir__node *n, const weir__said *said,
                                       const weir__parameter *p) {
    weir_value *given = said && said->parameters ? weir_member(said->parameters, p->name) : NULL;
    if (given || p->has_fallback) return given;
    return n->inputs ? weir_member(n->inputs, p->name) : NULL;
}

void weir__judge_suspension(const weir__run *run, const weir__node *n, weir__verdict *v) {
    const weir__said *said = said_of(run, n);
    const weir_value *how = said ? said->how : NULL;
    weir_str phase = weir_member_text(how, "phase");
    const weir__parameters *outputs = &n->template->outputs;
    v->phase = WEIR__PHASE_SUCCEEDED;
    if (run->cancelled && !how) {
        weir__say(v, WEIR__PHASE_FAILED, "");
        weir__say_cancelled(run, &v->message);
        return;
    }
    const weir_value *before = how ? NULL : recalled_end(run, n);
    if (before) {
        weir_value *outputs_before = weir_member_named(before, "outputs");
        weir_buffer_str_append(&v->message, weir_member_text(before, "message"));
        v->outputs = outputs_before ? weir_value_ref(outputs_before) : NULL;
        return;
    }
    for (uint32_t i = 0; phase.length && i < WEIR__PHASES; i++)
        if (weir_str_is(phase, weir__phase_texts[i])) v->phase = (weir__phase)i;
    weir_buffer_str_append(&v->message, weir_member_text(how, "message"));
    weir_value *parameters = weir_object_new();
    for (size_t i = 0; i < outputs->count; i++) {
        const weir__parameter *p = &outputs->items[i];
        const weir_value *text = supplied_text(n, said, p);
        if (text) {
            weir_member_set(parameters, p->name, weir_value_ref((weir_value *)text));
        } else if (p->has_fallback) {
            weir_member_set(parameters, p->name, weir_string_from(p->fallback));
        } else if (v->phase == WEIR__PHASE_SUCCEEDED) {
            weir__say(v, WEIR__PHASE_ERROR, "");
            weir_buffer_printf(&v->message,
                               "raw output parameter '%.*s' has not been set and does not have a "
                               "default value",
                               WEIR_ARG(p->name));
        }
    }
    if (weir_value_count(parameters)) {
        v->outputs = weir_object_new();
        weir_member_put(v->outputs, "parameters", parameters);
    } else {
        weir_value_unref(parameters);
    }
}

/* --- after a restart ------------------------------------------------------------------------------- */

weir_value *weir_workflow_suspensions(const weir_coordinator *coordinator,
                                      const weir_value *chosen) {
    const weir__run *run = (const weir__run *)coordinator;
    WEIR_VECTOR(uint32_t) nodes = {0};
    weir_value *kept = NULL;
    for (uint32_t i = 0; i < run->nodes.count; i++) {
        const weir__node *n = weir__node_at(run, i);
        if (n->type == WEIR__TYPE_SUSPEND && n->end && n->phase == WEIR__PHASE_SUCCEEDED)
            *weir_vector_push(&nodes) = i;
    }
    weir_value **paths = weir_alloc((nodes.count + 1) * sizeof *paths);
    bool *undone = weir_alloc((nodes.count + 1) * sizeof *undone);
    for (size_t i = 0; i < nodes.count; i++) {
        paths[i] = weir_array_new();
        weir_str name = weir_member_text(weir__node_at(run, nodes.items[i])->start, "name");
        weir_array_append(paths[i], weir_string_from(name));
    }
    if (nodes.count) weir__undo(coordinator, chosen, true, paths, nodes.count, undone);
    for (size_t i = 0; i < nodes.count; i++) {
        const weir__node *n = weir__node_at(run, nodes.items[i]);
        if (!undone[i] && !kept) kept = weir_object_new();
        if (!undone[i])
            weir_member_set(kept, weir_member_text(n->start, "name"), weir_value_ref(n->end));
        weir_value_unref(paths[i]);
    }
    weir_free(paths);
    weir_free(undone);
    weir_vector_deinit(&nodes);
    return kept;
}

void weir_workflow_recall_suspensions(weir_coordinator *coordinator,
                                      const weir_value *suspensions) {
    weir__run *run = (weir__run *)coordinator;
    weir_value_unref(run->recalled);
    run->recalled = weir_value_ref((weir_value *)suspensions);
}

bool weir_workflow_is_suspensions(const weir_value *value) {
    if (!weir_is(value, WEIR_OBJECT)) return false;
    for (size_t i = 0; i < weir_value_count(value); i++) {
        const weir_value *end = weir_object_at(value, i);
        if (weir__phase_in(end) != WEIR__PHASE_SUCCEEDED ||
            !weir__is_texts(weir_member_named(end, "outputs"), true))
            return false;
    }
    return true;
}
