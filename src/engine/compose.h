/* A dataflow from several files: directories, dataflows that configurations name, overlays, and what the request
 * configures. All of it is put together before anything is compiled, so that the document's text, which the journal keeps,
 * needs no other file. Thread: the engine's; touches files only. */
#ifndef WEIR_ENGINE_COMPOSE_H
#define WEIR_ENGINE_COMPOSE_H

#include "data/document.h"

enum {
    WEIR__FILES_MAX = 10000,  /* of one dataflow, directories counted */
    WEIR__FILES_DEEP_MAX = 32 /* dataflows named by dataflows */
};

#define WEIR__FLOW_NAME "dataflow" /* of a dataflow that a request has as a value */

/* What was read for one dataflow so far; a file that is named twice counts twice. */
typedef struct weir__reading {
    size_t files, bytes;
    int depth;
    weir_document
        *last; /* the file that was read for an earlier dataflow; NULL: it need not be kept */
    weir_problems *repeated; /* of keys of the first file that are there twice; NULL: an error */
} weir__reading;

/* Counts a file; LIMIT when that is too much, WEIR_FILE_BYTES_MAX in all. */
WEIR_CHECKED bool weir__reading_add(weir__reading *reading, size_t bytes, const char *file,
                                    weir_error *error);

/* Whether the file is a NAME.dirconf.EXT. */
bool weir__is_dirconf(const char *file);
/* Adds what is in the directory to the document of such a file. */
WEIR_CHECKED bool weir__dirconf_add(weir__reading *reading, weir_document *document,
                                    weir_error *error);

/* Loads a file, with its directory when it has one. The first that is read is kept in `last`. */
WEIR_CHECKED bool weir__compose_load(weir__reading *reading, const char *file,
                                     weir_document *document, weir_error *error);
/* The document of a value that somebody gave; `file` names it. It has no text, and so no limit of size, unless it is to
 * be `kept`. */
WEIR_CHECKED bool weir__compose_value(weir_value *flow, const char *file, bool kept,
                                      weir_document *document, weir_error *error);
/* Puts into the document of a dataflow what its configurations name, and lays the request's `overlays` and `configure` over
 * it. `files`: the document came from a file, so it may name others. What is wrong goes to `problems`; false then. */
WEIR_CHECKED bool weir__compose(weir__reading *reading, weir_document *document,
                                const weir_value *request, bool files, weir_problems *problems);

/* Adds what is wrong with the form of the document's dataflow; true when nothing is. `whole`: see weir_dataflow_file_check. */
WEIR_CHECKED bool weir__compose_check(const weir_document *document, bool whole,
                                      weir_problems *problems);

/* Whether the value can be written and read again: not nested too deep, no number that is infinite, at most
 * WEIR_FILE_BYTES_MAX as text. */
WEIR_CHECKED bool weir__value_fits(const weir_value *value, weir_error *error);

#endif
