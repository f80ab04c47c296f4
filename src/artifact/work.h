/* Private to artifact/: the work on one artifact, which is read, written and counted. A limit that it passes, and its being cancelled, is an
 * error. On one thread at a time. */
#ifndef WEIR_ARTIFACT_WORK_H
#define WEIR_ARTIFACT_WORK_H

#include <locale.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "artifact/carry.h"
#include "artifact/repository.h"
#include "store/archive.h"
#include "store/sha256.h"

enum { WEIR__PIECE_BYTES = 256 * 1024 };
#define WEIR__FOLDER_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
/* Of what may be a pipe. */
#define WEIR__FILE_FLAGS (O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC)

typedef struct weir__work {
    const char *what; /* for messages: a path or a key */
    weir_artifact_limits limits;
    uint64_t bytes, files;
    uint64_t left_out; /* what is neither file, folder nor link */
    int depth_max;     /* of folders */
    /* A tree that is carried, see carry.h: it may change meanwhile, what cannot be read is left out, and its links lead anywhere. */
    bool carried;
    const weir_carrying *carrying; /* NULL: nobody watches */
    const atomic_bool *cancelled;  /* may be NULL */
    const weir__sha256_functions *sha256;
    weir__sha256 *hash; /* NULL: nobody wants one */
    char *piece;        /* WEIR__PIECE_BYTES */
    weir_error *error;
} weir__work;

/* Borrows all that it is given. */
void weir__work_init(weir__work *w, const char *what, const weir_artifact_limits *limits,
                     const atomic_bool *cancelled, weir_error *error);
void weir__work_deinit(weir__work *w);
/* What is written is hashed from now on. */
WEIR_CHECKED bool weir__work_hash(weir__work *w);
/* The hash so far, and begins anew. */
void weir__work_digest(weir__work *w, char out[static WEIR__SHA256_LETTERS + 1]);
/* IO, with errno; false. */
bool weir__work_failed(const weir__work *w, const char *doing);
/* One more file; so many bytes more. False: LIMIT, CANCELLED. */
WEIR_CHECKED bool weir__work_file(weir__work *w);
WEIR_CHECKED bool weir__work_bytes(weir__work *w, uint64_t count);
/* One piece of a file, *got is 0 at its end. */
WEIR_CHECKED bool weir__work_read(weir__work *w, int fd, size_t *got);
/* Writes and hashes, without counting. */
WEIR_CHECKED bool weir__work_write(weir__work *w, int fd, const void *data, size_t length);

/* The names of a folder's entries, sorted by their bytes, each ended by NUL, in the arena. */
typedef WEIR_VECTOR(const char *) weir__names;
WEIR_CHECKED bool weir__names_read(weir__work *w, int folder, weir_arena *arena, weir__names *out);

/* libarchive reads and writes names in the thread's character set, which weir leaves at "C": UTF-8 between these. */
typedef struct weir__letters {
    locale_t utf8, before;
} weir__letters;
weir__letters weir__letters_begin(void);
void weir__letters_end(weir__letters letters);

/* --- tree.c */
/* Copies a file, or a folder with all that is in it, to a name that is not there yet; its owner may read and write all of it. Links stay links,
 * other things are left out. Takes `from` over. With a hash: a file's is that of its bytes, a folder's that of the lines "HEX  NAME\n" of its files as sha256sum
 * prints them, names in the order of their bytes in each folder. */
WEIR_CHECKED bool weir__tree_copy(weir__work *w, int from, int folder, const char *name);
/* chmod, with `recurse` of all that is in it; links stay as they are. */
WEIR_CHECKED bool weir__tree_mode(weir__work *w, int folder, const char *name, mode_t mode,
                                  bool recurse);
/* What a walk meets: anything but the folder that it began at; false ends it. `path` is from there, and ends with NUL. */
typedef bool weir__visit(void *arg, weir_str path, const struct stat *info);
/* Visits all that is below the folder, names in the order of their bytes in each, links not followed. LIMIT when it is deeper
 * than `depth_max` folders. `skip` (or NULL): what is called so at the top is left out. */
WEIR_CHECKED bool weir__tree_walk(weir__work *w, int folder, int depth_max, const char *skip,
                                  weir__visit *visit, void *arg);
/* INVALID when a link in it leads out of it. */
WEIR_CHECKED bool weir__tree_links(weir__work *w, int tree);
/* Copies a part of it; links on the way are followed, but not out. NOT_FOUND, INVALID. */
WEIR_CHECKED bool weir__tree_part(weir__work *w, int tree, const char *path, int folder,
                                  const char *name);
/* Removes whatever has that name, if anything. */
void weir__tree_remove(int folder, const char *name);

/* --- pack.c */
/* A file or folder becomes an archive, in which it has the name. Takes `from` over. */
WEIR_CHECKED bool weir__pack(weir__work *w, int from, const char *name, weir__archive_form form,
                             int level, int to);

/* --- unpack.c */
/* Whether it is a tar within gzip, by its first entry. The descriptor's place is at the beginning then. */
WEIR_CHECKED bool weir__unpack_would(int fd, bool *out, weir_error *error);
/* An archive becomes what is in it, at a name that is not there yet: if that is one file or folder, the name is its; else it is a folder's with
 * all in it. With `part`, a path in that, only this: NOT_FOUND when there is none. What leads out of the folder is INVALID. */
WEIR_CHECKED bool weir__unpack(weir__work *w, int fd, weir__archive_form form, const char *part,
                               int folder, const char *name);

#endif
