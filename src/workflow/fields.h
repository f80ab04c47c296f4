/* Every field of Argo's files: what it is called, of what type it is, and what weir does with it. The table is the one place
 * where the state of a field is said: docs/compatibility.md is written from it. Immutable; any thread. */
#ifndef WEIR_WORKFLOW_FIELDS_H
#define WEIR_WORKFLOW_FIELDS_H

#include "data/document.h"

typedef enum weir__field_type {
    WEIR__FIELD_TEXT,     /* Go's string; YAML's numbers and booleans become their texts */
    WEIR__FIELD_ANY_TEXT, /* Argo's AnyString: a text, a number or a boolean */
    WEIR__FIELD_INT,
    WEIR__FIELD_INT_TEXT, /* an integer, or a text that may have tags */
    WEIR__FIELD_BOOL,
    WEIR__FIELD_OBJECT, /* its fields are in the table */
    WEIR__FIELD_LIST,   /* of such objects */
    WEIR__FIELD_LISTS,  /* of such lists: `steps` */
    WEIR__FIELD_MAP,    /* of such objects, by any name */
    WEIR__FIELD_TEXTS,  /* a list of texts */
    WEIR__FIELD_TEXT_MAP,
    WEIR__FIELD_FREE_OBJECT, /* an object of Kubernetes', or of anybody's */
    WEIR__FIELD_FREE_LIST,
    WEIR__FIELD_FREE /* any value */
} weir__field_type;

typedef enum weir__field_state {
    WEIR__FIELD_WORKS,
    WEIR__FIELD_DIFFERS,
    WEIR__FIELD_NOT_YET,
    WEIR__FIELD_CLUSTER,      /* of Kubernetes alone: accepted */
    WEIR__FIELD_CLUSTER_SAID, /* the same, but a workflow that counts on it means something else here */
    WEIR__FIELD_OLD /* of an older Argo: accepted, read as what it became; not in the document */
} weir__field_state;

typedef struct weir__field_of weir__field_of;

typedef struct weir__field_entry {
    const char *name;
    weir__field_type type;
    weir__field_state state;
    const weir__field_of *of; /* of objects; else NULL */
    const char *note;         /* for docs/compatibility.md, or "" */
    const char *choices;      /* of a text, with '|' between; NULL: any */
} weir__field_entry;

/* The fields of one type; the list ends with a NULL name. */
struct weir__field_of {
    const char *what;   /* for messages: "a template" */
    const char *title;  /* of its part of the document; NULL: it has none */
    const char *prefix; /* of its fields' names there */
    const weir__field_entry *fields;
};

/* What is in a document of that kind; NULL: it is none of Argo's. */
const weir__field_of *weir__fields_of_kind(weir_str kind);

/* Looks at every field of a root. What has the wrong type, or is none of the choices, is a problem; what is unknown, or a name
 * that Kubernetes refuses, is a warning, or with `strict` a problem; a field of Kubernetes' that would change what the
 * workflow means is a warning, once. A new reference to the root with what Argo reads as a text made one: the same value
 * when nothing is. */
weir_value *weir__fields_check(const weir_document *document, size_t root, bool strict,
                               weir_problems *problems);

/* Those that have a part in the document; the list ends with NULL. */
extern const weir__field_of *const weir__field_parts[];
/* The document's tables, as Markdown. */
void weir_workflow_fields_write(weir_buffer *out);

#endif
