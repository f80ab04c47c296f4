/* The standard operations: plugins like anyone's, linked into weir. */
#ifndef WEIR_OPERATIONS_H
#define WEIR_OPERATIONS_H

#include <weir/operation.h>

/* X(name) for each plugin, which weir_NAME_plugin opens. */
#define WEIR_STANDARD_PLUGINS(X)                                                                   \
    X(ancestry)                                                                                    \
    X(archive)                                                                                     \
    X(calculator)                                                                                  \
    X(csv)                                                                                         \
    X(database)                                                                                    \
    X(dataflow)                                                                                    \
    X(dffml)                                                                                       \
    X(files)                                                                                       \
    X(html)                                                                                        \
    X(http)                                                                                        \
    X(json)                                                                                        \
    X(list)                                                                                        \
    X(map)                                                                                         \
    X(math)                                                                                        \
    X(output)                                                                                      \
    X(process)                                                                                     \
    X(random)                                                                                      \
    X(records)                                                                                     \
    X(regex)                                                                                       \
    X(run)                                                                                         \
    X(string)                                                                                      \
    X(time)                                                                                        \
    X(url)

#define X(name) const weir_plugin *weir_##name##_plugin(const weir_host *host);
WEIR_STANDARD_PLUGINS(X)
#undef X

/* weir_NAME_plugin, of each; ends with NULL. */
extern weir_plugin_open_function *const weir_standard_plugins[];

#endif
