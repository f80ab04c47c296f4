/* The code of the archives' operations; what they are called and take is in ../archive.c. */
#include "archive.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

bool fail_archive(const weir_host *host, weir_call *call, const char *path,
                  struct archive *archive) {
    const char *said = archive_error_string(archive);
    int number = archive_errno(archive);
    return host->fail(call, number == ENOMEM ? "limit_exceeded" : "invalid", "%s: %s", path,
                      said ? said : "not such an archive, or damaged");
}

bool is_inside(const char *directory, const char *path) {
    char outer[PATH_MAX], inner[PATH_MAX];
    if (!realpath(directory, outer) || !realpath(path, inner)) return false;
    size_t length = strlen(outer);
    return strncmp(outer, inner, length) == 0 && (inner[length] == '/' || inner[length] == '\0');
}

/* The library reads and writes names in the thread's character set, which weir leaves at "C". */
static bool with_utf8(const weir_host *host, weir_call *call, archive_kind format,
                      bool (*work)(const weir_host *host, weir_call *call, archive_kind format)) {
    locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    locale_t before = utf8 ? uselocale(utf8) : (locale_t)0;
    bool ok = work(host, call, format);
    if (!utf8) return ok;
    uselocale(before);
    freelocale(utf8);
    return ok;
}

#define ARCHIVE_OPERATION(verb, format_name, format)                                               \
    static bool verb##_##format_name(const weir_host *host, weir_call *call) {                     \
        return with_utf8(host, call, format, verb##_archive);                                      \
    }                                                                                              \
    static const weir_operation verb##_##format_name##_operation = {                               \
        .size = sizeof(weir_operation),                                                            \
        .name = #verb "_" #format_name "_archive",                                                 \
        .run = verb##_##format_name,                                                               \
    }

ARCHIVE_OPERATION(make, zip, FORMAT_ZIP);
ARCHIVE_OPERATION(make, tar, FORMAT_TAR);
ARCHIVE_OPERATION(extract, zip, FORMAT_ZIP);
ARCHIVE_OPERATION(extract, tar, FORMAT_TAR);

static const weir_plugin plugin = {
    .abi = WEIR_ABI,
    .size = sizeof(weir_plugin),
    .name = "archive",
    .version = "1",
    .operations =
        (const weir_operation *const[]){&make_zip_operation, &make_tar_operation,
                                        &extract_zip_operation, &extract_tar_operation, NULL},
};

WEIR_API const weir_plugin *weir_plugin_open(const weir_host *host);

const weir_plugin *weir_plugin_open(const weir_host *host) {
    return host->abi == WEIR_ABI ? &plugin : NULL;
}
