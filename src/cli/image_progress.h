/* How far a pull, an import or an export is, as one line of a terminal that is drawn anew: bytes, layers, rate, time left. */
#ifndef WEIR_CLI_IMAGE_PROGRESS_H
#define WEIR_CLI_IMAGE_PROGRESS_H

#include <stdatomic.h>

#include "cli/progress.h"

typedef struct weir_image_bar {
    const char *about; /* the image, or the file; borrowed */
    bool terminal;     /* else nothing is drawn */
    bool drawn;
    atomic_flag busy; /* one thread at a time draws, another's is left out */
    const char *what;
    weir_progress progress; /* of what; only its samples */
} weir_image_bar;

/* Asks whether standard error is a terminal. */
void weir_image_bar_init(weir_image_bar *bar, const char *about);
/* Draws it; any thread. Parameters as of weir_images.progress. */
void weir_image_bar_show(weir_image_bar *bar, const char *what, uint64_t done, uint64_t total,
                         uint32_t parts, uint32_t parts_total);
/* Removes the line, if there is one. */
void weir_image_bar_erase(weir_image_bar *bar);
/* What the line says; about is cut so that it has at most so many columns. */
void weir_image_bar_format(weir_image_bar *bar, const char *what, uint64_t done, uint64_t total,
                           uint32_t parts, uint32_t parts_total, uint64_t now_us, size_t columns,
                           weir_buffer *out);

/* The same of images that come while a run goes on: noted on any thread, and looked at by the one that draws. */
typedef struct weir_image_news {
    _Atomic(const char *) what; /* NULL: nothing came yet */
    _Atomic uint64_t done, total, at_us;
    _Atomic uint32_t parts, parts_total;
    weir_image_bar bar;
} weir_image_news;

/* As weir_images.progress; `arg` is the news. */
void weir_image_news_note(void *arg, const char *what, uint64_t done, uint64_t total,
                          uint32_t parts, uint32_t parts_total);
/* Replaces the line by what was noted of late; it is empty when nothing was. */
void weir_image_news_line(weir_image_news *news, uint64_t now_us, size_t columns,
                          weir_buffer *line);

#endif
