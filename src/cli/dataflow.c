/* weir dataflow: create, merge, export; weir pipeline: show, convert. What they print is a file for weir, and for DFFML or Argo. */
#include "cli/commands.h"
#include "data/yaml_format.h"

/* Texts of the command line as a list; those of `flag`, or with WEIR_FLAG_END the words. */
static bool put_texts(const weir_cli *cli, weir_flag flag, const char *member, weir_value *what,
                      weir_error *error) {
    weir_value *list = weir_array_new();
    for (size_t i = 0; flag == WEIR_FLAG_END && i < cli->words.count; i++)
        weir_array_append(list, weir_string_from(weir_str_from(cli->words.items[i])));
    for (size_t i = 0; i < cli->given.count; i++)
        if (cli->given.items[i].flag == flag)
            weir_array_append(list, weir_string_from(weir_str_from(cli->given.items[i].value)));
    weir_buffer json = {0};
    weir_value *parsed = NULL;
    weir_json_format(list, 0, &json);
    bool ok = weir_json_parse(weir_buffer_str(&json), WEIR_STR(""), &parsed, NULL) ||
              weir_fail(error, WEIR_INVALID, "%s: this is not UTF-8 text", member);
    weir_value_unref(parsed);
    weir_buffer_deinit(&json);
    weir_member_put(what, member, list);
    return ok;
}

/* Prints the dataflow, or says what is wrong; ends the engine. */
static int finish(weir_cli *cli, weir_engine *engine, bool ok, weir_value *flow, size_t said,
                  const weir_error *error) {
    weir_close(engine);
    if (ok) weir_cli_print(cli, flow);
    weir_value_unref(flow);
    if (ok) return 0;
    return said ? weir_code_exit(error->code) : weir_cli_fail(error);
}

int weir_dataflow_create_command(weir_cli *cli) {
    weir_error error;
    weir_engine *engine = NULL;
    weir_value *flow = NULL, *what = weir_object_new();
    weir_member_put(what, "linked", weir_bool_new(!weir_cli_has(cli, WEIR_FLAG_NOT_LINKED)));
    const char *python = weir_cli_text(cli, WEIR_FLAG_PYTHON);
    if (python) weir_output_member(what, "python", python);
    bool ok = put_texts(cli, WEIR_FLAG_END, "operations", what, &error) &&
              put_texts(cli, WEIR_FLAG_SEED, "inputs", what, &error) &&
              put_texts(cli, WEIR_FLAG_FLOW, "flow", what, &error) &&
              put_texts(cli, WEIR_FLAG_OPERATION_CONFIG, "config", what, &error) &&
              weir_cli_open_memory(cli, &engine, &error) &&
              weir_dataflow_create(engine, what, &flow, &error);
    weir_value_unref(what);
    return finish(cli, engine, ok, flow, 0, &error);
}

int weir_dataflow_merge_command(weir_cli *cli) {
    weir_error error;
    weir_engine *engine = NULL;
    weir_value *flow = NULL;
    *weir_vector_push(&cli->words) = NULL;
    bool ok = weir_cli_open_memory(cli, &engine, &error) &&
              weir_dataflow_merge(engine, cli->words.items,
                                  !weir_cli_has(cli, WEIR_FLAG_NOT_LINKED), &flow, &error);
    return finish(cli, engine, ok, flow, 0, &error);
}

int weir_dataflow_export_command(weir_cli *cli) {
    weir_error error;
    weir_engine *engine = NULL;
    weir_value *flow = NULL, *request = NULL;
    size_t said = 0;
    bool ok = weir_cli_request(cli, &request, &error) &&
              weir_cli_open_memory(cli, &engine, &error) &&
              weir_dataflow_export(engine, request, weir_cli_has(cli, WEIR_FLAG_LINKED),
                                   weir_output_problem_counted, &said, &flow, &error);
    weir_value_unref(request);
    return finish(cli, engine, ok, flow, said, &error);
}

/* In the form that is wanted; as YAML unless it is to be JSON. */
int weir_pipeline_command(weir_cli *cli) {
    weir_error error;
    weir_engine *engine = NULL;
    weir_value *form = NULL, *request = NULL;
    size_t said = 0;
    const char *to = weir_cli_text(cli, WEIR_FLAG_TO), *image = weir_cli_text(cli, WEIR_FLAG_IMAGE);
    bool shows = strcmp(cli->command->name, "pipeline show") == 0;
    bool ok = weir_cli_request(cli, &request, &error) && weir_cli_open_memory(cli, &engine, &error);
    if (ok && image) weir_output_member(request, "image", image);
    ok = ok && weir_pipeline_form(engine, request,
                                  shows ? "dataflow"
                                  : to  ? to
                                        : "plain",
                                  weir_output_problem_counted, &said, &form, &error);
    if (engine) weir_close(engine);
    if (ok && weir_cli_form(cli, "json"))
        weir_output_value(&cli->out, form, 2);
    else if (ok)
        weir_yaml_format(form, &cli->out.text);
    weir_value_unref(form);
    weir_value_unref(request);
    if (ok) return 0;
    return said ? weir_code_exit(error.code) : weir_cli_fail(&error);
}
