/* Who somebody is to a registry, as docker, podman and others keep it: $REGISTRY_AUTH_FILE, $DOCKER_CONFIG/config.json (or
 * ~/.docker/config.json) and $XDG_RUNTIME_DIR/containers/auth.json, the first that knows the registry, and the programs docker-credential-NAME that
 * those files name. Any thread. */
#ifndef WEIR_IMAGE_CREDENTIALS_H
#define WEIR_IMAGE_CREDENTIALS_H

#include "data/value.h"

enum { WEIR__HELPER_MAX = 64, WEIR__HELPER_SECONDS = 30 };

/* Texts are NULL where they are not known. */
typedef struct weir__credentials {
    char *user, *password;
    char *identity; /* a token that is exchanged for others, instead of a password */
    char note
        [256]; /* what kept others from being found: a file that cannot be read, a program that failed; else "" */
    char searched[512]; /* the files that there are, for messages */
} weir__credentials;

/* Whether anything is known of it. `goes_on` may be NULL; false ends a program that is asked. Freed by deinit either way. */
bool weir__credentials_find(const char *registry, const char *repository,
                            bool (*goes_on)(void *arg), void *arg, weir__credentials *out);
void weir__credentials_deinit(weir__credentials *credentials);

/* What one file says: true when it knows them, or when the program `helper` ("" otherwise) is to be asked. Pure. */
bool weir__credentials_read(const weir_value *file, const char *registry, const char *repository,
                            weir__credentials *out, char helper[static WEIR__HELPER_MAX]);
/* What such a program answered. Pure. */
bool weir__credentials_of_helper(weir_str answer, weir__credentials *out);
/* Overwrites each of the secrets in a text with stars. */
void weir__credentials_mask(const weir__credentials *credentials, char *text);

#endif
