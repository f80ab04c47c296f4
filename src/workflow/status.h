/* A workflow's run as Argo has it: the Workflow object {apiVersion, kind, metadata, spec, status}, whose status.nodes are {id: node}.
 * Made of the run's status, which a coordinator gives, and of the file; it decides nothing and remembers nothing. Any thread. */
#ifndef WEIR_WORKFLOW_STATUS_H
#define WEIR_WORKFLOW_STATUS_H

#include "task/coordinator.h"

/* `status` is what weir_run_status says (see weir.h) of a run of the plan, `request` what it was asked (its parameters and entrypoint
 * take the file's places), `finish` the data of the event it ended with, or NULL.
 *
 * A node of the status becomes one of Argo's: `template` its templateName, `started` and `finished` its moments, in whole seconds as Argo's, or with `fine` as microseconds.
 * What the status has under Argo's own names (outboundNodes, resourcesDuration, memoizationStatus …; of the run outputs, conditions,
 * synchronization …) is taken as it is, and a progress is counted where it has none. Templates are called as the file called them before it was made
 * complete (see load.h). New reference. */
weir_value *weir_workflow_object(const weir_plan *plan, const weir_value *request,
                                 const weir_value *status, const weir_value *finish, bool fine);

/* Adds what gauges that are `realtime` say at this moment of nodes that run, and of the run, to the list: as in the event that a node ends with,
 * and with `node`, whose it is. */
void weir_workflow_realtime(const weir_coordinator *coordinator, uint64_t now_us, weir_value *list);

/* --- private to this folder: status_nodes.c */

/* Sets nodes, progress, conditions and resourcesDuration of `out`, Argo's status; `scope` is that of the workflow's own templates, which
 * `spec` has. */
void weir__put_nodes(weir_value *out, const weir_value *status, const weir_value *spec,
                     weir_str scope, bool fine);
/* What the pod of a template asks for: cores, and units of 100 MiB. */
typedef struct weir__requests {
    double cores, memory;
} weir__requests;
weir__requests weir__requests_of(const weir_value *template);
/* Those members of `from` that it has; the list ends with NULL. */
void weir__copy_members(const weir_value *from, const char *const *names, weir_value *to);
/* Nothing for 0. */
void weir__put_moment(weir_value *to, const char *name, uint64_t us, bool fine);

#endif
