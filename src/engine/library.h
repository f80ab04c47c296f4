/* What a workflow may refer to beside its own file: WorkflowTemplates, ClusterWorkflowTemplates, ConfigMaps and Secrets in
 * the files and directories that the request's `library` lists. Thread: the engine's; touches files only. */
#ifndef WEIR_ENGINE_LIBRARY_H
#define WEIR_ENGINE_LIBRARY_H

#include "data/document.h"
#include "engine/engine_internal.h"

enum {
    WEIR__LIBRARY_FILES_MAX = 10000, /* directories counted; together WEIR_FILE_BYTES_MAX at most */
    WEIR__LIBRARY_DEEP_MAX = 32      /* directories in directories */
};

typedef WEIR_VECTOR(weir_document) weir_documents;
void weir__documents_deinit(weir_documents *documents);

/* Reads them all, a directory's in the order of their names: files that end in .yaml, .yml or .json, but none that begins
 * with a point. What is wrong goes to `problems`; false then. */
WEIR_CHECKED bool weir__library_read(const weir_value *request, weir_documents *out,
                                     weir_problems *problems);

/* Adds the templates of the directory that the request's `templates` names, STATE/templates, when the document, or what was read before, refers to
 * any; but none that is there already. */
WEIR_CHECKED bool weir__library_templates(const weir_value *request, const weir_document *document,
                                          weir_documents *out, weir_problems *problems);

/* Makes the keys of the Secrets that the document's workflow refers to secrets of the engine, as NAME.KEY, but for those that its options
 * have. A journal's document has their places only, so they are read again; one that is gone is said by who needs it. Warns of those that
 * are too short to be masked. */
WEIR_CHECKED bool weir__library_secrets(const weir_document *document, weir_engine *engine,
                                        weir_problems *problems, weir_error *error);

#endif
