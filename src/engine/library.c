#include "engine/library.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "workflow/load.h"

typedef struct reading {
    weir_documents *documents;
    weir_problems *problems;
    size_t files, bytes;
} reading;

void weir__documents_deinit(weir_documents *documents) {
    for (size_t i = 0; i < documents->count; i++) weir_document_deinit(&documents->items[i]);
    weir_vector_deinit(documents);
}

static bool fail(reading *r, weir_code code, const char *path, const char *problem,
                 const char *hint) {
    weir_error error;
    weir_fail(&error, code, "%s", problem);
    weir_error_place(&error, weir_str_from(path), 0, 0);
    if (hint) weir_error_hint(&error, "%s", hint);
    weir_problems_add(r->problems, &error);
    return false;
}

static bool count(reading *r, size_t bytes, const char *path) {
    r->bytes += bytes;
    if (++r->files <= WEIR__LIBRARY_FILES_MAX && r->bytes <= WEIR_FILE_BYTES_MAX) return true;
    return fail(r, WEIR_LIMIT, path, "the libraries are too large",
                "10,000 files and 256 MiB are allowed in all");
}

static bool read_file(reading *r, const char *path) {
    weir_error error;
    weir_document document = {0};
    if (!weir_document_load(&document, path, WEIR_YAML_1_1, &error)) {
        weir_problems_add(r->problems, &error);
        return false;
    }
    *weir_vector_push(r->documents) = document;
    return count(r, document.text.length, path);
}

static bool is_wanted(const char *name) {
    weir_str text = weir_str_from(name);
    return weir_str_ends(text, WEIR_STR(".yaml")) || weir_str_ends(text, WEIR_STR(".yml")) ||
           weir_str_ends(text, WEIR_STR(".json"));
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

typedef WEIR_VECTOR(char *) names;

static bool list_names(reading *r, const char *path, names *out) {
    DIR *entries = opendir(path);
    if (!entries) return fail(r, WEIR_IO, path, strerror(errno), NULL);
    bool ok = true;
    for (struct dirent *entry; ok && (entry = readdir(entries));) {
        if (entry->d_name[0] == '.') continue;
        *weir_vector_push(out) = weir_str_dup(weir_str_from(entry->d_name));
        ok = out->count <= WEIR__LIBRARY_FILES_MAX || count(r, WEIR_FILE_BYTES_MAX, path);
    }
    closedir(entries);
    if (out->count) qsort(out->items, out->count, sizeof *out->items, by_name);
    return ok;
}

/* Goes on after a file that cannot be read, so that all of them are said; but not beyond a limit. */
static bool read_folder(reading *r, weir_buffer *path, int depth) {
    names list = {0};
    size_t back = path->length;
    bool ok = count(r, 0, path->data) && list_names(r, path->data, &list);
    if (depth > WEIR__LIBRARY_DEEP_MAX)
        ok = fail(r, WEIR_LIMIT, path->data, "directories are nested too deep", NULL);
    bool going = ok;
    for (size_t i = 0; i < list.count; i++) {
        struct stat status;
        weir_buffer_printf(path, "/%s", list.items[i]);
        bool there = going && stat(path->data, &status) == 0;
        if (there && S_ISDIR(status.st_mode))
            ok = read_folder(r, path, depth + 1) && ok;
        else if (there && is_wanted(list.items[i]))
            ok = read_file(r, path->data) && ok;
        going = going && r->files <= WEIR__LIBRARY_FILES_MAX && r->bytes <= WEIR_FILE_BYTES_MAX;
        path->length = back;
        path->data[back] = '\0';
        weir_free(list.items[i]);
    }
    weir_vector_deinit(&list);
    return ok;
}

static bool read_path(reading *r, weir_str given) {
    struct stat status;
    weir_buffer path = {0};
    weir_buffer_str_append(&path, given);
    bool ok;
    if (!given.length || stat(path.data, &status) != 0)
        ok = fail(r, WEIR_NOT_FOUND, given.length ? path.data : "--library",
                  "there is no such library", "--library names a file or a directory");
    else
        ok = S_ISDIR(status.st_mode) ? read_folder(r, &path, 0) : read_file(r, path.data);
    weir_buffer_deinit(&path);
    return ok;
}

bool weir__library_read(const weir_value *request, weir_documents *out, weir_problems *problems) {
    const weir_value *list = weir_member_named(request, "library");
    reading r = {.documents = out, .problems = problems};
    bool ok = true;
    for (size_t i = 0; weir_is(list, WEIR_ARRAY) && i < weir_value_count(list); i++) {
        const weir_value *path = weir_array_at(list, i);
        ok = (weir_is(path, WEIR_STRING)
                  ? read_path(&r, weir_string_get(path))
                  : fail(&r, WEIR_USAGE, "library", "a library is a path", NULL)) &&
             ok;
    }
    return ok;
}

/* --- templates of the state -------------------------------------------------------------------- */

static bool refers(const weir_document *document) {
    return weir_str_find(weir_buffer_str(&document->text), WEIR_STR("emplateRef"), 0) != SIZE_MAX;
}

/* Whether one of the first `count` documents has the template that is the only one of `document`. */
static bool is_known(const weir_documents *documents, size_t count, const weir_document *document) {
    const weir_value *template = document->roots.items[0];
    weir_str kind = weir_member_text(template, "kind");
    weir_str name = weir_member_text(weir_member_named(template, "metadata"), "name");
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < documents->items[i].roots.count; k++) {
            const weir_value *root = documents->items[i].roots.items[k];
            weir_str called = weir_member_text(weir_member_named(root, "metadata"), "name");
            if (weir_str_equal(called, name) &&
                weir_str_equal(weir_member_text(root, "kind"), kind))
                return true;
        }
    return false;
}

static void drop_known(weir_documents *documents, size_t given) {
    size_t left = given;
    for (size_t i = given; i < documents->count; i++) {
        weir_document *document = &documents->items[i];
        if (is_known(documents, given, document))
            weir_document_deinit(document);
        else
            documents->items[left++] = *document;
    }
    documents->count = left;
}

bool weir__library_templates(const weir_value *request, const weir_document *document,
                             weir_documents *out, weir_problems *problems) {
    static const char *const kinds[] = {"WorkflowTemplate", "ClusterWorkflowTemplate"};
    weir_str folder = weir_member_text(request, "templates");
    reading r = {.documents = out, .problems = problems};
    size_t given = out->count;
    bool wanted = refers(document), ok = true;
    for (size_t i = 0; folder.length && i < given && !wanted; i++) wanted = refers(&out->items[i]);
    for (size_t k = 0; folder.length && wanted && k < 2; k++) {
        weir_buffer path = {0};
        struct stat status;
        weir_buffer_printf(&path, "%.*s/%s", WEIR_ARG(folder), kinds[k]);
        if (stat(path.data, &status) == 0) ok = read_folder(&r, &path, 0) && ok;
        weir_buffer_deinit(&path);
    }
    if (given) drop_known(out, given);
    return ok;
}

/* --- secrets --------------------------------------------------------------------------------- */

static bool is_given(const weir_engine *engine, weir_str name) {
    for (size_t i = 0; i < engine->secrets_given.count; i++)
        if (weir_str_is(name, engine->secrets_given.items[i])) return true;
    return false;
}

/* A file of Kubernetes has short values too, "" and "1" among them. */
static void warn_short(weir_str name, weir_problems *problems) {
    weir_error warning;
    (void)weir_fail(&warning, WEIR_OK,
                    "the secret `%.*s` is too short to be hidden: where it is printed, it is seen",
                    WEIR_ARG(name));
    weir_problems_add(problems, &warning);
}

/* A later run's value replaces that of an earlier one, which is masked all the same. */
static bool add_key(weir_engine *engine, weir_str name, weir_str key, weir_str value,
                    weir_problems *problems, weir_error *error) {
    weir_buffer whole = {0};
    weir_buffer_printf(&whole, "%.*s.%.*s", WEIR_ARG(name), WEIR_ARG(key));
    const char *known = weir_secrets_find(&engine->secrets, weir_buffer_str(&whole));
    bool same = known && weir_str_is(value, known);
    bool given = is_given(engine, weir_buffer_str(&whole));
    if (!given && weir_secret_is_short(value)) warn_short(weir_buffer_str(&whole), problems);
    bool ok = same || given ||
              weir_secrets_add_any(&engine->secrets, weir_buffer_str(&whole), value, error);
    weir_buffer_deinit(&whole);
    return ok;
}

static bool add_secret(weir_engine *engine, weir_str name, const weir_value *root,
                       weir_problems *problems, weir_error *error) {
    weir_value *data = NULL;
    bool ok = weir_workflow_secret(root, &data, error);
    for (size_t i = 0; ok && i < weir_value_count(data); i++)
        ok = add_key(engine, name, weir_object_key(data, i),
                     weir_string_get(weir_object_at(data, i)), problems, error);
    weir_value_unref(data);
    return ok;
}

static const weir_value *find_secret(const weir_document *document, weir_str name) {
    for (size_t i = 0; i < document->roots.count; i++) {
        const weir_value *root = document->roots.items[i];
        if (weir_str_is(weir_member_text(root, "kind"), "Secret") &&
            weir_str_equal(weir_member_text(weir_member_named(root, "metadata"), "name"), name))
            return root;
    }
    return NULL;
}

static const weir_document *find_part(const weir_document *document, weir_str file) {
    for (size_t i = 0; i < document->parts.count; i++)
        if (weir_str_is(file, document->parts.items[i]->document.file))
            return &document->parts.items[i]->document;
    return NULL;
}

bool weir__library_secrets(const weir_document *document, weir_engine *engine,
                           weir_problems *problems, weir_error *error) {
    const weir_value *root = document->roots.count ? document->roots.items[0] : NULL;
    const weir_value *wanted = weir_member_named(weir_member_named(root, "weir"), "secrets");
    bool ok = true;
    for (size_t i = 0; ok && weir_is(wanted, WEIR_OBJECT) && i < weir_value_count(wanted); i++) {
        weir_str name = weir_object_key(wanted, i);
        const weir_value *where = weir_object_at(wanted, i);
        const weir_document *part = find_part(document, weir_member_text(where, "file"));
        weir_document again = {0};
        weir_str path = weir_member_text(where, "path");
        if (!part && path.length && weir_document_load(&again, path.data, WEIR_YAML_1_1, NULL))
            part = &again;
        const weir_value *secret = part ? find_secret(part, name) : NULL;
        if (secret) ok = add_secret(engine, name, secret, problems, error);
        weir_document_deinit(&again);
    }
    return ok;
}
