/* Schedules in virtual time: what each policy does, what was missed, what is counted, when it is over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "data/json.h"
#include "schedule/schedule.h"

enum { NOON = 1772366400 }; /* 2026-03-01T12:00:00Z */

typedef struct world {
    weir_value *spec;
    weir_schedule schedule;
    weir_schedule_state state;
    weir_schedule_decision decision;
    int64_t served_from;
} world;

static const weir_value *no_metadata;

static bool zone(void *arg, weir_str name, const x_zone **out, weir_error *error) {
    (void)arg;
    *out = &weir__gotime_utc;
    return !weir_str_is(name, "Nowhere") || weir_fail(error, WEIR_INVALID, "no zone");
}

static const weir_schedule_zones zones = {zone, NULL};

static weir_value *parse(const char *json) {
    weir_value *value;
    assert_true(weir_json_parse(weir_str_from(json), WEIR_STR(""), &value, NULL));
    return value;
}

static world begin(const char *spec) {
    world w = {.spec = parse(spec), .served_from = NOON};
    weir_error error;
    assert_true(weir_schedule_read(w.spec, &zones, &w.schedule, NULL, &error));
    w.state.anchor = NOON;
    return w;
}

static void end(world *w) {
    weir_schedule_deinit(&w->schedule);
    weir_schedule_state_deinit(&w->state);
    weir_value_unref(w->spec);
}

static void decide(world *w, int64_t now) {
    const weir_schedule_facts facts = {no_metadata, now * 1000000000, NULL};
    weir_schedule_decide(&w->schedule, &w->state, &facts, now, w->served_from, &w->decision);
}

/* Decides and applies: the time that a run was started for, counted from noon; 0: none. */
static int64_t look(world *w, int64_t after_noon) {
    char name[32];
    decide(w, NOON + after_noon);
    snprintf(name, sizeof name, "run-%lld", (long long)(w->decision.time - NOON));
    weir_schedule_apply(&w->state, &w->decision, name, NOON + after_noon);
    return w->decision.start ? w->decision.time - NOON : 0;
}

static void run_ends(world *w, size_t at, bool failed) {
    w->state.active.items[at].over = true;
    w->state.active.items[at].failed = failed;
    assert_true(weir_schedule_settle(&w->state));
}

static void a_time_is_started_once(void **state) {
    (void)state;
    world w = begin("{\"schedules\": [\"* * * * *\"]}");
    assert_int_equal(look(&w, 0), 0); /* nothing is due when it is made */
    assert_int_equal(w.decision.next, NOON + 60);
    assert_int_equal(look(&w, 59), 0);
    assert_int_equal(look(&w, 60), 60);
    assert_int_equal(look(&w, 60), 0);
    assert_int_equal(look(&w, 119), 0);
    assert_int_equal(look(&w, 123), 120); /* a little late, but somebody was there */
    assert_int_equal(w.state.active.count, 2);
    assert_true(w.state.active.items[1].starting);
    assert_string_equal(w.state.active.items[1].name, "run-120");
    assert_int_equal(w.state.last, NOON + 120);
    assert_int_equal(look(&w, 90), 0); /* the clock was set back */
    assert_int_equal(look(&w, 150), 0);
    assert_int_equal(look(&w, 180), 180);
    end(&w);
}

static void missed_times_are_made_good_once_within_the_deadline(void **state) {
    (void)state;
    world none = begin("{\"schedules\": [\"*/10 * * * *\"]}");
    none.served_from = NOON + 3700; /* since 13:01:40 */
    assert_int_equal(look(&none, 3701), 0);
    assert_int_equal(look(&none, 4200), 4200);
    end(&none);
    world w = begin("{\"schedules\": [\"*/10 * * * *\"], \"startingDeadlineSeconds\": 120}");
    w.served_from = NOON + 3700;
    assert_int_equal(look(&w, 3701), 3600); /* the last of six */
    assert_int_equal(look(&w, 3702), 0);
    end(&w);
    world over = begin("{\"schedules\": [\"*/10 * * * *\"], \"startingDeadlineSeconds\": 100}");
    over.served_from = NOON + 3700;
    assert_int_equal(look(&over, 3700), 0);
    end(&over);
    /* Years of minutes are looked through in no time. */
    world years =
        begin("{\"schedules\": [\"* * * * *\"], \"startingDeadlineSeconds\": 2147483647}");
    years.served_from = NOON + 5LL * 365 * 86400;
    assert_int_equal(look(&years, 5LL * 365 * 86400 + 30), 5LL * 365 * 86400);
    end(&years);
    world rare =
        begin("{\"schedules\": [\"0 0 29 2 *\"], \"startingDeadlineSeconds\": 2147483647}");
    rare.served_from = NOON + 5LL * 365 * 86400;
    assert_int_equal(look(&rare, 5LL * 365 * 86400), 1835395200 - NOON); /* 2028-02-29 */
    end(&rare);
}

static void policies_differ_while_a_run_goes_on(void **state) {
    (void)state;
    world allow = begin("{\"schedules\": [\"* * * * *\"], \"concurrencyPolicy\": \"Allow\"}");
    assert_int_equal(look(&allow, 60), 60);
    assert_int_equal(look(&allow, 120), 120);
    assert_false(allow.decision.replace);
    assert_int_equal(allow.state.active.count, 2);
    end(&allow);

    world forbid = begin("{\"schedules\": [\"* * * * *\"], \"concurrencyPolicy\": \"Forbid\"}");
    assert_int_equal(look(&forbid, 60), 60);
    assert_int_equal(look(&forbid, 120), 0);
    assert_non_null(strstr(forbid.decision.skipped, "Forbid"));
    run_ends(&forbid, 0, false);
    assert_int_equal(look(&forbid, 125), 0); /* skipped for good */
    assert_int_equal(look(&forbid, 180), 180);
    end(&forbid);

    world patient = begin("{\"schedules\": [\"* * * * *\"], \"concurrencyPolicy\": \"Forbid\","
                          " \"startingDeadlineSeconds\": 30}");
    assert_int_equal(look(&patient, 60), 60);
    assert_int_equal(look(&patient, 120), 0);
    assert_int_equal(look(&patient, 121), 0);
    run_ends(&patient, 0, false);
    assert_int_equal(look(&patient, 140), 120); /* made good, as Argo does */
    assert_int_equal(look(&patient, 180), 0);
    run_ends(&patient, 0, false);
    assert_int_equal(look(&patient, 211), 0); /* too late */
    end(&patient);

    world replace = begin("{\"schedules\": [\"* * * * *\"], \"concurrencyPolicy\": \"Replace\"}");
    assert_int_equal(look(&replace, 60), 60);
    assert_false(replace.decision.replace);
    assert_int_equal(look(&replace, 120), 120);
    assert_true(replace.decision.replace);
    assert_true(replace.state.active.items[0].replaced);
    assert_false(replace.state.active.items[1].replaced);
    run_ends(&replace, 0, true);
    assert_int_equal(replace.state.active.count, 1);
    end(&replace);
}

static void who_is_suspended_misses_its_times(void **state) {
    (void)state;
    world w = begin(
        "{\"schedules\": [\"* * * * *\"], \"suspend\": true, \"startingDeadlineSeconds\": 50}");
    assert_int_equal(look(&w, 60), 0);
    assert_int_equal(w.decision.next, 0);
    w.schedule.suspended = false;
    w.state.late = NOON + 70; /* resumed */
    assert_int_equal(look(&w, 70), 60);
    w.schedule.suspended = true;
    assert_int_equal(look(&w, 180), 0);
    w.schedule.suspended = false;
    w.schedule.deadline = 0;
    w.state.late = NOON + 190;
    assert_int_equal(look(&w, 190), 0);
    assert_int_equal(look(&w, 240), 240);
    end(&w);
}

static void several_schedules_are_one(void **state) {
    (void)state;
    world w = begin("{\"schedules\": [\"*/2 * * * *\", \"*/3 * * * *\", \"@every 5m\"]}");
    int64_t times[8];
    size_t count = 0;
    for (int64_t at = 0; at <= 600; at += 10) {
        int64_t started = look(&w, at);
        if (started) times[count++] = started;
    }
    static const int64_t expected[] = {120, 180, 240, 300, 360, 480, 540, 600};
    assert_int_equal(count, 8);
    assert_memory_equal(times, expected, sizeof expected);
    end(&w);
    world old = begin("{\"schedule\": \"@every 90s\", \"timezone\": \"Europe/Berlin\"}");
    assert_int_equal(look(&old, 90), 90);
    assert_int_equal(look(&old, 179), 0);
    assert_int_equal(old.decision.next, NOON + 180);
    assert_int_equal(look(&old, 181), 180);
    end(&old);
}

static void a_stop_strategy_ends_it(void **state) {
    (void)state;
    world w = begin("{\"schedules\": [\"* * * * *\"], \"stopStrategy\": {\"expression\":"
                    " \"cronworkflow.failed >= 2 || cronworkflow.succeeded >= 5\"}}");
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(look(&w, i * 60), i * 60);
        run_ends(&w, 0, i != 2);
    }
    assert_int_equal(w.state.failed, 2);
    assert_int_equal(w.state.succeeded, 1);
    assert_int_equal(look(&w, 240), 0);
    assert_true(w.decision.stop);
    assert_true(w.state.stopped);
    assert_int_equal(look(&w, 300), 0);
    assert_int_equal(w.decision.next, 0);
    end(&w);
    world wrong =
        begin("{\"schedules\": [\"* * * * *\"], \"stopStrategy\": {\"expression\": \"1 +\"}}");
    assert_int_equal(look(&wrong, 60), 60); /* what cannot be read stops nothing, and is told */
    assert_int_not_equal(wrong.decision.error.code, WEIR_OK);
    end(&wrong);
}

static void when_says_whether_it_runs(void **state) {
    (void)state;
    world w = begin(
        "{\"schedules\": [\"* * * * *\"], \"when\": \"{{= cronworkflow.lastScheduledTime == nil ||"
        " (now() - cronworkflow.lastScheduledTime).Seconds() > 150 }}\"}");
    assert_int_equal(look(&w, 60), 60);
    assert_int_equal(look(&w, 120), 0);
    assert_non_null(strstr(w.decision.skipped, "`when` is false"));
    assert_int_equal(look(&w, 121), 0);
    assert_int_equal(look(&w, 180), 0);
    assert_int_equal(look(&w, 240), 240);
    end(&w);
    weir_value *metadata = parse("{\"name\": \"n\", \"labels\": {\"team\": \"x\"}}");
    static const struct {
        const char *when, *gives;
    } cases[] = {{"{{cronworkflow.name}} == n", "true"},
                 {"{{cronworkflow.labels.team}} != x", "false"},
                 {"{{=cronworkflow.labels['team'] == 'x' && cronworkflow.failed == 3}}", "true"},
                 {"{{cronworkflow.succeeded}} > 3", "true"},
                 {"true", "true"},
                 {"", "true"},
                 {"{{cronworkflow.nothing}}", "error"},
                 {"{{=1 +}}", "error"},
                 {"maybe", "error"}};
    const weir_schedule_facts facts = {metadata, 0, NULL};
    const weir_schedule_state counted = {.failed = 3, .succeeded = 4};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_error error;
        bool result = false;
        bool ok =
            weir_schedule_when(weir_str_from(cases[i].when), &counted, &facts, &result, &error);
        assert_string_equal(!ok ? "error" : result ? "true" : "false", cases[i].gives);
        if (!ok) assert_non_null(strstr(error.message, "`when`"));
    }
    weir_value_unref(metadata);
}

static void a_state_is_kept_as_it_is(void **state) {
    (void)state;
    world w = begin("{\"schedules\": [\"* * * * *\"], \"concurrencyPolicy\": \"Replace\"}");
    look(&w, 60);
    look(&w, 120);
    w.state.late = 5;
    w.state.failed = 2;
    weir_value *kept = weir_schedule_state_write(&w.state);
    weir_schedule_state again = weir_schedule_state_read(kept);
    weir_value *twice = weir_schedule_state_write(&again);
    weir_buffer first = {0}, second = {0};
    weir_json_format(kept, 0, &first);
    weir_json_format(twice, 0, &second);
    assert_string_equal(first.data, second.data);
    assert_true(again.active.items[0].replaced && again.active.items[1].starting);
    weir_schedule_state_deinit(&again);
    again = weir_schedule_state_read(NULL);
    assert_int_equal(again.active.count, 0);
    /* A run that is gone, as somebody deleted it, is not counted. */
    w.state.active.items[0].gone = true;
    assert_true(weir_schedule_settle(&w.state));
    assert_false(weir_schedule_settle(&w.state));
    assert_int_equal(w.state.succeeded + w.state.failed, 2);
    weir_buffer_deinit(&first);
    weir_buffer_deinit(&second);
    weir_value_unref(kept);
    weir_value_unref(twice);
    end(&w);
}

static void mistakes_name_their_member(void **state) {
    (void)state;
    static const struct {
        const char *spec, *member, *message;
    } cases[] = {
        {"{}", "", "missing"},
        {"{\"schedules\": []}", "schedules", "missing"},
        {"{\"schedules\": [\"* * * * *\", \"61 * * * *\"]}", "schedules", "minute `61`"},
        {"{\"schedule\": 5}", "schedule", "must be a text"},
        {"{\"cron\": \"@daily\", \"timezone\": \"Nowhere\"}", "cron", "no zone"},
        {"{\"cron\": \"@daily\", \"timezone\": 1}", "timezone", "must be a text"},
        {"{\"cron\": \"@daily\", \"concurrencyPolicy\": \"Never\"}", "concurrencyPolicy",
         "`Never`"},
        {"{\"cron\": \"@daily\", \"startingDeadlineSeconds\": -1}", "startingDeadlineSeconds",
         "from 0"},
        {"{\"cron\": \"@daily\", \"failedJobsHistoryLimit\": \"x\"}", "failedJobsHistoryLimit",
         "whole number"},
        {"{\"cron\": \"@daily\", \"stopStrategy\": \"x\"}", "stopStrategy", "expression"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_value *spec = parse(cases[i].spec);
        weir_schedule schedule;
        weir_error error;
        const char *member = NULL;
        assert_false(weir_schedule_read(spec, &zones, &schedule, &member, &error));
        assert_string_equal(member, cases[i].member);
        assert_non_null(strstr(error.message, cases[i].message));
        weir_value_unref(spec);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_time_is_started_once),
        cmocka_unit_test(missed_times_are_made_good_once_within_the_deadline),
        cmocka_unit_test(policies_differ_while_a_run_goes_on),
        cmocka_unit_test(who_is_suspended_misses_its_times),
        cmocka_unit_test(several_schedules_are_one),
        cmocka_unit_test(a_stop_strategy_ends_it),
        cmocka_unit_test(when_says_whether_it_runs),
        cmocka_unit_test(a_state_is_kept_as_it_is),
        cmocka_unit_test(mistakes_name_their_member),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
