#include "cli/workflow_fit.h"

enum { ROWS_AROUND = 2 }; /* the titles, and what was left out */

/* The later have to go first. */
typedef enum rank { ACTIVE, WAITING, DONE, WITHIN, RANKS } rank;

typedef struct fitting {
    weir_forest *forest;
    const weir_workflow_look *look;
    rank *ranks;
    bool *kept, *drawn; /* drawn: it would have a line */
    size_t left;        /* lines */
    size_t out[RANKS];  /* how many of each rank have no place */
} fitting;

static rank rank_of(const weir_value *node) {
    weir_str phase = weir_member_text(node, "phase");
    if (weir_str_is(phase, "Pending") || !phase.length) return WAITING;
    bool done = weir_str_is(phase, "Succeeded") || weir_str_is(phase, "Skipped") ||
                weir_str_is(phase, "Omitted");
    return done ? DONE : ACTIVE;
}

/* The next one above it that has a line; WEIR_FOREST_NONE: there is none. */
static uint32_t drawn_above(const fitting *f, uint32_t node) {
    uint32_t above = f->forest->nodes[node].parent;
    while (above != WEIR_FOREST_NONE && above != node && !f->drawn[above]) {
        node = above;
        above = f->forest->nodes[node].parent;
    }
    return above == node ? WEIR_FOREST_NONE : above;
}

static void look_at_nodes(fitting *f) {
    for (uint32_t i = 0; i < f->forest->count; i++) {
        bool ignored;
        const weir_value *node = f->forest->nodes[i].value;
        f->drawn[i] =
            weir_forest_shows(node) && !weir_workflow_node_is_hidden(f->look, node, &ignored);
        f->ranks[i] = rank_of(node);
    }
    for (uint32_t i = 0; i < f->forest->count; i++) {
        uint32_t above = f->ranks[i] == DONE ? drawn_above(f, i) : WEIR_FOREST_NONE;
        if (above != WEIR_FOREST_NONE && f->ranks[above] >= DONE) f->ranks[i] = WITHIN;
    }
}

/* Keeps the node and what is above it, if there is room for all of it. */
static void keep(fitting *f, uint32_t node) {
    const weir_forest_node *nodes = f->forest->nodes;
    size_t lines = 0, steps = 0;
    uint32_t at = node;
    for (; at != WEIR_FOREST_NONE && !f->kept[at]; at = nodes[at].parent) {
        lines += f->drawn[at];
        if (nodes[at].parent == at || ++steps > f->forest->count) return; /* it is nowhere */
    }
    if (lines > f->left) return;
    f->left -= lines;
    for (at = node; at != WEIR_FOREST_NONE && !f->kept[at]; at = nodes[at].parent)
        f->kept[at] = true;
}

static void keep_all_of(fitting *f, rank which) {
    uint32_t count = f->forest->count;
    for (uint32_t i = 0; i < count && f->left; i++) {
        uint32_t node = which >= DONE ? count - 1 - i : i; /* of what is done the latest */
        if (f->ranks[node] == which && f->drawn[node]) keep(f, node);
    }
}

static void say_left_out(const fitting *f, weir_buffer *out) {
    static const char *const texts[RANKS] = {"running or failed", "waiting", "done", ""};
    const size_t *unlisted = f->look->unlisted;
    size_t counts[] = {f->out[ACTIVE] + unlisted[0], f->out[WAITING] + unlisted[1],
                       f->out[DONE] + f->out[WITHIN] + unlisted[2]};
    size_t all = counts[0] + counts[1] + counts[2];
    bool any = false;
    if (!all) return;
    weir_buffer_printf(out, "%s %zu more: ", f->look->ascii ? "..." : "…", all);
    for (size_t i = 0; i < 3; i++) {
        if (counts[i]) weir_buffer_printf(out, "%s%zu %s", any ? ", " : "", counts[i], texts[i]);
        any = any || counts[i];
    }
    weir_buffer_byte(out, '\n');
}

void weir_workflow_fit(weir_forest *forest, const weir_workflow_look *look, weir_buffer *left_out) {
    size_t count = forest->count + 1;
    fitting f = {.forest = forest,
                 .look = look,
                 .ranks = weir_alloc(count * sizeof(rank)),
                 .kept = weir_alloc(count * sizeof(bool)),
                 .drawn = weir_alloc(count * sizeof(bool)),
                 .left = look->rows > ROWS_AROUND ? look->rows - ROWS_AROUND : 1};
    look_at_nodes(&f);
    for (rank r = ACTIVE; r < RANKS; r++) keep_all_of(&f, r);
    for (uint32_t i = 0; i < forest->count; i++) {
        bool there = f.drawn[i] && forest->nodes[i].parent != i;
        if (there && !f.kept[i]) f.out[f.ranks[i]]++;
    }
    weir_forest_keep(forest, f.kept);
    say_left_out(&f, left_out);
    weir_free(f.ranks);
    weir_free(f.kept);
    weir_free(f.drawn);
}

/* Appends as much of the line as that many characters; colours count for nothing, and stay. */
static void cut_line(const char *line, size_t length, size_t columns, weir_buffer *out) {
    size_t width = 0;
    for (size_t i = 0; i < length; i++) {
        bool color = line[i] == '\033';
        if (color) {
            while (i < length && line[i] != 'm') weir_buffer_byte(out, line[i++]);
        } else if (((unsigned char)line[i] & 0xc0) != 0x80) {
            width++;
        }
        if (i < length && (color || width <= columns)) weir_buffer_byte(out, line[i]);
    }
}

void weir_workflow_cut(weir_buffer *text, size_t from, size_t columns) {
    weir_buffer cut = {0};
    for (size_t at = from; at < text->length;) {
        const char *line = text->data + at, *end = memchr(line, '\n', text->length - at);
        size_t length = end ? (size_t)(end - line) : text->length - at;
        cut_line(line, length, columns, &cut);
        while (cut.length && cut.data[cut.length - 1] == ' ') cut.length--;
        weir_buffer_byte(&cut, '\n');
        at += length + 1;
    }
    text->length = from;
    weir_buffer_str_append(text, weir_buffer_str(&cut));
    weir_buffer_deinit(&cut);
}
