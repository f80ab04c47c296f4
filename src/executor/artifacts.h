/* Artifacts of attempts: what is put in place before one begins, and kept when it has ended. What is wanted stands in the attempt's config,
 * so in the journal: the member `artifacts` of `sandbox` (sandbox_spec.h).
 *
 *   inputs?   [{name, path, source?, sub_path?, archive?: "tar" | "zip" | "none", mode?, recurse_mode?, optional?}], where source is one of
 *               {raw: text}, {key, bucket?}, {http: {…}} (artifact_http.c), {git: {…}} (artifact_git.c)
 *   outputs?  [{name, path, key, bucket?, archive?: "tar" | "zip" | "none", compression_level?, optional?}]
 *   logs?     [{container, key, bucket?}]: the log of that container is kept there, too, as the artifact "CONTAINER-logs"
 *
 * An input is a private copy: in a folder of this process that is bound in at its path; the attempt may change it. These folders are in one
 * that is locked, and that another process sweeps once this one is gone.
 *
 * new, take and free: the loop's thread; the rest, which blocks, on any one. */
#ifndef WEIR_EXECUTOR_ARTIFACTS_H
#define WEIR_EXECUTOR_ARTIFACTS_H

#include "artifact/repository.h"
#include "executor/log.h"
#include "executor/sandbox.h"

/* Of an executor. */
typedef struct weir_artifacts weir_artifacts;
/* The repository stays the caller's. `folder` is where inputs are staged, made when it is needed; NULL: weir-staging-UID in TMPDIR or /var/tmp. */
weir_artifacts *weir_artifacts_new(weir_repository *repository, const char *folder,
                                   const weir_secrets *secrets);
void weir_artifacts_free(weir_artifacts *artifacts); /* NULL is allowed */
/* Before the first attempt that wants some. */
WEIR_CHECKED bool weir_artifacts_ready(weir_artifacts *artifacts, weir_error *error);

/* What a sandbox's config wants; NULL: nothing. */
const weir_value *weir_artifacts_wanted(const weir_value *sandbox);
/* Whether there are inputs, and whether getting them takes a network's time. */
bool weir_artifacts_stages(const weir_value *wanted, bool *waits);

/* The inputs of one attempt. `wanted` is borrowed until it has run. */
typedef struct weir_staging weir_staging;
weir_staging *weir_staging_new(weir_artifacts *artifacts, const weir_value *wanted,
                               const atomic_bool *cancelled);
/* Gets them. */
void weir_staging_run(weir_staging *staging);
/* The mounts that put them in place, a list that is the caller's; or why they cannot be had. */
WEIR_CHECKED bool weir_staging_take(weir_staging *staging, weir_value **mounts, weir_error *error);
/* How many bytes they have, once it has run. */
uint64_t weir_staging_bytes(const weir_staging *staging);
/* Removes the files; blocks. */
void weir_staging_clear(weir_staging *staging);
void weir_staging_free(weir_staging *staging); /* NULL is allowed; clears */

/* Keeps the outputs that are there, and says of each {key, bucket?, bytes, sha256} by its name: an object that is the caller's. The error is of the first
 * that could not be kept, NOT_FOUND where it is missing; its code is 0 when all is well. Without a sandbox there are logs only. `logs` are
 * descriptors, one for each that is wanted, taken over; -1: there is none. */
weir_value *weir_artifacts_keep(weir_artifacts *artifacts, const weir_sandbox *sandbox,
                                const weir_value *wanted, const int *logs,
                                const atomic_bool *cancelled, weir_error *error);

#endif
