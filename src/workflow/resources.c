/* What a pod asks for, which Argo multiplies by the time that it took (resourcesDuration). */
#include <stdlib.h>

#include "workflow/status.h"
#include "workflow/template.h"

bool weir__quantity_read(const weir_value *value, double *out) {
    static const struct {
        const char *suffix;
        double factor;
    } suffixes[] = {{"", 1},
                    {"n", 1e-9},
                    {"u", 1e-6},
                    {"m", 1e-3},
                    {"k", 1e3},
                    {"M", 1e6},
                    {"G", 1e9},
                    {"T", 1e12},
                    {"P", 1e15},
                    {"E", 1e18},
                    {"Ki", 1024.0},
                    {"Mi", 1048576.0},
                    {"Gi", 1073741824.0},
                    {"Ti", 1099511627776.0},
                    {"Pi", 1125899906842624.0},
                    {"Ei", 1152921504606846976.0}};
    double number = -1;
    char *end = NULL;
    const char *suffix = "";
    if (weir_is(value, WEIR_INT) || weir_is(value, WEIR_FLOAT)) {
        number = weir_number_get(value);
    } else if (weir_is(value, WEIR_STRING) && weir_string_get(value).length) {
        const char *text = weir_string_get(value).data;
        number = strtod(text, &end);
        if (end == text) return false;
        suffix = end;
    }
    if (!(number >= 0 && number < 1e18)) return false;
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        if (strcmp(suffix, suffixes[i].suffix) != 0) continue;
        *out = number * suffixes[i].factor;
        return true;
    }
    return false;
}

static double quantity_of(const weir_value *value, double otherwise) {
    double amount;
    return weir__quantity_read(value, &amount) ? amount : otherwise;
}

/* A container that asks for nothing counts as a tenth of a core and 100 MiB, as in Argo. */
static void add_container(const weir_value *container, weir__requests *sum) {
    enum { UNIT = 100 * 1024 * 1024 };
    const weir_value *resources = weir_member_named(container, "resources"),
                     *asked = weir_member_named(resources, "requests");
    if (!weir_is(container, WEIR_OBJECT)) return;
    if (!asked) asked = weir_member_named(resources, "limits");
    sum->cores += quantity_of(weir_member_named(asked, "cpu"), 0.1);
    sum->memory += quantity_of(weir_member_named(asked, "memory"), UNIT) / UNIT;
}

static void add_containers(const weir_value *list, weir__requests *sum) {
    for (size_t i = 0; weir_is(list, WEIR_ARRAY) && i < weir_value_count(list); i++)
        add_container(weir_array_at(list, i), sum);
}

weir__requests weir__requests_of(const weir_value *template) {
    weir__requests sum = {0};
    add_container(weir_member_named(template, "container"), &sum);
    add_container(weir_member_named(template, "script"), &sum);
    add_containers(weir_member_named(weir_member_named(template, "containerSet"), "containers"),
                   &sum);
    add_containers(weir_member_named(template, "sidecars"), &sum);
    return sum;
}

/* --- what is kept waiting for ------------------------------------------------------------------- */

/* What a container wants of it: what it requests, else its limit, as Kubernetes has it. */
static const weir_value *wanted(const weir_value *resources, const char *name) {
    const weir_value *asked = weir_member_named(weir_member_named(resources, "requests"), name);
    return asked ? asked : weir_member_named(weir_member_named(resources, "limits"), name);
}

static double add_wanted(const weir_value *resources, const char *name, weir_resources *sum) {
    const weir_value *value = wanted(resources, name);
    double amount = 0;
    if (weir_is(value, WEIR_STRING) &&
        weir_str_find(weir_string_get(value), WEIR_STR("{{"), 0) != SIZE_MAX)
        sum->by_tags = true;
    else if (value && !weir__quantity_read(value, &amount)) /* said when it is to begin */
        amount = 0;
    return amount;
}

static void add_resources(const weir_value *container, weir_resources *sum) {
    const weir_value *resources = weir_member_named(container, "resources");
    double memory = add_wanted(resources, "memory", sum) + (double)sum->memory_bytes,
           cpu = add_wanted(resources, "cpu", sum) * 1000 + sum->cpu_milli;
    sum->memory_bytes = memory < 9e18 ? (uint64_t)memory : (uint64_t)9e18;
    sum->cpu_milli = cpu < 4e9 ? (uint32_t)cpu : 4000000000u;
}

weir_resources weir__resources_of(const weir_value *config) {
    weir_resources sum = {0};
    add_resources(config, &sum);
    const weir_value *others = weir_member_named(config, "containers");
    for (size_t i = 0; weir_is(others, WEIR_ARRAY) && i < weir_value_count(others); i++)
        add_resources(weir_array_at(others, i), &sum);
    return sum;
}
