/* Types: what is fed to a parameter against what its definition, or its operation, takes. DFFML never looks at a primitive while it
 * runs, so that two differ is a warning. */
#include "dataflow/prove_internal.h"

/* Primitives that mean the same are of one kind; 0: anything, or one that is not known. */
typedef enum kind { ANY, INTEGER, NUMBER, BOOLEAN, TEXT, LIST, MAP } kind;

static kind kind_of(weir_str primitive) {
    static const struct {
        const char *name;
        kind kind;
    } kinds[] = {{"int", INTEGER},   {"integer", INTEGER}, {"float", NUMBER},    {"number", NUMBER},
                 {"double", NUMBER}, {"bool", BOOLEAN},    {"boolean", BOOLEAN}, {"str", TEXT},
                 {"string", TEXT},   {"array", LIST},      {"list", LIST},       {"map", MAP},
                 {"dict", MAP},      {"object", MAP}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (weir_str_is(primitive, kinds[i].name)) return kinds[i].kind;
    if (weir_str_starts(primitive, WEIR_STR("List[")) ||
        weir_str_starts(primitive, WEIR_STR("list[")))
        return LIST;
    if (weir_str_starts(primitive, WEIR_STR("Dict[")) ||
        weir_str_starts(primitive, WEIR_STR("dict[")))
        return MAP;
    return ANY;
}

static bool fits(kind given, kind taken) {
    return given == ANY || taken == ANY || given == taken || (given == INTEGER && taken == NUMBER);
}

static void say_type(weir__prover *prover, const weir__flow_proof *p, weir_str instance,
                     const char *group, weir_str port, const char *message) {
    weir_buffer path = {0};
    weir_value *detail = weir_object_new();
    weir__component_path(p, instance, group, port, &path);
    weir_member_put(detail, "component", weir__component_name(p, instance));
    weir_member_put_text(detail, strcmp(group, "inputs") == 0 ? "input" : "output", port);
    weir_member_put_text(detail, "reason", WEIR_STR("type"));
    weir_proof_add(prover->proof, 0, path.data, WEIR_OK, detail, "", "%s", message);
    weir_buffer_deinit(&path);
}

/* An output that the flow feeds to a parameter of another definition. */
static void check_fed(weir__prover *prover, const weir__flow_proof *p, const weir__consumer *c,
                      uint32_t origin) {
    const weir__instance *it = &p->flow->instances.items[c->instance];
    if (c->condition || c->definition == it->parameters.items[c->slot].definition) return;
    const weir__definition *given = &p->flow->definitions.items[c->definition],
                           *taken = &p->flow->definitions
                                         .items[it->parameters.items[c->slot].definition];
    if (fits(kind_of(given->primitive), kind_of(taken->primitive))) return;
    uint32_t maker = p->makers[origin];
    weir_buffer text = {0};
    weir_buffer_printf(&text, "%.*s: `%.*s` takes `%.*s` (%.*s), and is fed `%.*s` (%.*s)",
                       WEIR_ARG(it->name), WEIR_ARG(it->parameters.items[c->slot].name),
                       WEIR_ARG(taken->name), WEIR_ARG(taken->primitive), WEIR_ARG(given->name),
                       WEIR_ARG(given->primitive));
    if (maker != WEIR__NONE)
        weir_buffer_printf(&text, " of %.*s", WEIR_ARG(p->flow->instances.items[maker].name));
    say_type(prover, p, it->name, "inputs", it->parameters.items[c->slot].name, text.data);
    weir_buffer_deinit(&text);
}

/* What a definition says against what the operation's own port says. */
static void check_port(weir__prover *prover, const weir__flow_proof *p, const weir__instance *it,
                       const char *group, const weir_port *ports, weir_str name,
                       uint32_t definition) {
    const weir_port *port = weir_port_find(ports, name);
    const weir__definition *d = &p->flow->definitions.items[definition];
    if (!port || !port->primitive) return;
    kind said = kind_of(d->primitive), own = kind_of(weir_str_from(port->primitive));
    bool input = strcmp(group, "inputs") == 0;
    if (input ? fits(said, own) : fits(own, said)) return;
    weir_buffer text = {0};
    weir_buffer_printf(&text, "%.*s: `%.*s` is of `%.*s` (%.*s), and `%.*s` %s %s",
                       WEIR_ARG(it->name), WEIR_ARG(name), WEIR_ARG(d->name),
                       WEIR_ARG(d->primitive), WEIR_ARG(it->spec->operation),
                       input ? "takes" : "gives", port->primitive);
    say_type(prover, p, it->name, group, name, text.data);
    weir_buffer_deinit(&text);
}

/* Parts are made of lists, maps and texts only. */
static void check_expanded(weir__prover *prover, const weir__flow_proof *p,
                           const weir__instance *it, const weir__output *output) {
    const weir_port *port = weir_port_find(it->operation->outputs, output->key);
    kind own = port && port->primitive ? kind_of(weir_str_from(port->primitive)) : ANY;
    if (own != INTEGER && own != NUMBER && own != BOOLEAN) return;
    weir_buffer text = {0};
    weir_buffer_printf(&text, "%.*s: `%.*s` is expanded, and `%.*s` gives %s, which has no parts",
                       WEIR_ARG(it->name), WEIR_ARG(output->key), WEIR_ARG(it->spec->operation),
                       port->primitive);
    say_type(prover, p, it->name, "outputs", output->key, text.data);
    weir_buffer_deinit(&text);
}

static void check_name(weir__prover *prover, const weir__flow_proof *p, const weir__instance *it) {
    if (it->nested != WEIR__NESTED_CUSTOM || !it->parameters.count) return;
    const weir__definition *d = &p->flow->definitions.items[it->parameters.items[0].definition];
    if (kind_of(d->primitive) == TEXT || !d->primitive.length) return;
    weir_buffer text = {0};
    weir_buffer_printf(&text,
                       "%.*s: its first parameter `%.*s` names the context of the dataflow that it "
                       "runs, and `%.*s` is %.*s, not str",
                       WEIR_ARG(it->name), WEIR_ARG(it->parameters.items[0].name),
                       WEIR_ARG(d->name), WEIR_ARG(d->primitive));
    say_type(prover, p, it->name, "inputs", it->parameters.items[0].name, text.data);
    weir_buffer_deinit(&text);
}

/* --- seeds ---------------------------------------------------------------------------------------- */

static kind kind_of_value(const weir_value *value) {
    switch (weir_value_type(value)) {
    case WEIR_INT: return INTEGER;
    case WEIR_FLOAT: return NUMBER;
    case WEIR_BOOL: return BOOLEAN;
    case WEIR_STRING: return TEXT;
    case WEIR_ARRAY: return LIST;
    case WEIR_OBJECT: return MAP;
    default: return ANY;
    }
}

/* A record's value was shaped. */
static void check_seed(weir__prover *prover, const weir__flow_proof *p, size_t at) {
    const weir__given *seed = &p->flow->seeds.items.items[at];
    const weir__definition *d = &p->flow->definitions.items[seed->definition];
    if (d->fields.count || fits(kind_of_value(seed->value), kind_of(d->primitive))) return;
    weir_buffer path = {0};
    for (size_t i = 0; i < weir_value_count(p->flow->path); i++) {
        weir_path_append(&path, WEIR_STR("configs"));
        weir_path_append(&path, weir_string_get(weir_array_at(p->flow->path, i)));
        weir_path_append(&path, WEIR_STR("dataflow"));
    }
    weir_buffer_printf(&path, "%sseed/%zu/value", path.length ? "/" : "", at);
    weir_value *detail = weir_object_new();
    weir_member_put_text(detail, "definition", d->name);
    weir_member_put_text(detail, "reason", WEIR_STR("type"));
    weir_proof_add(prover->proof, 0, path.data, WEIR_OK, detail, "",
                   "seed: `%.*s` is %.*s, and is given a value of type %s", WEIR_ARG(d->name),
                   WEIR_ARG(d->primitive), weir_type_text(weir_value_type(seed->value)));
    weir_buffer_deinit(&path);
}

/* --- results of a dataflow that an operation runs -------------------------------------------------- */

typedef struct results {
    weir_value *names; /* {name: null} */
    bool object;       /* group_by's spec */
    bool known;
} results;

/* Of group_by {name: …}, else [definition or {new name: definition}]. */
static bool add_results(void *arg, const weir_value *spec) {
    results *r = arg;
    r->known &= r->object ? weir_is(spec, WEIR_OBJECT) : weir_is(spec, WEIR_ARRAY);
    for (size_t i = 0; r->known && i < weir_value_count(spec); i++) {
        const weir_value *item = r->object ? NULL : weir_array_at(spec, i);
        if (r->object)
            weir_member_set(r->names, weir_object_key(spec, i), weir_null_new());
        else if (weir_is(item, WEIR_STRING))
            weir_member_set(r->names, weir_string_get(item), weir_null_new());
        else
            r->known = false; /* what is renamed may be so anywhere */
    }
    return r->known;
}

/* The result is that of the only output operation, or one of each by its name. */
static void find_results(weir__prover *prover, const weir__flow_proof *p, results *r) {
    uint32_t only = WEIR__NONE;
    size_t count = 0;
    for (uint32_t i = 0; i < p->flow->instances.count; i++) {
        const weir__instance *it = &p->flow->instances.items[i];
        if (it->stage != WEIR_STAGE_OUTPUT || it->validator) continue;
        only = i;
        count++;
        r->known &= p->runs[i] == WEIR__SURE;
        weir_member_set(r->names, it->name, weir_null_new());
    }
    if (count != 1) return;
    const weir__instance *it = &p->flow->instances.items[only];
    static const char *const known[] = {"get_single", "get_multi", "group_by"};
    size_t at = 0;
    while (at < 3 && !weir_str_is(it->spec->operation, known[at])) at++;
    r->known &= at < 3 && it->parameters.count == 1 && !weir_value_count(it->config);
    r->object = at == 2;
    weir_value_unref(r->names);
    r->names = weir_object_new();
    uint32_t slot = p->first[only];
    for (uint32_t u = p->uses_first[slot]; r->known && u < p->uses_first[slot + 1]; u++)
        r->known = p->uses[u].origin == p->flow->seed_origin;
    if (r->known) weir__each_known(prover, p, only, 0, add_results, r);
}

bool weir__results_differ(weir__prover *prover, const weir__flow_proof *p, weir_buffer *names) {
    const weir__instance *caller =
        p->outside ? &p->outside->flow->instances.items[p->caller] : NULL;
    if (!caller || caller->nested != WEIR__NESTED_CUSTOM) return false;
    results r = {.names = weir_object_new(), .known = true};
    find_results(prover, p, &r);
    bool same = weir_value_count(r.names) == caller->outputs.count;
    for (size_t o = 0; same && o < caller->outputs.count; o++)
        same = weir_member(r.names, caller->outputs.items[o].key) != NULL;
    for (size_t i = 0; names && i < weir_value_count(r.names); i++)
        weir_buffer_printf(names, "%s`%.*s`", i ? ", " : "", WEIR_ARG(weir_object_key(r.names, i)));
    weir_value_unref(r.names);
    return r.known && !same;
}

static void say_results(weir__prover *prover, const weir__flow_proof *p, uint32_t at) {
    const weir__instance *it = &p->flow->instances.items[at];
    weir_buffer path = {0}, names = {0}, outputs = {0};
    bool certain = p->runs[at] == WEIR__SURE && prover->plan->strict && !it->lenient;
    (void)weir__results_differ(prover, &prover->flows[it->flow], &names);
    for (size_t o = 0; o < it->outputs.count; o++)
        weir_buffer_printf(&outputs, "%s`%.*s`", o ? ", " : "", WEIR_ARG(it->outputs.items[o].key));
    weir_value *detail = weir_object_new();
    weir_member_put(detail, "component", weir__component_name(p, it->name));
    weir_member_put_text(detail, "reason", WEIR_STR("results"));
    weir__component_path(p, it->name, "outputs", WEIR_STR(""), &path);
    weir_proof_add(prover->proof, 0, path.data, certain ? WEIR_INVALID : WEIR_OK, detail,
                   "they have to be the same names",
                   "%.*s: the results of the dataflow that it runs are %s, and its outputs %s",
                   WEIR_ARG(it->name), names.length ? names.data : "none",
                   outputs.length ? outputs.data : "none");
    weir_buffer_deinit(&path);
    weir_buffer_deinit(&names);
    weir_buffer_deinit(&outputs);
}

/* --- all of it ------------------------------------------------------------------------------------- */

void weir__prove_types(weir__prover *prover, const weir__flow_proof *p) {
    for (uint32_t o = 0; o < p->flow->origins.count; o++)
        for (size_t c = 0; c < p->flow->origins.items[o].consumers.count; c++)
            if (p->flow->origins.items[o].consumers.items[c].definition != WEIR__NONE)
                check_fed(prover, p, &p->flow->origins.items[o].consumers.items[c], o);
    for (size_t i = 0; i < p->flow->seeds.items.count; i++) check_seed(prover, p, i);
    for (uint32_t i = 0; i < p->flow->instances.count; i++) {
        const weir__instance *it = &p->flow->instances.items[i];
        check_name(prover, p, it);
        if (it->nested == WEIR__NESTED_CUSTOM && p->runs[i] && prover->flows[it->flow].differs)
            say_results(prover, p, i);
        if (!it->operation || it->nested != WEIR__NESTED_NOT) continue;
        for (size_t n = 0; n < it->parameters.count; n++)
            check_port(prover, p, it, "inputs", it->operation->inputs, it->parameters.items[n].name,
                       it->parameters.items[n].definition);
        for (size_t n = 0; n < it->outputs.count; n++) {
            const weir__output *output = &it->outputs.items[n];
            if (output->expand)
                check_expanded(prover, p, it, output);
            else
                check_port(prover, p, it, "outputs", it->operation->outputs, output->key,
                           output->definition);
        }
    }
}
