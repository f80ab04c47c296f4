#include "engine/records.h"

#include "base/notes.h"
#include "engine/actual.h"
#include "engine/history.h"
#include "store/rows.h"

/* Why a task's last attempt failed, until it is tried again or finished: the layer does not keep it so long. */
typedef struct failure {
    weir_task_id task;
    weir_value *why;
} failure;

struct weir_records {
    weir_machine *machine;
    const weir_plan *plan;
    uint64_t from, sequence;
    weir_buffer rows;
    weir_buffer definitions;             /* JSON, to be told; empty: told, or none */
    uint64_t estimated_us;               /* how long it was to take; 0: told, or not known */
    bool changed;                        /* there is something to tell beside rows */
    bool leaves;                         /* an operation of the plan leaves the process */
    WEIR_VECTOR(uint32_t) nodes_of_task; /* of a workflow: the node + 1; 0: none */
    WEIR_VECTOR(failure) failures;       /* few: those of one step */
    weir_notes sizes;                    /* of the inputs of attempts under way */
    weir__history *history;
    uint64_t
        ended_size; /* of the inputs of the attempt that ended last, with what it was given beside them */
};

weir_records *weir_records_new(weir_machine *machine, const weir_plan *plan, uint64_t from) {
    weir_records *r = weir_alloc(sizeof *r);
    r->machine = machine;
    r->plan = plan;
    r->from = from;
    r->leaves = true;
    r->history = weir__history_new(plan);
    weir_tasks_note_locks(weir_machine_tasks(machine));
    return r;
}

static void drop_failures(weir_records *r) {
    for (size_t i = 0; i < r->failures.count; i++) weir_value_unref(r->failures.items[i].why);
    r->failures.count = 0;
}

void weir_records_free(weir_records *r) {
    if (!r) return;
    drop_failures(r);
    weir_vector_deinit(&r->failures);
    weir_notes_deinit(&r->sizes);
    weir__history_free(r->history);
    weir_buffer_deinit(&r->rows);
    weir_buffer_deinit(&r->definitions);
    weir_vector_deinit(&r->nodes_of_task);
    weir_free(r);
}

/* --- cells ---------------------------------------------------------------------------------- */

static weir_cell text(const char *literal) {
    return WEIR_CELL_T(weir_str_from(literal));
}

static weir_cell text_member(const weir_value *data, const char *key) {
    const weir_value *value = weir_member_named(data, key);
    return weir_is(value, WEIR_STRING) ? WEIR_CELL_T(weir_string_get(value)) : (weir_cell){0};
}

static weir_cell number_member(const weir_value *data, const char *key) {
    const weir_value *value = weir_member_named(data, key);
    return weir_is(value, WEIR_INT) ? WEIR_CELL_N(weir_int_get(value)) : (weir_cell){0};
}

static weir_cell time_of(const weir_event *event) {
    return WEIR_CELL_N(event->time_us);
}

/* The cells of a row by its columns' names. */
#define CELL_AT(c) CELL_##c,
#define ROW_OF(table, COLUMNS)                                                                     \
    enum table##_cells {                                                                           \
        COLUMNS(CELL_AT, CELL_AT, CELL_AT)                                                         \
    }

static void put(weir_records *r, weir_table table, const weir_cell *cells) {
    weir_row_put(&r->rows, table, cells);
}

static bool is_listed(const weir_records *r, uint32_t context) {
    return context && (r->leaves || context <= WEIR_CONTEXTS_RECORDED);
}

/* --- run ------------------------------------------------------------------------------------ */

/* The definitions go with the first row that says how far the run's rows are. */
static void note_created(weir_records *r, const weir_event *event) {
    const weir_value *seconds =
        weir_member_named(weir_member_named(event->data, "estimate"), "seconds");
    if (weir_is(seconds, WEIR_FLOAT) && weir_number_get(seconds) >= 0 &&
        weir_number_get(seconds) < 1e12)
        r->estimated_us = (uint64_t)(weir_number_get(seconds) * 1e6 + 0.5);
    r->changed |= r->estimated_us > 0;
    weir__history_give(r->history, weir__given_size(event->data));
    if (!r->plan->definitions) return;
    weir_buffer_clear(&r->definitions);
    r->plan->definitions(r->plan, &r->definitions, &r->leaves);
    r->changed = true;
}

/* Its machine knows nothing of before any more. */
static void note_restarted(weir_records *r, const weir_event *event) {
    weir_rows_renew(&r->rows, event->time_us);
    drop_failures(r);
    weir_tasks_note_locks(weir_machine_tasks(r->machine));
}

/* --- contexts ------------------------------------------------------------------------------- */

static void note_opened(weir_records *r, const weir_event *event) {
    ROW_OF(context, WEIR_COLUMNS_CONTEXTS);
    if (!is_listed(r, event->id.context)) return;
    const weir_tasks *tasks = weir_machine_tasks(r->machine);
    bool within = event->number; /* the subject is the task that it is of */
    put(r, WEIR_TABLE_CONTEXTS,
        (weir_cell[WEIR_COLUMNS_MAX]){
            [CELL_number] = WEIR_CELL_N(event->id.context),
            [CELL_name] = text_member(event->data, "name"),
            [CELL_parent] =
                within ? WEIR_CELL_N(weir_tasks_context(tasks, (weir_task_id)event->subject))
                       : (weir_cell){0},
            [CELL_phase] = text("Running"),
            [CELL_opened_us] = time_of(event)});
}

static void note_context_finished(weir_records *r, const weir_event *event) {
    ROW_OF(context, WEIR_COLUMNS_CONTEXTS);
    if (!is_listed(r, event->id.context)) return;
    bool whole = weir_member_named(event->data, "results");
    put(r, WEIR_TABLE_CONTEXTS,
        (weir_cell[WEIR_COLUMNS_MAX]){
            [CELL_number] = WEIR_CELL_N(event->id.context),
            [CELL_phase] = text(whole ? "Succeeded" : "Failed"),
            [CELL_message] = text_member(weir_member_named(event->data, "error"), "what"),
            [CELL_finished_us] = time_of(event)});
}

/* --- nodes ---------------------------------------------------------------------------------- */

static void note_node_started(weir_records *r, const weir_event *event) {
    ROW_OF(node, WEIR_COLUMNS_NODES);
    const weir_coordinator *coordinator = weir_machine_coordinator(r->machine);
    weir_value *described = weir_object_new();
    coordinator->class->describe(coordinator, event, described);
    put(r, WEIR_TABLE_NODES,
        (weir_cell[WEIR_COLUMNS_MAX]){[CELL_number] = WEIR_CELL_N(event->subject),
                                      [CELL_name] = text_member(event->data, "name"),
                                      [CELL_type] = text_member(event->data, "type"),
                                      [CELL_template] = text_member(described, "template"),
                                      [CELL_parent] = number_member(event->data, "parent"),
                                      [CELL_phase] = text("Running"),
                                      [CELL_started_us] = time_of(event)});
    weir_value_unref(described);
}

static void note_node_finished(weir_records *r, const weir_event *event) {
    ROW_OF(node, WEIR_COLUMNS_NODES);
    put(r, WEIR_TABLE_NODES,
        (weir_cell[WEIR_COLUMNS_MAX]){[CELL_number] = WEIR_CELL_N(event->subject),
                                      [CELL_phase] = text_member(event->data, "phase"),
                                      [CELL_message] = text_member(event->data, "message"),
                                      [CELL_finished_us] = time_of(event)});
}

/* A workflow's tasks are made when their nodes start. */
static void note_new_tasks(weir_records *r, const weir_event *event) {
    uint32_t count = weir_tasks_count(weir_machine_tasks(r->machine));
    while (r->nodes_of_task.count < count)
        *weir_vector_push(&r->nodes_of_task) = (uint32_t)event->subject + 1;
}

/* --- tasks and attempts --------------------------------------------------------------------- */

const char *weir_records_phase(weir_outcome_kind kind) {
    static const char *const phases[WEIR_OUTCOME_KINDS] = {"Succeeded", "Failed", "Error",
                                                           "Cancelled", "Expired"};
    return phases[kind];
}

/* All that does not change of it. */
static void fill_task(const weir_records *r, weir_task_id task, weir_cell *cells) {
    ROW_OF(task, WEIR_COLUMNS_TASKS);
    const weir_tasks *tasks = weir_machine_tasks(r->machine);
    const weir_task_spec *spec = weir_tasks_spec(tasks, task);
    uint32_t context = weir_tasks_context(tasks, task);
    uint32_t node = task < r->nodes_of_task.count ? r->nodes_of_task.items[task] : 0;
    cells[CELL_number] = WEIR_CELL_N(task);
    if (is_listed(r, context)) cells[CELL_context] = WEIR_CELL_N(context);
    if (node) cells[CELL_node] = WEIR_CELL_N(node - 1);
    cells[CELL_name] = WEIR_CELL_T(spec->name);
    cells[CELL_operation] = WEIR_CELL_T(spec->operation);
    cells[CELL_executor] = WEIR_CELL_T(spec->executor);
}

static void note_begun(weir_records *r, const weir_event *event) {
    ROW_OF(task, WEIR_COLUMNS_TASKS);
    weir_cell cells[WEIR_COLUMNS_MAX] = {[CELL_number] = WEIR_CELL_N(event->subject),
                                         [CELL_phase] = text("Running"),
                                         [CELL_attempts] = WEIR_CELL_N(event->number)};
    if (event->number == 1) {
        fill_task(r, (weir_task_id)event->subject, cells);
        cells[CELL_started_us] = time_of(event);
    }
    put(r, WEIR_TABLE_TASKS, cells);
}

static void note_scheduled(weir_records *r, const weir_event *event) {
    ROW_OF(attempt, WEIR_COLUMNS_ATTEMPTS);
    note_begun(r, event);
    uint64_t size = weir_machine_input_size(r->machine, (weir_task_id)event->subject);
    weir_notes_set(&r->sizes, event->subject, size);
    put(r, WEIR_TABLE_ATTEMPTS,
        (weir_cell[WEIR_COLUMNS_MAX]){[CELL_task] = WEIR_CELL_N(event->subject),
                                      [CELL_number] = WEIR_CELL_N(event->number),
                                      [CELL_phase] = text("Scheduled"),
                                      [CELL_scheduled_us] = time_of(event),
                                      [CELL_input_bytes] = WEIR_CELL_N(size)});
}

static void note_attempt(weir_records *r, const weir_event *event, const char *phase) {
    ROW_OF(attempt, WEIR_COLUMNS_ATTEMPTS);
    bool started = event->type == WEIR_ATTEMPT_STARTED, lost = event->type == WEIR_ATTEMPT_LOST;
    put(r, WEIR_TABLE_ATTEMPTS,
        (weir_cell[WEIR_COLUMNS_MAX]){[CELL_task] = WEIR_CELL_N(event->subject),
                                      [CELL_number] = WEIR_CELL_N(event->number),
                                      [CELL_phase] = text(phase),
                                      [CELL_host] = text_member(event->data, "host"),
                                      [CELL_pid] = number_member(event->data, "pid"),
                                      [CELL_message] = lost ? text_member(event->data, "reason")
                                                            : (weir_cell){0},
                                      [CELL_started_us] = started ? time_of(event) : (weir_cell){0},
                                      [CELL_finished_us] = lost ? time_of(event) : (weir_cell){0}});
}

/* The newest are the likeliest. NULL: it did not fail. A reference. */
static weir_value *take_failure(weir_records *r, weir_task_id task) {
    for (size_t i = r->failures.count; i-- > 0;) {
        if (r->failures.items[i].task != task) continue;
        weir_value *why = r->failures.items[i].why;
        r->failures.items[i] = r->failures.items[--r->failures.count];
        return why;
    }
    return NULL;
}

/* Of a gang the last member ends the attempt. */
static void note_attempt_finished(weir_records *r, const weir_event *event) {
    ROW_OF(attempt, WEIR_COLUMNS_ATTEMPTS);
    const weir_tasks *tasks = weir_machine_tasks(r->machine);
    weir_task_id task = (weir_task_id)event->subject;
    if (weir_tasks_state(tasks, task) != WEIR_STATE_JUDGED) return;
    const weir_outcome *outcome = weir_tasks_outcome(tasks, task);
    weir_cell code = number_member(outcome->outputs, "exit_code");
    if (outcome->failure)
        *weir_vector_push(&r->failures) = (failure){task, weir_value_ref(outcome->failure)};
    put(r, WEIR_TABLE_ATTEMPTS,
        (weir_cell[WEIR_COLUMNS_MAX]){
            [CELL_task] = WEIR_CELL_N(task),
            [CELL_number] = WEIR_CELL_N(event->number),
            [CELL_phase] = text(weir_records_phase(outcome->kind)),
            [CELL_code] = text_member(outcome->failure, "code"),
            [CELL_message] = text_member(outcome->failure, "message"),
            [CELL_exit_code] = code.kind ? code : number_member(outcome->failure, "exit_code"),
            [CELL_cpu_us] = number_member(outcome->usage, "cpu_us"),
            [CELL_memory_peak_bytes] = number_member(outcome->usage, "memory_peak_bytes"),
            [CELL_finished_us] = time_of(event),
            [CELL_input_bytes] = r->ended_size ? WEIR_CELL_N(r->ended_size) : (weir_cell){0}});
}

static void note_task(weir_records *r, const weir_event *event, bool finished) {
    ROW_OF(task, WEIR_COLUMNS_TASKS);
    const weir_tasks *tasks = weir_machine_tasks(r->machine);
    weir_task_id task = (weir_task_id)event->subject;
    weir_cell cells[WEIR_COLUMNS_MAX] = {[CELL_number] = WEIR_CELL_N(task)};
    if (finished && !weir_tasks_attempt(tasks, task)) fill_task(r, task, cells);
    cells[CELL_phase] =
        text(finished ? weir_records_phase(weir_tasks_outcome(tasks, task)->kind) : "Waiting");
    weir_value *last = take_failure(r, task);
    if (finished) {
        const weir_value *own = weir_member_named(event->data, "failure");
        const weir_value *why = own ? own : last;
        cells[CELL_code] = text_member(why, "code");
        cells[CELL_message] = text_member(why, "message");
        cells[CELL_finished_us] = time_of(event);
        cells[CELL_attempts] = WEIR_CELL_N(weir_tasks_attempt(tasks, task));
    }
    put(r, WEIR_TABLE_TASKS, cells);
    weir_value_unref(last);
}

/* For later runs: also of what stays in the process. */
static void note_history(weir_records *r, weir_task_id task) {
    const weir_tasks *tasks = weir_machine_tasks(r->machine);
    if (weir_tasks_state(tasks, task) != WEIR_STATE_JUDGED) return;
    uint64_t size;
    (void)weir_notes_drop(&r->sizes, task, &size);
    r->ended_size = 0;
    const weir_outcome *outcome = weir_tasks_outcome(tasks, task);
    const weir_task_spec *spec = weir_tasks_spec(tasks, task);
    if (outcome->kind == WEIR_OUTCOME_SUCCEEDED) {
        weir__history_note(r->history, spec, size, outcome->usage);
        weir__history_note_tries(r->history, spec, weir__tries_of(r->machine, task));
    }
    uint64_t beside = weir_member_count(outcome->usage, "bytes_in");
    if (beside) r->ended_size = size + beside;
}

/* A result that was kept takes nothing: where most are found, that is what is to be expected. */
static void note_found(weir_records *r, const weir_event *event) {
    weir_task_id task = (weir_task_id)event->subject;
    const weir_task_spec *spec = weir_tasks_spec(weir_machine_tasks(r->machine), task);
    weir_value *usage = weir_object_new();
    weir_member_put(usage, "wall_us", weir_int_new(1));
    if (spec) weir__history_note(r->history, spec, weir__task_size(r->machine, task), usage);
    weir_value_unref(usage);
}

void weir_records_tell_history(weir_records *r, weir_str run, const weir_event *event,
                               uint64_t course_us) {
    const weir_value *request = weir_machine_request(r->machine);
    uint64_t took_us = event->time_us - weir_machine_created_us(r->machine);
    bool whole = weir_str_is(weir_member_text(event->data, "phase"), "Succeeded");
    weir__history_tell(r->history, run, event->time_us, whole, &r->rows);
    if (whole && took_us >= course_us)
        weir__history_tell_beyond(r->history, run, weir_member_text(request, "text"),
                                  took_us - course_us, event->time_us, &r->rows);
}

static void note_task_event(weir_records *r, const weir_event *event) {
    const weir_tasks *tasks = weir_machine_tasks(r->machine);
    if (event->type == WEIR_ATTEMPT_FINISHED) note_history(r, (weir_task_id)event->subject);
    if (!weir_task_leaves(weir_tasks_spec(tasks, (weir_task_id)event->subject))) return;
    switch (event->type) {
    case WEIR_ATTEMPT_SCHEDULED: note_scheduled(r, event); break;
    case WEIR_ATTEMPT_STARTED: note_attempt(r, event, "Running"); break;
    case WEIR_ATTEMPT_READY: note_attempt(r, event, "Ready"); break;
    case WEIR_ATTEMPT_STOPPING: note_attempt(r, event, "Stopping"); break;
    case WEIR_ATTEMPT_FINISHED: note_attempt_finished(r, event); break;
    case WEIR_ATTEMPT_LOST:
        note_attempt(r, event, "Lost");
        note_task(r, event, false);
        break;
    case WEIR_TASK_RETRIED: note_task(r, event, false); break;
    case WEIR_TASK_FINISHED: note_task(r, event, true); break;
    default: break;
    }
}

/* --- locks ---------------------------------------------------------------------------------- */

static void note_lock(weir_records *r, const weir_lock_note *note, const weir_event *event) {
    ROW_OF(lock, WEIR_COLUMNS_LOCKS);
    const weir_tasks *tasks = weir_machine_tasks(r->machine);
    uint32_t context = weir_tasks_context(tasks, note->task);
    weir_cell cells[WEIR_COLUMNS_MAX] = {
        [CELL_lock] = WEIR_CELL_N(note->lock), [CELL_task] = WEIR_CELL_N(note->task)};
    const weir_task_spec *spec = weir_tasks_spec(tasks, note->task); /* NULL: a restart undid it */
    if (note->state == WEIR_LOCK_GONE || !spec) {
        weir_row_drop(&r->rows, WEIR_TABLE_LOCKS, cells);
        return;
    }
    cells[CELL_state] = text(note->state == WEIR_LOCK_HELD ? "held" : "wanted");
    cells[CELL_name] = WEIR_CELL_T(spec->name);
    if (is_listed(r, context)) cells[CELL_context] = WEIR_CELL_N(context);
    cells[CELL_since_us] = time_of(event);
    put(r, WEIR_TABLE_LOCKS, cells);
}

static void note_locks(weir_records *r, const weir_event *event) {
    weir_lock_note note;
    while (weir_tasks_take_lock_note(weir_machine_tasks(r->machine), &note))
        note_lock(r, &note, event);
}

/* --- events --------------------------------------------------------------------------------- */

void weir_records_note(weir_records *r, uint64_t sequence, const weir_event *event) {
    switch (event->type) {
    case WEIR_RUN_CREATED: note_created(r, event); break;
    case WEIR_RUN_RESTARTED: note_restarted(r, event); break;
    case WEIR_RUN_FINISHED: r->changed = true; break; /* so a finished run is derived to its end */
    case WEIR_CONTEXT_OPENED: note_opened(r, event); break;
    case WEIR_CONTEXT_FINISHED: note_context_finished(r, event); break;
    case WEIR_NODE_STARTED:
        note_node_started(r, event);
        note_new_tasks(r, event);
        break;
    case WEIR_NODE_FINISHED: note_node_finished(r, event); break;
    case WEIR_MEMO_FOUND: note_found(r, event); break;
    default:
        if (weir_event_has_task(event->type)) note_task_event(r, event);
        break;
    }
    note_locks(r, event);
    r->sequence = sequence;
    if (sequence > r->from) return;
    weir_buffer_clear(&r->rows);
    weir_buffer_clear(&r->definitions);
    r->estimated_us = 0;
    r->changed = false;
}

size_t weir_records_size(const weir_records *r) {
    return r->rows.length + r->definitions.length + r->changed;
}

weir_buffer weir_records_take(weir_records *r) {
    ROW_OF(derived, WEIR_COLUMNS_DERIVED);
    if (r->rows.length || r->changed) {
        weir_cell cells[WEIR_COLUMNS_MAX] = {[CELL_seq] = WEIR_CELL_N(r->sequence)};
        if (r->definitions.length)
            cells[CELL_definitions] = WEIR_CELL_T(weir_buffer_str(&r->definitions));
        if (r->estimated_us) cells[CELL_estimated_us] = WEIR_CELL_N(r->estimated_us);
        put(r, WEIR_TABLE_DERIVED, cells);
    }
    r->estimated_us = 0;
    weir_buffer_deinit(&r->definitions);
    r->changed = false;
    weir_buffer rows = r->rows;
    r->rows = (weir_buffer){0};
    return rows;
}
