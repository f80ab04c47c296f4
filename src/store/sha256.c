/* Of modules only: links libcrypto. */
#include "store/sha256.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

/* OpenSSL fails here only without memory, or when it has no SHA-256. */
static weir__sha256 *begin(void) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    weir_assert(context && EVP_DigestInit_ex(context, EVP_sha256(), NULL));
    return (weir__sha256 *)context;
}

static void add(weir__sha256 *hash, const void *data, size_t length) {
    weir_assert(EVP_DigestUpdate((EVP_MD_CTX *)hash, data, length));
}

static void take(weir__sha256 *hash, unsigned char digest[static WEIR__SHA256_BYTES]) {
    EVP_MD_CTX *context = (EVP_MD_CTX *)hash;
    weir_assert(EVP_DigestFinal_ex(context, digest, NULL));
    weir_assert(EVP_DigestInit_ex(context, EVP_sha256(), NULL));
}

static void end(weir__sha256 *hash) {
    EVP_MD_CTX_free((EVP_MD_CTX *)hash);
    weir__sha256_thread_end();
}

void weir__sha256_thread_end(void) {
    OPENSSL_thread_stop();
}

const weir__sha256_functions weir__sha256_by = {begin, add, take, end};

void weir__sha256_hmac(const void *key, size_t key_length, weir_str text,
                       unsigned char out[static WEIR__SHA256_BYTES]) {
    weir_assert(key_length <= INT32_MAX);
    weir_assert(HMAC(EVP_sha256(), key, (int)key_length, (const unsigned char *)text.data,
                     text.length, out, NULL));
}
