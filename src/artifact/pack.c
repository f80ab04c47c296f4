#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "artifact/work.h"

enum { LINK_BYTES = 4096 };

typedef struct packing {
    weir__work *work;
    const weir__archive_functions *library;
    weir__archive *archive;
    int to;
    weir_buffer path; /* in the archive */
    bool stopped;     /* the error says why already */
} packing;

static bool write_out(void *arg, const void *data, size_t length) {
    packing *p = arg;
    if (weir__work_write(p->work, p->to, data, length)) return true;
    p->stopped = true;
    return false;
}

static bool said(const packing *p, bool ok) {
    if (!ok && !p->stopped)
        weir_error_context(p->work->error, "`%s` cannot be packed", p->work->what);
    return ok;
}

static bool add_entry(packing *p, weir__archive_kind kind, const struct stat *info,
                      const char *link) {
    const weir__archive_item item = {
        .name = p->path.data,
        .link = link,
        .kind = kind,
        .mode = info->st_mode & 0777,
        .modified_s = info->st_mtim.tv_sec,
        .size = kind == WEIR__ARCHIVE_FILE ? (uint64_t)info->st_size : 0,
    };
    return said(p, p->library->add(p->archive, &item, p->work->error));
}

/* What grows meanwhile is cut, and of what shrinks zeros are packed: an entry says first how long it is. */
static bool put_bytes(packing *p, int from, uint64_t size) {
    weir__work *w = p->work;
    while (size) {
        size_t got;
        if (!weir__work_read(w, from, &got)) return false;
        if (!got) memset(w->piece, 0, got = WEIR__PIECE_BYTES);
        if (got > size) got = (size_t)size;
        if (!weir__work_bytes(w, got) ||
            !said(p, p->library->put(p->archive, w->piece, got, w->error)))
            return false;
        size -= got;
    }
    return true;
}

/* Takes `from` over. */
static bool pack_file(packing *p, int from, const struct stat *info) {
    bool ok = (uint64_t)info->st_size <= p->work->limits.bytes_max - p->work->bytes ||
              weir__work_bytes(p->work, (uint64_t)info->st_size);
    ok = ok && add_entry(p, WEIR__ARCHIVE_FILE, info, NULL) &&
         put_bytes(p, from, (uint64_t)info->st_size);
    close(from);
    return ok;
}

/* What goes while a tree is carried, or may not be read, does not keep the rest. */
static bool pass_over(weir__work *w, const char *name) {
    bool closed = errno == EACCES || errno == EPERM;
    if (!w->carried || !(closed || errno == ENOENT)) return weir__work_failed(w, name);
    w->left_out += closed;
    w->files--;
    return true;
}

static bool pack_link(packing *p, int folder, const char *name, const struct stat *info) {
    char target[LINK_BYTES];
    ssize_t length = readlinkat(folder, name, target, sizeof target - 1);
    if (length < 0) return pass_over(p->work, name);
    target[length] = '\0';
    return add_entry(p, WEIR__ARCHIVE_LINK, info, target);
}

static bool pack_folder(packing *p, int from, const struct stat *info, int depth);

static bool pack_below(packing *p, int folder, const char *name, int depth) {
    weir__work *w = p->work;
    struct stat info;
    const weir_carrying *carrying = w->carrying;
    if (carrying && carrying->leaves && carrying->leaves(name, depth - 1)) {
        w->files--;
        return true;
    }
    if (fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) < 0) return pass_over(w, name);
    if (S_ISLNK(info.st_mode)) return pack_link(p, folder, name, &info);
    w->left_out += !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode);
    if (!S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode)) return true;
    int fd = openat(folder, name, WEIR__FILE_FLAGS);
    if (fd < 0 || fstat(fd, &info) < 0) {
        int reason = errno;
        if (fd >= 0) close(fd);
        errno = reason;
        return pass_over(w, name);
    }
    return S_ISDIR(info.st_mode) ? pack_folder(p, fd, &info, depth) : pack_file(p, fd, &info);
}

/* Takes `from` over. */
static bool pack_folder(packing *p, int from, const struct stat *info, int depth) {
    weir__work *w = p->work;
    weir_arena arena = {0};
    weir__names names = {0};
    size_t before = p->path.length;
    weir_buffer_byte(&p->path, '/');
    bool ok =
        depth <= w->depth_max ||
        weir_fail(w->error, WEIR_LIMIT, "`%s` is deeper than %d folders", w->what, w->depth_max);
    ok = ok && add_entry(p, WEIR__ARCHIVE_FOLDER, info, NULL) &&
         weir__names_read(w, from, &arena, &names);
    for (size_t i = 0; ok && i < names.count; i++) {
        size_t inner = p->path.length;
        weir_buffer_text(&p->path, names.items[i]);
        ok = pack_below(p, from, names.items[i], depth + 1);
        p->path.length = inner;
        p->path.data[inner] = '\0';
    }
    p->path.length = before;
    p->path.data[before] = '\0';
    close(from);
    weir_vector_deinit(&names);
    weir_arena_deinit(&arena);
    return ok;
}

/* Takes `from` over. */
static bool pack_all(packing *p, int from, const struct stat *info) {
    bool folder = S_ISDIR(info->st_mode);
    if (!folder && !weir__work_file(p->work)) {
        close(from);
        return false;
    }
    return (folder ? pack_folder(p, from, info, 0) : pack_file(p, from, info)) &&
           said(p, p->library->finish(p->archive, p->work->error));
}

bool weir__pack(weir__work *w, int from, const char *name, weir__archive_form form, int level,
                int to) {
    struct stat info;
    packing p = {.work = w, .to = to};
    weir__archive_sink sink = {write_out, &p};
    weir__letters letters = weir__letters_begin();
    bool ok = weir__archive_open(&p.library, w->error) &&
              (fstat(from, &info) == 0 || weir__work_failed(w, "it cannot be read")) &&
              said(&p, p.library->pack(&sink, form, level, &p.archive, w->error));
    weir_buffer_text(&p.path, *name ? name : "root"); /* the attempt's own root has no name */
    if (ok)
        ok = pack_all(&p, from, &info);
    else
        close(from);
    if (p.archive) p.library->close(p.archive);
    weir__letters_end(letters);
    weir_buffer_deinit(&p.path);
    return ok;
}
