/* Which documents there are beside the workflow, by kind and name. */
#include <stdio.h>

#include "workflow/fields.h"
#include "workflow/load_internal.h"

/* A key in `by_name`: namespaces play no part, as there are none. */
static void write_key(weir_buffer *out, weir_str kind, weir_str name) {
    weir_buffer_clear(out);
    weir_buffer_printf(out, "%.*s/%.*s", WEIR_ARG(kind), WEIR_ARG(name));
}

static bool is_kept(weir_str kind) {
    static const char *const kinds[] = {"WorkflowTemplate", "ClusterWorkflowTemplate", "ConfigMap",
                                        "Secret"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (weir_str_is(kind, kinds[i])) return true;
    return false;
}

static void add_source(weir__loader *l, const weir_document *document, size_t root, bool own) {
    weir_value *value = document->roots.items[root];
    weir__source *source = &l->sources[l->source_count];
    *source = (weir__source){
        .document = document,
        .root = root,
        .value = value,
        .kind = weir_member_text(value, "kind"),
        .name = weir_member_text(weir_member_named(value, "metadata"), "name"),
    };
    l->source_count++;
    if (!is_kept(source->kind) || !source->name.length) return;
    weir_buffer key = {0};
    uint64_t before;
    write_key(&key, source->kind, source->name);
    if (!weir_map_get(&l->by_name, weir_buffer_str(&key), &before)) {
        char *kept = weir_str_copy(&l->arena, weir_buffer_str(&key));
        weir_map_set(&l->by_name, weir_str_from(kept), l->source_count - 1);
    } else if (l->sources[before].document != &l->document->parts.items[0]->document || own) {
        /* What the file has counts more than a library. */
        if (!weir_value_equal(l->sources[before].value, value))
            weir__load_problem(l, source, "metadata/name", WEIR_STR(""),
                               "there is a second %.*s of the name '%.*s': the other is in %s",
                               WEIR_ARG(source->kind), WEIR_ARG(source->name),
                               l->sources[before].document->file);
    }
    weir_buffer_deinit(&key);
}

void weir__sources_index(weir__loader *l) {
    size_t count = 0;
    for (size_t i = 0; i < l->document->parts.count; i++)
        count += l->document->parts.items[i]->document.roots.count;
    l->sources = weir_arena_alloc(&l->arena, (count + 1) * sizeof *l->sources);
    for (size_t i = 0; i < l->document->parts.count; i++) {
        const weir_document *document = &l->document->parts.items[i]->document;
        for (size_t k = 0; k < document->roots.count; k++) add_source(l, document, k, i == 0);
    }
}

weir__source *weir__source_find(const weir__loader *l, const char *kind, weir_str name) {
    weir_buffer key = {0};
    uint64_t at;
    write_key(&key, weir_str_from(kind), name);
    bool found = weir_map_get(&l->by_name, weir_buffer_str(&key), &at);
    weir_buffer_deinit(&key);
    return found ? &l->sources[at] : NULL;
}

void weir__source_check(weir__loader *l, weir__source *source) {
    if (source->checked) return;
    const weir_value *strict = weir_member_named(l->request, "strict_fields");
    source->checked = true;
    source->value =
        weir__fields_check(source->document, source->root,
                           weir_is(strict, WEIR_BOOL) && weir_bool_get(strict), l->problems);
}

weir_str weir__source_near(const weir__loader *l, const char *kind, weir_str name) {
    weir_nearest nearest = weir_nearest_to(name);
    if (!weir__load_tells(l)) return nearest.best;
    for (size_t i = 0; i < l->source_count; i++)
        if (weir_str_is(l->sources[i].kind, kind)) weir_nearest_try(&nearest, l->sources[i].name);
    return nearest.best;
}

void weir__load_problem(weir__loader *l, const weir__source *source, const char *path,
                        weir_str near, const char *format, ...) {
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    size_t before = l->problems->count;
    weir_document_problem(source->document, source->root, path, WEIR_INVALID, l->problems, "%s",
                          message);
    if (l->problems->count > before) weir_error_hint_near(&l->problems->items[before], near, "");
}

void weir__load_hint(weir__loader *l, size_t before) {
    if (l->problems->count > before && !l->problems->items[before].hint[0])
        weir_error_hint(&l->problems->items[before], "--library FILE gives weir a file with it, "
                                                     "`weir template create FILE` keeps it");
}

char *weir__load_text(weir__loader *l, const char *format, ...) {
    char stack[512];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(stack, sizeof stack, format, arguments);
    va_end(arguments);
    char *text = weir_arena_alloc(&l->arena, (size_t)length + 1);
    va_start(arguments, format);
    vsnprintf(text, (size_t)length + 1, format, arguments);
    va_end(arguments);
    return text;
}
