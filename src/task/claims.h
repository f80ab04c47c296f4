/* Claims: who has the locks that runs of several processes share, and who waits for them. The book of them is one value that all processes
 * read, change and write back (see store/register.h); what is here is pure.
 *
 * A claim is of a node of a run and wants all of its locks at once. A lock may be had by as many as its limit says. Who waits stands in
 * line by priority, then by the age of its run, then as it came, and gets its locks when nobody before it waits for one of them: so nobody
 * is passed by, and as all stand in the same order everywhere, the first of all waits for none that waits. A claim that is *nested*, of a
 * node within one that has locks, waits for those that have its locks alone, for who waits may wait for what is around it. Of a
 * run that nobody drives nothing counts; its claims go when they bar somebody. */
#ifndef WEIR_TASK_CLAIMS_H
#define WEIR_TASK_CLAIMS_H

#include "task/task.h"

enum { WEIR_CLAIMS_MAX = 100 * 1000 };

/* Instead of a node: the run itself; and all that a run had when its engine died, which it wants back before it goes on. */
#define WEIR_CLAIM_RUN UINT32_MAX
#define WEIR_CLAIM_BACK (UINT32_MAX - 1)

typedef struct weir_claim {
    weir_str run;
    uint32_t node;
    int64_t priority;
    uint64_t created_us; /* of the run */
    weir_value *locks;   /* [{name, limit}], each once; borrowed */
    bool nested;         /* something that it is a part of has locks */
} weir_claim;

/* Whether somebody drives the run, or may: only of one that is known to be nobody's the claims go. */
typedef bool weir_claim_alive(void *arg, weir_str run);

typedef struct weir_claims weir_claims;

/* Reads a book; what is none is as good as an empty one, as locks are worth nothing without the processes that have them. */
weir_claims *weir_claims_read(weir_str bytes);
void weir_claims_free(weir_claims *book);
/* Appends the book as it is now. */
void weir_claims_write(const weir_claims *book, weir_buffer *out);
/* Whether it is another than was read. */
bool weir_claims_changed(const weir_claims *book);

/* *granted: it has its locks now, or had them; else it waits for them. LIMIT: too many wait. */
WEIR_CHECKED bool weir_claims_ask(weir_claims *book, const weir_claim *claim,
                                  weir_claim_alive *alive, void *arg, bool *granted,
                                  weir_error *error);
/* All of a run's claims at once: what it had, before it goes on elsewhere. They are of one run, and any other claims of it go. Until all
 * can be had it has none of them, so nobody waits for it who has something, and stands before all that wait but those that are nested. */
WEIR_CHECKED bool weir_claims_take_back(weir_claims *book, const weir_claim *claims, size_t count,
                                        weir_claim_alive *alive, void *arg, bool *granted,
                                        weir_error *error);
/* The claim goes, whether it waits or not; of a run. */
void weir_claims_drop(weir_claims *book, weir_str run, uint32_t node);
void weir_claims_drop_run(weir_claims *book, weir_str run);

#endif
