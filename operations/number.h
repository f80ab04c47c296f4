/* Numbers of the standard operations: ints of 64 bits and doubles. What does not fit is a failure, never another number:
 * ints do not wrap and do not become floats, floats do not become infinite. */
#ifndef WEIR_OPERATIONS_NUMBER_H
#define WEIR_OPERATIONS_NUMBER_H

#include <weir/operation.h>

/* The number that a decimal numeral says: digits, perhaps with a sign, a point, an exponent; an int without the latter
 * two. NULL, and *problem, when it is none or does not fit; the message for people. */
weir_value *weir__number_parse(const weir_host *host, weir_call *call, weir_str numeral,
                               const char **problem);
/* Whether it is a numeral of JSON, which has no '+' before it, no needless 0, and digits around the point. */
bool weir__is_json_number(weir_str numeral);
/* Gives a float, or fails when it is none that JSON can say. */
bool weir__give_float(const weir_host *host, weir_call *call, const char *output, double number);
/* Compares an int or a float with another, exactly: below, at or above 0. */
int weir__number_compare(const weir_host *host, const weir_value *a, const weir_value *b);
/* a*b for ints and floats; NULL, and *problem, when it does not fit. */
weir_value *weir__number_multiply(const weir_host *host, const weir_value *a, const weir_value *b,
                                  const char **problem);

#endif
