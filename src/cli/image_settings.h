/* Settings of images of containers: where they are kept (`image-store`), how much they may take (`image-store-limit`), whether they are
 * fetched (`pull`), for which `platform`, how they are mounted (`image-mount`), and what is said of `registries`. One thread. */
#ifndef WEIR_CLI_IMAGE_SETTINGS_H
#define WEIR_CLI_IMAGE_SETTINGS_H

#include "cli/settings.h"

/* Each reads one setting; what is wrong goes to the problems, with its place. */
void weir_image_settings_store(weir_settings *settings, const weir_value *value,
                               const weir_setting_place *place);
void weir_image_settings_limit(weir_settings *settings, const weir_value *value,
                               const weir_setting_place *place);
void weir_image_settings_pull(weir_settings *settings, const weir_value *value,
                              const weir_setting_place *place);
void weir_image_settings_mount(weir_settings *settings, const weir_value *value,
                               const weir_setting_place *place);
void weir_image_settings_platform(weir_settings *settings, const weir_value *value,
                                  const weir_setting_place *place);
/* {HOST[:PORT]: {mirrors?: [HOST[:PORT][/PATH]…], insecure?: true}}; a host that an earlier file named is what the later one says. */
void weir_image_settings_registries(weir_settings *settings, const weir_value *value,
                                    const weir_setting_place *place);
/* What they come to, borrowed from the settings. */
weir_images weir_image_settings(const weir_settings *settings);

#endif
