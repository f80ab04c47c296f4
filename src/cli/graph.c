#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/view.h"

/* What --format says, else what the file to be written is called. */
static const char *format_of(const weir_cli *cli) {
    static const struct {
        const char *ending, *format;
    } endings[] = {{".svg", "svg"},
                   {".dot", "dot"},
                   {".gv", "dot"},
                   {".mmd", "mermaid"},
                   {".mermaid", "mermaid"}};
    const char *format = weir_cli_text(cli, WEIR_FLAG_FORMAT);
    const char *file = weir_cli_text(cli, WEIR_FLAG_OUTPUT);
    for (size_t i = 0; !format && file && i < sizeof endings / sizeof *endings; i++)
        if (weir_str_ends(weir_str_from(file), weir_str_from(endings[i].ending)))
            format = endings[i].format;
    return format ? format : "text";
}

/* Text in a file that is called as a picture would be of use to nobody. */
static bool check_file(const weir_cli *cli, weir_error *error) {
    static const char *const pictures[] = {".png", ".jpg", ".jpeg", ".gif", ".webp", ".pdf", ".ps"};
    const char *file = weir_cli_text(cli, WEIR_FLAG_OUTPUT);
    if (!file || weir_cli_has(cli, WEIR_FLAG_FORMAT)) return true;
    for (size_t i = 0; i < sizeof pictures / sizeof *pictures; i++) {
        if (!weir_str_ends(weir_str_from(file), weir_str_from(pictures[i]))) continue;
        weir_fail(error, WEIR_INVALID, "`%.200s`: no %s can be drawn here", file, pictures[i]);
        weir_error_hint(error, "a file that ends in .svg is a picture; Graphviz makes others of "
                               "--format dot");
        return false;
    }
    return true;
}

static weir_value *stages_of(const char *text) {
    weir_value *stages = weir_array_new();
    weir_str words = weir_str_from(text);
    for (size_t from = 0, end; from <= words.length; from = end + 1) {
        end = weir_str_find(words, WEIR_STR(","), from);
        if (end == SIZE_MAX) end = words.length;
        weir_array_append(stages,
                          weir_string_from(weir_str_trim(weir_str_slice(words, from, end))));
    }
    return stages;
}

static weir_value *options_of(const weir_cli *cli) {
    weir_value *options = weir_object_new();
    const char *display = weir_cli_text(cli, WEIR_FLAG_DISPLAY);
    const char *stages = weir_cli_text(cli, WEIR_FLAG_STAGES);
    weir_view view;
    weir_view_init(&view, cli->out.fd, weir_cli_has(cli, WEIR_FLAG_NO_COLOR));
    bool color = view.color && !weir_cli_has(cli, WEIR_FLAG_OUTPUT);
    weir_member_put(options, "color", weir_bool_new(color));
    weir_member_put(options, "simple", weir_bool_new(weir_cli_has(cli, WEIR_FLAG_SIMPLE)));
    if (display) weir_output_member(options, "display", display);
    if (stages) weir_member_put(options, "stages", stages_of(stages));
    return options;
}

static int write_file(const char *file, weir_str text) {
    weir_error error;
    weir_output out = {.fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)};
    if (out.fd < 0) {
        weir_fail(&error, WEIR_IO, "cannot write `%.200s`: %s", file, strerror(errno));
        return weir_cli_fail(&error);
    }
    weir_buffer_str_append(&out.text, text);
    bool ok = weir_output_finish(&out, file);
    ok = close(out.fd) == 0 && ok;
    return ok ? 0 : weir_code_exit(WEIR_IO);
}

int weir_graph_command(weir_cli *cli) {
    weir_error error;
    weir_value *request, *text;
    weir_engine *engine;
    size_t said = 0;
    int code = 0;
    const char *file = weir_cli_text(cli, WEIR_FLAG_OUTPUT);
    if (!check_file(cli, &error) || !weir_cli_request(cli, &request, &error))
        return weir_cli_fail(&error);
    if (!weir_cli_open_memory(cli, &engine, &error)) {
        weir_value_unref(request);
        return weir_cli_fail(&error);
    }
    weir_value *options = options_of(cli);
    if (weir_graph(engine, request, format_of(cli), options, weir_output_problem_counted, &said,
                   &text, &error)) {
        if (file && strcmp(file, "-") != 0)
            code = write_file(file, weir_string_get(text));
        else
            weir_buffer_str_append(&cli->out.text, weir_string_get(text));
        weir_value_unref(text);
    } else {
        code = said ? weir_code_exit(error.code) : weir_cli_fail(&error);
    }
    weir_value_unref(options);
    weir_value_unref(request);
    weir_close(engine);
    return code;
}
