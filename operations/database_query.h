/* A statement that is being written: text and the values bound to it. Names are always quoted, values always bound; the
 * memory is the call's. One thread. */
#ifndef WEIR_OPERATIONS_DATABASE_QUERY_H
#define WEIR_OPERATIONS_DATABASE_QUERY_H

#include "parameter.h"

enum {
    QUERY_BYTES_MAX = 1000000,  /* SQLite's own limit of a statement */
    QUERY_VALUES_MAX = 32766,   /* and of the values bound to it */
    QUERY_CONDITIONS_MAX = 1000 /* and of how deep an expression is */
};

typedef struct query {
    const weir_host *host;
    weir_call *call;
    char *text; /* terminated */
    size_t length, capacity;
    const weir_value **values; /* borrowed from the parameters */
    size_t value_count, value_capacity;
} query;

bool query_add(query *q, const char *text);
/* "`", the name with its quotes doubled, "`": SQLite takes that for a name only, never for a text. */
bool query_add_name(query *q, weir_str name);
/* "?", and the value: null, a bool, a number or a text. `name` says what it is for. */
bool query_add_value(query *q, weir_str name, const weir_value *value);
/* A column's type and constraints: words, numbers, 'texts' and what is in parentheses; nothing that ends the column. */
bool query_add_type(query *q, weir_str name, const weir_value *type);
/* " WHERE …": every group, of each any condition. Nothing for NULL and for an empty array. */
bool query_add_conditions(query *q, const weir_value *conditions);

#endif
