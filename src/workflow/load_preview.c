#include "workflow/load_internal.h"

static weir_value *member_object(const weir_value *of, const char *key) {
    weir_value *member = weir_member_named(of, key);
    return weir_is(member, WEIR_OBJECT) ? weir_value_ref(member) : weir_object_new();
}

/* The parameters with those that are given; new ones come last. */
static weir_value *put_parameters(const weir_value *list, const weir_value *given) {
    weir_value *all = weir_array_new(), *rest = weir_object_new();
    for (size_t i = 0; i < weir_value_count(given); i++)
        weir_member_set(rest, weir_object_key(given, i), weir_value_ref(weir_object_at(given, i)));
    for (size_t i = 0; weir_is(list, WEIR_ARRAY) && i < weir_value_count(list); i++) {
        weir_value *parameter = weir_value_ref(weir_array_at(list, i));
        weir_str name = weir_member_text(parameter, "name");
        weir_value *value = weir_member(given, name);
        if (value && weir_is(parameter, WEIR_OBJECT)) {
            parameter =
                weir__with(weir__without(parameter, "valueFrom"), "value", weir_value_ref(value));
            rest = weir__without(rest, name.data);
        }
        weir_array_append(all, parameter);
    }
    for (size_t i = 0; i < weir_value_count(rest); i++) {
        weir_value *parameter = weir_object_new();
        weir_member_put_text(parameter, "name", weir_object_key(rest, i));
        weir_member_put(parameter, "value", weir_value_ref(weir_object_at(rest, i)));
        weir_array_append(all, parameter);
    }
    weir_value_unref(rest);
    return all;
}

static weir_value *preview_metadata(const weir_value *root, const weir_value *request) {
    weir_value *metadata = member_object(root, "metadata");
    weir_str name = weir_member_text(request, "name");
    weir_str prefix = weir_member_text(request, "generate_name");
    const weir_value *labels = weir__object_member(request, "labels");
    if (name.length || prefix.length) {
        metadata = weir__without(weir__without(metadata, "name"), "generateName");
        metadata = weir__with(metadata, name.length ? "name" : "generateName",
                              weir_string_from(name.length ? name : prefix));
    }
    if (!labels) return metadata;
    weir_value *own = member_object(metadata, "labels");
    weir_value *all = weir__merge(own, labels, NULL, NULL);
    weir_value_unref(own);
    return weir__with(metadata, "labels", all);
}

weir_value *weir_workflow_preview(const weir_value *root, const weir_value *request) {
    weir_value *spec = member_object(root, "spec");
    weir_str entry = weir_member_text(request, "entrypoint");
    const weir_value *given = weir__object_member(request, "parameters");
    if (entry.length) spec = weir__with(spec, "entrypoint", weir_string_from(entry));
    if (given && weir_value_count(given)) {
        weir_value *arguments = member_object(spec, "arguments");
        weir_value *list = put_parameters(weir_member_named(arguments, "parameters"), given);
        spec = weir__with(spec, "arguments", weir__with(arguments, "parameters", list));
    }
    weir_value *workflow = weir_value_ref((weir_value *)root);
    workflow = weir__with(workflow, "metadata", preview_metadata(root, request));
    return weir__with(workflow, "spec", spec);
}
