#include "cli/several.h"

#include <ctype.h>

#include "data/document.h"

/* A line of text that may be the kind of one, and not of a WorkflowTemplate: what is within another value is found to be none later. */
static bool is_kind_line(weir_str line) {
    weir_str name = WEIR_STR("Workflow");
    if (!weir_str_starts(line, WEIR_STR("kind:"))) return false;
    size_t at = weir_str_find(line, name, 0);
    if (at == SIZE_MAX) return false;
    return at + name.length == line.length || !isalpha((unsigned char)line.data[at + name.length]);
}

static bool may_have_several(weir_str text) {
    size_t found = 0;
    for (size_t at = 0; at < text.length && found < 2;) {
        const char *end = memchr(text.data + at, '\n', text.length - at);
        size_t to = end ? (size_t)(end - text.data) : text.length;
        found += is_kind_line(weir_str_slice(text, at, to));
        at = to + 1;
    }
    return found > 1;
}

static bool is_workflow(const weir_value *root) {
    return weir_str_is(weir_member_text(root, "kind"), "Workflow") &&
           weir_str_starts(weir_member_text(root, "apiVersion"), WEIR_STR("argoproj.io/"));
}

static void add_each(const weir_value *request, const weir_document *document, weir_value *list) {
    for (size_t i = 0; i < document->roots.count; i++) {
        if (!is_workflow(document->roots.items[i])) continue;
        weir_value *one = weir_value_own(weir_value_ref((weir_value *)(uintptr_t)request));
        weir_member_put(one, "which", weir_int_new((int64_t)i));
        weir_array_append(list, one);
    }
}

/* Whether it has several; then they are read. */
static bool read_several(const weir_value *request, weir_document *document) {
    const char *file = weir_member_text(request, "file").data;
    const weir_value *given = weir_member_named(request, "document");
    weir_buffer read = {0};
    weir_error ignored;
    if (!file) return false;
    bool ok = given || weir_file_read(file, WEIR_FILE_BYTES_MAX, &read, &ignored);
    weir_str text = given ? weir_string_get(given) : weir_buffer_str(&read);
    ok = ok && may_have_several(text) &&
         weir_document_parse(document, file, text, WEIR_YAML_1_1, &ignored);
    weir_buffer_deinit(&read);
    return ok;
}

void weir_cli_split_files(weir_value **requests) {
    weir_value *list = weir_array_new();
    for (size_t i = 0; i < weir_value_count(*requests); i++) {
        weir_value *request = weir_array_at(*requests, i);
        weir_document document = {0};
        size_t before = weir_value_count(list);
        if (read_several(request, &document)) add_each(request, &document, list);
        weir_document_deinit(&document);
        if (weir_value_count(list) == before) weir_array_append(list, weir_value_ref(request));
    }
    weir_value_unref(*requests);
    *requests = list;
}
