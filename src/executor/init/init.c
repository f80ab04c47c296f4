#include "executor/init/init.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/remove.h"

bool weir__note(weir__init_record *record, weir__init_step step, const char *what) {
    int reason = errno;
    size_t length = strnlen(what, sizeof record->what - 1);
    memcpy(record->what, what, length);
    record->what[length] = '\0';
    record->error = reason;
    record->step = (int32_t)step;
    return false;
}

static bool read_all(char *out, size_t length) {
    while (length) {
        ssize_t count = read(WEIR__INIT_REQUESTS, out, length);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return false;
        out += count;
        length -= (size_t)count;
    }
    return true;
}

static void close_streams(order *o) {
    for (int i = 0; i < WEIR__INIT_STREAMS; i++)
        if (o->streams[i] >= 0) close(o->streams[i]);
    if (o->group >= 0) close(o->group);
}

static void take_descriptors(const struct msghdr *message, uint32_t streams, uint32_t flags,
                             order *o) {
    int found[WEIR__INIT_STREAMS + 1];
    size_t count = 0, next = 0;
    const struct cmsghdr *control = CMSG_FIRSTHDR(message);
    if (control && control->cmsg_type == SCM_RIGHTS) {
        count = (control->cmsg_len - CMSG_LEN(0)) / sizeof *found;
        memcpy(found, CMSG_DATA(control), count * sizeof *found);
    }
    for (int i = 0; i < WEIR__INIT_STREAMS; i++)
        o->streams[i] = streams & 1u << i && next < count ? found[next++] : -1;
    o->group = flags & WEIR__INIT_HAS_GROUP && next < count ? found[next] : -1;
}

/* The head of the next request, and its descriptors; false: the engine is gone. */
static bool receive(weir__init_request *head, order *o) {
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE((WEIR__INIT_STREAMS + 1) * sizeof(int))];
    } control;
    struct iovec part = {head, sizeof *head};
    struct msghdr message = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof control.bytes,
    };
    ssize_t count;
    do {
        message.msg_controllen = sizeof control.bytes;
        count = recvmsg(WEIR__INIT_REQUESTS, &message, MSG_CMSG_CLOEXEC);
    } while (count < 0 && errno == EINTR);
    if (count <= 0) return false;
    take_descriptors(&message, count == sizeof *head ? head->streams : 0,
                     count == sizeof *head ? head->flags : 0, o);
    return (size_t)count == sizeof *head ||
           read_all((char *)head + count, sizeof *head - (size_t)count);
}

static const char *next_text(const char **at) {
    const char *text = *at;
    *at += strlen(text) + 1;
    return text;
}

/* The engine is trusted to send what wire.h says; the texts stay where they are. */
static void read_order(order *o, const char *texts, char **vector) {
    const char *at = texts;
    o->root = next_text(&at);
    o->directory = next_text(&at);
    o->argv = vector;
    for (uint32_t i = 0; i < o->head->argc; i++) vector[i] = (char *)(uintptr_t)next_text(&at);
    vector[o->head->argc] = NULL;
    o->environment = vector + o->head->argc + 1;
    for (uint32_t i = 0; i < o->head->envc; i++)
        o->environment[i] = (char *)(uintptr_t)next_text(&at);
    o->environment[o->head->envc] = NULL;
    o->asking = o->environment + o->head->envc + 1;
    for (uint32_t i = 0; i < o->head->asks; i++) o->asking[i] = (char *)(uintptr_t)next_text(&at);
    o->asking[o->head->asks] = NULL;
    o->layers = at;
    for (uint32_t i = 0; i < o->head->layers; i++) next_text(&at);
    o->groups = at;
    for (uint32_t i = 0; i < o->head->groups; i++) next_text(&at);
    o->mounts = at;
}

/* Of the slot, ready for an attempt. */
static bool prepare(helper *h, order *o) {
    o->served = -1;
    return weir__slot_prepare(h, o->head->slot) &&
           (h->mount != WEIR__INIT_MOUNT_FUSE || weir__fuse_start(h, o));
}

static void close_served(order *o) {
    if (o->served >= 0) close(o->served);
    o->served = -1;
}

/* A child of the engine's, not of ours: it is the engine that waits for it and knows what it used. */
static pid_t start(const helper *h, const order *o) {
    struct clone_args how = {
        .flags = CLONE_PARENT | CLONE_NEWPID | CLONE_NEWNS,
    };
    if (o->head->flags & WEIR__INIT_NO_NETWORK) how.flags |= CLONE_NEWNET;
    if (o->group >= 0) {
        how.flags |= CLONE_INTO_CGROUP;
        how.cgroup = (__u64)o->group;
    }
    pid_t pid = (pid_t)syscall(SYS_clone3, &how, sizeof how);
    if (pid == 0) weir__attempt_run(h, o);
    return pid;
}

static void answer(pid_t pid, int error, weir__init_mount mount) {
    weir__init_answer text = {.pid = pid, .error = error, .mount = (int32_t)mount};
    if (send(WEIR__INIT_REQUESTS, &text, sizeof text, MSG_NOSIGNAL) < 0) _exit(0);
}

static bool run(helper *h, order *o) {
    size_t count = (size_t)o->head->argc + o->head->envc + o->head->asks + 3;
    /* One piece: what is written between two attempts is copied for each of them. */
    char **vector = calloc(1, count * sizeof *vector + o->head->length + 1);
    char *texts = (char *)(vector ? vector + count : NULL);
    bool whole = vector && read_all(texts, o->head->length);
    if (whole) {
        texts[o->head->length] = '\0';
        read_order(o, texts, vector);
        o->record = &h->records[o->head->slot];
        memset(o->record, 0, sizeof *o->record);
        pid_t pid = -1;
        o->layer = weir__layer_find(h, o);
        weir__slot_name(h, o);
        if (prepare(h, o) && (pid = start(h, o)) < 0) weir__note(o->record, WEIR__INIT_START, "");
        close_served(o);
        answer(pid, pid < 0 ? o->record->error : 0, h->mount);
    }
    close_streams(o);
    free(vector);
    return whole;
}

/* In a root that was made: what a step may do, and an overlay only does when the file systems below it have all that it needs. */
static bool write_probe(const helper *h) {
    if (!h->images) return true;
    if (unlink("/etc/hosts") == 0 && mkdir("/etc/hosts", 0755) == 0) return true;
    return weir__note(h->records, WEIR__INIT_OVERLAY, "/etc/hosts");
}

enum { PROBE_MS_MAX = 20000 };

/* Whether that of a process ended in time; else it is ended. */
static bool await_probe(int process) {
    struct pollfd over = {.fd = process, .events = POLLIN};
    siginfo_t ended;
    int count = poll(&over, 1, PROBE_MS_MAX);
    if (count == 0) syscall(SYS_pidfd_send_signal, process, SIGKILL, NULL, 0);
    while (waitid(P_PIDFD, (id_t)process, &ended, WEXITED) < 0 && errno == EINTR)
        continue; /* nobody is there: it has ended */
    close(process);
    return count > 0;
}

/* The folder that layers are below stands for one, where nothing of it is copied: not every file system can be a layer. */
static uint32_t probed_layers(const helper *h) {
    if (!h->images || !*h->store || h->mount == WEIR__INIT_MOUNT_COPY) return 0;
    int host = open("/host", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int store = host < 0 ? -1 : weir__open_within(host, h->store, O_PATH | O_DIRECTORY);
    if (host >= 0) close(host);
    if (store >= 0) close(store);
    return store >= 0;
}

/* Whether attempts can begin here, by making the root of one: what a system refuses is said once, and not for each of them. */
static bool probe(helper *h) {
    static char *const nothing[] = {NULL};
    const weir__init_request head = {.layers = probed_layers(h)};
    order o = {.head = &head,
               .record = h->records,
               .streams = {-1, -1, -1, -1},
               .group = -1,
               .layer = -1,
               .root = "",
               .directory = "",
               .argv = (char **)(uintptr_t)nothing,
               .environment = (char **)(uintptr_t)nothing,
               .asking = (char **)(uintptr_t)nothing,
               .layers = h->store,
               .groups = "",
               .mounts = ""};
    int process = -1;
    weir__slot_name(h, &o);
    if (!prepare(h, &o)) return false;
    errno = ETIMEDOUT;
    weir__note(h->records, WEIR__INIT_START, "");
    struct clone_args how = {.flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_PIDFD,
                             .exit_signal = SIGCHLD,
                             .pidfd = (__u64)(uintptr_t)&process};
    pid_t pid = (pid_t)syscall(SYS_clone3, &how, sizeof how);
    if (pid == 0) {
        if (weir__root_enter(h, &o) && write_probe(h)) h->records->step = WEIR__INIT_NOTHING;
        _exit(0);
    }
    if (pid < 0) weir__note(h->records, WEIR__INIT_START, "");
    close_served(&o);
    bool well = pid > 0 && await_probe(process) && h->records->step == WEIR__INIT_NOTHING;
    if (h->images) weir__slot_clear(h, 0);
    return well;
}

/* How images can be mounted, if they are not to be so in one way; the record says why the last but one could not. */
static bool find_mount(helper *h) {
    weir__init_record why = {0};
    if (!h->images || h->mount != WEIR__INIT_MOUNT_AUTO) return probe(h);
    while (h->mount < WEIR__INIT_MOUNT_COPY) {
        h->mount++;
        if (probe(h)) break;
        bool overlay = h->records->step == WEIR__INIT_OVERLAY;
        if (h->mount == WEIR__INIT_MOUNT_OVERLAY && !overlay) return false;
        if (h->mount == WEIR__INIT_MOUNT_COPY) return false;
        /* With fuse-overlayfs at hand it is the overlay's refusal that is told, else why that one cannot be had as well. */
        why = *h->records;
    }
    *h->records = why;
    return true;
}

static void serve(helper *h) {
    for (;;) {
        weir__init_request head;
        order o = {.head = &head};
        if (!receive(&head, &o)) return;
        if (head.slot >= WEIR__INIT_SLOTS || head.length > WEIR__INIT_REQUEST_MAX) return;
        if (head.kind == WEIR__INIT_RELEASE)
            weir__slot_clear(h, head.slot);
        else if (!run(h, &o))
            return;
    }
}

/* The engine waits for this process, but not for what takes time: removing files and taking namespaces apart is left to another, that
 * begins when this one has ended. */
static _Noreturn void end(const helper *h) {
    int ends[2];
    char none;
    struct clone_args how = {.flags = 0};
    bool piped = pipe2(ends, O_CLOEXEC) == 0;
    pid_t pid = piped ? (pid_t)syscall(SYS_clone3, &how, sizeof how) : -1;
    if (pid > 0) _exit(0);
    if (pid == 0) {
        close(ends[1]);
        (void)!read(ends[0], &none, sizeof none); /* nothing: its end */
    }
    weir__remove_within(h->folder, SIZE_MAX);
    rmdir(h->folder);
    _exit(0);
}

/* How images are mounted: by that name; false: there is none of it. */
static bool read_mount(const char *name, weir__init_mount *out) {
    static const char *const names[] = {WEIR__INIT_MOUNT_NAMES};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0) {
            *out = (weir__init_mount)i;
            return true;
        }
    return false;
}

/* weir-init FOLDER BYTES [images|users MOUNT STORE]: see weir__space_make; attempts are in images, mounted in the way MOUNT, whose layers are below STORE;
 * with `users` in the user namespace WEIR__INIT_NAMESPACE. The folder goes with all that attempts left in it, also when the engine was killed. And
 * weir__users_work. */
int main(int argc, char **argv) {
    helper h = {.store = ""};
    int worked = weir__users_work(argc, argv);
    if (worked >= 0) return worked;
    h.records = mmap(NULL, WEIR__INIT_SLOTS * sizeof *h.records, PROT_READ | PROT_WRITE, MAP_SHARED,
                     WEIR__INIT_RECORDS, 0);
    if (argc == 6 && read_mount(argv[4], &h.mount)) {
        h.users = strcmp(argv[3], "users") == 0;
        h.images = h.users || strcmp(argv[3], "images") == 0;
        h.store = argv[5];
    }
    if ((argc != 3 && !h.images) || h.records == MAP_FAILED) {
        static const char text[] = "weir-init: this is a part of weir, started by it\n";
        return write(STDERR_FILENO, text, sizeof text - 1) < 0 ? 3 : 2;
    }
    close(WEIR__INIT_RECORDS);
    weir__signals_take();
    fcntl(WEIR__INIT_REQUESTS, F_SETFD, FD_CLOEXEC);
    fcntl(WEIR__INIT_ROOTS, F_SETFD, FD_CLOEXEC);
    if (h.images) weir__confine_prepare(&h);
    if (!weir__space_make(&h, argv[1], argv[2]) || !find_mount(&h)) {
        answer(-1, h.records[0].error, h.mount);
        if (*h.folder) end(&h);
        return 3;
    }
    /* After what its folder was looked at for: nobody but root reads its memory. */
    prctl(PR_SET_DUMPABLE, 0);
    answer(getpid(), 0, h.mount);
    serve(&h);
    end(&h);
}
