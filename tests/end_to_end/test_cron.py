"""Schedules: `weir cron`, and what is started at set times."""

import json


def test_next_times_of_schedules(weir):
    asked = ["--timezone", "Europe/Berlin", "--from", "2026-10-24T22:00Z", "--count", 3]
    ran = weir("cron", "next", "30 2 * * *", "0 3 * * sun", *asked, "-o", "json")
    assert (ran.returncode, json.loads(ran.stdout)) == (0, ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:00:00Z"])
    ran = weir("cron", "next", "30 2 * * *", *asked)
    assert ran.stdout.splitlines()[0] == "2026-10-25T02:30:00+02:00  in 2 hours 30 minutes"
    assert weir("cron", "next", "0 0 30 2 *", "-o", "json").stdout == "[]\n"
    assert "never within five years" in weir("cron", "next", "0 0 30 2 *").stdout
    local = weir("cron", "next", "@daily", "--from", "2026-01-01T00:00Z", "--count", 1, environment={"TZ": "Asia/Tokyo"})
    assert local.stdout.startswith("2026-01-02T00:00:00+09:00")


def test_next_says_what_is_wrong(weir):
    for arguments, message in (
        (["0 24 * * *"], "hour `24` is too large"),
        (["0 0"], "fewer than five fields"),
        (["@daily", "--timezone", "Mars/Phobos"], "there is no time zone `Mars/Phobos`"),
        (["@daily", "--count", "x"], "--count"),
        (["@daily", "--from", "x"], "--from"),
    ):
        ran = weir("cron", "next", *arguments)
        assert ran.returncode == 2 and message in ran.stderr, arguments
