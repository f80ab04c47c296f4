/* What a YAML scalar means: the core schema of YAML 1.2.2, section 10.3.2. Any thread. */
#ifndef WEIR_DATA_YAML_SCALAR_H
#define WEIR_DATA_YAML_SCALAR_H

#include "data/yaml.h"

/* `tag` is the full tag or NULL; `plain` says that the scalar had neither quotes nor block style. `text` is terminated.
 * Numbers beyond 64 bits, unknown tags, and texts that are not what their tag says are errors without a place. */
WEIR_CHECKED bool weir__yaml_scalar(weir_str text, const char *tag, bool plain,
                                    weir_yaml_booleans booleans, weir_value **out,
                                    weir_error *error);

#endif
