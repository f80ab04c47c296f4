#include "parameter.h"

#include <inttypes.h>
#include <stddef.h>

weir_value *weir__given(const weir_host *host, const weir_call *call, const char *name) {
    weir_value *value = host->parameter(call, name);
    return value ? value : host->config(call, name);
}

static void fail_type(const weir_host *host, weir_call *call, const char *name, const char *type,
                      const weir_value *found) {
    host->fail(call, "invalid", "`%s` must be of type %s, found %s", name, type,
               type_name(host, found));
}

weir_value *weir__needed(const weir_host *host, weir_call *call, const char *name) {
    weir_value *value = weir__given(host, call, name);
    if (!value) host->fail(call, "invalid", "`%s` is missing", name);
    return value;
}

weir_value *weir__typed(const weir_host *host, weir_call *call, const char *name, weir_type type) {
    weir_value *value = weir__given(host, call, name);
    if (value && host->value_type(value) == type) return value;
    fail_type(host, call, name, type_names[type], value);
    return NULL;
}

bool weir__text_needed(const weir_host *host, weir_call *call, const char *name, weir_str *text) {
    const weir_value *value = weir__typed(host, call, name, WEIR_STRING);
    if (value) *text = host->string_get(value);
    return value != NULL;
}

bool weir__number_needed(const weir_host *host, weir_call *call, const char *name,
                         weir_value **number) {
    weir_value *value = weir__given(host, call, name);
    bool ok = value && is_number(host, value);
    if (ok)
        *number = value;
    else
        fail_type(host, call, name, "int or float", value);
    return ok;
}

/* False when it is of another type. Else `*out` is NULL when it was left out. */
static bool take_given(const weir_host *host, weir_call *call, const char *name, weir_type type,
                       weir_value **out) {
    *out = weir__given(host, call, name);
    if (*out && host->value_type(*out) == WEIR_NULL) *out = NULL;
    if (!*out || host->value_type(*out) == type) return true;
    fail_type(host, call, name, type_names[type], *out);
    return false;
}

bool weir__text_given(const weir_host *host, weir_call *call, const char *name, weir_str *out) {
    weir_value *value;
    if (!take_given(host, call, name, WEIR_STRING, &value)) return false;
    if (value) *out = host->string_get(value);
    return true;
}

bool weir__bool_given(const weir_host *host, weir_call *call, const char *name, bool *out) {
    weir_value *value;
    if (!take_given(host, call, name, WEIR_BOOL, &value)) return false;
    if (value) *out = host->bool_get(value);
    return true;
}

bool weir__list_given(const weir_host *host, weir_call *call, const char *name, weir_value **out) {
    weir_value *value;
    if (!take_given(host, call, name, WEIR_ARRAY, &value)) return false;
    if (value) *out = value;
    return true;
}

bool weir__int_given(const weir_host *host, weir_call *call, const char *name, int64_t least,
                     int64_t most, int64_t *out) {
    weir_value *value;
    if (!take_given(host, call, name, WEIR_INT, &value)) return false;
    if (!value) return true;
    int64_t number = host->int_get(value);
    if (number < least || number > most)
        return host->fail(call, "invalid",
                          "`%s` must be from %" PRId64 " to %" PRId64 ", found %" PRId64, name,
                          least, most, number);
    *out = number;
    return true;
}

bool weir__int_needed(const weir_host *host, weir_call *call, const char *name, int64_t least,
                      int64_t most, int64_t *out) {
    return weir__typed(host, call, name, WEIR_INT) &&
           weir__int_given(host, call, name, least, most, out);
}
