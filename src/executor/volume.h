/* Volumes: what of the host a mount in an attempt's config shows (sandbox_spec.h has the forms). Folders are made when they are
 * needed, with mode 0777: whoever an attempt runs as may write there, and what is above them is this user's alone.
 *
 * Names of volumes and claims are one name, without '/' and not beginning with '.'; paths below them lead nowhere else, whatever links
 * an attempt left there. One thread. */
#ifndef WEIR_EXECUTOR_VOLUME_H
#define WEIR_EXECUTOR_VOLUME_H

#include "executor/log.h"
#include "executor/sandbox.h"

enum { WEIR_VOLUME_FILES_MAX = 10000 }; /* of one that is made of files given by content */

/* Where folders of mounts are. */
typedef struct weir_sandbox_folders {
    const char *volumes; /* those of the run, */
    const char *scratch; /* of the attempt, */
    const char *claims;  /* and those that stay */
} weir_sandbox_folders;

/* Whether the mount is of a kind that is found here. */
bool weir_volume_is(const weir_value *mount);
/* Fills source and beneath of the mount, in the arena. INVALID, NOT_FOUND, LIMIT, IO. */
WEIR_CHECKED bool weir_volume_find(const weir_sandbox_folders *folders, const weir_secrets *secrets,
                                   const weir_value *mount, weir_arena *arena, weir_mount *out,
                                   weir_error *error);

/* The text of {secret: NAME, optional?}, borrowed from the secrets, or of {machine: "name" | "cpu" | "memory", divisor?}, or a text
 * itself; `left_out`: it is optional and not there. */
WEIR_CHECKED bool weir_content_read(const weir_value *value, const weir_secrets *secrets,
                                    weir_arena *arena, weir_str *out, bool *left_out,
                                    weir_error *error);

#endif
