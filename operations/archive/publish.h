/* Moves what was unpacked into a directory that has something already: looks first whether all of it fits, then renames
 * file by file. A link in the directory is replaced, never followed. One thread. */
#ifndef WEIR_OPERATIONS_ARCHIVE_PUBLISH_H
#define WEIR_OPERATIONS_ARCHIVE_PUBLISH_H

#include "../new_file.h"

/* From the folder that `root` is a descriptor of; the call fails when there is a file where a folder is to be, or a folder
 * where a file is. */
bool publish_into(const weir_host *host, weir_call *call, int root, const char *directory);

#endif
