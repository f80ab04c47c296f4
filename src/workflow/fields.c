#include "workflow/fields.h"

#include <stdio.h>

#include "base/map.h"
#include "data/go.h"
#include "workflow/load_internal.h"

typedef struct check {
    const weir_document *document;
    size_t root;
    bool strict;
    weir_problems *problems;
    weir_buffer path;
    int steps;     /* within how many `steps`, where Argo converts nothing */
    weir_map said; /* fields that a warning named */
} check;

static weir_value *check_object(check *k, const weir__field_of *of, weir_value *object);

static void leave(check *k, size_t mark) {
    k->path.length = mark;
    if (k->path.data) k->path.data[mark] = '\0';
}

static size_t enter_index(check *k, size_t index) {
    size_t mark = k->path.length;
    if (mark) weir_buffer_byte(&k->path, '/');
    weir_buffer_number(&k->path, index);
    return mark;
}

static void say(check *k, weir_code code, weir_str near, const char *format, ...) WEIR_PRINTF(4, 5);

static void say(check *k, weir_code code, weir_str near, const char *format, ...) {
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    size_t problems = k->problems->count, warnings = k->problems->warnings.count;
    weir_document_problem(k->document, k->root, weir_buffer_str(&k->path).data, code, k->problems,
                          "%s", message);
    if (k->problems->count > problems)
        weir_error_hint_near(&k->problems->items[problems], near, "");
    if (k->problems->warnings.count > warnings)
        weir_error_hint_near(&k->problems->warnings.items[warnings], near, "");
}

/* --- fields by name -------------------------------------------------------------------------- */

static const weir__field_entry *find(const weir__field_of *of, weir_str name) {
    for (const weir__field_entry *field = of->fields; field->name; field++)
        if (field->name[0] == name.data[0] && weir_str_is(name, field->name)) return field;
    return NULL;
}

static void say_unknown(check *k, const weir__field_of *of, weir_str name) {
    if (weir_str_is(name, "weir")) { /* what the loader writes there is believed */
        say(k, WEIR_INVALID, WEIR_STR(""), "a file cannot have the field `weir` of %s", of->what);
        return;
    }
    weir_nearest nearest = weir_nearest_to(name);
    size_t told = k->strict ? k->problems->count : k->problems->warnings.count;
    for (const weir__field_entry *field = of->fields; told < WEIR_PROBLEMS_MAX && field->name;
         field++)
        weir_nearest_try(&nearest, weir_str_from(field->name));
    say(k, k->strict ? WEIR_INVALID : WEIR_OK, nearest.best, "unknown field `%.*s` of %s",
        WEIR_ARG(name), of->what);
}

static bool means_nothing(const weir_value *value) {
    return !weir_value_truth(value);
}

static void say_cluster(check *k, const weir__field_entry *field, const weir_value *value) {
    weir_str name = weir_str_from(field->name);
    if (means_nothing(value) || weir_map_get(&k->said, name, NULL)) return;
    weir_map_set(&k->said, name, 1);
    say(k, WEIR_OK, WEIR_STR(""), "`%s` has no effect without Kubernetes%s%s", field->name,
        field->note[0] ? ": " : "", field->note);
}

/* --- values ---------------------------------------------------------------------------------- */

static weir_value *fail_type(check *k, const char *wanted, weir_value *value) {
    weir_str name = weir_buffer_str(&k->path);
    size_t from = name.length;
    while (from > 0 && name.data[from - 1] != '/') from--;
    name = weir_str_slice(name, from, name.length);
    if (name.length && name.data[0] >= '0' && name.data[0] <= '9') {
        say(k, WEIR_INVALID, WEIR_STR(""), "this item must be of type %s, and is of type %s",
            wanted, weir_type_text(weir_value_type(value)));
        return weir_value_ref(value);
    }
    say(k, WEIR_INVALID, WEIR_STR(""), "`%.*s` must be of type %s, and is of type %s",
        WEIR_ARG(name), wanted, weir_type_text(weir_value_type(value)));
    return weir_value_ref(value);
}

static weir_value *fail_text(check *k, weir_value *value) {
    say(k, WEIR_INVALID, WEIR_STR(""), "must be a text, and is of type %s",
        weir_type_text(weir_value_type(value)));
    return weir_value_ref(value);
}

static weir_value *check_text(check *k, weir_value *value) {
    weir_type type = weir_value_type(value);
    if (type == WEIR_STRING) return weir_value_ref(value);
    if (type == WEIR_ARRAY || type == WEIR_OBJECT) return fail_text(k, value);
    if (k->steps) {
        size_t before = k->problems->count;
        weir_value *same = fail_text(k, value);
        if (k->problems->count > before)
            weir_error_hint(
                &k->problems->items[before],
                type == WEIR_BOOL
                    ? "quote it: without quotes YAML reads y, yes, on, n, no and off as "
                      "booleans, and within `steps` Argo makes no text of them"
                    : "quote it");
        return same;
    }
    weir_value *text = weir_go_text_of(value);
    if (type == WEIR_BOOL && weir_str_ends(weir_buffer_str(&k->path), WEIR_STR("/name")))
        say(k, WEIR_OK, WEIR_STR(""),
            "this name is `%.*s`: without quotes YAML reads y, yes, on, n, no and off as booleans",
            WEIR_ARG(weir_string_get(text)));
    return text;
}

/* Empty is as good as absent, and with tags nobody knows yet. */
static void check_choice(check *k, const weir__field_entry *field, const weir_value *value) {
    if (!field->choices || !weir_is(value, WEIR_STRING)) return;
    weir_str text = weir_string_get(value), rest = weir_str_from(field->choices);
    weir_nearest nearest = weir_nearest_to(text);
    if (!text.length || weir__has_tag(text)) return;
    while (rest.length) {
        size_t end = weir_str_find(rest, WEIR_STR("|"), 0);
        weir_str one = weir_str_slice(rest, 0, end);
        if (weir_str_equal(one, text)) return;
        weir_nearest_try(&nearest, one);
        rest = weir_str_slice(rest, end == SIZE_MAX ? end : end + 1, rest.length);
    }
    say(k, WEIR_INVALID, nearest.best, "unknown %s '%.*s': it is one of %s", field->name,
        WEIR_ARG(text), field->choices);
}

static weir_value *check_any_text(check *k, weir_value *value) {
    weir_type type = weir_value_type(value);
    if (type == WEIR_ARRAY || type == WEIR_OBJECT) return fail_text(k, value);
    /* A float's text is not what JSON prints. */
    return type == WEIR_FLOAT ? weir_go_text_of(value) : weir_value_ref(value);
}

typedef struct item {
    check *k;
    const weir__field_of *of;
    weir__field_type type;
    const weir_value *object; /* whose members these are; NULL: a list's */
} item;

static weir_value *check_value(check *k, const weir__field_of *of, weir__field_type type,
                               weir_value *value);

static weir_value *check_item(void *arg, weir_value *value, size_t index) {
    const item *i = arg;
    size_t mark = i->k->path.length;
    if (i->object)
        weir_path_append(&i->k->path, weir_object_key(i->object, index));
    else
        (void)enter_index(i->k, index);
    weir_value *checked = check_value(i->k, i->of, i->type, value);
    leave(i->k, mark);
    return checked;
}

static weir_value *check_items(check *k, const weir__field_of *of, weir__field_type type,
                               weir_value *value, bool object) {
    if (!weir_is(value, object ? WEIR_OBJECT : WEIR_ARRAY))
        return fail_type(k, object ? "object" : "array", value);
    item i = {k, of, type, object ? value : NULL};
    return weir__map_items(value, check_item, &i);
}

static weir_value *check_lists(check *k, const weir__field_of *of, weir_value *value) {
    k->steps++;
    weir_value *checked = check_items(k, of, WEIR__FIELD_LIST, value, false);
    k->steps--;
    return checked;
}

static weir_value *check_simple(check *k, weir__field_type type, weir_value *value) {
    weir_type is = weir_value_type(value);
    bool number = is == WEIR_INT || (is == WEIR_FLOAT && type == WEIR__FIELD_FREE);
    switch (type) {
    case WEIR__FIELD_TEXT: return check_text(k, value);
    case WEIR__FIELD_ANY_TEXT: return check_any_text(k, value);
    case WEIR__FIELD_INT: return number ? weir_value_ref(value) : fail_type(k, "integer", value);
    case WEIR__FIELD_INT_TEXT:
        return number || is == WEIR_STRING ? weir_value_ref(value)
                                           : fail_type(k, "integer or string", value);
    case WEIR__FIELD_BOOL:
        return is == WEIR_BOOL ? weir_value_ref(value) : fail_type(k, "boolean", value);
    case WEIR__FIELD_FREE_OBJECT:
        return is == WEIR_OBJECT ? weir_value_ref(value) : fail_type(k, "object", value);
    case WEIR__FIELD_FREE_LIST:
        return is == WEIR_ARRAY ? weir_value_ref(value) : fail_type(k, "array", value);
    default: return weir_value_ref(value);
    }
}

/* A new reference. */
static weir_value *check_value(check *k, const weir__field_of *of, weir__field_type type,
                               weir_value *value) {
    if (weir_is(value, WEIR_NULL)) return weir_value_ref(value); /* as good as absent */
    switch (type) {
    case WEIR__FIELD_OBJECT: return check_object(k, of, value);
    case WEIR__FIELD_LIST: return check_items(k, of, WEIR__FIELD_OBJECT, value, false);
    case WEIR__FIELD_LISTS: return check_lists(k, of, value);
    case WEIR__FIELD_MAP: return check_items(k, of, WEIR__FIELD_OBJECT, value, true);
    case WEIR__FIELD_TEXTS: return check_items(k, NULL, WEIR__FIELD_TEXT, value, false);
    case WEIR__FIELD_TEXT_MAP: return check_items(k, NULL, WEIR__FIELD_TEXT, value, true);
    default: return check_simple(k, type, value);
    }
}

static weir_value *check_object(check *k, const weir__field_of *of, weir_value *object) {
    if (!weir_is(object, WEIR_OBJECT)) return fail_type(k, "object", object);
    weir_value *out = weir_value_ref(object);
    for (size_t i = 0; i < weir_value_count(object); i++) {
        weir_str name = weir_object_key(object, i);
        weir_value *value = weir_object_at(object, i);
        const weir__field_entry *field = find(of, name);
        size_t mark = k->path.length;
        weir_path_append(&k->path, name);
        if (!field) {
            say_unknown(k, of, name);
        } else {
            if (field->state == WEIR__FIELD_CLUSTER_SAID) say_cluster(k, field, value);
            weir_value *checked = check_value(k, field->of, field->type, value);
            check_choice(k, field, checked);
            if (checked == value)
                weir_value_unref(checked);
            else
                out = weir__with(out, name.data, checked);
        }
        leave(k, mark);
    }
    return out;
}

/* What Kubernetes would refuse: RFC 1123's labels, with points between. */
static bool is_object_name(weir_str name, bool prefix) {
    bool start = true;
    if (name.length > 253) return false;
    for (size_t i = 0; i < name.length; i++) {
        char c = name.data[i];
        bool inner = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!inner && (start || (c != '-' && c != '.'))) return false;
        if (c == '.' && name.data[i - 1] == '-') return false;
        start = c == '.';
    }
    return prefix || !name.length || (!start && name.data[name.length - 1] != '-');
}

static void check_names(check *k, const weir_value *metadata) {
    static const char *const names[] = {"name", "generateName"};
    for (size_t i = 0; i < 2; i++) {
        weir_str name = weir_member_text(metadata, names[i]);
        if (is_object_name(name, i == 1)) continue;
        weir_buffer_clear(&k->path);
        weir_buffer_printf(&k->path, "metadata/%s", names[i]);
        say(k, k->strict ? WEIR_INVALID : WEIR_OK, WEIR_STR(""),
            "Argo refuses the %s '%.*s': it is to be of lower case letters, digits, '-' and '.' "
            "(RFC 1123)",
            names[i], WEIR_ARG(name));
    }
}

weir_value *weir__fields_check(const weir_document *document, size_t root, bool strict,
                               weir_problems *problems) {
    weir_value *value = document->roots.items[root];
    const weir__field_of *of = weir__fields_of_kind(weir_member_text(value, "kind"));
    if (!of) return weir_value_ref(value);
    check k = {.document = document, .root = root, .strict = strict, .problems = problems};
    weir_value *checked = check_object(&k, of, value);
    check_names(&k, weir_member_named(checked, "metadata"));
    weir_buffer_deinit(&k.path);
    weir_map_deinit(&k.said);
    return checked;
}
