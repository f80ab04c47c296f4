#include "engine/compose.h"

#include <math.h>

#include "data/json.h"
#include "dataflow/file.h"

enum { OVERLAYS_MAX = 100 };

#define CONFIGURE "--configure" /* instead of a file's name */

bool weir__reading_add(weir__reading *reading, size_t bytes, const char *file, weir_error *error) {
    reading->files++;
    reading->bytes += bytes;
    if (reading->files <= WEIR__FILES_MAX && reading->bytes <= WEIR_FILE_BYTES_MAX) return true;
    weir_fail(error, WEIR_LIMIT, "a dataflow is put together from too many files");
    weir_error_place(error, weir_str_from(file), 0, 0);
    weir_error_hint(error, "%d files and %d bytes are allowed", WEIR__FILES_MAX,
                    WEIR_FILE_BYTES_MAX);
    return false;
}

/* --- what can be kept ------------------------------------------------------------------------ */

typedef struct scale {
    size_t bytes; /* that may still come; what a value needs as text is at least what is taken */
    int depth;    /* that may still come */
    bool finite, deep;
} scale;

static bool weigh(const weir_value *value, scale *s) {
    bool object = weir_is(value, WEIR_OBJECT), array = weir_is(value, WEIR_ARRAY);
    size_t own = 1 + (weir_is(value, WEIR_STRING) ? weir_string_get(value).length : 0);
    if (weir_is(value, WEIR_FLOAT)) s->finite = s->finite && isfinite(weir_number_get(value));
    for (size_t i = 0; object && i < weir_value_count(value); i++)
        own += weir_object_key(value, i).length + 3;
    s->deep = (object || array) && s->depth == 0;
    if (own > s->bytes || s->deep) return false;
    s->bytes -= own;
    s->depth--;
    for (size_t i = 0; (object || array) && i < weir_value_count(value); i++)
        if (!weigh(object ? weir_object_at(value, i) : weir_array_at(value, i), s)) return false;
    s->depth++;
    return true;
}

bool weir__value_fits(const weir_value *value, weir_error *error) {
    scale s = {.bytes = WEIR_FILE_BYTES_MAX, .depth = WEIR_DEPTH_MAX, .finite = true};
    bool fits = weigh(value, &s);
    if (fits && s.finite) return true;
    if (fits)
        return weir_fail(error, WEIR_INVALID,
                         "an infinite number, or none, cannot be kept in a dataflow");
    weir_fail(error, WEIR_LIMIT, "put together, the dataflow is %s",
              s.deep ? "nested too deep" : "too large");
    weir_error_hint(error, "%d %s are allowed", s.deep ? WEIR_DEPTH_MAX : WEIR_FILE_BYTES_MAX,
                    s.deep ? "levels" : "bytes");
    return false;
}

/* --- files ----------------------------------------------------------------------------------- */

bool weir__compose_load(weir__reading *reading, const char *file, weir_document *document,
                        weir_error *error) {
    weir_document loaded = {0};
    weir_problems *repeated = reading->files ? NULL : reading->repeated;
    bool known = reading->last && !reading->files &&
                 weir_document_load_again(&loaded, file, WEIR_YAML_GUESSED, reading->last, error);
    if (!known && !weir_document_load_on(&loaded, file, WEIR_YAML_GUESSED, repeated, error))
        return false;
    if (weir__reading_add(reading, loaded.text.length, file, error) &&
        (!weir__is_dirconf(file) || weir__dirconf_add(reading, &loaded, error))) {
        *document = loaded;
        return true;
    }
    weir_document_deinit(&loaded);
    return false;
}

bool weir__compose_value(weir_value *flow, const char *file, bool kept, weir_document *document,
                         weir_error *error) {
    if (kept && !weir__value_fits(flow, error)) return false;
    *document = (weir_document){.file = weir_str_dup(weir_str_from(file))};
    *weir_vector_push(&document->roots) = weir_value_ref(flow);
    if (kept) weir_document_write(document);
    return true;
}

typedef struct composer {
    weir__reading *reading;
    weir_document *document;
    weir_problems *problems;
    bool files;
} composer;

/* An error without a place gets that of the path; one of a file as a whole is said where the file is named. */
static bool fail_at(const composer *c, const char *path, const weir_error *error) {
    weir_error placed = *error;
    if (!error->line) {
        weir_problems own = {0};
        weir_document_problem(c->document, 0, path, error->code, &own, "%s%s%s", error->file,
                              *error->file ? ": " : "", error->message);
        placed = own.items[0];
        weir_error_hint(&placed, "%s", error->hint);
        weir_problems_deinit(&own);
    }
    weir_problems_add(c->problems, &placed);
    return false;
}

/* A problem that has to do with the request only. */
static bool fail_request(const composer *c, weir_error *error) {
    weir_error_place(error, weir_str_from(c->document->file), 0, 0);
    weir_problems_add(c->problems, error);
    return false;
}

/* Takes the root over when the document has it for good. */
static void replace_root(const composer *c, weir_value *root) {
    weir_document_compose(c->document);
    weir_document_set_root(c->document, root);
}

/* --- dataflows that configurations name ------------------------------------------------------- */

static bool name_inner(composer *c);

/* The dataflow in the file `name`, which is relative to the file that has it at `path`; a new part. */
static weir_value *load_inner(composer *c, weir_str name, const char *path, bool relative) {
    weir_buffer file = {0}, ignored = {0};
    weir_document part = {0};
    weir_error error;
    weir_value *root = NULL;
    const char *from = weir_document_part_of(c->document, path, &ignored)->file;
    const char *slash = relative ? strrchr(from, '/') : NULL;
    if (slash && !weir_str_starts(name, WEIR_STR("/")))
        weir_buffer_append(&file, from, (size_t)(slash - from) + 1);
    weir_buffer_str_append(&file, name);
    bool ok = true;
    if (!c->files && relative)
        ok = weir_fail(&error, WEIR_INVALID, "a dataflow that is no file cannot name another");
    else if (c->reading->depth == WEIR__FILES_DEEP_MAX)
        ok = weir_fail(&error, WEIR_LIMIT, "dataflows name dataflows more than %d deep",
                       WEIR__FILES_DEEP_MAX);
    ok = ok && weir__compose_load(c->reading, file.data, &part, &error);
    if (ok && !weir_is(part.roots.items[0], WEIR_OBJECT))
        ok = weir_fail(&error, WEIR_INVALID, "%s is no dataflow", file.data);
    if (!ok) {
        fail_at(c, path, &error);
    } else {
        composer inner = {c->reading, &part, c->problems, true};
        c->reading->depth++;
        ok = name_inner(&inner);
        c->reading->depth--;
    }
    if (ok) {
        root = weir_value_ref(part.roots.items[0]);
        weir_document_compose(c->document);
        weir_document_add_part(c->document, path, &part);
    } else {
        weir_document_deinit(&part);
    }
    weir_buffer_deinit(&file);
    weir_buffer_deinit(&ignored);
    return root;
}

static weir_value *change_flow(composer *c, weir_value *flow, weir_buffer *path);

/* The configuration with its dataflow in place; NULL: a problem. New reference. */
static weir_value *change_config(composer *c, weir_value *config, weir_buffer *path) {
    weir_value *inner = weir_member_named(config, "dataflow"), *changed = NULL;
    if (!weir_is(inner, WEIR_STRING) && !weir_is(inner, WEIR_OBJECT)) return weir_value_ref(config);
    size_t back = path->length;
    weir_path_append(path, WEIR_STR("dataflow"));
    if (weir_is(inner, WEIR_STRING))
        changed = load_inner(c, weir_string_get(inner), path->data, true);
    else
        changed = change_flow(c, inner, path);
    path->length = back;
    path->data[back] = '\0';
    if (!changed) return NULL;
    weir_value *result = weir_value_ref(config);
    if (changed == inner) {
        weir_value_unref(changed);
        return result;
    }
    result = weir_value_own(result);
    weir_member_put(result, "dataflow", changed);
    return result;
}

/* The dataflow with those that its configurations name; itself when it names none; NULL: a problem. New reference. */
static weir_value *change_flow(composer *c, weir_value *flow, weir_buffer *path) {
    weir_value *configs = weir_member_named(flow, "configs");
    if (!weir_is(configs, WEIR_OBJECT)) return weir_value_ref(flow);
    weir_value *all = weir_object_new();
    size_t back = path->length;
    bool ok = true, same = true;
    weir_path_append(path, WEIR_STR("configs"));
    for (size_t i = 0; i < weir_value_count(configs); i++) {
        weir_value *config = weir_object_at(configs, i);
        size_t length = path->length;
        weir_path_append(path, weir_object_key(configs, i));
        weir_value *changed = change_config(c, config, path);
        path->length = length;
        ok = ok && changed;
        same = same && changed == config;
        if (changed) weir_member_set(all, weir_object_key(configs, i), changed);
    }
    path->length = back;
    if (path->data) path->data[back] = '\0';
    weir_value *result = ok ? weir_value_ref(flow) : NULL;
    if (ok && !same) {
        result = weir_value_own(result);
        weir_member_put(result, "configs", all);
    } else {
        weir_value_unref(all);
    }
    return result;
}

static bool name_inner(composer *c) {
    weir_buffer path = {0};
    weir_value *flow = c->document->roots.items[0];
    weir_value *changed = change_flow(c, flow, &path);
    weir_buffer_deinit(&path);
    if (changed && changed != flow)
        replace_root(c, changed);
    else
        weir_value_unref(changed);
    return changed != NULL;
}

/* --- overlays -------------------------------------------------------------------------------- */

typedef struct checking {
    const weir_document *document;
    weir_problems *problems;
} checking;

static void take_problem(void *arg, const char *path, const weir_error *error) {
    checking *check = arg;
    weir_document_problem(check->document, 0, path, error->code, check->problems, "%s",
                          error->message);
}

bool weir__compose_check(const weir_document *document, bool whole, weir_problems *problems) {
    size_t before = problems->total;
    checking check = {document, problems};
    weir_dataflow_file_check(document->roots.items[0], whole, take_problem, &check);
    return problems->total == before;
}

/* Makes the document's root linked; its places stay. */
static void link_root(weir_document *document) {
    weir_value *linked = weir_dataflow_file_link(document->roots.items[0]);
    weir_document_compose(document);
    if (document->parts.count == 1)
        weir_document_set_root(&document->parts.items[0]->document, weir_value_ref(linked));
    weir_document_set_root(document, linked);
}

/* So that others can be merged over it, or it over others. */
static bool prepare(weir_document *document, weir_problems *problems) {
    bool ok = weir__compose_check(document, false, problems);
    if (ok) link_root(document);
    return ok;
}

/* Whether an input that the dataflow, or one within, gives itself brings its definition: nobody else may have it. */
static bool brings_definitions(const weir_value *flow) {
    const weir_value *seed = weir_member_named(flow, "seed");
    for (size_t i = 0; weir_is(seed, WEIR_ARRAY) && i < weir_value_count(seed); i++)
        if (weir_is(weir_member_named(weir_array_at(seed, i), "definition"), WEIR_OBJECT))
            return true;
    const weir_value *configs = weir_member_named(flow, "configs");
    for (size_t i = 0; weir_is(configs, WEIR_OBJECT) && i < weir_value_count(configs); i++)
        if (brings_definitions(weir_member_named(weir_object_at(configs, i), "dataflow")))
            return true;
    return false;
}

/* Lays the dataflow in `part` over the document's, which is linked. Takes what is in the part over when it succeeds. */
static bool lay_over(composer *c, weir_document *part) {
    composer over = {c->reading, part, c->problems, true};
    weir_buffer where = {0};
    weir_value *merged = NULL;
    weir_error error;
    bool ok = name_inner(&over) && prepare(part, c->problems);
    if (ok && !weir_dataflow_file_merge(c->document->roots.items[0], part->roots.items[0], &merged,
                                        &where, &error))
        ok = fail_at(&over, weir_buffer_str(&where).data, &error);
    if (ok) {
        weir_document_set_root(c->document, merged);
        weir_document_add_part(c->document, "", part);
    }
    weir_buffer_deinit(&where);
    return ok;
}

static bool add_overlays(composer *c, const weir_value *overlays) {
    weir_error error;
    size_t count = weir_is(overlays, WEIR_ARRAY) ? weir_value_count(overlays) : 0;
    if (overlays && (!weir_is(overlays, WEIR_ARRAY) || count > OVERLAYS_MAX)) {
        weir_fail(&error, WEIR_USAGE, "`overlays` is no list of at most %d paths", OVERLAYS_MAX);
        return fail_request(c, &error);
    }
    if (count && !prepare(c->document, c->problems)) return false;
    for (size_t i = 0; i < count; i++) {
        const weir_value *path = weir_array_at(overlays, i);
        weir_document part = {0};
        if (!weir_is(path, WEIR_STRING)) {
            weir_fail(&error, WEIR_USAGE, "an overlay is the path of a file");
            return fail_request(c, &error);
        }
        if (!weir__compose_load(c->reading, weir_string_get(path).data, &part, &error)) {
            weir_problems_add(c->problems, &error);
            return false;
        }
        if (!lay_over(c, &part)) {
            weir_document_deinit(&part);
            return false;
        }
    }
    return true;
}

/* --- what the request configures -------------------------------------------------------------- */

/* A text as the command line has it; a dataflow's is a file, from where the command was given. */
static weir_value *read_text(composer *c, weir_str instance, weir_str key, weir_value *text) {
    weir_value *value;
    if (!weir_json_parse(weir_string_get(text), WEIR_STR(""), &value, NULL))
        value = weir_value_ref(text);
    if (!weir_str_is(key, "dataflow") || !weir_is(value, WEIR_STRING)) return value;
    weir_buffer path = {0};
    weir_path_append(&path, WEIR_STR("configs"));
    weir_path_append(&path, instance);
    weir_path_append(&path, key);
    weir_value *flow = load_inner(c, weir_string_get(value), path.data, false);
    weir_buffer_deinit(&path);
    weir_value_unref(value);
    return flow;
}

/* A copy of the object, or a new one when there is none; NULL: it is something else. */
static weir_value *object_of(weir_value *value) {
    if (!value) return weir_object_new();
    return weir_is(value, WEIR_OBJECT) ? weir_value_own(weir_value_ref(value)) : NULL;
}

/* Where what is wrong with the configuration of an instance comes from, when it is not from a file. */
static void note_configured(composer *c, weir_str instance, const weir_value *config,
                            const weir_value *texts) {
    weir_document part = {.file = weir_str_dup(WEIR_STR(CONFIGURE))};
    weir_value *given = weir_object_new(), *all = weir_object_new();
    for (size_t i = 0; i < weir_value_count(texts); i++) {
        weir_str key = weir_object_key(texts, i);
        weir_member_set(given, key, weir_value_ref(weir_member(config, key)));
    }
    weir_member_set(all, instance, given);
    *weir_vector_push(&part.roots) = all;
    weir_document_add_part(c->document, "configs", &part);
}

/* {key: text} into configs.INSTANCE. */
static bool configure_instance(composer *c, weir_str instance, const weir_value *texts) {
    weir_error error;
    weir_value *root = c->document->roots.items[0];
    const weir_value *operations = weir_member_named(root, "operations");
    if (!weir_is(operations, WEIR_OBJECT) || !weir_member(operations, instance)) {
        weir_fail(&error, WEIR_UNKNOWN_OPERATION, "there is no operation `%.*s` to configure",
                  WEIR_ARG(instance));
        weir_error_place(&error, WEIR_STR(CONFIGURE), 0, 0);
        weir_problems_add(c->problems, &error);
        return false;
    }
    weir_value *configs = object_of(weir_member_named(root, "configs"));
    weir_value *config = configs ? object_of(weir_member(configs, instance)) : NULL;
    if (!config) {
        weir_value_unref(configs);
        weir_fail(&error, WEIR_INVALID, "`configs` is no object of objects");
        return fail_at(c, "configs", &error);
    }
    bool ok = true;
    for (size_t i = 0; ok && i < weir_value_count(texts); i++) {
        weir_str key = weir_object_key(texts, i);
        weir_value *text = weir_object_at(texts, i);
        weir_value *value =
            weir_is(text, WEIR_STRING) ? read_text(c, instance, key, text) : weir_value_ref(text);
        if (value) weir_member_set(config, key, value);
        ok = value != NULL;
    }
    weir_value_ref(config);
    weir_member_set(configs, instance, config);
    root = weir_value_own(weir_value_ref(c->document->roots.items[0]));
    weir_member_put(root, "configs", configs);
    replace_root(c, root);
    if (ok) note_configured(c, instance, config, texts);
    weir_value_unref(config);
    return ok;
}

static bool configure(composer *c, const weir_value *configure) {
    bool ok = !configure || weir_is(configure, WEIR_OBJECT);
    for (size_t i = 0; ok && configure && i < weir_value_count(configure); i++) {
        const weir_value *texts = weir_object_at(configure, i);
        ok = weir_is(texts, WEIR_OBJECT);
        if (ok && !configure_instance(c, weir_object_key(configure, i), texts)) return false;
    }
    if (ok) return true;
    weir_error error;
    weir_fail(&error, WEIR_USAGE, "`configure` is no object of INSTANCE: {KEY: TEXT}");
    return fail_request(c, &error);
}

bool weir__compose(weir__reading *reading, weir_document *document, const weir_value *request,
                   bool files, weir_problems *problems) {
    composer c = {reading, document, problems, files};
    weir_error error;
    if (!weir_is(document->roots.items[0], WEIR_OBJECT)) return true; /* which compiling says */
    if (!name_inner(&c) || !add_overlays(&c, weir_member_named(request, "overlays")) ||
        !configure(&c, weir_member_named(request, "configure")))
        return false;
    if (brings_definitions(document->roots.items[0])) link_root(document);
    if (!document->parts.count) return true;
    if (!weir__value_fits(document->roots.items[0], &error)) return fail_request(&c, &error);
    weir_document_write(document);
    return true;
}
