/* What is proved of a file before anything runs: findings, each at its place, and a summary. One thread. */
#ifndef WEIR_DATA_PROOF_H
#define WEIR_DATA_PROOF_H

#include "data/document.h"

enum { WEIR_PROOF_LISTED_MAX = 100 };

typedef struct weir_proof {
    const weir_document *document;
    /* Called with each finding (a warning has the code WEIR_OK) and what a program may want to know of it; at most
     * WEIR_PROBLEMS_MAX times for errors and for warnings. */
    void (*found)(void *arg, const weir_error *error, const weir_value *detail);
    void *arg;
    size_t errors, warnings; /* all of them */
    weir_error first;        /* error */
    weir_value *summary;     /* an object, the owner's */
} weir_proof;

/* Adds a finding at `path` of the document's root `root` (see weir_yaml_locate). Takes the detail over, which may be NULL;
 * `hint` may be empty. */
void weir_proof_add(weir_proof *proof, size_t root, const char *path, weir_code code,
                    weir_value *detail, const char *hint, const char *format, ...)
    WEIR_PRINTF(7, 8);
/* In the summary: one item more of the list `key`, which keeps WEIR_PROOF_LISTED_MAX of them. Takes the item over. */
void weir_proof_list(weir_proof *proof, const char *key, weir_value *item);
/* In the summary: so many more. */
void weir_proof_count(weir_proof *proof, const char *key, size_t more);
/* Whether one more finding of that code would be said. */
bool weir_proof_has_room(const weir_proof *proof, weir_code code);

#endif
