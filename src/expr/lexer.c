#include <stdint.h>

#include "expr/expr_internal.h"
#include "expr/unicode.h"

typedef struct lexer {
    weir_str text;
    size_t at, start;
    weir_arena *arena;
    weir_error *error;
    WEIR_VECTOR(x_token) tokens;
} lexer;

/* Messages quote texts that may be cut, or no UTF-8 at all. */
static void clean(char *message) {
    for (size_t n; *message; message += n) {
        n = weir_utf8_length((weir_str){message, strnlen(message, 4)});
        if (n > 0) continue;
        *message = '?';
        n = 1;
    }
}

void weir__x_place(weir_str text, size_t at, weir_error *error) {
    uint32_t line = 1, column = 1;
    for (size_t i = 0; i < at && i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c == '\n') {
            line++;
            column = 1;
        } else if ((c & 0xc0) != 0x80) {
            column++;
        }
    }
    if (!error) return;
    weir_error_place(error, WEIR_STR(""), line, column);
    clean(error->message);
}

static bool fail(lexer *l, size_t at, const char *problem) {
    weir_fail(l->error, WEIR_SYNTAX, "%s", problem);
    weir__x_place(l->text, at, l->error);
    return false;
}

static char peek(const lexer *l) {
    return l->at < l->text.length ? l->text.data[l->at] : '\0';
}

static bool accept(lexer *l, const char *any) {
    char c = peek(l);
    if (!c || !strchr(any, c)) return false;
    l->at++;
    return true;
}

/* The character at this place, and its bytes; 0 at the end. */
static uint32_t character(const lexer *l, size_t *length) {
    *length = 0;
    if (l->at >= l->text.length) return 0;
    return weir__unicode_decode(weir_str_slice(l->text, l->at, l->text.length), length);
}

static bool is_word(uint32_t c) {
    return c == '_' || c == '$' || weir__unicode_is_letter(c) || weir__unicode_is_digit(c);
}

static bool word_next(const lexer *l) {
    size_t n;
    uint32_t c = character(l, &n);
    return n > 0 && is_word(c);
}

static void skip_word(lexer *l) {
    size_t n;
    for (uint32_t c = character(l, &n); n > 0 && is_word(c); c = character(l, &n)) l->at += n;
}

bool weir__x_word(weir_str text) {
    lexer l = {.text = text};
    size_t n;
    uint32_t first = character(&l, &n);
    if (n == 0 || weir__unicode_is_digit(first)) return false;
    skip_word(&l);
    return l.at == text.length;
}

static void emit_text(lexer *l, x_token_kind kind, weir_str text) {
    *weir_vector_push(&l->tokens) = (x_token){
        .kind = (uint8_t)kind, .at = (uint32_t)l->start, .end = (uint32_t)l->at, .text = text};
}

static void emit(lexer *l, x_token_kind kind) {
    emit_text(l, kind, weir_str_slice(l->text, l->start, l->at));
}

static int digit_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return 99;
}

/* Exactly `count` digits of the base. */
static bool digits(lexer *l, int base, int count, uint32_t *out) {
    *out = 0;
    for (; count > 0; count--, l->at++) {
        int value = digit_value(peek(l));
        if (value >= base) return fail(l, l->at, "an invalid escape in a text");
        *out = *out * (uint32_t)base + (uint32_t)value;
    }
    return true;
}

static bool braced_digits(lexer *l, uint32_t *out) {
    int count = 0;
    for (*out = 0; digit_value(peek(l)) < 16 && count < 7; count++, l->at++)
        *out = *out * 16 + (uint32_t)digit_value(peek(l));
    if (count == 0 || count > 6 || !accept(l, "}"))
        return fail(l, l->at, "an invalid escape in a text");
    return true;
}

/* Behind a backslash. `bytes`: of a literal of bytes, whose escapes are bytes and not characters. */
static bool escape(lexer *l, char quote, bool bytes, weir_buffer *out) {
    static const char letters[] = "abfnrtv\\", meanings[] = "\a\b\f\n\r\t\v\\";
    char c = peek(l);
    uint32_t code;
    const char *letter = c ? strchr(letters, c) : NULL;
    if (letter || c == quote) {
        weir_buffer_byte(out, letter ? meanings[letter - letters] : quote);
        l->at++;
        return true;
    }
    bool byte = (c >= '0' && c <= '7') || c == 'x';
    if (c >= '0' && c <= '3') {
        if (!digits(l, 8, 3, &code)) return false;
    } else if (c == 'x' || (!bytes && (c == 'u' || c == 'U'))) {
        l->at++;
        bool ok = c == 'u' && accept(l, "{") ? braced_digits(l, &code)
                                             : digits(l, 16,
                                                      c == 'x'   ? 2
                                                      : c == 'u' ? 4
                                                                 : 8,
                                                      &code);
        if (!ok) return false;
    } else {
        return fail(l, l->at, "an invalid escape in a text");
    }
    if (code > 0x10ffff || (!byte && code >= 0xd800 && code < 0xe000))
        return fail(l, l->at - 1, "an escape that is no character");
    if (bytes)
        weir_buffer_byte(out, (char)code);
    else
        weir__unicode_append(out, code);
    return true;
}

static bool quoted(lexer *l, char quote, x_token_kind kind) {
    weir_buffer out = {0};
    bool ok = true;
    while (ok && peek(l) != quote) {
        if (l->at >= l->text.length || peek(l) == '\n') {
            ok = fail(l, l->start, "a text without end");
        } else if (peek(l) == '\\') {
            l->at++;
            ok = escape(l, quote, kind == T_BYTES, &out);
        } else {
            weir_buffer_byte(&out, l->text.data[l->at++]);
        }
    }
    if (ok) {
        l->at++;
        emit_text(l, kind, (weir_str){weir_str_copy(l->arena, weir_buffer_str(&out)), out.length});
    }
    weir_buffer_deinit(&out);
    return ok;
}

/* Between backticks; two of them are one. */
static bool raw(lexer *l) {
    weir_buffer out = {0};
    for (;; weir_buffer_byte(&out, l->text.data[l->at++])) {
        if (l->at >= l->text.length) {
            weir_buffer_deinit(&out);
            return fail(l, l->start, "a text without end");
        }
        if (peek(l) != '`') continue;
        l->at++;
        if (peek(l) != '`') break;
    }
    emit_text(l, T_STRING, (weir_str){weir_str_copy(l->arena, weir_buffer_str(&out)), out.length});
    weir_buffer_deinit(&out);
    return true;
}

static void run_of(lexer *l, const char *any) {
    while (accept(l, any)) continue;
}

static bool number(lexer *l) {
    const char *any = "0123456789_";
    if (accept(l, "0")) {
        if (accept(l, "xX"))
            any = "0123456789abcdefABCDEF_";
        else if (accept(l, "oO"))
            any = "01234567_";
        else if (accept(l, "bB"))
            any = "01_";
    }
    run_of(l, any);
    size_t end = l->at;
    if (accept(l, ".")) {
        if (peek(l) == '.') { /* of a range */
            l->at = end;
            emit(l, T_NUMBER);
            return true;
        }
        run_of(l, any);
    }
    if (accept(l, "eE")) {
        accept(l, "+-");
        run_of(l, any);
    }
    if (word_next(l)) return fail(l, l->start, "a number that ends in letters");
    emit(l, T_NUMBER);
    return true;
}

static void word(lexer *l) {
    static const char *const operators[] = {"in",       "or",         "and",      "matches",
                                            "contains", "startsWith", "endsWith", "let",
                                            "not",      "if",         "else"};
    skip_word(l);
    weir_str text = weir_str_slice(l->text, l->start, l->at);
    bool is_operator = false;
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        is_operator = is_operator || weir_str_is(text, operators[i]);
    emit_text(l, is_operator ? T_OP : T_NAME, text);
}

static bool comment(lexer *l, bool block) {
    const char *end = block ? "*/" : "\n";
    size_t at = weir_str_find(l->text, weir_str_from(end), l->at);
    if (at == SIZE_MAX && block) return fail(l, l->start, "a comment without end");
    l->at = at == SIZE_MAX ? l->text.length : at + strlen(end);
    return true;
}

static bool symbol(lexer *l, uint32_t c, size_t length) {
    l->at += length;
    const char *second = NULL;
    if (c == '/') {
        if (accept(l, "/")) return comment(l, false);
        if (accept(l, "*")) return comment(l, true);
        second = "";
    } else if (c == '?') {
        second = ".?";
    } else if (c == '|' || c == ':' || c == '.') {
        second = c == '|' ? "|" : c == ':' ? ":" : ".";
    } else if (c < 0x80 && strchr("&!=*<>", (int)c)) {
        second = "&=*";
    } else if (c < 0x80 && strchr(",;%+-^", (int)c)) {
        second = "";
    } else if (c == '#') {
        accept(l, "#");
        emit(l, T_OP);
        l->start = l->at;
        skip_word(l);
        if (l->at > l->start) emit(l, T_NAME);
        return true;
    } else if (c < 0x80 && strchr("([{)]}", (int)c)) {
        emit(l, T_BRACKET);
        return true;
    }
    if (!second) return fail(l, l->start, "a character that means nothing here");
    accept(l, second);
    emit(l, T_OP);
    return true;
}

static bool lex_one(lexer *l) {
    size_t n;
    uint32_t c = character(l, &n);
    l->start = l->at;
    if (c == '\'' || c == '"' || c == '`') {
        l->at++;
        return c == '`' ? raw(l) : quoted(l, (char)c, T_STRING);
    }
    if (c == 'b' || c == 'B') {
        char quote = l->at + 1 < l->text.length ? l->text.data[l->at + 1] : '\0';
        if (quote == '\'' || quote == '"') {
            l->at += 2;
            return quoted(l, quote, T_BYTES);
        }
    }
    bool dotted = c == '.' && l->at + 1 < l->text.length && l->text.data[l->at + 1] >= '0' &&
                  l->text.data[l->at + 1] <= '9';
    if ((c >= '0' && c <= '9') || dotted) return number(l);
    if (is_word(c)) {
        word(l);
        return true;
    }
    if (weir__unicode_is_space(c)) {
        l->at += n;
        return true;
    }
    return symbol(l, c, n);
}

x_token *weir__x_lex(weir_arena *arena, weir_str text, weir_error *error) {
    lexer l = {.text = text, .arena = arena, .error = error};
    bool ok = true;
    while (ok && l.at < text.length) ok = lex_one(&l);
    x_token *tokens = NULL;
    if (ok) {
        l.start = l.at;
        emit_text(&l, T_EOF, WEIR_STR(""));
        tokens = weir_arena_alloc(arena, l.tokens.count * sizeof *tokens);
        memcpy(tokens, l.tokens.items, l.tokens.count * sizeof *tokens);
    }
    weir_vector_deinit(&l.tokens);
    return tokens;
}
