/* JSON (RFC 8259), to and from text. */
#include <ctype.h>
#include <string.h>

#include "number.h"
#include "operations.h"
#include "parameter.h"
#include "reader.h"

static void skip_blanks(weir__reader *r) {
    while (r->at < r->text.length && weir__is_one_of(r->text.data[r->at], " \t\n\r")) r->at++;
}

static weir_value *read_value(weir__reader *r);

static bool read_escape(weir__reader *r, weir__text *out) {
    static const char escapes[] = "b\bf\fn\nr\rt\t//\\\\\"\"";
    char c = weir__peek(r);
    for (size_t i = 0; escapes[i] && c != 'u'; i += 2) {
        if (escapes[i] != c) continue;
        weir__text_byte(out, escapes[i + 1]);
        r->at++;
        return true;
    }
    if (c != 'u') return weir__reader_fail(r, "this escape means nothing");
    r->at++;
    uint32_t unit = weir__reader_hex(r, 4);
    if (unit == UINT32_MAX) return weir__reader_fail(r, "\\u needs four hexadecimal digits");
    if ((unit & 0xfc00) == 0xd800 && weir__reader_accept(r, "\\u")) {
        uint32_t low = weir__reader_hex(r, 4);
        if ((low & ~0x3ffu) == 0xdc00) unit = 0x10000 + ((unit & 0x3ff) << 10) + (low & 0x3ff);
    }
    return weir__reader_character(r, unit, out);
}

/* Behind the quote. */
static bool read_string(weir__reader *r, weir__text *out) {
    while (!weir__reader_accept(r, "\"")) {
        if (r->at >= r->text.length) return weir__reader_fail(r, "the string has no end");
        size_t from = r->at;
        for (; r->at < r->text.length; r->at++) {
            unsigned char c = (unsigned char)r->text.data[r->at];
            if (c == '"' || c == '\\') break;
            if (c < 0x20)
                return weir__reader_fail(r, "a control character must be escaped in a string");
        }
        weir__text_add(out, weir__part(r->text, from, r->at));
        if (weir__reader_accept(r, "\\") && !read_escape(r, out)) return false;
    }
    return true;
}

static weir_value *new_string(weir__reader *r) {
    weir__text text = {r->host, r->call};
    r->at++;
    return read_string(r, &text) ? weir__text_take(&text) : NULL;
}

/* NULL, after ending `made`. */
static weir_value *give_up(weir__reader *r, weir_value *made, const char *problem) {
    if (problem) weir__reader_fail(r, problem);
    r->host->value_unref(made);
    return NULL;
}

static bool read_member(weir__reader *r, weir_value *object) {
    if (weir__peek(r) != '"') return weir__reader_fail(r, "a name in quotes should stand here");
    weir__text name = {r->host, r->call};
    r->at++;
    if (!read_string(r, &name)) return false;
    skip_blanks(r);
    if (!weir__reader_accept(r, ":")) return weir__reader_fail(r, "a : should stand here");
    weir_value *value = read_value(r);
    if (!value) return false;
    weir_str text = weir__text_str(&name);
    r->host->object_set(object, text.data, text.length, value);
    return true;
}

static bool read_item(weir__reader *r, weir_value *array) {
    weir_value *item = read_value(r);
    if (item) r->host->array_append(array, item);
    return item != NULL;
}

static weir_value *read_members(weir__reader *r, bool object) {
    if (!weir__reader_enter(r)) return NULL;
    const char *end = object ? "}" : "]";
    weir_value *made = object ? r->host->object_new() : r->host->array_new();
    r->at++;
    skip_blanks(r);
    if (!weir__reader_accept(r, end)) {
        do {
            skip_blanks(r);
            if (!(object ? read_member(r, made) : read_item(r, made)))
                return give_up(r, made, NULL);
            skip_blanks(r);
        } while (weir__reader_accept(r, ","));
        if (!weir__reader_accept(r, end))
            return give_up(r, made,
                           object ? "a , or } should stand here" : "a , or ] should stand here");
    }
    r->depth--;
    return made;
}

static weir_value *read_number(weir__reader *r) {
    size_t from = r->at;
    while (isalnum((unsigned char)weir__peek(r)) || weir__is_one_of(weir__peek(r), "+-.")) r->at++;
    weir_str numeral = weir__part(r->text, from, r->at);
    const char *problem = "is no number of JSON";
    weir_value *number = NULL;
    if (weir__is_json_number(numeral))
        number = weir__number_parse(r->host, r->call, numeral, &problem);
    if (number) return number;
    r->at = from;
    return give_up(r, NULL, problem);
}

static weir_value *read_value(weir__reader *r) {
    skip_blanks(r);
    if (!weir__reader_count(r)) return NULL;
    char c = weir__peek(r);
    if (c == '{' || c == '[') return read_members(r, c == '{');
    if (c == '"') return new_string(r);
    if (c == '-' || isdigit((unsigned char)c)) return read_number(r);
    if (weir__reader_accept(r, "true")) return r->host->bool_new(true);
    if (weir__reader_accept(r, "false")) return r->host->bool_new(false);
    if (weir__reader_accept(r, "null")) return r->host->null_new();
    return give_up(r, NULL,
                   r->at < r->text.length ? "this is not a JSON value; a text needs quotes"
                                          : "the JSON text ends too early");
}

static bool parse(const weir_host *host, weir_call *call) {
    weir__reader r = {.host = host, .call = call, .name = "text"};
    if (!weir__text_needed(host, call, "text", &r.text)) return false;
    weir_value *value = read_value(&r);
    if (!value) return false;
    skip_blanks(&r);
    if (r.at < r.text.length) {
        give_up(&r, value, "something stands behind the value");
        return false;
    }
    host->output(call, "value", value);
    return true;
}

static bool format(const weir_host *host, weir_call *call) {
    const weir_value *value = weir__needed(host, call, "value");
    int64_t indent = 0;
    bool sorted = false;
    if (!value || !weir__int_given(host, call, "indent", 0, 16, &indent) ||
        !weir__bool_given(host, call, "sorted", &sorted))
        return false;
    weir__text out = {host, call};
    weir__text_json(&out, value, (int)indent, sorted);
    return weir__text_give(&out, "text");
}

static const weir_operation *const operations[] = {
    OPERATION(.name = "json.parse", .about = "Reads a value from a JSON text (RFC 8259).",
              .inputs = PORTS({"text", "str", "The JSON text; of equal names the last counts."}),
              .outputs = PORTS({"value", "generic", "The value."}), .config = NO_PORTS,
              .hints = WEIR_PURE, .run = parse,
              .example =
                  "operations:\n"
                  "  order: {name: json.parse, inputs: {text: body}, outputs: {value: order}}\n"),
    OPERATION(.name = "json.format", .about = "Writes a value as a JSON text.",
              .inputs = PORTS({"value", "generic", "The value."}),
              .outputs = PORTS({"text", "str", "The JSON text."}),
              .config =
                  PORTS({"indent", "int", "Blanks a level; 0: all in one line.", .otherwise = "0"},
                        {"sorted", "bool", "Whether members go by name; else as they came.",
                         .otherwise = "false"}),
              .hints = WEIR_PURE, .run = format),
    NULL};

PLUGIN(weir_json_plugin, "json", operations)
