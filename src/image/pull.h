/* Pulling images from registries: the OCI distribution protocol (and Docker's media types). Blocks; any thread. */
#ifndef WEIR_IMAGE_PULL_H
#define WEIR_IMAGE_PULL_H

#include "image/store.h"

typedef enum weir_image_policy {
    WEIR_PULL_MISSING,
    WEIR_PULL_ALWAYS,
    WEIR_PULL_NEVER
} weir_image_policy;

/* "missing", "always" or "never"; false: it is none of them. */
bool weir_image_policy_read(weir_str text, weir_image_policy *out);

typedef struct weir_image_pull_options {
    weir_image_policy policy;
    const char *platform; /* "OS/ARCHITECTURE[/VARIANT]"; NULL: this machine's */
    /* What the configuration says of registries, {HOST: {mirrors?: [HOST[/PATH]…], insecure?: bool}}; NULL: nothing. `insecure` is the only way to
     * plain http, or to a certificate that nobody vouches for; but for 127.0.0.1, ::1 and localhost http is tried where https is not spoken. */
    const weir_value *registries;
    weir_image_watch watch; /* `goes_on` is asked on several threads */
} weir_image_pull_options;

/* The image of the name, from here or (by the policy) from its registry, unpacked and held. With WEIR_PULL_ALWAYS the tag is looked up again, and only what is
 * missing comes. Errors say what was tried (each mirror and the registry, with its answer): NOT_FOUND: no such image, or it is not here and may not be pulled; IO: the
 * registry cannot be reached; INVALID: it does not want to give it to us, or what it gives is not what it should be; UNSUPPORTED; LIMIT; CANCELLED. */
WEIR_CHECKED bool weir_image_pull(weir_image_store *store, const weir_image_name *name,
                                  const weir_image_pull_options *options, weir_image **out,
                                  weir_error *error);

#endif
