/* A run that begins as another did: of the same files as they were then, with other parameters perhaps; memoized also with the
 * outcomes of what succeeded there. */
#include "data/json.h"
#include "engine/engine_internal.h"

#define RESUBMITTED_FROM "workflows.argoproj.io/resubmitted-from-workflow"

/* What is the first run's own, or made anew. */
static bool is_own(weir_str member) {
    static const char *const own[] = {"id",      "name",       "owner", "seed",          "text",
                                      "plugins", "operations", "kind",  "generate_name", "parent"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (weir_str_is(member, own[i])) return true;
    return false;
}

/* What the first one's name was made from; one that was given has a dash and letters by chance behind it. */
static void put_prefix(const weir_run *run, const weir_value *request, weir_value *made) {
    weir_document document = {0};
    weir_str prefix = weir_member_text(request, "generate_name");
    weir_str file = weir_member_text(request, "file"), text = weir_member_text(request, "text");
    weir_buffer out = {0};
    if (weir_document_parse(&document, file.data, text, WEIR_YAML_GUESSED, NULL)) {
        const weir_value *metadata = weir__metadata_of(&document);
        if (!prefix.length && !weir_member_text(metadata, "name").length)
            prefix = weir_member_text(metadata, "generateName");
    }
    weir_buffer_str_append(&out, prefix.length ? prefix : weir_str_from(run->name));
    if (!prefix.length) weir_buffer_byte(&out, '-');
    weir_member_put_text(made, "generate_name", weir_buffer_str(&out));
    weir_buffer_deinit(&out);
    weir_document_deinit(&document);
}

static weir_value *make_request(const weir_run *run, const weir_value *what) {
    const weir_value *request = weir_machine_request(run->machine);
    weir_value *made = weir_object_new();
    for (size_t i = 0; i < weir_value_count(request); i++)
        if (!is_own(weir_object_key(request, i)))
            weir_member_set(made, weir_object_key(request, i),
                            weir_value_ref(weir_object_at(request, i)));
    weir_value *labels =
        weir_object_merge(weir_member_named(request, "labels"), weir_member_named(what, "labels"));
    weir_member_put_text(labels, RESUBMITTED_FROM, weir_str_from(run->name));
    weir_member_put(made, "labels", labels);
    weir_member_put(made, "document", weir_value_ref(weir_member_named(request, "text")));
    weir_member_put(made, "kind", weir_value_ref(weir_member_named(request, "kind")));
    weir_value *parameters = weir_member_named(what, "parameters");
    if (parameters)
        weir_member_put(made, "parameters",
                        weir_object_merge(weir_member_named(request, "parameters"), parameters));
    weir_value *priority = weir_member_named(what, "priority");
    if (priority) weir_member_put(made, "priority", weir_value_ref(priority));
    put_prefix(run, request, made);
    return made;
}

bool weir_resubmit(weir_engine *engine, const char *name, const weir_value *what,
                   void (*problem)(void *arg, const weir_error *error), void *arg, weir_value **out,
                   weir_error *error) {
    weir_run *run;
    weir_restart *kept = NULL;
    bool memoized = weir_member_named(what, "memoized") != NULL;
    if (!weir__run_load(engine, name, NULL, NULL, &run, error)) return false;
    bool workflow = strcmp(run->plan->kind, "workflow") == 0, ok = true;
    if (memoized && (!workflow || !run->over))
        ok = weir_fail(error, WEIR_CONFLICT, "the run %s cannot be resubmitted memoized: it is %s",
                       run->name, workflow ? "not over" : "no workflow");
    if (ok && weir_member_named(weir_machine_request(run->machine), "records")) {
        ok = weir_fail(error, WEIR_CONFLICT, "the contexts of %s were records", run->name);
        weir_error_hint(error, "`weir run records` runs them again");
    }
    ok = ok && (!memoized || weir__run_gather(run, NULL, &kept, error));
    if (ok) {
        weir_value *request = make_request(run, what);
        engine->inherited = kept;
        ok = weir_submit(engine, request, problem, arg, out, error);
        engine->inherited = NULL;
        weir_value_unref(request);
    }
    weir_restart_free(kept);
    weir__run_free(run);
    return ok;
}
