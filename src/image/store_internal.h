/* Private to image/: the files of a store.
 *     oci-layout, index.json        as the OCI image layout has them; index.json is replaced as a whole
 *     blobs/sha256/HEX              whole
 *     partial/HEX                   a blob that comes, locked by who writes it; "partial/new-XXXXXX" where its digest is not known yet
 *     images/HEX                    empty, of a manifest: locked shared by who holds the image; its time is when it was last used
 *     layers/HEX                    the layer of that diff id, unpacked
 *     layers/HEX.lock               locked shared by who holds an image with it; what it became: "BYTES ENTRIES"
 *     layers-USERS/…                the same where its files belong to several users: those of io/users.h with that key
 *     new/layer-XXXXXX              a layer that is being unpacked, locked by who does that
 *     new/gone-N-HEX                a layer that is being removed
 *     lock                          alone: index.json is replaced, and things are removed
 *     gate                          shared: something is being put in
 * Nobody but the owner may enter it: there are programs in it that would become root's for whoever runs them. */
#ifndef WEIR_IMAGE_STORE_INTERNAL_H
#define WEIR_IMAGE_STORE_INTERNAL_H

#include <sys/types.h>

#include "image/store.h"
#include "store/sha256.h"

enum {
    WEIR__IMAGE_HEX = 64,
    WEIR__IMAGE_DIGEST_BYTES = 72, /* "sha256:", 64 digits, NUL */
    WEIR__IMAGE_FILE_BYTES = 128,  /* of a name within the store */
    WEIR__IMAGE_INDEX_MAX = 16 * 1024 * 1024,
    WEIR__IMAGE_MANIFEST_MAX =
        4 * 1024 *
        1024, /* registries take no larger ones; of a configuration that they give, too */
    WEIR__IMAGE_CONFIG_MAX = 8 * 1024 * 1024,
    WEIR__IMAGE_LAYERS_MAX = 500 /* an overlay takes no more */
};

struct weir_image_store {
    char *folder; /* absolute */
};

/* --- store.c */
/* The store's folder, made with all that is in it where `make` says so. -1: NOT_FOUND (it is not there), IO. */
int weir__image_root(const weir_image_store *store, bool make, weir_error *error);
/* IO, with errno. */
bool weir__image_failed(const weir_image_store *store, const char *doing, weir_error *error);
/* NOT_FOUND: `why` is "", or why it is as good as that. */
bool weir__image_not_here(const weir_image_store *store, const weir_image_name *name,
                          const char *why, weir_error *error);
/* The 64 digits of a digest; NULL: it is none. */
const char *weir__image_hex(const char *digest);
/* The same, with the error INVALID. */
const char *weir__image_hex_checked(const char *digest, weir_error *error);
/* Opens a file of the store, made where it is missing, and locks it; `operation` as for flock. -1 and errno; EWOULDBLOCK: somebody has it. */
int weir__image_lock(int root, const char *name, int operation);
/* A name within the store: "layers/HEX.lock". */
const char *weir__image_file(char out[static WEIR__IMAGE_FILE_BYTES], const char *before,
                             const char *hex, const char *after);
/* The name of a layer of this user's, or with ".lock" of its lock; of their folder, where `hex` is "". */
const char *weir__image_layer_file(char out[static WEIR__IMAGE_FILE_BYTES], const char *hex,
                                   const char *after);
/* Reads a file as a whole. NOT_FOUND, LIMIT, IO. */
WEIR_CHECKED bool weir__image_slurp(const weir_image_store *store, int root, const char *name,
                                    size_t bytes_max, weir_buffer *out, weir_error *error);
/* Replaces a file as a whole, on the disk before it is seen. */
WEIR_CHECKED bool weir__image_replace(const weir_image_store *store, int root, const char *name,
                                      weir_str text, weir_error *error);
/* When something was last used, by the time of its file; 0: it is not there. */
uint64_t weir__image_used_us(int root, const char *name);
/* What the layer became, in bytes; 0: nobody noted it. */
uint64_t weir__image_layer_bytes(int root, const char *hex);
uint64_t weir__image_layer_bytes_of(int lock);
/* Removes a folder of files that may be others'. */
void weir__image_remove_folder(const char *path);
bool weir__image_layer_here(int root, const char *hex);
bool weir__image_blob_here(int root, const char *hex);

/* --- store_blob.c */
/* A blob whose digest is not known yet. */
WEIR_CHECKED bool weir__image_part_new(weir_image_store *store, uint64_t bytes_max,
                                       weir__image_part **out, weir_error *error);
/* Makes it a blob, under the digest that it has. */
WEIR_CHECKED bool weir__image_part_keep(weir__image_part *part, char digest[static 72],
                                        weir_error *error);

/* --- store_layer.c */
/* Unpacks the blob, and gives the diff id that it has. */
WEIR_CHECKED bool weir__image_unpack_any(weir_image_store *store, const char *blob,
                                         const weir_image_watch *watch, char diff_id[static 72],
                                         weir_error *error);

/* Unpacks again what of an image lacks and whose blobs are here: somebody unpacked it for other users. NOT_FOUND. */
WEIR_CHECKED bool weir__image_complete(weir_image_store *store, const weir_image_name *name,
                                       const weir_image_watch *watch, weir_error *error);

/* --- index.c: what is in files of the store, which others may have written */
typedef struct weir__image_layer {
    char digest[WEIR__IMAGE_DIGEST_BYTES], diff_id[WEIR__IMAGE_DIGEST_BYTES];
    char media_type[128];
    uint64_t size;
} weir__image_layer;

/* A manifest and its configuration. */
typedef struct weir__image_parts {
    char digest[WEIR__IMAGE_DIGEST_BYTES], config_digest[WEIR__IMAGE_DIGEST_BYTES];
    char media_type[128];
    uint64_t size, config_size; /* of these files */
    WEIR_VECTOR(weir__image_layer) layers;
    weir_value *manifest, *config;
} weir__image_parts;

/* {schemaVersion, mediaType, manifests: […]}, of which each has a sound digest. INVALID. */
WEIR_CHECKED bool weir__image_index_parse(weir_str text, const char *file, weir_value **out,
                                          weir_error *error);
WEIR_CHECKED bool weir__image_index_read(const weir_image_store *store, int root, weir_value **out,
                                         weir_error *error);
WEIR_CHECKED bool weir__image_index_write(const weir_image_store *store, int root,
                                          const weir_value *index, weir_error *error);
/* The texts of an entry of the index; empty: it has none. */
weir_str weir__image_entry_name(const weir_value *entry);
weir_str weir__image_entry_pinned(const weir_value *entry);
weir_str weir__image_entry_digest(const weir_value *entry);
/* Which entry the name means, or SIZE_MAX; of a digest of several that for the platform (NULL: this machine's), else the first. */
size_t weir__image_index_find(const weir_value *index, const weir_image_name *name,
                              const char *platform);
/* One without entries. */
weir_value *weir__image_index_new(void);
/* The index with the name given to the image (NULL: to none), and taken away from the one that had it, which stays without a name unless another has it. New. */
weir_value *weir__image_index_with(const weir_value *index, const weir__image_parts *parts,
                                   const char *name, const char *pinned);
/* Of what a manifest's and a configuration's files say. INVALID, LIMIT. */
WEIR_CHECKED bool weir__image_parts_parse(weir_str manifest, weir_str config,
                                          weir__image_parts *out, weir_error *error);
/* Just the manifest: the configuration's digest, and the layers' without their diff ids. */
WEIR_CHECKED bool weir__image_manifest_parse(weir_str text, weir__image_parts *out,
                                             weir_error *error);
WEIR_CHECKED bool weir__image_parts_read(const weir_image_store *store, int root,
                                         const char *digest, weir__image_parts *out,
                                         weir_error *error);
void weir__image_parts_deinit(weir__image_parts *parts);

#endif
