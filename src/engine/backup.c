/* A backup of a state: the store as it is at one moment, then logs, blobs and folders of workflows as they are when it comes to
 * them, so what the store refers to is there. Nobody has to stop for it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "artifact/carry.h"
#include "engine/engine_internal.h"
#include "store/backup.h"

typedef struct making {
    weir_engine *engine;
    const weir_backup_wanted *wanted;
    weir_backup *backup;
    char *copy;        /* of the store's file, beside the backup */
    const char *doing; /* what is told of */
    weir_value *notes;
    uint64_t runs, under_way, files, blobs, left_out;
    int temporary; /* a file that blobs and trees come through; -1: none yet */
} making;

static bool tell(void *arg, uint64_t done, uint64_t total) {
    const making *m = arg;
    return !m->wanted->progress || m->wanted->progress(m->wanted->arg, m->doing, done, total);
}

static bool told(const making *m, uint64_t done, uint64_t total, weir_error *error) {
    return tell((void *)(uintptr_t)m, done, total) ||
           weir_fail(error, WEIR_CANCELLED, "the backup was ended before it was whole");
}

static void note_missing(making *m, const char *name) {
    weir_value *missing = weir_member_named(m->notes, "missing");
    if (!missing) weir_member_put(m->notes, "missing", missing = weir_array_new());
    weir_array_append(missing, weir_string_from(weir_str_from(name)));
}

/* --- the store ------------------------------------------------------------------------------ */

static bool count_run(void *arg, const weir_run_record *record) {
    making *m = arg;
    m->runs++;
    m->under_way += !record->finished_us;
    return true;
}

static void remove_copy(const making *m) {
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal", ".part"};
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        weir_buffer path = {0};
        weir_buffer_printf(&path, "%s%s", m->copy, suffixes[i]);
        unlink(path.data);
        weir_buffer_deinit(&path);
    }
}

static bool add_open(making *m, const char *name, int fd, weir_error *error) {
    struct stat file;
    if (fstat(fd, &file) < 0)
        return weir_fail(error, WEIR_IO, "`%s` of the state cannot be read: %s", name,
                         strerror(errno));
    m->files++;
    return weir_backup_add(m->backup, name, fd, (uint64_t)file.st_size, error);
}

static bool add_store(making *m, weir_error *error) {
    weir_engine *engine = m->engine;
    m->doing = "runs";
    remove_copy(m); /* of one that was killed */
    if (!weir_store_snapshot(engine->loop, engine->store, m->copy, tell, m, error)) return false;
    int fd = open(m->copy, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    bool ok = fd >= 0 ? add_open(m, "weir.db", fd, error)
                      : weir_fail(error, WEIR_IO, "`%.200s` cannot be read: %s", m->copy,
                                  strerror(errno));
    if (fd >= 0) close(fd);
    remove_copy(m);
    return ok && weir_store_list(engine->store, 0, count_run, m, error);
}

/* --- logs ----------------------------------------------------------------------------------- */

/* Those of a run that is deleted meanwhile go, and so does what is no log. */
static bool add_log(making *m, int folder, const char *run, const char *name, weir_error *error) {
    char path[2 * NAME_MAX + 8];
    snprintf(path, sizeof path, "logs/%s/%s", run, name);
    if (!weir_backup_name_is(path)) return true;
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat file;
    bool regular = fd >= 0 && fstat(fd, &file) == 0 && S_ISREG(file.st_mode);
    bool ok = !regular || add_open(m, path, fd, error);
    if (fd >= 0) close(fd);
    return ok;
}

static bool add_logs_of(making *m, int logs, const char *run, weir_error *error) {
    int fd = openat(logs, run, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    bool ok = true;
    for (const struct dirent *entry; ok && folder && (entry = readdir(folder));)
        ok = add_log(m, fd, run, entry->d_name, error);
    if (folder) closedir(folder);
    return ok;
}

static bool add_logs(making *m, weir_error *error) {
    int fd = open(m->engine->logs.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    uint64_t done = 0;
    bool ok = true;
    m->doing = "logs";
    for (const struct dirent *entry; ok && folder && (entry = readdir(folder));)
        ok = add_logs_of(m, fd, entry->d_name, error) &&
             told(m, done < m->runs ? ++done : done, m->runs, error);
    if (folder) closedir(folder);
    return ok;
}

/* --- blobs ---------------------------------------------------------------------------------- */

static bool open_temporary(making *m, weir_error *error) {
    weir_buffer path = {0};
    if (m->temporary >= 0)
        return (ftruncate(m->temporary, 0) == 0 && lseek(m->temporary, 0, SEEK_SET) == 0) ||
               weir_fail(error, WEIR_IO, "`%.200s` cannot be written: %s", m->copy,
                         strerror(errno));
    weir_buffer_printf(&path, "%s-blob", m->copy);
    m->temporary = open(path.data, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool ok = m->temporary >= 0 ||
              weir_fail(error, WEIR_IO, "`%.200s` cannot be made: %s", path.data, strerror(errno));
    if (ok) unlink(path.data);
    weir_buffer_deinit(&path);
    return ok;
}

/* Through a file, as it is held against its digest, and may come from far. */
static bool add_content(making *m, const weir_blob *blob, const char *name, bool *there,
                        weir_error *error) {
    weir_error problem;
    if (!open_temporary(m, error)) return false;
    *there = weir_blob_get(m->engine->blobs, weir_str_from(blob->digest), 0, UINT64_MAX,
                           m->temporary, &problem);
    if (*there)
        return lseek(m->temporary, 0, SEEK_SET) == 0 && add_open(m, name, m->temporary, error);
    if (problem.code != WEIR_NOT_FOUND && problem.code != WEIR_STORE) {
        if (error) *error = problem;
        return false;
    }
    note_missing(m, blob->digest); /* it went meanwhile, or is damaged */
    return true;
}

static bool add_references(making *m, const char *hex, const weir_buffer *owners,
                           weir_error *error) {
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    bool ok = nothing >= 0;
    for (size_t at = 0; ok && at < owners->length; at += strlen(owners->data + at) + 1) {
        char name[WEIR__ARCHIVE_NAME_MAX];
        snprintf(name, sizeof name, "blobs/refs/%.2s/%.64s.%s", hex, hex, owners->data + at);
        ok = weir_backup_add(m->backup, name, nothing, 0, error);
    }
    if (nothing >= 0) close(nothing);
    return ok;
}

static bool add_blob(making *m, const weir_blob *blob, weir_error *error) {
    const char *hex = blob->digest + sizeof "sha256:" - 1;
    char name[WEIR__ARCHIVE_NAME_MAX];
    weir_buffer owners = {0};
    bool there = false;
    snprintf(name, sizeof name, "blobs/sha256/%.2s/%s", hex, hex);
    bool ok = weir_blob_owners(m->engine->blobs, weir_str_from(blob->digest), &owners, error) &&
              add_content(m, blob, name, &there, error) &&
              (!there || add_references(m, hex, &owners, error));
    weir_buffer_deinit(&owners);
    if (ok) m->blobs += there;
    return ok;
}

/* Those in a bucket stay there, and are only named, unless they are wanted. */
static bool add_blobs(making *m, weir_error *error) {
    const char *place = m->engine->options.blobs;
    bool bucket = place && weir_str_starts(weir_str_from(place), WEIR_STR("s3:"));
    weir_error problem;
    if (place) weir_member_put_text(m->notes, "blobs", weir_str_from(place));
    if (bucket && !m->wanted->bucket) return true;
    if (!weir__blobs_open(m->engine, false, &problem)) {
        if (problem.code == WEIR_NOT_FOUND) return true;
        if (error) *error = problem;
        return false;
    }
    char after[WEIR_BLOB_DIGEST_LENGTH + 1] = "";
    weir_blob_page page = {0};
    bool ok = true;
    m->doing = "blobs";
    do {
        page.count = 0;
        ok = weir_blob_list(m->engine->blobs, after, &page, error);
        for (size_t i = 0; ok && i < page.count; i++) {
            memcpy(after, page.items[i].digest, sizeof after);
            ok = add_blob(m, &page.items[i], error) && told(m, m->blobs, 0, error);
        }
    } while (ok && page.count);
    weir_vector_deinit(&page);
    return ok;
}

/* --- folders ---------------------------------------------------------------------------------- */

static bool tell_files(void *arg, uint64_t files) {
    return tell(arg, files, 0);
}

/* Places where something is made, and what is to go. */
static bool is_passing(const char *name, int depth) {
    return (depth == 0 && (strcmp(name, ".weir") == 0 || strcmp(name, ".gone") == 0)) ||
           (depth == 1 && strcmp(name, ".scratch") == 0);
}

static bool add_tree(making *m, const char *tree, weir_error *error) {
    weir_buffer path = {0};
    weir_buffer_printf(&path, "%s/%s", m->engine->state, tree);
    int from = open(path.data, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int reason = errno;
    weir_buffer_deinit(&path);
    if (from < 0)
        return reason == ENOENT || weir_fail(error, WEIR_IO, "`%s` of the state cannot be read: %s",
                                             tree, strerror(reason));
    char name[32];
    weir_carried carried;
    weir_carrying carrying = {tree, is_passing, tell_files, m};
    m->doing = tree;
    snprintf(name, sizeof name, "%s.tgz", tree);
    if (!open_temporary(m, error)) {
        close(from);
        return false;
    }
    if (!weir_tree_pack(&carrying, from, m->temporary, &carried, error)) return false;
    m->left_out += carried.left_out;
    weir_member_put(m->notes, tree, weir_int_new((int64_t)carried.files));
    return lseek(m->temporary, 0, SEEK_SET) == 0 && add_open(m, name, m->temporary, error);
}

/* What goes with a run is said of the artifacts in the state: a copy must not remove those that it shares with the original. */
static bool add_trees(making *m, weir_error *error) {
    const weir_value *artifacts = m->engine->options.artifacts;
    weir_str elsewhere = weir_member_text(artifacts, "folder");
    bool shared = elsewhere.length || weir_member_named(artifacts, "buckets");
    bool ok = true;
    for (size_t i = 0; ok && i < WEIR_BACKUP_TREES; i++)
        if (!shared || strcmp(weir_backup_trees[i], "garbage") != 0)
            ok = add_tree(m, weir_backup_trees[i], error);
    if (elsewhere.length) weir_member_put_text(m->notes, "artifacts_in", elsewhere);
    if (m->left_out) weir_member_put(m->notes, "left_out", weir_int_new((int64_t)m->left_out));
    return ok;
}

/* --- all of it ------------------------------------------------------------------------------ */

static weir_value *about(const making *m) {
    weir_value *value = weir_object_new();
    bool server = weir_store_has_leases(m->engine->store);
    weir_member_put(value, "format", weir_int_new(WEIR_BACKUP_FORMAT));
    weir_member_put_text(value, "weir", weir_str_from(weir_version()));
    weir_member_put(value, "created", weir_int_new((int64_t)weir__now_us(m->engine)));
    weir_member_put_text(value, "from", weir_str_from(m->engine->owner));
    weir_member_put_text(value, "store", server ? WEIR_STR("postgresql") : WEIR_STR("sqlite"));
    return value;
}

static weir_value *results_of(making *m, uint64_t size) {
    const struct {
        const char *name;
        uint64_t number;
    } members[] = {{"runs", m->runs},
                   {"under_way", m->under_way},
                   {"files", m->files},
                   {"blobs", m->blobs},
                   {"bytes", weir_backup_bytes(m->backup)},
                   {"size", size}};
    weir_value *value = weir_object_new();
    weir_member_put_text(value, "file", weir_str_from(m->wanted->file));
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        weir_member_put(value, members[i].name, weir_int_new((int64_t)members[i].number));
    const weir_value *missing = weir_member_named(m->notes, "missing");
    if (missing) weir_member_put(value, "missing", weir_value_ref((weir_value *)(void *)missing));
    for (size_t i = 0; i < WEIR_BACKUP_TREES; i++) {
        const char *tree = weir_backup_trees[i];
        weir_member_put(value, tree, weir_int_new((int64_t)weir_member_count(m->notes, tree)));
    }
    if (m->left_out) weir_member_put(value, "left_out", weir_int_new((int64_t)m->left_out));
    return value;
}

static bool make(making *m, weir_value **out, weir_error *error) {
    weir_value *said = about(m);
    uint64_t size;
    bool ok = weir_backup_create(m->wanted->file, m->wanted->replace, said, &m->backup, error);
    weir_value_unref(said);
    ok = ok && add_store(m, error) && add_logs(m, error) && add_blobs(m, error) &&
         add_trees(m, error);
    if (ok) {
        weir_member_put(m->notes, "runs", weir_int_new((int64_t)m->runs));
        weir_member_put(m->notes, "under_way", weir_int_new((int64_t)m->under_way));
        weir_member_put(m->notes, "plugins", weir__plugins_to_value(m->engine));
    }
    ok = ok && weir_backup_finish(m->backup, m->notes, &size, error);
    if (ok) *out = results_of(m, size);
    return ok;
}

bool weir_make_backup(weir_engine *engine, const weir_backup_wanted *wanted, weir_value **out,
                      weir_error *error) {
    weir_assert(wanted->size == sizeof *wanted);
    if (!engine->state) return weir_fail(error, WEIR_USAGE, "there is no state to back up");
    weir_buffer copy = {0};
    weir_buffer_printf(&copy, "%s.part-runs", wanted->file);
    making m = {.engine = engine,
                .wanted = wanted,
                .copy = copy.data,
                .notes = weir_object_new(),
                .temporary = -1};
    bool ok = make(&m, out, error);
    if (m.backup) remove_copy(&m);
    if (m.temporary >= 0) close(m.temporary);
    if (m.backup) weir_backup_close(m.backup);
    weir_value_unref(m.notes);
    weir_buffer_deinit(&copy);
    return ok;
}
