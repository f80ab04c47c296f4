/* Folders of a process, how much is in one, and removing what is in them: of weir-init and of weir alike, so with nothing but the C library. Any thread. */
#ifndef WEIR_BASE_REMOVE_H
#define WEIR_BASE_REMOVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Removes what is in the folder, which stays, but no more than `most` files, links and folders; true when nothing is left to be removed.
 * No link is followed, and any depth is fine. Folders that their owner may not write in are made writable. */
bool weir__remove_within(const char *folder, size_t most);

/* Makes a folder whose name ends with XXXXXX, as mkdtemp does, and locks it; its descriptor, which is the lock, or -1 and errno. */
int weir__folder_lock(char *name);
/* Removes the folders of `base` that nobody has locked: who made them was killed. One that is new may not be locked yet. */
void weir__folders_sweep(const char *base);
/* How much disk all takes that is in the folder, which is named below the open directory `parent` (or AT_FDCWD), so many levels deep. No
 * link is followed. */
uint64_t weir__folder_bytes(int parent, const char *name, int deep);

#endif
