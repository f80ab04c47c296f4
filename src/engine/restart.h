/* Restarting a run: what of it stays, and what is done again.
 *
 * A restarted run begins a new generation: its coordinator and its task layer begin anew, and decide again. What stays are
 * outcomes: a task that is the same as one before (the same place in the run, with the same parameters and configuration) ends
 * with the outcome of that, and is not run. So nothing has to be undone in a coordinator, and a replay, which meets the
 * kept outcomes as events before the event that the new generation begins with, needs nothing else.
 * Numbers of tasks and contexts go on, so whatever comes late of an earlier generation is known as such.
 *
 * Which tasks there were, and what came of them, is read from the journal by a machine that is thrown away. One thread. */
#ifndef WEIR_ENGINE_RESTART_H
#define WEIR_ENGINE_RESTART_H

#include "engine/machine.h"

typedef struct weir_restart weir_restart;

/* Holds the plan, the first of the run. `run` and `replan` as in weir_machine_options. */
weir_restart *weir_restart_new(weir_plan *plan, const char *run, weir_parts *parts,
                               weir_plan *(*replan)(void *arg, const weir_value *request),
                               void *arg);
void weir_restart_free(weir_restart *restart);
/* The run's batches, all of them, in order. */
WEIR_CHECKED bool weir_restart_read(weir_restart *restart, weir_str bytes, weir_error *error);
/* What is done again: `what` NULL: what did not succeed, and what depends on it (CONFLICT: there is nothing); {task,
 * context?}: that task, in that context of a dataflow, and what depends on it (NOT_FOUND, or INVALID when several are
 * meant); {successful: selector}: what did not succeed, and the nodes of a workflow that the selector means; {parameters: {name: text}}:
 * with these for those that the workflow had, and what succeeded stays, whatever it was given (INVALID: it is no workflow). LIMIT: more would stay, or be given again, than 512 MiB. */
WEIR_CHECKED bool weir_restart_choose(weir_restart *restart, const weir_value *what,
                                      weir_error *error);
/* The facts: the outcomes that stay, that the run begins anew, and what it was given from outside, once more; of a run that
 * was over nobody gives more. The machine has applied just what was read. */
void weir_restart_apply(weir_restart *restart, weir_machine *machine, uint64_t now_us);
/* The same for a new workflow of that name, whose nodes take the outcomes of those that are called as they are, whatever their
 * configuration. */
void weir_restart_inherit(weir_restart *restart, weir_machine *machine, weir_str name,
                          uint64_t now_us);

/* Whether the path is that of the task that `what` {task, context?} names; and the error when it names none, or several. */
bool weir_restart_names(const weir_value *path, bool workflow, const weir_value *what);
void weir_restart_fail_name(const weir_value *what, const weir_value *found, bool workflow,
                            weir_error *error);

#endif
