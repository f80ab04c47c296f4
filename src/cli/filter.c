#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/time.h"
#include "cli/commands.h"
#include "cli/view.h"

bool weir_cli_number(const weir_cli *cli, weir_flag flag, uint64_t max, uint64_t otherwise,
                     uint64_t *out, weir_error *error) {
    const char *text = weir_cli_text(cli, flag);
    char *end = NULL;
    errno = 0;
    unsigned long long number = text ? strtoull(text, &end, 10) : otherwise;
    bool ok = !text || (*text >= '0' && *text <= '9' && !*end && !errno && number <= max);
    if (ok) *out = number;
    return ok || weir_fail(error, WEIR_USAGE, "`--%s` must be a number, at most %llu",
                           weir_flag_texts[flag].name, (unsigned long long)max);
}

/* A moment, or how long ago. */
static bool read_moment(const weir_cli *cli, weir_flag flag, uint64_t *out, weir_error *error) {
    const char *text = weir_cli_text(cli, flag);
    uint64_t ago_us, now_us = weir_view_now();
    if (!text || weir_moment_parse(weir_str_from(text), out, error)) return true;
    if (weir_duration_parse(weir_str_from(text), &ago_us, error)) {
        *out = ago_us < now_us ? now_us - ago_us : 1;
        return true;
    }
    weir_fail(error, WEIR_USAGE, "`--%s` cannot be `%.64s`", weir_flag_texts[flag].name, text);
    weir_error_hint(error, "how long ago, as 90s, 2h or 7d, or when: 2026-11-21T06:30Z");
    return false;
}

/* All values of the option, in the settings' arena. */
static const char *const *all_of(weir_cli *cli, weir_flag flag) {
    size_t count = 0;
    const char **values =
        weir_arena_alloc(&cli->settings.arena, (cli->given.count + 1) * sizeof *values);
    for (size_t i = 0; i < cli->given.count; i++)
        if (cli->given.items[i].flag == flag) values[count++] = cli->given.items[i].value;
    return values;
}

bool weir_cli_filters(const weir_cli *cli) {
    static const weir_flag flags[] = {WEIR_FLAGS_OF_FILTER};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (weir_cli_has(cli, flags[i])) return true;
    return false;
}

bool weir_cli_filter(weir_cli *cli, weir_run_filter *out, weir_error *error) {
    uint64_t limit = 0;
    *out = (weir_run_filter){.size = sizeof *out,
                             .phases = weir_cli_text(cli, WEIR_FLAG_PHASE),
                             .kind = weir_cli_text(cli, WEIR_FLAG_OF_KIND),
                             .name = weir_cli_text(cli, WEIR_FLAG_NAMED),
                             .file = weir_cli_text(cli, WEIR_FLAG_OF_FILE),
                             .parent = weir_cli_text(cli, WEIR_FLAG_PARENT),
                             .labels = all_of(cli, WEIR_FLAG_LABELLED),
                             .after = weir_cli_text(cli, WEIR_FLAG_AFTER),
                             .oldest_first = weir_cli_has(cli, WEIR_FLAG_REVERSE)};
    if (!weir_cli_number(cli, WEIR_FLAG_LIMIT, UINT32_MAX, 0, &limit, error) ||
        !read_moment(cli, WEIR_FLAG_SINCE, &out->since_us, error) ||
        !read_moment(cli, WEIR_FLAG_UNTIL, &out->until_us, error))
        return false;
    out->limit = (uint32_t)limit;
    return true;
}
