/* What the logs on disk say. After cmocka.h. */
#ifndef WEIR_TESTS_LOG_TEXT_H
#define WEIR_TESTS_LOG_TEXT_H

#include <unistd.h>

#include "executor/log.h"

static bool append_lines(void *arg, weir_str lines) {
    weir_buffer_str_append(arg, lines);
    return true;
}

/* Appends what a task's attempts wrote; false: nothing. */
static bool read_log_of(const char *directory, const char *run, weir_task_id task,
                        weir_buffer *out) {
    weir_log_files files = {0};
    bool found = false;
    int folder = weir_logs_open(directory, weir_str_from(run));
    if (folder < 0) return false;
    weir_logs_list(folder, &files);
    for (size_t i = 0; i < files.count; i++) {
        const weir_log_file *file = &files.items[i];
        if (file->task != task) continue;
        found = true;
        assert_int_equal(weir_log_visit(folder, file, 0, true, append_lines, out), file->size);
    }
    weir_vector_deinit(&files);
    close(folder);
    return found;
}

#endif
