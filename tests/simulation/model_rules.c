/* The model: to which definitions the order of events matters, and so which states are one. What it says too much costs
 * time; what it says too little makes results impossible that are not: the oracle lets orders by chance be found. */
#include "canonical.h"
#include "model_internal.h"
#include "simulation.h"

void model_rules_free(flow_rules *rules) {
    weir_vector_deinit(&rules->definitions);
    weir_free(rules);
}

static size_t find(const flow_rules *rules, weir_str definition) {
    size_t at = 0;
    while (at < rules->definitions.count &&
           !weir_str_equal(rules->definitions.items[at].name, definition))
        at++;
    return at;
}

const definition_rules *model_rules_for(const flow_rules *rules, weir_str definition) {
    size_t at = find(rules, definition);
    return at < rules->definitions.count ? &rules->definitions.items[at] : NULL;
}

static size_t place_of(flow_rules *rules, weir_str definition) {
    size_t at = find(rules, definition);
    if (at < rules->definitions.count) return at;
    weir_assert(at < DEFINITIONS);
    *weir_vector_push(&rules->definitions) =
        (definition_rules){.name = definition, .reach = 1ull << at};
    return at;
}

static definition_rules *rules_for(flow_rules *rules, weir_str definition) {
    return &rules->definitions.items[place_of(rules, definition)];
}

static uint64_t bit_of(flow_rules *rules, weir_str definition) {
    return 1ull << place_of(rules, definition);
}

static uint64_t bits_of(flow_rules *rules, const weir_value *names) {
    uint64_t bits = 0;
    for (size_t i = 0; names && i < weir_value_count(names); i++)
        bits |= bit_of(rules, weir_string_get(weir_array_at(names, i)));
    return bits;
}

static void note_timed(flow_rules *rules, uint64_t definitions) {
    for (size_t i = 0; i < rules->definitions.count; i++)
        rules->definitions.items[i].timed |= definitions >> i & 1;
}

/* --- operations ----------------------------------------------------------------------------------- */

/* What the source may give to a parameter of the definition. */
static uint64_t given_by(flow_rules *rules, const weir_value *source, weir_str definition) {
    uint64_t given = 0;
    if (weir_is(source, WEIR_ARRAY)) source = weir_array_at(source, 0);
    if (weir_is(source, WEIR_STRING)) return bit_of(rules, definition);
    const weir_value *what = weir_object_at(source, 0);
    for (size_t i = 0; weir_is(what, WEIR_ARRAY) && i < weir_value_count(what); i++)
        given |= bit_of(rules, weir_string_get(weir_array_at(what, i)));
    if (weir_is(what, WEIR_ARRAY)) return given;
    const weir_value *maker = model_at(rules->flow, "operations", weir_object_key(source, 0));
    weir_str output = weir_string_get(what);
    return bit_of(rules, weir_member_text(weir_member_named(maker, "outputs"), output.data));
}

static uint64_t read_by(flow_rules *rules, weir_str name, const weir_value *parameters) {
    const weir_value *wires = weir_member_named(model_at(rules->flow, "flow", name), "inputs");
    uint64_t read = 0;
    for (size_t i = 0; i < weir_value_count(parameters); i++) {
        const weir_value *sources = weir_member(wires, weir_object_key(parameters, i));
        weir_str definition = weir_string_get(weir_object_at(parameters, i));
        for (size_t k = 0; sources && k < weir_value_count(sources); k++)
            read |= given_by(rules, weir_array_at(sources, k), definition);
    }
    return read;
}

/* What comes of what the operation reads, and of its conditions. */
static void note_reach(flow_rules *rules, uint64_t read, const weir_value *operation) {
    const weir_value *outputs = weir_member_named(operation, "outputs");
    uint64_t made = 0;
    for (size_t i = 0; i < weir_value_count(outputs); i++)
        made |= bit_of(rules, weir_string_get(weir_object_at(outputs, i)));
    for (size_t i = 0; i < rules->definitions.count; i++)
        if (rules->definitions.items[i].reach & read) rules->definitions.items[i].reach |= made;
}

/* With a condition or a default, it is made of what is there when it is looked at. */
static void note_operation(flow_rules *rules, weir_str name, const weir_value *operation) {
    const weir_value *conditions = weir_member_named(operation, "conditions");
    const weir_value *parameters = weir_member_named(operation, "inputs");
    bool timed = conditions && weir_value_count(conditions);
    uint64_t read = read_by(rules, name, parameters);
    note_reach(rules, read | bits_of(rules, conditions), operation);
    note_timed(rules, bits_of(rules, conditions));
    for (size_t i = 0; i < weir_value_count(parameters); i++) {
        weir_str definition = weir_string_get(weir_object_at(parameters, i));
        timed |=
            weir_member_named(model_at(rules->flow, "definitions", definition), "default") != NULL;
    }
    if (timed) note_timed(rules, read);
}

/* --- output --------------------------------------------------------------------------------------- */

/* A name, or {as: name}. */
static weir_str name_in(const weir_value *what) {
    if (weir_is(what, WEIR_OBJECT)) what = weir_object_at(what, 0);
    return weir_is(what, WEIR_STRING) ? weir_string_get(what) : WEIR_STR("");
}

static void note_output(flow_rules *rules, const weir_value *operation) {
    const weir_value *spec = model_spec_of(rules->flow, operation);
    weir_str name = weir_member_text(operation, "name");
    if (weir_str_is(name, "get_single")) {
        for (size_t i = 0; i < weir_value_count(spec); i++)
            rules_for(rules, name_in(weir_array_at(spec, i)))->last = true;
    } else if (weir_str_is(name, "associate")) {
        rules_for(rules, name_in(weir_array_at(spec, 0)))->ordered = true;
        rules_for(rules, name_in(weir_array_at(spec, 1)))->ordered = true;
    } else if (weir_str_is(name, "associate_definition")) {
        rules_for(rules, weir_object_key(spec, 0))->ordered = true;
        rules_for(rules, name_in(spec))->ordered = true;
    }
}

const weir_value *model_spec_of(const weir_value *flow, const weir_value *operation) {
    weir_str definition = weir_member_text(weir_member_named(operation, "inputs"), "spec");
    const weir_value *seeds = weir_member_named(flow, "seed");
    for (size_t i = 0; i < weir_value_count(seeds); i++) {
        const weir_value *seed = weir_array_at(seeds, i);
        if (weir_str_equal(weir_member_text(seed, "definition"), definition))
            return weir_member_named(seed, "value");
    }
    return NULL;
}

/* --- a flow --------------------------------------------------------------------------------------- */

/* As often as there are operations, for one may make what an earlier one reads. */
static flow_rules *make_rules(const weir_value *flow) {
    flow_rules *rules = weir_alloc(sizeof *rules);
    const weir_value *book = weir_member_named(weir_member_named(flow, "forward"), "book");
    const weir_value *operations = weir_member_named(flow, "operations");
    const weir_value *definitions = weir_member_named(flow, "definitions");
    rules->flow = flow;
    for (size_t i = 0; i < weir_value_count(definitions); i++)
        place_of(rules, weir_object_key(definitions, i));
    for (size_t i = 0; book && i < weir_value_count(book); i++)
        note_timed(rules, bits_of(rules, weir_object_at(book, i)));
    for (size_t i = 0; i < weir_value_count(operations); i++)
        if (weir_str_is(weir_member_text(weir_object_at(operations, i), "stage"), "output"))
            note_output(rules, weir_object_at(operations, i));
    for (size_t turn = 0; turn < weir_value_count(operations); turn++)
        for (size_t i = 0; i < weir_value_count(operations); i++) {
            const weir_value *operation = weir_object_at(operations, i);
            if (!weir_member_text(operation, "stage").length)
                note_operation(rules, weir_object_key(operations, i), operation);
        }
    return rules;
}

const flow_rules *model_rules_of(model_memory *memory, const weir_value *flow) {
    for (size_t i = 0; i < memory->rules.count; i++)
        if (memory->rules.items[i]->flow == flow) return memory->rules.items[i];
    return *weir_vector_push(&memory->rules) = make_rules(flow);
}

/* --- forwards ------------------------------------------------------------------------------------- */

/* Whose work the context is. */
static weir_str work_around(const process *p) {
    for (size_t i = 0; i < p->around->works.count; i++) {
        const work *w = p->around->works.items[i];
        for (size_t k = 0; k < w->children.count; k++)
            if (w->children.items[k] == p) return w->name;
    }
    return WEIR_STR("");
}

/* A definition's values may lead to one that is forwarded. */
static bool may_feed(const flow_rules *rules, weir_str definition, const weir_value *names) {
    const definition_rules *from = model_rules_for(rules, definition);
    for (size_t i = 0; from && i < weir_value_count(names); i++) {
        size_t to = find(rules, weir_string_get(weir_array_at(names, i)));
        if (from->reach >> to & 1) return true;
    }
    return false;
}

bool model_is_fed(const process *p, weir_str name) {
    const weir_value *book = weir_member_named(weir_member_named(p->flow, "forward"), "book");
    const weir_value *names = book ? weir_member(book, name) : NULL;
    const flow_rules *rules = model_rules_of(p->model->memory, p->flow);
    if (!names) return false;
    if (model_next_gift(p) || (p->around && model_is_fed(p->around, work_around(p)))) return true;
    for (size_t i = 0; i < p->works.count; i++) {
        const weir_value *outputs = weir_member_named(p->works.items[i]->operation, "outputs");
        for (size_t k = 0; k < weir_value_count(outputs); k++)
            if (may_feed(rules, weir_string_get(weir_object_at(outputs, k)), names)) return true;
    }
    return false;
}

bool model_may_be_fed(const process *p) {
    return model_is_fed(p->around, work_around(p));
}

/* --- states --------------------------------------------------------------------------------------- */

/* In which order values came, as far as it matters. */
static uint64_t order_of(const process *p, const definition_rules *rules) {
    uint64_t order = 0;
    for (size_t i = 0; i < p->items.count; i++)
        if (weir_str_equal(p->items.items[i].definition, rules->name))
            order = (rules->ordered ? chance_mix(order) : 0) ^ p->items.items[i].what;
    return order;
}

static uint64_t truths_of(const process *p) {
    const weir_value *operations = weir_member_named(p->flow, "operations");
    uint64_t truths = 0;
    for (size_t i = 0; i < weir_value_count(operations); i++) {
        const weir_value *definitions =
            weir_member_named(weir_object_at(operations, i), "conditions");
        if (!definitions) continue;
        const weir_value *sources = weir_member_named(
            model_at(p->flow, "flow", weir_object_key(operations, i)), "conditions");
        for (size_t k = 0; sources && k < weir_value_count(sources); k++)
            truths =
                chance_mix(truths) + model_is_true(p, weir_array_at(sources, k),
                                                   weir_string_get(weir_array_at(definitions, k)));
    }
    return truths;
}

static uint64_t state_of(const process *p);

static uint64_t state_of_work(const work *w) {
    uint64_t state = chance_mix(w->what + w->at) + w->begun;
    for (size_t i = 0; i < w->children.count; i++)
        state = chance_mix(state) ^ state_of(w->children.items[i]);
    return chance_mix(state + w->opened);
}

static uint64_t state_of(const process *p) {
    const flow_rules *rules = model_rules_of(p->model->memory, p->flow);
    uint64_t values = 0, made = 0, works = 0, orders = 0;
    if (p->done) return p->failed ? 1 : canonical_hash(p->result);
    for (size_t i = 0; i < p->items.count; i++) values += chance_mix(p->items.items[i].what);
    for (size_t i = 0; i < p->made.count; i++) made += chance_mix(p->made.items[i].what);
    for (size_t i = 0; i < p->works.count; i++) works += state_of_work(p->works.items[i]);
    for (size_t i = 0; i < rules->definitions.count; i++) {
        const definition_rules *d = &rules->definitions.items[i];
        if (d->ordered || d->last) orders = chance_mix(orders) ^ order_of(p, d);
    }
    uint64_t flags = (uint64_t)p->opened | (uint64_t)p->held << 1;
    return chance_mix(chance_mix(chance_mix(chance_mix(values) ^ made) ^ works) ^ orders) ^
           chance_mix(truths_of(p) + flags);
}

uint64_t model_state(const model *m) {
    return chance_mix(state_of(m->top) + m->gift);
}
