#include "disk_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "disk_vfs.h"
#include "store/sqlite_internal.h"

/* The store asks the real file system for its folder, and finds an empty file there. */
static char folder[40];
static weir_loop *loop;

static bool prepare(weir_error *error) {
    if (loop) return true;
    bool memory = access("/dev/shm", W_OK) == 0; /* where a sync waits for nothing */
    snprintf(folder, sizeof folder, "%s/weir-simulate-XXXXXX", memory ? "/dev/shm" : "/tmp");
    if (!mkdtemp(folder)) return weir_fail(error, WEIR_IO, "%s cannot be made", folder);
    return weir_loop_open(&loop, error);
}

static const char old_state[] =
    "PRAGMA journal_mode = WAL;"
    "CREATE TABLE journal(stream TEXT, seq INTEGER, version INTEGER, checksum INTEGER, bytes BLOB,"
    " PRIMARY KEY(stream, seq)) WITHOUT ROWID;"
    "CREATE TABLE runs(id TEXT PRIMARY KEY, name TEXT UNIQUE, kind TEXT, phase TEXT, file TEXT,"
    " owner TEXT, parent TEXT, created_us INTEGER, finished_us INTEGER);"
    "INSERT INTO runs VALUES('old', 'older', 'dataflow', 'Succeeded', 'f', 'here:1', '', 5, 6);"
    "PRAGMA user_version = 1";
static const char old_run[] = "old", old_bytes[] = "what it was";

static void make_old(virtual_disk *disk) {
    sqlite3 *db = NULL;
    sqlite3_stmt *insert = NULL;
    weir_buffer file = {0};
    disk_vfs_use(disk);
    weir_buffer_printf(&file, "%s/weir.db", folder);
    bool ok = sqlite3_open(file.data, &db) == SQLITE_OK &&
              sqlite3_exec(db, old_state, NULL, NULL, NULL) == SQLITE_OK &&
              sqlite3_prepare_v2(db, "INSERT INTO journal VALUES(?, 1, 1, ?, ?)", -1, &insert,
                                 NULL) == SQLITE_OK;
    weir_str run = weir_str_from(old_run), bytes = weir_str_from(old_bytes);
    weir__bind_text(insert, 1, run);
    sqlite3_bind_int64(insert, 2, weir__batch_checksum(run, 1, bytes));
    sqlite3_bind_blob64(insert, 3, bytes.data, bytes.length, SQLITE_STATIC);
    ok = ok && sqlite3_step(insert) == SQLITE_DONE;
    sqlite3_finalize(insert);
    weir_assert(ok && sqlite3_close(db) == SQLITE_OK);
    weir_buffer_deinit(&file);
    virtual_disk_settle(disk);
}

/* Opens a store, and closes it. */
static void make_store(virtual_disk *disk) {
    weir_store *store;
    weir_error error;
    disk_vfs_use(disk);
    bool ok = weir_store_open(loop, folder, NULL, WEIR_DURABILITY_FULL, &store, &error);
    weir_assert(ok);
    weir_store_close(store);
    disk_store_deliver();
}

/* Disks on which nothing else happened: with a store of version 1, that store after it was brought up, and a new one. */
static virtual_disk old, brought_up, made;
static simulation nowhere;

static void make_disks(void) {
    old.sim = brought_up.sim = made.sim = &nowhere;
    make_old(&old);
    virtual_disk_copy(&brought_up, &old);
    make_store(&brought_up);
    make_store(&made);
}

/* Making a store and bringing one up takes longer than a run does, and goes the same way each time: it is done again only
 * where something is to happen meanwhile. */
static void begin_with_a_store(virtual_disk *disk, bool is_old) {
    if (!made.files.count) make_disks();
    if (disk->files.count) return;
    const virtual_disk *ready = is_old ? &brought_up : &made;
    bool early = (disk->crash_at && disk->crash_at <= ready->operations) ||
                 (disk->fault_at && disk->fault_at <= ready->operations);
    if (!early)
        virtual_disk_copy(disk, ready);
    else if (is_old)
        virtual_disk_copy(disk, &old);
}

bool disk_store_open(virtual_disk *disk, bool is_old, int pages, bool batch, weir_store **out,
                     weir_error *error) {
    weir_durability durability = batch ? WEIR_DURABILITY_BATCH : WEIR_DURABILITY_FULL;
    if (!prepare(error)) return false;
    begin_with_a_store(disk, is_old);
    disk_vfs_use(disk);
    if (!weir_store_open(loop, folder, NULL, durability, out, error)) return false;
    weir__sqlite *store = (weir__sqlite *)*out;
    weir__writer_move_by_hand(store->writer);
    store->log_pages_max = pages;
    return true;
}

static void note_old(void *arg, const weir_run_record *record) {
    *(bool *)arg = weir_str_is(record->name, "older") && weir_str_is(record->phase, "Succeeded") &&
                   record->created_us == 5;
}

static bool compare_old(void *arg, uint64_t sequence, weir_str bytes) {
    *(bool *)arg = sequence == 1 && weir_str_is(bytes, old_bytes);
    return true;
}

bool disk_store_has_old(weir_store *store) {
    bool listed = false, read = false;
    weir_error error;
    weir_str run = weir_str_from(old_run);
    return weir_store_find(store, run, note_old, &listed, &error) && listed &&
           weir_store_read(store, run, 1, compare_old, &read, &error) && read;
}

void disk_store_kill(virtual_disk *disk, weir_store *store) {
    disk->dead = true;
    if (store) weir_store_close(store);
    disk_store_deliver();
    disk->dead = false;
    disk->crash_at = 0;
}

void disk_store_turn(weir_store *store) {
    (void)weir__writer_turn(((weir__sqlite *)store)->writer);
}

void disk_store_deliver(void) {
    if (loop) weir_loop_once(loop, false);
}

void disk_store_damage(weir_store *store, weir_str run, uint64_t sequence, weir_str bytes) {
    sqlite3_stmt *update = NULL;
    sqlite3_prepare_v2(((weir__sqlite *)store)->db,
                       "UPDATE journal SET bytes = ? WHERE stream = ? AND seq = ?", -1, &update,
                       NULL);
    sqlite3_bind_blob64(update, 1, bytes.data, bytes.length, SQLITE_STATIC);
    weir__bind_text(update, 2, run);
    sqlite3_bind_int64(update, 3, (int64_t)sequence);
    int status = sqlite3_step(update);
    weir_assert(status == SQLITE_DONE);
    sqlite3_finalize(update);
}

void disk_store_end(void) {
    static const char *const files[] = {"weir.db", "weir.db.part", "weir.db.version-1",
                                        "weir.db.version-1.part"};
    char file[sizeof folder + 32];
    if (!loop) return;
    virtual_disk_deinit(&made);
    virtual_disk_deinit(&old);
    virtual_disk_deinit(&brought_up);
    weir_loop_close(loop);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(file, sizeof file, "%s/%s", folder, files[i]);
        unlink(file);
    }
    rmdir(folder);
}
