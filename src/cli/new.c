#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/example.h"

bool weir_cli_write_new(const char *file, weir_str text, weir_error *error) {
    int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0 && errno == EEXIST) {
        weir_fail(error, WEIR_USAGE, "`%.200s` is there already", file);
        weir_error_hint(error, "nothing is overwritten: give another name");
        return false;
    }
    weir_output out = {.fd = fd};
    weir_buffer_str_append(&out.text, text);
    if (fd >= 0) weir_output_flush(&out);
    if (fd >= 0 && close(fd) < 0 && !out.problem) out.problem = errno;
    int problem = fd < 0 ? errno : out.problem;
    weir_buffer_deinit(&out.text);
    if (fd >= 0 && problem) unlink(file);
    return !problem || weir_fail(error, problem == ENOENT ? WEIR_USAGE : WEIR_IO,
                                 "cannot write `%.200s`: %s", file, strerror(problem));
}

/* A name that stands in the file: letters, digits and '-', as a workflow's. */
static void put_name(weir_str file, weir_buffer *out) {
    size_t from = 0, to = weir_str_find(file, WEIR_STR("."), 0);
    for (size_t i = 0; i < file.length; i++)
        if (file.data[i] == '/') from = i + 1;
    if (to == SIZE_MAX || to < from) to = weir_str_find(file, WEIR_STR("."), from);
    if (to == SIZE_MAX) to = file.length;
    for (size_t i = from; i < to; i++) {
        unsigned char c = (unsigned char)file.data[i];
        weir_buffer_byte(out, c < 0x80 && isalnum(c) ? (char)tolower(c) : '-');
    }
}

/* The text with @NAME@ and @FILE@ replaced. A file's name stands in comments: without line ends. */
static void fill(const weir_embedded *template, weir_str file, weir_buffer *out) {
    weir_str text = {template->text, template->length};
    for (size_t from = 0, at; from < text.length; from = at + 6) {
        at = weir_str_find(text, WEIR_STR("@"), from);
        if (at == SIZE_MAX) at = text.length;
        weir_buffer_str_append(out, weir_str_slice(text, from, at));
        weir_str mark = weir_str_slice(text, at, at + 6);
        if (weir_str_is(mark, "@NAME@"))
            put_name(file, out);
        else if (weir_str_is(mark, "@FILE@"))
            weir_output_plain(out, file);
        else
            weir_buffer_str_append(out, mark);
    }
}

int weir_new_command(weir_cli *cli) {
    weir_error error;
    const char *kind = cli->words.items[0];
    const char *name = cli->words.count > 1 ? cli->words.items[1] : kind;
    const weir_embedded *template = weir_templates;
    while (template->name && strcmp(template->name, kind) != 0) template ++;
    if (!template->name) {
        weir_fail(&error, WEIR_USAGE, "there is nothing new of kind `%.64s`", kind);
        weir_error_hint(&error, "one of dataflow, workflow, pipeline");
        return weir_cli_fail(&error);
    }
    weir_str given = weir_str_from(name);
    bool ending = weir_str_ends(given, WEIR_STR(".yaml")) || weir_str_ends(given, WEIR_STR(".yml"));
    weir_buffer file = {0}, text = {0};
    weir_buffer_printf(&file, "%s%s", name, ending ? "" : ".yaml");
    fill(template, weir_buffer_str(&file), &text);
    bool ok = given.length && given.data[given.length - 1] != '/';
    if (!ok) weir_fail(&error, WEIR_USAGE, "`%.200s` is no name of a file", name);
    ok = ok && weir_cli_write_new(file.data, weir_buffer_str(&text), &error);
    if (ok) {
        weir_buffer *out = &cli->out.text;
        bool inputs = strcmp(kind, "workflow") != 0;
        weir_buffer_text(out, "wrote ");
        weir_output_plain(out, weir_buffer_str(&file));
        weir_buffer_text(out, "; run it: weir run ");
        weir_output_plain(out, weir_buffer_str(&file));
        weir_buffer_text(out, inputs ? " who=world\n" : "\n");
    }
    weir_buffer_deinit(&file);
    weir_buffer_deinit(&text);
    return ok ? 0 : weir_cli_fail(&error);
}
