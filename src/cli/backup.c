#include <stdio.h>
#include <unistd.h>

#include "base/size.h"
#include "base/time.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/view.h"

enum { PROGRESS_US = 100 * 1000 };

typedef struct watching {
    bool terminal, drawn;
    uint64_t began_us, said_us;
    const char *what;
} watching;

/* An interrupt ends it so that nothing half is left. */
static watching begin(void) {
    weir_view view;
    weir_interrupt_catch();
    weir_view_init(&view, STDERR_FILENO, true);
    return (watching){.terminal = view.terminal};
}

static bool watch(watching *w, const char *what, uint64_t done, uint64_t total) {
    uint64_t now_us = weir_view_now();
    if (w->what != what) w->began_us = now_us;
    w->what = what;
    if (!w->terminal || now_us < w->said_us + PROGRESS_US) return !weir_interrupt_came();
    char left[24] = "";
    w->said_us = now_us;
    w->drawn = true;
    if (total && done) weir_duration_format((now_us - w->began_us) / done * (total - done), left);
    if (total)
        fprintf(stderr, "\r\x1b[K%s: %llu %%%s%s%s", what, (unsigned long long)(done * 100 / total),
                *left ? ", " : "", left, *left ? " left" : "");
    else
        fprintf(stderr, "\r\x1b[K%s: %llu", what, (unsigned long long)done);
    return !weir_interrupt_came();
}

static void end(const watching *w) {
    if (w->drawn) fprintf(stderr, "\r\x1b[K");
}

/* What the notes of a backup say that somebody has to see to. */
static void say_notes(const weir_value *result) {
    const weir_value *missing = weir_member_named(result, "missing");
    if (missing)
        fprintf(stderr,
                "weir: %zu blobs are not in the backup, as they were damaged or removed: %s%s\n",
                weir_value_count(missing), weir_string_get(weir_array_at(missing, 0)).data,
                weir_value_count(missing) > 1 ? ", …" : "");
    uint64_t left_out = weir_member_count(result, "left_out");
    if (left_out)
        fprintf(stderr,
                "weir: %llu files of artifacts or volumes are not in the backup: they may not be "
                "read, or are sockets, pipes or devices\n",
                (unsigned long long)left_out);
}

/* --- backup --------------------------------------------------------------------------------- */

static bool watch_backup(void *arg, const char *what, uint64_t done, uint64_t total) {
    return watch(arg, what, done, total);
}

bool weir_backup_command(weir_cli *cli, weir_engine *engine, weir_error *error) {
    watching w = begin();
    weir_backup_wanted wanted = {.size = sizeof wanted,
                                 .file = cli->words.items[0],
                                 .replace = weir_cli_has(cli, WEIR_FLAG_REPLACE),
                                 .bucket = weir_cli_has(cli, WEIR_FLAG_BUCKET),
                                 .progress = watch_backup,
                                 .arg = &w};
    weir_value *made;
    bool ok = weir_make_backup(engine, &wanted, &made, error);
    end(&w);
    if (!ok) return false;
    say_notes(made);
    if (weir_cli_whole(cli)) {
        weir_cli_print(cli, made);
    } else {
        char size[24], bytes[24];
        size_t from = cli->out.text.length;
        weir_buffer_printf(&cli->out.text, "%s: %llu runs (%llu under way), %llu blobs; %s of %s",
                           wanted.file, (unsigned long long)weir_member_count(made, "runs"),
                           (unsigned long long)weir_member_count(made, "under_way"),
                           (unsigned long long)weir_member_count(made, "blobs"),
                           weir_size_format(weir_member_count(made, "size"), size),
                           weir_size_format(weir_member_count(made, "bytes"), bytes));
        weir_output_line(&cli->out.text, from);
    }
    weir_value_unref(made);
    return true;
}

/* --- restore -------------------------------------------------------------------------------- */

static bool watch_restore(void *arg, uint64_t done, uint64_t total) {
    return watch(arg, "restoring", done, total);
}

static void print_restored(weir_cli *cli, const weir_value *made) {
    weir_buffer *out = &cli->out.text;
    char moment[32];
    size_t from = out->length;
    uint64_t under_way = weir_member_count(made, "under_way");
    weir_buffer_printf(out, "%s: %llu runs, as of %s", weir_member_text(made, "state").data,
                       (unsigned long long)weir_member_count(made, "runs"),
                       weir_moment_format(weir_member_count(made, "created"), moment));
    weir_output_line(out, from);
    from = out->length;
    weir_str moved = weir_member_text(made, "moved"), blobs = weir_member_text(made, "blobs");
    if (moved.length) {
        weir_buffer_printf(out, "what was there before is in %.*s", WEIR_ARG(moved));
        weir_output_line(out, from);
    }
    if (under_way)
        fprintf(stderr, "weir: %llu runs were under way: `weir recover --all` goes on with them\n",
                (unsigned long long)under_way);
    if (blobs.length)
        fprintf(stderr, "weir: blobs were kept in `%.*s`: name their place with `blobs:`\n",
                WEIR_ARG(blobs));
    weir_str artifacts = weir_member_text(made, "artifacts_in");
    if (artifacts.length)
        fprintf(stderr, "weir: artifacts were kept in `%.*s`: name their place with `artifacts:`\n",
                WEIR_ARG(artifacts));
    const weir_value *plugins = weir_member_named(made, "plugins");
    for (size_t i = 0; plugins && i < weir_value_count(plugins); i++)
        fprintf(stderr, "weir: the plugin `%s` is not in a backup: runs may need it\n",
                weir_member_text(weir_array_at(plugins, i), "path").data);
}

static bool restore(weir_cli *cli, weir_error *error) {
    const char *into = weir_cli_text(cli, WEIR_FLAG_INTO);
    if (cli->settings.store) {
        weir_fail(error, WEIR_USAGE, "a backup is restored into a state directory, not a store");
        weir_error_hint(error, "leave out --store, `store:` and WEIR_STORE");
        return false;
    }
    watching w = begin();
    weir_restore_wanted wanted = {.size = sizeof wanted,
                                  .file = cli->words.items[0],
                                  .state = into ? into : weir_cli_state(cli),
                                  .replace = weir_cli_has(cli, WEIR_FLAG_REPLACE),
                                  .progress = watch_restore,
                                  .arg = &w};
    weir_value *made;
    bool ok = weir_restore_backup(&wanted, &made, error);
    end(&w);
    if (!ok) return false;
    say_notes(made);
    if (weir_cli_whole(cli))
        weir_cli_print(cli, made);
    else
        print_restored(cli, made);
    weir_value_unref(made);
    return true;
}

int weir_restore_command(weir_cli *cli) {
    weir_error error;
    return restore(cli, &error) ? 0 : weir_cli_fail(&error);
}
