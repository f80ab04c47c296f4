/* From an archive to files. All is unpacked into a folder of its own, and only when all of it is sound a part of it, or all, gets the name
 * that is wanted. No link is made before the end, and none is followed. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "artifact/work.h"

typedef struct link_entry {
    const char *name, *target;
} link_entry;

typedef struct unpacking {
    weir__work *work;
    const weir__archive_functions *library;
    weir__archive *archive;
    int root;
    weir_arena arena; /* names */
    WEIR_VECTOR(link_entry) links;
} unpacking;

static bool refuse(const unpacking *u, const char *name, const char *why) {
    return weir_fail(u->work->error, WEIR_INVALID, "`%s`: `%.200s` in it %s", u->work->what,
                     name ? name : "a name that cannot be read", why);
}

/* The name below the folder, without empty parts and ".", in the arena; "" is the folder itself. NULL: refused. */
static char *clean_name(unpacking *u, const char *name) {
    if (!name || name[0] == '/') {
        refuse(u, name, "is an absolute path");
        return NULL;
    }
    size_t kept = 0;
    int depth = 0;
    char *clean = weir_arena_alloc(&u->arena, strlen(name) + 1);
    for (const char *part = name; *part; part += strspn(part, "/")) {
        size_t size = strcspn(part, "/");
        bool up = size == 2 && memcmp(part, "..", 2) == 0;
        if (up || ++depth > u->work->depth_max) {
            refuse(u, name, up ? "leads out of it" : "is too many folders deep");
            return NULL;
        }
        if (size != 1 || *part != '.') {
            if (kept) clean[kept++] = '/';
            memcpy(clean + kept, part, size);
            kept += size;
        }
        part += size;
    }
    clean[kept] = '\0';
    return clean;
}

/* The folder that the name is in, made where it is not there; -1. Nothing but folders is there before the links are made, so nothing is
 * followed. */
static int open_above(const unpacking *u, char *name, const char **last) {
    int folder = openat(u->root, ".", WEIR__FOLDER_FLAGS);
    char *part = name;
    for (char *slash; folder >= 0 && (slash = strchr(part, '/')); part = slash + 1) {
        *slash = '\0';
        int inner = -1;
        if (mkdirat(folder, part, 0777) == 0 || errno == EEXIST)
            inner = openat(folder, part, WEIR__FOLDER_FLAGS);
        int reason = errno;
        close(folder);
        errno = reason;
        folder = inner;
        *slash = '/';
    }
    *last = part;
    if (folder < 0) refuse(u, name, "is below something that is no folder");
    return folder;
}

/* The same, and nothing has the name in it: one that comes again replaces, as with tar; but no folder. */
static int make_room(const unpacking *u, char *name, const char **last) {
    int folder = open_above(u, name, last);
    if (folder < 0 || unlinkat(folder, *last, 0) == 0 || errno == ENOENT) return folder;
    refuse(u, name, "comes twice, once as a folder");
    close(folder);
    return -1;
}

/* What the library says of it. */
static bool is_damaged(const unpacking *u) {
    weir_error_context(u->work->error, "`%s` is not such an archive, or damaged", u->work->what);
    return false;
}

static bool unpack_bytes(unpacking *u, int to) {
    weir__work *w = u->work;
    for (size_t got = 1; got;) {
        if (!u->library->get(u->archive, w->piece, WEIR__PIECE_BYTES, &got, w->error))
            return is_damaged(u);
        if (!weir__work_bytes(w, got) || !weir__work_write(w, to, w->piece, got)) return false;
    }
    return true;
}

/* Whose content may be written, whatever its mode says. */
static bool unpack_file(unpacking *u, const weir__archive_item *item, char *name) {
    weir__work *w = u->work;
    const char *last;
    if (item->size > w->limits.bytes_max - w->bytes) return weir__work_bytes(w, item->size);
    int folder = make_room(u, name, &last);
    if (folder < 0) return false;
    int to = openat(folder, last, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool ok = (to >= 0 || weir__work_failed(w, "a file cannot be made")) && unpack_bytes(u, to);
    const struct timespec times[2] = {{0, UTIME_OMIT}, {item->modified_s, 0}};
    ok = ok && (fchmod(to, (item->mode & 0777) | S_IRUSR | S_IWUSR) == 0 ||
                weir__work_failed(w, "a mode cannot be set"));
    if (ok) (void)futimens(to, times); /* one that the file system does not know */
    if (to >= 0 && close(to) < 0 && ok) ok = weir__work_failed(w, "it cannot be written");
    close(folder);
    return ok;
}

static bool unpack_folder(unpacking *u, const weir__archive_item *item, char *name) {
    const char *last;
    int folder = open_above(u, name, &last);
    if (folder < 0) return false;
    bool ok = mkdirat(folder, last, 0777) == 0 || errno == EEXIST;
    int inner = ok ? openat(folder, last, WEIR__FOLDER_FLAGS) : -1;
    ok = inner >= 0 ? fchmod(inner, (item->mode & 0777) | S_IRWXU) == 0 ||
                          weir__work_failed(u->work, "a mode cannot be set")
                    : refuse(u, name, "comes twice, once as a folder");
    if (inner >= 0) close(inner);
    close(folder);
    return ok;
}

/* To a file of the archive that came before. */
static bool unpack_hard_link(unpacking *u, const weir__archive_item *item, char *name) {
    const char *last, *target_last;
    struct stat info;
    char *target = clean_name(u, item->link);
    if (!target) return false;
    int folder = make_room(u, name, &last);
    if (folder < 0) return false;
    int above = open_above(u, target, &target_last);
    bool ok = above >= 0 && fstatat(above, target_last, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
              S_ISREG(info.st_mode) && linkat(above, target_last, folder, last, 0) == 0;
    if (above >= 0) close(above);
    close(folder);
    return ok || refuse(u, name, "is a hard link to no file of it");
}

static bool unpack_entry(unpacking *u, const weir__archive_item *item) {
    if (!weir__work_file(u->work)) return false;
    char *name = clean_name(u, item->name);
    if (!name) return false;
    if (!*name)
        return item->kind == WEIR__ARCHIVE_FOLDER || refuse(u, item->name, "is no name of a file");
    switch (item->kind) {
    case WEIR__ARCHIVE_FILE: return unpack_file(u, item, name);
    case WEIR__ARCHIVE_FOLDER: return unpack_folder(u, item, name);
    case WEIR__ARCHIVE_HARD_LINK: return unpack_hard_link(u, item, name);
    case WEIR__ARCHIVE_LINK:
        *weir_vector_push(&u->links) = (link_entry){
            name, weir_str_copy(&u->arena, weir_str_from(item->link ? item->link : ""))};
        return true;
    default: return refuse(u, name, "is neither file, folder nor link");
    }
}

static bool make_links(unpacking *u) {
    for (size_t i = 0; i < u->links.count; i++) {
        const char *last, *target = u->links.items[i].target;
        char *name = weir_str_copy(&u->arena, weir_str_from(u->links.items[i].name));
        if (target[0] == '/' && !u->work->carried)
            return refuse(u, name, "is a link that leads out of it");
        int folder = make_room(u, name, &last);
        if (folder < 0) return false;
        bool ok = symlinkat(target, folder, last) == 0;
        close(folder);
        if (!ok) return refuse(u, name, "is a link that cannot be made");
    }
    return !u->links.count || u->work->carried || weir__tree_links(u->work, u->root);
}

static bool unpack_all(unpacking *u) {
    weir__archive_item item;
    for (bool more = true;;) {
        if (!u->library->look(u->archive, &item, &more, u->work->error)) return is_damaged(u);
        if (!more) return make_links(u);
        if (!unpack_entry(u, &item)) return false;
    }
}

/* --- what of it is wanted ------------------------------------------------------------------- */

/* What an archive of one file or folder means is this. "." else. */
static bool find_top(weir__work *w, int root, weir_buffer *out) {
    weir_arena arena = {0};
    weir__names names = {0};
    uint64_t before = w->files;
    bool ok = weir__names_read(w, root, &arena, &names);
    w->files = before;
    weir_buffer_text(out, ok && names.count == 1 ? names.items[0] : ".");
    weir_vector_deinit(&names);
    weir_arena_deinit(&arena);
    return ok;
}

static bool take_wanted(unpacking *u, const char *part, int folder, const char *from,
                        const char *name) {
    weir__work *w = u->work;
    weir_buffer top = {0};
    if (!find_top(w, u->root, &top)) return false;
    bool whole = strcmp(top.data, ".") == 0, ok;
    if (part && *part) {
        weir_buffer_printf(&top, "/%s", part);
        w->bytes = 0; /* it was counted when it was unpacked */
        ok = weir__tree_part(w, u->root, top.data, folder, name);
    } else {
        ok = renameat(whole ? folder : u->root, whole ? from : top.data, folder, name) == 0 ||
             weir__work_failed(w, "it cannot be moved");
    }
    weir_buffer_deinit(&top);
    return ok;
}

static bool unpack_named(unpacking *u, int fd, weir__archive_form form) {
    weir__letters letters = weir__letters_begin();
    bool ok =
        u->library->unpack(fd, form, &u->archive, u->work->error) ? unpack_all(u) : is_damaged(u);
    if (u->archive) u->library->close(u->archive);
    weir__letters_end(letters);
    return ok;
}

/* Unless a limit was asked for, an archive becomes at most so many times as large as it is, or so large. */
enum { RATIO_MAX = 200 };
#define BOMB_BYTES (UINT64_C(4) << 30)

/* The limit for this archive; 0: the one that holds anyway. */
static uint64_t judge_size(const weir__work *w, int fd) {
    struct stat info;
    bool asked = w->limits.bytes_max != WEIR_ARTIFACT_BYTES_MAX;
    if (asked || w->carried || fstat(fd, &info) < 0) return 0;
    uint64_t most = (uint64_t)info.st_size * RATIO_MAX;
    if (most < BOMB_BYTES) most = BOMB_BYTES;
    return most < w->limits.bytes_max ? most : 0;
}

static bool unpack_judged(unpacking *u, int fd, weir__archive_form form) {
    weir__work *w = u->work;
    uint64_t before = w->limits.bytes_max, most = judge_size(w, fd);
    if (most) w->limits.bytes_max = most;
    bool ok = unpack_named(u, fd, form);
    w->limits.bytes_max = before;
    if (ok || !most || w->error->code != WEIR_LIMIT || w->files > w->limits.files_max) return ok;
    weir_fail(w->error, WEIR_LIMIT, "`%s` would become more than %d times as large as it is",
              w->what, RATIO_MAX);
    weir_error_hint(w->error, "if that is right, the setting artifacts.size allows it");
    return false;
}

bool weir__unpack(weir__work *w, int fd, weir__archive_form form, const char *part, int folder,
                  const char *name) {
    unpacking u = {.work = w, .root = -1};
    weir_buffer from = {0};
    weir_buffer_printf(&from, "%s.unpacked", name);
    bool ok =
        weir__archive_open(&u.library, w->error) &&
        (mkdirat(folder, from.data, 0755) == 0 || weir__work_failed(w, "a folder cannot be made"));
    if (ok) u.root = openat(folder, from.data, WEIR__FOLDER_FLAGS);
    ok = ok && (u.root >= 0 || weir__work_failed(w, "a folder cannot be opened")) &&
         unpack_judged(&u, fd, form) && take_wanted(&u, part, folder, from.data, name);
    if (u.root >= 0) close(u.root);
    weir__tree_remove(folder, from.data);
    weir_vector_deinit(&u.links);
    weir_arena_deinit(&u.arena);
    weir_buffer_deinit(&from);
    return ok;
}

bool weir__unpack_would(int fd, bool *out, weir_error *error) {
    unsigned char magic[2];
    const weir__archive_functions *library;
    weir__archive *archive;
    weir__archive_item item;
    bool more = false;
    *out = false;
    if (pread(fd, magic, sizeof magic, 0) != sizeof magic || magic[0] != 0x1f || magic[1] != 0x8b)
        return true;
    if (!weir__archive_open(&library, error)) return false;
    weir_error none;
    if (library->unpack(fd, WEIR__ARCHIVE_TAR, &archive, &none)) {
        *out = library->look(archive, &item, &more, &none) && more;
        library->close(archive);
    }
    return lseek(fd, 0, SEEK_SET) == 0 || weir_fail(error, WEIR_IO, "%s", strerror(errno));
}
