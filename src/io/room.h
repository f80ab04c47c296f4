/* The memory that the processes of weir on this computer have promised to their tasks, of one user: a book that they share, so that no two
 * promise the same.
 *
 * It is a small file with a slot for each process. A process holds its slot by a lock of the kernel on a byte of the file, so what one had
 * that was killed is free at once, and writes into no other, but for the number of times that it passed another by; whoever promises reads all
 * and writes its own under one more lock, which is held for as long as that takes. What of a promise is in memory already is missing from
 * what the computer has available, so with each look that is added again. Who is refused waits in its slot: others may pass it WEIR_ROOM_PASSES times, and
 * then wait behind it, the one that came first before all; so none waits for ever, and no two wait for each other.
 *
 * Processes in different control groups share what the computer has, and no more than that. The promises of a process that this one
 * descends from do not count: they are for this one. One thread. */
#ifndef WEIR_IO_ROOM_H
#define WEIR_IO_ROOM_H

#include "io/hardware.h"

enum { WEIR_ROOM_PASSES = 16, WEIR_ROOM_SLOTS_MAX = 1024 };

typedef struct weir_room weir_room;

/* `path`: the book; NULL: this user's own, which WEIR_ROOM may name. `root` as for weir_hardware_read, borrowed. NULL: it cannot be had, as when another
 * user put something in its place, or too many share it. */
weir_room *weir_room_open(const char *path, const char *root);
/* Its promises end. NULL is fine. */
void weir_room_close(weir_room *room);
/* Looks at what the computer has now, which is not cheap, and at the book. */
void weir_room_look(weir_room *room, weir_hardware *out);
/* Promises so many bytes in all, of them `more` anew. False: there is no room for that beside what others have; with `first` it is waited for
 * from now on. What nobody could have is had by who is alone. */
bool weir_room_promise(weir_room *room, uint64_t all, uint64_t more, bool first);
/* So many are promised in all: what is more than that was given back, or is from before. */
void weir_room_keep(weir_room *room, uint64_t all);
/* Nothing is waited for any more. */
void weir_room_rest(weir_room *room);
/* Whether others have given anything back since this was asked last. Says, too, that this one still waits, if it does. */
bool weir_room_changed(weir_room *room);
/* How many bytes this process may have promised in all, as far as is known; 0: any number. */
uint64_t weir_room_bytes(const weir_room *room);
/* What others have of it. */
uint64_t weir_room_others(const weir_room *room);

#endif
