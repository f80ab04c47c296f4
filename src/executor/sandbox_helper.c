#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/pass.h"
#include "executor/sandbox_internal.h"
#include "io/library.h"
#include "io/users.h"

enum {
    RECORDS_BYTES = WEIR__INIT_SLOTS * sizeof(weir__init_record),
    LEAST_DESCRIPTOR = 16 /* above those that the helper has by number */
};

/* And the folder it is in: a state on a server has none of its own yet. */
static bool make_folder(const char *path) {
    if (mkdir(path, 0700) == 0 || errno == EEXIST) return true;
    char *above = errno == ENOENT ? strdup(path) : NULL;
    char *slash = above ? strrchr(above, '/') : NULL;
    if (slash && slash > above) *slash = '\0';
    bool made = slash && (mkdir(above, 0700) == 0 || errno == EEXIST);
    free(above);
    return made && (mkdir(path, 0700) == 0 || errno == EEXIST);
}

bool weir__sandboxes_folder(weir_sandboxes *s, weir_error *error) {
    if (!s->folder) {
        const char *above = getenv("TMPDIR");
        weir_buffer path = {0};
        weir_buffer_printf(&path, "%s/weir-sandboxes-%u", above && *above ? above : "/var/tmp",
                           (unsigned)geteuid());
        s->folder = path.data;
    }
    struct stat info;
    if (!make_folder(s->folder))
        return weir_fail(error, WEIR_IO, "the folder `%s` cannot be made: %s", s->folder,
                         strerror(errno));
    if (lstat(s->folder, &info) < 0 || !S_ISDIR(info.st_mode) || info.st_uid != geteuid())
        return weir_fail(error, WEIR_IO, "`%s` is not a folder of this user's", s->folder);
    return true;
}

static int above_streams(int fd) {
    int high = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, LEAST_DESCRIPTOR);
    if (fd >= 0) close(fd);
    return high;
}

/* Of the helper's: requests, records, roots, and a user namespace (-1: it makes its own). */
enum { ENDS = 4 };

static bool open_ends(weir_sandboxes *s, int ends[ENDS], weir_error *error) {
    int requests[2] = {-1, -1}, roots[2] = {-1, -1};
    int records = memfd_create("weir-sandboxes", MFD_CLOEXEC);
    bool ok = records >= 0 && ftruncate(records, RECORDS_BYTES) == 0 &&
              socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, requests) == 0 &&
              socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, roots) == 0;
    void *memory =
        ok ? mmap(NULL, RECORDS_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, records, 0) : MAP_FAILED;
    if (memory != MAP_FAILED) s->records = memory;
    s->requests = requests[0];
    s->roots = roots[0];
    ends[0] = above_streams(requests[1]);
    ends[1] = above_streams(records);
    ends[2] = above_streams(roots[1]);
    if (s->images && weir_users_get()->space >= 0)
        ends[3] = fcntl(weir_users_get()->space, F_DUPFD_CLOEXEC, LEAST_DESCRIPTOR);
    bool users = !s->images || weir_users_get()->space < 0 || ends[3] >= 0;
    if (memory != MAP_FAILED && ends[0] >= 0 && ends[1] >= 0 && ends[2] >= 0 && users) return true;
    return weir_fail(error, WEIR_IO, "no sockets for weir-init: %s", strerror(errno));
}

static bool spawn_helper(weir_sandboxes *s, const char *program, const int ends[ENDS],
                         weir_error *error) {
    char bytes[32];
    if (s->memory_bytes_max)
        snprintf(bytes, sizeof bytes, "%llu", (unsigned long long)s->memory_bytes_max);
    else
        snprintf(bytes, sizeof bytes, "50%%");
    static const char *const mounts[] = {WEIR__INIT_MOUNT_NAMES};
    char name[] = "weir-init", images[] = "images", users[] = "users", unknown[] = "",
         *environment[] = {NULL};
    char *kind = !s->images ? NULL : ends[3] < 0 ? images : users;
    char *argv[] = {name,
                    s->folder,
                    bytes,
                    kind,
                    (char *)(uintptr_t)mounts[s->mount],
                    s->store ? s->store : unknown,
                    NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    /* Out of reach of what a terminal sends: it ends with the engine, after what it started. */
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
    int reason = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDWR, 0);
    for (int fd = STDOUT_FILENO; !reason && fd <= STDERR_FILENO; fd++)
        reason = posix_spawn_file_actions_adddup2(&actions, STDIN_FILENO, fd);
    int given = 0;
    for (; !reason && given < ENDS && ends[given] >= 0; given++)
        reason =
            posix_spawn_file_actions_adddup2(&actions, ends[given], WEIR__INIT_REQUESTS + given);
    if (!reason)
        reason = posix_spawn_file_actions_addclosefrom_np(&actions, WEIR__INIT_REQUESTS + given);
    if (!reason)
        reason = posix_spawn(&s->helper, program, &actions, &attributes, argv, environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (!reason) return true;
    s->helper = 0;
    return weir_fail(error, WEIR_IO, "`%s` cannot be started: %s", program, strerror(reason));
}

/* How images are mounted; what the record has is why it is no overlay of the kernel's. */
static void take_mount(weir_sandboxes *s, weir_image_mount mount) {
    const weir__init_record *why = &s->records[0];
    weir_buffer text = {0};
    bool other = s->mount == WEIR_IMAGE_MOUNT_AUTO && mount != WEIR_IMAGE_MOUNT_OVERLAY;
    s->mount = mount;
    if (!other) return;
    if (mount == WEIR_IMAGE_MOUNT_FUSE)
        weir_buffer_printf(&text,
                           "the kernel mounts no overlay of images here (%s): fuse-overlayfs does, "
                           "which takes longer",
                           strerror(why->error));
    else
        weir_buffer_printf(&text,
                           "the kernel mounts no overlay of images here, and fuse-overlayfs cannot "
                           "be used (%s: %s): each attempt gets a copy of its image, which takes "
                           "time and room on disk",
                           why->what, strerror(why->error));
    s->mount_why = text.data;
}

bool weir__helper_start(weir_sandboxes *s, weir_error *error) {
    weir_buffer program = {0};
    weir__init_answer answer;
    int ends[ENDS] = {-1, -1, -1, -1};
    bool ok = weir__sandboxes_folder(s, error);
    if (ok && !weir_library_program("weir-init", &program)) {
        ok = weir_fail(error, WEIR_IO, "weir-init is not installed");
        weir_error_hint(error, "WEIR_MODULES names the folder that it is in");
    }
    ok = ok && open_ends(s, ends, error) && spawn_helper(s, program.data, ends, error);
    for (int i = 0; i < ENDS; i++)
        if (ends[i] >= 0) close(ends[i]);
    if (ok && !weir__helper_answer(s, &answer)) ok = weir_fail(error, WEIR_IO, "weir-init ended");
    if (ok && answer.pid < 0) {
        weir__helper_error(s, 0, "", "", error);
        ok = false;
    }
    if (ok && s->images) take_mount(s, (weir_image_mount)answer.mount);
    weir_buffer_deinit(&program);
    if (!ok) weir__helper_stop(s);
    return ok;
}

void weir__helper_stop(weir_sandboxes *s) {
    if (s->requests >= 0) close(s->requests);
    if (s->roots >= 0) close(s->roots);
    s->requests = s->roots = -1;
    if (s->helper)
        while (waitpid(s->helper, NULL, 0) < 0 && errno == EINTR) continue;
    s->helper = 0;
    if (s->records) munmap(s->records, RECORDS_BYTES);
    s->records = NULL;
}

bool weir__helper_send(weir_sandboxes *s, const weir__init_request *head, weir_str texts,
                       const int *descriptors, size_t count) {
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE((WEIR__INIT_STREAMS + 1) * sizeof(int))];
    } control = {0};
    struct iovec parts[2] = {{(void *)(uintptr_t)head, sizeof *head},
                             {(void *)(uintptr_t)texts.data, texts.length}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    if (count) {
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(header), descriptors, count * sizeof(int));
    }
    for (size_t left = sizeof *head + texts.length; left;) {
        ssize_t sent = sendmsg(s->requests, &message, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) return false;
        left -= (size_t)sent;
        message.msg_control = NULL;
        message.msg_controllen = 0;
        for (int i = 0; i < 2; i++) {
            size_t part = (size_t)sent < parts[i].iov_len ? (size_t)sent : parts[i].iov_len;
            parts[i].iov_base = (char *)parts[i].iov_base + part;
            parts[i].iov_len -= part;
            sent -= (ssize_t)part;
        }
    }
    return true;
}

bool weir__helper_answer(weir_sandboxes *s, weir__init_answer *answer) {
    ssize_t count;
    do count = recv(s->requests, answer, sizeof *answer, MSG_WAITALL);
    while (count < 0 && errno == EINTR);
    return count == sizeof *answer;
}

/* False when there is no more. */
static bool take_root(weir_sandboxes *s) {
    uint32_t slot = UINT32_MAX;
    int root;
    ssize_t count = weir__pass_take(s->roots, &root, &slot, sizeof slot);
    if (count <= 0) return count < 0 && errno == EINTR;
    weir_sandbox *sandbox = slot < s->slots.count ? s->slots.items[slot] : NULL;
    if (sandbox && sandbox->root < 0)
        sandbox->root = root;
    else if (root >= 0)
        close(root);
    return true;
}

void weir__helper_take_roots(weir_sandboxes *s) {
    while (take_root(s)) continue;
}

static void say_command(const weir__init_record *record, const char *command, const char *image,
                        bool within, weir_error *error) {
    bool known = *image;
    if (record->step == WEIR__INIT_COMMAND && within) {
        weir_fail(error, WEIR_NOT_FOUND, "image `%s` has no command `%s`", image, command);
        weir_error_hint(error, "`weir image show %s` tells its command and its PATH", image);
    } else if (record->step == WEIR__INIT_COMMAND) {
        weir_fail(error, WEIR_NOT_FOUND, "command `%s` is not on this host%s%s%s", command,
                  known ? ": image `" : "", image, known ? "` would bring it along" : "");
        weir_error_hint(error, "install it, or name a file for it under `images` in weir.yaml");
    } else if (record->step == WEIR__INIT_INTERPRETER) {
        weir_fail(error, WEIR_NOT_FOUND,
                  "command `%s` names an interpreter that was not found%s%s%s", command,
                  known ? " (image `" : "", image, known ? "`)" : "");
        weir_error_hint(error, "see the first line of the file");
    } else {
        weir_fail(error, WEIR_IO, "command `%s` could not be started: %s", command,
                  strerror(record->error));
        if (record->error == ENOEXEC)
            weir_error_hint(error, "a script needs a first line such as #!/bin/sh");
    }
}

void weir__helper_error(const weir_sandboxes *s, uint32_t slot, const char *command,
                        const char *image, weir_error *error) {
    const weir__init_record *record = &s->records[slot];
    static const char *const texts[] = {
        [WEIR__INIT_USERS] = "no user namespace%s",
        [WEIR__INIT_SPACE] = "no mount namespace%s",
        [WEIR__INIT_LAYERS] = "`%s` cannot be used for file systems of attempts",
        [WEIR__INIT_START] = "no process for the attempt%s",
        [WEIR__INIT_OVERLAY] = "no overlay with `%s` as its upper layer",
        [WEIR__INIT_PROC] = "the attempt's `%s` cannot be mounted",
        [WEIR__INIT_SOURCE] = "`%s`, to be mounted, cannot be opened",
        [WEIR__INIT_TARGET] = "the path `%s` of a mount cannot be made",
        [WEIR__INIT_BIND] = "nothing can be mounted at `%s`",
        [WEIR__INIT_DIRECTORY] = "the directory `%s` cannot be used",
        [WEIR__INIT_IDENTITY] = "user and group cannot be changed%s",
        [WEIR__INIT_LIMITS] = "its limits cannot be set%s",
        [WEIR__INIT_NETWORK] = "it cannot have a network of its own%s",
        [WEIR__INIT_CONFINE] = "it cannot be confined (%s)",
        [WEIR__INIT_FUSE] = "`%s`, for the files of an image, cannot be used",
        [WEIR__INIT_COPY] = "`%s` of its image cannot be copied",
    };
    if (record->step >= WEIR__INIT_COMMAND) {
        say_command(record, command, image, s->images, error);
        return;
    }
    char text[768];
    const char *form = texts[record->step], *mark = form ? strstr(form, "%s") : NULL;
    if (!mark) form = mark = "the attempt's file system could not be made";
    snprintf(text, sizeof text, "%.*s%s%s", (int)(mark - form), form,
             mark > form ? record->what : "", mark > form ? mark + 2 : form);
    bool absent = record->error == ENOENT &&
                  (record->step == WEIR__INIT_SOURCE || record->step == WEIR__INIT_DIRECTORY);
    weir_fail(error, absent ? WEIR_NOT_FOUND : WEIR_IO, "%s: %s", text, strerror(record->error));
    if (record->step == WEIR__INIT_USERS)
        weir_error_hint(error, "the system may forbid them: see user.max_user_namespaces, and "
                               "kernel.apparmor_restrict_unprivileged_userns, of sysctl");
    else if (record->step == WEIR__INIT_FUSE)
        weir_error_hint(error, "install fuse-overlayfs and let this user open /dev/fuse; or say "
                               "`image-mount: auto`, and images are copied where neither works");
    else if (record->step == WEIR__INIT_COPY && record->error == ENOSPC)
        weir_error_hint(error,
                        "each attempt has a copy of its image in `%s`: TMPDIR or --state "
                        "may name a larger disk",
                        s->folder);
    else if (record->step == WEIR__INIT_OVERLAY && s->mount == WEIR_IMAGE_MOUNT_OVERLAY)
        weir_error_hint(error, "with `image-mount: auto` fuse-overlayfs or a copy is used where "
                               "the kernel mounts no overlay");
}
