/* The inside of a pipeline: what its file says, in either style, then wired. Texts live in the arena or are borrowed
 * from the document. One thread. */
#ifndef WEIR_PIPELINE_INTERNAL_H
#define WEIR_PIPELINE_INTERNAL_H

#include "base/map.h"
#include "data/proof.h"
#include "pipeline/plan.h"
#include "task/resources.h"

/* The member of `up` that an entry is within, where that has no entry of its own. */
typedef enum weir__group { WEIR__NO_GROUP, WEIR__INPUTS, WEIR__OUTPUTS } weir__group;

/* A member of a mapping or an entry of a list. There may be millions: they are small. */
typedef struct weir__entry {
    const struct weir__entry *up; /* whose value it is within; NULL: it is at the top */
    weir_str key; /* empty: a list entry without one; of a component's input or output, once it is
                     wired: the parameter or output of the operation that it stands for */
    weir_value
        *value;    /* borrowed; of a component's output, once there is a dataflow: its name there */
    weir_str name; /* the definition that it reads or makes */
    const char *primitive; /* of a pipeline's input or a component's output; NULL: generic */
    uint32_t
        maker; /* of a component's input: see weir__pipeline; of an output: its definition's number */
    uint32_t at; /* 1 + its place in a list; 0: it is in none */
    weir__group group : 8;
    bool plain;  /* it has no key in the file */
    bool blank;  /* it has an empty one */
    bool wanted; /* of a pipeline's input: what is wanted needs it */
} weir__entry;

typedef struct weir__entries {
    weir__entry *items;
    size_t count;
} weir__entries;

/* What most components say nothing of. */
typedef struct weir__particulars {
    weir_value *where;   /* owned; of a Python function, when it is said; NULL */
    weir_value *command; /* of `run`; borrowed; NULL: none */
    const weir__entry *command_entry, *config_entry;
    weir_str image;             /* that the command runs in; empty: none */
    int64_t attempts;           /* 0: not said */
    const weir__entry *retries; /* an object that says more instead; NULL: not said */
    const weir__entry *cache;   /* NULL: not said */
    weir_value *max_age;        /* owned; what the cache's duration stands for; NULL: it is none */
    uint64_t timeout_us, freeze_us;
    weir_estimate estimate;
    weir_resources resources;
} weir__particulars;

typedef struct weir__component {
    weir_str name;
    const weir__entry *entry;
    weir__entries inputs, outputs;
    const weir_operation *operation; /* NULL: unknown */
    weir_value *config;              /* owned; shared while it is empty */
    weir__particulars *more;         /* shared while it says nothing */
    uint32_t lacking;                /* inputs that the fake run has not seen */
    bool wanted;                     /* it leads to an output of the pipeline, or all are to run */
} weir__component;

enum { WEIR__AHEAD = 16 /* so far ahead a large map is told what is looked for */ };

/* Who makes a value: [0, inputs) is an input of the pipeline, then follow the components. */
#define WEIR__NOBODY UINT32_MAX

typedef struct weir__pipeline {
    const weir_document *document;
    size_t root;
    const weir_value *request;
    const weir_registry *registry;
    weir_problems *problems;
    weir_proof *proof; /* what the fake run finds goes there; NULL: to `problems` */
    bool list_style;   /* nothing else is accepted */
    bool some;         /* only what the request's goals need is wanted */
    weir_arena arena;
    weir_str name;
    weir__entries inputs, outputs;
    const weir__entry *body,
        *inputs_entry;               /* `pipeline`, and its inputs or, without those, itself */
    weir_value *empty;               /* object */
    weir__particulars nothing;       /* of components that say none; nobody changes it */
    WEIR_VECTOR(weir__entry) fields; /* of the component that is being read */
    weir__component *components;
    size_t count;
    WEIR_VECTOR(const weir__entry *) defined; /* definitions of the dataflow; the last: NULL */
    WEIR_VECTOR(uint32_t) ran;                /* components that are in it */
    const weir_operation *gatherer;           /* and what is behind them */
    weir_value *each_name;                    /* its configuration; NULL: none */
    weir_value *usual, *said; /* what is said of most, and of the one asked for last; owned */
    weir_map makers;          /* of each definition */
    weir_map plain, another;  /* plain output to a maker of it, and to one more */
} weir__pipeline;

const char *weir__group_name(weir__group group);
/* The entry's path in the document (see weir_yaml_locate), in the arena; of NULL that of the root. */
const char *weir__pipeline_path(weir__pipeline *pipeline, const weir__entry *entry);
/* Adds a problem; gives it to be extended with a hint, NULL when there are too many. */
weir_error *weir__pipeline_problem(weir__pipeline *pipeline, const weir__entry *entry,
                                   weir_code code, const char *format, ...) WEIR_PRINTF(4, 5);
/* Says with the problem (or NULL) which value was meant by a name that nobody makes. */
void weir__pipeline_hint_value(const weir__pipeline *pipeline, weir_error *problem, weir_str wrong);
/* A text in the arena. */
weir_str weir__pipeline_text(weir__pipeline *pipeline, const char *format, ...) WEIR_PRINTF(2, 3);
/* COMPONENT.OUTPUT, in the arena. */
weir_str weir__pipeline_output(weir__pipeline *pipeline, weir_str component, weir_str output);

/* Reads the document's pipeline that the request means; false when there is nothing to go on with. */
bool weir__pipeline_read(weir__pipeline *pipeline);
/* Finds out who makes what, and what it stands for in the operations. */
void weir__pipeline_wire(weir__pipeline *pipeline);
/* Whether the request gives all inputs that are needed, and no others. */
void weir__pipeline_check_given(weir__pipeline *pipeline);
/* Leaves of the outputs those that the request's goals are; finds which components lead to one. */
void weir__pipeline_choose(weir__pipeline *pipeline);
/* Runs it without doing anything: says which components can never run, and why; errors, unless all outputs can be had
 * without those. False then. */
WEIR_CHECKED bool weir__pipeline_fake_run(weir__pipeline *pipeline);
/* The names of components that do not run, as an array, and a warning that names them; NULL: all run. */
weir_value *weir__pipeline_left_out(weir__pipeline *pipeline);
/* All of these; gives a dataflow in linked form, NULL after a problem. `pipeline` has its first five members. */
weir_value *weir_pipeline_to_dataflow(weir__pipeline *pipeline);
/* Other forms of a pipeline in which nothing is wrong. New reference; of the workflow NULL after a problem. */
weir_value *weir__pipeline_to_plain(const weir__pipeline *pipeline);
weir_value *weir__pipeline_to_workflow(weir__pipeline *pipeline);
void weir__pipeline_deinit(weir__pipeline *pipeline);

#endif
