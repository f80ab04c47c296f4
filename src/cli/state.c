#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/config.h"
#include "cli/house.h"
#include "cli/image_settings.h"

static void say_waits(void *arg, const char *what) {
    (void)arg;
    fprintf(stderr, "weir: waiting for %s\n", what);
}

static bool open_engine(weir_cli *cli, weir_options options, bool drives, weir_engine **out,
                        weir_error *error) {
    weir_settings *settings = &cli->settings;
    size_t plugin_count = settings->plugins.count;
    const char **secrets = NULL;
    const char **plugins = weir_arena_alloc(&settings->arena, (plugin_count + 1) * sizeof *plugins);
    if (drives && !weir_settings_secrets(settings, &secrets, error)) return false;
    for (size_t i = 0; i < plugin_count; i++) {
        /* A name without a folder would be looked for among the system's libraries. */
        weir_str file = weir_str_from(settings->plugins.items[i]);
        bool bare = weir_str_find(file, WEIR_STR("/"), 0) == SIZE_MAX;
        plugins[i] = bare ? weir_settings_join(settings, WEIR_STR("./"), file) : file.data;
    }
    options.size = sizeof options;
    options.secrets = secrets;
    options.plugins = plugins;
    options.attempts_max = settings->attempts_max;
    options.memory_bytes_max = settings->memory_bytes_max;
    options.cpu_milli_max = settings->cpu_milli_max;
    options.processes_max = settings->processes_max;
    options.threads = settings->threads;
    options.record_all = settings->record_all;
    options.not_isolated = settings->not_isolated;
    options.images = settings->images;
    options.artifacts = settings->artifacts;
    weir_images images = weir_image_settings(settings);
    if (options.image_store) { /* who watches */
        images.progress = options.image_store->progress;
        images.arg = options.image_store->arg;
    }
    options.image_store = &images;
    options.executor = settings->executor;
    if (!options.blobs) options.blobs = settings->blobs;
    if (isatty(STDERR_FILENO)) options.waits = say_waits;
    return weir_open(&options, out, error);
}

static const char *state_path(weir_settings *settings) {
    if (settings->state) return settings->state;
    const char *project = weir_config_project(&settings->arena);
    settings->state = weir_settings_join(settings, weir_str_from(project), WEIR_STR(".weir"));
    return settings->state;
}

/* Whether there is something to read; of a server only it can tell. */
static bool is_there(const weir_options *options) {
    struct stat found;
    weir_str sqlite = WEIR_STR("sqlite://");
    if (!options->store) return stat(options->state, &found) == 0;
    return !weir_str_starts(weir_str_from(options->store), sqlite) ||
           stat(options->store + sqlite.length, &found) == 0;
}

bool weir_cli_open(weir_cli *cli, bool reading, const weir_options *callbacks, weir_engine **out,
                   weir_error *error) {
    bool drives = callbacks != NULL;
    weir_options options = drives ? *callbacks : (weir_options){0};
    weir_settings *settings = &cli->settings;
    options.durability = settings->durability;
    options.state = state_path(settings);
    options.store = settings->store;
    options.record = weir_cli_has(cli, WEIR_FLAG_EXPLAIN);
    if (!reading && options.durability == WEIR_DURABILITY_NONE)
        return open_engine(cli, options, drives, out, error);
    if (options.durability == WEIR_DURABILITY_NONE) options.durability = WEIR_DURABILITY_BATCH;
    if (!reading || is_there(&options)) {
        bool opened = open_engine(cli, options, drives, out, error);
        if (opened) weir_cli_remove_expired(*out);
        if (opened && drives) weir_cli_keep_house(cli);
        return opened;
    }
    weir_fail(error, WEIR_NOT_FOUND, "there are no runs here");
    weir_error_hint(error,
                    options.store ? "`%s` is not there; `weir run FILE` makes it"
                                  : "no state directory `%s`; `weir run FILE` makes one",
                    options.store ? options.store : options.state);
    return false;
}

const char *weir_cli_state(weir_cli *cli) {
    return state_path(&cli->settings);
}

bool weir_cli_salvage(weir_cli *cli, weir_value **out, weir_error *error) {
    return weir_salvage(state_path(&cli->settings), cli->settings.store, out, error);
}

bool weir_cli_open_blobs(weir_cli *cli, weir_engine **out, weir_error *error) {
    weir_settings *settings = &cli->settings;
    const char *blobs = settings->blobs;
    if (!blobs)
        blobs =
            weir_settings_join(settings, weir_str_from(state_path(settings)), WEIR_STR("/blobs"));
    weir_options options = {.durability = WEIR_DURABILITY_NONE, .blobs = blobs};
    return open_engine(cli, options, false, out, error);
}

bool weir_cli_open_memory(weir_cli *cli, weir_engine **out, weir_error *error) {
    /* The state is only looked into for plugins. */
    weir_options options = {.durability = WEIR_DURABILITY_NONE,
                            .state = state_path(&cli->settings)};
    return open_engine(cli, options, false, out, error);
}
