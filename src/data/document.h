/* A file that somebody wrote: its text and its values, and the way back from a value to its line and column.
 * Values carry no places; when something is wrong with one, its place is found again by its path.
 *
 * A document may be composed of several files: its first root is then made from those of its parts, each of which belongs
 * at a path of it; a place is looked for in the part that has the node. Where nodes stand elsewhere in the whole than in
 * their file, moves say so. One thread. */
#ifndef WEIR_DATA_DOCUMENT_H
#define WEIR_DATA_DOCUMENT_H

#include "data/yaml.h"

enum { WEIR_FILE_BYTES_MAX = 256 * 1024 * 1024 };

/* The nodes at `at` of the whole, and below it, came from `path` of a root of a part. */
typedef struct weir_document_move {
    char *at;
    const struct weir_document *from;
    size_t root;
    char *path;
} weir_document_move;

typedef struct weir_document {
    char *file;        /* as named by the user */
    weir_buffer text;  /* the whole file */
    weir_values roots; /* a JSON file has one, a YAML file one a document */
    WEIR_VECTOR(struct weir_document_part *) parts; /* none: read from one file */
    WEIR_VECTOR(weir_document_move) moves; /* of those the one with the longest `at` counts */
    weir_yaml_booleans booleans;           /* by which it was read: never GUESSED */
    bool json;                             /* the text is JSON */
    bool plain;                            /* it is plain YAML (yaml_plain.h) */
    struct weir_yaml_places *places; /* of all its nodes, once many were asked for; else NULL */
    size_t places_asked;
} weir_document;

typedef struct weir_document_part {
    char *at; /* the path in the whole that its root 0 is merged into, see weir_yaml_locate */
    weir_document document;
} weir_document_part;

/* Reads the file: ".json" is JSON; of any other name it is JSON when it begins with '{' or '[' and parses as that, else
 * YAML. GUESSED booleans are those of YAML 1.1 where the text speaks of argoproj.io. */
WEIR_CHECKED bool weir_document_load(weir_document *document, const char *file,
                                     weir_yaml_booleans booleans, weir_error *error);
/* The same; when the file has the text that `last` has, its values are used again instead of being parsed. `last` becomes what
 * was read now, unless it is large; zeroed at first, the caller's to end. `booleans` are the same each time. */
WEIR_CHECKED bool weir_document_load_again(weir_document *document, const char *file,
                                           weir_yaml_booleans booleans, weir_document *last,
                                           weir_error *error);
/* The same from text that is at hand (a journal's, a test's). */
WEIR_CHECKED bool weir_document_parse(weir_document *document, const char *file, weir_str text,
                                      weir_yaml_booleans booleans, weir_error *error);
/* As load and parse, but keys that are there twice go to `repeated` and the text is read on. */
WEIR_CHECKED bool weir_document_load_on(weir_document *document, const char *file,
                                        weir_yaml_booleans booleans, weir_problems *repeated,
                                        weir_error *error);
WEIR_CHECKED bool weir_document_parse_on(weir_document *document, const char *file, weir_str text,
                                         weir_yaml_booleans booleans, weir_problems *repeated,
                                         weir_error *error);
/* One more of a document that is not composed. Values are shared, as nobody changes what another may hold. */
void weir_document_copy(const weir_document *from, weir_document *to);
void weir_document_deinit(weir_document *document);

/* Adds a problem at the node `path` (see weir_yaml_locate) of root `index`. */
void weir_document_problem(const weir_document *document, size_t index, const char *path,
                           weir_code code, weir_problems *problems, const char *format, ...)
    WEIR_PRINTF(6, 7);

/* Makes the document a composed one, whose first part is what was read; its other roots go. */
void weir_document_compose(weir_document *document);
/* One more part of a composed document; takes over what is in `part`, with its own parts. */
void weir_document_add_part(weir_document *document, const char *at, weir_document *part);
/* Says where the nodes at `at` came from; `from` is the document of a part. */
void weir_document_add_move(weir_document *document, const char *at, const weir_document *from,
                            size_t root, const char *path);
/* Replaces the first root, and takes the reference over. Of a part: by a value with the same paths. */
void weir_document_set_root(weir_document *document, weir_value *root);
/* Writes the composed document's text anew from its root: what a journal keeps. */
void weir_document_write(weir_document *document);
/* The part of a composed document that has the node at `path`, or most of the way to it; the document itself when it is not
 * composed. `inner` gets the path within that part. */
const weir_document *weir_document_part_of(const weir_document *document, const char *path,
                                           weir_buffer *inner);

/* The whole file or an error (absent, no regular file, larger than `max`, unreadable). */
WEIR_CHECKED bool weir_file_read(const char *file, size_t max, weir_buffer *out, weir_error *error);
/* The same of what is open and may be no file, as standard input, to its end; `file` is what it is called. */
WEIR_CHECKED bool weir_file_read_input(int fd, const char *file, size_t max, weir_buffer *out,
                                       weir_error *error);
/* The same of an entry of the open directory `folder`, no symbolic link; `file` names it in errors. */
WEIR_CHECKED bool weir_file_read_at(int folder, const char *name, const char *file, size_t max,
                                    weir_buffer *out, weir_error *error);

#endif
