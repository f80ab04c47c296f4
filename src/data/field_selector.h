/* Field selectors of Kubernetes ("phase=Failed,displayName!=a"), of a workflow's nodes as Argo's status has them. Any thread. */
#ifndef WEIR_DATA_FIELD_SELECTOR_H
#define WEIR_DATA_FIELD_SELECTOR_H

#include "base/vector.h"
#include "data/value.h"

struct weir_field_term {
    char *field, *value;
    bool differs; /* != */
};

typedef struct weir_field_selector {
    WEIR_VECTOR(struct weir_field_term) terms; /* all must hold; none: every node is meant */
} weir_field_selector;

/* Terms FIELD=VALUE, FIELD==VALUE or FIELD!=VALUE with commas between; a backslash takes the meaning from a comma, an equals sign and
 * itself. INVALID: it is none. To be deinited in any case. */
WEIR_CHECKED bool weir_field_selector_parse(weir_str text, weir_field_selector *out,
                                            weir_error *error);
/* Whether the node {id, name, …} is meant. Fields are its texts (phase, name, displayName, id, templateName, type …, those of an
 * object as templateRef.name) and inputs.parameters.NAME.value; what it lacks is "". */
bool weir_field_selector_matches(const weir_field_selector *selector, const weir_value *node);
void weir_field_selector_deinit(weir_field_selector *selector);

#endif
