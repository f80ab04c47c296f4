#include <stdint.h>

#include "expr/sprig.h"
#include "expr/unicode.h"

static bool take(x_machine *m, weir_buffer *text, x *out) {
    *out = weir__x_take(m, text);
    weir_buffer_deinit(text);
    return !m->failed;
}

/* Letters at the beginning of words; a word ends at what is no letter, digit, underscore or, of those beyond ASCII, mark. */
SPRIG(call_title) {
    (void)n;
    weir_buffer text = {0};
    uint32_t before = ' ';
    if (!weir__x_room(m, (size_t)a->length * 3)) return false;
    for (size_t at = 0, length; at < a->length; at += length) {
        uint32_t c = weir__unicode_decode(weir_str_slice(x_text(a), at, a->length), &length);
        bool word = before == '_' || weir__unicode_is_letter(before) ||
                    weir__unicode_is_digit(before) ||
                    (before >= 0x80 && !weir__unicode_is_space(before)) || before == '\'';
        if (before == '\'') word = false;
        weir__unicode_append(&text, word ? c : weir__unicode_title(c));
        before = c;
    }
    return take(m, &text, out);
}

SPRIG(call_untitle) {
    (void)n;
    weir_buffer text = {0};
    bool begins = true;
    for (size_t at = 0, length; at < a->length; at += length) {
        uint32_t c = weir__unicode_decode(weir_str_slice(x_text(a), at, a->length), &length);
        bool space = weir__unicode_is_space(c);
        weir__unicode_append(&text, begins && !space ? weir__unicode_lower(c) : c);
        begins = space;
    }
    return take(m, &text, out);
}

/* Here and in `initials` each byte is a character, as the original has it. */
SPRIG(call_nospace) {
    (void)n;
    weir_buffer text = {0};
    size_t kept = 0;
    for (size_t at = 0; at < a->length; at++) {
        uint32_t c = (unsigned char)a->text[at];
        if (weir__unicode_is_space(c)) continue;
        weir__unicode_append(&text, c);
        kept++;
    }
    if (kept == a->length) { /* nothing goes, nothing changes */
        weir_buffer_deinit(&text);
        *out = *a;
        return true;
    }
    return take(m, &text, out);
}

SPRIG(call_initials) {
    (void)n;
    weir_buffer text = {0};
    bool begins = true;
    for (size_t at = 0; at < a->length; at++) {
        uint32_t c = (unsigned char)a->text[at];
        bool space = weir__unicode_is_space(c);
        if (begins && !space) weir__unicode_append(&text, c);
        begins = space;
    }
    return take(m, &text, out);
}

SPRIG(call_swapcase) {
    (void)n;
    weir_buffer text = {0};
    bool begins = true;
    for (size_t at = 0, length; at < a->length; at += length) {
        uint32_t c = weir__unicode_decode(weir_str_slice(x_text(a), at, a->length), &length);
        if (weir__unicode_is_upper(c) ||
            (weir__unicode_category(c)[0] == 'L' && weir__unicode_category(c)[1] == 't')) {
            c = weir__unicode_lower(c);
            begins = false;
        } else if (weir__unicode_is_lower(c)) {
            c = begins ? weir__unicode_title(c) : weir__unicode_upper(c);
            begins = false;
        } else {
            begins = weir__unicode_is_space(c);
        }
        weir__unicode_append(&text, c);
    }
    return take(m, &text, out);
}

static bool is_connector(uint32_t c) {
    return c == '-' || c == '_' || weir__unicode_is_space(c);
}

SPRIG(call_camelcase) {
    (void)n;
    weir_buffer text = {0};
    weir_str rest = x_text(a);
    uint32_t before = 0, c = 0;
    size_t length = 0, at = 0;
    bool first_upper = false, any = false;
    for (; at < rest.length && !any; at += length) {
        c = weir__unicode_decode(weir_str_slice(rest, at, rest.length), &length);
        any = !is_connector(c);
        if (any) {
            first_upper = weir__unicode_is_upper(c);
            c = weir__unicode_upper(c);
        } else {
            weir__unicode_append(&text, c);
        }
    }
    if (at >= rest.length && rest.length > 0) weir__unicode_append(&text, c);
    bool more = at < rest.length;
    for (; at < rest.length; at += length) {
        before = c;
        c = weir__unicode_decode(weir_str_slice(rest, at, rest.length), &length);
        if (is_connector(c) && is_connector(before)) {
            weir__unicode_append(&text, before);
            continue;
        }
        if (is_connector(before)) {
            first_upper = weir__unicode_is_upper(c);
            c = weir__unicode_upper(c);
        } else {
            if (first_upper) {
                if (weir__unicode_is_upper(c))
                    c = weir__unicode_lower(c);
                else
                    first_upper = false;
            }
            weir__unicode_append(&text, before);
        }
    }
    if (more) weir__unicode_append(&text, c);
    return take(m, &text, out);
}

/* --- snake_case and kebab-case: a text is a row of words, some of which get a connector in between */

typedef enum word_kind {
    W_NONE,
    W_NUMBER,
    W_UPPER,
    W_LETTERS,
    W_CONNECTOR,
    W_MARKS,
    W_OTHER
} word_kind;

typedef struct splitter {
    weir_str rest, word;
    word_kind kind; /* of `word`; W_NONE: there was no more */
    weir_buffer text;
    char connector;
} splitter;

static word_kind kind_of(uint32_t c) {
    const char *category = weir__unicode_category(c);
    if (is_connector(c)) return W_CONNECTOR;
    if (category[0] == 'P') return W_MARKS;
    if (weir__unicode_is_upper(c)) return W_UPPER;
    if (category[0] == 'L') return W_LETTERS;
    return category[0] == 'N' ? W_NUMBER : W_OTHER;
}

/* How many bytes at the beginning are of these two kinds. */
static size_t run_of(weir_str text, word_kind kind) {
    size_t at = 0, length;
    for (; at < text.length; at += length)
        if (kind_of(weir__unicode_decode(weir_str_slice(text, at, text.length), &length)) != kind)
            break;
    return at;
}

/* Large letters are a word up to the last, which begins the next one when small letters follow. */
static size_t upper_length(weir_str text) {
    size_t length = run_of(text, W_UPPER), last, first;
    weir_str rest = weir_str_slice(text, length, text.length);
    weir__unicode_decode(text, &first);
    if (first == length) return length + run_of(rest, W_LETTERS);
    weir__unicode_decode_last(weir_str_slice(text, 0, length), &last);
    return rest.length > 0 && run_of(rest, W_LETTERS) > 0 ? length - last : length;
}

static void next_word(splitter *s) {
    size_t length = 0;
    s->kind = W_NONE;
    if (s->rest.length > 0) {
        s->kind = kind_of(weir__unicode_decode(s->rest, &length));
        length = s->kind == W_UPPER ? upper_length(s->rest) : run_of(s->rest, s->kind);
    }
    s->word = weir_str_slice(s->rest, 0, length);
    s->rest = weir_str_slice(s->rest, length, s->rest.length);
}

static void put_word(splitter *s, word_kind kind, weir_str word) {
    bool changes = kind == W_UPPER || kind == W_CONNECTOR;
    for (size_t at = 0, length; at < word.length; at += length) {
        uint32_t c = weir__unicode_decode(weir_str_slice(word, at, word.length), &length);
        weir__unicode_append(&s->text, !changes          ? c
                                       : is_connector(c) ? (uint32_t)s->connector
                                                         : weir__unicode_lower(c));
    }
}

/* A connector, unless the next word is one, or marks, or there is none. */
static void put_connector(splitter *s, bool at_end) {
    if (s->kind != W_CONNECTOR && s->kind != W_MARKS && (at_end || s->kind != W_NONE))
        weir_buffer_byte(&s->text, s->connector);
}

/* Words that belong to the number before them. */
static void put_tail(splitter *s) {
    for (; s->kind == W_LETTERS || s->kind == W_NUMBER; next_word(s)) put_word(s, s->kind, s->word);
    put_connector(s, false);
}

/* A number behind letters belongs to them, unless small letters follow. */
static void put_number(splitter *s) {
    weir_str number = s->word;
    if (s->rest.length == 0) return;
    next_word(s);
    if (s->kind == W_LETTERS) {
        weir_buffer_byte(&s->text, s->connector);
        put_word(s, W_NUMBER, number);
        put_tail(s);
    } else {
        put_word(s, W_NUMBER, number);
        put_connector(s, true);
    }
}

static bool join_words(x_machine *m, const x *a, char connector, x *out) {
    splitter s = {.rest = x_text(a), .connector = connector};
    if (!weir__x_room(m, (size_t)a->length * 4)) return false;
    next_word(&s);
    while (s.rest.length > 0) {
        word_kind before = s.kind;
        weir_str word = s.word;
        if (before != W_CONNECTOR) put_word(&s, before, word);
        next_word(&s);
        if (before == W_NUMBER)
            put_tail(&s);
        else if (before == W_CONNECTOR)
            put_word(&s, before, word);
        else if (before != W_MARKS && s.kind == W_NUMBER)
            put_number(&s);
        else if (before != W_MARKS)
            put_connector(&s, true);
    }
    put_word(&s, s.kind, s.word);
    return take(m, &s.text, out);
}

SPRIG(call_snakecase) {
    (void)n;
    return join_words(m, a, '_', out);
}

SPRIG(call_kebabcase) {
    (void)n;
    return join_words(m, a, '-', out);
}

static bool wrap(x_machine *m, weir_str text, int64_t width, weir_str mark, bool long_words,
                 x *out) {
    weir_buffer lines = {0};
    size_t offset = 0, most = width < 1 ? 1 : (size_t)width;
    if (mark.length == 0) mark = WEIR_STR("\n");
    while (text.length - offset > most && weir__x_room(m, lines.length + mark.length)) {
        if (text.data[offset] == ' ') {
            offset++;
            continue;
        }
        size_t end = offset + most + 1, space = end;
        while (space > offset && text.data[space - 1] != ' ') space--;
        if (space > offset) {
            weir_buffer_str_append(&lines, weir_str_slice(text, offset, space - 1));
            offset = space;
        } else if (long_words) {
            weir_buffer_str_append(&lines, weir_str_slice(text, offset, offset + most));
            offset += most;
        } else {
            size_t next = weir_str_find(text, WEIR_STR(" "), offset + most);
            weir_buffer_str_append(&lines, weir_str_slice(text, offset, next));
            offset = next == SIZE_MAX ? text.length : next + 1;
            if (next == SIZE_MAX) break;
        }
        weir_buffer_str_append(&lines, mark);
    }
    weir_buffer_str_append(&lines, weir_str_slice(text, offset, text.length));
    return take(m, &lines, out);
}

SPRIG(call_wrap) {
    (void)n;
    return wrap(m, x_text(&a[1]), a->integer, WEIR_STR("\n"), false, out);
}

SPRIG(call_wrap_with) {
    (void)n;
    return wrap(m, x_text(&a[2]), a->integer, x_text(&a[1]), true, out);
}

const x_function weir__sprig_words[] = {{"title", "@s:s", call_title},
                                        {"untitle", "@s:s", call_untitle},
                                        {"nospace", "@s:s", call_nospace},
                                        {"initials", "@s:s", call_initials},
                                        {"swapcase", "@s:s", call_swapcase},
                                        {"camelcase", "@s:s", call_camelcase},
                                        {"snakecase", "@s:s", call_snakecase},
                                        {"kebabcase", "@s:s", call_kebabcase},
                                        {"wrap", "@js:s", call_wrap},
                                        {"wrapWith", "@jss:s", call_wrap_with},
                                        {0}};
