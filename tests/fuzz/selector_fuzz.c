/* Selectors and pages of any bytes end well or with an error: what stands before the first line end is the selector. */
#include "../unit/module_host.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const weir_plugin *weir_plugin_open(const weir_host *host);

/* What the operation gives is JSON, whatever the page was. */
static void check(const weir_value *outputs) {
    weir_buffer json = {0};
    weir_value *value;
    weir_json_format(outputs, 0, &json);
    weir_assert(weir_json_parse(weir_buffer_str(&json), WEIR_STR(""), &value, NULL));
    weir_assert(weir_value_equal(value, outputs));
    weir_value_unref(value);
    weir_buffer_deinit(&json);
}

/* Values are UTF-8 without NUL, as they are in weir. */
static weir_value *text_of(weir_str bytes) {
    weir_buffer text = {0};
    while (bytes.length) {
        size_t length = bytes.data[0] ? weir_utf8_length(bytes) : 0;
        if (length)
            weir_buffer_str_append(&text, weir_str_slice(bytes, 0, length));
        else
            weir_buffer_byte(&text, '?');
        bytes = weir_str_slice(bytes, length ? length : 1, bytes.length);
    }
    weir_value *value = weir_string_from(weir_buffer_str(&text));
    weir_buffer_deinit(&text);
    return value;
}

static void run(const char *name, const weir_value *selector, const weir_value *html,
                const weir_value *fields) {
    weir_call call = {0};
    weir_value *parameters = weir_object_new(), *config = weir_object_new();
    weir_member_put(parameters, "html", weir_value_ref((weir_value *)html));
    weir_member_put(parameters, "url", weir_string_new("http://h/d/e?f", 14));
    weir_member_put(config, "selector", weir_value_ref((weir_value *)selector));
    weir_member_put(config, "fields", weir_value_ref((weir_value *)fields));
    fake_begin(&call, fake_find(weir_plugin_open(fake_host()), name), parameters, config);
    if (fake_wait(&call))
        check(call.outputs);
    else
        weir_assert(call.failure[0]);
    fake_end(&call);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    weir_str bytes = {(const char *)data, size};
    const char *end = size ? memchr(data, '\n', size) : NULL;
    size_t at = end ? (size_t)(end - bytes.data) : 0;
    weir_value *selector = text_of(weir_str_slice(bytes, 0, at));
    weir_value *html = text_of(weir_str_slice(bytes, end ? at + 1 : 0, size));
    weir_value *fields = weir_object_new();
    weir_member_put(fields, "field", weir_value_ref(selector));
    run("html.select", selector, html, fields);
    run("html.links", selector, html, fields);
    run("html.extract", selector, html, fields);
    weir_value_unref(selector);
    weir_value_unref(html);
    weir_value_unref(fields);
    return 0;
}
