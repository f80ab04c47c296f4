#include "virtual_blobs.h"

#include "base/map.h"

typedef struct virtual_blob {
    unsigned char digest[WEIR_PART_DIGEST_BYTES];
    weir_buffer bytes;
} virtual_blob;

void virtual_blobs_deinit(virtual_blobs *blobs) {
    for (size_t i = 0; i < blobs->parts.count; i++) weir_parts_free(blobs->parts.items[i]);
    for (size_t i = 0; i < blobs->all.count; i++) weir_buffer_deinit(&blobs->all.items[i].bytes);
    weir_vector_deinit(&blobs->parts);
    weir_vector_deinit(&blobs->all);
}

static const virtual_blob *find(const virtual_blobs *blobs, const unsigned char *digest) {
    for (size_t i = 0; i < blobs->all.count; i++)
        if (memcmp(blobs->all.items[i].digest, digest, WEIR_PART_DIGEST_BYTES) == 0)
            return &blobs->all.items[i];
    return NULL;
}

static bool fetch(void *arg, const unsigned char digest[WEIR_PART_DIGEST_BYTES], uint64_t size,
                  weir_buffer *out, weir_error *error) {
    const virtual_blob *blob = find(arg, digest);
    if (!blob || blob->bytes.length != size)
        return weir_fail(error, WEIR_STORE, "a large value was not put before its batch");
    weir_buffer_str_append(out, weir_buffer_str(&blob->bytes));
    return true;
}

weir_parts *virtual_blobs_parts(virtual_blobs *blobs) {
    return *weir_vector_push(&blobs->parts) = weir_parts_new(blobs->limit, fetch, blobs);
}

/* A digest as good as any, as nobody attacks. */
static void name_part(weir_part *part) {
    if (part->named) return;
    for (size_t i = 0; i < part->inner.count; i++) name_part(part->inner.items[i].part);
    weir_str content = weir_part_content(part);
    uint64_t words[WEIR_PART_DIGEST_BYTES / sizeof(uint64_t)] = {
        weir_hash(content.data, content.length), content.length};
    for (size_t i = 2; i < sizeof words / sizeof *words; i++)
        words[i] = weir_hash(words, i * sizeof *words);
    memcpy(part->name.digest, words, sizeof words);
    part->named = true;
}

void virtual_blobs_name(const weir_places *places, weir_buffer *bytes) {
    for (size_t i = 0; i < places->count; i++) name_part(places->items[i].part);
    weir_places_fill(places, bytes);
}

void virtual_blobs_put(virtual_blobs *blobs, const weir_places *places) {
    for (size_t i = 0; i < places->count; i++) {
        weir_part *part = places->items[i].part;
        if (part->kept) continue;
        virtual_blobs_put(blobs, &part->inner);
        if (!find(blobs, part->name.digest)) {
            virtual_blob *blob = weir_vector_push(&blobs->all);
            *blob = (virtual_blob){.bytes = {0}};
            memcpy(blob->digest, part->name.digest, sizeof blob->digest);
            weir_buffer_str_append(&blob->bytes, weir_part_content(part));
        }
        weir_part_note_kept(part);
    }
}
