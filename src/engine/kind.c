/* What a file is, and who compiles it. */
#include "dataflow/plan.h"
#include "dataflow/prove.h"
#include "engine/compose.h"
#include "engine/engine_internal.h"
#include "engine/library.h"
#include "pipeline/plan.h"
#include "workflow/load.h"
#include "workflow/plan.h"
#include "workflow/prove.h"

static const weir__kind kinds[] = {
    {"dataflow", WEIR_YAML_CORE, weir_dataflow_compile, weir_dataflow_prove},
    {"workflow", WEIR_YAML_1_1, weir_workflow_compile, weir_workflow_prove},
    {"pipeline", WEIR_YAML_CORE, weir_pipeline_compile, weir_dataflow_prove},
};

static const weir__kind *kind_named(weir_str name) {
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (weir_str_is(name, kinds[i].name)) return &kinds[i];
    return NULL;
}

static const char *kind_of_root(const weir_value *root) {
    if (weir_str_starts(weir_member_text(root, "apiVersion"), WEIR_STR("argoproj.io/")))
        return "workflow";
    if (weir_member_named(root, "pipeline")) return "pipeline";
    if (weir_member_named(root, "operations") || weir_member_named(root, "definitions"))
        return "dataflow";
    return NULL;
}

static const weir__kind *tell_kind(const weir_document *document, const weir_value *request,
                                   weir_error *error) {
    weir_str wanted = weir_member_text(request, "kind");
    const weir__kind *kind = wanted.length ? kind_named(wanted) : NULL;
    for (size_t i = 0; !wanted.length && !kind && i < document->roots.count; i++) {
        const char *name = kind_of_root(document->roots.items[i]);
        if (name) kind = kind_named(weir_str_from(name));
    }
    if (kind) return kind;
    if (wanted.length)
        weir_fail(error, WEIR_INVALID, "there is no kind `%.*s`", WEIR_ARG(wanted));
    else
        weir_fail(error, WEIR_INVALID, "what the file is cannot be told");
    weir_error_place(error, weir_str_from(document->file), wanted.length ? 0 : 1, 1);
    weir_error_hint(error,
                    "a workflow has `apiVersion: argoproj.io/…`, a pipeline a `pipeline:`, a "
                    "dataflow `operations`; or say --kind dataflow|workflow|pipeline");
    return NULL;
}

/* What a request may have besides what every kind takes; the others would be ignored without a word. */
static const struct member {
    const char *name, *kinds, *hint;
} members[] = {
    {"inputs", "dataflow pipeline", "a workflow has parameters: -p NAME=TEXT"},
    {"texts", "dataflow pipeline", "a workflow has parameters: -p NAME=TEXT"},
    {"contexts", "dataflow", "contexts are a dataflow's"},
    {"context_texts", "dataflow", "contexts are a dataflow's"},
    {"max_contexts", "dataflow", "contexts are a dataflow's"},
    {"open", "dataflow", "contexts are a dataflow's"},
    {"forget_after_us", "dataflow", "contexts are a dataflow's"},
    {"records", "dataflow", "records are contexts, which are a dataflow's"},
    {"strict", "dataflow pipeline", "a workflow has `continueOn`"},
    {"configure", "dataflow", "operations that can be configured are a dataflow's"},
    {"overlays", "dataflow", "only a dataflow can be laid over another"},
    {"parameters", "workflow", "a dataflow and a pipeline have inputs: NAME=VALUE"},
    {"entrypoint", "workflow", "an entrypoint is a workflow's"},
    {"resume_after_us", "workflow", "only a workflow has suspended nodes: --resume-after is its"},
    {"allow_host_path", "workflow", "only a workflow has volumes"},
    {"strict_fields", "workflow", "a workflow's fields are looked at strictly"},
    {"priority", "workflow", "only workflows have priorities"},
    {"scheduled_time", "workflow", "only workflows have a time that they were to begin at"},
    {"only", "workflow", "only a workflow's template or step can be run alone"},
    {"artifacts", "workflow", "artifacts are a workflow's"},
    {"mocks", "workflow", "templates are a workflow's"},
    {"library", "workflow", "only a workflow refers to templates and config maps"},
    {"mode", "dataflow pipeline",
     "a workflow says itself how many steps run at once: `parallelism`"},
    {"tick_us", "dataflow pipeline", "a workflow's steps begin as soon as they can"},
    {"pipeline", "pipeline", "the file has no pipelines"},
    {"list_style", "pipeline", "the file has no pipelines"},
};

/* Recorded with the run: what somebody else wrote into a request is looked at here. */
static void check_mode(const weir_value *request, const weir_document *document,
                       weir_problems *problems) {
    static const char *const modes[] = {"", "async", "sync", "scheduled"};
    weir_str mode = weir_member_text(request, "mode");
    const weir_value *given = weir_member_named(request, "mode");
    const weir_value *tick = weir_member_named(request, "tick_us");
    weir_error error = {0};
    size_t at = 0;
    while (at < 4 && !weir_str_is(mode, modes[at])) at++;
    if (at == 4 || (given && !mode.length))
        weir_fail(&error, WEIR_USAGE, "a mode is one of " WEIR_TASK_MODES);
    else if (tick && at != 3)
        weir_fail(&error, WEIR_USAGE, "only the mode `scheduled` has ticks");
    else if (tick && (!weir_is(tick, WEIR_INT) || weir_int_get(tick) < WEIR_TICK_MIN_US))
        weir_fail(&error, WEIR_USAGE, "a tick takes a millisecond at least");
    if (!error.code) return;
    weir_error_place(&error, weir_str_from(document->file), 0, 0);
    weir_problems_add(problems, &error);
}

static void check_scheduler(const weir_value *request, const weir_document *document,
                            weir_problems *problems) {
    const weir_value *scheduler = weir_member_named(request, "scheduler"),
                     *optimize = weir_member_named(request, "optimize");
    weir_str to = weir_member_text(request, "optimize");
    weir_error error = {0};
    if (scheduler && weir_scheduler_find(weir_member_text(request, "scheduler")) == WEIR_SCHEDULERS)
        weir_fail(&error, WEIR_USAGE, "a scheduler is one of " WEIR_SCHEDULER_NAMES);
    else if (optimize && !weir_str_is(to, "time") && !weir_str_is(to, "memory") &&
             !weir_str_is(to, "energy"))
        weir_fail(&error, WEIR_USAGE, "a run is sparing with one of " WEIR_OPTIMA);
    if (!error.code) return;
    weir_error_place(&error, weir_str_from(document->file), 0, 0);
    weir_problems_add(problems, &error);
}

static bool check_request(const weir_value *request, const weir__kind *kind,
                          const weir_document *document, weir_problems *problems) {
    size_t before = problems->total;
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        const weir_value *member = weir_member_named(request, members[i].name);
        bool none = !member || ((weir_is(member, WEIR_OBJECT) || weir_is(member, WEIR_ARRAY)) &&
                                !weir_value_count(member));
        /* A child is passed its parent's library whatever it is. */
        bool passed =
            weir_member_named(request, "parent") && strcmp(members[i].name, "library") == 0;
        if (none || passed || strstr(members[i].kinds, kind->name)) continue;
        weir_error error;
        weir_fail(&error, WEIR_INVALID, "a %s takes no `%s`", kind->name, members[i].name);
        weir_error_place(&error, weir_str_from(document->file), 0, 0);
        weir_error_hint(&error, "%s", members[i].hint);
        weir_problems_add(problems, &error);
    }
    check_mode(request, document, problems);
    check_scheduler(request, document, problems);
    return problems->total == before;
}

/* The file as it was when somebody read it: a journal's, which was put together already, or another run's. */
static weir_value *text_of(const weir_value *request) {
    weir_value *text = weir_member_named(request, "text");
    return text ? text : weir_member_named(request, "document");
}

static bool load(weir__reading *reading, const weir_value *request, bool kept,
                 weir_document *document, weir_error *error) {
    weir_str file = weir_member_text(request, "file");
    weir_value *text = text_of(request);
    weir_value *flow = weir_member_named(request, "flow");
    if (!file.length && !flow) return weir_fail(error, WEIR_USAGE, "the request names no file");
    if (weir_is(text, WEIR_STRING))
        return weir_document_parse_on(document, file.data, weir_string_get(text), WEIR_YAML_GUESSED,
                                      reading->repeated, error);
    if (flow)
        return weir__compose_value(flow, file.length ? file.data : WEIR__FLOW_NAME, kept, document,
                                   error);
    return weir__compose_load(reading, file.data, document, error);
}

/* A workflow's texts are read by other rules than the rest, and which it is was a guess. */
static bool read_again(weir_document *document, const weir__kind *kind, weir_error *error) {
    weir_document again = {0};
    weir_problems said = {0}; /* before */
    bool ok = weir_document_parse_on(&again, document->file, weir_buffer_str(&document->text),
                                     kind->booleans, &said, error);
    weir_problems_deinit(&said);
    if (!ok) return false;
    weir_document_deinit(document);
    *document = again;
    return true;
}

bool weir__complete_workflow(weir_document *document, const weir_value *request, bool kept,
                             weir_problems *problems) {
    weir_documents library = {0};
    bool text = weir_member_named(request, "text") != NULL;
    if (text_of(request) && weir_workflow_is_complete(document->roots.items[0])) return true;
    bool ok = (text || (weir__library_read(request, &library, problems) &&
                        weir__library_templates(request, document, &library, problems))) &&
              weir_workflow_load(document, library.items, library.count, request, kept, problems);
    weir__documents_deinit(&library);
    return ok;
}

const weir__kind *weir__load_file(const weir_value *request, bool kept, weir_document *document,
                                  weir_problems *problems) {
    return weir__load_file_again(NULL, request, kept, document, problems);
}

const weir__kind *weir__load_file_again(weir_document *last, const weir_value *request, bool kept,
                                        weir_document *document, weir_problems *problems) {
    const weir__kind *kind = weir__read_file(last, request, kept, document, problems);
    bool workflow = kind && strcmp(kind->name, "workflow") == 0;
    return !workflow || weir__complete_workflow(document, request, kept, problems) ? kind : NULL;
}

const weir__kind *weir__read_file(weir_document *last, const weir_value *request, bool kept,
                                  weir_document *document, weir_problems *problems) {
    weir_error error = {0};
    weir__reading reading = {.last = last, .repeated = problems};
    if (!load(&reading, request, kept, document, &error)) {
        *document = (weir_document){0};
        weir_problems_add(problems, &error);
        return NULL;
    }
    const weir__kind *kind = tell_kind(document, request, &error);
    bool dataflow = kind && strcmp(kind->name, "dataflow") == 0;
    if (kind && !dataflow && document->parts.count) {
        weir_fail(&error, WEIR_INVALID, "only a dataflow can be in a directory");
        weir_error_place(&error, weir_str_from(document->file), 0, 0);
        kind = NULL;
    }
    bool guessed = !kind || kind->booleans == document->booleans || document->parts.count;
    if (!guessed && weir_buffer_str(&document->text).length && !read_again(document, kind, &error))
        kind = NULL;
    if (!kind) {
        weir_problems_add(problems, &error);
        return NULL;
    }
    if (!check_request(request, kind, document, problems)) return NULL;
    bool files = !weir_member_named(request, "flow");
    if (dataflow && !text_of(request) &&
        !weir__compose(&reading, document, request, files, problems))
        return NULL;
    return kind;
}

weir_plan *weir__compile(const weir__kind *kind, const weir_document *document,
                         const weir_value *request, const weir_registry *registry,
                         weir_problems *problems) {
    if (registry->resolve) weir__python_at(registry->resolve_arg, document, request);
    weir_plan *plan = kind->compile(document, request, registry, problems);
    if (registry->resolve) weir__python_at(registry->resolve_arg, NULL, NULL);
    if (!plan || !problems->total) return plan;
    weir_plan_unref(plan);
    return NULL;
}
