#include "artifact/work.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/descriptor.h"

void weir__work_init(weir__work *w, const char *what, const weir_artifact_limits *limits,
                     const atomic_bool *cancelled, weir_error *error) {
    *w = (weir__work){.what = what,
                      .limits = *limits,
                      .depth_max = WEIR_ARTIFACT_DEPTH_MAX,
                      .cancelled = cancelled,
                      .piece = weir_alloc(WEIR__PIECE_BYTES),
                      .error = error};
    if (!w->limits.bytes_max) w->limits.bytes_max = WEIR_ARTIFACT_BYTES_MAX;
    if (!w->limits.files_max) w->limits.files_max = WEIR_ARTIFACT_FILES_MAX;
}

void weir__work_deinit(weir__work *w) {
    if (w->hash) w->sha256->end(w->hash);
    weir_free(w->piece);
}

bool weir__work_hash(weir__work *w) {
    if (!weir__sha256_open(&w->sha256, w->error)) return false;
    w->hash = w->sha256->begin();
    return true;
}

void weir__work_digest(weir__work *w, char out[static WEIR__SHA256_LETTERS + 1]) {
    unsigned char digest[WEIR__SHA256_BYTES];
    w->sha256->take(w->hash, digest);
    weir__sha256_format(digest, out);
}

bool weir__work_failed(const weir__work *w, const char *doing) {
    int reason = errno;
    weir_fail(w->error, WEIR_IO, "`%s`: %s: %s", w->what, doing, strerror(reason));
    if (reason == ENOSPC || reason == EDQUOT) weir_error_hint(w->error, "make room on the disk");
    return false;
}

static bool goes_on(const weir__work *w) {
    const weir_carrying *c = w->carrying;
    if (c && c->progress && !c->progress(c->arg, w->files))
        return weir_fail(w->error, WEIR_CANCELLED, "it was ended before it was whole");
    return !w->cancelled || !atomic_load_explicit(w->cancelled, memory_order_relaxed) ||
           weir_fail(w->error, WEIR_CANCELLED, "`%s`: it was told to end", w->what);
}

static bool too_much(const weir__work *w, uint64_t most, const char *what, const char *setting) {
    weir_fail(w->error, WEIR_LIMIT, "`%s` has more than %llu %s", w->what, (unsigned long long)most,
              what);
    weir_error_hint(w->error, "the setting %s allows more or less", setting);
    return false;
}

bool weir__work_file(weir__work *w) {
    if (++w->files > w->limits.files_max)
        return too_much(w, w->limits.files_max, "files", "artifacts.files");
    return goes_on(w);
}

bool weir__work_bytes(weir__work *w, uint64_t count) {
    if (count > w->limits.bytes_max - w->bytes)
        return too_much(w, w->limits.bytes_max, "bytes", "artifacts.size");
    w->bytes += count;
    return goes_on(w);
}

bool weir__work_read(weir__work *w, int fd, size_t *got) {
    ssize_t count;
    do count = read(fd, w->piece, WEIR__PIECE_BYTES);
    while (count < 0 && errno == EINTR);
    if (count < 0) return weir__work_failed(w, "it cannot be read");
    *got = (size_t)count;
    return true;
}

bool weir__work_write(weir__work *w, int fd, const void *data, size_t length) {
    if (w->hash) w->sha256->add(w->hash, data, length);
    return weir_descriptor_write(fd, (weir_str){data, length}) ||
           weir__work_failed(w, "it cannot be written");
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

bool weir__names_read(weir__work *w, int folder, weir_arena *arena, weir__names *out) {
    int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = copy >= 0 ? fdopendir(copy) : NULL;
    if (!stream) {
        if (copy >= 0) close(copy);
        return weir__work_failed(w, "a folder cannot be read");
    }
    bool ok = true;
    for (const struct dirent *entry; ok && (errno = 0, entry = readdir(stream));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        ok = weir__work_file(w);
        *weir_vector_push(out) = weir_str_copy(arena, weir_str_from(entry->d_name));
    }
    if (ok && errno) ok = weir__work_failed(w, "a folder cannot be read");
    closedir(stream);
    if (out->count) qsort(out->items, out->count, sizeof *out->items, compare_names);
    return ok;
}

weir__letters weir__letters_begin(void) {
    weir__letters letters = {newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0), (locale_t)0};
    if (letters.utf8) letters.before = uselocale(letters.utf8);
    return letters;
}

void weir__letters_end(weir__letters letters) {
    if (!letters.utf8) return;
    uselocale(letters.before);
    freelocale(letters.utf8);
}
