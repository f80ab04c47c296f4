#include "cli/tabs.h"

#include "cli/output.h"

void weir_tabs_line(weir_tabs *tabs) {
    *weir_vector_push(&tabs->lines) = tabs->cells.count;
}

weir_buffer *weir_tabs_cell(weir_tabs *tabs) {
    *weir_vector_push(&tabs->cells) = (struct weir_tabs_cell){.from = tabs->text.length};
    return &tabs->text;
}

void weir_tabs_add(weir_tabs *tabs, weir_str text) {
    weir_output_plain(weir_tabs_cell(tabs), text);
}

static size_t cells_end(const weir_tabs *tabs, size_t line) {
    return line + 1 < tabs->lines.count ? tabs->lines.items[line + 1] : tabs->cells.count;
}

static weir_str text_of(const weir_tabs *tabs, size_t cell) {
    size_t from = tabs->cells.items[cell].from;
    size_t to = cell + 1 < tabs->cells.count ? tabs->cells.items[cell + 1].from : tabs->text.length;
    return weir_str_slice(weir_buffer_str(&tabs->text), from, to);
}

/* Characters, without the sequences that colour them. */
static uint32_t width_of(weir_str text) {
    uint32_t width = 0;
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] == '\033')
            while (i < text.length && text.data[i] != 'm') i++;
        else
            width += ((unsigned char)text.data[i] & 0xc0) != 0x80;
    }
    return width;
}

/* Whether the line has a cell in the column that another follows. */
static bool is_padded(const weir_tabs *tabs, size_t line, size_t column) {
    return tabs->lines.items[line] + column + 1 < cells_end(tabs, line);
}

/* Lines that are next to each other and have the column share its width; false when no line has it. */
static bool widen(weir_tabs *tabs, size_t column) {
    bool any = false;
    for (size_t line = 0; line < tabs->lines.count;) {
        uint32_t width = 0;
        size_t end = line;
        for (; end < tabs->lines.count && is_padded(tabs, end, column); end++) {
            const struct weir_tabs_cell *cell = &tabs->cells.items[tabs->lines.items[end] + column];
            if (cell->width > width) width = cell->width;
        }
        if (tabs->steady && column < WEIR_TABS_STEADY && end > line) {
            if (tabs->widths[column] > width) width = tabs->widths[column];
            tabs->widths[column] = width;
        }
        for (size_t i = line; i < end; i++)
            tabs->cells.items[tabs->lines.items[i] + column].column = width + tabs->padding;
        any = any || end > line;
        line = end > line ? end : line + 1;
    }
    return any;
}

void weir_tabs_print(weir_tabs *tabs, weir_buffer *out) {
    for (size_t i = 0; i < tabs->cells.count; i++)
        tabs->cells.items[i].width = width_of(text_of(tabs, i));
    for (size_t column = 0; widen(tabs, column); column++) {
    }
    for (size_t line = 0; line < tabs->lines.count; line++) {
        for (size_t i = tabs->lines.items[line]; i < cells_end(tabs, line); i++) {
            const struct weir_tabs_cell *cell = &tabs->cells.items[i];
            weir_buffer_str_append(out, text_of(tabs, i));
            size_t blanks = cell->column > cell->width ? cell->column - cell->width : 0;
            weir_buffer_reserve(out, blanks);
            for (size_t n = 0; n < blanks; n++) weir_buffer_byte(out, ' ');
        }
        weir_buffer_byte(out, '\n');
    }
    weir_buffer_clear(&tabs->text);
    tabs->cells.count = tabs->lines.count = 0;
}

void weir_tabs_deinit(weir_tabs *tabs) {
    weir_buffer_deinit(&tabs->text);
    weir_vector_deinit(&tabs->cells);
    weir_vector_deinit(&tabs->lines);
}
