#include <stdio.h>
#include <unistd.h>

#include "cli/caret.h"
#include "cli/commands.h"
#include "data/yaml_format.h"

typedef struct checking {
    const char *file;
    weir_value *list; /* NULL: findings are said at once, for people */
    size_t errors, warnings;
    weir_caret_file shown;
} checking;

static void add_finding(void *arg, const weir_error *error, const weir_value *detail) {
    checking *check = arg;
    weir_error placed = *error;
    if (!placed.file[0]) snprintf(placed.file, sizeof placed.file, "%s", check->file);
    ++*(error->code == WEIR_OK ? &check->warnings : &check->errors);
    if (!check->list) {
        weir_buffer caret = {0};
        weir_output_problem(&placed);
        weir_caret_append(&check->shown, &placed, &caret);
        fwrite(caret.data ? caret.data : "", 1, caret.length, stderr);
        weir_buffer_deinit(&caret);
        return;
    }
    weir_value *problem = weir_output_problem_value(&placed);
    weir_output_member(problem, "severity", error->code == WEIR_OK ? "warning" : "error");
    for (size_t i = 0; detail && i < weir_value_count(detail); i++)
        weir_member_set(problem, weir_object_key(detail, i),
                        weir_value_ref(weir_object_at(detail, i)));
    weir_array_append(check->list, problem);
}

static int64_t number_of(const weir_value *proof, const char *key) {
    const weir_value *number = weir_member_named(proof, key);
    return number ? weir_int_get(number) : 0;
}

/* "line (str), numbers" of the list's items, the first few; and how many more there are. */
static void append_items(const weir_value *list, const char *key, const char *beside,
                         weir_buffer *out) {
    enum { SHOWN_MAX = 12 };
    for (size_t i = 0; i < weir_value_count(list); i++) {
        const weir_value *item = weir_array_at(list, i);
        if (i == SHOWN_MAX) {
            weir_buffer_printf(out, " and %zu more", weir_value_count(list) - SHOWN_MAX);
            return;
        }
        weir_str more = *beside ? weir_member_text(item, beside) : WEIR_STR("");
        weir_buffer_printf(out, "%s%.*s", i ? ", " : "",
                           WEIR_ARG(weir_is(item, WEIR_STRING) ? weir_string_get(item)
                                                               : weir_member_text(item, key)));
        if (more.length) weir_buffer_printf(out, " (%.*s)", WEIR_ARG(more));
    }
}

static void print_list(weir_buffer *text, const char *title, const weir_value *proof,
                       const char *member, const char *key, const char *beside) {
    const weir_value *list = weir_member_named(proof, member);
    size_t from = text->length;
    if (!list) return;
    weir_buffer_printf(text, "  %s: ", title);
    append_items(list, key, beside, text);
    weir_output_line(text, from);
}

/* The proof in a few lines. */
static void print_proof(weir_buffer *text, const char *file, const weir_value *proof) {
    bool finishes = weir_value_truth(weir_member_named(proof, "can_finish"));
    const char *one = weir_member_named(proof, "steps")                          ? "step"
                      : weir_str_is(weir_member_text(proof, "kind"), "pipeline") ? "component"
                                                                                 : "operation";
    int64_t run = number_of(proof, "run"), may = number_of(proof, "may_not_run"),
            never = number_of(proof, "never_run");
    size_t from = text->length;
    weir_buffer_printf(text, "%s: a %.*s that %s finish: %lld %s%s run%s", file,
                       WEIR_ARG(weir_member_text(proof, "kind")), finishes ? "can" : "cannot",
                       (long long)run, one, run == 1 ? "" : "s", run == 1 ? "s" : "");
    if (may) weir_buffer_printf(text, ", %lld may not run", (long long)may);
    if (never)
        weir_buffer_printf(text, ", %lld never run%s", (long long)never, never == 1 ? "s" : "");
    weir_output_line(text, from);
    print_list(text, "may not run", proof, "may", "component", "when");
    print_list(text, "never run", proof, "never", "", "");
    print_list(text, "left out, as they lead to nothing that is wanted", proof, "left_out", "", "");
    print_list(text, "wait for somebody", proof, "waits", "", "");
    const weir_value *needs = weir_member_named(proof, "needs");
    bool parameters = needs && weir_member_named(weir_array_at(needs, 0), "parameter");
    print_list(text, "to be given", proof, "needs", parameters ? "parameter" : "definition",
               "primitive");
}

static void print_counts(const checking *check, const weir_value *proof) {
    int64_t errors = number_of(proof, "errors");
    if (errors < (int64_t)check->errors) errors = (int64_t)check->errors;
    if (errors) fprintf(stderr, "%lld problem%s\n", (long long)errors, errors == 1 ? "" : "s");
}

int weir_check_command(weir_cli *cli) {
    weir_error error;
    weir_value *request, *proof;
    weir_engine *engine;
    if (!weir_cli_request(cli, &request, &error)) return weir_cli_fail(&error);
    checking check = {.file = weir_member_text(request, "file").data};
    if (!weir_cli_open_memory(cli, &engine, &error)) {
        weir_value_unref(request);
        return weir_cli_fail(&error);
    }
    if (weir_cli_whole(cli)) check.list = weir_array_new();
    bool ok = weir_prove(engine, request, add_finding, &check, &proof, &error);
    if (!ok && !check.errors) add_finding(&check, &error, NULL);
    bool proved = weir_member_named(proof, "can_finish") != NULL;
    if (check.list) {
        weir_value *answer = weir_object_new();
        weir_output_member(answer, "file", check.file);
        weir_member_put(answer, "kind", weir_value_ref(weir_member_named(proof, "kind")));
        weir_member_put(answer, "problems", check.list);
        if (proved) weir_member_put(answer, "proof", weir_value_ref(proof));
        weir_cli_print(cli, answer);
        weir_value_unref(answer);
    } else {
        if (proved) print_proof(&cli->out.text, check.file, proof);
        weir_output_flush(&cli->out);
        print_counts(&check, proof);
    }
    weir_caret_file_deinit(&check.shown);
    weir_value_unref(proof);
    weir_value_unref(request);
    weir_close(engine);
    return ok ? 0 : weir_code_exit(error.code);
}

/* They were said already. */
static void count_problem(void *arg, const weir_error *error) {
    *(size_t *)arg += error->code != WEIR_OK;
}

/* What would run as a tree, beside the file that would. */
static void print_tree(weir_cli *cli, weir_engine *engine, const weir_value *request) {
    weir_value *tree;
    weir_error ignored;
    size_t said = 0;
    weir_output out = {.fd = STDERR_FILENO};
    if (!weir_cli_form(cli, "text") || weir_cli_has(cli, WEIR_FLAG_QUIET) ||
        !weir_graph(engine, request, "text", NULL, count_problem, &said, &tree, &ignored))
        return;
    weir_buffer_str_append(&out.text, weir_string_get(tree));
    weir_output_flush(&out);
    weir_buffer_deinit(&out.text);
    weir_value_unref(tree);
}

int weir_preview_command(weir_cli *cli) {
    weir_error error;
    weir_value *request, *preview;
    weir_engine *engine;
    size_t said = 0;
    if (!weir_cli_request(cli, &request, &error)) return weir_cli_fail(&error);
    bool ok = weir_cli_open_memory(cli, &engine, &error);
    if (ok) {
        ok = weir_preview(engine, request, weir_output_problem_counted, &said, &preview, &error);
        if (ok) print_tree(cli, engine, request);
        weir_close(engine);
    }
    weir_value_unref(request);
    if (!ok) return said ? weir_code_exit(error.code) : weir_cli_fail(&error);
    if (weir_cli_form(cli, "json"))
        weir_output_value(&cli->out, preview, 2);
    else
        weir_yaml_format(preview, &cli->out.text);
    weir_value_unref(preview);
    return 0;
}
