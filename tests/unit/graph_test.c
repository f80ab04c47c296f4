/* Drawings of graphs: each model in tests/golden/graph/NAME.json looks as NAME.txt, .dot, .mmd and .svg have it
 * (`graph_test --update` writes them anew), hostile names stay names, and nothing in a picture lies on anything else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "data/document.h"
#include "data/graph_layout.h"
#include "data/json.h"

static bool update;

/* --- models from JSON ----------------------------------------------------------------------- */

static uint32_t number_of(const weir_value *object, const char *key) {
    const weir_value *value = weir_member_named(object, key);
    return weir_is(value, WEIR_INT) ? (uint32_t)weir_int_get(value) : WEIR_GRAPH_NONE;
}

static void read_ports(weir_graph_model *model, weir_graph_ports *ports, const weir_value *list) {
    for (size_t i = 0; list && i < weir_value_count(list); i++) {
        const weir_value *port = weir_array_at(list, i);
        weir_graph_add_port(model, ports, weir_member_text(port, "name"),
                            weir_member_text(port, "about"),
                            weir_member_named(port, "condition") != NULL);
    }
}

static void read_model(const weir_value *value, weir_graph_model *model) {
    static const char *const kinds[] = {"operation", "source", "call", "group", "stage"};
    weir_arena_init(&model->arena);
    model->title = weir_graph_keep(model, weir_member_text(value, "title"));
    const weir_value *items = weir_member_named(value, "items");
    for (size_t i = 0; i < weir_value_count(items); i++) {
        const weir_value *item = weir_array_at(items, i);
        int kind = 0;
        while (!weir_str_is(weir_member_text(item, "kind"), kinds[kind])) kind++;
        uint32_t at =
            weir_graph_add(model, (weir_graph_kind)kind, number_of(item, "parent"),
                           weir_member_text(item, "name"), weir_member_text(item, "about"));
        read_ports(model, &model->items.items[at].inputs, weir_member_named(item, "inputs"));
        read_ports(model, &model->items.items[at].outputs, weir_member_named(item, "outputs"));
    }
    const weir_value *edges = weir_member_named(value, "edges");
    for (size_t i = 0; edges && i < weir_value_count(edges); i++) {
        const weir_value *edge = weir_array_at(edges, i);
        weir_graph_join(model, (weir_graph_edge){
                                   .from = number_of(edge, "from"),
                                   .to = number_of(edge, "to"),
                                   .output = number_of(edge, "output"),
                                   .input = number_of(edge, "input"),
                                   .about = weir_graph_keep(model, weir_member_text(edge, "about")),
                                   .condition = weir_member_named(edge, "condition") != NULL});
    }
}

static char *golden_path(const char *name) {
    weir_buffer path = {0};
    weir_buffer_printf(&path, "%s/tests/golden/graph/%s", getenv("WEIR_SOURCE"), name);
    return path.data;
}

static void load_model(const char *name, weir_graph_model *model) {
    char file[64];
    weir_buffer text = {0};
    weir_value *value = NULL;
    weir_error error;
    snprintf(file, sizeof file, "%s.json", name);
    char *path = golden_path(file);
    if (!weir_file_read(path, WEIR_FILE_BYTES_MAX, &text, &error) ||
        !weir_json_parse(weir_buffer_str(&text), weir_str_from(file), &value, &error))
        fail_msg("%s", error.message);
    read_model(value, model);
    weir_value_unref(value);
    weir_buffer_deinit(&text);
    weir_free(path);
}

/* --- golden files --------------------------------------------------------------------------- */

static void check_golden(const char *name, const weir_buffer *drawn) {
    char *path = golden_path(name);
    weir_buffer wanted = {0};
    weir_error error;
    if (update) {
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        assert_int_equal(fwrite(drawn->data, 1, drawn->length, file), drawn->length);
        assert_int_equal(fclose(file), 0);
    } else if (!weir_file_read(path, WEIR_FILE_BYTES_MAX, &wanted, &error)) {
        fail_msg("%s", error.message);
    } else if (!weir_str_equal(weir_buffer_str(&wanted), weir_buffer_str(drawn))) {
        fail_msg("%s is drawn differently now; `graph_test --update` writes it anew:\n%s", name,
                 drawn->data);
    }
    weir_buffer_deinit(&wanted);
    weir_free(path);
}

typedef struct golden_case {
    const char *model, *file;
    weir_graph_display display;
    bool simple, color;
} golden_case;

static const golden_case golden_cases[] = {
    {"flow", "flow.txt", WEIR_GRAPH_TD, false, false},
    {"flow", "flow-color.txt", WEIR_GRAPH_TD, false, true},
    {"flow", "flow.dot", WEIR_GRAPH_TD, false, false},
    {"flow", "flow-lr.dot", WEIR_GRAPH_LR, false, false},
    {"flow", "flow.mmd", WEIR_GRAPH_TD, false, false},
    {"flow", "flow.svg", WEIR_GRAPH_TD, false, false},
    {"flow", "flow-rl.svg", WEIR_GRAPH_RL, false, false},
    {"flow", "flow-simple.txt", WEIR_GRAPH_TD, true, false},
    {"flow", "flow-simple.mmd", WEIR_GRAPH_BT, true, false},
    {"flow", "flow-simple.svg", WEIR_GRAPH_BT, true, false},
    {"groups", "groups.txt", WEIR_GRAPH_TD, false, false},
    {"groups", "groups.dot", WEIR_GRAPH_TD, false, false},
    {"groups", "groups.mmd", WEIR_GRAPH_LR, false, false},
    {"groups", "groups.svg", WEIR_GRAPH_LR, false, false},
    {"hostile", "hostile.txt", WEIR_GRAPH_TD, false, false},
    {"hostile", "hostile.dot", WEIR_GRAPH_BT, false, false},
    {"hostile", "hostile.mmd", WEIR_GRAPH_RL, false, false},
    {"hostile", "hostile.svg", WEIR_GRAPH_TD, false, false},
    {"empty", "empty.txt", WEIR_GRAPH_TD, false, false},
    {"empty", "empty.dot", WEIR_GRAPH_TD, false, false},
    {"empty", "empty.mmd", WEIR_GRAPH_TD, false, false},
    {"empty", "empty.svg", WEIR_GRAPH_TD, false, false},
};

static void test_golden(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof golden_cases / sizeof *golden_cases; i++) {
        const golden_case *c = &golden_cases[i];
        weir_graph_model model = {0};
        weir_buffer out = {0};
        weir_error error;
        load_model(c->model, &model);
        if (c->simple) weir_graph_simplify(&model);
        if (strstr(c->file, ".txt"))
            weir_graph_text(&model, c->color, &out);
        else if (strstr(c->file, ".dot"))
            weir_graph_dot(&model, c->display, &out);
        else if (strstr(c->file, ".mmd"))
            weir_graph_mermaid(&model, c->display, &out);
        else
            assert_true(weir_graph_svg(&model, c->display, &out, &error));
        check_golden(c->file, &out);
        weir_graph_deinit(&model);
        weir_buffer_deinit(&out);
    }
}

/* --- escaping ------------------------------------------------------------------------------- */

/* Whatever a name is, no drawing has a control but the line end, and none of the name's marks as such. */
static void test_names_stay_names(void **state) {
    (void)state;
    static const char hostile[] =
        "\x1b[31m\x07\n%%{init}%% \"]:::x\\\" --> <script>&amp;`#34; \xff\xc2\x9b"
        "31m \xe2\x80\xae x";
    const weir_str name = weir_str_from(hostile);
    weir_graph_model model = {.title = name};
    weir_buffer outs[4] = {0};
    weir_error error;
    weir_arena_init(&model.arena);
    uint32_t a = weir_graph_add(&model, WEIR_GRAPH_OPERATION, WEIR_GRAPH_NONE, name, name);
    weir_graph_add_port(&model, &model.items.items[a].inputs, name, name, true);
    weir_graph_join(&model, (weir_graph_edge){a, a, WEIR_GRAPH_NONE, 0, name, true});
    weir_graph_text(&model, false, &outs[0]);
    weir_graph_dot(&model, WEIR_GRAPH_TD, &outs[1]);
    weir_graph_mermaid(&model, WEIR_GRAPH_TD, &outs[2]);
    assert_true(weir_graph_svg(&model, WEIR_GRAPH_TD, &outs[3], &error));
    for (int i = 0; i < 4; i++) {
        weir_str text = weir_buffer_str(&outs[i]);
        for (size_t at = 0, length; at < text.length; at += length) {
            length = weir_utf8_length(weir_str_slice(text, at, text.length));
            assert_true(length > 0);
            assert_true((unsigned char)text.data[at] >= 0x20 || text.data[at] == '\n');
        }
        assert_null(strstr(outs[i].data, "\xc2\x9b"));
        assert_null(strstr(outs[i].data, "\xe2\x80\xae"));
    }
    assert_null(strstr(outs[1].data, "<script"));
    assert_null(strstr(outs[3].data, "<script"));
    assert_null(strstr(outs[2].data, "%%{"));
    assert_null(strstr(outs[2].data, "\"]:::x"));
    for (int i = 0; i < 4; i++) weir_buffer_deinit(&outs[i]);
    weir_graph_deinit(&model);
}

static void test_texts_are_cut_by_columns(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t max;
        const char *cut;
        size_t width;
    } cases[] = {{"", 5, "", 0},
                 {"abcde", 5, "abcde", 5},
                 {"abcdef", 5, "abcd…", 5},
                 {"日本語", 6, "日本語", 6},
                 {"日本語", 5, "日本…", 5},
                 {"日本語", 4, "日…", 3},
                 {"a\nb\x7f", 9, "a b ", 4},
                 {"\xff", 3, "\xef\xbf\xbd", 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_buffer out = {0};
        weir__graph_write(weir_str_from(cases[i].text), cases[i].max, weir__graph_put, &out);
        assert_string_equal(out.data ? out.data : "", cases[i].cut);
        assert_int_equal(weir__graph_width(weir_str_from(cases[i].text), cases[i].max),
                         cases[i].width);
        weir_buffer_deinit(&out);
    }
}

/* --- layout --------------------------------------------------------------------------------- */

static uint32_t next_random(uint32_t *seed) {
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void make_random(weir_graph_model *model, uint32_t *seed) {
    weir_arena_init(&model->arena);
    uint32_t count = 1 + next_random(seed) % 40, edges = next_random(seed) % 80;
    bool stages = next_random(seed) % 2;
    for (uint32_t i = 0; i < 3 && stages; i++)
        weir_graph_add(model, WEIR_GRAPH_STAGE, WEIR_GRAPH_NONE, WEIR_STR("stage"), WEIR_STR(""));
    for (uint32_t i = (uint32_t)model->items.count; i < count + 3; i++) {
        uint32_t parent = WEIR_GRAPH_NONE;
        if (stages && next_random(seed) % 5) parent = next_random(seed) % 3;
        if (!stages && i && next_random(seed) % 2) parent = next_random(seed) % i;
        if (parent != WEIR_GRAPH_NONE && !weir_graph_is_group(&model->items.items[parent]))
            parent = WEIR_GRAPH_NONE;
        weir_graph_kind kind = !stages && next_random(seed) % 4 == 0 ? WEIR_GRAPH_GROUP
                               : parent == WEIR_GRAPH_NONE && stages ? WEIR_GRAPH_SOURCE
                                                                     : WEIR_GRAPH_OPERATION;
        weir_graph_add(model, kind, parent, WEIR_STR("item"), WEIR_STR("about it"));
    }
    for (uint32_t e = 0; e < edges; e++) {
        uint32_t from = next_random(seed) % (uint32_t)model->items.count,
                 to = next_random(seed) % (uint32_t)model->items.count;
        const weir_graph_item *a = &model->items.items[from], *b = &model->items.items[to];
        bool fits = stages ? a->kind != WEIR_GRAPH_STAGE && b->kind == WEIR_GRAPH_OPERATION
                           : a->parent == b->parent;
        if (fits)
            weir_graph_join(model, (weir_graph_edge){.from = from,
                                                     .to = to,
                                                     .output = WEIR_GRAPH_NONE,
                                                     .input = WEIR_GRAPH_NONE});
    }
}

static bool overlap(const weir__graph_box *a, const weir__graph_box *b) {
    const double least = 0.01;
    return a->x + a->width > b->x + least && b->x + b->width > a->x + least &&
           a->y + a->height > b->y + least && b->y + b->height > a->y + least;
}

static bool contains(const weir__graph_box *a, const weir__graph_box *b) {
    return a->x <= b->x && a->y <= b->y && a->x + a->width >= b->x + b->width &&
           a->y + a->height >= b->y + b->height;
}

/* Items of one parent lie apart, in their parent, in the picture. */
static void check_layout(const weir_graph_model *model, const weir__graph_layout *layout) {
    weir__graph_box picture = {0, 0, layout->width, layout->height};
    for (size_t i = 0; i < model->items.count; i++) {
        const weir_graph_item *item = &model->items.items[i];
        const weir__graph_box *box = &layout->boxes[i];
        bool empty = item->kind == WEIR_GRAPH_STAGE && box->width <= 0;
        if (!empty) assert_true(contains(&picture, box));
        if (item->parent != WEIR_GRAPH_NONE)
            assert_true(contains(&layout->boxes[item->parent], box));
        for (size_t k = 0; k < i; k++)
            if (model->items.items[k].parent == item->parent && !empty)
                assert_false(overlap(box, &layout->boxes[k]));
    }
}

static void test_nothing_overlaps(void **state) {
    (void)state;
    for (uint32_t round = 0, seed = 7; round < 400; round++) {
        weir_graph_model model = {0};
        weir__graph_layout layout;
        make_random(&model, &seed);
        weir__graph_box *sizes = weir_alloc((model.items.count + 1) * sizeof *sizes);
        for (size_t i = 0; i < model.items.count; i++)
            sizes[i] = (weir__graph_box){0, 0, 20 + next_random(&seed) % 150,
                                         20 + next_random(&seed) % 60};
        weir__graph_layout_init(&layout, &model, (weir_graph_display)(round % 4), sizes);
        check_layout(&model, &layout);
        weir__graph_layout_deinit(&layout);
        weir_free(sizes);
        weir_graph_deinit(&model);
    }
}

/* Edges go down, but for those that close a circle. */
static void test_ranks(void **state) {
    (void)state;
    for (uint32_t round = 0, seed = 11; round < 400; round++) {
        weir_graph_model model = {0};
        make_random(&model, &seed);
        bool *circles = weir__graph_circles(&model);
        uint32_t *ranks = weir__graph_ranks(&model);
        for (size_t e = 0; e < model.edges.count; e++)
            if (!circles[e])
                assert_true(ranks[model.edges.items[e].from] < ranks[model.edges.items[e].to]);
        weir_free(circles);
        weir_free(ranks);
        weir_graph_deinit(&model);
    }
}

/* --- limits --------------------------------------------------------------------------------- */

static void test_limits(void **state) {
    (void)state;
    weir_graph_model model = {0};
    weir_buffer out = {0};
    weir_error error;
    weir_arena_init(&model.arena);
    for (size_t i = 0; i < WEIR_GRAPH_SVG_ITEMS_MAX; i++)
        weir_graph_add(&model, WEIR_GRAPH_OPERATION, WEIR_GRAPH_NONE, WEIR_STR("a"), WEIR_STR(""));
    for (uint32_t i = 1; i < WEIR_GRAPH_SVG_ITEMS_MAX; i++) /* a chain, and all of the first */
        for (uint32_t from = i - 1;; from = 0) {
            weir_graph_join(&model, (weir_graph_edge){from, i, WEIR_GRAPH_NONE, WEIR_GRAPH_NONE,
                                                      WEIR_STR(""), false});
            if (!from) break;
        }
    assert_true(weir_graph_svg(&model, WEIR_GRAPH_TD, &out, &error));
    weir_graph_add(&model, WEIR_GRAPH_OPERATION, WEIR_GRAPH_NONE, WEIR_STR("a"), WEIR_STR(""));
    assert_false(weir_graph_svg(&model, WEIR_GRAPH_TD, &out, &error));
    assert_int_equal(error.code, WEIR_LIMIT);
    while (!model.too_large)
        weir_graph_add(&model, WEIR_GRAPH_OPERATION, WEIR_GRAPH_NONE, WEIR_STR("a"), WEIR_STR(""));
    assert_int_equal(model.items.count, WEIR_GRAPH_ITEMS_MAX);
    weir_buffer_clear(&out);
    weir_graph_text(&model, false, &out);
    weir_graph_mermaid(&model, WEIR_GRAPH_TD, &out);
    weir_graph_dot(&model, WEIR_GRAPH_TD, &out);
    assert_true(out.length > WEIR_GRAPH_ITEMS_MAX * (size_t)10);
    weir_buffer_deinit(&out);
    weir_graph_deinit(&model);
}

int main(int argc, char **argv) {
    update = argc > 1 && strcmp(argv[1], "--update") == 0;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_names_stay_names),
        cmocka_unit_test(test_texts_are_cut_by_columns),
        cmocka_unit_test(test_nothing_overlaps),
        cmocka_unit_test(test_ranks),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
