#include "cli/example.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/commands.h"

static const weir_embedded *find(const char *name, weir_error *error) {
    weir_nearest nearest = weir_nearest_to(weir_str_from(name));
    for (const weir_embedded *example = weir_examples; example->name; example++) {
        if (strcmp(example->name, name) == 0) return example;
        weir_nearest_try(&nearest, weir_str_from(example->name));
    }
    weir_fail(error, WEIR_NOT_FOUND, "there is no example `%.64s`", name);
    if (!weir_error_hint_near(error, nearest.best, ""))
        weir_error_hint(error, "`weir example list` lists them");
    return NULL;
}

/* --- list and show -------------------------------------------------------------------------- */

static void print_value(weir_cli *cli) {
    weir_value *list = weir_array_new();
    for (const weir_embedded *example = weir_examples; example->name; example++) {
        weir_value *value = weir_object_new(), *arguments = weir_array_new();
        weir_output_member(value, "name", example->name);
        weir_output_member(value, "file", example->file);
        weir_output_member(value, "about", example->about);
        for (const char *const *word = example->arguments; *word; word++)
            weir_array_append(arguments, weir_string_from(weir_str_from(*word)));
        weir_member_put(value, "arguments", arguments);
        weir_array_append(list, value);
    }
    weir_cli_print(cli, list);
    weir_value_unref(list);
}

int weir_example_list_command(weir_cli *cli) {
    int width = 0;
    if (weir_cli_whole(cli)) {
        print_value(cli);
        return 0;
    }
    bool names = weir_cli_form(cli, "name");
    for (const weir_embedded *example = weir_examples; example->name && !names; example++)
        if ((int)strlen(example->name) > width) width = (int)strlen(example->name);
    for (const weir_embedded *example = weir_examples; example->name; example++)
        weir_buffer_printf(&cli->out.text, "%-*s%s%s\n", width, example->name, names ? "" : "  ",
                           names ? "" : example->about);
    return 0;
}

/* Writes it into the directory, under its own name. */
static bool write_into(const char *directory, const weir_embedded *example, weir_output *out,
                       weir_error *error) {
    const char *slash = strrchr(example->file, '/');
    weir_buffer path = {0};
    weir_buffer_printf(&path, "%s/%s", directory, slash ? slash + 1 : example->file);
    bool ok = weir_cli_write_new(path.data, (weir_str){example->text, example->length}, error);
    if (ok) {
        weir_buffer_text(&out->text, "wrote ");
        weir_output_plain(&out->text, weir_buffer_str(&path));
        weir_buffer_byte(&out->text, '\n');
    }
    weir_buffer_deinit(&path);
    return ok;
}

/* With what it needs beside it. */
static bool write_all(const char *directory, const weir_embedded *example, weir_output *out,
                      weir_error *error) {
    size_t folder = (size_t)(strrchr(example->file, '/') - example->file) + 1;
    bool ok = write_into(directory, example, out, error);
    for (const weir_embedded *part = weir_example_parts; part->name && ok; part++)
        if (strncmp(part->file, example->file, folder) == 0)
            ok = write_into(directory, part, out, error);
    return ok;
}

int weir_example_show_command(weir_cli *cli) {
    weir_error error;
    const weir_embedded *example = find(cli->words.items[0], &error);
    const char *directory = weir_cli_text(cli, WEIR_FLAG_WRITE);
    if (example && !directory) weir_buffer_append(&cli->out.text, example->text, example->length);
    bool ok = example && (!directory || write_all(directory, example, &cli->out, &error));
    return ok ? 0 : weir_cli_fail(&error);
}

/* --- run ------------------------------------------------------------------------------------ */

/* Calls back with the path of each example or part below `root`, and of its folder. */
static bool each_path_of(const weir_embedded *files, const char *root,
                         bool (*visit)(const weir_embedded *example, const char *folder,
                                       const char *file)) {
    bool ok = true;
    for (const weir_embedded *example = files; example->name && ok; example++) {
        weir_buffer file = {0}, folder = {0};
        weir_buffer_printf(&file, "%s/%s", root, example->file);
        weir_buffer_text(&folder, file.data);
        *strrchr(folder.data, '/') = '\0';
        ok = visit(example, folder.data, file.data);
        weir_buffer_deinit(&file);
        weir_buffer_deinit(&folder);
    }
    return ok;
}

static bool each_path(const char *root, bool (*visit)(const weir_embedded *example,
                                                      const char *folder, const char *file)) {
    return each_path_of(weir_examples, root, visit) &&
           each_path_of(weir_example_parts, root, visit);
}

static bool write_one(const weir_embedded *example, const char *folder, const char *file) {
    weir_error ignored;
    return (mkdir(folder, 0700) == 0 || errno == EEXIST) &&
           weir_cli_write_new(file, (weir_str){example->text, example->length}, &ignored);
}

static bool remove_one(const weir_embedded *example, const char *folder, const char *file) {
    (void)example;
    unlink(file);
    rmdir(folder); /* succeeds for the last one in it */
    return true;
}

/* What the example is to be run with, unless the user says it. */
static bool add_arguments(weir_cli *cli, const weir_embedded *example, weir_error *error) {
    bool given = cli->words.count > 1 || weir_cli_has(cli, WEIR_FLAG_INPUT) ||
                 weir_cli_has(cli, WEIR_FLAG_INPUTS) || weir_cli_has(cli, WEIR_FLAG_PARAMETER);
    size_t count = 0;
    while (example->arguments[count]) count++;
    return given || weir_cli_parse(cli, (char *const *)(void *)example->arguments, count, error);
}

/* Examples may name each other, so all of them are there while one runs; afterwards its journal has what it needs. */
int weir_example_run_command(weir_cli *cli) {
    weir_error error;
    const weir_embedded *example = find(cli->words.items[0], &error);
    if (!example || !add_arguments(cli, example, &error)) return weir_cli_fail(&error);
    const char *temporary = getenv("TMPDIR");
    weir_buffer root = {0}, file = {0};
    /* They need nothing that is not on every host, images neither. */
    if (!cli->settings.executor) cli->settings.executor = "process";
    weir_buffer_printf(&root, "%s/weir-XXXXXX", temporary && *temporary ? temporary : "/tmp");
    int code;
    if (!mkdtemp(root.data)) {
        weir_fail(&error, WEIR_IO, "no folder can be made in `%.200s`: %s", root.data,
                  strerror(errno));
        weir_error_hint(&error, "TMPDIR may name another one");
        code = weir_cli_fail(&error);
    } else if (!each_path(root.data, write_one)) {
        weir_fail(&error, WEIR_IO, "the examples cannot be written into `%.200s`", root.data);
        code = weir_cli_fail(&error);
    } else {
        weir_buffer_printf(&file, "%s/%s", root.data, example->file);
        cli->words.items[0] = file.data;
        code = weir_run_command(cli);
        cli->words.items[0] = example->name;
    }
    each_path(root.data, remove_one);
    rmdir(root.data);
    weir_buffer_deinit(&root);
    weir_buffer_deinit(&file);
    return code;
}
