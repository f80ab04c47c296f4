#include "executor/collect.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "executor/host.h"

static bool read_output(int fd, const weir_value *output, const char *path,
                        const weir_secrets *secrets, weir_value *out, weir_error *error) {
    struct stat info;
    uint64_t wanted = weir_member_count(output, "bytes_max");
    size_t most = wanted && wanted < WEIR_COLLECT_TEXT_BYTES_MAX ? (size_t)wanted
                                                                 : WEIR_COLLECT_TEXT_BYTES_MAX;
    weir_buffer text = {0};
    ssize_t count = 1;
    bool ok = fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
    if (!ok) weir_fail(error, WEIR_INVALID, "`%s` is a folder, not a file", path);
    while (ok && count && text.length <= most) {
        weir_buffer_reserve(&text, most + 1 - text.length);
        count = read(fd, text.data + text.length, most + 1 - text.length);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0)
            ok = weir_fail(error, WEIR_IO, "`%s` cannot be read: %s", path, strerror(errno));
        else
            text.length += (size_t)count;
    }
    close(fd);
    if (ok && text.length > most)
        ok = weir_fail(error, WEIR_LIMIT, "`%s` is larger than %zu bytes", path, most);
    if (ok) {
        if (text.data) text.data[text.length] = '\0';
        weir_secrets_mask(secrets, &text);
        weir_member_put(out, "text", weir__text_new(weir_buffer_str(&text)));
    }
    weir_buffer_deinit(&text);
    return ok;
}

static weir_value *collect_one(const weir_sandbox *sandbox, const weir_value *output,
                               const weir_secrets *secrets) {
    weir_error error;
    int fd = -1;
    weir_value *out = weir_object_new();
    weir_buffer path = {0};
    weir_buffer_str_append(&path, weir_member_text(output, "path"));
    bool ok = weir_sandbox_open(sandbox, path.data ? path.data : "", &fd, &error);
    bool missing = !ok && error.code == WEIR_NOT_FOUND;
    if (ok) ok = read_output(fd, output, path.data, secrets, out, &error);
    if (missing) {
        weir_member_put(out, "missing", weir_bool_new(true));
    } else if (!ok) {
        weir_value *why = weir_object_new();
        weir_member_put_text(why, "code", weir_str_from(weir_code_text(error.code)));
        weir_member_put_text(why, "message", weir_str_from(error.message));
        weir_member_put(out, "error", why);
    }
    weir_buffer_deinit(&path);
    return out;
}

weir_value *weir_collect(const weir_sandbox *sandbox, const weir_value *outputs,
                         const weir_secrets *secrets) {
    weir_value *files = weir_object_new();
    for (size_t i = 0; i < weir_value_count(outputs); i++) {
        const weir_value *output = weir_array_at(outputs, i);
        weir_member_set(files, weir_member_text(output, "name"),
                        collect_one(sandbox, output, secrets));
    }
    return files;
}
