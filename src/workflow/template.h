/* What a Workflow is compiled to, and what its compiler shares across files. Private to this folder.
 *
 * A step stands for a step of a steps template and for a task of a DAG. Names are resolved to indexes; texts keep their
 * tags, which were checked and are rendered when the step starts. All of it lives in the workflow's arena, but for the
 * counted values; immutable once compiled. */
#ifndef WEIR_WORKFLOW_TEMPLATE_H
#define WEIR_WORKFLOW_TEMPLATE_H

#include "base/map.h"
#include "expr/tag.h"
#include "workflow/plan.h"

#define WEIR__NONE UINT32_MAX

enum { WEIR__TEMPLATE_DEPTH_MAX = 100 }; /* Argo's maxStackDepth; the entrypoint is at depth 1 */

typedef struct weir__parameter {
    weir_str name;
    weir_str text;     /* an argument's or an input's value, an output's valueFrom.parameter */
    weir_str fallback; /* an output's valueFrom.default */
    bool given, has_fallback;
} weir__parameter;

typedef struct weir__parameters {
    weir__parameter *items;
    size_t count;
} weir__parameters;

/* What a `depends` may ask of a task; the bits of one node, or those that a piece accepts. */
enum {
    WEIR__SUCCEEDED = 1,
    WEIR__FAILED = 2,
    WEIR__ERRORED = 4,
    WEIR__SKIPPED = 8,
    WEIR__OMITTED = 16,
    WEIR__DAEMONED = 32,
    WEIR__PASSED = 64 /* what a bare name asks: well ended, skipped, daemoned, or continued from */
};

/* A `depends` is a row of pieces: operators as they are, and tasks, each true or false once it is fulfilled. */
typedef struct weir__piece {
    uint32_t task;    /* WEIR__NONE: an operator */
    uint32_t accepts; /* bits */
    weir_str text;    /* the operator */
} weir__piece;

typedef struct weir__indexes {
    uint32_t *items;
    size_t count;
} weir__indexes;

typedef struct weir__step {
    weir_str name;
    uint32_t template;
    uint32_t group; /* of a steps template */
    weir__parameters arguments;
    weir_str when; /* empty: always */
    weir__piece *depends;
    size_t depends_count;
    weir__indexes dependencies, dependents; /* each task once */
    bool continue_on_failed, continue_on_error;
    bool result_wanted; /* something refers to its outputs.result */
    bool wanted;        /* a target of its DAG, or needed by one */
    bool target;
} weir__step;

typedef enum weir__kind {
    WEIR__UNKNOWN, /* of a wrong or unsupported template: never in a plan */
    WEIR__POD,
    WEIR__PLUGIN,
    WEIR__STEPS,
    WEIR__DAG
} weir__kind;

typedef struct weir__template {
    weir_str name;
    weir__kind kind;
    weir__parameters inputs, outputs;
    /* leaves */
    weir_value *config; /* with tags; NULL unless a leaf */
    weir_str timeout;   /* with tags; empty: none */
    weir_str memo_key;  /* the same */
    weir_task_spec spec;
    /* steps and DAG */
    weir__step *steps;
    size_t step_count;
    weir_map step_names;
    uint32_t *groups; /* first step of each group, and the end */
    size_t group_count;
    weir__indexes order; /* of a DAG: the wanted tasks, each after its dependencies */
    bool fail_fast;
} weir__template;

typedef struct weir__workflow {
    weir_plan plan;
    weir_arena arena;
    weir_str name;
    weir__parameters parameters;
    weir__template *templates;
    size_t template_count;
    weir_map template_names;
    uint32_t entry;
} weir__workflow;

static inline bool weir__is_leaf(const weir__template *template) {
    return template->kind == WEIR__POD || template->kind == WEIR__PLUGIN;
}
/* NULL when there is none of that name. */
const weir__parameter *weir__parameter_find(const weir__parameters *parameters, weir_str name);

/* What a tag names. */
typedef enum weir__subject {
    WEIR__REF_FOREIGN,     /* no tag of Argo's: stays as it is */
    WEIR__REF_UNKNOWN,     /* looks like one, but there is none of that form */
    WEIR__REF_UNSUPPORTED, /* one that Argo knows */
    WEIR__REF_NAME,        /* of the workflow */
    WEIR__REF_PARAMETER,   /* of the workflow: `name` */
    WEIR__REF_INPUT,       /* `name` */
    WEIR__REF_RESULT,      /* the rest are of `step` */
    WEIR__REF_OUTPUT,      /* `name` */
    WEIR__REF_STATUS,
    WEIR__REF_EXIT_CODE,
    WEIR__REF_IP
} weir__subject;

typedef struct weir__reference {
    weir__subject subject;
    weir_str step, name;
} weir__reference;

/* `dag`: whether `tasks.` is the prefix of steps, rather than `steps.`. */
weir__reference weir__reference_parse(weir_str tag, bool dag);

/* --- the compiler --------------------------------------------------------------------------- */

typedef struct weir__compiler {
    const weir_document *document;
    size_t root;
    weir_problems *problems;
    const weir_registry *registry;
    weir__workflow *workflow;
    weir_buffer path; /* of what is being looked at */
} weir__compiler;

/* Goes down the path; gives what weir__leave takes to go back. */
size_t weir__enter(weir__compiler *c, const char *format, ...) WEIR_PRINTF(2, 3);
void weir__leave(weir__compiler *c, size_t mark);
/* Adds a problem at the path. */
void weir__problem(weir__compiler *c, weir_code code, const char *format, ...) WEIR_PRINTF(3, 4);
/* The member, or NULL when it is absent or null, or of another type, which is a problem. */
weir_value *weir__field(weir__compiler *c, const weir_value *object, const char *key,
                        weir_type type);
/* A scalar's text as Argo has it (a number or boolean as JSON prints it), in the arena; false and a problem for the
 * rest. */
bool weir__any_text(weir__compiler *c, const weir_value *value, weir_str *out);
/* The same of a member; false when it is absent. */
bool weir__text_field(weir__compiler *c, const weir_value *object, const char *key, weir_str *out);
bool weir__bool_field(weir__compiler *c, const weir_value *object, const char *key, bool otherwise);
/* A problem for each of the fields that is there and not empty; the list ends with NULL. */
void weir__refuse(weir__compiler *c, const weir_value *object, const char *const *fields);
/* A problem when the parameter's text is none of those that its source allows. */
void weir__check_enum(weir__compiler *c, const weir_value *source, const weir__parameter *p,
                      const char *what);
/* The `name` of a thing in a list: must be there, and not be in `names`, where it is put with `index`. `what` is how
 * Argo calls the list: "templates.main.steps[0]". */
weir_str weir__name_field(weir__compiler *c, const weir_value *object, weir_map *names,
                          size_t index, const char *what);
/* What kinds of parameters there are, by where their texts come from. */
typedef enum weir__role { WEIR__ARGUMENTS, WEIR__INPUTS, WEIR__OUTPUTS } weir__role;
weir__parameters weir__parameters_compile(weir__compiler *c, const weir_value *holder,
                                          weir__role role, const char *what);

/* The place a text is at, for which names its tags may use: a leaf (`step` WEIR__NONE), the step of that index, or the
 * outputs of a steps or DAG template (`step` is their count). */
typedef struct weir__site {
    weir__template *template;
    uint32_t step;
    const char *what; /* how Argo calls it in messages: "templates.main:" */
} weir__site;

/* Problems for all tags that cannot be resolved there. `sample` (may be NULL) gets the text with numbers for tags. */
void weir__check_text(weir__compiler *c, const weir__site *site, weir_str text,
                      weir_buffer *sample);

void weir__compile_leaf(weir__compiler *c, weir__template *template, const weir_value *source);
/* Of any template, behind its body's kind: of most it is refused. */
void weir__compile_memo(weir__compiler *c, weir__template *template, const weir_value *source);
void weir__compile_steps(weir__compiler *c, weir__template *template, const weir_value *groups);
void weir__compile_dag(weir__compiler *c, weir__template *template, const weir_value *dag);
/* The pieces, dependencies and dependents of all tasks, their order, and which are wanted; false when it makes no
 * sense to go on. */
bool weir__compile_dependencies(weir__compiler *c, weir__template *template, const weir_value *dag);
/* Whether the task `ancestor` is needed, directly or not, by `task`. */
bool weir__is_ancestor(const weir__template *template, uint32_t ancestor, uint32_t task);

#endif
