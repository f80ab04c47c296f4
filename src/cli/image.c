/* `weir image …`: images of containers that are here, and how they come and go. */
#include <stdio.h>

#include "base/size.h"
#include "base/time.h"
#include "cli/commands.h"
#include "cli/humanize.h"
#include "cli/image_progress.h"
#include "cli/image_settings.h"
#include "cli/interrupt.h"
#include "cli/tabs.h"
#include "cli/view.h"

enum { DIGEST_SHOWN = 12, PADDING = 3 };

/* --- what takes long ------------------------------------------------------------------------ */

static void show_progress(void *arg, const char *what, uint64_t done, uint64_t total,
                          uint32_t parts, uint32_t parts_total) {
    weir_image_bar_show(arg, what, done, total, parts, parts_total);
}

static bool goes_on(void *arg) {
    (void)arg;
    return !weir_interrupt_came();
}

/* The settings, with a progress line on a terminal, and an end when an interrupt comes. */
static weir_images watched(const weir_cli *cli, weir_image_bar *bar, const char *about) {
    weir_images images = weir_image_settings(&cli->settings);
    weir_interrupt_catch();
    weir_image_bar_init(bar, about);
    images.progress = bar->terminal ? show_progress : NULL;
    images.goes_on = goes_on;
    images.arg = bar;
    return images;
}

static int fail(const weir_cli *cli, weir_error *error) {
    if (error->code == WEIR_CANCELLED && strcmp(cli->command->name, "image pull") == 0)
        weir_error_hint(error, "the next `weir image pull` goes on where this ended");
    return weir_cli_fail(error);
}

/* One that has none is called by its digest. */
static weir_str name_of(const weir_value *image) {
    weir_str name = weir_member_text(image, "name");
    return name.length ? name : weir_member_text(image, "digest");
}

static void print_name(weir_buffer *out, const weir_value *image) {
    size_t from = out->length;
    weir_buffer_str_append(out, name_of(image));
    weir_output_line(out, from);
}

/* NAME: DIGEST, 3 layers, 12.3 MB */
static void print_arrived(weir_buffer *out, const weir_value *image) {
    char size[24];
    if (!weir_member_named(image, "digest")) { /* and is gone again */
        print_name(out, image);
        return;
    }
    size_t from = out->length;
    uint64_t layers = weir_member_count(image, "layers");
    weir_buffer_printf(
        out, "%.*s: %.*s, %llu layer%s, %s", WEIR_ARG(weir_member_text(image, "name")),
        WEIR_ARG(weir_member_text(image, "digest")), (unsigned long long)layers,
        layers == 1 ? "" : "s", weir_size_format(weir_member_count(image, "size"), size));
    weir_output_line(out, from);
}

/* Each as a line, or all as one value. */
static void print_all(weir_cli *cli, const weir_value *list) {
    if (weir_cli_whole(cli)) {
        weir_cli_print(cli, list);
        return;
    }
    bool names = weir_cli_form(cli, "name");
    for (size_t i = 0; i < weir_value_count(list); i++)
        (names ? print_name : print_arrived)(&cli->out.text, weir_array_at(list, i));
}

/* To people it is news that others had to go. */
static void say_removed(const weir_value *removed) {
    weir_buffer line = {0};
    size_t count = removed ? weir_value_count(removed) : 0;
    for (size_t i = 0; i < count; i++) {
        weir_buffer_text(&line, i ? ", " : "weir: removed, as image-store-limit says: ");
        weir_buffer_str_append(&line, weir_string_get(weir_array_at(removed, i)));
    }
    if (count) {
        weir_output_line(&line, 0);
        fwrite(line.data, 1, line.length, stderr);
    }
    weir_buffer_deinit(&line);
}

int weir_image_pull_command(weir_cli *cli) {
    weir_value *list = weir_array_new();
    int code = 0;
    for (size_t i = 0; i < cli->words.count && !weir_interrupt_came(); i++) {
        weir_image_bar bar;
        weir_error error;
        weir_value *image;
        weir_images images = watched(cli, &bar, cli->words.items[i]);
        images.pull = "always"; /* the name may mean another by now */
        bool ok = weir_pull_image(&images, cli->words.items[i], &image, &error);
        weir_image_bar_erase(&bar);
        if (ok) {
            say_removed(weir_member_named(image, "removed"));
            weir_array_append(list, image);
            continue;
        }
        int failed = fail(cli, &error);
        if (failed > code) code = failed;
    }
    print_all(cli, list);
    weir_value_unref(list);
    return code;
}

int weir_image_import_command(weir_cli *cli) {
    weir_image_bar bar;
    weir_error error;
    weir_value *made;
    weir_images images = watched(cli, &bar, cli->words.items[0]);
    bool ok = weir_import_image(&images, cli->words.items[0],
                                weir_cli_text(cli, WEIR_FLAG_IMAGE_NAME), &made, &error);
    weir_image_bar_erase(&bar);
    if (!ok) return fail(cli, &error);
    say_removed(weir_member_named(made, "removed"));
    print_all(cli, weir_member_named(made, "images"));
    weir_value_unref(made);
    return 0;
}

int weir_image_export_command(weir_cli *cli) {
    weir_image_bar bar;
    weir_error error;
    weir_images images = watched(cli, &bar, cli->words.items[0]);
    bool ok = weir_export_image(&images, cli->words.items[0], cli->words.items[1], &error);
    weir_image_bar_erase(&bar);
    return ok ? 0 : fail(cli, &error);
}

/* --- list ----------------------------------------------------------------------------------- */

static void put_platform(weir_buffer *out, const weir_value *image) {
    size_t from = out->length;
    weir_str variant = weir_member_text(image, "variant");
    weir_buffer_printf(out, "%.*s/%.*s%s%.*s", WEIR_ARG(weir_member_text(image, "os")),
                       WEIR_ARG(weir_member_text(image, "architecture")), variant.length ? "/" : "",
                       WEIR_ARG(variant));
    weir_output_clean(out, from);
}

/* How long ago it was used; nothing where nobody knows. */
static void put_used(weir_tabs *tabs, const weir_value *image, uint64_t now_us) {
    char text[WEIR_HUMANIZE_BYTES];
    uint64_t used_us;
    weir_error unknown;
    if (!weir_moment_parse(weir_member_text(image, "used"), &used_us, &unknown))
        weir_tabs_add(tabs, WEIR_STR("-"));
    else
        weir_tabs_add(tabs, weir_str_from(weir_humanize_short(
                                now_us > used_us ? now_us - used_us : 0, text)));
}

static void print_row(weir_tabs *tabs, const weir_value *image, uint64_t now_us) {
    char size[24];
    weir_str digest = weir_member_text(image, "digest"), name = weir_member_text(image, "name");
    size_t colon = weir_str_find(digest, WEIR_STR(":"), 0);
    if (colon != SIZE_MAX) digest = weir_str_slice(digest, colon + 1, colon + 1 + DIGEST_SHOWN);
    weir_tabs_line(tabs);
    weir_tabs_add(tabs, name.length ? name : WEIR_STR("-"));
    weir_tabs_add(tabs, digest);
    put_platform(weir_tabs_cell(tabs), image);
    weir_buffer_printf(weir_tabs_cell(tabs), "%llu",
                       (unsigned long long)weir_member_count(image, "layers"));
    weir_tabs_add(tabs, weir_str_from(weir_size_format(weir_member_count(image, "size"), size)));
    weir_tabs_add(tabs,
                  weir_str_from(weir_size_format(weir_member_count(image, "unpacked_size"), size)));
    put_used(tabs, image, now_us);
}

static void print_table(weir_cli *cli, const weir_value *list) {
    static const char *const titles[] = {"NAME", "DIGEST",   "PLATFORM", "LAYERS",
                                         "SIZE", "UNPACKED", "USED"};
    weir_tabs tabs = {.padding = PADDING};
    uint64_t now_us = weir_view_now();
    weir_tabs_line(&tabs);
    for (size_t i = 0; i < sizeof titles / sizeof *titles; i++)
        weir_tabs_add(&tabs, weir_str_from(titles[i]));
    for (size_t i = 0; i < weir_value_count(list); i++)
        print_row(&tabs, weir_array_at(list, i), now_us);
    weir_tabs_print(&tabs, &cli->out.text);
    weir_tabs_deinit(&tabs);
}

int weir_image_list_command(weir_cli *cli) {
    weir_error error;
    weir_value *list;
    weir_images images = weir_image_settings(&cli->settings);
    if (!weir_list_images(&images, &list, &error)) return weir_cli_fail(&error);
    if (weir_cli_form(cli, "text"))
        print_table(cli, list);
    else if (weir_cli_whole(cli))
        weir_cli_print(cli, list);
    else /* what lost its name to a newer one goes by `prune` only */
        for (size_t i = 0; i < weir_value_count(list); i++)
            if (weir_member_text(weir_array_at(list, i), "name").length)
                print_name(&cli->out.text, weir_array_at(list, i));
    weir_value_unref(list);
    return 0;
}

/* --- show ----------------------------------------------------------------------------------- */

static void put_line(weir_buffer *out, const char *title, weir_str text) {
    if (!text.length) return;
    size_t from = out->length;
    weir_buffer_printf(out, "%-12s %.*s", title, WEIR_ARG(text));
    weir_output_line(out, from);
}

/* A text as it is, else as JSON; nothing of what is absent or empty. */
static void put_member(weir_buffer *out, const char *title, const weir_value *config,
                       const char *member) {
    const weir_value *value = weir_member_named(config, member);
    if (weir_is(value, WEIR_STRING)) {
        put_line(out, title, weir_string_get(value));
    } else if (weir_is(value, WEIR_ARRAY) && weir_value_count(value)) {
        weir_buffer json = {0};
        weir_json_format(value, 0, &json);
        put_line(out, title, weir_buffer_str(&json));
        weir_buffer_deinit(&json);
    }
}

static void print_layers(weir_buffer *out, const weir_value *layers) {
    for (size_t i = 0; weir_is(layers, WEIR_ARRAY) && i < weir_value_count(layers); i++) {
        const weir_value *layer = weir_array_at(layers, i);
        char size[24], unpacked[24];
        size_t from = out->length;
        weir_buffer_printf(out, "%-12s %.*s  %s, unpacked %s", i ? "" : "layers",
                           WEIR_ARG(weir_member_text(layer, "diff_id")),
                           weir_size_format(weir_member_count(layer, "size"), size),
                           weir_size_format(weir_member_count(layer, "unpacked_size"), unpacked));
        weir_output_line(out, from);
    }
}

static void print_image(weir_cli *cli, const weir_value *image) {
    static const char *const members[][2] = {
        {"entrypoint", "Entrypoint"}, {"command", "Cmd"}, {"environment", "Env"},
        {"folder", "WorkingDir"},     {"user", "User"},   {"stop signal", "StopSignal"},
    };
    weir_buffer *out = &cli->out.text, platform = {0};
    const weir_value *file = weir_member_named(image, "config");
    char size[24];
    put_line(out, "name", weir_member_text(image, "name"));
    put_line(out, "digest", weir_member_text(image, "digest"));
    weir_str pinned = weir_member_text(image, "pinned");
    if (!weir_str_equal(pinned, weir_member_text(image, "digest"))) put_line(out, "index", pinned);
    put_platform(&platform, file);
    put_line(out, "platform", weir_buffer_str(&platform));
    put_line(out, "created", weir_member_text(file, "created"));
    put_line(out, "size", weir_str_from(weir_size_format(weir_member_count(image, "size"), size)));
    put_line(out, "unpacked",
             weir_str_from(weir_size_format(weir_member_count(image, "unpacked_size"), size)));
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        put_member(out, members[i][0], weir_member_named(file, "config"), members[i][1]);
    print_layers(out, weir_member_named(image, "layers"));
    weir_buffer_deinit(&platform);
}

int weir_image_show_command(weir_cli *cli) {
    weir_error error;
    weir_value *image;
    weir_images images = weir_image_settings(&cli->settings);
    if (!weir_show_image(&images, cli->words.items[0], &image, &error))
        return weir_cli_fail(&error);
    if (weir_cli_whole(cli))
        weir_cli_print(cli, image);
    else
        print_image(cli, image);
    weir_value_unref(image);
    return 0;
}

/* --- rm and prune --------------------------------------------------------------------------- */

int weir_image_rm_command(weir_cli *cli) {
    weir_images images = weir_image_settings(&cli->settings);
    int code = 0;
    for (size_t i = 0; i < cli->words.count; i++) {
        weir_error error;
        if (weir_remove_image(&images, cli->words.items[i], &error)) {
            size_t from = cli->out.text.length;
            weir_buffer_printf(&cli->out.text, "%s: removed", cli->words.items[i]);
            weir_output_line(&cli->out.text, from);
            continue;
        }
        int failed = weir_cli_fail(&error);
        if (failed > code) code = failed;
    }
    return code;
}

/* What is said; else what is configured. */
static bool read_limits(const weir_cli *cli, uint64_t *age_us, uint64_t *bytes_max,
                        weir_error *error) {
    const char *age = weir_cli_text(cli, WEIR_FLAG_UNUSED_FOR),
               *size = weir_cli_text(cli, WEIR_FLAG_IMAGES_SIZE);
    *age_us = UINT64_MAX;
    *bytes_max = age || size ? 0 : cli->settings.image_bytes_max;
    if (age && !weir_duration_parse(weir_str_from(age), age_us, error)) {
        error->code = WEIR_USAGE;
        weir_error_context(error, "`--older-than`");
        return false;
    }
    if (size && !weir_size_parse(weir_str_from(size), bytes_max, error)) {
        error->code = WEIR_USAGE;
        weir_error_context(error, "`--max-size`");
        return false;
    }
    if (size && !*bytes_max) *bytes_max = 1; /* a zero would be "any" */
    return true;
}

static void print_pruned(weir_cli *cli, const weir_value *pruned) {
    const weir_value *removed = weir_member_named(pruned, "removed");
    weir_buffer *out = &cli->out.text;
    char freed[24], left[24];
    size_t count = weir_value_count(removed);
    for (size_t i = 0; i < count; i++) {
        size_t from = out->length;
        weir_buffer_str_append(out, weir_string_get(weir_array_at(removed, i)));
        if (!weir_cli_form(cli, "name")) weir_buffer_text(out, ": removed");
        weir_output_line(out, from);
    }
    if (!weir_cli_form(cli, "name"))
        weir_buffer_printf(out, "removed %zu image%s: %s freed, %s left\n", count,
                           count == 1 ? "" : "s",
                           weir_size_format(weir_member_count(pruned, "freed"), freed),
                           weir_size_format(weir_member_count(pruned, "left"), left));
}

int weir_image_prune_command(weir_cli *cli) {
    weir_error error;
    weir_value *pruned;
    uint64_t age_us, bytes_max;
    weir_images images = weir_image_settings(&cli->settings);
    if (!read_limits(cli, &age_us, &bytes_max, &error) ||
        !weir_prune_images(&images, age_us, bytes_max, &pruned, &error))
        return weir_cli_fail(&error);
    if (weir_cli_whole(cli))
        weir_cli_print(cli, pruned);
    else
        print_pruned(cli, pruned);
    weir_value_unref(pruned);
    return 0;
}
