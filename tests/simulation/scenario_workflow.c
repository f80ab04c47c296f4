/* Workflows by chance: steps within a DAG or a DAG within steps, with results that are passed on, conditions,
 * failures that are gone on from, and daemons. */
#include "scenario.h"
#include "simulation.h"

enum { STEPS_MAX = 12 };

static const char leaves[] =
    "  - name: echo\n"
    "    inputs: {parameters: [{name: m}]}\n"
    "    container: {image: a, command: [echo], args: ['{{inputs.parameters.m}}']}\n"
    "  - name: script\n"
    "    inputs: {parameters: [{name: m}]}\n"
    "    script: {image: a, command: [sh], source: 'echo {{inputs.parameters.m}}'}\n"
    "  - name: slow\n"
    "    inputs: {parameters: [{name: m}]}\n"
    "    timeout: 2s\n"
    "    container: {image: a, command: [sleep, '{{inputs.parameters.m}}']}\n"
    "  - name: serve\n"
    "    daemon: true\n"
    "    inputs: {parameters: [{name: m}]}\n"
    "    container: {image: a, command: [serve, '{{inputs.parameters.m}}']}\n";

/* The steps of a template, as they are written. */
typedef struct writer {
    uint64_t *chance;
    weir_buffer *text;
    const char *name, *of; /* of the template; "steps" or "tasks" */
    const char *sub;       /* a template that may be called; NULL: none */
    bool has_result[STEPS_MAX];
    uint32_t count;
} writer;

static uint32_t draw(writer *w, uint32_t count) {
    return (uint32_t)chance_draw(w->chance, count);
}

/* One of those before `until` that `among` allows and that surely has a result; STEPS_MAX: there is none. */
static uint32_t pick_result(writer *w, uint32_t until, uint32_t among) {
    uint32_t found = STEPS_MAX, seen = 0;
    for (uint32_t i = 0; i < until; i++)
        if (w->has_result[i] && among >> i & 1 && draw(w, ++seen) == 0) found = i;
    return found;
}

/* `among`: those that it may refer to, as bits. */
static void write_step(writer *w, uint32_t among) {
    static const char *const templates[] = {"echo", "script", "slow", "serve"};
    uint32_t at = w->count++, kind = draw(w, w->sub ? 5 : 4), from = pick_result(w, at, among);
    weir_buffer_printf(w->text, "{name: %c%u, template: %s", w->name[0], at,
                       kind == 4 ? w->sub : templates[kind]);
    if (kind < 4 && from < STEPS_MAX)
        weir_buffer_printf(
            w->text,
            ", arguments: {parameters: [{name: m, value: '%u {{%s.%c%u.outputs.result}}'}]}", at,
            w->of, w->name[0], from);
    else if (kind < 4)
        weir_buffer_printf(w->text, ", arguments: {parameters: [{name: m, value: '%u'}]}", at);
    w->has_result[at] = kind < 2;
    from = pick_result(w, at, among);
    if (from < STEPS_MAX && draw(w, 4) == 0) {
        weir_buffer_printf(w->text, ", when: '{{%s.%c%u.outputs.result}} < %u'", w->of, w->name[0],
                           from, draw(w, 10));
        w->has_result[at] = false;
    }
}

static void write_continue(writer *w) {
    if (draw(w, 3) == 0) weir_buffer_text(w->text, ", continueOn: {failed: true}");
}

static void write_steps(writer *w) {
    weir_buffer_printf(w->text, "  - name: %s\n    steps:\n", w->name);
    for (uint32_t group = 0, groups = 1 + draw(w, 3); group < groups; group++) {
        uint32_t before = (1u << w->count) - 1;
        for (uint32_t i = 0, steps = 1 + draw(w, 3); i < steps; i++) {
            weir_buffer_text(w->text, i ? "      - " : "    - - ");
            write_step(w, before);
            write_continue(w);
            weir_buffer_text(w->text, "}\n");
        }
    }
}

/* In a form, A and B stand for the tasks. */
static void write_depends(writer *w, uint32_t a, uint32_t b) {
    static const char *const forms[] = {"A", "A && B", "A || B.Failed", "A.Failed || B.Succeeded",
                                        "A && !B.Errored"};
    weir_buffer_text(w->text, ", depends: '");
    for (const char *at = forms[a == b ? 0 : draw(w, 5)]; *at; at++) {
        if (*at == 'A' || *at == 'B')
            weir_buffer_printf(w->text, "%c%u", w->name[0], *at == 'A' ? a : b);
        else
            weir_buffer_byte(w->text, *at);
    }
    weir_buffer_byte(w->text, '\'');
}

static void write_dag(writer *w) {
    bool old = draw(w, 2); /* a DAG has `depends`, or `dependencies` and continueOn */
    weir_buffer_printf(w->text, "  - name: %s\n    dag:\n      tasks:\n", w->name);
    for (uint32_t i = 0, tasks = 2 + draw(w, 5); i < tasks; i++) {
        bool depends = i && draw(w, 4);
        uint32_t a = depends ? draw(w, i) : 0, b = depends ? draw(w, i) : 0;
        weir_buffer_text(w->text, "      - ");
        write_step(w, depends ? 1u << a : 0);
        if (old) write_continue(w);
        if (depends && old && a != b)
            weir_buffer_printf(w->text, ", dependencies: [%c%u, %c%u]", w->name[0], a, w->name[0],
                               b);
        else if (depends && old)
            weir_buffer_printf(w->text, ", dependencies: [%c%u]", w->name[0], a);
        else if (depends)
            write_depends(w, a, b);
        weir_buffer_text(w->text, "}\n");
    }
}

void scenario_write_workflow(uint64_t *chance, weir_buffer *text) {
    weir_buffer_text(text, "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\n"
                           "metadata: {name: w}\nspec:\n  entrypoint: main\n  templates:\n");
    weir_buffer_text(text, leaves);
    bool dag = chance_draw(chance, 2);
    writer w = {.chance = chance, .text = text, .name = "main", .sub = "sub"};
    writer sub = {.chance = chance, .text = text, .name = "sub"};
    w.of = dag ? "tasks" : "steps";
    sub.of = dag ? "steps" : "tasks";
    (dag ? write_dag : write_steps)(&w);
    (dag ? write_steps : write_dag)(&sub);
}
