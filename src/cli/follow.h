/* Following a run to its end, as run and recover do: live tree, logs, events, interrupts, results. One thread. */
#ifndef WEIR_CLI_FOLLOW_H
#define WEIR_CLI_FOLLOW_H

#include "cli/commands.h"
#include "cli/feed.h"
#include "cli/image_progress.h"
#include "cli/steps.h"
#include "cli/view.h"

typedef struct weir_follow {
    weir_cli *cli;
    weir_options callbacks; /* for weir_cli_open */
    weir_view view;
    weir_images images; /* only that they are watched */
    weir_image_news news;
    weir_steps steps;
    weir_output file;    /* of --events */
    weir_output *events; /* the file or standard output; NULL: nobody wants them */
    bool streams;        /* each context's result is printed when it ends */
    weir_feed feed;      /* contexts for the run that is followed */
    bool starved;        /* something was wrong with a line of it */
    weir_code wrong;     /* what that was */
    int passed_on;       /* interrupts that the runs heard of */
    bool brief;          /* one of several runs: a line each, without tree and output */
    weir_value *answers; /* of several runs, for -o json and yaml */
    /* Gives contexts at each turn, instead of `feed`; and says more of the result before it is printed. Both with `give_arg`; may be NULL. */
    bool (*give)(void *arg, weir_run *run, weir_error *error);
    bool (*conclude)(void *arg, weir_run *run, weir_value *result, weir_error *error);
    void *give_arg;
    /* Of a program's runs: called every now and then while one is followed; and whose lines those of a run are. May be NULL. */
    void (*attend)(void *arg);
    weir_steps *(*steps_of)(void *arg, const weir_run *run);
    void *attend_arg;
} weir_follow;

/* Opens the events' file and catches interrupts. The struct must not move. */
WEIR_CHECKED bool weir_follow_init(weir_follow *follow, weir_cli *cli, bool brief,
                                   weir_error *error);
/* Drives runs[at] to its end and prints; an interrupt stops all of them. Returns the exit code. */
int weir_follow_run(weir_follow *follow, weir_run *const *runs, size_t count, size_t at);
/* How often this process was interrupted. */
int weir_follow_interrupts(void);
/* Says that there is no run; for programs also as a result. Returns the exit code. */
int weir_follow_fail(weir_follow *follow, const weir_error *error, bool said);
/* Prints what is left; returns `code`, or 3 when something could not be written. */
int weir_follow_deinit(weir_follow *follow, int code);

#endif
