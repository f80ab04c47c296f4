/* One call of http.get or http.request on its way: waiting for its turn, under way, or asleep before it is tried again.
 * A transfer lies in the memory of its call and is owned by the thread that `run`s it, then by the module's thread, to which
 * it is handed once. That thread completes the call, after which nothing of it is touched.
 *
 * http_module.c hands calls over; http_thread.c is the thread and decides what becomes of a transfer; http_peer.c says
 * which may begin; http_send.c speaks to curl; http_response.c makes outputs. */
#ifndef WEIR_OPERATIONS_HTTP_TRANSFER_H
#define WEIR_OPERATIONS_HTTP_TRANSFER_H

#include <curl/curl.h>

#include "http_request.h"
#include "reference.h"

typedef struct weir__peer weir__peer;
typedef struct weir__transfer weir__transfer;

typedef enum weir__transfer_state {
    WEIR__QUEUED, /* with its peer */
    WEIR__RUNNING,
    WEIR__SLEEPING
} weir__transfer_state;

struct weir__transfer {
    const weir_host *host;
    weir_call *call;
    weir__http_request request;

    weir__transfer_state state;
    weir__transfer *next, *previous;         /* in the inbox, then in its peer's queue */
    weir__transfer *all_next, *all_previous; /* among all that the thread has */
    weir__peer *peer;
    bool probe; /* the one that finds out whether the peer is well again */

    CURL *easy; /* from the first attempt to the end, for it has the cookies */
    struct curl_slist *lines;
    char problem[CURL_ERROR_SIZE];

    /* Where it is now; a redirect changes these. */
    weir__bytes url;
    const char *method;
    bool with_body, same_origin;

    weir__bytes body;
    size_t header_bytes;
    bool cookies_came, too_large, until_deadline; /* the call's time ends before the attempt's */

    unsigned attempts, redirects;
    uint64_t begun_us, wake_us, deadline_us; /* steady clock; no deadline: UINT64_MAX */
};

/* --- http_send.c --- */

/* Makes the handle, or makes it ready for another attempt; NULL when there is no memory. */
CURL *weir__transfer_prepare(weir__transfer *t, CURLSH *share);
/* Ends the handle, or keeps it for another transfer. It is with no multi handle any more. */
void weir__transfer_drop_handle(weir__transfer *t);
/* True when there is a response that is no failure. */
WEIR_CHECKED bool weir__transfer_judge(weir__transfer *t, CURLcode result,
                                       weir__http_failure *failure);
/* Whether the response leads elsewhere; then the transfer has the new URL and method. False with `failure->code` when it
 * leads nowhere, without when it is no redirect that is to be followed. */
WEIR_CHECKED bool weir__transfer_redirect(weir__transfer *t, weir__http_failure *failure);
/* Microseconds until the next attempt, or UINT64_MAX when the server asks for more than is allowed. */
uint64_t weir__transfer_delay_us(weir__transfer *t);

/* The transfer's URL for people: without user and password, and not endless. */
const char *weir__transfer_place(const weir__transfer *t, char out[static 320]);

/* --- http_response.c --- */

/* Gives the outputs; false when the body is not what was expected. */
WEIR_CHECKED bool weir__transfer_give(weir__transfer *t, weir__http_failure *failure);
/* Says why the call fails: as its failure, or as an output. What the call is completed with. */
bool weir__http_fail(const weir_host *host, weir_call *call, const weir__http_failure *failure,
                     bool error_output, const char *url, unsigned attempts);

/* --- http_thread.c --- */

/* Hands the transfer over; the thread is begun by the first. False when there can be none. Any thread. */
WEIR_CHECKED bool weir__http_hand_over(weir__transfer *t);

uint64_t weir__http_now_us(void);

#endif
