/* How weir-init is told to work as root of a user namespace; nothing but numbers, as both sides include it.
 *     weir-init users          makes a namespace, writes a byte to its output, and stays until its input ends
 *     weir-init give           see weir_users_give: the list is its input
 *     weir-init show PATH      see weir_users_open: the folder is the root; a file goes over its output, a socket
 *     weir-init remove PATH    see weir_users_remove
 * What went wrong it says on standard error. Of the descriptors the first is the namespace, the others are folders. */
#ifndef WEIR_IO_USERS_WORK_H
#define WEIR_IO_USERS_WORK_H

/* Its exit code where something is not there; any other but 0: it could not. */
enum { WEIR__USERS_ABSENT = 4 };
enum { WEIR__USERS_SPACE = 3, WEIR__USERS_FOLDER = 4, WEIR__USERS_INTO = 5 };

#endif
