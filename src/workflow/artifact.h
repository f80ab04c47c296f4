/* What an artifact of Argo's files is to a repository. Pure; any thread. */
#ifndef WEIR_WORKFLOW_ARTIFACT_H
#define WEIR_WORKFLOW_ARTIFACT_H

#include "data/value.h"

/* Its key as the executor has it, and the bucket that the file names; false: it has none. */
bool weir__artifact_key(const weir_value *artifact, weir_buffer *key, weir_buffer *bucket);

#endif
