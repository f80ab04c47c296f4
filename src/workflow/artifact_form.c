/* One artifact, as Argo has it, in forms that others need. Pure. */
#include "workflow/coordinator.h"

/* Argo's members, in the order in which it writes them. */
static const char *const members[] = {
    "name",        "path",    "mode",     "archiveLogs", "s3",          "git",        "http",
    "artifactory", "hdfs",    "raw",      "oss",         "gcs",         "azure",      "plugin",
    "globalName",  "archive", "optional", "subPath",     "recurseMode", "artifactGC", "deleted"};
enum { MEMBERS = sizeof members / sizeof *members };

static bool is_one_of(const char *name, const char *const *names, size_t count) {
    size_t i = 0;
    while (i < count && strcmp(name, names[i]) != 0) i++;
    return i < count;
}

weir_value *weir__artifact_as(const weir_value *artifact, weir_str name, const weir_value *own) {
    static const char *const owned[] = {"path", "mode", "recurseMode"};
    weir_value *out = weir_object_new();
    weir_member_put_text(out, "name", name);
    for (size_t i = 1; i < MEMBERS; i++) {
        bool is_own = own && is_one_of(members[i], owned, 3);
        weir_value *value = weir_member_named(is_own ? own : artifact, members[i]);
        if (value) weir_member_put(out, members[i], weir_value_ref(value));
    }
    return out;
}

/* --- keys ------------------------------------------------------------------------------------ */

/* Where the path begins of a URL that has one. */
static size_t path_of_url(weir_str url) {
    size_t scheme = weir_str_find(url, WEIR_STR("://"), 0);
    if (scheme == SIZE_MAX) return 0;
    size_t slash = weir_str_find(url, WEIR_STR("/"), scheme + 3);
    return slash == SIZE_MAX ? url.length : slash;
}

/* With the text at `member` of its location; a new reference. */
static weir_value *with_key(const weir_value *artifact, const char *kind, const char *member,
                            weir_str text) {
    weir_value *out = weir_value_own(weir_value_ref((weir_value *)artifact));
    weir_value *before = weir_member_named(artifact, kind);
    weir_value *location = before ? weir_value_own(weir_value_ref(before)) : weir_object_new();
    weir_member_put(location, member, weir_string_from(text));
    weir_member_put(out, kind, location);
    return out;
}

/* Go's path.Join, of two that may have slashes at their ends. */
static void join(weir_str a, weir_str b, weir_buffer *out) {
    while (a.length && a.data[a.length - 1] == '/') a.length--;
    while (b.length && b.data[0] == '/') b = weir_str_slice(b, 1, b.length);
    while (b.length && b.data[b.length - 1] == '/') b.length--;
    weir_buffer_str_append(out, a);
    if (b.length && a.length) weir_buffer_byte(out, '/');
    weir_buffer_str_append(out, b);
}

weir_value *weir__artifact_below(const weir_value *artifact, weir_str path, weir_error *error) {
    const char *member = "url", *kind = weir__location_of_key(artifact, &member);
    if (!kind && weir_member_named(artifact, "http")) kind = "http";
    if (!kind) {
        weir_fail(error, WEIR_INVALID,
                  "key unsupported: the artifact %.*s has no key for a subPath",
                  WEIR_ARG(weir_member_text(artifact, "name")));
        return NULL;
    }
    weir_buffer key = {0};
    join(weir_member_text(weir_member_named(artifact, kind), member), path, &key);
    weir_value *out = with_key(artifact, kind, member, weir_buffer_str(&key));
    weir_buffer_deinit(&key);
    return out;
}

weir_value *weir__artifact_at(const weir_value *artifact, const weir_value *archive, weir_str key) {
    const char *member = "key", *kind = weir__location_of_key(artifact, &member);
    if (kind) return with_key(artifact, kind, member, key);
    /* Argo gives it the kind of the repository */
    kind = weir__location_of_key(archive, &member);
    if (!kind) {
        kind = "s3";
        member = "key";
    }
    static const char *const kinds[] = {"s3",   "gcs",         "oss",   "azure",
                                        "hdfs", "artifactory", "plugin"};
    weir_value *bare = weir_object_new();
    for (size_t i = 0; i < weir_value_count(artifact); i++)
        if (!is_one_of(weir_object_key(artifact, i).data, kinds, sizeof kinds / sizeof *kinds))
            weir_member_set(bare, weir_object_key(artifact, i),
                            weir_value_ref(weir_object_at(artifact, i)));
    weir_value *out = with_key(bare, kind, member, key);
    weir_value_unref(bare);
    return out;
}

bool weir__artifact_key(const weir_value *artifact, weir_buffer *key, weir_buffer *bucket) {
    const char *member, *kind = weir__location_of_key(artifact, &member);
    if (!kind) return false;
    const weir_value *location = weir_member_named(artifact, kind);
    weir_str text = weir_member_text(location, member);
    bool azure = strcmp(kind, "azure") == 0;
    bool plugin = strcmp(kind, "plugin") == 0;
    weir_str name = weir_member_text(location, azure ? "container" : plugin ? "name" : "bucket");
    if (strcmp(kind, "artifactory") == 0) {
        size_t path = path_of_url(text), host = weir_str_find(text, WEIR_STR("://"), 0);
        if (host != SIZE_MAX) name = weir_str_slice(text, host + 3, path);
        text = weir_str_slice(text, path, text.length);
    }
    while (text.length && text.data[0] == '/') text = weir_str_slice(text, 1, text.length);
    weir_buffer_str_append(key, text);
    if (name.length) weir_buffer_printf(bucket, "%s/%.*s", kind, WEIR_ARG(name));
    return true;
}

weir_value *weir__artifact_bucket(const weir_value *artifact) {
    static const char *const kinds[] = {"s3", "gcs", "oss", "azure", "hdfs"};
    weir_value *out = weir_object_new();
    weir_member_put_text(out, "key", WEIR_STR(""));
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const weir_value *location = weir_member_named(artifact, kinds[i]);
        weir_str name = weir_member_text(location, i == 3 ? "container" : "bucket");
        if (!name.length) continue;
        weir_buffer bucket = {0};
        weir_buffer_printf(&bucket, "%s/%.*s", kinds[i], WEIR_ARG(name));
        weir_member_put_text(out, "bucket", weir_buffer_str(&bucket));
        weir_buffer_deinit(&bucket);
        break;
    }
    return out;
}

const char *weir__artifact_archive(const weir_value *artifact) {
    static const char *const kinds[] = {"none", "zip", "tar"};
    const weir_value *archive = weir_member_named(artifact, "archive");
    for (size_t i = 0; i < 3; i++)
        if (weir_is(weir_member_named(archive, kinds[i]), WEIR_OBJECT)) return kinds[i];
    return NULL;
}

/* --- what an executor fetches ------------------------------------------------------------------ */

static void copy_as(const weir_value *from, const char *name, weir_value *to, const char *as) {
    weir_value *value = weir_member_named(from, name);
    if (value) weir_member_put(to, as, weir_value_ref(value));
}

/* A Secret's key, as `secret` of weir has it. */
static void put_secret(const weir_value *from, const char *name, weir_value *to, const char *as) {
    const weir_value *ref = weir_member_named(from, name);
    if (!weir_member_text(ref, "name").length) return;
    weir_value *secret = weir_object_new();
    weir_buffer text = {0};
    weir_buffer_printf(&text, "%.*s.%.*s", WEIR_ARG(weir_member_text(ref, "name")),
                       WEIR_ARG(weir_member_text(ref, "key")));
    weir_member_put_text(secret, "secret", weir_buffer_str(&text));
    weir_buffer_deinit(&text);
    weir_member_put(to, as, secret);
}

static weir_value *git_source(const weir_value *git) {
    static const char *const same[][2] = {{"repo", "repo"},
                                          {"revision", "revision"},
                                          {"branch", "branch"},
                                          {"singleBranch", "single_branch"},
                                          {"depth", "depth"},
                                          {"fetch", "fetch"},
                                          {"disableSubmodules", "disable_submodules"},
                                          {"insecureSkipTLS", "insecure_skip_tls"},
                                          {"insecureIgnoreHostKey", "insecure_ignore_host_key"}};
    weir_value *out = weir_object_new();
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        copy_as(git, same[i][0], out, same[i][1]);
    put_secret(git, "usernameSecret", out, "username");
    put_secret(git, "passwordSecret", out, "password");
    put_secret(git, "sshPrivateKeySecret", out, "ssh_private_key");
    return out;
}

static weir_value *http_source(const weir_value *http) {
    const weir_value *auth = weir_member_named(http, "auth");
    const weir_value *basic = weir_member_named(auth, "basicAuth");
    const weir_value *client = weir_member_named(auth, "clientCert");
    const weir_value *oauth2 = weir_member_named(auth, "oauth2");
    weir_value *out = weir_object_new();
    copy_as(http, "url", out, "url");
    copy_as(http, "headers", out, "headers");
    put_secret(basic, "usernameSecret", out, "username");
    put_secret(basic, "passwordSecret", out, "password");
    put_secret(client, "clientCertSecret", out, "client_cert");
    put_secret(client, "clientKeySecret", out, "client_key");
    if (!weir_is(oauth2, WEIR_OBJECT)) return out;
    weir_value *token = weir_object_new();
    put_secret(oauth2, "tokenURLSecret", token, "token_url");
    put_secret(oauth2, "clientIDSecret", token, "client_id");
    put_secret(oauth2, "clientSecretSecret", token, "client_secret");
    copy_as(oauth2, "scopes", token, "scopes");
    copy_as(oauth2, "endpointParams", token, "params");
    weir_member_put(out, "oauth2", token);
    return out;
}

weir_value *weir__artifact_source(const weir_value *artifact) {
    weir_value *out = weir_object_new();
    weir_buffer key = {0}, bucket = {0};
    const weir_value *raw = weir_member_named(artifact, "raw");
    const weir_value *http = weir_member_named(artifact, "http");
    const weir_value *git = weir_member_named(artifact, "git");
    if (weir__artifact_key(artifact, &key, &bucket)) {
        weir_member_put_text(out, "key", weir_buffer_str(&key));
        if (bucket.length) weir_member_put_text(out, "bucket", weir_buffer_str(&bucket));
    } else if (raw) {
        weir_member_put(out, "raw", weir_string_from(weir_member_text(raw, "data")));
    } else if (http) {
        weir_member_put(out, "http", http_source(http));
    } else if (git) {
        weir_member_put(out, "git", git_source(git));
    }
    weir_buffer_deinit(&key);
    weir_buffer_deinit(&bucket);
    if (weir_value_count(out)) return out;
    weir_value_unref(out);
    return NULL;
}
