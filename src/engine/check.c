/* What is wrong with a file, and what it would run. */
#include <stdio.h>

#include "data/proof.h"
#include "engine/engine_internal.h"
#include "engine/schedules.h"
#include "pipeline/plan.h"
#include "workflow/load.h"

void weir__say_warnings(const weir_problems *problems,
                        void (*problem)(void *arg, const weir_error *error), void *arg) {
    for (size_t i = 0; problem && i < problems->warnings.count; i++)
        problem(arg, &problems->warnings.items[i]);
}

void weir__say_problems(const weir_problems *problems,
                        void (*problem)(void *arg, const weir_error *error), void *arg,
                        weir_error *error) {
    for (size_t i = 0; problem && i < problems->count; i++) problem(arg, &problems->items[i]);
    if (problems->count)
        *error = problems->items[0];
    else
        weir_fail(error, WEIR_INTERNAL, "the file was refused without a reason");
}

typedef struct checking {
    weir_engine *engine;
    weir_value *request;
    const weir__kind *kind;
    weir_problems problems;
    weir_proof *proof; /* NULL: none is wanted */
} checking;

static bool is_pipeline(const checking *c) {
    return c->kind && strcmp(c->kind->name, "pipeline") == 0;
}

static void compile(checking *c, const weir_document *document) {
    size_t before = c->problems.total;
    weir_plan *plan;
    if (c->proof) c->proof->document = document;
    if (c->proof && is_pipeline(c))
        plan = weir_pipeline_examine(document, c->request, &c->engine->registry, &c->problems,
                                     c->proof);
    else
        plan = weir__compile(c->kind, document, c->request, &c->engine->registry, &c->problems);
    if (plan && c->proof && c->problems.total == before) {
        c->kind->prove(plan, c->request, c->proof);
        if (plan->left_out)
            weir_member_put(c->proof->summary, "left_out", weir_value_ref(plan->left_out));
    }
    if (plan) weir__limits_warn(c->engine, plan, document, &c->problems);
    if (plan) weir_plan_unref(plan);
}

/* Each document that could be run, or referred to, by itself. */
static void compile_documents(checking *c, const weir_document *document) {
    bool any = false;
    for (size_t i = 0; i < document->roots.count; i++) {
        weir_document one;
        if (!weir_workflow_is_checked(document->roots.items[i])) continue;
        any = true;
        weir_document_copy(document, &one);
        weir_member_put(c->request, "which", weir_int_new((int64_t)i));
        if (weir__complete_workflow(&one, c->request, false, &c->problems)) compile(c, &one);
        weir_document_deinit(&one);
    }
    if (any) return;
    weir_document whole;
    weir_document_copy(document, &whole);
    if (weir__complete_workflow(&whole, c->request, false, &c->problems)) compile(c, &whole);
    weir_document_deinit(&whole);
}

static bool has_values(const weir_value *request) {
    static const char *const values[] = {"pipeline", "inputs", "texts", "goals"};
    bool some = false;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        const weir_value *member = weir_member_named(request, values[i]);
        some |= member && (!weir_has_items(member) || weir_value_count(member));
    }
    return some;
}

/* Each pipeline of the file, if all have names of their own; what is said for one of them is not for all. */
static void compile_pipelines(checking *c, const weir_document *document) {
    weir_map names = {0};
    size_t count = 0;
    bool apart = !has_values(c->request);
    for (size_t i = 0; i < document->roots.count; i++) {
        if (!weir_member_named(document->roots.items[i], "pipeline")) continue;
        weir_str name = weir_pipeline_name(document->roots.items[i]);
        apart = apart && name.length && !weir_map_get(&names, name, NULL);
        weir_map_set(&names, name, 0);
        count++;
    }
    weir_map_deinit(&names);
    for (size_t i = 0; apart && count > 1 && i < document->roots.count; i++) {
        if (!weir_member_named(document->roots.items[i], "pipeline")) continue;
        weir_member_put_text(c->request, "pipeline", weir_pipeline_name(document->roots.items[i]));
        compile(c, document);
    }
    if (!apart || count <= 1) compile(c, document);
}

/* Compiles, and proves where nothing is wrong; the kind's name, or "". */
static const char *examine(checking *c, const weir_value *request) {
    weir_document document = {0};
    weir__request whole;
    bool opened = weir__request_open(&whole, request, &c->problems);
    weir_member_put(whole.value, "check", weir_bool_new(true));
    weir__templates_name(c->engine, whole.value);
    c->request = whole.value;
    c->kind = opened ? weir__read_file(NULL, whole.value, false, &document, &c->problems) : NULL;
    if (c->kind && strcmp(c->kind->name, "workflow") == 0)
        compile_documents(c, &document);
    else if (is_pipeline(c))
        compile_pipelines(c, &document);
    else if (c->kind)
        compile(c, &document);
    if (c->kind) weir__schedules_check(&document, &c->problems);
    weir__request_close(&whole);
    weir_document_deinit(&document);
    return c->kind ? c->kind->name : "";
}

bool weir_check(weir_engine *engine, const weir_value *request,
                void (*problem)(void *arg, const weir_error *error), void *arg, char kind_name[16],
                weir_error *error) {
    checking c = {.engine = engine};
    const char *kind = examine(&c, request);
    if (kind_name) snprintf(kind_name, 16, "%s", kind);
    bool ok = c.kind && !c.problems.total;
    weir__say_warnings(&c.problems, problem, arg);
    if (!ok) weir__say_problems(&c.problems, problem, arg, error);
    weir_problems_deinit(&c.problems);
    return ok;
}

/* What compiling found comes first, so what the proof finds is kept until then. */
typedef struct found {
    weir_error error;
    weir_value *detail;
} found;
typedef WEIR_VECTOR(found) founds;

static void keep_finding(void *arg, const weir_error *error, const weir_value *detail) {
    founds *all = arg;
    *weir_vector_push(all) = (found){*error, weir_value_ref((weir_value *)detail)};
}

typedef struct telling {
    void (*finding)(void *arg, const weir_error *error, const weir_value *detail);
    void *arg;
} telling;

static void tell_problem(void *arg, const weir_error *error) {
    const telling *t = arg;
    t->finding(t->arg, error, NULL);
}

bool weir_prove(weir_engine *engine, const weir_value *request,
                void (*finding)(void *arg, const weir_error *error, const weir_value *detail),
                void *arg, weir_value **out, weir_error *error) {
    founds all = {0};
    weir_proof proof = {.found = keep_finding, .arg = &all, .summary = weir_object_new()};
    checking c = {.engine = engine, .proof = &proof};
    telling t = {finding, arg};
    const char *kind = examine(&c, request);
    bool sound = c.kind && !c.problems.total, ok = sound && !proof.errors;
    weir__say_warnings(&c.problems, finding ? tell_problem : NULL, &t);
    if (!sound) weir__say_problems(&c.problems, finding ? tell_problem : NULL, &t, error);
    for (size_t i = 0; i < all.count; i++) {
        /* A pipeline's fake run is made whatever else is wrong with it. */
        if (finding && (sound || is_pipeline(&c)))
            finding(arg, &all.items[i].error, all.items[i].detail);
        weir_value_unref(all.items[i].detail);
    }
    if (sound && !ok) *error = proof.first;
    weir_member_put_text(proof.summary, "kind", weir_str_from(kind));
    size_t errors = c.problems.total + (sound || is_pipeline(&c) ? proof.errors : 0);
    weir_member_put(proof.summary, "errors", weir_int_new((int64_t)errors));
    if (sound) weir_member_put(proof.summary, "can_finish", weir_bool_new(ok));
    *out = proof.summary;
    weir_vector_deinit(&all);
    weir_problems_deinit(&c.problems);
    return ok;
}

bool weir__compiled_open(weir_engine *engine, const weir_value *request, bool check,
                         void (*problem)(void *arg, const weir_error *error), void *arg,
                         weir__compiled *out, weir_error *error) {
    weir_problems problems = {0};
    *out = (weir__compiled){0};
    bool opened = weir__request_open(&out->request, request, &problems);
    weir_value *whole = out->request.value;
    if (check) weir_member_put(whole, "check", weir_bool_new(true));
    weir__templates_name(engine, whole);
    if (opened) out->kind = weir__load_file(whole, false, &out->document, &problems);
    if (out->kind)
        out->plan = weir__compile(out->kind, &out->document, whole, &engine->registry, &problems);
    if (out->plan) weir__limits_warn(engine, out->plan, &out->document, &problems);
    weir__say_warnings(&problems, problem, arg);
    if (!out->plan) {
        weir__say_problems(&problems, problem, arg, error);
        weir__compiled_close(out);
    }
    weir_problems_deinit(&problems);
    return out->plan != NULL;
}

void weir__compiled_close(weir__compiled *c) {
    weir_plan_unref(c->plan);
    weir__request_close(&c->request);
    weir_document_deinit(&c->document);
}

bool weir_preview(weir_engine *engine, const weir_value *request,
                  void (*problem)(void *arg, const weir_error *error), void *arg, weir_value **out,
                  weir_error *error) {
    weir__compiled c;
    if (!weir__compiled_open(engine, request, false, problem, arg, &c, error)) return false;
    const weir_value *root = c.document.roots.items[0];
    *out = strcmp(c.kind->name, "workflow") == 0 ? weir_workflow_preview(root, c.request.value)
                                                 : weir_value_ref((weir_value *)root);
    weir__compiled_close(&c);
    return true;
}
