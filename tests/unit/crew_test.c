/* Crews: several leaders at their desks, jobs that are taken back, desks that close meanwhile, and no threads at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>

#include "io/crew.h"

enum { JOBS = 2000, LEADERS = 4 };

/* A job that notes who did it how often. */
typedef struct counted {
    weir_job job; /* first */
    atomic_int *all;
    int times;
    bool elsewhere; /* on another thread than the leader's */
    pthread_t leader;
} counted;

static void count(weir_job *job) {
    counted *c = (counted *)job;
    c->times++;
    c->elsewhere = !pthread_equal(pthread_self(), c->leader);
    atomic_fetch_add(c->all, 1);
}

static void note_ready(void *arg) {
    atomic_fetch_add((atomic_int *)arg, 1);
}

/* --- a job that can be held -------------------------------------------------------------------- */

typedef struct held {
    weir_job job;       /* first */
    sem_t begun, go_on; /* posted when it began; waited for by it */
    bool done;
} held;

static void hold(weir_job *job) {
    held *h = (held *)job;
    sem_post(&h->begun);
    sem_wait(&h->go_on);
    h->done = true;
}

static void held_init(held *h) {
    *h = (held){.job = {.work = hold}};
    sem_init(&h->begun, 0, 0);
    sem_init(&h->go_on, 0, 0);
}

static void held_deinit(held *h) {
    sem_destroy(&h->begun);
    sem_destroy(&h->go_on);
}

/* --- tests ------------------------------------------------------------------------------------- */

/* What a leader does: puts jobs, helps, and takes them back. Each comes back once. */
static void lead(weir_crew *crew, uint32_t threads) {
    static _Thread_local counted jobs[JOBS];
    atomic_int all = 0, readies = 0;
    weir_desk *desk = weir_desk_open(crew, note_ready, &readies);
    const weir_helpers *helpers = weir_desk_helpers(desk);
    assert_int_equal(helpers->threads, threads);
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = (counted){.job = {.work = count}, .all = &all, .leader = pthread_self()};
        helpers->put(helpers->arg, &jobs[i].job);
    }
    int back = 0;
    weir_job *job;
    for (int i = 0; i < JOBS / 2 && (job = helpers->take_left(helpers->arg)); i++, back++)
        job->work(job);
    assert_true(threads > 1 || back == JOBS / 2);
    while (threads > 1 && back < JOBS && (job = helpers->take_done(helpers->arg, true))) back++;
    for (; (job = helpers->take_left(helpers->arg)); back++) job->work(job);
    while ((job = helpers->take_done(helpers->arg, true))) back++;
    assert_int_equal(back, JOBS);
    assert_int_equal(atomic_load(&all), JOBS);
    int elsewhere = 0;
    for (int i = 0; i < JOBS; i++) {
        assert_int_equal(jobs[i].times, 1);
        elsewhere += jobs[i].elsewhere;
    }
    assert_int_equal(helpers->count_left(helpers->arg), 0);
    assert_int_equal(elsewhere > 0, atomic_load(&readies) > 0);
    assert_true(threads > 1 || !elsewhere);
    weir_desk_close(desk);
}

static void each_job_is_done_once(void **state) {
    (void)state;
    static const uint32_t threads[] = {1, 2, 4, 16};
    for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
        weir_crew *crew = weir_crew_open(threads[t]);
        lead(crew, threads[t]);
        lead(crew, threads[t]);
        weir_crew_close(crew);
    }
}

static void *lead_at_a_desk(void *crew) {
    for (int i = 0; i < 5; i++) lead(crew, 3);
    return NULL;
}

static void leaders_share_a_crew(void **state) {
    (void)state;
    pthread_t leaders[LEADERS];
    weir_crew *crew = weir_crew_open(3);
    for (int i = 0; i < LEADERS; i++)
        assert_int_equal(pthread_create(&leaders[i], NULL, lead_at_a_desk, crew), 0);
    for (int i = 0; i < LEADERS; i++) pthread_join(leaders[i], NULL);
    weir_crew_close(crew);
}

/* The one helper serves the desks in turn, however much lies on the first. */
static void desks_are_served_in_turn(void **state) {
    (void)state;
    weir_crew *crew = weir_crew_open(2);
    atomic_int all = 0, readies = 0;
    held first;
    held_init(&first);
    weir_desk *a = weir_desk_open(crew, note_ready, &readies),
              *b = weir_desk_open(crew, note_ready, &readies);
    const weir_helpers *of_a = weir_desk_helpers(a), *of_b = weir_desk_helpers(b);
    of_a->put(of_a->arg, &first.job);
    sem_wait(&first.begun);
    counted jobs[3];
    for (int i = 0; i < 3; i++)
        jobs[i] = (counted){.job = {.work = count}, .all = &all, .leader = pthread_self()};
    held last;
    held_init(&last);
    of_a->put(of_a->arg, &last.job); /* holds the helper until it is let on */
    of_a->put(of_a->arg, &jobs[0].job);
    of_b->put(of_b->arg, &jobs[1].job);
    of_b->put(of_b->arg, &jobs[2].job);
    sem_post(&first.go_on);
    sem_wait(&last.begun);
    assert_ptr_equal(of_b->take_done(of_b->arg, false), &jobs[1].job);
    assert_int_equal(of_b->count_left(of_b->arg), 1);
    assert_int_equal(of_a->count_left(of_a->arg), 1);
    sem_post(&last.go_on);
    weir_desk_close(b);
    weir_desk_close(a);
    assert_true(first.done && last.done);
    weir_crew_close(crew);
    held_deinit(&first);
    held_deinit(&last);
}

static void only_what_is_under_way_is_waited_for(void **state) {
    (void)state;
    weir_crew *crew = weir_crew_open(2);
    atomic_int all = 0, readies = 0;
    weir_desk *desk = weir_desk_open(crew, note_ready, &readies);
    const weir_helpers *helpers = weir_desk_helpers(desk);
    assert_null(helpers->take_done(helpers->arg, true));
    assert_null(helpers->take_left(helpers->arg));
    held job;
    held_init(&job);
    counted left = {.job = {.work = count}, .all = &all, .leader = pthread_self()};
    helpers->put(helpers->arg, &job.job);
    sem_wait(&job.begun);
    helpers->put(helpers->arg, &left.job);
    assert_null(helpers->take_done(helpers->arg, false));
    assert_int_equal(helpers->count_left(helpers->arg), 1);
    assert_ptr_equal(helpers->take_left(helpers->arg), &left.job);
    assert_null(helpers->take_left(helpers->arg));
    sem_post(&job.go_on);
    assert_ptr_equal(helpers->take_done(helpers->arg, true), &job.job);
    assert_int_equal(atomic_load(&readies), 1);
    assert_null(helpers->take_done(helpers->arg, true));
    weir_desk_close(desk);
    weir_crew_close(crew);
    held_deinit(&job);
}

static void *let_on(void *arg) {
    held *job = arg;
    nanosleep(&(struct timespec){.tv_nsec = 20 * 1000 * 1000}, NULL);
    sem_post(&job->go_on);
    return NULL;
}

/* What is under way ends; what nobody began stays undone, and is the leader's again. */
static void a_desk_closes_with_jobs(void **state) {
    (void)state;
    weir_crew *crew = weir_crew_open(2);
    atomic_int all = 0, readies = 0;
    weir_desk *other = weir_desk_open(crew, note_ready, &readies);
    weir_desk *desk = weir_desk_open(crew, note_ready, &readies);
    const weir_helpers *helpers = weir_desk_helpers(desk);
    held job;
    held_init(&job);
    counted left[3];
    helpers->put(helpers->arg, &job.job);
    sem_wait(&job.begun);
    for (int i = 0; i < 3; i++) {
        left[i] = (counted){.job = {.work = count}, .all = &all, .leader = pthread_self()};
        helpers->put(helpers->arg, &left[i].job);
    }
    pthread_t friend;
    assert_int_equal(pthread_create(&friend, NULL, let_on, &job), 0);
    weir_desk_close(desk);
    assert_true(job.done);
    assert_int_equal(atomic_load(&all), 0);
    pthread_join(friend, NULL);

    /* The other desk goes on. */
    helpers = weir_desk_helpers(other);
    helpers->put(helpers->arg, &left[0].job);
    weir_job *done = NULL;
    while (!done) {
        done = helpers->take_left(helpers->arg);
        if (done)
            done->work(done);
        else
            done = helpers->take_done(helpers->arg, true);
    }
    assert_ptr_equal(done, &left[0].job);
    assert_int_equal(left[0].times, 1);
    weir_desk_close(other);
    weir_crew_close(crew);
    held_deinit(&job);
}

/* The system gives no thread: the leader does all itself, and waits for nobody. */
static void without_threads_the_leader_is_alone(void **state) {
    (void)state;
    pthread_attr_t usual, huge;
    assert_int_equal(pthread_getattr_default_np(&usual), 0);
    assert_int_equal(pthread_attr_init(&huge), 0);
    assert_int_equal(pthread_attr_setstacksize(&huge, (size_t)1 << 48), 0);
    assert_int_equal(pthread_setattr_default_np(&huge), 0);
    weir_crew *crew = weir_crew_open(4);
    assert_int_equal(pthread_setattr_default_np(&usual), 0);
    pthread_attr_destroy(&usual);
    pthread_attr_destroy(&huge);
    lead(crew, 1);
    atomic_int all = 0, readies = 0;
    weir_desk *desk = weir_desk_open(crew, note_ready, &readies);
    const weir_helpers *helpers = weir_desk_helpers(desk);
    counted job = {.job = {.work = count}, .all = &all, .leader = pthread_self()};
    helpers->put(helpers->arg, &job.job);
    assert_null(helpers->take_done(helpers->arg, true)); /* nobody is at it */
    assert_ptr_equal(helpers->take_left(helpers->arg), &job.job);
    weir_desk_close(desk);
    weir_crew_close(crew);
}

typedef struct masked {
    weir_job job; /* first */
    sigset_t blocked;
} masked;

static void note_mask(weir_job *job) {
    pthread_sigmask(SIG_SETMASK, NULL, &((masked *)job)->blocked);
}

/* Signals are the loop's, but for those of a crash, which the thread itself reports. */
static void signals_do_not_come_to_a_crew(void **state) {
    (void)state;
    weir_crew *crew = weir_crew_open(2);
    atomic_int readies = 0;
    weir_desk *desk = weir_desk_open(crew, note_ready, &readies);
    const weir_helpers *helpers = weir_desk_helpers(desk);
    masked job = {.job = {.work = note_mask}};
    helpers->put(helpers->arg, &job.job);
    while (!helpers->take_done(helpers->arg, true)) {
    }
    static const int not_there[] = {SIGINT, SIGTERM, SIGCHLD, SIGHUP}, there[] = {SIGSEGV, SIGABRT};
    for (size_t i = 0; i < sizeof not_there / sizeof *not_there; i++)
        assert_true(sigismember(&job.blocked, not_there[i]));
    for (size_t i = 0; i < sizeof there / sizeof *there; i++)
        assert_false(sigismember(&job.blocked, there[i]));
    weir_desk_close(desk);
    weir_crew_close(crew);
    pthread_sigmask(SIG_SETMASK, NULL, &job.blocked);
    assert_false(sigismember(&job.blocked, SIGINT));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_job_is_done_once),
        cmocka_unit_test(leaders_share_a_crew),
        cmocka_unit_test(desks_are_served_in_turn),
        cmocka_unit_test(only_what_is_under_way_is_waited_for),
        cmocka_unit_test(a_desk_closes_with_jobs),
        cmocka_unit_test(without_threads_the_leader_is_alone),
        cmocka_unit_test(signals_do_not_come_to_a_crew),
    };
    return cmocka_run_group_tests_name("crew", tests, NULL, NULL);
}
