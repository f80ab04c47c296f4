/* Conditions: the comparisons of a `when`, after its tags were replaced. Pure; any thread.
 *
 *   or     := and ('||' and)*            and   := not ('&&' not)*
 *   not    := '!' not | compare          compare := operand (op operand)?
 *   op     := == != < <= > >=            operand := '(' or ')' | number | 'text' | "text" | true | false | word
 *
 * A bare word is a text (letters, digits and any of `_-./:@`), as Argo has it. Two numbers compare as numbers, two texts as texts; == and
 * != of different types are false and true, an order of different types is an error. */
#ifndef WEIR_EXPR_CONDITION_H
#define WEIR_EXPR_CONDITION_H

#include "base/error.h"

/* Evaluates; the error says the column within the text. Depth is limited to WEIR_CONDITION_DEPTH_MAX. */
WEIR_CHECKED bool weir_condition_evaluate(weir_str text, bool *result, weir_error *error);

enum { WEIR_CONDITION_DEPTH_MAX = 64 };

#endif
