/* Manifests of images, as registries give them: of one image (OCI, and Docker's schema 2), and indexes, from which one is chosen by its platform (OCI's, and
 * Docker's manifest lists). What is in them is not trusted. Pure; any thread. */
#ifndef WEIR_IMAGE_MANIFEST_H
#define WEIR_IMAGE_MANIFEST_H

#include "data/value.h"

enum { WEIR__PLATFORM_MAX = 64 };
/* Of one layer, as its maker packed it. */
#define WEIR__BLOB_BYTES_MAX ((uint64_t)64 << 30)

/* What is asked for, as an Accept header. */
#define WEIR__MANIFEST_ACCEPT                                                                      \
    "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, "        \
    "application/vnd.docker.distribution.manifest.v2+json, "                                       \
    "application/vnd.docker.distribution.manifest.list.v2+json"

typedef struct weir__described {
    char media_type[128];
    char digest[72]; /* "sha256:" and 64 letters */
    uint64_t size;
} weir__described;

typedef struct weir__manifest {
    bool is_index;
    weir__described config;
    WEIR_VECTOR(weir__described) layers; /* of an image */
    weir_value *entries;                 /* of an index: its `manifests` */
} weir__manifest;

/* INVALID: what it lacks; UNSUPPORTED: schema 1, and what is no image of a container (a chart, an artifact). `media_type` is what the sender called it. Freed by deinit. */
WEIR_CHECKED bool weir__manifest_read(weir_str bytes, weir_str media_type, weir__manifest *out,
                                      weir_error *error);
void weir__manifest_deinit(weir__manifest *manifest);

/* The machine's, as "linux/arm64/v8". */
void weir__platform_of_machine(char out[static WEIR__PLATFORM_MAX]);
/* "OS/ARCHITECTURE[/VARIANT]", with the names that Go has for them, of what somebody wrote; INVALID. */
WEIR_CHECKED bool weir__platform_read(weir_str text, char out[static WEIR__PLATFORM_MAX],
                                      weir_error *error);
/* The entry of an index that is for the platform, or for the nearest lower variant of it. NOT_FOUND: which there are. */
WEIR_CHECKED bool weir__platform_choose(const weir_value *entries, const char *platform,
                                        weir__described *out, weir_error *error);
/* The diff ids of a configuration, one for each of the manifest's layers; and it must not be of another platform. They are borrowed from it. */
WEIR_CHECKED bool weir__config_check(const weir_value *config, const char *platform, size_t layers,
                                     weir_error *error);
/* The i-th of them. */
weir_str weir__config_diff_id(const weir_value *config, size_t i);

#endif
