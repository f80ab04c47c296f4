/* A journal's beginning is shortened by leaving out all events of contexts that are over. What the others have to be told then are
 * numbers: those that the next context, task and so on would have, had all been there; and what those that are gone add up to. */
#include "dataflow/coordinator_internal.h"

weir_dataflow_numbers weir_dataflow_numbers_of(const weir_coordinator *base) {
    const weir__dataflow *c = (const weir__dataflow *)base;
    return (weir_dataflow_numbers){.contexts = c->contexts.count,
                                   .tasks = weir_tasks_count(c->tasks),
                                   .planned = c->planned,
                                   .given = c->given,
                                   .chunks = c->chunks_taken};
}

weir_dataflow_totals weir_dataflow_totals_of(const weir_coordinator *base) {
    const weir__dataflow *c = (const weir__dataflow *)base;
    return (weir_dataflow_totals){
        .opened = c->opened, .over = c->over, .done = c->gone_done, .failed = c->gone_failed};
}

size_t weir_dataflow_waiting(const weir_coordinator *base) {
    const weir__dataflow *c = (const weir__dataflow *)base;
    return c->waiting.count - c->waiting_at;
}

bool weir_dataflow_goes_on(const weir_coordinator *base) {
    const weir__dataflow *c = (const weir__dataflow *)base;
    return !c->failed && !c->cancelled && !c->finished;
}

void weir_dataflow_only_follow(weir_coordinator *base) {
    weir__dataflow *c = (weir__dataflow *)base;
    c->follows = true;
    c->results_go = true;
    c->shown = WEIR__CONTEXTS_SHOWN_MAX;
    weir_tasks_only_follow(c->tasks);
}

static const char *const number_names[] = {"planned", "given", "chunks"};
static const char *const total_names[] = {"opened", "over", "done", "failed"};
enum { NUMBERS = 3, TOTALS = 4 };

weir_value *weir_dataflow_shortened(const weir_dataflow_numbers *numbers,
                                    const weir_dataflow_totals *totals) {
    const uint64_t values[NUMBERS] = {numbers->planned, numbers->given, numbers->chunks};
    weir_value *data = weir_object_new();
    for (size_t i = 0; i < NUMBERS; i++)
        weir_member_put(data, number_names[i], weir_int_new((int64_t)values[i]));
    if (!totals) return data;
    const uint64_t sums[TOTALS] = {totals->opened, totals->over, totals->done, totals->failed};
    for (size_t i = 0; i < TOTALS; i++)
        weir_member_put(data, total_names[i], weir_int_new((int64_t)sums[i]));
    return data;
}

bool weir__dataflow_fits_shortened(const weir__dataflow *c, const weir_event *event) {
    const uint64_t at_least[NUMBERS] = {c->planned, c->given, c->chunks_taken};
    for (size_t i = 0; i < NUMBERS; i++) {
        const weir_value *number = weir_member_named(event->data, number_names[i]);
        if (!weir_is(number, WEIR_INT) || weir_int_get(number) < (int64_t)at_least[i]) return false;
    }
    return c->created && weir_member_count(event->data, "planned") <= c->plan->contexts.count &&
           event->number >= c->contexts.count && event->number < weir__limits.contexts;
}

void weir__dataflow_take_shortened(weir__dataflow *c, const weir_event *event) {
    c->planned = weir_member_count(event->data, "planned");
    c->given = weir_member_count(event->data, "given");
    c->chunks_taken = weir_member_count(event->data, "chunks");
    c->opened += weir_member_count(event->data, "opened");
    c->over += weir_member_count(event->data, "over");
    c->gone_done += weir_member_count(event->data, "done");
    c->gone_failed += weir_member_count(event->data, "failed");
    weir_pages_skip(&c->contexts, event->number, &(weir__context *){NULL});
    weir_pages_skip(&c->flow_tasks, event->subject, &(weir__flow_task){0});
}
