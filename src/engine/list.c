/* The list of the runs, filtered. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "data/json.h"
#include "engine/engine_internal.h"

weir_value *weir__record_to_value(const weir_run_record *record) {
    weir_value *value = weir_object_new(), *labels;
    weir_member_put_text(value, "run", record->id);
    weir_member_put_text(value, "name", record->name);
    weir_member_put_text(value, "kind", record->kind);
    weir_member_put_text(value, "phase", record->phase);
    weir_member_put_text(value, "file", record->file);
    weir_member_put_text(value, "owner", record->owner);
    if (record->parent.length) weir_member_put_text(value, "parent", record->parent);
    if (record->labels.length && weir_json_parse(record->labels, WEIR_STR(""), &labels, NULL))
        weir_member_put(value, "labels", labels);
    weir__put_times(value, record->created_us, record->finished_us);
    char cursor[24];
    snprintf(cursor, sizeof cursor, "@%" PRIu64, record->number);
    weir_member_put_text(value, "cursor", weir_str_from(cursor));
    return value;
}

/* --- from a filter to a selection ----------------------------------------------------------- */

static const char *const phases[] = {"Running", "Suspended", "Succeeded", "Failed", "Error"};
enum { PHASES = sizeof phases / sizeof *phases };

static bool equal_but_case(weir_str a, const char *b) {
    if (a.length != strlen(b)) return false;
    for (size_t i = 0; i < a.length; i++)
        if (tolower((unsigned char)a.data[i]) != tolower((unsigned char)b[i])) return false;
    return true;
}

static bool add_phase(weir_selection *s, weir_str phase, weir_error *error) {
    size_t which = 0;
    while (which < PHASES && !equal_but_case(phase, phases[which])) which++;
    if (which == PHASES) {
        weir_fail(error, WEIR_USAGE, "a run has no phase `%.*s`", WEIR_ARG(phase));
        weir_error_hint(error, "Running, Suspended, Succeeded, Failed or Error");
        return false;
    }
    for (size_t i = 0; i < s->phase_count; i++)
        if (weir_str_is(s->phases[i], phases[which])) return true;
    s->phases[s->phase_count++] = weir_str_from(phases[which]);
    return true;
}

static bool add_phases(weir_selection *s, weir_str text, weir_error *error) {
    for (size_t from = 0, end; from <= text.length; from = end + 1) {
        end = weir_str_find(text, WEIR_STR(","), from);
        if (end == SIZE_MAX) end = text.length;
        if (!add_phase(s, weir_str_trim(weir_str_slice(text, from, end)), error)) return false;
    }
    return true;
}

static bool add_pattern(weir_str *out, const char *text, weir_error *error) {
    if (!text) return true;
    *out = weir_str_from(text);
    if (out->length && out->length <= WEIR_PATTERN_MAX) return true;
    return weir_fail(error, out->length ? WEIR_LIMIT : WEIR_USAGE,
                     out->length ? "a pattern has at most %d bytes" : "a pattern must not be empty",
                     WEIR_PATTERN_MAX);
}

static bool add_labels(weir_selection *s, const char *const *labels, weir_error *error) {
    for (; labels && *labels; labels++) {
        if (s->label_count == WEIR_LABEL_TERMS_MAX)
            return weir_fail(error, WEIR_LIMIT, "a list is filtered by at most %d labels",
                             WEIR_LABEL_TERMS_MAX);
        if (!weir_label_term_parse(weir_str_from(*labels), &s->labels[s->label_count++], error))
            return false;
    }
    return true;
}

static void find_number(void *arg, const weir_run_record *record) {
    *(uint64_t *)arg = record->number;
}

/* "@NUMBER", or a run. */
static bool add_cursor(weir_engine *engine, weir_selection *s, const char *after,
                       weir_error *error) {
    if (!after) return true;
    if (after[0] != '@' || !isdigit((unsigned char)after[1]))
        return weir_store_find(engine->store, weir_str_from(after), find_number, &s->after, error);
    char *end;
    s->after = strtoull(after + 1, &end, 10);
    if (!*end && s->after && s->after < INT64_MAX) return true;
    weir_fail(error, WEIR_USAGE, "`%.64s` is no place in a list", after);
    weir_error_hint(error, "a cursor is @ and a number, as lists have it; or name a run");
    return false;
}

static void find_name(void *arg, const weir_run_record *record) {
    weir_buffer_str_append(arg, record->name);
}

/* `parent` keeps the name. */
static bool add_parent(weir_engine *engine, weir_selection *s, const char *run, weir_buffer *parent,
                       weir_error *error) {
    s->by_parent = run != NULL;
    if (!run || !*run) return true;
    if (!weir_store_find(engine->store, weir_str_from(run), find_name, parent, error)) return false;
    s->parent = weir_buffer_str(parent);
    return true;
}

static bool select_by(weir_engine *engine, const weir_run_filter *filter, weir_selection *s,
                      weir_buffer *parent, weir_error *error) {
    weir_assert(filter->size == sizeof *filter);
    s->kind = weir_str_from(filter->kind);
    s->since_us = filter->since_us;
    s->until_us = filter->until_us;
    s->limit = filter->limit;
    s->oldest_first = filter->oldest_first;
    return (!filter->phases || add_phases(s, weir_str_from(filter->phases), error)) &&
           add_pattern(&s->name, filter->name, error) &&
           add_pattern(&s->file, filter->file, error) && add_labels(s, filter->labels, error) &&
           add_parent(engine, s, filter->parent, parent, error) &&
           add_cursor(engine, s, filter->after, error);
}

/* --- lists ---------------------------------------------------------------------------------- */

typedef struct listing {
    bool (*visit)(void *arg, const weir_value *run);
    void *arg;
} listing;

static bool visit_record(void *arg, const weir_run_record *record) {
    const listing *l = arg;
    weir_value *value = weir__record_to_value(record);
    bool more = l->visit(l->arg, value);
    weir_value_unref(value);
    return more;
}

bool weir_run_list(weir_engine *engine, const weir_run_filter *filter,
                   bool (*visit)(void *arg, const weir_value *run), void *arg, weir_error *error) {
    weir_selection selection = {0};
    weir_buffer parent = {0};
    bool ok =
        select_by(engine, filter, &selection, &parent, error) &&
        weir_store_select(engine->store, &selection, visit_record, &(listing){visit, arg}, error);
    weir_buffer_deinit(&parent);
    return ok;
}

static bool add_run(void *list, const weir_value *run) {
    weir_array_append(list, weir_value_ref((weir_value *)run));
    return true;
}

bool weir_list(weir_engine *engine, uint32_t limit, weir_value **out, weir_error *error) {
    weir_value *list = weir_array_new();
    const weir_run_filter filter = {.size = sizeof filter, .limit = limit};
    if (!weir_run_list(engine, &filter, add_run, list, error)) {
        weir_value_unref(list);
        return false;
    }
    *out = list;
    return true;
}
