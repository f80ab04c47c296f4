/* Any text as an amount of memory and of processors, as `--limit` has them, and as JSON as what a file says under `resources` and
 * `estimate`: it is read or refused with a reason, and what was read can be written and read again. */
#include "base/size.h"
#include "data/json.h"
#include "task/resources.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_texts(weir_str text) {
    weir_error error = {0};
    uint64_t bytes = 0;
    uint32_t milli = 0;
    char shown[24];
    if (weir_size_parse(text, &bytes, &error))
        weir_assert(weir_size_format(bytes, shown) == shown && shown[0]);
    else
        weir_assert(error.message[0]);
    if (weir_cpu_parse(text, &milli, &error))
        weir_assert(milli <= 1000u * 1000 * 1000);
    else
        weir_assert(error.message[0]);
}

static void read_resources(const weir_value *value) {
    weir_resources wants = {0}, again = {0};
    weir_error error = {0};
    weir_str member;
    if (!weir_resources_read(value, &wants, &member, &error)) {
        weir_assert(error.message[0]);
        return;
    }
    weir_value *written = weir_resources_to_value(&wants);
    weir_assert(weir_resources_read(written, &again, &member, &error));
    weir_assert(again.memory_bytes == wants.memory_bytes && again.cpu_milli == wants.cpu_milli);
    weir_value_unref(written);
}

static void read_estimate(const weir_value *value) {
    weir_estimate known = {0}, again = {0};
    weir_error error = {0};
    const char *member;
    if (!weir_estimate_read(value, &known, &member, &error)) {
        weir_assert(error.message[0]);
        return;
    }
    weir_value *written = weir_estimate_to_value(&known);
    weir_assert(!weir_estimate_any(&known) || weir_estimate_read(written, &again, &member, &error));
    weir_value_unref(written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    weir_str text = {(const char *)data, size};
    weir_value *value;
    weir_error error;
    read_texts(text);
    if (!weir_json_parse(text, WEIR_STR("fuzz"), &value, &error)) return 0;
    if (weir_is(value, WEIR_STRING)) read_texts(weir_string_get(value));
    read_resources(value);
    read_estimate(value);
    weir_value_unref(value);
    return 0;
}
