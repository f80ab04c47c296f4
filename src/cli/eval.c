#include <stdio.h>
#include <unistd.h>

#include "cli/caret.h"
#include "cli/commands.h"
#include "data/document.h"

enum { FILE_BYTES_MAX = 64 * 1024 * 1024 };

static void print_error(weir_str text, const weir_error *error) {
    weir_buffer out = {0};
    weir_output_problem(error);
    weir_caret_append_text(text, error, &out);
    fwrite(out.data ? out.data : "", 1, out.length, stderr);
    weir_buffer_deinit(&out);
}

static weir_value *error_value(const weir_error *error) {
    weir_value *answer = weir_object_new(), *value = weir_object_new();
    weir_output_member(value, "code", weir_code_text(error->code));
    weir_output_member(value, "what", error->message);
    if (error->line > 0) {
        weir_member_put(value, "line", weir_int_new(error->line));
        weir_member_put(value, "column", weir_int_new(error->column));
    }
    if (*error->hint) weir_output_member(value, "hint", error->hint);
    weir_member_put(answer, "error", value);
    return answer;
}

/* Evaluates and prints; the exit code. */
static int print_one(weir_cli *cli, weir_str text, weir_value *env) {
    weir_error error = {0};
    weir_value *value = weir_evaluate(text.data, text.length, env, &error), *answer;
    bool lines = weir_cli_form(cli, "jsonl");
    if (!value && !lines) {
        print_error(text, &error);
        return weir_code_exit(error.code);
    }
    int code = value ? 0 : weir_code_exit(error.code);
    if (lines) {
        answer = value ? weir_object_new() : error_value(&error);
        if (value) weir_member_put(answer, "value", weir_value_ref(value));
        weir_output_value(&cli->out, answer, 0);
        weir_value_unref(answer);
    } else if (weir_cli_form(cli, "text") && weir_is(value, WEIR_STRING)) {
        weir_buffer_str_append(&cli->out.text, weir_string_get(value));
        weir_buffer_byte(&cli->out.text, '\n');
    } else {
        weir_output_value(&cli->out, value, weir_cli_form(cli, "text") ? 0 : 2);
    }
    weir_value_unref(value);
    return code;
}

/* Each line of the file is one. With lines of JSON a failure is an answer like any other. */
static int print_file(weir_cli *cli, const char *file, weir_value *env, weir_error *error) {
    weir_buffer text = {0};
    if (!weir_file_read(file, FILE_BYTES_MAX, &text, error)) return weir_cli_fail(error);
    int code = 0;
    for (size_t at = 0; at < text.length && weir_output_more(&cli->out);) {
        size_t end = weir_str_find(weir_buffer_str(&text), WEIR_STR("\n"), at);
        weir_str line = weir_str_slice(weir_buffer_str(&text), at, end);
        int one = print_one(cli, line, env);
        if (code == 0 && !weir_cli_form(cli, "jsonl")) code = one;
        at += line.length + 1;
    }
    weir_buffer_deinit(&text);
    return code;
}

static bool load_env(const char *file, weir_document *document, weir_error *error) {
    if (!weir_document_load(document, file, WEIR_YAML_1_1, error)) return false;
    if (document->roots.count == 1 && weir_is(document->roots.items[0], WEIR_OBJECT)) return true;
    weir_document_deinit(document);
    weir_fail(error, WEIR_INVALID, "the environment has to be an object");
    weir_error_place(error, weir_str_from(file), 0, 0);
    return false;
}

int weir_eval_command(weir_cli *cli) {
    weir_error error;
    weir_document document = {0};
    const char *env = weir_cli_text(cli, WEIR_FLAG_ENV),
               *file = weir_cli_text(cli, WEIR_FLAG_EXPRESSIONS);
    if ((file != NULL) == (cli->words.count > 0)) {
        weir_fail(&error, WEIR_USAGE, "an expression is wanted, or --file with one a line");
        return weir_cli_fail(&error);
    }
    if (env && !load_env(env, &document, &error)) return weir_cli_fail(&error);
    weir_value *names = env ? document.roots.items[0] : NULL;
    int code = file ? print_file(cli, file, names, &error)
                    : print_one(cli, weir_str_from(cli->words.items[0]), names);
    if (env) weir_document_deinit(&document);
    return code;
}
