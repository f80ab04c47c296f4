/* Where a value came from, or what came of it: as a tree in which everything stands once, as a graph, or for programs. */
#include "base/map.h"
#include "cli/commands.h"
#include "cli/view.h"
#include "data/graph.h"

enum {
    VALUE_TEXT_MAX = 60, /* of a value, in a tree or a graph */
    LEVELS_MAX = 2200 /* of a tree: with child runs an answer may be deeper than a line can show */
};

/* An answer of weir_lineage with what is next to what. */
typedef struct lineage {
    weir_cli *cli;
    const weir_value *nodes, *edges;
    bool forward, color;
    weir_map places; /* of nodes, by id */
    struct next {
        uint32_t node;
        weir_str name; /* of the edge */
    } * next;          /* by node, from first[node] to first[node + 1] */
    uint32_t *first;
    bool *shown;
} lineage;

static uint32_t place_of(const lineage *l, const weir_value *edge, bool from) {
    uint64_t at = 0;
    (void)weir_map_get(&l->places, weir_member_text(edge, from ? "from" : "to"), &at);
    return (uint32_t)at;
}

static void open_lineage(lineage *l, weir_cli *cli, const weir_value *answer) {
    *l = (lineage){.cli = cli,
                   .nodes = weir_member_named(answer, "nodes"),
                   .edges = weir_member_named(answer, "edges"),
                   .forward = weir_value_truth(weir_member_named(answer, "forward"))};
    size_t nodes = weir_value_count(l->nodes), edges = weir_value_count(l->edges);
    l->first = weir_alloc((nodes + 2) * sizeof *l->first);
    l->next = weir_alloc((edges + 1) * sizeof *l->next);
    l->shown = weir_alloc((nodes + 1) * sizeof *l->shown);
    for (size_t i = 0; i < nodes; i++)
        weir_map_set(&l->places, weir_member_text(weir_array_at(l->nodes, i), "id"), i);
    for (size_t i = 0; i < edges; i++)
        l->first[place_of(l, weir_array_at(l->edges, i), l->forward) + 2]++;
    for (size_t i = 2; i < nodes + 2; i++) l->first[i] += l->first[i - 1];
    for (size_t i = 0; i < edges; i++) {
        const weir_value *edge = weir_array_at(l->edges, i);
        l->next[l->first[place_of(l, edge, l->forward) + 1]++] =
            (struct next){place_of(l, edge, !l->forward), weir_member_text(edge, "name")};
    }
}

static void close_lineage(lineage *l) {
    weir_map_deinit(&l->places);
    weir_free(l->first);
    weir_free(l->next);
    weir_free(l->shown);
}

/* --- what a node is called ---------------------------------------------------------------------- */

/* The value in a few words, without anything that commands a terminal. */
static void write_value(const weir_value *value, weir_buffer *out) {
    weir_buffer text = {0};
    if (value) weir_json_format(value, 0, &text);
    if (weir_buffer_cut(&text, VALUE_TEXT_MAX)) weir_buffer_text(&text, "…");
    weir_output_plain(out, weir_buffer_str(&text));
    weir_buffer_deinit(&text);
}

/* "CONTEXT", behind the instances that it runs within. */
static void write_context(const weir_value *node, weir_buffer *out) {
    const weir_value *path = weir_member_named(node, "path");
    for (size_t i = 0; path && i < weir_value_count(path); i++) {
        weir_output_plain(out, weir_string_get(weir_array_at(path, i)));
        weir_buffer_byte(out, '/');
    }
    weir_output_plain(out, weir_member_text(node, "context"));
}

static bool is_type(const weir_value *node, const char *type) {
    return weir_str_is(weir_member_text(node, "type"), type);
}

static void write_name(const weir_value *node, weir_buffer *out) {
    if (is_type(node, "value")) {
        weir_output_plain(out, weir_member_text(node, "definition"));
    } else if (is_type(node, "result")) {
        weir_buffer_text(out, "result of ");
        write_context(node, out);
    } else {
        weir_output_plain(out, weir_member_text(node, "instance"));
    }
}

static void write_number(const weir_value *node, const char *key, const char *before,
                         weir_buffer *out) {
    const weir_value *number = weir_member_named(node, key);
    if (weir_is(number, WEIR_INT))
        weir_buffer_printf(out, "%s%lld", before, (long long)weir_int_get(number));
}

static void write_text(const weir_value *node, const char *key, const char *before,
                       weir_buffer *out) {
    weir_str text = weir_member_text(node, key);
    if (!text.length) return;
    weir_buffer_text(out, before);
    weir_output_plain(out, text);
}

static void write_operation(const weir_value *node, weir_buffer *out) {
    weir_str name = weir_member_text(node, "operation");
    if (name.length && !weir_str_equal(name, weir_member_text(node, "instance"))) {
        weir_buffer_text(out, " (");
        weir_output_plain(out, name);
        weir_buffer_byte(out, ')');
    }
    write_text(node, "outcome", ": ", out);
    write_number(node, "task", ", task ", out);
    write_number(node, "attempt", ", attempt ", out);
    write_text(node, "host", " on ", out);
    write_number(node, "pid", ", process ", out);
    write_text(node, "run", ", run ", out);
    if (weir_member_named(node, "context")) weir_buffer_text(out, ", in ");
    write_context(node, out);
    const weir_value *outputs = weir_member_named(node, "outputs");
    if (!outputs) return;
    weir_buffer_text(out, " → ");
    write_value(outputs, out);
}

/* All but the id: one line. */
static void write_node(const weir_value *node, weir_buffer *out) {
    const weir_value *value = weir_member_named(node, "value");
    weir_str from = weir_member_text(node, "from");
    write_name(node, out);
    if (is_type(node, "operation")) write_operation(node, out);
    if (value) weir_buffer_text(out, " = ");
    write_value(value, out);
    if (from.length && !weir_str_is(from, "operation"))
        weir_buffer_printf(out, ", %s%.*s", weir_str_is(from, "outside") ? "from " : "",
                           WEIR_ARG(from));
    if (!is_type(node, "value") || !weir_member_named(node, "context")) return;
    weir_buffer_text(out, ", in ");
    write_context(node, out);
}

/* --- a tree ------------------------------------------------------------------------------------- */

static void write_id(const lineage *l, const weir_value *node, weir_buffer *out) {
    weir_buffer_text(out, l->color ? "  \033[2m" : "  ");
    weir_output_plain(out, weir_member_text(node, "id"));
    weir_str time = weir_member_text(node, "finished");
    if (!time.length) time = weir_member_text(node, "started");
    if (!time.length) time = weir_member_text(node, "time");
    if (time.length) weir_buffer_printf(out, "  %.*s", WEIR_ARG(time));
    weir_buffer_text(out, l->color ? "\033[0m\n" : "\n");
}

/* How an edge is called, where that says more than its ends do. */
static void write_edge(weir_str name, const weir_value *to, const weir_value *from,
                       weir_buffer *out) {
    bool same = weir_str_equal(name, weir_member_text(to, "definition")) ||
                weir_str_equal(name, weir_member_text(from, "definition"));
    if (!name.length || same) return;
    weir_output_plain(out, name);
    weir_buffer_text(out, ": ");
}

static void write_more(const weir_value *node, const weir_buffer *before, weir_buffer *out) {
    const weir_value *more = weir_member_named(node, "more");
    if (!more) return;
    weir_buffer_str_append(out, weir_buffer_str(before));
    weir_buffer_printf(out, "└─ … and %lld more\n", (long long)weir_int_get(more));
}

/* What stands below the node. */
static void write_below(lineage *l, uint32_t at, int level, weir_buffer *before) {
    weir_buffer *out = &l->cli->out.text;
    if (level == LEVELS_MAX && l->first[at] < l->first[at + 1]) {
        weir_buffer_text(out, "… and deeper: ask for this id\n");
        return;
    }
    const weir_value *node = weir_array_at(l->nodes, at);
    bool more = weir_member_named(node, "more") != NULL;
    for (uint32_t i = l->first[at]; i < l->first[at + 1]; i++) {
        const struct next *next = &l->next[i];
        const weir_value *other = weir_array_at(l->nodes, next->node);
        bool last = i + 1 == l->first[at + 1] && !more;
        weir_buffer_str_append(out, weir_buffer_str(before));
        weir_buffer_text(out, last ? "└─ " : "├─ ");
        write_edge(next->name, other, node, out);
        if (l->shown[next->node]) {
            write_name(other, out);
            weir_buffer_text(out, ": see above");
            write_id(l, other, out);
            continue;
        }
        l->shown[next->node] = true;
        write_node(other, out);
        write_id(l, other, out);
        size_t length = before->length;
        weir_buffer_text(before, last ? "   " : "│  ");
        write_below(l, next->node, level + 1, before);
        before->length = length;
    }
    write_more(node, before, out);
}

static void write_tree(lineage *l) {
    weir_buffer before = {0};
    const weir_value *node = weir_array_at(l->nodes, 0);
    write_node(node, &l->cli->out.text);
    write_id(l, node, &l->cli->out.text);
    l->shown[0] = true;
    write_below(l, 0, 0, &before);
    weir_buffer_deinit(&before);
}

static void write_matches(lineage *l, const weir_value *answer) {
    const weir_value *matches = weir_member_named(answer, "matches");
    long long found = weir_int_get(weir_member_named(answer, "found"));
    weir_buffer *out = &l->cli->out.text;
    for (size_t i = 0; i < weir_value_count(matches); i++) {
        const weir_value *node = weir_array_at(matches, i);
        write_node(node, out);
        write_id(l, node, out);
    }
    if ((long long)weir_value_count(matches) < found)
        weir_buffer_printf(out, "… and %lld more\n", found - (long long)weir_value_count(matches));
    weir_output_flush(&l->cli->out);
    weir_output note = {.fd = 2};
    weir_buffer_printf(&note.text, "weir: %lld match; name one by its id to see its lineage\n",
                       found);
    (void)weir_output_finish(&note, "standard error");
}

/* --- a graph ------------------------------------------------------------------------------------ */

static void fill_model(const lineage *l, weir_graph_model *model) {
    *model = (weir_graph_model){0};
    weir_arena_init(&model->arena);
    uint32_t *items = weir_alloc((weir_value_count(l->nodes) + 1) * sizeof *items);
    for (size_t i = 0; i < weir_value_count(l->nodes); i++) {
        const weir_value *node = weir_array_at(l->nodes, i);
        weir_buffer about = {0};
        weir_buffer name = {0};
        write_name(node, &name);
        if (is_type(node, "operation"))
            write_text(node, "operation", "", &about);
        else
            write_value(weir_member_named(node, "value"), &about);
        items[i] = weir_graph_add(
            model, is_type(node, "operation") ? WEIR_GRAPH_OPERATION : WEIR_GRAPH_SOURCE,
            WEIR_GRAPH_NONE, weir_buffer_str(&name), weir_buffer_str(&about));
        weir_buffer_deinit(&about);
        weir_buffer_deinit(&name);
    }
    for (size_t i = 0; i < weir_value_count(l->edges); i++) {
        const weir_value *edge = weir_array_at(l->edges, i);
        weir_graph_join(model, (weir_graph_edge){.from = items[place_of(l, edge, true)],
                                                 .to = items[place_of(l, edge, false)],
                                                 .output = WEIR_GRAPH_NONE,
                                                 .input = WEIR_GRAPH_NONE});
    }
    weir_free(items);
}

static bool draw(lineage *l, weir_error *error) {
    weir_graph_model model;
    weir_buffer *out = &l->cli->out.text;
    bool ok = true;
    fill_model(l, &model);
    if (weir_cli_form(l->cli, "dot"))
        weir_graph_dot(&model, WEIR_GRAPH_TD, out);
    else if (weir_cli_form(l->cli, "mermaid"))
        weir_graph_mermaid(&model, WEIR_GRAPH_TD, out);
    else
        ok = weir_graph_svg(&model, WEIR_GRAPH_TD, out, error);
    weir_graph_deinit(&model);
    return ok;
}

/* --- the command -------------------------------------------------------------------------------- */

static void say_unrecorded(void) {
    weir_output note = {.fd = 2};
    weir_buffer_text(&note.text, "weir: calls of this run have no events, so there may be more; "
                                 "`weir run --record all` keeps each\n");
    (void)weir_output_finish(&note, "standard error");
}

static bool print(lineage *l, const weir_value *answer, weir_error *error) {
    if (weir_cli_whole(l->cli)) {
        weir_cli_print(l->cli, answer);
        return true;
    }
    if (weir_int_get(weir_member_named(answer, "found")) > 1 && weir_cli_form(l->cli, "text")) {
        write_matches(l, answer);
        return true;
    }
    if (!weir_cli_form(l->cli, "text")) return draw(l, error);
    write_tree(l);
    return true;
}

/* 0 means all there is, as far as an answer may go; without the option, what is usual. */
static bool read_bound(const weir_cli *cli, weir_flag flag, uint32_t *out, weir_error *error) {
    uint64_t bound;
    if (!weir_cli_number(cli, flag, UINT32_MAX, 0, &bound, error)) return false;
    *out = weir_cli_has(cli, flag) && !bound ? UINT32_MAX : (uint32_t)bound;
    return true;
}

bool weir_lineage_command(weir_cli *cli, weir_engine *engine, weir_error *error) {
    weir_lineage_query query = {.size = sizeof query,
                                .what = cli->words.items[1],
                                .context = weir_cli_text(cli, WEIR_FLAG_WITHIN),
                                .forward = weir_cli_has(cli, WEIR_FLAG_FORWARD)};
    weir_value *answer;
    if (!read_bound(cli, WEIR_FLAG_DEPTH, &query.depth, error) ||
        !read_bound(cli, WEIR_FLAG_LIMIT, &query.limit, error) ||
        !weir_lineage(engine, cli->words.items[0], &query, &answer, error))
        return false;
    lineage l;
    weir_view view;
    open_lineage(&l, cli, answer);
    weir_view_init(&view, cli->out.fd, weir_cli_has(cli, WEIR_FLAG_NO_COLOR));
    l.color = view.color;
    bool ok = print(&l, answer, error);
    close_lineage(&l);
    if (weir_member_named(answer, "unrecorded")) say_unrecorded();
    weir_value_unref(answer);
    return ok;
}
