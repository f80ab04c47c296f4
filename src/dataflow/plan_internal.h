/* The inside of a dataflow's plan: what the compiler makes and the coordinator reads. */
#ifndef WEIR_DATAFLOW_PLAN_INTERNAL_H
#define WEIR_DATAFLOW_PLAN_INTERNAL_H

#include "base/map.h"
#include "dataflow/plan.h"

typedef enum weir_stage {
    WEIR_STAGE_PROCESSING,
    WEIR_STAGE_CLEANUP,
    WEIR_STAGE_OUTPUT,
    WEIR_STAGE_DONE
} weir_stage;

typedef struct weir__definition {
    weir_str name, primitive;
    weir_value *default_value; /* NULL: none */
} weir__definition;

/* Who reads inputs of an origin: one parameter or one condition of an instance. */
typedef struct weir__consumer {
    uint32_t instance;
    uint32_t slot;       /* which parameter or condition */
    uint32_t definition; /* of the inputs it takes */
    bool condition;
} weir__consumer;

typedef struct weir__origin {
    weir_str text; /* "seed", or what weir__dataflow_output_origin makes */
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

typedef struct weir__instance {
    weir_str name;
    weir_task_spec spec;
    const weir_operation *operation;
    weir_value *config; /* object */
    bool renders;       /* its config has tags to be replaced by inputs */
    weir_stage stage;
    WEIR_VECTOR(weir__parameter) parameters;
    WEIR_VECTOR(weir__output) outputs;
    WEIR_VECTOR(uint32_t) conditions; /* definitions */
    uint32_t condition_sources;       /* any of them true suffices; 0: unconditional */
    bool in_flow; /* an operation with parameters that the flow leaves out never runs */
} weir__instance;

typedef struct weir__given {
    uint32_t definition, origin;
    weir_value *value;
    bool again; /* the very same input as an earlier one: stored once more, but joined only once */
} weir__given;

/* A context that the request asks for. */
typedef struct weir__context_plan {
    weir_str name;
    WEIR_VECTOR(weir__given) inputs; /* the request's, then the seeds */
} weir__context_plan;

typedef struct weir_dataflow_plan {
    weir_plan plan;
    weir_arena arena; /* texts */
    bool strict;
    bool pipeline; /* its results are those of its one context */
    WEIR_VECTOR(weir__definition) definitions;
    WEIR_VECTOR(weir__origin) origins;
    WEIR_VECTOR(weir__instance) instances;
    WEIR_VECTOR(weir__context_plan) contexts;
    uint32_t output_instances;
    weir_map definition_names, origin_names, instance_names;
} weir_dataflow_plan;

weir_coordinator *weir__dataflow_coordinator_new(const weir_plan *plan, weir_tasks *tasks);

/* What the compiler works with. */
typedef struct weir__compiler {
    weir_dataflow_plan *plan;
    const weir_dataflow_source *source;
    const weir_value *request;
    const weir_registry *registry;
    weir_problems *problems;
} weir__compiler;

/* Adds a problem at an instance's parameter (or condition, or ""), or with an empty instance at `path`; NULL: the request's, which has no
 * place. */
void weir__dataflow_problem(weir__compiler *c, weir_str instance, weir_str parameter,
                            const char *path, weir_code code, const char *format, ...)
    WEIR_PRINTF(6, 7);
/* The text, copied into the plan. */
weir_str weir__dataflow_keep(weir_dataflow_plan *plan, weir_str text);
/* The text of the origin (instance, output); no other pair has it, whatever the names are. */
void weir__dataflow_output_origin(weir_str instance, weir_str output, weir_buffer *out);
/* The number of an origin, made when new. */
uint32_t weir__dataflow_origin(weir_dataflow_plan *plan, weir_str text);
/* Fills consumers from the flow, or by auto flow. */
void weir__dataflow_compile_flow(weir__compiler *c);
/* Fills the contexts from the request and the seeds. */
void weir__dataflow_compile_inputs(weir__compiler *c);

#endif
