/* Semantic versions and constraints on them, as the package semver/v3 that sprig uses has them. */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>

#include "expr/sprig.h"
#include "expr/text.h"

/* A version, or one in a constraint, which may be `partial`: some of its numbers are absent, or x, X, *. */
struct x_semver {
    uint64_t numbers[3];
    weir_str prerelease, metadata, original;
    bool partial, any_minor, any_patch;
};

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_identifier(weir_str text, bool numbers_plain) {
    for (size_t at = 0, end; at <= text.length; at = end + 1) {
        end = weir_str_find(text, WEIR_STR("."), at);
        if (end == SIZE_MAX) end = text.length;
        bool digits = true;
        for (size_t i = at; i < end; i++) {
            char c = text.data[i];
            if (!is_digit(c) && c != '-' && !((c | 32) >= 'a' && (c | 32) <= 'z')) return false;
            digits = digits && is_digit(c);
        }
        if (end == at || (numbers_plain && digits && end - at > 1 && text.data[at] == '0'))
            return false;
    }
    return true;
}

/* The number at *at; *any: there is a wildcard instead. */
static bool read_number(weir_str text, size_t *at, bool wild, uint64_t *out, bool *any) {
    size_t from = *at;
    *any = wild && from < text.length && strchr("xX*", text.data[from]);
    *out = 0;
    if (*any) return ++*at, true;
    for (; *at < text.length && is_digit(text.data[*at]); ++*at) {
        if (*out > UINT64_MAX / 10 - 10) return false;
        *out = *out * 10 + (uint64_t)(text.data[*at] - '0');
    }
    return *at > from;
}

static bool parse_version(weir_str text, bool constraint, x_semver *out) {
    *out = (x_semver){.original = text, .prerelease = WEIR_STR(""), .metadata = WEIR_STR("")};
    size_t at = weir_str_starts(text, WEIR_STR("v"));
    int count = 0;
    bool any = false, wild = false, all = false;
    for (; count < 3; count++) {
        if (count > 0 && (at >= text.length || text.data[at] != '.')) break;
        at += count > 0;
        if (!read_number(text, &at, constraint, &out->numbers[count], &any)) return false;
        if (any) {
            wild = true;
            all = all || count == 0;
            if (count < 2) out->any_minor = true;
            out->any_patch = true;
        }
    }
    if (count < 2) out->any_minor = true;
    if (count < 3) out->any_patch = true;
    out->partial = wild || count < 3;
    if (all) out->any_minor = out->any_patch = false; /* then it is 0.0.0, from which all count */
    if (at < text.length && text.data[at] == '-') {
        size_t end = weir_str_find(text, WEIR_STR("+"), at);
        out->prerelease = weir_str_slice(text, at + 1, end);
        if (!is_identifier(out->prerelease, true)) return false;
        at = end == SIZE_MAX ? text.length : end;
    }
    if (at < text.length && text.data[at] == '+') {
        out->metadata = weir_str_slice(text, at + 1, text.length);
        at = text.length;
        if (!is_identifier(out->metadata, false)) return false;
    }
    return at == text.length;
}

static int compare_parts(weir_str a, weir_str b) {
    bool a_number = a.length > 0, b_number = b.length > 0;
    for (size_t i = 0; i < a.length; i++) a_number = a_number && is_digit(a.data[i]);
    for (size_t i = 0; i < b.length; i++) b_number = b_number && is_digit(b.data[i]);
    if (a_number && b_number && a.length != b.length) return a.length < b.length ? -1 : 1;
    if (a_number != b_number) return a_number ? -1 : 1;
    size_t shorter = a.length < b.length ? a.length : b.length;
    int order = shorter ? memcmp(a.data, b.data, shorter) : 0;
    return order ? order : (a.length > b.length) - (a.length < b.length);
}

static int compare_prerelease(weir_str a, weir_str b) {
    if (a.length == 0 || b.length == 0) return (a.length == 0) - (b.length == 0);
    size_t one = 0, two = 0;
    while (one <= a.length && two <= b.length) {
        size_t one_end = weir_str_find(a, WEIR_STR("."), one),
               two_end = weir_str_find(b, WEIR_STR("."), two);
        if (one_end == SIZE_MAX) one_end = a.length;
        if (two_end == SIZE_MAX) two_end = b.length;
        int order = compare_parts(weir_str_slice(a, one, one_end), weir_str_slice(b, two, two_end));
        if (order) return order;
        one = one_end + 1;
        two = two_end + 1;
    }
    return (one <= a.length) - (two <= b.length);
}

static int compare(const x_semver *a, const x_semver *b) {
    for (int i = 0; i < 3; i++)
        if (a->numbers[i] != b->numbers[i]) return a->numbers[i] < b->numbers[i] ? -1 : 1;
    return compare_prerelease(a->prerelease, b->prerelease);
}

static bool is_tilde(const x_semver *v, const x_semver *c) {
    if (compare(v, c) < 0) return false;
    if (!c->numbers[0] && !c->numbers[1] && !c->numbers[2] && !c->any_minor && !c->any_patch)
        return true;
    return v->numbers[0] == c->numbers[0] && (v->numbers[1] == c->numbers[1] || c->any_minor);
}

static bool is_caret(const x_semver *v, const x_semver *c) {
    if (compare(v, c) < 0) return false;
    if (c->numbers[0] > 0 || c->any_minor) return v->numbers[0] == c->numbers[0];
    if (v->numbers[0] > 0) return false;
    if (c->numbers[1] > 0 || c->any_patch) return v->numbers[1] == c->numbers[1];
    return v->numbers[1] == 0 && v->numbers[2] == c->numbers[2];
}

static bool is_greater(const x_semver *v, const x_semver *c) {
    if (!c->partial) return compare(v, c) > 0;
    if (v->numbers[0] != c->numbers[0]) return v->numbers[0] > c->numbers[0];
    return !c->any_minor && c->any_patch && v->numbers[1] > c->numbers[1];
}

static bool is_at_most(const x_semver *v, const x_semver *c) {
    if (!c->partial) return compare(v, c) <= 0;
    if (v->numbers[0] != c->numbers[0]) return v->numbers[0] < c->numbers[0];
    return v->numbers[1] <= c->numbers[1] || c->any_minor;
}

static bool is_other(const x_semver *v, const x_semver *c) {
    if (!c->partial) return compare(v, c) != 0;
    if (v->numbers[0] != c->numbers[0]) return true;
    if (c->any_minor) return false;
    return v->numbers[1] != c->numbers[1];
}

static bool fits(const x_semver *v, weir_str op, const x_semver *c) {
    bool whole = weir_str_is(op, "!=") && !c->partial;
    if (v->prerelease.length > 0 && c->prerelease.length == 0 && !whole) return false;
    if (weir_str_is(op, "!=")) return is_other(v, c);
    if (weir_str_is(op, ">")) return is_greater(v, c);
    if (weir_str_is(op, "<")) return compare(v, c) < 0;
    if (weir_str_is(op, ">=") || weir_str_is(op, "=>")) return compare(v, c) >= 0;
    if (weir_str_is(op, "<=") || weir_str_is(op, "=<")) return is_at_most(v, c);
    if (weir_str_is(op, "^")) return is_caret(v, c);
    if (weir_str_is(op, "~") || weir_str_is(op, "~>")) return is_tilde(v, c);
    return c->partial ? is_tilde(v, c) : compare(v, c) == 0;
}

typedef struct reader {
    weir_str text;
    size_t at;
    bool wrong;
} reader;

static void skip(reader *r, const char *any) {
    while (r->at < r->text.length && strchr(any, r->text.data[r->at])) r->at++;
}

static weir_str word(reader *r, const char *end) {
    size_t from = r->at;
    while (r->at < r->text.length && !strchr(end, r->text.data[r->at])) r->at++;
    return weir_str_slice(r->text, from, r->at);
}

static weir_str operator(reader *r) {
    size_t from = r->at;
    skip(r, "=!<>~^");
    return weir_str_slice(r->text, from, r->at);
}

static bool known(weir_str op) {
    static const char *const all[] = {
        "", "=", "!=", ">", "<", ">=", "=>", "<=", "=<", "~", "~>", "^"};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (weir_str_is(op, all[i])) return true;
    return false;
}

/* Everything up to `||` has to fit: ">= 1.2, < 3", "1.2 - 2.3", "~1.2". */
static bool all_fit(reader *r, const x_semver *v) {
    bool ok = true, any = false;
    for (skip(r, " ,\t"); r->at < r->text.length && r->text.data[r->at] != '|'; skip(r, " ,\t")) {
        x_semver low, high;
        weir_str op = operator(r);
        skip(r, " ");
        weir_str first = word(r, " ,|\t<>=!~^");
        size_t mark = r->at;
        skip(r, " ");
        weir_str rest = weir_str_slice(r->text, r->at, r->text.length);
        bool range = op.length == 0 && weir_str_starts(rest, WEIR_STR("- "));
        if (!known(op) || !parse_version(first, true, &low)) return r->wrong = true, false;
        if (range) {
            r->at += 2;
            skip(r, " ");
            if (!parse_version(word(r, " ,|\t"), true, &high)) return r->wrong = true, false;
            ok = ok && fits(v, WEIR_STR(">="), &low) && fits(v, WEIR_STR("<="), &high);
        } else {
            r->at = mark;
            ok = ok && fits(v, op, &low);
        }
        any = true;
    }
    if (!any) r->wrong = true;
    return ok && any;
}

SPRIG(call_semver_compare) {
    (void)n;
    x_semver version;
    reader r = {.text = x_text(a)};
    bool any = false;
    if (!parse_version(x_text(&a[1]), false, &version))
        return weir__x_fail(m, WEIR_INVALID, "sprig.semverCompare: `%.*s` is no version",
                            WEIR_ARG(x_text(&a[1])));
    for (;;) {
        if (all_fit(&r, &version)) any = true;
        if (r.wrong || r.at >= r.text.length) break;
        if (!weir_str_starts(weir_str_slice(r.text, r.at, r.text.length), WEIR_STR("||")))
            r.wrong = true;
        if (r.wrong) break;
        r.at += 2;
    }
    if (r.wrong)
        return weir__x_fail(m, WEIR_INVALID, "sprig.semverCompare: `%.*s` is no constraint",
                            WEIR_ARG(x_text(a)));
    *out = x_bool(any);
    return true;
}

static x version(x_machine *m, const x_semver *of) {
    x_semver *copy = weir__x_alloc(m, sizeof *copy);
    *copy = *of;
    return (x){.kind = X_SEMVER, .semver = copy};
}

SPRIG(call_semver) {
    (void)n;
    x_semver v;
    if (!parse_version(x_text(a), false, &v))
        return weir__x_fail(m, WEIR_INVALID, "sprig.semver: `%.*s` is no version",
                            WEIR_ARG(x_text(a)));
    *out = version(m, &v);
    return true;
}

void weir__semver_print(const x_semver *v, weir_buffer *out) {
    weir_buffer_printf(out, "%" PRIu64 ".%" PRIu64 ".%" PRIu64, v->numbers[0], v->numbers[1],
                       v->numbers[2]);
    if (v->prerelease.length) weir_buffer_printf(out, "-%.*s", WEIR_ARG(v->prerelease));
    if (v->metadata.length) weir_buffer_printf(out, "+%.*s", WEIR_ARG(v->metadata));
}

bool weir__semver_same(const x_semver *a, const x_semver *b) {
    return weir_str_equal(a->original, b->original);
}

#define METHOD(name, gives)                                                                        \
    SPRIG(method_##name) {                                                                         \
        (void)m, (void)n;                                                                          \
        *out = (gives);                                                                            \
        return true;                                                                               \
    }

METHOD(major, x_int((int64_t)a->semver->numbers[0]))
METHOD(minor, x_int((int64_t)a->semver->numbers[1]))
METHOD(patch, x_int((int64_t)a->semver->numbers[2]))
METHOD(prerelease, x_str(a->semver->prerelease))
METHOD(metadata, x_str(a->semver->metadata))
METHOD(original, x_str(a->semver->original))
METHOD(compare, x_int(compare(a->semver, a[1].semver)))
METHOD(equal, x_bool(compare(a->semver, a[1].semver) == 0))
METHOD(less, x_bool(compare(a->semver, a[1].semver) < 0))
METHOD(less_or_equal, x_bool(compare(a->semver, a[1].semver) <= 0))
METHOD(greater, x_bool(compare(a->semver, a[1].semver) > 0))
METHOD(greater_or_equal, x_bool(compare(a->semver, a[1].semver) >= 0))

SPRIG(method_text) {
    (void)n;
    weir__semver_print(a->semver, &m->scratch);
    *out = weir__x_take(m, &m->scratch);
    return true;
}

/* The version behind it, by the number at that place. What comes before a version is left first: after 1.2.3-a is 1.2.3. */
static bool increase(x_machine *m, const x_semver *of, int place, x *out) {
    x_semver next = *of;
    if (place < 2 || !of->prerelease.length) next.numbers[place]++;
    for (int i = place + 1; i < 3; i++) next.numbers[i] = 0;
    next.prerelease = next.metadata = WEIR_STR("");
    if (weir_str_starts(of->original, WEIR_STR("v"))) weir_buffer_byte(&m->scratch, 'v');
    weir__semver_print(&next, &m->scratch);
    x text = weir__x_take(m, &m->scratch);
    next.original = x_text(&text);
    *out = version(m, &next);
    return true;
}

SPRIG(method_increase_major) {
    (void)n;
    return increase(m, a->semver, 0, out);
}

SPRIG(method_increase_minor) {
    (void)n;
    return increase(m, a->semver, 1, out);
}

SPRIG(method_increase_patch) {
    (void)n;
    return increase(m, a->semver, 2, out);
}

const x_function weir__semver_methods[] = {{"Major", ":i", method_major},
                                           {"Minor", ":i", method_minor},
                                           {"Patch", ":i", method_patch},
                                           {"Prerelease", ":s", method_prerelease},
                                           {"Metadata", ":s", method_metadata},
                                           {"Original", ":s", method_original},
                                           {"String", ":s", method_text},
                                           {"Compare", "v:i", method_compare},
                                           {"Equal", "v:b", method_equal},
                                           {"LessThan", "v:b", method_less},
                                           {"LessThanEqual", "v:b", method_less_or_equal},
                                           {"GreaterThan", "v:b", method_greater},
                                           {"GreaterThanEqual", "v:b", method_greater_or_equal},
                                           {"IncMajor", ":v", method_increase_major},
                                           {"IncMinor", ":v", method_increase_minor},
                                           {"IncPatch", ":v", method_increase_patch},
                                           {0}};

const x_function weir__sprig_versions[] = {
    {"semver", "@s:?", call_semver}, {"semverCompare", "@ss:b", call_semver_compare}, {0}};
