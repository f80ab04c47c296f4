/* Loops: what a step is made of once for each. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "data/go.h"
#include "data/json.h"
#include "workflow/coordinator.h"

enum { WIDTH_MAX = 100 };

/* --- what it goes over ---------------------------------------------------------------------------- */

static bool read_whole(weir_str text, int64_t *out) {
    char digits[32], *end;
    if (!text.length || text.length >= sizeof digits) return false;
    memcpy(digits, text.data, text.length);
    digits[text.length] = '\0';
    errno = 0;
    *out = strtoll(digits, &end, 10);
    return errno == 0 && *end == '\0';
}

static bool render_number(weir__scope *scope, weir_str text, int64_t *out, weir_error *error) {
    weir_buffer rendered = {0};
    bool ok = weir__render(scope, text, &rendered, error);
    if (ok && !read_whole(weir_str_trim(weir_buffer_str(&rendered)), out))
        ok = weir_fail(error, WEIR_INVALID, "strconv.Atoi: parsing \"%s\": invalid syntax",
                       rendered.data ? rendered.data : "");
    weir_buffer_deinit(&rendered);
    return ok;
}

/* How a number is written: "%d", and between the two `0` or `-`, a width; d, x, X or o. `%%` around it is one of them. */
typedef struct number_form {
    weir_str before, after;
    bool zeros, left;
    int width;
    char verb; /* 0: there is no number in it */
} number_form;

/* Where a `%` is that begins one. */
static size_t find_verb(weir_str format, size_t from) {
    size_t at = weir_str_find(format, WEIR_STR("%"), from);
    while (at != SIZE_MAX && at + 1 < format.length && format.data[at + 1] == '%')
        at = weir_str_find(format, WEIR_STR("%"), at + 2);
    return at;
}

static void append_around(weir_str text, weir_buffer *out) {
    for (size_t i = 0; i < text.length; i++) {
        weir_buffer_byte(out, text.data[i]);
        if (text.data[i] == '%') i++;
    }
}

static bool read_form(weir_str format, number_form *out) {
    size_t percent = find_verb(format, 0), at = percent + 1;
    *out = (number_form){.before = format};
    if (percent == SIZE_MAX) return true;
    for (; at < format.length && (format.data[at] == '0' || format.data[at] == '-'); at++) {
        out->zeros |= format.data[at] == '0';
        out->left |= format.data[at] == '-';
    }
    for (; at < format.length && format.data[at] >= '0' && format.data[at] <= '9'; at++)
        if ((out->width = out->width * 10 + format.data[at] - '0') > WIDTH_MAX) return false;
    if (at == format.length || !strchr("dxXo", format.data[at])) return false;
    out->verb = format.data[at];
    out->before = weir_str_slice(format, 0, percent);
    out->after = weir_str_slice(format, at + 1, format.length);
    return find_verb(out->after, 0) == SIZE_MAX;
}

static bool is_format(weir_str format) {
    number_form form;
    return read_form(format, &form);
}

static void append_number(const number_form *form, int64_t number, weir_buffer *out) {
    char digits[32];
    uint64_t size = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    snprintf(digits, sizeof digits,
             form->verb == 'd'   ? "%" PRIu64
             : form->verb == 'x' ? "%" PRIx64
             : form->verb == 'X' ? "%" PRIX64
                                 : "%" PRIo64,
             size);
    int length = (int)strlen(digits) + (number < 0);
    int missing = form->width > length ? form->width - length : 0;
    if (!form->left && !form->zeros) weir_buffer_printf(out, "%*s", missing, "");
    if (number < 0) weir_buffer_byte(out, '-');
    for (int i = 0; form->zeros && !form->left && i < missing; i++) weir_buffer_byte(out, '0');
    weir_buffer_text(out, digits);
    if (form->left) weir_buffer_printf(out, "%*s", missing, "");
}

static weir_value *sequence_value(int64_t from, int64_t count, int64_t by, weir_str format) {
    weir_value *sequence = weir_object_new(), *expanded = weir_object_new();
    weir_member_put(sequence, "from", weir_int_new(from));
    weir_member_put(sequence, "count", weir_int_new(count));
    weir_member_put(sequence, "by", weir_int_new(by));
    weir_member_put(sequence, "format", weir_string_from(format));
    weir_member_put(expanded, "sequence", sequence);
    return expanded;
}

static weir_value *expand_sequence(weir__scope *scope, const weir__loop *loop, weir_error *error) {
    int64_t start = 0, end = 0, count = 0;
    bool counted = loop->count.length;
    if (loop->start.length && !render_number(scope, loop->start, &start, error)) return NULL;
    if (counted ? !render_number(scope, loop->count, &count, error)
                : !render_number(scope, loop->end, &end, error))
        return NULL;
    weir_buffer format = {0};
    if (!weir__render(scope, loop->format, &format, error)) {
        weir_buffer_deinit(&format);
        return NULL;
    }
    int64_t by = !counted && end < start ? -1 : 1;
    if (!counted && __builtin_sub_overflow(by > 0 ? end : start, by > 0 ? start : end, &count))
        count = INT64_MAX;
    else if (!counted)
        count++;
    if (count < 0) count = 0;
    weir_value *out = NULL;
    if (count > WEIR__NODES_MAX)
        weir_fail(error, WEIR_LIMIT, "withSequence makes %lld items; at most %d can run",
                  (long long)count, WEIR__NODES_MAX);
    else if (!is_format(weir_buffer_str(&format)))
        weir_fail(error, WEIR_INVALID,
                  "withSequence format `%s` must have one number: %%d, %%x, %%X or %%o",
                  format.data);
    else
        out = sequence_value(start, count, by,
                             format.length ? weir_buffer_str(&format) : WEIR_STR("%d"));
    weir_buffer_deinit(&format);
    return out;
}

static weir_value *items_value(weir_value *items) {
    weir_value *expanded = weir_object_new();
    weir_member_put(expanded, "items", items);
    return expanded;
}

/* The list that the text is; NULL and an error. */
static weir_value *parse_list(weir_str text, weir_error *error) {
    weir_value *items;
    weir_error bad;
    weir_str shown = weir_str_trim(text);
    if (!weir_json_parse(text, WEIR_STR("withParam"), &items, &bad)) {
        (void)weir__fail_as_go(text, &bad);
        weir_fail(error, WEIR_INVALID,
                  "withParam value could not be parsed as a JSON list: %.*s: %s",
                  shown.length < 200 ? (int)shown.length : 200, shown.data, bad.message);
        return NULL;
    }
    if (weir_is(items, WEIR_ARRAY)) return items;
    if (weir_is(items, WEIR_NULL)) {
        weir_value_unref(items);
        return weir_array_new();
    }
    const char *type = weir_is(items, WEIR_OBJECT)   ? "object"
                       : weir_is(items, WEIR_STRING) ? "string"
                       : weir_is(items, WEIR_BOOL)   ? "bool"
                                                     : "number";
    weir_fail(error, WEIR_INVALID,
              "withParam value could not be parsed as a JSON list: %.*s: json: cannot unmarshal %s "
              "into Go value of type []v1alpha1.Item",
              shown.length < 200 ? (int)shown.length : 200, shown.data, type);
    weir_value_unref(items);
    return NULL;
}

static weir_value *expand_param(weir__scope *scope, const weir__loop *loop, weir_error *error) {
    weir_buffer text = {0};
    weir_value *items = NULL;
    if (weir__render(scope, loop->param, &text, error))
        items = parse_list(weir_buffer_str(&text), error);
    weir_buffer_deinit(&text);
    if (items && weir_value_count(items) > WEIR__NODES_MAX) {
        weir_fail(error, WEIR_LIMIT, "withParam has %zu items; at most %d can run",
                  weir_value_count(items), WEIR__NODES_MAX);
        weir_value_unref(items);
        items = NULL;
    }
    return items ? items_value(items) : NULL;
}

weir_value *weir__loop_expand(weir__scope *scope, const weir__loop *loop, weir_error *error) {
    if (loop->is_sequence) return expand_sequence(scope, loop, error);
    if (loop->param.length) return expand_param(scope, loop, error);
    weir_value *items = weir__render_value(scope, loop->items, error);
    return items ? items_value(items) : NULL;
}

bool weir__loop_count(const weir_value *expanded, uint32_t *count) {
    const weir_value *sequence = weir_member_named(expanded, "sequence");
    const weir_value *items = weir_member_named(expanded, "items");
    const weir_value *number = weir_member_named(sequence, "count");
    if (weir_is(items, WEIR_ARRAY)) {
        *count = (uint32_t)weir_value_count(items);
        return weir_value_count(items) <= WEIR__NODES_MAX;
    }
    if (!weir_is(number, WEIR_INT) || !weir_is(weir_member_named(sequence, "from"), WEIR_INT) ||
        !weir_is(weir_member_named(sequence, "by"), WEIR_INT) ||
        !is_format(weir_member_text(sequence, "format")))
        return false;
    *count = (uint32_t)weir_int_get(number);
    return weir_int_get(number) >= 0 && weir_int_get(number) <= WEIR__NODES_MAX;
}

/* --- items ---------------------------------------------------------------------------------------- */

static weir_value *sequence_item(const weir_value *sequence, uint32_t at) {
    int64_t number = weir_int_get(weir_member_named(sequence, "from")) +
                     weir_int_get(weir_member_named(sequence, "by")) * at;
    weir_buffer text = {0};
    number_form form;
    (void)read_form(weir_member_text(sequence, "format"), &form); /* it was looked at */
    append_around(form.before, &text);
    if (form.verb)
        append_number(&form, number, &text);
    else /* as Go says it */
        weir_buffer_printf(&text, "%%!(EXTRA int=%lld)", (long long)number);
    append_around(form.after, &text);
    weir_value *item = weir_string_from(weir_buffer_str(&text));
    weir_buffer_deinit(&text);
    return item;
}

weir_value *weir__loop_item(const weir_value *expanded, uint32_t at) {
    const weir_value *items = weir_member_named(expanded, "items");
    if (items) return weir_value_ref(weir_array_at(items, at));
    return sequence_item(weir_member_named(expanded, "sequence"), at);
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* As Argo writes an item: a text as JSON has it, without its quotes. */
static void append_item(const weir_value *value, weir_buffer *out) {
    weir_buffer text = {0};
    if (!weir_is(value, WEIR_STRING)) {
        weir_go_append_text(value, out);
        return;
    }
    weir_json_format(value, 0, &text);
    weir_buffer_str_append(out, weir_str_slice(weir_buffer_str(&text), 1, text.length - 1));
    weir_buffer_deinit(&text);
}

/* `key:value` of each member, in their order as texts. */
static void append_map(const weir_value *map, weir_buffer *out) {
    size_t count = weir_value_count(map);
    char **texts = weir_alloc((count + 1) * sizeof *texts);
    for (size_t i = 0; i < count; i++) {
        weir_buffer text = {0};
        weir_buffer_printf(&text, "%.*s:", WEIR_ARG(weir_object_key(map, i)));
        append_item(weir_object_at(map, i), &text);
        texts[i] = weir_str_dup(weir_buffer_str(&text));
        weir_buffer_deinit(&text);
    }
    qsort(texts, count, sizeof *texts, by_text);
    for (size_t i = 0; i < count; i++) {
        weir_buffer_printf(out, "%s%s", i ? "," : "", texts[i]);
        weir_free(texts[i]);
    }
    weir_free(texts);
}

void weir__loop_item_text(const weir_value *item, weir_buffer *out) {
    weir_buffer text = {0};
    if (weir_is(item, WEIR_OBJECT)) {
        append_map(item, &text);
    } else if (weir_is(item, WEIR_ARRAY)) {
        weir_buffer_byte(&text, '[');
        for (size_t i = 0; i < weir_value_count(item); i++) {
            if (i) weir_buffer_byte(&text, ' ');
            append_item(weir_array_at(item, i), &text);
        }
        weir_buffer_byte(&text, ']');
    } else if (weir_is(item, WEIR_NULL)) {
        weir_buffer_text(&text, "[]");
    } else {
        append_item(item, &text);
    }
    for (size_t i = 0; i < text.length; i++)
        if (text.data[i] != '(' && text.data[i] != ')') weir_buffer_byte(out, text.data[i]);
    weir_buffer_deinit(&text);
}

bool weir__loop_item_append(const weir_value *item, weir_str key, weir_buffer *out) {
    bool whole = !key.length && weir_is(item, WEIR_OBJECT);
    if (key.length) item = weir_is(item, WEIR_OBJECT) ? weir_member(item, key) : NULL;
    if (!item) return false;
    weir_value *sorted = whole ? weir_object_sorted(item) : NULL; /* as Go has it */
    if (key.length)
        append_item(item, out);
    else
        weir_go_append_text(whole ? sorted : item, out);
    weir_value_unref(sorted);
    return true;
}

/* --- what came of it -------------------------------------------------------------------------------- */

/* The text as the JSON that it is, or the text. */
static weir_value *parse_or_text(const weir_value *text, bool *parsed) {
    weir_value *value;
    weir_error ignored;
    *parsed = weir_json_parse(weir_string_get(text), WEIR_STR("output"), &value, &ignored);
    return *parsed ? value : weir_value_ref((weir_value *)text);
}

static weir_value *results_of(const weir__run *run, const weir__node *loop, weir_error *error) {
    weir_value *list = weir_array_new();
    for (uint32_t i = 0; i < loop->count; i++) {
        const weir__node *n = weir__node_at(run, loop->slots[i]);
        const weir_value *text = weir_member_named(weir_member_named(n->end, "outputs"), "result");
        weir_value *value;
        weir_error bad;
        if (n->phase != WEIR__PHASE_SUCCEEDED || !weir_is(text, WEIR_STRING)) continue;
        if (!weir_json_parse(weir_string_get(text), WEIR_STR("result"), &value, &bad)) {
            (void)weir__fail_as_go(weir_string_get(text), error);
            weir_error_hint(error, "the results of a loop are one JSON list: each must be JSON");
            weir_value_unref(list);
            return NULL;
        }
        weir_array_append(list, value);
    }
    return list;
}

/* Texts, unless each of them is a JSON object or list. */
static weir_value *parameter_of(const weir__run *run, const weir__node *loop, weir_str name) {
    weir_value *texts = weir_array_new(), *values = weir_array_new();
    bool all = true;
    for (uint32_t i = 0; i < loop->count; i++) {
        const weir__node *n = weir__node_at(run, loop->slots[i]);
        const weir_value *parameters =
            weir_member_named(weir_member_named(n->end, "outputs"), "parameters");
        weir_value *text = parameters ? weir_member(parameters, name) : NULL;
        if (n->phase != WEIR__PHASE_SUCCEEDED || !weir_is(text, WEIR_STRING)) continue;
        bool parsed;
        weir_value *value = parse_or_text(text, &parsed);
        all = all && (weir_is(value, WEIR_OBJECT) || weir_is(value, WEIR_ARRAY));
        weir_array_append(values, value);
        weir_array_append(texts, weir_value_ref(text));
    }
    weir_value_unref(all ? texts : values);
    return all ? values : texts;
}

static weir_value *parameters_of(const weir__run *run, const weir__node *loop) {
    weir_value *list = weir_array_new();
    for (uint32_t i = 0; i < loop->count; i++) {
        const weir__node *n = weir__node_at(run, loop->slots[i]);
        weir_value *parameters =
            weir_member_named(weir_member_named(n->end, "outputs"), "parameters");
        if (n->phase == WEIR__PHASE_SUCCEEDED && parameters)
            weir_array_append(list, weir_value_ref(parameters));
    }
    return list;
}

bool weir__loop_has_results(const weir__run *run, const weir__node *loop, weir_error *error) {
    weir_value *list = results_of(run, loop, error);
    weir_value_unref(list);
    return list != NULL;
}

bool weir__loop_append_output(const weir__run *run, const weir__node *loop, bool result,
                              weir_str parameter, weir_buffer *out, weir_error *error) {
    weir_value *list = result             ? results_of(run, loop, error)
                       : parameter.length ? parameter_of(run, loop, parameter)
                                          : parameters_of(run, loop);
    if (!list) return false;
    weir_json_format(list, 0, out);
    weir_value_unref(list);
    return true;
}
