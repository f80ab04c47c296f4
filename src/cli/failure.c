#include "cli/failure.h"

#include <unistd.h>

#include "cli/output.h"

enum { LOG_LINES = 20 };

/* Appends a value in words: "exit_code 3, signal 9"; without the log, which has lines of its own, and what `error`
 * says already; nor the traceback, which a log has. */
static void put_words(const weir_value *value, const weir_value *error, weir_buffer *out) {
    switch (weir_value_type(value)) {
    case WEIR_STRING: weir_buffer_str_append(out, weir_string_get(value)); return;
    case WEIR_OBJECT: break;
    default: weir_json_format(value, 0, out); return;
    }
    bool first = true;
    for (size_t i = 0; i < weir_value_count(value); i++) {
        weir_str key = weir_object_key(value, i);
        const weir_value *member = weir_object_at(value, i);
        const weir_value *said =
            weir_member_named(error, weir_str_is(key, "message") ? "what" : "code");
        bool again = said && weir_value_equal(member, said);
        bool lines = weir_str_is(key, "log") || weir_str_is(key, "traceback");
        if (weir_is(member, WEIR_NULL) || lines || again) continue;
        if (!first) weir_buffer_text(out, ", ");
        first = false;
        weir_buffer_printf(out, "%.*s ", WEIR_ARG(key));
        put_words(member, error, out);
    }
}

/* Of a chain of causes, the one that began it: the others repeat it. */
static const weir_value *innermost(const weir_value *value) {
    const weir_value *cause = weir_member_named(value, "cause");
    if (!cause) cause = weir_member_named(weir_member_named(value, "how"), "cause");
    return weir_is(cause, WEIR_OBJECT) ? innermost(cause) : value;
}

static void put_member(const weir_value *error, const char *name, weir_buffer *out) {
    const weir_value *value = weir_member_named(error, name);
    if (!value || !weir_value_truth(value)) return;
    weir_buffer words = {0};
    put_words(innermost(value), error, &words);
    size_t from = out->length;
    if (words.length) {
        weir_buffer_printf(out, "  %-5s  %s", name, words.data);
        weir_output_line(out, from);
    }
    weir_buffer_deinit(&words);
}

static void put_log(weir_str log, weir_buffer *out) {
    while (weir_str_ends(log, WEIR_STR("\n"))) log.length--;
    size_t from = log.length;
    for (int lines = 0; from > 0; from--)
        if (log.data[from - 1] == '\n' && ++lines == LOG_LINES) break;
    if (log.length) weir_buffer_text(out, "  its last lines:\n");
    for (size_t end; from < log.length; from = end + 1) {
        end = weir_str_find(log, WEIR_STR("\n"), from);
        if (end == SIZE_MAX) end = log.length;
        size_t line = out->length;
        weir_buffer_text(out, "    ");
        weir_buffer_str_append(out, weir_str_slice(log, from, end));
        weir_output_line(out, line);
    }
}

weir_str weir_failure_log(const weir_value *result) {
    return weir_member_text(weir_member_named(weir_member_named(result, "error"), "how"), "log");
}

void weir_failure_print(const weir_value *result) {
    const weir_value *error = weir_member_named(result, "error");
    weir_str what = weir_member_text(error, "what"), code = weir_member_text(error, "code");
    if (!what.length) what = weir_member_text(result, "message");
    weir_output out = {.fd = STDERR_FILENO};
    weir_buffer_printf(&out.text, "weir: %.*s failed", WEIR_ARG(weir_member_text(result, "name")));
    if (what.length) weir_buffer_text(&out.text, ": ");
    weir_buffer_str_append(&out.text, what);
    if (code.length) weir_buffer_printf(&out.text, " (%.*s)", WEIR_ARG(code));
    weir_output_line(&out.text, 0);
    put_member(error, "when", &out.text);
    put_member(error, "where", &out.text);
    put_member(error, "how", &out.text);
    put_log(weir_failure_log(result), &out.text);
    /* Nobody failed, nobody gave it: why is a matter of the whole dataflow. */
    if (weir_str_is(code, weir_code_text(WEIR_DEFINITION_NOT_IN_CONTEXT))) {
        size_t line = out.text.length;
        weir_buffer_printf(
            &out.text, "  hint: `weir explain %.*s`, or --explain, says why no operation gave it",
            WEIR_ARG(weir_member_text(result, "name")));
        weir_output_line(&out.text, line);
    }
    weir_output_flush(&out);
    weir_buffer_deinit(&out.text);
}

weir_value *weir_failure_result(const weir_error *error) {
    weir_value *result = weir_object_new(), *failure = weir_object_new();
    weir_output_member(failure, "code", weir_code_text(error->code));
    weir_output_member(failure, "what", error->message);
    weir_value *where = weir_object_new();
    if (error->file[0]) weir_output_member(where, "file", error->file);
    if (error->line) weir_member_put(where, "line", weir_int_new(error->line));
    if (error->line) weir_member_put(where, "column", weir_int_new(error->column));
    weir_member_put(failure, "where", where);
    if (error->hint[0]) weir_output_member(failure, "hint", error->hint);
    weir_member_put(result, "run", weir_null_new());
    weir_output_member(result, "phase", "Error");
    weir_member_put(result, "results", weir_null_new());
    weir_member_put(result, "error", failure);
    return result;
}
