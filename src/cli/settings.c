#include "cli/settings.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/size.h"
#include "base/time.h"
#include "cli/around.h"
#include "cli/artifacts.h"
#include "cli/image_settings.h"
#include "cli/images.h"
#include "data/json.h"

typedef weir_setting_place place;

weir_setting_reading weir_setting_begin(const place *at) {
    weir_setting_reading reading = {.place = *at};
    weir_buffer_str_append(&reading.path, at->path);
    reading.place.path = weir_buffer_str(&reading.path);
    return reading;
}

size_t weir_setting_enter(weir_setting_reading *reading, weir_str key) {
    size_t mark = reading->path.length;
    weir_path_append(&reading->path, key);
    reading->place.path = weir_buffer_str(&reading->path);
    return mark;
}

void weir_setting_leave(weir_setting_reading *reading, size_t mark) {
    reading->path.length = mark;
    reading->path.data[mark] = '\0';
    reading->place.path = weir_buffer_str(&reading->path);
}

void weir_settings_problem(const place *at, const char *hint, const char *format, ...) {
    char message[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    weir_error error;
    weir_fail(&error, WEIR_INVALID, "%s%s%s", at->document ? "" : at->said,
              at->document ? "" : ": ", message);
    uint32_t line = 0, column = 0;
    if (at->document &&
        weir_yaml_locate(weir_buffer_str(&at->document->text), 0, at->path, &line, &column))
        weir_error_place(&error, weir_str_from(at->document->file), line, column);
    weir_error_hint(&error, "%s", hint);
    weir_problems_add(at->problems, &error);
}

const char *weir_settings_join(weir_settings *settings, weir_str a, weir_str b) {
    char *joined = weir_arena_alloc(&settings->arena, a.length + b.length + 1);
    memcpy(joined, a.data, a.length);
    memcpy(joined + a.length, b.data, b.length);
    return joined;
}

const char *weir_settings_path(weir_settings *settings, weir_str path, const place *at) {
    const char *file = at->document ? at->document->file : "", *slash = strrchr(file, '/');
    weir_str folder = {file, slash ? (size_t)(slash - file) + 1 : 0};
    if (weir_str_starts(path, WEIR_STR("/"))) folder.length = 0;
    return weir_settings_join(settings, folder, path);
}

static void set_state(weir_settings *settings, const weir_value *value, const place *at) {
    settings->state = weir_settings_path(settings, weir_string_get(value), at);
}

/* A URL is no path. */
static void set_blobs(weir_settings *settings, const weir_value *value, const place *at) {
    weir_str where = weir_string_get(value);
    bool url = weir_str_find(where, WEIR_STR(":"), 0) != SIZE_MAX;
    settings->blobs =
        url ? weir_str_copy(&settings->arena, where) : weir_settings_path(settings, where, at);
}

int weir_settings_choice(const char *choices, weir_str text) {
    int index = 0;
    for (const char *at = choices; *at; at += strspn(at, "|, "), index++) {
        size_t length = strcspn(at, "|, ");
        if (weir_str_equal((weir_str){at, length}, text)) return index;
        at += length;
    }
    return -1;
}

static void set_store(weir_settings *settings, const weir_value *value, const place *at) {
    (void)at; /* the engine knows which URLs there are */
    settings->store = weir_str_copy(&settings->arena, weir_string_get(value));
}

static int choose(const char *name, const char *choices, const weir_value *value, const place *at) {
    weir_str text = weir_string_get(value);
    char hint[64];
    int index = weir_settings_choice(choices, text);
    snprintf(hint, sizeof hint, "one of %s", choices);
    if (index < 0) weir_settings_problem(at, hint, "%s cannot be `%.*s`", name, WEIR_ARG(text));
    return index;
}

static void set_durability(weir_settings *settings, const weir_value *value, const place *at) {
    int index = choose("durability", "full, batch, none", value, at); /* as the enumeration */
    if (index >= 0) settings->durability = (weir_durability)index;
}

static void set_record(weir_settings *settings, const weir_value *value, const place *at) {
    int index = choose("record", "results, all", value, at);
    if (index >= 0) settings->record_all = index == 1;
}

static void set_output(weir_settings *settings, const weir_value *value, const place *at) {
    int index = choose("output", "text, json, jsonl, yaml, name", value, at);
    settings->output = index < 0 ? NULL : weir_str_copy(&settings->arena, weir_string_get(value));
}

static void set_plugins(weir_settings *settings, const weir_value *value, const place *at) {
    settings->plugins.count = 0;
    for (size_t i = 0; i < weir_value_count(value); i++) {
        const weir_value *item = weir_array_at(value, i);
        if (weir_is(item, WEIR_STRING))
            *weir_vector_push(&settings->plugins) =
                weir_settings_path(settings, weir_string_get(item), at);
        else
            weir_settings_problem(at, "write `plugins: [PATH, …]`", "a plugin is a path");
    }
}

static void set_count(uint32_t *out, const char *key, uint32_t most, const weir_value *value,
                      const place *at) {
    int64_t count = weir_int_get(value);
    if (count >= 1 && count <= most)
        *out = (uint32_t)count;
    else
        weir_settings_problem(at, "", "%s must be from 1 to %u", key, most);
}

static void set_attempts(weir_settings *settings, const weir_value *value, const place *at) {
    set_count(&settings->attempts_max, "limits.attempts", 100000, value, at);
}

static void set_processes(weir_settings *settings, const weir_value *value, const place *at) {
    set_count(&settings->processes_max, "limits.processes", 100000, value, at);
}

/* A number or a text, as a text. */
static weir_str amount_of(const weir_value *value, weir_buffer *out) {
    if (weir_is(value, WEIR_STRING)) return weir_string_get(value);
    weir_json_plain(value, out);
    return weir_buffer_str(out);
}

static void set_memory(weir_settings *settings, const weir_value *value, const place *at) {
    weir_buffer text = {0};
    uint64_t bytes = 0;
    weir_error error;
    if (!weir_size_parse(amount_of(value, &text), &bytes, &error))
        weir_settings_problem(at, error.hint, "limits.memory: %s", error.message);
    else if (!bytes)
        weir_settings_problem(at, "write for example 2G", "limits.memory cannot be nothing");
    else
        settings->memory_bytes_max = bytes;
    weir_buffer_deinit(&text);
}

static void set_cpu(weir_settings *settings, const weir_value *value, const place *at) {
    weir_buffer text = {0};
    weir_error error;
    if (!weir_cpu_parse(amount_of(value, &text), &settings->cpu_milli_max, &error))
        weir_settings_problem(at, error.hint, "limits.cpu: %s", error.message);
    weir_buffer_deinit(&text);
}

static void set_threads(weir_settings *settings, const weir_value *value, const place *at) {
    set_count(&settings->threads, "threads", 256, value, at);
}

static void set_runs(weir_settings *settings, const weir_value *value, const place *at) {
    set_count(&settings->runs_max, "limits.runs", 10000, value, at);
}

/* A zero would be "nobody says". */
static void set_retention_age(weir_settings *settings, const weir_value *value, const place *at) {
    weir_str text = weir_string_get(value);
    uint64_t age_us = UINT64_MAX;
    weir_error error;
    if (weir_str_is(text, "none") || weir_duration_parse(text, &age_us, &error))
        settings->retention_age_us = age_us ? age_us : 1;
    else
        weir_settings_problem(at, "how long finished runs are kept, as 30d or 12h; or none", "%s",
                              error.message);
}

static void set_retention_size(weir_settings *settings, const weir_value *value, const place *at) {
    weir_str text = weir_string_get(value);
    uint64_t bytes = UINT64_MAX;
    weir_error error;
    if (weir_str_is(text, "none") || weir_size_parse(text, &bytes, &error))
        settings->retention_bytes = bytes ? bytes : 1;
    else
        weir_settings_problem(at, "how much finished runs may take, as 10GB; or none", "%s",
                              error.message);
}

static void set_retention(weir_settings *settings, const weir_value *value, const place *at) {
    if (choose("retention", "none", value, at) == 0)
        settings->retention_age_us = settings->retention_bytes = UINT64_MAX;
}

static void set_isolation(weir_settings *settings, const weir_value *value, const place *at) {
    int index = choose("isolation", "auto, none", value, at);
    if (index >= 0) settings->not_isolated = index == 1;
}

static void set_executor(weir_settings *settings, const weir_value *value, const place *at) {
    if (choose("executor", "auto, process, container", value, at) >= 0)
        settings->executor = weir_str_copy(&settings->arena, weir_string_get(value));
}

static const struct setting {
    const char *key, *environment;
    weir_type type; /* WEIR_NULL: a text or a number */
    void (*set)(weir_settings *settings, const weir_value *value, const place *at);
} known[] = {
    {"state", "WEIR_STATE", WEIR_STRING, set_state},
    {"store", "WEIR_STORE", WEIR_STRING, set_store},
    {"blobs", "WEIR_BLOBS", WEIR_STRING, set_blobs},
    {"durability", "WEIR_DURABILITY", WEIR_STRING, set_durability},
    {"record", "WEIR_RECORD", WEIR_STRING, set_record},
    {"output", "WEIR_OUTPUT", WEIR_STRING, set_output},
    {"plugins", "WEIR_PLUGINS", WEIR_ARRAY, set_plugins},
    {"threads", "WEIR_THREADS", WEIR_INT, set_threads},
    {"isolation", "WEIR_ISOLATION", WEIR_STRING, set_isolation},
    {"executor", "WEIR_EXECUTOR", WEIR_STRING, set_executor},
    {"images", NULL, WEIR_OBJECT, weir_images_read},
    {"image-store", "WEIR_IMAGES", WEIR_STRING, weir_image_settings_store},
    {"image-store-limit", "WEIR_IMAGES_LIMIT", WEIR_STRING, weir_image_settings_limit},
    {"image-mount", "WEIR_IMAGE_MOUNT", WEIR_STRING, weir_image_settings_mount},
    {"pull", "WEIR_PULL", WEIR_STRING, weir_image_settings_pull},
    {"platform", "WEIR_PLATFORM", WEIR_STRING, weir_image_settings_platform},
    {"registries", NULL, WEIR_OBJECT, weir_image_settings_registries},
    {"artifacts", "WEIR_ARTIFACTS", WEIR_STRING, weir_artifacts_read_directory},
    {"artifacts.directory", NULL, WEIR_STRING, weir_artifacts_read_directory},
    {"artifacts.size", NULL, WEIR_STRING, weir_artifacts_read_size},
    {"artifacts.files", NULL, WEIR_INT, weir_artifacts_read_files},
    {"artifacts.buckets", NULL, WEIR_OBJECT, weir_artifacts_read_buckets},
    {"workflow", NULL, WEIR_OBJECT, weir_around_read},
    {"retention", "WEIR_RETENTION", WEIR_STRING, set_retention},
    {"retention.age", "WEIR_RETENTION_AGE", WEIR_STRING, set_retention_age},
    {"retention.size", "WEIR_RETENTION_SIZE", WEIR_STRING, set_retention_size},
    {"limits.attempts", "WEIR_LIMITS_ATTEMPTS", WEIR_INT, set_attempts},
    {"limits.memory", "WEIR_LIMITS_MEMORY", WEIR_NULL, set_memory},
    {"limits.cpu", "WEIR_LIMITS_CPU", WEIR_NULL, set_cpu},
    {"limits.processes", "WEIR_LIMITS_PROCESSES", WEIR_INT, set_processes},
    {"limits.runs", "WEIR_LIMITS_RUNS", WEIR_INT, set_runs},
};
enum { KNOWN_COUNT = sizeof known / sizeof *known };

/* The message must not repeat what may be the secret itself. */
static void set_secret(weir_settings *settings, weir_str name, const weir_value *value,
                       const place *at) {
    weir_str source = weir_is(value, WEIR_STRING) ? weir_string_get(value) : WEIR_STR("");
    weir_secret_source secret = {.name = weir_str_copy(&settings->arena, name)};
    if (weir_str_starts(source, WEIR_STR("@")))
        secret.file = weir_settings_path(settings, weir_str_slice(source, 1, source.length), at);
    else if (weir_str_starts(source, WEIR_STR("env:")))
        secret.variable = weir_str_copy(&settings->arena, weir_str_slice(source, 4, source.length));
    if (name.length && (secret.file || secret.variable))
        *weir_vector_push(&settings->secrets) = secret;
    else
        weir_settings_problem(at, "write NAME=@FILE or NAME=env:VAR; in a file, NAME: \"@FILE\"",
                              "the secret `%.*s` must come from a file or the environment",
                              WEIR_ARG(name));
}

/* Sections that other versions use. */
static bool is_foreign(weir_str key) {
    static const char *const sections[] = {"stores", "nats"};
    key = weir_str_slice(key, 0, weir_str_find(key, WEIR_STR("."), 0));
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
        if (weir_str_is(key, sections[i])) return true;
    return false;
}

void weir_settings_set(weir_settings *settings, weir_str key, const weir_value *value,
                       const place *at) {
    weir_str secrets = WEIR_STR("secrets.");
    if (weir_str_starts(key, secrets)) {
        set_secret(settings, weir_str_slice(key, secrets.length, key.length), value, at);
        return;
    }
    const struct setting *nearest = known;
    size_t best = SIZE_MAX;
    for (const struct setting *setting = known; setting < known + KNOWN_COUNT; setting++) {
        size_t distance = weir_str_distance(key, weir_str_from(setting->key));
        if (distance >= best) continue;
        best = distance;
        nearest = setting;
    }
    bool scalar =
        weir_is(value, WEIR_STRING) || weir_is(value, WEIR_INT) || weir_is(value, WEIR_FLOAT);
    if (best == 0 && (nearest->type == WEIR_NULL ? scalar : weir_is(value, nearest->type))) {
        nearest->set(settings, value, at);
    } else if (best == 0) {
        weir_settings_problem(at, "", "%s must be of type %s, not %s", nearest->key,
                              nearest->type ? weir_type_text(nearest->type) : "number or string",
                              weir_type_text(weir_value_type(value)));
    } else if (!is_foreign(key)) {
        char hint[64];
        snprintf(hint, sizeof hint, "did you mean `%s`?", nearest->key);
        weir_settings_problem(at, hint, "there is no setting `%.*s`", WEIR_ARG(key));
    }
}

static weir_value *split_list(weir_str text) {
    weir_value *list = weir_array_new();
    for (size_t from = 0, end; from < text.length; from = end + 1) {
        end = weir_str_find(text, WEIR_STR(":"), from);
        if (end == SIZE_MAX) end = text.length;
        if (end > from) weir_array_append(list, weir_string_from(weir_str_slice(text, from, end)));
    }
    return list;
}

void weir_settings_set_text(weir_settings *settings, weir_str key, weir_str text, const place *at) {
    weir_type type = WEIR_STRING;
    for (size_t i = 0; i < KNOWN_COUNT; i++)
        if (weir_str_is(key, known[i].key)) type = known[i].type;
    weir_value *value = NULL;
    weir_values parsed = {0};
    if (type == WEIR_ARRAY && !weir_str_starts(text, WEIR_STR("[")))
        value = split_list(text);
    else if (type != WEIR_STRING &&
             weir_yaml_parse(text, WEIR_STR(""), WEIR_YAML_CORE, &parsed, NULL) && parsed.count)
        value = weir_value_ref(parsed.items[0]);
    if (!value) value = weir_string_from(text);
    weir_settings_set(settings, key, value, at);
    weir_value_unref(value);
    weir_values_deinit(&parsed);
}

void weir_settings_environment(weir_settings *settings, weir_problems *problems) {
    for (const struct setting *setting = known; setting < known + KNOWN_COUNT; setting++) {
        const char *text = setting->environment ? getenv(setting->environment) : NULL;
        if (text && *text)
            weir_settings_set_text(settings, weir_str_from(setting->key), weir_str_from(text),
                                   &(place){NULL, {0}, setting->environment, problems});
    }
}

void weir_settings_deinit(weir_settings *settings) {
    weir_vector_deinit(&settings->plugins);
    weir_vector_deinit(&settings->secrets);
    weir_value_unref(settings->images);
    weir_value_unref(settings->artifacts);
    weir_value_unref(settings->workflow);
    weir_value_unref(settings->registries);
    weir_arena_deinit(&settings->arena);
}
