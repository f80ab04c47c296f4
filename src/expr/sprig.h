/* What sprig's functions share. Each file of theirs has a table, ended by an entry without a name; their signatures begin with `@`. */
#ifndef WEIR_EXPR_SPRIG_H
#define WEIR_EXPR_SPRIG_H

#include "expr/builtin.h"
#include "expr/regexp.h"

extern const x_function weir__sprig_texts[], weir__sprig_words[], weir__sprig_numbers[],
    weir__sprig_lists[], weir__sprig_dicts[], weir__sprig_kinds[], weir__sprig_encodings[],
    weir__sprig_patterns[], weir__sprig_dates[], weir__sprig_versions[], weir__sprig_urls[],
    weir__sprig_chance[];

/* As text, a number of Go's package cast: what is none is 0. */
weir_str weir__sprig_text(x_machine *m, const x *v);
int64_t weir__sprig_int(const x *v);
double weir__sprig_float(const x *v);
/* Go's zero value, or without items. */
bool weir__sprig_empty(const x *v);
/* Texts of a value that is a list, or of one that is not; nils are left out. */
x weir__sprig_strings(x_machine *m, const x *v);
/* A list, or the machine has the error. */
bool weir__sprig_want_list(x_machine *m, const char *name, const x *v);
bool weir__x_zone_named(x_machine *m, weir_str name, const x_zone **out);
x_time weir__x_now(x_machine *m, const x_zone *zone);
uint64_t weir__sprig_random(x_machine *m);

#define SPRIG(name) static bool name(x_machine *m, const x *a, int n, x *out)
#define UNUSED (void)m, (void)n

#endif
