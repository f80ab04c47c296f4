/* Cron expressions and their next times; time zones as files have them, their rules, and the machine's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/time.h"
#include "data/document.h"
#include "engine/zone.h"
#include "schedule/cron.h"

static int64_t seconds_of(const char *text) {
    uint64_t us;
    weir_error error;
    assert_true(weir_moment_parse(weir_str_from(text), &us, &error));
    return (int64_t)(us / 1000000);
}

/* The next five times, with blanks between, "never" or "error". */
static void next_times(weir__zones *zones, const char *text, const char *zone, const char *from,
                       weir_buffer *out) {
    weir_cron cron;
    weir_error error;
    const x_zone *of;
    int64_t at = seconds_of(from);
    weir_buffer_clear(out);
    if (!weir_cron_parse(weir_str_from(text), &cron, &error)) {
        assert_true(error.message[0]);
        weir_buffer_text(out, "error");
        return;
    }
    assert_true(
        weir__zones_find(zones, cron.has_zone ? cron.zone : weir_str_from(zone), &of, &error));
    for (int i = 0; i < 5 && weir_cron_next(&cron, of, at, &at); i++) {
        x_time t = weir__gotime_in(at, 0, &weir__gotime_utc);
        if (i) weir_buffer_byte(out, ' ');
        weir__gotime_format(&t, WEIR_STR("2006-01-02T15:04:05Z"), out);
    }
    if (!out->length) weir_buffer_text(out, "never");
}

static void times_are_those_of_robfig(void **state) {
    (void)state;
    char path[1024];
    weir_buffer text = {0}, out = {0};
    weir_error error;
    weir__zones zones;
    weir__zones_init(&zones);
    snprintf(path, sizeof path, "%s/tests/unit/cron_times.txt", getenv("WEIR_SOURCE"));
    assert_true(weir_file_read(path, 1 << 20, &text, &error));
    size_t count = 0;
    for (char *save = NULL, *line = strtok_r(text.data, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        char *parts[4], *inner = NULL;
        if (*line == '#') continue;
        for (int i = 0; i < 4; i++)
            assert_non_null(parts[i] = strtok_r(i ? NULL : line, "|", &inner));
        next_times(&zones, parts[0], parts[1], parts[2], &out);
        if (strcmp(out.data, parts[3]) != 0) print_message("%s %s\n", parts[0], parts[1]);
        assert_string_equal(out.data, parts[3]);
        count++;
    }
    assert_true(count > 250);
    weir_buffer_deinit(&text);
    weir_buffer_deinit(&out);
    weir__zones_deinit(&zones);
}

static void daylight_saving_skips_and_repeats(void **state) {
    (void)state;
    static const char *const cases[][4] = {
        /* A time of day that is left out has none that day; one that is there twice comes twice. */
        {"30 2 * * *", "Europe/Berlin", "2026-03-28T12:00Z",
         "2026-03-30T00:30:00Z 2026-03-31T00:30:00Z 2026-04-01T00:30:00Z 2026-04-02T00:30:00Z "
         "2026-04-03T00:30:00Z"},
        {"30 2 * * *", "Europe/Berlin", "2026-10-24T12:00Z",
         "2026-10-25T00:30:00Z 2026-10-25T01:30:00Z 2026-10-26T01:30:00Z 2026-10-27T01:30:00Z "
         "2026-10-28T01:30:00Z"},
        {"0 * * * *", "Europe/Berlin", "2026-10-24T23:30Z",
         "2026-10-25T00:00:00Z 2026-10-25T01:00:00Z 2026-10-25T02:00:00Z 2026-10-25T03:00:00Z "
         "2026-10-25T04:00:00Z"},
        {"CRON_TZ=Asia/Tokyo @daily", "Europe/Berlin", "2026-01-01T00:00Z",
         "2026-01-01T15:00:00Z 2026-01-02T15:00:00Z 2026-01-03T15:00:00Z 2026-01-04T15:00:00Z "
         "2026-01-05T15:00:00Z"},
        {"  @every 1h30m ", "UTC", "2026-01-01T00:00Z",
         "2026-01-01T01:30:00Z 2026-01-01T03:00:00Z 2026-01-01T04:30:00Z 2026-01-01T06:00:00Z "
         "2026-01-01T07:30:00Z"},
        {"0 0 13 * fri", "UTC", "2026-01-01T00:00Z", /* either will do */
         "2026-01-02T00:00:00Z 2026-01-09T00:00:00Z 2026-01-13T00:00:00Z 2026-01-16T00:00:00Z "
         "2026-01-23T00:00:00Z"},
        {"0 0 */2 * fri", "UTC", "2026-01-01T00:00Z",
         "2026-01-02T00:00:00Z 2026-01-03T00:00:00Z 2026-01-05T00:00:00Z 2026-01-07T00:00:00Z "
         "2026-01-09T00:00:00Z"},
        {"0 0 30 2 *", "UTC", "2026-01-01T00:00Z", "never"},
    };
    weir_buffer out = {0};
    weir__zones zones;
    weir__zones_init(&zones);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        next_times(&zones, cases[i][0], cases[i][1], cases[i][2], &out);
        assert_string_equal(out.data, cases[i][3]);
    }
    weir_buffer_deinit(&out);
    weir__zones_deinit(&zones);
}

static void mistakes_name_their_field_and_column(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint32_t column;
        const char *message, *hint;
    } cases[] = {
        {"0 24 * * *", 3, "hour `24` is too large", "0 to 23"},
        {"0 0 * * mon-fry", 13, "day of week `fry` is no number", "sun to sat"},
        {"*/0 * * * *", 1, "minute `*/0` has a step of 0", "steps as */15"},
        {"0 5-1 * * *", 3, "hour `5-1` ends before it begins", "ranges"},
        {"é * * *", 1, "fewer than five fields", "in quotes"},
        {"* * * * * *", 1, "more than five fields", ""},
        {"0 0 1 * 1,é,x", 11, "day of week `é` is no number", ""},
        {"@often", 1, "`@often` is no schedule", "@hourly"},
        {"@every soon", 8, "`soon` is no duration", "90s"},
        {"TZ=UTC", 1, "a time zone only", ""},
        {"", 0, "empty", ""},
        {"0 0 0 * *", 5, "day of month `0` begins too low", ""},
        {"99999999999999999999 0 0 * *", 1, "is too large", ""},
    };
    weir_cron cron;
    weir_error error;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_false(weir_cron_parse(weir_str_from(cases[i].text), &cron, &error));
        assert_int_equal(error.code, WEIR_SYNTAX);
        assert_int_equal(error.column, cases[i].column);
        assert_non_null(strstr(error.message, cases[i].message));
        assert_non_null(strstr(error.hint, cases[i].hint));
    }
    weir_buffer long_one = {0};
    for (int i = 0; i < 2000; i++) weir_buffer_byte(&long_one, '*');
    assert_false(weir_cron_parse(weir_buffer_str(&long_one), &cron, &error));
    assert_int_equal(error.code, WEIR_LIMIT);
    weir_buffer_deinit(&long_one);
}

static void the_machine_has_a_zone(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"", "UTC"},
        {":Europe/Berlin", "Europe/Berlin"},
        {"Asia/Tokyo", "Asia/Tokyo"},
        {"CET-1CEST", "CET-1CEST"},
        {"M 3;rm", "Local"},
        {"/usr/share/zoneinfo/Asia/Kolkata", "Asia/Kolkata"},
        {"/nowhere", "Local"},
    };
    weir_buffer name = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        setenv("TZ", cases[i][0], 1);
        weir_buffer_clear(&name);
        weir__zone_of_machine(&name);
        assert_string_equal(name.data, cases[i][1]);
    }
    unsetenv("TZ");
    weir_buffer_clear(&name);
    weir__zone_of_machine(&name);
    assert_true(name.length > 0);
    weir_buffer_deinit(&name);
}

static void zones_are_found_by_name(void **state) {
    (void)state;
    static const char *const wrong[] = {"Mars/Phobos", "../../etc/passwd", "/etc/localtime",
                                        "Europe", "tzdata.zi"};
    weir__zones zones;
    weir_error error;
    const x_zone *zone, *again;
    weir__zones_init(&zones);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_false(weir__zones_find(&zones, weir_str_from(wrong[i]), &zone, &error));
        assert_int_equal(error.code, WEIR_INVALID);
        assert_non_null(strstr(error.message, wrong[i]));
    }
    assert_true(weir__zones_find(&zones, WEIR_STR("Asia/Kolkata"), &zone, &error));
    assert_true(weir__zones_find(&zones, WEIR_STR("Asia/Kolkata"), &again, &error));
    assert_ptr_equal(zone, again);
    assert_int_equal(weir__gotime_in(0, 0, zone).offset, 19800);
    /* What ZONEINFO names comes first. */
    setenv("ZONEINFO", "/usr/share/zoneinfo/Asia", 1);
    assert_true(weir__zones_find(&zones, WEIR_STR("Tokyo"), &zone, &error));
    unsetenv("ZONEINFO");
    weir__zones_deinit(&zones);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_those_of_robfig),
        cmocka_unit_test(daylight_saving_skips_and_repeats),
        cmocka_unit_test(mistakes_name_their_field_and_column),
        cmocka_unit_test(the_machine_has_a_zone),
        cmocka_unit_test(zones_are_found_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
