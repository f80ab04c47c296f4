#include "executor/sandbox_group.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PERIOD_US = 100 * 1000 };

static bool write_text(const char *folder, const char *name, const char *text) {
    weir_buffer path = {0};
    weir_buffer_printf(&path, "%s/%s", folder, name);
    int fd = open(path.data, O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    int reason = errno;
    if (fd >= 0) close(fd);
    weir_buffer_deinit(&path);
    errno = reason;
    return ok;
}

/* The file's first bytes; "" when it cannot be read. */
static void read_text(const char *folder, const char *name, char *out, size_t size) {
    weir_buffer path = {0};
    weir_buffer_printf(&path, "%s/%s", folder, name);
    int fd = open(path.data, O_RDONLY | O_CLOEXEC);
    ssize_t count = fd >= 0 ? read(fd, out, size - 1) : 0;
    out[count > 0 ? count : 0] = '\0';
    if (fd >= 0) close(fd);
    weir_buffer_deinit(&path);
}

/* Whether the list, with blanks between, has the word. */
static bool has_word(const char *list, const char *word) {
    size_t length = strlen(word);
    for (const char *at = list; *at; at += strspn(at, " \n")) {
        size_t next = strcspn(at, " \n");
        if (next == length && memcmp(at, word, length) == 0) return true;
        at += next;
    }
    return false;
}

static char *find_mount(void) {
    char line[4096], path[1024], *found = NULL;
    FILE *mounts = fopen("/proc/self/mountinfo", "re");
    while (mounts && !found && fgets(line, sizeof line, mounts))
        if (strstr(line, " - cgroup2 ") && sscanf(line, "%*s %*s %*s %*s %1023s", path) == 1)
            found = weir_str_dup(weir_str_from(path));
    if (mounts) fclose(mounts);
    return found;
}

static char *find_own(void) {
    char line[4096], *found = NULL;
    FILE *groups = fopen("/proc/self/cgroup", "re");
    while (groups && !found && fgets(line, sizeof line, groups)) {
        weir_str text = weir_str_trim(weir_str_from(line));
        if (weir_str_starts(text, WEIR_STR("0::")))
            found = weir_str_dup(weir_str_slice(text, 3, text.length));
    }
    if (groups) fclose(groups);
    return found;
}

/* A group may give controllers to those below it only while it has no processes of its own. */
static bool make_way(weir__groups *g, const char *own, const char *wanted) {
    char number[32];
    if (write_text(own, "cgroup.subtree_control", wanted)) return true;
    if (errno != EBUSY) return false;
    weir_buffer path = {0};
    weir_buffer_printf(&path, "%s/weir-engine-%d", own, (int)getpid());
    snprintf(number, sizeof number, "%d", (int)getpid());
    if (mkdir(path.data, 0755) == 0 && write_text(path.data, "cgroup.procs", number)) {
        g->engine = path.data;
        return write_text(own, "cgroup.subtree_control", wanted);
    }
    rmdir(path.data);
    weir_buffer_deinit(&path);
    return false;
}

static void find_below(weir__groups *g, const char *own) {
    char controllers[512], wanted[64];
    read_text(own, "cgroup.controllers", controllers, sizeof controllers);
    g->memory = has_word(controllers, "memory");
    g->cpu = has_word(controllers, "cpu");
    snprintf(wanted, sizeof wanted, "%s%s", g->memory ? "+memory " : "", g->cpu ? "+cpu" : "");
    weir_buffer path = {0};
    weir_buffer_printf(&path, "%s/weir-%d", own, (int)getpid());
    if ((g->memory || g->cpu) && mkdir(path.data, 0755) == 0) {
        if (make_way(g, own, wanted) && write_text(path.data, "cgroup.subtree_control", wanted)) {
            g->folder = path.data;
            return;
        }
        rmdir(path.data);
    }
    weir_buffer_deinit(&path);
    g->memory = g->cpu = false;
}

void weir__groups_find(weir__groups *g, const char *mount, const char *own) {
    if (g->looked) return;
    g->looked = true;
    char *found_mount = mount ? NULL : find_mount(), *found_own = own ? NULL : find_own();
    if (!mount) mount = found_mount;
    if (!own) own = found_own;
    if (mount && own) {
        weir_buffer path = {0};
        weir_buffer_printf(&path, "%s%s", mount, strcmp(own, "/") == 0 ? "" : own);
        find_below(g, path.data);
        weir_buffer_deinit(&path);
    }
    weir_free(found_mount);
    weir_free(found_own);
}

static void group_path(const weir__groups *g, uint32_t number, weir_buffer *path) {
    weir_buffer_printf(path, "%s/%u", g->folder, number);
}

int weir__group_make(const weir__groups *g, uint32_t number, uint64_t memory_bytes_max,
                     uint32_t cpu_milli) {
    char text[64];
    weir_buffer path = {0};
    group_path(g, number, &path);
    bool ok = mkdir(path.data, 0755) == 0 || errno == EEXIST;
    if (memory_bytes_max && g->memory) {
        snprintf(text, sizeof text, "%llu", (unsigned long long)memory_bytes_max);
        ok = ok && write_text(path.data, "memory.max", text);
        (void)write_text(path.data, "memory.swap.max", "0"); /* there may be no swap */
        (void)write_text(path.data, "memory.oom.group", "1");
    }
    if (cpu_milli && g->cpu) {
        snprintf(text, sizeof text, "%llu %d", (unsigned long long)cpu_milli * PERIOD_US / 1000,
                 PERIOD_US);
        ok = ok && write_text(path.data, "cpu.max", text);
    }
    int fd = ok ? open(path.data, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd < 0) rmdir(path.data);
    weir_buffer_deinit(&path);
    return fd;
}

bool weir__group_was_full(const weir__groups *g, uint32_t number) {
    char events[512];
    weir_buffer path = {0};
    group_path(g, number, &path);
    read_text(path.data, "memory.events", events, sizeof events);
    weir_buffer_deinit(&path);
    const char *count = strstr(events, "oom_kill ");
    return count && strtoul(count + strlen("oom_kill "), NULL, 10) > 0;
}

void weir__group_remove(const weir__groups *g, uint32_t number) {
    weir_buffer path = {0};
    group_path(g, number, &path);
    rmdir(path.data);
    weir_buffer_deinit(&path);
}

/* This process stays where it went: the group that it came from may not take it back before those below it are gone. */
void weir__groups_leave(weir__groups *g) {
    if (g->folder) rmdir(g->folder);
    weir_free(g->folder);
    weir_free(g->engine);
    *g = (weir__groups){0};
}
