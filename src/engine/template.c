/* Templates that a state keeps: STATE/templates/KIND/NAME.json, each a file that appears, and is replaced, in one step. A workflow finds
 * them by its references, behind its own file and its libraries. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "base/time.h"
#include "data/json.h"
#include "engine/engine_internal.h"
#include "engine/library.h"

enum { TEMPLATE_NAME_MAX = 200 };

static const char *const kinds[] = {"WorkflowTemplate", "ClusterWorkflowTemplate"};

static bool check_name(weir_str name, weir_error *error) {
    bool ok = name.length > 0 && name.length <= TEMPLATE_NAME_MAX && name.data[0] != '.';
    for (size_t i = 0; ok && i < name.length; i++)
        ok = strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.",
                    name.data[i]) != NULL &&
             name.data[i];
    return ok || weir_fail(error, WEIR_INVALID,
                           "`%.64s` cannot be a template's name: at most %d letters, digits, `-`, "
                           "`_` and `.`",
                           name.length ? name.data : "", TEMPLATE_NAME_MAX);
}

/* "STATE/templates/KIND/NAME.json"; of an empty name the folder. */
static bool make_path(const weir_engine *engine, bool cluster, weir_str name, weir_buffer *path,
                      weir_error *error) {
    if (!engine->state)
        return weir_fail(error, WEIR_USAGE, "templates are kept in a state: this engine has none");
    weir_buffer_printf(path, "%s/%s", engine->templates, kinds[cluster]);
    if (name.length) weir_buffer_printf(path, "/%.*s.json", WEIR_ARG(name));
    return true;
}

static bool fail_missing(bool cluster, const char *name, weir_error *error) {
    weir_fail(error, WEIR_NOT_FOUND, "there is no %s `%.200s`", kinds[cluster], name);
    weir_error_hint(error, "`weir %stemplate list` shows them", cluster ? "cluster-" : "");
    return false;
}

/* --- writing ---------------------------------------------------------------------------------------- */

static void make_folders(const weir_engine *engine, bool cluster) {
    weir_buffer path = {0};
    mkdir(engine->templates, 0700);
    weir_buffer_printf(&path, "%s/%s", engine->templates, kinds[cluster]);
    mkdir(path.data, 0700);
    weir_buffer_deinit(&path);
}

/* The file under a name of this process's own, then under its own; that of others is not replaced unless that is wanted. */
static bool write_file(const char *path, weir_str text, bool replace, weir_error *error) {
    weir_buffer part = {0};
    weir_buffer_printf(&part, "%s.%ld.part", path, (long)getpid());
    int fd = open(part.data, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool ok = fd >= 0 && weir_descriptor_write(fd, text) && fsync(fd) == 0;
    if (fd >= 0) close(fd);
    ok = ok && (replace ? rename(part.data, path) == 0 : link(part.data, path) == 0);
    int reason = errno;
    if (!ok || !replace) unlink(part.data);
    weir_buffer_deinit(&part);
    if (!ok) weir_fail(error, WEIR_IO, "`%.300s` cannot be written: %s", path, strerror(reason));
    if (!ok && !replace && reason == EEXIST) error->code = WEIR_INVALID;
    return ok;
}

/* The template as it is kept: with the moment when it was made first. */
static weir_value *complete(const weir_value *template, uint64_t now_us) {
    static const char member[] = "creationTimestamp";
    char now[32];
    weir_value *whole = weir_object_new(), *metadata = weir_object_new();
    const weir_value *given = weir_member_named(template, "metadata");
    for (size_t i = 0; i < weir_value_count(template); i++)
        weir_member_set(whole, weir_object_key(template, i),
                        weir_value_ref(weir_object_at(template, i)));
    for (size_t i = 0; i < weir_value_count(given); i++)
        weir_member_set(metadata, weir_object_key(given, i),
                        weir_value_ref(weir_object_at(given, i)));
    if (!weir_member_named(metadata, member))
        weir_member_put_text(metadata, member,
                             weir_str_from(weir_moment_format(now_us / 1000000 * 1000000, now)));
    weir_member_put(whole, "metadata", metadata);
    return whole;
}

bool weir_template_put(weir_engine *engine, const weir_value *template, bool replace,
                       weir_error *error) {
    weir_str kind = weir_member_text(template, "kind");
    weir_str name = weir_member_text(weir_member_named(template, "metadata"), "name");
    bool cluster = weir_str_is(kind, kinds[1]);
    weir_buffer path = {0}, json = {0};
    weir_value *before = NULL;
    weir_error ignored;
    if (!cluster && !weir_str_is(kind, kinds[0]))
        return weir_fail(error, WEIR_INVALID, "a %.*s is no template", WEIR_ARG(kind));
    if (!check_name(name, error) || !make_path(engine, cluster, name, &path, error)) return false;
    bool there = weir_template_get(engine, cluster, name.data, &before, &ignored), ok = true;
    weir_value_unref(before);
    if (replace && !there) ok = fail_missing(cluster, name.data, error);
    if (!replace && there) {
        ok = weir_fail(error, WEIR_INVALID, "there is already a %s `%.*s`", kinds[cluster],
                       WEIR_ARG(name));
        weir_error_hint(error, "`weir %stemplate update` replaces it", cluster ? "cluster-" : "");
    }
    if (ok) {
        weir_value *whole = complete(template, weir__now_us(engine));
        make_folders(engine, cluster);
        weir_json_format(whole, 2, &json);
        weir_buffer_byte(&json, '\n');
        weir_value_unref(whole);
        ok = write_file(path.data, weir_buffer_str(&json), replace, error);
    }
    weir_buffer_deinit(&json);
    weir_buffer_deinit(&path);
    return ok;
}

bool weir_template_delete(weir_engine *engine, bool cluster, const char *name, weir_error *error) {
    weir_buffer path = {0};
    if (!check_name(weir_str_from(name), error) ||
        !make_path(engine, cluster, weir_str_from(name), &path, error))
        return false;
    bool ok = unlink(path.data) == 0;
    if (!ok && errno == ENOENT)
        fail_missing(cluster, name, error);
    else if (!ok)
        weir_fail(error, WEIR_IO, "`%.300s` cannot be removed: %s", path.data, strerror(errno));
    weir_buffer_deinit(&path);
    return ok;
}

/* --- reading ---------------------------------------------------------------------------------------- */

static bool read_file(const char *path, weir_value **out, weir_error *error) {
    weir_document document = {0};
    if (!weir_document_load(&document, path, WEIR_YAML_1_1, error)) return false;
    *out = weir_value_ref(document.roots.items[0]);
    weir_document_deinit(&document);
    return true;
}

bool weir_template_get(weir_engine *engine, bool cluster, const char *name, weir_value **out,
                       weir_error *error) {
    weir_buffer path = {0};
    if (!check_name(weir_str_from(name), error) ||
        !make_path(engine, cluster, weir_str_from(name), &path, error))
        return false;
    bool there = access(path.data, F_OK) == 0;
    bool ok = there ? read_file(path.data, out, error) : fail_missing(cluster, name, error);
    weir_buffer_deinit(&path);
    return ok;
}

static int is_template(const struct dirent *entry) {
    return entry->d_name[0] != '.' &&
           weir_str_ends(weir_str_from(entry->d_name), WEIR_STR(".json"));
}

bool weir_template_list(weir_engine *engine, bool cluster,
                        bool (*visit)(void *arg, const weir_value *template), void *arg,
                        weir_error *error) {
    weir_buffer path = {0};
    struct dirent **entries = NULL;
    if (!make_path(engine, cluster, WEIR_STR(""), &path, error)) return false;
    int count = scandir(path.data, &entries, is_template, alphasort);
    size_t folder = path.length;
    bool ok = true, more = true;
    for (int i = 0; i < count; i++) {
        weir_value *template = NULL;
        weir_buffer_printf(&path, "/%s", entries[i]->d_name);
        ok = ok && (!more || read_file(path.data, &template, error));
        if (template) more = visit(arg, template);
        weir_value_unref(template);
        path.data[path.length = folder] = '\0';
        free(entries[i]); /* scandir's */
    }
    free(entries);
    weir_buffer_deinit(&path);
    return ok;
}

char *weir__templates_folder(const char *state) {
    weir_buffer path = {0};
    weir_buffer_printf(&path, "%s/templates", state);
    char *folder = weir_str_dup(weir_buffer_str(&path));
    weir_buffer_deinit(&path);
    return folder;
}

void weir__templates_name(const weir_engine *engine, weir_value *request) {
    if (engine->templates)
        weir_member_put_text(request, "templates", weir_str_from(engine->templates));
}
