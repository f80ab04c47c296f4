#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/time.h"
#include "cli/program.h"
#include "data/go.h"

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

/* Sets object[name], or makes it a list with what is there. */
static void put_another(weir_value *object, weir_str name, weir_value *value) {
    weir_value *before = weir_member(object, name);
    if (!before) {
        weir_member_set(object, name, value);
    } else if (weir_is(before, WEIR_ARRAY)) {
        weir_array_append(before, value);
    } else {
        weir_value *list = weir_array_new();
        weir_array_append(list, weir_value_ref(before));
        weir_array_append(list, value);
        weir_member_set(object, name, list);
    }
}

/* Which texts an option gives: those of files, by '@FILE'; several of one name. */
enum { FROM_FILES = 1, AGAIN = 2 };

/* Sets object[name] to the text, or with FROM_FILES to what the file behind '@' has. */
static bool put_text(weir_value *object, weir_str name, weir_str text, int kinds,
                     weir_error *error) {
    bool files = kinds & FROM_FILES;
    if (!(kinds & AGAIN) && weir_member(object, name))
        return weir_fail(error, WEIR_USAGE, "`%.*s` is given twice", WEIR_ARG(name));
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
        put_another(object, name, value);
    else
        weir_value_unref(value);
    if (!ok) weir_error_context(error, "`%.*s`", WEIR_ARG(name));
    return ok;
}

/* "NAME=VALUE" into request[member]. */
static bool put_pair(weir_value *request, const char *member, const char *pair, int kinds,
                     weir_error *error) {
    const char *equals = strchr(pair, '=');
    if (!equals || equals == pair) {
        weir_fail(error, WEIR_USAGE, "`%.200s` is not of the form NAME=%s", pair,
                  kinds & FROM_FILES ? "VALUE" : "TEXT");
        return false;
    }
    return put_text(weir_member_object(request, weir_str_from(member)),
                    (weir_str){pair, (size_t)(equals - pair)}, weir_str_from(equals + 1), kinds,
                    error);
}

/* "NAME:DEFINITION=VALUE"; the first ':' ends the name. */
static bool put_context(weir_value *request, const char *word, weir_error *error) {
    const char *colon = strchr(word, ':'), *equals = colon ? strchr(colon, '=') : NULL;
    if (!equals || colon == word || equals == colon + 1)
        return weir_fail(error, WEIR_USAGE, "`%.200s` is not of the form NAME:DEFINITION=VALUE",
                         word);
    weir_value *contexts = weir_member_object(request, WEIR_STR("context_texts"));
    return put_text(weir_member_object(contexts, (weir_str){word, (size_t)(colon - word)}),
                    (weir_str){colon + 1, (size_t)(equals - colon) - 1}, weir_str_from(equals + 1),
                    FROM_FILES | AGAIN, error);
}

/* "INSTANCE.KEY=VALUE"; the last '.' before '=' ends the instance, which may have others. */
static bool put_configure(weir_value *request, const char *word, weir_error *error) {
    const char *equals = strchr(word, '='), *point = NULL;
    for (const char *at = word; equals && at < equals; at++)
        if (*at == '.') point = at;
    if (!point || point == word || equals == point + 1)
        return weir_fail(error, WEIR_USAGE, "`%.200s` is not of the form INSTANCE.KEY=VALUE", word);
    weir_value *configure = weir_member_object(request, WEIR_STR("configure"));
    bool ok = put_text(weir_member_object(configure, (weir_str){word, (size_t)(point - word)}),
                       (weir_str){point + 1, (size_t)(equals - point) - 1},
                       weir_str_from(equals + 1), FROM_FILES, error);
    if (!ok && error->code == WEIR_USAGE) weir_error_hint(error, "once is enough");
    return ok;
}

static bool put_path(weir_value *request, const char *member, const char *file, weir_error *error) {
    weir_value *paths = weir_member_named(request, member), *path;
    if (!paths) weir_member_put(request, member, paths = weir_array_new());
    path = weir_string_from(weir_str_from(file));
    bool ok = check_text(path, error);
    if (ok)
        weir_array_append(paths, path);
    else
        weir_value_unref(path);
    return ok;
}

static bool put_string(weir_value *request, const char *member, const char *text,
                       weir_error *error) {
    if (put_text(request, weir_str_from(member), weir_str_from(text), 0, error)) return true;
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

static bool put_scheduled_time(weir_value *request, const char *text, weir_error *error) {
    uint64_t us;
    if (!weir_moment_parse(weir_str_from(text), &us, error)) {
        error->code = WEIR_USAGE;
        return false;
    }
    return put_string(request, "scheduled_time", text, error);
}

/* Any integer: Argo's priorities may be below 0. */
static bool put_priority(weir_value *request, const char *text, weir_error *error) {
    char *end;
    errno = 0;
    long long priority = strtoll(text, &end, 10);
    if (*end || end == text || errno || priority < INT32_MIN || priority > INT32_MAX)
        return weir_fail(error, WEIR_USAGE, "--priority: `%.64s` is no integer of 32 bits", text);
    weir_member_put(request, "priority", weir_int_new(priority));
    return true;
}

/* Its parameters, but those that are given by themselves. */
static bool put_parameter_file(weir_value *request, const char *file, weir_error *error) {
    weir_document document = {0};
    if (!weir_document_load(&document, file, WEIR_YAML_1_1, error)) return false;
    const weir_value *root = document.roots.items[0];
    bool ok = document.roots.count == 1 && weir_is(root, WEIR_OBJECT);
    weir_value *parameters = weir_member_object(request, WEIR_STR("parameters"));
    for (size_t i = 0; ok && i < weir_value_count(root); i++) {
        weir_str name = weir_object_key(root, i);
        weir_value *value = weir_object_at(root, i);
        if (!weir_member(parameters, name))
            weir_member_set(parameters, name, weir_go_text_of(value));
    }
    if (!ok) {
        weir_fail(error, WEIR_INVALID, "parameters are one object: NAME: VALUE, a line each");
        weir_error_place(error, weir_str_from(file), 1, 1);
    }
    weir_document_deinit(&document);
    return ok;
}

/* The last one counts, so that what a script says can be changed behind it. */
static bool put_choice(weir_value *request, const char *member, const char *choices,
                       const char *value, weir_error *error) {
    if (weir_settings_choice(choices, weir_str_from(value)) < 0)
        return weir_fail(error, WEIR_USAGE, "--%s is one of %s, not `%.64s`", member, choices,
                         value);
    weir_member_put_text(request, member, weir_str_from(value));
    return true;
}

/* "NAME=FILE" */
static bool put_artifact(weir_value *request, const char *word, weir_error *error) {
    const char *equals = strchr(word, '=');
    weir_buffer pair = {0};
    if (!equals || equals == word || !equals[1])
        return weir_fail(error, WEIR_USAGE, "`%.200s` is not of the form NAME=FILE", word);
    weir_buffer_printf(&pair, "%.*s=@%s", (int)(equals - word), word, equals + 1);
    bool ok = put_pair(request, "artifacts", pair.data, FROM_FILES, error);
    weir_buffer_deinit(&pair);
    return ok;
}

/* "TEMPLATE=FILE" */
static bool put_mock(weir_value *request, const char *word, weir_error *error) {
    const char *equals = strchr(word, '=');
    weir_document document = {0};
    if (!equals || equals == word || !equals[1])
        return weir_fail(error, WEIR_USAGE, "`%.200s` is not of the form TEMPLATE=FILE", word);
    if (!weir_document_load(&document, equals + 1, WEIR_YAML_1_1, error)) return false;
    weir_member_set(weir_member_object(request, WEIR_STR("mocks")),
                    (weir_str){word, (size_t)(equals - word)},
                    weir_value_ref(document.roots.items[0]));
    weir_document_deinit(&document);
    return true;
}

static bool put_flag(weir_value *request, weir_flag flag, const char *value, weir_error *error) {
    switch (flag) {
    case WEIR_FLAG_INPUT:
    case WEIR_FLAG_INPUTS: return put_pair(request, "texts", value, FROM_FILES | AGAIN, error);
    case WEIR_FLAG_LABEL: return put_pair(request, "labels", value, 0, error);
    case WEIR_FLAG_PARAMETER: return put_pair(request, "parameters", value, 0, error);
    case WEIR_FLAG_CONTEXT: return put_context(request, value, error);
    case WEIR_FLAG_INPUTS_FILE: return put_string(request, "inputs_file", value, error);
    case WEIR_FLAG_CONTEXTS: return put_string(request, "contexts_file", value, error);
    case WEIR_FLAG_FILE:
    case WEIR_FLAG_NAME:
    case WEIR_FLAG_KIND:
    case WEIR_FLAG_PIPELINE:
    case WEIR_FLAG_ONLY:
    case WEIR_FLAG_ENTRYPOINT: return put_string(request, weir_flag_texts[flag].name, value, error);
    case WEIR_FLAG_FEED: weir_member_put(request, "open", weir_bool_new(true)); return true;
    case WEIR_FLAG_NO_STRICT: weir_member_put(request, "strict", weir_bool_new(false)); return true;
    case WEIR_FLAG_DEADLINE: return put_duration(request, "deadline_us", flag, value, error);
    case WEIR_FLAG_EXECUTOR:
        return put_choice(request, "executor", "auto, process, container", value, error);
    case WEIR_FLAG_NETWORK: return put_choice(request, "network", "host, none", value, error);
    case WEIR_FLAG_PULL: return put_choice(request, "pull", "missing, always, never", value, error);
    case WEIR_FLAG_RESUME_AFTER:
        return put_duration(request, "resume_after_us", flag, value, error);
    case WEIR_FLAG_FORGET_AFTER:
        return put_duration(request, "forget_after_us", flag, value, error);
    case WEIR_FLAG_MAX_CONTEXTS: return put_count(request, "max_contexts", value, error);
    case WEIR_FLAG_CONFIGURE: return put_configure(request, value, error);
    case WEIR_FLAG_OVERLAY: return put_path(request, "overlays", value, error);
    case WEIR_FLAG_GOAL: return put_path(request, "goals", value, error);
    case WEIR_FLAG_KEEP_ALL: weir_member_put(request, "keep_all", weir_bool_new(true)); return true;
    case WEIR_FLAG_MODE: return put_choice(request, "mode", "async, sync, scheduled", value, error);
    case WEIR_FLAG_SCHEDULER:
        return put_choice(request, "scheduler", "fifo, fair, critical-path, memory", value, error);
    case WEIR_FLAG_OPTIMIZE:
        return put_choice(request, "optimize", "time, memory, energy", value, error);
    case WEIR_FLAG_PYTHON: return put_string(request, "python", value, error);
    case WEIR_FLAG_TICK: return put_duration(request, "tick_us", flag, value, error);
    case WEIR_FLAG_GENERATE_NAME: return put_string(request, "generate_name", value, error);
    case WEIR_FLAG_PRIORITY: return put_priority(request, value, error);
    case WEIR_FLAG_SCHEDULED_TIME: return put_scheduled_time(request, value, error);
    case WEIR_FLAG_STRICT:
        weir_member_put(request, "strict_fields", weir_bool_new(true));
        return true;
    case WEIR_FLAG_ARTIFACT: return put_artifact(request, value, error);
    case WEIR_FLAG_MOCK: return put_mock(request, value, error);
    case WEIR_FLAG_KEEP: weir_member_put(request, "keep", weir_bool_new(true)); return true;
    case WEIR_FLAG_ALLOW_HOST_PATH:
        weir_member_put(request, "allow_host_path", weir_bool_new(true));
        return true;
    case WEIR_FLAG_LIBRARY: return put_path(request, "library", value, error);
    case WEIR_FLAG_NO_CACHE: return put_string(request, "cache", "off", error);
    case WEIR_FLAG_REFRESH_CACHE: return put_string(request, "cache", "refresh", error);
    case WEIR_FLAG_LIST_STYLE:
        weir_member_put(request, "list_style", weir_bool_new(true));
        return true;
    default: return true;
    }
}

/* The first word that is no NAME=VALUE, or is a file's name all the same, is a file, wherever it stands; others that are no NAME=VALUE
 * where they are there, or end as files do. */
static bool is_file(const char *word, bool first) {
    struct stat there;
    weir_str text = weir_str_from(word);
    bool pair = strchr(word, '=') != NULL;
    if (strcmp(word, "-") == 0) return true;
    if ((first || !pair) && stat(word, &there) == 0 && !S_ISDIR(there.st_mode)) return true;
    return !pair &&
           (first || weir_str_ends(text, WEIR_STR(".yaml")) ||
            weir_str_ends(text, WEIR_STR(".yml")) || weir_str_ends(text, WEIR_STR(".json")));
}

/* A Workflow that is what a template kept in the state says: KIND/NAME as Argo names it. */
static bool put_from(weir_value *request, const char *from, weir_error *error) {
    const char *slash = strchr(from, '/');
    weir_str kind = {from, slash ? (size_t)(slash - from) : 0};
    bool cluster = weir_str_is(kind, "clusterworkflowtemplate") || weir_str_is(kind, "cwftmpl");
    if (!slash || !slash[1] ||
        (!cluster && !weir_str_is(kind, "workflowtemplate") && !weir_str_is(kind, "wftmpl"))) {
        weir_fail(error, WEIR_USAGE, "nothing can be submitted from `%.200s`", from);
        weir_error_hint(error, "--from workflowtemplate/NAME or clusterworkflowtemplate/NAME");
        return false;
    }
    weir_str name = weir_str_from(slash + 1);
    weir_value *workflow = weir_object_new(), *metadata = weir_object_new(),
               *spec = weir_object_new(), *reference = weir_object_new();
    weir_buffer text = {0};
    weir_buffer_printf(&text, "%.*s-", WEIR_ARG(name));
    weir_member_put_text(metadata, "generateName", weir_buffer_str(&text));
    weir_member_put_text(reference, "name", name);
    if (cluster) weir_member_put(reference, "clusterScope", weir_bool_new(true));
    weir_member_put(spec, "workflowTemplateRef", reference);
    weir_member_put_text(workflow, "apiVersion", WEIR_STR("argoproj.io/v1alpha1"));
    weir_member_put_text(workflow, "kind", WEIR_STR("Workflow"));
    weir_member_put(workflow, "metadata", metadata);
    weir_member_put(workflow, "spec", spec);
    weir_buffer_clear(&text);
    weir_json_format(workflow, 0, &text);
    weir_member_put_text(request, "file", weir_str_from(from));
    weir_member_put_text(request, "document", weir_buffer_str(&text));
    weir_value_unref(workflow);
    weir_buffer_deinit(&text);
    return true;
}

bool weir_cli_request_input(weir_value *request, weir_error *error) {
    static const char name[] = "standard input";
    weir_buffer text = {0};
    bool ok = weir_file_read_input(STDIN_FILENO, name, WEIR_FILE_BYTES_MAX, &text, error);
    weir_member_put_text(request, "file", weir_str_from(name));
    weir_member_put_text(request, "document", weir_buffer_str(&text));
    weir_buffer_deinit(&text);
    return ok;
}

static bool fill(const weir_cli *cli, weir_value *request, weir_error *error) {
    for (size_t i = 0; i < cli->given.count; i++)
        if (!put_flag(request, cli->given.items[i].flag, cli->given.items[i].value, error))
            return false;
    for (size_t i = 0; i < cli->given.count; i++)
        if (cli->given.items[i].flag == WEIR_FLAG_PARAMETER_FILE &&
            !put_parameter_file(request, cli->given.items[i].value, error))
            return false;
    return true;
}

/* Adds the words: NAME=VALUE to the request, files to the list. */
static bool take_words(const weir_cli *cli, weir_value *request, weir_value *files,
                       weir_error *error) {
    const char *from = weir_cli_text(cli, WEIR_FLAG_FROM);
    bool has_file = from || weir_member_named(request, "file");
    for (size_t i = 0; i < cli->words.count; i++) {
        const char *word = cli->words.items[i];
        bool first = !has_file && !weir_value_count(files);
        if (!has_file && is_file(word, first))
            weir_array_append(files, weir_string_from(weir_str_from(word)));
        else if (!put_pair(request, "texts", word, FROM_FILES | AGAIN, error))
            return false;
    }
    if (has_file || weir_value_count(files)) return true;
    weir_fail(error, WEIR_USAGE, "which file?");
    weir_error_hint(error, "write `weir %s %s`", cli->command->name, cli->command->arguments);
    return false;
}

static bool add_request(const weir_cli *cli, const weir_value *file, weir_value *list,
                        weir_error *error) {
    weir_value *request = weir_object_new(), *ignored = weir_array_new();
    const char *from = weir_cli_text(cli, WEIR_FLAG_FROM);
    bool ok = fill(cli, request, error) && take_words(cli, request, ignored, error);
    if (ok && from) ok = put_from(request, from, error);
    if (cli->settings.workflow)
        weir_member_put(request, "workflow", weir_value_ref(cli->settings.workflow));
    bool input = file && weir_str_is(weir_string_get(file), "-");
    if (ok && input)
        ok = weir_cli_request_input(request, error);
    else if (ok && file)
        ok = put_string(request, "file", weir_string_get(file).data, error);
    weir_value_unref(ignored);
    if (ok)
        weir_array_append(list, request);
    else
        weir_value_unref(request);
    return ok;
}

bool weir_cli_request_alone(const weir_cli *cli, weir_value **out, weir_error *error) {
    weir_value *request = weir_object_new();
    bool ok = fill(cli, request, error);
    if (cli->settings.workflow)
        weir_member_put(request, "workflow", weir_value_ref(cli->settings.workflow));
    if (ok)
        *out = request;
    else
        weir_value_unref(request);
    return ok;
}

/* What a program makes, as one file. */
static bool request_of_program(weir_cli *cli, const char *file, const char *const *arguments,
                               size_t count, weir_value **out, weir_error *error) {
    weir_value *request;
    if (!weir_cli_request_alone(cli, &request, error)) return false;
    if (weir_program_gather(cli, file, arguments, count, request, error)) {
        *out = weir_array_new();
        weir_array_append(*out, request);
        return true;
    }
    weir_value_unref(request);
    return false;
}

bool weir_cli_requests(weir_cli *cli, weir_value **out, weir_error *error) {
    const char *const *arguments = NULL;
    size_t given = 0;
    const char *program = weir_program_named(cli, &arguments, &given);
    if (program && !weir_cli_text(cli, WEIR_FLAG_FROM))
        return request_of_program(cli, program, arguments, given, out, error);
    weir_value *list = weir_array_new(), *files = weir_array_new(), *first = weir_object_new();
    bool ok = fill(cli, first, error) && take_words(cli, first, files, error);
    size_t count = weir_value_count(files);
    for (size_t i = 0; ok && i < (count ? count : 1); i++)
        ok = add_request(cli, count ? weir_array_at(files, i) : NULL, list, error);
    weir_value_unref(first);
    weir_value_unref(files);
    if (ok)
        *out = list;
    else
        weir_value_unref(list);
    return ok;
}

bool weir_cli_request(weir_cli *cli, weir_value **out, weir_error *error) {
    weir_value *list;
    if (!weir_cli_requests(cli, &list, error)) return false;
    bool one = weir_value_count(list) == 1;
    if (one)
        *out = weir_value_ref(weir_array_at(list, 0));
    else
        weir_fail(error, WEIR_USAGE, "`%.200s` is one file too many",
                  weir_member_text(weir_array_at(list, 1), "file").data);
    weir_value_unref(list);
    return one;
}

bool weir_cli_changes(const weir_cli *cli, weir_value **out, weir_error *error) {
    weir_value *request = weir_object_new();
    bool ok = fill(cli, request, error);
    if (ok)
        *out = request;
    else
        weir_value_unref(request);
    return ok;
}
