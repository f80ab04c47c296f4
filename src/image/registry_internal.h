/* What the files of registries share. */
#ifndef WEIR_IMAGE_REGISTRY_INTERNAL_H
#define WEIR_IMAGE_REGISTRY_INTERNAL_H

#include "image/registry.h"

enum {
    WEIR__REGISTRY_CONNECT_S = 10,
    WEIR__REGISTRY_LOOPBACK_S = 3,
    WEIR__REGISTRY_STALLED_S = 30,
    WEIR__REGISTRY_TRIES_MAX = 5,
    WEIR__REFUSAL_BYTES_MAX = 16 * 1024
};

/* One request and what came of it; `asked` and `answer` are of the last try. */
typedef struct weir__asking {
    const weir__registry *registry;
    weir__fetch_request request;
    weir__fetch_answer answer;
    weir__challenge challenge;
    weir__reply *reply; /* may be NULL */
    const char *wanted; /* "image", "layer" */
    weir_buffer refusal;
    size_t bytes_max;
    bool too_large;
} weir__asking;

/* Prepares the headers' and the bodies' places of the request. */
void weir__asking_init(weir__asking *asking, const weir__registry *registry, weir__reply *reply,
                       size_t bytes_max);
void weir__asking_deinit(weir__asking *asking);
/* Tries again what fails for a moment only; whether it is an answer of 2xx. */
bool weir__asking_try(weir__asking *asking, weir__fetch_client *client);
/* Waits before the try of that number; false: that makes no sense, or it was told to end. */
bool weir__asking_pause(const weir__asking *asking, int attempt);
/* Says why there is no answer of 2xx. */
bool weir__asking_failed(const weir__asking *asking, weir_error *error);
/* Whether what a place begins with is this machine: 127.…, [::1], localhost. */
bool weir__registry_is_loopback(const char *host);
bool weir__registry_goes_on(const weir__registry *registry);
int64_t weir__registry_now_ms(void);

/* --- registry_token.c */
/* Gets what the challenge wants. */
WEIR_CHECKED bool weir__registry_authorize(weir__registry *registry,
                                           const weir__challenge *challenge, weir_error *error);
void weir__registry_look_for_credentials(weir__registry *registry);

#endif
