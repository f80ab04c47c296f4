#include "artifact/fetch.h"

#include <string.h>

#include "io/library.h"

bool weir__fetch_open(const weir__fetch_functions **out, weir_error *error) {
    void *symbol;
    if (!weir_library_symbol("fetch", "weir_fetch_functions", &symbol, error)) return false;
    const weir__fetch_functions *(*functions)(void);
    memcpy(&functions, &symbol, sizeof functions);
    const weir__fetch_functions *found = functions();
    if (strcmp(found->version, WEIR_VERSION) != 0)
        return weir_fail(error, WEIR_PLUGIN, "weir-fetch.so is of weir %.20s, and this is %s",
                         found->version, WEIR_VERSION);
    *out = found;
    return true;
}
