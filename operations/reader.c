#include "reader.h"

#include <ctype.h>
#include <string.h>

bool weir__reader_fail(weir__reader *r, const char *problem) {
    size_t line = 1, begin = 0;
    for (size_t i = 0; i < r->at && i < r->text.length; i++) {
        if (r->text.data[i] != '\n') continue;
        line++;
        begin = i + 1;
    }
    size_t end = r->at < r->text.length ? r->at : r->text.length;
    size_t column = weir__characters(weir__part(r->text, begin, end)) + 1;
    return r->host->fail(r->call, "invalid", "`%s`, line %zu, column %zu: %s", r->name, line,
                         column, problem);
}

bool weir__reader_accept(weir__reader *r, const char *text) {
    size_t length = strlen(text);
    if (r->text.length - r->at < length || memcmp(r->text.data + r->at, text, length) != 0)
        return false;
    r->at += length;
    return true;
}

bool weir__reader_count(weir__reader *r) {
    if (r->count++ < ITEMS_MAX) return true;
    return r->host->fail(r->call, "limit_exceeded", "`%s` has more than %d values", r->name,
                         ITEMS_MAX);
}

bool weir__reader_enter(weir__reader *r) {
    if (r->depth++ < DEPTH_MAX) return true;
    return r->host->fail(r->call, "limit_exceeded", "`%s` is nested deeper than %d levels", r->name,
                         DEPTH_MAX);
}

uint32_t weir__reader_hex(weir__reader *r, int digits) {
    uint32_t number = 0;
    for (; digits > 0; digits--, r->at++) {
        int c = tolower((unsigned char)weir__peek(r));
        if (!isxdigit(c)) return UINT32_MAX;
        number = number * 16 + (uint32_t)(isdigit(c) ? c - '0' : c - 'a' + 10);
    }
    return number;
}

bool weir__reader_character(weir__reader *r, uint32_t c, weir__text *out) {
    if (c == 0) return weir__reader_fail(r, "a NUL is not allowed in a string");
    if (c > 0x10ffff) return weir__reader_fail(r, "this escape names no character");
    if (c >= 0xd800 && c < 0xe000) return weir__reader_fail(r, "a surrogate is no character");
    weir__text_character(out, c);
    return true;
}
