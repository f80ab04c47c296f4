/* Sandboxes: file systems of attempts. Each has the host's root below and what it writes for itself above, its own /tmp, /var/tmp, /dev/shm
 * and /run, files and folders bound in at any path, and processes of its own: process 1 is weir's helper, whose end ends all.
 *
 * What an attempt writes in /tmp, /var/tmp and folders bound in goes to disk, elsewhere to memory, up to a limit of all attempts
 * together; with a `root` all of it goes there, and stays. Nothing is seen of it from outside but through weir_sandbox_open.
 *
 * As an ordinary user the attempt is in a user namespace with that user alone, and sees the host's folders read-only. It may write in
 * /, /tmp, /var/tmp, /run, /mnt, /media, /root, /dev/shm, in any folder that it makes, and that a mount was put in.
 *
 * Not isolated (WEIR_ISOLATION_NONE, or the system refuses), an attempt is a plain process in a folder of its own, below which its
 * working directory and files given by content are; and paths of mounts and outputs are replaced by others where the command and
 * scripts name them. A mount or output that they do not name is an error, for at its path attempts would meet, and the host.
 *
 * In an image (weir_sandboxes_options.images) it has the image's layers below instead of the host's root: its own /proc, /sys, /dev, and the
 * folders that are bound in. It is confined: no new rights by executing something, few of root's, no system calls for administrators
 * (seccomp), nothing outside of its root (Landlock). As an ordinary user it is in a user namespace with the users of io/users.h, else with
 * that user alone, as root. Without isolation there is none.
 *
 * A container has its image's file system, the host's network and the mounts, but no files that are only `provided`, and no metrics.
 *
 * This keeps from meeting those who do not want to; it is no wall around programs that want to break out. One thread. */
#ifndef WEIR_EXECUTOR_SANDBOX_H
#define WEIR_EXECUTOR_SANDBOX_H

#include "data/value.h"
#include "io/process.h"

typedef enum weir_isolation {
    WEIR_ISOLATION_AUTO, /* as far as the system lets us; where it does not, said once */
    WEIR_ISOLATION_NONE,
} weir_isolation;

/* How an image becomes the root of an attempt. */
typedef enum weir_image_mount {
    WEIR_IMAGE_MOUNT_AUTO, /* the first of these that the system allows; one that is not the first is said once */
    WEIR_IMAGE_MOUNT_OVERLAY, /* the kernel's */
    WEIR_IMAGE_MOUNT_FUSE,    /* fuse-overlayfs */
    WEIR_IMAGE_MOUNT_COPY,    /* of all its files, for each attempt */
} weir_image_mount;

enum {
    WEIR_SANDBOX_MOUNTS_MAX = 1024,
    WEIR_SANDBOX_CONTENT_BYTES_MAX = 4 * 1024 * 1024, /* of all files given by content */
    WEIR_SANDBOXES_MAX = 4096,                        /* that are there at once */
    WEIR_SANDBOX_LAYERS_MAX = 500,
    WEIR_SANDBOX_GROUPS_MAX = 64
};

#define WEIR_SANDBOX_HOME "/root" /* which every sandbox has of its own */
/* Argo tells steps of a file for their progress, which they may write. Of every sandbox's own, too. */
#define WEIR_SANDBOX_PROGRESS_NAME "argo-progress"
#define WEIR_SANDBOX_PROGRESS "ARGO_PROGRESS_FILE=/tmp/" WEIR_SANDBOX_PROGRESS_NAME

typedef struct weir_sandboxes_options {
    weir_isolation isolation;
    /* Where attempts write to disk: made when it is needed; NULL: weir-sandboxes-UID in TMPDIR or /var/tmp. */
    const char *folder;
    uint64_t memory_bytes_max; /* of what they write elsewhere; 0: a half of the machine's */
    bool images;               /* their attempts are in images, and no others */
    weir_image_mount mount;    /* of those */
    const char *store;         /* a folder that their layers are below; NULL: not known */
    /* Something that was asked for cannot be done, and is left out: each once. */
    void (*warn)(void *arg, const char *text);
    void *arg;
} weir_sandboxes_options;

/* Whether an attempt is a container of its image, by podman or docker. */
typedef enum weir_contained {
    WEIR_CONTAINED_AUTO, /* if one of these and the image are at hand; said once */
    WEIR_CONTAINED_NEVER,
    WEIR_CONTAINED_ALWAYS
} weir_contained;

/* The command of a container that its image says. */
#define WEIR_SANDBOX_OF_IMAGE "(of the image)"

typedef enum weir_mount_kind {
    WEIR_MOUNT_HOST,    /* a file or folder of the host's */
    WEIR_MOUNT_CONTENT, /* a file of the sandbox's own */
} weir_mount_kind;

typedef struct weir_mount {
    weir_mount_kind kind;
    weir_str at;     /* absolute, in the sandbox; folders are made where they are not there */
    weir_str source; /* absolute, on the host; or the content */
    weir_str
        beneath; /* what of the host's folder: a path that no link leads out of; empty: the folder */
    uint32_t mode; /* of content, below 07777 */
    bool read_only;
    bool script;   /* content that names paths as the command does */
    bool provided; /* it does no harm if the command never looks for it */
    bool unasked;  /* the command need not name it, where that is wanted */
} weir_mount;

/* What is to be run, and in what. Borrowed by weir_sandbox_start. */
typedef struct weir_sandbox_spec {
    const char *const *argv; /* as in weir_process_options */
    const char *const *environment;
    const char *directory;     /* in the sandbox, made when it is not there; NULL: / */
    const char *const *asking; /* what weir_sandbox_ask runs; NULL: nothing */
    weir_str image;            /* of a container, and for messages; may be empty */
    weir_contained contained;
    const weir_mount *mounts;
    size_t mount_count;
    /* Absolute paths of what the attempt writes that weir_sandbox_open will be asked for, or for what is below them. */
    const weir_str *outputs;
    size_t output_count;
    const char *root; /* a folder of the host's where its files stay; NULL: they go */
    bool
        has_identity; /* user and group are wanted; an ordinary user has others in images only, if any */
    uint32_t user, group;
    const uint32_t *groups; /* further ones, of an image's user; at most WEIR_SANDBOX_GROUPS_MAX */
    size_t group_count;
    const char *const *layers; /* of an image: folders of the host's, the lowest first */
    size_t layer_count;
    bool own_tmp;    /* what the image has in /tmp is to be seen there */
    bool no_network; /* but its own */
    /* 0: no limit. Where control groups (cgroups v2) are this user's to make, memory and processors of all its processes; else
     * memory of each, and processors are not limited. */
    uint64_t memory_bytes_max;
    uint32_t cpu_milli; /* thousandths of a processor */
    /* What it would like to have: nobody waits for it, but it is said once when the machine has less. */
    uint64_t memory_bytes_asked, cpu_milli_asked;
    uint64_t file_bytes_max; /* of each file */
} weir_sandbox_spec;

typedef struct weir_sandboxes weir_sandboxes;
typedef struct weir_sandbox weir_sandbox;

/* Costs nothing until the first attempt. */
weir_sandboxes *weir_sandboxes_new(const weir_sandboxes_options *options);
/* No sandbox may be left. Turns the loop until their processes are gone; folders on disk are soon after. */
void weir_sandboxes_free(weir_sandboxes *sandboxes, weir_loop *loop);
/* Whether it is a plain process: what leaves its group is not ended with it. */
bool weir_sandbox_is_plain(const weir_sandbox *sandbox);
/* Where the file of the process's ARGO_PROGRESS_FILE is while it runs: a path below the folder, which it gives; NULL: nowhere to be seen. */
const char *weir_sandbox_progress(const weir_sandbox *sandbox, int pid,
                                  const char *const *environment, weir_buffer *folder);
/* Whether attempts are isolated here: starts the helper. False after a warning, or when nobody wants it. */
bool weir_sandboxes_isolate(weir_sandboxes *sandboxes);
/* The same for images, without a warning: UNSUPPORTED, and why. */
WEIR_CHECKED bool weir_sandboxes_images(weir_sandboxes *sandboxes, weir_error *error);

/* By its name; false: there is none. */
bool weir_image_mount_read(weir_str name, weir_image_mount *out);
/* After the former: how their images are mounted, in words; and the warning that is told with it, NULL: none. */
const char *weir_sandboxes_mount(const weir_sandboxes *sandboxes, const char **why);

/* Starts the attempt; of `callbacks` the functions, `arg` and `input` are used. Errors: NOT_FOUND when a source is not there, or
 * without isolation the command; LIMIT; INVALID for a path that is not absolute, or without isolation one that others would meet at;
 * IO. What goes wrong later weir_sandbox_end says. */
WEIR_CHECKED bool weir_sandbox_start(weir_sandboxes *sandboxes, weir_loop *loop,
                                     const weir_sandbox_spec *spec,
                                     const weir_process_options *callbacks, weir_sandbox **out,
                                     weir_process **process, weir_error *error);
/* When the process has ended: how the command ended, by the signal that ended it. False: it was never begun, and why. */
WEIR_CHECKED bool weir_sandbox_end(const weir_sandbox *sandbox, weir_process_end *end,
                                   weir_error *error);
/* Opens a file or folder at a path as the attempt saw it, with its mounts, to read; links are followed, but never out of it.
 * Gives a descriptor. NOT_FOUND, INVALID for what is neither, IO. After weir_sandbox_end, on any one thread until the release. */
WEIR_CHECKED bool weir_sandbox_open(const weir_sandbox *sandbox, const char *path, int *out,
                                    weir_error *error);
/* Nothing that was opened is needed any more: copies that were made for it go. On the thread of weir_sandbox_open. */
void weir_sandbox_forget(const weir_sandbox *sandbox);
/* While its process runs: runs its spec's `asking` beside it, with the same environment and directory; one that runs still is ended. */
void weir_sandbox_ask(weir_sandbox *sandbox, weir_loop *loop, weir_process *process);
/* How often that ended, and with which exit code the last time. */
uint32_t weir_sandbox_answered(const weir_sandbox *sandbox, int *exit_code);
/* Its files go, unless they stay in its `root`. After the process has ended (`ended` was called). */
void weir_sandbox_release(weir_sandbox *sandbox);
/* Runs the command with this process's own standard streams, in the foreground of its terminal, until it ends: to look, in a `root`, at
 * what an attempt left there. Drives the loop. Errors as above, and UNSUPPORTED without isolation. */
WEIR_CHECKED bool weir_sandbox_visit(weir_sandboxes *sandboxes, weir_loop *loop,
                                     const weir_sandbox_spec *spec, weir_process_end *end,
                                     weir_error *error);
/* Whether weir_sandbox_open may take long. */
bool weir_sandbox_is_slow(const weir_sandbox *sandbox);
/* Whether podman or docker has the image at hand; said once. */
WEIR_CHECKED bool weir_sandboxes_contain(weir_sandboxes *sandboxes, weir_str image, bool *out,
                                         weir_error *error);
/* Ends containers that an engine which was killed left behind: of attempts RUN-TASK-NUMBER whose names begin like `attempts`
 * ("RUN-TASK-"), but not those of the number `keep`. */
void weir_sandboxes_end_containers(weir_sandboxes *sandboxes, const char *attempts, uint32_t keep);
/* Removes a folder of the host's that attempts wrote in: what was a volume, an input, or a `root`. False: something is left. */
bool weir_sandbox_remove(const char *folder);

#endif
