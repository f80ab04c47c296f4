/* What a query means: which inputs, acts and results of a trace. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "data/json.h"
#include "dataflow/trace_internal.h"

/* --- reading it --------------------------------------------------------------------------------- */

static bool read_number(const char **at, uint64_t max, uint64_t *out) {
    char *end;
    if (**at < '0' || **at > '9') return false;
    *out = strtoull(*at, &end, 10);
    *at = end;
    return *out <= max;
}

/* "CONTEXT:SEQUENCE", with ".start" of a call, ".N" of one of its inputs, or ".N@CONTEXT" where that was forwarded to. */
static bool read_id(weir__sought *sought, const char *at) {
    uint64_t context, sequence, nth = 0, forwarded = WEIR__NONE;
    if (!read_number(&at, UINT32_MAX, &context) || *at++ != ':' ||
        !read_number(&at, UINT64_MAX, &sequence))
        return false;
    if (strcmp(at, ".start") == 0) at += strlen(at);
    if (*at == '.') {
        at++;
        if (!read_number(&at, UINT32_MAX, &nth) || !nth) return false;
    }
    if (nth && *at == '@') {
        at++;
        if (!read_number(&at, UINT32_MAX, &forwarded)) return false;
    }
    sought->context = (uint32_t)context;
    sought->sequence = sequence;
    sought->nth = (uint32_t)nth;
    sought->forwarded = (uint32_t)forwarded;
    return *at == '\0';
}

void weir__sought_init(weir__sought *sought, const char *what) {
    weir_str text = weir_str_from(what);
    weir_error error;
    sought->by_id = read_id(sought, what);
    if (sought->by_id) return;
    size_t equals = weir_str_find(text, WEIR_STR("="), 0);
    sought->by_value = equals != SIZE_MAX;
    sought->name = sought->by_value ? weir_str_slice(text, 0, equals) : text;
    if (!sought->by_value) return;
    sought->text = weir_str_slice(text, equals + 1, text.length);
    if (!weir_json_parse(sought->text, WEIR_STR("the value"), &sought->value, &error))
        sought->value = NULL;
}

void weir__sought_deinit(weir__sought *sought) {
    weir_value_unref(sought->value);
}

/* The name as INSTANCE.OUTPUT: its origin. An instance's name may have points in it. */
static uint32_t find_origin(const weir__flow *flow, weir_str name) {
    uint32_t found = WEIR__NONE;
    for (size_t at = 0; found == WEIR__NONE && at < name.length; at++) {
        if (name.data[at] != '.') continue;
        (void)weir__output_find(flow, weir_str_slice(name, 0, at),
                                weir_str_slice(name, at + 1, name.length), &found);
    }
    return found;
}

static weir__meaning meaning_in(weir_trace *trace, const weir__flow *flow) {
    while (trace->meanings.count <= flow->number)
        *weir_vector_push(&trace->meanings) = (weir__meaning){0};
    weir__meaning *meaning = &trace->meanings.items[flow->number];
    if (meaning->known) return *meaning;
    weir_str name = trace->sought.name;
    uint64_t at;
    *meaning = (weir__meaning){WEIR__NONE, WEIR__NONE, WEIR__NONE, true};
    if (trace->sought.by_id || !name.length) return *meaning;
    if (weir__definition_find(flow, name, &at)) meaning->definition = (uint32_t)at;
    if (weir__instance_find(flow, name, &at)) meaning->instance = (uint32_t)at;
    if (meaning->definition == WEIR__NONE) meaning->origin = find_origin(flow, name);
    return *meaning;
}

/* --- matching ----------------------------------------------------------------------------------- */

static bool is_of_context(const weir_trace *trace, const weir__member *member) {
    return !trace->query->context || strcmp(trace->query->context, member->name) == 0;
}

static bool has_id(const weir_trace *trace, const weir__member *member, uint64_t sequence) {
    return trace->sought.by_id && member->id == trace->sought.context &&
           sequence == trace->sought.sequence;
}

static bool is_value(const weir__sought *sought, const weir_value *value) {
    if (!sought->by_value) return true;
    if (!value) return false;
    if (weir_is(value, WEIR_STRING) && weir_str_equal(weir_string_get(value), sought->text))
        return true;
    return sought->value && weir_value_equal(value, sought->value);
}

static uint32_t task_of(const weir__family *family, weir__matter matter, uint32_t number) {
    if (matter != WEIR__ACT) return WEIR_NO_TASK;
    weir_assert(family && number < family->acts.count);
    return family->acts.items[number].task;
}

/* Whether it is the first, and so the one that the answer may be about. */
static bool note(weir_trace *trace, weir__rank rank, weir__family *family, weir__matter matter,
                 uint32_t number) {
    weir__match *match = &trace->match[rank];
    bool first = !match->family;
    if (match->family == family && match->matter == matter && match->number == number) return true;
    if (first) {
        match->family = family;
        match->matter = matter;
        match->number = number;
    }
    bool all = !*trace->query->what && match->family == family && match->matter == matter;
    if (!first && all && match->found < WEIR__MATCHES_MAX)
        *weir_vector_push(&match->others) = number;
    if (match->found++ < WEIR__MATCHES_MAX) {
        weir_array_append(match->nodes, weir__trace_node(trace, family, matter, number));
        *weir_vector_push(&match->tasks) = task_of(family, matter, number);
    }
    return first;
}

void weir__trace_match_ended(weir_trace *trace, const weir__family *family, const weir__act *act) {
    const weir__match *match = &trace->match[WEIR__CALLED_SO];
    for (size_t i = 0; i < match->tasks.count; i++)
        if (match->tasks.items[i] == act->task)
            weir__trace_put_act(trace, family, act, weir_array_at(match->nodes, i));
}

void weir__trace_meet(weir_trace *trace, const weir__family *family, weir__matter matter,
                      uint32_t number, weir_value *value) {
    const weir__numbers *missing = &trace->missing[matter];
    if (family->root != trace->root || number >= missing->count || !value) return;
    uint32_t node = missing->items[number];
    if (node == WEIR__NONE) return;
    missing->items[number] = WEIR__NONE;
    trace->missing_count--;
    weir_member_put(trace->nodes.items[node], matter == WEIR__ACT ? "outputs" : "value",
                    weir_value_ref(value));
}

static bool birth_is_meant(weir_trace *trace, const weir__family *family, const weir__birth *birth,
                           const weir_value *value) {
    const weir__sought *sought = &trace->sought;
    const weir__member *member = &family->members.items[birth->context];
    if (sought->by_id && sought->forwarded != WEIR__NONE) {
        if (birth->from == WEIR__NONE || member->id != sought->forwarded) return false;
        const weir__birth *from = &family->births.items[birth->from];
        return has_id(trace, &family->members.items[from->context], from->sequence) &&
               from->nth == sought->nth;
    }
    if (birth->from != WEIR__NONE) return false; /* it counts where it came from */
    if (!*trace->query->what)
        return trace->query->forward && member->parent == WEIR__NONE && !birth->seed &&
               birth->invocation == WEIR__NONE;
    if (sought->by_id)
        return has_id(trace, member, birth->sequence) &&
               (sought->nth ? sought->nth == birth->nth : birth->invocation == WEIR__NONE);
    weir__meaning meaning = meaning_in(trace, member->flow);
    bool named = (meaning.definition != WEIR__NONE && meaning.definition == birth->definition) ||
                 (meaning.origin != WEIR__NONE && meaning.origin == birth->origin);
    return named && is_of_context(trace, member) && is_value(sought, value);
}

void weir__trace_match_birth(weir_trace *trace, weir__family *family, uint32_t number,
                             weir_value *value) {
    if (trace->looking) {
        weir__trace_meet(trace, family, WEIR__BIRTH, number, value);
        return;
    }
    weir__birth *birth = &family->births.items[number];
    if (!birth_is_meant(trace, family, birth, value)) return;
    weir_value *kept = birth->value;
    birth->value = value; /* shown whole where it is a match */
    bool first = note(trace, WEIR__CALLED_SO, family, WEIR__BIRTH, number);
    birth->value = first && !kept ? weir_value_ref(value) : kept;
}

void weir__trace_match_act(weir_trace *trace, weir__family *family, uint32_t number,
                           weir_value *outputs) {
    if (trace->looking) {
        weir__trace_meet(trace, family, WEIR__ACT, number, outputs);
        return;
    }
    const weir__act *act = &family->acts.items[number];
    const weir__member *member = &family->members.items[act->context];
    const weir__sought *sought = &trace->sought;
    if (sought->by_id || !is_of_context(trace, member)) return;
    bool ends = member->flow->instances.items[act->instance].stage == WEIR_STAGE_OUTPUT;
    const weir_value *output = ends ? weir_member(outputs, sought->name) : NULL;
    bool named = !sought->by_value && meaning_in(trace, member->flow).instance == act->instance;
    if (named)
        (void)note(trace, WEIR__CALLED_SO, family, WEIR__ACT, number);
    else if (output && is_value(sought, output))
        (void)note(trace, WEIR__GIVES_SO, family, WEIR__ACT, number);
}

void weir__trace_match_event(weir_trace *trace, weir__family *family, uint32_t act,
                             const weir_event *event) {
    const weir__sought *sought = &trace->sought;
    if (trace->looking || !sought->by_id || sought->nth) return;
    if (event->id.context == sought->context && event->id.sequence == sought->sequence)
        (void)note(trace, WEIR__CALLED_SO, family, WEIR__ACT, act);
}

void weir__trace_match_result(weir_trace *trace, weir__family *family, uint32_t number,
                              weir_value *value) {
    const weir__member *member = &family->members.items[number];
    bool all = !*trace->query->what && !trace->query->forward && member->parent == WEIR__NONE;
    if (trace->looking)
        weir__trace_meet(trace, family, WEIR__RESULT, number, value);
    else if (all || has_id(trace, member, member->sequence))
        (void)note(trace, WEIR__CALLED_SO, family, WEIR__RESULT, number);
}
