#include "io/crew.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/memory.h"

enum { CREW_MAX = 256, SPINS = 4000 /* a new job often comes soon */ };

struct weir_crew {
    pthread_mutex_t mutex;
    pthread_cond_t begin, end;
    atomic_uint_fast64_t round; /* of jobs; changed under the mutex */
    uint32_t working;           /* threads that are at the job, but the leader */
    bool closing;
    void (*job)(void *jobs, size_t i);
    void *jobs;
    size_t count;
    atomic_size_t next;
    uint32_t threads;
    pthread_t members[CREW_MAX];
};

static void take_items(weir_crew *crew) {
    size_t i;
    while ((i = atomic_fetch_add_explicit(&crew->next, 1, memory_order_relaxed)) < crew->count)
        crew->job(crew->jobs, i);
}

static void wait_for_round(weir_crew *crew, uint64_t done) {
    for (int i = 0; i < SPINS; i++)
        if (atomic_load_explicit(&crew->round, memory_order_relaxed) != done) break;
    pthread_mutex_lock(&crew->mutex);
    while (!crew->closing && atomic_load(&crew->round) == done)
        pthread_cond_wait(&crew->begin, &crew->mutex);
    pthread_mutex_unlock(&crew->mutex);
}

static void *work(void *arg) {
    weir_crew *crew = arg;
    for (uint64_t done = 0;; done++) {
        wait_for_round(crew, done);
        if (crew->closing) return NULL;
        take_items(crew);
        pthread_mutex_lock(&crew->mutex);
        if (--crew->working == 0) pthread_cond_signal(&crew->end);
        pthread_mutex_unlock(&crew->mutex);
    }
}

weir_crew *weir_crew_open(uint32_t threads) {
    weir_assert(threads >= 1 && threads <= CREW_MAX);
    weir_crew *crew = weir_alloc(sizeof *crew);
    pthread_mutex_init(&crew->mutex, NULL);
    pthread_cond_init(&crew->begin, NULL);
    pthread_cond_init(&crew->end, NULL);
    for (crew->threads = 1; crew->threads < threads; crew->threads++)
        if (pthread_create(&crew->members[crew->threads], NULL, work, crew) != 0) break;
    return crew; /* with fewer threads where the system gives no more */
}

void weir_crew_close(weir_crew *crew) {
    if (!crew) return;
    pthread_mutex_lock(&crew->mutex);
    crew->closing = true;
    pthread_cond_broadcast(&crew->begin);
    pthread_mutex_unlock(&crew->mutex);
    for (uint32_t i = 1; i < crew->threads; i++) pthread_join(crew->members[i], NULL);
    pthread_mutex_destroy(&crew->mutex);
    pthread_cond_destroy(&crew->begin);
    pthread_cond_destroy(&crew->end);
    weir_free(crew);
}

void weir_crew_run(weir_crew *crew, void (*job)(void *jobs, size_t i), void *jobs, size_t count) {
    pthread_mutex_lock(&crew->mutex);
    crew->job = job;
    crew->jobs = jobs;
    crew->count = count;
    atomic_store(&crew->next, 0);
    crew->working = crew->threads - 1;
    atomic_fetch_add(&crew->round, 1);
    pthread_cond_broadcast(&crew->begin);
    pthread_mutex_unlock(&crew->mutex);
    take_items(crew);
    pthread_mutex_lock(&crew->mutex);
    while (crew->working) pthread_cond_wait(&crew->end, &crew->mutex);
    pthread_mutex_unlock(&crew->mutex);
}
