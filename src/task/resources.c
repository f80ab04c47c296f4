#include "task/resources.h"

#include <math.h>
#include <stdio.h>

#include "base/size.h"

static bool read_memory(const weir_value *value, uint64_t *bytes, weir_error *error) {
    if (weir_is(value, WEIR_STRING)) return weir_size_parse(weir_string_get(value), bytes, error);
    bool number = weir_is(value, WEIR_INT) || weir_is(value, WEIR_FLOAT);
    double amount = number ? weir_number_get(value) : -1;
    if (!(amount >= 0 && amount < 9e18)) {
        weir_fail(error, WEIR_INVALID, "it is no amount of memory");
        weir_error_hint(error, "write for example 500M or 2Gi");
        return false;
    }
    *bytes = (uint64_t)llround(amount);
    return true;
}

static bool read_cpu(const weir_value *value, uint32_t *milli, weir_error *error) {
    char text[64];
    if (weir_is(value, WEIR_STRING)) return weir_cpu_parse(weir_string_get(value), milli, error);
    bool number = weir_is(value, WEIR_INT) || weir_is(value, WEIR_FLOAT);
    double amount = number ? weir_number_get(value) : -1;
    snprintf(text, sizeof text, "%.3f", fabs(amount) < 1e15 ? amount : -1);
    return weir_cpu_parse(weir_str_from(text), milli, error);
}

bool weir_resources_read_member(weir_str name, const weir_value *value, weir_resources *out,
                                weir_error *error) {
    if (weir_str_is(name, "memory")) return read_memory(value, &out->memory_bytes, error);
    if (weir_str_is(name, "cpu")) return read_cpu(value, &out->cpu_milli, error);
    weir_fail(error, WEIR_INVALID, "there is no resource `%.*s`", WEIR_ARG(name));
    weir_error_hint(error, "there are memory and cpu");
    return false;
}

bool weir_resources_read(const weir_value *value, weir_resources *out, weir_str *member,
                         weir_error *error) {
    *member = WEIR_STR("");
    if (!weir_is(value, WEIR_OBJECT)) {
        weir_fail(error, WEIR_INVALID, "resources are a mapping, not %s",
                  weir_type_text(weir_value_type(value)));
        weir_error_hint(error, "as in {memory: 512M, cpu: 2}");
        return false;
    }
    for (size_t i = 0; i < weir_value_count(value); i++) {
        *member = weir_object_key(value, i);
        if (!weir_resources_read_member(*member, weir_object_at(value, i), out, error))
            return false;
    }
    return true;
}

weir_value *weir_resources_to_value(const weir_resources *resources) {
    weir_value *object = weir_object_new();
    if (resources->memory_bytes)
        weir_member_put(object, "memory", weir_int_new((int64_t)resources->memory_bytes));
    if (resources->cpu_milli)
        weir_member_put(object, "cpu", weir_float_new(resources->cpu_milli / 1000.0));
    return object;
}
