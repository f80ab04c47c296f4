#include "virtual_time.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <time.h>

static const virtual_time *used;

void virtual_time_use(const virtual_time *time) {
    used = time;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *out);
int __real_clock_gettime(clockid_t clock, struct timespec *out);
int __wrap_nanosleep(const struct timespec *delay, struct timespec *rest);
int __real_nanosleep(const struct timespec *delay, struct timespec *rest);
int __wrap_pthread_cond_timedwait(pthread_cond_t *more, pthread_mutex_t *lock,
                                  const struct timespec *until);
int __real_pthread_cond_timedwait(pthread_cond_t *more, pthread_mutex_t *lock,
                                  const struct timespec *until);

static uint64_t us_of(const struct timespec *time) {
    return (uint64_t)time->tv_sec * 1000000 + ((uint64_t)time->tv_nsec + 999) / 1000;
}

__attribute__((used)) int __wrap_clock_gettime(clockid_t clock, struct timespec *out) {
    if (!used || clock == CLOCK_THREAD_CPUTIME_ID) return __real_clock_gettime(clock, out);
    uint64_t now = used->now_us(used->arg);
    *out = (struct timespec){(time_t)(now / 1000000), (long)(now % 1000000) * 1000};
    return 0;
}

__attribute__((used)) int __wrap_nanosleep(const struct timespec *delay, struct timespec *rest) {
    if (!used) return __real_nanosleep(delay, rest);
    used->wait(used->arg, us_of(delay));
    return 0;
}

/* Others may do something meanwhile; nobody signals, as all are this thread. */
__attribute__((used)) int __wrap_pthread_cond_timedwait(pthread_cond_t *more, pthread_mutex_t *lock,
                                                        const struct timespec *until) {
    if (!used) return __real_pthread_cond_timedwait(more, lock, until);
    uint64_t now = used->now_us(used->arg), due = us_of(until);
    pthread_mutex_unlock(lock);
    if (due > now) used->wait(used->arg, due - now);
    pthread_mutex_lock(lock);
    return ETIMEDOUT;
}
