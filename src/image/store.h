/* Images that are here: a folder that is an OCI image layout (oci-layout, index.json with the names in
 * org.opencontainers.image.ref.name, blobs/sha256/…), and beside it layers/DIFF_ID, the layers unpacked once, as overlays take them. Several processes may
 * use one store at once; each function blocks, and may be called on any thread. */
#ifndef WEIR_IMAGE_STORE_H
#define WEIR_IMAGE_STORE_H

#include "data/value.h"
#include "image/name.h"

typedef struct weir_image_store weir_image_store;

/* An image that is held: nobody removes it meanwhile. */
typedef struct weir_image {
    char *digest; /* "sha256:…" of the manifest that its name was pinned to */
    weir_value *
        config; /* the image's configuration file, {architecture, os, config: {Entrypoint, Cmd, Env, WorkingDir, User, StopSignal, …}, rootfs, …} */
    char **layers; /* absolute paths of the unpacked layers, the lowest first */
    size_t layer_count;
    int *holds; /* descriptors with shared locks */
    size_t hold_count;
} weir_image;

/* The folder is made when the first thing is put in; NULL: WEIR_IMAGES, else /var/lib/weir/images for root and
 * $XDG_DATA_HOME/weir/images (~/.local/share/weir/images) for others. It costs nothing until then. */
weir_image_store *weir_image_store_new(const char *folder);
void weir_image_store_free(weir_image_store *store);
/* Its folder, which need not be there; an absolute path. */
const char *weir_image_store_folder(const weir_image_store *store);

/* The image of that name (with a digest: exactly that one), whole and unpacked. NOT_FOUND: it is not here. Notes that it was used. */
WEIR_CHECKED bool weir_image_find(weir_image_store *store, const weir_image_name *name,
                                  weir_image **out, weir_error *error);
/* Of a digest of an image for several platforms that of the platform ("OS/ARCHITECTURE[/VARIANT]"; NULL, and above: this machine's), else any that came by it. */
WEIR_CHECKED bool weir_image_find_for(weir_image_store *store, const weir_image_name *name,
                                      const char *platform, weir_image **out, weir_error *error);
void weir_image_free(weir_image *image);

/* How far something long is. */
typedef struct weir_image_progress {
    const char *what;          /* "pulling", "unpacking", "importing", "exporting" */
    uint64_t bytes, bytes_all; /* bytes_all 0: not known */
    uint32_t parts, parts_all; /* layers */
} weir_image_progress;
typedef struct weir_image_watch {
    void (*progress)(
        void *arg,
        const weir_image_progress *now); /* any thread, at most ten times a second; may be NULL */
    bool (*goes_on)(void *arg); /* asked now and then; false: it ends, CANCELLED. May be NULL */
    void *arg;
} weir_image_watch;

/* --- putting in: what pulling and importing are made of */
/* Who puts something in says so before the first thing, and when a name refers to all of it: until then nothing that no name refers to is removed, unless it is older than a
 * day. Ended by weir__image_leave, and by the end of the process. */
typedef struct weir__image_work weir__image_work;
WEIR_CHECKED bool weir__image_enter(weir_image_store *store, weir__image_work **out,
                                    weir_error *error);
void weir__image_leave(weir__image_work *work); /* NULL is allowed */
/* Whether the blob is here, whole. */
bool weir__image_has_blob(weir_image_store *store, const char *digest);
/* A file to write a blob into, or to go on with (*offset bytes are there already): partial until it is committed. Only one at a time has it: another waits here as long as `watch` (which may be NULL) lets it (so who
 * opens several at once opens them in the order of their digests, or on a thread each), and *out is NULL, with true, when the blob came meanwhile. What is longer than
 * bytes_max is LIMIT when it is written. */
typedef struct weir__image_part weir__image_part;
WEIR_CHECKED bool weir__image_part_open(weir_image_store *store, const char *digest,
                                        uint64_t bytes_max, const weir_image_watch *watch,
                                        weir__image_part **out, uint64_t *offset,
                                        weir_error *error);
WEIR_CHECKED bool weir__image_part_write(weir__image_part *part, const void *data, size_t length,
                                         weir_error *error);
/* Begins anew, where the sender cannot go on in the middle. */
WEIR_CHECKED bool weir__image_part_restart(weir__image_part *part, weir_error *error);
/* Checks its digest (computed while it was written; what was there before is read) and makes it a blob; INVALID: it is another, and is thrown away. Frees it either way. */
WEIR_CHECKED bool weir__image_part_commit(weir__image_part *part, weir_error *error);
/* Leaves what there is for the next to go on with. */
void weir__image_part_leave(weir__image_part *part);
/* A small blob (manifest, configuration) from memory; gives its digest when `digest` is empty, else checks it. */
WEIR_CHECKED bool weir__image_put(weir_image_store *store, weir_str bytes, char digest[72],
                                  weir_error *error);
/* Where a blob is, as a file to be read; -1: it is not here. */
int weir__image_blob(weir_image_store *store, const char *digest, uint64_t *size);
/* A small blob's bytes, at most bytes_max. NOT_FOUND, LIMIT. */
WEIR_CHECKED bool weir__image_get(weir_image_store *store, const char *digest, size_t bytes_max,
                                  weir_buffer *out, weir_error *error);
/* Unpacks the blob of a layer (by its media type) unless the layer of that diff id is here; its digest must be that. */
WEIR_CHECKED bool weir__image_unpack(weir_image_store *store, const char *blob,
                                     const char *media_type, const char *diff_id,
                                     const weir_image_watch *watch, weir_error *error);
/* Gives the name to the image of a manifest whose blobs and layers are all here, and takes it away from the one that had it; `pinned` is the digest that the
 * registry gave (of an index, where there is one), by which it is found as well. */
WEIR_CHECKED bool weir__image_name_it(weir_image_store *store, const weir_image_name *name,
                                      const char *manifest, const char *pinned, weir_error *error);

/* --- housekeeping (the values are as `weir image list|show -o json` prints them) */
/* [{name, digest, size, layers, created, used, architecture, os}], newest use first. */
WEIR_CHECKED bool weir_image_list(weir_image_store *store, weir_value **out, weir_error *error);
/* {name, digest, manifest, config, layers: [{diff_id, digest, media_type, size, unpacked_size}], …}. */
WEIR_CHECKED bool weir_image_show(weir_image_store *store, const weir_image_name *name,
                                  weir_value **out, weir_error *error);
/* Takes the name away; what no other name refers to and nobody holds goes. NOT_FOUND. */
WEIR_CHECKED bool weir_image_remove(weir_image_store *store, const weir_image_name *name,
                                    weir_error *error);
/* Removes what was not used for longest until the rest has at most `bytes_max` (0: only what no name refers to, and what an interrupted pull left), never what is held.
 * {removed: [name…], freed: bytes, left: bytes}. */
WEIR_CHECKED bool weir_image_prune(weir_image_store *store, uint64_t bytes_max,
                                   uint64_t unused_since_us, weir_value **out, weir_error *error);

/* --- files (transfer.c) */
/* From a file or folder: what `docker save` and `podman save` write (both forms), an OCI layout (tar or folder), or a root file system as tar (which needs `name`). Compressed or not.
 * Gives the names: [text…]. */
WEIR_CHECKED bool weir_image_import(weir_image_store *store, const char *path,
                                    const weir_image_name *name, const weir_image_watch *watch,
                                    weir_value **out, weir_error *error);
/* As a tar of an OCI layout with docker's manifest.json in it, which `docker load`, `podman load` and skopeo read. */
WEIR_CHECKED bool weir_image_export(weir_image_store *store, const weir_image_name *name,
                                    const char *path, const weir_image_watch *watch,
                                    weir_error *error);

#endif
