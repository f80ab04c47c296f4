/* From files to one complete Workflow: all that it refers to is in it, so that a run's record needs no other file.
 *
 * Its own fields are Argo's, with these differences:
 *   spec.templates   has every template that can be reached. One of a WorkflowTemplate is named "namespaced/NAME/TEMPLATE", one
 *                    of a ClusterWorkflowTemplate "cluster/NAME/TEMPLATE", one that was written `inline` "CALLER/STEP/inline",
 *                    with the caller's name. Names that users give have no '/'. `templateDefaults` and the workflow's
 *                    `retryStrategy` are merged into each.
 *   calls            (steps, tasks, hooks) name such a template in `template`. One by `templateRef` has that, too; where the
 *                    reference has tags, `template` has them, and every template that it may mean is there. `onExit` of a step or task
 *                    likewise. `inline` is gone.
 *   synchronization  has v4's lists: `mutexes`, `semaphores`.
 *   metadata         has the labels and annotations of `workflowMetadata` that need no run, and Argo's of what it was made of.
 *   parameters       of arguments and inputs whose `valueFrom.configMapKeyRef` is known have its text as `value`, too.
 *   template.weir    {scope?, name?, inline?}: its scope when that is not the workflow ("namespaced/NAME", "cluster/NAME"), its
 *                    name there, and whether it was inline.
 *   weir             of the whole, absent when nothing had to be done: {complete: true, scope? (what nodes of the workflow's
 *                    own templates have as templateScope, instead of "local/NAME"), template? (true: of a WorkflowTemplate
 *                    without entrypoint, which can be checked only), spec? (as it was written, where a
 *                    workflowTemplateRef was merged into it), configMaps? {name: {key: text}}, secrets? {name: {file, path}}}.
 *
 * Values of the files are shared, never changed. One thread. */
#ifndef WEIR_WORKFLOW_LOAD_H
#define WEIR_WORKFLOW_LOAD_H

#include "data/document.h"

/* Makes of the document, as it was read, one whose only root is the complete Workflow: of the Workflow in it, else of a
 * CronWorkflow, else of a WorkflowTemplate or ClusterWorkflowTemplate with an entrypoint; or of root `which` of the
 * request. `library` are more files, of which it takes those that it needs places of. `kept`: the text is made
 * anew. False: there is nothing to go on with. Else there may be problems all the same,
 * and the rest can be looked at, too: a call whose template was not found has `weir: {missing: true}`. */
WEIR_CHECKED bool weir_workflow_load(weir_document *document, weir_document *library,
                                     size_t library_count, const weir_value *request, bool kept,
                                     weir_problems *problems);

/* Whether the root came from a journal, and is complete. */
bool weir_workflow_is_complete(const weir_value *root);
/* Whether the root is one that `weir check` looks at by itself: a workflow, or what can be run as one. */
bool weir_workflow_is_checked(const weir_value *root);

/* The complete workflow with what the request says instead of it: name, labels, entrypoint, parameters. A new reference. */
weir_value *weir_workflow_preview(const weir_value *root, const weir_value *request);

/* The keys of a Secret and what they hold, from `data` (base64) and `stringData`; a new reference. */
WEIR_CHECKED bool weir_workflow_secret(const weir_value *root, weir_value **out, weir_error *error);

#endif
