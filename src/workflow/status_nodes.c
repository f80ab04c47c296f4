/* The nodes of Argo's Workflow object, and what is counted of them. */
#include <inttypes.h>
#include <stdio.h>

#include "base/map.h"
#include "base/time.h"
#include "workflow/status.h"

void weir__copy_members(const weir_value *from, const char *const *names, weir_value *to) {
    for (; *names; names++) {
        weir_value *member = weir_member_named(from, *names);
        if (member) weir_member_put(to, *names, weir_value_ref(member));
    }
}

void weir__put_moment(weir_value *to, const char *name, uint64_t us, bool fine) {
    char text[32];
    if (!us) return;
    if (fine) {
        weir_member_put(to, name, weir_int_new((int64_t)us));
        return;
    }
    weir_moment_format(us, text);
    char *dot = strchr(text, '.');
    if (dot) memcpy(dot, "Z", sizeof "Z");
    weir_member_put_text(to, name, weir_str_from(text));
}

/* How many of the nodes that do the work there are, and how many of them are done. */
typedef struct count {
    uint64_t total, done;
    uint64_t cpu_s, memory_s; /* what pods asked for, times the seconds that they took */
    bool took;                /* there are such pods */
} count;

static void add_count(count *to, count more) {
    to->total += more.total;
    to->done += more.done;
    to->cpu_s += more.cpu_s;
    to->memory_s += more.memory_s;
    to->took = to->took || more.took;
}

static bool is_one_of(weir_str text, const char *const *texts) {
    while (*texts && !weir_str_is(text, *texts)) texts++;
    return *texts;
}

/* The templates of a complete workflow by their names; empty where nobody asks for resources. */
typedef struct templates {
    const weir_value *list;
    weir_map by_name;
} templates;

static void read_templates(templates *t, const weir_value *spec) {
    t->list = weir_member_named(spec, "templates");
    for (size_t i = 0; weir_is(t->list, WEIR_ARRAY) && i < weir_value_count(t->list); i++)
        weir_map_set(&t->by_name, weir_member_text(weir_array_at(t->list, i), "name"), i);
}

/* Of a pod that is over. */
static void count_resources(const templates *t, const weir_value *node, count *c) {
    uint64_t at, from_us = weir_member_count(node, "started"),
                 to_us = weir_member_count(node, "finished");
    if (!weir_map_get(&t->by_name, weir_member_text(node, "template"), &at) || to_us < from_us)
        return;
    weir__requests asked = weir__requests_of(weir_array_at(t->list, at));
    uint64_t whole_s = (to_us - from_us) / 1000000;
    double seconds = (double)whole_s, most = 1e15;
    c->cpu_s = (uint64_t)(asked.cores * seconds < most ? asked.cores * seconds : most);
    c->memory_s = (uint64_t)(asked.memory * seconds < most ? asked.memory * seconds : most);
    c->took = true;
}

static count count_of(const templates *t, const weir_value *node) {
    static const char *const working[] = {"Pod", "Container", "Suspend", "HTTP", "Plugin", NULL};
    weir_str type = weir_member_text(node, "type");
    bool counts = is_one_of(type, working);
    uint64_t work = weir_member_count(node, "work"); /* of a pod that said how much it has */
    count c = {.total = counts && work ? work : counts};
    c.done = weir_str_is(weir_member_text(node, "phase"), "Succeeded")
                 ? c.total
                 : weir_member_count(node, "work_done");
    if (weir_str_is(type, "Pod")) count_resources(t, node, &c);
    return c;
}

static void put_resources(weir_value *to, count c) {
    if (!c.took) return;
    weir_value *durations = weir_object_new();
    weir_member_put(durations, "cpu", weir_int_new((int64_t)c.cpu_s));
    weir_member_put(durations, "memory", weir_int_new((int64_t)c.memory_s));
    weir_member_put(to, "resourcesDuration", durations);
}

static void put_progress(weir_value *to, count c) {
    char text[48];
    snprintf(text, sizeof text, "%" PRIu64 "/%" PRIu64, c.done, c.total);
    weir_member_put_text(to, "progress", weir_str_from(text));
}

typedef struct counts {
    weir_map by_id;
    count *within; /* of each node: it and what is below it */
    count *
        later; /* of a Steps node: what is in its groups, from one that was looked at to the last */
} counts;

/* Nodes are in preorder: what is below a node stands behind it, with the names of its `parent`. */
static void count_within(const templates *t, const weir_value *list, size_t n, counts *c) {
    c->within = weir_alloc((n + 1) * sizeof *c->within);
    c->later = weir_alloc((n + 1) * sizeof *c->later);
    for (size_t i = 0; i < n; i++)
        weir_map_set(&c->by_id, weir_member_text(weir_array_at(list, i), "id"), i);
    for (size_t i = n; i-- > 0;) {
        const weir_value *node = weir_array_at(list, i);
        uint64_t parent;
        add_count(&c->within[i], count_of(t, node));
        if (!weir_map_get(&c->by_id, weir_member_text(node, "parent"), &parent) || parent >= i)
            continue;
        add_count(&c->within[parent], c->within[i]);
        if (!weir_str_is(weir_member_text(node, "type"), "StepGroup")) continue;
        /* The groups after it hang on it. */
        add_count(&c->later[parent], c->within[i]);
        c->within[i] = c->later[parent];
    }
}

/* --- what a template is called ---------------------------------------------------------------------- */

/* A complete workflow's template (see load.h), as Argo says it: its scope, and its name there; empty: it was written inline. */
typedef struct called {
    weir_str scope, name;
} called;

static bool cut_last(weir_str *text) {
    size_t at = text->length;
    while (at && text->data[at - 1] != '/') at--;
    text->length = at ? at - 1 : 0;
    return at > 0;
}

static called called_of(weir_str template, weir_str own_scope) {
    bool inlined = weir_str_ends(template, WEIR_STR("/inline"));
    while (weir_str_ends(template, WEIR_STR("/inline")) && cut_last(&template) &&
           cut_last(&template)) {
    }
    weir_str scope = template;
    bool elsewhere = weir_str_starts(template, WEIR_STR("namespaced/")) ||
                     weir_str_starts(template, WEIR_STR("cluster/"));
    if (!elsewhere || !cut_last(&scope))
        return (called){own_scope, inlined ? WEIR_STR("") : template};
    weir_str name = weir_str_slice(template, scope.length + 1, template.length);
    return (called){scope, inlined ? WEIR_STR("") : name};
}

static void put_reference(weir_value *out, called c) {
    weir_value *reference = weir_object_new();
    bool cluster = weir_str_starts(c.scope, WEIR_STR("cluster/"));
    size_t slash = weir_str_find(c.scope, WEIR_STR("/"), 0);
    weir_member_put_text(reference, "name", weir_str_slice(c.scope, slash + 1, c.scope.length));
    weir_member_put_text(reference, "template", c.name);
    if (cluster) weir_member_put(reference, "clusterScope", weir_bool_new(true));
    weir_member_put(out, "templateRef", reference);
}

/* A template of another scope than that of who calls it was referred to. `boundary` NULL: the workflow calls it. */
static void put_template(weir_value *out, const weir_value *node, const weir_value *boundary,
                         weir_str own_scope) {
    called c = called_of(weir_member_text(node, "template"), own_scope), caller = {own_scope, {0}};
    if (boundary) caller = called_of(weir_member_text(boundary, "template"), own_scope);
    if (c.name.length && !weir_str_equal(c.scope, caller.scope))
        put_reference(out, c);
    else if (c.name.length)
        weir_member_put_text(out, "templateName", c.name);
    weir_member_put_text(out, "templateScope", caller.scope);
}

/* --- nodes ------------------------------------------------------------------------------------------ */

/* Of an attempt, and of a hook. */
static void put_flag(weir_value *out, const weir_value *node, const weir_value *parent) {
    if (!parent) return;
    weir_str name = weir_member_text(node, "name"), before = weir_member_text(parent, "name");
    weir_str part =
        weir_str_starts(name, before) ? weir_str_slice(name, before.length, name.length) : name;
    bool retried = weir_str_is(weir_member_text(parent, "type"), "Retry"),
         hooked = weir_str_is(part, ".onExit") || weir_str_starts(part, WEIR_STR(".hooks."));
    if (!retried && !hooked) return;
    weir_value *flag = weir_object_new();
    weir_member_put(flag, hooked ? "hooked" : "retried", weir_bool_new(true));
    weir_member_put(out, "nodeFlag", flag);
}

/* What a node is among the others. */
typedef struct around {
    const weir_value *parent, *boundary; /* NULL: it has none */
    weir_str scope;                      /* of the workflow's own templates */
    count within;
    bool fine;
} around;

static weir_value *node_object(const weir_value *node, const around *a) {
    static const char *const first[] = {"id", "name", "displayName", "type", NULL};
    static const char *const then[] = {"phase", "boundaryID", "message", NULL};
    static const char *const last[] = {"progress",
                                       "estimatedDuration",
                                       "podIP",
                                       "daemoned",
                                       "inputs",
                                       "outputs",
                                       "outboundNodes",
                                       "hostNodeName",
                                       "memoizationStatus",
                                       "synchronizationStatus",
                                       NULL};
    weir_value *out = weir_object_new();
    weir__copy_members(node, first, out);
    put_template(out, node, a->boundary, a->scope);
    weir__copy_members(node, then, out);
    put_flag(out, node, a->parent);
    weir__put_moment(out, "startedAt", weir_member_count(node, "started"), a->fine);
    weir__put_moment(out, "finishedAt", weir_member_count(node, "finished"), a->fine);
    if (a->within.total) put_progress(out, a->within);
    put_resources(out, a->within);
    weir_value *children = weir_member_named(node, "children");
    if (weir_is(children, WEIR_ARRAY) && weir_value_count(children))
        weir_member_put(out, "children", weir_value_ref(children));
    weir__copy_members(node, last, out);
    return out;
}

static weir_value *condition(const char *type, bool status) {
    weir_value *object = weir_object_new();
    weir_member_put_text(object, "type", weir_str_from(type));
    weir_member_put_text(object, "status", status ? WEIR_STR("True") : WEIR_STR("False"));
    return object;
}

static weir_value *condition_array(const weir_value *status, bool pods, bool running) {
    weir_value *list = weir_array_new();
    const weir_value *more = weir_member_named(status, "conditions");
    if (pods) weir_array_append(list, condition("PodRunning", running));
    if (weir_member_named(status, "finished"))
        weir_array_append(list, condition("Completed", true));
    weir_array_append_all(list, more);
    return list;
}

static const weir_value *node_named(const counts *c, const weir_value *list, weir_str id) {
    uint64_t at;
    return id.length && weir_map_get(&c->by_id, id, &at) ? weir_array_at(list, at) : NULL;
}

void weir__put_nodes(weir_value *out, const weir_value *status, const weir_value *spec,
                     weir_str scope, bool fine) {
    const weir_value *list = weir_member_named(status, "nodes");
    size_t n = weir_is(list, WEIR_ARRAY) ? weir_value_count(list) : 0;
    weir_value *nodes = weir_object_new();
    counts c = {0};
    count all = {0};
    bool pods = false, running = false;
    templates t = {0};
    if (!fine) read_templates(&t, spec); /* who draws again and again does not ask */
    count_within(&t, list, n, &c);
    for (size_t i = 0; i < n; i++) {
        const weir_value *node = weir_array_at(list, i);
        bool pod = weir_str_is(weir_member_text(node, "type"), "Pod");
        around a = {.parent = node_named(&c, list, weir_member_text(node, "parent")),
                    .boundary = node_named(&c, list, weir_member_text(node, "boundaryID")),
                    .scope = scope,
                    .within = pod ? count_of(&t, node) : c.within[i],
                    .fine = fine};
        pods = pods || pod;
        running = running || (pod && weir_str_is(weir_member_text(node, "phase"), "Running"));
        add_count(&all, count_of(&t, node));
        weir_member_set(nodes, weir_member_text(node, "id"), node_object(node, &a));
    }
    put_progress(out, all);
    put_resources(out, all);
    weir_map_deinit(&t.by_name);
    weir_member_put(out, "conditions", condition_array(status, pods, running));
    weir_member_put(out, "nodes", nodes);
    weir_free(c.within);
    weir_free(c.later);
    weir_map_deinit(&c.by_id);
}
