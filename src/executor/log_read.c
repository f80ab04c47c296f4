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
    TIMES_BYTES_MAX = 16 * 1024 * 1024,
    NAME_BYTES = 32 + WEIR_CONTAINER_NAME_BYTES_MAX
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
    if (a->number != b->number) return a->number < b->number ? -1 : 1;
    return strcmp(a->container, b->container);
}

/* "TASK.NUMBER.log" or "TASK.NUMBER.CONTAINER.log" */
static bool read_name(const char *name, weir_log_file *out) {
    char *end;
    unsigned long task = strtoul(name, &end, 10);
    if (end == name || *end != '.' || task > UINT32_MAX) return false;
    const char *second = end + 1;
    unsigned long number = strtoul(second, &end, 10);
    size_t length = strlen(end);
    if (end == second || number > UINT32_MAX || length < 4 || strcmp(end + length - 4, ".log") != 0)
        return false;
    *out = (weir_log_file){.task = (weir_task_id)task, .number = (uint32_t)number};
    if (length == 4) return true;
    length -= 5; /* ".CONTAINER" */
    if (*end != '.' || !length || length >= sizeof out->container) return false;
    memcpy(out->container, end + 1, length);
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
        file.changed_us =
            (uint64_t)info.st_mtim.tv_sec * 1000000 + (uint64_t)info.st_mtim.tv_nsec / 1000;
        *weir_vector_push(out) = file;
    }
    closedir(stream);
    if (out->count) qsort(out->items, out->count, sizeof *out->items, compare_files);
}

static void name_file(const weir_log_file *file, char name[static NAME_BYTES]) {
    snprintf(name, NAME_BYTES, "%u.%u%s%s.log", file->task, file->number,
             file->container[0] ? "." : "", file->container);
}

static void name_times(const weir_log_file *file, char name[static NAME_BYTES + 2]) {
    name_file(file, name);
    memcpy(name + strlen(name) - strlen("log"), "times", sizeof "times");
}

void weir_log_remove(int folder, weir_task_id task, uint32_t number) {
    char name[NAME_BYTES + 2];
    const weir_log_file file = {.task = task, .number = number};
    name_file(&file, name);
    (void)unlinkat(folder, name, 0); /* most have none */
    name_times(&file, name);
    (void)unlinkat(folder, name, 0);
}

/* Lines "FROM TIME"; where they are not as they should be, they end. */
static void parse_times(weir_str text, weir_log_times *out) {
    for (size_t at = 0, end; at < text.length; at = end + 1) {
        end = weir_str_find(text, WEIR_STR("\n"), at);
        if (end == SIZE_MAX) return;
        char *rest, *last;
        uint64_t from = strtoull(text.data + at, &rest, 10), time_us = strtoull(rest, &last, 10);
        const weir_log_time *before = out->count ? &out->items[out->count - 1] : NULL;
        if (last != text.data + end || (before ? from <= before->from : from != 0)) return;
        *weir_vector_push(out) = (weir_log_time){from, time_us};
    }
}

void weir_log_times_read(int folder, const weir_log_file *file, weir_log_times *out) {
    char name[NAME_BYTES + 2];
    weir_buffer text = {0};
    out->count = 0;
    name_times(file, name);
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    for (ssize_t count = 1; fd >= 0 && count > 0 && text.length < TIMES_BYTES_MAX;) {
        weir_buffer_reserve(&text, PIECE_BYTES);
        count = read(fd, text.data + text.length, PIECE_BYTES);
        if (count > 0) text.length += (size_t)count;
        text.data[text.length] = '\0';
    }
    if (fd >= 0) close(fd);
    parse_times(weir_buffer_str(&text), out);
    if (!out->count) *weir_vector_push(out) = (weir_log_time){0, file->changed_us};
    weir_buffer_deinit(&text);
}

static int open_file(int folder, const weir_log_file *file) {
    char name[NAME_BYTES];
    name_file(file, name);
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
