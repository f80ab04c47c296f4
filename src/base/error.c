#include "base/error.h"

#include <stdio.h>

static const struct {
    const char *text;
    int exit_code;
} codes[WEIR_CODE_COUNT] = {
#define X(name, text, exit_code, http, grpc) [WEIR_##name] = {text, exit_code},
    WEIR_CODES(X)
#undef X
};

const char *weir_code_text(weir_code code) {
    weir_assert(code < WEIR_CODE_COUNT);
    return codes[code].text;
}

int weir_code_exit(weir_code code) {
    weir_assert(code < WEIR_CODE_COUNT);
    return codes[code].exit_code;
}

const char *weir_error_format(const weir_error *error, char *out, unsigned long size) {
    char place[320] = "";
    if (error->file[0] && error->line)
        snprintf(place, sizeof place, "%s:%u:%u: ", error->file, error->line, error->column);
    else if (error->file[0])
        snprintf(place, sizeof place, "%s: ", error->file);
    snprintf(out, size, "%s%s%s%s%s", place, error->message, error->hint[0] ? " (" : "",
             error->hint, error->hint[0] ? ")" : "");
    return out;
}

bool(weir_fail)(weir_error *error, weir_code code, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)weir_fail_with(error, code, format, arguments);
    va_end(arguments);
    return false;
}

bool weir_fail_with(weir_error *error, weir_code code, const char *format, va_list arguments) {
    if (!error) return false;
    *error = (weir_error){.code = code};
    vsnprintf(error->message, sizeof error->message, format, arguments);
    weir_text_end_whole(error->message, sizeof error->message);
    return false;
}

void weir_error_place(weir_error *error, weir_str file, uint32_t line, uint32_t column) {
    if (!error) return;
    if (file.length) snprintf(error->file, sizeof error->file, "%.*s", WEIR_ARG(file));
    weir_text_end_whole(error->file, sizeof error->file);
    error->line = line;
    error->column = column;
}

void weir_error_hint(weir_error *error, const char *format, ...) {
    if (!error) return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->hint, sizeof error->hint, format, arguments);
    va_end(arguments);
    weir_text_end_whole(error->hint, sizeof error->hint);
}

bool weir_error_hint_near(weir_error *error, weir_str near, const char *more) {
    if (near.length)
        weir_error_hint(error, "did you mean `%.*s`?%s%s", WEIR_ARG(near), *more ? " " : "", more);
    return near.length > 0;
}

void weir_error_context(weir_error *error, const char *format, ...) {
    if (!error) return;
    weir_buffer message = {0};
    char prefix[sizeof error->message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(prefix, sizeof prefix, format, arguments);
    va_end(arguments);
    weir_buffer_printf(&message, "%s: %s", prefix, error->message);
    size_t length = message.length < sizeof prefix ? message.length : sizeof prefix - 1;
    memcpy(error->message, message.data, length);
    error->message[length] = '\0';
    weir_text_end_whole(error->message, sizeof error->message);
    weir_buffer_deinit(&message);
}

/* Two who look at the same thing may find the same wrong with it. */
static bool is_told(const weir_error *items, size_t count, const weir_error *error) {
    for (size_t i = 0; i < count; i++)
        if (items[i].line == error->line && items[i].column == error->column && error->line &&
            strcmp(items[i].message, error->message) == 0 &&
            strcmp(items[i].file, error->file) == 0)
            return true;
    return false;
}

void weir_problems_add(weir_problems *problems, const weir_error *error) {
    if (error->code == WEIR_OK) {
        if (problems->warnings.count < WEIR_PROBLEMS_MAX &&
            !is_told(problems->warnings.items, problems->warnings.count, error))
            *weir_vector_push(&problems->warnings) = *error;
        return;
    }
    if (is_told(problems->items, problems->count, error)) return;
    problems->total++;
    if (problems->count < WEIR_PROBLEMS_MAX) *weir_vector_push(problems) = *error;
}

void weir_problems_add_request(weir_problems *problems, const char *path, const char *file,
                               const weir_error *error) {
    weir_error placed = *error;
    weir_error_place(&placed, weir_str_from(file), 0, 0);
    /* When it is one too many it is only counted. */
    if (problems->place && problems->count < WEIR_PROBLEMS_MAX)
        problems->place(problems->place_arg, path, &placed);
    weir_problems_add(problems, &placed);
}

void weir_problems_deinit(weir_problems *problems) {
    weir_free(problems->items);
    weir_vector_deinit(&problems->warnings);
    *problems = (weir_problems){0};
}
