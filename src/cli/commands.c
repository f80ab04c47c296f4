#include "cli/config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

const weir_command *weir_command_find(char *const *words, size_t count, size_t *used) {
    for (size_t taken = count < 2 ? count : 2; taken > 0; taken--) {
        for (const weir_command *command = weir_commands; command->name; command++) {
            const char *space = strchr(command->name, ' ');
            size_t first = space ? (size_t)(space - command->name) : strlen(command->name);
            if ((space != NULL) != (taken == 2) ||
                !weir_str_equal((weir_str){command->name, first}, weir_str_from(words[0])) ||
                (space && strcmp(space + 1, words[1]) != 0))
                continue;
            if (used) *used = taken;
            return command;
        }
    }
    return NULL;
}

static bool fail_unknown(char *const *words, size_t count, weir_error *error) {
    weir_buffer said = {0};
    weir_str first = weir_str_from(words[0]);
    weir_buffer_str_append(&said, first);
    const char *nearest = NULL;
    size_t best = SIZE_MAX;
    bool in_group = false;
    for (const weir_command *command = weir_commands; command->name; command++) {
        weir_str name = weir_str_from(command->name);
        bool group = weir_str_starts(name, first) && name.length > first.length &&
                     name.data[first.length] == ' ';
        in_group |= group;
        if (group && said.length == first.length && count > 1)
            weir_buffer_printf(&said, " %s", words[1]);
        size_t distance = weir_str_distance(weir_buffer_str(&said), name);
        if (distance >= best) continue;
        best = distance;
        nearest = command->name;
    }
    weir_fail(error, WEIR_USAGE, "there is no command `%.200s`", said.data);
    if (in_group && !weir_str_starts(weir_str_from(nearest), first))
        weir_error_hint(error, "`weir help %s` lists them", words[0]);
    else if (best <= 1 + said.length / 3)
        weir_error_hint(error, "did you mean `weir %s`?", nearest);
    else
        weir_error_hint(error, "`weir help` lists the commands");
    weir_buffer_deinit(&said);
    return false;
}

static void print_overview(weir_buffer *out) {
    weir_buffer_text(out, "weir runs dataflows, workflows and pipelines\n\n"
                          "usage: weir COMMAND [ARGUMENTS] [OPTIONS]\n\n");
    for (const weir_command *command = weir_commands; command->name; command++)
        weir_buffer_printf(out, "  %-16s  %s\n", command->name, command->about);
    weir_buffer_text(out, "\n`weir help COMMAND` explains a command.\n"
                          "exit codes: 0 succeeded, 1 the run failed, 2 the input or the file is "
                          "wrong, 3 weir itself could not\n");
}

static void print_flag(const weir_command *command, weir_flag flag, weir_buffer *out) {
    const weir_flag_text *text = &weir_flag_texts[flag];
    const char *argument = weir_command_argument(command, flag);
    size_t from = out->length;
    weir_buffer_text(out, "  ");
    if (text->letter) weir_buffer_printf(out, "-%c, ", text->letter);
    weir_buffer_printf(out, "--%s%s%s", text->name, argument ? " " : "", argument ? argument : "");
    int used = (int)(out->length - from);
    if (used > 34) {
        weir_buffer_byte(out, '\n');
        used = 0;
    }
    weir_buffer_printf(out, "%*s%s\n", 36 - used, "", weir_command_about(command, flag));
}

static void print_help(const weir_command *command, weir_buffer *out) {
    weir_buffer_printf(out, "weir %s: %s\n\nusage: weir %s%s%s%s\n\noptions:\n", command->name,
                       command->about, command->name, *command->arguments ? " " : "",
                       command->arguments, *command->flags ? " [OPTIONS]" : "");
    for (const unsigned char *flag = command->flags; *flag != WEIR_FLAG_END; flag++)
        print_flag(command, *flag, out);
    print_flag(command, WEIR_FLAG_HELP, out);
}

/* The commands that begin with the word, as `template` does for `template list`; false: there are none. */
static bool print_group(const char *word, weir_buffer *out) {
    size_t length = strlen(word);
    bool any = false;
    for (const weir_command *command = weir_commands; command->name; command++) {
        if (strncmp(command->name, word, length) != 0 || command->name[length] != ' ') continue;
        if (!any) weir_buffer_printf(out, "usage: weir %s COMMAND [ARGUMENTS] [OPTIONS]\n\n", word);
        any = true;
        weir_buffer_printf(out, "  %-16s  %s\n", command->name, command->about);
    }
    if (any) weir_buffer_text(out, "\n`weir help COMMAND` explains a command.\n");
    return any;
}

int weir_help_command(weir_cli *cli) {
    char *const *words = (char *const *)(void *)cli->words.items;
    size_t used = 0;
    if (!cli->words.count) {
        print_overview(&cli->out.text);
        return 0;
    }
    const weir_command *command = weir_command_find(words, cli->words.count, &used);
    if (!command && cli->words.count == 1 && print_group(words[0], &cli->out.text)) return 0;
    weir_error error;
    if (!command || used < cli->words.count) {
        fail_unknown(words, cli->words.count, &error);
        return weir_cli_fail(&error);
    }
    print_help(command, &cli->out.text);
    return 0;
}

/* The settings, for commands that have some; 0 when nothing is wrong with them. */
static int load_settings(weir_cli *cli) {
    if (!weir_command_has(cli->command, WEIR_FLAG_SET)) return 0;
    weir_problems problems = {0};
    weir_config_load(cli, &problems);
    int code = problems.count ? weir_code_exit(problems.items[0].code) : 0;
    for (size_t i = 0; i < problems.count; i++) weir_output_problem(&problems.items[i]);
    weir_problems_deinit(&problems);
    return code;
}

/* Runs a command on the state that is there. */
static int look(weir_cli *cli) {
    weir_error error;
    weir_engine *engine;
    if (!weir_cli_open(cli, true, NULL, &engine, &error)) return weir_cli_fail(&error);
    bool ok = cli->command->look(cli, engine, &error);
    weir_close(engine);
    return ok ? 0 : weir_cli_fail(&error);
}

int weir_command_perform(weir_cli *cli) {
    return cli->command->look ? look(cli) : cli->command->run(cli);
}

int weir_command_run(weir_cli *cli, char *const *arguments, size_t count) {
    weir_error error;
    if (!weir_cli_parse(cli, arguments, count, &error)) return weir_cli_fail(&error);
    if (weir_cli_has(cli, WEIR_FLAG_HELP)) {
        print_help(cli->command, &cli->out.text);
        return 0;
    }
    int code = load_settings(cli);
    if (code) return code;
    return weir_command_perform(cli);
}

/* A closed standard descriptor would become the next opened file, and output would land in it. The stand-in of
 * standard output refuses writes, so that they are reported. */
static void open_standard_descriptors(void) {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
            (void)!open("/dev/null", fd == STDERR_FILENO ? O_WRONLY : O_RDONLY);
}

void weir_cli_deinit(weir_cli *cli) {
    weir_buffer_deinit(&cli->out.text);
    weir_vector_deinit(&cli->given);
    weir_vector_deinit(&cli->words);
    weir_settings_deinit(&cli->settings);
}

static bool is_help(const char *word) {
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

int weir_command_main(int argc, char **argv) {
    weir_cli_hide_passwords(argc, argv);
    open_standard_descriptors();
    signal(SIGPIPE, SIG_IGN);
    char **words = argv + (argc > 0), *help = "help", *version = "version";
    size_t count = argc > 0 ? (size_t)argc - 1 : 0, used = 0;
    weir_cli cli = {.out.fd = STDOUT_FILENO};
    if (count && is_help(words[0])) words[0] = help;
    if (count && strcmp(words[0], "--version") == 0) words[0] = version;
    int code = 0;
    weir_error error;
    if (count && strcmp(words[0], "complete") == 0) {
        weir_complete(&cli, words + 1, count - 1);
    } else if (!count) {
        cli.out.fd = STDERR_FILENO;
        print_overview(&cli.out.text);
        code = weir_code_exit(WEIR_USAGE);
    } else if (!(cli.command = weir_command_find(words, count, &used)) &&
               (count == 1 || is_help(words[1])) && print_group(words[0], &cli.out.text)) {
        if (count == 1) cli.out.fd = STDERR_FILENO;
        code = count == 1 ? weir_code_exit(WEIR_USAGE) : 0;
    } else if (!cli.command) {
        fail_unknown(words, count, &error);
        code = weir_cli_fail(&error);
    } else {
        code = weir_command_run(&cli, words + used, count - used);
    }
    if (!weir_output_finish(&cli.out, "standard output")) code = weir_code_exit(WEIR_IO);
    weir_cli_deinit(&cli);
    return code;
}
