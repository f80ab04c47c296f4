#include "cli/progress.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/vector.h"
#include "cli/output.h"

enum {
    SAMPLE_US = 500 * 1000, /* between two samples */
    CONTEXTS_APART = 3,     /* more are shown together */
    LINES_MAX = 5           /* of failures at once */
};

void weir_progress_deinit(weir_progress *progress) {
    weir_map_deinit(&progress->announced);
    weir_arena_deinit(&progress->arena);
}

/* --- counts --------------------------------------------------------------------------------- */

static bool has_phase(const weir_value *node, const char *phase) {
    return weir_str_is(weir_member_text(node, "phase"), phase);
}

static bool is_failed(const weir_value *node) {
    return has_phase(node, "Failed") || has_phase(node, "Error");
}

static bool is_context(const weir_value *node) {
    return weir_str_is(weir_member_text(node, "type"), "Context");
}

static size_t node_count(const weir_value *status) {
    const weir_value *nodes = weir_member_named(status, "nodes");
    return weir_is(nodes, WEIR_ARRAY) ? weir_value_count(nodes) : 0;
}

static const weir_value *node_at(const weir_value *status, size_t at) {
    return weir_array_at(weir_member_named(status, "nodes"), at);
}

/* Nodes come in preorder: who has children is followed by the first of them. */
static bool is_leaf(const weir_value *status, size_t at, size_t count) {
    return at + 1 == count || !weir_str_equal(weir_member_text(node_at(status, at + 1), "parent"),
                                              weir_member_text(node_at(status, at), "id"));
}

weir_counts weir_progress_count(const weir_value *status) {
    weir_counts counts = {0};
    size_t count = node_count(status);
    const weir_value *all = weir_member_named(status, "counts");
    if (all) /* not all nodes are listed */
        return (weir_counts){.total = weir_member_count(all, "total"),
                             .done = weir_member_count(all, "done"),
                             .failed = weir_member_count(all, "failed")};
    for (size_t i = 0; i < count; i++) {
        const weir_value *node = node_at(status, i);
        bool over = !has_phase(node, "Running") && !has_phase(node, "Pending");
        if (is_context(node)) {
            counts.contexts++;
            counts.contexts_done += over;
        } else if (weir_member_named(node, "tasks")) {
            counts.total += weir_member_count(node, "tasks");
            counts.done += weir_member_count(node, "done");
            counts.failed += weir_member_count(node, "failed");
        } else if (is_leaf(status, i, count)) {
            counts.total++;
            counts.done += over;
            counts.failed += is_failed(node);
        }
    }
    const weir_value *contexts = weir_member_named(status, "contexts");
    if (!contexts) return counts;
    const weir_value *unlisted = weir_member_named(status, "unlisted");
    counts.total += weir_member_count(unlisted, "done");
    counts.done += weir_member_count(unlisted, "done");
    counts.failed += weir_member_count(unlisted, "failed");
    counts.contexts = weir_member_count(contexts, "total");
    counts.contexts_done = weir_member_count(contexts, "finished");
    return counts;
}

double weir_progress_rate(weir_progress *p, uint64_t done, uint64_t now_us) {
    size_t last = p->sample_count;
    /* Time goes on, and so does what is done: else it is another run. */
    if (last && (now_us < p->samples[last - 1].at_us || done < p->samples[last - 1].done))
        p->sample_count = last = 0;
    if (!last || now_us - p->samples[last - 1].at_us >= SAMPLE_US) {
        if (last == WEIR_PROGRESS_SAMPLES)
            memmove(p->samples, p->samples + 1, --last * sizeof *p->samples);
        p->samples[last].at_us = now_us;
        p->samples[last].done = done;
        p->sample_count = last + 1;
    }
    uint64_t passed_us = now_us - p->samples[0].at_us;
    if (passed_us < SAMPLE_US) return 0;
    return (double)(done - p->samples[0].done) * 1e6 / (double)passed_us;
}

/* --- many contexts -------------------------------------------------------------------------- */

typedef struct sum {
    weir_str name;
    uint64_t tasks, done, failed, cached;
    bool running, pending, bad, ran;
    weir_value *message; /* borrowed */
} sum;

static const char *sum_phase(const sum *s) {
    if (s->bad) return "Failed";
    if (s->running || s->done < s->tasks) return "Running";
    return s->pending ? "Pending" : s->ran ? "Succeeded" : "Omitted";
}

static weir_value *sum_node(const sum *s, size_t number) {
    weir_value *node = weir_object_new();
    char id[32]; /* no parent's, so that none is drawn below another */
    snprintf(id, sizeof id, "all.%zu", number);
    weir_output_member(node, "id", id);
    weir_member_put_text(node, "name", s->name);
    weir_output_member(node, "type", "Operation");
    weir_output_member(node, "phase", sum_phase(s));
    weir_member_put(node, "tasks", weir_int_new((int64_t)s->tasks));
    weir_member_put(node, "done", weir_int_new((int64_t)s->done));
    weir_member_put(node, "failed", weir_int_new((int64_t)s->failed));
    if (s->cached) weir_member_put(node, "cached", weir_int_new((int64_t)s->cached));
    if (s->message) weir_member_put(node, "message", weir_value_ref(s->message));
    return node;
}

typedef WEIR_VECTOR(sum) sums;

static void add_to_sum(sums *all, weir_map *by_name, const weir_value *node) {
    weir_str name = weir_member_text(node, "name");
    uint64_t at;
    if (!weir_map_get(by_name, name, &at)) {
        at = all->count;
        *weir_vector_push(all) = (sum){.name = name};
        weir_map_set(by_name, name, at);
    }
    sum *s = &all->items[at];
    s->tasks += weir_member_count(node, "tasks");
    s->done += weir_member_count(node, "done");
    s->failed += weir_member_count(node, "failed");
    s->cached += weir_member_count(node, "cached");
    s->running |= has_phase(node, "Running");
    s->pending |= has_phase(node, "Pending");
    s->bad |= is_failed(node);
    s->ran |= weir_member_count(node, "tasks") > 0;
    weir_value *message = weir_member_named(node, "message");
    if (message) s->message = message;
}

weir_value *weir_progress_summary(const weir_value *status) {
    sums all = {0};
    weir_map by_name = {0};
    uint64_t contexts = 0;
    for (size_t i = 0; i < node_count(status); i++) {
        const weir_value *node = node_at(status, i);
        contexts += is_context(node);
        if (weir_str_is(weir_member_text(node, "type"), "Operation"))
            add_to_sum(&all, &by_name, node);
    }
    weir_value *summary = weir_value_ref((weir_value *)status);
    if (contexts > CONTEXTS_APART && all.count) {
        weir_value *nodes = weir_array_new();
        for (size_t i = 0; i < all.count; i++) weir_array_append(nodes, sum_node(&all.items[i], i));
        summary = weir_value_own(summary);
        weir_member_put(summary, "nodes", nodes);
    }
    weir_map_deinit(&by_name);
    weir_vector_deinit(&all);
    return summary;
}

/* --- failures ------------------------------------------------------------------------------- */

static void put_failure(const weir_value *node, weir_str context, bool color, weir_buffer *out) {
    weir_str shown = weir_member_text(node, "displayName"),
             message = weir_member_text(node, "message");
    weir_buffer_text(out, color ? "\033[31m✖\033[0m " : "✖ ");
    weir_output_plain(out, shown.length ? shown : weir_member_text(node, "name"));
    if (context.length) weir_buffer_text(out, "  in ");
    weir_output_plain(out, context);
    uint64_t failed = weir_member_count(node, "failed");
    if (failed > 1) weir_buffer_printf(out, "  %" PRIu64 " failed", failed);
    if (message.length) weir_buffer_text(out, "  ");
    weir_output_plain(out, message);
    weir_buffer_text(out, "\033[K\n");
}

void weir_progress_announce(weir_progress *p, const weir_value *status, bool color,
                            weir_buffer *out) {
    weir_str context = {0};
    size_t count = node_count(status), lines = 0;
    for (size_t i = 0; i < count; i++) {
        const weir_value *node = node_at(status, i);
        weir_str id = weir_member_text(node, "id");
        if (is_context(node)) context = weir_member_text(node, "name");
        if (!is_failed(node) || is_context(node) || !is_leaf(status, i, count)) continue;
        uint64_t failed = weir_member_count(node, "failed"), before = 0;
        if (!failed) failed = 1;
        bool known = weir_map_get(&p->announced, id, &before);
        if (known && before >= failed) continue;
        if (!known) id = (weir_str){weir_str_copy(&p->arena, id), id.length};
        weir_map_set(&p->announced, id, failed);
        if (lines++ < LINES_MAX) put_failure(node, context, color, out);
    }
    if (lines > LINES_MAX)
        weir_buffer_printf(out, "  and %zu more failures\033[K\n", lines - LINES_MAX);
}
