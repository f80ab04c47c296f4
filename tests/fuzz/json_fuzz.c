/* What parses as JSON is formatted and parses again as an equal value. */
#include "data/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    weir_value *value, *again = NULL;
    weir_error error;
    if (!weir_json_parse((weir_str){(const char *)data, size}, WEIR_STR(""), &value, &error))
        return 0;
    for (int indent = 0; indent <= 2; indent += 2) {
        weir_buffer out = {0};
        weir_json_format(value, indent, &out);
        weir_assert(weir_json_parse(weir_buffer_str(&out), WEIR_STR(""), &again, NULL));
        weir_assert(weir_value_equal(value, again));
        weir_value_unref(again);
        weir_buffer_deinit(&out);
    }
    weir_value_unref(value);
    return 0;
}
