/* Users below this one: numbers of users and groups that the system gives an ordinary user for namespaces of his own (/etc/subuid and
 * /etc/subgid, subuid(5)). In a user namespace with them this user is root, 0, and they are 1 and so on. It is made by the first that
 * asks, and kept as long as the process; newuidmap and newgidmap, which may write its maps, are looked for in PATH. Any thread. */
#ifndef WEIR_IO_USERS_H
#define WEIR_IO_USERS_H

#include <stdint.h>

#include "base/error.h"

enum { WEIR_USERS_RANGES_MAX = 8, WEIR_USERS_COUNT_MAX = 1 << 24, WEIR_USERS_KEY_BYTES = 24 };

typedef struct weir_users {
    int space;                      /* the namespace; -1: there is none */
    uint32_t users, groups;         /* so many has it, with 0 */
    char key[WEIR_USERS_KEY_BYTES]; /* differs where other numbers are theirs; "" without a space */
    weir_error why; /* without one, but for root, who needs none: what lacks, and what to do */
} weir_users;

const weir_users *weir_users_get(void);

/* Gives what is in the folder to those that the list names: from its beginning on "USER GROUP MODE PATH" each with a NUL behind, octal the
 * mode, which counts where it has bits of set-user-id or set-group-id. Users that are not in the namespace stay this one. On the disk at the end. IO. */
WEIR_CHECKED bool weir_users_give(int folder, int list, weir_error *error);
/* Opens what is at a path of the folder, and never out of it, to read though it is theirs. A file itself; of a folder a copy in `into`, which is
 * empty, as files of this user's: then *out is -1. Nothing is changed. NOT_FOUND, IO. */
WEIR_CHECKED bool weir_users_open(int folder, const char *path, int into, int *out,
                                  weir_error *error);
/* Removes a folder in which files are theirs; false: something is left. */
bool weir_users_remove(const char *folder);

/* The ranges "NAME:FIRST:COUNT" that a file of that form has for the user, by name or number; at most WEIR_USERS_RANGES_MAX count, and none that has
 * numbers of another, or his own. Pure. */
typedef struct weir__user_range {
    uint32_t first, count;
} weir__user_range;
uint32_t weir__user_range_free(weir_str file); /* a number behind all of them */
size_t weir__user_ranges(weir_str file, weir_str name, uint32_t number,
                         weir__user_range out[static WEIR_USERS_RANGES_MAX]);

#endif
