/* What making and reading a backup share. */
#ifndef WEIR_STORE_BACKUP_INTERNAL_H
#define WEIR_STORE_BACKUP_INTERNAL_H

#include "store/backup.h"
#include "store/sha256.h"

/* The first file of a backup, and its last. */
#define WEIR__BACKUP_ABOUT "weir-backup.json"
#define WEIR__BACKUP_LIST "files.json"

#endif
