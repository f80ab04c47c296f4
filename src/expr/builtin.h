/* The tables of functions, each ended by one without a name. */
#ifndef WEIR_EXPR_BUILTIN_H
#define WEIR_EXPR_BUILTIN_H

#include "expr/expr_internal.h"

extern const x_function weir__x_text_functions[], weir__x_number_functions[],
    weir__x_list_functions[], weir__x_time_functions[], weir__x_additions[];

void weir__x_nearest_sprig(weir_nearest *nearest);

#endif
