#include "cli/image_progress.h"

#include <inttypes.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "base/size.h"
#include "base/time.h"
#include "cli/output.h"
#include "cli/view.h"

enum { COLUMNS_ELSE = 80, LEFT_S_MAX = 100 * 24 * 3600, NEWS_US = 1000 * 1000 };

void weir_image_bar_init(weir_image_bar *bar, const char *about) {
    weir_view view;
    weir_view_init(&view, STDERR_FILENO, true);
    *bar = (weir_image_bar){.about = about, .terminal = view.terminal, .busy = ATOMIC_FLAG_INIT};
}

void weir_image_bar_format(weir_image_bar *bar, const char *what, uint64_t done, uint64_t total,
                           uint32_t parts, uint32_t parts_total, uint64_t now_us, size_t columns,
                           weir_buffer *out) {
    char size[24], all[24], rate_text[24], left[24];
    if (bar->what != what) bar->progress.sample_count = 0;
    bar->what = what;
    double rate = weir_progress_rate(&bar->progress, done, now_us);
    weir_buffer behind = {0};
    weir_buffer_printf(&behind, ": %s", weir_size_format(done, size));
    if (total) weir_buffer_printf(&behind, " of %s", weir_size_format(total, all));
    if (parts_total)
        weir_buffer_printf(&behind, ", %" PRIu32 " of %" PRIu32 " layers", parts, parts_total);
    if (rate > 0)
        weir_buffer_printf(&behind, ", %s/s", weir_size_format((uint64_t)rate, rate_text));
    if (rate > 0 && total > done && (double)(total - done) / rate < LEFT_S_MAX)
        weir_buffer_printf(
            &behind, ", %s left",
            weir_duration_format((uint64_t)((double)(total - done) / rate * 1e6), left));
    size_t from = out->length;
    weir_buffer_printf(out, "%s %s", what, bar->about);
    weir_output_clean(out, from);
    size_t most = columns > behind.length ? columns - behind.length : 0;
    if (out->length - from > most) weir_buffer_cut(out, from + most);
    weir_buffer_str_append(out, weir_buffer_str(&behind));
    weir_buffer_deinit(&behind);
}

void weir_image_bar_show(weir_image_bar *bar, const char *what, uint64_t done, uint64_t total,
                         uint32_t parts, uint32_t parts_total) {
    struct winsize size;
    if (!bar->terminal || atomic_flag_test_and_set(&bar->busy)) return;
    bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
    weir_buffer line = {0};
    weir_buffer_text(&line, "\r\x1b[K");
    weir_image_bar_format(bar, what, done, total, parts, parts_total, weir_view_now(),
                          (known ? size.ws_col : COLUMNS_ELSE) - 1u, &line);
    bar->drawn = true;
    (void)!weir_descriptor_write(STDERR_FILENO, weir_buffer_str(&line));
    weir_buffer_deinit(&line);
    atomic_flag_clear(&bar->busy);
}

void weir_image_bar_erase(weir_image_bar *bar) {
    if (bar->drawn) (void)!weir_descriptor_write(STDERR_FILENO, WEIR_STR("\r\x1b[K"));
    bar->drawn = false;
}

void weir_image_news_note(void *arg, const char *what, uint64_t done, uint64_t total,
                          uint32_t parts, uint32_t parts_total) {
    weir_image_news *news = arg;
    news->done = done;
    news->total = total;
    news->parts = parts;
    news->parts_total = parts_total;
    news->at_us = weir_view_now();
    news->what = what;
}

void weir_image_news_line(weir_image_news *news, uint64_t now_us, size_t columns,
                          weir_buffer *line) {
    const char *what = news->what;
    weir_buffer_clear(line);
    if (!what || now_us > news->at_us + NEWS_US) return;
    news->bar.about = "an image";
    weir_image_bar_format(&news->bar, what, news->done, news->total, news->parts, news->parts_total,
                          now_us, columns, line);
}
