/* What a run's steps wrote, from files that are never held whole; and what they still write. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/map.h"
#include "engine/engine_internal.h"

enum { LOOK_US = 50 * 1000, REST = 5 /* times as long as a look took */ };

typedef struct reading {
    weir_engine *engine;
    weir_run *run;
    const weir_log_wanted *wanted;
    void (*visit)(void *arg, const weir_value *node, size_t nodes, weir_str lines);
    void *arg;
    int folder; /* -1: there is none yet */
    weir_log_files files;
    weir_value *status;
    weir_map nodes;  /* the place of a node in the status, by its task or its context and name */
    weir_arena keys; /* of that map */
    WEIR_VECTOR(weir_task_id)
    heirs;             /* by task, which one shows its log: itself, or one that kept its outcome */
    weir_map progress; /* the place of a file in `offsets`, by its task and attempt */
    weir_arena names;  /* of that map */
    WEIR_VECTOR(uint64_t) offsets; /* how far it was read */
    uint64_t changes;              /* of the run, when the status was made */
    const weir_value *node;        /* whose lines are visited */
    weir_log_times times;          /* of the file, where somebody wants to know */
    uint64_t at;                   /* in it */
    size_t count;                  /* nodes that have something */
} reading;

/* --- whose a file is ------------------------------------------------------------------------ */

/* A pod's name in Argo is its node's id with the template's name before the last part. */
static bool is_pod(const weir_value *node, weir_str wanted) {
    weir_str id = weir_member_text(node, "id");
    size_t dash = id.length;
    while (dash && id.data[dash - 1] != '-') dash--;
    return dash && weir_str_is(weir_member_text(node, "type"), "Pod") &&
           weir_str_starts(wanted, weir_str_slice(id, 0, dash)) &&
           weir_str_ends(wanted, weir_str_slice(id, dash - 1, id.length));
}

static bool is_node(const weir_value *node, const char *wanted) {
    static const char *const names[] = {"id", "name", "displayName"};
    if (is_pod(node, weir_str_from(wanted))) return true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (weir_str_is(weir_member_text(node, names[i]), wanted)) return true;
    return false;
}

/* A workflow's node is one task; a dataflow's operation is all its tasks in its context. */
static bool key_of_node(const weir_value *node, weir_buffer *key) {
    const weir_value *task = weir_member_named(node, "task");
    weir_str container = weir_member_text(node, "container");
    weir_buffer_clear(key);
    if (container.length)
        weir_buffer_printf(key, "%lld.%.*s",
                           (long long)weir_int_get(weir_member_named(node, "pod")),
                           WEIR_ARG(container));
    else if (weir_is(task, WEIR_INT))
        weir_buffer_printf(key, "%lld", (long long)weir_int_get(task));
    else if (weir_str_is(weir_member_text(node, "type"), "Operation"))
        weir_buffer_printf(key, "%lu/%.*s", strtoul(weir_member_text(node, "id").data, NULL, 10),
                           WEIR_ARG(weir_member_text(node, "name")));
    return key->length > 0;
}

/* A restarted run's tasks that were kept have the logs of those that they were. */
static void read_heirs(reading *r) {
    const weir_tasks *tasks = weir_machine_tasks(r->run->machine);
    r->heirs.count = 0;
    for (weir_task_id task = 0; task < weir_tasks_count(tasks); task++) {
        bool shown = weir_tasks_spec(tasks, task) != NULL; /* not of before a restart */
        *weir_vector_push(&r->heirs) = shown ? task : WEIR_NO_TASK;
        if (shown) r->heirs.items[weir_tasks_origin(tasks, task)] = task;
    }
}

static void read_status(reading *r) {
    weir_buffer key = {0};
    read_heirs(r);
    weir_map_deinit(&r->nodes);
    weir_arena_deinit(&r->keys);
    weir_value_unref(r->status);
    r->status = weir_run_status(r->run);
    r->changes = weir_run_changes(r->run);
    const weir_value *nodes = weir_member_named(r->status, "nodes");
    for (size_t i = 0; nodes && i < weir_value_count(nodes); i++)
        if (key_of_node(weir_array_at(nodes, i), &key)) {
            weir_str text = weir_buffer_str(&key);
            text.data = weir_str_copy(&r->keys, text);
            weir_map_set(&r->nodes, text, i);
        }
    weir_buffer_deinit(&key);
}

static const char *container_of(const weir_log_file *file) {
    return file->container[0] ? file->container : "main";
}

static bool is_wanted(const reading *r, uint64_t place) {
    return !r->wanted->node ||
           is_node(weir_array_at(weir_member_named(r->status, "nodes"), (size_t)place),
                   r->wanted->node);
}

/* The node's place; SIZE_MAX: it is not known (yet), or not wanted. A container of a set is a node of its own within its pod's. */
static size_t node_of(const reading *r, const weir_log_file *file) {
    const weir_tasks *tasks = weir_machine_tasks(r->run->machine);
    weir_task_id task = file->task < r->heirs.count ? r->heirs.items[file->task] : WEIR_NO_TASK;
    weir_buffer key = {0};
    uint64_t place = SIZE_MAX, member = SIZE_MAX;
    if (task == WEIR_NO_TASK ||
        (r->wanted->container && strcmp(r->wanted->container, container_of(file)) != 0))
        return SIZE_MAX;
    weir_buffer_printf(&key, "%u", task);
    if (!weir_map_get(&r->nodes, weir_buffer_str(&key), &place)) {
        weir_buffer_clear(&key);
        weir_buffer_printf(&key, "%u/%.*s", (unsigned)weir_tasks_context(tasks, task),
                           WEIR_ARG(weir_tasks_spec(tasks, task)->name));
        if (!weir_map_get(&r->nodes, weir_buffer_str(&key), &place)) place = SIZE_MAX;
    }
    weir_buffer_clear(&key);
    weir_buffer_printf(&key, "%u.%s", task, container_of(file));
    if (!weir_map_get(&r->nodes, weir_buffer_str(&key), &member)) member = place;
    weir_buffer_deinit(&key);
    bool wanted = place != SIZE_MAX && (is_wanted(r, place) || is_wanted(r, member));
    return wanted ? (size_t)member : SIZE_MAX;
}

/* --- what is there -------------------------------------------------------------------------- */

/* A file, and the node that it is of. */
typedef struct part {
    size_t place;
    weir_log_file file;
    uint64_t from;
} part;
typedef WEIR_VECTOR(part) part_list;

static int compare_parts(const void *left, const void *right) {
    const part *a = left, *b = right;
    if (a->place != b->place) return a->place < b->place ? -1 : 1;
    if (a->file.task != b->file.task) return a->file.task < b->file.task ? -1 : 1;
    if (a->file.number != b->file.number) return a->file.number < b->file.number ? -1 : 1;
    return strcmp(a->file.container, b->file.container);
}

/* Whether there is a later attempt of its task. */
static bool is_previous(const reading *r, size_t at) {
    const weir_log_file *file = &r->files.items[at]; /* they come by task and attempt */
    for (size_t i = at + 1; i < r->files.count && r->files.items[i].task == file->task; i++)
        if (r->files.items[i].number > file->number) return true;
    return false;
}

static void list_parts(reading *r, part_list *parts) {
    if (r->folder < 0 && r->engine->logs.directory)
        r->folder = weir_logs_open(r->engine->logs.directory, weir_str_from(r->run->id));
    if (r->folder >= 0) weir_logs_list(r->folder, &r->files);
    for (size_t i = 0; i < r->files.count; i++) {
        size_t place = r->files.items[i].size ? node_of(r, &r->files.items[i]) : SIZE_MAX;
        if (place != SIZE_MAX && (!r->wanted->previous || is_previous(r, i)))
            *weir_vector_push(parts) = (part){.place = place, .file = r->files.items[i]};
    }
    if (parts->count) qsort(parts->items, parts->count, sizeof *parts->items, compare_parts);
    r->count = 0;
    for (size_t i = 0; i < parts->count; i++)
        r->count += !i || parts->items[i].place != parts->items[i - 1].place;
}

/* Each node's last lines, from its last file backwards. */
static void find_tails(const reading *r, part_list *parts) {
    uint64_t left = 0;
    for (size_t i = parts->count; i-- > 0;) {
        part *p = &parts->items[i];
        if (i + 1 == parts->count || p->place != parts->items[i + 1].place) left = r->wanted->tail;
        p->from = weir_log_last(r->folder, &p->file, &left);
    }
}

static bool wants_times(const reading *r) {
    return r->wanted->written_us || r->wanted->since_us;
}

/* Those that came together, as far as the piece goes. */
static void visit_timed(reading *r, weir_str lines) {
    for (size_t i = 0; i < r->times.count && lines.length; i++) {
        uint64_t until = i + 1 < r->times.count ? r->times.items[i + 1].from : UINT64_MAX;
        uint64_t time_us = r->times.items[i].time_us;
        if (until <= r->at) continue;
        size_t length = until - r->at < lines.length ? (size_t)(until - r->at) : lines.length;
        if (r->wanted->written_us) *r->wanted->written_us = time_us;
        if (time_us >= r->wanted->since_us)
            r->visit(r->arg, r->node, r->count, weir_str_slice(lines, 0, length));
        lines = weir_str_slice(lines, length, lines.length);
        r->at += length;
    }
}

static bool visit_lines(void *arg, weir_str lines) {
    reading *r = arg;
    if (wants_times(r))
        visit_timed(r, lines);
    else
        r->visit(r->arg, r->node, r->count, lines);
    return true;
}

/* How far the file was read. */
static uint64_t *offset_of(reading *r, const weir_log_file *file) {
    char text[24 + sizeof file->container];
    weir_str key = {text, (size_t)snprintf(text, sizeof text, "%u.%u.%s", file->task, file->number,
                                           file->container)};
    uint64_t place;
    if (!weir_map_get(&r->progress, key, &place)) {
        place = r->offsets.count;
        *weir_vector_push(&r->offsets) = 0;
        key.data = weir_str_copy(&r->names, key);
        weir_map_set(&r->progress, key, place);
    }
    return &r->offsets.items[place];
}

static void read_parts(reading *r, const part_list *parts, bool end) {
    for (size_t i = 0; i < parts->count; i++) {
        const part *p = &parts->items[i];
        r->node = weir_array_at(weir_member_named(r->status, "nodes"), p->place);
        if (wants_times(r)) weir_log_times_read(r->folder, &p->file, &r->times);
        r->at = p->from;
        uint64_t to = weir_log_visit(r->folder, &p->file, p->from, end, visit_lines, r);
        if (r->wanted->follow) *offset_of(r, &p->file) = to;
    }
}

/* --- what comes ----------------------------------------------------------------------------- */

static void read_more(reading *r, bool end) {
    part_list parts = {0};
    list_parts(r, &parts);
    size_t grown = 0;
    for (size_t i = 0; i < parts.count; i++) {
        part p = parts.items[i];
        p.from = *offset_of(r, &p.file);
        if (p.file.size > p.from) parts.items[grown++] = p;
    }
    parts.count = grown;
    read_parts(r, &parts, end);
    weir_vector_deinit(&parts);
}

static bool knows_node(const reading *r, weir_error *error) {
    const weir_value *nodes = weir_member_named(r->status, "nodes");
    for (size_t i = 0; r->wanted->node && i < weir_value_count(nodes); i++)
        if (is_node(weir_array_at(nodes, i), r->wanted->node)) return true;
    if (!r->wanted->node) return true;
    weir_fail(error, WEIR_NOT_FOUND, "run %s has no node `%s`", r->run->name, r->wanted->node);
    weir_error_hint(error, "`weir get %s` shows its nodes", r->run->name);
    return false;
}

/* Until then, or until the run is over: true. */
static bool rest(weir_run *run, uint64_t until_us) {
    for (;;) {
        uint64_t now_us = weir_clock_steady_us();
        uint64_t left_ms = now_us < until_us ? (until_us - now_us + 999) / 1000 : 0;
        if (weir_run_wait(run, (uint32_t)left_ms)) return true;
        if (!left_ms) return false;
    }
}

/* Steps that begin meanwhile are found by what the run's journal says. */
static bool follow(reading *r, weir_error *error) {
    weir_run *run = r->run;
    uint64_t pause_us = LOOK_US;
    for (bool over = run->over; !over;) {
        over = rest(run, weir_clock_steady_us() + pause_us);
        if (run->failed) {
            *error = run->error;
            return false;
        }
        uint64_t begun_us = weir_clock_steady_us();
        if (weir_run_changes(run) != r->changes) read_status(r);
        read_more(r, over);
        pause_us = REST * (weir_clock_steady_us() - begun_us);
        if (pause_us < LOOK_US) pause_us = LOOK_US;
    }
    return knows_node(r, error);
}

bool weir_read_logs(weir_engine *engine, const char *name, const weir_log_wanted *wanted,
                    void (*visit)(void *arg, const weir_value *node, size_t nodes, weir_str lines),
                    void *arg, weir_error *error) {
    static const weir_log_wanted everything = {.size = sizeof everything, .tail = UINT64_MAX};
    reading r = {.engine = engine,
                 .wanted = wanted ? wanted : &everything,
                 .visit = visit,
                 .arg = arg,
                 .folder = -1};
    part_list parts = {0};
    weir_assert(r.wanted->size == sizeof everything);
    if (!weir_run_watch(engine, name, &r.run, error)) return false;
    read_status(&r);
    bool ok = (r.wanted->follow && !r.run->over) || knows_node(&r, error);
    if (ok) {
        list_parts(&r, &parts);
        if (r.wanted->tail != UINT64_MAX) find_tails(&r, &parts);
        read_parts(&r, &parts, r.run->over || !r.wanted->follow);
    }
    ok = ok && (!r.wanted->follow || follow(&r, error));
    if (r.folder >= 0) close(r.folder);
    weir_vector_deinit(&parts);
    weir_vector_deinit(&r.files);
    weir_map_deinit(&r.nodes);
    weir_map_deinit(&r.progress);
    weir_arena_deinit(&r.keys);
    weir_arena_deinit(&r.names);
    weir_vector_deinit(&r.times);
    weir_vector_deinit(&r.offsets);
    weir_vector_deinit(&r.heirs);
    weir_value_unref(r.status);
    weir_run_close(r.run);
    return ok;
}
