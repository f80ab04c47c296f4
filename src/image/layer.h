/* Layers of images: archives that become folders as overlays take them. The code is in the module weir-layer.so, which is opened when a
 * layer is first unpacked. Any thread; a layer is one thread's. */
#ifndef WEIR_IMAGE_LAYER_H
#define WEIR_IMAGE_LAYER_H

#include <stdio.h>

#include "base/error.h"
#include "store/sha256.h"

/* Limits of one layer. What it becomes may be at most RATIO_MAX times as large as its blob, or BOMB_BYTES. */
enum {
    WEIR__LAYER_ENTRIES_MAX = 4 * 1000 * 1000,
    WEIR__LAYER_DEPTH_MAX = 256, /* of folders */
    WEIR__LAYER_PATHS_MAX =
        256 * 1024 * 1024, /* bytes of all folders' paths, which are kept until the end */
    WEIR__LAYER_RATIO_MAX = 200
};
#define WEIR__LAYER_BYTES_MAX (UINT64_C(256) << 30)
#define WEIR__LAYER_BOMB_BYTES (UINT64_C(4) << 30)

typedef struct weir__layer_request {
    const char *what; /* for messages: "layer sha256:…" */
    int blob;         /* read from its beginning */
    uint64_t size;    /* of the blob, in bytes */
    int folder;       /* empty, open for reading; its mode becomes the layer's */
    const char
        *diff_id; /* 64 hexadecimal digits that the archive must have; NULL: whatever it has */
    uint64_t entries_max, bytes_max; /* 0: the limits above */
    /* For an ordinary user, to whom all belongs at first: whose the entries are is written there, as weir_users_give takes it. May be NULL. */
    FILE *owners;
    /* Asked now and then, with how many bytes of the blob were read; false ends it, CANCELLED. May be NULL. */
    bool (*goes_on)(void *arg, uint64_t read);
    void *arg;
} weir__layer_request;

typedef struct weir__layer_outcome {
    char diff_id[WEIR__SHA256_LETTERS + 1];
    uint64_t bytes;   /* of files, without their holes */
    uint64_t entries; /* files, folders, links and whiteouts */
    uint64_t
        left_out; /* devices below dev/, sockets, attributes that this user or file system cannot have */
} weir__layer_outcome;

/* What the module exports, as `weir_layer_functions`. */
typedef struct weir__layer_functions {
    const char *version; /* of weir: a module of another is refused */
    /* Leaves what it wrote when it fails; whoever calls removes the folder. INVALID: it is damaged, another, or leads out; LIMIT; IO; CANCELLED. */
    bool (*unpack)(const weir__layer_request *request, weir__layer_outcome *out, weir_error *error);
    /* Undoes the blob's compression alone; of the request, what is about the folder and its entries is not looked at. */
    bool (*expand)(const weir__layer_request *request,
                   bool (*write)(void *arg, const void *data, size_t length, weir_error *error),
                   weir_error *error);
} weir__layer_functions;

/* Opens the module. Errors: PLUGIN. */
WEIR_CHECKED bool weir__layer_open(const weir__layer_functions **out, weir_error *error);

#endif
