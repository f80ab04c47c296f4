#include "disk_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "disk_vfs.h"
#include "store/sqlite_internal.h"

/* The store asks the real file system for its folder, and finds an empty file there. */
static char folder[] = "/tmp/weir-simulate-XXXXXX";
static weir_loop *loop;

static bool prepare(weir_error *error) {
    if (loop) return true;
    if (!mkdtemp(folder)) return weir_fail(error, WEIR_IO, "%s cannot be made", folder);
    return weir_loop_open(&loop, error);
}

bool disk_store_open(virtual_disk *disk, int pages, weir_store **out, weir_error *error) {
    if (!prepare(error)) return false;
    disk_vfs_use(disk);
    if (!weir_store_open(loop, folder, NULL, WEIR_DURABILITY_FULL, out, error)) return false;
    weir__sqlite *store = (weir__sqlite *)*out;
    weir__writer_move_by_hand(store->writer);
    sqlite3_wal_autocheckpoint(store->db, pages);
    return true;
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
    char file[sizeof folder + 16];
    if (!loop) return;
    weir_loop_close(loop);
    snprintf(file, sizeof file, "%s/weir.db", folder);
    unlink(file);
    rmdir(folder);
}
