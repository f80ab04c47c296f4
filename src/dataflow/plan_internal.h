/* The inside of a dataflow's plan: what the compiler makes and the coordinator reads.
 *
 * A plan is a list of flows: the file's own, and one for each dataflow in an operation's configuration (subflows). In a
 * flow everything has a number: definitions, origins (where inputs come from), instances (operations), and, over all
 * instances, slots (parameters) and condition sources. */
#ifndef WEIR_DATAFLOW_PLAN_INTERNAL_H
#define WEIR_DATAFLOW_PLAN_INTERNAL_H

#include "base/map.h"
#include "dataflow/plan.h"

#define WEIR__NONE UINT32_MAX /* no definition, origin, instance, input */

enum { WEIR__PARAMETERS_MAX = 256, WEIR__FLOWS_MAX = 10000 };

typedef enum weir_stage {
    WEIR_STAGE_PROCESSING,
    WEIR_STAGE_CLEANUP,
    WEIR_STAGE_OUTPUT,
    WEIR_STAGE_DONE
} weir_stage;

/* A member of a definition's record type. */
typedef struct weir__field {
    weir_str name;
    weir_value *otherwise; /* NULL: it has to be given */
} weir__field;

typedef struct weir__definition {
    weir_str name, primitive;
    weir_value *default_value; /* NULL: none */
    bool has_spec, subspec;    /* objects become arrays of the fields */
    WEIR_VECTOR(weir__field) fields;
    weir_str validate;  /* the instance that inputs from outside go through; empty: none */
    uint32_t validator; /* its number, or WEIR__NONE */
    bool lock_said, validate_said; /* in the file */
    bool lock;  /* an input of it, and what is made from it, is used by one operation at a time */
    bool kept;  /* an output operation may ask for its values */
    bool asked; /* an output operation is told by values of it what to ask for */
    bool forwarded; /* to subflows */
} weir__definition;

/* Who reads inputs of an origin: one parameter or one condition of an instance. */
typedef struct weir__consumer {
    uint32_t instance;
    uint32_t slot;       /* which parameter or condition of the instance */
    uint32_t definition; /* of the inputs it takes */
    bool condition;
    bool keeps; /* the input may be needed again once it was consumed */
    uint32_t ancestors,
        ancestor_count; /* origins, in the flow's list: of a parent, of its parent, … */
} weir__consumer;

typedef struct weir__origin {
    weir_str text;       /* "seed", say; of an output its key */
    uint32_t definition; /* of an output: what it gives; else WEIR__NONE */
    uint32_t instance;   /* of an output: who makes it; else WEIR__NONE */
    WEIR_VECTOR(weir__consumer) consumers;
} weir__origin;

typedef struct weir__parameter {
    weir_str name;
    uint32_t definition;
} weir__parameter;

typedef struct weir__output {
    weir_str key;
    uint32_t definition, origin;
    bool expand;
} weir__output;

/* An operation that runs a dataflow of its configuration. */
typedef enum weir__nested_kind {
    WEIR__NESTED_NOT,
    WEIR__NESTED_RUN,    /* {context: inputs} in, {context: result} out */
    WEIR__NESTED_CUSTOM, /* its parameters are the inputs of one context, the result its outputs */
    WEIR__NESTED_REMAP   /* its output operations look at the same context */
} weir__nested_kind;

typedef struct weir__kept_spec {
    weir_task_spec spec;
    const weir_value *config; /* the instance's */
} weir__kept_spec;

typedef struct weir__instance {
    weir_str name;
    weir_task_spec
        *spec; /* of a weir__kept_spec in the plan's arena; calls that are alike may share one */
    const weir_operation *operation;
    const weir_shape *shape; /* shared by instances that are alike */
    weir_value *config;      /* object */
    bool renders;            /* its config has tags to be replaced by inputs */
    bool call;               /* pure and cheap, without retry, timeout and lock */
    bool validator;          /* runs only for inputs of definitions that name it */
    bool lenient;            /* when it fails, its context goes on, in a strict run, too */
    bool unary;              /* one parameter: an input is not needed again once it was consumed */
    bool in_flow;            /* an operation with parameters that the flow leaves out never runs */
    weir_stage stage;
    WEIR_VECTOR(weir__parameter) parameters;
    WEIR_VECTOR(weir__output) outputs;
    WEIR_VECTOR(uint32_t) conditions; /* definitions */
    uint32_t condition_sources;       /* any of them true suffices; 0: unconditional */
    uint32_t first_condition;
    weir__nested_kind nested;
    uint32_t flow; /* that it runs */
} weir__instance;

/* An input from outside: of a request, a seed, or sent. */
typedef struct weir__given {
    uint32_t definition, origin; /* origin: WEIR__NONE when nobody reads from it */
    weir_value *value;
    uint32_t
        same_as; /* the very same input as this one of its list: joined only once; or WEIR__NONE */
    uint32_t seed;                  /* which of the flow's seeds it is, or WEIR__NONE */
    uint32_t parents, parent_count; /* in the list's `parents` */
} weir__given;

typedef struct weir__givens {
    WEIR_VECTOR(weir__given) items;
    WEIR_VECTOR(uint32_t) parents; /* places in `items` */
} weir__givens;

typedef struct weir__forward {
    uint32_t definition, instance; /* of this flow */
    uint32_t inner;                /* the definition in the flow that the instance runs */
} weir__forward;

/* The same once more, lean: what a context looks at while it runs, close together and in the order in which instances fire
 * when all goes as written, so that few cache lines are touched, and most of them one after the other.
 * A context keeps its state in cells of 4 bytes: of each instance its firing, and behind it a slot for each parameter. */
enum { WEIR__CELL_BYTES = 4, WEIR__FIRING_CELLS = 2, WEIR__SLOT_CELLS = 3 };

typedef struct weir__lean_consumer {
    uint32_t lean; /* the place of the instance among the lean ones */
    uint32_t definition;
    uint32_t firing;    /* the first cell of the instance */
    uint32_t slot;      /* the first cell of the parameter, or the number of the condition source */
    uint16_t ancestors; /* so many; where they stand, `consumer_ancestors` says */
    uint8_t needs; /* it is looked at when so many of its parameters have inputs; 0: in any case */
    uint8_t stage : 7, condition : 1;
} weir__lean_consumer;

/* A part of the flow's lean consumers. */
typedef struct weir__readers {
    uint32_t first, count;
} weir__readers;

typedef struct weir__lean_output {
    uint32_t definition, origin;
    weir__readers readers;
    bool expand, has_spec;
    bool kept;    /* as long as the context */
    bool special; /* more is to be done with it than to give it to its readers */
} weir__lean_output;

/* What instances that are alike have in common: there are few, so they stay in a cache. In the plan's arena. */
typedef struct weir__lean_form {
    const weir_operation *code;
    weir_value *config;
    const weir_shape *shape;
    uint16_t parameters, outputs;
    uint8_t stage;
    bool call, in_flow, collects;
    bool conditional; /* a condition has to be true */
    bool defaults;    /* a parameter's definition has a default */
    bool prepares;    /* an output is expanded, or of a record type */
    uint8_t none[5];  /* instead of padding: forms are compared by their bytes */
} weir__lean_form;
_Static_assert(sizeof(weir__lean_form) == 3 * sizeof(void *) + 16, "no padding");

typedef struct weir__lean_instance {
    const weir__lean_form *form;
    uint32_t instance;        /* its number */
    uint32_t firing;          /* its first cell; the slots' are behind it */
    uint32_t first_output;    /* among the lean outputs */
    uint32_t first_parameter; /* among the definitions of parameters */
} weir__lean_instance;

/* What numbers names have. While there is the object of the file that has them as its members, their places in it are their
 * numbers: a check needs nothing else. Others are in the map. */
typedef struct weir__names {
    weir_value *listed; /* NULL: none any more */
    bool loose;         /* they are in no object and no map: those of parts (weir_dataflow_parts) */
    uint32_t asked;     /* how often, while they are loose */
    weir_map others;
} weir__names;

typedef struct weir__flow {
    uint32_t number;
    weir_value *path; /* names of the instances around it */
    WEIR_VECTOR(weir__definition) definitions;
    WEIR_VECTOR(weir__origin) origins;
    WEIR_VECTOR(weir__instance) instances;
    WEIR_VECTOR(uint32_t) ancestors;
    WEIR_VECTOR(weir__forward) forwards;
    weir__givens seeds;
    WEIR_VECTOR(uint32_t) starters; /* to look at when a context opens, whatever it is given */
    WEIR_VECTOR(uint32_t) in_stage[WEIR_STAGE_DONE];
    uint32_t cell_count, condition_count;
    uint32_t parameters_most; /* of an instance */
    uint32_t seed_origin;     /* that of the text "seed", or WEIR__NONE */
    WEIR_VECTOR(weir__lean_instance) lean;
    WEIR_VECTOR(uint32_t) lean_places; /* by instance */
    WEIR_VECTOR(weir__lean_output) lean_outputs;
    WEIR_VECTOR(weir__lean_consumer) lean_consumers;
    WEIR_VECTOR(uint32_t) consumer_ancestors;    /* by lean consumer, where there are any */
    WEIR_VECTOR(weir__readers) readers;          /* by origin */
    WEIR_VECTOR(uint32_t) parameter_definitions; /* of one instance after the other */
    bool keeps_all;                              /* output operations may ask for any value */
    bool lineage;                                /* somebody asks what an input was made from */
    bool locks;                                  /* there are definitions with locks */
    bool alone;                                  /* its contexts touch nothing but themselves */
    bool calls;                                  /* all its operations are calls */
    bool asks;                                   /* some definition is `asked` */
    bool judges; /* what an operation gives may be a condition, or come instead of a default */
    bool judges_given; /* so may what comes from outside */
    weir__names definition_names, instance_names;
    weir_map origin_names; /* but those of outputs */
} weir__flow;

/* numbers.c */
bool weir__definition_find(const weir__flow *flow, weir_str name, uint64_t *at);
bool weir__instance_find(const weir__flow *flow, weir_str name, uint64_t *at);
/* The name's bytes are borrowed for as long as the names live. */
void weir__names_add(weir__names *names, weir_str name, size_t at);
/* Its members are what the flow has first, in this order. */
void weir__names_list(weir__names *names, weir_value *object);
void weir__names_deinit(weir__names *names);
/* All names in maps, none in the file's objects: before the plan goes to others. */
void weir__flow_own_names(weir__flow *flow);
/* The origin of an instance's output. */
bool weir__output_find(const weir__flow *flow, weir_str instance, weir_str key, uint32_t *origin);
/* What the origin of the other flow is in this one, or WEIR__NONE. */
uint32_t weir__origin_like(const weir__flow *flow, const weir__flow *other, uint32_t origin);

static inline const weir__lean_instance *weir__lean_of(const weir__flow *flow, uint32_t instance) {
    return &flow->lean.items[flow->lean_places.items[instance]];
}

/* A context that the request asks for. */
typedef struct weir__context_plan {
    weir_str name;
    weir__givens inputs;
} weir__context_plan;

typedef struct weir_dataflow_plan {
    weir_plan plan;
    weir_arena arena; /* texts and shapes */
    bool strict;
    bool tasks_only;   /* no operation is a call: each begins as the run's mode says */
    bool pipeline;     /* its results are those of its one context */
    bool open;         /* contexts may be added until it is told that there are no more */
    uint32_t gatherer; /* of flow 0: the instance that no document has, or WEIR__NONE */
    WEIR_VECTOR(weir__flow *) flows; /* 0: the file's */
    weir_map shapes;                 /* by the names of their ports */
    WEIR_VECTOR(weir__context_plan) contexts;
} weir_dataflow_plan;

weir_coordinator *weir__dataflow_coordinator_new(const weir_plan *plan, weir_tasks *tasks);
/* definition.c: as weir_plan has it. */
void weir__dataflow_definitions(const weir_plan *plan, weir_buffer *json, bool *leaves);
/* forecast.c: the same. The forecast comes closed. */
void weir__dataflow_forecast(const weir_plan *plan, const weir_value *request,
                             struct weir_forecast *forecast);
void weir__dataflow_identify(const weir_plan *plan, const weir_task_spec *spec, weir_buffer *out);

/* What the compiler works with. */
typedef struct weir__compiler {
    weir_dataflow_plan *plan;
    weir__flow *flow;             /* that is being compiled */
    const weir__flow *around;     /* whose context it looks at (remap); NULL: none */
    struct weir__compiler *outer; /* of the dataflow that runs it; NULL: none */
    const weir__instance *caller; /* whose parameters are its inputs (custom form); NULL: none */
    const weir_value *value;      /* it */
    weir_str prefix; /* its path in the source's, with a '/' at its end; empty: the source's own */
    const weir_dataflow_source *source;
    const weir_value *request;
    const weir_registry *registry;
    weir_problems *problems;
    weir_value *empty;   /* the configuration of those that have none */
    weir_task_spec spec; /* of the instance that is being compiled */
    weir_error *told;    /* what was added last, until the next; NULL: it was one too many */
    uint32_t depth;
} weir__compiler;

/* Adds a problem, or with WEIR_OK a warning, at an instance's parameter (or condition, or ""), or with an empty instance at `path`. With both the path is
 * meant, but of a pipeline, whose file has other paths. */
void weir__dataflow_problem(weir__compiler *c, weir_str instance, weir_str parameter,
                            const char *path, weir_code code, const char *format, ...)
    WEIR_PRINTF(6, 7);
/* The text, copied into the plan, with a NUL behind it. */
weir_str weir__dataflow_keep(weir_dataflow_plan *plan, weir_str text);
/* The number of an origin, made when new. */
uint32_t weir__dataflow_origin(weir__compiler *c, weir_str text);

/* declared.c: what operations declare themselves. */
/* The operation as the file has it, `value`, and what it declares where that says nothing; new reference. */
weir_value *weir__dataflow_declared(weir__compiler *c, const weir__instance *instance,
                                    const weir_value *value);
/* The same for the definitions of its ports. */
void weir__dataflow_declare_ports(weir__compiler *c, const weir__instance *instance);

/* Whether its configuration has what it declares to want. */
void weir__dataflow_check_required(weir__compiler *c, const weir__instance *instance);

/* attempts.c: how often it is tried, and for how long. */
void weir__dataflow_compile_attempts(weir__compiler *c, weir__instance *instance,
                                     const weir_value *value);

/* names.c: names that there are not. */
/* Says with the problem that was added last what to do; which instance, or output of one, was meant, or which there are;
 * and which operation was meant. */
void weir__dataflow_hint(weir__compiler *c, const char *hint);
void weir__dataflow_hint_instance(weir__compiler *c, weir_str wrong);
void weir__dataflow_hint_output(weir__compiler *c, const weir__instance *instance, weir_str wrong);
void weir__dataflow_hint_operation(weir__compiler *c, weir_str wrong);
/* The same of a definition, with an error of any kind. */
void weir__dataflow_hint_definition(const weir__flow *flow, weir_str wrong, weir_error *error);
/* An operation that says nothing of its configuration takes any; so with parameters, and with WEIR_ANY_INPUTS. */
void weir__dataflow_check_config(weir__compiler *c, const weir__instance *instance);
void weir__dataflow_check_parameters(weir__compiler *c, const weir__instance *instance);
/* A process gives what it declares, and with format json whatever it prints; other operations are not asked. */
void weir__dataflow_check_outputs(weir__compiler *c, const weir__instance *instance);
/* Problems for all tags of the value's texts that name no input of the instance. */
void weir__dataflow_check_tags(weir__compiler *c, const weir__instance *instance,
                               const weir_value *value, weir_str where);
/* memo.c: what is `given` as `cache` of the operation, or NULL; once its configuration is known. */
void weir__dataflow_compile_memo(weir__compiler *c, weir__instance *instance,
                                 const weir_value *given);
/* Warns of members of the dataflow and its parts that nobody reads. */
void weir__dataflow_check_members(weir__compiler *c);
/* `inputs` of the flow's entry for the instance. */
void weir__dataflow_check_flow_entry(weir__compiler *c, const weir__instance *instance,
                                     const weir_value *inputs);

/* definition.c: fills the definitions; and finds or makes the one that a port names or nests. */
void weir__dataflow_compile_definitions(weir__compiler *c);
/* The same of those that are in no value. */
void weir__dataflow_take_definitions(weir__compiler *c, const weir_dataflow_parts *parts);
bool weir__dataflow_use_definition(weir__compiler *c, weir_str instance, weir_str port,
                                   const weir_value *value, uint32_t *out);
/* Knows the definition, or those of the other flow, too, by name: what comes of them was shaped where it comes from. */
void weir__dataflow_adopt_definition(weir__compiler *c, const weir__definition *definition);
void weir__dataflow_adopt_definitions(weir__compiler *c, const weir__flow *other);
/* The value as an input of the definition has it: by its spec. A new reference; false when it does not fit. */
WEIR_CHECKED bool weir__definition_shape(const weir__definition *definition, weir_value *value,
                                         weir_value **out, weir_error *error);

/* flow.c: fills consumers from the flow as written, or by auto flow. */
void weir__dataflow_compile_flow(weir__compiler *c);
/* analysis.c: what follows from all of it: stages, and what is kept. */
void weir__dataflow_analyse(weir__compiler *c);
/* Makes the lean forms of all flows, once all is known of them. */
void weir__dataflow_make_lean(weir_dataflow_plan *plan);
/* A definition whose inputs are to be validated, and the request gives some, needs its validator. */
void weir__dataflow_check_validators(weir__compiler *c);

/* given.c: inputs from outside. */
/* Adds the inputs of `entries`, [{value, definition, origin?, id?, same_as?, parents?}]; all or none. */
WEIR_CHECKED bool weir__givens_parse(const weir__flow *flow, const weir_value *entries,
                                     weir__givens *out, weir_error *error);
/* Adds one of origin "seed"; the value is a new reference. */
WEIR_CHECKED bool weir__givens_add(const weir__flow *flow, weir_str definition, weir_value *value,
                                   weir__givens *out, weir_error *error);
void weir__givens_deinit(weir__givens *givens);
/* `out` is empty. */
void weir__givens_copy(const weir__givens *givens, weir__givens *out);
/* Fills the flow's seeds. */
void weir__dataflow_compile_seeds(weir__compiler *c);
/* Fills the contexts from the request. */
void weir__dataflow_compile_contexts(weir__compiler *c);

#endif
