/* What is run: a dataflow, a workflow, a pipeline or a plan of jobs, made by chance. But for dataflows, their meaning is
 * independent of the order in which things come, so any two runs of one must end the same; how a dataflow may end, the
 * oracle says. */
#ifndef WEIR_SIMULATION_SCENARIO_H
#define WEIR_SIMULATION_SCENARIO_H

#include "task/coordinator.h"
#include "task/registry.h"

/* Something that the outside gives a dataflow's run while it goes on, in the order of their list. */
typedef struct gift {
    weir_event_type type; /* as weir_machine_given has it */
    const char *context;  /* of INPUTS_GIVEN and CONTEXT_CLOSED: its name */
    uint32_t number;
    weir_value *data; /* NULL: none */
} gift;

typedef WEIR_VECTOR(gift) gifts;

typedef struct scenario {
    uint64_t seed;
    weir_buffer text; /* the file; empty for jobs */
    weir_value *request;
    weir_plan *plan;
    weir_task_limits limits;
    uint32_t contexts_max;
    bool may_fail;   /* tasks for good */
    bool fails_fast; /* a failure ends what else is under way, so only the phase is certain */
    bool beats;      /* has heartbeats, of which a journal knows nothing */
    bool cancels;    /* is cancelled at some moment */
    bool lazy;       /* several facts may come before a step */
    bool asks;       /* a workflow, in which nodes may wait for an answer */
    bool estimates;  /* something is expected of tasks, so they may pass others in time */

    /* Of a dataflow: */
    bool strict;
    bool orderly;     /* its results are the same in every order of arrival, as multisets */
    weir_value *flow; /* the file with its flow written out; NULL: no dataflow */
    gifts gifts;
    weir_value *loose; /* names of operations; see flow_writer.h */
} scenario;

/* Ends the process when its text does not compile: that is a mistake of the simulator's. */
void scenario_init(scenario *s, uint64_t seed, const weir_registry *registry);
void scenario_deinit(scenario *s);

/* Each writes a file of its kind, and a request with what it asks for. */
void scenario_write_dataflow(scenario *s, uint64_t *chance);
void scenario_write_pipeline(scenario *s, uint64_t *chance);
void scenario_write_workflow(uint64_t *chance, weir_buffer *text, weir_value *request);

#endif
