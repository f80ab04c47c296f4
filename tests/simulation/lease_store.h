/* weir's own store on PostgreSQL, in front of a virtual server: the code that users run, but for its thread, which is moved by
 * hand, and for the names of processes, by which others tell that one is dead. */
#ifndef WEIR_SIMULATION_LEASE_STORE_H
#define WEIR_SIMULATION_LEASE_STORE_H

#include "store/store.h"
#include "virtual_server.h"

enum { LEASE_STORE_LOOPS = 4 };

/* Of one engine, whose `process` is another after each start; its owner's name is put into `owner`. */
WEIR_CHECKED bool lease_store_open(uint32_t engine, uint64_t process, weir_store **out,
                                   char owner[static SERVER_TEXT_MAX], weir_error *error);
void lease_store_turn(weir_store *store);
/* What the store has for the engine's loop. */
void lease_store_deliver(uint32_t engine);
/* What lease_store_open calls this opening. */
const char *lease_store_engine(const weir_store *store);
/* Which of an engine's processes is alive; 0: none. When others are on other machines they cannot tell. */
void lease_store_note_process(uint32_t engine, uint64_t process);
void lease_store_spread(bool machines);
/* Once, at the end of the program. */
void lease_store_end(void);

#endif
