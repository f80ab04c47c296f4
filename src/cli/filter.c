#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/time.h"
#include "cli/commands.h"
#include "cli/view.h"
#include "data/field_selector.h"

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

bool weir_cli_moment(const weir_cli *cli, weir_flag flag, uint64_t *out, weir_error *error) {
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

/* What selects labels, also several with commas between, in the settings' arena. */
static const char *const *read_labels(weir_cli *cli) {
    WEIR_VECTOR(const char *) terms = {0};
    for (size_t i = 0; i < cli->given.count; i++) {
        weir_str text = weir_str_from(cli->given.items[i].value);
        if (cli->given.items[i].flag != WEIR_FLAG_LABELLED) continue;
        for (size_t from = 0, to; from <= text.length; from = to + 1) {
            to = weir_str_find(text, WEIR_STR(","), from);
            if (to == SIZE_MAX) to = text.length;
            weir_str term = weir_str_trim(weir_str_slice(text, from, to));
            *weir_vector_push(&terms) = weir_str_copy(&cli->settings.arena, term);
        }
    }
    if (weir_cli_has(cli, WEIR_FLAG_RESUBMITTED))
        *weir_vector_push(&terms) = "workflows.argoproj.io/resubmitted-from-workflow";
    const char **values =
        weir_arena_alloc(&cli->settings.arena, (terms.count + 1) * sizeof *values);
    for (size_t i = 0; i < terms.count; i++) values[i] = terms.items[i];
    weir_vector_deinit(&terms);
    return values;
}

bool weir_cli_filters(const weir_cli *cli) {
    static const weir_flag flags[] = {WEIR_FLAGS_OF_FILTER};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (weir_cli_has(cli, flags[i])) return true;
    return weir_cli_has(cli, WEIR_FLAG_OLDER) || weir_cli_has(cli, WEIR_FLAG_ALL);
}

/* What Argo calls by other names: one of them may be given. */
static bool read_phases(const weir_cli *cli, const char **out, weir_error *error) {
    const struct {
        weir_flag flag;
        const char *phases;
    } ways[] = {{WEIR_FLAG_PHASE, weir_cli_text(cli, WEIR_FLAG_PHASE)},
                {WEIR_FLAG_STATUS, weir_cli_text(cli, WEIR_FLAG_STATUS)},
                {WEIR_FLAG_COMPLETED, "Succeeded,Failed,Error"},
                {WEIR_FLAG_RUNNING, "Running,Suspended"}};
    *out = NULL;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        if (!weir_cli_has(cli, ways[i].flag)) continue;
        if (*out)
            return weir_fail(error, WEIR_USAGE,
                             "--phase, --status, --completed and --running exclude each other");
        *out = ways[i].phases;
    }
    return true;
}

/* What Kubernetes can select workflows by: "metadata.name=NAME". */
static bool read_fields(weir_cli *cli, const char **name, weir_error *error) {
    const char *text = weir_cli_text(cli, WEIR_FLAG_FIELDS);
    weir_field_selector fields = {0};
    bool ok = !text || weir_field_selector_parse(weir_str_from(text), &fields, error);
    for (size_t i = 0; ok && i < fields.terms.count; i++) {
        const struct weir_field_term *term = &fields.terms.items[i];
        if (strcmp(term->field, "metadata.namespace") == 0 && !term->differs) continue;
        ok = strcmp(term->field, "metadata.name") == 0 && !term->differs && !*name;
        if (ok)
            *name = weir_str_copy(&cli->settings.arena, weir_str_from(term->value));
        else
            weir_fail(error, WEIR_USAGE, "runs cannot be selected by `%.100s`", text);
    }
    if (!ok) weir_error_hint(error, "--field-selector takes metadata.name=NAME; see also --label");
    weir_field_selector_deinit(&fields);
    return ok;
}

/* What is meant as it stands is no pattern; and no run's name has such characters. */
static bool check_plain(const char *text, weir_flag flag, weir_error *error) {
    if (!text || !strpbrk(text, "*?")) return true;
    weir_fail(error, WEIR_USAGE, "--%s: no run's name has `*` or `?`", weir_flag_texts[flag].name);
    weir_error_hint(error, "`weir list --name PATTERN` takes patterns");
    return false;
}

static bool read_name(weir_cli *cli, const char **out, weir_error *error) {
    const char *prefix = weir_cli_text(cli, WEIR_FLAG_PREFIX), *exact = NULL;
    *out = weir_cli_text(cli, WEIR_FLAG_NAMED);
    if (!read_fields(cli, &exact, error) || !check_plain(exact, WEIR_FLAG_FIELDS, error) ||
        !check_plain(prefix, WEIR_FLAG_PREFIX, error))
        return false;
    if ((prefix != NULL) + (exact != NULL) + (*out != NULL) > 1)
        return weir_fail(error, WEIR_USAGE,
                         "--name, --prefix and --field-selector exclude each other");
    if (exact) *out = exact;
    if (!prefix) return true;
    weir_buffer pattern = {0};
    weir_buffer_printf(&pattern, "%s*", prefix);
    *out = weir_str_copy(&cli->settings.arena, weir_buffer_str(&pattern));
    weir_buffer_deinit(&pattern);
    return true;
}

bool weir_cli_filter(weir_cli *cli, weir_run_filter *out, weir_error *error) {
    uint64_t limit = 0;
    *out = (weir_run_filter){.size = sizeof *out,
                             .kind = weir_cli_text(cli, WEIR_FLAG_OF_KIND),
                             .file = weir_cli_text(cli, WEIR_FLAG_OF_FILE),
                             .parent = weir_cli_text(cli, WEIR_FLAG_PARENT),
                             .labels = read_labels(cli),
                             .after = weir_cli_text(cli, WEIR_FLAG_AFTER),
                             .oldest_first = weir_cli_has(cli, WEIR_FLAG_REVERSE)};
    if (!read_phases(cli, &out->phases, error) || !read_name(cli, &out->name, error) ||
        !weir_cli_number(cli, WEIR_FLAG_LIMIT, UINT32_MAX, 0, &limit, error) ||
        !weir_cli_moment(cli, WEIR_FLAG_SINCE, &out->since_us, error) ||
        !weir_cli_moment(cli, WEIR_FLAG_UNTIL, &out->until_us, error))
        return false;
    out->limit = (uint32_t)limit;
    return true;
}
