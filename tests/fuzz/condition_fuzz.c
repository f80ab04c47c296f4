/* Conditions and tags of any text end well or with an error. */
#include "expr/condition.h"
#include "expr/tag.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool lookup(void *arg, weir_str name, weir_buffer *out) {
    (void)arg;
    weir_buffer_str_append(out, name);
    return name.length % 2 == 1;
}

static bool visit(void *arg, weir_str name) {
    ++*(size_t *)arg;
    return name.length < 4;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    weir_str text = {(const char *)data, size};
    bool result;
    weir_error error;
    if (!weir_condition_evaluate(text, &result, &error))
        weir_assert(error.line && error.column && error.column <= size + 1);
    weir_buffer out = {0};
    size_t tags = 0;
    weir_tag_each(text, visit, &tags);
    if (!weir_tag_render(text, lookup, NULL, &out, &error)) weir_assert(out.length == 0);
    weir_buffer_deinit(&out);
    return 0;
}
