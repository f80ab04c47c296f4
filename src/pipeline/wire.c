/* Wires a pipeline: who makes what each component reads, and which parameter or output each name stands for. */
#include "data/json.h"
#include "expr/tag.h"
#include "pipeline/pipeline_internal.h"

/* --- values --------------------------------------------------------------------------------- */

static void declare(weir__pipeline *p, weir_str name, uint64_t maker, const weir__entry *entry) {
    if (!weir_map_add(&p->makers, name, maker))
        weir__pipeline_problem(p, entry, WEIR_INVALID, "`%.*s` is given twice", WEIR_ARG(name));
}

/* Whole names of all outputs; how many there are. */
static size_t name_outputs(weir__pipeline *p) {
    size_t count = 0;
    for (size_t i = 0; i < p->count; i++) {
        const weir__component *c = &p->components[i];
        count += c->outputs.count;
        for (size_t j = 0; j < c->outputs.count; j++)
            c->outputs.items[j].name = weir__pipeline_output(p, c->name, c->outputs.items[j].name);
    }
    return count;
}

static void expect_outputs(const weir__pipeline *p, size_t at) {
    for (size_t j = 0; at < p->count && j < p->components[at].outputs.count; j++)
        weir_map_expect(&p->makers, p->components[at].outputs.items[j].name);
}

/* Without the component's name and the dot. */
static weir_str plain_name(const weir__component *c, const weir__entry *output) {
    return weir_str_slice(output->name, c->name.length + 1, output->name.length);
}

static void declare_all(weir__pipeline *p) {
    weir_map inputs = {0};
    weir_map_reserve(&p->makers, p->inputs.count + name_outputs(p) + 1);
    declare(p, WEIR_STR("weir.outputs"), WEIR__NOBODY, p->body);
    for (size_t i = 0; i < p->inputs.count; i++) {
        declare(p, p->inputs.items[i].name, i, &p->inputs.items[i]);
        weir_map_set(&inputs, p->inputs.items[i].name, i);
    }
    for (size_t i = 0; i < p->count; i++) {
        weir__component *c = &p->components[i];
        expect_outputs(p, i + WEIR__AHEAD);
        if (weir_map_get(&inputs, c->name, NULL) && !weir_str_is(c->name, "weir.outputs"))
            weir_error_hint(weir__pipeline_problem(p, c->entry, WEIR_INVALID,
                                                   "`%.*s` names an input and a component",
                                                   WEIR_ARG(c->name)),
                            "one of them needs another name");
        for (size_t j = 0; j < c->outputs.count; j++) {
            const weir__entry *output = &c->outputs.items[j];
            weir_str plain = plain_name(c, output);
            declare(p, output->name, p->inputs.count + i, output);
            if (!weir_map_add(&p->plain, plain, i)) weir_map_set(&p->another, plain, i);
        }
    }
    weir_map_deinit(&inputs);
}

/* --- inputs and outputs of components -------------------------------------------------------- */

/* What an executor does takes any inputs: they are there for its tags, named by the value unless the file says so. */
static bool wire_input(weir__pipeline *p, const weir__component *c, weir__entry *input,
                       size_t *position) {
    const weir_port *ports = c->operation->inputs, *port = NULL;
    bool named = input->key.length > 0;
    if (!named) input->key = input->name;
    if (!weir_operation_has_code(c->operation)) return true;
    if (!named && *position >= weir_port_count(ports)) {
        weir__pipeline_problem(p, input, WEIR_INVALID,
                               "%.*s: operation `%s` takes no more than %zu inputs",
                               WEIR_ARG(c->name), c->operation->name, weir_port_count(ports));
        return false;
    }
    port = named ? weir_port_find(ports, input->key) : &ports[(*position)++];
    if (!port && (c->operation->hints & WEIR_ANY_INPUTS)) return true;
    if (!port) {
        weir__pipeline_problem(p, input, WEIR_INVALID,
                               "%.*s: operation `%s` has no parameter `%.*s`", WEIR_ARG(c->name),
                               c->operation->name, WEIR_ARG(input->key));
        return false;
    }
    input->key = weir_str_from(port->name);
    if (input->maker < p->inputs.count && !p->inputs.items[input->maker].primitive)
        p->inputs.items[input->maker].primitive = port->primitive;
    return true;
}

/* Whether one of the inputs before this one, or of all when it is NULL, stands for the port. */
static bool is_wired(const weir__component *c, const weir__entry *before, const weir_map *seen,
                     weir_str port) {
    if (seen->count) return weir_map_get(seen, port, NULL);
    for (size_t i = 0; i < c->inputs.count && &c->inputs.items[i] != before; i++)
        if (weir_str_equal(c->inputs.items[i].key, port)) return true;
    return false;
}

static void wire_inputs(weir__pipeline *p, weir__component *c) {
    enum { SEEN_FROM = 16 };
    weir_map seen = {0};
    for (size_t i = 0, position = 0; i < c->inputs.count; i++) {
        weir__entry *input = &c->inputs.items[i];
        uint64_t maker;
        bool made = weir_map_get(&p->makers, input->name, &maker);
        input->maker = made ? (uint32_t)maker : WEIR__NOBODY;
        if (!c->operation || !wire_input(p, c, input, &position)) continue;
        if (is_wired(c, input, &seen, input->key))
            weir__pipeline_problem(p, input, WEIR_INVALID, "%.*s: parameter `%.*s` is given twice",
                                   WEIR_ARG(c->name), WEIR_ARG(input->key));
        if (c->inputs.count >= SEEN_FROM) weir_map_set(&seen, input->key, 0);
    }
    const weir_port *port =
        c->operation && weir_operation_has_code(c->operation) ? c->operation->inputs : NULL;
    bool python = port && strcmp(weir_operation_executor(c->operation), "python") == 0;
    for (; port && port->name; port++) /* a function has its defaults */
        if (!is_wired(c, NULL, &seen, weir_str_from(port->name)) && !(python && port->otherwise))
            weir__pipeline_problem(p, c->entry, WEIR_INVALID,
                                   "%.*s: parameter `%s` of operation `%s` is not given",
                                   WEIR_ARG(c->name), port->name, c->operation->name);
    weir_map_deinit(&seen);
}

/* By name where all names are the operation's, else by position when there are as many. A process gives what it prints:
 * all of it as the one output that is not its own, or one member of a JSON object for each. */
static void wire_outputs(weir__pipeline *p, weir__component *c) {
    if (!c->operation) return;
    const weir_port *ports = c->operation->outputs;
    bool process = strcmp(c->operation->name, "process.run") == 0;
    size_t foreign = 0, all = c->outputs.count;
    bool result = false;
    for (size_t i = 0; i < all; i++) {
        weir__entry *output = &c->outputs.items[i];
        output->key = plain_name(c, output);
        const weir_port *port = weir_port_find(ports, output->key);
        output->primitive = port ? port->primitive : NULL;
        result |= weir_str_is(output->key, "result");
        foreign += !port;
    }
    bool json = process && foreign + result > 1;
    if (json) {
        c->config = weir_value_own(c->config);
        weir_member_put(c->config, "format", weir_string_from(WEIR_STR("json")));
    }
    for (size_t i = 0; i < all && foreign && !json; i++) {
        weir__entry *output = &c->outputs.items[i];
        const weir_port *port = weir_port_find(ports, output->key);
        if (process) {
            if (!port) output->key = WEIR_STR("result");
        } else if (c->operation->hints & WEIR_ANY_OUTPUTS) {
            output->primitive = all == 1 && weir_port_count(ports) == 1 ? ports->primitive : NULL;
        } else if (all == weir_port_count(ports)) {
            output->key = weir_str_from(ports[i].name);
            output->primitive = ports[i].primitive;
        } else if (!port) {
            weir__pipeline_problem(p, output, WEIR_INVALID,
                                   "%.*s: operation `%s` has no output `%.*s`", WEIR_ARG(c->name),
                                   c->operation->name, WEIR_ARG(output->key));
        }
    }
}

/* --- configuration -------------------------------------------------------------------------- */

/* {{inputs.page.image}}, or its last part alone when only one input ends so, becomes {{inputs.PARAMETER}}. */
static bool rename_tag(void *arg, weir_str name, weir_buffer *out) {
    const weir__component *c = arg;
    weir_str prefix = WEIR_STR("inputs."), port = WEIR_STR("");
    if (!weir_str_starts(name, prefix)) return false;
    name = weir_str_slice(name, prefix.length, name.length);
    size_t matching = 0;
    for (size_t i = 0; i < c->inputs.count; i++) {
        weir_str candidate = c->inputs.items[i].key;
        bool exact = weir_str_equal(candidate, name);
        if (!exact && !(weir_str_ends(candidate, name) && candidate.length > name.length &&
                        candidate.data[candidate.length - name.length - 1] == '.'))
            continue;
        matching = exact ? 1 : matching + 1;
        port = candidate;
        if (exact) break;
    }
    if (matching == 1) weir_buffer_printf(out, "{{inputs.%.*s}}", WEIR_ARG(port));
    return matching == 1;
}

/* Gives NULL after a problem. */
static weir_value *rename_tags(weir__pipeline *p, weir__component *c, weir_value *value,
                               const weir__entry *entry) {
    weir_value *renamed = NULL;
    weir_error error;
    if (weir_tag_render_value(value, rename_tag, c, &renamed, &error)) return renamed;
    weir_error *problem =
        weir__pipeline_problem(p, entry, error.code, "%.*s: %s", WEIR_ARG(c->name), error.message);
    weir_buffer names = {0};
    for (size_t i = 0; i < c->inputs.count; i++)
        weir_buffer_printf(&names, "%s {{inputs.%.*s}}", i ? "," : "",
                           WEIR_ARG(c->inputs.items[i].key));
    weir_error_hint(problem, "%s%s", error.hint[0] ? error.hint : "its inputs are:",
                    error.hint[0] ? ""
                    : names.data  ? names.data
                                  : " none");
    weir_buffer_deinit(&names);
    return NULL;
}

static void wire_command(weir__pipeline *p, weir__component *c) {
    weir_value *command = weir_array_new();
    if (weir_member_named(c->config, "command"))
        weir__pipeline_problem(p, c->more->config_entry, WEIR_INVALID,
                               "%.*s: the command is given by `run` already", WEIR_ARG(c->name));
    for (size_t i = 0; i < weir_value_count(c->more->command); i++) {
        weir_value *item = weir_array_at(c->more->command, i);
        const weir__entry entry = {
            .up = c->more->command_entry, .at = (uint32_t)i + 1, .plain = true};
        if (weir_is(item, WEIR_STRING)) {
            item = rename_tags(p, c, item, &entry);
            if (item) weir_array_append(command, item);
        } else if (weir_is(item, WEIR_ARRAY) || weir_is(item, WEIR_OBJECT)) {
            weir__pipeline_problem(p, &entry, WEIR_INVALID, "%.*s: an argument must be a text",
                                   WEIR_ARG(c->name));
        } else {
            weir_buffer text = {0};
            weir_json_format(item, 0, &text);
            weir_array_append(command, weir_string_from(weir_buffer_str(&text)));
            weir_buffer_deinit(&text);
        }
    }
    c->config = weir_value_own(c->config);
    weir_member_put(c->config, "command", command);
    if (!c->more->image.length) return;
    weir_value *given = weir_member_named(c->config, "sandbox");
    weir_value *sandbox =
        weir_is(given, WEIR_OBJECT) ? weir_value_own(weir_value_ref(given)) : weir_object_new();
    weir_member_put_text(sandbox, "image", c->more->image);
    weir_member_put(c->config, "sandbox", sandbox);
}

static void wire_config(weir__pipeline *p, weir__component *c) {
    if (!c->operation || weir_operation_has_code(c->operation)) return;
    weir_value *config =
        rename_tags(p, c, c->config, c->more->config_entry ? c->more->config_entry : c->entry);
    if (config) {
        weir_value_unref(c->config);
        c->config = config;
    }
    if (c->more->command) wire_command(p, c);
}

/* --- outputs and inputs of the pipeline ------------------------------------------------------ */

static void wire_result(weir__pipeline *p, weir__entry *output) {
    uint64_t maker, rival;
    bool known = weir_map_get(&p->makers, output->name, &maker);
    if (known && maker >= p->inputs.count) return;
    if (!weir_map_get(&p->plain, output->name, &maker)) {
        if (!known)
            weir__pipeline_hint_value(p,
                                      weir__pipeline_problem(p, output, WEIR_INVALID,
                                                             "outputs: nobody makes `%.*s`",
                                                             WEIR_ARG(output->name)),
                                      output->name);
        return;
    }
    weir_str first = p->components[maker].name;
    if (weir_map_get(&p->another, output->name, &rival))
        weir__pipeline_problem(p, output, WEIR_INVALID,
                               "outputs: `%.*s` is made by two components: `%.*s.%.*s` and "
                               "`%.*s.%.*s`",
                               WEIR_ARG(output->name), WEIR_ARG(first), WEIR_ARG(output->name),
                               WEIR_ARG(p->components[rival].name), WEIR_ARG(output->name));
    output->name = weir__pipeline_output(p, first, output->name);
}

static void wire_results(weir__pipeline *p) {
    weir_map seen = {0};
    for (size_t i = 0; i < p->outputs.count; i++) {
        weir__entry *output = &p->outputs.items[i];
        if (!output->key.length) output->key = output->name;
        if (weir_map_get(&seen, output->key, NULL))
            weir__pipeline_problem(p, output, WEIR_INVALID, "outputs: `%.*s` is given twice",
                                   WEIR_ARG(output->key));
        weir_map_set(&seen, output->key, 0);
        wire_result(p, output);
    }
    weir_map_deinit(&seen);
}

/* At its place in the file of inputs, or, of an argument, where inputs are declared. */
static void say_undeclared(weir__pipeline *p, const char *group, weir_str key, bool argument) {
    weir_error error, *told = &error;
    weir_nearest nearest = weir_nearest_to(key);
    weir_buffer names = {0}, path = {0};
    for (size_t i = 0; i < p->inputs.count; i++) {
        weir_nearest_try(&nearest, p->inputs.items[i].name);
        if (i < 10)
            weir_buffer_printf(&names, "%s `%.*s`", i ? "," : "",
                               WEIR_ARG(p->inputs.items[i].name));
    }
    weir_fail(&error, WEIR_INVALID, "the pipeline has no input `%.*s`", WEIR_ARG(key));
    if (argument)
        told = weir__pipeline_problem(p, p->inputs_entry, WEIR_INVALID, "%s", error.message);
    if (nearest.best.length)
        weir_error_hint(told, "did you mean `%.*s`?", WEIR_ARG(nearest.best));
    else
        weir_error_hint(told, "its inputs are:%s%s", names.length ? names.data : " none",
                        p->inputs.count > 10 ? ", …" : "");
    weir_buffer_text(&path, group);
    weir_path_append(&path, key);
    if (!argument) weir_problems_add_request(p->problems, path.data, p->document->file, &error);
    weir_buffer_deinit(&names);
    weir_buffer_deinit(&path);
}

void weir__pipeline_check_given(weir__pipeline *p) {
    static const char *const given_as[] = {"inputs", "texts"};
    const weir_value *given[] = {weir_member_named(p->request, given_as[0]),
                                 weir_member_named(p->request, given_as[1])};
    /* A check of the file needs no values. */
    bool wanted = !weir_member_named(p->request, "check");
    for (size_t i = 0; wanted && i < p->inputs.count; i++) {
        const weir__entry *input = &p->inputs.items[i];
        bool found = false;
        for (size_t j = 0; j < 2; j++)
            found |= weir_is(given[j], WEIR_OBJECT) && weir_member(given[j], input->name);
        if (!found && (input->wanted || !p->some))
            weir_error_hint(weir__pipeline_problem(p, input, WEIR_INVALID,
                                                   "input `%.*s` is not given",
                                                   WEIR_ARG(input->name)),
                            "add --input %.*s=VALUE", WEIR_ARG(input->name));
    }
    for (size_t j = 0; j < 2; j++)
        for (size_t i = 0; weir_is(given[j], WEIR_OBJECT) && i < weir_value_count(given[j]); i++) {
            weir_str key = weir_object_key(given[j], i);
            uint64_t maker;
            if (!weir_map_get(&p->makers, key, &maker) || maker >= p->inputs.count)
                say_undeclared(p, given_as[j], key, j == 1);
            else if (j == 1 && weir_is(weir_object_at(given[j], i), WEIR_ARRAY))
                weir__pipeline_problem(p, &p->inputs.items[maker], WEIR_INVALID,
                                       "input `%.*s` is given twice", WEIR_ARG(key));
        }
}

static void expect_inputs(const weir__pipeline *p, size_t at) {
    for (size_t j = 0; at < p->count && j < p->components[at].inputs.count; j++)
        weir_map_expect(&p->makers, p->components[at].inputs.items[j].name);
}

void weir__pipeline_wire(weir__pipeline *p) {
    declare_all(p);
    for (size_t i = 0; i < p->count; i++) {
        expect_inputs(p, i + WEIR__AHEAD);
        wire_inputs(p, &p->components[i]);
        wire_outputs(p, &p->components[i]);
        wire_config(p, &p->components[i]);
    }
    wire_results(p);
}
