/* A plugin of an interface that there is not yet. */
#include <weir/operation.h>

static const weir_operation *const nothing[] = {NULL};
static const weir_plugin plugin = {WEIR_ABI + 1, sizeof(weir_plugin), "old", "1", nothing};

WEIR_API const weir_plugin *weir_plugin_open(const weir_host *host);

const weir_plugin *weir_plugin_open(const weir_host *host) {
    (void)host;
    return &plugin;
}
