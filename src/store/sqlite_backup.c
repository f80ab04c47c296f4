/* A copy of the file as it is at one moment, while others write. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "store/sqlite_internal.h"

enum { STEP_PAGES = 2048 };

/* The reading transaction that is open on `from` keeps the moment: else the copy would begin anew with each write. */
static bool copy_steps(sqlite3 *from, sqlite3 *to, weir__snapshot_progress *progress, void *arg,
                       bool *ended) {
    sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
    int status = backup ? SQLITE_OK : SQLITE_ERROR;
    while (status == SQLITE_OK) {
        status = sqlite3_backup_step(backup, STEP_PAGES);
        uint64_t total = (uint64_t)sqlite3_backup_pagecount(backup),
                 left = (uint64_t)sqlite3_backup_remaining(backup);
        if (progress && !progress(arg, total - left, total)) {
            *ended = true;
            break;
        }
    }
    if (backup && sqlite3_backup_finish(backup) != SQLITE_OK) return false;
    return status == SQLITE_DONE && !*ended;
}

static bool fail_copy(const weir__sqlite *s, const char *path, sqlite3 *to, weir_error *error) {
    int reason = sqlite3_system_errno(to);
    bool full = (sqlite3_errcode(to) & 0xff) == SQLITE_FULL || reason == ENOSPC || reason == EDQUOT;
    weir_fail(error, WEIR_IO, "`%.200s` cannot be copied to `%.200s`: %s", s->file, path,
              full     ? "the disk is full"
              : reason ? strerror(reason)
                       : sqlite3_errmsg(to));
    if (full) weir_error_hint(error, "make room, or write it to another disk");
    if (reason == EFBIG)
        weir_error_hint(error, "files may not grow that large here: see `ulimit -f`");
    return false;
}

bool weir__sqlite_snapshot(weir_store *store, const char *path, weir__snapshot_progress *progress,
                           void *arg, weir_error *error) {
    const weir__sqlite *s = (weir__sqlite *)store;
    sqlite3 *from = NULL, *to = NULL;
    bool ended = false;
    if (!weir__sqlite_connect(s, &from, error)) return false;
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool ok =
        fd >= 0 || weir_fail(error, WEIR_IO, "`%.200s` cannot be made: %s", path, strerror(errno));
    if (fd >= 0) close(fd);
    ok = ok && weir__sqlite_run_on(s, from, "BEGIN; SELECT count(*) FROM sqlite_master", error);
    if (ok && (sqlite3_open(path, &to) != SQLITE_OK ||
               sqlite3_exec(to, "PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF", NULL, NULL,
                            NULL) != SQLITE_OK ||
               !copy_steps(from, to, progress, arg, &ended)))
        ok = ended ? weir_fail(error, WEIR_CANCELLED, "it was ended before all was copied")
                   : fail_copy(s, path, to, error);
    sqlite3_close(to);
    sqlite3_close(from);
    return ok;
}
