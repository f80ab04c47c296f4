/* Texts: cut, joined, searched, replaced, filled in. Positions and lengths are in characters. */
#include <stddef.h>
#include <string.h>

#include "number.h"
#include "parameter.h"
#include "text.h"

static bool give_text(const weir_host *host, weir_call *call, weir_str text) {
    host->output(call, "text", weir__string(host, text));
    return true;
}

/* Whether one of `characters` is at the place; *length is its bytes. */
static bool has_character(weir_str characters, weir_str text, size_t at, size_t *length) {
    uint32_t wanted = weir__character(text.data + at, text.length - at, length);
    for (size_t i = 0, more; i < characters.length; i += more)
        if (weir__character(characters.data + i, characters.length - i, &more) == wanted)
            return true;
    return false;
}

static bool trim(const weir_host *host, weir_call *call) {
    weir_str text, characters = {NULL, 0};
    if (!weir__text_needed(host, call, "text", &text) ||
        !weir__text_given(host, call, "characters", &characters))
        return false;
    if (!characters.data) return give_text(host, call, weir__trimmed(text));
    size_t from = text.length, to = 0, length;
    for (size_t at = 0; at < text.length; at += length) {
        if (has_character(characters, text, at, &length)) continue;
        if (from > at) from = at;
        to = at + length;
    }
    return give_text(host, call, to ? weir__part(text, from, to) : TEXT(""));
}

/* Adds a part; false when there are too many. */
static bool add_part(const weir_host *host, weir_call *call, weir_value *parts, weir_str part) {
    if (host->value_count(parts) == ITEMS_MAX)
        return host->fail(call, "limit_exceeded", "more than %d parts", ITEMS_MAX);
    host->array_append(parts, weir__string(host, part));
    return true;
}

static bool split_blanks(const weir_host *host, weir_call *call, weir_str text, size_t most,
                         weir_value *parts) {
    for (size_t from = 0, to, length; from < text.length; from = to) {
        uint32_t first = weir__character(text.data + from, text.length - from, &length);
        to = from + length;
        if (weir__is_blank(first)) continue;
        if (host->value_count(parts) + 1 == most)
            return add_part(host, call, parts, weir__trimmed(weir__part(text, from, text.length)));
        for (; to < text.length; to += length)
            if (weir__is_blank(weir__character(text.data + to, text.length - to, &length))) break;
        if (!add_part(host, call, parts, weir__part(text, from, to))) return false;
    }
    return true;
}

static bool split_at(const weir_host *host, weir_call *call, weir_str text, weir_str separator,
                     size_t most, weir_value *parts) {
    size_t from = 0;
    while (host->value_count(parts) + 1 != most) {
        size_t to = weir__find(text, separator, from);
        if (to == SIZE_MAX) break;
        if (!add_part(host, call, parts, weir__part(text, from, to))) return false;
        from = to + separator.length;
    }
    return add_part(host, call, parts, weir__part(text, from, text.length));
}

static bool split(const weir_host *host, weir_call *call) {
    weir_str text, separator = {NULL, 0};
    int64_t most = 0;
    if (!weir__text_needed(host, call, "text", &text) ||
        !weir__text_given(host, call, "separator", &separator) ||
        !weir__int_given(host, call, "most", 0, ITEMS_MAX, &most))
        return false;
    if (separator.data && !separator.length)
        return host->fail(call, "invalid", "`separator` must not be empty");
    weir_value *parts = host->array_new();
    bool ok = separator.data ? split_at(host, call, text, separator, (size_t)most, parts)
                             : split_blanks(host, call, text, (size_t)most, parts);
    if (ok)
        host->output(call, "parts", parts);
    else
        host->value_unref(parts);
    return ok;
}

static bool join(const weir_host *host, weir_call *call) {
    weir_str separator = TEXT("");
    const weir_value *parts = weir__typed(host, call, "parts", WEIR_ARRAY);
    if (!parts || !weir__text_given(host, call, "separator", &separator)) return false;
    weir__text out = {host, call};
    for (size_t i = 0; i < host->value_count(parts); i++) {
        const weir_value *part = host->array_at(parts, i);
        weir_type type = host->value_type(part);
        if (type >= WEIR_ARRAY)
            return host->fail(call, "invalid", "`parts`: item %zu must be no %s", i,
                              type_names[type]);
        if (i) weir__text_add(&out, separator);
        weir__text_value(&out, part);
    }
    return weir__text_give(&out, "text");
}

static bool replace(const weir_host *host, weir_call *call) {
    weir_str text, old, new;
    int64_t most = 0;
    if (!weir__text_needed(host, call, "text", &text) ||
        !weir__text_needed(host, call, "old", &old) ||
        !weir__text_needed(host, call, "new", &new) ||
        !weir__int_given(host, call, "most", 0, INT64_MAX, &most))
        return false;
    if (!old.length) return host->fail(call, "invalid", "`old` must not be empty");
    weir__text out = {host, call};
    size_t from = 0;
    for (int64_t count = 1; !most || count <= most; count++) {
        size_t at = weir__find(text, old, from);
        if (at == SIZE_MAX) break;
        weir__text_add(&out, weir__part(text, from, at));
        weir__text_add(&out, new);
        from = at + old.length;
    }
    weir__text_add(&out, weir__part(text, from, text.length));
    return weir__text_give(&out, "text");
}

/* --- what is in a text ---------------------------------------------------------------------- */

static bool take_part(const weir_host *host, weir_call *call, weir_str *text, weir_str *part) {
    return weir__text_needed(host, call, "text", text) &&
           weir__text_needed(host, call, "part", part);
}

static bool give_bool(const weir_host *host, weir_call *call, bool result) {
    host->output(call, "result", host->bool_new(result));
    return true;
}

static bool contains(const weir_host *host, weir_call *call) {
    weir_str text, part;
    return take_part(host, call, &text, &part) &&
           give_bool(host, call, !part.length || weir__find(text, part, 0) != SIZE_MAX);
}

static bool starts_with(const weir_host *host, weir_call *call) {
    weir_str text, part;
    return take_part(host, call, &text, &part) &&
           give_bool(host, call,
                     text.length >= part.length &&
                         weir__same_text(weir__part(text, 0, part.length), part));
}

static bool ends_with(const weir_host *host, weir_call *call) {
    weir_str text, part;
    return take_part(host, call, &text, &part) &&
           give_bool(
               host, call,
               text.length >= part.length &&
                   weir__same_text(weir__part(text, text.length - part.length, text.length), part));
}

static bool length(const weir_host *host, weir_call *call) {
    weir_str text;
    if (!weir__text_needed(host, call, "text", &text)) return false;
    host->output(call, "length", host->int_new((int64_t)weir__characters(text)));
    return true;
}

static bool slice(const weir_host *host, weir_call *call) {
    weir_str text;
    int64_t from = 0, to = INT64_MAX;
    if (!weir__text_needed(host, call, "text", &text) ||
        !weir__int_given(host, call, "start", INT64_MIN, INT64_MAX, &from) ||
        !weir__int_given(host, call, "end", INT64_MIN, INT64_MAX, &to))
        return false;
    int64_t count = from < 0 || to < 0 ? (int64_t)weir__characters(text) : 0;
    if (from < 0) from = from < -count ? 0 : from + count;
    if (to < 0) to = to < -count ? 0 : to + count;
    if (to <= from) return give_text(host, call, TEXT(""));
    size_t begin = weir__character_place(text, (size_t)from);
    weir_str rest = weir__part(text, begin, text.length);
    return give_text(host, call,
                     weir__part(rest, 0, weir__character_place(rest, (size_t)(to - from))));
}

/* --- to and from other values --------------------------------------------------------------- */

/* The value that {name} stands for is added. */
static bool fill_in(const weir_host *host, weir_call *call, weir_str name, weir__text *out) {
    const weir_value *value = host->parameter(call, weir__copy(host, call, name));
    if (!value)
        return host->fail(call, "not_found", "`template` has {%.*s}, which is no parameter",
                          SHOWN(name));
    weir__text_value(out, value);
    return true;
}

static bool format(const weir_host *host, weir_call *call) {
    weir_str text;
    if (!weir__text_needed(host, call, "template", &text)) return false;
    weir__text out = {host, call};
    for (size_t at = 0; at < text.length;) {
        size_t plain = at;
        while (at < text.length && text.data[at] != '{' && text.data[at] != '}') at++;
        weir__text_add(&out, weir__part(text, plain, at));
        if (at == text.length) break;
        if (at + 1 < text.length && text.data[at + 1] == text.data[at]) {
            weir__text_byte(&out, text.data[at]);
            at += 2;
            continue;
        }
        size_t end = text.data[at] == '{' ? weir__find(text, TEXT("}"), at) : SIZE_MAX;
        if (end == SIZE_MAX)
            return host->fail(call, "invalid",
                              "`template`: a %c without its partner; a plain one is written twice",
                              text.data[at]);
        if (!fill_in(host, call, weir__part(text, at + 1, end), &out)) return false;
        at = end + 1;
    }
    return weir__text_give(&out, "text");
}

static bool to_number(const weir_host *host, weir_call *call) {
    weir_str text;
    if (!weir__text_needed(host, call, "text", &text)) return false;
    const char *problem;
    weir_value *number = weir__number_parse(host, call, weir__trimmed(text), &problem);
    if (!number) return host->fail(call, "invalid", "`%.*s` %s", SHOWN(text), problem);
    host->output(call, "number", number);
    return true;
}

static bool from(const weir_host *host, weir_call *call) {
    const weir_value *value = weir__needed(host, call, "value");
    if (!value) return false;
    weir__text out = {host, call};
    weir__text_value(&out, value);
    return weir__text_give(&out, "text");
}

/* --- what there is -------------------------------------------------------------------------- */

enum { HINTS = WEIR_PURE | WEIR_CHEAP };
#define TEXT_IN                                                                                    \
    { "text", "str", "The text." }
#define TEXT_OUT PORTS({"text", "str", "The new text."})
#define PART_CONFIG PORTS({"part", "str", "The part, when it is no parameter."})
#define PART_PORTS PORTS(TEXT_IN, {"part", "str", "What is looked for; the empty text is there."})
#define RESULT PORTS({"result", "bool", "Whether it is so."})

static const weir_operation *const operations[] = {
    OPERATION(.name = "string.upper",
              .about = "Makes small letters large: simple case mapping of Unicode, and SS for ß.",
              .inputs = PORTS(TEXT_IN), .outputs = TEXT_OUT, .config = NO_PORTS, .hints = HINTS,
              .module = "unicode"),
    OPERATION(.name = "string.lower",
              .about = "Makes large letters small: simple case mapping of Unicode.",
              .inputs = PORTS(TEXT_IN), .outputs = TEXT_OUT, .config = NO_PORTS, .hints = HINTS,
              .module = "unicode"),
    OPERATION(.name = "string.trim", .about = "Takes blanks away at both ends of a text.",
              .inputs = PORTS(TEXT_IN), .outputs = TEXT_OUT,
              .config = PORTS({"characters", "str", "What to take away instead of blanks."}),
              .hints = HINTS, .run = trim),
    OPERATION(.name = "string.split", .about = "Splits a text into parts.",
              .inputs = PORTS(TEXT_IN),
              .outputs = PORTS({"parts", "array", "The texts between the separators."}),
              .config =
                  PORTS({"separator", "str",
                         "What is between parts; without it blanks are, and no part is empty."},
                        {"most", "int", "How many parts at most; the last has the rest. 0: all.",
                         .otherwise = "0"}),
              .hints = HINTS, .run = split,
              .example = "operations:\n"
                         "  words: {name: string.split, inputs: {text: line}, outputs: {parts: "
                         "word}, expand: [parts]}\n"
                         "configs:\n"
                         "  words: {separator: \",\"}\n"),
    OPERATION(.name = "string.join", .about = "Joins texts, and numbers and the like, to one text.",
              .inputs = PORTS({"parts", "array", "What to join; no arrays, no objects."}),
              .outputs = TEXT_OUT,
              .config = PORTS({"separator", "str", "What comes between.", .otherwise = "\"\""}),
              .hints = HINTS, .run = join),
    OPERATION(
            .name = "string.replace", .about = "Replaces each place of a text within another.",
            .inputs = PORTS(TEXT_IN, {"old", "str", "What is replaced; not empty."},
                            {"new", "str", "What stands there instead."}),
            .outputs = TEXT_OUT,
            .config = PORTS({"old", "str", "What is replaced, when it is no parameter."},
                            {"new", "str", "What stands there, when it is no parameter."},
                            {"most", "int", "How many places at most; 0: all.", .otherwise = "0"}),
            .hints = HINTS, .run = replace,
            .example =
                "operations:\n"
                "  unix: {name: string.replace, inputs: {text: path}, outputs: {text: unix_path}}\n"
                "configs:\n"
                "  unix: {old: \"\\\\\", new: /}\n"),
    OPERATION(.name = "string.contains", .about = "Whether a text is within another.",
              .inputs = PART_PORTS, .outputs = RESULT, .config = PART_CONFIG, .hints = HINTS,
              .run = contains),
    OPERATION(.name = "string.starts_with", .about = "Whether a text begins with another.",
              .inputs = PART_PORTS, .outputs = RESULT, .config = PART_CONFIG, .hints = HINTS,
              .run = starts_with),
    OPERATION(.name = "string.ends_with", .about = "Whether a text ends with another.",
              .inputs = PART_PORTS, .outputs = RESULT, .config = PART_CONFIG, .hints = HINTS,
              .run = ends_with),
    OPERATION(.name = "string.length", .about = "Counts the characters of a text.",
              .inputs = PORTS(TEXT_IN),
              .outputs = PORTS({"length", "int", "How many characters (code points) it has."}),
              .config = NO_PORTS, .hints = HINTS, .run = length),
    OPERATION(.name = "string.slice",
              .about = "Takes a part of a text, by the places of characters.",
              .inputs = PORTS(TEXT_IN), .outputs = TEXT_OUT,
              .config = PORTS({"start", "int", "The first character; negative: from the end.",
                               .otherwise = "0"},
                              {"end", "int", "The one behind the last; negative: from the end.",
                               .otherwise = "null"}),
              .hints = HINTS, .run = slice),
    OPERATION(.name = "string.format",
              .about = "Fills in a template: {name} becomes the parameter of that name, {{ and }} "
                       "are braces.",
              .inputs = NO_PORTS, .outputs = TEXT_OUT,
              .config = PORTS({"template", "str", "The text with {name} in it."}), .hints = HINTS,
              .run = format,
              .example = "operations:\n"
                         "  greet: {name: string.format, inputs: {person: name}, outputs: {text: "
                         "greeting}}\n"
                         "configs:\n"
                         "  greet: {template: \"Good morning, {person}!\"}\n"),
    OPERATION(.name = "string.to_number",
              .about =
                  "Reads a decimal number: an int without a point and an exponent, else a float.",
              .inputs = PORTS({"text", "str", "The number; blanks around it do not count."}),
              .outputs = PORTS({"number", "generic", "The int or float."}), .config = NO_PORTS,
              .hints = HINTS, .run = to_number),
    OPERATION(.name = "string.from",
              .about = "Writes a value as a text: texts as they are, others as JSON.",
              .inputs = PORTS({"value", "generic", "The value."}), .outputs = TEXT_OUT,
              .config = NO_PORTS, .hints = HINTS, .run = from),
    NULL};

PLUGIN(weir_string_plugin, "string", operations)
