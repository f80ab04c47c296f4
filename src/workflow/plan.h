/* A workflow's plan: an Argo Workflow file, checked and compiled. Immutable once made. */
#ifndef WEIR_WORKFLOW_PLAN_H
#define WEIR_WORKFLOW_PLAN_H

#include "data/document.h"
#include "task/coordinator.h"
#include "task/registry.h"

/* Compiles the Workflow among the document's roots. `request` is the run's (see weir.h): `name`, `parameters` {name:
 * text}, `entrypoint`. All that is wrong goes to `problems`, with its place; NULL then. The plan borrows the registry's
 * operations, and copies what it needs of the document. */
weir_plan *weir_workflow_compile(const weir_document *document, const weir_value *request,
                                 const weir_registry *registry, weir_problems *problems);

#endif
