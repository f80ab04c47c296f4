/* Workflows by chance: steps within a DAG or a DAG within steps, with results that are passed on, conditions,
 * failures that are gone on from, retries, loops, exit hooks and handlers, suspensions, locks, daemons, artifacts,
 * and what is remembered of other runs. */
#include <string.h>

#include "scenario.h"
#include "simulation.h"

enum { STEPS_MAX = 12, LEAVES = 10, SUB = LEAVES };

static const char leaves[] =
    "  - name: echo\n"
    "    @echo\n"
    "    inputs: {parameters: [{name: m}]}\n"
    "    container: {image: a, command: [echo], args: ['{{inputs.parameters.m}}']}\n"
    "  - name: script\n"
    "    @script\n"
    "    inputs: {parameters: [{name: m}]}\n"
    "    script: {image: a, command: [sh], source: 'echo {{inputs.parameters.m}}'}\n"
    "  - name: slow\n"
    "    @slow\n"
    "    inputs: {parameters: [{name: m}]}\n"
    "    timeout: 2s\n"
    "    container: {image: a, command: [sleep, '{{inputs.parameters.m}}']}\n"
    "  - name: serve\n"
    "    +retryStrategy: {limit: '2'}\n"
    "    daemon: true\n"
    "    inputs: {parameters: [{name: m}]}\n"
    "    -container: {image: a, command: [serve, '{{inputs.parameters.m}}']}\n"
    "    +container: {image: a, command: [serve, fate, '{{inputs.parameters.m}}', '{{retries}}']}\n"
    "  - name: pause\n"
    "    inputs: {parameters: [{name: m}]}\n"
    "    suspend: {duration: 1}\n"
    "  - name: ask\n"
    "    inputs: {parameters: [{name: m}]}\n"
    "    suspend: {}\n"
    "    outputs: {parameters: [{name: answer, valueFrom: {supplied: {}}}]}\n"
    "  - name: alone\n"
    "    @alone\n"
    "    inputs: {parameters: [{name: m}]}\n"
    "    synchronization: {mutexes: [{name: one}]}\n"
    "    container: {image: a, command: [mutex, one, '{{inputs.parameters.m}}']}\n"
    "  - name: pair\n"
    "    @pair\n"
    "    inputs: {parameters: [{name: m}]}\n"
    "    synchronization: {semaphores: [{database: {key: two}}]}\n"
    "    container: {image: a, command: [semaphore, two, '{{inputs.parameters.m}}']}\n"
    "  - name: both\n"
    "    @both\n"
    "    inputs: {parameters: [{name: m}]}\n"
    "    synchronization: {mutexes: [{name: one}], semaphores: [{database: {key: two}}]}\n"
    "    container: {image: a, command: [mutex, one, two, '{{inputs.parameters.m}}']}\n"
    "  - name: flaky\n"
    "    @flaky\n"
    "    inputs: {parameters: [{name: m}]}\n"
    "    -script: {image: a, command: [sh], source: 'echo {{inputs.parameters.m}}'}\n"
    "    +script: {image: a, command: [sh, fate], source: 'echo {{inputs.parameters.m}} "
    "{{retries}}'}\n";

static const char makers[] =
    "  - name: make\n"
    "    inputs: {parameters: [{name: m}]}\n"
    "    container: {image: a, command: [make, '{{inputs.parameters.m}}']}\n"
    "    outputs: {artifacts: [{name: a, path: /a}, {name: b, path: /b, archive: {none: {}}}]}\n"
    "  - name: use\n"
    "    inputs: {parameters: [{name: m}], artifacts: [{name: a, path: /a}]}\n"
    "    container: {image: a, command: [use, '{{inputs.parameters.m}}']}\n"
    "    outputs: {artifacts: [{name: a, path: /a}]}\n";

/* What is remembered of a call has a key that tells it from others. */
static void write_memo(uint64_t *memos, weir_str name, bool whole, weir_buffer *text) {
    if (!memos || chance_draw(memos, 2)) return;
    weir_buffer_printf(text, "    memoize: {key: '%.*s%s', cache: {configMap: {name: c}}}\n",
                       WEIR_ARG(name), whole ? "" : "-{{=sprig.sha256sum(inputs.parameters.m)}}");
}

/* `@NAME`: here it says whether it is memoized. `+`: only where each try has a fate of its own, and daemons are tried again, `-`: only
 * where not. */
static void write_leaves(uint64_t *memos, bool fates, weir_buffer *text) {
    for (const char *at = leaves, *end; *at; at = end + 1) {
        end = strchr(at, '\n');
        if (at[4] == (fates ? '-' : '+')) continue;
        if (at[4] == '@')
            write_memo(memos, (weir_str){at + 5, (size_t)(end - at) - 5}, false, text);
        else if (at[4] == '-' || at[4] == '+')
            weir_buffer_printf(text, "    %.*s", (int)(end - at) - 4, at + 5);
        else
            weir_buffer_str_append(text, (weir_str){at, (size_t)(end - at) + 1});
    }
}

/* What one of them is tried again by; the last one waits. */
static const char *const retries[] = {
    "{limit: '2'}", "{limit: '3', retryPolicy: Always}", "{limit: 4, retryPolicy: OnFailure}",
    "{limit: '2', retryPolicy: Always, backoff: {duration: '1', factor: 2}}"};

/* The steps of a template, as they are written. */
typedef struct writer {
    uint64_t *chance;
    /* The same of what is remembered, and of artifacts; NULL: nothing is, there are none. */
    uint64_t *memos, *artifacts;
    weir_buffer *text;
    const char *name, *of; /* of the template; "steps" or "tasks" */
    const char *sub;       /* a template that may be called; NULL: none */
    /* In parallelism: what holds its place, or waits for a lock, would then keep others from ending. */
    bool limited;
    bool serves;                                     /* has daemons */
    bool has_result[STEPS_MAX], has_list[STEPS_MAX]; /* a list: of a loop */
    bool has_artifact[STEPS_MAX];
    const char *result[STEPS_MAX]; /* what it is called */
    uint32_t count;
} writer;

static uint32_t draw(writer *w, uint32_t count) {
    return (uint32_t)chance_draw(w->chance, count);
}

/* One of those before `until` that `among` and `has` allow; STEPS_MAX: there is none. */
static uint32_t pick(writer *w, uint32_t until, uint32_t among, const bool *has) {
    uint32_t found = STEPS_MAX, seen = 0;
    for (uint32_t i = 0; i < until; i++)
        if (has[i] && among >> i & 1 && draw(w, ++seen) == 0) found = i;
    return found;
}

/* A loop over items, a sequence, or what another loop gave; `among` as there. False: none. */
static bool write_loop(writer *w, uint32_t at, uint32_t among) {
    uint32_t list = pick(w, at, among, w->has_list);
    if (draw(w, 4)) return false;
    if (list < STEPS_MAX && draw(w, 2))
        weir_buffer_printf(w->text, ", withParam: '{{%s.%c%u.outputs.result}}'", w->of, w->name[0],
                           list);
    else if (draw(w, 2))
        weir_buffer_printf(w->text, ", withItems: [%u, x%u, {a: %u}]", at, at, draw(w, 3));
    else
        weir_buffer_printf(w->text, ", withSequence: {count: '%u'}", 1 + draw(w, 3));
    return true;
}

/* One of those before that has an artifact; STEPS_MAX: there is none. */
static uint32_t pick_artifact(const writer *w, uint32_t at, uint32_t among) {
    uint32_t found = STEPS_MAX, seen = 0;
    for (uint32_t i = 0; w->artifacts && i < at; i++)
        if (w->has_artifact[i] && among >> i & 1 && chance_draw(w->artifacts, ++seen) == 0)
            found = i;
    return found;
}

static void write_argument(writer *w, uint32_t at, uint32_t among, uint32_t artifact, bool loop) {
    uint32_t from = pick(w, at, among, w->has_result);
    weir_buffer_printf(w->text, ", arguments: {parameters: [{name: m, value: '%u", at);
    if (loop) weir_buffer_text(w->text, " {{item}}");
    if (from < STEPS_MAX)
        weir_buffer_printf(w->text, " {{%s.%c%u.%s}}", w->of, w->name[0], from, w->result[from]);
    weir_buffer_text(w->text, "'}]");
    if (artifact < STEPS_MAX)
        weir_buffer_printf(w->text,
                           ", artifacts: [{name: a, from: '{{%s.%c%u.outputs.artifacts.a}}'}]",
                           w->of, w->name[0], artifact);
    weir_buffer_byte(w->text, '}');
}

/* `among`: those that it may refer to, as bits. */
static void write_step(writer *w, uint32_t among) {
    static const char *const templates[] = {"echo", "script", "flaky", "alone", "pair",
                                            "both", "slow",   "pause", "serve", "ask"};
    enum { FLAKY = 2, LOCKED = 3, WITH_RESULT = 6, PAUSE = 7, DAEMON = 8, ASK = 9 };
    uint32_t at = w->count++, kind = draw(w, w->sub ? LEAVES + 1 : LEAVES);
    bool locks = kind >= LOCKED && kind < WITH_RESULT;
    if ((w->limited || w->serves) && locks) kind = 0;
    if (!w->serves && kind == DAEMON) kind = 1;
    uint32_t artifact = kind < FLAKY ? pick_artifact(w, at, among) : STEPS_MAX;
    bool makes = kind < FLAKY && w->artifacts && chance_draw(w->artifacts, 2);
    const char *called = kind == SUB            ? w->sub
                         : artifact < STEPS_MAX ? "use"
                         : makes                ? "make"
                                                : templates[kind];
    weir_buffer_printf(w->text, "{name: %c%u, template: %s", w->name[0], at, called);
    bool loop = kind != SUB && kind != DAEMON && write_loop(w, at, among);
    if (kind != SUB) write_argument(w, at, among, artifact, loop);
    w->has_artifact[at] = (makes || artifact < STEPS_MAX) && !loop;
    w->has_result[at] = (kind < WITH_RESULT || kind == ASK) && !loop;
    w->result[at] = kind == ASK ? "outputs.parameters.answer" : "outputs.result";
    w->has_list[at] = kind < WITH_RESULT && loop;
    uint32_t from = pick(w, at, among, w->has_result);
    if (from < STEPS_MAX && draw(w, 4) == 0) {
        weir_buffer_printf(w->text, ", when: '{{%s.%c%u.%s}} < %u'", w->of, w->name[0], from,
                           w->result[from], draw(w, 10));
        w->has_result[at] = w->has_list[at] = w->has_artifact[at] = false;
    }
    if (draw(w, 5) == 0)
        weir_buffer_printf(w->text,
                           ", hooks: {exit: {template: %s, arguments: {parameters: [{name: m,"
                           " value: 'after %u'}]}}}",
                           templates[draw(w, w->limited || w->serves ? LOCKED : WITH_RESULT)], at);
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

static void write_parallelism(writer *w) {
    if (w->limited && draw(w, 2))
        weir_buffer_printf(w->text, "    parallelism: %u\n", 1 + draw(w, 3));
}

static void write_template(writer *w, bool dag) {
    (dag ? write_dag : write_steps)(w);
    write_memo(w->memos, weir_str_from(w->name), true, w->text);
    write_parallelism(w);
    if (!w->limited && !w->serves && draw(w, 4) == 0)
        weir_buffer_printf(w->text, "    synchronization: {mutexes: [{name: of-%s}]}\n", w->name);
}

static void allow_two(weir_value *request) {
    weir_value *workflow = weir_object_new(), *semaphores = weir_object_new();
    weir_member_put(semaphores, "two", weir_int_new(2));
    weir_member_put(workflow, "semaphores", semaphores);
    weir_member_put(request, "workflow", workflow);
}

void scenario_write_workflow(uint64_t *chance, weir_buffer *text, weir_value *request) {
    weir_buffer_text(text, "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\n"
                           "metadata: {name: w}\nspec:\n  entrypoint: main\n");
    bool limited = chance_draw(chance, 3) == 0, serves = !limited && chance_draw(chance, 3) == 0;
    if (limited && chance_draw(chance, 2))
        weir_buffer_printf(text, "  parallelism: %u\n", 1 + (unsigned)chance_draw(chance, 4));
    if (chance_draw(chance, 3) == 0) weir_buffer_text(text, "  onExit: bye\n");
    if (!limited && !serves && chance_draw(chance, 6) == 0)
        weir_buffer_text(text, "  synchronization: {mutexes: [{name: whole}]}\n");
    allow_two(request);
    weir_buffer_text(text, "  templates:\n");
    /* Of its own, so that the rest is what it is without. */
    uint64_t memos = *chance + 1, *memoized = chance_draw(&memos, 3) == 0 ? &memos : NULL;
    uint64_t more = *chance + 2, *artifacts = chance_draw(&more, 3) == 0 ? &more : NULL;
    if (artifacts) weir_buffer_text(text, makers);
    write_leaves(memoized, chance_draw(&more, 3) == 0, text);
    weir_buffer_printf(text, "    retryStrategy: %s\n",
                       retries[chance_draw(chance, sizeof retries / sizeof *retries)]);
    bool dag = chance_draw(chance, 2);
    writer w = {.chance = chance,
                .memos = memoized,
                .artifacts = artifacts,
                .text = text,
                .name = "main",
                .sub = "sub",
                .limited = limited,
                .serves = serves};
    writer sub = w, bye = w;
    sub.name = "sub";
    bye.name = "bye";
    sub.sub = bye.sub = NULL;
    w.of = dag ? "tasks" : "steps";
    sub.of = dag ? "steps" : "tasks";
    bye.of = "steps";
    write_template(&w, dag);
    write_template(&sub, !dag);
    write_template(&bye, false);
}
