#include "cli/waiting.h"

#include <stdio.h>

#include "base/size.h"
#include "base/time.h"
#include "cli/output.h"

enum { LINES_MAX = 20 };

bool weir_waiting_is(const weir_value *entry, const char *name) {
    const weir_value *path = weir_member_named(entry, "path");
    for (size_t i = 0; weir_is(path, WEIR_ARRAY) && i < weir_value_count(path); i++)
        if (weir_is(weir_array_at(path, i), WEIR_STRING) &&
            weir_str_is(weir_string_get(weir_array_at(path, i)), name))
            return true;
    return false;
}

static void put_amount(weir_str what, uint64_t amount, weir_buffer *out) {
    char text[24];
    if (weir_str_is(what, "memory"))
        weir_buffer_text(out, weir_size_format(amount, text));
    else if (weir_str_is(what, "cpu"))
        weir_buffer_printf(out, "%g", (double)amount / 1000);
    else
        weir_buffer_printf(out, "%llu", (unsigned long long)amount);
}

static void put_lack(const weir_value *entry, weir_str what, weir_buffer *out) {
    static const char *const names[][2] = {
        {"memory", "of memory"}, {"cpu", "of the processors"}, {"processes", "of the processes"}};
    const char *name = "";
    for (size_t i = 0; i < 3; i++)
        if (weir_str_is(what, names[i][0])) name = names[i][1];
    weir_buffer_text(out, "wants ");
    put_amount(what, weir_member_count(entry, "wants"), out);
    weir_buffer_printf(out, " %s; ", name);
    put_amount(what, weir_member_count(entry, "free"), out);
    weir_buffer_text(out, " of ");
    put_amount(what, weir_member_count(entry, "limit"), out);
    weir_buffer_text(out, " are free");
}

void weir_waiting_describe(const weir_value *entry, weir_buffer *out) {
    weir_str what = weir_member_text(entry, "for");
    weir_str behind = weir_member_text(entry, "behind");
    uint64_t begins_in_us = weir_member_count(entry, "begins_in_us");
    char text[24];
    if (behind.length) {
        weir_buffer_text(out, "behind ");
        weir_output_plain(out, behind);
        if (!weir_str_is(what, "memory") || !weir_member_count(entry, "wants")) return;
        weir_buffer_text(out, "; wants ");
        put_amount(what, weir_member_count(entry, "wants"), out);
        weir_buffer_text(out, " of memory");
        return;
    }
    if (weir_str_is(what, "slots"))
        weir_buffer_printf(out, "all %llu slots of the run are taken",
                           (unsigned long long)weir_member_count(entry, "limit"));
    else
        put_lack(entry, what, out);
    if (begins_in_us)
        weir_buffer_printf(out, ", expected in %s",
                           weir_duration_format((begins_in_us + 99999) / 100000 * 100000, text));
}

void weir_waiting_print(const weir_value *status, const char *only, weir_buffer *out) {
    const weir_value *list = weir_member_named(status, "waiting");
    weir_str scheduler = weir_member_text(status, "scheduler");
    uint64_t shown = 0, more = weir_member_count(status, "waiting_more");
    for (size_t i = 0; weir_is(list, WEIR_ARRAY) && i < weir_value_count(list); i++) {
        const weir_value *entry = weir_array_at(list, i);
        if (only && !weir_waiting_is(entry, only)) continue;
        if (shown == LINES_MAX) {
            more++;
            continue;
        }
        if (!shown++)
            weir_buffer_printf(out, "waiting for room, the next first (%.*s):\n",
                               WEIR_ARG(scheduler.length ? scheduler : WEIR_STR("fifo")));
        weir_buffer_text(out, "  ");
        weir_output_plain(out, weir_member_text(entry, "name"));
        weir_buffer_text(out, "  ");
        weir_waiting_describe(entry, out);
        weir_buffer_byte(out, '\n');
    }
    if (more && !only) weir_buffer_printf(out, "  … and %llu more\n", (unsigned long long)more);
}
