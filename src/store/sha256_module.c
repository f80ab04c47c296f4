/* The module "sha256": what of OpenSSL every kind of blob store needs. */
#include "store/sha256.h"

WEIR_API const weir__sha256_functions *weir_sha256_functions(void);

const weir__sha256_functions *weir_sha256_functions(void) {
    return &weir__sha256_by;
}
