#include "io/loop.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

typedef struct post {
    void (*run)(void *arg);
    void *arg;
} post;

typedef WEIR_VECTOR(post) posts;

typedef struct watcher {
    weir_loop_turns *turns;
    void *arg;
} watcher;

struct weir_loop {
    uv_loop_t uv; /* first */
    uv_async_t wake;
    uv_idle_t again;      /* active: the loop's own thread has posted since the last turn */
    pthread_mutex_t lock; /* of `waiting` */
    posts waiting;
    WEIR_VECTOR(watcher) watchers;
    weir__watches *watches; /* of children; NULL: there was none */
    size_t children;
    bool rang; /* a timer has, in this turn */
};

struct weir_timer {
    uv_timer_t uv;
    void (*ring)(void *arg);
    void *arg;
};

typedef struct pool_job {
    uv_work_t uv;
    void (*work)(void *arg);
    void (*done)(void *arg);
    void *arg;
} pool_job;

typedef struct thread_job {
    weir_loop *loop;
    pthread_t thread;
    void (*work)(void *arg);
    void (*done)(void *arg);
    void *arg;
} thread_job;

/* The loop that this thread runs, while it does. */
static _Thread_local weir_loop *running;

static void deliver_posts(weir_loop *loop) {
    pthread_mutex_lock(&loop->lock);
    posts ready = loop->waiting;
    loop->waiting = (posts){0};
    pthread_mutex_unlock(&loop->lock);
    for (size_t i = 0; i < ready.count; i++) ready.items[i].run(ready.items[i].arg);
    weir_vector_deinit(&ready);
}

static void woken(uv_async_t *wake) {
    deliver_posts(wake->data);
}

/* What is posted meanwhile mostly follows from it, and need not wait until the kernel was asked what else there is. */
static void turned(uv_idle_t *again) {
    enum { ROUNDS_MAX = 8 };
    for (int round = 0; round < ROUNDS_MAX && uv_is_active((uv_handle_t *)again); round++) {
        uv_idle_stop(again);
        deliver_posts(again->data);
    }
}

static bool has_disposition(int number, void (*disposition)(int)) {
    struct sigaction action;
    return sigaction(number, NULL, &action) == 0 && action.sa_handler == disposition;
}

/* Other descriptors must not become standard streams: libuv asserts it, and children would get them. */
static void open_standard_streams(void) {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0) (void)!open("/dev/null", O_RDWR);
}

/* libuv aborts when it cannot have the descriptors of its first loop: one of epoll's and a pipe. */
static bool has_descriptors(void) {
    int ends[2];
    if (pipe(ends) != 0) return false;
    int third = dup(ends[0]);
    close(ends[0]);
    close(ends[1]);
    if (third >= 0) close(third);
    return third >= 0;
}

bool weir_loop_open(weir_loop **out, weir_error *error) {
    open_standard_streams();
    if (!has_descriptors())
        return weir_fail(error, WEIR_IO, "no event loop: %s", uv_strerror(UV_EMFILE));
    weir_loop *loop = weir_alloc(sizeof *loop);
    int failed = uv_loop_init(&loop->uv);
    if (failed) {
        weir_free(loop);
        return weir_fail(error, WEIR_IO, "no event loop: %s", uv_strerror(failed));
    }
    failed = uv_async_init(&loop->uv, &loop->wake, woken);
    if (failed) {
        uv_loop_close(&loop->uv);
        weir_free(loop);
        return weir_fail(error, WEIR_IO, "no event loop: %s", uv_strerror(failed));
    }
    uv_idle_init(&loop->uv, &loop->again);
    loop->wake.data = loop->again.data = loop;
    pthread_mutex_init(&loop->lock, NULL);
    if (has_disposition(SIGPIPE, SIG_DFL)) signal(SIGPIPE, SIG_IGN);
    if (has_disposition(SIGXFSZ, SIG_DFL)) signal(SIGXFSZ, SIG_IGN);
    if (has_disposition(SIGCHLD, SIG_IGN)) signal(SIGCHLD, SIG_DFL);
    *out = loop;
    return true;
}

static bool has_posts(weir_loop *loop) {
    pthread_mutex_lock(&loop->lock);
    bool some = loop->waiting.count > 0;
    pthread_mutex_unlock(&loop->lock);
    return some;
}

static void assert_closed(uv_handle_t *handle, void *arg) {
    weir_loop *loop = arg;
    weir_assert(handle == (uv_handle_t *)&loop->wake || handle == (uv_handle_t *)&loop->again ||
                uv_is_closing(handle));
}

void weir_loop_close(weir_loop *loop) {
    if (loop->watches) weir__watches_close(loop->watches);
    uv_walk(&loop->uv, assert_closed, loop);
    uv_unref((uv_handle_t *)&loop->wake);
    while (has_posts(loop) || uv_loop_alive(&loop->uv)) {
        deliver_posts(loop);
        uv_run(&loop->uv, UV_RUN_DEFAULT);
    }
    uv_close((uv_handle_t *)&loop->wake, NULL);
    uv_close((uv_handle_t *)&loop->again, NULL);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    int busy = uv_loop_close(&loop->uv);
    weir_assert(!busy);
    pthread_mutex_destroy(&loop->lock);
    weir_vector_deinit(&loop->waiting);
    weir_vector_deinit(&loop->watchers);
    weir_free(loop);
}

void weir_loop_watch(weir_loop *loop, weir_loop_turns *turns, void *arg) {
    *weir_vector_push(&loop->watchers) = (watcher){turns, arg};
}

void weir_loop_unwatch(weir_loop *loop, void *arg) {
    for (size_t i = 0; i < loop->watchers.count; i++)
        if (loop->watchers.items[i].arg == arg)
            loop->watchers.items[i--] = loop->watchers.items[--loop->watchers.count];
}

void weir__loop_count_child(weir_loop *loop, bool lives) {
    loop->children = lives ? loop->children + 1 : loop->children - 1;
}

weir__watches **weir__loop_watches(weir_loop *loop) {
    return &loop->watches;
}

bool weir_loop_is_idle(weir_loop *loop) {
    if (loop->children || uv_is_active((uv_handle_t *)&loop->again)) return false;
    if (loop->uv.closing_handles) uv_run(&loop->uv, UV_RUN_NOWAIT); /* a run's timer, often */
    struct pollfd ready = {.fd = uv_backend_fd(&loop->uv), .events = POLLIN};
    return uv_backend_timeout(&loop->uv) != 0 && poll(&ready, 1, 0) == 0;
}

void weir_loop_once(weir_loop *loop, bool wait) {
    weir_loop *around = running;
    running = loop;
    loop->rang = false;
    for (size_t i = 0; i < loop->watchers.count; i++)
        wait = !loop->watchers.items[i].turns(loop->watchers.items[i].arg, wait) && wait;
    uv_run(&loop->uv, wait && !loop->rang ? UV_RUN_ONCE : UV_RUN_NOWAIT);
    running = around;
}

int weir_loop_descriptor(const weir_loop *loop, uint32_t *timeout_ms) {
    int timeout = uv_backend_timeout(&loop->uv);
    *timeout_ms = timeout < 0 ? UINT32_MAX : (uint32_t)timeout;
    return uv_backend_fd(&loop->uv);
}

void weir_loop_post(weir_loop *loop, void (*run)(void *arg), void *arg) {
    /* The wake is sent under the lock: once it is free the loop's thread may have closed the loop. */
    pthread_mutex_lock(&loop->lock);
    bool first = loop->waiting.count == 0;
    *weir_vector_push(&loop->waiting) = (post){run, arg};
    if (running == loop)
        uv_idle_start(&loop->again, turned); /* it need not wake itself */
    else if (first)
        uv_async_send(&loop->wake);
    pthread_mutex_unlock(&loop->lock);
}

struct uv_loop_s *weir__loop_uv(weir_loop *loop) {
    return &loop->uv;
}

static uint64_t clock_us(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t weir_clock_us(void) {
    return clock_us(CLOCK_REALTIME);
}

uint64_t weir_clock_steady_us(void) {
    return clock_us(CLOCK_MONOTONIC);
}

static void free_handle(uv_handle_t *handle) {
    weir_free(handle);
}

/* libuv rings what is due before it waits, and waits all the same: for ever, when nothing else is to come. */
static void timer_rang(uv_timer_t *uv) {
    weir_timer *timer = uv->data;
    weir_loop *loop = (weir_loop *)uv->loop; /* its first member */
    loop->rang = true;
    uv_stop(uv->loop);
    timer->ring(timer->arg);
}

weir_timer *weir_timer_open(weir_loop *loop, void (*ring)(void *arg), void *arg) {
    weir_timer *timer = weir_alloc(sizeof *timer);
    uv_timer_init(&loop->uv, &timer->uv);
    timer->uv.data = timer;
    timer->ring = ring;
    timer->arg = arg;
    return timer;
}

void weir_timer_start(weir_timer *timer, uint64_t delay_us) {
    /* libuv counts from its own cached, truncated clock: without this a timer could ring early. */
    uint64_t now_us = weir_clock_steady_us();
    uint64_t due_us = delay_us < INT64_MAX - now_us ? now_us + delay_us : INT64_MAX;
    uint64_t due_ms = (due_us + 999) / 1000, loop_ms = uv_now(timer->uv.loop);
    uv_timer_start(&timer->uv, timer_rang, due_ms > loop_ms ? due_ms - loop_ms : 0, 0);
}

void weir_timer_cancel(weir_timer *timer) {
    uv_timer_stop(&timer->uv);
}

void weir_timer_close(weir_timer *timer) {
    uv_close((uv_handle_t *)&timer->uv, free_handle);
}

static void pool_work(uv_work_t *uv) {
    pool_job *job = uv->data;
    job->work(job->arg);
}

static void pool_done(uv_work_t *uv, int status) {
    (void)status;
    pool_job *job = uv->data;
    void (*done)(void *) = job->done;
    void *arg = job->arg;
    weir_free(job);
    done(arg);
}

void weir_pool_run(weir_loop *loop, void (*work)(void *arg), void (*done)(void *arg), void *arg) {
    pool_job *job = weir_alloc(sizeof *job);
    *job = (pool_job){.work = work, .done = done, .arg = arg};
    job->uv.data = job;
    uv_queue_work(&loop->uv, &job->uv, pool_work, pool_done);
}

static void thread_done(void *arg) {
    thread_job *job = arg;
    pthread_join(job->thread, NULL); /* it is in its last steps */
    job->done(job->arg);
    weir_free(job);
}

static void *thread_work(void *arg) {
    thread_job *job = arg;
    job->work(job->arg);
    weir_loop_post(job->loop, thread_done, job);
    return NULL;
}

int weir_thread_start(pthread_t *out, void *(*work)(void *arg), void *arg) {
    static const int of_a_crash[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    sigset_t blocked, before;
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof of_a_crash / sizeof *of_a_crash; i++)
        sigdelset(&blocked, of_a_crash[i]);
    pthread_sigmask(SIG_SETMASK, &blocked, &before); /* the thread inherits it */
    int failed = pthread_create(out, NULL, work, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

void weir_thread_run(weir_loop *loop, void (*work)(void *arg), void (*done)(void *arg), void *arg) {
    thread_job *job = weir_alloc(sizeof *job);
    *job = (thread_job){.loop = loop, .work = work, .done = done, .arg = arg};
    if (weir_thread_start(&job->thread, thread_work, job) == 0) return;
    weir_free(job);
    weir_pool_run(loop, work, done, arg);
}
