/* What is known of a call's inputs before the run: texts of parameters, sizes of artifacts. */
#include "task/forecast.h"
#include "workflow/prove_internal.h"

typedef struct lookup {
    const weir__workflow *workflow;
    const weir__known *around;
} lookup;

static bool known_text(void *arg, weir_str name, weir_buffer *out) {
    const lookup *l = arg;
    weir__reference r = weir__reference_parse(name, true);
    const weir_value *text = NULL;
    if (r.subject != WEIR__REF_INPUT) {
        weir_buffer tag = {0};
        weir_buffer_printf(&tag, "{{%.*s}}", WEIR_ARG(name));
        bool ok = weir__render_known(l->workflow, weir_buffer_str(&tag), out);
        weir_buffer_deinit(&tag);
        return ok;
    }
    if (l->around->parameters) text = weir_member(l->around->parameters, r.name);
    if (!weir_is(text, WEIR_STRING)) return false;
    weir_buffer_str_append(out, weir_string_get(text));
    return true;
}

bool weir__known_render(const weir__workflow *workflow, const weir__known *around, weir_str text,
                        weir_buffer *out) {
    lookup l = {workflow, around};
    weir_error ignored;
    return weir_tag_render(text, known_text, &l, out, &ignored);
}

/* As a call has it, else as its template says. */
static void add_parameter(const weir__workflow *workflow, const weir__known *around,
                          const weir__parameter *input, const weir__parameter *argument,
                          weir__known *out) {
    const weir__parameter *said = argument && argument->given ? argument : input;
    weir_buffer text = {0};
    if (said->given && !said->is_expression &&
        weir__known_render(workflow, around, said->text, &text))
        weir_member_set(out->parameters, input->name, weir_string_from(weir_buffer_str(&text)));
    weir_buffer_deinit(&text);
}

/* False: nobody knows yet. */
static bool measure_artifact(const weir__workflow *workflow, const weir__known *around,
                             const weir__artifact *said, uint64_t *bytes) {
    const weir_value *raw = weir_member_named(weir_member_named(said->value, "raw"), "data");
    weir_buffer text = {0};
    if (said->from.length) {
        weir__reference r = weir__reference_parse(said->from, true);
        const weir_value *known = around->artifacts && r.subject == WEIR__REF_INPUT_ARTIFACT
                                      ? weir_member(around->artifacts, r.name)
                                      : NULL;
        *bytes = known ? (uint64_t)weir_int_get(known) : 0;
        return known && !said->sub_path.length;
    }
    bool ok = weir_is(raw, WEIR_STRING) &&
              weir__known_render(workflow, around, weir_string_get(raw), &text);
    *bytes = text.length;
    weir_buffer_deinit(&text);
    return ok;
}

weir__known weir__known_of(const weir__workflow *workflow, const weir__step *step,
                           const weir__known *around) {
    const weir__template *t = weir__called(workflow, step);
    const weir__parameters *arguments = &step->arguments;
    const weir__artifacts *artifacts = &step->artifacts;
    weir__known known = {weir_object_new(), weir_object_new()};
    if (step == &workflow->entry && !arguments->count) arguments = &workflow->parameters;
    if (step == &workflow->entry && !artifacts->count) artifacts = &workflow->artifacts;
    for (size_t i = 0; i < t->inputs.count; i++) {
        const weir__parameter *input = &t->inputs.items[i];
        add_parameter(workflow, around, input, weir__parameter_find(arguments, input->name),
                      &known);
    }
    for (size_t i = 0; i < t->artifacts_in.count; i++) {
        const weir__artifact *own = &t->artifacts_in.items[i],
                             *given = weir__artifact_by_name(artifacts, own->name);
        uint64_t bytes;
        if (measure_artifact(workflow, around, given ? given : own, &bytes))
            weir_member_set(known.artifacts, own->name, weir_int_new((int64_t)bytes));
    }
    return known;
}

uint64_t weir__known_bytes(const weir__template *t, const weir__known *known,
                           const weir_forecast *forecast) {
    uint64_t sum = 0;
    if (!forecast->measure || weir_value_count(known->parameters) != t->inputs.count ||
        weir_value_count(known->artifacts) != t->artifacts_in.count)
        return 0;
    for (size_t i = 0; i < t->inputs.count; i++)
        sum += weir_string_get(weir_object_at(known->parameters, i)).length;
    for (size_t i = 0; i < t->artifacts_in.count; i++)
        sum += (uint64_t)weir_int_get(weir_object_at(known->artifacts, i));
    return sum;
}

void weir__known_drop(weir__known *known) {
    weir_value_unref(known->parameters);
    weir_value_unref(known->artifacts);
}
