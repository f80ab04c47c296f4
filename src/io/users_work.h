/* How weir-init is told to work as root of a user namespace; nothing but numbers, as both sides include it.
 *     weir-init users          makes a namespace, writes a byte to its output, and stays until its input ends
 *     weir-init give           see weir_users_give: the list is its input
 *     weir-init remove PATH    see weir_users_remove
 * What went wrong it says on standard error. */
#ifndef WEIR_IO_USERS_WORK_H
#define WEIR_IO_USERS_WORK_H

/* Descriptors: the namespace, and a folder. */
enum { WEIR__USERS_SPACE = 3, WEIR__USERS_FOLDER = 4 };

#endif
