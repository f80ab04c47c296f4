#include "executor/strays.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"

/* The number of the attempt of the task `prefix` ("RUN/TASK/") that the process belongs to; 0: it does not, or is of another copy
 * of the state. */
static unsigned long attempt_of(int folder, const char *prefix, const char *copy) {
    weir_buffer environment = {0};
    unsigned long number = 0;
    weir_str found = {0};
    ssize_t count = 0;
    int fd = openat(folder, "environ", O_RDONLY | O_CLOEXEC);
    while (fd >= 0) {
        weir_buffer_reserve(&environment, 16 * 1024);
        count = read(fd, environment.data + environment.length, 16 * 1024);
        if (count <= 0) break;
        environment.length += (size_t)count;
        environment.data[environment.length] = '\0';
    }
    if (fd >= 0) close(fd);
    for (size_t at = 0; at < environment.length; at += strlen(environment.data + at) + 1) {
        weir_str variable = weir_str_from(environment.data + at);
        if (weir_str_starts(variable, WEIR_STR("WEIR_COPY=")))
            found = weir_str_slice(variable, sizeof "WEIR_COPY=" - 1, variable.length);
        if (number || !weir_str_starts(variable, WEIR_STR("WEIR_ATTEMPT="))) continue;
        variable = weir_str_slice(variable, sizeof "WEIR_ATTEMPT=" - 1, variable.length);
        if (!weir_str_starts(variable, weir_str_from(prefix))) break;
        number = strtoul(variable.data + strlen(prefix), NULL, 10);
    }
    if (!weir_str_is(found, copy ? copy : "")) number = 0;
    weir_buffer_deinit(&environment);
    return number;
}

bool weir__strays_signal(const weir__strays *s, const char *copy) {
    const weir_attempt_id *id = s->id;
    char prefix[WEIR_ATTEMPT_TEXT];
    snprintf(prefix, sizeof prefix, "%s/%u/", id->run, id->task);
    bool found = false;
    DIR *processes = opendir("/proc");
    for (const struct dirent *entry; processes && (entry = readdir(processes));) {
        struct stat owner;
        if (!isdigit((unsigned char)entry->d_name[0])) continue;
        int folder = openat(dirfd(processes), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (folder < 0) continue;
        if (fstat(folder, &owner) == 0 && owner.st_uid == geteuid()) {
            unsigned long number = attempt_of(folder, prefix, copy);
            pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10), group = getpgid(pid);
            if (number && (number != s->keep) == s->others && pid != getpid() &&
                (!s->group || group != s->group)) {
                found = true;
                kill(group > 1 && group != getpgrp() ? -group : pid, s->signal);
            }
        }
        close(folder);
    }
    if (processes) closedir(processes);
    return found;
}

void weir__strays_kill(const weir__strays *s, const char *copy) {
    for (int i = 0; i < 100 && weir__strays_signal(s, copy); i++)
        nanosleep(&(struct timespec){.tv_nsec = 1000 * 1000}, NULL);
}
