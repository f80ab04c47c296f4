/* A request's files: inputs and contexts that stand in files of their own, where what is wrong with them is said. */
#include "engine/engine_internal.h"

static const char *const members[] = {"contexts", "inputs"}, *const files[] = {"contexts_file",
                                                                               "inputs_file"};

/* In which of the files it stands; false when it is in none. */
static bool place_in_file(const weir__request *request, weir_str member, weir_str rest,
                          weir_error *error) {
    for (size_t i = 0; i < WEIR__REQUEST_FILES; i++) {
        const weir_document *document = &request->documents[i];
        uint32_t line = 1, column = 1;
        if (!document->file || !weir_str_is(member, members[i])) continue;
        (void)!weir_yaml_locate(weir_buffer_str(&document->text), 0, rest, &line, &column);
        error->file[0] = '\0';
        weir_error_place(error, weir_str_from(document->file), line, column);
        return true;
    }
    return false;
}

/* NAME=VALUE, or CONTEXT:NAME=VALUE, stand in no file; the value may be a secret. */
static void place_argument(weir_str rest, weir_error *error) {
    weir_buffer place = {0}, part = {0};
    weir_buffer_text(&place, "argument ");
    for (bool first = true; rest.length; first = false) {
        weir_path_take(&rest, &part);
        weir_buffer_printf(&place, "%s%.*s", first ? "" : ":", WEIR_ARG(weir_buffer_str(&part)));
    }
    weir_error_place(error, weir_buffer_str(&place), 0, 0);
    weir_buffer_deinit(&place);
    weir_buffer_deinit(&part);
}

static void place(void *arg, const char *path, weir_error *error) {
    weir_str rest = weir_str_from(path);
    weir_buffer member = {0};
    weir_path_take(&rest, &member);
    weir_str name = weir_buffer_str(&member);
    if (!place_in_file(arg, name, rest, error) &&
        (weir_str_is(name, "texts") || weir_str_is(name, "context_texts")))
        place_argument(rest, error);
    weir_buffer_deinit(&member);
}

/* The object in the file instead of the file's name. */
static bool load(weir__request *request, size_t at, const char *file, weir_error *error) {
    weir_document *document = &request->documents[at];
    if (!weir_document_load(document, file, WEIR_YAML_CORE, error)) return false;
    weir_value *root = document->roots.items[0];
    if (document->roots.count == 1 && weir_is(root, WEIR_OBJECT)) {
        weir_member_put(request->value, members[at], weir_value_ref(root));
        return true;
    }
    weir_fail(error, WEIR_INVALID, "%s are one object, by name", members[at]);
    weir_error_place(error, weir_str_from(file), 1, 1);
    return false;
}

/* False when the member is none of those. */
static bool find_file(weir_str member, size_t *at) {
    for (*at = 0; *at < WEIR__REQUEST_FILES; ++*at)
        if (weir_str_is(member, files[*at])) return true;
    return false;
}

bool weir__request_open(weir__request *request, const weir_value *given, weir_problems *problems) {
    *request = (weir__request){.value = weir_object_new()};
    problems->place = place;
    problems->place_arg = request;
    bool ok = true;
    for (size_t i = 0, at; ok && i < weir_value_count(given); i++) {
        weir_str key = weir_object_key(given, i);
        weir_value *value = weir_object_at(given, i);
        weir_error error;
        if (!find_file(key, &at)) {
            weir_member_set(request->value, key, weir_value_ref(value));
            continue;
        }
        if (!weir_is(value, WEIR_STRING) || weir_member_named(given, members[at]))
            ok = weir_fail(&error, WEIR_USAGE, "`%s` is the path of a file, instead of `%s`",
                           files[at], members[at]);
        else
            ok = load(request, at, weir_string_get(value).data, &error);
        if (!ok) weir_problems_add(problems, &error);
    }
    return ok;
}

void weir__request_close(weir__request *request) {
    for (size_t i = 0; i < WEIR__REQUEST_FILES; i++) weir_document_deinit(&request->documents[i]);
    weir_value_unref(request->value);
}
