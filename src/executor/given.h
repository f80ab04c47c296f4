/* What an attempt is given beside the values of its parameters: files that these name. Looks at the file system; any thread. */
#ifndef WEIR_EXECUTOR_GIVEN_H
#define WEIR_EXECUTOR_GIVEN_H

#include "data/value.h"

enum { WEIR_GIVEN_NAMES_MAX = 1000 /* that are looked at, of one value */ };

/* How many bytes the files have that a value's texts name, each by itself a path, from the folder where it is relative (empty: weir's own). What is no
 * regular file counts nothing. */
uint64_t weir_given_files(const weir_value *value, weir_str folder);

#endif
