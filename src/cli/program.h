/* A program that makes workflows: `weir run hello.py`. It is executed by a Python interpreter, below the module `_run_program` that
 * comes with weir (sdk/python/weir), which says what the program makes: a line of JSON each, through a socket whose number and use
 * the variable WEIR_PROGRAM tells it.
 *
 * Two uses. "gather": what it makes is only looked at; one line {"do": "made", "documents": [Argo's objects]} before it ends.
 * "run": {"id", "do": "run", "documents": [a Workflow, templates that it may refer to…]} is answered by {"id", "run", "name",
 * "workflow"} as soon as that runs, {"id", "do": "wait" or "get", "run"} by {"id", "workflow"} when it is over, or at once, and what
 * cannot be by {"id", "error": {code, message}}. A program that was not started by weir starts `weir run` with such a socket, and the
 * variable WEIR_PROGRAM_CHANNEL, which has its number. One thread. */
#ifndef WEIR_CLI_PROGRAM_H
#define WEIR_CLI_PROGRAM_H

#include <sys/types.h>

#include "cli/commands.h"

typedef struct weir_program {
    const char *file;
    pid_t pid;        /* 0: it is not ours, or it has ended */
    int fd;           /* the socket; -1: its other end is gone */
    int status;       /* of waitpid, when it was ours and has ended */
    weir_buffer text; /* what came, from `at` on not yet taken */
    size_t at;
    uint64_t started_us, limit_us; /* how long it may take; 0: as long as it likes */
    bool told, killed;             /* to end, since it took longer */
} weir_program;

/* Whether weir takes the file for a program. */
bool weir_program_is(const char *file);
/* Starts it with these arguments. Errors: NOT_FOUND (the file, an interpreter), IO. With `gather`, or where output is for programs,
 * what it prints goes to standard error. */
WEIR_CHECKED bool weir_program_start(weir_cli *cli, const char *file, const char *const *arguments,
                                     size_t count, bool gather, weir_program *out,
                                     weir_error *error);
/* The next line without its end, which lives until the next call; false: there is none within `wait_ms`. LIMIT: it is too long. */
WEIR_CHECKED bool weir_program_line(weir_program *program, int wait_ms, weir_str *line,
                                    weir_error *error);
/* Sends a value as a line. A program that is gone does not hear it. */
void weir_program_answer(weir_program *program, const weir_value *value);
/* Whether it has ended, looked at now; ends one that takes too long. What it sent before can still be taken. */
bool weir_program_over(weir_program *program);
/* Once it is over: says on standard error how it ended, if that was not well. The exit code of weir for it. */
int weir_program_judge(const weir_program *program);
/* Ends it, if it goes on. */
void weir_program_close(weir_program *program);
/* A request whose document is the documents in one file; its file is named for the program and the first of them. */
void weir_program_put(weir_value *request, const char *file, const weir_value *documents);
/* Executes the program, which only says what it makes, and puts that in the request. */
WEIR_CHECKED bool weir_program_gather(weir_cli *cli, const char *file, const char *const *arguments,
                                      size_t count, weir_value *request, weir_error *error);
/* The program among the command's words, or what --file says, and its arguments; NULL: there is none. */
const char *weir_program_named(const weir_cli *cli, const char *const **arguments, size_t *count);
/* `weir run` of a program. */
int weir_program_command(weir_cli *cli, const char *file, const char *const *arguments,
                         size_t count);

#endif
