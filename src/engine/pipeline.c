/* Pipelines in another form. */
#include "pipeline/plan.h"

#include "engine/engine_internal.h"

bool weir_pipeline_form(weir_engine *engine, const weir_value *request, const char *form,
                        void (*problem)(void *arg, const weir_error *error), void *arg,
                        weir_value **out, weir_error *error) {
    weir_document document = {0};
    weir_problems problems = {0};
    weir_value *checked = weir_value_own(weir_value_ref((weir_value *)request)), *made = NULL;
    weir_member_put(checked, "check", weir_bool_new(true));
    const weir__kind *kind = weir__load_file(checked, false, &document, &problems);
    if (kind && strcmp(kind->name, "pipeline") == 0) {
        made = weir_pipeline_convert(&document, checked, &engine->registry, weir_str_from(form),
                                     &problems);
    } else if (kind) {
        weir_error other;
        weir_fail(&other, WEIR_INVALID, "a %s is no pipeline", kind->name);
        weir_error_place(&other, weir_str_from(document.file), 0, 0);
        weir_problems_add(&problems, &other);
    }
    weir__say_warnings(&problems, problem, arg);
    if (problems.total) {
        weir_value_unref(made);
        made = NULL;
    }
    if (made)
        *out = made;
    else
        weir__say_problems(&problems, problem, arg, error);
    weir_problems_deinit(&problems);
    weir_document_deinit(&document);
    weir_value_unref(checked);
    return made != NULL;
}
