/* weir's own store on SQLite, on a virtual disk: the code that users run, but for its thread, which is moved by hand. */
#ifndef WEIR_SIMULATION_DISK_STORE_H
#define WEIR_SIMULATION_DISK_STORE_H

#include "store/store.h"
#include "virtual_disk.h"

/* On an empty disk there is a state as version 1 of the store left it, with a run that is over, when it `is_old`; else none.
 * `pages` is how long the log may get before it is moved into the file; with `batch` a write does not wait for the disk. Fails as the store
 * does, when the process dies, too. */
WEIR_CHECKED bool disk_store_open(virtual_disk *disk, bool is_old, int pages, bool batch,
                                  weir_store **out, weir_error *error);
/* Whether that run is in the store, whatever became of the state since. */
bool disk_store_has_old(weir_store *store);
/* As the process of the store dies: nothing that it still does changes the disk. */
void disk_store_kill(virtual_disk *disk, weir_store *store);
/* Writes what waits; who waits for it hears of it at the next disk_store_deliver. */
void disk_store_turn(weir_store *store);
void disk_store_deliver(void);
/* Another's hand changes a batch, and not its checksum. */
void disk_store_damage(weir_store *store, weir_str run, uint64_t sequence, weir_str bytes);
/* Once, at the end of the program. */
void disk_store_end(void);

#endif
