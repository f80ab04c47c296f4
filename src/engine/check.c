/* What is wrong with a file, and what it would run. */
#include <stdio.h>

#include "engine/engine_internal.h"
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
} checking;

static void compile(checking *c, const weir_document *document) {
    weir_plan *plan =
        weir__compile(c->kind, document, c->request, &c->engine->registry, &c->problems);
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
        weir_member_put(c->request, "document", weir_int_new((int64_t)i));
        if (weir__complete_workflow(&one, c->request, false, &c->problems)) compile(c, &one);
        weir_document_deinit(&one);
    }
    if (any) return;
    weir_document whole;
    weir_document_copy(document, &whole);
    if (weir__complete_workflow(&whole, c->request, false, &c->problems)) compile(c, &whole);
    weir_document_deinit(&whole);
}

bool weir_check(weir_engine *engine, const weir_value *request,
                void (*problem)(void *arg, const weir_error *error), void *arg, char kind_name[16],
                weir_error *error) {
    weir_document document = {0};
    weir__request whole;
    checking c = {.engine = engine};
    bool opened = weir__request_open(&whole, request, &c.problems);
    weir_member_put(whole.value, "check", weir_bool_new(true));
    weir__templates_name(engine, whole.value);
    c.request = whole.value;
    c.kind = opened ? weir__read_file(NULL, whole.value, false, &document, &c.problems) : NULL;
    if (c.kind && strcmp(c.kind->name, "workflow") == 0)
        compile_documents(&c, &document);
    else if (c.kind)
        compile(&c, &document);
    weir__request_close(&whole);
    if (kind_name) snprintf(kind_name, 16, "%s", c.kind ? c.kind->name : "");
    bool ok = c.kind && !c.problems.total;
    weir__say_warnings(&c.problems, problem, arg);
    if (!ok) weir__say_problems(&c.problems, problem, arg, error);
    weir_problems_deinit(&c.problems);
    weir_document_deinit(&document);
    return ok;
}

bool weir_preview(weir_engine *engine, const weir_value *request,
                  void (*problem)(void *arg, const weir_error *error), void *arg, weir_value **out,
                  weir_error *error) {
    weir_document document = {0};
    weir_problems problems = {0};
    weir__request whole;
    bool opened = weir__request_open(&whole, request, &problems);
    weir__templates_name(engine, whole.value);
    const weir__kind *kind =
        opened ? weir__load_file(whole.value, false, &document, &problems) : NULL;
    weir_plan *plan =
        kind ? weir__compile(kind, &document, whole.value, &engine->registry, &problems) : NULL;
    weir__say_warnings(&problems, problem, arg);
    if (plan) {
        const weir_value *root = document.roots.items[0];
        *out = strcmp(kind->name, "workflow") == 0 ? weir_workflow_preview(root, whole.value)
                                                   : weir_value_ref((weir_value *)root);
        weir_plan_unref(plan);
    } else {
        weir__say_problems(&problems, problem, arg, error);
    }
    weir__request_close(&whole);
    weir_problems_deinit(&problems);
    weir_document_deinit(&document);
    return plan != NULL;
}
