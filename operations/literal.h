/* literal_eval, whose description is among DFFML's operations (dffml.c). */
#ifndef WEIR_OPERATIONS_LITERAL_H
#define WEIR_OPERATIONS_LITERAL_H

#include <weir/operation.h>

bool weir__literal_eval(const weir_host *host, weir_call *call);

#endif
