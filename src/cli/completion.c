#include <ctype.h>

#include "cli/commands.h"

static void put_word(weir_cli *cli, weir_str word, const char *prefix, const char *about) {
    if (!weir_str_starts(word, weir_str_from(prefix))) return;
    weir_buffer_str_append(&cli->out.text, word);
    if (about) weir_buffer_printf(&cli->out.text, "\t%s", about);
    weir_buffer_byte(&cli->out.text, '\n');
}

/* The words between separators. */
static void put_words(weir_cli *cli, weir_str words, const char *separators, const char *prefix) {
    for (size_t from = 0, end; from < words.length; from = end + 1) {
        for (end = from; end < words.length && !strchr(separators, words.data[end]);) end++;
        put_word(cli, weir_str_slice(words, from, end), prefix, NULL);
    }
}

/* What another command says with `-o name`. */
static void put_names(weir_cli *cli, const char *first, const char *second, const char *prefix) {
    char *const words[] = {(char *)(void *)first, (char *)(void *)second, "-o", "name"};
    size_t used = second ? 2 : 1;
    weir_cli other = {.command = weir_command_find(words, used, NULL), .out.fd = -1};
    weir_command_run(&other, words + 2, 2);
    put_words(cli, weir_buffer_str(&other.out.text), "\n", prefix);
    weir_cli_deinit(&other);
}

/* Commands that begin with the words before the last. */
static void put_commands(weir_cli *cli, char *const *words, size_t count) {
    weir_buffer before = {0};
    weir_str last = {0};
    for (size_t i = 0; i + 1 < count; i++) weir_buffer_printf(&before, "%s ", words[i]);
    for (const weir_command *command = weir_commands; command->name; command++) {
        weir_str name = weir_str_from(command->name);
        if (!weir_str_starts(name, weir_buffer_str(&before))) continue;
        size_t end = weir_str_find(name, WEIR_STR(" "), before.length);
        weir_str word = weir_str_slice(name, before.length, end);
        if (!weir_str_equal(word, last))
            put_word(cli, word, words[count - 1], end < name.length ? NULL : command->about);
        last = word;
    }
    weir_buffer_deinit(&before);
}

/* What can stand for an argument, as its name in the table tells; the shell itself knows files and directories. */
static void put_argument(weir_cli *cli, const char *argument, bool option, const char *prefix) {
    weir_str text = weir_str_from(argument);
    text = weir_str_slice(text, 0, weir_str_find(text, WEIR_STR(" "), 0)); /* the first of them */
    if (text.length && islower((unsigned char)text.data[0]))
        put_words(cli, text, "|", prefix);
    else if (weir_str_is(text, "EXAMPLE"))
        put_names(cli, "example", "list", prefix);
    else if (weir_str_starts(text, WEIR_STR("FILE")))
        weir_buffer_text(&cli->out.text, "FILE\n");
    else if (weir_str_is(text, "DIGEST"))
        put_names(cli, "blob", "list", prefix);
    else if (weir_str_starts(text, WEIR_STR("IMAGE")))
        put_names(cli, "image", "list", prefix);
    else if (weir_str_is(text, "DIR"))
        weir_buffer_text(&cli->out.text, "DIR\n");
    else if (weir_str_starts(text, WEIR_STR("RUN")))
        put_names(cli, "list", NULL, prefix);
    else if (!option && (weir_str_is(text, "NAME") || weir_str_starts(text, WEIR_STR("OPERATION"))))
        put_names(cli, "operation", "list", prefix);
}

static const char *argument_behind(const weir_command *command, weir_str word) {
    bool dashes = weir_str_starts(word, WEIR_STR("--")),
         dash = weir_str_starts(word, WEIR_STR("-"));
    weir_str name = weir_str_slice(word, dashes ? 2 : 1, word.length);
    for (const unsigned char *flag = command->flags; dash && *flag != WEIR_FLAG_END; flag++) {
        const weir_flag_text *text = &weir_flag_texts[*flag];
        if (dashes ? weir_str_is(name, text->name)
                   : weir_str_equal(name, (weir_str){&text->letter, 1}))
            return weir_command_argument(command, *flag);
    }
    return NULL;
}

void weir_complete(weir_cli *cli, char *const *words, size_t count) {
    size_t used = 0;
    if (!count) return;
    const weir_command *command = weir_command_find(words, count - 1, &used);
    const char *last = words[count - 1], *argument = NULL;
    if (!command) {
        put_commands(cli, words, count);
    } else if (count - used > 1 &&
               (argument = argument_behind(command, weir_str_from(words[count - 2])))) {
        put_argument(cli, argument, true, last);
    } else if (last[0] == '-') {
        weir_buffer option = {0};
        for (weir_flag flag = WEIR_FLAG_END + 1; flag < WEIR_FLAG_COUNT; flag++) {
            if (!weir_command_has(command, flag)) continue;
            weir_buffer_clear(&option);
            weir_buffer_printf(&option, "--%s", weir_flag_texts[flag].name);
            put_word(cli, weir_buffer_str(&option), last, weir_command_about(command, flag));
        }
        weir_buffer_deinit(&option);
    } else if (strcmp(command->name, "help") == 0) {
        put_commands(cli, words + used, count - used);
    } else {
        put_argument(cli, command->arguments, false, last);
        if (count - used == 1) put_commands(cli, words, count); /* that go on, as `run records` */
    }
}

/* zsh can use what is made for bash. */
static const char
    zsh[] = "#compdef weir\nautoload -Uz bashcompinit && bashcompinit\n",
    bash[] =
        "_weir() {\n"
        "    local IFS=$'\\n' word=${COMP_WORDS[COMP_CWORD]}\n"
        "    COMPREPLY=($(weir complete \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null | cut -f1))\n"
        "    case ${COMPREPLY[0]} in\n"
        "    FILE) COMPREPLY=($(compgen -f -- \"$word\") \"${COMPREPLY[@]:1}\") ;;\n"
        "    DIR) COMPREPLY=($(compgen -d -- \"$word\")) ;;\n"
        "    esac\n"
        "}\n"
        "complete -o filenames -F _weir weir\n",
    fish[] =
        "function __weir_complete\n"
        "    set -l words (commandline -opc) (commandline -ct)\n"
        "    set -l list (weir complete $words[2..-1] 2>/dev/null)\n"
        "    switch \"$list[1]\"\n"
        "        case FILE; __fish_complete_path (commandline -ct); string join \\n $list[2..-1]\n"
        "        case DIR; __fish_complete_directories (commandline -ct)\n"
        "        case '*'; printf '%s\\n' $list\n"
        "    end\n"
        "end\n"
        "complete -c weir -f -a '(__weir_complete)'\n";

int weir_completion_command(weir_cli *cli) {
    weir_error error;
    int shell = weir_settings_choice("bash|zsh|fish", weir_str_from(cli->words.items[0]));
    if (shell >= 0) {
        weir_buffer_text(&cli->out.text, shell == 1 ? zsh : "");
        weir_buffer_text(&cli->out.text, shell == 2 ? fish : bash);
        return 0;
    }
    weir_fail(&error, WEIR_USAGE, "there is no completion for `%.64s`", cli->words.items[0]);
    weir_error_hint(&error, "one of bash, zsh, fish");
    return weir_cli_fail(&error);
}
