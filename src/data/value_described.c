/* What is shown of bytes and of objects of other languages. */
#include <inttypes.h>
#include <stdio.h>

#include "base/base64.h"
#include "base/map.h"
#include "data/value.h"

static weir_value *base64_of(weir_str bytes) {
    weir_buffer text = {0};
    weir_base64_append(bytes, &text);
    weir_value *value = weir_string_from(weir_buffer_str(&text));
    weir_buffer_deinit(&text);
    return value;
}

static void put_size(weir_value *into, uint64_t size, uint64_t hash) {
    char digits[17];
    snprintf(digits, sizeof digits, "%016" PRIx64, hash);
    weir_member_put(into, "size", weir_int_new((int64_t)size));
    weir_member_put_text(into, "xxh3", weir_str_from(digits));
}

static uint64_t hash_of(weir_str bytes) {
    return weir_hash(bytes.data, bytes.length);
}

static weir_value *describe_bytes(const weir_value *value) {
    weir_str bytes = weir_bytes_get(value);
    if (bytes.length <= WEIR_BYTES_SHARED) return base64_of(bytes);
    weir_value *about = weir_object_new();
    put_size(about, bytes.length, hash_of(bytes));
    return about;
}

/* The hash is that of its pieces' hashes. */
static weir_value *describe_foreign(const weir_value *value) {
    weir_value *about = weir_object_new();
    weir_member_put_text(about, "type", weir_foreign_about(value));
    weir_member_put_text(about, "form", weir_foreign_form(value));
    weir_error error;
    const weir_value *pieces = weir_foreign_pieces(value, &error);
    if (!pieces) {
        weir_member_put_text(about, "problem", weir_str_from(error.message));
        return about;
    }
    uint64_t hash = 0;
    for (size_t i = 0; i < weir_value_count(pieces); i++) {
        uint64_t both[] = {hash, hash_of(weir_bytes_get(weir_array_at(pieces, i)))};
        hash = weir_hash(both, sizeof both);
    }
    put_size(about, weir_foreign_size(value), hash);
    return about;
}

weir_value *weir_bytes_described(const weir_value *value) {
    weir_value *out = weir_object_new();
    if (weir_is(value, WEIR_BYTES))
        weir_member_put(out, "$bytes", describe_bytes(value));
    else
        weir_member_put(out, "$object", describe_foreign(value));
    return out;
}
