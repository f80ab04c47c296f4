/* Files: what is in a directory, what is in a file. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file_io.h"
#include "operations.h"
#include "parameter.h"
#include "utf8.h"

enum { PATHS_MAX = 1000000 };

/* A directory that is being read, below the one that led to it. */
typedef struct level {
    const struct level *up;
    const char *path;
    dev_t device;
    ino_t inode;
} level;

typedef struct file_search {
    const weir_host *host;
    weir_call *call;
    const weir_value *patterns, *suffixes; /* NULL: any name */
    bool recursive;
    const char **paths;
    size_t count, capacity;
} file_search;

/* An array of strings, a configuration value; NULL when there is none. */
static bool read_list(const weir_host *host, weir_call *call, const char *name,
                      const weir_value **out) {
    const weir_value *list = host->config(call, name);
    if (list && host->value_type(list) != WEIR_ARRAY)
        return host->fail(call, "invalid", "config `%s` must be of type array, found %s", name,
                          type_name(host, list));
    for (size_t i = 0; list && i < host->value_count(list); i++) {
        const weir_value *item = host->array_at(list, i);
        if (host->value_type(item) != WEIR_STRING)
            return host->fail(call, "invalid",
                              "config `%s`: item %zu must be of type string, found %s", name, i,
                              type_name(host, item));
    }
    *out = list;
    return true;
}

static bool is_wanted(const file_search *search, const char *name) {
    const weir_host *host = search->host;
    bool wanted = !search->patterns && !search->suffixes;
    for (size_t i = 0; search->patterns && i < host->value_count(search->patterns); i++)
        wanted |= fnmatch(host->string_get(host->array_at(search->patterns, i)).data, name, 0) == 0;
    for (size_t i = 0; search->suffixes && i < host->value_count(search->suffixes); i++) {
        weir_str suffix = host->string_get(host->array_at(search->suffixes, i));
        size_t length = strlen(name);
        wanted |= length >= suffix.length &&
                  memcmp(name + length - suffix.length, suffix.data, suffix.length) == 0;
    }
    return wanted;
}

static bool add_path(file_search *search, const char *path) {
    const weir_host *host = search->host;
    if (!weir__is_text(path, strlen(path)))
        return host->fail(search->call, "invalid", "%s: the name is not UTF-8", path);
    if (search->count == PATHS_MAX)
        return host->fail(search->call, "limit_exceeded", "more than %d files", PATHS_MAX);
    if (search->count == search->capacity) {
        size_t capacity = search->capacity ? search->capacity * 2 : 64;
        const char **paths = host->alloc(search->call, capacity * sizeof *paths);
        for (size_t i = 0; i < search->count; i++) paths[i] = search->paths[i];
        search->paths = paths;
        search->capacity = capacity;
    }
    search->paths[search->count++] = path;
    return true;
}

static const char *join(const file_search *search, const char *directory, const char *name) {
    size_t before = strlen(directory), after = strlen(name);
    while (before > 1 && directory[before - 1] == '/') before--;
    char *path = search->host->alloc(search->call, before + after + 2);
    memcpy(path, directory, before);
    if (path[before - 1] != '/') path[before++] = '/';
    memcpy(path + before, name, after);
    return path;
}

static bool search_directory(file_search *search, const level *up, int parent, const char *name,
                             const char *path);

static bool visit(file_search *search, const level *here, int directory, const char *name) {
    struct stat status;
    /* Gone meanwhile, or a link to nothing: not a file to be found. */
    if (fstatat(directory, name, &status, 0) != 0)
        return errno == ENOENT || errno == ELOOP ||
               weir__file_fail(search->host, search->call, join(search, here->path, name));
    if (S_ISDIR(status.st_mode))
        return !search->recursive ||
               search_directory(search, here, directory, name, join(search, here->path, name));
    if (!S_ISREG(status.st_mode) || !is_wanted(search, name)) return true;
    return add_path(search, join(search, here->path, name));
}

static bool is_sound(const file_search *search, const level *here) {
    size_t depth = 0;
    for (const level *up = here->up; up; up = up->up, depth++)
        if (up->device == here->device && up->inode == here->inode)
            return search->host->fail(search->call, "invalid",
                                      "%s: a symbolic link leads back to %s", here->path, up->path);
    if (depth >= DEPTH_MAX)
        return search->host->fail(search->call, "limit_exceeded",
                                  "%s: more than %d directories deep", here->path, DEPTH_MAX);
    return true;
}

static bool search_directory(file_search *search, const level *up, int parent, const char *name,
                             const char *path) {
    if (search->host->cancelled(search->call)) return false;
    int descriptor = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return weir__file_fail(search->host, search->call, path);
    DIR *stream = fdopendir(descriptor);
    struct stat status;
    if (!stream || fstat(descriptor, &status) != 0) {
        weir__file_fail(search->host, search->call, path);
        if (stream)
            closedir(stream);
        else
            close(descriptor);
        return false;
    }
    level here = {up, path, status.st_dev, status.st_ino};
    bool ok = is_sound(search, &here);
    while (ok) {
        errno = 0;
        const struct dirent *entry = readdir(stream);
        if (!entry) {
            if (errno != 0) ok = weir__file_fail(search->host, search->call, path);
            break;
        }
        if (entry->d_name[0] != '.') ok = visit(search, &here, descriptor, entry->d_name);
    }
    closedir(stream);
    return ok;
}

static int compare_paths(const void *left, const void *right) {
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static bool glob_files(const weir_host *host, weir_call *call) {
    const weir_value *directory = parameter(host, call, "directory", WEIR_STRING);
    if (!directory) return false;
    file_search search = {.host = host, .call = call};
    if (!read_list(host, call, "patterns", &search.patterns) ||
        !read_list(host, call, "suffixes", &search.suffixes))
        return false;
    const weir_value *recursive = host->config(call, "recursive");
    search.recursive = recursive && host->value_truth(recursive);
    const char *path = host->string_get(directory).data;
    if (!search_directory(&search, NULL, AT_FDCWD, path, path)) return false;
    if (search.count > 0) qsort(search.paths, search.count, sizeof *search.paths, compare_paths);
    weir_value *paths = host->array_new();
    for (size_t i = 0; i < search.count; i++)
        host->array_append(paths, host->string_new(search.paths[i], strlen(search.paths[i])));
    host->output(call, "paths", paths);
    return true;
}

static bool read_file(const weir_host *host, weir_call *call) {
    const weir_value *path = parameter(host, call, "path", WEIR_STRING);
    weir_str text;
    if (!path || !weir__file_read(host, call, host->string_get(path).data, &text)) return false;
    host->output(call, "text", weir__string(host, text));
    return true;
}

/* Text or bytes. */
static bool content_needed(const weir_host *host, weir_call *call, weir_str *content) {
    const weir_value *value = weir__given(host, call, "text");
    if (!value || host->value_type(value) != WEIR_BYTES)
        return weir__text_needed(host, call, "text", content);
    *content = host->bytes_get(value);
    return true;
}

static bool write_file(const weir_host *host, weir_call *call) {
    weir_str path, text;
    if (!weir__text_needed(host, call, "path", &path) || !content_needed(host, call, &text) ||
        !weir__file_write(host, call, path.data, text))
        return false;
    host->output(call, "path", weir__string(host, path));
    host->output(call, "bytes", host->int_new((int64_t)text.length));
    return true;
}

static const weir_operation *const operations[] = {
    OPERATION(.name = "files.glob", .about = "Lists the files of a directory, without hidden ones.",
              .inputs = PORTS({"directory", "str", "Where to look."}),
              .outputs = PORTS({"paths", "array",
                                "Paths that begin with the directory, sorted by their bytes."}),
              .config = PORTS(
                  {"patterns", "array", "Names wanted, such as *.md; with suffixes too: either."},
                  {"suffixes", "array", "Ends of names wanted, such as .md."},
                  {"recursive", "bool", "Whether to look into directories; else only at files.",
                   .otherwise = "false"}),
              .hints = WEIR_BLOCKING, .run = glob_files,
              .example = "operations:\n"
                         "  list: {name: files.glob, inputs: {directory: folder}, outputs: {paths: "
                         "path}, expand: [paths]}\n"
                         "configs:\n"
                         "  list: {suffixes: [.md, .txt], recursive: true}\n"),
    OPERATION(.name = "files.read", .about = "Reads a text file of at most 64 MiB.",
              .inputs = PORTS({"path", "str", "The file."}),
              .outputs = PORTS({"text", "str", "What is in it."}), .config = NO_PORTS,
              .hints = WEIR_BLOCKING, .run = read_file),
    OPERATION(.name = "files.write",
              .about = "Makes or replaces a file, at once: nobody sees a half of it.",
              .inputs = PORTS({"path", "str", "The file; its folder must be there."},
                              {"text", "str", "What will be in it; bytes, too."}),
              .outputs = PORTS({"path", "str", "The file."}, {"bytes", "int", "Its size."}),
              .config = PORTS({"path", "str", "The file, when it is no parameter."}),
              .hints = WEIR_BLOCKING, .run = write_file,
              .example =
                  "operations:\n"
                  "  save: {name: files.write, inputs: {text: report}, outputs: {path: saved}}\n"
                  "configs:\n"
                  "  save: {path: report.txt}\n"),
    OPERATION(.name = "files.hash", .about = "Hashes what is in a file of any size.",
              .inputs = PORTS({"path", "str", "The file."}),
              .outputs = PORTS({"hash", "str", "In small hexadecimal letters."}),
              .config = PORTS({"algorithm", "str", "sha256, sha384, sha512 or sha1.",
                               .otherwise = "\"sha256\""}),
              .hints = WEIR_BLOCKING, .module = "hash"),
    NULL};

PLUGIN(weir_files_plugin, "files", operations)
