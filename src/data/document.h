/* A file that somebody wrote: its text and its values, and the way back from a value to its line and column.
 * Values carry no places; when something is wrong with one, its place is found again by its path. One thread. */
#ifndef WEIR_DATA_DOCUMENT_H
#define WEIR_DATA_DOCUMENT_H

#include "data/yaml.h"

enum { WEIR_FILE_BYTES_MAX = 64 * 1024 * 1024 };

typedef struct weir_document {
    char *file;        /* as named by the user */
    weir_buffer text;  /* the whole file */
    weir_values roots; /* a JSON file has one, a YAML file one a document */
} weir_document;

/* Reads the file: ".json" is JSON; of any other name it is JSON when it begins with '{' or '[' and parses as that, else
 * YAML. */
WEIR_CHECKED bool weir_document_load(weir_document *document, const char *file,
                                     weir_yaml_booleans booleans, weir_error *error);
/* The same from text that is at hand (a journal's, a test's). */
WEIR_CHECKED bool weir_document_parse(weir_document *document, const char *file, weir_str text,
                                      weir_yaml_booleans booleans, weir_error *error);
void weir_document_deinit(weir_document *document);

/* Adds a problem at the node `path` (see weir_yaml_locate) of root `index`. */
void weir_document_problem(const weir_document *document, size_t index, const char *path,
                           weir_code code, weir_problems *problems, const char *format, ...)
    WEIR_PRINTF(6, 7);

/* The whole file or an error (absent, no regular file, larger than `max`, unreadable). */
WEIR_CHECKED bool weir_file_read(const char *file, size_t max, weir_buffer *out, weir_error *error);

#endif
