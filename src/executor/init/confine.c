/* What a command in an image may not do. It is told by names here what an image's programs never need and an administrator's do; all else of the
 * system is left as it is, so that what a newer kernel offers works without anybody's permission. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "executor/init/init.h"

/* --- rights ------------------------------------------------------------------------------------ */

/* What root of an image may still do: handling files of any owner, changing to another user, serving at a low port. */
static const int rights_kept[] = {CAP_CHOWN,   CAP_DAC_OVERRIDE, CAP_FOWNER,          CAP_FSETID,
                                  CAP_KILL,    CAP_SETGID,       CAP_SETUID,          CAP_SETPCAP,
                                  CAP_SETFCAP, CAP_SYS_CHROOT,   CAP_NET_BIND_SERVICE};

static bool is_kept(int right) {
    for (size_t i = 0; i < sizeof rights_kept / sizeof *rights_kept; i++)
        if (rights_kept[i] == right) return true;
    return false;
}

bool weir__confine_rights(const order *o) {
    for (int right = 0; right < 64; right++) {
        if (is_kept(right)) continue;
        if (prctl(PR_CAPBSET_DROP, right, 0, 0, 0) == 0) continue;
        /* The kernel has no more of them. */
        return errno == EINVAL || weir__note(o->record, WEIR__INIT_CONFINE, "capabilities");
    }
    return true;
}

/* --- system calls ------------------------------------------------------------------------------ */

/* Refused as by a kernel that does not permit it; and clone3, whose flags cannot be looked at, as by one that does not have it: the C library takes
 * clone then. */
static const int calls_refused[] = {
    SCMP_SYS(acct),
    SCMP_SYS(add_key),
    SCMP_SYS(bpf),
    SCMP_SYS(clock_adjtime),
    SCMP_SYS(clock_settime),
    SCMP_SYS(create_module),
    SCMP_SYS(delete_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(fsconfig),
    SCMP_SYS(fsmount),
    SCMP_SYS(fsopen),
    SCMP_SYS(fspick),
    SCMP_SYS(init_module),
    SCMP_SYS(io_uring_enter),
    SCMP_SYS(io_uring_register),
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(ioperm),
    SCMP_SYS(iopl),
    SCMP_SYS(kcmp),
    SCMP_SYS(kexec_file_load),
    SCMP_SYS(kexec_load),
    SCMP_SYS(keyctl),
    SCMP_SYS(lookup_dcookie),
    SCMP_SYS(mount),
    SCMP_SYS(mount_setattr),
    SCMP_SYS(move_mount),
    SCMP_SYS(nfsservctl),
    SCMP_SYS(open_by_handle_at),
    SCMP_SYS(open_tree),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(pivot_root),
    SCMP_SYS(quotactl),
    SCMP_SYS(reboot),
    SCMP_SYS(request_key),
    SCMP_SYS(setns),
    SCMP_SYS(settimeofday),
    SCMP_SYS(swapoff),
    SCMP_SYS(swapon),
    SCMP_SYS(syslog),
    SCMP_SYS(umount),
    SCMP_SYS(umount2),
    SCMP_SYS(unshare),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(vhangup),
};

static struct sock_filter *instructions;
static unsigned short instruction_count;

static bool refuse_calls(scmp_filter_ctx filter) {
    static const uint64_t spaces = 0x7e020000; /* all CLONE_NEW… of clone */
    static const uint64_t typing[] = {TIOCSTI, TIOCLINUX};
    bool ok = true;
    for (size_t i = 0; ok && i < sizeof calls_refused / sizeof *calls_refused; i++)
        ok = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), calls_refused[i], 0) == 0;
    /* One rule for each bit: what a filter compares is a mask and one value. */
    for (uint64_t bit = 1; ok && bit <= spaces; bit <<= 1)
        if (spaces & bit)
            ok = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                                  SCMP_A0(SCMP_CMP_MASKED_EQ, bit, bit)) == 0;
    /* What is typed at a terminal is not the image's to say. */
    for (size_t i = 0; ok && i < sizeof typing / sizeof *typing; i++)
        ok = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1,
                              SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, typing[i])) == 0;
    return ok && seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) == 0;
}

/* The filter as the kernel takes it, in memory: it is made once, and loaded by each command. */
static bool compile_filter(void) {
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int fd = filter ? memfd_create("filter", MFD_CLOEXEC) : -1;
    bool ok = fd >= 0 && refuse_calls(filter) && seccomp_export_bpf(filter, fd) == 0;
    off_t size = ok ? lseek(fd, 0, SEEK_END) : 0;
    if (size > 0 && size / (off_t)sizeof *instructions <= BPF_MAXINSNS)
        instructions = malloc((size_t)size);
    if (instructions && pread(fd, instructions, (size_t)size, 0) == size)
        instruction_count = (unsigned short)((size_t)size / sizeof *instructions);
    if (fd >= 0) close(fd);
    if (filter) seccomp_release(filter);
    return instruction_count > 0;
}

/* --- files outside of its root ------------------------------------------------------------------- */

/* As linux/landlock.h has them; that of older systems lacks the newer ones. */
struct ruleset {
    uint64_t files, network, scoped;
};
struct beneath {
    uint64_t allowed;
    int32_t folder;
} __attribute__((packed));
enum { CREATE_VERSION = 1, RULE_BENEATH = 1, SCOPE_ABSTRACT_SOCKETS = 1 };

/* Everything that this version knows of. */
static uint64_t accesses(int version) {
    return version >= 5   ? 0xffff /* and ioctl of devices */
           : version >= 3 ? 0x7fff /* truncating */
           : version == 2 ? 0x3fff /* linking between folders */
                          : 0x1fff;
}

/* The root, with all that is mounted in it, and nothing else, whatever descriptor or link may lead there; and sockets without a path, which
 * belong to the host's network, of its own only. */
static bool restrict_files(const helper *h, const order *o) {
    struct ruleset rules = {.files = accesses(h->landlock),
                            .scoped = h->landlock >= 6 ? SCOPE_ABSTRACT_SOCKETS : 0};
    struct beneath root = {.allowed = rules.files,
                           .folder = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)};
    size_t size = h->landlock >= 6   ? sizeof rules
                  : h->landlock >= 4 ? offsetof(struct ruleset, scoped)
                                     : offsetof(struct ruleset, network);
    int fd = root.folder < 0 ? -1 : (int)syscall(SYS_landlock_create_ruleset, &rules, size, 0);
    bool ok = fd >= 0 && syscall(SYS_landlock_add_rule, fd, RULE_BENEATH, &root, 0) == 0 &&
              syscall(SYS_landlock_restrict_self, fd, 0) == 0;
    int reason = errno;
    if (fd >= 0) close(fd);
    if (root.folder >= 0) close(root.folder);
    errno = reason;
    return ok || weir__note(o->record, WEIR__INIT_CONFINE, "Landlock");
}

/* --- */

void weir__confine_prepare(helper *h) {
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_VERSION);
    h->landlock = version > 0 ? (int)version : 0;
    h->filtered = prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0 && compile_filter();
}

bool weir__confine_rest(const helper *h, const order *o) {
    struct sock_fprog program = {.len = instruction_count, .filter = instructions};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return weir__note(o->record, WEIR__INIT_CONFINE, "new privileges");
    if (h->landlock && !restrict_files(h, o)) return false;
    return !h->filtered || prctl(PR_SET_SECCOMP, 2 /* a filter */, &program, 0, 0) == 0 ||
           weir__note(o->record, WEIR__INIT_CONFINE, "system calls");
}
