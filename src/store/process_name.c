#include "store/process_name.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { LINE_MAX = 1024, STARTED_FIELD = 20 }; /* the 20th after the name in proc(5)'s stat */

static bool read_line(const char *file, char line[static LINE_MAX]) {
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, line, LINE_MAX - 1);
    if (fd >= 0) close(fd);
    line[length > 0 ? length : 0] = '\0';
    line[strcspn(line, "\n")] = '\0';
    return length > 0;
}

/* "BOOT NAMESPACE" */
static bool name_machine(weir_buffer *out) {
    char boot[LINE_MAX], space[128];
    ssize_t length = readlink("/proc/self/ns/pid", space, sizeof space);
    if (!read_line("/proc/sys/kernel/random/boot_id", boot) || length <= 0) return false;
    weir_buffer_printf(out, "%s %.*s", boot, (int)length, space);
    return true;
}

/* When the process began; 0: there is none, or it has ended and nobody asked how yet. */
static unsigned long long started(long pid) {
    char file[64], line[LINE_MAX];
    snprintf(file, sizeof file, "/proc/%ld/stat", pid);
    char *at = read_line(file, line) ? strrchr(line, ')') : NULL;
    if (!at || at[1] != ' ' || at[2] == 'Z' || at[2] == 'X') return 0;
    at++;
    for (int field = 0; at && field < STARTED_FIELD - 1; field++) at = strchr(at + 1, ' ');
    return at ? strtoull(at, NULL, 10) : 0;
}

void weir__process_name(weir_buffer *out) {
    long pid = (long)getpid();
    unsigned long long since = started(pid);
    weir_buffer_clear(out);
    weir_buffer_text(out, "");
    if (since && name_machine(out)) weir_buffer_printf(out, " %ld %llu", pid, since);
}

bool weir__process_is_dead(weir_str name) {
    weir_buffer here = {0};
    weir_buffer_text(&here, "");
    bool same = name_machine(&here);
    weir_buffer_byte(&here, ' ');
    same = same && weir_str_starts(name, weir_buffer_str(&here));
    char rest[64];
    snprintf(rest, sizeof rest, "%.*s", same ? (int)(name.length - here.length) : 0,
             same ? name.data + here.length : "");
    weir_buffer_deinit(&here);
    char *end, *last;
    long pid = strtol(rest, &end, 10);
    unsigned long long since = strtoull(end, &last, 10);
    return same && pid > 0 && since && !*last && started(pid) != since;
}
