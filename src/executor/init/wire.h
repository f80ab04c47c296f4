/* What weir and its helper weir-init say to each other. The helper is a small static program, started once an engine: it keeps a
 * mount namespace (and, for an ordinary user, a user namespace) with what each attempt's file system is made of, and starts
 * attempts in it. Plain numbers and texts of one machine, between processes of one build.
 *
 * Descriptors of the helper: requests come and answers go by WEIR__INIT_REQUESTS, a stream socket; WEIR__INIT_RECORDS is
 * shared memory with a record for each slot; by WEIR__INIT_ROOTS, a packet socket, the roots of attempts come back. All of them end
 * with the engine, and everything that the helper started with them. */
#ifndef WEIR_EXECUTOR_INIT_WIRE_H
#define WEIR_EXECUTOR_INIT_WIRE_H

#include <stdint.h>

enum {
    WEIR__INIT_REQUESTS = 3,
    WEIR__INIT_RECORDS = 4,
    WEIR__INIT_ROOTS = 5,
    WEIR__INIT_NAMESPACE = 6, /* a user namespace, see io/users.h; where there is one */
    WEIR__INIT_SLOTS = 4096,  /* attempts whose file systems are there at once */
    WEIR__INIT_STREAMS = 4,   /* descriptors 0 to 3 of a command */
    WEIR__INIT_REQUEST_MAX = 8 * 1024 * 1024, /* bytes of a request's texts */
    WEIR__INIT_MOUNTS_MAX = 1024,
    WEIR__INIT_IMAGE_LAYERS_MAX = 500,
    WEIR__INIT_GROUPS_MAX = 64
};

/* What the helper was doing when it could not: who reads the record puts it into words. */
typedef enum weir__init_step {
    WEIR__INIT_NOTHING,
    WEIR__INIT_USERS,     /* a user namespace */
    WEIR__INIT_SPACE,     /* a mount namespace of its own */
    WEIR__INIT_LAYERS,    /* what file systems are made of */
    WEIR__INIT_START,     /* a process */
    WEIR__INIT_OVERLAY,   /* the attempt's root */
    WEIR__INIT_PROC,      /* its /proc */
    WEIR__INIT_SOURCE,    /* what is to be bound into it */
    WEIR__INIT_TARGET,    /* the place where */
    WEIR__INIT_BIND,      /* binding it */
    WEIR__INIT_DIRECTORY, /* the working directory */
    WEIR__INIT_IDENTITY,  /* user and group */
    WEIR__INIT_LIMITS,
    WEIR__INIT_NETWORK,     /* one of its own */
    WEIR__INIT_CONFINE,     /* giving up rights */
    WEIR__INIT_FUSE,        /* fuse-overlayfs */
    WEIR__INIT_COPY,        /* copying the image */
    WEIR__INIT_COMMAND,     /* finding it */
    WEIR__INIT_INTERPRETER, /* it is there, what its first line names is not */
    WEIR__INIT_EXECUTE
} weir__init_step;

/* How the layers of an image become the root of an attempt. */
typedef enum weir__init_mount {
    WEIR__INIT_MOUNT_AUTO, /* the first of these that works */
    WEIR__INIT_MOUNT_OVERLAY,
    WEIR__INIT_MOUNT_FUSE, /* fuse-overlayfs, one for each attempt */
    WEIR__INIT_MOUNT_COPY, /* a folder of the attempt's own has all of their files */
} weir__init_mount;
#define WEIR__INIT_MOUNT_NAMES "auto", "overlay", "fuse", "copy"

/* How an attempt went; of slot 0 until the helper is ready: how that went. Written by the helper only. */
typedef struct weir__init_record {
    int32_t step;              /* WEIR__INIT_NOTHING: nothing failed */
    int32_t error;             /* errno */
    int32_t exit_code, signal; /* of the command */
    /* Not 0: the command has ended, and with it all that it started; process 1 is on its way. Written last. */
    int32_t over;
    /* Of the command that asks whether it is ready: 256 times how often it ended, and its last exit code. */
    int32_t answered;
    uint64_t cpu_us, memory_peak_bytes; /* of all that process 1 waited for, then */
    char what[472];                     /* the path it was about */
} weir__init_record;

typedef enum weir__init_kind {
    WEIR__INIT_RUN,     /* is answered */
    WEIR__INIT_RELEASE, /* nobody needs the slot's files any more; no answer */
} weir__init_kind;

enum {
    WEIR__INIT_WANTS_ROOT = 1, /* its root is sent back, for what it writes to be looked up */
    WEIR__INIT_HAS_IDENTITY = 2,
    WEIR__INIT_HAS_GROUP = 4,  /* the last of the descriptors is that of a control group */
    WEIR__INIT_FOREGROUND = 8, /* of the terminal that its standard input is */
    WEIR__INIT_OWN_TMP = 16,   /* what its image has in /tmp is to be seen there */
    WEIR__INIT_NO_NETWORK = 32,
};

/* Followed by `length` bytes: terminated texts, in this order: the folder of its root ("": the helper's own), the working
 * directory, `argc` of the command, `envc` of the environment, `asks` of the command that WEIR__INIT_ASK runs, `layers` of the image's, folders of the host, the
 * uppermost first, `groups` of the user's further groups, decimal, and of each mount a word of flags, its target and its source.
 * Descriptors come with the first byte, those of `streams` in their order. */
typedef struct weir__init_request {
    uint32_t kind, slot, flags, length;
    uint32_t streams; /* bit N: descriptor N of the command comes along; others are /dev/null */
    uint32_t argc, envc, asks, layers, groups, mounts;
    uint32_t user, group;
    uint64_t data_bytes_max; /* RLIMIT_DATA of each process; 0: no limit */
    uint64_t file_bytes_max; /* RLIMIT_FSIZE; 0: no limit */
} weir__init_request;

/* The signal at which process 1 runs the command that asks, and ends one that does so still. Nobody minds it who does not handle it. */
#define WEIR__INIT_ASK SIGURG

/* Letters of a mount's word. */
enum {
    WEIR__INIT_READ_ONLY = 'r',
    WEIR__INIT_FILE = 'f', /* a file; else a directory */
    /* The same for many attempts: the places of such files that the host lacks are made once, and not for each. */
    WEIR__INIT_PROVIDED = 'p',
    WEIR__INIT_BENEATH =
        'b', /* the source is a folder, "//" and a path that may not lead out of it */
    /* The first: no mount, but a file of the attempt's own. Behind it stands its mode, octal, a ':' and how many bytes of it come
     * instead of the source. */
    WEIR__INIT_CONTENT = 'c',
};

typedef struct weir__init_answer {
    int32_t pid;   /* below 0: it was not started */
    int32_t error; /* errno */
    /* The first, of the helper itself: a weir__init_mount; the record of slot 0 says why none before it works. */
    int32_t mount;
} weir__init_answer;

#endif
