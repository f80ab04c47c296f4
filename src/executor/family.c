#include "executor/family.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add_those_of_thread(weir_family *family, pid_t pid, const char *thread) {
    char path[320], *line = NULL, *rest = NULL;
    size_t size = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%s/children", (int)pid, thread);
    FILE *file = fopen(path, "re");
    bool any = file && getline(&line, &size, file) > 0;
    if (file) fclose(file);
    for (char *word = any ? strtok_r(line, " ", &rest) : NULL;
         word && family->members.count < WEIR_FAMILY_MAX; word = strtok_r(NULL, " ", &rest)) {
        long child = strtol(word, NULL, 10);
        if (child > 0) *weir_vector_push(&family->members) = (pid_t)child;
    }
    free(line);
}

void weir_family_add_children(weir_family *family, pid_t pid) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *threads = opendir(path);
    for (const struct dirent *entry; threads && (entry = readdir(threads));)
        if (entry->d_name[0] != '.') add_those_of_thread(family, pid, entry->d_name);
    if (threads) closedir(threads);
}

weir_family weir_family_of(pid_t pid) {
    weir_family family = {0};
    *weir_vector_push(&family.members) = pid;
    for (size_t i = 0; i < family.members.count; i++)
        weir_family_add_children(&family, family.members.items[i]);
    return family;
}

void weir_family_deinit(weir_family *family) {
    weir_vector_deinit(&family->members);
}
