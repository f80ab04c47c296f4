#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/time.h"
#include "cli/commands.h"
#include "cli/view.h"

enum { KEY_SHOWN = 12, COLUMNS = 5 };

static bool put_age(weir_value *filter, const char *text, weir_error *error) {
    uint64_t age_us;
    if (!weir_duration_parse(weir_str_from(text), &age_us, error)) {
        error->code = WEIR_USAGE;
        weir_error_context(error, "`--older-than`");
        return false;
    }
    uint64_t now_us = weir_view_now();
    weir_member_put(filter, "before",
                    weir_int_new(age_us < now_us ? (int64_t)(now_us - age_us) : 1));
    return true;
}

/* What the options mean, as weir_list_cache has it; NULL after an error. */
static weir_value *read_filter(const weir_cli *cli, weir_error *error) {
    weir_value *filter = weir_object_new();
    const char *operation = weir_cli_text(cli, WEIR_FLAG_OPERATION),
               *cache = weir_cli_text(cli, WEIR_FLAG_CACHE),
               *age = weir_cli_text(cli, WEIR_FLAG_OLDER_THAN);
    uint64_t limit = 0;
    bool ok = weir_cli_number(cli, WEIR_FLAG_LIMIT, UINT32_MAX, 0, &limit, error);
    if (operation) weir_member_put_text(filter, "operation", weir_str_from(operation));
    if (cache) weir_member_put_text(filter, "cache", weir_str_from(cache));
    if (limit) weir_member_put(filter, "limit", weir_int_new((int64_t)limit));
    ok = ok && (!age || put_age(filter, age, error));
    if (ok) return filter;
    weir_value_unref(filter);
    return NULL;
}

/* --- list ----------------------------------------------------------------------------------- */

typedef struct lister {
    weir_cli *cli;
    weir_value *all; /* NULL: each is printed as it comes */
} lister;

static bool take(void *arg, const weir_value *entry) {
    lister *l = arg;
    weir_output *out = &l->cli->out;
    if (l->all)
        weir_array_append(l->all, weir_value_ref((weir_value *)(void *)entry));
    else if (weir_cli_form(l->cli, "jsonl"))
        weir_output_value(out, entry, 0);
    else
        weir_buffer_printf(&out->text, "%s\n", weir_member_text(entry, "key").data);
    return l->all || weir_output_more(out);
}

static void print_table(const weir_value *entries, weir_buffer *out) {
    static const char *const heads[COLUMNS] = {"KEY", "OPERATION", "INSTANCE", "AGE", "BYTES"};
    int widths[COLUMNS] = {KEY_SHOWN, 9, 8, 9, 0};
    static const char *const members[] = {NULL, "operation", "instance"};
    for (size_t i = 0; i < weir_value_count(entries); i++)
        for (int column = 1; column < 3; column++) {
            weir_str text = weir_member_text(weir_array_at(entries, i), members[column]);
            if ((int)text.length > widths[column]) widths[column] = (int)text.length;
        }
    for (int column = 0; column < COLUMNS - 1; column++)
        weir_buffer_printf(out, "%-*s  ", widths[column], heads[column]);
    weir_buffer_printf(out, "%s\n", heads[COLUMNS - 1]);
    uint64_t now_us = weir_view_now();
    for (size_t i = 0; i < weir_value_count(entries); i++) {
        const weir_value *entry = weir_array_at(entries, i);
        uint64_t created = weir_member_count(entry, "created");
        size_t from = out->length;
        char age[24];
        weir_duration_format(now_us > created ? now_us - created : 0, age);
        weir_buffer_printf(out, "%.*s  ", KEY_SHOWN, weir_member_text(entry, "key").data);
        for (int column = 1; column < 3; column++)
            weir_buffer_printf(out, "%-*.*s  ", widths[column],
                               WEIR_ARG(weir_member_text(entry, members[column])));
        weir_buffer_printf(out, "%-*s  %" PRIu64, widths[3], age, weir_member_count(entry, "size"));
        weir_output_line(out, from);
    }
}

bool weir_cache_list_command(weir_cli *cli, weir_engine *engine, weir_error *error) {
    weir_value *filter = read_filter(cli, error);
    if (!filter) return false;
    bool table = weir_cli_form(cli, "text");
    lister l = {cli, weir_cli_whole(cli) || table ? weir_array_new() : NULL};
    bool ok = weir_list_cache(engine, filter, take, &l, error);
    if (ok && table)
        print_table(l.all, &cli->out.text);
    else if (ok && l.all)
        weir_cli_print(cli, l.all);
    weir_value_unref(l.all);
    weir_value_unref(filter);
    return ok;
}

/* --- show and clear ------------------------------------------------------------------------- */

static void print_entry(weir_cli *cli, const weir_value *entry) {
    static const char *const members[] = {"key", "operation", "instance", "cache", "run", "blob"};
    weir_buffer *out = &cli->out.text;
    char moment[32];
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        weir_str text = weir_member_text(entry, members[i]);
        if (!text.length) continue;
        size_t from = out->length;
        weir_buffer_printf(out, "%-10s %.*s", members[i], WEIR_ARG(text));
        weir_output_line(out, from);
    }
    weir_buffer_printf(out, "%-10s %s\n", "created",
                       weir_moment_format(weir_member_count(entry, "created"), moment));
    weir_buffer_printf(out, "%-10s %" PRIu64 "\n", "bytes", weir_member_count(entry, "size"));
    weir_cli_print(cli, weir_member_named(entry, "outputs"));
}

bool weir_cache_show_command(weir_cli *cli, weir_engine *engine, weir_error *error) {
    weir_value *entry;
    if (!weir_show_cache(engine, cli->words.items[0], &entry, error)) return false;
    if (weir_cli_whole(cli))
        weir_cli_print(cli, entry);
    else
        print_entry(cli, entry);
    weir_value_unref(entry);
    return true;
}

static bool clear(weir_cli *cli, weir_engine *engine, weir_value *filter, weir_error *error) {
    uint64_t entries = 0, bytes = 0;
    size_t count = cli->words.count, at = 0;
    do { /* each key, or once without */
        weir_value *cleared;
        if (count) weir_member_put_text(filter, "key", weir_str_from(cli->words.items[at]));
        if (!weir_clear_cache(engine, filter, &cleared, error)) return false;
        uint64_t now = weir_member_count(cleared, "entries");
        entries += now;
        bytes += weir_member_count(cleared, "bytes");
        weir_value_unref(cleared);
        if (count && !now)
            return weir_fail(error, WEIR_NOT_FOUND, "there is no entry whose key begins with `%s`",
                             cli->words.items[at]);
    } while (++at < count);
    weir_value *sum = weir_object_new();
    weir_member_put(sum, "entries", weir_int_new((int64_t)entries));
    weir_member_put(sum, "bytes", weir_int_new((int64_t)bytes));
    if (weir_cli_whole(cli))
        weir_cli_print(cli, sum);
    else
        weir_buffer_printf(&cli->out.text, "cleared %" PRIu64 " entries of %" PRIu64 " bytes\n",
                           entries, bytes);
    weir_value_unref(sum);
    return true;
}

bool weir_cache_clear_command(weir_cli *cli, weir_engine *engine, weir_error *error) {
    bool all = weir_cli_has(cli, WEIR_FLAG_ALL);
    bool some = cli->words.count || weir_cli_has(cli, WEIR_FLAG_OPERATION) ||
                weir_cli_has(cli, WEIR_FLAG_CACHE) || weir_cli_has(cli, WEIR_FLAG_OLDER_THAN);
    if (all == some) {
        weir_fail(error, WEIR_USAGE, all ? "all of them, or which?" : "which entries?");
        weir_error_hint(error, "name keys, --operation, --cache, --older-than, or --all");
        return false;
    }
    for (size_t i = 0; i < cli->words.count; i++)
        if (!*cli->words.items[i]) return weir_fail(error, WEIR_USAGE, "a key is empty");
    weir_value *filter = read_filter(cli, error);
    bool ok = filter && clear(cli, engine, filter, error);
    weir_value_unref(filter);
    return ok;
}
