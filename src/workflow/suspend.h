/* What is said from outside of a workflow's suspended nodes. One thread, the run's. */
#ifndef WEIR_WORKFLOW_SUSPEND_H
#define WEIR_WORKFLOW_SUSPEND_H

#include "task/coordinator.h"

/* The data of the event node.set that does what is asked: {selector?: text, resume?: true, phase?: text, message?: text,
 * parameters?: {name: text}}. A selector is Argo's: "displayName=approve,templateName!=x"; without one all suspended nodes are
 * meant. With `resume` or `phase` they end; parameters are what they give. NULL and an error: USAGE, INVALID, or NOT_FOUND when
 * there is no such node. */
weir_value *weir_workflow_set_nodes(const weir_coordinator *coordinator, const weir_value *what,
                                    weir_error *error);

/* Appends [name, …] of each node that the selector means, whatever it is; NOT_FOUND: there is none. */
WEIR_CHECKED bool weir_workflow_select_nodes(const weir_coordinator *coordinator, weir_str selector,
                                             weir_value *paths, weir_error *error);

/* Whether a run of the plan begins suspended, or is to be stopped or terminated before it begins. */
bool weir_workflow_begins_suspended(const weir_plan *plan);
bool weir_workflow_begins_cancelled(const weir_plan *plan, bool *terminated);

/* The suspensions that came to a good end and stay when the nodes of the paths (as weir_workflow_select_nodes gives them) are done
 * again: {NAME: {phase, message?, outputs?}}; NULL: none. And what the next generation of the run is told of them, after its
 * run.created: those nodes do not suspend again. */
weir_value *weir_workflow_suspensions(const weir_coordinator *coordinator,
                                      const weir_value *chosen);
void weir_workflow_recall_suspensions(weir_coordinator *coordinator, const weir_value *suspensions);
/* Whether it is such a value. */
bool weir_workflow_is_suspensions(const weir_value *value);

#endif
