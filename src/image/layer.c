#include "image/layer.h"

#include <string.h>

#include "io/library.h"

bool weir__layer_open(const weir__layer_functions **out, weir_error *error) {
    void *symbol;
    if (!weir_library_symbol("layer", "weir_layer_functions", &symbol, error)) return false;
    const weir__layer_functions *(*functions)(void);
    memcpy(&functions, &symbol, sizeof functions);
    const weir__layer_functions *found = functions();
    if (strcmp(found->version, WEIR_VERSION) != 0)
        return weir_fail(error, WEIR_PLUGIN, "weir-layer.so is of weir %.20s, and this is %s",
                         found->version, WEIR_VERSION);
    *out = found;
    return true;
}
