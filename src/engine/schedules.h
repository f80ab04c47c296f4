/* Schedules that a store keeps, each a register "schedule/NAME": {object: what people see of it, {apiVersion?, kind, metadata, spec};
 * others?: [the documents beside it that it may refer to]; request: what each of its runs is started with; condition?; state: see
 * weir_schedule_state}. One thread. */
#ifndef WEIR_ENGINE_SCHEDULES_H
#define WEIR_ENGINE_SCHEDULES_H

#include "engine/engine_internal.h"
#include "engine/zone.h"
#include "schedule/schedule.h"

enum { WEIR_SCHEDULE_NAME_MAX = 100 };

#define WEIR_SCHEDULE_KEYS WEIR_STR("schedule/")
#define WEIR_SCHEDULE_LABEL "workflows.argoproj.io/cron-workflow"
#define WEIR_SCHEDULE_BACKFILL "workflows.argoproj.io/cron-workflow-backfill"

/* One as it was read. Zeroed: none. */
typedef struct weir__schedule {
    weir_value *record;
    uint64_t version;
    weir_schedule schedule; /* of the record's texts */
    weir_schedule_state state;
    bool is_read; /* schedule and state are there */
} weir__schedule;

void weir__schedule_deinit(weir__schedule *s);
/* Reads what a register holds. */
WEIR_CHECKED bool weir__schedule_parse(weir__zones *zones, weir_str key, weir_str value,
                                       uint64_t version, weir__schedule *out, weir_error *error);
WEIR_CHECKED bool weir__schedule_load(weir_engine *engine, weir__zones *zones, weir_str name,
                                      weir__schedule *out, weir_error *error);
/* Writes it back with its state as it is now; *written: nobody else did meanwhile. A condition replaces the one that was kept; an empty one
 * takes it away, NULL leaves it. */
WEIR_CHECKED bool weir__schedule_store(weir_engine *engine, weir__schedule *s,
                                       const char *condition, bool *written, weir_error *error);

/* An error where schedules cannot be kept. */
bool weir__schedules_kept(const weir_engine *engine, weir_error *error);
weir_str weir__schedule_name(const weir__schedule *s);
const weir_value *weir__schedule_metadata(const weir__schedule *s);
/* What people see: the object, and its status. New reference. */
weir_value *weir__schedule_show(const weir__schedule *s, int64_t now);
/* What a run for that time is started with; `argument` (may be NULL) is a parameter or an input that gets the time. */
weir_value *weir__schedule_request(const weir__schedule *s, int64_t time, const char *name,
                                   const char *argument);
/* "2026-01-02T03:04:05Z". */
void weir__schedule_moment(int64_t time, weir_buffer *out);
int64_t weir__schedule_now(void);
/* Looks whether there are the time zones that CronWorkflows and schedules of pipelines name. */
void weir__schedules_check(const weir_document *document, weir_problems *problems);
/* For weir_schedule_read. */
bool weir__schedule_zone(void *zones, weir_str name, const x_zone **out, weir_error *error);

#endif
