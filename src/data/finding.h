/* What an examination found: a list of entries {check, state, message, hint?}, as weir_examine gives them. */
#ifndef WEIR_DATA_FINDING_H
#define WEIR_DATA_FINDING_H

#include "data/value.h"

/* Appends an entry; `state` is "ok", "warning" or "problem", the hint may be NULL or empty. A message is cut at 1,023 bytes. */
void weir_finding_add(weir_value *list, const char *check, const char *state, const char *hint,
                      const char *format, ...) WEIR_PRINTF(5, 6);

#endif
