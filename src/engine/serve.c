/* Runs that are left to another process: who submits one writes it down, marks it in the state's folder `queue`, and tells
 * the process that serves the state, if there is one. That process drives them, some at a time, and ends when nothing is
 * left to do. Marks outlive it: whoever serves next begins with them. One serves a state at a time, by the lock. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "engine/engine_internal.h"

enum {
    ANSWER_US = 2 * 1000 * 1000,
    LOCK_TRIES = 500, /* each 10 ms */
    TURN_US = 200 * 1000,
    STALE_S = 60 /* a mark without a run: its maker died before the run was written */
};

typedef char run_id[WEIR_RUN_ID_LENGTH + 1];

typedef struct job {
    run_id id;
    weir_run *run; /* NULL: it waits for its turn */
    int32_t priority;
} job;

typedef struct server {
    weir_engine *engine;
    weir_listener *listener;
    WEIR_VECTOR(job) jobs; /* those that wait for their turn by priority and order */
    const weir_serving *options;
} server;

static void state_path(const weir_engine *engine, const char *name, weir_buffer *out) {
    weir_buffer_clear(out);
    weir_buffer_printf(out, "%s/%s", engine->state, name);
}

/* --- marks ------------------------------------------------------------------------------------ */

static void mark_path(const weir_engine *engine, const char *id, weir_buffer *out) {
    weir_buffer_clear(out);
    weir_buffer_printf(out, "%s/queue/%s", engine->state, id);
}

/* Says the run's priority; one that is there already stays. */
static bool mark(const weir_engine *engine, const char *id, int32_t priority, weir_error *error) {
    weir_buffer path = {0};
    char text[16];
    mark_path(engine, "", &path);
    (void)mkdir(path.data, 0700);
    mark_path(engine, id, &path);
    int file = open(path.data, O_CREAT | O_WRONLY | O_CLOEXEC, 0600), reason = errno;
    weir_buffer_deinit(&path);
    int length = snprintf(text, sizeof text, "%d\n", priority);
    /* Where it cannot be written, the run is one like others. */
    if (file >= 0 && priority && write(file, text, (size_t)length) != length)
        (void)!ftruncate(file, 0);
    if (file >= 0) close(file);
    return file >= 0 || weir_fail(error, WEIR_IO, "the state directory %s cannot be written: %s",
                                  engine->state, strerror(reason));
}

static int32_t marked_priority(const weir_engine *engine, const char *id) {
    weir_buffer path = {0};
    char text[16] = "";
    mark_path(engine, id, &path);
    int file = open(path.data, O_RDONLY | O_CLOEXEC);
    ssize_t length = file >= 0 ? read(file, text, sizeof text - 1) : 0;
    if (file >= 0) close(file);
    weir_buffer_deinit(&path);
    long long priority = length > 0 ? strtoll(text, NULL, 10) : 0;
    return priority >= INT32_MIN && priority <= INT32_MAX ? (int32_t)priority : 0;
}

static void unmark(const weir_engine *engine, const char *id) {
    weir_buffer path = {0};
    mark_path(engine, id, &path);
    unlink(path.data);
    weir_buffer_deinit(&path);
}

static bool is_stale(const weir_engine *engine, const char *id) {
    weir_buffer path = {0};
    struct stat file;
    mark_path(engine, id, &path);
    bool stale = stat(path.data, &file) == 0 && time(NULL) - file.st_mtime > STALE_S;
    weir_buffer_deinit(&path);
    return stale;
}

static bool is_id(const char *name) {
    return strlen(name) == WEIR_RUN_ID_LENGTH &&
           strspn(name, "0123456789abcdefghjkmnpqrstvwxyz") == WEIR_RUN_ID_LENGTH;
}

static void add(server *s, const char *id) {
    for (size_t i = 0; i < s->jobs.count; i++)
        if (strcmp(s->jobs.items[i].id, id) == 0) return;
    job *j = weir_vector_push(&s->jobs);
    *j = (job){.priority = marked_priority(s->engine, id)};
    snprintf(j->id, sizeof j->id, "%s", id);
}

static int compare_jobs(const void *a, const void *b) {
    return strcmp(((const job *)a)->id, ((const job *)b)->id);
}

/* Whether there are marks of runs that it did not know. Ids sort by age. */
static bool scan(server *s) {
    weir_buffer path = {0};
    size_t before = s->jobs.count;
    mark_path(s->engine, "", &path);
    DIR *folder = opendir(path.data);
    for (const struct dirent *entry; folder && (entry = readdir(folder));)
        if (is_id(entry->d_name)) add(s, entry->d_name);
    if (folder) closedir(folder);
    weir_buffer_deinit(&path);
    bool more = s->jobs.count > before;
    if (more) qsort(s->jobs.items + before, s->jobs.count - before, sizeof(job), compare_jobs);
    return more;
}

/* --- leaving a run ---------------------------------------------------------------------------- */

static bool tell(weir_engine *engine, const char *id) {
    weir_buffer path = {0}, line = {0}, answer = {0};
    weir_error ignored;
    state_path(engine, "engine.sock", &path);
    weir_buffer_printf(&line, "run %s", id);
    bool heard = weir_ask(path.data, weir_buffer_str(&line), ANSWER_US, &answer, &ignored) &&
                 weir_str_is(weir_buffer_str(&answer), "ok");
    weir_buffer_deinit(&path);
    weir_buffer_deinit(&line);
    weir_buffer_deinit(&answer);
    return heard;
}

static bool check_state(const weir_engine *engine, weir_error *error) {
    return engine->state ||
           weir_fail(error, WEIR_USAGE,
                     "a run that is left to another process has to be kept: not with "
                     "durability none");
}

bool weir__serve_mark(weir_run *run, weir_error *error) {
    return mark(run->engine, run->id, weir__run_priority(run->plan, NULL), error);
}

bool weir_submit(weir_engine *engine, const weir_value *request,
                 void (*problem)(void *arg, const weir_error *error), void *arg, weir_value **out,
                 weir_error *error) {
    weir_run *run;
    if (!check_state(engine, error) ||
        !weir__run_start(engine, request, WEIR__START_LEFT, problem, arg, &run, error))
        return false;
    bool ok = weir__run_wait_durable(run, error);
    run_id id;
    memcpy(id, run->id, sizeof id);
    weir_value *told = weir_object_new();
    weir_member_put_text(told, "run", weir_str_from(run->id));
    weir_member_put_text(told, "name", weir_str_from(run->name));
    weir_run_close(run);
    if (ok) weir_member_put(told, "served", weir_bool_new(tell(engine, id)));
    if (ok)
        *out = told;
    else
        weir_value_unref(told);
    if (!ok) unmark(engine, id);
    return ok;
}

bool weir_leave(weir_engine *engine, const char *name, bool *served, weir_error *error) {
    run_id id;
    weir_run *run;
    if (!check_state(engine, error) || !weir_run_watch(engine, name, &run, error)) return false;
    int32_t priority = weir__run_priority(run->plan, weir_machine_request(run->machine));
    memcpy(id, run->id, sizeof id);
    weir_run_close(run);
    if (!mark(engine, id, priority, error)) return false;
    *served = tell(engine, id);
    return true;
}

/* --- serving ---------------------------------------------------------------------------------- */

static void answer(void *arg, weir_str line, weir_buffer *out) {
    server *s = arg;
    char name[64];
    snprintf(name, sizeof name, "%.*s", WEIR_ARG(line));
    bool run = weir_str_starts(line, WEIR_STR("run ")) && is_id(name + strlen("run "));
    if (run) add(s, name + strlen("run "));
    weir_buffer_text(out, run || weir_str_is(line, "serve") ? "ok" : "what is that?");
}

/* -1 and no error: another process serves the state. */
static int take_lock(weir_engine *engine, weir_error *error) {
    weir_buffer path = {0}, socket = {0};
    state_path(engine, "engine.lock", &path);
    state_path(engine, "engine.sock", &socket);
    int lock = open(path.data, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    error->code = WEIR_OK;
    if (lock < 0) weir_fail(error, WEIR_IO, "`%s`: %s", path.data, strerror(errno));
    /* Who has it may be on its way to its end, or to its beginning. */
    for (int i = 0; lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) != 0; i++) {
        weir_buffer heard = {0};
        weir_error ignored;
        bool serves = weir_ask(socket.data, WEIR_STR("serve"), ANSWER_US, &heard, &ignored);
        weir_buffer_deinit(&heard);
        if (!serves && i < LOCK_TRIES) {
            nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
            continue;
        }
        close(lock);
        lock = -1;
        if (!serves)
            weir_fail(error, WEIR_CONFLICT,
                      "another process serves the state, and does not answer");
    }
    weir_buffer_deinit(&path);
    weir_buffer_deinit(&socket);
    return lock;
}

static bool listen_to(server *s, weir_error *error) {
    weir_buffer path = {0};
    state_path(s->engine, "engine.sock", &path);
    bool ok = weir_listener_open(s->engine->loop, path.data, answer, s, &s->listener, error);
    weir_buffer_deinit(&path);
    return ok;
}

static void drop(server *s, size_t at) {
    memmove(s->jobs.items + at, s->jobs.items + at + 1,
            (s->jobs.count - at - 1) * sizeof *s->jobs.items);
    s->jobs.count--;
}

static void say(const server *s, const weir_run *run, const char *id, const weir_error *error) {
    if (s->options->said) s->options->said(s->options->arg, run, id, error);
}

/* False when the job is done with. */
static bool begin(server *s, job *j) {
    weir_error error;
    if (weir_run_recover(s->engine, j->id, &j->run, &error)) {
        say(s, j->run, j->id, NULL);
        return true;
    }
    /* Its maker is about to write it, or somebody else drives it: the mark stays for a later look. */
    bool later = error.code == WEIR_CONFLICT ||
                 (error.code == WEIR_NOT_FOUND && !is_stale(s->engine, j->id));
    if (!later) unmark(s->engine, j->id);
    if (!later) say(s, NULL, j->id, &error);
    return false;
}

/* What is over goes; how many of the others are at work. */
static size_t end_jobs(server *s) {
    size_t active = 0;
    for (size_t i = 0; i < s->jobs.count;) {
        const job *j = &s->jobs.items[i];
        if (j->run && j->run->over) {
            unmark(s->engine, j->id);
            say(s, j->run, j->id, NULL);
            weir_run_close(j->run);
            drop(s, i);
            continue;
        }
        active += j->run && !weir_run_rests(j->run);
        i++;
    }
    return active;
}

/* Who waits, of the highest priority and there for longest; as many as there are: nobody. */
static size_t next_job(const server *s) {
    size_t next = s->jobs.count;
    for (size_t i = 0; i < s->jobs.count; i++)
        if (!s->jobs.items[i].run &&
            (next == s->jobs.count || s->jobs.items[i].priority > s->jobs.items[next].priority))
            next = i;
    return next;
}

/* Ends what is over, begins what may; how many are under way. */
static size_t turn(server *s) {
    size_t active = end_jobs(s), next;
    while (active < s->options->runs_max && (next = next_job(s)) < s->jobs.count) {
        if (begin(s, &s->jobs.items[next]))
            active++;
        else
            drop(s, next);
    }
    return active;
}

static void close_runs(server *s) {
    for (size_t i = 0; i < s->jobs.count; i++) {
        job *j = &s->jobs.items[i];
        if (!j->run) continue;
        if (j->run->over || weir_run_rests(j->run)) unmark(s->engine, j->id);
        weir_run_close(j->run);
    }
    weir_vector_deinit(&s->jobs);
}

static bool serve(server *s, weir_error *error) {
    weir_engine *engine = s->engine;
    uint64_t idle_us = 0; /* since when */
    scan(s);
    while (!s->options->stop(s->options->arg)) {
        size_t before = s->jobs.count, active = turn(s);
        uint64_t now = weir_clock_steady_us();
        if (active || s->jobs.count > before) idle_us = 0;
        if (!active && !idle_us) idle_us = now;
        if (idle_us && now - idle_us >= (uint64_t)s->options->idle_ms * 1000) {
            weir_listener_close(s->listener);
            s->listener = NULL;
            size_t known = s->jobs.count;
            if (!scan(s) || s->jobs.count == known) return true;
            if (!listen_to(s, error)) return false;
            idle_us = 0;
        }
        weir_timer_start(engine->waiting, active ? TURN_US : TURN_US / 4);
        weir_loop_once(engine->loop, true);
    }
    return true;
}

bool weir_serve(weir_engine *engine, const weir_serving *options, weir_error *error) {
    server s = {.engine = engine, .options = options};
    if (!check_state(engine, error)) return false;
    int lock = take_lock(engine, error);
    if (lock < 0) return error->code == WEIR_OK;
    bool ok = listen_to(&s, error) && serve(&s, error);
    weir_timer_cancel(engine->waiting);
    if (s.listener) weir_listener_close(s.listener);
    close_runs(&s);
    close(lock);
    return ok;
}
