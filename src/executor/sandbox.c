#include "executor/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/open.h"
#include "executor/family.h"
#include "executor/sandbox_internal.h"
#include "io/users.h"

weir_sandboxes *weir_sandboxes_new(const weir_sandboxes_options *options) {
    weir_sandboxes *s = weir_alloc(sizeof *s);
    s->isolation = options->isolation;
    if (options->folder) s->folder = weir_str_dup(weir_str_from(options->folder));
    s->memory_bytes_max = options->memory_bytes_max;
    s->images = options->images;
    s->mount = options->mount;
    if (options->store) s->store = weir_str_dup(weir_str_from(options->store));
    s->warn = options->warn;
    s->arg = options->arg;
    s->requests = s->roots = s->plain_lock = -1;
    return s;
}

void weir_sandboxes_free(weir_sandboxes *s, weir_loop *loop) {
    weir_assert(!s->live);
    while (s->lingering) weir_loop_once(loop, true);
    weir__helper_stop(s);
    weir__plain_stop(s);
    weir__groups_leave(&s->groups);
    weir_queue_deinit(&s->free_slots);
    weir_vector_deinit(&s->slots);
    weir_map_deinit(&s->known_images);
    for (size_t i = 0; i < s->image_names.count; i++) weir_free(s->image_names.items[i]);
    weir_vector_deinit(&s->image_names);
    weir_free(s->folder);
    weir_free(s->store);
    weir_free(s->mount_why);
    weir_free(s);
}

static void warn(const weir_sandboxes *s, const char *text) {
    if (s->warn) s->warn(s->arg, text);
}

bool weir_sandboxes_isolate(weir_sandboxes *s) {
    if (s->isolation == WEIR_ISOLATION_NONE) return false;
    if (s->started) return s->helper != 0;
    s->started = true;
    if (weir__helper_start(s, &s->why)) {
        if (s->mount_why) warn(s, s->mount_why);
        return true;
    }
    if (s->images) return false;
    char text[1200], why[1024];
    snprintf(text, sizeof text, "attempts are not isolated from each other: %s",
             weir_error_format(&s->why, why, sizeof why));
    warn(s, text);
    return false;
}

static const char *const mounts[] = {WEIR__INIT_MOUNT_NAMES};

bool weir_image_mount_read(weir_str name, weir_image_mount *out) {
    for (size_t i = 0; i < sizeof mounts / sizeof *mounts; i++)
        if (weir_str_is(name, mounts[i])) {
            *out = (weir_image_mount)i;
            return true;
        }
    return false;
}

const char *weir_sandboxes_mount(const weir_sandboxes *s, const char **why) {
    static const char *const texts[] = {"", "as overlays", "through fuse-overlayfs", "as copies"};
    *why = s->mount_why;
    return texts[s->mount];
}

bool weir_sandboxes_images(weir_sandboxes *s, weir_error *error) {
    if (weir_sandboxes_isolate(s)) return true;
    if (s->isolation == WEIR_ISOLATION_NONE) {
        weir_fail(error, WEIR_UNSUPPORTED, "without isolation nothing can run in an image");
        weir_error_hint(error, "--executor process runs the command on this host");
        return false;
    }
    *error = s->why;
    error->code = WEIR_UNSUPPORTED;
    weir_error_context(error, "no image can be used here");
    return false;
}

static bool read_spec(const weir_sandbox_spec *spec, weir_error *error) {
    size_t content = 0;
    if (spec->layer_count > WEIR_SANDBOX_LAYERS_MAX)
        return weir_fail(error, WEIR_LIMIT, "image `%.*s` has %zu layers: at most %d can be used",
                         WEIR_ARG(spec->image), spec->layer_count, WEIR_SANDBOX_LAYERS_MAX);
    weir_assert(spec->group_count <= WEIR_SANDBOX_GROUPS_MAX);
    if (spec->mount_count > WEIR_SANDBOX_MOUNTS_MAX)
        return weir_fail(error, WEIR_LIMIT, "an attempt has at most %d mounts",
                         WEIR_SANDBOX_MOUNTS_MAX);
    for (size_t i = 0; i < spec->mount_count; i++) {
        const weir_mount *mount = &spec->mounts[i];
        bool host = mount->kind == WEIR_MOUNT_HOST;
        if (!weir_str_starts(mount->at, WEIR_STR("/")) || mount->at.length >= 4096 ||
            memchr(mount->at.data, '\0', mount->at.length))
            return weir_fail(error, WEIR_INVALID, "a mount's path must be absolute, not `%.*s`",
                             WEIR_ARG(mount->at));
        if (host && !weir_str_starts(mount->source, WEIR_STR("/")))
            return weir_fail(error, WEIR_INVALID, "what is mounted must be absolute, not `%.*s`",
                             WEIR_ARG(mount->source));
        content += host ? 0 : mount->source.length;
    }
    for (size_t i = 0; i < spec->output_count; i++)
        if (!weir_str_starts(spec->outputs[i], WEIR_STR("/")) || spec->outputs[i].length >= 4096)
            return weir_fail(error, WEIR_INVALID,
                             "the path of an output must be absolute, not `%.*s`",
                             WEIR_ARG(spec->outputs[i]));
    if (content > WEIR_SANDBOX_CONTENT_BYTES_MAX)
        return weir_fail(error, WEIR_LIMIT, "files given by their content have at most %d bytes",
                         WEIR_SANDBOX_CONTENT_BYTES_MAX);
    return true;
}

/* A limit beyond what the machine has is none. */
static void cap_limits(weir_sandboxes *s, weir_sandbox_spec *spec) {
    uint64_t processors = (uint64_t)sysconf(_SC_NPROCESSORS_ONLN),
             memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    bool more = spec->memory_bytes_max > memory || spec->memory_bytes_asked > memory ||
                spec->cpu_milli > 1000 * processors || spec->cpu_milli_asked > 1000 * processors;
    if (spec->memory_bytes_max > memory) spec->memory_bytes_max = 0;
    if (spec->cpu_milli > 1000 * processors) spec->cpu_milli = 0;
    if (!more || s->told_machine) return;
    char text[256];
    s->told_machine = true;
    snprintf(text, sizeof text,
             "a step asks for more than this machine has (%llu processors, %llu MiB): it gets what "
             "there is",
             (unsigned long long)processors, (unsigned long long)(memory >> 20));
    warn(s, text);
}

static bool check_identity(const weir_sandboxes *s, const weir_sandbox_spec *spec,
                           weir_error *error) {
    if (!spec->has_identity || !weir__sandboxes_have_users(s)) return true;
    const weir_users *given = weir_users_get();
    bool ok = spec->user < given->users && spec->group < given->groups;
    for (size_t i = 0; ok && i < spec->group_count; i++) ok = spec->groups[i] < given->groups;
    if (ok) return true;
    weir_fail(error, WEIR_INVALID,
              "user %u:%u of the image is beyond the %u users and %u groups that this user has for "
              "images",
              spec->user, spec->group, given->users, given->groups);
    weir_error_hint(error, "/etc/subuid and /etc/subgid say how many: subuid(5)");
    return false;
}

static void tell_one_user(const weir_sandboxes *s) {
    if (!s->images) {
        warn(s, "attempts run as this user: only root can start them as another");
        return;
    }
    const weir_error *why = &weir_users_get()->why;
    weir_buffer text = {0};
    weir_buffer_printf(&text,
                       "in images all attempts run as root of the image, which is this user here: "
                       "%s%s%s%s",
                       why->message, *why->hint ? " (" : "", why->hint, *why->hint ? ")" : "");
    warn(s, text.data);
    weir_buffer_deinit(&text);
}

/* What of the wishes cannot be had here is said once. */
static void tell_limits(weir_sandboxes *s, const weir_sandbox_spec *spec) {
    bool other =
        s->images ? spec->user || spec->group : spec->user != geteuid() || spec->group != getegid();
    if (spec->has_identity && (geteuid() != 0 || (s->images && weir_users_get()->why.code)) &&
        other && !weir__sandboxes_have_users(s) && !s->told_identity) {
        s->told_identity = true;
        tell_one_user(s);
    }
    if (spec->memory_bytes_max && !s->groups.memory && !s->told_memory) {
        s->told_memory = true;
        warn(s, "a limit of memory counts for each process of an attempt, not for all together: no "
                "control group (cgroups v2) was given to this user");
    }
    if (spec->cpu_milli && !s->groups.cpu && !s->told_cpu) {
        s->told_cpu = true;
        warn(s,
             "limits of processors are not kept: no control group (cgroups v2) was given to this "
             "user");
    }
}

static void append_text(weir_buffer *texts, const char *text) {
    weir_buffer_append(texts, text, strlen(text) + 1);
}

static void append_mount(weir_buffer *texts, const weir_mount *mount, bool file) {
    if (mount->kind == WEIR_MOUNT_CONTENT)
        weir_buffer_printf(texts, "%c%o:%zu", WEIR__INIT_CONTENT, mount->mode & 07777u,
                           mount->source.length);
    else
        weir_buffer_printf(texts, "%s%s%s%s", mount->read_only ? "r" : "", file ? "f" : "",
                           mount->provided ? "p" : "", mount->beneath.length ? "b" : "");
    weir_buffer_byte(texts, '\0');
    weir_buffer_str_append(texts, mount->at);
    weir_buffer_byte(texts, '\0');
    bool below = mount->kind == WEIR_MOUNT_HOST && mount->beneath.length;
    if (!below || !weir_str_is(mount->source, "/")) weir_buffer_str_append(texts, mount->source);
    if (below) weir_buffer_printf(texts, "//%.*s", WEIR_ARG(mount->beneath));
    weir_buffer_byte(texts, '\0');
}

static bool append_mounts(weir_buffer *texts, const weir_sandbox_spec *spec, weir_error *error) {
    for (size_t i = 0; i < spec->mount_count; i++) {
        const weir_mount *mount = &spec->mounts[i];
        struct stat info = {0};
        if (mount->kind == WEIR_MOUNT_HOST) {
            weir_buffer path = {0};
            weir_buffer_str_append(&path, mount->source);
            if (mount->beneath.length) weir_buffer_printf(&path, "/%.*s", WEIR_ARG(mount->beneath));
            bool there = stat(path.data, &info) == 0;
            weir_buffer_deinit(&path);
            if (!there)
                return weir_fail(error, errno == ENOENT ? WEIR_NOT_FOUND : WEIR_IO,
                                 "`%.*s`, to be mounted at `%.*s`, cannot be used: %s",
                                 WEIR_ARG(mount->source), WEIR_ARG(mount->at), strerror(errno));
        }
        append_mount(texts, mount, !S_ISDIR(info.st_mode));
    }
    return true;
}

static bool make_request(const weir_sandbox *sandbox, const weir_sandbox_spec *spec,
                         weir__init_request *head, weir_buffer *texts, weir_error *error) {
    *head = (weir__init_request){
        .kind = WEIR__INIT_RUN,
        .slot = sandbox->slot,
        .flags = (spec->output_count ? WEIR__INIT_WANTS_ROOT : 0) |
                 (spec->has_identity ? WEIR__INIT_HAS_IDENTITY : 0) |
                 (sandbox->visited ? WEIR__INIT_FOREGROUND : 0) |
                 (spec->own_tmp ? WEIR__INIT_OWN_TMP : 0) |
                 (spec->no_network ? WEIR__INIT_NO_NETWORK : 0),
        .user = spec->user,
        .group = spec->group,
        .layers = (uint32_t)spec->layer_count,
        .groups = (uint32_t)spec->group_count,
        .mounts = (uint32_t)spec->mount_count,
        .data_bytes_max = sandbox->sandboxes->groups.memory ? 0 : spec->memory_bytes_max,
        .file_bytes_max = spec->file_bytes_max,
    };
    append_text(texts, sandbox->kept ? sandbox->kept : "");
    append_text(texts, spec->directory ? spec->directory : "");
    for (; spec->argv[head->argc]; head->argc++) append_text(texts, spec->argv[head->argc]);
    for (; spec->environment[head->envc]; head->envc++)
        append_text(texts, spec->environment[head->envc]);
    for (; spec->asking && spec->asking[head->asks]; head->asks++)
        append_text(texts, spec->asking[head->asks]);
    for (size_t i = spec->layer_count; i > 0; i--) append_text(texts, spec->layers[i - 1]);
    for (size_t i = 0; i < spec->group_count; i++) {
        weir_buffer_printf(texts, "%u", spec->groups[i]);
        weir_buffer_byte(texts, '\0');
    }
    if (!append_mounts(texts, spec, error)) return false;
    if (texts->length > WEIR__INIT_REQUEST_MAX)
        return weir_fail(error, WEIR_LIMIT,
                         "command, environment and files given by their content have at most %d "
                         "bytes together",
                         WEIR__INIT_REQUEST_MAX);
    head->length = (uint32_t)texts->length;
    return true;
}

/* A request that waits for its streams. */
typedef struct asking {
    weir_sandbox *sandbox;
    int group; /* -1: none */
    weir__init_request head;
    weir_buffer texts;
} asking;

static bool ask(void *arg, const int streams[WEIR_PROCESS_STREAMS], pid_t *pid, weir_error *error) {
    asking *a = arg;
    weir_sandbox *sandbox = a->sandbox;
    weir_sandboxes *s = sandbox->sandboxes;
    weir__init_answer answer;
    int descriptors[WEIR__INIT_STREAMS + 1];
    size_t count = 0;
    for (int i = 0; i < WEIR__INIT_STREAMS; i++) {
        int fd = sandbox->visited && i <= STDERR_FILENO ? i : streams[i];
        if (fd < 0) continue;
        a->head.streams |= 1u << i;
        descriptors[count++] = fd;
    }
    if (a->group >= 0) descriptors[count++] = a->group;
    if (!weir__helper_send(s, &a->head, weir_buffer_str(&a->texts), descriptors, count) ||
        !weir__helper_answer(s, &answer))
        return weir_fail(error, WEIR_IO, "weir-init, which starts isolated attempts, has ended");
    sandbox->begun = true;
    if (answer.pid < 0) {
        weir__helper_error(s, sandbox->slot, sandbox->command, sandbox->image, error);
        return false;
    }
    *pid = answer.pid;
    return true;
}

/* Asked when the output has ended: it does so when the record says that all is over. */
static bool is_over(void *arg, weir_process_end *end) {
    const weir_sandbox *sandbox = arg;
    const weir__init_record *record = &sandbox->sandboxes->records[sandbox->slot];
    if (!__atomic_load_n(&record->over, __ATOMIC_ACQUIRE)) return false;
    end->exit_code = record->exit_code;
    end->signal = record->signal;
    end->cpu_us = record->cpu_us;
    end->memory_peak_bytes = record->memory_peak_bytes;
    return true;
}

static void free_sandbox(weir_sandbox *sandbox);

static void process_gone(void *arg) {
    weir_sandbox *sandbox = arg;
    sandbox->running = false;
    if (!sandbox->released) return;
    sandbox->sandboxes->lingering--;
    free_sandbox(sandbox);
}

static bool start_isolated(weir_sandbox *sandbox, weir_loop *loop, const weir_sandbox_spec *spec,
                           const weir_process_options *callbacks, weir_process **process,
                           weir_error *error) {
    weir__groups *groups = &sandbox->sandboxes->groups;
    asking a = {.sandbox = sandbox, .group = -1};
    weir_process_options options = *callbacks;
    options.spawn = ask;
    options.spawn_arg = &a;
    options.over = is_over;
    options.gone = process_gone;
    options.over_arg = sandbox;
    bool ok = make_request(sandbox, spec, &a.head, &a.texts, error);
    if (ok && groups->folder && (spec->memory_bytes_max || spec->cpu_milli)) {
        a.group = weir__group_make(groups, sandbox->slot, spec->memory_bytes_max, spec->cpu_milli);
        ok = a.group >= 0 ||
             weir_fail(error, WEIR_IO, "no control group for the limits: %s", strerror(errno));
        sandbox->grouped = ok;
        a.head.flags |= WEIR__INIT_HAS_GROUP;
    }
    ok = ok && weir_process_start(loop, &options, process, error);
    sandbox->running = ok;
    if (a.group >= 0) close(a.group);
    weir_buffer_deinit(&a.texts);
    return ok;
}

static bool take_slot(weir_sandbox *sandbox, weir_error *error) {
    weir_sandboxes *s = sandbox->sandboxes;
    uint64_t slot = s->slots.count;
    if (!weir_queue_take(&s->free_slots, &slot)) {
        if (slot == WEIR_SANDBOXES_MAX)
            return weir_fail(error, WEIR_LIMIT, "at most %d attempts are isolated at once",
                             WEIR_SANDBOXES_MAX);
        *weir_vector_push(&s->slots) = NULL;
    }
    sandbox->slot = (uint32_t)slot;
    s->slots.items[slot] = sandbox;
    return true;
}

static char *full_path(const char *path) {
    if (path[0] == '/') return weir_str_dup(weir_str_from(path));
    weir_buffer full = {0};
    char *folder = getcwd(NULL, 0);
    weir_buffer_printf(&full, "%s/%s", folder ? folder : "", path);
    free(folder);
    return full.data;
}

static bool keep_root(weir_sandbox *sandbox, const weir_sandbox_spec *spec, weir_error *error) {
    if (!spec->root) return true;
    sandbox->kept = full_path(spec->root);
    return mkdir(sandbox->kept, 0700) == 0 || errno == EEXIST ||
           weir_fail(error, WEIR_IO, "the folder `%s` cannot be made: %s", sandbox->kept,
                     strerror(errno));
}

static weir_sandbox *new_sandbox(weir_sandboxes *s, const weir_sandbox_spec *spec) {
    weir_assert(spec->argv[0]);
    weir_sandbox *sandbox = weir_alloc(sizeof *sandbox);
    sandbox->sandboxes = s;
    sandbox->root = -1;
    sandbox->shown = weir_alloc(sizeof *sandbox->shown);
    sandbox->command = weir_str_dup(weir_str_from(spec->argv[0]));
    sandbox->image = weir_str_dup(spec->image);
    s->live++;
    return sandbox;
}

static bool has_command(const weir_sandbox_spec *spec, weir_error *error) {
    if (strcmp(spec->argv[0], WEIR_SANDBOX_OF_IMAGE) != 0) return true;
    weir_fail(error, WEIR_INVALID, "there is no command, and nobody says that of image `%.*s`",
              WEIR_ARG(spec->image));
    weir_error_hint(error, "give one under `images` in weir.yaml");
    return false;
}

/* The files of a container cannot be kept. */
static bool wants_container(weir_sandboxes *s, const weir_sandbox_spec *spec, bool *out,
                            weir_error *error) {
    if (spec->root && spec->contained == WEIR_CONTAINED_AUTO) return true;
    if (spec->root && spec->contained == WEIR_CONTAINED_ALWAYS)
        return weir_fail(error, WEIR_UNSUPPORTED,
                         "the files of a container cannot be kept: those of a process can");
    return weir__container_wanted(s, spec->contained, spec->image, out, error);
}

bool weir_sandboxes_contain(weir_sandboxes *s, weir_str image, bool *out, weir_error *error) {
    return weir__container_wanted(s, WEIR_CONTAINED_AUTO, image, out, error);
}

/* Whether the attempt would find the command in its PATH on this host, of which it may have /tmp for itself. */
static bool is_in_path(const weir_sandbox_spec *spec, bool own_tmp, const char *name) {
    const char *at = "";
    for (const char *const *variable = spec->environment; variable && *variable; variable++)
        if (strncmp(*variable, "PATH=", 5) == 0) at = *variable + 5;
    weir_buffer path = {0};
    bool found = false;
    for (; *at && !found; at += strcspn(at, ":"), at += *at == ':') {
        weir_buffer_clear(&path);
        weir_buffer_printf(&path, "%.*s/%s", (int)strcspn(at, ":"), at, name);
        found = !(own_tmp && strncmp(path.data, "/tmp/", 5) == 0) && access(path.data, X_OK) == 0;
    }
    weir_buffer_deinit(&path);
    return found;
}

/* Images have `python`; Debian, and hosts like it, have it as `python3` only. The other words, to be freed; NULL: it stays as it is. */
static const char **with_python3(const weir_sandbox_spec *spec, bool own_tmp) {
    if (strcmp(spec->argv[0], "python") != 0 || is_in_path(spec, own_tmp, "python") ||
        !is_in_path(spec, own_tmp, "python3"))
        return NULL;
    size_t count = 0;
    while (spec->argv[count]) count++;
    const char **argv = weir_alloc((count + 1) * sizeof *argv);
    memcpy(argv, spec->argv, (count + 1) * sizeof *argv);
    argv[0] = "python3";
    return argv;
}

/* Releases the sandbox when it cannot be started. */
static bool begin(weir_sandbox *sandbox, weir_loop *loop, const weir_sandbox_spec *given,
                  const weir_process_options *callbacks, weir_process **process,
                  weir_error *error) {
    weir_sandboxes *s = sandbox->sandboxes;
    weir_sandbox_spec capped = *given;
    const weir_sandbox_spec *spec = &capped;
    if (given->memory_bytes_max || given->cpu_milli || given->memory_bytes_asked ||
        given->cpu_milli_asked)
        cap_limits(s, &capped);
    bool contained = false;
    bool ok = read_spec(spec, error) && check_identity(s, spec, error) &&
              (s->images ? weir_sandboxes_images(s, error)
                         : sandbox->visited || wants_container(s, spec, &contained, error));
    sandbox->isolated = ok && !contained && weir_sandboxes_isolate(s);
    ok = ok && (contained || (has_command(spec, error) && keep_root(sandbox, spec, error))) &&
         (!sandbox->isolated || take_slot(sandbox, error));
    const char **renamed =
        ok && !contained && !s->images ? with_python3(spec, sandbox->isolated) : NULL;
    if (renamed) capped.argv = renamed;
    if (ok && contained) {
        ok = weir__container_start(sandbox, loop, spec, callbacks, process, error);
    } else if (ok) {
        if (spec->memory_bytes_max || spec->cpu_milli) weir__groups_find(&s->groups, NULL, NULL);
        tell_limits(s, spec);
        if (sandbox->isolated) weir__helper_take_roots(s);
        ok = (sandbox->isolated ? start_isolated : weir__plain_start)(sandbox, loop, spec,
                                                                      callbacks, process, error);
    }
    weir_free(renamed);
    if (!ok) weir_sandbox_release(sandbox);
    return ok;
}

bool weir_sandbox_start(weir_sandboxes *s, weir_loop *loop, const weir_sandbox_spec *spec,
                        const weir_process_options *callbacks, weir_sandbox **out,
                        weir_process **process, weir_error *error) {
    weir_sandbox *sandbox = new_sandbox(s, spec);
    if (!begin(sandbox, loop, spec, callbacks, process, error)) return false;
    *out = sandbox;
    return true;
}

bool weir_sandbox_end(const weir_sandbox *sandbox, weir_process_end *end, weir_error *error) {
    if (sandbox->container) return weir__container_end(sandbox, end, error);
    if (!sandbox->isolated) return true;
    weir__helper_take_roots(sandbox->sandboxes);
    const weir__init_record *record = &sandbox->sandboxes->records[sandbox->slot];
    if (record->step) {
        weir__helper_error(sandbox->sandboxes, sandbox->slot, sandbox->command, sandbox->image,
                           error);
        return false;
    }
    /* Ended from outside, process 1 wrote nothing down, and its own end says how. */
    if (!end->signal) {
        end->signal = record->signal;
        end->exit_code = record->signal ? -1 : record->exit_code;
    }
    end->out_of_memory = sandbox->grouped && end->signal == SIGKILL &&
                         weir__group_was_full(&sandbox->sandboxes->groups, sandbox->slot);
    return true;
}

/* A visit's end. */
typedef struct visit {
    weir_process_end end;
    bool over;
} visit;

static void visit_ended(void *arg, const weir_process_end *end) {
    visit *v = arg;
    v->end = *end;
    v->over = true;
}

/* This process has the terminal back, which it may not take from the background unless it blocks the signal for that. */
static void take_terminal(void) {
    sigset_t output, before;
    sigemptyset(&output);
    sigaddset(&output, SIGTTOU);
    pthread_sigmask(SIG_BLOCK, &output, &before);
    (void)tcsetpgrp(STDIN_FILENO, getpgrp()); /* there may be none */
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

bool weir_sandbox_visit(weir_sandboxes *s, weir_loop *loop, const weir_sandbox_spec *spec,
                        weir_process_end *end, weir_error *error) {
    visit v = {.over = false};
    weir_process *process;
    weir_process_options callbacks = {.ended = visit_ended, .arg = &v};
    weir_sandbox *sandbox = new_sandbox(s, spec);
    sandbox->visited = true;
    sandbox->isolated = weir_sandboxes_isolate(s);
    if (!sandbox->isolated) {
        weir_sandbox_release(sandbox);
        return weir_fail(error, WEIR_UNSUPPORTED, "without isolation there is nothing to visit");
    }
    if (!begin(sandbox, loop, spec, &callbacks, &process, error)) return false;
    while (!v.over) weir_loop_once(loop, true);
    take_terminal();
    bool begun = weir_sandbox_end(sandbox, &v.end, error);
    if (begun) *end = v.end;
    weir_sandbox_release(sandbox);
    return begun;
}

static bool judge_opened(int fd, const char *path, int *out, weir_error *error) {
    struct stat info;
    if (fstat(fd, &info) == 0 && (S_ISREG(info.st_mode) || S_ISDIR(info.st_mode))) {
        *out = fd;
        return true;
    }
    close(fd);
    return weir_fail(error, WEIR_INVALID, "`%s` is neither a file nor a folder", path);
}

static bool open_isolated(const weir_sandbox *sandbox, const char *path, int *out,
                          weir_error *error) {
    if (sandbox->root < 0)
        return weir_fail(error, WEIR_IO, "`%s` cannot be read: the attempt's file system is gone",
                         path);
    struct open_how how = {.flags = WEIR__OPEN_FLAGS,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    *out = weir__open_how(sandbox->root, path, &how);
    bool users = weir__sandboxes_have_users(sandbox->sandboxes);
    if (*out >= 0 && (!users || weir__users_may_read(*out))) return true;
    if (*out < 0 && (!users || errno != EACCES)) return weir__open_failed(path, error);
    if (*out >= 0) close(*out);
    return weir__users_show(sandbox, path, out, error);
}

bool weir__open_failed(const char *path, weir_error *error) {
    bool absent = errno == ENOENT || errno == ENOTDIR;
    return weir_fail(error, absent ? WEIR_NOT_FOUND : WEIR_IO, "`%s` cannot be read: %s", path,
                     absent ? "there is no such file or folder" : strerror(errno));
}

bool weir_sandbox_open(const weir_sandbox *sandbox, const char *path, int *out, weir_error *error) {
    int fd = -1;
    if (path[0] != '/')
        return weir_fail(error, WEIR_INVALID, "the path of an output must be absolute, not `%s`",
                         path);
    return (sandbox->isolated    ? open_isolated
            : sandbox->container ? weir__container_open
                                 : weir__plain_open)(sandbox, path, &fd, error) &&
           judge_opened(fd, path, out, error);
}

bool weir_sandbox_is_plain(const weir_sandbox *sandbox) {
    return !sandbox->isolated && !sandbox->container;
}

/* What the attempt sees as /: the kernel shows an ordinary user that of a program, and not of the process that began it. */
static void find_root(int pid, weir_buffer *folder) {
    weir_family family = weir_family_of(pid);
    bool found = false;
    for (size_t i = 0; !found && i < family.members.count; i++) {
        weir_buffer_clear(folder);
        weir_buffer_printf(folder, "/proc/%d/root", (int)family.members.items[i]);
        found = access(folder->data, X_OK) == 0;
    }
    weir_family_deinit(&family);
}

const char *weir_sandbox_progress(const weir_sandbox *sandbox, int pid,
                                  const char *const *environment, weir_buffer *folder) {
    static const char variable[] = "ARGO_PROGRESS_FILE=";
    if (sandbox->container) return NULL; /* its processes are none of ours */
    while (*environment && strncmp(*environment, variable, sizeof variable - 1) != 0) environment++;
    if (!*environment) return NULL;
    if (sandbox->isolated) {
        find_root(pid, folder);
    } else if (strcmp(*environment, WEIR_SANDBOX_PROGRESS) == 0) {
        weir_buffer_text(folder, sandbox->folder);
        return WEIR_SANDBOX_PROGRESS_NAME;
    } else {
        weir_buffer_text(folder, "/");
    }
    return *environment + sizeof variable - 1;
}

bool weir_sandbox_is_slow(const weir_sandbox *sandbox) {
    return sandbox->container || weir__sandboxes_have_users(sandbox->sandboxes);
}

void weir_sandbox_ask(weir_sandbox *sandbox, weir_loop *loop, weir_process *process) {
    if (sandbox->isolated)
        weir_process_signal(process, WEIR__INIT_ASK);
    else
        weir__plain_ask(sandbox, loop);
}

uint32_t weir_sandbox_answered(const weir_sandbox *sandbox, int *exit_code) {
    if (!sandbox->isolated) {
        *exit_code = sandbox->asking.exit_code;
        return sandbox->asking.answers;
    }
    const weir__init_record *record = &sandbox->sandboxes->records[sandbox->slot];
    int32_t answered = __atomic_load_n(&record->answered, __ATOMIC_ACQUIRE);
    *exit_code = answered % 256;
    return (uint32_t)answered / 256;
}

static void release_slot(weir_sandbox *sandbox) {
    weir_sandboxes *s = sandbox->sandboxes;
    weir__helper_take_roots(s);
    if (sandbox->root >= 0) close(sandbox->root);
    if (sandbox->grouped) weir__group_remove(&s->groups, sandbox->slot);
    weir__init_request head = {.kind = WEIR__INIT_RELEASE, .slot = sandbox->slot};
    /* When the helper is gone, so are its files. */
    if (sandbox->begun) (void)weir__helper_send(s, &head, WEIR_STR(""), NULL, 0);
    s->slots.items[sandbox->slot] = NULL;
    weir_queue_put_first(&s->free_slots, sandbox->slot);
}

static void free_sandbox(weir_sandbox *sandbox) {
    weir_sandboxes *s = sandbox->sandboxes;
    bool has_slot = sandbox->slot < s->slots.count && s->slots.items[sandbox->slot] == sandbox;
    if (has_slot) release_slot(sandbox);
    weir__container_release(sandbox);
    if (!sandbox->isolated) weir__plain_release(sandbox);
    weir_sandbox_forget(sandbox);
    weir_free(sandbox->shown);
    weir_free(sandbox->kept);
    weir_free(sandbox->command);
    weir_free(sandbox->image);
    weir_free(sandbox);
}

/* Its slot may not be another's before its overlay is gone. */
void weir_sandbox_release(weir_sandbox *sandbox) {
    sandbox->sandboxes->live--;
    if (!sandbox->running) {
        free_sandbox(sandbox);
        return;
    }
    sandbox->released = true;
    sandbox->sandboxes->lingering++;
}
