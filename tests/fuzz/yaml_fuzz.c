/* Any text either becomes values or an error with a place; every node of what parses is found again. What is plain means what libyaml
 * makes of it, and its places are those that libyaml says. */
#include <stdio.h>

#include "data/json.h"
#include "data/yaml.h"
#include "data/yaml_plain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void locate_members(weir_str text, size_t document, const weir_value *root, bool plain) {
    if (!weir_is(root, WEIR_OBJECT) && !weir_is(root, WEIR_ARRAY)) return;
    for (size_t i = 0; i < weir_value_count(root) && i < 8; i++) {
        weir_buffer path = {0};
        if (weir_is(root, WEIR_OBJECT))
            weir_buffer_str_append(&path, weir_object_key(root, i));
        else
            weir_buffer_printf(&path, "%zu", i);
        weir_buffer_text(&path, "/0/a");
        uint32_t line = 0, column = 0;
        weir_assert(weir_yaml_locate(text, document, weir_buffer_str(&path), &line, &column));
        weir_assert(line && column);
        uint32_t plain_line, plain_column;
        if (plain &&
            weir__yaml_plain_locate(text, weir_buffer_str(&path), &plain_line, &plain_column))
            weir_assert(plain_line == line && plain_column == column);
        weir_buffer_deinit(&path);
    }
}

/* Their texts are: no number that is none is equal to itself. */
static bool is_same(const weir_value *a, const weir_value *b) {
    weir_buffer first = {0}, second = {0};
    weir_json_format(a, 0, &first);
    weir_json_format(b, 0, &second);
    bool same = weir_str_equal(weir_buffer_str(&first), weir_buffer_str(&second));
    weir_buffer_deinit(&first);
    weir_buffer_deinit(&second);
    return same;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    weir_str text = {(const char *)data, size};
    weir_values values = {0};
    weir_error error;
    weir_value *plain = weir__yaml_plain(text, WEIR_YAML_1_1);
    if (weir_yaml_parse(text, WEIR_STR(""), WEIR_YAML_1_1, &values, &error)) {
        for (size_t i = 0; i < values.count; i++)
            locate_members(text, i, values.items[i], plain != NULL);
        weir_assert(!plain || (values.count == 1 && is_same(plain, values.items[0])));
    } else {
        uint32_t line, column;
        weir_assert(!plain);
        weir_assert(error.line && error.column && error.message[0]);
        weir_yaml_locate(text, 0, WEIR_STR("a/0/b"), &line, &column);
    }
    weir_value_unref(plain);
    weir_values_deinit(&values);
    return 0;
}
