/* Bytes that decode to a value are exactly those that encode it. */
#include "data/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    weir_value *value;
    weir_error error;
    size_t offset = 0;
    if (!weir_value_decode((weir_str){(const char *)data, size}, &offset, &value, &error)) return 0;
    weir_buffer out = {0};
    weir_value_encode(value, &out);
    weir_assert(offset == out.length && memcmp(out.data, data, offset) == 0);
    weir_buffer_deinit(&out);
    weir_value_unref(value);
    return 0;
}
