/* What was made of what in a dataflow's run: built while its journal is replayed, so a journal needs not say it.
 *
 * Contexts that nobody forwards to have nothing to do with each other: the run's own contexts, each with those of the
 * dataflows within it, are families. What is known of a family goes when it has finished, unless it is the one that the
 * query is about, so a trace takes about 100 bytes for each input and each invocation of the families that are open at once,
 * and small values; large ones are looked up in a second replay, where they are to be shown. One thread. */
#ifndef WEIR_DATAFLOW_TRACE_H
#define WEIR_DATAFLOW_TRACE_H

#include <weir/weir.h>

#include "task/coordinator.h"

typedef struct weir_trace weir_trace;

/* The query outlives the trace. Of `what`, "" are all the results of the run's own contexts, or forward all that
 * came to them from outside; the answer is about those of the first context. */
weir_trace *weir_trace_new(const weir_lineage_query *query);
void weir_trace_free(weir_trace *trace);
/* Takes each event of a replay, after it was applied to the dataflow's coordinator. */
void weir_trace_take(weir_trace *trace, weir_coordinator *coordinator, const weir_event *event);
/* The answer as weir_lineage has it, without the members that are about the run; while the coordinator's plan is there.
 * A new reference,
 * to be held until the trace is freed. Once. */
weir_value *weir_trace_answer(weir_trace *trace);
/* Whether values of the answer are still missing: then another replay is taken in the same way, until none are, or it
 * is over; what is missing then is in the answer already. The first replay's plan may go. */
bool weir_trace_misses(weir_trace *trace);

#endif
