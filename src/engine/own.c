/* Whose a run is: its lock or its lease, and the socket through which its owner is asked. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "engine/engine_internal.h"

/* A child that is between its start and its exec has the lock of an owner that was killed just then. */
enum { OWN_LOCK_MS = 200, NAMES_LOCK_MS = 1000 };
enum { FLUSH_US = 5 * 1000 * 1000 }; /* how long who gives a run up waits for its last batch */

/* A socket costs more than a short run does: only what is not over by then gets one. Whoever wants to ask before waits
 * longer than that. */
enum {
    LISTEN_AFTER_US = 10 * 1000,
    LISTEN_AGAIN_US = 1000 * 1000, /* when there could be none */
    LISTEN_WAIT_US = 200 * 1000
};

/* --- ownership ------------------------------------------------------------------------------ */

void weir__run_path(const weir_engine *engine, const char *id, const char *suffix,
                    weir_buffer *out) {
    weir_buffer_printf(out, "%s/runs/%s%s", engine->locks, id, suffix);
}

/* What is wrong with them shows at the next step. */
static void make_folders(const weir_engine *engine) {
    weir_buffer path = {0};
    weir_buffer_printf(&path, "%s/runs", engine->locks);
    (void)mkdir(engine->state, 0700);
    (void)mkdir(path.data, 0700);
    weir_buffer_deinit(&path);
}

static int open_locks(const weir_engine *engine, int how) {
    weir_buffer path = {0};
    weir__run_path(engine, "", "locks", &path);
    int file = open(path.data, how | O_CLOEXEC, 0600);
    weir_buffer_deinit(&path);
    return file;
}

static bool fail_state(const weir_engine *engine, weir_error *error) {
    return weir_fail(error, WEIR_IO, "the state directory %s cannot be written: %s", engine->state,
                     strerror(errno));
}

/* The byte of the file of locks that is `what`'s: a run's id, or "names". Two that have the same byte exclude each other,
 * which no one lives to see: there are 2^62. */
static struct flock lock_of(const char *what, short type) {
    off_t at = (off_t)(weir_hash(what, strlen(what)) >> 2);
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};
}

/* 1: it is taken; 0: another has it all the time; -1: the file cannot be had. */
static int take_lock(weir_engine *engine, const char *what, int wait_ms) {
    struct flock lock = lock_of(what, F_WRLCK);
    if (engine->lock_file < 0) {
        make_folders(engine);
        engine->lock_file = open_locks(engine, O_RDWR | O_CREAT);
    }
    if (engine->lock_file < 0) return -1;
    for (int i = 0; fcntl(engine->lock_file, F_OFD_SETLK, &lock) != 0; i++) {
        if (errno != EAGAIN && errno != EACCES && errno != EINTR) return -1;
        if (i == wait_ms) return 0;
        nanosleep(&(struct timespec){.tv_nsec = 1000 * 1000}, NULL);
    }
    return 1;
}

static void give_lock(const weir_engine *engine, const char *what) {
    struct flock lock = lock_of(what, F_UNLCK);
    (void)fcntl(engine->lock_file, F_OFD_SETLK, &lock); /* it is held, so it can be given back */
}

bool weir__names_lock(weir_engine *engine, weir_error *error) {
    if (!engine->state) return true;
    /* Whoever holds it longer was stopped, or is this thread: the store then decides who has the name. */
    if (!engine->naming && take_lock(engine, "names", NAMES_LOCK_MS) < 0)
        return fail_state(engine, error);
    engine->naming++;
    return true;
}

void weir__names_unlock(weir_engine *engine) {
    if (engine->state && !--engine->naming) give_lock(engine, "names");
}

bool weir__run_is_owned(weir_engine *engine, const char *id) {
    const weir_run *run = weir__run_find(engine, id);
    if (run && run->owned) return true;
    if (weir_store_has_leases(engine->store))
        return weir_store_is_owned(engine->store, weir_str_from(id));
    int file = !engine->state           ? -1
               : engine->lock_file >= 0 ? engine->lock_file
                                        : open_locks(engine, O_RDONLY);
    struct flock lock = lock_of(id, F_WRLCK);
    bool owned = file >= 0 && fcntl(file, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    if (file >= 0 && file != engine->lock_file) close(file);
    return owned;
}

bool weir__run_is_abandoned(weir_engine *engine, const char *id) {
    const weir_run *run = weir__run_find(engine, id);
    if (run && run->owned) return false;
    if (weir_store_has_leases(engine->store))
        return weir_store_is_abandoned(engine->store, weir_str_from(id));
    if (!engine->state) return true;
    int file = engine->lock_file >= 0 ? engine->lock_file : open_locks(engine, O_RDONLY);
    if (file < 0) return errno == ENOENT; /* nobody ever drove one; else it is not known */
    struct flock lock = lock_of(id, F_WRLCK);
    bool free = fcntl(file, F_OFD_GETLK, &lock) == 0 && lock.l_type == F_UNLCK;
    if (file != engine->lock_file) close(file);
    return free;
}

/* Where the store has no leases. */
static bool lock_run(weir_engine *engine, const char *id, const char *name, bool *locked,
                     weir_error *error) {
    int taken = take_lock(engine, id, OWN_LOCK_MS);
    *locked = taken > 0;
    if (taken < 0) return fail_state(engine, error);
    if (taken) return true;
    weir_fail(error, WEIR_CONFLICT, "the run %s is driven by another process", name);
    weir_error_hint(error, "`weir get %s` shows it, `weir cancel %s` stops it", name, name);
    return false;
}

/* --- being asked ---------------------------------------------------------------------------- */

/* False: there is no room for a socket, or no descriptor, at this moment. */
static bool listen_now(weir_run *run) {
    weir_engine *engine = run->engine;
    weir_buffer path = {0};
    weir_error ignored;
    weir__run_path(engine, run->id, ".sock", &path);
    if (weir_store_has_leases(engine->store)) {
        make_folders(engine);
        unlink(path.data); /* of an owner that was stopped, and has lost the run */
    }
    bool ok = weir_listener_open(engine->loop, path.data, weir__control_answer, run, &run->listener,
                                 &ignored);
    weir_buffer_deinit(&path);
    return ok;
}

void weir__runs_listen(void *arg) {
    weir_engine *engine = arg;
    uint64_t now_us = weir_clock_steady_us(), next_us = UINT64_MAX;
    for (size_t i = 0; i < engine->runs.count; i++) {
        weir_run *run = engine->runs.items[i];
        if (!run->owned || run->over || run->listener) continue;
        if (run->listen_us <= now_us && listen_now(run)) continue;
        if (run->listen_us <= now_us) run->listen_us = now_us + LISTEN_AGAIN_US;
        if (run->listen_us < next_us) next_us = run->listen_us;
    }
    engine->listens = next_us != UINT64_MAX;
    if (engine->listens) weir_timer_start(engine->listening, next_us - now_us);
}

static void listen_soon(weir_run *run) {
    run->listen_us = weir_clock_steady_us() + LISTEN_AFTER_US;
    if (!run->engine->listens) weir_timer_start(run->engine->listening, LISTEN_AFTER_US);
    run->engine->listens = true;
}

bool weir__run_ask(weir_engine *engine, const char *id, weir_str line, uint64_t timeout_us,
                   weir_buffer *reply, weir_error *error) {
    weir_buffer path = {0};
    uint64_t until_us = weir_clock_steady_us() + LISTEN_WAIT_US;
    bool ok, leases = weir_store_has_leases(engine->store);
    weir__run_path(engine, id, ".sock", &path);
    while (!(ok = weir_ask(path.data, line, timeout_us, reply, error)) &&
           error->code == WEIR_NOT_FOUND && !leases && weir_clock_steady_us() < until_us &&
           weir__run_is_owned(engine, id))
        nanosleep(&(struct timespec){.tv_nsec = 5 * 1000 * 1000}, NULL);
    if (!ok && error->code == WEIR_NOT_FOUND && leases) /* elsewhere, or it does not listen yet */
        ok = weir_store_ask(engine->store, weir_str_from(id), line, timeout_us, reply, error);
    weir_buffer_deinit(&path);
    return ok;
}

/* --- the owner ------------------------------------------------------------------------------ */

bool weir__run_claim(weir_engine *engine, const char *id, bool *locked, weir_error *error) {
    *locked = false;
    if (engine->state && !weir_store_has_leases(engine->store) &&
        !lock_run(engine, id, id, locked, error))
        return false;
    return weir_store_own(engine->store, weir_str_from(id), error);
}

void weir__run_release(weir_engine *engine, const char *id, bool locked, bool gone) {
    weir_store_disown(engine->store, weir_str_from(id), true);
    if (gone && engine->state) { /* while the lock is held */
        weir_buffer path = {0};
        weir__run_path(engine, id, ".sock", &path);
        unlink(path.data);
        weir_buffer_deinit(&path);
    }
    if (locked) give_lock(engine, id);
}

bool weir__run_own(weir_run *run, bool is_new, weir_error *error) {
    weir_engine *engine = run->engine;
    weir_str id = weir_str_from(run->id);
    bool leases = weir_store_has_leases(engine->store);
    if (engine->state && !leases && !lock_run(engine, run->id, run->name, &run->locked, error))
        return false;
    if (!(is_new ? weir_store_begin : weir_store_own)(engine->store, id, error)) {
        if (error->code == WEIR_CONFLICT) weir_error_context(error, "the run %s", run->name);
        return false;
    }
    run->owned = true;
    if (engine->state) listen_soon(run);
    return true;
}

/* Whoever has the run next begins behind what it wrote here: that is there before the run is given up. A closing engine does
 * not wait for each of its runs on a server that is away: the store gives their leases back. */
static bool is_written(weir_run *run) {
    weir_store *store = run->engine->store;
    if (run->over || run->durable == run->sequence) return true;
    return !(run->engine->closing && weir_store_has_leases(store)) &&
           weir_store_flush(store, FLUSH_US);
}

void weir__run_disown(weir_run *run) {
    if (run->listener) weir_listener_close(run->listener);
    run->listener = NULL;
    if (run->owned) weir_store_disown(run->engine->store, weir_str_from(run->id), is_written(run));
    if (run->locked) give_lock(run->engine, run->id);
    run->locked = false;
}
