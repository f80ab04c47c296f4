#include "sleep.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* How late a cancelled call may end. */
enum { ASK_AGAIN_MS = 20 };

typedef struct sleeper {
    const weir_host *host;
    weir_call *call;
    uint64_t wake_us; /* of the steady clock */
    struct sleeper *next;
} sleeper;

/* Those that the thread has not yet seen; whoever adds one rings the bell. */
static _Atomic(sleeper *) arrivals;
static int bell = -1;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static uint64_t steady_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Completes those whose time has come; returns the rest, and when the next wakes. */
static sleeper *wake(sleeper *all, uint64_t now_us, uint64_t *next_us) {
    sleeper *rest = NULL;
    for (sleeper *next; all; all = next) {
        next = all->next;
        bool cancelled = all->host->cancelled(all->call);
        if (cancelled || all->wake_us <= now_us) {
            all->host->complete(all->call, !cancelled);
            free(all);
            continue;
        }
        if (all->wake_us < *next_us) *next_us = all->wake_us;
        all->next = rest;
        rest = all;
    }
    return rest;
}

static void *keep_time(void *arg) {
    sleeper *all = NULL;
    uint64_t rung;
    for (;;) {
        sleeper *arrived = atomic_exchange(&arrivals, NULL);
        for (sleeper *next; arrived; arrived = next) {
            next = arrived->next;
            arrived->next = all;
            all = arrived;
        }
        uint64_t now_us = steady_us(), next_us = now_us + ASK_AGAIN_MS * 1000;
        all = wake(all, now_us, &next_us);
        struct pollfd ringing = {.fd = bell, .events = POLLIN};
        struct timespec wait = {0, (long)(next_us - now_us) * 1000};
        if (ppoll(&ringing, 1, all ? &wait : NULL, NULL) > 0 &&
            read(bell, &rung, sizeof rung) != sizeof rung)
            break;
    }
    return arg;
}

static void begin(void) {
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t all, before;
    int made = eventfd(0, EFD_CLOEXEC);
    if (made < 0) return;
    bell = made;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &attributes, keep_time, NULL) != 0) {
        close(made);
        bell = -1;
    }
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

bool weir__sleep(const weir_host *host, weir_call *call, uint64_t us) {
    static const uint64_t ring = 1;
    pthread_once(&once, begin);
    sleeper *made = bell < 0 ? NULL : malloc(sizeof *made);
    if (!made) return host->fail(call, "internal", "there is no thread to keep the time");
    *made = (sleeper){host, call, steady_us() + us, atomic_load(&arrivals)};
    while (!atomic_compare_exchange_weak(&arrivals, &made->next, made)) {
    }
    /* What could fail is a bell that rings already. */
    ssize_t rung = write(bell, &ring, sizeof ring);
    (void)rung;
    return true;
}
