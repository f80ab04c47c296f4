#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <uv.h>

#include "io/process_internal.h"

enum { EVENTS_AT_ONCE = 64, CHANNEL_BITS = 3, NUMBER_BITS = 29 };

typedef struct place {
    weir_process *process; /* NULL: free */
    uint32_t number;       /* of the process in it */
    uint32_t next_free;
} place;

struct weir__watches {
    uv_poll_t poll;
    int epoll;           /* -1: it could not be made, */
    int why;             /* and errno said this */
    uint32_t live, free; /* `free` is 1 more than the first free place; 0: there is none */
    WEIR_VECTOR(place) places;
};

typedef struct weir__watches watches;

static weir_process *find(const watches *w, uint64_t key) {
    const place *p = &w->places.items[key >> 32];
    return p->number == (key >> CHANNEL_BITS & ((1u << NUMBER_BITS) - 1)) ? p->process : NULL;
}

/* One that has left in between is not asked for any more. */
static void ready(uv_poll_t *poll, int status, int events) {
    watches *w = poll->data;
    struct epoll_event happened[EVENTS_AT_ONCE];
    (void)status;
    (void)events;
    int count = epoll_wait(w->epoll, happened, EVENTS_AT_ONCE, 0);
    for (int i = 0; i < count; i++) {
        weir_process *process = find(w, happened[i].data.u64);
        if (process)
            weir__process_ready(process, (int)(happened[i].data.u64 & ((1u << CHANNEL_BITS) - 1)));
    }
}

static watches *watches_of(weir_loop *loop) {
    return *weir__loop_watches(loop);
}

/* Tried again for each process, as descriptors may have been short. */
static watches *open_watches(weir_loop *loop) {
    watches **of_loop = weir__loop_watches(loop), *w = *of_loop;
    if (!w) {
        w = *of_loop = weir_alloc(sizeof *w);
        w->poll.data = w;
        w->epoll = -1;
    }
    if (w->epoll >= 0) return w;
    w->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (w->epoll < 0) {
        w->why = errno;
        return w;
    }
    int failure = uv_poll_init(weir__loop_uv(loop), &w->poll, w->epoll);
    if (failure) {
        w->why = -failure;
        close(w->epoll);
        w->epoll = -1;
    } else {
        (void)!uv_poll_start(&w->poll, UV_READABLE, ready);
    }
    return w;
}

static void closed(uv_handle_t *handle) {
    watches *w = handle->data;
    close(w->epoll);
    weir_vector_deinit(&w->places);
    weir_free(w);
}

void weir__watches_close(weir__watches *w) {
    weir_assert(!w->live);
    if (w->epoll >= 0) {
        uv_close((uv_handle_t *)&w->poll, closed);
        return;
    }
    weir_vector_deinit(&w->places);
    weir_free(w);
}

uint64_t weir__process_enter(weir_loop *loop, weir_process *process) {
    watches *w = open_watches(loop);
    uint32_t at = w->free - 1;
    if (w->free) {
        w->free = w->places.items[at].next_free;
    } else {
        at = (uint32_t)w->places.count;
        *weir_vector_push(&w->places) = (place){0};
    }
    place *p = &w->places.items[at];
    p->process = process;
    p->number = (p->number + 1) & ((1u << NUMBER_BITS) - 1);
    w->live++;
    return (uint64_t)at << 32 | (uint64_t)p->number << CHANNEL_BITS;
}

bool weir__process_watch(weir_loop *loop, uint64_t key, int channel, int fd, bool writes) {
    struct epoll_event wanted = {.events = writes ? EPOLLOUT : EPOLLIN,
                                 .data.u64 = key | (uint64_t)channel};
    const watches *w = watches_of(loop);
    if (w->epoll < 0) errno = w->why;
    return w->epoll >= 0 && epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &wanted) == 0;
}

/* Before it is closed, as another process may have it as well for a moment. */
void weir__process_unwatch(weir_loop *loop, int fd) {
    epoll_ctl(watches_of(loop)->epoll, EPOLL_CTL_DEL, fd, NULL);
}

void weir__process_leave(weir_loop *loop, uint64_t key) {
    watches *w = watches_of(loop);
    place *p = &w->places.items[key >> 32];
    p->process = NULL;
    p->next_free = w->free;
    w->free = (uint32_t)(key >> 32) + 1;
    w->live--;
}
