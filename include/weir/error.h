/* Errors of weir: one code, where it is, what is wrong and what to do.
 *
 * An error lives on the caller's stack and owns no memory. A function that can fail returns bool and takes a
 * `weir_error *` as its last parameter; it fills the error only when it returns false, and leaves its other
 * out-parameters alone then. What the programmer got wrong is an assertion instead. */
#ifndef WEIR_ERROR_H
#define WEIR_ERROR_H

#include <stdint.h>

#if defined(__GNUC__)
#define WEIR_API __attribute__((visibility("default")))
#define WEIR_CHECKED __attribute__((warn_unused_result))
#define WEIR_PRINTF(text_at, first_at) __attribute__((format(printf, text_at, first_at)))
#else
#define WEIR_API
#define WEIR_CHECKED
#define WEIR_PRINTF(text_at, first_at)
#endif

/* X(name, text, exit code of the command, HTTP status, gRPC status) */
#define WEIR_CODES(X)                                                                              \
    X(OK, "ok", 0, 200, 0)                                                                         \
    X(USAGE, "usage", 2, 400, 3)                                                                   \
    X(SYNTAX, "invalid_syntax", 2, 400, 3)                                                         \
    X(INVALID, "invalid", 2, 400, 3)                                                               \
    X(LIMIT, "limit_exceeded", 2, 413, 8)                                                          \
    X(NOT_FOUND, "not_found", 2, 404, 5)                                                           \
    X(UNSUPPORTED, "not_supported", 2, 501, 12)                                                    \
    X(UNKNOWN_OPERATION, "unknown_operation", 2, 400, 3)                                           \
    X(UNKNOWN_DEFINITION, "unknown_definition", 2, 400, 3)                                         \
    X(UNKNOWN_VALIDATOR, "unknown_validator", 2, 400, 3)                                           \
    X(PLUGIN, "bad_plugin", 2, 400, 9)                                                             \
    X(DEFINITION_NOT_IN_CONTEXT, "definition_not_in_context", 1, 422, 9)                           \
    X(AMBIGUOUS_ANCESTOR, "ambiguous_ancestor", 1, 422, 9)                                         \
    X(REMAP_FAILED, "remap_failed", 1, 422, 9)                                                     \
    X(OPERATION_FAILED, "operation_failed", 1, 422, 9)                                             \
    X(CANCELLED, "cancelled", 1, 409, 1)                                                           \
    X(EXPIRED, "expired", 1, 504, 4)                                                               \
    X(CONFLICT, "conflict", 3, 409, 10)                                                            \
    X(IO, "io", 3, 500, 13)                                                                        \
    X(STORE, "store", 3, 500, 15)                                                                  \
    X(INTERNAL, "internal", 3, 500, 13)

typedef enum weir_code {
#define X(name, text, exit_code, http, grpc) WEIR_##name,
    WEIR_CODES(X)
#undef X
        WEIR_CODE_COUNT
} weir_code;

typedef struct weir_error {
    weir_code code;
    uint32_t line, column; /* from 1; 0 when there is no place */
    char file[256];        /* "" when no file is involved */
    char message[512];     /* what is wrong, one sentence */
    char hint[256];        /* what to do, or "" */
} weir_error;

/* The code's text form, as in JSON: "not_found". */
WEIR_API const char *weir_code_text(weir_code code);
/* The exit code a command ends with for this code: 0, 1, 2 or 3. */
WEIR_API int weir_code_exit(weir_code code);
/* "file:line:column: message (hint)" into `out`, always terminated; returns `out`. */
WEIR_API const char *weir_error_format(const weir_error *error, char *out, unsigned long size);

#endif
