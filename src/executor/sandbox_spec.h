/* How a sandbox is asked for in an attempt's config, so in the journal: the member `sandbox` beside `command`.
 *
 *   image?      text, of a container, for messages, and to find what the configuration has for it (images.h)
 *   executor?   "container": by podman or docker; "process": on this host, whatever the image; else in the image by weir itself, or by
 *               podman or docker where only these have it
 *   pull?       "always", "never" or "missing": whether the image is fetched; absent: as the executor was told
 *   network?    "none": it has none but its own
 *   mounts?     [{at: PATH, and one of
 *                   host: PATH (of the host's; who writes the config decides whether that is allowed),
 *                   volume: NAME (a folder that all attempts of the run share by this name, empty at first),
 *                   scratch: NAME (the same of the containers of this attempt; it goes with that),
 *                   claim: NAME (the same of all runs; it stays),
 *                   files: [{path, content, mode?: number (420)}, {secret: NAME, optional?, mode?}: all its keys] (a folder of these),
 *                   content: text | {secret: NAME}, with mode?: number (420) and script?: true (it names paths as the command does);
 *                 sub_path?: what is below the folder, made when it is not there; read_only?: true, provided?: true}]
 *   outputs?    [{name, path: PATH, bytes_max?}], see collect.h
 *   artifacts?  {inputs?, outputs?, logs?}, see artifacts.h
 *   user?, group?, memory_bytes?, file_bytes?, cpu_milli?, memory_bytes_asked?, cpu_milli_asked?   numbers
 *   run_as_user?, run_as_group?   numbers: the same in an image, instead of its own user
 *   groups?, variables?   further groups, and variables behind all others: of its image (in_image.h)
 *   root?       a folder of the host's where all that the attempt writes stays
 *
 * Texts are borrowed from the value, or live in the arena. One thread. */
#ifndef WEIR_EXECUTOR_SANDBOX_SPEC_H
#define WEIR_EXECUTOR_SANDBOX_SPEC_H

#include "executor/log.h"
#include "executor/sandbox.h"
#include "executor/volume.h"

enum { WEIR_SANDBOX_OUTPUTS_MAX = 1024 };

/* Fills all of the spec but command, environment and directory. INVALID, LIMIT; IO when a volume cannot be made. */
WEIR_CHECKED bool weir_sandbox_spec_read(const weir_value *sandbox, const weir_secrets *secrets,
                                         const weir_sandbox_folders *folders, weir_arena *arena,
                                         weir_sandbox_spec *out, weir_error *error);
/* Whether it has a mount of the attempt's own folders. */
bool weir_sandbox_has_scratch(const weir_value *sandbox);

#endif
