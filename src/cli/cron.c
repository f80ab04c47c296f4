/* `weir cron next`: when schedules come. */
#include "base/time.h"
#include "cli/commands.h"
#include "cli/humanize.h"
#include "cli/view.h"

enum { TIMES = 5, TIMES_MAX = 1000 };

static void print_times(weir_cli *cli, const weir_value *times, uint64_t from_us) {
    weir_value *list = weir_array_new();
    for (size_t i = 0; i < weir_value_count(times); i++) {
        const weir_value *entry = weir_array_at(times, i);
        weir_str time = weir_member_text(entry, "time");
        char in[WEIR_HUMANIZE_BYTES];
        uint64_t at_us = 0;
        weir_error ignored;
        if (weir_cli_whole(cli)) {
            weir_array_append(list, weir_string_from(time));
        } else if (weir_cli_form(cli, "jsonl")) {
            weir_output_value(&cli->out, weir_member_named(entry, "time"), 0);
        } else if (weir_moment_parse(time, &at_us, &ignored)) {
            weir_buffer_printf(&cli->out.text, "%.*s  in %s\n",
                               WEIR_ARG(weir_member_text(entry, "local")),
                               weir_humanize_long(at_us - from_us, in));
        }
    }
    if (weir_cli_whole(cli))
        weir_cli_print(cli, list);
    else if (!weir_value_count(times) && weir_cli_form(cli, "text"))
        weir_buffer_text(&cli->out.text, "never within five years\n");
    weir_value_unref(list);
}

int weir_cron_next_command(weir_cli *cli) {
    weir_error error;
    weir_value *times;
    uint64_t from_us = weir_view_now(), count;
    if (!weir_cli_moment(cli, WEIR_FLAG_FROM_TIME, &from_us, &error) ||
        !weir_cli_number(cli, WEIR_FLAG_COUNT_OF, TIMES_MAX, TIMES, &count, &error) ||
        !weir_cron_times((const char *const *)cli->words.items, cli->words.count,
                         weir_cli_text(cli, WEIR_FLAG_TIMEZONE), from_us, count, &times, &error))
        return weir_cli_fail(&error);
    print_times(cli, times, from_us);
    weir_value_unref(times);
    return 0;
}
