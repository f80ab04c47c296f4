/* Names of images as people write them: [HOST[:PORT]/]PATH[:TAG][@DIGEST]. Without a host (a first part that has a '.' or ':' or is
 * "localhost") it is docker.io, and a path of one part there is library/PATH. Pure. */
#ifndef WEIR_IMAGE_NAME_H
#define WEIR_IMAGE_NAME_H

#include "base/error.h"

typedef struct weir_image_name {
    char registry[256];   /* HOST[:PORT]; "docker.io" */
    char repository[256]; /* "library/busybox" */
    char tag
        [129]; /* "latest" where neither a tag nor a digest was written; "" with a digest alone */
    char digest[72]; /* "sha256:" and 64 letters, or "" */
} weir_image_name;

/* INVALID, with what is wrong and a hint. */
WEIR_CHECKED bool weir_image_name_read(weir_str text, weir_image_name *out, weir_error *error);
/* The whole form, "docker.io/library/busybox:latest". */
void weir_image_name_append(const weir_image_name *name, weir_buffer *out);
/* Whether it is "sha256:" and 64 hexadecimal digits in lower case: the only kind that is known here. */
bool weir_image_digest_ok(weir_str digest);

#endif
