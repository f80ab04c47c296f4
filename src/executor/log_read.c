#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "executor/log.h"

enum {
    PIECE_BYTES = 128 * 1024, /* twice the longest line */
    NAME_BYTES = 32
};

int weir_logs_open(const char *directory, weir_str run) {
    if (!run.length || run.data[0] == '.' || memchr(run.data, '/', run.length)) return -1;
    weir_buffer path = {0};
    weir_buffer_printf(&path, "%s/%.*s", directory, WEIR_ARG(run));
    int folder = open(path.data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    weir_buffer_deinit(&path);
    return folder;
}

static int compare_files(const void *left, const void *right) {
    const weir_log_file *a = left, *b = right;
    if (a->task != b->task) return a->task < b->task ? -1 : 1;
    return (a->number > b->number) - (a->number < b->number);
}

/* "TASK.NUMBER.log" */
static bool read_name(const char *name, weir_log_file *out) {
    char *end;
    unsigned long task = strtoul(name, &end, 10);
    if (end == name || *end != '.' || task > UINT32_MAX) return false;
    const char *second = end + 1;
    unsigned long number = strtoul(second, &end, 10);
    if (end == second || strcmp(end, ".log") != 0 || number > UINT32_MAX) return false;
    *out = (weir_log_file){.task = (weir_task_id)task, .number = (uint32_t)number};
    return true;
}

void weir_logs_list(int folder, weir_log_files *out) {
    struct stat info;
    weir_log_file file;
    out->count = 0;
    int again = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = again < 0 ? NULL : fdopendir(again);
    if (!stream && again >= 0) close(again);
    if (!stream) return;
    for (const struct dirent *entry; (entry = readdir(stream));) {
        if (!read_name(entry->d_name, &file) ||
            fstatat(folder, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) < 0 ||
            !S_ISREG(info.st_mode))
            continue;
        file.size = (uint64_t)info.st_size;
        *weir_vector_push(out) = file;
    }
    closedir(stream);
    if (out->count) qsort(out->items, out->count, sizeof *out->items, compare_files);
}

static void name_file(weir_task_id task, uint32_t number, char name[static NAME_BYTES]) {
    snprintf(name, NAME_BYTES, "%u.%u.log", task, number);
}

void weir_log_remove(int folder, weir_task_id task, uint32_t number) {
    char name[NAME_BYTES];
    name_file(task, number, name);
    (void)unlinkat(folder, name, 0); /* most have none */
}

static int open_file(int folder, const weir_log_file *file) {
    char name[NAME_BYTES];
    name_file(file->task, file->number, name);
    return openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

/* How much was read; 0 at the end, and when it cannot be. */
static size_t read_at(int fd, char *out, size_t length, uint64_t at) {
    size_t done = 0;
    while (done < length) {
        ssize_t count = pread(fd, out + done, length - done, (off_t)(at + done));
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) break;
        done += (size_t)count;
    }
    return done;
}

uint64_t weir_log_last(int folder, const weir_log_file *file, uint64_t *lines) {
    char *piece = weir_alloc(PIECE_BYTES);
    int fd = *lines ? open_file(folder, file) : -1;
    uint64_t begin = *lines ? 0 : file->size, at = fd >= 0 ? file->size : 0;
    bool last = true; /* the end of the last line ends nothing before it */
    while (at && *lines) {
        size_t length = at < PIECE_BYTES ? (size_t)at : PIECE_BYTES;
        at -= length;
        length = read_at(fd, piece, length, at);
        for (size_t i = length; i > 0 && *lines; i--) {
            if (piece[i - 1] == '\n' && !last && --*lines == 0) begin = at + i;
            last = false;
        }
    }
    if (!last && *lines) --*lines; /* its first line */
    if (fd >= 0) close(fd);
    weir_free(piece);
    return begin;
}

/* Where the last whole line ends; all of it at the end of the file, if that counts, and when there is no room for the rest
 * of a line. */
static size_t whole_lines(const char *piece, size_t length, bool end) {
    size_t whole = length;
    if (end && length < PIECE_BYTES) return length;
    while (whole && piece[whole - 1] != '\n') whole--;
    return whole || length < PIECE_BYTES ? whole : length;
}

uint64_t weir_log_visit(int folder, const weir_log_file *file, uint64_t from, bool end,
                        bool (*visit)(void *arg, weir_str lines), void *arg) {
    int fd = open_file(folder, file);
    if (fd < 0) return from;
    char *piece = weir_alloc(PIECE_BYTES);
    for (bool more = true; more;) {
        size_t length = read_at(fd, piece, PIECE_BYTES, from);
        size_t whole = whole_lines(piece, length, end);
        if (!whole) break;
        from += whole;
        more = visit(arg, (weir_str){piece, whole});
    }
    weir_free(piece);
    close(fd);
    return from;
}
