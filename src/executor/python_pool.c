/* How environments share the processors, and when workers end that have nothing to do. */
#include <stdlib.h>
#include <unistd.h>

#include "base/time.h"
#include "executor/python_internal.h"

enum {
    GENERATORS_MAX = 64,  /* with workers of their own */
    TURN_US = 100 * 1000, /* of an environment, while more of them wait than may be at work */
    PROCESSES_MAX = 16    /* beside one for each processor: then idle ones end */
};

/* Workers that have calls of the kind. */
size_t weir__python_count_busy(const weir_python_environment *environment, weir__python_kind kind) {
    size_t count = 0;
    for (size_t i = 0; i < environment->workers.count; i++) {
        const weir__python_worker *worker = environment->workers.items[i];
        count += worker->list.count && worker->kind == kind;
    }
    return count;
}

/* That may have calls of a kind at once, over all environments. */
size_t weir__python_workers_max(const weir__python *executor, weir__python_kind kind) {
    return kind == WEIR__PYTHON_GENERATOR ? GENERATORS_MAX : executor->processors;
}

/* Who else wants workers of a kind. */
typedef struct rivals {
    size_t busy, claims; /* workers that are theirs; environments in which calls wait */
    bool starving;       /* some of these have no worker */
    size_t older;        /* of these wait for longer */
} rivals;

static rivals find_rivals(const weir_python_environment *environment, weir__python_kind kind) {
    rivals found = {0};
    const weir__python *executor = environment->executor;
    for (size_t i = 0; i < executor->environments.count; i++) {
        const weir_python_environment *other = executor->environments.items[i];
        size_t busy = other == environment ? 0 : weir__python_count_busy(other, kind);
        found.busy += busy;
        if (other == environment || !other->waiting[kind].count) continue;
        found.claims++;
        if (busy) continue;
        found.starving = true;
        found.older += other->waits_us[kind] && other->waits_us[kind] < environment->waits_us[kind];
    }
    return found;
}

/* How many workers the environment may have at calls of the kind: all that are free, or a fair share when others want some. When they are more
 * than there are workers, they take turns. */
size_t weir__python_share(const weir_python_environment *environment, weir__python_kind kind) {
    size_t most = weir__python_workers_max(environment->executor, kind);
    if (kind == WEIR__PYTHON_GENERATOR || environment->executor->environments.count == 1)
        return most;
    rivals others = find_rivals(environment, kind);
    size_t own = weir__python_count_busy(environment, kind);
    size_t room = most > others.busy ? most - others.busy : 0; /* with its own */
    if (!others.claims) return room > own ? room : own;
    if (!own) return room > others.older;
    size_t share = most / (others.claims + 1);
    if (share < 1) share = 1;
    bool over = weir_clock_steady_us() - environment->turn_us[kind] > TURN_US;
    if (others.starving && room <= own && own <= share && over) return own - 1;
    return share < room ? share : room;
}

/* --- workers that have nothing to do ------------------------------------------------------------- */

static bool is_idle(const weir__python_worker *worker) {
    return worker->process && worker->greeted && !worker->leaves && !worker->list.count;
}

/* The one that has had nothing to do for longest; NULL: none is idle. */
static weir__python_worker *find_idlest(const weir__python *executor) {
    weir__python_worker *found = NULL;
    for (size_t i = 0; i < executor->environments.count; i++) {
        const weir_python_environment *environment = executor->environments.items[i];
        for (size_t j = 0; j < environment->workers.count; j++) {
            weir__python_worker *worker = environment->workers.items[j];
            if (is_idle(worker) && (!found || worker->heard_us < found->heard_us)) found = worker;
        }
    }
    return found;
}

void weir__python_watch_idle(weir__python *executor) {
    if (executor->watches_idle || !find_idlest(executor)) return;
    executor->watches_idle = true;
    weir_timer_start(executor->idle_timer, executor->idle_us);
}

/* Ends those that were idle for so long. */
static void end_idle(void *arg) {
    weir__python *executor = arg;
    weir__python_worker *worker;
    uint64_t now_us = weir_clock_steady_us();
    executor->watches_idle = false;
    while ((worker = find_idlest(executor))) {
        uint64_t due_us = worker->heard_us + executor->idle_us;
        if (due_us > now_us) {
            executor->watches_idle = true;
            weir_timer_start(executor->idle_timer, due_us - now_us);
            return;
        }
        weir__python_worker_kill(worker);
        weir__python_drop_unused(worker->environment);
    }
}

/* Environments that are not in use now leave those room that are. */
void weir__python_make_room(const weir_python_environment *environment) {
    weir__python *executor = environment->executor;
    if (executor->processes < PROCESSES_MAX + executor->processors) return;
    weir__python_worker *worker = find_idlest(executor);
    if (worker && worker->environment != environment) weir__python_worker_kill(worker);
}

/* How long a worker stays with nothing to do. */
static uint64_t idle_time(void) {
    enum { IDLE_US = 60 * 1000 * 1000 };
    const char *given = getenv("WEIR_PYTHON_IDLE");
    uint64_t us;
    weir_error error;
    bool said = given && *given && weir_duration_parse(weir_str_from(given), &us, &error);
    return said ? us : IDLE_US;
}

void weir__python_pool_open(weir__python *executor) {
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    executor->processors = processors > 0 ? (size_t)processors : 1;
    executor->idle_timer = weir_timer_open(executor->loop, end_idle, executor);
    executor->idle_us = idle_time();
}
