#include "cli/view.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/time.h"
#include "base/vector.h"
#include "cli/output.h"
#include "cli/waiting.h"
#include "cli/workflow_text.h"

enum { LEFT_S_MAX = 100 * 24 * 3600 }; /* longer is no estimate */

/* What one drawing knows: the status, how far each node is, and how much room there is. */
typedef enum rank { ACTIVE, WAITING, DONE, RANKS } rank; /* the later are hidden first */

typedef struct node {
    const weir_value *value;
    unsigned depth;
    rank rank;
    bool shown;
} node;

typedef struct drawing {
    const weir_view *view;
    weir_buffer *out;
    uint64_t now_us;
    weir_counts counts;
    double rate;               /* things done a second; 0: not known */
    const weir_value *left_us; /* by estimates; NULL: nobody knows */
    size_t columns;            /* 0: no limit */
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
        *weir_vector_push(&d->nodes) =
            (node){value, (unsigned)ancestors.count, look_of(value)->rank, false};
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
    uint64_t to = weir_member_count(value, "finished");
    char text[24];
    if (!from) return;
    if (!to) to = d->now_us;
    weir_duration_format(to > from ? to - from : 0, text);
    put_text(d, WEIR_STR("  "), NULL, left);
    put_text(d, weir_str_from(text), DIM, left);
}

/* ", 3 cached": how many results were there already. */
static void put_cached(drawing *d, uint64_t cached, size_t *left) {
    char text[48];
    if (!cached) return;
    snprintf(text, sizeof text, ", %" PRIu64 " cached", cached);
    put_text(d, weir_str_from(text), DIM, left);
}

/* "  3/7, 2 cached, 1 failed": how far an operation is. Once it is over only more than one says something. */
static void put_tasks(drawing *d, const weir_value *value, size_t *left) {
    uint64_t tasks = weir_member_count(value, "tasks"), done = weir_member_count(value, "done"),
             failed = weir_member_count(value, "failed");
    char text[64];
    uint64_t cached = weir_member_count(value, "cached");
    bool one = tasks < 2 && done == tasks; /* a workflow's node does not count */
    if (one) {                             /* its icon says whether it failed */
        if (cached) put_text(d, WEIR_STR("  cached"), DIM, left);
        return;
    }
    snprintf(text, sizeof text, "  %" PRIu64 "/%" PRIu64, done, tasks);
    put_text(d, weir_str_from(text), DIM, left);
    put_cached(d, cached, left);
    if (!failed) return;
    snprintf(text, sizeof text, ", %" PRIu64 " failed", failed);
    put_text(d, weir_str_from(text), RED, left);
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
    put_tasks(d, n->value, &left);
    put_duration(d, n->value, weir_member_count(n->value, "started"), &left);
    weir_str message = weir_member_text(n->value, "message");
    if (message.length) put_text(d, WEIR_STR("  "), NULL, &left);
    put_text(d, message, look->rank == DONE ? DIM : look->color, &left);
    put_line_end(d);
}

/* "  12/s  (about 3s left)": by what was done of late, else since the beginning. */
static void put_pace(drawing *d, const weir_counts *counts, uint64_t created_us, size_t *left) {
    char text[64], duration[24];
    double rate = d->rate, passed_s = (double)(d->now_us - created_us) / 1e6;
    if (rate >= 1) {
        snprintf(text, sizeof text, "  %.0f/s", rate);
        put_text(d, weir_str_from(text), DIM, left);
    }
    if (rate <= 0 && passed_s > 0) rate = (double)counts->done / passed_s;
    bool contexts = counts->contexts_done && counts->contexts > counts->contexts_done;
    if (!d->left_us && !contexts && (rate <= 0 || counts->done >= counts->total)) return;
    double rest_s = d->left_us ? weir_number_get(d->left_us) / 1e6
                    : contexts ? passed_s * (double)(counts->contexts - counts->contexts_done) /
                                     (double)counts->contexts_done
                               : (double)(counts->total - counts->done) / rate;
    if (rest_s > LEFT_S_MAX) return;
    /* An estimate has no use for milliseconds. */
    if (rest_s < 60)
        snprintf(duration, sizeof duration, "%.0fs", rest_s < 1 ? 1 : rest_s);
    else
        weir_duration_format((uint64_t)rest_s * 1000000, duration);
    snprintf(text, sizeof text, "  (about %s left)", duration);
    put_text(d, weir_str_from(text), DIM, left);
}

/* "name  kind  phase  3/7, 1 failed  2/5 contexts  4.2s  12/s  (about 3s left)" */
static void put_header(drawing *d, const weir_value *status) {
    size_t left = d->columns;
    const weir_counts *counts = &d->counts;
    const struct look *look = look_of(status);
    put_text(d, weir_member_text(status, "name"), NULL, &left);
    put_text(d, WEIR_STR("  "), NULL, &left);
    put_text(d, weir_member_text(status, "kind"), NULL, &left);
    put_text(d, WEIR_STR("  "), NULL, &left);
    put_text(d, weir_member_text(status, "phase"), look->color, &left);
    char text[64];
    snprintf(text, sizeof text, "  %" PRIu64 "/%" PRIu64, counts->done, counts->total);
    if (counts->total) put_text(d, weir_str_from(text), NULL, &left);
    put_cached(d, weir_member_count(status, "cached"), &left);
    snprintf(text, sizeof text, ", %" PRIu64 " failed", counts->failed);
    if (counts->failed) put_text(d, weir_str_from(text), RED, &left);
    snprintf(text, sizeof text, "  %" PRIu64 "/%" PRIu64 " contexts", counts->contexts_done,
             counts->contexts);
    if (counts->contexts > 1) put_text(d, weir_str_from(text), NULL, &left);
    uint64_t created_us = weir_member_count(status, "created");
    put_duration(d, status, created_us, &left);
    bool running = !weir_member_named(status, "finished") && d->now_us > created_us;
    if (running && (counts->done || d->left_us)) put_pace(d, counts, created_us, &left);
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

static size_t rows_of(const weir_view *view, bool cut, size_t *columns) {
    struct winsize size;
    *columns = 0;
    if (!view->terminal) return SIZE_MAX;
    bool known = ioctl(view->fd, TIOCGWINSZ, &size) == 0 && size.ws_row > 3 && size.ws_col;
    /* Only what is drawn over has to keep within the width of the terminal. */
    if (cut) *columns = known ? size.ws_col : 80;
    return (known ? size.ws_row - 2u : 22) - (view->note.length > 0);
}

/* A workflow's as `argo get` draws it; returns how many lines. */
static size_t put_workflow(drawing *d, const weir_value *workflow, const weir_value *unlisted,
                           size_t rows) {
    weir_workflow_look look = {.color = d->view->color,
                               .fine = true,
                               .now_us = d->now_us,
                               .rows = rows == SIZE_MAX ? 0 : rows,
                               .columns = d->columns,
                               .unlisted = {weir_member_count(unlisted, "active"),
                                            weir_member_count(unlisted, "waiting"),
                                            weir_member_count(unlisted, "done")}};
    weir_buffer tree = {0};
    size_t lines = 0;
    weir_workflow_print_tree(workflow, &look, &tree);
    for (size_t at = 0; at < tree.length; lines++) {
        size_t end = weir_str_find(weir_buffer_str(&tree), WEIR_STR("\n"), at);
        weir_buffer_str_append(d->out, weir_str_slice(weir_buffer_str(&tree), at, end));
        put_line_end(d);
        at = end + 1;
    }
    weir_buffer_deinit(&tree);
    return lines;
}

weir_value *weir_view_status(const weir_run *run) {
    weir_value *status = weir_run_status(run), *workflow = weir_run_workflow(run, status, true);
    if (workflow) weir_member_put(status, "workflow", workflow);
    return status;
}

weir_value *weir_view_glance(const weir_view *view, const weir_run *run) {
    size_t columns;
    return weir_run_glance(run, rows_of(view, true, &columns));
}

/* Returns how many lines were drawn. On a terminal many contexts are drawn as one, and what has failed is also said
 * above, to stay, when not all nodes can be seen. */
static size_t draw(weir_view *view, const weir_value *status, bool cut, weir_buffer *out) {
    weir_value *summary =
        view->terminal ? weir_progress_summary(status) : weir_value_ref((weir_value *)status);
    drawing d = {.view = view, .out = out, .now_us = weir_view_now()};
    size_t rows = rows_of(view, cut, &d.columns), lines = 1;
    d.counts = weir_progress_count(status);
    d.left_us = weir_member_named(status, "left_us");
    if (cut) d.rate = weir_progress_rate(&view->progress, d.counts.done, d.now_us);
    const weir_value *workflow = weir_member_named(status, "workflow");
    if (workflow) {
        put_header(&d, summary);
        lines += put_workflow(&d, workflow, weir_member_named(status, "unlisted"), rows);
        weir_value_unref(summary);
        return lines;
    }
    read_nodes(&d, summary);
    size_t hidden = choose_nodes(&d, rows);
    if (cut && (hidden || summary != status))
        weir_progress_announce(&view->progress, status, view->color, out);
    put_header(&d, summary);
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
    weir_value_unref(summary);
    return lines;
}

void weir_view_init(weir_view *view, int fd, bool no_color) {
    const char *term = getenv("TERM"), *refused = getenv("NO_COLOR");
    *view = (weir_view){.fd = fd};
    view->terminal = isatty(fd) && term && *term && strcmp(term, "dumb") != 0;
    view->color = view->terminal && !no_color && !(refused && *refused);
}

void weir_view_deinit(weir_view *view) {
    weir_progress_deinit(&view->progress);
    weir_buffer_deinit(&view->note);
}

/* As one synchronized update (the private mode 2026 of terminals; others ignore it), nothing flickers. */
void weir_view_draw(weir_view *view, const weir_value *status, weir_buffer *out) {
    weir_value *told = weir_waiting_tell(status, true);
    weir_buffer_text(out, "\033[?2026h");
    if (view->drawn) weir_buffer_printf(out, "\033[%zuA", view->drawn);
    size_t before = view->drawn;
    view->drawn = draw(view, told, true, out);
    weir_value_unref(told);
    if (view->note.length) {
        weir_buffer_str_append(out, weir_buffer_str(&view->note));
        weir_buffer_text(out, "\033[K\n");
        view->drawn++;
    }
    if (before > view->drawn) weir_buffer_text(out, "\033[J");
    weir_buffer_text(out, "\033[?2026l");
}

void weir_view_erase(weir_view *view, weir_buffer *out) {
    if (view->drawn) weir_buffer_printf(out, "\033[%zuA\033[J", view->drawn);
    view->drawn = 0;
}

void weir_view_keep(weir_view *view, const weir_value *status, weir_buffer *out) {
    weir_view_erase(view, out);
    draw(view, status, false, out);
}
