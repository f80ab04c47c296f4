#include <ctype.h>

#include "cli/commands.h"

/* What can stand for an argument, as its name in the table tells. */
typedef enum origin { NOTHING, FILES, DIRECTORIES, CHOICES, RUNS, OPERATIONS, COMMANDS } origin;

static origin origin_of(const char *argument, bool word) {
    weir_str text = weir_str_from(argument ? argument : "");
    if (text.length && islower((unsigned char)text.data[0])) return CHOICES;
    if (weir_str_starts(text, WEIR_STR("FILE"))) return FILES;
    if (weir_str_is(text, "DIR")) return DIRECTORIES;
    if (weir_str_starts(text, WEIR_STR("RUN"))) return RUNS;
    if (weir_str_is(text, "[COMMAND]")) return COMMANDS;
    return word && weir_str_is(text, "NAME") ? OPERATIONS : NOTHING;
}

static void put_quoted(weir_buffer *out, const char *text) {
    weir_buffer_byte(out, '\'');
    for (; *text; text++)
        weir_buffer_append(out, *text == '\'' ? "'\\''" : text, *text == '\'' ? 4 : 1);
    weir_buffer_byte(out, '\'');
}

static void put_choices(weir_buffer *out, const char *choices) {
    for (; *choices; choices++) weir_buffer_byte(out, *choices == '|' ? ' ' : *choices);
}

static void put_command_names(weir_buffer *out) {
    for (const weir_command *command = weir_commands; command->name; command++) {
        const char *space = strchr(command->name, ' ');
        const char *last = command > weir_commands ? command[-1].name : "";
        size_t length = space ? (size_t)(space - command->name) : strlen(command->name);
        if (space && strncmp(last, command->name, length + 1) == 0) continue;
        weir_buffer_printf(out, "%.*s ", (int)length, command->name);
    }
}

static void put_bash_words(weir_buffer *out, origin from, const char *choices) {
    static const char *const lists[] = {
        [FILES] = "files=-f",
        [DIRECTORIES] = "files=-d",
        [RUNS] = "list=$(weir list -o name 2>/dev/null)",
        [OPERATIONS] = "list=$(weir operation list -o name 2>/dev/null)",
        [COMMANDS] = "list=$commands",
    };
    if (from == CHOICES) {
        weir_buffer_text(out, "list='");
        put_choices(out, choices);
        weir_buffer_text(out, "'");
    } else if (from != NOTHING) {
        weir_buffer_text(out, lists[from]);
    } else {
        weir_buffer_text(out, ":");
    }
}

static void put_bash_command(weir_buffer *out, const weir_command *command) {
    bool two = strchr(command->name, ' ') != NULL;
    weir_buffer_printf(out, "    \"%s%s) options='--help", command->name, two ? "\"" : " \"*");
    for (const unsigned char *flag = command->flags; *flag != WEIR_FLAG_END; flag++)
        weir_buffer_printf(out, " --%s", weir_flag_texts[*flag].name);
    weir_buffer_text(out, "' forms='");
    put_choices(out, command->forms ? command->forms : "");
    weir_buffer_text(out, "'\n        ");
    put_bash_words(out, origin_of(command->arguments, true), command->arguments);
    weir_buffer_text(out, " ;;\n");
}

static void put_bash(weir_buffer *out) {
    weir_buffer_text(out, "_weir() {\n"
                          "    local word=${COMP_WORDS[COMP_CWORD]}\n"
                          "    local before=${COMP_WORDS[COMP_CWORD-1]}\n"
                          "    local options= forms= list= files= commands='");
    put_command_names(out);
    weir_buffer_text(out, "'\n    case \"${COMP_WORDS[1]} ${COMP_WORDS[2]}\" in\n");
    for (const weir_command *command = weir_commands; command->name; command++)
        put_bash_command(out, command);
    weir_buffer_text(out, "    \"operation \"*) list='list show' ;;\n    esac\n"
                          "    (( COMP_CWORD == 1 )) && list=$commands\n"
                          "    case \"$before\" in\n"
                          "    -o|--output) list=$forms files= options= ;;\n");
    for (weir_flag flag = WEIR_FLAG_END + 1; flag < WEIR_FLAG_COUNT; flag++) {
        const char *argument = weir_flag_texts[flag].argument;
        if (!argument || flag == WEIR_FLAG_OUTPUT) continue;
        weir_buffer_printf(out, "    --%s) list= files= options=; ", weir_flag_texts[flag].name);
        put_bash_words(out, origin_of(argument, false), argument);
        weir_buffer_text(out, " ;;\n");
    }
    weir_buffer_text(out, "    esac\n"
                          "    [[ $word == -* ]] && list=$options files=\n"
                          "    COMPREPLY=($(compgen $files -W \"$list\" -- \"$word\"))\n"
                          "}\ncomplete -o filenames -F _weir weir\n");
}

static void put_fish_words(weir_buffer *out, origin from, const char *choices) {
    static const char *const lists[] = {
        [NOTHING] = "",
        [FILES] = " -F",
        [DIRECTORIES] = " -a '(__fish_complete_directories)'",
        [RUNS] = " -a '(weir list -o name 2>/dev/null)'",
        [OPERATIONS] = " -a '(weir operation list -o name 2>/dev/null)'",
        [COMMANDS] = " -a \"$__weir_commands\"",
    };
    if (from != CHOICES) {
        weir_buffer_text(out, lists[from]);
        return;
    }
    weir_buffer_text(out, " -a '");
    put_choices(out, choices);
    weir_buffer_text(out, "'");
}

/* The beginning of a line for the command; its condition asks for each of its words. */
static void put_fish_command(weir_buffer *out, const weir_command *command) {
    weir_buffer_text(out, "complete -c weir -n '__fish_seen_subcommand_from ");
    for (const char *at = command->name; *at; at++)
        if (*at == ' ')
            weir_buffer_text(out, "; and __fish_seen_subcommand_from ");
        else
            weir_buffer_byte(out, *at);
    weir_buffer_byte(out, '\'');
}

static void put_fish_flag(weir_buffer *out, const weir_command *command, weir_flag flag) {
    const weir_flag_text *text = &weir_flag_texts[flag];
    const char *argument = weir_command_argument(command, flag);
    put_fish_command(out, command);
    weir_buffer_printf(out, " -l %s", text->name);
    if (text->letter) weir_buffer_printf(out, " -s %c", text->letter);
    if (argument) weir_buffer_text(out, origin_of(argument, false) == FILES ? " -r" : " -x");
    if (argument) put_fish_words(out, origin_of(argument, false), argument);
    weir_buffer_text(out, " -d ");
    put_quoted(out, text->about);
    weir_buffer_byte(out, '\n');
}

static void put_fish(weir_buffer *out) {
    weir_buffer_text(out, "set -g __weir_commands ");
    put_command_names(out);
    weir_buffer_text(out, "\ncomplete -c weir -f\n"
                          "complete -c weir -n __fish_use_subcommand -a \"$__weir_commands\"\n"
                          "complete -c weir -n '__fish_seen_subcommand_from operation' "
                          "-a 'list show'\n");
    for (const weir_command *command = weir_commands; command->name; command++) {
        put_fish_command(out, command);
        put_fish_words(out, origin_of(command->arguments, true), command->arguments);
        weir_buffer_text(out, "\n");
        for (const unsigned char *flag = command->flags; *flag != WEIR_FLAG_END; flag++)
            put_fish_flag(out, command, *flag);
        put_fish_flag(out, command, WEIR_FLAG_HELP);
    }
}

int weir_completion_command(weir_cli *cli) {
    const char *shell = cli->words.items[0];
    weir_buffer *out = &cli->out.text;
    bool zsh = strcmp(shell, "zsh") == 0; /* which can use what is made for bash */
    if (strcmp(shell, "fish") == 0) {
        put_fish(out);
    } else if (zsh || strcmp(shell, "bash") == 0) {
        if (zsh)
            weir_buffer_text(out, "#compdef weir\nautoload -Uz bashcompinit && bashcompinit\n");
        put_bash(out);
    } else {
        weir_error error;
        weir_fail(&error, WEIR_USAGE, "there is no completion for `%.64s`", shell);
        weir_error_hint(&error, "one of bash, zsh, fish");
        return weir_cli_fail(&error);
    }
    return 0;
}
