#include "engine/history.h"

#include "base/map.h"
#include "executor/given.h"
#include "store/rows.h"

typedef struct sample {
    uint64_t input_bytes, wall_us, cpu_us, memory_bytes;
} sample;

/* What is of one operation and size of inputs in this run. */
typedef struct group {
    int64_t identity;
    weir_str operation, name; /* the plan's */
    uint64_t count;           /* of all; the samples are some of them */
    uint32_t first;           /* the group of the same operation and name that was there first */
    uint64_t tasks;           /* of that one: of all of these groups */
    sample samples[WEIR__HISTORY_SAMPLES];
} group;

struct weir__history {
    const weir_plan *plan;
    weir_map identities; /* by spec */
    weir_map places;     /* of groups, by key */
    WEIR_VECTOR(group) groups;
    weir_arena arena;
    uint64_t chance, given_bytes;
};

weir__history *weir__history_new(const weir_plan *plan) {
    weir__history *h = weir_alloc(sizeof *h);
    h->plan = plan;
    return h;
}

void weir__history_free(weir__history *h) {
    if (!h) return;
    weir_map_deinit(&h->identities);
    weir_map_deinit(&h->places);
    weir_vector_deinit(&h->groups);
    weir_arena_deinit(&h->arena);
    weir_free(h);
}

unsigned weir__history_bucket(uint64_t input_bytes) {
    return input_bytes ? 64 - (unsigned)__builtin_clzll(input_bytes) : 0;
}

int64_t weir__history_identity(const weir_plan *plan, const weir_task_spec *spec) {
    weir_buffer bytes = {0};
    weir_buffer_str_append(&bytes, spec->operation);
    weir_buffer_byte(&bytes, '\0');
    if (plan->identify) plan->identify(plan, weir_task_spec_of(spec), &bytes);
    int64_t identity = (int64_t)(weir_hash(bytes.data, bytes.length) >> 1);
    weir_buffer_deinit(&bytes);
    return identity;
}

/* No deeper than values are (WEIR_DEPTH_MAX). */
uint64_t weir__value_size(const weir_value *value) {
    bool array = weir_is(value, WEIR_ARRAY), object = weir_is(value, WEIR_OBJECT);
    uint64_t size = 0;
    if (weir_is(value, WEIR_STRING)) return weir_string_get(value).length;
    if (weir_is(value, WEIR_BYTES)) return weir_bytes_length(value);
    if (weir_is(value, WEIR_FOREIGN)) return weir_foreign_size(value);
    if (!array && !object) return value ? 8 : 0;
    for (size_t i = 0; i < weir_value_count(value); i++)
        size += weir__value_size(array ? weir_array_at(value, i) : weir_object_at(value, i));
    return size;
}

uint64_t weir__given_size(const weir_value *request) {
    static const char *const members[] = {"inputs",        "texts",      "contexts",
                                          "context_texts", "parameters", "artifacts"};
    weir_str folder = weir_member_text(request, "folder");
    uint64_t size = 0;
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        const weir_value *given = weir_member_named(request, members[i]);
        size += weir__value_size(given) + weir_given_files(given, folder);
    }
    return size;
}

uint64_t weir__task_size(weir_machine *machine, weir_task_id task) {
    weir_attempt attempt;
    weir_machine_last_attempt(machine, task, &attempt);
    const weir_value *sandbox = weir_member_named(attempt.config, "sandbox"),
                     *artifacts = weir_member_named(sandbox, "artifacts");
    uint64_t size = 0;
    if (!weir_member_named(artifacts, "inputs")) size = weir__value_size(attempt.parameters);
    if (size && !sandbox)
        size += weir_given_files(attempt.parameters, weir_member_text(attempt.config, "directory"));
    weir_attempt_drop(&attempt);
    return size;
}

void weir__history_give(weir__history *h, uint64_t bytes) {
    h->given_bytes = bytes;
}

/* --- noting ------------------------------------------------------------------------------------- */

static int64_t identity_of(weir__history *h, const weir_task_spec *spec) {
    uint64_t known;
    spec = weir_task_spec_of(spec);
    if (weir_map_get(&h->identities, (weir_str){(const char *)&spec, sizeof spec}, &known))
        return (int64_t)known;
    const weir_task_spec **key = weir_arena_alloc(&h->arena, sizeof(weir_task_spec *));
    *key = spec;
    known = (uint64_t)weir__history_identity(h->plan, spec);
    weir_map_set(&h->identities, (weir_str){(const char *)key, sizeof *key}, known);
    return (int64_t)known;
}

/* The group's number; makes it when it is new. UINT32_MAX: there are too many. */
static uint32_t group_at(weir__history *h, int64_t identity, const weir_task_spec *spec,
                         unsigned bucket) {
    weir_buffer key = {0};
    uint64_t at;
    weir_buffer_append(&key, &identity, sizeof identity);
    weir_buffer_append(&key, &bucket, sizeof bucket);
    weir_buffer_str_append(&key, spec->name);
    bool known = weir_map_get(&h->places, weir_buffer_str(&key), &at);
    if (!known && h->groups.count < WEIR__HISTORY_OPERATIONS) {
        at = h->groups.count;
        weir_str kept = {weir_str_copy(&h->arena, weir_buffer_str(&key)), key.length};
        weir_map_set(&h->places, kept, at);
        *weir_vector_push(&h->groups) = (group){.identity = identity,
                                                .operation = spec->operation,
                                                .name = spec->name,
                                                .first = (uint32_t)at};
        known = true;
    }
    weir_buffer_deinit(&key);
    return known ? (uint32_t)at : UINT32_MAX;
}

static uint64_t number_in(const weir_value *usage, const char *name) {
    const weir_value *number = weir_member_named(usage, name);
    return weir_is(number, WEIR_INT) && weir_int_get(number) > 0 ? (uint64_t)weir_int_get(number)
                                                                 : 0;
}

/* Steele, Lea and Flood, Fast splittable pseudorandom number generators (2014). */
static uint64_t draw(weir__history *h) {
    uint64_t z = (h->chance += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

int64_t weir__history_identity_of_cost(int64_t identity, weir_str executor, bool energy) {
    weir_buffer bytes = {0};
    weir_buffer_append(&bytes, &identity, sizeof identity);
    weir_buffer_text(&bytes, energy ? "energy " : "cost ");
    weir_buffer_str_append(&bytes, executor);
    int64_t made = (int64_t)(weir_hash(bytes.data, bytes.length) >> 1);
    weir_buffer_deinit(&bytes);
    return made;
}

int64_t weir__history_identity_of_tries(int64_t identity) {
    return weir__history_identity_of_cost(identity, WEIR_STR("tries"), false);
}

static void add_sample(weir__history *h, group *g, const sample *s) {
    uint64_t place = g->count++;
    if (place >= WEIR__HISTORY_SAMPLES) place = draw(h) % g->count; /* Vitter's algorithm R */
    if (place < WEIR__HISTORY_SAMPLES) g->samples[place] = *s;
}

/* What it cost where it was run. */
static void note_cost(weir__history *h, int64_t identity, const weir_value *usage,
                      const sample *s) {
    static const char *const executors[] = {"pool", "thread", "process"};
    weir_str executor = weir_member_text(usage, "executor");
    for (size_t i = 0; i < sizeof executors / sizeof *executors; i++)
        for (int energy = 0; energy < 2 && weir_str_is(executor, executors[i]); energy++) {
            sample cost = *s;
            cost.input_bytes = 0;
            if (energy) cost = (sample){.wall_us = number_in(usage, "energy_uj")};
            weir_task_spec of = {.name = weir_str_from(executors[i]),
                                 .operation =
                                     energy ? WEIR_STR("weir.energy") : WEIR_STR("weir.cost")};
            if (!cost.wall_us) continue;
            uint32_t at =
                group_at(h, weir__history_identity_of_cost(identity, executor, energy), &of, 0);
            if (at != UINT32_MAX) add_sample(h, &h->groups.items[at], &cost);
        }
}

void weir__history_note(weir__history *h, const weir_task_spec *spec, uint64_t input_bytes,
                        const weir_value *usage) {
    input_bytes += number_in(usage, "bytes_in");
    uint64_t wall_us = number_in(usage, "wall_us");
    if (!wall_us || !spec->name.length || spec->kind != WEIR_TASK_WORK) return;
    int64_t identity = identity_of(h, spec);
    uint32_t any = group_at(h, identity, spec, UINT32_MAX);
    uint32_t at = group_at(h, identity, spec, weir__history_bucket(input_bytes));
    if (any == UINT32_MAX || at == UINT32_MAX) return;
    group *g = &h->groups.items[at];
    g->first = any;
    h->groups.items[any].tasks++;
    sample s = {.input_bytes = input_bytes,
                .wall_us = wall_us,
                .cpu_us = number_in(usage, "cpu_us"),
                .memory_bytes = number_in(usage, "memory_peak_bytes")};
    add_sample(h, g, &s);
    note_cost(h, identity, usage, &s);
}

void weir__history_note_tries(weir__history *h, const weir_task_spec *spec, uint32_t tries) {
    if (!weir_task_tries_again(spec) || !tries || !spec->name.length) return;
    weir_task_spec of = {.name = spec->name, .operation = WEIR_STR("weir.tries")};
    int64_t identity = weir__history_identity_of_tries(identity_of(h, spec));
    uint32_t at = group_at(h, identity, &of, 0);
    sample s = {.wall_us = tries};
    if (at != UINT32_MAX) add_sample(h, &h->groups.items[at], &s);
}

/* --- telling ------------------------------------------------------------------------------------ */

/* Where in the table it goes: the same place in every run that has such a sample. */
static int64_t place_of(const group *g, unsigned bucket, unsigned given, uint64_t slot) {
    weir_buffer key = {0};
    weir_buffer_append(&key, &g->identity, sizeof g->identity);
    weir_buffer_append(&key, &bucket, sizeof bucket);
    weir_buffer_append(&key, &given, sizeof given);
    weir_buffer_append(&key, &slot, sizeof slot);
    weir_buffer_str_append(&key, g->name);
    int64_t place = (int64_t)(weir_hash(key.data, key.length) % WEIR__HISTORY_PLACES);
    weir_buffer_deinit(&key);
    return place;
}

#define CELL_AT(c) CELL_##c,

static void tell_group(weir__history *h, const group *g, uint64_t now_us, bool whole,
                       weir_buffer *rows) {
    enum cells { WEIR_COLUMNS_HISTORY(CELL_AT, CELL_AT, CELL_AT) };
    uint64_t slot = draw(h), count = g->count;
    if (count > WEIR__HISTORY_SAMPLES) count = WEIR__HISTORY_SAMPLES;
    for (uint64_t i = 0; i < count; i++) {
        const sample *s = &g->samples[i];
        unsigned bucket = weir__history_bucket(s->input_bytes);
        weir_cell cells[WEIR_COLUMNS_MAX] = {
            [CELL_number] = WEIR_CELL_N(place_of(g, bucket, weir__history_bucket(h->given_bytes),
                                                 (slot + i) % WEIR__HISTORY_KEPT)),
            [CELL_identity] = WEIR_CELL_N(g->identity),
            [CELL_operation] = WEIR_CELL_T(g->operation),
            [CELL_name] = WEIR_CELL_T(g->name),
            [CELL_input_bytes] = WEIR_CELL_N(s->input_bytes),
            [CELL_wall_us] = WEIR_CELL_N(s->wall_us),
            [CELL_cpu_us] = WEIR_CELL_N(s->cpu_us),
            [CELL_memory_bytes] = WEIR_CELL_N(s->memory_bytes),
            [CELL_tasks] = WEIR_CELL_N(whole ? h->groups.items[g->first].tasks : 0),
            [CELL_finished_us] = WEIR_CELL_N(now_us),
            [CELL_given_bytes] = WEIR_CELL_N(h->given_bytes)};
        weir_row_put(rows, WEIR_TABLE_HISTORY, cells);
    }
}

void weir__history_tell(weir__history *h, weir_str run, uint64_t now_us, bool whole,
                        weir_buffer *rows) {
    h->chance = weir_hash(run.data, run.length) ^ now_us;
    for (size_t i = 0; i < h->groups.count; i++)
        tell_group(h, &h->groups.items[i], now_us, whole, rows);
    weir_vector_deinit(&h->groups);
    weir_map_deinit(&h->places);
    h->groups.count = 0;
}

int64_t weir__history_identity_of_file(weir_str text) {
    return (int64_t)((weir_hash(text.data, text.length) ^ 0x77656972) >> 1);
}

void weir__history_tell_beyond(weir__history *h, weir_str run, weir_str text, uint64_t us,
                               uint64_t now_us, weir_buffer *rows) {
    group whole = {.identity = weir__history_identity_of_file(text),
                   .operation = WEIR_STR("weir.run"),
                   .name = WEIR_STR("beyond"),
                   .count = 1,
                   .samples = {{.wall_us = us ? us : 1}}};
    h->chance = weir_hash(run.data, run.length) ^ now_us;
    tell_group(h, &whole, now_us, false, rows);
}
