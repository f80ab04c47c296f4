#include <stdint.h>

#include "expr/gotime.h"
#include "expr/sprig.h"
#include "expr/text.h"

static x make_time(x_machine *m, x_time t) {
    x_time *copy = weir__x_alloc(m, sizeof *copy);
    *copy = t;
    return (x){.kind = X_TIME, .time = copy};
}

/* A moment, seconds since 1970, or now. */
static x_time moment_of(x_machine *m, const x *v) {
    if (v->kind == X_TIME) return *v->time;
    if (v->kind == X_INT && v->sub != X_GO_UINT8)
        return weir__gotime_in(v->integer, 0, &weir__gotime_utc);
    return weir__x_now(m, &weir__gotime_utc);
}

/* A zone that nobody knows is UTC. */
static bool format(x_machine *m, weir_str layout, const x *v, weir_str name, x *out) {
    const x_zone *zone;
    weir_error *error = m->error;
    m->error = NULL;
    if (!weir__x_zone_named(m, name, &zone)) {
        m->failed = false;
        zone = &weir__gotime_utc;
    }
    m->error = error;
    x_time t = moment_of(m, v);
    t = weir__gotime_in(t.seconds, t.nanos, zone);
    weir__gotime_format(&t, layout, &m->scratch);
    *out = weir__x_take(m, &m->scratch);
    return true;
}

SPRIG(call_date) {
    (void)n;
    return format(m, x_text(a), &a[1], WEIR_STR("UTC"), out);
}

SPRIG(call_date_in_zone) {
    (void)n;
    return format(m, x_text(a), &a[1], x_text(&a[2]), out);
}

SPRIG(call_html_date) {
    (void)n;
    return format(m, WEIR_STR("2006-01-02"), a, WEIR_STR("UTC"), out);
}

SPRIG(call_html_date_in_zone) {
    (void)n;
    return format(m, WEIR_STR("2006-01-02"), a, x_text(&a[1]), out);
}

SPRIG(call_must_date_modify) {
    (void)n;
    int64_t ns;
    if (!weir__goduration_parse(x_text(a), &ns))
        return weir__x_fail(m, WEIR_INVALID, "sprig.mustDateModify: `%.*s` is no duration",
                            WEIR_ARG(x_text(a)));
    *out = make_time(m, weir__gotime_add(a[1].time, ns));
    return true;
}

SPRIG(call_date_modify) {
    int64_t ns;
    *out = a[1];
    return !weir__goduration_parse(x_text(a), &ns) || call_must_date_modify(m, a, n, out);
}

SPRIG(call_ago) {
    (void)n;
    x_time now = weir__x_now(m, &weir__gotime_utc), then = moment_of(m, a);
    int64_t ns = weir__gotime_difference(&now, &then), second = 1000000000, rest = ns % second;
    ns -= rest;
    if (rest >= second / 2) ns += second;
    if (rest <= -second / 2) ns -= second;
    weir__goduration_print(ns, &m->scratch);
    *out = weir__x_take(m, &m->scratch);
    return true;
}

SPRIG(call_duration) {
    (void)n;
    int64_t seconds = 0;
    if (a->kind == X_STRING && !weir__x_parse_int(x_text(a), &seconds)) seconds = 0;
    if (a->kind == X_INT && a->sub == X_GO_INT64) seconds = a->integer;
    weir__goduration_print((int64_t)((uint64_t)seconds * 1000000000), &m->scratch);
    *out = weir__x_take(m, &m->scratch);
    return true;
}

SPRIG(call_duration_round) {
    (void)n;
    static const struct {
        uint64_t seconds;
        const char *unit;
    } units[] = {{86400 * 365, "y"}, {86400 * 30, "mo"}, {86400, "d"},
                 {3600, "h"},        {60, "m"},          {1, "s"}};
    int64_t ns = 0;
    if (a->kind == X_STRING && !weir__goduration_parse(x_text(a), &ns)) ns = 0;
    if (a->kind == X_INT && a->sub == X_GO_INT64) ns = a->integer;
    if (a->kind == X_TIME) {
        x_time now = weir__x_now(m, &weir__gotime_utc);
        ns = weir__gotime_difference(&now, a->time);
    }
    uint64_t size = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    *out = x_str(WEIR_STR("0s"));
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        uint64_t unit = units[i].seconds * 1000000000;
        if (size <= unit) continue;
        weir_buffer_printf(&m->scratch, "%llu%s", (unsigned long long)(size / unit), units[i].unit);
        *out = weir__x_take(m, &m->scratch);
        break;
    }
    return true;
}

SPRIG(call_now) {
    (void)a, (void)n;
    *out = make_time(m, weir__x_now(m, &weir__gotime_utc));
    return true;
}

SPRIG(call_must_to_date) {
    (void)n;
    x_time t;
    if (!weir__gotime_parse(x_text(a), x_text(&a[1]), &weir__gotime_utc, &t))
        return weir__x_fail(m, WEIR_INVALID, "sprig.mustToDate: `%.*s` is not as `%.*s`",
                            WEIR_ARG(x_text(&a[1])), WEIR_ARG(x_text(a)));
    *out = make_time(m, t);
    return true;
}

SPRIG(call_to_date) {
    x_time t;
    if (weir__gotime_parse(x_text(a), x_text(&a[1]), &weir__gotime_utc, &t))
        return call_must_to_date(m, a, n, out);
    *out = make_time(m, weir__gotime_in(weir__gotime_seconds(1, 1, 1), 0, &weir__gotime_utc));
    return true;
}

SPRIG(call_unix_epoch) {
    (void)n;
    weir_buffer_printf(&m->scratch, "%lld", (long long)a->time->seconds);
    *out = weir__x_take(m, &m->scratch);
    return true;
}

const x_function weir__sprig_dates[] = {{"date", "@sa:s", call_date},
                                        {"dateInZone", "@sas:s", call_date_in_zone},
                                        {"date_in_zone", "@sas:s", call_date_in_zone},
                                        {"htmlDate", "@a:s", call_html_date},
                                        {"htmlDateInZone", "@as:s", call_html_date_in_zone},
                                        {"dateModify", "@st:t", call_date_modify},
                                        {"date_modify", "@st:t", call_date_modify},
                                        {"mustDateModify", "@st:t", call_must_date_modify},
                                        {"must_date_modify", "@st:t", call_must_date_modify},
                                        {"ago", "@a:s", call_ago},
                                        {"duration", "@a:s", call_duration},
                                        {"durationRound", "@a:s", call_duration_round},
                                        {"now", "@:t", call_now},
                                        {"toDate", "@ss:t", call_to_date},
                                        {"mustToDate", "@ss:t", call_must_to_date},
                                        {"unixEpoch", "@t:s", call_unix_epoch},
                                        {0}};
