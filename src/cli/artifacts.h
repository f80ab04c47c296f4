/* The section `artifacts` of a configuration: where artifacts stay, and how large one may be. `artifacts: FOLDER` is the same as
 *   artifacts: {directory: FOLDER, size: 100GB, files: 100000, buckets: {s3/NAME: FOLDER}}
 * with that alone. Paths are relative to the file. */
#ifndef WEIR_CLI_ARTIFACTS_H
#define WEIR_CLI_ARTIFACTS_H

#include "cli/settings.h"

/* Each sets a member of settings->artifacts, in the form that weir_options.artifacts has. */
void weir_artifacts_read_directory(weir_settings *settings, const weir_value *value,
                                   const weir_setting_place *place);
void weir_artifacts_read_size(weir_settings *settings, const weir_value *value,
                              const weir_setting_place *place);
void weir_artifacts_read_files(weir_settings *settings, const weir_value *value,
                               const weir_setting_place *place);
void weir_artifacts_read_buckets(weir_settings *settings, const weir_value *value,
                                 const weir_setting_place *place);

#endif
