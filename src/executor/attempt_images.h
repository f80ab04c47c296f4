/* The images that the containers of an attempt run in: which they are, and that all of them are here before it begins. The loop's thread. */
#ifndef WEIR_EXECUTOR_ATTEMPT_IMAGES_H
#define WEIR_EXECUTOR_ATTEMPT_IMAGES_H

#include "executor/obtain.h"
#include "executor/sandbox.h"
#include "task/task.h"

typedef struct weir_attempt_images weir_attempt_images;

/* Where they come from, and what else would do. */
typedef struct weir_attempt_images_host {
    weir_obtainer *obtainer;
    weir_sandboxes *sandboxes; /* on the host: of podman or docker, perhaps */
    weir_image_policy policy;  /* where a config says none */
    bool asked_only;           /* as weir_obtain_options has it */
    /* All are here (`why` NULL), or one cannot be had. */
    void (*ready)(void *arg, const weir_error *why);
    void *arg;
} weir_attempt_images_host;

/* Which does not begin yet; NULL: it wants none. A sandbox with an `image` wants it unless its `executor`, or `asked_only`, says otherwise, or podman
 * or docker has an image of that name that is not here. */
weir_attempt_images *weir_attempt_images_new(const weir_attempt *attempt,
                                             const weir_attempt_images_host *host);
/* Calls `ready`, once, perhaps before it returns. */
void weir_attempt_images_await(weir_attempt_images *images);
/* The image of a container with this config; NULL: it runs in none. */
const weir_in_image *weir_attempt_images_of(const weir_attempt_images *images,
                                            const weir_value *config);
/* {name: digest}, a new reference. */
weir_value *weir_attempt_images_digests(const weir_attempt_images *images);
/* `ready` is not called any more. NULL is allowed. */
void weir_attempt_images_free(weir_attempt_images *images);

#endif
