/* Private to the module "layer": the folder that a layer is unpacked into. Nothing in it leads out of it: each parent is opened by openat2 with
 * RESOLVE_IN_ROOT, everything else is done to one name in an open folder. */
#ifndef WEIR_IMAGE_LAYER_WRITE_H
#define WEIR_IMAGE_LAYER_WRITE_H

#include <limits.h>
#include <sys/stat.h>
#include <time.h>

#include "base/error.h"
#include "image/layer.h"

/* A folder gets its mode, owner and times when all is in it. */
typedef struct weir__layer_note {
    const char *path;
    size_t index;
    mode_t mode;
    uid_t user;
    gid_t group;
    struct timespec modified;
    bool timed; /* the archive says when it was modified */
} weir__layer_note;

typedef struct weir__layer {
    const weir__layer_request *request;
    weir__layer_outcome *out;
    weir_error *error;
    bool root;    /* ownership, set-user-id bits and capabilities can be had */
    bool renewed; /* an entry took the place of one before it */
    int folder;   /* the layer's */
    int parent;   /* the one last opened; -1: none */
    char parent_path[PATH_MAX];
    weir_arena arena;
    WEIR_VECTOR(weir__layer_note) notes;
    uint64_t noted; /* bytes of their paths */
} weir__layer;

/* Where an entry goes. */
typedef struct weir__layer_place {
    char path
        [PATH_MAX]; /* below the layer, without empty parts, "." and ".."; "" is the layer itself */
    const char *last; /* its last part */
} weir__layer_place;

void weir__layer_begin(weir__layer *l);
void weir__layer_deinit(weir__layer *l);
/* INVALID, with the entry's name. */
bool weir__layer_refuse(const weir__layer *l, const char *name, const char *why);
/* IO, with errno. */
bool weir__layer_failed(const weir__layer *l, const char *name, const char *doing);
/* INVALID: it leads out, is too long or too deep. */
WEIR_CHECKED bool weir__layer_place_of(const weir__layer *l, const char *name,
                                       weir__layer_place *out);
/* The folder that the place is in, made where it is missing; kept by the layer until the next is asked for. -1: the error says why. */
int weir__layer_parent(weir__layer *l, const weir__layer_place *place);
/* Removes what has the name, of which the layer has had an entry before. */
WEIR_CHECKED bool weir__layer_clear(weir__layer *l, int parent, const weir__layer_place *place);
/* Makes the folder, or takes the one that is there. */
WEIR_CHECKED bool weir__layer_folder(weir__layer *l, const weir__layer_place *place,
                                     const weir__layer_note *note);
/* Of a name that begins with ".wh.". */
WEIR_CHECKED bool weir__layer_whiteout(weir__layer *l, weir__layer_place *place);
/* Where somebody wants to know: whose the entry is. */
void weir__layer_own(const weir__layer *l, const weir__layer_place *place, uint64_t user,
                     uint64_t group, mode_t mode);
/* Gives all folders what was noted. */
WEIR_CHECKED bool weir__layer_end(weir__layer *l);

#endif
