/* What a restarted run knows from before: outcomes of tasks that stay, each under a key that says which task it is of.
 * Several may have one key: then they are of tasks that are alike. One thread. */
#ifndef WEIR_ENGINE_RECALL_H
#define WEIR_ENGINE_RECALL_H

#include "base/map.h"
#include "base/vector.h"
#include "data/value.h"

enum { WEIR__KEY_LENGTH = 32 };

typedef struct weir__kept {
    weir_value *data; /* {key, path, task, outcome, by_name?}, as in outcome.kept */
    uint32_t next;    /* with the same key; UINT32_MAX: none */
    bool used;
} weir__kept;

typedef struct weir__recall {
    WEIR_VECTOR(weir__kept) items;
    weir_map keys; /* the first of each that is not used */
    bool by_name;  /* some are a node's whatever it is made of: see weir__recall_name_key */
} weir__recall;

void weir__recall_deinit(weir__recall *recall);
/* The key of an outcome that is the node's of that name, whatever it is made of. */
void weir__recall_name_key(weir_str node, char key[static WEIR__KEY_LENGTH + 1]);
/* Holds the data. */
void weir__recall_add(weir__recall *recall, weir_value *data);
/* All are there: from now on they are found. */
void weir__recall_index(weir__recall *recall);
bool weir__recall_find(const weir__recall *recall, const char key[static WEIR__KEY_LENGTH + 1],
                       uint32_t *out);
/* It is the first of its key. */
void weir__recall_use(weir__recall *recall, uint32_t at);
/* Whether it is the first of its key, and not used. */
bool weir__recall_fits(const weir__recall *recall, uint32_t at);

#endif
