#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/time.h"
#include "data/json.h"
#include "workflow/coordinator.h"

weir__scope weir__scope_at(const weir__run *run, weir__place place) {
    weir__scope scope = {.run = run,
                         .boundary = weir__boundary_at(run, place),
                         .self = place,
                         .retry = WEIR__NONE,
                         .before = WEIR__NONE};
    const weir__node *boundary =
        scope.boundary == WEIR__NONE ? NULL : weir__node_at(run, scope.boundary);
    const weir__node *parent = place.parent == WEIR__NONE ? NULL : weir__node_at(run, place.parent);
    if (boundary) scope.inputs = boundary->inputs;
    if (boundary) scope.artifacts = weir__artifacts_of(run, boundary);
    if (parent && parent->type == WEIR__TYPE_RETRY && !place.hook) {
        scope.retry = place.at;
        scope.before = parent->last;
    } else if (boundary && boundary->parent != WEIR__NONE && !boundary->hook &&
               weir__node_at(run, boundary->parent)->type == WEIR__TYPE_RETRY) {
        scope.retry = boundary->at;
        scope.before = boundary->last;
    }
    return scope;
}

void weir__scope_enter(weir__scope *scope, const weir_value *inputs) {
    if (inputs) scope->inputs = inputs;
    scope->boundary = WEIR__NONE;
}

/* --- texts ------------------------------------------------------------------------------------------- */

static bool append_member(const weir_value *object, weir_str name, weir_buffer *out) {
    const weir_value *value = object ? weir_member(object, name) : NULL;
    if (!weir_is(value, WEIR_STRING)) return false;
    weir_buffer_str_append(out, weir_string_get(value));
    return true;
}

static bool append_parameter(const weir__parameter *p, weir_buffer *out) {
    if (p) weir_buffer_str_append(out, p->text);
    return p != NULL;
}

/* As strftime has it, in UTC; RFC 3339 for an empty form, seconds since 1970 for `s`. */
static bool append_time(uint64_t us, weir_str form, weir_buffer *out) {
    time_t seconds = (time_t)(us / 1000000);
    struct tm parts;
    char text[128], format[8] = "%?";
    if (weir_str_is(form, "s")) {
        weir_buffer_printf(out, "%" PRIu64, us / 1000000);
        return true;
    }
    if (form.length && !weir_str_is(form, "RFC3339")) {
        if (form.length != 1 || !strchr("YmdHMSjyBbAaeIplDFTRzZ", form.data[0])) return false;
        format[1] = form.data[0];
    }
    gmtime_r(&seconds, &parts);
    bool whole = format[1] == '?';
    if (!strftime(text, sizeof text, whole ? "%Y-%m-%dT%H:%M:%SZ" : format, &parts)) return false;
    weir_buffer_text(out, text);
    return true;
}

/* --- of steps and tasks ---------------------------------------------------------------------------------- */

static bool append_output(weir__scope *scope, const weir__node *node, const weir__reference *r,
                          weir_buffer *out) {
    const weir_value *outputs = weir_member_named(node->end, "outputs");
    bool ran = node->phase != WEIR__PHASE_SKIPPED && node->phase != WEIR__PHASE_OMITTED;
    if (node->type == WEIR__TYPE_ITEMS && r->subject != WEIR__REF_EXIT_CODE)
        return weir__loop_append_output(scope->run, node, r->subject == WEIR__REF_RESULT, r->name,
                                        out, scope->error);
    if (r->subject == WEIR__REF_RESULT) {
        if (append_member(outputs, WEIR_STR("result"), out)) return true;
    } else if (r->subject == WEIR__REF_EXIT_CODE) {
        if (append_member(outputs, WEIR_STR("exitCode"), out)) return true;
    } else if (r->subject == WEIR__REF_OUTPUTS) {
        const weir_value *parameters = weir_member_named(outputs, "parameters");
        if (parameters) weir_json_format(parameters, 0, out);
        if (parameters) return true;
    } else {
        if (append_member(weir_member_named(outputs, "parameters"), r->name, out)) return true;
        const weir__parameter *p = weir__parameter_find(&node->template->outputs, r->name);
        if (p && p->has_fallback) {
            weir_buffer_str_append(out, p->fallback);
            return true;
        }
    }
    scope->absent = scope->absent || !ran;
    return false;
}

static bool append_step(weir__scope *scope, const weir__reference *r, weir_buffer *out) {
    const weir__run *run = scope->run;
    const weir__node *boundary = weir__node_at(run, scope->boundary);
    uint64_t index;
    if (!weir_map_get(&boundary->template->step_names, r->step, &index) ||
        boundary->slots[index] == WEIR__NONE)
        return false;
    uint32_t at = boundary->slots[index];
    const weir__node *node = weir__node_at(run, at);
    switch (r->subject) {
    case WEIR__REF_STATUS: weir_buffer_text(out, weir__phase_texts[node->phase]); return true;
    case WEIR__REF_ID: weir__node_id(run, at, out); return true;
    case WEIR__REF_STARTED_AT: return append_time(node->started_us, WEIR_STR(""), out);
    case WEIR__REF_FINISHED_AT: return append_time(node->finished_us, WEIR_STR(""), out);
    case WEIR__REF_HOST: weir_buffer_str_append(out, weir__node_host(run, node)); return true;
    case WEIR__REF_IP:
        weir_buffer_text(out, "127.0.0.1"); /* processes share the host's network */
        return true;
    default: return append_output(scope, node, r, out);
    }
}

/* --- of the run -------------------------------------------------------------------------------------------- */

/* What failed, as Argo has it: a Go string of a JSON list. */
static void append_failures(const weir__run *run, weir_buffer *out) {
    weir_value *list = weir_array_new();
    for (uint32_t i = 0; i < run->nodes.count; i++) {
        const weir__node *n = weir__node_at(run, i);
        if (n->type != WEIR__TYPE_POD || !weir__is_failure(n->phase)) continue;
        weir_value *failure = weir_object_new();
        weir_buffer text = {0};
        weir__node_display_name(run, i, &text);
        weir_member_put_text(failure, "displayName", weir_buffer_str(&text));
        weir_member_put_text(failure, "message", weir_member_text(n->end, "message"));
        weir_member_put_text(failure, "templateName", n->template->name);
        weir_member_put_text(failure, "phase", weir_str_from(weir__phase_texts[n->phase]));
        weir_buffer_clear(&text);
        weir__pod_name(run, (weir__place){n->parent, n->at, n->hook}, &text);
        weir_member_put_text(failure, "podName", weir_buffer_str(&text));
        weir_buffer_clear(&text);
        (void)append_time(n->finished_us, WEIR_STR(""), &text);
        weir_member_put_text(failure, "finishedAt", weir_buffer_str(&text));
        weir_buffer_deinit(&text);
        weir_array_append(list, failure);
    }
    weir_buffer json = {0};
    weir_json_format(list, 0, &json);
    weir_value *quoted = weir_string_from(weir_buffer_str(&json));
    weir_json_format(quoted, 0, out);
    weir_value_unref(quoted);
    weir_value_unref(list);
    weir_buffer_deinit(&json);
}

/* Cuts `prefix` off the name. */
static bool after(weir_str *name, const char *prefix) {
    weir_str p = weir_str_from(prefix);
    if (!weir_str_starts(*name, p)) return false;
    *name = weir_str_slice(*name, p.length, name->length);
    return true;
}

static bool append_all_parameters(const weir__workflow *workflow, weir_buffer *out) {
    weir_value *list = weir_array_new();
    for (size_t i = 0; i < workflow->parameters.count; i++) {
        weir_value *parameter = weir_object_new();
        weir_member_put_text(parameter, "name", workflow->parameters.items[i].name);
        weir_member_put_text(parameter, "value", workflow->parameters.items[i].text);
        weir_array_append(list, parameter);
    }
    weir_json_format(list, 0, out);
    weir_value_unref(list);
    return true;
}

/* `labels` or `annotations`, with or without `.json`: all of them, as Go writes a map. */
static bool append_all_texts(const weir_value *metadata, weir_str name, weir_buffer *out) {
    if (weir_str_ends(name, WEIR_STR(".json"))) name.length -= sizeof ".json" - 1;
    if (!weir_str_is(name, "labels") && !weir_str_is(name, "annotations")) return false;
    const weir_value *texts = metadata ? weir_member(metadata, name) : NULL;
    weir_value *sorted =
        weir_is(texts, WEIR_OBJECT) ? weir_object_sorted(texts) : weir_object_new();
    weir_json_format(sorted, 0, out);
    weir_value_unref(sorted);
    return true;
}

static bool append_run_fact(const weir__scope *scope, weir_str name, weir_buffer *out) {
    const weir__run *run = scope->run;
    const weir_value *metadata = run->workflow->metadata;
    weir_str whole = name;
    if (after(&name, "labels.") && append_member(weir_member_named(metadata, "labels"), name, out))
        return true;
    if (after(&name, "annotations.") &&
        append_member(weir_member_named(metadata, "annotations"), name, out))
        return true;
    if (append_all_texts(metadata, whole, out)) return true;
    if (after(&name, "outputs.parameters.")) return append_member(run->globals, name, out);
    if (weir_str_is(name, "parameters")) return append_all_parameters(run->workflow, out);
    if (weir_str_is(name, "creationTimestamp"))
        return append_time(run->created_us, WEIR_STR(""), out);
    if (after(&name, "creationTimestamp.")) return append_time(run->created_us, name, out);
    if (weir_str_is(name, "scheduledTime") && !weir_member_named(metadata, "scheduledTime"))
        return append_time(run->created_us, WEIR_STR(""), out);
    if (weir_str_is(name, "mainEntrypoint")) {
        weir_buffer_str_append(out, weir__called(run->workflow, &run->workflow->entry)->name);
        return true;
    }
    if (weir_str_is(name, "uid")) {
        weir_buffer_printf(out, "%08x-0000-4000-8000-%012" PRIx64,
                           weir_hash_fnv32(run->workflow->name),
                           run->created_us & UINT64_C(0xffffffffffff));
        return true;
    }
    if (weir_str_is(name, "duration")) {
        weir_buffer_printf(out, "%.6f", (double)(scope->now_us - run->created_us) / 1e6);
        return true;
    }
    return append_member(metadata, name, out);
}

static bool append_run(const weir__scope *scope, const weir__reference *r, weir_buffer *out) {
    const weir__run *run = scope->run;
    const weir__workflow *workflow = run->workflow;
    switch (r->subject) {
    case WEIR__REF_NAME: weir_buffer_str_append(out, workflow->name); return true;
    case WEIR__REF_PARAMETER:
        return append_parameter(weir__parameter_find(&workflow->parameters, r->name), out);
    case WEIR__REF_RUN_STATUS:
        weir_buffer_text(
            out,
            weir__phase_texts[run->nodes.count ? weir__workflow_phase(run) : WEIR__PHASE_RUNNING]);
        return true;
    case WEIR__REF_RUN_FAILURES: append_failures(run, out); return true;
    default: return append_run_fact(scope, r->name, out);
    }
}

/* [{name, value}] of {name: text}. */
static void append_inputs(const weir_value *inputs, weir_buffer *out) {
    weir_value *list = weir_array_new();
    for (size_t i = 0; inputs && i < weir_value_count(inputs); i++) {
        weir_value *parameter = weir_object_new();
        weir_member_put_text(parameter, "name", weir_object_key(inputs, i));
        weir_member_put(parameter, "value", weir_value_ref(weir_object_at(inputs, i)));
        weir_array_append(list, parameter);
    }
    weir_json_format(list, 0, out);
    weir_value_unref(list);
}

/* --- of the node itself -------------------------------------------------------------------------------------- */

static void append_tag(weir_str name, weir_buffer *out) {
    weir_buffer_printf(out, "{{%.*s}}", WEIR_ARG(name));
}

static bool append_last_retry(const weir__scope *scope, weir_str what, weir_buffer *out) {
    const weir__node *before =
        scope->before == WEIR__NONE ? NULL : weir__node_at(scope->run, scope->before);
    if (weir_str_is(what, "exitCode")) {
        const weir_value *outputs = before ? weir_member_named(before->end, "outputs") : NULL;
        if (!append_member(outputs, WEIR_STR("exitCode"), out))
            weir_buffer_text(out, before ? "-1" : "0");
    } else if (weir_str_is(what, "status")) {
        weir_buffer_text(out, before ? weir__phase_texts[before->phase] : "");
    } else if (weir_str_is(what, "message")) {
        if (before) weir_buffer_str_append(out, weir_member_text(before->end, "message"));
    } else if (weir_str_is(what, "duration")) {
        uint64_t us = before ? before->finished_us - before->started_us : 0;
        weir_buffer_printf(out, "%" PRIu64, us / 1000000);
    } else {
        return false;
    }
    return true;
}

/* Where an artifact or a parameter of the node's template is in the container. */
static bool append_path(const weir__scope *scope, const weir__reference *r, weir_buffer *out) {
    const weir__step *step = weir__step_at(scope->run, scope->self);
    if (!step) return false;
    const weir__template *t = weir__called(scope->run->workflow, step);
    bool input = r->subject == WEIR__REF_ARTIFACT_PATH;
    const weir__artifact *a =
        weir__artifact_by_name(input ? &t->artifacts_in : &t->artifacts_out, r->name);
    const weir__parameter *p = weir__parameter_find(&t->outputs, r->name);
    if (r->subject == WEIR__REF_PARAMETER_PATH ? !p : !a) return false;
    weir__scope own = *scope; /* the path may have tags itself */
    weir_error error;
    bool ok =
        weir__render(&own, r->subject == WEIR__REF_PARAMETER_PATH ? p->path : a->path, out, &error);
    if (!ok && scope->error) *scope->error = error;
    return ok;
}

/* What only an attempt knows. */
static bool append_self(const weir__scope *scope, weir_str tag, const weir__reference *r,
                        weir_buffer *out) {
    bool of_retry = r->subject == WEIR__REF_RETRIES || r->subject == WEIR__REF_LAST_RETRY;
    if (scope->late || (of_retry && scope->retry == WEIR__NONE)) {
        append_tag(tag, out);
        return true;
    }
    const weir__step *step = weir__step_at(scope->run, scope->self);
    switch (r->subject) {
    case WEIR__REF_RETRIES: weir_buffer_printf(out, "%u", scope->retry); return true;
    case WEIR__REF_LAST_RETRY: return append_last_retry(scope, r->name, out);
    case WEIR__REF_NODE_NAME: weir__node_name(scope->run, scope->self, out); return true;
    case WEIR__REF_POD_NAME: weir__pod_name(scope->run, scope->self, out); return true;
    default:
        if (step) weir_buffer_str_append(out, step->name);
        return step != NULL;
    }
}

/* --- inline templates: what their step may name ------------------------------------------------------------ */

/* The step's scope, of the body of an inline template or of what is within it; `item` is a new reference. */
static bool scope_outside(const weir__scope *scope, weir__scope *out, weir_value **item) {
    const weir__run *run = scope->run;
    weir__place place = scope->self;
    if (scope->boundary != WEIR__NONE) {
        const weir__node *boundary = weir__node_at(run, scope->boundary);
        if (!boundary->template->caller) return false;
        place = (weir__place){boundary->parent, boundary->at, boundary->hook};
    } else if (place.parent == WEIR__NONE || place.hook ||
               weir__node_at(run, place.parent)->type == WEIR__TYPE_STEPS ||
               !weir__called(run->workflow, weir__step_at(run, place))->caller) {
        return false;
    }
    *out = weir__scope_at(run, place);
    while (weir__node_at(run, place.parent)->type == WEIR__TYPE_RETRY) {
        const weir__node *retry = weir__node_at(run, place.parent);
        place = (weir__place){retry->parent, retry->at, retry->hook};
    }
    const weir__node *parent = weir__node_at(run, place.parent);
    if (parent->type == WEIR__TYPE_ITEMS)
        out->item = *item = weir__loop_item(parent->start, place.at);
    return true;
}

/* As Argo has it, what is outside comes first. */
static bool look_outside(const weir__scope *scope, weir_str name, weir_buffer *out) {
    weir__scope outside;
    weir_value *item = NULL;
    weir_error ignored = {0};
    size_t before = out->length;
    if (!scope->run->workflow->inlines || !scope_outside(scope, &outside, &item)) return false;
    bool dag = outside.boundary != WEIR__NONE &&
               weir__node_at(scope->run, outside.boundary)->type == WEIR__TYPE_DAG;
    weir__subject subject = weir__reference_parse(name, dag).subject;
    bool may = subject == WEIR__REF_INPUT || (subject == WEIR__REF_ITEM && item) ||
               (subject >= WEIR__REF_RESULT && !weir__is_artifact(subject));
    outside.error = &ignored;
    outside.now_us = scope->now_us;
    bool found = may && weir__look_up(&outside, name, out);
    if (!found && (subject == WEIR__REF_ITEM || subject >= WEIR__REF_RESULT))
        found = look_outside(&outside, name, out);
    if (!found) out->length = before;
    weir_value_unref(item);
    return found;
}

/* Whether it is of what a step may name. */
static bool has_outside(const weir__scope *scope, weir_str tag) {
    weir_buffer scrap = {0};
    bool found = look_outside(scope, tag, &scrap);
    weir_buffer_deinit(&scrap);
    return found;
}

bool weir__scope_has(const weir__scope *scope, weir_str tag) {
    if (scope->own && weir_member(scope->own, tag)) return true;
    if (has_outside(scope, tag)) return true;
    bool dag = scope->boundary != WEIR__NONE &&
               weir__node_at(scope->run, scope->boundary)->type == WEIR__TYPE_DAG;
    weir__reference r = weir__reference_parse(tag, dag);
    if (r.subject == WEIR__REF_ITEM) return scope->item != NULL;
    if (r.subject == WEIR__REF_RETRIES || r.subject == WEIR__REF_LAST_RETRY)
        return scope->retry != WEIR__NONE;
    return r.subject > WEIR__REF_UNSUPPORTED && !weir__is_artifact(r.subject);
}

const weir_value *weir__step_parameters(const weir__scope *scope, weir_str step) {
    if (scope->boundary == WEIR__NONE) return NULL;
    const weir__node *boundary = weir__node_at(scope->run, scope->boundary);
    uint64_t index;
    if (!weir_map_get(&boundary->template->step_names, step, &index) ||
        boundary->slots[index] == WEIR__NONE)
        return NULL;
    const weir__node *n = weir__node_at(scope->run, boundary->slots[index]);
    if (n->type == WEIR__TYPE_ITEMS && n->count) n = weir__node_at(scope->run, n->slots[0]);
    return weir_member_named(weir_member_named(n->end, "outputs"), "parameters");
}

/* `{{=…}}`. An expression that needs what only an attempt knows stays as it is until then. */
static bool append_expression(weir__scope *scope, weir_str text, weir_buffer *out) {
    weir_error error;
    weir_error *own = scope->error;
    bool absent = scope->absent;
    bool ok = weir__expression_append(scope, text, out, &error);
    scope->error = own;
    scope->absent = absent && !ok;
    if (!ok && own) *own = error;
    return ok;
}

/* An output of what did not run, within a text. */
static bool fail_absent_tag(weir__scope *scope, weir_str tag) {
    if (scope->absent && scope->error && !scope->error->message[0])
        weir_fail(
            scope->error, WEIR_INVALID,
            "unable to substitute {{%.*s}}: output is an absent optional (skipped/omitted node "
            "with no default)",
            WEIR_ARG(tag));
    return false;
}

bool weir__look_up(void *arg, weir_str name, weir_buffer *out) {
    weir__scope *scope = arg;
    if (weir_str_starts(name, WEIR_STR("=")))
        return append_expression(scope, weir_str_slice(name, 1, name.length), out);
    if (scope->own && append_member(scope->own, name, out)) return true;
    if (look_outside(scope, name, out)) return true;
    bool inside = scope->boundary != WEIR__NONE;
    weir__reference r = weir__reference_parse(
        name, inside && weir__node_at(scope->run, scope->boundary)->type == WEIR__TYPE_DAG);
    switch (r.subject) {
    case WEIR__REF_FOREIGN: append_tag(name, out); return true;
    case WEIR__REF_NAME:
    case WEIR__REF_PARAMETER:
    case WEIR__REF_RUN_STATUS:
    case WEIR__REF_RUN_FAILURES:
    case WEIR__REF_RUN_FACT: return append_run(scope, &r, out);
    case WEIR__REF_INPUT_ARTIFACT:
    case WEIR__REF_GLOBAL_ARTIFACT:
    case WEIR__REF_OUTPUT_ARTIFACT: append_tag(name, out); return true;
    case WEIR__REF_ARTIFACT_PATH:
    case WEIR__REF_OUTPUT_PATH:
    case WEIR__REF_PARAMETER_PATH: return append_path(scope, &r, out);
    case WEIR__REF_INPUTS: append_inputs(scope->inputs, out); return true;
    case WEIR__REF_INPUT: return append_member(scope->inputs, r.name, out);
    case WEIR__REF_ITEM:
        if (scope->item) return weir__loop_item_append(scope->item, r.name, out);
        append_tag(name, out);
        return true;
    case WEIR__REF_RETRIES:
    case WEIR__REF_LAST_RETRY:
    case WEIR__REF_NODE_NAME:
    case WEIR__REF_POD_NAME:
    case WEIR__REF_SELF: return append_self(scope, name, &r, out);
    case WEIR__REF_UNKNOWN:
    case WEIR__REF_UNSUPPORTED: return false;
    default: return inside && (append_step(scope, &r, out) || fail_absent_tag(scope, name));
    }
}

/* What a tag says of itself is more than that nothing has its name. */
static bool fail_tag(weir__scope *scope, const weir_error *own, weir_error *error) {
    if (own->message[0]) *error = *own;
    scope->error = NULL;
    return false;
}

bool weir__render(weir__scope *scope, weir_str text, weir_buffer *out, weir_error *error) {
    weir_error own = {0};
    scope->absent = scope->nothing = false;
    scope->error = &own;
    if (!weir_tag_render(text, weir__look_up, scope, out, error))
        return fail_tag(scope, &own, error);
    scope->error = NULL;
    return true;
}

weir_value *weir__render_value(weir__scope *scope, weir_value *value, weir_error *error) {
    weir_error own = {0};
    weir_value *rendered = NULL;
    scope->absent = scope->nothing = false;
    scope->error = &own;
    if (!weir_tag_render_value(value, weir__look_up, scope, &rendered, error)) {
        (void)fail_tag(scope, &own, error);
        return NULL;
    }
    scope->error = NULL;
    return rendered;
}

/* --- inputs, outputs, configs --------------------------------------------------------------------------------- */

bool weir__is_one_tag(weir_str text) {
    text = weir_str_trim(text);
    return weir_str_starts(text, WEIR_STR("{{")) && !weir_str_starts(text, WEIR_STR("{{=")) &&
           weir_str_ends(text, WEIR_STR("}}")) &&
           weir_str_find(text, WEIR_STR("{{"), 2) == SIZE_MAX;
}

/* An argument that is nothing but an output of a node that did not run leaves the input its default. */
static bool render_input(weir__scope *scope, const weir__parameter *input,
                         const weir__parameter *argument, weir_buffer *out, weir_error *error) {
    weir__scope own = {.run = scope->run,
                       .boundary = WEIR__NONE,
                       .self = scope->self,
                       .before = WEIR__NONE,
                       .retry = WEIR__NONE,
                       .late = true};
    if (!argument || !argument->given) return weir__render(&own, input->text, out, error);
    if (weir__render(scope, argument->text, out, error)) return true;
    bool whole = weir__is_one_tag(argument->text);
    scope->lost = scope->lost || scope->nothing || (scope->absent && !whole);
    if (!scope->absent || !whole) return false;
    if (input->given) return weir__render(&own, input->text, out, error);
    return weir_fail(error, WEIR_INVALID,
                     "inputs.parameters.%.*s: argument references an absent optional "
                     "(skipped/omitted node output with no default)",
                     WEIR_ARG(input->name));
}

weir_value *weir__render_inputs(weir__scope *scope, const weir__template *called,
                                const weir__parameters *arguments, weir_error *error) {
    weir_value *inputs = weir_object_new();
    weir_buffer text = {0};
    bool good = true;
    for (size_t i = 0; i < called->inputs.count && good; i++) {
        const weir__parameter *input = &called->inputs.items[i];
        weir_buffer_clear(&text);
        good =
            render_input(scope, input, weir__parameter_find(arguments, input->name), &text, error);
        if (good) weir_member_set(inputs, input->name, weir_string_from(weir_buffer_str(&text)));
    }
    weir_buffer_deinit(&text);
    if (good) return inputs;
    weir_value_unref(inputs);
    return NULL;
}

weir__scope weir__scope_within(const weir__run *run, uint32_t node) {
    const weir__node *n = weir__node_at(run, node);
    return (weir__scope){.run = run,
                         .boundary = node,
                         .inputs = n->inputs,
                         .artifacts = weir__artifacts_of(run, n),
                         .retry = WEIR__NONE,
                         .before = WEIR__NONE,
                         .self = {n->parent, n->at, n->hook}};
}

/* An output of what did not run, which nothing stands for. Of results Argo does not know that there would have been one. */
static void fail_absent(const weir__parameter *p, weir_error *error) {
    weir_str tag = weir_str_trim(p->text);
    bool result = weir_str_ends(tag, WEIR_STR(".outputs.result}}"));
    if (p->is_expression)
        return; /* it says itself that it gives nothing */
    else if (result && weir__is_one_tag(tag))
        weir_fail(error, WEIR_INVALID, "Unable to resolve: \"%.*s\"",
                  WEIR_ARG(weir_str_trim(weir_str_slice(tag, 2, tag.length - 2))));
    else
        weir_fail(error, WEIR_INVALID,
                  "output parameter \"%.*s\": \"%.*s\" is an absent optional (skipped/omitted node "
                  "output with no default)",
                  WEIR_ARG(p->name), WEIR_ARG(p->text));
}

weir_value *weir__render_outputs(const weir__run *run, uint32_t node, weir_error *error) {
    const weir__node *n = weir__node_at(run, node);
    weir__scope scope = weir__scope_within(run, node);
    weir_value *outputs = weir_object_new();
    weir_buffer text = {0};
    bool good = true;
    for (size_t i = 0; i < n->template->outputs.count && good; i++) {
        const weir__parameter *p = &n->template->outputs.items[i];
        weir_buffer_clear(&text);
        bool resolved = p->is_expression ? weir__expression_append(&scope, p->text, &text, error)
                                         : weir__render(&scope, p->text, &text, error);
        good = resolved || p->has_fallback;
        if (good)
            weir_member_set(outputs, p->name,
                            weir_string_from(resolved ? weir_buffer_str(&text) : p->fallback));
        else if (scope.absent)
            fail_absent(p, error);
    }
    weir_buffer_deinit(&text);
    if (good) return outputs;
    weir_value_unref(outputs);
    return NULL;
}

bool weir__render_memo_key(weir__scope *scope, const weir__template *called, weir_buffer *out,
                           weir_error *error) {
    if (!weir__render(scope, called->memo_key, out, error)) return false;
    weir_str key = weir_buffer_str(out);
    bool good = key.length && key.data[0] != '-';
    for (size_t i = 0; i < key.length && good; i++)
        good = (key.data[i] >= '0' && key.data[i] <= '9') || key.data[i] == '-' ||
               ((key.data[i] | 32) >= 'a' && (key.data[i] | 32) <= 'z');
    return good || weir_fail(error, WEIR_INVALID, "invalid cache key: %.*s", WEIR_ARG(key));
}

weir_value *weir__render_config(weir__scope *scope, const weir__template *leaf,
                                uint64_t *timeout_us, weir_error *error) {
    bool good = true;
    for (size_t i = 0; i < 2 && good; i++) {
        weir_buffer text = {0};
        uint64_t us = 0, other_us = *timeout_us ? *timeout_us : leaf->spec.timeout_us;
        if (!leaf->timeouts[i].length) continue;
        good = weir__render(scope, leaf->timeouts[i], &text, error) &&
               weir_duration_parse(weir_buffer_str(&text), &us, error);
        *timeout_us = other_us && other_us < us ? other_us : us; /* the shorter one counts */
        weir_buffer_deinit(&text);
    }
    weir_value *config = good ? weir__render_value(scope, leaf->config, error) : NULL;
    bool incomplete = leaf->incomplete;
    if (config && leaf->patched) config = weir__patch_pod(scope, leaf, config, &incomplete, error);
    return config && incomplete ? weir__complete_pod(scope, config, error) : config;
}
