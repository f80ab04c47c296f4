/* Values of tests as one writes them in C: JSON with ' for ". */
#ifndef WEIR_TESTS_QUOTED_H
#define WEIR_TESTS_QUOTED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "data/json.h"

static inline weir_value *parse(const char *text) {
    weir_value *value;
    weir_error error;
    char *json = weir_str_dup(weir_str_from(text));
    for (char *at = json; (at = strchr(at, '\''));) *at = '"';
    if (!weir_json_parse(weir_str_from(json), WEIR_STR("test"), &value, &error))
        fail_msg("%u: %s in %s", error.column, error.message, json);
    weir_free(json);
    return value;
}

#endif
