/* A run as a tree in text, once or redrawn on a terminal. One thread. */
#ifndef WEIR_CLI_VIEW_H
#define WEIR_CLI_VIEW_H

#include <weir/weir.h>

#include "cli/progress.h"

enum { WEIR_VIEW_APART_US = 50 * 1000 }; /* between two drawings: 20 a second */

typedef struct weir_view {
    int fd;
    bool terminal; /* the tree is redrawn in place, at most as large as the terminal */
    bool color;
    size_t drawn; /* lines that the next drawing replaces */
    weir_progress progress;
    weir_buffer note; /* a line below a tree that is redrawn; empty: none */
} weir_view;

/* Frees what drawing took; one that never drew took nothing. */
void weir_view_deinit(weir_view *view);
/* Asks whether `fd` is a terminal that can move its cursor; colours unless NO_COLOR or `no_color`. */
void weir_view_init(weir_view *view, int fd, bool no_color);
/* A run's status (see weir_run_status), of a workflow with Argo's object as `workflow`, which is then what the tree is of. New
 * reference. */
weir_value *weir_view_status(const weir_run *run);
/* The same, as far as the next drawing has room for it. */
weir_value *weir_view_glance(const weir_view *view, const weir_run *run);
/* Appends the tree of such a status in place of the one drawn before. */
void weir_view_draw(weir_view *view, const weir_value *status, weir_buffer *out);
/* Appends what removes the tree, so that other lines can be written. */
void weir_view_erase(weir_view *view, weir_buffer *out);
/* Appends the tree, in place of the one drawn before, to stay: whole lines, however wide. */
void weir_view_keep(weir_view *view, const weir_value *status, weir_buffer *out);

/* Microseconds since 1970. */
uint64_t weir_view_now(void);

#endif
