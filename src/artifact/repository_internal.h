/* Private to repository*.c. */
#ifndef WEIR_ARTIFACT_REPOSITORY_INTERNAL_H
#define WEIR_ARTIFACT_REPOSITORY_INTERNAL_H

#include "artifact/work.h"

#define WEIR__WORKSHOP ".weir" /* where things are made */
enum { WEIR__TABLE_NAME = 48, NAME_BYTES_MAX = 255 };

struct weir_repository {
    char *folder;        /* NULL: a temporary one that is not made yet */
    int lock;            /* a temporary one's; -1 */
    weir_value *buckets; /* may be NULL */
    weir_artifact_limits limits;
    bool durable;
    atomic_bool swept;
};

/* A folder in the workshop for one thing that is made. */
typedef struct weir__table {
    int workshop, fd; /* fd is locked */
    char name[WEIR__TABLE_NAME];
} weir__table;

/* Appends the key without empty parts and ".". INVALID. */
WEIR_CHECKED bool weir__key_clean(weir_str key, weir_buffer *out, weir_error *error);
/* The folder and those above it; false and errno. */
bool weir__folders_make(const char *path);
/* The bucket's folder; -1 when it is not there and `make` is not set. */
WEIR_CHECKED bool weir__root_open(const weir_repository *r, weir_str bucket, bool make, int *out,
                                  weir_error *error);
WEIR_CHECKED bool weir__table_open(weir_repository *r, int root, weir__table *out,
                                   weir_error *error);
void weir__table_close(weir__table *table);
/* Opens the file or folder that the key is, or the file that it leads into: then *rest, in `key`, is what is left of it. */
WEIR_CHECKED bool weir__artifact_find(weir_repository *r, const weir_artifact_place *place,
                                      weir_buffer *key, int *out, const char **rest,
                                      weir_error *error);

#endif
