/* Contexts that come while a run goes on, as lines of JSON from a file, a pipe or standard input. Each line is one of
 *   {"context": NAME, "inputs": INPUTS}                a context, which ends when nothing is left to do
 *   {"context": NAME, "inputs": INPUTS, "hold": true}  one that more may be sent to
 *   {"send": NAME, "inputs": INPUTS}                   more for it
 *   {"close": NAME}                                    nothing more is sent to it
 * where INPUTS is {DEFINITION: value} or [{value, definition, origin?}]; without a name a context is named by its line's number.
 * One thread. */
#ifndef WEIR_CLI_FEED_H
#define WEIR_CLI_FEED_H

#include <weir/weir.h>

#include "base/text.h"

typedef struct weir_feed {
    const char *file; /* as messages name it; NULL: there is no feed */
    int fd;           /* -1: at its end */
    weir_buffer text; /* read, from `at` on not taken yet */
    size_t at;
    uint64_t line; /* that was taken last */
} weir_feed;

/* "-" is standard input. */
WEIR_CHECKED bool weir_feed_open(weir_feed *feed, const char *file, weir_error *error);
void weir_feed_close(weir_feed *feed);
/* Reads what is there and gives the run as many lines as it takes now; at the end of the file the run hears that no more come. An
 * error is that of a line, with its place; nothing more is read then, and the run hears so too. */
WEIR_CHECKED bool weir_feed_run(weir_feed *feed, weir_run *run, weir_error *error);
/* Whether there may be more. */
bool weir_feed_goes_on(const weir_feed *feed);

#endif
