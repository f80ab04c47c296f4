#include "store/sqlite_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* What makes each version from the one before; a new file gets all. They never change once released: what comes is
 * appended. The tables are described in docs/reference/store.md. */
static const char *const migrations[] = {
    "CREATE TABLE journal(stream TEXT, seq INTEGER, version INTEGER, checksum INTEGER, bytes BLOB,"
    " PRIMARY KEY(stream, seq)) WITHOUT ROWID;"
    "CREATE TABLE runs(id TEXT PRIMARY KEY, name TEXT UNIQUE, kind TEXT, phase TEXT, file TEXT,"
    " owner TEXT, parent TEXT, created_us INTEGER, finished_us INTEGER)",
    /* The order in which runs came gets a name of its own: a rowid without one may change when the file is vacuumed. */
    "CREATE TABLE numbered(number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
    " name TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, phase TEXT NOT NULL, file TEXT NOT NULL,"
    " owner TEXT NOT NULL, parent TEXT NOT NULL, created_us INTEGER NOT NULL,"
    " finished_us INTEGER NOT NULL);"
    "INSERT INTO numbered SELECT rowid, id, name, coalesce(kind, ''), coalesce(phase, ''),"
    " coalesce(file, ''), coalesce(owner, ''), coalesce(parent, ''), coalesce(created_us, 0),"
    " coalesce(finished_us, 0) FROM runs;"
    "DROP TABLE runs;"
    "ALTER TABLE numbered RENAME TO runs",
    /* Only what few runs have gets an index, but for the moments: each is one more page to write when a run begins or ends. */
    "ALTER TABLE runs ADD COLUMN labels TEXT NOT NULL DEFAULT '';"
    "CREATE TABLE labels(run INTEGER NOT NULL REFERENCES runs(number) ON DELETE CASCADE,"
    " key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY(run, key)) WITHOUT ROWID;"
    "CREATE INDEX labels_by_value ON labels(key, value, run);"
    "CREATE TRIGGER put_labels AFTER INSERT ON runs WHEN new.labels <> '' BEGIN INSERT INTO labels"
    " SELECT new.number, key, value FROM json_each(new.labels); END;"
    "CREATE INDEX runs_by_phase ON runs(phase) WHERE phase <> 'Succeeded';"
    "CREATE INDEX runs_by_parent ON runs(parent) WHERE parent <> '';"
    "CREATE INDEX runs_by_created ON runs(created_us);"
    "CREATE TABLE deleted(run TEXT PRIMARY KEY, owner TEXT NOT NULL, number INTEGER NOT NULL)"
    " WITHOUT ROWID",
    "CREATE TABLE memo(key TEXT PRIMARY KEY NOT NULL, cache TEXT NOT NULL, operation TEXT NOT NULL,"
    " instance TEXT NOT NULL, run TEXT REFERENCES runs(id) ON DELETE SET NULL,"
    " task INTEGER NOT NULL, created_us INTEGER NOT NULL, size INTEGER NOT NULL,"
    " version INTEGER NOT NULL, checksum INTEGER NOT NULL, value BLOB, blob TEXT,"
    " CHECK((value IS NULL) <> (blob IS NULL)));"
    "CREATE INDEX memo_created ON memo(created_us);"
    "CREATE INDEX memo_run ON memo(run)",
    /* What is derived from the journal. The indexes are for foreign keys: so a run is deleted without looking at others. */
    "CREATE TABLE contexts(run TEXT NOT NULL REFERENCES runs(id) ON DELETE CASCADE,"
    " number INTEGER NOT NULL, name TEXT, parent INTEGER, phase TEXT, message TEXT,"
    " opened_us INTEGER, finished_us INTEGER, PRIMARY KEY(run, number),"
    " FOREIGN KEY(run, parent) REFERENCES contexts(run, number)) WITHOUT ROWID;"
    "CREATE INDEX contexts_parent ON contexts(run, parent) WHERE parent IS NOT NULL;"
    "CREATE TABLE nodes(run TEXT NOT NULL REFERENCES runs(id) ON DELETE CASCADE,"
    " number INTEGER NOT NULL, name TEXT, type TEXT, template TEXT, parent INTEGER, phase TEXT,"
    " message TEXT, started_us INTEGER, finished_us INTEGER, PRIMARY KEY(run, number),"
    " FOREIGN KEY(run, parent) REFERENCES nodes(run, number)) WITHOUT ROWID;"
    "CREATE INDEX nodes_parent ON nodes(run, parent) WHERE parent IS NOT NULL;"
    "CREATE TABLE tasks(run TEXT NOT NULL REFERENCES runs(id) ON DELETE CASCADE,"
    " number INTEGER NOT NULL, context INTEGER, node INTEGER, name TEXT, operation TEXT,"
    " executor TEXT, phase TEXT, attempts INTEGER, code TEXT, message TEXT, started_us INTEGER,"
    " finished_us INTEGER, PRIMARY KEY(run, number),"
    " FOREIGN KEY(run, context) REFERENCES contexts(run, number),"
    " FOREIGN KEY(run, node) REFERENCES nodes(run, number)) WITHOUT ROWID;"
    "CREATE INDEX tasks_context ON tasks(run, context) WHERE context IS NOT NULL;"
    "CREATE INDEX tasks_node ON tasks(run, node) WHERE node IS NOT NULL;"
    "CREATE TABLE attempts(run TEXT NOT NULL, task INTEGER NOT NULL, number INTEGER NOT NULL,"
    " phase TEXT, host TEXT, pid INTEGER, code TEXT, message TEXT, exit_code INTEGER,"
    " cpu_us INTEGER, memory_peak_bytes INTEGER, scheduled_us INTEGER, started_us INTEGER,"
    " finished_us INTEGER, PRIMARY KEY(run, task, number),"
    " FOREIGN KEY(run, task) REFERENCES tasks(run, number) ON DELETE CASCADE) WITHOUT ROWID;"
    "CREATE TABLE locks(run TEXT NOT NULL REFERENCES runs(id) ON DELETE CASCADE,"
    " lock INTEGER NOT NULL, task INTEGER NOT NULL, state TEXT, name TEXT, context INTEGER,"
    " since_us INTEGER, PRIMARY KEY(run, lock, task)) WITHOUT ROWID;"
    "CREATE TABLE derived(run TEXT PRIMARY KEY NOT NULL REFERENCES runs(id) ON DELETE CASCADE,"
    " seq INTEGER, definitions TEXT) WITHOUT ROWID;"
    "CREATE VIEW definitions AS SELECT d.run AS run, j.key AS number,"
    " j.value ->> '$.flow' AS flow, j.value ->> '$.name' AS name,"
    " j.value ->> '$.primitive' AS primitive, coalesce(j.value ->> '$.lock', 0) AS lock,"
    " j.value ->> '$.validator' AS validator, j.value -> '$.default' AS otherwise"
    " FROM derived d, json_each(d.definitions) j",
    /* Blobs that journals refer to; 0: the run is gone. */
    "CREATE TABLE blobs(run TEXT NOT NULL, digest TEXT NOT NULL, place TEXT NOT NULL,"
    " size INTEGER NOT NULL, noted_us INTEGER NOT NULL, PRIMARY KEY(run, digest, place))"
    " WITHOUT ROWID;"
    "CREATE INDEX blobs_forsaken ON blobs(run, digest, place) WHERE noted_us = 0",
    /* What processes tell each other: see store/register.h. */
    ("CREATE TABLE registers(key TEXT PRIMARY KEY NOT NULL, value BLOB NOT NULL,"
     " version INTEGER NOT NULL) WITHOUT ROWID"),
    /* What tasks took: see engine/history.h. Of no run, as it outlives them. */
    ("ALTER TABLE attempts ADD COLUMN input_bytes INTEGER;"
     "ALTER TABLE derived ADD COLUMN estimated_us INTEGER;"
     "CREATE TABLE history(number INTEGER PRIMARY KEY, run TEXT NOT NULL, identity INTEGER,"
     " operation TEXT, name TEXT, input_bytes INTEGER, wall_us INTEGER, cpu_us INTEGER,"
     " memory_bytes INTEGER, tasks INTEGER, finished_us INTEGER);"
     "CREATE INDEX history_identity ON history(identity)"),
    "ALTER TABLE history ADD COLUMN given_bytes INTEGER",
};
enum { SCHEMA_VERSION = sizeof migrations / sizeof *migrations };

/* What the system said of the last failure; 0: nothing. SQLite may have cleaned up since, and keep it of the file only;
 * what a disk cannot read it takes for damage. */
static int system_errno(sqlite3 *db) {
    bool damage = (sqlite3_errcode(db) & 0xff) == SQLITE_CORRUPT;
    int reason = damage ? 0 : sqlite3_system_errno(db);
    for (int i = 0; i < 2 && !reason; i++) {
        int which = i ? SQLITE_FCNTL_FILE_POINTER : SQLITE_FCNTL_JOURNAL_POINTER;
        sqlite3_file *file = NULL;
        if (sqlite3_file_control(db, "main", which, &file) == SQLITE_OK && file && file->pMethods)
            file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &reason);
    }
    return reason;
}

bool weir__sqlite_failed(const weir__sqlite *s, sqlite3 *db, weir_error *error) {
    int code = sqlite3_errcode(db) & 0xff, reason = system_errno(db);
    bool unreadable = code == SQLITE_CORRUPT && reason == EIO;
    bool outside = code == SQLITE_IOERR || code == SQLITE_CANTOPEN || unreadable;
    if (code == SQLITE_FULL || (outside && (reason == ENOSPC || reason == EDQUOT))) {
        weir_fail(error, WEIR_STORE, "the state directory `%s` is full", s->directory);
        weir_error_hint(error, "make room on its disk");
    } else if (code == SQLITE_READONLY) {
        weir_fail(error, WEIR_STORE, "the state directory `%s` is read-only", s->directory);
    } else if (code == SQLITE_BUSY) {
        weir_fail(error, WEIR_STORE, "the state in `%s` is locked by another process",
                  s->directory);
    } else if (code == SQLITE_NOTADB || (code == SQLITE_CORRUPT && !unreadable)) {
        weir_fail(error, WEIR_STORE, "`%s` is no weir state, or damaged: %s", s->file,
                  sqlite3_errmsg(db));
        weir_error_hint(error,
                        "`weir doctor --repair` reads what is whole; or move it away, or name "
                        "another directory with --state");
    } else {
        bool why = outside && reason;
        weir_fail(error, WEIR_STORE, "the state in `%s` cannot be used: %s%s%s", s->directory,
                  unreadable ? "it cannot be read" : sqlite3_errmsg(db), why ? ": " : "",
                  why ? strerror(reason) : "");
    }
    return false;
}

bool weir__sqlite_directory_failed(const char *directory, int reason, weir_error *error) {
    weir_fail(error, WEIR_IO, "the state directory `%s` cannot be made: %s", directory,
              strerror(reason));
    if (reason == ENOSPC || reason == EDQUOT)
        weir_error_hint(error, "make room on the disk, or name another directory with --state");
    else if (reason == ENOENT)
        weir_error_hint(error, "its parent directory must exist");
    else
        weir_error_hint(error, "name a directory that you may write with --state");
    return false;
}

/* What is read of an older state that cannot be brought up to date, as nothing may be written there. */
static void show_older(sqlite3 *db) {
    if (sqlite3_exec(db, "SELECT labels FROM runs LIMIT 0", NULL, NULL, NULL) != SQLITE_OK)
        sqlite3_exec(db,
                     "CREATE TEMP VIEW runs AS SELECT rowid AS number, id, name, kind, phase, file,"
                     " owner, parent, created_us, finished_us, '' AS labels FROM main.runs;"
                     "CREATE TEMP TABLE labels(run, key, value)",
                     NULL, NULL, NULL);
    if (sqlite3_exec(db, "SELECT seq FROM derived LIMIT 0", NULL, NULL, NULL) != SQLITE_OK)
        sqlite3_exec(db, "CREATE TEMP TABLE derived(run, seq, definitions)", NULL, NULL, NULL);
}

bool weir__sqlite_connect(const weir__sqlite *s, sqlite3 **out, weir_error *error) {
    sqlite3 *db = NULL;
    int mode = s->read_only ? SQLITE_OPEN_READONLY | SQLITE_OPEN_URI
                            : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    if (sqlite3_open_v2(s->address.data, &db, mode | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
        weir__sqlite_failed(s, db, error);
        sqlite3_close(db);
        return false;
    }
    sqlite3_busy_timeout(db, WEIR__SQLITE_BUSY_MS_MAX);
    if (s->read_only) show_older(db);
    *out = db;
    return true;
}

bool weir__sqlite_run_on(const weir__sqlite *s, sqlite3 *db, const char *sql, weir_error *error) {
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ||
           weir__sqlite_failed(s, db, error);
}

bool weir__sqlite_run(const weir__sqlite *s, const char *sql, weir_error *error) {
    return weir__sqlite_run_on(s, s->db, sql, error);
}

static bool query_number(const weir__sqlite *s, const char *sql, int *out, weir_error *error) {
    sqlite3_stmt *statement = NULL;
    bool ok = sqlite3_prepare_v2(s->db, sql, -1, &statement, NULL) == SQLITE_OK &&
              sqlite3_step(statement) == SQLITE_ROW;
    if (ok)
        *out = sqlite3_column_int(statement, 0);
    else
        weir__sqlite_failed(s, s->db, error);
    sqlite3_finalize(statement);
    return ok;
}

/* SQLite would let others read what it makes, where the directory does; its other files get the mode of this one. */
static void make_private(const char *file) {
    int fd = open(file, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd >= 0) close(fd);
}

static bool is_none(const weir__sqlite *s, weir_error *error) {
    weir_fail(error, WEIR_STORE, "`%s` is no weir state", s->file);
    weir_error_hint(error, "move it away, or name another directory with --state");
    return false;
}

static bool migrate(const weir__sqlite *s, int version, weir_error *error) {
    bool ok = true;
    for (; ok && version < SCHEMA_VERSION; version++)
        ok = weir__sqlite_run(s, migrations[version], error);
    char set[64];
    snprintf(set, sizeof set, "PRAGMA user_version = %d", SCHEMA_VERSION);
    ok = ok && weir__sqlite_run(s, set, error) && weir__sqlite_run(s, "COMMIT", error);
    if (!ok && !sqlite3_get_autocommit(s->db)) sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    return ok;
}

static bool sync_file(const weir__sqlite *s, weir_error *error) {
    sqlite3_file *file = NULL;
    sqlite3_file_control(s->db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    return file->pMethods->xSync(file, SQLITE_SYNC_NORMAL) == SQLITE_OK ||
           weir_fail(error, WEIR_STORE, "`%s` could not be written to the disk", s->file);
}

/* Of a file without a table: an older weir may have been killed here. Under the lock of the directory. */
static bool make_schema(weir__sqlite *s, weir_error *error) {
    int tables = 0;
    if (!query_number(s, "SELECT count(*) FROM sqlite_master", &tables, error)) return false;
    if (tables || s->read_only) return is_none(s, error);
    return weir__sqlite_run(s, "PRAGMA synchronous = FULL; PRAGMA journal_mode = WAL", error) &&
           weir__sqlite_run(s, "BEGIN IMMEDIATE", error) && migrate(s, 0, error) &&
           sync_file(s, error);
}

/* Without the files that go with it. */
static void remove_files(sqlite3_vfs *files, const char *name) {
    weir_buffer file = {0};
    for (size_t i = 0; i < 3; i++) {
        weir_buffer_clear(&file);
        weir_buffer_printf(&file, "%s%s", name, (const char *[]){"", "-wal", "-shm"}[i]);
        (void)files->xDelete(files, file.data, 0);
    }
    weir_buffer_deinit(&file);
}

/* The schema in a file of this name, on the disk. */
static bool write_schema(weir__sqlite *s, const char *name, weir_error *error) {
    make_private(name);
    bool ok = sqlite3_open_v2(name, &s->db,
                              SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                              NULL) == SQLITE_OK;
    if (!ok) weir__sqlite_failed(s, s->db, error);
    ok = ok &&
         weir__sqlite_run(
             s, "PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY; PRAGMA auto_vacuum = 2",
             error) &&
         weir__sqlite_run(s, "BEGIN IMMEDIATE", error) && migrate(s, 0, error) &&
         weir__sqlite_run(s, "PRAGMA journal_mode = WAL", error) && sync_file(s, error);
    sqlite3_close(s->db);
    s->db = NULL;
    return ok;
}

/* Also when that cannot be told: who opens it says why. */
static bool is_made(const weir__sqlite *s) {
    sqlite3_vfs *files = sqlite3_vfs_find(NULL);
    int there = 0;
    return files->xAccess(files, s->file, SQLITE_ACCESS_EXISTS, &there) != SQLITE_OK || there;
}

/* Under the lock of the directory. */
static bool make_file(weir__sqlite *s, weir_error *error) {
    sqlite3_vfs *files = sqlite3_vfs_find(NULL);
    weir_buffer part = {0};
    char file[PATH_MAX + 1]; /* where a link leads */
    int found = files->xFullPathname(files, s->file, sizeof file, file) & 0xff;
    if (found != SQLITE_OK) return weir__sqlite_directory_failed(s->directory, ENAMETOOLONG, error);
    weir_buffer_printf(&part, "%s.part", file);
    remove_files(files, part.data);
    remove_files(files, file);
    bool ok = write_schema(s, part.data, error);
    if (ok && rename(part.data, file) < 0)
        ok = weir__sqlite_directory_failed(s->directory, errno, error);
    if (!ok) remove_files(files, part.data);
    weir_buffer_deinit(&part);
    return ok;
}

bool weir__sqlite_make(weir__sqlite *s, weir_error *error) {
    if (is_made(s)) return true;
    int lock = open(s->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock < 0) return weir__sqlite_directory_failed(s->directory, errno, error);
    flock(lock, LOCK_EX);
    bool ok = is_made(s) || make_file(s, error);
    close(lock);
    return ok;
}

/* All of the file and its WAL, into a new file. */
static bool copy_pages(const weir__sqlite *s, const char *to, weir_error *error) {
    sqlite3 *from = NULL, *copy = NULL;
    if (!weir__sqlite_connect(s, &from, error)) return false;
    make_private(to);
    sqlite3_backup *backup = NULL;
    if (sqlite3_open(to, &copy) == SQLITE_OK)
        backup = sqlite3_backup_init(copy, "main", from, "main");
    bool ok = backup && sqlite3_backup_step(backup, -1) == SQLITE_DONE;
    ok = (!backup || sqlite3_backup_finish(backup) == SQLITE_OK) && ok;
    if (!ok) {
        weir_fail(error, WEIR_STORE, "`%s` cannot be copied to `%s`: %s", s->file, to,
                  sqlite3_errmsg(copy));
        weir_error_hint(error,
                        "what is to be changed as a whole is copied first: make room for that");
    }
    sqlite3_close(copy);
    sqlite3_close(from);
    return ok;
}

bool weir__sqlite_keep_copy(const weir__sqlite *s, const char *copy, weir_error *error) {
    weir_buffer part = {0};
    weir_buffer_printf(&part, "%s.part", copy);
    bool ok = copy_pages(s, part.data, error);
    int fd = ok ? open(part.data, O_RDONLY | O_CLOEXEC) : -1;
    if (ok && (fd < 0 || fsync(fd) < 0 || rename(part.data, copy) < 0))
        ok = weir_fail(error, WEIR_STORE, "`%s` cannot be made: %s", copy, strerror(errno));
    if (fd >= 0) close(fd);
    if (!ok) unlink(part.data);
    weir_buffer_deinit(&part);
    return ok;
}

/* Within the transaction that holds the writers up: what is copied is what will be changed. */
static bool keep_version(const weir__sqlite *s, int version, weir_error *error) {
    weir_buffer copy = {0};
    weir_buffer_printf(&copy, "%s.version-%d", s->file, version);
    bool ok = weir__sqlite_keep_copy(s, copy.data, error);
    weir_buffer_deinit(&copy);
    return ok;
}

/* Under the lock of the directory. */
static bool bring_up(weir__sqlite *s, int version, weir_error *error) {
    if (!weir__sqlite_run(s, "PRAGMA synchronous = FULL", error) ||
        !weir__sqlite_run(s, "BEGIN IMMEDIATE", error))
        return false;
    if (keep_version(s, version, error)) return migrate(s, version, error);
    sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    return false;
}

/* One process at a time; the others find the work done. What was version 1 is read as it is where nothing may be written. */
static bool change_schema(weir__sqlite *s, weir_error *error) {
    int version = 0, lock = open(s->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock < 0) return weir__sqlite_directory_failed(s->directory, errno, error);
    flock(lock, LOCK_EX);
    bool ok = query_number(s, "PRAGMA user_version", &version, error);
    if (ok && !version) ok = make_schema(s, error);
    if (ok && version > 0 && version < SCHEMA_VERSION && !s->read_only)
        ok = bring_up(s, version, error);
    close(lock);
    return ok;
}

bool weir__sqlite_prepare(weir__sqlite *s, weir_error *error) {
    int version = 0;
    if (!query_number(s, "PRAGMA user_version", &version, error)) return false;
    if (version >= 0 && version < SCHEMA_VERSION && !change_schema(s, error)) return false;
    if (version < 0 || version > SCHEMA_VERSION) {
        weir_fail(error, WEIR_CONFLICT,
                  "the state in `%s` has format %d, this weir reads and writes format %d",
                  s->directory, version, SCHEMA_VERSION);
        weir_error_hint(error, "use a newer weir, or name another directory with --state");
        return false;
    }
    /* Foreign keys only now: a migration may replace a table that others refer to. */
    return weir__sqlite_run(s,
                            s->durability == WEIR_DURABILITY_FULL
                                ? "PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL"
                                : "PRAGMA foreign_keys = ON; PRAGMA synchronous = NORMAL",
                            error);
}
