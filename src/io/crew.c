#include "io/crew.h"

#include <pthread.h>

#include "base/memory.h"
#include "io/loop.h"

enum { CREW_MAX = 256 };

typedef struct job_list {
    weir_job *first, *last;
    size_t count;
} job_list;

struct weir_desk {
    weir_crew *crew;
    weir_desk *next; /* of the crew */
    weir_helpers helpers;
    job_list left, done;
    size_t under_way;
    void (*ready)(void *arg);
    void *arg;
    pthread_cond_t changed; /* a job was done */
};

struct weir_crew {
    pthread_mutex_t mutex; /* of all of it, and of its desks */
    pthread_cond_t begin;
    bool closing;
    weir_desk *desks; /* a ring: the next to be served */
    uint32_t threads;
    pthread_t members[CREW_MAX];
};

static void append(job_list *list, weir_job *job) {
    job->next = NULL;
    if (list->last)
        list->last->next = job;
    else
        list->first = job;
    list->last = job;
    list->count++;
}

static weir_job *take_first(job_list *list) {
    weir_job *job = list->first;
    if (!job) return NULL;
    list->first = job->next;
    if (!list->first) list->last = NULL;
    list->count--;
    return job;
}

/* The next job, and whose it is; NULL: there is none. */
static weir_job *next_job(weir_crew *crew, weir_desk **desk) {
    weir_desk *first = crew->desks;
    for (*desk = first; *desk; *desk = (*desk)->next) {
        weir_job *job = take_first(&(*desk)->left);
        if (job) {
            crew->desks = (*desk)->next;
            return job;
        }
        if ((*desk)->next == first) break;
    }
    return NULL;
}

static void *work(void *arg) {
    weir_crew *crew = arg;
    pthread_mutex_lock(&crew->mutex);
    while (!crew->closing) {
        weir_desk *desk;
        weir_job *job = next_job(crew, &desk);
        if (!job) {
            pthread_cond_wait(&crew->begin, &crew->mutex);
            continue;
        }
        desk->under_way++;
        pthread_mutex_unlock(&crew->mutex);
        job->work(job);
        pthread_mutex_lock(&crew->mutex);
        append(&desk->done, job);
        if (desk->done.count == 1) desk->ready(desk->arg);
        desk->under_way--;
        pthread_cond_signal(&desk->changed);
    }
    pthread_mutex_unlock(&crew->mutex);
    return NULL;
}

weir_crew *weir_crew_open(uint32_t threads) {
    weir_assert(threads >= 1 && threads <= CREW_MAX);
    weir_crew *crew = weir_alloc(sizeof *crew);
    pthread_mutex_init(&crew->mutex, NULL);
    pthread_cond_init(&crew->begin, NULL);
    for (crew->threads = 1; crew->threads < threads; crew->threads++)
        if (weir_thread_start(&crew->members[crew->threads], work, crew) != 0) break;
    return crew;
}

void weir_crew_close(weir_crew *crew) {
    if (!crew) return;
    pthread_mutex_lock(&crew->mutex);
    weir_assert(!crew->desks);
    crew->closing = true;
    pthread_cond_broadcast(&crew->begin);
    pthread_mutex_unlock(&crew->mutex);
    for (uint32_t i = 1; i < crew->threads; i++) pthread_join(crew->members[i], NULL);
    pthread_mutex_destroy(&crew->mutex);
    pthread_cond_destroy(&crew->begin);
    weir_free(crew);
}

/* --- desks ------------------------------------------------------------------------------------ */

static void put(void *arg, weir_job *job) {
    weir_desk *desk = arg;
    pthread_mutex_lock(&desk->crew->mutex);
    append(&desk->left, job);
    pthread_cond_signal(&desk->crew->begin);
    pthread_mutex_unlock(&desk->crew->mutex);
}

static weir_job *take_left(void *arg) {
    weir_desk *desk = arg;
    pthread_mutex_lock(&desk->crew->mutex);
    weir_job *job = take_first(&desk->left);
    pthread_mutex_unlock(&desk->crew->mutex);
    return job;
}

static weir_job *take_done(void *arg, bool wait) {
    weir_desk *desk = arg;
    pthread_mutex_lock(&desk->crew->mutex);
    while (wait && !desk->done.first && desk->under_way)
        pthread_cond_wait(&desk->changed, &desk->crew->mutex);
    weir_job *job = take_first(&desk->done);
    pthread_mutex_unlock(&desk->crew->mutex);
    return job;
}

static size_t count_left(void *arg) {
    weir_desk *desk = arg;
    pthread_mutex_lock(&desk->crew->mutex);
    size_t count = desk->left.count;
    pthread_mutex_unlock(&desk->crew->mutex);
    return count;
}

weir_desk *weir_desk_open(weir_crew *crew, void (*ready)(void *arg), void *arg) {
    weir_desk *desk = weir_alloc(sizeof *desk);
    desk->crew = crew;
    desk->ready = ready;
    desk->arg = arg;
    desk->helpers = (weir_helpers){.put = put,
                                   .take_left = take_left,
                                   .take_done = take_done,
                                   .count_left = count_left,
                                   .arg = desk,
                                   .threads = crew->threads};
    pthread_cond_init(&desk->changed, NULL);
    pthread_mutex_lock(&crew->mutex);
    desk->next = crew->desks ? crew->desks->next : desk;
    if (crew->desks)
        crew->desks->next = desk;
    else
        crew->desks = desk;
    pthread_mutex_unlock(&crew->mutex);
    return desk;
}

void weir_desk_close(weir_desk *desk) {
    if (!desk) return;
    weir_crew *crew = desk->crew;
    pthread_mutex_lock(&crew->mutex);
    while (take_first(&desk->left)) {
    }
    while (desk->under_way) pthread_cond_wait(&desk->changed, &crew->mutex);
    weir_desk *before = desk;
    while (before->next != desk) before = before->next;
    before->next = desk->next;
    if (crew->desks == desk) crew->desks = desk->next == desk ? NULL : desk->next;
    pthread_mutex_unlock(&crew->mutex);
    pthread_cond_destroy(&desk->changed);
    weir_free(desk);
}

const weir_helpers *weir_desk_helpers(const weir_desk *desk) {
    return &desk->helpers;
}
