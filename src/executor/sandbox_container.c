/* Sandboxes that are containers of podman or docker: each attempt is `ENGINE run` of its image, a process of this user's whose output
 * and end are the container's. Its name is noted in a file, so that one which an engine that was killed left behind is found and ended. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "data/json.h"
#include "executor/sandbox_internal.h"

enum { ENGINE_MS_MAX = 20 * 1000, IMAGES_BYTES_MAX = 64 * 1024 * 1024, ENGINE_FAILED = 125 };

extern char **environ;

/* --- which engine, which images --------------------------------------------------------------- */

static bool is_in_path(const char *program) {
    const char *list = getenv("PATH");
    weir_str path = weir_str_from(list ? list : "/usr/bin:/bin");
    bool found = false;
    for (size_t from = 0; from <= path.length && !found;) {
        size_t end = weir_str_find(path, WEIR_STR(":"), from);
        if (end == SIZE_MAX) end = path.length;
        weir_buffer file = {0};
        weir_buffer_printf(&file, "%.*s/%s", (int)(end - from), path.data + from, program);
        found = end > from && access(file.data, X_OK) == 0;
        weir_buffer_deinit(&file);
        from = end + 1;
    }
    return found;
}

/* Its daemon is somewhere else, or may be spoken to here: root's, or one of this user's. */
static bool is_docker_there(void) {
    static const char *const elsewhere[] = {"DOCKER_HOST", "DOCKER_CONTEXT"};
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    for (size_t i = 0; i < 2; i++)
        if (getenv(elsewhere[i]) && *getenv(elsewhere[i])) return true;
    weir_buffer socket = {0};
    weir_buffer_printf(&socket, "%s/docker.sock", runtime && *runtime ? runtime : "/run");
    bool there =
        access(socket.data, R_OK | W_OK) == 0 || access("/var/run/docker.sock", R_OK | W_OK) == 0;
    weir_buffer_deinit(&socket);
    return there;
}

static void find_engines(weir_sandboxes *s) {
    if (s->engines_known) return;
    s->engines_known = true;
    if (is_in_path("podman")) s->engines[s->engine_count++] = "podman";
    if (is_in_path("docker") && is_docker_there()) s->engines[s->engine_count++] = "docker";
}

/* Runs the engine with its output thrown away, for a limited time. -1: it could not, or took too long. */
static int run_engine(const char *const *argv) {
    static const struct timespec nap = {.tv_nsec = 5 * 1000 * 1000};
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status = 0;
    posix_spawn_file_actions_init(&actions);
    int reason = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDWR, 0);
    for (int fd = STDOUT_FILENO; !reason && fd <= STDERR_FILENO; fd++)
        reason = posix_spawn_file_actions_adddup2(&actions, STDIN_FILENO, fd);
    if (!reason)
        reason =
            posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (reason) return -1;
    for (int waited = 0; waited < ENGINE_MS_MAX; waited += 5) {
        pid_t ended = waitpid(pid, &status, WNOHANG);
        if (ended == pid) return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        if (ended < 0 && errno != EINTR) return -1;
        nanosleep(&nap, NULL);
    }
    kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    return -1;
}

/* Whether the name in podman's list is what the image means: without a registry it may be any of those. */
static bool is_meant(weir_str have, weir_str image) {
    static const char *const registries[] = {"", "localhost/", "docker.io/library/", "docker.io/"};
    weir_buffer name = {0};
    bool found = false;
    size_t slash = image.length;
    while (slash && image.data[slash - 1] != '/') slash--;
    bool tagged = memchr(image.data + slash, ':', image.length - slash) ||
                  weir_str_find(image, WEIR_STR("@"), 0) != SIZE_MAX;
    for (size_t i = 0; i < sizeof registries / sizeof *registries && !found; i++) {
        weir_buffer_clear(&name);
        weir_buffer_printf(&name, "%s%.*s%s", registries[i], WEIR_ARG(image),
                           tagged ? "" : ":latest");
        found = weir_str_equal(have, weir_buffer_str(&name));
    }
    weir_buffer_deinit(&name);
    return found;
}

static bool list_has(const weir_value *images, weir_str image) {
    for (size_t i = 0; weir_is(images, WEIR_ARRAY) && i < weir_value_count(images); i++) {
        const weir_value *names = weir_member_named(weir_array_at(images, i), "names");
        for (size_t k = 0; weir_is(names, WEIR_ARRAY) && k < weir_value_count(names); k++)
            if (weir_is(weir_array_at(names, k), WEIR_STRING) &&
                is_meant(weir_string_get(weir_array_at(names, k)), image))
                return true;
    }
    return false;
}

/* podman's storage says in a file which images it has, for each of its drivers: to ask podman takes longer than most steps. */
static bool storage_has(const char *storage, const char *driver, weir_str image) {
    weir_buffer path = {0}, text = {0};
    weir_value *images = NULL;
    struct stat info;
    weir_buffer_printf(&path, "%s/%s-images/images.json", storage, driver);
    int fd = open(path.data, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0 && fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0 &&
              info.st_size <= IMAGES_BYTES_MAX;
    if (ok) weir_buffer_reserve(&text, (size_t)info.st_size);
    ssize_t count = ok ? read(fd, text.data, (size_t)info.st_size) : 0;
    ok = count > 0 &&
         weir_json_parse((weir_str){text.data, (size_t)count}, WEIR_STR(""), &images, NULL) &&
         list_has(images, image);
    if (fd >= 0) close(fd);
    weir_value_unref(images);
    weir_buffer_deinit(&path);
    weir_buffer_deinit(&text);
    return ok;
}

static bool podman_has(weir_str image) {
    static const char *const drivers[] = {"overlay", "vfs", "btrfs", "zfs"};
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    weir_buffer storage = {0};
    bool found = false;
    if (geteuid() == 0)
        weir_buffer_text(&storage, "/var/lib/containers/storage");
    else if (data && *data)
        weir_buffer_printf(&storage, "%s/containers/storage", data);
    else
        weir_buffer_printf(&storage, "%s/.local/share/containers/storage", home ? home : "");
    for (size_t i = 0; i < sizeof drivers / sizeof *drivers && !found; i++)
        found = storage_has(storage.data, drivers[i], image);
    weir_buffer_deinit(&storage);
    return found;
}

static bool engine_has(const char *engine, weir_str image) {
    if (strcmp(engine, "podman") == 0) return podman_has(image);
    weir_buffer name = {0};
    weir_buffer_str_append(&name, image);
    const char *argv[] = {engine, "image", "inspect", name.data, NULL};
    bool has = run_engine(argv) == 0;
    weir_buffer_deinit(&name);
    return has;
}

/* The first that has it; NULL: none. */
static const char *who_has(weir_sandboxes *s, weir_str image) {
    uint64_t at;
    if (!weir_map_get(&s->known_images, image, &at)) {
        for (at = 0; at < s->engine_count && !engine_has(s->engines[at], image);) at++;
        char *name = weir_str_dup(image);
        *weir_vector_push(&s->image_names) = name;
        weir_map_set(&s->known_images, weir_str_from(name), at);
    }
    return at < s->engine_count ? s->engines[at] : NULL;
}

/* Whoever has not an image may fetch it. */
static const char *engine_for(weir_sandboxes *s, weir_str image) {
    find_engines(s);
    const char *has = s->engine_count > 1 ? who_has(s, image) : NULL;
    return has || !s->engine_count ? has : s->engines[0];
}

bool weir__container_wanted(weir_sandboxes *s, weir_contained how, weir_str image, bool *out,
                            weir_error *error) {
    *out = false;
    if (how == WEIR_CONTAINED_NEVER || (how == WEIR_CONTAINED_AUTO && !image.length)) return true;
    find_engines(s);
    if (how == WEIR_CONTAINED_ALWAYS && !s->engine_count) {
        weir_fail(error, WEIR_UNSUPPORTED, "there is neither podman nor docker on this machine");
        weir_error_hint(error, "install podman, or let --executor process run the command here");
        return false;
    }
    if (how == WEIR_CONTAINED_ALWAYS && !image.length)
        return weir_fail(error, WEIR_INVALID, "a container needs an image");
    if (image.length && image.data[0] == '-')
        return how == WEIR_CONTAINED_AUTO ||
               weir_fail(error, WEIR_INVALID, "`%.*s` is no image", WEIR_ARG(image));
    const char *engine = how == WEIR_CONTAINED_ALWAYS ? s->engines[0] : who_has(s, image);
    *out = engine != NULL;
    if (!*out || how == WEIR_CONTAINED_ALWAYS || s->told_containers || !s->warn) return true;
    char text[160];
    s->told_containers = true;
    snprintf(text, sizeof text,
             "steps whose images %s has run in containers: --executor process runs all of them as "
             "processes",
             engine);
    s->warn(s->arg, text);
    return true;
}

/* --- names ---------------------------------------------------------------------------------------- */

/* weir-RUN-TASK-NUMBER…, as their variable says, and a number of this process's. */
static void name_container(weir_sandbox *sandbox, const weir_sandbox_spec *spec) {
    weir_buffer name = {0};
    weir_buffer_text(&name, "weir-");
    for (const char *const *variable = spec->environment; *variable; variable++)
        if (strncmp(*variable, "WEIR_ATTEMPT=", 13) == 0) weir_buffer_text(&name, *variable + 13);
    weir_buffer_printf(&name, "-%d-%u", (int)getpid(), ++sandbox->sandboxes->containers);
    for (size_t i = 0; i < name.length; i++)
        if (name.data[i] == '/') name.data[i] = '-';
    sandbox->container = name.data;
}

static void note_path(const weir_sandboxes *s, const char *name, weir_buffer *path) {
    weir_buffer_printf(path, "%s/containers%s%s", s->folder, *name ? "/" : "", name);
}

static bool note(const weir_sandbox *sandbox, weir_error *error) {
    weir_buffer path = {0};
    note_path(sandbox->sandboxes, "", &path);
    (void)mkdir(path.data, 0700); /* the file tells */
    weir_buffer_clear(&path);
    note_path(sandbox->sandboxes, sandbox->container, &path);
    int fd = open(path.data, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && weir_descriptor_write(fd, weir_str_from(sandbox->engine));
    if (!ok) weir_fail(error, WEIR_IO, "`%s` cannot be written: %s", path.data, strerror(errno));
    if (fd >= 0) close(fd);
    weir_buffer_deinit(&path);
    return ok;
}

static void forget(const weir_sandboxes *s, const char *name) {
    weir_buffer path = {0};
    note_path(s, name, &path);
    unlink(path.data);
    weir_buffer_deinit(&path);
}

/* Ends it without grace; podman would give it ten seconds. */
static void removing(const char *engine, const char *name, const char *argv[7]) {
    size_t count = 0;
    argv[count++] = engine;
    argv[count++] = "rm";
    argv[count++] = "-f";
    if (strcmp(engine, "podman") == 0) {
        argv[count++] = "-t";
        argv[count++] = "0";
    }
    argv[count++] = name;
    argv[count] = NULL;
}

static void remove_container(const char *engine, const char *name) {
    const char *argv[7];
    removing(engine, name, argv);
    (void)run_engine(argv); /* it may be gone already */
}

void weir_sandboxes_end_containers(weir_sandboxes *s, const char *attempts, uint32_t keep) {
    weir_buffer path = {0};
    if (!s->folder) return;
    note_path(s, "", &path);
    DIR *folder = opendir(path.data);
    for (const struct dirent *entry; folder && (entry = readdir(folder));) {
        char engine[16] = "";
        size_t length = strlen(attempts);
        if (strncmp(entry->d_name, "weir-", 5) != 0 ||
            strncmp(entry->d_name + 5, attempts, length) != 0 ||
            (keep && strtoul(entry->d_name + 5 + length, NULL, 10) == keep))
            continue;
        int fd = openat(dirfd(folder), entry->d_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        ssize_t count = fd >= 0 ? read(fd, engine, sizeof engine - 1) : 0;
        if (fd >= 0) close(fd);
        engine[count > 0 ? count : 0] = '\0';
        bool known = strcmp(engine, "podman") == 0 || strcmp(engine, "docker") == 0;
        if (known) remove_container(engine, entry->d_name);
        unlinkat(dirfd(folder), entry->d_name, 0);
    }
    if (folder) closedir(folder);
    weir_buffer_deinit(&path);
}

/* --- starting ---------------------------------------------------------------------------------------- */

/* What is asked of the engine, and what it has in its environment. */
typedef struct asking {
    weir_sandbox *sandbox;
    const weir_sandbox_spec *spec;
    weir_arena arena;
    WEIR_VECTOR(const char *) argv;
    WEIR_VECTOR(const char *) environment;
    weir_error *error;
} asking;

static void add(asking *a, const char *text) {
    *weir_vector_push(&a->argv) = text;
}

static void add_text(asking *a, const char *format, ...) WEIR_PRINTF(2, 3);
static void add_text(asking *a, const char *format, ...) {
    char text[2 * 4096 + 64];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    add(a, weir_str_copy(&a->arena, weir_str_from(text)));
}

/* Of the engine's own: it could not work with those of a step. */
static bool is_engines(const char *variable) {
    static const char *const own[] = {"PATH=",   "HOME=",   "XDG_", "CONTAINERS_",
                                      "DOCKER_", "TMPDIR=", "LD_"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (strncmp(variable, own[i], strlen(own[i])) == 0) return true;
    return false;
}

/* The host's, which every attempt has: an image has its own. */
static bool is_hosts(const char *variable) {
    static const char *const inherited[] = {"PATH", "LANG"};
    for (size_t i = 0; i < 2; i++) {
        size_t length = strlen(inherited[i]);
        const char *value = getenv(inherited[i]);
        if (strncmp(variable, inherited[i], length) == 0 && variable[length] == '=')
            return value && strcmp(variable + length + 1, value) == 0;
    }
    return strcmp(variable, "HOME=" WEIR_SANDBOX_HOME) == 0 ||
           strncmp(variable, "WEIR_METRICS=", 13) == 0;
}

/* Values are passed by the engine's environment, since its arguments can be read by anybody. */
static void add_environment(asking *a) {
    for (const char *const *variable = a->spec->environment; *variable; variable++) {
        const char *sign = strchr(*variable, '=');
        if (!sign || is_hosts(*variable)) continue;
        add(a, "--env");
        if (is_engines(*variable)) {
            add(a, *variable);
            continue;
        }
        add(a, weir_str_copy(&a->arena, (weir_str){*variable, (size_t)(sign - *variable)}));
        *weir_vector_push(&a->environment) = *variable;
    }
    for (char **own = environ; *own; own++) *weir_vector_push(&a->environment) = *own;
    *weir_vector_push(&a->environment) = NULL;
}

/* A file given by its content. */
static bool write_content(asking *a, const weir_mount *mount, size_t index, weir_buffer *path) {
    weir_buffer_printf(path, "%s/content-%zu", a->sandbox->folder, index);
    int fd = open(path->data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool ok =
        fd >= 0 && fchmod(fd, mount->mode & 07777) == 0 && weir_descriptor_write(fd, mount->source);
    if (!ok)
        weir_fail(a->error, WEIR_IO, "`%s` cannot be written: %s", path->data, strerror(errno));
    if (fd >= 0) close(fd);
    return ok;
}

static bool add_mount(asking *a, const weir_mount *mount, size_t index) {
    weir_buffer source = {0};
    bool ok = true;
    if (mount->kind == WEIR_MOUNT_CONTENT) {
        ok = write_content(a, mount, index, &source);
    } else {
        weir_buffer_str_append(&source, mount->source);
        if (mount->beneath.length) weir_buffer_printf(&source, "/%.*s", WEIR_ARG(mount->beneath));
        if (access(source.data, F_OK) < 0)
            ok = weir_fail(a->error, errno == ENOENT ? WEIR_NOT_FOUND : WEIR_IO,
                           "`%s`, to be mounted at `%.*s`, cannot be used: %s", source.data,
                           WEIR_ARG(mount->at), strerror(errno));
    }
    weir_str from = weir_buffer_str(&source);
    if (ok &&
        (memchr(from.data, ',', from.length) || memchr(mount->at.data, ',', mount->at.length)))
        ok = weir_fail(a->error, WEIR_INVALID,
                       "a container's mount may have no comma in its path: `%.*s`",
                       WEIR_ARG(mount->at));
    if (ok) {
        add(a, "--mount");
        add_text(a, "type=bind,source=%s,target=%.*s%s", source.data, WEIR_ARG(mount->at),
                 mount->read_only ? ",readonly" : "");
        weir__plain_alias(a->sandbox, mount->at, source.data); /* an output below it is here */
    }
    weir_buffer_deinit(&source);
    return ok;
}

static void add_limits(asking *a) {
    const weir_sandbox_spec *spec = a->spec;
    if (spec->memory_bytes_max) {
        add(a, "--memory");
        add_text(a, "%llu", (unsigned long long)spec->memory_bytes_max);
    }
    if (spec->cpu_milli) {
        add(a, "--cpus");
        add_text(a, "%u.%03u", spec->cpu_milli / 1000, spec->cpu_milli % 1000);
    }
    if (spec->file_bytes_max) {
        add(a, "--ulimit");
        add_text(a, "fsize=%llu", (unsigned long long)spec->file_bytes_max);
    }
    if (spec->has_identity) {
        add(a, "--user");
        add_text(a, "%u:%u", spec->user, spec->group);
    }
}

static bool fill(asking *a) {
    const weir_sandbox_spec *spec = a->spec;
    bool own = strcmp(spec->argv[0], WEIR_SANDBOX_OF_IMAGE) != 0;
    add(a, a->sandbox->engine);
    add(a, "run");
    add(a, "--name");
    add(a, a->sandbox->container);
    add(a, "--network"); /* steps find each other at 127.0.0.1, as processes do */
    add(a, "host");
    if (!spec->output_count) add(a, "--rm");
    add_environment(a);
    for (size_t i = 0; i < spec->mount_count; i++)
        if (!spec->mounts[i].provided && !add_mount(a, &spec->mounts[i], i)) return false;
    add_limits(a);
    if (spec->directory && *spec->directory) {
        add(a, "--workdir");
        add(a, spec->directory);
    }
    if (own) {
        add(a, "--entrypoint");
        add(a, spec->argv[0]);
    }
    add(a, a->sandbox->image);
    for (const char *const *text = spec->argv + 1; *text; text++) add(a, *text);
    add(a, NULL);
    return true;
}

bool weir__container_start(weir_sandbox *sandbox, weir_loop *loop, const weir_sandbox_spec *spec,
                           const weir_process_options *callbacks, weir_process **process,
                           weir_error *error) {
    asking a = {.sandbox = sandbox, .spec = spec, .error = error};
    weir_process_options options = *callbacks;
    weir_arena_init(&a.arena);
    name_container(sandbox, spec);
    sandbox->engine = engine_for(sandbox->sandboxes, weir_str_from(sandbox->image));
    sandbox->keeps = spec->output_count > 0;
    sandbox->loop = loop;
    bool ok = weir__plain_folder(sandbox, error) && fill(&a) && note(sandbox, error);
    if (ok) {
        options.argv = a.argv.items;
        options.environment = a.environment.items;
        options.directory = NULL;
        options.metrics = NULL; /* a container has no descriptor of ours */
        ok = weir_process_start(loop, &options, process, error);
    }
    weir_vector_deinit(&a.argv);
    weir_vector_deinit(&a.environment);
    weir_arena_deinit(&a.arena);
    return ok;
}

/* --- its end ------------------------------------------------------------------------------------------- */

bool weir__container_end(const weir_sandbox *sandbox, const weir_process_end *end,
                         weir_error *error) {
    /* Who was killed was the engine's process: the container is ended now, and not some time. */
    if (end->signal) remove_container(sandbox->engine, sandbox->container);
    if (end->signal || end->exit_code != ENGINE_FAILED) return true;
    weir_fail(error, WEIR_IO, "%s could not start a container of image `%s`: the log says why",
              sandbox->engine, sandbox->image);
    return false;
}

/* Of a path that is no mount's a copy is taken out of the container. */
bool weir__container_open(const weir_sandbox *sandbox, const char *path, int *out,
                          weir_error *error) {
    weir_buffer from = {0}, to = {0};
    if (weir__plain_knows(sandbox, path)) return weir__plain_open(sandbox, path, out, error);
    weir_buffer_printf(&from, "%s:%s", sandbox->container, path);
    weir_buffer_printf(&to, "%s/output-XXXXXX", sandbox->folder);
    bool ok = mkdtemp(to.data) || weir_fail(error, WEIR_IO, "a folder for `%s` cannot be made: %s",
                                            path, strerror(errno));
    weir_buffer_text(&to, "/it");
    const char *argv[] = {sandbox->engine, "cp", from.data, to.data, NULL};
    ok = ok && (run_engine(argv) == 0 || weir_fail(error, WEIR_NOT_FOUND,
                                                   "`%s` cannot be read: there is no such file or "
                                                   "folder",
                                                   path));
    *out = ok ? open(to.data, WEIR__OPEN_FLAGS | O_NOFOLLOW) : -1;
    ok = ok && (*out >= 0 || weir__open_failed(path, error));
    weir_buffer_deinit(&from);
    weir_buffer_deinit(&to);
    return ok;
}

/* A container that goes while the loop turns. */
typedef struct leaving {
    weir_sandboxes *sandboxes;
    char *name;
} leaving;

static void container_gone(void *arg, const weir_process_end *end) {
    leaving *l = arg;
    (void)end;
    l->sandboxes->lingering--;
    weir_free(l->name);
    weir_free(l);
}

void weir__container_release(weir_sandbox *sandbox) {
    weir_sandboxes *s = sandbox->sandboxes;
    if (!sandbox->container) return;
    forget(s, sandbox->container);
    const char *argv[7];
    removing(sandbox->engine, sandbox->container, argv);
    leaving *l = sandbox->keeps ? weir_alloc(sizeof *l) : NULL;
    weir_process *process;
    weir_error error;
    if (l) *l = (leaving){s, weir_str_dup(weir_str_from(sandbox->container))};
    const weir_process_options options = {.argv = argv,
                                          .environment = (const char *const *)environ,
                                          .ended = container_gone,
                                          .arg = l};
    if (l) s->lingering++;
    if (l && !weir_process_start(sandbox->loop, &options, &process, &error))
        container_gone(l, NULL);
    weir_free(sandbox->container);
}
