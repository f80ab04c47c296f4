/* The proof's inside. */
#ifndef WEIR_WORKFLOW_PROVE_INTERNAL_H
#define WEIR_WORKFLOW_PROVE_INTERNAL_H

#include "workflow/prove.h"
#include "workflow/template.h"

/* Whether something runs. SURE is: when nothing fails. */
enum { WEIR__NEVER, WEIR__MAY, WEIR__SURE };

/* Why a step runs or not. */
typedef enum weir__why {
    WEIR__WHY_NOT,      /* there is no more to say */
    WEIR__WHY_DEPENDS,  /* by its `depends` */
    WEIR__WHY_WHEN,     /* by its `when` */
    WEIR__WHY_LOOP,     /* by what it loops over */
    WEIR__WHY_TARGET,   /* no target of its DAG needs it */
    WEIR__WHY_BAD_PARAM /* its withParam is no list */
} weir__why;

/* What is known of a `when`. */
typedef enum weir__truth { WEIR__UNTOLD, WEIR__ALWAYS_TRUE, WEIR__ALWAYS_FALSE } weir__truth;

typedef struct weir__step_proof {
    uint8_t level; /* where its template runs */
    uint8_t ends,
        well; /* phases that it may have in the end (WEIR__SUCCEEDED …); and when nothing fails */
    weir__why why;
    weir__truth when;
    bool literal; /* its `when` has no tags */
} weir__step_proof;

typedef struct weir__workflow_proof {
    const weir__workflow *workflow;
    weir_proof *proof;
    size_t root;              /* of the document */
    weir__step_proof **steps; /* by template, by step */
    uint8_t *runs;            /* by template: a level */
    size_t budget;            /* of looking at `depends` */
} weir__workflow_proof;

/* All findings, and what goes into the summary. */
void weir__workflow_prove_say(weir__workflow_proof *p);

/* Whether all of the text is known, as it has no tags but the workflow's parameters; then it is in `out`. */
bool weir__render_known(const weir__workflow *workflow, weir_str text, weir_buffer *out);

/* --- forecast_input.c: what is known of a call's inputs before the run */
struct weir_forecast;
typedef struct weir__known {
    weir_value *parameters; /* {name: text}; NULL: none is, as around the entrypoint */
    weir_value *artifacts;  /* {name: bytes}; the same */
} weir__known;
/* Those of the template that the step calls, by those of the template around it. Ended with weir__known_drop. */
weir__known weir__known_of(const weir__workflow *workflow, const weir__step *step,
                           const weir__known *around);
/* How many bytes all of them have; 0 unless all are known. */
uint64_t weir__known_bytes(const weir__template *t, const weir__known *known,
                           const struct weir_forecast *forecast);
/* As weir__render_known, where those are known, too. */
bool weir__known_render(const weir__workflow *workflow, const weir__known *around, weir_str text,
                        weir_buffer *out);
void weir__known_drop(weir__known *known);
/* How surely each step of each template runs where its template does; all of it the caller's. */
weir__step_proof **weir__workflow_levels(const weir__workflow *workflow);

#endif
