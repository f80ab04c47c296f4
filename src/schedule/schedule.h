/* What a schedule says, and what follows from it at a moment: a pure function of what the file says, of what was done before, and of the
 * time. Its fields are those of Argo's CronWorkflow; moments are seconds since 1970. One thread. */
#ifndef WEIR_SCHEDULE_SCHEDULE_H
#define WEIR_SCHEDULE_SCHEDULE_H

#include "data/value.h"
#include "schedule/cron.h"

enum { WEIR_SCHEDULES_MAX = 100, WEIR_SCHEDULE_ACTIVE_MAX = 10000 };

typedef enum weir_schedule_policy {
    WEIR_SCHEDULE_ALLOW,
    WEIR_SCHEDULE_FORBID,
    WEIR_SCHEDULE_REPLACE
} weir_schedule_policy;

typedef struct weir_schedule {
    struct weir_schedule_clock {
        weir_cron cron;
        const x_zone *zone;
    } * clocks;
    size_t count;
    weir_schedule_policy policy;
    int64_t deadline; /* seconds within which a missed time is made good; 0: none is */
    int64_t succeeded_max, failed_max; /* runs that stay */
    bool suspended;
    weir_str when, stop; /* texts of the value that it was read of; may be empty */
} weir_schedule;

/* Where time zones come from; NULL where only the rest is looked at. */
typedef struct weir_schedule_zones {
    bool (*find)(void *arg, weir_str name, const x_zone **out, weir_error *error);
    void *arg;
} weir_schedule_zones;

/* Of an object {schedules: [text] or schedule: text, timezone?, concurrencyPolicy?, startingDeadlineSeconds?, suspend?,
 * successfulJobsHistoryLimit?, failedJobsHistoryLimit?, when?, stopStrategy?: {expression}}, which has to stay; `cron` is another name of
 * `schedule`. *member (may be NULL) is then which member is wrong. */
WEIR_CHECKED bool weir_schedule_read(const weir_value *spec, const weir_schedule_zones *zones,
                                     weir_schedule *out, const char **member, weir_error *error);
void weir_schedule_deinit(weir_schedule *schedule);

/* A run that was started, or is about to be. */
typedef struct weir_schedule_run {
    char *name; /* owned */
    int64_t time, claimed;
    bool starting;           /* whoever claimed it has not said that it is there */
    bool replaced;           /* it is to end, since another takes its place */
    bool over, failed, gone; /* facts of the moment, which are not kept */
} weir_schedule_run;

typedef struct weir_schedule_state {
    int64_t anchor;  /* nothing up to then is due; `@every` counts from here */
    int64_t handled; /* times up to this one were started, or are not to be */
    int64_t late;    /* times up to this one are missed, whoever was there */
    int64_t last;    /* that was started for; 0: none */
    int64_t failed, succeeded;
    bool stopped;
    WEIR_VECTOR(weir_schedule_run) active;
} weir_schedule_state;

/* As it is kept, an object; what is missing or no number is 0. */
weir_schedule_state weir_schedule_state_read(const weir_value *value);
weir_value *weir_schedule_state_write(const weir_schedule_state *state);
void weir_schedule_state_deinit(weir_schedule_state *state);

/* Counts the runs that are over, and forgets them and those that are gone. Whether there were any. */
bool weir_schedule_settle(weir_schedule_state *state);

/* The names of `when` and of a stop strategy: `cronworkflow.…`. */
typedef struct weir_schedule_facts {
    const weir_value *metadata; /* {name, labels?, annotations?} */
    int64_t now_ns;
    bool (*zone)(void *arg, weir_str name, weir_buffer *out); /* see weir_expr_world */
} weir_schedule_facts;

typedef struct weir_schedule_decision {
    bool start, replace, stop;
    int64_t time;        /* that it is about: of `start`, or of what is not started */
    const char *skipped; /* why nothing is started for that time; NULL: there is none */
    bool wait;           /* it may be made good within the deadline */
    int64_t next;        /* when something is due; 0: never */
    weir_error error;    /* of a condition that cannot be evaluated; its code is else OK */
} weir_schedule_decision;

/* `served_from`: since when somebody has been looking, without a longer pause. What came before is missed. */
void weir_schedule_decide(const weir_schedule *schedule, const weir_schedule_state *state,
                          const weir_schedule_facts *facts, int64_t now, int64_t served_from,
                          weir_schedule_decision *out);
/* Notes what was decided; a run that is started is called `name`. Whether that changes anything. */
bool weir_schedule_apply(weir_schedule_state *state, const weir_schedule_decision *decision,
                         const char *name, int64_t now);
/* The first time behind `after`; 0: there is none. */
int64_t weir_schedule_next(const weir_schedule *schedule, int64_t anchor, int64_t after);

/* What `when` says, true without one; and whether a stop strategy says that it is enough. */
WEIR_CHECKED bool weir_schedule_when(weir_str text, const weir_schedule_state *state,
                                     const weir_schedule_facts *facts, bool *result,
                                     weir_error *error);
WEIR_CHECKED bool weir_schedule_stops(weir_str text, const weir_schedule_state *state,
                                      const weir_schedule_facts *facts, bool *result,
                                      weir_error *error);

#endif
