/* A name of this process that no other has, also after its number was given to another: by it a process of the same
 * machine can tell that the one who held a lease is dead. Any thread. */
#ifndef WEIR_STORE_PROCESS_NAME_H
#define WEIR_STORE_PROCESS_NAME_H

#include "base/text.h"

/* "BOOT NAMESPACE PID START": the kernel's boot, the namespace of process numbers, the process, when it began. Empty when
 * the system does not tell. */
void weir__process_name(weir_buffer *out);
/* Whether the process of that name lived on this machine and has ended; false when that cannot be told. */
bool weir__process_is_dead(weir_str name);

#endif
