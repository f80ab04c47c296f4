/* Values that nobody looks into: bytes, and objects of other languages. */
#include "data/value_internal.h"

typedef struct bytes_value {
    weir_value base;
    size_t length;
    const char *data;               /* NULL: in the segment */
    _Atomic(weir_segment *) shared; /* NULL: nobody wanted them there */
    size_t offset;                  /* in the segment, if they are nowhere else */
    void (*release)(void *arg);     /* NULL: they stand behind this */
    void *arg;
    char own[];
} bytes_value;

typedef struct foreign_value {
    weir_value base;
    weir_value *form, *about;     /* texts */
    _Atomic(weir_value *) pieces; /* NULL: not made yet */
    const weir_foreign_class *class;
    void *handle;
} foreign_value;

static bytes_value *bytes_of(const weir_value *value) {
    weir_assert(value->type == WEIR_BYTES);
    return (bytes_value *)(uintptr_t)value;
}

static foreign_value *foreign_of(const weir_value *value) {
    weir_assert(value->type == WEIR_FOREIGN);
    return (foreign_value *)(uintptr_t)value;
}

/* --- bytes ------------------------------------------------------------------------------------ */

static bytes_value *new_bytes(size_t length, size_t own) {
    bytes_value *value = (bytes_value *)weir__value_new(WEIR_BYTES, sizeof *value + own);
    value->length = length;
    value->data = value->own;
    atomic_init(&value->shared, NULL);
    value->offset = 0;
    value->release = NULL;
    value->arg = NULL;
    return value;
}

weir_value *weir_bytes_new(const void *data, size_t length) {
    bytes_value *value = new_bytes(length, length);
    if (length) memcpy(value->own, data, length);
    return &value->base;
}

weir_value *weir_bytes_wrap(const void *data, size_t length, void (*release)(void *arg),
                            void *arg) {
    bytes_value *value = new_bytes(length, 0);
    value->data = data;
    value->release = release;
    value->arg = arg;
    return &value->base;
}

weir_value *weir_bytes_within(weir_segment *segment, size_t offset, size_t length) {
    size_t size = weir_segment_size(segment);
    weir_assert(offset <= size && length <= size - offset);
    if (!length) return weir_bytes_new(NULL, 0);
    bytes_value *value = new_bytes(length, 0);
    value->data = NULL;
    value->offset = offset;
    atomic_init(&value->shared, weir_segment_ref(segment));
    return &value->base;
}

size_t weir_bytes_length(const weir_value *value) {
    return bytes_of(value)->length;
}

weir_segment *weir_bytes_segment_known(const weir_value *value) {
    return atomic_load(&bytes_of(value)->shared);
}

weir_str weir_bytes_get(const weir_value *value) {
    const bytes_value *bytes = bytes_of(value);
    if (bytes->data) return (weir_str){bytes->data, bytes->length};
    const char *data = weir_segment_data(atomic_load(&bytes->shared));
    return (weir_str){data + bytes->offset, bytes->length};
}

bool weir_bytes_segment(const weir_value *value, weir_segment **out, size_t *offset,
                        weir_error *error) {
    bytes_value *bytes = bytes_of(value);
    weir_segment *known = atomic_load(&bytes->shared), *made;
    if (!known) {
        if (!weir_segment_new(weir_bytes_get(value), &made, error)) return false;
        if (atomic_compare_exchange_strong(&bytes->shared, &known, made))
            known = made;
        else
            weir_segment_unref(made); /* another thread was first */
    }
    *out = known;
    *offset = bytes->offset;
    return true;
}

bool weir__bytes_equal(const weir_value *a, const weir_value *b) {
    const bytes_value *x = bytes_of(a), *y = bytes_of(b);
    if (x->length != y->length) return false;
    const weir_segment *in = atomic_load(&x->shared), *other = atomic_load(&y->shared);
    if (in && other && x->offset == y->offset && weir_segment_is(in, other)) return true;
    return weir_str_equal(weir_bytes_get(a), weir_bytes_get(b));
}

/* --- objects of other languages ------------------------------------------------------------------ */

static foreign_value *new_foreign(weir_str form, weir_str about) {
    foreign_value *value = (foreign_value *)weir__value_new(WEIR_FOREIGN, sizeof *value);
    value->form = weir_string_from(form);
    value->about = weir_string_from(about);
    atomic_init(&value->pieces, NULL);
    value->class = NULL;
    value->handle = NULL;
    return value;
}

weir_value *weir_foreign_new(weir_str form, weir_str about, weir_value *pieces) {
    weir_assert(weir_has_items(pieces));
    foreign_value *value = new_foreign(form, about);
    atomic_init(&value->pieces, pieces);
    return &value->base;
}

weir_value *weir_foreign_wrap(const weir_foreign_class *class, void *handle, weir_str about) {
    foreign_value *value = new_foreign(weir_str_from(class->form), about);
    value->class = class;
    value->handle = handle;
    return &value->base;
}

void *weir_foreign_handle(const weir_value *value, const weir_foreign_class *class) {
    const foreign_value *foreign = foreign_of(value);
    return foreign->class == class ? foreign->handle : NULL;
}

weir_str weir_foreign_form(const weir_value *value) {
    return weir_string_get(foreign_of(value)->form);
}

weir_str weir_foreign_about(const weir_value *value) {
    return weir_string_get(foreign_of(value)->about);
}

const weir_value *weir_foreign_pieces(const weir_value *value, weir_error *error) {
    foreign_value *foreign = foreign_of(value);
    weir_value *known = atomic_load(&foreign->pieces), *made;
    if (known) return known;
    made = foreign->class->freeze(foreign->handle, error);
    if (!made) return NULL;
    weir_assert(weir_has_items(made));
    if (atomic_compare_exchange_strong(&foreign->pieces, &known, made)) return made;
    weir_value_unref(made); /* another thread was first */
    return known;
}

uint64_t weir_foreign_size(const weir_value *value) {
    const weir_value *pieces = atomic_load(&foreign_of(value)->pieces);
    uint64_t size = 0;
    for (size_t i = 0; pieces && i < weir_value_count(pieces); i++)
        size += weir_bytes_length(weir_array_at(pieces, i));
    return size;
}

bool weir__foreign_equal(const weir_value *a, const weir_value *b) {
    const foreign_value *x = foreign_of(a), *y = foreign_of(b);
    if (!weir_value_equal(x->form, y->form)) return false;
    if (x->class && x->class == y->class && x->handle == y->handle) return true;
    const weir_value *mine = weir_foreign_pieces(a, NULL), *other = weir_foreign_pieces(b, NULL);
    return mine && other && weir_value_equal(mine, other);
}

void weir__bytes_end(weir_value *value) {
    if (value->type == WEIR_BYTES) {
        const bytes_value *bytes = bytes_of(value);
        weir_segment_unref(atomic_load(&bytes->shared));
        if (bytes->release) bytes->release(bytes->arg);
        return;
    }
    const foreign_value *foreign = foreign_of(value);
    weir_value_unref(foreign->form);
    weir_value_unref(foreign->about);
    weir_value_unref(atomic_load(&foreign->pieces));
    if (foreign->class) foreign->class->release(foreign->handle);
}
