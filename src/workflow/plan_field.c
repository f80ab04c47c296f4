#include "workflow/template.h"

#include <stdio.h>

#include "data/json.h"

enum { NAME_MAX_BYTES = 128 };

/* Each step of a million enters a dozen places: of the formats only %s, %u and %zu are known. */
size_t weir__enter(weir__compiler *c, const char *format, ...) {
    size_t mark = c->path.length;
    va_list arguments;
    if (mark) weir_buffer_byte(&c->path, '/');
    va_start(arguments, format);
    for (const char *at = format; *at;) {
        size_t plain = strcspn(at, "%");
        weir_buffer_append(&c->path, at, plain);
        at += plain;
        if (!*at) break;
        if (at[1] == 's') {
            weir_buffer_text(&c->path, va_arg(arguments, const char *));
            at += 2;
        } else {
            bool size = at[1] == 'z';
            weir_assert(at[1 + size] == 'u');
            size_t number = size ? va_arg(arguments, size_t) : va_arg(arguments, unsigned);
            weir_buffer_number(&c->path, number);
            at += 2 + size;
        }
    }
    va_end(arguments);
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

void weir__hint_template(weir__compiler *c, size_t before, weir_str name) {
    if (c->problems->count == before) return; /* it was only counted */
    weir_nearest nearest = weir_nearest_to(name);
    for (size_t i = 0; i < c->workflow->template_count; i++)
        if (c->workflow->templates[i].name.length)
            weir_nearest_try(&nearest, c->workflow->templates[i].name);
    weir_error_hint_near(&c->problems->items[before], nearest.best, "");
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
    if (type == WEIR_STRING) {
        weir_str own = weir_string_get(value);
        *out = (weir_str){weir_str_copy(&c->workflow->arena, own), own.length};
        return true;
    }
    weir_buffer text = {0};
    weir_json_plain(value, &text);
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

static bool is_letter(char ch) {
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9');
}

bool weir__is_port_name(weir_str name) {
    bool valid = name.length > 0 && name.length <= NAME_MAX_BYTES;
    for (size_t i = 0; i < name.length; i++)
        valid = valid && (is_letter(name.data[i]) || name.data[i] == '-' || name.data[i] == '_');
    return valid;
}

/* Why a name is none of its kind: of a parameter or artifact, or of a template, step or task; NULL: it is one. */
static const char *name_trouble(weir_str name, bool port) {
    bool valid = port || is_letter(name.data[0]);
    for (size_t i = 0; i < name.length && !port; i++)
        valid = valid && (is_letter(name.data[i]) || name.data[i] == '-');
    if (name.length > NAME_MAX_BYTES) return "must be no more than 128 bytes";
    if (port && !weir__is_port_name(name)) return WEIR__PORT_NAME_RULE;
    if (valid) return NULL;
    return "name must consist of alpha-numeric characters or '-', and must start with an "
           "alpha-numeric character (e.g. My-name1-2, 123-NAME)";
}

/* Which of the list's items: a step's is in `what` already. */
static const char *place_of(size_t index, bool step, char out[static 32]) {
    *out = '\0';
    if (!step) snprintf(out, 32, "[%zu]", index);
    return out;
}

weir_str weir__name_field(weir__compiler *c, const weir_value *object, weir_map *names,
                          size_t index, const char *what) {
    weir_str name = WEIR_STR(""), holder = weir_str_from(what);
    char place[32];
    bool template = weir_str_is(holder, "templates"), step = weir_str_ends(holder, WEIR_STR("]"));
    const char *head = template ? "spec." : "";
    if (!weir__text_field(c, object, "name", &name) || name.length == 0) {
        weir__problem(c, WEIR_INVALID, "%s%s%s.name is required", head, what,
                      place_of(index, step, place));
        return name;
    }
    size_t mark = weir__enter(c, "name");
    bool port = !template && !step && !weir_str_ends(holder, WEIR_STR(".tasks"));
    /* A template from elsewhere has a name made by the loader, which saw what it was made of. */
    bool made = template && weir_member_named(object, "weir");
    const char *trouble = made ? NULL : name_trouble(name, port);
    bool again = !weir_map_add(names, name, index);
    if (trouble)
        weir__problem(c, WEIR_INVALID, "%s%s%s.name%s '%.*s' is invalid: %s", head, what,
                      place_of(index, step, place), step ? "" : ":", WEIR_ARG(name), trouble);
    else if (again)
        weir__problem(c, WEIR_INVALID, "%s%s%s.name '%.*s' is not unique", head, what,
                      place_of(index, step, place), WEIR_ARG(name));
    weir__leave(c, mark);
    return name;
}

void weir__check_enum(weir__compiler *c, const weir_value *source, const weir__parameter *p,
                      const char *what) {
    const weir_value *allowed = weir__field(c, source, "enum", WEIR_ARRAY);
    if (!allowed || !p->given) return;
    size_t mark = weir__enter(c, "enum");
    bool found = false;
    if (!weir_value_count(allowed)) {
        weir__problem(c, WEIR_INVALID, "%s.%.*s.enum should contain at least one value", what,
                      WEIR_ARG(p->name));
        weir__leave(c, mark);
        return;
    }
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
    static const char *const unsupported[] = {"configMapKeyRef", "event", "jsonPath", "jqFilter",
                                              NULL};
    const weir_value *from = weir__field(c, source, "valueFrom", WEIR_OBJECT);
    p->is_fixed = weir__text_field(c, source, "value", &p->text);
    if (!from == !p->is_fixed) {
        weir__problem(c, WEIR_INVALID,
                      from ? "%s.%.*s has both valueFrom and value specified, choose one"
                           : "%s.%.*s does not have valueFrom or value specified",
                      what, WEIR_ARG(p->name));
        return;
    }
    if (p->is_fixed) return;
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
    if (!p->given && weir__text_field(c, from, "expression", &p->text))
        p->given = p->is_expression = true;
    (void)weir__text_field(c, from, "path", &p->path);
    p->supplied = weir__field(c, from, "supplied", WEIR_OBJECT) != NULL;
    int types = p->given + p->supplied + (p->path.length > 0) +
                (p->given && !p->is_expression && present(from, "expression"));
    if (types != 1 && c->problems->total == problems)
        weir__problem(c, WEIR_INVALID,
                      types ? "%s.%.*s: multiple valueFrom types specified. choose one of: path, "
                              "jqFilter, jsonPath, parameter, raw"
                            : "%s.%.*s: valueFrom type unspecified. choose one of: path, jqFilter, "
                              "jsonPath, parameter, raw, expression",
                      what, WEIR_ARG(p->name));
    weir__leave(c, mark);
}

/* Argo takes the value of an input from its argument, and of an argument from a config map, which the loader looked up. */
static bool is_from_elsewhere(weir__compiler *c, const weir_value *source, weir_str name,
                              weir__role role, const char *what) {
    static const char *const sources[] = {"path",      "jsonPath",   "jqFilter",
                                          "parameter", "expression", NULL};
    const weir_value *from = weir__field(c, source, "valueFrom", WEIR_OBJECT);
    const char *const *member = sources;
    while (*member && !present(from, *member)) member++;
    if (!*member || present(from, "configMapKeyRef")) return false;
    if (role == WEIR__INPUTS) return true;
    size_t mark = weir__enter(c, "valueFrom");
    weir__problem(c, WEIR_INVALID,
                  "%s.%.*s.valueFrom only allows: default, configMapKeyRef and supplied", what,
                  WEIR_ARG(name));
    weir__leave(c, mark);
    return true;
}

static void compile_parameter(weir__compiler *c, const weir_value *source, weir__parameter *p,
                              weir__role role, const char *what) {
    static const char *const unsupported[] = {"valueFrom", NULL};
    bool filled = role != WEIR__OUTPUTS && present(source, "value"); /* the loader knew it */
    if (role == WEIR__OUTPUTS) {
        compile_output(c, source, p, what);
        (void)weir__text_field(c, source, "globalName", &p->global_name);
        weir_str global = p->global_name;
        if (global.length && weir_str_find(global, WEIR_STR("{{"), 0) == SIZE_MAX &&
            !weir__is_port_name(global))
            weir__problem(c, WEIR_INVALID, "%s.%.*s.globalName: %s", what, WEIR_ARG(p->name),
                          WEIR__PORT_NAME_RULE);
        return;
    }
    bool elsewhere = !filled && is_from_elsewhere(c, source, p->name, role, what);
    if (!filled && !elsewhere) weir__refuse(c, source, unsupported);
    bool told = present(source, "valueFrom") && !(elsewhere && role == WEIR__INPUTS);
    p->given = weir__text_field(c, source, "value", &p->text) ||
               weir__text_field(c, source, "default", &p->text) || told;
    if (role == WEIR__ARGUMENTS) weir__check_enum(c, source, p, what);
}

weir__parameters weir__parameters_compile(weir__compiler *c, const weir_value *holder,
                                          weir__role role, const char *what) {
    weir__parameters parameters = {0};
    const weir_value *list = weir__field(c, holder, "parameters", WEIR_ARRAY);
    if (!list) return parameters;
    parameters.count = weir_value_count(list);
    parameters.items =
        weir_arena_alloc(&c->workflow->arena, parameters.count * sizeof *parameters.items);
    weir_map names = {0};
    char all[400];
    snprintf(all, sizeof all, "%s%s", what, role == WEIR__ARGUMENTS ? ".parameters" : "");
    for (size_t i = 0; i < parameters.count; i++) {
        size_t mark = weir__enter(c, "parameters/%zu", i);
        const weir_value *source = weir_array_at(list, i);
        parameters.items[i].name = weir__name_field(c, source, &names, i, all);
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
