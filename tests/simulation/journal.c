#include "journal.h"

#include <inttypes.h>
#include <stdlib.h>

#include "data/json.h"

static void forget_named(journal *j);

void journal_deinit(journal *j) {
    forget_named(j);
    weir_vector_deinit(&j->named);
    weir_vector_deinit(&j->makers);
    weir_vector_deinit(&j->sequences);
    weir_vector_deinit(&j->tasks);
    weir_vector_deinit(&j->nodes);
    weir_vector_deinit(&j->inner);
    weir_vector_deinit(&j->gathered);
    weir_vector_deinit(&j->keeping);
}

static void wrong(journal *j, const weir_event *event, const char *what) {
    simulation_problem(j->sim, "%s %" PRIu64 " (%" PRIu32 "), event %" PRIu32 ":%" PRIu64 ": %s",
                       weir_event_text(event->type), event->subject, event->number,
                       event->id.context, event->id.sequence, what);
}

static uint64_t last_of(const journal *j, uint32_t context) {
    return context < j->sequences.count ? j->sequences.items[context] : 0;
}

static void check_order(journal *j, const weir_event *event) {
    bool restarts = event->type == WEIR_OUTCOME_KEPT || event->type == WEIR_RUN_RESTARTED;
    if (j->finished && !restarts) wrong(j, event, "the run is finished");
    if (j->created == (event->type == WEIR_RUN_CREATED)) wrong(j, event, "created once, and first");
    if (event->time_us < j->time_us) wrong(j, event, "time goes back");
    if (event->id.sequence != last_of(j, event->id.context) + 1) wrong(j, event, "a gap");
    for (size_t i = 0; i < event->prev_count; i++)
        if (!event->prev[i].sequence ||
            event->prev[i].sequence > last_of(j, event->prev[i].context))
            wrong(j, event, "its cause is no earlier event");
    j->created = true;
    j->time_us = event->time_us;
    while (j->sequences.count <= event->id.context) *weir_vector_push(&j->sequences) = 0;
    j->sequences.items[event->id.context] = event->id.sequence;
}

static void schedule(journal *j, task_record *task, const weir_event *event) {
    if (task->open) wrong(j, event, "there is an attempt under way");
    if (event->number != task->number + 1) wrong(j, event, "its number is not the next");
    if (j->terminated) wrong(j, event, "the run is terminated");
    task->number = event->number;
    task->open = true;
    task->members_done = 0;
}

static void finish_member(journal *j, task_record *task, const weir_event *event) {
    const weir_value *member = weir_member_named(event->data, "member");
    uint64_t bit = 1ull << (member ? (uint64_t)weir_int_get(member) % 64 : 0);
    if (task->members_done & bit) wrong(j, event, "it has an outcome");
    task->members_done |= bit;
}

static void judge(journal *j, task_record *task, const weir_event *event) {
    if (task->open && !task->members_done) wrong(j, event, "its attempt has no outcome");
    task->open = false;
    task->finished = event->type == WEIR_TASK_FINISHED;
}

/* --- daemons ---------------------------------------------------------------------------------- */

static char *copy_of(weir_str text) {
    weir_buffer copy = {0};
    weir_buffer_str_append(&copy, text);
    return copy.data;
}

/* `w[0].a` is a step of `w`, `w.a` a task of it. */
static weir_str boundary_of(weir_str name) {
    size_t end = name.length;
    while (end && name.data[end - 1] != '.') end--;
    if (!end) return name;
    if (--end && name.data[end - 1] == ']')
        while (end && name.data[end] != '[') end--;
    return weir_str_slice(name, 0, end);
}

static void forget_named(journal *j) {
    for (size_t i = 0; i < j->named.count; i++) {
        weir_free(j->named.items[i].name);
        weir_free(j->named.items[i].boundary);
    }
    j->named.count = 0;
}

/* A task's first event has for its cause the one that it was made by. */
static void note_maker(journal *j, const weir_event *event) {
    if (event->type == WEIR_NODE_STARTED) {
        weir_str name = weir_member_text(event->data, "name");
        *weir_vector_push(&j->named) =
            (node_record){.name = copy_of(name), .boundary = copy_of(boundary_of(name))};
    }
    while (j->makers.count <= event->id.sequence) *weir_vector_push(&j->makers) = 0;
    j->makers.items[event->id.sequence] = (uint32_t)event->subject + 1;
}

static uint32_t maker_of(const journal *j, const weir_event *event) {
    uint64_t sequence = event->prev_count ? event->prev[0].sequence : 0;
    return sequence < j->makers.count ? j->makers.items[sequence] : 0;
}

static node_record *node_of(journal *j, const task_record *task) {
    return task->node && task->node <= j->named.count ? &j->named.items[task->node - 1] : NULL;
}

static void note_readiness(journal *j, const task_record *task, const weir_event *event) {
    node_record *node = node_of(j, task);
    if (!node) return;
    if (event->type == WEIR_ATTEMPT_READY) {
        node->ready = true;
        if (!node->ready_before) node->ready_before = j->named.count;
    } else if (event->type == WEIR_ATTEMPT_FINISHED || event->type == WEIR_ATTEMPT_LOST) {
        node->ready = false;
    } else if (event->type == WEIR_TASK_FINISHED) {
        node->over = true;
    }
}

/* A daemon that its node could rely on when it began has to be ready. */
static void check_daemons(journal *j, const task_record *task, const weir_event *event) {
    const node_record *own = node_of(j, task);
    for (size_t i = 0; own && i + 1 < task->node; i++) {
        const node_record *node = &j->named.items[i];
        weir_str boundary = weir_str_from(node->boundary), name = weir_str_from(own->name);
        bool within = weir_str_starts(name, boundary) && name.length > boundary.length &&
                      (name.data[boundary.length] == '.' || name.data[boundary.length] == '[');
        if (within && node->ready_before && task->node > node->ready_before && !node->ready &&
            !node->over)
            wrong(j, event, "a daemon is not ready that it may rely on");
    }
}

/* --- tasks and nodes ---------------------------------------------------------------------------- */

static void check_task(journal *j, const weir_event *event) {
    /* Of a generation before this one tasks may be left of which nothing was heard. */
    while (j->tasks.count <= event->subject)
        *weir_vector_push(&j->tasks) = (task_record){.kept = true, .finished = j->restarts > 0};
    task_record *task = &j->tasks.items[event->subject];
    task->finished &= task->heard;
    if (!task->heard) task->node = maker_of(j, event);
    task->heard = true;
    if (task->finished) wrong(j, event, "the task is finished");
    note_readiness(j, task, event);
    if (j->suspended && event->type == WEIR_ATTEMPT_SCHEDULED)
        wrong(j, event, "the run is suspended");
    if (event->type == WEIR_ATTEMPT_STARTED && !task->number) schedule(j, task, event); /* a call */
    bool of_attempt = event->type > WEIR_ATTEMPT_SCHEDULED && event->type <= WEIR_ATTEMPT_LOST;
    if (of_attempt && (!task->open || task->number != event->number))
        wrong(j, event, "the attempt is not under way");
    switch (event->type) {
    case WEIR_ATTEMPT_SCHEDULED:
        schedule(j, task, event);
        check_daemons(j, task, event);
        if (task->found) wrong(j, event, "its outcome was remembered");
        break;
    case WEIR_MEMO_FOUND:
    case WEIR_MEMO_MISSED:
        if (task->number || task->found) wrong(j, event, "it began already");
        task->found = event->type == WEIR_MEMO_FOUND;
        task->found_what = strtoull(weir_member_text(event->data, "key").data, NULL, 10);
        break;
    case WEIR_TASK_RECALLED:
        if (event->number >= j->keeping.count)
            wrong(j, event, "no such outcome was kept");
        else
            j->tasks.items[j->keeping.items[event->number]].spare = false;
        break;
    case WEIR_ATTEMPT_YIELDED: task->yields++; break;
    case WEIR_ATTEMPT_FINISHED: finish_member(j, task, event); break;
    case WEIR_ATTEMPT_LOST:
        task->open = false;
        task->lost = true;
        break;
    case WEIR_TASK_FINISHED: judge(j, task, event); break;
    case WEIR_TASK_RETRIED:
        judge(j, task, event);
        if (++task->retries != event->number) wrong(j, event, "so often it did not fail");
        break;
    default: break;
    }
}

static void check_node(journal *j, const weir_event *event) {
    if (event->type == WEIR_NODE_STARTED) {
        if (event->subject != j->nodes.count) wrong(j, event, "its number is not the next");
        *weir_vector_push(&j->nodes) = false;
    } else if (event->subject >= j->nodes.count || j->nodes.items[event->subject]) {
        wrong(j, event, "the node is not under way");
    } else {
        j->nodes.items[event->subject] = true;
    }
}

static void check_end(journal *j, const weir_event *event) {
    for (size_t i = 0; i < j->tasks.count; i++)
        if (!j->tasks.items[i].finished) wrong(j, event, "a task is not finished");
    for (size_t i = 0; i < j->nodes.count; i++)
        if (!j->nodes.items[i]) wrong(j, event, "a node is not finished");
    if (j->contexts_open) wrong(j, event, "a context is not finished");
    j->finished = true;
}

/* A new generation: what is not kept is of no use any more. */
static void restart(journal *j, const weir_event *event) {
    if (event->number != j->gathered.count) wrong(j, event, "so many outcomes were not kept");
    for (size_t i = 0; i < j->tasks.count; i++) {
        j->tasks.items[i].finished = j->tasks.items[i].heard = true;
        j->tasks.items[i].kept = j->tasks.items[i].open = j->tasks.items[i].spare = false;
    }
    j->keeping.count = 0;
    weir_vector_append(&j->keeping, j->gathered.items, j->gathered.count);
    for (size_t i = 0; i < j->gathered.count; i++) {
        task_record *task = &j->tasks.items[j->gathered.items[i]];
        task->kept = task->spare = true;
    }
    forget_named(j);
    j->gathered.count = j->nodes.count = j->inner.count = 0;
    j->contexts_open = 0;
    j->cancelled = j->terminated = j->suspended = j->finished = false;
    j->restarts++;
}

static void gather(journal *j, const weir_event *event) {
    const weir_value *task = weir_member_named(event->data, "task");
    if (!event->subject) j->gathered.count = 0;
    if (event->subject != j->gathered.count) wrong(j, event, "its number is not the next");
    *weir_vector_push(&j->gathered) = (uint32_t)weir_int_get(task);
}

static void trace(const simulation *sim, const weir_event *event) {
    if (!sim->verbose) return;
    weir_buffer data = {0};
    if (event->data) weir_json_format(event->data, 0, &data);
    simulation_trace(sim, "%" PRIu32 ":%-3" PRIu64 " %-17s %" PRIu64 " (%" PRIu32 ") %.300s",
                     event->id.context, event->id.sequence, weir_event_text(event->type),
                     event->subject, event->number, weir_buffer_str(&data).data);
    weir_buffer_deinit(&data);
}

static void check(journal *j, const weir_event *event) {
    trace(j->sim, event);
    check_order(j, event);
    if (event->type == WEIR_NODE_STARTED || event->type == WEIR_NODE_AGAIN ||
        (event->type == WEIR_LOCK_GRANTED && event->subject < j->named.count))
        note_maker(j, event);
    switch (event->type) {
    case WEIR_OUTCOME_KEPT: gather(j, event); break;
    case WEIR_RUN_RESTARTED: restart(j, event); break;
    case WEIR_RUN_SUSPENDED: j->suspended = true; break;
    case WEIR_RUN_RESUMED: j->suspended = false; break;
    case WEIR_RUN_CANCELLED:
        j->suspended = false;
        j->cancelled = true;
        j->terminated |= event->number != 0;
        break;
    case WEIR_RUN_FINISHED: check_end(j, event); break;
    case WEIR_CONTEXT_GIVEN:
    case WEIR_INPUTS_GIVEN:
    case WEIR_CONTEXT_CLOSED:
    case WEIR_CONTEXTS_ENDED:
        j->gifts += !event->prev_count;
        break; /* not what a restart gives again */
    case WEIR_CONTEXT_OPENED:
        while (j->inner.count <= event->id.context) *weir_vector_push(&j->inner) = false;
        j->inner.items[event->id.context] = event->number != 0;
        if (event->number) break;
        j->contexts_open++;
        if (j->contexts_max && j->contexts_open > j->contexts_max)
            wrong(j, event, "more contexts are open than may be");
        break;
    case WEIR_CONTEXT_FINISHED:
        if (event->id.context < j->inner.count && j->inner.items[event->id.context]) break;
        if (!j->contexts_open--) wrong(j, event, "no context is open");
        break;
    case WEIR_NODE_STARTED:
    case WEIR_NODE_FINISHED: check_node(j, event); break;
    default:
        if (weir_event_has_task(event->type)) check_task(j, event);
    }
}

bool journal_is_undone(const journal *j, uint64_t task) {
    return task < j->tasks.count && !j->tasks.items[task].kept;
}

bool journal_is_spare(const journal *j, uint64_t task) {
    return task < j->tasks.count && j->tasks.items[task].spare;
}

void journal_add(journal *j, weir_str bytes) {
    weir_batch_reader reader;
    const weir_event *event;
    weir_error error;
    bool ok = weir_batch_open(&reader, bytes, &error);
    if (!ok) {
        simulation_problem(j->sim, "a batch: %s", error.message);
        return;
    }
    reader.parts = j->parts;
    while ((ok = weir_batch_next(&reader, &event, &error)) && event) check(j, event);
    if (!ok) simulation_problem(j->sim, "a batch: %s", error.message);
    weir_batch_close(&reader);
}

bool journal_is_scheduled(const journal *j, uint64_t task, uint32_t number) {
    if (task >= j->tasks.count) return false;
    const task_record *record = &j->tasks.items[task];
    return record->open && record->number == number && !record->finished;
}

bool journal_knows(const journal *j, uint64_t task, uint32_t number) {
    return task < j->tasks.count && j->tasks.items[task].number >= number;
}
