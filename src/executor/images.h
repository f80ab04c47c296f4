/* What the configuration has for images where steps run on this host: by patterns of their names a default command, and files that the
 * image would bring along. A value: [{pattern, command?: [text…], files?: [{at: PATH, host: PATH}]}], all patterns that
 * match count: the first of them that has a command says it, and the first that has a file at a path says which. `*` and `?` match any
 * characters, also '/'. Pure. */
#ifndef WEIR_EXECUTOR_IMAGES_H
#define WEIR_EXECUTOR_IMAGES_H

#include "data/value.h"

/* What there is for the image, {command?, files}; NULL: no pattern matches. A new reference. */
weir_value *weir_images_find(const weir_value *images, weir_str image);
/* The config of an attempt (process.h) with what the images have for its sandbox.image: `command` is that of the config, or the
 * image's when that has none, with `arguments` behind it; the image's files are the first of the mounts. WEIR_SANDBOX_OF_IMAGE is
 * the command when nobody says one. Gives a reference. */
weir_value *weir_images_apply(const weir_value *images, weir_value *config);

#endif
