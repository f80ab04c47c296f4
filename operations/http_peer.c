#include "http_peer.h"

struct weir__peer {
    weir__peer *next, *ready_next;
    weir__transfer *first, *last;
    char *name;
    unsigned active;
    bool ready, probing;
    unsigned failures; /* in a row */
    uint64_t open_until_us;
};

static size_t bucket_of(weir_str name) {
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    for (size_t i = 0; i < name.length; i++)
        hash = (hash ^ (unsigned char)name.data[i]) * 1099511628211u;
    return hash % (sizeof((weir__peers *)0)->buckets / sizeof(weir__peer *));
}

static void name_of(const weir__transfer *t, weir__bytes *out) {
    weir__reference parts;
    const char *problem;
    char port[16];
    weir__bytes_text(out, "");
    if (!weir__reference_split(weir__bytes_str(&t->url), &parts, &problem)) return;
    snprintf(port, sizeof port, ":%u", weir__reference_port(&parts));
    weir__bytes_add(out, parts.scheme);
    weir__bytes_text(out, "://");
    weir__bytes_add(out, parts.host);
    weir__bytes_text(out, port);
}

static bool is_idle(const weir__peer *peer) {
    return !peer->first && !peer->active && !peer->ready;
}

static void sweep(weir__peers *peers) {
    for (size_t i = 0; i < sizeof peers->buckets / sizeof *peers->buckets; i++)
        for (weir__peer **at = &peers->buckets[i]; *at;) {
            weir__peer *peer = *at;
            if (!is_idle(peer)) {
                at = &peer->next;
                continue;
            }
            *at = peer->next;
            free(peer->name);
            free(peer);
            peers->count--;
        }
}

static weir__peer *find(weir__peers *peers, const weir__transfer *t) {
    weir__bytes name = {0};
    name_of(t, &name);
    weir__peer **at = &peers->buckets[bucket_of(weir__bytes_str(&name))];
    while (*at && !weir__str_is(weir__bytes_str(&name), (*at)->name)) at = &(*at)->next;
    if (*at) {
        weir__bytes_deinit(&name);
        return *at;
    }
    if (peers->count >= peers->sweep_at) {
        sweep(peers);
        /* Not again before there are twice as many: a sweep looks at all of them. */
        peers->sweep_at = peers->count * 2 > WEIR__PEERS_MAX ? peers->count * 2 : WEIR__PEERS_MAX;
        at = &peers->buckets[bucket_of(weir__bytes_str(&name))];
    }
    weir__peer *peer = weir__zeroed(sizeof *peer);
    peer->name = name.data;
    peer->next = *at;
    *at = peer;
    peers->count++;
    return peer;
}

static void make_ready(weir__peers *peers, weir__peer *peer) {
    if (peer->ready || !peer->first || peer->active >= peer->first->request.options.per_host)
        return;
    peer->ready = true;
    peer->ready_next = NULL;
    if (peers->ready_last)
        peers->ready_last->ready_next = peer;
    else
        peers->ready_first = peer;
    peers->ready_last = peer;
}

void weir__peer_join(weir__peers *peers, weir__transfer *t, bool first) {
    weir__peer *peer = find(peers, t);
    t->peer = peer;
    t->state = WEIR__QUEUED;
    t->next = first ? peer->first : NULL;
    t->previous = first ? NULL : peer->last;
    if (t->next)
        t->next->previous = t;
    else
        peer->last = t;
    if (t->previous)
        t->previous->next = t;
    else
        peer->first = t;
    make_ready(peers, peer);
}

static void unlink_transfer(weir__transfer *t) {
    weir__peer *peer = t->peer;
    if (t->next)
        t->next->previous = t->previous;
    else
        peer->last = t->previous;
    if (t->previous)
        t->previous->next = t->next;
    else
        peer->first = t->next;
    t->next = t->previous = NULL;
}

void weir__peer_leave(weir__peers *peers, weir__transfer *t) {
    weir__peer *peer = t->peer;
    unlink_transfer(t);
    t->peer = NULL;
    make_ready(peers, peer);
}

weir__transfer *weir__peer_next(weir__peers *peers) {
    while (peers->ready_first) {
        weir__peer *peer = peers->ready_first;
        peers->ready_first = peer->ready_next;
        if (!peers->ready_first) peers->ready_last = NULL;
        peer->ready = false;
        weir__transfer *t = peer->first;
        if (!t || peer->active >= t->request.options.per_host) continue;
        unlink_transfer(t);
        peer->active++;
        make_ready(peers, peer);
        return t;
    }
    return NULL;
}

void weir__peer_done(weir__peers *peers, weir__transfer *t, bool counts, bool failed) {
    weir__peer *peer = t->peer;
    const weir__http_options *options = &t->request.options;
    t->peer = NULL;
    peer->active--;
    if (t->probe) peer->probing = t->probe = false;
    if (counts) {
        peer->failures = failed ? peer->failures + (peer->failures < UINT32_MAX) : 0;
        if (options->breaker_failures && peer->failures >= options->breaker_failures)
            peer->open_until_us = weir__http_now_us() + options->breaker_reset_us;
    }
    make_ready(peers, peer);
}

bool weir__peer_allows(weir__transfer *t, weir__http_failure *failure) {
    weir__peer *peer = t->peer;
    unsigned limit = t->request.options.breaker_failures;
    if (!limit || peer->failures < limit) return true;
    uint64_t now_us = weir__http_now_us();
    if (now_us >= peer->open_until_us && !peer->probing) {
        t->probe = peer->probing = true;
        return true;
    }
    double left_s = now_us < peer->open_until_us ? (double)(peer->open_until_us - now_us) / 1e6 : 0;
    return weir__http_failed(failure, "circuit_open",
                             "%s failed %u times in a row; it is asked again in %.1f s", peer->name,
                             peer->failures, left_s);
}
