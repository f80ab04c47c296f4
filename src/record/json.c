/* DFFML's files of records, {TAG: {KEY: {features: {…}, …}}}, a record at a time. */
#include "record/record_internal.h"

enum { PASSED_BYTES = 64 * 1024 };

typedef struct json_reader {
    weir_record_reader base;
    FILE *file;
    const weir_record_place *place;
    uint32_t line;
    weir_buffer text; /* of what was last read */
    bool passes;      /* what is read is passed on to `copy`, or nowhere, and may be of any size */
    FILE *copy;
    bool inside; /* the tag: its records follow */
    bool over;
} json_reader;

static bool wrong(json_reader *r, weir_error *error, const char *what) {
    return weir__record_wrong(r->place, r->line, error, "%s", what);
}

static const char form[] = "this is no file of records: {TAG: {KEY: {\"features\": {…}}}}";

/* The next character that is no blank; EOF at the end. */
static int skip_blanks(json_reader *r) {
    int c;
    while ((c = getc_unlocked(r->file)) == ' ' || c == '\n' || c == '\t' || c == '\r')
        if (c == '\n') r->line++;
    return c;
}

/* Hands on what is passed; else there is a limit. */
static bool make_room(json_reader *r, size_t most, weir_error *error) {
    if (r->text.length < most) return true;
    if (!r->passes) return wrong(r, error, "a record, or a text, has more than 64 MiB");
    bool ok = !r->copy || fwrite(r->text.data, 1, r->text.length, r->copy) == r->text.length;
    weir_buffer_clear(&r->text);
    return ok || weir__record_failed(r->place->shown, "written", error);
}

static size_t limit_of(const json_reader *r) {
    return r->passes ? PASSED_BYTES : WEIR_RECORD_BYTES_MAX;
}

/* Behind the opening quote, to behind the closing one; the text has both. */
static bool take_string(json_reader *r, weir_error *error) {
    int c;
    size_t most = limit_of(r);
    weir_buffer_byte(&r->text, '"');
    while ((c = getc_unlocked(r->file)) != EOF && c != '\n') {
        weir_buffer_byte(&r->text, (char)c);
        if (c == '"') return true;
        if (c == '\\' && (c = getc_unlocked(r->file)) != EOF) weir_buffer_byte(&r->text, (char)c);
        if (!make_room(r, most, error)) return false;
    }
    return wrong(r, error, "a text is not closed");
}

/* A whole value that begins with `c`, as it is written. What it means the parser says. */
static bool take_value(json_reader *r, int c, weir_error *error) {
    size_t depth = 0, most = limit_of(r);
    bool any = false;
    weir_buffer_clear(&r->text);
    for (;; c = getc_unlocked(r->file), any = true) {
        if (c == EOF) return wrong(r, error, "the file ends within a value");
        if (c == '\n') r->line++;
        if (depth == 0 && (c == ',' || c == '}' || c == ']')) {
            ungetc(c, r->file);
            return any || wrong(r, error, "a value is missing");
        }
        if (!make_room(r, most, error)) return false;
        if (c == '"') {
            if (!take_string(r, error)) return false;
            continue;
        }
        depth += c == '{' || c == '[';
        depth -= c == '}' || c == ']';
        weir_buffer_byte(&r->text, (char)c);
    }
}

/* The same of a value of any size, which goes to the file as it is; NULL: nowhere. */
static bool pass_value(json_reader *r, int c, FILE *copy, weir_error *error) {
    r->passes = true;
    r->copy = copy;
    bool ok = take_value(r, c, error);
    if (ok && copy && fwrite(r->text.data, 1, r->text.length, copy) != r->text.length)
        ok = weir__record_failed(r->place->shown, "written", error);
    r->passes = false;
    return ok;
}

/* A key and the colon behind it; `c` is its quote. */
static bool take_key(json_reader *r, int c, weir_value **key, weir_error *error) {
    weir_buffer_clear(&r->text);
    if (c != '"') return wrong(r, error, form);
    if (!take_string(r, error)) return false;
    if (skip_blanks(r) != ':') return wrong(r, error, "there is no `:` behind a key");
    if (weir_json_parse(weir_buffer_str(&r->text), weir_str_from(r->place->shown), key, error))
        return true;
    error->line = r->line;
    return false;
}

/* The next key of an object that has begun; *key NULL: it ended. */
static bool next_key(json_reader *r, bool first, weir_value **key, weir_error *error) {
    int c = skip_blanks(r);
    *key = NULL;
    if (c == '}') return true;
    if (!first && c != ',') return wrong(r, error, "there is no `,` or `}` behind a value");
    if (!first) c = skip_blanks(r);
    return take_key(r, c, key, error);
}

/* Behind `{` of the file: to behind `{` of the tag, whose other tags are passed over. */
static bool find_tag(json_reader *r, weir_error *error) {
    int c = skip_blanks(r);
    if (c == EOF) { /* an empty file has no records */
        r->over = true;
        return true;
    }
    if (c != '{') return wrong(r, error, form);
    for (bool first = true;; first = false) {
        weir_value *key;
        if (!next_key(r, first, &key, error)) return false;
        r->over = !key;
        if (!key) return true;
        bool found = weir_str_is(weir_string_get(key), r->place->tag);
        weir_value_unref(key);
        c = skip_blanks(r);
        if (c != '{') return wrong(r, error, form);
        if (found) return true;
        if (!pass_value(r, c, NULL, error)) return false;
    }
}

static bool parse_record(json_reader *r, weir_value *key, weir_value **record, weir_error *error) {
    uint32_t from = r->base.line;
    weir_value *value;
    if (!weir_json_parse(weir_buffer_str(&r->text), weir_str_from(r->place->shown), &value,
                         error)) {
        error->line += from - 1;
        return false;
    }
    const weir_value *features = weir_member_named(value, "features");
    if (!weir_is(value, WEIR_OBJECT) || (features && !weir_is(features, WEIR_OBJECT))) {
        weir_value_unref(value);
        return weir__record_wrong(r->place, from, error, "record `%.*s` is no map with features",
                                  WEIR_ARG(weir_string_get(key)));
    }
    value = weir_value_own(value);
    weir_member_put(value, "key", weir_value_ref(key));
    if (!features) weir_member_put(value, "features", weir_object_new());
    *record = value;
    return true;
}

static bool next(weir_record_reader *base, weir_value **record, weir_error *error) {
    json_reader *r = (json_reader *)base;
    weir_value *key;
    *record = NULL;
    if (r->over) return true;
    if (!next_key(r, !r->inside, &key, error)) return false;
    r->inside = true;
    r->over = !key;
    if (!key) return !ferror(r->file) || weir__record_failed(r->place->shown, "read", error);
    int c = skip_blanks(r);
    base->line = r->line;
    bool ok = take_value(r, c, error) && parse_record(r, key, record, error);
    weir_value_unref(key);
    return ok;
}

static void close_reader(weir_record_reader *base) {
    json_reader *r = (json_reader *)base;
    fclose(r->file);
    weir_buffer_deinit(&r->text);
}

bool weir__record_json_open(const weir_record_place *place, FILE *file, weir_record_reader **out,
                            weir_error *error) {
    json_reader *r = weir_alloc(sizeof *r);
    r->base.next = next;
    r->base.close = close_reader;
    r->file = file;
    r->place = place;
    r->line = 1;
    if (!find_tag(r, error)) {
        weir_record_reader_close(&r->base);
        return false;
    }
    *out = &r->base;
    return true;
}

/* --- writing -------------------------------------------------------------------------------------- */

static bool put(const weir_record_place *place, weir_buffer *text, FILE *file, weir_error *error) {
    bool ok = fwrite(text->data, 1, text->length, file) == text->length;
    weir_buffer_clear(text);
    return ok || weir__record_failed(place->shown, "written", error);
}

static void add_text(weir_buffer *out, const char *before, weir_str text) {
    weir_value *value = weir_string_from(text);
    weir_buffer_text(out, before);
    weir_json_format(value, 0, out);
    weir_value_unref(value);
}

/* The record with its new features. */
static void add_record(weir_buffer *out, const weir_value *record, const weir_value *changed,
                       bool first) {
    add_text(out, first ? "\n    " : ",\n    ", weir_member_text(record, "key"));
    weir_buffer_text(out, ": ");
    weir_value *whole = weir_value_own(weir_value_ref((weir_value *)record));
    if (changed) {
        weir_value *features = weir__record_stored(record, changed, true);
        weir_member_put(whole, "features", features);
    }
    weir_json_format(whole, 0, out);
    weir_value_unref(whole);
}

static bool write_records(const weir_record_place *place, weir_record_spool *spool, FILE *file,
                          bool first_tag, weir_error *error) {
    weir_buffer text = {0};
    weir_value *record = NULL, *changed = NULL;
    add_text(&text, first_tag ? "\n  " : ",\n  ", weir_str_from(place->tag));
    weir_buffer_text(&text, ": {");
    bool ok = true, first = true;
    while (ok && (ok = weir_record_spool_next(spool, &record, &changed, error)) && record) {
        add_record(&text, record, changed, first);
        first = false;
        ok = put(place, &text, file, error);
        weir_value_unref(record);
        weir_value_unref(changed);
    }
    weir_buffer_text(&text, first ? "}" : "\n  }");
    ok = ok && put(place, &text, file, error);
    weir_buffer_deinit(&text);
    return ok;
}

/* Copies the tag that has begun, or puts the records there. */
static bool write_tag(json_reader *old, weir_str tag, weir_record_spool *spool, FILE *file,
                      bool first, bool *done, weir_error *error) {
    int c = skip_blanks(old);
    if (weir_str_is(tag, old->place->tag)) {
        *done = true;
        return pass_value(old, c, NULL, error) &&
               write_records(old->place, spool, file, first, error);
    }
    weir_buffer text = {0};
    add_text(&text, first ? "\n  " : ",\n  ", tag);
    weir_buffer_text(&text, ": ");
    bool ok = put(old->place, &text, file, error) && pass_value(old, c, file, error);
    weir_buffer_deinit(&text);
    return ok;
}

/* The old file's tags in their order, the records in the place of theirs or behind them. */
static bool write_tags(json_reader *old, weir_record_spool *spool, FILE *file, bool *first,
                       bool *done, weir_error *error) {
    int c = skip_blanks(old);
    if (c == EOF) return true;
    if (c != '{') return wrong(old, error, form);
    for (;; *first = false) {
        weir_value *key;
        if (!next_key(old, *first, &key, error)) return false;
        if (!key) return true;
        bool ok = write_tag(old, weir_string_get(key), spool, file, *first, done, error);
        weir_value_unref(key);
        if (!ok) return false;
    }
}

bool weir__record_json_write(const weir_record_place *place, weir_record_spool *spool, FILE *file,
                             weir_error *error) {
    json_reader old = {.place = place, .file = fopen(place->path, "re"), .line = 1};
    bool first = true, done = false;
    bool ok = putc('{', file) != EOF || weir__record_failed(place->shown, "written", error);
    if (ok && old.file) ok = write_tags(&old, spool, file, &first, &done, error);
    if (ok && !done) ok = write_records(place, spool, file, first, error);
    if (ok && fputs("\n}\n", file) == EOF) ok = weir__record_failed(place->shown, "written", error);
    if (old.file) fclose(old.file);
    weir_buffer_deinit(&old.text);
    return ok;
}
