/* The smallest plugin: one operation, text.shout. */
#include <ctype.h>
#include <weir/operation.h>

static bool shout(const weir_host *host, weir_call *call) {
    weir_value *text = host->parameter(call, "text");
    if (!text || host->value_type(text) != WEIR_STRING)
        return host->fail(call, "invalid", "parameter `text` must be a string");
    weir_str from = host->string_get(text);
    char *loud = host->alloc(call, from.length + 1);
    for (size_t i = 0; i < from.length; i++) loud[i] = (char)toupper((unsigned char)from.data[i]);
    host->output(call, "loud", host->string_new(loud, from.length));
    return true;
}

static const weir_operation shout_operation = {
    .size = sizeof(weir_operation),
    .name = "text.shout",
    .about = "Makes a text loud.",
    .inputs = (const weir_port[]){{"text", "str", "The text."}, {NULL}},
    .outputs = (const weir_port[]){{"loud", "str", "The text in capitals."}, {NULL}},
    .config = (const weir_port[]){{NULL}},
    .hints = WEIR_PURE | WEIR_CHEAP,
    .run = shout,
};

static const weir_plugin plugin = {
    .abi = WEIR_ABI,
    .size = sizeof(weir_plugin),
    .name = "shout",
    .version = "1",
    .operations = (const weir_operation *const[]){&shout_operation, NULL},
};

WEIR_API const weir_plugin *weir_plugin_open(const weir_host *host);

const weir_plugin *weir_plugin_open(const weir_host *host) {
    return host->abi == WEIR_ABI ? &plugin : NULL;
}
