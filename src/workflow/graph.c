#include "workflow/graph.h"

#include "workflow/template.h"

enum {
    DRAWN_MAX = 5000,
    DEPTH_MAX = 32
}; /* items, and groups in groups, before a template is a call */

typedef struct builder {
    const weir__workflow *workflow;
    weir_graph_model *model;
    bool *open; /* the templates that are being drawn */
    uint32_t depth;
} builder;

static void add_steps(builder *b, const weir__template *template, uint32_t group);

static const char *kind_text(const weir__template *template) {
    return template->kind == WEIR__DAG ? "dag" : template->kind == WEIR__STEPS ? "steps" : "";
}

/* "say", "main, dag, when 1 == 1": what is called, unless its name says it, and when. */
static void describe(const weir__template *template, weir_str name, weir_str when,
                     weir_buffer *out) {
    const char *kind = kind_text(template);
    if (!weir_str_equal(template->name, name)) weir_buffer_str_append(out, template->name);
    weir_buffer_printf(out, "%s%s", out->length && *kind ? ", " : "", kind);
    if (!when.length) return;
    weir_buffer_text(out, out->length ? ", when " : "when ");
    weir_buffer_str_append(out, when);
}

/* The item for a call of the template, with what is in it. */
static uint32_t add_call(builder *b, uint32_t template_number, uint32_t parent, weir_str name,
                         weir_str when) {
    const weir__template *template = &b->workflow->templates[template_number];
    weir_buffer about = {0};
    weir_graph_kind kind = WEIR_GRAPH_GROUP;
    if (weir__is_leaf(template))
        kind = WEIR_GRAPH_OPERATION;
    else if (b->open[template_number] || b->depth >= DEPTH_MAX ||
             b->model->items.count >= DRAWN_MAX)
        kind = WEIR_GRAPH_CALL;
    describe(template, name, when, &about);
    if (kind == WEIR_GRAPH_CALL)
        weir_buffer_text(&about, b->open[template_number] ? ", again" : ", not drawn");
    uint32_t item = weir_graph_add(b->model, kind, parent, name, weir_buffer_str(&about));
    weir_buffer_deinit(&about);
    if (kind != WEIR_GRAPH_GROUP || item == WEIR_GRAPH_NONE) return item;
    b->open[template_number] = true;
    b->depth++;
    add_steps(b, template, item);
    b->depth--;
    b->open[template_number] = false;
    return item;
}

/* "failed, skipped": when a dependency counts, unless it is when it went well. */
static weir_str condition_text(builder *b, const weir__step *step, uint32_t task) {
    static const struct {
        uint32_t bit;
        const char *text;
    } names[] = {{WEIR__SUCCEEDED, "succeeded"}, {WEIR__FAILED, "failed"},
                 {WEIR__ERRORED, "errored"},     {WEIR__SKIPPED, "skipped"},
                 {WEIR__OMITTED, "omitted"},     {WEIR__DAEMONED, "daemoned"}};
    uint32_t accepts = 0;
    for (size_t i = 0; i < step->depends_count; i++)
        if (step->depends[i].task == task) accepts |= step->depends[i].accepts;
    if (accepts & WEIR__PASSED || !accepts) return WEIR_STR("");
    weir_buffer text = {0};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (accepts & names[i].bit)
            weir_buffer_printf(&text, "%s%s", text.length ? ", " : "", names[i].text);
    weir_str kept = weir_graph_keep(b->model, weir_buffer_str(&text));
    weir_buffer_deinit(&text);
    return kept;
}

static void join(builder *b, uint32_t from, uint32_t to, weir_str about) {
    weir_graph_join(b->model, (weir_graph_edge){.from = from,
                                                .to = to,
                                                .output = WEIR_GRAPH_NONE,
                                                .input = WEIR_GRAPH_NONE,
                                                .about = about});
}

/* Every step of a group waits for all of the group before. */
static void join_groups(builder *b, const weir__template *template, const uint32_t *items) {
    for (size_t g = 1; g < template->group_count; g++)
        for (uint32_t from = template->groups[g - 1]; from < template->groups[g]; from++)
            for (uint32_t to = template->groups[g];
                 to < template->groups[g + 1] && !b->model->too_large; to++)
                join(b, items[from], items[to], WEIR_STR(""));
}

static void add_steps(builder *b, const weir__template *template, uint32_t group) {
    uint32_t *items = weir_alloc((template->step_count + 1) * sizeof *items);
    bool dag = template->kind == WEIR__DAG;
    for (size_t i = 0; i < template->step_count; i++) {
        const weir__step *step = &template->steps[i];
        items[i] = WEIR_GRAPH_NONE; /* what no target of a DAG needs does not run */
        if (!dag || step->wanted)
            items[i] = add_call(b, step->template, group, step->name, step->when);
    }
    if (!dag) join_groups(b, template, items);
    for (size_t i = 0; dag && i < template->step_count; i++) {
        const weir__step *step = &template->steps[i];
        for (size_t k = 0; k < step->dependencies.count; k++)
            join(b, items[step->dependencies.items[k]], items[i],
                 condition_text(b, step, step->dependencies.items[k]));
    }
    weir_free(items);
}

void weir_workflow_graph(const weir_plan *plan, weir_graph_model *model) {
    builder b = {.workflow = (const weir__workflow *)plan, .model = model};
    b.open = weir_alloc((b.workflow->template_count + 1) * sizeof *b.open);
    uint32_t entry = b.workflow->entry.template;
    add_call(&b, entry, WEIR_GRAPH_NONE, b.workflow->templates[entry].name, WEIR_STR(""));
    weir_free(b.open);
}
