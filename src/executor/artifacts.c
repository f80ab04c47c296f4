#include "executor/artifacts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "base/remove.h"
#include "executor/artifacts_internal.h"

const weir_value *weir_artifacts_wanted(const weir_value *sandbox) {
    const weir_value *wanted = weir_member_named(sandbox, "artifacts");
    return weir_is(wanted, WEIR_OBJECT) ? wanted : NULL;
}

bool weir_artifacts_stages(const weir_value *wanted, bool *waits) {
    const weir_value *inputs = weir_member_named(wanted, "inputs");
    *waits = false;
    if (!weir_is(inputs, WEIR_ARRAY)) return false;
    for (size_t i = 0; i < weir_value_count(inputs); i++) {
        const weir_value *source = weir_member_named(weir_array_at(inputs, i), "source");
        *waits |= weir_member_named(source, "http") || weir_member_named(source, "git");
    }
    return weir_value_count(inputs) > 0;
}

weir_artifacts *weir_artifacts_new(weir_repository *repository, const char *folder,
                                   const weir_secrets *secrets) {
    weir_artifacts *a = weir_alloc(sizeof *a);
    *a = (weir_artifacts){.repository = repository, .secrets = secrets, .lock = -1};
    if (folder) a->base = weir_str_dup(weir_str_from(folder));
    return a;
}

void weir_artifacts_free(weir_artifacts *a) {
    if (!a) return;
    if (a->folder) (void)weir_sandbox_remove(a->folder);
    if (a->lock >= 0) close(a->lock);
    weir_free(a->folder);
    weir_free(a->base);
    weir_free(a);
}

bool weir_artifacts_ready(weir_artifacts *a, weir_error *error) {
    return weir_repository_ready(a->repository, error);
}

/* --- staging -------------------------------------------------------------------------------- */

struct weir_staging {
    weir_artifacts *artifacts;
    const weir_value *wanted;
    const atomic_bool *cancelled;
    weir_buffer path; /* its folder; empty: none was made */
    int folder;
    weir_value *mounts;
    uint64_t bytes;
    weir_error error; /* code 0: all is well */
};

static bool make_base(weir_artifacts *a, weir_error *error) {
    weir_buffer path = {0};
    if (a->folder) return true;
    if (weir__own_folder(a->base, "staging", &path, &a->lock, error)) {
        a->folder = path.data;
        return true;
    }
    weir_buffer_deinit(&path);
    return false;
}

static void make_folder(weir_staging *s) {
    weir_artifacts *a = s->artifacts;
    if (!make_base(a, &s->error)) return;
    weir_buffer_printf(&s->path, "%s/%llu", a->folder, (unsigned long long)a->made++);
    if (mkdir(s->path.data, 0755) == 0)
        s->folder = open(s->path.data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->folder < 0)
        weir_fail(&s->error, WEIR_IO, "the folder `%s` cannot be made: %s", s->path.data,
                  strerror(errno));
}

weir_staging *weir_staging_new(weir_artifacts *a, const weir_value *wanted,
                               const atomic_bool *cancelled) {
    weir_staging *s = weir_alloc(sizeof *s);
    s->artifacts = a;
    s->wanted = wanted;
    s->cancelled = cancelled;
    s->folder = -1;
    s->mounts = weir_array_new();
    s->error = (weir_error){0};
    make_folder(s);
    return s;
}

bool weir__getting_text(const weir__getting *g, const weir_value *object, const char *key,
                        weir_str *out) {
    const weir_value *value = weir_member_named(object, key);
    weir_str name = weir_member_text(value, "secret");
    *out = weir_is(value, WEIR_STRING) ? weir_string_get(value) : WEIR_STR("");
    if (!name.length) return true;
    const char *secret = weir_secrets_find(g->artifacts->secrets, name);
    *out = weir_str_from(secret);
    return secret ||
           weir_fail(g->error, WEIR_INVALID,
                     "there is no secret `%.*s`; give it with --secret %.*s=env:VARIABLE or =@FILE",
                     WEIR_ARG(name), WEIR_ARG(name));
}

static bool write_raw(const weir__getting *g, weir_str text) {
    int fd = openat(g->folder, g->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    bool ok = fd >= 0 && weir_descriptor_write(fd, text);
    if (fd >= 0 && close(fd) < 0) ok = false;
    return ok || weir_fail(g->error, WEIR_IO, "it cannot be written: %s", strerror(errno));
}

/* What the source has, at g->name. */
static bool get_source(const weir__getting *g, const weir_value *source) {
    const weir_value *raw = weir_member_named(source, "raw");
    const weir_value *http = weir_member_named(source, "http");
    const weir_value *git = weir_member_named(source, "git");
    weir_str part = weir_member_text(g->input, "sub_path");
    weir_artifact_form form;
    if (!weir_artifact_form_parse(weir_member_text(g->input, "archive"), &form, g->error))
        return false;
    if (git) return weir__git_get(g, git, part);
    if (!raw && !http) {
        weir_artifact_place place = {weir_member_text(source, "bucket"),
                                     weir_member_text(source, "key")};
        return weir_repository_load(g->artifacts->repository, &place, part, form, g->folder,
                                    g->name, g->cancelled, g->error);
    }
    bool ok = raw ? weir_is(raw, WEIR_STRING) && write_raw(g, weir_string_get(raw))
                  : weir__http_get(g, http);
    return ok && weir_artifact_settle(weir_repository_limits(g->artifacts->repository), g->folder,
                                      g->temporary, part, form, g->name, g->cancelled, g->error);
}

static bool set_mode(const weir__getting *g) {
    const weir_value *recurse = weir_member_named(g->input, "recurse_mode");
    if (!weir_member_named(g->input, "mode")) return true;
    return weir_artifact_mode(weir_repository_limits(g->artifacts->repository), g->folder, g->name,
                              (uint32_t)weir_member_count(g->input, "mode"),
                              weir_is(recurse, WEIR_BOOL) && weir_bool_get(recurse), g->error);
}

static void add_mount(weir_staging *s, const weir_value *input, const char *name) {
    weir_buffer host = {0};
    weir_value *mount = weir_object_new();
    weir_buffer_printf(&host, "%s/%s", s->path.data, name);
    weir_member_put_text(mount, "at", weir_member_text(input, "path"));
    weir_member_put_text(mount, "host", weir_buffer_str(&host));
    weir_member_put_text(mount, "artifact", weir_member_text(input, "name"));
    weir_array_append(s->mounts, mount);
    weir_buffer_deinit(&host);
}

/* Whether it may simply not be there. */
static bool is_optional(const weir_value *item) {
    const weir_value *optional = weir_member_named(item, "optional");
    return weir_is(optional, WEIR_BOOL) && weir_bool_get(optional);
}

static bool stage_input(weir_staging *s, const weir_value *input, size_t index) {
    weir_str called = weir_member_text(input, "name");
    const weir_value *source = weir_member_named(input, "source");
    char name[32], temporary[40];
    if (!weir_is(source, WEIR_OBJECT) || !weir_value_count(source))
        return is_optional(input) ||
               weir_fail(&s->error, WEIR_NOT_FOUND, "required artifact '%.*s' not supplied",
                         WEIR_ARG(called));
    snprintf(name, sizeof name, "%zu", index);
    snprintf(temporary, sizeof temporary, "%zu.part", index);
    weir__getting g = {s->artifacts, input,     s->path.data, s->folder,
                       name,         temporary, s->cancelled, &s->error};
    if (get_source(&g, source) && set_mode(&g)) {
        add_mount(s, input, name);
        s->bytes += weir_artifact_bytes(s->folder, name);
        return true;
    }
    if (s->error.code == WEIR_NOT_FOUND && is_optional(input)) {
        s->error = (weir_error){0};
        return true;
    }
    weir_error_context(&s->error, "artifact %.*s failed to load", WEIR_ARG(called));
    return false;
}

void weir_staging_run(weir_staging *s) {
    const weir_value *inputs = weir_member_named(s->wanted, "inputs");
    for (size_t i = 0; !s->error.code && i < weir_value_count(inputs); i++)
        if (!stage_input(s, weir_array_at(inputs, i), i)) break;
    if (s->error.code && s->error.code != WEIR_CANCELLED)
        weir_error_context(&s->error, "init: Error (exit code 64)");
}

/* A path within another's comes behind it. */
static weir_value *sorted(const weir_value *mounts) {
    weir_value *list = weir_array_new();
    size_t count = weir_value_count(mounts);
    for (size_t length = 0, added = 0; added < count;) {
        size_t next = SIZE_MAX;
        for (size_t i = 0; i < count; i++) {
            size_t own = weir_member_text(weir_array_at(mounts, i), "at").length;
            if (own == length) {
                weir_array_append(list, weir_value_ref(weir_array_at(mounts, i)));
                added++;
            } else if (own > length && own < next) {
                next = own;
            }
        }
        length = next;
    }
    return list;
}

bool weir_staging_take(weir_staging *s, weir_value **mounts, weir_error *error) {
    if (s->error.code) {
        *error = s->error;
        return false;
    }
    *mounts = sorted(s->mounts);
    return true;
}

uint64_t weir_staging_bytes(const weir_staging *s) {
    return s->bytes;
}

void weir_staging_clear(weir_staging *s) {
    if (s->folder < 0) return;
    close(s->folder);
    s->folder = -1;
    (void)weir_sandbox_remove(s->path.data);
}

void weir_staging_free(weir_staging *s) {
    if (!s) return;
    weir_staging_clear(s);
    weir_value_unref(s->mounts);
    weir_buffer_deinit(&s->path);
    weir_free(s);
}

/* --- keeping -------------------------------------------------------------------------------- */

static weir_value *kept_value(const weir_value *output, const weir_artifact_kept *kept) {
    weir_value *value = weir_object_new();
    weir_str bucket = weir_member_text(output, "bucket");
    weir_member_put_text(value, "key", weir_member_text(output, "key"));
    if (bucket.length) weir_member_put_text(value, "bucket", bucket);
    weir_member_put(value, "bytes", weir_int_new((int64_t)kept->bytes));
    weir_member_put_text(value, "sha256", weir_str_from(kept->sha256));
    if (kept->left_out) weir_member_put(value, "left_out", weir_int_new((int64_t)kept->left_out));
    return value;
}

/* Without slashes at its end; *name is the last of its parts. */
static void clean_path(weir_str path, weir_buffer *out, const char **name) {
    while (path.length > 1 && path.data[path.length - 1] == '/') path.length--;
    weir_buffer_str_append(out, path);
    const char *slash = strrchr(out->data ? out->data : "", '/');
    *name = slash ? slash + 1 : "";
}

/* NULL: it could not be kept, or is not there. */
static weir_value *keep_output(weir_artifacts *a, const weir_sandbox *sandbox,
                               const weir_value *output, const atomic_bool *cancelled,
                               weir_error *error) {
    const weir_value *level = weir_member_named(output, "compression_level");
    weir_artifact_place place = {weir_member_text(output, "bucket"),
                                 weir_member_text(output, "key")};
    weir_artifact_form form;
    weir_artifact_kept kept;
    weir_buffer path = {0};
    const char *name;
    int fd = -1;
    int64_t wanted = weir_is(level, WEIR_INT) ? weir_int_get(level) : -1;
    clean_path(weir_member_text(output, "path"), &path, &name);
    bool ok = weir_artifact_form_parse(weir_member_text(output, "archive"), &form, error) &&
              weir_sandbox_open(sandbox, path.data ? path.data : "", &fd, error);
    if (ok) /* what is no level of gzip's is its usual one */
        ok = weir_repository_keep(a->repository, &place, fd, name, form,
                                  wanted < 0 || wanted > 9 ? -1 : (int)wanted, cancelled, &kept,
                                  error);
    weir_buffer_deinit(&path);
    return ok ? kept_value(output, &kept) : NULL;
}

static weir_value *keep_log(weir_artifacts *a, const weir_value *wanted, int log,
                            const atomic_bool *cancelled, weir_error *error) {
    weir_artifact_kept kept;
    char name[WEIR_CONTAINER_NAME_BYTES_MAX + 8];
    snprintf(name, sizeof name, "%.*s.log", WEIR_ARG(weir_member_text(wanted, "container")));
    weir_artifact_place place = {weir_member_text(wanted, "bucket"),
                                 weir_member_text(wanted, "key")};
    if (!weir_repository_keep(a->repository, &place, log, name, WEIR_ARTIFACT_PLAIN, -1, cancelled,
                              &kept, error))
        return NULL;
    return kept_value(wanted, &kept);
}

/* The error is of the first that could not be kept, if there was none before. */
static void keep_logs(weir_artifacts *a, const weir_value *wanted, const int *logs,
                      const atomic_bool *cancelled, weir_value *all, weir_error *error) {
    for (size_t i = 0; weir_has_items(wanted) && i < weir_value_count(wanted); i++) {
        const weir_value *one = weir_array_at(wanted, i);
        char name[WEIR_CONTAINER_NAME_BYTES_MAX + 8];
        weir_error why = {0};
        if (logs[i] < 0) continue;
        snprintf(name, sizeof name, "%.*s-logs", WEIR_ARG(weir_member_text(one, "container")));
        weir_value *kept = keep_log(a, one, logs[i], cancelled, &why);
        if (kept)
            weir_member_set(all, weir_str_from(name), kept);
        else if (!error->code)
            *error = why;
    }
}

weir_value *weir_artifacts_keep(weir_artifacts *a, const weir_sandbox *sandbox,
                                const weir_value *wanted, const int *logs,
                                const atomic_bool *cancelled, weir_error *error) {
    weir_value *all = weir_object_new();
    const weir_value *outputs = sandbox ? weir_member_named(wanted, "outputs") : NULL;
    size_t count = weir_is(outputs, WEIR_ARRAY) ? weir_value_count(outputs) : 0;
    *error = (weir_error){0};
    for (size_t i = 0; i < count; i++) {
        const weir_value *output = weir_array_at(outputs, i);
        weir_error why = {0};
        weir_value *kept = keep_output(a, sandbox, output, cancelled, &why);
        if (kept)
            weir_member_set(all, weir_member_text(output, "name"), kept);
        else if (!error->code && !(why.code == WEIR_NOT_FOUND && is_optional(output)))
            *error = why;
    }
    keep_logs(a, weir_member_named(wanted, "logs"), logs, cancelled, all, error);
    if (error->code && error->code != WEIR_CANCELLED)
        weir_error_context(error, "wait: Error (exit code 64)");
    return all;
}
