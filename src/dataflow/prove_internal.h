/* The proof's inside: levels of all that may come to be in a flow, found as a fixed point by counting what each operation still
 * lacks (Dowling and Gallier, Linear-time algorithms for testing the satisfiability of propositional Horn formulae, 1984). */
#ifndef WEIR_DATAFLOW_PROVE_INTERNAL_H
#define WEIR_DATAFLOW_PROVE_INTERNAL_H

#include "dataflow/plan_internal.h"
#include "dataflow/prove.h"

/* Whether something comes to be. SURE is: when no operation fails, and each gives all outputs that it declares. */
enum { WEIR__NEVER, WEIR__MAY, WEIR__SURE };

/* A place where an instance reads: the consumer of an origin. */
typedef struct weir__use {
    uint32_t origin, consumer;
} weir__use;

/* What the values of a condition's source are, of those that come from outside. */
enum { WEIR__JUDGED_NOT, WEIR__JUDGED_FALSE, WEIR__JUDGED_TRUE };

typedef struct weir__flow_proof {
    const weir__flow *flow;
    bool open;                 /* what it reads from outside is taken to come from there */
    bool reached;              /* the operation that runs it may run; so of the file's own */
    bool fails;                /* a context of it fails for certain */
    bool sure;                 /* a context of it succeeds for certain */
    bool differs;              /* its results are not the outputs of the operation that runs it */
    const weir__givens *given; /* of a context; NULL: none */
    uint32_t caller;           /* the instance that runs it, in the flow around; or WEIR__NONE */
    struct weir__flow_proof *outside; /* that flow */
    uint8_t *runs;                    /* by instance: a level */
    uint8_t *comes;                   /* by origin: what operations give of it */
    uint8_t *there;   /* by definition: whether a value of it is there, wherever from */
    uint8_t *slots;   /* by slot: whether an input comes for it */
    uint32_t *makers; /* by origin: the instance that gives what is of it, or WEIR__NONE */
    uint32_t *first; /* by instance: its first slot; behind its parameters' one of its conditions */
    uint32_t *uses_first; /* by slot */
    weir__use *uses;
    uint8_t *judged; /* by condition source */
    bool *forwarded; /* by definition: it may be forwarded from the flow around; NULL: none is */
    bool *made;      /* by definition: an operation declares an output of it */
    bool *asked_for; /* by definition: it has to be given, as an output operation asks for it */
    uint32_t *by_origin, *by_definition, *next_of_origin, *next_of_definition; /* lists of givens */
} weir__flow_proof;

typedef struct weir__prover {
    const weir_dataflow_plan *plan;
    weir_proof *proof;       /* NULL with `visit` */
    weir__flow_proof *flows; /* by number */
    weir_str context;        /* whose inputs are looked at, of several; empty: of the only one */
    uint8_t **seen; /* by flow, by instance: a bit for each level that it has in some context */
    bool last;      /* no further context is looked at */
    size_t budget;  /* of looking at values that output operations are told */
    /* Called with each flow that may run, of each kind of context, instead of saying anything; NULL: all is said. */
    void (*visit)(void *arg, const weir__flow_proof *flow);
    void *arg;
} weir__prover;

/* Calls back with what is proved of each flow that may run, once for each kind of context. */
void weir__dataflow_levels(const weir_dataflow_plan *plan, const weir_value *request,
                           void (*visit)(void *arg, const weir__flow_proof *flow), void *arg);

static inline const weir__consumer *weir__use_consumer(const weir__flow_proof *p, weir__use use) {
    return &p->flow->origins.items[use.origin].consumers.items[use.consumer];
}
/* Whether inputs of the origin come from outside only. */
static inline bool weir__is_outside(const weir__flow_proof *p, uint32_t origin) {
    return p->flow->origins.items[origin].definition == WEIR__NONE;
}
/* A condition of a text that has none of that index takes nothing. */
static inline bool weir__takes_something(const weir__consumer *consumer) {
    return consumer->definition != WEIR__NONE;
}
/* The number of slots of all instances before it, and the slot of its conditions. */
static inline uint32_t weir__condition_slot(const weir__flow_proof *p, uint32_t instance) {
    return p->first[instance] + (uint32_t)p->flow->instances.items[instance].parameters.count;
}
static inline bool weir__is_conditional(const weir__instance *instance) {
    return instance->condition_sources > 0 && !instance->validator;
}

/* --- prove_given.c: what comes from outside */
/* So many inputs are given, of the request's context and the seeds; the one of that number. */
size_t weir__given_count(const weir__flow_proof *p);
const weir__given *weir__given_at(const weir__flow_proof *p, size_t at);
/* Makes the lists of givens, and judges conditions by them. */
void weir__prove_givens(weir__flow_proof *p);
/* Calls back with each value that the parameter in the slot may get from outside, or its default; until it is false. */
void weir__each_known(weir__prover *prover, const weir__flow_proof *p, uint32_t instance,
                      uint32_t parameter, bool (*visit)(void *arg, const weir_value *value),
                      void *arg);
/* Calls back with each definition that the output operation asks for and has to find. */
void weir__each_asked(weir__prover *prover, const weir__flow_proof *p, uint32_t instance,
                      void (*visit)(void *arg, weir_str definition), void *arg);

/* --- prove_wait.c: who waits for whom */
typedef struct weir__waits {
    const weir__flow_proof *p;
    uint32_t
        *component; /* by instance that never runs: which strongly connected one it is in, from 1 */
    uint32_t *before, *queue;
    size_t budget;
} weir__waits;
void weir__waits_init(weir__waits *waits, const weir__flow_proof *p);
void weir__waits_deinit(weir__waits *waits);
/* Whether both never run, and each waits for the other, perhaps by way of others. */
bool weir__wait_in_turn(const weir__waits *waits, uint32_t a, uint32_t b);
/* The shortest chain of instances from `from` to `to` of which each waits for the next, with both ends: a list, the caller's. */
uint32_t *weir__waiting_chain(weir__waits *waits, uint32_t from, uint32_t to, size_t *count);

/* --- prove_say.c, prove_type.c */
/* The instance's name, behind those of the instances around it. */
weir_value *weir__component_name(const weir__flow_proof *p, weir_str instance);
/* Where the instance, or a part of it, is in the file. */
void weir__component_path(const weir__flow_proof *p, weir_str instance, const char *group,
                          weir_str part, weir_buffer *out);
/* All findings of the flow, and what it adds to the summary. */
void weir__prove_say(weir__prover *prover, const weir__flow_proof *p);
/* Warnings of what is fed to parameters of another type, or given by a seed, and errors where that fails for certain. */
void weir__prove_types(weir__prover *prover, const weir__flow_proof *p);
/* Whether the names of the results of a flow that an operation runs by its parameters are known, and are not the operation's
 * outputs: then it fails. `names` (may be NULL) gets them, with ", " between. */
bool weir__results_differ(weir__prover *prover, const weir__flow_proof *p, weir_buffer *names);

#endif
