/* The inside of a trace: what it remembers of a family of contexts. Numbers are places in the family's vectors. */
#ifndef WEIR_DATAFLOW_TRACE_INTERNAL_H
#define WEIR_DATAFLOW_TRACE_INTERNAL_H

#include "dataflow/coordinator_internal.h"
#include "dataflow/trace.h"

typedef WEIR_VECTOR(uint32_t) weir__numbers;

/* An input. */
typedef struct weir__birth {
    uint64_t sequence, time_us; /* of the event that brought it */
    weir_value *value;          /* NULL: too large to be kept here */
    uint32_t context;
    uint32_t definition, origin; /* of the context's flow */
    uint32_t invocation;         /* that gave it; WEIR__NONE: none did */
    uint32_t from;               /* the input that it is, forwarded; or WEIR__NONE */
    uint32_t nth;                /* of those that its event brought to its context, from 1 */
    uint32_t node;               /* in the answer; WEIR__NONE: it is not there */
    bool seed;                   /* of the flow */
} weir__birth;

/* A call, or a task with all its attempts. */
typedef struct weir__act {
    uint64_t sequence; /* of the event that says so first */
    uint64_t started_us, finished_us;
    weir_value *outputs; /* of an output operation; NULL: none, or too large */
    uint32_t context, instance;
    uint32_t task; /* WEIR_NO_TASK: a call */
    uint32_t attempt, host, pid;
    uint32_t set; /* in `pool`: how many, then births or WEIR__DEFAULT */
    uint32_t
        collected; /* in `pool`: how many, then definitions that it may have asked for; WEIR__NONE: it does not */
    uint32_t births; /* that there were when it did */
    uint32_t node;
    uint8_t outcome; /* weir_outcome_kind; WEIR_OUTCOME_KINDS: it is under way */
} weir__act;

typedef struct weir__member {
    const weir__flow *flow;
    char *name;
    weir__numbers at;           /* by place in the context: its birth */
    uint32_t id;                /* of the context */
    uint32_t parent;            /* WEIR__NONE: none */
    uint32_t act;               /* of the parent, that opened it */
    bool remap;                 /* it sees the parent's inputs */
    weir_value *value;          /* its result; NULL: it has none, or it is too large */
    uint64_t sequence, time_us; /* of its end; 0: not yet */
    uint32_t node;
} weir__member;

typedef struct weir__family {
    WEIR_VECTOR(weir__birth) births;
    WEIR_VECTOR(weir__act) acts;
    WEIR_VECTOR(weir__member) members;
    weir__numbers pool;
    uint32_t root;  /* the context's id */
    size_t open_at; /* its place among those that are known */
    uint32_t fresh; /* births from here on came with the event that is being applied */
} weir__family;

/* The query, read. */
typedef struct weir__sought {
    weir_str name;     /* "": only an id counts */
    weir_str text;     /* behind '=' */
    weir_value *value; /* the same as JSON; NULL: it is none */
    bool by_value;
    bool by_id;
    uint32_t context; /* the id */
    uint64_t sequence;
    uint32_t nth;       /* 0: the event as a whole */
    uint32_t forwarded; /* the context that it came to; WEIR__NONE: its own is meant */
} weir__sought;

/* What the query's name means in a flow: WEIR__NONE or numbers. */
typedef struct weir__meaning {
    uint32_t definition, instance, origin;
    bool known;
} weir__meaning;

typedef enum weir__matter { WEIR__BIRTH, WEIR__ACT, WEIR__RESULT, WEIR__MATTERS } weir__matter;

enum { WEIR__MATCHES_MAX = 100 };

/* What a query means by what it says is called so; only where there is none, what has an output of that name. */
typedef enum weir__rank { WEIR__CALLED_SO, WEIR__GIVES_SO, WEIR__RANKS } weir__rank;

typedef struct weir__match {
    weir__family *family; /* of the first; NULL: none yet */
    weir__matter matter;  /* what the first is */
    uint32_t number;
    uint64_t found;
    weir_value *nodes;    /* the first of them all */
    weir__numbers tasks;  /* whose they are; WEIR_NO_TASK: no task's */
    weir__numbers others; /* where all are meant: those of the same family and matter */
} weir__match;

struct weir_trace {
    const weir_lineage_query *query;
    weir__sought sought;
    weir__dataflow *dataflow;             /* NULL: no event came yet */
    WEIR_VECTOR(weir__family *) families; /* by context */
    weir__numbers members;                /* by context: which of its family */
    weir__numbers acts;                   /* by task: which of its family */
    WEIR_VECTOR(weir__meaning) meanings;  /* by flow */
    WEIR_VECTOR(char *) hosts;
    WEIR_VECTOR(weir__family *) open; /* to be freed */
    weir__family *spare;              /* empty; NULL: none */
    weir__match match[WEIR__RANKS];
    WEIR_VECTOR(weir_value *) nodes; /* of the answer, which holds them */
    /* Values that are too large to be kept: where they belong. */
    weir__numbers missing[WEIR__MATTERS]; /* by number: the node, or WEIR__NONE */
    size_t missing_count;
    uint32_t root; /* of the family of the answer */
    bool looking;  /* another replay is under way: for the values, nothing else */
};

/* --- trace.c */
/* Whether the value is worth keeping for each of a million inputs. */
bool weir__trace_is_small(const weir_value *value);

/* --- trace_match.c */
void weir__sought_init(weir__sought *sought, const char *what);
void weir__sought_deinit(weir__sought *sought);
/* Counts it when the query means it. `value` may be more than what is kept of it. */
void weir__trace_match_birth(weir_trace *trace, weir__family *family, uint32_t birth,
                             weir_value *value);
void weir__trace_match_act(weir_trace *trace, weir__family *family, uint32_t act,
                           weir_value *outputs);
/* The event is about the act, whatever else: by its id. */
void weir__trace_match_event(weir_trace *trace, weir__family *family, uint32_t act,
                             const weir_event *event);
/* A task's act is over: a match that was noted as it began says how. */
void weir__trace_match_ended(weir_trace *trace, const weir__family *family, const weir__act *act);
void weir__trace_match_result(weir_trace *trace, weir__family *family, uint32_t member,
                              weir_value *value);

/* A replay came by something: where it is missing in the answer it is put there. */
void weir__trace_meet(weir_trace *trace, const weir__family *family, weir__matter matter,
                      uint32_t number, weir_value *value);

/* --- trace_answer.c */
/* The node of the answer; a new reference. */
weir_value *weir__trace_node(const weir_trace *trace, const weir__family *family,
                             weir__matter matter, uint32_t number);
/* What is known of an act by now. */
void weir__trace_put_act(const weir_trace *trace, const weir__family *family, const weir__act *act,
                         weir_value *node);

#endif
