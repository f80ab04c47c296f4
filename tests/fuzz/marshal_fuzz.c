/* What reads as Python's marshal is written and reads again as an equal value, with memory beside it or without; what does not is refused without
 * a crash. */
#include "data/marshal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_again(const weir_value *value, bool beside) {
    weir_buffer out = {0}, twice = {0};
    weir_enclosed sent = {0};
    weir_value *again = NULL;
    weir_marshal_value_with(value, beside ? &sent : NULL, &out);
    weir_marshal back = {.bytes = weir_buffer_str(&out), .enclosed = beside ? &sent : NULL};
    weir_assert(weir_marshal_read_value(&back, &again, NULL) && back.at == out.length);
    weir_marshal_value_with(again, beside ? &sent : NULL, &twice);
    weir_assert(
        weir_str_equal(weir_buffer_str(&out), weir_buffer_str(&twice))); /* a NaN equals nothing */
    weir_value_unref(again);
    weir_buffer_deinit(&out);
    weir_buffer_deinit(&twice);
    weir_enclosed_clear(&sent);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char shared[WEIR_BYTES_SHARED + 100];
    weir_enclosed enclosed = {0};
    weir_segment *segment;
    weir_value *value;
    weir_error error;
    if (!weir_segment_new((weir_str){shared, sizeof shared}, &segment, &error)) return 0;
    *weir_vector_push(&enclosed.segments) = segment;
    weir_marshal in = {.bytes = {(const char *)data, size}, .enclosed = &enclosed};
    while (in.at < size) {
        if (!weir_marshal_read_value(&in, &value, &error)) {
            if (error.code == WEIR_IO) break;
            continue;
        }
        write_again(value, false);
        write_again(value, true);
        weir_value_unref(value);
    }
    weir_enclosed_clear(&enclosed);
    return 0;
}
