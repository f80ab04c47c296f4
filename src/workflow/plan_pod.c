/* Pods of several containers: container sets, init containers, sidecars. Their configs are as executor/pod.h says. */
#include "base/time.h"
#include "workflow/template.h"

enum { CONTAINERS_MAX = 127, NAME_BYTES_MAX = 63, RETRIES_MAX = 10000 };

/* What is being compiled. */
typedef struct pod {
    weir__compiler *c;
    const weir__site *site;
    weir__template *template;
    weir_value *containers;
    weir_map names;
} pod;

static bool is_reserved(weir_str name) {
    return weir_str_is(name, "main") || weir_str_is(name, "wait") || weir_str_is(name, "init");
}

/* Its name, which becomes part of a log's. `what` is how Argo calls the list. */
static weir_str compile_name(pod *p, const weir_value *source, size_t index, const char *what) {
    weir_str name = weir__name_field(p->c, source, &p->names, index, what);
    size_t mark = weir__enter(p->c, "name");
    if (name.length > NAME_BYTES_MAX)
        weir__problem(p->c, WEIR_INVALID, "%s.name '%.*s' is longer than %d characters", what,
                      WEIR_ARG(name), NAME_BYTES_MAX);
    weir__leave(p->c, mark);
    return name;
}

static weir_value *compile_other(pod *p, const weir_value *source, weir_str name,
                                 const char *role) {
    weir_value *config = weir__compile_container(p->c, p->site, source, false);
    weir_member_put_text(config, "name", name);
    weir_member_put_text(config, "role", weir_str_from(role));
    weir_array_append(p->containers, config);
    return config;
}

/* `initContainers` or `sidecars`. */
static void compile_list(pod *p, const weir_value *source, const char *field, const char *role) {
    weir_buffer what = {0};
    const weir_value *list = weir__field(p->c, source, field, WEIR_ARRAY);
    weir_buffer_printf(&what, "templates.%.*s.%s", WEIR_ARG(p->template->name), field);
    for (size_t i = 0; list && i < weir_value_count(list); i++) {
        size_t mark = weir__enter(p->c, "%s/%zu", field, i);
        const weir_value *body = weir_array_at(list, i);
        weir_str name = compile_name(p, body, i, what.data);
        if (is_reserved(name))
            weir__problem(p->c, WEIR_INVALID,
                          "%s[%zu].name '%.*s' is that of a container of Argo's", what.data, i,
                          WEIR_ARG(name));
        weir_value *config = compile_other(p, body, name, role);
        if (weir__bool_field(p->c, body, "mirrorVolumeMounts", false))
            weir_member_put(config, "mirror", weir_bool_new(true));
        weir__leave(p->c, mark);
    }
    weir_buffer_deinit(&what);
}

/* --- container sets ------------------------------------------------------------------------------------ */

static void compile_set_retry(pod *p, const weir_value *set, weir_value *config) {
    const weir_value *retry = weir__field(p->c, set, "retryStrategy", WEIR_OBJECT);
    weir_str text;
    weir_error error;
    uint64_t us = 0, retries = 0;
    if (!retry) return;
    size_t mark = weir__enter(p->c, "retryStrategy");
    if (!weir__text_field(p->c, retry, "retries", &text)) text = WEIR_STR("");
    for (size_t i = 0; i < text.length && retries <= RETRIES_MAX; i++)
        retries = text.data[i] >= '0' && text.data[i] <= '9'
                      ? retries * 10 + (uint64_t)(text.data[i] - '0')
                      : RETRIES_MAX + 1;
    if (!text.length || retries > RETRIES_MAX)
        weir__problem(p->c, WEIR_INVALID,
                      "templates.%.*s.containerSet.retryStrategy.retries must be a number up to %d",
                      WEIR_ARG(p->template->name), RETRIES_MAX);
    if (weir__text_field(p->c, retry, "duration", &text) && text.length &&
        !weir_duration_parse(text, &us, &error))
        weir__problem(p->c, WEIR_INVALID, "%s", error.message);
    weir__leave(p->c, mark);
    weir_member_put(config, "retries", weir_int_new((int64_t)retries));
    weir_member_put(config, "retry_wait_us", weir_int_new((int64_t)us));
}

/* The names that are known by now are all of the set. */
static weir_value *compile_depends(pod *p, const weir_value *source, weir__member *member) {
    const weir_value *list = weir__field(p->c, source, "dependencies", WEIR_ARRAY);
    size_t count = list ? weir_value_count(list) : 0;
    weir_value *depends = weir_array_new();
    member->dependencies.items =
        weir_arena_alloc(&p->c->workflow->arena, (count + 1) * sizeof(uint32_t));
    for (size_t i = 0; i < count; i++) {
        size_t mark = weir__enter(p->c, "dependencies/%zu", i);
        weir_str name = WEIR_STR("");
        uint64_t at = 0;
        bool known = weir__any_text(p->c, weir_array_at(list, i), &name) &&
                     weir_map_get(&p->names, name, &at) && at < p->template->member_count;
        if (!known)
            weir__problem(
                p->c, WEIR_INVALID,
                "templates.%.*s.containerSet.containers.%.*s dependency '%.*s' not defined",
                WEIR_ARG(p->template->name), WEIR_ARG(member->name), WEIR_ARG(name));
        bool twice = false;
        for (size_t k = 0; k < member->dependencies.count; k++)
            twice = twice || member->dependencies.items[k] == at;
        if (known && !twice) {
            member->dependencies.items[member->dependencies.count++] = (uint32_t)at;
            weir_array_append(depends, weir_string_from(name));
        }
        weir__leave(p->c, mark);
    }
    return depends;
}

/* Takes away, again and again, those that wait for nobody; what is left waits for itself. */
static void check_cycles(pod *p) {
    weir__template *t = p->template;
    bool *done = weir_alloc((t->member_count + 1) * sizeof *done);
    size_t left = t->member_count;
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < t->member_count; i++) {
            bool waits = done[i];
            for (size_t k = 0; k < t->members[i].dependencies.count; k++)
                waits = waits || !done[t->members[i].dependencies.items[k]];
            if (waits) continue;
            done[i] = more = true;
            left--;
        }
    }
    for (size_t i = 0; left && i < t->member_count; i++) {
        if (done[i]) continue;
        weir__problem(p->c, WEIR_INVALID,
                      "templates.%.*s.containerSet.containers dependency cycle detected: `%.*s` "
                      "waits for itself",
                      WEIR_ARG(t->name), WEIR_ARG(t->members[i].name));
        left = 0;
    }
    weir_free(done);
}

static void link_dependents(pod *p) {
    weir__template *t = p->template;
    weir_arena *arena = &p->c->workflow->arena;
    for (size_t i = 0; i < t->member_count; i++) {
        weir__indexes *out = &t->members[i].dependents;
        out->items = weir_arena_alloc(arena, (t->member_count + 1) * sizeof(uint32_t));
        for (uint32_t k = 0; k < t->member_count; k++)
            for (size_t d = 0; d < t->members[k].dependencies.count; d++)
                if (t->members[k].dependencies.items[d] == i) out->items[out->count++] = k;
    }
}

/* One of the set. The config of `main` is the attempt's own, and here is its place. */
static void compile_member(pod *p, const weir_value *set, const weir_value *body, size_t at) {
    weir__member *member = &p->template->members[at];
    weir_value *depends = compile_depends(p, body, member), *place;
    if (weir_str_is(member->name, "main")) {
        p->template->config = weir__compile_container(p->c, p->site, body, false);
        place = weir_object_new();
        weir_member_put_text(place, "name", member->name);
        weir_member_put(place, "main", weir_bool_new(true));
        weir_array_append(p->containers, place);
    } else {
        place = compile_other(p, body, member->name, "set");
    }
    compile_set_retry(p, set, place);
    if (weir_value_count(depends))
        weir_member_put(place, "depends", depends);
    else
        weir_value_unref(depends);
}

static void compile_set(pod *p, const weir_value *set) {
    weir__template *t = p->template;
    weir_buffer what = {0};
    const weir_value *list = weir__field(p->c, set, "containers", WEIR_ARRAY);
    size_t count = list ? weir_value_count(list) : 0;
    weir_buffer_printf(&what, "templates.%.*s.containerSet.containers", WEIR_ARG(t->name));
    if (!count)
        weir__problem(p->c, WEIR_INVALID,
                      "templates.%.*s.containerSet.containers must have at least one container",
                      WEIR_ARG(t->name));
    t->members = weir_arena_alloc(&p->c->workflow->arena, (count + 1) * sizeof *t->members);
    t->member_count = count;
    for (size_t i = 0; i < count; i++) {
        size_t mark = weir__enter(p->c, "containers/%zu", i);
        t->members[i].name = compile_name(p, weir_array_at(list, i), i, what.data);
        weir__leave(p->c, mark);
    }
    for (size_t i = 0; i < count; i++) {
        size_t mark = weir__enter(p->c, "containers/%zu", i);
        compile_member(p, set, weir_array_at(list, i), i);
        weir__leave(p->c, mark);
    }
    weir_buffer_deinit(&what);
    check_cycles(p);
    link_dependents(p);
}

static void need_main(pod *p, const weir_value *source) {
    const weir_value *in = weir_member_named(weir_member_named(source, "inputs"), "artifacts");
    const weir_value *out = weir_member_named(weir_member_named(source, "outputs"), "artifacts");
    bool wants = p->template->outputs.count || (weir_is(in, WEIR_ARRAY) && weir_value_count(in)) ||
                 (weir_is(out, WEIR_ARRAY) && weir_value_count(out));
    if (wants && !weir_map_get(&p->names, WEIR_STR("main"), NULL))
        weir__problem(p->c, WEIR_INVALID,
                      "templates.%.*s.containerSet.containers must have a container named \"main\" "
                      "for input or output",
                      WEIR_ARG(p->template->name));
}

void weir__compile_set(weir__compiler *c, const weir__site *site, weir__template *t,
                       const weir_value *source) {
    pod p = {.c = c, .site = site, .template = t, .containers = weir_array_new()};
    const weir_value *set = weir_member_named(source, "containerSet");
    c->set_mounts = weir__field(c, set, "volumeMounts", WEIR_ARRAY);
    compile_set(&p, set);
    c->set_mounts = NULL;
    need_main(&p, source);
    if (!t->config) {
        t->config = weir_object_new();
        weir_member_put(t->config, "sandbox", weir_object_new());
    }
    weir_member_put(t->config, "containers", p.containers);
    weir_map_deinit(&p.names);
}

void weir__compile_beside(weir__compiler *c, const weir__site *site, weir__template *t,
                          const weir_value *source) {
    weir_value *of_set = weir_member_named(t->config, "containers");
    pod p = {.c = c, .site = site, .template = t};
    p.containers = of_set ? of_set : weir_array_new();
    for (uint32_t i = 0; i < t->member_count; i++) weir_map_set(&p.names, t->members[i].name, i);
    compile_list(&p, source, "initContainers", "init");
    compile_list(&p, source, "sidecars", "sidecar");
    if (weir_value_count(p.containers) > CONTAINERS_MAX)
        weir__problem(c, WEIR_LIMIT, "templates.%.*s has more than %d containers",
                      WEIR_ARG(t->name), CONTAINERS_MAX);
    if (!of_set && weir_value_count(p.containers))
        weir_member_put(t->config, "containers", p.containers);
    else if (!of_set)
        weir_value_unref(p.containers);
    weir_map_deinit(&p.names);
}
