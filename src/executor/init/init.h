/* The parts of weir-init (see wire.h): a program of one thread that holds nothing on the heap but the request under way. Each
 * attempt is a copy of it, made by clone: process 1 of its PID namespace, in a copy of the helper's mount namespace.
 *
 * What the helper's own root, a tmpfs, has:
 *   /host    the host's root as it is, but for what is mounted in /proc, /sys and /dev; root's attempts have it as their lower layer
 *   /skel    the layer above it: directories that an attempt may write in, and places to bind something to
 *   /dev, /pts, /proc   for attempts: a few devices, the host's processes (hidden by their own)
 *   /base    the folder on disk where helpers have theirs; /disk is that of this one: N/tmp and N/var are /tmp and /var/tmp of slot N,
 *            N/tree the copy of its image
 *   /image   what stands above an image's layers: places of what every attempt has; /sysfs, /nothing: what is bound there
 *   /fuse    the device of that name, if it can be had
 *   /up      N/upper, N/work and N/cover of slot N, for overlays; /new, /cover: where they are mounted; /kept: a folder that an
 *            attempt's files stay in */
#ifndef WEIR_EXECUTOR_INIT_INIT_H
#define WEIR_EXECUTOR_INIT_INIT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "executor/init/wire.h"

enum { WEIR__PATH_BYTES = 4096, WEIR__PLACES_MAX = 64, WEIR__LAYERS_MAX = 16 };

/* Folders of an attempt: what of its files stays as long as its slot, or as long as its folder is kept. */
enum {
    WEIR__UPPER,
    WEIR__WORK,
    WEIR__COVER,
    WEIR__TREE, /* of a copy of its image: "whole", or "part" while it is made */
    WEIR__TEMPORARY,
    WEIR__VARIABLE,
    WEIR__FOLDERS
};

typedef struct helper {
    bool user;                          /* an ordinary user's: in a user namespace */
    bool users;                         /* which has more users than that one */
    bool images;                        /* attempts are in images, and confined */
    weir__init_mount mount;             /* how their images are mounted */
    const char *store;                  /* a folder that their layers are below; "": not known */
    int landlock;                       /* the version that the kernel has; 0: none */
    bool filtered;                      /* their system calls are */
    bool devices;                       /* /dev is of the layer */
    bool terminals;                     /* then /pts is bound to its /dev/pts */
    bool variable;                      /* /var/tmp is a folder, not a link to one */
    char places[WEIR__PLACES_MAX][256]; /* of the host, that are bound into each attempt */
    size_t place_count;
    size_t slots; /* those below were used */
    struct slot {
        uint64_t taken_ns;                  /* since 1970 */
        uint64_t emptied_ns[WEIR__FOLDERS]; /* see slot.c; 0: it is not known */
        int server;  /* a descriptor of its fuse-overlayfs; 0: there is none */
    } * known;       /* of each slot */
    char folder[64]; /* its own on disk: /disk, by another name */
    int lock;        /* of that, open */
    struct layer {
        char key[1024];
        size_t length;
    } layers[WEIR__LAYERS_MAX]; /* of places for files that attempts are provided with: /layers/N */
    size_t layer_count;
    weir__init_record *records;
} helper;

/* A request with its texts and descriptors, as it came. */
typedef struct order {
    const weir__init_request *head;
    weir__init_record *record;
    int streams[WEIR__INIT_STREAMS];
    int group;                    /* of control; -1: none */
    int layer;                    /* -1: none */
    int served;                   /* what its fuse-overlayfs shows, mounted nowhere yet; -1 */
    const char *root, *directory; /* see wire.h */
    char **argv, **environment;   /* NULL-terminated */
    char **asking;                /* the same; nothing in it: nobody asks */
    const char *layers, *groups, *mounts; /* texts */
    /* Written down before the attempt is cloned, for which every page of code that it needs costs as much as a system call or more: */
    char folders[WEIR__FOLDERS][64], overlay[512]; /* that of its root: options for mount(2) */
} order;

/* Writes down what could not be done, with errno, and returns false. */
bool weir__note(weir__init_record *record, weir__init_step step, const char *what);

/* --- space.c: once */
/* The helper's namespaces and its root; in `folder` it makes its own on disk, `bytes` (as tmpfs takes it) the limit of what attempts write
 * elsewhere. */
bool weir__space_make(helper *h, const char *folder, const char *bytes);

/* --- slot.c */
/* Its folders are there, and empty. */
bool weir__slot_prepare(helper *h, uint32_t slot);
/* Fills in the names of the folders, and the overlay of them. Its layer is known. */
void weir__slot_name(const helper *h, order *o);
/* Empties them: a few files at once, many in the background. */
void weir__slot_clear(helper *h, uint32_t slot);

/* --- layer.c: places of files that the host lacks. An ordinary user's are in folders that are no part of a layer, so it has none. */
/* The layer for the order's mounts, made when it is the first to want it; -1: none. */
int weir__layer_find(helper *h, const order *o);
/* As openat2 does, never out of the root; -1 and errno. */
int weir__open_within(int root, const char *path, uint64_t flags);
/* What is at a path below a folder, given as "FOLDER//PATH": no link there leads out of the folder, however somebody changed it
 * meanwhile. */
int weir__open_beneath(int root, const char *source);

/* A mount of an order. */
struct weir__mount_text {
    const char *flags, *target, *source;
    size_t length; /* of the source, or of the content that it is */
    mode_t mode;
};
/* Reads one; gives where the next begins. */
const char *weir__mount_next(const char *at, struct weir__mount_text *out);

/* --- root.c: each attempt */
/* In a mount namespace of its own: makes the attempt's root, with all its mounts, and goes there. */
bool weir__root_enter(const helper *h, const order *o);

/* --- image.c: roots of attempts that are in an image */
/* Once: the host's /sys, before something covers it; -1: there is none to be had. */
int weir__image_take_sys(const helper *h);
/* Once: what stands above an image's layers, and that. `base` is the helper's root to be. */
bool weir__image_space(const helper *h, const char *base, int sys);
/* Mounts the image's layers, with what the attempt writes, at /new; `host` is open: the host's root. */
bool weir__image_mount(const helper *h, const order *o, int host);
/* Opens the layers (O_PATH), as many as it has; the caller closes those that are not -1, also of a failure. */
bool weir__image_open_layers(const order *o, int host, int *layers);
void weir__image_close_layers(const order *o, const int *layers);
/* In /new: /proc, /sys, /dev and /tmp. */
bool weir__image_basics(const helper *h, const order *o);
/* The root that is the working directory becomes the only one: nothing leads back to the helper's. */
bool weir__image_pivot(const order *o);
/* A network of its own has just itself. */
bool weir__network_up(const order *o);

/* --- fuse.c: where no overlay can be mounted */
/* Once: takes the device to be. `base` as above. */
void weir__fuse_space(const helper *h, const char *base);
/* Before the attempt is cloned, in the helper: starts the slot's fuse-overlayfs; fills in `served`. */
bool weir__fuse_start(helper *h, order *o);
/* Moves that to /new. */
bool weir__fuse_mount(const order *o);
/* Ends the slot's, if there is one, and waits for it: nobody looks at its files any more. */
void weir__fuse_stop(helper *h, uint32_t slot);

/* --- copy.c: where that is not to be had either */
/* Whether the attempt's folder, which is kept, has a copy of the image from an earlier time. */
bool weir__copy_is_there(const order *o);
/* Copies what an overlay of the layers would show to disk, unless that is there, and mounts it at /new. With a signal in the record the attempt was told to
 * end meanwhile. */
bool weir__copy_mount(const helper *h, const order *o, int host);

/* --- confine.c: what a command in an image may not do */
/* Once: finds what the kernel has, and prepares it. */
void weir__confine_prepare(helper *h);
/* Before the user changes: rights that nothing in the image needs are given up for good. */
bool weir__confine_rights(const order *o);
/* Last: no more rights by executing something, no way out of the root, no system calls for administrators. */
bool weir__confine_rest(const helper *h, const order *o);

/* --- users.c: files of several users */
/* In a user namespace that was made before; takes the descriptor over. */
bool weir__users_enter(int space);
/* What weir-init is started for besides attempts; the exit code, or -1: it is not that. */
int weir__users_work(int argc, char **argv);

/* --- attempt.c */
/* Handles in the helper what process 1 of each attempt handles: it costs less there. Nobody waits for the helper's children. */
void weir__signals_take(void);
/* Process 1 of an attempt. */
_Noreturn void weir__attempt_run(const helper *h, const order *o);

#endif
