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

enum {
    WEIR__TEMPLATE_DEPTH_MAX = 100
}; /* Argo's maxStackDepth: the entrypoint is at depth 1, and what would be at this one does not begin */

typedef struct weir__parameter {
    weir_str name;
    weir_str text;        /* an argument's or an input's value, an output's valueFrom.parameter */
    weir_str fallback;    /* an output's valueFrom.default */
    weir_str path;        /* of a container's output: the file that it is read from; empty: none */
    weir_str global_name; /* of an output; empty: it has none */
    bool given, has_fallback;
    bool is_expression; /* `text` is one, rather than a text with tags */
    bool is_fixed;      /* an output whose text the file says */
    bool supplied;      /* an output that is given from outside, to a suspended node */
} weir__parameter;

typedef struct weir__parameters {
    weir__parameter *items;
    size_t count;
} weir__parameters;

/* An artifact of inputs, outputs or arguments. */
typedef struct weir__artifact {
    weir_str name;
    weir_str path; /* in the container, with tags; empty: none */
    weir_str
        from; /* a reference to another, without its braces, or an expression; empty: it says itself where it is */
    weir_str sub_path; /* beside `from` */
    weir_value *value; /* Argo's object of it but for `from`, with tags: owned by the workflow */
    bool is_expression, optional;
    bool located; /* it says where it is */
    bool keyed;   /* by a key, in a repository */
} weir__artifact;

typedef struct weir__artifacts {
    weir__artifact *items;
    size_t count;
} weir__artifacts;

/* What a `depends` may ask of a task; the bits of one node, or those that a piece accepts. */
enum {
    WEIR__SUCCEEDED = 1,
    WEIR__FAILED = 2,
    WEIR__ERRORED = 4,
    WEIR__SKIPPED = 8,
    WEIR__OMITTED = 16,
    WEIR__DAEMONED = 32,
    WEIR__ANY_SUCCEEDED = 128, /* of a loop's items */
    WEIR__ALL_FAILED = 256,
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

/* withItems, withParam or withSequence. */
typedef struct weir__loop {
    weir_value *items;                  /* array; of withItems, tags within */
    weir_str param;                     /* a text with tags that is a JSON list */
    weir_str count, start, end, format; /* of a sequence, with tags; empty: not given */
    bool is_sequence;
} weir__loop;

/* A call of a template: a step, a task of a DAG, a hook of one of those, or the workflow itself. */
typedef struct weir__step {
    weir_str name;
    uint32_t template;
    uint32_t group; /* of a steps template */
    weir__parameters arguments;
    weir__artifacts artifacts; /* the same of artifacts */
    weir_str when;             /* empty: always. Of a hook: its expression */
    const weir__loop *loop;    /* NULL: none */
    bool loops;                /* it has one: known before that is compiled */
    struct weir__step *hooks;  /* the one named `exit` runs when the step is over */
    size_t hook_count;
    weir__piece *depends;
    size_t depends_count;
    weir__indexes dependencies, dependents; /* each task once */
    bool continue_on_failed, continue_on_error;
    bool result_wanted; /* something refers to its outputs.result */
    bool wanted;        /* a target of its DAG, or needed by one */
    bool target;
} weir__step;

/* Is the hook one that runs at the end, whatever it was? */
static inline bool weir__is_exit(const weir__step *hook) {
    return weir_str_is(hook->name, "exit");
}

/* When a template that failed is tried again; texts may have tags, and are empty when they were not given. */
typedef struct weir__retry {
    weir_str limit, duration, factor, cap, max_duration, expression;
    bool on_failed, on_error, on_transient;
} weir__retry;

/* A `data` template: keys of a repository, and what is made of the list. */
typedef struct weir__data {
    weir__artifact source;
    weir_str *expressions; /* with tags */
    size_t count;
} weir__data;

/* A mutex or a semaphore; texts may have tags. */
typedef enum weir__lock_kind {
    WEIR__LOCK_MUTEX,
    WEIR__LOCK_DATABASE_MUTEX, /* of Argo's database: as the store's locks all are */
    WEIR__LOCK_MAP,            /* a semaphore whose limit a config map has */
    WEIR__LOCK_DATABASE        /* one whose limit the configuration has */
} weir__lock_kind;

typedef struct weir__lock {
    weir__lock_kind kind;
    weir_str name, key; /* `key` of the config map `name` */
    weir_str space;     /* the namespace; empty: the workflow's */
} weir__lock;

typedef struct weir__locks {
    weir__lock *items;
    size_t count;
} weir__locks;
enum { WEIR__LOCKS_MAX = 64 };

/* A metric of Prometheus', given when what it is of is over; texts have tags. */
typedef struct weir__metric {
    weir_str name, help, when, value, operation;
    const char *kind; /* "gauge", "counter", "histogram" */
    bool realtime;    /* a gauge that is also shown while what it is of runs */
    weir__parameter *labels;
    size_t label_count;
    double *buckets;
    size_t bucket_count;
} weir__metric;

typedef struct weir__metrics {
    weir__metric *items;
    size_t count;
} weir__metrics;
enum { WEIR__METRICS_MAX = 1000, WEIR__METRIC_NAME_MAX = 256 };

typedef enum weir__kind {
    WEIR__UNKNOWN, /* of a wrong or unsupported template: never in a plan */
    WEIR__POD,
    WEIR__PLUGIN,
    WEIR__HTTP,
    WEIR__SUSPEND,
    WEIR__STEPS,
    WEIR__DAG
} weir__kind;

/* One of a container set. */
typedef struct weir__member {
    weir_str name;
    weir__indexes dependencies, dependents; /* each once */
} weir__member;

typedef struct weir__template {
    weir_str name;
    weir__kind kind;
    /* Of an inline template: the one whose step it is, and which: what may be named there may be named here. */
    const struct weir__template *caller;
    uint32_t caller_step;
    bool inlined;
    weir_str
        display; /* what its nodes are shown as, with tags; empty: nothing else than by their names */
    weir__parameters inputs, outputs;
    weir__artifacts artifacts_in, artifacts_out;
    const weir_value *archive; /* `archiveLocation`; NULL: none */
    bool archives_logs;        /* the log of its pod is an artifact, too */
    /* leaves */
    weir_value *config;   /* with tags; NULL unless a leaf */
    bool incomplete;      /* rendered, it needs weir__complete_pod */
    weir_value *patched;  /* with a podSpecPatch: {pod, patches}, see patch.c; NULL: it has none */
    weir_str timeouts[2]; /* those with tags; empty: none */
    weir_str memo_key;    /* the same; empty: it is not memoized */
    /* Of one that is memoized and no single pod: the task that looks for what a call of it gave before. */
    weir_task_spec look;
    weir__member *members; /* of a container set: its containers, which are nodes, too */
    size_t member_count;
    weir_task_spec spec;
    weir_str
        success;  /* of an http template: its successCondition, with tags; empty: a status of 2xx */
    bool is_call; /* a plugin that is called over HTTP */
    const weir__data *data; /* of a pod that lists keys; NULL: it runs a command */
    weir__metrics metrics;
    weir__locks locks; /* that a node has while it runs */
    weir_str
        pending_timeout; /* how long it may wait for them, with tags; empty: as long as it takes */
    const weir__retry *retry; /* NULL: once */
    weir_str duration;        /* of a suspension, with tags; empty: until it is resumed */
    /* steps and DAG */
    uint32_t parallelism; /* 0: any number */
    weir__step *steps;
    size_t step_count;
    weir_map step_names;
    uint32_t *groups; /* first step of each group, and the end */
    size_t group_count;
    weir__indexes order;   /* of a DAG: the wanted tasks, each after its dependencies */
    bool fail_fast;        /* a DAG's: the first failure is its own */
    bool stops_at_failure; /* no more begin once one failed: `failFast` of the template itself */
} weir__template;

typedef struct weir__workflow {
    weir_plan plan;
    weir_arena arena;
    weir_value *source; /* the Workflow as the file has it */
    weir_str name;
    weir__parameters parameters;
    weir__artifacts artifacts; /* `arguments.artifacts` */
    weir_str garbage;          /* when artifacts go that do not say it themselves; empty: never */
    bool collects;             /* some go */
    bool inlines;              /* some of its templates are */
    weir_str key_format;       /* of keys that nobody says, with tags */
    bool archives_logs;        /* of templates that do not say it themselves */
    weir__template *templates;
    size_t template_count;
    weir_map template_names;
    weir__step entry;                 /* the call that is its root, with the workflow's hooks */
    WEIR_VECTOR(weir_value *) values; /* of items and artifacts: owned */
    weir_value *metadata;   /* {namespace, labels, annotations, ...}: what tags may ask for */
    weir_str pull, network; /* of its containers, as the request says; empty: as it comes */
    weir_str executor;      /* what its containers run as; empty: as it comes */
    bool allow_host_path;
    weir_value *volumes;      /* {NAME: what its mounts have}, see plan_volume.c */
    uint32_t parallelism;     /* of its pods; 0: any number */
    uint64_t resume_after_us; /* suspensions end by themselves after that; 0: not */
    weir__metrics metrics;    /* of the run */
    weir__locks locks;        /* of the workflow as a whole */
    bool begins_suspended, begins_stopped, begins_terminated; /* spec.suspend, spec.shutdown */
    bool has_locks;                                           /* it, or a template */
    weir_value *limits;  /* {KEY: limit} of semaphores that are of no config map; NULL: none */
    weir_value *plugins; /* {NAME: {address, token?}} of the configuration; NULL: none */
} weir__workflow;

static inline const weir__template *weir__called(const weir__workflow *workflow,
                                                 const weir__step *step) {
    return &workflow->templates[step->template];
}
/* Whether a task does what it says. */
static inline bool weir__is_leaf(const weir__template *template) {
    return template->kind == WEIR__POD || template->kind == WEIR__PLUGIN ||
           template->kind == WEIR__HTTP;
}
/* forecast.c: as weir_plan has them. */
struct weir_forecast;
void weir__workflow_forecast(const weir_plan *plan, const weir_value *request,
                             struct weir_forecast *forecast);
void weir__workflow_identify(const weir_plan *plan, const weir_task_spec *spec, weir_buffer *out);
/* NULL when there is none of that name. */
const weir__parameter *weir__parameter_find(const weir__parameters *parameters, weir_str name);

/* NULL when there is none of that name. */
const weir__artifact *weir__artifact_by_name(const weir__artifacts *artifacts, weir_str name);

/* What a tag names. */
typedef enum weir__subject {
    WEIR__REF_FOREIGN,     /* no tag of Argo's: stays as it is */
    WEIR__REF_UNKNOWN,     /* looks like one, but there is none of that form */
    WEIR__REF_UNSUPPORTED, /* one that Argo knows */
    WEIR__REF_NAME,        /* of the workflow */
    WEIR__REF_PARAMETER,   /* of the workflow: `name` */
    WEIR__REF_INPUT,       /* `name` */
    WEIR__REF_INPUTS,      /* all input parameters, as JSON */
    WEIR__REF_ITEM,        /* `name` is the key; empty: all of it */
    WEIR__REF_RETRIES,     /* how often it was tried before */
    WEIR__REF_LAST_RETRY,  /* `name`: status, exitCode, duration, message of the attempt before */
    WEIR__REF_NODE_NAME,
    WEIR__REF_POD_NAME,
    WEIR__REF_SELF,            /* the name of the step or task itself */
    WEIR__REF_RUN_STATUS,      /* of the workflow, at its end */
    WEIR__REF_RUN_FAILURES,    /* the same */
    WEIR__REF_RUN_FACT,        /* `name` of the workflow: uid, namespace, creationTimestamp ... */
    WEIR__REF_ARTIFACT_PATH,   /* of the template's input `name`: where it is in the container */
    WEIR__REF_OUTPUT_PATH,     /* the same of its output artifact */
    WEIR__REF_PARAMETER_PATH,  /* the same of its output parameter */
    WEIR__REF_INPUT_ARTIFACT,  /* `name`; no text stands for an artifact */
    WEIR__REF_GLOBAL_ARTIFACT, /* the workflow's output `name` */
    WEIR__REF_RESULT,          /* the rest are of `step` */
    WEIR__REF_OUTPUT,          /* `name` */
    WEIR__REF_STATUS,
    WEIR__REF_EXIT_CODE,
    WEIR__REF_IP,
    WEIR__REF_HOST,
    WEIR__REF_ID,
    WEIR__REF_STARTED_AT,
    WEIR__REF_FINISHED_AT,
    WEIR__REF_OUTPUTS,        /* all its output parameters */
    WEIR__REF_OUTPUT_ARTIFACT /* `name` */
} weir__subject;

/* Whether it stands for an artifact, rather than for a text. */
static inline bool weir__is_artifact(weir__subject subject) {
    return subject == WEIR__REF_INPUT_ARTIFACT || subject == WEIR__REF_GLOBAL_ARTIFACT ||
           subject == WEIR__REF_OUTPUT_ARTIFACT;
}

typedef struct weir__reference {
    weir__subject subject;
    weir_str step, name;
} weir__reference;

/* `dag`: whether `tasks.` is the prefix of steps, rather than `steps.`. */
weir__reference weir__reference_parse(weir_str tag, bool dag);

/* Appends what an expression gives that knows the workflow's name, parameters, labels and annotations only. */
WEIR_CHECKED bool weir__expression_of_workflow(const weir__workflow *workflow, weir_str text,
                                               weir_buffer *out, weir_error *error);
/* Calls back with each name that the expression refers to. */
WEIR_CHECKED bool weir__expression_names(weir_str text, bool (*visit)(void *arg, weir_str name),
                                         void *arg, weir_error *error);

/* --- the compiler --------------------------------------------------------------------------- */

typedef struct weir__compiler {
    const weir_document *document;
    size_t root;
    weir_problems *problems;
    const weir_registry *registry;
    weir__workflow *workflow;
    weir_buffer path; /* of what is being looked at */
    weir_map patched; /* names of a pod's fields that a podSpecPatch has and a warning named */
    /* Of a node that starts, whose containers are compiled again: what was written is rendered already. NULL: there is none. */
    struct weir__scope *scope;
    const weir_value *template_source; /* of the template whose containers are compiled */
    weir_value *own_volumes;           /* of the template that is being compiled; NULL: none */
    const weir_value *
        set_mounts; /* of the container set that is being compiled: each container has them; NULL: none */
    int32_t pod_priority; /* of templates that say none */
    bool incomplete;      /* something of it is known only when its tags are rendered */
} weir__compiler;

/* Goes down the path; gives what weir__leave takes to go back. */
size_t weir__enter(weir__compiler *c, const char *format, ...) WEIR_PRINTF(2, 3);
void weir__leave(weir__compiler *c, size_t mark);
/* Adds a problem at the path. */
void weir__problem(weir__compiler *c, weir_code code, const char *format, ...) WEIR_PRINTF(3, 4);
/* Whether the loader told already that a call's template is not there. */
static inline bool weir__is_missing(const weir_value *call) {
    return weir_member_named(weir_member_named(call, "weir"), "missing") != NULL;
}
/* Adds the template's name that is most like `name` to the problem that was added behind `before` of them. */
void weir__hint_template(weir__compiler *c, size_t before, weir_str name);
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
#define WEIR__PORT_NAME_RULE                                                                       \
    "Parameter/Artifact name must consist of alpha-numeric characters, '_' or '-' e.g. "           \
    "my_param_1, MY-PARAM-1"
/* Whether it is a name of a parameter or an artifact. */
bool weir__is_port_name(weir_str name);
weir_str weir__name_field(weir__compiler *c, const weir_value *object, weir_map *names,
                          size_t index, const char *what);
/* What kinds of parameters there are, by where their texts come from. */
typedef enum weir__role { WEIR__ARGUMENTS, WEIR__INPUTS, WEIR__OUTPUTS } weir__role;
weir__parameters weir__parameters_compile(weir__compiler *c, const weir_value *holder,
                                          weir__role role, const char *what);

/* --- plan_artifact.c. `what` is how Argo calls the list's holder: "templates.main.inputs". --- */

/* Where an artifact is, of a value in Argo's form (with tags or without). */
bool weir__location_is_known(const weir_value *artifact);
/* The member that has a repository's key, and how the key is called there; NULL: it is in none. */
const char *weir__location_of_key(const weir_value *artifact, const char **member);

weir__artifacts weir__artifacts_compile(weir__compiler *c, const weir_value *holder,
                                        weir__role role, const char *what);
/* The workflow's `artifactGC`. */
void weir__compile_garbage(weir__compiler *c, const weir_value *spec);
/* The body of a `data` template. */
void weir__compile_data(weir__compiler *c, weir__template *template, const weir_value *source);
/* What is wrong with a template's own artifacts; of steps and DAGs those that outputs refer to are looked at, too. */
void weir__check_artifacts(weir__compiler *c, weir__template *template, const weir_value *source);

/* The place a text is at, for which names its tags may use: a leaf (`step` WEIR__NONE), the step of that index, or the
 * outputs of a steps or DAG template (`step` is their count). */
typedef struct weir__site {
    weir__template *template;
    uint32_t step;
    const char *what; /* how Argo calls it in messages: "templates.main:" */
    bool at_end;      /* a hook's of the step, which may ask for what came of that */
} weir__site;

/* Problems for all tags that cannot be resolved there. `sample` (may be NULL) gets the text with numbers for tags. */
void weir__check_text(weir__compiler *c, const weir__site *site, weir_str text,
                      weir_buffer *sample);

/* The arguments of a call, and the problem of an input of its template that gets none. */
void weir__compile_arguments(weir__compiler *c, const weir__site *site, weir__step *step,
                             const weir_value *source);
void weir__check_supplied(weir__compiler *c, const weir__site *site, const weir__step *step);
void weir__compile_loop(weir__compiler *c, const weir__site *site, weir__step *step,
                        const weir_value *source);
/* `onExit` and `hooks`. */
void weir__compile_hooks(weir__compiler *c, const weir__site *site, weir__step *step,
                         const weir_value *source);
void weir__compile_retry(weir__compiler *c, weir__template *template, const weir_value *source);
/* Of a template or of the spec. */
void weir__compile_metrics(weir__compiler *c, const weir_value *holder, weir__metrics *out);
/* The same. */
void weir__compile_locks(weir__compiler *c, const weir__site *site, const weir_value *holder,
                         weir__locks *out);
/* How long a node may wait for its locks. */
void weir__compile_pending_timeout(weir__compiler *c, const weir__site *site,
                                   const weir_value *source, weir_str *out);
/* Appends Argo's name of a lock whose texts have no tags; `space`: the workflow's namespace. */
void weir__lock_name(const weir__lock *lock, weir_str space, weir_buffer *out);
/* How many may have the lock of that name (as weir__lock_name has it); texts without tags. */
WEIR_CHECKED bool weir__lock_limit(const weir__workflow *workflow, weir__lock_kind kind,
                                   weir_str map, weir_str key, weir_str name, uint64_t *out,
                                   weir_error *error);
/* 0: any number. */
uint32_t weir__compile_parallelism(weir__compiler *c, const weir_value *source);
int32_t weir__compile_priority(weir__compiler *c, const weir_value *source, const char *field,
                               int32_t otherwise);
/* The same of an expression. */
void weir__check_expression(weir__compiler *c, const weir__site *site, weir_str text);
/* The same of every text of the value. */
void weir__check_texts(weir__compiler *c, const weir__site *site, const weir_value *value);
/* The artifacts of a call, or of a template's outputs: what they refer to, and their tags. */
void weir__check_references(weir__compiler *c, const weir__site *site,
                            const weir__artifacts *artifacts);

/* The request that an http template is, and that to an executor plugin; new references. */
weir_value *weir__compile_http(weir__compiler *c, const weir__site *site, weir__template *t,
                               const weir_value *source);
weir_value *weir__compile_plugin_call(weir__compiler *c, const weir__site *site, weir__template *t,
                                      weir_value *source);
/* RFC 4648, section 4; line ends and blanks are passed over. */
bool weir__decode_base64(weir_str text, weir_buffer *out);
/* What its annotations say that a task of it takes; behind weir__compile_leaf. */
void weir__compile_estimate(weir__compiler *c, weir__template *template, const weir_value *source);
void weir__compile_leaf(weir__compiler *c, weir__template *template, const weir_value *source);
/* The config of a template that is a pod, but for its outputs. */
void weir__compile_pod(weir__compiler *c, weir__template *template, const weir_value *source);
/* Its podSpecPatch, and the workflow's. */
void weir__compile_patches(weir__compiler *c, const weir__site *site, weir__template *template,
                           const weir_value *source);

/* --- plan_env.c, plan_volume.c: what a container gets from elsewhere */

/* `env` and `envFrom`, as `environment` and `environment_from` of the config. */
void weir__compile_environment(weir__compiler *c, const weir__site *site, const weir_value *source,
                               weir_value *config);
/* Of a `fieldRef` or `resourceFieldRef`; NULL after a problem. */
weir_value *weir__compile_field_ref(weir__compiler *c, const weir_value *from);
/* Labels and annotations of the pod, which its fields may name. */
void weir__compile_about(weir__compiler *c, const weir__site *site, const weir_value *template,
                         weir_value *config);
/* `volumes`, `volumeClaimTemplates` and `volumeClaimGC` of the workflow. */
void weir__compile_volumes(weir__compiler *c, const weir_value *spec);
/* {NAME: what its mounts have} of a template's own volumes; NULL: it has none. */
weir_value *weir__compile_own_volumes(weir__compiler *c, const weir_value *template);
/* `volumeMounts`, as `mounts` of the sandbox. */
void weir__compile_mounts(weir__compiler *c, const weir__site *site, const weir_value *container,
                          weir_value *sandbox);
/* Whether a pod has a field at that path (`metadata.name`). */
bool weir__pod_has_field(weir_str path);
/* Kubernetes' quantity: "500m", "2", "1.5Gi", or a number. */
WEIR_CHECKED bool weir__quantity_read(const weir_value *value, double *out);
/* What an attempt with this config wants of its machine: the sum of what its containers request, else of their limits. */
weir_resources weir__resources_of(const weir_value *config);

/* The config of one container; with its source when it is a script. */
weir_value *weir__compile_container(weir__compiler *c, const weir__site *site,
                                    const weir_value *source, bool script);
/* Of a daemon's container; NULL: it has none. New reference. */
weir_value *weir__compile_probe(weir__compiler *c, const weir__site *site,
                                const weir_value *container);
/* The config of a template that is a container set; and the other containers of any that is a pod. */
void weir__compile_set(weir__compiler *c, const weir__site *site, weir__template *template,
                       const weir_value *source);
void weir__compile_beside(weir__compiler *c, const weir__site *site, weir__template *template,
                          const weir_value *source);
/* Of any template, behind its body's kind and its retryStrategy. */
void weir__compile_memo(weir__compiler *c, weir__template *template, const weir_value *source);
void weir__compile_steps(weir__compiler *c, weir__template *template, const weir_value *groups);
void weir__compile_dag(weir__compiler *c, weir__template *template, const weir_value *dag);
/* The pieces, dependencies and dependents of all tasks, their order, and which are wanted; false when it makes no
 * sense to go on. */
bool weir__compile_dependencies(weir__compiler *c, weir__template *template, const weir_value *dag);
/* Whether the task `ancestor` is needed, directly or not, by `task`. */
bool weir__is_ancestor(const weir__template *template, uint32_t ancestor, uint32_t task);

#endif
