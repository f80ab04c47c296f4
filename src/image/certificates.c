#include "image/certificates.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "data/document.h"

enum { FILE_BYTES_MAX = 1024 * 1024, FILES_MAX = 256 };

static bool ends_with(const char *name, const char *end) {
    size_t length = strlen(name), more = strlen(end);
    return length > more && strcmp(name + length - more, end) == 0;
}

static bool read_into(const char *folder, const char *name, weir_buffer *out, weir_error *error) {
    weir_buffer path = {0};
    weir_buffer_printf(&path, "%s/%s", folder, name);
    bool ok = weir_file_read(path.data, FILE_BYTES_MAX, out, error);
    weir_buffer_byte(out, '\n'); /* the last line may have no end */
    weir_buffer_deinit(&path);
    return ok;
}

/* NAME.cert needs NAME.key, and the other way round: with one of them alone somebody meant something else. */
static bool has_other(const char *folder, const char *name, const char *end, const char *other,
                      weir_error *error) {
    weir_buffer path = {0};
    weir_buffer_printf(&path, "%s/%.*s%s", folder, (int)(strlen(name) - strlen(end)), name, other);
    bool ok = access(path.data, F_OK) == 0;
    if (!ok) {
        weir_fail(error, WEIR_INVALID, "`%.200s/%.100s` is of no use without `%.300s`", folder,
                  name, path.data);
        weir_error_hint(error, "NAME.cert and NAME.key are ours, NAME.crt is of who vouches for "
                               "the registry");
    }
    weir_buffer_deinit(&path);
    return ok;
}

static bool take_file(const char *folder, const char *name, weir__certificates *out,
                      weir_error *error) {
    if (ends_with(name, ".crt")) return read_into(folder, name, &out->authorities, error);
    if (ends_with(name, ".key")) return has_other(folder, name, ".key", ".cert", error);
    if (!ends_with(name, ".cert")) return true;
    if (!has_other(folder, name, ".cert", ".key", error)) return false;
    if (out->certificate.length) return true;
    weir_buffer key = {0};
    weir_buffer_printf(&key, "%.*s.key", (int)(strlen(name) - strlen(".cert")), name);
    bool ok = read_into(folder, name, &out->certificate, error) &&
              read_into(folder, key.data, &out->key, error);
    weir_buffer_deinit(&key);
    return ok;
}

bool weir__certificates_read(const char *folder, bool *there, weir__certificates *out,
                             weir_error *error) {
    struct dirent **entries = NULL;
    weir__certificates found = {0};
    int count = scandir(folder, &entries, NULL, alphasort);
    bool ok = count >= 0 || errno == ENOENT || errno == ENOTDIR || errno == EACCES;
    *there = count >= 0;
    if (!ok) weir_fail(error, WEIR_IO, "`%.300s` cannot be read: %s", folder, strerror(errno));
    if (count > FILES_MAX)
        ok = weir_fail(error, WEIR_LIMIT, "`%.300s` has more than %d files", folder, FILES_MAX);
    for (int i = 0; i < count; i++) {
        ok = ok && take_file(folder, entries[i]->d_name, &found, error);
        free(entries[i]);
    }
    free(entries);
    if (ok)
        *out = found;
    else
        weir__certificates_deinit(&found);
    return ok;
}

static bool look_below(const char *above, const char *below, const char *host, bool *there,
                       weir__certificates *out, weir_error *error) {
    weir_buffer folder = {0};
    weir_buffer_printf(&folder, "%s%s/%s", above, below, host);
    bool ok = weir__certificates_read(folder.data, there, out, error);
    weir_buffer_deinit(&folder);
    return ok;
}

bool weir__certificates_find(const char *host, weir__certificates *out, weir_error *error) {
    static const char *const kinds[] = {"/containers/certs.d", "/docker/certs.d"};
    enum { KINDS = sizeof kinds / sizeof *kinds };
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    weir_buffer own = {0};
    bool ok = true, there = false;
    *out = (weir__certificates){0};
    if (strcmp(host, ".") == 0 || strcmp(host, "..") == 0) return true; /* no name of a folder */
    if (config && *config == '/')
        weir_buffer_text(&own, config);
    else if (home && *home == '/')
        weir_buffer_printf(&own, "%s/.config", home);
    for (size_t i = 0; ok && !there && own.length && i < KINDS; i++)
        ok = look_below(own.data, kinds[i], host, &there, out, error);
    for (size_t i = 0; ok && !there && i < KINDS; i++)
        ok = look_below("/etc", kinds[i], host, &there, out, error);
    weir_buffer_deinit(&own);
    return ok;
}

void weir__certificates_deinit(weir__certificates *certificates) {
    if (certificates->key.data) explicit_bzero(certificates->key.data, certificates->key.length);
    weir_buffer_deinit(&certificates->authorities);
    weir_buffer_deinit(&certificates->certificate);
    weir_buffer_deinit(&certificates->key);
    *certificates = (weir__certificates){0};
}
