/* Pictures of what a run of a file will take: the graph of its steps, and their course in time. */
#include <libgen.h>
#include <stdlib.h>

#include "base/size.h"
#include "base/time.h"
#include "data/gantt.h"
#include "data/graph.h"
#include "engine/engine_internal.h"
#include "engine/estimate.h"
#include "engine/history.h"

enum { SOURCES_MAX = 256 }; /* of a point, before it is drawn */

typedef struct picture {
    const weir_forecast *forecast;
    uint32_t *way_at; /* by step: its place on the longest way; NONE */
    weir_graph_model model;
    uint32_t *item;                        /* by step; NONE */
    uint32_t *from, *count;                /* by step: of its items in `sources` */
    WEIR_VECTOR(uint32_t) sources, before; /* items; steps before each, by first_before */
    uint32_t *first_before;
    uint32_t *seen; /* by item: the last step that it was joined with, from 1 */
} picture;

static bool is_drawn(const weir_forecast_step *step) {
    return step->spec && !step->call && step->tasks;
}

/* "2.5s ×3, 512 MB" */
static weir_str about_of(weir_arena *arena, const weir_forecast_step *step) {
    char text[24];
    weir_buffer about = {0};
    uint64_t us = weir_forecast_wall_us(step, false);
    if (step->lasts)
        weir_buffer_text(&about, "service");
    else if (step->waits)
        weir_buffer_text(&about, "waits");
    else
        weir_buffer_text(&about, us ? weir_duration_format(us, text) : "not known");
    if (step->tasks != 1 || step->at_least)
        weir_buffer_printf(&about, " ×%llu%s", (unsigned long long)step->tasks,
                           step->at_least ? "+" : "");
    if (step->estimate.memory_bytes)
        weir_buffer_printf(&about, ", %s", weir_size_format(step->estimate.memory_bytes, text));
    if (step->doubtful) weir_buffer_text(&about, ", if it runs");
    weir_str all = weir_buffer_str(&about);
    weir_str kept = {weir_str_copy(arena, all), all.length};
    weir_buffer_deinit(&about);
    return kept;
}

static void find_way(picture *p) {
    const weir_forecast *f = p->forecast;
    size_t count = f->steps.count;
    uint64_t *us = weir_alloc((count + 1) * sizeof *us);
    uint32_t *way = weir_alloc((count + 1) * sizeof *way);
    p->way_at = weir_alloc((count + 1) * sizeof *p->way_at);
    for (size_t i = 0; i < count; i++) p->way_at[i] = WEIR_FORECAST_NONE;
    weir_forecast_remaining(f, us);
    size_t length = weir_forecast_longest_way(f, us, way);
    for (size_t i = 0; i < length; i++)
        if (us[way[i]]) p->way_at[way[i]] = (uint32_t)i;
    weir_free(us);
    weir_free(way);
}

/* --- the graph ---------------------------------------------------------------------------------- */

static void index_before(picture *p) {
    const weir_forecast *f = p->forecast;
    size_t count = f->steps.count;
    p->first_before = weir_alloc((count + 2) * sizeof *p->first_before);
    for (size_t e = 0; e < f->first[count]; e++) p->first_before[f->next[e] + 2]++;
    for (size_t i = 2; i < count + 2; i++) p->first_before[i] += p->first_before[i - 1];
    for (size_t e = 0; e < f->first[count]; e++) *weir_vector_push(&p->before) = 0;
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t e = f->first[i]; e < f->first[i + 1]; e++)
            p->before.items[p->first_before[f->next[e] + 1]++] = i;
}

/* The items before the step, each once, behind the others of `sources`. */
static void gather(picture *p, uint32_t step) {
    p->from[step] = (uint32_t)p->sources.count;
    for (uint32_t b = p->first_before[step]; b < p->first_before[step + 1]; b++) {
        uint32_t other = p->before.items[b];
        for (uint32_t i = 0; i < p->count[other]; i++) {
            uint32_t item = p->sources.items[p->from[other] + i];
            if (p->seen[item] == step + 1) continue;
            p->seen[item] = step + 1;
            *weir_vector_push(&p->sources) = item;
        }
    }
    p->count[step] = (uint32_t)p->sources.count - p->from[step];
}

static void join_item(picture *p, uint32_t step, const uint32_t *way_of_item) {
    uint32_t own = p->item[step], at = p->way_at[step];
    for (uint32_t i = 0; i < p->count[step]; i++) {
        uint32_t from = p->sources.items[p->from[step] + i], before = way_of_item[from];
        bool strong = at != WEIR_FORECAST_NONE && before != WEIR_FORECAST_NONE && before + 1 == at;
        weir_graph_join(&p->model, (weir_graph_edge){.from = from,
                                                     .to = own,
                                                     .output = WEIR_GRAPH_NONE,
                                                     .input = WEIR_GRAPH_NONE,
                                                     .strong = strong});
    }
    p->sources.count = p->from[step];
    *weir_vector_push(&p->sources) = own;
    p->count[step] = 1;
}

/* A point between many and many is an item of its own: fewer edges. */
static bool is_crowded(const picture *p, uint32_t step) {
    uint64_t behind = p->forecast->first[step + 1] - p->forecast->first[step];
    return p->count[step] > 1 && behind * p->count[step] > SOURCES_MAX;
}

static void add_items(picture *p) {
    const weir_forecast *f = p->forecast;
    uint32_t *way_of_item = weir_alloc((f->steps.count + 1) * sizeof *way_of_item);
    for (size_t i = 0; i < f->steps.count && !p->model.too_large; i++) {
        uint32_t at = f->order[i];
        const weir_forecast_step *step = &f->steps.items[at];
        gather(p, at);
        bool drawn = is_drawn(step);
        if (!drawn && !is_crowded(p, at)) continue;
        uint32_t item = weir_graph_add(&p->model, WEIR_GRAPH_OPERATION, WEIR_GRAPH_NONE,
                                       drawn ? step->name : WEIR_STR("…"),
                                       drawn ? about_of(&p->model.arena, step) : WEIR_STR(""));
        if (item == WEIR_GRAPH_NONE) break;
        p->item[at] = item;
        way_of_item[item] = p->way_at[at];
        p->model.items.items[item].strong = p->way_at[at] != WEIR_FORECAST_NONE;
        join_item(p, at, way_of_item);
    }
    weir_free(way_of_item);
}

static bool draw_graph(picture *p, const char *format, weir_graph_display display, weir_buffer *out,
                       weir_error *error) {
    size_t count = p->forecast->steps.count;
    bool ok = count <= WEIR_GRAPH_ITEMS_MAX * 4ull && !p->forecast->too_large;
    if (ok) {
        p->item = weir_alloc((count + 1) * sizeof *p->item);
        p->from = weir_alloc((count + 1) * sizeof *p->from);
        p->count = weir_alloc((count + 1) * sizeof *p->count);
        p->seen = weir_alloc((count + 1) * sizeof *p->seen);
        index_before(p);
        add_items(p);
    }
    if (!ok || p->model.too_large)
        return weir_fail(error, WEIR_LIMIT, "the plan is too large for a graph: at most %d steps",
                         WEIR_GRAPH_ITEMS_MAX);
    if (strcmp(format, "svg") == 0) return weir_graph_svg(&p->model, display, out, error);
    if (strcmp(format, "dot") == 0)
        weir_graph_dot(&p->model, display, out);
    else
        weir_graph_mermaid(&p->model, display, out);
    return true;
}

/* --- the course --------------------------------------------------------------------------------- */

static int compare_rows(const void *a, const void *b) {
    const weir_gantt_row *x = a, *y = b;
    if (x->begin_us != y->begin_us) return x->begin_us < y->begin_us ? -1 : 1;
    size_t length = x->name.length < y->name.length ? x->name.length : y->name.length;
    int order = length ? memcmp(x->name.data, y->name.data, length) : 0;
    return order ? order : x->name.length < y->name.length ? -1 : x->name.length > y->name.length;
}

static void draw_course(const picture *p, const weir_forecast_limits *limits,
                        const weir_value *options, bool svg, weir_buffer *out) {
    const weir_forecast *f = p->forecast;
    weir_gantt gantt = {.title = p->model.title};
    weir_arena arena = {0};
    weir_forecast_limits own = *limits;
    own.spans = weir_alloc((f->steps.count + 1) * sizeof *own.spans);
    (void)weir_forecast_simulate(f, &own, false);
    for (size_t i = 0; i < f->steps.count; i++) {
        const weir_forecast_step *step = &f->steps.items[i];
        if (!is_drawn(step) || own.spans[i].begin_us > own.spans[i].end_us) continue;
        *weir_vector_push(&gantt.rows) =
            (weir_gantt_row){step->name, about_of(&arena, step), own.spans[i].begin_us,
                             own.spans[i].end_us, p->way_at[i] != WEIR_FORECAST_NONE};
    }
    if (gantt.rows.count)
        qsort(gantt.rows.items, gantt.rows.count, sizeof *gantt.rows.items, compare_rows);
    const weir_value *color = weir_member_named(options, "color"),
                     *ascii = weir_member_named(options, "ascii");
    uint64_t columns = weir_member_count(options, "columns");
    if (svg)
        weir_gantt_svg(&gantt, out);
    else
        weir_gantt_text(&gantt, columns && columns < 1000 ? (uint32_t)columns : 100,
                        color && weir_value_truth(color), ascii && weir_value_truth(ascii), out);
    weir_gantt_deinit(&gantt);
    weir_arena_deinit(&arena);
    weir_free(own.spans);
}

/* --- all of it ---------------------------------------------------------------------------------- */

static void picture_deinit(picture *p) {
    void *const members[] = {p->way_at, p->item, p->from, p->count, p->first_before, p->seen};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) weir_free(members[i]);
    weir_vector_deinit(&p->sources);
    weir_vector_deinit(&p->before);
    weir_graph_deinit(&p->model);
}

static bool draw(const weir_engine *engine, const weir_forecast *f, const weir_value *request,
                 const char *format, const weir_value *options, weir_buffer *out,
                 weir_error *error) {
    static const char *const displays[] = {"TD", "LR", "RL", "BT"};
    weir_graph_display display = WEIR_GRAPH_LR;
    for (size_t i = 0; i < 4; i++)
        if (weir_str_is(weir_member_text(options, "display"), displays[i]))
            display = (weir_graph_display)i;
    picture p = {.forecast = f};
    char *path = weir_str_dup(weir_member_text(request, "file"));
    weir_arena_init(&p.model.arena);
    p.model.title = weir_graph_keep(&p.model, weir_str_from(basename(path)));
    weir_free(path);
    find_way(&p);
    bool ok = true, course = strncmp(format, "gantt", 5) == 0;
    weir_forecast_limits limits = weir__foresee_limits(engine, request);
    if (course)
        draw_course(&p, &limits, options, strcmp(format, "gantt-svg") == 0, out);
    else
        ok = draw_graph(&p, format, display, out, error);
    picture_deinit(&p);
    return ok;
}

bool weir_foresee_picture(weir_engine *engine, const weir_value *request, const char *format,
                          const weir_value *options,
                          void (*problem)(void *arg, const weir_error *error), void *arg,
                          weir_value **out, weir_error *error) {
    static const char *const formats[] = {"dot", "mermaid", "svg", "gantt", "gantt-svg"};
    bool known = false;
    weir__compiled c;
    weir_buffer text = {0};
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        known |= strcmp(format, formats[i]) == 0;
    if (!known) return weir_fail(error, WEIR_USAGE, "no plan is drawn as `%.32s`", format);
    if (!weir__compiled_open(engine, request, true, problem, arg, &c, error)) return false;
    weir_forecast forecast = {0};
    weir__foresee_sizes(&forecast, c.request.value);
    c.plan->forecast(c.plan, c.request.value, &forecast);
    weir__estimates *estimates = weir__estimates_of_forecast(c.plan, engine->store, &forecast);
    weir__estimates_give(estimates, weir__given_size(c.request.value));
    weir__estimates_fill(estimates, &forecast);
    bool ok = draw(engine, &forecast, c.request.value, format, options, &text, error);
    if (ok) *out = weir_string_from(weir_buffer_str(&text));
    weir_buffer_deinit(&text);
    weir_forecast_deinit(&forecast);
    weir__estimates_free(estimates);
    weir__compiled_close(&c);
    return ok;
}
