/* Images that attempts want: found in the store, or pulled, and held from then on, each once. The loop's thread; what takes long is done on others. */
#ifndef WEIR_EXECUTOR_OBTAIN_H
#define WEIR_EXECUTOR_OBTAIN_H

#include "executor/in_image.h"
#include "image/pull.h"
#include "io/loop.h"

typedef struct weir_obtainer weir_obtainer;

/* Images that are held though nobody runs in them: each keeps descriptors open. */
enum { WEIR_OBTAINER_IDLE_MAX = 32 };

typedef struct weir_obtain_options {
    weir_image_store *store;      /* lives longer */
    weir_image_pull_options pull; /* `registries` and `platform` live longer; `watch` as well */
    weir_image_mount mount;
    bool asked_only;    /* attempts are in an image only where their config says `auto` */
    uint64_t bytes_max; /* of the store: after a pull what was not used for longest goes; 0: any */
} weir_obtain_options;

/* What is wanted, of whom. */
typedef struct weir_obtain_wish {
    weir_str image;  /* as the file names it */
    weir_str pinned; /* the digest that the run has for it; empty: none yet */
    const char *run; /* with WEIR_PULL_ALWAYS it is looked up once a run */
    weir_image_policy policy;
} weir_obtain_wish;

/* The image is theirs until weir_obtainer_return; NULL: it cannot be had, and why. */
typedef void weir_obtained(void *arg, const weir_in_image *image, const weir_error *why);

weir_obtainer *weir_obtainer_new(weir_loop *loop, const weir_obtain_options *options);
/* Calls back, before it returns when the image is at hand. */
void weir_obtain(weir_obtainer *obtainer, const weir_obtain_wish *wish, weir_obtained *obtained,
                 void *arg);
/* Whether it is here, so that nothing has to be pulled. */
bool weir_obtainer_has(weir_obtainer *obtainer, const weir_obtain_wish *wish);
/* Whoever waits with this `arg` is not called any more; what nobody waits for is not pulled to its end. */
void weir_obtainer_leave(weir_obtainer *obtainer, const void *arg);
/* Nobody of those who had it so often needs it any more. It stays for the next, unless many do. */
void weir_obtainer_return(weir_obtainer *obtainer, const weir_in_image *image);
/* Nobody may wait. Turns the loop until what was under way has ended. NULL is allowed. */
void weir_obtainer_free(weir_obtainer *obtainer);

#endif
