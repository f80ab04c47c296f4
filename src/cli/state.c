#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "cli/config.h"

enum { SECRET_BYTES_MAX = 1024 * 1024 };

/* Appends name and value to the list that weir_options.secrets is. */
static bool read_secret(weir_settings *settings, const weir_secret_source *secret,
                        const char **pair, weir_error *error) {
    pair[0] = secret->name;
    if (secret->variable) {
        pair[1] = getenv(secret->variable);
        if (pair[1]) return true;
        return weir_fail(error, WEIR_NOT_FOUND,
                         "the secret `%s`: there is no environment variable `%s`", secret->name,
                         secret->variable);
    }
    weir_buffer text = {0};
    bool ok = weir_file_read(secret->file, SECRET_BYTES_MAX, &text, error);
    weir_str value = weir_buffer_str(&text);
    if (ok && memchr(value.data, '\0', value.length))
        ok = weir_fail(error, WEIR_INVALID, "the secret has a NUL byte in it");
    if (!ok) weir_error_context(error, "the secret `%s`", secret->name);
    if (weir_str_ends(value, WEIR_STR("\n"))) value.length--;
    if (ok) pair[1] = weir_str_copy(&settings->arena, value);
    weir_buffer_deinit(&text);
    return ok;
}

/* A name without a folder would be looked for among the system's libraries. */
static const char *with_folder(weir_settings *settings, const char *file) {
    if (strchr(file, '/')) return file;
    char *path = weir_arena_alloc(&settings->arena, strlen(file) + sizeof "./");
    sprintf(path, "./%s", file);
    return path;
}

static bool open_engine(weir_cli *cli, weir_options options, weir_engine **out, weir_error *error) {
    weir_settings *settings = &cli->settings;
    size_t secret_count = settings->secrets.count, plugin_count = settings->plugins.count;
    const char **secrets =
        weir_arena_alloc(&settings->arena, (2 * secret_count + 1) * sizeof *secrets);
    const char **plugins =
        weir_arena_alloc(&settings->arena, (plugin_count + 1) * sizeof *plugins);
    for (size_t i = 0; i < secret_count; i++)
        if (!read_secret(settings, &settings->secrets.items[i], secrets + 2 * i, error))
            return false;
    for (size_t i = 0; i < plugin_count; i++)
        plugins[i] = with_folder(settings, settings->plugins.items[i]);
    options.size = sizeof options;
    options.secrets = secrets;
    options.plugins = plugins;
    options.attempts_max = settings->attempts_max;
    return weir_open(&options, out, error);
}

bool weir_cli_open(weir_cli *cli, bool reading, const weir_options *callbacks, weir_engine **out,
                   weir_error *error) {
    weir_options options = callbacks ? *callbacks : (weir_options){0};
    weir_settings *settings = &cli->settings;
    options.durability = settings->durability;
    if (!reading && options.durability == WEIR_DURABILITY_NONE)
        return open_engine(cli, options, out, error);
    if (options.durability == WEIR_DURABILITY_NONE) options.durability = WEIR_DURABILITY_BATCH;
    weir_buffer found = {0};
    if (!settings->state) {
        weir_buffer_printf(&found, "%s.weir", weir_config_project(&settings->arena));
        settings->state = weir_str_copy(&settings->arena, weir_buffer_str(&found));
        weir_buffer_deinit(&found);
    }
    options.state = settings->state;
    struct stat state;
    if (!reading || stat(options.state, &state) == 0)
        return open_engine(cli, options, out, error);
    weir_fail(error, WEIR_NOT_FOUND, "there are no runs here");
    weir_error_hint(error, "no state directory `%s`; `weir run FILE` makes one", options.state);
    return false;
}

bool weir_cli_open_memory(weir_cli *cli, weir_engine **out, weir_error *error) {
    return open_engine(cli, (weir_options){.durability = WEIR_DURABILITY_NONE}, out, error);
}
