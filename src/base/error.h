/* Making and extending errors (see <weir/error.h> for what an error is), and lists of them. Any thread. */
#ifndef WEIR_BASE_ERROR_H
#define WEIR_BASE_ERROR_H

#include <stdarg.h>

#include "base/text.h"
#include "base/vector.h"

/* Fills the error and returns false, so that a function can end with `return weir_fail(…)`. `error` may be NULL. */
bool weir_fail(weir_error *error, weir_code code, const char *format, ...) WEIR_PRINTF(3, 4);
#ifdef __clang_analyzer__ /* which does not see what another file returns */
#define weir_fail(...) (weir_fail(__VA_ARGS__), false)
#endif
/* The same of arguments that somebody was given. */
bool weir_fail_with(weir_error *error, weir_code code, const char *format, va_list arguments);
/* Says where; an empty file keeps what is there. */
void weir_error_place(weir_error *error, weir_str file, uint32_t line, uint32_t column);
void weir_error_hint(weir_error *error, const char *format, ...) WEIR_PRINTF(2, 3);
/* "did you mean `NEAR`?", and `more` behind it, which may be empty; with nothing near the hint stays, and it is false. */
bool weir_error_hint_near(weir_error *error, weir_str near, const char *more);
/* Puts "text: " before the message. */
void weir_error_context(weir_error *error, const char *format, ...) WEIR_PRINTF(2, 3);

/* All that is wrong with a file, at once. Holds at most WEIR_PROBLEMS_MAX; the rest are counted only. */
enum { WEIR_PROBLEMS_MAX = 100 };
typedef struct weir_problems {
    weir_error *items;
    size_t count, capacity;
    size_t total;
    /* What is not wrong but should be known: errors of the code OK, as many at most. */
    WEIR_VECTOR(weir_error) warnings;
    /* Places what is wrong with a request where its member at `path` (see weir_yaml_locate) was written, if it knows; NULL: nobody does. */
    void (*place)(void *arg, const char *path, weir_error *error);
    void *place_arg;
} weir_problems;

/* Unless it was told in the same words at the same place. */
void weir_problems_add(weir_problems *problems, const weir_error *error);
/* What is wrong with a request: placed, or else in `file` as a whole. */
void weir_problems_add_request(weir_problems *problems, const char *path, const char *file,
                               const weir_error *error);
void weir_problems_deinit(weir_problems *problems);

#endif
