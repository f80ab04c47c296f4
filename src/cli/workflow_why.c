#include "cli/workflow_why.h"

#include <stdlib.h>

#include "base/map.h"
#include "cli/output.h"
#include "cli/workflow_text.h"
#include "data/json.h"

enum { VALUE_BYTES_MAX = 200, NODES_SHOWN_MAX = 100 };

typedef struct asking {
    const weir_value *workflow, *spec, *nodes; /* {id: node} */
    const weir_value *boundary;                /* whose steps may be named */
    const weir_value *template;                /* of the boundary */
    bool dag;
    weir_map by_name; /* the nodes' places */
    weir_value *why;  /* of the node that is looked at */
} asking;

static weir_value *list_of(const weir_value *holder, const char *member) {
    weir_value *list = weir_member_named(holder, member);
    return weir_is(list, WEIR_ARRAY) ? list : NULL;
}

static void say(asking *a, const weir_buffer *text) {
    weir_array_append(a->why, weir_string_from((weir_str){text->data, text->length}));
}

static void say_text(asking *a, const char *head, weir_str text) {
    weir_buffer line = {0};
    weir_buffer_printf(&line, "%s%.*s", head, WEIR_ARG(text));
    say(a, &line);
    weir_buffer_deinit(&line);
}

/* --- what is where --------------------------------------------------------------------------------- */

static const weir_value *node_named(const asking *a, weir_str name) {
    uint64_t at;
    return weir_map_get(&a->by_name, name, &at) ? weir_object_at(a->nodes, (size_t)at) : NULL;
}

static const weir_value *template_of(const asking *a, const weir_value *node) {
    weir_str name = weir_member_text(node, "templateName");
    const weir_value *reference = weir_member_named(node, "templateRef");
    const weir_value *templates = list_of(a->spec, "templates");
    for (size_t i = 0; name.length && templates && i < weir_value_count(templates); i++)
        if (weir_str_equal(weir_member_text(weir_array_at(templates, i), "name"), name))
            return weir_array_at(templates, i);
    weir_buffer key = {0};
    bool cluster = weir_member_named(reference, "clusterScope") != NULL;
    weir_str scope = weir_member_text(node, "templateScope");
    if (reference)
        weir_buffer_printf(&key, "%s/%.*s/%.*s", cluster ? "cluster" : "namespaced",
                           WEIR_ARG(weir_member_text(reference, "name")),
                           WEIR_ARG(weir_member_text(reference, "template")));
    else
        weir_buffer_printf(&key, "%.*s/%.*s", WEIR_ARG(scope), WEIR_ARG(name));
    const weir_value *stored =
        weir_member_named(weir_member_named(a->workflow, "status"), "storedTemplates");
    const weir_value *found =
        weir_is(stored, WEIR_OBJECT) ? weir_member(stored, weir_buffer_str(&key)) : NULL;
    weir_buffer_deinit(&key);
    return found;
}

/* The boundary's template becomes the one that is asked; false: it is neither steps nor DAG, or not known. */
static bool enter(asking *a, const weir_value *boundary) {
    a->boundary = boundary;
    a->template = boundary ? template_of(a, boundary) : NULL;
    a->dag = weir_is(weir_member_named(a->template, "dag"), WEIR_OBJECT);
    return a->dag || list_of(a->template, "steps");
}

static const weir_value *tasks_of(const asking *a) {
    return list_of(weir_member_named(a->template, "dag"), "tasks");
}

/* The step or task of the name, and the step's group. */
static const weir_value *step_named(const asking *a, weir_str name, size_t *group) {
    const weir_value *groups = a->dag ? NULL : list_of(a->template, "steps"), *tasks = tasks_of(a);
    for (size_t i = 0; tasks && i < weir_value_count(tasks); i++)
        if (weir_str_equal(weir_member_text(weir_array_at(tasks, i), "name"), name))
            return weir_array_at(tasks, i);
    for (size_t i = 0; groups && i < weir_value_count(groups); i++) {
        const weir_value *steps = weir_array_at(groups, i);
        for (size_t k = 0; weir_is(steps, WEIR_ARRAY) && k < weir_value_count(steps); k++)
            if (weir_str_equal(weir_member_text(weir_array_at(steps, k), "name"), name)) {
                *group = i;
                return weir_array_at(steps, k);
            }
    }
    return NULL;
}

/* "PARENT[1].step" or "PARENT.task": where the step's node is, if it is. */
static void put_place(const asking *a, weir_str step, size_t group, weir_buffer *out) {
    weir_buffer_str_append(out, weir_member_text(a->boundary, "name"));
    if (!a->dag) weir_buffer_printf(out, "[%zu]", group);
    weir_buffer_printf(out, ".%.*s", WEIR_ARG(step));
}

static const weir_value *node_of_step(const asking *a, weir_str name) {
    size_t group = 0;
    weir_buffer place = {0};
    const weir_value *found = NULL;
    if (step_named(a, name, &group)) {
        put_place(a, name, group, &place);
        found = node_named(a, weir_buffer_str(&place));
    }
    weir_buffer_deinit(&place);
    return found;
}

/* --- values instead of tags ------------------------------------------------------------------------ */

static const weir_value *parameter_named(const weir_value *holder, weir_str name) {
    const weir_value *list = list_of(holder, "parameters");
    for (size_t i = 0; list && i < weir_value_count(list); i++)
        if (weir_str_equal(weir_member_text(weir_array_at(list, i), "name"), name))
            return weir_member_named(weir_array_at(list, i), "value");
    return NULL;
}

static const weir_value *value_of_step(const asking *a, weir_str rest) {
    size_t point = weir_str_find(rest, WEIR_STR("."), 0);
    if (point == SIZE_MAX) return NULL;
    const weir_value *node = node_of_step(a, weir_str_slice(rest, 0, point));
    weir_str what = weir_str_slice(rest, point + 1, rest.length);
    const weir_value *outputs = weir_member_named(node, "outputs");
    weir_str parameters = WEIR_STR("outputs.parameters.");
    if (weir_str_is(what, "status")) return weir_member_named(node, "phase");
    if (weir_str_is(what, "outputs.result")) return weir_member_named(outputs, "result");
    if (weir_str_is(what, "exitCode")) return weir_member_named(outputs, "exitCode");
    if (!weir_str_starts(what, parameters)) return NULL;
    return parameter_named(outputs, weir_str_slice(what, parameters.length, what.length));
}

static const weir_value *value_of_tag(const asking *a, weir_str tag) {
    weir_str heads[] = {WEIR_STR("inputs.parameters."), WEIR_STR("workflow.parameters."),
                        WEIR_STR("steps."), WEIR_STR("tasks.")};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        if (!weir_str_starts(tag, heads[i])) continue;
        weir_str rest = weir_str_slice(tag, heads[i].length, tag.length);
        if (i == 0) return parameter_named(weir_member_named(a->boundary, "inputs"), rest);
        if (i == 1) return parameter_named(weir_member_named(a->spec, "arguments"), rest);
        return value_of_step(a, rest);
    }
    return NULL;
}

/* The text with what is known instead of its tags; false when that changes nothing. */
static bool put_values(const asking *a, weir_str text, weir_buffer *out) {
    bool any = false;
    for (size_t at = 0; at < text.length;) {
        size_t from = weir_str_find(text, WEIR_STR("{{"), at);
        size_t to = from == SIZE_MAX ? SIZE_MAX : weir_str_find(text, WEIR_STR("}}"), from);
        if (to == SIZE_MAX) from = text.length;
        weir_buffer_str_append(out, weir_str_slice(text, at, from));
        if (to == SIZE_MAX) break;
        const weir_value *value =
            value_of_tag(a, weir_str_trim(weir_str_slice(text, from + 2, to)));
        any = any || weir_is(value, WEIR_STRING);
        weir_buffer_str_append(out, weir_is(value, WEIR_STRING)
                                        ? weir_string_get(value)
                                        : weir_str_slice(text, from, to + 2));
        at = to + 2;
    }
    return any;
}

static void say_condition(asking *a, weir_str when) {
    weir_buffer line = {0}, values = {0};
    weir_buffer_printf(&line, "condition: %.*s", WEIR_ARG(when));
    if (put_values(a, when, &values)) weir_buffer_printf(&line, ", which is: %s", values.data);
    say(a, &line);
    weir_buffer_deinit(&values);
    weir_buffer_deinit(&line);
}

/* --- what it waits for ----------------------------------------------------------------------------- */

static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

/* Whether it is one that what depends on it still waits for. */
static bool is_open(const weir_value *node) {
    weir_str phase = weir_member_text(node, "phase");
    bool runs = !node || weir_str_is(phase, "Running") || weir_str_is(phase, "Pending");
    return runs && !weir_member_named(node, "daemoned");
}

static void say_dependency(asking *a, weir_str task, bool *open) {
    weir_buffer line = {0};
    const weir_value *node = node_of_step(a, task);
    weir_buffer_printf(
        &line, "  %.*s: %.*s", WEIR_ARG(task),
        WEIR_ARG(node ? weir_member_text(node, "phase") : WEIR_STR("did not begin")));
    *open = *open || is_open(node);
    say(a, &line);
    weir_buffer_deinit(&line);
}

/* Each task that the text names, with its phase. */
static void say_tasks_of(asking *a, weir_str text, bool *open) {
    for (size_t at = 0; at < text.length;) {
        size_t end = at, group;
        while (end < text.length && is_word(text.data[end])) end++;
        weir_str word = weir_str_slice(text, at, end);
        bool after_point = at > 0 && text.data[at - 1] == '.';
        if (word.length && !after_point && step_named(a, word, &group))
            say_dependency(a, word, open);
        at = end + 1;
    }
}

/* What of a DAG's task has to be fulfilled first; whether something is not. */
static bool say_dependencies(asking *a, const weir_value *task) {
    weir_str depends = weir_member_text(task, "depends");
    const weir_value *list = list_of(task, "dependencies");
    bool open = false;
    if (depends.length) {
        say_text(a, "depends: ", depends);
        say_tasks_of(a, depends, &open);
    }
    if (list && weir_value_count(list)) say_text(a, "depends on all of:", WEIR_STR(""));
    for (size_t i = 0; list && i < weir_value_count(list); i++)
        if (weir_is(weir_array_at(list, i), WEIR_STRING))
            say_dependency(a, weir_string_get(weir_array_at(list, i)), &open);
    if (!depends.length && !(list && weir_value_count(list)))
        say_text(a, "depends on no other task", WEIR_STR(""));
    return open;
}

/* The same of a step, which waits for the group before its own. */
static bool say_group(asking *a, size_t group) {
    weir_buffer line = {0}, name = {0};
    if (!group) {
        say_text(a, "is in the first group of steps", WEIR_STR(""));
        return false;
    }
    weir_buffer_printf(&name, "%.*s[%zu]", WEIR_ARG(weir_member_text(a->boundary, "name")),
                       group - 1);
    const weir_value *before = node_named(a, weir_buffer_str(&name));
    weir_buffer_printf(
        &line, "begins after the group of steps [%zu]: %.*s", group - 1,
        WEIR_ARG(before ? weir_member_text(before, "phase") : WEIR_STR("did not begin")));
    say(a, &line);
    weir_buffer_deinit(&name);
    weir_buffer_deinit(&line);
    return is_open(before);
}

/* How many nodes of a boundary are under way. */
static size_t count_active(const asking *a, weir_str boundary) {
    size_t active = 0;
    for (size_t i = 0; i < weir_value_count(a->nodes); i++) {
        const weir_value *node = weir_object_at(a->nodes, i);
        weir_str type = weir_member_text(node, "type");
        bool counts = boundary.length
                          ? weir_str_equal(weir_member_text(node, "boundaryID"), boundary) &&
                                !weir_str_is(type, "StepGroup") &&
                                !weir_str_is(type, "TaskGroup") && !weir_str_is(type, "Retry")
                          : weir_str_is(type, "Pod");
        active += counts && weir_str_is(weir_member_text(node, "phase"), "Running");
    }
    return active;
}

static void say_limit(asking *a, const weir_value *holder, const char *whose, weir_str boundary) {
    const weir_value *limit = weir_member_named(holder, "parallelism");
    weir_buffer line = {0};
    if (!weir_is(limit, WEIR_INT) || weir_int_get(limit) < 1) return;
    weir_buffer_printf(&line, "parallelism of the %s: at most %lld at once, %zu are under way",
                       whose, (long long)weir_int_get(limit), count_active(a, boundary));
    say(a, &line);
    weir_buffer_deinit(&line);
}

/* Of what has not begun though nothing before it is open. */
static void say_what_bars(asking *a) {
    const weir_value *status = weir_member_named(a->workflow, "status");
    weir_str phase = weir_member_text(status, "phase"),
             message = weir_member_text(status, "message");
    if (weir_member_named(status, "finishedAt")) {
        weir_buffer line = {0};
        weir_buffer_printf(&line, "the workflow is over: %.*s", WEIR_ARG(phase));
        if (message.length) weir_buffer_printf(&line, ", %.*s", WEIR_ARG(message));
        say(a, &line);
        weir_buffer_deinit(&line);
        return;
    }
    const weir_value *suspended = weir_member_named(a->spec, "suspend");
    if (weir_is(suspended, WEIR_BOOL) && weir_bool_get(suspended))
        say_text(a, "the workflow is suspended: `weir resume` lets it go on", WEIR_STR(""));
    say_limit(a, a->spec, "workflow", WEIR_STR(""));
    say_limit(a, a->template, "template", weir_member_text(a->boundary, "id"));
}

/* --- what came of it ------------------------------------------------------------------------------- */

static void say_parameters(asking *a, const weir_value *node, const char *member,
                           const char *head) {
    const weir_value *list = list_of(weir_member_named(node, member), "parameters");
    for (size_t i = 0; list && i < weir_value_count(list); i++) {
        const weir_value *parameter = weir_array_at(list, i);
        weir_buffer line = {0}, value = {0};
        weir_buffer_str_append(&value, weir_member_text(parameter, "value"));
        bool cut = weir_buffer_cut(&value, VALUE_BYTES_MAX);
        weir_buffer_printf(&line, "%s %.*s = %s%s", head,
                           WEIR_ARG(weir_member_text(parameter, "name")),
                           value.data ? value.data : "", cut ? "…" : "");
        say(a, &line);
        weir_buffer_deinit(&value);
        weir_buffer_deinit(&line);
    }
}

static void say_locks(asking *a, const weir_value *node) {
    const weir_value *status = weir_member_named(node, "synchronizationStatus");
    weir_str waiting = weir_member_text(status, "waiting");
    if (waiting.length) say_text(a, "waits for the lock ", waiting);
}

static void say_memo(asking *a, const weir_value *node) {
    const weir_value *memo = weir_member_named(node, "memoizationStatus");
    const weir_value *hit = weir_member_named(memo, "hit");
    if (!memo) return;
    say_text(a,
             weir_is(hit, WEIR_BOOL) && weir_bool_get(hit) ? "took its outputs from the cache, key "
                                                           : "the cache had nothing of the key ",
             weir_member_text(memo, "key"));
}

static void say_end(asking *a, const weir_value *node) {
    weir_str phase = weir_member_text(node, "phase"), message = weir_member_text(node, "message");
    weir_buffer line = {0};
    say_memo(a, node);
    say_parameters(a, node, "inputs", "input");
    say_locks(a, node);
    weir_buffer_printf(&line, "%.*s", WEIR_ARG(phase));
    if (message.length) weir_buffer_printf(&line, ": %.*s", WEIR_ARG(message));
    if (weir_workflow_node_is_suspended(node))
        weir_buffer_text(&line, ": waits for `weir resume` or `weir node set`");
    say(a, &line);
    weir_buffer_deinit(&line);
    say_parameters(a, node, "outputs", "output");
}

/* --- one of them ----------------------------------------------------------------------------------- */

/* The step that a node within the boundary is of: of "P[1].s(0:a)" or "P.t(0)" it is s or t. */
static weir_str step_of_node(const asking *a, const weir_value *node) {
    weir_str name = weir_member_text(node, "name"), parent = weir_member_text(a->boundary, "name");
    if (!weir_str_starts(name, parent)) return WEIR_STR("");
    size_t at = parent.length;
    if (at < name.length && name.data[at] == '[') {
        at = weir_str_find(name, WEIR_STR("]"), at);
        if (at == SIZE_MAX) return WEIR_STR("");
        at++;
    }
    if (at >= name.length || name.data[at] != '.') return WEIR_STR("");
    size_t from = ++at;
    while (at < name.length && is_word(name.data[at])) at++;
    return weir_str_slice(name, from, at);
}

static void say_kind(asking *a, const weir_value *node) {
    const weir_value *flag = weir_member_named(node, "nodeFlag");
    if (weir_member_named(flag, "hooked"))
        say_text(a, "is a hook, or an exit handler", WEIR_STR(""));
    if (weir_member_named(flag, "retried"))
        say_text(a, "is one attempt of a template with a retryStrategy", WEIR_STR(""));
}

/* What led to a step: its place, its condition, its loop. Whether something before it is open. */
static bool say_way(asking *a, const weir_value *step, size_t group) {
    static const char *const loops[] = {"withItems", "withParam", "withSequence"};
    bool open = a->dag ? say_dependencies(a, step) : say_group(a, group);
    weir_str when = weir_member_text(step, "when");
    if (when.length) say_condition(a, when);
    for (size_t i = 0; i < sizeof loops / sizeof *loops; i++) {
        const weir_value *loop = weir_member_named(step, loops[i]);
        weir_buffer line = {0}, values = {0};
        if (!loop) continue;
        weir_buffer_printf(&line, "once for each of %s: ", loops[i]);
        if (weir_is(loop, WEIR_STRING))
            (void)put_values(a, weir_string_get(loop), &values);
        else
            weir_json_format(loop, 0, &values);
        if (weir_buffer_cut(&values, VALUE_BYTES_MAX)) weir_buffer_text(&values, "…");
        weir_buffer_str_append(&line, weir_buffer_str(&values));
        say(a, &line);
        weir_buffer_deinit(&values);
        weir_buffer_deinit(&line);
    }
    return open;
}

static weir_value *begin_answer(asking *a, weir_str name, weir_str phase) {
    weir_value *answer = weir_object_new();
    weir_member_put_text(answer, "name", name);
    weir_member_put_text(answer, "phase", phase);
    a->why = weir_array_new();
    weir_member_put(answer, "why", a->why);
    return answer;
}

static weir_value *explain_node(asking *a, const weir_value *node) {
    weir_str boundary = weir_member_text(node, "boundaryID");
    size_t group = 0;
    weir_value *answer =
        begin_answer(a, weir_member_text(node, "name"), weir_member_text(node, "phase"));
    weir_member_put_text(answer, "type", weir_member_text(node, "type"));
    const weir_value *around = boundary.length ? weir_member(a->nodes, boundary) : NULL;
    const weir_value *step =
        around && enter(a, around) ? step_named(a, step_of_node(a, node), &group) : NULL;
    if (step)
        (void)say_way(a, step, group);
    else if (!boundary.length && !weir_member_named(node, "nodeFlag"))
        say_text(a, "is where the workflow begins", WEIR_STR(""));
    say_kind(a, node);
    say_end(a, node);
    return answer;
}

/* A step of a template that is under way, or over, whose node is not there. */
static weir_value *explain_missing(asking *a, weir_str step, size_t group) {
    weir_buffer place = {0};
    put_place(a, step, group, &place);
    weir_value *answer = begin_answer(a, weir_buffer_str(&place), WEIR_STR("did not begin"));
    weir_buffer_deinit(&place);
    const weir_value *missing = step_named(a, step, &group);
    bool open = say_way(a, missing, group);
    const weir_value *status = weir_member_named(a->workflow, "status");
    if (!open || weir_member_named(status, "finishedAt"))
        say_what_bars(a);
    else
        say_text(a, "waits for what is not over", WEIR_STR(""));
    return answer;
}

static bool is_named(const weir_value *node, const char *wanted) {
    static const char *const names[] = {"name", "displayName", "id"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (weir_str_is(weir_member_text(node, names[i]), wanted)) return true;
    return false;
}

/* A loop's node has a group of its own only in a DAG. */
static bool has_items(const asking *a, weir_str place) {
    weir_buffer first = {0};
    bool found = false;
    weir_buffer_printf(&first, "%.*s(0", WEIR_ARG(place));
    for (size_t i = 0; i < weir_value_count(a->nodes) && !found; i++)
        found = weir_str_starts(weir_member_text(weir_object_at(a->nodes, i), "name"),
                                weir_buffer_str(&first));
    weir_buffer_deinit(&first);
    return found;
}

static void add_missing(asking *a, const char *wanted, weir_value *list) {
    for (size_t i = 0; i < weir_value_count(a->nodes); i++) {
        size_t group = 0;
        const weir_value *node = weir_object_at(a->nodes, i);
        weir_str type = weir_member_text(node, "type");
        if (!weir_str_is(type, "Steps") && !weir_str_is(type, "DAG")) continue;
        weir_str parent = weir_member_text(node, "name"), name = weir_str_from(wanted);
        if (!enter(a, node)) continue;
        if (!step_named(a, name, &group) && weir_str_starts(name, parent)) {
            size_t point = name.length;
            while (point > parent.length && name.data[point - 1] != '.') point--;
            name = weir_str_slice(name, point, name.length);
            if (point <= parent.length || !step_named(a, name, &group)) continue;
        } else if (!step_named(a, name, &group)) {
            continue;
        }
        weir_buffer place = {0};
        put_place(a, name, group, &place);
        if (!node_named(a, weir_buffer_str(&place)) && !has_items(a, weir_buffer_str(&place)))
            weir_array_append(list, explain_missing(a, name, group));
        weir_buffer_deinit(&place);
    }
}

weir_value *weir_workflow_why(const weir_value *workflow, const char *wanted) {
    asking a = {.workflow = workflow, .spec = weir_workflow_spec(workflow)};
    weir_value *list = weir_array_new();
    a.nodes = weir_member_named(weir_member_named(workflow, "status"), "nodes");
    if (!weir_is(a.nodes, WEIR_OBJECT)) return list;
    for (size_t i = 0; i < weir_value_count(a.nodes); i++)
        weir_map_set(&a.by_name, weir_member_text(weir_object_at(a.nodes, i), "name"), i);
    for (size_t i = 0; i < weir_value_count(a.nodes); i++)
        if (is_named(weir_object_at(a.nodes, i), wanted))
            weir_array_append(list, explain_node(&a, weir_object_at(a.nodes, i)));
    if (!weir_value_count(list)) add_missing(&a, wanted, list);
    weir_map_deinit(&a.by_name);
    return list;
}

void weir_workflow_why_print(const weir_value *nodes, weir_buffer *out) {
    size_t count = weir_value_count(nodes);
    for (size_t i = 0; i < count && i < NODES_SHOWN_MAX; i++) {
        const weir_value *node = weir_array_at(nodes, i), *why = weir_member_named(node, "why");
        size_t from = out->length;
        weir_str type = weir_member_text(node, "type");
        weir_buffer_printf(out, "%.*s  ", WEIR_ARG(weir_member_text(node, "name")));
        if (type.length) weir_buffer_printf(out, "%.*s  ", WEIR_ARG(type));
        weir_buffer_str_append(out, weir_member_text(node, "phase"));
        weir_output_line(out, from);
        for (size_t k = 0; k < weir_value_count(why); k++) {
            from = out->length;
            weir_buffer_text(out, "    ");
            weir_buffer_str_append(out, weir_string_get(weir_array_at(why, k)));
            weir_output_line(out, from);
        }
    }
    if (count > NODES_SHOWN_MAX)
        weir_buffer_printf(out, "… %zu more\n", count - (size_t)NODES_SHOWN_MAX);
}
