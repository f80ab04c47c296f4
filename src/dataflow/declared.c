/* What operations declare themselves, as Python functions do by their decorators: it counts where the file says nothing. */
#include "dataflow/plan_internal.h"

/* Of the members that are none of an operation in a file; and a pipeline says by its own means when a component runs. */
static bool is_left_out(const weir__compiler *c, weir_str member) {
    static const char *const others[] = {"inputs", "outputs", "config"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (weir_str_is(member, others[i])) return true;
    return c->plan->pipeline &&
           (weir_str_is(member, "conditions") || weir_str_is(member, "validator"));
}

/* Definitions that the file need not have. */
static weir_value *conditions_of(const weir_value *names) {
    weir_value *conditions = weir_array_new();
    for (size_t i = 0; weir_is(names, WEIR_ARRAY) && i < weir_value_count(names); i++) {
        weir_value *definition = weir_object_new();
        weir_member_put(definition, "name", weir_value_ref(weir_array_at(names, i)));
        weir_member_put_text(definition, "primitive", WEIR_STR("bool"));
        weir_array_append(conditions, definition);
    }
    return conditions;
}

/* What the operation says itself; NULL: nothing. */
static const weir_value *declared_by(const weir__instance *instance) {
    return instance->operation ? weir_operation_declared(instance->operation) : NULL;
}

weir_value *weir__dataflow_declared(weir__compiler *c, const weir__instance *instance,
                                    const weir_value *value) {
    const weir_value *declared = declared_by(instance);
    if (!declared || !weir_is(value, WEIR_OBJECT))
        return weir_value_ref((weir_value *)(uintptr_t)value);
    weir_value *whole = weir_object_new();
    for (size_t i = 0; i < weir_value_count(declared); i++) {
        weir_str member = weir_object_key(declared, i);
        weir_value *said = weir_object_at(declared, i);
        if (is_left_out(c, member)) continue;
        bool conditions = weir_str_is(member, "conditions");
        weir_member_set(whole, member, conditions ? conditions_of(said) : weir_value_ref(said));
    }
    weir_value *merged = weir_object_merge(whole, value);
    weir_value_unref(whole);
    return merged;
}

/* A lock is of whatever value the parameter takes; the rest of the definition that the function means. */
static void declare_port(weir__compiler *c, uint32_t at, const weir_value *said) {
    weir__definition *definition = &c->flow->definitions.items[at];
    const weir_value *lock = weir_member_named(said, "lock"),
                     *otherwise = weir_member_named(said, "default");
    weir_str validate = weir_member_text(said, "validate");
    if (lock && !definition->lock_said) definition->lock |= weir_value_truth(lock);
    if (!weir_str_equal(definition->name, weir_member_text(said, "definition"))) return;
    if (validate.length && !definition->validate_said)
        definition->validate = weir__dataflow_keep(c->plan, validate);
    if (otherwise && !definition->default_value)
        definition->default_value = weir_value_ref((weir_value *)(uintptr_t)otherwise);
}

void weir__dataflow_declare_ports(weir__compiler *c, const weir__instance *instance) {
    const weir_value *declared = declared_by(instance);
    if (!declared) return;
    const weir_value *inputs = weir_member_named(declared, "inputs"),
                     *outputs = weir_member_named(declared, "outputs"), *said;
    for (size_t i = 0; inputs && i < instance->parameters.count; i++) {
        const weir__parameter *parameter = &instance->parameters.items[i];
        if ((said = weir_member(inputs, parameter->name)))
            declare_port(c, parameter->definition, said);
    }
    for (size_t i = 0; outputs && i < instance->outputs.count; i++) {
        const weir__output *output = &instance->outputs.items[i];
        if ((said = weir_member(outputs, output->key))) declare_port(c, output->definition, said);
    }
}

void weir__dataflow_check_required(weir__compiler *c, const weir__instance *instance) {
    const weir_value *declared = declared_by(instance);
    const weir_value *names = weir_member_named(weir_member_named(declared, "config"), "required");
    for (size_t i = 0; weir_is(names, WEIR_ARRAY) && i < weir_value_count(names); i++) {
        const weir_value *name = weir_array_at(names, i);
        if (!weir_is(name, WEIR_STRING) || weir_member(instance->config, weir_string_get(name)))
            continue;
        weir__dataflow_problem(c, instance->name, WEIR_STR("config"), "", WEIR_INVALID,
                               "operation `%.*s`: its configuration has no `%.*s`",
                               WEIR_ARG(instance->name), WEIR_ARG(weir_string_get(name)));
        weir__dataflow_hint(c, "the function wants it, and has no value for it");
    }
}
