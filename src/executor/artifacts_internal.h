/* Private to artifact*.c: what an input is got with. */
#ifndef WEIR_EXECUTOR_ARTIFACTS_INTERNAL_H
#define WEIR_EXECUTOR_ARTIFACTS_INTERNAL_H

#include "executor/artifacts.h"

struct weir_artifacts {
    weir_repository *repository;
    const weir_secrets *secrets;
    char *base;   /* NULL: in TMPDIR */
    char *folder; /* in it, this process's own; NULL: none was wanted yet */
    int lock;
    uint64_t made; /* folders in it */
};

/* One input. What is wrong is said without the artifact's name. */
typedef struct weir__getting {
    const weir_artifacts *artifacts;
    const weir_value *input;
    const char *path; /* of the folder */
    int folder;
    const char *name;      /* what is to be made in it */
    const char *temporary; /* a name for a file on the way */
    const atomic_bool *cancelled;
    weir_error *error;
} weir__getting;

/* The text of {…: text | {secret: NAME}}; empty when there is none. INVALID: there is no such secret. */
WEIR_CHECKED bool weir__getting_text(const weir__getting *g, const weir_value *object,
                                     const char *key, weir_str *out);
/* --- artifact_http.c: downloads to g->temporary. */
WEIR_CHECKED bool weir__http_get(const weir__getting *g, const weir_value *http);
/* --- artifact_git.c: a working tree at g->name, or a part of it. */
WEIR_CHECKED bool weir__git_get(const weir__getting *g, const weir_value *git, weir_str part);

#endif
