/* Conditions: what a `when` has after its tags were replaced, in the grammar of govaluate, as Argo reads it. Pure; any thread.
 *
 *   lowest   a, b (a list, in parentheses)   ? : ??   ||   &&   == != < > <= >= =~ !~ in   & | ^   << >>   + -   * / %   **   ! - ~   highest
 *
 * All from the left. Numbers are floats; texts stand in 'quotes' or "quotes", and a bare word (letters, digits and `_`, a letter first) is
 * a text, too. Symbols that stand together are one symbol: `a==-1` is wrong, `a == -1` is not. A text in quotes that is a date is compared as a
 * moment. == and != of different types are false and true; an order of different types, or arithmetic of texts but `+`, is an error. */
#ifndef WEIR_EXPR_CONDITION_H
#define WEIR_EXPR_CONDITION_H

#include "base/error.h"

enum { WEIR_CONDITION_DEPTH_MAX = 64, WEIR_CONDITION_BYTES_MAX = 1024 * 1024 };

/* Evaluates; the error says the column within the text. SYNTAX: it cannot be read; INVALID: its values do not fit, or it is neither true
 * nor false; LIMIT: it is too large or too deep, to WEIR_CONDITION_…_MAX. */
WEIR_CHECKED bool weir_condition_evaluate(weir_str text, bool *result, weir_error *error);
/* Evaluates what a `depends` has once each task is replaced by true or false: these, `!`, `&&`, `||` and parentheses. */
WEIR_CHECKED bool weir_logic_evaluate(weir_str text, bool *result, weir_error *error);
/* Appends what Argo says of a `when` with this error. */
void weir_condition_explain(weir_str text, const weir_error *error, weir_buffer *out);

#endif
