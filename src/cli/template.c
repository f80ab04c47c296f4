/* `weir template …` and `weir cluster-template …`: templates that the state keeps. */
#include <stdio.h>
#include <string.h>

#include "cli/program.h"
#include "data/document.h"

static bool is_cluster(const weir_cli *cli) {
    return strncmp(cli->command->name, "cluster-", strlen("cluster-")) == 0;
}

static const char *kind_of(const weir_cli *cli) {
    return is_cluster(cli) ? "ClusterWorkflowTemplate" : "WorkflowTemplate";
}

static weir_str metadata_text(const weir_value *template, const char *member) {
    return weir_member_text(weir_member_named(template, "metadata"), member);
}

/* As Argo shows one. */
static void print_template(weir_cli *cli, const weir_value *template) {
    weir_buffer *out = &cli->out.text;
    weir_str name = metadata_text(template, "name");
    if (weir_cli_whole(cli)) {
        weir_cli_print(cli, template);
        return;
    }
    if (weir_cli_form(cli, "name")) {
        weir_output_plain(out, name);
        weir_buffer_byte(out, '\n');
        return;
    }
    weir_buffer_printf(out, "%-20s %.*s\n", "Name:", WEIR_ARG(name));
    weir_buffer_printf(out, "%-20s %.*s\n",
                       "Created:", WEIR_ARG(metadata_text(template, "creationTimestamp")));
}

/* --- create, update ---------------------------------------------------------------------------------- */

/* What is asked of the file; a program is executed for that. */
static bool make_request(weir_cli *cli, const char *file, weir_value **out, weir_error *error) {
    weir_value *request = weir_object_new();
    weir_member_put_text(request, "file", weir_str_from(file));
    weir_member_put_text(request, "kind", WEIR_STR("workflow"));
    if (weir_cli_has(cli, WEIR_FLAG_STRICT))
        weir_member_put(request, "strict_fields", weir_bool_new(true));
    if (!weir_program_is(file) || weir_program_gather(cli, file, NULL, 0, request, error)) {
        *out = request;
        return true;
    }
    weir_value_unref(request);
    return false;
}

/* Whether nothing is wrong with it; what is has been said. */
static bool check_file(weir_engine *engine, const weir_value *request, weir_error *error) {
    size_t said = 0;
    bool ok = weir_check(engine, request, weir_output_problem_counted, &said, NULL, error);
    if (!ok && !said) weir_output_problem(error);
    return ok;
}

static bool load(const weir_value *request, weir_document *document, weir_error *error) {
    const char *file = weir_member_text(request, "file").data;
    const weir_value *text = weir_member_named(request, "document");
    if (!text) return weir_document_load(document, file, WEIR_YAML_1_1, error);
    return weir_document_parse(document, file, weir_string_get(text), WEIR_YAML_1_1, error);
}

/* Keeps each template of the file; an error names the file. */
static bool put_file(weir_cli *cli, weir_engine *engine, const weir_value *request,
                     weir_error *error) {
    weir_document document = {0};
    weir_str file = weir_member_text(request, "file");
    bool replace = strstr(cli->command->name, "update") != NULL, any = false;
    if (!load(request, &document, error)) return false;
    bool ok = true;
    for (size_t i = 0; ok && i < document.roots.count; i++) {
        const weir_value *root = document.roots.items[i];
        weir_value *kept;
        if (!weir_str_is(weir_member_text(root, "kind"), kind_of(cli))) continue;
        any = true;
        ok = weir_template_put(engine, root, replace, error) &&
             weir_template_get(engine, is_cluster(cli), metadata_text(root, "name").data, &kept,
                               error);
        if (!ok) break;
        print_template(cli, kept);
        weir_value_unref(kept);
    }
    if (ok && !any) ok = weir_fail(error, WEIR_INVALID, "the file has no %s", kind_of(cli));
    if (!ok) weir_error_place(error, file, 0, 0);
    weir_document_deinit(&document);
    return ok;
}

int weir_template_write_command(weir_cli *cli) {
    weir_error error;
    weir_engine *engine;
    int code = 0;
    if (!weir_cli_open(cli, false, NULL, &engine, &error)) return weir_cli_fail(&error);
    for (size_t i = 0; i < cli->words.count; i++) {
        weir_value *request = NULL;
        int failed = 0;
        if (!make_request(cli, cli->words.items[i], &request, &error))
            failed = weir_cli_fail(&error);
        else if (!check_file(engine, request, &error))
            failed = weir_code_exit(error.code);
        else if (!put_file(cli, engine, request, &error))
            failed = weir_cli_fail(&error);
        weir_value_unref(request);
        if (failed > code) code = failed;
    }
    weir_close(engine);
    return code;
}

/* --- list, get, delete ------------------------------------------------------------------------------- */

typedef struct listing {
    weir_cli *cli;
    weir_value *list;
} listing;

/* KEY=VALUE, or KEY. */
static bool has_label(const weir_value *template, const char *label) {
    const weir_value *labels = weir_member_named(weir_member_named(template, "metadata"), "labels");
    const char *equals = strchr(label, '=');
    weir_str key = {label, equals ? (size_t)(equals - label) : strlen(label)};
    const weir_value *value = weir_is(labels, WEIR_OBJECT) ? weir_member(labels, key) : NULL;
    return value && (!equals || (weir_is(value, WEIR_STRING) &&
                                 weir_str_is(weir_string_get(value), equals + 1)));
}

static bool take_template(void *arg, const weir_value *template) {
    listing *l = arg;
    for (size_t i = 0; i < l->cli->given.count; i++)
        if (l->cli->given.items[i].flag == WEIR_FLAG_LABELLED &&
            !has_label(template, l->cli->given.items[i].value))
            return true;
    weir_array_append(l->list, weir_value_ref((weir_value *)template));
    return true;
}

bool weir_template_list_command(weir_cli *cli, weir_engine *engine, weir_error *error) {
    listing l = {cli, weir_array_new()};
    bool ok = weir_template_list(engine, is_cluster(cli), take_template, &l, error);
    if (ok && weir_cli_whole(cli)) weir_cli_print(cli, l.list);
    bool names = ok && !weir_cli_whole(cli);
    if (names && !weir_cli_form(cli, "name")) weir_buffer_text(&cli->out.text, "NAME\n");
    for (size_t i = 0; names && i < weir_value_count(l.list); i++) {
        weir_output_plain(&cli->out.text, metadata_text(weir_array_at(l.list, i), "name"));
        weir_buffer_byte(&cli->out.text, '\n');
    }
    weir_value_unref(l.list);
    return ok;
}

bool weir_template_get_command(weir_cli *cli, weir_engine *engine, weir_error *error) {
    for (size_t i = 0; i < cli->words.count; i++) {
        weir_value *template;
        if (!weir_template_get(engine, is_cluster(cli), cli->words.items[i], &template, error))
            return false;
        print_template(cli, template);
        weir_value_unref(template);
    }
    return true;
}

static bool delete_template(weir_cli *cli, weir_engine *engine, const char *name,
                            weir_error *error) {
    if (!weir_template_delete(engine, is_cluster(cli), name, error)) return false;
    weir_buffer_printf(&cli->out.text, "%s: deleted\n", name);
    return true;
}

bool weir_template_delete_command(weir_cli *cli, weir_engine *engine, weir_error *error) {
    bool all = weir_cli_has(cli, WEIR_FLAG_ALL), ok = true;
    if (all == (cli->words.count > 0))
        return weir_fail(error, WEIR_USAGE, "which: NAME…, or --all?");
    for (size_t i = 0; ok && i < cli->words.count; i++)
        ok = delete_template(cli, engine, cli->words.items[i], error);
    listing l = {cli, weir_array_new()};
    ok = ok && (!all || weir_template_list(engine, is_cluster(cli), take_template, &l, error));
    for (size_t i = 0; ok && i < weir_value_count(l.list); i++)
        ok = delete_template(cli, engine, metadata_text(weir_array_at(l.list, i), "name").data,
                             error);
    weir_value_unref(l.list);
    return ok;
}
