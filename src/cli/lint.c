/* weir lint: `weir check` of workflows in several files, which may refer to each other, by Argo's options. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "cli/program.h"

enum { LINT_FILES_MAX = 10000, LINT_FOLDERS_DEEP_MAX = 32 };

typedef struct linting {
    weir_cli *cli;
    weir_engine *engine;
    weir_value *files;   /* paths */
    weir_value *library; /* paths: those of --library, and files that others may refer to */
    weir_value *list;    /* of problems; NULL: they are said at once */
    const char *file;
    size_t problems, warnings;
    int code;
} linting;

static void add_problem(void *arg, const weir_error *error) {
    linting *l = arg;
    weir_error placed = *error;
    if (!placed.file[0]) snprintf(placed.file, sizeof placed.file, "%s", l->file);
    l->problems += error->code != WEIR_OK;
    l->warnings += error->code == WEIR_OK;
    if (l->list) {
        weir_array_append(l->list, weir_output_problem_value(&placed));
        return;
    }
    if (weir_cli_form(l->cli, "simple")) placed.hint[0] = '\0';
    weir_output_problem(&placed);
}

static int is_wanted(const struct dirent *entry) {
    weir_str name = weir_str_from(entry->d_name);
    return entry->d_name[0] != '.' &&
           (entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN ||
            weir_str_ends(name, WEIR_STR(".yaml")) || weir_str_ends(name, WEIR_STR(".yml")) ||
            weir_str_ends(name, WEIR_STR(".json")));
}

/* A file, or those of a directory and of what is in it, in the order of their names. */
static bool add_path(linting *l, const char *path, int depth, weir_error *error) {
    struct stat status;
    struct dirent **entries = NULL;
    if (stat(path, &status) != 0 || !S_ISDIR(status.st_mode)) {
        weir_array_append(l->files, weir_string_from(weir_str_from(path)));
        if (weir_value_count(l->files) <= LINT_FILES_MAX) return true;
        return weir_fail(error, WEIR_LIMIT, "more than %d files", LINT_FILES_MAX);
    }
    if (depth > LINT_FOLDERS_DEEP_MAX)
        return weir_fail(error, WEIR_LIMIT, "`%.200s`: directories are nested too deep", path);
    int count = scandir(path, &entries, is_wanted, alphasort);
    bool ok = count >= 0 || weir_fail(error, WEIR_IO, "`%.200s` cannot be read", path);
    for (int i = 0; i < count; i++) {
        weir_buffer inner = {0};
        weir_buffer_printf(&inner, "%s/%s", path, entries[i]->d_name);
        ok = ok && add_path(l, inner.data, depth + 1, error);
        weir_buffer_deinit(&inner);
        free(entries[i]); /* scandir's */
    }
    free(entries);
    return ok;
}

/* Whether the file has one of the words; one that cannot be read is told when it is looked at. */
static bool has_word(const char *file, const char *const *words) {
    weir_buffer text = {0};
    bool found = !weir_file_read(file, WEIR_FILE_BYTES_MAX, &text, NULL);
    for (; *words && !found; words++)
        found = weir_str_find(weir_buffer_str(&text), weir_str_from(*words), 0) != SIZE_MAX;
    weir_buffer_deinit(&text);
    return found;
}

/* Whether other files may refer to what is in this one. */
static bool is_referred_to(const char *file) {
    static const char *const words[] = {"WorkflowTemplate", "ConfigMap", "Secret", NULL};
    return has_word(file, words);
}

/* A directory may have other files than Argo's. */
static bool is_linted(const linting *l, const char *file) {
    static const char *const words[] = {"argoproj.io/v1", NULL};
    for (size_t i = 0; i < l->cli->words.count; i++)
        if (strcmp(l->cli->words.items[i], file) == 0) return true;
    return has_word(file, words);
}

static void gather_library(linting *l) {
    for (size_t i = 0; i < l->cli->given.count; i++)
        if (l->cli->given.items[i].flag == WEIR_FLAG_LIBRARY)
            weir_array_append(l->library,
                              weir_string_from(weir_str_from(l->cli->given.items[i].value)));
    size_t count = weir_value_count(l->files);
    for (size_t i = 0; count > 1 && i < count; i++) {
        weir_value *file = weir_array_at(l->files, i);
        if (is_referred_to(weir_string_get(file).data))
            weir_array_append(l->library, weir_value_ref(file));
    }
}

/* A program is what it makes, `-` is standard input; false: there is nothing that could be looked at. */
static bool read_at_once(linting *l, const char *file, weir_value *request) {
    weir_error error;
    bool input = strcmp(file, "-") == 0;
    if (input
            ? weir_cli_request_input(request, &error)
            : !weir_program_is(file) || weir_program_gather(l->cli, file, NULL, 0, request, &error))
        return true;
    l->file = file;
    add_problem(l, &error);
    int code = weir_code_exit(error.code);
    if (code > l->code) l->code = code;
    return false;
}

static void lint_file(linting *l, const char *file) {
    weir_error error;
    size_t before = l->problems;
    weir_value *request = weir_object_new(), *others = weir_array_new();
    for (size_t i = 0; i < weir_value_count(l->library); i++)
        if (!weir_str_is(weir_string_get(weir_array_at(l->library, i)), file))
            weir_array_append(others, weir_value_ref(weir_array_at(l->library, i)));
    weir_member_put_text(request, "file", weir_str_from(file));
    weir_member_put_text(request, "kind", WEIR_STR("workflow"));
    weir_member_put(request, "strict_fields", weir_bool_new(true));
    weir_member_put(request, "library", others);
    l->file = file;
    if (!read_at_once(l, file, request)) {
        weir_value_unref(request);
        return;
    }
    if (!weir_check(l->engine, request, add_problem, l, NULL, &error)) {
        if (l->problems == before) add_problem(l, &error);
        int code = weir_code_exit(error.code);
        if (code > l->code) l->code = code;
    } else if (!l->list && !weir_cli_form(l->cli, "simple")) {
        weir_buffer_printf(&l->cli->out.text, "%s: nothing wrong", file);
        weir_output_line(&l->cli->out.text, 0);
        weir_output_flush(&l->cli->out);
    }
    weir_value_unref(request);
}

int weir_lint_command(weir_cli *cli) {
    weir_error error;
    linting l = {.cli = cli};
    bool found = true;
    l.files = weir_array_new();
    for (size_t i = 0; found && i < cli->words.count; i++)
        found = add_path(&l, cli->words.items[i], 0, &error);
    if (!found || !weir_cli_open_memory(cli, &l.engine, &error)) {
        weir_value_unref(l.files);
        return weir_cli_fail(&error);
    }
    l.library = weir_array_new();
    if (weir_cli_whole(cli)) l.list = weir_array_new();
    gather_library(&l);
    for (size_t i = 0; i < weir_value_count(l.files); i++) {
        const char *file = weir_string_get(weir_array_at(l.files, i)).data;
        if (is_linted(&l, file)) lint_file(&l, file);
    }
    if (l.list)
        weir_cli_print(cli, l.list);
    else if (l.problems)
        fprintf(stderr, "%zu problem%s\n", l.problems, l.problems == 1 ? "" : "s");
    weir_value_unref(l.list);
    weir_value_unref(l.files);
    weir_value_unref(l.library);
    weir_close(l.engine);
    return l.code;
}
