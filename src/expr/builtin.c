#include "expr/builtin.h"

/* `p` a predicate, `e` an expression; capitals: may be left out. */
static const x_function predicates[] = {
    {"all", "ep", NULL},       {"none", "ep", NULL},     {"any", "ep", NULL},
    {"one", "ep", NULL},       {"filter", "ep", NULL},   {"map", "ep", NULL},
    {"count", "eP", NULL},     {"sum", "eP", NULL},      {"find", "ep", NULL},
    {"findIndex", "ep", NULL}, {"findLast", "ep", NULL}, {"findLastIndex", "ep", NULL},
    {"groupBy", "ep", NULL},   {"sortBy", "epE", NULL},  {"reduce", "epE", NULL},
};

static const x_function *const tables[] = {weir__x_text_functions, weir__x_number_functions,
                                           weir__x_list_functions, weir__x_time_functions};

static const x_function *find(const x_function *table, weir_str name) {
    for (; table->name; table++)
        if (weir_str_is(name, table->name)) return table;
    return NULL;
}

const x_function *weir__x_builtin(weir_str name) {
    const x_function *found = NULL;
    for (size_t i = 0; i < sizeof tables / sizeof *tables && !found; i++)
        found = find(tables[i], name);
    return found;
}

const x_function *weir__x_predicate(weir_str name) {
    for (size_t i = 0; i < sizeof predicates / sizeof *predicates; i++)
        if (weir_str_is(name, predicates[i].name)) return &predicates[i];
    return NULL;
}

const x_function *weir__x_addition(weir_str name) {
    return find(weir__x_additions, name);
}

void weir__x_nearest_function(weir_nearest *nearest, bool sprig) {
    if (sprig) {
        weir__x_nearest_sprig(nearest);
        return;
    }
    for (size_t i = 0; i < sizeof predicates / sizeof *predicates; i++)
        weir_nearest_try(nearest, weir_str_from(predicates[i].name));
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        for (const x_function *f = tables[i]; f->name; f++)
            weir_nearest_try(nearest, weir_str_from(f->name));
    for (const x_function *f = weir__x_additions; f->name; f++)
        weir_nearest_try(nearest, weir_str_from(f->name));
}
