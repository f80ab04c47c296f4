/* Private to image/: what importing is made of. */
#ifndef WEIR_IMAGE_TRANSFER_H
#define WEIR_IMAGE_TRANSFER_H

#include "image/store_internal.h"

enum {
    WEIR__IMPORT_SMALL_MAX = 8 * 1024 * 1024,   /* of a file that is kept in memory */
    WEIR__IMPORT_SMALLS_MAX = 64 * 1024 * 1024, /* of all of them */
    WEIR__IMPORT_FILES_MAX = 100000,
    WEIR__IMPORT_NAME_MAX = 1024
};

/* A file of the archive: a small one is in memory, another is a blob already, and a link names another. */
typedef struct weir__import_file {
    char *name;
    char *link; /* NULL: none */
    weir_buffer text;
    char digest[WEIR__IMAGE_DIGEST_BYTES]; /* "": in memory */
    uint64_t size;
} weir__import_file;

typedef struct weir__import {
    weir_image_store *store;
    const char *path;
    const weir_image_name *name; /* NULL: the file's own */
    const weir_image_watch *watch;
    int fd; /* the file, or the folder */
    bool is_folder;
    uint64_t size;
    WEIR_VECTOR(weir__import_file) files;
    uint64_t small; /* bytes in memory */
    uint64_t told_ms;
    weir_value *names; /* what was imported */
    weir_error *error;
} weir__import;

/* INVALID, with the file's name. */
bool weir__import_refuse(const weir__import *import, const char *why);
/* IO, with errno. */
bool weir__import_failed(const weir__import *import, const char *doing);
/* Tells how far it is; false: CANCELLED. */
WEIR_CHECKED bool weir__import_goes_on(weir__import *import, uint64_t bytes);

/* --- import_archive.c */
/* Takes the archive apart, unless it is a root file system: its blobs become the store's, its small files are kept. */
WEIR_CHECKED bool weir__import_gather(weir__import *import, bool *is_root);
/* Through links; NULL: there is none. */
const weir__import_file *weir__import_find(const weir__import *import, const char *name);

/* --- import_layout.c */
/* Of an OCI layout, and of what `docker save` wrote before it was one. */
WEIR_CHECKED bool weir__import_layout(weir__import *import, weir_str index);
WEIR_CHECKED bool weir__import_docker(weir__import *import, weir_str manifest);
/* A root file system becomes an image of one layer. */
WEIR_CHECKED bool weir__import_root(weir__import *import);

#endif
