#include "operations.h"

#include <stddef.h>

#define X(name) weir_##name##_plugin,
weir_plugin_open_function *const weir_standard_plugins[] = {WEIR_STANDARD_PLUGINS(X) NULL};
