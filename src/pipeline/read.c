/* Reads a pipeline: a mapping is written as one, or as a list of one-entry mappings. */
#include "base/time.h"
#include "data/json.h"
#include "pipeline/pipeline_internal.h"
#include "schedule/schedule.h"

/* Adds the key to those of a list that were seen; a mapping has each of its keys once. */
static bool is_given(const weir__entries *out, weir_map *seen, weir_str key) {
    if (!seen) return false;
    if (seen->count) return !weir_map_add(seen, key, 0);
    for (size_t i = 0; i < out->count; i++)
        if (!out->items[i].plain && weir_str_equal(out->items[i].key, key)) return true;
    return false;
}

enum { SEEN_FROM = 16 /* entries from which on a map knows their keys */ };

static void add_member(weir__pipeline *p, weir__entries *out, weir_map *seen,
                       const weir_value *object, size_t member, const weir__entry *up,
                       uint32_t at) {
    weir_str key = weir_object_key(object, member);
    weir__entry entry = {.up = up, .key = key, .value = weir_object_at(object, member), .at = at};
    if (is_given(out, seen, key)) {
        weir__pipeline_problem(p, &entry, WEIR_INVALID, "`%.*s` is given twice", WEIR_ARG(key));
        return;
    }
    out->items[out->count++] = entry;
    if (!seen || out->count != SEEN_FROM) return;
    for (size_t i = 0; i < out->count; i++)
        if (!out->items[i].plain) weir_map_set(seen, out->items[i].key, 0);
}

static void expect_key(const weir_map *seen, const weir_value *item) {
    if (weir_is(item, WEIR_OBJECT) && weir_value_count(item))
        weir_map_expect(seen, weir_object_key(item, 0));
}

static void read_list(weir__pipeline *p, weir__entries *out, weir_map *seen, const weir_value *list,
                      const weir__entry *up, const char *what, bool plain) {
    size_t count = weir_value_count(list);
    for (size_t i = 0; i < count; i++) {
        weir_value *item = weir_array_at(list, i);
        if (seen->count && i + WEIR__AHEAD < count)
            expect_key(seen, weir_array_at(list, i + WEIR__AHEAD));
        weir__entry here = {.up = up, .value = item, .at = (uint32_t)i + 1, .plain = true};
        if (plain && weir_is(item, WEIR_STRING)) {
            out->items[out->count++] = here;
            continue;
        }
        if (!weir_is(item, WEIR_OBJECT)) {
            weir__pipeline_problem(p, &here, WEIR_INVALID, "%s: an entry must be %s, found %s",
                                   what, plain ? "a name" : "a mapping with one name",
                                   weir_type_text(weir_value_type(item)));
            continue;
        }
        if (weir_value_count(item) != 1)
            weir__pipeline_problem(p, &here, WEIR_INVALID,
                                   "%s: an entry must have one name, this has %zu", what,
                                   weir_value_count(item));
        for (size_t j = 0; j < weir_value_count(item); j++)
            add_member(p, out, seen, item, j, up, here.at);
    }
}

static size_t count_entries(const weir_value *value, bool list) {
    size_t count = list ? 0 : weir_value_count(value);
    for (size_t i = 0; list && i < weir_value_count(value); i++) {
        const weir_value *item = weir_array_at(value, i);
        count += weir_is(item, WEIR_OBJECT) ? weir_value_count(item) : 1;
    }
    return count;
}

/* Of equal names the first counts. `plain` allows texts without a name in a list. Those of a component are there until the next
 * one's are `brief`: what is kept of them is copied. */
static weir__entries read_entries_for(weir__pipeline *p, const weir__entry *up, const char *what,
                                      bool plain, bool brief) {
    weir__entries out = {0};
    const weir_value *value = up->value;
    bool list = weir_is(value, WEIR_ARRAY);
    if (!value || weir_is(value, WEIR_NULL)) return out;
    if (!list && (!weir_is(value, WEIR_OBJECT) || p->list_style)) {
        weir__pipeline_problem(p, up, WEIR_INVALID, "%s must be a %s, found %s", what,
                               p->list_style ? "list of one-entry mappings (list style)"
                               : plain       ? "list of names"
                                             : "mapping",
                               weir_type_text(weir_value_type(value)));
        return out;
    }
    size_t room = count_entries(value, list);
    out.items = brief ? weir_vector_reserve(&p->fields, room)
                      : weir_arena_alloc(&p->arena, room * sizeof *out.items);
    weir_map seen = {0};
    if (room >= SEEN_FROM && list && !plain) weir_map_reserve(&seen, room);
    if (list) read_list(p, &out, &seen, value, up, what, plain);
    for (size_t i = 0; !list && i < weir_value_count(value); i++)
        add_member(p, &out, NULL, value, i, up, 0);
    weir_map_deinit(&seen);
    return out;
}

static weir__entries read_entries(weir__pipeline *p, const weir__entry *up, const char *what,
                                  bool plain) {
    return read_entries_for(p, up, what, plain, false);
}

/* Of a component's fields one that is looked at again. */
static const weir__entry *keep(weir__pipeline *p, const weir__entry *field) {
    weir__entry *kept = weir_arena_alloc(&p->arena, sizeof *kept);
    *kept = *field;
    return kept;
}

static weir__particulars *particulars_of(weir__pipeline *p, weir__component *c) {
    if (c->more == &p->nothing) c->more = weir_arena_alloc(&p->arena, sizeof *c->more);
    return c->more;
}

static const weir__entry *find(const weir__entries *entries, const char *key) {
    for (size_t i = 0; i < entries->count; i++)
        if (weir_str_is(entries->items[i].key, key)) return &entries->items[i];
    return NULL;
}

/* The first `required` of the known names must be there, no others may be. */
static void check_fields(weir__pipeline *p, const weir__entries *fields, const weir__entry *up,
                         const char *what, const char *const *known, size_t required) {
    for (size_t i = 0; i < required; i++)
        if (!find(fields, known[i]))
            weir__pipeline_problem(p, up, WEIR_INVALID, "%s: `%s` is missing", what, known[i]);
    for (size_t i = 0; i < fields->count; i++) {
        weir_str key = fields->items[i].key;
        size_t at = 0, near = 0, best = 3;
        while (known[at] && !weir_str_is(key, known[at])) at++;
        if (known[at]) continue;
        for (at = 0; known[at]; at++) {
            size_t distance = weir_str_distance(key, weir_str_from(known[at]));
            if (distance < best) best = distance, near = at + 1;
        }
        weir_error *error = weir__pipeline_problem(p, &fields->items[i], WEIR_INVALID,
                                                   "%s: there is no `%.*s`", what, WEIR_ARG(key));
        if (near) weir_error_hint(error, "did you mean `%s`?", known[near - 1]);
    }
}

/* A list of names; `keyed` allows KEY: NAME too. */
static weir__entries read_names(weir__pipeline *p, const weir__entries *fields, weir__group group,
                                bool keyed) {
    const char *what = weir__group_name(group);
    const weir__entry *field = find(fields, what);
    if (!field) return (weir__entries){0};
    weir__entries all = read_entries(p, field, what, true), out = {all.items, 0};
    for (size_t i = 0; i < all.count; i++) {
        weir__entry *entry = &all.items[i];
        entry->up = field->up; /* the field itself does not stay */
        entry->group = group;
        entry->blank = !entry->plain && !entry->key.length;
        if (entry->key.length && !keyed) {
            weir__pipeline_problem(p, entry, WEIR_INVALID, "%s: a name stands alone here", what);
        } else if (!weir_is(entry->value, WEIR_STRING) || !weir_value_truth(entry->value)) {
            weir__pipeline_problem(p, entry, WEIR_INVALID, "%s: a name must be a text", what);
        } else {
            entry->name = weir_string_get(entry->value);
            out.items[out.count++] = *entry;
        }
    }
    return out;
}

static void read_image(weir__pipeline *p, weir__component *c, const weir__entry *image) {
    if (!image) return;
    if (weir_is(image->value, WEIR_STRING) && weir_value_truth(image->value))
        particulars_of(p, c)->image = weir_string_get(image->value);
    else
        weir__pipeline_problem(p, image, WEIR_INVALID, "image: a name must be a text");
}

/* {python: MODULE:FUNCTION, interpreter?, requirements?} */
static bool read_function(weir__pipeline *p, weir__component *c, const weir__entry *runner,
                          const weir__entries *inside, weir_str *name) {
    static const char *const known[] = {"python", "interpreter", "requirements", NULL};
    const weir__entry *function = find(inside, "python");
    check_fields(p, inside, runner, "runner", known, 1);
    if (!weir_is(function->value, WEIR_STRING)) {
        weir__pipeline_problem(p, function, WEIR_INVALID, "python: this is no MODULE:FUNCTION");
        return false;
    }
    *name = weir_string_get(function->value);
    weir_value *said = weir_object_new();
    for (size_t i = 0; i < inside->count; i++)
        weir_member_set(said, inside->items[i].key, weir_value_ref(inside->items[i].value));
    particulars_of(p, c)->where = weir_operation_where(said);
    weir_value_unref(said);
    return true;
}

static void read_runner(weir__pipeline *p, weir__component *c, const weir__entries *fields) {
    const weir__entry *runner = find(fields, "runner"), *run = find(fields, "run"),
                      *image = find(fields, "image");
    weir_str name = WEIR_STR("process.run");
    if (!runner == !run) {
        weir__pipeline_problem(p, runner ? run : c->entry, WEIR_INVALID,
                               runner ? "component: `runner` and `run` are given, one is wanted"
                                      : "component: `runner` is missing");
        return;
    }
    if (runner && weir_is(runner->value, WEIR_STRING)) {
        name = weir_string_get(runner->value);
    } else if (runner && !weir_is(runner->value, WEIR_OBJECT) &&
               !weir_is(runner->value, WEIR_ARRAY)) {
        weir_error_hint(weir__pipeline_problem(p, runner, WEIR_INVALID,
                                               "runner must be a name or a mapping, found %s",
                                               weir_type_text(weir_value_type(runner->value))),
                        "the name of an operation, {run: [command, argument…]}, or {python: "
                        "MODULE:FUNCTION, requirements: […]}");
        return;
    } else if (runner) {
        runner = keep(p, runner);
        weir__entries inside = read_entries(p, runner, "runner", false);
        if (find(&inside, "python")) {
            if (!read_function(p, c, runner, &inside, &name)) return;
        } else {
            static const char *const known[] = {"run", "image", NULL};
            check_fields(p, &inside, runner, "runner", known, 1);
            run = find(&inside, "run");
            if (!run) return;
            if (!image) image = find(&inside, "image");
        }
    }
    if (run && (!weir_is(run->value, WEIR_ARRAY) || !weir_value_count(run->value))) {
        weir__pipeline_problem(p, run, WEIR_INVALID, "run must be a list [command, args…]");
        return;
    }
    if (run) particulars_of(p, c)->command = run->value;
    if (run) c->more->command_entry = keep(p, run);
    read_image(p, c, run ? image : NULL);
    if (image && !run)
        weir__pipeline_problem(p, image, WEIR_INVALID,
                               "image: only what `run` says runs in an image");
    weir_error error;
    c->operation = weir_registry_resolve_in(p->registry, name, c->more->where, &error);
    if (c->operation) return;
    weir_error_hint(
        weir__pipeline_problem(p, run ? run : runner, error.code, "runner: %s", error.message),
        "%s", error.hint);
}

static void read_duration(weir__pipeline *p, const weir__entry *field, const char *name,
                          uint64_t *us) {
    weir_buffer text = {0};
    weir_error error = {0};
    bool scalar = !weir_is(field->value, WEIR_OBJECT) && !weir_is(field->value, WEIR_ARRAY) &&
                  !weir_is(field->value, WEIR_BOOL) && !weir_is(field->value, WEIR_NULL);
    if (scalar) weir_json_plain(field->value, &text);
    if (!scalar)
        weir_fail(&error, WEIR_INVALID, "a duration is a text or a number of seconds, not %s",
                  weir_type_text(weir_value_type(field->value)));
    else if (weir_duration_parse(weir_buffer_str(&text), us, &error) && (!*us || *us > INT64_MAX))
        weir_fail(&error, WEIR_INVALID, "`%.*s` is no time that a task could take",
                  WEIR_ARG(weir_buffer_str(&text)));
    if (error.code)
        weir_error_hint(weir__pipeline_problem(p, field, error.code, "%s: %s", name, error.message),
                        "%s", error.hint);
    weir_buffer_deinit(&text);
}

/* How old a result may be stands for an object that says it. */
static void read_cache(weir__pipeline *p, weir__component *c, const weir__entry *cache) {
    uint64_t us;
    if (!cache) return;
    bool number = weir_is(cache->value, WEIR_INT) || weir_is(cache->value, WEIR_FLOAT);
    weir__particulars *more = particulars_of(p, c);
    more->cache = keep(p, cache);
    if (!number && !weir_is(cache->value, WEIR_STRING)) return;
    weir_buffer age = {0};
    weir_error error;
    weir_json_plain(cache->value, &age);
    if (weir_duration_parse(weir_buffer_str(&age), &us, &error)) {
        more->max_age = weir_object_new();
        weir_member_put_text(more->max_age, "maxAge", weir_buffer_str(&age));
    } else {
        more->cache = NULL;
        weir_error_hint(weir__pipeline_problem(p, cache, error.code, "cache: %s", error.message),
                        "true, or how old a result may be: 30s, 7d");
    }
    weir_buffer_deinit(&age);
}

static void read_estimate(weir__pipeline *p, weir__component *c, const weir__entry *estimate) {
    if (!estimate) return;
    size_t before = p->problems->total;
    weir__entries members = read_entries(p, estimate, "estimate", false);
    if (!members.count && p->problems->total == before)
        weir_error_hint(
            weir__pipeline_problem(p, estimate, WEIR_INVALID, "estimate: it says nothing"),
            "as in {seconds: 2.5, memory: 512M}");
    weir_error error;
    for (size_t i = 0; i < members.count; i++) {
        const weir__entry *member = &members.items[i];
        if (weir_estimate_read_member(member->key, member->value, &particulars_of(p, c)->estimate,
                                      &error))
            continue;
        weir_error_hint(weir__pipeline_problem(p, member, error.code, "estimate.%.*s: %s",
                                               WEIR_ARG(member->key), error.message),
                        "%s", error.hint);
    }
    const weir_estimate *known = &c->more->estimate;
    if (known->wall_high_us && known->wall_high_us < known->wall_us)
        weir__pipeline_problem(p, estimate, WEIR_INVALID,
                               "estimate: `high` is less than `seconds`");
}

static void read_resources(weir__pipeline *p, weir__component *c, const weir__entry *resources) {
    if (!resources) return;
    weir__entries members = read_entries(p, resources, "resources", false);
    weir_error error;
    for (size_t i = 0; i < members.count; i++) {
        const weir__entry *member = &members.items[i];
        if (weir_resources_read_member(member->key, member->value, &particulars_of(p, c)->resources,
                                       &error))
            continue;
        weir_error_hint(weir__pipeline_problem(p, member, error.code, "resources.%.*s: %s",
                                               WEIR_ARG(member->key), error.message),
                        "%s", error.hint);
    }
}

static void read_retries(weir__pipeline *p, weir__component *c, const weir__entry *retries) {
    weir__particulars *more = particulars_of(p, c);
    if (weir_is(retries->value, WEIR_OBJECT)) {
        more->retries = keep(p, retries);
        return;
    }
    more->attempts = weir_is(retries->value, WEIR_INT) ? weir_int_get(retries->value) : -1;
    if (more->attempts < 0 || more->attempts >= WEIR_ATTEMPTS_MAX)
        weir__pipeline_problem(p, retries, WEIR_INVALID,
                               "retries must be a number from 0 to %d, or {limit, backoff}",
                               WEIR_ATTEMPTS_MAX - 1);
    else
        more->attempts++;
}

static void read_limits(weir__pipeline *p, weir__component *c, const weir__entries *fields) {
    const weir__entry *retries = find(fields, "retries"), *timeout = find(fields, "timeout"),
                      *freeze = find(fields, "freeze_after");
    if (retries) read_retries(p, c, retries);
    if (timeout) read_duration(p, timeout, "timeout", &particulars_of(p, c)->timeout_us);
    if (freeze) read_duration(p, freeze, "freeze_after", &particulars_of(p, c)->freeze_us);
    if (c->more->freeze_us && c->operation && weir_operation_has_code(c->operation))
        weir_error_hint(
            weir__pipeline_problem(p, freeze, WEIR_OK,
                                   "freeze_after: operation `%s` runs in weir itself, and nothing "
                                   "tells whether it still does anything",
                                   c->operation->name),
            "its `timeout` ends it");
    read_cache(p, c, find(fields, "cache"));
    read_estimate(p, c, find(fields, "estimate"));
    read_resources(p, c, find(fields, "resources"));
}

static void read_component(weir__pipeline *p, const weir__entry *entry, weir__component *c) {
    static const char *const known[] = {"inputs",   "outputs",   "runner", "run",   "config",
                                        "retries",  "timeout",   "cache",  "image", "freeze_after",
                                        "estimate", "resources", NULL};
    *c = (weir__component){.name = entry->key,
                           .entry = entry,
                           .config = weir_value_ref(p->empty),
                           .more = &p->nothing};
    size_t before = p->problems->total;
    weir__entries fields = read_entries_for(p, entry, "component", false, true);
    bool read = fields.count || p->problems->total == before; /* else it is said what is wrong */
    if (read) check_fields(p, &fields, c->entry, "component", known, 2);
    if (!c->name.length || weir_str_is(c->name, "weir.outputs"))
        weir__pipeline_problem(p, c->entry, WEIR_INVALID, "a component cannot be named `%.*s`",
                               WEIR_ARG(c->name));
    if (read) read_runner(p, c, &fields);
    read_limits(p, c, &fields);
    c->inputs = read_names(p, &fields, WEIR__INPUTS, true);
    c->outputs = read_names(p, &fields, WEIR__OUTPUTS, false);
    const weir__entry *config = find(&fields, "config");
    if (!config) return;
    particulars_of(p, c)->config_entry = config = keep(p, config);
    weir__entries members = read_entries(p, config, "config", false);
    c->config = weir_value_own(c->config);
    for (size_t i = 0; i < members.count; i++)
        weir_member_set(c->config, members.items[i].key, weir_value_ref(members.items[i].value));
}

weir_str weir_pipeline_name(const weir_value *root) {
    const weir_value *body = weir_member_named(root, "pipeline");
    weir_str name = weir_member_text(body, "name");
    for (size_t i = 0; weir_is(body, WEIR_ARRAY) && !name.length && i < weir_value_count(body); i++)
        name = weir_member_text(weir_array_at(body, i), "name");
    return name;
}

/* Finds the root that is meant. */
static bool choose(weir__pipeline *p) {
    const weir_values *roots = &p->document->roots;
    weir_str wanted = weir_member_text(p->request, "pipeline");
    weir_buffer names = {0};
    size_t found = 0, matching = 0;
    for (size_t i = 0; i < roots->count; i++) {
        if (!weir_member_named(roots->items[i], "pipeline")) continue;
        weir_str name = weir_pipeline_name(roots->items[i]);
        weir_buffer_printf(&names, "%s%.*s", found++ ? ", " : "", WEIR_ARG(name));
        if (wanted.length && !weir_str_equal(name, wanted)) continue;
        if (!matching++) p->root = i;
    }
    if (!found)
        weir__pipeline_problem(p, NULL, WEIR_INVALID, "there is no `pipeline`");
    else if (!matching)
        weir__pipeline_problem(p, NULL, WEIR_NOT_FOUND,
                               "there is no pipeline `%.*s`; there are: %s", WEIR_ARG(wanted),
                               names.data);
    else if (matching > 1)
        weir_error_hint(weir__pipeline_problem(p, NULL, WEIR_USAGE,
                                               "which pipeline is meant? there are: %s",
                                               names.data),
                        "choose one with --pipeline NAME; each needs a name of its own");
    weir_buffer_deinit(&names);
    return matching == 1;
}

static bool is_list_of_mappings(const weir_value *value) {
    size_t count = weir_is(value, WEIR_ARRAY) ? weir_value_count(value) : 0;
    bool all = count > 0;
    for (size_t i = 0; i < count; i++) all &= weir_is(weir_array_at(value, i), WEIR_OBJECT);
    return all;
}

weir_value *weir_pipeline_schedule(const weir_value *schedule) {
    weir_value *spec = weir_object_new();
    bool object = weir_is(schedule, WEIR_OBJECT), list = is_list_of_mappings(schedule);
    for (size_t i = 0; list && i < weir_value_count(schedule); i++) {
        const weir_value *item = weir_array_at(schedule, i);
        for (size_t j = 0; j < weir_value_count(item); j++)
            weir_member_set(spec, weir_object_key(item, j),
                            weir_value_ref(weir_object_at(item, j)));
    }
    for (size_t i = 0; object && i < weir_value_count(schedule); i++)
        weir_member_set(spec, weir_object_key(schedule, i),
                        weir_value_ref(weir_object_at(schedule, i)));
    if (!object && !list && schedule)
        weir_member_put(spec, weir_is(schedule, WEIR_ARRAY) ? "schedules" : "schedule",
                        weir_value_ref((weir_value *)schedule));
    return spec;
}

/* It says nothing of a run; whether its time zone is there is seen when it is kept. */
static void read_schedule(weir__pipeline *p, const weir__entry *entry) {
    static const char *const known[] = {"schedule",
                                        "schedules",
                                        "cron",
                                        "timezone",
                                        "concurrencyPolicy",
                                        "startingDeadlineSeconds",
                                        "successfulJobsHistoryLimit",
                                        "failedJobsHistoryLimit",
                                        "suspend",
                                        "when",
                                        "stopStrategy",
                                        NULL};
    if (!entry) return;
    weir_schedule schedule;
    weir_error error;
    const char *member = "";
    weir_value *spec = weir_pipeline_schedule(entry->value);
    weir__entries fields = {0};
    if (weir_is(entry->value, WEIR_OBJECT) || is_list_of_mappings(entry->value))
        fields = read_entries(p, entry, "schedule", false);
    check_fields(p, &fields, entry, "schedule", known, 0);
    if (weir_schedule_read(spec, NULL, &schedule, &member, &error)) {
        weir_schedule_deinit(&schedule);
    } else {
        const weir__entry *at = find(&fields, member);
        weir_error *told =
            weir__pipeline_problem(p, at ? at : entry, error.code, "%s", error.message);
        weir_error_hint(told, "%s", error.hint);
    }
    weir_value_unref(spec);
}

bool weir__pipeline_read(weir__pipeline *p) {
    static const char *const known_roots[] = {"pipeline", NULL};
    static const char *const known[] = {"name",       "inputs",   "outputs",
                                        "components", "schedule", NULL};
    if (!choose(p)) return false;
    const weir_value *root = p->document->roots.items[p->root];
    weir__entries top = {weir_arena_alloc(&p->arena, weir_value_count(root) * sizeof *top.items),
                         0};
    for (size_t i = 0; i < weir_value_count(root); i++) add_member(p, &top, NULL, root, i, NULL, 0);
    check_fields(p, &top, NULL, "file", known_roots, 1);
    const weir__entry *body = p->body = find(&top, "pipeline");
    p->empty = weir_object_new();
    const weir_value *style = weir_member_named(p->request, "list_style");
    p->list_style = style && weir_value_truth(style);
    size_t before = p->problems->total;
    weir__entries fields = read_entries(p, body, "pipeline", false);
    if (!fields.count && p->problems->total > before) return false;
    check_fields(p, &fields, body, "pipeline", known, 4);
    const weir__entry *name = find(&fields, "name"), *list = find(&fields, "components"),
                      *inputs = find(&fields, "inputs");
    p->inputs_entry = inputs ? inputs : body;
    if (name && (!weir_is(name->value, WEIR_STRING) || !weir_value_truth(name->value)))
        weir__pipeline_problem(p, name, WEIR_INVALID, "name must be a text");
    else if (name)
        p->name = weir_string_get(name->value);
    read_schedule(p, find(&fields, "schedule"));
    p->inputs = read_names(p, &fields, WEIR__INPUTS, false);
    p->outputs = read_names(p, &fields, WEIR__OUTPUTS, true);
    if (!list) return true;
    before = p->problems->total;
    weir__entries entries = read_entries(p, list, "components", false);
    p->components = weir_arena_alloc(&p->arena, (entries.count + 1) * sizeof *p->components);
    for (; p->count < entries.count; p->count++)
        read_component(p, &entries.items[p->count], &p->components[p->count]);
    if (!entries.count && p->problems->total == before)
        weir__pipeline_problem(p, list, WEIR_INVALID, "components: there must be one");
    return true;
}
