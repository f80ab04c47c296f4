/* Values: JSON-like data that operations take and give.
 *
 * A value is counted and immutable once shared: whoever holds a reference may read it from any thread. Only the
 * maker of an array or object may append to it, and only before anybody else holds a reference (asserted). An object
 * keeps the order in which its members were set. Strings are UTF-8 with a length and a NUL behind them.
 *
 * Functions named `new` give one reference to the caller, who ends it with weir_value_unref. A function that takes a
 * value as a member (`append`, `set`) takes over the caller's reference. Getters borrow. */
#ifndef WEIR_VALUE_H
#define WEIR_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/error.h>

typedef enum weir_type {
    WEIR_NULL,
    WEIR_BOOL,
    WEIR_INT,
    WEIR_FLOAT,
    WEIR_STRING,
    WEIR_ARRAY,
    WEIR_OBJECT,
    WEIR_BYTES,
    WEIR_FOREIGN /* an object of another language, which nobody reads but that: it is passed on, kept and compared */
} weir_type;

typedef struct weir_value weir_value;

/* A borrowed string; not necessarily terminated. */
typedef struct weir_str {
    const char *data;
    size_t length;
} weir_str;

WEIR_API weir_value *weir_value_ref(weir_value *value); /* NULL is allowed */
WEIR_API void weir_value_unref(weir_value *value);      /* NULL is allowed */

WEIR_API weir_value *weir_null_new(void);
WEIR_API weir_value *weir_bool_new(bool value);
WEIR_API weir_value *weir_int_new(int64_t value);
WEIR_API weir_value *weir_float_new(double value);
WEIR_API weir_value *weir_string_new(const char *data, size_t length);
/* A copy of the bytes. */
WEIR_API weir_value *weir_bytes_new(const void *data, size_t length);
/* The bytes themselves, which stay as they are until `release` is called, once, from any thread. */
WEIR_API weir_value *weir_bytes_wrap(const void *data, size_t length, void (*release)(void *arg),
                                     void *arg);
WEIR_API weir_value *weir_array_new(void);
WEIR_API weir_value *weir_object_new(void);

WEIR_API void weir_array_append(weir_value *array, weir_value *item);
/* Sets or replaces a member. */
WEIR_API void weir_object_set(weir_value *object, const char *key, size_t length,
                              weir_value *value);

WEIR_API weir_type weir_value_type(const weir_value *value);
WEIR_API const char *weir_type_text(weir_type type);
WEIR_API bool weir_bool_get(const weir_value *value);       /* asserts a bool */
WEIR_API int64_t weir_int_get(const weir_value *value);     /* asserts an int */
WEIR_API double weir_number_get(const weir_value *value);   /* asserts an int or a float */
WEIR_API weir_str weir_string_get(const weir_value *value); /* asserts a string; terminated */
WEIR_API weir_str weir_bytes_get(const weir_value *value);  /* asserts bytes; not terminated */
/* Items of an array, members of an object. */
WEIR_API size_t weir_value_count(const weir_value *value);
WEIR_API weir_value *weir_array_at(const weir_value *array, size_t index);
WEIR_API weir_str weir_object_key(const weir_value *object, size_t index);
WEIR_API weir_value *weir_object_at(const weir_value *object, size_t index);
/* The member, or NULL when there is none. */
WEIR_API weir_value *weir_object_get(const weir_value *object, const char *key, size_t length);

/* Deep equality as JSON means it; 1 and 1.0 are different. */
WEIR_API bool weir_value_equal(const weir_value *a, const weir_value *b);
/* Python's truth: null, false, 0, 0.0, "", [], {} and no bytes are false. */
WEIR_API bool weir_value_truth(const weir_value *value);

#endif
