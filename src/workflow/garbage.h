/* `artifactGC`: which artifacts of a run go, and when. Pure. */
#ifndef WEIR_WORKFLOW_GARBAGE_H
#define WEIR_WORKFLOW_GARBAGE_H

#include "task/coordinator.h"

/* The artifacts that go when the workflow is over, or (`deleted`) at the latest when its run is deleted: a list of {key, bucket?}, as the
 * executor has them (docs/decisions/0048). NULL: none. A new reference. */
weir_value *weir_workflow_garbage(const weir_coordinator *coordinator, bool deleted);

#endif
