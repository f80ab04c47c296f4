/* The inside of the model. Its parts: what is stored and how contexts go on (model.c), which parameter sets are made
 * (model_sets.c), what output operations give (model_output.c), what may happen next and a run (model_moves.c), which orders
 * come to the same (model_rules.c), and the search (model_search.c). */
#ifndef WEIR_SIMULATION_MODEL_INTERNAL_H
#define WEIR_SIMULATION_MODEL_INTERNAL_H

#include "model.h"

enum { PARAMETERS_MAX = 4 };

/* Of an operation, or "seed" and nothing. */
typedef struct origin {
    weir_str instance, output;
} origin;

/* An input, by its place. Texts are the flow's. */
typedef struct item {
    weir_value *value;
    weir_str definition; /* empty: it is there for its validator only */
    origin origin;
    uint32_t parents[PARAMETERS_MAX];
    size_t parent_count;
    bool used_elsewhere; /* nobody reads it: it is the same as another */
    bool locked;
    uint64_t what; /* the same in every order: its value, and what it was made of */
} item;

typedef WEIR_VECTOR(item) items;

typedef struct model model;
typedef struct process process;

/* An operation under way. */
typedef struct work {
    const weir_value *operation;
    weir_str name;
    weir_value *parameters;
    uint32_t parents[PARAMETERS_MAX];
    size_t parent_count, at;
    weir_value *sets; /* that it gives, one after the other */
    bool fails;       /* behind them */
    bool nested, begun;
    WEIR_VECTOR(process *) children;
    size_t opened;
    uint64_t what; /* of its set */
} work;

/* A parameter set that was made. */
typedef struct made_set {
    const weir_value *operation;
    uint32_t inputs[PARAMETERS_MAX];
    uint64_t what; /* the same in every order */
} made_set;

/* A context. */
struct process {
    model *model;
    const weir_value *flow;
    weir_str name;
    process *around;
    weir_value *inputs; /* that it is given when it opens; held; NULL: none */
    items items;
    WEIR_VECTOR(made_set) made;
    WEIR_VECTOR(work *) works;
    const char *stage;
    bool opened, done, failed, held;
    weir_value *result;
};

struct model {
    model_memory *memory;
    const scenario *scenario;
    model_end *end; /* what is logged; NULL: nothing */
    size_t gift;    /* the next that this context may get */
    process *top;
};

typedef struct move {
    enum { SET, END, BEGIN, OPEN, FINISH, GIFT, LEAVE } kind;
    process *process;
    size_t at; /* of its works */
} move;

typedef WEIR_VECTOR(move) moves;

/* --- model.c */

process *model_new_process(model *m, const weir_value *flow, process *around, weir_str name);
void model_free_process(process *p);
/* A copy, all that is in it, too. */
process *model_copy_process(model *m, const process *p, process *around);
/* Stored whole before anything is forwarded; the caller fires. */
void model_give(process *p, const weir_value *inputs);
void model_open(process *p);
void model_take_set(process *p, const work *w, const weir_value *set);
void model_drop_work(process *p, size_t at);
/* The operation failed. A dataflow within another is strict. */
void model_fail(process *p);
/* Nothing is under way any more. */
void model_leave(process *p);
void model_begin_nested(process *p, work *w);
/* Whether the operation runs one context, whose result is its own. */
bool model_is_custom(const work *w);
/* The outputs of the operation that ran dataflows, a new reference; NULL: it fails. */
weir_value *model_nested_set(const work *w);

/* --- model_sets.c */

void model_log_set(process *p, const work *w, bool task);
/* Makes the set unless it was made before; `inputs`: a place, or UINT32_MAX for the default, for each parameter. */
void model_make_set(process *p, weir_str name, const weir_value *operation, const uint32_t *inputs,
                    size_t count);
/* Looks at every operation of the stage, and makes every set that is there. */
void model_fire(process *p);
/* Whether the last value that a condition's source gives is true. */
bool model_is_true(const process *p, const weir_value *source, weir_str definition);

/* --- model_output.c */

/* The values of a definition, as places. */
size_t model_find(const items *all, weir_str definition, uint32_t *out);
/* What an output operation gives; NULL: it fails. */
weir_value *model_output(const process *p, weir_str operation, const weir_value *spec,
                         const weir_value *config, const items *all);
/* The value as its definition wants it, a new reference. */
weir_value *model_shape(const process *p, weir_str definition, weir_value *value);

/* --- model_moves.c */

/* The gift that this context gets next; NULL: none. */
const gift *model_next_gift(const process *p);
/* It is there when the context opens. */
void model_take_gift_that_waited(process *p);
/* A context that is not open yet. */
void model_begin(model *m, model_memory *memory, weir_str context);
void model_end_run(model *m);
/* What may happen next. */
void model_list_moves(process *p, moves *out);
void model_make_move(move m);

/* --- model_rules.c */

/* What an order of events is to a definition of a flow. */
typedef struct definition_rules {
    weir_str name;
    bool
        timed; /* it matters when a value comes: a condition, a default or a forward depends on it */
    bool ordered;   /* it matters which of its values comes before which */
    bool last;      /* it matters which comes last, to get_single */
    uint64_t reach; /* places of definitions that may come of it, itself one */
} definition_rules;

typedef struct flow_rules {
    const weir_value *flow;
    WEIR_VECTOR(definition_rules) definitions;
} flow_rules;

enum { DEFINITIONS = 64 }; /* of a flow */

const flow_rules *model_rules_of(model_memory *memory, const weir_value *flow);
void model_rules_free(flow_rules *rules);
/* What an output operation is told by its seed; NULL: nothing. */
const weir_value *model_spec_of(const weir_value *flow, const weir_value *operation);
/* NULL: nothing matters. */
const definition_rules *model_rules_for(const flow_rules *rules, weir_str definition);
/* Whether something may still be forwarded to the contexts that run for the operation; to this one, within another. */
bool model_is_fed(const process *p, weir_str name);
bool model_may_be_fed(const process *p);
/* What can still become of a context depends on nothing else: equal for two that differ only in an order that does not matter. */
uint64_t model_state(const model *m);

static inline const weir_value *model_at(const weir_value *object, const char *key, weir_str name) {
    const weir_value *member = weir_member_named(object, key);
    return member ? weir_member(member, name) : NULL;
}

static inline bool model_lists(const weir_value *names, weir_str name) {
    for (size_t i = 0; names && i < weir_value_count(names); i++) {
        const weir_value *one = weir_array_at(names, i);
        if (weir_is(one, WEIR_STRING) && weir_str_equal(weir_string_get(one), name)) return true;
    }
    return false;
}

#endif
