/* The event loop of a shard: libuv's, with the few things weir does with it. One thread, except weir_loop_post. */
#ifndef WEIR_IO_LOOP_H
#define WEIR_IO_LOOP_H

#include <pthread.h>

#include "base/error.h"

typedef struct weir_loop weir_loop;

/* Also sees to it that the process ignores SIGPIPE and SIGXFSZ unless it handles them, does not ignore SIGCHLD, and has
 * standard streams: so that a reader that went away and a file that may not grow are error codes, and a child's end can
 * be waited for. */
WEIR_CHECKED bool weir_loop_open(weir_loop **out, weir_error *error);
/* Ends what is pending, then frees. Asserts that every timer, process and listener was closed before. */
void weir_loop_close(weir_loop *loop);

/* Runs what is ready; with `wait`, sleeps until something is. */
void weir_loop_once(weir_loop *loop, bool wait);

/* Readable when something is ready, for another event loop; also something is when *timeout_ms have passed (UINT32_MAX: never). */
int weir_loop_descriptor(const weir_loop *loop, uint32_t *timeout_ms);

/* Calls back each time before the loop turns, on its thread: with `waits` when it is about to sleep until something is. True:
 * there is something now, as it has posted. */
typedef bool weir_loop_turns(void *arg, bool waits);
void weir_loop_watch(weir_loop *loop, weir_loop_turns *turns, void *arg);
void weir_loop_unwatch(weir_loop *loop, void *arg);
/* Within that: whether nothing is ready, after what little there was is done, nor may be in a moment, as a process may end. */
bool weir_loop_is_idle(weir_loop *loop);

/* Calls `run(arg)` on the loop's thread soon. Any thread. Posts of one thread keep their order. */
void weir_loop_post(weir_loop *loop, void (*run)(void *arg), void *arg);

struct uv_loop_s *weir__loop_uv(weir_loop *loop); /* for the files of io/ */
void weir__loop_count_child(weir_loop *loop, bool lives);
/* What tells of child processes (process_watch.c); NULL until there was one. It is closed with the loop. */
typedef struct weir__watches weir__watches;
weir__watches **weir__loop_watches(weir_loop *loop);
void weir__watches_close(weir__watches *watches);

/* Microseconds since 1970, and of a clock that never jumps. */
uint64_t weir_clock_us(void);
uint64_t weir_clock_steady_us(void);

typedef struct weir_timer weir_timer;
weir_timer *weir_timer_open(weir_loop *loop, void (*ring)(void *arg), void *arg);
/* Rings once, `delay_us` from now; a later call replaces the earlier. */
void weir_timer_start(weir_timer *timer, uint64_t delay_us);
void weir_timer_cancel(weir_timer *timer);
void weir_timer_close(weir_timer *timer);

/* Runs `work(arg)` on a thread of the pool, then `done(arg)` on the loop's thread. The pool's threads start with the
 * first work. */
void weir_pool_run(weir_loop *loop, void (*work)(void *arg), void (*done)(void *arg), void *arg);
/* The same on a thread of its own, or on the pool where the system gives none: for work that may wait for other work of
 * the pool. The loop may be closed once `done` was called. */
void weir_thread_run(weir_loop *loop, void (*work)(void *arg), void (*done)(void *arg), void *arg);

/* pthread_create with the signals blocked that threads leave to the loop's: all but those of a crash, which are the
 * thread's own. Gives what that gives: 0, or why there is no thread. */
WEIR_CHECKED int weir_thread_start(pthread_t *out, void *(*work)(void *arg), void *arg);

/* A socket on which one line comes in and one line goes back: how another process talks to the owner of a run. */
typedef struct weir_listener weir_listener;
/* `answer` appends the answer's text to `out`. The socket file is replaced if nobody listens on it, and removed at
 * close. Paths longer than a socket address allows work too. */
WEIR_CHECKED bool weir_listener_open(weir_loop *loop, const char *path,
                                     void (*answer)(void *arg, weir_str line, weir_buffer *out),
                                     void *arg, weir_listener **out, weir_error *error);
void weir_listener_close(weir_listener *listener);
/* Within `answer`: what it appends is not sent; the answer comes by weir_listener_answer, with this ticket. */
uint64_t weir_listener_defer(weir_listener *listener);
/* The same call of `answer` takes it back. */
void weir_listener_undefer(weir_listener *listener);
/* Nothing when the other end is gone by now. One line. */
void weir_listener_answer(weir_listener *listener, uint64_t ticket, weir_str text);
/* The other end, blocking, at most `timeout_us`. NOT_FOUND when nobody listens. */
WEIR_CHECKED bool weir_ask(const char *path, weir_str line, uint64_t timeout_us,
                           weir_buffer *answer, weir_error *error);

#endif
