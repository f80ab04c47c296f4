/* The coming times of cron schedules, for `weir.h`. */
#include <weir/weir.h>

#include "base/time.h"
#include "data/value.h"
#include "engine/zone.h"
#include "schedule/cron.h"

typedef struct cron_clock {
    weir_cron cron;
    const x_zone *zone;
    int64_t next;
    bool has_next;
} cron_clock;

static bool read_schedule(weir__zones *zones, weir_str text, const char *zone, cron_clock *out,
                          weir_error *error) {
    return weir_cron_parse(text, &out->cron, error) &&
           weir__zones_find(zones, out->cron.has_zone ? out->cron.zone : weir_str_from(zone),
                            &out->zone, error);
}

static weir_value *format(int64_t seconds, const x_zone *zone) {
    weir_buffer text = {0};
    x_time t = weir__gotime_in(seconds, 0, zone);
    weir__gotime_format(&t, WEIR_STR("2006-01-02T15:04:05Z07:00"), &text);
    weir_value *value = weir_string_from(weir_buffer_str(&text));
    weir_buffer_deinit(&text);
    return value;
}

/* The first of all; several may have the same time. NULL: there is none. */
static const cron_clock *take_first(cron_clock *clocks, size_t count, int64_t *when) {
    const cron_clock *first = NULL;
    for (size_t i = 0; i < count; i++)
        if (clocks[i].has_next && (!first || clocks[i].next < first->next)) first = &clocks[i];
    if (!first) return NULL;
    *when = first->next;
    for (size_t i = 0; i < count; i++)
        if (clocks[i].has_next && clocks[i].next == *when)
            clocks[i].has_next =
                weir_cron_next(&clocks[i].cron, clocks[i].zone, *when, &clocks[i].next);
    return first;
}

bool weir_cron_times(const char *const *schedules, size_t count, const char *zone, uint64_t from_us,
                     size_t limit, weir_value **out, weir_error *error) {
    weir__zones zones;
    cron_clock *clocks = weir_alloc((count + !count) * sizeof *clocks);
    weir_buffer machine = {0};
    weir__zones_init(&zones);
    if (!zone) weir__zone_of_machine(&machine);
    weir_value *times = weir_array_new();
    bool ok = true;
    int64_t when = (int64_t)(from_us / 1000000);
    for (size_t i = 0; ok && i < count; i++) {
        ok = read_schedule(&zones, weir_str_from(schedules[i]), zone ? zone : machine.data,
                           &clocks[i], error);
        if (ok)
            clocks[i].has_next =
                weir_cron_next(&clocks[i].cron, clocks[i].zone, when, &clocks[i].next);
    }
    for (const cron_clock *c;
         ok && weir_value_count(times) < limit && (c = take_first(clocks, count, &when));) {
        weir_value *entry = weir_object_new();
        weir_member_put(entry, "time", format(when, &weir__gotime_utc));
        weir_member_put(entry, "local", format(when, c->zone));
        weir_array_append(times, entry);
    }
    if (ok)
        *out = times;
    else
        weir_value_unref(times);
    weir__zones_deinit(&zones);
    weir_buffer_deinit(&machine);
    weir_free(clocks);
    return ok;
}
