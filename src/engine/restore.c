/* From a backup to a state: all of it is unpacked and looked at beside the place where it is to be, and takes that in one step. So
 * whatever happens before, nothing is there; and what was there before stays, beside it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "artifact/carry.h"
#include "base/remove.h"
#include "engine/engine_internal.h"
#include "store/backup.h"

enum { PLACES_MAX = 1000, VERSIONS_MAX = 100 };

typedef struct restoring {
    const weir_restore_wanted *wanted;
    char *state, *staging; /* where it is to be, and where it is made */
    int folder, lock;      /* of `staging`, and of a file in it; -1: it is not made */
    weir_unpacked unpacked;
    weir_buffer moved; /* where the old state is; empty: there was none */
    uint64_t runs, under_way;
    weir_error damage;
} restoring;

/* --- the place ------------------------------------------------------------------------------ */

static bool fail_place(const char *path, const char *what, weir_error *error) {
    int reason = errno;
    weir_fail(error, WEIR_IO, "`%.300s` cannot be %s: %s", path, what, strerror(reason));
    if (reason == ENOSPC || reason == EDQUOT)
        weir_error_hint(error, "make room, or restore --into a folder on another disk");
    else if (reason == ENOENT)
        weir_error_hint(error, "the folder that it is to be in must exist");
    else if (reason == EBUSY || reason == EXDEV)
        weir_error_hint(error, "it is a file system of its own: restore --into another folder");
    return false;
}

static bool is_empty(const char *path) {
    DIR *folder = opendir(path);
    bool empty = folder != NULL;
    for (const struct dirent *entry; empty && (entry = readdir(folder));)
        empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    if (folder) closedir(folder);
    return empty;
}

/* Whether a process drives a run there, or serves the state. */
static bool is_used(const char *state) {
    weir_buffer path = {0};
    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    weir_buffer_printf(&path, "%s/runs/locks", state);
    int fd = open(path.data, O_RDWR | O_CLOEXEC);
    bool used = fd >= 0 && fcntl(fd, F_OFD_GETLK, &all) == 0 && all.l_type != F_UNLCK;
    if (fd >= 0) close(fd);
    weir_buffer_clear(&path);
    weir_buffer_printf(&path, "%s/engine.lock", state);
    fd = open(path.data, O_RDWR | O_CLOEXEC);
    used |= fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0;
    if (fd >= 0) close(fd);
    weir_buffer_deinit(&path);
    return used;
}

static bool check_place(const restoring *r, weir_error *error) {
    struct stat found;
    if (lstat(r->state, &found) < 0)
        return errno == ENOENT || fail_place(r->state, "looked at", error);
    if (is_empty(r->state)) return true;
    if (!r->wanted->replace) {
        weir_fail(error, WEIR_CONFLICT, "there is something in `%.300s` already", r->state);
        weir_error_hint(error,
                        "restore --into another folder, or --replace it: the old one is then "
                        "kept beside it");
        return false;
    }
    if (!is_used(r->state)) return true;
    weir_fail(error, WEIR_CONFLICT, "runs are driven in `%.300s` just now", r->state);
    weir_error_hint(error, "wait for their end, or suspend or cancel them");
    return false;
}

/* The lock of a folder is the store's. */
static const char lock_name[] = "restoring.lock";

static bool remove_staging(const restoring *r) {
    return weir__remove_within(r->staging, SIZE_MAX) && rmdir(r->staging) == 0;
}

/* What a restoration that was killed left there goes. */
static bool make_staging(restoring *r, weir_error *error) {
    for (int again = 0; again < 2; again++) {
        bool made = mkdir(r->staging, 0700) == 0;
        if (!made && errno != EEXIST) return fail_place(r->staging, "made", error);
        int fd = open(r->staging, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0) return fail_place(r->staging, "opened", error);
        int lock = openat(fd, lock_name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        bool mine = lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0;
        if (made && mine) {
            r->folder = fd;
            r->lock = lock;
            return true;
        }
        bool gone = mine && remove_staging(r);
        if (lock >= 0) close(lock);
        close(fd);
        if (mine && !gone) return fail_place(r->staging, "removed", error);
        if (!mine) break;
    }
    return weir_fail(error, WEIR_CONFLICT, "another process restores into `%.300s`", r->state);
}

/* --- what is in it -------------------------------------------------------------------------- */

static bool look_at_batch(void *arg, uint64_t sequence, weir_str bytes, const weir_error *damage) {
    restoring *r = arg;
    (void)sequence, (void)bytes;
    if (damage) r->damage = *damage;
    return !damage;
}

typedef struct looking {
    restoring *r;
    weir_store *store;
    weir_error *error;
    bool ok;
} looking;

static bool look_at_run(void *arg, weir_str run) {
    looking *l = arg;
    l->ok = weir_store_inspect(l->store, run, look_at_batch, l->r, l->error);
    if (l->ok && l->r->damage.code) {
        l->ok = false;
        *l->error = l->r->damage;
    }
    return l->ok;
}

static bool count_run(void *arg, const weir_run_record *record) {
    restoring *r = arg;
    r->runs++;
    r->under_way += !record->finished_us;
    return true;
}

/* Opening brings an older version to today's; the copy that it makes of the older one the backup is already. */
static bool check_store(restoring *r, weir_error *error) {
    weir_loop *loop;
    weir_store *store;
    if (!weir_loop_open(&loop, error)) return false;
    bool ok = weir_store_open(loop, r->staging, NULL, WEIR_DURABILITY_FULL, &store, error);
    if (ok) {
        looking l = {r, store, error, true};
        ok = weir_store_check(store, error) && weir_store_streams(store, look_at_run, &l, error) &&
             l.ok && weir_store_list(store, 0, count_run, r, error) &&
             weir_store_settle(store, error);
        weir_store_close(store);
    }
    weir_loop_close(loop);
    for (int version = 1; version < VERSIONS_MAX; version++) {
        char name[40];
        snprintf(name, sizeof name, "weir.db.version-%d", version);
        (void)!unlinkat(r->folder, name, 0);
    }
    if (!ok) weir_error_context(error, "the backup `%.150s`", r->wanted->file);
    return ok;
}

static bool tell_files(void *arg, uint64_t files) {
    const restoring *r = arg;
    (void)files;
    return !r->wanted->progress ||
           r->wanted->progress(r->wanted->arg, r->unpacked.bytes, r->unpacked.bytes);
}

static bool unpack_tree(restoring *r, const char *tree, weir_error *error) {
    char name[32];
    snprintf(name, sizeof name, "%s.tgz", tree);
    int from = openat(r->folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (from < 0) return errno == ENOENT || fail_place(name, "read", error);
    weir_carrying carrying = {.what = tree, .progress = tell_files, .arg = r};
    bool ok = weir_tree_unpack(&carrying, from, r->folder, tree, error);
    close(from);
    if (!ok) weir_error_context(error, "the backup `%.150s`", r->wanted->file);
    return ok && (unlinkat(r->folder, name, 0) == 0 || fail_place(name, "removed", error));
}

static bool unpack_trees(restoring *r, weir_error *error) {
    bool ok = true;
    for (size_t i = 0; ok && i < WEIR_BACKUP_TREES; i++)
        ok = unpack_tree(r, weir_backup_trees[i], error);
    return ok;
}

/* What a server had of derived tables is not in the backup. Of a run whose plugins are not here they can be made later. */
static bool make_tables(const restoring *r, weir_error *error) {
    weir_engine *engine;
    weir_options options = {.size = sizeof options, .state = r->staging};
    if (!weir_str_is(weir_member_text(r->unpacked.about, "store"), "postgresql")) return true;
    if (!weir_open(&options, &engine, error)) return false;
    weir_value_unref(weir_rebuild(engine, NULL));
    weir_close(engine);
    return true;
}

/* The original may still be there, with attempts of the same names under way: by this word those of the copy are told from
 * them (see weir_logs.copy). */
static bool mark_copy(const restoring *r, weir_error *error) {
    char id[WEIR_RUN_ID_LENGTH + 1];
    weir__new_id(id);
    int fd = openat(r->folder, WEIR__COPY_FILE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && write(fd, id, strlen(id)) == (ssize_t)strlen(id);
    if (!ok) fail_place(r->staging, "written", error);
    if (fd >= 0) close(fd);
    return ok;
}

/* --- taking its place ----------------------------------------------------------------------- */

static bool name_old(restoring *r, weir_error *error) {
    for (int i = 1; i <= PLACES_MAX; i++) {
        weir_buffer_clear(&r->moved);
        weir_buffer_printf(&r->moved, "%s.before-restore-%d", r->state, i);
        if (access(r->moved.data, F_OK) < 0) return true;
    }
    return weir_fail(error, WEIR_CONFLICT, "there are %d older states beside `%.200s`", PLACES_MAX,
                     r->state);
}

static bool exchange(restoring *r, weir_error *error) {
    if (!name_old(r, error)) return false;
    if (renameat2(AT_FDCWD, r->staging, AT_FDCWD, r->state, RENAME_EXCHANGE) == 0) {
        if (rename(r->staging, r->moved.data) == 0) return true;
    } else if ((errno == EINVAL || errno == ENOSYS) && rename(r->state, r->moved.data) == 0) {
        if (rename(r->staging, r->state) == 0) return true;
        (void)!rename(r->moved.data, r->state);
    }
    return fail_place(r->state, "replaced", error);
}

static bool sync_parent(const restoring *r, weir_error *error) {
    char *parent = weir_str_dup(weir_str_from(r->state)), *slash = strrchr(parent, '/');
    if (slash) slash[slash == parent] = '\0';
    int fd = open(slash ? parent : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = (fd >= 0 && fsync(fd) == 0) || fail_place(parent, "written", error);
    if (fd >= 0) close(fd);
    weir_free(parent);
    return ok;
}

static bool take_place(restoring *r, weir_error *error) {
    struct stat found;
    if (unlinkat(r->folder, lock_name, 0) < 0 || syncfs(r->folder) < 0)
        return fail_place(r->staging, "written", error);
    if (!check_place(r, error)) return false;
    bool there = lstat(r->state, &found) == 0 && !is_empty(r->state);
    bool ok = there ? exchange(r, error)
                    : rename(r->staging, r->state) == 0 || fail_place(r->state, "made", error);
    if (ok) {
        close(r->folder);
        r->folder = -1;
    }
    return ok && sync_parent(r, error);
}

/* --- all of it ------------------------------------------------------------------------------ */

static weir_value *results_of(const restoring *r) {
    const struct {
        const char *name;
        uint64_t number;
    } members[] = {{"runs", r->runs},
                   {"under_way", r->under_way},
                   {"files", r->unpacked.files},
                   {"bytes", r->unpacked.bytes},
                   {"created", weir_member_count(r->unpacked.about, "created")}};
    static const char *const notes[] = {"missing", "plugins", "blobs", "artifacts_in", "left_out"};
    weir_value *value = weir_object_new();
    weir_member_put_text(value, "state", weir_str_from(r->state));
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        weir_member_put(value, members[i].name, weir_int_new((int64_t)members[i].number));
    weir_member_put_text(value, "weir", weir_member_text(r->unpacked.about, "weir"));
    if (r->moved.length) weir_member_put_text(value, "moved", weir_buffer_str(&r->moved));
    for (size_t i = 0; i < sizeof notes / sizeof *notes; i++) {
        weir_value *note = weir_member_named(r->unpacked.notes, notes[i]);
        if (note && (!weir_is(note, WEIR_ARRAY) || weir_value_count(note)))
            weir_member_put(value, notes[i], weir_value_ref(note));
    }
    return value;
}

static bool restore(restoring *r, weir_error *error) {
    const weir_restore_wanted *wanted = r->wanted;
    return check_place(r, error) && make_staging(r, error) &&
           weir_backup_unpack(wanted->file, r->folder, wanted->progress, wanted->arg, &r->unpacked,
                              error) &&
           check_store(r, error) && unpack_trees(r, error) && make_tables(r, error) &&
           mark_copy(r, error) && take_place(r, error);
}

/* Where links lead: what is renamed is the folder, not a link to it. */
static char *place_of(const char *state) {
    char real[PATH_MAX];
    weir_str path = weir_str_from(realpath(state, real) ? real : state);
    while (path.length > 1 && path.data[path.length - 1] == '/') path.length--;
    return weir_str_dup(path);
}

bool weir_restore_backup(const weir_restore_wanted *wanted, weir_value **out, weir_error *error) {
    weir_assert(wanted->size == sizeof *wanted);
    weir_buffer staging = {0};
    weir_error problem = {0};
    restoring r = {.wanted = wanted, .state = place_of(wanted->state), .folder = -1, .lock = -1};
    weir_buffer_printf(&staging, "%s.restoring", r.state);
    r.staging = staging.data;
    bool ok = restore(&r, &problem);
    if (ok)
        *out = results_of(&r);
    else if (error)
        *error = problem;
    if (r.folder >= 0) {
        (void)!remove_staging(&r);
        close(r.folder);
    }
    if (r.lock >= 0) close(r.lock);
    weir_value_unref(r.unpacked.about);
    weir_value_unref(r.unpacked.notes);
    weir_buffer_deinit(&r.moved);
    weir_buffer_deinit(&staging);
    weir_free(r.state);
    return ok;
}
