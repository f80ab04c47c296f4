#include "workflow/lineage.h"

#include "base/time.h"
#include "data/json.h"
#include "workflow/coordinator.h"

enum { DEPTH_USUAL = 50, NODES_USUAL = 1000, MATCHES_MAX = 100, NEIGHBOURS_MAX = 50 };

/* Things are the run's nodes; behind them what each of them was given, of those whose steps may ask for it; and behind
 * those the workflow's parameters. */
typedef struct edge {
    uint32_t from, to;
    weir_str name;
} edge;

typedef struct walk {
    const weir__run *run;
    const weir_lineage_query *query;
    WEIR_VECTOR(edge) edges;
    uint32_t *first, *order;   /* edges by the end that is gone from */
    uint32_t *place;           /* of each thing in the answer; WEIR__NONE */
    WEIR_VECTOR(uint32_t) met; /* things, in the order of the answer */
    WEIR_VECTOR(uint32_t) depths;
    size_t limit;
    uint32_t depth;
    weir_value *nodes, *links;
    bool cut;
} walk;

static uint32_t node_count(const walk *w) {
    return (uint32_t)w->run->nodes.count;
}

static uint32_t inputs_of(const walk *w, uint32_t node) {
    return node_count(w) + node;
}

static uint32_t first_parameter(const walk *w) {
    return 2 * node_count(w);
}

static size_t thing_count(const walk *w) {
    return first_parameter(w) + w->run->workflow->parameters.count;
}

/* --- edges -------------------------------------------------------------------------------------- */

/* The text whose tags are looked at: in the scope of a boundary, for something of the node. */
typedef struct reading {
    walk *w;
    uint32_t boundary, to;
    weir_str name;
} reading;

static void add_edge(walk *w, uint32_t from, uint32_t to, weir_str name) {
    if (from != WEIR__NONE) *weir_vector_push(&w->edges) = (edge){from, to, name};
}

static uint32_t parameter_named(const walk *w, weir_str name) {
    const weir__parameters *all = &w->run->workflow->parameters;
    for (size_t i = 0; i < all->count; i++)
        if (weir_str_equal(all->items[i].name, name)) return first_parameter(w) + (uint32_t)i;
    return WEIR__NONE;
}

static bool take_tag(void *arg, weir_str tag) {
    const reading *r = arg;
    walk *w = r->w;
    const weir__node *boundary =
        r->boundary == WEIR__NONE ? NULL : &w->run->nodes.items[r->boundary];
    weir__reference ref = weir__reference_parse(tag, boundary && boundary->type == WEIR__TYPE_DAG);
    uint64_t step;
    switch (ref.subject) {
    case WEIR__REF_PARAMETER: add_edge(w, parameter_named(w, ref.name), r->to, r->name); break;
    case WEIR__REF_INPUT_ARTIFACT:
    case WEIR__REF_INPUT:
        if (boundary) add_edge(w, inputs_of(w, r->boundary), r->to, r->name);
        break;
    case WEIR__REF_RESULT:
    case WEIR__REF_OUTPUT:
    case WEIR__REF_OUTPUT_ARTIFACT:
    case WEIR__REF_STATUS:
    case WEIR__REF_EXIT_CODE:
        if (boundary && boundary->slots &&
            weir_map_get(&boundary->template->step_names, ref.step, &step))
            add_edge(w, boundary->slots[step], r->to, r->name);
        break;
    default: break;
    }
    return true;
}

static bool take_config_tag(void *arg, weir_str tag, weir_buffer *out) {
    (void)out;
    return take_tag(arg, tag);
}

static void read_config(reading *r, weir_value *config) {
    weir_value *scrap;
    weir_error ignored;
    if (weir_tag_render_value(config, take_config_tag, r, &scrap, &ignored))
        weir_value_unref(scrap);
}

/* What an artifact is, and the tags of where it is. */
static void read_artifact(reading *r, const weir__artifact *a) {
    weir_error ignored;
    r->name = a->name;
    bool read = !a->is_expression || weir__expression_names(a->from, take_tag, r, &ignored);
    if (read && !a->is_expression && a->from.length) (void)take_tag(r, a->from);
    weir_tag_each(a->sub_path, take_tag, r);
    read_config(r, a->value);
}

/* What the node was given: by the step that it is of, or, the root, by the workflow. */
static void add_arguments(walk *w, uint32_t node, uint32_t to) {
    const weir__node *n = &w->run->nodes.items[node];
    const weir__parameters *inputs = &n->template->inputs;
    reading r = {.w = w, .boundary = n->boundary, .to = to};
    bool root = n->parent == WEIR__NONE;
    for (size_t i = 0; !root && n->step && i < n->step->arguments.count; i++) {
        r.name = n->step->arguments.items[i].name;
        weir_tag_each(n->step->arguments.items[i].text, take_tag, &r);
    }
    for (size_t i = 0; !root && n->step && i < n->step->artifacts.count; i++)
        read_artifact(&r, &n->step->artifacts.items[i]);
    for (size_t i = 0; root && i < inputs->count; i++)
        add_edge(w, parameter_named(w, inputs->items[i].name), to, inputs->items[i].name);
}

static void add_edges(walk *w, uint32_t node) {
    const weir__node *n = &w->run->nodes.items[node];
    const weir__template *t = n->template;
    reading r = {.w = w, .boundary = node, .to = node};
    if (n->type == WEIR__TYPE_GROUP) return;
    if (n->type != WEIR__TYPE_DAG && n->type != WEIR__TYPE_STEPS) {
        r.boundary = WEIR__NONE;
        add_arguments(w, node, node);
        if (weir__is_leaf(t) && t->config) read_config(&r, t->config);
        return;
    }
    add_arguments(w, node, inputs_of(w, node));
    if (weir_member_named(n->start, "inputs") || weir_member_named(n->start, "artifacts"))
        add_edge(w, inputs_of(w, node), node, WEIR_STR(""));
    for (size_t i = 0; i < t->outputs.count; i++) {
        r.name = t->outputs.items[i].name;
        weir_tag_each(t->outputs.items[i].text, take_tag, &r);
    }
    for (size_t i = 0; i < t->artifacts_out.count; i++)
        read_artifact(&r, &t->artifacts_out.items[i]);
}

/* Counts the edges of each thing's end, then lists them by it. */
static void index_edges(walk *w) {
    size_t things = thing_count(w);
    w->first = weir_alloc((things + 2) * sizeof *w->first);
    w->order = weir_alloc((w->edges.count + 1) * sizeof *w->order);
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < w->edges.count; i++) {
            uint32_t end = w->query->forward ? w->edges.items[i].from : w->edges.items[i].to;
            if (pass)
                w->order[w->first[end + 1]++] = i;
            else
                w->first[end + 2]++;
        }
        for (size_t i = 2; !pass && i < things + 2; i++) w->first[i] += w->first[i - 1];
    }
}

/* --- nodes -------------------------------------------------------------------------------------- */

static void put_time(weir_value *node, const char *key, uint64_t time_us) {
    char text[32];
    if (time_us) weir_member_put_text(node, key, weir_str_from(weir_moment_format(time_us, text)));
}

static const weir__parameter *parameter_at(const walk *w, uint32_t thing) {
    return &w->run->workflow->parameters.items[thing - first_parameter(w)];
}

static void put_id(const walk *w, uint32_t thing, weir_buffer *out) {
    if (thing >= first_parameter(w)) {
        weir_buffer_printf(out, "parameter/%.*s", WEIR_ARG(parameter_at(w, thing)->name));
        return;
    }
    weir__node_id(w->run, thing % node_count(w), out);
    if (thing >= node_count(w)) weir_buffer_text(out, "/inputs");
}

static void describe_parameter(const weir__parameter *p, weir_value *out) {
    weir_member_put_text(out, "type", WEIR_STR("value"));
    weir_member_put_text(out, "definition", p->name);
    weir_member_put(out, "value", weir_string_from(p->text));
    weir_member_put_text(out, "from", WEIR_STR("outside"));
}

static void describe_inputs(const weir__node *n, weir_value *out) {
    const weir_value *inputs = n->inputs;
    weir_buffer name = {0};
    weir_buffer_printf(&name, "inputs of %.*s", WEIR_ARG(weir_member_text(n->start, "name")));
    weir_member_put_text(out, "type", WEIR_STR("value"));
    weir_member_put_text(out, "definition", weir_buffer_str(&name));
    if (inputs) weir_member_put(out, "value", weir_value_ref((weir_value *)inputs));
    weir_member_put_text(out, "from", WEIR_STR("given"));
    put_time(out, "time", n->started_us);
    weir_buffer_deinit(&name);
}

static void describe_node(const walk *w, const weir__node *n, weir_value *out) {
    const weir_value *inputs = n->inputs, *outputs = weir_member_named(n->end, "outputs");
    weir_str phase = weir_str_from(weir__phase_texts[n->phase]);
    weir_member_put_text(out, "type", WEIR_STR("operation"));
    weir_member_put_text(out, "instance", weir_member_text(n->start, "name"));
    weir_member_put_text(out, "operation",
                         n->type == WEIR__TYPE_GROUP ? WEIR_STR("") : n->template->name);
    if (n->task != WEIR_NO_TASK) {
        weir_member_put(out, "task", weir_int_new(n->task));
        uint32_t attempt = weir_tasks_attempt(w->run->tasks, n->task);
        if (attempt) weir_member_put(out, "attempt", weir_int_new(attempt));
        weir_member_put_text(out, "executor", weir_tasks_spec(w->run->tasks, n->task)->executor);
    }
    weir_member_put_text(out, "outcome", n->end ? phase : WEIR_STR("under way"));
    put_time(out, "started", n->started_us);
    put_time(out, "finished", n->finished_us);
    if (inputs) weir_member_put(out, "inputs", weir_value_ref((weir_value *)inputs));
    if (outputs) weir_member_put(out, "outputs", weir_value_ref((weir_value *)outputs));
}

static weir_value *describe_thing(const walk *w, uint32_t thing) {
    weir_value *out = weir_object_new();
    weir_buffer id = {0};
    put_id(w, thing, &id);
    weir_member_put_text(out, "id", weir_buffer_str(&id));
    weir_buffer_deinit(&id);
    if (thing >= first_parameter(w))
        describe_parameter(parameter_at(w, thing), out);
    else if (thing >= node_count(w))
        describe_inputs(&w->run->nodes.items[thing - node_count(w)], out);
    else
        describe_node(w, &w->run->nodes.items[thing], out);
    return out;
}

/* --- matching ----------------------------------------------------------------------------------- */

/* Whether the node gave an output of the name, and of the value if there is one. */
static bool gave(const weir__node *n, weir_str name, const weir_str *value) {
    const weir_value *outputs = weir_member_named(n->end, "outputs");
    const weir_value *in[] = {outputs, weir_member_named(outputs, "parameters")};
    for (size_t i = 0; i < 2; i++) {
        const weir_value *found = weir_is(in[i], WEIR_OBJECT) ? weir_member(in[i], name) : NULL;
        if (weir_is(found, WEIR_STRING) &&
            (!value || weir_str_equal(weir_string_get(found), *value)))
            return true;
    }
    return false;
}

static bool is_meant(const walk *w, uint32_t thing) {
    weir_str what = weir_str_from(w->query->what);
    if (!what.length) return w->query->forward ? thing >= first_parameter(w) : thing == 0;
    size_t equals = weir_str_find(what, WEIR_STR("="), 0);
    weir_str name = weir_str_slice(what, 0, equals == SIZE_MAX ? what.length : equals);
    weir_str value = equals == SIZE_MAX ? what : weir_str_slice(what, equals + 1, what.length);
    weir_buffer id = {0};
    put_id(w, thing, &id);
    bool meant = weir_str_equal(weir_buffer_str(&id), what);
    weir_buffer_deinit(&id);
    if (meant) return true;
    if (thing >= first_parameter(w))
        return weir_str_equal(parameter_at(w, thing)->name, name) &&
               (equals == SIZE_MAX || weir_str_equal(parameter_at(w, thing)->text, value));
    if (thing >= node_count(w)) return false;
    const weir__node *n = &w->run->nodes.items[thing];
    weir_str full = weir_member_text(n->start, "name");
    bool named = weir_str_equal(full, what) || (n->step && weir_str_equal(n->step->name, what)) ||
                 (n->type != WEIR__TYPE_GROUP && weir_str_equal(n->template->name, what));
    return named || gave(n, name, equals == SIZE_MAX ? NULL : &value);
}

/* --- walking ------------------------------------------------------------------------------------ */

static bool meet(walk *w, uint32_t thing, uint32_t depth) {
    if (w->place[thing] != WEIR__NONE) return true;
    if (w->met.count == w->limit || depth > w->depth) return false;
    w->place[thing] = (uint32_t)w->met.count;
    *weir_vector_push(&w->met) = thing;
    *weir_vector_push(&w->depths) = depth;
    weir_array_append(w->nodes, describe_thing(w, thing));
    return true;
}

static void add_link(walk *w, const edge *e) {
    weir_value *link = weir_object_new();
    weir_member_put(
        link, "from",
        weir_value_ref(weir_member_named(weir_array_at(w->nodes, w->place[e->from]), "id")));
    weir_member_put(
        link, "to",
        weir_value_ref(weir_member_named(weir_array_at(w->nodes, w->place[e->to]), "id")));
    if (e->name.length) weir_member_put_text(link, "name", e->name);
    weir_array_append(w->links, link);
}

static void go_from(walk *w, size_t at) {
    uint32_t thing = w->met.items[at];
    size_t left_out = 0, met = 0;
    for (uint32_t i = w->first[thing]; i < w->first[thing + 1]; i++) {
        const edge *e = &w->edges.items[w->order[i]];
        uint32_t next = w->query->forward ? e->to : e->from;
        if (met < NEIGHBOURS_MAX && meet(w, next, w->depths.items[at] + 1)) {
            met++;
            add_link(w, e);
        } else {
            left_out++;
        }
    }
    if (!left_out) return;
    w->cut = true;
    weir_member_put(weir_array_at(w->nodes, at), "more", weir_int_new((int64_t)left_out));
}

static void walk_from(walk *w, const uint32_t *things, size_t count) {
    w->place = weir_alloc((thing_count(w) + 1) * sizeof *w->place);
    memset(w->place, 0xff, (thing_count(w) + 1) * sizeof *w->place);
    for (uint32_t i = 0; i < node_count(w); i++) add_edges(w, i);
    index_edges(w);
    for (size_t i = 0; i < count; i++) w->cut |= !meet(w, things[i], 0);
    for (size_t at = 0; at < w->met.count; at++) go_from(w, at);
}

weir_value *weir_workflow_lineage(const weir_coordinator *coordinator,
                                  const weir_lineage_query *query) {
    walk w = {.run = (const weir__run *)coordinator,
              .query = query,
              .limit = query->limit ? query->limit : NODES_USUAL,
              .depth = query->depth ? query->depth : DEPTH_USUAL,
              .nodes = weir_array_new(),
              .links = weir_array_new()};
    weir_value *answer = weir_object_new(), *matches = weir_array_new();
    uint32_t first[MATCHES_MAX] = {0};
    int64_t found = 0;
    for (uint32_t i = 0; i < thing_count(&w); i++) {
        if (!is_meant(&w, i)) continue;
        if (found < MATCHES_MAX) {
            first[found] = i;
            weir_array_append(matches, describe_thing(&w, i));
        }
        found++;
    }
    if (found == 1 || !*query->what) walk_from(&w, first, weir_value_count(matches));
    weir_member_put(answer, "found", weir_int_new(found));
    weir_member_put(answer, "matches", matches);
    weir_member_put(answer, "nodes", w.nodes);
    weir_member_put(answer, "edges", w.links);
    weir_member_put(answer, "cut", weir_bool_new(w.cut));
    weir_vector_deinit(&w.edges);
    weir_vector_deinit(&w.met);
    weir_vector_deinit(&w.depths);
    weir_free(w.first);
    weir_free(w.order);
    weir_free(w.place);
    return answer;
}
