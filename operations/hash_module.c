/* The module "hash": what needs OpenSSL. */
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <unistd.h>

#include "file_io.h"
#include "parameter.h"

enum { CHUNK_BYTES = 256 * 1024 };

static bool hash_bytes(const weir_host *host, weir_call *call, int descriptor, const char *path,
                       EVP_MD_CTX *context) {
    char *chunk = host->alloc(call, CHUNK_BYTES);
    for (;;) {
        if (host->cancelled(call)) return false;
        ssize_t got = read(descriptor, chunk, CHUNK_BYTES);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return weir__file_fail(host, call, path);
        if (got == 0) return true;
        if (!EVP_DigestUpdate(context, chunk, (size_t)got))
            return host->fail(call, "internal", "OpenSSL refuses to hash");
    }
}

static bool give_digest(const weir_host *host, weir_call *call, EVP_MD_CTX *context) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    char letters[2 * EVP_MAX_MD_SIZE + 1];
    unsigned length = 0;
    if (!EVP_DigestFinal_ex(context, digest, &length))
        return host->fail(call, "internal", "OpenSSL refuses to hash");
    for (unsigned i = 0; i < length; i++) snprintf(letters + 2 * i, 3, "%02x", digest[i]);
    host->output(call, "hash", host->string_new(letters, 2 * (size_t)length));
    return true;
}

static const EVP_MD *find_algorithm(weir_str name) {
    static const struct {
        weir_str name;
        const EVP_MD *(*get)(void);
    } algorithms[] = {{{"sha256", 6}, EVP_sha256},
                      {{"sha384", 6}, EVP_sha384},
                      {{"sha512", 6}, EVP_sha512},
                      {{"sha1", 4}, EVP_sha1}};
    for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++)
        if (weir__same_text(name, algorithms[i].name)) return algorithms[i].get();
    return NULL;
}

static bool hash_file(const weir_host *host, weir_call *call) {
    weir_str path, name = TEXT("sha256");
    uint64_t size;
    if (!weir__text_needed(host, call, "path", &path) ||
        !weir__text_given(host, call, "algorithm", &name))
        return false;
    const EVP_MD *algorithm = find_algorithm(name);
    if (!algorithm)
        return host->fail(call, "invalid",
                          "`algorithm` must be sha256, sha384, sha512 or sha1, found `%.*s`",
                          SHOWN(name));
    int descriptor = weir__file_open(host, call, path.data, &size);
    if (descriptor < 0) return false;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ready = context && EVP_DigestInit_ex(context, algorithm, NULL);
    bool ok = ready ? hash_bytes(host, call, descriptor, path.data, context) &&
                          give_digest(host, call, context)
                    : host->fail(call, "internal", "OpenSSL refuses to hash");
    EVP_MD_CTX_free(context);
    close(descriptor);
    return ok;
}

static const weir_operation *const operations[] = {
    OPERATION(.name = "files.hash", .run = hash_file), NULL};

WEIR_API const weir_plugin *weir_plugin_open(const weir_host *host);

PLUGIN(weir_plugin_open, "hash", operations)
