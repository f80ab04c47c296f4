/* The module "regex": what needs PCRE2. */
#include "jsonpath.h"
#include "parameter.h"
#include "pattern.h"

/* A walk over the matches of a pattern in a text. */
typedef struct walk {
    const weir_host *host;
    weir_call *call;
    weir__pattern pattern;
    size_t from;     /* where to go on */
    bool after_none; /* the last match was empty: the next must not be, at the same place */
    int64_t count, most;
} walk;

static bool open_walk(const weir_host *host, weir_call *call, walk *w) {
    weir_str text, expression;
    bool ignore_case = false;
    char problem[256];
    *w = (walk){.host = host, .call = call};
    if (!weir__text_needed(host, call, "text", &text) ||
        !weir__text_needed(host, call, "pattern", &expression) ||
        !weir__bool_given(host, call, "ignore_case", &ignore_case) ||
        !weir__int_given(host, call, "most", 0, INT64_MAX, &w->most))
        return false;
    return weir__pattern_init(&w->pattern, expression, ignore_case, text, problem) ||
           host->fail(call, "invalid", "%s", problem);
}

static bool close_walk(walk *w, bool succeeded) {
    weir__pattern_deinit(&w->pattern);
    return succeeded;
}

/* The next match; an empty one does not stand where the last one ended empty. False at the end, and after a failure,
 * which sets *failed. */
static bool next_match(walk *w, bool *failed) {
    weir_str text = w->pattern.text;
    char problem[256];
    while (w->from <= text.length && !(w->most && w->count == w->most)) {
        if (w->host->cancelled(w->call)) {
            *failed = true;
            return false;
        }
        uint32_t options = w->after_none ? PCRE2_NOTEMPTY_ATSTART | PCRE2_ANCHORED : 0;
        weir__found found = weir__pattern_find(&w->pattern, w->from, options, problem);
        if (found == WEIR__FOUND_PROBLEM) {
            w->host->fail(w->call, "limit_exceeded", "%s", problem);
            *failed = true;
            return false;
        }
        if (found == WEIR__FOUND) {
            w->from = w->pattern.places[1];
            w->after_none = w->pattern.places[0] == w->from;
            w->count++;
            return true;
        }
        if (!w->after_none) return false;
        w->after_none = false;
        size_t rest = text.length - w->from;
        w->from += rest ? weir__character_length(text.data + w->from, rest) : 1;
    }
    return false;
}

static weir_value *text_or_null(const weir_host *host, weir_str text) {
    return text.data ? weir__string(host, text) : host->null_new();
}

static weir_value *new_groups(const walk *w) {
    weir_value *groups = w->host->array_new();
    for (size_t i = 1; i <= w->pattern.groups; i++)
        w->host->array_append(groups, text_or_null(w->host, weir__pattern_group(&w->pattern, i)));
    return groups;
}

static weir_value *new_named(const walk *w, bool matched) {
    uint32_t count = 0, size = 0;
    PCRE2_SPTR entry = NULL;
    weir_value *named = w->host->object_new();
    pcre2_pattern_info(w->pattern.code, PCRE2_INFO_NAMECOUNT, &count);
    pcre2_pattern_info(w->pattern.code, PCRE2_INFO_NAMEENTRYSIZE, &size);
    pcre2_pattern_info(w->pattern.code, PCRE2_INFO_NAMETABLE, &entry);
    for (uint32_t i = 0; matched && i < count; i++, entry += size) {
        size_t group = (size_t)entry[0] << 8 | entry[1], length = 0;
        const char *name = (const char *)entry + 2;
        while (name[length]) length++;
        weir_str text = weir__pattern_group(&w->pattern, group);
        if (text.data || !w->host->object_get(named, name, length))
            w->host->object_set(named, name, length, text_or_null(w->host, text));
    }
    return named;
}

static bool match(const weir_host *host, weir_call *call) {
    walk w;
    bool failed = false;
    if (!open_walk(host, call, &w)) return close_walk(&w, false);
    bool matched = next_match(&w, &failed);
    if (failed) return close_walk(&w, false);
    weir_value *start = NULL, *end = NULL;
    if (matched) {
        weir_str text = w.pattern.text;
        size_t before = weir__characters(weir__part(text, 0, w.pattern.places[0]));
        size_t within = weir__characters(weir__pattern_group(&w.pattern, 0));
        start = host->int_new((int64_t)before);
        end = host->int_new((int64_t)(before + within));
    }
    host->output(call, "matched", host->bool_new(matched));
    host->output(call, "match",
                 text_or_null(host, matched ? weir__pattern_group(&w.pattern, 0) : (weir_str){0}));
    host->output(call, "groups", matched ? new_groups(&w) : host->array_new());
    host->output(call, "named", new_named(&w, matched));
    host->output(call, "start", start ? start : host->null_new());
    host->output(call, "end", end ? end : host->null_new());
    return close_walk(&w, true);
}

static bool too_many(const walk *w, const weir_value *items) {
    if (w->host->value_count(items) < ITEMS_MAX) return false;
    w->host->fail(w->call, "limit_exceeded", "more than %d matches", ITEMS_MAX);
    return true;
}

static bool find_all(const weir_host *host, weir_call *call) {
    walk w;
    bool failed = false;
    if (!open_walk(host, call, &w)) return close_walk(&w, false);
    weir_value *matches = host->array_new(), *groups = host->array_new();
    while (!failed && next_match(&w, &failed)) {
        host->array_append(matches, weir__string(host, weir__pattern_group(&w.pattern, 0)));
        host->array_append(groups, new_groups(&w));
        failed = too_many(&w, matches);
    }
    if (failed) {
        host->value_unref(matches);
        host->value_unref(groups);
    } else {
        host->output(call, "matches", matches);
        host->output(call, "groups", groups);
    }
    return close_walk(&w, !failed);
}

static bool split(const weir_host *host, weir_call *call) {
    walk w;
    bool failed = false;
    if (!open_walk(host, call, &w)) return close_walk(&w, false);
    weir_value *parts = host->array_new();
    size_t from = 0;
    int64_t most = w.most;
    w.most = 0;
    while (!failed && (!most || (int64_t)host->value_count(parts) + 1 < most) &&
           next_match(&w, &failed)) {
        size_t begin = w.pattern.places[0], end = w.pattern.places[1];
        if (begin == end && (begin == 0 || end == w.pattern.text.length)) continue;
        host->array_append(parts, weir__string(host, weir__part(w.pattern.text, from, begin)));
        from = end;
        failed = too_many(&w, parts);
    }
    if (failed) {
        host->value_unref(parts);
    } else {
        weir_str text = w.pattern.text;
        host->array_append(parts, weir__string(host, weir__part(text, from, text.length)));
        host->output(call, "parts", parts);
    }
    return close_walk(&w, !failed);
}

/* --- replace -------------------------------------------------------------------------------- */

/* The number of the group that is named or counted; -1 when there is none. */
static int find_group(const walk *w, weir_str name) {
    size_t number = 0, digits = 0;
    for (; digits < name.length && digits < 5; digits++) {
        if (name.data[digits] < '0' || name.data[digits] > '9') break;
        number = number * 10 + (size_t)(name.data[digits] - '0');
    }
    if (name.length && digits == name.length) return number <= w->pattern.groups ? (int)number : -1;
    int group = pcre2_substring_number_from_name(w->pattern.code,
                                                 (PCRE2_SPTR)weir__copy(w->host, w->call, name));
    return group > 0 ? group : -1;
}

/* The name behind a '$' at `at`: {name}, or digits; *end is behind it. */
static weir_str read_name(weir_str text, size_t at, size_t *end) {
    if (at < text.length && text.data[at] == '{') {
        size_t close = weir__find(text, TEXT("}"), at);
        *end = close == SIZE_MAX ? at : close + 1;
        return close == SIZE_MAX ? TEXT("") : weir__part(text, at + 1, close);
    }
    for (*end = at; *end < text.length && text.data[*end] >= '0' && text.data[*end] <= '9';) ++*end;
    return weir__part(text, at, *end);
}

/* A piece of a replacement: a text, or the number of a group. */
typedef struct piece {
    weir_str text;
    int group; /* -1: none */
} piece;

typedef struct pieces {
    piece *items;
    size_t count;
} pieces;

static bool read_pieces(const walk *w, weir_str text, pieces *out) {
    size_t dollars = 0;
    for (size_t i = 0; i < text.length; i++) dollars += text.data[i] == '$';
    out->items = w->host->alloc(w->call, (2 * dollars + 1) * sizeof *out->items);
    out->count = 0;
    for (size_t at = 0, end; at < text.length; at = end) {
        end = weir__find(text, TEXT("$"), at);
        if (end == SIZE_MAX) end = text.length;
        if (end > at) out->items[out->count++] = (piece){weir__part(text, at, end), -1};
        if (end == text.length) break;
        at = end + 1;
        if (at < text.length && text.data[at] == '$') {
            out->items[out->count++] = (piece){TEXT("$"), -1};
            end = at + 1;
            continue;
        }
        weir_str name = read_name(text, at, &end);
        int group = find_group(w, name);
        if (group < 0)
            return w->host->fail(w->call, "invalid",
                                 "`replacement`: there is no group `%.*s`; a plain $ is $$",
                                 SHOWN(name));
        out->items[out->count++] = (piece){{NULL, 0}, group};
    }
    return true;
}

static bool replace_all(walk *w, weir_str replacement) {
    pieces parts;
    bool failed = false;
    size_t from = 0;
    weir_str text = w->pattern.text;
    weir__text out = {w->host, w->call};
    if (!read_pieces(w, replacement, &parts)) return false;
    while (!out.full && next_match(w, &failed)) {
        weir__text_add(&out, weir__part(text, from, w->pattern.places[0]));
        for (size_t i = 0; i < parts.count; i++)
            weir__text_add(&out,
                           parts.items[i].group < 0
                               ? parts.items[i].text
                               : weir__pattern_group(&w->pattern, (size_t)parts.items[i].group));
        from = w->pattern.places[1];
    }
    if (failed) return false;
    weir__text_add(&out, weir__part(text, from, text.length));
    if (!weir__text_give(&out, "text")) return false;
    w->host->output(w->call, "count", w->host->int_new(w->count));
    return true;
}

static bool replace(const weir_host *host, weir_call *call) {
    walk w;
    weir_str replacement;
    bool ok = open_walk(host, call, &w) &&
              weir__text_needed(host, call, "replacement", &replacement) &&
              replace_all(&w, replacement);
    return close_walk(&w, ok);
}

static const weir_operation *const operations[] = {
    OPERATION(.name = "regex.match", .run = match),
    OPERATION(.name = "regex.find_all", .run = find_all),
    OPERATION(.name = "regex.replace", .run = replace),
    OPERATION(.name = "regex.split", .run = split),
    OPERATION(.name = "jsonpath.query", .run = weir__jsonpath_query),
    NULL};

WEIR_API const weir_plugin *weir_plugin_open(const weir_host *host);

PLUGIN(weir_plugin_open, "regex", operations)
