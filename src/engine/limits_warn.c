/* What a file's tasks declare and can never have, for who is about to run it: it is cut to the limit, and should not be so in silence. */
#include <stdio.h>

#include "base/size.h"
#include "engine/engine_internal.h"
#include "task/forecast.h"

enum { STEPS_MAX = 10000, NAMED_MAX = 20 };

/* Of a template of that name; "" in `out` when it is not found. */
static size_t find_template(const weir_document *document, weir_str name, weir_buffer *out) {
    for (size_t i = 0; i < document->roots.count; i++) {
        const weir_value *templates =
            weir_member_named(weir_member_named(document->roots.items[i], "spec"), "templates");
        for (size_t k = 0; weir_is(templates, WEIR_ARRAY) && k < weir_value_count(templates); k++) {
            if (!weir_str_equal(weir_member_text(weir_array_at(templates, k), "name"), name))
                continue;
            weir_buffer_printf(out, "spec/templates/%zu", k);
            return i;
        }
    }
    return 0;
}

static size_t find_place(const weir_document *document, const weir_plan *plan, weir_str name,
                         weir_buffer *out) {
    bool pipeline = strcmp(plan->kind, "pipeline") == 0;
    if (strcmp(plan->kind, "workflow") == 0) return find_template(document, name, out);
    weir_buffer_printf(out, "%s/%.*s/resources", pipeline ? "pipeline/components" : "operations",
                       WEIR_ARG(name));
    for (size_t i = 0; pipeline && i < document->roots.count; i++)
        if (weir_member_named(document->roots.items[i], "pipeline")) return i;
    return 0;
}

static void say(const weir_document *document, const weir_plan *plan, weir_str name,
                const char *what, weir_problems *problems) {
    weir_buffer path = {0};
    size_t root = find_place(document, plan, name, &path), before = problems->warnings.count;
    weir_document_problem(document, root, path.length ? path.data : "", WEIR_OK, problems,
                          "`%.*s` wants %s: it has all of that, and runs alone", WEIR_ARG(name),
                          what);
    if (problems->warnings.count > before)
        weir_error_hint(
            &problems->warnings.items[before],
            "what it takes beyond that is not counted: raise the limit, or declare less");
    weir_buffer_deinit(&path);
}

/* False: it wants no more than there is. */
static bool describe(const weir_options *options, const weir_resources *wants, char out[96]) {
    char wanted[24], most[24];
    if (options->memory_bytes_max && wants->memory_bytes > options->memory_bytes_max)
        snprintf(out, 96, "%s of memory, and the limit is %s",
                 weir_size_format(wants->memory_bytes, wanted),
                 weir_size_format(options->memory_bytes_max, most));
    else if (options->cpu_milli_max && wants->cpu_milli > options->cpu_milli_max)
        snprintf(out, 96, "%g processors, and the limit is %g", wants->cpu_milli / 1000.0,
                 options->cpu_milli_max / 1000.0);
    else
        return false;
    return true;
}

void weir__limits_warn(const weir_engine *engine, const weir_plan *plan,
                       const weir_document *document, weir_problems *problems) {
    const weir_options *options = &engine->options;
    weir_forecast forecast = {.steps_max = STEPS_MAX};
    weir_map said = {0};
    char what[96];
    if ((!options->memory_bytes_max && !options->cpu_milli_max) || !plan->forecast) return;
    plan->forecast(plan, NULL, &forecast);
    for (size_t i = 0; i < forecast.steps.count && said.count < NAMED_MAX; i++) {
        const weir_task_spec *spec = forecast.steps.items[i].spec;
        if (!spec || spec->resources.by_tags || !describe(options, &spec->resources, what) ||
            weir_map_get(&said, spec->name, NULL))
            continue;
        weir_map_set(&said, spec->name, 0);
        say(document, plan, spec->name, what, problems);
    }
    weir_map_deinit(&said);
    weir_forecast_deinit(&forecast);
}
