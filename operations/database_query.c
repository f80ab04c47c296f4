#include "database_query.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static bool append(query *q, const char *data, size_t length) {
    if (length > QUERY_BYTES_MAX - q->length)
        return q->host->fail(q->call, "limit_exceeded", "the statement is longer than %d bytes",
                             QUERY_BYTES_MAX);
    if (q->length + length + 1 > q->capacity) {
        size_t capacity = (q->length + length + 1) * 2;
        char *text = q->host->alloc(q->call, capacity);
        if (q->length) memcpy(text, q->text, q->length);
        q->text = text;
        q->capacity = capacity;
    }
    memcpy(q->text + q->length, data, length);
    q->length += length;
    q->text[q->length] = '\0';
    return true;
}

bool query_add(query *q, const char *text) {
    return append(q, text, strlen(text));
}

bool query_add_name(query *q, weir_str name) {
    if (!name.length) return q->host->fail(q->call, "invalid", "a table or column has no name");
    bool ok = query_add(q, "`");
    for (size_t i = 0; ok && i < name.length; i++)
        ok = (name.data[i] != '`' || query_add(q, "`")) && append(q, name.data + i, 1);
    return ok && query_add(q, "`");
}

bool query_add_value(query *q, weir_str name, const weir_value *value) {
    weir_type type = q->host->value_type(value);
    if (type >= WEIR_ARRAY)
        return q->host->fail(q->call, "invalid",
                             "the value of `%.*s` must be null, a bool, a number or a string, "
                             "found %s",
                             (int)name.length, name.data, type_names[type]);
    if (q->value_count == QUERY_VALUES_MAX)
        return q->host->fail(q->call, "limit_exceeded", "more than %d values", QUERY_VALUES_MAX);
    if (q->value_count == q->value_capacity) {
        size_t capacity = q->value_capacity * 2 + 16;
        const weir_value **values = q->host->alloc(q->call, capacity * sizeof *values);
        for (size_t i = 0; i < q->value_count; i++) values[i] = q->values[i];
        q->values = values;
        q->value_capacity = capacity;
    }
    q->values[q->value_count++] = value;
    return query_add(q, "?");
}

/* Whether a column's type cannot end the column, and so the statement, and begin another. */
static bool is_type(weir_str text) {
    size_t depth = 0;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        if (c == '\'') {
            const char *end = memchr(text.data + i + 1, '\'', text.length - i - 1);
            if (!end) return false;
            i = (size_t)(end - text.data);
        } else if (c == '(') {
            depth++;
        } else if (c == ')') {
            if (depth-- == 0) return false;
        } else if (c == ',') {
            if (depth == 0) return false;
        } else if (!isalnum((unsigned char)c) && !strchr("_ .+", c)) {
            return false;
        }
    }
    return depth == 0;
}

bool query_add_type(query *q, weir_str name, const weir_value *type) {
    if (q->host->value_type(type) != WEIR_STRING || !is_type(q->host->string_get(type)))
        return q->host->fail(q->call, "invalid",
                             "the type of column `%.*s` must be words such as INTEGER NOT NULL, "
                             "numbers, 'texts' and parentheses",
                             (int)name.length, name.data);
    weir_str text = q->host->string_get(type);
    return query_add(q, " ") && append(q, text.data, text.length);
}

/* As SQLite spells it; NULL: none. */
static const char *find_operator(weir_str text) {
    static const char *const operators[] = {
        "=",  "==",   "!=",   "<>",       "<",  "<=",     ">",
        ">=", "LIKE", "GLOB", "NOT LIKE", "IS", "IS NOT", "NOT GLOB",
    };
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (strlen(operators[i]) == text.length &&
            strncasecmp(operators[i], text.data, text.length) == 0)
            return operators[i];
    return NULL;
}

static bool add_condition(query *q, const weir_value *condition) {
    const weir_host *host = q->host;
    if (host->value_type(condition) != WEIR_ARRAY || host->value_count(condition) != 3 ||
        host->value_type(host->array_at(condition, 0)) != WEIR_STRING ||
        host->value_type(host->array_at(condition, 1)) != WEIR_STRING)
        return host->fail(q->call, "invalid",
                          "parameter `conditions`: a condition is [column, operator, value]");
    weir_str column = host->string_get(host->array_at(condition, 0)),
             given = host->string_get(host->array_at(condition, 1));
    const char *operator= find_operator(given);
    if (!operator)
        return host->fail(q->call, "invalid",
                          "parameter `conditions`: no operator `%.*s`; there are = == != <> < <= > "
                          ">= LIKE GLOB IS, and NOT LIKE, NOT GLOB, IS NOT",
                          (int)given.length, given.data);
    return query_add_name(q, column) && query_add(q, " ") && query_add(q, operator) &&
           query_add(q, " ") && query_add_value(q, column, host->array_at(condition, 2));
}

static bool add_group(query *q, const weir_value *group, size_t *count) {
    const weir_host *host = q->host;
    if (host->value_type(group) != WEIR_ARRAY || !host->value_count(group))
        return host->fail(q->call, "invalid",
                          "parameter `conditions`: a group must be an array of conditions, one or "
                          "more");
    for (size_t i = 0; i < host->value_count(group); i++) {
        if (++*count > QUERY_CONDITIONS_MAX)
            return host->fail(q->call, "limit_exceeded", "more than %d conditions",
                              QUERY_CONDITIONS_MAX);
        if (!query_add(q, i ? " OR " : "(") || !add_condition(q, host->array_at(group, i)))
            return false;
    }
    return query_add(q, ")");
}

bool query_add_conditions(query *q, const weir_value *conditions) {
    const weir_host *host = q->host;
    if (!conditions) return true;
    if (host->value_type(conditions) != WEIR_ARRAY)
        return host->fail(q->call, "invalid",
                          "parameter `conditions` must be of type array, found %s",
                          type_name(host, conditions));
    size_t count = 0;
    for (size_t i = 0; i < host->value_count(conditions); i++)
        if (!query_add(q, i ? " AND " : " WHERE ") ||
            !add_group(q, host->array_at(conditions, i), &count))
            return false;
    return true;
}
