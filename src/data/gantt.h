/* A course of steps in time, a bar each (Gantt's charts): as an SVG picture and as lines of a terminal. Rows are drawn in their order. Pure; any thread;
 * texts are borrowed, and whatever somebody wrote. */
#ifndef WEIR_DATA_GANTT_H
#define WEIR_DATA_GANTT_H

#include "base/text.h"
#include "base/vector.h"

enum { WEIR_GANTT_LINES_MAX = 60, WEIR_GANTT_ROWS_MAX = 1000 }; /* that are drawn */

typedef struct weir_gantt_row {
    weir_str name, about;
    uint64_t begin_us, end_us;
    bool strong; /* to be seen first */
} weir_gantt_row;

typedef struct weir_gantt {
    weir_str title;
    WEIR_VECTOR(weir_gantt_row) rows;
} weir_gantt;

void weir_gantt_deinit(weir_gantt *gantt);
/* So many columns at most, 40 at least; `color` for a terminal, `ascii`: no box characters. */
void weir_gantt_text(const weir_gantt *gantt, uint32_t columns, bool color, bool ascii,
                     weir_buffer *out);
void weir_gantt_svg(const weir_gantt *gantt, weir_buffer *out);

#endif
