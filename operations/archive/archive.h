/* What making and extracting archives share. A call has an archive of its own, on its own thread. */
#ifndef WEIR_OPERATIONS_ARCHIVE_H
#define WEIR_OPERATIONS_ARCHIVE_H

#include <archive.h>
#include <archive_entry.h>
#include <locale.h>

#include "../new_file.h"
#include "../unpacked.h"

enum { ARCHIVE_BLOCK = 64 * 1024 };

typedef enum archive_kind { FORMAT_ZIP, FORMAT_TAR } archive_kind;

bool make_archive(const weir_host *host, weir_call *call, archive_kind format);
bool extract_archive(const weir_host *host, weir_call *call, archive_kind format);

/* The call fails with what the library says. */
bool fail_archive(const weir_host *host, weir_call *call, const char *path,
                  struct archive *archive);
/* Whether the path exists and lies in the directory once all links are followed. */
bool is_inside(const char *directory, const char *path);

#endif
