/* A folder of each test's own: made before it, and removed with all in it. */
#ifndef WEIR_TESTS_FOLDER_H
#define WEIR_TESTS_FOLDER_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char folder[64];

static int make_folder(void) {
    strcpy(folder, "/tmp/weir-engine-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *place) {
    (void)info;
    (void)kind;
    (void)place;
    return remove(path);
}

static int remove_folder(void) {
    return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
