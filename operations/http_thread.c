/* The module's thread: all transfers of this process, in one multi handle of curl. Calls come in through a stack that
 * threads push on without a lock; everything else belongs to the thread. It begins with the first call and stays, with
 * its connections, as long as the process.
 *
 * Curl says which sockets it waits for, and is told which of them are ready: an event costs its own transfer and not a look
 * at all that are under way. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "http_peer.h"

enum {
    SCAN_US = 100000,     /* how long a cancelled call may stay unnoticed */
    SCAN_LEAST_US = 5000, /* scans look at every transfer: not more often than this */
    EVENTS_MAX = 256,     /* sockets that are looked at at once */
    BEGUN_MAX = 16 /* transfers begun at once: the first are under way while others connect */
};

static struct {
    pthread_once_t once;
    bool works; /* set before the thread begins */
    CURLM *multi;
    CURLSH *share;
    int epoll, wake; /* an eventfd: something lies in the inbox */
    uint64_t due_us; /* when curl wants to be called though no socket is ready; UINT64_MAX: never */
    _Atomic(weir__transfer *) inbox; /* the last pushed first */
    weir__peers peers;
    weir__transfer *all;
    size_t running, running_max;
    uint64_t scan_us;
} module = {.once = PTHREAD_ONCE_INIT};

/* --- the end of a call --- */

static void forget(weir__transfer *t) {
    if (t->all_next) t->all_next->all_previous = t->all_previous;
    if (t->all_previous)
        t->all_previous->all_next = t->all_next;
    else
        module.all = t->all_next;
    weir__transfer_drop_handle(t);
    curl_slist_free_all(t->lines);
    weir__bytes_deinit(&t->url);
    weir__bytes_deinit(&t->body);
}

static void complete(weir__transfer *t, bool succeeded) {
    const weir_host *host = t->host;
    weir_call *call = t->call;
    forget(t);
    host->complete(call, succeeded); /* the transfer was in the call's memory */
}

static void fail(weir__transfer *t, const weir__http_failure *failure) {
    bool output = t->request.options.error_output && strcmp(failure->code, "cancelled") != 0 &&
                  strcmp(failure->code, "expired") != 0;
    complete(t, weir__http_fail(t->host, t->call, failure, output, t->request.url, t->attempts));
}

static void fail_plainly(weir__transfer *t, const char *code, const char *text) {
    weir__http_failure failure;
    weir__http_failed(&failure, code, "%s", text);
    fail(t, &failure);
}

static void succeed(weir__transfer *t) {
    weir__http_failure failure;
    if (weir__transfer_give(t, &failure))
        complete(t, true);
    else
        fail(t, &failure);
}

/* --- attempts --- */

static void scan_at(uint64_t when_us) {
    if (when_us < module.scan_us) module.scan_us = when_us;
}

static bool may_retry(const weir__transfer *t, const weir__http_failure *failure) {
    const weir__http_options *options = &t->request.options;
    return failure->retry && t->attempts <= options->retries &&
           (failure->unsent || options->retry_unsafe || weir__http_is_idempotent(t->method));
}

/* False when there is no time for another attempt. */
static bool sleep_until_retry(weir__transfer *t, const weir__http_failure *failure) {
    uint64_t delay_us = weir__transfer_delay_us(t), now_us = weir__http_now_us();
    if (delay_us == UINT64_MAX || delay_us >= t->deadline_us - now_us) return false;
    t->host->log(t->call, WEIR_WARNING, "%s; attempt %u comes in %.3f s", failure->text,
                 t->attempts + 1, (double)delay_us / 1e6);
    t->state = WEIR__SLEEPING;
    t->wake_us = now_us + delay_us;
    scan_at(t->wake_us);
    return true;
}

static void end_attempt(weir__transfer *t, CURLcode result) {
    weir__http_failure failure = {0};
    curl_multi_remove_handle(module.multi, t->easy);
    module.running--;
    bool ok = weir__transfer_judge(t, result, &failure);
    weir__peer_done(&module.peers, t, ok || failure.peers, !ok);
    if (ok && weir__transfer_redirect(t, &failure)) {
        weir__peer_join(&module.peers, t, true);
        return;
    }
    if (ok && !failure.code) {
        succeed(t);
        return;
    }
    if (!ok && may_retry(t, &failure) && sleep_until_retry(t, &failure)) return;
    bool status = !ok && failure.status;
    if (status && (!t->request.options.fail_on_status || failure.status < 400))
        succeed(t);
    else
        fail(t, &failure);
}

static void begin_attempt(weir__transfer *t) {
    weir__http_failure failure;
    bool allowed = weir__peer_allows(t, &failure);
    CURL *easy = allowed ? weir__transfer_prepare(t, module.share) : NULL;
    if (allowed && (!easy || curl_multi_add_handle(module.multi, easy) != CURLM_OK))
        allowed = weir__http_failed(&failure, "io", "curl has no memory for a transfer");
    if (!allowed) {
        weir__peer_done(&module.peers, t, false, false);
        fail(t, &failure);
        return;
    }
    t->state = WEIR__RUNNING;
    module.running++;
}

/* Whether it was so many, so that there may be more. */
static bool begin_attempts(size_t most) {
    weir__transfer *t;
    size_t count = 0;
    while (count < most && module.running < module.running_max &&
           (t = weir__peer_next(&module.peers))) {
        t->attempts++;
        count++;
        begin_attempt(t);
    }
    return count == most;
}

/* --- what comes in, and what does not wait for the network --- */

static void take_inbox(void) {
    weir__transfer *last = atomic_exchange_explicit(&module.inbox, NULL, memory_order_acquire);
    weir__transfer *first = NULL;
    while (last) { /* in the order of their coming */
        weir__transfer *next = last->next;
        last->next = first;
        first = last;
        last = next;
    }
    while (first) {
        weir__transfer *t = first;
        first = t->next;
        t->all_next = module.all;
        if (module.all) module.all->all_previous = t;
        module.all = t;
        scan_at(t->begun_us + SCAN_US);
        weir__peer_join(&module.peers, t, false);
    }
}

static void abandon(weir__transfer *t, const char *code, const char *text) {
    if (t->state == WEIR__QUEUED) weir__peer_leave(&module.peers, t);
    if (t->state == WEIR__RUNNING) {
        curl_multi_remove_handle(module.multi, t->easy);
        module.running--;
        weir__peer_done(&module.peers, t, false, false);
    }
    fail_plainly(t, code, text);
}

static void scan(void) {
    uint64_t now_us = weir__http_now_us();
    if (now_us < module.scan_us) return;
    uint64_t next_us = UINT64_MAX;
    for (weir__transfer *t = module.all, *next; t; t = next) {
        next = t->all_next;
        if (t->host->cancelled(t->call)) {
            abandon(t, "cancelled", "it was told to end");
            continue;
        }
        if (now_us >= t->deadline_us) {
            abandon(t, "expired", "the time for it is over");
            continue;
        }
        if (t->state == WEIR__SLEEPING && now_us >= t->wake_us)
            weir__peer_join(&module.peers, t, false);
        uint64_t due_us = now_us + SCAN_US;
        if (t->state == WEIR__SLEEPING && t->wake_us < due_us) due_us = t->wake_us;
        if (t->deadline_us < due_us) due_us = t->deadline_us;
        if (due_us < next_us) next_us = due_us;
    }
    module.scan_us = next_us < now_us + SCAN_LEAST_US ? now_us + SCAN_LEAST_US : next_us;
}

static void end_attempts(void) {
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(module.multi, &left))) {
        if (message->msg != CURLMSG_DONE) continue;
        void *owner = NULL;
        CURLcode result = message->data.result; /* the message ends with its handle */
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &owner);
        end_attempt(owner, result);
        (void)begin_attempts(1); /* now, since it can have the handle */
    }
}

/* --- sockets --- */

static int wait_ms(void) {
    uint64_t now_us = weir__http_now_us();
    uint64_t until_us = module.due_us < module.scan_us ? module.due_us : module.scan_us;
    if (until_us <= now_us) return 0;
    uint64_t left_us = until_us - now_us;
    return left_us > 60000000 ? 60000 : (int)((left_us + 999) / 1000);
}

/* Curl's CURLMOPT_SOCKETFUNCTION. `known` is not NULL once the socket is with epoll. */
static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known) {
    (void)easy;
    (void)arg;
    struct epoll_event event = {.data.fd = fd};
    if (what & CURL_POLL_IN) event.events |= EPOLLIN;
    if (what & CURL_POLL_OUT) event.events |= EPOLLOUT;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(module.epoll, EPOLL_CTL_DEL, fd, &event);
        return 0;
    }
    if (epoll_ctl(module.epoll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) != 0)
        weir__out_of_memory();
    if (!known) curl_multi_assign(module.multi, fd, &module);
    return 0;
}

/* Curl's CURLMOPT_TIMERFUNCTION. */
static int set_timer(CURLM *multi, long ms, void *arg) {
    (void)multi;
    (void)arg;
    module.due_us = ms < 0 ? UINT64_MAX : weir__http_now_us() + (uint64_t)ms * 1000;
    return 0;
}

static void act(const struct epoll_event *event) {
    uint64_t count;
    int running, ready = 0;
    if (event->data.fd == module.wake) {
        while (read(module.wake, &count, sizeof count) < 0 && errno == EINTR) continue;
        return;
    }
    if (event->events & EPOLLIN) ready |= CURL_CSELECT_IN;
    if (event->events & EPOLLOUT) ready |= CURL_CSELECT_OUT;
    if (event->events & (EPOLLERR | EPOLLHUP)) ready |= CURL_CSELECT_ERR;
    curl_multi_socket_action(module.multi, event->data.fd, ready, &running);
}

static void wait_and_act(int most_ms) {
    struct epoll_event events[EVENTS_MAX];
    int running, count = epoll_wait(module.epoll, events, EVENTS_MAX, most_ms);
    for (int i = 0; i < count; i++) act(&events[i]);
    if (module.due_us > weir__http_now_us()) return;
    module.due_us = UINT64_MAX; /* unless curl says another time within */
    curl_multi_socket_action(module.multi, CURL_SOCKET_TIMEOUT, 0, &running);
}

static void *serve(void *arg) {
    (void)arg;
    for (;;) {
        take_inbox();
        scan();
        bool more = begin_attempts(BEGUN_MAX);
        wait_and_act(more ? 0 : wait_ms());
        end_attempts();
    }
    return NULL;
}

/* --- begin --- */

/* Half of the files that the process may have: the other half is everybody else's. */
static size_t running_limit(void) {
    struct rlimit files;
    size_t half = getrlimit(RLIMIT_NOFILE, &files) == 0 ? files.rlim_cur / 2 : 128;
    return half < 16 ? 16 : half > 1000 ? 1000 : half;
}

static bool open_sockets(void) {
    module.epoll = epoll_create1(EPOLL_CLOEXEC);
    module.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = module.wake};
    return module.epoll >= 0 && module.wake >= 0 &&
           epoll_ctl(module.epoll, EPOLL_CTL_ADD, module.wake, &event) == 0;
}

static void begin(void) {
    pthread_t thread;
    sigset_t all, before;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0 || !open_sockets()) return;
    module.multi = curl_multi_init();
    module.share = curl_share_init();
    if (!module.multi || !module.share) return;
    module.running_max = running_limit();
    module.scan_us = module.due_us = UINT64_MAX;
    curl_multi_setopt(module.multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
    curl_multi_setopt(module.multi, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(module.multi, CURLMOPT_MAXCONNECTS, (long)module.running_max);
    curl_share_setopt(module.share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
    /* Signals are for the threads that know them; a peer that went away is an error, no signal. */
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    module.works = pthread_create(&thread, NULL, serve, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (module.works) pthread_detach(thread);
}

static void wake(void) {
    static const uint64_t one = 1;
    while (write(module.wake, &one, sizeof one) < 0 && errno == EINTR) continue;
}

bool weir__http_hand_over(weir__transfer *t) {
    pthread_once(&module.once, begin);
    if (!module.works) return false;
    weir__transfer *before = atomic_load_explicit(&module.inbox, memory_order_relaxed);
    do t->next = before;
    while (!atomic_compare_exchange_weak_explicit(&module.inbox, &before, t, memory_order_release,
                                                  memory_order_relaxed));
    /* Who found others there leaves the waking to them: all are taken at once. */
    if (!before) wake();
    return true;
}
