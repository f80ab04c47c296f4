/* Archives as layers of images have them, with any names, and images that are made of them. */
#ifndef WEIR_TESTS_IMAGE_FILES_H
#define WEIR_TESTS_IMAGE_FILES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image/store_internal.h"
#include "shell.h"

/* One entry in the form of ustar; `kind` as there: '0' a file, '1' a hard link, '2' a link, '3' and '4' devices, '5' a folder, '6' a pipe. */
static void tar_entry_with(weir_buffer *tar, const char *name, char kind, unsigned mode,
                           const char *link, weir_str bytes, unsigned owner) {
    char block[512] = {0};
    unsigned sum = 0;
    snprintf(block, 100, "%s", name);
    snprintf(block + 100, 8, "%07o", mode);
    snprintf(block + 108, 8, "%07o", owner);
    snprintf(block + 116, 8, "%07o", owner);
    snprintf(block + 124, 12, "%011o", (unsigned)bytes.length);
    snprintf(block + 136, 12, "%011o", 1000000000);
    memset(block + 148, ' ', 8);
    block[156] = kind;
    snprintf(block + 157, 100, "%s", link);
    memcpy(block + 257,
           "ustar\0"
           "00",
           8);
    for (size_t i = 0; i < sizeof block; i++) sum += (unsigned char)block[i];
    snprintf(block + 148, 8, "%06o", sum);
    weir_buffer_append(tar, block, sizeof block);
    weir_buffer_append(tar, bytes.data, bytes.length);
    while (tar->length % 512) weir_buffer_byte(tar, '\0');
}

static inline void tar_file(weir_buffer *tar, const char *name, const char *text) {
    tar_entry_with(tar, name, '0', 0644, "", weir_str_from(text), 0);
}
static inline void tar_entry(weir_buffer *tar, const char *name, char kind, unsigned mode,
                             const char *link) {
    tar_entry_with(tar, name, kind, mode, link, (weir_str){"", 0}, 0);
}
static inline void tar_end(weir_buffer *tar) {
    for (int i = 0; i < 1024; i++) weir_buffer_byte(tar, '\0');
}

static inline void digest_of(weir_str bytes, char out[72]) {
    unsigned char digest[WEIR__SHA256_BYTES];
    const weir__sha256_functions *sha256;
    weir_error error;
    weir_assert(weir__sha256_open(&sha256, &error));
    weir__sha256 *hash = sha256->begin();
    sha256->add(hash, bytes.data, bytes.length);
    sha256->take(hash, digest);
    sha256->end(hash);
    memcpy(out, "sha256:", 7);
    weir__sha256_format(digest, out + 7);
}

/* Through a program, as gzip and zstd. */
static inline void squeeze(const char *program, weir_buffer *bytes) {
    char name[] = "/tmp/weir-squeeze-XXXXXX", line[128];
    int fd = mkstemp(name);
    FILE *out = fdopen(fd, "w");
    weir_assert(out && fwrite(bytes->data, 1, bytes->length, out) == bytes->length);
    fclose(out);
    snprintf(line, sizeof line, "%s <%s", program, name);
    FILE *in = popen(line, "r");
    weir_buffer_clear(bytes);
    char piece[4096];
    for (size_t got; (got = fread(piece, 1, sizeof piece, in)) > 0;)
        weir_buffer_append(bytes, piece, got);
    weir_assert(pclose(in) == 0);
    remove(name);
}

/* --- images --------------------------------------------------------------------------------- */

static weir_image_store *store;

static bool in_child; /* which must not go on with the tests */

static inline void check(bool ok, const weir_error *error) {
    if (!ok && in_child) {
        fprintf(stderr, "%s (%s)\n", error->message, error->hint);
        abort();
    }
    if (!ok) fail_msg("%s (%s)", error->message, error->hint);
}

static inline weir_image_name named(const char *text) {
    weir_image_name name;
    weir_error error;
    check(weir_image_name_read(weir_str_from(text), &name, &error), &error);
    return name;
}

/* A blob in two pieces. */
static inline void put_blob(weir_str bytes, char digest[72]) {
    weir_error error;
    weir__image_part *part;
    uint64_t offset;
    digest_of(bytes, digest);
    check(weir__image_part_open(store, digest, bytes.length, NULL, &part, &offset, &error), &error);
    if (!part) return;
    if (offset) check(weir__image_part_restart(part, &error), &error);
    size_t half = bytes.length / 2;
    check(weir__image_part_write(part, bytes.data, half, &error), &error);
    check(weir__image_part_write(part, bytes.data + half, bytes.length - half, &error), &error);
    check(weir__image_part_commit(part, &error), &error);
}

typedef struct made {
    char manifest[72], layer[72], diff_id[72];
} made;

/* An image of one layer with one file, but for its name. */
static inline made put_image(const char *text, const char *program) {
    weir_buffer tar = {0}, config = {0}, manifest = {0};
    made m = {0};
    char config_digest[72] = "";
    weir_error error;
    tar_file(&tar, "etc/motd", text);
    tar_end(&tar);
    digest_of(weir_buffer_str(&tar), m.diff_id);
    if (program) squeeze(program, &tar);
    put_blob(weir_buffer_str(&tar), m.layer);
    weir_buffer_printf(&config,
                       "{\"architecture\": \"amd64\", \"os\": \"linux\", \"created\": "
                       "\"2026-01-02T03:04:05Z\", \"config\": {\"Cmd\": [\"cat\"]}, "
                       "\"rootfs\": {\"type\": \"layers\", \"diff_ids\": [\"%s\"]}}",
                       m.diff_id);
    check(weir__image_put(store, weir_buffer_str(&config), config_digest, &error), &error);
    weir_buffer_printf(
        &manifest,
        "{\"schemaVersion\": 2, \"mediaType\": \"application/vnd.oci.image.manifest.v1+json\", "
        "\"config\": {\"mediaType\": "
        "\"application/vnd.oci.image.config.v1+json\", \"digest\": \"%s\", \"size\": %zu}, "
        "\"layers\": [{\"mediaType\": "
        "\"application/vnd.oci.image.layer.v1.tar+gzip\", \"digest\": \"%s\", \"size\": %zu}]}",
        config_digest, config.length, m.layer, tar.length);
    check(weir__image_put(store, weir_buffer_str(&manifest), m.manifest, &error), &error);
    check(weir__image_unpack(store, m.layer, "application/vnd.oci.image.layer.v1.tar+gzip",
                             m.diff_id, NULL, &error),
          &error);
    weir_buffer_deinit(&tar);
    weir_buffer_deinit(&config);
    weir_buffer_deinit(&manifest);
    return m;
}

static inline made put_named(const char *name, const char *text) {
    made m = put_image(text, "gzip -nc");
    weir_image_name n = named(name);
    weir_error error;
    check(weir__image_name_it(store, &n, m.manifest, NULL, &error), &error);
    return m;
}

static inline weir_code find(const char *text, weir_image **image) {
    weir_image_name name = named(text);
    weir_error error = {0};
    bool ok = weir_image_find(store, &name, image, &error);
    weir_assert(ok == !error.code);
    return error.code;
}

static inline const char *read_layer(const weir_image *image, size_t at, const char *name) {
    char line[512];
    snprintf(line, sizeof line, "cat %s/%s", image->layers[at], name);
    return shell(line);
}

/* A store in a folder of the test's own. */
static inline int set_up_store(void **state) {
    char path[96];
    (void)state;
    if (make_folder() < 0) return -1;
    snprintf(path, sizeof path, "%s/images", folder);
    store = weir_image_store_new(path);
    return 0;
}

static inline int tear_down_store(void **state) {
    (void)state;
    weir_image_store_free(store);
    shell("chmod -R u+rwx .");
    return remove_folder();
}

#endif
