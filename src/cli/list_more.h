/* What a list says of runs beyond their entries: looked up for a page of it. One thread. */
#ifndef WEIR_CLI_LIST_MORE_H
#define WEIR_CLI_LIST_MORE_H

#include <weir/weir.h>

#include "data/value.h"

/* `page` has entries as weir_run_list gives them. *out is {run: {message?}} of those that did not succeed, {parameters: {name: text}, priority?} of workflows, and with `wide` {pods:
 * "pending/running/completed"} of them, too. Not within a callback. */
WEIR_CHECKED bool weir_list_more(weir_engine *engine, const weir_value *page, bool wide,
                                 weir_value **out, weir_error *error);

#endif
