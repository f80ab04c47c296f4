/* Pipelines: the short YAML, compiled to a dataflow's plan. */
#ifndef WEIR_PIPELINE_PLAN_H
#define WEIR_PIPELINE_PLAN_H

#include "data/proof.h"
#include "dataflow/plan.h"

/* Compiles the pipeline among the document's roots (the only one, or the one that request.pipeline names; with
 * request.list_style true only the list style is accepted). All that is wrong goes to `problems`, with its place; NULL
 * then. The run's results are {output: value} for the outputs the file names. */
weir_plan *weir_pipeline_compile(const weir_document *document, const weir_value *request,
                                 const weir_registry *registry, weir_problems *problems);

/* The same, but what can never run goes to `proof`; if what is wanted needs it, NULL, and the summary has what that of a dataflow has. */
weir_plan *weir_pipeline_examine(const weir_document *document, const weir_value *request,
                                 const weir_registry *registry, weir_problems *problems,
                                 weir_proof *proof);
/* The name of the pipeline of a document's root, in either style; empty: it has none. */
weir_str weir_pipeline_name(const weir_value *root);

/* What its `schedule` says, as an object: {schedule: TEXT} or {schedules: LIST} of one that is no mapping. New reference. */
weir_value *weir_pipeline_schedule(const weir_value *schedule);

/* The pipeline in another form, of the names in WEIR_PIPELINE_FORMS: a dataflow in linked form, an Argo workflow (where all its
 * commands name no image, request.image is theirs), or the pipeline in plain style. New reference; NULL after a problem. */
#define WEIR_PIPELINE_FORMS "plain|workflow|dataflow"
weir_value *weir_pipeline_convert(const weir_document *document, const weir_value *request,
                                  const weir_registry *registry, weir_str form,
                                  weir_problems *problems);

#endif
