/* The inside of the model. */
#ifndef WEIR_SIMULATION_MODEL_INTERNAL_H
#define WEIR_SIMULATION_MODEL_INTERNAL_H

#include "model.h"

/* An input, by its place. */
typedef struct item {
    weir_value *value;
    weir_str definition; /* empty: it is there for its validator only */
    char *origin;
    uint32_t *parents;
    size_t parent_count;
    bool used_elsewhere; /* nobody reads it: it is the same as another */
    bool locked;
} item;

typedef WEIR_VECTOR(item) items;

typedef struct model model;
typedef struct process process;

/* An operation under way. */
typedef struct work {
    const weir_value *operation;
    weir_str name;
    weir_value *parameters;
    uint32_t *parents;
    size_t parent_count, at;
    weir_value *sets; /* that it gives, one after the other */
    bool fails;       /* behind them */
    bool nested, begun;
    WEIR_VECTOR(process *) children;
    size_t opened;
} work;

/* A context. */
struct process {
    model *model;
    const weir_value *flow;
    char *name;
    process *around;
    const weir_value *inputs; /* that it is given when it opens */
    weir_value *own;          /* to be freed */
    items items;
    WEIR_VECTOR(char *) made; /* parameter sets */
    WEIR_VECTOR(work *) works;
    const char *stage;
    bool opened, done, failed, held;
    weir_value *result;
};

struct model {
    const scenario *scenario;
    chooser *chooser;
    model_end *end;
    size_t gift; /* the next that this context may get */
    process *top;
};

/* "instance/output", to be freed. */
char *model_origin(weir_str instance, weir_str output);
void model_log_set(process *p, const work *w, bool task);
/* Makes the set unless it was made before; `inputs`: a place, or UINT32_MAX for the default, for each parameter. */
void model_make_set(process *p, weir_str name, const weir_value *operation, const uint32_t *inputs,
                    size_t count);
/* Looks at every operation of the stage, and makes every set that is there. */
void model_fire(process *p);
/* Whether the input fits one of the sources. */
bool model_reads(const process *p, const weir_value *sources, weir_str definition, size_t item);
/* The values of a definition, as places. */
size_t model_find(const items *all, weir_str definition, uint32_t *out);
/* What an output operation gives; NULL: it fails. */
weir_value *model_output(const process *p, weir_str operation, const weir_value *spec,
                         const weir_value *config, const items *all);
/* The value as its definition wants it, a new reference. */
weir_value *model_shape(const process *p, weir_str definition, weir_value *value);

static inline const weir_value *model_at(const weir_value *object, const char *key, weir_str name) {
    const weir_value *member = weir_member_named(object, key);
    return member ? weir_member(member, name) : NULL;
}

#endif
