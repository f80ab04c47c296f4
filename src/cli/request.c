#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/time.h"
#include "cli/commands.h"

/* Command-line words and files are bytes; values are text. */
static bool check_text(const weir_value *text, weir_error *error) {
    weir_buffer json = {0};
    weir_value *parsed = NULL;
    weir_json_format(text, 0, &json);
    bool ok = weir_json_parse(weir_buffer_str(&json), WEIR_STR(""), &parsed, NULL);
    weir_value_unref(parsed);
    weir_buffer_deinit(&json);
    return ok || weir_fail(error, WEIR_INVALID, "this is not UTF-8 text");
}

/* Sets object[name] to the text, or with `files` to what the file behind '@' has. */
static bool put_text(weir_value *object, weir_str name, weir_str text, bool files,
                     weir_error *error) {
    if (weir_member(object, name)) {
        weir_fail(error, WEIR_USAGE, "`%.*s` is given twice", WEIR_ARG(name));
        weir_error_hint(error, "several values of one definition: --contexts FILE");
        return false;
    }
    weir_buffer content = {0};
    bool ok = true;
    if (files && weir_str_starts(text, WEIR_STR("@"))) {
        ok = weir_file_read(text.data + 1, WEIR_FILE_BYTES_MAX, &content, error);
        text = weir_buffer_str(&content);
    }
    weir_value *value = weir_string_from(text);
    weir_buffer_deinit(&content);
    ok = ok && check_text(value, error);
    if (ok)
        weir_member_set(object, name, value);
    else
        weir_value_unref(value);
    if (!ok) weir_error_context(error, "`%.*s`", WEIR_ARG(name));
    return ok;
}

/* The object that is `request`'s member, made when it is not there yet. */
static weir_value *member_object(weir_value *request, weir_str name) {
    weir_value *object = weir_member(request, name);
    if (object) return object;
    object = weir_object_new();
    weir_member_set(request, name, object);
    return object;
}

/* "NAME=VALUE" into request[member]. */
static bool put_pair(weir_value *request, const char *member, const char *pair, bool files,
                     weir_error *error) {
    const char *equals = strchr(pair, '=');
    if (!equals || equals == pair) {
        weir_fail(error, WEIR_USAGE, "`%.200s` is not of the form NAME=%s", pair,
                  files ? "VALUE" : "TEXT");
        return false;
    }
    return put_text(member_object(request, weir_str_from(member)),
                    (weir_str){pair, (size_t)(equals - pair)}, weir_str_from(equals + 1), files,
                    error);
}

/* "NAME:DEFINITION=VALUE"; the first ':' ends the name. */
static bool put_context(weir_value *request, const char *word, weir_error *error) {
    const char *colon = strchr(word, ':'), *equals = colon ? strchr(colon, '=') : NULL;
    if (!equals || colon == word || equals == colon + 1)
        return weir_fail(error, WEIR_USAGE, "`%.200s` is not of the form NAME:DEFINITION=VALUE",
                         word);
    weir_value *contexts = member_object(request, WEIR_STR("context_texts"));
    return put_text(member_object(contexts, (weir_str){word, (size_t)(colon - word)}),
                    (weir_str){colon + 1, (size_t)(equals - colon) - 1}, weir_str_from(equals + 1),
                    true, error);
}

/* "INSTANCE.KEY=VALUE"; the last '.' before '=' ends the instance, which may have others. */
static bool put_configure(weir_value *request, const char *word, weir_error *error) {
    const char *equals = strchr(word, '='), *point = NULL;
    for (const char *at = word; equals && at < equals; at++)
        if (*at == '.') point = at;
    if (!point || point == word || equals == point + 1)
        return weir_fail(error, WEIR_USAGE, "`%.200s` is not of the form INSTANCE.KEY=VALUE", word);
    weir_value *configure = member_object(request, WEIR_STR("configure"));
    bool ok = put_text(member_object(configure, (weir_str){word, (size_t)(point - word)}),
                       (weir_str){point + 1, (size_t)(equals - point) - 1},
                       weir_str_from(equals + 1), true, error);
    if (!ok && error->code == WEIR_USAGE) weir_error_hint(error, "once is enough");
    return ok;
}

static bool put_overlay(weir_value *request, const char *file, weir_error *error) {
    weir_value *overlays = weir_member_named(request, "overlays"), *path;
    if (!overlays) weir_member_put(request, "overlays", overlays = weir_array_new());
    path = weir_string_from(weir_str_from(file));
    bool ok = check_text(path, error);
    if (ok)
        weir_array_append(overlays, path);
    else
        weir_value_unref(path);
    return ok;
}

static bool put_string(weir_value *request, const char *member, const char *text,
                       weir_error *error) {
    if (put_text(request, weir_str_from(member), weir_str_from(text), false, error)) return true;
    if (error->code == WEIR_USAGE) weir_error_hint(error, "once is enough");
    return false;
}

static bool put_count(weir_value *request, const char *member, const char *text,
                      weir_error *error) {
    char *end;
    errno = 0;
    long long count = strtoll(text, &end, 10);
    if (*end || end == text || errno || count < 1)
        return weir_fail(error, WEIR_USAGE, "`%s` is no number from 1 on", text);
    weir_member_put(request, member, weir_int_new(count));
    return true;
}

static bool put_duration(weir_value *request, const char *member, weir_flag flag, const char *value,
                         weir_error *error) {
    const char *name = weir_flag_texts[flag].name;
    uint64_t us;
    if (!weir_duration_parse(weir_str_from(value), &us, error)) {
        weir_error_context(error, "--%s", name);
        error->code = WEIR_USAGE;
        return false;
    }
    if (!us || us > INT64_MAX)
        return weir_fail(error, WEIR_USAGE, "--%s: `%.64s` is no time that a run could take", name,
                         value);
    weir_member_put(request, member, weir_int_new((int64_t)us));
    return true;
}

static bool put_flag(weir_value *request, weir_flag flag, const char *value, weir_error *error) {
    switch (flag) {
    case WEIR_FLAG_INPUT:
    case WEIR_FLAG_INPUTS: return put_pair(request, "texts", value, true, error);
    case WEIR_FLAG_LABEL: return put_pair(request, "labels", value, false, error);
    case WEIR_FLAG_PARAMETER: return put_pair(request, "parameters", value, false, error);
    case WEIR_FLAG_CONTEXT: return put_context(request, value, error);
    case WEIR_FLAG_INPUTS_FILE: return put_string(request, "inputs_file", value, error);
    case WEIR_FLAG_CONTEXTS: return put_string(request, "contexts_file", value, error);
    case WEIR_FLAG_FILE:
    case WEIR_FLAG_NAME:
    case WEIR_FLAG_KIND:
    case WEIR_FLAG_PIPELINE:
    case WEIR_FLAG_ENTRYPOINT: return put_string(request, weir_flag_texts[flag].name, value, error);
    case WEIR_FLAG_FEED: weir_member_put(request, "open", weir_bool_new(true)); return true;
    case WEIR_FLAG_NO_STRICT: weir_member_put(request, "strict", weir_bool_new(false)); return true;
    case WEIR_FLAG_DEADLINE: return put_duration(request, "deadline_us", flag, value, error);
    case WEIR_FLAG_FORGET_AFTER:
        return put_duration(request, "forget_after_us", flag, value, error);
    case WEIR_FLAG_MAX_CONTEXTS: return put_count(request, "max_contexts", value, error);
    case WEIR_FLAG_CONFIGURE: return put_configure(request, value, error);
    case WEIR_FLAG_OVERLAY: return put_overlay(request, value, error);
    case WEIR_FLAG_NO_CACHE: return put_string(request, "cache", "off", error);
    case WEIR_FLAG_REFRESH_CACHE: return put_string(request, "cache", "refresh", error);
    case WEIR_FLAG_LIST_STYLE:
        weir_member_put(request, "list_style", weir_bool_new(true));
        return true;
    default: return true;
    }
}

static bool fill(const weir_cli *cli, weir_value *request, weir_error *error) {
    for (size_t i = 0; i < cli->given.count; i++)
        if (!put_flag(request, cli->given.items[i].flag, cli->given.items[i].value, error))
            return false;
    for (size_t i = 0; i < cli->words.count; i++) {
        const char *word = cli->words.items[i];
        /* The first word that is no NAME=VALUE, or is a file's name all the same, is the file, wherever it stands. */
        struct stat there;
        bool file = !weir_member_named(request, "file") &&
                    (!strchr(word, '=') || (stat(word, &there) == 0 && !S_ISDIR(there.st_mode)));
        if (!(file ? put_string(request, "file", word, error)
                   : put_pair(request, "texts", word, true, error)))
            return false;
    }
    if (weir_member_named(request, "file")) return true;
    weir_fail(error, WEIR_USAGE, "which file?");
    weir_error_hint(error, "write `weir %s %s`", cli->command->name, cli->command->arguments);
    return false;
}

bool weir_cli_request(const weir_cli *cli, weir_value **out, weir_error *error) {
    weir_value *request = weir_object_new();
    bool ok = fill(cli, request, error);
    if (ok)
        *out = request;
    else
        weir_value_unref(request);
    return ok;
}
