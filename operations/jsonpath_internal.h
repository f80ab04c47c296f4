/* What the files of JSONPath's parser share. */
#ifndef WEIR_OPERATIONS_JSONPATH_INTERNAL_H
#define WEIR_OPERATIONS_JSONPATH_INTERNAL_H

#include "jsonpath.h"
#include "text.h"

typedef struct weir__path_parser {
    const weir_host *host;
    weir_call *call;
    weir_str text;
    size_t at;
    int depth;    /* of filters and parentheses */
    int segments; /* of all paths in the path */
    weir__jsonpath *out;
} weir__path_parser;

/* Fails the call, with the place. */
void weir__path_problem(weir__path_parser *p, const char *problem);
static inline bool weir__path_fail(weir__path_parser *p, const char *problem) {
    weir__path_problem(p, problem);
    return false;
}
void weir__path_skip_blanks(weir__path_parser *p);
/* Moves behind the text when it is there. */
bool weir__path_accept(weir__path_parser *p, const char *text);
static inline char weir__path_peek(const weir__path_parser *p) {
    return p->at < p->text.length ? p->text.data[p->at] : '\0';
}
/* A quoted string, its quote next. */
bool weir__path_string(weir__path_parser *p, weir_str *out);
/* Segments, as far as they go. */
bool weir__path_segments(weir__path_parser *p, weir__path *out);
/* A filter's expression. */
bool weir__path_filter(weir__path_parser *p, weir__expression **out);

#endif
