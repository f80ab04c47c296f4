#include "pattern.h"

#include <stdio.h>

static bool say(int code, size_t at, char problem[static 256]) {
    PCRE2_UCHAR reason[160] = "";
    pcre2_get_error_message(code, reason, sizeof reason);
    snprintf(problem, 256, "`pattern`, at byte %zu: %s", at, (const char *)reason);
    return false;
}

bool weir__pattern_init(weir__pattern *pattern, weir_str expression, bool ignore_case,
                        weir_str text, char problem[static 256]) {
    *pattern = (weir__pattern){.text = text};
    if (expression.length > PATTERN_BYTES_MAX) {
        snprintf(problem, 256, "`pattern` is larger than %d bytes", PATTERN_BYTES_MAX);
        return false;
    }
    int code;
    size_t at;
    uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C;
    if (ignore_case) options |= PCRE2_CASELESS;
    pattern->code =
        pcre2_compile((PCRE2_SPTR)expression.data, expression.length, options, &code, &at, NULL);
    if (!pattern->code) return say(code, at, problem);
    pattern->match = pcre2_match_data_create_from_pattern(pattern->code, NULL);
    pattern->limits = pcre2_match_context_create(NULL);
    if (!pattern->match || !pattern->limits) return say(PCRE2_ERROR_NOMEMORY, 0, problem);
    pcre2_set_match_limit(pattern->limits, MATCH_STEPS_MAX);
    pcre2_set_heap_limit(pattern->limits, MATCH_HEAP_KIB_MAX);
    uint32_t groups = 0;
    pcre2_pattern_info(pattern->code, PCRE2_INFO_CAPTURECOUNT, &groups);
    pattern->groups = groups;
    pattern->places = pcre2_get_ovector_pointer(pattern->match);
    return true;
}

void weir__pattern_deinit(weir__pattern *pattern) {
    pcre2_match_context_free(pattern->limits);
    pcre2_match_data_free(pattern->match);
    pcre2_code_free(pattern->code);
}

weir__found weir__pattern_find(weir__pattern *pattern, size_t from, uint32_t options,
                               char problem[static 256]) {
    if (pattern->checked) options |= PCRE2_NO_UTF_CHECK;
    int count = pcre2_match(pattern->code, (PCRE2_SPTR)pattern->text.data, pattern->text.length,
                            from, options, pattern->match, pattern->limits);
    pattern->checked = true;
    if (count == PCRE2_ERROR_NOMATCH) return WEIR__NOT_FOUND;
    /* A lookaround with \K may end a match before it begins. */
    if (count >= 0 && pattern->places[0] <= pattern->places[1]) return WEIR__FOUND;
    if (count >= 0)
        snprintf(problem, 256, "`pattern` ends a match before it begins");
    else if (count == PCRE2_ERROR_MATCHLIMIT || count == PCRE2_ERROR_HEAPLIMIT)
        snprintf(problem, 256, "`pattern` takes too long on this text; make it less ambiguous");
    else
        say(count, from, problem);
    return WEIR__FOUND_PROBLEM;
}

weir_str weir__pattern_group(const weir__pattern *pattern, size_t group) {
    size_t from = pattern->places[2 * group], to = pattern->places[2 * group + 1];
    if (from == PCRE2_UNSET || to < from) return (weir_str){NULL, 0};
    return weir__part(pattern->text, from, to);
}
