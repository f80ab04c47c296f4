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
                       WEIR_ARG(d->primitive), WEIR_ARG(it->spec.operation),
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
                       WEIR_ARG(it->name), WEIR_ARG(output->key), WEIR_ARG(it->spec.operation),
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

void weir__prove_types(weir__prover *prover, const weir__flow_proof *p) {
    for (uint32_t o = 0; o < p->flow->origins.count; o++)
        for (size_t c = 0; c < p->flow->origins.items[o].consumers.count; c++)
            if (p->flow->origins.items[o].consumers.items[c].definition != WEIR__NONE)
                check_fed(prover, p, &p->flow->origins.items[o].consumers.items[c], o);
    for (size_t i = 0; i < p->flow->instances.count; i++) {
        const weir__instance *it = &p->flow->instances.items[i];
        check_name(prover, p, it);
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
