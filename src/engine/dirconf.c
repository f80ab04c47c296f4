/* Directory configuration: NAME.dirconf.EXT is a file whose members may also stand in the directory NAME beside it, one
 * file a member, folders as objects: NAME/configs/run.yaml is the member `run` of the member `configs`. What is in the
 * directory wins over the file, object by object. Nothing outside of it is read: symbolic links are refused. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/compose.h"

enum { FOLDERS_DEEP_MAX = 32 };

/* Where NAME ends in the path of a NAME.dirconf.EXT; 0: it is none. */
static size_t name_end(weir_str file) {
    size_t base = file.length, point;
    while (base && file.data[base - 1] != '/') base--;
    for (point = file.length; point > base && file.data[point - 1] != '.';) point--;
    weir_str front = weir_str_slice(file, 0, point ? point - 1 : 0), suffix = WEIR_STR(".dirconf");
    bool named = point > base && point < file.length && weir_str_ends(front, suffix) &&
                 front.length > base + suffix.length;
    return named ? front.length - suffix.length : 0;
}

bool weir__is_dirconf(const char *file) {
    return name_end(weir_str_from(file)) > 0;
}

typedef struct folder {
    int fd;
    weir_buffer *path; /* as errors name it */
    weir_buffer *at;   /* the path of its object in the whole */
    int depth;
} folder;

typedef struct reader {
    weir__reading *reading;
    weir_document *document; /* gets the parts */
    weir_error *error;
} reader;

static bool fail_at(const reader *r, const char *path, weir_code code, const char *problem,
                    const char *hint) {
    weir_fail(r->error, code, "%s", problem);
    weir_error_place(r->error, weir_str_from(path), 0, 0);
    if (hint) weir_error_hint(r->error, "%s", hint);
    return false;
}

/* The name without its suffix; empty when it is no file that we read. */
static weir_str stem(weir_str name) {
    static const char *const suffixes[] = {".json", ".yaml", ".yml"};
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
        if (weir_str_ends(name, weir_str_from(suffixes[i])))
            return weir_str_slice(name, 0, name.length - strlen(suffixes[i]));
    return WEIR_STR("");
}

static bool is_utf8(weir_str text) {
    for (size_t i = 0, length; i < text.length; i += length)
        if (!(length = weir_utf8_length(weir_str_slice(text, i, text.length)))) return false;
    return true;
}

static bool read_member(const reader *r, const folder *in, const char *name, weir_value **out) {
    weir_buffer text = {0};
    weir_document part = {0};
    bool ok =
        weir_file_read_at(in->fd, name, in->path->data, WEIR_FILE_BYTES_MAX, &text, r->error) &&
        weir__reading_add(r->reading, text.length, in->path->data, r->error) &&
        weir_document_parse(&part, in->path->data, weir_buffer_str(&text), WEIR_YAML_CORE,
                            r->error);
    weir_buffer_deinit(&text);
    if (!ok) return false;
    *out = weir_value_ref(part.roots.items[0]);
    weir_document_add_part(r->document, weir_buffer_str(in->at).data, &part);
    return true;
}

static bool read_folder(const reader *r, const folder *in, weir_value *object);

static bool read_inner(const reader *r, const folder *in, const char *name, weir_value **out) {
    folder inner = {.path = in->path, .at = in->at, .depth = in->depth + 1};
    if (inner.depth > FOLDERS_DEEP_MAX)
        return fail_at(r, in->path->data, WEIR_LIMIT, "directories are nested too deep", NULL);
    inner.fd = openat(in->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (inner.fd < 0) return fail_at(r, in->path->data, WEIR_IO, strerror(errno), NULL);
    weir_value *object = weir_object_new();
    bool ok = weir__reading_add(r->reading, 0, in->path->data, r->error) &&
              read_folder(r, &inner, object);
    close(inner.fd);
    if (ok)
        *out = object;
    else
        weir_value_unref(object);
    return ok;
}

/* `path` is that of the entry already. */
static bool read_entry(const reader *r, const folder *in, const char *name, weir_value *object) {
    struct stat status;
    const char *path = in->path->data;
    if (fstatat(in->fd, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return fail_at(r, path, WEIR_IO, strerror(errno), NULL);
    bool directory = S_ISDIR(status.st_mode);
    weir_str key = directory ? weir_str_from(name) : stem(weir_str_from(name));
    if (S_ISLNK(status.st_mode))
        return fail_at(r, path, WEIR_INVALID, "a directory configuration has no symbolic links",
                       "put the file itself there");
    if (!key.length || !is_utf8(key))
        return fail_at(r, path, WEIR_INVALID, "this is no file of a directory configuration",
                       "its files are NAME.json, NAME.yaml or NAME.yml; those that begin with a "
                       "point are passed over");
    if (weir_member(object, key))
        return fail_at(r, path, WEIR_INVALID, "another entry of this directory has the same name",
                       "a member stands in one file, or in one directory");
    size_t back = in->at->length;
    weir_value *value = NULL;
    weir_path_append(in->at, key);
    bool ok = directory ? read_inner(r, in, name, &value) : read_member(r, in, name, &value);
    in->at->length = back;
    in->at->data[back] = '\0';
    if (ok) weir_member_set(object, key, value);
    return ok;
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

typedef WEIR_VECTOR(char *) names;

/* The names of what is in the folder, sorted; those that begin with a point are nobody's members. */
static bool list_names(const reader *r, const folder *in, names *out) {
    int copy = fcntl(in->fd, F_DUPFD_CLOEXEC, 0);
    DIR *entries = copy < 0 ? NULL : fdopendir(copy);
    if (!entries) {
        int problem = errno;
        if (copy >= 0) close(copy);
        return fail_at(r, in->path->data, WEIR_IO, strerror(problem), NULL);
    }
    bool ok = true;
    for (struct dirent *entry; ok && (entry = readdir(entries));) {
        if (entry->d_name[0] == '.') continue;
        *weir_vector_push(out) = weir_str_dup(weir_str_from(entry->d_name));
        if (out->count > WEIR__FILES_MAX)
            ok = fail_at(r, in->path->data, WEIR_LIMIT, "there are too many files", NULL);
    }
    closedir(entries);
    if (out->count) qsort(out->items, out->count, sizeof *out->items, by_name);
    return ok;
}

static bool read_folder(const reader *r, const folder *in, weir_value *object) {
    names list = {0};
    bool ok = list_names(r, in, &list);
    size_t back = in->path->length;
    for (size_t i = 0; i < list.count; i++) {
        weir_buffer_printf(in->path, "/%s", list.items[i]);
        ok = ok && read_entry(r, in, list.items[i], object);
        in->path->length = back;
        in->path->data[back] = '\0';
        weir_free(list.items[i]);
    }
    weir_vector_deinit(&list);
    return ok;
}

static weir_value *lay_over(weir_value *base, weir_value *over) {
    if (!weir_is(base, WEIR_OBJECT) || !weir_is(over, WEIR_OBJECT)) return weir_value_ref(over);
    weir_value *merged = weir_value_own(weir_value_ref(base));
    for (size_t i = 0; i < weir_value_count(over); i++) {
        weir_str key = weir_object_key(over, i);
        weir_value *before = weir_member(base, key), *value = weir_object_at(over, i);
        weir_member_set(merged, key, before ? lay_over(before, value) : weir_value_ref(value));
    }
    return merged;
}

bool weir__dirconf_add(weir__reading *reading, weir_document *document, weir_error *error) {
    weir_str file = weir_str_from(document->file);
    reader r = {reading, document, error};
    weir_buffer path = {0}, at = {0};
    weir_buffer_str_append(&path, weir_str_slice(file, 0, name_end(file)));
    weir_value *object = weir_object_new();
    folder top = {.path = &path, .at = &at};
    top.fd = open(path.data, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    weir_buffer_text(&at, "");
    bool ok = weir_is(document->roots.items[0], WEIR_OBJECT);
    if (!ok)
        fail_at(&r, document->file, WEIR_INVALID, "this is no object, but its directory is", NULL);
    else if (top.fd < 0)
        ok = fail_at(&r, path.data, errno == ENOENT ? WEIR_NOT_FOUND : WEIR_IO,
                     errno == ENOENT ? "there is no such directory" : strerror(errno),
                     "NAME.dirconf.EXT goes with a directory NAME, no link, beside it");
    weir_document_compose(document);
    ok = ok && read_folder(&r, &top, object);
    if (top.fd >= 0) close(top.fd);
    if (ok) weir_document_set_root(document, lay_over(document->roots.items[0], object));
    weir_value_unref(object);
    weir_buffer_deinit(&path);
    weir_buffer_deinit(&at);
    return ok;
}
