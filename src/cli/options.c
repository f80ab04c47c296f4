#include <stdio.h>

#include "cli/commands.h"
#include "data/yaml_format.h"

bool weir_command_has(const weir_command *command, weir_flag flag) {
    if (flag == WEIR_FLAG_HELP) return true;
    for (const unsigned char *at = command->flags; *at != WEIR_FLAG_END; at++)
        if (*at == flag) return true;
    return false;
}

const char *weir_command_argument(const weir_command *command, weir_flag flag) {
    return flag == WEIR_FLAG_OUTPUT ? command->forms : weir_flag_texts[flag].argument;
}

const char *weir_command_about(const weir_command *command, weir_flag flag) {
    bool file = flag == WEIR_FLAG_OUTPUT && command->forms && strcmp(command->forms, "FILE") == 0;
    return file ? "write it there; else to the output" : weir_flag_texts[flag].about;
}

static bool fail_unknown(const weir_command *command, weir_str word, weir_error *error) {
    weir_str name = weir_str_slice(word, 2, word.length);
    weir_nearest nearest = weir_nearest_to(name);
    for (weir_flag flag = WEIR_FLAG_END + 1; flag < WEIR_FLAG_COUNT; flag++)
        if (weir_command_has(command, flag))
            weir_nearest_try(&nearest, weir_str_from(weir_flag_texts[flag].name));
    weir_fail(error, WEIR_USAGE, "`weir %s` has no option `%.*s`", command->name, WEIR_ARG(word));
    if (name.length && nearest.best.length)
        weir_error_hint(error, "did you mean `--%.*s`?", WEIR_ARG(nearest.best));
    else
        weir_error_hint(error, "`weir help %s` lists its options", command->name);
    return false;
}

static bool add_given(weir_cli *cli, weir_flag flag, const char *value, weir_error *error) {
    const char *argument = weir_command_argument(cli->command, flag);
    /* FORM:s of a value, as in NAME=@FILE|env:VAR, are no choices. */
    bool choice = argument && strchr(argument, '|') && !strchr(argument, '=');
    if (choice && weir_settings_choice(argument, WEIR_STR("table")) >= 0 &&
        (strcmp(value, "table") == 0 || strcmp(value, "text") == 0)) {
        value = "text"; /* both name what people get; commands ask for this one */
        choice = false;
    }
    if (choice && weir_settings_choice(argument, weir_str_from(value)) < 0) {
        weir_fail(error, WEIR_USAGE, "`--%s` cannot be `%.64s`", weir_flag_texts[flag].name, value);
        weir_error_hint(error, "one of %s", argument);
        return false;
    }
    *weir_vector_push(&cli->given) = (weir_given){flag, value};
    return true;
}

/* An option at arguments[*at]: "--name", "--name=value", "-n", "-nvalue" or "-ab"; moves to its last word. */
static bool parse_long(weir_cli *cli, char *const *arguments, size_t count, size_t *at,
                       weir_error *error) {
    const char *word = arguments[*at], *equals = strchr(word, '=');
    weir_str name = {word, equals ? (size_t)(equals - word) : strlen(word)};
    weir_flag flag = WEIR_FLAG_END + 1;
    while (flag < WEIR_FLAG_COUNT &&
           !(weir_command_has(cli->command, flag) &&
             weir_str_is(weir_str_slice(name, 2, name.length), weir_flag_texts[flag].name)))
        flag++;
    if (flag == WEIR_FLAG_COUNT) return fail_unknown(cli->command, name, error);
    const char *argument = weir_command_argument(cli->command, flag);
    if (!argument && equals)
        return weir_fail(error, WEIR_USAGE, "`%.*s` takes no value", WEIR_ARG(name));
    if (!argument) return add_given(cli, flag, "", error);
    if (!equals && *at + 1 == count)
        return weir_fail(error, WEIR_USAGE, "`%s` needs %s", word, argument);
    return add_given(cli, flag, equals ? equals + 1 : arguments[++*at], error);
}

static bool parse_letters(weir_cli *cli, char *const *arguments, size_t count, size_t *at,
                          weir_error *error) {
    for (const char *letter = arguments[*at] + 1; *letter; letter++) {
        weir_flag flag = WEIR_FLAG_END + 1;
        while (flag < WEIR_FLAG_COUNT &&
               !(weir_command_has(cli->command, flag) && weir_flag_texts[flag].letter == *letter))
            flag++;
        if (flag == WEIR_FLAG_COUNT)
            return fail_unknown(cli->command, (weir_str){(char[]){'-', *letter}, 2}, error);
        const char *argument = weir_command_argument(cli->command, flag);
        if (!argument) {
            if (!add_given(cli, flag, "", error)) return false;
            continue;
        }
        if (!letter[1] && *at + 1 == count)
            return weir_fail(error, WEIR_USAGE, "`-%c` needs %s", *letter, argument);
        return add_given(cli, flag, letter[1] ? letter + 1 : arguments[++*at], error);
    }
    return true;
}

static bool check_words(const weir_cli *cli, weir_error *error) {
    const weir_command *command = cli->command;
    if (weir_cli_has(cli, WEIR_FLAG_HELP)) return true;
    if (cli->words.count > command->words_max)
        weir_fail(error, WEIR_USAGE, "`%s` is one argument too many",
                  cli->words.items[command->words_max]);
    else if (cli->words.count < command->words_min)
        weir_fail(error, WEIR_USAGE, "an argument is missing");
    else
        return true;
    weir_error_hint(error, "write `weir %s%s%s`", command->name, *command->arguments ? " " : "",
                    command->arguments);
    return false;
}

bool weir_cli_parse(weir_cli *cli, char *const *arguments, size_t count, weir_error *error) {
    bool options = true;
    for (size_t i = 0; i < count; i++) {
        const char *word = arguments[i];
        bool ok = true;
        if (options && strcmp(word, "--") == 0)
            options = false;
        else if (options && word[0] == '-' && word[1] == '-')
            ok = parse_long(cli, arguments, count, &i, error);
        else if (options && word[0] == '-' && word[1])
            ok = parse_letters(cli, arguments, count, &i, error);
        else
            *weir_vector_push(&cli->words) = word;
        if (!ok) return false;
    }
    return check_words(cli, error);
}

const char *weir_cli_text(const weir_cli *cli, weir_flag flag) {
    for (size_t i = cli->given.count; i-- > 0;)
        if (cli->given.items[i].flag == flag) return cli->given.items[i].value;
    return NULL;
}

static void cover(char *from, const char *to) {
    while (from < to) *from++ = '*';
}

/* From the first ':' behind the scheme up to the last '@', and what a parameter says. Too much rather than too little. */
static void cover_password(char *url) {
    char *authority = strstr(url, "://") + 3;
    char *colon = strchr(authority, ':'), *at = strrchr(authority, '@');
    if (colon && at) cover(colon + 1, at);
    for (char *found = authority; (found = strstr(found, "password="));) {
        found += strlen("password=");
        cover(found, found + strcspn(found, "&"));
    }
}

void weir_cli_hide_passwords(int argc, char **argv) {
    static const char *const schemes[] = {"postgresql://", "postgres://"};
    for (int i = 0; i < argc; i++)
        for (size_t j = 0; j < sizeof schemes / sizeof *schemes; j++) {
            char *url = strstr(argv[i], schemes[j]);
            if (!url || !(strchr(url, '@') || strstr(url, "password="))) continue;
            argv[i] = weir_str_dup(weir_str_from(argv[i]));
            cover_password(url);
            break;
        }
}

bool weir_cli_has(const weir_cli *cli, weir_flag flag) {
    return weir_cli_text(cli, flag) != NULL;
}

bool weir_cli_form(const weir_cli *cli, const char *form) {
    const char *wanted = weir_cli_text(cli, WEIR_FLAG_OUTPUT);
    if (wanted) return strcmp(wanted, form) == 0;
    wanted = cli->settings.output;
    /* A form from the configuration that this command lacks does not forbid the command. */
    const char *forms = cli->command->forms;
    if (!wanted || !forms || weir_settings_choice(forms, weir_str_from(wanted)) < 0)
        wanted = "text";
    return strcmp(wanted, form) == 0;
}

bool weir_cli_whole(const weir_cli *cli) {
    return weir_cli_form(cli, "json") || weir_cli_form(cli, "yaml");
}

void weir_cli_print(weir_cli *cli, const weir_value *value) {
    if (weir_cli_form(cli, "yaml"))
        weir_yaml_format(value, &cli->out.text);
    else
        weir_output_value(&cli->out, value, 2);
}

int weir_cli_fail(const weir_error *error) {
    weir_output_problem(error);
    return weir_code_exit(error->code);
}
