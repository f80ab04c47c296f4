#include "base/time.h"
#include "data/json.h"
#include "workflow/coordinator.h"

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

static bool append_output(weir__scope *scope, const weir__node *node, const weir__reference *r,
                          weir_buffer *out) {
    const weir_value *outputs = weir_member_named(node->end, "outputs");
    if (r->subject == WEIR__REF_RESULT) {
        if (append_member(outputs, WEIR_STR("result"), out)) return true;
    } else if (r->subject == WEIR__REF_EXIT_CODE) {
        if (append_member(outputs, WEIR_STR("exitCode"), out)) return true;
    } else {
        if (append_member(weir_member_named(outputs, "parameters"), r->name, out)) return true;
        const weir__parameter *p = weir__parameter_find(&node->template->outputs, r->name);
        if (p && p->has_fallback) {
            weir_buffer_str_append(out, p->fallback);
            return true;
        }
    }
    scope->absent =
        node->phase == WEIR__PHASE_SKIPPED || node->phase == WEIR__PHASE_OMITTED || scope->absent;
    return false;
}

static bool append_step(weir__scope *scope, const weir__reference *r, weir_buffer *out) {
    const weir__node *boundary = &scope->run->nodes.items[scope->boundary];
    uint64_t index;
    if (!weir_map_get(&boundary->template->step_names, r->step, &index) ||
        boundary->slots[index] == WEIR__NONE)
        return false;
    const weir__node *node = &scope->run->nodes.items[boundary->slots[index]];
    if (r->subject == WEIR__REF_STATUS)
        weir_buffer_text(out, weir__phase_texts[node->phase]);
    else if (r->subject == WEIR__REF_IP)
        weir_buffer_text(out, "127.0.0.1"); /* processes share the host's network */
    else
        return append_output(scope, node, r, out);
    return true;
}

static bool look_up(void *arg, weir_str name, weir_buffer *out) {
    weir__scope *scope = arg;
    const weir__workflow *workflow = scope->run->workflow;
    bool inside = scope->boundary != WEIR__NONE;
    weir__reference r = weir__reference_parse(
        name, inside && scope->run->nodes.items[scope->boundary].type == WEIR__TYPE_DAG);
    switch (r.subject) {
    case WEIR__REF_FOREIGN: weir_buffer_printf(out, "{{%.*s}}", WEIR_ARG(name)); return true;
    case WEIR__REF_NAME: weir_buffer_str_append(out, workflow->name); return true;
    case WEIR__REF_PARAMETER:
        return append_parameter(weir__parameter_find(&workflow->parameters, r.name), out);
    case WEIR__REF_INPUT: return append_member(scope->inputs, r.name, out);
    case WEIR__REF_UNKNOWN:
    case WEIR__REF_UNSUPPORTED: return false;
    default: return inside && append_step(scope, &r, out);
    }
}

bool weir__render(weir__scope *scope, weir_str text, weir_buffer *out, weir_error *error) {
    scope->absent = false;
    return weir_tag_render(text, look_up, scope, out, error);
}

static bool is_one_tag(weir_str text) {
    text = weir_str_trim(text);
    return weir_str_starts(text, WEIR_STR("{{")) && weir_str_ends(text, WEIR_STR("}}")) &&
           weir_str_find(text, WEIR_STR("{{"), 2) == SIZE_MAX;
}

/* An argument that is nothing but an output of a node that did not run leaves the input its default. */
static bool render_input(weir__scope *scope, const weir__parameter *input,
                         const weir__parameter *argument, weir_buffer *out, weir_error *error) {
    weir__scope own = {.run = scope->run, .boundary = WEIR__NONE};
    if (!argument || !argument->given) return weir__render(&own, input->text, out, error);
    if (weir__render(scope, argument->text, out, error)) return true;
    if (!scope->absent) return false;
    if (input->given && is_one_tag(argument->text))
        return weir__render(&own, input->text, out, error);
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

weir_value *weir__render_outputs(const weir__run *run, uint32_t node, weir_error *error) {
    const weir__node *n = &run->nodes.items[node];
    weir__scope scope = {run, node, weir_member_named(n->start, "inputs"), false};
    weir_value *outputs = weir_object_new();
    weir_buffer text = {0};
    bool good = true;
    for (size_t i = 0; i < n->template->outputs.count && good; i++) {
        const weir__parameter *p = &n->template->outputs.items[i];
        weir_buffer_clear(&text);
        bool resolved = weir__render(&scope, p->text, &text, error);
        good = resolved || p->has_fallback || scope.absent;
        if (resolved || p->has_fallback)
            weir_member_set(outputs, p->name,
                            weir_string_from(resolved ? weir_buffer_str(&text) : p->fallback));
    }
    weir_buffer_deinit(&text);
    if (good) return outputs;
    weir_value_unref(outputs);
    return NULL;
}

bool weir__render_memo_key(const weir__run *run, const weir__template *leaf,
                           const weir_value *inputs, weir_buffer *out, weir_error *error) {
    weir__scope scope = {run, WEIR__NONE, inputs, false};
    return weir__render(&scope, leaf->memo_key, out, error);
}

weir_value *weir__render_config(const weir__run *run, const weir__template *leaf,
                                const weir_value *inputs, uint64_t *timeout_us, weir_error *error) {
    weir__scope scope = {run, WEIR__NONE, inputs, false};
    weir_buffer text = {0};
    bool good =
        !leaf->timeout.length || (weir__render(&scope, leaf->timeout, &text, error) &&
                                  weir_duration_parse(weir_buffer_str(&text), timeout_us, error));
    weir_buffer_deinit(&text);
    weir_value *config = NULL;
    if (!good || !weir_tag_render_value(leaf->config, look_up, &scope, &config, error)) return NULL;
    return config;
}
