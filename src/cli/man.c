/* The manual, made from the table of commands: a man page (man(7) of groff) or Markdown. */
#include <stdio.h>

#include "cli/commands.h"

enum { COMMON_MIN = 5 }; /* an option of as many commands is described once */

static bool is_common(weir_flag flag) {
    size_t count = 0;
    for (const weir_command *command = weir_commands; command->name; command++)
        count += weir_command_has(command, flag);
    /* The forms of --output are each command's own. */
    return count >= COMMON_MIN && flag != WEIR_FLAG_OUTPUT;
}

static const struct {
    const char *name, *about;
} variables[] = {
    {"WEIR_STATE", "the state directory, as --state"},
    {"WEIR_STORE", "where runs are kept, as --store"},
    {"PGPASSWORD, PGPASSFILE, PGSERVICE",
     "a password and the like for PostgreSQL, as libpq reads them"},
    {"WEIR_BLOBS", "where blobs are kept, as --blobs"},
    {"WEIR_DURABILITY", "what survives a crash, as --durability"},
    {"WEIR_RECORD", "which calls of pure operations are kept, as --record"},
    {"WEIR_THREADS", "threads for contexts that only make calls, as --threads"},
    {"WEIR_ISOLATION",
     "`none`: processes of workflows have the host's file system, as --isolation"},
    {"WEIR_EXECUTOR", "what steps run as whose file names an image, as --executor"},
    {"WEIR_IMAGES", "the folder where images of containers are kept"},
    {"WEIR_IMAGES_LIMIT", "how much they may take: those that were used longest ago go then"},
    {"WEIR_IMAGE_MOUNT",
     "how an image becomes the files of a step: `auto`, `overlay`, `fuse` or `copy`"},
    {"WEIR_PULL", "whether images that steps name are fetched, as --pull"},
    {"WEIR_PLATFORM", "of which platform images are, as linux/arm64; else this machine's"},
    {"WEIR_ARTIFACTS", "the folder where artifacts of workflows stay"},
    {"WEIR_RETENTION", "`none`: finished runs are kept for ever"},
    {"WEIR_RETENTION_AGE, WEIR_RETENTION_SIZE",
     "how long and up to which size finished runs are kept; else 30d and 10GB"},
    {"WEIR_OUTPUT", "what to print, as --output, where a command knows that form"},
    {"WEIR_PLUGINS", "shared objects with operations, with colons between"},
    {"WEIR_PYTHON", "the interpreter of Python functions, as --python"},
    {"WEIR_PYTHON_IDLE", "how long workers of Python functions stay with nothing to do; else 1m"},
    {"WEIR_PYTHON_ENVIRONMENTS",
     "the folder where environments of Python functions are kept; else ~/.cache/weir/python"},
    {"WEIR_MODULES", "the folder that weir's own modules are in"},
    {"AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN",
     "who asks for blobs in S3; else the profile AWS_PROFILE in ~/.aws/credentials"},
    {"AWS_REGION, AWS_ENDPOINT_URL, AWS_CA_BUNDLE",
     "where S3 is, and the certificates to trust, unless the URL of the blobs says so"},
    {"XDG_CONFIG_HOME", "where weir/weir.yaml is looked for; else $HOME/.config"},
    {"NO_COLOR", "no colours, as --no-color"},
    {"TMPDIR", "where temporary files go; else /tmp"},
};
enum { VARIABLES = sizeof variables / sizeof *variables };

static const struct {
    const char *name, *about;
} files[] = {
    {".weir/", "the state: the nearest upwards from where you are, else made here"},
    {"weir.yaml",
     "configuration beside .weir/, else here; yours is $XDG_CONFIG_HOME/weir/weir.yaml"},
};
enum { FILES = sizeof files / sizeof *files };

static const struct {
    const char *code, *about;
} codes[] = {
    {"0", "succeeded"},
    {"1", "the run failed"},
    {"2", "the input or the file is wrong"},
    {"3", "weir itself could not"},
};
enum { CODES = sizeof codes / sizeof *codes };

static const char about_weir[] =
    "weir runs dataflows, Argo workflows and pipelines on this machine. It keeps every event of a "
    "run in a "
    "journal, so that a run that was killed goes on with `weir recover`.";

/* --- man ------------------------------------------------------------------------------------ */

/* Text in a request's argument or in a line: what groff would read otherwise is escaped. */
static void put_roff(weir_buffer *out, const char *text) {
    weir_str rest = weir_str_from(text);
    if (rest.length && (*rest.data == '.' || *rest.data == '\'')) weir_buffer_text(out, "\\&");
    for (size_t at = 0; at < rest.length;) {
        size_t length = weir_utf8_length(weir_str_slice(rest, at, rest.length));
        const unsigned char *c = (const unsigned char *)rest.data + at;
        if (length == 3) /* "…" is the only one beyond ASCII */
            weir_buffer_printf(out, "\\[u%04X]",
                               (c[0] & 0xfu) << 12 | (c[1] & 0x3fu) << 6 | (c[2] & 0x3fu));
        else if (*c == '\\')
            weir_buffer_text(out, "\\e");
        else if (*c == '-')
            weir_buffer_text(out, "\\-");
        else if (*c == '"')
            weir_buffer_text(out, "\\(dq");
        else if (*c == '`')
            weir_buffer_text(out, "\\(ga");
        else
            weir_buffer_byte(out, (char)*c);
        at += length ? length : 1;
    }
}

/* ".TP", a bold name with an italic argument, and what it is. */
static void put_roff_entry(weir_buffer *out, const char *name, const char *argument,
                           const char *about) {
    weir_buffer_text(out, ".TP\n\\fB");
    put_roff(out, name);
    weir_buffer_text(out, "\\fR");
    if (argument) {
        weir_buffer_text(out, " \\fI");
        put_roff(out, argument);
        weir_buffer_text(out, "\\fR");
    }
    weir_buffer_byte(out, '\n');
    put_roff(out, about);
    weir_buffer_byte(out, '\n');
}

static void flag_name(weir_flag flag, char name[static 64]) {
    const weir_flag_text *text = &weir_flag_texts[flag];
    if (text->letter)
        snprintf(name, 64, "-%c, --%s", text->letter, text->name);
    else
        snprintf(name, 64, "--%s", text->name);
}

static void put_roff_command(weir_buffer *out, const weir_command *command) {
    char name[64];
    weir_buffer_text(out, ".SS \"weir ");
    put_roff(out, command->name);
    if (*command->arguments) {
        weir_buffer_byte(out, ' ');
        put_roff(out, command->arguments);
    }
    weir_buffer_text(out, "\"\n");
    put_roff(out, command->about);
    weir_buffer_byte(out, '\n');
    for (const unsigned char *flag = command->flags; *flag != WEIR_FLAG_END; flag++) {
        if (is_common(*flag)) continue;
        flag_name(*flag, name);
        put_roff_entry(out, name, weir_command_argument(command, *flag),
                       weir_command_about(command, *flag));
    }
}

static void print_man(weir_buffer *out) {
    char name[64];
    weir_buffer_printf(out, ".TH WEIR 1 \"\" \"weir %s\" \"weir's manual\"\n", weir_version());
    weir_buffer_text(out, ".SH NAME\nweir \\- runs dataflows, workflows and pipelines\n"
                          ".SH SYNOPSIS\n\\fBweir\\fR \\fICOMMAND\\fR [\\fIARGUMENTS\\fR] "
                          "[\\fIOPTIONS\\fR]\n.SH DESCRIPTION\n");
    put_roff(out, about_weir);
    weir_buffer_text(out, "\n.SH COMMANDS\n");
    for (const weir_command *command = weir_commands; command->name; command++)
        put_roff_command(out, command);
    weir_buffer_text(out,
                     ".SH COMMON OPTIONS\nOf many commands; `weir help COMMAND` lists which.\n");
    for (weir_flag flag = WEIR_FLAG_END + 1; flag < WEIR_FLAG_COUNT; flag++) {
        if (!is_common(flag)) continue;
        flag_name(flag, name);
        put_roff_entry(out, name, weir_flag_texts[flag].argument, weir_flag_texts[flag].about);
    }
    weir_buffer_text(out, ".SH EXIT STATUS\n");
    for (size_t i = 0; i < CODES; i++) put_roff_entry(out, codes[i].code, NULL, codes[i].about);
    weir_buffer_text(out, ".SH ENVIRONMENT\n");
    for (size_t i = 0; i < VARIABLES; i++)
        put_roff_entry(out, variables[i].name, NULL, variables[i].about);
    weir_buffer_text(out, ".SH FILES\n");
    for (size_t i = 0; i < FILES; i++) put_roff_entry(out, files[i].name, NULL, files[i].about);
    weir_buffer_text(out, ".SH EXAMPLES\n.nf\nweir example run calculator\nweir new pipeline "
                          "greeting\nweir run greeting.yaml who=world\nweir graph greeting.yaml\n"
                          "weir explain @latest\n.fi\n");
}

/* --- Markdown ------------------------------------------------------------------------------- */

/* In a table a '|' ends a cell, also within code. */
static void put_cell(weir_buffer *out, const char *text) {
    for (; *text; text++) {
        if (*text == '|') weir_buffer_byte(out, '\\');
        weir_buffer_byte(out, *text);
    }
}

static void put_row(weir_buffer *out, const char *name, const char *argument, const char *about) {
    weir_buffer_text(out, "| `");
    put_cell(out, name);
    if (argument) weir_buffer_byte(out, ' ');
    if (argument) put_cell(out, argument);
    weir_buffer_text(out, "` | ");
    put_cell(out, about);
    weir_buffer_text(out, " |\n");
}

static void put_markdown_command(weir_buffer *out, const weir_command *command) {
    char name[64];
    bool any = false, others = false;
    weir_buffer_printf(out, "\n### weir %s\n`weir %s%s%s`: %s.\n", command->name, command->name,
                       *command->arguments ? " " : "", command->arguments, command->about);
    for (const unsigned char *flag = command->flags; *flag != WEIR_FLAG_END; flag++) {
        if (is_common(*flag)) {
            others = true;
            continue;
        }
        if (!any) weir_buffer_text(out, "\n| option | |\n|---|---|\n");
        any = true;
        flag_name(*flag, name);
        put_row(out, name, weir_command_argument(command, *flag),
                weir_command_about(command, *flag));
    }
    if (!others) return;
    weir_buffer_text(out, "\nAlso ");
    for (const unsigned char *flag = command->flags; *flag != WEIR_FLAG_END; flag++)
        if (is_common(*flag)) weir_buffer_printf(out, "`--%s`, ", weir_flag_texts[*flag].name);
    weir_buffer_text(out, "`--help`.\n");
}

static void print_markdown(weir_buffer *out) {
    char name[64];
    weir_buffer_printf(out,
                       "# The command line\n\nMade from the program's own table by `weir man -o "
                       "markdown`.\n\n%s\n\n## Commands\n",
                       about_weir);
    for (const weir_command *command = weir_commands; command->name; command++)
        put_markdown_command(out, command);
    weir_buffer_text(out, "\n## Common options\n| option | |\n|---|---|\n");
    for (weir_flag flag = WEIR_FLAG_END + 1; flag < WEIR_FLAG_COUNT; flag++) {
        if (!is_common(flag)) continue;
        flag_name(flag, name);
        put_row(out, name, weir_flag_texts[flag].argument, weir_flag_texts[flag].about);
    }
    weir_buffer_text(out, "\n## Exit codes\n| code | |\n|---|---|\n");
    for (size_t i = 0; i < CODES; i++) put_row(out, codes[i].code, NULL, codes[i].about);
    weir_buffer_text(out, "\n## Environment\n| variable | |\n|---|---|\n");
    for (size_t i = 0; i < VARIABLES; i++)
        put_row(out, variables[i].name, NULL, variables[i].about);
    weir_buffer_text(out, "\n## Files\n| file | |\n|---|---|\n");
    for (size_t i = 0; i < FILES; i++) put_row(out, files[i].name, NULL, files[i].about);
}

int weir_man_command(weir_cli *cli) {
    if (weir_cli_has(cli, WEIR_FLAG_OUTPUT) && weir_cli_form(cli, "markdown"))
        print_markdown(&cli->out.text);
    else
        print_man(&cli->out.text);
    return 0;
}
