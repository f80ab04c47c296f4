#include "cli/view.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/time.h"
#include "base/vector.h"
#include "cli/output.h"

/* What one drawing knows: the status, how far each node is, and how much room there is. */
typedef enum rank { ACTIVE, WAITING, DONE, RANKS } rank; /* the later are hidden first */

typedef struct node {
    const weir_value *value;
    unsigned depth;
    rank rank;
    bool leaf, shown;
} node;

typedef struct drawing {
    const weir_view *view;
    weir_buffer *out;
    uint64_t now_us;
    size_t columns; /* 0: no limit */
    WEIR_VECTOR(node) nodes;
} drawing;

static const char RED[] = "\033[31m", GREEN[] = "\033[32m", YELLOW[] = "\033[33m",
                  CYAN[] = "\033[36m", DIM[] = "\033[2m", RESET[] = "\033[0m";

static const struct look {
    const char *phase, *icon, *color;
    rank rank;
} looks[] = {
    {"Succeeded", "✔", GREEN, DONE},   {"Failed", "✖", RED, ACTIVE}, {"Error", "✖", RED, ACTIVE},
    {"Running", "●", CYAN, ACTIVE},    {"Skipped", "○", DIM, DONE},  {"Omitted", "○", DIM, DONE},
    {"Pending", "◷", YELLOW, WAITING}, /* and whatever else there is */
};

static const struct look *look_of(const weir_value *value) {
    weir_str phase = weir_member_text(value, "phase");
    const struct look *look = looks;
    const struct look *last = looks + sizeof looks / sizeof *looks - 1;
    while (look < last && !weir_str_is(phase, look->phase)) look++;
    return look;
}

uint64_t weir_view_number(const weir_value *object, const char *key) {
    const weir_value *value = weir_member_named(object, key);
    int64_t number = weir_is(value, WEIR_INT) ? weir_int_get(value) : 0;
    return number > 0 ? (uint64_t)number : 0;
}

uint64_t weir_view_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Reads the nodes, which come in preorder: the ancestors of a node are the last ones of each lesser depth. */
static void read_nodes(drawing *d, const weir_value *status) {
    const weir_value *list = weir_member_named(status, "nodes");
    WEIR_VECTOR(const weir_value *) ancestors = {0};
    for (size_t i = 0; weir_is(list, WEIR_ARRAY) && i < weir_value_count(list); i++) {
        const weir_value *value = weir_array_at(list, i);
        weir_str parent = weir_member_text(value, "parent");
        while (
            ancestors.count &&
            !weir_str_equal(weir_member_text(ancestors.items[ancestors.count - 1], "id"), parent))
            ancestors.count--;
        if (ancestors.count && d->nodes.items[i - 1].value == ancestors.items[ancestors.count - 1])
            d->nodes.items[i - 1].leaf = false;
        *weir_vector_push(&d->nodes) =
            (node){value, (unsigned)ancestors.count, look_of(value)->rank, true, false};
        *weir_vector_push(&ancestors) = value;
    }
    weir_vector_deinit(&ancestors);
}

/* Columns that a character takes; wide ones are those of East Asian scripts and the emoji. */
static size_t character_width(weir_str text, size_t at) {
    unsigned char c = (unsigned char)text.data[at];
    if ((c & 0xc0) == 0x80) return 0;
    if (c >= 0xf0) return 2;
    if (c < 0xe2 || at + 1 >= text.length) return 1;
    unsigned char next = (unsigned char)text.data[at + 1];
    return c > 0xe2 || next >= 0xba ? 2 : 1;
}

/* Adds the text, without controls, and cut to the columns that are left. */
static void put_text(drawing *d, weir_str text, const char *color, size_t *left) {
    if (!text.length) return;
    size_t end = 0, width = 0;
    bool limited = d->columns > 0;
    for (; end < text.length; end++) {
        width = character_width(text, end);
        if (limited && width > *left) break;
        *left -= limited ? width : 0;
    }
    bool colored = d->view->color && color;
    if (colored) weir_buffer_text(d->out, color);
    weir_output_plain(d->out, weir_str_slice(text, 0, end));
    if (colored) weir_buffer_text(d->out, RESET);
}

static void put_line_end(drawing *d) {
    weir_buffer_text(d->out, d->view->terminal ? "\033[K\n" : "\n");
}

static void put_duration(drawing *d, const weir_value *value, uint64_t from, size_t *left) {
    uint64_t to = weir_view_number(value, "finished");
    char text[24];
    if (!from) return;
    if (!to) to = d->now_us;
    weir_duration_format(to > from ? to - from : 0, text);
    put_text(d, WEIR_STR("  "), NULL, left);
    put_text(d, weir_str_from(text), DIM, left);
}

static void put_node(drawing *d, const node *n) {
    size_t left = d->columns;
    const struct look *look = look_of(n->value);
    char indent[64];
    unsigned blanks = n->depth < 30 ? 2 * n->depth : 60;
    snprintf(indent, sizeof indent, "%*s", (int)blanks, "");
    put_text(d, weir_str_from(indent), NULL, &left);
    put_text(d, weir_str_from(look->icon), look->color, &left);
    put_text(d, WEIR_STR(" "), NULL, &left);
    weir_str name = weir_member_text(n->value, "displayName");
    put_text(d, name.length ? name : weir_member_text(n->value, "name"), NULL, &left);
    put_duration(d, n->value, weir_view_number(n->value, "started"), &left);
    weir_str message = weir_member_text(n->value, "message");
    if (message.length) put_text(d, WEIR_STR("  "), NULL, &left);
    put_text(d, message, look->rank == DONE ? DIM : look->color, &left);
    put_line_end(d);
}

/* "name  kind  phase  3/7  4.2s  (about 3s left)" */
static void put_header(drawing *d, const weir_value *status) {
    size_t left = d->columns, leaves = 0, done = 0;
    for (size_t i = 0; i < d->nodes.count; i++) {
        const node *n = &d->nodes.items[i];
        const char *icon = look_of(n->value)->icon;
        leaves += n->leaf;
        done += n->leaf && strcmp(icon, "●") != 0 && strcmp(icon, "◷") != 0;
    }
    const struct look *look = look_of(status);
    put_text(d, weir_member_text(status, "name"), NULL, &left);
    put_text(d, WEIR_STR("  "), NULL, &left);
    put_text(d, weir_member_text(status, "kind"), NULL, &left);
    put_text(d, WEIR_STR("  "), NULL, &left);
    put_text(d, weir_member_text(status, "phase"), look->color, &left);
    char text[64];
    snprintf(text, sizeof text, "  %zu/%zu", done, leaves);
    if (leaves) put_text(d, weir_str_from(text), NULL, &left);
    uint64_t created = weir_view_number(status, "created");
    put_duration(d, status, created, &left);
    bool running = !weir_member_named(status, "finished") && d->now_us > created;
    if (running && done && done < leaves) {
        char duration[24];
        uint64_t rest_us = (d->now_us - created) / done * (leaves - done);
        uint64_t unit_us = 1000000; /* an estimate has no use for milliseconds */
        weir_duration_format((rest_us + unit_us - 1) / unit_us * unit_us, duration);
        snprintf(text, sizeof text, "  (about %s left)", duration);
        put_text(d, weir_str_from(text), DIM, &left);
    }
    weir_str message = weir_member_text(status, "message");
    if (message.length) put_text(d, WEIR_STR("  "), NULL, &left);
    put_text(d, message, look->color, &left);
    put_line_end(d);
}

/* Chooses what fits into the rows; returns how many nodes do not. */
static size_t choose_nodes(drawing *d, size_t rows) {
    size_t shown = 0, count = d->nodes.count;
    if (count > rows) rows--; /* for "… more" */
    for (rank r = ACTIVE; r < RANKS; r++) {
        for (size_t i = 0; i < count && shown < rows; i++) {
            node *n = &d->nodes.items[i];
            if (n->rank != r) continue;
            n->shown = true;
            shown++;
        }
    }
    return count - shown;
}

/* Only what is drawn over has to keep within the width of the terminal. */
static size_t draw(const weir_view *view, const weir_value *status, bool cut, weir_buffer *out) {
    drawing d = {.view = view, .out = out, .now_us = weir_view_now()};
    struct winsize size;
    size_t rows = SIZE_MAX;
    if (view->terminal) {
        bool known = ioctl(view->fd, TIOCGWINSZ, &size) == 0 && size.ws_row > 3 && size.ws_col;
        rows = known ? size.ws_row - 2u : 22;
        d.columns = !cut ? 0 : known ? size.ws_col : 80;
    }
    read_nodes(&d, status);
    size_t hidden = choose_nodes(&d, rows), lines = 1;
    put_header(&d, status);
    for (size_t i = 0; i < d.nodes.count; i++) {
        if (!d.nodes.items[i].shown) continue;
        put_node(&d, &d.nodes.items[i]);
        lines++;
    }
    if (hidden) {
        weir_buffer_printf(out, "… %zu more", hidden);
        put_line_end(&d);
        lines++;
    }
    weir_vector_deinit(&d.nodes);
    return lines;
}

void weir_view_init(weir_view *view, int fd, bool no_color) {
    const char *term = getenv("TERM"), *refused = getenv("NO_COLOR");
    view->fd = fd;
    view->terminal = isatty(fd) && term && *term && strcmp(term, "dumb") != 0;
    view->color = view->terminal && !no_color && !(refused && *refused);
    view->drawn = 0;
}

void weir_view_draw(weir_view *view, const weir_value *status, weir_buffer *out) {
    if (view->drawn) weir_buffer_printf(out, "\033[%zuA", view->drawn);
    size_t before = view->drawn;
    view->drawn = draw(view, status, true, out);
    if (before > view->drawn) weir_buffer_text(out, "\033[J");
}

void weir_view_erase(weir_view *view, weir_buffer *out) {
    if (view->drawn) weir_buffer_printf(out, "\033[%zuA\033[J", view->drawn);
    view->drawn = 0;
}

void weir_view_keep(weir_view *view, const weir_value *status, weir_buffer *out) {
    weir_view_erase(view, out);
    draw(view, status, false, out);
}
