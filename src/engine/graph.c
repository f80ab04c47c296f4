/* What a file's graph looks like: from the request to a drawing. */
#include <libgen.h>

#include "dataflow/graph.h"
#include "engine/engine_internal.h"
#include "workflow/graph.h"

typedef struct wish {
    uint32_t stages; /* a bit each */
    bool all_stages, simple, color;
    weir_graph_display display;
} wish;

/* Which of the words, with '|' between, the text is; -1: none. */
static int find_word(const char *words, weir_str text) {
    int at = 0;
    weir_str rest = weir_str_from(words);
    for (size_t from = 0, end; from <= rest.length; from = end + 1, at++) {
        end = weir_str_find(rest, WEIR_STR("|"), from);
        if (end == SIZE_MAX) end = rest.length;
        if (weir_str_equal(weir_str_slice(rest, from, end), text)) return at;
    }
    return -1;
}

static bool read_stages(const weir_value *stages, wish *w, weir_error *error) {
    w->all_stages = !stages;
    w->stages = w->all_stages ? UINT32_MAX : 0;
    for (size_t i = 0; weir_is(stages, WEIR_ARRAY) && i < weir_value_count(stages); i++) {
        const weir_value *stage = weir_array_at(stages, i);
        weir_str name = weir_is(stage, WEIR_STRING) ? weir_string_get(stage) : WEIR_STR("");
        int bit = find_word(WEIR_DATAFLOW_STAGES, name);
        if (bit < 0) {
            weir_fail(error, WEIR_USAGE, "there is no stage `%.*s`", WEIR_ARG(name));
            weir_error_hint(error, "one of %s", WEIR_DATAFLOW_STAGES);
            return false;
        }
        w->stages |= 1u << bit;
    }
    return true;
}

static bool read_wish(const weir_value *options, wish *w, weir_error *error) {
    const weir_value *simple = weir_member_named(options, "simple"),
                     *color = weir_member_named(options, "color");
    weir_str display = weir_member_text(options, "display");
    w->simple = simple && weir_value_truth(simple);
    w->color = color && weir_value_truth(color);
    int found = display.length ? find_word("TD|LR|RL|BT", display) : WEIR_GRAPH_TD;
    if (found < 0)
        return weir_fail(error, WEIR_USAGE, "a graph cannot go `%.*s`: TD, LR, RL or BT",
                         WEIR_ARG(display));
    w->display = (weir_graph_display)found;
    return read_stages(weir_member_named(options, "stages"), w, error);
}

static bool draw(const weir_plan *plan, weir_str title, const char *format, const wish *w,
                 weir_buffer *out, weir_error *error) {
    weir_graph_model model = {0};
    weir_arena_init(&model.arena);
    model.title = weir_graph_keep(&model, title);
    bool workflow = strcmp(plan->kind, "workflow") == 0, ok = true;
    if (workflow)
        weir_workflow_graph(plan, &model);
    else
        weir_dataflow_graph(plan, w->stages, &model);
    if (w->simple) weir_graph_simplify(&model);
    if (workflow && !w->all_stages)
        ok = weir_fail(error, WEIR_USAGE, "a workflow has no stages");
    else if (model.too_large)
        ok = weir_fail(error, WEIR_LIMIT, "the graph is too large: at most %d items and %d edges",
                       WEIR_GRAPH_ITEMS_MAX, WEIR_GRAPH_EDGES_MAX);
    else if (strcmp(format, "svg") == 0)
        ok = weir_graph_svg(&model, w->display, out, error);
    else if (strcmp(format, "dot") == 0)
        weir_graph_dot(&model, w->display, out);
    else if (strcmp(format, "mermaid") == 0)
        weir_graph_mermaid(&model, w->display, out);
    else
        weir_graph_text(&model, w->color, out);
    if (model.too_large && !workflow) weir_error_hint(error, "--stages leaves some of it out");
    weir_graph_deinit(&model);
    return ok;
}

static weir_plan *compile(weir_engine *engine, const weir_value *request, weir_problems *problems) {
    weir_document document = {0};
    const weir__kind *kind = weir__load_file(request, false, &document, problems);
    weir_value *checked = weir_value_own(weir_value_ref((weir_value *)request));
    weir_member_put(checked, "check", weir_bool_new(true));
    weir_plan *plan =
        kind ? weir__compile(kind, &document, checked, &engine->registry, problems) : NULL;
    weir_value_unref(checked);
    weir_document_deinit(&document);
    return plan;
}

bool weir_graph(weir_engine *engine, const weir_value *request, const char *format,
                const weir_value *options, void (*problem)(void *arg, const weir_error *error),
                void *arg, weir_value **out, weir_error *error) {
    wish w = {0};
    weir_problems problems = {0};
    weir_buffer text = {0};
    if (find_word("text|dot|mermaid|svg", weir_str_from(format)) < 0)
        return weir_fail(error, WEIR_USAGE, "no graph is drawn as `%.32s`", format);
    if (!read_wish(options, &w, error)) return false;
    weir_plan *plan = compile(engine, request, &problems);
    for (size_t i = 0; !plan && problem && i < problems.count; i++)
        problem(arg, &problems.items[i]);
    if (!plan && problems.count) *error = problems.items[0];
    if (!plan && !problems.count)
        weir_fail(error, WEIR_INTERNAL, "the file was refused without a reason");
    weir_problems_deinit(&problems);
    if (!plan) return false;
    char *path = weir_str_dup(weir_member_text(request, "file"));
    bool ok = draw(plan, weir_str_from(basename(path)), format, &w, &text, error);
    weir_free(path);
    weir_plan_unref(plan);
    if (ok) *out = weir_string_from(weir_buffer_str(&text));
    weir_buffer_deinit(&text);
    return ok;
}
