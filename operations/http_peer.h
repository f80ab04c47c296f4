/* The servers that transfers go to, each named by scheme, host and port: who waits for it, how many are under way, and
 * whether it is well. A transfer begins when its peer has fewer under way than the transfer's limit says; peers take turns, so
 * that one with many does not keep the others waiting. All of it belongs to the module's thread. */
#ifndef WEIR_OPERATIONS_HTTP_PEER_H
#define WEIR_OPERATIONS_HTTP_PEER_H

#include "http_transfer.h"

enum { WEIR__PEERS_MAX = 65536 };

typedef struct weir__peers {
    weir__peer *buckets[1024];
    weir__peer *ready_first, *ready_last; /* with something that may begin */
    size_t count, sweep_at; /* that many peers are too many to remember those with nothing to do */
} weir__peers;

/* Lets the transfer wait for its peer, before the others with `first`. */
void weir__peer_join(weir__peers *peers, weir__transfer *t, bool first);
/* Takes a transfer that waits out again. */
void weir__peer_leave(weir__peers *peers, weir__transfer *t);

/* The next that may begin, which then counts as under way; NULL when there is none. */
weir__transfer *weir__peer_next(weir__peers *peers);
/* A transfer under way has ended; `counts` says that it tells how the peer is, `failed` what. */
void weir__peer_done(weir__peers *peers, weir__transfer *t, bool counts, bool failed);

/* Whether the transfer may be sent by its circuit breaker; one that may may be the probe. */
WEIR_CHECKED bool weir__peer_allows(weir__transfer *t, weir__http_failure *failure);

#endif
