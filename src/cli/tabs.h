/* Lines of cells, written so that they stand in columns, as Go's text/tabwriter does it: a cell that another follows in its line is
 * padded, to the widest of the lines next to it which have such a cell there; the last cell of a line is not. Widths are counted in
 * characters, without colours. One thread. */
#ifndef WEIR_CLI_TABS_H
#define WEIR_CLI_TABS_H

#include "base/text.h"
#include "base/vector.h"

enum { WEIR_TABS_STEADY = 16 }; /* columns that can be */

struct weir_tabs_cell {
    size_t from;
    uint32_t width, column; /* its own; that of its column, padding included */
};

typedef struct weir_tabs {
    weir_buffer text; /* of all cells */
    WEIR_VECTOR(struct weir_tabs_cell) cells;
    WEIR_VECTOR(size_t) lines; /* where the cells of each begin */
    uint32_t padding;          /* blanks behind the widest cell of a column; set by the caller */
    bool steady; /* set by the caller: no column is narrower than in the lines printed before */
    uint32_t widths[WEIR_TABS_STEADY]; /* of those */
} weir_tabs;

/* Begins a line; then the cells of it. */
void weir_tabs_line(weir_tabs *tabs);
/* Begins a cell, which is appended to the buffer returned: no controls but colours. */
weir_buffer *weir_tabs_cell(weir_tabs *tabs);
/* The same of a cell that is this text, whose controls become blanks. */
void weir_tabs_add(weir_tabs *tabs, weir_str text);
/* Appends the lines and empties the tabs. */
void weir_tabs_print(weir_tabs *tabs, weir_buffer *out);
void weir_tabs_deinit(weir_tabs *tabs);

#endif
