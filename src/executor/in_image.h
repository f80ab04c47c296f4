/* Attempts in images: what an image's configuration says becomes part of an attempt's config and of its sandbox. One thread. */
#ifndef WEIR_EXECUTOR_IN_IMAGE_H
#define WEIR_EXECUTOR_IN_IMAGE_H

#include "executor/sandbox.h"
#include "image/store.h"

/* An image that is held, and what each attempt in it asks of its files, read once. */
typedef struct weir_in_image {
    weir_image *image;
    weir_buffer passwd, groups; /* of its /etc; empty: there is none */
    bool has_tmp;               /* something is in its /tmp */
} weir_in_image;

/* Takes the image over. Any thread. */
weir_in_image *weir_in_image_new(weir_image *image);
void weir_in_image_free(weir_in_image *in); /* NULL is allowed */

/* The config of an attempt (process.h) as it is in the image: `command` is its own with `arguments` behind it, or the image's entrypoint with
 * those, or with the image's own; `directory`, and the sandbox's `user`, `group` and `groups`, are the image's where it says none; the sandbox's
 * `variables` are the image's, with HOME of the user, and stand behind all others. Gives a new reference; NULL and INVALID: there is
 * no command, or no such user. */
WEIR_CHECKED weir_value *weir_in_image_config(const weir_in_image *in, const weir_value *config,
                                              weir_error *error);
/* Fills what of the spec is the image's: layers, further groups, files of the host's that programs look for (name servers, hosts). Mounts that are
 * there stay. Borrows from the image. */
void weir_in_image_spec(const weir_in_image *in, const weir_value *config, weir_arena *arena,
                        weir_sandbox_spec *spec);
/* By which signal the image's programs are asked to end. */
int weir_in_image_stop_signal(const weir_in_image *in);

#endif
