#include <stdio.h>

#include "base/time.h"
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

static void put_port_declared(const weir_value *operation, const char *group, weir_str port,
                              weir_buffer *out) {
    const weir_value *ports = weir_member_named(weir_member_named(operation, "declared"), group);
    const weir_value *said = weir_is(ports, WEIR_OBJECT) ? weir_member(ports, port) : NULL;
    const weir_value *lock = weir_member_named(said, "lock");
    weir_str validate = weir_member_text(said, "validate");
    if (lock && weir_value_truth(lock)) weir_buffer_text(out, " Locked.");
    if (validate.length) weir_buffer_printf(out, " Validated by: %.*s.", WEIR_ARG(validate));
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
        put_port_declared(operation, member, weir_member_text(port, "name"), out);
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

/* What it says itself, of what a file may say. */
static void put_declared(const weir_value *operation, weir_buffer *out) {
    const weir_value *declared = weir_member_named(operation, "declared"),
                     *where = weir_member_named(operation, "python");
    weir_str stage = weir_member_text(operation, "stage");
    size_t from = out->length;
    if (stage.length) {
        weir_buffer_printf(out, "stage: %.*s", WEIR_ARG(stage));
        weir_output_line(out, from);
    }
    for (size_t i = 0; weir_is(declared, WEIR_OBJECT) && i < weir_value_count(declared); i++) {
        weir_str member = weir_object_key(declared, i);
        const weir_value *said = weir_object_at(declared, i);
        static const char *const elsewhere[] = {"stage", "inputs", "outputs", "config"};
        bool here = true;
        for (size_t j = 0; j < sizeof elsewhere / sizeof *elsewhere; j++)
            here &= !weir_str_is(member, elsewhere[j]);
        if (!here) continue;
        from = out->length;
        char time[24];
        if (weir_str_is(member, "timeout_us") && weir_is(said, WEIR_INT)) {
            weir_duration_format((uint64_t)weir_int_get(said), time);
            weir_buffer_printf(out, "timeout: %s", time);
        } else {
            weir_buffer_printf(out, "%.*s: ", WEIR_ARG(member));
            weir_json_plain(said, out);
        }
        weir_output_line(out, from);
    }
    for (size_t i = 0; weir_is(where, WEIR_OBJECT) && i < weir_value_count(where); i++) {
        from = out->length;
        weir_buffer_printf(out, "%.*s: ", WEIR_ARG(weir_object_key(where, i)));
        weir_json_plain(weir_object_at(where, i), out);
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
    put_declared(operation, out);
    put_ports(operation, "inputs", out);
    put_ports(operation, "outputs", out);
    put_ports(operation, "config", out);
    put_example(operation, out);
}

/* Adds what the word names. */
static bool add_named(weir_cli *cli, weir_engine *engine, const char *word, weir_value *all,
                      weir_error *error) {
    weir_value *request = weir_object_new(), *found;
    const char *python = weir_cli_text(cli, WEIR_FLAG_PYTHON);
    if (python) weir_output_member(request, "python", python);
    bool ok = weir_operations_find(engine, weir_str_from(word), request, &found, error);
    for (size_t i = 0; ok && i < weir_value_count(found); i++)
        weir_array_append(all, weir_value_ref(weir_array_at(found, i)));
    if (ok) weir_value_unref(found);
    weir_value_unref(request);
    return ok;
}

/* All operations, or those that the words name, without opening a state. NULL and the error. */
static weir_value *load(weir_cli *cli, bool all, weir_error *error) {
    weir_engine *engine;
    if (!weir_cli_open_memory(cli, &engine, error)) return NULL;
    weir_value *operations = all ? weir_operations(engine) : weir_array_new();
    bool ok = true;
    for (size_t i = 0; !all && ok && i < cli->words.count; i++)
        ok = add_named(cli, engine, cli->words.items[i], operations, error);
    weir_close(engine);
    if (ok) return operations;
    weir_value_unref(operations);
    return NULL;
}

int weir_operation_list_command(weir_cli *cli) {
    weir_error error;
    weir_value *operations = load(cli, !cli->words.count, &error);
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
    const char *name = cli->words.items[0];
    bool function = strchr(name, ':') != NULL;
    weir_value *operations = load(cli, !function, &error);
    if (!operations) return weir_cli_fail(&error);
    const weir_value *found =
        function ? weir_array_at(operations, 0) : find(operations, weir_str_from(name), &error);
    if (found && weir_cli_whole(cli))
        weir_cli_print(cli, found);
    else if (found)
        put_operation(found, &cli->out.text);
    int code = found ? 0 : weir_cli_fail(&error);
    weir_value_unref(operations);
    return code;
}
