/* Making values from what a reader has, without a search or a copy for each. One thread. */
#ifndef WEIR_DATA_VALUE_BUILD_H
#define WEIR_DATA_VALUE_BUILD_H

#include "data/value.h"

typedef struct weir_value_pair {
    weir_value *key; /* a string */
    weir_value *value;
} weir_value_pair;

enum { WEIR_INDEX_FROM = 9 }; /* objects with fewer members are searched one by one */

/* Of these members, whose keys differ, in memory for no more; takes the references over. */
weir_value *weir_object_of(const weir_value_pair *members, size_t count);
weir_value *weir_array_of(weir_value *const *items, size_t count);
/* The strings that a reader met, so that a value is made of equal ones once, mostly. */
typedef struct weir_known weir_known;
weir_known *weir_known_new(void);
void weir_known_free(weir_known *known); /* NULL is allowed */
/* A reference; `known` NULL: a new value. */
weir_value *weir_known_string(weir_known *known, weir_str text);
/* Which of its members has the key; SIZE_MAX: none. */
size_t weir_object_find(const weir_value *object, weir_str key);
/* The place of the key's value; `fresh`: the key was not there, its reference is taken over, and the value has to be put there
 * before anything else is done with the object. */
weir_value **weir_object_place(weir_value *object, weir_value *key, bool *fresh);

#endif
