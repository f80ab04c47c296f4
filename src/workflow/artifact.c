/* Artifacts of nodes: what their references stand for, what an attempt is told of them, what came of it. */
#include <stdio.h>

#include "workflow/coordinator.h"

enum { LOG_NAME_BYTES = 72 /* a container's name has 63 at most */ };

bool weir__is_artifacts(const weir_value *value) {
    if (!value) return true;
    if (!weir_is(value, WEIR_ARRAY)) return false;
    for (size_t i = 0; i < weir_value_count(value); i++)
        if (!weir_is(weir_member_named(weir_array_at(value, i), "name"), WEIR_STRING)) return false;
    return true;
}

const weir_value *weir__artifacts_of(const weir__run *run, const weir__node *node) {
    if (!node->template->artifacts_in.count) return NULL;
    const weir_value *own = weir_member_named(node->start, "artifacts");
    if (own || node->parent == WEIR__NONE || node->hook) return own;
    const weir__node *parent = weir__node_at(run, node->parent);
    return parent->type == WEIR__TYPE_RETRY ? weir_member_named(parent->start, "artifacts") : NULL;
}

static weir_value *find(const weir_value *list, weir_str name) {
    for (size_t i = 0; weir_is(list, WEIR_ARRAY) && i < weir_value_count(list); i++)
        if (weir_str_equal(weir_member_text(weir_array_at(list, i), "name"), name))
            return weir_array_at(list, i);
    return NULL;
}

/* --- references ------------------------------------------------------------------------------ */

static const weir__node *step_named(const weir__scope *scope, weir_str step) {
    uint64_t index;
    if (scope->boundary == WEIR__NONE) return NULL;
    const weir__node *boundary = weir__node_at(scope->run, scope->boundary);
    if (!weir_map_get(&boundary->template->step_names, step, &index) ||
        boundary->slots[index] == WEIR__NONE)
        return NULL;
    return weir__node_at(scope->run, boundary->slots[index]);
}

static weir__reference reference_of(const weir__scope *scope, weir_str tag) {
    bool dag = scope->boundary != WEIR__NONE &&
               weir__node_at(scope->run, scope->boundary)->type == WEIR__TYPE_DAG;
    return weir__reference_parse(tag, dag);
}

/* Of a step that did not run (but not of a task) Argo has artifacts that are nowhere. */
static bool is_nowhere(const weir__scope *scope, const weir__node *n, weir_str name) {
    return weir__node_at(scope->run, scope->boundary)->type == WEIR__TYPE_STEPS &&
           (n->phase == WEIR__PHASE_SKIPPED || n->phase == WEIR__PHASE_OMITTED) &&
           weir__artifact_by_name(&n->template->artifacts_out, name);
}

static weir_value *output_named(const weir__scope *scope, const weir__reference *r) {
    const weir__node *n = step_named(scope, r->step);
    if (!n) return NULL;
    const weir_value *outputs = weir_member_named(n->end, "outputs");
    weir_value *found = find(weir_member_named(outputs, "artifacts"), r->name);
    if (found) return weir_value_ref(found);
    if (!is_nowhere(scope, n, r->name)) return NULL;
    found = weir_object_new();
    weir_member_put_text(found, "name", r->name);
    return found;
}

const weir_value *weir__step_artifacts(const weir__scope *scope, weir_str step) {
    const weir__node *n = step_named(scope, step);
    return n ? weir_member_named(weir_member_named(n->end, "outputs"), "artifacts") : NULL;
}

weir_value *weir__artifact_named(const weir__scope *scope, weir_str tag) {
    weir__reference r = reference_of(scope, tag);
    weir_value *found = NULL;
    if (r.subject == WEIR__REF_OUTPUT_ARTIFACT) return output_named(scope, &r);
    if (r.subject == WEIR__REF_INPUT_ARTIFACT)
        found = find(scope->artifacts, r.name);
    else if (r.subject == WEIR__REF_GLOBAL_ARTIFACT && scope->run->global_artifacts)
        found = weir_member(scope->run->global_artifacts, r.name);
    return found ? weir_value_ref(found) : NULL;
}

static weir_value *refer(weir__scope *scope, const weir__artifact *a, weir_error *error) {
    weir_buffer tag = {0};
    weir_value *found = NULL;
    if (a->is_expression) {
        found = weir__expression_value(scope, a->from, error);
        if (!found || weir_member_text(found, "name").length) return found;
        weir_value_unref(found);
        weir_fail(error, WEIR_INVALID, "Variable {{%.*s}} is not an artifact", WEIR_ARG(a->from));
        return NULL;
    }
    /* there may be tags within */
    if (!weir__render(scope, a->from, &tag, error)) {
        weir_buffer_deinit(&tag);
        return NULL;
    }
    weir_str text = weir_buffer_str(&tag);
    found = weir__artifact_named(scope, text);
    if (!found) weir_fail(error, WEIR_INVALID, "Unable to resolve: \"%.*s\"", WEIR_ARG(text));
    weir_buffer_deinit(&tag);
    return found;
}

/* With its subPath; takes the artifact over. */
static weir_value *go_below(weir__scope *scope, const weir__artifact *a, weir_value *artifact,
                            weir_error *error) {
    weir_buffer path = {0};
    weir_value *below = NULL;
    if (!a->sub_path.length || !weir__location_is_known(artifact)) return artifact;
    bool optional = weir_member_named(artifact, "optional") != NULL;
    if (weir__render(scope, a->sub_path, &path, error))
        below = weir__artifact_below(artifact, weir_buffer_str(&path), error);
    weir_buffer_deinit(&path);
    if (!below && optional) return artifact;
    weir_value_unref(artifact);
    return below;
}

/* What an argument or an output of steps stands for. *out is NULL when it is not there and need not be. */
static bool resolve(weir__scope *scope, const weir__artifact *a, weir_value **out,
                    weir_error *error) {
    *out = NULL;
    if (!a->from.length) {
        *out = weir__render_value(scope, a->value, error);
        return *out != NULL;
    }
    weir_value *found = refer(scope, a, error);
    if (found) found = go_below(scope, a, found, error);
    *out = found;
    return found || a->optional;
}

/* --- inputs ---------------------------------------------------------------------------------- */

/* Those of the body of the template, called with the inputs. */
static weir__scope body_scope(const weir__scope *caller, const weir_value *inputs) {
    return (weir__scope){.run = caller->run,
                         .boundary = WEIR__NONE,
                         .inputs = inputs,
                         .retry = caller->retry,
                         .before = caller->before,
                         .self = caller->self,
                         .now_us = caller->now_us,
                         .late = caller->late};
}

static bool fail_reference(const weir__scope *scope, weir_error *error) {
    bool dag = scope->boundary != WEIR__NONE && !scope->self.hook &&
               weir__node_at(scope->run, scope->boundary)->type == WEIR__TYPE_DAG;
    if (dag) return false;
    weir_error own = *error;
    return weir_fail(error, own.code, "unable to resolve references: %.400s", own.message);
}

/* The input, of what the argument stands for and what the template says: an argument wins. NULL and an error. */
static weir_value *make_input(weir__scope *scope, const weir__artifact *input,
                              const weir__artifact *argument, const weir_value *inputs,
                              weir_error *error) {
    weir__scope body = body_scope(scope, inputs);
    weir_value *given = NULL, *made = NULL;
    if (argument && !resolve(scope, argument, &given, error)) {
        scope->lost = true;
        (void)fail_reference(scope, error);
        return NULL;
    }
    weir_value *own = weir__render_value(&body, input->value, error);
    if (own) made = weir__artifact_as(given ? given : own, input->name, own);
    weir_value_unref(given);
    weir_value_unref(own);
    if (!made || weir__location_is_known(made) || input->optional) return made;
    weir_value_unref(made);
    weir_fail(error, WEIR_INVALID, "inputs.artifacts.%.*s %s", WEIR_ARG(input->name),
              given ? "missing location information" : "was not supplied");
    return NULL;
}

bool weir__render_artifacts(weir__scope *scope, const weir__template *called,
                            const weir__artifacts *arguments, const weir_value *inputs,
                            weir_value **out, weir_error *error) {
    *out = NULL;
    if (!called->artifacts_in.count) return true;
    weir_value *list = weir_array_new();
    for (size_t i = 0; i < called->artifacts_in.count; i++) {
        const weir__artifact *input = &called->artifacts_in.items[i];
        weir_value *made =
            make_input(scope, input, weir__artifact_by_name(arguments, input->name), inputs, error);
        if (!made) {
            weir_value_unref(list);
            return false;
        }
        weir_array_append(list, made);
    }
    *out = list;
    return true;
}

/* --- outputs of steps and DAGs --------------------------------------------------------------- */

bool weir__render_artifact_outputs(weir__scope *scope, const weir__template *t, weir_value **out,
                                   weir_error *error) {
    *out = NULL;
    weir_value *list = NULL;
    for (size_t i = 0; i < t->artifacts_out.count; i++) {
        const weir__artifact *a = &t->artifacts_out.items[i];
        weir_value *found = NULL;
        if (!a->from.length) continue;
        if (!resolve(scope, a, &found, error)) {
            weir_value_unref(list);
            return false;
        }
        if (!found) continue;
        weir_value *made = weir__artifact_as(found, a->name, found);
        weir_value *global = weir_member_named(a->value, "globalName");
        if (global) weir_member_put(made, "globalName", weir_value_ref(global));
        weir_value_unref(found);
        if (!list) list = weir_array_new();
        weir_array_append(list, made);
    }
    *out = list;
    return true;
}

/* --- of an attempt --------------------------------------------------------------------------- */

static void copy_member(const weir_value *from, const char *name, weir_value *to, const char *as) {
    weir_value *value = weir_member_named(from, name);
    if (value) weir_member_put(to, as, weir_value_ref(value));
}

static weir_value *input_form(const weir__template *t, const weir_value *artifact) {
    weir_str name = weir_member_text(artifact, "name");
    const weir__artifact *a = weir__artifact_by_name(&t->artifacts_in, name);
    const char *archive = weir__artifact_archive(artifact);
    weir_value *source = weir__artifact_source(artifact), *form = weir_object_new();
    weir_member_put_text(form, "name", name);
    copy_member(artifact, "path", form, "path");
    copy_member(artifact, "mode", form, "mode");
    copy_member(artifact, "recurseMode", form, "recurse_mode");
    if ((a && a->optional) || weir_member_named(artifact, "optional"))
        weir_member_put(form, "optional", weir_bool_new(true));
    if (archive) weir_member_put_text(form, "archive", weir_str_from(archive));
    if (source) weir_member_put(form, "source", source);
    return form;
}

/* What Argo calls the file: by its name, and by how it is packed. */
static void append_file_name(const weir_value *artifact, weir_buffer *out) {
    const char *archive = weir__artifact_archive(artifact);
    weir_str path = weir_member_text(artifact, "path");
    if (archive && strcmp(archive, "none") == 0) {
        while (path.length && path.data[path.length - 1] == '/') path.length--;
        size_t from = path.length;
        while (from && path.data[from - 1] != '/') from--;
        weir_buffer_str_append(out, weir_str_slice(path, from, path.length));
        return;
    }
    weir_buffer_str_append(out, weir_member_text(artifact, "name"));
    weir_buffer_text(out, archive && strcmp(archive, "zip") == 0 ? ".zip" : ".tgz");
}

/* Where the artifact goes, when the file does not say it: a new reference, with that place. */
static weir_value *place_output(weir__scope *scope, const weir__template *t, weir_value *artifact,
                                weir_error *error) {
    const char *member, *kind;
    weir_buffer key = {0};
    weir_value *archive = NULL, *placed = NULL;
    if (weir__location_of_key(artifact, &member)) return weir_value_ref(artifact);
    if (t->archive && weir__location_is_known(t->archive)) {
        archive = weir__render_value(scope, (weir_value *)t->archive, error);
        if (!archive) return NULL;
        kind = weir__location_of_key(archive, &member);
        if (kind) {
            weir_str text = weir_member_text(weir_member_named(archive, kind), member);
            while (text.length && text.data[text.length - 1] == '/') text.length--;
            weir_buffer_str_append(&key, text);
        }
    }
    if (key.length || weir__render(scope, scope->run->workflow->key_format, &key, error)) {
        weir_buffer_byte(&key, '/');
        append_file_name(artifact, &key);
        placed = weir__artifact_at(artifact, archive, weir_buffer_str(&key));
    }
    weir_buffer_deinit(&key);
    weir_value_unref(archive);
    return placed;
}

/* The output as it will be when it is kept; NULL and an error. */
static weir_value *make_output(weir__scope *scope, const weir__template *t, const weir__artifact *a,
                               weir_error *error) {
    weir_value *rendered = weir__render_value(scope, a->value, error);
    if (!rendered) return NULL;
    weir_value *placed = place_output(scope, t, rendered, error);
    weir_value_unref(rendered);
    return placed;
}

static weir_value *output_form(const weir_value *artifact) {
    const char *archive = weir__artifact_archive(artifact);
    weir_value *form = weir__artifact_source(artifact);
    const weir_value *tar = weir_member_named(weir_member_named(artifact, "archive"), "tar");
    copy_member(artifact, "name", form, "name");
    copy_member(artifact, "path", form, "path");
    weir_member_put_text(form, "archive", weir_str_from(archive ? archive : "tar"));
    copy_member(tar, "compressionLevel", form, "compression_level");
    if (weir_member_named(artifact, "optional"))
        weir_member_put(form, "optional", weir_bool_new(true));
    return form;
}

static weir_value *output_forms(weir__scope *scope, const weir__template *t, weir_error *error) {
    weir_value *outputs = weir_array_new();
    for (size_t i = 0; i < t->artifacts_out.count; i++) {
        weir_value *artifact = make_output(scope, t, &t->artifacts_out.items[i], error);
        if (!artifact) {
            weir_value_unref(outputs);
            return NULL;
        }
        weir_array_append(outputs, output_form(artifact));
        weir_value_unref(artifact);
    }
    return outputs;
}

/* A container's log as an artifact; NULL and an error. */
static weir_value *make_log(weir__scope *scope, const weir__template *t, weir_str container,
                            weir_error *error) {
    weir_value *file = weir_object_new(), *plain = weir_object_new(), *log = NULL;
    char name[LOG_NAME_BYTES];
    snprintf(name, sizeof name, "%.*s-logs", WEIR_ARG(container));
    weir_member_put_text(file, "name", weir_str_from(name));
    snprintf(name, sizeof name, "%.*s.log", WEIR_ARG(container));
    weir_member_put_text(file, "path", weir_str_from(name));
    weir_member_put(plain, "none", weir_object_new());
    weir_member_put(file, "archive", plain);
    weir_value *placed = place_output(scope, t, file, error);
    weir_value_unref(file);
    if (!placed) return NULL;
    log = weir_object_new();
    for (size_t i = 0; i < weir_value_count(placed); i++) {
        weir_str key = weir_object_key(placed, i);
        if (!weir_str_is(key, "path") && !weir_str_is(key, "archive"))
            weir_member_set(log, key, weir_value_ref(weir_object_at(placed, i)));
    }
    weir_value_unref(placed);
    return log;
}

/* So many logs has a pod that are kept: of a set each container's, else that of `main`. */
static size_t count_logs(const weir__template *t) {
    return !t->archives_logs ? 0 : t->member_count ? t->member_count : 1;
}

static weir_str container_of(const weir__template *t, size_t at) {
    return t->member_count ? t->members[at].name : WEIR_STR("main");
}

static bool put_logs(weir__scope *scope, const weir__template *t, weir_value *artifacts,
                     weir_error *error) {
    size_t count = count_logs(t);
    weir_value *logs = weir_array_new();
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        weir_value *log = make_log(scope, t, container_of(t, i), error);
        ok = log != NULL;
        if (!ok) break;
        weir_value *wanted = weir__artifact_source(log);
        weir_member_put_text(wanted, "container", container_of(t, i));
        weir_array_append(logs, wanted);
        weir_value_unref(log);
    }
    if (count)
        weir_member_put(artifacts, "logs", logs);
    else
        weir_value_unref(logs);
    return ok;
}

bool weir__put_artifacts(weir__scope *scope, const weir__template *t, weir_value *config,
                         weir_error *error) {
    const weir_value *given = scope->artifacts;
    weir_value *sandbox = weir_member_named(config, "sandbox");
    bool some = t->artifacts_in.count || t->artifacts_out.count || t->archives_logs;
    if (!some || !sandbox) return true;
    weir_value *inputs = weir_array_new(), *outputs = output_forms(scope, t, error);
    for (size_t i = 0; given && i < weir_value_count(given); i++)
        weir_array_append(inputs, input_form(t, weir_array_at(given, i)));
    if (!outputs) {
        weir_value_unref(inputs);
        return false;
    }
    weir_value *artifacts = weir_object_new();
    weir_member_put(artifacts, "inputs", inputs);
    weir_member_put(artifacts, "outputs", outputs);
    if (!put_logs(scope, t, artifacts, error)) {
        weir_value_unref(artifacts);
        return false;
    }
    weir_value *whole = weir_value_own(weir_value_ref(sandbox));
    weir_member_put(whole, "artifacts", artifacts);
    weir_member_put(config, "sandbox", whole);
    return true;
}

/* {"source": {key, bucket?}, "transformation": [expression...]}, for who lists keys. */
bool weir__put_data(weir__scope *scope, const weir__data *data, weir_value *config,
                    weir_error *error) {
    weir_value *rendered = weir__render_value(scope, data->source.value, error);
    if (!rendered) return false;
    weir_value *source = weir__artifact_source(rendered), *list = weir_array_new();
    bool ok = true;
    if (!source) source = weir__artifact_bucket(rendered); /* all of it */
    for (size_t i = 0; ok && i < data->count; i++) {
        weir_buffer text = {0};
        ok = weir__render(scope, data->expressions[i], &text, error);
        if (ok) weir_array_append(list, weir_string_from(weir_buffer_str(&text)));
        weir_buffer_deinit(&text);
    }
    weir_value_unref(rendered);
    weir_member_put(config, "source", source);
    weir_member_put(config, "transformation", list);
    return ok;
}

/* --- what came of it ------------------------------------------------------------------------- */

weir_value *weir__kept_artifacts(const weir__run *run, const weir__node *n,
                                 const weir_value *kept) {
    const weir__template *t = n->template;
    weir_value *list = NULL;
    if (!weir_is(kept, WEIR_OBJECT)) return NULL;
    weir__scope place = weir__scope_at(run, (weir__place){n->parent, n->at, n->hook});
    weir__scope scope = body_scope(&place, n->inputs);
    scope.artifacts = weir__artifacts_of(run, n);
    for (size_t i = 0; i < t->artifacts_out.count; i++) {
        const weir__artifact *a = &t->artifacts_out.items[i];
        const weir_value *one = weir_member(kept, a->name);
        weir_buffer key = {0}, bucket = {0};
        weir_error ignored;
        if (!one) continue;
        weir_value *made = make_output(&scope, t, a, &ignored);
        if (!made) continue;
        weir_value *placed = weir__artifact_as(made, a->name, made);
        weir_value_unref(made);
        /* one that was remembered is where the other run put it */
        weir_str at = weir_member_text(one, "key");
        (void)weir__artifact_key(placed, &key, &bucket);
        if (at.length && !weir_str_equal(at, weir_buffer_str(&key))) {
            made = weir__artifact_at(placed, NULL, at);
            weir_value_unref(placed);
            placed = made;
        }
        weir_buffer_deinit(&key);
        weir_buffer_deinit(&bucket);
        if (!list) list = weir_array_new();
        weir_array_append(list, placed);
    }
    for (size_t i = 0; i < count_logs(t); i++) {
        weir_error ignored;
        weir_value *log = make_log(&scope, t, container_of(t, i), &ignored);
        if (!log || !weir_member(kept, weir_member_text(log, "name"))) {
            weir_value_unref(log);
            continue;
        }
        if (!list) list = weir_array_new();
        weir_array_append(list, log);
    }
    return list;
}

void weir__take_global_artifacts(weir__run *run, const weir__node *n) {
    const weir_value *list = weir_member_named(weir_member_named(n->end, "outputs"), "artifacts");
    for (size_t i = 0; list && i < weir_value_count(list); i++) {
        const weir_value *artifact = weir_array_at(list, i);
        weir_str name = weir_member_text(artifact, "globalName");
        if (!name.length) continue;
        weir_value *made = weir_object_new();
        weir_member_put_text(made, "name", name);
        for (size_t k = 0; k < weir_value_count(artifact); k++) {
            weir_str key = weir_object_key(artifact, k);
            if (!weir_str_is(key, "name") && !weir_str_is(key, "path") &&
                !weir_str_is(key, "globalName"))
                weir_member_set(made, key, weir_value_ref(weir_object_at(artifact, k)));
        }
        if (!run->global_artifacts) run->global_artifacts = weir_object_new();
        weir_member_set(run->global_artifacts, name, made);
    }
}
