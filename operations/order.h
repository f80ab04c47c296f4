/* How the standard operations compare values: numbers by what they are (1 equals 1.0), texts by their characters' code
 * points, arrays and objects member by member. */
#ifndef WEIR_OPERATIONS_ORDER_H
#define WEIR_OPERATIONS_ORDER_H

#include <weir/operation.h>

bool weir__equal(const weir_host *host, const weir_value *a, const weir_value *b);
/* Equal values have the same; the seed differs from process to process, so nobody can choose values that collide. */
uint64_t weir__hash(const weir_host *host, const weir_value *value);
/* A new array of the items without those that equal an earlier one. */
weir_value *weir__unique(const weir_host *host, weir_call *call, const weir_value *array);
/* Whether the values are two numbers or two texts, and their order. */
bool weir__compare(const weir_host *host, const weir_value *a, const weir_value *b, int *order);
int weir__text_compare(weir_str a, weir_str b);

#endif
