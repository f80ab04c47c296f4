/* An executor in virtual time, and the world outside that it works on: it survives the engine's crashes, remembers
 * every attempt that began, and finds what must never begin.
 *
 * How an attempt goes follows from the seed and from what it is: its spec and parameters, and how often the same began
 * before; never from its number. A task that fails a few times does so fewer times than it may try, so how it ends does
 * not depend on which attempts a crash takes away. A generator goes on where the run has its sets from, as a reader of
 * something with a cursor does; one that fails for good does so behind a certain set. */
#ifndef WEIR_SIMULATION_VIRTUAL_EXECUTOR_H
#define WEIR_SIMULATION_VIRTUAL_EXECUTOR_H

#include "journal.h"
#include "simulation.h"
#include "task/task.h"
#include "virtual_repository.h"

/* How an attempt is going to go. */
typedef enum course {
    COURSE_SUCCEED, /* a service: until it is told to end */
    COURSE_FAIL,
    COURSE_ERROR,
    COURSE_HANG,   /* until it is told to end; there is a timeout */
    COURSE_SILENT, /* the same without a sign of life; there is a heartbeat */
    COURSE_BREAK   /* a service: becomes ready, then ends by itself */
} course;

typedef struct virtual_attempt {
    weir_attempt attempt; /* held */
    void *starter;        /* who hears of it */
    uint64_t what;        /* hash of what it is */
    course course;
    uint64_t duration_us; /* until it ends, or a service is ready */
    weir_value *sets;     /* what it gives; NULL: nothing that the simulator's operations make */
    uint32_t next, until; /* of a generator: the sets that it yields */
    weir_value *locks;    /* names of locks that its parameters stand for */
    bool last;            /* it goes as its task ends */
    bool over, stopping, superseded, reported;
    bool forgotten;          /* that it was to begin is lost, and it with that */
    weir_outcome_kind ended; /* for a second report of it */
} virtual_attempt;

typedef struct virtual_executor {
    simulation *sim;
    uint64_t seed;
    bool may_fail; /* for good */
    const weir_value
        *loose;    /* operations whose values may carry names of locks that they do not take */
    bool computes; /* attempts give what operations.h says, as in dataflows */
    WEIR_VECTOR(virtual_attempt) attempts;
    WEIR_VECTOR(struct begun {
        uint64_t what;
        uint32_t times;
    })
    begun;
    virtual_repository repository;
    void *starter; /* of what begins now */
    /* Where reports go; they are borrowed. */
    void (*report)(void *starter, const weir_report *report);
    /* How many sets of the task's generator the run has. */
    uint32_t (*yielded)(void *arg, weir_task_id task);
    void *arg;
} virtual_executor;

/* What an attempt of an instance is. */
uint64_t virtual_identity(uint64_t seed, weir_str name, const weir_value *parameters,
                          const weir_value *config, uint32_t member);
/* Whether its task fails for good, and a generator of `sets` sets after how many. */
bool virtual_is_hopeless(uint64_t identity, bool may_fail);
uint32_t virtual_sets_before_failing(uint64_t identity, uint32_t sets);

void virtual_executor_deinit(virtual_executor *executor);
void virtual_executor_start(virtual_executor *executor, const weir_attempt *attempt);
void virtual_executor_stop(virtual_executor *executor, const weir_attempt_id *id, weir_stop how);
/* Says how each attempt ended once more: to whom reports go; or, of the first that began, to another. */
void virtual_executor_echo(virtual_executor *executor);
void virtual_executor_echo_to(virtual_executor *executor, size_t first,
                              void (*report)(void *arg, const weir_report *report), void *arg);
/* All attempts are lost at once, though some of them go on. */
void virtual_executor_lose(virtual_executor *executor);
/* The power was cut: nothing is under way. What began by a decision that is lost never was. */
void virtual_executor_forget(virtual_executor *executor,
                             bool (*knows)(void *arg, const weir_attempt_id *id), void *arg);
/* The run is over: it is a problem when an attempt is not. */
void virtual_executor_expect_idle(const virtual_executor *executor);
/* A task that did not begin, since its outcome was remembered: it is listed all the same. */
void virtual_executor_note(virtual_executor *executor, const weir_attempt *attempt);
/* Each task that began, once, as a line "instance parameters", but for those that a restart undid; the lines are
 * sorted. Of one that was kept, and that was not asked for since the same parameters came in another order, which makes
 * them others, there is the newer only. */
void virtual_executor_list_tasks(const virtual_executor *executor, const journal *j,
                                 weir_buffer *out);
/* The engine died: some attempts that it began die with it, the others go on and report to the next one. */
void virtual_executor_orphan(virtual_executor *executor, const void *starter);

#endif
