/* Patterns: PCRE2 with limits, in UTF-8. A pattern belongs to one call and one thread.
 *
 * How long matching may take is bounded (MATCH_STEPS_MAX); a pattern that needs more fails the call, as it would on no
 * machine end in time. */
#ifndef WEIR_OPERATIONS_PATTERN_H
#define WEIR_OPERATIONS_PATTERN_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "text.h"

enum { PATTERN_BYTES_MAX = 64 * 1024, MATCH_STEPS_MAX = 5000000, MATCH_HEAP_KIB_MAX = 64 * 1024 };

typedef struct weir__pattern {
    pcre2_code *code;
    pcre2_match_data *match;
    pcre2_match_context *limits;
    size_t groups;        /* without the whole */
    const size_t *places; /* of the last match: begin and end of the whole, then of each group */
    weir_str text;        /* that is searched */
    bool checked;         /* the text is known to be UTF-8 */
} weir__pattern;

typedef enum weir__found { WEIR__FOUND, WEIR__NOT_FOUND, WEIR__FOUND_PROBLEM } weir__found;

/* *problem says, for people, why it is no pattern. Ended with deinit, also after a failure. */
bool weir__pattern_init(weir__pattern *pattern, weir_str expression, bool ignore_case,
                        weir_str text, char problem[static 256]);
void weir__pattern_deinit(weir__pattern *pattern);
/* The first match that begins at `from` or later, in bytes; `options` of pcre2_match. */
weir__found weir__pattern_find(weir__pattern *pattern, size_t from, uint32_t options,
                               char problem[static 256]);
/* What a group matched, the whole being 0; no data when it took no part. */
weir_str weir__pattern_group(const weir__pattern *pattern, size_t group);

#endif
