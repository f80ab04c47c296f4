/* Private to sandbox*.c: the helper's end here, and sandboxes of both kinds. One thread. */
#ifndef WEIR_EXECUTOR_SANDBOX_INTERNAL_H
#define WEIR_EXECUTOR_SANDBOX_INTERNAL_H

#include "base/map.h"
#include "base/queue.h"
#include "executor/init/wire.h"
#include "executor/sandbox.h"
#include "executor/sandbox_group.h"

struct weir_sandboxes {
    weir_isolation isolation;
    char *folder;
    uint64_t memory_bytes_max;
    void (*warn)(void *arg, const char *text);
    void *arg;
    bool images;
    weir_image_mount mount; /* once started: that which is used */
    char *store;            /* NULL: not known */
    char *mount_why;        /* NULL: it is what was asked for */
    bool started;           /* the helper was, or cannot be */
    weir_error why;         /* then */
    pid_t helper;           /* 0: there is none */
    int requests, roots;
    weir__init_record *records;
    weir_queue free_slots;
    WEIR_VECTOR(weir_sandbox *) slots; /* NULL: free */
    uint32_t live;                     /* sandboxes that are not released */
    uint32_t lingering;                /* those that are, whose process 1 is not gone */
    char *plain;             /* a folder of attempts without isolation; NULL: none was wanted yet */
    int plain_lock;          /* that folder's; -1 */
    weir_queue free_folders; /* in it, by number: empty ones */
    WEIR_VECTOR(uint64_t)
    folders; /* of each by its number: when it was last known to be empty, see untouched() */
    weir__groups groups;
    const char *engines[2]; /* of containers */
    size_t engine_count;
    bool engines_known;
    weir_map known_images;           /* which of them are at hand */
    WEIR_VECTOR(char *) image_names; /* the keys of those */
    uint32_t containers;             /* so many were begun */
    bool told_containers;
    bool told_identity, told_memory, told_cpu, told_machine;
};

/* What is said for a path in the sandbox. */
typedef struct weir__alias {
    char *at, *instead;
    bool needed; /* the command must name it */
    bool named;
} weir__alias;

/* Without isolation: what weir_sandbox_ask runs. */
typedef struct weir__asking {
    weir_arena arena;
    const char *const *argv, *const *environment;
    const char *directory;
    struct weir__asked *last; /* runs; NULL: none does */
    uint32_t answers;
    int exit_code;
} weir__asking;

/* Copies of outputs that are other users', until they were read. */
typedef struct weir__shown {
    WEIR_VECTOR(char *) folders;
    WEIR_VECTOR(int) locks;
} weir__shown;

struct weir_sandbox {
    weir_sandboxes *sandboxes;
    bool isolated;
    char *container;    /* its name; NULL: it is none */
    const char *engine; /* of that */
    bool keeps;         /* the container stays until the sandbox is released */
    weir_loop *loop;
    bool begun; /* the helper knows it */
    uint32_t slot;
    bool running;  /* its process was started */
    bool released; /* by its owner; it goes with its process */
    bool visited;  /* by whoever sits at our streams */
    bool grouped;  /* it has a control group, by its slot */
    int root;      /* -1: none; a folder as the attempt sees / */
    char *folder;  /* without isolation: its own */
    uint32_t folder_number;
    uint64_t folder_taken_ns; /* since 1970 */
    char *kept;               /* with a root of its own: that */
    weir__shown *shown;
    char *command; /* for messages */
    char *image;
    WEIR_VECTOR(weir__alias)
    aliases; /* without isolation: paths that are elsewhere, longer ones first */
    weir__asking asking;
};

/* Of a file that is looked up: a pipe that somebody left there must not be waited for. */
#define WEIR__OPEN_FLAGS (O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

/* --- sandbox.c */
/* What errno says of a file that cannot be opened; false. */
bool weir__open_failed(const char *path, weir_error *error);

/* --- sandbox_helper.c */
/* The folder that attempts write in, which is made. */
bool weir__sandboxes_folder(weir_sandboxes *sandboxes, weir_error *error);
/* Starts it; false and why. */
bool weir__helper_start(weir_sandboxes *sandboxes, weir_error *error);
void weir__helper_stop(weir_sandboxes *sandboxes);
/* Sends a request with its texts and descriptors; false: the helper is gone. */
bool weir__helper_send(weir_sandboxes *sandboxes, const weir__init_request *head, weir_str texts,
                       const int *descriptors, size_t count);
/* The answer to one that runs something. */
bool weir__helper_answer(weir_sandboxes *sandboxes, weir__init_answer *answer);
/* Takes the roots that were sent back; they become their sandboxes'. */
void weir__helper_take_roots(weir_sandboxes *sandboxes);
/* What the record says went wrong, in words. */
void weir__helper_error(const weir_sandboxes *sandboxes, uint32_t slot, const char *command,
                        const char *image, weir_error *error);

/* --- sandbox_users.c */
/* Whether attempts of an ordinary user may be other users of their images. */
bool weir__sandboxes_have_users(const weir_sandboxes *sandboxes);
/* Whether the engine may read an output, and all that is in it. */
bool weir__users_may_read(int fd);
/* Opens one that it may not. */
bool weir__users_show(const weir_sandbox *sandbox, const char *path, int *out, weir_error *error);

/* --- sandbox_container.c */
/* Whether the attempt is to be a container; false: it should, and cannot. */
bool weir__container_wanted(weir_sandboxes *sandboxes, weir_contained how, weir_str image,
                            bool *out, weir_error *error);
bool weir__container_start(weir_sandbox *sandbox, weir_loop *loop, const weir_sandbox_spec *spec,
                           const weir_process_options *callbacks, weir_process **process,
                           weir_error *error);
bool weir__container_end(const weir_sandbox *sandbox, const weir_process_end *end,
                         weir_error *error);
bool weir__container_open(const weir_sandbox *sandbox, const char *path, int *out,
                          weir_error *error);
void weir__container_release(weir_sandbox *sandbox);

/* --- sandbox_plain.c: without isolation */
/* The folder of its own, which goes when it is released. */
bool weir__plain_folder(weir_sandbox *sandbox, weir_error *error);
/* What is at the path in the sandbox is elsewhere. */
void weir__plain_alias(weir_sandbox *sandbox, weir_str at, const char *instead);
bool weir__plain_knows(const weir_sandbox *sandbox, const char *path);
bool weir__plain_start(weir_sandbox *sandbox, weir_loop *loop, const weir_sandbox_spec *spec,
                       const weir_process_options *callbacks, weir_process **process,
                       weir_error *error);
/* Gives a descriptor of whatever it is. */
bool weir__plain_open(const weir_sandbox *sandbox, const char *path, int *out, weir_error *error);
void weir__plain_ask(weir_sandbox *sandbox, weir_loop *loop);
void weir__plain_release(weir_sandbox *sandbox);
void weir__plain_stop(weir_sandboxes *sandboxes);

#endif
