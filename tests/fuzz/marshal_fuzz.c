/* What reads as Python's marshal is written and reads again as an equal value; what does not is refused without a crash. */
#include "data/marshal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    weir_marshal in = {.bytes = {(const char *)data, size}};
    weir_value *value, *again = NULL;
    weir_error error;
    while (in.at < size) {
        if (!weir_marshal_read_value(&in, &value, &error)) {
            if (error.code == WEIR_IO) return 0;
            continue;
        }
        weir_buffer out = {0}, twice = {0};
        weir_marshal_value(value, &out);
        weir_marshal back = {.bytes = weir_buffer_str(&out)};
        weir_assert(weir_marshal_read_value(&back, &again, NULL) && back.at == out.length);
        weir_marshal_value(again, &twice); /* equal bytes, as a NaN equals nothing */
        weir_assert(weir_str_equal(weir_buffer_str(&out), weir_buffer_str(&twice)));
        weir_value_unref(value);
        weir_value_unref(again);
        weir_buffer_deinit(&out);
        weir_buffer_deinit(&twice);
    }
    return 0;
}
