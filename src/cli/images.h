/* The section `images` of a configuration: by patterns of image names a default command, and files that the image would bring
 * along. One thread. */
#ifndef WEIR_CLI_IMAGES_H
#define WEIR_CLI_IMAGES_H

#include "cli/settings.h"

/* Reads {PATTERN: {command: [TEXT…], files: {PATH: FILE}}} into settings->images, in the form that weir_options.images has; before
 * what earlier files said. What is wrong goes to the problems, with its place. */
void weir_images_read(weir_settings *settings, const weir_value *value,
                      const weir_setting_place *place);

#endif
