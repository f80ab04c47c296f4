#include <stdio.h>

#include "cli/commands.h"
#include "data/json.h"

/* The operation of that name, or NULL with an error that names the nearest. */
static weir_value *find(const weir_value *operations, weir_str name, weir_error *error) {
    weir_nearest nearest = weir_nearest_to(name);
    for (size_t i = 0; i < weir_value_count(operations); i++) {
        weir_value *operation = weir_array_at(operations, i);
        weir_str text = weir_member_text(operation, "name");
        if (weir_str_equal(name, text)) return operation;
        if (!weir_str_ends(text, name))
            weir_nearest_try(&nearest, text);
        else if (nearest.distance) /* "add" may mean "calculator.add" */
            nearest.best = text, nearest.distance = 0;
    }
    weir_fail(error, WEIR_UNKNOWN_OPERATION, "there is no operation `%.*s`", WEIR_ARG(name));
    if (!weir_error_hint_near(error, nearest.best, ""))
        weir_error_hint(error, "`weir operation list` lists them; --plugin loads more");
    return NULL;
}

/* The width of the member in the ports' table, within what a terminal shows. */
static int width_of(const weir_value *ports, const char *member, int least) {
    size_t width = (size_t)least;
    for (size_t i = 0; i < weir_value_count(ports); i++) {
        size_t length = weir_member_text(weir_array_at(ports, i), member).length;
        if (length > width && length <= 24) width = length;
    }
    return (int)width;
}

static void put_ports(const weir_value *operation, const char *member, weir_buffer *out) {
    const weir_value *ports = weir_member_named(operation, member);
    if (!weir_is(ports, WEIR_ARRAY) || !weir_value_count(ports)) return;
    weir_buffer_printf(out, "\n%s:\n", member);
    int names = width_of(ports, "name", 8), types = width_of(ports, "primitive", 6);
    for (size_t i = 0; i < weir_value_count(ports); i++) {
        const weir_value *port = weir_array_at(ports, i);
        weir_str definition = weir_member_text(port, "definition");
        const weir_value *otherwise = weir_member_named(port, "default");
        size_t from = out->length;
        weir_buffer_printf(out, "  %-*.*s  %-*.*s  %.*s", names,
                           WEIR_ARG(weir_member_text(port, "name")), types,
                           WEIR_ARG(weir_member_text(port, "primitive")),
                           WEIR_ARG(weir_member_text(port, "about")));
        if (definition.length) weir_buffer_printf(out, " Definition: %.*s.", WEIR_ARG(definition));
        if (otherwise) {
            weir_buffer_text(out, " Default: ");
            weir_json_format(otherwise, 0, out);
            weir_buffer_byte(out, '.');
        }
        weir_output_line(out, from);
    }
}

/* Each line of the example, indented. */
static void put_example(const weir_value *operation, weir_buffer *out) {
    weir_str text = weir_member_text(operation, "example");
    if (text.length) weir_buffer_text(out, "\nexample:\n");
    for (size_t at = 0, end; at < text.length; at = end + 1) {
        size_t from = out->length;
        end = weir_str_find(text, WEIR_STR("\n"), at);
        if (end > text.length) end = text.length;
        weir_buffer_text(out, "  ");
        weir_buffer_str_append(out, weir_str_slice(text, at, end));
        weir_output_line(out, from);
    }
}

static void put_operation(const weir_value *operation, weir_buffer *out) {
    weir_buffer_printf(out, "%.*s: %.*s", WEIR_ARG(weir_member_text(operation, "name")),
                       WEIR_ARG(weir_member_text(operation, "about")));
    weir_output_line(out, 0);
    const weir_value *hints = weir_member_named(operation, "hints");
    for (size_t i = 0; weir_is(hints, WEIR_ARRAY) && i < weir_value_count(hints); i++) {
        const weir_value *hint = weir_array_at(hints, i);
        if (weir_is(hint, WEIR_STRING))
            weir_buffer_printf(out, "%s%.*s",
                               i ? ", " : "hints: ", WEIR_ARG(weir_string_get(hint)));
        if (i + 1 == weir_value_count(hints)) weir_buffer_byte(out, '\n');
    }
    size_t from = out->length;
    weir_str stage = weir_member_text(operation, "stage");
    if (stage.length) {
        weir_buffer_printf(out, "stage: %.*s", WEIR_ARG(stage));
        weir_output_line(out, from);
    }
    put_ports(operation, "inputs", out);
    put_ports(operation, "outputs", out);
    put_ports(operation, "config", out);
    put_example(operation, out);
}

/* All operations, without opening a state. */
static weir_value *load(weir_cli *cli, weir_error *error) {
    weir_engine *engine;
    if (!weir_cli_open_memory(cli, &engine, error)) return NULL;
    weir_value *operations = weir_operations(engine);
    weir_close(engine);
    return operations;
}

int weir_operation_list_command(weir_cli *cli) {
    weir_error error;
    weir_value *operations = load(cli, &error);
    if (!operations) return weir_cli_fail(&error);
    int width = 0;
    size_t count = weir_cli_whole(cli) ? 0 : weir_value_count(operations);
    if (!count) weir_cli_print(cli, operations);
    for (size_t i = 0; i < count && weir_cli_form(cli, "text"); i++) {
        weir_str name = weir_member_text(weir_array_at(operations, i), "name");
        if ((int)name.length > width) width = (int)name.length;
    }
    for (size_t i = 0; i < count; i++) {
        const weir_value *operation = weir_array_at(operations, i);
        weir_str about = width ? weir_member_text(operation, "about") : WEIR_STR("");
        size_t from = cli->out.text.length;
        weir_buffer_printf(&cli->out.text, "%-*.*s%s%.*s", width,
                           WEIR_ARG(weir_member_text(operation, "name")), width ? "  " : "",
                           WEIR_ARG(about));
        weir_output_line(&cli->out.text, from);
    }
    weir_value_unref(operations);
    return 0;
}

int weir_operation_show_command(weir_cli *cli) {
    weir_error error;
    weir_value *operations = load(cli, &error);
    if (!operations) return weir_cli_fail(&error);
    const weir_value *found = find(operations, weir_str_from(cli->words.items[0]), &error);
    if (found && weir_cli_whole(cli))
        weir_cli_print(cli, found);
    else if (found)
        put_operation(found, &cli->out.text);
    int code = found ? 0 : weir_cli_fail(&error);
    weir_value_unref(operations);
    return code;
}
