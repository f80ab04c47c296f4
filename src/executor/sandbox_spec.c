#include "executor/sandbox_spec.h"

enum { CONTENT_MODE = 0644 };

/* What is read, and where to. */
typedef struct reading {
    const weir_secrets *secrets;
    const weir_sandbox_folders *folders;
    weir_arena *arena;
    weir_error *error;
} reading;

static bool flag(const weir_value *object, const char *key) {
    const weir_value *value = weir_member_named(object, key);
    return weir_is(value, WEIR_BOOL) && weir_bool_get(value);
}

static bool read_mount(const reading *r, const weir_value *value, weir_mount *out) {
    const weir_value *mode = weir_member_named(value, "mode");
    const weir_value *content = weir_member_named(value, "content");
    *out = (weir_mount){
        .at = weir_member_text(value, "at"),
        .mode = mode ? (uint32_t)weir_member_count(value, "mode") & 07777 : CONTENT_MODE,
        .read_only = flag(value, "read_only"),
        .script = flag(value, "script"),
        .provided = flag(value, "provided"),
    };
    if (content) {
        bool left_out;
        out->kind = WEIR_MOUNT_CONTENT;
        return weir_content_read(content, r->secrets, r->arena, &out->source, &left_out, r->error);
    }
    if (!weir_volume_is(value))
        return weir_fail(r->error, WEIR_INVALID,
                         "the mount at `%.*s` has none of host, volume, scratch, claim, files and "
                         "content",
                         WEIR_ARG(out->at));
    return weir_volume_find(r->folders, r->secrets, value, r->arena, out, r->error);
}

static bool count_list(const weir_value *sandbox, const char *key, size_t most, size_t *count,
                       weir_error *error) {
    const weir_value *list = weir_member_named(sandbox, key);
    *count = weir_is(list, WEIR_ARRAY) ? weir_value_count(list) : 0;
    return *count <= most ||
           weir_fail(error, WEIR_LIMIT, "an attempt has at most %zu %s", most, key);
}

static bool read_mounts(const reading *r, const weir_value *sandbox, weir_sandbox_spec *out) {
    if (!count_list(sandbox, "mounts", WEIR_SANDBOX_MOUNTS_MAX, &out->mount_count, r->error))
        return false;
    const weir_value *list = weir_member_named(sandbox, "mounts");
    weir_mount *mounts = weir_arena_alloc(r->arena, out->mount_count * sizeof *mounts + 1);
    for (size_t i = 0; i < out->mount_count; i++)
        if (!read_mount(r, weir_array_at(list, i), &mounts[i])) return false;
    out->mounts = mounts;
    return true;
}

/* Files that are read, and artifacts. */
static bool read_outputs(const reading *r, const weir_value *sandbox, weir_sandbox_spec *out) {
    const weir_value *artifacts = weir_member_named(sandbox, "artifacts");
    const weir_value *from[] = {sandbox, artifacts};
    size_t counts[2];
    for (size_t i = 0; i < 2; i++)
        if (!count_list(from[i], "outputs", WEIR_SANDBOX_OUTPUTS_MAX, &counts[i], r->error))
            return false;
    weir_str *paths = weir_arena_alloc(r->arena, (counts[0] + counts[1]) * sizeof *paths + 1);
    for (size_t i = 0; i < 2; i++)
        for (size_t k = 0; k < counts[i]; k++)
            paths[out->output_count++] =
                weir_member_text(weir_array_at(weir_member_named(from[i], "outputs"), k), "path");
    out->outputs = paths;
    return true;
}

bool weir_sandbox_spec_read(const weir_value *sandbox, const weir_secrets *secrets,
                            const weir_sandbox_folders *folders, weir_arena *arena,
                            weir_sandbox_spec *out, weir_error *error) {
    const reading r = {secrets, folders, arena, error};
    weir_sandbox_spec spec = {
        .image = weir_member_text(sandbox, "image"),
        .has_identity = weir_member_named(sandbox, "user") || weir_member_named(sandbox, "group"),
        .user = (uint32_t)weir_member_count(sandbox, "user"),
        .group = (uint32_t)weir_member_count(sandbox, "group"),
        .memory_bytes_max = weir_member_count(sandbox, "memory_bytes"),
        .file_bytes_max = weir_member_count(sandbox, "file_bytes"),
        .memory_bytes_asked = weir_member_count(sandbox, "memory_bytes_asked"),
        .cpu_milli_asked = weir_member_count(sandbox, "cpu_milli_asked"),
    };
    weir_str executor = weir_member_text(sandbox, "executor");
    if (weir_str_is(executor, "container")) spec.contained = WEIR_CONTAINED_ALWAYS;
    if (weir_str_is(executor, "process")) spec.contained = WEIR_CONTAINED_NEVER;
    spec.no_network = weir_str_is(weir_member_text(sandbox, "network"), "none");
    uint64_t cpu = weir_member_count(sandbox, "cpu_milli");
    spec.cpu_milli = cpu < UINT32_MAX ? (uint32_t)cpu : UINT32_MAX;
    weir_str root = weir_member_text(sandbox, "root");
    if (root.length) spec.root = weir_str_copy(arena, root);
    if (!read_mounts(&r, sandbox, &spec) || !read_outputs(&r, sandbox, &spec)) return false;
    *out = spec;
    return true;
}

bool weir_sandbox_has_scratch(const weir_value *sandbox) {
    const weir_value *mounts = weir_member_named(sandbox, "mounts");
    for (size_t i = 0; weir_is(mounts, WEIR_ARRAY) && i < weir_value_count(mounts); i++) {
        const weir_value *mount = weir_array_at(mounts, i);
        if (weir_member_named(mount, "scratch") || weir_member_named(mount, "files")) return true;
    }
    return false;
}
