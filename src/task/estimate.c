#include "task/estimate.h"

#include <math.h>

#include "base/size.h"
#include "base/time.h"

/* Ten years: what takes longer is a slip, and sums of a million of these stay below 2^63. */
static const uint64_t TIME_MAX_US = 10ull * 366 * 24 * 3600 * 1000000;

/* A number of seconds or bytes, as microseconds or bytes. */
static bool read_number(double number, double unit, uint64_t *out, weir_error *error) {
    if (!(number >= 0 && number * unit < 9e18))
        return weir_fail(error, WEIR_INVALID, "`%g` is no amount", number);
    *out = (uint64_t)llround(number * unit);
    return true;
}

static bool read_amount(const weir_value *value, bool time, uint64_t *out, weir_error *error) {
    uint64_t amount;
    bool text = weir_is(value, WEIR_STRING);
    if (!text && !weir_is(value, WEIR_INT) && !weir_is(value, WEIR_FLOAT))
        return weir_fail(error, WEIR_INVALID, "an estimate is a number or a text, not %s",
                         weir_type_text(weir_value_type(value)));
    if (!text && !read_number(weir_number_get(value), time ? 1e6 : 1, &amount, error)) return false;
    if (text && time && !weir_duration_parse(weir_string_get(value), &amount, error)) return false;
    if (text && !time && !weir_size_parse(weir_string_get(value), &amount, error)) return false;
    if (time && amount > TIME_MAX_US)
        return weir_fail(error, WEIR_INVALID, "it is more than ten years");
    *out = amount ? amount : 1;
    return true;
}

bool weir_estimate_read_member(weir_str name, const weir_value *value, weir_estimate *out,
                               weir_error *error) {
    uint64_t *const places[] = {&out->wall_us, &out->wall_high_us, &out->cpu_us,
                                &out->memory_bytes};
    static const char *const names[] = {"seconds", "high", "cpu", "memory"};
    for (size_t i = 0; i < 4; i++)
        if (weir_str_is(name, names[i])) return read_amount(value, i < 3, places[i], error);
    weir_fail(error, WEIR_INVALID, "an estimate has no `%.*s`", WEIR_ARG(name));
    weir_error_hint(error, "it has seconds, high (the 90th percentile), cpu and memory");
    return false;
}

bool weir_estimate_read(const weir_value *value, weir_estimate *out, const char **member,
                        weir_error *error) {
    weir_estimate estimate = {0};
    *member = "";
    if (!weir_is(value, WEIR_OBJECT)) {
        weir_fail(error, WEIR_INVALID, "an estimate is a mapping, not %s",
                  weir_type_text(weir_value_type(value)));
        weir_error_hint(error, "as in {seconds: 2.5, memory: 512M}");
        return false;
    }
    for (size_t i = 0; i < weir_value_count(value); i++) {
        weir_str name = weir_object_key(value, i);
        *member = name.data;
        if (!weir_estimate_read_member(name, weir_object_at(value, i), &estimate, error))
            return false;
    }
    *member = "high";
    if (estimate.wall_high_us && estimate.wall_high_us < estimate.wall_us)
        return weir_fail(error, WEIR_INVALID, "`high` is less than `seconds`");
    *out = estimate;
    return true;
}

static void put_seconds(weir_value *object, const char *name, uint64_t us) {
    if (us) weir_member_put(object, name, weir_float_new((double)us / 1e6));
}

weir_value *weir_estimate_to_value(const weir_estimate *estimate) {
    weir_value *object = weir_object_new();
    put_seconds(object, "seconds", estimate->wall_us);
    put_seconds(object, "high", estimate->wall_high_us);
    put_seconds(object, "cpu", estimate->cpu_us);
    if (estimate->memory_bytes)
        weir_member_put(object, "memory", weir_int_new((int64_t)estimate->memory_bytes));
    return object;
}
