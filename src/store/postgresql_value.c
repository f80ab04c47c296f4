#include <endian.h>

#include "store/postgresql_connection.h"

/* PostgreSQL's binary forms (backend/utils/adt: int8send, array_send): numbers are big-endian. */

enum { HEAD_BYTES = 20, COUNT_AT = 12 }; /* of an array: dimensions, flags, type, count, first */

static void put_32(weir_buffer *out, uint32_t number) {
    number = htobe32(number);
    weir_buffer_append(out, &number, sizeof number);
}

static void put_64(weir_buffer *out, int64_t number) {
    uint64_t bits = htobe64((uint64_t)number);
    weir_buffer_append(out, &bits, sizeof bits);
}

static weir_buffer *add(weir__pg_parameters *p) {
    weir_assert(p->count < WEIR__PG_PARAMETERS_MAX);
    return &p->values[p->count++];
}

static void put_text(weir_buffer *out, weir_str text) {
    for (size_t at = 0, length; at < text.length; at += length ? length : 1) {
        weir_str rest = weir_str_slice(text, at, text.length);
        length = *rest.data ? weir_utf8_length(rest) : 0;
        weir_buffer_str_append(out,
                               length ? weir_str_slice(rest, 0, length) : WEIR_STR("\xef\xbf\xbd"));
    }
}

void weir__pg_add_number(weir__pg_parameters *p, int64_t number) {
    put_64(add(p), number);
}

void weir__pg_add_text(weir__pg_parameters *p, weir_str text) {
    put_text(add(p), text);
}

int weir__pg_add_array(weir__pg_parameters *p, weir__pg_type type) {
    weir_buffer *out = add(p);
    put_32(out, 1);
    put_32(out, 0);
    put_32(out, (uint32_t)type);
    put_32(out, 0);
    put_32(out, 1);
    return p->count - 1;
}

/* One more element; its length comes before it. */
static weir_buffer *grow(weir__pg_parameters *p, int at) {
    weir_buffer *array = &p->values[at];
    uint32_t count;
    weir_assert(array->length >= HEAD_BYTES);
    memcpy(&count, array->data + COUNT_AT, sizeof count);
    count = htobe32(be32toh(count) + 1);
    memcpy(array->data + COUNT_AT, &count, sizeof count);
    return array;
}

void weir__pg_push_number(weir__pg_parameters *p, int at, int64_t number) {
    weir_buffer *array = grow(p, at);
    put_32(array, sizeof number);
    put_64(array, number);
}

void weir__pg_push_bytes(weir__pg_parameters *p, int at, weir_str bytes) {
    weir_buffer *array = grow(p, at);
    put_32(array, (uint32_t)bytes.length);
    weir_buffer_str_append(array, bytes);
}

void weir__pg_push_text(weir__pg_parameters *p, int at, weir_str text) {
    weir_buffer sound = {0};
    put_text(&sound, text);
    weir__pg_push_bytes(p, at, weir_buffer_str(&sound));
    weir_buffer_deinit(&sound);
}

void weir__pg_parameters_deinit(weir__pg_parameters *p) {
    for (int i = 0; i < p->count; i++) weir_buffer_deinit(&p->values[i]);
    p->count = 0;
}

int64_t weir__pg_number(const weir__pg *c, const PGresult *result, int row, int column) {
    uint64_t bits = 0;
    weir_assert(c->server->q->getlength(result, row, column) == sizeof bits);
    memcpy(&bits, c->server->q->getvalue(result, row, column), sizeof bits);
    return (int64_t)be64toh(bits);
}

weir_str weir__pg_text(const weir__pg *c, const PGresult *result, int row, int column) {
    return (weir_str){c->server->q->getvalue(result, row, column),
                      (size_t)c->server->q->getlength(result, row, column)};
}
