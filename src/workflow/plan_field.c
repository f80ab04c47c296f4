#include "workflow/template.h"

#include <stdio.h>

#include "data/json.h"

size_t weir__enter(weir__compiler *c, const char *format, ...) {
    char part[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(part, sizeof part, format, arguments);
    va_end(arguments);
    size_t mark = c->path.length;
    weir_buffer_printf(&c->path, "%s%s", mark ? "/" : "", part);
    return mark;
}

void weir__leave(weir__compiler *c, size_t mark) {
    c->path.length = mark;
    if (c->path.data) c->path.data[mark] = '\0';
}

void weir__problem(weir__compiler *c, weir_code code, const char *format, ...) {
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    weir_document_problem(c->document, c->root, c->path.data ? c->path.data : "", code, c->problems,
                          "%s", message);
}

/* Absent and null are the same to Argo. */
static weir_value *present(const weir_value *object, const char *key) {
    weir_value *value = weir_member_named(object, key);
    return weir_is(value, WEIR_NULL) ? NULL : value;
}

weir_value *weir__field(weir__compiler *c, const weir_value *object, const char *key,
                        weir_type type) {
    weir_value *value = present(object, key);
    if (!value || weir_value_type(value) == type) return value;
    size_t mark = weir__enter(c, "%s", key);
    weir__problem(c, WEIR_INVALID, "`%s` must be of type %s, and is of type %s", key,
                  weir_type_text(type), weir_type_text(weir_value_type(value)));
    weir__leave(c, mark);
    return NULL;
}

bool weir__any_text(weir__compiler *c, const weir_value *value, weir_str *out) {
    weir_type type = value ? weir_value_type(value) : WEIR_NULL;
    if (type == WEIR_NULL || type == WEIR_ARRAY || type == WEIR_OBJECT) {
        weir__problem(c, WEIR_INVALID, "must be a text, and is of type %s", weir_type_text(type));
        return false;
    }
    weir_buffer text = {0};
    if (type == WEIR_STRING)
        weir_buffer_str_append(&text, weir_string_get(value));
    else
        weir_json_format(value, 0, &text);
    weir_str kept = weir_buffer_str(&text);
    *out = (weir_str){weir_str_copy(&c->workflow->arena, kept), kept.length};
    weir_buffer_deinit(&text);
    return true;
}

bool weir__text_field(weir__compiler *c, const weir_value *object, const char *key, weir_str *out) {
    const weir_value *value = present(object, key);
    if (!value) return false;
    size_t mark = weir__enter(c, "%s", key);
    bool good = weir__any_text(c, value, out);
    weir__leave(c, mark);
    return good;
}

bool weir__bool_field(weir__compiler *c, const weir_value *object, const char *key,
                      bool otherwise) {
    const weir_value *value = weir__field(c, object, key, WEIR_BOOL);
    return value ? weir_bool_get(value) : otherwise;
}

/* An empty list of things is as good as none; an empty loop is not, nor is an empty object. */
static bool means_nothing(const weir_value *value, const char *field) {
    if (weir_is(value, WEIR_ARRAY))
        return !weir_value_count(value) && strcmp(field, "withItems") != 0;
    return weir_is(value, WEIR_BOOL) && !weir_bool_get(value);
}

void weir__refuse(weir__compiler *c, const weir_value *object, const char *const *fields) {
    for (; *fields; fields++) {
        const weir_value *value = present(object, *fields);
        if (!value || means_nothing(value, *fields)) continue;
        size_t mark = weir__enter(c, "%s", *fields);
        weir__problem(c, WEIR_UNSUPPORTED, "`%s` is not supported yet", *fields);
        weir__leave(c, mark);
    }
}

weir_str weir__name_field(weir__compiler *c, const weir_value *object, weir_map *names,
                          size_t index, const char *what) {
    weir_str name = WEIR_STR("");
    if (!weir__text_field(c, object, "name", &name) || name.length == 0) {
        weir__problem(c, WEIR_INVALID, "%s.name is required", what);
        return name;
    }
    size_t mark = weir__enter(c, "name");
    bool valid = true;
    for (size_t i = 0; i < name.length; i++)
        valid = valid && ((name.data[i] >= 'a' && name.data[i] <= 'z') ||
                          (name.data[i] >= 'A' && name.data[i] <= 'Z') ||
                          (name.data[i] >= '0' && name.data[i] <= '9') || name.data[i] == '-' ||
                          name.data[i] == '_');
    if (!valid || name.length > 128)
        weir__problem(c, WEIR_INVALID,
                      "%s.name '%.*s' is invalid: it must consist of at most 128 letters, digits, "
                      "'-' and '_'",
                      what, WEIR_ARG(name));
    else if (weir_map_get(names, name, NULL))
        weir__problem(c, WEIR_INVALID, "%s.name '%.*s' is not unique", what, WEIR_ARG(name));
    else
        weir_map_set(names, name, index);
    weir__leave(c, mark);
    return name;
}

void weir__check_enum(weir__compiler *c, const weir_value *source, const weir__parameter *p,
                      const char *what) {
    const weir_value *allowed = weir__field(c, source, "enum", WEIR_ARRAY);
    if (!allowed || !p->given) return;
    size_t mark = weir__enter(c, "enum");
    bool found = false;
    for (size_t i = 0; i < weir_value_count(allowed) && !found; i++) {
        weir_str text;
        found =
            weir__any_text(c, weir_array_at(allowed, i), &text) && weir_str_equal(text, p->text);
    }
    if (!found)
        weir__problem(c, WEIR_INVALID, "%s.%.*s.value should be present in %s.%.*s.enum list", what,
                      WEIR_ARG(p->name), what, WEIR_ARG(p->name));
    weir__leave(c, mark);
}

static void compile_output(weir__compiler *c, const weir_value *source, weir__parameter *p,
                           const char *what) {
    static const char *const unsupported[] = {
        "expression", "path", "supplied", "configMapKeyRef", "event", "jsonPath", "jqFilter", NULL};
    const weir_value *from = weir__field(c, source, "valueFrom", WEIR_OBJECT);
    if (!from) {
        weir__problem(c, WEIR_INVALID, "%s.%.*s does not have valueFrom specified", what,
                      WEIR_ARG(p->name));
        return;
    }
    size_t mark = weir__enter(c, "valueFrom");
    size_t problems = c->problems->total;
    for (const char *const *field = unsupported; *field; field++) {
        if (!present(from, *field)) continue;
        size_t inner = weir__enter(c, "%s", *field);
        weir__problem(c, WEIR_UNSUPPORTED, "`valueFrom.%s` is not supported yet", *field);
        weir__leave(c, inner);
    }
    p->given = weir__text_field(c, from, "parameter", &p->text);
    p->has_fallback = weir__text_field(c, from, "default", &p->fallback);
    if (!p->given && c->problems->total == problems)
        weir__problem(c, WEIR_INVALID, "%s.%.*s.valueFrom type unspecified", what,
                      WEIR_ARG(p->name));
    weir__leave(c, mark);
}

static void compile_parameter(weir__compiler *c, const weir_value *source, weir__parameter *p,
                              weir__role role, const char *what) {
    static const char *const unsupported[] = {"valueFrom", NULL};
    static const char *const unsupported_output[] = {"globalName", NULL};
    weir__refuse(c, source, role == WEIR__OUTPUTS ? unsupported_output : unsupported);
    if (role == WEIR__OUTPUTS) {
        compile_output(c, source, p, what);
        return;
    }
    p->given = weir__text_field(c, source, "value", &p->text) ||
               weir__text_field(c, source, "default", &p->text) ||
               present(source, "valueFrom"); /* a problem already: no need for another */
    if (role == WEIR__ARGUMENTS) weir__check_enum(c, source, p, what);
}

weir__parameters weir__parameters_compile(weir__compiler *c, const weir_value *holder,
                                          weir__role role, const char *what) {
    static const char *const unsupported[] = {"artifacts", NULL};
    weir__parameters parameters = {0};
    if (holder) weir__refuse(c, holder, unsupported);
    const weir_value *list = weir__field(c, holder, "parameters", WEIR_ARRAY);
    if (!list) return parameters;
    parameters.count = weir_value_count(list);
    parameters.items =
        weir_arena_alloc(&c->workflow->arena, parameters.count * sizeof *parameters.items);
    weir_map names = {0};
    for (size_t i = 0; i < parameters.count; i++) {
        size_t mark = weir__enter(c, "parameters/%zu", i);
        const weir_value *source = weir_array_at(list, i);
        parameters.items[i].name = weir__name_field(c, source, &names, i, what);
        compile_parameter(c, source, &parameters.items[i], role, what);
        weir__leave(c, mark);
    }
    weir_map_deinit(&names);
    return parameters;
}

const weir__parameter *weir__parameter_find(const weir__parameters *parameters, weir_str name) {
    for (size_t i = 0; i < parameters->count; i++)
        if (weir_str_equal(parameters->items[i].name, name)) return &parameters->items[i];
    return NULL;
}
