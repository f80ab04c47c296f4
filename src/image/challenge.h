/* What a registry answers to who has not said who they are: `WWW-Authenticate` (RFC 9110, section 11.6.1), of which the schemes Bearer (as Docker's
 * registries mean it: where tokens are given, and for what) and Basic are known. Pure; any thread. */
#ifndef WEIR_IMAGE_CHALLENGE_H
#define WEIR_IMAGE_CHALLENGE_H

#include "base/text.h"

typedef struct weir__challenge {
    bool bearer, basic;
    char realm[1024], service[256], scope[512]; /* of Bearer; "" where nothing is said */
} weir__challenge;

/* Adds what one header says; of several of a scheme the first counts. What cannot be read is left out. */
void weir__challenge_read(weir_str header, weir__challenge *out);

#endif
