#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/memo_internal.h"

enum { READ_BYTES = 256 * 1024 };

/* Whether a secret would be in the key: two runs with other secrets would have one key, or anybody could try which
 * secret it is. */
static bool has_secret(const weir_engine *engine, weir_value *value) {
    if (!value || !engine->secrets.count) return false;
    weir_value *masked = weir_secrets_mask_value(&engine->secrets, weir_value_ref(value));
    bool found = masked != value;
    weir_value_unref(masked);
    return found;
}

static void put_variable(weir_value *place, const char *name) {
    const char *value = getenv(name);
    if (value) weir_member_put_text(place, name, weir_str_from(value));
}

/* What the work finds around it, beside what the file says: all that a process inherits, the folder of what is not pure. */
static weir_value *place_of(const weir_run *run, const weir_attempt *attempt) {
    weir_value *place = weir_object_new();
    if (weir_str_is(attempt->spec->executor, "process")) {
        weir_member_put_text(place, "folder", weir_str_from(run->folder));
        put_variable(place, "PATH");
        put_variable(place, "HOME");
        put_variable(place, "LANG");
    } else if (!(attempt->spec->code->hints & WEIR_PURE) && run->engine->folder) {
        weir_member_put_text(place, "folder", weir_str_from(run->engine->folder));
    }
    return place;
}

/* The names of what is wanted of a function whose outputs are called as the file says: what is kept has these names. NULL: it names them. */
static weir_value *outputs_of(const weir_attempt *attempt) {
    const weir_operation *code = attempt->spec->code;
    const weir_shape *shape = attempt->spec->shape;
    if (!code || !shape || !(code->hints & WEIR_ANY_OUTPUTS)) return NULL;
    weir_value *names = weir_array_new();
    for (uint32_t i = 0; i < shape->output_count; i++)
        weir_array_append(names, weir_string_from(weir_str_from(shape->outputs[i])));
    return names;
}

static void add_text(weir_value *material, weir_str text) {
    weir_array_append(material, weir_string_from(text));
}

static weir_value *material_of(const weir_run *run, const weir_attempt *attempt, const char *code,
                               weir_str content) {
    weir_value *material = weir_array_new();
    weir_value *key = weir_member_named(attempt->said, "key");
    add_text(material, WEIR_STR("weir memo 1"));
    add_text(material, attempt->spec->memo->cache);
    if (attempt->spec->memo->exact) {
        weir_array_append(material, weir_value_ref(key));
        return material;
    }
    add_text(material, attempt->spec->operation);
    add_text(material, weir_str_from(code));
    weir_array_append(material, weir_value_ref(attempt->config));
    weir_array_append(material, weir_value_ref(key ? key : attempt->parameters));
    weir_array_append(material, key ? weir_null_new() : place_of(run, attempt));
    add_text(material, content);
    weir_value *outputs = outputs_of(attempt);
    if (outputs) weir_array_append(material, outputs);
    return material;
}

/* A key of tags that all are empty says nothing. */
static bool is_empty(const weir_value *key) {
    return weir_is(key, WEIR_STRING) && !weir_string_get(key).length;
}

weir__memo_key weir__memo_key_of(weir_engine *engine, const weir_run *run,
                                 const weir_attempt *attempt, weir_str content) {
    weir__memo_key key = {0};
    /* Of a key that says all, nothing else counts. */
    const char *code =
        attempt->spec->memo->exact ? "" : weir__memo_code(engine, attempt->spec->code);
    const weir_value *said = weir_member_named(attempt->said, "key");
    unsigned char digest[WEIR__SHA256_BYTES];
    if (!code)
        key.why = "code";
    else if (attempt->said && (!weir_is(attempt->said, WEIR_OBJECT) || is_empty(said)))
        key.why = "key";
    else if (has_secret(engine, attempt->parameters) || has_secret(engine, attempt->config) ||
             has_secret(engine, attempt->said))
        key.why = "secret";
    if (key.why) return key;
    weir_value *material = material_of(run, attempt, code, content);
    weir_buffer bytes = {0};
    weir_value_encode_sorted(material, &bytes);
    weir_value_unref(material);
    const weir__memos *memos = engine->memos;
    memos->sha256->add(memos->hash, bytes.data, bytes.length);
    memos->sha256->take(memos->hash, digest);
    weir__sha256_format(digest, key.hex);
    weir_buffer_deinit(&bytes);
    return key;
}

/* --- files ---------------------------------------------------------------------------------- */

weir_value *weir__memo_files_of(const weir_run *run, const weir_attempt *attempt) {
    const weir_value *said = weir_member_named(attempt->said, "files");
    if (!weir_is(said, WEIR_ARRAY)) return NULL;
    weir_str directory = weir_str_is(attempt->spec->executor, "process")
                             ? weir_member_text(attempt->config, "directory")
                             : WEIR_STR("");
    weir_value *files = weir_array_new();
    for (size_t i = 0; i < weir_value_count(said); i++) {
        weir_buffer path = {0};
        weir_str file = weir_string_get(weir_array_at(said, i));
        bool absolute = weir_str_starts(file, WEIR_STR("/"));
        if (!absolute && !weir_str_starts(directory, WEIR_STR("/")))
            weir_buffer_printf(&path, "%s/", run->folder);
        if (!absolute && directory.length) weir_buffer_printf(&path, "%.*s/", WEIR_ARG(directory));
        weir_buffer_str_append(&path, file);
        weir_array_append(files, weir_string_from(weir_buffer_str(&path)));
        weir_buffer_deinit(&path);
    }
    return files;
}

static bool fail_file(const char *path, int reason, weir_error *error) {
    return weir_fail(error, WEIR_IO,
                     "`%.300s`, which a cached operation depends on, cannot be read: %s", path,
                     strerror(reason));
}

static bool add_content(const weir__sha256_functions *sha256, weir__sha256 *hash, int fd,
                        const char *path, weir_error *error) {
    struct stat info;
    if (fstat(fd, &info) < 0) return fail_file(path, errno, error);
    if (!S_ISREG(info.st_mode))
        return fail_file(path, S_ISDIR(info.st_mode) ? EISDIR : EINVAL, error);
    char *bytes = weir_alloc(READ_BYTES);
    ssize_t count;
    while ((count = read(fd, bytes, READ_BYTES)) > 0) sha256->add(hash, bytes, (size_t)count);
    int reason = errno;
    weir_free(bytes);
    return count == 0 || fail_file(path, reason, error);
}

/* Each file's content has a digest of its own, so that nothing can move from one to the next. */
static bool add_file(const weir__sha256_functions *sha256, weir__sha256 *all, weir__sha256 *own,
                     weir_str path, weir_error *error) {
    unsigned char digest[WEIR__SHA256_BYTES] = {0};
    if (memchr(path.data, '\0', path.length)) return fail_file(path.data, ENOENT, error);
    int fd = open(path.data, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno != ENOENT) return fail_file(path.data, errno, error);
    char there = fd >= 0;
    bool ok = !there || add_content(sha256, own, fd, path.data, error);
    if (there) close(fd);
    sha256->take(own, digest);
    sha256->add(all, &there, 1);
    sha256->add(all, digest, sizeof digest);
    return ok;
}

bool weir__memo_read_files(const weir__sha256_functions *sha256, const weir_value *files,
                           char out[static WEIR_MEMO_KEY_LETTERS + 1], weir_error *error) {
    unsigned char digest[WEIR__SHA256_BYTES];
    weir__sha256 *all = sha256->begin(), *own = sha256->begin();
    bool ok = true;
    for (size_t i = 0; ok && i < weir_value_count(files); i++)
        ok = add_file(sha256, all, own, weir_string_get(weir_array_at(files, i)), error);
    sha256->take(all, digest);
    weir__sha256_format(digest, out);
    sha256->end(own);
    sha256->end(all);
    return ok;
}
