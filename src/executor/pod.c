#include <signal.h>
#include <string.h>

#include "executor/images.h"
#include "executor/pod_internal.h"

enum { NOT_BEGUN = 64 }; /* the exit code that Argo gives to what it could not begin */

/* --- reading ---------------------------------------------------------------------------------------- */

bool weir_pod_wanted(const weir_value *config) {
    return weir_is(weir_member_named(config, "containers"), WEIR_ARRAY);
}

static bool has_main(const weir_value *config) {
    return weir_member_named(config, "command") || weir_member_named(config, "arguments");
}

static bool is_main(const weir_value *item) {
    const weir_value *value = weir_member_named(item, "main");
    return weir_is(value, WEIR_BOOL) && weir_bool_get(value);
}

static weir__container *find(const weir_pod *pod, weir_str name) {
    for (size_t i = 0; i < pod->count; i++)
        if (weir_str_equal(pod->items[i].name, name)) return &pod->items[i];
    return NULL;
}

/* A name becomes part of a log's. */
static bool good_name(weir_str name) {
    for (size_t i = 0; i < name.length; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_",
                    name.data[i]))
            return false;
    return name.length && name.length <= WEIR_CONTAINER_NAME_BYTES_MAX;
}

static weir__pod_role role_of(const weir_value *config) {
    weir_str text = weir_member_text(config, "role");
    return weir_str_is(text, "init")      ? WEIR__ROLE_INIT
           : weir_str_is(text, "sidecar") ? WEIR__ROLE_SIDECAR
                                          : WEIR__ROLE_SET;
}

/* `config` NULL: of main, of which nothing is said there. */
static bool read_container(weir_pod *pod, weir_value *config, bool is_main, weir_error *error) {
    weir__container *c = &pod->items[pod->count];
    weir_str name = is_main ? WEIR_STR("main") : weir_member_text(config, "name");
    if (!good_name(name) || find(pod, name))
        return weir_fail(error, WEIR_INVALID, "`%.*s` is no name of a container, or of two",
                         WEIR_ARG(name));
    *c = (weir__container){.pod = pod, .name = name, .is_main = is_main, .role = role_of(config)};
    const weir_value *depends = weir_member_named(config, "depends");
    if (weir_is(depends, WEIR_ARRAY)) c->depends = depends;
    c->retries = weir_member_count(config, "retries");
    c->retry_wait_us = weir_member_count(config, "retry_wait_us");
    if (c->retries > WEIR_POD_RETRIES_MAX) c->retries = WEIR_POD_RETRIES_MAX;
    weir_arena_init(&c->arena);
    pod->count++;
    if (is_main) return true;
    weir_value *own = weir_value_own(weir_value_ref(config));
    if (!weir_command_sandbox(own)) weir_member_put(own, "sandbox", weir_object_new());
    c->attempt = weir_attempt_hold(pod->attempt);
    weir_value_unref(c->attempt.config);
    c->attempt.config = own;
    return true;
}

/* In the order in which they are looked at: init containers, sidecars, the set; and those of each in theirs. */
static bool read_all(weir_pod *pod, weir_error *error) {
    weir_value *config = pod->attempt->config;
    const weir_value *list = weir_member_named(config, "containers");
    size_t count = weir_value_count(list);
    static const weir__pod_role order[] = {WEIR__ROLE_INIT, WEIR__ROLE_SIDECAR, WEIR__ROLE_SET};
    if (count >= WEIR_POD_CONTAINERS_MAX)
        return weir_fail(error, WEIR_LIMIT, "an attempt has at most %d containers",
                         WEIR_POD_CONTAINERS_MAX);
    pod->items = weir_alloc((count + 1) * sizeof *pod->items);
    for (int r = 0; r < 3; r++) {
        for (size_t i = 0; i < count; i++) {
            weir_value *item = weir_array_at(list, i);
            if (role_of(item) == order[r] && !read_container(pod, item, is_main(item), error))
                return false;
        }
    }
    return !has_main(config) || find(pod, WEIR_STR("main")) ||
           read_container(pod, NULL, true, error);
}

bool weir_pod_open(const weir_attempt *attempt, const weir_pod_host *host, weir_pod **out,
                   weir_error *error) {
    weir_pod *pod = weir_alloc(sizeof *pod);
    pod->attempt = attempt;
    pod->host = *host;
    pod->begun_us = weir_clock_steady_us();
    if (!read_all(pod, error)) {
        weir_pod_free(pod);
        return false;
    }
    *out = pod;
    return true;
}

/* --- how each goes ------------------------------------------------------------------------------------ */

static void go_on(weir_pod *pod);

static void finish(weir__container *c, int exit_code) {
    c->state = WEIR__OVER;
    c->exit_code = exit_code;
    c->finished_us = weir_clock_us();
    if (c->timer) weir_timer_cancel(c->timer);
}

static void finish_unbegun(weir__container *c, const weir_error *error) {
    char text[1024];
    weir_buffer_clear(&c->why);
    weir_buffer_text(&c->why, weir_error_format(error, text, sizeof text));
    c->unbegun = true;
    c->code = error->code;
    finish(c, NOT_BEGUN);
}

static void take_end(weir__container *c, const weir_process_end *end) {
    c->signal = end->signal;
    c->out_of_memory = end->out_of_memory;
    c->cpu_us += end->cpu_us;
    if (end->memory_peak_bytes > c->memory_peak_bytes)
        c->memory_peak_bytes = end->memory_peak_bytes;
}

static bool start(weir__container *c, weir_error *error);

static void ring(void *arg) {
    weir__container *c = arg;
    weir_error error;
    if (c->state == WEIR__RUNS) {
        if (c->is_main)
            c->pod->host.signal_main(c->pod->host.arg, SIGKILL);
        else if (c->process)
            weir_process_signal(c->process, SIGKILL);
    } else if (c->state == WEIR__RESTS) {
        if (!start(c, &error)) finish_unbegun(c, &error);
        go_on(c->pod);
    }
}

static void set_timer(weir__container *c, uint64_t us) {
    if (!c->timer) c->timer = weir_timer_open(c->pod->host.loop, ring, c);
    weir_timer_start(c->timer, us);
}

/* Whether it is tried again. */
static bool rest(weir__container *c, int exit_code) {
    if (!exit_code || !c->retries || c->asked || c->pod->stopped) return false;
    c->retries--;
    c->state = WEIR__RESTS;
    set_timer(c, c->retry_wait_us);
    return true;
}

static void release(weir__container *c) {
    if (c->sandbox) weir_sandbox_release(c->sandbox);
    c->sandbox = NULL;
    c->process = NULL;
}

static int exit_code_of(const weir_process_end *end) {
    return end->signal ? 128 + end->signal : end->exit_code;
}

static void process_ended(void *arg, const weir_process_end *end) {
    weir__container *c = arg;
    weir_process_end how = *end;
    weir_error error;
    bool begun = weir_sandbox_end(c->sandbox, &how, &error);
    release(c);
    if (begun) take_end(c, &how);
    if (!begun)
        finish_unbegun(c, &error);
    else if (!rest(c, exit_code_of(&how)))
        finish(c, exit_code_of(&how));
    go_on(c->pod);
}

static void take_output(void *arg, bool error_stream, weir_str bytes) {
    weir__container *c = arg;
    weir_log_write(c->log, error_stream, bytes);
}

static void take_metrics(void *arg, weir_str bytes) {
    weir__container *c = arg;
    c->pod->host.metrics(c->pod->host.arg, c->log, &c->metrics, bytes);
}

/* --- starting ------------------------------------------------------------------------------------------ */

/* As it is in its image, or with what the configuration has for that. */
static bool complete_config(weir__container *c, weir_error *error) {
    const weir_pod_host *host = &c->pod->host;
    c->image = host->image(host->arg, c->attempt.config);
    weir_value *made = c->image ? weir_in_image_config(c->image, c->attempt.config, error)
                                : weir_images_apply(host->images, c->attempt.config);
    if (c->image && !made) return false;
    weir_value_unref(c->attempt.config);
    c->attempt.config = made;
    return true;
}

/* Main's mounts, but those at a place that is taken. */
static void mirror_mounts(weir__container *c, weir_sandbox_spec *spec,
                          const weir_sandbox_spec *main) {
    weir_mount *mounts =
        weir_arena_alloc(&c->arena, (spec->mount_count + main->mount_count + 1) * sizeof *mounts);
    size_t own = spec->mount_count;
    if (own) memcpy(mounts, spec->mounts, own * sizeof *mounts);
    for (size_t i = 0; i < main->mount_count; i++) {
        bool taken = false;
        for (size_t k = 0; k < own; k++)
            taken = taken || weir_str_equal(mounts[k].at, main->mounts[i].at);
        if (taken) continue;
        mounts[spec->mount_count] = main->mounts[i];
        mounts[spec->mount_count++].unasked = true; /* it does not have to want them */
    }
    spec->mounts = mounts;
}

static void add_script(weir__container *c, const weir_command *command, weir_sandbox_spec *spec) {
    weir_mount *mounts = weir_arena_alloc(&c->arena, (spec->mount_count + 1) * sizeof *mounts);
    if (spec->mount_count) memcpy(mounts, spec->mounts, spec->mount_count * sizeof *mounts);
    mounts[spec->mount_count++] = weir_command_script_mount(command);
    spec->mounts = mounts;
}

static bool read_spec(weir__container *c, const weir_command *command, weir_sandbox_spec *spec,
                      weir_error *error) {
    const weir_pod_host *host = &c->pod->host;
    const weir_value *mirror = weir_member_named(c->attempt.config, "mirror");
    weir_sandbox_spec main = {0};
    if (!weir_sandbox_spec_read(weir_command_sandbox(c->attempt.config), host->secrets,
                                &host->folders, &c->arena, spec, error))
        return false;
    if (weir_is(mirror, WEIR_BOOL) && weir_bool_get(mirror)) {
        if (!weir_sandbox_spec_read(weir_command_sandbox(c->pod->attempt->config), host->secrets,
                                    &host->folders, &c->arena, &main, error))
            return false;
        mirror_mounts(c, spec, &main);
    }
    if (c->image) weir_in_image_spec(c->image, c->attempt.config, &c->arena, spec);
    if (command->script.data) add_script(c, command, spec);
    spec->argv = command->argv;
    spec->environment = command->environment;
    spec->directory = command->directory;
    return true;
}

/* Its volumes are made once: they stay as a try left them. */
static bool read_once(weir__container *c, weir_error *error) {
    const weir_pod_host *host = &c->pod->host;
    if (c->read) return true;
    c->read =
        complete_config(c, error) &&
        weir_command_read(&c->attempt, host->secrets, host->logs, &c->arena, &c->command, error) &&
        read_spec(c, &c->command, &c->spec, error);
    return c->read;
}

static bool start_process(weir__container *c, weir_error *error) {
    const weir_pod_host *host = &c->pod->host;
    if (!c->log) c->log = weir_log_open_container(host->logs, &c->attempt.id, c->name);
    if (!read_once(c, error)) return false;
    weir_process_options options = {.argv = c->command.argv,
                                    .environment = c->command.environment,
                                    .directory = c->command.directory,
                                    .input = c->command.input,
                                    .output = take_output,
                                    .metrics = take_metrics,
                                    .ended = process_ended,
                                    .arg = c};
    weir_buffer_clear(&c->metrics); /* a line that did not end is no beginning of another try's */
    return weir_sandbox_start(c->image ? host->image_sandboxes : host->sandboxes, host->loop,
                              &c->spec, &options, &c->sandbox, &c->process, error);
}

static bool start(weir__container *c, weir_error *error) {
    if (!c->started_us) c->started_us = weir_clock_us();
    if (c->is_main ? !c->pod->host.start_main(c->pod->host.arg, error) : !start_process(c, error))
        return false;
    c->state = WEIR__RUNS;
    return true;
}

/* --- what comes next -------------------------------------------------------------------------------------- */

/* Asks it to end, once; or ends it. */
static void ask(weir__container *c, bool kill) {
    int number = kill ? SIGKILL : SIGTERM;
    if (c->state == WEIR__RESTS) finish(c, 128 + number);
    if (c->state != WEIR__RUNS || (c->asked && !kill)) return;
    c->asked = true;
    if (c->is_main)
        c->pod->host.signal_main(c->pod->host.arg, number);
    else
        weir_process_signal(c->process,
                            c->image && !kill ? weir_in_image_stop_signal(c->image) : number);
    if (!kill) set_timer(c, c->pod->grace_us ? c->pod->grace_us : WEIR_GRACE_US);
}

static void ask_all(weir_pod *pod, bool kill) {
    for (size_t i = 0; i < pod->count; i++) ask(&pod->items[i], kill);
}

/* The first of those that it depends on which failed; *wait is set when one is not over. */
static const weir__container *broken_dependency(const weir__container *c, bool *wait) {
    const weir__container *broken = NULL;
    for (size_t i = 0; c->depends && i < weir_value_count(c->depends); i++) {
        const weir__container *on = find(c->pod, weir_string_get(weir_array_at(c->depends, i)));
        if (!on || on == c) continue;
        if (on->state != WEIR__OVER) *wait = true;
        if (!broken && weir__container_failed(on)) broken = on;
    }
    return broken;
}

/* Whether something came of one that waits: it began, or never will. */
static bool try_container(weir__container *c) {
    weir_error error;
    bool wait = false;
    if (c->state != WEIR__WAITS || c->pod->stopped) return false;
    const weir__container *broken = broken_dependency(c, &wait);
    if (broken) {
        weir_buffer_printf(&c->why, "dependency \"%.*s\" exited with non-zero code: %d",
                           WEIR_ARG(broken->name), broken->exit_code);
        c->started_us = weir_clock_us();
        finish(c, NOT_BEGUN);
        return true;
    }
    if (wait) return false;
    if (!start(c, &error)) finish_unbegun(c, &error);
    return true;
}

/* One after the other; whether all are well over. */
static bool go_on_with_inits(weir_pod *pod) {
    for (size_t i = 0; i < pod->count && pod->items[i].role == WEIR__ROLE_INIT; i++) {
        weir__container *c = &pod->items[i];
        try_container(c);
        if (weir__container_failed(c)) pod->stopped = true;
        if (c->state != WEIR__OVER || weir__container_failed(c)) return false;
    }
    return true;
}

/* What each is that is no init container. */
typedef struct look {
    bool broken;  /* one of the set failed, or something could not begin */
    bool running; /* all are there that are not well over, one of the set too */
    bool set_over;
} look;

static look look_at(const weir_pod *pod) {
    look l = {.set_over = true};
    bool all = true;
    for (size_t i = 0; i < pod->count; i++) {
        const weir__container *c = &pod->items[i];
        if (c->role == WEIR__ROLE_INIT) continue;
        all = all && (c->state == WEIR__RUNS || (c->state == WEIR__OVER && !c->exit_code));
        l.running = l.running || (c->state == WEIR__RUNS && c->role == WEIR__ROLE_SET);
        l.broken =
            l.broken || c->unbegun || (c->role == WEIR__ROLE_SET && weir__container_failed(c));
        if (c->role == WEIR__ROLE_SET && c->state != WEIR__OVER &&
            !(c->state == WEIR__WAITS && pod->stopped))
            l.set_over = false;
    }
    l.running = l.running && all;
    return l;
}

static void go_on_with_rest(weir_pod *pod) {
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < pod->count; i++) more = try_container(&pod->items[i]) || more;
    }
    look l = look_at(pod);
    if (l.running && !pod->told_running) {
        pod->told_running = true;
        pod->host.running(pod->host.arg);
    }
    if (l.broken && !pod->stopped) {
        pod->stopped = true;
        ask_all(pod, false);
        for (size_t i = 0; i < pod->count; i++) /* they were asked to end while they waited */
            if (pod->items[i].state == WEIR__WAITS) finish(&pod->items[i], 128 + SIGTERM);
    }
    if (!look_at(pod).set_over) return;
    for (size_t i = 0; i < pod->count; i++)
        if (pod->items[i].role == WEIR__ROLE_SIDECAR) ask(&pod->items[i], false);
}

static bool is_over(const weir_pod *pod) {
    for (size_t i = 0; i < pod->count; i++) {
        weir__pod_state s = pod->items[i].state;
        if (s != WEIR__OVER && !(s == WEIR__WAITS && pod->stopped)) return false;
    }
    return true;
}

static void go_on(weir_pod *pod) {
    if (go_on_with_inits(pod)) go_on_with_rest(pod);
    if (!is_over(pod) || pod->over) return;
    pod->over = true;
    pod->host.over(pod->host.arg);
}

void weir_pod_begin(weir_pod *pod) {
    go_on(pod);
}

bool weir_pod_main_ended(weir_pod *pod, const weir_process_end *end, const weir_error *error) {
    weir__container *c = find(pod, WEIR_STR("main"));
    if (end) take_end(c, end);
    if (!end)
        finish_unbegun(c, error);
    else if (rest(c, exit_code_of(end)))
        return true;
    else
        finish(c, exit_code_of(end));
    go_on(pod);
    return false;
}

static void notice_end(void *arg) {
    go_on(arg);
}

void weir_pod_stop(weir_pod *pod, bool kill, uint64_t grace_us) {
    pod->stopped = true;
    pod->grace_us = grace_us;
    ask_all(pod, kill);
    if (!is_over(pod) || pod->over || pod->posted) return;
    pod->posted = true; /* there is no process whose end would tell */
    weir_loop_post(pod->host.loop, notice_end, pod);
}

weir_log *weir_pod_log(const weir_pod *pod, weir_str container) {
    const weir__container *c = find(pod, container);
    return c ? c->log : NULL;
}

bool weir_pod_had_main(const weir_pod *pod) {
    const weir__container *c = find(pod, WEIR_STR("main"));
    return c && c->is_main && c->started_us && !c->unbegun;
}

void weir_pod_free(weir_pod *pod) {
    for (size_t i = 0; pod && i < pod->count; i++) {
        weir__container *c = &pod->items[i];
        release(c);
        if (c->timer) weir_timer_close(c->timer);
        weir_log_close(c->log);
        weir_buffer_deinit(&c->why);
        weir_buffer_deinit(&c->metrics);
        if (!c->is_main) weir_attempt_drop(&c->attempt);
        weir_arena_deinit(&c->arena);
    }
    if (pod) weir_free(pod->items);
    weir_free(pod);
}
