/* The module weir-postgresql.so: libpq and nothing else, as a table of its functions. What is done with them is in
 * postgresql*.c beside this file, in the program, where errors, buffers and threads are. */
#include "store/postgresql_api.h"

__attribute__((visibility("default"))) const weir__libpq *weir_postgresql_functions(void);

const weir__libpq *weir_postgresql_functions(void) {
    static const weir__libpq functions = {.size = sizeof functions,
#define X(name) .name = PQ##name,
                                          WEIR__LIBPQ(X)
#undef X
    };
    return &functions;
}
