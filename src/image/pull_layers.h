/* The layers of an image on their way: several come at once, and each is unpacked as soon as it is here. One thread leads; it blocks. */
#ifndef WEIR_IMAGE_PULL_LAYERS_H
#define WEIR_IMAGE_PULL_LAYERS_H

#include "image/manifest.h"
#include "image/registry.h"
#include "image/store.h"

enum { WEIR__PULL_DOWNLOADS = 4, WEIR__PULL_UNPACKS_MAX = 4 };

/* Brings and unpacks all that is missing of them; `config` has been checked to fit. */
WEIR_CHECKED bool weir__pull_layers(weir_image_store *store, weir__registry *registry,
                                    const weir__manifest *manifest, const weir_value *config,
                                    const weir_image_watch *watch, weir_error *error);

#endif
