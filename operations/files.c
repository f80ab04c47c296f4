/* Files: what is in a directory, what is in a file. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "parameter.h"
#include "utf8.h"

enum { PATHS_MAX = 1000000, DEPTH_MAX = 128, READ_BYTES_MAX = 64 * 1024 * 1024 };

static bool fail_errno(const weir_host *host, weir_call *call, const char *path) {
    return host->fail(call, errno == ENOENT ? "not_found" : "io", "%s: %s", path, strerror(errno));
}

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
    if (!is_text(path, strlen(path)))
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
               fail_errno(search->host, search->call, join(search, here->path, name));
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
    if (descriptor < 0) return fail_errno(search->host, search->call, path);
    DIR *stream = fdopendir(descriptor);
    struct stat status;
    if (!stream || fstat(descriptor, &status) != 0) {
        fail_errno(search->host, search->call, path);
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
            if (errno != 0) ok = fail_errno(search->host, search->call, path);
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

static bool read_text(const weir_host *host, weir_call *call, int descriptor, const char *path) {
    struct stat status;
    if (fstat(descriptor, &status) != 0) return fail_errno(host, call, path);
    if (!S_ISREG(status.st_mode)) return host->fail(call, "invalid", "%s: not a file", path);
    if (status.st_size > READ_BYTES_MAX)
        return host->fail(call, "limit_exceeded", "%s: larger than %d bytes", path, READ_BYTES_MAX);
    size_t size = (size_t)status.st_size, length = 0;
    char *text = host->alloc(call, size + 1);
    while (length < size) {
        if (host->cancelled(call)) return false;
        ssize_t got = read(descriptor, text + length, size - length);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail_errno(host, call, path);
        if (got == 0) break;
        length += (size_t)got;
    }
    if (!is_text(text, length)) return host->fail(call, "invalid", "%s: not a text in UTF-8", path);
    host->output(call, "text", host->string_new(text, length));
    return true;
}

static bool read_file(const weir_host *host, weir_call *call) {
    const weir_value *value = parameter(host, call, "path", WEIR_STRING);
    if (!value) return false;
    const char *path = host->string_get(value).data;
    /* Opening a named pipe would wait for its writer. */
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) return fail_errno(host, call, path);
    bool ok = read_text(host, call, descriptor, path);
    close(descriptor);
    return ok;
}

static const weir_operation glob_operation = {
    .size = sizeof(weir_operation),
    .name = "files.glob",
    .about = "Lists the files of a directory, without hidden ones.",
    .inputs =
        (const weir_port[]){
            {"directory", "str", "Where to look."},
            {NULL, NULL, NULL},
        },
    .outputs =
        (const weir_port[]){
            {"paths", "array", "Paths that begin with the directory, sorted by their bytes."},
            {NULL, NULL, NULL},
        },
    .config =
        (const weir_port[]){
            {"patterns", "array", "Names wanted, such as *.md; with suffixes too: either."},
            {"suffixes", "array", "Ends of names wanted, such as .md."},
            {"recursive", "bool", "Whether to look into directories; else only at files."},
            {NULL, NULL, NULL},
        },
    .hints = WEIR_BLOCKING,
    .run = glob_files,
};
static const weir_operation read_operation = {
    .size = sizeof(weir_operation),
    .name = "files.read",
    .about = "Reads a text file of at most 64 MiB.",
    .inputs =
        (const weir_port[]){
            {"path", "str", "The file."},
            {NULL, NULL, NULL},
        },
    .outputs =
        (const weir_port[]){
            {"text", "str", "What is in it."},
            {NULL, NULL, NULL},
        },
    .config = (const weir_port[]){{NULL, NULL, NULL}},
    .hints = WEIR_BLOCKING,
    .run = read_file,
};

static const weir_plugin plugin = {
    .abi = WEIR_ABI,
    .size = sizeof(weir_plugin),
    .name = "files",
    .version = "1",
    .operations = (const weir_operation *const[]){&glob_operation, &read_operation, NULL},
};

const weir_plugin *weir_files_plugin(const weir_host *host) {
    return host->abi == WEIR_ABI ? &plugin : NULL;
}
