#include "io/hardware.h"

#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/map.h"
#include "base/vector.h"
#include "io/kernel_file.h"

/* Limits that stand for none: v1 has a number near 2^63, v2 the word "max". */
static const uint64_t NO_LIMIT = 1ull << 60;

static bool read_file(const char *root, const char *folder, const char *name, char *out,
                      size_t size) {
    weir_buffer path = {0};
    weir_buffer_printf(&path, "%s%s%s", root, folder, name);
    bool some = weir_kernel_text(path.data, out, size);
    weir_buffer_deinit(&path);
    return some;
}

static bool read_number(const char *root, const char *folder, const char *name, uint64_t *out) {
    weir_buffer path = {0};
    weir_buffer_printf(&path, "%s%s%s", root, folder, name);
    bool some = weir_kernel_number(path.data, out);
    weir_buffer_deinit(&path);
    return some;
}

static uint64_t least(uint64_t a, uint64_t b) {
    if (!a || !b) return a ? a : b;
    return a < b ? a : b;
}

/* --- memory --------------------------------------------------------------------------------- */

static uint64_t kilobytes_of(const char *text, const char *key) {
    const char *at = strstr(text, key);
    return at ? strtoull(at + strlen(key), NULL, 10) * 1024 : 0;
}

static void take_memory(weir_hardware *out, const char *folder, uint64_t limit, uint64_t used) {
    if (!limit || limit >= NO_LIMIT) return;
    out->memory_bytes = least(out->memory_bytes, limit);
    uint64_t left = used < limit ? limit - used : 1;
    if (out->available_bytes && left >= out->available_bytes) return;
    out->available_bytes = left;
    out->group = weir_hash(folder, strlen(folder)) | 1;
}

/* What can be thrown away counts as free, as it does in MemAvailable. */
static uint64_t cache_of(const char *root, const char *folder, const char *key) {
    char text[8192];
    if (!read_file(root, folder, "/memory.stat", text, sizeof text)) return 0;
    size_t length = strlen(key);
    for (const char *at = text; at && *at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
        if (strncmp(at, key, length) == 0 && at[length] == ' ')
            return strtoull(at + length, NULL, 10);
    return 0;
}

static void read_memory_group(const char *root, const char *folder, bool old, weir_hardware *out) {
    uint64_t limit = 0, used = 0;
    if (!read_number(root, folder, old ? "/memory.limit_in_bytes" : "/memory.max", &limit)) return;
    (void)read_number(root, folder, old ? "/memory.usage_in_bytes" : "/memory.current", &used);
    uint64_t cache = cache_of(root, folder, old ? "total_inactive_file" : "inactive_file");
    take_memory(out, folder, limit, used > cache ? used - cache : 0);
}

static void read_cpu_group(const char *root, const char *folder, bool old, weir_hardware *out) {
    char text[64];
    uint64_t quota = 0, period = 0;
    if (old) {
        if (!read_number(root, folder, "/cpu.cfs_quota_us", &quota) || quota > INT64_MAX ||
            !read_number(root, folder, "/cpu.cfs_period_us", &period))
            return;
    } else {
        char *end;
        if (!read_file(root, folder, "/cpu.max", text, sizeof text)) return;
        quota = strtoull(text, &end, 10); /* or "max" */
        period = strtoull(end, NULL, 10);
    }
    uint64_t milli = period ? quota * 1000 / period : 0;
    if (milli) out->cpu_milli = (uint32_t)least(out->cpu_milli, milli < UINT32_MAX ? milli : 0);
}

/* The group and all above it, up to the mount. */
static void read_groups(const char *root, const char *mount, const char *group, bool old,
                        weir_hardware *out) {
    weir_buffer folder = {0};
    weir_buffer_printf(&folder, "%s%s", mount, group);
    for (size_t mounted = strlen(mount); folder.length >= mounted;) {
        read_memory_group(root, folder.data, old, out);
        read_cpu_group(root, folder.data, old, out);
        size_t length = folder.length;
        while (length > mounted && folder.data[length - 1] != '/') length--;
        if (folder.length == mounted) break;
        folder.length = length > mounted ? length - 1 : mounted;
        folder.data[folder.length] = '\0';
    }
    weir_buffer_deinit(&folder);
}

/* Lines as "0::/user.slice" (v2) or "4:memory:/docker/1" (v1). In a container the path may be the host's, which is not there: then
 * the mount itself is this process's group. */
static void read_own_groups(const char *root, weir_hardware *out) {
    char text[8192], *rest = text, *line;
    if (!read_file(root, "/proc/self/cgroup", "", text, sizeof text)) return;
    while ((line = strsep(&rest, "\n"))) {
        char *names = strchr(line, ':'), *path = names ? strchr(names + 1, ':') : NULL;
        if (!path) continue;
        *path++ = '\0';
        names++;
        if (strcmp(path, "/") == 0) path[0] = '\0';
        if (strstr(path, "..")) path[0] = '\0';
        if (!*names) {
            read_groups(root, "/sys/fs/cgroup", path, false, out);
            read_groups(root, "/sys/fs/cgroup/unified", path, false, out);
        } else if (strstr(names, "memory")) {
            read_groups(root, "/sys/fs/cgroup/memory", path, true, out);
        } else if (strcmp(names, "cpu") == 0 || strstr(names, "cpu,")) {
            read_groups(root, "/sys/fs/cgroup/cpu", path, true, out);
        }
    }
}

void weir_hardware_read(const char *root, weir_hardware *out) {
    char text[4096];
    cpu_set_t set;
    *out = (weir_hardware){0};
    if (read_file(root, "/proc/meminfo", "", text, sizeof text)) {
        out->memory_bytes = kilobytes_of(text, "MemTotal:");
        out->available_bytes = kilobytes_of(text, "MemAvailable:");
        out->machine_available_bytes = out->available_bytes;
    }
    int processors = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 0;
    if (processors > 0) out->cpu_milli = (uint32_t)processors * 1000;
    read_own_groups(root, out);
}

/* --- processes ------------------------------------------------------------------------------ */

typedef struct found {
    int pid, parent;
    uint64_t bytes;
    bool ours;
} found;

/* "pid (name) state parent …"; the name may have anything. The 24th is the number of resident pages. */
static bool read_process(const char *root, const char *name, found *out) {
    char folder[300], text[1024];
    snprintf(folder, sizeof folder, "/proc/%s", name);
    if (!read_file(root, folder, "/stat", text, sizeof text)) return false;
    const char *at = strrchr(text, ')');
    for (int field = 2; at && field < 24; field++) {
        at = strchr(at + 1, ' ');
        if (at && field == 3) out->parent = (int)strtol(at, NULL, 10);
    }
    if (!at) return false;
    out->pid = (int)strtol(name, NULL, 10);
    out->bytes = strtoull(at, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
    return true;
}

static int by_pid(const void *a, const void *b) {
    const found *x = a, *y = b;
    return (x->pid > y->pid) - (x->pid < y->pid);
}

/* Parents are marked before their children, however numbers went round. */
static void look_at_family(found *all, size_t count, weir_family *family) {
    for (size_t i = 0; i < count; i++) all[i].ours = false;
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < count; i++) {
            found key = {.pid = all[i].parent};
            if (all[i].ours) continue;
            const found *parent = bsearch(&key, all, count, sizeof key, by_pid);
            if (all[i].parent != family->pid && !(parent && parent->ours)) continue;
            all[i].ours = more = true;
            family->bytes += all[i].bytes;
            if (all[i].pid == getpid()) family->has_self = true;
        }
    }
}

void weir_hardware_families(const char *root, weir_family *families, size_t count) {
    WEIR_VECTOR(found) all = {0};
    char folder[4096];
    snprintf(folder, sizeof folder, "%s/proc", root);
    DIR *directory = opendir(folder);
    for (const struct dirent *entry; directory && (entry = readdir(directory));) {
        found one = {0};
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
        if (read_process(root, entry->d_name, &one)) *weir_vector_push(&all) = one;
    }
    if (directory) closedir(directory);
    if (all.count) qsort(all.items, all.count, sizeof *all.items, by_pid);
    for (size_t i = 0; i < count; i++) {
        families[i].bytes = 0;
        families[i].has_self = false;
        look_at_family(all.items, all.count, &families[i]);
    }
    weir_vector_deinit(&all);
}
